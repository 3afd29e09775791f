//! How a figure goes to a file: which of its charts, how wide, with or without caption and marks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::tidy::plain_name;
use super::{Cell, Chart, Figure, Record, Scale};
use crate::tokens::TokenizedPrompt;

/// What of a figure goes to a file, and in which form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Export {
    /// The names of the charts that are written; empty for all.
    pub charts: Vec<String>,
    pub tokens: Tokens,
    pub page: Page,

    /// How large a PNG is.
    pub scale: Scale,

    /// What a picture carries, so that it can be verified: the record of what was asked, to which its
    /// numbers are added. `None` if there is no result behind the figure that can be asked for again.
    pub record: Option<Arc<Record>>,
}

/// The page of a picture. Files of numbers have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub width: PageWidth,
    pub caption: Caption,
}

/// How wide a picture is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageWidth {
    /// As wide as its charts are.
    #[default]
    Free,

    /// One column of a journal, 86 mm, which charts fill.
    OneColumn,

    /// Two columns of a journal, 178 mm, which charts fill.
    TwoColumns,
}

/// Whether title, warnings and notes stand around the charts of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caption {
    #[default]
    Shown,
    Hidden,
}

/// How tokens are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokens {
    /// With marks in pictures, and plain where numbers are written.
    #[default]
    ByFormat,

    /// `Paris`
    Plain,

    /// `·Paris`: a dot stands for the space before it.
    Marked,
}

/// The figure has no chart of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no chart “{wanted}” in this figure; it has {}", quoted(.charts))]
pub struct NoSuchChart {
    wanted: String,
    charts: Vec<String>,
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ")
}

impl PageWidth {
    pub const ALL: [Self; 3] = [Self::Free, Self::OneColumn, Self::TwoColumns];

    /// In points; `None` where the charts decide.
    pub fn points(self) -> Option<f32> {
        const PER_MM: f32 = 72.0 / 25.4;
        match self {
            Self::Free => None,
            Self::OneColumn => Some(86.0 * PER_MM),
            Self::TwoColumns => Some(178.0 * PER_MM),
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Free => "as wide as its charts",
            Self::OneColumn => "one column (86 mm)",
            Self::TwoColumns => "two columns (178 mm)",
        }
    }
}

impl Tokens {
    pub const ALL: [Self; 3] = [Self::ByFormat, Self::Plain, Self::Marked];

    pub fn text(self) -> &'static str {
        match self {
            Self::ByFormat => "marked in pictures, plain in data",
            Self::Plain => "plain (Paris)",
            Self::Marked => "marked (·Paris)",
        }
    }

    /// Whether tokens are plain in files of numbers, or in pictures.
    pub(super) fn are_plain(self, has_numbers: bool) -> bool {
        match self {
            Self::ByFormat => has_numbers,
            Self::Plain => true,
            Self::Marked => false,
        }
    }
}

impl Figure {
    /// The charts that are exported, in the order in which they are named; all where none is. A chart is named
    /// as it is in the figure, whatever the case.
    ///
    /// # Errors
    ///
    /// If there is no chart of that name.
    pub fn only(&self, charts: &[String]) -> Result<Self, NoSuchChart> {
        if charts.is_empty() {
            return Ok(self.clone());
        }
        let named = |wanted: &String| {
            let is_wanted = |it: &&Chart| it.name().to_lowercase() == wanted.trim().to_lowercase();
            self.charts.iter().find(is_wanted).cloned().ok_or_else(|| NoSuchChart {
                wanted: wanted.clone(),
                charts: self.charts.iter().map(|it| it.name().to_owned()).collect(),
            })
        };
        let mut found = charts.iter().map(named).collect::<Result<Vec<Chart>, _>>()?;
        if let [_] = &found[..] {
            found = found.into_iter().map(Chart::large).collect();
        }
        Ok(Self { charts: found, ..self.clone() })
    }

    /// This figure with its tokens as they are read, without marks for spaces.
    pub(super) fn with_plain_tokens(&self) -> Self {
        let mut figure = self.clone();
        figure.each_text(&mut |text| *text = plain(text));
        figure
    }

    fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        change(&mut self.title);
        self.warnings.iter_mut().chain(&mut self.notes).for_each(&mut *change);
        for chart in &mut self.charts {
            chart.each_text(change);
        }
    }
}

impl Chart {
    /// A small map that stands alone is drawn like any other.
    fn large(mut self) -> Self {
        if let Self::Map(map) = &mut self {
            map.is_small = false;
        }
        self
    }

    fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Map(map) => {
                change(&mut map.name);
                change(&mut map.quantity);
                let sides = [&mut map.rows, &mut map.columns];
                sides.into_iter().flat_map(|it| &mut it.labels).for_each(&mut *change);
                map.texts.iter_mut().chain(&mut map.details).for_each(change);
            }
            Self::Bars(bars) | Self::Waterfall(super::Waterfall { bars, .. }) => {
                change(&mut bars.name);
                change(&mut bars.quantity);
                bars.bars.iter_mut().for_each(|it| change(&mut it.label));
            }
            Self::Lines(lines) => {
                change(&mut lines.name);
                change(&mut lines.quantity);
                lines.series.iter_mut().for_each(|it| change(&mut it.name));
            }
            Self::Scatter(scatter) => {
                change(&mut scatter.x_title);
                change(&mut scatter.y_title);
                scatter.points.iter_mut().for_each(|it| change(&mut it.label));
            }
            Self::Graph(graph) => {
                graph.rows.labels.iter_mut().for_each(&mut *change);
                graph.nodes.iter_mut().for_each(|it| change(&mut it.label));
            }
            Self::Table(table) => {
                change(&mut table.name);
                table.columns.iter_mut().for_each(&mut *change);
                for cell in table.rows.iter_mut().flat_map(|row| &mut row.cells) {
                    if let Cell::Text(it) | Cell::Token(it) | Cell::Answer(it) = cell {
                        change(it);
                    }
                }
            }
        }
    }
}

/// Text without the dots that stand for spaces. A dot between two spaces parts two notes and stays.
fn plain(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_space = |it: Option<&char>| it.is_none_or(|it| it.is_whitespace());
    let mut plain = String::with_capacity(text.len());
    for (nth, &c) in chars.iter().enumerate() {
        let before = nth.checked_sub(1).and_then(|nth| chars.get(nth));
        if c != '·' || (is_space(before) && is_space(chars.get(nth + 1))) {
            plain.push(c);
        } else if before.is_some_and(|it| it.is_alphanumeric() || ",.;:!?)”'".contains(*it)) {
            plain.push(' ');
        }
    }
    plain
}

/// What a file is called without its ending: fact and method, `egypt-capital_causal-trace`.
pub(super) fn file_name(prompt: Option<&TokenizedPrompt>, method: &str) -> String {
    /// How many words of the prompt say what is asked of the subject.
    const N_WORDS: usize = 2;
    const EMPTY: [&str; 26] = [
        "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "had", "has", "he", "her",
        "his", "in", "is", "it", "its", "of", "on", "she", "the", "to", "was", "were",
    ];
    let is_empty = |text: &str| !text.contains(|c: char| c.is_ascii_alphanumeric());
    let slug = |text: &str| {
        if is_empty(text) { String::new() } else { plain_name(text).replace('_', "-") }
    };
    let method = slug(method);
    let Some(prompt) = prompt else { return method };
    let subject = prompt.subject_text();
    let subject = subject.map_or_else(String::new, |subject| slug(subject.trim()));
    let text = slug(&prompt.text);
    let rest = if subject.is_empty() { text } else { text.replacen(&subject, "", 1) };
    let words = rest.split('-').filter(|word| !word.is_empty() && !EMPTY.contains(word));
    let about = [&*subject].into_iter().chain(words.take(N_WORDS));
    let about: Vec<&str> = about.filter(|word| !word.is_empty()).collect();
    format!("{}_{method}", about.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_fact_and_method() {
        let pieces = ["The", " capital", " of", " Egypt", " is"].map(str::to_owned).to_vec();
        let prompt = TokenizedPrompt {
            text: "The capital of Egypt is".to_owned(),
            subject: Some(3..4),
            pieces,
            ..TokenizedPrompt::empty()
        };
        assert_eq!(file_name(Some(&prompt), "causal trace"), "egypt-capital_causal-trace");
        assert_eq!(file_name(None, "trace average"), "trace-average");
    }

    #[test]
    fn plain_tokens_have_no_marks_and_notes_keep_their_dots() {
        assert_eq!(plain("p(·Paris)"), "p(Paris)");
        assert_eq!(plain("·New·York 3"), "New York 3");
        assert_eq!(plain("Clean 0.5  ·  corrupted 0.1"), "Clean 0.5  ·  corrupted 0.1");
        assert_eq!(plain("0 ·The"), "0 The");
        assert_eq!(plain("·"), "·");
    }
}
