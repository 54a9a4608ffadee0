//! The container's first process: cloned, made ready, held until it is released, and executed. It gets ready while the
//! supervisor writes down that it exists, so that the two do not wait for each other. What it does is in [`super::child`].
//!
//! Everything is allocated and formatted before the clone. The child makes raw system calls only, says through a pipe which
//! step failed with which errno, and ends in `_exit` or `execve`.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::Pidfd;
use super::child::{Child, ChildStep};
use super::setup::Setup;

/// The account that a process changes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User id: real, effective and saved.
    pub uid: u32,
    /// Group id: real, effective and saved.
    pub gid: u32,
    /// All supplementary groups; nothing is kept of the caller's.
    pub groups: Vec<u32>,
}

/// What the child is to become.
pub struct Clone<'a> {
    /// CLONE_NEW* flags.
    pub namespaces: u64,
    /// The v2 cgroup that it begins in.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// `tasks` files of v1 cgroups, open for writing: it joins them before anything else.
    pub tasks: &'a [File],
    /// Paths to try in order, as execvp(3) would along PATH.
    pub programs: &'a [CString],
    /// The whole argv.
    pub argv: &'a [CString],
    /// The whole environment, `NAME=value`.
    pub envp: &'a [CString],
    /// Becomes the working directory, unless `setup` names one.
    pub directory: BorrowedFd<'a>,
    /// Become descriptors 0, 1 and 2; must not be 0, 1 or 2 themselves.
    pub stdio: [BorrowedFd<'a>; 3],
    /// None: keep the caller's account (not root).
    pub credentials: Option<&'a Credentials>,
    /// What else it does to itself.
    pub setup: &'a Setup,
}

/// A failure in the child, before the program ran.
#[derive(Debug)]
pub struct ChildFailure {
    /// Which step.
    pub step: ChildStep,
    /// Which one of several, where the step says so.
    pub number: usize,
    /// Why.
    pub source: io::Error,
}

/// The held child. Dropping it without a release ends the child: it reads end-of-file and exits.
pub struct Cloned {
    /// Its pid in the caller's pid namespace.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: Pidfd,
    hold: Option<OwnedFd>,
    report: OwnedFd,
}

impl Cloned {
    /// Lets the child go on to its program.
    ///
    /// # Errors
    /// EPIPE when the child is gone: [`Cloned::failure`] may know why.
    pub fn release(&mut self) -> io::Result<()> {
        match self.hold.take() {
            Some(hold) => nix::unistd::write(&hold, b"x").map(drop).map_err(io::Error::from),
            None => Ok(()),
        }
    }

    /// Readable once the program runs (end-of-file) or the child failed: then ask [`Cloned::failure`].
    pub fn report(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// Blocks until the program runs (None) or the child failed before that.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn failure(self) -> io::Result<Option<ChildFailure>> {
        let mut text = Vec::with_capacity(12);
        File::from(self.report).read_to_end(&mut text)?;
        let number = |at: usize| text.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
        let (Some(step), Some(errno), Some(which)) = (number(0), number(4), number(8)) else {
            return Ok(None);
        };
        let source = io::Error::from_raw_os_error(errno as i32);
        Ok(Some(ChildFailure { step: ChildStep::of(step), number: which as usize, source }))
    }
}

/// clone_args of linux/sched.h up to `cgroup` (88 bytes).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// CLONE_INTO_CGROUP of linux/sched.h, Linux 5.7.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// How the child comes into its v2 cgroup.
enum Unified<'a> {
    /// It is in none of its own.
    None,
    /// It begins there.
    Born(BorrowedFd<'a>),
    /// It goes there before anything else, by the `cgroup.procs` file.
    Joins(OwnedFd),
}

/// Clones the container's first process and leaves it held: it executes nothing until [`Cloned::release`].
///
/// # Errors
/// Those of pipe2(2) and clone3(2): ENOSYS before Linux 5.3, EPERM for namespaces without the capability, EAGAIN with no
/// pids left.
pub fn clone_held(what: &Clone<'_>) -> io::Result<Cloned> {
    let Some(cgroup) = what.cgroup else {
        return clone(what, &Unified::None);
    };
    match clone(what, &Unified::Born(cgroup)) {
        // A kernel that does not know the member `cgroup` of the arguments takes it only if it is zero.
        Err(e) if e.raw_os_error() == Some(libc::E2BIG) => clone_then_join(what, cgroup),
        cloned => cloned,
    }
}

