//! The configuration file: what it sets, who wins over it, and which files are refused.

mod in_force;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::time::Duration;

use crate::agent::{Agent, Builder, Output, need_root};
use crate::operators_environment::Wins;
use crate::refusals::assert_says;

/// A file outside of the agents' own directories, which are made with them.
struct File {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> File {
        let dir = tempfile::Builder::new().prefix("ecp-e2e-config-").tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = File { path: dir.path().join("ecp.toml"), _dir: dir };
        file.write(text);
        file.mode(0o644)
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    fn mode(self, mode: u32) -> File {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// An agent that names it on the command line.
    fn builder(&self) -> Builder {
        Agent::builder().flag(&format!("--config={}", self.name()))
    }
}

/// A launch that the file makes fail: all other calls of the agent would fail too.
#[track_caller]
fn refusal(agent: &Agent) -> String {
    let (container, output) = agent.task("touch ran").try_launch();
    let reason = output.refused();
    assert!(!container.path("ran").exists() && agent.live().is_empty(), "refused, but launched: {reason}");
    reason
}

/// Whether memory is measured, which says whether the container has `posix/mem`.
#[track_caller]
fn measures_memory(agent: &Agent) -> bool {
    let container = agent.task("sleep 1000").launch();
    let measured = container.usage().mem_rss_bytes().is_some();
    container.destroy();
    agent.assert_nothing_left();
    measured
}

/// `config`, called as a verb is.
fn config(agent: &Agent) -> Output {
    agent.invoke("config").sandbox(&agent.work_dir, None).run()
}

#[test]
fn a_container_has_the_isolators_of_the_file() {
    let file = File::new("isolation = [\n  'posix/cpu', # no others\n]\n");
    assert!(!measures_memory(&file.builder().build()));
    // By the environment alone, which agents before 0.23 would let a task overwrite.
    let agent = Agent::builder().no_config_flag().env("MESOS_ECP_CONFIG", file.name()).build();
    assert!(!measures_memory(&agent));
}

#[test]
fn the_command_line_and_the_environment_win_over_the_file() {
    let file = File::new("isolation = 'posix/cpu'");
    let all = "posix/cpu,posix/mem";
    assert!(measures_memory(&file.builder().env("MESOS_ECP_ISOLATION", all).build()));
    assert!(measures_memory(&file.builder().flag(&format!("--isolation={all}")).build()));
    // The agent knows its own work directory better than a file that several agents may share.
    let file = File::new("work_dir = '/nonexistent'");
    let agent = file.builder().build();
    let container = agent.task("exit 3").launch();
    container.complete().assert_status(3 << 8);
    agent.assert_nothing_left();
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let file = File::new("");
    fs::remove_file(&file.path).unwrap();
    assert_says(&refusal(&file.builder().build()), &[file.name(), "no such file", "--config="]);
    let agent = Agent::builder().no_config_flag().env("MESOS_ECP_CONFIG", file.name()).build();
    assert_says(&refusal(&agent), &[file.name(), "no such file", "MESOS_ECP_CONFIG="]);
}

#[test]
fn a_file_that_others_may_have_written_is_refused() {
    for (mode, shown) in [(0o664, "0664"), (0o646, "0646")] {
        let file = File::new("").mode(mode);
        assert_says(&refusal(&file.builder().build()), &[file.name(), shown, "chmod go-w"]);
    }
}

#[test]
fn a_file_of_somebody_elses_is_refused() {
    need_root!();
    let file = File::new("isolation = 'posix/cpu'");
    chown(&file.path, Some(65534), Some(65534)).unwrap();
    assert_says(&refusal(&file.builder().build()), &[file.name(), "uid 65534", "root"]);
    // Who runs the agent without root has settings of one's own, and goes by those of root.
    assert!(!measures_memory(&file.builder().unprivileged().build()));
    chown(&file.path, Some(0), Some(0)).unwrap();
    assert!(!measures_memory(&file.builder().unprivileged().build()));
    chown(&file.path, Some(1), Some(1)).unwrap();
    assert_says(&refusal(&file.builder().unprivileged().build()), &[file.name(), "uid 1,"]);
}

#[test]
fn a_file_that_cannot_be_read_is_not_passed_over() {
    need_root!();
    let file = File::new("isolation = 'posix/cpu'").mode(0o600);
    let reason = refusal(&file.builder().unprivileged().build());
    assert_says(&reason, &[file.name(), "cannot open it", "Permission denied"]);
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let file = File::new("");
    fs::remove_file(&file.path).unwrap();
    nix::unistd::mkfifo(&file.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let agent = file.builder().build();
    let (_, call) = agent.task("touch ran").spawn();
    let reason = call.finish_within(Duration::from_secs(20)).refused();
    assert_says(&reason, &[file.name(), "it is a FIFO"]);
    fs::remove_file(&file.path).unwrap();
    fs::create_dir(&file.path).unwrap();
    assert_says(&refusal(&agent), &[file.name(), "it is a directory"]);
}

#[test]
fn what_is_wrong_in_it_is_named_with_its_place() {
    let file = File::new("");
    let agent = file.builder().build();
    for (text, said) in [
        ("quiet = true\n  isolaton = 'x'", ":2:3: unknown key isolaton, did you mean isolation?"),
        ("isolation = 'posix/cpu", ":1:23: no valid TOML"),
        ("quiet = true\nquiet = true", ":2:1: no valid TOML: duplicate key"),
        ("[isolation]", ":1:2: isolation is a table"),
        ("fetch_timeout = 10", ":1:17: fetch_timeout is a whole number, and a string"),
        ("fetch_timeout = '10'", ":1:1: fetch_timeout = '10': a duration is"),
        ("config = '/x'", ":1:1: config cannot stand in the file"),
    ] {
        file.write(text);
        assert_says(&refusal(&agent), &[&format!("mesos-ecp: launch: {}{said}", file.name())]);
        let output = config(&agent);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_says(&output.refused(), &[&format!("mesos-ecp: config: {}{said}", file.name())]);
    }
    file.write(&"#".repeat((64 << 10) + 1));
    assert_says(&refusal(&agent), &[file.name(), "more than 65536 bytes"]);
    file.write("# nothing any more");
    assert!(measures_memory(&agent));
}

#[test]
fn a_task_cannot_name_another_file() {
    let (operators, tasks) = (File::new("isolation = 'posix/cpu'"), File::new("isolation = 'posix/cpu,posix/mem'"));
    let agent = |wins: Wins| {
        let agent = Agent::builder().no_config_flag().env("MESOS_ECP_CONFIG", operators.name());
        agent.profile(wins.profile()).build()
    };
    // Agents before 0.23. With the operator's own value nobody can tell whose it is.
    let tasks_wins = agent(Wins::Task);
    for value in [tasks.name(), operators.name(), "none", ""] {
        let task = tasks_wins.task("touch ran").env("MESOS_ECP_CONFIG", value);
        assert_says(&task.refused(), &["MESOS_ECP_CONFIG", "command line"]);
    }
    // Later ones: the operator's wins.
    let operators_wins = agent(Wins::Operator);
    let container = operators_wins.task("sleep 1000").env("MESOS_ECP_CONFIG", tasks.name()).launch();
    assert_eq!(container.usage().mem_rss_bytes(), None);
    container.destroy();
    // Named on the command line it cannot be replaced, nor can what it says.
    let agent = operators.builder().profile(Wins::Task.profile()).build();
    let overlay = [("MESOS_ECP_CONFIG", tasks.name()), ("MESOS_ECP_ISOLATION", "posix/cpu,posix/mem")];
    let task = agent.task("sleep 1000");
    let container = overlay.iter().fold(task, |task, (name, value)| task.env(name, value)).launch();
    assert_eq!(container.usage().mem_rss_bytes(), None);
    container.destroy();
    agent.assert_nothing_left();
}
