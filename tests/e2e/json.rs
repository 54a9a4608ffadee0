//! The verbs with `--format=json`: the same calls, a message as one JSON object each way.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Invocation, Output, eventually, new_id, patient};
use crate::refusals::assert_says;

/// A call whose input stays open behind the text, as all of the stand-in's do.
fn call<'a>(agent: &'a Agent, verb: &str, text: impl ToString) -> Invocation<'a> {
    let sandbox = agent.task("exit 0").sandbox();
    agent.invoke(verb).record(text.to_string()).flag("--format=json").sandbox(sandbox, None)
}

fn about(id: &str) -> Value {
    json!({ "container_id": { "value": id } })
}

/// The one object on standard output, a line of its own.
#[track_caller]
fn answer(output: Output) -> Value {
    let text = String::from_utf8(output.ok().stdout).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "{text:?}");
    serde_json::from_str(&text).unwrap()
}

fn scalar(name: &str, value: f64) -> Value {
    json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } })
}

/// A shell command for a sandbox of its own.
fn launch(agent: &Agent, id: &str, script: &str) -> (Value, PathBuf) {
    let sandbox = agent.task("exit 0").sandbox();
    let message = json!({
        "container_id": { "value": id },
        "directory": sandbox,
        "executor_info": {
            "executor_id": { "value": "executor" },
            "command": { "value": script, "environment": { "variables": [{ "name": "NAME", "value": "a \"ü\"\n" }] } },
            "resources": [scalar("cpus", 0.5), scalar("mem", 64.0)],
        },
    });
    (message, sandbox)
}

#[test]
fn a_life_in_json() {
    let agent = Agent::new();
    let id = new_id();
    let (message, sandbox) = launch(&agent, &id, &format!("printf %s \"$NAME\" > name; {AWAIT_GO}; exit 3"));
    assert_eq!(call(&agent, "launch", &message).run().ok().stdout, b"");
    let mut wait = call(&agent, "wait", about(&id)).spawn();
    assert_eq!(answer(call(&agent, "containers", "").run()), json!({ "containers": [{ "value": id }] }));
    let usage = answer(call(&agent, "usage", about(&id)).run());
    assert_eq!((&usage["cpus_limit"], &usage["mem_limit_bytes"]), (&json!(0.5), &json!(64 << 20)));
    assert!(usage["timestamp"].as_f64().unwrap() > 1e9 && usage["mem_rss_bytes"].as_u64().unwrap() > 0, "{usage}");
    let resources = json!({ "container_id": { "value": id }, "resources": [scalar("mem", 128.0)] });
    assert_eq!(call(&agent, "update", resources).run().ok().stdout, b"");
    let usage = answer(call(&agent, "usage", about(&id)).run());
    assert_eq!((&usage["cpus_limit"], &usage["mem_limit_bytes"]), (&json!(0.5), &json!(128 << 20)));
    call(&agent, "recover", "").run().ok();
    // A call with a record goes with those in JSON.
    assert_eq!(agent.containers(), [id.as_str()]);
    wait.assert_running_for(Duration::from_millis(100));
    std::fs::write(sandbox.join("go"), "").unwrap();
    let termination = answer(wait.finish());
    assert_eq!((&termination["killed"], &termination["status"]), (&json!(false), &json!(3 << 8)), "{termination}");
    assert_eq!(answer(call(&agent, "wait", about(&id)).run()), termination);
    call(&agent, "destroy", about(&id)).run().ok();
    assert_eq!(answer(call(&agent, "containers", "").run()), json!({}));
    assert_eq!(std::fs::read_to_string(sandbox.join("name")).unwrap(), "a \"ü\"\n");
    agent.assert_nothing_left();
}

#[test]
fn one_that_is_destroyed() {
    let agent = Agent::new();
    let id = new_id();
    let (message, _) = launch(&agent, &id, "trap '' TERM; while :; do sleep 1; done");
    call(&agent, "launch", message).run().ok();
    let wait = call(&agent, "wait", about(&id)).spawn();
    call(&agent, "destroy", about(&id)).run().ok();
    assert_eq!(answer(wait.finish())["status"], 9);
    agent.assert_nothing_left();
}

