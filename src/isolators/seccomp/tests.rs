#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;

fn isolator(directory: Option<&Path>, name: Option<&str>) -> Seccomp {
    Seccomp { directory: directory.map(Path::to_path_buf), name: name.map(str::to_owned), read: RefCell::new(None) }
}

fn refused(directory: Option<&Path>, name: &str) -> String {
    isolator(directory, Some(name)).probe().unwrap_err().to_string()
}

#[test]
fn the_default_profile_is_read_once() {
    let isolator = isolator(None, None);
    isolator.probe().unwrap();
    let source = isolator.read.borrow_mut().take().unwrap();
    let compiled = source.compile(0).unwrap();
    assert!(compiled.program.len() > 50);
    assert_eq!(source.note(&compiled.unknown), None);
}

#[test]
fn a_profile_is_a_file_that_only_root_writes() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
    };
    let good = r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [{"names": ["swapcontext", "re\u0061d"], "action": "SCMP_ACT_LOG"}]}"#;
    write("good.json", good);
    let isolator = isolator(Some(dir.path()), Some("good.json"));
    isolator.probe().unwrap();
    let source = isolator.read.borrow_mut().take().unwrap();
    let note = source.note(&source.compile(0).unwrap().unknown).unwrap();
    let words = "good.json, the system calls swapcontext and the flags SECCOMP_FILTER_FLAG_LOG are not known here";
    assert!(note.contains(words), "{note}");

    write("bad.json", "{\"defaultAction\":\n \"SCMP_ACT_MAYBE\"}");
    let bad = refused(Some(dir.path()), "bad.json");
    let place = format!("seccomp profile {}/bad.json: unknown action \"SCMP_ACT_MAYBE\"", dir.path().display());
    assert!(bad.starts_with(&place) && bad.contains(" at line 2 column 17"), "{bad}");

    let long: Vec<String> = (0..700)
        .map(|n| {
            let arg = |index: u8| format!(r#"{{"index": {index}, "value": {n}, "op": "SCMP_CMP_GT"}}"#);
            format!(r#"{{"name": "read", "action": "SCMP_ACT_TRAP", "args": [{}, {}]}}"#, arg(0), arg(1))
        })
        .collect();
    write("long.json", &format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{}]}}"#, long.join(",")));
    assert!(refused(Some(dir.path()), "long.json").contains("the kernel takes 4096 at most"));

    symlink("good.json", dir.path().join("link.json")).unwrap();
    assert!(refused(Some(dir.path()), "link.json").contains("cannot open the seccomp profile"));
    assert!(refused(Some(dir.path()), "none.json").contains("none.json: No such file"));
    nix::unistd::mkfifo(&dir.path().join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(refused(Some(dir.path()), "fifo").ends_with("fifo: it is no file"));
    for name in ["../good.json", "", ".good.json", "/etc/passwd", "good\n.json"] {
        assert!(refused(Some(dir.path()), name).contains("is no name of a file"), "{name}");
    }
    assert!(refused(None, "good.json").contains("needs --seccomp_config_dir=PATH"));

    fs::set_permissions(dir.path().join("good.json"), fs::Permissions::from_mode(0o664)).unwrap();
    assert!(
        refused(Some(dir.path()), "good.json").contains("good.json must belong to root and not be writable by others")
    );
    fs::set_permissions(dir.path().join("good.json"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(refused(Some(dir.path()), "good.json").contains("mode 1777"));
}