/// For Linux 5.3 to 5.6.
fn clone_then_join(what: &Clone<'_>, cgroup: BorrowedFd<'_>) -> io::Result<Cloned> {
    use nix::fcntl::{OFlag, openat};
    let procs = openat(cgroup, "cgroup.procs", OFlag::O_WRONLY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
    clone(what, &Unified::Joins(procs))
}

fn clone(what: &Clone<'_>, unified: &Unified<'_>) -> io::Result<Cloned> {
    let (hold_read, hold_write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let (report_read, report_write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let mut child = Child::new(what, hold_read.as_raw_fd(), hold_write.as_raw_fd(), report_write.as_raw_fd());
    let go = what.setup.init.as_ref().map(|_| nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)).transpose()?;
    if let Some((read, write)) = &go {
        child.with_init([read.as_raw_fd(), write.as_raw_fd()]);
    }
    let born = match unified {
        Unified::None => None,
        Unified::Born(cgroup) => Some(cgroup.as_raw_fd()),
        Unified::Joins(procs) => {
            child.join(procs.as_raw_fd());
            None
        }
    };
    let mut pidfd: RawFd = -1;
    let mut args = CloneArgs {
        flags: what.namespaces | libc::CLONE_PIDFD as u64 | born.map_or(0, |_| CLONE_INTO_CGROUP),
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        cgroup: born.map_or(0, |cgroup| cgroup as u64),
        ..CloneArgs::default()
    };
    // SAFETY: no CLONE_VM and no stack, so the child goes on with a copy of this one; the kernel writes one int to `pidfd`.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => child.run(),
        pid => {
            // SAFETY: clone3 succeeded with CLONE_PIDFD, so it has opened this descriptor for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned { pid: pid as i32, pidfd: Pidfd::from(pidfd), hold: Some(hold_write), report: report_read })
        }
    }
}

const _: () = assert!(size_of::<CloneArgs>() == 88);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::Pid;

    type Way<'a> = &'a dyn Fn(&Clone<'_>) -> io::Result<Cloned>;

    fn run(programs: &[&str], argv: &[&str]) -> (Option<ChildFailure>, WaitStatus, String) {
        run_by(programs, argv, None, &clone_held)
    }

    fn run_by(
        programs: &[&str],
        argv: &[&str],
        cgroup: Option<BorrowedFd<'_>>,
        clone: Way<'_>,
    ) -> (Option<ChildFailure>, WaitStatus, String) {
        let c = |list: &[&str]| -> Vec<CString> { list.iter().map(|s| CString::new(*s).unwrap()).collect() };
        let dir = tempfile::tempdir().unwrap();
        let home = File::open(dir.path()).unwrap();
        let null = File::open("/dev/null").unwrap();
        let out = File::create(dir.path().join("out")).unwrap();
        let (programs, argv, envp) = (c(programs), c(argv), c(&["A=b"]));
        let what = Clone {
            namespaces: 0,
            cgroup,
            tasks: &[],
            programs: &programs,
            argv: &argv,
            envp: &envp,
            directory: home.as_fd(),
            stdio: [null.as_fd(), out.as_fd(), out.as_fd()],
            credentials: None,
            setup: &Setup::default(),
        };
        let mut cloned = clone(&what).unwrap();
        let pid = Pid::from_raw(cloned.pid);
        cloned.release().unwrap();
        let failure = cloned.failure().unwrap();
        let status = waitpid(pid, None).unwrap();
        (failure, status, std::fs::read_to_string(dir.path().join("out")).unwrap())
    }

    #[test]
    fn runs_a_program_with_its_argv_environment_and_directory() {
        let (failure, status, out) = run(&["/bin/sh"], &["sh", "-c", "echo $0 $A; ls -d out; umask; exit 3", "zero"]);
        assert!(failure.is_none());
        assert!(matches!(status, WaitStatus::Exited(_, 3)));
        assert_eq!(out, "zero b\nout\n0022\n");
    }

    /// Where root may try it; the second as on a kernel that cannot do the first.
    #[test]
    fn it_begins_in_its_cgroup_or_goes_there_first() {
        use crate::cgroup::{Cgroup, Hierarchies, MOUNTINFO};
        let hierarchies = Hierarchies::read(std::path::Path::new(MOUNTINFO)).unwrap();
        let Some(unified) = hierarchies.unified().filter(|_| nix::unistd::geteuid().is_root()) else {
            return;
        };
        let path = unified.mount_point.join(format!("ecp-clone-test-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let cgroup = Cgroup::open(&path).unwrap();
        let joining = |what: &Clone<'_>| clone_then_join(what, what.cgroup.unwrap());
        let ways: [Way<'_>; 2] = [&clone_held, &joining];
        let said = ways.map(|clone| {
            let argv = ["sh", "-c", "sed -n s/^0:://p /proc/self/cgroup"];
            run_by(&["/bin/sh"], &argv, Some(cgroup.as_fd()), clone).2
        });
        let removed = crate::cgroup::remove(&path, std::time::Instant::now() + std::time::Duration::from_secs(5));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(said.iter().all(|said| said.trim().ends_with(name)), "{said:?}");
        removed.unwrap();
    }

    #[test]
    fn a_failed_exec_names_the_errno() {
        let (failure, ..) = run(&["/nonexistent/a", "/nonexistent/b"], &["a"]);
        let failure = failure.unwrap();
        assert_eq!(failure.step, ChildStep::Exec);
        assert_eq!(failure.source.raw_os_error(), Some(libc::ENOENT));
        let (failure, ..) = run(&["/etc/passwd", "/nonexistent"], &["a"]);
        assert_eq!(failure.unwrap().source.raw_os_error(), Some(libc::EACCES));
    }

    #[test]
    fn dropping_a_held_child_ends_it() {
        let null = File::open("/dev/null").unwrap();
        let home = File::open("/").unwrap();
        let what = Clone {
            namespaces: 0,
            cgroup: None,
            tasks: &[],
            programs: &[c"/bin/true".into()],
            argv: &[c"true".into()],
            envp: &[],
            directory: home.as_fd(),
            stdio: [null.as_fd(); 3],
            credentials: None,
            setup: &Setup::default(),
        };
        let cloned = clone_held(&what).unwrap();
        let pid = Pid::from_raw(cloned.pid);
        drop(cloned);
        assert!(matches!(waitpid(pid, None).unwrap(), WaitStatus::Exited(_, 1)));
    }
}
