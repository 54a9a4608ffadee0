//! For random sets whose calls fail at random: what was prepared is cleaned up, in reverse order, exactly once successfully.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::container::{ContainerId, Launched, Scope};
use crate::error::Error;
use crate::isolator::Facts;
use crate::launcher::Cgroups;
use crate::proc::Proc;
use crate::protocol::state::{Checkpoint, Process};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Plan,
    Prepare,
    Isolate,
    Cleanup,
}

/// A call that has been made: of which isolator, and whether it succeeded.
type Made = (Call, usize, bool);

/// What one isolator of a random set does.
#[derive(Debug, Clone)]
struct Behaviour {
    /// Calls of the launch that fail.
    plan: bool,
    prepare: bool,
    isolate: bool,
    /// Its prepare succeeds and wants what only one can have.
    wants: bool,
    /// How often in a row its cleanup fails.
    cleanup: u8,
    /// What plan returns, and what prepare replaces it by.
    facts: Vec<u8>,
    new_facts: Option<Vec<u8>>,
}

fn behaviour(worst: u8) -> impl Strategy<Value = Behaviour> {
    let fails = || prop::bool::weighted(0.06);
    let facts = || prop::collection::vec(any::<u8>(), 0..4);
    (fails(), fails(), fails(), fails(), 0..=worst, facts(), prop::option::of(facts())).prop_map(
        |(plan, prepare, isolate, wants, cleanup, facts, new_facts)| Behaviour {
            plan,
            prepare,
            isolate,
            wants,
            cleanup,
            facts,
            new_facts,
        },
    )
}

struct Fake {
    number: usize,
    name: String,
    does: Behaviour,
    log: Rc<RefCell<Vec<Made>>>,
    /// What has been returned last, which is what must come back.
    returned: RefCell<Facts>,
    to_fail: Cell<u8>,
}

impl Fake {
    fn made<T>(&self, call: Call, fails: bool, value: T) -> Result<T> {
        self.log.borrow_mut().push((call, self.number, !fails));
        if fails { Err(Error::Refused(format!("no {call:?} today"))) } else { Ok(value) }
    }

    fn returns(&self, facts: &Facts) -> Facts {
        self.returned.replace(facts.clone());
        facts.clone()
    }
}

impl Isolator for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn plan(&self, _container: &Container<'_>) -> Result<Facts> {
        self.made(Call::Plan, self.does.plan, ())?;
        Ok(self.returns(&self.does.facts))
    }

    fn prepare(&self, container: &Container<'_>, facts: &Facts) -> Result<Preparation> {
        assert_eq!(*facts, *self.returned.borrow());
        assert_eq!(
            container.state.unwrap().facts(&self.name).unwrap(),
            *facts,
            "they are on disk before anything is made"
        );
        self.made(Call::Prepare, self.does.prepare, ())?;
        let facts = self.does.new_facts.as_ref().map(|facts| self.returns(facts));
        let hostname = self.does.wants.then(|| c"host".to_owned());
        Ok(Preparation { facts, hostname, ..Preparation::default() })
    }

    fn isolate(&self, _container: &Container<'_>, facts: &Facts) -> Result<()> {
        assert_eq!(*facts, *self.returned.borrow());
        self.made(Call::Isolate, self.does.isolate, ())
    }

    fn cleanup(&self, _container: &Container<'_>, facts: &Facts) -> Result<()> {
        assert_eq!(*facts, *self.returned.borrow());
        let left = self.to_fail.get();
        self.to_fail.set(left.saturating_sub(1));
        self.made(Call::Cleanup, left > 0, ())
    }
}

/// What came of a launch that was undone where it failed, or ended where it did not.
struct Launch {
    made: Vec<Made>,
    /// What `failed` heard in the cleanup.
    said: Vec<String>,
}

/// In the order of `supervisor::start` and `supervisor::end::undo`. `cloned`: what comes between prepare and isolate succeeds.
fn launch(behaviours: &[Behaviour], cloned: bool) -> Launch {
    let log = Rc::new(RefCell::new(Vec::new()));
    let fake = |(number, does): (usize, &Behaviour)| -> Box<dyn Isolator> {
        let (name, to_fail) = (format!("fake/{number}"), Cell::new(does.cleanup));
        Box::new(Fake { number, name, does: does.clone(), log: Rc::clone(&log), returned: RefCell::default(), to_fail })
    };
    let list = behaviours.iter().enumerate().map(fake).collect();
    let set = Set { pauses: [Duration::ZERO; 2], ..Set::of(list) };
    in_container(|dir, container| {
        let prepared = set.prepare(dir, container).and_then(|_| match cloned {
            true => Ok(()),
            false => Err(Error::refused("no process")),
        });
        let _ = prepared.and_then(|()| set.isolate(dir, container));
        let mut said = Vec::new();
        set.cleanup(dir, container, |text| said.push(text));
        Launch { made: log.take(), said }
    })
}

