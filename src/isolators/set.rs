//! All isolators of one container: the calls in their order, facts stored in between.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::{Settings, make, starts_programs};
use crate::config::IdRange;
use crate::container::ContainerDir;
use crate::error::{Error, Result};
use crate::isolator::{Container, Facts, Isolator, Limitation, Preparation, Watch, Watched, in_call};
use crate::protocol::mesos::ResourceStatistics;
use crate::protocol::state::Described;
use crate::step::step_of;

/// Before a cleanup that has failed is tried again. What fails for a moment (a file that is busy, a lock that somebody has) is
/// well by then; what fails for good must not keep a verb waiting.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// A cleanup that took this long and failed is not tried again: it would most likely hang again, and the others wait for it.
const A_HANG: Duration = Duration::from_secs(1);

/// The isolators of one container, in the order of `--isolation`.
pub struct Set {
    list: Vec<Box<dyn Isolator>>,
    /// Between the tries of a cleanup.
    pauses: [Duration; 2],
    /// That figures cannot be published is said once.
    said: Cell<bool>,
}

/// Each call may take its time: a launch that is called off does not go through all of them.
fn go_on(dir: &ContainerDir) -> Result<()> {
    match dir.is_destroy_requested() {
        true => Err(Error::Cancelled("destroy asked for the container's end")),
        false => Ok(()),
    }
}

impl Set {
    /// Those of a list of names.
    ///
    /// # Errors
    /// An unknown name, with the known ones.
    pub fn new(names: &[String], settings: &Settings) -> Result<Set> {
        Ok(Set::of(make(names, settings)?))
    }

    /// These, in this order.
    pub fn of(list: Vec<Box<dyn Isolator>>) -> Set {
        Set { list, pauses: PAUSES, said: Cell::new(false) }
    }

    /// The names, aliases resolved.
    pub fn names(&self) -> Vec<String> {
        self.list.iter().map(|i| i.name().to_owned()).collect()
    }

    /// The ids of the host that the container's ids are, if one of them gives it others.
    pub fn ids(&self) -> Option<IdRange> {
        self.list.iter().find_map(|i| i.ids())
    }

    /// Whether one of them starts programs of the operator's, by whichever process calls it. They have the container's id in their
    /// environment.
    pub fn starts_programs(&self) -> bool {
        self.list.iter().any(|i| starts_programs(i.name()))
    }

    /// Whether this host can do all of it.
    ///
    /// # Errors
    /// The first that it cannot do.
    pub fn probe(&self) -> Result<()> {
        self.list.iter().try_for_each(|i| in_call(i.as_ref(), "probe", i.probe()))
    }

    /// The cgroup controllers that they want, each with the name of its isolator.
    pub fn controllers(&self) -> Vec<(String, &'static str)> {
        let each = self.list.iter().flat_map(|i| i.controllers().iter().map(|c| (i.name().to_owned(), *c)));
        each.collect()
    }

    /// What they have found out about themselves.
    pub fn described(&self) -> Vec<Described> {
        let one = |i: &dyn Isolator| {
            i.described().map(|description| Described { isolator: i.name().to_owned(), description })
        };
        self.list.iter().filter_map(|i| one(i.as_ref())).collect()
    }

    /// Plans and prepares one after the other; each one's facts are on disk before it makes anything.
    ///
    /// # Errors
    /// Of the first that fails; [`Set::cleanup`] must follow.
    pub fn prepare(&self, dir: &ContainerDir, container: &Container<'_>) -> Result<Preparation> {
        let mut all = Preparation::default();
        for isolator in &self.list {
            let name = isolator.name();
            go_on(dir)?;
            let planned = step_of("plan", name, || isolator.plan(container));
            let facts = in_call(isolator.as_ref(), "plan", planned)?;
            if !facts.is_empty() {
                dir.write_facts(name, &facts)?;
            }
            let prepared = step_of("prepare", name, || isolator.prepare(container, &facts));
            let mut one = in_call(isolator.as_ref(), "prepare", prepared)?;
            if let Some(facts) = one.facts.take() {
                dir.write_facts(name, &facts)?;
            }
            all.merge(one)?;
            if let Some(seen) = &all.sandbox {
                // Of one isolator at most, so this is the first time or says the same.
                let _ = container.seen.set(seen.clone());
            }
        }
        all.mounts.sort_by_key(|mount| mount.stage);
        Ok(all)
    }

    /// Puts the held first process under control.
    ///
    /// # Errors
    /// Of the first that fails; [`Set::cleanup`] must follow.
    pub fn isolate(&self, dir: &ContainerDir, container: &Container<'_>) -> Result<()> {
        for isolator in &self.list {
            go_on(dir)?;
            let facts = dir.facts(isolator.name())?;
            let isolated = step_of("isolate", isolator.name(), || isolator.isolate(container, &facts));
            in_call(isolator.as_ref(), "isolate", isolated)?;
        }
        Ok(())
    }

    /// What is to be polled, each with the number of its isolator. Failures are handed to `failed`.
    pub fn watch(
        &self,
        dir: &ContainerDir,
        container: &Container<'_>,
        mut failed: impl FnMut(String),
    ) -> Vec<(usize, Watch)> {
        let mut watches = Vec::new();
        for (number, isolator) in self.list.iter().enumerate() {
            let watch = |facts: Facts| step_of("watch", isolator.name(), || isolator.watch(container, &facts));
            let found = dir.facts(isolator.name()).and_then(watch);
            match in_call(isolator.as_ref(), "watch", found) {
                Ok(found) => watches.extend(found.into_iter().map(|w| (number, w))),
                Err(e) => failed(e.to_string()),
            }
        }
        watches
    }

