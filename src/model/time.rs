//! Instants and calendar dates, read from text by integer arithmetic.
//!
//! An instant is a count of microseconds since 1970-01-01T00:00:00Z. What surprises: digits behind the microseconds are
//! cut and not rounded, and a leap second `:60` is the next second, as Unix time has none.

use std::fmt;

use chrono::{LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z in seconds: instants lie between.
const FIRST_SECOND: i64 = -62_135_596_800;
const END_SECOND: i64 = 253_402_300_800;

/// An instant in microseconds since the Unix epoch, UTC, in the years 0001 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    fn from_seconds(seconds: i64, micros: i64) -> Option<Self> {
        (FIRST_SECOND..END_SECOND).contains(&seconds).then(|| Self(seconds * MICROS + micros))
    }

    /// The time so many microseconds after the Unix epoch, if it is in the years 0001 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        Self::from_seconds(micros.div_euclid(MICROS), micros.rem_euclid(MICROS))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The calendar date in UTC.
    #[must_use]
    pub fn date(self) -> Date {
        let days = self.0.div_euclid(MICROS * DAY_SECONDS);
        Date(i32::try_from(days).expect("years 0001 to 9999 fit"))
    }

    /// The calendar month in UTC.
    #[must_use]
    pub fn month(self) -> Month {
        Month::of(self.date().ymd())
    }

    /// Unix seconds from the text of a JSON number, or from a string in the same grammar; digits behind the
    /// microseconds are cut.
    #[must_use]
    pub fn from_unix(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let micros = if unsigned.len() <= 12 && unsigned.bytes().all(|b| b.is_ascii_digit()) {
            if unsigned.is_empty() || (unsigned.len() > 1 && unsigned.starts_with('0')) {
                return None;
            }
            unsigned.parse::<i64>().ok()? * MICROS
        } else {
            decimal_micros(unsigned)?
        };
        Self::from_micros(if negative { -micros } else { micros })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date().ymd();
        let micros = self.0.rem_euclid(MICROS * DAY_SECONDS);
        let (seconds, fraction) = (micros / MICROS, micros % MICROS);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

/// The microseconds of `digits[.digits][e±digits]`.
fn decimal_micros(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits_only = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let zero_padded = integer.len() > 1 && integer.starts_with('0');
    if integer.is_empty() || zero_padded || !digits_only(integer) || !digits_only(fraction) {
        return None;
    }
    // Digits up to this many places behind the written point count.
    let places = i64::try_from(integer.len()).ok()?.saturating_add(exponent).saturating_add(6);
    let mut digits = integer.bytes().chain(fraction.bytes());
    let mut micros = 0_i64;
    for _ in 0..places.max(0) {
        let digit = match digits.next() {
            Some(digit) => i64::from(digit - b'0'),
            None if micros == 0 => return Some(0),
            None => 0,
        };
        micros = micros.checked_mul(10)?.checked_add(digit)?;
    }
    Some(micros)
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX / 2);
    Some(if text.starts_with('-') { -size } else { size })
}

