//! From a request to the list of steps: what is copied, which program fetches the rest, and what is refused.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::mesos_fetcher::{self, Call, few};
use super::name::{destination, is_archive, scheme, shown};
use super::own::{self, Settings};
use super::{FetchError, Job, Uri};
use crate::protocol::fetch::Item;

/// What [`fetch`](super::fetch) is going to do; made by [`plan`].
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) sandbox: PathBuf,
    pub(super) user: Option<String>,
    pub(super) steps: Vec<Step>,
    program: PathBuf,
    sandbox_text: String,
    frameworks_home: Option<String>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) own: Settings,
    pub(super) progress: bool,
    as_root: bool,
    own_program: Option<PathBuf>,
}

/// One step of a plan, in the order of the URIs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A file of this host, copied here.
    Copy(Local),
    /// What stands next to each other and goes to one run of `mesos-ecp-fetch`.
    Own(Vec<Item>),
    /// URIs that stand next to each other and go to one run of `mesos-fetcher`.
    HandOver(Vec<Uri>),
}

/// A file of this host to be copied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Local {
    pub(super) from: PathBuf,
    /// Components of the destination's path below the sandbox: directories and, at last, the name. Never empty.
    pub(super) to: Vec<String>,
    pub(super) executable: bool,
}

impl Plan {
    /// Whether there is nothing to fetch, so that no process needs to be forked for it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Has it shown on standard error how far a download is: somebody watches. Nobody does, unless this is called.
    pub fn show_progress(&mut self) {
        self.progress = true;
    }

    /// What other programs are to fetch, or the first few of it, for messages.
    #[must_use]
    pub fn handed_over(&self) -> String {
        few(self.steps.iter().flat_map(|step| match step {
            Step::Copy(_) => Vec::new(),
            Step::Own(items) => items.iter().map(own::name).collect(),
            Step::HandOver(uris) => uris.iter().map(|uri| shown(&uri.value)).collect(),
        }))
    }

    /// The last program that will be started; `None` when the plan does without.
    #[must_use]
    pub fn program(&self) -> Option<&Path> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Copy(_) => None,
            Step::Own(_) => Some(self.own_program()),
            Step::HandOver(_) => Some(self.program.as_path()),
        })
    }

    /// Whether this is to be carried out with root's rights.
    #[must_use]
    pub fn as_root(&self) -> bool {
        self.as_root
    }

    pub(super) fn uses_own(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Own(_)))
    }

    pub(super) fn own_program(&self) -> &Path {
        own::path_or_name(self.own_program.as_ref())
    }

    /// Where the cache is, if anything is looked up in it.
    pub(super) fn cache_dir(&self) -> Option<&Path> {
        let cached = |step: &Step| matches!(step, Step::Own(items) if items.iter().any(Item::cache));
        self.own.cache_dir.as_deref().filter(|_| self.steps.iter().any(cached))
    }

    pub(super) fn call<'a>(&'a self, uris: &'a [Uri]) -> Call<'a> {
        Call {
            program: &self.program,
            sandbox: &self.sandbox_text,
            // Without root everything in the sandbox is the user's already, and the chown -R that mesos-fetcher ends
            // with could only fail, on the first symlink or file that root put there. As root it is needed: tar
            // then keeps the owners it finds in an archive.
            user: self.user.as_deref().filter(|_| nix::unistd::geteuid().is_root()),
            frameworks_home: self.frameworks_home.as_deref(),
            environment: &self.environment,
            uris,
        }
    }
}

/// Decides for each URI of `job` how it is fetched. Reads and makes nothing, but that `find` is asked where
/// `mesos-ecp-fetch` is, once, if a URI needs it.
///
/// # Errors
/// On the first URI that cannot be fetched, whatever else the host looks like.
pub fn plan(job: &Job, find: impl FnOnce() -> Option<PathBuf>) -> Result<Plan, FetchError> {
    let mut plan = Plan {
        sandbox: job.sandbox.clone(),
        user: job.user.clone(),
        steps: Vec::with_capacity(job.uris.len()),
        program: PathBuf::new(),
        sandbox_text: String::new(),
        frameworks_home: None,
        environment: Vec::new(),
        own: job.own.clone(),
        progress: false,
        as_root: job.as_root,
        own_program: None,
    };
    let mut find = Some(find);
    for (index, uri) in job.uris.iter().enumerate() {
        let wanted = classify(job, index + 1, uri)?;
        if wanted.is_ours()
            && let Some(find) = find.take()
        {
            plan.own_program = find();
        }
        add(&mut plan, job, uri, wanted)?;
    }
    if plan.program().is_some() {
        plan.environment = mesos_fetcher::passed_on(job);
    }
    Ok(plan)
}

/// What a URI asks for, whoever does it.
enum Wanted {
    /// A file of this host, and whether it is an archive to be extracted.
    Local(Local, bool),
    /// What a web server has, and whether it is an archive to be extracted.
    Web(String, Vec<String>, bool),
    /// Whatever it is.
    Other(String),
}

impl Wanted {
    /// Whether it takes `mesos-ecp-fetch`, where that is.
    fn is_ours(&self) -> bool {
        matches!(self, Wanted::Local(_, true) | Wanted::Web(..))
    }
}

