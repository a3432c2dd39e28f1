//! Pages become a column chunk: compressed, under their headers, with what the footer and the indexes say of them.

use anyhow::{Context, Result};
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, EncodingMask};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::bits::{push_hybrid, push_run};
use super::look::Plan;
use super::statistics::{Bounds, statistics};

/// A column of a row group: its pages, and what is known of them.
#[derive(Debug)]
pub(in crate::load) struct EncodedColumn {
    pub(in crate::load) bytes: Bytes,
    pub(in crate::load) facts: ColumnCloseResult,
}

/// What is known of a page.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) rows: usize,
    pub(super) nulls: usize,
    /// None if all rows are null.
    pub(super) bounds: Option<Bounds>,
    /// Bytes of text.
    pub(super) text_bytes: Option<usize>,
}

impl Facts {
    /// Whether there are both values and nulls.
    pub(super) fn is_mixed(&self) -> bool {
        0 < self.nulls && self.nulls < self.rows
    }
}

/// Compresses pages, with memory that is used again.
#[derive(Default)]
pub(super) struct Packer {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    snappy: Option<snap::raw::Encoder>,
    packed: Vec<u8>,
}

impl Packer {
    /// Compresses a page; where that is not asked for it is the page itself.
    fn pack<'p>(&'p mut self, page: &'p mut Vec<u8>, compression: Compression) -> Result<&'p mut Vec<u8>> {
        match compression {
            Compression::ZSTD(level) => {
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(compressor(level.compression_level())?),
                };
                self.packed.clear();
                self.packed.reserve(zstd::zstd_safe::compress_bound(page.len()));
                zstd.compress_to_buffer(page, &mut self.packed)?;
            }
            Compression::SNAPPY => {
                self.packed.resize(snap::raw::max_compress_len(page.len()), 0);
                let snappy = self.snappy.get_or_insert_with(snap::raw::Encoder::new);
                let length = snappy.compress(page, &mut self.packed)?;
                self.packed.truncate(length);
            }
            _ => return Ok(page),
        }
        Ok(&mut self.packed)
    }

    /// The memory that it keeps.
    pub(super) fn memory(&self) -> usize {
        self.packed.capacity()
    }
}

/// The least that repeats and is looked for at level 1: ids have much that is shorter, by chance, and nothing is gained by it.
const LEAST_REPEATED: u32 = 7;

fn compressor(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    if level == 1 {
        compressor.set_parameter(zstd::zstd_safe::CParameter::MinMatch(LEAST_REPEATED))?;
    }
    Ok(compressor)
}

/// The pages of a column, one after the other.
pub(super) struct Pages<'p> {
    descriptor: &'p ColumnDescPtr,
    compression: Compression,
    packer: &'p mut Packer,
    sink: TrackedWrite<Vec<u8>>,
    /// Minima and maxima, unless they would be copies of large texts.
    column_index: Option<ColumnIndexBuilder>,
    offset_index: OffsetIndexBuilder,
    /// Of the whole column.
    facts: Facts,
    /// The bounds of the last page that has any, and whether pages ascend and descend so far.
    last: Option<Bounds>,
    order: [bool; 2],
    encodings: Vec<PageEncodingStats>,
    uncompressed: usize,
    dictionary_offset: Option<i64>,
    first_offset: Option<i64>,
}

impl<'p> Pages<'p> {
    pub(super) fn new(descriptor: &'p ColumnDescPtr, plan: Plan, packer: &'p mut Packer) -> Self {
        let column_index = plan.has_statistics.then(|| ColumnIndexBuilder::new(descriptor.physical_type()));
        Self {
            descriptor,
            compression: plan.compression,
            packer,
            sink: TrackedWrite::new(Vec::new()),
            column_index,
            offset_index: OffsetIndexBuilder::new(),
            facts: Facts { rows: 0, nulls: 0, bounds: None, text_bytes: None },
            last: None,
            order: [true; 2],
            encodings: Vec::new(),
            uncompressed: 0,
            dictionary_offset: None,
            first_offset: None,
        }
    }

    /// Whether values may be null.
    fn is_nullable(&self) -> bool {
        self.descriptor.max_def_level() > 0
    }

