//! URLs of http and https, as far as a fetcher needs to take them apart.
#![forbid(unsafe_code)]

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use ring::digest::{SHA256, digest};

use crate::error::Download;

/// What may not stand in a request's line, and is escaped as browsers do. Not `%`: what is escaped stays as it is.
const ESCAPED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// A URL. Its `Display` is for messages: without user and password, and without the query where a server chose it, since
/// signed addresses are as good as a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    https: bool,
    /// As they stand there, escaped.
    credentials: Option<String>,
    host: String,
    port: Option<u16>,
    /// Path and query; begins with a slash.
    target: String,
    redirected: bool,
}

impl Url {
    /// Takes a URL apart; a fragment is dropped.
    ///
    /// # Errors
    /// What is no URL of http or https with a host.
    pub fn parse(text: &str) -> Result<Url, Download> {
        Url::take_apart(text).map_err(|reason| {
            // As it is, but for what could forge lines of a log or talk to a terminal.
            let url = utf8_percent_encode(&mesos_ecp::fetcher::shown(text), CONTROLS).to_string();
            Download::Url { url, reason: reason.to_owned() }
        })
    }

    fn take_apart(text: &str) -> Result<Url, &'static str> {
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err("only http and https lead here");
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials.to_owned()), place),
            None => (None, authority),
        };
        let (host, port) = match place.rsplit_once(':') {
            // An address of IPv6 is in brackets.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (place, None),
        };
        let port = match port {
            None | Some("") => None,
            Some(port) => Some(port.parse().map_err(|_| "its port is no number up to 65535")?),
        };
        if !is_host(host) {
            return Err("it names no host (names that are not ASCII have to be written in punycode)");
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = format!("{slash}{}", utf8_percent_encode(target, ESCAPED));
        Ok(Url { https, credentials, host: host.to_ascii_lowercase(), port, target, redirected: false })
    }

    /// Where a redirect leads. Credentials are kept for the same server only.
    ///
    /// # Errors
    /// As [`Url::parse`], without the address: it may hold a signature.
    pub fn join(&self, location: &str) -> Result<Url, &'static str> {
        let location = location.split('#').next().unwrap_or_default();
        let has_scheme = location.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
        let mut url = if has_scheme {
            Url::take_apart(location)?
        } else if location.starts_with("//") {
            Url::take_apart(&format!("{}:{location}", self.scheme()))?
        } else {
            let (path, query) = self.target.split_at(self.target.find('?').unwrap_or(self.target.len()));
            let target = match location.bytes().next() {
                None => format!("{path}{query}"),
                Some(b'/') => location.to_owned(),
                Some(b'?') => format!("{path}{location}"),
                Some(_) => format!("{}/{location}", path.rsplit_once('/').map_or("", |(directory, _)| directory)),
            };
            let target = utf8_percent_encode(&without_dots(&target), ESCAPED).to_string();
            Url { target, credentials: None, ..self.clone() }
        };
        if url.credentials.is_none() && url.server() == self.server() {
            url.credentials.clone_from(&self.credentials);
        }
        url.redirected = true;
        Ok(url)
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Whether TLS is spoken.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host, in small letters, an address of IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, be it the usual one.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// `scheme://host:port`, as a proxy needs it before the path.
    pub fn server_text(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{}{port}", self.scheme(), self.host)
    }

    /// For the request, without credentials.
    pub fn request(&self) -> String {
        format!("{}{}", self.server_text(), self.target)
    }

    /// User and password with a colon between them, unescaped.
    pub fn credentials(&self) -> Option<Vec<u8>> {
        let text = self.credentials.as_deref()?;
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let mut plain: Vec<u8> = percent_decode_str(user).collect();
        plain.push(b':');
        plain.extend(percent_decode_str(password));
        Some(plain)
    }

    /// The name under which the cache knows it: a hash of all of it.
    pub fn key(&self) -> String {
        let text = format!("{}\n{}", self.credentials.as_deref().unwrap_or_default(), self.request());
        digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn server(&self) -> (bool, &str, u16) {
        (self.https, &self.host, self.port())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target.split_once('?') {
            Some((path, _)) if self.redirected => write!(f, "{}{path}?...", self.server_text()),
            _ => f.write_str(&self.request()),
        }
    }
}

/// A name, or an address, which is in brackets if it has colons: else the last part of it would be read as a port elsewhere.
fn is_host(host: &str) -> bool {
    let (text, others) = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => (address, &b".:"[..]),
        None => (host, &b"-._"[..]),
    };
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// Resolves `.` and `..` in the path of a target.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut components = path.split('/').skip(1).peekable();
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        match component {
            "." | ".." => {
                if component == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            name => kept.push(name),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
