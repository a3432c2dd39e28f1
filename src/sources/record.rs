//! A record as a source sees it: its documented members by number, everything else for `extra`, and typed access.
//!
//! The typed accessors hold the rules that are the same for every source: `null` is absent, ids may be strings or
//! integers, empty text is none, a member of another type than documented is `wrong_type`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;
use wide::u8x32;

use super::Source;
use crate::model::json::{Broken, Key, Member, Nobody, Reader, TakeMembers, Type, Value, key_characters};
use crate::model::money::{Amount, Currency, NotAnAmount, Unit, Written};
use crate::model::reject::{Reason, Reject};
use crate::model::time::{Date, WrittenTime, Zone};
use crate::model::transaction::Text;

/// A member that a source documents.
#[derive(Clone, Copy, Debug)]
pub struct Documented {
    /// The key.
    pub name: &'static str,
    /// Whether its text goes to `extra` (too), because no column takes it.
    pub extra: bool,
    /// The members of the object that it is which columns take, at most four; the others go to `extra`.
    pub inner: &'static [&'static str],
}

/// A number for "not documented".
const OTHER: u8 = u8::MAX;
/// How many keys are learned, and how many of them are looked at before a key is taken for a new one.
const MOST_LEARNED: usize = 64;
const LOOK_AHEAD: usize = 4;
/// Bytes of a key that are compared in one step.
const KEY: usize = size_of::<u8x32>();
/// With more unknown members than this, their keys are compared through a tree.
const FEW_OTHERS: usize = 16;
/// How many members of an inner object columns may take.
const MOST_INNER: usize = 4;

/// A key as it was seen: objects of one dump look alike, so the next one likely has it in the same place.
#[derive(Debug)]
struct Learned {
    /// Quotes, key and colon.
    text: Box<[u8]>,
    /// The first bytes of it, and which bits of them count: that takes less time than a comparison of any length.
    first: (u8x32, u8x32),
    /// Its documented number, or [`OTHER`].
    number: u8,
}

impl Learned {
    fn new(raw: &str, number: u8) -> Self {
        let text = format!("\"{raw}\":").into_bytes();
        let bytes = |of: &dyn Fn(u8) -> u8| {
            let byte = |at| text.get(at).map_or(0, |byte| of(*byte));
            u8x32::new(std::array::from_fn::<u8, KEY, _>(byte))
        };
        Self { first: (bytes(&|byte| byte), bytes(&|_| u8::MAX)), text: text.into(), number }
    }

    #[inline]
    fn begins(&self, rest: &[u8]) -> bool {
        let Some(bytes) = rest.first_chunk::<KEY>() else { return self.begins_end(rest) };
        let (first, mask) = self.first;
        let is_same = (u8x32::new(*bytes) & mask).simd_eq(first).to_bitmask() == u32::MAX;
        is_same && (self.text.len() <= KEY || self.begins_end(rest))
    }

    /// As before, for a long key, or the last bytes of a dump.
    #[cold]
    #[inline(never)]
    fn begins_end(&self, rest: &[u8]) -> bool {
        rest.starts_with(&self.text)
    }
}

/// The keys of an object as they tend to come.
#[derive(Debug, Default)]
struct Expected {
    learned: Vec<Learned>,
    /// Which learned key is expected next, and the number of the one that was met.
    next: usize,
    met: u8,
}

impl Expected {
    /// The length of the key that `rest` begins with, if it is one of those expected next; else 0.
    #[inline]
    fn meet(&mut self, rest: &[u8]) -> usize {
        match self.learned.get(self.next) {
            Some(learned) if learned.begins(rest) => {
                self.next += 1;
                self.met = learned.number;
                learned.text.len()
            }
            _ => self.meet_later(rest),
        }
    }

    /// As before, when the next one is left out.
    fn meet_later(&mut self, rest: &[u8]) -> usize {
        let later = self.learned.iter().enumerate().skip(self.next + 1).take(LOOK_AHEAD - 1);
        for (at, learned) in later {
            if learned.begins(rest) {
                self.next = at + 1;
                self.met = learned.number;
                return learned.text.len();
            }
        }
        0
    }

