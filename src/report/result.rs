//! One result on the page: its figures, what the method does, and how to compute it again.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::anchor_of;
use super::chapter::{Chapter, Entry};
use super::html::Html;
use super::table::table;
use crate::analysis::About;
use crate::experiment::{Experiment, Library, command_line, quoted};
use crate::figure::words::counted;
use crate::figure::{Caption, Chart, Figure, Page, about_edit, to_told_svg};
use crate::worker::Which;

/// How much of the page is drawn already.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    n_cells: usize,
}

/// The most places with a number that figures of one page have: a browser takes a second for so many, and
/// a file some 20 MB.
pub(super) const MOST_CELLS: usize = 120_000;

/// The most places of a figure that the page holds as a file too.
const MOST_TAKEN: usize = 2_000;

/// The most numbers of a chart that are repeated as a table.
const MOST_NUMBERS: usize = 800;

impl Drawn {
    /// Whether a figure still has room. The first one always has.
    pub fn takes(&mut self, figure: &Figure) -> bool {
        let n: usize = figure.charts.iter().map(n_places).sum();
        let has_room = self.n_cells == 0 || self.n_cells + n <= MOST_CELLS;
        self.n_cells += if has_room { n.max(1) } else { 0 };
        has_room
    }
}

fn n_places(chart: &Chart) -> usize {
    match chart {
        Chart::Map(it) => it.values.len(),
        Chart::Bars(it) => it.bars.len(),
        Chart::Waterfall(it) => it.bars.bars.len(),
        Chart::Lines(it) => it.series.iter().map(|it| it.values.len()).sum(),
        Chart::Scatter(it) => it.points.len(),
        Chart::Graph(it) => it.nodes.len() + it.edges.len(),
        Chart::Table(it) => it.rows.len() * it.columns.len(),
    }
}

/// Writes a result. `level`: of its heading.
pub(super) fn result(
    html: &mut Html,
    chapter: &Chapter<'_>,
    entry: &Entry<'_>,
    level: usize,
    drawn: &mut Drawn,
) {
    let heading = format!("h{level}");
    html.within("article", &[("aria-labelledby", &entry.anchor)], |html| {
        html.element(&heading, &[("id", &entry.anchor)], &entry.name());
        about(html, entry.kept.spec.about());
        told_of_model(html, chapter, entry);
        let mut n_left_out = 0;
        for (nth, figure) in entry.figures.iter().enumerate() {
            if drawn.takes(figure) {
                self::figure(html, figure, &format!("{}-figure-{}", entry.anchor, nth + 1));
            } else {
                n_left_out += 1;
            }
        }
        if n_left_out > 0 {
            let n = entry.figures.len();
            let says = format!(
                "Not drawn: {n_left_out} of {}, with which this page would have over {MOST_CELLS} cells and \
                 be too large for a browser. `factscope report --only {}` gives this result a page of its own.",
                counted(n, "figure"),
                entry.nth
            );
            html.element("p", &[("class", "note")], &says);
        }
        again(html, chapter, entry, level + 1);
    });
}

/// What the method does, and who says so.
pub(super) fn about(html: &mut Html, about: About) {
    html.within("p", &[("class", "about")], |html| {
        html.say(about.text);
        for (nth, source) in about.sources.iter().enumerate() {
            html.say(if nth == 0 { " (" } else { "; " });
            let anchor = format!("#{}", anchor_of(source));
            html.open("a", &[("href", &anchor)]);
            html.say(source.cited);
            html.put("</a>");
        }
        html.say(if about.sources.is_empty() { "" } else { ")" });
    });
}

/// What sets a result apart from the others: its model, and whether it is whole.
fn told_of_model(html: &mut Html, chapter: &Chapter<'_>, entry: &Entry<'_>) {
    let kept = &entry.kept;
    if kept.which == Which::Beside {
        let says = format!("Of the model beside, {}.", chapter.info(kept.which).name);
        html.element("p", &[("class", "note")], &says);
    }
    if !kept.edits.is_empty() {
        let edits: Vec<String> = kept.edits.iter().map(about_edit).collect();
        let says = format!("Of the model as it was changed: {}.", edits.join("; "));
        html.element("p", &[("class", "note")], &says);
    }
    if !kept.is_complete {
        let says = "Stopped on its way: what is here was found until then.";
        html.element("p", &[("class", "note warning")], says);
    }
}

