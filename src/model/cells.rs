//! The values of one column, as they travel from records to row groups.
//!
//! Nulls need no bitmap of their own here: a text that is null has no characters, as empty text is never stored, and a
//! number that is null is `i64::MIN`, which no column's domain holds. That makes cutting, joining and reordering columns a
//! matter of copying. They become Arrow arrays once, when a row group is encoded.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int16Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{Date32Type, Decimal128Type, Int16Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::columns::Kind;
use super::money::{PRECISION, SCALE};

/// The number that stands for null.
const NULL: i64 = i64::MIN;
/// Columns whose characters take more than this are not kept to be filled again.
const MOST_KEPT: usize = 4 << 20;

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Texts.
    Texts(Texts),
    /// Everything else.
    Numbers(Numbers),
}

/// Texts, one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Where each begins in `characters`, and behind them where the last one ends; empty when there are no rows.
    offsets: Vec<i32>,
    characters: String,
}

/// Numbers: units of amounts, microseconds, days, 0 and 1, or just numbers.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Vec<i64>);

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("columns are cut long before they hold 2 GiB")
}

impl Texts {
    fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve_exact(rows + 1);
        self.characters.reserve_exact(bytes);
    }

    /// Makes the rows up to `rows` null that are not there yet.
    fn pad(&mut self, rows: usize) {
        if self.offsets.len() <= rows {
            self.offsets.resize(rows + 1, offset(self.characters.len()));
        }
    }

    /// Sets row `at`, which must come behind those that were set; rows in between are null.
    #[inline]
    pub fn put(&mut self, at: usize, text: Option<&str>) {
        let Some(text) = text else { return };
        self.pad(at);
        self.characters.push_str(text);
        self.offsets.push(offset(self.characters.len()));
    }

    fn get(&self, row: usize) -> &str {
        &self.characters[self.range(row..row + 1)]
    }

    fn range(&self, rows: Range<usize>) -> Range<usize> {
        let place = |row: usize| usize::try_from(self.offsets[row]).expect("offsets are not negative");
        place(rows.start)..place(rows.end)
    }

    /// Takes out the first `rows` rows, which are all, in `order`; `None` if all are null.
    pub fn take(&mut self, rows: usize, order: Option<&[u32]>) -> Option<Self> {
        if self.characters.is_empty() {
            return None;
        }
        self.pad(rows);
        let large = self.characters.capacity() > MOST_KEPT;
        let taken = match order {
            None if large => std::mem::take(self),
            None => self.clone(),
            Some(order) => {
                let mut taken = Self::default();
                taken.reserve(rows, self.characters.len());
                taken.offsets.push(0);
                for &row in order {
                    taken.characters.push_str(self.get(row as usize));
                    taken.offsets.push(offset(taken.characters.len()));
                }
                taken
            }
        };
        self.offsets.clear();
        self.characters.clear();
        if large {
            self.characters = String::new();
        }
        Some(taken)
    }

    fn append(&mut self, other: &Self, rows: Range<usize>) {
        let range = other.range(rows.clone());
        let moved = offset(self.characters.len()) - offset(range.start);
        self.characters.push_str(&other.characters[range]);
        self.offsets.extend(other.offsets[rows.start + 1..=rows.end].iter().map(|offset| offset + moved));
    }

    fn into_array(self) -> Result<ArrayRef, ArrowError> {
        let nulls = nulls(self.offsets.len() - 1, |row| self.offsets[row] != self.offsets[row + 1]);
        let offsets = OffsetBuffer::new(self.offsets.into());
        Ok(Arc::new(StringArray::try_new(offsets, Buffer::from(self.characters.into_bytes()), nulls)?))
    }
}

impl Numbers {
    fn pad(&mut self, rows: usize) {
        if self.0.len() < rows {
            self.0.resize(rows, NULL);
        }
    }

    /// Sets row `at`, which must come behind those that were set; rows in between are null.
    #[inline]
    pub fn put(&mut self, at: usize, number: Option<i64>) {
        let Some(number) = number else { return };
        self.pad(at);
        self.0.push(number);
    }

