//! Members: what the headers of one say together, and where its content is.
#![forbid(unsafe_code)]

use std::io::{self, Read};

use nix::sys::time::TimeSpec;
use tar::Header;

use super::pax::Pax;
use super::sparse::{self, Map, Source};
use crate::extract::budget::Budget;
use crate::extract::error::{ExtractError, Failure, Report};
use crate::extract::output::Output;

const BLOCK: u64 = 512;

/// The longest name, or list of attributes, that is read into memory.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// One member. Its content is what the stream has next.
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    pub(super) modified: Option<TimeSpec>,
    /// How many bytes of content the archive has.
    pub(super) stored: u64,
    pub(super) content: Content,
    sparse: Option<Source>,
}

/// What a member becomes.
pub(super) enum Content {
    File,
    /// A file with holes.
    Sparse,
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    /// No file at all, as an archive's label.
    Nothing,
    Refused(&'static str),
}

/// The members of a plain archive.
pub(super) struct Members<R> {
    stream: R,
    /// What is left of the last block of a member's content.
    padding: u64,
    any: bool,
}

/// Headers that say something about the member after them.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl<R: Read> Members<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, padding: 0, any: false }
    }

    pub(super) fn into_stream(self) -> R {
        self.stream
    }

    /// The next one, after the content of the one before was copied or skipped.
    pub(super) fn next(&mut self, budget: &mut Budget, report: &Report<'_>) -> Result<Option<Member>, ExtractError> {
        let mut extensions = Extensions::default();
        while let Some(header) = self.header(report)? {
            let twice = || report.malformed("it has two headers of a kind for one member");
            match header.as_old().linkflag[0] {
                b'L' if extensions.name.is_some() => return Err(twice()),
                b'K' if extensions.link.is_some() => return Err(twice()),
                b'x' | b'X' if extensions.pax.is_some() => return Err(twice()),
                b'L' => extensions.name = Some(until_nul(self.extension(&header, budget, report)?)),
                b'K' => extensions.link = Some(until_nul(self.extension(&header, budget, report)?)),
                b'x' | b'X' => {
                    let records = self.extension(&header, budget, report)?;
                    extensions.pax = Some(Pax::parse(&records).map_err(|reason| report.malformed(reason))?);
                }
                _ => return self.member(&header, extensions).map(Some).map_err(|error| report.archive(error)),
            }
        }
        if extensions.name.is_some() || extensions.link.is_some() || extensions.pax.is_some() {
            return Err(report.archive(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(None)
    }

    fn header(&mut self, report: &Report<'_>) -> Result<Option<Header>, ExtractError> {
        self.skip(0).map_err(|error| report.archive(error))?;
        let mut header = Header::new_old();
        let read = read_full(&mut self.stream, header.as_mut_bytes()).map_err(|error| report.archive(error))?;
        if read == 0 && self.any {
            // The two blocks of zeros that should stand here are missing from some archives.
            return Ok(None);
        }
        if read < header.as_bytes().len() {
            return Err(report.archive(io::ErrorKind::UnexpectedEof.into()));
        }
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !checksum_is_right(&header) {
            return Err(report.malformed(if self.any {
                "it is damaged: the checksum of a member's header is wrong"
            } else {
                "it is no tar archive, nor one that is compressed with gzip, bzip2 or xz"
            }));
        }
        self.any = true;
        Ok(Some(header))
    }

    fn extension(
        &mut self,
        header: &Header,
        budget: &mut Budget,
        report: &Report<'_>,
    ) -> Result<Vec<u8>, ExtractError> {
        let failed = |failure| report.member(&header.path_bytes(), failure);
        let size = header.entry_size().map_err(|error| report.archive(error))?;
        if size > LONGEST_EXTENSION {
            return Err(failed(Failure::Refused(format!(
                "is a header of {size} bytes; no more than {LONGEST_EXTENSION} are read into memory"
            ))));
        }
        budget.take(size).map_err(failed)?;
        let mut content = vec![0; size as usize];
        self.stream.read_exact(&mut content).map_err(|error| report.archive(error))?;
        self.padding = padding(size);
        Ok(content)
    }

    fn member(&mut self, header: &Header, extensions: Extensions) -> io::Result<Member> {
        let pax = extensions.pax.unwrap_or_default();
        let link = pax.link.or(extensions.link).unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into());
        let name = pax.path.or(extensions.name).unwrap_or_else(|| header.path_bytes().into_owned());
        let flag = header.as_old().linkflag[0];
        let mut sparse = pax.sparse;
        if flag == b'S' {
            let gnu = header.as_gnu().ok_or_else(|| io::Error::other("a sparse file without a GNU header"))?;
            sparse = Some(sparse::of_gnu(gnu, &mut self.stream)?);
        }
        let content = match flag {
            b'1' => Content::HardLink(link),
            b'2' => Content::Symlink(link),
            b'3' | b'4' => Content::Refused("is a device, and only files, directories and links are extracted"),
            b'6' => Content::Refused("is a FIFO (named pipe), and only files, directories and links are extracted"),
            b'5' | b'D' => Content::Directory,
            b'M' | b'N' => Content::Refused("is of a kind that only old releases of GNU tar made"),
            b'V' | b'g' => Content::Nothing,
            // Before there was a kind for directories.
            0 | b'0' if name.ends_with(b"/") => Content::Directory,
            _ if sparse.is_some() => Content::Sparse,
            _ => Content::File,
        };
        // A size of what has no content means something else, if anything.
        let stored = match flag {
            b'2'..=b'6' => 0,
            b'1' => pax.size.unwrap_or(0),
            _ => pax.size.map_or_else(|| header.entry_size(), Ok)?,
        };
        self.padding = padding(stored);
        let modified = pax.modified.or_else(|| header.mtime().ok().map(seconds));
        Ok(Member { name, mode: header.mode().unwrap_or(0o644), modified, stored, content, sparse })
    }

    /// Where the data of a sparse file belongs. Reads it, if it precedes the data.
    pub(super) fn sparse_map(&mut self, member: &Member) -> Result<Map, Failure> {
        let Some(source) = &member.sparse else {
            return Err(Failure::refused("has no map of its holes"));
        };
        source.map(member.stored, &mut self.stream)
    }

    /// Copies the next `count` bytes of the content.
    pub(super) fn copy(&mut self, count: u64, output: &mut Output<'_>, budget: &mut Budget) -> Result<(), Failure> {
        let copied = output.copy(&mut self.stream.by_ref().take(count), budget)?;
        if copied < count { Err(Failure::Read(io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }

    /// Leaves out `count` bytes of content, and the end of its last block.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<()> {
        let count = count.checked_add(self.padding).ok_or(io::ErrorKind::InvalidData)?;
        self.padding = 0;
        let skipped = io::copy(&mut self.stream.by_ref().take(count), &mut io::sink())?;
        if skipped < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK
}

fn seconds(since_1970: u64) -> TimeSpec {
    TimeSpec::new(i64::try_from(since_1970).unwrap_or(i64::MAX), 0)
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Old programs summed the bytes up as signed ones.
fn checksum_is_right(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let others = || bytes[..148].iter().chain(&bytes[156..]);
    let unsigned: u32 = others().map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
    let signed: i32 = others().map(|&byte| i32::from(byte as i8)).sum::<i32>() + 8 * 32;
    header.cksum().is_ok_and(|sum| sum == unsigned || i64::from(sum) == i64::from(signed))
}

/// Reads until the buffer is full or the stream ends.
fn read_full(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
