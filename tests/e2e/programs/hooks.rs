//! `--on_launch` and `--on_exit`.

use std::fs;
use std::time::{Duration, Instant};

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Builder, patient};
use crate::refusals::assert_says;

/// By variables, as flags are written: the stand-in's shell would read a command once more.
fn agent_with(flags: &[String]) -> Agent {
    let set = |builder: Builder, flag: &String| {
        let (name, value) = flag.trim_start_matches('-').split_once('=').unwrap();
        builder.env(&format!("MESOS_ECP_{}", name.to_uppercase()), value)
    };
    flags.iter().fold(Agent::builder(), set).build()
}

#[test]
fn commands_run_at_the_begin_and_at_the_end() {
    // The agent's directory is not known before: by the sandbox, which is in it.
    let note =
        |what: &str| format!("echo {what} >> $MESOS_SANDBOX/hooks; cat > $MESOS_SANDBOX/told.$HOOK; echo heard >&2");
    let agent = agent_with(&[
        format!("--on_launch={}", note("$HOOK $CONTAINER_PID $(cat /proc/$CONTAINER_PID/comm)")),
        format!("--on_exit={}", note("$HOOK $CONTAINER_STATUS ${CONTAINER_PID:-gone}")),
    ]);
    let container = agent.task(&format!("cat hooks > seen; {AWAIT_GO}; exit 3")).launch();
    container.go();
    container.complete().assert_status(3 << 8);
    let hooks = container.file("hooks");
    let lines: Vec<&str> = hooks.lines().collect();
    assert_eq!(lines.len(), 2, "{hooks}");
    assert!(lines[0].starts_with("on_launch ") && !lines[0].contains(" sh"), "it was held: {hooks}");
    assert_eq!(lines[1], "on_exit 3 gone", "once, with the status");
    assert_eq!(container.line("seen"), lines[0], "before the command ran");
    let id = format!("\"container_id\":\"{}\"", container.id);
    for hook in ["on_launch", "on_exit"] {
        assert!(container.file(&format!("told.{hook}")).contains(&id));
        assert!(container.file("stderr").contains(&format!("isolator hooks: {hook}: heard\n")));
    }
    agent.assert_nothing_left();
}

#[test]
fn a_command_that_fails_at_the_begin_fails_the_launch() {
    let agent = agent_with(&[
        "--on_launch=echo no licence >&2; exit 7".into(),
        "--on_exit=echo \"$HOOK:$CONTAINER_STATUS\" > $MESOS_SANDBOX/after".into(),
    ]);
    let task = agent.task("touch ran");
    let sandbox = task.sandbox();
    assert_says(&task.refused(), &["hooks", "isolate", "exit status: 7: no licence", "on_launch"]);
    assert_eq!(fs::read_to_string(sandbox.join("after")).unwrap(), "on_exit:\n", "what was begun can be undone");
    assert!(!sandbox.join("ran").exists());
    agent.assert_nothing_left();
}

#[test]
fn a_command_that_fails_or_hangs_at_the_end_keeps_nobody() {
    for command in ["exit 7", "sleep 1000"] {
        let agent = agent_with(&[
            format!("--on_exit=echo once >> $MESOS_SANDBOX/after; {command}"),
            format!("--isolator_timeout={}secs", patient(Duration::from_secs(1)).as_secs()),
        ]);
        let container = agent.task("exit 3").launch();
        let begin = Instant::now();
        container.complete().assert_status(3 << 8);
        assert!(begin.elapsed() < patient(Duration::from_secs(8)));
        assert_eq!(container.file("after"), "once\n");
        assert!(container.file("stderr").contains("--on_exit="), "{}", container.file("stderr"));
        agent.assert_nothing_left();
    }
}

/// The end that was meant at the launch comes, whoever brings it about.
#[test]
fn the_end_of_a_container_whose_supervisor_died_is_heard_of() {
    let agent = agent_with(&["--on_exit=echo \"$HOOK $CONTAINER_STATUS\" >> $MESOS_SANDBOX/after".into()]);
    let container = agent.task("sleep 1000").launch();
    agent.kill_supervisors();
    let mut recovered = agent.restart_with_memory();
    let wait = recovered.wait(&container);
    container.destroy();
    wait.finish();
    assert!(container.file("after").starts_with("on_exit "), "{}", container.file("after"));
    agent.assert_nothing_left();
}

#[test]
fn hooks_stand_where_they_are_named_or_last() {
    let agent = agent_with(&["--isolation=hooks,posix/cpu".into(), "--on_exit=true".into()]);
    agent.task("exit 0").launch().complete().assert_status(0);
    let none = agent_with(&["--isolation=hooks".into()]);
    assert_says(&none.task("exit 0").refused(), &["hooks", "neither --on_launch nor --on_exit"]);
}
