//! Containers' lives in which somebody is killed, and what an agent does then.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::arms::Arms;
use super::kit::{Place, STATUS};
use crate::agent::{Call, Container, eventually, patient};

/// Every verb ends within this, whatever was killed. Pid 1 may take two seconds to reap.
pub const BOUND: Duration = Duration::from_secs(20);

/// What is under way when somebody is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    Launch,
    /// A launch that fails.
    Undo,
    Usage,
    Update,
    /// The container ends by itself.
    End,
    /// The answer to wait.
    Wait,
    Destroy,
    /// `recover` has somebody take over from a dead supervisor, until the end.
    Recover,
    /// `wait` does.
    TakeOver,
    /// `recover` meets what nobody needs any more.
    Sweep,
}

/// One life. `other`: of two ways in which agents go on, the second one. Panics if not all of what must hold does.
pub fn live(when: When, place: &Place<'_>, arms: &Arms, other: bool) {
    let ids = match when {
        When::Launch => launch(place, arms, other),
        When::Undo => undo(place, arms),
        When::Usage => usage(place, arms),
        When::Update => update(place, arms, other),
        When::End | When::Wait => end(when, place, arms),
        When::Destroy => destroy(place, arms, other),
        When::Recover => recover(place, arms),
        When::TakeOver => take_over(place, arms),
        When::Sweep => sweep(place, arms),
    };
    judge(place, &ids);
}

