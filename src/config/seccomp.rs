//! The settings of the isolator linux/seccomp.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::error::ConfigError;
use super::flags::seccomp as flags;
use super::sources::Sources;

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seccomp {
    /// Where profiles are. Absent: nowhere.
    pub seccomp_config_dir: Option<PathBuf>,
    /// A file there. Absent: the program's own profile.
    pub seccomp_profile_name: Option<String>,
}

impl Seccomp {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Seccomp, ConfigError> {
        Ok(Seccomp {
            seccomp_config_dir: sources.path(&flags::SECCOMP_CONFIG_DIR)?,
            seccomp_profile_name: sources.optional(&flags::SECCOMP_PROFILE_NAME, |name| Ok(name.to_owned()))?,
        })
    }
}
