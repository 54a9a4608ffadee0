//! What is copied, what is handed over, what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;

fn job(uris: impl IntoIterator<Item = Uri>) -> Job {
    Job {
        uris: uris.into_iter().collect(),
        sandbox: "/sandbox".into(),
        frameworks_home: Some("/frameworks".into()),
        launcher_dir: Some("/libexec".into()),
        ..Job::default()
    }
}

fn steps(uris: impl IntoIterator<Item = Uri>) -> Vec<Step> {
    plan(&job(uris), || None).unwrap().steps
}

fn refused(uri: Uri) -> String {
    plan(&job([uri]), || None).unwrap_err().to_string()
}

fn to_output_file(name: &str) -> Uri {
    Uri { output_file: Some(name.to_owned()), ..Uri::new("/srv/plain.txt") }
}

fn copied(from: &str, to: &[&str], executable: bool) -> Step {
    Step::Copy(Local { from: from.into(), to: to.iter().map(|&name| name.to_owned()).collect(), executable })
}

#[test]
fn the_uris_the_agents_sent() {
    // Tasks of agents 0.22.2 (which knows no cache field), 0.28.2 and 1.0.4.
    for cache in [None, Some(false), Some(false)] {
        let archive = Uri::new("/srv/artifacts/hello.tar.gz");
        let tool = Uri { executable: true, ..Uri::new("file:///srv/artifacts/tool.sh") };
        let plain = Uri { extract: false, cache, ..Uri::new("/srv/artifacts/plain.txt") };
        assert_eq!(
            steps([archive.clone(), tool, plain]),
            [
                Step::HandOver(vec![archive]),
                copied("/srv/artifacts/tool.sh", &["tool.sh"], true),
                copied("/srv/artifacts/plain.txt", &["plain.txt"], false),
            ]
        );
    }
}

#[test]
fn files_of_this_host_are_copied() {
    for (value, from) in [
        ("/a/f", "/a/f"),
        ("/a b/f%20", "/a b/f%20"),
        ("/with://inside/f", "/with://inside/f"),
        ("file:///a/f", "/a/f"),
        ("FILE:///a/f", "/a/f"),
        ("file://localhost/a/f", "/a/f"),
        (" \t/a/f", "/a/f"),
        ("f", "/frameworks/f"),
        ("a/../f", "/frameworks/a/../f"),
        ("1a://f", "/frameworks/1a://f"),
    ] {
        let name = from.rsplit('/').next().unwrap();
        assert_eq!(steps([Uri::new(value)]), [copied(from, &[name], false)], "{value}");
    }
}

#[test]
fn archives_are_copied_when_they_are_not_to_be_extracted() {
    let kept = Uri { extract: false, ..Uri::new("/a/x.tgz") };
    let run = Uri { executable: true, ..Uri::new("/a/x.tgz") };
    // The name it is stored by decides, as in the release that knows output_file.
    let renamed = Uri { output_file: Some("x.bin".to_owned()), ..Uri::new("/a/x.tgz") };
    assert_eq!(steps([kept]), [copied("/a/x.tgz", &["x.tgz"], false)]);
    assert_eq!(steps([run]), [copied("/a/x.tgz", &["x.tgz"], true)]);
    assert_eq!(steps([renamed]), [copied("/a/x.tgz", &["x.bin"], false)]);
}

#[test]
fn archives_are_handed_over_resolved() {
    for (value, handed) in [
        ("a/x.zip", "/frameworks/a/x.zip"),
        ("file://localhost/a/x.zip", "/a/x.zip"),
        ("/a://b/x.zip", "file:///a://b/x.zip"),
    ] {
        assert_eq!(steps([Uri::new(value)]), [Step::HandOver(vec![Uri::new(handed)])]);
    }
}

#[test]
fn other_schemes_are_handed_over_and_neighbours_together() {
    let remote = ["http://h/a", "hdfs://h/b", "s3n://h/c?d=/e"].map(Uri::new);
    let [first, second, third] = remote.clone();
    assert_eq!(
        steps([first, second, Uri::new("/f"), third]),
        [Step::HandOver(remote[..2].to_vec()), copied("/f", &["f"], false), Step::HandOver(remote[2..].to_vec()),]
    );
}

fn own_steps(uris: impl IntoIterator<Item = Uri>) -> Vec<Step> {
    plan(&job(uris), || Some("/bin/mesos-ecp-fetch".into())).unwrap().steps
}

