//! Reading the JSON: what is taken, and what is refused with its place.

use proptest::prelude::*;

use super::*;
use crate::seccomp::{Architectures, Comparison, Condition, DEFAULT};

#[test]
fn all_that_a_profile_may_say() {
    let text = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "comment": {"any": ["thing"]},
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_MIPS64N32"],
        "archMap": null, "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"],
        "syscalls": [
            {"names": ["read", "wr\u0069te"], "name": "", "action": "SCMP_ACT_ALLOW", "args": null, "comment": "",
             "includes": {}, "excludes": null, "errnoRet": null},
            {"name": "socket", "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "includes": {"caps": ["CAP_CHOWN"],
             "arches": ["amd64"], "minKernel": "4.8"}, "excludes": {"caps": ["CAP_SYS_ADMIN"]}, "args": [
                {"index": 5, "value": 18446744073709551615, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"},
                {"index": 0, "value": 1, "op": "SCMP_CMP_GT"}]}
        ]}"#;
    let profile = Profile::parse(text).unwrap();
    assert_eq!(profile.default_action, Action::Errno(38));
    assert_eq!(profile.architectures, Architectures::List(vec![Abi::X86_64, Abi::X86]));
    assert_eq!(profile.ignored, ["SECCOMP_FILTER_FLAG_LOG"]);
    let [files, socket] = &profile.rules[..] else { panic!("{profile:?}") };
    assert_eq!((&files.names[..], files.action), (&["read".into(), "write".into()][..], Action::Allow));
    assert_eq!((&socket.names[..], socket.action), (&["socket".into()][..], Action::Errno(97)));
    let condition = |index, comparison, value, value_two| Condition { index, comparison, value, value_two };
    assert_eq!(
        socket.conditions,
        [condition(5, Comparison::MaskedEqual, u64::MAX, 3), condition(0, Comparison::Greater, 1, 0)]
    );
    assert_eq!((socket.includes.capabilities, socket.excludes.capabilities), (1, 1 << 21));
    assert_eq!((socket.includes.min_kernel, &socket.includes.architectures[..]), (Some((4, 8)), &["amd64".into()][..]));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let rule = |rule: &str| profile(&format!("\n{rule}"));
    let argument =
        |argument: &str| rule(&format!(r#"{{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{argument}]}}"#));
    let cases = [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("[]".into(), "invalid type: sequence, expected a profile, an object at line 1"),
        ("{}".into(), "a profile has no defaultAction at line 1"),
        (r#"{"defaultAction": "SCMP_ACT_ALLOW"} x"#.into(), "trailing characters at line 1 column 37"),
        (r#"{"defaultAction": "ALLOW"}"#.into(), "unknown action \"ALLOW\"; known are SCMP_ACT_ALLOW, "),
        (r#"{"defaultAction": "SCMP_ACT_TRACE"}"#.into(), "SCMP_ACT_TRACE needs a tracer"),
        (r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#.into(), "SCMP_ACT_NOTIFY needs a program"),
        (r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}"#.into(), "4096 is no errno"),
        (
            r#"{"defaultAction": "SCMP_ACT_LOG", "defaultAction": "SCMP_ACT_ALLOW"}"#.into(),
            "a profile has defaultAction twice",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_LOG", "syscall": []}"#.into(),
            "a profile has \"syscall\", which is not known; known are",
        ),
        (r#"{"defaultAction": "SCMP_ACT_LOG", "flags": ["X"]}"#.into(), "unknown flag \"X\""),
        (r#"{"defaultAction": "SCMP_ACT_LOG", "architectures": ["amd64"]}"#.into(), "unknown architecture \"amd64\""),
        (
            r#"{"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86"],
                "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#
                .into(),
            "either architectures or archMap, not both",
        ),
        (
            rule(r#"{"names": ["read"], "action": "SCMP_ACT_DENY"}"#),
            "unknown action \"SCMP_ACT_DENY\"; known are SCMP_ACT_ALLOW, ERRNO, KILL, KILL_PROCESS, KILL_THREAD, LOG and TRAP at line 2 column 45",
        ),
        (rule(r#"{"names": ["read"]}"#), "a rule has no action at line 2 column 19"),
        (rule(r#"{"action": "SCMP_ACT_ALLOW"}"#), "a rule has no names at line 2"),
        (
            rule(r#"{"name": "a", "names": ["read"], "action": "SCMP_ACT_ALLOW"}"#),
            "either names or name, not both at line 2",
        ),
        (
            rule(r#"{"names": [7], "action": "SCMP_ACT_ALLOW"}"#),
            "expected the name of a system call, a string at line 2 column 12",
        ),
        (
            rule(r#"{"names": ["read"], "action": "SCMP_ACT_ALLOW", "arg": []}"#),
            "a rule has \"arg\", which is not known",
        ),
        (
            rule(r#"{"name": "a", "action": "SCMP_ACT_ALLOW", "includes": {"cap": []}}"#),
            "includes or excludes has \"cap\"",
        ),
        (
            rule(r#"{"name": "a", "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["SYS_ADMIN"]}}"#),
            "unknown capability \"SYS_ADMIN\"",
        ),
        (
            rule(r#"{"name": "a", "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4"}}"#),
            "\"4\" is no version of a kernel",
        ),
        (
            argument(r#"{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}"#),
            "index 6 is no argument: they are 0 to 5 at line 2",
        ),
        (argument(r#"{"index": 1, "op": "SCMP_CMP_EQ"}"#), "an entry of args has no value at line 2"),
        (argument(r#"{"index": 1, "value": 1}"#), "an entry of args has no op at line 2"),
        (
            argument(r#"{"index": 1, "value": -1, "op": "SCMP_CMP_EQ"}"#),
            "invalid value: integer `-1`, expected u64 at line 2",
        ),
        (argument(r#"{"index": 1, "value": 1, "op": "=="}"#), "unknown op \"==\"; known are SCMP_CMP_NE, LT, "),
        (
            argument(r#"{"index": 1, "value": 1, "op": "SCMP_CMP_GE"}, {"index": 1, "value": 9, "op": "SCMP_CMP_LE"}"#),
            "args has the same index twice",
        ),
    ];
    for (text, says) in cases {
        let error = Profile::parse(&text).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(says), "{text}\n{error}\n{says}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!(r#"{{"defaultAction": "SCMP_ACT_LOG", "comment": {}"#, "[".repeat(100_000));
    assert!(Profile::parse(&deep).is_err());
    let deep = format!(r#"{{"defaultAction": "SCMP_ACT_LOG", "syscalls": {}"#, "[".repeat(100_000));
    assert!(Profile::parse(&deep).is_err());
}

/// Pieces of profiles in any order: mostly nonsense, seldom none.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "0",
        "-1",
        "1e9",
        "18446744073709551616",
        "\"read\"",
        "\"names\"",
        "\"name\"",
        "\"action\"",
        "\"args\"",
        "\"index\"",
        "\"op\"",
        "\"value\"",
        "\"syscalls\"",
        "\"defaultAction\"",
        "\"SCMP_ACT_ALLOW\"",
        "\"SCMP_CMP_EQ\"",
        "\"archMap\"",
        "\"\\ud800\"",
        "\"caps\"",
        "\"includes\"",
        "\"CAP_CHOWN\"",
        "true",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..60).prop_map(|pieces| pieces.concat())
}

/// The default profile with a piece cut out and another put in.
fn damaged() -> impl Strategy<Value = String> {
    (any::<prop::sample::Index>(), 0..40_usize, ".{0,6}").prop_map(|(at, length, put)| {
        let at = at.index(DEFAULT.len());
        let end = (at + length).min(DEFAULT.len());
        format!("{}{put}{}", &DEFAULT[..at], &DEFAULT[end..])
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![".{0,80}", pieces(), damaged()]) {
        match Profile::parse(&text) {
            Ok(profile) => interpreter::check(&compile(&profile, &HOST).unwrap().program),
            Err(error) => prop_assert!(error.to_string().contains(" at line "), "{error}"),
        }
    }
}
