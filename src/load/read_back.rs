//! Rows that were written, read again: to count the ones that are dropped, to find keys that came again, and to tell
//! whether two rows are the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use twox_hash::XxHash3_64;

use super::keys::{KeyEntry, KeyFilter, Reading};
use super::manifest::DumpFacts;
use crate::model::counts::{RowFacts, SourceCounts};
use crate::model::money::{Amount, Currency, Money};
use crate::model::paths::shown;
use crate::model::time::Timestamp;
use crate::model::transaction::Amounts;
use crate::model::vocabulary::{AmountCheck, Classification, State};

/// Rows read at once.
const BATCH_ROWS: usize = 1 << 16;
/// Columns that tell where a row comes from and not what it says.
const LINEAGE: [&str; 2] = ["source_file", "source_offset"];

/// Rows that were dropped because another one of their key stays.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Counts by source.
    pub sources: BTreeMap<String, SourceCounts>,
    /// How many by dump.
    pub dumps: BTreeMap<String, u64>,
}

impl Dropped {
    /// Adds what others counted.
    pub fn add(&mut self, other: Self) {
        for (source, counts) in other.sources {
            *self.sources.entry(source).or_default() += counts;
        }
        for (dump, count) in other.dumps {
            *self.dumps.entry(dump).or_default() += count;
        }
    }

    /// Rows dropped in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.dumps.values().sum()
    }

    /// How many were the same as the row that stays, and how many differed.
    #[must_use]
    pub fn split(&self) -> (u64, u64) {
        let sum = |of: fn(&SourceCounts) -> u64| self.sources.values().map(of).sum();
        (sum(|counts| counts.identical), sum(|counts| counts.differing))
    }

    /// Notes the rows as duplicates of their dumps.
    ///
    /// # Errors
    /// When a dump is not there, or did not have so many.
    pub fn take_from(&self, dumps: &mut [DumpFacts]) -> Result<()> {
        let mut by_path: BTreeMap<&str, Vec<&mut DumpFacts>> = BTreeMap::new();
        for dump in dumps {
            if let Some(count) = self.dumps.get_key_value(&dump.path) {
                by_path.entry(count.0).or_default().push(dump);
            }
        }
        for (path, count) in &self.dumps {
            let mut count = *count;
            // Of one path there may be several contents, and rows do not tell of which they are: the newest first.
            for dump in by_path.remove(&**path).unwrap_or_default().into_iter().rev() {
                let taken = count.min(dump.rows - dump.duplicates);
                dump.duplicates += taken;
                count -= taken;
            }
            anyhow::ensure!(count == 0, "{path}: more rows were replaced than read");
        }
        Ok(())
    }

    /// Counts the row at `at`, read back; `facts` are columns of the same rows.
    ///
    /// # Errors
    /// When the row is not one of ours.
    pub(super) fn row(
        &mut self,
        rows: &RowReader<'_>,
        facts: &FactColumns<'_>,
        at: usize,
        identical: bool,
    ) -> Result<()> {
        let counts = self.sources.entry(rows.text("source", at)?.to_owned()).or_default();
        counts.cube.row(&facts.row(at)?);
        *(if identical { &mut counts.identical } else { &mut counts.differing }) += 1;
        *self.dumps.entry(rows.text("source_file", at)?.to_owned()).or_default() += 1;
        Ok(())
    }
}

/// Opens a data file to read it again, all columns or those named, all rows or those selected.
pub(super) fn open(
    path: &Path,
    columns: Option<&[&str]>,
    rows: Option<RowSelection>,
) -> Result<ParquetRecordBatchReader> {
    let open = || -> Result<ParquetRecordBatchReader> {
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.with_batch_size(BATCH_ROWS);
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        Ok(builder.build()?)
    };
    open().with_context(|| format!("can't read {} again", shown(path)))
}

