//! linux/seccomp and linux/nnp, as the kernel and the processes inside see them.
//!
//! The tasks that make calls are this test program itself, told by its environment to run [`inside`] only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::agent::container::Container;
use crate::agent::{Agent, Builder, need_root, skip};
use crate::refusals::assert_says;

pub const SECCOMP: &str = "--isolation=linux/seccomp";
const CALLS: &str = "ECP_E2E_CALLS";
const X32_BIT: i64 = 0x4000_0000;
const SIGSYS: i32 = 31;

/// A command that makes these calls in turn and prints `NAME 0` or `NAME ERRNO` for each.
pub fn calls(names: &str) -> String {
    let program = std::env::current_exe().unwrap();
    format!("{CALLS}='{names}' exec '{}' --exact seccomp::inside --nocapture --test-threads=1", program.display())
}

/// Not a test but a task: does nothing unless it is told to.
#[test]
fn inside() {
    let Ok(names) = std::env::var(CALLS) else { return };
    let mut said = String::new();
    for name in names.split(' ') {
        let result = call(name);
        said += &format!("{name} {}\n", if result < 0 { -result } else { 0 });
        // What comes next may be the end.
        fs::write("said", &said).unwrap();
    }
}

/// Calls that do no harm if they are made; negative: an errno.
fn call(name: &str) -> i64 {
    let raw = |number: i64, arguments: [i64; 3]| {
        // SAFETY: none of the calls below gets memory to write to, and those that make something make descriptors, which
        // end with the process.
        let result = unsafe { libc::syscall(number, arguments[0], arguments[1], arguments[2], 0, 0) };
        if result < 0 { -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { result }
    };
    match name {
        "getppid" => raw(libc::SYS_getppid, [0; 3]),
        // KEYCTL_GET_KEYRING_ID of the session, not to be made.
        "keyctl" => raw(libc::SYS_keyctl, [0, -3, 0]),
        "bpf" => raw(libc::SYS_bpf, [-1, 0, 0]),
        "io_uring_setup" => raw(libc::SYS_io_uring_setup, [0; 3]),
        "unshare_uts" => raw(libc::SYS_unshare, [libc::CLONE_NEWUTS.into(), 0, 0]),
        "unshare_user" => raw(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0]),
        "unshare_files" => raw(libc::SYS_unshare, [libc::CLONE_FILES.into(), 0, 0]),
        "clone3" => raw(libc::SYS_clone3, [0, 0, 0]),
        "socket_unix" => raw(libc::SYS_socket, [1, 1, 0]),
        "socket_vsock" => raw(libc::SYS_socket, [40, 1, 0]),
        // The kernel looks at 32 bits of the family.
        "socket_vsock_high" => raw(libc::SYS_socket, [1 << 40 | 40, 1, 0]),
        "sethostname" => raw(libc::SYS_sethostname, [0, -1, 0]),
        "new" => raw(10_000, [0; 3]),
        "x32" => raw(X32_BIT | libc::SYS_getppid, [0; 3]),
        "x86" => x86_getpid(),
        other => panic!("{other}"),
    }
}

/// getpid as a program of 32 bits makes it. Every process can.
#[cfg(target_arch = "x86_64")]
fn x86_getpid() -> i64 {
    let mut result: i64 = 20;
    // SAFETY: the call has no arguments; the kernel changes rax and, of this entry, r8 to r11.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    i64::from(result as i32)
}

#[cfg(not(target_arch = "x86_64"))]
fn x86_getpid() -> i64 {
    -38
}

/// Whether the kernel takes calls of 32-bit programs when there is no filter.
pub fn has_x86() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let status =
        Command::new("sh").args(["-c", &calls("x86")]).current_dir(directory.path()).stdout(Stdio::null()).status();
    cfg!(target_arch = "x86_64") && status.unwrap().success()
}

fn agent() -> Builder {
    Agent::builder().flag(SECCOMP)
}

/// What a task of this user has said about the calls, and its wait status.
pub fn said(container: &Container<'_>) -> (String, i32) {
    let status = container.complete().status.unwrap();
    (fs::read_to_string(container.path("said")).unwrap_or_default(), status)
}

