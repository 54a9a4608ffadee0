//! Processes in cgroups that the task makes itself.

use std::path::PathBuf;
use std::process::Command;

use super::{Attack, Way, need_perl_and_root, perl, tracking};
use crate::agent::need_root;

/// Into a cgroup of their own in every hierarchy.
const MOVE: &str = "for d in $CGROUPS; do mkdir -p $d/x/y; done; setsid sh -c 'for d in $CGROUPS; do \
    echo $$ > $d/x/y/cgroup.procs; done; cat /proc/self/cgroup > where; echo $$ >> $PIDS; exec sleep 1000' &";

#[test]
fn ones_of_root_in_nested_cgroups() {
    need_root!();
    Attack::new(MOVE, 1).run_with(|container| {
        assert_eq!(container.file("where").matches("/x/y").count(), tracking().len(), "{}", container.file("where"));
    });
}

#[test]
fn ones_of_a_user_in_nested_cgroups() {
    need_root!();
    Attack::new(MOVE, 1).user("nobody").run_with(|container| {
        assert_eq!(container.file("where").matches("/x/y").count(), tracking().len(), "{}", container.file("where"));
    });
}

#[test]
fn ones_that_are_never_where_one_looks() {
    need_perl_and_root!();
    let program = "POSIX::_exit(0) if fork; POSIX::setsid(); $SIG{TERM} = \"IGNORE\"; \
        my @c = split \" \", $ENV{CGROUPS}; mkdir \"$_/a\" for @c; mkdir \"$_/b\" for @c; note; delete $ENV{$_} for keys %ENV; \
        while (1) { for my $n (\"a\", \".\", \"b\") { for (@c) { open(my $f, \">\", \"$_/$n/cgroup.procs\"); \
        syswrite($f, \"$$\"); close($f) } } }";
    Attack::new(&perl(program), 1).run();
}

#[test]
fn ones_in_a_thousand_cgroups_each() {
    need_perl_and_root!();
    // More than a process may have open files, in the usual configuration.
    let program = "POSIX::setsid(); for my $n (1..1100) { my $pid = fork; die $! unless defined $pid; next if $pid; \
        for (split \" \", $ENV{CGROUPS}) { mkdir \"$_/n$n\" or die $!; put(\"$_/n$n/cgroup.procs\", \"$$\") } note; rest } rest";
    Attack::new(&perl(program), 1100).ways(&[Way::Destroy, Way::DestroyAdopted]).run();
}

/// Removes what is too deep for a path, should the program not have.
struct Deep(Vec<PathBuf>);

impl Drop for Deep {
    fn drop(&mut self) {
        for path in self.0.iter().filter(|path| path.exists()) {
            let _ = Command::new("find").arg(path).args(["-depth", "-mindepth", "1", "-type", "d", "-delete"]).output();
        }
    }
}

#[test]
fn ones_so_deep_that_no_path_reaches_them() {
    need_perl_and_root!();
    let program = "POSIX::setsid(); my $n = \"n\" x 200; for (split \" \", $ENV{CGROUPS}) { chdir $_ or die $!; \
        for (1..30) { mkdir $n or die $!; chdir $n or die $! } put(\"cgroup.procs\", \"$$\") } chdir \"/\"; note; rest";
    Attack::new(&perl(program), 1).user("nobody").run_with(|container| {
        let own = |mount: &PathBuf| {
            let text = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid("pid"))).unwrap();
            let path = text.lines().find_map(|l| l.find("/ecp-e2e-").map(|at| l[at + 1..].to_owned())).unwrap();
            mount.join(path)
        };
        Deep(tracking().iter().map(own).collect())
    });
}
