//! Traced processes: a tracer may hold one up at every step, even in its death.

use std::process::{Child, Command, Stdio};

use super::{Attack, BY_FORCE, need_perl_and_root, perl};
use crate::agent::processes::Process;
use crate::agent::{Agent, Container, eventually};
use crate::refusals::assert_says;

/// PTRACE_SEIZE of what is in `$pid`; PTRACE_INTERRUPT.
const SEIZE: &str = "syscall(PTRACE, 0x4206, $pid, 0, 0) == 0 or die $!; syscall(PTRACE, 0x4207, $pid, 0, 0);";
/// The same with PTRACE_O_TRACEEXIT: it is stopped at its exit, too, and no SIGKILL helps until the tracer lets go.
const SEIZE_AND_EXIT: &str =
    "syscall(PTRACE, 0x4206, $pid, 0, 0x40) == 0 or die $!; syscall(PTRACE, 0x4207, $pid, 0, 0);";
/// PTRACE_ATTACH.
const ATTACH: &str = "syscall(PTRACE, 16, $pid, 0, 0) == 0 or die $!;";

#[test]
fn ones_traced_by_another_of_the_container() {
    need_perl_and_root!();
    for how in [SEIZE, SEIZE_AND_EXIT, ATTACH] {
        let wait = "select(undef, undef, undef, 0.01) until -s $ENV{PIDS};";
        let program =
            format!("my $pid = fork; POSIX::setsid(); if ($pid == 0) {{ note; rest }} {wait} {how} note; rest");
        Attack::new(&perl(&program), 2).run();
    }
}

#[test]
fn a_first_process_traced_by_its_child() {
    need_perl_and_root!();
    let program = format!("POSIX::setsid(); my $pid = getppid; {ATTACH} note; rest");
    let script = format!("echo $$ > pid; {}wait", perl(&program));
    Attack::new(&script, 1).ways(&BY_FORCE).run();
}

/// A tracer outside the container that does nothing more.
struct Tracer(Child);

impl Tracer {
    fn of(pid: i32, how: &str) -> Tracer {
        let script = perl(&format!("my $pid = {pid}; {how} rest")).replace("' &\n", "'");
        let mut command = Command::new("/bin/sh");
        let child = command.arg("-c").arg(format!("exec {script}")).stdin(Stdio::null()).spawn().unwrap();
        let tracer = Tracer(child);
        eventually("the process is traced", || Process::find(pid).is_some_and(|p| p.state == 't'));
        tracer
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn noted(container: &Container<'_>) -> i32 {
    container.pid("pids")
}

#[test]
fn ones_traced_from_outside() {
    need_perl_and_root!();
    for how in [SEIZE, ATTACH] {
        Attack::new("setsid sh -c 'echo $$ >> $PIDS; exec sleep 1000' &", 1)
            .run_with(|container| Tracer::of(noted(container), how));
    }
}

#[test]
fn a_first_process_traced_from_outside() {
    need_perl_and_root!();
    for how in [SEIZE, ATTACH] {
        let attack = Attack::new("", 0).ways(&BY_FORCE);
        attack.run_with(|container| Tracer::of(container.pid("pid"), how));
    }
}

#[test]
fn one_that_its_tracer_does_not_let_die_is_not_lost() {
    need_perl_and_root!();
    let agent = Agent::builder().flag("--cgroups_destroy_timeout=1secs").build();
    let container = Attack::new("", 0).launch(&agent);
    let pid = container.pid("pid");
    let tracer = Tracer::of(pid, SEIZE_AND_EXIT);
    let said = container.invoke("destroy").run().refused();
    assert_says(&said, &[&format!("pid {pid}"), &format!("traced by pid {}", tracer.0.id())]);
    assert_eq!(agent.containers(), [container.id.as_str()]);
    drop(tracer);
    eventually("it is finished", || agent.containers().is_empty());
    agent.assert_nothing_left();
}
