//! What each form of a command line means.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::config::Flag;
use std::os::unix::ffi::OsStringExt;

fn parsed(line: &str) -> Result<Invocation, ConfigError> {
    parse(line.split_whitespace().map(OsString::from))
}

fn refusal(line: &str) -> String {
    parsed(line).unwrap_err().to_string()
}

fn set(settings: &Settings, name: &str) -> Option<String> {
    let value = settings.get(Flag::named(name).unwrap())?;
    Some(value.to_str().unwrap().to_owned())
}

#[test]
fn every_verb_by_its_name() {
    let names: Vec<&str> = Verb::ALL.iter().map(|verb| verb.name()).collect();
    assert_eq!(names, ["launch", "update", "usage", "wait", "destroy", "containers", "recover"]);
    for verb in Verb::ALL {
        let expected = Invocation::Run { verb: *verb, settings: Settings::default() };
        assert_eq!(parsed(verb.name()), Ok(expected));
    }
}

#[test]
fn flags_before_and_after_the_verb() {
    for line in ["--work_dir=/w --quiet launch", "--work_dir=/w launch --quiet", "launch --quiet --work_dir=/w"] {
        let Ok(Invocation::Run { verb: Verb::Launch, settings }) = parsed(line) else { panic!("{line}") };
        assert_eq!(set(&settings, "work_dir").as_deref(), Some("/w"), "{line}");
        assert_eq!(set(&settings, "quiet").as_deref(), Some("true"), "{line}");
        assert_eq!(set(&settings, "isolation"), None, "{line}");
    }
    assert!(refusal("--quiet launch --quiet").contains("given twice"));
}

#[test]
fn help_in_its_forms() {
    for line in ["help", "--help", "-h", "help --help", "--quiet -h", "--fetch_timeout=nonsense help"] {
        assert_eq!(parsed(line), Ok(Invocation::Help), "{line}");
    }
    for line in ["help wait", "wait --help", "wait -h", "--help wait", "--quiet wait --help --work_dir=/w"] {
        assert_eq!(parsed(line), Ok(Invocation::VerbHelp(Verb::Wait)), "{line}");
    }
    for line in ["--version", "-V", "version", "wait --version"] {
        assert_eq!(parsed(line), Ok(Invocation::Version), "{line}");
    }
}

#[test]
fn a_value_apart_from_its_flag_is_explained() {
    assert!(refusal("--isolation posix/cpu launch").ends_with("write --isolation=LIST"));
}

#[test]
fn without_a_verb() {
    for line in ["", "--quiet", "--work_dir=/w"] {
        let message = refusal(line);
        assert!(message.starts_with("a verb is missing"), "{message}");
        assert!(Verb::ALL.iter().all(|verb| message.contains(verb.name())), "{message}");
    }
}

#[test]
fn an_unknown_verb_is_named_with_the_likely_one_and_all_known() {
    let message = refusal("luanch");
    assert!(message.starts_with("unknown verb \"luanch\", did you mean launch?"), "{message}");
    assert!(Verb::ALL.iter().all(|verb| message.contains(verb.name())), "{message}");
    assert!(!refusal("kubernetes").contains("did you mean"));
    for line in ["help luanch", "--quiet true launch", "Launch", "help help"] {
        assert!(refusal(line).starts_with("unknown verb"), "{line}");
    }
    let bytes = parse([OsString::from_vec(b"wait\xff".to_vec())].into_iter()).unwrap_err();
    assert!(bytes.to_string().contains("did you mean wait?"), "{bytes}");
}

#[test]
fn nothing_but_flags_after_the_verb() {
    assert!(refusal("launch now").starts_with("unexpected argument \"now\" after launch"));
    assert!(refusal("launch wait").starts_with("unexpected argument \"wait\" after launch"));
    assert!(refusal("help wait now").starts_with("unexpected argument \"now\" after wait"));
    assert!(refusal("version now").starts_with("unexpected argument \"now\" after version"));
    assert!(refusal("launch --help now").starts_with("unexpected argument"));
    assert!(refusal("--help --no_such_flag").starts_with("unknown flag"));
}

#[test]
fn an_agent_to_start() {
    let command = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    for line in
        ["agent --workers=64 -- mesos-slave --help agent -- x", "--workers=64 agent -- mesos-slave --help agent -- x"]
    {
        let expected = Order { workers: 64, command: command(&["mesos-slave", "--help", "agent", "--", "x"]) };
        assert_eq!(parsed(line), Ok(Invocation::Agent(expected)), "{line}");
    }
    for (line, workers) in [("agent --workers=1 -- a", 1), ("agent --workers=1024 -- a", 1024)] {
        assert_eq!(parsed(line), Ok(Invocation::Agent(Order { workers, command: command(&["a"]) })), "{line}");
    }
    for line in ["help agent", "agent --help", "-h agent", "agent --workers=x --help -- y"] {
        assert_eq!(parsed(line), Ok(Invocation::ToolHelp(Tool::Agent)), "{line}");
    }
    assert_eq!(parsed("agent --version -- y"), Ok(Invocation::Version));
}

#[test]
fn an_agent_that_cannot_be_started() {
    for value in ["0", "1025", "-1", "x", "", "1.5", "99999999999"] {
        let message = refusal(&format!("agent --workers={value} -- a"));
        assert!(message.starts_with(&format!("--workers={value}: a whole number from 1 to 1024")), "{message}");
    }
    assert!(refusal("agent --workers 8 -- a").starts_with("--workers needs a value"));
    assert!(refusal("agent --workers=8 --workers=9 -- a").contains("given twice"));
    assert!(refusal("agent -- a").starts_with("agent: --workers=N is missing"));
    for line in ["agent --workers=8", "agent --workers=8 --"] {
        assert!(refusal(line).starts_with("agent: the command is missing"), "{line}");
    }
    for line in ["agent --workers=8 mesos-slave", "agent agent", "--quiet agent --workers=8 -- a", "agent --work=8"] {
        assert!(refusal(line).starts_with("agent: unexpected argument"), "{line}");
    }
    assert!(refusal("help agent now").starts_with("unexpected argument \"now\" after agent"));
    // Before the command's name stands a verb.
    assert!(refusal("launch -- agent").starts_with("unknown flag --"));
    assert!(refusal("launch agent").starts_with("unexpected argument \"agent\" after launch"));
    assert!(refusal("agnet").contains("did you mean agent?"));
}
