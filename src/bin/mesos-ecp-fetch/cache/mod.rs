//! One user's downloads, kept for later containers of that user.
//!
//! In the directory, by a hash of the URL: `KEY` is the file, whole; `KEY.part` one that is being downloaded; `KEY.lock` is
//! locked (flock) by who downloads. `lock` is locked for the moment of making room. Nothing in it is followed if it is a
//! symbolic link, and nothing is taken that is not a plain file of the user's.
#![forbid(unsafe_code)]

mod directory;
mod evict;
mod lock;

use std::fs::File;
use std::io::{self, Seek};
use std::time::SystemTime;

use nix::unistd::{Gid, Uid};

use crate::error::Download;
use directory::Directory;
use lock::Lock;

/// The cache of the user that this process works for.
#[derive(Debug)]
pub struct Cache {
    directory: Directory,
    size: u64,
}

/// Why there is no file from it.
#[derive(Debug)]
pub enum CacheError {
    /// The download itself failed.
    Download(Download),
    /// The cache cannot be written: why.
    Unusable(String),
}

impl From<io::Error> for CacheError {
    fn from(error: io::Error) -> Self {
        CacheError::Unusable(error.to_string())
    }
}

impl Cache {
    /// The cache in this directory, of at most so many bytes. Files are given to `owner`, if it is not this process's user.
    pub fn new(directory: File, size: u64, owner: Option<(Uid, Gid)>) -> Cache {
        Cache { directory: Directory::new(directory, owner), size }
    }

    /// The file of this key, open at its beginning: the one that is there, or what `download` writes. Of several that ask at
    /// the same time one downloads, and the others wait for it; if it fails, or is killed, the next one tries.
    ///
    /// # Errors
    /// That of the download, or that the cache cannot be used: no room, or somebody meddled with it.
    pub fn get(
        &self,
        key: String,
        download: impl FnOnce(&mut File) -> Result<(), Download>,
    ) -> Result<File, CacheError> {
        evict::abandoned(&self.directory);
        if let Some(file) = self.present(&key)? {
            return Ok(file);
        }
        let lock = Lock::take(&self.directory, &format!("{key}.lock"))?;
        if let Some(file) = self.present(&key)? {
            return Ok(file);
        }
        let part = format!("{key}.part");
        // Of somebody who was killed: its lock is ours now.
        self.directory.remove(&part)?;
        let mut file = self.directory.create(&part)?;
        let kept = self.fill(&key, &part, &mut file, download);
        if !matches!(kept, Ok(true)) {
            self.directory.remove(&part)?;
            // Otherwise such locks would become ever more.
            self.directory.remove(&format!("{key}.lock"))?;
        }
        drop(lock);
        kept?;
        Ok(file)
    }

    /// Whether it was small enough to be kept.
    fn fill(
        &self,
        key: &str,
        part: &str,
        file: &mut File,
        download: impl FnOnce(&mut File) -> Result<(), Download>,
    ) -> Result<bool, CacheError> {
        download(file).map_err(|error| match error {
            Download::Write { error, .. } => CacheError::Unusable(error.to_string()),
            error => CacheError::Download(error),
        })?;
        // It outlives a crash of the host, as whole as it looks.
        file.sync_data()?;
        file.rewind()?;
        let length = file.metadata()?.len();
        if length > self.size {
            return Ok(false);
        }
        let _room = Lock::take(&self.directory, "lock")?;
        evict::until(&self.directory, self.size - length)?;
        self.directory.rename(part, key)?;
        Ok(true)
    }

    fn present(&self, key: &str) -> io::Result<Option<File>> {
        let file = self.directory.open(key)?;
        if let Some(file) = &file {
            // By this it is told which was used last. Not being able to say so is no reason not to use it.
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests;
