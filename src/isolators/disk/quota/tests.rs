#![allow(clippy::unwrap_used)]
use std::cell::OnceCell;

use super::*;
use crate::container::ContainerId;
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::mesos::resource::DiskInfo;
use crate::protocol::mesos::resource::disk_info::{Persistence, Source, source};
use crate::protocol::mesos::{Volume, value};
use crate::protocol::state::Process;

fn disk(mebibytes: f64, disk: Option<DiskInfo>) -> Resource {
    let scalar = Some(value::Scalar { value: mebibytes });
    Resource { name: "disk".into(), role: Some("r".into()), scalar, disk, ..Resource::default() }
}

fn volume(id: &str, at: &str) -> Option<DiskInfo> {
    let volume = Volume { container_path: at.into(), mode: 1, ..Volume::default() };
    let persistence = Persistence { id: id.into(), ..Persistence::default() };
    Some(DiskInfo { persistence: Some(persistence), volume: Some(volume), source: None })
}

fn on(r#type: Type, disk: Option<DiskInfo>) -> Option<DiskInfo> {
    let path = Some(source::Path { root: "/d".into() });
    let mount = Some(source::Mount { root: "/d".into() });
    Some(DiskInfo { source: Some(Source { r#type: r#type as i32, path, mount }), ..disk.unwrap() })
}

fn of(resources: &[Resource]) -> Result<Vec<Quota>> {
    let container = Container {
        id: &ContainerId::new("c").unwrap(),
        sandbox: Path::new("/w/slaves/s/frameworks/f/executors/e/runs/c"),
        user: None,
        asked: None,
        resources,
        unread: None,
        first: None,
        owner: &Process::default(),
        adopted: false,
        cgroups: &Cgroups::default(),
        ended: None,
        state: None,
        proc: &Proc::default(),
        mark: None,
        seen: Default::default(),
        members: OnceCell::new(),
    };
    quotas(&container, None)
}

fn shown(resources: &[Resource]) -> Vec<(String, Option<u64>, bool)> {
    let all = of(resources).unwrap();
    all.iter().map(|q| (q.place.at().display().to_string(), q.limit.map(|l| l >> 10), q.enforceable)).collect()
}

#[test]
fn the_sandbox_is_always_there_and_entries_add_up() {
    let sandbox = |limit, enforceable| (String::new(), limit, enforceable);
    assert_eq!(shown(&[]), [sandbox(None, true)]);
    let cpus = Resource { name: "cpus".into(), ..disk(7.0, None) };
    let plain = DiskInfo::default();
    let all = [disk(1.5, None), cpus, disk(3.0, Some(plain)), disk(f64::NAN, None), disk(-1.0, None)];
    assert_eq!(shown(&all), [sandbox(Some(4608), true)]);
    assert_eq!(sandbox_limit(&all), Some(4608 << 10));
    assert_eq!(sandbox_limit(&[disk(1.0, volume("v", "data"))]), None);
    assert_eq!(shown(&[disk(1e300, None), disk(1e300, None)]), [sandbox(Some(u64::MAX >> 10), true)]);
}

#[test]
fn volumes_have_quotas_of_their_own() {
    let volumes = [
        disk(1.0, volume("a", "data")),
        disk(2.0, on(Type::Path, volume("b", "deep/er"))),
        disk(4.0, on(Type::Mount, volume("c", "whole"))),
        disk(8.0, volume("a", "./data/")),
    ];
    let one = |at: &str, limit: u64, enforceable| (at.to_owned(), Some(limit << 10), enforceable);
    let expected = [(String::new(), None, true), one("data", 9, true), one("deep/er", 2, true), one("whole", 4, false)];
    assert_eq!(shown(&volumes), expected);
    assert!(of(&[disk(1.0, volume("a", "/abs"))]).is_err());
}

#[test]
fn what_is_exceeded_and_how_it_is_said() {
    let quota = of(&[disk(3.0, None)]).unwrap().remove(0);
    assert!(!quota.is_exceeded(3 << 20) && quota.is_exceeded((3 << 20) + 1));
    let said = quota.limitation(4 << 20);
    assert_eq!((said.message.as_str(), said.reason), ("Disk usage (4MB) exceeds quota (3MB)", 20));
    assert_eq!(quota.limitation((3 << 20) + 4096).message, "Disk usage (3076KB) exceeds quota (3MB)");
    let whole = disk(1.0, on(Type::Mount, volume("c", "whole")));
    assert!(!of(&[whole]).unwrap()[1].is_exceeded(u64::MAX), "a whole disk is not enforced");
    assert!(!of(&[]).unwrap()[0].is_exceeded(u64::MAX), "no resource, no limit");
}
