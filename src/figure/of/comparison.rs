//! A fact beside its inverse or another fact: what is recalled, both maps in one scale, and how alike they are.

use super::ablation::{part_name, replaced_by};
use super::causal_trace::component_name;
use super::parts::split_logit;
use super::{Look, by_row, corruption, head_map, size};
use crate::analysis::causal_trace::Direction;
use crate::analysis::comparison::{
    Comparison, MapSpec, Mapped, Overlap, PValues, Peak, PeakOf, Recall, Second, Spec,
};
use crate::analysis::{Correlation, Grid};
use crate::figure::number;
use crate::figure::words::{
    about_severed, at, checksum, joined, metric_of_answers, no_effect, prompt,
};
use crate::figure::{
    Cell, Chart, Figure, Lines, Map, Pick, Point, Row, Scatter, Series, Side, Table,
};
use crate::tokens::Answer;

pub(super) fn figure(it: &Comparison, look: &Look<'_>) -> Figure {
    let quantity = quantity(&it.spec.map);
    let mut charts = vec![Chart::Table(recall(it, look))];
    charts.extend(maps(it, &brief_quantity(&it.spec.map), look));
    charts.push(Chart::Scatter(scatter(it, &quantity)));
    charts.extend(it.overlap.as_ref().map(|overlap| Chart::Table(top(it, overlap))));
    charts.push(Chart::Table(peaks(it)));
    Figure {
        title: match it.spec.second {
            Second::Inverse => format!("A fact beside its inverse — {quantity}"),
            Second::Fact => format!("A fact beside another — {quantity}"),
        },
        charts,
        measured: measured(it),
        notes: notes(it, look),
        warnings: warnings(it, look),
        ..Figure::default()
    }
}

/// The most right answers that are named one by one.
const N_RIGHT: usize = 3;

fn quantity(map: &MapSpec) -> String {
    match map {
        MapSpec::Trace { spec, metric } => {
            let does = match spec.direction {
                Direction::Denoise => "restoring",
                Direction::Noise => "corrupting",
            };
            let what = component_name(spec.component);
            format!("Effect of {does} {what} on {}", metric_of_answers(*metric))
        }
        MapSpec::Ablation { spec, metric } => {
            format!("Change of {} without {}", metric_of_answers(*metric), part_name(spec.part))
        }
        MapSpec::Attribution => "Contribution of heads to logit(answer)".to_owned(),
    }
}

/// The logits that attributions are parts of. `None` for maps whose quantity says what they measure.
fn measured(it: &Comparison) -> Option<String> {
    let [first, second] = it.prompts.each_ref().map(split_logit);
    let both = if first == second { first } else { format!("{first} and {second}") };
    matches!(it.spec.map, MapSpec::Attribution).then_some(both)
}

/// What a map's colours stand for; the figure's title says what is restored or left out.
fn brief_quantity(map: &MapSpec) -> String {
    match map {
        MapSpec::Trace { metric, .. } => format!("Effect on {}", metric_of_answers(*metric)),
        MapSpec::Ablation { metric, .. } => format!("Change of {}", metric_of_answers(*metric)),
        MapSpec::Attribution => "Contribution (logits)".to_owned(),
    }
}

/// What is said of a role that a prompt, or one of both, lacks.
const NO_TOKEN: &str = "no such token";

/// Whether the model knows both facts.
fn recall(it: &Comparison, look: &Look<'_>) -> Table {
    let row = |(nth, recall): (usize, &Recall)| {
        Row::new([
            Cell::Text(it.spec.second.titles()[nth].to_owned()),
            Cell::Token(look.token(recall.right.id)),
            Cell::Number(recall.right.prob),
            Cell::Number(recall.rank as f32 + 1.0),
            Cell::Text(if recall.is_right() { "yes" } else { "no" }.to_owned()),
            Cell::Token(look.token(recall.top.id)),
            Cell::Number(recall.top.prob),
        ])
    };
    let columns = ["", "Right answer", "p", "Rank", "Known", "The model says", "Its p"];
    Table::new("Recall", columns, it.recall.iter().enumerate().map(row))
}

