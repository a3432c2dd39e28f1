//! Columns are read back by the library's own reader, and what is said of them is held against what its writer says.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int16Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use proptest::prelude::*;

use super::*;
use crate::model::cells::{Cells, Filling, array};
use crate::model::columns::{self, Placed, TRANSACTION_ID};
use crate::model::time::Timestamp;
use crate::model::transaction::{Amounts, Transaction};
use crate::model::vocabulary::{AmountCheck, Classification, State};

fn number_of(name: &str) -> usize {
    COLUMNS.iter().position(|column| column.name == name).expect("a column of that name")
}

fn schema() -> SchemaDescriptor {
    ArrowSchemaConverter::new().convert(&columns::schema()).expect("the schema is valid")
}

fn encode(slices: &[Slice<'_>], number: usize, codec: Codec, scratch: &mut Scratch) -> EncodedColumn {
    let schema = schema();
    let bloom_filter = number == TRANSACTION_ID;
    let encoder = Encoder { number, descriptor: &schema.column(number), codec, bloom_filter };
    encoder.encode(slices, scratch).expect("the values are valid")
}

/// What the library's writer makes of a column, encoded alike.
fn reference(slices: &[Slice<'_>], number: usize, facts: &ColumnCloseResult) -> ArrowColumnChunk {
    let path = ColumnPath::from(COLUMNS[number].name);
    let has = |wanted| facts.metadata.encodings().any(|encoding| encoding == wanted);
    let statistics = match facts.column_index {
        Some(_) => EnabledStatistics::Page,
        None => EnabledStatistics::None,
    };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("a valid level")))
        .set_statistics_enabled(statistics)
        .set_column_dictionary_enabled(path.clone(), has(Encoding::RLE_DICTIONARY))
        .set_column_bloom_filter_enabled(path.clone(), facts.bloom_filter.is_some());
    for encoding in [Encoding::DELTA_BINARY_PACKED, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        if has(encoding) {
            properties = properties.set_column_encoding(path.clone(), encoding);
        }
    }
    let (root, properties) = (schema().root_schema_ptr(), Arc::new(properties.build()));
    let template = SerializedFileWriter::new(std::io::sink(), root, properties).expect("the schema is valid");
    let factory = ArrowRowGroupWriterFactory::new(&template, columns::schema());
    let mut writer = factory.create_column_writers(0).expect("writers").swap_remove(number);
    let all = array(slices, number).expect("the values are valid");
    for leaf in compute_leaves(columns::schema().field(number), &all).expect("a column is a leaf") {
        writer.write(&leaf).expect("the values are valid");
    }
    writer.close().expect("the values are valid")
}

/// Holds what is said of a column against what the library's writer says.
fn assert_same_facts(facts: &ColumnCloseResult, others: &ColumnCloseResult) {
    assert_eq!(facts.metadata.statistics(), others.metadata.statistics());
    assert_eq!(facts.column_index, others.column_index);
    let (index, other) = (facts.offset_index.as_ref().unwrap(), others.offset_index.as_ref().unwrap());
    let first_rows = |index: &parquet::file::page_index::offset_index::OffsetIndexMetaData| -> Vec<_> {
        index.page_locations().iter().map(|page| page.first_row_index).collect()
    };
    assert_eq!(first_rows(index), first_rows(other));
    assert_eq!(index.unencoded_byte_array_data_bytes(), other.unencoded_byte_array_data_bytes());
    let (mine, theirs) = (&facts.metadata, &others.metadata);
    assert_eq!(mine.encodings().collect::<Vec<_>>(), theirs.encodings().collect::<Vec<_>>());
    assert_eq!(mine.page_encoding_stats(), theirs.page_encoding_stats());
    assert_eq!(mine.num_values(), theirs.num_values());
    assert_eq!(mine.unencoded_byte_array_data_bytes(), theirs.unencoded_byte_array_data_bytes());
    assert_eq!(mine.definition_level_histogram(), theirs.definition_level_histogram());
    assert_eq!(facts.rows_written, others.rows_written);
    let bits = |filter: &Option<Sbbf>| {
        let mut bits = Vec::new();
        filter.as_ref().map(|filter| filter.write(&mut bits)).transpose().expect("memory takes all");
        bits
    };
    assert!(bits(&facts.bloom_filter) == bits(&others.bloom_filter), "the bits of the filters");
}

