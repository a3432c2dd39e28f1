//! The records of the five sources, as their APIs write them.
//!
//! A record is a function of the plan, the source and its number alone; what came before it is not known here. It
//! writes compact JSON and no separators. The surprising thing: a repeated record is not remembered but made again
//! from its number, and a later version of it draws the same chances and only then differs.

use crate::rng::{Rng, mix, permute};
use crate::spoil::spoil;
use crate::text::Part::{Cents, Clock, Code, Date, Int, Millis, Padded, Short, Spelled, Text, Uuid};
use crate::text::{Civil, DAY, Part, bare, member, put, text};
use crate::words::{
    BOOKINGS, CAUSES, CLASSES, CODES, CURRENCIES, DOMAINS, ERRORS, EXTRAS, FAMILY, GATEWAYS, GIVEN, MESSAGES, PROVIDERS,
};

/// Milliseconds from 1970 to 2023, when every plan starts.
pub(crate) const START: u64 = 1_672_531_200_000;
/// From 2024 on twocloud names the provider.
const NAMES_PROVIDER: u64 = START + 365 * DAY;
/// How many people pay.
const PEOPLE: u64 = 200_000;

/// What a stream of chance is for.
const RECORD: u64 = 1;
const FATE: u64 = 2;
const WORD: u64 = 3;
const FAULT: u64 = 4;
const REPEAT: u64 = 5;

/// One of the five APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A bare array, amounts as text.
    Spacivox,
    /// Pages with a `list`, times with a blank before the offset.
    Onlinefundraising,
    /// Pages with `payments`, uint64 ids, whole cents.
    Twocloud,
    /// A bare array, Unix times, floating point dollars.
    Atpay,
    /// Pages with `transactions`, amounts with a currency.
    Paydata,
}

impl Source {
    /// Every source.
    pub(crate) const ALL: [Self; 5] = {
        use Source::{Atpay, Onlinefundraising, Paydata, Spacivox, Twocloud};
        [Spacivox, Onlinefundraising, Twocloud, Atpay, Paydata]
    };

    /// The name of the source.
    pub(crate) fn name(self) -> &'static str {
        ["spacivox", "onlinefundraising", "twocloud", "atpay", "paydata"][self as usize]
    }
}

/// How the records lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ascending with the record's number.
    Time,
    /// Anywhere.
    Random,
}

/// What decides every record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The world to draw from.
    pub(crate) seed: u64,
    /// Records of each source.
    pub(crate) records: u64,
    /// Milliseconds over which the records spread.
    pub(crate) span: u64,
    /// How they lie in it.
    pub(crate) order: Order,
    /// Records in a thousand that repeat an earlier one.
    pub(crate) duplicates: u64,
    /// Records in a thousand that are broken.
    pub(crate) bad: u64,
    /// Records in a thousand with a word outside the documented list.
    pub(crate) unknown_words: u64,
}

/// What becomes of a place in the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A record of its own.
    Plain,
    /// An earlier record once more, unchanged or in a later version.
    Repeat,
    /// A record that is broken.
    Bad,
}

impl Plan {
    /// Appends record `index` of a source.
    pub(crate) fn write(&self, source: Source, index: u64, out: &mut Vec<u8>) -> Fate {
        let key = mix(mix(self.seed).wrapping_add(source as u64));
        let fate = self.fate(key, index);
        if fate == Fate::Repeat {
            return self.repeat(key, index, source, out);
        }
        let start = out.len();
        self.draw(key, index).write(source, out);
        if fate == Fate::Bad {
            spoil(out, start, &mut Rng::new(key, index, FAULT));
        }
        fate
    }

    /// An earlier plain record, half of the time in its later version; a new record where there is none to repeat.
    fn repeat(&self, key: u64, index: u64, source: Source, out: &mut Vec<u8>) -> Fate {
        let mut rng = Rng::new(key, index, REPEAT);
        let earlier = rng.below(index + 1);
        let Some(origin) = (0..earlier).rev().find(|&at| self.fate(key, at) == Fate::Plain) else {
            self.draw(key, index).write(source, out);
            return Fate::Plain;
        };
        let mut draw = self.draw(key, origin);
        draw.later = rng.chance(500);
        draw.write(source, out);
        Fate::Repeat
    }

