//! `mesos-ecp isolator-check`: a good program passes, and each bad one is told what is bad about it.

use std::fs;

use crate::agent::{Agent, processes};

/// What the command says of a shell isolator that does `case` where it does anything. `$state` is a directory of its own, `$id` the
/// container's id.
struct Checked {
    code: Option<i32>,
    report: String,
    stderr: String,
}

fn check(agent: &Agent, timeout: &str, case: &str) -> Checked {
    let state = agent.path("state");
    fs::create_dir(&state).unwrap();
    let script = format!("state={}\nid=$MESOS_CONTAINER_ID\ncase $1 in\n{case}\nesac", state.display());
    agent.helper("tested", &script);
    let output = agent
        .operator()
        .args(["isolator-check", "program/tested", &format!("--isolator_timeout={timeout}")])
        .arg(format!("--isolator_dir={}", agent.libexec.display()))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Checked { code: output.status.code(), report: text(output.stdout), stderr: text(output.stderr) }
}

impl Checked {
    /// The line of this check.
    #[track_caller]
    fn line(&self, name: &str) -> &str {
        let of = |line: &&str| line.get(10..).is_some_and(|rest| rest.starts_with(&format!("{name}  ")));
        self.report.lines().find(of).unwrap_or_else(|| panic!("no line of {name}: {}{}", self.report, self.stderr))
    }

    #[track_caller]
    fn assert_failed(&self, name: &str, why: &str) {
        let line = self.line(name);
        assert!(line.starts_with("FAILED  ") && line.contains(why), "{name}, {why}: {}", self.report);
        assert_eq!(self.code, Some(1));
    }
}

/// Takes a file and gives it back.
const GOOD: &str =
    "prepare) echo \"$id\" > \"$state/$id\" ;;\nusage) test -e \"$state/$id\" ;;\ncleanup) rm -f \"$state/$id\" ;;";

#[test]
fn a_good_one_passes() {
    let agent = Agent::new();
    let checked = check(&agent, "30secs", GOOD);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{}", checked.report);
    assert!(checked.report.starts_with("program/tested\nok "), "{}", checked.report);
    assert!(checked.report.contains(" passed, 0 failed, "), "{}", checked.report);
    assert_eq!(checked.line("as many at once as there can be").split("  ").next(), Some("not done"));
    for name in ["a whole life", "kill -9 in prepare", "kill -9 in cleanup", "20 lives in a row", "quickness"] {
        assert!(checked.line(name).starts_with("ok  "), "{}", checked.report);
    }
    assert_eq!(fs::read_dir(agent.path("state")).unwrap().count(), 0, "whatever it took was given back");
}

#[test]
fn one_that_fails_at_the_second_cleanup() {
    let case = "prepare) echo x > \"$state/$id\" ;;\ncleanup) rm \"$state/$id\" || exit 1 ;;";
    let checked = check(&Agent::new(), "30secs", case);
    checked.assert_failed("cleanup twice", "exit status: 1");
    assert!(checked.line("a whole life").starts_with("ok  "), "{}", checked.report);
}

#[test]
fn one_that_hangs_at_cleanup() {
    let checked = check(&Agent::new(), "500ms", "cleanup) sleep 1000 ;;");
    checked.assert_failed("a whole life", "cleanup did not end in time");
    let rest = checked.report.lines().find(|line| line.contains("the rest (")).unwrap();
    assert!(rest.starts_with("not done") && rest.ends_with("a whole life has not passed"), "{}", checked.report);
}

#[test]
fn one_that_hangs_again_and_again() {
    let case = "cleanup) test ! -e \"$state/$id\" || sleep 1000; touch \"$state/$id\" ;;";
    let checked = check(&Agent::new(), "500ms", case);
    checked.assert_failed("cleanup twice", "cleanup did not end in time");
    let rest: Vec<&str> = checked.report.lines().filter(|line| line.contains("three others took too long")).collect();
    assert!(rest.len() == 1 && rest[0].contains("the rest ("), "{}", checked.report);
}

#[test]
fn one_that_leaves_a_process() {
    let agent = Agent::new();
    // It is out of the program's group before the call is done, and so is not killed with that.
    let leave = "setsid sh -c 'echo $$ > \"$0\"; exec sleep 1000' \"$state/$id\" > /dev/null 2>&1 &";
    let case = format!("cleanup) {leave}\nwhile ! test -s \"$state/$id\"; do sleep 0.01; done ;;");
    let checked = check(&agent, "30secs", &case);
    checked.assert_failed("a whole life", "processes are left running");
    let pids =
        fs::read_dir(agent.path("state")).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    for pid in pids {
        assert!(!processes::Process::is_running(pid.trim().parse().unwrap()), "{pid} was killed");
    }
}

#[test]
fn what_is_left_before_the_end_is_ended_with_the_container() {
    let agent = Agent::new();
    // (The longest id is too long for the name of a file.) Neither of its helpers may run when somebody takes over, or cleans up.
    let leave = |of: &str| {
        format!(
            "setsid sh -c 'echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 1000' \"$state/{of}-${{id##*x}}\" > /dev/null 2>&1 &\n\
             while ! test -e \"$state/{of}-${{id##*x}}\"; do sleep 0.01; done"
        )
    };
    let none = "for file in \"$state\"/*-\"${id##*x}\"; do\n\
                if kill -0 $(cat \"$file\" 2> /dev/null) 2> /dev/null; then echo \"$file runs\" >&2; exit 1; fi; rm -f \"$file\"; done";
    let case =
        format!("prepare) {} ;;\nupdate) {} ;;\nrecover | cleanup) {none} ;;", leave("prepare"), leave("update"));
    let checked = check(&agent, "30secs", &case);
    assert_eq!(checked.code, Some(0), "{}", checked.report);
    for name in ["kill -9 in prepare", "kill -9 in update", "crash after update", "a whole life"] {
        assert!(checked.line(name).starts_with("ok  "), "{}", checked.report);
    }
}

