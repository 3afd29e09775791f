//! More ways to split the answer's logit: settings, and what is asked with them.

use std::sync::Arc;

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Study, as_trace_ui, number_ui, values_ui};
use crate::analysis::attribution_difference::{ScaleOf, SecondRun};
use crate::analysis::causal_trace::Component;
use crate::analysis::logit_attribution::Parts;
use crate::analysis::neuron_attribution::Listing;
use crate::analysis::{
    AnalysisSpec, attribution_difference, neuron_attribution, source_attribution, through_head,
};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    by: By,
    n_top: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum By {
    Neurons,
    Sources,
    ThroughHead,
    Inverse,
    Noise,
}

impl Default for Settings {
    fn default() -> Self {
        Self { by: By::Neurons, n_top: 30 }
    }
}

const WAYS: [(By, &str, &str); 5] = [
    (
        By::Neurons,
        "neurons",
        "The neurons that add most to the answer's logit, or take most from it",
    ),
    (By::Sources, "source tokens", "What each head adds from each token that it looks at"),
    (
        By::ThroughHead,
        "paths through a head",
        "What each part of the residual stream adds by way of the head that is picked out, over both \
         layer norms",
    ),
    (By::Inverse, "fact − inverse", "What this prompt's parts add more than the inverse's"),
    (By::Noise, "clean − corrupted", "What is lost with noise on the subject, scale held fixed"),
];

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        Ok(match self.by {
            By::Neurons => AnalysisSpec::NeuronAttribution(neuron_attribution::Spec {
                n_top: self.n_top,
                listing: Listing::Overall,
            }),
            By::Sources => AnalysisSpec::SourceAttribution(source_attribution::Spec),
            By::ThroughHead => {
                let layer = about.selection.layer.filter(|it| *it < about.n_layers());
                let head = about.selection.head.filter(|it| *it < about.n_heads());
                let (Some(layer), Some(head)) = (layer, head) else {
                    return Err(
                        "Pick a head first, in the attention or in a map of heads".to_owned()
                    );
                };
                let by = Parts::Layers;
                AnalysisSpec::ThroughHead(through_head::Spec { layer, head, by })
            }
            By::Inverse => {
                let other = about.other.ok_or_else(|| about.alone())?;
                difference(SecondRun::Prompt { ids: Arc::from(other.ids.as_slice()) })
            }
            By::Noise => {
                if about.prompt.subject.is_none() {
                    return Err("Mark the subject: its embeddings are corrupted".to_owned());
                }
                let trace = about.trace_as_set(Component::Hidden)?;
                difference(SecondRun::Noise {
                    level: trace.noise,
                    rng: trace.rng,
                    seed: trace.seed,
                    n_samples: trace.n_samples,
                })
            }
        })
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(
            spec,
            AnalysisSpec::NeuronAttribution(_)
                | AnalysisSpec::SourceAttribution(_)
                | AnalysisSpec::AttributionDifference(_)
                | AnalysisSpec::ThroughHead(_)
        )
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("By");
            values_ui(ui, &mut self.by, WAYS);
        });
        if self.by == By::Neurons {
            ui.horizontal_wrapped(|ui| {
                let text = "How many neurons are listed";
                number_ui(ui, "Neurons", text, number_field(&mut self.n_top).range(1..=1000));
            });
        }
        if self.by == By::Noise {
            as_trace_ui(ui, &about.trace_settings.draws());
        }
    }
}

fn difference(second: SecondRun) -> AnalysisSpec {
    let (by, scale_of) = (Parts::Layers, ScaleOf::Clean);
    AnalysisSpec::AttributionDifference(attribution_difference::Spec {
        by,
        second,
        scale_of,
        n_top: None,
    })
}
