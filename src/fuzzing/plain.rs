//! A target without cargo-fuzz: every seed as it is, and mutations of it, the same in each run.
//!
//! Each input has bounds beside what the target asserts: 2 seconds of processor time, and where memory is counted 4 MiB and 1000 bytes for each
//! byte of it. (An empty message within a record takes two bytes there, and a few hundred in memory.)
//!
//! `ECP_FUZZ_INPUTS` is how many mutations each target gets.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

const LONGEST: Duration = Duration::from_secs(2);
const MOST_MEMORY: usize = 4 << 20;
const MEMORY_FOR_A_BYTE: usize = 1000;
/// An input never gets longer than that.
const LARGEST: usize = 64 << 10;

/// How many inputs each target gets.
pub fn inputs(usual: usize) -> usize {
    std::env::var("ECP_FUZZ_INPUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs a target with its seeds, and with so many mutations. `measure` runs an input, and may count the memory that it takes.
pub fn run(name: &str, target: fn(&[u8]), wanted: usize, measure: fn(&dyn Fn()) -> Option<usize>) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "fuzz/seeds/{name} has none");
    for (path, seed) in &seeds {
        one(name, &path.display().to_string(), target, seed, measure);
    }
    for number in 0..wanted {
        let mut random = Random::of(name, number);
        let (path, seed) = &seeds[number % seeds.len()];
        let input = mutated(seed, &seeds, &mut random);
        one(name, &format!("{}, mutation {number}", path.display()), target, &input, measure);
    }
}

/// What is checked in, in a stable order.
pub fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn one(name: &str, what: &str, target: fn(&[u8]), input: &[u8], measure: fn(&dyn Fn()) -> Option<usize>) {
    let begin = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let done = catch_unwind(AssertUnwindSafe(|| measure(&|| target(input))));
    let taken = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap()) - begin;
    let fault = match &done {
        Err(_) => "it panicked".to_owned(),
        Ok(_) if taken > LONGEST => format!("it took {taken:?}"),
        Ok(Some(memory)) if *memory > MOST_MEMORY + input.len() * MEMORY_FOR_A_BYTE => {
            format!("it took {memory} bytes")
        }
        Ok(_) => return,
    };
    let kept = std::env::temp_dir().join(format!("mesos-ecp-finding-{name}"));
    let kept = fs::write(&kept, input).map_or_else(|e| e.to_string(), |()| kept.display().to_string());
    let shown = &input[..input.len().min(400)];
    eprintln!("{name}: {what}: {fault}; the input ({} bytes) is in {kept}: {}", input.len(), shown.escape_ascii());
    match done {
        Err(panic) => resume_unwind(panic),
        Ok(_) => panic!("{name}: {what}: {fault}"),
    }
}

/// SplitMix64: the same numbers for the same name and number.
pub struct Random(u64);

impl Random {
    fn of(name: &str, number: usize) -> Random {
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Random(hash ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`; 0 for 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// What lengths and numbers do most harm.
const NUMBERS: [u32; 8] = [0, 1, 4, 0x7f, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];
const WORDS: [&str; 8] = ["-1", "0", "18446744073709551615", "99999999999999999999", "4294967295", "..", "/", "\0"];

fn mutated(seed: &[u8], seeds: &[(PathBuf, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    let mut input = seed[..seed.len().min(LARGEST)].to_vec();
    for _ in 0..=random.below(4) {
        let (at, end) = (random.below(input.len() + 1), random.below(input.len() + 1));
        let (at, end) = (at.min(end), at.max(end));
        match random.below(10) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            3 => {
                let other = &seeds[random.below(seeds.len())].1;
                let from = random.below(other.len());
                let until = (from + 1 + random.below(other.len() - from.min(other.len()))).min(other.len());
                input.splice(at..end, other[from.min(until)..until].iter().copied());
            }
            4 => {
                let word = WORDS[random.below(WORDS.len())];
                let digits = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                input.splice(at..at + digits, word.bytes());
            }
            5 => {
                let number = NUMBERS[random.below(NUMBERS.len())];
                let bytes = if random.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
                let width = [1, 2, 4][random.below(3)].min(input.len() - at);
                input[at..at + width].copy_from_slice(&bytes[..width]);
            }
            6 => input.insert(at, random.next() as u8),
            7 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        input.truncate(LARGEST);
    }
    input
}
