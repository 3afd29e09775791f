//! What the answer loses without each head, or without each layer's parts.

use super::{Look, by_row, head_map, largest_heads, size};
use crate::analysis::Metric;
use crate::analysis::ablation::{Ablation, Part, Replacement};
use crate::figure::number::{signed, significant};
use crate::figure::words::{
    answer_piece, at, listed_as, long_answer, metric_name, metric_or_prob, not_first_guess,
    reading, rises,
};
use crate::figure::{Chart, Figure, Lines, Series};

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
    Figure {
        title: format!("{quantity} without {}", part_name(ablation.spec.part)),
        charts,
        notes: notes(ablation, metric, look),
        warnings: not_first_guess(&ablation.clean, prompt).into_iter().collect(),
        ..Figure::default()
    }
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
    if rises(metric) {
        notes.push(
            "Of a rank or a divergence above 0, for they rise as the answer is lost".to_owned(),
        );
    }
    notes
}
