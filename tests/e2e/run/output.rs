//! What the command writes, on its way out.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;

use super::{
    Running, assert_clean, assert_ends, await_commit, command, named_sandbox, next_line, pid_in, run, sandboxes, script,
};
use crate::agent::{Agent, eventually, need_root};

#[test]
fn both_streams_come_out_apart() {
    let agent = Agent::new();
    let (stdout, stderr) = script(&agent, &[], "echo one; echo two >&2; echo three").with(0);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("one\nthree\n", "two\n"));
    assert_clean(&agent);
}

#[test]
fn output_comes_while_the_command_runs() {
    let agent = Agent::new();
    let (sandbox, flag) = named_sandbox(&agent);
    let wait = "while [ ! -e go ]; do sleep 0.02; done";
    let words = ["sh", "-c", &format!("printf 'no line end'; echo; echo two >&2; {wait}; echo three")];
    let mut running = Running::start(&mut command(&agent, &[&flag], &words));
    assert_eq!(running.line(), "no line end");
    assert_eq!(next_line(running.stderr.as_mut().unwrap()), "two");
    fs::write(sandbox.join("go"), "").unwrap();
    assert_eq!(running.end().with(0).0, "three\n");
    assert!(!sandbox.join("stdout").exists() && !sandbox.join("stderr").exists());
}

#[test]
fn much_output_is_complete_and_takes_little_memory() {
    const SIZE: usize = 64 << 20;
    let agent = Agent::new();
    let (sandbox, flag) = named_sandbox(&agent);
    let script = format!("head -c {SIZE} /dev/zero | tr '\\0' x; until [ -e go ]; do sleep 0.02; done; printf end");
    let mut running = Running::start(&mut command(&agent, &[&flag], &["sh", "-c", &script]));
    let mut stdout = running.stdout.take().unwrap();
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    while total < SIZE {
        let got = stdout.read(&mut buffer).unwrap();
        assert!(got > 0 && buffer[..got].iter().all(|byte| *byte == b'x'), "after {total} bytes");
        total += got;
    }
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 24 << 10, "{peak} kB");
    fs::write(sandbox.join("go"), "").unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((total, rest.as_str()), (SIZE, "end"));
    running.end().with(0);
}

#[test]
fn output_of_a_command_that_has_ended_waits_for_a_slow_reader() {
    let agent = Agent::new();
    // Less than the command's pipe holds, and ours much less.
    let words = ["sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x"];
    let mut running = Running::start(&mut command(&agent, &[], &words));
    fcntl(running.stdout.as_ref().unwrap(), FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    eventually("the container has ended", || sandboxes(&agent).len() == 1 && agent.live().is_empty());
    std::thread::sleep(Duration::from_millis(300));
    assert!(running.child.try_wait().unwrap().is_none(), "run has ended with output that nobody has read");
    assert_eq!(running.end().with(0).0, "x".repeat(40_000));
    assert_clean(&agent);
}

#[test]
fn output_to_a_file_and_to_nobody() {
    let agent = Agent::new();
    let path = agent.path("log");
    fs::write(&path, "before\n").unwrap();
    let log = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let mut call = command(&agent, &[], &["sh", "-c", "echo out; echo err >&2; head -c 200000 /dev/zero"]);
    Running::start(call.stdout(log.try_clone().unwrap()).stderr(log)).end().with(0);
    let text = fs::read(&path).unwrap();
    assert_eq!(text.len(), "before\nout\nerr\n".len() + 200_000);
    assert!(text.starts_with(b"before\n"));
    let mut call = command(&agent, &[], &["sh", "-c", "head -c 200000 /dev/zero"]);
    Running::start(call.stdout(Stdio::null())).end().with(0);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut call = command(&agent, &[], &["yes"]);
    let (_, said) = Running::start(call.stdout(full)).end().with(141);
    assert_eq!(said, "mesos-ecp: run: cannot pass on the command's stdout: No space left on device (os error 28)\n");
    assert_clean(&agent);
}

#[test]
fn a_command_whose_reader_is_gone_gets_sigpipe() {
    let agent = Agent::new();
    let mut running = Running::start(&mut command(&agent, &[], &["yes"]));
    assert_eq!(running.line(), "y");
    drop(running.stdout.take());
    assert_eq!(running.end().with(141).1, "");
    // One that does not go by it goes on, and its stderr with it.
    let mut running = Running::start(&mut command(
        &agent,
        &[],
        &["sh", "-c", "trap '' PIPE; echo; while echo y; do sleep 0.02; done 2> /dev/null; echo on >&2; exit 7"],
    ));
    running.line();
    drop(running.stdout.take());
    assert_eq!(running.end().with(7).1, "on\n");
    assert_clean(&agent);
}

#[test]
fn what_a_command_leaves_behind_does_not_hold_up_the_end() {
    let agent = Agent::new();
    let (stdout, _) = script(&agent, &[], "(setsid sleep 1000 &); echo done").with(0);
    assert_eq!(stdout, "done\n");
    assert_clean(&agent);
}

#[test]
fn a_user_can_open_its_streams_by_name() {
    need_root!();
    let agent = Agent::new();
    let (stdout, stderr) = script(&agent, &["--user=nobody"], "echo a > /dev/stdout; echo b > /dev/stderr").with(0);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("a\n", "b\n"));
}

#[test]
fn what_fetching_says_comes_out_too() {
    let agent = Agent::new();
    agent.fetcher("echo fetching >&2; echo fetched; echo content > file");
    let (stdout, stderr) = run(&agent, &["--uri=hdfs://127.0.0.1:9/file"], &["cat", "file"]).with(0);
    assert_eq!((stdout.as_str(), stderr.as_str()), ("fetched\ncontent\n", "fetching\n"));
    agent.fetcher("echo no such file >&2; exit 1");
    let (stdout, stderr) = run(&agent, &["--uri=hdfs://127.0.0.1:9/file"], &["cat", "file"]).with(125);
    assert_eq!(stdout, "");
    assert!(stderr.starts_with("no such file\nmesos-ecp: run: fetching hdfs://127.0.0.1:9/file failed"), "{stderr}");
    assert_clean(&agent);
}

#[test]
fn a_container_whose_supervisor_dies_still_speaks() {
    let agent = Agent::new();
    let (sandbox, flag) = named_sandbox(&agent);
    let script = "echo $$ > pid; echo one; until [ -e go ]; do sleep 0.02; done; echo two; exit 7";
    let mut running = Running::start(&mut command(&agent, &[&flag], &["sh", "-c", script]));
    assert_eq!(running.line(), "one");
    let first = pid_in(sandbox.join("pid"));
    await_commit(&agent);
    let owner = agent.supervisors().into_iter().find(|process| process.pid != running.pid()).unwrap();
    crate::agent::processes::signal(owner.pid, Signal::SIGKILL);
    eventually("somebody has taken over", || {
        agent.supervisors().iter().any(|process| ![owner.pid, running.pid()].contains(&process.pid))
    });
    fs::write(sandbox.join("go"), "").unwrap();
    let ended = running.end();
    assert_eq!(ended.stdout, "two\n");
    // Older kernels do not keep the exit status.
    assert!(matches!(ended.code, Some(7 | 125)), "{ended:?}");
    assert_ends(first);
    assert_clean(&agent);
}
