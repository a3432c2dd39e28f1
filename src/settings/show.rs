//! `paynorm config --show`: every value in force and who told it, as TOML that can be put into a file, or as JSON.

use serde::Serialize;
use serde_json::Value;

use super::{KEY_FILE, Settings};
use crate::config::{Config, Limit};
use crate::model::money::Currency;
use crate::model::paths::shown;
use crate::model::personal::{HashKey, PersonalRules, Rule};
use crate::sources;

/// A value in force.
#[derive(Debug, Serialize)]
pub struct InForce {
    /// Its key, part by part.
    pub key: Vec<String>,
    /// Its value; null where nothing is set.
    pub value: Value,
    /// Who told it: `paynorm.toml:3`, a variable, a flag, or `default`.
    pub from: String,
}

/// Everything in force.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The configuration that was read.
    pub config: Option<String>,
    /// The values.
    pub values: Vec<InForce>,
    /// The fingerprint of the key of tokens.
    pub hash_key: Option<String>,
    /// Who told that key.
    pub hash_key_from: Option<String>,
}

impl Settings {
    /// What is in force when `config` was made of these settings.
    #[must_use]
    pub fn show(&self, config: &Config) -> Shown {
        let mut values = Vec::new();
        let mut add = |key: &[&str], value: Value| {
            let key: Vec<String> = key.iter().map(|part| (*part).to_owned()).collect();
            let from = self.origin_of(&key).unwrap_or("default").to_owned();
            values.push(InForce { key, value, from });
        };
        let path = |path: &std::path::Path| Value::from(shown(path));
        add(&["inputs"], config.inputs.iter().map(|input| path(input)).collect());
        add(&["output"], if config.out.as_os_str().is_empty() { Value::Null } else { path(&config.out) });
        add(&["base"], config.base.as_deref().map_or(Value::Null, path));
        add(&["mode"], config.mode.name().into());
        add(&["partition_by"], config.partitioning.to_string().into());
        add(&["compression"], config.codec.name().into());
        add(&["bloom_filter"], config.bloom_filter.into());
        add(&["keep_duplicates"], config.keep_duplicates.into());
        add(&["keep_going"], config.keep_going.into());
        add(&["quarantine_raw"], config.quarantine_raw.unwrap_or_default().name().into());
        add(&["limits", "max_quarantined"], config.max_quarantined.map_or(Value::Null, limit));
        add(&["limits", "threads"], config.threads.into());
        add(&["limits", "memory"], memory(config.memory));
        for (number, (source, settings)) in sources::ALL.iter().zip(&config.settings).enumerate() {
            let name = source.name();
            let forced = config.forced.iter().filter(|forced| forced.source == number);
            let globs: Vec<_> = forced.map(|f| f.pattern.as_ref().map_or("*", glob::Pattern::as_str)).collect();
            add(&["sources", name, "glob"], if globs.is_empty() { Value::Null } else { globs.into() });
            if !source.writes_currency() {
                let currency = settings.currency.as_ref().map(Currency::as_str);
                add(&["sources", name, "currency"], currency.into());
            }
            add(&["sources", name, "timezone"], settings.zone().name().into());
            for (word, state) in &settings.states {
                add(&["sources", name, "state", word], state.as_str().into());
            }
            for (word, classification) in &settings.classifications {
                add(&["sources", name, "classification", word], classification.as_str().into());
            }
        }
        let (section, file) = KEY_FILE.split_once('.').unwrap_or_default();
        let told = self.told.iter().find(|told| told.path == [section, file]);
        add(&[section, file], told.map_or(Value::Null, |told| path(told.texts[0].as_ref())));
        let drops_extra = config.personal.get("extra") == Rule::Drop;
        let members: Vec<_> = config.personal.members().filter(|_| !drops_extra).collect();
        // The members are a table of that name.
        for name in PersonalRules::names().filter(|name| members.is_empty() || *name != "extra") {
            add(&["personal", name], config.personal.get(name).as_str().into());
        }
        for (member, rule) in members {
            add(&["personal", "extra", member], rule.as_str().into());
        }
        let hash_key_from =
            self.told.iter().rfind(|told| told.path[..1] == [section] && told.path[1].starts_with("key"));
        Shown {
            config: self.file.as_deref().map(shown),
            values,
            hash_key: config.hash_key.as_ref().map(HashKey::fingerprint),
            hash_key_from: hash_key_from.map(|told| told.origin.clone()),
        }
    }
}

fn limit(limit: Limit) -> Value {
    match limit {
        Limit::Records(most) => most.into(),
        Limit::PartsPerMillion(parts) => {
            let percent = rust_decimal::Decimal::from(parts) / rust_decimal::Decimal::from(10_000);
            format!("{}%", percent.normalize()).into()
        }
    }
}

fn memory(bytes: u64) -> Value {
    let units = [(30, "GB"), (20, "MB"), (10, "KB")];
    let whole = units.iter().find(|(shift, _)| bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| bytes.into(), |(shift, unit)| format!("{}{unit}", bytes >> shift).into())
}

/// Lines of TOML with who told each; what is not set is a comment.
impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.config {
            Some(file) => writeln!(f, "# configuration: {file}")?,
            None => writeln!(f, "# configuration: none was read")?,
        }
        if let (Some(key), Some(from)) = (&self.hash_key, &self.hash_key_from) {
            writeln!(f, "# key of tokens: fingerprint {key}, from {from}")?;
        }
        for value in &self.values {
            let key: Vec<_> = value.key.iter().map(|part| bare(part)).collect();
            match &value.value {
                Value::Null => writeln!(f, "# {} is not set", key.join("."))?,
                set => writeln!(f, "{} = {set}  # {}", key.join("."), value.from)?,
            }
        }
        Ok(())
    }
}

/// A part of a key, in quotes where it needs them.
fn bare(part: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !part.is_empty() && part.chars().all(is_bare) { part.to_owned() } else { Value::from(part).to_string() }
}
