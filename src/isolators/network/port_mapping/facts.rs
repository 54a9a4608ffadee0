//! What is remembered of a container: the flags that it was launched with, and its ports.
#![forbid(unsafe_code)]

use prost::Message;

use super::name;
use super::ranges::Ports;
use super::registry::Range;
use crate::config;
use crate::container::ContainerId;
use crate::error::{Error, Result};
use crate::isolator;

/// Fields may only be added.
#[derive(Clone, PartialEq, Message)]
pub(in crate::isolators::network) struct Facts {
    /// Its link on the host.
    #[prost(string, required, tag = "1")]
    pub(in crate::isolators::network) link: String,
    /// --eth0_name.
    #[prost(string, optional, tag = "2")]
    pub(super) eth0: Option<String>,
    /// --lo_name.
    #[prost(string, optional, tag = "3")]
    pub(super) lo: Option<String>,
    /// Bytes per second that it may send.
    #[prost(uint64, optional, tag = "4")]
    pub(super) rate: Option<u64>,
    /// None before it is chosen.
    #[prost(message, optional, tag = "5")]
    pub(super) ephemeral: Option<Range>,
    /// Those that it was given.
    #[prost(message, repeated, tag = "6")]
    pub(super) ports: Vec<Range>,
}

impl Facts {
    /// Of a container that is about to be launched with these flags.
    pub(super) fn new(id: &ContainerId, flags: &config::Network) -> Facts {
        Facts {
            link: name::of(id),
            eth0: flags.eth0_name.clone(),
            lo: flags.lo_name.clone(),
            rate: flags.egress_rate_limit_per_container,
            ephemeral: None,
            ports: Vec::new(),
        }
    }

    pub(in crate::isolators::network) fn read(facts: &isolator::Facts) -> Result<Facts> {
        Facts::decode(facts.as_slice())
            .map_err(|e| Error::Refused(format!("the facts about the network cannot be read: {e}")))
    }

    pub(super) fn bytes(&self) -> isolator::Facts {
        self.encode_to_vec()
    }

    /// Without the ephemeral ones.
    pub(super) fn ports(&self) -> Vec<Ports> {
        self.ports.iter().map(Range::ports).collect()
    }
}
