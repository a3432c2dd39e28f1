//! paydata, `GetTransactionsResponse`.
//!
//! Records under `transactions`, beside `pagination`. Amounts are objects of a currency and a signed double, each
//! nullable. What surprises is the fee: some providers' fees come with the other sign, so a fee that only fits when
//! added is negated. What `gross`, `net`, `fee` and `shopper` hold beyond the documented goes to `extra` under their name.

use super::record::{Documented, Record};
use super::{Mapped, Notes, Origin, Settings, Source, documented};
use crate::model::money::{Money, Unit};
use crate::model::reject::Reject;
use crate::model::transaction::{Amounts, Transaction};
use crate::model::vocabulary::{Classification, State};

#[derive(Debug)]
pub(super) struct Paydata;

documented! {
    ID = "id",
    BOOKING_DATE = "bookingDate",
    VALUE_DATE = "valueDate",
    GROSS = "gross" of ["currency", "value"],
    NET = "net" of ["currency", "value"],
    FEE = "fee" of ["currency", "value"],
    BALANCE_RELEVANT = "isBalanceRelevant",
    CLASSIFICATION = "paymentClassification",
    PROVIDER_TRANSACTION = "transactionId",
    ORDER_NUMBER = "orderNumber",
    RECEIPT_NUMBER = "receiptNumber",
    BOOKING_TEXT = "bookingText",
    SHOPPER = "shopper" of ["name", "email", "username", "identifier"],
    CREATED = "createdAt",
    MODIFIED = "lastModifiedAt",
    REPORT = "reportId",
    FIELDS = "fields" in extra,
}

/// An amount that the record lacks is computed from the other two. A currency counts where its amount is there; without one
/// it is that of the amounts that this one is computed from, or the configured one. Of a fee the other two may turn the
/// sign.
const ORIGINS: &[Origin] = &[
    ("transaction_id", &[&["id"], &["transactionId"]]),
    ("occurred_at", &[&["bookingDate"], &["createdAt"]]),
    ("utc_offset_minutes", &[&["bookingDate"], &["createdAt"]]),
    ("gross_amount", &[&["gross.value"], &["net.value", "fee.value"]]),
    ("net_amount", &[&["net.value"], &["gross.value", "fee.value"]]),
    ("fee_amount", &[&["fee.value"], &["gross.value", "net.value"]]),
    (
        "currency",
        &[
            &["gross.value", "gross.currency"],
            &["gross.value"],
            &["net.value", "net.currency"],
            &["net.value"],
            &["fee.value", "fee.currency"],
            &["fee.value"],
        ],
    ),
    (
        "net_currency",
        &[&["net.value", "net.currency"], &["net.value"], &["gross.value", "gross.currency"], &["gross.value"]],
    ),
    (
        "fee_currency",
        &[&["fee.value", "fee.currency"], &["fee.value"], &["gross.value", "gross.currency"], &["gross.value"]],
    ),
    (
        "amount_check",
        &[
            &["gross.value", "net.value", "fee.value"],
            &["gross.value", "net.value"],
            &["gross.value", "fee.value"],
            &["net.value", "fee.value"],
            &["gross.value"],
            &["net.value"],
            &["fee.value"],
        ],
    ),
    ("classification", &[&["paymentClassification"]]),
    ("state", &[]),
    ("source_classification", &[&["paymentClassification"]]),
    ("created_at", &[&["createdAt"]]),
    ("updated_at", &[&["lastModifiedAt"]]),
    ("booking_date", &[&["bookingDate"]]),
    ("value_date", &[&["valueDate"]]),
    ("reference", &[&["orderNumber"]]),
    ("receipt_number", &[&["receiptNumber"]]),
    ("description", &[&["bookingText"]]),
    ("provider_transaction_id", &[&["transactionId"]]),
    ("report_id", &[&["reportId"]]),
    ("payer_id", &[&["shopper.identifier"]]),
    ("payer_name", &[&["shopper.name"]]),
    ("payer_email", &[&["shopper.email"]]),
    ("payer_username", &[&["shopper.username"]]),
    ("is_balance_relevant", &[&["isBalanceRelevant"]]),
];

