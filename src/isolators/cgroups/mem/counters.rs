//! Whether a container of v1 ran into its own limit, by the kernel's counters: for where its events were not heard.
#![forbid(unsafe_code)]

use crate::cgroup::{Cgroup, keyed, walk_where};
use crate::error::Result;

/// v1: among other things how many processes of this very cgroup were killed for want of memory, whoever's.
pub(super) const OOM_CONTROL: &str = "memory.oom_control";

/// What v1 counts. Neither number alone says that the container ran into its own limit: the first rises also when memory
/// could be freed to stay below it, the second also when the host or a cgroup above ran out. No counter does.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    /// How often its own limits were met, of memory or of memory with swap.
    pub(super) failures: u64,
    /// Memory with swap has been at its limit, and the kernel does not count how often: 6.18 counts for memory only, and
    /// where both limits are the same it is the other that is met.
    pub(super) full: bool,
    /// How many of its processes were killed for want of memory.
    pub(super) kills: u64,
}

impl Counters {
    /// Reads them, of this cgroup alone.
    ///
    /// # Errors
    /// NotFound when the cgroup has been removed.
    pub(super) fn read(cgroup: &Cgroup) -> Result<Counters> {
        let (failures, full) = met(cgroup)?;
        Ok(Counters { failures, full, kills: own_kills(cgroup)? })
    }

    /// The same with the kills below it: for where they decide, since a container may make very many cgroups.
    ///
    /// # Errors
    /// As [`Counters::read`].
    pub(super) fn read_all(cgroup: &Cgroup) -> Result<Counters> {
        Ok(Counters { kills: kills(cgroup)?, ..Counters::read(cgroup)? })
    }

    /// Whether its limits were met since.
    pub(super) fn tell_of_limit_since(&self, before: &Counters) -> bool {
        self.full || self.failures > before.failures
    }

    /// Whether the container has probably run into its own limit since.
    pub(super) fn tell_of_oom_since(&self, before: &Counters) -> bool {
        self.tell_of_limit_since(before) && self.kills > before.kills
    }
}

/// The largest piece that the kernel kills for: 8 pages (PAGE_ALLOC_COSTLY_ORDER), which may be of 64 KB.
const PIECE: u64 = 8 * (64 << 10);

/// The first two of [`Counters`].
fn met(cgroup: &Cgroup) -> Result<(u64, bool)> {
    let own = cgroup.number("memory.failcnt")?;
    let with_swap = match cgroup.number("memory.memsw.failcnt") {
        Err(e) if e.is_not_found() => return Ok((own, false)),
        number => number?,
    };
    let most = || cgroup.number("memory.memsw.max_usage_in_bytes");
    let full = with_swap == 0 && most()?.saturating_add(PIECE) > cgroup.number("memory.memsw.limit_in_bytes")?;
    Ok((own.saturating_add(with_swap), full))
}

/// Whether a limit of this very cgroup was ever met.
pub(super) fn was_met(cgroup: &Cgroup) -> Result<bool> {
    met(cgroup).map(|(failures, full)| failures > 0 || full)
}

fn own_kills(cgroup: &Cgroup) -> Result<u64> {
    Ok(keyed(&cgroup.read(OOM_CONTROL)?, "oom_kill").unwrap_or(0))
}

/// With those of the cgroups below that have not met a limit of their own.
fn kills(cgroup: &Cgroup) -> Result<u64> {
    let mut all = own_kills(cgroup)?;
    let mut is_top = true;
    let visit = |here: &Cgroup| {
        if std::mem::take(&mut is_top) {
            return Ok(true);
        }
        // One that vanishes meanwhile was empty.
        let others = was_met(here).is_ok_and(|met| !met);
        if others {
            all = all.saturating_add(own_kills(here).unwrap_or(0));
        }
        Ok(others)
    };
    // What was counted until then is worth more than an error.
    let _ = walk_where(cgroup, visit, |_, _| {});
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn fake(files: &[(&str, &str)]) -> (tempfile::TempDir, Cgroup) {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            fs::write(dir.path().join(file), text).unwrap();
        }
        let cgroup = Cgroup::open(dir.path()).unwrap();
        (dir, cgroup)
    }

    #[test]
    fn v1_takes_the_limit_and_a_kill_together() {
        let control = |kills: u64| format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n");
        let (_dir, cgroup) = fake(&[
            ("memory.failcnt", "3\n"),
            ("memory.memsw.failcnt", "4\n"),
            ("memory.oom_control", &control(2)),
            ("below/memory.failcnt", "0\n"),
            ("below/memory.oom_control", &control(1)),
            ("limited/memory.failcnt", "5\n"),
            ("limited/memory.oom_control", &control(9)),
            ("limited/below/memory.failcnt", "0\n"),
            ("limited/below/memory.oom_control", &control(8)),
        ]);
        let counters = Counters::read_all(&cgroup).unwrap();
        assert_eq!(counters, Counters { failures: 7, full: false, kills: 3 });
        assert_eq!(Counters::read(&cgroup).unwrap(), Counters { kills: 2, ..counters });
        assert!(counters.tell_of_oom_since(&Counters::default()));
        assert!(
            !counters.tell_of_oom_since(&Counters { failures: 7, ..Counters::default() }),
            "the host's or a parent's"
        );
        assert!(!counters.tell_of_oom_since(&Counters { kills: 3, ..Counters::default() }), "memory could be freed");
    }

    #[test]
    fn where_memory_with_swap_is_not_counted_its_peak_has_to_do() {
        let of = |peak: u64| {
            let (_dir, cgroup) = fake(&[
                ("memory.failcnt", "0\n"),
                ("memory.memsw.failcnt", "0\n"),
                ("memory.memsw.max_usage_in_bytes", &peak.to_string()),
                ("memory.memsw.limit_in_bytes", "33554432\n"),
                ("memory.oom_control", "oom_kill 1\n"),
            ]);
            (was_met(&cgroup).unwrap(), Counters::read(&cgroup).unwrap().tell_of_oom_since(&Counters::default()))
        };
        assert_eq!(of(33_550_336), (true, true));
        assert_eq!(of(30 << 20), (false, false));
    }
}
