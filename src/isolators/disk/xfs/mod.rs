//! `disk/xfs`: what sandboxes and persistent volumes use of an XFS file system, counted and limited by the kernel.
//!
//! Each is a project with an id of `--xfs_project_range`. Which ids are taken is what the kernel accounts to them, so that an id
//! is free again when the agent has deleted the sandbox. The facts say which project is whose, and the flags in force at launch.
#![forbid(unsafe_code)]

mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod mark;
mod project;
mod settled;
mod spot;
mod wanted;

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::poll::PollFlags;

use self::facts::{Facts, Project};
use self::project::{claim, confirm, keep_or_claim, release};
use self::settled::{Progress, Settled};
use self::spot::Spot;
use self::wanted::{Wanted, limits, wanted};
use super::quota::{Place, sandbox_limit};
use crate::config;
use crate::error::{Error, Result};
use crate::isolator::{self, Container, Isolator, Limitation, Preparation, Watch, Watched};
use crate::isolators::Settings;
use crate::protocol::mesos::ResourceStatistics;
use crate::sys::{project_quota, set_timer, timer, try_project_quotas};

const NAME: &str = "disk/xfs";

/// See the module.
#[derive(Debug)]
pub struct Xfs {
    flags: config::Disk,
    work_dir: Option<PathBuf>,
    /// Only in the process that watches: by id, figures that are being made.
    under_way: RefCell<Option<(Vec<u32>, Settled)>>,
    /// That a look fails is said once.
    said: Cell<bool>,
}

impl Xfs {
    /// With the settings in force.
    pub fn new(settings: &Settings) -> Xfs {
        Xfs {
            flags: settings.disk.clone(),
            work_dir: settings.work_dir.clone(),
            under_way: RefCell::default(),
            said: Cell::new(false),
        }
    }

    fn wanted(&self, container: &Container<'_>, facts: &Facts) -> Result<Vec<Wanted>> {
        wanted(container, self.work_dir.as_deref(), facts)
    }

    /// Opens everything that is to be a project.
    fn spots(&self, container: &Container<'_>, facts: &Facts) -> Result<Vec<(Wanted, Spot)>> {
        let open = |wanted: Wanted| {
            let spot = Spot::open(&wanted.quota.place, &wanted.path, facts.enforce)?;
            Ok((wanted, spot))
        };
        self.wanted(container, facts)?.into_iter().map(open).collect()
    }

    /// Makes projects of what is to be one and is none yet, and sets all limits. What is no project any more loses its own. None:
    /// the facts are the same.
    fn settle(&self, container: &Container<'_>, facts: &Facts) -> Result<Option<Facts>> {
        let range = &self.flags.xfs_project_range;
        let spots = self.spots(container, facts)?;
        let mut new = Facts { projects: Vec::with_capacity(spots.len()), ..facts.clone() };
        for (wanted, spot) in &spots {
            let project = match (facts.of(&wanted.path), &wanted.quota.place) {
                (Some(project), _) => {
                    confirm(spot, project)?;
                    project.clone()
                }
                // Whatever it has, nobody has given it that.
                (None, Place::Sandbox(_)) => Project::new(&wanted.path, claim(spot, range)?),
                (None, Place::Volume(_)) => Project::new(&wanted.path, keep_or_claim(spot, range)?),
            };
            new.projects.push(project);
        }
        let gone: Vec<&Project> = facts.projects.iter().filter(|project| new.of(project.path()).is_none()).collect();
        if let Some(state) = container.state
            && new != *facts
        {
            // Whoever comes after a crash has to know of all whose limits are about to change.
            let mut both = new.clone();
            both.projects.extend(gone.iter().copied().cloned());
            state.write_facts(NAME, &both.bytes())?;
        }
        for ((wanted, spot), project) in spots.iter().zip(&new.projects) {
            spot.limit(project.id, limits(wanted.quota.limit, facts))?;
        }
        gone.into_iter().try_for_each(release)?;
        Ok((new != *facts).then_some(new))
    }

    /// What of the container's uses more than it may, with its project and what that uses.
    fn exceeded(&self, container: &Container<'_>, facts: &Facts) -> Result<Vec<(Wanted, u32, u64)>> {
        let mut all = Vec::new();
        for wanted in self.wanted(container, facts)? {
            let Some(project) = facts.of(&wanted.path) else { continue };
            let used = project_quota(wanted.quota.place.open()?.as_fd(), project.id)
                .map_err(Error::path("ask for what is used of", &wanted.path))?
                .used;
            if wanted.quota.is_exceeded(used) {
                all.push((wanted, project.id, used));
            }
        }
        Ok(all)
    }

    /// One step of finding out whether the container uses more than it may.
    fn look(&self, container: &Container<'_>, facts: &Facts) -> Result<Found> {
        let mut exceeded = self.exceeded(container, facts)?;
        let mut under_way = self.under_way.borrow_mut();
        if exceeded.is_empty() {
            *under_way = None;
            return Ok(Found::Nothing);
        }
        let Some((ids, settled)) = under_way.as_mut() else {
            *under_way = Some(begin(&exceeded)?);
            return Ok(Found::Pending);
        };
        let figures = match settled.progress() {
            Progress::Pending => return Ok(Found::Pending),
            Progress::Done(figures) => figures,
            Progress::Failed => Vec::new(),
        };
        for (_, id, used) in &mut exceeded {
            if let Some((_, figure)) = ids.iter().zip(&figures).find(|(known, _)| *known == id) {
                *used = *figure;
            }
        }
        *under_way = None;
        Ok(first(&exceeded).map_or(Found::Nothing, Found::Limited))
    }
}