/// Writes all columns of `slices` and reads them back.
fn read_back(columns: Vec<EncodedColumn>) -> Vec<ArrayRef> {
    let mut writer = SerializedFileWriter::new(Vec::new(), schema().root_schema_ptr(), Arc::default()).expect("a file");
    let mut group = writer.next_row_group().expect("a row group");
    for column in columns {
        group.append_column(&column.bytes, column.facts).expect("a column");
    }
    group.close().expect("all columns are there");
    let file = bytes::Bytes::from(writer.into_inner().expect("a footer"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file").with_batch_size(1 << 20);
    let batches: Vec<_> = reader.build().expect("a reader").map(|batch| batch.expect("rows")).collect();
    match &batches[..] {
        [] => (0..COLUMNS.len()).map(|number| array(&[], number).expect("no values")).collect(),
        [batch] => batch.columns().to_vec(),
        _ => panic!("more rows than a batch has"),
    }
}

/// Encodes all columns and checks them in every way.
fn check(slices: &[Slice<'_>]) {
    let mut scratch = Scratch::default();
    for codec in [Codec::Zstd, Codec::Snappy] {
        let columns = (0..COLUMNS.len()).map(|number| encode(slices, number, codec, &mut scratch)).collect::<Vec<_>>();
        for (number, column) in columns.iter().enumerate().filter(|_| slices.iter().any(|slice| slice.rows > 0)) {
            assert_same_facts(&column.facts, reference(slices, number, &column.facts).close());
        }
        for (number, read) in read_back(columns).iter().enumerate() {
            let written = array(slices, number).expect("the values are valid");
            assert_eq!(read.data_type(), written.data_type());
            assert!(**read == *written, "{} with {codec:?}", COLUMNS[number].name);
        }
    }
}

/// Rows in which the columns that are named have values of their own and others usual ones.
fn batch(rows: usize, own: Vec<(&str, ArrayRef)>) -> Cells {
    let micros = i64::try_from(rows).expect("few rows");
    let whole = |column: &columns::Column| -> ArrayRef {
        match column.kind {
            _ if column.nullable => arrow::array::new_null_array(&column.kind.data_type(), rows),
            Kind::Text => Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("a text {row:05}")))),
            Kind::Time => Arc::new(TimestampMicrosecondArray::from_iter_values(0..micros).with_timezone("UTC")),
            _ => Arc::new(Int64Array::from_iter_values((0..micros).map(|row| row * row))),
        }
    };
    let mut arrays: Vec<ArrayRef> = COLUMNS.iter().map(whole).collect();
    for (name, array) in own {
        arrays[number_of(name)] = array;
    }
    Cells::of_batch(&RecordBatch::try_new(columns::schema(), arrays).expect("valid arrays"))
}

fn texts_of(texts: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(texts))
}

fn has(column: &EncodedColumn, encoding: Encoding) -> bool {
    column.facts.metadata.encodings().any(|other| other == encoding)
}

#[test]
fn every_kind_is_read_back_with_extremes_and_nulls() {
    let row = |row: usize, values: &[i64]| (row % 4 != 1).then(|| values[row % values.len()]);
    for rows in [0, 1, 2, 7, 8, 9, 31, 32, 33, 65, 257, 300] {
        let numbers = |values: &[i64]| (0..rows).map(|at| row(at, values)).collect::<Vec<_>>();
        let time = [i64::MIN + 1, i64::MAX, 0, -1, 1_600_000_000_000_000];
        let money = [999_999_999_999_999_999, -999_999_999_999_999_999, 0, 12_500, 7];
        let amounts = numbers(&money).into_iter().map(|units| units.map(i128::from)).collect::<Decimal128Array>();
        let narrow = |values: &[i64]| numbers(values).into_iter().map(|number| number.map(narrow));
        let small = |number: i32| i16::try_from(number).expect("16 bits");
        check(&[batch(
            rows,
            vec![
                ("created_at", Arc::new(TimestampMicrosecondArray::from(numbers(&time)).with_timezone("UTC"))),
                ("gross_amount", Arc::new(amounts.with_precision_and_scale(18, 4).expect("18 digits"))),
                ("booking_date", Arc::new(narrow(&[-719_162, 2_932_896, 0]).collect::<Date32Array>())),
                ("utc_offset_minutes", Arc::new(narrow(&[-720, 840, 0]).map(|n| n.map(small)).collect::<Int16Array>())),
                (
                    "is_anonymous",
                    Arc::new((0..rows).map(|at| (at % 3 > 0).then_some(at % 2 == 0)).collect::<BooleanArray>()),
                ),
                ("is_balance_relevant", Arc::new(BooleanArray::from(vec![true; rows]))),
                ("source_offset", Arc::new(Int64Array::from_iter_values((0..rows).map(|at| time[at % 5])))),
                ("provider", texts_of((0..rows).map(|at| (at % 5 > 0).then(|| format!("p{}", at % 3))))),
                ("reference", texts_of((0..rows).map(|at| (at % 3 > 0).then(|| "r".repeat(1 + at))))),
            ],
        )
        .all()]);
    }
}

