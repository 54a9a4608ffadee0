//! `linux/seccomp`: which system calls the container may make, by a profile.
//!
//! Launch reads the profile before anything is made. The filter is compiled when all isolators have said what capabilities
//! there will be, since rules may depend on them. It stays with the container's processes; nothing is left to look after.
#![forbid(unsafe_code)]

mod file;

use std::cell::RefCell;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Filter, Isolator, Preparation, Privileges};
use crate::isolators::Settings;
use crate::seccomp::{Abi, Compiled, DEFAULT, Host, Profile, ProfileError, compile};
use crate::sys;

/// See the module.
#[derive(Debug)]
pub struct Seccomp {
    directory: Option<PathBuf>,
    name: Option<String>,
    /// What `probe` has read and `prepare` uses, in a fork of the same process.
    read: RefCell<Option<Source>>,
}

/// A profile, and where it is from.
#[derive(Debug)]
struct Source {
    /// For messages.
    name: String,
    profile: Profile<'static>,
}

impl Seccomp {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Seccomp {
        let seccomp = &settings.seccomp;
        Seccomp {
            directory: seccomp.seccomp_config_dir.clone(),
            name: seccomp.seccomp_profile_name.clone(),
            read: RefCell::new(None),
        }
    }

    fn read(&self) -> Result<Source> {
        let Some(name) = &self.name else {
            let name = "mesos-ecp's own".to_owned();
            let profile = Profile::parse(DEFAULT).map_err(|e| bad(&name, e))?;
            return Ok(Source { name, profile });
        };
        let Some(directory) = &self.directory else {
            return Err(Error::Refused(format!(
                "--seccomp_profile_name={} needs --seccomp_config_dir=PATH, the directory that it is in",
                name.escape_default()
            )));
        };
        let (path, text) = file::read(directory, name)?;
        let name = path.display().to_string();
        let profile = Profile::parse(&text).map_err(|e| bad(&name, e))?.into_owned();
        Ok(Source { name, profile })
    }
}

fn bad(name: &str, source: ProfileError) -> Error {
    Error::Profile { name: name.to_owned(), source }
}

/// Where the profile is compiled for: here.
fn host(capabilities: u64) -> Result<Host> {
    let native = Abi::native().ok_or_else(|| {
        Error::Refused("there is no table of system calls for this architecture: leave linux/seccomp out".into())
    })?;
    let name = nix::sys::utsname::uname().map_err(Error::system("ask for the kernel's version"))?;
    let kernel =
        name.release().to_str().and_then(Host::kernel_version).ok_or_else(|| {
            Error::Refused(format!("cannot read the kernel's version \"{}\"", name.release().display()))
        })?;
    Ok(Host { native, kernel, capabilities })
}

impl Source {
    fn compile(&self, capabilities: u64) -> Result<Compiled> {
        compile(&self.profile, &host(capabilities)?).map_err(|e| bad(&self.name, e))
    }

    /// What does nothing, for who wonders why.
    fn note(&self, unknown: &[String]) -> Option<String> {
        let calls = (!unknown.is_empty()).then(|| format!("the system calls {}", unknown.join(", ")));
        let flags =
            (!self.profile.ignored.is_empty()).then(|| format!("the flags {}", self.profile.ignored.join(", ")));
        let parts: Vec<String> = calls.into_iter().chain(flags).collect();
        (!parts.is_empty()).then(|| {
            format!(
                "isolator linux/seccomp: of profile {}, {} are not known here and do nothing",
                self.name,
                parts.join(" and ")
            )
        })
    }
}

impl Isolator for Seccomp {
    fn name(&self) -> &str {
        "linux/seccomp"
    }

    fn probe(&self) -> Result<()> {
        sys::seccomp_available().map_err(|e| {
            Error::Refused(format!(
                "this kernel has no filters of system calls (CONFIG_SECCOMP_FILTER, Linux 4.14): {e}; leave linux/seccomp out"
            ))
        })?;
        let source = self.read()?;
        if self.name.is_some() {
            // Rules that count for nobody make no difference: it is about the length.
            source.compile(u64::MAX)?;
        }
        *self.read.borrow_mut() = Some(source);
        Ok(())
    }

    fn prepare(&self, container: &Container<'_>, _facts: &Facts) -> Result<Preparation> {
        let source = match self.read.borrow_mut().take() {
            Some(source) => source,
            None => self.read()?,
        };
        let log = container.state.cloned();
        let filter = Filter::new(move |capabilities| {
            let compiled = source.compile(capabilities)?;
            if let (Some(log), Some(note)) = (log, source.note(&compiled.unknown)) {
                log.log(&note);
            }
            Ok(compiled.program)
        });
        // Without it the kernel takes a filter from root only: a program with more rights could be misled by a filter.
        let privileges = Privileges { no_new_privileges: true, ..Privileges::default() };
        Ok(Preparation { privileges, filter: Some(filter), ..Preparation::default() })
    }
}

#[cfg(test)]
mod tests;
