//! The different values of a column, each once, and which of them stands in each row.
//!
//! Most texts are short: up to sixteen bytes are compared as two numbers, without a look at the text itself.

use twox_hash::XxHash3_64;

/// Texts up to this length are told apart by their key alone.
const SHORT: usize = 16;
/// Texts up to this length are hashed sooner than XXH3 begins.
const LONG: usize = 64;
/// Bits without a pattern.
const SECRET: u64 = 0x9E37_79B9_7F4A_7C15;
/// A dictionary of more bytes than this is of no use.
const MOST_BYTES: usize = 4 << 20;
/// Nor is one whose values were made to look alike to the hash, so that so many steps are taken to find them.
const MOST_STEPS: usize = 1 << 22;
/// Slots at first, of which at most every other one is taken.
const LEAST_SLOTS: usize = 64;

/// What tells values apart, or nearly so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    first: u64,
    last: u64,
    length: u32,
}

/// That of no value.
impl Default for Key {
    fn default() -> Self {
        Self { first: 0, last: 0, length: u32::MAX }
    }
}

impl Key {
    /// That of the text which the first `length` bytes of `from` are.
    #[inline]
    pub(super) fn of_text(from: &[u8], length: usize) -> Self {
        if length > SHORT { long(&from[..length]) } else { short(from, length) }
    }

    #[inline]
    pub(super) fn of_number(number: i64) -> Self {
        Self { first: number.cast_unsigned(), last: 0, length: 0 }
    }

    /// A number whose bits all depend on all of the value's.
    #[inline]
    pub(super) fn hash(self) -> u64 {
        let first = self.first ^ SECRET;
        let last = self.last ^ 0xD1B5_4A32_D192_ED03 ^ u64::from(self.length) << 32;
        mix(first, last)
    }

    fn is_short(self) -> bool {
        self.length as usize <= SHORT
    }
}

/// The bits of a text's bytes, by its length.
const BITS: [u128; SHORT + 1] = {
    let (mut bits, mut length) = ([0; SHORT + 1], 1);
    while length <= SHORT {
        bits[length] = bits[length - 1] << 8 | 0xFF;
        length += 1;
    }
    bits
};

/// A text of at most sixteen bytes; what comes behind it is read too and left out, so that all take the same steps.
#[inline]
fn short(from: &[u8], length: usize) -> Key {
    let bytes = from.first_chunk().map_or_else(|| padded(&from[..length]), |bytes| u128::from_le_bytes(*bytes));
    let text = bytes & BITS[length];
    #[allow(clippy::cast_possible_truncation, reason = "the one half, the other, and at most sixteen")]
    Key { first: text as u64, last: (text >> 64) as u64, length: length as u32 }
}

/// The same for one near the end of its column.
#[cold]
fn padded(text: &[u8]) -> u128 {
    text.iter().rev().fold(0, |all, byte| all << 8 | u128::from(*byte))
}

/// A text of more than sixteen bytes: a hash, and the first of them.
#[inline(never)]
fn long(text: &[u8]) -> Key {
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let (first, last) = (text.first_chunk().map_or(0, word), text.last_chunk().map_or(0, word));
    let hash = if text.len() > LONG {
        XxHash3_64::oneshot(text)
    } else {
        let (words, _) = text.as_chunks();
        words.iter().fold(mix(last, SECRET), |hash, bytes| mix(hash ^ word(bytes), SECRET))
    };
    Key { first: hash, last: first, length: u32::try_from(text.len()).unwrap_or(u32::MAX) }
}

#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let (low, high) = a.carrying_mul(b, 0);
    low ^ high
}

/// Different values in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    /// Numbers of entries from 1 at places that their hash tells; 0 is free.
    slots: Vec<u32>,
    keys: Vec<Key>,
    /// Where the values of entries begin in the page.
    starts: Vec<usize>,
    /// For each entry the page in which it was seen last, from 1.
    seen: Vec<u32>,
    /// The entry that was found last, and its key.
    last: (Key, u32),
    steps: usize,
    /// The page of the dictionary, in plain encoding.
    pub(super) page: Vec<u8>,
    /// The entry of each value of the column that is not null.
    pub(super) indices: Vec<u32>,
}

