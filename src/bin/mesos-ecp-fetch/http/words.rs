//! Failures of the HTTP library in words.
#![forbid(unsafe_code)]

use std::io::ErrorKind;

use ureq::{Error, Timeout};

use super::url::Url;
use crate::error::Download;
use crate::order::Limits;

/// Why the server could not be asked, or the answer not be read.
pub fn transport(url: &Url, error: &Error, limits: &Limits, proxied: bool) -> Download {
    let through = if proxied { " (through the proxy of the environment)" } else { "" };
    let passing = match error {
        Error::Io(error) => {
            matches!(
                error.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
            )
        }
        _ => false,
    };
    let reason = format!("{}{through}", reason(error, limits));
    Download::Transport { url: url.to_string(), reason, passing }
}

fn reason(error: &Error, limits: &Limits) -> String {
    match error {
        Error::Io(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => {
            "the connection ended before all of the answer had come".to_owned()
        }
        // So the handshake's failures come.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => tls_failed(error),
        Error::Io(error) => error.to_string(),
        Error::Timeout(Timeout::Connect) => {
            format!("no connection stood after {:?} (--fetcher_connect_timeout)", limits.connect)
        }
        Error::Timeout(Timeout::Resolve) => {
            format!("its host was not resolved after {:?} (--fetcher_connect_timeout)", limits.connect)
        }
        Error::Timeout(_) => format!("nothing came for {:?} (--fetcher_stall_timeout)", limits.stall),
        Error::HostNotFound => "its host is not known".to_owned(),
        Error::Rustls(error) => tls_failed(error),
        Error::Protocol(error) => format!("the server does not speak HTTP as it should: {error}"),
        error => error.to_string(),
    }
}

fn tls_failed(error: &impl std::fmt::Display) -> String {
    format!(
        "TLS failed: {error}; if its authority is one of your own, have SSL_CERT_FILE in the agent's environment name it"
    )
}