#[test]
fn calls_that_it_takes_no_part_in_are_not_killed() {
    let checked =
        check(&Agent::new(), "30secs", "describe) echo '{\"calls\": [\"prepare\"]}' ;;\nprepare) sleep 0.1 ;;");
    // The last one may come just too late.
    let line = checked.line("kill -9 in prepare");
    assert!(line.starts_with("ok  ") && line.ends_with(" of 3 in its middle"), "{}", checked.report);
    for name in ["update", "cleanup", "watch", "update, and another"] {
        let line = checked.line(&format!("kill -9 in {name}")).to_owned();
        assert!(line.starts_with("not done") && line.contains("it takes no part"), "{line}");
    }
    assert_eq!(checked.code, Some(0), "{}", checked.report);
}

#[test]
fn one_that_does_not_watch_as_it_says() {
    let describe = "describe) echo '{\"calls\": [\"watch\"]}' ;;\n";
    let checked = check(&Agent::new(), "30secs", &format!("{describe}watch) sleep 0.3 ;;"));
    checked.assert_failed("watch", "has ended without a reply");
    let checked =
        check(&Agent::new(), "30secs", &format!("{describe}watch) sleep 0.3; echo '{{\"error\": \"too much\"}}' ;;"));
    checked.assert_failed("watch", "too much");
    let checked = check(&Agent::new(), "30secs", &format!("{describe}watch) exec sleep 1000 ;;"));
    assert!(checked.line("watch").starts_with("ok  "), "{}", checked.report);
    assert_eq!(checked.code, Some(0), "{}", checked.report);
}

#[test]
fn much_on_standard_error_is_worth_a_note() {
    let checked = check(&Agent::new(), "30secs", "no-such-call) head -c 100000 /dev/zero >&2 ;;");
    let line = checked.line("program: an unknown call");
    assert!(
        line.starts_with("ok  ") && line.ends_with("100000 bytes on standard error, of which 16384 would be kept"),
        "{line}"
    );
}

#[test]
fn one_that_is_interrupted_leaves_no_host() {
    let agent = Agent::new();
    let temporary = agent.path("temporary");
    fs::create_dir(&temporary).unwrap();
    agent.helper("tested", "case $1 in usage) echo $MESOS_SANDBOX >&2; sleep 1000 ;; esac");
    let mut child = agent
        .operator()
        .args(["isolator-check", "program/tested", &format!("--isolator_dir={}", agent.libexec.display())])
        .env("TMPDIR", &temporary)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The lines of what is done come at once.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    while !lines.next().unwrap().unwrap().contains("  probe  ") {}
    while fs::read_dir(&temporary).unwrap().next().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{rest:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("interrupted by SIGTERM"));
    assert!(rest.iter().any(|line| line.contains("the rest (")), "{rest:?}");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn one_that_writes_garbage() {
    let checked = check(&Agent::new(), "30secs", "usage) echo what is this; exit 0 ;;");
    checked.assert_failed("a whole life", "answered something that it must not");
}

#[test]
fn one_that_goes_by_its_environment_keeps_to_its_own() {
    let agent = Agent::new();
    let others = agent.path("others");
    fs::create_dir_all(others.join("somebody")).unwrap();
    let seen = agent.path("seen");
    let case = format!(
        "describe | probe) test -z \"$id\" ;;\n*) echo \"$1 $id $MESOS_SANDBOX\" >> {}; test -d \"$MESOS_SANDBOX\"; \
         rm -rf {}/\"$id\" ;;",
        seen.display(),
        others.display()
    );
    let checked = check(&agent, "30secs", &case);
    let calls = fs::read_to_string(&seen).unwrap();
    assert!(calls.lines().count() > 100 && calls.lines().all(|line| line.split(' ').all(|word| !word.is_empty())));
    assert!(others.join("somebody").exists(), "what is of others is left alone");
    for name in ["program: a closed input", "program: garbage for a record", "program: an unknown call"] {
        assert!(checked.line(name).starts_with("ok  "), "{}", checked.report);
    }
}

#[test]
fn one_that_is_not_known_is_no_report() {
    let agent = Agent::new();
    let output = agent.operator().args(["isolator-check", "no/such"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("mesos-ecp: isolator-check: isolator \"no/such\" is not known"), "{stderr}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    agent.helper("licence", "exit 0");
    let dir = format!("--isolator_dir={}", agent.libexec.display());
    let output = agent.operator().args(["isolator-check", "licence", &dir]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("did you mean program/licence?"), "{stderr}");
}

#[test]
fn those_built_in_pass() {
    let agent = Agent::new();
    let mut list = vec!["process", "posix/disk", "posix/rlimits", "hooks"];
    if nix::unistd::geteuid().is_root() {
        list.extend(["cgroups/cpu", "cgroups/mem", "cgroups/pids"]);
    }
    for name in list {
        let output = agent
            .operator()
            .args(["isolator-check", name, "--lives=5", "--kills=2", "--on_exit=true"])
            .output()
            .unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        // Where a controller is not there, that is said.
        let refused = report.lines().any(|line| line.starts_with("not done  probe "));
        assert!(output.status.success() || refused, "{report}{}", String::from_utf8_lossy(&output.stderr));
        assert!(refused || report.contains("5 lives in a row"), "{report}");
    }
}