impl Dictionary {
    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.slots.resize(LEAST_SLOTS, 0);
        self.keys.clear();
        self.starts.clear();
        self.seen.clear();
        self.page.clear();
        self.indices.clear();
        self.forget();
        self.steps = 0;
    }

    /// Forgets which entry was found last.
    pub(super) fn forget(&mut self) {
        self.last = Default::default();
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it grew too large, or takes too long.
    pub(super) fn is_useless(&self) -> bool {
        self.page.len() >= MOST_BYTES || self.steps > MOST_STEPS
    }

    /// The entry that was found last, if this is the key of its value and tells it.
    #[inline]
    pub(super) fn again(&self, key: Key) -> Option<u32> {
        (self.last.0 == key && key.is_short()).then_some(self.last.1)
    }

    /// The entry of a text with this key.
    pub(super) fn entry_of_text(&mut self, key: Key, text: &[u8]) -> u32 {
        self.find(key, |all, start| all[start..].starts_with(text)).unwrap_or_else(|| {
            self.page.extend_from_slice(&key.length.to_le_bytes());
            let start = self.page.len();
            self.page.extend_from_slice(text);
            self.insert(key, start)
        })
    }

    /// The entry of a number, which `push` appends to the page when it is new.
    #[inline]
    pub(super) fn entry_of_number(&mut self, number: i64, push: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let key = Key::of_number(number);
        self.again(key).or_else(|| self.find(key, |_, _| true)).unwrap_or_else(|| {
            let start = self.page.len();
            push(&mut self.page);
            self.insert(key, start)
        })
    }

    /// Notes that an entry is in page number `page`, from 1; whether it is the first time.
    #[inline]
    pub(super) fn see(&mut self, entry: u32, page: u32) -> bool {
        let seen = &mut self.seen[entry as usize];
        let is_first = *seen != page;
        *seen = page;
        is_first
    }

    /// The entry of a value; where its key does not tell, `is` compares it with what begins at a place of the page.
    #[inline]
    fn find(&mut self, key: Key, is: impl Fn(&[u8], usize) -> bool) -> Option<u32> {
        let is = |entry: u32| {
            let entry = entry as usize;
            self.keys[entry] == key && (key.is_short() || is(&self.page, self.starts[entry]))
        };
        let mut slot = self.slot(key);
        loop {
            let entry = self.slots[slot].checked_sub(1)?;
            if is(entry) {
                self.last = (key, entry);
                return Some(entry);
            }
            self.steps += 1;
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The slot at which a search begins.
    #[inline]
    fn slot(&self, key: Key) -> usize {
        // Slots are a power of two.
        usize::try_from(key.hash() & (self.slots.len() as u64 - 1)).expect("a slot's number")
    }

    /// Makes an entry of what begins at `start` in the page.
    #[inline(never)]
    fn insert(&mut self, key: Key, start: usize) -> u32 {
        let entry = u32::try_from(self.keys.len()).expect("a dictionary is small");
        self.keys.push(key);
        self.starts.push(start);
        self.seen.push(0);
        self.last = (key, entry);
        if 2 * self.keys.len() <= self.slots.len() {
            self.take_slot(key, entry + 1);
            return entry;
        }
        let slots = 4 * self.slots.len();
        self.slots.clear();
        self.slots.resize(slots, 0);
        for (at, number) in (1..=entry + 1).enumerate() {
            self.take_slot(self.keys[at], number);
        }
        entry
    }

    fn take_slot(&mut self, key: Key, number: u32) {
        let mut slot = self.slot(key);
        while self.slots[slot] != 0 {
            self.steps += 1;
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = number;
    }

    /// The texts of the entries.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let text = |(start, key): (&usize, &Key)| &self.page[*start..*start + key.length as usize];
        self.starts.iter().zip(&self.keys).map(text)
    }

    /// The memory that it keeps.
    pub(super) fn memory(&self) -> usize {
        let entry = size_of::<Key>() + size_of::<usize>() + size_of::<u32>();
        let numbers = size_of::<u32>() * (self.slots.capacity() + self.indices.capacity());
        self.page.capacity() + self.keys.capacity() * entry + numbers
    }
}
