//! Files from web servers.
#![forbid(unsafe_code)]

mod agent;
mod cut;
mod download;
mod forward;
mod proxy;
mod url;
mod words;

pub use download::Client;
pub use url::Url;