    /// Takes out the first `rows` rows, which are all, in `order`; `None` if all are null.
    pub fn take(&mut self, rows: usize, order: Option<&[u32]>) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        self.pad(rows);
        let taken = match order {
            None => self.0.clone(),
            Some(order) => order.iter().map(|&row| self.0[row as usize]).collect(),
        };
        self.0.clear();
        Some(Self(taken))
    }

    fn into_array(self, kind: Kind) -> Result<ArrayRef, ArrowError> {
        let numbers = self.0;
        let nulls = nulls(numbers.len(), |row| numbers[row] != NULL);
        Ok(match kind {
            Kind::Amount => {
                let units: Vec<i128> = numbers.into_iter().map(i128::from).collect();
                let scale = i8::try_from(SCALE).expect("a scale of 4");
                Arc::new(Decimal128Array::new(units.into(), nulls).with_precision_and_scale(PRECISION, scale)?)
            }
            Kind::Time => Arc::new(TimestampMicrosecondArray::new(numbers.into(), nulls).with_timezone("UTC")),
            Kind::Date => Arc::new(Date32Array::new(narrow(&numbers).into(), nulls)),
            Kind::Small => Arc::new(Int16Array::new(narrow(&numbers).into(), nulls)),
            Kind::Flag => {
                let flags = BooleanBuffer::collect_bool(numbers.len(), |row| numbers[row] == 1);
                Arc::new(BooleanArray::new(flags, nulls))
            }
            Kind::Large | Kind::Text => Arc::new(Int64Array::new(numbers.into(), nulls)),
        })
    }
}

/// The numbers in a narrower type; null, which does not fit, becomes 0 under its null bit.
fn narrow<T: TryFrom<i64> + Default>(numbers: &[i64]) -> Vec<T> {
    numbers.iter().map(|&number| T::try_from(number).unwrap_or_default()).collect()
}

fn nulls(rows: usize, present: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, present));
    (nulls.null_count() > 0).then_some(nulls)
}

impl Cells {
    /// Whether the rows are null throughout.
    #[must_use]
    pub fn is_null(&self, rows: Range<usize>) -> bool {
        match self {
            Self::Texts(texts) => texts.range(rows).is_empty(),
            Self::Numbers(numbers) => numbers.0[rows].iter().all(|number| *number == NULL),
        }
    }

    /// The text of a row; empty for null and for numbers.
    #[must_use]
    pub fn text(&self, row: usize) -> &str {
        match self {
            Self::Texts(texts) => texts.get(row),
            Self::Numbers(_) => "",
        }
    }

    /// Bytes of text in the rows.
    #[must_use]
    pub fn text_bytes(&self, rows: Range<usize>) -> usize {
        match self {
            Self::Texts(texts) => texts.range(rows).len(),
            Self::Numbers(_) => 0,
        }
    }

    /// Whether one of the rows has a text of more than `bytes` bytes.
    #[must_use]
    pub fn has_text_over(&self, bytes: usize, rows: Range<usize>) -> bool {
        let is_over = |row: usize| self.text_bytes(row..row + 1) > bytes;
        self.text_bytes(rows.clone()) > bytes && rows.into_iter().any(is_over)
    }

