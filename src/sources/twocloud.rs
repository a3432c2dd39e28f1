//! twocloud, the Payment resource of `GET /payments` and its siblings.
//!
//! Records under `payments`. `amount` is in US cents. Ids are unsigned 64-bit integers, kept digit by digit. The public
//! view has no `status`; what is shown there is pending or succeeded, told by `completed`.

use super::record::{Documented, Record};
use super::{Mapped, Notes, Origin, Settings, Source, documented};
use crate::model::money::{Currency, Money, Unit};
use crate::model::reject::Reject;
use crate::model::transaction::{Amounts, Transaction};
use crate::model::vocabulary::{Classification, State};

#[derive(Debug)]
pub(super) struct Twocloud;

documented! {
    ID = "id",
    REMOTE = "remote_id",
    AMOUNT = "amount",
    MESSAGE = "message",
    CREATED = "created",
    COMPLETED = "completed",
    USER = "user_id",
    FUNDING_SOURCE = "funding_source_id",
    PROVIDER = "funding_source_provider",
    ANONYMOUS = "anonymous",
    CAMPAIGN = "campaign",
    STATUS = "status",
    ERROR = "error",
}

const ORIGINS: &[Origin] = &[
    ("transaction_id", &[&["id"]]),
    ("occurred_at", &[&["created"]]),
    ("utc_offset_minutes", &[&["created"]]),
    ("gross_amount", &[&["amount"]]),
    ("currency", &[]),
    ("amount_check", &[&["amount"]]),
    ("classification", &[]),
    ("state", &[&["status"], &["completed"]]),
    ("source_state", &[&["status"]]),
    ("failure_reason", &[&["error"]]),
    ("created_at", &[&["created"]]),
    ("completed_at", &[&["completed"]]),
    ("description", &[&["message"]]),
    ("payment_method_id", &[&["funding_source_id"]]),
    ("provider", &[&["funding_source_provider"]]),
    ("provider_payment_method_id", &[&["remote_id"]]),
    ("campaign_id", &[&["campaign"]]),
    ("payer_id", &[&["user_id"]]),
    ("is_anonymous", &[&["anonymous"]]),
];

impl Source for Twocloud {
    fn name(&self) -> &'static str {
        "twocloud"
    }

    fn about(&self) -> &'static str {
        "payments and donations in US cents, pages with the records under `payments`"
    }

    fn envelope(&self) -> Option<&'static str> {
        Some("payments")
    }

    fn writes_currency(&self) -> bool {
        true
    }

    fn told_by(&self) -> &'static [&'static [&'static str]] {
        &[&["remote_id"], &["funding_source_id"], &["created", "campaign"]]
    }

    fn documented(&self) -> &'static [Documented] {
        DOCUMENTED
    }

    fn origins(&self) -> &'static [Origin] {
        ORIGINS
    }

    /// The documented words; `retry` waits to be charged again.
    fn state(&self, word: &str) -> Option<State> {
        match word {
            "pending" | "retry" => Some(State::Pending),
            "succeeded" => Some(State::Succeeded),
            "error" => Some(State::Failed),
            _ => None,
        }
    }

    fn map<'a>(&self, record: &Record<'a>, settings: &Settings) -> Result<Mapped<'a>, Reject> {
        let id = record.key(ID)?;
        let created = record.time(CREATED, settings.zone())?.ok_or_else(|| record.no_time(CREATED))?;
        let completed = record.time(COMPLETED, settings.zone())?;
        let (amount, noise_repaired) = record.amount(AMOUNT, Unit::Cents)?;
        let gross = amount.map(|amount| Money { amount, currency: Some(Currency::USD) });
        let word = record.word(STATUS)?;
        let known = word.map(|word| settings.state(self, word));
        let implied = if completed.is_some() { State::Succeeded } else { State::Pending };
        let row = Transaction {
            utc_offset_minutes: created.offset_minutes,
            source_state: word.filter(|word| !word.is_empty()),
            failure_reason: record.text(ERROR)?,
            created_at: Some(created.instant),
            completed_at: completed.map(|time| time.instant),
            description: record.text(MESSAGE)?,
            payment_method_id: record.id(FUNDING_SOURCE)?,
            provider: record.text(PROVIDER)?,
            provider_payment_method_id: record.id(REMOTE)?,
            campaign_id: record.id(CAMPAIGN)?,
            payer_id: record.id(USER)?,
            is_anonymous: record.flag(ANONYMOUS)?,
            extra: record.extra(),
            ..Transaction::new(
                self.name(),
                id,
                created.instant,
                Amounts::complete(gross, None, None)?,
                Classification::Payment,
                known.map_or(implied, |state| state.unwrap_or(State::Unknown)),
            )
        };
        Ok(Mapped { row, notes: Notes { noise_repaired, unknown_state: known == Some(None), ..Notes::default() } })
    }
}
