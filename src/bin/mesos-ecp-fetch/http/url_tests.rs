//! Parts of URLs, redirects, and what is shown.
#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn parts() {
    let parsed = url("HTTPS://us%40er:p%3Aw@Example.COM:8443/a b/%20?q={x}#fragment");
    assert_eq!(parsed.request(), "https://example.com:8443/a%20b/%20?q=%7Bx%7D");
    assert_eq!(parsed.credentials().unwrap(), b"us@er:p:w");
    assert_eq!(url("http://h?x").request(), "http://h/?x");
    assert_eq!(url("http://h").port(), 80);
    assert_eq!((url("https://[::1]").port(), url("http://[::1]:81/").port()), (443, 81));
    assert_eq!(url("http://token@h/").credentials().unwrap(), b"token:");
    assert_eq!(url("http://h/\u{e9}").request(), "http://h/%C3%A9");
}

#[test]
fn what_is_no_url_is_refused_without_its_password() {
    for text in ["http://", "http://u:secret@/x", "http://u:secret@h:port/", "http://u:secret@h h/", "http://h:65536/"]
    {
        let message = Url::parse(text).unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
    }
    let forged = Url::parse("http://h:x\r\nforged line \u{9b}31m/").unwrap_err().to_string();
    assert!(!forged.contains(char::is_control), "{forged}");
    assert!(Url::parse("ftp://h/x").is_err() && Url::parse("x").is_err());
}

#[test]
fn redirects() {
    let base = url("http://u:p@h:81/a/b/c?q");
    for (location, target) in [
        ("/x", "http://h:81/x"),
        ("x", "http://h:81/a/b/x"),
        ("../x?y=../z", "http://h:81/a/x?y=../z"),
        ("../../../../x", "http://h:81/x"),
        ("./", "http://h:81/a/b/"),
        ("..", "http://h:81/a/"),
        ("?z", "http://h:81/a/b/c?z"),
        ("", "http://h:81/a/b/c?q"),
        ("#f", "http://h:81/a/b/c?q"),
        ("x y", "http://h:81/a/b/x%20y"),
        ("//other/x", "http://other/x"),
        ("https://other", "https://other/"),
        ("http://h:81/same", "http://h:81/same"),
    ] {
        assert_eq!(base.join(location).unwrap().request(), target, "{location}");
    }
    for elsewhere in ["file:///etc/passwd", "ftp://h/x", "javascript:x", "gopher:x"] {
        assert!(base.join(elsewhere).is_err(), "{elsewhere}");
    }
}

#[test]
fn credentials_stay_with_their_server() {
    let base = url("http://u:p@h/a");
    assert!(base.join("/b").unwrap().credentials().is_some());
    assert!(base.join("http://H:80/b").unwrap().credentials().is_some());
    for other in ["http://other/", "http://h:81/", "https://h/", "//other/"] {
        assert_eq!(base.join(other).unwrap().credentials(), None, "{other}");
    }
    assert_eq!(base.join("http://x:y@other/").unwrap().credentials().unwrap(), b"x:y");
}

#[test]
fn messages_hold_no_secrets() {
    let base = url("http://u:secret@h/a?b");
    assert_eq!(base.to_string(), "http://h/a?b");
    assert_eq!(base.join("http://u:secret@s3/a?signature=secret").unwrap().to_string(), "http://s3/a?...");
}

#[test]
fn keys_tell_all_of_it_apart() {
    let all = ["http://h/a", "https://h/a", "http://h/a?", "http://h:81/a", "http://u@h/a", "http://h/A"];
    let mut keys: Vec<String> = all.iter().map(|text| url(text).key()).collect();
    assert!(keys.iter().all(|key| key.len() == 64));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all.len());
    assert_eq!(url("http://h/a#x").key(), url("http://h/a#y").key());
}
