//! What a run is told, layer by layer: the defaults, `paynorm.toml`, the environment, the flags; the later layer wins.
//!
//! Every layer tells texts by key, and one function makes a [`Config`] of them, so a value means the same whoever tells
//! it, and a fault in it is named where it was said. The environment comes in as a function: nothing here looks it up. The
//! secret key of tokens is told by the environment or lies in a file of its own, never in a flag or in `paynorm.toml`.

mod file;
mod show;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::config::{Config, Forced, Limit, Mode};
use crate::load::parquet_file::Codec;
use crate::load::partition::Partitioning;
use crate::load::quarantine::RawTexts;
use crate::model::money::Currency;
use crate::model::paths::{escape_bytes, printable, shown};
use crate::model::personal::{HashKey, PersonalRules};
use crate::model::time::Zone;
use crate::model::vocabulary::{Classification, State};
use crate::sources;

/// A key that takes one value, or a list; the keys of sources and of personal data come besides.
struct Key {
    name: &'static str,
    /// The environment variable that tells it.
    variable: Option<&'static str>,
    /// Whether it is a path, or a list of paths, relative to the file that tells it.
    is_path: bool,
}

const KEYS: &[Key] = &[
    Key { name: "inputs", variable: None, is_path: true },
    Key { name: "output", variable: Some("PAYNORM_OUT"), is_path: true },
    Key { name: "base", variable: None, is_path: true },
    Key { name: "mode", variable: None, is_path: false },
    Key { name: "partition_by", variable: None, is_path: false },
    Key { name: "compression", variable: None, is_path: false },
    Key { name: "bloom_filter", variable: None, is_path: false },
    Key { name: "keep_duplicates", variable: None, is_path: false },
    Key { name: "keep_going", variable: None, is_path: false },
    Key { name: "quarantine_raw", variable: None, is_path: false },
    Key { name: "limits.max_quarantined", variable: None, is_path: false },
    Key { name: "limits.threads", variable: Some("PAYNORM_THREADS"), is_path: false },
    Key { name: "limits.memory", variable: Some("PAYNORM_MEMORY"), is_path: false },
    Key { name: KEY_FILE, variable: Some("PAYNORM_HASH_KEY_FILE"), is_path: true },
];

/// Keys of a source that take a value, and those that take a table of words.
const OF_SOURCE: [&str; 5] = ["glob", "currency", "timezone", "state", "classification"];
const KEY_FILE: &str = "personal.key_file";
/// The variable that holds the secret key itself.
const SECRET: &str = "PAYNORM_HASH_KEY";
/// The variable that names the configuration.
pub const CONFIG_VARIABLE: &str = "PAYNORM_CONFIG";

/// The layers, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    File,
    Environment,
    Flags,
}

/// A value that was told.
#[derive(Clone, Debug)]
struct Told {
    layer: Layer,
    /// The parts of the key, `sources`, `twocloud`, `state` and a word among them.
    path: Vec<String>,
    /// One text, or those of a list.
    texts: Vec<OsString>,
    /// Who told it: a place in a file, a variable, a flag.
    origin: String,
    /// How it was said, for messages.
    said: String,
}

impl Told {
    /// The text of a value that is no list.
    fn text(&self) -> Result<&str> {
        let [text] = &self.texts[..] else { bail!("expected one value") };
        text.to_str().context("expected UTF-8")
    }

    /// The one path.
    fn path(&self) -> Result<PathBuf> {
        match &self.texts[..] {
            [text] if !text.is_empty() => Ok(text.into()),
            _ => bail!("expected a path"),
        }
    }

    fn flag(&self) -> Result<bool> {
        self.text()?.parse().map_err(|_| anyhow!("expected true or false"))
    }
}

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    told: Vec<Told>,
    /// The configuration that was read.
    file: Option<PathBuf>,
}

