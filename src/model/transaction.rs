//! The unified row, borrowed from the record it was read from, and the arithmetic that completes its amounts.

use super::money::{Amount, Money};
use super::reject::{Reason, Reject};
use super::time::{Date, Timestamp};
use super::vocabulary::{AmountCheck, Classification, State};

/// Text of a row: the exact characters after JSON unescaping. Empty text is never stored; it is `None`.
pub type Text<'a> = Option<&'a str>;

/// One transaction of one source, in the order of the unified schema. What each member means, and which may be null,
/// is told once, in [`columns`](super::columns).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the members are the columns, and `columns` documents each")]
pub struct Transaction<'a> {
    pub source: &'static str,
    pub transaction_id: &'a str,
    pub occurred_at: Timestamp,
    pub utc_offset_minutes: Option<i16>,
    pub amounts: Amounts,
    pub classification: Classification,
    pub state: State,
    pub source_classification: Text<'a>,
    pub source_state: Text<'a>,
    pub failure_reason: Text<'a>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub booking_date: Option<Date>,
    pub value_date: Option<Date>,
    pub reference: Text<'a>,
    pub receipt_number: Text<'a>,
    pub description: Text<'a>,
    pub payment_id: Text<'a>,
    pub payment_method_id: Text<'a>,
    pub charge_attempt_id: Text<'a>,
    pub provider: Text<'a>,
    pub provider_transaction_id: Text<'a>,
    pub provider_account_id: Text<'a>,
    pub provider_payment_method_id: Text<'a>,
    pub accounting_code: Text<'a>,
    pub campaign_id: Text<'a>,
    pub job_id: Text<'a>,
    pub team_id: Text<'a>,
    pub report_id: Text<'a>,
    pub payer_id: Text<'a>,
    pub payer_name: Text<'a>,
    pub payer_email: Text<'a>,
    pub payer_username: Text<'a>,
    pub is_anonymous: Option<bool>,
    pub is_balance_relevant: Option<bool>,
    pub extra: Text<'a>,
}

impl Transaction<'_> {
    /// A row that holds what every row must hold, and nothing else yet.
    #[must_use]
    pub fn new<'a>(
        source: &'static str,
        transaction_id: &'a str,
        occurred_at: Timestamp,
        amounts: Amounts,
        classification: Classification,
        state: State,
    ) -> Transaction<'a> {
        Transaction {
            source,
            transaction_id,
            occurred_at,
            utc_offset_minutes: None,
            amounts,
            classification,
            state,
            source_classification: None,
            source_state: None,
            failure_reason: None,
            created_at: None,
            updated_at: None,
            completed_at: None,
            booking_date: None,
            value_date: None,
            reference: None,
            receipt_number: None,
            description: None,
            payment_id: None,
            payment_method_id: None,
            charge_attempt_id: None,
            provider: None,
            provider_transaction_id: None,
            provider_account_id: None,
            provider_payment_method_id: None,
            accounting_code: None,
            campaign_id: None,
            job_id: None,
            team_id: None,
            report_id: None,
            payer_id: None,
            payer_name: None,
            payer_email: None,
            payer_username: None,
            is_anonymous: None,
            is_balance_relevant: None,
            extra: None,
        }
    }
}

/// Gross, net and fee, completed and checked: gross − fee = net, seen from the merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Before fees.
    pub gross: Option<Money>,
    /// After fees.
    pub net: Option<Money>,
    /// What the transaction cost; positive is a cost.
    pub fee: Option<Money>,
    /// How the three fit.
    pub check: AmountCheck,
}

