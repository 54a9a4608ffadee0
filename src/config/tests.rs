//! Which source wins, what each kind of value accepts, and what the messages say.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod file;

use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStringExt;

type Resolved = Result<(Config, Vec<String>), ConfigError>;

fn resolve(arguments: &[&str], environment: &[(&str, &str)], untrusted: &[&str]) -> Resolved {
    let mut settings = Settings::default();
    for argument in arguments {
        settings.add(OsStr::new(argument))?;
    }
    // As under an agent of 0.22: what the process has is what the record says.
    let overlaid = environment.iter().filter(|(name, _)| untrusted.contains(name));
    let untrusted = Untrusted::of(overlaid.copied());
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    Config::resolve(&settings, environment, &untrusted)
}

fn config(arguments: &[&str], environment: &[(&str, &str)]) -> Config {
    let (config, warnings) = resolve(arguments, environment, &[]).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    config
}

fn refusal(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    resolve(arguments, environment, &[]).unwrap_err().to_string()
}

/// Those whose variables count.
fn flags() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().copied().filter(|flag| flag.in_environment())
}

/// A value that is not the default.
fn other_value(flag: &Flag) -> &'static str {
    match flag.kind {
        _ if flag.name == "launcher" => "posix",
        _ if flag.name == "fetch_as" => "root",
        _ if flag.name.ends_with("_capabilities") => "KILL",
        _ if flag.name == "default_rlimits" => "CORE=0",
        _ if flag.name == "umask" => "077",
        _ if flag.name == "pid1" => "init",
        _ if flag.name == "userns_range" => "100000-165535",
        _ if flag.name == "xfs_project_range" => "[7-8]",
        _ if flag.name == "ephemeral_ports" => "[7-8]",
        _ if flag.name == "ephemeral_ports_per_container" => "64",
        _ if flag.name == "agent_ports" => "[7-8]",
        _ if flag.name == "container_ports_isolated_range" => "[7-8]",
        Kind::Text | Kind::List => "other",
        Kind::Path => "/other",
        Kind::Bool if flag.default == "true" => "false",
        Kind::Bool => "true",
        Kind::Number => "7",
        Kind::Duration => "7secs",
        Kind::Bytes => "7MB",
    }
}

#[test]
fn every_flag_lands_in_the_config_from_both_sources() {
    let default = config(&[], &[]);
    let mut seen = Vec::new();
    for flag in flags() {
        let value = other_value(flag);
        let by_flag = config(&[&format!("--{}={value}", flag.name)], &[]);
        assert_ne!(by_flag, default, "{}", flag.name);
        assert_eq!(config(&[], &[(&flag.variable(), value)]), by_flag, "{}", flag.name);
        if let Some(variable) = flag.inherits {
            assert_eq!(config(&[], &[(variable, value)]), by_flag, "{variable}");
        }
        assert!(!seen.contains(&by_flag), "{} lands where another flag does", flag.name);
        seen.push(by_flag);
    }
}