/// Which configuration to read.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'a> {
    /// None.
    None,
    /// This one.
    Named(&'a Path),
    /// The one beside these inputs or in the current directory.
    Beside(&'a [PathBuf]),
}

impl Settings {
    /// What the configuration and the environment tell; `variable` looks a variable up.
    ///
    /// # Errors
    /// What is wrong with the configuration, and where.
    pub fn read(choice: Choice<'_>, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let file = match choice {
            Choice::None => None,
            Choice::Named(path) => Some(path.to_owned()),
            Choice::Beside(inputs) => match variable(CONFIG_VARIABLE) {
                Some(path) => Some(path.into()),
                None => file::find(inputs)?,
            },
        };
        let told = file.as_deref().map_or(Ok(Vec::new()), file::read)?;
        let mut settings = Self { told, file };
        for key in KEYS {
            if let Some((name, text)) = key.variable.and_then(|name| Some((name, variable(name)?))) {
                let said = format!("{name}={}", printable(&escape_bytes(&text)));
                let path = key.name.split('.').map(str::to_owned).collect();
                settings.tell(Told {
                    layer: Layer::Environment,
                    path,
                    texts: vec![text],
                    origin: name.to_owned(),
                    said,
                });
            }
        }
        if let Some(secret) = variable(SECRET) {
            let file =
                settings.told.iter().find(|told| told.layer == Layer::Environment && told.path.join(".") == KEY_FILE);
            if let Some(file) = file {
                bail!("{SECRET} and {} are both set; one key is enough", file.origin);
            }
            let path = vec!["personal".to_owned(), "key".to_owned()];
            let (origin, said) = (SECRET.to_owned(), SECRET.to_owned());
            settings.tell(Told { layer: Layer::Environment, path, texts: vec![secret], origin, said });
        }
        Ok(settings)
    }

    /// Takes what a flag says: `path` is the key, `said` the flag with its value.
    pub fn flag(&mut self, said: impl Into<String>, path: &[&str], text: impl AsRef<OsStr>) {
        let said = said.into();
        let origin = said.split(' ').next().unwrap_or_default().to_owned();
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.tell(Told { layer: Layer::Flags, path, texts: vec![text.as_ref().to_owned()], origin, said });
    }

    /// A later layer replaces what an earlier one says of a key; within one, a list grows and anything else is replaced.
    fn tell(&mut self, mut told: Told) {
        if let Some(at) = self.told.iter().position(|earlier| earlier.path == told.path) {
            let earlier = self.told.remove(at);
            if earlier.layer == told.layer && is_list(&told.path) {
                told.texts.splice(0..0, earlier.texts);
            }
        }
        self.told.push(told);
    }

    /// The configuration that all of it makes.
    ///
    /// # Errors
    /// What is wrong with a value, where it was said, and what would be right.
    pub fn config(&self) -> Result<Config> {
        let mut config = Config::new(Vec::new(), PathBuf::new());
        config.own_files.extend(self.file.clone());
        for told in &self.told {
            apply(&mut config, told).with_context(|| told.said.clone())?;
        }
        if config.inputs.iter().filter(|input| input.as_os_str() == "-").count() > 1 {
            bail!("standard input can be read only once");
        }
        Ok(config)
    }

    /// Who told the value of a key.
    fn origin_of(&self, path: &[String]) -> Option<&str> {
        self.told.iter().find(|told| told.path == path).map(|told| &*told.origin)
    }
}

fn is_list(path: &[String]) -> bool {
    matches!(path, [only] if only == "inputs") || matches!(path, [_, _, last] if last == "glob")
}

