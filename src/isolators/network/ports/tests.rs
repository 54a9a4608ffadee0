//! What becomes of what a look has found.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::{OnceCell, RefCell};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::container::ContainerId;
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::resources::text;
use crate::protocol::state::Process;

/// With a container that has these resources, or whose resources cannot be read.
fn with<T>(resources: Option<&str>, call: impl FnOnce(&Container<'_>) -> T) -> T {
    let known = text::parse(resources.unwrap_or("cpus:1")).unwrap();
    let why = Error::Refused("bad bytes".into());
    call(&Container {
        id: &ContainerId::new("c1").unwrap(),
        sandbox: Path::new("/"),
        user: None,
        asked: None,
        resources: if resources.is_some() { &known } else { &[] },
        unread: resources.is_none().then_some(&why),
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
    })
}

fn ports(enforce: bool) -> (Ports, Rules) {
    let enforce = if enforce { "true" } else { "false" };
    let flags = rules::tests::flags(&[("MESOS_ECP_ENFORCE_CONTAINER_PORTS", enforce)]);
    let rules = Rules::new(&flags).unwrap();
    (Ports { flags, looking: RefCell::default(), said: RefCell::default() }, rules)
}

/// What a look has found that began when none was allowed.
fn found() -> Found {
    Found { ports: PortSet::of([80..=81]), unreadable: 0 }
}

#[test]
fn what_an_update_has_given_meanwhile_is_not_forbidden() {
    let (ports, rules) = ports(true);
    let after = |resources: &str| with(Some(resources), |container| ports.found(container, &rules, &found()).unwrap());
    assert!(matches!(after("ports:[80-81]"), Watched::Continue));
    let Watched::Limited(limitation) = after("ports:[80-80]") else { panic!("81 is still forbidden") };
    assert_eq!(limitation.message, "Container c1 is listening on unallocated port(s): [81-81]");
    assert!(ports.said.borrow_mut().ports(&found().ports) == found().ports, "nothing was logged");
}

#[test]
fn nobody_breaks_rules_that_are_not_known() {
    let (ports, rules) = ports(true);
    let error = with(None, |container| ports.found(container, &rules, &found()).unwrap_err().to_string());
    assert_eq!(error, "the resources in force are not known: bad bytes");
}

#[test]
fn a_look_is_skipped_while_the_resources_cannot_be_read() {
    let (ports, rules) = ports(true);
    ports.looking.replace(Some(Looking::new(Duration::ZERO).unwrap()));
    let facts = rules.facts();
    let null = std::fs::File::open("/dev/null").unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let watched = with(None, |container| ports.ready(container, &facts, null.as_fd()).unwrap());
    assert!(matches!(watched, Watched::Continue));
    assert!(!ports.said.borrow_mut().failure("the resources in force are not known: bad bytes"), "it was logged");
    // Neither is one under way nor the next one due.
    assert!(matches!(ports.looking.borrow().as_ref().unwrap().next(), Ok(Event::Nothing)));
}

#[test]
fn ports_are_remembered_as_named_where_they_were() {
    let (ports, rules) = ports(false);
    with(Some("cpus:1"), |container| ports.found(container, &rules, &found()).unwrap());
    assert!(ports.said.borrow_mut().ports(&found().ports).is_empty());
}