#[test]
fn the_defaults() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let expected = Config {
        config: Some("/etc/mesos-ecp.toml".into()),
        isolation: vec!["posix/cpu".to_owned(), "posix/mem".to_owned()],
        runtime_dir: None,
        work_dir: None,
        launcher_dir: None,
        frameworks_home: None,
        hadoop_home: None,
        fetch_timeout: minutes(10),
        fetching: Fetching {
            fetch_as: FetchAs::User,
            fetcher_connect_timeout: Duration::from_secs(10),
            fetcher_stall_timeout: minutes(1),
            fetcher_size_limit: 16 << 30,
            fetcher_cache_dir: None,
            fetcher_cache_size: 2 << 30,
        },
        cgroups_destroy_timeout: minutes(1),
        answered_retention: minutes(60),
        isolator_dir: "/etc/mesos-ecp/isolators".into(),
        isolator_timeout: Duration::from_secs(10),
        cgroups: Cgroups {
            launcher: None,
            cgroups_root: "mesos".into(),
            cgroups_hierarchy: "/sys/fs/cgroup".into(),
            cgroups_enable_cfs: false,
            cgroups_limit_swap: false,
            cgroups_cpu_enable_pids_and_tids_count: false,
            revocable_cpu_low_priority: true,
            cgroups_pids_max: None,
            allowed_devices: None,
            cgroups_net_cls_primary_handle: None,
            cgroups_net_cls_secondary_handles: None,
            cgroups_blkio_weight: None,
            cgroups_blkio_throttle: None,
            perf_events: vec![],
            perf_interval: minutes(1),
            perf_duration: Duration::from_secs(10),
            systemd_slice: Some("mesos_executors.slice".to_owned()),
        },
        disk: Disk {
            container_disk_watch_interval: Duration::from_secs(15),
            enforce_container_disk_quota: false,
            disk_walkers: None,
            xfs_project_range: ProjectRange::parse("[5000-10000]").unwrap(),
            xfs_kill_containers: false,
        },
        filesystem: Filesystem {
            default_container_info: None,
            default_rootfs: None,
            sandbox_directory: "/mnt/mesos/sandbox".into(),
        },
        hooks: Hooks::default(),
        limits: Limits {
            effective_capabilities: None,
            bounding_capabilities: None,
            default_rlimits: vec![],
            umask: 0o22,
            oom_score_adj: None,
        },
        namespaces: Namespaces { pid1: Pid1::Executor },
        network: Network {
            ephemeral_ports: PortRanges::parse("[32768-57344]").unwrap(),
            ephemeral_ports_per_container: 1024,
            eth0_name: None,
            lo_name: None,
            egress_rate_limit_per_container: None,
            egress_unique_flow_per_container: false,
        },
        network_ports: NetworkPorts {
            container_ports_watch_interval: Duration::from_secs(30),
            enforce_container_ports: false,
            check_agent_port_range_only: false,
            agent_ports: PortRanges::parse("[31000-32000]").unwrap(),
            container_ports_isolated_range: None,
        },
        network_statistics: NetworkStatistics::default(),
        seccomp: Seccomp { seccomp_config_dir: None, seccomp_profile_name: None },
        userns: Userns { userns_range: None },
        quiet: false,
    };
    // What is none of ours is left alone.
    assert_eq!(config(&[], &[("PATH", "/bin"), ("MESOS_ISOLATION", "cgroups"), ("MESOS_ECP", "x")]), expected);
}

#[test]
fn command_line_before_our_variable_before_the_agents() {
    let agents = ("MESOS_WORK_DIRECTORY", "/agents");
    let ours = ("MESOS_ECP_WORK_DIR", "/ours");
    let work_dir = |arguments: &[&str], environment: &[(&str, &str)]| {
        config(arguments, environment).work_dir.unwrap().into_os_string()
    };
    assert_eq!(work_dir(&["--work_dir=/given"], &[agents, ours]), "/given");
    assert_eq!(work_dir(&[], &[agents, ours]), "/ours");
    assert_eq!(work_dir(&[], &[ours, agents]), "/ours");
    assert_eq!(work_dir(&[], &[agents]), "/agents");
    assert!(!config(&["--no-quiet"], &[("MESOS_ECP_QUIET", "1")]).quiet);
}

#[test]
fn the_format_of_a_call_is_no_variable() {
    let message = refusal(&["--format=json"], &[("MESOS_ECP_FORMAT", "json")]);
    assert!(message.starts_with("the environment variable MESOS_ECP_FORMAT=json is refused"), "{message}");
    assert!(message.contains("write --format=TEXT on the command line"), "{message}");
    assert_eq!(config(&["--format=json"], &[("MESOS_ECP_FORMAT", "")]), config(&[], &[]));
    assert!(!refusal(&[], &[("MESOS_ECP_FORMAD", "x")]).contains("MESOS_ECP_FORMAT"));
    // A framework's changes nothing.
    let (found, warnings) = resolve(&[], &[("MESOS_ECP_FORMAT", "json")], &["MESOS_ECP_FORMAT"]).unwrap();
    assert_eq!((found, warnings.len()), (config(&[], &[]), 1));
    assert!(warnings[0].contains("MESOS_ECP_FORMAT is ignored") && !warnings[0].contains("--format"), "{warnings:?}");
}

