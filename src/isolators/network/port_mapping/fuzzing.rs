//! The facts of `network/port_mapping`, and the registry that all agents of a host share.
#![forbid(unsafe_code)]

use prost::Message;

use super::facts::Facts;
use super::host;
use super::ranges::{capacity, first_free, of_resource, overlap};
use super::registry::{self, Entry, Registry};
use crate::error::Result;
use crate::fuzzing::{Scratch, again, said, text};
use crate::protocol::mesos::Resource;
use crate::protocol::resources::ranges;

/// As many as a container has by default.
const SIZE: u16 = 1024;

/// Facts and a registry of any bytes.
pub(crate) fn kept(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let facts = Facts::read(&bytes.to_vec()).ok()?;
        facts.entry.iter().for_each(entry);
        Some(facts)
    };
    again(data, read, Facts::bytes);
    let scratch = Scratch::new();
    if let Some(found) = said(registry::read(&scratch.file("registry", data))) {
        found.containers.iter().for_each(entry);
        let taken: Vec<_> = found.containers.iter().flat_map(Entry::all_ports).collect();
        if let Some(free) = first_free(&[32768..=57343], SIZE, &taken) {
            assert!(free.len() == usize::from(SIZE) && free.start() % SIZE == 0);
            assert!(!taken.iter().any(|taken| overlap(taken, &free)));
        }
        let written = scratch.file("registry", &found.encode_to_vec());
        assert!(found == Registry::default() || said(registry::read(&written)) == Some(found));
    }
}

fn entry(entry: &Entry) {
    drop((entry.addresses(), entry.all_ports()));
    assert_eq!(entry.ports().len(), entry.ports.len());
}

/// The resource `ports`.
pub(crate) fn resources(resources: &[Resource]) -> Result<()> {
    let ports = of_resource(&ranges(resources, "ports"))?;
    assert!(ports.iter().all(|range| range.start() <= range.end() && *range.start() > 0));
    assert!(capacity(&ports, SIZE) <= 64);
    Ok(())
}

/// /proc/sys/net/ipv4/ip_local_port_range.
pub(crate) fn own_range(data: &[u8]) {
    host::own_range(text(data));
}
