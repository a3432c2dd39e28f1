//! A dump's bytes as the API sent them: gzip and zstd are told by their first bytes and undone.
//!
//! Whatever is read is also counted and digested as it is stored, so that the manifest can tell a dump by its content.
//! Damage to the compression and failures of the disk are different errors: see [`is_corruption`]. gzip is read member
//! by member, as a decoder of one member would silently end early; zero bytes behind the last one are padding.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use super::chunks::ReadMore;
use crate::model::progress::Progress;

const BUFFER: usize = 256 << 10;
/// The largest window a zstd frame may ask for, as a power of two: 128 MiB.
const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// What is known of a dump's file once it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// BLAKE3 of the bytes as stored, in hexadecimal.
    pub digest: String,
    /// Whether the file was another one, or had another size or time of change, at the end than at the beginning.
    pub changed: bool,
    /// Whether it is compressed.
    pub compressed: bool,
}

/// A dump that is being read.
pub struct DumpReader {
    content: Content,
    opened: Identity,
}

impl std::fmt::Debug for DumpReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpReader").field("opened", &self.opened).finish_non_exhaustive()
    }
}

enum Content {
    Plain(Box<Stored>),
    Gzip(Box<Gzip>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Buffered>>),
}

type Buffered = BufReader<Chain<Cursor<Vec<u8>>, Stored>>;

impl DumpReader {
    /// Opens the dump and looks at its first bytes; what is read is noted in `progress`.
    ///
    /// # Errors
    /// When the file can't be opened or read.
    pub fn open(path: &Path, progress: &Arc<Progress>) -> io::Result<Self> {
        let file = File::open(path)?;
        let opened = Identity::of(&file.metadata()?);
        let mut stored = Stored { file, digest: blake3::Hasher::new(), bytes: 0, progress: Arc::clone(progress) };
        let mut head = Vec::with_capacity(4);
        Read::by_ref(&mut stored).take(4).read_to_end(&mut head)?;
        let format = Format::of(&head);
        let input = |head, stored| BufReader::with_capacity(BUFFER, Cursor::new(head).chain(stored));
        let content = match format {
            Format::Plain => {
                stored.rewind()?;
                Content::Plain(Box::new(stored))
            }
            Format::Gzip => {
                Content::Gzip(Box::new(Gzip { member: Some(GzDecoder::new(input(head, stored))), ended: false }))
            }
            Format::Zstd => {
                let input = input(head, stored);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(MAX_ZSTD_WINDOW_LOG)?;
                Content::Zstd(Box::new(decoder))
            }
        };
        Ok(Self { content, opened })
    }

    /// What is known of the file now that it is read to its end.
    ///
    /// # Errors
    /// When the file's metadata can't be read.
    pub fn finish(self) -> io::Result<Facts> {
        let compressed = !matches!(self.content, Content::Plain(_));
        let stored = match self.content {
            Content::Plain(stored) => *stored,
            Content::Gzip(gzip) => gzip.into_stored(),
            Content::Zstd(decoder) => decoder.finish().into_inner().into_inner().1,
        };
        let now = Identity::of(&stored.file.metadata()?);
        let changed = now != self.opened || stored.bytes != self.opened.size;
        Ok(Facts {
            stored_bytes: stored.bytes,
            digest: stored.digest.finalize().to_hex().to_string(),
            changed,
            compressed,
        })
    }
}

impl ReadMore for DumpReader {
    fn read_more(&mut self, bytes: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        match &mut self.content {
            Content::Plain(stored) => stored.read_more(bytes, limit as u64),
            Content::Gzip(gzip) => gzip.take(limit as u64).read_to_end(bytes),
            Content::Zstd(decoder) => decoder.take(limit as u64).read_to_end(bytes),
        }
    }
}

/// Whether a read failed because the compressed data is damaged, and not because the file could not be read.
#[must_use]
pub fn is_corruption(error: &io::Error) -> bool {
    error.get_ref().is_none_or(|inner| !inner.is::<Unreadable>())
}

#[derive(Debug)]
struct Unreadable(io::Error);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unreadable {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Format {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one of the sixteen kinds of skippable frames.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// What tells that a file is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        Self { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), changed }
    }
}

