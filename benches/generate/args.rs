//! Reads the command line.
//!
//! It opens nothing and refuses every flag it does not know. The surprising thing: `--size` is a wish, because the
//! number of records is all that decides the bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::files::{Layout, SHAPES};
use crate::records::{Order, Plan, START, Source};
use crate::text::{Civil, DAY};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Writes large, realistic dumps of five payment APIs. The same flags give the same bytes.

Usage: generate DIR (--size SIZE | --records N) [FLAG VALUE]...

  DIR                where to write <source>/<source>-00000.ndjson or .json; each <source> folder new or empty
  --size SIZE        about how much to write over all sources, as in 200MB or 1GB
  --records N        how many records to write over all sources, rounded up to equal shares
  --seed N           another world for each number [1]
  --sources LIST     all, or some of spacivox,onlinefundraising,twocloud,atpay,paydata [all]
  --shape SHAPE      one of those below [ndjson]
  --page-records N   records of a page [5000]
  --dump-records N   records of any other file [100000]
  --months N         months from 2023-01 on that the records spread over [24]
  --order ORDER      time: ascending with the files; random: anywhere [time]
  --duplicates N     of 1000 records, how many repeat an earlier one; half of them in a later version [0]
  --bad N            of 1000 records, how many are broken, in one of twelve ways [0]
  --unknown-words N  of 1000 records, how many have a state or class that the API does not list [0]

Shapes:
  ndjson             a record a line
  envelope           a page of the API in each file; a bare array for spacivox and atpay
  array              an array in each file
  concat             documents one after another, any white space or none between them
  single-array       all records of a source in one array on one line
  single-envelope    all in one page on one line, its other keys moved to the other side; atpay under `transactions`
  mixed              each file another of these, some pretty or with CRLF, BOM, blank lines, no last newline
";

/// Each flag with its default.
const FLAGS: [(&str, &str); 12] = [
    ("--size", ""),
    ("--records", ""),
    ("--seed", "1"),
    ("--sources", "all"),
    ("--shape", "ndjson"),
    ("--page-records", "5000"),
    ("--dump-records", "100000"),
    ("--months", "24"),
    ("--order", "time"),
    ("--duplicates", "0"),
    ("--bad", "0"),
    ("--unknown-words", "0"),
];

/// A whole command line.
#[derive(Debug)]
pub(crate) struct Args {
    /// Where to write.
    pub(crate) dir: PathBuf,
    /// How much to write.
    pub(crate) volume: Volume,
    /// What to write, in the order of [`Source::ALL`].
    pub(crate) sources: Vec<Source>,
    /// How the files look.
    pub(crate) layout: Layout,
    /// What decides the records, but for their number.
    pub(crate) plan: Plan,
}

/// How much to write, over all sources.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Volume {
    /// About so many bytes.
    Bytes(u64),
    /// At least so many records.
    Records(u64),
}

/// The parsed command line; none when help was asked for.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let mut dir = None;
    let defaults = FLAGS.map(|(flag, default)| (flag, default.to_owned()));
    let mut flags = Flags(BTreeMap::from(defaults));
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(None);
        } else if let Some(value) = flags.0.get_mut(word.as_str()) {
            *value = words.next().ok_or(format!("{word} needs a value"))?;
        } else if word.starts_with('-') {
            return Err(format!("unknown flag {word}"));
        } else if dir.replace(PathBuf::from(&word)).is_some() {
            return Err(format!("{word}: one folder only"));
        }
    }
    Ok(Some(Args {
        dir: dir.ok_or("no folder to write to")?,
        volume: flags.volume()?,
        sources: flags.sources()?,
        layout: flags.layout()?,
        plan: flags.plan()?,
    }))
}

/// The value of each flag.
struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    fn volume(&self) -> Result<Volume, String> {
        match (self.0["--size"].as_str(), self.0["--records"].as_str()) {
            ("", "") => Err("how much? give --size or --records".to_owned()),
            (size, "") => Ok(Volume::Bytes(bytes(size)?)),
            ("", _) => Ok(Volume::Records(self.number("--records", 1, 1 << 36)?)),
            _ => Err("give --size or --records, not both".to_owned()),
        }
    }

    fn sources(&self) -> Result<Vec<Source>, String> {
        let names = self.0["--sources"].as_str();
        let known = Source::ALL.map(Source::name);
        if let Some(name) = names.split(',').find(|name| *name != "all" && !known.contains(name)) {
            let known = known.join(",");
            return Err(format!("--sources {name}: all or some of {known} is wanted"));
        }
        let wanted = |source: &Source| names.split(',').any(|name| name == "all" || name == source.name());
        Ok(Source::ALL.into_iter().filter(wanted).collect())
    }

    fn layout(&self) -> Result<Layout, String> {
        let name = &self.0["--shape"];
        let shape = SHAPES.iter().find(|(known, _)| known == name);
        Ok(Layout {
            looks: shape.ok_or(format!("--shape {name}: see --help"))?.1,
            page_records: self.number("--page-records", 1, u64::MAX >> 8)?,
            dump_records: self.number("--dump-records", 1, u64::MAX >> 8)?,
        })
    }

    fn plan(&self) -> Result<Plan, String> {
        let order = match self.0["--order"].as_str() {
            "time" => Order::Time,
            "random" => Order::Random,
            other => return Err(format!("--order {other}: time or random is wanted")),
        };
        let bad = self.number("--bad", 0, 1000)?;
        Ok(Plan {
            seed: self.number("--seed", 0, u64::MAX)?,
            records: 0,
            span: span(self.number("--months", 1, 1200)?),
            order,
            // A tenth is left to repeat.
            duplicates: self.number("--duplicates", 0, 900_u64.saturating_sub(bad))?,
            bad,
            unknown_words: self.number("--unknown-words", 0, 1000)?,
        })
    }

    fn number(&self, flag: &str, least: u64, most: u64) -> Result<u64, String> {
        let text = self.0[flag].as_str();
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or(format!("{flag} {text}: a number from {least} to {most} is wanted"))
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|unit: char| !unit.is_ascii_digit());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => Some(1),
        "KB" => Some(1000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        _ => None,
    };
    let count: Option<u64> = digits.parse().ok();
    let size = count.zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    size.ok_or(format!("--size {text}: a size such as 200MB or 1GB is wanted"))
}

/// Milliseconds of the first `months` months.
fn span(months: u64) -> u64 {
    let end = Civil::new(START).months() + months;
    let days = (0..=31 * months).find(|days| Civil::new(START + days * DAY).months() == end);
    days.expect("a month has at most 31 days") * DAY
}
