//! What each head and MLP tells the receivers over direct paths.

use super::{Look, head_map, largest_heads, size};
use crate::analysis::path_patching::{Between, PathPatching};
use crate::analysis::{HeadInput, Receiver};
use crate::figure::words::{at, joined, metric_name, metric_or_prob, reading};
use crate::figure::{Chart, Figure, Lines, Series};

pub(super) fn figure(it: &PathPatching, look: &Look<'_>) -> Figure {
    let metric = metric_or_prob(look.metric, &it.clean);
    let name = metric_name(metric, &it.prompt);
    let quantity = format!("Change of {name}");
    let value = |layer: usize, head: usize| {
        let found = it.heads.get(layer, head).and_then(Option::as_ref);
        it.change(found, metric).unwrap_or(f32::NAN)
    };
    let map = head_map("Heads", &quantity, size(&it.heads), look, value);
    let largest = largest_heads(&map, look);
    let mlps = it.mlps.iter().map(|it_| it.change(it_.as_ref(), metric).unwrap_or(f32::NAN));
    let lines = Lines::new("MLPs", &quantity, "Layer of the MLP", [Series::new("MLP", mlps)]);
    let receivers: Vec<String> = it.spec.receivers.iter().map(ToString::to_string).collect();
    let between = match it.spec.between {
        Between::Recomputed => "MLPs between react, other heads keep their clean outputs",
        Between::Frozen => "everything between keeps its clean output",
    };
    let mut notes = vec![
        format!(
            "Only the paths from one part to {} {} carry what the part wrote in “{}”; {between} (Wang et \
             al. 2022). {}. Undisturbed {name} {}",
            joined(&receivers),
            at(&it.spec.receiver_positions, &it.prompt),
            it.spec.donor.text,
            super::activation_patching::paired(&it.spec.pairs, &it.spec.donor, &it.prompt),
            reading(metric, it.clean.get(metric)),
        ),
        "Hatched: no such path, or not computed".to_owned(),
    ];
    let is_key = |it: &Receiver| {
        matches!(it, Receiver::Head { input: HeadInput::Key | HeadInput::Value, .. })
    };
    if it.spec.receivers.iter().any(is_key) {
        notes.extend(look.about_key_heads(it.heads.n_columns()));
    }
    Figure {
        title: format!("Paths to {} — {quantity}", joined(&receivers)),
        charts: vec![Chart::Map(map), largest, Chart::Lines(lines)],
        notes,
        ..Figure::default()
    }
}
