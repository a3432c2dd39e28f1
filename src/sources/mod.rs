//! The sources: one file per API, one table of them all, and how a record is told.
//!
//! A source does no I/O and knows no column order: it sees one record and returns one row. To add one, write its file,
//! add two lines here and a folder in `samples/`.

mod atpay;
mod onlinefundraising;
mod paydata;
pub mod record;
mod spacivox;
mod twocloud;

use std::collections::BTreeMap;

use crate::model::json::{Broken, Reader};
use crate::model::money::Currency;
use crate::model::reject::Reject;
use crate::model::time::Zone;
use crate::model::transaction::Transaction;
use crate::model::vocabulary::{Classification, State};
use record::{Documented, Record};

/// Every source.
pub const ALL: &[&dyn Source] = &[
    &spacivox::Spacivox,
    &onlinefundraising::Onlinefundraising,
    &twocloud::Twocloud,
    &atpay::Atpay,
    &paydata::Paydata,
];

/// A payment API and the mapping of its records.
pub trait Source: Sync + std::fmt::Debug {
    /// The name, as in the `source` column and in flags.
    fn name(&self) -> &'static str;

    /// One line on what the API is.
    fn about(&self) -> &'static str;

    /// The key under which a page envelope holds the records, if there is an envelope.
    fn envelope(&self) -> Option<&'static str>;

    /// Whether the API says the currency of its amounts, so that none can be configured.
    fn writes_currency(&self) -> bool {
        false
    }

    /// The record is told by all keys of any one of these groups.
    fn told_by(&self) -> &'static [&'static [&'static str]];

    /// The members that the API documents, in the order of the numbers that [`Source::map`] uses.
    fn documented(&self) -> &'static [Documented];

    /// What each column is filled from, told beside the mapping; `source`, `extra` and lineage need no telling.
    fn origins(&self) -> &'static [Origin];

    /// What a documented word for the state stands for; a source that implies the state has none.
    fn state(&self, _word: &str) -> Option<State> {
        None
    }

    /// What a documented word for the classification stands for; a source that implies the classification has none.
    fn classification(&self, _word: &str) -> Option<Classification> {
        None
    }

    /// Maps one record.
    ///
    /// # Errors
    /// Why the record gives no row.
    fn map<'a>(&self, record: &Record<'a>, settings: &Settings) -> Result<Mapped<'a>, Reject>;
}

/// A column and the members that it is filled from.
///
/// The members are in groups that give way to one another: what counts is the first group all members of which the record
/// has, neither null nor empty. `gross.value` is the member `value` of the object `gross`. Where the record has no group,
/// or none is told, the source implies the value or the configuration says it.
pub type Origin = (&'static str, &'static [&'static [&'static str]]);

/// What a user says about a source; what nobody says is the default, or as in the dataset that a run adds to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The currency of amounts that the source writes without one.
    pub currency: Option<Currency>,
    /// The zone of times that the source writes without an offset.
    pub zone: Option<Zone>,
    /// Words for the state that the source does not document.
    pub states: BTreeMap<String, State>,
    /// Words for the classification that the source does not document.
    pub classifications: BTreeMap<String, Classification>,
}

impl Settings {
    /// The zone of times that the source writes without an offset: UTC unless told.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone.unwrap_or_default()
    }

    /// These, and what is not told in them from `other`; the words of a kind are told together or not at all.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            currency: self.currency.or(other.currency),
            zone: self.zone.or(other.zone),
            states: if self.states.is_empty() { other.states } else { self.states },
            classifications: if self.classifications.is_empty() { other.classifications } else { self.classifications },
        }
    }

    /// What a word for the state stands for: what the source documents comes first.
    pub(crate) fn state(&self, source: &impl Source, word: &str) -> Option<State> {
        source.state(word).or_else(|| self.states.get(word).copied())
    }

    /// What a word for the classification stands for: what the source documents comes first.
    pub(crate) fn classification(&self, source: &impl Source, word: &str) -> Option<Classification> {
        source.classification(word).or_else(|| self.classifications.get(word).copied())
    }
}

/// A row, and what was noticed on the way.
#[derive(Clone, Debug)]
pub struct Mapped<'a> {
    /// The row.
    pub row: Transaction<'a>,
    /// What the report counts.
    pub notes: Notes,
}

/// What is worth counting in a record that gave a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "four independent things to count")]
pub struct Notes {
    /// Float noise was repaired in an amount.
    pub noise_repaired: bool,
    /// A fee was negated, see the money rules.
    pub fee_negated: bool,
    /// The state is outside the documented list.
    pub unknown_state: bool,
    /// The classification is outside the documented list.
    pub unknown_classification: bool,
}

/// Declares the numbers and the table of the members that a source documents.
macro_rules! documented {
    ($($number:ident = $name:literal $(in $extra:ident)? $(of $inner:tt)?,)+) => {
        #[allow(clippy::upper_case_acronyms, non_camel_case_types, dead_code)]
        enum Number { $($number),+ }
        $(const $number: usize = Number::$number as usize;)+
        const DOCUMENTED: &[crate::sources::record::Documented] = &[
            $(crate::sources::record::Documented {
                name: $name,
                extra: documented!(@extra $($extra)?),
                inner: documented!(@inner $($inner)?),
            }),+
        ];
    };
    (@extra) => { false };
    (@extra extra) => { true };
    (@inner) => { &[] };
    (@inner $inner:tt) => { &$inner };
}
use documented;

/// The source with that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    number_of(name).map(|number| ALL[number])
}

/// The place in [`ALL`] of the source with that name.
#[must_use]
pub fn number_of(name: &str) -> Option<usize> {
    ALL.iter().position(|source| source.name() == name)
}

