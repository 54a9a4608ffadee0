//! Little archives that would become a lot.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use super::archives::{Tar, Zipped, gzip, zip};
use super::*;

const SMALL: Limits = Limits { bytes: 1 << 20, entries: 100 };

fn bomb(name: &str, archive: &[u8]) -> String {
    let host = Host::new();
    let message = host.extract_within(name, archive, &SMALL).expect_err("it was extracted");
    let size: u64 = snapshot(&host.path("box")).iter().map(|line| line.len() as u64).sum();
    assert!(size <= 2 * SMALL.bytes, "{size} bytes were written");
    message
}

#[test]
fn bytes_are_limited() {
    let large = vec![0; 3 << 20];
    let tar = Tar::new().member(b'0', 0o644, b"bomb", b"", &large).end();
    let half = vec![b'h'; 600 << 10];
    let two = Tar::new().member(b'0', 0o644, b"one", b"", &half).member(b'0', 0o644, b"bomb", b"", &half).end();
    // Content that nothing is made of: it costs time.
    let unused = Tar::new().member(b'V', 0o644, b"bomb", b"", &large).end();
    for (name, archive) in [
        ("x.tgz", gzip(&tar)),
        ("x.tar", tar),
        ("x.tgz", gzip(&two)),
        ("x.tgz", gzip(&unused)),
        ("bomb.gz", gzip(&large)),
        ("x.zip", zip(&[Zipped::deflated("bomb", &large)])),
        ("x.zip", zip(&[Zipped { size: 5, ..Zipped::new("bomb", 0o100_644, &large) }])),
        ("x.zip", zip(&[Zipped::deflated("one", &half), Zipped::deflated("bomb", &half)])),
    ] {
        let message = bomb(name, &archive);
        // One that lies of its size is found out before.
        let lying = message.contains("size") || message.contains("checksum");
        let told = message.contains("--fetcher_size_limit") && message.contains("1048576");
        assert!(told || lying && name == "x.zip", "{message}");
    }
    let host = Host::new();
    host.extract_within("x.tar", &Tar::new().member(b'0', 0o644, b"f", b"", &vec![0; 1 << 20]).end(), &SMALL).unwrap();
}

#[test]
fn holes_count() {
    for (at, length) in [(1u64 << 40, 512), (2 << 20, 0)] {
        let mut header = ::tar::Header::new_gnu();
        header.set_entry_type(::tar::EntryType::GNUSparse);
        header.set_path("bomb").unwrap();
        header.set_size(length);
        header.as_gnu_mut().unwrap().set_real_size(at + length);
        let sparse = &mut header.as_gnu_mut().unwrap().sparse[0];
        // As eight bytes: that is more than the field holds in octal digits.
        for (field, value) in [(&mut sparse.offset, at), (&mut sparse.numbytes, length)] {
            field[0] = 0x80;
            field[4..].copy_from_slice(&value.to_be_bytes());
        }
        let archive = Tar::new().header(header).content(&vec![b'x'; length as usize]).end();
        assert!(bomb("x.tar", &archive).contains("--fetcher_size_limit"));
    }
}

#[test]
fn maps_of_sparse_files_that_lie() {
    let size: &[u8] = b"4096";
    for map in [&b"0,100,50,100"[..], b"4000,200", b"18446744073709551615,1", b"0,1", b"1000,100,0,100", b"1,x", b"1"] {
        let tar = Tar::new().pax(&[("GNU.sparse.size", size), ("GNU.sparse.map", map)]).file("f", &"x".repeat(200));
        refused("x.tar", &tar.end());
    }
    // Version 1, with the map before the data.
    let version = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", size)];
    for map in ["99999999\n", "1\n0\n", "x\n", "1\n0\n5000\n", "111111111111111111111111111\n", "2\n0\n1\n0\n1\n"] {
        let mut content = map.as_bytes().to_vec();
        content.resize(512, 0);
        let tar = Tar::new().pax(&version).member(b'0', 0o644, b"f", b"", &content);
        refused("x.tar", &tar.end());
    }
    refused("x.tar", &Tar::new().pax(&version).file("f", "").end());
}

