//! The container's view of the file system, put together in its own mount namespace.
//!
//! What is mounted was made before the clone; here it is only put in its place, by descriptor: a place is opened below the
//! container's root without following any symbolic link, so that nobody who swaps names meanwhile can lead it elsewhere.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use super::{Child, ChildStep};
use crate::sys::mount::{
    Attributes, FSCONFIG_SET_STRING, How, RDONLY, attach_raw, make_raw, openat2_raw, set_attributes_raw,
};
use crate::sys::setup::{Content, Mount, Root, Source};

const NONE: *const libc::c_char = std::ptr::null();

/// Every host has it, and no root directory of a container is below it.
const LAYER_PLACE: &CStr = c"/sys";

impl Child<'_> {
    /// Mounts, changes the root, and changes to the working directory.
    ///
    /// # Safety
    /// As `run`.
    pub(super) unsafe fn mount(&self) {
        let setup = self.setup;
        // SAFETY: called by `run` under its conditions; descriptors and strings are those of `setup`, which outlives this.
        unsafe {
            let Some(directory) = &setup.directory else {
                if libc::fchdir(self.directory) < 0 {
                    self.fail(ChildStep::Directory);
                }
                return;
            };
            // What the host unmounts must go here, too, and nothing of this namespace may reach the host.
            if libc::mount(NONE, c"/".as_ptr(), NONE, libc::MS_SLAVE | libc::MS_REC, std::ptr::null()) < 0 {
                self.fail(ChildStep::Propagation);
            }
            let host = libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC);
            if host < 0 {
                self.fail(ChildStep::Root);
            }
            let root = match &setup.root {
                None => host,
                Some(root) => {
                    let tree = self.root(host, root);
                    if tree < 0 {
                        self.fail(ChildStep::Root);
                    }
                    tree as i32
                }
            };
            for (number, mount) in setup.mounts.iter().enumerate() {
                if !self.mount_one(root, mount) {
                    self.fail_at(ChildStep::Mount, number);
                }
            }
            if setup.root.is_some() && !enter(root) {
                self.fail(ChildStep::Root);
            }
            let directory = self.open_below(root, directory);
            if directory < 0 || libc::fchdir(directory as i32) < 0 || !is_reachable() {
                self.fail(ChildStep::Directory);
            }
        }
    }

    /// Puts the root directory together; returns its descriptor, or a negative number.
    unsafe fn root(&self, host: i32, root: &Root) -> i64 {
        // SAFETY: as above.
        unsafe {
            let tree = match &root.content {
                Content::Tree(tree) => i64::from(tree.as_raw_fd()),
                Content::Layer { tree, attributes } => self.layered(host, tree.as_raw_fd(), &root.at, *attributes),
            };
            let at = self.open_below(host, &root.at);
            if tree < 0 || at < 0 || attach_raw(tree as i32, at as i32) < 0 {
                return -1;
            }
            tree
        }
    }

    /// An overlay of the layer over the directory `below`. It is found by the working directory, because its own mount has
    /// no path: the place where it is mounted for the moment is covered and out of reach before the command runs.
    unsafe fn layered(&self, host: i32, layer: i32, below: &CStr, attributes: u64) -> i64 {
        // SAFETY: as above; strings with a NUL, numbers and null pointers.
        unsafe {
            let place = self.open_below(host, LAYER_PLACE);
            if place < 0 || attach_raw(layer, place as i32) < 0 || libc::fchdir(layer) < 0 {
                return -1;
            }
            let overlay = libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), libc::FSOPEN_CLOEXEC);
            if overlay < 0 {
                return overlay;
            }
            for (name, value) in [(c"lowerdir", below), (c"upperdir", c"upper"), (c"workdir", c"work")] {
                let (name, value) = (name.as_ptr(), value.as_ptr());
                if libc::syscall(libc::SYS_fsconfig, overlay, FSCONFIG_SET_STRING, name, value, 0) < 0 {
                    return -1;
                }
            }
            make_raw(overlay as i32, attributes)
        }
    }

    unsafe fn mount_one(&self, root: i32, mount: &Mount) -> bool {
        // SAFETY: as above.
        unsafe {
            let at = self.open_below(root, &mount.at);
            if at < 0 {
                let optional =
                    matches!(mount.source, Source::TreeIfThere(_) | Source::FreshIfThere { .. } | Source::ReadOnly);
                return optional && *libc::__errno_location() == libc::ENOENT;
            }
            let at = at as i32;
            let tree = match &mount.source {
                Source::Tree(tree) | Source::Mapped(tree) | Source::TreeIfThere(tree) => i64::from(tree.as_raw_fd()),
                Source::Fresh { kind, attributes } | Source::FreshIfThere { kind, attributes } => {
                    fresh(kind, *attributes)
                }
                Source::ReadOnly => read_only(at),
            };
            let done = tree >= 0 && attach_raw(tree as i32, at) >= 0;
            let errno = *libc::__errno_location();
            libc::close(at);
            *libc::__errno_location() = errno;
            done
        }
    }

    /// Opens an absolute path of the container below its root.
    unsafe fn open_below(&self, root: i32, path: &CStr) -> i64 {
        let how = How { flags: (libc::O_PATH | libc::O_CLOEXEC) as u64, mode: 0, resolve: self.setup.resolve };
        // SAFETY: the path begins with a slash, so there is at least a NUL behind its first byte; `.` is a constant.
        unsafe {
            let below = path.as_ptr().add(1);
            let below = if *below == 0 { c".".as_ptr() } else { below };
            loop {
                let fd = openat2_raw(root, below, &how);
                if fd >= 0 || *libc::__errno_location() != libc::EAGAIN {
                    return fd;
                }
            }
        }
    }
}

unsafe fn fresh(kind: &CStr, attributes: u64) -> i64 {
    // SAFETY: a string with a NUL and numbers; the descriptor is of fsopen.
    unsafe {
        let configured = libc::syscall(libc::SYS_fsopen, kind.as_ptr(), libc::FSOPEN_CLOEXEC);
        if configured < 0 { configured } else { make_raw(configured as i32, attributes) }
    }
}

/// A read-only copy of what is mounted there.
unsafe fn read_only(at: i32) -> i64 {
    let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC as u32 | libc::AT_EMPTY_PATH as u32 | libc::AT_RECURSIVE as u32;
    let attributes = Attributes { set: RDONLY, ..Attributes::default() };
    // SAFETY: an open descriptor, a constant path and numbers.
    unsafe {
        let tree = libc::syscall(libc::SYS_open_tree, at, c"".as_ptr(), flags);
        if tree >= 0 && set_attributes_raw(tree as i32, &attributes, true) < 0 {
            return -1;
        }
        tree
    }
}

/// Makes the mount of this descriptor the root, and gives up the old one: pivot_root(2), "pivot_root(".", ".")".
unsafe fn enter(root: i32) -> bool {
    let here = c".".as_ptr();
    // SAFETY: constant paths.
    unsafe {
        libc::fchdir(root) >= 0
            && libc::syscall(libc::SYS_pivot_root, here, here) >= 0
            && libc::umount2(here, libc::MNT_DETACH) >= 0
            && libc::chdir(c"/".as_ptr()) >= 0
    }
}

/// Whether the working directory is below the root: else it would be a way out.
unsafe fn is_reachable() -> bool {
    let mut path = [0u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most the length that it is given.
    let length = unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) };
    // "(unreachable)/..." is what it says of the others.
    length > 0 && path[0] == b'/'
}
