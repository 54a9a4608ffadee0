//! Makes archives, byte by byte where no honest program would make them.
#![forbid(unsafe_code)]

use std::io::Write;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

/// A tar archive that is being made. Names may be anything of up to 100 bytes.
#[derive(Clone, Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn member(mut self, kind: u8, mode: u32, name: &[u8], link: &[u8], content: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.as_old_mut().linkflag = [kind];
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_mtime(1_000_000_000);
        self.header(header).content(content)
    }

    pub(super) fn header(&mut self, mut header: tar::Header) -> &mut Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    pub(super) fn content(&mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        std::mem::take(self)
    }

    pub(super) fn file(self, name: &str, content: &str) -> Self {
        self.member(b'0', 0o644, name.as_bytes(), b"", content.as_bytes())
    }

    pub(super) fn directory(self, name: &str, mode: u32) -> Self {
        self.member(b'5', mode, name.as_bytes(), b"", b"")
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.member(b'2', 0o777, name.as_bytes(), target.as_bytes(), b"")
    }

    pub(super) fn hard_link(self, name: &str, source: &str) -> Self {
        self.member(b'1', 0o644, name.as_bytes(), source.as_bytes(), b"")
    }

    /// With records of pax for the next member.
    pub(super) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length += 1;
            }
            content.extend_from_slice(format!("{length} {key}=").as_bytes());
            content.extend_from_slice(value);
            content.push(b'\n');
        }
        self.member(b'x', 0o644, b"pax", b"", &content)
    }

    pub(super) fn unended(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A member of a zip archive: what its headers say, and its content as it is stored.
#[derive(Clone)]
pub(super) struct Zipped {
    pub(super) name: Vec<u8>,
    /// System and version that it was made by: 3 in the high byte is Unix.
    pub(super) made_by: u16,
    pub(super) mode: u32,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) size: u32,
    pub(super) crc: u32,
    pub(super) stored: Vec<u8>,
    /// Whether its central header tells of the local header before, which is another member's.
    pub(super) shares: bool,
}

impl Zipped {
    pub(super) fn new(name: &str, mode: u32, content: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        Self {
            name: name.as_bytes().to_vec(),
            made_by: 0x0314,
            mode,
            flags: 0,
            method: 0,
            size: content.len() as u32,
            crc: crc.sum(),
            stored: content.to_vec(),
            shares: false,
        }
    }

    pub(super) fn deflated(name: &str, content: &[u8]) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        Self { method: 8, stored: encoder.finish().unwrap(), ..Self::new(name, 0o100_644, content) }
    }

    /// What both headers have, from the flags to the length of the extra field.
    fn common(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for short in [self.flags, self.method, 0, 0x2821] {
            bytes.extend_from_slice(&short.to_le_bytes());
        }
        for long in [self.crc, self.stored.len() as u32, self.size] {
            bytes.extend_from_slice(&long.to_le_bytes());
        }
        bytes.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&0u16.to_le_bytes());
        bytes
    }
}

pub(super) fn zip(members: &[Zipped]) -> Vec<u8> {
    let (mut bytes, mut directory, mut start) = (Vec::new(), Vec::new(), 0);
    for member in members {
        if !member.shares {
            start = bytes.len() as u32;
            bytes.extend_from_slice(b"PK\x03\x04\x14\0");
            bytes.extend_from_slice(&member.common());
            bytes.extend_from_slice(&member.name);
            bytes.extend_from_slice(&member.stored);
        }
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&member.made_by.to_le_bytes());
        directory.extend_from_slice(b"\x14\0");
        directory.extend_from_slice(&member.common());
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(member.mode << 16).to_le_bytes());
        directory.extend_from_slice(&start.to_le_bytes());
        directory.extend_from_slice(&member.name);
    }
    let (at, count) = (bytes.len() as u32, members.len() as u16);
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend_from_slice(&[(directory.len() as u32).to_le_bytes(), at.to_le_bytes()].concat());
    bytes.extend_from_slice(b"\0\0");
    bytes
}
