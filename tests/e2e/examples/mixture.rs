//! Isolators of one's own between built-in ones and programs: the same order, the same names in errors.

use std::fs;
use std::path::Path;

use crate::agent::container::AWAIT_GO;
use crate::agent::{Agent, Builder};
use crate::examples::pinned_cpus::{pool, taken};
use crate::refusals::assert_says;

const OWN: [&str; 2] = ["acme/tmpdir", "acme/pinned-cpus"];

fn agent_of(builder: Builder, isolation: &str) -> Agent {
    let agent = builder.example("own_program").flag(&format!("--isolation={isolation}")).build();
    let calls = agent.path("calls");
    fs::write(&calls, "").unwrap();
    let script = format!("echo program/x $1 >> {}; printf '\\0\\0\\0\\0'", calls.display());
    agent.helper("x", &script);
    agent
}

fn calls(agent: &Agent, call: &str) -> Vec<String> {
    let all = fs::read_to_string(agent.path("calls")).unwrap();
    all.lines().filter_map(|line| line.strip_suffix(&format!(" {call}")).map(str::to_owned)).collect()
}

fn dir_flag(agent: &Agent) -> String {
    format!("--isolator_dir={}", agent.libexec.display())
}

#[test]
fn in_any_order_they_are_called_in_that_order_and_cleaned_up_in_reverse() {
    for isolation in [
        ["acme/tmpdir", "program/x", "posix/cpu", "acme/pinned-cpus"],
        ["program/x", "acme/pinned-cpus", "acme/tmpdir", "posix/cpu"],
        ["acme/pinned-cpus", "posix/cpu", "acme/tmpdir", "program/x"],
    ] {
        let agent = agent_of(Agent::builder(), &isolation.join(","));
        pool(&agent, 1);
        let script = format!("echo $TMPDIR > seen; echo $PINNED_CPUS >> seen; {AWAIT_GO}; exit 3");
        let container = agent.task(&script).flag(&dir_flag(&agent)).launch();
        container.line("seen");
        let usage = container.usage();
        assert!(usage.cpu_seconds().is_some() && usage.cpus_limit() == Some(1.0), "{usage:?}");
        container.update(&[("cpus", 0.3)]).ok();
        container.go();
        container.complete().assert_status(3 << 8);
        let logged: Vec<&str> = isolation.into_iter().filter(|name| *name != "posix/cpu").collect();
        for call in ["plan", "prepare", "isolate", "update", "cleanup"] {
            let mut expected = logged.clone();
            if call == "cleanup" {
                expected.reverse();
            }
            assert_eq!(calls(&agent, call), expected, "{call} of {isolation:?}");
        }
        let seen = container.file("seen");
        assert!(Path::new(seen.lines().next().unwrap()).ends_with("tmp") && seen.lines().count() == 2, "{seen}");
        assert!(taken(&agent).is_empty());
        agent.assert_nothing_left();
    }
}

#[test]
fn what_one_has_made_is_undone_if_a_later_one_fails() {
    let agent = agent_of(Agent::builder(), "acme/pinned-cpus,acme/tmpdir,program/x");
    pool(&agent, 1);
    let log = format!("echo program/x $1 >> {}", agent.path("calls").display());
    agent.helper("x", &format!("{log}; [ $1 != plan ] || exit 1; printf '\\0\\0\\0\\0'"));
    let reason = agent.task("touch ran").flag(&dir_flag(&agent)).refused();
    assert_says(&reason, &["program/x", "plan"]);
    assert_eq!(calls(&agent, "cleanup"), ["program/x", OWN[0], OWN[1]]);
    assert!(taken(&agent).is_empty());
}

#[test]
fn names_are_known_where_built_in_ones_are() {
    let agent = agent_of(Agent::builder(), "acme/tmpdri");
    let known = agent.task("true").refused();
    assert_says(&known, &["\"acme/tmpdri\" is not known", "posix/cpu", OWN[0], OWN[1]]);
    let config = agent.operator().arg("config").output().unwrap();
    assert_eq!(config.status.code(), Some(1));
    assert_says(&String::from_utf8_lossy(&config.stderr), &["\"acme/tmpdri\" is not known", OWN[0], OWN[1]]);
    let agent = agent_of(Agent::builder(), "acme/tmpdir");
    let config = agent.operator().arg("config").output().unwrap();
    assert!(config.status.success() && String::from_utf8_lossy(&config.stdout).contains("\"acme/tmpdir\""));
}

/// The author sees it at the first try, whatever the program is asked for.
#[test]
fn names_that_cannot_be_had_are_refused_in_every_call() {
    for (own, says) in [
        ("posix/cpu", "built-in"),
        ("acme/tmpdir", "twice"),
        ("devices", "GROUP/NAME"),
        ("program/devices", "--isolator_dir"),
    ] {
        let agent = agent_of(Agent::builder().env("OWN_ISOLATORS", own), "posix/cpu");
        for words in [&["launch"][..], &["containers"], &["config"], &["help"]] {
            let output = agent.operator().args(words).stdin(std::process::Stdio::null()).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{own} {words:?}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.starts_with("mesos-ecp: ") && said.contains(&format!("\"{own}\"")), "{said}");
            assert_says(&said, &[says]);
        }
    }
    let agent = agent_of(Agent::builder().env("OWN_ISOLATORS", "acme/one=acme/two"), "acme/one");
    assert_says(&agent.task("true").refused(), &["acme/one", "\"acme/two\"", "Isolator::name"]);
    // Found by the names of a list, whoever made it.
    let agent = agent_of(Agent::builder().env("OWN_ISOLATORS", "acme/one"), "acme/one,posix/mem");
    agent.task("exit 4").flag(&dir_flag(&agent)).launch().complete().assert_status(4 << 8);
    assert_eq!(calls(&agent, "cleanup"), ["acme/one"]);
}
