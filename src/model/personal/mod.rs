//! Personal data: which texts are left out or replaced by tokens before anything is written.
//!
//! A rule is for a column, for `extra`, for the members in `extra` of one name, or for the payer of an anonymous payment.
//! A token is the HMAC-SHA-256 of the text under a secret key: the same person has the same token in every source, and
//! nobody without the key can find out whose it is by trying. What surprises: what a rule takes out of a column is taken
//! out of `extra` too where it stands there as a text of its own, as a record may say it twice.

mod extra;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bumpalo::Bump;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::columns::{COLUMNS, Column};
use crate::model::transaction::{Text, Transaction};
use extra::Rewrite;

/// What becomes of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is left out.
    Drop,
    /// A token takes its place.
    Hash,
    /// Of an anonymous payment, whatever tells of the payer is left out.
    DropPayer,
}

impl Rule {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::Hash => "hash",
            Self::DropPayer => "drop-payer",
        }
    }
}

/// The text of a column in a row.
type TextOf = for<'r, 'a> fn(&'r mut Transaction<'a>) -> &'r mut Text<'a>;

/// The columns whose texts may lead to a person.
const RULED: &[(&str, TextOf)] = &[
    ("payer_id", |row| &mut row.payer_id),
    ("payer_name", |row| &mut row.payer_name),
    (EMAIL, |row| &mut row.payer_email),
    ("payer_username", |row| &mut row.payer_username),
    ("description", |row| &mut row.description),
    ("reference", |row| &mut row.reference),
    ("failure_reason", |row| &mut row.failure_reason),
    ("payment_method_id", |row| &mut row.payment_method_id),
    ("provider_payment_method_id", |row| &mut row.provider_payment_method_id),
];

const EMAIL: &str = "payer_email";
/// The whole of `extra`.
const EXTRA: &str = "extra";
/// Before the name of a member in `extra`.
const MEMBER: &str = "extra.";
/// Members in `extra` that no rule names.
const OTHERS: &str = "extra.*";
/// Payments whose payer asked not to be named.
const ANONYMOUS: &str = "anonymous";

fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// Rules by what they are for: a column, `extra`, `extra.MEMBER`, `extra.*`, or `anonymous`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalRules(BTreeMap<String, Rule>);

impl PersonalRules {
    /// What a rule may be for, besides members of `extra`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        RULED.iter().map(|(name, _)| *name).chain([EXTRA, ANONYMOUS])
    }

    /// Sets the rule for `name` to the one that `word` says.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn set(&mut self, name: &str, word: &str) -> Result<(), String> {
        let choices: &[Rule] = match name {
            EXTRA => &[Rule::Keep, Rule::Drop],
            ANONYMOUS => &[Rule::Keep, Rule::DropPayer],
            _ if name.len() > MEMBER.len() && name.starts_with(MEMBER) => &[Rule::Keep, Rule::Drop, Rule::Hash],
            _ if RULED.iter().any(|(ruled, _)| *ruled == name) => &[Rule::Keep, Rule::Drop, Rule::Hash],
            _ => return Err(no_rule(name)),
        };
        let Some(rule) = choices.iter().find(|rule| rule.as_str() == word) else {
            let words: Vec<_> = choices.iter().map(|rule| rule.as_str()).collect();
            return Err(format!("{word:?} is no rule for {name}; expected {}", words.join(" or ")));
        };
        self.0.insert(name.to_owned(), *rule);
        Ok(())
    }

    /// The rule for `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Rule {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// What was set for members of `extra`.
    pub fn members(&self) -> impl Iterator<Item = (&str, Rule)> {
        self.0.iter().filter_map(|(name, rule)| Some((name.strip_prefix(MEMBER)?, *rule)))
    }

    /// The rules that make a difference, as a manifest tells them.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, String> {
        let of_members = self.get(EXTRA) == Rule::Keep && self.members().any(|(_, rule)| rule != Rule::Keep);
        // A member may be kept of all that are dropped.
        let counts = |name: &str, rule: Rule| match name.starts_with(MEMBER) {
            true => of_members,
            false => rule != Rule::Keep,
        };
        let counting = self.0.iter().filter(|(name, rule)| counts(name, **rule));
        counting.map(|(name, rule)| (name.clone(), rule.as_str().to_owned())).collect()
    }

    /// The rules that a manifest tells.
    ///
    /// # Errors
    /// What this program does not know of them.
    pub fn of(facts: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut rules = Self::default();
        facts.iter().try_for_each(|(name, word)| rules.set(name, word))?;
        Ok(rules)
    }

    /// Whether a rule asks for tokens, so that a key is needed.
    #[must_use]
    pub fn needs_key(&self) -> bool {
        self.facts().values().any(|word| word == Rule::Hash.as_str())
    }

    /// What does as the rules say; `None` when they say nothing, or when the key that they need is not there.
    #[must_use]
    pub fn redactor(&self, key: Option<&HashKey>) -> Option<Redactor> {
        let facts = self.facts();
        if facts.is_empty() || (self.needs_key() && key.is_none()) {
            return None;
        }
        let ruled = |&(name, text): &(&str, TextOf)| {
            let rule = self.get(name);
            (rule != Rule::Keep).then_some(RuledText { text, rule, address: name == EMAIL })
        };
        let of_payer = |name: &str| column(name).is_some_and(|column| column.personal);
        let payer = match self.get(ANONYMOUS) {
            Rule::DropPayer => RULED.iter().filter(|(name, _)| of_payer(name)).map(|(_, text)| *text).collect(),
            _ => Vec::new(),
        };
        Some(Redactor {
            texts: RULED.iter().filter_map(ruled).collect(),
            extra: self.get(EXTRA),
            members: self
                .members()
                .filter(|(name, _)| *name != "*")
                .map(|(name, rule)| (name.to_owned(), rule))
                .collect(),
            others: self.get(OTHERS),
            payer,
            key: key.cloned(),
        })
    }
}

