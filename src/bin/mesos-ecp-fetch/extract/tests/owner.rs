//! Extracting for another user, as root.
#![forbid(unsafe_code)]

use std::os::unix::fs::chown;

use super::archives::{Tar, Zipped, zip};
use super::*;

const OWNER: (u32, u32) = (4711, 4712);

fn extract_for(host: &Host, name: &str, archive: &[u8]) -> Result<(), String> {
    let path = host.path(name);
    fs::write(&path, archive).unwrap();
    let sandbox = File::open(host.path("box")).unwrap();
    let owner = Some((Uid::from_raw(OWNER.0), Gid::from_raw(OWNER.1)));
    extract(&File::open(path).unwrap(), Kind::of(name).unwrap(), name, &sandbox, owner, &LIMITS)
        .map_err(|error| error.to_string())
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

/// With a sandbox of the owner's; None, and told so, without root.
fn host_of_owner(test: &str) -> Option<Host> {
    if !nix::unistd::geteuid().is_root() {
        skip(test, "takes root");
        return None;
    }
    let host = Host::new();
    chown(host.path("box"), Some(OWNER.0), Some(OWNER.1)).unwrap();
    Some(host)
}

#[test]
fn all_that_is_made_belongs_to_the_owner() {
    let Some(host) = host_of_owner("all_that_is_made_belongs_to_the_owner") else { return };
    fs::create_dir(host.path("box/there")).unwrap();
    chown(host.path("box/there"), Some(OWNER.0), Some(12)).unwrap();
    chown(host.path("out/secret"), Some(21), Some(22)).unwrap();
    let tar = Tar::new()
        .directory("there", 0o755)
        .file("there/f", "")
        .directory("d", 0o755)
        .file("implied/deep/f", "")
        .member(b'0', 0o6755, b"suid", b"", b"")
        .symlink("l", "../out/secret")
        .hard_link("h", "suid")
        .hard_link("m", "l");
    extract_for(&host, "x.tar", &tar.end()).unwrap();
    extract_for(&host, "x.zip", &zip(&[Zipped::new("z/f", 0o100_644, b""), Zipped::new("z/l", 0o120_777, b"f")]))
        .unwrap();
    for name in ["there/f", "d", "implied", "implied/deep", "implied/deep/f", "suid", "l", "h", "m", "z", "z/f", "z/l"]
    {
        assert_eq!(owner(&host.path("box").join(name)), OWNER, "{name}");
    }
    assert_eq!(host.mode("suid"), 0o755);
    assert_eq!(owner(&host.path("box/there")), (OWNER.0, 12));
    assert_eq!(owner(&host.path("out/secret")), (21, 22));
}

#[test]
fn the_rights_are_those_of_the_owner() {
    let Some(host) = host_of_owner("the_rights_are_those_of_the_owner") else { return };
    // As an isolator may have left one, or as the owner may put one in the place of a new one.
    fs::create_dir(host.path("box/root")).unwrap();
    fs::write(host.path("box/root/f"), "root's").unwrap();
    for archive in [
        Tar::new().file("root/f", "evil"),
        Tar::new().directory("root/d", 0o755),
        Tar::new().symlink("root/f", "x"),
        Tar::new().file("f", "").hard_link("root/f", "f"),
    ] {
        let message = extract_for(&host, "x.tar", &archive.end()).unwrap_err();
        assert!(message.contains("Permission denied"), "{message}");
    }
    assert_eq!(host.read("root/f"), "root's");
    assert_eq!(fs::read_dir(host.path("box/root")).unwrap().count(), 1);
    assert_eq!(owner(&host.path("box/root")).0, 0);
}

#[test]
fn afterwards_the_rights_are_those_of_before() {
    let Some(host) = host_of_owner("afterwards_the_rights_are_those_of_before") else { return };
    // What the extraction does must not let this process outlive its parent, either; of no signal there is no harm.
    let signal = nix::sys::prctl::get_pdeathsig().unwrap();
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGURG).unwrap();
    extract_for(&host, "x.tar", &Tar::new().file("f", "").end()).unwrap();
    extract_for(&host, "x.tar", &Tar::new().file("../f", "").end()).unwrap_err();
    assert_eq!(nix::sys::prctl::get_pdeathsig().unwrap(), Some(nix::sys::signal::Signal::SIGURG));
    nix::sys::prctl::set_pdeathsig(signal).unwrap();
    fs::write(host.path("mine"), "").unwrap();
    assert_eq!(owner(&host.path("mine")).0, 0);
}
