//! What the command reads.

use std::io::Write;
use std::process::Stdio;

use super::{Running, assert_clean, command};
use crate::agent::Agent;

fn piped(agent: &Agent, flags: &[&str], words: &[&str]) -> Running {
    Running::start(command(agent, flags, words).stdin(Stdio::piped()))
}

#[test]
fn input_is_passed_on_if_asked_for() {
    let agent = Agent::new();
    let mut running = piped(&agent, &["--stdin"], &["cat"]);
    let mut stdin = running.stdin.take().unwrap();
    for line in ["one", "two"] {
        writeln!(stdin, "{line}").unwrap();
        assert_eq!(running.line(), line);
    }
    drop(stdin);
    assert_eq!(running.end().with(0).0, "");
    assert_clean(&agent);
}

#[test]
fn much_input_is_complete() {
    let agent = Agent::new();
    let mut running = piped(&agent, &["--stdin"], &["md5sum"]);
    let text = "123456789\n".repeat(1 << 20);
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    // That of `yes 123456789 | head -n 1048576`.
    assert_eq!(running.end().with(0).0, "7d8ebdb693587f84c73d18830a88d554  -\n");
}

#[test]
fn a_command_that_does_not_read_is_no_failure() {
    let agent = Agent::new();
    let mut running = piped(&agent, &["--stdin"], &["sh", "-c", "exec <&-; echo; sleep 0.2; exit 3"]);
    running.line();
    let mut stdin = running.stdin.take().unwrap();
    // Somebody writes on after it has stopped to read, until nobody takes it any more.
    let writer = std::thread::spawn(move || while stdin.write_all(&[b'x'; 10_000]).is_ok() {});
    assert_eq!(running.end().with(3).1, "");
    writer.join().unwrap();
    assert_clean(&agent);
}

#[test]
fn without_asking_nothing_is_read() {
    let agent = Agent::new();
    let mut running = piped(&agent, &[], &["sh", "-c", "cat; readlink /proc/self/fd/0"]);
    running.stdin.as_mut().unwrap().write_all(b"not for the command\n").unwrap();
    let stdin = running.stdin.take();
    assert_eq!(running.end().with(0).0, "/dev/null\n");
    drop(stdin);
}
