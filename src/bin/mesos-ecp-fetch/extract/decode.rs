//! Decompressors of whole files, chosen by the file's first bytes.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

const BUFFER: usize = 64 << 10;

/// The memory that a block of xz may ask for: twice of what `xz -9` makes.
const XZ_MEMORY_KIB: u32 = 128 << 10;

/// The plain archive in a file that may be compressed with gzip, bzip2 or xz, whatever its suffix says: so does tar.
pub(super) fn plain(archive: &File) -> io::Result<Box<dyn Read + '_>> {
    let mut file = BufReader::with_capacity(BUFFER, archive);
    let start = file.fill_buf()?;
    let decoder: Box<dyn Read + '_> = if start.starts_with(b"\x1f\x8b") {
        Box::new(MultiGzDecoder::new(file))
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
    MultiGzDecoder::new(BufReader::with_capacity(BUFFER, archive))
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
