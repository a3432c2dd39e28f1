//! @Pay, the Transaction Reporting endpoint.
//!
//! A bare array; `transactions` is accepted as an envelope. `amount` and `net_amount` are dollars as floating point
//! numbers, and the fee is what lies between. `timestamp` is Unix seconds; `date` tells the same instant for people, so
//! it goes to `extra` and counts only where `timestamp` is missing.

use super::record::{Documented, Record};
use super::{Mapped, Notes, Origin, Settings, Source, documented};
use crate::model::money::{Currency, Money, Unit};
use crate::model::reject::{Reason, Reject};
use crate::model::time::Timestamp;
use crate::model::transaction::{Amounts, Transaction};
use crate::model::vocabulary::{Classification, State};

#[derive(Debug)]
pub(super) struct Atpay;

documented! {
    ID = "id",
    DATE = "date" in extra,
    TIMESTAMP = "timestamp",
    OFFER = "offer_name",
    EMAIL = "email",
    AMOUNT = "amount",
    NET = "net_amount",
    STATUS = "status",
}

const ORIGINS: &[Origin] = &[
    ("transaction_id", &[&["id"]]),
    ("occurred_at", &[&["timestamp"], &["date"]]),
    ("utc_offset_minutes", &[&["timestamp"], &["date"]]),
    ("gross_amount", &[&["amount"]]),
    ("net_amount", &[&["net_amount"]]),
    ("fee_amount", &[&["amount", "net_amount"]]),
    ("currency", &[]),
    ("net_currency", &[]),
    ("fee_currency", &[]),
    ("amount_check", &[&["amount", "net_amount"], &["amount"], &["net_amount"]]),
    ("classification", &[]),
    ("state", &[&["status"]]),
    ("source_state", &[&["status"]]),
    ("description", &[&["offer_name"]]),
    ("payer_email", &[&["email"]]),
];

impl Source for Atpay {
    fn name(&self) -> &'static str {
        "atpay"
    }

    fn about(&self) -> &'static str {
        "@Pay transactions in dollars with the net amount, a bare array or under `transactions`"
    }

    fn envelope(&self) -> Option<&'static str> {
        Some("transactions")
    }

    fn writes_currency(&self) -> bool {
        true
    }

    fn told_by(&self) -> &'static [&'static [&'static str]] {
        &[&["offer_name"], &["net_amount"]]
    }

    fn documented(&self) -> &'static [Documented] {
        DOCUMENTED
    }

    fn origins(&self) -> &'static [Origin] {
        ORIGINS
    }

    fn state(&self, word: &str) -> Option<State> {
        match word {
            "Successful" => Some(State::Succeeded),
            "Failed" => Some(State::Failed),
            "Further Action Required" => Some(State::RequiresAction),
            _ => None,
        }
    }

    fn map<'a>(&self, record: &Record<'a>, settings: &Settings) -> Result<Mapped<'a>, Reject> {
        let id = record.key(ID)?;
        let (occurred_at, utc_offset_minutes) = occurred_at(record, settings)?;
        let (gross, gross_noise) = record.amount(AMOUNT, Unit::Major)?;
        let (net, net_noise) = record.amount(NET, Unit::Major)?;
        let dollars = |amount| Money { amount, currency: Some(Currency::USD) };
        let word = record.word(STATUS)?;
        let known = word.map(|word| settings.state(self, word));
        let row = Transaction {
            utc_offset_minutes,
            source_state: word.filter(|word| !word.is_empty()),
            description: record.text(OFFER)?,
            payer_email: record.text(EMAIL)?,
            extra: record.extra(),
            ..Transaction::new(
                self.name(),
                id,
                occurred_at,
                Amounts::complete(gross.map(dollars), net.map(dollars), None)?,
                Classification::Payment,
                known.flatten().unwrap_or(State::Unknown),
            )
        };
        let notes =
            Notes { noise_repaired: gross_noise || net_noise, unknown_state: known == Some(None), ..Notes::default() };
        Ok(Mapped { row, notes })
    }
}

/// The instant of `timestamp`, or of `date` where that is missing, and the offset that `date` tells.
fn occurred_at(record: &Record<'_>, settings: &Settings) -> Result<(Timestamp, Option<i16>), Reject> {
    if let Some(seconds) = record.number_or_text(TIMESTAMP)? {
        record.text(DATE)?;
        let instant = Timestamp::from_unix(seconds).ok_or_else(|| record.bad_time(TIMESTAMP))?;
        return Ok((instant, None));
    }
    // A date that is no time is as good as none: what is missing then is the timestamp.
    match record.time(DATE, settings.zone()) {
        Ok(Some(date)) => Ok((date.instant, date.offset_minutes)),
        Err(reject) if reject.reason != Reason::BadTimestamp => Err(reject),
        Ok(None) | Err(_) => Err(record.no_time(TIMESTAMP)),
    }
}
