//! The flags of one command line, not yet read as values.
#![forbid(unsafe_code)]

use super::closest::closest;
use super::error::ConfigError;
use super::flags::{FLAGS, Flag, Kind};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The flags that the command line sets. Values are read by [`Config::resolve`](super::Config::resolve) only, so that
/// asking for help never fails for a bad value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    // A handful at most: a search through them is faster than any map.
    values: Vec<(&'static Flag, OsString)>,
}

impl Settings {
    /// Takes one argument of the forms the agent's own flags have: `--flag=value`, and for booleans also `--flag` and
    /// `--no-flag`. A value in an argument of its own is not among them.
    ///
    /// # Errors
    /// Unknown flags, a missing value, a negation where it makes no sense, and a flag that was taken before.
    pub fn add(&mut self, argument: &OsStr) -> Result<(), ConfigError> {
        let bytes = argument.as_bytes();
        let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&bytes[..equals], Some(OsStr::from_bytes(&bytes[equals + 1..]))),
            None => (bytes, None),
        };
        let name = OsStr::from_bytes(name).to_string_lossy();
        let bare = name.strip_prefix("--").unwrap_or_default();
        if let Some(flag) = Flag::named(bare) {
            return match (value, flag.kind) {
                (Some(value), _) => self.put(flag, value.to_owned()),
                (None, Kind::Bool) => self.put(flag, "true".into()),
                (None, kind) => Err(ConfigError::MissingValue { name: flag.name, placeholder: kind.placeholder() }),
            };
        }
        match bare.strip_prefix("no-").and_then(Flag::named) {
            Some(flag) if flag.kind != Kind::Bool => {
                Err(ConfigError::NotBoolean { name: flag.name, placeholder: flag.kind.placeholder() })
            }
            Some(flag) => match value {
                None => self.put(flag, "false".into()),
                Some(value) => {
                    Err(ConfigError::NegatedWithValue { name: flag.name, value: value.to_string_lossy().into_owned() })
                }
            },
            None => Err(ConfigError::UnknownFlag {
                argument: argument.to_string_lossy().into_owned(),
                closest: closest(name.trim_start_matches('-'), FLAGS.iter().map(|flag| flag.name)),
            }),
        }
    }

    /// What the command line sets the flag to.
    pub fn get(&self, flag: &Flag) -> Option<&OsStr> {
        self.values.iter().find(|(set, _)| set.name == flag.name).map(|(_, value)| value.as_os_str())
    }

    fn put(&mut self, flag: &'static Flag, value: OsString) -> Result<(), ConfigError> {
        if let Some(first) = self.get(flag) {
            // Which of the two was meant is a guess that nobody should make for a program that runs as root.
            return Err(ConfigError::Twice {
                name: flag.name,
                first: first.to_string_lossy().into_owned(),
                second: value.to_string_lossy().into_owned(),
            });
        }
        self.values.push((flag, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::config::flags::{ISOLATION, QUIET, WORK_DIR};

    fn settings(arguments: &[&str]) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        for argument in arguments {
            settings.add(OsStr::new(argument))?;
        }
        Ok(settings)
    }

    fn refusal(arguments: &[&str]) -> String {
        settings(arguments).unwrap_err().to_string()
    }

    #[test]
    fn a_value_follows_an_equals_sign() {
        let set = settings(&["--isolation=a,b", "--work_dir=/w=x"]).unwrap();
        assert_eq!(set.get(&ISOLATION), Some(OsStr::new("a,b")));
        assert_eq!(set.get(&WORK_DIR), Some(OsStr::new("/w=x")));
        assert_eq!(set.get(&QUIET), None);
        assert_eq!(
            refusal(&["--isolation"]),
            "--isolation needs a value, joined by an equals sign: write --isolation=LIST"
        );
    }

    #[test]
    fn booleans_have_the_agents_three_forms() {
        for (argument, value) in [("--quiet", "true"), ("--no-quiet", "false"), ("--quiet=false", "false")] {
            assert_eq!(settings(&[argument]).unwrap().get(&QUIET), Some(OsStr::new(value)), "{argument}");
        }
        assert!(refusal(&["--no-quiet=true"]).contains("--no-quiet takes no value"));
        for argument in ["--no-isolation", "--no-isolation=x"] {
            assert!(refusal(&[argument]).starts_with("--no-isolation: only boolean flags"), "{argument}");
        }
    }

    #[test]
    fn a_flag_stands_once() {
        assert!(refusal(&["--quiet", "--no-quiet"]).contains("--quiet is given twice, as true and as false"));
        assert!(refusal(&["--work_dir=/a", "--work_dir=/a"]).contains("twice, as /a and as /a"));
    }

    #[test]
    fn unknown_flags_are_named_with_the_likely_one_and_all_known() {
        let message = refusal(&["--isolaton=posix/cpu"]);
        assert!(message.starts_with("unknown flag --isolaton=posix/cpu, did you mean --isolation?"), "{message}");
        assert!(FLAGS.iter().all(|flag| message.contains(&format!("--{}", flag.name))), "{message}");
        assert!(refusal(&["--work-dir=/w"]).contains("did you mean --work_dir?"));
        assert!(refusal(&["-quiet"]).contains("did you mean --quiet?"));
        for argument in ["-", "--", "-x", "--=x", "--no-", "--no-such_flag_at_all", "--QUIETLY"] {
            assert!(refusal(&[argument]).starts_with(&format!("unknown flag {argument}")), "{argument}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8() {
        let mut settings = Settings::default();
        settings.add(OsStr::from_bytes(b"--work_dir=/w\xff")).unwrap();
        assert_eq!(settings.get(&WORK_DIR), Some(OsStr::from_bytes(b"/w\xff")));
        let error = settings.add(OsStr::from_bytes(b"--\xff=1")).unwrap_err();
        assert!(error.to_string().starts_with("unknown flag --\u{fffd}=1"), "{error}");
    }
}
