//! What isolators read: answers of programs, facts and figures that they left, files of the kernel's, values of flags.
#![forbid(unsafe_code)]

pub(crate) use super::cgroups::fuzzing as cgroups;
pub(crate) use super::namespaces::fuzzing as namespaces;
pub(crate) use super::network::fuzzing as network;
pub(crate) use super::program::fuzzing::answer as programs;

use super::{cgroups::fuzzing as in_cgroups, disk, filesystem, network::fuzzing as in_network, program};
use crate::fuzzing::said;
use crate::protocol::mesos::Resource;

/// What somebody has left, by a number: facts, published figures, reports of helpers.
pub(crate) fn kept(which: usize, data: &[u8]) {
    match which % 4 {
        0 => in_cgroups::kept(data),
        1 => disk::fuzzing::kept(data),
        2 => in_network::kept(data),
        _ => {
            filesystem::fuzzing::kept(data);
            program::fuzzing::kept(data);
        }
    }
}

/// A line as the value of each flag that an isolator reads by itself.
pub(crate) fn flags(text: &str) {
    in_cgroups::flags(text);
}

/// What isolators make of resources.
pub(crate) fn resources(resources: &[Resource]) {
    said(in_network::resources(resources));
    in_cgroups::resources(resources);
}
