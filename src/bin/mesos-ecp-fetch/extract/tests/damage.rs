//! Archives that are damaged, not complete, or no archives.
#![forbid(unsafe_code)]

use std::io::Write;

use super::archives::{Tar, Zipped, gzip, zip};
use super::*;

fn sample() -> Vec<u8> {
    // Not compressible, so that each kind of compression has something to damage.
    let mut state: u32 = 1;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + (state >> 24) as u8 % 64)
    });
    let noise: String = noise.take(20_000).collect();
    Tar::new().directory("d", 0o755).file("d/f", &noise).symlink("l", "d/f").end()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

#[test]
fn several_streams_in_a_row() {
    let plain = sample();
    let (first, second) = plain.split_at(plain.len() / 3);
    for compress in [gzip, bzip2, xz] {
        let host = Host::new();
        host.extract("x.tgz", &[compress(first), compress(second)].concat()).unwrap();
        assert_eq!(host.names(), ["d", "l"]);
    }
}

#[test]
fn what_follows_the_end_of_gzip() {
    for (name, content) in [("x.tgz", sample()), ("x.gz", sample())] {
        for zeros in [1, 512, 200_000] {
            Host::new().extract(name, &[gzip(&content), vec![0; zeros]].concat()).unwrap();
        }
        for garbage in [&b"x"[..], b"\0x", b"\0\x1f\x8b"] {
            let message = Host::new().extract(name, &[&gzip(&content), garbage].concat()).unwrap_err();
            assert!(message.contains("garbage"), "{message}");
        }
        Host::new().extract(name, &[&gzip(&content), &b"\x1fx"[..]].concat()).unwrap_err();
    }
}

#[test]
fn truncated_archives() {
    let plain = sample();
    for (name, whole) in
        [("x.tgz", gzip(&plain)), ("x.tbz2", bzip2(&plain)), ("x.txz", xz(&plain)), ("x.gz", gzip(&plain))]
    {
        for length in [0, 1, 5, 20, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let message = Host::new().extract(name, &whole[..length]).unwrap_err();
            assert!(message.contains(name), "{message}");
        }
    }
    for length in [0, 1, 511, 513, 1024 + 700, plain.len() - 1024 - 512 - 300] {
        let message = Host::new().extract("x.tar", &plain[..length]).unwrap_err();
        assert!(message.contains("not complete"), "{length}: {message}");
    }
    let whole = zip(&[Zipped::deflated("f", &plain), Zipped::new("g", 0o100_644, &plain)]);
    for length in [0, 3, 100, whole.len() / 2, whole.len() - 23, whole.len() - 1] {
        Host::new().extract("x.zip", &whole[..length]).unwrap_err();
    }
}

#[test]
fn a_tar_without_its_end() {
    let host = Host::new();
    host.extract("x.tar", &Tar::new().file("f", "f").unended()).unwrap();
    assert_eq!(host.read("f"), "f");
}

#[test]
fn damaged_archives() {
    let plain = sample();
    for (name, whole) in [("x.tgz", gzip(&plain)), ("x.tbz2", bzip2(&plain)), ("x.txz", xz(&plain))] {
        for at in [whole.len() / 3, whole.len() / 2, whole.len() - 300] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            Host::new().extract(name, &damaged).expect_err(name);
        }
    }
    // The checksum of gzip, behind the end of the archive in it.
    let mut damaged = gzip(&plain);
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    Host::new().extract("x.tgz", &damaged).unwrap_err();
    let mut damaged = plain;
    damaged[512 + 3] ^= 1;
    assert!(Host::new().extract("x.tar", &damaged).unwrap_err().contains("checksum"));
}

#[test]
fn no_archives() {
    for content in [&b"<html>404</html>"[..], &[b'x'; 2000], b"\x28\xb5\x2f\xfd zstd"] {
        for name in ["x.tar", "x.tgz", "x.txz", "x.tbz2", "x.gz", "x.zip"] {
            Host::new().extract(name, content).expect_err(name);
        }
    }
    assert!(Host::new().extract("x.tgz", &[b'x'; 2000]).unwrap_err().contains("no tar archive"));
}

#[test]
fn extensions_without_a_member() {
    refused("x.tar", &Tar::new().file("f", "").pax(&[("path", b"g")]).end());
    let twice = Tar::new().pax(&[("path", b"g")]).pax(&[("path", b"g")]).file("f", "");
    assert!(refused("x.tar", &twice.end()).contains("two headers"));
}
