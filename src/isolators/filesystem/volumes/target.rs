//! A volume's container_path: where it is mounted.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use super::{Place, Placed, Rules};
use crate::error::{Error, Result};
use crate::isolators::filesystem::root::can_be_covered;
use crate::paths::{Beneath, trusted};
use crate::weaken;

/// Where the kernel's own file systems are. Over the first two, nothing below either: programs believe what they read there.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Where a volume goes.
#[derive(Debug)]
pub(super) struct Target {
    /// Canonical, as the container sees it.
    pub(super) at: PathBuf,
    /// What is there; None: it has to be made.
    pub(super) there: Option<OwnedFd>,
}

/// The path as the record has it, without `.`. A relative one is in the sandbox.
pub(super) fn parse(text: &str, rules: Rules) -> Result<PathBuf> {
    let path = Path::new(text);
    let refuse = |why: &str| Err(Error::Refused(why.to_owned()));
    if path.components().any(|c| c == Component::ParentDir) && !weaken::is("volume-paths") {
        return refuse("its container_path has \"..\" in it: write it without");
    }
    if text.contains('\0') {
        return refuse("its container_path has a NUL byte in it");
    }
    let path: PathBuf = path.components().filter(|c| *c != Component::CurDir).collect();
    if path.as_os_str().is_empty() {
        return refuse("its container_path names nothing: say where the container is to have it");
    }
    if path == Path::new("/") {
        return refuse("its container_path is the root directory, which no volume can be");
    }
    if rules == Rules::Shared && path.is_relative() {
        return refuse(
            "its container_path is relative, which filesystem/shared does not know: use an absolute one, or \
             filesystem/linux",
        );
    }
    Ok(path)
}

/// Looks for it. What is found is what is mounted on if nobody moves it; then nothing is.
pub(super) fn find(wanted: &Path, place: &Place<'_>, rules: Rules, earlier: &[Placed]) -> Result<Target> {
    let at = place.seen.join(wanted);
    check(&at, place, rules, earlier)?;
    if let Some(outer) = outer(&at, earlier) {
        return within(outer, &at);
    }
    let found = if wanted.is_relative() {
        place.beneath().open(wanted).map(|fd| (fd, at.clone()))
    } else if let Some(root) = place.root {
        if at.strip_prefix("/dev").is_ok_and(|name| !can_be_covered(name)) {
            return Err(Error::Refused(format!(
                "the container's /dev is its own, and {} is not in it: choose another container_path",
                at.display()
            )));
        }
        match root.look(wanted)? {
            Some(found) => Ok((found.fd, found.path)),
            None => return Ok(Target { at, there: None }),
        }
    } else {
        trusted(wanted).map(|found| (found.fd, found.path))
    };
    let (there, canonical) = match found {
        Ok(found) => found,
        Err(e) if e.is_not_found() && wanted.is_relative() => {
            return Ok(Target { at, there: None });
        }
        Err(e) if e.is_not_found() => {
            return Err(Error::Refused(format!(
                "the container_path {} does not exist on this host, and without a root file system of its own the container \
                 sees the host's: make it on all hosts that the task may run on, or use {}",
                wanted.display(),
                if rules == Rules::Shared {
                    "filesystem/linux with a relative one"
                } else {
                    "a relative one, which is made in the sandbox"
                }
            )));
        }
        Err(e) => return Err(e),
    };
    if canonical != at {
        check(&canonical, place, rules, earlier)?;
        if let Some(outer) = outer(&canonical, earlier) {
            return within(outer, &canonical);
        }
    }
    Ok(Target { at: canonical, there: Some(there) })
}

/// Makes what [`find`] has not found, of the kind of what will be mounted there, and says where it is.
pub(super) fn make(
    wanted: &Path,
    place: &Place<'_>,
    rules: Rules,
    earlier: &[Placed],
    directory: bool,
) -> Result<PathBuf> {
    let at = place.seen.join(wanted);
    if wanted.is_relative() {
        let beneath = place.beneath();
        if directory {
            beneath.make_directory(wanted, place.owner(0o755))?;
        } else {
            beneath.make_file(wanted, place.owner(0o644))?;
        }
        return Ok(at);
    }
    let Some(root) = place.root else {
        return Ok(at);
    };
    let made = root.place(wanted, directory)?;
    // A link in the root directory may have led there.
    if made != at {
        check(&made, place, rules, earlier)?;
        if let Some(outer) = outer(&made, earlier) {
            within(outer, &made)?;
        }
    }
    Ok(made)
}

/// What a volume must not be put on.
fn check(at: &Path, place: &Place<'_>, rules: Rules, earlier: &[Placed]) -> Result<()> {
    let refuse = |why: String| Err(Error::Refused(why));
    let kernels: &[&str] = if weaken::is("volume-paths") { &[] } else { &KERNELS };
    if let Some(kernels) = kernels.iter().find(|kernels| at == Path::new(kernels)) {
        return refuse(format!("{kernels} is the kernel's: no volume goes over it"));
    }
    if let Some(kernels) = kernels.iter().take(2).find(|kernels| at.starts_with(kernels)) {
        return refuse(format!("{} is in the kernel's {kernels}: no volume goes there", at.display()));
    }
    if place.seen.starts_with(at) {
        return refuse(format!(
            "it would hide the sandbox, which is at {}: choose another container_path, or another work_dir for the agent",
            place.seen.display()
        ));
    }
    for other in earlier {
        if other.at == at {
            return refuse(format!("there is another volume at {}: leave one out", at.display()));
        }
        let nested = other.at.starts_with(at) || at.starts_with(&other.at);
        if nested && rules == Rules::Shared {
            return refuse(format!(
                "one of {} and {} is within the other, which filesystem/shared does not know: use filesystem/linux",
                at.display(),
                other.at.display()
            ));
        }
        if other.at.starts_with(at) {
            return refuse(format!(
                "it would hide the volume at {}, which stands before it: put this one first",
                other.at.display()
            ));
        }
    }
    Ok(())
}

/// The volume that this path is in; the innermost of several.
fn outer<'p>(at: &Path, earlier: &'p [Placed]) -> Option<&'p Placed> {
    earlier.iter().filter(|other| at.starts_with(&other.at)).max_by_key(|other| other.at.components().count())
}

/// In a volume, a mount point has to be there: nothing is made in what may be anybody's.
fn within(outer: &Placed, at: &Path) -> Result<Target> {
    let rest = at.strip_prefix(&outer.at).unwrap_or(at);
    match Beneath::new(outer.source.as_fd(), &outer.from).open(rest) {
        Ok(there) => Ok(Target { at: at.to_path_buf(), there: Some(there) }),
        Err(e) if e.is_not_found() => Err(Error::Refused(format!(
            "there is no {} in the volume at {} ({}): make it there",
            rest.display(),
            outer.at.display(),
            outer.from.display()
        ))),
        Err(e) => Err(e),
    }
}
