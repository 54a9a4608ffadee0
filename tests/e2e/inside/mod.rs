//! What a container sees: a small program (`program.c`) is launched as its command and says it.

pub mod clean;
mod compiled;
pub mod isolated;
mod plain;
mod report;
mod whole;

use std::path::{Path, PathBuf};

pub use compiled::compiled;
pub use report::Report;

use crate::agent::{Agent, Container, Task, eventually};

/// The program that says what it sees. Linked statically: it runs wherever it is copied to.
pub fn program() -> PathBuf {
    compiled("inside", include_str!("program.c"), &["-static"])
}

/// A task whose command is that program; `paths`: directories that it is to list.
pub fn task<'a>(agent: &'a Agent, paths: &[&str]) -> Task<'a> {
    program_task(agent, &program(), paths)
}

/// A task that says what it sees and then stays, to be looked at from outside.
pub fn staying<'a>(agent: &'a Agent) -> Task<'a> {
    program_task(agent, &program(), &["stay"])
}

/// The same with the program at a path as the container sees it.
pub fn program_task<'a>(agent: &'a Agent, path: &Path, arguments: &[&str]) -> Task<'a> {
    agent.program(path.to_str().unwrap(), &[&["inside"], arguments].concat())
}

/// Launches a task of the above, waits until it has ended, and gives what it said.
#[track_caller]
pub fn report(task: Task<'_>) -> Report {
    let container = task.launch();
    let termination = container.complete();
    let said = container.file("stdout");
    assert_eq!(termination.status, Some(0), "{said}{}", container.file("stderr"));
    Report::parse(&said)
}

/// What a container that goes on has said.
#[track_caller]
pub fn report_of(container: &Container<'_>) -> Report {
    eventually("the program inside has said what it sees", || container.file("stdout").ends_with("}\n"));
    Report::parse(&container.file("stdout"))
}
