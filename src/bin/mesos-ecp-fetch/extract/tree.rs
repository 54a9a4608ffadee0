//! Makes files, directories and links in the sandbox, and nowhere else.
//!
//! Each member's directory is opened below the sandbox's descriptor, and all that is done to the member is done by a
//! name in that directory which is not followed, or by a descriptor. Files and links get a temporary name and are
//! renamed: one that is there is replaced and not written through. The sandbox's owner may change anything at any
//! time: then a member goes elsewhere in the sandbox, or the extraction fails.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fchmod, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, close, linkat, symlinkat, unlinkat};

use mesos_ecp::fetcher::FileKind;

use super::beneath::{Beneath, enter, kind};
use super::error::Failure;
use super::made::Made;
use super::output::{BUFFER, Output};
use super::path::{LONGEST_PATH, MemberPath};
use super::temporary::Temporary;

const NEW_FILE: OFlag =
    OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_EXCL).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// The bits of a mode that are kept: umask 022, and never setuid, setgid or sticky.
pub(super) const KEPT_MODE: u32 = 0o755;

/// The mode of directories that no member names.
const IMPLIED: Attributes = Attributes { mode: 0o755, modified: None };

/// What is kept of a member besides its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) modified: Option<TimeSpec>,
}

/// The sandbox that an archive is extracted into.
pub(super) struct Tree<'a> {
    beneath: Beneath<'a>,
    made: Made,
    /// The directory of the last member: the next one is likely to be in it too.
    last: Option<(Vec<Vec<u8>>, Rc<OwnedFd>)>,
    buffer: Vec<u8>,
}

impl<'a> Tree<'a> {
    /// `openat2` is false for a test of what is done without it.
    pub(super) fn new(sandbox: BorrowedFd<'a>, openat2: bool) -> Result<Self, Errno> {
        let beneath = Beneath::new(sandbox, openat2)?;
        Ok(Self { beneath, made: Made::default(), last: None, buffer: vec![0; BUFFER] })
    }