fn maps(it: &Comparison, quantity: &str, look: &Look<'_>) -> Vec<Chart> {
    let [fact, inverse] = &it.maps;
    let names = it.spec.second.titles();
    let difference = format!("Fact − {}", it.spec.second.text());
    let grids = [(names[0], fact), (names[1], inverse), (&*difference, &it.difference)];
    let value = |grid: &Grid<Option<f32>>, row: usize, column: usize| {
        grid.get(row, column).copied().flatten().unwrap_or(f32::NAN)
    };
    let mut maps: Vec<Map> = match &it.roles {
        Some(roles) => {
            let map = |(name, grid): (&str, &Grid<Option<f32>>)| {
                let rows = Side::roles(roles);
                let layers = look.layers("Layer", grid.n_columns());
                let values =
                    by_row(roles.len(), grid.n_columns(), |row, layer| value(grid, row, layer));
                let map = Map::new(name, rows, layers, values, quantity).diverging();
                Map { missing: NO_TOKEN, ..map }
            };
            grids.into_iter().map(map).collect()
        }
        // One part per layer has no other side.
        None if fact.n_columns() == 1 => {
            let series = |(name, grid): (&str, &Grid<Option<f32>>)| {
                Series::new(name, (0..grid.n_rows()).map(|layer| value(grid, layer, 0)))
            };
            return vec![Chart::Lines(Lines::new(
                "By layer",
                quantity,
                "Layer",
                grids.into_iter().map(series),
            ))];
        }
        None => {
            let map = |(name, grid): (&str, &Grid<Option<f32>>)| {
                head_map(name, quantity, size(grid), look, |layer, head| value(grid, layer, head))
            };
            grids.into_iter().map(map).collect()
        }
    };
    // One scale, or they could not be compared.
    let largest = maps.iter().map(|map| map.range.1).fold(0.0, f32::max);
    for map in &mut maps {
        map.range = (-largest, largest);
    }
    maps.into_iter().map(Chart::Map).collect()
}

fn scatter(it: &Comparison, quantity: &str) -> Scatter {
    let n_columns = it.difference.n_columns();
    let pairs = it.maps[0].values().iter().zip(it.maps[1].values()).enumerate();
    let points = pairs.filter_map(|(nth, (fact, inverse))| {
        let (row, column) = (nth / n_columns, nth % n_columns);
        let (label, pick) = match &it.roles {
            Some(roles) => (format!("{}, layer {column}", roles[row]), Pick::layer(column)),
            None if n_columns == 1 => (format!("layer {row}"), Pick::layer(row)),
            None => (format!("L{row} H{column}"), Pick::head(row, column)),
        };
        Some(Point { label, x: (*fact)?, y: (*inverse)?, pick })
    });
    Scatter {
        name: "Each cell both ways".to_owned(),
        x_title: format!("Fact: {quantity}"),
        y_title: format!("{}: {quantity}", it.spec.second.titles()[1]),
        points: points.collect(),
        has_diagonal: true,
        is_set: false,
    }
}

/// The parts that matter most, one way and the other.
fn top(it: &Comparison, overlap: &Overlap) -> Table {
    let n_columns = it.difference.n_columns();
    let part = |at: Option<&usize>| match at {
        Some(at) if n_columns == 1 => format!("L{at}"),
        Some(at) => format!("L{} H{}", at / n_columns, at % n_columns),
        None => String::new(),
    };
    let [fact, inverse] = &overlap.top;
    let row = |nth: usize| {
        Row::new([
            Cell::Number(nth as f32 + 1.0),
            Cell::Text(part(fact.get(nth))),
            Cell::Text(part(inverse.get(nth))),
        ])
    };
    Table::new(
        "Largest parts",
        ["Place", it.spec.second.titles()[0], it.spec.second.titles()[1]],
        (0..fact.len().max(inverse.len())).map(row),
    )
}

fn peaks(it: &Comparison) -> Table {
    let place = |peak: &Peak| match peak.head {
        Some(head) => format!("L{} H{head}", peak.layer),
        None => format!("L{}", peak.layer),
    };
    let rows = it.peaks.iter().map(|peaks| {
        let of = match peaks.of {
            PeakOf::Role(role) => role.to_string(),
            PeakOf::Part => "largest part of a layer".to_owned(),
            PeakOf::Layer => "sum over a layer".to_owned(),
        };
        let [fact, inverse] = &peaks.at;
        Row::new([
            Cell::Text(of),
            Cell::Text(place(fact)),
            Cell::Number(fact.value as f32),
            Cell::Text(place(inverse)),
            Cell::Number(inverse.value as f32),
            Cell::Number(peaks.layers as f32),
            Cell::Number(peaks.depth as f32),
            Cell::Number(peaks.likeness.pearson.map_or(f32::NAN, |it| it as f32)),
        ])
        .about(Pick::layer(fact.layer))
    });
    let [fact, other] = it.spec.second.titles();
    let [fact_value, other_value] = [fact, other].map(|it| format!("{it}: value"));
    let columns = [
        "Peak of",
        fact,
        fact_value.as_str(),
        other,
        other_value.as_str(),
        "Layers apart",
        "Depth",
        "Pearson",
    ];
    Table::new("Peaks", columns, rows)
}

