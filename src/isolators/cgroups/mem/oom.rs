//! Whether a container of v2 ran into its own limit, and what is said of one of either version.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::BorrowedFd;

use nix::fcntl::OFlag;
use nix::poll::PollFlags;

use crate::cgroup::{Cgroup, keyed};
use crate::config::values::print_bytes;
use crate::error::{Error, Result};
use crate::isolator::{Limitation, Watch, Watched};

/// REASON_CONTAINER_LIMITATION_MEMORY, up to agent 0.25 REASON_MEMORY_LIMIT.
const REASON: i32 = 8;

/// v2: events of this very cgroup and none of those below; `oom` counts when its own limit left no way out.
const EVENTS: &str = "memory.events.local";

/// Of the kernel's two interfaces.
#[derive(Debug, Clone, Copy)]
pub(super) enum Version {
    V1,
    V2,
}

/// Whether the container has run into its own limit.
///
/// # Errors
/// The kernel's.
pub(super) fn happened_v2(cgroup: &Cgroup) -> Result<bool> {
    Ok(says_oom(&cgroup.read(EVENTS)?))
}

fn says_oom(events: &str) -> bool {
    keyed(events, "oom").is_some_and(|count| count > 0)
}

/// What tells when [`happened_v2`] may have changed. It is ready at once for the first time, since nobody has read it:
/// so what happened before is not missed.
///
/// # Errors
/// The kernel's.
pub(super) fn watch_v2(cgroup: &Cgroup) -> Result<Watch> {
    Ok(Watch { fd: cgroup.file(EVENTS, OFlag::O_RDONLY)?.into(), events: PollFlags::POLLPRI })
}

/// Looks at the descriptor of [`watch_v2`].
///
/// # Errors
/// The kernel's.
pub(super) fn ready_v2(cgroup: Result<Cgroup>, fd: BorrowedFd<'_>) -> Result<Watched> {
    let cgroup = &match cgroup {
        Err(e) if e.is_not_found() => return Ok(Watched::Done),
        found => found?,
    };
    // Reading this very descriptor, not a new one, makes it wait for the next event.
    let mut text = String::new();
    let read = fd.try_clone_to_owned().map(File::from).and_then(|mut file| {
        file.rewind()?;
        file.read_to_string(&mut text)
    });
    match read {
        Err(_) if !cgroup.exists() => Ok(Watched::Done),
        Err(e) => Err(Error::path("read", cgroup.path().join(EVENTS))(e)),
        Ok(_) if says_oom(&text) => Ok(Watched::Limited(limitation(cgroup, Version::V2))),
        Ok(_) => Ok(Watched::Continue),
    }
}

/// What the framework is told, in the words of the built-in containerizer. Never fails: that the limit was met is worth more
/// than figures about it.
pub(super) fn limitation(cgroup: &Cgroup, version: Version) -> Limitation {
    let (limit, most) = match version {
        Version::V1 => ("memory.limit_in_bytes", "memory.max_usage_in_bytes"),
        // Since Linux 5.19.
        Version::V2 => ("memory.max", "memory.peak"),
    };
    let requested = cgroup.number(limit).unwrap_or(0);
    // Who met the limit has used all of it.
    let used = cgroup.number(most).unwrap_or(requested);
    let statistics = cgroup.read("memory.stat").unwrap_or_default();
    let message = format!(
        "Memory limit exceeded: Requested: {} Maximum Used: {}\n\nMEMORY STATISTICS: \n{statistics}\n",
        print_bytes(requested),
        print_bytes(used)
    );
    Limitation { message, reason: REASON }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::fd::AsFd;

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
    fn v2_has_a_counter_of_its_own() {
        let events = "low 0\nhigh 0\nmax 17\noom 0\noom_kill 4\noom_group_kill 0\n";
        let (dir, cgroup) = fake(&[(EVENTS, events)]);
        let watch = watch_v2(&cgroup).unwrap();
        let ready = || ready_v2(Cgroup::open(dir.path()), watch.fd.as_fd()).unwrap();
        assert!(!happened_v2(&cgroup).unwrap());
        assert!(matches!(ready(), Watched::Continue));
        fs::write(dir.path().join(EVENTS), events.replace("oom 0", "oom 1")).unwrap();
        assert!(happened_v2(&cgroup).unwrap());
        assert!(matches!(ready(), Watched::Limited(_)), "the same descriptor is read again");
    }

    #[test]
    fn the_message_is_the_documented_one() {
        let stat = ("memory.stat", "cache 4096\nrss 33550336\n");
        let v1 = [("memory.limit_in_bytes", "33554432\n"), ("memory.max_usage_in_bytes", "33554432\n"), stat];
        let v2 = [("memory.max", "33554432\n"), ("memory.peak", "33550336\n"), stat];
        let (_dir, cgroup) = fake(&v1);
        let limited = limitation(&cgroup, Version::V1);
        assert_eq!(limited.reason, 8);
        assert_eq!(
            limited.message,
            "Memory limit exceeded: Requested: 32MB Maximum Used: 32MB\n\nMEMORY STATISTICS: \n\
             cache 4096\nrss 33550336\n\n"
        );
        let (_dir, cgroup) = fake(&v2);
        assert!(limitation(&cgroup, Version::V2).message.contains("Requested: 32MB Maximum Used: 32764KB\n"));
        let (_dir, cgroup) = fake(&v2[..1]);
        assert!(limitation(&cgroup, Version::V2).message.contains("Requested: 32MB Maximum Used: 32MB\n"));
    }
}
