//! Input that nobody should give. An error is a good answer; a hang and a death are not.
#![forbid(unsafe_code)]

use super::bench::{Bench, Found, MORE, Must, SAME, Stop};
use super::crash::make;
use crate::testing::{Call, Life};

pub(super) const HUGE: &str = "cpus:1000000;mem:1000000000000;disk:1000000000000;ports:[1-65535]";

/// Of which each may be made again.
const LATER: [Call; 5] = [Call::Update, Call::Usage, Call::Recover, Call::Verdict, Call::Cleanup];

pub(super) fn garbage(bench: &Bench<'_>) -> Found {
    let mut life = bench.launched()?;
    let facts = life.facts().must("facts are read")?;
    let half = facts.get(..facts.len() / 2).unwrap_or_default().to_vec();
    let long = vec![b'A'; 64 << 10];
    for garbage in [&b"\xff\x00\n{]} garbage"[..], &half, &long] {
        for call in LATER {
            life.set_facts(garbage).must("facts are stored")?;
            // An error is fine, and so is an isolator that does not look at them.
            let _ = make(&mut life, call, MORE);
        }
    }
    life.set_facts(&facts).must("facts are stored")?;
    life.end();
    life.cleanup().must("with its own facts again it is cleaned up")?;
    super::life::whole(bench)
}

pub(super) fn facts_of_another(bench: &Bench<'_>) -> Found {
    let (mut one, mut other) = (bench.launched()?, bench.launched_as_well()?);
    let (own, others) = (one.facts().must("facts are read")?, other.facts().must("facts are read")?);
    for call in [Call::Update, Call::Usage, Call::Recover, Call::Verdict] {
        one.set_facts(&others).must("facts are stored")?;
        let _ = make(&mut one, call, SAME);
    }
    one.set_facts(&own).must("facts are stored")?;
    for life in [&mut one, &mut other] {
        life.end();
        life.cleanup().must("each with its own facts again, they are cleaned up")?;
    }
    Ok(String::new())
}

pub(super) fn longest_id(bench: &Bench<'_>) -> Found {
    let pid = std::process::id().to_string();
    let life = bench.life_of(&format!("{}{pid}", "x".repeat(255 - pid.len())))?;
    taken_or_refused(life)
}

pub(super) fn resources(bench: &Bench<'_>, resources: &str) -> Found {
    let mut life = bench.life()?;
    life.set_resources(resources).map_err(|e| Stop::NotDone(e.to_string()))?;
    taken_or_refused(life)
}

/// Either it is launched like any other, or it is refused; it is cleaned up in any case.
fn taken_or_refused(mut life: Life<'_>) -> Found {
    let launched = life.launch();
    if launched.is_ok() {
        life.usage().must("what was launched is measured")?;
    }
    life.end();
    life.cleanup().must("cleanup follows, whether it was launched or refused")?;
    Ok(launched.map_or_else(|e| format!("refused: {e}"), |_| String::new()))
}
