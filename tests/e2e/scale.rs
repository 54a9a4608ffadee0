//! Two hundred containers on one agent.

use std::fs;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::agent::{Agent, Container, eventually};

const COUNT: usize = 200;
const AT_ONCE: usize = 16;

/// A named pipe that containers read a line from when they are to end; held open so that nobody blocks in `open`.
fn gate(agent: &Agent) -> fs::File {
    let path = agent.path("gate");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// Launches containers that end with their number when a line comes through the gate.
fn launch(agent: &Agent, numbers: impl Iterator<Item = usize> + Send) -> Vec<(usize, Container<'_>)> {
    let gate = agent.path("gate");
    let numbers = Mutex::new(numbers);
    let launched = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(number) = numbers.lock().unwrap().next() else {
                        return;
                    };
                    let script = format!("read line < {}; exit {number}", gate.display());
                    let container = agent.task(&script).launch();
                    launched.lock().unwrap().push((number, container));
                }
            });
        }
    });
    launched.into_inner().unwrap()
}

/// The medians of how long `containers` takes for these agents, asked in turn: two hundred waits of the stand-in's keep the
/// machine busy, for the one as for the other.
fn containers_takes(agents: [(&Agent, usize); 2]) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for ((agent, count), times) in agents.iter().zip(&mut times) {
            let output = agent.invoke("containers").run();
            times.push(output.duration);
            assert_eq!(output.containers().len(), *count);
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

#[test]
fn two_hundred_containers_at_once() {
    // Three pipes for each of the calls.
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(8192)), hard).unwrap();
    let agent = Agent::new();
    let mut gate = gate(&agent);
    let containers = launch(&agent, 0..COUNT);
    let other = Agent::new();
    let single = other.task("sleep 1000").launch();
    let waits: Vec<_> = containers.iter().map(|(number, container)| (number, container.spawn_wait())).collect();

    // Other tests run at the same time, hence more than one attempt.
    let mut seen = Vec::new();
    let fast = (0..5).any(|_| {
        let [one, all] = containers_takes([(&other, 1), (&agent, COUNT)]);
        seen.push((one, all));
        all <= 2 * one
    });
    assert!(fast, "`containers` took, with one container and with {COUNT}: {seen:?}");
    single.destroy();

    gate.write_all(&[b'\n'; COUNT]).unwrap();
    for (number, wait) in waits {
        let termination = wait.finish_within(Duration::from_secs(120)).termination();
        termination.assert_status(i32::try_from(number % 200).unwrap() << 8);
    }
    eventually("no state of running containers remains", || agent.live().is_empty());
    containers.iter().for_each(|(_, container)| container.note_end());
    agent.assert_nothing_left();
    assert!(agent.containers().is_empty());
}
