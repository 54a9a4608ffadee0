//! Tar archives that are made to do harm, and sandboxes that are.
#![forbid(unsafe_code)]

use std::os::unix::fs::symlink;

use super::archives::{Tar, gzip};
use super::*;

fn refused_tar(tar: Tar) -> String {
    refused("x.tar", &tar.end())
}

#[test]
fn names_that_lead_upwards() {
    for name in ["../f", "a/../../f", "..", "a/..", "/../f", "x/../stdout"] {
        let message = refused_tar(Tar::new().directory("a", 0o755).directory("x", 0o755).file(name, "evil"));
        assert!(message.contains(".."), "{message}");
        refused_tar(Tar::new().directory(name, 0o755));
        refused_tar(Tar::new().symlink(name, "x"));
        refused_tar(Tar::new().file("f", "").hard_link(name, "f"));
    }
}

#[test]
fn absolute_names_are_taken_as_relative() {
    let host = Host::new();
    let name = format!("{}/f", host.path("out").display());
    host.extract("x.tar", &Tar::new().file(&name, "evil").end()).unwrap();
    assert_eq!(host.read(name.trim_start_matches('/')), "evil");
}

#[test]
fn members_below_a_link_that_leads_out() {
    // Of those that are no harm to try, should it go wrong.
    let links = ["../out", "..", "../../../../../../../../ecp-none", "/ecp-none", "/proc/self/root/ecp-none"];
    for target in links {
        let link = Tar::new().symlink("l", target);
        for name in ["l/f", "l/out/f", "l/dir/new/f"] {
            let message = refused_tar(link.clone().file(name, "evil"));
            assert!(message.contains("symbolic link"), "{message}");
            refused_tar(link.clone().directory(name, 0o755));
            refused_tar(link.clone().symlink(name, "x"));
            refused_tar(link.clone().file("g", "").hard_link(name, "g"));
        }
    }
}

#[test]
fn members_below_an_absolute_link_to_the_victim() {
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        symlink(host.path("out"), host.path("box/l")).unwrap();
        for name in ["l/f", "l/secret", "l/dir/file", "l/dir/new/f"] {
            host.extract("x.tar", &Tar::new().file(name, "evil").end()).unwrap_err();
            host.extract("x.tar", &Tar::new().directory(name, 0o777).end()).unwrap_err();
            host.extract("x.tar", &Tar::new().symlink(name, "x").end()).unwrap_err();
        }
        // The link itself is replaced.
        host.extract("x.tar", &Tar::new().directory("l", 0o755).file("l/f", "f").end()).unwrap();
        assert_eq!(host.read("l/f"), "f");
    }
}

#[test]
fn chains_of_links() {
    let chain = Tar::new().directory("d", 0o755).symlink("d/up", "..").symlink("a", "d/up/b").symlink("b", "../out");
    for name in ["a/f", "b/f", "d/up/b/f", "d/up/../out/f"] {
        refused_tar(chain.clone().file(name, "evil"));
    }
    let circle = Tar::new().symlink("a", "b").symlink("b", "a").file("a/f", "");
    assert!(refused_tar(circle).contains("symbolic link"));
    // A link that leads nowhere is not made to lead somewhere.
    refused_tar(Tar::new().symlink("a", "../out/new").file("a/f", ""));
    refused_tar(Tar::new().symlink("a", "missing").file("a/f", ""));
}

#[test]
fn hard_links_out_of_the_sandbox() {
    for source in ["../out/secret", "/etc/passwd", "l/secret", "missing", "", "."] {
        let message = refused_tar(Tar::new().symlink("l", "../out").hard_link("f", source));
        assert!(message.contains("hard link"), "{message}");
    }
    // To a link that leads out: to the link itself.
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        let tar = Tar::new().symlink("l", "../out/secret").hard_link("m", "l").file("m", "evil").file("l", "evil");
        host.extract("x.tar", &tar.end()).unwrap();
        assert_eq!(host.read("m"), "evil");
    }
}