fn from_web(url: &str, to: &str, extract: bool) -> Item {
    Item { url: Some(url.into()), to: vec![to.into()], extract: extract.then_some(true), ..Item::default() }
}

#[test]
fn the_own_fetcher_gets_web_and_archives_where_it_is_installed() {
    let uris = ["http://h/a", "HTTPS://h/b.tgz", "/f", "/x.zip", "hdfs://h/c.tgz", "http://h/d"].map(Uri::new);
    let packed = Item { to: vec!["x.zip".into()], extract: Some(true), ..Item::default() };
    assert_eq!(
        own_steps(uris.clone()),
        [
            Step::Own(vec![from_web("http://h/a", "a", false), from_web("HTTPS://h/b.tgz", "b.tgz", true)]),
            copied("/f", &["f"], false),
            copied("/x.zip", &["x.zip"], false),
            Step::Own(vec![packed]),
            Step::HandOver(vec![uris[4].clone()]),
            Step::Own(vec![from_web("http://h/d", "d", false)]),
        ]
    );
    let found = plan(&job(uris), || Some("/bin/mesos-ecp-fetch".into())).unwrap();
    assert_eq!(found.program().unwrap(), Path::new("/bin/mesos-ecp-fetch"));
    assert_eq!(found.handed_over(), "http://h/a, HTTPS://h/b.tgz, x.zip, hdfs://h/c.tgz, http://h/d");
}

#[test]
fn it_is_looked_for_only_if_it_is_needed() {
    let never = || panic!("nothing needs it");
    assert!(plan(&job(["/f", "hdfs://h/a"].map(Uri::new)), never).is_ok());
    let kept = Uri { extract: false, ..Uri::new("/x.zip") };
    assert!(plan(&job([kept]), never).is_ok());
}

#[test]
fn only_what_comes_from_the_web_is_cached_and_only_if_there_is_a_cache() {
    let cached = |value: &str| Uri { cache: Some(true), ..Uri::new(value) };
    let cache_of = |own: Settings, value: &str| {
        let job = Job { own, ..job([cached(value)]) };
        let plan = plan(&job, || Some("/bin/mesos-ecp-fetch".into())).unwrap();
        plan.cache_dir().map(Path::to_owned)
    };
    let with = || Settings { cache_dir: Some("/cache".into()), cache_size: 1, ..Settings::default() };
    assert_eq!(cache_of(with(), "http://h/a").unwrap(), Path::new("/cache"));
    assert_eq!(cache_of(with(), "/x.zip"), None);
    assert_eq!(cache_of(Settings { cache_size: 0, ..with() }, "http://h/a"), None);
    assert_eq!(cache_of(Settings { cache_dir: None, ..with() }, "http://h/a"), None);
}

#[test]
fn passwords_stand_in_no_message() {
    for value in ["http://u:secret@h/", "http://u:secret@h/stdout", "hdfs://u:secret@h/it's"] {
        assert!(!refused(Uri::new(value)).contains("secret"), "{value}");
    }
    let without = Job { launcher_dir: None, ..job([Uri::new("http://u:secret@h/a")]) };
    let message = plan(&without, || None).unwrap_err().to_string();
    assert!(!message.contains("secret") && message.contains("http://h/a"), "{message}");
}

#[test]
fn output_file_may_have_directories() {
    assert_eq!(steps([to_output_file("a/b/..c")]), [copied("/srv/plain.txt", &["a", "b", "..c"], false)]);
}

#[test]
fn output_files_outside_the_sandbox_are_refused() {
    for name in ["", "/etc/x", "../x", "a/../x", "a//x", "a/", "./x", ".", ".."] {
        let message = refused(to_output_file(name));
        assert!(message.contains("output_file"), "{name}: {message}");
    }
    for uri in [to_output_file("a\0b"), Uri::new("/a\0b"), Uri::new("http://h/a\0")] {
        assert!(refused(uri).contains("NUL"));
    }
}

