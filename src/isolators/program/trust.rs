//! Whether only root, or who runs us, can change what is going to be executed with our rights.
#![forbid(unsafe_code)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::error::{Error, Result};

/// Of the program and its directory; before every call.
///
/// # Errors
/// Which of them others can change; what is not there.
pub(super) fn check(program: &Path) -> Result<()> {
    program.parent().into_iter().chain([program]).try_for_each(|path| one(path, false))
}

/// Of all that is on the way to it, too, and where links lead; once a launch.
///
/// # Errors
/// As [`check`]; a program that is no file, or not executable.
pub(super) fn check_whole(program: &Path) -> Result<()> {
    check(program)?;
    let real = std::fs::canonicalize(program).map_err(Error::path("look for the isolator", program))?;
    let found = std::fs::metadata(&real).map_err(Error::path("look for the isolator", &real))?;
    if !found.is_file() || found.mode() & 0o111 == 0 {
        return Err(Error::Refused(format!("{} is not an executable file: chmod +x it", real.display())));
    }
    for path in [program, &real] {
        path.ancestors().skip(1).try_for_each(|above| one(above, true))?;
    }
    one(&real, false)
}

/// In a sticky directory others cannot rename what is not theirs.
fn one(path: &Path, may_be_sticky: bool) -> Result<()> {
    let found = std::fs::metadata(path).map_err(Error::path("look for the isolator", path))?;
    let sticky = may_be_sticky && found.mode() & 0o1000 != 0;
    if (found.uid() != 0 && found.uid() != geteuid().as_raw()) || (found.mode() & 0o022 != 0 && !sticky) {
        return Err(Error::Refused(format!(
            "{} must belong to root and not be writable by others (it is uid {}'s, mode {:04o}): it runs as root",
            path.display(),
            found.uid(),
            found.mode() & 0o7777
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_others_may_change_is_not_executed() {
        let base = tempfile::tempdir().unwrap();
        let (outer, dir) = (base.path().join("outer"), base.path().join("outer/dir"));
        fs::create_dir_all(&dir).unwrap();
        let program = dir.join("p");
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let says = |path: &Path, says: &str| {
            let error = check_whole(path).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        says(&program, "No such file");
        fs::write(&program, "").unwrap();
        says(&program, "chmod +x");
        set(&program, 0o755);
        check_whole(&program).unwrap();
        for (path, good) in [(&program, 0o755), (&dir, 0o755), (&outer, 0o755)] {
            set(path, 0o775);
            says(path.as_path().join("").parent().filter(|_| false).unwrap_or(&program), "mode 0775");
            set(path, good);
        }
        // A link elsewhere: what is there counts.
        let open = base.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::copy(&program, open.join("q")).unwrap();
        symlink(open.join("q"), dir.join("link")).unwrap();
        check_whole(&dir.join("link")).unwrap();
        set(&open, 0o777);
        says(&dir.join("link"), "0777");
    }
}
