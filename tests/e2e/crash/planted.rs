//! Tests of the sweep: what it is to find is planted (src/weaken.rs), and it must find it.

use super::arms::Point;
use super::kit::Kit;
use super::lives::When;
use super::sweep::{Shot, fire};
use crate::agent::{need_root, skip};
use crate::network::bed::Bed;

/// What the sweep says of a death at this point, in a program with a fault and in the real one.
fn found(kit: &Kit, when: When, point: &str, all: bool, fault: &'static str) -> String {
    let point = Point { name: point.to_owned(), at: 1 };
    let shot = Shot { when, point, all, other: false };
    assert_eq!(fire(kit, &shot, None), Ok(true), "without {fault}");
    fire(kit, &shot, Some(fault)).expect_err("a planted fault is not found")
}

#[test]
fn a_forgotten_cgroup_is_found() {
    need_root!();
    let said = found(&Kit::cheap(), When::End, "kill:after", false, "cgroups");
    assert!(said.contains("left behind") && said.contains("cgroup /"), "{said}");
}

#[test]
fn forgotten_filters_are_found() {
    need_root!();
    if Bed::new().is_none() {
        skip!("network namespaces cannot be made");
    }
    let said = found(&Kit::network(), When::End, "kill:after", false, "filters");
    assert!(said.contains("left behind") && said.contains("filter on eth0"), "{said}");
}

#[test]
fn a_lost_status_is_found() {
    need_root!();
    let said = found(&Kit::cheap(), When::End, "kill:after", true, "outcome");
    assert!(said.contains("lost its status"), "{said}");
}