#[test]
fn what_is_not_understood_is_refused_by_its_place() {
    let agent = Agent::new();
    let refused = |verb: &str, text: &str| call(&agent, verb, text).run().refused();
    let unknown = refused("usage", "{\"container_id\":\n {\"vlaue\": \"c1\"}}");
    assert_says(&unknown, &["mesos.containerizer.Usage", "\"container_id.vlaue\"", "line 2", "did you mean value?"]);
    let wrong = refused("update", r#"{"container_id":{"value":"c1"},"resources":[{"name":1}]}"#);
    assert_says(&wrong, &["mesos.containerizer.Update", "resources[0].name", "a text is wanted", "found 1"]);
    let twice = refused("destroy", r#"{"container_id":{"value":"c1"},"container_id":{"value":"c2"}}"#);
    assert_says(&twice, &["mesos.containerizer.Destroy", "container_id stands twice"]);
    assert_says(&refused("wait", "{}"), &["mesos.containerizer.Wait", "required field container_id is missing"]);
    assert_says(&refused("launch", "{\n'container_id': 1}"), &["mesos.containerizer.Launch", "line 2 column 1"]);
    let cut = call(&agent, "wait", "{\"container_id\":").end_of_input().run().refused();
    assert_says(&cut, &["EOF", "line 1"]);
    let sandbox = agent.task("exit 0").sandbox();
    let bytes = b"{\"container_id\":{\"value\":\"\xff\"}}";
    let bytes = agent.invoke("wait").record(bytes).flag("--format=json").sandbox(sandbox, None);
    assert_says(&bytes.run().refused(), &["invalid unicode", "line 1"]);
    agent.assert_nothing_left();
}

#[test]
fn a_launch_that_is_refused_has_started_nothing() {
    let agent = Agent::new();
    let (mut message, sandbox) = launch(&agent, &new_id(), "touch started");
    message["executor_info"]["comand"] = message["executor_info"]["command"].take();
    let reason = call(&agent, "launch", message).run().refused();
    assert_says(&reason, &["\"executor_info.comand\"", "did you mean command?"]);
    assert!(!sandbox.join("started").exists());
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_wait_whose_reader_is_gone_ends_without_an_answer() {
    let agent = Agent::new();
    let container = agent.task(&format!("{AWAIT_GO}; exit 3")).launch();
    let mut wait = container.invoke("wait").record(about(&container.id).to_string()).flag("--format=json").spawn();
    wait.assert_running_for(Duration::from_millis(200));
    assert_eq!(wait.orphan().exit_code(Duration::from_secs(10)), Some(1));
    container.go();
    container.complete().assert_status(3 << 8);
}

#[test]
fn an_agents_calls_are_not_turned_to_json_from_afar() {
    let agent = Agent::new();
    let sandbox = agent.task("exit 0").sandbox();
    let reason = agent.invoke("containers").env("MESOS_ECP_FORMAT", "json").sandbox(&sandbox, None).run().refused();
    assert_says(&reason, &["MESOS_ECP_FORMAT=json", "--format", "command line"]);
    agent.invoke("containers").env("MESOS_ECP_FORMAT", "").sandbox(&sandbox, None).run().ok();
}

/// Neither waits for more of what could be a record: its first four bytes would be a length.
#[test]
fn a_bad_command_line_does_not_wait_for_a_record_in_json() {
    let agent = Agent::new();
    for (flag, said) in [("--no_such_flag=1", "unknown flag"), ("--fetch_timeout=5parsecs", "5parsecs")] {
        for text in ["{}", "{}\n", "{\"container_id\":{\"value\":\"c1\"}}\n"] {
            let output = call(&agent, "wait", text).flag(flag).run();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(output.duration < patient(Duration::from_secs(5)), "{output:?}");
            // The object is looked at before the values of flags.
            assert_says(
                &output.stderr,
                &[if text.len() < 4 && flag.contains("fetch") { "container_id" } else { said }],
            );
        }
    }
    let sandbox = agent.task("exit 0").sandbox();
    let output = agent.invoke("wait").record("{}").flag("--format=jsno").sandbox(sandbox, None).run();
    assert_says(&output.refused(), &["--format=jsno: it is record or json"]);
    eventually("no call is left", || agent.processes().is_empty());
}
