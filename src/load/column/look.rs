//! What the values of a column of a row group look like, and how they are therefore encoded.

use parquet::basic::{Compression, Encoding, ZstdLevel};

use super::Codec;
use super::dictionary::Key;
use crate::model::cells::{Slice, same_text, some_numbers, some_texts};
use crate::model::columns::{COLUMNS, Column, Kind, Values};

/// A column that holds a larger text is encoded with as few copies of it as can be.
const LARGE_TEXT: usize = 1 << 20;
/// So many values tell whether those of a column repeat.
const SAMPLE: usize = 128;

/// What the values of a column look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// They repeat, or not.
    Of(Values),
    /// Null throughout: they need no compression.
    Null,
    /// One is a text of more than [`LARGE_TEXT`] bytes: there are neither statistics nor dictionaries, which would each keep
    /// a copy.
    Large,
}

impl Look {
    /// What the values of a column look like, by some that are spread over the rows.
    pub(super) fn of(slices: &[Slice<'_>], number: usize) -> Self {
        let column = &COLUMNS[number];
        if slices.iter().all(|slice| slice.is_null(number)) {
            return Self::Null;
        }
        if slices.iter().any(|slice| slice.has_text_over(LARGE_TEXT, number)) {
            return Self::Large;
        }
        Self::Of(match (column.kind, column.values) {
            (Kind::Text, usual) => {
                if same_text(slices, number).is_some() {
                    let values = slices.iter().map(|slice| slice.rows).sum();
                    return Self::Of(texts(usual, Sample { values, different: 1 }));
                }
                texts(usual, Sample::of(some_texts(slices, number, SAMPLE).map(|text| Key::of_text(text, text.len()))))
            }
            (Kind::Amount | Kind::Time, usual) => {
                numbers(usual, Sample::of(some_numbers(slices, number, SAMPLE).map(Key::of_number)))
            }
            (_, usual) => usual,
        })
    }
}

fn texts(usual: Values, sample: Sample) -> Values {
    match (usual, sample.different) {
        _ if sample.values < SAMPLE / 8 => usual,
        (Values::Few, 1) => Values::Few,
        (Values::Few, _) => Values::Words,
        (_, different) if 4 * different <= 3 * sample.values => Values::Words,
        (_, different) if different == sample.values => Values::Unique,
        _ => usual,
    }
}

fn numbers(usual: Values, sample: Sample) -> Values {
    match sample.values >= SAMPLE / 8 && 4 * sample.different <= 3 * sample.values {
        true => Values::Words,
        false => usual,
    }
}

/// How many values were looked at, and how many different ones they are.
#[derive(Clone, Copy)]
struct Sample {
    values: usize,
    different: usize,
}

impl Sample {
    fn of(keys: impl Iterator<Item = Key>) -> Self {
        let mut slots = [0; 4 * SAMPLE];
        let (mut values, mut different) = (0, 0);
        for key in keys {
            // 0 marks a free slot.
            let hash = key.hash() | 1;
            let mut slot = (hash >> 32) as usize % slots.len();
            while slots[slot] != hash && slots[slot] != 0 {
                slot = (slot + 1) % slots.len();
            }
            different += usize::from(slots[slot] == 0);
            slots[slot] = hash;
            values += 1;
        }
        Self { values, different }
    }
}

/// How the values of a column are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Each once, and then which of them stands where.
    Dictionary,
    /// One behind the other, texts after their lengths.
    Plain,
    /// Texts, after the lengths of all.
    Lengths,
    /// Numbers, by what is between one and the next.
    Deltas,
    /// Not at all, as there are none.
    Nulls,
}

/// How a column is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) how: How,
    pub(super) compression: Compression,
    /// Whether minima, maxima and the like are kept.
    pub(super) has_statistics: bool,
}

impl Plan {
    /// How values that look so are encoded.
    pub(super) fn of(look: Look, column: &Column, codec: Codec) -> Self {
        let packed = match codec {
            Codec::Zstd => Compression::ZSTD(ZstdLevel::try_new(1).expect("a valid level")),
            Codec::Snappy => Compression::SNAPPY,
        };
        let (how, compression) = match (look, column.kind) {
            (Look::Null, _) => (How::Nulls, Compression::UNCOMPRESSED),
            (Look::Of(Values::Few), Kind::Flag) => (How::Plain, Compression::UNCOMPRESSED),
            (Look::Of(Values::Few), _) => (How::Dictionary, Compression::UNCOMPRESSED),
            (Look::Of(Values::Words), kind) if kind != Kind::Flag => (How::Dictionary, packed),
            (Look::Of(Values::Unique), Kind::Text) if codec == Codec::Zstd => (How::Lengths, packed),
            // Differences of numbers that grow take fewer bits than what compression leaves of them, and less time.
            (Look::Of(Values::Unique), Kind::Time | Kind::Large) if codec == Codec::Zstd => {
                (How::Deltas, Compression::UNCOMPRESSED)
            }
            _ => (How::Plain, packed),
        };
        Self { how, compression, has_statistics: look != Look::Large }
    }

    /// The encoding of pages that hold the values.
    pub(super) fn encoding(self) -> Encoding {
        match self.how {
            How::Dictionary => Encoding::RLE_DICTIONARY,
            How::Plain | How::Nulls => Encoding::PLAIN,
            How::Lengths => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            How::Deltas => Encoding::DELTA_BINARY_PACKED,
        }
    }
}
