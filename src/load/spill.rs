//! Rows that wait on disk: a run holds rows of many small partitions, ordered by partition.
//!
//! A dataset of thousands of partitions has more rows under way than fit in memory, and too few for each partition to be
//! worth encoders. They are written as they are (Arrow IPC) and read back once, partition after partition.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

/// Rows of a batch on disk.
const BATCH_ROWS: usize = 8192;

/// Writes a run.
pub(super) struct RunWriter {
    writer: StreamWriter<BufWriter<File>>,
    schema: SchemaRef,
    gathered: Vec<RecordBatch>,
    rows: usize,
    /// Rows of each partition, in order.
    index: Vec<(u32, usize)>,
}

impl RunWriter {
    pub(super) fn create(path: &Path, schema: &SchemaRef) -> Result<Self> {
        let file = File::create_new(path).with_context(|| format!("can't create {}", path.display()))?;
        let writer = StreamWriter::try_new_buffered(file, schema)?;
        Ok(Self { writer, schema: schema.clone(), gathered: Vec::new(), rows: 0, index: Vec::new() })
    }

    /// Adds the rows of a partition; partitions come in order.
    pub(super) fn push(&mut self, partition: u32, rows: RecordBatch) -> Result<()> {
        self.index.push((partition, rows.num_rows()));
        self.rows += rows.num_rows();
        self.gathered.push(rows);
        if self.rows >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let batch = concat_batches(&self.schema, &self.gathered)?;
        self.gathered.clear();
        self.rows = 0;
        self.writer.write(&batch).context("can't write rows to disk")
    }

    pub(super) fn finish(mut self, path: &Path) -> Result<Run> {
        self.write()?;
        self.writer.finish().context("can't write rows to disk")?;
        let file = File::open(path).context("can't read rows from disk")?;
        let reader = StreamReader::try_new_buffered(file, None).context("can't read rows from disk")?;
        Ok(Run { reader, index: self.index.into_iter().collect(), batch: None, at: 0 })
    }
}

/// A run that is read back.
pub(super) struct Run {
    reader: StreamReader<BufReader<File>>,
    index: std::collections::VecDeque<(u32, usize)>,
    batch: Option<RecordBatch>,
    at: usize,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("partitions", &self.index.len()).finish_non_exhaustive()
    }
}

impl Run {
    /// The rows of a partition, if the run has any; partitions must be asked for in the run's order.
    pub(super) fn take(&mut self, partition: u32) -> Result<Vec<RecordBatch>> {
        let Some((_, mut rows)) = self.index.pop_front_if(|entry| entry.0 == partition) else { return Ok(Vec::new()) };
        let mut taken = Vec::new();
        while rows > 0 {
            let batch = match self.batch.take() {
                Some(batch) if self.at < batch.num_rows() => batch,
                _ => {
                    self.at = 0;
                    self.reader.next().ok_or_else(|| anyhow!("rows on disk are missing"))??
                }
            };
            let count = rows.min(batch.num_rows() - self.at);
            taken.push(batch.slice(self.at, count));
            self.at += count;
            rows -= count;
            self.batch = Some(batch);
        }
        Ok(taken)
    }
}
