//! The corruption bench: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::corruption::draws;
use super::{About, Study, all_ui, as_trace_ui, values_ui, window_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{Component, Map, Severed};
use crate::analysis::corruption::Draws;
use crate::analysis::corruption_bench::{Entry, LeftOut, Spec};
use crate::experiment::CorruptionKind;
use crate::figure::Effect;
use crate::ui::state::TraceSettings;
use crate::ui::widgets::severing_ui;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    component: Component,

    /// How many layers are restored together, beside single layers. `None` until it is set.
    pub(super) window: Option<usize>,
    sever: Option<Severed>,

    /// `None` severs all layers.
    sever_layers: Option<usize>,

    /// Whether recoveries are shown, not the metric itself.
    shows_recovery: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            component: Component::Mlp,
            window: None,
            sever: None,
            sever_layers: None,
            shows_recovery: true,
        }
    }
}

/// What the subject becomes, as the maps are called.
const CORRUPTIONS: [(&str, CorruptionKind); 6] = [
    ("Gaussian noise", CorruptionKind::Gaussian),
    ("one other (STR)", CorruptionKind::Counterpart),
    ("same relation", CorruptionKind::SameRelation),
    ("random tokens", CorruptionKind::RandomTokens),
    ("mean subject", CorruptionKind::Mean),
    ("zeros", CorruptionKind::Zero),
];

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        if about.prompt.subject.is_none() {
            return Err("Mark the subject: it is what is corrupted".to_owned());
        }
        let mut trace = about.trace(self.component, self.window)?;
        let windows = if trace.window == 1 { vec![1] } else { vec![1, trace.window] };
        (trace.sever, trace.sever_layers) =
            Severed::in_layers(self.sever, self.sever_layers, about.n_layers());
        trace.map = Map::Tokens;
        let (mut made, mut left_out) = (Vec::new(), Vec::new());
        for (name, kind) in CORRUPTIONS {
            let name = name.to_owned();
            match draws(kind, &trace, about) {
                Ok(Draws { corruption, n_samples, .. }) => {
                    made.push(Entry { name, corruption, n_samples });
                }
                Err(reason) => left_out.push(LeftOut { name, reason }),
            }
        }
        Ok(AnalysisSpec::CorruptionBench(Spec { trace, corruptions: made, windows, left_out }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::CorruptionBench(_))
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Restore");
            all_ui(ui, &mut self.component);
            ui.add_space(6.0);
            if self.component != Component::Hidden {
                let text =
                    "How many layers are restored together; single layers always stand beside";
                window_ui(ui, &mut self.window, about, text);
                ui.add_space(6.0);
            }
            severing_ui(ui, &mut self.sever, &mut self.sever_layers, about.n_layers());
        });
        ui.horizontal_wrapped(|ui| {
            ui.label("Maps show");
            let recovery =
                "The share of what the corruption takes that comes back: the same scale for all";
            let values = [
                (true, "recovery", recovery),
                (false, "the metric itself", "The metric in each patched run"),
            ];
            values_ui(ui, &mut self.shows_recovery, values);
        });
        let trace = TraceSettings { sever: None, ..about.trace_settings.clone() };
        as_trace_ui(ui, &trace.summary());
    }

    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.window)
    }

    fn has_metric(&self) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        if self.shows_recovery { Effect::Recovery } else { Effect::Score }
    }
}
