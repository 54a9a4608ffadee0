//! Where a container runs, as whom, in which environment, and what stays of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{Running, assert_clean, assert_ends, command, named_sandbox, pid_in, run, sandboxes, script};
use crate::agent::{Agent, NOBODY, need_root};

#[test]
fn a_new_sandbox_goes_with_the_container() {
    let agent = Agent::new();
    let (stdout, _) = script(&agent, &[], "pwd; echo $MESOS_SANDBOX; mkdir -p a/b; echo x > a/b/c").with(0);
    let below = agent.work_dir.join("sandboxes");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with(below.to_str().unwrap()) && lines[0] == lines[1], "{stdout}");
    assert_eq!(fs::metadata(&below).unwrap().mode() & 0o7777, 0o711);
    assert_clean(&agent);
}

#[test]
fn a_sandbox_stays_if_asked_for() {
    let agent = Agent::new();
    let (_, stderr) = script(&agent, &["--no-rm"], "echo x > file").with(0);
    let found = sandboxes(&agent);
    assert_eq!(stderr, format!("mesos-ecp: run: the sandbox is {}\n", found[0].display()));
    assert_eq!((found.len(), fs::read_to_string(found[0].join("file")).unwrap().as_str()), (1, "x\n"));
    fs::remove_dir_all(&found[0]).unwrap();
    let (_, stderr) = script(&agent, &["--no-rm", "--quiet"], "true").with(0);
    assert_eq!(stderr, "");
    fs::remove_dir_all(&sandboxes(&agent)[0]).unwrap();
    assert_clean(&agent);
}

#[test]
fn a_named_sandbox_is_never_removed() {
    let agent = Agent::new();
    let (sandbox, flag) = named_sandbox(&agent);
    let relative = "--sandbox=named".to_owned();
    for (flag, other) in [(&flag, "--no-detach"), (&flag, "--no-rm"), (&relative, "--no-detach")] {
        let (stdout, stderr) = script(&agent, &[flag, other], "pwd; echo x > file").with(0);
        assert_eq!((stdout.trim_end(), stderr.as_str()), (sandbox.to_str().unwrap(), ""));
        fs::remove_file(sandbox.join("file")).unwrap();
    }
    assert_clean(&agent);
}

#[test]
fn what_is_mounted_in_a_sandbox_is_not_removed_with_it() {
    need_root!();
    let agent = Agent::new();
    let (precious, here) = (agent.path("precious"), Mounted(agent.work_dir.join("sandboxes")));
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "kept").unwrap();
    let text = format!("mkdir 'a mount' && mount --bind {} 'a mount'", precious.display());
    let (_, stderr) = script(&agent, &[], &text).with(0);
    let sandbox = sandboxes(&agent).remove(0);
    let said =
        format!("the sandbox {} is not removed: {}/a mount is still mounted", sandbox.display(), sandbox.display());
    assert!(stderr.contains(&said), "{stderr}");
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "kept");
    drop(here);
    fs::remove_dir_all(sandbox).unwrap();
    assert_clean(&agent);
}

/// Unmounts what is mounted in the sandboxes of this directory.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        for sandbox in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = nix::mount::umount2(&sandbox.path().join("a mount"), nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

#[test]
fn a_command_that_cannot_be_executed_leaves_no_sandbox() {
    let agent = Agent::new();
    run(&agent, &[], &["/nonexistent"]).refused(127);
    assert_clean(&agent);
}

#[test]
fn another_user_gets_the_sandbox() {
    need_root!();
    let agent = Agent::new();
    let script = "id -un; stat -c '%u %g %a' .; touch file && stat -c %u file";
    let (stdout, _) = super::script(&agent, &["--user=nobody"], script).with(0);
    assert_eq!(stdout, format!("nobody\n{} {} 750\n{}\n", NOBODY.0, NOBODY.1, NOBODY.0));
    assert_clean(&agent);
}

#[test]
fn the_environment_is_the_callers_with_what_is_added() {
    let agent = Agent::new();
    let mut call = command(&agent, &["--env=ADDED=a b=c", "--env=BOTH=run", "--env=EMPTY="], &["env"]);
    call.env("OWN", "caller").env("BOTH", "caller").env("MESOS_MASTER", "leaked");
    let (stdout, _) = Running::start(&mut call).end().with(0);
    for line in ["ADDED=a b=c", "BOTH=run", "EMPTY=", "OWN=caller"] {
        assert!(stdout.lines().any(|found| found == line), "{line}: {stdout}");
    }
    assert!(!stdout.contains("leaked") && !stdout.contains("BOTH=caller"), "{stdout}");
}

#[test]
fn files_are_fetched_before_the_command_starts() {
    let agent = Agent::new();
    let file = agent.path("part.txt");
    fs::write(&file, "a part\n").unwrap();
    let flag = format!("--uri=file://{}", file.display());
    assert_eq!(run(&agent, &[&flag], &["cat", "part.txt"]).with(0).0, "a part\n");
    assert_clean(&agent);
}

#[test]
fn a_detached_container_is_reached_by_the_verbs() {
    let agent = Agent::new();
    let words = ["sh", "-c", "echo $$ > pid; echo out; echo err >&2; until [ -e go ]; do sleep 0.02; done; exit 3"];
    let (stdout, stderr) = run(&agent, &["--detach"], &words).with(0);
    let id = stdout.trim_end();
    assert_eq!((agent.containers(), stdout.lines().count()), (vec![id.to_owned()], 1));
    let sandbox = agent.work_dir.join("sandboxes").join(id);
    assert_eq!(stderr, format!("mesos-ecp: run: the sandbox is {}\n", sandbox.display()));
    pid_in(sandbox.join("pid"));
    let wait = agent.about("wait", id).spawn();
    fs::write(sandbox.join("go"), "").unwrap();
    wait.finish().termination().assert_status(3 << 8);
    let text = |name: &str| fs::read_to_string(sandbox.join(name)).unwrap();
    assert_eq!((text("stdout").as_str(), text("stderr").as_str()), ("out\n", "err\n"));

    let (stdout, _) = run(&agent, &["--detach", "--quiet"], &["sh", "-c", "echo $$ > pid; exec sleep 1000"]).with(0);
    let id = stdout.trim_end();
    let pid = pid_in(agent.work_dir.join("sandboxes").join(id).join("pid"));
    agent.about("destroy", id).run().ok();
    assert_ends(pid);
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}

#[test]
fn a_detached_container_that_does_not_start_is_a_failure() {
    let agent = Agent::new();
    let (stdout, stderr) = run(&agent, &["--detach", "--quiet"], &["/nonexistent"]).with(127);
    assert!(stdout.is_empty() && stderr.contains("cannot execute /nonexistent"), "{stderr}");
    assert!(agent.containers().is_empty());
    agent.assert_nothing_left();
}
