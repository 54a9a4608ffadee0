//! Several containers.
#![forbid(unsafe_code)]

use super::bench::{Bench, Found, Must, SAME, Stop, end_after_a_crash};
use crate::testing::Life;

/// Whatever is leaked runs out.
pub(super) fn in_a_row(bench: &Bench<'_>) -> Found {
    let lives = bench.checker.lives;
    for number in 1..=lives {
        let one = || {
            let mut life = bench.launched()?;
            life.end();
            life.cleanup().must("cleanup gives back what the container had")
        };
        one().map_err(|stop| match stop {
            Stop::Failed(why) => {
                Stop::Failed(format!("container {number} of {lives}, all before it having ended: {why}"))
            }
            other => other,
        })?;
    }
    Ok(String::new())
}

/// So many at once are launched at most.
const MOST: usize = 64;

/// What runs out has to come back: all of it, and nothing that is another's.
pub(super) fn until_refused(bench: &Bench<'_>) -> Found {
    let mut lives = Vec::new();
    let why = loop {
        if lives.len() == MOST {
            end_all(lives)?;
            return Err(Stop::NotDone(format!("{MOST} containers at once were not refused, so nothing runs out")));
        }
        match one_more(bench)? {
            Ok(life) => lives.push(life),
            Err(why) => break why,
        }
    };
    let many = lives.len();
    let failed = |what: String| Err(Stop::Failed(format!("{many} containers can run at once ({why}); {what}")));
    if many == 0 {
        return Err(Stop::Failed(format!("{why} -- no other container runs")));
    }
    end_all(vec![lives.swap_remove(0)])?;
    match one_more(bench)? {
        Ok(life) => lives.push(life),
        Err(why) => {
            return failed(format!("one has ended, and the next is refused: {why} -- cleanup gives back what it had"));
        }
    }
    if let Ok(life) = one_more(bench)? {
        lives.push(life);
        return failed(
            "one has ended, and two more were launched -- cleanup leaves alone what is another container's".into(),
        );
    }
    end_all(lives)?;
    let mut lives = Vec::new();
    while lives.len() < many {
        match one_more(bench)? {
            Ok(life) => lives.push(life),
            Err(why) => {
                let again = lives.len();
                return failed(format!(
                    "all have ended, and only {again} can be launched again: {why} -- cleanup gives back what they had"
                ));
            }
        }
    }
    end_all(lives)?;
    Ok(format!("{many}, then: {why}"))
}

fn end_all(lives: Vec<Life<'_>>) -> Result<(), Stop> {
    for mut life in lives {
        life.end();
        life.cleanup().must("cleanup while other containers run")?;
    }
    Ok(())
}

/// Or why it is refused.
fn one_more<'b>(bench: &Bench<'b>) -> Result<Result<Life<'b>, String>, Stop> {
    let mut life = bench.life()?;
    match life.launch() {
        Ok(_) => Ok(Ok(life)),
        Err(why) => end_after_a_crash(&mut life).map(|()| Err(why.to_string())),
    }
}

/// The end of one is not the other's.
pub(super) fn two_at_once(bench: &Bench<'_>) -> Found {
    let rule = "another container was cleaned up, which is nothing to this one";
    let (mut one, mut other) = (bench.launched()?, bench.launched_as_well()?);
    let before = other.usage().must("it is measured")?;
    one.end();
    one.cleanup().must("cleanup while another container runs")?;
    let after = other.usage().must(rule)?;
    let (before, after) = (fields(&before), fields(&after));
    if before != after {
        return Err(Stop::Failed(format!("usage measured {before} before and {after} now -- {rule}")));
    }
    other.adopt();
    other.recover().must(rule)?;
    other.update(SAME).must(rule)?;
    one.cleanup().must("the second cleanup while another container runs")?;
    other.usage().must(rule)?;
    other.end();
    other.cleanup().must(rule)?;
    Ok(String::new())
}

/// How many figures there are.
fn fields(sample: &crate::protocol::mesos::ResourceStatistics) -> String {
    let text = format!("{sample:?}");
    format!("{} figures", text.matches("Some(").count())
}