fn no_rule(name: &str) -> String {
    match column(name) {
        Some(column) if !column.nullable => format!("{name} is needed in every row, so there is no rule for it"),
        Some(_) => format!("{name} leads to no person, so there is no rule for it"),
        None => format!("there are no rules for {name:?}"),
    }
}

/// The secret key of tokens.
#[derive(Clone)]
pub struct HashKey(Hmac<Sha256>);

impl HashKey {
    /// A key has at least so many bytes.
    pub const LEAST: usize = 16;

    /// The key with those bytes; `None` when they are too few.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let key = Hmac::new_from_slice(bytes).ok()?;
        (bytes.len() >= Self::LEAST).then_some(Self(key))
    }

    /// The token of a text: HMAC-SHA-256 in hexadecimal.
    #[must_use]
    pub fn token(&self, text: &str) -> String {
        let digest = self.0.clone().chain_update(text.as_bytes()).finalize().into_bytes();
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.map(|digit| char::from_digit(digit.into(), 16).expect("four bits")).collect()
    }

    /// Tells keys apart without telling the key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut token = self.token("paynorm hash key");
        token.truncate(16);
        token
    }
}

/// A key is never shown.
impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashKey({})", self.fingerprint())
    }
}

/// A column with a rule.
#[derive(Clone, Debug)]
struct RuledText {
    text: TextOf,
    rule: Rule,
    /// Whether it holds e-mail addresses.
    address: bool,
}

/// Does to rows as rules say.
#[derive(Clone, Debug)]
pub struct Redactor {
    texts: Vec<RuledText>,
    extra: Rule,
    /// Rules for members in `extra`, by name.
    members: BTreeMap<String, Rule>,
    others: Rule,
    /// What tells of the payer, where it is to go when the payment is anonymous.
    payer: Vec<TextOf>,
    key: Option<HashKey>,
}

