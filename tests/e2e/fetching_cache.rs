//! The cache of downloads: one download for all, one cache for each user, nothing taken from strangers.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::agent::messages::uri;
use crate::agent::processes::{Process, signal};
use crate::agent::wire::Message;
use crate::agent::{Agent, Builder, NOBODY, eventually, need_root};
use crate::refusals::assert_says;
use crate::web::{Server, ok, until_hung_up, write};

/// An agent with a cache of its own, which is below `cache`.
fn caching() -> (Builder, tempfile::TempDir) {
    let dir = tempfile::Builder::new().prefix("ecp-e2e-cache-").tempdir_in("/tmp").unwrap();
    let flag = format!("--fetcher_cache_dir={}", dir.path().join("cache").display());
    (Agent::builder().flag(&flag), dir)
}

fn cached(url: &str) -> Message {
    uri(url).bool(4, true)
}

/// What one user's cache holds beside its locks, with the sizes.
fn kept(dir: &tempfile::TempDir, user: u32) -> Vec<(String, u64)> {
    let own = dir.path().join(format!("cache/{user}"));
    let entries = fs::read_dir(own).unwrap().map(|entry| entry.unwrap());
    let mut kept: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .filter(|(name, _)| !name.ends_with("lock"))
        .collect();
    kept.sort();
    kept
}

fn own_user() -> u32 {
    nix::unistd::Uid::effective().as_raw()
}

#[test]
fn what_was_downloaded_once_is_not_downloaded_again() {
    let server = Server::new(|asked, stream| ok(stream, asked.target.as_bytes()));
    let (builder, dir) = caching();
    let agent = builder.build();
    let fetch = |message: Message, name: &str| {
        let container = agent.task("exit 0").uri(message).launch();
        container.complete().assert_status(0);
        (container.file(name), fs::metadata(container.path(name)).unwrap().mode() & 0o7777)
    };
    assert_eq!(fetch(cached(&server.url("/a/f?x")), "f?x"), ("/a/f?x".to_owned(), 0o644));
    assert_eq!(fetch(cached(&server.url("/a/f?x#part")).bool(2, true), "f?x#part"), ("/a/f?x".to_owned(), 0o755));
    assert_eq!(fetch(cached(&server.url("/b/f")).bytes(5, "d/g"), "d/g"), ("/b/f".to_owned(), 0o644));
    assert_eq!(server.lines(), ["GET /a/f?x", "GET /b/f"]);
    assert_eq!(kept(&dir, own_user()).len(), 2);
    fetch(uri(&server.url("/a/f?x")), "f?x");
    assert_eq!(server.lines().len(), 3, "without cache it is downloaded each time");
    agent.assert_nothing_left();
}

#[test]
fn many_launches_at_once_download_a_large_file_once() {
    let body = vec![b'x'; 50 << 20];
    let server = Server::new(move |_, stream| ok(stream, &body));
    let (builder, dir) = caching();
    let agent = builder.build();
    let launches: Vec<_> = (0..20)
        .map(|_| agent.task("test $(wc -c < large) = 52428800").uri(cached(&server.url("/large"))).spawn())
        .collect();
    let containers: Vec<_> = launches
        .into_iter()
        .map(|(container, call)| {
            call.finish().ok();
            container.remember();
            container
        })
        .collect();
    for container in &containers {
        container.complete().assert_status(0);
        // They would be a gigabyte.
        fs::remove_file(container.path("large")).unwrap();
    }
    assert_eq!(server.lines(), ["GET /large"]);
    assert_eq!(kept(&dir, own_user()).len(), 1);
    agent.assert_nothing_left();
}

#[test]
fn the_least_recently_used_makes_room() {
    let server = Server::new(|asked, stream| ok(stream, &vec![b'x'; asked.target[2..].parse().unwrap()]));
    let (builder, dir) = caching();
    let agent = builder.flag("--fetcher_cache_size=3KB").build();
    let fetch =
        |target: &str| agent.task("exit 0").uri(cached(&server.url(target))).launch().complete().assert_status(0);
    fetch("/a1000");
    fetch("/b1001");
    fetch("/a1000");
    fetch("/c1002");
    fetch("/d1003");
    let sizes: Vec<u64> = {
        let mut sizes: Vec<u64> = kept(&dir, own_user()).into_iter().map(|(_, size)| size).collect();
        sizes.sort();
        sizes
    };
    assert_eq!(sizes, [1000, 1002, 1003], "b was used longest ago");
    fetch("/e4000");
    assert_eq!(kept(&dir, own_user()).len(), 3, "what is larger than the cache is not kept, and nothing goes for it");
    assert_eq!(server.lines().len(), 5);
}

