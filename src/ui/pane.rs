//! The views of the window and the modes of each: one list.

use serde::{Deserialize, Serialize};

/// The list of all views and their modes. It hands itself to the macro that it is given.
///
/// A view is a tab; it shows one of its modes at a time.
///
/// - `views`: `Name`, title, about. The first [`View::N_USUAL`] are open at first.
/// - `shown`: modes that show the chosen fact unasked. `Name of View`, key, title, about
/// - `studies`: modes of a method that must be asked for. `Name of View`, the module of `ui::studies`
///   with its settings, key, title, the verb on its button, about
/// - `own`: modes that show the window's own affairs. `Name of View`, key, title, about
///
/// A title stands wherever the mode is named; `as` gives a shorter one for the row at the top of its
/// view. A view lists its modes in the order of these lists.
macro_rules! for_each_view {
    ($then:ident) => {
        $then! {
            views {
                Trace, "Causal trace",
                    "Where restoring a clean state brings the answer back, and under which corruption";
                Prediction, "Prediction",
                    "What the model says next, and how it goes on";
                Lens, "Logit lens",
                    "What the model would say after each layer";
                Attention, "Attention",
                    "Which tokens each head looks at, and what is lost when it cannot";
                Attribution, "Attribution",
                    "What the answer's logit is the sum of";
                Ablation, "Ablation",
                    "What the answer loses without each part, measured or estimated";
                Comparison, "Fact vs inverse",
                    "Whether the model recalls the fact and its inverse in the same places";
                Patching, "Patching",
                    "What activations of another prompt change in the fact's run";
                Many, "Over many facts",
                    "What the facts of a dataset have in common, by any view's method";
                Routes, "Routes and weights",
                    "Which paths the prediction takes through the model, and what a head's weights do";
                Change, "Change the model",
                    "What the model says after an edit of its weights, or steered in a direction";
                Record, "Record",
                    "What the numbers rest on, what is running, and experiments as text";
            }
            shown {
                Trace of Trace as "Maps", "trace", "Causal trace",
                    "Where restoring a clean state brings the answer back (Meng et al. 2022)";
                Prediction of Prediction as "Next token", "prediction", "Prediction",
                    "What the model says next, and what it makes of the answer";
                Attention of Attention as "Pattern", "attention", "Attention",
                    "Which tokens each head looks at";
                Attribution of Attribution as "By part", "attribution", "Attribution",
                    "How much each part of the model adds to the answer's logit";
                Sweep of Many as "Any method", "sweep", "Sweep",
                    "The question of any view, asked of all facts that the list shows";
                LogitLens of Lens, "lens", "Logit lens",
                    "What the model would say after each layer";
            }
            studies {
                Ablation of Ablation as "Measured", ablation, "ablation", "Ablation", "Ablate",
                    "What the answer loses without each head, MLP, layer or neuron";
                Knockout of Attention, knockout, "knockout", "Knockout", "Cut attention",
                    "Where attention must be cut for the answer to get lost (Geva et al. 2023)";
                Cut of Attention, cut, "cut", "Edge cut", "Cut edges",
                    "What the answer loses without attention edges that are painted in the attention view";
                Comparison of Comparison, comparison, "comparison", "Fact vs inverse", "Compare",
                    "Where the model recalls the fact and where its inverse, or what is kept beside: do the two maps agree?";
                Patching of Patching as "Activations", patching, "patching", "Patching", "Patch",
                    "What activations of another prompt, such as the inverse, change in the fact's run";
                Paths of Patching as "Paths", paths, "paths", "Path patching", "Patch paths",
                    "Which heads and MLPs speak to the logits, or to one head, directly (Wang et al. 2022)";
                Estimates of Ablation as "Estimated", estimates, "estimates", "Estimates", "Estimate",
                    "Parts and edges that matter, from gradients: AtP*, EAP, EAP-IG";
                Variants of Trace as "Variants", variants, "variants", "Trace variants", "Trace",
                    "The trace under other corruptions, of heads, or of the whole subject at once";
                Bench of Trace, bench, "bench", "Corruption bench", "Trace all",
                    "The same trace under six corruptions, and how alike the maps are (Zhang & Nanda 2024)";
                Averages of Many, averages, "averages", "Averages", "Average",
                    "Causal traces of many facts, averaged by what each token is (Meng et al. 2022, fig. 2)";
                Parts of Attribution as "By neuron or source", parts, "parts", "More attribution",
                    "Attribute",
                    "The answer's logit by neuron, by source token, through a head, against another run";
                Stream of Attribution, stream, "stream", "Residual stream", "Look",
                    "How long the residual stream is, and how the answer's logit builds up in it";
                Heads of Attention, heads, "heads", "Head scores", "Score heads",
                    "Which heads look at the token before, at duplicates, at what followed, at the subject";
                Graph of Routes, graph, "graph", "Contributions", "Trace back",
                    "Which tokens and parts the prediction is made of (Ferrando et al. 2024)";
                Weights of Routes, weights, "weights", "Weights", "Read weights",
                    "What a head's weights read and write, and which heads compose";
                Generation of Prediction, generation, "continuation", "Continuation", "Write on",
                    "What the model writes after the prompt";
                Editing of Change, editing, "edit", "Edit", "Edit",
                    "What the model says after a rank-one edit of one MLP (ROME, Meng et al. 2022)";
                Steering of Change, steering, "steering", "Steering", "Steer",
                    "What the model says when a direction is added to its residual stream";
                Cell of Trace as "Why this cell", cell, "cell", "Trace cell", "Why this cell?",
                    "What the model says in each run behind the chosen cell of the trace, and in each sample";
            }
            own {
                Trust of Record, "trust", "Trust",
                    "What the numbers rest on: tokens, device, weights, and every convention in force";
                Spec of Record, "spec", "Spec",
                    "An experiment as text: model, fact and what is asked, as `factscope run` reads it";
                Jobs of Record, "jobs", "Jobs",
                    "What is running, what waits, and what was done";
            }
        }
    };
}
pub(super) use for_each_view;

