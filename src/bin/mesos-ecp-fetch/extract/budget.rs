//! What may still be written: the limits, used up.
#![forbid(unsafe_code)]

use super::error::{ExtractError, Failure, Report};

/// How much an archive may become.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The bytes of all files together, holes of sparse files included (`--fetcher_size_limit`).
    pub bytes: u64,
    /// How many members the archive may have.
    pub entries: u64,
}

/// What is left of the limits.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    entries: u64,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { bytes: limits.bytes, entries: limits.entries }
    }

    /// Takes `count` bytes: of content that is written, and of what an archive has us read without use.
    pub(super) fn take(&mut self, count: u64) -> Result<(), Failure> {
        self.bytes = self.bytes.checked_sub(count).ok_or(Failure::Bytes)?;
        Ok(())
    }

    /// Whether `count` bytes could be taken: to be asked before any of them is written.
    pub(super) fn allows(&self, count: u64) -> Result<(), Failure> {
        if count > self.bytes { Err(Failure::Bytes) } else { Ok(()) }
    }

    pub(super) fn entries(&mut self, count: u64, report: &Report<'_>) -> Result<(), ExtractError> {
        self.entries = self.entries.checked_sub(count).ok_or_else(|| ExtractError::Entries {
            archive: report.archive.to_owned(),
            limit: report.limits.entries,
        })?;
        Ok(())
    }
}
