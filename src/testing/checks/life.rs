//! One container's life, and the ways in which it can end.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::bench::{Bench, FEWER, Found, MORE, Must, SAME, Stop, lives_on, not_done};
use crate::isolator::Limitation;
use crate::isolators;
use crate::protocol::mesos::ResourceStatistics;
use crate::testing::Call;

/// How long it is polled what an isolator watches.
const WATCHED: Duration = Duration::from_millis(50);

/// The same where it is asked what comes.
const WATCHED_LONG: Duration = Duration::from_millis(1200);

const WATCH: &str = "the supervisor watches each container, if only for nothing";
const READY: &str = "what is ready can be asked for";

const CLEANUP: &str =
    "cleanup undoes whatever was made, as far as it was made, and succeeds where nothing is left to be undone";

pub(super) fn name(bench: &Bench<'_>) -> Found {
    let (one, two) = (bench.make()?, bench.make()?);
    let (name, again) = (one.name(), two.name());
    if name != again {
        return Err(Stop::Failed(format!(
            "it is \"{name}\" once and \"{again}\" the next time -- facts are stored by it"
        )));
    }
    // Those of programs have a rule of their own, by which they were made.
    let is_known = isolators::is_built_in(name) || name.starts_with(isolators::PROGRAM);
    match isolators::problem(name).filter(|_| !is_known) {
        None => Ok(String::new()),
        Some(why) => Err(Stop::Failed(format!(
            "no isolator of one's own can be called \"{}\": {why} -- it stands in --isolation and is part of a file's name",
            name.escape_default()
        ))),
    }
}

pub(super) fn probe(bench: &Bench<'_>) -> Found {
    let isolator = bench.make()?;
    bench.trace.begin(Call::Probe);
    let begin = std::time::Instant::now();
    let probed = isolator.probe();
    bench.trace.end(Call::Probe, begin.elapsed());
    probed.must("probe says that this host cannot do it, so nothing else is checked")?;
    let controllers = isolator.controllers();
    if !controllers.is_empty() && !nix::unistd::geteuid().is_root() {
        return Err(Stop::NotDone(format!("its cgroups ({}) take root", controllers.join(", "))));
    }
    bench.life()?.make_cgroups().map_err(not_done)?;
    Ok(String::new())
}

pub(super) fn whole(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    lives_on(&mut life, Call::Isolate)?;
    let mut watching = life.watch().must(WATCH)?;
    unlimited(life.poll(&mut watching, WATCHED).must(READY)?)?;
    life.update(SAME).must("update may come with nothing changed")?;
    life.usage().must("each container is measured")?;
    lives_on(&mut life, Call::Update)?;
    // As it ends with the supervisor.
    drop(watching);
    life.end();
    let verdict = life.verdict().must("who ends a container asks for it")?;
    if let Some(limited) = verdict {
        return Err(Stop::Failed(format!("verdict says \"{}\" of a container that was just killed", limited.message)));
    }
    life.cleanup().must(CLEANUP)?;
    Ok(String::new())
}

/// For as long as most watches need to say something if they have anything to say.
pub(super) fn watch(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    let mut watching = life.watch().must(WATCH)?;
    let all = watching.watches.len();
    if all > 0 {
        unlimited(life.poll(&mut watching, WATCHED_LONG).must(READY)?)?;
        lives_on(&mut life, Call::Watch)?;
    }
    let left = watching.watches.len();
    drop(watching);
    if life.log().contains("watch has ended") {
        return Err(Stop::Failed(
            "watch has ended without a reply while the container runs -- nothing watches it any more".into(),
        ));
    }
    life.end();
    life.cleanup().must(CLEANUP)?;
    Ok(match (all, left) {
        (0, _) => "it watches nothing".into(),
        (all, left) if all == left => String::new(),
        (all, left) => format!("after {WATCHED_LONG:?} {left} of {all} descriptors are still watched"),
    })
}