    fn fate(&self, key: u64, index: u64) -> Fate {
        match Rng::new(key, index, FATE).below(1000) {
            roll if roll < self.bad => Fate::Bad,
            roll if roll < self.bad + self.duplicates => Fate::Repeat,
            _ => Fate::Plain,
        }
    }

    fn draw(&self, key: u64, index: u64) -> Draw {
        let mut rng = Rng::new(key, index, RECORD);
        Draw {
            at: START + self.moment(index, &mut rng),
            odd_word: Rng::new(key, index, WORD).chance(self.unknown_words),
            later: false,
            rng,
            key,
            index,
        }
    }

    /// Milliseconds after the start.
    fn moment(&self, index: u64, rng: &mut Rng) -> u64 {
        let (span, records) = (u128::from(self.span), u128::from(self.records));
        let slot = |index: u64| (span * u128::from(index) / records) as u64;
        match self.order {
            Order::Time => slot(index) + rng.below(slot(index + 1) - slot(index)),
            Order::Random => rng.below(self.span),
        }
    }
}

/// One record while it is drawn.
#[derive(Debug)]
struct Draw {
    rng: Rng,
    key: u64,
    index: u64,
    /// When it took place, in milliseconds since 1970.
    at: u64,
    /// A later version of a record that was written before.
    later: bool,
    /// Its word is not in the documented list.
    odd_word: bool,
}

impl Draw {
    fn write(mut self, source: Source, out: &mut Vec<u8>) {
        // Drawn first, because a later version may draw more or less than the first.
        let (extended, extra) = (self.rng.chance(20), self.rng.pick(&EXTRAS));
        out.push(b'{');
        match source {
            Source::Spacivox => self.spacivox(out),
            Source::Onlinefundraising => self.onlinefundraising(out),
            Source::Twocloud => self.twocloud(out),
            Source::Atpay => self.atpay(out),
            Source::Paydata => self.paydata(out),
        }
        put(out, &[Text(if extended { extra } else { "" }), Text("}")]);
    }

    fn spacivox(&mut self, out: &mut Vec<u8>) {
        let state = self.rng.weighted(&[40, 900, 60]);
        let state = if self.later { [1, 2, 1][state] } else { state as u64 };
        let prefix = if self.rng.chance(50) { r"M\u00fcller-" } else { "" };
        text(out, "amount", &[Cents(self.donation())]);
        bare(out, "campaign", Int(self.rng.below(400) + 1));
        text(out, "id", &[self.guid(self.key)]);
        bare(out, "job", Int(self.rng.below(900_000) + 1));
        text(out, "reference", &[Text(prefix), Padded(self.rng.next(), 6)]);
        bare(out, "state", Int(if self.odd_word { 7 } else { state }));
        bare(out, "team", Int(self.rng.below(40) + 1));
        self.rfc3339(self.at, out, "timestamp");
    }

    fn onlinefundraising(&mut self, out: &mut Vec<u8>) {
        let refund = self.rng.chance(45);
        // A refund belongs to the payment of an earlier charge.
        let payment = self.index - u64::from(refund) * self.rng.below(self.index + 1);
        let gateway = self.rng.weighted(&[30, 30, 20, 12, 8]);
        let account = mix(gateway as u64 + 1);
        let payment = Uuid(permute(60, !self.key, payment), mix(!payment));
        let settled = self.at + u64::from(self.later) * (1000 + self.rng.below(3 * DAY));
        text(out, "transactionGuid", &[self.guid(self.key)]);
        central_european(self.at - self.rng.below(20_000), out, "createdTs");
        text(out, "paymentGuid", &[payment]);
        bare(out, "amount", Short(self.donation()));
        text(out, "paymentGatewayProvider", &[Text(GATEWAYS[gateway])]);
        text(out, "paymentGatewayGuid", &[Uuid(account, mix(account))]);
        let subscription = [self.code(12)];
        self.nullable(300, out, "paymentGatewaySubscriptionReferenceId", &subscription);
        text(out, "paymentGatewayPaymentReferenceId", &[self.code(12)]);
        central_european(settled, out, "transactionTs");
        let word = if refund { "Refund" } else { "Charge" };
        self.word(out, "transactionType", word, "Reversal");
        text(out, "paymentMethodAccountingCode", &[Text(self.rng.pick(&CODES))]);
        text(out, "chargeAttemptGuid", &[Uuid(self.rng.next(), self.rng.next())]);
        text(out, "paymentMethodGuid", &[Uuid(self.rng.next(), self.rng.next())]);
    }

