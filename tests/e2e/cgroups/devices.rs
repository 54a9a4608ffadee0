//! cgroups/devices: which devices a container may use.

use std::fs;
use std::path::Path;
use std::process::Command;

use mesos_ecp::cgroup::Cgroup;
use mesos_ecp::cgroup::devices::{Access, Kind, Rule, allow_only_v2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::agent::{Agent, Builder, cgroups, need_root, new_id, skip};
use crate::refusals::assert_says;

const DEFAULT: [&str; 14] = [
    "b *:* m",
    "c *:* m",
    "c 10:200 rwm",
    "c 136:* rwm",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 4:0 rwm",
    "c 4:1 rwm",
    "c 5:0 rwm",
    "c 5:1 rwm",
    "c 5:2 rwm",
];

/// Says of each file whether it can be opened for reading and for writing: lines of `FILE read=... write=...`.
const OPEN: &str = r#"
    try() { ( eval "exec 3$2 $1" ) 2>&1 && echo yes; }
    look() { echo "$1 read=$(try "$1" '<') write=$(try "$1" '>')"; }
"#;

/// The kernel's log: root may read and write it, and no list has it.
const KMSG: (u64, u64) = (1, 11);

fn agent() -> Builder {
    Agent::builder().flag("--isolation=cgroups/devices")
}

fn node(path: &Path, kind: SFlag, (major, minor): (u64, u64)) {
    mknod(path, kind, Mode::from_bits_truncate(0o666), makedev(major, minor)).unwrap();
    // Whatever the umask is.
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
}

fn is_allowed(line: &str, what: &str) -> bool {
    line.split_once(&format!(" {what}=")).unwrap().1.starts_with("yes")
}

#[track_caller]
fn line_of<'a>(text: &'a str, file: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(&format!("{file} "))).unwrap_or_else(|| panic!("no {file} in {text}"))
}

#[track_caller]
fn assert_denied(text: &str, file: &str) {
    let line = line_of(text, file);
    assert_eq!(line.matches("Operation not permitted").count(), 2, "{line}");
    assert!(!is_allowed(line, "read") && !is_allowed(line, "write"), "{line}");
}

#[test]
fn usual_devices_can_be_used_and_others_only_made() {
    need_root!();
    let agent = agent().build();
    // Else this test could not fail.
    let here = agent.path("kmsg");
    node(&here, SFlag::S_IFCHR, KMSG);
    fs::File::open(&here).expect("the kernel's log can be read outside");
    let script = format!(
        r#"{OPEN}
        mknod kmsg c 1 11 && mknod mem c 1 1 && mknod loop b 7 0 && mknod own-null c 1 3 && mknod null-disk b 1 3 || exit 9
        for name in null zero full random urandom tty; do look /dev/$name; done > usual
        for name in own-null kmsg mem loop null-disk; do look $name; done > own
        echo > ready
        until [ -e go ]; do sleep 0.05; done"#
    );
    let container = agent.task(&script).launch();
    container.line("ready");
    let (usual, own) = (container.file("usual"), container.file("own"));
    for name in ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
        let line = line_of(&usual, name);
        assert!(is_allowed(line, "read") && is_allowed(line, "write"), "{line}");
    }
    // Without a terminal there is none to be opened, but it is not denied.
    let tty = line_of(&usual, "/dev/tty");
    assert!(!tty.contains("not permitted"), "{tty}");
    let line = line_of(&own, "own-null");
    assert!(is_allowed(line, "read") && is_allowed(line, "write"), "{line}");
    for name in ["kmsg", "mem", "loop", "null-disk"] {
        assert_denied(&own, name);
    }
    if cgroups::is_v1("devices") {
        let list = container.control("devices", "devices.list");
        let mut list: Vec<_> = list.lines().collect();
        list.sort_unstable();
        assert_eq!(list, DEFAULT);
    }
    container.go();
    container.complete().assert_status(0);
    agent.assert_nothing_left();
}

#[test]
fn more_devices_are_allowed_by_the_flag() {
    need_root!();
    let entry = r#"{"device":{"numbers":{"major_number":1,"minor_number":11},"type":"char"},"access":{"read":true}}"#;
    let full = r#"{"device":{"path":"/dev/full"},"access":{"read":true}}"#;
    let agent = agent().flag(&format!("--allowed_devices='{{\"allowed_devices\":[{entry},{full}]}}'")).build();
    let script = format!(
        r#"{OPEN}
        mknod kmsg c 1 11 && mknod mem c 1 1 || exit 9
        for name in kmsg mem /dev/full; do look $name; done > own
        echo > ready
        until [ -e go ]; do sleep 0.05; done"#
    );
    let container = agent.task(&script).launch();
    container.line("ready");
    let own = container.file("own");
    let line = line_of(&own, "kmsg");
    assert!(is_allowed(line, "read") && !is_allowed(line, "write"), "{line}");
    assert_denied(&own, "mem");
    // What the list already allows is not taken back.
    assert!(is_allowed(line_of(&own, "/dev/full"), "write"), "{own}");
    if cgroups::is_v1("devices") {
        let list = container.control("devices", "devices.list");
        assert_eq!(list.lines().count(), DEFAULT.len() + 1, "{list}");
        assert!(list.lines().any(|line| line == "c 1:11 r"), "{list}");
    }
    container.go();
    container.complete().assert_status(0);
}

