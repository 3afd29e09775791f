//! Editing a fact: one layer's MLP is given another answer for one subject.
//!
//! Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 3 (ROME). The MLP's
//! output matrix is taken for a memory of keys and values. The key `k*` is what the subject's last
//! token gives it as input, averaged over texts before the prompt; the value `v*` is the output that
//! makes the model say the new answer, found by gradient steps; and the smallest change of the
//! matrix that writes `v*` at `k*` is `W_out += u (v* − v)ᵀ / (uᵀk)` with `u = C⁻¹ k*`, where `C` says
//! how keys are spread. With `C = I` other keys that are merely alike are changed as well.
//!
//! Follows `rome/compute_u.py` and `rome/compute_v.py` of <https://github.com/kmeng01/rome>: `v` and
//! `k` are those of the prompt alone, `u` has length 1, and what the subject is ("{} is a") is kept
//! by a divergence read at the subject's last token, where it says nothing of "is a". That an edit
//! works in a layer does not say that the fact was there (Hase et al. 2023).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::analysis::prediction::{self, Candidate};
use crate::analysis::sweep::check_ids;
use crate::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, Lab, Method, ModelEdit, Needs};
use crate::intervention::{Site, SiteSet, Span};
use crate::model::{
    Backward, Donors, Dropped, Gpt2, Objective, Request, Row, Run, SecondMoment, ask_tokens,
};
use crate::task::{Cancelled, Progress};
use crate::tokens::{Answer, TokenizedPrompt};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub layer: usize,

    /// What the model is to say.
    pub target: Answer,

    /// The prompt alone, then behind other texts.
    pub contexts: Vec<Context>,

    /// "{subject} is a", up to the subject, where the model is to go on as before. Nothing: whatever
    /// becomes of it.
    pub essence: Option<Context>,
    pub descent: Descent,
    pub covariance: Covariance,

    /// What is asked before and after.
    #[serde(default)]
    pub asked: Vec<Asked>,
}

/// A text with the subject in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `[pos]`
    pub ids: Vec<u32>,

    /// Where the subject's last token is.
    pub subject_last: usize,
}

/// How the value is found. The default is ROME's for GPT-2-large.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descent {
    /// The first only looks, so that there is one step less than this (as in ROME).
    pub n_steps: usize,

    /// Of Adam (Kingma & Ba 2015).
    pub learning_rate: f64,

    /// Weight of the length of what is added to the value, over the value's own, squared.
    pub weight_decay: f64,

    /// The longest that what is added may become, as a multiple of the value's own length.
    pub clamp: f64,

    /// Weight of the divergence of what the subject is.
    pub kl_factor: f64,

    /// The loss at which it is enough.
    pub enough: f64,
}

/// What keys are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// `C = I`: by their direction.
    Identity,

    /// By a file, see [`SecondMoment`].
    File(PathBuf),
}

impl Covariance {
    /// Reads the file, if there is one. `d_mlp`: the model's number of neurons in a layer.
    fn second_moment(&self, d_mlp: usize) -> Result<Option<SecondMoment>, AnalysisError> {
        match self {
            Self::Identity => Ok(None),
            Self::File(path) => Ok(Some(SecondMoment::load(path, d_mlp)?)),
        }
    }
}

/// A prompt whose answers are compared before and after. Its answer is the new one, its foil the one
/// that was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub kind: Kind,
    pub prompt: TokenizedPrompt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The fact itself.
    Prompt,

    /// The same in other words: should change too.
    Paraphrase,

    /// Of other subjects with the same answer: should not change.
    Neighbourhood,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankOneEdit {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// One per look at the loss.
    pub steps: Vec<Step>,

    /// Nothing while the value is being found.
    pub update: Option<Update>,
    pub told: Vec<Told>,
}

/// What the value was like before a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The sum of the three.
    pub loss: f64,

    /// Of the new answer's tokens, negative logarithm, on average.
    pub nll: f64,
    pub kl: f64,
    pub weight_decay: f64,

    /// The probability of the new answer's tokens, their geometric mean, on average over texts.
    pub prob: f64,

    /// Length of what is added to the value.
    pub delta_norm: f64,
}

