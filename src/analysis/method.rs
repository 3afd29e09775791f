//! What all methods have in common, and the one list of them.
//!
//! The two enums below, what methods are called, how they are run and what they need follow from
//! the list `for_each_method!`; [`figure`](crate::figure) draws a figure for each line of it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::analysis::causal_trace::CausalTrace;
use crate::analysis::{
    AnalysisCtx, AnalysisError, AnalysisSpec, ModelEdit, Sizes, Source, prediction,
};
use crate::model::Transformer;
use crate::tokens::{Answer, TokenizedPrompt};

/// A method from the literature, implemented by what can be asked of it: its `Spec`.
pub trait Method: Clone + PartialEq + Serialize + DeserializeOwned {
    /// What the method finds: plain numbers and text, no tensors.
    type Found: Clone + PartialEq + Serialize + DeserializeOwned;

    /// The method's name, in a word or two: `edge cut`.
    const NAME: &'static str;

    /// What the method does, in a sentence, and who says so.
    const ABOUT: About;

    /// What the program does while the method runs: `Cutting`.
    const VERB: &'static str;

    /// What the method needs of the prompt that it is run on.
    const NEEDS: Needs = Needs::Answer;

    /// Whether other prompts go through the model whatever is asked of the method, see
    /// [`Self::has_other_prompts`].
    const HAS_OTHER_PROMPTS: bool = false;

    /// Whether the method is short whatever is asked of it, see [`Self::is_short`].
    const IS_SHORT: bool = false;

    /// The prompt that a result is about. `None` if it is about no prompt or several, or shows its
    /// prompt itself.
    const PROMPT: PromptOf<Self> = None;

    /// Runs the method. If it [needs an answer](Needs::Answer), the prompt has one.
    fn run(&self, lab: &Lab<'_>) -> Result<Self::Found, AnalysisError>;

    /// About how many bytes the method has in memory at its peak, beside the model's weights.
    fn memory(&self, sizes: &Sizes<'_>) -> u64;

    /// Refuses a spec that cannot be carried out, before the model is run for it.
    fn check(&self) -> Result<(), AnalysisError> {
        Ok(())
    }

    /// The spec's own prompts whose answer is measured. Where one of them has no answer, the
    /// model's first guess is filled in.
    fn measured_prompts(&mut self) -> Vec<&mut TokenizedPrompt> {
        Vec::new()
    }

    /// Whether other prompts go through the model too.
    fn has_other_prompts(&self) -> bool {
        Self::HAS_OTHER_PROMPTS
    }

    /// Whether a few passes are enough, so that the method may run between the steps of a longer
    /// one.
    fn is_short(&self) -> bool {
        Self::IS_SHORT
    }

    /// The change of the model that the method tries out, if it tries one.
    fn edit(&self) -> Option<ModelEdit> {
        None
    }

    /// The traces that a result consists of, which a later trace may go on from.
    fn traces(_found: &Self::Found) -> Vec<&CausalTrace> {
        Vec::new()
    }
}

/// What a method does, for a reader who sees its figure and no other page.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// One sentence, without the sources.
    pub text: &'static str,

    /// The publications that the method is from; none where it needs none.
    pub sources: &'static [&'static Source],
}

/// Where the result of a method has its prompt.
pub type PromptOf<M> = Option<fn(&<M as Method>::Found) -> &TokenizedPrompt>;

/// What a method works on.
#[derive(Clone, Copy)]
pub struct Lab<'a> {
    pub model: &'a Transformer,
    pub prompt: &'a TokenizedPrompt,
    pub ctx: &'a AnalysisCtx<'a>,
}

/// What a method needs of the prompt that it is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// No prompt, because the method reads the weights alone.
    Weights,

    /// Only the prompts that the spec itself holds.
    OwnPrompts,

    /// The text of a prompt, with or without an answer.
    Prompt,

    /// A prompt with an answer to measure. If it has none, the model's first guess is the answer,
    /// as in ROME.
    Answer,
}

/// Calls a macro with all methods: the variant that files name each by, and the module of the same
/// name in `analysis` and `figure`. The order is that of the variants; it has no meaning.
macro_rules! for_each_method {
    ($then:ident) => {
        $then! {
            Prediction: prediction,
            CausalTrace: causal_trace,
            TraceCell: trace_cell,
            TraceAverage: trace_average,
            AttributionPatching: attribution_patching,
            LogitAttribution: logit_attribution,
            LogitLens: logit_lens,
            Attention: attention,
            Ablation: ablation,
            NeuronAblation: neuron_ablation,
            AttentionKnockout: attention_knockout,
            EdgeCut: edge_cut,
            Comparison: comparison,
            Generation: generation,
            RankOneEdit: rank_one_edit,
            Steering: steering,
            ActivationPatching: activation_patching,
            PathPatching: path_patching,
            AtpStar: atp_star,
            EdgeAttribution: edge_attribution,
            NeuronAttribution: neuron_attribution,
            SourceAttribution: source_attribution,
            AttributionDifference: attribution_difference,
            ThroughHead: through_head,
            ResidualNorms: residual_norms,
            AccumulatedResid: accumulated_resid,
            ContributionGraph: contribution_graph,
            HeadScores: head_scores,
            CorruptionBench: corruption_bench,
            Circuit: circuit,
            Composition: composition,
        }
    };
}
pub(crate) use for_each_method;

