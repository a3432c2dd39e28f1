//! The closed word lists of the unified schema: what a transaction is, how far it is, and how its amounts fit.

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants stand for fixed words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in schema order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word as it stands in the data.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The variant that `word` stands for.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// What kind of transaction it is, in paydata's nineteen words.
    Classification {
        /// A word outside the source's documented list.
        Unknown = "unknown",
        /// Money that a payer paid.
        Payment = "payment",
        /// Money given back to a payer.
        Refund = "refund",
        /// Money taken back by a payer's bank.
        Chargeback = "chargeback",
        /// Money that the merchant spent.
        Purchase = "purchase",
        /// Money that the merchant got back for a purchase.
        PurchaseRefund = "purchase_refund",
        /// What the provider charges.
        ServiceFee = "service_fee",
        /// What the provider gives back of its charges.
        ServiceFeeRefund = "service_fee_refund",
        /// Money moved between accounts.
        Transfer = "transfer",
        /// Money paid out to the merchant's bank.
        Payout = "payout",
        /// Money held for a while.
        TemporaryHold = "temporary_hold",
        /// Money held for a review.
        Review = "review",
        /// Money held as a reserve.
        Reserve = "reserve",
        /// One side of a change of currency.
        CurrencyConversion = "currency_conversion",
        /// Repayment of a credit.
        CreditRepayment = "credit_repayment",
        /// Tax.
        Tax = "tax",
        /// A correction.
        Adjustment = "adjustment",
        /// A donation.
        Donation = "donation",
        /// What the provider itself does not classify.
        Unclassified = "unclassified",
    }
}

words! {
    /// How far a transaction is.
    State {
        /// Under way.
        Pending = "pending",
        /// Waits for the payer.
        RequiresAction = "requires_action",
        /// Done.
        Succeeded = "succeeded",
        /// Did not happen.
        Failed = "failed",
        /// A word or number outside the source's documented list.
        Unknown = "unknown",
    }
}

impl State {
    /// Whether nothing is expected to follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

words! {
    /// How the amounts of a transaction fit together.
    AmountCheck {
        /// Gross, net and fee are present in one currency and gross − fee = net.
        Balanced = "balanced",
        /// Gross, net and fee are present in one currency and gross − fee ≠ net.
        Unbalanced = "unbalanced",
        /// Two were present in one currency, the third was computed.
        Derived = "derived",
        /// One was present.
        Partial = "partial",
        /// The amounts are in different currencies.
        MixedCurrency = "mixed_currency",
    }
}
