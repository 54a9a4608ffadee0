//! The isolators of examples/, each in a containerizer of its own.

#[cfg(feature = "crash-points")]
mod crash;
mod mixture;
mod pinned_cpus;
mod tmpdir;
