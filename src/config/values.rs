//! Mesos's way of writing durations, sizes and booleans.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::capability::CapabilityError;
use super::rlimit::LimitError;

/// Units of durations and their nanoseconds, from the smallest to the largest.
const DURATION_UNITS: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("secs", 1_000_000_000),
    ("mins", 60_000_000_000),
    ("hrs", 3_600_000_000_000),
    ("days", 86_400_000_000_000),
    ("weeks", 604_800_000_000_000),
];

/// Units of sizes and their bytes, from the smallest to the largest.
const BYTES_UNITS: &[(&str, u128)] = &[("B", 1), ("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];

/// Why a text is no value of the wanted kind. The message names neither flag nor value: whoever asked knows them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a number directly followed by a unit of time.
    #[error(
        "a duration is a number and a unit without a space, as 15secs or 1.5mins; the units are \
         ns, us, ms, secs, mins, hrs, days, weeks"
    )]
    Duration,
    /// More than 64 bits of nanoseconds.
    #[error("the duration is too long; the longest is about 292 years, 15250weeks")]
    DurationTooLong,
    /// Not a whole number directly followed by a unit of size.
    #[error(
        "a size is a whole number and a unit without a space, as 37500KB; the units are B, KB, MB, GB, TB \
         (powers of 1024)"
    )]
    Bytes,
    /// More than 64 bits of bytes.
    #[error("the size is too large; sizes are below 2^64 bytes, 16777216TB")]
    BytesTooLarge,
    /// None of the four words.
    #[error("a boolean is true, false, 1 or 0")]
    Bool,
    /// Not a positive whole number, or too large.
    #[error("it is a whole number from 1 to 18446744073709551615")]
    Number,
    /// Neither of the two things that can be process 1.
    #[error("process 1 is executor or init")]
    Pid1,
    /// No launcher's name.
    #[error("the launchers are linux and posix")]
    Launcher,
    /// Neither of the two.
    #[error("it is user or root")]
    FetchAs,
    /// No range of ids, or of ids that are others'.
    #[error("it is the first and the last id, as 524288-589823, none of them below 65536 or above 4294967294")]
    IdRange,
    /// No ranges of numbers, or one with 0 in it.
    #[error("it is ranges of whole numbers from 1 to 4294967295, as [5000-10000]")]
    ProjectRange,
    /// No ranges of ports, or one with 0 in it.
    #[error("it is ranges of ports from 1 to 65535, as [32768-57344]")]
    PortRanges,
    /// No number that blocks of ports can have.
    #[error("it is a power of two from 16 to 32768")]
    PortsPerContainer,
    /// Nothing that a link can be called.
    #[error("it is the name of a link, of 1 to 15 characters")]
    Link,
    /// Nothing would ever be sent.
    #[error("it is more than zero")]
    NoRate,
    /// No ranges of ports, of which 0 may be one.
    #[error("it is ranges of ports from 0 to 65535, as [31000-32000]")]
    AnyPortRanges,
    /// Too short for something that is done again and again.
    #[error("a shorter time than {} would keep a processor busy with it", print_duration(*.0))]
    TooOften(Duration),
    /// Neither of the two.
    #[error("it is record or json")]
    Format,
    /// No set of capabilities.
    #[error(transparent)]
    Capabilities(#[from] CapabilityError),
    /// No list of limits.
    #[error(transparent)]
    Limits(#[from] LimitError),
    /// No umask.
    #[error("it is a number in octal from 0 to 777, as 022")]
    Umask,
    /// No such score.
    #[error("it is a whole number from -1000 to 1000")]
    OomScoreAdj,
    /// Nothing that can stand below a mount point.
    #[error("it is a path below the hierarchies' mount points, as mesos or mesos/agent1, without \"..\"")]
    CgroupsRoot,
    /// No name of a slice.
    #[error("it is the name of a slice without slashes, as mesos_executors.slice, or none")]
    Slice,
}

/// Reads a duration as Mesos writes it: digits, perhaps with a decimal point, directly followed by one of `ns us ms secs
/// mins hrs days weeks`. What is finer than a nanosecond is cut off.
///
/// # Errors
/// [`ValueError::Duration`] for anything else (signs, exponents, spaces, `nan`, a bare number), and
/// [`ValueError::DurationTooLong`] above 2^63-1 ns.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let (number, unit) = split_at_unit(text);
    let scale = scale_of(unit, DURATION_UNITS).ok_or(ValueError::Duration)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(ValueError::Duration);
    }
    // Whole numbers throughout, so that 0.1secs is exactly 100ms. Digits after the 18th are less than a nanosecond
    // of any unit.
    let fraction = &fraction[..fraction.len().min(18)];
    let parts = digits(fraction).unwrap_or(0) * scale / 10_u128.pow(fraction.len() as u32);
    digits(whole)
        .and_then(|whole| whole.checked_mul(scale)?.checked_add(parts))
        .and_then(|nanoseconds| i64::try_from(nanoseconds).ok())
        .map(|nanoseconds| Duration::from_nanos(nanoseconds.unsigned_abs()))
        .ok_or(ValueError::DurationTooLong)
}

/// Writes a duration as Mesos does, in the largest unit that divides it: `15secs`, `1mins`, `1500ms`, `0ns`.
///
/// [`parse_duration`] reads it back to the same value, up to the longest that it takes.
pub fn print_duration(duration: Duration) -> String {
    in_largest_unit(duration.as_nanos(), DURATION_UNITS)
}

/// Reads a size as Mesos writes it, into bytes: digits directly followed by one of `B KB MB GB TB`, powers of 1024.
///
/// # Errors
/// [`ValueError::Bytes`] for anything else (signs, fractions, spaces, a bare number), and
/// [`ValueError::BytesTooLarge`] from 2^64 bytes on.
pub fn parse_bytes(text: &str) -> Result<u64, ValueError> {
    let (number, unit) = split_at_unit(text);
    let scale = scale_of(unit, BYTES_UNITS).ok_or(ValueError::Bytes)?;
    if number.is_empty() || number.contains('.') {
        return Err(ValueError::Bytes);
    }
    digits(number).and_then(|number| u64::try_from(number.checked_mul(scale)?).ok()).ok_or(ValueError::BytesTooLarge)
}

/// Writes a number of bytes as Mesos does, in the largest unit that divides it: `32MB`, `1536KB`, `0B`.
pub fn print_bytes(bytes: u64) -> String {
    in_largest_unit(bytes.into(), BYTES_UNITS)
}

/// Reads a boolean as the agent's flags do: `true`, `false`, `1` or `0`.
///
/// # Errors
/// [`ValueError::Bool`] for anything else.
pub fn parse_bool(text: &str) -> Result<bool, ValueError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ValueError::Bool),
    }
}

/// Digits and points first, the rest second.
fn split_at_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn scale_of(unit: &str, units: &[(&str, u128)]) -> Option<u128> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale)
}

/// The number that a text of nothing but digits stands for, 0 for no digits; absent when too large.
fn digits(text: &str) -> Option<u128> {
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

/// Zero is written in the smallest unit, as Mesos writes it.
fn in_largest_unit(value: u128, units: &[(&str, u128)]) -> String {
    let fits = |(_, scale): &&(&str, u128)| value != 0 && value.is_multiple_of(*scale);
    let (unit, scale) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{}{unit}", value / scale)
}

#[cfg(test)]
mod tests;
