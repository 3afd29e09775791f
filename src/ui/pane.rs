//! The views that can be opened, and what they are called: one list.

use serde::{Deserialize, Serialize};

/// The list of all views. It hands itself to the macro that it is given.
///
/// - `shown`: views of the chosen fact that are drawn by code of their own. `Name`, key, title, about
/// - `studies`: views of a method that is asked for. `Name`, the module of `ui::studies` with its
///   settings, key, title, the verb on its button, about
/// - `own`: the window's own affairs. `Name`, key, title, about
///
/// The first [`Pane::N_USUAL`] are open at first.
macro_rules! for_each_view {
    ($then:ident) => {
        $then! {
            shown {
                Trace, "trace", "Causal trace",
                    "Where restoring a clean state brings the answer back (Meng et al. 2022)";
                Prediction, "prediction", "Prediction",
                    "What the model says next, and what it makes of the answer";
                Attention, "attention", "Attention",
                    "Which tokens each head looks at";
                Attribution, "attribution", "Attribution",
                    "How much each part of the model adds to the answer's logit";
                LogitLens, "lens", "Logit lens",
                    "What the model would say after each layer";
            }
            studies {
                Ablation, ablation, "ablation", "Ablation", "Ablate",
                    "What the answer loses without each head, MLP, layer or neuron";
                Knockout, knockout, "knockout", "Knockout", "Cut attention",
                    "Where attention must be cut for the answer to get lost (Geva et al. 2023)";
                Cut, cut, "cut", "Edge cut", "Cut edges",
                    "What the answer loses without attention edges that are painted in the attention view";
                Comparison, comparison, "comparison", "Fact vs inverse", "Compare",
                    "Where the model recalls the fact and where its inverse: do the two maps agree?";
                Patching, patching, "patching", "Patching", "Patch",
                    "What activations of another prompt, such as the inverse, change in the fact's run";
                Paths, paths, "paths", "Path patching", "Patch paths",
                    "Which heads and MLPs speak to the logits, or to one head, directly (Wang et al. 2022)";
                Estimates, estimates, "estimates", "Estimates", "Estimate",
                    "Parts and edges that matter, from gradients: AtP*, EAP, EAP-IG";
                Variants, variants, "variants", "Trace variants", "Trace",
                    "The trace under other corruptions, of heads, or of the whole subject at once";
                Bench, bench, "bench", "Corruption bench", "Trace all",
                    "The same trace under six corruptions, and how alike the maps are (Zhang & Nanda 2024)";
                Averages, averages, "averages", "Averages", "Average",
                    "Causal traces of many facts, averaged by what each token is (Meng et al. 2022, fig. 2)";
                Stream, stream, "stream", "Residual stream", "Look",
                    "How long the residual stream is, and how the answer's logit builds up in it";
                Parts, parts, "parts", "More attribution", "Attribute",
                    "The answer's logit by neuron, by source token, through a head, against another run";
                Heads, heads, "heads", "Head scores", "Score heads",
                    "Which heads look at the token before, at duplicates, at what followed, at the subject";
                Weights, weights, "weights", "Weights", "Read weights",
                    "What a head's weights read and write, and which heads compose";
                Graph, graph, "graph", "Contributions", "Trace back",
                    "Which tokens and parts the prediction is made of (Ferrando et al. 2024)";
                Generation, generation, "continuation", "Continuation", "Write on",
                    "What the model writes after the prompt";
                Editing, editing, "edit", "Edit", "Edit",
                    "What the model says after a rank-one edit of one MLP (ROME, Meng et al. 2022)";
                Steering, steering, "steering", "Steering", "Steer",
                    "What the model says when a direction is added to its residual stream";
                Cell, cell, "cell", "Trace cell", "Why this cell?",
                    "What the model says in each run behind the chosen cell of the trace, and in each sample";
            }
            own {
                Trust, "trust", "Trust",
                    "What the numbers rest on: tokens, device, weights, and every convention in force";
                Jobs, "jobs", "Jobs",
                    "What is running, what waits, and what was done";
                Spec, "spec", "Spec",
                    "An experiment as text: model, fact and what is asked, as `factscope run` reads it";
            }
        }
    };
}
pub(super) use for_each_view;

macro_rules! panes {
    (
        shown { $($shown:ident, $shown_key:literal, $shown_text:literal, $shown_about:literal;)* }
        studies {
            $($study:ident, $_module:ident, $key:literal, $text:literal, $verb:literal,
                $about:literal;)*
        }
        own { $($own:ident, $own_key:literal, $own_text:literal, $own_about:literal;)* }
    ) => {
        /// A view that can be opened. Each is there once at most.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Pane {
            $(#[doc = $shown_about] $shown,)*
            $(#[doc = $about] $study,)*
            $(#[doc = $own_about] $own,)*
        }

        const CARDS: &[(Pane, Card)] = &[
            $((Pane::$shown, Card {
                text: $shown_text, key: $shown_key, tooltip: $shown_about, verb: None, is_own: false,
            }),)*
            $((Pane::$study, Card {
                text: $text, key: $key, tooltip: $about, verb: Some($verb), is_own: false,
            }),)*
            $((Pane::$own, Card {
                text: $own_text, key: $own_key, tooltip: $own_about, verb: None, is_own: true,
            }),)*
        ];
    };
}

for_each_view!(panes);

/// How a view is spoken of.
struct Card {
    text: &'static str,
    key: &'static str,
    tooltip: &'static str,

    /// What the button says that asks for it. `None` where it is shown unasked.
    verb: Option<&'static str>,

    /// Whether it shows the window's own affairs.
    is_own: bool,
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

    /// How many of them are open at first.
    pub const N_USUAL: usize = 7;

    fn card(self) -> &'static Card {
        &CARDS[self as usize].1
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

    /// Whether it shows results, and not the window's own affairs.
    pub fn has_results(self) -> bool {
        !self.card().is_own
    }

    /// What the button says that asks for it.
    pub fn verb(self) -> &'static str {
        self.card().verb.unwrap_or("Run")
    }

    /// The trace fits itself to its place; the others may be longer than theirs.
    pub fn scrolls(self) -> bool {
        self != Self::Trace
    }
}
