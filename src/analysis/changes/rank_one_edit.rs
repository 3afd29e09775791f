//! Edits a fact by a rank-one change of one layer's MLP (ROME).
//!
//! Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 3. The MLP's
//! output matrix is treated as a memory of keys and values. The key `k*` is the matrix's input at
//! the subject's last token, averaged over texts put before the prompt. The value `v*` is the
//! output that makes the model say the new answer, found by gradient steps. The smallest change of
//! the matrix that writes `v*` at `k*` is `W_out += u (v* − v)ᵀ / (uᵀk)` with `u = C⁻¹ k*`, where
//! `C` is the second moment of keys. With `C = I`, keys that are merely similar are changed as
//! well.
//!
//! The steps follow `rome/compute_u.py` and `rome/compute_v.py` of
//! <https://github.com/kmeng01/rome>: `v` and `k` are those of the prompt alone, and `u` is a unit
//! vector. What the subject is ("{} is a") is kept by a divergence that ROME reads at the subject's
//! last token, before "is a". That an edit works in a layer does not show that the fact was stored
//! there (Hase et al. 2023).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::descent::{descend, dot, forward, norm};
use crate::analysis::error::{at_least_one, index_below};
use crate::analysis::memory::floats;
use crate::analysis::reach;
use crate::analysis::sweep::{check_ids, rows_at_once};
use crate::analysis::{
    About, AnalysisCtx, AnalysisError, AnalysisResult, Lab, Method, ModelEdit, Needs, PromptOf,
    Sizes, sources,
};
use crate::intervention::{Site, SiteSet};
use crate::model::{SecondMoment, Transformer};
use crate::tokens::{Answer, TokenizedPrompt};

mod descent;

pub use crate::analysis::reach::{Answers, Asked, Belief, PromptKind, Told};
pub use descent::{Descent, Step};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The layer whose MLP is edited.
    pub layer: usize,

    /// The new answer.
    pub target: Answer,

    /// The prompt alone, then the prompt after other texts.
    pub contexts: Vec<Context>,

    /// The text "{subject} is a", at whose subject the model should predict as before. `None`
    /// leaves this out.
    pub essence: Option<Context>,

    /// How the value is found.
    pub descent: Descent,

    /// The second moment of keys.
    pub covariance: Covariance,

    /// The prompts that are asked before and after the edit.
    #[serde(default)]
    pub asked: Vec<Asked>,
}

/// A text that contains the subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `[pos]`
    pub ids: Vec<u32>,

    /// The position of the subject's last token.
    pub subject_last: usize,
}

/// The second moment `C` of keys, by which keys are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// `C = I`, so that only the direction of keys counts.
    Identity,

    /// The second moment in a file, see [`SecondMoment`].
    File(PathBuf),
}

