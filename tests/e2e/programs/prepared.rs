//! What a program may answer to `prepare`, seen from inside the container.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::json::speaker;
use super::{agent_with, dir_flag, launch};
use crate::agent::{Agent, need_root};
use crate::refusals::assert_says;

fn prepares(agent: &Agent, name: &str, answer: &str) {
    speaker(agent, name, r#"{"calls": ["prepare"]}"#, &format!("prepare) echo '{answer}' ;;"));
}

#[test]
fn files_are_put_into_the_sandbox() {
    let agent = agent_with("program/files");
    prepares(
        &agent,
        "files",
        r#"{"files": [{"path": "conf/app.ini", "text": "[a]\\nb=1\\n", "mode": 384}, {"path": "raw", "content": "AAEC"}]}"#,
    );
    let container = launch(&agent, "cat conf/app.ini; wc -c < raw");
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "[a]\nb=1\n3\n");
    let made = fs::metadata(container.path("conf/app.ini")).unwrap();
    let sandbox = fs::metadata(container.path("x").parent().unwrap()).unwrap();
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o600, sandbox.uid()));
}

#[test]
fn files_belong_to_the_containers_user() {
    need_root!();
    let agent = agent_with("program/files");
    prepares(&agent, "files", r#"{"files": [{"path": "d/mine", "text": "x", "mode": 384}]}"#);
    let container = agent.task("cat d/mine && echo more > d/mine").user("nobody").flag(&dir_flag(&agent)).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("d/mine"), "more\n");
}

