//! Leads from a transaction id to its rows, and from each row back to its record and the members its values came from.
//!
//! Of the data, only what can hold the id is read: row groups are left out by their statistics and bloom filters, and of
//! the others the ids come first. A file in which the id is found is checked by its digest; that no other one is damaged
//! is for [`verify`](super::verify) to tell.
//!
//! Which members a column came from is what its source tells ([`Source::origins`]), looked up in the record; the mapping
//! is not run again. A record is shown only from a dump that is, by its digest, one that was normalized, and only when it
//! has the row's id. Of the rows that it replaced, where their records stood is told, and theirs before them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int16Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::file::statistics::Statistics;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::{
    DataReader, Failure, RUN_ID, footer_fact, guarded, is_inside, manifest_path, manifest_text, open_data_file, places,
    quarantine_lines, schema_fault,
};
use crate::extract::discover::STANDARD_INPUT;
use crate::extract::reread::reread;
use crate::load::manifest::{FileFacts, Manifest, PersonalFacts};
use crate::load::replaced;
use crate::model::columns::{COLUMNS, Kind, TRANSACTION_ID};
use crate::model::json::{Reader, Type};
use crate::model::paths::{printable, shown};
use crate::model::reject::Reason;
use crate::model::time::{Date, Timestamp};
use crate::sources::{self, Source};

/// Of places that hold the id, in quarantine or of replaced rows, so many are shown.
const SHOWN_PLACES: usize = 20;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The dataset's directory.
    pub dataset: &'a Path,
    /// The transaction's id.
    pub id: &'a str,
    /// Its source; all sources when absent.
    pub source: Option<&'a str>,
    /// The directory that the dumps' paths are relative to.
    pub dumps: &'a Path,
}

/// The rows of an id.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The id.
    pub transaction_id: String,
    /// Its rows, by data file.
    pub rows: Vec<Row>,
    /// Where the id occurs in quarantine; looked for only when there is no row.
    pub quarantine: Option<InQuarantine>,
}

/// A row, where it is and where it came from.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its source.
    pub source: String,
    /// The data file that it is in.
    pub file: String,
    /// The run that wrote that file.
    pub run_id: Option<String>,
    /// The dump that it came from.
    pub source_file: String,
    /// Where its record begins in the decompressed dump.
    pub source_offset: u64,
    /// What became of the dump.
    pub dump: DumpState,
    /// The record's text, where it is still there.
    pub record: Option<String>,
    /// The rows that it replaced, and those that they did.
    pub replaced: Vec<ReplacedRow>,
    /// Its values in the order of the schema.
    pub columns: Vec<ColumnValue>,
}

/// A row that is no longer in the data.
#[derive(Clone, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplacedRow {
    /// The dump of its record.
    pub source_file: String,
    /// The record's offset in it.
    pub source_offset: u64,
    /// Whether it says what the row says that took its place.
    pub identical: bool,
}

/// What became of a dump since it was normalized.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum DumpState {
    /// It is as it was.
    Unchanged,
    /// Runs read several dumps at its path, of which one is there now: the record is of that one, and has the row's id.
    OneOfSeveral,
    /// It is not the one that was read there, by its digest or by the id at the offset.
    Altered,
    /// It is not where it was looked for.
    Absent,
    /// It can't be read, or not at that place, and why.
    Unreadable(String),
    /// It was standard input, which is not kept.
    StandardInput,
}

