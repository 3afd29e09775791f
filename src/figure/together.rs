//! Figures on one page, such as those of a fact and of its inverse.

use super::{Chart, Figure};

impl Figure {
    /// One figure with the charts of several, each behind the name of its own.
    #[must_use]
    pub fn together(figures: &[(String, Self)]) -> Self {
        let Some((_, first)) = figures.first() else { return Self::default() };
        let lines = |of: fn(&Self) -> &[String]| {
            let mut all: Vec<String> = Vec::new();
            for (name, figure) in figures {
                for line in of(figure) {
                    let is_shared = figures.iter().all(|(_, it)| of(it).contains(line));
                    let line = if is_shared { line.clone() } else { format!("{name}: {line}") };
                    if !all.contains(&line) {
                        all.push(line);
                    }
                }
            }
            all
        };
        let texts = |of: fn(&Self) -> &str, between: &str| {
            let is_shared = figures.iter().all(|(_, it)| of(it) == of(first));
            let named = figures.iter().filter(|(_, it)| !of(it).is_empty());
            let named = named.map(|(name, it)| format!("{name}: {}", of(it)));
            if is_shared { of(first).to_owned() } else { named.collect::<Vec<_>>().join(between) }
        };
        let charts = figures.iter().flat_map(|(name, figure)| {
            figure.charts.iter().cloned().map(move |mut chart| {
                *chart.name_mut() = behind(name, chart.name());
                chart
            })
        });
        let undrawn = figures.iter().flat_map(|(_, figure)| figure.undrawn.iter().cloned());
        Self {
            file_name: first.file_name.clone(),
            title: texts(|it| &it.title, "  ·  "),
            text: texts(|it| &it.text, "\n"),
            measured: first.measured.clone().filter(|it| {
                figures.iter().all(|(_, figure)| figure.measured.as_ref() == Some(it))
            }),
            charts: charts.collect(),
            undrawn: undrawn.collect(),
            warnings: lines(|it| &it.warnings),
            notes: lines(|it| &it.notes),
            made_with: lines(|it| &it.made_with),
        }
    }
}

/// What a chart is called on a page where it stands behind the name of its row.
pub fn behind(row: &str, chart: &str) -> String {
    format!("{row}: {chart}")
}

impl Chart {
    fn name_mut(&mut self) -> &mut String {
        match self {
            Self::Map(it) => &mut it.name,
            Self::Bars(it) => &mut it.name,
            Self::Waterfall(it) => &mut it.bars.name,
            Self::Lines(it) => &mut it.name,
            Self::Scatter(it) => &mut it.name,
            Self::Graph(it) => &mut it.name,
            Self::Table(it) => &mut it.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Lines;

    #[test]
    fn charts_and_notes_say_whose_they_are_unless_they_are_of_all() {
        let figure = |title: &str, note: &str| Figure {
            title: title.to_owned(),
            charts: vec![Chart::Lines(Lines {
                name: "Rank".to_owned(),
                quantity: "Rank".to_owned(),
                layer_title: "Layer".to_owned(),
                series: Vec::new(),
            })],
            notes: vec!["Seed 1".to_owned(), note.to_owned()],
            ..Figure::default()
        };
        let both = Figure::together(&[
            ("Fact".to_owned(), figure("Trace", "Clean 0.5")),
            ("Inverse".to_owned(), figure("Trace", "Clean 0.2")),
        ]);
        assert_eq!(both.title, "Trace");
        let names: Vec<&str> = both.charts.iter().map(Chart::name).collect();
        assert_eq!(names, ["Fact: Rank", "Inverse: Rank"]);
        assert_eq!(both.notes, ["Seed 1", "Fact: Clean 0.5", "Inverse: Clean 0.2"]);
        let both = Figure::together(&[
            ("Fact".to_owned(), figure("One", "")),
            ("Inverse".to_owned(), figure("Two", "")),
        ]);
        assert_eq!(both.title, "Fact: One  ·  Inverse: Two");
    }
}
