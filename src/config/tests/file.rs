//! The configuration file among the sources of settings.
#![forbid(unsafe_code)]

use super::*;

fn resolve_file(arguments: &[&str], environment: &[(&str, &str)], untrusted: &[&str], text: &str) -> Resolved {
    let mut settings = Settings::default();
    for argument in arguments {
        settings.add(OsStr::new(argument))?;
    }
    let overlaid = Untrusted::of(environment.iter().filter(|(name, _)| untrusted.contains(name)).copied());
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    Config::resolve_with_file(&settings, environment, &overlaid, |_, _| Ok(Some(text.to_owned())))
}

fn by_file(arguments: &[&str], environment: &[(&str, &str)], text: &str) -> Config {
    let (config, warnings) = resolve_file(arguments, environment, &[], text).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    config
}

/// The line that sets a flag to this value.
fn line(flag: &Flag, value: &str) -> String {
    match flag.kind {
        Kind::Bool | Kind::Number => format!("{} = {value}", flag.name),
        _ => format!("{} = \"{value}\"", flag.name),
    }
}

#[test]
fn every_flag_lands_in_the_config_from_the_file() {
    for flag in FLAGS.iter().filter(|flag| flag.in_file()) {
        let value = other_value(flag);
        let expected = config(&[&format!("--{}={value}", flag.name)], &[]);
        assert_eq!(by_file(&[], &[], &line(flag, value)), expected, "{}", flag.name);
        // In all the forms that its kind has.
        if flag.kind == Kind::Bool {
            assert_eq!(by_file(&[], &[], &format!("{} = \"{value}\"", flag.name)), expected, "{}", flag.name);
        }
        if flag.kind == Kind::List {
            assert_eq!(by_file(&[], &[], &format!("{} = ['{value}']", flag.name)), expected, "{}", flag.name);
        }
    }
}

#[test]
fn command_line_before_environment_before_the_agents_before_the_file() {
    for flag in FLAGS.iter().filter(|flag| flag.in_file()) {
        // Two values that are neither alike nor the default.
        let (other, third) = match flag.kind {
            Kind::Bool | Kind::Text => continue,
            Kind::List => ("other", "third"),
            Kind::Path => ("/other", "/third"),
            Kind::Number if flag.name == "ephemeral_ports_per_container" => ("64", "128"),
            Kind::Number => ("7", "8"),
            Kind::Duration => ("7secs", "8secs"),
            Kind::Bytes => ("7MB", "8MB"),
        };
        let (argument, text) = (format!("--{}={third}", flag.name), line(flag, other));
        let expected = config(&[&argument], &[]);
        assert_eq!(by_file(&[&argument], &[], &text), expected, "{}", flag.name);
        assert_eq!(by_file(&[], &[(&flag.variable(), third)], &text), expected, "{}", flag.name);
        if let Some(variable) = flag.inherits {
            assert_eq!(by_file(&[], &[(variable, third)], &text), expected, "{}", flag.name);
            assert_eq!(by_file(&[], &[(variable, "")], &text), by_file(&[], &[], &text), "{}", flag.name);
        }
    }
    assert!(by_file(&["--quiet"], &[("MESOS_ECP_QUIET", "0")], "quiet = false").quiet);
    assert!(!by_file(&[], &[("MESOS_ECP_QUIET", "0")], "quiet = true").quiet);
    assert_eq!(by_file(&["--fetch_as=user"], &[], "fetch_as = 'root'").fetching.fetch_as, FetchAs::User);
}