    /// Meets a key that was not expected, and learns it for the next object.
    fn learn(&mut self, raw: &str, escaped: bool, names: impl Iterator<Item = &'static str>) {
        let key = key_characters(raw, escaped);
        let found = names.into_iter().position(|name| name == key);
        self.met = found.and_then(|number| u8::try_from(number).ok()).unwrap_or(OTHER);
        if !escaped && self.learned.len() < MOST_LEARNED {
            self.learned.insert(self.next, Learned::new(raw, self.met));
            self.next += 1;
        }
    }
}

/// The keys of one object that no number stands for.
#[derive(Debug, Default)]
struct OtherKeys<'a>(BTreeSet<Cow<'a, str>>);

impl<'a> OtherKeys<'a> {
    /// Whether the key of `member` is among those of `before`, which are the members it was asked about since it was clear.
    fn has<'m>(&mut self, member: &Member<'a>, before: impl Iterator<Item = &'m Member<'a>> + Clone) -> bool
    where
        'a: 'm,
    {
        if self.0.is_empty() {
            if before.clone().nth(FEW_OTHERS).is_none() {
                return before.into_iter().any(|other| other.key() == member.key());
            }
            self.0 = before.map(Member::key).collect();
        }
        !self.0.insert(member.key())
    }
}

/// A member for `extra`.
#[derive(Clone, Copy, Debug)]
struct Other<'a> {
    documented: bool,
    member: Member<'a>,
}

/// The members of one record; it is filled again for the next one.
#[derive(Debug)]
pub struct Record<'a> {
    documented: &'static [Documented],
    /// Bits of the documented members that go to their place alone.
    plain: u64,
    /// What tells the source: bits of the documented members that must all be there, in any of these groups.
    told_by: Vec<u64>,
    /// Where texts are kept that do not stand in the record as they are.
    made: &'a Bump,
    /// The values of the documented members; those that the record has are told by the bits of `present`.
    slots: Vec<Value<'a>>,
    present: u64,
    others: Vec<Other<'a>>,
    other_keys: OtherKeys<'a>,
    /// What columns take of documented members that are objects; empty where the source has none.
    inners: Vec<Option<Inner<'a>>>,
    expected: Expected,
}

impl<'a> Record<'a> {
    /// A record of `source`, still empty.
    #[must_use]
    pub fn new(source: &dyn Source, made: &'a Bump) -> Self {
        let documented = source.documented();
        let number = |name: &&str| documented.iter().position(|documented| documented.name == *name);
        let bit = |name| 1 << number(name).expect("what tells a source is documented");
        assert!(documented.len() < 63, "a bit for each, and one for what is not documented");
        let is_plain = |(_, documented): &(usize, &Documented)| !documented.extra && documented.inner.is_empty();
        Self {
            documented,
            plain: documented.iter().enumerate().filter(is_plain).map(|(number, _)| 1 << number).sum(),
            told_by: source.told_by().iter().map(|group| group.iter().map(bit).sum()).collect(),
            made,
            slots: vec![Value { raw: "", kind: Type::Null }; documented.len()],
            present: 0,
            others: Vec::new(),
            other_keys: OtherKeys::default(),
            inners: match documented.iter().all(|documented| documented.inner.is_empty()) {
                true => Vec::new(),
                false => documented.iter().map(Inner::of).collect(),
            },
            expected: Expected::default(),
        }
    }

    /// Takes the members of the object that the first `length` bytes of `text` are.
    ///
    /// # Errors
    /// What is wrong with the object as JSON, a key that occurs twice included.
    pub fn read(&mut self, reader: &mut Reader, text: &'a str, length: usize) -> Result<(), Broken> {
        self.clear();
        reader.take_members_within(text, length, self).or_else(|_| {
            self.clear();
            reader.take_members(&text[..length], self)
        })
    }

