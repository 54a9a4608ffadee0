//! Extended headers of pax: records `LENGTH KEY=VALUE\n`, where a value may hold anything.
#![forbid(unsafe_code)]

use nix::sys::time::TimeSpec;

use super::sparse::{Segment, Source};

/// What is used of an extended header.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<TimeSpec>,
    pub(super) sparse: Option<Source>,
}

/// The records of GNU tar about a sparse file, of which there are three versions.
#[derive(Default)]
struct Sparse {
    version_1: bool,
    name: Option<Vec<u8>>,
    length: Option<u64>,
    segments: Vec<Segment>,
    offset: u64,
}

impl Pax {
    /// # Errors
    /// What is wrong with the records, for a message.
    pub(super) fn parse(mut records: &[u8]) -> Result<Self, &'static str> {
        let mut pax = Self::default();
        let mut sparse: Option<Sparse> = None;
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or("a pax header has a record of a wrong length")?;
            records = rest;
            match key {
                b"path" => pax.path = some(value),
                b"linkpath" => pax.link = some(value),
                b"size" => pax.size = Some(number(value)?),
                b"mtime" => pax.modified = time(value),
                _ => {
                    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                        sparse.get_or_insert_default().set(key, value)?;
                    }
                }
            }
        }
        if let Some(sparse) = sparse {
            let length = sparse.length.ok_or("the pax header of a sparse file does not say its size")?;
            pax.sparse = Some(if sparse.version_1 {
                Source::BeforeData { length }
            } else {
                Source::Header { length, segments: sparse.segments }
            });
            // The other one is of a directory that never was.
            pax.path = sparse.name.or(pax.path);
        }
        Ok(pax)
    }
}

impl Sparse {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            b"major" => match number(value)? {
                major @ (0 | 1) => self.version_1 = major == 1,
                _ => return Err("it has a sparse file of a version that is not known"),
            },
            b"name" => self.name = some(value),
            b"size" | b"realsize" => self.length = Some(number(value)?),
            b"offset" => self.offset = number(value)?,
            b"numbytes" => self.segments.push(Segment { offset: self.offset, length: number(value)? }),
            b"map" => {
                let mut numbers = value.split(|&byte| byte == b',');
                while let Some(offset) = numbers.next() {
                    let length = numbers.next().ok_or("the map of a sparse file has an odd number of numbers")?;
                    self.segments.push(Segment { offset: number(offset)?, length: number(length)? });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first record's key and value, and what follows it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let digits = records.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(number(&records[..digits]).ok()?).ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let content = record.get(digits + 1..)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|&byte| byte == b'=')?;
    Some((&content[..equals], &content[equals + 1..], rest))
}

/// An empty value says that there is none.
fn some(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

pub(super) fn number(text: &[u8]) -> Result<u64, &'static str> {
    let number = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.and_then(|text| text.parse().ok()).ok_or("a pax header has something else where a number should be")
}

/// Seconds since 1970, with a sign and a fraction, perhaps.
fn time(text: &[u8]) -> Option<TimeSpec> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds: i64 = whole.parse().ok()?;
    Some(match whole.starts_with('-') && nanoseconds > 0 {
        true => TimeSpec::new(seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds),
        false => TimeSpec::new(seconds, nanoseconds),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn values_may_hold_anything() {
        let pax = Pax::parse(b"12 path=a\nb\n18 SCHILY.x=\n\n=\0\xff\n22 mtime=1700000000.5\n9 size=8\n").unwrap();
        assert_eq!(pax.path.unwrap(), b"a\nb");
        assert_eq!(pax.modified.unwrap(), TimeSpec::new(1_700_000_000, 500_000_000));
        assert_eq!(pax.size, Some(8));
    }

    #[test]
    fn times() {
        for (text, seconds, nanoseconds) in [
            ("1", 1, 0),
            ("1.000000001", 1, 1),
            ("-1.25", -2, 750_000_000),
            ("-3", -3, 0),
            ("5.1234567891", 5, 123_456_789),
        ] {
            assert_eq!(time(text.as_bytes()), Some(TimeSpec::new(seconds, nanoseconds)), "{text}");
        }
        for text in ["", "x", "1.x", "99999999999999999999", "1.\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn damaged_headers_are_refused() {
        for records in [
            &b"12 path=a\n"[..],
            b"8 path=a\n",
            b"path=a\n",
            b"99999999999999999999999 path=a\n",
            b"0 path=a\n",
            b"4 x\n",
            b"10 size=x\n\n",
            b"10 size=-1\n",
            b"\0\0",
        ] {
            assert!(Pax::parse(records).is_err(), "{:?}", String::from_utf8_lossy(records));
        }
    }
}
