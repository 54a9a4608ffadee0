//! The calls of a [`Life`].
#![forbid(unsafe_code)]

use std::cell::OnceCell;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollTimeout, poll};

use super::{Life, Watching};
use crate::error::{Error, Result};
use crate::isolator::{Asked, Container, Facts, Isolator, Limitation, Preparation, Watched, in_call};
use crate::protocol::mesos::{Resource, ResourceStatistics};
use crate::testing::Call;

impl Life<'_> {
    /// Calls `plan` and stores its facts.
    ///
    /// # Errors
    /// The isolator's.
    pub fn plan(&mut self) -> Result<()> {
        let facts = self.call(Call::Plan, true, |isolator, container, _| isolator.plan(container))?;
        self.store(Call::Plan, Some(facts).filter(|facts| !facts.is_empty()))
    }

    /// Calls `prepare` and stores its facts.
    ///
    /// # Errors
    /// The isolator's.
    pub fn prepare(&mut self) -> Result<Preparation> {
        self.dirty.set(true);
        let mut all =
            self.call(Call::Prepare, true, |isolator, container, facts| isolator.prepare(container, facts))?;
        self.store(Call::Prepare, all.facts.take())?;
        Ok(all)
    }

    /// Calls `isolate`; there must be a first process.
    ///
    /// # Errors
    /// The isolator's.
    pub fn isolate(&mut self) -> Result<()> {
        self.dirty.set(true);
        self.call(Call::Isolate, true, |isolator, container, facts| isolator.isolate(container, facts))?;
        self.store(Call::Isolate, None)
    }

    /// The whole launch: cgroups, `plan`, `prepare`, a first process, `isolate`. What was prepared is not given to the first
    /// process.
    ///
    /// # Errors
    /// The first; `cleanup` is to follow.
    pub fn launch(&mut self) -> Result<Preparation> {
        self.make_cgroups()?;
        self.plan()?;
        let preparation = self.prepare()?;
        self.start()?;
        self.isolate()?;
        Ok(preparation)
    }

    /// Calls `watch`.
    ///
    /// # Errors
    /// The isolator's.
    pub fn watch(&mut self) -> Result<Watching> {
        let isolator = (self.make)()?;
        let watches = self.call_of(&*isolator, Call::Watch, false, |i, container, facts| i.watch(container, facts))?;
        self.store(Call::Watch, None)?;
        Ok(Watching { isolator, watches })
    }

    /// Polls what the isolator watches for that long and passes on to it what is ready, as the supervisor does: figures are
    /// published. Returns why the container has to end, if it has to.
    ///
    /// # Errors
    /// The isolator's, and poll's.
    pub fn poll(&self, watching: &mut Watching, time: Duration) -> Result<Option<Limitation>> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut fds: Vec<PollFd<'_>> =
                watching.watches.iter().map(|watch| PollFd::new(watch.fd.as_fd(), watch.events)).collect();
            match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Ok(0) => return Ok(None),
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(e) => return Err(Error::system("poll what the isolator watches")(e)),
            }
            let ready: Vec<usize> =
                (0..fds.len()).filter(|n| fds.get(*n).and_then(PollFd::any).unwrap_or(false)).collect();
            for at in ready.into_iter().rev() {
                let fd = watching.watches[at].fd.as_fd();
                let ready = |i: &dyn Isolator, container: &Container<'_>, facts: &Facts| i.ready(container, facts, fd);
                match self.call_of(&*watching.isolator, Call::Watch, false, ready)? {
                    Watched::Continue => {}
                    Watched::Figures(figures) => self.dir.write_figures(&self.name, &figures)?,
                    Watched::Done => drop(watching.watches.remove(at)),
                    Watched::Limited(limitation) => return Ok(Some(limitation)),
                }
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// Calls `update` with these resources, which are in force from now on, and stores new facts.
    ///
    /// # Errors
    /// The isolator's, and resources that are none.
    pub fn update(&mut self, resources: &str) -> Result<()> {
        self.set_resources(resources)?;
        let facts = self.call(Call::Update, false, |isolator, container, facts| isolator.update(container, facts))?;
        self.store(Call::Update, facts)
    }

    /// Calls `usage`: a sample with the time and what this isolator has added.
    ///
    /// # Errors
    /// The isolator's.
    pub fn usage(&mut self) -> Result<ResourceStatistics> {
        let mut statistics = ResourceStatistics { timestamp: 1.0, ..ResourceStatistics::default() };
        self.call(Call::Usage, false, |isolator, container, facts| isolator.usage(container, facts, &mut statistics))?;
        self.store(Call::Usage, None)?;
        Ok(statistics)
    }

    /// Calls `recover` and stores new facts.
    ///
    /// # Errors
    /// The isolator's.
    pub fn recover(&mut self) -> Result<()> {
        let facts = self.call(Call::Recover, false, |isolator, container, facts| isolator.recover(container, facts))?;
        self.store(Call::Recover, facts)
    }

    /// Calls `verdict`.
    ///
    /// # Errors
    /// The isolator's.
    pub fn verdict(&self) -> Result<Option<Limitation>> {
        self.call(Call::Verdict, false, |isolator, container, facts| isolator.verdict(container, facts))
    }

    /// Calls `cleanup`, once.
    ///
    /// # Errors
    /// The isolator's.
    pub fn cleanup(&mut self) -> Result<()> {
        // Whatever comes of it: it has been called.
        self.dirty.set(false);
        self.kill_held();
        self.end_helpers();
        self.call(Call::Cleanup, false, |isolator, container, facts| isolator.cleanup(container, facts))
    }

    /// What it has asked for, or the resources in force.
    fn resources(&self) -> &[Resource] {
        self.launch.executor_info.as_ref().map_or(&[], |executor| &executor.resources)
    }

    fn store(&mut self, call: Call, facts: Option<Facts>) -> Result<()> {
        if self.crash_after == Some(call) {
            (self.crash_after, self.adopted) = (None, true);
            return Ok(());
        }
        facts.map_or(Ok(()), |facts| self.set_facts(&facts))
    }

    fn call<T>(
        &self,
        call: Call,
        asked: bool,
        make: impl FnOnce(&dyn Isolator, &Container<'_>, &Facts) -> Result<T>,
    ) -> Result<T> {
        self.call_of(&*(self.make)()?, call, asked, make)
    }

    fn call_of<T>(
        &self,
        isolator: &dyn Isolator,
        call: Call,
        asked: bool,
        make: impl FnOnce(&dyn Isolator, &Container<'_>, &Facts) -> Result<T>,
    ) -> Result<T> {
        let facts = self.facts()?;
        let container = Container {
            id: &self.id,
            sandbox: &self.sandbox,
            user: self.launch.user.as_deref(),
            asked: asked.then_some(Asked { launch: &self.launch, account: &self.account }),
            resources: self.resources(),
            unread: None,
            first: self.first.as_ref(),
            owner: &self.owner,
            adopted: self.adopted,
            cgroups: &self.cgroups,
            ended: self.ended.as_ref().filter(|_| call == Call::Cleanup),
            state: Some(&self.dir),
            proc: &self.proc,
            mark: None,
            seen: Default::default(),
            members: OnceCell::new(),
        };
        if let Some(trace) = self.trace {
            trace.begin(call);
        }
        let begin = Instant::now();
        let made = make(isolator, &container, &facts);
        self.took.set(begin.elapsed());
        if let Some(trace) = self.trace {
            trace.end(call, self.took.get());
        }
        self.note_helpers();
        in_call(isolator, call.name(), made)
    }
}
