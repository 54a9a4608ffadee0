//! Namespaces: what a container sees of the host.
#![forbid(unsafe_code)]

mod user;

pub use user::User;