#[test]
fn a_bad_list_is_refused() {
    need_root!();
    for (flag, says) in [
        ("{", "it is no JSON"),
        (r#"{"allowed_devices":[{"device":{"path":"/dev/null"}}]}"#, "entry 1 of allowed_devices: it has no access"),
        (
            r#"{"allowed_devices":[{"device":{"path":"/dev/no-such"},"access":{"read":true}}]}"#,
            "cannot look at /dev/no-such: No such file",
        ),
    ] {
        let agent = agent().flag(&format!("--allowed_devices='{flag}'")).build();
        assert_says(&agent.task("true").refused(), &["cgroups/devices", "--allowed_devices", says]);
        agent.assert_nothing_left();
    }
}

#[test]
fn nested_cgroups_have_no_more_devices() {
    need_root!();
    let agent = agent().build();
    let id = new_id();
    let cgroup = cgroups::mount_point("devices").join(&agent.cgroups_root).join(&id);
    let script = format!(
        r#"{OPEN}
        until [ -e go ]; do sleep 0.05; done
        mkdir {0}/nested && echo $$ > {0}/nested/cgroup.procs || exit 9
        for name in kmsg /dev/null; do look $name; done > own
        ( echo a > {0}/nested/devices.allow ) 2>> errors
        ( echo 'c 1:11 r' > {0}/devices.allow ) 2>> errors
        for name in kmsg; do look $name; done > again
        cat /proc/self/cgroup > where"#,
        cgroup.display()
    );
    let container = agent.task(&script).id(&id).user("nobody").launch();
    node(&container.path("kmsg"), SFlag::S_IFCHR, KMSG);
    container.go();
    container.complete().assert_status(0);
    assert!(container.file("where").contains(&format!("{id}/nested\n")), "{}", container.file("where"));
    let own = container.file("own");
    assert_denied(&own, "kmsg");
    assert!(is_allowed(line_of(&own, "/dev/null"), "write"), "{own}");
    assert_denied(&container.file("again"), "kmsg");
    assert_eq!(container.file("errors").lines().count(), 2);
    agent.assert_nothing_left();
}

/// Also on hosts where v1 has the devices: the program in a v2 cgroup of the test's own.
#[test]
fn the_v2_program_decides_about_real_opens() {
    need_root!();
    let Some(unified) = cgroups::unified() else {
        skip!("there is no v2");
    };
    // Its root is removed with all that is in it.
    let agent = Agent::new();
    let outer = unified.join(&agent.cgroups_root).join("program");
    let inner = outer.join("nested");
    fs::create_dir_all(&inner).unwrap();
    let nodes = [("log", SFlag::S_IFCHR, KMSG), ("one", SFlag::S_IFCHR, (1, 3)), ("disk", SFlag::S_IFBLK, (1, 3))];
    for (name, kind, numbers) in nodes {
        node(&agent.path(name), kind, numbers);
    }
    let look = |cgroup: &Path| {
        let script = format!(
            r#"{OPEN}
            echo $$ > {}/cgroup.procs || exit 9
            for name in log one disk /dev/zero; do look $name; done
            rm -f made; mknod made c 1 11 2>&1 && echo made"#,
            cgroup.display()
        );
        let output = Command::new("sh").arg("-c").arg(script).current_dir(agent.path("")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let before = look(&inner);
    assert!(is_allowed(line_of(&before, "log"), "read") && before.contains("made\n"), "{before}");

    let write = Access { read: false, write: true, mknod: false };
    let rules = [Rule::number(Kind::Char, 1, 3, write), Rule::driver(Kind::Block, 7, Access::ALL)];
    allow_only_v2(&Cgroup::open(&outer).unwrap(), &rules).unwrap();
    // What is attached below can only take away.
    allow_only_v2(&Cgroup::open(&inner).unwrap(), &[Rule::any(Kind::Char, Access::ALL)]).unwrap();
    for cgroup in [&outer, &inner] {
        let after = look(cgroup);
        for name in ["log", "disk", "/dev/zero"] {
            if name != "disk" || cgroup == &inner {
                assert_denied(&after, name);
            }
        }
        let one = line_of(&after, "one");
        assert!(is_allowed(one, "write") && !is_allowed(one, "read"), "{one}");
        assert!(after.contains("Operation not permitted") && !after.contains("made\n"), "{after}");
    }
}
