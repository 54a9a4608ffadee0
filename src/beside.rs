//! Where the other programs of this package are: beside the one that runs.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What the kernel adds to the name of a program that was removed or replaced while it runs.
const DELETED: &[u8] = b" (deleted)";

/// Looks for the program of this name. None: it is not installed, or may not be executed.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    beside(&fs::read_link("/proc/self/exe").ok()?, name)
}

fn beside(program: &Path, name: &str) -> Option<PathBuf> {
    // After an upgrade the new one's place is that of the old one.
    let bytes = program.as_os_str().as_bytes();
    let program = match bytes.strip_suffix(DELETED) {
        Some(name) if !program.exists() => Path::new(OsStr::from_bytes(name)),
        _ => program,
    };
    let path = program.with_file_name(name);
    let found = fs::metadata(&path).ok()?;
    (found.is_file() && found.permissions().mode() & 0o111 != 0).then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NAME: &str = "mesos-ecp-other";

    fn beside(program: &Path) -> Option<PathBuf> {
        super::beside(program, NAME)
    }

    #[test]
    fn it_is_beside_the_program_even_one_that_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().join("mesos-ecp"), dir.path().join(NAME));
        fs::write(&ours, "").unwrap();
        assert_eq!(beside(&ours), None);
        fs::write(&theirs, "").unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(beside(&ours), None, "it cannot be executed");
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(beside(&ours), Some(theirs.clone()));
        assert_eq!(beside(&dir.path().join("mesos-ecp (deleted)")), Some(theirs.clone()));
        let gone = dir.path().join("gone");
        assert_eq!(beside(&gone.join("mesos-ecp (deleted)")), None);
        fs::remove_file(&theirs).unwrap();
        fs::create_dir(&theirs).unwrap();
        assert_eq!(beside(&ours), None, "a directory");
    }
}
