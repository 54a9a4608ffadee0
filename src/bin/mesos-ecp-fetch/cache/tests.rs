//! One download for all who ask, and what is removed.
#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

fn key(n: u8) -> String {
    format!("{n:064x}")
}

fn cache(dir: &Path, size: u64) -> Cache {
    Cache::new(File::open(dir).unwrap(), size, None)
}

fn put(cache: &Cache, key: String, content: &[u8]) -> File {
    cache.get(key, |file| write(file, content)).unwrap()
}

fn write(file: &mut File, content: &[u8]) -> Result<(), Download> {
    file.write_all(content).map_err(|error| Download::Write { url: String::new(), error })
}

fn never(_: &mut File) -> Result<(), Download> {
    Err(Download::Url { url: "u".to_owned(), reason: "asked for again".to_owned() })
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.len() == 64 || name.ends_with(".part"));
    names.sort();
    names
}

#[test]
fn what_was_downloaded_is_kept() {
    let dir = TempDir::new().unwrap();
    let cache = cache(dir.path(), 100);
    assert_eq!(text(put(&cache, key(1), b"one")), "one");
    assert_eq!(text(cache.get(key(1), never).unwrap()), "one");
}

#[test]
fn many_who_ask_at_once_are_served_by_one_download() {
    let dir = TempDir::new().unwrap();
    let count = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let file = cache(dir.path(), 100).get(key(1), |file| {
                    count.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(50));
                    write(file, b"one")
                });
                assert_eq!(text(file.unwrap()), "one");
            });
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_failed_download_leaves_nothing_and_the_next_one_tries() {
    let dir = TempDir::new().unwrap();
    let cache = cache(dir.path(), 100);
    assert!(matches!(cache.get(key(1), never), Err(CacheError::Download(_))));
    let cut = |file: &mut File| {
        write(file, b"on")?;
        never(file)
    };
    assert!(cache.get(key(1), cut).is_err());
    assert!(names(&dir).is_empty() && !dir.path().join(format!("{}.lock", key(1))).exists());
    // Of one that was killed.
    fs::write(dir.path().join(format!("{}.part", key(1))), "half").unwrap();
    assert_eq!(text(put(&cache, key(1), b"one")), "one");
    assert_eq!(names(&dir), [key(1)]);
}

#[test]
fn the_least_recently_used_goes_first() {
    let dir = TempDir::new().unwrap();
    let cache = cache(dir.path(), 10);
    for n in 1..=3 {
        put(&cache, key(n), b"xyz");
        let long_ago = SystemTime::now() - Duration::from_secs(100 - u64::from(n));
        File::open(dir.path().join(key(n))).unwrap().set_modified(long_ago).unwrap();
    }
    let open = cache.get(key(2), never).unwrap();
    cache.get(key(1), never).unwrap();
    put(&cache, key(4), b"xyz");
    assert_eq!(names(&dir), [key(1), key(2), key(4)]);
    put(&cache, key(5), b"0123456789");
    assert_eq!(names(&dir), [key(5)]);
    assert_eq!(text(open), "xyz", "what is open stays readable");
}

#[test]
fn what_is_larger_than_the_cache_is_used_and_not_kept() {
    let dir = TempDir::new().unwrap();
    let cache = cache(dir.path(), 10);
    put(&cache, key(1), b"one");
    assert_eq!(text(put(&cache, key(2), b"larger than all")), "larger than all");
    assert_eq!(names(&dir), [key(1)]);
}

#[test]
fn what_dead_downloads_left_is_removed_and_that_of_living_ones_is_not() {
    let dir = TempDir::new().unwrap();
    let cache = cache(dir.path(), 100);
    put(&cache, key(3), b"three");
    let living = Lock::take(&cache.directory, &format!("{}.lock", key(1))).unwrap();
    for n in [1, 2] {
        fs::write(dir.path().join(format!("{}.part", key(n))), "half").unwrap();
    }
    // Nothing need be kept for that.
    cache.get(key(3), never).unwrap();
    assert_eq!(
        names(&dir),
        [key(3), format!("{}.part", key(1))].map(String::from).into_iter().rev().collect::<Vec<_>>()
    );
    drop(living);
}

#[test]
fn links_and_files_of_others_are_not_taken() {
    let dir = TempDir::new().unwrap();
    let out = TempDir::new().unwrap();
    let cache = cache(dir.path(), 100);
    fs::write(out.path().join("secret"), "secret").unwrap();
    for name in [key(1), format!("{}.lock", key(2))] {
        symlink(out.path().join("secret"), dir.path().join(name)).unwrap();
    }
    fs::create_dir(dir.path().join(key(3))).unwrap();
    fs::write(dir.path().join(key(4)), "open to all").unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(dir.path().join(key(4)), open).unwrap();
    for n in 1..=4 {
        assert!(matches!(cache.get(key(n), never), Err(CacheError::Unusable(_))), "{n}");
    }
    // What is in the way of a download's own file goes.
    symlink(out.path().join("secret"), dir.path().join(format!("{}.part", key(5)))).unwrap();
    put(&cache, key(5), b"five");
    assert_eq!(fs::read_to_string(out.path().join("secret")).unwrap(), "secret");
}
