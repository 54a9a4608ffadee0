//! Whether the first process will be allowed to set the limits and capabilities that it is to have. It would find out by
//! itself, but it has only numbers to say so.
#![forbid(unsafe_code)]

use std::fs;

use caps::{CapSet, Capability};

use crate::config::capability::Capabilities;
use crate::config::rlimit::{Amount, Limit};
use crate::error::{Error, Result};
use crate::isolators::permitted;
use crate::sys::{self, Privileges};

/// In a user namespace of its own the first process has all capabilities; limits it sets before it enters.
///
/// # Errors
/// The first that it will not be allowed to, and what to do.
pub(super) fn check(privileges: &Privileges, own_users: bool) -> Result<()> {
    if let Some(wanted) = &privileges.capabilities
        && !own_users
    {
        capabilities(Capabilities { bits: wanted.permitted }, permitted()?)?;
    }
    if privileges.rlimits.is_empty() {
        return Ok(());
    }
    let may_raise = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_RESOURCE).unwrap_or(false);
    // Where it cannot be read, the kernel decides.
    let files = fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
    privileges.rlimits.iter().try_for_each(|limit| {
        let limit = Limit::from(*limit);
        let (_, hard) = sys::rlimit(limit.resource).map_err(Error::system("look at the resource limits"))?;
        rlimit(&limit, hard, may_raise, files.unwrap_or(u64::MAX))
    })
}

fn capabilities(wanted: Capabilities, own: Capabilities) -> Result<()> {
    let missing = wanted.without(own);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the container cannot have the capabilities {missing}: mesos-ecp does not have them itself; leave them out of \
         --effective_capabilities and of the task's linux_info, or give them to the agent"
    )))
}

/// `own`: the hard limit of this process. `files`: the most that any limit of descriptors may be.
fn rlimit(limit: &Limit, own: u64, may_raise: bool, files: u64) -> Result<()> {
    let (name, hard) = (limit.name(), limit.hard);
    let refuse = |why: String| Err(Error::Refused(format!("cannot set the resource limit {limit}: {why}")));
    if limit.resource == libc::RLIMIT_NOFILE && hard > files {
        return refuse(format!(
            "the kernel allows at most {files} (/proc/sys/fs/nr_open); lower it in --default_rlimits or in the task's rlimit_info"
        ));
    }
    if hard > own && !may_raise {
        return refuse(format!(
            "the agent's own hard limit of {name} is {}, and to raise it to {} takes CAP_SYS_RESOURCE; lower it in \
             --default_rlimits or in the task's rlimit_info, or raise the agent's own (Limit{name}= in its systemd unit)",
            Amount(own),
            Amount(hard)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::rlimit::parse;

    fn limit(text: &str, own: u64, may_raise: bool) -> String {
        let found = parse(text).unwrap().iter().try_for_each(|limit| rlimit(limit, own, may_raise, 1 << 20));
        found.map_or_else(|e| e.to_string(), |()| String::new())
    }

    #[test]
    fn limits_that_cannot_be_raised_are_named() {
        assert_eq!(limit("NOFILE=20000,CORE=0:20000", 20000, false), "");
        assert_eq!(limit("NOFILE=30000", 20000, true), "");
        let error = limit("NOFILE=1024:30000", 20000, false);
        for words in ["NOFILE=1024:30000", "is 20000", "raise it to 30000", "CAP_SYS_RESOURCE", "LimitNOFILE="] {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert!(limit("CORE=unlimited", 5, false).contains("raise it to unlimited"));
        assert_eq!(limit("CORE=unlimited", u64::MAX, false), "");
        // Nobody may.
        for may_raise in [true, false] {
            assert!(limit("NOFILE=unlimited", u64::MAX, may_raise).contains("at most 1048576 (/proc/sys/fs/nr_open)"));
        }
    }

    #[test]
    fn capabilities_that_are_not_there_are_named() {
        let set = |text| Capabilities::parse(text).unwrap();
        capabilities(set("KILL"), set("KILL,CHOWN")).unwrap();
        let error = capabilities(set("KILL,SYS_RESOURCE,BPF"), set("KILL,CHOWN")).unwrap_err().to_string();
        assert!(error.contains("cannot have the capabilities SYS_RESOURCE,BPF:"), "{error}");
    }
}