pub(super) fn figure(html: &mut Html, figure: &Figure, anchor: &str) {
    html.within("figure", &[("aria-labelledby", anchor)], |html| {
        html.open("figcaption", &[]);
        html.within("p", &[("class", "title"), ("id", anchor)], |html| {
            html.element("bdi", &[], &figure.title);
        });
        if !figure.text.is_empty() {
            html.element("p", &[("class", "written")], &figure.text);
        }
        html.close("figcaption");
        let is_named = figure.charts.len() > 1;
        for together in Chart::drawn_together(&figure.charts) {
            charts(html, figure, together, is_named);
        }
        for warning in &figure.warnings {
            html.element("p", &[("class", "note warning")], warning);
        }
        html.within("ul", &[("class", "notes")], |html| {
            for note in &figure.notes {
                html.element("li", &[], note);
            }
        });
    });
}

/// The spec of a result, as a file has it.
pub(super) fn spec(html: &mut Html, text: &str) {
    html.open("pre", &[("class", "spec")]);
    html.open("code", &[]);
    html.say(text);
    html.put("</code></pre>\n");
}

/// Commands as they are typed. A line breaks before a flag and not within it, where a browser breaks
/// after any hyphen.
pub(super) fn command(html: &mut Html, text: &str) {
    html.open("pre", &[("class", "command")]);
    html.open("code", &[]);
    for word in text.split_inclusive([' ', '\n']) {
        let (flag, rest) = word.split_at(word.trim_end().len());
        if flag.starts_with("--") {
            html.open("span", &[("class", "flag")]);
            html.say(flag);
            html.put("</span>");
            html.say(rest);
        } else {
            html.say(word);
        }
    }
    html.put("</code></pre>\n");
}

/// Charts that are drawn together: one, or several small maps.
fn charts(html: &mut Html, figure: &Figure, together: &[Chart], is_named: bool) {
    let first = &together[0];
    if let ([Chart::Table(chart)], _) = (together, first) {
        table(html, chart, is_named.then_some(&*chart.name));
        return;
    }
    let is_small = Chart::small_maps(together).len() == together.len();
    if is_named && !is_small {
        html.element("p", &[("class", "chart")], first.name());
    }
    let spoken = match together {
        [chart] => chart.spoken(),
        all => format!("{}; and {} more of its kind", first.spoken(), all.len() - 1),
    };
    let part = Figure { charts: together.to_vec(), ..Figure::default() };
    let page = Page { caption: Caption::Hidden, ..Page::default() };
    let svg = to_told_svg(&part, page, &format!("{} — {spoken}", figure.title));
    html.within("div", &[("class", "paper")], |html| html.put(&svg));
    let n: usize = together.iter().map(n_places).sum();
    if !is_small && n <= MOST_NUMBERS {
        html.within("details", &[("class", "numbers")], |html| {
            html.element("summary", &[], "Its numbers as a table");
            table(html, &first.as_table(), None);
        });
    }
}

/// How the result is computed again.
fn again(html: &mut Html, chapter: &Chapter<'_>, entry: &Entry<'_>, level: usize) {
    let tokenizer = &chapter.info(entry.kept.which).tokenizer;
    let library = chapter.library(tokenizer);
    html.within("div", &[("class", "again")], |html| {
        html.element(&format!("h{level}"), &[], "To compute it again");
        match chapter.experiment(&entry.kept, &library) {
            Some(experiment) => commands(html, chapter, entry, (&experiment, &library)),
            None => html.element(
                "p",
                &[],
                "No text gives the tokens of this prompt, so that no command asks the same.",
            ),
        }
    });
}

fn commands(
    html: &mut Html,
    chapter: &Chapter<'_>,
    entry: &Entry<'_>,
    (experiment, library): (&Experiment, &Library<'_>),
) {
    let file = format!("result-{}.json", entry.nth);
    let line = command_line(experiment, library);
    match &line {
        Some(line) => command(html, line),
        None => html.element("p", &[], "No flags can say all of this; a file can."),
    }
    let Ok(spec) = experiment.to_json_as_meant(library) else { return };
    // Where it is the only way, it is not folded away.
    let open: &[(&str, &str)] = if line.is_none() { &[("open", "open")] } else { &[] };
    html.within("details", open, |html| {
        let says = format!("As a file, with all settings: factscope run {}", quoted(&file));
        html.element("summary", &[], &says);
        self::spec(html, spec.trim_end());
    });
    let n: usize = entry.figures[0].charts.iter().map(n_places).sum();
    let picture = chapter.picture(&entry.kept, &spec).filter(|_| n <= MOST_TAKEN);
    let Some((name, svg)) = picture else { return };
    html.within("p", &[("class", "take")], |html| {
        let file = format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(&svg));
        html.open("a", &[("download", &name), ("href", &file)]);
        html.say(&name);
        html.put("</a>");
        html.say(", the figure as a file, which factscope verify computes anew");
    });
}
