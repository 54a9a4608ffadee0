//! Mounts and unmounts volumes in the mount namespace of a running container.
//!
//! What is mounted was made before, in the host's namespace; a forked process joins the container's and only puts it in its
//! place, or takes it away. Whoever is root in the container may have mounted anything anywhere, so that process trusts
//! nothing that it finds there: it executes nothing, goes by descriptors below the sandbox, which must be the true one, and
//! follows no link. It may be kept waiting for ever, by a file system that the container serves itself, and is then killed.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::AtFlags;
use nix::mount::{MntFlags, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::stat::{fstat, fstatat};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, fchdir, getppid};

use super::source::identity;
use crate::error::{Error, Result};
use crate::sys::mount::{BENEATH, attach, openat2};
use crate::sys::{Pidfd, detach, is_mount_root, join_mounts};
use crate::weaken;

/// One volume to be mounted or unmounted.
#[derive(Debug)]
pub(super) struct Change {
    /// Below the sandbox.
    pub(super) at: CString,
    /// st_dev and st_ino of the volume's directory.
    pub(super) identity: (u64, u64),
    /// Mounted; else unmounted.
    pub(super) mount: bool,
    /// To be unmounted: it may never have been mounted, or not be any more.
    pub(super) perhaps: bool,
}

/// Where the container sees its sandbox.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    /// Absolute, without links.
    pub(super) path: &'a Path,
    /// The same without the first slash.
    pub(super) below: CString,
    /// st_dev and st_ino of the sandbox.
    pub(super) identity: (u64, u64),
}

/// What went wrong in the container's namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Step {
    Join = 1,
    Host,
    Sandbox,
    OtherSandbox,
    Open,
    Taken,
    Attach,
    Buried,
    Unmount,
    Again,
    Moved,
}

const STEPS: [Step; 11] = {
    use Step::*;
    [Join, Host, Sandbox, OtherSandbox, Open, Taken, Attach, Buried, Unmount, Again, Moved]
};

/// A step, the number of the change, the kernel's answer or 0.
struct Failure(Step, usize, i32);

/// As often as a volume may be mounted on itself.
const LAYERS: usize = 16;

/// How long a killed process is waited for.
const REAPING: Duration = Duration::from_secs(1);

/// Carries out the changes one after the other in the mount namespace of `first`; `trees` are for those that mount. That the
/// process has ended is no failure: its mounts have gone with it.
///
/// # Errors
/// Of the first change that cannot be made, or if it takes longer than `limit`. Those before it are made.
pub(super) fn carry_out(
    first: &Pidfd,
    seen: &Seen<'_>,
    changes: &[Change],
    trees: Vec<OwnedFd>,
    limit: Duration,
) -> Result<()> {
    let (heard, answer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Error::system("make a pipe"))?;
    let mut kept = vec![first.as_owned().map_err(Error::system("duplicate a descriptor"))?, answer];
    kept.extend(trees);
    let parent = Pid::this();
    let child = detach(kept, false, |kept| {
        let mut kept = kept.into_iter();
        let (Some(first), Some(answer)) = (kept.next(), kept.next()) else { return 70 };
        let done = alone(parent).and_then(|()| inside(&first, seen, changes, kept));
        let Failure(step, number, errno) = match done {
            Ok(()) => return i32::from(File::from(answer).write_all(&[0; 12]).is_err()),
            Err(failure) => failure,
        };
        let words = [step as u32, u32::try_from(number).unwrap_or(u32::MAX), errno as u32].map(u32::to_ne_bytes);
        i32::from(File::from(answer).write_all(&words.concat()).is_err())
    })
    .map_err(Error::system("fork"))?;
    let heard = listen(heard, limit);
    end(child);
    match heard? {
        [0, ..] => Ok(()),
        [step, number, errno] => {
            let step = STEPS.into_iter().find(|known| *known as u32 == step);
            explain(step.unwrap_or(Step::Join), changes.get(number as usize), seen, errno as i32)
        }
    }
}

