//! onlinefundraising, `GET /transactions` and `GET /transaction/{guid}`.
//!
//! Records under `list`. `amount` is an unsigned number in major units without a currency, so a refund gets its minus
//! here. Times are `2019-12-31 15:59:59 +0100`. A transaction is an executed charge or refund: the state is implied.

use super::record::{Documented, Record};
use super::{Mapped, Notes, Origin, Settings, Source, documented};
use crate::model::money::{Money, Unit};
use crate::model::reject::Reject;
use crate::model::transaction::{Amounts, Transaction};
use crate::model::vocabulary::{Classification, State};

#[derive(Debug)]
pub(super) struct Onlinefundraising;

documented! {
    ID = "transactionGuid",
    CREATED = "createdTs",
    PAYMENT = "paymentGuid",
    AMOUNT = "amount",
    PROVIDER = "paymentGatewayProvider",
    ACCOUNT = "paymentGatewayGuid",
    SUBSCRIPTION = "paymentGatewaySubscriptionReferenceId",
    PROVIDER_PAYMENT = "paymentGatewayPaymentReferenceId",
    TIME = "transactionTs",
    TYPE = "transactionType",
    ACCOUNTING = "paymentMethodAccountingCode",
    ATTEMPT = "chargeAttemptGuid",
    METHOD = "paymentMethodGuid",
}

/// The type decides the sign of the amount.
const ORIGINS: &[Origin] = &[
    ("transaction_id", &[&["transactionGuid"]]),
    ("occurred_at", &[&["transactionTs"], &["createdTs"]]),
    ("utc_offset_minutes", &[&["transactionTs"], &["createdTs"]]),
    ("gross_amount", &[&["amount", "transactionType"], &["amount"]]),
    ("currency", &[]),
    ("amount_check", &[&["amount"]]),
    ("classification", &[&["transactionType"]]),
    ("state", &[]),
    ("source_classification", &[&["transactionType"]]),
    ("created_at", &[&["createdTs"]]),
    ("payment_id", &[&["paymentGuid"]]),
    ("payment_method_id", &[&["paymentMethodGuid"]]),
    ("charge_attempt_id", &[&["chargeAttemptGuid"]]),
    ("provider", &[&["paymentGatewayProvider"]]),
    ("provider_transaction_id", &[&["paymentGatewayPaymentReferenceId"]]),
    ("provider_account_id", &[&["paymentGatewayGuid"]]),
    ("provider_payment_method_id", &[&["paymentGatewaySubscriptionReferenceId"]]),
    ("accounting_code", &[&["paymentMethodAccountingCode"]]),
];

impl Source for Onlinefundraising {
    fn name(&self) -> &'static str {
        "onlinefundraising"
    }

    fn about(&self) -> &'static str {
        "charges and refunds of donations, pages with the records under `list`"
    }

    fn envelope(&self) -> Option<&'static str> {
        Some("list")
    }

    fn told_by(&self) -> &'static [&'static [&'static str]] {
        &[&["transactionGuid"]]
    }

    fn documented(&self) -> &'static [Documented] {
        DOCUMENTED
    }

    fn origins(&self) -> &'static [Origin] {
        ORIGINS
    }

    fn classification(&self, word: &str) -> Option<Classification> {
        match word {
            "Charge" => Some(Classification::Payment),
            "Refund" => Some(Classification::Refund),
            _ => None,
        }
    }

    fn map<'a>(&self, record: &Record<'a>, settings: &Settings) -> Result<Mapped<'a>, Reject> {
        let id = record.key(ID)?;
        let created = record.time(CREATED, settings.zone())?;
        let time = record.time(TIME, settings.zone())?.or(created).ok_or_else(|| record.no_time(TIME))?;
        let word = record.word(TYPE)?;
        let known = word.map(|word| settings.classification(self, word));
        let classification = known.flatten().unwrap_or(Classification::Unknown);
        let (amount, noise_repaired) = record.amount(AMOUNT, Unit::Major)?;
        let gross = amount.map(|amount| Money {
            amount: if takes_back(classification) { amount.outgoing() } else { amount },
            currency: settings.currency,
        });
        let row = Transaction {
            utc_offset_minutes: time.offset_minutes,
            source_classification: word.filter(|word| !word.is_empty()),
            created_at: created.map(|time| time.instant),
            payment_id: record.id(PAYMENT)?,
            payment_method_id: record.id(METHOD)?,
            charge_attempt_id: record.id(ATTEMPT)?,
            provider: record.text(PROVIDER)?,
            provider_transaction_id: record.id(PROVIDER_PAYMENT)?,
            provider_account_id: record.id(ACCOUNT)?,
            provider_payment_method_id: record.id(SUBSCRIPTION)?,
            accounting_code: record.text(ACCOUNTING)?,
            extra: record.extra(),
            ..Transaction::new(
                self.name(),
                id,
                time.instant,
                Amounts::complete(gross, None, None)?,
                classification,
                State::Succeeded,
            )
        };
        let unknown_classification = known == Some(None);
        Ok(Mapped { row, notes: Notes { noise_repaired, unknown_classification, ..Notes::default() } })
    }
}

/// Whether money goes back to the payer; there is no word for a chargeback unless a user tells one.
fn takes_back(classification: Classification) -> bool {
    matches!(classification, Classification::Refund | Classification::Chargeback)
}