fn status_lines(agent: &Agent) -> Vec<String> {
    let container = agent.task("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status > lines").launch();
    container.complete().assert_status(0);
    container.file("lines").lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_kernel_says_what_is_in_force() {
    need_root!();
    for (isolation, expected) in [
        ("posix/cpu", ["NoNewPrivs: 0", "Seccomp: 0"]),
        ("linux/nnp", ["NoNewPrivs: 1", "Seccomp: 0"]),
        ("linux/seccomp", ["NoNewPrivs: 1", "Seccomp: 2"]),
        ("linux/nnp,linux/seccomp,posix/cpu", ["NoNewPrivs: 1", "Seccomp: 2"]),
    ] {
        let agent = Agent::builder().flag(&format!("--isolation={isolation}")).build();
        assert_eq!(status_lines(&agent), expected, "{isolation}");
        agent.assert_nothing_left();
    }
}

#[test]
fn it_needs_no_root() {
    need_root!();
    let agent = agent().unprivileged().build();
    assert_eq!(status_lines(&agent), ["NoNewPrivs: 1", "Seccomp: 2"]);
    agent.assert_nothing_left();
}

#[test]
fn the_default_profile_denies_what_a_task_does_not_need() {
    need_root!();
    let agent = agent().build();
    let names =
        "getppid keyctl bpf io_uring_setup socket_unix socket_vsock socket_vsock_high new unshare_files unshare_uts";
    let usual = "getppid 0\nkeyctl 1\nbpf 1\nio_uring_setup 1\nsocket_unix 0\nsocket_vsock 97\nsocket_vsock_high 97\nnew 38\n\
                 unshare_files 0\n";
    let root = agent.task(&calls(&format!("{names} clone3"))).launch();
    // Root may make namespaces; clone3 without arguments is EINVAL.
    assert_eq!(said(&root), (format!("{usual}unshare_uts 0\nclone3 22\n"), 0));
    let nobody = agent.task(&calls(&format!("{names} unshare_user clone3"))).user("nobody").launch();
    assert_eq!(said(&nobody), (format!("{usual}unshare_uts 1\nunshare_user 1\nclone3 38\n"), 0));
    agent.assert_nothing_left();
}

/// Rules go by what linux/capabilities leaves, wherever it stands in the list.
#[test]
fn root_without_capabilities_is_like_others() {
    need_root!();
    for isolation in ["linux/seccomp,linux/capabilities", "linux/capabilities,linux/seccomp"] {
        let flag = format!("--isolation={isolation}");
        let agent = Agent::builder().flag(&flag).flag("--effective_capabilities=KILL,SYS_CHROOT").build();
        let container = agent.task(&calls("unshare_uts unshare_files clone3")).launch();
        assert_eq!(said(&container), ("unshare_uts 1\nunshare_files 0\nclone3 38\n".to_owned(), 0), "{isolation}");
        agent.assert_nothing_left();
    }
}

/// Programs of all kinds must go on as they are.
#[test]
fn usual_programs_run_under_the_default_profile() {
    need_root!();
    let agent = agent().build();
    let script = "set -e; (sleep 0.01 & wait); echo x | gzip | gzip -d > plain; tar -cf t.tar plain; mkdir d; tar -xf t.tar -C d; \
                  cmp plain d/plain; find / -maxdepth 1 > list; date > date; kill -0 $$; timeout 5 true; nice true; \
                  chmod 700 d; ln -s plain link; mkfifo pipe; ps > processes; id; setsid true; dd if=/dev/zero of=zero bs=1k count=1";
    for user in ["root", "nobody"] {
        let container = agent.task(script).user(user).launch();
        container.complete().assert_status(0);
    }
}

#[test]
fn other_interfaces_do_not_get_by() {
    need_root!();
    let has_x86 = has_x86();
    let agent = agent().build();
    for name in ["x32", "x86"].iter().filter(|name| **name == "x32" || has_x86) {
        let container = agent.task(&calls(&format!("getppid {name} getppid"))).launch();
        let (said, status) = said(&container);
        assert_eq!((said.as_str(), status & 0x7f), ("getppid 0\n", SIGSYS), "{name}");
    }
    agent.assert_nothing_left();
    if !has_x86 {
        skip!("this kernel has no 32-bit calls");
    }
}

/// A directory of profiles.
struct Profiles(tempfile::TempDir);

impl Profiles {
    fn new() -> Profiles {
        let directory = tempfile::Builder::new().prefix("ecp-profiles-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Profiles(directory)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    fn agent(&self, name: &str) -> Agent {
        let directory = format!("--seccomp_config_dir={}", self.0.path().display());
        agent().flag(&directory).flag(&format!("--seccomp_profile_name={name}")).build()
    }
}

#[test]
fn a_profile_of_the_operators_is_in_force() {
    need_root!();
    let profiles = Profiles::new();
    profiles.write(
        "own.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["keyctl", "bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77},
            {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 78,
             "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_LT"}]},
            {"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 79, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["sethostname"], "action": "SCMP_ACT_KILL_PROCESS"}]}"#,
    );
    let agent = profiles.agent("own.json");
    let names = calls("keyctl bpf socket_unix unshare_files getppid sethostname getppid");
    for (user, unshare) in [("root", 0), ("nobody", 79)] {
        let (said, status) = said(&agent.task(&names).user(user).launch());
        assert_eq!(said, format!("keyctl 77\nbpf 77\nsocket_unix 78\nunshare_files {unshare}\ngetppid 0\n"), "{user}");
        assert_eq!(status & 0x7f, SIGSYS);
    }
    agent.assert_nothing_left();
}

