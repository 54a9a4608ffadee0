//! What every verb begins with: the record, the configuration, the agent's state.
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::{Path, PathBuf};

use prost::Message;

use crate::cli::Verb;
use crate::config::{self, Config, Settings, Untrusted};
use crate::container::Scope;
use crate::error::{Error, Result};
use crate::proc::Proc;
use crate::protocol::{Described, decode, read_record};

/// A verb's surroundings.
pub struct Context {
    /// The verb, or the command for operators: its warnings begin with it.
    name: &'static str,
    /// Flags and settings in force.
    pub config: Config,
    /// The state of this agent.
    pub scope: Scope,
    /// /proc.
    pub proc: Proc,
}

impl Context {
    /// For all verbs but launch, whose environment nobody but the agent controls.
    ///
    /// # Errors
    /// A bad setting, or a state directory that cannot be used.
    pub fn new(verb: Verb, settings: &Settings) -> Result<Context> {
        Context::with(verb.name(), settings, &Untrusted::default(), None)
    }

    /// `name`: what warnings begin with. `untrusted`: what a framework may have set in this process's
    /// environment. `derived`: the work_dir for when neither flag nor environment (trusted) nor configuration file
    /// has one.
    ///
    /// # Errors
    /// As [`Context::new`].
    pub fn with(
        name: &'static str,
        settings: &Settings,
        untrusted: &Untrusted,
        derived: Option<&Path>,
    ) -> Result<Context> {
        let (config, warnings) =
            Config::resolve_with_file(settings, std::env::vars_os(), untrusted, config::file::read)?;
        let proc = Proc::default();
        let work_dir = config.work_dir.as_deref().or(derived);
        if work_dir.is_none() && std::env::var_os("MESOS_WORK_DIRECTORY").is_some_and(|dir| !dir.is_empty()) {
            return Err(Error::Refused(
                "the task's own environment sets MESOS_WORK_DIRECTORY, and the record's directory does not say what the \
                 agent's is: the agent would not find the container; put --work_dir=PATH on the command line"
                    .into(),
            ));
        }
        // Called by hand, without an agent: all such calls share a scope of their own.
        let work_dir = work_dir.unwrap_or(Path::new("/"));
        let (runtime_dir, boot_id) = (runtime_dir(&config, untrusted)?, proc.boot_id()?);
        // An agent does not start without these two.
        let only_looks = [Verb::Containers, Verb::Recover].iter().any(|verb| verb.name() == name);
        let (scope, why_not) = match only_looks {
            true => Scope::look(&runtime_dir, work_dir, &boot_id)?,
            false => (Scope::open(&runtime_dir, work_dir, &boot_id)?, None),
        };
        let context = Context { name, config, scope, proc };
        warnings.iter().for_each(|w| context.warn(w));
        if let Some(why) = why_not {
            context.warn(&format!("{why}; so there are no containers, and none can be launched"));
        }
        Ok(context)
    }

    /// A line for the operator; the agent relays it to the sandbox's stderr.
    pub fn warn(&self, text: &str) {
        if !self.config.quiet {
            use std::io::Write;
            // The relay may be gone with the agent; the call goes on.
            let line = format!("mesos-ecp: {}: warning: {text}\n", self.name);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

/// `--runtime_dir`, or what is usual for who runs this.
fn runtime_dir(config: &Config, untrusted: &Untrusted) -> Result<PathBuf> {
    if let Some(dir) = &config.runtime_dir {
        return Ok(dir.clone());
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/run/mesos-ecp"));
    }
    let name = "XDG_RUNTIME_DIR";
    let given = std::env::var_os(name).filter(|dir| !untrusted.may_have_set(name.as_ref(), dir)).map(PathBuf::from);
    // Never /tmp, which is cleaned while containers run.
    given.filter(|dir| dir.is_absolute()).map(|dir| dir.join("mesos-ecp")).ok_or_else(|| {
        Error::Refused(
            "there is no place for the state: not run by root and without XDG_RUNTIME_DIR; name a directory that is yours \
             alone and survives as long as the boot by --runtime_dir=PATH"
                .into(),
        )
    })
}

/// Reads the verb's one record.
///
/// # Errors
/// A bad record.
pub fn read<M: Message + Default + Described>(input: &mut impl Read) -> Result<M> {
    Ok(decode(&read_record(input)?)?)
}