#[test]
fn pages_are_cut_by_rows() {
    let rows = 2 * PAGE_ROWS + 100;
    let micros = (0..i64::try_from(rows).expect("few rows")).rev();
    let cells = batch(
        rows,
        vec![
            ("provider", texts_of((0..rows).map(|at| (at != 7).then(|| format!("p{}", at / 9000))))),
            ("reference", texts_of((0..rows).map(|at| (at % 2 > 0).then(|| format!("{}", rows - at))))),
            ("created_at", Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))),
        ],
    );
    for number in ["source", "transaction_id", "provider", "reference", "source_offset"].map(number_of) {
        let column = encode(&[cells.all()], number, Codec::Zstd, &mut Scratch::default());
        assert_same_facts(&column.facts, reference(&[cells.all()], number, &column.facts).close());
    }
    let columns = (0..COLUMNS.len()).map(|number| encode(&[cells.all()], number, Codec::Zstd, &mut Scratch::default()));
    for (number, read) in read_back(columns.collect()).iter().enumerate() {
        assert!(**read == *array(&[cells.all()], number).expect("valid"), "{}", COLUMNS[number].name);
    }
}

#[test]
fn pages_end_soon_after_much_text() {
    let sizes = |at: usize| if at % 3000 == 2999 { 300 << 10 } else { 1 + at % 700 };
    let text = |at: usize| format!("{at}{}", "x".repeat(sizes(at)));
    let rows = 20_000;
    let cells = batch(rows, vec![("reference", texts_of((0..rows).map(|at| Some(text(at)))))]);
    let column = encode(&[cells.all()], number_of("reference"), Codec::Zstd, &mut Scratch::default());
    let pages = column.facts.offset_index.as_ref().unwrap().unencoded_byte_array_data_bytes().unwrap().clone();
    let (last, others) = pages.split_last().unwrap();
    assert!(others.len() > 5 && others.iter().all(|bytes| (1 << 20..3 << 20).contains(bytes)), "{pages:?}");
    assert!(*last < 3 << 20);
    check(&[cells.all()].map(|slice| Slice { rows: 900, ..slice }));
}

#[test]
fn a_large_text_has_no_statistics() {
    let large = "ä".repeat(700_000);
    let cells = batch(3, vec![("reference", texts_of([Some("a".to_owned()), None, Some(large)]))]);
    let column = encode(&[cells.all()], number_of("reference"), Codec::Zstd, &mut Scratch::default());
    assert!(column.facts.column_index.is_none() && column.facts.metadata.statistics().is_none());
    assert!(has(&column, Encoding::PLAIN) && !has(&column, Encoding::RLE_DICTIONARY));
    check(&[cells.all()]);
}

#[test]
fn a_dictionary_that_grows_too_large_is_given_up() {
    let rows = 19_000;
    let words = texts_of((0..rows).map(|at| Some(format!("{}{}", at % 9500, "-".repeat(500)))));
    let cells = batch(rows, vec![("provider", words)]);
    let column = encode(&[cells.all()], number_of("provider"), Codec::Zstd, &mut Scratch::default());
    assert!(has(&column, Encoding::DELTA_LENGTH_BYTE_ARRAY) && !has(&column, Encoding::RLE_DICTIONARY));
}

