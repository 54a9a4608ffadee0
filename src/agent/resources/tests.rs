//! Each form in which an agent may be told its resources.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use super::*;

fn words(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

/// The arguments that come of these, without a variable.
#[track_caller]
fn arguments(line: &[&str]) -> Vec<String> {
    let (arguments, _) = with_cpus(words(line), Vec::new(), 2).unwrap();
    arguments.into_iter().map(|word| word.into_string().unwrap()).collect()
}

/// The value of the flag that comes of this one.
#[track_caller]
fn flag(value: &str) -> String {
    let result = arguments(&["mesos-slave", &format!("--resources={value}"), "--quiet"]);
    assert_eq!((result.len(), result[2].as_str()), (3, "--quiet"), "{result:?}");
    result[1].strip_prefix("--resources=").unwrap().to_owned()
}

#[test]
fn without_any_the_flag_is_added_behind_the_others() {
    assert_eq!(arguments(&["mesos-slave"]), ["mesos-slave", "--resources=cpus:2"]);
    assert_eq!(arguments(&["nice", "mesos-slave", "--x=1"]), ["nice", "mesos-slave", "--x=1", "--resources=cpus:2"]);
    // The agent reads no flags behind this.
    assert_eq!(
        arguments(&["mesos-slave", "--x=1", "--", "y"]),
        ["mesos-slave", "--x=1", "--resources=cpus:2", "--", "y"]
    );
    assert_eq!(arguments(&["a", "--", "--resources=cpus:9"])[1], "--resources=cpus:2");
}

#[test]
fn named_cpus_are_left_alone() {
    for value in [
        "cpus:4",
        "cpus:4;mem:100",
        "mem:100; cpus : 4",
        "mem:1;cpus(role):4",
        "mem(*):1;cpus (*):4",
        r#"[{"name":"mem","type":"SCALAR","scalar":{"value":1}}, {"name" : "cpus","type":"SCALAR","scalar":{"value":4}}]"#,
    ] {
        assert_eq!(flag(value), value);
    }
    assert_eq!(arguments(&["a", "--RESOURCES=cpus:4"]), ["a", "--RESOURCES=cpus:4"]);
}

#[test]
fn a_list_without_cpus_gets_them() {
    for (value, expected) in [
        ("mem:100", "mem:100;cpus:2"),
        ("mem(cpus):100;", "mem(cpus):100;cpus:2"),
        ("gpucpus:1;ports:[1-2,5-6]", "gpucpus:1;ports:[1-2,5-6];cpus:2"),
        ("disk:1 ; ", "disk:1;cpus:2"),
        ("", "cpus:2"),
    ] {
        assert_eq!(flag(value), expected);
    }
}

#[test]
fn json_without_cpus_gets_an_entry() {
    let entry = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":2}}"#;
    let mem = r#"{"name": "mem", "type": "SCALAR", "scalar": {"value": 1}, "role": "cpus"}"#;
    for (value, expected) in [
        ("[]".to_owned(), format!("[{entry}]")),
        (format!("[{mem}]"), format!("[{mem},{entry}]")),
        (format!(" [{mem}, {mem}\n] "), format!("[{mem}, {mem},{entry}]")),
    ] {
        assert_eq!(flag(&value), expected);
        assert!(serde_json::from_str::<Value>(&expected).unwrap().is_array());
    }
}

#[test]
fn a_file_is_read_and_kept_by_name_only_if_it_names_cpus() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resources");
    let path = path.to_str().unwrap();
    for prefix in ["", "file://"] {
        fs::write(path, "mem:100\n").unwrap();
        assert_eq!(flag(&format!("{prefix}{path}")), "mem:100;cpus:2");
        fs::write(path, r#"[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]"#).unwrap();
        assert_eq!(flag(&format!("{prefix}{path}")), format!("{prefix}{path}"));
    }
    let missing = with_cpus(words(&["a", "--resources=file:///nonexistent/x"]), Vec::new(), 2).unwrap_err();
    assert!(
        missing.to_string().starts_with("cannot read the agent's resources from /nonexistent/x: No such"),
        "{missing}"
    );
}

#[test]
fn the_variable_is_completed_and_no_flag_added() {
    for (value, expected) in [("mem:100", "mem:100;cpus:2"), ("cpus:7", "cpus:7"), ("", "cpus:2"), ("[]", "")] {
        for name in ["MESOS_RESOURCES", "MESOS_resources"] {
            let environment = vec![("A".into(), "b".into()), (name.into(), value.into())];
            let (arguments, environment) = with_cpus(words(&["mesos-slave"]), environment, 2).unwrap();
            assert_eq!(arguments, ["mesos-slave"]);
            assert_eq!(environment[0], ("A".into(), "b".into()));
            let found = environment[1].1.to_str().unwrap();
            assert!(found == expected || value == "[]" && found.contains(r#""value":2"#), "{value}: {found}");
        }
    }
}

#[test]
fn a_flag_beats_the_variable_as_in_the_agent() {
    for named in ["cpus:7", "mem:1"] {
        let environment = vec![("MESOS_RESOURCES".into(), named.into())];
        let (arguments, after) = with_cpus(words(&["a", "--resources=mem:100"]), environment.clone(), 2).unwrap();
        assert_eq!(arguments, ["a", "--resources=mem:100;cpus:2"]);
        assert_eq!(after, environment);
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let refusal = |word: OsString| with_cpus(vec!["a".into(), word], Vec::new(), 2).unwrap_err().to_string();
    assert!(refusal("--resources".into()).contains("with an equals sign"));
    assert!(refusal("--resources=[{".into()).starts_with("--resources: begins as JSON does"));
    assert!(refusal(OsString::from_vec(b"--resources=mem\xff".to_vec())).contains("not valid UTF-8"));
}
