//! The death of a process between two calls: what it had not stored is forgotten.
#![forbid(unsafe_code)]

use super::bench::{Bench, Found, Must, SAME, Stop, end_after_a_crash, lives_on, not_done};
use crate::error::Result;
use crate::testing::{Call, Life};

/// Makes all calls that come before this one.
pub(super) fn up_to(life: &mut Life<'_>, call: Call) -> Result<()> {
    if call == Call::Plan {
        return Ok(());
    }
    life.plan()?;
    if call == Call::Prepare {
        return Ok(());
    }
    life.prepare()?;
    life.start()?;
    if call == Call::Isolate {
        return Ok(());
    }
    life.isolate()?;
    match call {
        Call::Recover => life.adopt(),
        Call::Cleanup => life.end(),
        _ => {}
    }
    Ok(())
}

/// Makes this one; `to` are the resources of an update.
pub(super) fn make(life: &mut Life<'_>, call: Call, to: &str) -> Result<()> {
    match call {
        Call::Plan => life.plan(),
        Call::Prepare => life.prepare().map(drop),
        Call::Isolate => life.isolate(),
        Call::Watch => life.watch().map(drop),
        Call::Update => life.update(to),
        Call::Usage => life.usage().map(drop),
        Call::Recover => life.recover(),
        Call::Verdict => life.verdict().map(drop),
        Call::Cleanup => life.cleanup(),
        Call::Probe => Ok(()),
    }
}

/// Whether the container goes on after a crash in this call. Else its launch has failed, or it had ended.
pub(super) fn goes_on(call: Call) -> bool {
    matches!(call, Call::Watch | Call::Update | Call::Usage | Call::Recover)
}

/// What whoever takes over does.
pub(super) fn take_over(life: &mut Life<'_>, call: Call) -> Found {
    life.adopt();
    if goes_on(call) {
        life.recover().must("recover makes sure that what was made is still in order")?;
        lives_on(life, Call::Recover)?;
        life.usage().must("after recover it can be measured")?;
    }
    end_after_a_crash(life)?;
    Ok(String::new())
}

/// The verb has died, its supervisor has not: the agent may just update once more.
pub(super) fn update_again(life: &mut Life<'_>, to: &str) -> Found {
    life.end_helpers();
    life.update(to).must("after an update that died half way may come another one, without recover")?;
    lives_on(life, Call::Update)?;
    life.usage().must("and then it can be measured")?;
    end_after_a_crash(life)?;
    Ok(String::new())
}

pub(super) fn after_update_and_again(bench: &Bench<'_>) -> Found {
    let to = bench.changed()?;
    let mut life = bench.launched()?;
    life.crash_after(Call::Update);
    life.update(to).must("it is the call behind which the crash comes")?;
    update_again(&mut life, to)?;
    super::life::whole(bench)
}

pub(super) fn after(bench: &Bench<'_>, call: Call) -> Found {
    // In a launch, again and again: what it has made and not said beforehand is lost, and runs out.
    let times = if goes_on(call) || call == Call::Cleanup { 1 } else { bench.checker.lives };
    let to = if call == Call::Update { bench.changed()? } else { SAME };
    for number in 1..=times {
        once(bench, call, to).map_err(|stop| match stop {
            Stop::Failed(why) if times > 1 => Stop::Failed(format!("crash {number} of {times}: {why}")),
            other => other,
        })?;
    }
    super::life::whole(bench)
}

fn once(bench: &Bench<'_>, call: Call, to: &str) -> Found {
    let mut life = bench.life()?;
    life.make_cgroups().map_err(not_done)?;
    up_to(&mut life, call).must("a launch with nothing odd")?;
    life.crash_after(call);
    make(&mut life, call, to).must("it is the call behind which the crash comes")?;
    take_over(&mut life, call)
}
