//! Traces averaged over facts: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::corruption::draws;
use super::{
    About, Asks, Study, as_trace_ui, choice_ui, corruption_ui, number_ui, window_of, window_ui,
};
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{self, Component, Corruption, Map};
use crate::analysis::trace_average::{FactDraws, Kept, Sample, Spec, StandIn, StandIns};
use crate::experiment::{Choices as _, CorruptionKind};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    restored: Restored,

    /// How many layers are restored together. `None` until it is set.
    pub(super) window: Option<usize>,
    corruption: CorruptionKind,
    n_facts: usize,
    of: Of,

    /// The seed of which facts are drawn.
    seed: u32,
    kept: Kept,

    /// Sessions that do not say it were made with shared ones, and find their averages again.
    #[serde(default)]
    draws: FactDraws,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Restored {
    /// Earlier versions could follow the trace view.
    #[serde(alias = "AsTrace")]
    All,
    Only(Component),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Of {
    AnyRelation,
    ThisRelation,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            restored: Restored::All,
            window: None,
            corruption: CorruptionKind::Gaussian,
            n_facts: 30,
            of: Of::AnyRelation,
            seed: 1,
            kept: Kept::Known,
            draws: FactDraws::Anew,
        }
    }
}

/// ROME's `known_1000.json` and more.
const MOST_FACTS: usize = 2000;

impl Restored {
    const ALL: [Self; 4] = [
        Self::All,
        Self::Only(Component::Hidden),
        Self::Only(Component::Mlp),
        Self::Only(Component::Attn),
    ];

    fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::All => ("all three, a map each", "Three times the work of one"),
            Self::Only(component) => (component.words().label, component.words().help),
        }
    }

    fn components(self) -> Vec<Component> {
        match self {
            Self::All => Component::ALL.into(),
            Self::Only(component) => vec![component],
        }
    }
}

impl Settings {
    /// Whether what is restored is restored in windows of layers; a single state has none.
    fn has_window(&self) -> bool {
        self.restored != Restored::Only(Component::Hidden)
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let relation = match self.of {
            Of::AnyRelation => None,
            Of::ThisRelation => {
                let relation = about.record.and_then(|record| record.relation.clone());
                Some(relation.ok_or(
                    "The dataset names no relation of this fact; average over any relation instead",
                )?)
            }
        };
        let sample =
            Sample { relation, direction: about.asked, n_facts: self.n_facts, seed: self.seed };
        let components = self.restored.components();
        let mut trace = about.trace(components[0], self.window)?;
        let stand_ins = if let Some(of) = self.corruption.stand_in() {
            if of == StandIn::Counterpart {
                trace.n_samples = 1;
            }
            // Each fact brings its own.
            trace.corruption = Corruption::default();
            let causal_trace::Spec { n_samples, seed, .. } = trace;
            Some(StandIns { of, direction: about.asked, n_samples, seed })
        } else {
            let draws = draws(self.corruption, &trace, about)?;
            (trace.corruption, trace.n_samples) = (draws.corruption, draws.n_samples);
            None
        };
        let drawn = (about.drawn)(&sample, stand_ins)?;
        // A window that has no part in it must not make another average.
        trace.window = if self.has_window() { window_of(self.window, about) } else { 1 };
        trace.map = Map::Tokens;
        Ok(AnalysisSpec::TraceAverage(Spec {
            trace,
            components,
            facts: drawn.facts,
            kept: self.kept,
            draws: self.draws,
            left_out: drawn.left_out,
            sample: Some(sample),
        }))
    }

    fn shows(&self, _: &AnalysisSpec) -> bool {
        // Averages are of many facts.
        false
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let text = "What is restored";
            choice_ui(ui, "Restore", text, &mut self.restored, &Restored::ALL, Restored::text);
            ui.add_space(6.0);
            if self.has_window() {
                let text = "How many layers are restored together around each cell of MLPs and \
                            attention";
                window_ui(ui, &mut self.window, about, text);
            }
            let text = "How many facts are drawn from the dataset, at most";
            let value = number_field(&mut self.n_facts).range(1..=MOST_FACTS);
            number_ui(ui, "Facts", text, value);
        });
        ui.horizontal_wrapped(|ui| {
            corruption_ui(ui, &mut self.corruption);
            ui.add_space(6.0);
            let text = "Which facts are drawn";
            let choices = [Of::AnyRelation, Of::ThisRelation];
            choice_ui(ui, "Of", text, &mut self.of, &choices, |it| match it {
                Of::AnyRelation => ("any relation", "Of the whole dataset"),
                Of::ThisRelation => ("this fact's relation", "Asked the same way"),
            });
            ui.add_space(6.0);
            let text = "Of which facts are drawn; more facts keep the first ones";
            number_ui(ui, "Facts' seed", text, number_field(&mut self.seed));
        });
        ui.horizontal_wrapped(|ui| {
            let mut keeps_all = self.kept == Kept::All;
            let tooltip = "Facts whose answer is not the model's first guess are left out as in ROME, \
                           unless this is set";
            ui.checkbox(&mut keeps_all, "Keep facts that are not known").on_hover_text(tooltip);
            self.kept = if keeps_all { Kept::All } else { Kept::Known };
            let mut are_shared = self.draws == FactDraws::Shared;
            let tooltip = "All facts are given the same draws, as in ROME; the intervals leave out how \
                           much the means would change with other draws";
            ui.checkbox(&mut are_shared, "Same draws for all facts").on_hover_text(tooltip);
            self.draws = if are_shared { FactDraws::Shared } else { FactDraws::Anew };
        });
        as_trace_ui(ui, &about.trace_settings.summary());
    }

    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.window)
    }

    fn has_metric(&self) -> bool {
        true
    }
}