    fn clear(&mut self) {
        self.present = 0;
        self.others.clear();
        if !self.other_keys.0.is_empty() {
            self.other_keys.0.clear();
        }
        self.expected.next = 0;
    }

    /// Whether the source tells the record by its members, be they null.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told_by.iter().any(|group| self.present & group == *group)
    }

    /// The members that the source does not document.
    pub fn unknown(&self) -> impl Iterator<Item = &Member<'a>> {
        self.others.iter().filter(|other| !other.documented).map(|other| &other.member)
    }

    /// The value of a member that is there and not null.
    #[inline]
    fn value_of(&self, number: usize) -> Option<&Value<'a>> {
        let value = &self.slots[number];
        (self.present >> number & 1 == 1 && value.kind != Type::Null).then_some(value)
    }

    /// A member that is there, with all that a fault in it needs.
    fn field(&self, number: usize, value: &Value<'a>) -> Field<'a> {
        Field { parent: None, name: self.documented[number].name, value: *value, made: self.made }
    }

    /// As [`Self::value_of`].
    fn get(&self, number: usize) -> Option<Field<'a>> {
        self.value_of(number).map(|value| self.field(number, value))
    }

    /// An id: a string or an integer; `None` when absent or empty.
    #[inline]
    pub fn id(&self, number: usize) -> Result<Text<'a>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        plain_id(value).map_or_else(|| self.field(number, value).id(), |text| Ok(filled(text)))
    }

    /// The id that makes the key.
    #[inline]
    pub fn key(&self, number: usize) -> Result<&'a str, Reject> {
        let name = self.documented[number].name;
        self.id(number)?.ok_or_else(|| Reject::of(Reason::MissingId, name, "the record has no id"))
    }

    /// Text; `None` when absent or empty.
    #[inline]
    pub fn text(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.word(number).map(|text| text.and_then(filled))
    }

    /// A word of a closed list, be it empty.
    #[inline]
    pub fn word(&self, number: usize) -> Result<Option<&'a str>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        value.plain().map_or_else(|| self.field(number, value).characters(), Ok).map(Some)
    }

    /// The text of a number, as written.
    #[inline]
    pub fn number(&self, number: usize) -> Result<Text<'a>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        match value.kind {
            Type::Number { .. } => Ok(Some(value.raw)),
            _ => Err(self.field(number, value).wrong_type("a number")),
        }
    }

    /// A boolean.
    #[inline]
    pub fn flag(&self, number: usize) -> Result<Option<bool>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        match value.kind {
            Type::Bool => Ok(Some(value.raw == "true")),
            _ => Err(self.field(number, value).wrong_type("a boolean")),
        }
    }

    /// An amount, and whether float noise was repaired in it.
    #[inline]
    pub fn amount(&self, number: usize, unit: Unit) -> Result<(Option<Amount>, bool), Reject> {
        let Some(value) = self.value_of(number) else { return Ok((None, false)) };
        plain_amount(value, unit).map_or_else(|| self.field(number, value).amount(unit), Ok)
    }

    /// A time in text.
    #[inline]
    pub fn time(&self, number: usize, zone: Zone) -> Result<Option<WrittenTime>, Reject> {
        let Some(text) = self.word(number)? else { return Ok(None) };
        WrittenTime::parse(text, zone).map(Some).ok_or_else(|| self.bad_time(number))
    }

    /// The calendar date of a date or a date-time, as written.
    pub fn date(&self, number: usize) -> Result<Option<Date>, Reject> {
        Ok(self.time(number, Zone::Utc)?.map(|time| time.date))
    }

    /// A number or a string that holds one, as text: how Unix times come.
    pub fn number_or_text(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| match field.value.kind {
            Type::Number { .. } => Ok(Some(field.value.raw)),
            Type::String { .. } => field.characters().map(filled),
            _ => Err(field.wrong_type("a number or a string")),
        })
    }

    /// The members of an object that columns take apart.
    pub fn object(&self, number: usize) -> Result<Option<Object<'_, 'a>>, Reject> {
        let Some(field) = self.get(number) else { return Ok(None) };
        if field.value.kind != Type::Object {
            return Err(field.wrong_type("an object"));
        }
        let inner = self.inners[number].as_ref().expect("it is documented as an object");
        Ok(Some(Object { name: field.name, inner, made: self.made }))
    }

    /// Checks that a member which only `extra` takes is of the type that the source documents.
    pub fn expect_object(&self, number: usize) -> Result<(), Reject> {
        self.get(number).map_or(Ok(()), |field| match field.value.kind {
            Type::Object => Ok(()),
            _ => Err(field.wrong_type("an object")),
        })
    }

    /// A reject for a time that is missing from the members named.
    #[must_use]
    pub fn no_time(&self, number: usize) -> Reject {
        Reject::of(Reason::BadTimestamp, self.documented[number].name, "the record has no time")
    }

    /// A reject for a time that can't be read.
    #[must_use]
    pub fn bad_time(&self, number: usize) -> Reject {
        let message = "the text is no time in a known form, or does not exist in its zone";
        Reject::of(Reason::BadTimestamp, self.documented[number].name, message)
    }

    /// Everything that no column takes, as one JSON object.
    #[must_use]
    pub fn extra(&self) -> Text<'a> {
        let mut pieces: Vec<(usize, &str, &str)> = Vec::new();
        for (number, inner) in self.inners.iter().enumerate() {
            if let (Some(inner), Some(value)) = (inner, self.value_of(number))
                && value.kind == Type::Object
                && !inner.rest.is_empty()
            {
                pieces.push((inner.at, inner.raw_key, join(inner.rest.iter().map(pair), self.made)));
            }
        }
        if pieces.is_empty() {
            let others = self.others.iter().map(|other| pair(&other.member));
            return (!self.others.is_empty()).then(|| join(others, self.made));
        }
        let others = self.others.iter().map(|other| &other.member);
        pieces.extend(others.map(|member| (member.at, member.raw_key, member.value.raw)));
        pieces.sort_unstable_by_key(|piece| piece.0);
        Some(join(pieces.iter().map(|(_, key, value)| (*key, *value)), self.made))
    }
}

