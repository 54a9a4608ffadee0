//! How `network` is written: with the one word that says what is to be done.
#![forbid(unsafe_code)]

use std::ffi::OsString;

use super::{Tool, ToolAbout};
use crate::cli::Invocation;
use crate::config::ConfigError;

pub(super) const NETWORK: ToolAbout = ToolAbout {
    name: "network",
    summary: "Undo what network/port_mapping has changed about the host",
    arguments: "teardown",
    flags: &[],
    text: &[
        "The isolator network/port_mapping changes a few things about the host's network when the first container is launched, and \
         leaves them for the next one: qdiscs for what eth0 and lo receive, the address and the MTU of lo, and some settings below \
         /proc/sys/net/ipv4/conf. teardown makes all of it what it was before.",
        "There must be no containers in it. Nothing to undo is no failure. Takes root.",
    ],
    exits: &[
        ("0", "The host is as it was."),
        ("1", "It is not: standard error says why. Call it again when the cause is gone."),
    ],
    example: "mesos-ecp network teardown",
};

const TEARDOWN: &str = "teardown";

pub(super) fn parse(arguments: Vec<OsString>) -> Result<Invocation, ConfigError> {
    let (mut help, mut version, mut named, mut order) = (false, false, false, false);
    for argument in arguments {
        let text = argument.to_string_lossy();
        match &*text {
            "--help" | "-h" => help = true,
            "--version" | "-V" => version = true,
            name if !named && name == NETWORK.name => named = true,
            TEARDOWN if named && !order => order = true,
            _ => return Err(ConfigError::NotNetworks { argument: text.into_owned() }),
        }
    }
    match (help, version) {
        (true, _) => Ok(Invocation::ToolHelp(Tool::Network)),
        (_, true) => Ok(Invocation::Version),
        _ if order => Ok(Invocation::NetworkTeardown),
        _ => Err(ConfigError::NoNetworkOrder),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(words: &[&str]) -> Result<Invocation, ConfigError> {
        parse(words.iter().map(OsString::from).collect())
    }

    #[test]
    fn one_word_is_all_that_it_takes() {
        assert_eq!(parsed(&["network", "teardown"]).unwrap(), Invocation::NetworkTeardown);
        assert_eq!(parsed(&["network", "teardown", "--help"]).unwrap(), Invocation::ToolHelp(Tool::Network));
        assert_eq!(parsed(&["network", "-V"]).unwrap(), Invocation::Version);
        assert!(parsed(&["network"]).unwrap_err().to_string().contains("mesos-ecp network teardown"));
        for bad in
            [&["network", "up"][..], &["network", "teardown", "teardown"], &["network", "teardown", "--work_dir=/w"]]
        {
            assert!(parsed(bad).unwrap_err().to_string().contains("teardown"), "{bad:?}");
        }
    }
}
