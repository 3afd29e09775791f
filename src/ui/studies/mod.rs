//! Analyses that are asked for beside the trace: their settings, and what is asked with them. One
//! file each. Their results are drawn from their figures.

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::{Response, Ui};
use serde::{Deserialize, Serialize};

use super::facts::{DrawnFacts, FactList};
use super::pane::{Pane, for_each_view};
use super::row::Row;
use super::state::TraceSettings;
use super::view::Selection;
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{self, Component, usual_window};
use crate::analysis::comparison::Second;
use crate::analysis::corruption::SubjectsOf;
use crate::analysis::edge_cut::Edge;
use crate::analysis::trace_average::{Sample, StandIns};
use crate::experiment::{Choices, CorruptionKind};
use crate::facts::{Direction, Fact, Record};
use crate::figure::Effect;
use crate::tokens::TokenizedPrompt;
use crate::ui::widgets::{Choice, NumberField, keep_together, number_field};
use crate::worker::ModelInfo;

mod ablation;
mod averages;
mod knockout;
mod other_prompt;
mod cell;
mod comparison;
pub mod cut;
mod corruption;
mod editing;
mod patching;
mod paths;
mod estimates;
mod variants;
mod bench;
mod stream;
mod parts;
mod heads;
mod weights;
mod graph;
mod generation;
mod steering;
mod windows;
mod word_field;

/// What a study may know of the fact that it is asked about.
pub struct About<'a> {
    pub info: &'a ModelInfo,
    pub prompt: &'a TokenizedPrompt,

    /// The prompt of the other row: the fact asked the other way, or the fact that is kept beside it.
    /// `None` where the fact has no inverse, or where the other row is of another model.
    pub other: Option<&'a TokenizedPrompt>,
    pub has_other_model: bool,
    pub beside: Second,

    pub row: Row,

    /// Which way the fact of this row is asked in it.
    pub asked: Direction,

    /// The fact as this row asks it.
    pub fact: Option<&'a Fact>,
    pub record: Option<&'a Record>,

    /// All right answers of both rows, and whether a person has chosen the one that is asked for.
    pub answers: [&'a [String]; 2],
    pub is_chosen: [bool; 2],

    /// All facts that are open.
    pub facts: &'a FactList,

    /// Layer, position and head picked out across the views.
    pub selection: Selection,

    /// Attention edges that are painted in the prompt.
    pub painted: &'a BTreeSet<Edge>,

    /// How the trace view's trace is made.
    pub trace_settings: &'a TraceSettings,

    /// The trace of a component, as the trace's settings describe it.
    pub traces: &'a dyn Fn(Component) -> Option<causal_trace::Spec>,

    /// The trace that the trace view shows, which may be one that a sweep has asked for.
    pub shown_trace: &'a dyn Fn() -> Option<causal_trace::Spec>,

    /// The tokens of all the dataset's subjects.
    pub subjects: &'a Arc<[u32]>,

    /// Other subjects of the dataset that can stand in the prompt.
    pub substitutes: &'a dyn Fn(SubjectsOf) -> Arc<[Vec<u32>]>,

    /// Prompts of the dataset that a mean can be taken over, or why there are none.
    pub many: &'a dyn Fn() -> Result<Arc<[Vec<u32>]>, String>,

    /// Facts of the dataset that are drawn to be averaged over, and others to stand in for their
    /// subjects if they are to; or why there are none.
    pub drawn: &'a DrawFacts<'a>,

    /// Another prompt of as many tokens, or why there is none.
    pub alike: &'a dyn Fn() -> Result<Arc<[u32]>, String>,
}

type DrawFacts<'a> = dyn Fn(&Sample, Option<StandIns>) -> Result<DrawnFacts, String> + 'a;

/// The settings of a view that asks something beside the trace.
pub trait Study {
    /// What is asked. The error says to the user what is missing.
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String>;

    /// Whether the view shows what this asks of a fact by itself, with whichever settings.
    fn shows(&self, spec: &AnalysisSpec) -> bool;

    /// Draws the controls of the settings.
    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>);

    /// Which rows are asked.
    fn asks(&self) -> Asks {
        Asks::BothRows
    }

    /// The window of layers that was set for it, where it has one.
    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        None
    }

    /// Whether its figure shows a metric that can be chosen.
    fn has_metric(&self) -> bool {
        false
    }

    /// Whether maps show the metric itself or an effect on it.
    fn effect(&self) -> Effect {
        Effect::default()
    }
}

