//! `namespaces/uts`: a hostname of the container's own, that of its ContainerInfo. Without one it has the host's name, and may change
//! it for itself if it is root.
#![forbid(unsafe_code)]

use std::ffi::CString;

use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Preparation};
use crate::isolators::Settings;

/// See the module.
#[derive(Debug)]
pub struct Uts {
    settings: Settings,
}

impl Uts {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Uts {
        Uts { settings: settings.clone() }
    }
}

impl Isolator for Uts {
    fn name(&self) -> &str {
        "namespaces/uts"
    }

    fn probe(&self) -> Result<()> {
        super::probe(&self.settings, "uts")
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        hostname(container).map(|_| Facts::new())
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let hostname = hostname(container)?;
        Ok(Preparation { namespaces: libc::CLONE_NEWUTS as u64, hostname, ..Preparation::default() })
    }
}

fn hostname(container: &Container<'_>) -> Result<Option<CString>> {
    container.asked.and_then(|asked| asked.container()?.hostname.as_deref()).map(checked).transpose()
}

/// Most that the kernel takes: __NEW_UTS_LEN.
const LONGEST: usize = 64;

/// A name goes into prompts, logs and scripts, so it is one that can be a host's: RFC 1123, and underscores.
fn checked(name: &str) -> Result<CString> {
    let refused = |why: &str| {
        let shown: String = name.chars().take(LONGEST + 1).collect();
        Error::Refused(format!("container.hostname \"{}\" is refused: {why}", shown.escape_default()))
    };
    if name.is_empty() || name.len() > LONGEST {
        return Err(refused("it must have 1 to 64 characters"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err(refused("it may have letters, digits, hyphens, dots and underscores only"));
    }
    if name.split('.').any(|label| label.is_empty() || label.starts_with('-') || label.ends_with('-')) {
        return Err(refused("none of the parts between its dots may be empty, or begin or end with a hyphen"));
    }
    CString::new(name).map_err(|_| refused("it contains a NUL byte"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_that_a_host_can_have() {
        let longest = "a".repeat(64);
        for good in ["a", "web-1.example.org", "7", "with_underscore", &longest] {
            assert_eq!(checked(good).unwrap().to_str().unwrap(), good);
        }
        let too_long = "a".repeat(65);
        for bad in ["", "a b", "a\0b", "a\n", "$(x)", "ä", ".", "a.", ".a", "a..b", "-a", "a-.b", &too_long] {
            assert!(checked(bad).unwrap_err().to_string().starts_with("container.hostname"), "{bad}");
        }
    }
}
