//! Every unit, every refusal, and that what is printed reads back.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::config::{IdRange, PortRanges, ProjectRange};
use proptest::prelude::*;

#[test]
fn durations_in_every_unit() {
    for (text, nanoseconds) in [
        ("7ns", 7),
        ("7us", 7_000),
        ("500ms", 500_000_000),
        ("15secs", 15_000_000_000),
        ("1.5mins", 90_000_000_000),
        ("2hrs", 7_200_000_000_000),
        ("1days", 86_400_000_000_000),
        ("3weeks", 1_814_400_000_000_000),
        ("0.1secs", 100_000_000),
        (".5secs", 500_000_000),
        ("5.secs", 5_000_000_000),
        ("0ns", 0),
        ("0.9ns", 0),
        ("0.00000000000000000000000001weeks", 0),
        ("9223372036854775807ns", i64::MAX as u64),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
    }
}

#[test]
fn what_is_no_duration() {
    for text in [
        "",
        "15",
        "secs",
        ".secs",
        "1.2.3secs",
        "15 secs",
        " 15secs",
        "15secs ",
        "-1secs",
        "+1secs",
        "1e3secs",
        "nansecs",
        "NaN",
        "infsecs",
        "15s",
        "15Secs",
        "15minutes",
        "1_000ms",
        "٣secs",
    ] {
        assert_eq!(parse_duration(text), Err(ValueError::Duration), "{text:?}");
    }
    for text in ["9223372036854775808ns", "15251weeks", "99999999999999999999999999999999999999999999secs"] {
        assert_eq!(parse_duration(text), Err(ValueError::DurationTooLong), "{text}");
    }
    assert!(parse_duration("15250weeks").is_ok());
}

#[test]
fn durations_are_written_in_the_largest_unit_that_divides() {
    for (milliseconds, text) in [(15_000, "15secs"), (60_000, "1mins"), (500, "500ms"), (90_000, "90secs")] {
        assert_eq!(print_duration(Duration::from_millis(milliseconds)), text);
    }
    assert_eq!(print_duration(Duration::from_secs(7 * 86_400)), "1weeks");
    assert_eq!(print_duration(Duration::ZERO), "0ns");
    // Longer than what is parsed, still no overflow.
    assert!(print_duration(Duration::MAX).ends_with("ns"));
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("0B", 0),
        ("12B", 12),
        ("37500KB", 38_400_000),
        ("32MB", 33_554_432),
        ("1GB", 1 << 30),
        ("2TB", 2 << 40),
        ("18446744073709551615B", u64::MAX),
    ] {
        assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
    }
    for text in ["", "12", "MB", "1.5MB", "-1MB", "1 MB", "1mb", "1PB", "1KiB", "0x1MB"] {
        assert_eq!(parse_bytes(text), Err(ValueError::Bytes), "{text:?}");
    }
    for text in ["16777216TB", "18446744073709551616B", "99999999999999999999999999999999999999999999B"] {
        assert_eq!(parse_bytes(text), Err(ValueError::BytesTooLarge), "{text}");
    }
    assert_eq!(print_bytes(32 << 20), "32MB");
    assert_eq!(print_bytes(1536 << 10), "1536KB");
    assert_eq!(print_bytes(0), "0B");
}

#[test]
fn booleans() {
    assert_eq!((parse_bool("true"), parse_bool("1")), (Ok(true), Ok(true)));
    assert_eq!((parse_bool("false"), parse_bool("0")), (Ok(false), Ok(false)));
    for text in ["", "True", "yes", "2", " true"] {
        assert_eq!(parse_bool(text), Err(ValueError::Bool), "{text:?}");
    }
}

#[test]
fn the_messages_list_every_unit() {
    for (error, units) in [(ValueError::Duration, DURATION_UNITS), (ValueError::Bytes, BYTES_UNITS)] {
        let message = error.to_string();
        assert!(units.iter().all(|(unit, _)| message.contains(&format!(" {unit}"))), "{message}");
    }
}

proptest! {
    #[test]
    fn a_printed_duration_reads_back(count in 0..=i64::MAX as u64, unit in 0..DURATION_UNITS.len()) {
        let scale = u64::try_from(DURATION_UNITS[unit].1).unwrap();
        let duration = Duration::from_nanos(count / scale * scale);
        prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
    }

    #[test]
    fn a_printed_size_reads_back(count: u64, unit in 0..BYTES_UNITS.len()) {
        let scale = u64::try_from(BYTES_UNITS[unit].1).unwrap();
        let bytes = count / scale * scale;
        prop_assert_eq!(parse_bytes(&print_bytes(bytes)), Ok(bytes));
    }

    #[test]
    fn a_decimal_fraction_is_exact(whole in 0..10_000_u64, thousandths in 0..1000_u64) {
        let text = format!("{whole}.{thousandths:03}secs");
        prop_assert_eq!(parse_duration(&text), Ok(Duration::from_millis(whole * 1000 + thousandths)));
    }

    #[test]
    fn printed_ranges_read_back(
        ports in prop::collection::vec((any::<u16>(), any::<u16>()), 1..6),
        ids in prop::collection::vec((1..=u32::MAX, 1..=u32::MAX), 1..6),
        (first, size) in (65536..u32::MAX - 65536, 1..65536_u32),
    ) {
        fn ordered<T: Ord + std::fmt::Display>((a, b): (T, T)) -> String {
            let (first, last) = if a <= b { (a, b) } else { (b, a) };
            format!("{first}-{last}")
        }
        let text = |all: Vec<String>| format!("[{}]", all.join(","));
        let ports = text(ports.into_iter().map(ordered).collect());
        prop_assert_eq!(PortRanges::parse_any(&ports).unwrap().to_string(), ports);
        let ids = text(ids.into_iter().map(ordered).collect());
        prop_assert_eq!(ProjectRange::parse(&ids).unwrap().to_string(), ids);
        let range = IdRange { first, size };
        prop_assert_eq!(IdRange::parse(&range.to_string()), Ok(range));
    }

    #[test]
    fn nothing_makes_the_parsers_panic(text in "\\PC*", number in "[0-9.]{0,60}", unit in "[a-zA-Z]{1,5}") {
        for text in [text, format!("{number}{unit}")] {
            let _ = (parse_duration(&text), parse_bytes(&text), parse_bool(&text));
        }
    }
}
