//! The numbers of system calls, by name and interface.
//!
//! `syscalls.txt` has a line for each name, in the order of the names: its numbers for x86_64, x86, x32 (without its bit), aarch64
//! and arm, or `-`. It is searched as it is: pointers to names would have to be relocated at each start of the program.
#![forbid(unsafe_code)]

use super::abi::Abi;

const TEXT: &str = include_str!("syscalls.txt");
const LINES: usize = count_lines(TEXT.as_bytes());
/// Where each line begins.
static STARTS: [u16; LINES] = starts(TEXT.as_bytes());

const fn count_lines(text: &[u8]) -> usize {
    assert!(text.len() <= u16::MAX as usize);
    let (mut at, mut lines) = (0, 0);
    while at < text.len() {
        lines += (text[at] == b'\n') as usize;
        at += 1;
    }
    lines
}

const fn starts(text: &[u8]) -> [u16; LINES] {
    let mut starts = [0; LINES];
    let (mut at, mut line) = (0, 0);
    while at < text.len() {
        if text[at] == b'\n' && line + 1 < LINES {
            line += 1;
            starts[line] = at as u16 + 1;
        }
        at += 1;
    }
    starts
}

/// The numbers of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syscall {
    /// The columns behind the name.
    numbers: &'static str,
}

/// The call of this name; None if no interface has it.
pub(super) fn find(name: &str) -> Option<Syscall> {
    let (text, name) = (TEXT.as_bytes(), name.as_bytes());
    // They end names in the text, where they come before all that names have.
    if name.contains(&b' ') || name.contains(&b'\n') {
        return None;
    }
    let compared = |start: &u16| {
        let line = text.get(usize::from(*start)..).unwrap_or_default();
        let (same_length, rest) = line.split_at_checked(name.len()).unwrap_or((line, &[]));
        same_length.cmp(name).then_with(|| rest.first().cmp(&Some(&b' ')))
    };
    let at = STARTS.binary_search_by(compared).ok()?;
    let numbers = TEXT.get(usize::from(*STARTS.get(at)?) + name.len() + 1..)?;
    Some(Syscall { numbers: numbers.split('\n').next()? })
}

impl Syscall {
    /// The number that a filter sees; None if this interface does not have the call.
    pub(super) fn number(self, abi: Abi) -> Option<u32> {
        let column = match abi {
            Abi::X86_64 => 0,
            Abi::X86 => 1,
            Abi::X32 => 2,
            Abi::Aarch64 => 3,
            Abi::Arm => 4,
        };
        let number: u32 = self.numbers.split(' ').nth(column)?.parse().ok()?;
        Some(number | abi.number_bits())
    }
}

/// All names with their calls, for tests.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, Syscall)> {
    TEXT.lines().filter_map(|line| line.split_once(' ')).map(|(name, numbers)| (name, Syscall { numbers }))
}
