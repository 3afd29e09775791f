//! Variants of the trace: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::corruption::draws;
use super::{About, Study, all_ui, as_trace_ui, corruption_ui, values_ui, window_ui};
use crate::analysis::causal_trace::{Component, Map};
use crate::analysis::{AnalysisSpec, Positions};
use crate::experiment::CorruptionKind;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    component: Component,
    kind: CorruptionKind,
    map: MapKind,

    /// How many layers are restored together, token by token. `None` until it is set.
    pub(super) window: Option<usize>,
}

/// What the columns of the map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum MapKind {
    Tokens,
    Heads,
    Subject,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            component: Component::Mlp,
            kind: CorruptionKind::SameRelation,
            map: MapKind::Tokens,
            window: None,
        }
    }
}

const MAPS: [(MapKind, &str, &str); 3] = [
    (MapKind::Tokens, "token by token", "At each token by itself, as in ROME"),
    (MapKind::Heads, "heads", "One head at a time, at the subject's tokens"),
    (
        MapKind::Subject,
        "the whole subject",
        "All the subject's tokens together, in windows of several widths",
    ),
];

/// Widths of windows over which hidden states, MLPs or attention are restored at all subject tokens.
const WIDTHS: [usize; 4] = [1, 3, 5, 10];

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        if about.prompt.subject.is_none() {
            return Err("Mark the subject: it is what is corrupted".to_owned());
        }
        let component = match self.map {
            MapKind::Heads => Component::Attn,
            MapKind::Tokens | MapKind::Subject => self.component,
        };
        let mut spec = about.trace(component, self.window)?;
        let draws = draws(self.kind, &spec, about)?;
        (spec.corruption, spec.n_samples) = (draws.corruption, draws.n_samples);
        match self.map {
            MapKind::Tokens => {}
            MapKind::Heads => {
                spec.map = Map::Heads { at: Positions::Subject };
                spec.window = 1;
            }
            MapKind::Subject => {
                let n_layers = about.n_layers();
                let widths = WIDTHS.into_iter().filter(|width| *width <= n_layers).collect();
                spec.map = Map::Together { at: Positions::Subject, widths };
                // The widths of the map say how many layers are restored together.
                spec.window = 1;
            }
        }
        Ok(AnalysisSpec::CausalTrace(spec))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::CausalTrace(_))
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| corruption_ui(ui, &mut self.kind));
        ui.horizontal_wrapped(|ui| {
            ui.label("Restore");
            values_ui(ui, &mut self.map, MAPS);
        });
        if self.map != MapKind::Heads {
            ui.horizontal_wrapped(|ui| {
                ui.label("Of");
                all_ui(ui, &mut self.component);
                if self.map == MapKind::Tokens && self.component != Component::Hidden {
                    let text = "How many layers are restored together around each cell";
                    window_ui(ui, &mut self.window, about, text);
                }
            });
        }
        as_trace_ui(ui, &about.trace_settings.summary());
    }

    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.window)
    }

    fn has_metric(&self) -> bool {
        true
    }
}
