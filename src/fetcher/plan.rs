//! From a request to the list of steps: what is copied, what `mesos-fetcher` gets, and what is refused.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::mesos_fetcher::{self, Call, few};
use super::name::{destination, is_archive, scheme};
use super::{FetchError, Job, Uri};

/// What [`fetch`](super::fetch) is going to do; made by [`plan`].
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) sandbox: PathBuf,
    pub(super) user: Option<String>,
    pub(super) steps: Vec<Step>,
    program: PathBuf,
    sandbox_text: String,
    frameworks_home: Option<String>,
    environment: Vec<(OsString, OsString)>,
}

/// One step of a plan, in the order of the URIs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// A file of this host, copied here.
    Copy(Local),
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

    /// The URIs that `mesos-fetcher` is to fetch, or the first few of them, for messages.
    #[must_use]
    pub fn handed_over(&self) -> String {
        let uris = self.steps.iter().flat_map(|step| match step {
            Step::Copy(_) => [].iter(),
            Step::HandOver(uris) => uris.iter(),
        });
        few(uris.map(|uri| uri.value.as_str()))
    }

    /// The `mesos-fetcher` that will be started; `None` when the plan does without.
    #[must_use]
    pub fn program(&self) -> Option<&Path> {
        let needed = self.steps.iter().any(|step| matches!(step, Step::HandOver(_)));
        needed.then_some(&self.program)
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

/// Decides for each URI of `job` how it is fetched. Reads and makes nothing.
///
/// # Errors
/// On the first URI that cannot be fetched, whatever the host looks like.
pub fn plan(job: &Job) -> Result<Plan, FetchError> {
    let mut plan = Plan {
        sandbox: job.sandbox.clone(),
        user: job.user.clone(),
        steps: Vec::with_capacity(job.uris.len()),
        program: PathBuf::new(),
        sandbox_text: String::new(),
        frameworks_home: None,
        environment: Vec::new(),
    };
    for (index, uri) in job.uris.iter().enumerate() {
        match classify(job, index + 1, uri)? {
            Step::HandOver(mut next) => {
                if plan.program.as_os_str().is_empty() {
                    prepare_hand_over(&mut plan, job, &uri.value)?;
                }
                if let Some(Step::HandOver(uris)) = plan.steps.last_mut() {
                    uris.append(&mut next);
                } else {
                    plan.steps.push(Step::HandOver(next));
                }
            }
            copy => plan.steps.push(copy),
        }
    }
    Ok(plan)
}

/// What only `mesos-fetcher` needs is asked for only where it is needed.
fn prepare_hand_over(plan: &mut Plan, job: &Job, uri: &str) -> Result<(), FetchError> {
    let Some(directory) = &job.launcher_dir else {
        return Err(FetchError::NoFetcher { uri: uri.to_owned() });
    };
    plan.program = directory.join("mesos-fetcher");
    plan.sandbox_text = text(uri, "the sandbox", &job.sandbox)?;
    if let Some(home) = &job.frameworks_home {
        plan.frameworks_home = Some(text(uri, "--frameworks_home", home)?);
    }
    plan.environment = mesos_fetcher::passed_on(job);
    Ok(())
}

fn classify(job: &Job, number: usize, uri: &Uri) -> Result<Step, FetchError> {
    // As newer releases of mesos-fetcher do.
    let value = uri.value.trim_start_matches([' ', '\t', '\n', '\r']);
    if value.is_empty() {
        return Err(FetchError::EmptyUri { number });
    }
    if value.contains('\0') || uri.output_file.as_ref().is_some_and(|name| name.contains('\0')) {
        return Err(FetchError::Nul { uri: value.to_owned() });
    }
    let from = local_path(job, value)?;
    let to = destination(uri, value)?;
    let name = to.last().map_or("", String::as_str);
    match from {
        Some(from) if uri.executable || !uri.extract || !is_archive(name) => {
            Ok(Step::Copy(Local { from, to, executable: uri.executable }))
        }
        // What was resolved here is handed over resolved: the releases differ in where they look for relative paths.
        Some(from) => hand_over(uri, local_value(text(value, "the path", &from)?)),
        None => hand_over(uri, value.to_owned()),
    }
}

fn hand_over(uri: &Uri, value: String) -> Result<Step, FetchError> {
    let refused = |text: &str| text.contains(['\\', '\'']);
    if refused(&value) || uri.output_file.as_deref().is_some_and(refused) {
        return Err(FetchError::FetcherRefuses { uri: value });
    }
    Ok(Step::HandOver(vec![Uri { value, ..uri.clone() }]))
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