/// A value and the members of the record that it came from.
#[derive(Debug, Serialize)]
pub struct ColumnValue {
    /// The column.
    pub column: &'static str,
    /// Decimals and times as text.
    pub value: Value,
    /// The members; none where the source implies the value, the configuration says it, or the record is not there.
    pub members: Vec<MemberText>,
    /// The dataset's rule for personal data, by which the value is not that of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A member of a record.
#[derive(Debug, Serialize)]
pub struct MemberText {
    /// Its name, `gross.value` for a member of an object.
    pub member: String,
    /// The text of its value in the record.
    pub text: String,
}

/// Where an id occurs in quarantine.
#[derive(Debug, Default, Serialize)]
pub struct InQuarantine {
    /// How many entries hold it.
    pub entries: u64,
    /// The first of them.
    pub places: Vec<QuarantinePlace>,
    /// Entries whose text is not kept, so that nothing can be said of them.
    pub without_text: u64,
}

/// An entry of the quarantine.
#[derive(Debug, Serialize)]
pub struct QuarantinePlace {
    /// The dump.
    pub source_file: String,
    /// The offset in it.
    pub source_offset: u64,
    /// Why it is in quarantine.
    pub reason: String,
    /// What helps.
    pub remedy: &'static str,
}

/// Finds the rows that are asked for and explains them.
///
/// # Errors
/// When there is no dataset, or what must be read of it can't be.
pub fn explain(question: Question<'_>) -> Result<Explained, Failure> {
    let text = manifest_text(question.dataset)?;
    let manifest = Manifest::parse(&text).map_err(|what| anyhow!("{} {what}", shown(&manifest_path())))?;
    let find = |file: &FileFacts| {
        let hint = "`paynorm verify` tells what is wrong with the dataset";
        guarded(|| found_in(question, file)).with_context(|| format!("can't read {}; {hint}", printable(&file.path)))
    };
    let found: Vec<Vec<Found>> = manifest.files.par_iter().map(find).collect::<Result<_>>()?;
    let rows = found.into_iter().flatten().map(|found| found.explain(question, &manifest)).collect::<Result<Vec<_>>>();
    let rows = rows.context("a row that makes no sense; `paynorm verify` tells what is wrong with the dataset")?;
    let quarantine = if rows.is_empty() {
        let place = "can't read the quarantine; `paynorm verify` tells what is wrong with the dataset";
        Some(InQuarantine::look(question).context(place)?)
    } else {
        None
    };
    Ok(Explained { transaction_id: question.id.to_owned(), rows, quarantine })
}

/// A row that was found.
struct Found {
    file: String,
    run_id: Option<String>,
    /// One row.
    batch: RecordBatch,
}

fn found_in(question: Question<'_>, file: &FileFacts) -> Result<Vec<Found>> {
    ensure!(is_inside(&file.path), "the path leads out of the dataset");
    let path = question.dataset.join(&file.path);
    let reader = open_data_file(&path)?;
    ensure!(schema_fault(reader.parquet_schema()).is_none(), "not of the unified schema");
    let mut groups = Vec::new();
    for group in 0..reader.metadata().num_row_groups() {
        if may_hold(&reader, group, question)? {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let run_id = footer_fact(reader.metadata(), RUN_ID).map(str::to_owned);
    let filter = filter(&reader, question);
    let mut found = Vec::new();
    for batch in reader.with_row_groups(groups).with_row_filter(filter).build()? {
        let batch = batch?;
        let row = |at| Found { file: file.path.clone(), run_id: run_id.clone(), batch: batch.slice(at, 1) };
        found.extend((0..batch.num_rows()).map(row));
    }
    if !found.is_empty() {
        file.check(&path, &|| false)?;
    }
    Ok(found)
}

/// Whether a row group may hold the row, as its statistics and its bloom filter tell.
fn may_hold(reader: &DataReader, group: usize, question: Question<'_>) -> Result<bool> {
    let columns = reader.metadata().row_group(group).columns();
    let within = |place: usize, value: &str| {
        let statistics = columns.get(place).and_then(|column| column.statistics());
        let least = statistics.and_then(Statistics::min_bytes_opt);
        let most = statistics.and_then(Statistics::max_bytes_opt);
        least.is_none_or(|least| least <= value.as_bytes()) && most.is_none_or(|most| value.as_bytes() <= most)
    };
    let source = question.source.is_none_or(|source| places(&["source"]).into_iter().all(|at| within(at, source)));
    if !source || !within(TRANSACTION_ID, question.id) {
        return Ok(false);
    }
    let bloom_filter = reader.get_row_group_column_bloom_filter(group, TRANSACTION_ID)?;
    Ok(bloom_filter.is_none_or(|bloom_filter| bloom_filter.check(question.id)))
}

/// Reads ids, and sources where one is asked for, before all other columns.
fn filter(reader: &DataReader, question: Question<'_>) -> RowFilter {
    let wanted = [("transaction_id", Some(question.id)), ("source", question.source)];
    let predicates = wanted.into_iter().filter_map(|(name, value)| {
        let value = value?.to_owned();
        let mask = ProjectionMask::leaves(reader.parquet_schema(), places(&[name]));
        let predicate = move |batch: RecordBatch| -> Result<BooleanArray, ArrowError> {
            let texts = batch.column(0).as_string::<i32>();
            Ok(texts.iter().map(|text| Some(text == Some(&value))).collect())
        };
        Some(Box::new(ArrowPredicateFn::new(mask, predicate)) as _)
    });
    RowFilter::new(predicates.collect())
}

impl Found {
    fn explain(self, question: Question<'_>, manifest: &Manifest) -> Result<Row> {
        let mut columns: Vec<ColumnValue> = COLUMNS
            .iter()
            .zip(self.batch.columns())
            .map(|(column, array)| ColumnValue {
                column: column.name,
                value: value(column.kind, array),
                members: Vec::new(),
                rule: None,
            })
            .collect();
        let get = |name: &str| columns.iter().find(|column| column.column == name).map(|column| &column.value);
        let text = |name| get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {name}"));
        let (source, source_file) = (text("source")?, text("source_file")?);
        let source_offset = get("source_offset").and_then(Value::as_u64).context("no offset")?;
        let (dump, record) = match record_of(question, manifest, &source_file, source_offset) {
            Ok((_, record)) if !may_be_of(&record, &source, question.id) => (DumpState::Altered, None),
            Ok((state, record)) => (state, Some(record)),
            Err(state) => (state, None),
        };
        if let (Some(record), Some(source)) = (&record, sources::by_name(&source)) {
            let members = Members::of(record, source);
            for column in columns.iter_mut().filter(|column| !column.value.is_null()) {
                column.members = members.origin(column.column);
            }
        }
        if let Some(personal) = &manifest.personal {
            tell_rules(personal, &mut columns);
        }
        let replaced = replaced_by(question.dataset, manifest, &source, (&source_file, source_offset))?;
        Ok(Row {
            source,
            file: self.file,
            run_id: self.run_id,
            source_file,
            source_offset,
            dump,
            record,
            replaced,
            columns,
        })
    }
}

/// Notes at the columns of a row by which rules for personal data their values are not those of the record.
fn tell_rules(personal: &PersonalFacts, columns: &mut [ColumnValue]) {
    let anonymous = columns.iter().any(|column| column.column == "is_anonymous" && column.value == Value::Bool(true));
    let of_payer = personal.rules.get("anonymous").filter(|_| anonymous);
    let of_members = personal.rules.iter().find(|(name, _)| name.starts_with("extra.")).map(|(_, rule)| rule);
    for (column, known) in columns.iter_mut().zip(COLUMNS) {
        let is_extra = known.name == "extra";
        let rule = of_payer.filter(|_| known.personal || is_extra).or_else(|| personal.rules.get(known.name));
        column.rule = rule.or(of_members.filter(|_| is_extra)).cloned();
    }
}

/// The value in the one row of an array.
fn value(kind: Kind, array: &ArrayRef) -> Value {
    if array.is_null(0) {
        return Value::Null;
    }
    match kind {
        Kind::Text => array.as_string::<i32>().value(0).into(),
        Kind::Amount => array.as_primitive::<Decimal128Type>().value_as_string(0).into(),
        Kind::Time => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(0);
            Timestamp::from_micros(micros).map_or_else(|| micros.into(), |time| time.to_string().into())
        }
        Kind::Date => Date::from_days(array.as_primitive::<Date32Type>().value(0)).to_string().into(),
        Kind::Flag => array.as_boolean().value(0).into(),
        Kind::Small => array.as_primitive::<Int16Type>().value(0).into(),
        Kind::Large => array.as_primitive::<Int64Type>().value(0).into(),
    }
}

/// Reads a record again from its dump, if that is still what it was.
fn record_of(
    question: Question<'_>,
    manifest: &Manifest,
    name: &str,
    offset: u64,
) -> Result<(DumpState, String), DumpState> {
    if name == STANDARD_INPUT {
        return Err(DumpState::StandardInput);
    }
    let unreadable = |why: &str| DumpState::Unreadable(why.to_owned());
    let path = dump_path(question.dumps, name).ok_or(DumpState::Absent)?;
    let reread = reread(&path, offset).map_err(|error| DumpState::Unreadable(error.kind().to_string()))?;
    if reread.facts.changed {
        return Err(unreadable("it changed while it was read"));
    }
    // Runs that followed one another may have read different dumps at one path.
    let listed: BTreeSet<&str> =
        manifest.dumps.iter().filter(|dump| dump.path == name).map(|dump| &*dump.digest).collect();
    if !listed.contains(&*reread.facts.digest) {
        return Err(DumpState::Altered);
    }
    let record = reread.record.ok_or_else(|| unreadable("no record begins at the offset"))?;
    let record = String::from_utf8(record).map_err(|_| unreadable("the record is no UTF-8"))?;
    Ok((if listed.len() == 1 { DumpState::Unchanged } else { DumpState::OneOfSeveral }, record))
}

/// Whether a record has the id of the row, as far as its source is known.
fn may_be_of(record: &str, source: &str, id: &str) -> bool {
    let Some(source) = sources::by_name(source) else { return true };
    let found = Members::of(record, source).origin("transaction_id").pop().map(|member| member.text);
    found.is_some_and(|text| serde_json::from_str::<String>(&text).map_or(text == id, |characters| characters == id))
}

/// The file of a dump, if there is one: its name as it is, or with the bytes that `%XX` may stand for.
fn dump_path(dumps: &Path, name: &str) -> Option<PathBuf> {
    let bytes = unescape_bytes(name);
    let names = [Path::new(name), Path::new(std::ffi::OsStr::from_bytes(&bytes))];
    names.map(|name| dumps.join(name)).into_iter().find(|path| fs::metadata(path).is_ok_and(|file| file.is_file()))
}

fn unescape_bytes(name: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
    while let [first, behind @ ..] = rest {
        let hex = if let [b'%', high, low, ..] = rest { digit(*high).zip(digit(*low)) } else { None };
        bytes.push(hex.map_or(*first, |(high, low)| high * 16 + low));
        rest = if hex.is_some() { &behind[2..] } else { behind };
    }
    bytes
}

/// The rows that gave way to the one of the record at a dump and offset, those that gave way to them, and so on.
fn replaced_by(dataset: &Path, manifest: &Manifest, source: &str, at: (&str, u64)) -> Result<Vec<ReplacedRow>> {
    let mut places = BTreeSet::from([(at.0.to_owned(), at.1)]);
    let mut rows = BTreeSet::new();
    loop {
        let known = places.len();
        for file in &manifest.replaced {
            ensure!(is_inside(&file.path), "a path leads out of the dataset");
            let path = dataset.join(&file.path);
            file.check(&path, &|| false)?;
            replaced::read(&path, |row| {
                if row.source == source && places.contains(&(row.kept_file, row.kept_offset)) {
                    places.insert((row.source_file.clone(), row.source_offset));
                    let (source_file, source_offset, identical) = (row.source_file, row.source_offset, row.identical);
                    rows.insert(ReplacedRow { source_file, source_offset, identical });
                }
            })?;
        }
        if places.len() == known {
            return Ok(rows.into_iter().collect());
        }
    }
}

/// A member of a record, or of an object in it.
struct Member<'r> {
    object: Option<Cow<'r, str>>,
    key: Cow<'r, str>,
    text: &'r str,
}

impl Member<'_> {
    fn name(&self) -> String {
        self.object.as_ref().map_or_else(|| self.key.to_string(), |object| format!("{object}.{}", self.key))
    }

