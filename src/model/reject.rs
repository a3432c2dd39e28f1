//! Why a record is not in the data: the closed list of reasons, and a reject with its field.
//!
//! Bad data is a value, never an error of the program. A message says what is wrong and what helps, and never holds a
//! value of a record.

use std::borrow::Cow;
use std::ops::Deref;

/// Declares the reasons with their codes and remedies.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $remedy:literal;)+) => {
        /// Why a record, or a whole dump, is in quarantine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code that stands in the quarantine and in reports.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// What a person can do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)+
                }
            }
        }
    };
}

reasons! {
    /// The text is no JSON.
    InvalidJson = "invalid_json", "fetch the page again; the text at this place is no JSON";
    /// Nested deeper than 128 levels.
    TooDeep = "too_deep", "a record may nest 128 levels deep; look at what the API returned";
    /// Larger than 64 MiB.
    RecordTooLarge = "record_too_large", "a record may have 64 MiB; look at what the API returned";
    /// The dump ends inside a record or a document.
    TruncatedInput = "truncated_input", "the dump was cut; fetch it again";
    /// The compressed dump is damaged.
    CorruptCompression = "corrupt_compression", "the compressed file is damaged or cut; fetch or compress it again";
    /// Invalid UTF-8 or a lone surrogate.
    InvalidUnicode = "invalid_unicode", "the text is no valid Unicode; fetch it again as UTF-8";
    /// A key occurs twice in one object.
    DuplicateKey = "duplicate_key", "one of the two values would be lost; ask the API's maker which one holds";
    /// A member holds another JSON type than the API documents.
    WrongType = "wrong_type", "the API changed or the dump was edited; compare with the API's page";
    /// No id.
    MissingId = "missing_id", "a record without an id can't be told from another";
    /// No amount at all.
    MissingAmount = "missing_amount", "a transaction needs a gross, net or fee amount";
    /// An amount that is no number.
    BadAmount = "bad_amount", "an amount is a JSON number, or a string in the same grammar";
    /// More than four digits after the point.
    AmountTooPrecise = "amount_too_precise", "at most 4 digits after the point are kept, and nothing is rounded";
    /// More than 14 digits before the point.
    AmountOutOfRange = "amount_out_of_range", "at most 14 digits before the point fit";
    /// A currency that is not three letters.
    BadCurrency = "bad_currency", "a currency is a three-letter ISO 4217 code";
    /// A time or date that can't be read, or none.
    BadTimestamp = "bad_timestamp", "see the time rules in the README; set --timezone where a source writes local times";
    /// An API's error body or an HTML page saved as a dump.
    ApiErrorPage = "api_error_page", "the API answered with an error; fetch this page again";
    /// JSON that is no dump of any known source.
    UnknownFormat = "unknown_format", "see `paynorm sources`; name the source with --source if it is one of them";
    /// The dump changed while it was read.
    InputChanged = "input_changed", "the file changed while it was read; run again when nothing writes to it";
    /// The dump could not be read.
    UnreadableInput = "unreadable_input", "check the file's permissions and the disk";
}

/// Why a record gives no row. The place is known to whoever read the record.
///
/// Few records are rejected, so it is a pointer: what a function returns beside it costs less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject(Box<Why>);

/// What is told of a reject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The kind of fault.
    pub reason: Reason,
    /// The member at fault, where it is one (`gross.value`).
    pub field: Option<Cow<'static, str>>,
    /// What is wrong, without any value of the record.
    pub message: Cow<'static, str>,
}

impl Reject {
    /// A reject for the whole record.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Why { reason, field: None, message: message.into() }.into()
    }

    /// A reject for one member.
    pub fn of(reason: Reason, field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Why { reason, field: Some(field.into()), message: message.into() }.into()
    }
}

impl From<Why> for Reject {
    fn from(why: Why) -> Self {
        Self(Box::new(why))
    }
}

impl Deref for Reject {
    type Target = Why;

    fn deref(&self) -> &Why {
        &self.0
    }
}
