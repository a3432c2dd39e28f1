//! spacivox, "Payment transactions" of `GET /j/payment_transactions`.
//!
//! A bare array, no envelope. `amount` is decimal text in major units; the API names no currency. `state` is a number.

use super::record::{Documented, Record};
use super::{Mapped, Notes, Origin, Settings, Source, documented};
use crate::model::money::{Money, Unit};
use crate::model::reject::Reject;
use crate::model::transaction::{Amounts, Transaction};
use crate::model::vocabulary::{Classification, State};

#[derive(Debug)]
pub(super) struct Spacivox;

documented! {
    AMOUNT = "amount",
    CAMPAIGN = "campaign",
    ID = "id",
    JOB = "job",
    REFERENCE = "reference",
    STATE = "state",
    TEAM = "team",
    TIMESTAMP = "timestamp",
}

const ORIGINS: &[Origin] = &[
    ("transaction_id", &[&["id"]]),
    ("occurred_at", &[&["timestamp"]]),
    ("utc_offset_minutes", &[&["timestamp"]]),
    ("gross_amount", &[&["amount"]]),
    ("currency", &[]),
    ("amount_check", &[&["amount"]]),
    ("classification", &[]),
    ("state", &[&["state"]]),
    ("source_state", &[&["state"]]),
    ("reference", &[&["reference"]]),
    ("campaign_id", &[&["campaign"]]),
    ("job_id", &[&["job"]]),
    ("team_id", &[&["team"]]),
];

impl Source for Spacivox {
    fn name(&self) -> &'static str {
        "spacivox"
    }

    fn about(&self) -> &'static str {
        "payment transactions of crowd jobs, a bare array"
    }

    fn envelope(&self) -> Option<&'static str> {
        None
    }

    fn told_by(&self) -> &'static [&'static [&'static str]] {
        &[&["job", "team", "state", "timestamp"]]
    }

    fn documented(&self) -> &'static [Documented] {
        DOCUMENTED
    }

    fn origins(&self) -> &'static [Origin] {
        ORIGINS
    }

    /// The documented numbers; 0 is "started".
    fn state(&self, number: &str) -> Option<State> {
        match number {
            "0" => Some(State::Pending),
            "1" => Some(State::Succeeded),
            "2" => Some(State::Failed),
            _ => None,
        }
    }

    fn map<'a>(&self, record: &Record<'a>, settings: &Settings) -> Result<Mapped<'a>, Reject> {
        let id = record.key(ID)?;
        let time = record.time(TIMESTAMP, settings.zone())?.ok_or_else(|| record.no_time(TIMESTAMP))?;
        let (amount, noise_repaired) = record.amount(AMOUNT, Unit::Major)?;
        let gross = amount.map(|amount| Money { amount, currency: settings.currency });
        let source_state = record.number(STATE)?;
        let known = source_state.map(|word| settings.state(self, word));
        let row = Transaction {
            utc_offset_minutes: time.offset_minutes,
            reference: record.text(REFERENCE)?,
            campaign_id: record.id(CAMPAIGN)?,
            job_id: record.id(JOB)?,
            team_id: record.id(TEAM)?,
            source_state,
            extra: record.extra(),
            ..Transaction::new(
                self.name(),
                id,
                time.instant,
                Amounts::complete(gross, None, None)?,
                Classification::Payment,
                known.flatten().unwrap_or(State::Unknown),
            )
        };
        Ok(Mapped { row, notes: Notes { noise_repaired, unknown_state: known == Some(None), ..Notes::default() } })
    }
}