#[test]
fn files_go_nowhere_else_and_through_no_link() {
    for (path, says) in [
        ("../up", "must lead from the sandbox"),
        ("/etc/x", "must lead"),
        ("link/x", "link"),
        ("a", "both text and content"),
        ("./stderr", "output goes"),
    ] {
        let agent = agent_with("program/files");
        let victim = agent.path("victim");
        fs::create_dir(&victim).unwrap();
        let content = if path == "a" { r#", "content": "AAEC""# } else { "" };
        prepares(&agent, "files", &format!(r#"{{"files": [{{"path": "{path}", "text": "x"{content}}}]}}"#));
        let task = agent.task("touch ran").flag(&dir_flag(&agent));
        fs::create_dir_all(task.sandbox()).unwrap();
        std::os::unix::fs::symlink(&victim, task.sandbox().join("link")).unwrap();
        assert_says(&task.refused(), &["program/files", "prepare", says]);
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    }
}

#[test]
fn a_program_in_front_of_the_command() {
    let agent = agent_with("program/outer,program/inner");
    let env = |name: &str| format!(r#"{{"argv": ["/usr/bin/env", "{name}=here"]}}"#);
    prepares(&agent, "outer", &env("OUTER"));
    prepares(&agent, "inner", &env("INNER"));
    let container = launch(&agent, "echo $OUTER $INNER \"$0\"; exit 3");
    container.complete().assert_status(3 << 8);
    assert_eq!(container.line("stdout"), "here here /bin/sh");
    let task = agent.program("printf", &["printf", "%s-%s", "a", "b"]).flag(&dir_flag(&agent));
    let container = task.launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "a-b");
    prepares(&agent, "inner", r#"{"argv": ["nice"]}"#);
    let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
    assert_says(&refused, &["program/inner", "prepare", "\"nice\"", "no absolute path"]);
    prepares(&agent, "outer", r#"{"argv": ["/nonexistent/x"]}"#);
    prepares(&agent, "inner", "{}");
    let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
    assert_says(&refused, &["cannot execute /nonexistent/x", "No such file"]);
}

#[test]
fn mounts_are_made_as_volumes_are() {
    need_root!();
    let agent = agent_with("filesystem/linux,program/mounts");
    let shared = agent.path("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("file"), "from the host\n").unwrap();
    let mount = |at: &str| {
        format!(r#"{{"mounts": [{{"host_path": "{}", "container_path": "{at}", "mode": "RO"}}]}}"#, shared.display())
    };
    prepares(&agent, "mounts", &mount("data"));
    let container = launch(&agent, "cat data/file; touch data/x 2> /dev/null || echo refused");
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "from the host\nrefused\n");
    assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains(shared.to_str().unwrap()));
    prepares(&agent, "mounts", &mount("/nonexistent/x"));
    let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
    assert_says(&refused, &["program/mounts", "prepare", "/nonexistent/x", "does not exist"]);
    agent.assert_nothing_left();
}

#[test]
fn two_mounts_in_one_place_are_refused() {
    need_root!();
    let agent = agent_with("filesystem/linux,program/one,program/two");
    let shared = agent.path("shared");
    fs::create_dir_all(shared.join("below")).unwrap();
    let mount = |at: &str| {
        format!(r#"{{"mounts": [{{"host_path": "{}", "container_path": "{at}", "mode": "RW"}}]}}"#, shared.display())
    };
    prepares(&agent, "one", &mount("data"));
    for at in ["data", "data/below"] {
        prepares(&agent, "two", &mount(at));
        let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
        assert_says(&refused, &["two isolators", "one place", "data"]);
    }
    prepares(&agent, "two", &mount("data2"));
    let container = launch(&agent, "ls data data2");
    container.complete().assert_status(0);
    agent.assert_nothing_left();
}

#[test]
fn namespaces_and_capabilities() {
    need_root!();
    let agent = agent_with("program/strict");
    prepares(&agent, "strict", r#"{"namespaces": ["net", "uts"], "drop_capabilities": ["NET_RAW", "CAP_SYS_ADMIN"]}"#);
    let container = launch(
        &agent,
        "readlink /proc/self/ns/net /proc/self/ns/uts /proc/self/ns/ipc; grep CapBnd /proc/self/status; grep CapEff /proc/self/status",
    );
    container.complete().assert_status(0);
    let lines: Vec<String> = container.file("stdout").lines().map(str::to_owned).collect();
    let own = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string();
    assert!(lines[0] != own("net") && lines[1] != own("uts") && lines[2] == own("ipc"), "{lines:?}");
    for set in &lines[3..5] {
        let bits = u64::from_str_radix(set.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(bits & (1 << 13 | 1 << 21), 0, "NET_RAW and SYS_ADMIN: {set}");
        assert_ne!(bits & 1 << 5, 0, "KILL: {set}");
    }
    for (answer, says) in [
        (r#"{"namespaces": ["pid"]}"#, "namespaces/pid"),
        (r#"{"namespaces": ["nets"]}"#, "no namespace \"nets\""),
        (r#"{"drop_capabilities": ["NET_RAWW"]}"#, "NET_RAW"),
    ] {
        prepares(&agent, "strict", answer);
        let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
        assert_says(&refused, &["program/strict", "prepare", says]);
    }
}

#[test]
fn the_tasks_own_variables_win_over_isolators_and_later_isolators_over_earlier_ones() {
    let agent = agent_with("program/one,program/two");
    let variables = |of: &str| {
        format!(
            r#"{{"environment": {{"variables": [{{"name": "A", "value": "{of}"}}, {{"name": "B", "value": "{of}"}}, {{"name": "ONLY_{of}", "value": "yes"}}]}}}}"#
        )
    };
    prepares(&agent, "one", &variables("one"));
    prepares(&agent, "two", &variables("two"));
    let task = agent.task("echo $A $B $ONLY_one $ONLY_two").env("A", "task");
    let container = task.flag(&dir_flag(&agent)).launch();
    container.complete().assert_status(0);
    assert_eq!(container.line("stdout"), "task two yes yes");
}

#[test]
fn what_is_not_for_the_call_is_refused() {
    let agent = agent_with("program/late");
    speaker(&agent, "late", "{}", r#"isolate) echo '{"environment": {"variables": []}}' ;;"#);
    let refused = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
    assert_says(&refused, &["program/late", "isolate", "environment", "only prepare"]);
}
