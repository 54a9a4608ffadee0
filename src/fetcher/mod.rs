//! Fetches `command.uris` into a container's sandbox: the agent leaves that to an external containerizer program.
//!
//! Two phases, because they run in different processes. [`plan`] is called by `launch` before anything is made: it
//! touches nothing, and refuses whatever can be refused by looking at the request alone. [`fetch`] is called in a
//! child process that has already become the container's user, so a framework gets no file its user could not read.
//!
//! Files of this host are copied here. Archives to be extracted and every other scheme are given to the agent's own
//! `mesos-fetcher`, whose input differs between the releases: see the file `mesos_fetcher.rs` for how one
//! environment serves all of them.
//!
//! | URI | what is read |
//! |--|--|
//! | `/path`, `file:///path`, `file://localhost/path` | that path, taken literally: `%20` is not a space |
//! | `a/path` | the path below `--frameworks_home` |
//! | one of these with an archive's suffix, `extract` and not `executable` | `mesos-fetcher` copies and extracts it |
//! | `scheme://...` | whatever `mesos-fetcher` can fetch |
//!
//! URIs are fetched in the order given and a later one replaces what an earlier one wrote, as in the agent's own
//! containerizer: a file listed after an archive overrides the archive's member of that name.
#![forbid(unsafe_code)]

mod copy;
mod error;
mod mesos_fetcher;
mod name;
mod plan;

use std::ffi::OsString;
use std::path::PathBuf;

pub use error::{FetchError, FileKind};
pub use name::is_archive;
pub use plan::{Plan, plan};

use plan::Step;

/// One entry of `command.uris`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uri {
    /// The URI as the framework wrote it.
    pub value: String,
    /// Whether the file becomes executable (mode 0755). Such a file is never extracted.
    pub executable: bool,
    /// Whether to extract the file if its name says that it is an archive; true unless the record says otherwise.
    pub extract: bool,
    /// Whether the agent's cache may be used. Passed on, but there is no cache here: every fetch is a fresh one.
    pub cache: Option<bool>,
    /// The name below the sandbox, instead of the URI's last component (agents from 1.0 on).
    pub output_file: Option<String>,
}

impl Uri {
    /// An entry of which only the value is set, the others being what the protocol says of absent fields.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), executable: false, extract: true, cache: None, output_file: None }
    }
}

/// Everything that fetching needs to know; plain data, gathered before the process that fetches is forked.
///
/// The command's own text and environment are not in it: no release's `mesos-fetcher` looks at more than the URIs,
/// and one string of an environment may not exceed 128 KiB, which a long command would otherwise use up.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The container's id.
    pub container: String,
    /// What to fetch, in order.
    pub uris: Vec<Uri>,
    /// The container's sandbox, an absolute path.
    pub sandbox: PathBuf,
    /// The account the container runs as; `None` when it is our own.
    pub user: Option<String>,
    /// Where relative paths are looked for (`--frameworks_home`).
    pub frameworks_home: Option<PathBuf>,
    /// Becomes `HADOOP_HOME` of `mesos-fetcher`; before the one in `environment`.
    pub hadoop_home: Option<PathBuf>,
    /// The directory that holds `mesos-fetcher`.
    pub launcher_dir: Option<PathBuf>,
    /// Variables of which the few that `mesos-fetcher` and what it starts may need are passed on.
    pub environment: Vec<(OsString, OsString)>,
}

/// Fetches what `plan` lists.
///
/// To be called in a forked child process with a single thread that has become the container's user, leads a process
/// group of its own, and has the sandbox as its working directory, umask 022, `/dev/null` as its input and the
/// sandbox's files as its output.
///
/// When the last URIs of the plan are for `mesos-fetcher`, the process **becomes** it, and this returns only if that
/// fails; the exit status is then `mesos-fetcher`'s: 0 or a failure that it has explained on stderr. When files to
/// be copied follow, `mesos-fetcher` is started and waited for instead: kill the group, not the one process.
///
/// # Errors
/// At the first URI that cannot be fetched. What was fetched before stays in the sandbox.
pub fn fetch(plan: &Plan) -> Result<(), FetchError> {
    let Some((last, earlier)) = plan.steps.split_last() else {
        return Ok(());
    };
    let sandbox = copy::Sandbox::open(&plan.sandbox, plan.user.as_deref())?;
    for step in earlier {
        match step {
            Step::Copy(local) => sandbox.copy(local)?,
            Step::HandOver(uris) => plan.call(uris).run()?,
        }
    }
    match last {
        Step::Copy(local) => sandbox.copy(local),
        Step::HandOver(uris) => Err(plan.call(uris).become_it()),
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