/// Which rows a study asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Both rows, with a figure for each.
    BothRows,

    /// The row that is looked at.
    ThisRow,

    /// The first row, which the second is compared with.
    FirstRow,
}

macro_rules! studies {
    (
        views $_views:tt
        shown $_shown:tt
        studies {
            $($Pane:ident of $_view:ident $(as $_mode:literal)?, $module:ident, $_key:literal,
                $_text:literal, $_verb:literal, $_about:literal;)*
        }
        own $_own:tt
    ) => {
        /// The settings of all studies.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Studies {
            $(pub $module: $module::Settings,)*
        }

        /// The settings of one study.
        #[derive(Clone, Debug, PartialEq)]
        pub enum StudySettings {
            $($Pane($module::Settings),)*
        }

        impl Studies {
            /// The study of a view, if it has one.
            pub fn get(&self, pane: Pane) -> Option<&dyn Study> {
                match pane {
                    $(Pane::$Pane => Some(&self.$module),)*
                    _ => None,
                }
            }

            /// The first view whose study shows what is asked.
            pub fn showing(&self, spec: &AnalysisSpec) -> Option<Pane> {
                $(if self.$module.shows(spec) {
                    return Some(Pane::$Pane);
                })*
                None
            }

            /// All studies, to be changed.
            fn all_mut(&mut self) -> Vec<&mut dyn Study> {
                vec![$(&mut self.$module,)*]
            }

            /// The settings of a view's study, to be edited.
            pub fn copy(&self, pane: Pane) -> Option<StudySettings> {
                match pane {
                    $(Pane::$Pane => Some(StudySettings::$Pane(self.$module.clone())),)*
                    _ => None,
                }
            }

            pub fn set(&mut self, study: StudySettings) {
                match study {
                    $(StudySettings::$Pane(settings) => self.$module = settings,)*
                }
            }
        }

        /// The title of the view whose settings are kept under this name.
        pub fn title_of(module: &str) -> Option<&'static str> {
            $(if module == stringify!($module) {
                return Some(Pane::$Pane.text());
            })*
            None
        }

        impl StudySettings {
            pub fn pane(&self) -> Pane {
                match self {
                    $(Self::$Pane(_) => Pane::$Pane,)*
                }
            }

            pub fn study(&self) -> &dyn Study {
                match self {
                    $(Self::$Pane(settings) => settings,)*
                }
            }

            pub fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
                match self {
                    $(Self::$Pane(settings) => settings.controls_ui(ui, about),)*
                }
            }
        }
    };
}

for_each_view!(studies);

impl About<'_> {
    pub fn n_layers(&self) -> usize {
        self.info.config.n_layers
    }

    pub fn n_heads(&self) -> usize {
        self.info.config.n_heads
    }

    /// The trace of a component, as the trace's settings describe it, whichever component and window
    /// the trace view shows. `own`: the window of layers that the study has been given.
    fn trace(
        &self,
        component: Component,
        own: Option<usize>,
    ) -> Result<causal_trace::Spec, String> {
        let mut spec = self.trace_as_set(component)?;
        if component != Component::Hidden {
            spec.window = window_of(own, self);
        }
        Ok(spec)
    }

    /// The trace of a component with the window of the trace view.
    fn trace_as_set(&self, component: Component) -> Result<causal_trace::Spec, String> {
        (self.traces)(component).ok_or_else(|| UNMEASURED.to_owned())
    }

    /// The prompt of the second row, where this one is the first.
    fn second(&self) -> Result<&TokenizedPrompt, String> {
        self.other.filter(|_| self.row == Row::First).ok_or_else(|| self.alone())
    }

    /// What is said where there is no other row.
    fn alone(&self) -> String {
        let text = if self.has_other_model {
            "The other row is of another model, and this is done within one: close the model beside, \
             or choose another prompt"
        } else {
            "This fact has no inverse: keep another fact beside it, or choose another prompt"
        };
        text.to_owned()
    }

    /// The ids of a text as it goes on.
    fn ids(&self, text: &str) -> Result<Vec<u32>, String> {
        let tokens = self.info.tokenizer.encode_inside(text).map_err(|error| error.to_string())?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    /// The first token of a word as it goes on: with a space before it.
    fn first_token(&self, word: &str) -> Result<u32, String> {
        let text = format!(" {}", word.trim());
        self.ids(&text)?.first().copied().ok_or_else(|| "Type a word first".to_owned())
    }
}