/// What the child says: three numbers.
fn listen(heard: OwnedFd, limit: Duration) -> Result<[u32; 3]> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(heard.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => {
                return Err(Error::Refused(format!(
                    "changing the mounts of the container took longer than {limit:?} (--isolator_timeout) and was given up: \
                     is the sandbox in a file system that does not answer?"
                )));
            }
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => break,
            Err(e) => return Err(Error::system("wait for a change of mounts")(e)),
        }
    }
    let mut words = [0; 12];
    File::from(heard)
        .read_exact(&mut words)
        .map_err(|_| Error::Refused("the process that changes the container's mounts has died".into()))?;
    let word = |i: usize| u32::from_ne_bytes([words[i], words[i + 1], words[i + 2], words[i + 3]]);
    Ok([word(0), word(4), word(8)])
}

/// Kills and reaps the child. One that does not die is left to init.
fn end(child: i32) {
    let pid = Pid::from_raw(child);
    let until = Instant::now() + REAPING;
    // It is our child and not reaped: the pid is its.
    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
    let mut pause = Duration::from_micros(50);
    while matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive)) && Instant::now() < until {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// In the child: it does not outlive its parent, and nobody in the container may look into it.
fn alone(parent: Pid) -> std::result::Result<(), Failure> {
    let failed = |errno: nix::Error| Failure(Step::Join, 0, errno as i32);
    nix::sys::prctl::set_dumpable(false).map_err(failed)?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed)?;
    if getppid() == parent { Ok(()) } else { Err(failed(nix::Error::ESRCH)) }
}

/// In the child: joins, and makes the changes.
fn inside(
    first: &OwnedFd,
    seen: &Seen<'_>,
    changes: &[Change],
    mut trees: impl Iterator<Item = OwnedFd>,
) -> std::result::Result<(), Failure> {
    let fail = |step, number| move |e: io::Error| Failure(step, number, e.raw_os_error().unwrap_or(0));
    let mine = File::open("/proc/self/ns").map_err(fail(Step::Join, 0))?;
    // The kernel's own link: what it shows is this process's namespace at that moment.
    let namespace =
        || fstatat(&mine, "mnt", AtFlags::empty()).map(|s| s.st_ino).map_err(|e| fail(Step::Join, 0)(e.into()));
    let host = namespace()?;
    match join_mounts(first.as_fd()) {
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        joined => joined.map_err(fail(Step::Join, 0))?,
    }
    if namespace()? == host && !weaken::is("host-mounts") {
        return Err(Failure(Step::Host, 0, 0));
    }
    let resolve = if weaken::is("symlinks") { 0 } else { BENEATH };
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let root = File::open("/").map_err(fail(Step::Sandbox, 0))?;
    let sandbox = openat2(root.as_fd(), &seen.below, flags, 0, resolve).map_err(fail(Step::Sandbox, 0))?;
    let found = fstat(&sandbox).map_err(|e| fail(Step::Sandbox, 0)(e.into()))?;
    if identity(&found) != seen.identity {
        return Err(Failure(Step::OtherSandbox, 0, 0));
    }
    for (number, change) in changes.iter().enumerate() {
        let look = || openat2(sandbox.as_fd(), &change.at, flags, 0, resolve);
        if change.mount {
            let at = look().map_err(fail(Step::Open, number))?;
            let tree = trees.next().ok_or(Failure(Step::Attach, number, libc::EBADF))?;
            match what_is(&at, change).map_err(fail(Step::Open, number))? {
                Here::Volume => {}
                Here::Other(_) => return Err(Failure(Step::Taken, number, 0)),
                Here::NoMount => attach(tree.as_fd(), at.as_fd()).map_err(fail(Step::Attach, number))?,
            }
        } else {
            let ours = |found: (u64, u64)| changes.iter().any(|other| other.at == change.at && other.identity == found);
            unmount(change, ours, look).map_err(|(step, e)| Failure(step, number, e.raw_os_error().unwrap_or(0)))?;
        }
    }
    Ok(())
}