    fn twocloud(&mut self, out: &mut Vec<u8>) {
        const WORDS: [&str; 4] = ["pending", "succeeded", "error", "retry"];
        let status = self.rng.weighted(&[40, 880, 60, 20]);
        let status = if self.later { [1, 2, 3, 1][status] } else { status };
        // Of the payments of others the API shows the public members only.
        let public = self.rng.chance(40) && status < 2 && !self.odd_word;
        let (user, anonymous) = (mix(self.payer()), self.rng.chance(120));
        let campaign = Int(mix(self.rng.below(500)));
        let (remote, provider) = (self.code(12), self.rng.pick(&PROVIDERS));
        bare(out, "id", Int(permute(64, self.key, self.index)));
        if !public {
            text(out, "remote_id", &[Text("fs_"), remote]);
        }
        bare(out, "amount", Int(self.donation().unsigned_abs()));
        let note = [Text(self.rng.pick(&MESSAGES))];
        self.nullable(350, out, "message", &note);
        self.rfc3339(self.at, out, "created");
        if matches!(status, 1 | 2) {
            let days = u64::from(self.later) * self.rng.below(3 * DAY);
            let settled = self.at + self.rng.below(90_000) + days;
            self.rfc3339(settled, out, "completed");
        } else {
            bare(out, "completed", Text("null"));
        }
        if public {
            return bare(out, "campaign", campaign);
        }
        bare(out, "user_id", if anonymous { Text("null") } else { Int(user) });
        bare(out, "funding_source_id", Int(mix(user)));
        bare(out, "anonymous", truth(anonymous));
        bare(out, "campaign", campaign);
        self.word(out, "status", WORDS[status], "disputed");
        let error = [Text(self.rng.pick(&ERRORS))];
        self.nullable(if status == 2 { 0 } else { 1000 }, out, "error", &error);
        if self.at >= NAMES_PROVIDER {
            text(out, "funding_source_provider", &[Text(provider)]);
        }
    }

    fn atpay(&mut self, out: &mut Vec<u8>) {
        const WORDS: [&str; 3] = ["Successful", "Failed", "Further Action Required"];
        let status = self.rng.weighted(&[910, 60, 30]);
        let status = if self.later { [1, 0, 0][status] } else { status };
        let (amount, cause) = (self.donation(), self.rng.pick(&CAUSES));
        let id = Code(permute(60, self.key, self.index), 12);
        text(out, "id", &[Text("txn_"), id, self.code(4)]);
        text(out, "date", &[Spelled(Civil::new(self.at))]);
        bare(out, "timestamp", Int(self.at / 1000));
        let dollars = [Text("Payment of $"), Cents(amount), Text(" to "), Text(cause)];
        let tickets = self.rng.below(9) + 1;
        let raffle = [Text("Spring raffle 🌷 – "), Int(tickets), Text(" tickets")];
        let regular = self.rng.chance(850);
        text(out, "offer_name", if regular { &dollars } else { &raffle });
        let address = email(self.payer());
        self.nullable(40, out, "email", &address);
        self.dollars(amount, out, "amount");
        if status == 0 {
            self.dollars(amount - fee(amount), out, "net_amount");
        } else if self.rng.chance(500) {
            bare(out, "net_amount", Text("null"));
        }
        self.word(out, "status", WORDS[status], "Under Review");
    }