#[test]
fn an_empty_variable_is_unset_and_an_empty_flag_refused() {
    assert_eq!(config(&[], &[("MESOS_ECP_ISOLATION", ""), ("MESOS_ECP_NONSENSE", "")]), config(&[], &[]));
    let environment = [("MESOS_WORK_DIRECTORY", "/agents"), ("MESOS_ECP_WORK_DIR", "")];
    assert_eq!(config(&[], &environment).work_dir, Some("/agents".into()));
    for flag in flags() {
        let message = refusal(&[&format!("--{}=", flag.name)], &[]);
        assert!(message.starts_with(&format!("--{}= has no value", flag.name)), "{message}");
    }
}

#[test]
fn what_the_task_sets_is_ignored_with_a_warning() {
    for flag in flags().filter(|flag| !["config", "runtime_dir", "work_dir"].contains(&flag.name)) {
        let variable = flag.variable();
        // A bad value must not even be read: it is the framework's.
        for value in [other_value(flag), "\u{1}bad", ""] {
            let (resolved, warnings) = resolve(&[], &[(&variable, value)], &[&variable, "PATH"]).unwrap();
            assert_eq!(resolved, config(&[], &[]));
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].contains(&format!("{variable} is ignored")), "{warnings:?}");
            assert!(warnings[0].contains(&flag.usage()), "{warnings:?}");
        }
    }
    let environment = [("MESOS_WORK_DIRECTORY", "/evil"), ("MESOS_ECP_NONSENSE", "x"), ("HOME", "/root")];
    let untrusted = ["MESOS_WORK_DIRECTORY", "MESOS_ECP_NONSENSE", "HOME", "MESOS_ECP_QUIET"];
    let (resolved, warnings) = resolve(&["--isolation=other"], &environment, &untrusted).unwrap();
    assert_eq!((resolved.work_dir, resolved.isolation), (None, vec!["other".to_owned()]));
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[1].contains("MESOS_ECP_NONSENSE is ignored"), "{warnings:?}");
}

#[test]
fn a_task_that_sets_where_containers_are_kept_is_refused() {
    for (variable, flag) in [
        ("MESOS_ECP_RUNTIME_DIR", "--runtime_dir=/a"),
        ("MESOS_ECP_WORK_DIR", "--work_dir=/a"),
        ("MESOS_ECP_CONFIG", "--config=/a"),
    ] {
        for value in ["/evil", ""] {
            let message = resolve(&[], &[(variable, value)], &[variable]).unwrap_err().to_string();
            assert!(message.contains(variable) && message.contains("on the command line"), "{message}");
            let (resolved, warnings) = resolve(&[flag], &[(variable, value)], &[variable]).unwrap();
            assert_eq!((resolved, warnings.len()), (config(&[flag], &[]), 1));
        }
        // With another value it is the operator's: this agent does not lay one environment over the other.
        let untrusted = Untrusted::of([(variable, "/evil")].into_iter());
        let environment = [(variable.into(), "/operators".into())];
        assert!(Config::resolve(&Settings::default(), environment.into_iter(), &untrusted).is_ok());
    }
}

#[test]
fn a_task_cannot_smuggle_a_setting_in_by_an_equals_sign_in_a_name() {
    let environment = [("MESOS_ECP_ISOLATOR_DIR".into(), "/evil=".into())];
    let untrusted = Untrusted::of([("MESOS_ECP_ISOLATOR_DIR=/evil", "")].into_iter());
    let (resolved, warnings) = Config::resolve(&Settings::default(), environment.into_iter(), &untrusted).unwrap();
    assert_eq!(resolved, config(&[], &[]));
    assert_eq!(warnings.len(), 1);
}

