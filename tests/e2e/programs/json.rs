//! Programs that speak JSON, as scripts do, and what they say of themselves.

use std::fs;

use super::{agent_with, calls, dir_flag, launch};
use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, cgroups, eventually, need_root};
use crate::refusals::assert_says;

/// An isolator that says of itself what `description` has, keeps what it is told in a file for each call, and answers as `case`
/// says.
pub(super) fn speaker(agent: &Agent, name: &str, description: &str, case: &str) {
    let root = agent.path("").display().to_string();
    let root = root.trim_end_matches('/');
    agent.helper(
        name,
        &format!(
            "echo {name} $1 >> {root}/calls\n\
             case $1 in describe) echo '{description}'; exit ;; esac\n\
             cat > {root}/told.$1\n\
             case $1 in\n{case}\n*) ;;\nesac"
        ),
    );
}

pub(super) fn told(agent: &Agent, call: &str) -> String {
    fs::read_to_string(agent.path(&format!("told.{call}"))).unwrap()
}

#[test]
fn a_script_is_told_in_json_and_answers_in_json() {
    let agent = agent_with("program/script");
    speaker(
        &agent,
        "script",
        "{}",
        r#"plan) echo '{"facts": "slot 3"}' ;;
        prepare) echo '{"facts": "slot 4", "environment": {"variables": [{"name": "SLOT", "value": "4"}]}}' ;;
        update) echo '{"facts": "slot 5"}' ;;
        usage) echo '{"statistics": {"processes": 17, "net_rx_bytes": 5}}' ;;"#,
    );
    let container = launch(&agent, &format!("echo $SLOT; {AWAIT_GO}"));
    let usage = container.usage();
    assert_eq!((usage.message.get_varint(30), usage.timestamp > 1e9), (Some(17), true), "{usage:?}");
    container.update(&[("cpus", 0.5)]).ok();
    container.go();
    container.complete().assert_status(0);
    assert_eq!(container.line("stdout"), "4");
    let id = format!("\"container_id\":\"{}\"", container.id);
    for (call, facts) in [("prepare", "slot 3"), ("isolate", "slot 4"), ("usage", "slot 4"), ("cleanup", "slot 5")] {
        let told = told(&agent, call);
        assert!(told.contains(&id) && told.ends_with("}\n") && told.lines().count() == 1, "{call}: {told}");
        assert!(told.contains(&format!("\"facts\":\"{facts}\"")), "{call}: {told}");
    }
    let sandbox = format!("\"sandbox\":\"{}\"", container.path("x").parent().unwrap().display());
    assert!(told(&agent, "plan").contains(&sandbox) && told(&agent, "plan").contains("\"launch\":{"));
    assert!(told(&agent, "isolate").contains("\"pid\":") && !told(&agent, "plan").contains("\"pid\":"));
    assert!(told(&agent, "cleanup").contains("\"ended\":{") && told(&agent, "cleanup").contains("\"status\":0"));
    assert!(told(&agent, "probe") == "{}\n", "{}", told(&agent, "probe"));
    agent.assert_nothing_left();
}