/// What a look has found.
enum Found {
    Nothing,
    /// Look again in a moment.
    Pending,
    Limited(Limitation),
}

/// Soon enough for who waits for a container's end, seldom enough to cost nothing.
const MOMENT: Duration = Duration::from_millis(100);

fn begin(exceeded: &[(Wanted, u32, u64)]) -> Result<(Vec<u32>, Settled)> {
    let open = |(wanted, id, _): &(Wanted, u32, u64)| Ok((Spot::again(&wanted.path)?.into_fd(), *id));
    let projects: Vec<(OwnedFd, u32)> = exceeded.iter().map(open).collect::<Result<_>>()?;
    Ok((projects.iter().map(|(_, id)| *id).collect(), Settled::begin(projects)?))
}

fn first(exceeded: &[(Wanted, u32, u64)]) -> Option<Limitation> {
    let mut all = exceeded.iter().filter(|(wanted, _, used)| wanted.quota.is_exceeded(*used));
    all.next().map(|(wanted, _, used)| wanted.quota.limitation(*used))
}

impl Isolator for Xfs {
    fn name(&self) -> &str {
        NAME
    }

    fn probe(&self) -> Result<()> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Error::Refused(
                "only root can set quotas: run the agent as root, or leave disk/xfs out of --isolation (posix/disk works without \
                 root)"
                    .into(),
            ));
        }
        try_project_quotas().map_err(|e| {
            Error::Refused(format!(
                "this kernel has no quotactl_fd(2), which came with Linux 5.14, or it is forbidden here: {e}"
            ))
        })
    }

    fn plan(&self, container: &Container<'_>) -> Result<isolator::Facts> {
        let facts = Facts::new(&self.flags);
        self.spots(container, &facts)?;
        Ok(facts.bytes())
    }

    fn prepare(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Preparation> {
        let facts = self.settle(container, &Facts::read(facts)?)?.map(|facts| facts.bytes());
        Ok(Preparation { facts, ..Preparation::default() })
    }

    fn watch(&self, _container: &Container<'_>, facts: &isolator::Facts) -> Result<Vec<Watch>> {
        let facts = Facts::read(facts)?;
        if !facts.kill {
            return Ok(Vec::new());
        }
        let failed = "make a timer";
        let fd = timer().map_err(Error::system(failed))?;
        set_timer(fd.as_fd(), facts.interval()).map_err(Error::system(failed))?;
        Ok(vec![Watch { fd, events: PollFlags::POLLIN }])
    }

    fn ready(&self, container: &Container<'_>, facts: &isolator::Facts, fd: BorrowedFd<'_>) -> Result<Watched> {
        let facts = Facts::read(facts)?;
        let pause = match self.look(container, &facts) {
            Ok(Found::Limited(limitation)) => return Ok(Watched::Limited(limitation)),
            Ok(Found::Pending) => MOMENT,
            Ok(Found::Nothing) => facts.interval(),
            // Perhaps it is only this time.
            Err(e) => {
                if let Some(state) = container.state.filter(|_| !self.said.replace(true)) {
                    state.log(&format!("isolator {NAME}: cannot see what is used: {e}"));
                }
                facts.interval()
            }
        };
        set_timer(fd, pause).map_err(Error::system("set a timer"))?;
        Ok(Watched::Continue)
    }

    fn update(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Option<isolator::Facts>> {
        Ok(self.settle(container, &Facts::read(facts)?)?.map(|facts| facts.bytes()))
    }

    fn usage(
        &self,
        container: &Container<'_>,
        facts: &isolator::Facts,
        statistics: &mut ResourceStatistics,
    ) -> Result<()> {
        statistics.disk_limit_bytes = sandbox_limit(container.resources);
        let facts = Facts::read(facts)?;
        if let Some(project) = facts.of(container.sandbox) {
            let sandbox = Place::Sandbox(container.sandbox.to_path_buf()).open()?;
            let quota = project_quota(sandbox.as_fd(), project.id)
                .map_err(Error::path("ask for what is used of", container.sandbox))?;
            statistics.disk_used_bytes = Some(quota.used);
        }
        Ok(())
    }

    fn recover(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Option<isolator::Facts>> {
        self.update(container, facts)
    }

    fn verdict(&self, container: &Container<'_>, facts: &isolator::Facts) -> Result<Option<Limitation>> {
        let facts = Facts::read(facts)?;
        if !facts.kill {
            return Ok(None);
        }
        let mut exceeded = self.exceeded(container, &facts)?;
        if !exceeded.is_empty()
            && let Some(figures) = begin(&exceeded).ok().and_then(|(_, settled)| settled.wait())
        {
            exceeded.iter_mut().zip(figures).for_each(|((_, _, used), figure)| *used = figure);
        }
        Ok(first(&exceeded))
    }

    fn cleanup(&self, _container: &Container<'_>, facts: &isolator::Facts) -> Result<()> {
        let facts = Facts::read(facts)?;
        // All are tried.
        let released: Vec<Result<()>> = facts.projects.iter().map(release).collect();
        released.into_iter().collect()
    }
}
