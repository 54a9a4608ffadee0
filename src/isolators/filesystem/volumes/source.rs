//! A volume's host_path: what is mounted.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use nix::unistd::{Gid, Uid};

use super::{Place, is_directory};
use crate::error::{Error, Result};
use crate::paths::{Owner, trusted};
use crate::protocol::mesos::Volume;

/// The path as the record has it. A relative one is in the sandbox.
pub(super) fn parse(volume: &Volume) -> Result<PathBuf> {
    if volume.image.is_some() || volume.source.is_some() {
        return Err(Error::Refused(
            "an image or a volume driver as its source is not supported yet: give it a host_path".into(),
        ));
    }
    match volume.host_path.as_deref() {
        None | Some("") => {
            Err(Error::Refused("it has no host_path: say what of the host, or of the sandbox, is to be there".into()))
        }
        Some(path) => Ok(PathBuf::from(path)),
    }
}

/// Opens it, and says where it is on the host. A relative one that is missing is made: empty, of the kind, the owner and the
/// permissions of what it goes over, so that it can stand in for it (a private /tmp); a directory of the user's if that is not there
/// either.
pub(super) fn open(path: &Path, place: &Place<'_>, over: Option<&OwnedFd>) -> Result<(OwnedFd, PathBuf)> {
    if path.is_absolute() {
        return match trusted(path) {
            Ok(found) => Ok((found.fd, found.path)),
            Err(e) if e.is_not_found() => Err(Error::Refused(format!(
                "the host_path {} does not exist on this host: make it on all hosts that the task may run on, or use a \
                 relative one, which is made in the sandbox",
                path.display()
            ))),
            Err(e) => Err(e),
        };
    }
    let beneath = place.beneath();
    let from = place.sandbox.join(path);
    match beneath.open(path) {
        Err(e) if e.is_not_found() => {}
        done => return Ok((done?, from)),
    }
    let Some(over) = over else {
        return Ok((beneath.make_directory(path, place.owner(0o755))?, from));
    };
    // What is above it is the user's.
    if let Some(above) = path.parent().filter(|above| above.components().any(|c| c.as_os_str() != ".")) {
        beneath.make_directory(above, place.owner(0o755))?;
    }
    let model = fstat(over).map_err(Error::system("look at what the volume goes over"))?;
    let owner =
        Owner { uid: Uid::from_raw(model.st_uid), gid: Gid::from_raw(model.st_gid), mode: model.st_mode & 0o7777 };
    let made = if is_directory(over)? { beneath.make_directory(path, owner) } else { beneath.make_file(path, owner) };
    Ok((made?, from))
}