impl<'a> TakeMembers<'a> for Record<'a> {
    type Inner = Inner<'a>;

    #[inline]
    fn known(&mut self, rest: &[u8]) -> usize {
        self.expected.meet(rest)
    }

    fn key(&mut self, raw: &'a str, escaped: bool) {
        self.expected.learn(raw, escaped, self.documented.iter().map(|documented| documented.name));
    }

    #[inline]
    fn inner(&mut self) -> Option<&mut Inner<'a>> {
        let inner = self.inners.get_mut(usize::from(self.expected.met))?.as_mut()?;
        inner.clear();
        Some(inner)
    }

    #[inline]
    fn take(&mut self, text: &'a str, key: Key, Value { raw, kind }: Value<'a>) -> Result<(), Broken> {
        // The bit of what is not documented is never a plain one.
        let bit = 1_u64.wrapping_shl(self.expected.met.into());
        if self.plain & bit & !self.present == 0 {
            return self.take_rare(text, key, raw, kind);
        }
        self.present |= bit;
        // One by one: a value that is put together first is read in larger parts than it was written in, and waited for.
        let slot = &mut self.slots[usize::from(self.expected.met)];
        slot.raw = raw;
        slot.kind = kind;
        Ok(())
    }
}

impl<'a> Record<'a> {
    /// Takes a member that goes elsewhere too, or has been there.
    #[inline(never)]
    fn take_rare(&mut self, text: &'a str, key: Key, raw: &'a str, kind: Type) -> Result<(), Broken> {
        let value = Value { raw, kind };
        let number = usize::from(self.expected.met);
        let Some(documented) = self.documented.get(number) else { return self.take_other(key.member(text, value)) };
        if self.present >> number & 1 == 1 {
            return Err(Broken::duplicate(key.at, documented.name));
        }
        self.present |= 1 << number;
        self.slots[number] = value;
        if documented.extra {
            self.others.push(Other { documented: true, member: key.member(text, value) });
        }
        if let Some(Some(inner)) = self.inners.get_mut(number) {
            let Member { at, raw_key, .. } = key.member(text, value);
            (inner.at, inner.raw_key) = (at, raw_key);
        }
        Ok(())
    }