impl Source for Paydata {
    fn name(&self) -> &'static str {
        "paydata"
    }

    fn about(&self) -> &'static str {
        "booked transactions of many providers with fees, pages with the records under `transactions`"
    }

    fn envelope(&self) -> Option<&'static str> {
        Some("transactions")
    }

    fn told_by(&self) -> &'static [&'static [&'static str]] {
        &[&["paymentClassification"], &["isBalanceRelevant"], &["bookingDate"]]
    }

    fn documented(&self) -> &'static [Documented] {
        DOCUMENTED
    }

    fn origins(&self) -> &'static [Origin] {
        ORIGINS
    }

    /// The documented words.
    fn classification(&self, word: &str) -> Option<Classification> {
        Some(match word {
            "Unknown" => Classification::Unknown,
            "Payment" => Classification::Payment,
            "Refund" => Classification::Refund,
            "Chargeback" => Classification::Chargeback,
            "Purchase" => Classification::Purchase,
            "PurchaseRefund" => Classification::PurchaseRefund,
            "ServiceFee" => Classification::ServiceFee,
            "ServiceFeeRefund" => Classification::ServiceFeeRefund,
            "Transfer" => Classification::Transfer,
            "Payout" => Classification::Payout,
            "TemporaryHold" => Classification::TemporaryHold,
            "Review" => Classification::Review,
            "Reserve" => Classification::Reserve,
            "CurrencyConversion" => Classification::CurrencyConversion,
            "CreditRepayment" => Classification::CreditRepayment,
            "Tax" => Classification::Tax,
            "Adjustment" => Classification::Adjustment,
            "Donation" => Classification::Donation,
            "Unclassified" => Classification::Unclassified,
            _ => return None,
        })
    }

    fn map<'a>(&self, record: &Record<'a>, settings: &Settings) -> Result<Mapped<'a>, Reject> {
        let provider_transaction_id = record.id(PROVIDER_TRANSACTION)?;
        let id = match record.id(ID)? {
            Some(id) => id,
            None => provider_transaction_id.map_or_else(|| record.key(ID), Ok)?,
        };
        let created = record.time(CREATED, settings.zone())?;
        let booked = record.time(BOOKING_DATE, settings.zone())?;
        let time = booked.or(created).ok_or_else(|| record.no_time(BOOKING_DATE))?;
        let mut notes = Notes::default();
        let mut money = |number| money(record, number, settings, &mut notes);
        let (gross, net, fee) = (money(GROSS)?, money(NET)?, money(FEE)?);
        let fee = match (gross, net, fee) {
            (Some(gross), Some(net), Some(fee)) if fee_is_added(gross, net, fee) => {
                notes.fee_negated = true;
                Some(Money { amount: fee.amount.negated(), ..fee })
            }
            _ => fee,
        };
        let word = record.word(CLASSIFICATION)?;
        let known = word.map(|word| settings.classification(self, word));
        notes.unknown_classification = known == Some(None);
        record.expect_object(FIELDS)?;
        let mut row = Transaction {
            utc_offset_minutes: time.offset_minutes,
            source_classification: word.filter(|word| !word.is_empty()),
            created_at: created.map(|time| time.instant),
            updated_at: record.time(MODIFIED, settings.zone())?.map(|time| time.instant),
            booking_date: booked.map(|time| time.date),
            value_date: record.date(VALUE_DATE)?,
            reference: record.text(ORDER_NUMBER)?,
            receipt_number: record.text(RECEIPT_NUMBER)?,
            description: record.text(BOOKING_TEXT)?,
            provider_transaction_id,
            report_id: record.id(REPORT)?,
            is_balance_relevant: record.flag(BALANCE_RELEVANT)?,
            ..Transaction::new(
                self.name(),
                id,
                time.instant,
                Amounts::complete(gross, net, fee)?,
                known.flatten().unwrap_or(Classification::Unknown),
                State::Succeeded,
            )
        };
        if let Some(shopper) = record.object(SHOPPER)? {
            row.payer_name = shopper.text(0)?;
            row.payer_email = shopper.text(1)?;
            row.payer_username = shopper.text(2)?;
            row.payer_id = shopper.id(3)?;
        }
        row.extra = record.extra();
        Ok(Mapped { row, notes })
    }
}

/// An amount object; an absent or null `value` is no amount, whatever its currency.
fn money(record: &Record<'_>, number: usize, settings: &Settings, notes: &mut Notes) -> Result<Option<Money>, Reject> {
    let Some(object) = record.object(number)? else { return Ok(None) };
    let (amount, repaired) = object.amount(1, Unit::Major)?;
    let money = match amount {
        Some(amount) => Some(Money { amount, currency: object.currency(0)?.or(settings.currency) }),
        None => None,
    };
    notes.noise_repaired |= repaired;
    Ok(money)
}

/// Whether gross + fee = net holds and gross − fee = net does not, all in one currency.
fn fee_is_added(gross: Money, net: Money, fee: Money) -> bool {
    let one_currency = gross.currency == net.currency && net.currency == fee.currency;
    let holds = |fee| gross.amount.minus(fee) == Some(net.amount);
    one_currency && holds(fee.amount.negated()) && !holds(fee.amount)
}
