//! What is extracted, and how it meets what is there.
#![forbid(unsafe_code)]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::archives::{Tar, Zipped, gzip, zip};
use super::*;

#[test]
fn a_tar_of_everything() {
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        let tar = Tar::new()
            .directory("./", 0o700)
            .directory("./d/", 0o700)
            .file("./d/f", "content")
            .member(b'0', 0o4777, b"tool", b"", b"run")
            .symlink("link", "d/f")
            .symlink("outwards", "../out/secret")
            .hard_link("d/second", "./d/f")
            .file("implied/deep/f", "")
            .member(b'7', 0o600, b"contiguous", b"", b"c")
            .member(0, 0o755, b"old-directory/", b"", b"")
            .end();
        host.extract("x.tar", &tar).unwrap();
        let names = ["contiguous", "d", "implied", "link", "old-directory", "outwards", "tool"];
        assert_eq!(host.names(), names);
        assert_eq!(host.read("link"), "content");
        assert_eq!(host.read("d/second"), "content");
        assert_eq!(host.mode("tool"), 0o755);
        assert_eq!(host.mode("d"), 0o700);
        assert_eq!(host.mode("implied/deep"), 0o755);
        assert_eq!(host.mode("contiguous"), 0o600);
        let metadata = |name: &str| fs::symlink_metadata(host.path("box").join(name)).unwrap();
        assert_eq!(metadata("d/f").ino(), metadata("d/second").ino());
        for name in ["d", "d/f", "old-directory"] {
            assert_eq!(metadata(name).mtime(), 1_000_000_000, "{name}");
        }
    }
}

#[test]
fn members_below_a_link_of_the_archive() {
    let host = Host::new();
    let tar = Tar::new()
        .directory("usr/lib/", 0o755)
        .symlink("usr/lib64", "lib")
        .symlink("lib", "./usr/../usr/lib64")
        .file("usr/lib64/a", "a")
        .file("lib/b", "b")
        .file("lib/sub/c", "c")
        .hard_link("d", "lib/a")
        .end();
    host.extract("x.tar", &tar).unwrap();
    for name in ["usr/lib/a", "usr/lib/b", "usr/lib/sub/c", "d"] {
        assert!(host.path("box").join(name).exists(), "{name}");
    }
    // A kernel that cannot make sure where links lead follows none.
    let message = Host::with(false).extract("x.tar", &tar).unwrap_err();
    assert!(message.contains("usr/lib64/a") && message.contains("symbolic link"), "{message}");
}

