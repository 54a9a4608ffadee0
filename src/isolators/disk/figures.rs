//! What is published of a container's disk usage.
#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use prost::Message;

use crate::error::{Error, Result};

/// The latest figure of each place. Fields may only be added.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Figures {
    #[prost(message, repeated, tag = "1")]
    places: Vec<Figure>,
}

#[derive(Clone, PartialEq, Message)]
struct Figure {
    /// Where the container has it, below its sandbox; empty: the sandbox.
    #[prost(bytes = "vec", required, tag = "1")]
    at: Vec<u8>,
    /// In bytes.
    #[prost(uint64, required, tag = "2")]
    used: u64,
}

impl Figures {
    /// # Errors
    /// When it is something else.
    pub(super) fn read(bytes: &[u8]) -> Result<Figures> {
        Figures::decode(bytes).map_err(|e| Error::Refused(format!("the published figures cannot be read: {e}")))
    }

    /// Of a place that has none yet.
    pub(super) fn add(&mut self, at: &Path, used: u64) {
        self.places.push(Figure { at: at.as_os_str().as_bytes().to_vec(), used });
    }

    /// What the place takes, in bytes.
    pub(super) fn of(&self, at: &Path) -> Option<u64> {
        self.places.iter().find(|figure| figure.at == at.as_os_str().as_bytes()).map(|figure| figure.used)
    }
}
