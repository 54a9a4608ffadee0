//! Any bytes as a message: decoding ends, and what is understood survives its encoding and its JSON. What a verb then asks of a message
//! before it does anything is asked, too.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used)]

use std::fmt::Debug;

use crate::container::ContainerId;
use crate::protocol::json::{from_wire, is_known, to_wire};
use crate::protocol::mesos::containerizer::{Containers, Destroy, Launch, Termination, Update, Usage, Wait};
use crate::protocol::mesos::{ContainerInfo, Resource, ResourceStatistics};
use crate::protocol::resources::{has_persistent_volume, mem_bytes, merge, ranges, scalar};
use crate::protocol::{Described, decode, fetch, isolator, read_record, state, write_record};

/// Compared by their text: a NaN is not equal to itself.
fn survives<M: prost::Message + Default + Described + Debug>(name: &'static str, bytes: &[u8]) -> Option<M> {
    let message: M = super::said(decode(bytes))?;
    let mut record = Vec::new();
    write_record(&mut record, &message).expect("a small message");
    let encoded = read_record(&mut &*record).expect("a whole record");
    let again: M = decode(&encoded).expect("what was encoded can be decoded");
    assert_eq!(format!("{message:?}"), format!("{again:?}"));
    if is_known(name) {
        let json = from_wire(name, &encoded).expect("what was encoded can be printed");
        let read: M = decode(&to_wire(name, &*json).expect("what was printed can be read")).expect("and decoded");
        assert_eq!(format!("{message:?}"), format!("{read:?}"));
    }
    Some(message)
}

fn asked(resources: &[Resource]) {
    let (cpus, mem) = (scalar(resources, "cpus"), mem_bytes(resources));
    assert!(cpus.is_none_or(|cpus| cpus >= 0.0));
    let ports = ranges(resources, "ports");
    assert!(ports.iter().all(|range| range.start() <= range.end()));
    assert!(ports.is_sorted_by(|one, next| one.end() < next.start()));
    let merged = merge(resources, resources.to_vec());
    assert_eq!((scalar(&merged, "cpus"), mem_bytes(&merged), ranges(&merged, "ports")), (cpus, mem, ports));
    let _ = has_persistent_volume(resources);
    crate::isolators::fuzzing::resources(resources);
}

fn named(id: &str) {
    if let Some(id) = super::said(ContainerId::new(id)) {
        let id = id.as_str();
        assert!(!id.is_empty() && id.len() < 256 && !id.starts_with('.') && !id.contains(['/', '\0', '\n']));
    }
}

pub(super) fn body(data: &[u8]) {
    let (which, bytes) = super::selected(data);
    match which % 16 {
        0 => {
            if let Some(launch) = survives::<Launch>("mesos.containerizer.Launch", bytes) {
                named(&launch.container_id.value);
                asked(launch.executor_info.as_ref().map_or(&[], |executor| &executor.resources));
                crate::verbs::fuzzing::launch(launch);
            }
        }
        1 => {
            if let Some(update) = survives::<Update>("mesos.containerizer.Update", bytes) {
                named(&update.container_id.value);
                asked(&update.resources);
            }
        }
        2 => drop(survives::<Termination>("mesos.containerizer.Termination", bytes)),
        3 => drop(survives::<ResourceStatistics>("mesos.ResourceStatistics", bytes)),
        4 => drop(survives::<Usage>("mesos.containerizer.Usage", bytes).map(|usage| named(&usage.container_id.value))),
        5 => drop(survives::<Wait>("mesos.containerizer.Wait", bytes).map(|wait| named(&wait.container_id.value))),
        6 => drop(
            survives::<Destroy>("mesos.containerizer.Destroy", bytes).map(|destroy| named(&destroy.container_id.value)),
        ),
        7 => drop(survives::<Containers>("mesos.containerizer.Containers", bytes)),
        8 => drop(survives::<state::Checkpoint>("mesos_ecp.state.Checkpoint", bytes)),
        9 => drop(survives::<state::Ended>("mesos_ecp.state.Ended", bytes)),
        10 => drop(survives::<state::Resources>("mesos_ecp.state.Resources", bytes)),
        11 => drop(survives::<fetch::Request>("mesos_ecp.fetch.Request", bytes)),
        12 => drop(survives::<isolator::Description>("mesos_ecp.isolator.Description", bytes)),
        13 => drop(survives::<isolator::Call>("mesos_ecp.isolator.Call", bytes)),
        14 => drop(survives::<isolator::Reply>("mesos_ecp.isolator.Reply", bytes)),
        _ => drop(survives::<ContainerInfo>("mesos.ContainerInfo", bytes)),
    }
}
