//! A container that overwrites the program itself, which root will run the next time: from a root directory of one's own it is
//! not reached by its path, but through /proc/PID/exe.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use super::prevented;
use crate::agent::{Agent, Builder, Task, eventually, need_root, skip};
use crate::inside::compiled;

/// What a shell does that holds the program as descriptor 9, for reading: it writes to it as soon as the kernel lets it, which
/// is when nobody executes it any more.
const OVERWRITE: &str = "touch holds; i=0; while [ $i -lt 200 ]; do
        if (echo overwritten > /proc/self/fd/9) 2> /dev/null; then break; fi
        i=$((i + 1)); sleep 0.01
    done; touch done; sleep 1000";

/// Executed by way of /proc/self/exe, the program loads this library, and with it the attacker's code.
const LIBRARY: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void take(void) {
    unsetenv("LD_PRELOAD");
    dup2(open("/proc/self/exe", O_RDONLY), 9);
    execl("/bin/sh", "sh", "-c", getenv("OVERWRITE"), (char *)0);
}
"#;

fn overwrites(builder: Builder, attack: impl Fn(&Agent) -> Task<'_>) -> bool {
    // A copy that nothing else runs.
    let agent = builder.own_fetcher(true).build();
    let program = agent.path("bin/mesos-ecp");
    let before = fs::metadata(&program).unwrap().len();
    let container = attack(&agent).launch();
    eventually("the attack has been tried", || container.path("done").exists());
    assert!(container.path("holds").exists());
    fs::metadata(&program).unwrap().len() != before
}

/// Whether the kernel lets nobody write to a program that runs: some of 6.11 and later do.
fn running_programs_are_kept() -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("sleep");
    // By a process of its own, so that no other test's fork has it open for writing.
    assert!(Command::new("cp").arg("/bin/sleep").arg(&copy).status().unwrap().success());
    let mut sleep = Command::new(&copy).arg("1000").spawn().unwrap();
    let kept = |path: &Path| {
        let opened = fs::OpenOptions::new().append(true).open(path);
        opened.is_err_and(|e| e.kind() == ErrorKind::ExecutableFileBusy)
    };
    let is_kept = kept(&copy);
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    is_kept
}

/// The supervisor runs for as long as anything of its container does. Without that safeguard it does not stay.
#[test]
fn the_program_is_not_overwritten_through_its_supervisor() {
    need_root!();
    if !running_programs_are_kept() {
        skip!("this kernel lets programs that run be written to");
    }
    let script = format!("exec 9< /proc/$PPID/exe || exit 1; {OVERWRITE}");
    prevented("stay", |builder| overwrites(builder, |agent| agent.task(&script)));
}

#[test]
fn the_program_is_not_overwritten_by_being_executed_inside() {
    need_root!();
    if !running_programs_are_kept() {
        skip!("this kernel lets programs that run be written to");
    }
    let library = compiled("take", LIBRARY, &["-shared", "-fPIC"]);
    prevented("stay", |builder| {
        overwrites(builder, |agent| {
            let task = agent.program("/proc/self/exe", &["mesos-ecp", "help"]);
            task.env("LD_PRELOAD", library.to_str().unwrap()).env("OVERWRITE", OVERWRITE)
        })
    });
}
