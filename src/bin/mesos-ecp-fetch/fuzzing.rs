//! Hostile archives and URLs: see `mesos_ecp::fuzzing`, whose two other targets these are. Called by cargo-fuzz, and by plain tests here.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::extract::{Kind, Limits, extract_with};
use crate::http::Url;

use scratch::Scratch;

#[cfg(test)]
#[path = "../../fuzzing/plain.rs"]
mod plain;
#[path = "../../fuzzing/scratch.rs"]
mod scratch;

/// What an archive may become here.
const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 300 };

const NAMES: [&str; 3] = ["x.tar", "x.gz", "x.zip"];

/// An archive, of a kind that the first byte says, into a sandbox in which somebody has laid links. Whatever it is, nothing beside the sandbox
/// changes, nothing gets larger than the limits, and nothing is made but files, directories and links, without special rights.
pub fn archive(data: &[u8]) {
    let (which, content) = data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest));
    let name = NAMES[which % NAMES.len()];
    let scratch = Scratch::new();
    let secret = scratch.file("out/secret", b"secret");
    let sandbox = scratch.path().join("box");
    scratch.file("box/there", b"there");
    for (link, target) in [("out", "../out"), ("file", "../out/secret"), ("new", "../out/new"), ("up", "..")] {
        symlink(target, sandbox.join(link)).unwrap();
    }
    let before = (state(&secret), state(&scratch.path().join("out")));
    let path = scratch.file("archive", content);
    let archive = File::open(path).unwrap();
    // Every other time as on a kernel without openat2.
    let openat2 = (which / NAMES.len()).is_multiple_of(2);
    let kind = Kind::of(name).unwrap();
    let done = extract_with(&archive, kind, name, &File::open(&sandbox).unwrap(), None, &LIMITS, openat2);
    if let Err(error) = done {
        assert!(error.to_string().contains(name));
    }
    assert_eq!(
        (state(&secret), state(&scratch.path().join("out"))),
        before,
        "something beside the sandbox has changed"
    );
    let mut names: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["archive", "box", "out"]);
    let (mut bytes, mut entries) = (0, 0);
    inside(&sandbox, &mut bytes, &mut entries);
    assert!(bytes <= LIMITS.bytes + 5, "{bytes} bytes");
    // With directories that only stand in names of others.
    assert!(entries <= LIMITS.entries * 600, "{entries} entries");
}

fn state(path: &Path) -> (u32, u64, u64, i64, i64, Vec<u8>) {
    let found = fs::symlink_metadata(path).unwrap();
    let content = if found.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    (found.mode(), found.nlink(), found.size(), found.mtime(), found.mtime_nsec(), content)
}

fn inside(directory: &Path, bytes: &mut u64, entries: &mut u64) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        assert!(!name.to_string_lossy().contains(".mesos-ecp-fetch"), "{name:?} is left");
        let found = entry.metadata().unwrap();
        let kind = found.file_type();
        assert!(kind.is_file() || kind.is_dir() || kind.is_symlink(), "{name:?} is of another kind");
        assert!(kind.is_symlink() || found.mode() & 0o7000 == 0, "{name:?} has mode {:o}", found.mode());
        *entries += 1;
        if kind.is_dir() {
            // Who is not root could neither look into it nor remove it.
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o755)).unwrap();
            inside(&entry.path(), bytes, entries);
        } else if kind.is_file() && found.nlink() == 1 {
            *bytes += found.size();
        }
    }
}

/// A URL in the first line, and in each other where a server sends us from there. What goes into a request is what a request may have, the same when
/// it is read again, and nothing that is shown has a password in it.
pub fn url(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    let mut lines = text.split('\n');
    let mut url = match Url::parse(lines.next().unwrap_or_default()) {
        Ok(url) => url,
        Err(error) => return assert!(!error.to_string().contains(char::is_control)),
    };
    check(&url);
    for line in lines {
        match url.join(line) {
            Ok(next) => url = next,
            Err(reason) => return assert!(!reason.is_empty()),
        }
        check(&url);
    }
}

fn check(url: &Url) {
    let request = url.request();
    assert!(request.bytes().all(|byte| byte.is_ascii_graphic()), "{request:?}");
    let again = Url::parse(&request).expect("what is asked for can be read");
    assert_eq!((again.request(), again.host(), again.port()), (request.clone(), url.host(), url.port()));
    assert_eq!(again.credentials(), None, "{request:?}");
    assert!(!url.host().is_empty() && url.is_https() == request.starts_with("https://"));
    assert!(request.starts_with(&format!("{}/", url.server_text())));
    assert!(request.starts_with(url.to_string().trim_end_matches("?...")));
    assert_eq!(url.key().len(), 64);
    assert!(url.credentials().is_none_or(|plain| plain.contains(&b':')));
}

#[cfg(test)]
mod tests {
    use super::{archive, plain, url};

    /// Each takes directories and files: thousands would take long.
    const ARCHIVES: usize = 800;

    fn not_counted(action: &dyn Fn()) -> Option<usize> {
        action();
        None
    }

    #[test]
    fn archives() {
        plain::run("archive", archive, plain::inputs(ARCHIVES), not_counted);
    }

    #[test]
    fn urls() {
        plain::run("url", url, plain::inputs(4000), not_counted);
    }
}