    /// Makes a directory. One that is there already, and was not made here, stays as it is.
    pub(super) fn directory(&mut self, path: &MemberPath, attributes: Attributes) -> Result<(), Failure> {
        let Some((directory, name)) = path.split() else {
            return Ok(());
        };
        let parent = self.parent(directory)?;
        match self.make(&parent, directory, name, attributes) {
            Err(Failure::Write(_, error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
            done => return done,
        }
        match kind(&parent, name).map_err(Failure::write("look at what is there"))? {
            FileKind::Directory => {
                let there = enter(&parent, name).map_err(Failure::write("enter the directory"))?;
                self.made.change(&there, attributes).map_err(Failure::write("look at the directory"))
            }
            // A link too, even one to a directory: so does tar.
            _ => {
                self.last = None;
                unlinkat(parent.as_ref(), name, UnlinkatFlags::NoRemoveDir)
                    .map_err(Failure::write("remove what is there"))?;
                self.make(&parent, directory, name, attributes)
            }
        }
    }

    /// Makes a file, which `fill` writes.
    pub(super) fn file(
        &mut self,
        path: &MemberPath,
        attributes: Attributes,
        fill: impl FnOnce(&mut Output<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (parent, name) = self.place_of(path)?;
        let (temporary, fd) = Temporary::make(&parent, |temporary| {
            openat(parent.as_ref(), temporary, NEW_FILE, Mode::S_IRUSR | Mode::S_IWUSR)
        })
        .map_err(Failure::write("make a file"))?;
        let file = File::from(fd);
        let mut output = Output::new(&file, &mut self.buffer);
        fill(&mut output)?;
        output.finish()?;
        // The umask has no say, and half a file can be neither read nor executed by others.
        let mode = Mode::from_bits_truncate(attributes.mode & KEPT_MODE);
        fchmod(&file, mode).map_err(Failure::write("set the mode of the file"))?;
        if let Some(modified) = attributes.modified {
            futimens(&file, &TimeSpec::UTIME_OMIT, &modified).map_err(Failure::write("set the time of the file"))?;
        }
        // Network file systems may report a full disk or quota only here.
        close(file).map_err(Failure::write("write to the file"))?;
        temporary.place(name).map_err(|errno| in_the_way(errno, &parent, name, "rename the file to its name"))
    }

    /// Makes a symbolic link, wherever it leads to: none that leads out of the sandbox is ever followed.
    pub(super) fn symlink(&mut self, path: &MemberPath, target: &[u8]) -> Result<(), Failure> {
        if target.is_empty() || target.len() > LONGEST_PATH || target.contains(&0) {
            return Err(Failure::refused(format!("is a symbolic link to what is no path ({} bytes)", target.len())));
        }
        let (parent, name) = self.place_of(path)?;
        let (temporary, ()) = Temporary::make(&parent, |temporary| symlinkat(target, parent.as_ref(), temporary))
            .map_err(Failure::write("make a symbolic link"))?;
        self.last = None;
        temporary.place(name).map_err(|errno| in_the_way(errno, &parent, name, "rename the link to its name"))
    }

    /// Makes one more name of the file, or symbolic link, `source`.
    pub(super) fn hard_link(&mut self, path: &MemberPath, source: &MemberPath) -> Result<(), Failure> {
        let Some((directory, source)) = source.split() else {
            return Err(Failure::refused("is a hard link to the sandbox itself"));
        };
        let from = self.beneath.directory(directory).map_err(Failure::write("find what it is a hard link to"))?;
        self.refuse_output(&from, source)?;
        match kind(&from, source).map_err(Failure::write("find what it is a hard link to"))? {
            FileKind::File | FileKind::Symlink => {}
            other => return Err(Failure::refused(format!("is a hard link to {other}"))),
        }
        let (parent, name) = self.place_of(path)?;
        let (temporary, ()) =
            Temporary::make(&parent, |temporary| linkat(&from, source, parent.as_ref(), temporary, AtFlags::empty()))
                .map_err(Failure::write("make a hard link"))?;
        self.last = None;
        temporary.place_hard_link(name).map_err(|errno| in_the_way(errno, &parent, name, "rename the link to its name"))
    }

    /// Gives the directories that were made here their modes and times, which had to wait for their content.
    ///
    /// # Errors
    /// With the path of the directory.
    pub(super) fn finish(&mut self) -> Result<(), (Vec<u8>, Failure)> {
        self.made.finish(&self.beneath)
    }

    /// The directory that a member goes to, made if needed, and the name there.
    fn place_of<'p>(&mut self, path: &'p MemberPath) -> Result<(Rc<OwnedFd>, &'p [u8]), Failure> {
        let Some((directory, name)) = path.split() else {
            return Err(Failure::refused("would take the place of the sandbox itself"));
        };
        let parent = self.parent(directory)?;
        self.refuse_output(&parent, name)?;
        Ok((parent, name))
    }

    fn parent(&mut self, components: &[Vec<u8>]) -> Result<Rc<OwnedFd>, Failure> {
        if let Some((path, directory)) = &self.last
            && path.as_slice() == components
        {
            return Ok(Rc::clone(directory));
        }
        let directory = match self.beneath.directory(components) {
            Err(Errno::ENOENT) => self.make_missing(components)?,
            found => found.map_err(Failure::write("enter its directory"))?,
        };
        let directory = Rc::new(directory);
        self.last = Some((components.to_vec(), Rc::clone(&directory)));
        Ok(directory)
    }

    /// From the deepest directory that is there on: to try each from the sandbox on would take long in deep trees.
    fn make_missing(&mut self, components: &[Vec<u8>]) -> Result<OwnedFd, Failure> {
        let mut there = components.len();
        let mut current = loop {
            there = there.saturating_sub(1);
            match self.beneath.directory(&components[..there]) {
                Err(Errno::ENOENT) if there > 0 => {}
                found => break found.map_err(Failure::write("enter its directory"))?,
            }
        };
        for (index, name) in components.iter().enumerate().skip(there) {
            self.make(&current, &components[..index], name, IMPLIED)?;
            current = enter(&current, name).map_err(Failure::write("enter its directory"))?;
        }
        Ok(current)
    }

    fn make(
        &mut self,
        parent: &OwnedFd,
        directory: &[Vec<u8>],
        name: &[u8],
        attributes: Attributes,
    ) -> Result<(), Failure> {
        self.refuse_output(parent, name)?;
        // Until all is extracted it has to be one that we can write to.
        let mode = Mode::from_bits_truncate((attributes.mode & KEPT_MODE) | 0o700);
        nix::sys::stat::mkdirat(parent, name, mode).map_err(Failure::write("make a directory"))?;
        let made = enter(parent, name).map_err(Failure::write("enter the directory"))?;
        self.made.add(&made, directory, name, attributes)
    }

    /// The container's own output is written there, by its supervisor.
    fn refuse_output(&self, parent: &OwnedFd, name: &[u8]) -> Result<(), Failure> {
        let is_output = matches!(name, b"stdout" | b"stderr")
            && self.beneath.is_root(parent).map_err(Failure::write("look at its directory"))?;
        if is_output {
            let name = String::from_utf8_lossy(name);
            return Err(Failure::refused(format!("is where the container's own {name} is written")));
        }
        Ok(())
    }
}

fn in_the_way(errno: Errno, parent: &OwnedFd, name: &[u8], action: &'static str) -> Failure {
    match kind(parent, name) {
        Ok(kind @ FileKind::Directory) if errno == Errno::EISDIR => Failure::InTheWay(kind),
        _ => Failure::Write(action, errno.into()),
    }
}