    fn paydata(&mut self, out: &mut Vec<u8>) {
        let (class, _, outgoing) = CLASSES[self.rng.weighted(&CLASSES.map(|class| class.1))];
        let (day, valued) = (Civil::new(self.at), Civil::new(self.at + self.rng.below(4) * DAY));
        let id = [Code(permute(40, self.key, self.index), 8)];
        self.nullable(4, out, "id", &id);
        let booked = [Date(day), Text("T"), Clock(day), Millis(day)];
        // The same form all day long, so that dates alone stand in order.
        let dated = mix(self.at / DAY) % 10 < 7;
        text(out, "bookingDate", &booked[..if dated { 1 } else { 4 }]);
        self.nullable(50, out, "valueDate", &[Date(valued)]);
        self.gross_net_fee(outgoing, out);
        bare(out, "isBalanceRelevant", truth(self.rng.chance(930)));
        self.word(out, "paymentClassification", class, "Cashback");
        text(out, "transactionId", &[self.guid(!self.key)]);
        let (order, first, last) = (self.code(8), self.code(6), self.rng.below(10_000));
        let receipt = [Text("AB"), first, Text("-"), Padded(last, 4)];
        self.nullable(100, out, "orderNumber", &[order]);
        self.nullable(250, out, "receiptNumber", &receipt);
        let booking = [Text(self.rng.pick(&BOOKINGS)), Text(" "), Int(self.rng.below(100_000))];
        self.nullable(300, out, "bookingText", &booking);
        self.shopper(out);
        let created = self.at + self.rng.below(20_000_000);
        let days = u64::from(self.later) * (1 + self.rng.below(9));
        let modified = created + self.rng.below(60_000) + days * DAY;
        let zone = Text(if self.rng.chance(100) { "Z" } else { "" });
        for (key, ms) in [("createdAt", created), ("lastModifiedAt", modified)] {
            let at = Civil::new(ms);
            text(out, key, &[Date(at), Text("T"), Clock(at), Millis(at), zone]);
        }
        text(out, "reportId", &[Code(mix(self.at / DAY), 8)]);
        self.fields(class, out);
    }

    /// The three amounts of paydata: `gross - fee = net` for most, and the ways in which that can fail to show.
    fn gross_net_fee(&mut self, outgoing: bool, out: &mut Vec<u8>) {
        let (currency, _) = CURRENCIES[self.rng.weighted(&CURRENCIES.map(|currency| currency.1))];
        let unit = if currency == "JPY" { 100 } else { 1 };
        let amount = self.donation() * unit;
        let fee = u64::from(!self.rng.chance(100)).cast_signed() * (fee(amount) / unit * unit);
        let gross = if outgoing { -amount } else { amount };
        let mut other = currency;
        let mut amounts = [Some(gross), Some(gross - fee), Some(fee)];
        match self.rng.below(1000) {
            0..10 => amounts[0] = None,
            10..30 => amounts[1] = None,
            30..110 => amounts[2] = None,
            110..117 => amounts[1..].fill(None),
            117..147 => amounts[2] = Some(-fee),
            147..150 => amounts[1] = Some(gross - fee + unit),
            150..170 if currency != "USD" => other = "USD",
            _ => {}
        }
        for (key, currency, cents) in [("gross", currency, 0), ("net", other, 1), ("fee", other, 2)] {
            let Some(cents) = amounts[cents] else {
                bare(out, key, Text("null"));
                continue;
            };
            bare(out, key, Text("{"));
            text(out, "currency", &[Text(currency)]);
            bare(out, "value", Short(cents));
            out.push(b'}');
        }
    }

    fn shopper(&mut self, out: &mut Vec<u8>) {
        if self.rng.chance(200) {
            return bare(out, "shopper", Text("null"));
        }
        let payer = self.payer();
        let [given, family] = person(payer);
        bare(out, "shopper", Text("{"));
        text(out, "name", &[Text(given.0), Text(" "), Text(family.0)]);
        text(out, "email", &email(payer));
        self.nullable(300, out, "username", &[Text(family.1), Int(payer % 1000)]);
        text(out, "identifier", &[Text("c"), Padded(payer, 6)]);
        out.push(b'}');
    }

    fn fields(&mut self, class: &str, out: &mut Vec<u8>) {
        let empty = ["null", "{}", "{"][self.rng.weighted(&[20, 10, 70])];
        bare(out, "fields", Text(empty));
        if empty == "{" {
            let (order, payment) = (self.code(12), self.code(12));
            let id = [Text("PO"), order, Text("-PM"), payment, Text("-"), Text(class)];
            text(out, "uniqueId", &id);
            text(out, "reference2", &[Padded(self.rng.next(), 18)]);
            out.push(b'}');
        }
    }

