//! What a configuration file may say, and what is said of one that is wrong.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::in_force::quoted;
use crate::config::{Config, FLAGS, Kind, Settings, Untrusted};

fn values(text: &str) -> Vec<(&'static str, String)> {
    let entries = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    entries.into_iter().map(|entry| (entry.flag.name, entry.value.into_string().unwrap())).collect()
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn values_in_all_their_forms() {
    for (text, value) in [
        ("isolation = 'a,b'", "a,b"),
        ("isolation = ['a', \"b\"]", "a,b"),
        ("isolation = [\n  'a', # one\n  'b',\n]", "a,b"),
        ("quiet = true", "true"),
        ("quiet = '1'", "1"),
        ("cgroups_pids_max = 100", "100"),
        ("cgroups_pids_max = 1_000", "1000"),
        ("cgroups_pids_max = 0x10", "16"),
        ("fetch_timeout = '10mins'", "10mins"),
        ("fetcher_size_limit = \"2GB\"", "2GB"),
        ("work_dir = \"/w\\u00e4\"", "/w\u{e4}"),
        ("allowed_devices = '''\n{\"a\": 1}'''", "{\"a\": 1}"),
        ("\"work_dir\" = '/w'", "/w"),
    ] {
        let name = Flag::named(text.trim_start_matches('"').split([' ', '"']).next().unwrap()).unwrap().name;
        assert_eq!(values(text), [(name, value.to_owned())], "{text}");
    }
    assert_eq!(values("\n# nothing\n"), []);
}

#[test]
fn entries_are_in_the_order_of_the_lines_and_say_where_they_stand() {
    let entries = parse("work_dir = '/w'\n\n  isolation = [\n 'a',\n 'b' ]\n").unwrap();
    let seen: Vec<_> = entries.iter().map(|e| (e.at.to_string(), e.written.as_str())).collect();
    assert_eq!(seen, [("1:1".into(), "work_dir = '/w'"), ("3:3".into(), "isolation = [ 'a', 'b' ]")]);
}

#[test]
fn what_is_refused() {
    for (text, message) in [
        ("quiet = true\nisolaton = 'a'", ":2:1: unknown key isolaton, did you mean isolation?; known are isolation, "),
        ("\"a b\" = 1", ":1:1: unknown key \"a b\"; known are "),
        ("config = '/x'", ":1:1: config cannot stand in the file; put it on the command line, --config=PATH"),
        ("format = 'json'", ":1:1: format cannot stand in the file; put it on the command line, --format=TEXT"),
        ("[isolation]\n", ":1:2: isolation is a table; the file has none, every key stands by itself: NAME = VALUE"),
        ("[[nodes]]\n", ":1:3: nodes is a table; "),
        ("quiet = {a = 1}", ":1:1: quiet is a table; "),
        ("isolation.cpu = 1", ":1:1: isolation is a table; "),
        ("work_dir = 1", ":1:12: work_dir is a whole number, and a string is wanted: work_dir = \"/...\""),
        (
            "fetch_timeout = 10",
            ":1:17: fetch_timeout is a whole number, and a string with a unit is wanted: fetch_timeout = \"10mins\"",
        ),
        ("fetcher_size_limit = 1.5", ":1:22: fetcher_size_limit is a number with a fraction, and a string with a unit"),
        ("quiet = 1", ":1:9: quiet is a whole number, and true or false is wanted: quiet = true"),
        (
            "cgroups_pids_max = '5'",
            ":1:20: cgroups_pids_max is a string, and a whole number is wanted: cgroups_pids_max = 100",
        ),
        ("isolation = ['a', 1]", ":1:19: isolation is a whole number, and a string or an array of strings is wanted"),
        ("isolation = 2020-01-01", ":1:13: isolation is a date or time, and a string or an array"),
        ("work_dir = ['/w']", ":1:12: work_dir is an array, and a string is wanted"),
        ("isolation = ['a,b']", ":1:14: isolation has a comma within one name of the array in it"),
        ("isolation = []", ":1:13: isolation has no value; leave the line out for the default"),
        ("work_dir = ''", ":1:12: work_dir has no value; "),
        ("work_dir = \"/a\\u0000b\"", ":1:12: work_dir has a null character in it"),
        ("quiet = true\nquiet = true", ":2:1: no valid TOML: duplicate key"),
        ("isolation = a,b", ":1:14: no valid TOML: "),
        ("quiet = true\n\u{e4}\u{f6} = 'x'", ":2:1: no valid TOML: "),
        ("quiet", ":1:6: no valid TOML: "),
    ] {
        assert!(refusal(text).starts_with(message), "{text}\n{}", refusal(text));
        assert!(!refusal(text).contains('\n'), "{text}");
    }
    let message = refusal("isolaton = 1");
    assert!(FLAGS.iter().filter(|flag| flag.in_file()).all(|flag| message.contains(flag.name)), "{message}");
}

/// A value of the flag, as on the command line.
fn value_of(flag: &'static Flag) -> BoxedStrategy<String> {
    match flag.kind {
        _ if flag.name == "launcher" => prop_oneof![Just("linux".to_owned()), Just("posix".to_owned())].boxed(),
        _ if flag.name == "pid1" => prop_oneof![Just("executor".to_owned()), Just("init".to_owned())].boxed(),
        _ if flag.name == "fetch_as" => prop_oneof![Just("user".to_owned()), Just("root".to_owned())].boxed(),
        _ if flag.name == "userns_range" => (65536..70000u32).prop_map(|first| format!("{first}-70000")).boxed(),
        _ if flag.name == "xfs_project_range" => (1..70000u32).prop_map(|first| format!("[{first}-70000]")).boxed(),
        _ if flag.name == "ephemeral_ports" => (1..60000u32).prop_map(|first| format!("[{first}-60000]")).boxed(),
        _ if flag.name == "ephemeral_ports_per_container" => {
            (4..16u32).prop_map(|power| (1_u32 << power).to_string()).boxed()
        }
        _ if flag.name == "container_ports_watch_interval" => {
            (100..1_000_000u32).prop_map(|value| format!("{value}ms")).boxed()
        }
        _ if flag.name == "eth0_name" || flag.name == "lo_name" => "[a-z]{1,8}".boxed(),
        _ if flag.name == "egress_rate_limit_per_container" => (1..9u8).prop_map(|rate| format!("{rate}KB")).boxed(),
        _ if ["agent_ports", "container_ports_isolated_range"].contains(&flag.name) => {
            (1..60000u16).prop_map(|first| format!("[{first}-60000]")).boxed()
        }
        _ if flag.name == "cgroups_root" || flag.name == "systemd_slice" => "[a-z]{1,8}".boxed(),
        _ if flag.name.ends_with("_capabilities") => {
            prop_oneof![Just("none".to_owned()), Just(r#"{"capabilities": ["KILL"]}"#.to_owned())].boxed()
        }
        _ if flag.name == "default_rlimits" => (0..9u8).prop_map(|value| format!("CORE={value}")).boxed(),
        _ if flag.name == "umask" => (0..=0o777u32).prop_map(|value| format!("{value:03o}")).boxed(),
        _ if flag.name == "oom_score_adj" => (-1000..=1000i32).prop_map(|value| value.to_string()).boxed(),
        Kind::Text => "[^\0\r\n]*[^\0\\s]".boxed(),
        Kind::Path => "/[^\0]*".boxed(),
        Kind::Bool => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        Kind::Number => (1..=u64::MAX).prop_map(|value| value.to_string()).boxed(),
        Kind::Duration => (1..1_000_000u32).prop_map(|value| format!("{value}ms")).boxed(),
        Kind::Bytes => any::<u32>().prop_map(|value| format!("{value}KB")).boxed(),
        Kind::List => proptest::collection::btree_set("[a-z/_]{1,8}", 1..4)
            .prop_map(|names| names.into_iter().collect::<Vec<_>>().join(","))
            .boxed(),
    }
}

fn settings() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let in_file: Vec<&Flag> = FLAGS.iter().copied().filter(|flag| flag.in_file()).collect();
    let some = proptest::sample::subsequence(in_file.clone(), 0..=in_file.len());
    some.prop_flat_map(|flags| {
        flags
            .into_iter()
            .map(|flag| (Just(flag.name), value_of(flag)))
            .collect::<Vec<_>>()
            .prop_map(BTreeMap::from_iter)
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), toml in "([a-z_]{1,9}|isolation|quiet|[\\[\\]{}=\"'#,.\n 0-9])*") {
        let _ = (parse(&text), parse(&toml));
    }

    #[test]
    fn any_valid_settings_are_the_same_by_flags_and_by_file(settings in settings(), literal in any::<bool>()) {
        let mut given = Settings::default();
        let mut text = String::new();
        for (name, value) in &settings {
            given.add(std::ffi::OsStr::new(&format!("--{name}={value}"))).unwrap();
            let flag = Flag::named(name).unwrap();
            let written = match flag.kind {
                Kind::Bool | Kind::Number => value.clone(),
                Kind::List if literal => format!("{:?}", value.split(',').collect::<Vec<_>>()),
                _ if literal && !value.chars().any(|c| c == '\'' || c.is_control()) => format!("'{value}'"),
                _ => quoted(value),
            };
            text += &format!("{name} = {written}\n");
        }
        let none = || std::iter::empty();
        let by_flags = Config::resolve(&given, none(), &Untrusted::default());
        let by_file = Config::resolve_with_file(&Settings::default(), none(), &Untrusted::default(), |_, _| Ok(Some(text.clone())));
        prop_assert_eq!(by_file.map_err(|e| e.to_string()), by_flags.map_err(|e| e.to_string()), "{}", text);
    }
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!("isolation = {}1{}", open.repeat(20_000), close.repeat(20_000));
        assert!(parse(&text).is_err());
    }
    assert!(parse(&format!("{}a = 1", "a.".repeat(30_000))).is_err());
}
