//! A dataset has one set of rules for personal data: what is added to it follows them, or is refused.

use anyhow::{Result, anyhow};

use super::Failure;
use super::earlier::Earlier;
use crate::config::Config;
use crate::load::manifest::PersonalFacts;
use crate::load::quarantine::RawTexts;
use crate::model::paths::shown;
use crate::model::personal::{HashKey, PersonalRules, Rule};

impl Earlier {
    /// The configuration with the dataset's rules, where it does not tell its own.
    ///
    /// # Errors
    /// When it tells others, or lacks the key of the dataset's tokens.
    pub(super) fn adapt_personal(&self, config: &Config) -> Result<Config, Failure> {
        let nothing = || PersonalFacts { quarantine_raw: RawTexts::Keep.name().to_owned(), ..PersonalFacts::default() };
        let there = self.manifest.personal.clone().unwrap_or_else(nothing);
        let out = shown(&config.out);
        let damaged = |what: &str| anyhow!("the manifest of {out} is damaged: {what}");
        let mut config = config.clone();
        if config.adopt_personal {
            config.personal = PersonalRules::of(&there.rules).map_err(|what| damaged(&what))?;
        }
        let raw = RawTexts::parse(&there.quarantine_raw).ok_or_else(|| damaged("quarantine_raw"))?;
        let asked = *config.quarantine_raw.get_or_insert(raw);
        let refused = |what: String| {
            let hint = "tell none or the same, or make the dataset anew with --mode replace";
            Err(Failure::Usage(anyhow!("{out} was made with other rules for personal data: {what}\n  hint: {hint}")))
        };
        if let Some(what) = difference(&config.personal, &there) {
            return refused(what);
        }
        if asked != raw {
            return refused(format!("quarantine_raw is {} there and {} here", raw.name(), asked.name()));
        }
        if config.personal.needs_key() {
            config.redactor().map_err(Failure::Usage)?;
            if config.hash_key.as_ref().map(HashKey::fingerprint) != there.hash_key {
                return Err(Failure::Usage(anyhow!(
                    "the tokens in {out} are of another key; with this one the same person would have another token\n  \
                     hint: give the key that the dataset was made with, or make it anew with --mode replace"
                )));
            }
        }
        Ok(config)
    }
}

/// The first rule in which the two differ.
fn difference(here: &PersonalRules, there: &PersonalFacts) -> Option<String> {
    let facts = here.facts();
    let differs = |name: &&String| facts.get(*name) != there.rules.get(*name);
    let name = there.rules.keys().chain(facts.keys()).find(differs)?;
    let word = |rule: Option<&String>| rule.map_or(Rule::Keep.as_str(), String::as_str).to_owned();
    Some(format!("{name} is {} there and {} here", word(there.rules.get(name)), word(facts.get(name))))
}