#[test]
fn numbers_go_through_a_dictionary_where_that_pays() {
    let times = |different: i64| -> ArrayRef {
        let at = (0..1000).map(move |at| (at % different) * 86_400_000_000);
        Arc::new(TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC"))
    };
    for (different, pays) in [(1, true), (30, true), (300, true), (600, false), (1000, false)] {
        let cells = batch(1000, vec![("created_at", times(different))]);
        let column = encode(&[cells.all()], number_of("created_at"), Codec::Zstd, &mut Scratch::default());
        assert_eq!(has(&column, Encoding::RLE_DICTIONARY), pays, "{different} different ones");
        check(&[cells.all()]);
    }
}

#[test]
fn bounds_of_long_texts_are_cut_between_characters() {
    let last = char::MAX.to_string();
    let texts =
        ["a".repeat(64), "a".repeat(65), "é".repeat(40), "🦀".repeat(17), last.repeat(20), "z".repeat(63) + "é"];
    for text in &texts {
        for other in ["a", "é", text] {
            let cells = batch(2, vec![("reference", texts_of([Some(text.clone()), Some(other.to_owned())]))]);
            check(&[cells.all()]);
        }
    }
}

#[test]
fn what_must_have_a_value_has_one() {
    let none = Cells::default();
    let slice = Slice { cells: &none, start: 0, rows: 1 };
    let schema = schema();
    let descriptor = &schema.column(TRANSACTION_ID);
    let encoder = Encoder { number: TRANSACTION_ID, descriptor, codec: Codec::Zstd, bloom_filter: false };
    let error = encoder.encode(&[slice], &mut Scratch::default()).expect_err("an id is missing");
    assert_eq!(error.to_string(), "1 rows have no transaction_id, which each must");
}

/// The texts of a row: its id, and words and others that may be null.
type Texts3 = (String, Option<String>, Option<String>);

fn filled(rows: &[Texts3], offsets: &[i64]) -> Cells {
    let mut filling = Filling::default();
    for ((id, word, text), &source_offset) in rows.iter().zip(offsets) {
        let amounts = Amounts { gross: None, net: None, fee: None, check: AmountCheck::Partial };
        let (classification, state) = (Classification::Payment, State::Succeeded);
        let when = Timestamp::from_micros(source_offset % 1_000_000).expect("near 1970");
        let row = Transaction {
            provider: word.as_deref(),
            reference: text.as_deref(),
            ..Transaction::new("atpay", id, when, amounts, classification, state)
        };
        filling.push(&Placed { row: &row, source_file: "a.ndjson", source_offset, record: (0, 0) }, &[]);
    }
    let mut cells = Cells::default();
    filling.take(None, &[], &mut cells);
    cells
}

fn rows() -> impl Strategy<Value = Vec<(Texts3, i64)>> {
    let word = prop_oneof![3 => Just(None), 5 => "[ab]{1,2}".prop_map(Some), 1 => "[a-z]{3,20}".prop_map(Some)];
    let text = prop_oneof![
        1 => Just(None),
        3 => "\\PC{1,12}".prop_map(Some),
        1 => "[a-zé🦀]{60,70}".prop_map(Some),
        1 => (1..3000_usize).prop_map(|length| Some("long ".repeat(length))),
    ];
    let offset = prop_oneof![4 => 0..1_000_000_i64, 1 => (i64::MIN + 1)..=i64::MAX];
    let row = ("[0-9a-f]{1,40}", word, text).prop_flat_map(move |texts| (Just(texts), offset.clone()));
    prop_oneof![
        proptest::collection::vec(row.clone(), 0..80),
        // The same row many times stands once in the cells.
        (row, 1..80_usize).prop_map(|(row, times)| vec![row; times]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn how_rows_are_cut_into_slices_changes_no_byte(rows in rows(), more in rows(), cuts in proptest::collection::vec(0..160_usize, 0..5)) {
        let (texts, offsets): (Vec<_>, Vec<_>) = rows.into_iter().chain(more).unzip();
        let whole = filled(&texts, &offsets);
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(texts.len())).chain([texts.len()]).collect();
        ends.sort_unstable();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let ranges: Vec<_> = starts.zip(ends.iter().copied()).collect();
        // Rows that were filled apart, as windows are, and slices of rows that were filled at once.
        let parts: Vec<Cells> = ranges.iter().map(|&(start, end)| filled(&texts[start..end], &offsets[start..end])).collect();
        let apart: Vec<Slice<'_>> = parts.iter().map(Cells::all).collect();
        let cut: Vec<Slice<'_>> =
            ranges.iter().map(|&(start, end)| Slice { cells: &whole, start, rows: end - start }).collect();
        check(&[whole.all()]);
        let mut scratch = Scratch::default();
        for number in 0..COLUMNS.len() {
            let at_once = encode(&[whole.all()], number, Codec::Zstd, &mut Scratch::default());
            for slices in [&apart, &cut] {
                prop_assert_eq!(&encode(slices, number, Codec::Zstd, &mut scratch).bytes, &at_once.bytes);
            }
        }
    }
}
