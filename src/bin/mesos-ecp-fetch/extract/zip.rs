//! Extracts zip archives: stored, deflated and bzip2 members, zip64, modes and symbolic links of Unix.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use mesos_ecp::fetcher::FileKind;
use nix::sys::time::TimeSpec;
use zip::read::{Config, OwnedZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{ExtraField, System, ZipReadOptions};

use super::budget::Budget;
use super::error::{ExtractError, Failure, Report};
use super::path::{LONGEST_PATH, MemberPath};
use super::tree::{Attributes, Tree};

/// The bytes that may be read to find where the directory of the archive begins.
const MOST_SEARCHED: u64 = 64 << 20;

/// A local header without name and fields.
const LOCAL_HEADER: u64 = 30;

pub(super) fn extract(
    archive: &File,
    tree: &mut Tree<'_>,
    budget: &mut Budget,
    report: &Report<'_>,
) -> Result<(), ExtractError> {
    let left = Rc::new(Cell::new(MOST_SEARCHED));
    let file = Bounded { file: BufReader::new(archive), left: Rc::clone(&left) };
    // Not a `ZipArchive`, which holds the whole directory in memory, and takes what that needs on its word.
    let mut directory = ZipIterable::try_new(file, Config::default()).map_err(|error| report.archive(told(error)))?;
    left.set(u64::MAX);
    budget.entries(directory.len() as u64, report)?;
    refuse_overlaps(&mut directory).map_err(|error| report.archive(told(error)))?;
    let mut content = BufReader::new(archive);
    for entry in directory.files().map_err(|error| report.archive(told(error)))? {
        // Borrowed from, it does not read what is left of its content when it is dropped.
        let entry = OwnedZipFileEntry::from(entry.map_err(|error| report.archive(told(error)))?);
        let name = name(&entry);
        place(&entry, &name, &mut content, tree, budget).map_err(|failure| report.member(&name, failure))?;
    }
    Ok(())
}

/// Members that share their content make much of little, and no program writes such archives.
fn refuse_overlaps(directory: &mut ZipIterable<Bounded<'_>>) -> Result<(), ZipError> {
    let mut ranges = Vec::new();
    for entry in directory.files()? {
        let entry = entry?;
        let start = entry.header_start();
        let least = LOCAL_HEADER + entry.name_raw().len() as u64;
        ranges.push((start, start.saturating_add(least).saturating_add(entry.compressed_size())));
    }
    ranges.sort_unstable();
    if ranges.windows(2).any(|pair| matches!(pair, [(_, end), (next, _)] if end > next)) {
        return Err(ZipError::InvalidArchive("its members overlap, as in an archive made to do harm".into()));
    }
    Ok(())
}

fn name(entry: &OwnedZipFileEntry) -> Vec<u8> {
    let mut name = entry.name_raw().to_vec();
    // Some programs for Windows write such names, against the format's rules.
    if entry.system() == System::Dos && !name.contains(&b'/') {
        for byte in name.iter_mut().filter(|byte| **byte == b'\\') {
            *byte = b'/';
        }
    }
    name
}

fn place(
    entry: &OwnedZipFileEntry,
    name: &[u8],
    content: &mut (impl Read + Seek),
    tree: &mut Tree<'_>,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let path = MemberPath::parse(name)?;
    if entry.encrypted() {
        return Err(Failure::refused("is encrypted, and there is no password: make the archive without one"));
    }
    let entry = entry.as_ref().with_reader(content, ZipReadOptions::new());
    let mut entry = entry.map_err(|error| Failure::Read(told(error)))?;
    let mode = entry.unix_mode().filter(|&mode| mode != 0);
    let kind = mode.map(FileKind::of_mode);
    let modified = modified(entry.extra_data_fields(), entry.last_modified());
    let size = entry.size();
    let attributes = |mode: Option<u32>, default| Attributes { mode: mode.unwrap_or(default), modified };
    match kind {
        Some(FileKind::Symlink) => {
            budget.take(size)?;
            let mut target = Vec::new();
            entry.take(LONGEST_PATH as u64 + 1).read_to_end(&mut target).map_err(Failure::Read)?;
            tree.symlink(&path, &target)
        }
        Some(kind @ (FileKind::Device | FileKind::Fifo | FileKind::Socket)) => {
            Err(Failure::refused(format!("is {kind}, and only files, directories and links are extracted")))
        }
        _ if kind == Some(FileKind::Directory) || name.ends_with(b"/") => {
            tree.directory(&path, attributes(mode, 0o755))
        }
        _ => {
            budget.allows(size)?;
            tree.file(&path, attributes(mode, 0o644), |output| {
                if output.copy(&mut entry, budget)? < size {
                    return Err(Failure::Read(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(())
            })
        }
    }
}

/// From the field that Unix programs write, or the time of DOS, which is of no time zone and taken as UTC.
fn modified<'e>(fields: impl Iterator<Item = &'e ExtraField>, dos: Option<zip::DateTime>) -> Option<TimeSpec> {
    let unix = fields
        .filter_map(|field| match field {
            ExtraField::ExtendedTimestamp(times) => times.mod_time(),
            _ => None,
        })
        .next();
    // A signed number in the format.
    let seconds = unix.map(|seconds| i64::from(seconds.cast_signed())).or_else(|| dos.and_then(since_1970));
    seconds.map(|seconds| TimeSpec::new(seconds, 0))
}

fn since_1970(time: zip::DateTime) -> Option<i64> {
    if !time.is_valid() {
        return None;
    }
    let [year, month, day] = [i64::from(time.year()), i64::from(time.month()), i64::from(time.day())];
    // Years from March on, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let [hour, minute, second] = [time.hour(), time.minute(), time.second()].map(i64::from);
    Some(days * 86400 + hour * 3600 + minute * 60 + second)
}

fn told(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

/// A file of which so much may be read.
struct Bounded<'a> {
    file: BufReader<&'a File>,
    left: Rc<Cell<u64>>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("its directory is not where its end says"))?);
        Ok(count)
    }
}

impl Seek for Bounded<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