#[test]
fn if_who_downloads_is_killed_the_next_one_goes_on() {
    let stalled = AtomicBool::new(false);
    let server = Server::new(move |_, stream| {
        if stalled.swap(true, Ordering::SeqCst) {
            return ok(stream, b"hello");
        }
        write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
        until_hung_up(stream);
    });
    let (builder, dir) = caching();
    let agent = builder.build();
    let (unlucky, first) = agent.task("exit 0").uri(cached(&server.url("/f"))).spawn();
    let part = || kept(&dir, own_user()).iter().any(|(name, size)| name.ends_with(".part") && *size == 3);
    eventually("it has begun", || dir.path().join(format!("cache/{}", own_user())).exists() && part());
    let (container, second) = agent.task("cat f").uri(cached(&server.url("/f"))).spawn();
    let ids = [unlucky.id.clone(), container.id.clone()];
    let fetchers = || {
        let mut all = Process::all();
        all.retain(|process| {
            process.name == "mesos-ecp-fetch"
                && process.environment().iter().any(|variable| ids.iter().any(|id| variable.ends_with(id.as_str())))
        });
        all
    };
    eventually("two of them", || fetchers().len() == 2);
    assert_eq!(server.lines().len(), 1, "the second one waits");
    let oldest =
        fetchers().into_iter().find(|process| process.environment().iter().any(|v| v.ends_with(&ids[0]))).unwrap();
    signal(oldest.pid, Signal::SIGKILL);
    assert_says(&first.finish().refused(), &["mesos-ecp-fetch", "SIGKILL"]);
    second.finish().ok();
    container.remember();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "hello");
    assert_eq!(kept(&dir, own_user()).iter().map(|(_, size)| *size).collect::<Vec<_>>(), [5]);
    agent.assert_nothing_left();
}

#[test]
fn a_failed_download_leaves_nothing_in_the_cache() {
    let server = Server::new(|_, stream| write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    let (builder, dir) = caching();
    let agent = builder.build();
    let reason = agent.task("exit 0").uri(cached(&server.url("/f"))).refused();
    assert_says(&reason, &["ended before all of the answer"]);
    assert_eq!(kept(&dir, own_user()), []);
}

#[test]
fn users_have_caches_apart() {
    need_root!();
    let server = Server::of("content");
    let (builder, dir) = caching();
    let agent = builder.build();
    let fetch = |user: &str| {
        let task = agent.task("exit 0").user(user).uri(cached(&server.url("/f")));
        task.launch().complete().assert_status(0);
    };
    fetch("nobody");
    fetch("root");
    fetch("nobody");
    assert_eq!(server.lines().len(), 2);
    let cache = dir.path().join("cache");
    for (path, uid) in [(cache.clone(), 0), (cache.join("0"), 0), (cache.join("65534"), NOBODY.0)] {
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (uid, 0o700), "{}", path.display());
    }
    let [(name, _)] = kept(&dir, NOBODY.0).try_into().unwrap();
    assert_eq!(fs::metadata(cache.join("65534").join(name)).unwrap().uid(), NOBODY.0);
    // With root's rights the same cache is used, and what is put there is the user's.
    let container = agent.task("exit 0").user("nobody").flag("--fetch_as=root").uri(cached(&server.url("/g"))).launch();
    container.complete().assert_status(0);
    assert!(
        kept(&dir, NOBODY.0)
            .iter()
            .all(|(name, _)| { fs::metadata(cache.join("65534").join(name)).unwrap().uid() == NOBODY.0 })
    );
    assert_eq!(fs::metadata(container.path("g")).unwrap().uid(), NOBODY.0);
    fetch("nobody");
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn a_cache_that_others_may_write_to_is_not_used() {
    let server = Server::of("content");
    let (builder, dir) = caching();
    let agent = builder.build();
    let cache = dir.path().join("cache");
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let own = |base: &Path| base.join(own_user().to_string());
    type Poison<'a> = Box<dyn Fn() + 'a>;
    let clear = || {
        let _ = fs::remove_dir_all(&cache);
        let _ = fs::remove_file(&cache);
    };
    let mut poisons: Vec<(&str, Poison<'_>)> = vec![
        (
            "open to all",
            Box::new(|| {
                fs::create_dir(&cache).unwrap();
                fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
            }),
        ),
        ("a link", Box::new(|| symlink(&out, &cache).unwrap())),
        (
            "a link in it",
            Box::new(|| {
                fs::create_dir(&cache).unwrap();
                symlink(&out, own(&cache)).unwrap();
            }),
        ),
        ("a file", Box::new(|| fs::write(&cache, "").unwrap())),
    ];
    if own_user() == 0 {
        poisons.push((
            "somebody else's",
            Box::new(|| {
                fs::create_dir_all(own(&cache)).unwrap();
                chown(own(&cache), Some(NOBODY.0), None).unwrap();
            }),
        ));
    }
    for (what, poison) in &poisons {
        clear();
        poison();
        let container = agent.task("cat f").uri(cached(&server.url("/f"))).launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "content");
        let said = container.file("stderr");
        assert!(said.contains("warning: the cache is not used"), "{what}: {said}");
    }
    assert_eq!(server.lines().len(), poisons.len());
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn a_full_cache_is_done_without() {
    need_root!();
    let body = vec![b'x'; 1 << 20];
    let server = Server::new(move |_, stream| ok(stream, &body));
    let (builder, dir) = caching();
    let agent = builder.build();
    let tiny = crate::full_disk::Tiny::mount(&dir.path().join("cache"));
    let container = agent.task("wc -c < f").uri(cached(&server.url("/f"))).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout").trim(), "1048576");
    assert!(container.file("stderr").contains("No space left on device"), "{}", container.file("stderr"));
    assert_eq!(kept(&dir, 0), [], "no part of it is left");
    drop(tiny);
}
