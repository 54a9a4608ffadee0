//! What it takes to have `mesos-ecp-init` as process 1 of a container: a copy of the program that nobody can change, and the file in
//! which it leaves the executor's status.
#![forbid(unsafe_code)]

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::beside;
use crate::container::ContainerDir;
use crate::error::{Error, Result};
use crate::sys::Init;

const NAME: &str = "mesos-ecp-init";

/// MFD_EXEC of linux/memfd.h, Linux 6.3: without it, a host may be set to make memory files that cannot be executed.
const MFD_EXEC: u32 = 0x10;

/// Looks for the program.
///
/// # Errors
/// When it is not beside this one.
pub fn find_init() -> Result<PathBuf> {
    beside::find(NAME).ok_or_else(|| {
        Error::Refused(format!(
            "--pid1=init needs the program {NAME} beside mesos-ecp, and it is not there or may not be executed; install it \
             or choose --pid1=executor"
        ))
    })
}

/// Opens both, for the container of this state directory. The program is copied into memory and sealed: `/proc/1/exe` leads
/// the container to no file of the host.
///
/// # Errors
/// When the program is not there, or memory or the file cannot be had.
pub fn open_init(dir: &ContainerDir) -> Result<Init> {
    let path = find_init()?;
    let program = copy(&path).map_err(Error::path("copy into memory", &path))?;
    Ok(Init { program, status: dir.make_status()? })
}

fn copy(path: &Path) -> io::Result<OwnedFd> {
    let content = fs::read(path)?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let made = match memfd_create(NAME, flags | MFdFlags::from_bits_retain(MFD_EXEC)) {
        Err(nix::Error::EINVAL) => memfd_create(NAME, flags)?,
        made => made?,
    };
    let mut file = File::from(made);
    file.write_all(&content)?;
    // Not readable: whom the kernel does not let read a program, it does not let trace the process either.
    file.set_permissions(Permissions::from_mode(0o111))?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    #[test]
    fn the_copy_can_be_executed_and_not_be_changed() {
        let copy = copy(Path::new("/bin/true")).unwrap();
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        assert!(Command::new(&path).status().unwrap().success());
        let mut again = fs::OpenOptions::new().write(true).open(&path).unwrap_or_else(|_| File::from(copy));
        assert!(again.write_all(b"x").is_err() && again.set_len(0).is_err());
    }
}
