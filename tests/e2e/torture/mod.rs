//! Random lives of containers under agents that come and go, while any of our processes may be killed at any moment. What must hold
//! is in `round.rs`; a seed reproduces what is tried, though not the moments at which it happens.
//!
//! `ECP_TORTURE_SECONDS` (5) says for how long, `ECP_TORTURE_SEED` with what it begins; `scripts/torture` sets both.

mod life;
mod random;
mod round;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::random::Random;
use self::round::Round;

/// Rounds at one moment.
const WORKERS: u64 = 6;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text}")),
        Err(_) => default,
    }
}

#[test]
fn random_lives() {
    let seconds = number("ECP_TORTURE_SECONDS", 5);
    let seed = number("ECP_TORTURE_SEED", u64::from(std::process::id()));
    println!("torture: seed {seed}, {seconds} s");
    let end = Instant::now() + Duration::from_secs(seconds);
    let [lives, rounds, calls, kills, lost] = &std::array::from_fn(|_| AtomicU64::new(0));
    let only = std::env::var("ECP_TORTURE_ROUND").is_ok().then(|| number("ECP_TORTURE_ROUND", 0));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || {
                let mut n = worker;
                while Instant::now() < end {
                    // Each round by a number of its own, so that one can be had again without those before it.
                    let round = only.unwrap_or(n);
                    let random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(round));
                    let done = Round::new(format!("seed {seed}, round {round}"), random).run();
                    lives.fetch_add(done.lives, Ordering::Relaxed);
                    calls.fetch_add(done.calls, Ordering::Relaxed);
                    kills.fetch_add(done.kills, Ordering::Relaxed);
                    lost.fetch_add(done.lost, Ordering::Relaxed);
                    rounds.fetch_add(1, Ordering::Relaxed);
                    n += WORKERS;
                }
            });
        }
    });
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "torture: {} lives in {} rounds, {} calls, {} kills, {} statuses that died with a supervisor, no violation (seed {seed})",
        of(lives),
        of(rounds),
        of(calls),
        of(kills),
        of(lost)
    );
    assert!(of(lives) > 0);
}
