//! The words that records are made of: names, notes and the vocabularies of the five APIs.
//!
//! Everything here is JSON text already, with escapes as some APIs write them. The surprising thing: a name stands
//! beside its ASCII form, because the e-mail address of `Zo\u00eb` begins with `zoe`.

/// Given names, as JSON text and as they stand in an address.
pub(crate) const GIVEN: [(&str, &str); 8] = [
    ("Marvin", "marvin"),
    ("Zoë", "zoe"),
    (r"Ren\u00e9e", "renee"),
    (r#"Anna \"Nan\""#, "nan"),
    ("李", "li"),
    ("Chloé 🌸", "chloe"),
    ("Thomas", "thomas"),
    ("Ольга", "olga"),
];

/// Family names, likewise.
pub(crate) const FAMILY: [(&str, &str); 8] = [
    ("Acme", "acme"),
    ("Müller", "mueller"),
    ("O'Neil", "oneil"),
    (r"Garc\u00eda", "garcia"),
    ("van den Berg", "vandenberg"),
    ("Jones", "jones"),
    (r"M\u00f8ller \/ Holm", "moeller"),
    ("Nowak", "nowak"),
];

/// Where mail goes; no address leads to a person.
pub(crate) const DOMAINS: [&str; 4] = ["example.org", "example.com", "example.net", "mail.example.com"];

/// Who receives donations.
pub(crate) const CAUSES: [&str; 6] = [
    "Harbor Food Bank",
    "Elm Street Library",
    r"\u00c9cole d'\u00c9t\u00e9",
    "Tierheim Süd",
    r#"\"Second Chance\" Shelter"#,
    "Trees & Bees 🐝",
];

/// What donors write.
pub(crate) const MESSAGES: [&str; 9] = [
    "Keep up the good work!",
    "In memory of my mother, who loved this place.",
    r"For the kids\nand their teachers",
    "Bon courage à toute l’équipe ❤️",
    r"Happy birthday \ud83c\udf82",
    r#"My boss said: \"match it\", so here it is."#,
    r"50\/50 with my sister\tand my brother",
    "がんばって！👍🏽",
    "",
];

/// Why a charge failed.
pub(crate) const ERRORS: [&str; 3] = ["card_declined", "insufficient_funds", "expired_card"];

/// Gateways of onlinefundraising.
pub(crate) const GATEWAYS: [&str; 5] = ["ePay", "Nets", "Stripe", "QuickPay", "MobilePay"];

/// Gateways of twocloud.
pub(crate) const PROVIDERS: [&str; 3] = ["stripe", "braintree", "dwolla"];

/// Accounting codes.
pub(crate) const CODES: [&str; 5] = ["donation", "membership", "event-2024", "legacy", "donation-monthly"];

/// Currencies, each with its weight.
pub(crate) const CURRENCIES: [(&str, u64); 5] = [("EUR", 55), ("CHF", 14), ("USD", 16), ("GBP", 10), ("JPY", 5)];

/// The nineteen classifications of paydata: the word, its weight, and whether the money goes out.
pub(crate) const CLASSES: [(&str, u64, bool); 19] = [
    ("Payment", 700, false),
    ("Refund", 70, true),
    ("ServiceFee", 50, true),
    ("Payout", 40, true),
    ("Donation", 30, false),
    ("Transfer", 20, true),
    ("Chargeback", 12, true),
    ("Purchase", 12, true),
    ("Adjustment", 10, false),
    ("Tax", 9, true),
    ("Reserve", 8, true),
    ("TemporaryHold", 8, true),
    ("CurrencyConversion", 8, false),
    ("ServiceFeeRefund", 6, false),
    ("PurchaseRefund", 5, false),
    ("CreditRepayment", 4, true),
    ("Review", 3, true),
    ("Unclassified", 3, false),
    ("Unknown", 2, false),
];

/// Booking texts of paydata.
pub(crate) const BOOKINGS: [&str; 5] = [
    "Online payment, thank you",
    "Zahlung für Bestellung",
    r"Paiement re\u00e7u",
    r#"Order of \"Marvin\" – express"#,
    r"Sammelauszahlung\nWoche",
];

/// Members that no API documents.
pub(crate) const EXTRAS: [&str; 5] = [
    r#","utm_source":"newsletter""#,
    r#","risk":{"score":0.137,"rules":["velocity",null,true,-2.5e3]}"#,
    r#","tags":["vip","Stammkunde ★"]"#,
    r#","trace":12345678901234567890123"#,
    r#","clé \u00e9trang\u00e8re":{"a":{"b":[]}}"#,
];