fn unlimited(limited: Option<Limitation>) -> Result<(), Stop> {
    limited.map_or(Ok(()), |limited| {
        Err(Stop::Failed(format!(
            "watch ends a container that only sleeps, as \"{}\" -- it does so for a limit that was exceeded",
            limited.message
        )))
    })
}

pub(super) fn usage(bench: &Bench<'_>) -> Found {
    let rule = "usage must not fail: its part of the sample would be missing";
    let mut life = bench.launched()?;
    let measures = bench.make()?.measures();
    let mut samples = vec![life.usage().must(rule)?, life.usage().must(rule)?];
    life.end();
    samples.push(life.usage().must("usage may come when the command has just ended, and must not fail then")?);
    life.cleanup().must(CLEANUP)?;
    let nothing = ResourceStatistics { timestamp: 1.0, ..ResourceStatistics::default() };
    for sample in samples {
        if sample.timestamp != nothing.timestamp {
            return Err(Stop::Failed("it changes the sample's timestamp, which is not its own".into()));
        }
        if !measures && sample != nothing {
            return Err(Stop::Failed(
                "it measures something, but measures() says that it does not: it would never be asked".into(),
            ));
        }
    }
    Ok(if measures { String::new() } else { "it measures nothing".into() })
}

pub(super) fn update(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    let rule = "resources become fewer, and stay as they are; a failing update ends the container";
    for resources in [SAME, FEWER, FEWER] {
        life.update(resources).must(rule)?;
        lives_on(&mut life, Call::Update)?;
    }
    life.usage().must("and it can still be measured")?;
    life.end();
    life.cleanup().must(CLEANUP)?;
    // The host may not have more to give. The container is then ended.
    let mut life = bench.launched()?;
    let refused = life.update(MORE).err();
    if refused.is_none() {
        for resources in [MORE, SAME] {
            life.update(resources).must(rule)?;
        }
        lives_on(&mut life, Call::Update)?;
        life.usage().must("and it can still be measured")?;
    }
    life.end();
    life.cleanup().must(CLEANUP)?;
    Ok(refused.map_or_else(String::new, |why| format!("more resources are refused: {why}")))
}

pub(super) fn recover(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    life.adopt();
    for _ in 0..2 {
        life.recover().must("whoever takes over calls it, and may die and be taken over from")?;
        lives_on(&mut life, Call::Recover)?;
    }
    let mut watching = life.watch().must("after a take-over it is watched again")?;
    unlimited(life.poll(&mut watching, WATCHED).must(READY)?)?;
    drop(watching);
    life.usage().must("and measured")?;
    life.update(FEWER).must("and updated")?;
    life.end();
    life.cleanup().must(CLEANUP)?;
    Ok(String::new())
}

pub(super) fn cleanup_twice(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    life.end();
    life.cleanup().must(CLEANUP)?;
    life.cleanup()
        .must("the second cleanup of a container; it may run twice, since its caller may die behind the first")?;
    life.adopt();
    life.cleanup().must("the third cleanup of a container; it may run twice and more often")?;
    Ok(String::new())
}

pub(super) fn cleanup_of_a_plan(bench: &Bench<'_>) -> Found {
    let mut life = bench.life()?;
    life.make_cgroups().map_err(not_done)?;
    life.plan().must("plan")?;
    for _ in 0..2 {
        life.cleanup().must("plan makes nothing; a crash before prepare leaves its facts alone, and cleanup copes")?;
    }
    Ok(String::new())
}

pub(super) fn cleanup_of_nothing(bench: &Bench<'_>) -> Found {
    let mut life = bench.life()?;
    life.make_cgroups().map_err(not_done)?;
    for _ in 0..2 {
        life.cleanup()
            .must("a launch may fail before this isolator's turn: cleanup then comes without any facts, and copes")?;
    }
    Ok(String::new())
}

pub(super) fn cleanup_without_sandbox(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    life.end();
    std::fs::remove_dir_all(life.sandbox())
        .map_err(|e| Stop::NotDone(format!("the sandbox cannot be removed: {e}")))?;
    life.cleanup().must("an operator or the agent may have deleted the sandbox; all else is cleaned up")?;
    Ok(String::new())
}