impl Covariance {
    /// Reads the file, if there is one. `d_mlp` is the number of neurons in a layer.
    fn second_moment(&self, d_mlp: usize) -> Result<Option<SecondMoment>, AnalysisError> {
        match self {
            Self::Identity => Ok(None),
            Self::File(path) => Ok(Some(SecondMoment::load(path, d_mlp)?)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankOneEdit {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The search for the value, one entry each time the loss is computed.
    pub steps: Vec<Step>,

    /// The change of the matrix. `None` while the value is being found.
    pub update: Option<Update>,

    /// What the model answers before and after.
    pub told: Vec<Told>,
}

/// The change of the matrix: `left ⊗ right` is added to `h.{layer}.mlp.c_proj.weight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    pub layer: usize,

    /// `u`. `[d_mlp]`
    pub left: Vec<f32>,

    /// `(v* − v) / (uᵀk)`. `[d_model]`
    pub right: Vec<f32>,

    /// The norm of the key `k*`.
    pub key_norm: f64,

    /// The norm of the value before.
    pub value_norm: f64,

    /// The norm of the new value `v*`.
    pub new_value_norm: f64,

    /// The Frobenius norm of the change.
    pub change_norm: f64,
}

impl Spec {
    fn check(&self, model: &Transformer) -> Result<(), AnalysisError> {
        let n_layers = model.config.n_layers;
        index_below("layer", self.layer, n_layers)?;
        at_least_one("the number of texts with the subject", self.contexts.len())?;
        if self.target.ids.is_empty() {
            return Err(AnalysisError::NoAnswer);
        }
        for context in self.contexts.iter().chain(&self.essence) {
            let n_pos = context.ids.len();
            if context.subject_last >= n_pos {
                return Err(AnalysisError::NoPosition { pos: context.subject_last, n_pos });
            }
            check_ids(model, &self.continued(context), [].into_iter())?;
        }
        // No gradient would reach the value, and the steps would follow rounding errors.
        let is_read = |it: &Context| it.subject_last + 1 == it.ids.len();
        if self.layer + 1 == n_layers && !self.contexts.iter().any(is_read) {
            return Err(AnalysisError::NotRead { layer: self.layer });
        }
        check_ids(model, &[], self.target.ids.iter().copied())?;
        reach::check(&self.asked)?;
        self.descent.check()
    }

    /// A text followed by all but the last token of the new answer.
    fn continued(&self, context: &Context) -> Vec<u32> {
        [&context.ids, &self.target.ids[..self.target.ids.len() - 1]].concat()
    }
}

impl Method for Spec {
    type Found = RankOneEdit;
    const NAME: &'static str = "rank-one edit";
    const ABOUT: About = About {
        text: "One layer's MLP is given another answer for one subject by a change of rank one \
               (ROME), and the same questions are asked before and after it.",
        sources: &[sources::MENG_2022],
    };
    const VERB: &'static str = "Editing";
    const NEEDS: Needs = Needs::Prompt;
    const HAS_OTHER_PROMPTS: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<RankOneEdit, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let mut found = RankOneEdit {
            spec: self.clone(),
            prompt: prompt.clone(),
            steps: Vec::new(),
            update: None,
            told: Vec::new(),
        };
        let (steps, update) = update(model, self, ctx, &mut |steps| {
            let steps = steps.to_vec();
            (ctx.partial)(AnalysisResult::RankOneEdit(RankOneEdit { steps, ..found.clone() }));
        })?;
        let edited = update.apply(model);
        found.told = reach::told(&self.asked, lab, &|_| Ok(edited.clone()))?;
        Ok(RankOneEdit { steps, update: Some(update), ..found })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let longest = self.contexts.iter().map(|it| it.ids.len()).max().unwrap_or(0);
        let n_pos = longest + self.target.ids.len().saturating_sub(1);
        let (config, sizes) = (sizes.config, sizes.with_n_pos(n_pos));
        let n_rows = rows_at_once(config, sizes.n_pos).min(self.contexts.len()) as u64;
        let wanted = SiteSet::from([config.mlp_mapped(self.layer)]);
        let back = descent::sites_back_to(config, self.layer);
        // The matrix that is changed, and its change.
        let matrix = floats(2 * config.d_model * config.d_mlp);
        sizes.there_and_back(&SiteSet::new(), &back, &wanted).saturating_mul(n_rows) + matrix
    }

    fn edit(&self) -> Option<ModelEdit> {
        Some(ModelEdit::RankOne(Self { asked: Vec::new(), ..self.clone() }))
    }
}

impl RankOneEdit {
    /// Whether the model's first guess after the edit is the new answer's first token. `None` where the
    /// fact was not asked.
    pub fn works(&self) -> Option<bool> {
        let fact = self.told.iter().find(|it| it.kind == PromptKind::Prompt)?;
        Some(fact.after.top.id == self.spec.target.first())
    }
}

impl Update {
    pub fn apply(&self, model: &Transformer) -> Transformer {
        model.with_rank_one(self.layer, &self.left, &self.right)
    }
}

/// The search for the value, and the change of the matrix. `on_step` is called with all steps so
/// far.
pub fn update(
    model: &Transformer,
    spec: &Spec,
    ctx: &AnalysisCtx<'_>,
    on_step: &mut dyn FnMut(&[Step]),
) -> Result<(Vec<Step>, Update), AnalysisError> {
    spec.check(model)?;
    let moment = spec.covariance.second_moment(model.config.d_mlp)?;
    let (pre, out) = (Site::MlpPost(spec.layer), model.config.mlp_mapped(spec.layer));
    let mut keys = Vec::new();
    let mut value = Vec::new();
    for (nth, context) in spec.contexts.iter().enumerate() {
        let sites = SiteSet::from([pre, out]);
        let run = forward(model, &[&context.ids], &sites, 1, ctx)?;
        let at = |site: Site| -> Vec<f64> {
            let values = run.cache.activation(site).values;
            let width = values.len() / context.ids.len();
            let vector = &values[context.subject_last * width..][..width];
            vector.iter().map(|it| f64::from(*it)).collect()
        };
        keys.push(at(pre));
        if nth == 0 {
            value = at(out);
        }
    }
    let n = keys.len() as f64;
    let key: Vec<f64> =
        (0..keys[0].len()).map(|unit| keys.iter().map(|it| it[unit]).sum::<f64>() / n).collect();

    let (steps, delta) = descend(model, spec, norm(&value), ctx, on_step)?;

    let left = match &moment {
        None => key.clone(),
        Some(moment) => moment.solve(&key, &ctx.task)?,
    };
    let length = norm(&left);
    let left: Vec<f64> = left.iter().map(|it| it / length).collect();
    let along = dot(&keys[0], &left);
    if !along.is_normal() {
        let what = "what the key has along the update";
        return Err(AnalysisError::OutOfBounds { what, bounds: "other than 0" });
    }
    let right: Vec<f64> = delta.iter().map(|it| it / along).collect();
    let new_value: Vec<f64> = value.iter().zip(&delta).map(|(a, b)| a + b).collect();
    let f32s = |values: &[f64]| values.iter().map(|it| *it as f32).collect();
    let update = Update {
        layer: spec.layer,
        left: f32s(&left),
        right: f32s(&right),
        key_norm: norm(&key),
        value_norm: norm(&value),
        new_value_norm: norm(&new_value),
        change_norm: norm(&right),
    };
    Ok((steps, update))
}
