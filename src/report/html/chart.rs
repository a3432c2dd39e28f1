//! Charts as inline SVG, drawn by plotters. They show the shape of what the tables have exactly, so here numbers may be
//! cut to what a pixel can tell; even so, it is integers that are cut.
//!
//! plotters knows fixed colours alone. It is given one for each role, and in its SVG these become the variables of the
//! page, so that a chart is readable in the dark and on paper.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::markup::escaped;

/// In this size the text is as large as that of the page on a phone.
const SIZE: (u32, u32) = (360, 220);
/// The width of a label's bars and the gap around them, in steps: twelve for bars, which two, three or four share.
const GROUP: i32 = 14;
const BARS: i32 = 12;
/// Labels that have room.
const LABELS: usize = 6;
/// Steps of one unit, so that small numbers are not cut to nothing.
const FINE: i128 = 100;
/// Numbers from here on are shown in thousands, millions and so on.
const LARGE: i128 = 10_000;

/// How the bars of one label stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// On top of each other; no value is negative.
    Stacked,
    /// Side by side.
    Beside,
}

/// Values by label.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) values: Vec<i128>,
}

/// What is drawn.
#[derive(Debug)]
pub(super) struct Chart {
    /// Letters that no other chart of the page has.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) layout: Layout,
    pub(super) labels: Vec<String>,
    pub(super) series: Vec<Series>,
    /// What stands for one: 1, or 10,000 for ten-thousandths.
    pub(super) one: i128,
}

/// A chart that was drawn.
#[derive(Debug)]
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Roles of colours: the numbers of plotters' colours, and the variables of the page.
const INK: RGBColor = RGBColor(1, 2, 253);
const LINE: RGBColor = RGBColor(1, 2, 254);
/// How many series have a colour of their own.
pub(super) const COLOURS: usize = 6;

fn colour(series: usize) -> RGBColor {
    RGBColor(1, 2, u8::try_from(series % COLOURS).expect("a few"))
}

impl Chart {
    /// Draws it.
    ///
    /// # Errors
    /// When plotters can't.
    pub(super) fn draw(&self) -> Result<Svg> {
        let mut svg = String::new();
        self.draw_into(&mut svg).map_err(|error| anyhow!("a chart can't be drawn: {error}"))?;
        let (_, body) = svg.split_once('>').ok_or_else(|| anyhow!("plotters drew no SVG"))?;
        let mut body = body.replace("#0102FD", "var(--ink)").replace("#0102FE", "var(--line)");
        for series in 0..COLOURS {
            body = body.replace(&format!("#01020{series}"), &format!("var(--c{series})"));
        }
        let (id, title, description) = (escaped(&self.id), escaped(&self.title), escaped(&self.description()));
        let (width, height) = SIZE;
        Ok(Svg(format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>{body}"
        )))
    }

    fn description(&self) -> String {
        let names: Vec<&str> = self.series.iter().map(|series| &*series.name).collect();
        let (first, last) = (self.labels.first(), self.labels.last());
        let span = first.zip(last).map_or_else(String::new, |(first, last)| format!(", from {first} to {last}"));
        format!("Bars of {}{span}. The table has the exact numbers.", names.join(", "))
    }

    fn draw_into(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let (step, suffix) = self.scale();
        let fine = |value: i128| i64::try_from(value * FINE / step).unwrap_or(i64::MAX);
        let bars = self.bars();
        let least = bars.iter().map(|bar| fine(bar.from.min(bar.to))).min().unwrap_or(0);
        let most = bars.iter().map(|bar| fine(bar.from.max(bar.to))).max().unwrap_or(0).max(least + 1);
        let margin = (most - least) / 20;
        let end = GROUP * i32::try_from(self.labels.len())?;
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let text = ("sans-serif", 11).into_font().color(&INK);
        let shown = self.labels.len().div_ceil(LABELS).max(1);
        let centres: Vec<i32> =
            (0..end).skip(usize::try_from(GROUP / 2)?).step_by(shown * usize::try_from(GROUP)?).collect();
        let mut chart = ChartBuilder::on(&root)
            .margin(6)
            .margin_right(14)
            .x_label_area_size(22)
            .y_label_area_size(46)
            .build_cartesian_2d(
                (0..end).with_key_points(centres),
                least - if least < 0 { margin } else { 0 }..most + margin,
            )?;
        let label =
            |at: &i32| usize::try_from(at / GROUP).ok().and_then(|at| self.labels.get(at)).cloned().unwrap_or_default();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .x_label_style(text.clone())
            .y_label_style(text)
            .x_label_formatter(&label)
            .y_labels(5)
            .y_label_formatter(&|value| tick(*value, suffix))
            .draw()?;
        chart.draw_series(bars.iter().map(|bar| {
            let corners = [(bar.left, fine(bar.from)), (bar.right, fine(bar.to))];
            Rectangle::new(corners, colour(bar.series).filled())
        }))?;
        chart.draw_series([PathElement::new(vec![(0, 0), (end, 0)], INK)])?;
        root.present()?;
        Ok(())
    }

    /// What stands for one on the axis, and how that is called.
    fn scale(&self) -> (i128, &'static str) {
        let most = self.bars().iter().map(|bar| bar.from.abs().max(bar.to.abs())).max().unwrap_or(0);
        let (mut step, mut names) = (self.one, ["", "k", "M", "G", "T", "P", "E"].into_iter());
        let mut name = names.next();
        while most / step >= LARGE {
            let Some(larger) = names.next() else { break };
            (step, name) = (step * 1000, Some(larger));
        }
        (step, name.unwrap_or_default())
    }

    fn bars(&self) -> Vec<Bar> {
        let mut bars = Vec::new();
        for (label, left) in (0..self.labels.len()).zip((0..).step_by(usize::try_from(GROUP).expect("small"))) {
            let mut below = 0;
            for (number, (series, at)) in self.series.iter().zip(0..).enumerate() {
                let value = series.values.get(label).copied().unwrap_or_default();
                let (from, width) = match self.layout {
                    Layout::Stacked => (below, BARS),
                    Layout::Beside => (0, BARS / i32::try_from(self.series.len()).expect("a few").max(1)),
                };
                let left = left + (GROUP - BARS) / 2 + if self.layout == Layout::Beside { at * width } else { 0 };
                if value != 0 {
                    bars.push(Bar { series: number, left, right: left + width, from, to: from + value });
                }
                below += value;
            }
        }
        bars
    }
}

