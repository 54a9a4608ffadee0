//! `config`: which settings are in force, and why.

use std::collections::BTreeMap;

use super::{File, config, refusal};
use crate::agent::Agent;
use crate::refusals::assert_says;

/// What `config` prints.
#[track_caller]
fn settings(agent: &Agent) -> String {
    String::from_utf8(config(agent).ok().stdout).unwrap()
}

/// A line of them, its spaces made one.
#[track_caller]
fn about(settings: &str, name: &str) -> String {
    let start = format!("{name} = ");
    let line = settings.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{name}: {settings}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn config_says_what_is_in_force_and_why() {
    let file = File::new("\nisolation = ['posix/cpu']\nfetch_timeout = '5mins'\nquiet = true\n");
    let agent = file.builder().flag("--no-quiet").env("MESOS_ECP_FETCH_TIMEOUT", "7mins").build();
    let printed = settings(&agent);
    assert!(printed.contains(&format!("# Configuration file: {} was read (command line).", file.name())), "{printed}");
    let work_dir = format!("work_dir = \"{}\" # MESOS_WORK_DIRECTORY", agent.work_dir.display());
    for (name, line) in [
        ("isolation", format!("isolation = \"posix/cpu\" # {}:2", file.name())),
        ("fetch_timeout", "fetch_timeout = \"7mins\" # MESOS_ECP_FETCH_TIMEOUT".to_owned()),
        ("quiet", "quiet = false # command line".to_owned()),
        ("answered_retention", "answered_retention = \"1hrs\" # default".to_owned()),
        ("work_dir", work_dir),
    ] {
        assert_eq!(about(&printed, name), line);
    }
    assert!(printed.contains("\n# cgroups_pids_max is not set. "), "{printed}");
    // It is a file as it takes them: by that alone the settings are the same.
    let copy = File::new(&printed);
    let again = agent.invoke("config").only_flags(&[&format!("--config={}", copy.name())]);
    let again = again.environment(&BTreeMap::new()).sandbox(&agent.work_dir, None).run().ok().stdout;
    let bare = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bare(&String::from_utf8(again).unwrap()), bare(&printed));
}

#[test]
fn config_says_what_the_isolators_would_refuse_at_a_launch() {
    let file = File::new("");
    let agent = file.builder().build();
    for (text, said) in [
        ("isolation = 'posix/cpu,posix/cpus'\n", "isolator \"posix/cpus\" is not known"),
        ("isolation = 'cgroups/blkio'\ncgroups_blkio_weight = 1001\n", "it is a number from 10 to 1000"),
        ("isolation = 'posix/disk,disk/xfs'\n", "both posix/disk and disk/xfs"),
        ("isolation = 'posix/cpu'\nenforce_container_disk_quota = true\n", "needs posix/disk or disk/xfs"),
        ("isolation = 'posix/cpu'\ndefault_rootfs = '/srv/root'\n", "needs filesystem/linux"),
    ] {
        file.write(text);
        assert_says(&refusal(&agent), &[said]);
        let output = config(&agent);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_says(&output.stderr, &["mesos-ecp: config: ", said]);
        // Where they come from is to be seen all the same.
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(about(&printed, "isolation").ends_with(&format!("# {}:1", file.name())), "{printed}");
    }
}

#[test]
fn config_says_that_there_is_no_file() {
    let agent = Agent::new();
    assert!(settings(&agent).contains("# Configuration file: none is wanted (command line)."));
    let reason = agent.invoke("config").flag("--isolation=").sandbox(&agent.work_dir, None).run().refused();
    assert_says(&reason, &["--isolation= has no value"]);
    let reason = agent.invoke("config").flag("--format=xml").sandbox(&agent.work_dir, None).run().refused();
    assert_says(&reason, &["--format=xml"]);
    let extra = agent.invoke("config extra").sandbox(&agent.work_dir, None).run();
    assert_eq!(extra.status.code(), Some(1));
    assert_says(&extra.stderr, &["unexpected argument \"extra\" after config"]);
}
