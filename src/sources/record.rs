//! A record as a source sees it: its documented members by number, everything else for `extra`, and typed access.
//!
//! The typed accessors hold the rules that are the same for every source: `null` is absent, ids may be strings or
//! integers, empty text is none, a member of another type than documented is `wrong_type`.

use std::borrow::Cow;

use crate::model::json::{Broken, Member, Reader, Type, Value};
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
}

/// A number for "not documented" in the learned order.
const OTHER: u8 = u8::MAX;

/// The members of one record; it is filled again for the next one.
#[derive(Debug)]
pub struct Record<'a> {
    documented: &'static [Documented],
    slots: Vec<Option<Member<'a>>>,
    others: Vec<Member<'a>>,
    /// The documented number of each member of the record before, in order: records of one dump look alike.
    order: Vec<u8>,
}

impl<'a> Record<'a> {
    /// A record of a source that documents `documented`, still empty.
    #[must_use]
    pub fn new(documented: &'static [Documented]) -> Self {
        Self { documented, slots: vec![None; documented.len()], others: Vec::new(), order: Vec::new() }
    }

    /// Takes the members of the object `text`.
    ///
    /// # Errors
    /// What is wrong with the text as JSON, a key that occurs twice included.
    pub fn read(&mut self, reader: &mut Reader, text: &'a str) -> Result<(), Broken> {
        self.slots.fill(None);
        self.others.clear();
        let mut position = 0;
        reader.members(text, |member| {
            let number = self.number_of(&member, position);
            position += 1;
            self.take(number, member)
        })
    }

    fn number_of(&mut self, member: &Member<'a>, position: usize) -> u8 {
        let learned = self.order.get(position).copied().unwrap_or(OTHER);
        let named = |number: u8, key: &str| self.documented.get(usize::from(number)).is_some_and(|d| d.name == key);
        if !member.escaped_key && named(learned, member.raw_key) {
            return learned;
        }
        let key = member.key();
        let found = self.documented.iter().position(|documented| documented.name == key);
        let number = found.and_then(|number| u8::try_from(number).ok()).unwrap_or(OTHER);
        if self.order.len() <= position {
            self.order.resize(position + 1, OTHER);
        }
        self.order[position] = number;
        number
    }

    fn take(&mut self, number: u8, member: Member<'a>) -> Result<(), Broken> {
        let Some(documented) = self.documented.get(usize::from(number)) else {
            if self.others.iter().any(|other| other.key() == member.key()) {
                return Err(Broken::duplicate(member.at, &member.key()));
            }
            self.others.push(member);
            return Ok(());
        };
        let slot = &mut self.slots[usize::from(number)];
        if slot.is_some() {
            return Err(Broken::duplicate(member.at, documented.name));
        }
        *slot = Some(member);
        if documented.extra {
            self.others.push(member);
        }
        Ok(())
    }

    /// Whether the record has the documented member `name`, be it null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let documented = self.documented.iter().position(|documented| documented.name == name);
        documented.is_some_and(|number| self.slots[number].is_some()) || self.others.iter().any(|o| o.key() == name)
    }

    /// The members that the source does not document.
    pub fn unknown(&self) -> impl Iterator<Item = &Member<'a>> {
        self.others.iter().filter(|other| !self.documented.iter().any(|d| d.extra && d.name == other.key()))
    }

    fn get(&self, number: usize) -> Option<Field<'a>> {
        let value = self.slots[number]?.value;
        (value.kind != Type::Null).then(|| Field { parent: None, name: self.documented[number].name, value })
    }

    /// An id: a string or an integer; `None` when absent or empty.
    pub fn id(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| field.id())
    }

    /// The id that makes the key.
    pub fn key(&self, number: usize) -> Result<Cow<'a, str>, Reject> {
        let name = self.documented[number].name;
        self.id(number)?.ok_or_else(|| Reject::of(Reason::MissingId, name, "the record has no id"))
    }

    /// Text; `None` when absent or empty.
    pub fn text(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| field.text())
    }

    /// A word of a closed list, be it empty.
    pub fn word(&self, number: usize) -> Result<Option<Cow<'a, str>>, Reject> {
        self.get(number).map_or(Ok(None), |field| field.characters().map(Some))
    }

    /// The text of a number, as written.
    pub fn number(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| match field.value.kind {
            Type::Number => Ok(Some(Cow::Borrowed(field.value.raw))),
            _ => Err(field.wrong_type("a number")),
        })
    }

    /// A boolean.
    pub fn flag(&self, number: usize) -> Result<Option<bool>, Reject> {
        self.get(number).map_or(Ok(None), |field| match field.value.kind {
            Type::Bool => Ok(Some(field.value.raw == "true")),
            _ => Err(field.wrong_type("a boolean")),
        })
    }

    /// An amount, and whether float noise was repaired in it.
    pub fn amount(&self, number: usize, unit: Unit) -> Result<(Option<Amount>, bool), Reject> {
        self.get(number).map_or(Ok((None, false)), |field| field.amount(unit))
    }

    /// A time in text.
    pub fn time(&self, number: usize, zone: Zone) -> Result<Option<WrittenTime>, Reject> {
        self.get(number).map_or(Ok(None), |field| field.time(zone))
    }

    /// The calendar date of a date or a date-time, as written.
    pub fn date(&self, number: usize) -> Result<Option<Date>, Reject> {
        Ok(self.time(number, Zone::Utc)?.map(|time| time.date))
    }

    /// A number or a string that holds one, as text: how Unix times come.
    pub fn number_or_text(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| match field.value.kind {
            Type::Number => Ok(Some(Cow::Borrowed(field.value.raw))),
            Type::String { .. } => field.text(),
            _ => Err(field.wrong_type("a number or a string")),
        })
    }

    /// The members of an object that the source documents.
    pub fn object(&self, number: usize, names: &'static [&'static str]) -> Result<Option<Object<'a>>, Reject> {
        let (Some(member), Some(field)) = (self.slots[number], self.get(number)) else { return Ok(None) };
        if field.value.kind != Type::Object {
            return Err(field.wrong_type("an object"));
        }
        Ok(Some(Object::read(field.name, member, names)))
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
        bad_time(self.documented[number].name.into())
    }

    /// Everything that no column takes, as one JSON object; `nested` are the rests of objects that columns take.
    #[must_use]
    pub fn extra(&self, nested: &[Object<'a>]) -> Option<Cow<'a, str>> {
        let rests = nested.iter().filter(|object| !object.rest.is_empty());
        let mut pieces: Vec<(usize, &str, Cow<'_, str>)> =
            rests.map(|object| (object.member.at, object.member.raw_key, object_of(&object.rest).into())).collect();
        if pieces.is_empty() {
            return (!self.others.is_empty()).then(|| object_of(&self.others).into());
        }
        pieces.extend(self.others.iter().map(|m| (m.at, m.raw_key, m.value.raw.into())));
        pieces.sort_unstable_by_key(|piece| piece.0);
        Some(join(pieces.iter().map(|(_, key, value)| (*key, &**value))).into())
    }
}

fn object_of(members: &[Member<'_>]) -> String {
    join(members.iter().map(|member| (member.raw_key, member.value.raw)))
}

fn join<'t>(members: impl Iterator<Item = (&'t str, &'t str)> + Clone) -> String {
    let length = members.clone().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>() + 1;
    let mut text = String::with_capacity(length);
    for (key, value) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push('"');
        text.push_str(key);
        text.push_str("\":");
        text.push_str(value);
    }
    text.push('}');
    text
}

/// An object that columns take apart, such as `shopper`.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    name: &'static str,
    member: Member<'a>,
    names: &'static [&'static str],
    found: [Option<Value<'a>>; 4],
    rest: Vec<Member<'a>>,
}

