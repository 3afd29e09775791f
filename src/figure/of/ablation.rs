//! What the answer loses without each head, or without each layer's parts.

use super::reach::kind_name;
use super::{Look, by_row, head_map, largest_heads, size};
use crate::analysis::ablation::{Ablation, Lost, Part, Replacement, WithoutMost};
use crate::analysis::{Measurement, Metric};
use crate::figure::number::{signed, significant};
use crate::figure::words::{
    answer_piece, at, joined, listed_as, long_answer, metric_name, metric_or_prob, not_first_guess,
    reading, rises,
};
use crate::figure::{Cell, Chart, Figure, Lines, Row, Series, Table};

pub(super) fn figure(ablation: &Ablation, look: &Look<'_>) -> Figure {
    let prompt = &ablation.prompt;
    let metric = metric_or_prob(look.metric, &ablation.clean);
    let quantity = format!("Change of {}", metric_name(metric, prompt));
    let change = |layer, column| ablation.change(layer, column, metric).unwrap_or(f32::NAN);
    let [n_layers, n_columns] = size(&ablation.ablated);
    let lines = |name: &str| {
        let series = Series::new(name, (0..n_layers).map(|layer| change(layer, 0)));
        vec![Chart::Lines(Lines::new("Ablation of layers", &quantity, "Layer", [series]))]
    };
    let charts = match ablation.spec.part {
        Part::Heads => {
            let size = [n_layers, n_columns];
            let mut map = head_map("Ablation of heads", &quantity, size, look, change);
            map.details = by_row(n_columns, n_layers, |head, layer| details(ablation, layer, head));
            let largest = largest_heads(&map, look);
            vec![Chart::Map(map), largest]
        }
        Part::Attn => lines("Attention"),
        Part::Mlp => lines("MLP"),
        Part::Layers => lines("Attention and MLP"),
    };
    let mut charts = charts;
    charts.extend(ablation.together.iter().flat_map(together));
    Figure {
        title: format!("{quantity} without {}", part_name(ablation.spec.part)),
        charts,
        notes: notes(ablation, metric, look),
        warnings: not_first_guess(&ablation.clean, prompt).into_iter().collect(),
        ..Figure::default()
    }
}

/// What each prompt loses without the parts that matter most, and without as many others.
fn together(it: &WithoutMost) -> impl Iterator<Item = Chart> {
    let n = it.parts.len();
    let table = move |lost: &Lost| {
        let columns = [
            "p(right)",
            "p without these",
            "p without others",
            "Change of ln p without these",
            "Change of ln p without others",
            "Rank",
            "Rank without these",
            "Rank without others",
        ];
        let mean = |of: fn(&Measurement) -> f32| {
            lost.without_random.iter().map(of).sum::<f32>() / lost.without_random.len() as f32
        };
        let rank = |it: &Measurement| it.rank as f32 + 1.0;
        let numbers = [
            lost.clean.prob,
            lost.without.prob,
            mean(|it| it.prob),
            lost.without.log_prob - lost.clean.log_prob,
            mean(|it| it.log_prob) - lost.clean.log_prob,
            rank(&lost.clean),
            rank(&lost.without),
            mean(|it| it.rank as f32 + 1.0),
        ];
        let kind = kind_name(lost.kind);
        let name = format!("Without the {n} parts that matter most, together: {kind}");
        Chart::Table(Table::new(name, columns, [Row::new(numbers.map(Cell::Number))]))
    };
    it.lost.iter().map(table)
}

/// What is left out, in a sentence: “without each head”.
pub(super) fn part_name(part: Part) -> &'static str {
    match part {
        Part::Heads => "each head",
        Part::Attn => "each layer's attention",
        Part::Mlp => "each layer's MLP",
        Part::Layers => "each layer",
    }
}

/// What the model says without the part.
fn details(ablation: &Ablation, layer: usize, column: usize) -> String {
    let found = ablation.ablated.get(layer, column).and_then(Option::as_ref);
    let Some(found) = found else { return String::new() };
    let clean = &ablation.clean;
    format!(
        "p({})  {} → {}\nlogit  {}\nrank  {} → {}",
        answer_piece(&ablation.prompt),
        significant(clean.prob, 4),
        significant(found.prob, 4),
        signed(found.logit - clean.logit, 3),
        clean.rank + 1,
        found.rank + 1,
    )
}

/// In a sentence: “replaced by zeros”.
pub(super) fn replaced_by(replacement: &Replacement, look: &Look<'_>) -> String {
    match replacement {
        Replacement::Zero => "zeros".to_owned(),
        Replacement::Mean { prompts } => format!("the mean over {}", listed_as(prompts, "prompt")),
        Replacement::Resample { ids } => format!("that of the prompt {}", look.text(ids)),
    }
}

fn notes(ablation: &Ablation, metric: Metric, look: &Look<'_>) -> Vec<String> {
    let prompt = &ablation.prompt;
    let by = replaced_by(&ablation.spec.replacement, look);
    let clean = reading(metric, ablation.clean.get(metric));
    let at = at(&ablation.spec.positions, prompt);
    let mut notes = vec![format!("Clean {clean}  ·  replaced by {by} {at}")];
    notes.extend(long_answer(metric, prompt));
    let n_cells = ablation.ablated.values().len();
    let n_done = ablation.ablated.values().iter().flatten().count();
    if n_done < n_cells {
        notes.push(format!("{n_done} of {n_cells} computed"));
    }
    notes.push(
        "Reading without the part − clean reading, all else running on: below 0 the part speaks for \
         the answer. Other parts may stand in for one that is missing (McGrath et al. 2023)"
            .to_owned(),
    );
    if let (Some(asked), Some(found)) = (&ablation.spec.together, &ablation.together) {
        let parts = found.parts.iter().map(|[layer, column]| match ablation.spec.part {
            Part::Heads => format!("L{layer} H{column}"),
            _ => format!("L{layer}"),
        });
        notes.push(format!(
            "Together: {}, those without which ln p of the fact falls most; others are as many that are \
             drawn at random, {} times, seed {}",
            joined(&parts.collect::<Vec<_>>()),
            asked.n_random,
            asked.seed,
        ));
    }
    if rises(metric) {
        notes.push(
            "Of a rank or a divergence above 0, for they rise as the answer is lost".to_owned(),
        );
    }
    notes
}