    fn take_other(&mut self, member: Member<'a>) -> Result<(), Broken> {
        let unknown = self.others.iter().filter(|other| !other.documented).map(|other| &other.member);
        if self.other_keys.has(&member, unknown) {
            return Err(Broken::duplicate(member.at, &member.key()));
        }
        self.others.push(Other { documented: false, member });
        Ok(())
    }
}

fn pair<'a>(member: &Member<'a>) -> (&'a str, &'a str) {
    (member.raw_key, member.value.raw)
}

fn join<'t, 'a>(members: impl Iterator<Item = (&'t str, &'t str)> + Clone, made: &'a Bump) -> &'a str {
    let length = members.clone().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>() + 1;
    let mut text = BumpString::with_capacity_in(length, made);
    for (key, value) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push('"');
        text.push_str(key);
        text.push_str("\":");
        text.push_str(value);
    }
    text.push('}');
    text.into_bump_str()
}

/// The members of an object that columns take apart; filled again for the next record that has it.
#[derive(Debug)]
pub struct Inner<'a> {
    names: &'static [&'static str],
    /// Where the object's key stands in the record, and its text.
    at: usize,
    raw_key: &'a str,
    found: [Option<Value<'a>>; MOST_INNER],
    /// The members that no column takes.
    rest: Vec<Member<'a>>,
    rest_keys: OtherKeys<'a>,
    expected: Expected,
}

impl Inner<'_> {
    fn of(documented: &Documented) -> Option<Self> {
        let names = documented.inner;
        let (rest, rest_keys, expected) = (Vec::new(), OtherKeys::default(), Expected::default());
        let found = [None; MOST_INNER];
        (!names.is_empty()).then_some(Self { names, at: 0, raw_key: "", found, rest, rest_keys, expected })
    }

    fn clear(&mut self) {
        self.found = [None; MOST_INNER];
        self.rest.clear();
        if !self.rest_keys.0.is_empty() {
            self.rest_keys.0.clear();
        }
        self.expected.next = 0;
    }
}

impl<'a> TakeMembers<'a> for Inner<'a> {
    type Inner = Nobody;

    #[inline]
    fn known(&mut self, rest: &[u8]) -> usize {
        self.expected.meet(rest)
    }

    fn key(&mut self, raw: &'a str, escaped: bool) {
        self.expected.learn(raw, escaped, self.names.iter().copied());
    }

    #[inline]
    fn take(&mut self, text: &'a str, key: Key, value: Value<'a>) -> Result<(), Broken> {
        let again = if let Some(found) = self.found.get_mut(usize::from(self.expected.met)) {
            found.replace(value).is_some()
        } else {
            let member = key.member(text, value);
            let again = self.rest_keys.has(&member, self.rest.iter());
            self.rest.push(member);
            again
        };
        if again { Err(Broken::duplicate(key.at, &key.member(text, value).key())) } else { Ok(()) }
    }
}

/// An object that columns take apart, such as `shopper`.
#[derive(Clone, Copy, Debug)]
pub struct Object<'r, 'a> {
    name: &'static str,
    inner: &'r Inner<'a>,
    made: &'a Bump,
}

