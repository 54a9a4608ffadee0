//! Every wire type, and every way to get one wrong.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn fields(bytes: &[u8]) -> Result<Vec<Found>, Fault> {
    let mut cursor = Cursor::new(bytes, 0..bytes.len());
    let mut found = Vec::new();
    while let Some(field) = cursor.next_field()? {
        found.push(field);
    }
    Ok(found)
}

fn fault(bytes: &[u8]) -> (usize, &'static str) {
    let fault = fields(bytes).unwrap_err();
    (fault.offset, fault.reason)
}

#[test]
fn every_wire_type_is_stepped_over() {
    let bytes = b"\x08\x96\x01\x11\0\0\0\0\0\0\0\0\x1a\x02hi\x23\x2b\x08\x01\x2c\x24\x35\0\0\0\0";
    let found = fields(bytes).unwrap();
    let seen: Vec<_> = found.iter().map(|field| (field.at, field.number, field.wire, field.value.clone())).collect();
    assert_eq!(
        seen,
        [
            (0, 1, WireType::Varint, 1..3),
            (3, 2, WireType::SixtyFour, 4..12),
            (12, 3, WireType::Length, 14..16),
            (16, 4, WireType::GroupStart, 17..21),
            (22, 6, WireType::ThirtyTwo, 23..27),
        ]
    );
}

#[test]
fn faults_say_where_and_what() {
    assert_eq!(fault(b"\x08\x01\x00\x00"), (2, "a field has number 0"));
    assert_eq!(fault(b"\x0e"), (0, "there is no such wire type"));
    assert_eq!(fault(b"\x0f"), (0, "there is no such wire type"));
    assert_eq!(fault(b"\x88"), (0, "a number is cut short"));
    assert_eq!(fault(b"\x08\x80"), (1, "a number is cut short"));
    assert_eq!(fault(b"\x08"), (1, "a number is cut short"));
    assert_eq!(fault(b"\x88\x80\x80\x80\x10"), (0, "a field number is too large"));
    assert_eq!(fault(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), (1, "a number is longer than 64 bits"));
    assert_eq!(fault(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), (1, "a number is longer than 64 bits"));
    assert_eq!(fault(b"\x0a\x02x"), (1, "a value is longer than what is left"));
    assert_eq!(fault(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), (1, "a value is longer than what is left"));
    assert_eq!(fault(b"\x09\0\0\0"), (1, "a value is longer than what is left"));
    assert_eq!(fault(b"\x0c"), (0, "a group ends that did not begin"));
    assert_eq!(fault(b"\x0b\x14"), (1, "a group ends that did not begin"));
    assert_eq!(fault(b"\x08\x01\x0b"), (2, "a group does not end"));
}

#[test]
fn the_largest_number_is_read() {
    assert_eq!(fields(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").unwrap()[0].value, 1..11);
}

#[test]
fn groups_nest_to_a_bound() {
    let nested = |depth: usize| [vec![0x0b; depth], vec![0x0c; depth]].concat();
    assert_eq!(fields(&nested(DEPTH_LIMIT)).unwrap().len(), 1);
    assert_eq!(fault(&nested(DEPTH_LIMIT + 1)), (DEPTH_LIMIT, "groups are nested too deep"));
    assert_eq!(fault(&vec![0x0b; 1 << 20]).1, "groups are nested too deep");
}

/// As protobuf writes it.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

proptest! {
    #[test]
    fn fields_are_found_where_they_were_put(
        fields_put in prop::collection::vec((1..1_u32 << 29, 0..5_u8, any::<u64>(), prop::collection::vec(any::<u8>(), 0..200)), 0..30),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (number, kind, value, content) in fields_put {
            let at = bytes.len();
            let tag = |wire: u64| varint(u64::from(number) << 3 | wire);
            let (wire, head, value) = match kind {
                0 => (WireType::Varint, tag(0), varint(value)),
                1 => (WireType::SixtyFour, tag(1), value.to_le_bytes().to_vec()),
                2 => (WireType::Length, [tag(2), varint(content.len() as u64)].concat(), content),
                3 => (WireType::ThirtyTwo, tag(5), (value as u32).to_le_bytes().to_vec()),
                _ => (WireType::GroupStart, tag(3), [varint(8), varint(value)].concat()),
            };
            bytes.extend(head);
            let start = bytes.len();
            bytes.extend(value);
            expected.push(Found { at, number, wire, value: start..bytes.len() });
            if kind > 3 {
                bytes.extend(tag(4));
            }
        }
        prop_assert_eq!(fields(&bytes), Ok(expected));
        for end in 0..bytes.len() {
            let _ = fields(&bytes[..end]);
        }
    }
}
