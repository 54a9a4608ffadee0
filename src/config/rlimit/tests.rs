//! Both forms, what is refused, and that what is printed is read again.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn print(limits: &[Limit]) -> String {
    limits.iter().map(Limit::to_string).collect::<Vec<_>>().join(",")
}

fn read(text: &str) -> Result<String, String> {
    parse(text).map(|limits| print(&limits)).map_err(|e| e.to_string())
}

#[test]
fn both_forms_are_read() {
    for text in [
        "NOFILE=1024:4096,CORE=0,AS=unlimited",
        " rlimit_nofile = 1024 : 4096 , RLMT_CORE=0:0, as=unlimited:unlimited",
        r#"{"rlimits":[{"type":"RLMT_NOFILE","soft":1024,"hard":4096},{"type":"RLMT_CORE","hard":0,"soft":0},
            {"type":"RLMT_AS"}]}"#,
    ] {
        assert_eq!(read(text).unwrap(), "NOFILE=1024:4096,CORE=0,AS=unlimited", "{text}");
    }
    assert_eq!(read("STACK=8192:unlimited").unwrap(), "STACK=8192:unlimited");
    for text in ["{}", r#"{"rlimits":[]}"#] {
        assert_eq!(read(text).unwrap(), "", "{text}");
    }
    assert_eq!(parse("CORE=0:5").unwrap(), [Limit { resource: libc::RLIMIT_CORE, soft: 0, hard: 5 }]);
}

#[test]
fn records_have_numbers() {
    for (name, _, number) in KINDS {
        let limit = Limit::of_record(number, Some(1), Some(2)).unwrap();
        assert_eq!((limit.name(), limit.soft, limit.hard), (name, 1, 2));
    }
    assert_eq!(Limit::of_record(10, None, None).unwrap().to_string(), "NOFILE=unlimited");
    assert_eq!(Limit::of_record(0, None, None), Err(LimitError::UnknownType(0)));
    assert_eq!(Limit::of_record(10, Some(1), None), Err(LimitError::Half("NOFILE")));
    assert_eq!(Limit::of_record(10, None, Some(1)), Err(LimitError::Half("NOFILE")));
    assert_eq!(Limit::of_record(10, Some(2), Some(1)), Err(LimitError::SoftAboveHard("NOFILE")));
}

#[test]
fn what_is_wrong_is_said() {
    for (text, says) in [
        ("NOFILES=1", "no resource limit is called NOFILES, did you mean NOFILE?"),
        ("CORE=0,core=1", "CORE stands twice"),
        ("CORE", "\"CORE\" has no value; write NOFILE=1024:4096,CORE=0 or {\"rlimits\""),
        ("CORE=0,", "\"\" has no value"),
        ("", "\"\" has no value"),
        ("CORE=", "CORE: \"\" is neither"),
        ("CORE=-1", "CORE: \"-1\" is neither"),
        ("CORE=+1", "CORE: \"+1\" is neither"),
        ("CORE=1K", "CORE: \"1K\" is neither"),
        ("CORE=18446744073709551616", "below 2^64"),
        ("CORE=1:2:3", "CORE: \"2:3\" is neither"),
        ("CORE=2:1", "CORE: the soft limit is above the hard one"),
        ("CORE=unlimited:1", "CORE: the soft limit is above"),
        ("{", "it is no JSON"),
        (r#"{"rlimit":[]}"#, "\"rlimit\" is not known"),
        (r#"{"rlimits":{}}"#, "rlimits is no list"),
        (r#"{"rlimits":[{"soft":1,"hard":1}]}"#, "a limit has no type"),
        (r#"{"rlimits":[{"type":"RLMT_CORE","soft":1}]}"#, "CORE has only one of soft and hard"),
        (r#"{"rlimits":[{"type":"RLMT_CORE","soft":1.5,"hard":2}]}"#, "CORE: \"1.5\" is neither"),
        (r#"{"rlimits":[{"type":"RLMT_CORE"},{"type":"RLMT_CORE"}]}"#, "CORE stands twice"),
        (r#"{"rlimits":[{"type":"RLMT_CORE","sotf":1}]}"#, "\"sotf\" is not known"),
        ("a\tb=1", "called a\\tb"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let amount = || prop_oneof![Just(0), Just(UNLIMITED), any::<u64>()];
    let one = move |(_, resource, _): (&str, u32, i32)| {
        (amount(), amount()).prop_map(move |(a, b)| Limit { resource, soft: a.min(b), hard: a.max(b) })
    };
    proptest::sample::subsequence(KINDS.to_vec(), 1..=KINDS.len())
        .prop_flat_map(move |kinds| kinds.into_iter().map(one).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(limits in limits()) {
        prop_assert_eq!(parse(&print(&limits)), Ok(limits.clone()));
        let entry = |l: &Limit| format!(r#"{{"type":"RLMT_{}","soft":{},"hard":{}}}"#, l.name(), l.soft, l.hard);
        let json = format!(r#"{{"rlimits":[{}]}}"#, limits.iter().map(entry).collect::<Vec<_>>().join(","));
        prop_assert_eq!(parse(&json), Ok(limits));
    }

    #[test]
    fn anything_is_read_or_refused(text in "\\PC*") {
        if let Ok(limits) = parse(&text) && !limits.is_empty() {
            prop_assert_eq!(parse(&print(&limits)), Ok(limits));
        }
    }
}