/// Why a trace cannot be asked for yet.
pub const UNMEASURED: &str = "The noise is still being measured on the dataset's subjects";

/// A number to drag, with its name.
fn number_ui(ui: &mut Ui, name: &str, about: &str, value: NumberField<'_>) -> Response {
    // Not in a nested row, which would not wrap.
    keep_together(ui, name, NUMBER_WIDTH);
    let label = ui.label(name);
    ui.add(value).labelled_by(label.id).on_hover_text(about)
}

/// The width of a study's window of layers: the one that was set in its view, else what is usual for a
/// model of that depth. No other view has a part in it.
fn window_of(own: Option<usize>, about: &About<'_>) -> usize {
    own.unwrap_or_else(|| usual_window(about.n_layers())).max(1)
}

/// How many layers a window is wide. `text`: what is done to them.
fn window_ui(ui: &mut Ui, own: &mut Option<usize>, about: &About<'_>, text: &str) {
    let mut window = window_of(*own, about);
    let value = number_field(&mut window).range(1..=about.n_layers());
    let usual = usual_window(about.n_layers()).max(1);
    let tooltip =
        format!("{text}. {usual}, as is usual for a model of this depth, unless it is set");
    if number_ui(ui, "Window", &tooltip, value).changed() {
        *own = (window != usual).then_some(window);
    }
}

/// Says which settings of the trace have a part in what a study asks, as they are now.
fn as_trace_ui(ui: &mut Ui, settings: &str) {
    ui.weak(format!("As the causal trace: {settings}"));
}

/// Roughly, in points.
const NUMBER_WIDTH: f32 = 48.0;
const CHOICE_WIDTH: f32 = 130.0;

/// A combo box. `describe`: the name of a choice, and what is to be known of it.
fn choice_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    about: &str,
    chosen: &mut T,
    choices: &[T],
    describe: impl Fn(T) -> (&'static str, &'static str),
) {
    let choice = Choice::new(name, CHOICE_WIDTH);
    let describe = |it: &T| {
        let (text, tooltip) = describe(*it);
        (text.into(), tooltip)
    };
    keep_together(ui, name, choice.width_for(ui, choices, describe));
    let label = ui.label(name);
    let shown = choice.show(ui, chosen, choices, describe);
    shown.labelled_by(label.id).on_hover_text(about);
}

/// What the subject becomes.
fn corruption_ui(ui: &mut Ui, kind: &mut CorruptionKind) {
    words_ui(ui, "Subject becomes", kind);
}

/// A setting that is one of a few, with the words that flags have too.
fn words_ui<T: Choices>(ui: &mut Ui, name: &str, chosen: &mut T) {
    let about = chosen.words().help;
    choice_ui(ui, name, about, chosen, T::ALL, |it| (it.words().label, it.words().help));
}

/// Values to click on, each with its name and what is to be known of it.
fn values_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    chosen: &mut T,
    values: impl IntoIterator<Item = (T, &'static str, &'static str)>,
) {
    for (value, name, about) in values {
        let item = ui.selectable_value(chosen, value, name);
        if !about.is_empty() {
            item.on_hover_text(about);
        }
    }
}

/// All choices of a setting to click on.
fn all_ui<T: Choices>(ui: &mut Ui, chosen: &mut T) {
    let words = T::ALL.iter().map(|it| (*it, it.words()));
    values_ui(ui, chosen, words.map(|(it, words)| (it, words.label, words.help)));
}

/// A layer, which follows the one that is picked out until it is set.
fn layer_ui(ui: &mut Ui, layer: &mut Option<usize>, about: &About<'_>, text: &str) {
    let mut shown = layer.unwrap_or_else(|| picked_layer(about));
    let last = about.n_layers() - 1;
    if number_ui(ui, "Layer", text, number_field(&mut shown).range(0..=last)).changed() {
        *layer = Some(shown);
    }
}

/// The layer picked out across the views, or the middle one.
fn picked_layer(about: &About<'_>) -> usize {
    about.selection.layer.unwrap_or_else(|| about.n_layers() / 2).min(about.n_layers() - 1)
}

/// The layer of a setting. The model may have fewer layers than the one that it was set for.
fn layer_of(layer: Option<usize>, about: &About<'_>) -> usize {
    layer.unwrap_or_else(|| picked_layer(about)).min(about.n_layers() - 1)
}
