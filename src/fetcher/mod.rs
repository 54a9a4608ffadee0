//! Fetches `command.uris` into a container's sandbox: the agent leaves that to an external containerizer program.
//!
//! Two phases, because they run in different processes. [`plan`] is called by `launch` before anything is made: it
//! touches nothing, and refuses whatever can be refused by looking at the request alone. [`fetch`] is called in a
//! child process that has already become the container's user, so a framework gets no file its user could not read.
//!
//! Files of this host are copied here. What comes by http(s), and archives to be extracted, is the work of our own second
//! program, `mesos-ecp-fetch`: see the room `own`. Every other scheme (and those two where that program is not installed) is
//! given to the agent's own `mesos-fetcher`, whose input differs between the releases: see the file `mesos_fetcher.rs` for
//! how one environment serves all of them.
//!
//! | URI | what is read |
//! |--|--|
//! | `/path`, `file:///path`, `file://localhost/path` | that path, taken literally: `%20` is not a space |
//! | `a/path` | the path below `--frameworks_home` |
//! | one of these with an archive's suffix, `extract` and not `executable` | that path; the copy is then extracted |
//! | `http://...`, `https://...` | what the server sends |
//! | `scheme://...` | whatever `mesos-fetcher` can fetch |
//!
//! URIs are fetched in the order given and a later one replaces what an earlier one wrote, as in the agent's own
//! containerizer: a file listed after an archive overrides the archive's member of that name.
#![forbid(unsafe_code)]

mod copy;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod mesos_fetcher;
mod name;
mod own;
mod place;
mod plan;

use std::ffi::OsString;
use std::path::PathBuf;

pub use error::{FetchError, FileKind};
pub use name::{is_archive, shown};
pub use own::{Means, Settings, VERSION, default_dir, find};
pub use place::{Place, Sandbox, advice_on_space};
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
    /// Whether a copy that was downloaded before may be used, and this one kept for others; for http(s) only.
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
    /// Variables of which the few that the fetchers and what they start may need are passed on.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether to fetch with root's rights, and then give everything to the user (`--fetch_as`).
    pub as_root: bool,
    /// How `mesos-ecp-fetch` goes about it.
    pub own: Settings,
}

/// Fetches what `plan` lists.
///
/// To be called in a forked child process with a single thread that has become the container's user, leads a process
/// group of its own, and has the sandbox as its working directory, umask 022, `/dev/null` as its input and the
/// sandbox's files as its output.
///
/// When the last URIs of the plan are for another program, the process **becomes** it, and this returns only if that
/// fails; the exit status is then the program's: 0 or a failure that it has explained, `mesos-fetcher` on stderr and
/// `mesos-ecp-fetch` through the report of `means`. When others follow, it is started and waited for instead: kill the
/// group, not the one process.
///
/// # Errors
/// At the first URI that cannot be fetched. What was fetched before stays in the sandbox.
pub fn fetch(plan: &Plan, means: &Means) -> Result<(), FetchError> {
    let Some((last, earlier)) = plan.steps.split_last() else {
        return Ok(());
    };
    let sandbox = Sandbox::open(&plan.sandbox, means.owner())?;
    let own = |items| own::Call { plan, means, sandbox: &sandbox, items };
    for step in earlier {
        match step {
            Step::Copy(local) => copy::copy(&sandbox, local, plan.user.as_deref())?,
            Step::Own(items) => own(items).run()?,
            Step::HandOver(uris) => plan.call(uris).run()?,
        }
    }
    match last {
        Step::Copy(local) => copy::copy(&sandbox, local, plan.user.as_deref()),
        Step::Own(items) => Err(own(items).become_it()),
        Step::HandOver(uris) => Err(plan.call(uris).become_it()),
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