/// The rows with these numbers, which are in order.
fn selection(rows: &[u32]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for &row in rows {
        let row = row as usize;
        if row > next {
            selectors.push(RowSelector::skip(row - next));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    selectors.into()
}

/// A row of an earlier run whose key may have come again.
#[derive(Debug)]
pub(super) struct EarlierKey {
    pub(super) entry: KeyEntry,
    pub(super) id: String,
    pub(super) row: u32,
}

/// The rows of a file whose keys `filter` may hold; `sources` are the names of the sources by number, and `rank` is the
/// place of a dump among all.
pub(super) fn keys_again(
    path: &Path,
    filter: &KeyFilter,
    sources: &[&str],
    rank: impl Fn(&str) -> Option<u32>,
) -> Result<Vec<EarlierKey>> {
    let mut found: Vec<(u8, String, u32)> = Vec::new();
    let mut first = 0;
    for batch in open(path, Some(&["source", "transaction_id"]), None)? {
        let batch = batch.with_context(|| format!("can't read {}", shown(path)))?;
        let rows = RowReader(&batch);
        for at in 0..batch.num_rows() {
            let (source, id) = (rows.source(at, sources)?, rows.text("transaction_id", at)?);
            if filter.may_hold(source, id) {
                found.push((source, id.to_owned(), first + u32::try_from(at)?));
            }
        }
        first += u32::try_from(batch.num_rows())?;
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<u32> = found.iter().map(|(_, _, row)| *row).collect();
    let columns = ["updated_at", "completed_at", "state", "source_file", "source_offset"];
    let mut keys = Vec::with_capacity(found.len());
    let mut found = found.into_iter();
    for batch in open(path, Some(&columns), Some(selection(&numbers)))? {
        let batch = batch.with_context(|| format!("can't read {}", shown(path)))?;
        let rows = RowReader(&batch);
        for at in 0..batch.num_rows() {
            let (source, id, row) = found.next().context("more rows than were asked for")?;
            let entry = KeyEntry {
                source,
                updated_at: rows.time("updated_at", at)?,
                completed_at: rows.time("completed_at", at)?,
                is_final: rows.state(at)?.is_final(),
                dump: rank(rows.text("source_file", at)?).context("a row's dump is not in the manifest")?,
                reading: Reading::There,
                offset: rows.offset(at)?,
                content: 0,
            };
            keys.push(EarlierKey { entry, id, row });
        }
    }
    anyhow::ensure!(found.next().is_none(), "{}: fewer rows than were asked for", shown(path));
    Ok(keys)
}

/// Hashes of what rows say: of every column but lineage. `rows` are numbers over all of `files`, in order.
pub(super) fn row_hashes<'f>(files: impl Iterator<Item = (&'f Path, u64)>, rows: &[u32]) -> Result<Vec<u64>> {
    let mut hashes = Vec::with_capacity(rows.len());
    let (mut first, mut rest) = (0_u64, rows);
    for (path, count) in files {
        let here = rest.partition_point(|row| u64::from(*row) < first + count);
        let numbers = rest[..here].iter().map(|row| u32::try_from(u64::from(*row) - first));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        (first, rest) = (first + count, &rest[here..]);
        if numbers.is_empty() {
            continue;
        }
        for batch in open(path, None, Some(selection(&numbers)))? {
            let batch = batch.with_context(|| format!("can't read {}", shown(path)))?;
            let schema = batch.schema();
            let says =
                schema.fields().iter().zip(batch.columns()).filter(|(f, _)| !LINEAGE.contains(&f.name().as_str()));
            let columns: Vec<ArrayRef> = says.map(|(_, column)| column.clone()).collect();
            let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
            let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
            hashes.extend(rows.iter().map(|row| XxHash3_64::oneshot(row.data())));
        }
    }
    anyhow::ensure!(hashes.len() == rows.len(), "rows that were written can't be found again");
    Ok(hashes)
}

/// Reads values of rows that were written.
pub(super) struct RowReader<'b>(pub(super) &'b RecordBatch);

