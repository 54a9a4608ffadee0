//! namespaces/user: root inside is nobody outside.

mod attacks;
mod bed;
mod files;
mod refused;
mod together;

use std::fs;

use crate::agent::container::AWAIT_GO;
use crate::agent::messages::uri;
use crate::agent::{Container, eventually};
use bed::{FIRST, bed};

/// A line of a process's status, as `Uid`.
fn status(pid: i32, name: &str) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
    line.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// The container's only process that has executed something.
#[track_caller]
fn first(container: &Container<'_>) -> i32 {
    eventually("the container runs", || !container.processes().is_empty());
    container.first_pid()
}

#[test]
fn everybody_has_the_own_id_inside_and_another_outside() {
    let bed = bed!();
    for (user, uid) in [("root", 0), ("daemon", 1), ("nobody", 65534)] {
        let container =
            bed.task(&format!("id -u; id -G; cat /proc/self/uid_map /proc/self/gid_map; {AWAIT_GO}")).user(user);
        let container = container.launch();
        let pid = first(&container);
        assert_eq!(status(pid, "Uid"), [FIRST + uid; 4]);
        let expected = std::process::Command::new("id").args(["-G", user]).output().unwrap().stdout;
        let expected = String::from_utf8(expected).unwrap();
        let mut groups: Vec<u32> = expected.split_whitespace().map(|gid| gid.parse::<u32>().unwrap() + FIRST).collect();
        let mut outside = status(pid, "Groups");
        outside.extend(status(pid, "Gid"));
        assert!(outside.iter().all(|gid| groups.contains(gid)), "{outside:?}");
        groups.retain(|gid| !outside.contains(gid));
        assert_eq!(groups, Vec::<u32>::new());
        container.go();
        container.complete().assert_status(0);
        let said = container.file("stdout");
        let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], [uid.to_string()]);
        let mut inside = lines[1].clone();
        let mut all: Vec<&str> = expected.split_whitespace().collect();
        inside.sort_unstable();
        all.sort_unstable();
        assert_eq!(inside, all);
        let map = ["0".to_owned(), FIRST.to_string(), "65536".to_owned()];
        assert_eq!(
            (&lines[2][..], &lines[3][..]),
            (&map.each_ref().map(String::as_str)[..], &map.each_ref().map(String::as_str)[..])
        );
    }
}

#[test]
fn who_names_no_user_keeps_nothing_of_the_agents() {
    let bed = bed!();
    let container = bed.task(&format!("id -u; id -G; echo > made; {AWAIT_GO}")).no_user().launch();
    let pid = first(&container);
    assert_eq!((status(pid, "Uid"), status(pid, "Groups")), (vec![FIRST; 4], vec![FIRST]));
    container.go();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "0\n0\n");
}

#[test]
fn capabilities_are_those_of_the_namespace_and_of_root_only() {
    let bed = bed!();
    let show = "grep -E '^Cap(Prm|Eff|Inh|Amb)' /proc/self/status";
    for (user, has) in [("root", true), ("nobody", false)] {
        let container = bed.task(show).user(user).launch();
        container.complete().assert_status(0);
        let said = container.file("stdout");
        let set = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        assert_eq!([set("CapPrm:") != 0, set("CapEff:") != 0], [has; 2], "{said}");
        assert_eq!((set("CapInh:"), set("CapAmb:")), (0, 0));
    }
}

#[test]
fn the_end_is_reported_as_ever() {
    let bed = bed!();
    bed.task("exit 7").launch().complete().assert_status(7 << 8);
    bed.task("kill -9 $$").user("nobody").launch().complete().assert_status(9);
    let container = bed.task(&format!("{AWAIT_GO}; exit 8")).user("nobody").launch();
    let usage = container.usage();
    assert!(usage.mem_rss_bytes().is_some_and(|bytes| bytes > 0) && usage.cpu_seconds().is_some(), "{usage:?}");
    container.update(&[("cpus", 0.2), ("mem", 64.0)]);
    // Whoever takes over can do with it what a supervisor can.
    bed.kill_supervisors();
    container.go();
    let end = container.complete();
    if end.status.is_some() {
        end.assert_status(8 << 8);
    } else {
        end.assert_unknown();
    }
    bed.assert_nothing_left();
}

#[test]
fn destroy_kills_all_of_it() {
    for launcher in ["linux", "posix"] {
        let bed = bed!(bed::builder().flag("--isolation=namespaces/user").flag(&format!("--launcher={launcher}")));
        for user in ["root", "nobody"] {
            let container = bed.task("setsid sleep 1000 & trap '' TERM; echo up; sleep 1000").user(user).launch();
            container.line("stdout");
            container.destroy();
        }
        bed.assert_nothing_left();
    }
}

#[test]
fn what_is_fetched_is_the_users() {
    let bed = bed!();
    fs::write(bed.path("plain.txt"), "text\n").unwrap();
    for user in ["root", "daemon"] {
        let task = bed.task("cat plain.txt && echo more >> plain.txt").user(user);
        let container = task.uri(uri(bed.path("plain.txt").to_str().unwrap())).launch();
        container.complete().assert_status(0);
        assert_eq!((container.file("stdout"), container.file("plain.txt")), ("text\n".into(), "text\nmore\n".into()));
    }
}

#[test]
fn the_environment_and_the_working_directory_are_as_ever() {
    let bed = bed!();
    let container =
        bed.task("pwd; echo $MESOS_SANDBOX; cd / && cd $MESOS_SANDBOX && ls -d stdout; umask").user("nobody").launch();
    container.complete().assert_status(0);
    let sandbox = container.path("").display().to_string().trim_end_matches('/').to_owned();
    assert_eq!(container.file("stdout"), format!("{sandbox}\n{sandbox}\nstdout\n0022\n"));
}

#[test]
fn run_gives_its_pipes_to_the_container() {
    let bed = bed!();
    let mut command = bed.operator();
    command.args(["run", "--user=nobody", "--", "sh", "-c", "cat; echo out > /dev/stdout; id -u >&2"]);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said:?}");
    assert_eq!((said.0.trim(), said.1.trim()), ("out", "65534"));
}
