//! What rules mean, case by case.

use super::*;

const SYS_ADMIN: u64 = 1 << 21;

#[test]
fn a_rule_with_args_counts_beside_one_without() {
    let netlink = r#"{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
        "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]}"#;
    let all = r#"{"names": ["socket", "read"], "action": "SCMP_ACT_ALLOW"}"#;
    for rules in [format!("{netlink}, {all}"), format!("{all}, {netlink}")] {
        let filter = compiled(&profile(&rules), &HOST);
        assert_eq!(call(&filter, Abi::X86_64, "socket", &[16]), errno(97));
        assert_eq!(call(&filter, Abi::X86_64, "socket", &[2]), ALLOW);
        assert_eq!(call(&filter, Abi::X86_64, "read", &[16]), ALLOW);
        assert_eq!(call(&filter, Abi::X86_64, "pipe", &[]), EPERM);
    }
}

#[test]
fn the_first_that_matches_decides() {
    let rule = |index: u8, errno: u16| {
        format!(
            r#"{{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": {errno},
                "args": [{{"index": {index}, "value": 2, "op": "SCMP_CMP_EQ"}}]}}"#
        )
    };
    let filter = compiled(&profile(&[rule(0, 10), rule(1, 11)].join(",")), &HOST);
    let answers = [[2, 2], [2, 1], [1, 2], [1, 1]].map(|arguments| call(&filter, Abi::X86_64, "socket", &arguments));
    assert_eq!(answers, [errno(10), errno(10), errno(11), EPERM]);
}

#[test]
fn arguments_are_compared_as_64_bits() {
    let filter = |op: &str, value: u64, value_two: u64| {
        compiled(
            &profile(&format!(
                r#"{{"name": "socket", "action": "SCMP_ACT_ALLOW",
                    "args": [{{"index": 2, "value": {value}, "valueTwo": {value_two}, "op": "SCMP_CMP_{op}"}}]}}"#
            )),
            &HOST,
        )
    };
    let limit = 0x1_0000_0005_u64;
    let asked = [0, 5, limit - 1, limit, limit + 1, 0x2_0000_0000, u64::MAX];
    for (op, expected) in [
        ("EQ", [false, false, false, true, false, false, false]),
        ("NE", [true, true, true, false, true, true, true]),
        ("LT", [true, true, true, false, false, false, false]),
        ("LE", [true, true, true, true, false, false, false]),
        ("GT", [false, false, false, false, true, true, true]),
        ("GE", [false, false, false, true, true, true, true]),
    ] {
        let filter = filter(op, limit, 0);
        let allowed = asked.map(|argument| call(&filter, Abi::X86_64, "socket", &[0, 0, argument]) == ALLOW);
        assert_eq!(allowed, expected, "{op}");
    }
    let masked = filter("MASKED_EQ", 0xf_0000_00f0, 0x3_0000_ff50);
    let asked = [0x3_0000_0050, 0xff3_1234_5657, 0x3_0000_0040, 0x50, 0x3_0000_0000];
    let allowed = asked.map(|argument| call(&masked, Abi::X86_64, "socket", &[0, 0, argument]) == ALLOW);
    assert_eq!(allowed, [true, true, false, false, false]);
}

#[test]
fn interfaces_that_are_not_named_are_killed() {
    let rules = r#"{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}"#;
    let native = compiled(&profile(rules), &HOST);
    assert_eq!(call(&native, Abi::X86_64, "read", &[]), ALLOW);
    for abi in [Abi::X86, Abi::X32, Abi::Aarch64, Abi::Arm] {
        assert_eq!(call(&native, abi, "read", &[]), KILL, "{abi:?}");
        assert_eq!(call(&native, abi, "openat", &[]), KILL, "{abi:?}");
    }
    let listed = format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_S390X",
            "SCMP_ARCH_ARM"], "syscalls": [{rules}]}}"#
    );
    let mapped = format!(
        r#"{{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
            {{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}},
            {{"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}},
            {{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}}],
            "syscalls": [{rules}]}}"#
    );
    for text in [listed, mapped] {
        let filter = compiled(&text, &HOST);
        for abi in [Abi::X86_64, Abi::X86, Abi::X32] {
            assert_eq!(call(&filter, abi, "read", &[]), ALLOW, "{abi:?}");
            // Newer than read and write.
            assert_eq!(call(&filter, abi, "openat", &[]), ENOSYS, "{abi:?}");
        }
        assert_eq!(call(&filter, Abi::Arm, "read", &[]), KILL);
        let arm = compiled(&text, &Host { native: Abi::Aarch64, ..HOST });
        assert_eq!(call(&arm, Abi::Aarch64, "read", &[]), ALLOW);
        assert_eq!(call(&arm, Abi::Arm, "read", &[]), ALLOW);
        assert_eq!(call(&arm, Abi::X86_64, "read", &[]), KILL);
    }
}

