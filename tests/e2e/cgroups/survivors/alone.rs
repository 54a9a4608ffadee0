//! Single processes that try to be overlooked.

use super::{ALL, Attack, BY_FORCE, Way, need_perl_and_root, perl};
use crate::agent::need_root;

#[test]
fn detached_ones_that_ignore_signals() {
    need_root!();
    let inner =
        "trap \"\" TERM HUP INT QUIT; echo $$ >> $PIDS; (setsid sh -c \"echo \\$\\$ >> $PIDS; exec sleep 1000\" &)";
    Attack::new(&format!("(setsid sh -c '{inner}; while :; do sleep 1000; done' &)"), 2).run();
}

#[test]
fn stopped_ones() {
    need_root!();
    Attack::new("setsid sh -c 'echo $$ >> $PIDS; kill -STOP $$; sleep 1000' &", 1).run();
}

#[test]
fn a_first_process_that_is_stopped() {
    need_root!();
    let attack = Attack::new("echo $$ > pid; echo $$ >> $PIDS; kill -STOP $$", 1).ways(&BY_FORCE);
    attack.run();
}

#[test]
fn ones_with_another_environment_and_directory() {
    need_root!();
    let command = "echo $$ >> '$PIDS'; exec sleep 1000";
    Attack::new(
        &format!("(cd /; env -i PATH=\"$PATH\" setsid sh -c \"$(echo \"{}\")\" &)", command.replace("$$", "\\$\\$")),
        1,
    )
    .run();
}

#[test]
fn parents_that_wait_for_their_vforked_children() {
    need_perl_and_root!();
    let vfork = "POSIX::setsid(); my $pid = syscall(CLONE, 0x4000 | 17, 0, 0, 0, 0); note if $pid == 0; rest";
    // The parent notes itself first: afterwards it waits in the kernel.
    Attack::new(&perl(&format!("note; {vfork}")), 2).run();
}

#[test]
fn zombies_that_nobody_reaps() {
    need_perl_and_root!();
    let program = "for (1..200) { my $pid = fork; POSIX::_exit(0) if $pid == 0 } POSIX::setsid(); note; rest";
    Attack::new(&perl(program), 1).run();
}

#[test]
fn ones_that_leave_for_the_top_of_one_hierarchy() {
    need_perl_and_root!();
    for (at, _) in super::tracking().iter().enumerate() {
        let out = format!(
            "my @c = split \" \", $ENV{{CGROUPS}}; my $d = $c[{at}]; $d =~ s|/ecp-e2e-.*||; put(\"$d/cgroup.procs\", \
             \"$$\");"
        );
        let program = format!("POSIX::_exit(0) if fork; POSIX::setsid(); {out} note; rest");
        // With v1's freezer alone there is nothing else to know them by for who takes over.
        let ways = if super::tracking().len() == 1 { vec![Way::Destroy, Way::End] } else { ALL.to_vec() };
        Attack::new(&perl(&program), 1).ways(&ways).run();
    }
}

#[test]
fn ones_that_leave_all_hierarchies() {
    need_perl_and_root!();
    let program = "POSIX::_exit(0) if fork; POSIX::setsid(); \
        for my $d (split \" \", $ENV{CGROUPS}) { $d =~ s|/ecp-e2e-.*||; put(\"$d/cgroup.procs\", \"$$\") } note; rest";
    // Those who take over know them by their environment, which this one has kept.
    Attack::new(&perl(program), 1).run();
    let changed = program.replace("note; rest", "note; $ENV{MESOS_CONTAINER_ID} = \"\"; exec(\"sleep\", \"1000\")");
    Attack::new(&perl(&changed), 1).ways(&[Way::Destroy, Way::End]).run();
}
