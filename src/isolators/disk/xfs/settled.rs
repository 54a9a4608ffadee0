//! What projects use without what the kernel has only reserved.
//!
//! XFS reserves space for a file that grows, as much again as it has, and gives it back when the file is closed, or later. Whoever
//! uses too much by that alone is not to be ended for it. To have it given back may take as long as somebody writes to the
//! file, and nothing interrupts that: so a process of its own does it.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;

use crate::error::{Error, Result};
use crate::sys::{helper, project_quota, release_reserved};

/// A write between giving back and looking reserves anew.
const TRIES: usize = 5;
/// After that, what is reserved counts as used, or who only writes would never be ended. Longer than file systems are frozen for
/// a copy: nobody writes then, and nothing is given back.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same when the container has ended, and somebody waits for what it was.
const SHORT: Duration = Duration::from_secs(5);

/// Figures that are under way.
#[derive(Debug)]
pub(super) struct Settled {
    pipe: File,
    count: usize,
    began: Instant,
}

/// What became of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Pending,
    /// In bytes, in the order asked for.
    Done(Vec<u64>),
    /// They cannot be had.
    Failed,
}

impl Settled {
    /// Starts to find out what these projects use, each with a directory of its file system.
    ///
    /// # Errors
    /// No process or pipe can be had.
    pub(super) fn begin(projects: Vec<(OwnedFd, u32)>) -> Result<Settled> {
        let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let (read, write) = pipe2(flags).map_err(Error::system("make a pipe"))?;
        let count = projects.len();
        let (mut kept, ids): (Vec<OwnedFd>, Vec<u32>) = projects.into_iter().unzip();
        kept.insert(0, write);
        let process = helper(kept, move |mut kept| {
            let write = kept.remove(0);
            let figures = kept.iter().zip(ids).map(|(at, id)| least(at, id)).collect::<Option<Vec<_>>>();
            let said = figures.is_some_and(|figures| File::from(write).write_all(&figures.concat()).is_ok());
            i32::from(!said)
        });
        // It ends by itself, or with this process.
        process.map_err(Error::system("fork a process that looks at what is used"))?;
        Ok(Settled { pipe: read.into(), count, began: Instant::now() })
    }

    /// Never blocks.
    pub(super) fn progress(&mut self) -> Progress {
        self.progress_within(PATIENCE)
    }

    fn progress_within(&mut self, patience: Duration) -> Progress {
        let mut bytes = vec![0; self.count * size_of::<u64>()];
        // A pipe takes and gives so little at once.
        match self.pipe.read(&mut bytes) {
            Ok(read) if read == bytes.len() => {
                Progress::Done(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect())
            }
            Err(e)
                if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&e.kind())
                    && self.began.elapsed() < patience =>
            {
                Progress::Pending
            }
            _ => Progress::Failed,
        }
    }

    /// Waits for the figures, but not for ever.
    pub(super) fn wait(mut self) -> Option<Vec<u64>> {
        loop {
            match self.progress_within(SHORT) {
                Progress::Done(figures) => return Some(figures),
                Progress::Failed => return None,
                Progress::Pending => {
                    let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
                    let _ = poll(&mut fds, PollTimeout::from(100_u8));
                }
            }
        }
    }
}

fn least(at: &OwnedFd, id: u32) -> Option<[u8; 8]> {
    let look = |_| {
        release_reserved(at.as_fd(), id).ok()?;
        project_quota(at.as_fd(), id).ok().map(|quota| quota.used)
    };
    (0..TRIES).filter_map(look).min().map(u64::to_ne_bytes)
}
