//! `factscope edit`: another answer written into a fact, and what it reaches.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::analysis::generation::{self, Choice};
use crate::analysis::rank_one_edit::{Asked, Context, Covariance, Descent, PromptKind, Spec};
use crate::analysis::{AnalysisResult, AnalysisSpec};
use crate::cli::flags::corruption::lines_of;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::facts::Fact;
use crate::tokens::TokenizedPrompt;

#[derive(Args)]
pub struct Edit {
    /// What the model is to say instead; its leading space is added [default: the dataset's wrong
    /// answer, CounterFact's `target_new`]
    #[arg(long, value_name = "TEXT")]
    target: Option<String>,

    /// The layer whose MLP is edited, from 0. ROME: 12 of GPT-2-large's 36, 17 of GPT-2-XL's 48
    #[arg(long, value_name = "L")]
    layer: usize,

    /// Steps of the descent. ROME: 20
    #[arg(long, value_name = "N", default_value_t = Descent::default().n_steps)]
    steps: usize,

    /// Learning rate of Adam
    #[arg(long, value_name = "RATE", default_value_t = Descent::default().learning_rate)]
    learning_rate: f64,

    /// Weight of the size of the change
    #[arg(long, value_name = "WEIGHT", default_value_t = Descent::default().weight_decay)]
    weight_decay: f64,

    /// The largest change, as a multiple of the value's own length
    #[arg(long, value_name = "FACTOR", default_value_t = Descent::default().clamp)]
    clamp: f64,

    /// Weight of keeping what the subject is
    #[arg(long, value_name = "WEIGHT", default_value_t = Descent::default().kl_factor)]
    kl: f64,

    /// Texts put before the prompt, one a line, over which the key is averaged [default: none]
    #[arg(long, value_name = "FILE")]
    prefixes: Option<PathBuf>,

    /// Let the model write so many of them, as ROME does with 20: half of 5 tokens, half of 10
    #[arg(long, value_name = "N", conflicts_with = "prefixes")]
    sample_prefixes: Option<usize>,

    /// Seed of these
    #[arg(long, value_name = "N", default_value_t = 0, requires = "sample_prefixes")]
    seed: u64,

    /// How keys are spread: a safetensors file with `mom2`, [`d_mlp`, `d_mlp`], the mean of k kᵀ over
    /// the inputs of the layer's `mlp.c_proj`, as in ROME's statistics [default: the identity]
    #[arg(long, value_name = "FILE")]
    second_moment: Option<PathBuf>,
}

impl Asks for Edit {
    type About = AskedArgs;

    fn spec(&self, about: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let inquiry = &*inquiry;
        let fact = &inquiry.question.fact;
        let subject = fact.subject.clone().context("name the --subject whose fact is edited")?;
        let target = self.target.as_ref().or(fact.foil.as_ref());
        let target = target.context("name what the model is to say with --target")?;
        let tokenizer = &inquiry.engine.info.tokenizer;
        let target = TokenizedPrompt::answer(tokenizer, target)?;
        let in_context = |text: String, start: usize| -> anyhow::Result<Context> {
            let subject = Some(start..start + subject.len());
            let fact = Fact { prompt: text, subject, answer: None, foil: None };
            let prompt = inquiry.tokenized(&fact)?;
            let subject = prompt.subject.context("the subject has no tokens")?;
            Ok(Context { ids: prompt.ids, subject_last: subject.end - 1 })
        };
        let mut contexts = vec![in_context(fact.prompt.clone(), subject.start)?];
        for prefix in self.prefixes(inquiry)? {
            let before = format!("{prefix}. ");
            let start = before.len() + subject.start;
            contexts.push(in_context(before + &fact.prompt, start)?);
        }
        let essence = format!("{} is a", fact.subject_text().unwrap_or_default());
        let mut essence = in_context(essence, 0)?;
        essence.ids.truncate(essence.subject_last + 1);

        let asked = if let Some(asked) = inquiry.changed(about, Some(target.text.trim_start()))? {
            asked
        } else {
            let foil = fact.answer.as_deref();
            let foil = foil.map(|it| TokenizedPrompt::answer(tokenizer, it)).transpose()?;
            let plain = inquiry.tokenized(&Fact::from_text(&fact.prompt, None)?)?;
            let prompt = TokenizedPrompt { answer: Some(target.clone()), foil, ..plain };
            vec![Asked { kind: PromptKind::Prompt, prompt }]
        };
        let spec = Spec {
            layer: self.layer,
            target,
            contexts,
            essence: Some(essence),
            descent: Descent {
                n_steps: self.steps,
                learning_rate: self.learning_rate,
                weight_decay: self.weight_decay,
                clamp: self.clamp,
                kl_factor: self.kl,
                ..Descent::default()
            },
            covariance: match &self.second_moment {
                None => Covariance::Identity,
                Some(path) => Covariance::File(path.clone()),
            },
            asked,
        };
        Ok(spec.into())
    }
}

impl Edit {
    /// Texts that the prompt is put behind.
    fn prefixes(&self, inquiry: &Inquiry) -> anyhow::Result<Vec<String>> {
        if let Some(path) = &self.prefixes {
            return lines_of(path);
        }
        let tokenizer = &inquiry.engine.info.tokenizer;
        let n = self.sample_prefixes.unwrap_or(0);
        let written = (0..n).map(|nth| {
            // As ROME: from "The", one of the five likeliest tokens each time.
            let begin = inquiry.tokenized(&Fact::from_text("The", None)?)?;
            let n_tokens = if nth < n / 2 { 4 } else { 9 };
            let seed = self.seed.wrapping_add(nth as u64);
            let choice = Choice::Sample { temperature: 1.0, top_k: Some(5), top_p: None, seed };
            let spec = generation::Spec { n_tokens, choice, end: None }.into();
            let result = inquiry.machine.run(&inquiry.engine, &begin, &spec, "Writing prefixes")?;
            let AnalysisResult::Generation(it) = result else {
                unreachable!("a text was asked for");
            };
            let ends = [tokenizer.bos(), tokenizer.eos()];
            let ids = it.tokens.iter().map(|it| it.id).filter(|id| !ends.contains(&Some(*id)));
            let bytes: Vec<u8> = ids.flat_map(|id| tokenizer.bytes(id)).collect();
            let text = format!("The{}", String::from_utf8_lossy(&bytes));
            Ok(text.replace("\n\n", " "))
        });
        written.collect()
    }
}
