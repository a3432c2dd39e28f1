//! Markup that no text can become part of: what is markup is written in the program, and everything else goes through one
//! function that escapes it.

use crate::model::paths::acts;
use crate::model::sum::Sum;
use crate::report::text::{grouped, grouped_decimal};

/// Longer names are shown by their beginning and end.
const MAX_NAME: usize = 120;
/// Characters of the end.
const END: usize = 30;

/// Text as it may stand anywhere in HTML and SVG, in quotes too: what could act as markup is escaped, and characters that
/// can't be seen or turn the writing around are named.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if acts(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= MAX_NAME {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(MAX_NAME - END - 1).collect();
    let end: String = text.chars().skip(count - END).collect();
    format!("{beginning}…{end}")
}

/// A page on its way.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup, which is always written in the program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&escaped(text));
        self
    }

    /// Adds a chart.
    pub(super) fn chart(&mut self, chart: &super::chart::Svg) -> &mut Self {
        self.0.push_str(chart.as_str());
        self
    }

    /// A paragraph.
    pub(super) fn note(&mut self, text: &str) -> &mut Self {
        self.raw("<p>").text(text).raw("</p>\n")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A column by its heading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Of words.
    Words(&'static str),
    /// Of numbers, which stand at the right.
    Numbers(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        let (Self::Words(heading) | Self::Numbers(heading)) = self;
        heading
    }

    fn class(self) -> &'static str {
        match self {
            Self::Words(_) => "",
            Self::Numbers(_) => " class=\"n\"",
        }
    }
}

/// What stands in a table.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Nothing.
    Nothing,
    /// Words of ours.
    Words(String),
    /// A name that others gave, as a path or a member.
    Name(String),
    /// A number.
    Number(u64),
    /// A number with its sign.
    Change(i128),
    /// A sum.
    Sum(Sum),
    /// A sum with its sign.
    SumChange(Sum),
    /// Whether something adds up.
    Check(bool),
    /// A box to tick.
    Box,
}

impl From<&str> for Cell {
    fn from(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

impl Cell {
    fn write(&self, html: &mut Html) {
        match self {
            Self::Nothing => html,
            Self::Words(words) => html.text(words),
            Self::Name(name) => html.raw("<bdi class=\"name\">").text(&shortened(name)).raw("</bdi>"),
            Self::Number(number) => html.text(&grouped(*number)),
            Self::Change(change) => html.text(&signed(*change > 0, &grouped_decimal(&change.to_string()))),
            Self::Sum(sum) => html.text(&grouped_decimal(&sum.to_string())),
            Self::SumChange(sum) => html.text(&signed(*sum > Sum::ZERO, &grouped_decimal(&sum.to_string()))),
            Self::Check(true) => html.raw("<span class=\"good\">✓ yes</span>"),
            Self::Check(false) => html.raw("<span class=\"bad\">✗ no</span>"),
            Self::Box => html.raw("<span class=\"box\" role=\"img\" aria-label=\"box to tick\"></span>"),
        };
    }
}

fn signed(positive: bool, number: &str) -> String {
    if positive { format!("+{number}") } else { number.to_owned() }
}

/// A table; the first cell of a row names the row.
#[derive(Debug)]
pub(super) struct Table {
    /// What it tells.
    pub(super) caption: String,
    /// Its columns.
    pub(super) columns: &'static [Column],
    /// Its rows.
    pub(super) rows: Vec<Vec<Cell>>,
    /// Rows that sum up the others.
    pub(super) foot: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn write(&self, html: &mut Html) {
        // On a narrow screen, what has many columns becomes a card for each row.
        html.raw("<div class=\"scroll\">");
        html.raw(if self.columns.len() > 4 { "<table class=\"cards\">" } else { "<table>" });
        html.raw("<caption>").text(&self.caption).raw("</caption>\n<thead><tr>");
        for column in self.columns {
            html.raw("<th scope=\"col\"").raw(column.class()).raw(">").text(column.heading()).raw("</th>");
        }
        html.raw("</tr></thead>\n<tbody>\n");
        self.rows.iter().for_each(|row| self.row(html, row));
        html.raw("</tbody>\n");
        if !self.foot.is_empty() {
            html.raw("<tfoot>\n");
            self.foot.iter().for_each(|row| self.row(html, row));
            html.raw("</tfoot>\n");
        }
        html.raw("</table></div>\n");
    }

    fn row(&self, html: &mut Html, cells: &[Cell]) {
        html.raw("<tr>");
        for (at, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            let (open, close) = if at == 0 { ("<th scope=\"row\"", "</th>") } else { ("<td", "</td>") };
            html.raw(open).raw(column.class()).raw(" data-label=\"").text(column.heading()).raw("\">");
            cell.write(html);
            html.raw(close);
        }
        html.raw("</tr>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        for (text, expected) in [
            ("a<script>alert(1)</script>", "a&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload='x' &amp;", "&quot; onload=&#39;x&#39; &amp;amp;"),
            ("a\u{0}b\u{1b}[2J\n", "a\\u{0}b\\u{1b}[2J\\n"),
            ("photo\u{202e}gnp.exe", "photo\\u{202e}gnp.exe"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("ü 💬 →", "ü 💬 →"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn long_names_are_shortened() {
        let shown = shortened(&format!("begin{}end", "<".repeat(5000)));
        assert!(shown.starts_with("begin<") && shown.ends_with("<end"), "{shown}");
        assert_eq!(shown.chars().count(), MAX_NAME);
        let fits = "x".repeat(MAX_NAME);
        assert_eq!(shortened(&fits), fits);
    }
}