    /// Adds a member that is null so many times in a thousand.
    fn nullable(&mut self, permille: u64, out: &mut Vec<u8>, key: &str, parts: &[Part<'_>]) {
        if self.rng.chance(permille) {
            bare(out, key, Text("null"));
        } else {
            text(out, key, parts);
        }
    }

    /// Adds a state or a classification.
    fn word(&self, out: &mut Vec<u8>, key: &str, word: &str, odd: &str) {
        text(out, key, &[Text(if self.odd_word { odd } else { word })]);
    }

    /// A UUID that no other record has under the same key.
    fn guid(&mut self, key: u64) -> Part<'static> {
        Uuid(permute(60, key, self.index), self.rng.next())
    }

    fn code(&mut self, chars: usize) -> Part<'static> {
        Code(self.rng.next(), chars)
    }

    /// Cents: mostly round and small, now and then large.
    fn donation(&mut self) -> i64 {
        let cents = match self.rng.below(100) {
            0 => self.rng.below(5_000_000) + 100,
            1..55 => self.rng.pick(&[500, 1000, 1500, 2000, 2500, 5000, 10_000, 25_000]),
            _ => self.rng.below(20_000) + 100,
        };
        cents.cast_signed()
    }

    /// Who pays; some pay often.
    fn payer(&mut self) -> u64 {
        self.rng.below(PEOPLE).min(self.rng.below(PEOPLE))
    }

    /// A time with or without a fraction, in UTC or elsewhere.
    fn rfc3339(&mut self, ms: u64, out: &mut Vec<u8>, key: &str) {
        let (zone, hours) = [("Z", 0), ("+01:00", 1), ("-05:00", -5)][self.rng.weighted(&[8, 1, 1])];
        let local = Civil::new(ms.wrapping_add_signed(hours * 3_600_000));
        let (millis, micros) = match self.rng.below(20) {
            0..5 => (Text(""), Text("")),
            5..7 => (Millis(local), Padded(self.rng.next(), 3)),
            _ => (Millis(local), Text("")),
        };
        let zone = Text(zone);
        text(out, key, &[Date(local), Text("T"), Clock(local), millis, micros, zone]);
    }

    /// Dollars with two digits, one in a thousand with the trace of a double just below or above.
    fn dollars(&mut self, cents: i64, out: &mut Vec<u8>, key: &str) {
        let noise = 15 - (1 + (cents / 100).max(1).ilog10() as usize);
        member(out, key);
        match self.rng.below(2000) {
            0 => put(out, &[Cents(cents), Padded(1 + self.rng.below(3), noise)]),
            1 => put(out, &[Cents(cents - 1), Text(&"999999999999999"[..noise])]),
            _ => put(out, &[Cents(cents)]),
        }
    }
}

/// What a provider takes: 2.9 % and 30 cents, never more than the amount.
fn fee(cents: i64) -> i64 {
    (cents * 29 / 1000 + 30).min(cents)
}

fn truth(value: bool) -> Part<'static> {
    Text(if value { "true" } else { "false" })
}

/// `2019-12-31 15:59:59 +0100`; summer time holds from April to October, to the month.
fn central_european(ms: u64, out: &mut Vec<u8>, key: &str) {
    let summer = (3..=9).contains(&(Civil::new(ms).months() % 12));
    let (hours, zone) = if summer { (2, " +0200") } else { (1, " +0100") };
    let local = Civil::new(ms + hours * 3_600_000);
    text(out, key, &[Date(local), Text(" "), Clock(local), Text(zone)]);
}

/// The given and the family name of a payer, each as JSON text and as it stands in an address.
fn person(payer: u64) -> [(&'static str, &'static str); 2] {
    let dice = mix(payer);
    [GIVEN[(dice & 7) as usize], FAMILY[(dice >> 3 & 7) as usize]]
}

fn email(payer: u64) -> [Part<'static>; 6] {
    let [(_, given), (_, family)] = person(payer);
    let (number, domain) = (Int(payer % 1000), DOMAINS[(payer & 3) as usize]);
    [Text(given), Text("."), Text(family), number, Text("@"), Text(domain)]
}
