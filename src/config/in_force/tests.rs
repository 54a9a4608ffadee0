//! What is printed is a configuration file that means the same.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStringExt;

use super::*;

fn settings(arguments: &[&str]) -> Settings {
    let mut settings = Settings::default();
    arguments.iter().for_each(|argument| settings.add(OsStr::new(argument)).unwrap());
    settings
}

fn pairs(environment: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    environment.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn shown(arguments: &[&str], environment: &[(&str, &str)], file: Option<&str>) -> String {
    in_force(&settings(arguments), pairs(environment).into_iter(), |_, _| Ok(file.map(str::to_owned))).unwrap().1
}

/// The line about a flag, with one space where there are more.
fn line<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let starts = |line: &Vec<&str>| line.iter().find(|word| **word != "#") == Some(&name);
    lines.find(starts).unwrap_or_else(|| panic!("{name} is not in {text}"))
}

#[test]
fn each_value_has_its_source() {
    let text = shown(
        &["--isolation=a,b", "--no-quiet"],
        &[("MESOS_ECP_CGROUPS_PIDS_MAX", "007"), ("MESOS_WORK_DIRECTORY", "/w"), ("MESOS_ECP_CONFIG", "/f.toml")],
        Some("quiet = true\nfetch_timeout = '5mins'\n"),
    );
    for (name, expected) in [
        ("isolation", "isolation = \"a,b\" # command line"),
        ("quiet", "quiet = false # command line"),
        ("cgroups_pids_max", "cgroups_pids_max = 7 # MESOS_ECP_CGROUPS_PIDS_MAX"),
        ("work_dir", "work_dir = \"/w\" # MESOS_WORK_DIRECTORY"),
        ("fetch_timeout", "fetch_timeout = \"5mins\" # /f.toml:2"),
        ("isolator_timeout", "isolator_timeout = \"10secs\" # default"),
        ("Configuration", "# Configuration file: /f.toml was read (MESOS_ECP_CONFIG)."),
    ] {
        assert_eq!(line(&text, name).join(" "), expected);
    }
    assert!(line(&text, "launcher").join(" ").starts_with("# launcher is not set. How processes"));
    let order: Vec<usize> = FLAGS.iter().filter_map(|flag| text.find(&format!("\n{} = ", flag.name))).collect();
    assert!(order.is_sorted() && order.len() > 15, "{order:?}");
}

#[test]
fn which_file_was_read() {
    assert!(shown(&[], &[], None).contains("# Configuration file: there is none at /etc/mesos-ecp.toml (default).\n"));
    assert!(shown(&["--config=none"], &[], None).contains("# Configuration file: none is wanted (command line).\n"));
    assert!(shown(&[], &[], Some("")).contains("# Configuration file: /etc/mesos-ecp.toml was read (default).\n"));
    // A name that would end the comment.
    let text = shown(&["--config=/a\nquiet = true"], &[], Some("work_dir = '/w'"));
    assert!(text.contains("/a\\nquiet = true:1") && !text.contains("\nquiet = true"), "{text}");
}

#[test]
fn what_is_printed_means_the_same() {
    let resolve = |arguments: &[&str], environment: &[(&str, &str)], file: &str| {
        let read = |_: &Path, _: Option<&str>| Ok(Some(file.to_owned()));
        let environment = pairs(environment).into_iter();
        Config::resolve_with_file(&settings(arguments), environment, &Untrusted::default(), read).unwrap().0
    };
    let file = "isolation = ['x', 'y']\nallowed_devices = '{\"a\": \"b\\c\"}'\nrevocable_cpu_low_priority = false\n";
    for (arguments, environment) in [
        (vec![], vec![]),
        (
            vec!["--isolation= a , b", "--work_dir=/a \"b\"\t\u{1}#c", "--quiet=1"],
            vec![("MESOS_LIBEXEC_DIRECTORY", "/l")],
        ),
        (vec!["--cgroups_blkio_weight=+0500", "--systemd_slice=none"], vec![("MESOS_ECP_FETCHER_CACHE_SIZE", "0B")]),
    ] {
        let (arguments, environment) = (arguments.as_slice(), environment.as_slice());
        let text = shown(arguments, environment, Some(file));
        assert_eq!(resolve(&[], &[], &text), resolve(arguments, environment, file), "{text}");
        // And says the same of itself, but for where it comes from.
        assert_eq!(resolve(arguments, environment, &text), resolve(arguments, environment, file), "{text}");
    }
}

#[test]
fn a_path_that_is_not_utf8_is_a_comment() {
    let environment = [(OsString::from("MESOS_WORK_DIRECTORY"), OsString::from_vec(b"/w\xff\n".to_vec()))];
    let (_, text) = in_force(&Settings::default(), environment.into_iter(), |_, _| Ok(None)).unwrap();
    assert!(text.contains("# work_dir = \"/w\\xFF\\n\" cannot be set here"), "{text}");
    assert!(crate::config::file::parse(&text).is_ok(), "{text}");
}

#[test]
fn a_bad_value_is_refused_and_not_printed() {
    let refused = in_force(&settings(&["--fetch_timeout=5"]), std::iter::empty(), |_, _| Ok(None)).unwrap_err();
    assert!(refused.to_string().starts_with("--fetch_timeout=5: a duration"), "{refused}");
}
