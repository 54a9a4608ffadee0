//! Writes the content of one file.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};

use super::budget::Budget;
use super::error::Failure;

/// A good size for the buffer: few system calls, and it fits a processor's cache.
pub(super) const BUFFER: usize = 128 << 10;

/// A file that is being written.
pub(super) struct Output<'f> {
    file: &'f File,
    buffer: &'f mut [u8],
    length: u64,
    ends_in_hole: bool,
}

impl<'f> Output<'f> {
    pub(super) fn new(file: &'f File, buffer: &'f mut [u8]) -> Self {
        Self { file, buffer, length: 0, ends_in_hole: false }
    }

    /// Appends all that `content` has; returns how many bytes that was.
    pub(super) fn copy(&mut self, content: &mut impl Read, budget: &mut Budget) -> Result<u64, Failure> {
        let before = self.length;
        loop {
            let count = match content.read(self.buffer) {
                Ok(0) => return Ok(self.length - before),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Read(error)),
            };
            budget.take(count as u64)?;
            self.file.write_all(&self.buffer[..count]).map_err(Failure::write("write to the file"))?;
            self.length += count as u64;
            self.ends_in_hole = false;
        }
    }

    /// Appends zeros that take no room.
    pub(super) fn hole(&mut self, bytes: u64, budget: &mut Budget) -> Result<(), Failure> {
        budget.take(bytes)?;
        self.length += bytes;
        self.file.seek(SeekFrom::Start(self.length)).map_err(Failure::write("make a hole in the file"))?;
        self.ends_in_hole = true;
        Ok(())
    }

    /// To be called at the end.
    pub(super) fn finish(self) -> Result<(), Failure> {
        if self.ends_in_hole {
            self.file.set_len(self.length).map_err(Failure::write("make a hole in the file"))?;
        }
        Ok(())
    }
}
