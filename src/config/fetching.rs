//! The settings that have to do with fetching a command's URIs.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::flags::fetching as flags;
use super::sources::Sources;
use super::values::ValueError;

/// With whose rights URIs are fetched: `--fetch_as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchAs {
    /// The container's user.
    User,
    /// The account that this program runs as.
    Root,
}

impl FetchAs {
    fn parse(text: &str) -> Result<FetchAs, ValueError> {
        match text {
            "user" => Ok(FetchAs::User),
            "root" => Ok(FetchAs::Root),
            _ => Err(ValueError::FetchAs),
        }
    }
}

/// The settings of one call. One field for each flag of [`flags`], by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetching {
    /// With whose rights.
    pub fetch_as: FetchAs,
    /// Until a connection stands. Never zero.
    pub fetcher_connect_timeout: Duration,
    /// From one piece of data to the next. Never zero.
    pub fetcher_stall_timeout: Duration,
    /// Bytes of one download, and of all that one archive extracts to.
    pub fetcher_size_limit: u64,
    /// Absent: the default for the user that runs the program.
    pub fetcher_cache_dir: Option<PathBuf>,
    /// Bytes for each user; 0 for no cache.
    pub fetcher_cache_size: u64,
}

impl Fetching {
    pub(super) fn resolve(sources: &Sources<'_>) -> Result<Fetching, ConfigError> {
        Ok(Fetching {
            fetch_as: sources.value(&flags::FETCH_AS, FetchAs::parse)?,
            fetcher_connect_timeout: sources.timeout(&flags::FETCHER_CONNECT_TIMEOUT)?,
            fetcher_stall_timeout: sources.timeout(&flags::FETCHER_STALL_TIMEOUT)?,
            fetcher_size_limit: sources.value(&flags::FETCHER_SIZE_LIMIT, super::values::parse_bytes)?,
            fetcher_cache_dir: sources.path(&flags::FETCHER_CACHE_DIR)?,
            fetcher_cache_size: sources.value(&flags::FETCHER_CACHE_SIZE, super::values::parse_bytes)?,
        })
    }
}
