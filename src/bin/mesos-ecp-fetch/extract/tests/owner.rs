//! Extracting for another user, as root.
#![forbid(unsafe_code)]

use std::os::unix::fs::chown;

use super::archives::{Tar, Zipped, zip};
use super::*;

const OWNER: (u32, u32) = (4711, 4712);

fn extract_for(host: &Host, name: &str, archive: &[u8]) {
    let path = host.path(name);
    fs::write(&path, archive).unwrap();
    let sandbox = File::open(host.path("box")).unwrap();
    let owner = Some((Uid::from_raw(OWNER.0), Gid::from_raw(OWNER.1)));
    extract(&File::open(path).unwrap(), Kind::of(name).unwrap(), name, &sandbox, owner, &LIMITS).unwrap();
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

#[test]
fn all_that_is_made_belongs_to_the_owner() {
    if !nix::unistd::geteuid().is_root() {
        skip("all_that_is_made_belongs_to_the_owner", "takes root");
        return;
    }
    let host = Host::new();
    fs::create_dir(host.path("box/there")).unwrap();
    chown(host.path("box/there"), Some(11), Some(12)).unwrap();
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
    extract_for(&host, "x.tar", &tar.end());
    extract_for(&host, "x.zip", &zip(&[Zipped::new("z/f", 0o100_644, b""), Zipped::new("z/l", 0o120_777, b"f")]));
    for name in ["there/f", "d", "implied", "implied/deep", "implied/deep/f", "suid", "l", "h", "m", "z", "z/f", "z/l"]
    {
        assert_eq!(owner(&host.path("box").join(name)), OWNER, "{name}");
    }
    assert_eq!(host.mode("suid"), 0o755);
    assert_eq!(owner(&host.path("box/there")), (11, 12));
    assert_eq!(owner(&host.path("box")), (0, owner(&host.path("box")).1));
    assert_eq!(owner(&host.path("out/secret")), (21, 22));
}
