//! What `--cgroups_blkio_throttle` says: `MAJOR:MINOR KEY=VALUE [KEY=VALUE]...`, several devices with semicolons between.
#![forbid(unsafe_code)]

use crate::config::values::parse_bytes;

/// What is limited, by its name in the flag and in v2's io.max.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Bytes read a second.
    Rbps,
    /// Bytes written a second.
    Wbps,
    /// Reads a second.
    Riops,
    /// Writes a second.
    Wiops,
}

impl Key {
    const ALL: [Key; 4] = [Key::Rbps, Key::Wbps, Key::Riops, Key::Wiops];

    fn name(self) -> &'static str {
        match self {
            Key::Rbps => "rbps",
            Key::Wbps => "wbps",
            Key::Riops => "riops",
            Key::Wiops => "wiops",
        }
    }

    /// The control file of v1.
    pub(super) fn v1_file(self) -> &'static str {
        match self {
            Key::Rbps => "blkio.throttle.read_bps_device",
            Key::Wbps => "blkio.throttle.write_bps_device",
            Key::Riops => "blkio.throttle.read_iops_device",
            Key::Wiops => "blkio.throttle.write_iops_device",
        }
    }
}

/// The limits of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Throttle {
    /// `MAJOR:MINOR`.
    pub(super) device: String,
    /// At least one, none twice; none is 0.
    pub(super) limits: Vec<(Key, u64)>,
}

impl Throttle {
    /// As io.max takes it.
    pub(super) fn as_io_max(&self) -> String {
        let limits: String = self.limits.iter().map(|(key, value)| format!(" {}={value}", key.name())).collect();
        format!("{}{limits}", self.device)
    }
}

/// Reads the flag's value; the error is what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Throttle>, String> {
    let mut throttles: Vec<Throttle> = Vec::new();
    for entry in text.split(';') {
        let throttle = parse_device(entry)?;
        if throttles.iter().any(|t| t.device == throttle.device) {
            return Err(format!("the device {} is in it twice", throttle.device));
        }
        throttles.push(throttle);
    }
    Ok(throttles)
}

fn parse_device(entry: &str) -> Result<Throttle, String> {
    let mut words = entry.split_ascii_whitespace();
    let device = words.next().ok_or("there is no device between two semicolons, or at an end")?;
    let numbers = device.split_once(':').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
    let Some((major, minor)) = numbers.filter(|(major, minor)| [*major, *minor].iter().all(|n| *n <= u32::MAX.into()))
    else {
        return Err(format!("\"{}\" is no device; it is MAJOR:MINOR, as 8:0", device.escape_default()));
    };
    let mut limits: Vec<(Key, u64)> = Vec::new();
    for word in words {
        let limit = parse_limit(word).map_err(|why| format!("\"{}\": {why}", word.escape_default()))?;
        if limits.iter().any(|(key, _)| *key == limit.0) {
            return Err(format!("\"{}\": the device {device} has this limit already", word.escape_default()));
        }
        limits.push(limit);
    }
    match limits.is_empty() {
        true => Err(format!("there is no limit for the device {device}")),
        false => Ok(Throttle { device: format!("{major}:{minor}"), limits }),
    }
}

fn parse_limit(word: &str) -> Result<(Key, u64), String> {
    let (name, value) = word.split_once('=').ok_or("a limit is KEY=VALUE, as rbps=10MB")?;
    let key = Key::ALL.into_iter().find(|key| key.name() == name);
    let key = key.ok_or("the limits are rbps, wbps, riops and wiops")?;
    let value = match key {
        Key::Rbps | Key::Wbps => parse_bytes(value).map_err(|e| e.to_string())?,
        // The kernel's own are 32 bits.
        Key::Riops | Key::Wiops => number(value)
            .filter(|n| *n <= u32::MAX.into())
            .ok_or("operations a second are a whole number below 2^32")?,
    };
    // To the kernel, 0 is "no limit" in v1 and an error in v2.
    if value == 0 { Err("a limit is at least 1".into()) } else { Ok((key, value)) }
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn devices_and_limits() {
        let throttles = parse("8:0 rbps=10MB wiops=100; 007:1  wbps=1MB riops=4294967295").unwrap();
        assert_eq!(throttles[0].limits, [(Key::Rbps, 10 << 20), (Key::Wiops, 100)]);
        assert_eq!(throttles[0].as_io_max(), "8:0 rbps=10485760 wiops=100");
        assert_eq!(throttles[1].as_io_max(), "7:1 wbps=1048576 riops=4294967295");
    }

    #[test]
    fn all_else_is_refused_with_what_is_wrong() {
        for (text, word) in [
            ("", "no device"),
            ("8:0 rbps=1MB;", "no device"),
            ("8:0", "no limit for the device 8:0"),
            ("sda rbps=1MB", "\"sda\" is no device"),
            ("8 rbps=1MB", "\"8\" is no device"),
            ("8:+0 rbps=1MB", "no device"),
            ("8:4294967296 rbps=1MB", "no device"),
            ("rbps=1MB", "\"rbps=1MB\" is no device"),
            ("8:0 rbps", "KEY=VALUE"),
            ("8:0 rbps=1000", "a size is"),
            ("8:0 rbps=0B", "at least 1"),
            ("8:0 rbps=max", "a size is"),
            ("8:0 riops=1KB", "whole number"),
            ("8:0 riops=4294967296", "below 2^32"),
            ("8:0 riops=0", "at least 1"),
            ("8:0 bps=1MB", "the limits are"),
            ("8:0 rbps=1MB rbps=2MB", "already"),
            ("8:0 rbps=1MB; 8:00 wbps=2MB", "twice"),
            ("8:0 rbps=1MB, 8:1 rbps=1MB", "a size is"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