#[test]
fn only_the_calls_of_the_description_are_made() {
    let agent = agent_with("program/few");
    speaker(&agent, "few", r#"{"calls": ["prepare", "cleanup"]}"#, "");
    let container = launch(&agent, "sleep 1000");
    for _ in 0..3 {
        container.usage();
    }
    container.update(&[("cpus", 0.5)]).ok();
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    container.destroy();
    wait.finish();
    assert_eq!(calls(&agent), ["few describe", "few prepare", "few cleanup"]);
    agent.assert_nothing_left();
}

/// What it said at launch holds for the container, whatever the program says by then.
#[test]
fn a_description_is_kept_with_the_container() {
    let agent = agent_with("program/changing");
    speaker(&agent, "changing", r#"{"calls": ["cleanup"]}"#, "");
    let container = launch(&agent, "sleep 1000");
    speaker(&agent, "changing", r#"{"calls": ["usage", "cleanup"]}"#, "");
    container.usage();
    container.destroy();
    container.wait();
    assert_eq!(calls(&agent), ["changing describe", "changing cleanup"]);
}

#[test]
fn descriptions_that_make_no_sense_are_refused() {
    for (description, says) in [
        (r#"{"calls": ["prepare", "clean"]}"#, "no call \"clean\""),
        (r#"{"controllers": ["gpu"]}"#, "no controller \"gpu\""),
        (r#"{"version": 2}"#, "version"),
        ("I am an isolator", "neither a record nor JSON"),
    ] {
        let agent = agent_with("program/odd");
        speaker(&agent, "odd", description, "");
        let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
        assert_says(&refused, &["program/odd", "describe", says]);
        assert_eq!(calls(&agent), ["odd describe"]);
        agent.assert_nothing_left();
    }
}

#[test]
fn a_probe_can_refuse_the_host() {
    let agent = agent_with("program/choosy");
    speaker(
        &agent,
        "choosy",
        r#"{"calls": ["probe", "cleanup"]}"#,
        r#"probe) echo '{"error": "there is no GPU here"}' ;;"#,
    );
    assert_says(
        &agent.task("touch ran").flag(&dir_flag(&agent)).refused(),
        &["choosy", "probe", "there is no GPU here"],
    );
    assert_eq!(calls(&agent), ["choosy describe", "choosy probe"]);
}

#[test]
fn cgroups_are_there_for_who_asks() {
    need_root!();
    let agent = agent_with("program/pids");
    let own = "sed -n 's/.*\"path\":\"\\([^\"]*\\)\".*/\\1/p'";
    speaker(
        &agent,
        "pids",
        r#"{"calls": ["isolate"], "controllers": ["pids"]}"#,
        &format!("isolate) echo 7 > $({own} {0}/told.isolate)/pids.max ;;", agent.path("").display()),
    );
    let container = launch(&agent, "sleep 1000");
    assert_eq!(container.control("pids", "pids.max"), "7", "{}", told(&agent, "isolate"));
    let unified = !cgroups::is_v1("pids");
    assert!(told(&agent, "isolate").contains(&format!("\"unified\":{unified}")));
    container.destroy();
    container.wait();
    agent.assert_nothing_left();
}

/// While it runs on: a whole line is what counts, not the program's end.
#[test]
fn a_watch_may_go_on_after_it_has_spoken() {
    let agent = agent_with("program/guard");
    speaker(
        &agent,
        "guard",
        r#"{"calls": ["watch"]}"#,
        r#"watch) echo "watching" >&2; sleep 0.2; printf '{"error": "Too many'; sleep 0.2; echo ' cats: 3 of 2", "reason": 8}'; sleep 1000 ;;"#,
    );
    let container = launch(&agent, "sleep 1000");
    let end = container.complete();
    assert_eq!(
        (end.killed, &end.reasons[..], end.message.as_str()),
        (true, &[8][..], "Too many cats: 3 of 2"),
        "{end:?}"
    );
    assert!(container.file("stderr").contains("isolator program/guard: watch: watching\n"));
    agent.assert_nothing_left();
}

/// As jq writes it, and with all the time in between.
#[test]
fn a_watch_may_speak_in_several_lines() {
    let agent = agent_with("program/guard");
    let case = r#"watch) echo; sleep 0.2; echo '{'; sleep 0.2; echo '  "error": "Too many cats"'; sleep 0.2; echo '}'; sleep 1000 ;;"#;
    speaker(&agent, "guard", r#"{"calls": ["watch"]}"#, case);
    let end = launch(&agent, "sleep 1000").complete();
    assert_eq!((end.killed, end.message.as_str()), (true, "Too many cats"), "{end:?}");
    agent.assert_nothing_left();
}

#[test]
fn an_error_counts_whatever_the_exit_code() {
    for code in [0, 1] {
        let agent = agent_with("program/clear");
        let case = format!(r#"prepare) echo '{{"error": "no GPUs left"}}'; exit {code} ;;"#);
        speaker(&agent, "clear", "{}", &case);
        assert_says(&agent.task("touch ran").flag(&dir_flag(&agent)).refused(), &["clear", "prepare", "no GPUs left"]);
    }
}

#[test]
fn what_a_program_says_on_stderr_is_found() {
    let agent = agent_with("program/chatty");
    speaker(
        &agent,
        "chatty",
        r#"{"calls": ["prepare", "usage", "cleanup"]}"#,
        "prepare) echo one >&2; echo two >&2 ;;\nusage) echo measured >&2 ;;\ncleanup) echo bye >&2 ;;",
    );
    let container = launch(&agent, AWAIT_GO);
    container.usage();
    let log = || agent.log(&container.id);
    eventually("usage is in the log", || log().contains("isolator program/chatty: usage: measured\n"));
    assert!(log().contains("isolator program/chatty: prepare: two\n"), "{}", log());
    container.go();
    container.complete().assert_status(0);
    let lines: Vec<String> = container.file("stderr").lines().map(str::to_owned).collect();
    let own = |text: &str| format!("isolator program/chatty: {text}");
    assert_eq!(lines, [own("prepare: one"), own("prepare: two"), own("cleanup: bye")]);
}
