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

/// How files of ours are opened: what somebody put there in place of one (a pipe, a link) is an error, and keeps nobody waiting.
pub fn opening() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).mode(0o600);
    options
}

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
    let rename = || step_of(name, of, || fs::rename(temporary, path));
    let renamed = rename().or_else(|e| if clear(path) { rename() } else { Err(e) });
    renamed.map_err(Error::path("rename into place", path))
}

/// Takes away what is no file of ours, for a second try; says whether there is to be one.
fn clear(path: &Path) -> bool {
    let in_the_way = fs::symlink_metadata(path).is_ok_and(|found| !found.is_file());
    in_the_way && step_of("clear", "", || fs::remove_file(path).or_else(|_| fs::remove_dir_all(path))).is_ok()
}

/// Writes a file that nobody reads yet.
pub fn create(path: &Path, content: &[u8]) -> Result<()> {
    let written = || -> io::Result<()> {
        let open = || opening().write(true).create(true).truncate(true).open(path);
        let mut file = open().or_else(|e| if clear(path) { open() } else { Err(e) })?;
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
    match opening().read(true).open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut content)) {
        Ok(_) => Ok(Some(content)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::path("read", path)(e)),
    }
}

/// Empties a file of ours, whatever stands in its place.
pub fn empty(path: &Path) {
    if let Err(e) = opening().write(true).open(path).and_then(|file| file.set_len(0))
        && e.kind() != io::ErrorKind::NotFound
    {
        // What stays takes room and does no harm.
        clear(path);
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