impl Amounts {
    /// Completes what a source wrote: where exactly two amounts are present in one currency, the third is computed.
    ///
    /// # Errors
    /// `missing_amount` when there is none, `amount_out_of_range` when the computed one does not fit.
    pub fn complete(gross: Option<Money>, net: Option<Money>, fee: Option<Money>) -> Result<Self, Reject> {
        let derived = |amount: Option<Amount>, currency| match amount {
            Some(amount) => Ok(Some(Money { amount, currency })),
            None => Err(Reject::new(Reason::AmountOutOfRange, "the computed amount has more than 14 integer digits")),
        };
        let mut amounts = Self { gross, net, fee, check: AmountCheck::Derived };
        if amounts.mixed() {
            return Ok(Self { check: AmountCheck::MixedCurrency, ..amounts });
        }
        match (gross, net, fee) {
            (Some(gross), Some(net), Some(fee)) => {
                let balanced = gross.amount.minus(fee.amount) == Some(net.amount);
                amounts.check = if balanced { AmountCheck::Balanced } else { AmountCheck::Unbalanced };
            }
            (Some(gross), Some(net), None) => {
                amounts.fee = derived(gross.amount.minus(net.amount), gross.currency)?;
            }
            (Some(gross), None, Some(fee)) => {
                amounts.net = derived(gross.amount.minus(fee.amount), gross.currency)?;
            }
            (None, Some(net), Some(fee)) => {
                amounts.gross = derived(net.amount.plus(fee.amount), net.currency)?;
            }
            (None, None, None) => {
                return Err(Reject::new(Reason::MissingAmount, "the record has no gross, net or fee amount"));
            }
            _ => amounts.check = AmountCheck::Partial,
        }
        Ok(amounts)
    }

    /// The gross amount, or the first amount present.
    #[must_use]
    pub fn first(&self) -> Option<&Money> {
        self.gross.as_ref().or(self.net.as_ref()).or(self.fee.as_ref())
    }

    fn mixed(&self) -> bool {
        let mut currencies = [self.gross, self.net, self.fee].into_iter().flatten().map(|money| money.currency);
        let first = currencies.next();
        first.is_some_and(|first| currencies.any(|other| other != first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::Currency;

    #[allow(clippy::unnecessary_wraps, reason = "the amounts that it stands for are optional")]
    fn money(units: i64, code: &str) -> Option<Money> {
        Some(Money { amount: Amount::from_units(units).expect("in range"), currency: Currency::parse(code) })
    }

    fn check(gross: Option<Money>, net: Option<Money>, fee: Option<Money>) -> Result<Amounts, Reason> {
        Amounts::complete(gross, net, fee).map_err(|reject| reject.reason)
    }

    #[test]
    fn the_third_amount_is_computed() {
        let all = check(money(100, "EUR"), money(90, "EUR"), None).expect("fits");
        assert_eq!((all.fee, all.check), (money(10, "EUR"), AmountCheck::Derived));
        let all = check(money(100, "EUR"), None, money(10, "EUR")).expect("fits");
        assert_eq!((all.net, all.check), (money(90, "EUR"), AmountCheck::Derived));
        let all = check(None, money(90, ""), money(10, "")).expect("fits");
        assert_eq!((all.gross, all.check), (money(100, ""), AmountCheck::Derived));
    }

    #[test]
    fn amounts_are_checked_and_never_mixed() {
        let check_of = |g, n, f| check(g, n, f).map(|all| all.check);
        assert_eq!(check_of(money(100, "EUR"), money(90, "EUR"), money(10, "EUR")), Ok(AmountCheck::Balanced));
        assert_eq!(check_of(money(100, "EUR"), money(91, "EUR"), money(10, "EUR")), Ok(AmountCheck::Unbalanced));
        assert_eq!(check_of(money(100, "EUR"), money(90, "USD"), None), Ok(AmountCheck::MixedCurrency));
        assert_eq!(check_of(money(100, "EUR"), money(90, ""), None), Ok(AmountCheck::MixedCurrency));
        assert_eq!(check_of(None, None, money(1, "EUR")), Ok(AmountCheck::Partial));
        assert_eq!(check_of(None, None, None), Err(Reason::MissingAmount));
        let most = 999_999_999_999_999_999;
        assert_eq!(check_of(money(most, ""), money(-most, ""), None), Err(Reason::AmountOutOfRange));
    }
}
