//! Which directory a row belongs to. Keys are computed from a closed alphabet, never taken from a record's text, so no
//! record can name a path.

use std::fmt;

use anyhow::{Result, bail};

use crate::model::time::Timestamp;

/// One level of the partition directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `feed=<source>`
    Feed,
    /// `year=YYYY`
    Year,
    /// `month=YYYY-MM`
    Month,
    /// `day=YYYY-MM-DD`
    Day,
}

impl Level {
    /// The level with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "feed" => Some(Self::Feed),
            "year" => Some(Self::Year),
            "month" => Some(Self::Month),
            "day" => Some(Self::Day),
            _ => None,
        }
    }

    /// The name, as in flags and directories.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
        }
    }
}

/// Whether a directory of this name is a partition's.
#[must_use]
pub fn is_partition(directory: &str) -> bool {
    directory.split_once('=').is_some_and(|(level, _)| Level::parse(level).is_some())
}

/// The levels that a run partitions by, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitioning(pub Vec<Level>);

impl Default for Partitioning {
    fn default() -> Self {
        Self(vec![Level::Feed, Level::Month])
    }
}

impl Partitioning {
    /// Reads a list of levels as flags and manifests write it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let mut levels = Vec::new();
        for name in text.split(',') {
            let Some(level) = Level::parse(name.trim()) else {
                bail!("{name:?} is no level\n  hint: a list of feed, year, month, day; or none");
            };
            if levels.contains(&level) {
                bail!("{name} occurs twice");
            }
            levels.push(level);
        }
        Ok(Self(levels))
    }
}

impl fmt::Display for Partitioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|level| level.name()).collect();
        f.write_str(if names.is_empty() { "none".to_owned() } else { names.join(",") }.as_str())
    }
}

/// The partition of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionKey {
    /// Empty where no level asks for it.
    feed: &'static str,
    period: Period,
}

/// The year, month or day of a partition, as one number in the order of time; what no level asks for is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(u32);

impl Period {
    fn of(year: u32, month: u32, day: u32) -> Self {
        Self(year << 9 | month << 5 | day)
    }

    /// A number of its own, in the order of time.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    fn ymd(self) -> (u32, u32, u32) {
        (self.0 >> 9, self.0 >> 5 & 15, self.0 & 31)
    }
}

impl Partitioning {
    /// The partition of a row.
    #[must_use]
    pub fn key(&self, source: &'static str, occurred_at: Timestamp) -> PartitionKey {
        self.key_in(source, self.period(occurred_at.date().ymd()))
    }

    /// The period of a row by year, month and day in UTC: the rows that a source has in one are of one partition.
    #[must_use]
    pub fn period(&self, (year, month, day): (i32, u32, u32)) -> Period {
        let year = u32::try_from(year).expect("years 0001 to 9999");
        let mut period = Period(0);
        for level in &self.0 {
            period = period.max(match level {
                Level::Feed => Period(0),
                Level::Year => Period::of(year, 0, 0),
                Level::Month => Period::of(year, month, 0),
                Level::Day => Period::of(year, month, day),
            });
        }
        period
    }

    /// The partition of a source's rows in a period.
    #[must_use]
    pub fn key_in(&self, source: &'static str, period: Period) -> PartitionKey {
        PartitionKey { feed: if self.0.contains(&Level::Feed) { source } else { "" }, period }
    }

    /// The directory of a partition, relative to the dataset; empty when there are no levels.
    #[must_use]
    pub fn directory(&self, key: &PartitionKey) -> String {
        let (year, month, day) = key.period.ymd();
        let part = |level: &Level| match level {
            Level::Feed => format!("feed={}", key.feed),
            Level::Year => format!("year={year:04}"),
            Level::Month => format!("month={year:04}-{month:02}"),
            Level::Day => format!("day={year:04}-{month:02}-{day:02}"),
        };
        self.0.iter().map(part).collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_follow_the_levels() {
        let time = Timestamp::from_unix("1420070399").expect("2014-12-31T23:59:59Z");
        for (levels, directory) in [
            (vec![Level::Feed, Level::Month], "feed=atpay/month=2014-12"),
            (vec![Level::Year, Level::Feed, Level::Day], "year=2014/feed=atpay/day=2014-12-31"),
            (vec![], ""),
        ] {
            let partitioning = Partitioning(levels);
            assert_eq!(partitioning.directory(&partitioning.key("atpay", time)), directory);
        }
    }
}
