//! A logit that is split up, as a sum that grows with depth or part by part.

use serde::{Deserialize, Serialize};

use super::parts::{depth_part, named};
use crate::analysis::logit_attribution::{LogitAttribution, Parts};
use crate::analysis::running_sum::Step;
use crate::figure::number::signed;
use crate::figure::{Bar, Bars, DepthPart, Lines, Pick, Series, Waterfall};

/// How a logit that is split up is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributionForm {
    /// A bar for what each part adds.
    #[default]
    Parts,

    /// The sum of all parts up to each depth.
    RunningSum,

    /// A bar for what each part adds, from where the one before ended.
    Waterfall,
}

impl AttributionForm {
    /// Says which sum is shown, and where it ends. `None` where none is shown.
    pub fn explain(self, attribution: &LogitAttribution) -> Option<String> {
        if self == Self::Parts {
            return None;
        }
        let start = attribution.running_sum().start;
        let (biases, parts) = match attribution.spec.by {
            Parts::Layers => ("", "attention and MLP"),
            Parts::Heads => (", all attention biases", "heads and MLP"),
        };
        let order = match (self, attribution.spec.by) {
            (Self::Waterfall, Parts::Heads) => {
                "then the largest parts by size, then all others as one".to_owned()
            }
            _ => format!("then {parts} of one layer after the other"),
        };
        let (start, end) = (signed(start, 3), signed(attribution.sum(), 3));
        let last = match attribution.prompt.foil {
            Some(_) => "logit difference",
            None => "logit",
        };
        Some(format!(
            "The sum starts with the embeddings{biases} and the final layer norm's bias ({start}), \
             {order}, all under the scale that the final layer norm has at the end. Its last value \
             ({end}) is the {last}",
        ))
    }
}

/// What the logit would be if it were read after each attention and each MLP with the last layer
/// norm's scale.
pub(super) fn running_sums(attribution: &LogitAttribution) -> Lines {
    let steps = attribution.running_sum().steps;
    let n_layers = steps.iter().map(|it| it.layer() + 1).max().unwrap_or(0);
    let series = |name: &str, is_meant: fn(&Step) -> bool| {
        let mut values = vec![f32::NAN; n_layers];
        // The last head of a layer has the last word.
        for step in steps.iter().filter(|it| is_meant(it)) {
            values[step.layer()] = step.after;
        }
        Series::new(name, values)
    };
    Lines::new(
        "Running sum",
        "Sum so far (logits)",
        "Up to and with layer",
        [
            series("after its MLP", Step::is_mlp),
            series("after its attention", |step| !step.is_mlp()),
        ],
    )
}

/// The waterfall: all parts in order of depth by layer; by head the largest, and the others as one.
pub(super) fn waterfall(attribution: &LogitAttribution, n_listed: usize) -> Waterfall {
    let sum = attribution.running_sum();
    let mut steps = sum.steps;
    let mut n_others = 0;
    if attribution.spec.by == Parts::Heads {
        steps.sort_by(|a, b| b.logit.abs().total_cmp(&a.logit.abs()));
        n_others = steps.len().saturating_sub(n_listed);
    }
    let others = steps.split_off(steps.len() - n_others);
    let mut so_far = f64::from(sum.start);
    let total = |label: &str, value: f32| Bar::new(label, value);
    let mut bars = vec![total("Embeddings and biases", sum.start)];
    let mut starts = vec![0.0];
    let mut add = |(label, pick): (String, Pick), value: f64| {
        bars.push(Bar::new(label, value as f32).about(pick));
        starts.push(so_far as f32);
        so_far += value;
    };
    for step in &steps {
        add(named(step.component), f64::from(step.logit));
    }
    let is_by_depth = attribution.spec.by == Parts::Layers;
    let of_steps = steps.iter().map(|it| depth_part(it.component));
    let parts = [DepthPart::Embedding].into_iter().chain(of_steps).chain([DepthPart::Sum]);
    if !others.is_empty() {
        let label = format!("{n_others} other parts");
        add((label, Pick::default()), others.iter().map(|it| f64::from(it.logit)).sum());
    }
    let is_difference = attribution.prompt.foil.is_some();
    bars.push(total(if is_difference { "Logit difference" } else { "Logit" }, attribution.logit));
    starts.push(0.0);
    let (name, quantity) = ("Waterfall".to_owned(), "Contribution (logits)".to_owned());
    let parts = parts.filter(|_| is_by_depth).collect();
    Waterfall { bars: Bars { name, quantity, bars, parts }, starts }
}
