//! How `isolator-check` is written: like a verb, with the isolator's name.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::{Tool, ToolAbout};
use crate::cli::{Invocation, extra_argument};
use crate::config::values::ValueError;
use crate::config::{ConfigError, Settings};
use crate::testing::Order;

pub(super) const ISOLATOR_CHECK: ToolAbout = ToolAbout {
    name: "isolator-check",
    summary: "Check an isolator against the contract",
    arguments: "NAME [--lives=N] [--kills=N] [--flag=value...]",
    flags: &[
        (
            "--lives=N",
            "How many containers are launched and ended in a row: more than what the isolator can give away in all. \
             Default: 20.",
        ),
        ("--kills=N", "How often each call is killed in its middle. Default: 3."),
    ],
    text: &[
        "NAME is an isolator as it stands in --isolation: program/NAME for a program in --isolator_dir above all. It takes the flags \
         of the verbs, mesos-ecp help has them.",
        "The isolator is taken through containers' lives: a whole one, many in a row, as many at once as it allows (up to 64); cleanup twice, of what was only \
         planned, and of nothing; a crash behind each call and kill -9 in its middle, each with what follows; resources that become \
         more and less, facts that are garbage, the longest id. No call may be slow, hang, or leave processes running. A program is \
         also run with calls that it does not know, garbage and nothing as its input.",
        "The containers have a directory for temporary files, cgroups of their own, and a first process that sleeps. The isolator is \
         real, and does to the host what it always does: best not beside an agent whose containers use it. SIGINT and SIGTERM end the run; the \
         directory and cgroups of its containers are removed first, what the isolator has made for the one under way may be left.",
    ],
    exits: &[
        (
            "0",
            "No check has failed. Standard output has a line for each when it is done: ok, FAILED with why, or not done with why.",
        ),
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
    let (mut lives, mut kills): (Option<String>, Option<String>) = (None, None);
    for argument in arguments {
        match argument.as_bytes() {
            b"--help" | b"-h" => help = true,
            b"--version" | b"-V" => version = true,
            [b'-', ..] => match own(&argument) {
                Some((LIVES, value)) => once(&mut lives, LIVES, value)?,
                Some((KILLS, value)) => once(&mut kills, KILLS, value)?,
                _ => settings.add(&argument)?,
            },
            word if !named && word == ISOLATOR_CHECK.name.as_bytes() => named = true,
            _ if isolator.is_none() => isolator = Some(argument.to_string_lossy().into_owned()),
            _ => return Err(extra_argument(ISOLATOR_CHECK.name, &argument)),
        }
    }
    match (help, version, isolator) {
        (true, ..) => Ok(Invocation::ToolHelp(Tool::IsolatorCheck)),
        (_, true, _) => Ok(Invocation::Version),
        (.., Some(isolator)) => {
            let lives = lives.map(|value| number(LIVES, &value)).transpose()?;
            let kills = kills.map(|value| number(KILLS, &value)).transpose()?;
            // Of neither there will ever be as many.
            let lives = lives.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
            let kills = kills.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
            Ok(Invocation::IsolatorCheck(Order { isolator, settings, lives, kills }))
        }
        _ => Err(ConfigError::NoIsolatorToCheck),
    }
}

const LIVES: &str = "lives";
const KILLS: &str = "kills";

/// One of this command's own flags, with its value if it has one.
fn own(argument: &OsStr) -> Option<(&'static str, Option<String>)> {
    let text = argument.to_str()?.strip_prefix("--")?;
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
    [LIVES, KILLS].into_iter().find(|known| *known == name).map(|known| (known, value))
}

fn once(place: &mut Option<String>, name: &'static str, value: Option<String>) -> Result<(), ConfigError> {
    let value = value.ok_or(ConfigError::MissingValue { name, placeholder: "N" })?;
    match place.replace(value.clone()) {
        None => Ok(()),
        Some(first) => Err(ConfigError::Twice { name, first, second: value }),
    }
}

fn number(name: &str, value: &str) -> Result<u64, ConfigError> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| ConfigError::Invalid { setting: format!("--{name}={value}"), reason: ValueError::Number })
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
        let order = Order { isolator: "program/x".into(), settings, ..Order::default() };
        for words in [
            ["isolator-check", "program/x", "--isolator_dir=/d"],
            ["--isolator_dir=/d", "isolator-check", "program/x"],
            ["isolator-check", "--isolator_dir=/d", "program/x"],
        ] {
            assert_eq!(parsed(&words).unwrap(), Invocation::IsolatorCheck(order.clone()));
        }
        let with = parsed(&["isolator-check", "--lives=3000", "x", "--kills=9"]).unwrap();
        let order = Order { isolator: "x".into(), lives: Some(3000), kills: Some(9), ..Order::default() };
        assert_eq!(with, Invocation::IsolatorCheck(order));
        for (wrong, why) in [
            (&["--lives=0"][..], "--lives=0: it is a whole number from 1"),
            (&["--kills=x"], "--kills=x: it is a whole number from 1"),
            (&["--lives"], "--lives=N"),
            (&["--kills=1", "--kills=2"], "given twice"),
        ] {
            let error = parsed(&[&["isolator-check", "x"], wrong].concat()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
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