/// Defines the two enums of a list of methods, whose modules are in reach of the caller, and all
/// that follows from the list.
macro_rules! define_methods {
    ($($method:ident: $module:ident,)*) => {
        /// What is asked of which method.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum AnalysisSpec {
            $($method($module::Spec),)*
        }

        /// What a method found: plain numbers and text, no tensors.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum AnalysisResult {
            $($method(<$module::Spec as $crate::analysis::Method>::Found),)*
        }

        $(
            impl From<$module::Spec> for AnalysisSpec {
                fn from(spec: $module::Spec) -> Self {
                    Self::$method(spec)
                }
            }
        )*

        // In a block of its own, so that what the implementations use is not used by the caller.
        const _: () = {
            use $crate::analysis::causal_trace::CausalTrace;
            use $crate::analysis::{About, AnalysisError, Lab, Method, ModelEdit, Needs, Sizes};
            use $crate::tokens::TokenizedPrompt;

            impl AnalysisSpec {
                /// What all methods are called, in the order of the list.
                pub const NAMES: &[&str] = &[$($module::Spec::NAME,)*];

                /// What the method is called.
                pub fn name(&self) -> &'static str {
                    match self { $(Self::$method(_) => $module::Spec::NAME,)* }
                }

                /// What the method does, and who says so.
                pub fn about(&self) -> About {
                    match self { $(Self::$method(_) => $module::Spec::ABOUT,)* }
                }

                /// What is being done while the method runs.
                pub fn verb(&self) -> &'static str {
                    match self { $(Self::$method(_) => $module::Spec::VERB,)* }
                }

                /// What the method needs of the prompt that it is run on.
                pub fn needs(&self) -> Needs {
                    match self { $(Self::$method(_) => $module::Spec::NEEDS,)* }
                }

                /// Whether prompts other than the one asked go through the model.
                pub fn has_other_prompts(&self) -> bool {
                    match self { $(Self::$method(spec) => spec.has_other_prompts(),)* }
                }

                /// Whether a few passes are enough.
                pub fn is_short(&self) -> bool {
                    match self { $(Self::$method(spec) => spec.is_short(),)* }
                }

                /// The change of the model that the method tries out, if it tries one.
                pub fn edit(&self) -> Option<ModelEdit> {
                    match self { $(Self::$method(spec) => spec.edit(),)* }
                }

                /// Refuses what cannot be carried out, or asks for more than can be kept.
                pub fn check(&self) -> Result<(), AnalysisError> {
                    match self { $(Self::$method(spec) => Method::check(spec),)* }
                }

                /// About how many bytes the method has in memory at its peak, beside the weights. What is
                /// refused takes none.
                pub fn memory(&self, sizes: &Sizes<'_>) -> u64 {
                    if self.check().is_err() {
                        return 0;
                    }
                    match self { $(Self::$method(spec) => spec.memory(sizes),)* }
                }

                /// Runs the method in a lab.
                pub fn run(&self, lab: &Lab<'_>) -> Result<AnalysisResult, AnalysisError> {
                    Ok(match self {
                        $(Self::$method(spec) => AnalysisResult::$method(lab.ask(spec)?),)*
                    })
                }
            }

            impl AnalysisResult {
                /// What the method is called.
                pub fn name(&self) -> &'static str {
                    match self { $(Self::$method(_) => $module::Spec::NAME,)* }
                }

                /// The prompt that the result is about, if it is about one prompt.
                pub fn prompt(&self) -> Option<&TokenizedPrompt> {
                    Some(match self {
                        $(Self::$method(found) => $module::Spec::PROMPT?(found),)*
                    })
                }

                /// The traces that the result consists of.
                pub fn traces(&self) -> Vec<&CausalTrace> {
                    match self { $(Self::$method(found) => $module::Spec::traces(found),)* }
                }
            }
        };
    };
}
pub(crate) use define_methods;

impl Lab<'_> {
    /// Runs a method, with the model's first guesses for the answers that it needs and does not
    /// have.
    pub fn ask<M: Method>(&self, method: &M) -> Result<M::Found, AnalysisError> {
        method.check()?;
        let mut prompt = self.prompt.clone();
        if M::NEEDS == Needs::Answer {
            self.guess_answer(&mut prompt)?;
        }
        let mut method = method.clone();
        for own in method.measured_prompts() {
            self.guess_answer(own)?;
        }
        method.run(&Lab { prompt: &prompt, ..*self })
    }

    /// Fills in the model's first guess where a prompt has no answer.
    fn guess_answer(&self, prompt: &mut TokenizedPrompt) -> Result<(), AnalysisError> {
        if prompt.answer.is_none() {
            let tokenizer = self.ctx.tokenizer.ok_or(AnalysisError::NoTokenizer)?;
            let guess = prediction::Spec { n_top: 1 };
            let id = guess.run(&Lab { prompt, ..*self })?.top[0].id;
            let text = tokenizer.readable(id);
            prompt.answer = Some(Answer { pieces: vec![text.clone()], text, ids: vec![id] });
        }
        Ok(())
    }
}

impl AnalysisSpec {
    /// Whether the method asks about the prompt that it is run on, not only about its spec's own.
    pub fn needs_prompt(&self) -> bool {
        matches!(self.needs(), Needs::Prompt | Needs::Answer)
    }
}