/// A container whose facts are stored as they always are.
fn in_container<T>(call: impl FnOnce(&ContainerDir, &Container<'_>) -> T) -> T {
    let base = tempfile::tempdir().unwrap();
    let id = ContainerId::new("c").unwrap();
    let checkpoint = Checkpoint { version: 1, ..Checkpoint::default() };
    let scope = Scope::open(&base.path().join("run"), base.path(), "boot").unwrap();
    let dir = scope.create(&id, &Launched { record: b"", checkpoint: &checkpoint }).unwrap();
    let container = Container {
        id: &id,
        sandbox: base.path(),
        user: None,
        asked: None,
        resources: &[],
        unread: None,
        first: None,
        owner: &Process::default(),
        adopted: false,
        cgroups: &Cgroups::default(),
        ended: None,
        state: Some(&dir),
        proc: &Proc::default(),
        mark: None,
        seen: Default::default(),
        members: OnceCell::new(),
    };
    call(&dir, &container)
}

/// The numbers of the isolators whose call was made, in that order.
fn of(made: &[Made], call: Call) -> Vec<usize> {
    made.iter().filter(|(c, ..)| *c == call).map(|(_, number, _)| *number).collect()
}

fn any_set(worst: u8) -> impl Strategy<Value = Vec<Behaviour>> {
    prop::collection::vec(behaviour(worst), 0..=8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// A cleanup may fail twice in a row.
    #[test]
    fn after_each_launch_all_is_cleaned_up_once_in_reverse_order(
        set in any_set(2),
        cloned in prop::bool::weighted(0.8),
    ) {
        let Launch { made, said } = launch(&set, cloned);
        prop_assert_eq!(said, Vec::<String>::new());
        let cleanups = of(&made, Call::Cleanup);
        let cleaned: Vec<usize> =
            made.iter().filter(|(call, _, ok)| *call == Call::Cleanup && *ok).map(|(_, number, _)| *number).collect();
        prop_assert_eq!(&cleaned, &(0..set.len()).rev().collect::<Vec<_>>(), "each once with success, the last first");
        let mut turns = cleanups.clone();
        turns.dedup();
        prop_assert_eq!(turns, cleaned, "none is called again after the turn of another");
        for (number, does) in set.iter().enumerate() {
            let tries = cleanups.iter().filter(|n| **n == number).count();
            prop_assert_eq!(tries, usize::from(does.cleanup) + 1, "and not once more after the success");
        }
        prop_assert!(made.iter().position(|(call, ..)| *call == Call::Cleanup).is_none_or(
            |first| made[first..].iter().all(|(call, ..)| *call == Call::Cleanup)
        ));
    }

    #[test]
    fn after_a_call_that_fails_no_later_one_is_made(mut set in any_set(0)) {
        set.iter_mut().for_each(|one| one.wants = false);
        let Launch { made, .. } = launch(&set, true);
        let launched: Vec<Made> = made.into_iter().filter(|(call, ..)| *call != Call::Cleanup).collect();
        let whole = (0..set.len()).flat_map(|n| [(Call::Plan, n), (Call::Prepare, n)]);
        let whole: Vec<(Call, usize)> = whole.chain((0..set.len()).map(|n| (Call::Isolate, n))).collect();
        let in_order: Vec<(Call, usize)> = launched.iter().map(|(call, number, _)| (*call, *number)).collect();
        prop_assert_eq!(&in_order[..], &whole[..in_order.len()]);
        match launched.iter().position(|(.., ok)| !ok) {
            Some(at) => prop_assert_eq!(at, launched.len() - 1),
            None => prop_assert_eq!(launched.len(), whole.len()),
        }
    }

    /// Some fail more often than they are asked.
    #[test]
    fn one_that_cannot_be_cleaned_up_is_named_and_the_others_are(set in any_set(4)) {
        let Launch { made, said } = launch(&set, true);
        let hopeless: Vec<usize> = (0..set.len()).rev().filter(|n| set[*n].cleanup > 2).collect();
        prop_assert_eq!(said.len(), hopeless.len());
        for (text, number) in said.iter().zip(&hopeless) {
            prop_assert!(text.starts_with(&format!("isolator fake/{number}: cleanup: ")), "{}", text);
            prop_assert!(text.contains("3 times") && text.contains("may be left"), "{}", text);
            prop_assert_eq!(made.iter().filter(|m| m.0 == Call::Cleanup && m.1 == *number).count(), 3);
        }
        let cleaned = made.iter().filter(|(call, _, ok)| *call == Call::Cleanup && *ok).count();
        prop_assert_eq!(cleaned, set.len() - hopeless.len());
    }
}

#[test]
fn one_that_hangs_is_not_asked_again() {
    struct Hangs(Rc<Cell<u8>>);
    impl Isolator for Hangs {
        fn name(&self) -> &str {
            "fake/hangs"
        }
        fn cleanup(&self, _container: &Container<'_>, _facts: &Facts) -> Result<()> {
            self.0.set(self.0.get() + 1);
            std::thread::sleep(A_HANG);
            Err(Error::Refused("at last".into()))
        }
    }
    let calls = Rc::new(Cell::new(0));
    let set = Set::of(vec![Box::new(Hangs(Rc::clone(&calls)))]);
    let mut said = Vec::new();
    in_container(|dir, container| set.cleanup(dir, container, |text| said.push(text)));
    assert_eq!(calls.get(), 1);
    assert!(said[0].contains("tried once"), "{said:?}");
}