#[test]
fn a_hard_link_is_not_written_through() {
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        fs::write(host.path("box/before"), "before").unwrap();
        let tar = Tar::new().hard_link("f", "before").file("f", "after").hard_link("before", "./before");
        host.extract("x.tar", &tar.end()).unwrap();
        assert_eq!([host.read("before"), host.read("f")], ["before", "after"]);
    }
}

#[test]
fn hard_links_to_no_file() {
    assert!(refused_tar(Tar::new().directory("d", 0o755).hard_link("f", "d")).contains("a directory"));
    let fifo = |host: &Host| nix::unistd::mkfifo(&host.path("box/p"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(refused_after(fifo, "x.tar", &Tar::new().hard_link("f", "p").end()).contains("FIFO"));
}

#[test]
fn the_containers_output() {
    for name in ["stdout", "./stderr", "/stdout", "stdout/", "stderr/f", "l/stdout", "l/l/stderr", "l/stdout/f"] {
        let link = Tar::new().symlink("l", ".");
        let there = |host: &Host| fs::write(host.path("box/stdout"), "").unwrap();
        for tar in [
            link.clone().file(name, "evil"),
            link.clone().symlink(name, "/etc/passwd"),
            link.clone().directory(name, 0o755),
            link.clone().file("f", "").hard_link(name, "f"),
        ] {
            let with = Host::new();
            assert!(with.extract("x.tar", &tar.clone().end()).unwrap_err().contains("container's own"), "{name}");
            let message = refused_after(there, "x.tar", &tar.end());
            let told = message.contains("container's own") || message.contains("Not a directory");
            assert!(told, "{name}: {message}");
        }
    }
    let there = |host: &Host| fs::write(host.path("box/stdout"), "").unwrap();
    assert!(refused_after(there, "x.tar", &Tar::new().hard_link("f", "stdout").end()).contains("container's own"));
    assert!(refused("stdout.gz", &gzip(b"evil")).contains("container's own"));
    let host = Host::new();
    host.extract("x.tar", &Tar::new().file("d/stdout", "").file("stdout.txt", "").end()).unwrap();
}

#[test]
fn devices_and_fifos() {
    for (kind, word) in [(b'3', "device"), (b'4', "device"), (b'6', "FIFO")] {
        let message = refused_tar(Tar::new().member(kind, 0o666, b"d/null", b"", b""));
        assert!(message.contains(word) && message.contains("d/null"), "{message}");
    }
}

#[test]
fn no_special_bits() {
    let host = Host::new();
    let tar = Tar::new().member(b'0', 0o7777, b"f", b"", b"").member(b'5', 0o7777, b"d", b"", b"");
    host.extract("x.tar", &tar.end()).unwrap();
    assert_eq!([host.mode("f"), host.mode("d")], [0o755, 0o755]);
}

#[test]
fn links_to_what_is_no_path() {
    refused_tar(Tar::new().symlink("l", ""));
    refused_tar(Tar::new().pax(&[("linkpath", &[b'x'; 5000])]).symlink("l", "x"));
    refused_tar(Tar::new().pax(&[("linkpath", b"a\0b")]).symlink("l", "x"));
    refused_tar(Tar::new().pax(&[("path", b"a\0b")]).file("l", "x"));
    refused_tar(Tar::new().pax(&[("path", &[b'x'; 256])]).file("l", "x"));
    for name in [".", "./", "/"] {
        refused_tar(Tar::new().file("f", "").hard_link(name, "f"));
        refused_tar(Tar::new().symlink(name, "../out"));
    }
}

#[test]
fn what_was_extracted_before_stays() {
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        host.extract("x.tar", &Tar::new().directory("d", 0o711).file("d/f", "f").file("../g", "").end()).unwrap_err();
        assert_eq!(host.read("d/f"), "f");
        assert_eq!(host.mode("d"), 0o711);
    }
}
