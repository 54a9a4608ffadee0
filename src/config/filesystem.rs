//! The settings that have to do with what a container sees of file systems.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::error::ConfigError;
use super::flags::filesystem as flags;
use super::sources::Sources;

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// JSON, or the path of a file with it; neither read nor checked.
    pub default_container_info: Option<String>,
    /// The root directory of containers. Absent: that of the host.
    pub default_rootfs: Option<PathBuf>,
    /// Where the sandbox is in such a root directory.
    pub sandbox_directory: PathBuf,
}

impl Filesystem {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Filesystem, ConfigError> {
        Ok(Filesystem {
            default_container_info: sources.optional(&flags::DEFAULT_CONTAINER_INFO, |text| Ok(text.to_owned()))?,
            default_rootfs: sources.path(&flags::DEFAULT_ROOTFS)?,
            sandbox_directory: sources.path(&flags::SANDBOX_DIRECTORY)?.unwrap_or_default(),
        })
    }
}
