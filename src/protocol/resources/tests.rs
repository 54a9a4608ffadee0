//! Lists as agents send them, and as they never should.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::protocol::mesos::{Volume, resource::DiskInfo, resource::RevocableInfo, resource::disk_info, value};

fn amount(name: &str, value: f64) -> Resource {
    Resource { name: name.into(), scalar: Some(value::Scalar { value }), ..Default::default() }
}

fn list(name: &str, ranges: &[(u64, u64)]) -> Resource {
    let range = ranges.iter().map(|&(begin, end)| value::Range { begin, end }).collect();
    let r#type = value::Type::Ranges.into();
    Resource { name: name.into(), r#type, ranges: Some(value::Ranges { range }), ..Default::default() }
}

fn disk(disk: DiskInfo) -> Resource {
    Resource { disk: Some(disk), ..amount("disk", 8.0) }
}

#[test]
fn entries_of_one_name_add_up() {
    let other_role = Resource { role: Some("db".into()), ..amount("cpus", 0.25) };
    let revocable = Resource { revocable: Some(RevocableInfo {}), ..amount("cpus", 1.0) };
    let resources = [amount("cpus", 0.5), amount("mem", 64.0), other_role, revocable];
    assert_eq!(scalar(&resources, "cpus"), Some(1.75));
    assert_eq!(scalar(&resources, "mem"), Some(64.0));
    assert_eq!(scalar(&resources, "disk"), None);
    assert_eq!(scalar(&[], "cpus"), None);
    assert_eq!(scalar(&[list("cpus", &[(1, 2)])], "cpus"), None);
    assert_eq!(scalar(&[amount("cpus", 0.0)], "cpus"), Some(0.0));
}

#[test]
fn impossible_amounts_are_no_amounts() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE] {
        assert_eq!(scalar(&[amount("mem", bad)], "mem"), None);
        assert_eq!(scalar(&[amount("mem", 1.0), amount("mem", bad)], "mem"), None);
        assert_eq!(scalar(&[amount("mem", bad), amount("mem", 1.0)], "mem"), None);
        assert_eq!(mem_bytes(&[amount("mem", bad)]), None);
    }
    assert_eq!(scalar(&[amount("mem", f64::MAX), amount("mem", f64::MAX)], "mem"), Some(f64::MAX));
}

#[test]
fn memory_is_in_mebibytes() {
    assert_eq!(mem_bytes(&[amount("mem", 96.0)]), Some(100_663_296));
    assert_eq!(mem_bytes(&[amount("mem", 0.5), amount("mem", 1.0)]), Some(1_572_864));
    assert_eq!(mem_bytes(&[amount("mem", f64::MAX)]), Some(u64::MAX));
    assert_eq!(mem_bytes(&[amount("cpus", 1.0)]), None);
}

#[test]
fn an_update_replaces_all_but_absent_cpus_and_mem() {
    let old = [amount("cpus", 1.0), amount("cpus", 2.0), amount("mem", 64.0), amount("disk", 5.0)];
    let cpus = |value| amount("cpus", value);
    assert_eq!(merge(&old, vec![]), [cpus(1.0), cpus(2.0), amount("mem", 64.0)]);
    assert_eq!(merge(&old, vec![cpus(3.0)]), [cpus(3.0), amount("mem", 64.0)]);
    assert_eq!(merge(&old, vec![amount("mem", 32.0)]), [amount("mem", 32.0), cpus(1.0), cpus(2.0)]);
    let all = vec![cpus(0.1), amount("mem", 32.0), list("ports", &[(1, 2)])];
    assert_eq!(merge(&old, all.clone()), all);
    assert_eq!(merge(&[], vec![]), []);
}

#[test]
fn an_impossible_amount_does_not_lift_a_limit() {
    let old = [amount("cpus", 1.0), amount("mem", 64.0)];
    let merged = merge(&old, vec![amount("mem", f64::NAN), amount("cpus", 2.0)]);
    assert_eq!(merged, [amount("cpus", 2.0), amount("mem", 64.0)]);
}

#[test]
fn ranges_are_sorted_and_merged() {
    let resources = [
        list("ports", &[(31_000, 31_010), (1, 2), (9, 8)]),
        list("ephemeral_ports", &[(3, 3)]),
        list(
            "ports",
            &[(31_005, 31_020), (31_002, 31_003), (3, 5), (7, 7), (u64::MAX, u64::MAX), (u64::MAX - 1, u64::MAX)],
        ),
        amount("ports", 4.0),
    ];
    assert_eq!(ranges(&resources, "ports"), [1..=5, 7..=7, 31_000..=31_020, u64::MAX - 1..=u64::MAX]);
    assert_eq!(ranges(&resources, "other"), []);
}

#[test]
fn a_persistent_volume_is_seen() {
    let persistence = disk_info::Persistence { id: "id".into(), principal: None };
    let volume = Volume { container_path: "data".into(), ..Default::default() };
    let source = disk_info::Source::default();
    let plain = disk(DiskInfo { source: Some(source), ..Default::default() });
    assert!(!has_persistent_volume(&[amount("disk", 8.0), disk(DiskInfo::default()), plain.clone()]));
    assert!(has_persistent_volume(&[plain, disk(DiskInfo { volume: Some(volume), ..Default::default() })]));
    let kept = disk(DiskInfo { persistence: Some(persistence), ..Default::default() });
    assert!(has_persistent_volume(std::slice::from_ref(&kept)));
    assert!(!has_persistent_volume(&[Resource { name: "space".into(), ..kept }]));
}

proptest! {
    #[test]
    fn merged_ranges_hold_the_same_numbers(
        pairs in prop::collection::vec((0_u64..60, 0_u64..60), 0..12),
    ) {
        let merged = ranges(&[list("ports", &pairs)], "ports");
        for number in 0..61 {
            let before = pairs.iter().any(|&(begin, end)| (begin..=end).contains(&number));
            prop_assert_eq!(merged.iter().any(|range| range.contains(&number)), before);
        }
        prop_assert!(merged.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()));
    }
}
