//! Zip archives that are made to do harm.
#![forbid(unsafe_code)]

use std::os::unix::fs::symlink;

use super::archives::{Zipped, zip};
use super::*;

fn file(name: &str) -> Zipped {
    Zipped::new(name, 0o100_644, b"evil")
}

fn link(name: &str, target: &str) -> Zipped {
    Zipped::new(name, 0o120_777, target.as_bytes())
}

fn refused_zip(members: &[Zipped]) -> String {
    refused("x.zip", &zip(members))
}

#[test]
fn names_that_lead_upwards() {
    for name in ["../f", "a/../../f", "a/..", "a\0b", ""] {
        refused_zip(&[file(name)]);
        refused_zip(&[link(name, "x")]);
    }
    let windows = |name: &str| Zipped { made_by: 0x0014, ..file(name) };
    assert!(refused_zip(&[windows("..\\f")]).contains(".."));
    let host = Host::new();
    let name = format!("{}/f", host.path("out").display());
    host.extract("x.zip", &zip(&[file(&name)])).unwrap();
    assert_eq!(host.read(name.trim_start_matches('/')), "evil");
}

#[test]
fn members_below_a_link_that_leads_out() {
    for target in ["../out", "/ecp-none", "/proc/self/root/ecp-none"] {
        for name in ["l/f", "l/dir/new/f", "l/d/"] {
            assert!(refused_zip(&[link("l", target), file(name)]).contains("symbolic link"));
        }
    }
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        symlink(host.path("out"), host.path("box/l")).unwrap();
        host.extract("x.zip", &zip(&[file("l/secret")])).unwrap_err();
        symlink(host.path("out/secret"), host.path("box/m")).unwrap();
        host.extract("x.zip", &zip(&[file("m")])).unwrap();
        assert_eq!(host.read("m"), "evil");
    }
}

#[test]
fn the_containers_output() {
    for members in [&[file("stdout")][..], &[file("./stderr")], &[link("l", "."), file("l/stdout")]] {
        assert!(refused_zip(members).contains("container's own"));
    }
}

#[test]
fn members_that_are_no_files() {
    for (mode, word) in [(0o010_644, "FIFO"), (0o020_644, "device"), (0o060_644, "device"), (0o140_644, "socket")] {
        let message = refused_zip(&[Zipped { mode, ..file("special") }]);
        assert!(message.contains(word) && message.contains("special"), "{message}");
    }
    let long = "x".repeat(5000);
    refused_zip(&[link("l", &long)]);
    refused_zip(&[link("l", "")]);
}

#[test]
fn encrypted_members() {
    let message = refused_zip(&[Zipped { flags: 1, ..file("f") }]);
    assert!(message.contains("encrypted"), "{message}");
}

#[test]
fn methods_that_are_not_known() {
    refused_zip(&[Zipped { method: 14, ..file("f") }]);
}

#[test]
fn sizes_and_sums_that_lie() {
    let honest = Zipped::deflated("f", &[b'z'; 100_000]);
    for lying in [
        Zipped { size: 10, ..honest.clone() },
        Zipped { size: 200_000, ..honest.clone() },
        Zipped { crc: 1, ..honest.clone() },
        Zipped { stored: honest.stored[..honest.stored.len() / 2].to_vec(), ..honest.clone() },
        Zipped { size: 100, ..file("f") },
        Zipped { size: 1, ..file("f") },
    ] {
        let host = Host::new();
        host.extract("x.zip", &zip(&[lying])).unwrap_err();
        assert!(host.names().is_empty(), "{:?}", host.names());
    }
}

#[test]
fn members_that_overlap() {
    let content = Zipped::deflated("a", &[0; 1 << 20]);
    let shared = Zipped { name: b"b".to_vec(), shares: true, ..content.clone() };
    assert!(refused_zip(&[content, shared]).contains("overlap"));
}

#[test]
fn directories_that_lie() {
    let honest = zip(&[file("f")]);
    // The numbers of the end record: how many members (twice), the directory's length and place.
    let end = honest.len() - 22;
    for at in (end + 8)..(end + 20) {
        for value in [0xff, 0x7f, 1] {
            let mut lying = honest.clone();
            lying[at] = lying[at].wrapping_add(value);
            // Whatever is made of it: no harm, and no crash.
            for openat2 in [true, false] {
                let _ = Host::with(openat2).extract("x.zip", &lying);
            }
        }
    }
}
