//! The views that can be opened, and what they are called.

use serde::{Deserialize, Serialize};

/// A view that can be opened. Each is there once at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pane {
    Trace,
    Prediction,
    Attention,
    Attribution,
    LogitLens,
    Ablation,
    Knockout,
    Cut,
    Comparison,
    Patching,
    Paths,
    Estimates,
    Variants,
    Bench,
    Averages,
    Stream,
    Parts,
    Heads,
    Weights,
    Graph,
    Generation,
    Editing,
    Steering,
    Cell,
    Jobs,
    Trust,
    Spec,
}

/// How a view is spoken of.
struct Card {
    text: &'static str,
    key: &'static str,
    tooltip: &'static str,

    /// What the button says that asks for it. Nothing where it is shown unasked.
    verb: Option<&'static str>,
}

impl Pane {
    /// The first ones are open at first.
    pub const ALL: [Self; 27] = [
        Self::Trace,
        Self::Prediction,
        Self::Attention,
        Self::Attribution,
        Self::LogitLens,
        Self::Ablation,
        Self::Knockout,
        Self::Cut,
        Self::Comparison,
        Self::Patching,
        Self::Paths,
        Self::Estimates,
        Self::Variants,
        Self::Bench,
        Self::Averages,
        Self::Stream,
        Self::Parts,
        Self::Heads,
        Self::Weights,
        Self::Graph,
        Self::Generation,
        Self::Editing,
        Self::Steering,
        Self::Trust,
        Self::Jobs,
        Self::Cell,
        Self::Spec,
    ];

    /// How many of them are open at first.
    pub const N_USUAL: usize = 7;

    #[expect(clippy::too_many_lines, reason = "a table with a row for each view")]
    fn card(self) -> Card {
        let shown = |text, key, tooltip| Card { text, key, tooltip, verb: None };
        let asked = |text, key, verb, tooltip| Card { text, key, tooltip, verb: Some(verb) };
        match self {
            Self::Trace => shown(
                "Causal trace",
                "trace",
                "Where restoring a clean state brings the answer back (Meng et al. 2022)",
            ),
            Self::Prediction => shown(
                "Prediction",
                "prediction",
                "What the model says next, and what it makes of the answer",
            ),
            Self::Attention => shown("Attention", "attention", "Which tokens each head looks at"),
            Self::Attribution => shown(
                "Attribution",
                "attribution",
                "How much each part of the model adds to the answer's logit",
            ),
            Self::LogitLens => {
                shown("Logit lens", "lens", "What the model would say after each layer")
            }
            Self::Ablation => asked(
                "Ablation",
                "ablation",
                "Ablate",
                "What the answer loses without each head, MLP, layer or neuron",
            ),
            Self::Knockout => asked(
                "Knockout",
                "knockout",
                "Cut attention",
                "Where attention must be cut for the answer to get lost (Geva et al. 2023)",
            ),
            Self::Cut => asked(
                "Edge cut",
                "cut",
                "Cut edges",
                "What the answer loses without attention edges that are painted in the attention view",
            ),
            Self::Comparison => asked(
                "Fact vs inverse",
                "comparison",
                "Compare",
                "Where the model recalls the fact and where its inverse: do the two maps agree?",
            ),
            Self::Patching => asked(
                "Patching",
                "patching",
                "Patch",
                "What activations of another prompt, such as the inverse, change in the fact's run",
            ),
            Self::Paths => asked(
                "Path patching",
                "paths",
                "Patch paths",
                "Which heads and MLPs speak to the logits, or to one head, directly (Wang et al. 2022)",
            ),
            Self::Estimates => asked(
                "Estimates",
                "estimates",
                "Estimate",
                "Parts and edges that matter, from gradients: AtP*, EAP, EAP-IG",
            ),
            Self::Variants => asked(
                "Trace variants",
                "variants",
                "Trace",
                "The trace under other corruptions, of heads, or of the whole subject at once",
            ),
            Self::Bench => asked(
                "Corruption bench",
                "bench",
                "Trace all",
                "The same trace under six corruptions, and how alike the maps are (Zhang & Nanda 2024)",
            ),
            Self::Averages => asked(
                "Averages",
                "averages",
                "Average",
                "Causal traces of many facts, averaged by what each token is (Meng et al. 2022, fig. 2)",
            ),
            Self::Stream => asked(
                "Residual stream",
                "stream",
                "Look",
                "How long the residual stream is, and how the answer's logit builds up in it",
            ),
            Self::Parts => asked(
                "More attribution",
                "parts",
                "Attribute",
                "The answer's logit by neuron, by source token, through a head, against another run",
            ),
            Self::Heads => asked(
                "Head scores",
                "heads",
                "Score heads",
                "Which heads look at the token before, at duplicates, at what followed, at the subject",
            ),
            Self::Weights => asked(
                "Weights",
                "weights",
                "Read weights",
                "What a head's weights read and write, and which heads compose",
            ),
            Self::Graph => asked(
                "Contributions",
                "graph",
                "Trace back",
                "Which tokens and parts the prediction is made of (Ferrando et al. 2024)",
            ),
            Self::Generation => asked(
                "Continuation",
                "continuation",
                "Write on",
                "What the model writes after the prompt",
            ),
            Self::Editing => asked(
                "Edit",
                "edit",
                "Edit",
                "What the model says after a rank-one edit of one MLP (ROME, Meng et al. 2022)",
            ),
            Self::Trust => shown(
                "Trust",
                "trust",
                "What the numbers rest on: tokens, device, weights, and every convention in force",
            ),
            Self::Spec => shown(
                "Spec",
                "spec",
                "An experiment as text: model, fact and what is asked, as `factscope run` reads it",
            ),
            Self::Jobs => shown("Jobs", "jobs", "What is running, what waits, and what was done"),
            Self::Steering => asked(
                "Steering",
                "steering",
                "Steer",
                "What the model says when a direction is added to its residual stream",
            ),
            Self::Cell => asked(
                "Trace cell",
                "cell",
                "Why this cell?",
                "What the model says in each run behind the chosen cell of the trace, and in each sample",
            ),
        }
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
        !matches!(self, Self::Trust | Self::Jobs | Self::Spec)
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