    /// Passes a ready descriptor to isolator `number` of [`Set::watch`].
    ///
    /// # Errors
    /// Its own.
    pub fn ready(
        &self,
        number: usize,
        dir: &ContainerDir,
        container: &Container<'_>,
        fd: BorrowedFd<'_>,
    ) -> Result<Watched> {
        let Some(isolator) = self.list.get(number) else {
            return Ok(Watched::Done);
        };
        let facts = dir.facts(isolator.name())?;
        let found = step_of("ready", isolator.name(), || isolator.ready(container, &facts, fd));
        match in_call(isolator.as_ref(), "ready", found)? {
            Watched::Figures(figures) => {
                // On a full disk `usage` shows old ones. A limit that is watched for by the same descriptor must still be seen.
                if let Err(e) = dir.write_figures(isolator.name(), &figures)
                    && !self.said.replace(true)
                {
                    dir.log(&format!("isolator {}: its figures stay as they were: {e}", isolator.name()));
                }
                Ok(Watched::Continue)
            }
            other => Ok(other),
        }
    }

    /// What each has to say at the end. Failures are handed to `failed`.
    pub fn verdicts(
        &self,
        dir: &ContainerDir,
        container: &Container<'_>,
        mut failed: impl FnMut(String),
    ) -> Vec<Limitation> {
        let mut limitations = Vec::new();
        for isolator in &self.list {
            let verdict = |facts: Facts| step_of("verdict", isolator.name(), || isolator.verdict(container, &facts));
            let verdict = dir.facts(isolator.name()).and_then(verdict);
            match in_call(isolator.as_ref(), "verdict", verdict) {
                Ok(limitation) => limitations.extend(limitation),
                Err(e) => failed(e.to_string()),
            }
        }
        limitations
    }

    /// Applies new resources.
    ///
    /// # Errors
    /// Of the first that fails; the later ones are not called.
    pub fn update(&self, dir: &ContainerDir, container: &Container<'_>) -> Result<()> {
        for isolator in &self.list {
            let facts = dir.facts(isolator.name())?;
            let new = step_of("update", isolator.name(), || isolator.update(container, &facts));
            if let Some(new) = in_call(isolator.as_ref(), "update", new)? {
                dir.write_facts(isolator.name(), &new)?;
            }
        }
        Ok(())
    }

    /// Merges what they measure. One that fails leaves no trace in the sample; why is handed to `failed`.
    pub fn usage(
        &self,
        dir: &ContainerDir,
        container: &Container<'_>,
        statistics: &mut ResourceStatistics,
        mut failed: impl FnMut(String),
    ) {
        for isolator in self.list.iter().filter(|isolator| isolator.measures()) {
            let mut with = statistics.clone();
            let ask = |facts: Facts| step_of("usage", isolator.name(), || isolator.usage(container, &facts, &mut with));
            let part = dir.facts(isolator.name()).and_then(ask);
            match in_call(isolator.as_ref(), "usage", part) {
                Ok(()) => *statistics = with,
                Err(e) => failed(e.to_string()),
            }
        }
    }

    /// Lets each look after its things following a take-over.
    pub fn recover(&self, dir: &ContainerDir, container: &Container<'_>, mut failed: impl FnMut(String)) {
        for isolator in &self.list {
            let recover = || {
                let facts = dir.facts(isolator.name())?;
                match step_of("recover", isolator.name(), || isolator.recover(container, &facts))? {
                    Some(new) => dir.write_facts(isolator.name(), &new),
                    None => Ok(()),
                }
            };
            if let Err(e) = in_call(isolator.as_ref(), "recover", recover()) {
                failed(e.to_string());
            }
        }
    }

    /// Cleans up in reverse order. One that fails is asked again at once, three times in all, before it is the turn of the one in
    /// front of it in the list: that one may have made what this one's things stand on. `failed` hears of one that does not
    /// succeed, and the others still follow. After it has succeeded no isolator is called again.
    pub fn cleanup(&self, dir: &ContainerDir, container: &Container<'_>, mut failed: impl FnMut(String)) {
        for isolator in self.list.iter().rev() {
            if let Err(text) = self.cleanup_one(isolator.as_ref(), dir, container) {
                failed(text);
            }
        }
    }

    /// One isolator's turn.
    fn cleanup_one(
        &self,
        isolator: &dyn Isolator,
        dir: &ContainerDir,
        container: &Container<'_>,
    ) -> std::result::Result<(), String> {
        let mut pauses = self.pauses.iter();
        let mut tries = 0;
        loop {
            tries += 1;
            let begin = Instant::now();
            let facts = dir.facts(isolator.name());
            let cleanup = |facts: Facts| step_of("cleanup", isolator.name(), || isolator.cleanup(container, &facts));
            let cleaned = facts.and_then(cleanup);
            let Err(e) = in_call(isolator, "cleanup", cleaned) else { return Ok(()) };
            match pauses.next().filter(|_| begin.elapsed() < A_HANG) {
                Some(pause) => std::thread::sleep(*pause),
                None => {
                    let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times") };
                    return Err(format!("{e} (tried {times}; things of this isolator may be left)"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
