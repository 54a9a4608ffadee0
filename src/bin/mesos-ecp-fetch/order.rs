//! The request, with what it names opened.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use mesos_ecp::fetcher::{Sandbox, VERSION};
use mesos_ecp::protocol::fetch::{Item, Request};
use mesos_ecp::sys::duplicate;
use nix::unistd::{Gid, Uid};

use crate::cache::Cache;
use crate::error::Failure;

/// What is to be done.
#[derive(Debug)]
pub struct Order {
    /// In the order of their effects.
    pub items: Vec<Item>,
    /// Where to.
    pub sandbox: Sandbox,
    /// The user's own.
    pub cache: Option<Cache>,
    /// Bounds.
    pub limits: Limits,
    /// Whether somebody watches.
    pub progress: bool,
}

/// The bounds of each download. The whole has one, too, which the supervisor sees to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// From one piece of data to the next.
    pub stall: Duration,
    /// Bytes.
    pub size: u64,
}

impl Order {
    /// Opens what the request names by number.
    ///
    /// # Errors
    /// When it is of another version, or something is not open.
    pub fn of(request: Request) -> Result<Order, Failure> {
        if request.version != VERSION {
            return Err(Failure::Request(format!("its version is {}, not {VERSION}", request.version)));
        }
        let progress = request.progress();
        let owner = request.owner.map(|owner| (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid)));
        let cache = request.cache.map(|cache| {
            let directory = inherited(cache.directory, "the cache")?;
            Ok::<_, Failure>(Cache::new(File::from(directory), cache.size, owner))
        });
        let sandbox = inherited(request.sandbox, "the sandbox")?;
        Ok(Order {
            items: request.items,
            sandbox: Sandbox::opened(sandbox, Path::new(&request.sandbox_path), owner),
            cache: cache.transpose()?,
            limits: Limits {
                connect: Duration::from_millis(request.connect_timeout_ms),
                stall: Duration::from_millis(request.stall_timeout_ms),
                size: request.size_limit,
            },
            progress,
        })
    }
}

/// What is open by this number.
///
/// # Errors
/// When nothing is.
pub fn inherited(number: i32, what: &str) -> Result<OwnedFd, Failure> {
    duplicate(number).map_err(|error| Failure::Request(format!("{what} is not open as {number}: {error}")))
}