/// What is mounted at a place.
enum Here {
    NoMount,
    Volume,
    /// Something else, of this identity.
    Other((u64, u64)),
}

fn what_is(at: &OwnedFd, change: &Change) -> io::Result<Here> {
    if !is_mount_root(at.as_fd())? {
        return Ok(Here::NoMount);
    }
    let found = identity(&fstat(at)?);
    Ok(if found == change.identity { Here::Volume } else { Here::Other(found) })
}

/// `ours`: whether this change or another one is about a volume of that identity at the same place.
fn unmount(
    change: &Change,
    ours: impl Fn((u64, u64)) -> bool,
    look: impl Fn() -> io::Result<OwnedFd>,
) -> std::result::Result<(), (Step, io::Error)> {
    let fail = |step| move |e: io::Error| (step, e);
    for layer in 0..LAYERS {
        let at = match look() {
            // Who moves a directory above it moves it along.
            Err(e) if [libc::ENOENT, libc::ENOTDIR, libc::ELOOP].map(Some).contains(&e.raw_os_error()) => {
                return if change.perhaps { Ok(()) } else { Err((Step::Moved, e)) };
            }
            at => at.map_err(fail(Step::Open))?,
        };
        match what_is(&at, change).map_err(fail(Step::Open))? {
            Here::NoMount => return Ok(()),
            // An update that was cut short has mounted the one in place of the other.
            Here::Other(found) if change.perhaps && ours(found) => return Ok(()),
            Here::Other(_) if layer == 0 => return Err((Step::Buried, io::Error::from_raw_os_error(0))),
            Here::Other(_) => return Ok(()),
            Here::Volume => {}
        }
        // By the descriptor: what is open is what goes.
        let gone = fchdir(&at).and_then(|()| umount2(".", MntFlags::MNT_DETACH)).and_then(|()| chdir("/"));
        gone.map_err(|e| (Step::Unmount, e.into()))?;
    }
    Err((Step::Again, io::Error::from_raw_os_error(0)))
}

fn explain(step: Step, change: Option<&Change>, seen: &Seen<'_>, errno: i32) -> Result<()> {
    let at = change.map(|change| seen.path.join(change.at.to_string_lossy().as_ref())).unwrap_or_default();
    let (at, sandbox) = (at.display(), seen.path.display());
    let why = io::Error::from_raw_os_error(errno);
    Err(Error::Refused(match step {
        Step::Join => format!("cannot join the container's mount namespace: {why}"),
        Step::Host => {
            "the container's first process is in the host's mount namespace, where nothing is mounted or unmounted \
                       for it"
                .into()
        }
        Step::Sandbox => format!("cannot open the sandbox in the container, {sandbox}: {why}"),
        Step::OtherSandbox => format!("what the container sees at {sandbox} is not its sandbox (any more)"),
        Step::Open if errno == libc::ELOOP => {
            format!("cannot use {at} in the container for a persistent volume: there is a symbolic link in it")
        }
        Step::Open => format!("cannot use {at} in the container for a persistent volume: {why}"),
        Step::Taken => format!("cannot mount a persistent volume at {at} in the container: something is mounted there"),
        Step::Attach => format!("cannot mount a persistent volume at {at} in the container: {why}"),
        Step::Buried => {
            format!("cannot unmount the persistent volume at {at} in the container: something else is mounted there")
        }
        Step::Unmount => format!("cannot unmount the persistent volume at {at} in the container: {why}"),
        Step::Moved => {
            format!("the persistent volume at {at} in the container is not there ({why}): it may be anywhere")
        }
        Step::Again => format!("the persistent volume at {at} in the container is mounted again and again"),
    }))
}