#[test]
fn an_unknown_variable_is_refused_and_the_known_ones_named() {
    let message = refusal(&[], &[("MESOS_ECP_ISOLATIONS", "x")]);
    let start = "the environment variable MESOS_ECP_ISOLATIONS=x is no setting, did you mean MESOS_ECP_ISOLATION?";
    assert!(message.starts_with(start), "{message}");
    assert!(flags().all(|flag| message.contains(&flag.variable())), "{message}");
    // The trust of one variable says nothing of another.
    assert!(resolve(&[], &[("MESOS_ECP_NONSENSE", "x")], &["MESOS_ECP_QUIET"]).is_err());
}

#[test]
fn lists_are_trimmed_and_hold_each_name_once() {
    let isolation = |value: &str| config(&[&format!("--isolation={value}")], &[]).isolation;
    assert_eq!(isolation("a"), ["a"]);
    assert_eq!(isolation(" b , a/c,d "), ["b", "a/c", "d"]);
    for (value, position) in [(",a", 1), ("a,", 2), ("a,,b", 2), ("a, ,b", 2), (" ", 1)] {
        let message = refusal(&[&format!("--isolation={value}")], &[]);
        let start = format!("--isolation={value}: entry {position} of the list is empty");
        assert!(message.starts_with(&start), "{message}");
    }
    let message = refusal(&[], &[("MESOS_ECP_ISOLATION", "a,b, a")]);
    assert!(message.starts_with("MESOS_ECP_ISOLATION=a,b, a: a stands twice"), "{message}");
}

#[test]
fn relative_paths_are_refused_with_the_reason() {
    for flag in FLAGS.iter().filter(|flag| flag.kind == Kind::Path) {
        for value in ["state", "./state", "../state", "~/state", " /state"] {
            let message = refusal(&[&format!("--{}={value}", flag.name)], &[]);
            assert!(message.starts_with(&format!("--{}={value}: a relative path", flag.name)), "{message}");
            assert!(message.contains("sandbox"), "{message}");
        }
    }
    let message = refusal(&[], &[("MESOS_WORK_DIRECTORY", "work")]);
    assert!(message.starts_with("MESOS_WORK_DIRECTORY=work: a relative path"), "{message}");
    assert!(message.ends_with("--work_dir=/ABSOLUTE/PATH"), "{message}");
}

#[test]
fn durations_and_booleans() {
    let parsed = config(&["--answered_retention=0ns", "--cgroups_destroy_timeout=0secs", "--quiet=1"], &[]);
    assert_eq!((parsed.answered_retention, parsed.cgroups_destroy_timeout), (Duration::ZERO, Duration::ZERO));
    assert!(parsed.quiet);
    let message = refusal(&["--fetch_timeout=0mins"], &[]);
    assert_eq!(message, "--fetch_timeout=0mins: must be more than zero, as 10mins");
    assert!(refusal(&[], &[("MESOS_ECP_ISOLATOR_TIMEOUT", "0.1ns")]).starts_with("MESOS_ECP_ISOLATOR_TIMEOUT=0.1ns: "));
    assert!(refusal(&["--fetch_timeout=10m"], &[]).starts_with("--fetch_timeout=10m: a duration is a number"));
    assert!(refusal(&["--quiet=yes"], &[]).starts_with("--quiet=yes: a boolean is true, false, 1 or 0"));
}

#[test]
fn only_paths_may_be_other_than_utf8() {
    for flag in flags() {
        let path = flag.kind == Kind::Path;
        let value = OsString::from_vec(if path { b"/\xff".to_vec() } else { b"\xff".to_vec() });
        let environment = [(OsString::from(flag.variable()), value)];
        let resolved = Config::resolve(&Settings::default(), environment.into_iter(), &Untrusted::default());
        match resolved {
            Ok((resolved, _)) => assert!(path && resolved != config(&[], &[]), "{}", flag.name),
            Err(error) => {
                let start = format!("{}=\u{fffd}: not valid UTF-8", flag.variable());
                assert!(!path && error.to_string().starts_with(&start), "{error}");
            }
        }
    }
}