#[test]
fn the_init_of_a_pid_namespace_does_not_live_by_it() {
    need_root!();
    let profiles = Profiles::new();
    // What the init needs and a shell does not.
    profiles.write(
        "strict",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": [{"names": ["execveat", "capset", "prctl", "pwrite64"], "action": "SCMP_ACT_KILL_PROCESS"}]}"#,
    );
    let directory = format!("--seccomp_config_dir={}", profiles.0.path().display());
    let agent = Agent::builder()
        .flag("--isolation=namespaces/pid,linux/seccomp")
        .flag("--pid1=init")
        .flag(&directory)
        .flag("--seccomp_profile_name=strict")
        .build();
    let container = agent.task("echo $$; grep ^Seccomp: /proc/self/status; exit 3").launch();
    container.complete().assert_status(3 << 8);
    assert_eq!(container.file("stdout"), "2\nSeccomp:\t2\n");
}

#[test]
fn a_bad_profile_refuses_the_launch() {
    need_root!();
    let profiles = Profiles::new();
    let path = profiles.write(
        "bad.json",
        "{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n\"syscalls\": [{\"names\": [\"read\"], \"action\": \"DENY\"}]}",
    );
    let agent = profiles.agent("bad.json");
    let place = format!("seccomp profile {}: unknown action \"DENY\"", path.display());
    assert_says(&agent.task("true").refused(), &["linux/seccomp", &place, "at line 2 column 49"]);
    agent.assert_nothing_left();
    let path = profiles.write("open.json", r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let agent = profiles.agent("open.json");
    assert_says(&agent.task("true").refused(), &["open.json must belong to root", "mode 0666"]);
    assert_says(&profiles.agent("none.json").task("true").refused(), &["none.json: No such file or directory"]);
    assert_says(
        &profiles.agent("../bad.json").task("true").refused(),
        &["is no name of a file in --seccomp_config_dir"],
    );
    let agent = Agent::builder().flag(SECCOMP).flag("--seccomp_profile_name=x").build();
    assert_says(&agent.task("true").refused(), &["--seccomp_profile_name=x needs --seccomp_config_dir=PATH"]);
    agent.assert_nothing_left();
}

/// A profile may forbid the very exec that starts the command.
#[test]
fn a_command_that_may_not_be_executed_fails_the_launch() {
    need_root!();
    let profiles = Profiles::new();
    profiles.write(
        "no-exec.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_ERRNO"}]}"#,
    );
    let agent = profiles.agent("no-exec.json");
    assert_says(&agent.task("true").refused(), &["cannot execute", "Operation not permitted"]);
    agent.assert_nothing_left();
}

#[test]
fn a_setuid_program_gives_no_rights() {
    need_root!();
    for (isolation, expected) in [("posix/cpu", "0"), ("linux/nnp", "65534"), ("linux/seccomp", "65534")] {
        let agent = Agent::builder().flag(&format!("--isolation={isolation}")).build();
        let program = agent.path("setuid-id");
        let copied = Command::new("install").args(["-m", "4755", "/usr/bin/id"]).arg(&program).status().unwrap();
        assert!(copied.success());
        let container = agent.task(&format!("{} -u > uid", program.display())).user("nobody").launch();
        container.complete().assert_status(0);
        let found = container.line("uid");
        if isolation == "posix/cpu" && found != "0" {
            skip!("set-user-ID programs do not work below /tmp here");
        }
        assert_eq!(found, expected, "{isolation}");
    }
}