/// `left ⊗ right` is added to `h.{layer}.mlp.c_proj.weight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    pub layer: usize,

    /// `u`. `[d_mlp]`
    pub left: Vec<f32>,

    /// `(v* − v) / (uᵀk)`. `[d_model]`
    pub right: Vec<f32>,

    /// Lengths: of the key, of the value before, of the value that is written, and of the change as
    /// a matrix (Frobenius).
    pub key_norm: f64,
    pub value_norm: f64,
    pub new_value_norm: f64,
    pub change_norm: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub kind: Kind,
    pub text: String,
    pub before: Answers,
    pub after: Answers,
}

/// What a model answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    pub top: Candidate,
    pub new: Belief,

    /// Nothing where no right answer is known.
    pub old: Option<Belief>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Of the first token, 0 to 1.
    pub prob: f32,

    /// Of all tokens, natural logarithm, on average: what ROME compares answers by.
    pub mean_log_prob: f32,
}

impl Default for Descent {
    fn default() -> Self {
        Self {
            n_steps: 20,
            learning_rate: 0.5,
            weight_decay: 0.5,
            clamp: 4.0,
            kl_factor: 0.0625,
            enough: 0.05,
        }
    }
}

impl Spec {
    fn check(&self, model: &Gpt2) -> Result<(), AnalysisError> {
        let n_layers = model.config.n_layers;
        if self.layer >= n_layers {
            return Err(AnalysisError::OutOfRange {
                what: "layer",
                index: self.layer,
                n: n_layers,
            });
        }
        if self.contexts.is_empty() {
            return Err(AnalysisError::Zero { what: "the number of texts with the subject" });
        }
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
        // Nothing would flow back, and steps along rounding errors would be taken.
        let is_read = |it: &Context| it.subject_last + 1 == it.ids.len();
        if self.layer + 1 == n_layers && !self.contexts.iter().any(is_read) {
            return Err(AnalysisError::NotRead { layer: self.layer });
        }
        check_ids(model, &[], self.target.ids.iter().copied())?;
        for asked in &self.asked {
            if !asked.prompt.is_whole() {
                return Err(AnalysisError::Torn { text: asked.prompt.text.clone() });
            }
        }
        let Descent { n_steps, learning_rate, weight_decay, clamp, kl_factor, enough } =
            self.descent;
        if n_steps == 0 {
            return Err(AnalysisError::Zero { what: "the number of steps" });
        }
        let at_least_zero = [
            ("the weight decay", weight_decay),
            ("the weight of the divergence", kl_factor),
            ("the loss that is enough", enough),
        ];
        for (what, value) in at_least_zero {
            if !(value.is_finite() && value >= 0.0) {
                return Err(AnalysisError::OutOfBounds { what, bounds: "a number from 0 on" });
            }
        }
        for (what, value) in [("the learning rate", learning_rate), ("the clamp", clamp)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(AnalysisError::OutOfBounds { what, bounds: "a number above 0" });
            }
        }
        Ok(())
    }

    /// A text with all but the last token of the answer.
    fn continued(&self, context: &Context) -> Vec<u32> {
        [&context.ids, &self.target.ids[..self.target.ids.len() - 1]].concat()
    }
}

impl Method for Spec {
    type Found = RankOneEdit;
    const NAME: &'static str = "rank-one edit";
    const VERB: &'static str = "Editing";

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
        for Asked { kind, prompt } in &self.asked {
            let (text, kind) = (prompt.text.clone(), *kind);
            let before = answers(model, prompt, ctx)?;
            let after = answers(&edited, prompt, ctx)?;
            found.told.push(Told { kind, text, before, after });
        }
        Ok(RankOneEdit { steps, update: Some(update), ..found })
    }

    fn prompt(found: &RankOneEdit) -> Option<&TokenizedPrompt> {
        Some(&found.prompt)
    }

    fn needs(&self) -> Needs {
        Needs::Prompt
    }

    fn has_other_prompts(&self) -> bool {
        true
    }

    fn edit(&self) -> Option<ModelEdit> {
        Some(ModelEdit::RankOne(Self { asked: Vec::new(), ..self.clone() }))
    }
}

impl Update {
    pub fn apply(&self, model: &Gpt2) -> Gpt2 {
        model.with_rank_one(self.layer, &self.left, &self.right)
    }
}

