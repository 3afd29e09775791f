//! A fact's trace minus its inverse's or another fact's, tokens paired by their role.

use super::causal_trace::component_name;
use super::{Look, by_row};
use crate::analysis::causal_trace::Component;
use crate::analysis::comparison::TraceDifference;
use crate::analysis::{Correlation, Measurement};
use crate::figure::number::{exact, signed, significant};
use crate::figure::words::{answer_piece, capitalized, metric_of_answers, prompt};
use crate::figure::{Chart, Figure, Map, Side};
use crate::tokens::TokenizedPrompt;

impl Figure {
    /// Red where the cell does more for the second, blue where it does more for the first. `names` as
    /// within a sentence.
    pub fn of_difference(
        it: &TraceDifference,
        names: [&str; 2],
        component: Component,
        look: &Look<'_>,
    ) -> Self {
        let reading = metric_of_answers(it.metric);
        let name = format!("{} − {}", capitalized(&names[0]), names[1]);
        let quantity = format!("{name}, effect on {reading}");
        let n_layers = it.difference.n_columns();
        let marked =
            |from: usize| it.roles.iter().skip(from).take_while(|it| it.is_subject()).count();
        let first = it.roles.iter().position(|it| it.is_subject()).unwrap_or(0);
        let rows = Side::roles(&it.roles).marking(first..first + marked(first));
        let at =
            |nth: usize, row: usize, layer: usize| it.maps[nth].get(row, layer).copied().flatten();
        let value = |row: usize, layer: usize| {
            it.difference.get(row, layer).copied().flatten().unwrap_or(f32::NAN)
        };
        let details = |row: usize, layer: usize| {
            let text = |nth: usize| {
                let effect = at(nth, row, layer).map_or_else(|| "none".to_owned(), exact);
                let place = if it.is_by_depth() { place(it, nth, layer) } else { String::new() };
                format!("{}{place}  {effect}", capitalized(&names[nth]))
            };
            format!("{}\n{}", text(0), text(1))
        };
        let layers = if it.is_by_depth() {
            let depth =
                |column: usize| format!("{:.0} %", 100.0 * (column + 1) as f32 / n_layers as f32);
            let depths = (0..n_layers).map(depth).collect();
            Side::named("Depth: share of the layers that are passed", "depth", depths)
        } else {
            look.layers("Layer", n_layers)
        };
        let values = by_row(it.roles.len(), n_layers, value);
        let mut map = Map::new(&name, rows, layers, values, &quantity).diverging();
        map.details = by_row(it.roles.len(), n_layers, details);
        let title = format!("{quantity} of {}", component_name(component));
        Self {
            title,
            charts: vec![Chart::Map(map)],
            warnings: (0..2).filter_map(|nth| not_recalled(it, names, nth)).collect(),
            notes: notes(it, names, look),
        }
    }
}

/// Such as `, layers 6 to 7`.
fn place(it: &TraceDifference, nth: usize, column: usize) -> String {
    match it.place(nth, column) {
        (layer, 0.0) => format!(", layer {layer}"),
        (layer, _) => format!(", layers {layer} to {}", layer + 1),
    }
}

fn not_recalled(it: &TraceDifference, names: [&str; 2], nth: usize) -> Option<String> {
    let clean = &it.clean[nth];
    (clean.rank > 0).then(|| {
        format!(
            "The {} is not recalled: {} likelier than {}; its map is of an answer that the model does \
             not give",
            names[nth],
            if clean.rank == 1 { "1 token is".to_owned() } else { format!("{} tokens are", clean.rank) },
            answer_piece(&it.prompts[nth])
        )
    })
}

fn notes(it: &TraceDifference, names: [&str; 2], look: &Look<'_>) -> Vec<String> {
    let Correlation { n, spearman, pearson } = it.likeness;
    let number = |it: Option<f64>| it.map_or_else(|| "none".to_owned(), |it| signed(it as f32, 3));
    let recall = |(name, (clean, prompt)): (&str, (&Measurement, &TokenizedPrompt))| {
        let prob = significant(clean.prob, 3);
        let how = if clean.rank == 0 { "recalled" } else { "not recalled" };
        format!("{name} {how}, p({}) {prob}", answer_piece(prompt))
    };
    let recalls = names.into_iter().zip(it.clean.iter().zip(&it.prompts)).map(recall);
    let totals = it.total_effects.map(|it| significant(it, 4));
    let [first, second] = names;
    let mut notes = vec![
        format!(
            "Spearman {}  ·  Pearson {}, over {n} cells from the subject on",
            number(spearman),
            number(pearson)
        ),
        capitalized(&recalls.collect::<Vec<_>>().join("  ·  ")),
        format!("Total effect of the corruption: {first} {}  ·  {second} {}", totals[0], totals[1]),
        format!(
            "Blue does more for the {first}, red for the {second}. Tokens are paired by their role and \
             averaged where there are several, layers by their {}",
            if it.is_by_depth() { "depth" } else { "number" }
        ),
    ];
    if it.is_by_depth() {
        let [a, b] = it.n_layers;
        notes.push(format!(
            "The {first} has {a} layers, the {second} {b}: a hidden state stands where as large a share \
             of them is passed, and effects between two layers are taken in a straight line"
        ));
    } else {
        look.explain_planted(&mut notes);
    }
    notes.extend(it.prompts.iter().map(prompt));
    notes
}
