use std::sync::Arc;

use eframe::egui::{Label, Slider, SliderClamping, Ui};
use serde::{Deserialize, Serialize};

use super::{About, Study};
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{Component, Map, Severed};
use crate::analysis::corruption::{Corruption, SubjectsOf};
use crate::analysis::corruption_bench::{Entry, LeftOut, Spec};
use crate::figure::Effect;
use crate::ui::widgets::{keep_together, severing_ui};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    component: Component,

    /// Beside single layers. Nothing: as many as the trace's settings say.
    window: Option<usize>,
    sever: Option<Severed>,

    /// Nothing: all there are.
    sever_layers: Option<usize>,

    /// Whether recoveries are shown, not the metric itself.
    shows_recovery: bool,
}

/// Of the window, in points: the slider and its number.
const SLIDER_WIDTH: f32 = 160.0;

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

impl Settings {
    fn window(&self, about: &About<'_>) -> usize {
        self.window.unwrap_or(about.trace_window).max(1)
    }
}

/// What the subject becomes, or why it cannot.
fn corruptions(
    about: &About<'_>,
    seed: u32,
) -> [(&'static str, Result<Corruption, &'static str>); 6] {
    const NO_RELATION: &str = "the dataset names no relation of this fact";
    const NONE_ALIKE: &str = "no other subject of this relation has as many tokens";
    let ids = (about.substitutes)(SubjectsOf::Relation);
    let has_relation = about.record.is_some_and(|it| it.relation.is_some());
    let missing = if has_relation { NONE_ALIKE } else { NO_RELATION };
    let nth = seed as usize % ids.len().max(1);
    let other = ids.get(nth).map(|it| Arc::from(it.as_slice())).ok_or(missing);
    let others = if ids.is_empty() {
        Err(missing)
    } else {
        Ok(Corruption::OtherSubjects { of: SubjectsOf::Relation, ids })
    };
    let mean = if about.subjects.is_empty() {
        Err("it is taken over the subjects of a dataset, and none is open")
    } else {
        Ok(Corruption::Mean { tokens: Arc::clone(about.subjects) })
    };
    [
        ("Gaussian noise", Ok(Corruption::default())),
        ("one other (STR)", other.map(|ids| Corruption::Counterpart { ids })),
        ("same relation", others),
        ("random tokens", Ok(Corruption::RandomTokens)),
        ("mean subject", mean),
        ("zeros", Ok(Corruption::Zero)),
    ]
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        if about.prompt.subject.is_none() {
            return Err("Mark the subject: it is what is corrupted".to_owned());
        }
        let mut trace = about
            .trace
            .clone()
            .ok_or("The noise is still being measured on the dataset's subjects")?;
        let windows = match self.window(about) {
            _ if self.component == Component::Hidden => vec![1],
            1 => vec![1],
            window => vec![1, window],
        };
        trace.component = self.component;
        trace.window = windows[windows.len() - 1];
        (trace.sever, trace.sever_layers) =
            Severed::in_layers(self.sever, self.sever_layers, about.n_layers());
        trace.map = Map::Tokens;
        let (mut made, mut left_out) = (Vec::new(), Vec::new());
        for (name, corruption) in corruptions(about, trace.seed) {
            let name = name.to_owned();
            match corruption {
                Ok(corruption) => {
                    let n_samples = match &corruption {
                        Corruption::OtherSubjects { ids, .. } => trace.n_samples.min(ids.len()),
                        it if it.is_drawn() => trace.n_samples,
                        _ => 1,
                    };
                    made.push(Entry { name, corruption, n_samples });
                }
                Err(reason) => left_out.push(LeftOut { name, reason: reason.to_owned() }),
            }
        }
        Ok(AnalysisSpec::CorruptionBench(Spec { trace, corruptions: made, windows, left_out }))
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Restore");
            for (component, name, tooltip) in [
                (Component::Hidden, "Hidden states", "The residual stream after one layer"),
                (Component::Mlp, "MLPs", "What the MLPs of a window of layers add"),
                (Component::Attn, "Attention", "What attention adds in a window of layers"),
            ] {
                ui.selectable_value(&mut self.component, component, name).on_hover_text(tooltip);
            }
            ui.add_space(6.0);
            keep_together(ui, "Window", SLIDER_WIDTH);
            let has_window = self.component != Component::Hidden;
            let mut window = self.window(about);
            let tooltip = "How many layers are restored together; single layers always stand \
                           beside. Hidden states are restored one at a time";
            let label = ui.add_enabled(has_window, Label::new("Window"));
            let slider =
                Slider::new(&mut window, 1..=about.n_layers()).clamping(SliderClamping::Edits);
            let slider = ui.add_enabled(has_window, slider).labelled_by(label.id);
            if slider.on_hover_text(tooltip).changed() {
                self.window = Some(window);
            }
            ui.add_space(6.0);
            severing_ui(ui, &mut self.sever, &mut self.sever_layers, about.n_layers());
        });
        ui.horizontal_wrapped(|ui| {
            ui.label("Maps show");
            ui.selectable_value(&mut self.shows_recovery, true, "recovery").on_hover_text(
                "The share of what the corruption takes that comes back: the same scale for all",
            );
            ui.selectable_value(&mut self.shows_recovery, false, "the metric itself")
                .on_hover_text("In each patched run");
        });
        ui.weak("Direction, noise, samples and seed are those of the causal trace");
    }

    fn has_metric(&self) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        if self.shows_recovery { Effect::Recovery } else { Effect::Score }
    }
}
