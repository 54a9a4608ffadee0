//! Opening a configuration file, and whether it may be trusted.
#![forbid(unsafe_code)]

use std::fs::{FileType, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::FileError;

/// Bytes of the largest file that is read.
pub const LIMIT: u64 = 64 << 10;

/// The text of the file at `path`; absent if there is none and nothing asked for it (`named_by`). Opened once, and judged by
/// what was opened: whatever the name leads to a moment later does not count.
///
/// # Errors
/// A file that is missing, cannot be read, is no regular file, belongs to neither root nor the caller or may be written to by
/// others, is larger than [`LIMIT`] or not UTF-8.
pub fn read(path: &Path, named_by: Option<&str>) -> Result<Option<String>, FileError> {
    // A FIFO that nobody writes to would block the agent's call, and a terminal is not to become ours.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let failed = |operation| move |error: std::io::Error| FileError::Io { operation, reason: in_words(&error) };
    let file = match (OpenOptions::new().read(true).custom_flags(flags).open(path), named_by) {
        (Ok(file), _) => file,
        (Err(error), None) if error.kind() == ErrorKind::NotFound => return Ok(None),
        (Err(error), Some(setting)) if error.kind() == ErrorKind::NotFound => {
            return Err(FileError::Missing { setting: setting.to_owned() });
        }
        (Err(error), _) => return Err(failed("open")(error)),
    };
    let found = file.metadata().map_err(failed("look at"))?;
    if !found.is_file() {
        return Err(FileError::NotRegular { kind: kind(found.file_type()) });
    }
    trusted(found.uid(), found.mode(), nix::unistd::geteuid().as_raw())?;
    let mut bytes = Vec::with_capacity(found.len().min(LIMIT) as usize + 1);
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed("read"))?;
    if bytes.len() as u64 > LIMIT {
        return Err(FileError::TooLarge { limit: LIMIT });
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        FileError::NotUtf8 { line: 1 + valid.filter(|byte| **byte == b'\n').count() }
    })
}

/// Whether only root and the caller could write the file. Its directories are the operator's affair: who may write to them can
/// replace it by other files of root's, and some of those have a text of one's own (`/proc/PID/comm` of a setuid program).
fn trusted(owner: u32, mode: u32, caller: u32) -> Result<(), FileError> {
    if owner != 0 && owner != caller {
        return Err(FileError::Owner { owner, caller });
    }
    if mode & 0o022 != 0 {
        return Err(FileError::Writable { mode: mode & 0o7777 });
    }
    Ok(())
}

fn kind(found: FileType) -> &'static str {
    match found {
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_dir() => "a directory",
        _ => "a device",
    }
}

/// Without the number that the standard library adds.
fn in_words(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| nix::Error::from_raw(number).desc().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    const NAMED: Option<&str> = Some("--config=x");

    fn made(dir: &tempfile::TempDir, content: &[u8]) -> PathBuf {
        let path = dir.path().join("config.toml");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    fn refusal(path: &Path) -> String {
        read(path, NAMED).unwrap_err().to_string()
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none");
        assert_eq!(read(&path, None), Ok(None));
        let message = refusal(&path);
        assert!(message.contains("no such file") && message.contains("--config=x"), "{message}");
        let path = made(&dir, b"quiet = true\n");
        assert_eq!(read(&path, None), Ok(Some("quiet = true\n".to_owned())));
        // Below a file there is nothing, which is not the same as no file.
        assert!(read(&path.join("below"), None).unwrap_err().to_string().contains("cannot open"));
    }

    #[test]
    fn who_may_have_written_it() {
        for (owner, mode, caller, trust) in [
            (0, 0o100_644, 0, true),
            (0, 0o100_644, 1000, true),
            (1000, 0o100_600, 1000, true),
            (1000, 0o100_600, 0, false),
            (1000, 0o100_644, 1001, false),
            (0, 0o100_664, 0, false),
            (0, 0o100_646, 0, false),
            (1000, 0o100_620, 1000, false),
        ] {
            assert_eq!(trusted(owner, mode, caller).is_ok(), trust, "{owner} {mode:o} {caller}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = made(&dir, b"");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(refusal(&path).contains("its mode is 0664"), "{}", refusal(&path));
    }

    #[test]
    fn only_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o644)).unwrap();
        assert!(refusal(&fifo).contains("it is a FIFO"), "{}", refusal(&fifo));
        assert!(refusal(dir.path()).contains("it is a directory"), "{}", refusal(dir.path()));
        assert!(refusal(Path::new("/dev/null")).contains("it is a device"));
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(refusal(&socket).contains("cannot open it: No such device"), "{}", refusal(&socket));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(made(&dir, b"x"), &link).unwrap();
        assert_eq!(read(&link, None), Ok(Some("x".to_owned())));
    }

    #[test]
    fn its_size_is_bounded_and_its_bytes_are_text() {
        let dir = tempfile::tempdir().unwrap();
        let most = LIMIT as usize;
        assert_eq!(read(&made(&dir, &vec![b' '; most]), None).unwrap().unwrap().len(), most);
        assert!(refusal(&made(&dir, &vec![b' '; most + 1])).contains("more than 65536 bytes"));
        let message = refusal(&made(&dir, b"quiet = true\n\n# \xff\n"));
        assert_eq!(message, ":3: not valid UTF-8, which TOML is");
    }
}