/// The file, counted and digested.
struct Stored {
    file: File,
    digest: blake3::Hasher,
    bytes: u64,
    progress: Arc<Progress>,
}

impl Stored {
    /// Forgets what was read.
    fn rewind(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        self.digest.reset();
        self.bytes = 0;
        Ok(())
    }

    /// Appends to `bytes` what comes up to the next multiple of `limit`: so much stays in the processor's cache for who
    /// looks at it next, and the digest is fastest when it is given whole branches of its tree.
    fn read_more(&mut self, bytes: &mut Vec<u8>, limit: u64) -> io::Result<usize> {
        let start = bytes.len();
        let read = (&self.file).take(limit - self.bytes % limit).read_to_end(bytes);
        let count = self.count(read)?;
        self.digest.update(&bytes[start..]);
        Ok(count)
    }

    fn count(&mut self, read: io::Result<usize>) -> io::Result<usize> {
        let count = read.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, Unreadable(error)),
        })?;
        self.bytes += count as u64;
        self.progress.add_read(count as u64);
        Ok(count)
    }
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer);
        let count = self.count(read)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

/// gzip, any number of members.
struct Gzip {
    /// Empty only while one member gives way to the next.
    member: Option<GzDecoder<Buffered>>,
    /// Whether nothing follows the last member.
    ended: bool,
}

impl Gzip {
    fn into_stored(self) -> Stored {
        self.member.expect("a member is always open between reads").into_inner().into_inner().into_inner().1
    }

    /// What comes behind a member: another one, or padding and the end.
    fn next_member(&mut self) -> io::Result<bool> {
        let mut input = self.member.take().expect("a member is always open between reads").into_inner();
        let mut padded = false;
        let result = loop {
            match input.fill_buf() {
                Ok([]) => break Ok(false),
                Ok([0x1f, ..]) if !padded => break Ok(true),
                Ok(bytes) if bytes[0] == 0 => {
                    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                    input.consume(zeros);
                    padded = true;
                }
                Ok(_) => break Err(io::Error::new(io::ErrorKind::InvalidData, "no gzip member follows the last one")),
                Err(error) => break Err(error),
            }
        };
        self.member = Some(GzDecoder::new(input));
        result
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            let count = self.member.as_mut().expect("a member is always open between reads").read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.ended = !self.next_member()?;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory can be written")
    }

    fn read(stored: &[u8]) -> Result<(Vec<u8>, Facts), String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(stored).expect("written");
        let mut reader = DumpReader::open(file.path(), &Arc::default()).expect("opens");
        let mut text = Vec::new();
        loop {
            text.reserve(10);
            match reader.read_more(&mut text, 10) {
                Ok(0) => return Ok((text, reader.finish().expect("metadata"))),
                Ok(_) => {}
                Err(error) => {
                    assert!(is_corruption(&error), "{error}");
                    return Err(error.to_string());
                }
            }
        }
    }

    #[test]
    fn compression_is_told_by_content_and_read_to_the_end() {
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).expect("compresses");
        for stored in [
            b"one two".to_vec(),
            [gzip(b"one"), gzip(b""), gzip(b" two")].concat(),
            [gzip(b"one two"), vec![0; 1000]].concat(),
            [zstd(b"one"), zstd(b" two")].concat(),
        ] {
            let (text, facts) = read(&stored).expect("valid");
            assert_eq!(text, b"one two");
            assert_eq!(facts.stored_bytes, stored.len() as u64);
            assert_eq!(facts.digest, blake3::hash(&stored).to_hex().to_string());
            assert!(!facts.changed);
        }
        assert_eq!(read(b"").expect("empty is plain").0, b"");
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let whole = gzip(b"one two three");
        for length in 2..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut at {length}");
        }
        assert!(read(&[whole.clone(), b"x".to_vec()].concat()).is_err(), "garbage behind");
        assert!(read(&[whole.clone(), whole[..5].to_vec()].concat()).is_err(), "a second member that is cut");
        let frame = zstd::encode_all(&b"one two three"[..], 1).expect("compresses");
        for length in 4..frame.len() {
            assert!(read(&frame[..length]).is_err(), "cut at {length}");
        }
    }
}
