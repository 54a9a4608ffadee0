//! One environment that every release's `mesos-fetcher` understands.
//!
//! From 0.22 on the input is JSON in `MESOS_FETCHER_INFO`, turned into a protobuf message field by field: names the
//! message does not have are skipped, at every level, in all of these releases. The two shapes that the message had
//! under its one name (0.22, and 0.23 to 1.0) agree in the types of the names they share, so that one object carries both. `null` is an
//! error to the older ones: what is not set is left out. Before 0.22 there were plain variables, which the newer
//! releases do not look at.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::name::shown;
use super::{FetchError, Job, Uri};

/// Programs that `mesos-fetcher` starts (tar, unzip, gunzip, hadoop) are looked for here, and nowhere that a task's
/// environment could name.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is passed on from our own environment: what Java, curl and `mesos-ecp-fetch` need to reach the outside, and the address that
/// libprocess, which newer releases start for the hadoop client, would otherwise ask the resolver for.
const PASSED_ON: [&str; 20] = [
    "ALL_PROXY",
    "FTP_PROXY",
    "HADOOP_CONF_DIR",
    "HADOOP_HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "JAVA_HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LIBPROCESS_IP",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TZ",
    "all_proxy",
    "ftp_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// One run of `mesos-fetcher`.
pub(super) struct Call<'a> {
    pub(super) program: &'a Path,
    pub(super) sandbox: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) frameworks_home: Option<&'a str>,
    pub(super) environment: &'a [(OsString, OsString)],
    pub(super) uris: &'a [Uri],
}

/// Names a few URIs and says how many more there are.
pub(super) fn few(uris: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let all: Vec<String> = uris.collect();
    let shown = all[..all.len().min(SHOWN)].join(", ");
    if all.len() > SHOWN { format!("{shown} and {} more", all.len() - SHOWN) } else { shown }
}

/// The variables of `job` that its `mesos-fetcher` gets besides its input.
pub(super) fn passed_on(job: &Job) -> Vec<(OsString, OsString)> {
    let known = |name: &OsString| PASSED_ON.iter().any(|known| name == known);
    let mut environment: Vec<_> = job.environment.iter().filter(|(name, _)| known(name)).cloned().collect();
    environment.push(("PATH".into(), PATH.into()));
    // By which its processes are found if the supervisor is killed.
    environment.push(("MESOS_CONTAINER_ID".into(), job.container.clone().into()));
    if let Some(home) = &job.hadoop_home {
        environment.push(("HADOOP_HOME".into(), home.clone().into_os_string()));
    }
    environment
}

impl Call<'_> {
    /// Replaces this process; comes back only with the reason why it could not.
    pub(super) fn become_it(&self) -> FetchError {
        let error = self.command().exec();
        self.not_started(error)
    }

    /// Starts it and waits for its end.
    pub(super) fn run(&self) -> Result<(), FetchError> {
        let status = self.command().status().map_err(|error| self.not_started(error))?;
        if status.success() {
            return Ok(());
        }
        Err(FetchError::Failed { program: self.program.to_owned(), uris: self.listed(), status })
    }

    /// The command with its whole environment.
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.env_clear().envs(self.environment.iter().cloned());
        command.env("MESOS_FETCHER_INFO", self.info().to_string());
        command.env("MESOS_WORK_DIRECTORY", self.sandbox);
        // A space separates the URIs there: without the variable such an old release fails, with it it would fetch
        // the pieces.
        if !self.uris.iter().any(|uri| uri.value.contains(' ')) {
            command.env("MESOS_EXECUTOR_URIS", self.plain_list());
        }
        if let Some(user) = self.user {
            command.env("MESOS_USER", user);
        }
        if let Some(home) = self.frameworks_home {
            command.env("MESOS_FRAMEWORKS_HOME", home);
        }
        command
    }

    /// The input of 0.22 and later.
    fn info(&self) -> Value {
        let uris: Vec<Value> = self.uris.iter().map(uri_message).collect();
        let items: Vec<Value> = uris.iter().map(|uri| json!({"uri": uri, "action": "BYPASS_CACHE"})).collect();
        let mut info = Map::new();
        info.insert("sandbox_directory".to_owned(), self.sandbox.into());
        info.insert("items".to_owned(), items.into());
        info.insert("work_directory".to_owned(), self.sandbox.into());
        info.insert("command_info".to_owned(), json!({"uris": uris}));
        if let Some(user) = self.user {
            info.insert("user".to_owned(), user.into());
        }
        if let Some(home) = self.frameworks_home {
            info.insert("frameworks_home".to_owned(), home.into());
        }
        info.into()
    }

    /// The input of 0.19 to 0.21: `uri+` followed by 1 for executable and X for extract, or 0 and N.
    fn plain_list(&self) -> String {
        let entries: Vec<String> = self
            .uris
            .iter()
            .map(|uri| {
                let executable = if uri.executable { '1' } else { '0' };
                let extract = if uri.extract { 'X' } else { 'N' };
                format!("{}+{executable}{extract}", uri.value)
            })
            .collect();
        entries.join(" ")
    }

    fn listed(&self) -> String {
        few(self.uris.iter().map(|uri| shown(&uri.value)))
    }

    fn not_started(&self, error: io::Error) -> FetchError {
        let advice = match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {
                "; it comes with Mesos: set --launcher_dir to the directory that holds it, or, for http and archives, install \
                 mesos-ecp-fetch beside mesos-ecp"
            }
            Some(libc::EACCES) => "; the container's user must be able to reach and execute it",
            Some(libc::E2BIG) => "; the command has too many URIs, or too long ones",
            _ => "",
        };
        FetchError::Start { program: self.program.to_owned(), uris: self.listed(), error, advice: advice.to_owned() }
    }
}

fn uri_message(uri: &Uri) -> Value {
    let mut message = Map::new();
    message.insert("value".to_owned(), uri.value.as_str().into());
    message.insert("executable".to_owned(), uri.executable.into());
    message.insert("extract".to_owned(), uri.extract.into());
    if let Some(cache) = uri.cache {
        message.insert("cache".to_owned(), cache.into());
    }
    if let Some(output_file) = &uri.output_file {
        message.insert("output_file".to_owned(), output_file.as_str().into());
    }
    message.into()
}

#[cfg(test)]
#[path = "mesos_fetcher_tests.rs"]
mod tests;