    fn is(&self, name: &str) -> bool {
        let (object, key) = name.split_once('.').map_or((None, name), |(object, key)| (Some(object), key));
        self.object.as_deref() == object && self.key == key
    }
}

/// The members of a record, and those of the objects that its source takes apart.
struct Members<'r> {
    source: &'static dyn Source,
    all: Vec<Member<'r>>,
}

impl<'r> Members<'r> {
    fn of(record: &'r str, source: &'static dyn Source) -> Self {
        let mut members = Self { source, all: Vec::new() };
        let mut objects = Vec::new();
        let read = Reader::default().members(record, |member| {
            let (key, text) = (member.key(), member.value.raw);
            if member.value.kind == Type::Object && members.is_taken_apart(&key) {
                objects.push((key.clone(), text));
            }
            members.all.push(Member { object: None, key, text });
            Ok(())
        });
        for (object, text) in objects.into_iter().filter(|_| read.is_ok()) {
            // It was checked with the record around it.
            let _ = Reader::default().members(text, |member| {
                let (key, text) = (member.key(), member.value.raw);
                members.all.push(Member { object: Some(object.clone()), key, text });
                Ok(())
            });
        }
        members
    }

    /// The names that columns take.
    fn taken(&self) -> impl Iterator<Item = &'static str> {
        self.source.origins().iter().flat_map(|(_, groups)| groups.iter()).flat_map(|group| group.iter().copied())
    }

    fn is_taken_apart(&self, key: &str) -> bool {
        self.taken().any(|taken| taken.split_once('.').is_some_and(|(object, _)| object == key))
    }

    /// The text of a member that is neither null nor empty.
    fn get(&self, name: &str) -> Option<&'r str> {
        let found = self.all.iter().find(|member| member.is(name));
        found.map(|member| member.text).filter(|text| !matches!(*text, "null" | "\"\""))
    }

    /// The members that a column came from.
    fn origin(&self, column: &str) -> Vec<MemberText> {
        if column == "extra" {
            return self.extra();
        }
        let told = self.source.origins().iter().find(|(told, _)| *told == column);
        let mut groups = told.map_or(&[][..], |(_, groups)| groups).iter();
        let whole = groups.find(|group| group.iter().all(|name| self.get(name).is_some()));
        let text =
            |name: &&'static str| Some(MemberText { member: (*name).to_owned(), text: self.get(name)?.to_owned() });
        whole.map_or(&[][..], |group| group).iter().filter_map(text).collect()
    }

    /// What no column takes, and what the source documents as going to `extra`.
    fn extra(&self) -> Vec<MemberText> {
        let is_extra = |member: &&Member<'_>| {
            let mut documented = self.source.documented().iter();
            match member.object {
                Some(_) => !self.taken().any(|taken| member.is(taken)),
                None => documented.find(|known| known.name == member.key).is_none_or(|known| known.extra),
            }
        };
        let text = |member: &Member<'_>| MemberText { member: member.name(), text: member.text.to_owned() };
        self.all.iter().filter(is_extra).map(text).collect()
    }
}