struct Bar {
    series: usize,
    left: i32,
    right: i32,
    from: i128,
    to: i128,
}

/// A number on the axis.
fn tick(fine: i64, suffix: &str) -> String {
    let (sign, size) = (if fine < 0 { "-" } else { "" }, fine.unsigned_abs());
    let hundredths = size % 100;
    let fraction = if hundredths == 0 { String::new() } else { format!(".{hundredths:02}") };
    format!("{sign}{}{}{suffix}", size / 100, fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(layout: Layout, values: &[&[i128]], one: i128) -> Chart {
        let series =
            values.iter().zip(0..).map(|(values, n)| Series { name: format!("s{n}"), values: values.to_vec() });
        let labels = (1..=values.first().map_or(0, |values| values.len())).map(|n| format!("2021-{n:02}")).collect();
        Chart { id: "x".to_owned(), title: "<T>".to_owned(), layout, labels, series: series.collect(), one }
    }

    #[test]
    fn colours_are_the_pages_and_texts_are_escaped() {
        let svg = chart(Layout::Stacked, &[&[1, 2], &[3, 0]], 1).draw().expect("it is drawn").0;
        assert!(svg.contains("<title id=\"x-t\">&lt;T&gt;</title>"), "{svg}");
        assert!(svg.contains("var(--c0)") && svg.contains("var(--c1)") && svg.contains("var(--ink)"), "{svg}");
        assert!(!svg.contains("=\"#"), "a fixed colour: {svg}");
        assert_eq!(svg.matches("<rect").count(), 3, "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn any_numbers_can_be_drawn() {
        let most = 99_999_999_999_999_999_i128;
        for values in [
            &[&[][..]][..],
            &[&[0]],
            &[&[most * 1_000_000_000, -most * 1_000_000_000]],
            &[&[1, -1], &[0, 1], &[-9, most]],
            &[&[7; 200]],
        ] {
            for one in [1, 10_000] {
                chart(Layout::Beside, values, one).draw().expect("it is drawn");
            }
        }
    }

    #[test]
    fn ticks_are_short() {
        for (fine, suffix, text) in [(0, "", "0"), (150, "k", "1.5k"), (-25, "", "-0.25"), (1_200_000, "M", "12000M")] {
            assert_eq!(tick(fine, suffix), text);
        }
    }
}