/// Sets in `config` what was told.
fn apply(config: &mut Config, told: &Told) -> Result<()> {
    let path: Vec<&str> = told.path.iter().map(String::as_str).collect();
    match path[..] {
        ["inputs"] => config.inputs = told.texts.iter().map(PathBuf::from).collect(),
        ["output"] => config.out = told.path()?,
        ["base"] => config.base = Some(told.path()?),
        ["mode"] => config.mode = Mode::parse(told.text()?).context("expected create, replace or merge")?,
        ["partition_by"] => {
            let texts: Option<Vec<&str>> = told.texts.iter().map(|text| text.to_str()).collect();
            config.partitioning = Partitioning::parse(&texts.context("expected UTF-8")?.join(","))?;
            config.adopt_partitioning = false;
        }
        ["compression"] => {
            config.codec = Codec::parse(told.text()?).context("expected zstd or snappy")?;
            config.adopt_codec = false;
        }
        ["bloom_filter"] => config.bloom_filter = told.flag()?,
        ["keep_duplicates"] => config.keep_duplicates = told.flag()?,
        ["keep_going"] => config.keep_going = told.flag()?,
        ["quarantine_raw"] => {
            config.quarantine_raw = Some(RawTexts::parse(told.text()?).context("expected keep or none")?);
        }
        ["limits", "max_quarantined"] => config.max_quarantined = Some(limit(told.text()?)?),
        ["limits", "threads"] => config.threads = threads(told.text()?)?,
        ["limits", "memory"] => config.memory = memory(told.text()?)?,
        ["personal", "key"] if told.layer == Layer::Environment => {
            config.hash_key = Some(secret(told.texts[0].as_bytes())?);
        }
        ["personal", "key_file"] if told.layer != Layer::Flags => {
            let path = told.path()?;
            config.hash_key = Some(secret(&read_key(&path)?)?);
            config.own_files.push(path);
        }
        ["personal", ref name @ ..] if !name.is_empty() => {
            let name = name.join(".");
            config.personal.set(&name, told.text()?).map_err(|what| anyhow!("{what}{}", rule_hint(&name)))?;
            config.adopt_personal = false;
        }
        ["sources", source, ref of @ ..] => apply_to_source(config, source, of, told)?,
        _ => bail!("{}", unknown_key(&told.path)),
    }
    Ok(())
}

fn apply_to_source(config: &mut Config, name: &str, path: &[&str], told: &Told) -> Result<()> {
    let number = source_number(name)?;
    let source = sources::ALL[number];
    let settings = &mut config.settings[number];
    match *path {
        ["glob"] => {
            for text in &told.texts {
                let text = text.to_str().context("expected UTF-8")?;
                let pattern = glob::Pattern::new(text).context("the pattern is not valid")?;
                // What is told for all dumps needs no look at their paths.
                config.forced.push(Forced { source: number, pattern: (text != "*").then_some(pattern) });
            }
        }
        ["currency"] => {
            let code = told.text()?;
            ensure!(!source.writes_currency(), "{name} has its own currency");
            let currency = Currency::parse(code);
            settings.currency =
                Some(currency.with_context(|| format!("{code:?} is no three-letter code such as EUR"))?);
        }
        ["timezone"] => {
            let zone = told.text()?;
            let hint = || format!("{zone:?} is no IANA time zone such as Europe/Zurich");
            settings.zone = Some(Zone::parse(zone).with_context(hint)?);
        }
        ["state", word] => {
            ensure!(has_words(number, "source_state"), "{name} writes no state: it is implied");
            let meaning = meaning(word, told.text()?, source.state(word).map(State::as_str), State::parse)?;
            settings.states.insert(word.to_owned(), meaning);
        }
        ["classification", word] => {
            ensure!(has_words(number, "source_classification"), "{name} writes no classification: it is implied");
            let known = source.classification(word).map(Classification::as_str);
            let meaning = meaning(word, told.text()?, known, Classification::parse)?;
            settings.classifications.insert(word.to_owned(), meaning);
        }
        _ => bail!("{}", unknown_key(&told.path)),
    }
    Ok(())
}

/// Whether a source writes words that the column keeps.
fn has_words(source: usize, column: &str) -> bool {
    sources::ALL[source].origins().iter().any(|(told, _)| *told == column)
}

/// What a user says that a word stands for; what a source documents stays as it is.
fn meaning<T: PartialEq + Copy>(
    word: &str,
    text: &str,
    known: Option<&str>,
    parse: fn(&str) -> Option<T>,
) -> Result<T> {
    ensure!(!word.is_empty(), "an empty word says nothing");
    if let Some(known) = known {
        bail!("the word is documented as {known}; only words that the source does not document can be told");
    }
    let meaning = parse(text).with_context(|| format!("{text:?} is no word of the unified schema"))?;
    ensure!(Some(meaning) != parse("unknown"), "a word that is not told is unknown already");
    Ok(meaning)
}

/// A key from its bytes; the line end of a file is no part of it.
fn secret(bytes: &[u8]) -> Result<HashKey> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    let too_short = || format!("the key is too short: at least {} bytes are needed", HashKey::LEAST);
    HashKey::new(&bytes[..end]).with_context(too_short)
}