/// The keys under which any source's envelope holds its records.
#[must_use]
pub fn envelope_keys() -> Vec<&'static str> {
    let mut keys: Vec<_> = ALL.iter().filter_map(|source| source.envelope()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The number of the one source that tells a record.
#[must_use]
pub fn told(record: &[u8]) -> Option<usize> {
    let told = Told::of(std::str::from_utf8(record).ok()?).ok()?;
    number_of(told.one()?.name())
}

/// Which sources a record is told by.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Those whose telling members it has.
    pub sources: Vec<&'static dyn Source>,
    /// The record's keys.
    keys: Vec<String>,
    /// Whether a member with the key of a list is null or an empty array, and whether one is anything else.
    empty_list: bool,
    other_list: bool,
}

impl Told {
    /// Looks at the keys of the object `text`.
    ///
    /// # Errors
    /// What is wrong with the text as JSON.
    pub fn of(text: &str) -> Result<Self, Broken> {
        let mut keys = Vec::new();
        let (mut empty_list, mut other_list) = (false, false);
        let lists = envelope_keys();
        Reader::default().members(text, |member| {
            let key = member.key();
            if lists.contains(&&*key) {
                let raw = member.value.raw;
                let empty = raw == "null" || (raw.starts_with('[') && raw[1..raw.len() - 1].trim().is_empty());
                empty_list |= empty;
                other_list |= !empty;
            }
            keys.push(key.into_owned());
            Ok(())
        })?;
        let sources = ALL.iter().copied().filter(|source| tells(*source, |name| keys.iter().any(|key| key == name)));
        Ok(Self { sources: sources.collect(), keys, empty_list, other_list })
    }

    /// The one source that tells the record.
    #[must_use]
    pub fn one(&self) -> Option<&'static dyn Source> {
        match self.sources[..] {
            [source] => Some(source),
            _ => None,
        }
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.keys.iter().any(|key| key == name))
    }

    /// Whether this is the error body of an API and no record: it speaks of an error and has neither id nor amount.
    #[must_use]
    pub fn is_error_body(&self) -> bool {
        const SPEAKS: &[&str] = &["error", "errors", "message", "fault", "detail"];
        self.sources.is_empty() && self.has(SPEAKS) && !self.is_like_a_record()
    }

    /// Whether this is an envelope whose list is null, empty or absent. Where the list is absent, nothing but documented
    /// paging may be there: another API's page is no empty one of ours.
    #[must_use]
    pub fn is_empty_envelope(&self) -> bool {
        const PAGING: &[&str] = &["pageNumber", "pageSize", "startDate", "endDate", "pagination"];
        let paging_alone = !self.keys.is_empty() && self.keys.iter().all(|key| PAGING.contains(&key.as_str()));
        let empty = self.empty_list && !self.other_list && !self.is_like_a_record();
        self.sources.is_empty() && (empty || paging_alone)
    }

    fn is_like_a_record(&self) -> bool {
        self.has(&["id", "transactionGuid", "transactionId", "amount"])
    }
}

/// Whether a record with the keys that `has` knows is told by `source`.
fn tells(source: &dyn Source, has: impl Fn(&str) -> bool) -> bool {
    source.told_by().iter().any(|group| group.iter().all(|name| has(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::columns::COLUMNS;

    #[test]
    fn names_are_unique_and_sources_are_told_apart() {
        for (i, source) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.name() != source.name()), "{}", source.name());
            for group in source.told_by() {
                let told: Vec<_> = ALL.iter().filter(|other| tells(**other, |name| group.contains(&name))).collect();
                assert_eq!(told.len(), 1, "{group:?}");
            }
        }
    }

    #[test]
    fn only_our_own_pages_are_empty_ones() {
        for (text, empty) in [
            (r#"{"list":null}"#, true),
            (r#"{"transactions":[ ],"pagination":{}}"#, true),
            (r#"{"pagination":{"totalCount":0}}"#, true),
            (r#"{"pageNumber":1,"pageSize":50}"#, true),
            (r#"{"list":null,"amount":1}"#, false),
            (r#"{"list":"text"}"#, false),
            (r#"{"payments":{"a":1}}"#, false),
            (r#"{"data":[{"a":1}],"pagination":{}}"#, false),
            ("{}", false),
        ] {
            assert_eq!(Told::of(text).expect("valid").is_empty_envelope(), empty, "{text}");
        }
    }

    #[test]
    fn every_documented_member_has_its_column() {
        for source in ALL {
            let documented = |name: &str| source.documented().iter().find(|known| known.name == name);
            let told: Vec<_> = source.origins().iter().flat_map(|(_, groups)| groups.concat()).collect();
            for member in &told {
                let top = member.split('.').next().expect("a first part");
                assert!(documented(top).is_some(), "{member} of {} is not documented", source.name());
            }
            for known in source.documented().iter().filter(|known| !known.extra) {
                let names = |member: &&&str| member.split('.').next() == Some(known.name);
                assert!(told.iter().any(|member| names(&member)), "{} of {}", known.name, source.name());
            }
            for (i, (column, _)) in source.origins().iter().enumerate() {
                assert!(COLUMNS.iter().any(|known| known.name == *column), "{column} of {}", source.name());
                assert!(source.origins()[..i].iter().all(|(other, _)| other != column), "{column} is told twice");
            }
        }
    }

    #[test]
    fn every_documented_key_is_told_once() {
        for source in ALL {
            let names = source.documented();
            for (i, documented) in names.iter().enumerate() {
                assert!(names[..i].iter().all(|other| other.name != documented.name), "{}", documented.name);
            }
        }
    }
}
