//! Fetching by `mesos-ecp-fetch`, the program beside our own: http(s), and archives.
//!
//! It is a program of its own so that TLS and decompressors do not make the start of this one slower, and run with the
//! rights of the container's user. What it is to do goes through its standard input, since URLs may hold passwords; why it
//! failed comes back through a descriptor whose number it is told.
#![forbid(unsafe_code)]

mod cache;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Gid, Uid, geteuid};

use super::mesos_fetcher::few;
use super::name::shown;
use super::plan::Plan;
use super::{FetchError, Sandbox};
use crate::protocol::fetch::{Cache, Item, Owner, Request};
use crate::protocol::write_record;
pub use cache::default_dir;

/// Looks for the program. None: it is not installed; archives and http(s) are then `mesos-fetcher`'s.
#[must_use]
pub fn find() -> Option<PathBuf> {
    crate::beside::find("mesos-ecp-fetch")
}

/// Opens it for being executed by its descriptor.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)
}

/// The layout of [`Request`].
pub const VERSION: u32 = 1;

/// The code with which `mesos-ecp-fetch` ends when it has reported why it failed.
const REPORTED: i32 = 1;

/// How the own fetcher goes about it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// From one piece of data to the next.
    pub stall_timeout: Duration,
    /// Bytes of one download, and of all that one archive extracts to.
    pub size_limit: u64,
    /// Below which each user has a cache; absent: nothing is cached.
    pub cache_dir: Option<PathBuf>,
    /// Bytes for each user; 0 for no cache.
    pub cache_size: u64,
}

/// What a fetch needs and the container's user could not open; made by [`Plan::means`].
#[derive(Debug)]
pub struct Means {
    program: Option<File>,
    cache: Option<File>,
    owner: Option<(Uid, Gid)>,
    report: OwnedFd,
    warning: Option<String>,
}

impl Means {
    /// Whom everything that is fetched is given to, if it is not this process's user.
    pub(super) fn owner(&self) -> Option<(Uid, Gid)> {
        self.owner
    }

    /// What went wrong and is no reason to fail: one line for the sandbox's stderr.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

impl Plan {
    /// Opens what is needed, with the rights that this process has before it becomes the container's `user`. A cache that
    /// cannot be used is a warning. `report` takes the reason if `mesos-ecp-fetch` fails.
    ///
    /// # Errors
    /// When `mesos-ecp-fetch` cannot be opened any more.
    pub fn means(&self, user: (Uid, Gid), report: impl AsFd) -> Result<Means, FetchError> {
        let broken = |error| FetchError::Start {
            program: self.own_program().to_owned(),
            uris: self.handed_over(),
            error,
            advice: "; it belongs beside mesos-ecp".to_owned(),
        };
        let program = self.uses_own().then(|| open(self.own_program())).transpose().map_err(broken)?;
        let (cache, warning) = match self.cache_dir().map(|dir| cache::open(dir, user)) {
            Some(Ok(cache)) => (Some(cache), None),
            Some(Err(reason)) => (None, Some(format!("the cache is not used: {reason}"))),
            None => (None, None),
        };
        let owner = (self.as_root() && geteuid().is_root() && !user.0.is_root()).then_some(user);
        let report = report.as_fd().try_clone_to_owned().map_err(broken)?;
        Ok(Means { program, cache, owner, report, warning })
    }
}

/// One run of `mesos-ecp-fetch`.
pub(super) struct Call<'a> {
    pub(super) plan: &'a Plan,
    pub(super) means: &'a Means,
    pub(super) sandbox: &'a Sandbox,
    pub(super) items: &'a [Item],
}

impl Call<'_> {
    /// Replaces this process; comes back only with the reason why it could not.
    pub(super) fn become_it(&self) -> FetchError {
        match self.command() {
            Ok(mut command) => self.not_started(command.exec()),
            Err(error) => self.not_started(error),
        }
    }

    /// Starts it and waits for its end.
    pub(super) fn run(&self) -> Result<(), FetchError> {
        let status = self.command().and_then(|mut command| command.status());
        // What others that are started later inherit is for them only.
        self.inherited(FdFlag::FD_CLOEXEC).map_err(|error| self.not_started(error))?;
        let status = status.map_err(|error| self.not_started(error))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(REPORTED) => Err(FetchError::Reported),
            _ => Err(FetchError::Died { program: self.plan.own_program().to_owned(), uris: self.listed(), status }),
        }
    }

    fn command(&self) -> io::Result<Command> {
        let program = self.means.program.as_ref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.inherited(FdFlag::empty())?;
        let mut input = File::from(memfd_create(c"request", MFdFlags::MFD_CLOEXEC)?);
        write_record(&mut input, &self.request()).map_err(io::Error::other)?;
        input.rewind()?;
        // By its descriptor: the way to the program may be closed to the user.
        let mut command = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
        command
            .arg0("mesos-ecp-fetch")
            .env_clear()
            .envs(self.plan.environment.iter().cloned())
            .stdin(Stdio::from(input));
        Ok(command)
    }

    fn request(&self) -> Request {
        let settings = &self.plan.own;
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Request {
            version: VERSION,
            items: self.items.to_vec(),
            sandbox: self.sandbox.directory().as_raw_fd(),
            sandbox_path: self.plan.sandbox.to_string_lossy().into_owned(),
            report: self.means.report.as_raw_fd(),
            owner: self.means.owner.map(|(uid, gid)| Owner { uid: uid.as_raw(), gid: gid.as_raw() }),
            connect_timeout_ms: milliseconds(settings.connect_timeout),
            stall_timeout_ms: milliseconds(settings.stall_timeout),
            size_limit: settings.size_limit,
            cache: self.means.cache.as_ref().map(|c| Cache { directory: c.as_raw_fd(), size: settings.cache_size }),
            progress: self.plan.progress.then_some(true),
        }
    }

    /// Sets the flags of the descriptors whose numbers are in the request.
    fn inherited(&self, flags: FdFlag) -> io::Result<()> {
        let cache = self.means.cache.as_ref().map(AsFd::as_fd);
        for fd in [Some(self.sandbox.directory()), Some(self.means.report.as_fd()), cache].into_iter().flatten() {
            fcntl(fd, FcntlArg::F_SETFD(flags))?;
        }
        Ok(())
    }

    fn listed(&self) -> String {
        listed(self.items)
    }

    fn not_started(&self, error: io::Error) -> FetchError {
        let advice = match error.raw_os_error() {
            Some(libc::EACCES) => "; the container's user must be able to execute it: give it mode 0755",
            _ => "",
        };
        let program = self.plan.own_program().to_owned();
        FetchError::Start { program, uris: self.listed(), error, advice: advice.to_owned() }
    }
}

/// Names the first few items.
pub(super) fn listed(items: &[Item]) -> String {
    few(items.iter().map(name))
}

/// An item in a message.
pub(super) fn name(item: &Item) -> String {
    item.url.as_deref().map_or_else(|| item.to.join("/"), shown)
}

/// What is to be done with a URI that this program fetches.
pub(super) fn item(url: Option<String>, uri: &super::Uri, to: Vec<String>, extract: bool, cached: bool) -> Item {
    Item {
        url,
        to,
        executable: uri.executable.then_some(true),
        extract: extract.then_some(true),
        cache: (cached && uri.cache == Some(true)).then_some(true),
    }
}

/// Where the program stands, for messages.
pub(super) fn path_or_name(path: Option<&PathBuf>) -> &Path {
    path.map_or(Path::new("mesos-ecp-fetch"), PathBuf::as_path)
}