macro_rules! views {
    (
        views { $($view:ident, $view_text:literal, $view_about:literal;)* }
        shown {
            $($shown:ident of $shown_view:ident $(as $shown_mode:literal)?, $shown_key:literal,
                $shown_text:literal, $shown_about:literal;)*
        }
        studies {
            $($study:ident of $study_view:ident $(as $mode:literal)?, $_module:ident, $key:literal,
                $text:literal, $verb:literal, $about:literal;)*
        }
        own {
            $($own:ident of $own_view:ident, $own_key:literal, $own_text:literal,
                $own_about:literal;)*
        }
    ) => {
        /// A tab, which answers one question in one or several modes. Each is there once at most.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum View {
            $(#[doc = $view_about] $view,)*
        }

        impl View {
            /// In the order of the list.
            pub const ALL: [Self; TITLES.len()] = [$(Self::$view,)*];
        }

        /// The title of each view, and what it is about.
        const TITLES: &[(&str, &str)] = &[$(($view_text, $view_about),)*];

        /// A mode of a view: what it shows.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum Pane {
            $(#[doc = $shown_about] $shown,)*
            $(#[doc = $about] $study,)*
            $(#[doc = $own_about] $own,)*
        }

        const CARDS: &[(Pane, Card)] = &[
            $((Pane::$shown, Card {
                view: View::$shown_view, mode: either!($($shown_mode)?, $shown_text),
                text: $shown_text, key: $shown_key, tooltip: $shown_about, verb: None, is_own: false,
            }),)*
            $((Pane::$study, Card {
                view: View::$study_view, mode: either!($($mode)?, $text),
                text: $text, key: $key, tooltip: $about, verb: Some($verb), is_own: false,
            }),)*
            $((Pane::$own, Card {
                view: View::$own_view, mode: $own_text,
                text: $own_text, key: $own_key, tooltip: $own_about, verb: None, is_own: true,
            }),)*
        ];
    };
}

/// The first text, or the second where there is none.
macro_rules! either {
    (, $otherwise:literal) => {
        $otherwise
    };
    ($given:literal, $otherwise:literal) => {
        $given
    };
}

for_each_view!(views);

/// How a mode is spoken of.
struct Card {
    view: View,

    /// What it is called among the modes of its view.
    mode: &'static str,

    /// What it is called elsewhere.
    text: &'static str,
    key: &'static str,
    tooltip: &'static str,

    /// What the button says that asks for it. `None` where it is shown unasked.
    verb: Option<&'static str>,

    /// Whether it shows the window's own affairs.
    is_own: bool,
}

impl View {
    /// How many views are open at first.
    pub const N_USUAL: usize = 5;

    pub fn text(self) -> &'static str {
        TITLES[self as usize].0
    }

    pub fn tooltip(self) -> &'static str {
        TITLES[self as usize].1
    }

    /// What it can show, first what it shows when it is opened.
    pub fn modes(self) -> impl Iterator<Item = Pane> {
        Pane::ALL.into_iter().filter(move |pane| pane.view() == self)
    }

    /// What is shown when the view is opened.
    ///
    /// # Panics
    ///
    /// If a view has no mode, which would be a bug.
    pub fn first_mode(self) -> Pane {
        self.modes().next().expect("each view has a mode")
    }
}

impl Pane {
    /// In the order of the list.
    pub const ALL: [Self; CARDS.len()] = {
        let mut all = [Self::Trace; CARDS.len()];
        let mut nth = 0;
        while nth < all.len() {
            all[nth] = CARDS[nth].0;
            nth += 1;
        }
        all
    };

    fn card(self) -> &'static Card {
        &CARDS[self as usize].1
    }

    /// The view that it is a mode of.
    pub fn view(self) -> View {
        self.card().view
    }

    /// What it is called among the modes of its view.
    pub fn mode(self) -> &'static str {
        self.card().mode
    }

    pub fn text(self) -> &'static str {
        self.card().text
    }

    /// What it is called on the command line.
    pub fn key(self) -> &'static str {
        self.card().key
    }

    pub fn tooltip(self) -> &'static str {
        self.card().tooltip
    }

    /// Whether it shows what has to be asked for.
    pub fn is_study(self) -> bool {
        self.card().verb.is_some()
    }

    /// Whether the view shows results of the chosen fact, and not of many or the window's own affairs.
    pub fn has_results(self) -> bool {
        self != Self::Sweep && !self.card().is_own
    }

    /// Whether the view shows what can be taken away as a figure.
    pub fn has_figure(self) -> bool {
        self == Self::Sweep || self.has_results()
    }

    /// What the button says that asks for it.
    pub fn verb(self) -> &'static str {
        self.card().verb.unwrap_or("Run")
    }
}
