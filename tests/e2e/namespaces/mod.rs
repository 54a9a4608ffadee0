//! Namespaces of a container's own.

mod user;
