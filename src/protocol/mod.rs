//! The records between the agent and its external containerizer program, and those that we keep ourselves.
//!
//! A record is a protobuf message (proto2) after its length in four bytes. The messages stand in `proto/`, the code
//! for them in `generated/`, checked in so that no build needs a protobuf compiler; `tests/generated.rs` keeps the two
//! in step. Field names, numbers and defaults are those of agents 0.19 to 1.0, all releases in one definition;
//! two fields of ContainerInfo are of later ones, and come through these agents as what they do not know.
//!
//! [`read_record`] and [`write_record`] do the framing, [`decode()`] is stricter than `prost` alone, and [`resources`]
//! knows how shares add up. [`json`] has the same messages as JSON.
#![forbid(unsafe_code)]

mod decode;
mod error;
#[cfg(test)]
mod fixtures;
pub mod json;
mod recordio;
pub mod resources;
mod schema;
mod wire;

pub use decode::decode;
pub use error::RecordError;
pub use mesos_ecp::{fetch, isolator, state};
pub use recordio::{RECORD_LIMIT, read_record, write_record};
pub use schema::{Described, TableIndex};

// include! and not files of the module tree: prost writes paths for this nesting, and formatting leaves them alone.
#[allow(missing_docs, clippy::all, unused_qualifications)]
pub mod mesos {
    //! The agents' messages: `proto/mesos.proto`, `proto/statistics.proto`.
    include!("generated/mesos.rs");

    pub mod containerizer {
        //! What the verbs read and write: `proto/containerizer.proto`.
        include!("generated/mesos.containerizer.rs");
    }

    pub mod fetcher {
        //! What the agent's fetcher program is told: `proto/fetcher.proto`.
        include!("generated/mesos.fetcher.rs");
    }
}

#[allow(missing_docs, clippy::all, unused_qualifications)]
mod mesos_ecp {
    pub mod state {
        //! What is kept in a container's state directory: `proto/state.proto`.
        include!("generated/mesos_ecp.state.rs");
    }

    pub mod fetch {
        //! What `mesos-ecp-fetch` is told: `proto/fetch.proto`.
        include!("generated/mesos_ecp.fetch.rs");
    }

    pub mod isolator {
        //! The calls of a program isolator: `proto/isolator.proto`.
        include!("generated/mesos_ecp.isolator.rs");
    }
}
