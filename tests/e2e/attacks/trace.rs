//! A container that traces its supervisor.

use super::{prevented, prevented_by};
use crate::agent::{Builder, need_root};
use crate::inside::compiled;

/// What the program of `trace.c` says of the container's parent, which is its supervisor.
fn tried_on_its_parent(builder: Builder) -> Vec<(String, bool)> {
    let agent = builder.build();
    let program = agent.copy("trace", &compiled("trace", include_str!("trace.c"), &["-static"]));
    // The shell stays: its parent is the supervisor.
    let container = agent.task(&format!("parent=$PPID; {} $parent; exit $?", program.display())).launch();
    container.complete().assert_status(0);
    let said = container.file("stdout");
    let lines = said.lines().filter_map(|line| line.split_once(": "));
    lines.map(|(what, how)| (what.to_owned(), how == "open")).collect()
}

#[test]
fn a_supervisor_without_root_is_closed_to_its_own_account() {
    need_root!();
    let tried = |what: &str, builder: Builder| {
        let tried = tried_on_its_parent(builder.unprivileged());
        tried.iter().find(|(name, _)| name == what).unwrap_or_else(|| panic!("{what} in {tried:?}")).1
    };
    for what in ["seize", "mem", "environ", "exe", "fd/0", "root/."] {
        prevented("dumpable", |builder| tried(what, builder));
    }
}

/// This needs no safeguard of ours but that the users differ.
#[test]
fn a_supervisor_of_roots_is_closed_to_other_users() {
    need_root!();
    let agent = crate::agent::Agent::new();
    let program = agent.copy("trace", &compiled("trace", include_str!("trace.c"), &["-static"]));
    let container = agent.task(&format!("parent=$PPID; {} $parent; true", program.display())).user("nobody").launch();
    container.complete().assert_status(0);
    let said = container.file("stdout");
    assert!(said.contains("seize: ") && !said.contains(": open"), "{said}");
}

/// As root, by whatever is found in /proc.
fn finds_its_supervisor(builder: Builder) -> bool {
    let agent = builder.build();
    let program = agent.copy("trace", &compiled("trace", include_str!("trace.c"), &["-static"]));
    let script = format!(
        "for process in /proc/[0-9]*; do
             id=${{process#/proc/}}
             if [ $id != $$ ] && tr '\\0' '\\n' < $process/cmdline | grep -qx -- --runtime_dir={}; then {} $id; fi
         done; true",
        agent.runtime_dir.display(),
        program.display()
    );
    let container = agent.task(&script).launch();
    container.complete().assert_status(0);
    container.file("stdout").contains("seize: open")
}

#[test]
fn a_container_with_a_pid_namespace_finds_no_supervisor() {
    need_root!();
    prevented_by("namespaces/pid", finds_its_supervisor);
}

/// Root without CAP_SYS_PTRACE may trace only what has no more rights than it has itself.
#[test]
fn root_with_fewer_capabilities_does_not_trace_its_supervisor() {
    need_root!();
    prevented_by("linux/capabilities", |builder| {
        finds_its_supervisor(builder.flag("--effective_capabilities=NET_RAW"))
    });
}
