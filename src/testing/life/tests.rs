//! What an isolator sees of a life.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::isolator::{Container, Preparation};
use crate::protocol::resources::scalar;

/// Notes what it is called with.
struct Sees(Rc<RefCell<Vec<String>>>);

impl Sees {
    fn note(&self, call: &str, container: &Container<'_>, facts: &Facts) {
        let text = format!(
            "{call} {:?} facts={} asked={} first={} adopted={} ended={}",
            scalar(container.resources, "cpus").unwrap(),
            String::from_utf8_lossy(facts),
            container.asked.is_some(),
            container.first.is_some(),
            container.adopted,
            container.ended.is_some(),
        );
        self.0.borrow_mut().push(text);
    }
}

impl Isolator for Sees {
    fn name(&self) -> &str {
        "test/sees"
    }

    fn plan(&self, container: &Container<'_>) -> Result<Facts> {
        self.note("plan", container, &Facts::new());
        Ok(b"planned".to_vec())
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        self.note("prepare", container, facts);
        Ok(Preparation { facts: Some(b"prepared".to_vec()), ..Preparation::default() })
    }

    fn isolate(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.note("isolate", container, facts);
        Ok(())
    }

    fn update(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        self.note("update", container, facts);
        Ok(None)
    }

    fn cleanup(&self, container: &Container<'_>, facts: &Facts) -> Result<()> {
        self.note("cleanup", container, facts);
        Ok(())
    }
}

fn lived(live: impl FnOnce(&mut Life<'_>)) -> Vec<String> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (host, theirs) = (Host::new().unwrap(), Rc::clone(&seen));
    let mut life = Life::new(&host, "c", move || Box::new(Sees(Rc::clone(&theirs)))).unwrap();
    live(&mut life);
    drop(life);
    seen.take()
}

#[test]
fn facts_come_back_and_what_is_known_when_is_known() {
    let seen = lived(|life| {
        life.launch().unwrap();
        life.update("cpus:3;mem:1").unwrap();
        life.end();
        life.cleanup().unwrap();
    });
    assert_eq!(
        seen,
        [
            "plan 1.0 facts= asked=true first=false adopted=false ended=false",
            "prepare 1.0 facts=planned asked=true first=false adopted=false ended=false",
            "isolate 1.0 facts=prepared asked=true first=true adopted=false ended=false",
            "update 3.0 facts=prepared asked=false first=true adopted=false ended=false",
            "cleanup 3.0 facts=prepared asked=false first=true adopted=false ended=true",
        ]
    );
}

#[test]
fn what_a_crash_has_not_let_be_stored_is_forgotten() {
    let seen = lived(|life| {
        life.plan().unwrap();
        life.crash_after(Call::Prepare);
        life.prepare().unwrap();
    });
    // By the end of the life.
    assert_eq!(seen[2..], ["cleanup 1.0 facts=planned asked=false first=false adopted=true ended=false"]);
}

#[test]
fn processes_may_be_fake() {
    let host = Host::new().unwrap();
    let (owner, first) = (host.lay_process(10, 1, 1).unwrap(), host.lay_process(11, 10, 2).unwrap());
    let settings = crate::testing::settings().unwrap();
    let make = move || crate::isolators::make(&["posix/cpu".into()], &settings).unwrap().remove(0);
    let mut life = Life::new(&host, "c", make).unwrap();
    life.set_processes(owner, Some(first));
    assert_eq!(life.usage().unwrap().processes, Some(1));
}
