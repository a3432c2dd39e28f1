//! `replaced-<run>.pq`: where the records stood whose rows others of their key replaced, and where those stand.
//!
//! Each run that replaces rows writes one such file beside the manifest, and takes over those of the runs before. They
//! hold places and no values; `paynorm explain` follows them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::keys::{Loser, Position, RowPlace};
use super::parquet_file::{DataFile, StagedFile};
use super::read_back::open;
use crate::model::paths::shown;

/// How many rows a row group has.
const GROUP_ROWS: usize = 1 << 19;

/// What a run's file is called.
#[must_use]
pub fn file_name(run: &str) -> String {
    format!("replaced-{run}.pq")
}

/// A record whose row another one replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The source.
    pub source: String,
    /// The dump of the record that is no longer in the data.
    pub source_file: String,
    /// Its offset.
    pub source_offset: u64,
    /// The dump of the record that took its place.
    pub kept_file: String,
    /// Its offset.
    pub kept_offset: u64,
    /// Whether both say the same.
    pub identical: bool,
}

/// Names for the numbers in keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// The sources by number.
    pub(super) sources: &'a [&'static str],
    /// All dumps by path.
    pub(super) dumps: &'a [String],
}

impl<'a> Names<'a> {
    fn dump(&self, position: Position) -> &'a str {
        &self.dumps[position.dump as usize]
    }

    fn source(&self, loser: &Loser) -> &'a str {
        self.sources[usize::from(loser.source)]
    }

    fn replacement(&self, loser: &Loser) -> Replacement {
        Replacement {
            source: self.source(loser).to_owned(),
            source_file: self.dump(loser.position).to_owned(),
            source_offset: loser.position.offset,
            kept_file: self.dump(loser.kept).to_owned(),
            kept_offset: loser.kept.offset,
            identical: loser.identical,
        }
    }
}

fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |(name, kind): (&str, DataType)| Field::new(name, kind, false);
        let fields = [
            ("source", DataType::Utf8),
            ("source_file", DataType::Utf8),
            ("source_offset", DataType::Int64),
            ("kept_file", DataType::Utf8),
            ("kept_offset", DataType::Int64),
            ("identical", DataType::Boolean),
        ];
        Arc::new(Schema::new(fields.map(field).to_vec()))
    });
    SCHEMA.clone()
}

/// Rows that were lost: a bit for each, and one for those whose winner says the same.
#[derive(Debug, Default)]
pub(super) struct Lost(BTreeMap<u32, LostRows>);

/// The rows that a partition, or a file of the snapshot before, lost.
#[derive(Debug, Default)]
pub(super) struct LostRows {
    lost: Vec<u64>,
    identical: Vec<u64>,
}

impl Lost {
    pub(super) fn note(&mut self, loser: &Loser) {
        let RowPlace { partition, row } = loser.place;
        let rows = self.0.entry(partition).or_default();
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        if rows.lost.len() <= word {
            rows.lost.resize(word + 1, 0);
            rows.identical.resize(word + 1, 0);
        }
        rows.lost[word] |= bit;
        rows.identical[word] |= if loser.identical { bit } else { 0 };
    }

    /// The rows that the partition lost, if any.
    pub(super) fn of(&self, partition: u32) -> Option<&LostRows> {
        self.0.get(&partition)
    }
}

impl LostRows {
    /// Whether the row is lost, and if so, whether its winner says the same.
    pub(super) fn get(&self, row: usize) -> Option<bool> {
        let (word, bit) = (row / 64, 1 << (row % 64));
        let is_set = |bits: &[u64]| bits.get(word).is_some_and(|bits| bits & bit != 0);
        is_set(&self.lost).then(|| is_set(&self.identical))
    }
}

/// Writes the file of a run; there is none where nothing was replaced.
pub(super) struct ReplacedWriter<'a> {
    path: PathBuf,
    names: Names<'a>,
    writer: Option<ArrowWriter<StagedFile>>,
    rows: u64,
    /// The first of each source, those that say the same and those that do not.
    first: BTreeMap<(u8, bool), Loser>,
}