    /// What the values take in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.characters.capacity() + texts.offsets.capacity() * size_of::<i32>(),
            Self::Numbers(numbers) => numbers.0.capacity() * size_of::<i64>(),
        }
    }

    /// Rows of several columns, one behind the other: each with the rows that are taken, `None` standing for nulls.
    #[must_use]
    pub fn join(kind: Kind, parts: &[(Option<&Self>, Range<usize>)]) -> Self {
        let rows = parts.iter().map(|(_, rows)| rows.len()).sum();
        if kind == Kind::Text {
            let bytes = parts.iter().map(|(part, rows)| part.map_or(0, |part| part.text_bytes(rows.clone()))).sum();
            let mut joined = Texts::default();
            joined.reserve(rows, bytes);
            joined.offsets.push(0);
            for (part, rows) in parts {
                match part {
                    Some(Self::Texts(part)) => joined.append(part, rows.clone()),
                    _ => joined.pad(joined.offsets.len() - 1 + rows.len()),
                }
            }
            return Self::Texts(joined);
        }
        let mut joined = Vec::with_capacity(rows);
        for (part, rows) in parts {
            match part {
                Some(Self::Numbers(part)) => joined.extend_from_slice(&part.0[rows.clone()]),
                _ => joined.resize(joined.len() + rows.len(), NULL),
            }
        }
        Self::Numbers(Numbers(joined))
    }

    /// The values as an Arrow array of the type that `kind` has.
    ///
    /// # Errors
    /// When Arrow refuses the values, which would be a mistake of ours.
    pub fn into_array(self, kind: Kind) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Texts(texts) => texts.into_array(),
            Self::Numbers(numbers) => numbers.into_array(kind),
        }
    }

    /// The values of an Arrow array of the type that `kind` has; `None` if all are null.
    #[must_use]
    pub fn of_array(kind: Kind, array: &dyn Array) -> Option<Self> {
        if array.null_count() == array.len() {
            return None;
        }
        let numbers = |of: &dyn Fn(usize) -> i64| {
            let number = |row| if array.is_null(row) { NULL } else { of(row) };
            Some(Self::Numbers(Numbers((0..array.len()).map(number).collect())))
        };
        match kind {
            Kind::Text => {
                let texts = array.as_string::<i32>();
                let mut copy = Texts::default();
                copy.offsets.push(0);
                for text in texts {
                    copy.characters.push_str(text.unwrap_or_default());
                    copy.offsets.push(offset(copy.characters.len()));
                }
                Some(Self::Texts(copy))
            }
            Kind::Amount => {
                let units = array.as_primitive::<Decimal128Type>();
                numbers(&|row| i64::try_from(units.value(row)).expect("18 digits"))
            }
            Kind::Time => numbers(&|row| array.as_primitive::<TimestampMicrosecondType>().value(row)),
            Kind::Date => numbers(&|row| array.as_primitive::<Date32Type>().value(row).into()),
            Kind::Small => numbers(&|row| array.as_primitive::<Int16Type>().value(row).into()),
            Kind::Flag => numbers(&|row| array.as_boolean().value(row).into()),
            Kind::Large => numbers(&|row| array.as_primitive::<Int64Type>().value(row)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(rows: &[Option<&str>], order: Option<&[u32]>) -> Option<Cells> {
        let mut texts = Texts::default();
        rows.iter().enumerate().for_each(|(at, text)| texts.put(at, *text));
        texts.take(rows.len(), order).map(Cells::Texts)
    }

    fn numbers(rows: &[Option<i64>], order: Option<&[u32]>) -> Option<Cells> {
        let mut numbers = Numbers::default();
        rows.iter().enumerate().for_each(|(at, number)| numbers.put(at, *number));
        numbers.take(rows.len(), order).map(Cells::Numbers)
    }

    fn read_texts(cells: Cells) -> Vec<Option<String>> {
        let array = cells.into_array(Kind::Text).expect("valid");
        array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn rows_are_reordered_cut_and_joined() {
        let all = [None, Some("b"), None, Some("äd"), None];
        assert_eq!(
            read_texts(texts(&all, None).expect("some")),
            [None, Some("b"), None, Some("äd"), None].map(|t| t.map(str::to_owned))
        );
        let turned = texts(&all, Some(&[4, 3, 2, 1, 0])).expect("some");
        assert!(turned.is_null(2..3) && !turned.is_null(1..3));
        let joined = Cells::join(Kind::Text, &[(Some(&turned), 1..4), (None, 0..2), (Some(&turned), 3..4)]);
        let expect = [Some("äd"), None, Some("b"), None, None, Some("b")];
        assert_eq!(read_texts(joined), expect.map(|text| text.map(str::to_owned)));
        assert!(texts(&[None, None], None).is_none());
    }

    #[test]
    fn every_kind_survives_arrow() {
        let rows = [Some(1), None, Some(0)];
        for kind in [Kind::Amount, Kind::Time, Kind::Date, Kind::Flag, Kind::Small, Kind::Large] {
            let cells = numbers(&rows, Some(&[2, 1, 0])).expect("some");
            let array = cells.into_array(kind).expect("valid");
            assert_eq!(*array.data_type(), kind.data_type());
            let Some(Cells::Numbers(back)) = Cells::of_array(kind, &array) else { panic!("{kind:?}") };
            assert_eq!(back.0, [0, NULL, 1]);
        }
        let array = texts(&[Some("a"), None], None).expect("some").into_array(Kind::Text).expect("valid");
        assert_eq!(read_texts(Cells::of_array(Kind::Text, &array).expect("some")), [Some("a".to_owned()), None]);
    }
}
