//! JSON to a record and back: what was taken comes out the same, however often.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used)]

use crate::protocol::json::{from_wire, to_wire};

const NAMES: [&str; 12] = [
    "mesos.containerizer.Launch",
    "mesos.containerizer.Update",
    "mesos.containerizer.Termination",
    "mesos.ResourceStatistics",
    "mesos.containerizer.Usage",
    "mesos.containerizer.Wait",
    "mesos.containerizer.Destroy",
    "mesos.containerizer.Containers",
    "mesos.ContainerInfo",
    "mesos_ecp.isolator.Description",
    "mesos_ecp.isolator.Call",
    "mesos_ecp.isolator.Reply",
];

pub(super) fn body(data: &[u8]) {
    let (which, text) = super::selected(data);
    let name = NAMES[which % NAMES.len()];
    let Some(wire) = super::said(to_wire(name, text)) else { return };
    let json = from_wire(name, &wire).expect("what was written can be read");
    let again = to_wire(name, &*json).expect("what was printed can be read");
    assert_eq!(from_wire(name, &again).expect("the same again"), json);
}
