//! The figure of Geva et al. 2023: what the answer's probability loses where attention is cut.

use super::Look;
use crate::analysis::Metric;
use crate::analysis::attention_knockout::{AttentionKnockout, Edges};
use crate::figure::words::{
    is_long, joined, long_answer, metric_name, not_first_guess, positions_name, reading,
};
use crate::figure::{Chart, Figure, Lines, Series};
use crate::tokens::TokenizedPrompt;

pub(super) fn figure(knockout: &AttentionKnockout, look: &Look<'_>) -> Figure {
    let prompt = &knockout.prompt;
    // Only a probability has a relative change.
    let metric = match look.metric {
        Metric::AnswerProb if is_long(prompt.answer.as_ref()) => Metric::AnswerProb,
        _ => Metric::Prob,
    };
    let quantity = metric_name(metric, prompt);
    let n_layers = knockout.cut.n_columns();
    let edges: Vec<String> =
        knockout.spec.edges.iter().map(|edges| edges_name(edges, prompt)).collect();
    let series = edges.iter().enumerate().map(|(nth, edges)| {
        let percent = |layer| {
            let change = knockout.relative_change(nth, layer, metric);
            change.map_or(f32::NAN, |change| 100.0 * change)
        };
        Series::new(&**edges, (0..n_layers).map(percent))
    });
    // A relative change of a small probability has no bound, so its mean over facts says little: that
    // of the logarithm does.
    let of_logs = edges.iter().enumerate().map(|(nth, edges)| {
        let change = |layer| knockout.log_change(nth, layer, metric).unwrap_or(f32::NAN);
        Series::new(&**edges, (0..n_layers).map(change))
    });
    let (layer_title, cut) = match knockout.spec.window {
        1 => ("Layer that is cut", "edges cut in one layer at a time".to_owned()),
        n => {
            let cut = format!("edges cut in {n} layers around each");
            ("Layer at the centre of the cut window", cut)
        }
    };
    let name = "Attention knockout";
    let lines = Lines::new(name, format!("Change of {quantity} (%)"), layer_title, series);
    let of_logs = Lines::new(name, format!("Change of ln {quantity}"), layer_title, of_logs);

    let mut notes =
        vec![format!("Clean {}  ·  {cut}", reading(metric, knockout.clean.get(metric)))];
    notes.extend(long_answer(metric, prompt));
    let mut warnings: Vec<String> = not_first_guess(&knockout.clean, prompt).into_iter().collect();
    if prompt.subject.as_ref().is_some_and(|subject| subject.start == 0) {
        warnings.push(
            "The subject is at position 0, where attention rests whatever stands there: cutting it \
             off cuts more than the subject. BOS avoids that"
                .to_owned(),
        );
    }
    let n_cells = knockout.cut.values().len();
    let n_done = knockout.cut.values().iter().flatten().count();
    if n_done < n_cells {
        notes.push(format!("{n_done} of {n_cells} computed"));
    }
    notes.push(
        "% change, 100 · (p cut − p) / p. From the tokens looked at → to the token that looks, all \
         heads cut (scores set to −∞). Non-subject: every other token before the last. Below 0 the \
         path was needed (Geva et al. 2023)"
            .to_owned(),
    );
    Figure {
        title: format!("Attention knockout — {quantity} without {}", joined(&edges)),
        charts: vec![Chart::Lines(lines)],
        undrawn: vec![Chart::Lines(of_logs)],
        notes,
        warnings,
        ..Figure::default()
    }
}

/// `subject → last`.
fn edges_name(edges: &Edges, prompt: &TokenizedPrompt) -> String {
    let name = |positions| positions_name(positions, prompt);
    format!("{} → {}", name(&edges.from), name(&edges.to))
}
