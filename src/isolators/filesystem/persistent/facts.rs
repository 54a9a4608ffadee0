//! What is remembered of a container's persistent volumes.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use prost::Message;

use super::source::Source;
use super::volume::Volume;
use crate::error::{Error, Result};
use crate::isolator;

/// All of them. Fields may only be added.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Facts {
    #[prost(message, repeated, tag = "1")]
    pub(super) volumes: Vec<Kept>,
    /// Where the container sees its sandbox, if that is not where the host has it.
    #[prost(bytes = "vec", optional, tag = "2")]
    seen: Option<Vec<u8>>,
}

/// A volume that the container has, or is about to be given.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Kept {
    /// Its directory on the host.
    #[prost(bytes = "vec", required, tag = "1")]
    source: Vec<u8>,
    /// Below the sandbox.
    #[prost(bytes = "vec", required, tag = "2")]
    at: Vec<u8>,
    #[prost(bool, required, tag = "3")]
    read_only: bool,
    /// st_dev of the directory.
    #[prost(uint64, required, tag = "4")]
    device: u64,
    /// st_ino of the directory.
    #[prost(uint64, required, tag = "5")]
    inode: u64,
    /// An update was about to add it; whether it did is not known.
    #[prost(bool, required, tag = "6")]
    pub(super) pending: bool,
}

impl Facts {
    pub(super) fn new(volumes: Vec<Kept>) -> Facts {
        Facts { volumes, seen: None }
    }

    /// Notes where the container sees its sandbox.
    pub(super) fn see_at(&mut self, path: &Path) {
        self.seen = Some(path.as_os_str().as_bytes().to_vec());
    }

    pub(super) fn read(facts: &isolator::Facts) -> Result<Facts> {
        Facts::decode(facts.as_slice())
            .map_err(|e| Error::Refused(format!("the facts about persistent volumes cannot be read: {e}")))
    }

    /// Empty where there is nothing to remember.
    pub(super) fn bytes(&self) -> isolator::Facts {
        self.encode_to_vec()
    }

    /// Where the container sees its sandbox; None: where the host has it.
    pub(super) fn sandbox(&self) -> Option<PathBuf> {
        self.seen.clone().map(|seen| PathBuf::from(std::ffi::OsString::from_vec(seen)))
    }

    /// The same with these volumes.
    pub(super) fn with(&self, volumes: Vec<Kept>) -> Facts {
        Facts { volumes, seen: self.seen.clone() }
    }
}

impl Kept {
    pub(super) fn new(volume: &Volume, source: &Source, pending: bool) -> Kept {
        let (device, inode) = source.identity;
        Kept {
            source: source.path.as_os_str().as_bytes().to_vec(),
            at: volume.at.as_os_str().as_bytes().to_vec(),
            read_only: volume.read_only,
            device,
            inode,
            pending,
        }
    }

    pub(super) fn source(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.source))
    }

    pub(super) fn at(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.at))
    }

    /// st_dev and st_ino of its directory.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether this is what is asked for, `volume` being at `source` on the host.
    pub(super) fn is(&self, volume: &Volume, source: &Path) -> bool {
        self.source() == source && self.at() == volume.at && self.read_only == volume.read_only
    }
}
