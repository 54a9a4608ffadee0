//! The environment that each release reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::*;

fn call(uris: &[Uri]) -> Call<'_> {
    Call {
        program: Path::new("/libexec/mesos-fetcher"),
        sandbox: "/sandbox",
        user: Some("alice"),
        frameworks_home: Some("/frameworks"),
        environment: &[],
        uris,
    }
}

fn environment(call: &Call<'_>) -> BTreeMap<String, String> {
    let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
    call.command().get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect()
}

fn some_uris() -> Vec<Uri> {
    vec![
        Uri::new("/srv/hello.tar.gz"),
        Uri {
            executable: true,
            extract: false,
            cache: Some(true),
            output_file: Some("bin/\"tool\"".to_owned()),
            ..Uri::new("http://h/tool")
        },
    ]
}

#[test]
fn one_object_holds_the_input_of_every_release_from_0_22_on() {
    let uris = some_uris();
    let info: Value = serde_json::from_str(&environment(&call(&uris))["MESOS_FETCHER_INFO"]).unwrap();
    let messages = json!([
        {"value": "/srv/hello.tar.gz", "executable": false, "extract": true},
        {"value": "http://h/tool", "executable": true, "extract": false, "cache": true, "output_file": "bin/\"tool\""},
    ]);
    assert_eq!(
        info,
        json!({
            "sandbox_directory": "/sandbox",
            "items": [
                {"uri": messages[0], "action": "BYPASS_CACHE"},
                {"uri": messages[1], "action": "BYPASS_CACHE"},
            ],
            "work_directory": "/sandbox",
            "command_info": {"uris": messages},
            "user": "alice",
            "frameworks_home": "/frameworks",
        })
    );
}

#[test]
fn what_is_not_set_is_left_out_everywhere() {
    let uris = some_uris();
    let call = Call { user: None, frameworks_home: None, ..call(&uris) };
    let environment = environment(&call);
    assert!(!environment["MESOS_FETCHER_INFO"].contains("null"));
    assert!(!environment["MESOS_FETCHER_INFO"].contains("\"user\""));
    assert_eq!(
        environment.keys().collect::<Vec<_>>(),
        ["MESOS_EXECUTOR_URIS", "MESOS_FETCHER_INFO", "MESOS_WORK_DIRECTORY"]
    );
}

#[test]
fn releases_before_0_22_get_plain_variables() {
    let uris = some_uris();
    let environment = environment(&call(&uris));
    assert_eq!(environment["MESOS_EXECUTOR_URIS"], "/srv/hello.tar.gz+0X http://h/tool+1N");
    assert_eq!(environment["MESOS_WORK_DIRECTORY"], "/sandbox");
    assert_eq!(environment["MESOS_USER"], "alice");
    assert_eq!(environment["MESOS_FRAMEWORKS_HOME"], "/frameworks");
}

#[test]
fn uris_with_spaces_are_not_given_to_releases_that_would_split_them() {
    let uris = [Uri::new("/a b.tgz"), Uri::new("/c.tgz")];
    let environment = environment(&call(&uris));
    assert!(!environment.contains_key("MESOS_EXECUTOR_URIS"));
    assert!(environment["MESOS_FETCHER_INFO"].contains("/a b.tgz"));
}

#[test]
fn little_else_is_passed_on() {
    let pairs = [
        ("http_proxy", "proxy"),
        ("HADOOP_HOME", "/from/the/environment"),
        ("LIBPROCESS_IP", "10.0.0.1"),
        ("LIBPROCESS_PORT", "5051"),
        ("PATH", "/task/bin"),
        ("LD_PRELOAD", "/task/x.so"),
        ("MESOS_FETCHER_INFO", "forged"),
        ("MESOS_LOG_DIR", "/var/log/mesos"),
    ];
    let mut job =
        Job { environment: pairs.map(|(name, value)| (name.into(), value.into())).to_vec(), ..Job::default() };
    let seen = |job: &Job| {
        let environment = passed_on(job);
        environment_of(&environment)
    };
    let from_environment = seen(&job);
    assert_eq!(from_environment["http_proxy"], "proxy");
    assert_eq!(from_environment["LIBPROCESS_IP"], "10.0.0.1");
    assert_eq!(from_environment["HADOOP_HOME"], "/from/the/environment");
    assert_eq!(from_environment["PATH"], PATH);
    for name in ["LIBPROCESS_PORT", "LD_PRELOAD", "MESOS_LOG_DIR"] {
        assert!(!from_environment.contains_key(name), "{name}");
    }
    assert!(from_environment["MESOS_FETCHER_INFO"].starts_with('{'));

    job.hadoop_home = Some("/from/a/flag".into());
    assert_eq!(seen(&job)["HADOOP_HOME"], "/from/a/flag");
}

fn environment_of(passed_on: &[(OsString, OsString)]) -> BTreeMap<String, String> {
    environment(&Call { environment: passed_on, ..call(&[]) })
}

#[test]
fn a_missing_fetcher_is_explained() {
    let uris = some_uris();
    let program = Path::new("/nonexistent/mesos-fetcher");
    let call = Call { program, ..call(&uris) };
    let message = call.run().unwrap_err().to_string();
    for words in [
        "cannot start /nonexistent/mesos-fetcher",
        "/srv/hello.tar.gz, http://h/tool",
        "No such file",
        "--launcher_dir",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn more_than_an_environment_can_hold_is_explained() {
    let uris = [Uri::new(format!("http://h/{}", "n".repeat(200_000)))];
    let call = Call { program: Path::new("/bin/true"), ..call(&uris) };
    let FetchError::Start { error, advice, .. } = call.run().unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(error.kind(), ErrorKind::ArgumentListTooLong);
    assert!(advice.contains("too many URIs"));
}
