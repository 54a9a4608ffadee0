//! Values below /proc/sys/net: those of this thread's network namespace.
#![forbid(unsafe_code)]

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::step::step_of;

const ROOT: &str = "/proc/sys/net";

fn path(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// None: this kernel, or a namespace that is not the host's first, does not have it.
///
/// # Errors
/// Those of reading.
pub(super) fn read(name: &str) -> Result<Option<String>> {
    let path = path(name);
    // One read: none is as long as this, and the file's size says nothing.
    let mut text = [0; 512];
    match fs::File::open(&path).and_then(|mut file| file.read(&mut text)) {
        Ok(count) => Ok(Some(String::from_utf8_lossy(text.get(..count).unwrap_or_default()).trim().to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("read", &path)(e)),
    }
}

/// Says false where there is none.
///
/// # Errors
/// Those of writing.
pub(super) fn write(name: &str, value: &str) -> Result<bool> {
    let path = path(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    match fs::OpenOptions::new().write(true).open(&path) {
        Ok(mut file) => match step_of("sysctl", last, || std::io::Write::write_all(&mut file, value.as_bytes())) {
            Ok(()) => Ok(true),
            Err(source) => Err(Error::Control { path, value: value.to_owned(), source }),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::path("open", &path)(e)),
    }
}

/// One that the kernel must have.
///
/// # Errors
/// It does not have it; those of writing.
pub(super) fn must_write(name: &str, value: &str) -> Result<()> {
    if write(name, value)? {
        return Ok(());
    }
    Err(Error::path("find", path(name))(ErrorKind::NotFound.into()))
}
