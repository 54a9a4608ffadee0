//! Where the value of a setting comes from: the command line, else the environment, else the file, else the default; and
//! reading it.
#![forbid(unsafe_code)]

use super::closest::closest;
use super::error::ConfigError;
use super::file::{self, File, FileError};
use super::flags::{self, FLAGS, Flag, VARIABLE_PREFIX};
use super::found::{Found, Origin};
use super::settings::Settings;
use super::untrusted::Untrusted;
use super::values::{ValueError, parse_bool, parse_duration};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where containers are kept: every call must be of the same opinion. The configuration file may say it.
const LOCATIONS: [&str; 3] = ["runtime_dir", "work_dir", "config"];
/// In place of a configuration file.
const NO_FILE: &str = "none";

/// All settings of one call, unread.
pub(super) struct Sources<'a> {
    settings: &'a Settings,
    /// The flag, the name of the variable that sets it, and its value.
    variables: Vec<(&'static Flag, String, OsString)>,
    /// Locations that the agent has set by a variable of its own, to a value that is lost.
    lost: Vec<&'static str>,
    file: Option<File>,
}

impl<'a> Sources<'a> {
    /// Picks our variables from the environment, and the warnings about those that are not trusted.
    pub(super) fn new(
        settings: &'a Settings,
        environment: impl Iterator<Item = (OsString, OsString)>,
        untrusted: &Untrusted,
    ) -> Result<(Sources<'a>, Vec<String>), ConfigError> {
        let (mut variables, mut lost, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
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
                lost.extend(flag.map(|flag| flag.name).filter(|name| LOCATIONS.contains(name)));
                warnings.push(ignored(&name, flag));
            } else if value.is_empty() {
                // Unset, as for most programs: an operator's way to take back a setting of a unit file.
            } else if let Some(flag) = flag.filter(|flag| !flag.in_environment()) {
                let value = value.to_string_lossy().into_owned();
                return Err(ConfigError::NotInEnvironment { variable: name.into_owned(), value, usage: flag.usage() });
            } else if let Some(flag) = flag {
                variables.push((flag, name.into_owned(), value));
            } else {
                return Err(ConfigError::UnknownVariable {
                    closest: closest(
                        &name,
                        FLAGS.iter().filter(|flag| flag.in_environment()).map(|flag| flag.variable()),
                    ),
                    value: value.to_string_lossy().into_owned(),
                    name: name.into_owned(),
                });
            }
        }
        Ok((Sources { settings, variables, lost, file: None }, warnings))
    }

    /// Has the configuration file read, if one is wanted.
    pub(super) fn read_file(
        &mut self,
        read: impl FnOnce(&Path, Option<&str>) -> Result<Option<String>, FileError>,
    ) -> Result<(), ConfigError> {
        let Some(path) = self.config()? else {
            return Ok(());
        };
        let found = self.find(&flags::CONFIG)?;
        let named_by = found.filter(|found| found.origin != Origin::Default).map(|found| found.written());
        let refused = |reason| ConfigError::File { path: path.to_string_lossy().into_owned(), reason };
        if let Some(text) = read(&path, named_by.as_deref()).map_err(refused)? {
            let entries = file::parse(&text).map_err(refused)?;
            self.file = Some(File { path, entries });
        }
        Ok(())
    }

    /// The file that was read.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// The configuration file that is wanted, if one is.
    pub(super) fn config(&self) -> Result<Option<PathBuf>, ConfigError> {
        match self.find(&flags::CONFIG)? {
            Some(found) if found.value == NO_FILE => Ok(None),
            _ => self.path(&flags::CONFIG),
        }
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
            Err(ConfigError::RelativePath { setting: found.written(), form: found.form("/ABSOLUTE/PATH") })
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
        let found = self.find(flag)?.unwrap_or(Found { flag, origin: Origin::Default, value: OsString::new() });
        parse(found.text()?).map_err(|reason| ConfigError::Invalid { setting: found.written(), reason })
    }

    /// The value in force, absent where nothing sets it.
    pub(super) fn find<'f>(&'f self, flag: &'f Flag) -> Result<Option<Found<'f>>, ConfigError> {
        if let Some(value) = self.settings.get(flag) {
            let found = Found { flag, origin: Origin::CommandLine, value: value.to_owned() };
            if value.is_empty() {
                let (setting, placeholder) = (found.written(), flag.kind.placeholder());
                return Err(ConfigError::Empty { setting, name: flag.name, placeholder });
            }
            return Ok(Some(found));
        }
        let of_flag = || self.variables.iter().filter(|(set, ..)| set.name == flag.name);
        // Our own variable before the agent's, in whichever order they stand in the environment.
        let variable = of_flag().find(|(_, name, _)| name.starts_with(VARIABLE_PREFIX)).or_else(|| of_flag().next());
        if let Some((_, name, value)) = variable {
            return Ok(Some(Found { flag, origin: Origin::Variable(name), value: value.clone() }));
        }
        // What the agent has set would win over the file: without it the file would say where no other call looks.
        if let Some(file) = self.file.as_ref().filter(|_| !self.lost.contains(&flag.name))
            && let Some(entry) = file.get(flag)
        {
            return Ok(Some(Found { flag, origin: Origin::File(&file.path, entry), value: entry.value.clone() }));
        }
        Ok(flag.default_value().map(|value| Found { flag, origin: Origin::Default, value }))
    }
}

/// The flag that takes its value from this variable of the agent's.
fn inheriting(variable: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.inherits == Some(variable)).copied()
}

fn ignored(variable: &str, flag: Option<&Flag>) -> String {
    let advice = match flag.filter(|flag| flag.in_environment()) {
        Some(flag) => format!("to set it for all containers, put {} on the command line", flag.usage()),
        None => "it is no setting either".to_owned(),
    };
    format!("the environment variable {variable} is ignored, because the task's own environment sets it; {advice}")
}
