//! End-to-end tests: a stand-in for the agent calls the program as the real one does.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agent;
mod agent_command;
mod agent_view;
#[cfg(feature = "weakened")]
mod attacks;
mod cgroups;
mod config_file;

#[cfg(feature = "crash-points")]
mod crash;
mod defaults;
mod disk;
mod disk_xfs;
mod environment;
mod examples;
mod exhausted;
mod fetching;
mod fetching_cache;
mod fetching_http;
mod fetching_users;
mod filesystem;
mod fixtures;
mod full_disk;
mod guide;
mod hopeless;
mod inside;
mod isolator_check;
mod json;
mod known_failures;
mod launching;
mod life;
mod namespaces;
mod network;
mod network_ports;
mod obstacles;
mod operators_environment;
mod persistent;
mod programs;
mod rebooted;
mod records;
mod recovery;
mod refusals;
mod refused_fields;
mod releases;
mod resources;
mod rights;
mod run;
mod same_id;
mod scale;
mod scopes;
mod seccomp;
mod shell_kit;
mod stand_in;
mod start;
mod state;
mod stopped;
mod torture;
mod unkillable;
mod unprivileged;
mod upgrade;
mod web;