impl<'b> RowReader<'b> {
    fn column(&self, name: &str) -> Result<&'b ArrayRef> {
        self.0.column_by_name(name).with_context(|| format!("the column {name} is missing"))
    }

    fn optional_text(&self, name: &str, at: usize) -> Result<Option<&'b str>> {
        let values = self.column(name)?.as_string_opt::<i32>().with_context(|| format!("{name} is no text"))?;
        Ok((!values.is_null(at)).then(|| values.value(at)))
    }

    fn text(&self, name: &str, at: usize) -> Result<&'b str> {
        self.optional_text(name, at)?.with_context(|| format!("{name} is null"))
    }

    fn source(&self, at: usize, sources: &[&str]) -> Result<u8> {
        let name = self.text("source", at)?;
        let number = sources.iter().position(|source| *source == name);
        u8::try_from(number.context("a source that this version does not know")?).context("too many sources")
    }

    fn state(&self, at: usize) -> Result<State> {
        State::parse(self.text("state", at)?).context("a state that is not in the schema")
    }

    fn time(&self, name: &str, at: usize) -> Result<Option<Timestamp>> {
        let values = self.column(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let values = values.with_context(|| format!("{name} is no time"))?;
        if values.is_null(at) {
            return Ok(None);
        }
        Timestamp::from_micros(values.value(at)).map(Some).with_context(|| format!("{name} is out of range"))
    }

    fn offset(&self, at: usize) -> Result<u64> {
        let values = self.column("source_offset")?.as_primitive_opt::<Int64Type>().context("an offset is no number")?;
        u64::try_from(values.value(at)).context("an offset is negative")
    }
}

/// The columns of rows that are counted in a [`Cube`](crate::model::cube::Cube).
#[derive(Debug)]
pub struct FactColumns<'b> {
    occurred_at: &'b TimestampMicrosecondArray,
    state: &'b StringArray,
    classification: &'b StringArray,
    amount_check: &'b StringArray,
    gross: MoneyColumns<'b>,
    net: MoneyColumns<'b>,
    fee: MoneyColumns<'b>,
}

type MoneyColumns<'b> = (&'b Decimal128Array, &'b StringArray);

impl<'b> FactColumns<'b> {
    /// The names of the columns.
    pub const NAMES: [&'static str; 10] = [
        "occurred_at",
        "gross_amount",
        "net_amount",
        "fee_amount",
        "currency",
        "net_currency",
        "fee_currency",
        "amount_check",
        "classification",
        "state",
    ];

    /// Finds the columns.
    ///
    /// # Errors
    /// When one is missing or of another type.
    pub fn of(batch: &'b RecordBatch) -> Result<Self> {
        let rows = RowReader(batch);
        let texts = |name: &str| rows.column(name)?.as_string_opt().with_context(|| format!("{name} is no text"));
        let money = |amount: &str, currency: &str| -> Result<MoneyColumns<'b>> {
            let amounts = rows.column(amount)?.as_primitive_opt::<Decimal128Type>();
            Ok((amounts.with_context(|| format!("{amount} is no decimal"))?, texts(currency)?))
        };
        Ok(Self {
            occurred_at: rows.column("occurred_at")?.as_primitive_opt().context("occurred_at is no time")?,
            state: texts("state")?,
            classification: texts("classification")?,
            amount_check: texts("amount_check")?,
            gross: money("gross_amount", "currency")?,
            net: money("net_amount", "net_currency")?,
            fee: money("fee_amount", "fee_currency")?,
        })
    }

    /// The row at `at`.
    ///
    /// # Errors
    /// When a value is not one of ours.
    pub fn row(&self, at: usize) -> Result<RowFacts> {
        let unknown = "a word that is not in the schema";
        let time = Timestamp::from_micros(self.occurred_at.value(at)).context("occurred_at is out of range")?;
        Ok(RowFacts {
            month: time.month(),
            state: State::parse(self.state.value(at)).context(unknown)?,
            classification: Classification::parse(self.classification.value(at)).context(unknown)?,
            amounts: Amounts {
                gross: money(self.gross, at)?,
                net: money(self.net, at)?,
                fee: money(self.fee, at)?,
                check: AmountCheck::parse(self.amount_check.value(at)).context(unknown)?,
            },
        })
    }
}

fn money((amounts, currencies): MoneyColumns<'_>, at: usize) -> Result<Option<Money>> {
    if amounts.is_null(at) {
        return Ok(None);
    }
    let units = i64::try_from(amounts.value(at)).ok().and_then(Amount::from_units);
    let code = (!currencies.is_null(at)).then(|| currencies.value(at));
    let currency = code.map(|code| Currency::parse(code).context("a currency is no code")).transpose()?;
    Ok(Some(Money { amount: units.context("an amount is out of range")?, currency }))
}
