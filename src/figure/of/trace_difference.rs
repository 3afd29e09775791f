//! A fact's trace minus its inverse's or another fact's, tokens paired by their role.

use super::causal_trace::{component_name, patched};
use super::{Look, by_row, corruption};
use crate::analysis::causal_trace::CausalTrace;
use crate::analysis::comparison::TraceDifference;
use crate::analysis::{Correlation, Measurement};
use crate::figure::export::file_name;
use crate::figure::number::{exact, signed, significant};
use crate::figure::words::{
    answer_piece, capitalized, likelier, metric_name, metric_of_answers, no_effect, planted, prompt,
};
use crate::figure::{Chart, Figure, Map, Side};
use crate::tokens::TokenizedPrompt;

impl Figure {
    /// Red where the cell does more for the second, blue where it does more for the first. `names` as
    /// within a sentence. `first`: the first trace, with whose settings both were made.
    pub fn of_difference(
        it: &TraceDifference,
        names: [&str; 2],
        first: &CausalTrace,
        look: &Look<'_>,
    ) -> Self {
        let reading = metric_of_answers(it.metric);
        let name = format!("{} − {}", capitalized(&names[0]), names[1]);
        let quantity = format!("{name}, effect on {reading}");
        let n_layers = it.difference.n_columns();
        let marked =
            |from: usize| it.roles.iter().skip(from).take_while(|it| it.is_subject()).count();
        let start = it.roles.iter().position(|it| it.is_subject()).unwrap_or(0);
        let rows = Side::roles(&it.roles).marking(start..start + marked(start));
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
        map.missing = "not in both";
        let title = format!("{quantity} of {}", component_name(first.spec.component));
        Self {
            file_name: file_name(it.prompts.first(), "difference of traces"),
            title,
            charts: vec![Chart::Map(map)],
            warnings: (0..2).flat_map(|nth| warnings(it, names, nth)).collect(),
            notes: notes(it, names, first, look),
            ..Self::default()
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

/// What keeps one of the two maps from showing where its answer is recalled.
fn warnings(it: &TraceDifference, names: [&str; 2], nth: usize) -> Vec<String> {
    let (clean, name) = (&it.clean[nth], names[nth]);
    let metric = metric_name(it.metric, &it.prompts[nth]);
    let not_recalled = (clean.rank > 0).then(|| {
        format!(
            "The {name} is not recalled: {} likelier than {}; its map is of an answer that the model \
             does not give",
            likelier(clean.rank),
            answer_piece(&it.prompts[nth])
        )
    });
    let without_effect = no_effect(&metric, it.metric, it.total_effects[nth], clean.get(it.metric));
    let without_effect = without_effect.map(|text| format!("{}: {text}", capitalized(&name)));
    not_recalled.into_iter().chain(without_effect).collect()
}

fn notes(
    it: &TraceDifference,
    names: [&str; 2],
    trace: &CausalTrace,
    look: &Look<'_>,
) -> Vec<String> {
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
            "{}  ·  {}",
            patched(trace),
            corruption::settings(&trace.spec.draws(), Some(trace.noise_std), look)
        ),
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
        notes.extend(look.planted.map(planted));
    }
    notes.extend(it.prompts.iter().map(prompt));
    notes
}