impl<'a> Object<'a> {
    /// Takes a checked object apart: at most four names, the rest for `extra`.
    fn read(name: &'static str, member: Member<'a>, names: &'static [&'static str]) -> Self {
        let mut object = Self { name, member, names, found: [None; 4], rest: Vec::new() };
        let result = Reader::default().members(member.value.raw, |inner| {
            match names.iter().position(|known| *known == inner.key()) {
                Some(number) => object.found[number] = Some(inner.value),
                None => object.rest.push(inner),
            }
            Ok(())
        });
        debug_assert!(result.is_ok(), "the record around it was checked");
        object
    }

    fn get(&self, number: usize) -> Option<Field<'a>> {
        let value = self.found[number]?;
        (value.kind != Type::Null).then(|| Field { parent: Some(self.name), name: self.names[number], value })
    }

    /// Text; `None` when absent or empty.
    pub fn text(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| field.text())
    }

    /// An id: a string or an integer; `None` when absent or empty.
    pub fn id(&self, number: usize) -> Result<Text<'a>, Reject> {
        self.get(number).map_or(Ok(None), |field| field.id())
    }

    /// An amount, and whether float noise was repaired in it.
    pub fn amount(&self, number: usize, unit: Unit) -> Result<(Option<Amount>, bool), Reject> {
        self.get(number).map_or(Ok((None, false)), |field| field.amount(unit))
    }

    /// A currency.
    pub fn currency(&self, number: usize) -> Result<Option<Currency>, Reject> {
        let Some(field) = self.get(number) else { return Ok(None) };
        let bad = || Reject::of(Reason::BadCurrency, field.path(), "a currency is three ASCII letters");
        Currency::parse(&field.characters()?).map(Some).ok_or_else(bad)
    }
}

/// A member that is present and not null.
struct Field<'a> {
    parent: Option<&'static str>,
    name: &'static str,
    value: Value<'a>,
}

impl<'a> Field<'a> {
    fn path(&self) -> Cow<'static, str> {
        self.parent.map_or(self.name.into(), |parent| format!("{parent}.{}", self.name).into())
    }

    fn wrong_type(&self, expected: &str) -> Reject {
        let message = format!("expected {expected}, found {}", self.value.kind.name());
        Reject::of(Reason::WrongType, self.path(), message)
    }

    fn characters(&self) -> Result<Cow<'a, str>, Reject> {
        self.value.characters().ok_or_else(|| self.wrong_type("a string"))
    }

    fn text(&self) -> Result<Text<'a>, Reject> {
        self.characters().map(|text| (!text.is_empty()).then_some(text))
    }

    fn id(&self) -> Result<Text<'a>, Reject> {
        match self.value.kind {
            Type::String { .. } => self.text(),
            Type::Number if !self.value.raw.contains(['.', 'e', 'E']) => Ok(Some(Cow::Borrowed(self.value.raw))),
            _ => Err(self.wrong_type("a string or an integer")),
        }
    }

    fn amount(&self, unit: Unit) -> Result<(Option<Amount>, bool), Reject> {
        let result = match self.value.kind {
            Type::Number => Written::Number(self.value.raw).amount(unit),
            Type::String { .. } => Written::String(&self.characters()?).amount(unit),
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

    fn time(&self, zone: Zone) -> Result<Option<WrittenTime>, Reject> {
        let text = self.characters()?;
        WrittenTime::parse(&text, zone).map(Some).ok_or_else(|| bad_time(self.path()))
    }
}

fn bad_time(field: Cow<'static, str>) -> Reject {
    Reject::of(Reason::BadTimestamp, field, "the text is no time in a known form, or does not exist in its zone")
}