/// What keeps a map from showing where its answer is recalled.
fn warnings(it: &Comparison, look: &Look<'_>) -> Vec<String> {
    let names = it.spec.second.names();
    let others = names.iter().zip(&it.recall).zip(&it.prompts).filter_map(|((name, recall), prompt)| {
        let mapped = prompt.answer.as_ref().filter(|it| it.first() != recall.right.id)?;
        Some(format!(
            "Of several right answers of the {name} the model finds {} likeliest, which is what recall \
             is judged by; its map is of {}",
            look.token(recall.right.id),
            look.token(mapped.first()),
        ))
    });
    let others: Vec<String> = others.collect();
    let not_known = names.iter().zip(&it.recall).filter(|(_, recall)| !recall.is_right());
    let mut warnings: Vec<String> = not_known
        .map(|(name, _)| {
            format!(
                "The model does not know the {name}: its map is of an answer that it does not give \
                 (compare Berglund et al. 2024)"
            )
        })
        .collect();
    warnings.extend(others);
    if let (MapSpec::Trace { metric, .. }, Some(totals)) = (&it.spec.map, it.total_effects) {
        let reading = metric_of_answers(*metric);
        let without_effect = names.iter().zip(totals).filter_map(|(name, total)| {
            no_effect(&format!("{reading} of the {name}"), *metric, total, None)
        });
        warnings.extend(without_effect);
    }
    warnings
}

/// The settings of what is compared.
fn settings(it: &Comparison, look: &Look<'_>) -> Vec<String> {
    match &it.spec.map {
        MapSpec::Trace { spec, .. } => {
            let window = match spec.window {
                1 => "single layers".to_owned(),
                n => format!("windows of {n} layers"),
            };
            let corruption = corruption::settings(&spec.draws(), None, look);
            let settings = format!("In {window}  ·  {corruption}");
            [settings].into_iter().chain(about_severed(spec)).collect()
        }
        MapSpec::Ablation { spec, .. } => {
            let by = replaced_by(&spec.replacement, look);
            vec![format!("Replaced by {by} {}", at(&spec.positions, &it.prompts[0]))]
        }
        MapSpec::Attribution => Vec::new(),
    }
}

fn notes(it: &Comparison, look: &Look<'_>) -> Vec<String> {
    let mut notes = settings(it, look);
    let asked = it.prompts.each_ref().map(|prompt| prompt.answer.as_ref().map(Answer::first));
    let right = [0, 1].map(|nth| match it.spec.right[nth].as_slice() {
        [] => asked[nth].map_or_else(|| "the first guess".to_owned(), |id| look.token(id)),
        ids if ids.len() <= N_RIGHT => {
            joined(&ids.iter().map(|&id| look.token(id)).collect::<Vec<_>>())
        }
        ids => format!("{} and others {}", look.token(ids[0]), checksum(ids)),
    });
    let [fact, inverse] = it.spec.second.titles();
    let mapped = match it.spec.mapped {
        Mapped::Likeliest => "each map is of the likeliest right answer",
        Mapped::Prompts => "each map is of its prompt's answer",
    };
    notes.push(format!("Right answers: {fact} {}  ·  {inverse} {}; {mapped}", right[0], right[1]));
    if let Some([fact, inverse]) = it.total_effects {
        let [fact, inverse] = [fact, inverse].map(|it| number::significant(it, 4));
        notes.push(format!(
            "Total effect of the corruption: fact {fact}, {} {inverse}",
            it.spec.second.text()
        ));
    }
    let Correlation { n, pearson, spearman } = it.likeness;
    let (pearson, spearman) = (signed(pearson), signed(spearman));
    notes.push(format!("Alike over {n} cells: Pearson {pearson}, Spearman {spearman}"));
    if let Some(overlap) = &it.overlap {
        notes.push(format!(
            "Of the {} largest parts each way {} are shared: Jaccard {:.3}",
            it.spec.n_top, overlap.n_shared, overlap.jaccard
        ));
        let tests = [
            ("any other", Some(&overlap.any_part)),
            ("others of its layer", overlap.within_layers.as_ref()),
        ];
        for (who, p) in tests.into_iter().filter_map(|(who, p)| Some((who, p?))) {
            notes.push(chance(who, p, &it.spec));
        }
    }
    let paired = match it.roles {
        Some(_) => {
            "Tokens are paired by their role (Meng et al. 2022, fig. 2), layers by their number"
        }
        None => "Parts are paired by their place",
    };
    notes.push(format!(
        "{paired}. Every network has early and late layers, so two maps are always somewhat alike"
    ));
    notes.extend(it.prompts.iter().map(prompt));
    notes
}

fn chance(who: &str, p: &PValues, spec: &Spec) -> String {
    let spearman = p.spearman.map_or_else(String::new, |it| format!(", Spearman p {it:.4}"));
    format!(
        "Against parts that change places with {who}: Jaccard p {:.4}{spearman} (one-sided, {} \
         permutations, seed {})",
        p.jaccard, spec.n_permutations, spec.seed
    )
}

fn signed(it: Option<f64>) -> String {
    it.map_or_else(|| "none".to_owned(), |it| number::signed(it as f32, 3))
}