#[test]
fn uris_without_a_name_are_refused() {
    for value in ["/", "/a/", "/a/..", "..", "/a/.", "file:///", "http://h", "http://h/", "http://h/a/"] {
        let message = refused(Uri::new(value));
        assert!(message.contains("file's name"), "{value}: {message}");
    }
    assert!(refused(Uri::new("")).contains("number 1"));
    assert!(refused(Uri::new(" ")).contains("empty"));
    // With a name of its own, such a URI is what a web server's index is fetched by.
    let index = Uri { output_file: Some("index.html".to_owned()), ..Uri::new("http://h/") };
    assert_eq!(steps([index.clone()]), [Step::HandOver(vec![index])]);
}

#[test]
fn the_containers_output_is_not_overwritten() {
    for uri in [
        Uri::new("/a/stdout"),
        Uri::new("http://h/stderr"),
        Uri::new("http://h/a?b=/stdout"),
        to_output_file("stderr"),
        to_output_file("stdout/x"),
    ] {
        assert!(refused(uri).contains("the container's own std"));
    }
    assert_eq!(steps([to_output_file("a/stdout")]), [copied("/srv/plain.txt", &["a", "stdout"], false)]);
}

#[test]
fn names_longer_than_a_file_system_takes_are_refused() {
    let longest = "n".repeat(255);
    assert_eq!(steps([Uri::new(format!("/{longest}"))]), [copied(&format!("/{longest}"), &[&longest], false)]);
    assert!(refused(Uri::new(format!("/{longest}n"))).contains("256 bytes"));
    assert!(refused(to_output_file(&format!("{longest}n/x"))).contains("256 bytes"));
}

#[test]
fn other_hosts_are_refused() {
    for value in ["file://h/a", "file://a", "file://"] {
        assert!(refused(Uri::new(value)).contains("file of this host"), "{value}");
    }
}

#[test]
fn relative_paths_need_an_absolute_frameworks_home() {
    let without = Job { frameworks_home: None, ..job([Uri::new("f")]) };
    assert!(plan(&without, || None).unwrap_err().to_string().contains("--frameworks_home"));
    let relative = Job { frameworks_home: Some("home".into()), ..job([Uri::new("f")]) };
    assert!(plan(&relative, || None).unwrap_err().to_string().contains("not an absolute path"));
}

#[test]
fn handing_over_needs_a_launcher_dir() {
    let without = |uri: &str| Job { launcher_dir: None, ..job([Uri::new(uri)]) };
    let message = plan(&without("http://h/a"), || None).unwrap_err().to_string();
    assert!(message.contains("http://h/a"), "{message}");
    assert!(message.contains("$MESOS_LIBEXEC_DIRECTORY or --launcher_dir"), "{message}");
    assert!(plan(&without("/a/x.tgz"), || None).is_err());
    assert!(plan(&without("/a/x"), || None).unwrap().program().is_none());
}

#[test]
fn what_mesos_fetcher_would_refuse_is_refused_before() {
    assert!(refused(Uri::new("http://h/it's")).contains("single quote"));
    assert!(refused(Uri::new("/a\\b.tgz")).contains("backslash"));
    // Copied by ourselves, such a name is no problem.
    assert_eq!(steps([Uri::new("/it's")]), [copied("/it's", &["it's"], false)]);
}

#[test]
fn paths_that_json_cannot_hold_are_refused() {
    let path = PathBuf::from(OsStr::from_bytes(b"/\xff"));
    let sandbox = Job { sandbox: path.clone(), ..job([Uri::new("http://h/a")]) };
    assert!(plan(&sandbox, || None).unwrap_err().to_string().contains("UTF-8"));
    let home = Job { frameworks_home: Some(path.clone()), ..job([Uri::new("x.tgz")]) };
    assert!(plan(&home, || None).unwrap_err().to_string().contains("UTF-8"));
    let unused = Job { frameworks_home: Some(path), ..job([Uri::new("/x")]) };
    assert!(plan(&unused, || None).is_ok());
}

#[test]
fn nothing_to_fetch() {
    let plan = plan(&job([]), || panic!("not asked for")).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.program(), None);
}

#[test]
fn archives_are_told_by_their_suffix() {
    for name in ["a.tar", "a.tgz", "a.tar.gz", "a.tbz2", "a.tar.bz2", "a.txz", "a.tar.xz", "a.gz", "a.zip"] {
        assert!(is_archive(name), "{name}");
    }
    for name in ["", "tar", "zip", "a.TGZ", "a.tar.zst", "a.tgz.sig", "a.txt"] {
        assert!(!is_archive(name), "{name}");
    }
}