impl InQuarantine {
    fn look(question: Question<'_>) -> Result<Self> {
        let mut found = Self::default();
        for entry in quarantine_lines(question.dataset)? {
            let entry = entry?.context("a line is no entry")?;
            let of_other = |asked: &str| entry.source.as_deref().is_some_and(|source| source != asked);
            if question.source.is_some_and(of_other) {
                continue;
            }
            match entry.text() {
                None => found.without_text += 1,
                Some(text) if !String::from_utf8_lossy(&text).contains(question.id) => {}
                Some(_) => {
                    found.entries += 1;
                    if found.places.len() < SHOWN_PLACES {
                        let reason = Reason::ALL.iter().find(|reason| reason.code() == entry.reason);
                        found.places.push(QuarantinePlace {
                            source_file: entry.source_file,
                            source_offset: entry.source_offset,
                            reason: entry.reason,
                            remedy: reason.map_or("", |reason| reason.remedy()),
                        });
                    }
                }
            }
        }
        Ok(found)
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{} {}", row.source, printable(&self.transaction_id))?;
            row.fmt(f)?;
        }
        match &self.quarantine {
            Some(quarantine) => {
                writeln!(f, "no row has the id {}", printable(&self.transaction_id))?;
                quarantine.fmt(f)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  data file  {}", printable(&self.file))?;
        writeln!(f, "  run        {}", printable(self.run_id.as_deref().unwrap_or("not told by the file")))?;
        writeln!(f, "  dump       {}: {}", printable(&self.source_file), self.dump)?;
        writeln!(f, "  offset     {}", self.source_offset)?;
        match &self.replaced[..] {
            [] => writeln!(f, "  replaced   no other row")?,
            rows => {
                for row in rows.iter().take(SHOWN_PLACES) {
                    writeln!(f, "  replaced   {row}")?;
                }
                if rows.len() > SHOWN_PLACES {
                    writeln!(f, "             and {} more", rows.len() - SHOWN_PLACES)?;
                }
            }
        }
        if let Some(record) = &self.record {
            writeln!(f, "\n  the record as it stands in the dump:\n")?;
            for line in record.lines() {
                let parts: Vec<_> = line.split('\t').map(printable).collect();
                writeln!(f, "  {}", parts.join("\t"))?;
            }
        }
        writeln!(f)?;
        self.table(f)
    }
}

impl Row {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 40;
        const NULLS_IN_LINE: usize = 6;
        let (filled, null): (Vec<_>, Vec<_>) = self.columns.iter().partition(|column| !column.value.is_null());
        let texts: Vec<_> = filled.iter().map(|column| shown_value(&column.value)).collect();
        let width = texts.iter().map(|text| text.chars().count()).filter(|width| *width <= MOST).max().unwrap_or(0);
        let header = format!("  {:<26}  {:<width$}  {}", "column", "value", self.header());
        writeln!(f, "{}", header.trim_end())?;
        let configurable = sources::by_name(&self.source).is_some_and(|source| !source.writes_currency());
        for (column, text) in filled.iter().zip(texts) {
            let from = if self.record.is_some() { column.from(configurable) } else { String::new() };
            let line = format!("  {:<26}  {text:<width$}  {from}", column.column);
            writeln!(f, "{}", line.trim_end())?;
        }
        let names: Vec<_> = null.iter().map(|column| column.column).collect();
        for (number, line) in names.chunks(NULLS_IN_LINE).enumerate() {
            let (head, last) = (if number == 0 { "null:" } else { "" }, (number + 1) * NULLS_IN_LINE >= names.len());
            writeln!(f, "  {head:<5} {}{}", line.join(", "), if last { "" } else { "," })?;
        }
        let ruled: Vec<_> =
            self.columns.iter().filter_map(|c| Some(format!("{} {}", c.column, c.rule.as_ref()?))).collect();
        if ruled.is_empty() {
            Ok(())
        } else {
            writeln!(f, "  by the dataset's rules for personal data: {}", ruled.join(", "))
        }
    }