impl Redactor {
    /// Takes personal data out of a row; `made` keeps what comes in its place.
    pub fn redact<'a>(&self, row: &mut Transaction<'a>, made: &'a Bump) {
        let keep = |text: String| &*made.alloc_str(&text);
        let mut taken = Vec::new();
        for ruled in &self.texts {
            let text = (ruled.text)(row);
            if let Some(plain) = text.take() {
                let plain = comparable(plain.into(), ruled.address);
                *text = self.token(&plain, ruled.rule).map(keep);
                taken.push((plain, ruled.rule));
            }
        }
        if !self.payer.is_empty() && row.is_anonymous == Some(true) {
            for text in &self.payer {
                *text(row) = None;
            }
            // Nobody knows whether what no column takes tells of the payer.
            row.extra = None;
        }
        if self.extra == Rule::Drop {
            row.extra = None;
        } else if let Some(text) = row.extra {
            row.extra = Rewrite::new(self, &taken, text).run().map(keep);
        }
    }

    /// What takes the place of a text.
    fn token(&self, plain: &str, rule: Rule) -> Option<String> {
        let key = self.key.as_ref()?;
        (rule == Rule::Hash).then(|| key.token(plain))
    }
}

/// A text as it is compared and hashed: an e-mail address in lower case and without white space around it, be it in the
/// column of addresses or told by its `@`; any other text as it is.
fn comparable(text: Cow<'_, str>, address: bool) -> Cow<'_, str> {
    if address || text.contains('@') { text.trim().to_lowercase().into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::{Amount, Money};
    use crate::model::time::Timestamp;
    use crate::model::transaction::Amounts;
    use crate::model::vocabulary::{Classification, State};

    #[test]
    fn every_personal_column_may_have_a_rule() {
        for known in COLUMNS.iter().filter(|known| known.personal) {
            assert!(RULED.iter().any(|(name, _)| *name == known.name), "{}", known.name);
        }
        for (name, _) in RULED {
            assert!(column(name).is_some_and(|known| known.nullable), "{name}");
        }
    }

    /// Test cases 1 and 6 of RFC 4231.
    #[test]
    fn tokens_are_those_of_the_standard() {
        for (key, text, token) in [
            ([0x0b; 20].as_slice(), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                [0xaa; 131].as_slice(),
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(HashKey::new(key).expect("long enough").token(text), token);
        }
    }

    #[test]
    fn keys_are_long_enough_and_not_shown() {
        assert!(HashKey::new(&[7; 15]).is_none() && HashKey::new(b"").is_none());
        let key = HashKey::new(b"0123456789abcdef").expect("long enough");
        assert_eq!(format!("{key:?}"), format!("HashKey({})", key.fingerprint()));
        assert_ne!(key.fingerprint(), HashKey::new(b"0123456789abcdeg").expect("long enough").fingerprint());
    }

    #[test]
    fn only_rules_that_count_are_told() {
        let mut rules = PersonalRules::default();
        for (name, word) in [("payer_name", "keep"), ("extra.a", "keep"), ("anonymous", "keep"), ("extra", "keep")] {
            rules.set(name, word).expect("a rule");
        }
        assert!(rules.facts().is_empty() && rules.redactor(None).is_none());
        rules.set("extra.*", "drop").expect("a rule");
        assert_eq!(rules.facts().into_keys().collect::<Vec<_>>(), ["extra.*", "extra.a"]);
        assert_eq!(PersonalRules::of(&rules.facts()).expect("rules").facts(), rules.facts());
        rules.set("extra", "drop").expect("a rule");
        assert_eq!(rules.facts().into_keys().collect::<Vec<_>>(), ["extra"]);
    }

    #[test]
    fn rules_are_for_what_leads_to_a_person() {
        let set = |name: &str, word: &str| PersonalRules::default().set(name, word);
        for (name, word, what) in [
            ("transaction_id", "drop", "needed in every row"),
            ("gross_amount", "drop", "leads to no person"),
            ("payer", "drop", "no rules for"),
            ("extra.", "drop", "no rules for"),
            ("extra", "hash", "expected keep or drop"),
            ("payer_name", "mask", "expected keep or drop or hash"),
            ("anonymous", "drop", "expected keep or drop-payer"),
        ] {
            let error = set(name, word).expect_err(name);
            assert!(error.contains(what), "{error}");
        }
    }

    fn redacted(rules: &[(&str, &str)], extra: &str) -> (Option<String>, Option<String>, Option<String>) {
        let mut set = PersonalRules::default();
        for (name, word) in rules {
            set.set(name, word).expect("a rule");
        }
        let (key, made) = (HashKey::new(b"0123456789abcdef").expect("long enough"), Bump::new());
        let amount = Amount::from_units(1).map(|amount| Money { amount, currency: None });
        let mut row = Transaction::new(
            "paydata",
            "1",
            Timestamp::from_micros(0).expect("in range"),
            Amounts::complete(amount, None, None).expect("one amount"),
            Classification::Payment,
            State::Succeeded,
        );
        row.payer_email = Some(" Anna@Example.org ");
        row.payer_name = Some("Anna");
        row.extra = Some(extra);
        row.is_anonymous = Some(extra.contains("anonymous"));
        set.redactor(Some(&key)).expect("rules").redact(&mut row, &made);
        let owned = |text: Text<'_>| text.map(str::to_owned);
        (owned(row.payer_email), owned(row.payer_name), owned(row.extra))
    }

    fn token(text: &str) -> String {
        HashKey::new(b"0123456789abcdef").expect("long enough").token(text)
    }

    #[test]
    fn columns_are_dropped_or_hashed() {
        let (email, name, extra) = redacted(&[("payer_email", "hash"), ("payer_name", "drop")], r#"{"a": [1.50]}"#);
        assert_eq!((email, name), (Some(token("anna@example.org")), None));
        assert_eq!(extra.as_deref(), Some(r#"{"a": [1.50]}"#), "text as it was");
        let (email, name, extra) = redacted(&[("anonymous", "drop-payer")], r#"{"anonymous":1}"#);
        assert_eq!((email, name, extra), (None, None, None));
        let (email, _, extra) = redacted(&[("anonymous", "drop-payer")], r#"{"a":1}"#);
        assert!(email.is_some() && extra.is_some());
    }

    #[track_caller]
    fn rewritten(rules: &[(&str, &str)], extra: &str, expected: Option<&str>) {
        assert_eq!(redacted(rules, extra).2.as_deref(), expected, "{rules:?} {extra}");
    }

    #[test]
    fn what_a_column_lost_is_not_in_extra() {
        let hash: &[_] = &[("payer_email", "hash"), ("payer_name", "drop")];
        let hashed = token("anna@example.org");
        rewritten(hash, r#"{"m":"ANNA@example.org"}"#, Some(&format!(r#"{{"m":"{hashed}"}}"#)));
        rewritten(
            hash,
            r#"{"m":{ "to" : ["ann\u0061@example.org"] }}"#,
            Some(&format!(r#"{{"m":{{ "to" : ["{hashed}"] }}}}"#)),
        );
        rewritten(hash, r#"{"n":"Anna","o":"Anna B","p":["Anna",2, "Anna"]}"#, Some(r#"{"o":"Anna B","p":[2]}"#));
        rewritten(hash, r#"{"n":"\u0041nna"}"#, None);
    }

    #[test]
    fn members_of_extra_have_rules_by_name() {
        let text = r#"{"a":1,"d\u006fnor":{"mail":"b@c","n":[12,null,true,""]},"fields":{"x":{"donor":2},"y":[]}}"#;
        rewritten(&[("extra", "drop")], text, None);
        rewritten(&[("extra.*", "drop")], text, None);
        rewritten(&[("extra.donor", "drop")], text, Some(r#"{"a":1,"fields":{"x":{},"y":[]}}"#));
        rewritten(
            &[("extra.*", "drop"), ("extra.fields", "keep")],
            text,
            Some(r#"{"fields":{"x":{"donor":2},"y":[]}}"#),
        );
        let (mail, twelve) = (token("b@c"), token("12"));
        let expected = format!(
            r#"{{"a":1,"d\u006fnor":{{"mail":"{mail}","n":["{twelve}",null,true,""]}},"fields":{{"x":{{"donor":"{}"}},"y":[]}}}}"#,
            token("2")
        );
        rewritten(&[("extra.donor", "hash")], text, Some(&expected));
        rewritten(
            &[("extra.z", "drop")],
            "{ \"q\\\"}\" : \"]\\\\\" , \"e\":-1.5e3 }",
            Some("{ \"q\\\"}\" : \"]\\\\\" , \"e\":-1.5e3 }"),
        );
    }
}
