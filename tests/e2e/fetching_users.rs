//! With whose rights URIs are fetched, and archives by our own program.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::agent::messages::uri;
use crate::agent::{Agent, NOBODY, need_root};
use crate::refusals::assert_says;
use crate::web::{Server, ok};

/// A file outside all sandboxes that only root can read.
fn secret(agent: &Agent) -> PathBuf {
    let path = agent.path("secret.txt");
    fs::write(&path, "secret\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// `NAME.tar.gz` with `hello.txt` and `bin/tool` in it.
fn archive(agent: &Agent, name: &str) -> PathBuf {
    let dir = agent.path("packed");
    fs::create_dir_all(dir.join("bin")).unwrap();
    fs::write(dir.join("hello.txt"), "hello\n").unwrap();
    fs::write(dir.join("bin/tool"), "#!/bin/sh\necho tool\n").unwrap();
    fs::set_permissions(dir.join("bin/tool"), Permissions::from_mode(0o755)).unwrap();
    let path = agent.path(&format!("{name}.tar.gz"));
    let packed = Command::new("tar").arg("czf").arg(&path).arg("-C").arg(&dir).args(["hello.txt", "bin"]).status();
    assert!(packed.unwrap().success());
    path
}

/// What `ls` says of a sandbox with these in it.
fn listed(names: &[&str]) -> String {
    let mut all = [names, &["stderr", "stdout"]].concat();
    all.sort_unstable();
    all.iter().map(|name| format!("{name}\n")).collect()
}

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

#[test]
fn as_root_the_agents_files_come_and_become_the_users() {
    need_root!();
    let agent = Agent::builder().flag("--fetch_as=root").build();
    let (secret, packed) = (secret(&agent), archive(&agent, "private"));
    fs::set_permissions(&packed, Permissions::from_mode(0o600)).unwrap();
    let server = Server::of("content");
    let task = agent.task("cat deep/down/secret hello.txt web/f && bin/tool").user("nobody");
    let task = task.uri(uri(secret.to_str().unwrap()).bytes(5, "deep/down/secret")).uri(uri(packed.to_str().unwrap()));
    let container = task.uri(uri(&server.url("/f")).bytes(5, "web/f")).launch();
    container.complete().assert_status(0);
    assert_eq!(container.file("stdout"), "secret\nhello\ncontenttool\n");
    for name in
        ["deep", "deep/down", "deep/down/secret", "private.tar.gz", "hello.txt", "bin", "bin/tool", "web", "web/f"]
    {
        assert_eq!(owner(&container.path(name)), NOBODY, "{name}");
    }
    let mode = fs::metadata(container.path("deep/down/secret")).unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o600, "nobody else may read it now either");
    agent.assert_nothing_left();
}

#[test]
fn as_the_user_what_only_root_can_read_is_refused() {
    need_root!();
    let agent = Agent::new();
    let secret = secret(&agent);
    let reason = agent.task("exit 0").user("nobody").uri(uri(secret.to_str().unwrap())).refused();
    assert_says(&reason, &["Permission denied", "user nobody", "--fetch_as=root"]);
}

#[test]
fn archives_are_extracted_without_mesos_fetcher() {
    let agent = Agent::new();
    let packed = archive(&agent, "local");
    let content = fs::read(&packed).unwrap();
    let server = Server::new(move |_, stream| ok(stream, &content));
    for value in [packed.to_str().unwrap().to_owned(), server.url("/web.tar.gz")] {
        let container = agent.task("cat hello.txt; bin/tool; LC_ALL=C ls").uri(uri(&value)).launch();
        container.complete().assert_status(0);
        let name = value.rsplit('/').next().unwrap();
        assert_eq!(container.file("stdout"), format!("hello\ntool\n{}", listed(&["bin", "hello.txt", name])));
        let kept = agent.task("LC_ALL=C ls").uri(uri(&value).bool(3, false)).launch();
        kept.complete().assert_status(0);
        assert_eq!(kept.file("stdout"), listed(&[name]));
    }
    agent.assert_nothing_left();
}

#[test]
fn by_its_new_name_it_is_an_archive_or_not() {
    let agent = Agent::new();
    let packed = archive(&agent, "local");
    let content = fs::read(&packed).unwrap();
    let server = Server::new(move |_, stream| ok(stream, &content));
    for value in [packed.to_str().unwrap().to_owned(), server.url("/web.tar.gz")] {
        let files = |name: &str| {
            let container = agent.task("find . -type f | LC_ALL=C sort").uri(uri(&value).bytes(5, name)).launch();
            container.complete().assert_status(0);
            container.file("stdout")
        };
        // Into the sandbox, wherever it is itself.
        assert_eq!(files("deep/named.tgz"), "./bin/tool\n./deep/named.tgz\n./hello.txt\n./stderr\n./stdout\n");
        assert_eq!(files("deep/named"), "./deep/named\n./stderr\n./stdout\n");
    }
}

#[test]
fn a_cached_archive_is_extracted_from_the_cache() {
    let cache = tempfile::Builder::new().prefix("ecp-e2e-cache-").tempdir_in("/tmp").unwrap();
    let flag = format!("--fetcher_cache_dir={}", cache.path().display());
    let agent = Agent::builder().flag(&flag).build();
    let content = fs::read(archive(&agent, "local")).unwrap();
    let server = Server::new(move |_, stream| ok(stream, &content));
    for _ in 0..2 {
        let container = agent.task("LC_ALL=C ls").uri(uri(&server.url("/web.tar.gz")).bool(4, true)).launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout"), "bin\nhello.txt\nstderr\nstdout\n", "the archive itself does not come");
    }
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_broken_archive_fails_the_launch() {
    let agent = Agent::new();
    let broken = agent.path("broken.tar.gz");
    fs::write(&broken, "this is no archive").unwrap();
    assert_says(&agent.task("exit 0").uri(uri(broken.to_str().unwrap())).refused(), &["broken.tar.gz"]);
}
