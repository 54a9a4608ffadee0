//! One item after the other: download, place, extract.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use mesos_ecp::fetcher::advice_on_space;
use mesos_ecp::protocol::fetch::Item;

use crate::cache::{Cache, CacheError};
use crate::error::{Download, Failure};
use crate::extract::{Kind, Limits, extract};
use crate::http::{Client, Url};
use crate::order::Order;
use crate::progress::Progress;

/// Members of one archive: enough for anything that is meant to be one, and a bound for what is not.
const MOST_ENTRIES: u64 = 1_000_000;

/// Does all of it.
///
/// # Errors
/// At the first item that fails. What was done before stays.
pub fn fetch(order: &Order) -> Result<(), Failure> {
    let client = Client::new(&order.limits, |name| std::env::var(name).ok());
    for item in &order.items {
        match &item.url {
            None => unpack(order, item, &order.sandbox.read(&item.to)?)?,
            Some(url) => download(order, &client, item, &Url::parse(url)?)?,
        }
    }
    Ok(())
}

fn download(order: &Order, client: &Client, item: &Item, url: &Url) -> Result<(), Failure> {
    let name = item.to.last().map_or("", String::as_str);
    let get = |target: &mut File| {
        let mut progress = Progress::new(order.progress, name);
        client.get(url, target, &mut progress)
    };
    if let Some(cache) = order.cache.as_ref().filter(|_| item.cache())
        && let Some(mut file) = cached(cache, url, get)?
    {
        // As the agent's own fetcher does: the archive itself does not come into the sandbox.
        if item.extract() {
            return unpack(order, item, &file);
        }
        return place(order, item, |target| {
            io::copy(&mut file, target).map(drop).map_err(|error| Failure::File {
                action: "copy from the cache to",
                path: item.to.join("/"),
                advice: advice_on_space(&error),
                error,
            })
        });
    }
    place(order, item, |target| Ok(get(target)?))?;
    if item.extract() {
        unpack(order, item, &order.sandbox.read(&item.to)?)?;
    }
    Ok(())
}

/// The file from the cache; None when the cache is of no use now, which is said and is no failure.
fn cached(cache: &Cache, url: &Url, get: impl Fn(&mut File) -> Result<(), Download>) -> Result<Option<File>, Download> {
    match cache.get(url.key(), get) {
        Ok(file) => Ok(Some(file)),
        Err(CacheError::Download(error)) => Err(error),
        Err(CacheError::Unusable(reason)) => {
            eprintln!("mesos-ecp: launch: warning: the cache is not used for {url}: {reason}");
            Ok(None)
        }
    }
}

fn place(order: &Order, item: &Item, fill: impl FnOnce(&mut File) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut place = order.sandbox.place(&item.to)?;
    let path = place.path().display().to_string();
    let target = place.file().map_err(|error| Failure::File { action: "write", path, error, advice: String::new() })?;
    fill(target)?;
    Ok(place.finish(if item.executable() { 0o755 } else { 0o644 })?)
}

fn unpack(order: &Order, item: &Item, mut archive: &File) -> Result<(), Failure> {
    let name = item.to.last().map_or("", String::as_str);
    let Some(kind) = Kind::of(name) else {
        return Err(Failure::Request(format!("{name:?} is to be extracted and has no suffix of an archive")));
    };
    archive.seek(SeekFrom::Start(0)).map_err(|error| Failure::File {
        action: "read",
        path: name.to_owned(),
        error,
        advice: String::new(),
    })?;
    let limits = Limits { bytes: order.limits.size, entries: MOST_ENTRIES };
    Ok(extract(archive, kind, name, &order.sandbox.directory(), order.sandbox.owner(), &limits)?)
}
