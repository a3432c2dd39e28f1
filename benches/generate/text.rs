//! JSON members, numbers, times and ids, appended to a byte buffer by hand: `format!` would take most of the run.
//!
//! It knows no source and escapes nothing: what comes in is JSON text already. The surprising thing: whether a comma
//! is due is read from the buffer's last byte, which is `{` only where an object has just begun.

use Part::{Cents, Clock, Code, Date, Int, Millis, Padded, Short, Spelled, Text, Uuid};

/// Milliseconds of a day.
pub(crate) const DAY: u64 = 86_400_000;

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Letters and digits that do not look alike.
const CODE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A piece of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// Text as it is.
    Text(&'a str),
    /// A number in decimal.
    Int(u64),
    /// The last so many decimal digits of a number, zeros in front.
    Padded(u64, usize),
    /// Cents as major units with two digits: `14.70`.
    Cents(i64),
    /// Cents as major units without needless zeros: `14.7`, `14`.
    Short(i64),
    /// A version 4 UUID that holds the low 60 bits of the first number and 62 bits of the second.
    Uuid(u64, u64),
    /// So many characters, each of five bits of the number, the lowest first.
    Code(u64, usize),
    /// `2023-01-31`.
    Date(Civil),
    /// `23:59:59`.
    Clock(Civil),
    /// `.250`.
    Millis(Civil),
    /// `January 14, 2023 at 03:04 PM UTC`.
    Spelled(Civil),
}

/// Adds a member whose value stands in quotes.
pub(crate) fn text(out: &mut Vec<u8>, key: &str, parts: &[Part<'_>]) {
    member(out, key);
    out.push(b'"');
    put(out, parts);
    out.push(b'"');
}

/// Adds a member whose value needs no quotes.
pub(crate) fn bare(out: &mut Vec<u8>, key: &str, part: Part<'_>) {
    member(out, key);
    part.put(out);
}

/// Adds a key, and the comma before it.
pub(crate) fn member(out: &mut Vec<u8>, key: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends pieces.
pub(crate) fn put(out: &mut Vec<u8>, parts: &[Part<'_>]) {
    for part in parts {
        part.put(out);
    }
}

impl Part<'_> {
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Text(text) => out.extend_from_slice(text.as_bytes()),
            Int(value) => digits(out, value, value.max(1).ilog10() as usize + 1),
            Padded(value, width) => digits(out, value, width),
            Cents(value) => {
                let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
                put(out, &[Text(sign), Int(size / 100), Text("."), Padded(size, 2)]);
            }
            Short(value) => {
                Cents(value).put(out);
                // Two zeros take the point with them.
                let needless = usize::from(value % 10 == 0) + 2 * usize::from(value % 100 == 0);
                out.truncate(out.len() - needless);
            }
            Uuid(id, rest) => uuid(out, id, rest),
            Code(bits, chars) => {
                out.extend((0..chars).map(|place| CODE[(bits >> (5 * place) & 31) as usize]));
            }
            Date(at) => {
                put(out, &[Int(at.year), Text("-"), Padded(at.month, 2)]);
                put(out, &[Text("-"), Padded(at.day, 2)]);
            }
            Clock(at) => {
                put(out, &[Padded(at.hour(), 2), Text(":"), Padded(at.minute(), 2)]);
                put(out, &[Text(":"), Padded(at.clock / 1000 % 60, 2)]);
            }
            Millis(at) => put(out, &[Text("."), Padded(at.clock, 3)]),
            Spelled(at) => {
                put(out, &[Text(MONTHS[at.month as usize - 1]), Text(" "), Int(at.day)]);
                put(out, &[Text(", "), Int(at.year), Text(" at ")]);
                put(out, &[Padded((at.hour() + 11) % 12 + 1, 2), Text(":")]);
                let half = if at.hour() < 12 { " AM UTC" } else { " PM UTC" };
                put(out, &[Padded(at.minute(), 2), Text(half)]);
            }
        }
    }
}

fn digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

fn uuid(out: &mut Vec<u8>, id: u64, rest: u64) {
    let high = (id >> 12) << 16 | 0x4000 | (id & 0xfff);
    let bytes = (u128::from(high) << 64 | u128::from(1 << 63 | rest >> 2)).to_be_bytes();
    let mut text = [b'-'; 36];
    let mut place = 0;
    for (count, byte) in bytes.into_iter().enumerate() {
        place += usize::from(matches!(count, 4 | 6 | 8 | 10));
        text[place] = HEX[usize::from(byte >> 4)];
        text[place + 1] = HEX[usize::from(byte & 15)];
        place += 2;
    }
    out.extend_from_slice(&text);
}

/// An instant as a calendar and a clock show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    year: u64,
    month: u64,
    day: u64,
    /// Milliseconds since midnight.
    clock: u64,
}

impl Civil {
    /// The calendar date and time `ms` milliseconds after the start of 1970.
    pub(crate) fn new(ms: u64) -> Self {
        // Days since 0000-03-01, so that the leap day ends the year.
        let days = ms / DAY + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let from_march = (5 * day + 2) / 153;
        let month = (from_march + 2) % 12 + 1;
        Self {
            year: year + era * 400 + u64::from(month <= 2),
            month,
            day: day - (153 * from_march + 2) / 5 + 1,
            clock: ms % DAY,
        }
    }

    /// The month, counted from the year 0.
    pub(crate) fn months(self) -> u64 {
        self.year * 12 + self.month - 1
    }

    fn hour(self) -> u64 {
        self.clock / 3_600_000
    }

    fn minute(self) -> u64 {
        self.clock / 60_000 % 60
    }
}
