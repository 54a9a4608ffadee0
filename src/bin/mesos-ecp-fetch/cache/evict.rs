//! Making room: what dead downloads left, and of the others what was not used for longest.
#![forbid(unsafe_code)]

use std::io;
use std::time::SystemTime;

use super::directory::Directory;
use super::lock::Lock;

/// Removes files until at most `size` bytes are left. One that somebody has open stays readable for it.
pub fn until(directory: &Directory, size: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for name in directory.names()? {
        if is_key(&name) {
            match directory.open(&name) {
                Ok(Some(file)) => {
                    let found = file.metadata()?;
                    files.push((found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len(), name));
                }
                Ok(None) => {}
                // Nothing that a download left; a directory stays where it is.
                Err(_) => drop(directory.remove(&name)),
            }
        }
    }
    files.sort();
    let mut kept: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (_, length, name) in files {
        if kept <= size {
            break;
        }
        let lock = format!("{name}.lock");
        // Without its lock, whoever waits for it would find it gone between two looks, and fetch it again: no harm.
        let held = Lock::try_take(directory, &lock)?;
        directory.remove(&name)?;
        if held.is_some() {
            directory.remove(&lock)?;
        }
        kept -= length;
    }
    Ok(())
}

/// Removes what killed processes had begun to download. That it cannot be removed is no reason not to use the rest.
pub fn abandoned(directory: &Directory) {
    for name in directory.names().unwrap_or_default() {
        if let Some(key) = name.strip_suffix(".part").filter(|key| is_key(key)) {
            let _ = remove_abandoned(directory, key);
        }
    }
}

fn remove_abandoned(directory: &Directory, key: &str) -> io::Result<()> {
    let lock = format!("{key}.lock");
    if let Some(_held) = Lock::try_take(directory, &lock)? {
        directory.remove(&format!("{key}.part"))?;
        directory.remove(&lock)?;
    }
    Ok(())
}

fn is_key(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