/// The change of the matrix, and how its value was found.
///
/// `on_step` is given all steps so far.
pub fn update(
    model: &Gpt2,
    spec: &Spec,
    ctx: &AnalysisCtx<'_>,
    on_step: &mut dyn FnMut(&[Step]),
) -> Result<(Vec<Step>, Update), AnalysisError> {
    spec.check(model)?;
    let moment = spec.covariance.second_moment(model.config.d_mlp)?;
    let (pre, out) = (Site::MlpPost(spec.layer), Site::MlpOut(spec.layer));
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

/// What is added to the value so that the model says the new answer. `[d_model]`
fn descend(
    model: &Gpt2,
    spec: &Spec,
    value_norm: f64,
    ctx: &AnalysisCtx<'_>,
    on_step: &mut dyn FnMut(&[Step]),
) -> Result<(Vec<Step>, Vec<f64>), AnalysisError> {
    let Descent { n_steps, learning_rate, weight_decay, clamp, kl_factor, enough } = spec.descent;
    // Texts that go through the model together: of one length, with the subject at one place.
    let mut groups: BTreeMap<(usize, usize), Vec<Vec<u32>>> = BTreeMap::new();
    for context in &spec.contexts {
        let ids = spec.continued(context);
        groups.entry((ids.len(), context.subject_last)).or_default().push(ids);
    }
    let mut adam = Adam::new(model.config.d_model, learning_rate);
    let mut delta = vec![0.0; model.config.d_model];
    let mut as_before: Option<Vec<f32>> = None;
    let mut steps = Vec::new();
    for step in 0..n_steps {
        ctx.task.checkpoint(Progress { done: step as u64, total: n_steps as u64 })?;
        let added: Vec<f32> = delta.iter().map(|it| *it as f32).collect();
        let mut gradient = vec![0.0; delta.len()];
        let mut add = |weight: f64, found: &[f32]| {
            for (sum, it) in gradient.iter_mut().zip(found) {
                *sum += weight * f64::from(*it);
            }
        };

        let share = 1.0 / (spec.contexts.len() * spec.target.ids.len()) as f64;
        let (mut nll, mut prob) = (0.0, 0.0);
        for ((_, subject_last), texts) in &groups {
            let changed = model.with_addition(spec.layer, Span::one(*subject_last), &added);
            for texts in texts.chunks(model.max_rows.max(1)) {
                let rows: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
                let tokens = &spec.target.ids;
                let run =
                    forward(&changed, &rows, &way_back(model, spec.layer), tokens.len(), ctx)?;
                for reading in
                    model.read_back(vec![ask_tokens(&run.logits, tokens, None, None)])?.concat()
                {
                    let logs = reading.tokens.iter().map(|it| f64::from(it.log_prob));
                    let sum: f64 = logs.sum();
                    nll -= share * sum;
                    prob += (sum / tokens.len() as f64).exp() / spec.contexts.len() as f64;
                }
                let objective = Objective::LogProb { tokens };
                add(-share, &back(&changed, &run, objective, spec.layer, *subject_last, ctx)?);
            }
        }
        let mut kl = 0.0;
        if let Some(Context { ids, subject_last }) = &spec.essence {
            let changed = model.with_addition(spec.layer, Span::one(*subject_last), &added);
            let read = &ids[..=*subject_last];
            let run = forward(&changed, &[read], &way_back(model, spec.layer), 1, ctx)?;
            let now = log_probs(&run.logits.clone().into_data().iter::<f32>().collect::<Vec<_>>());
            let before = as_before.get_or_insert_with(|| now.clone());
            let surprise = |(now, before): (&f32, &f32)| {
                f64::from(*now).exp() * (f64::from(*now) - f64::from(*before))
            };
            kl = kl_factor * now.iter().zip(before.iter()).map(surprise).sum::<f64>();
            let objective = Objective::Divergence { from: before };
            add(kl_factor, &back(&changed, &run, objective, spec.layer, *subject_last, ctx)?);
        }
        let delta_norm = norm(&delta);
        let decay = weight_decay * delta_norm / value_norm.powi(2);
        if delta_norm > 0.0 {
            for (sum, it) in gradient.iter_mut().zip(&delta) {
                *sum += weight_decay / value_norm.powi(2) * it / delta_norm;
            }
        }
        let loss = nll + kl + decay;
        steps.push(Step { loss, nll, kl, weight_decay: decay, prob, delta_norm });
        on_step(&steps);
        if loss < enough || step + 1 == n_steps {
            break;
        }
        adam.step(&mut delta, &gradient);
        let (length, longest) = (norm(&delta), clamp * value_norm);
        if length > longest {
            for it in &mut delta {
                *it *= longest / length;
            }
        }
    }
    Ok((steps, delta))
}

/// What a pass must keep to go back to the MLP of a layer.
fn way_back(model: &Gpt2, layer: usize) -> SiteSet {
    let sites = Backward::sites(model.config.n_layers).into_iter();
    let last = Site::ResidPost(model.config.n_layers - 1);
    sites.filter(|site| *site == last || site.layer().is_some_and(|it| it > layer)).collect()
}

fn forward(
    model: &Gpt2,
    texts: &[&[u32]],
    capture: &SiteSet,
    n_read: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Run, Cancelled> {
    let rows: Vec<Row<'_>> = texts.iter().map(|ids| Row::new(ids, &[])).collect();
    let request = Request { rows: &rows, donors: &Donors::new(), capture, past: None, n_read };
    model.run(&request, &mut |_| heard(model, ctx))
}

/// The gradient at what the MLP of a layer writes at one position, summed over rows. `[d_model]`
fn back(
    model: &Gpt2,
    run: &Run,
    objective: Objective<'_>,
    layer: usize,
    pos: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Vec<f32>, Cancelled> {
    let site = Site::MlpOut(layer);
    let wanted = SiteSet::from([site]);
    let request =
        Backward { run, objective, first_pos: pos, wanted: &wanted, dropped: Dropped::Nothing };
    let gradients = model.backward(&request, &mut |_| heard(model, ctx))?;
    let at_subject = gradients.get(site).clone().narrow(1, 0, 1).sum_dim(0);
    Ok(at_subject.into_data().iter::<f32>().collect())
}

/// Stops where that was asked for, on a device that works through a queue too.
fn heard(model: &Gpt2, ctx: &AnalysisCtx<'_>) -> Result<(), Cancelled> {
    model.wait();
    if ctx.task.cancel.is_cancelled() { Err(Cancelled) } else { Ok(()) }
}

fn answers(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    ctx: &AnalysisCtx<'_>,
) -> Result<Answers, AnalysisError> {
    let show = prediction::Spec { n_top: 1 };
    let belief = |answer: &Answer| {
        let prompt = TokenizedPrompt { answer: Some(answer.clone()), ..prompt.clone() };
        let found = show.run(&Lab { model, prompt: &prompt, ctx })?;
        let measured = found.answer.ok_or(AnalysisError::NoAnswer)?;
        let mean_log_prob = measured.answer_log_prob / answer.ids.len() as f32;
        Ok::<_, AnalysisError>((found.top[0], Belief { prob: measured.prob, mean_log_prob }))
    };
    let (top, new) = belief(prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?)?;
    let old = prompt.foil.as_ref().map(|foil| Ok::<_, AnalysisError>(belief(foil)?.1));
    Ok(Answers { top, new, old: old.transpose()? })
}

fn log_probs(logits: &[f32]) -> Vec<f32> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|it| (f64::from(*it) - max).exp()).sum();
    logits.iter().map(|it| (f64::from(*it) - max - sum.ln()) as f32).collect()
}

/// Kingma & Ba 2015, with the defaults of `PyTorch`.
struct Adam {
    learning_rate: f64,
    n_steps: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    fn new(n: usize, learning_rate: f64) -> Self {
        Self { learning_rate, n_steps: 0, mean: vec![0.0; n], square: vec![0.0; n] }
    }

    fn step(&mut self, values: &mut [f64], gradient: &[f64]) {
        const BETAS: [f64; 2] = [0.9, 0.999];
        const EPSILON: f64 = 1e-8;
        self.n_steps += 1;
        let [mean_bias, square_bias] = BETAS.map(|beta| 1.0 - beta.powi(self.n_steps));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, gradient), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
            *mean += (1.0 - BETAS[0]) * (gradient - *mean);
            *square += (1.0 - BETAS[1]) * (gradient.powi(2) - *square);
            let size = (*square / square_bias).sqrt() + EPSILON;
            *value -= self.learning_rate * (*mean / mean_bias) / size;
        }
    }
}

fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