/// A calendar date in days since 1970-01-01, in the years 0001 to 9999 where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// The date that many days after 1970-01-01.
    #[must_use]
    pub fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i32 {
        self.0
    }

    /// Year, month and day in the proleptic Gregorian calendar.
    ///
    /// The arithmetic counts in years that begin in March, so that the leap day is the last one, and divides by multiplying
    /// (Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms").
    #[must_use]
    pub fn ymd(self) -> (i32, u32, u32) {
        // As many eras of 400 years before 1970 as make all numbers positive.
        const ERAS: i32 = 14_700;
        const BEFORE: i64 = 146_097 * ERAS as i64 + 719_468;
        let days = (BEFORE + i64::from(self.0)).cast_unsigned();
        let quarters = 4 * days + 3;
        let (century, day_of_century) = (quarters / 146_097, quarters % 146_097 / 4);
        let quarters = 2_939_745 * (4 * day_of_century + 3);
        let (year_of_century, day_of_year) = (quarters >> 32, (quarters & u64::from(u32::MAX)) / 2_939_745 / 4);
        let months = 2141 * day_of_year + 197_913;
        let (shifted_month, day) = (months >> 16, (months & 0xFFFF) / 2141 + 1);
        let is_next_year = day_of_year >= 306;
        let month = if is_next_year { shifted_month - 12 } else { shifted_month };
        let year = 100 * century + year_of_century + u64::from(is_next_year);
        let small = |number: u64| u32::try_from(number).expect("it has few digits");
        (small(year).cast_signed() - 400 * ERAS, small(month), small(day))
    }

    fn from_ymd(year: u32, month: u32, day: u32) -> Option<Self> {
        const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let length = *LENGTHS.get(month.checked_sub(1)? as usize)? + u32::from(month == 2 && leap);
        if year < 1 || day < 1 || day > length {
            return None;
        }
        let (shifted_year, shifted_month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
        let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
        let days = 365 * shifted_year + leap_days + (153 * shifted_month + 2) / 5 + day - 1;
        i32::try_from(days).ok().map(|days| Self(days - 719_468))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A calendar month of the years 0001 to 9999, as `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(u32);

impl Month {
    /// The month of a year, month and day.
    #[must_use]
    pub fn of((year, month, _): (i32, u32, u32)) -> Self {
        Self(u32::try_from(year).expect("years 0001 to 9999") * 12 + month - 1)
    }

    /// Months since the first of a year 0: a number of 17 bits.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let number = |text: &str, digits| {
            (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| text.parse::<u32>().ok())?
        };
        let (year, month) = (number(year, 4)?, number(month, 2)?);
        (year > 0 && (1..=12).contains(&month)).then(|| Self(year * 12 + month - 1))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

impl TryFrom<String> for Month {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no month")
    }
}

/// The zone in which a source writes its local times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// UTC, the default.
    #[default]
    Utc,
    /// A zone of the IANA time zone database.
    Named(Tz),
}

impl Zone {
    /// The zone of an IANA name such as `Europe/Zurich`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.parse::<Tz>() {
            Ok(Tz::UTC) => Some(Self::Utc),
            Ok(zone) => Some(Self::Named(zone)),
            Err(_) => None,
        }
    }

    /// The IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::Named(zone) => zone.name(),
        }
    }

    /// The seconds since the epoch of a local wall-clock time: the earlier of two, none in a gap.
    fn instant(self, local_seconds: i64) -> Option<i64> {
        let Self::Named(zone) = self else { return Some(local_seconds) };
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?.and_hms_opt(0, 0, 0)?;
        let local: NaiveDateTime = epoch.checked_add_signed(TimeDelta::try_seconds(local_seconds)?)?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(time) => Some(time.timestamp()),
            LocalResult::Ambiguous(one, other) => Some(one.timestamp().min(other.timestamp())),
            LocalResult::None => None,
        }
    }
}

/// A time as a source wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenTime {
    /// The instant.
    pub instant: Timestamp,
    /// The offset from UTC in minutes that was written; `None` for a local time or a bare date.
    pub offset_minutes: Option<i16>,
    /// The calendar date as written.
    pub date: Date,
}

impl WrittenTime {
    /// Reads RFC 3339 with `T`, `t` or one space, `Z` or an offset with or without a colon, one space before the offset
    /// or the word `UTC` allowed; a date-time without an offset and a bare date are local to `zone`.
    #[must_use]
    pub fn parse(text: &str, zone: Zone) -> Option<Self> {
        let bytes = text.as_bytes();
        let Some((start, rest)) = bytes.split_first_chunk() else {
            let date = parse_date(bytes)?;
            let midnight = i64::from(date.0) * DAY_SECONDS;
            let instant = Timestamp::from_seconds(zone.instant(midnight)?, 0)?;
            return Some(Self { instant, offset_minutes: None, date });
        };
        let (date, minutes) = parse_minute(start)?;
        let (seconds, micros, rest) = parse_seconds(rest)?;
        let local = i64::from(date.0) * DAY_SECONDS + i64::from(minutes) * 60 + seconds;
        let offset_minutes = parse_offset(rest)?;
        let utc = match offset_minutes {
            Some(minutes) => local - i64::from(minutes) * 60,
            None => zone.instant(local)?,
        };
        Some(Self { instant: Timestamp::from_seconds(utc, micros)?, offset_minutes, date })
    }
}

fn parse_date(bytes: &[u8]) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
    Date::from_ymd(year, two_digits(m1, m2)?, two_digits(d1, d2)?)
}

/// `YYYY-MM-DDTHH:MM`: the date, and minutes since midnight.
fn parse_minute(bytes: &[u8; 16]) -> Option<(Date, u32)> {
    const YEAR_MONTH: Form = Form::new(*b"0000-00-");
    const DAY_MINUTE: Form = Form::new(*b"00T00:00");
    let (Some(year_month), Some(day_minute)) = (bytes.first_chunk(), bytes.last_chunk()) else { return None };
    let [y1, _, y2, _, _, month, _, _] = YEAR_MONTH.pairs(*year_month)?;
    let mut day_minute: [u8; 8] = *day_minute;
    if !matches!(std::mem::replace(&mut day_minute[2], b'T'), b'T' | b't' | b' ') {
        return None;
    }
    let [day, _, _, hour, _, _, minute, _] = DAY_MINUTE.pairs(day_minute)?;
    if hour > 23 || minute > 59 {
        return None;
    }
    let date = Date::from_ymd(u32::from(y1) * 100 + u32::from(y2), month.into(), day.into())?;
    Some((date, u32::from(hour) * 60 + u32::from(minute)))
}

/// What eight bytes must look like, all of which are looked at in one word.
struct Form {
    /// A `0` stands for any digit, all else for itself.
    form: u64,
    /// What, added to a byte's difference from the form, passes 127 where that is too much.
    most: u64,
}

impl Form {
    const fn new(form: [u8; 8]) -> Self {
        let mut most = [127; 8];
        let mut at = 0;
        while at < form.len() {
            if form[at] == b'0' {
                most[at] -= 9;
            }
            at += 1;
        }
        Self { form: u64::from_le_bytes(form), most: u64::from_le_bytes(most) }
    }

    /// What each digit and the one behind it stand for.
    #[inline]
    fn pairs(&self, bytes: [u8; 8]) -> Option<[u8; 8]> {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let digits = u64::from_le_bytes(bytes) ^ self.form;
        let passed = ((digits & !HIGH) + self.most) | digits;
        // A digit is 9 at most, so no product or sum reaches the next byte.
        (passed & HIGH == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
    }
}

/// `:SS[.digits]`: seconds, microseconds, what follows.
fn parse_seconds(bytes: &[u8]) -> Option<(i64, i64, &[u8])> {
    /// Microseconds that the last digit which counts stands for, by how many there are.
    const WORTH: [i64; 7] = [0, 100_000, 10_000, 1_000, 100, 10, 1];
    let &[b':', s1, s2, ref rest @ ..] = bytes else { return None };
    let second = two_digits(s1, s2)?;
    if second > 60 {
        return None;
    }
    let [b'.', fraction @ ..] = rest else { return Some((second.into(), 0, rest)) };
    let (mut micros, mut count) = (0, 0);
    while let Some(digit) = fraction.get(count).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9) {
        if count < 6 {
            micros = micros * 10 + i64::from(digit);
        }
        count += 1;
    }
    (count > 0).then(|| (second.into(), micros * WORTH[count.min(6)], &fraction[count..]))
}

/// The offset that ends a time: outer `None` when it is malformed, inner `None` when there is none.
#[allow(clippy::option_option, reason = "the two failures mean different things and never leave this module")]
fn parse_offset(bytes: &[u8]) -> Option<Option<i16>> {
    let spaced = bytes.strip_prefix(b" ");
    let (sign, digits) = match spaced.unwrap_or(bytes) {
        [] if spaced.is_none() => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        b"UTC" if spaced.is_some() => return Some(Some(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (&[h1, h2, b':', m1, m2] | &[h1, h2, m1, m2]) = digits else { return None };
    let (hours, minutes) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(i16::try_from(hours * 60 + minutes).ok().map(|minutes| sign * minutes))
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: Zone) -> String {
        match WrittenTime::parse(text, zone) {
            Some(time) => format!("{} {:?}", time.instant, time.offset_minutes),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn fractions_of_any_length_are_cut_at_microseconds() {
        let digits = "123456789012";
        for count in 1..=digits.len() {
            let expect = format!("1970-01-01T00:00:00.{:0<6}Z Some(0)", &digits[..count.min(6)]);
            assert_eq!(read(&format!("1970-01-01T00:00:00.{}Z", &digits[..count]), Zone::Utc), expect);
        }
        assert_eq!(read("1970-01-01T00:00:00.Z", Zone::Utc), "none");
    }

    #[test]
    fn times_with_an_offset() {
        for (text, expect) in [
            ("2015-01-06T10:21:14.243Z", "2015-01-06T10:21:14.243000Z Some(0)"),
            ("2019-12-31 15:59:59 +0100", "2019-12-31T14:59:59.000000Z Some(60)"),
            ("2019-12-31t15:59:59-05:30", "2019-12-31T21:29:59.000000Z Some(-330)"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z Some(0)"),
            ("2016-12-31T23:59:59.9999999Z", "2016-12-31T23:59:59.999999Z Some(0)"),
            ("1969-12-31T23:59:59.5z", "1969-12-31T23:59:59.500000Z Some(0)"),
            ("2020-02-29 00:00:00 UTC", "2020-02-29T00:00:00.000000Z Some(0)"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z Some(0)"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z Some(0)"),
        ] {
            assert_eq!(read(text, Zone::Utc), expect, "{text}");
        }
    }

    #[test]
    fn malformed_times() {
        for text in [
            "",
            "2019",
            "2019-02-29",
            "2019-13-01",
            "0000-01-01",
            "2019-01-01T",
            "2019-01-01T10:00",
            "2019-01-01T24:00:00Z",
            "2019-01-01T10:60:00Z",
            "2019-01-01T10:00:61Z",
            "2019-01-01T10:00:00.Z",
            "2019-01-01T10:00:00 ",
            "2019-01-01T10:00:00  Z",
            "2019-01-01T10:00:00+01",
            "2019-01-01T10:00:00+24:00",
            "2019-01-01T10:00:00+1:00",
            "2019-01-01T10:00:00Zx",
            "2019-01-01T10:00:00UTC",
            "2019/01/01",
            "２019-01-01",
            "2019-01-01_10:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:60Z",
            " 2019-01-01",
            "2019-01-01 ",
        ] {
            assert_eq!(read(text, Zone::Utc), "none", "{text}");
        }
    }

    #[test]
    fn local_times() {
        let zurich = Zone::parse("Europe/Zurich").expect("a zone");
        for (text, expect) in [
            ("2021-10-01T05:15:15.111", "2021-10-01T03:15:15.111000Z None"),
            ("2021-10-01", "2021-09-30T22:00:00.000000Z None"),
            ("2021-03-28T02:30:00", "none"),
            ("2021-10-31T02:30:00", "2021-10-31T00:30:00.000000Z None"),
            ("2021-03-28T02:30:00Z", "2021-03-28T02:30:00.000000Z Some(0)"),
        ] {
            assert_eq!(read(text, zurich), expect, "{text}");
        }
        let sao_paulo = Zone::parse("America/Sao_Paulo").expect("a zone");
        assert_eq!(read("2018-11-04", sao_paulo), "none", "midnight lies in the gap");
    }

    #[test]
    fn unix_seconds() {
        for (text, expect) in [
            ("1422566591", "2015-01-29T21:23:11.000000Z"),
            ("1422566591.1234567", "2015-01-29T21:23:11.123456Z"),
            ("1.422566591e9", "2015-01-29T21:23:11.000000Z"),
            ("14225665915e-1", "2015-01-29T21:23:11.500000Z"),
            ("-1.5", "1969-12-31T23:59:58.500000Z"),
            ("0", "1970-01-01T00:00:00.000000Z"),
            ("0e999999", "1970-01-01T00:00:00.000000Z"),
            ("1e-999999", "1970-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Timestamp::from_unix(text).map(|t| t.to_string()).as_deref(), Some(expect), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "+1", "1e", "1e999999", "253402300800", "1 ", "x"] {
            assert_eq!(Timestamp::from_unix(text), None, "{text}");
        }
    }

    #[test]
    fn dates_agree_with_chrono() {
        for days in (-719_162..2_932_896).step_by(37) {
            let date = Date(days);
            let (year, month, day) = date.ymd();
            let other = NaiveDate::from_ymd_opt(year, month, day).expect("a date");
            assert_eq!(other.signed_duration_since(NaiveDate::default()).num_days(), i64::from(days));
            let year = u32::try_from(year).expect("a year from 1 on");
            assert_eq!(Date::from_ymd(year, month, day), Some(date));
        }
    }
}
