//! cgroups/perf_event: hardware and software counters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, Container, DEADLINE, eventually, need_root, patient, skip};
use crate::refusals::assert_says;

// Fields of PerfStatistics and where it stands in ResourceStatistics.
const PERF: u32 = 13;
const TIMESTAMP: u32 = 1;
const DURATION: u32 = 2;
const TASK_CLOCK: u32 = 14;
const PAGE_FAULTS: u32 = 15;
const MINOR_FAULTS: u32 = 16;
const MAJOR_FAULTS: u32 = 17;
const CONTEXT_SWITCHES: u32 = 18;

fn agent(events: &str, interval: &str, duration: &str) -> Builder {
    Agent::builder()
        .flag("--isolation=cgroups/perf_event")
        .flag(&format!("--perf_events={events}"))
        .flag(&format!("--perf_interval={interval}"))
        .flag(&format!("--perf_duration={duration}"))
}

fn sample(container: &Container) -> Option<Message> {
    container.usage().message.get_message(PERF)
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Samples as they come, by their number in time.
#[derive(Default)]
struct Samples(BTreeMap<u64, Message>);

impl Samples {
    fn look(&mut self, container: &Container) {
        if let Some(sample) = sample(container) {
            self.0.insert((sample.get_double(TIMESTAMP).unwrap() * 1e6) as u64, sample);
        }
    }

    /// The end of the latest, in seconds since 1970.
    fn end(&self) -> f64 {
        self.0.last_key_value().map_or(0.0, |(_, s)| s.get_double(TIMESTAMP).unwrap() + s.get_double(DURATION).unwrap())
    }

    /// Fails the test if one is missing in between.
    #[track_caller]
    fn assert_complete(&self) {
        let all: Vec<_> = self.0.values().collect();
        for pair in all.windows(2) {
            let end = pair[0].get_double(TIMESTAMP).unwrap() + pair[0].get_double(DURATION).unwrap();
            let gap = pair[1].get_double(TIMESTAMP).unwrap() - end;
            assert!(gap.abs() < patient(Duration::from_millis(200)).as_secs_f64(), "{gap} seconds between two samples");
        }
    }

    /// CPU time in seconds.
    fn task_clock(&self) -> f64 {
        self.0.values().map(|s| s.get_double(TASK_CLOCK).unwrap()).sum::<f64>() / 1000.0
    }

    fn count(&self, field: u32) -> u64 {
        self.0.values().map(|s| s.get_varint(field).unwrap()).sum()
    }
}

/// What `times` of a shell says: user and system time of its own and of its children, as 0m1.230000s.
fn cpu_seconds(times: &str) -> f64 {
    let one = |text: &str| {
        let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    times.split_whitespace().map(one).sum()
}

#[test]
fn what_a_container_does_is_in_its_samples_and_in_no_others() {
    need_root!();
    // One sample after the other without a pause, so that together they are the whole; long enough that each is looked at.
    let events = "task_clock,page-faults,minor-faults,major-faults,context-switches";
    let seconds: u8 = if is_slow() { 12 } else { 3 };
    let length = format!("{seconds}secs");
    let agent = agent(events, &length, &length).build();
    let idle = agent.task("sleep 100").launch();
    let busy = "until [ -e go ]; do sleep 0.05; done; i=0; while [ $i -lt 500000 ]; do i=$((i+1)); done
        for i in 1 2 3 4 5 6 7 8 9 10; do sh -c :; done; times > times.new; mv times.new times; sleep 100";
    let busy = agent.task(busy).launch();
    let (mut ours, mut others) = (Samples::default(), Samples::default());
    busy.go();
    let (end, mut done) = (Instant::now() + patient(DEADLINE), f64::MAX);
    // Until everything up to the end of the work is in a sample.
    while ours.end() < done || others.end() < done {
        assert!(Instant::now() < end, "no sample up to the end of the work");
        ours.look(&busy);
        others.look(&idle);
        if done == f64::MAX && busy.path("times").exists() {
            done = now();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    ours.assert_complete();
    let spent = cpu_seconds(&busy.file("times"));
    // The shell says its time in hundredths of a second, and then goes on for a little.
    let (least, most) = (0.7 * spent, 1.1 * spent + patient(Duration::from_millis(50)).as_secs_f64());
    assert!((least..most).contains(&ours.task_clock()), "{} s counted, {spent} s spent", ours.task_clock());
    assert!(others.task_clock() < 0.1 * spent, "{} s idle, {spent} s busy", others.task_clock());
    let faults = ours.count(PAGE_FAULTS);
    assert!(faults > 200 && faults > 5 * others.count(PAGE_FAULTS), "{faults}, idle {}", others.count(PAGE_FAULTS));
    // The counters begin and end one after the other.
    let both = ours.count(MINOR_FAULTS) + ours.count(MAJOR_FAULTS);
    assert!(faults.abs_diff(both) < faults / 10, "{faults}, {both}");
    assert!(ours.count(CONTEXT_SWITCHES) > 10);
    for sample in ours.0.values() {
        let duration = sample.get_double(DURATION).unwrap();
        let late = patient(Duration::from_millis(2500)).as_secs_f64();
        assert!((f64::from(seconds) - 0.1..f64::from(seconds) + late).contains(&duration), "{duration}");
        let mut fields: Vec<_> = sample.0.iter().map(|(number, _)| *number).collect();
        fields.sort_unstable();
        let only = [TIMESTAMP, DURATION, TASK_CLOCK, PAGE_FAULTS, MINOR_FAULTS, MAJOR_FAULTS, CONTEXT_SWITCHES];
        assert_eq!(fields, only, "what was not asked for is not there");
    }
    for container in [busy, idle] {
        let wait = container.spawn_wait();
        container.destroy();
        wait.finish();
    }
    agent.assert_nothing_left();
}

/// A look at the process table takes longer there than a short sample.
fn is_slow() -> bool {
    patient(Duration::from_secs(1)) > Duration::from_secs(1)
}

#[test]
fn nothing_is_open_between_samples() {
    need_root!();
    let agent = agent("task-clock,cpu-clock", "600secs", if is_slow() { "3secs" } else { "300ms" }).build();
    let counters = || {
        let links = |pid: i32| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let all = agent.supervisors().into_iter().flat_map(|supervisor| links(supervisor.pid));
        all.filter(|fd| fs::read_link(fd.path()).is_ok_and(|l| l.to_string_lossy().contains("perf_event"))).count()
    };
    let container = agent.task("sleep 100").launch();
    let (mut most, mut first) = (0, None);
    eventually("a sample", || {
        most = most.max(counters());
        first = sample(&container);
        first.is_some()
    });
    assert!(most > 0, "the counters of the sample were not seen");
    let duration = first.unwrap().get_double(DURATION).unwrap();
    assert!((0.3..30.0).contains(&duration), "{duration}");
    assert_eq!(counters(), 0);
    container.destroy();
}

#[test]
fn samples_go_on_after_the_supervisors_death() {
    need_root!();
    let agent = agent("task-clock", "400ms", "300ms").build();
    let container = agent.task("while :; do :; done").launch();
    let newest = || sample(&container).and_then(|s| s.get_double(TIMESTAMP)).unwrap_or(0.0);
    eventually("a sample", || newest() > 0.0);
    agent.kill_supervisors();
    let killed = now();
    let before = newest();
    assert!(before > 0.0 && before < killed, "the last sample stays");
    // Its flags need not be those that the container was launched with.
    let other = Agent::builder().flag("--perf_events=page-faults").flag("--perf_interval=1hrs");
    let other = other.same_as(&agent, &agent.work_dir).build();
    let wait = other.about("wait", &container.id).spawn();
    eventually("a sample by who took over", || newest() > killed);
    assert!(sample(&container).unwrap().get_double(TASK_CLOCK).unwrap() > 0.0);
    container.destroy();
    wait.finish();
    agent.assert_nothing_left();
}

#[test]
fn what_cannot_be_counted_is_refused() {
    need_root!();
    let refused = |agent: Builder| {
        let agent = agent.build();
        let said = agent.task("true").refused();
        agent.assert_nothing_left();
        said
    };
    let said = refused(Agent::builder().flag("--isolation=cgroups/perf_event"));
    assert_says(&said, &["cgroups/perf_event", "--perf_events names no event"]);
    let said = refused(agent("task-clock,tusk-clock", "2secs", "1secs"));
    assert_says(&said, &["\"tusk-clock\" is not known", "task-clock"]);
    let said = refused(agent("task-clock", "1secs", "2secs"));
    assert_says(&said, &["--perf_duration is 2s", "--perf_interval"]);
}

#[test]
fn an_event_that_the_machine_does_not_have_is_refused_by_name() {
    need_root!();
    // Of the processor's own counters.
    let sources = Path::new("/sys/bus/event_source/devices");
    if ["cpu", "cpu_core", "armv8_pmuv3_0", "armv8_pmuv3"].iter().any(|name| sources.join(name).exists()) {
        skip!("this machine counts cycles");
    }
    let agent = agent("task-clock,cycles", "2secs", "1secs").build();
    let said = agent.task("true").refused();
    assert_says(&said, &["--perf_events: cycles is not available here because"]);
    agent.assert_nothing_left();
}
