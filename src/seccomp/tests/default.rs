//! The profile that is shipped.

use std::collections::BTreeSet;

use super::*;
use crate::seccomp::{DEFAULT, table};

const SYS_ADMIN: u64 = 1 << 21;
const ALL: u64 = (1 << 41) - 1;
const NEW_NAMESPACES: [u64; 7] = [1 << 17, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30];

fn with(capabilities: u64) -> Compiled {
    compiled(DEFAULT, &Host { capabilities, ..HOST })
}

fn ask(filter: &Compiled, name: &str, arguments: &[u64]) -> u32 {
    call(filter, Abi::X86_64, name, arguments)
}

#[test]
fn it_names_each_call_once_and_none_that_is_not_there() {
    for native in [Abi::X86_64, Abi::Aarch64] {
        assert!(compiled(DEFAULT, &Host { native, ..HOST }).unknown.is_empty());
    }
    let profile = Profile::parse(DEFAULT).unwrap();
    let mut seen = BTreeSet::new();
    let plain = profile
        .rules
        .iter()
        .filter(|rule| rule.conditions.is_empty() && rule.includes.capabilities | rule.excludes.capabilities == 0);
    for name in plain.flat_map(|rule| &rule.names) {
        assert!(seen.insert(name), "{name} twice");
    }
    assert!(seen.len() > 280);
}

#[test]
fn usual_calls_are_made() {
    for filter in [with(0), with(ALL)] {
        for name in
            ["read", "openat", "execve", "futex", "clone", "socketpair", "ptrace", "unshare", "restart_syscall", "rseq"]
        {
            assert_eq!(ask(&filter, name, &[]), ALLOW, "{name}");
        }
        assert_eq!([1, 2, 10, 16, 17].map(|family| ask(&filter, "socket", &[family])), [ALLOW; 5]);
        assert_eq!([0, 8, 0xffff_ffff].map(|persona| ask(&filter, "personality", &[persona])), [ALLOW; 3]);
        assert_eq!(ask(&filter, "ioctl", &[0, 0x5413]), ALLOW);
    }
    // pthread_create and fork of C libraries.
    let filter = with(0);
    assert_eq!([0x003d_0f00, 0x0120_0011].map(|flags| ask(&filter, "clone", &[flags])), [ALLOW; 2]);
}

/// Whatever the capabilities are: they act on the whole host, or have given too many people its kernel.
#[test]
fn others_are_denied_to_everybody() {
    for filter in [with(0), with(ALL)] {
        for name in [
            "acct",
            "add_key",
            "bpf",
            "clock_settime",
            "delete_module",
            "file_setattr",
            "finit_module",
            "init_module",
            "io_uring_enter",
            "io_uring_register",
            "io_uring_setup",
            "ioperm",
            "iopl",
            "kexec_file_load",
            "kexec_load",
            "keyctl",
            "modify_ldt",
            "move_pages",
            "nfsservctl",
            "open_by_handle_at",
            "perf_event_open",
            "quotactl",
            "quotactl_fd",
            "reboot",
            "request_key",
            "settimeofday",
            "swapoff",
            "swapon",
            "syslog",
            "userfaultfd",
            "uselib",
        ] {
            assert_eq!(ask(&filter, name, &[]), EPERM, "{name}");
        }
        // AF_VSOCK, AF_ALG, AF_XDP, and one with bits that the kernel does not look at.
        assert_eq!([40, 38, 44, 0xff00_0000_0028].map(|family| ask(&filter, "socket", &[family])), [errno(97); 4]);
        let requests = [0x5412, 0x541c, 0x401c_5820, 0x4008_6602, 0x4004_6602];
        assert_eq!(requests.map(|request| ask(&filter, "ioctl", &[0, request])), [EPERM; 5]);
        assert_eq!(requests.map(|request| ask(&filter, "ioctl", &[0, 0xf_0000_0000 | request])), [EPERM; 5]);
        assert_eq!(ask(&filter, "personality", &[0x0004_0000]), EPERM);
        let unknown = Data::new(Abi::X86_64.audit(), 470, &[]);
        assert_eq!(interpreter::run(&filter.program, &unknown), ENOSYS);
        assert_eq!([Abi::X86, Abi::X32].map(|abi| call(&filter, abi, "read", &[])), [KILL; 2]);
    }
}

#[test]
fn namespaces_and_mounts_take_a_capability() {
    let (none, admin) = (with(0), with(SYS_ADMIN));
    for name in
        ["mount", "umount2", "pivot_root", "setns", "open_tree", "move_mount", "fsopen", "mount_setattr", "sethostname"]
    {
        assert_eq!([ask(&none, name, &[]), ask(&admin, name, &[])], [EPERM, ALLOW], "{name}");
    }
    for flag in NEW_NAMESPACES {
        for name in ["clone", "unshare"] {
            let answers = [flag, flag | 0x11].map(|flags| [ask(&none, name, &[flags]), ask(&admin, name, &[flags])]);
            assert_eq!(answers, [[EPERM, ALLOW]; 2], "{name} {flag:#x}");
        }
    }
    assert_eq!(ask(&none, "unshare", &[0x80]), EPERM, "CLONE_NEWTIME");
    assert_eq!([ask(&none, "clone3", &[]), ask(&admin, "clone3", &[])], [ENOSYS, ALLOW]);
    assert_eq!([ask(&none, "chroot", &[]), ask(&with(1 << 18), "chroot", &[])], [EPERM, ALLOW]);
    assert_eq!([ask(&none, "adjtimex", &[]), ask(&with(1 << 25), "adjtimex", &[])], [ALLOW, EPERM]);
}

/// A call that is not simply allowed runs the filter each time.
#[test]
fn it_is_small_and_shallow() {
    let filter = with(0);
    let length = filter.program.len();
    assert_eq!(length, 110, "as the documentation says");
    for (name, syscall) in table::all() {
        let Some(number) = syscall.number(Abi::X86_64) else { continue };
        let data = Data::new(Abi::X86_64.audit(), number, &[u64::MAX; 6]);
        let (_, steps) = interpreter::run_counting(&filter.program, &data);
        assert!(steps < 30, "{name}: {steps}");
    }
}
