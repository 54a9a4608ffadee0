//! `mesos-ecp agent`: what the program that it starts sees, and that nobody else sees anything of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::agent::{DEADLINE, need_root};

/// The program, with a limit on its time, an environment of its own, and `agent` as its first word.
fn agent(environment: &[(&str, &str)], words: &[&str]) -> Output {
    through(&[], environment, words)
}

/// The same as arguments of another program.
fn through(prefix: &[&str], environment: &[(&str, &str)], words: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .arg(DEADLINE.as_secs().to_string())
        .args(prefix)
        .arg(env!("CARGO_BIN_EXE_mesos-ecp"))
        .arg("agent")
        .args(words);
    command.env_clear().env("PATH", crate::agent::PATH).envs(environment.iter().copied());
    command.output().unwrap()
}

#[track_caller]
fn said(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Fails the test unless nothing was started: this exit code, one line of an error, no output.
#[track_caller]
fn refused(output: Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{stderr}");
    assert!(stderr.starts_with("mesos-ecp: ") && stderr.lines().count() == 1, "{stderr}");
    stderr
}

/// What `sysconf(_SC_NPROCESSORS_ONLN)` says here.
fn processors() -> String {
    said(Command::new("getconf").arg("_NPROCESSORS_ONLN").output().unwrap()).trim().to_owned()
}

fn mounts() -> String {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
    // Other tests mount things at the same time.
    all.lines().filter(|line| line.contains("/sys")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_agent_has_as_many_processors_as_it_is_to_have_workers() {
    need_root!();
    let (before, host) = (mounts(), processors());
    let script = "getconf _NPROCESSORS_ONLN; echo $LIBPROCESS_NUM_WORKER_THREADS $OTHER";
    for workers in ["1", "13", "1024"] {
        // The environment's own number is of no account.
        let environment = [("LIBPROCESS_NUM_WORKER_THREADS", "3"), ("OTHER", "kept")];
        let output = agent(&environment, &[&format!("--workers={workers}"), "--", "sh", "-c", script]);
        assert_eq!(said(output), format!("{workers}\n{workers} kept\n"));
    }
    assert_eq!((mounts(), processors()), (before, host));
}

/// The flag and the variable as given, and as the agent gets them.
type Case<'a> = (Option<&'a str>, Option<&'a str>, Option<String>, Option<String>);

#[test]
fn cpus_are_added_to_the_resources_unless_they_are_named() {
    need_root!();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("resources");
    fs::write(&file, "mem:7\n").unwrap();
    let file = file.to_str().unwrap();
    let n = processors();
    let entry = format!(r#"{{"name":"cpus","type":"SCALAR","scalar":{{"value":{n}}}}}"#);
    let json = r#"[{"name":"mem","type":"SCALAR","scalar":{"value":7}}]"#;
    let json_cpus = r#"[{"name":"cpus","type":"SCALAR","scalar":{"value":7}}]"#;
    let cases: &[Case] = &[
        (None, None, Some(format!("cpus:{n}")), None),
        (Some("mem:7"), None, Some(format!("mem:7;cpus:{n}")), None),
        (Some("cpus:7;mem:7"), None, Some("cpus:7;mem:7".into()), None),
        (Some("mem:7;cpus(role):7"), None, Some("mem:7;cpus(role):7".into()), None),
        (Some(json), None, Some(format!("{},{entry}]", json.trim_end_matches(']'))), None),
        (Some(json_cpus), None, Some(json_cpus.into()), None),
        (Some(file), None, Some(format!("mem:7;cpus:{n}")), None),
        (None, Some("mem:7"), None, Some(format!("mem:7;cpus:{n}"))),
        (None, Some("cpus:7"), None, Some("cpus:7".into())),
        (None, Some("[]"), None, Some(format!("[{entry}]"))),
        // The agent goes by the flag alone.
        (Some("mem:7"), Some("cpus:7"), Some(format!("mem:7;cpus:{n}")), Some("cpus:7".into())),
    ];
    for (flag, variable, expected_flag, expected_variable) in cases {
        let flag = flag.map(|value| format!("--resources={value}"));
        let script = r#"printf '%s\n' "${MESOS_RESOURCES-unset}" "$0" "$@""#;
        let mut words = vec!["--workers=9", "--", "sh", "-c", script, "mesos-slave", "--master=m"];
        words.extend(flag.as_deref());
        let environment: Vec<_> = variable.iter().map(|value| ("MESOS_RESOURCES", *value)).collect();
        let variable = expected_variable.as_deref().unwrap_or("unset");
        let flag = expected_flag.as_ref().map(|value| format!("--resources={value}\n")).unwrap_or_default();
        assert_eq!(said(agent(&environment, &words)), format!("{variable}\nmesos-slave\n--master=m\n{flag}"));
    }
}

/// In a namespace whose mounts are shared, as those of hosts with systemd are: there, what is done carelessly is seen outside.
#[test]
fn nothing_shows_outside_and_later_mounts_show_inside() {
    need_root!();
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        set -e
        cd "$1"
        mkdir m
        look() { cat /proc/self/mountinfo > "mounts.$1"; getconf _NPROCESSORS_ONLN > "processors.$1"; ls -a /sys/fs > "fs.$1"; }
        look before
        "$0" agent --workers=13 -- sh -c 'touch inside
            until [ -e mounted ]; do sleep 0.02; done
            ls m > seen; getconf _NPROCESSORS_ONLN > processors.inside; ls -a /sys/fs > fs.inside' &
        until [ -e inside ]; do sleep 0.02; done
        look during
        mount -t tmpfs late m
        touch m/late mounted
        wait $!
        umount m
        look after"#;
    let binary = env!("CARGO_BIN_EXE_mesos-ecp");
    let mut command = Command::new("timeout");
    command.arg(DEADLINE.as_secs().to_string()).args([
        "unshare",
        "--mount",
        "--propagation",
        "shared",
        "sh",
        "-c",
        script,
    ]);
    said(command.arg(binary).arg(dir.path()).output().unwrap());
    let file = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(file("mounts.before").contains(" shared:"), "{}", file("mounts.before"));
    for time in ["during", "after"] {
        for what in ["mounts", "processors", "fs"] {
            assert_eq!(file(&format!("{what}.before")), file(&format!("{what}.{time}")), "{what} {time}");
        }
    }
    assert_eq!(file("processors.before").trim(), processors());
    assert_eq!((file("processors.inside").trim(), file("seen").trim()), ("13", "late"));
    assert_eq!(file("fs.inside"), file("fs.before"));
}

#[test]
fn what_cannot_be_started_is_said_with_the_exit_code_of_a_shell() {
    need_root!();
    for (words, code, text) in [
        (
            &["--workers=9", "--", "/nonexistent/mesos-slave"] as &[_],
            127,
            "cannot execute /nonexistent/mesos-slave: No such",
        ),
        (&["--workers=9", "--", "no-such-agent"], 127, "cannot execute no-such-agent: No such"),
        (&["--workers=9", "--", "/etc/passwd"], 126, "cannot execute /etc/passwd: Permission denied"),
        (&["--workers=9", "--", "true", "--resources"], 1, "--resources stands without a value"),
        (&["--workers=9", "--", "true", "--resources=/nonexistent/r"], 1, "resources from /nonexistent/r: No such"),
        (&["--workers=9"], 1, "the command is missing"),
        (&["--workers=0", "--", "true"], 1, "a whole number from 1 to 1024"),
        (&["--", "true"], 1, "--workers=N is missing"),
    ] {
        let reason = refused(agent(&[], words), code);
        assert!(reason.contains(text), "{words:?}: {reason}");
    }
    let without = ["setpriv", "--bounding-set=-sys_admin"];
    let reason = refused(through(&without, &[], &["--workers=9", "--", "true"]), 1);
    assert!(reason.contains("this takes root, to be exact CAP_SYS_ADMIN"), "{reason}");
}

/// The agent's C library would not believe the file: found out before the agent is started.
#[test]
fn a_c_library_that_counts_otherwise_is_refused() {
    need_root!();
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("three.c"), dir.path().join("three.so"));
    fs::write(&source, "long sysconf(int name) { return name == 84 ? 3 : -1; }\n").unwrap();
    let mut gcc = Command::new("gcc");
    said(gcc.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output().unwrap());
    let preload = |workers: &str| {
        let marked: &Path = &dir.path().join("started");
        let command = ["--workers", workers].join("=");
        agent(
            &[("LD_PRELOAD", library.to_str().unwrap())],
            &[&command, "--", "sh", "-c", "touch $0", marked.to_str().unwrap()],
        )
    };
    let reason = refused(preload("9"), 1);
    assert!(reason.contains("sysconf(_SC_NPROCESSORS_ONLN) is 3 and not 9"), "{reason}");
    assert!(!dir.path().join("started").exists());
    said(preload("3"));
    assert!(dir.path().join("started").exists());
}