/// Reads the key file, which nobody but its owner and its group may see.
fn read_key(path: &Path) -> Result<Vec<u8>> {
    const MOST: u64 = 4096;
    let metadata = fs::metadata(path).with_context(|| format!("can't read {}", shown(path)))?;
    ensure!(metadata.is_file(), "{} is no regular file", shown(path));
    let of_others = metadata.permissions().mode() & 0o007;
    ensure!(of_others == 0, "everybody may use {}; take the rights of others away: chmod 600", shown(path));
    ensure!(metadata.len() <= MOST, "{} is larger than a key: {MOST} bytes at most", shown(path));
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes).with_context(|| format!("can't read {}", shown(path)))?;
    Ok(bytes)
}

fn threads(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(0) => bail!("at least one thread is needed"),
        Ok(threads) => Ok(threads),
        Err(_) => bail!("expected a number of threads"),
    }
}

fn limit(text: &str) -> Result<Limit> {
    let wrong = || anyhow!("expected a number such as 100, or a share such as 0.5%");
    let Some(share) = text.strip_suffix('%') else { return Ok(Limit::Records(text.parse().map_err(|_| wrong())?)) };
    let share: rust_decimal::Decimal = share.trim().parse().map_err(|_| wrong())?;
    let parts = share.checked_mul(10_000.into()).and_then(|parts| u64::try_from(parts).ok()).ok_or_else(wrong)?;
    if parts > 1_000_000 { Err(wrong()) } else { Ok(Limit::PartsPerMillion(parts)) }
}

fn memory(text: &str) -> Result<u64> {
    const LEAST: u64 = 64 << 20;
    let wrong = || anyhow!("expected a size such as 512MB or 2GB, at least 64MB");
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match upper[digits.len()..].trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes >= LEAST).ok_or_else(wrong)
}

/// The number of the source with that name.
///
/// # Errors
/// When there is none, with the one that may be meant.
pub fn source_number(name: &str) -> Result<usize> {
    sources::number_of(name).ok_or_else(|| {
        let names: Vec<_> = sources::ALL.iter().map(|source| source.name()).collect();
        let hint = nearest(name, &names).map_or_else(|| names.join(", "), |near| format!("did you mean {near}?"));
        anyhow!("{name:?} is no known source\n  hint: {hint}")
    })
}

/// What may be meant by the name of a rule that there is none for.
fn rule_hint(name: &str) -> String {
    let names: Vec<_> = PersonalRules::names().chain(["key_file"]).collect();
    match nearest(name, &names) {
        Some(near) if near == name => String::new(),
        Some(near) => format!("\n  hint: did you mean {near}?"),
        None if name.starts_with("extra.") => String::new(),
        None => format!("\n  hint: rules are for {} and extra.MEMBER", names[..names.len() - 1].join(", ")),
    }
}

/// Says that there is no such key, and which one may be meant.
fn unknown_key(path: &[String]) -> String {
    let name = path.join(".");
    if name.starts_with("personal.key") {
        return format!("the key does not stand here: put it into a file and name that as {KEY_FILE}");
    }
    let known: Vec<String> = match path {
        [sources, source, ..] if sources == "sources" => {
            OF_SOURCE.iter().map(|of| format!("sources.{source}.{of}")).collect()
        }
        _ => KEYS
            .iter()
            .map(|key| key.name.to_owned())
            .chain(["limits", "sources", "personal"].map(str::to_owned))
            .collect(),
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let short = |known: &str| known.rsplit('.').next().unwrap_or_default().to_owned();
    let by_last: Vec<String> = known.iter().map(|known| short(known)).collect();
    let by_last: Vec<&str> = by_last.iter().map(String::as_str).collect();
    let near = nearest(&name, &known).map(str::to_owned).or_else(|| {
        let near = nearest(&short(&name), &by_last)?;
        known.iter().find(|known| short(known) == near).map(|known| (*known).to_owned())
    });
    let hint =
        near.map_or_else(|| format!("known keys are {}", known.join(", ")), |near| format!("did you mean {near}?"));
    format!("there is no such key\n  hint: {hint}")
}

/// The one of `known` that may be meant by `name`.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().min_by_key(|known| distance(known, name)).copied()?;
    let most = name.chars().count().saturating_sub(1).min(3);
    (distance(near, name) <= most).then_some(near)
}

/// Edit distance, for suggestions.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
