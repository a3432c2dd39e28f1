//! The one table of columns. Schema, field ids, builders, data dictionary and encodings derive from here.
//!
//! Order, names, types and meaning are the contract of schema version 1: whoever changes one raises [`VERSION`].

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::cells::Filling;
use super::money::{Amount, Currency, Money, PRECISION};
use super::time::{Date, Timestamp};
use super::transaction::Transaction;

/// The version of the unified schema.
pub const VERSION: u32 = 1;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// An exact decimal of 18 digits, 4 of them behind the point.
    Amount,
    /// Microseconds since 1970, UTC.
    Time,
    /// Days since 1970.
    Date,
    /// True or false.
    Flag,
    /// A 16-bit integer.
    Small,
    /// A 64-bit integer.
    Large,
}

impl Kind {
    /// The Arrow type.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Amount => DataType::Decimal128(PRECISION, 4),
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Flag => DataType::Boolean,
            Self::Small => DataType::Int16,
            Self::Large => DataType::Int64,
        }
    }

    /// The type as the data dictionary writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Amount => "decimal(18,4)",
            Self::Time => "timestamp[us, UTC]",
            Self::Date => "date",
            Self::Flag => "boolean",
            Self::Small => "int16",
            Self::Large => "int64",
        }
    }
}

/// How the values of a column tend to be, which decides how Parquet stores them; of texts, a row group's own are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Values {
    /// From a closed list, often the same throughout: behind a dictionary nothing is left to compress.
    Few,
    /// Few different ones: a dictionary pays.
    Words,
    /// Nearly every one is different: a dictionary costs.
    Unique,
}

/// One column of the unified schema.
#[derive(Debug)]
pub struct Column {
    /// Its place, from 1; also the Parquet field id.
    pub number: i32,
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// How its values tend to be.
    pub values: Values,
    /// Whether it may identify a person.
    pub personal: bool,
    /// What it means.
    pub doc: &'static str,
}

/// A row and where it was read: what the columns are filled from.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// The row.
    pub row: &'a Transaction<'a>,
    /// The dump's path as lineage writes it.
    pub source_file: &'a str,
    /// The offset of the record's first byte in the decompressed dump.
    pub source_offset: i64,
    /// Where it begins and ends in its chunk.
    pub record: (usize, usize),
}

/// Declares the table and, from it, what takes rows apart into columns. `Word` is text that is always one of our own words,
/// `Code` a currency.
macro_rules! columns {
    ($($number:literal $name:ident $kind:ident $null:ident $values:ident $personal:ident $doc:literal |$p:ident| $get:expr;)+) => {
        /// Every column, in order.
        pub const COLUMNS: &[Column] = &[$(Column {
            number: $number,
            name: stringify!($name),
            kind: columns!(@kind $kind),
            nullable: columns!(@null $null),
            values: Values::$values,
            personal: columns!(@personal $personal),
            doc: $doc,
        }),+];

        impl Filling {
            /// Adds a row of a chunk, where its texts stand as far as they were not changed.
            pub fn push(&mut self, row: &Placed<'_>, chunk: &[u8]) {
                let mut line = self.line(chunk, row.record);
                $({
                    let $p = row;
                    columns!(@put $kind line, $number - 1, columns!(@value $kind $get));
                })+
                line.end();
            }
        }
    };
    (@kind Word) => { Kind::Text };
    (@kind Code) => { Kind::Text };
    (@kind $kind:ident) => { Kind::$kind };
    (@null null) => { true };
    (@null required) => { false };
    (@personal personal) => { true };
    (@personal plain) => { false };
    (@put Word $line:ident, $number:expr, $value:expr) => { $line.word($number, $value) };
    (@put Code $line:ident, $number:expr, $value:expr) => { $line.code($number, $value) };
    (@put Text $line:ident, $number:expr, $value:expr) => { $line.text($number, $value) };
    (@put $kind:ident $line:ident, $number:expr, $value:expr) => { $line.number($number, $value) };
    (@value Word $get:expr) => { $get };
    (@value Text $get:expr) => { $get };
    (@value Code $get:expr) => { $get };
    (@value Amount $get:expr) => { $get.map(Amount::units) };
    (@value Time $get:expr) => { $get.map(Timestamp::micros) };
    (@value Date $get:expr) => { $get.map(|date: Date| i64::from(date.days())) };
    (@value Large $get:expr) => { $get };
    (@value $small:ident $get:expr) => { $get.map(i64::from) };
}