    fn header(&self) -> &'static str {
        if self.record.is_some() { "from" } else { "" }
    }
}

impl ColumnValue {
    /// What it came from, for a person; a currency may be a `configurable` one.
    fn from(&self, configurable: bool) -> String {
        let members = self.members.iter().map(|member| match self.column {
            // Its value is their text.
            "extra" => printable(&member.member),
            _ => printable(&format!("{}: {}", member.member, member.text)),
        });
        match self.column {
            "source" => "what tells the dump's records".to_owned(),
            "source_file" | "source_offset" => "where the record stands".to_owned(),
            _ if !self.members.is_empty() => members.collect::<Vec<_>>().join(", "),
            "currency" | "net_currency" | "fee_currency" if configurable => "configured".to_owned(),
            _ => "implied".to_owned(),
        }
    }
}

fn shown_value(value: &Value) -> String {
    printable(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

impl fmt::Display for ReplacedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = if self.identical { "the same" } else { "another version" };
        write!(f, "{}:{}, {says}", printable(&self.source_file), self.source_offset)
    }
}

impl fmt::Display for DumpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("unchanged"),
            Self::OneOfSeveral => {
                f.write_str("one of several that were read at this path; the row may be of another, with the same id")
            }
            Self::Altered => f.write_str("not the one that was read, so nothing of it is shown"),
            Self::Absent => f.write_str("not found; tell with --dumps which directory its path is relative to"),
            Self::Unreadable(why) => write!(f, "can't be read: {why}"),
            Self::StandardInput => f.write_str("standard input, which is not kept"),
        }
    }
}

impl fmt::Display for InQuarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entries {
            0 => writeln!(f, "nor does an entry of the quarantine hold it")?,
            1 => writeln!(f, "but 1 entry of the quarantine holds it in its text:")?,
            many => writeln!(f, "but {many} entries of the quarantine hold it in their text:")?,
        }
        for place in &self.places {
            let at = format!("{}:{}", place.source_file, place.source_offset);
            writeln!(f, "  {}  {}: {}", printable(&at), printable(&place.reason), place.remedy)?;
        }
        if self.entries > self.places.len() as u64 {
            writeln!(f, "  and {} more", self.entries - self.places.len() as u64)?;
        }
        if self.without_text > 0 {
            let entries = if self.without_text == 1 { "entry has" } else { "entries have" };
            writeln!(f, "{} more {entries} no text to look into", self.without_text)?;
        }
        Ok(())
    }
}
