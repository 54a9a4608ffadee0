//! Files that are there as a whole or not at all.
#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use prost::Message;

use crate::error::{Error, Result};
use crate::protocol::{self, Described};
use crate::step::step_of;

/// A file of ours is never larger: a launch record's limit and some.
const LIMIT: u64 = (64 << 20) + (1 << 20);

/// Writes `path` so that readers see the old content or the new one, whole. Concurrent writers must hold the container's
/// lock. Not synced to disk: the state is void after a reboot, and a crashed process takes nothing out of the page cache.
pub fn write(name: &'static str, path: &Path, content: &[u8]) -> Result<()> {
    write_of(name, "", path, content)
}

/// The same for one of several: `of` says which, in the step's name.
pub fn write_of(name: &'static str, of: &str, path: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    create(temporary, content)?;
    step_of(name, of, || fs::rename(temporary, path)).map_err(Error::path("rename into place", path))
}

/// Writes a file that nobody reads yet.
pub fn create(path: &Path, content: &[u8]) -> Result<()> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        // A quota or a network file system may only say at close that the data is lost.
        nix::unistd::close(file).map_err(io::Error::from)
    };
    written().map_err(|source| {
        let _ = fs::remove_file(path);
        Error::Path { operation: "write", path: path.to_path_buf(), source }
    })
}

/// Writes a message of the state directory.
pub fn write_message(name: &'static str, path: &Path, message: &impl Message) -> Result<()> {
    write(name, path, &message.encode_to_vec())
}

/// Reads a file of ours; None when it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    // Most files of ours then take one read.
    let mut content = Vec::with_capacity(4096);
    // What somebody put there in place of a file (a pipe) is read as damaged and does not keep a verb waiting.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    match file.and_then(|file| file.take(LIMIT).read_to_end(&mut content)) {
        Ok(_) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("read", path)(e)),
    }
}

/// Reads a message of the state directory; None when it is not there.
pub fn read_message<M: Message + Default + Described>(path: &Path) -> Result<Option<M>> {
    match read(path)? {
        Some(content) => Ok(Some(
            protocol::decode(&content)
                .map_err(|e| Error::Refused(format!("{} is damaged: {e}; recover sets it aside", path.display())))?,
        )),
        None => Ok(None),
    }
}
