//! What the fuzz targets share: dumps in memory, and models that are written apart from the code they judge.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef};
use num_bigint::BigInt;
use paynorm::extract::chunks::{Buffers, ByteCounts, Chunk, Chunks, Shapes, Sizes};
use paynorm::load::keys::Reading;
use paynorm::load::partition::Partitioning;
use paynorm::model::cells::array;
use paynorm::model::columns::COLUMNS;
use paynorm::normalize::{Normalized, Origin, Rules, Scratch, normalize};
use paynorm::sources::{self, Settings};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Sizes at which no dump of a target is cut.
pub const WHOLE: Sizes = Sizes { read: 1 << 16, chunk: 1 << 17, block: 1 << 40 };

/// The chunks of a dump in memory, and how its bytes were counted.
pub fn chunks(dump: &[u8], sizes: Sizes, source: Option<usize>) -> (Vec<Chunk>, ByteCounts) {
    let keys = sources::envelope_keys();
    let (shapes, buffers) = (Shapes { envelope_keys: &keys, told: &sources::told }, Buffers::default());
    let mut chunks = Chunks::new(dump, shapes, &buffers, sizes, source);
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next_chunk().expect("memory can be read") {
        all.push(chunk);
    }
    let counts = chunks.byte_counts();
    assert!(counts.balance(), "{counts:?}");
    assert_eq!(counts.read, dump.len() as u64);
    (all, counts)
}

/// What a chunk came to.
pub struct Outcome {
    /// The rows, column by column, in the order of the batch.
    pub rows: Vec<Row>,
    /// The rest.
    pub normalized: Normalized,
}

/// One row, column by column.
pub type Row = Vec<Option<ArrayRef>>;

/// Normalizes a chunk by the default rules, and checks that every record is exactly a row or a reject.
pub fn outcome(chunk: &Chunk, scratch: &mut Scratch) -> Outcome {
    let settings = vec![Settings::default(); sources::ALL.len()];
    let rules = Rules { settings, partitioning: Partitioning::default(), redactor: None };
    let normalized =
        normalize(chunk, Origin { dump: 0, rank: 0, reading: Reading::Newer, source_file: "dump" }, &rules, scratch);
    let (rows, rejects) = (normalized.batch.rows(), normalized.rejects.len());
    assert_eq!(normalized.seen, (rows + rejects) as u64, "a record is a row or a reject");
    assert_eq!(normalized.seen + normalized.empty, chunk.items.len() as u64, "an item is seen once");
    assert_eq!(normalized.batch.keys.len(), rows, "a row has a key");
    assert_eq!(normalized.batch.partitions.iter().map(|(_, rows)| rows).sum::<usize>(), rows);
    assert_eq!(
        normalized.counts.iter().map(|counts| counts.cube.rows()).sum::<u64>(),
        rows as u64,
        "a row is counted once"
    );
    let slices = [normalized.batch.cells.all()];
    let columns: Vec<_> = (0..COLUMNS.len()).map(|number| array(&slices, number).expect("valid cells")).collect();
    assert!(columns.iter().all(|column| column.len() == rows), "columns are of one length");
    let value = |column: &ArrayRef, row| column.is_valid(row).then(|| column.slice(row, 1));
    let row = |row| columns.iter().map(|column| value(column, row)).collect();
    Outcome { rows: (0..rows).map(row).collect(), normalized }
}

/// Exponents are cut off here; nothing that fits a target's input then differs.
const MAX_EXPONENT: i64 = 4000;

/// A number in JSON's grammar: `digits × 10^exponent`.
#[derive(Clone, Debug)]
pub struct Number {
    /// The digits, signed.
    pub digits: BigInt,
    /// The power of ten.
    pub exponent: i64,
    /// Digits as written, from the first that is not zero.
    pub significant: usize,
}

impl Number {
    /// The number, if `text` is one by JSON's grammar, which is `serde_json`'s to judge.
    pub fn parse(text: &str) -> Option<Self> {
        let raw = serde_json::from_str::<&RawValue>(text).ok()?.get();
        if raw != text || !raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return None;
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: BigInt = exponent.parse().expect("digits");
        let exponent = exponent.clamp((-MAX_EXPONENT).into(), MAX_EXPONENT.into());
        let all = format!("{integer}{fraction}");
        Some(Self {
            digits: all.parse().expect("digits"),
            exponent: i64::try_from(exponent).expect("it was cut off") - i64::try_from(fraction.len()).expect("small"),
            significant: all.trim_start_matches(['-', '0']).len(),
        })
    }

    /// The number times `factor` as a fraction of two whole numbers.
    pub fn times(&self, factor: u32) -> (BigInt, BigInt) {
        let power = ten_to(u32::try_from(self.exponent.abs()).expect("it was cut off"));
        match self.exponent {
            0.. => (&self.digits * factor * power, 1.into()),
            _ => (&self.digits * factor, power),
        }
    }
}

/// A power of ten.
pub fn ten_to(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

/// The members of an object, in order: keys unescaped, values as their text.
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Whether `text` is JSON by grammar alone.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Whether `text` is JSON by `serde_json` and keeps our own rules too: no object has a key twice, no string has a lone
/// surrogate (as `serde_json` itself says when it builds a `String`), and nothing nests deeper than 128 levels.
pub fn is_strict_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| is_strict(value, 128))
}

fn is_strict(value: &RawValue, levels: usize) -> bool {
    let text = value.get();
    match text.as_bytes()[0] {
        b'"' => serde_json::from_str::<String>(text).is_ok(),
        b'{' | b'[' if levels == 0 => false,
        b'{' => serde_json::from_str::<Members<'_>>(text).is_ok_and(|Members(members)| {
            let keys: BTreeSet<_> = members.iter().map(|(key, _)| key).collect();
            keys.len() == members.len() && members.iter().all(|(_, value)| is_strict(value, levels - 1))
        }),
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).expect("an array by grammar");
            elements.into_iter().all(|element| is_strict(element, levels - 1))
        }
        _ => true,
    }
}
