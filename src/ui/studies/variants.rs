//! Variants of the trace: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::corruption::draws;
use super::{About, Study, corruption_ui};
use crate::analysis::causal_trace::{Component, Map};
use crate::analysis::{AnalysisSpec, Positions};
use crate::experiment::CorruptionKind;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    component: Component,
    kind: CorruptionKind,
    map: MapKind,
}

/// What the map is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum MapKind {
    Tokens,
    Heads,
    Subject,
}

impl Default for Settings {
    fn default() -> Self {
        Self { component: Component::Mlp, kind: CorruptionKind::SameRelation, map: MapKind::Tokens }
    }
}

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
        let mut spec = about.trace(component)?;
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
                // The widths say it.
                spec.window = 1;
            }
        }
        Ok(AnalysisSpec::CausalTrace(spec))
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| corruption_ui(ui, &mut self.kind));
        ui.horizontal_wrapped(|ui| {
            ui.label("Restore");
            ui.selectable_value(&mut self.map, MapKind::Tokens, "token by token");
            ui.selectable_value(&mut self.map, MapKind::Heads, "heads")
                .on_hover_text("One head at a time, at the subject's tokens");
            ui.selectable_value(&mut self.map, MapKind::Subject, "the whole subject")
                .on_hover_text("All its tokens together, in windows of several widths");
        });
        if self.map != MapKind::Heads {
            ui.horizontal_wrapped(|ui| {
                ui.label("Of");
                for (component, name) in [
                    (Component::Hidden, "Hidden states"),
                    (Component::Mlp, "MLPs"),
                    (Component::Attn, "Attention"),
                ] {
                    ui.selectable_value(&mut self.component, component, name);
                }
            });
        }
        ui.weak("Direction, severing, noise, samples and seed are those of the causal trace");
    }

    fn has_metric(&self) -> bool {
        true
    }
}
