//! What is known about the messages beyond the generated structs, for checking bytes before they become structs.
#![forbid(unsafe_code)]

/// A message that [`decode`](super::decode()) can produce. Only the generated tables implement it.
pub trait Described {
    /// Where the message stands in the table.
    const INDEX: TableIndex;
}

/// A place in the table of messages; only the tables themselves can make one.
#[derive(Debug, Clone, Copy)]
pub struct TableIndex(pub(super) usize);

/// One message. Fields that are neither required nor messages are left out: there is nothing to check about them.
#[derive(Debug)]
pub(super) struct MessageEntry {
    /// With its package, as `mesos.CommandInfo.URI`.
    pub(super) name: &'static str,
    /// By ascending number.
    pub(super) fields: &'static [FieldEntry],
}

/// One field.
#[derive(Debug)]
pub(super) struct FieldEntry {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) label: Label,
    /// Which message the field holds, if it holds one.
    pub(super) message: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Required,
    Optional,
    Repeated,
}

pub(super) use tables::MESSAGES;

mod tables {
    use super::super::{fetch, isolator, mesos, state};
    use super::{Described, FieldEntry, Label, MessageEntry, TableIndex};

    include!("generated/tables.rs");
}
