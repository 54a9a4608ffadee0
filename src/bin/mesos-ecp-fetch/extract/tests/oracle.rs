//! The programs that operators know, where they are installed: what they pack is unpacked as they do it.
#![forbid(unsafe_code)]

use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::*;

/// A tree with one of everything that archives have.
fn fill(root: &Path) {
    for directory in ["d/empty", "d/deep/er", "usr/lib"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let long = "long".repeat(50);
    for (name, content, mode) in [
        ("plain", "plain".to_owned(), 0o644),
        ("d/tool", "#!/bin/sh\n".to_owned(), 0o755),
        ("d/private", "x".repeat(100_000), 0o600),
        ("d/all", String::new(), 0o4777),
        ("d/deep/er/ \u{e9}t\u{e9} \\ 'quoted'", "name".to_owned(), 0o444),
        ("usr/lib/l", "l".repeat(512), 0o644),
    ] {
        fs::write(root.join(name), content).unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("lib", root.join("usr/lib64")).unwrap();
    symlink("/nowhere", root.join("absolute")).unwrap();
    fs::create_dir(root.join(&long)).unwrap();
    fs::write(root.join(&long).join("n".repeat(40)), "long").unwrap();
    fs::set_permissions(root.join("d/deep"), fs::Permissions::from_mode(0o750)).unwrap();
}

/// What only tar has.
fn fill_more(root: &Path) {
    fs::hard_link(root.join("plain"), root.join("second")).unwrap();
    symlink("x".repeat(150), root.join("long-link")).unwrap();
    let mut sparse = File::create(root.join("sparse")).unwrap();
    for number in 0..40 {
        sparse.seek(SeekFrom::Start(number * 200_000)).unwrap();
        sparse.write_all(format!("piece {number}").as_bytes()).unwrap();
    }
    sparse.set_len(8_100_000).unwrap();
}

fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

fn shell(directory: &Path, script: &str) {
    let output =
        Command::new("sh").args(["-ec", &format!("umask 022; {script}")]).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}

/// Packs `src`, has it unpacked to `theirs` and by us, and compares.
fn compared(host: &Host, name: &str, pack: &str, unpack: &str) {
    let archive = host.path(name);
    shell(&host.path("src"), &pack.replace("ARCHIVE", archive.to_str().unwrap()));
    for made in ["theirs", "box"] {
        let _ = fs::remove_dir_all(host.path(made));
        fs::create_dir(host.path(made)).unwrap();
    }
    shell(&host.path("theirs"), &unpack.replace("ARCHIVE", archive.to_str().unwrap()));
    let limits = Limits { bytes: 64 << 20, entries: 1000 };
    host.extract_within(name, &fs::read(&archive).unwrap(), &limits).unwrap_or_else(|error| panic!("{pack}: {error}"));
    let (theirs, ours) = (snapshot(&host.path("theirs")), snapshot(&host.path("box")));
    assert!(ours.len() > 5);
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.get(..200).unwrap_or(theirs), ours.get(..200).unwrap_or(ours), "{pack}");
    }
    assert!(theirs == ours, "{pack}: a difference somewhere in a long file, or a file more");
}

#[test]
fn tar_of_every_format() {
    let host = Host::new();
    fs::create_dir(host.path("src")).unwrap();
    fill(&host.path("src"));
    fill_more(&host.path("src"));
    let mut packs: Vec<(&str, String)> = Vec::new();
    for format in ["gnu", "oldgnu", "posix"] {
        packs.push(("x.tar", format!("tar --format={format} -cf ARCHIVE .")));
        packs.push(("x.tar", format!("tar --format={format} -S -cf ARCHIVE .")));
        packs.push(("x.tar", format!("tar --format={format} -cf ARCHIVE *")));
    }
    for version in ["0.0", "0.1", "1.0"] {
        packs.push(("x.tar", format!("tar --format=posix -S --sparse-version={version} -cf ARCHIVE .")));
    }
    for format in ["v7", "ustar"] {
        packs
            .push(("x.tar", format!("tar --format={format} --exclude='*longlong*' --exclude=long-link -cf ARCHIVE .")));
    }
    for (name, program, flag) in [("x.tgz", "gzip", "z"), ("x.tar.bz2", "bzip2", "j"), ("x.txz", "xz", "J")] {
        if installed(program) {
            packs.push((name, format!("tar -c{flag}f ARCHIVE .")));
        } else {
            skip("tar_of_every_format", &format!("{program} is not installed"));
        }
    }
    for (name, pack) in packs {
        compared(&host, name, &pack, "tar --no-same-owner --no-same-permissions -xf ARCHIVE");
    }
    let sparse = fs::metadata(host.path("box/sparse")).unwrap();
    assert_eq!(sparse.len(), 8_100_000);
}

#[test]
fn holes_stay_holes() {
    let host = Host::new();
    fs::create_dir(host.path("src")).unwrap();
    fill_more_only(&host.path("src"));
    let archive = host.path("x.tar");
    shell(&host.path("src"), &format!("tar -S -cf {} .", archive.display()));
    let packed = fs::read(&archive).unwrap();
    if packed.len() > 4_000_000 {
        skip("holes_stay_holes", "the file system of temporary files keeps no holes, or does not tell of them");
        return;
    }
    host.extract_within("x.tar", &packed, &Limits { bytes: 64 << 20, entries: 10 }).unwrap();
    assert!(fs::metadata(host.path("box/sparse")).unwrap().blocks() * 512 < 4_000_000);
}

fn fill_more_only(root: &Path) {
    fs::write(root.join("plain"), "").unwrap();
    fill_more(root);
}

/// It has a umask of its own mind.
const UNZIP: &str = "unzip -qo ARCHIVE; chmod -R go-w .";

#[test]
fn zip_as_unzip() {
    for program in ["zip", "unzip"] {
        if !installed(program) {
            skip("zip_as_unzip", &format!("{program} is not installed"));
            return;
        }
    }
    let host = Host::new();
    fs::create_dir(host.path("src")).unwrap();
    fill(&host.path("src"));
    for options in ["-y", "-y -0", "-y -9", "-y -Z bzip2", "-y -fz"] {
        let pack = format!("rm -f ARCHIVE; zip -qr {options} ARCHIVE .");
        compared(&host, "x.zip", &pack, UNZIP);
    }
    // To a pipe, sizes come behind the content. zip does that for deflated files only.
    compared(&host, "x.zip", "zip -q - d usr usr/lib plain d/tool d/private usr/lib/l | cat > ARCHIVE", UNZIP);
}
