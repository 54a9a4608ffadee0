//! Decompressors of whole files, chosen by the file's first bytes.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;

const BUFFER: usize = 64 << 10;

/// The memory that a block of xz may ask for: twice of what `xz -9` makes.
const XZ_MEMORY_KIB: u32 = 128 << 10;

/// The plain archive in a file that may be compressed with gzip, bzip2 or xz, whatever its suffix says: so does tar.
pub(super) fn plain(archive: &File) -> io::Result<Box<dyn Read + '_>> {
    let mut file = BufReader::with_capacity(BUFFER, archive);
    let start = file.fill_buf()?;
    let decoder: Box<dyn Read + '_> = if start.starts_with(b"\x1f\x8b") {
        Box::new(Gzip(Some(GzDecoder::new(file))))
    } else if start.starts_with(b"BZh") {
        Box::new(MultiBzDecoder::new(file))
    } else if start.starts_with(b"\xfd7zXZ\0") {
        Box::new(Xz(XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB)))
    } else {
        return Ok(Box::new(file));
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)))
}

/// What a file compressed with gzip holds.
pub(super) fn gunzip(archive: &File) -> impl Read + '_ {
    Gzip(Some(GzDecoder::new(BufReader::with_capacity(BUFFER, archive))))
}

/// All members, one after the other. Zeros after the last are no part of it, as gzip(1) has it: some media pad with them.
struct Gzip<'a>(Option<GzDecoder<BufReader<&'a File>>>);

impl Read for Gzip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.0 = self.0.take().map(GzDecoder::into_inner).map(next_member).transpose()?.flatten();
        }
        Ok(0)
    }
}

fn next_member(mut file: BufReader<&File>) -> io::Result<Option<GzDecoder<BufReader<&File>>>> {
    let mut padded = false;
    loop {
        let start = file.fill_buf()?;
        let zeros = start.iter().take_while(|&&byte| byte == 0).count();
        if start.is_empty() {
            return Ok(None);
        } else if zeros > 0 {
            file.consume(zeros);
            padded = true;
        } else if start.starts_with(b"\x1f") && !padded {
            return Ok(Some(GzDecoder::new(file)));
        } else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "what follows the end of its gzip data is garbage"));
        }
    }
}

/// Says in words what xz's decoder says of memory.
struct Xz<R: Read>(XzReader<R>);

impl<R: Read> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => io::Error::new(
                error.kind(),
                format!(
                    "it takes more memory to decompress than it is given ({} MiB): compress it with xz -9 or less",
                    XZ_MEMORY_KIB >> 10
                ),
            ),
            _ => error,
        })
    }
}
