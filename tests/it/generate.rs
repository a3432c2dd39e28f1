//! Makes dumps of every source in every shape, the same ones on every machine, with a bad record here and there and
//! some keys that come again.

use crate::harness::{gzip, zstd};

/// Small, quick and good enough to vary test data: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    /// JSON text of a string that a careless scanner would trip over.
    fn text(&mut self) -> &'static str {
        const TEXTS: [&str; 10] = [
            r#""tea""#,
            r#""{[""#,
            r#""caf\u00e9 \ud83d\ude00""#,
            r#""\"x\": {""#,
            r#""]},""#,
            r#""\\""#,
            r#""ü 😀""#,
            r#""a\nb""#,
            r#""""#,
            r#""a longer text, so that records do not all have nearly the same length""#,
        ];
        TEXTS[usize::try_from(self.below(10)).unwrap()]
    }

    fn time(&mut self) -> String {
        let (month, day) = (1 + self.below(5), 1 + self.below(28));
        format!("2021-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", self.below(24), self.below(60), self.below(60))
    }
}

/// One record of a source on one line; `number` makes its id.
fn record(source: &str, number: u64, dice: &mut Dice) -> String {
    // One key in thirty comes again, and one record in two hundred is bad.
    let id = if dice.below(30) == 0 { dice.below(number + 1) } else { number };
    let cents = if dice.below(200) == 0 { 12_345 } else { dice.below(100) };
    let amount = format!("{}.{cents:02}", dice.below(5000));
    let (time, text, small) = (dice.time(), dice.text(), dice.below(9));
    match source {
        "spacivox" => format!(
            r#"{{"amount":"{amount}","campaign":{small},"id":"s{id}","job":1,"reference":{text},"state":{},"team":2,"timestamp":"{time}"}}"#,
            dice.below(4)
        ),
        "onlinefundraising" => format!(
            r#"{{"transactionGuid":"o{id}","createdTs":"{time}","amount":{amount},"transactionType":"{}","note":{text}}}"#,
            ["Charge", "Refund", "Other"][usize::try_from(dice.below(3)).unwrap()]
        ),
        "twocloud" => format!(
            r#"{{"id":{id},"remote_id":"r{small}","amount":{cents},"message":{text},"created":"{time}","completed":{},"status":"succeeded","user_id":18446744073709551615}}"#,
            if small == 0 { "null".to_owned() } else { format!("\"{}\"", dice.time()) }
        ),
        "atpay" => format!(
            r#"{{"id":"a{id}","timestamp":{},"offer_name":{text},"amount":{amount},"net_amount":{}.719999999999999,"status":"Successful"}}"#,
            1_600_000_000 + dice.below(10_000_000),
            dice.below(100)
        ),
        "paydata" => format!(
            r#"{{"id":"p{id}","bookingDate":"{}","gross":{{"currency":"EUR","value":{amount}}},"fee":{{"value":0.30,"currency":"EUR"}},"paymentClassification":"Payment","bookingText":{text},"lastModifiedAt":"{time}","fields":{{"a":[{text},{{"b":{small}}}]}}}}"#,
            &time[..10]
        ),
        other => panic!("no records of {other}"),
    }
}

/// The key of a source's envelope in these dumps.
fn envelope(source: &str) -> &'static str {
    match source {
        "onlinefundraising" => "list",
        "twocloud" => "payments",
        _ => "transactions",
    }
}

/// Dumps of every source in seven shapes, each of about `size` bytes before compression: name and content.
pub(crate) fn dumps(size: usize) -> Vec<(String, Vec<u8>)> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut dumps = Vec::new();
    for source in paynorm::sources::ALL {
        let (source, mut number) = (source.name(), 0);
        for shape in ["array", "pretty", "lines", "crlf", "pages", "gzip", "zstd"] {
            let mut records = Vec::new();
            let mut length = 0;
            while length < size {
                records.push(record(source, number, &mut dice));
                length += records.last().unwrap().len();
                number += 1;
            }
            dumps.push((format!("{source}/{shape}"), shaped(shape, source, &records)));
        }
    }
    dumps
}

fn shaped(shape: &str, source: &str, records: &[String]) -> Vec<u8> {
    let half = records.len() / 2;
    match shape {
        "array" => format!("[{}]", records.join(",")).into_bytes(),
        "pretty" => format!("[\n  {}\n]\n", records.join(",\n  ")).into_bytes(),
        "lines" => {
            format!("{}\n{{\"id\":\"cut off\n{}\n", records[..half].join("\n"), records[half..].join("\n")).into()
        }
        "crlf" => format!("\u{feff}{}", records.join("\r\n\r\n")).into_bytes(),
        "pages" => records.chunks(50).map(|page| wrapped(source, page)).collect::<String>().into_bytes(),
        "gzip" => [gzip(records[..half].join("\n").as_bytes()), gzip(records[half..].join(" ").as_bytes())].concat(),
        "zstd" => [zstd(records[..half].join("\n").as_bytes()), zstd(records[half..].join("").as_bytes())].concat(),
        other => panic!("no shape {other}"),
    }
}

fn wrapped(source: &str, page: &[String]) -> String {
    format!("{{\"page\":{{\"a\":[1]}}, \"{}\":[{}], \"end\":null}}\n", envelope(source), page.join(", "))
}