#[test]
fn maps_of_sparse_files_without_end() {
    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(::tar::EntryType::GNUSparse);
    header.set_path("f").unwrap();
    header.set_size(0);
    header.as_gnu_mut().unwrap().isextended = [1];
    let mut block = ::tar::GnuExtSparseHeader::new();
    block.isextended = [1];
    let tar = Tar::new().header(header).content(&block.as_bytes().repeat(1000)).unended();
    assert!(refused("x.tar", &tar).contains("nothing in it"));
}

/// 2^20 members, by its word, in a directory that is a hole.
#[test]
fn members_that_a_zip_archive_says_it_has() {
    let (count, start) = (1u64 << 20, 1u64 << 20);
    let mut end = b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0".to_vec();
    end.extend_from_slice(&[count, count, 46 * count, start].map(u64::to_le_bytes).concat());
    let at = start + 46 * count;
    end.extend_from_slice(&[&b"PK\x06\x07\0\0\0\0"[..], &at.to_le_bytes(), &[1, 0, 0, 0]].concat());
    end.extend_from_slice(&[&b"PK\x05\x06\0\0\0\0"[..], &[0xff; 12], &[0, 0]].concat());
    let mut file = tempfile::tempfile().unwrap();
    file.seek(io::SeekFrom::Start(at)).unwrap();
    file.write_all(&end).unwrap();
    let sandbox = File::open(Host::new().path("box")).unwrap();
    let message = extract(&file, Kind::Zip, "x.zip", &sandbox, None, &SMALL).unwrap_err().to_string();
    assert!(message.contains("more than 100 members"), "{message}");
}

#[test]
fn entries_are_limited() {
    let names: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    let tar = names.iter().fold(Tar::new(), |tar, name| tar.file(name, ""));
    let zipped: Vec<Zipped> = names.iter().map(|name| Zipped::new(name, 0o100_644, b"")).collect();
    for (name, archive) in [("x.tar", tar.end()), ("x.zip", zip(&zipped))] {
        assert!(bomb(name, &archive).contains("more than 100 members"));
    }
    assert!(bomb("x.tar", &(0..101).fold(Tar::new(), |tar, _| tar.file("same", "")).end()).contains("100 members"));
    let host = Host::new();
    host.extract_within("x.zip", &zip(&zipped[..100]), &SMALL).unwrap();
    assert_eq!(host.names().len(), 100);
}

#[test]
fn paths_are_limited() {
    let deep = "d/".repeat(600);
    assert!(
        bomb("x.tar", &Tar::new().pax(&[("path", deep.as_bytes())]).file("f", "").end()).contains("512 directories")
    );
    let long = "long-name/".repeat(500);
    assert!(bomb("x.tar", &Tar::new().pax(&[("path", long.as_bytes())]).file("f", "").end()).contains("4095"));
    let host = Host::new();
    let deep = "d/".repeat(511) + "f";
    host.extract("x.tar", &Tar::new().pax(&[("path", deep.as_bytes())]).file("f", "deep").end()).unwrap();
    assert_eq!(host.read(&deep), "deep");
}

#[test]
fn headers_are_limited() {
    let huge = vec![b'x'; 2 << 20];
    for kind in [b'x', b'L', b'K'] {
        let tar = Tar::new().member(kind, 0o644, b"header", b"", &huge).file("f", "");
        assert!(refused("x.tar", &tar.end()).contains("read into memory"));
    }
    // On the word of its size alone nothing is set aside.
    let mut header = ::tar::Header::new_ustar();
    header.as_old_mut().linkflag = *b"x";
    header.set_size(1 << 60);
    assert!(refused("x.tar", &Tar::new().header(header).content(b"").end()).contains("read into memory"));
}

#[test]
fn memory_for_xz_is_limited() {
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    writer.write_all(&Tar::new().file("f", "f").end()).unwrap();
    let mut archive = writer.finish().unwrap();
    Host::new().extract("x.txz", &archive).unwrap();
    // Stream header: 12 bytes. Block header: size, flags, filter 0x21, one byte of properties, the dictionary's size.
    assert_eq!(archive[14..16], [0x21, 1]);
    // 2^30 bytes.
    archive[16] = 36;
    let length = (usize::from(archive[12]) + 1) * 4;
    let mut crc = flate2::Crc::new();
    crc.update(&archive[12..12 + length - 4]);
    archive[12 + length - 4..12 + length].copy_from_slice(&crc.sum().to_le_bytes());
    let message = Host::new().extract("x.txz", &archive).unwrap_err();
    assert!(message.contains("memory"), "{message}");
}
