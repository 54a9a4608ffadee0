//! Whether the host can do it, and whether the ids are free.
#![forbid(unsafe_code)]

use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::config::IdRange;
use crate::error::{Error, Result};
use crate::isolator::mount;

const LIMIT: &str = "/proc/sys/user/max_user_namespaces";

/// Whom ids may be set apart for in /etc/subuid and still be used here.
const OURS: [&str; 2] = ["mesos-ecp", "root"];

/// Whether there can be user namespaces, and mounts that are mapped by them.
pub(super) fn can() -> Result<()> {
    if !geteuid().is_root() {
        return Err(Error::Refused(format!(
            "mesos-ecp runs as uid {}, and only root can give a container ids of its own; run the agent as root",
            geteuid()
        )));
    }
    let limit = match fs::read_to_string(LIMIT) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::Refused("this kernel has no user namespaces (CONFIG_USER_NS)".into()));
        }
        read => read.map_err(Error::path("read", LIMIT))?,
    };
    if limit.trim() == "0" {
        return Err(Error::Refused(format!(
            "user namespaces are turned off on this host: {LIMIT} is 0; write 10000 to it"
        )));
    }
    // Of a file that is no mount this is EINVAL, once the kernel knows the call.
    let null = fs::File::open("/dev/null").map_err(Error::path("open", "/dev/null"))?;
    match mount::set_id_map(null.as_fd(), null.as_fd()) {
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => {
            Err(Error::Refused("this kernel has no idmapped mounts: it takes Linux 5.12".into()))
        }
        _ => Ok(()),
    }
}

/// Whether no line of a file as subuid(5) (`/etc/subuid`, `/etc/subgid`) gives ids of the range to somebody else.
///
/// # Errors
/// The line that does. A file that is missing gives nothing to anybody.
pub(super) fn is_free(range: IdRange, file: &Path) -> Result<()> {
    let text = match fs::read(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.map_err(Error::path("read", file))?,
    };
    for line in String::from_utf8_lossy(&text).lines() {
        let mut fields = line.trim().split(':');
        let (Some(name), Some(first), Some(count)) = (fields.next(), number(fields.next()), number(fields.next()))
        else {
            continue;
        };
        let overlaps = first < u64::from(range.first) + u64::from(range.size) && u64::from(range.first) < first + count;
        if overlaps && !OURS.contains(&name) {
            return Err(Error::Refused(format!(
                "--userns_range={range} has ids that {} gives to {} (line \"{}\"): a process of theirs could be a container's \
                 root; choose others",
                file.display(),
                name.escape_default(),
                line.trim().escape_default()
            )));
        }
    }
    Ok(())
}

fn number(field: Option<&str>) -> Option<u64> {
    field.and_then(|text| text.parse::<u32>().ok()).map(u64::from)
}

/// Whether everybody may go through all that is above the sandbox: inside, the user is somebody else than on the host, and root is
/// nobody.
///
/// # Errors
/// The first directory that is closed.
pub(super) fn is_open_above(sandbox: &Path) -> Result<()> {
    for directory in sandbox.ancestors().skip(1) {
        let mode = fs::metadata(directory).map_err(Error::path("look at", directory))?.permissions().mode();
        if mode & 0o001 == 0 {
            return Err(Error::Refused(format!(
                "{} (mode {:04o}) is closed to others, and so the container could not reach its sandbox below it: inside, \
                 its user is nobody that the host knows; chmod o+x {}",
                directory.display(),
                mode & 0o7777,
                directory.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_of_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("subuid");
        let range = IdRange { first: 200_000, size: 1000 };
        is_free(range, &file).unwrap();
        fs::write(
            &file,
            "# a comment\nmesos-ecp:200000:1000\nroot:1:4000000000\nann:100000:100000\nbob:201000:65536\n",
        )
        .unwrap();
        is_free(range, &file).unwrap();
        for line in ["carol:200999:1", "carol:0:200001", "carol:1:4294967295"] {
            fs::write(&file, format!("ann:100000:65536\n{line}\n")).unwrap();
            let error = is_free(range, &file).unwrap_err().to_string();
            assert!(error.contains(line) && error.contains("--userns_range=200000-200999"), "{error}");
        }
    }

    #[test]
    fn a_closed_directory_above_the_sandbox_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = dir.path().join("closed/sandbox");
        fs::create_dir_all(&sandbox).unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let closed = dir.path().join("closed");
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
        // Its own mode is for its owner to say.
        fs::set_permissions(&sandbox, PermissionsExt::from_mode(0o700)).unwrap();
        if is_open_above(dir.path()).is_ok() {
            is_open_above(&sandbox).unwrap();
        }
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o750)).unwrap();
        let error = is_open_above(&sandbox).unwrap_err().to_string();
        assert!(error.contains("closed (mode 0750) is closed to others"), "{error}");
    }
}
