//! One download: redirects, another try, and the bytes.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use ureq::Body;
use ureq::http::Response;

use super::agent::Requests;
use super::url::Url;
use super::words;
use crate::error::Download;
use crate::order::Limits;
use crate::progress::Progress;

const MOST_REDIRECTS: u32 = 10;

/// Pauses before another try, when a server refuses or resets the connection, or answers 502, 503 or 504.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];

/// Bytes that are read and written at a time.
const PIECE: usize = 128 << 10;

/// Downloads files.
#[derive(Debug)]
pub struct Client {
    requests: Requests,
    limits: Limits,
}

impl Client {
    /// With the proxies that `variable` names.
    pub fn new(limits: &Limits, variable: impl Fn(&str) -> Option<String>) -> Client {
        Client { requests: Requests::new(limits, variable), limits: limits.clone() }
    }

    /// Writes what the URL leads to into `target`. After a failure that holds a part of it.
    ///
    /// # Errors
    /// Whatever is not a whole answer with a code of 2xx, not larger than the limit.
    pub fn get(&self, url: &Url, target: &mut File, progress: &mut Progress) -> Result<(), Download> {
        let (url, answer) = self.patiently(url)?;
        self.check(&url, &answer)?;
        let mut body = answer.into_body();
        let declared = body.content_length();
        self.bound(&url, declared.unwrap_or(0), true)?;
        progress.begin(declared);
        let mut body = body.as_reader();
        let mut piece = vec![0; PIECE];
        let mut done = 0u64;
        loop {
            let count = body
                .read(&mut piece)
                .map_err(|error| words::transport(&url, &ureq::Error::from(error), &self.limits, false))?;
            if count == 0 {
                return Ok(());
            }
            done += count as u64;
            // Whatever the header said.
            self.bound(&url, done, false)?;
            let bytes = piece.get(..count).unwrap_or_default();
            target.write_all(bytes).map_err(|error| Download::Write { url: url.to_string(), error })?;
            progress.add(count as u64);
        }
    }

    fn patiently(&self, url: &Url) -> Result<(Url, Response<Body>), Download> {
        let mut pauses = PAUSES.iter();
        loop {
            let error = match self.follow(url) {
                Ok((url, answer)) => match self.check(&url, &answer) {
                    Ok(()) => return Ok((url, answer)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) if error.is_passing() => std::thread::sleep(*pause),
                _ => return Err(error),
            }
        }
    }

    /// The answer at the end of all redirects, and where that is.
    fn follow(&self, url: &Url) -> Result<(Url, Response<Body>), Download> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.requests.get(&url)?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok((url, answer));
            }
            let refused = |reason: String| Download::Url { url: url.to_string(), reason };
            let location = answer.headers().get("location").map(|value| String::from_utf8_lossy(value.as_bytes()));
            let location = location.ok_or_else(|| refused("it redirects, and does not say where to".to_owned()))?;
            let next = url.join(&location).map_err(|reason| refused(format!("it redirects elsewhere: {reason}")))?;
            url = next;
        }
        Err(Download::Url { url: url.to_string(), reason: format!("there are more than {MOST_REDIRECTS} redirects") })
    }

    fn check(&self, url: &Url, answer: &Response<Body>) -> Result<(), Download> {
        let status = answer.status();
        // A part was not asked for.
        if status.is_success() && status.as_u16() != 206 {
            return Ok(());
        }
        let advice = match status.as_u16() {
            401 | 403 => "; a user and password can stand before its host, as user:password@",
            407 => "; the proxy's user and password can stand before its host in the agent's environment",
            _ => "",
        };
        let reason = status.canonical_reason().unwrap_or("(no code that is known)");
        Err(Download::Status { url: url.to_string(), code: status.as_u16(), reason, advice })
    }

    fn bound(&self, url: &Url, size: u64, declared: bool) -> Result<(), Download> {
        if size <= self.limits.size {
            return Ok(());
        }
        let size = if declared { size.to_string() } else { format!("{size} or more") };
        Err(Download::TooLarge { url: url.to_string(), size, limit: self.limits.size })
    }
}
