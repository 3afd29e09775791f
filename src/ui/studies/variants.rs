use std::sync::Arc;

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Study, choice_ui};
use crate::analysis::causal_trace::{Component, Map};
use crate::analysis::corruption::{Closeness, Corruption, NoiseEntry, NoiseShape, SubjectsOf};
use crate::analysis::{AnalysisSpec, Positions};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    component: Component,
    kind: Kind,
    map: MapKind,
}

/// What the subject becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Gaussian,
    GaussianPerDimension,
    Uniform,
    Replaced,
    NearestByCosine,
    NearestByDistance,
    SameRelation,
    AnySubject,
    Counterpart,
    RandomTokens,
    Zero,
    Mean,
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
        Self { component: Component::Mlp, kind: Kind::SameRelation, map: MapKind::Tokens }
    }
}

/// Widths of windows over which hidden states, MLPs or attention are restored at all subject tokens.
const WIDTHS: [usize; 4] = [1, 3, 5, 10];

impl Kind {
    const ALL: [Self; 12] = [
        Self::Gaussian,
        Self::GaussianPerDimension,
        Self::Uniform,
        Self::Replaced,
        Self::NearestByCosine,
        Self::NearestByDistance,
        Self::SameRelation,
        Self::AnySubject,
        Self::Counterpart,
        Self::RandomTokens,
        Self::Zero,
        Self::Mean,
    ];

    fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Gaussian => ("Gaussian noise", "Added to its embeddings, as ROME does"),
            Self::GaussianPerDimension => {
                ("Gaussian noise per dimension", "Each dimension with the spread of its own")
            }
            Self::Uniform => ("uniform noise", "ROME's uniform_noise"),
            Self::Replaced => ("noise instead", "Noise in place of its embeddings: ROME's replace"),
            Self::NearestByCosine => (
                "nearest tokens, by angle",
                "The tokens that noisy embeddings are nearest to: a corruption that can be read",
            ),
            Self::NearestByDistance => {
                ("nearest tokens, by distance", "The same by Euclidean distance")
            }
            Self::SameRelation => (
                "others of the relation",
                "Other subjects of the same relation and length: resampling (Chan et al. 2022)",
            ),
            Self::AnySubject => ("any other subjects", "Other subjects of the same length"),
            Self::Counterpart => (
                "one other subject",
                "Symmetric token replacement, which Zhang & Nanda 2024 prefer to noise",
            ),
            Self::RandomTokens => ("random tokens", "As a baseline"),
            Self::Zero => ("zeros", "In place of its embeddings"),
            Self::Mean => ("the mean subject", "The mean embedding of the dataset's subjects"),
        }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        if about.prompt.subject.is_none() {
            return Err("Mark the subject: it is what is corrupted".to_owned());
        }
        let mut spec = about
            .trace
            .clone()
            .ok_or("The noise is still being measured on the dataset's subjects")?;
        spec.component = self.component;
        let noise = |shape, entry| Corruption::Noise { shape, entry };
        let others = |of: SubjectsOf| {
            let ids = (about.substitutes)(of);
            if ids.is_empty() {
                return Err("No other subject of the dataset has as many tokens".to_owned());
            }
            Ok(ids)
        };
        spec.corruption = match self.kind {
            Kind::Gaussian => noise(NoiseShape::Gaussian, NoiseEntry::Added),
            Kind::GaussianPerDimension => {
                noise(NoiseShape::GaussianPerDimension, NoiseEntry::Added)
            }
            Kind::Uniform => noise(NoiseShape::Uniform, NoiseEntry::Added),
            Kind::Replaced => noise(NoiseShape::Gaussian, NoiseEntry::Replaced),
            Kind::NearestByCosine => Corruption::NearestTokens { by: Closeness::Cosine },
            Kind::NearestByDistance => Corruption::NearestTokens { by: Closeness::Distance },
            Kind::SameRelation => {
                let ids = others(SubjectsOf::Relation)?;
                spec.n_samples = spec.n_samples.min(ids.len());
                Corruption::OtherSubjects { of: SubjectsOf::Relation, ids }
            }
            Kind::AnySubject => {
                let ids = others(SubjectsOf::All)?;
                spec.n_samples = spec.n_samples.min(ids.len());
                Corruption::OtherSubjects { of: SubjectsOf::All, ids }
            }
            Kind::Counterpart => {
                let ids = others(SubjectsOf::Relation)?;
                let nth = spec.seed as usize % ids.len();
                Corruption::Counterpart { ids: Arc::from(ids[nth].as_slice()) }
            }
            Kind::RandomTokens => Corruption::RandomTokens,
            Kind::Zero => Corruption::Zero,
            Kind::Mean => Corruption::Mean { tokens: Arc::clone(about.subjects) },
        };
        if !spec.corruption.is_drawn() {
            spec.n_samples = 1;
        }
        let window = about.trace_window.max(1);
        match self.map {
            MapKind::Tokens => {
                spec.map = Map::Tokens;
                spec.window = if self.component == Component::Hidden { 1 } else { window };
            }
            MapKind::Heads => {
                spec.map = Map::Heads { at: Positions::Subject };
                spec.component = Component::Attn;
                spec.window = 1;
            }
            MapKind::Subject => {
                let n_layers = about.n_layers();
                let widths = WIDTHS.into_iter().filter(|width| *width <= n_layers).collect();
                spec.map = Map::Together { at: Positions::Subject, widths };
            }
        }
        Ok(AnalysisSpec::CausalTrace(spec))
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let about = self.kind.about().1;
            choice_ui(ui, "Subject becomes", about, &mut self.kind, &Kind::ALL, Kind::about);
        });
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
                    (Component::Attn, "attention"),
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