/// A tracer's -1 is no call: answered with an errno, it would undo what the tracer put in place of the call's result.
#[test]
fn what_a_tracer_skips_is_let_through() {
    let filter = compiled(r#"{"defaultAction": "SCMP_ACT_KILL"}"#, &HOST);
    let ask = |number| interpreter::run(&filter.program, &Data::new(Abi::X86_64.audit(), number, &[]));
    assert_eq!([u32::MAX, u32::MAX - 1, 1 << 30].map(ask), [ALLOW, KILL, KILL]);
}

#[test]
fn rules_count_by_capability_architecture_and_kernel() {
    let rules = r#"
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "6.1"}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        {"names": ["file_setattr"], "action": "SCMP_ACT_ALLOW"}"#;
    let text = profile(rules);
    let ask = |host: Host, name: &str| call(&compiled(&text, &host), Abi::X86_64, name, &[]);
    let with = |capabilities| Host { capabilities, ..HOST };
    assert_eq!(ask(HOST, "mount"), EPERM);
    assert_eq!(ask(with(SYS_ADMIN), "mount"), EPERM);
    assert_eq!(ask(with(SYS_ADMIN | 1), "mount"), ALLOW);
    assert_eq!(ask(HOST, "clone3"), ENOSYS);
    assert_eq!(ask(with(SYS_ADMIN), "clone3"), EPERM);
    assert_eq!(ask(HOST, "ptrace"), ALLOW);
    assert_eq!(ask(Host { kernel: (4, 7), ..HOST }, "ptrace"), EPERM);
    assert_eq!(ask(HOST, "bpf"), EPERM);
    assert_eq!(ask(Host { kernel: (5, 10), ..HOST }, "bpf"), ALLOW);
    assert_eq!([ask(HOST, "arch_prctl"), ask(HOST, "read")], [ALLOW, EPERM]);
}

#[test]
fn newer_calls_than_the_profile_knows_are_not_there() {
    let ask = |default: &str, number: u32| {
        let rules = r#"{"names": ["statx", "io_uring_setup", "chown32"], "action": "SCMP_ACT_ALLOW",
            "includes": {"caps": ["CAP_SYS_ADMIN"]}}"#;
        let text = format!(r#"{{"defaultAction": "{default}", "syscalls": [{rules}]}}"#);
        let data = Data::new(Abi::X86_64.audit(), number, &[]);
        interpreter::run(&compiled(&text, &HOST).program, &data)
    };
    // io_uring_setup is 425; it does not matter that its rule does not count here.
    assert_eq!(
        [424, 425, 426, 1000, (1 << 30) - 1].map(|n| ask("SCMP_ACT_ERRNO", n)),
        [EPERM, EPERM, ENOSYS, ENOSYS, ENOSYS]
    );
    assert_eq!(ask("SCMP_ACT_KILL_PROCESS", 426), KILL);
    assert_eq!(ask("SCMP_ACT_ALLOW", 426), ALLOW);
}

#[test]
fn sockets_of_x86_have_two_ways() {
    let x86 = |rules: &str, default: &str| {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_{default}", "architectures": ["SCMP_ARCH_X86"], "syscalls": [{rules}]}}"#
        );
        compiled(&text, &HOST)
    };
    let socketcall = |filter: &Compiled, which| call(filter, Abi::X86, "socketcall", &[which]);
    let allowed = x86(r#"{"names": ["socket", "shmat"], "action": "SCMP_ACT_ALLOW"}"#, "ERRNO");
    assert_eq!([1, 2].map(|which| socketcall(&allowed, which)), [ALLOW, EPERM]);
    assert_eq!(call(&allowed, Abi::X86, "ipc", &[1 << 16 | 21]), ALLOW);
    assert_eq!(call(&allowed, Abi::X86, "ipc", &[22]), EPERM);
    let some =
        r#"{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}"#;
    assert_eq!(socketcall(&x86(some, "ERRNO"), 1), EPERM, "its arguments cannot be seen");
    let not = r#"{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}]}"#;
    let forbidden = x86(not, "ALLOW");
    assert_eq!([1, 2].map(|which| socketcall(&forbidden, which)), [EPERM, ALLOW]);
    assert_eq!([40, 2].map(|family| call(&forbidden, Abi::X86, "socket", &[family])), [EPERM, ALLOW]);
}

#[test]
fn names_that_nobody_has_are_noted() {
    let rules = r#"{"names": ["read", "swapcontext", "raed", "swapcontext", "set_tls"], "action": "SCMP_ACT_ALLOW"}"#;
    assert_eq!(compiled(&profile(rules), &HOST).unknown, ["raed", "swapcontext"]);
}