impl<'a> Object<'_, 'a> {
    /// As [`Record::value_of`].
    #[inline]
    fn value_of(&self, number: usize) -> Option<&Value<'a>> {
        self.inner.found[number].as_ref().filter(|value| value.kind != Type::Null)
    }

    fn field(&self, number: usize, value: &Value<'a>) -> Field<'a> {
        Field { parent: Some(self.name), name: self.inner.names[number], value: *value, made: self.made }
    }

    /// Text; `None` when absent or empty.
    #[inline]
    pub fn text(&self, number: usize) -> Result<Text<'a>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        value.plain().map_or_else(|| self.field(number, value).characters(), Ok).map(filled)
    }

    /// An id: a string or an integer; `None` when absent or empty.
    #[inline]
    pub fn id(&self, number: usize) -> Result<Text<'a>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        plain_id(value).map_or_else(|| self.field(number, value).id(), |text| Ok(filled(text)))
    }

    /// An amount, and whether float noise was repaired in it.
    #[inline]
    pub fn amount(&self, number: usize, unit: Unit) -> Result<(Option<Amount>, bool), Reject> {
        let Some(value) = self.value_of(number) else { return Ok((None, false)) };
        plain_amount(value, unit).map_or_else(|| self.field(number, value).amount(unit), Ok)
    }

    /// A currency.
    #[inline]
    pub fn currency(&self, number: usize) -> Result<Option<Currency>, Reject> {
        let Some(value) = self.value_of(number) else { return Ok(None) };
        let text = value.plain().map_or_else(|| self.field(number, value).characters(), Ok)?;
        let bad = || {
            let path = self.field(number, value).path();
            Reject::of(Reason::BadCurrency, path, "a currency is three ASCII letters")
        };
        Currency::parse(text).map(Some).ok_or_else(bad)
    }
}

/// A member that is present and not null.
struct Field<'a> {
    parent: Option<&'static str>,
    name: &'static str,
    value: Value<'a>,
    made: &'a Bump,
}

impl<'a> Field<'a> {
    fn path(&self) -> Cow<'static, str> {
        self.parent.map_or(self.name.into(), |parent| format!("{parent}.{}", self.name).into())
    }

    fn wrong_type(&self, expected: &str) -> Reject {
        let message = format!("expected {expected}, found {}", self.value.kind.name());
        Reject::of(Reason::WrongType, self.path(), message)
    }

    #[inline(never)]
    fn characters(&self) -> Result<&'a str, Reject> {
        self.value.characters_in(self.made).ok_or_else(|| self.wrong_type("a string"))
    }

    #[inline(never)]
    fn id(&self) -> Result<Text<'a>, Reject> {
        match self.value.kind {
            Type::String { .. } => self.characters().map(filled),
            Type::Number { integer: true } => Ok(Some(self.value.raw)),
            _ => Err(self.wrong_type("a string or an integer")),
        }
    }

    #[inline(never)]
    fn amount(&self, unit: Unit) -> Result<(Option<Amount>, bool), Reject> {
        let result = match self.value.kind {
            Type::Number { .. } => Written::Number(self.value.raw).amount(unit),
            Type::String { .. } => Written::String(self.characters()?).amount(unit),
            _ => return Err(self.wrong_type("a number or a string")),
        };
        let (reason, message) = match result {
            Ok(read) => return Ok((Some(read.amount), read.repaired)),
            Err(NotAnAmount::Malformed) => (Reason::BadAmount, "the text is no number in JSON's grammar"),
            Err(NotAnAmount::TooPrecise) => (Reason::AmountTooPrecise, "more than 4 digits after the point"),
            Err(NotAnAmount::OutOfRange) => (Reason::AmountOutOfRange, "more than 14 digits before the point"),
        };
        Err(Reject::of(reason, self.path(), message))
    }
}

/// The text of an id that needs no unescaping, as [`Field::id`] reads it.
#[inline]
fn plain_id<'a>(value: &Value<'a>) -> Option<&'a str> {
    match value.kind {
        Type::Number { integer: true } => Some(value.raw),
        _ => value.plain(),
    }
}

/// A number that is an amount, as [`Field::amount`] reads it.
#[inline]
fn plain_amount(value: &Value<'_>, unit: Unit) -> Option<(Option<Amount>, bool)> {
    let Type::Number { .. } = value.kind else { return None };
    Written::Number(value.raw).amount(unit).ok().map(|read| (Some(read.amount), read.repaired))
}

/// A text that is not empty, as empty text is none.
#[inline]
fn filled(text: &str) -> Text<'_> {
    (!text.is_empty()).then_some(text)
}
