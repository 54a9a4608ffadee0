//! Extracts tar archives: v7, ustar, pax and GNU.
//!
//! The headers' fields are read with the crate `tar`. What makes members of headers is here, because the crate's own
//! iterator holds extensions of any size in memory, loses a pax header with a line break in a value, and takes the
//! sparse files of pax for what they are not.
#![forbid(unsafe_code)]

mod member;
mod pax;
mod sparse;

use std::io::{self, Read};

use super::budget::Budget;
use super::error::{ExtractError, Failure, Report};
use super::path::MemberPath;
use super::tree::{Attributes, Tree};
use member::{Content, Member, Members};

/// Extracts the plain archive that `stream` is, and reads it to its end: a checksum may follow.
pub(super) fn extract(
    stream: impl Read,
    tree: &mut Tree<'_>,
    budget: &mut Budget,
    report: &Report<'_>,
) -> Result<(), ExtractError> {
    let mut members = Members::new(stream);
    while let Some(member) = members.next(budget, report)? {
        budget.entries(1, report)?;
        place(&member, &mut members, tree, budget).map_err(|failure| report.member(&member.name, failure))?;
    }
    let mut rest = members.into_stream().take(report.limits.bytes.max(1 << 20));
    io::copy(&mut rest, &mut io::sink()).map_err(|error| report.archive(error))?;
    if rest.limit() == 0 {
        return Err(report.malformed("what follows its end is more than --fetcher_size_limit"));
    }
    Ok(())
}

fn place<R: Read>(
    member: &Member,
    members: &mut Members<R>,
    tree: &mut Tree<'_>,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let attributes = Attributes { mode: member.mode, modified: member.modified };
    match &member.content {
        Content::Nothing => {}
        Content::Directory => tree.directory(&MemberPath::parse(&member.name)?, attributes)?,
        Content::Symlink(target) => tree.symlink(&MemberPath::parse(&member.name)?, target)?,
        Content::HardLink(source) => {
            let path = MemberPath::parse(&member.name)?;
            let source = MemberPath::parse(source).map_err(|failure| match failure {
                Failure::Refused(reason) => Failure::Refused(format!("is a hard link to a name that {reason}")),
                other => other,
            })?;
            tree.hard_link(&path, &source)?;
        }
        Content::File => {
            let path = MemberPath::parse(&member.name)?;
            budget.allows(member.stored)?;
            return tree.file(&path, attributes, |output| members.copy(member.stored, output, budget));
        }
        Content::Sparse => {
            let path = MemberPath::parse(&member.name)?;
            let map = members.sparse_map(member)?;
            budget.allows(map.length)?;
            return tree.file(&path, attributes, |output| {
                let mut end = 0;
                for segment in &map.segments {
                    output.hole(segment.offset - end, budget)?;
                    members.copy(segment.length, output, budget)?;
                    end = segment.offset + segment.length;
                }
                output.hole(map.length - end, budget)
            });
        }
        Content::Refused(reason) => return Err(Failure::refused(*reason)),
    }
    // Some members have content that is of no use here.
    budget.take(member.stored)?;
    members.skip(member.stored).map_err(Failure::Read)
}
