//! The least and the greatest value of a page and of a column, and what of them is written.

use parquet::basic::Type;
use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

use super::bits::range;

/// Longer texts are cut in what is written of them: a lower bound by leaving off, an upper bound by a greater last character.
const MOST_BYTES: usize = 64;

/// A value that bounds others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bound {
    /// A text, compared by its bytes.
    Text(Vec<u8>),
    /// A number, or a flag as 0 or 1.
    Number(i64),
}

/// The least and the greatest of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: Bound,
    pub(super) most: Bound,
}

impl Bounds {
    /// Those of numbers; none of none.
    pub(super) fn of_numbers(numbers: &[i64]) -> Option<Self> {
        let (least, most) = range(numbers);
        (!numbers.is_empty()).then_some(Self { least: Bound::Number(least), most: Bound::Number(most) })
    }

    /// Takes what other bounds hold, too.
    pub(super) fn widen(&mut self, others: &Self) {
        if others.least < self.least {
            self.least.clone_from(&others.least);
        }
        if others.most > self.most {
            self.most.clone_from(&others.most);
        }
    }
}

/// The least and the greatest of texts so far.
///
/// Most texts differ in their first bytes, which are compared as one number.
#[derive(Default)]
pub(super) struct Extremes<'t>(Option<[(u64, &'t [u8]); 2]>);

impl<'t> Extremes<'t> {
    /// Those of texts that stand one behind the other.
    pub(super) fn of(lengths: &[u32], characters: &'t [u8]) -> Self {
        let (mut extremes, mut rest) = (Self::default(), characters);
        for &length in lengths {
            let prefix = prefix(rest, length as usize);
            let (text, others) = rest.split_at(length as usize);
            extremes.push(prefix, text);
            rest = others;
        }
        extremes
    }

    /// Adds a text.
    pub(super) fn add(&mut self, text: &'t [u8]) {
        self.push(prefix(text, text.len()), text);
    }

    #[inline]
    fn push(&mut self, prefix: u64, text: &'t [u8]) {
        let Some([least, most]) = &mut self.0 else {
            self.0 = Some([(prefix, text); 2]);
            return;
        };
        if prefix <= least.0 && (prefix, text) < *least {
            *least = (prefix, text);
        } else if prefix >= most.0 && (prefix, text) > *most {
            *most = (prefix, text);
        }
    }

    /// As bounds; none of no texts.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        let [least, most] = self.0?;
        Some(Bounds { least: Bound::Text(least.1.to_vec()), most: Bound::Text(most.1.to_vec()) })
    }
}

/// The first eight of `length` bytes, which others may follow, as a number that orders like them.
#[inline]
fn prefix(bytes: &[u8], length: usize) -> u64 {
    let first = bytes.first_chunk::<8>().copied().unwrap_or_else(|| {
        let mut first = [0; 8];
        first[..bytes.len()].copy_from_slice(bytes);
        first
    });
    let first = u64::from_be_bytes(first);
    if length < 8 { first & !(u64::MAX >> (8 * length)) } else { first }
}

impl Bound {
    /// As bytes of the physical type; whether they are the value itself.
    fn bytes(&self, physical: Type, cut: fn(&[u8]) -> Option<Vec<u8>>) -> (Vec<u8>, bool) {
        match (self, physical) {
            (Self::Text(text), _) => cut(text).map_or_else(|| (text.clone(), true), |cut| (cut, false)),
            (Self::Number(number), Type::BOOLEAN) => (vec![u8::from(*number != 0)], true),
            (Self::Number(number), Type::INT32) => (narrow(*number).to_le_bytes().to_vec(), true),
            (Self::Number(number), _) => (number.to_le_bytes().to_vec(), true),
        }
    }

    /// A lower bound, and whether it is the least value itself.
    pub(super) fn lower(&self, physical: Type) -> (Vec<u8>, bool) {
        self.bytes(physical, lower)
    }

    /// An upper bound, and whether it is the greatest value itself.
    pub(super) fn upper(&self, physical: Type) -> (Vec<u8>, bool) {
        self.bytes(physical, upper)
    }

    fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(_) => 0,
        }
    }
}

/// A number in 32 bits, as dates and small integers are.
pub(super) fn narrow(number: i64) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

/// The first characters of a text that is too long; none of others.
fn first_characters(text: &[u8]) -> Option<&str> {
    // Bytes that go on with a character are 0x80 to 0xBF.
    let is_start = |at: &usize| text[*at] & 0xC0 != 0x80;
    let end = (1..=MOST_BYTES).rev().filter(|_| text.len() > MOST_BYTES).find(is_start)?;
    std::str::from_utf8(&text[..end]).ok()
}

fn lower(text: &[u8]) -> Option<Vec<u8>> {
    first_characters(text).map(|first| first.as_bytes().to_vec())
}

fn upper(text: &[u8]) -> Option<Vec<u8>> {
    let first = first_characters(text)?;
    first.char_indices().rev().find_map(|(at, last)| {
        let next = char::from_u32(u32::from(last) + 1).filter(|next| next.len_utf8() == last.len_utf8())?;
        let mut greater = first[..at].to_owned();
        greater.push(next);
        Some(greater.into_bytes())
    })
}

/// The statistics of a column; `is_signed` as its order is, for readers that know the old fields only.
pub(super) fn statistics(bounds: Option<&Bounds>, nulls: u64, physical: Type, is_signed: bool) -> Statistics {
    macro_rules! of_numbers {
        ($of:expr) => {{
            let bound = |bound: fn(&Bounds) -> &Bound| bounds.map(|bounds| $of(bound(bounds).number()));
            let (least, most) = (bound(|bounds| &bounds.least), bound(|bounds| &bounds.most));
            ValueStatistics::new(least, most, None, Some(nulls), false)
                .with_backwards_compatible_min_max(is_signed)
                .into()
        }};
    }
    match physical {
        Type::BOOLEAN => of_numbers!(|number| number != 0),
        Type::INT32 => of_numbers!(narrow),
        Type::INT64 => of_numbers!(std::convert::identity::<i64>),
        _ => {
            let least = bounds.map(|bounds| bounds.least.lower(physical));
            let most = bounds.map(|bounds| bounds.most.upper(physical));
            let is_exact = |bound: &Option<(Vec<u8>, bool)>| bound.as_ref().is_some_and(|bound| bound.1);
            let exact = (is_exact(&least), is_exact(&most));
            let text = |bound: Option<(Vec<u8>, bool)>| bound.map(|bound| ByteArray::from(bound.0));
            ValueStatistics::new(text(least), text(most), None, Some(nulls), is_signed)
                .with_min_is_exact(exact.0)
                .with_max_is_exact(exact.1)
                .into()
        }
    }
}