columns! {
    1 source Word required Few plain "the source that the transaction was read from" |p| p.row.source;
    2 transaction_id Text required Unique plain "the source's own id; (source, transaction_id) is the key" |p| Some(p.row.transaction_id);
    3 occurred_at Time required Unique plain "when the transaction took place; decides the partition" |p| Some(p.row.occurred_at);
    4 utc_offset_minutes Small null Few plain "the UTC offset written for occurred_at; null when none was written" |p| p.row.utc_offset_minutes;
    5 gross_amount Amount null Unique plain "amount before fees, in major units" |p| amount(p.row.amounts.gross);
    6 net_amount Amount null Unique plain "amount after fees" |p| amount(p.row.amounts.net);
    7 fee_amount Amount null Unique plain "what the transaction cost; positive is a cost, negative a fee returned" |p| amount(p.row.amounts.fee);
    8 currency Code null Few plain "ISO 4217 code of the gross amount, or of the first amount present" |p| currency(p.row.amounts.first());
    9 net_currency Code null Few plain "ISO 4217 code of the net amount" |p| currency(p.row.amounts.net.as_ref());
    10 fee_currency Code null Few plain "ISO 4217 code of the fee" |p| currency(p.row.amounts.fee.as_ref());
    11 amount_check Word required Few plain "balanced, unbalanced, derived, partial or mixed_currency" |p| p.row.amounts.check.as_str();
    12 classification Word required Few plain "what kind of transaction it is" |p| p.row.classification.as_str();
    13 state Word required Few plain "pending, requires_action, succeeded, failed or unknown" |p| p.row.state.as_str();
    14 source_classification Text null Words plain "the source's own word for the classification" |p| p.row.source_classification;
    15 source_state Text null Words plain "the source's own word or number for the state; null when it is implied" |p| p.row.source_state;
    16 failure_reason Text null Words plain "why the transaction failed, in the source's words" |p| p.row.failure_reason;
    17 created_at Time null Unique plain "when the source created the record" |p| p.row.created_at;
    18 updated_at Time null Unique plain "when the source last changed the record" |p| p.row.updated_at;
    19 completed_at Time null Unique plain "when the transaction was completed" |p| p.row.completed_at;
    20 booking_date Date null Words plain "the calendar date on which the provider booked it" |p| p.row.booking_date;
    21 value_date Date null Words plain "the calendar date from which the money counts" |p| p.row.value_date;
    22 reference Text null Unique plain "the merchant's own reference or order number" |p| p.row.reference;
    23 receipt_number Text null Unique plain "the number of the receipt" |p| p.row.receipt_number;
    24 description Text null Unique plain "what the source says of the transaction" |p| p.row.description;
    25 payment_id Text null Unique plain "the payment that the transaction belongs to" |p| p.row.payment_id;
    26 payment_method_id Text null Unique plain "the payer's means of payment" |p| p.row.payment_method_id;
    27 charge_attempt_id Text null Unique plain "the attempt to charge that made the transaction" |p| p.row.charge_attempt_id;
    28 provider Text null Words plain "the payment gateway" |p| p.row.provider;
    29 provider_transaction_id Text null Unique plain "the gateway's id of the transaction" |p| p.row.provider_transaction_id;
    30 provider_account_id Text null Words plain "the merchant's account at the gateway" |p| p.row.provider_account_id;
    31 provider_payment_method_id Text null Unique plain "the gateway's id of the means of payment" |p| p.row.provider_payment_method_id;
    32 accounting_code Text null Words plain "the merchant's accounting code" |p| p.row.accounting_code;
    33 campaign_id Text null Words plain "the campaign" |p| p.row.campaign_id;
    34 job_id Text null Words plain "the job" |p| p.row.job_id;
    35 team_id Text null Words plain "the team" |p| p.row.team_id;
    36 report_id Text null Words plain "the provider's report that lists the transaction" |p| p.row.report_id;
    37 payer_id Text null Unique personal "the source's id of the payer" |p| p.row.payer_id;
    38 payer_name Text null Unique personal "the payer's name" |p| p.row.payer_name;
    39 payer_email Text null Unique personal "the payer's e-mail address" |p| p.row.payer_email;
    40 payer_username Text null Unique personal "the payer's user name" |p| p.row.payer_username;
    41 is_anonymous Flag null Few plain "whether the payer asked not to be named" |p| p.row.is_anonymous;
    42 is_balance_relevant Flag null Few plain "whether the transaction changes the balance" |p| p.row.is_balance_relevant;
    43 extra Text null Unique plain "a JSON object of every member that no column takes, text as in the source" |p| p.row.extra;
    44 source_file Text required Words plain "path of the dump, relative to the base directory" |p| Some(p.source_file);
    45 source_offset Large required Unique plain "byte offset of the record in the decompressed dump" |p| Some(p.source_offset);
}

/// The place of `transaction_id`, from 0.
pub const TRANSACTION_ID: usize = 1;

/// The Arrow schema: every column with its Parquet field id.
#[must_use]
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |column: &Column| {
            #[allow(clippy::disallowed_types, reason = "it has one entry, and Arrow asks for it")]
            let id = std::collections::HashMap::from([("PARQUET:field_id".to_owned(), column.number.to_string())]);
            Field::new(column.name, column.kind.data_type(), column.nullable).with_metadata(id)
        };
        Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
    });
    SCHEMA.clone()
}

fn amount(money: Option<Money>) -> Option<Amount> {
    money.map(|money| money.amount)
}

fn currency(money: Option<&Money>) -> Option<[u8; 3]> {
    money.and_then(|money| money.currency).map(Currency::code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_numbered_from_one_in_order() {
        assert_eq!(COLUMNS.len(), 45);
        for (i, column) in COLUMNS.iter().enumerate() {
            assert_eq!(usize::try_from(column.number).expect("small"), i + 1, "{}", column.name);
        }
        assert_eq!(COLUMNS[TRANSACTION_ID].name, "transaction_id");
    }
}
