//! What is remembered of a container: the flags that it was launched with, and what the registry has of it.
#![forbid(unsafe_code)]

use prost::Message;

use super::name;
use super::registry::Entry;
use crate::config;
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::isolator;

/// Fields may only be added.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Facts {
    /// Its link on the host.
    #[prost(string, required, tag = "1")]
    pub(super) link: String,
    /// --eth0_name, and once there is an entry the link that it is.
    #[prost(string, optional, tag = "2")]
    pub(super) eth0: Option<String>,
    /// The same of --lo_name.
    #[prost(string, optional, tag = "3")]
    pub(super) lo: Option<String>,
    /// Bytes per second that it may send.
    #[prost(uint64, optional, tag = "4")]
    pub(super) rate: Option<u64>,
    /// As it was in the registry after the launch or the last update: all there is if the registry is lost. None before it is there.
    #[prost(message, optional, tag = "5")]
    pub(super) entry: Option<Entry>,
}

impl Facts {
    /// Of a container that is about to be launched with these flags.
    pub(super) fn new(id: &ContainerId, flags: &config::Network) -> Facts {
        Facts {
            link: name::of(id),
            eth0: flags.eth0_name.clone(),
            lo: flags.lo_name.clone(),
            rate: flags.egress_rate_limit_per_container,
            entry: None,
        }
    }

    pub(super) fn read(facts: &isolator::Facts) -> Result<Facts> {
        Facts::decode(facts.as_slice())
            .map_err(|e| Error::Refused(format!("the facts about the network cannot be read: {e}")))
    }

    pub(super) fn bytes(&self) -> isolator::Facts {
        self.encode_to_vec()
    }
}
