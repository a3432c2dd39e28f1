//! A dataset keeps what was told of the sources: what is added to it is read the same way, but where something else is told.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

use super::earlier::Earlier;
use crate::config::Config;
use crate::load::manifest::SettingsFacts;
use crate::model::money::Currency;
use crate::model::paths::{printable, shown};
use crate::model::time::Zone;
use crate::model::vocabulary::{Classification, State};
use crate::sources::{self, Settings};

impl Earlier {
    /// Gives the configuration the dataset's settings of the sources, where it does not tell its own.
    ///
    /// # Errors
    /// When the dataset tells what can't be told.
    pub(super) fn adapt_settings(&self, config: &mut Config) -> Result<()> {
        for (name, facts) in &self.manifest.settings {
            let damaged = |what: &str| {
                anyhow!("the manifest of {} is damaged: settings.{}{what}", shown(&config.out), printable(name))
            };
            let number = sources::number_of(name).ok_or_else(|| damaged(" is of no known source"))?;
            let there = settings(facts).map_err(damaged)?;
            let told = std::mem::take(&mut config.settings[number]);
            config.settings[number] = told.or(there);
        }
        Ok(())
    }
}

/// The settings that a manifest tells; else which of them is none.
fn settings(facts: &SettingsFacts) -> Result<Settings, &'static str> {
    let currency = facts.currency.as_deref().map(|code| Currency::parse(code).ok_or(".currency is no currency"));
    let zone = facts.timezone.as_deref().map(|name| Zone::parse(name).ok_or(".timezone is no time zone"));
    Ok(Settings {
        currency: currency.transpose()?,
        zone: zone.transpose()?,
        states: words(&facts.state, State::parse).ok_or(".state has a word that stands for no state")?,
        classifications: words(&facts.classification, Classification::parse)
            .ok_or(".classification has a word that stands for no classification")?,
    })
}

fn words<T>(facts: &BTreeMap<String, String>, parse: fn(&str) -> Option<T>) -> Option<BTreeMap<String, T>> {
    facts.iter().map(|(word, meaning)| Some((word.clone(), parse(meaning)?))).collect()
}
