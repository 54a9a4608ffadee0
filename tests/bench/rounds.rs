//! Candidates that take turns, so that the machine's moods meet all of them alike.

use std::time::Duration;

use anyhow::{Context, Result};

/// Rounds that do not count.
const WARM_UP: usize = 3;

/// Something to be timed.
pub struct Candidate<'a> {
    pub name: String,
    run: Box<dyn FnMut() -> Result<Duration> + 'a>,
}

impl<'a> Candidate<'a> {
    pub fn new(name: &str, run: impl FnMut() -> Result<Duration> + 'a) -> Self {
        Self { name: name.to_owned(), run: Box::new(run) }
    }
}

/// How often a candidate runs in its turn. The first run does not count: it finds the caches full of another program's.
const IN_TURN: usize = 4;

/// Runs each candidate a few times a round, in an order that is another each time; gives their times in the order given.
pub fn interleave(mut candidates: Vec<Candidate<'_>>, rounds: usize) -> Result<Vec<Times>> {
    let mut times = vec![Times::default(); candidates.len()];
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..WARM_UP + rounds {
        for last in (1..order.len()).rev() {
            order.swap(last, dice.below(last + 1));
        }
        for &turn in &order {
            let candidate = &mut candidates[turn];
            for run in 0..IN_TURN {
                let time = (candidate.run)().with_context(|| candidate.name.clone())?;
                if round >= WARM_UP && run > 0 {
                    times[turn].push(time);
                }
            }
        }
    }
    Ok(times)
}

/// Times of one candidate, in milliseconds.
#[derive(Clone, Default)]
pub struct Times(Vec<f64>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e3);
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The value that this share of all does not exceed.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// Marsaglia's xorshift: the same order in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
