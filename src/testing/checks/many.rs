//! Several containers.
#![forbid(unsafe_code)]

use super::bench::{Bench, Found, Must, Stop};

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

/// The end of one is not the other's.
pub(super) fn two_at_once(bench: &Bench<'_>) -> Found {
    let rule = "another container was cleaned up, which is nothing to this one";
    let (mut one, mut other) = (bench.launched()?, bench.launched()?);
    let before = other.usage().must("it is measured")?;
    one.end();
    one.cleanup().must("cleanup while another container runs")?;
    let after = other.usage().must(rule)?;
    let (before, after) = (fields(&before), fields(&after));
    if before != after {
        return Err(Stop::Failed(format!("usage measured {before} before and {after} now -- {rule}")));
    }
    other.recover().must(rule)?;
    other.update("cpus:2;mem:128").must(rule)?;
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
