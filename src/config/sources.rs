//! Where the value of a setting comes from: the command line, else the environment, else the default; and reading it.
#![forbid(unsafe_code)]

use super::closest::closest;
use super::error::ConfigError;
use super::flags::{FLAGS, Flag, VARIABLE_PREFIX};
use super::settings::Settings;
use super::untrusted::Untrusted;
use super::values::{ValueError, parse_bool, parse_duration};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// Where containers are kept: every call must be of the same opinion.
const LOCATIONS: [&str; 2] = ["runtime_dir", "work_dir"];

/// All settings of one call, unread.
pub(super) struct Sources<'a> {
    settings: &'a Settings,
    /// The flag, the name of the variable that sets it, and its value.
    variables: Vec<(&'static Flag, String, OsString)>,
}

impl<'a> Sources<'a> {
    /// Picks our variables from the environment, and the warnings about those that are not trusted.
    pub(super) fn new(
        settings: &'a Settings,
        environment: impl Iterator<Item = (OsString, OsString)>,
        untrusted: &Untrusted,
    ) -> Result<(Sources<'a>, Vec<String>), ConfigError> {
        let (mut variables, mut warnings) = (Vec::new(), Vec::new());
        for (variable, value) in environment {
            let name = variable.to_string_lossy();
            let ours = name.starts_with(VARIABLE_PREFIX);
            let flag = if ours { Flag::of_variable(&name) } else { inheriting(&name) };
            if !ours && flag.is_none() {
                continue;
            }
            if untrusted.may_have_set(&variable, &value) {
                // To go by the default here would put the container where no other call looks for it.
                if let Some(flag) = flag.filter(|f| ours && LOCATIONS.contains(&f.name) && settings.get(f).is_none()) {
                    return Err(ConfigError::Untrusted { variable: name.into_owned(), usage: flag.usage() });
                }
                warnings.push(ignored(&name, flag));
            } else if value.is_empty() {
                // Unset, as for most programs: an operator's way to take back a setting of a unit file.
            } else if let Some(flag) = flag {
                variables.push((flag, name.into_owned(), value));
            } else {
                return Err(ConfigError::UnknownVariable {
                    closest: closest(&name, FLAGS.iter().map(Flag::variable)),
                    value: value.to_string_lossy().into_owned(),
                    name: name.into_owned(),
                });
            }
        }
        Ok((Sources { settings, variables }, warnings))
    }

    /// An absolute path, absent where nothing sets it.
    pub(super) fn path(&self, flag: &Flag) -> Result<Option<PathBuf>, ConfigError> {
        let Some(found) = self.find(flag)? else {
            return Ok(None);
        };
        let path = PathBuf::from(&found.value);
        if path.is_absolute() {
            Ok(Some(path))
        } else {
            Err(ConfigError::RelativePath { setting: found.written(), name: flag.name })
        }
    }

    /// A duration, zero included.
    pub(super) fn duration(&self, flag: &Flag) -> Result<Duration, ConfigError> {
        self.value(flag, parse_duration)
    }

    /// A duration of more than zero.
    pub(super) fn timeout(&self, flag: &Flag) -> Result<Duration, ConfigError> {
        match self.duration(flag)? {
            Duration::ZERO => Err(ConfigError::Zero {
                setting: self.find(flag)?.map(|found| found.written()).unwrap_or_default(),
                example: flag.default,
            }),
            duration => Ok(duration),
        }
    }

    /// A boolean.
    pub(super) fn boolean(&self, flag: &Flag) -> Result<bool, ConfigError> {
        self.value(flag, parse_bool)
    }

    /// The trimmed names of a list, in order.
    pub(super) fn list(&self, flag: &Flag) -> Result<Vec<String>, ConfigError> {
        let Some(found) = self.find(flag)? else {
            return Ok(Vec::new());
        };
        let mut names: Vec<String> = Vec::new();
        for name in found.text()?.split(',').map(str::trim) {
            let setting = || found.written();
            if name.is_empty() {
                let position = names.len() + 1;
                return Err(ConfigError::EmptyEntry { setting: setting(), position, example: flag.default });
            }
            if names.iter().any(|other| other == name) {
                return Err(ConfigError::DuplicateEntry { setting: setting(), entry: name.to_owned() });
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// Of a flag that may be unset.
    pub(super) fn optional<T>(
        &self,
        flag: &Flag,
        parse: fn(&str) -> Result<T, ValueError>,
    ) -> Result<Option<T>, ConfigError> {
        match self.find(flag)? {
            Some(_) => self.value(flag, parse).map(Some),
            None => Ok(None),
        }
    }

    /// Of a flag with a default: nothing set it and no default is read as the empty text.
    pub(super) fn value<T>(&self, flag: &Flag, parse: fn(&str) -> Result<T, ValueError>) -> Result<T, ConfigError> {
        let found = self.find(flag)?.unwrap_or(Found { flag, variable: None, value: OsString::new() });
        parse(found.text()?).map_err(|reason| ConfigError::Invalid { setting: found.written(), reason })
    }

    fn find<'f>(&'f self, flag: &'f Flag) -> Result<Option<Found<'f>>, ConfigError> {
        if let Some(value) = self.settings.get(flag) {
            let found = Found { flag, variable: None, value: value.to_owned() };
            if value.is_empty() {
                let (setting, placeholder) = (found.written(), flag.kind.placeholder());
                return Err(ConfigError::Empty { setting, name: flag.name, placeholder });
            }
            return Ok(Some(found));
        }
        let of_flag = || self.variables.iter().filter(|(set, ..)| set.name == flag.name);
        // Our own variable before the agent's, in whichever order they stand in the environment.
        let variable = of_flag().find(|(_, name, _)| name.starts_with(VARIABLE_PREFIX)).or_else(|| of_flag().next());
        Ok(match variable {
            Some((_, name, value)) => Some(Found { flag, variable: Some(name), value: value.clone() }),
            None => flag.default_value().map(|value| Found { flag, variable: None, value }),
        })
    }
}

/// The flag that takes its value from this variable of the agent's.
fn inheriting(variable: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.inherits == Some(variable))
}

fn ignored(variable: &str, flag: Option<&Flag>) -> String {
    let advice = match flag {
        Some(flag) => format!("to set it for all containers, put {} on the command line", flag.usage()),
        None => "it is no setting either".to_owned(),
    };
    format!("the environment variable {variable} is ignored, because the task's own environment sets it; {advice}")
}

/// A value and who set it.
struct Found<'a> {
    flag: &'a Flag,
    variable: Option<&'a str>,
    value: OsString,
}

impl Found<'_> {
    /// The setting as the operator wrote it, for messages.
    fn written(&self) -> String {
        let value = self.value.to_string_lossy();
        match self.variable {
            Some(name) => format!("{name}={value}"),
            None => format!("--{}={value}", self.flag.name),
        }
    }

    fn text(&self) -> Result<&str, ConfigError> {
        OsStr::to_str(&self.value).ok_or_else(|| ConfigError::NotUtf8 { setting: self.written() })
    }
}
