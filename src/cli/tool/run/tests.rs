//! Command lines of `run`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::cli;
use crate::config::Flag;

fn parsed(words: &[&str]) -> Result<ToRun, ConfigError> {
    match cli::parse(words.iter().map(OsString::from))? {
        Invocation::Container(to_run) => Ok(to_run),
        other => panic!("{other:?}"),
    }
}

fn refusal(words: &[&str]) -> String {
    parsed(words).unwrap_err().to_string()
}

#[test]
fn only_a_command_is_needed() {
    let to_run = parsed(&["run", "--", "echo", "--help", "--", "-x", "run"]).unwrap();
    assert_eq!(to_run.command, ["echo", "--help", "--", "-x", "run"]);
    let expected = ToRun { remove: true, command: to_run.command.clone(), ..ToRun::default() };
    assert_eq!(to_run, expected);
}

#[test]
fn own_flags_and_general_ones_in_any_order() {
    let words = [
        "--isolation=posix/cpu",
        "--user=nobody",
        "run",
        "--resources=cpus:1",
        "--env=A=b=c",
        "--quiet",
        "--env=B=",
        "--uri=/a",
        "--uri=/b",
        "--volume=/h:/c:ro",
        "--no-rm",
        "--stdin",
        "--sandbox=s",
        "--",
        "x",
    ];
    let to_run = parsed(&words).unwrap();
    assert_eq!(to_run.settings.get(Flag::named("isolation").unwrap()), Some(OsStr::new("posix/cpu")));
    assert_eq!((to_run.resources.as_deref(), to_run.user.as_deref()), (Some("cpus:1"), Some("nobody")));
    assert_eq!(to_run.environment, [("A".into(), "b=c".into()), ("B".into(), String::new())]);
    assert_eq!((to_run.uris, to_run.volumes), (vec!["/a".into(), "/b".into()], vec!["/h:/c:ro".into()]));
    assert_eq!((to_run.remove, to_run.detach, to_run.stdin), (false, false, true));
    assert_eq!(to_run.sandbox, Some("s".into()));
}

#[test]
fn a_detached_container_keeps_its_sandbox() {
    for words in [&["run", "--detach", "--", "x"] as &[_], &["run", "--detach=true", "--no-rm", "--", "x"]] {
        let to_run = parsed(words).unwrap();
        assert!(to_run.detach && !to_run.remove, "{words:?}");
    }
    assert!(refusal(&["run", "--detach", "--rm", "--", "x"]).starts_with("run: --detach and --rm"));
    assert!(refusal(&["run", "--stdin", "--detach", "--", "x"]).starts_with("run: --detach and --stdin"));
    assert!(!parsed(&["run", "--rm=false", "--no-detach", "--", "x"]).unwrap().remove);
}

#[test]
fn what_is_wrong_is_said() {
    for (words, text) in [
        (&["run"] as &[&str], "run: the command is missing"),
        (&["run", "--"], "run: the command is missing"),
        (&["run", "--", ""], "run: the command is missing"),
        (&["run", "echo", "x"], "run: unexpected argument \"echo\""),
        (&["run", "run", "--", "x"], "run: unexpected argument \"run\""),
        (&["run", "--env=A", "--", "x"], "--env=A: "),
        (&["run", "--env==b", "--", "x"], "--env==b: "),
        (&["run", "--env", "--", "x"], "--env needs a value"),
        (&["run", "--user", "nobody", "--", "x"], "--user needs a value"),
        (&["run", "--user=", "--", "x"], "--user= has no value"),
        (&["run", "--sandbox=", "--", "x"], "--sandbox needs a value"),
        (&["run", "--user=a", "--user=b", "--", "x"], "--user is given twice, as a and as b"),
        (&["run", "--rm", "--no-rm", "--", "x"], "--rm is given twice, as true and as false"),
        (&["run", "--no-rm=true", "--", "x"], "--no-rm=true: "),
        (&["run", "--rm=yes", "--", "x"], "--rm=yes: "),
        (&["run", "--isolation", "--", "x"], "--isolation needs a value"),
        (&["run", "--format=json", "--", "x"], "run: --format=json: only verbs have a message"),
        (&["--format=record", "run", "--", "x"], "run: --format=record: only verbs"),
        (&["run", "--sandbox=s", "--rm", "--", "x"], "run: --sandbox and --rm do not go together"),
    ] {
        let said = refusal(words);
        assert!(said.starts_with(text), "{words:?}: {said}");
    }
}

#[test]
fn an_unknown_flag_is_named_with_the_likely_one() {
    for (flag, likely) in
        [("--resource=x", "--resources"), ("--isolaton=x", "--isolation"), ("--no-detatch", "--detach")]
    {
        let said = refusal(&["run", flag, "--", "x"]);
        assert!(said.starts_with(&format!("run: unknown flag {flag}, did you mean {likely}?")), "{said}");
    }
    assert!(refusal(&["run", "--kubernetes", "--", "x"]).starts_with("run: unknown flag --kubernetes; "));
}

#[test]
fn every_own_flag_is_in_the_help() {
    for name in OWN {
        let listed = |(flag, _): &(&str, &str)| flag.replace("[no-]", "").starts_with(&format!("--{name}"));
        assert!(RUN.flags.iter().any(listed), "{name}");
        assert!(Flag::named(name).is_none(), "{name} is a general flag, too");
    }
    assert_eq!(RUN.flags.len(), OWN.len());
}

#[test]
fn bytes_that_are_no_utf8_are_refused() {
    let word = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    for words in [
        vec![word(b"run"), word(b"--user=\xff"), word(b"--"), word(b"x")],
        vec![word(b"run"), word(b"--"), word(b"\xff")],
    ] {
        let error = cli::parse(words.into_iter()).unwrap_err();
        assert!(error.to_string().contains("not valid UTF-8"), "{error}");
    }
}