#[test]
fn which_file_is_read() {
    let asked = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut settings = Settings::default();
        arguments.iter().for_each(|argument| settings.add(OsStr::new(argument)).unwrap());
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let mut asked = None;
        let resolved =
            Config::resolve_with_file(&settings, environment, &Untrusted::default(), |path, named_by: Option<&str>| {
                asked = Some((path.to_owned(), named_by.map(str::to_owned)));
                Ok(None)
            });
        assert_eq!(resolved.unwrap().0.config, asked.as_ref().map(|(path, _)| path.clone()));
        asked
    };
    let named = |path: &str, by: &str| Some((PathBuf::from(path), Some(by.to_owned())));
    let variable = ("MESOS_ECP_CONFIG", "/b");
    assert_eq!(asked(&[], &[]), Some(("/etc/mesos-ecp.toml".into(), None)));
    assert_eq!(asked(&[], &[variable]), named("/b", "MESOS_ECP_CONFIG=/b"));
    assert_eq!(asked(&["--config=/a"], &[variable]), named("/a", "--config=/a"));
    // The default's name, but asked for.
    let default = "/etc/mesos-ecp.toml";
    assert_eq!(asked(&["--config=/etc/mesos-ecp.toml"], &[]), named(default, "--config=/etc/mesos-ecp.toml"));
    assert_eq!(asked(&["--config=none"], &[variable]), None);
    assert_eq!(asked(&[], &[("MESOS_ECP_CONFIG", "none")]), None);
}

#[test]
fn what_the_file_says_is_refused_in_the_words_of_the_command_line() {
    let refused = |text: &str| resolve_file(&[], &[], &[], text).unwrap_err().to_string();
    for (text, start) in [
        (
            "quiet = true\nisolation = 'a,,b'",
            "/etc/mesos-ecp.toml:2:1: isolation = 'a,,b': entry 2 of the list is empty",
        ),
        ("isolation = [\n  'a',\n  'a',\n]", "/etc/mesos-ecp.toml:1:1: isolation = [ 'a', 'a', ]: a stands twice"),
        ("perf_events = ['a', '']", "/etc/mesos-ecp.toml:1:1: perf_events = ['a', '']: entry 2 of the list is empty"),
        ("work_dir = 'w'", "/etc/mesos-ecp.toml:1:1: work_dir = 'w': a relative path is refused"),
        ("fetch_timeout = '10'", "/etc/mesos-ecp.toml:1:1: fetch_timeout = '10': a duration is a number"),
        ("fetch_timeout = '0secs'", "/etc/mesos-ecp.toml:1:1: fetch_timeout = '0secs': must be more than zero"),
        ("quiet = 'yes'", "/etc/mesos-ecp.toml:1:1: quiet = 'yes': a boolean is"),
        ("cgroups_pids_max = -1", "/etc/mesos-ecp.toml:1:1: cgroups_pids_max = -1: it is a whole number"),
        ("fetch_tmeout = 1", "/etc/mesos-ecp.toml:1:1: unknown key fetch_tmeout, did you mean"),
    ] {
        assert!(refused(text).starts_with(start), "{}", refused(text));
    }
    assert!(
        refused("work_dir = 'w'").ends_with("write work_dir = \"/ABSOLUTE/PATH\""),
        "{}",
        refused("work_dir = 'w'")
    );
    // A value that does not count is not looked at, as one of the environment is not.
    assert_eq!(by_file(&["--work_dir=/w"], &[], "work_dir = 'w'").work_dir, Some("/w".into()));
}

#[test]
fn the_file_holds_where_a_task_sets_the_variable() {
    let text = "isolation = 'a'\nwork_dir = '/file'\nruntime_dir = '/r'\nlauncher_dir = '/l'";
    let environment = [("MESOS_ECP_ISOLATION", "evil"), ("MESOS_LIBEXEC_DIRECTORY", "/evil")];
    let (resolved, warnings) =
        resolve_file(&[], &environment, &["MESOS_ECP_ISOLATION", "MESOS_LIBEXEC_DIRECTORY"], text).unwrap();
    assert_eq!((resolved.isolation, resolved.launcher_dir), (vec!["a".to_owned()], Some("/l".into())));
    assert_eq!((resolved.work_dir, warnings.len()), (Some("/file".into()), 2));
    // All other calls go by the agent's variable: the record says what it was, and the file does not.
    let environment = [("MESOS_WORK_DIRECTORY", "/evil")];
    let (resolved, _) = resolve_file(&[], &environment, &["MESOS_WORK_DIRECTORY"], text).unwrap();
    assert_eq!((resolved.work_dir, resolved.runtime_dir), (None, Some("/r".into())));
    // Nor may a task say where containers are kept if the file says it.
    let environment = [("MESOS_ECP_RUNTIME_DIR", "/evil")];
    assert!(resolve_file(&[], &environment, &["MESOS_ECP_RUNTIME_DIR"], text).is_err());
}