    /// Appends to a page which of its rows are null; `levels` tell where there are both.
    pub(super) fn push_levels(&self, facts: &Facts, levels: &[u8], page: &mut Vec<u8>) {
        if !self.is_nullable() {
            return;
        }
        page.extend_from_slice(&[0; 4]);
        let start = page.len();
        match facts.is_mixed() {
            true => push_hybrid(levels, 1, page),
            false => push_run(u64::from(facts.nulls == 0), facts.rows, 1, page),
        }
        let length = u32::try_from(page.len() - start).expect("a level is a bit");
        page[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }

    /// Writes the dictionary, which comes before all data.
    pub(super) fn push_dictionary(&mut self, entries: usize, page: &mut Vec<u8>) -> Result<()> {
        let page_of = |buf| Page::DictionaryPage {
            buf,
            num_values: u32::try_from(entries).expect("a dictionary is small"),
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let spec = self.push(page, page_of)?;
        self.dictionary_offset = Some(offset(spec.offset));
        Ok(())
    }

    /// Writes a page of data.
    pub(super) fn push_data(&mut self, facts: &Facts, encoding: Encoding, page: &mut Vec<u8>) -> Result<()> {
        let name = self.descriptor.name();
        anyhow::ensure!(self.is_nullable() || facts.nulls == 0, "{} rows have no {name}, which each must", facts.nulls);
        let rows = u32::try_from(facts.rows).context("a page has too many rows")?;
        let page_of = |buf| Page::DataPage {
            buf,
            num_values: rows,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = self.push(page, page_of)?;
        self.first_offset.get_or_insert(offset(spec.offset));
        let size = i32::try_from(spec.compressed_size).context("a page is too large")?;
        self.offset_index.append_offset_and_size(offset(spec.offset), size);
        self.offset_index.append_row_count(i64::from(rows));
        self.offset_index.append_unencoded_byte_array_data_bytes(facts.text_bytes.map(count));
        self.index(facts);
        self.add(facts);
        Ok(())
    }

    fn push(&mut self, page: &mut Vec<u8>, page_of: impl Fn(Bytes) -> Page) -> Result<PageWriteSpec> {
        let uncompressed = page.len();
        let packed = self.packer.pack(page, self.compression)?;
        // The bytes are taken back when the page is written, as no one else holds them then.
        let bytes = Bytes::from(std::mem::take(packed));
        let page = CompressedPage::new(page_of(bytes.clone()), uncompressed);
        let (page_type, encoding) = (page.page_type(), page.encoding());
        let spec = SerializedPageWriter::new(&mut self.sink).write_page(page)?;
        *packed = bytes.into();
        self.uncompressed += spec.uncompressed_size;
        match self.encodings.last_mut() {
            Some(last) if last.page_type == page_type => last.count += 1,
            _ => self.encodings.push(PageEncodingStats { page_type, encoding, count: 1 }),
        }
        Ok(spec)
    }

    /// Enters a page in the column index.
    fn index(&mut self, facts: &Facts) {
        let Some(index) = &mut self.column_index else { return };
        let physical = self.descriptor.physical_type();
        let (least, most) = match &facts.bounds {
            Some(bounds) => (bounds.least.lower(physical).0, bounds.most.upper(physical).0),
            None => (Vec::new(), Vec::new()),
        };
        index.append(facts.bounds.is_none(), least, most, count(facts.nulls), None);
        index.append_histograms(&None, &histogram(self.descriptor, facts));
        if let Some(bounds) = &facts.bounds {
            if let Some(last) = &self.last {
                self.order[0] &= last.least <= bounds.least && last.most <= bounds.most;
                self.order[1] &= last.least >= bounds.least && last.most >= bounds.most;
            }
            self.last = Some(bounds.clone());
        }
    }

    /// Counts a page in what is known of the column.
    fn add(&mut self, facts: &Facts) {
        let all = &mut self.facts;
        all.rows += facts.rows;
        all.nulls += facts.nulls;
        match (&mut all.bounds, &facts.bounds) {
            (Some(all), Some(bounds)) => all.widen(bounds),
            (all @ None, bounds) => all.clone_from(bounds),
            (Some(_), None) => {}
        }
        if let Some(bytes) = facts.text_bytes {
            *all.text_bytes.get_or_insert(0) += bytes;
        }
    }

    /// The finished column.
    pub(super) fn close(self, bloom_filter: Option<Sbbf>) -> Result<EncodedColumn> {
        let bytes = self.sink.into_inner()?;
        let used = self.encodings.iter().map(|stats| &stats.encoding).chain([&Encoding::RLE]);
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor.clone())
            .set_compression(self.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(used))
            .set_page_encoding_stats(self.encodings.clone())
            .set_total_compressed_size(count(bytes.len()))
            .set_total_uncompressed_size(count(self.uncompressed))
            .set_num_values(count(self.facts.rows))
            .set_data_page_offset(self.first_offset.unwrap_or(0))
            .set_dictionary_page_offset(self.dictionary_offset);
        if self.column_index.is_some() {
            let is_signed = self.descriptor.sort_order().is_signed();
            let physical = self.descriptor.physical_type();
            metadata = metadata
                .set_statistics(statistics(self.facts.bounds.as_ref(), self.facts.nulls as u64, physical, is_signed))
                .set_unencoded_byte_array_data_bytes(self.facts.text_bytes.map(count))
                .set_definition_level_histogram(histogram(self.descriptor, &self.facts));
        }
        let column_index = self.column_index.map(|mut index| {
            index.set_boundary_order(match self.order {
                [true, _] => BoundaryOrder::ASCENDING,
                [false, true] => BoundaryOrder::DESCENDING,
                [false, false] => BoundaryOrder::UNORDERED,
            });
            index.build()
        });
        let facts = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.facts.rows as u64,
            bloom_filter,
            metadata: metadata.build()?,
            column_index: column_index.transpose()?,
            offset_index: Some(self.offset_index.build()),
        };
        Ok(EncodedColumn { bytes: bytes.into(), facts })
    }
}

/// How many rows are null and how many are not.
fn histogram(descriptor: &ColumnDescPtr, facts: &Facts) -> Option<LevelHistogram> {
    let mut histogram = LevelHistogram::try_new(descriptor.max_def_level())?;
    histogram.increment_by(0, count(facts.nulls));
    histogram.increment_by(1, count(facts.rows - facts.nulls));
    Some(histogram)
}

fn count(count: usize) -> i64 {
    i64::try_from(count).expect("memory has fewer bytes")
}

fn offset(offset: u64) -> i64 {
    i64::try_from(offset).expect("memory has fewer bytes")
}
