//! The calls of an isolator, one after the other, with links: they need no root.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::{OnceCell, RefCell};
use std::fs;

use super::*;
use crate::container::ContainerId;
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::mesos::resource::{DiskInfo, disk_info::Persistence};
use crate::protocol::mesos::{Resource, Volume as Info};
use crate::protocol::state::Process;

struct Host {
    dir: tempfile::TempDir,
    id: ContainerId,
    persistent: Persistent,
}

fn disk(id: &str, at: &str) -> Resource {
    let volume = Info { container_path: at.into(), mode: 1, ..Info::default() };
    let persistence = Persistence { id: id.into(), ..Persistence::default() };
    let disk = DiskInfo { persistence: Some(persistence), volume: Some(volume), source: None };
    Resource { name: "disk".into(), role: Some("r".into()), disk: Some(disk), ..Resource::default() }
}

impl Host {
    fn new(volumes: &[&str]) -> Host {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sandbox")).unwrap();
        for id in volumes {
            fs::create_dir_all(dir.path().join("volumes/roles/r").join(id)).unwrap();
        }
        let work_dir = Some(dir.path().to_path_buf());
        let persistent = Persistent { way: Way::Links, work_dir, timeout: Duration::from_secs(5) };
        Host { dir, id: ContainerId::new("c1").unwrap(), persistent }
    }

    fn with<T>(&self, resources: &[Resource], call: impl FnOnce(&Persistent, &Container<'_>) -> T) -> T {
        let container = Container {
            id: &self.id,
            sandbox: &self.dir.path().join("sandbox"),
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
        call(&self.persistent, &container)
    }

    /// The names in the sandbox, sorted.
    fn links(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("sandbox")).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn launch(&self, resources: &[Resource]) -> isolator::Facts {
        self.with(resources, |persistent, container| {
            let facts = persistent.plan(container).unwrap();
            assert!(self.links().is_empty(), "plan makes nothing");
            assert!(persistent.prepare(container, &facts, None).unwrap().0.is_empty());
            facts
        })
    }
}

#[test]
fn without_volumes_there_is_nothing_to_remember() {
    let host = Host::new(&[]);
    let facts = host.launch(&[]);
    assert!(facts.is_empty());
    let never = |_: &isolator::Facts| panic!("nothing is to be made");
    assert_eq!(host.with(&[], |p, c| p.update(c, &facts, never)).unwrap(), None);
}

#[test]
fn updates_are_differences() {
    let host = Host::new(&["a", "b", "c"]);
    let mut facts = host.launch(&[disk("a", "x"), disk("b", "y")]);
    assert_eq!(host.links(), ["x", "y"]);
    let remembered = RefCell::new(None);
    let remember = |facts: &isolator::Facts| {
        assert_eq!(host.links(), ["x", "y"], "facts before anything is made or removed");
        *remembered.borrow_mut() = Some(facts.clone());
        Ok(())
    };
    let wanted = [disk("b", "y"), disk("c", "z")];
    facts = host.with(&wanted, |p, c| p.update(c, &facts, remember)).unwrap().unwrap();
    assert_eq!(host.links(), ["y", "z"]);
    let never = |_: &isolator::Facts| panic!("nothing is new");
    assert_eq!(host.with(&wanted, |p, c| p.update(c, &facts, never)).unwrap(), None);

    // As if that update had died just before its end: it is done again, and what was only pending can be removed.
    let pending = remembered.take().unwrap();
    let again = host.with(&wanted, |p, c| p.update(c, &pending, |_| Ok(()))).unwrap().unwrap();
    assert_eq!(Facts::read(&again).unwrap().volumes.len(), 2);
    assert!(Facts::read(&again).unwrap().volumes.iter().all(|kept| !kept.pending));
    let none = host.with(&[], |p, c| p.update(c, &pending, |_| Ok(()))).unwrap().unwrap();
    assert!(none.is_empty() && host.links().is_empty());
}

#[test]
fn an_update_that_cannot_be_remembered_makes_nothing() {
    let host = Host::new(&["a"]);
    let facts = host.launch(&[]);
    let full = |_: &isolator::Facts| Err(Error::Refused("the disk is full".into()));
    host.with(&[disk("a", "x")], |p, c| p.update(c, &facts, full)).unwrap_err();
    assert!(host.links().is_empty());
}

#[test]
fn a_place_of_its_own_for_the_sandbox_is_remembered() {
    let host = Host::new(&[]);
    let (_, facts) = host.with(&[], |p, c| p.prepare(c, &p.plan(c).unwrap(), Some(Path::new("/mnt/s")))).unwrap();
    assert_eq!(Facts::read(&facts.unwrap()).unwrap().sandbox().unwrap(), Path::new("/mnt/s"));
}

#[test]
fn volumes_in_and_around_each_other_are_refused() {
    let mount = |at: &str| Mount {
        stage: Stage::Volume,
        what: format!("something at {at}"),
        at: CString::new(at).unwrap(),
        source: isolator::Source::ReadOnly,
    };
    refuse_overlap(&[mount("/a"), mount("/s/db2")], &[mount("/s/db")]).unwrap();
    for other in ["/s", "/s/db", "/s/db/x"] {
        let text = refuse_overlap(&[mount(other)], &[mount("/s/db")]).unwrap_err().to_string();
        assert!(text.contains("hide") && text.contains(other), "{text}");
    }
}