impl<'a> ReplacedWriter<'a> {
    pub(super) fn new(path: PathBuf, names: Names<'a>) -> Self {
        Self { path, names, writer: None, rows: 0, first: BTreeMap::new() }
    }

    fn context(&self) -> String {
        format!("can't write {}", shown(&self.path))
    }

    pub(super) fn push(&mut self, losers: &[Loser]) -> Result<()> {
        if losers.is_empty() {
            return Ok(());
        }
        for loser in losers {
            let first = self.first.entry((loser.source, loser.identical)).or_insert(*loser);
            if loser.position < first.position {
                *first = *loser;
            }
        }
        let names = self.names;
        let texts = |of: &dyn Fn(&Loser) -> &'a str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(losers.iter().map(of)))
        };
        let offsets = |of: &dyn Fn(&Loser) -> Position| -> Result<ArrayRef> {
            let offsets = losers.iter().map(|loser| i64::try_from(of(loser).offset)).collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(Int64Array::from(offsets)))
        };
        let columns = vec![
            texts(&|loser| names.source(loser)),
            texts(&|loser| names.dump(loser.position)),
            offsets(&|loser| loser.position)?,
            texts(&|loser| names.dump(loser.kept)),
            offsets(&|loser| loser.kept)?,
            Arc::new(losers.iter().map(|loser| Some(loser.identical)).collect::<BooleanArray>()),
        ];
        let batch = RecordBatch::try_new(schema(), columns)?;
        self.rows += losers.len() as u64;
        let context = self.context();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .build();
                let staged = StagedFile::private(self.path.clone());
                none.insert(ArrowWriter::try_new(staged, schema(), Some(properties)).with_context(|| context.clone())?)
            }
        };
        writer.write(&batch).context(context)
    }

    /// Ends the file; gives its facts and the first replacements of each source.
    pub(super) fn finish(mut self) -> Result<(Option<DataFile>, Vec<Replacement>)> {
        let context = self.context();
        let examples = self.first.values().map(|loser| self.names.replacement(loser)).collect();
        let Some(mut writer) = self.writer.take() else { return Ok((None, examples)) };
        let footer = writer.finish().with_context(|| context.clone())?;
        writer.inner_mut().close().context(context)?;
        Ok((Some(writer.inner().facts(self.rows, footer.num_row_groups())), examples))
    }
}

/// Gives every replacement in the file at `path` to `take`.
///
/// # Errors
/// When the file can't be read or is another one.
pub fn read(path: &Path, mut take: impl FnMut(Replacement)) -> Result<()> {
    for batch in open(path, None, None)? {
        let batch = batch.with_context(|| format!("can't read {}", shown(path)))?;
        anyhow::ensure!(batch.schema().fields() == schema().fields(), "{} is damaged: its columns differ", shown(path));
        let text = |column: usize, at: usize| batch.column(column).as_string::<i32>().value(at).to_owned();
        let offset = |column: usize, at: usize| {
            let offset = batch.column(column).as_primitive::<Int64Type>().value(at);
            u64::try_from(offset).with_context(|| format!("{} is damaged: an offset is negative", shown(path)))
        };
        for at in 0..batch.num_rows() {
            take(Replacement {
                source: text(0, at),
                source_file: text(1, at),
                source_offset: offset(2, at)?,
                kept_file: text(3, at),
                kept_offset: offset(4, at)?,
                identical: batch.column(5).as_boolean().value(at),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_rows_are_told_with_whether_their_winner_says_the_same() {
        let position = Position { dump: 0, offset: 0 };
        let place = |row| RowPlace { partition: 3, row };
        let mut lost = Lost::default();
        for (row, identical) in [(0, true), (63, false), (64, true), (200, false)] {
            lost.note(&Loser { source: 0, place: place(row), position, winner: place(7), kept: position, identical });
        }
        let rows = lost.of(3).expect("some are lost");
        let found: Vec<_> = (0..300).filter_map(|row| rows.get(row).map(|identical| (row, identical))).collect();
        assert_eq!(found, [(0, true), (63, false), (64, true), (200, false)]);
        assert!(lost.of(2).is_none());
    }
}
