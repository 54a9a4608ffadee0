//! Where the data of a sparse file belongs.
#![forbid(unsafe_code)]

use std::io::{self, Read};

use tar::{GnuExtSparseHeader, GnuHeader, GnuSparseHeader};

use super::pax::number;
use crate::extract::error::Failure;

/// The most pieces of data that one file may have: they are held in memory.
const MOST_SEGMENTS: usize = 1 << 18;

/// A piece of data, where holes are around.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Where the map comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// From headers, which were read.
    Header { length: u64, segments: Vec<Segment> },
    /// It precedes the data: decimal numbers, a line each, the count of segments first, padded to a block.
    BeforeData { length: u64 },
}

/// In order, not overlapping, and within the length.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) length: u64,
    pub(super) segments: Vec<Segment>,
}

/// Reads a header of GNU's own format, and the blocks that continue it.
pub(super) fn of_gnu(header: &GnuHeader, stream: &mut impl Read) -> io::Result<Source> {
    let mut segments = Vec::new();
    add(&mut segments, &header.sparse)?;
    let mut more = header.is_extended();
    while more {
        let mut block = GnuExtSparseHeader::new();
        stream.read_exact(block.as_mut_bytes())?;
        let before = segments.len();
        add(&mut segments, block.sparse())?;
        // There could be any number of these, of which nothing would be limited.
        if segments.len() == before {
            return Err(io::Error::other("the map of a sparse file has a block with nothing in it"));
        }
        more = block.is_extended();
    }
    Ok(Source::Header { length: header.real_size()?, segments })
}

fn add(segments: &mut Vec<Segment>, entries: &[GnuSparseHeader]) -> io::Result<()> {
    for entry in entries.iter().filter(|entry| !entry.is_empty()) {
        if segments.len() >= MOST_SEGMENTS {
            return Err(io::Error::other(TOO_MANY));
        }
        segments.push(Segment { offset: entry.offset()?, length: entry.length()? });
    }
    Ok(())
}

const TOO_MANY: &str = "a sparse file has more pieces than are held in memory (262144)";

impl Source {
    /// The map of a file of which `stored` bytes are in the archive, the map included if it is there.
    pub(super) fn map(&self, stored: u64, stream: &mut impl Read) -> Result<Map, Failure> {
        match self {
            Self::Header { length, segments } => checked(*length, segments.clone(), stored),
            Self::BeforeData { length } => {
                let mut lines = Lines { stream, block: [0; 512], at: 512, left: stored };
                let count = lines.number()?;
                if count > MOST_SEGMENTS as u64 {
                    return Err(Failure::Read(io::Error::other(TOO_MANY)));
                }
                let mut segments = Vec::new();
                for _ in 0..count {
                    segments.push(Segment { offset: lines.number()?, length: lines.number()? });
                }
                checked(*length, segments, lines.left)
            }
        }
    }
}

fn checked(length: u64, segments: Vec<Segment>, stored: u64) -> Result<Map, Failure> {
    let mut end = 0;
    let mut data: u64 = 0;
    for segment in &segments {
        let next = segment.offset.checked_add(segment.length).filter(|&next| next <= length && segment.offset >= end);
        end = next.ok_or_else(|| Failure::refused("is a sparse file whose pieces are out of order or overlap"))?;
        data += segment.length;
    }
    if data != stored {
        return Err(Failure::refused(format!("is a sparse file with {stored} bytes of data, for pieces of {data}")));
    }
    Ok(Map { length, segments })
}

/// Lines with a number each, from blocks.
struct Lines<'s, R> {
    stream: &'s mut R,
    block: [u8; 512],
    at: usize,
    left: u64,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> Result<u64, Failure> {
        let mut digits = Vec::new();
        loop {
            if self.at == self.block.len() {
                let wrong = || Failure::refused("is a sparse file whose map is longer than its content");
                self.left = self.left.checked_sub(self.block.len() as u64).ok_or_else(wrong)?;
                self.stream.read_exact(&mut self.block).map_err(Failure::Read)?;
                self.at = 0;
            }
            let byte = self.block[self.at];
            self.at += 1;
            match byte {
                b'\n' => return number(&digits).map_err(Failure::refused_map),
                // No number is longer than this.
                _ if digits.len() >= 20 => return Err(Failure::refused_map("")),
                _ => digits.push(byte),
            }
        }
    }
}

impl Failure {
    fn refused_map(_: &'static str) -> Self {
        Self::refused("is a sparse file whose map is not one of numbers")
    }
}