fn add(plan: &mut Plan, job: &Job, uri: &Uri, wanted: Wanted) -> Result<(), FetchError> {
    let (is_ours, has_own) = (wanted.is_ours(), plan.own_program.is_some());
    let cached = job.own.cache_dir.is_some() && job.own.cache_size > 0;
    let (value, shown_value) = match wanted {
        Wanted::Local(local, false) => {
            plan.steps.push(Step::Copy(local));
            return Ok(());
        }
        Wanted::Local(local, true) if has_own => {
            let to = local.to.clone();
            plan.steps.push(Step::Copy(local));
            plan.steps.push(Step::Own(vec![own::item(None, uri, to, true, false)]));
            return Ok(());
        }
        Wanted::Web(url, to, extract) if has_own => {
            let item = own::item(Some(url), uri, to, extract, cached);
            match plan.steps.last_mut() {
                Some(Step::Own(items)) => items.push(item),
                _ => plan.steps.push(Step::Own(vec![item])),
            }
            return Ok(());
        }
        // What was resolved here is handed over resolved: the releases differ in where they look for relative paths.
        Wanted::Local(local, true) => {
            let shown = uri.value.clone();
            (local_value(text(&shown, "the path", &local.from)?), shown)
        }
        Wanted::Web(value, ..) | Wanted::Other(value) => {
            let shown = shown(&value);
            (value, shown)
        }
    };
    let next = hand_over(uri, value)?;
    if plan.program.as_os_str().is_empty() {
        prepare_hand_over(plan, job, &shown_value, is_ours)?;
    }
    match plan.steps.last_mut() {
        Some(Step::HandOver(uris)) => uris.push(next),
        _ => plan.steps.push(Step::HandOver(vec![next])),
    }
    Ok(())
}

/// What only `mesos-fetcher` needs is asked for only where it is needed.
fn prepare_hand_over(plan: &mut Plan, job: &Job, uri: &str, is_ours: bool) -> Result<(), FetchError> {
    let Some(directory) = &job.launcher_dir else {
        let uri = uri.to_owned();
        return Err(if is_ours { FetchError::NoOwnFetcher { uri } } else { FetchError::NoFetcher { uri } });
    };
    plan.program = directory.join("mesos-fetcher");
    plan.sandbox_text = text(uri, "the sandbox", &job.sandbox)?;
    if let Some(home) = &job.frameworks_home {
        plan.frameworks_home = Some(text(uri, "--frameworks_home", home)?);
    }
    Ok(())
}

fn classify(job: &Job, number: usize, uri: &Uri) -> Result<Wanted, FetchError> {
    // As newer releases of mesos-fetcher do.
    let value = uri.value.trim_start_matches([' ', '\t', '\n', '\r']);
    if value.is_empty() {
        return Err(FetchError::EmptyUri { number });
    }
    if value.contains('\0') || uri.output_file.as_ref().is_some_and(|name| name.contains('\0')) {
        return Err(FetchError::Nul { uri: shown(value) });
    }
    let from = local_path(job, value)?;
    let to = destination(uri, value)?;
    let extract = uri.extract && !uri.executable && to.last().is_some_and(|name| is_archive(name));
    let web = |scheme: &str| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    Ok(match from {
        Some(from) => Wanted::Local(Local { from, to, executable: uri.executable }, extract),
        None if scheme(value).is_some_and(|(scheme, _)| web(scheme)) => Wanted::Web(value.to_owned(), to, extract),
        None => Wanted::Other(value.to_owned()),
    })
}

fn hand_over(uri: &Uri, value: String) -> Result<Uri, FetchError> {
    let refused = |text: &str| text.contains(['\\', '\'']);
    if refused(&value) || uri.output_file.as_deref().is_some_and(refused) {
        return Err(FetchError::FetcherRefuses { uri: shown(&value) });
    }
    Ok(Uri { value, ..uri.clone() })
}

/// `mesos-fetcher` takes a bare path with `://` somewhere in it for a URI of an unknown scheme.
fn local_value(path: String) -> String {
    if path.contains("://") { format!("file://{path}") } else { path }
}

/// The file of this host that `value` names; `None` for other schemes.
fn local_path(job: &Job, value: &str) -> Result<Option<PathBuf>, FetchError> {
    match scheme(value) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if path.is_empty() || !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) {
                return Err(FetchError::OtherHost { uri: value.to_owned(), host: host.to_owned() });
            }
            Ok(Some(PathBuf::from(path)))
        }
        Some(_) => Ok(None),
        None if value.starts_with('/') => Ok(Some(PathBuf::from(value))),
        None => match &job.frameworks_home {
            Some(home) if home.is_absolute() => Ok(Some(home.join(value))),
            Some(home) => Err(FetchError::BadPath {
                uri: value.to_owned(),
                what: "--frameworks_home",
                path: home.clone(),
                expected: "an absolute path",
            }),
            None => Err(FetchError::NoFrameworksHome { uri: value.to_owned() }),
        },
    }
}

fn text(uri: &str, what: &'static str, path: &Path) -> Result<String, FetchError> {
    path.to_str().map(str::to_owned).ok_or_else(|| FetchError::BadPath {
        uri: uri.to_owned(),
        what,
        path: path.to_owned(),
        expected: "UTF-8, as mesos-fetcher's JSON has to be",
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