/// Nothing may be left once the agent has come back without knowing of any container: after a recover, which ends with exit 0,
/// and after one more.
pub fn judge(place: &Place<'_>, ids: &[String]) {
    place.agent.restart_without_memory();
    place.agent.invoke("recover").run().ok();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let until = Instant::now() + patient(Duration::from_secs(10));
    loop {
        let left = place.left(&ids);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "left behind: {left:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The true status. Only where an end was noted by nobody who lives, on kernels that tell it once, it may be unknown: `may_be_lost`.
#[track_caller]
fn assert_true(status: Option<i32>, may_be_lost: bool) {
    assert!(status == Some(STATUS) || may_be_lost && status.is_none(), "lost its status: {status:?}");
}

/// Whether the point is between the end of the first process and the note of how it ended.
fn in_the_gap(place: &Place<'_>, arms: &Arms) -> bool {
    let Arms::Death { point, .. } = arms else { return false };
    let in_gap = ["reap", "outcome:before"].iter().any(|start| point.name.starts_with(start));
    // Whoever waits has the process open, and so its status (Linux 6.15), unless that one dies as well.
    in_gap && !place.kit.init && (arms.kills_all() || !keeps_status())
}

fn keeps_status() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

/// Whether the launch has met what was meant for the end: how often it passes some steps depends on what other containers do.
fn died_early(launch: Call<'_>, arms: &Arms) -> bool {
    let output = launch.finish_within(BOUND);
    assert!(output.status.success() || arms.is_spent(), "launch failed: {}", output.stderr);
    !output.status.success()
}

fn launched<'a>(place: &'a Place<'_>, arms: &Arms) -> Container<'a> {
    let (container, call) = arms.near_task(place.task()).spawn();
    call.finish_within(BOUND).ok();
    container.remember();
    container
}

/// The container ends by itself, and its status comes: to this wait, or to that of an agent that has come back.
fn goes(place: &Place<'_>, arms: &Arms, container: &Container<'_>, mut wait: Call<'_>) {
    // Its owner and its first process: from the latter the status comes if the owner dies with what it has reaped.
    eventually("wait has both processes open", || wait.pidfds() >= 2 || !wait.is_running());
    container.go();
    let output = wait.finish_within(BOUND);
    let end = if output.status.success() {
        output.termination()
    } else {
        assert!(arms.is_spent(), "wait failed: {}", output.stderr);
        let mut recovered = place.agent.restart_with_memory();
        recovered.wait(container).finish_within(BOUND).termination()
    };
    assert_true(end.status, in_the_gap(place, arms));
    container.note_end();
}

/// It is asked for the end, and the answer comes: the status of the kill, unless it died with somebody.
fn ended(arms: &Arms, container: &Container<'_>, wait: Option<Call<'_>>) {
    let wait = wait.unwrap_or_else(|| container.spawn_wait());
    container.invoke("destroy").spawn().finish_within(BOUND).ok();
    let output = wait.finish_within(BOUND);
    let end = if output.status.success() {
        output.termination()
    } else {
        assert!(arms.is_spent(), "wait failed: {}", output.stderr);
        container.spawn_wait().finish_within(BOUND).termination()
    };
    assert!(end.status == Some(9) || end.status.is_none() && arms.is_spent(), "{end:?}");
    container.note_end();
}

fn launch(place: &Place<'_>, arms: &Arms, other: bool) -> Vec<String> {
    let (container, call) = arms.on_task(place.task()).spawn();
    let output = call.finish_within(BOUND);
    let succeeded = output.status.success();
    assert!(succeeded || arms.is_spent() || matches!(arms, Arms::Notes(_)), "launch failed: {}", output.stderr);
    let Arms::Death { point, .. } = arms else { return vec![container.id] };
    if succeeded {
        container.remember();
    } else if !arms.kills_all() && !["commit:after", "verb launch:after"].contains(&point.name.as_str()) {
        // Whichever of the two was killed, the other sees to it, without a recover.
        eventually("the failed launch is undone", || place.agent.live().is_empty());
    }
    if succeeded && other {
        ended(arms, &container, None);
    } else {
        let mut recovered = place.agent.restart_with_memory();
        if succeeded {
            let wait = recovered.wait(&container);
            goes(place, arms, &container, wait);
        }
    }
    vec![container.id]
}

fn undo(place: &Place<'_>, arms: &Arms) -> Vec<String> {
    let (container, call) = arms.on_task(place.failing()).spawn();
    assert!(!call.finish_within(BOUND).status.success(), "a command that does not exist was executed");
    if !arms.kills_all() {
        eventually("the failed launch is undone", || place.agent.live().is_empty());
    }
    vec![container.id]
}

fn usage(place: &Place<'_>, arms: &Arms) -> Vec<String> {
    let container = launched(place, arms);
    let output = arms.on(container.invoke("usage")).spawn().finish_within(BOUND);
    assert!(output.status.success() || arms.is_spent(), "usage failed: {}", output.stderr);
    if arms.kills_all() {
        place.agent.restart_with_memory();
    }
    container.usage();
    goes(place, arms, &container, container.spawn_wait());
    vec![container.id]
}

fn update(place: &Place<'_>, arms: &Arms, other: bool) -> Vec<String> {
    let container = launched(place, arms);
    let wait = arms.near(container.invoke("wait")).spawn();
    let succeeded = arms.on(place.update(&container)).spawn().finish_within(BOUND).status.success();
    assert!(succeeded || arms.is_spent(), "an update failed");
    if arms.kills_all() {
        place.agent.restart_with_memory();
    }
    if other {
        place.update(&container).run().ok();
        container.usage();
        goes(place, arms, &container, wait);
    } else {
        // As the agent does.
        ended(arms, &container, Some(wait));
    }
    vec![container.id]
}

fn end(when: When, place: &Place<'_>, arms: &Arms) -> Vec<String> {
    let task = if when == When::End { arms.on_task(place.task()) } else { arms.near_task(place.task()) };
    let (container, call) = task.spawn();
    if died_early(call, arms) {
        return vec![container.id];
    }
    container.remember();
    let wait = container.invoke("wait");
    let wait = if when == When::Wait { arms.on(wait) } else { arms.near(wait) };
    goes(place, arms, &container, wait.spawn());
    vec![container.id]
}

fn destroy(place: &Place<'_>, arms: &Arms, other: bool) -> Vec<String> {
    let (container, call) = arms.on_task(place.task()).spawn();
    if died_early(call, arms) {
        return vec![container.id];
    }
    container.remember();
    let wait = arms.near(container.invoke("wait")).spawn();
    let succeeded = arms.on(container.invoke("destroy")).spawn().finish_within(BOUND).status.success();
    assert!(succeeded || arms.is_spent(), "destroy failed");
    if other {
        place.agent.restart_with_memory();
    }
    ended(arms, &container, Some(wait));
    vec![container.id]
}

fn recover(place: &Place<'_>, arms: &Arms) -> Vec<String> {
    let container = launched(place, arms);
    place.agent.kill_supervisors();
    let output = arms.on(place.agent.invoke("recover")).spawn().finish_within(BOUND);
    assert!(output.status.success() || arms.is_spent(), "recover failed: {}", output.stderr);
    assert_eq!(place.agent.containers(), [container.id.as_str()]);
    if !output.status.success() || arms.is_spent() {
        place.agent.invoke("recover").run().ok();
    }
    goes(place, arms, &container, arms.near(container.invoke("wait")).spawn());
    vec![container.id]
}

fn take_over(place: &Place<'_>, arms: &Arms) -> Vec<String> {
    let container = launched(place, arms);
    let wait = arms.on(container.invoke("wait")).spawn();
    place.agent.kill_supervisors();
    eventually("somebody has taken over", || {
        arms.is_spent() || place.agent.state(&container.id).is_some_and(|state| state.join(ADOPTED).exists())
    });
    goes(place, arms, &container, wait);
    vec![container.id]
}

/// The program's name for a checkpoint of who has taken over.
const ADOPTED: &str = "checkpoint-3-adopted";

fn sweep(place: &Place<'_>, arms: &Arms) -> Vec<String> {
    let container = launched(place, arms);
    container.go();
    container.complete();
    let scope = below(&place.agent.runtime_dir).into_iter().find(|path| path.is_dir()).unwrap();
    let boot = below(&scope).remove(0);
    // Of another boot, of a process that is gone, and what nobody can read, live and ended.
    fs::create_dir_all(scope.join("00000000-0000-4000-8000-000000000000/live/old")).unwrap();
    fs::create_dir_all(boot.join(".new-999999999")).unwrap();
    for (place, file) in [("live", "checkpoint-1-launched"), ("ended", "termination")] {
        let broken = boot.join(place).join(format!("broken-{place}"));
        fs::create_dir(&broken).unwrap();
        fs::write(broken.join(file), [0xff; 3]).unwrap();
    }
    let recover = || place.agent.invoke("recover").flag("--answered_retention=1ms");
    let output = arms.on(recover()).spawn().finish_within(BOUND);
    assert!(output.status.success() || arms.is_spent(), "recover failed: {}", output.stderr);
    recover().run().ok();
    let aside = below(&boot.join("damaged"));
    assert!(!aside.is_empty(), "nothing was set aside");
    fs::remove_dir_all(boot.join("damaged")).unwrap();
    assert!(!boot.join("ended").join(&container.id).exists(), "an old record is kept");
    vec![container.id]
}

fn below(path: &Path) -> Vec<PathBuf> {
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
