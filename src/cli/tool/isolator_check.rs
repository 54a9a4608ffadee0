//! How `isolator-check` is written: like a verb, with the isolator's name.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::{Tool, ToolAbout};
use crate::cli::{Invocation, extra_argument};
use crate::config::{ConfigError, Settings};
use crate::testing::Order;

pub(super) const ISOLATOR_CHECK: ToolAbout = ToolAbout {
    name: "isolator-check",
    summary: "Check an isolator against the contract",
    arguments: "NAME [--flag=value...]",
    flags: &[],
    text: &[
        "NAME is an isolator as it stands in --isolation: program/NAME for a program in --isolator_dir above all. It takes the flags \
         of the verbs, mesos-ecp help has them.",
        "The isolator is taken through containers' lives: a whole one, many in a row, two at once; cleanup twice, of what was only \
         planned, and of nothing; a crash behind each call and kill -9 in its middle, each with what follows; resources that become \
         more and less, facts that are garbage, the longest id. No call may be slow, hang, or leave processes running. A program is \
         also run with calls that it does not know, garbage and nothing as its input.",
        "The containers have a directory for temporary files, cgroups of their own, and a first process that sleeps. The isolator is \
         real, and does to the host what it always does: best not beside an agent whose containers use it.",
    ],
    exits: &[
        ("0", "No check has failed. Standard output has a line for each: ok, FAILED with why, or not done with why."),
        (
            "1",
            "A check has failed, the isolator cannot be tried here (its cgroups take root, say) or is not known, or a flag is wrong.",
        ),
    ],
    example: "mesos-ecp isolator-check program/slots --isolator_dir=/etc/mesos-ecp/isolators",
};

pub(super) fn parse(arguments: Vec<OsString>) -> Result<Invocation, ConfigError> {
    let mut settings = Settings::default();
    let (mut help, mut version, mut named, mut isolator) = (false, false, false, None);
    for argument in arguments {
        match argument.as_bytes() {
            b"--help" | b"-h" => help = true,
            b"--version" | b"-V" => version = true,
            [b'-', ..] => settings.add(&argument)?,
            word if !named && word == ISOLATOR_CHECK.name.as_bytes() => named = true,
            _ if isolator.is_none() => isolator = Some(argument.to_string_lossy().into_owned()),
            _ => return Err(extra_argument(ISOLATOR_CHECK.name, &argument)),
        }
    }
    match (help, version, isolator) {
        (true, ..) => Ok(Invocation::ToolHelp(Tool::IsolatorCheck)),
        (_, true, _) => Ok(Invocation::Version),
        (.., Some(isolator)) => Ok(Invocation::IsolatorCheck(Order { isolator, settings })),
        _ => Err(ConfigError::NoIsolatorToCheck),
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
    fn it_takes_one_name_and_the_flags_of_verbs() {
        let mut settings = Settings::default();
        settings.add("--isolator_dir=/d".as_ref()).unwrap();
        let order = Order { isolator: "program/x".into(), settings };
        for words in [
            ["isolator-check", "program/x", "--isolator_dir=/d"],
            ["--isolator_dir=/d", "isolator-check", "program/x"],
            ["isolator-check", "--isolator_dir=/d", "program/x"],
        ] {
            assert_eq!(parsed(&words).unwrap(), Invocation::IsolatorCheck(order.clone()));
        }
        let help = Invocation::ToolHelp(Tool::IsolatorCheck);
        assert_eq!(parsed(&["isolator-check", "--help"]).unwrap(), help);
        assert_eq!(parsed(&["isolator-check", "program/x", "-V"]).unwrap(), Invocation::Version);
        let missing = parsed(&["isolator-check"]).unwrap_err().to_string();
        assert!(missing.contains("mesos-ecp isolator-check NAME"), "{missing}");
        let extra = parsed(&["isolator-check", "program/x", "program/y"]).unwrap_err().to_string();
        assert!(extra.contains("\"program/y\" after isolator-check"), "{extra}");
        assert!(
            parsed(&["isolator-check", "program/x", "--no_such"]).unwrap_err().to_string().contains("unknown flag")
        );
    }
}