#[test]
fn what_is_there_is_replaced_and_not_written_through() {
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        let there = |name: &str| host.path("box").join(name);
        fs::write(there("file"), "old, and longer").unwrap();
        fs::hard_link(host.path("out/secret"), there("second")).unwrap();
        symlink(host.path("out/secret"), there("absolute")).unwrap();
        symlink("../out/dir", there("directory-link")).unwrap();
        nix::unistd::mkfifo(&there("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        fs::create_dir(there("dir")).unwrap();
        fs::write(there("dir/kept"), "kept").unwrap();
        fs::set_permissions(there("dir"), fs::Permissions::from_mode(0o750)).unwrap();
        fs::write(there("file-to-directory"), "").unwrap();
        // Without the second name, whose count would be another one afterwards.
        fs::rename(there("second"), host.path("second")).unwrap();
        fs::copy(host.path("out/secret"), host.path("beside")).unwrap();
        fs::remove_file(host.path("second")).unwrap();
        fs::hard_link(host.path("beside"), there("second")).unwrap();
        let names = ["file", "second", "absolute", "fifo", "dir/new"];
        let mut tar = names.iter().fold(Tar::new(), |tar, name| tar.file(name, "new")).symlink("file", "dir");
        tar = tar.file("file", "newest").directory("dir", 0o700).directory("directory-link", 0o755);
        tar = tar.file("directory-link/f", "inside").file("file-to-directory/f", "");
        let message = host.extract("x.tar", &tar.clone().end()).unwrap_err();
        assert!(message.contains("Not a directory"), "{message}");
        fs::remove_file(there("file-to-directory")).unwrap();
        host.extract("x.tar", &tar.end()).unwrap();
        for name in &names[1..] {
            assert_eq!(host.read(name), "new", "{name}");
            assert!(fs::symlink_metadata(there(name)).unwrap().is_file());
        }
        assert_eq!(host.read("file"), "newest");
        assert_eq!(host.read("dir/kept"), "kept");
        assert_eq!(host.mode("dir"), 0o750);
        assert_eq!(host.read("directory-link/f"), "inside");
        assert_eq!(fs::read_to_string(host.path("beside")).unwrap(), "secret");
    }
}

#[test]
fn a_directory_is_not_replaced_by_a_file() {
    for tar in [Tar::new().file("d", ""), Tar::new().symlink("d", "x"), Tar::new().file("f", "").hard_link("d", "f")] {
        let message = refused_after(|host| fs::create_dir(host.path("box/d")).unwrap(), "x.tar", &tar.end());
        assert!(message.contains("there is a directory already"), "{message}");
    }
}

#[test]
fn directories_get_their_modes_when_all_is_in_them() {
    let host = Host::new();
    let tar = Tar::new().directory("d", 0o555).directory("d/e", 0o500).file("d/e/f", "f").file("late/f", "");
    host.extract("x.tar", &tar.directory("late", 0o711).end()).unwrap();
    assert_eq!([host.mode("d"), host.mode("d/e"), host.mode("late")], [0o555, 0o500, 0o711]);
    for name in ["d", "d/e"] {
        fs::set_permissions(host.path("box").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn names_of_any_bytes_and_lengths() {
    let host = Host::new();
    let long = "n".repeat(250);
    let path = format!("{long}/{long}/{long}");
    let line_break = format!("{}\n", "x".repeat(120));
    let gnu = format!("{long}.gnu\0");
    let tar = Tar::new()
        .member(b'0', 0o644, b"\xff\xfe", b"", b"bytes")
        .pax(&[("path", path.as_bytes()), ("SCHILY.xattr.user.x", b"\n\n\0=\xff")])
        .file("short", "pax")
        .pax(&[("path", line_break.as_bytes()), ("mtime", b"5.25")])
        .file("short", "line")
        .member(b'L', 0o644, b"././@LongLink", b"", gnu.as_bytes())
        .file("short", "gnu")
        .member(b'K', 0o644, b"././@LongLink", b"", path.as_bytes())
        .symlink("to", "short");
    host.extract("x.tar", &tar.end()).unwrap();
    assert_eq!(host.read(&path), "pax");
    assert_eq!(host.read(&line_break), "line");
    assert_eq!(host.read(&format!("{long}.gnu")), "gnu");
    assert_eq!(host.read("to"), "pax");
    let metadata = fs::metadata(host.path("box").join(line_break)).unwrap();
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (5, 250_000_000));
    assert!(host.path("box").join(std::ffi::OsStr::from_bytes(b"\xff\xfe")).exists());
}

#[test]
fn a_size_of_pax_counts() {
    let host = Host::new();
    // The header's own size is 0, as for those that have no room for it.
    let content = Tar::new().pax(&[("size", b"3")]).file("f", "").unended();
    let mut tar = content;
    tar.extend_from_slice(b"abc");
    tar.resize(tar.len().next_multiple_of(512), 0);
    tar.extend(Tar::new().file("g", "g").end());
    host.extract("x.tar", &tar).unwrap();
    assert_eq!([host.read("f"), host.read("g")], ["abc", "g"]);
}

#[test]
fn archives_are_told_by_their_content() {
    for name in ["x.tar", "x.tgz", "x.tbz2", "x.tar.xz"] {
        let host = Host::new();
        let plain = Tar::new().file("f", "f");
        host.extract(name, &plain.clone().end()).unwrap();
        host.extract(name, &gzip(&plain.end())).unwrap();
    }
}

#[test]
fn a_gz_becomes_the_file_without_the_suffix() {
    let host = Host::new();
    let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
    host.extract("tool.sh.gz", &members).unwrap();
    assert_eq!(host.read("tool.sh"), "one two");
    assert_eq!(host.mode("tool.sh"), 0o644);
    assert_eq!(host.names(), ["tool.sh"]);
}

#[test]
fn a_zip_of_everything() {
    for openat2 in [true, false] {
        let host = Host::with(openat2);
        fs::write(host.path("box/f"), "old").unwrap();
        let windows = Zipped { made_by: 0x0014, mode: 0, ..Zipped::new("win\\f", 0, b"w") };
        let bare = Zipped { mode: 0, ..Zipped::new("bare", 0, b"b") };
        host.extract(
            "x.zip",
            &zip(&[
                Zipped::new("f", 0o100_644, b"stored"),
                Zipped::deflated("d/deflated", &[b'z'; 1000]),
                Zipped::new("d/", 0o040_700, b""),
                Zipped::new("tool", 0o104_777, b"run"),
                Zipped::new("link", 0o120_777, b"d/deflated"),
                windows,
                bare,
            ]),
        )
        .unwrap();
        assert_eq!(host.names(), ["bare", "d", "f", "link", "tool", "win"]);
        assert_eq!(host.read("f"), "stored");
        assert_eq!(host.read("link"), "z".repeat(1000));
        assert_eq!([host.mode("tool"), host.mode("d"), host.mode("bare")], [0o755, 0o700, 0o644]);
        assert_eq!(host.read("win/f"), "w");
        // 1 January 2000, 0:00.
        assert_eq!(fs::metadata(host.path("box/f")).unwrap().mtime(), 946_684_800);
    }
}
