//! The command that asks what an experiment asks, as one line for a POSIX shell.
//!
//! Every setting is said, so that the line keeps its meaning where a default changes. What no flag
//! says has no line: such an experiment is a file for `factscope run`. That a line asks the same as
//! its experiment is held for all methods by `a_command_line_asks_what_its_experiment_asks`.

use super::choices::{Choices as _, CorruptionKind};
use super::line::{Line, joined, key_of};
use super::meant::{Library, other_subjects, spaced_facts, subject_tokens};
use super::{Experiment, FactSource, Question, RecordFact, TextFact};
use crate::analysis::ablation::Replacement;
use crate::analysis::attention::Weighting;
use crate::analysis::causal_trace::{Component, Map};
use crate::analysis::corruption::{Corruption, Draws, NoiseEntry, NoiseLevel};
use crate::analysis::edge_attribution::EdgeBase;
use crate::analysis::logit_attribution::Parts;
use crate::analysis::{
    AnalysisSpec, Contrast, ModelEdit, Pair, activation_patching, attention,
    attribution_difference, causal_trace, contribution_graph, generation, neuron_attribution,
    steering,
};
use crate::facts::{Direction, Fact};
use crate::tokens::{Bos, TokenizedPrompt};

/// The line, or `None` where flags cannot say all that is asked.
pub fn command_line(experiment: &Experiment, library: &Library<'_>) -> Option<String> {
    let question = library.question(&experiment.fact).ok()?;
    let asked = Asked { experiment, library, question };
    Some(asked.line()?.text())
}

/// What is asked, and what is needed to say it.
struct Asked<'a> {
    experiment: &'a Experiment,
    library: &'a Library<'a>,
    question: Question,
}

/// Whether a command has the flag `--foil`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foil {
    Flag,
    NoFlag,
}

impl Asked<'_> {
    #[expect(clippy::too_many_lines, reason = "an arm for each method with flags")]
    fn line(&self) -> Option<Line> {
        match &self.experiment.spec {
            AnalysisSpec::Prediction(it) => {
                Some(self.command("predict", Foil::NoFlag)?.flag("--top", it.n_top))
            }
            AnalysisSpec::CausalTrace(it) => self.trace("trace", it),
            AnalysisSpec::TraceCell(it) => {
                let line = self.trace("trace", &it.trace)?;
                let cell = format!("{},{}", it.pos, it.layer);
                Some(line.flag("--cell", cell).flag("--top", it.n_top))
            }
            AnalysisSpec::AttributionPatching(it) => {
                let line = self.trace("atp", &it.trace)?.case("--base", it.base)?;
                let line = line.case("--metric", it.metric)?.case("--windows", it.windows)?;
                Some(line.flag("--verify", it.n_verified))
            }
            AnalysisSpec::LogitAttribution(it) => self.attribute(it.by),
            AnalysisSpec::NeuronAttribution(it) => {
                let line = self.command("attribute", Foil::Flag)?.flag("--by", "neurons");
                let is_per_layer = it.listing == neuron_attribution::Listing::PerLayer;
                Some(line.flag("--top", it.n_top).switch("--per-layer", is_per_layer))
            }
            AnalysisSpec::SourceAttribution(_) => {
                Some(self.command("attribute", Foil::Flag)?.flag("--by", "sources"))
            }
            AnalysisSpec::AccumulatedResid(it) => {
                let line = self.command("attribute", Foil::Flag)?.flag("--by", "accumulated");
                line.case("--scale", it.scale)
            }
            AnalysisSpec::ThroughHead(it) => {
                let head = format!("{}.{}", it.layer, it.head);
                Some(self.attribute(it.by)?.flag("--through", head))
            }
            AnalysisSpec::AttributionDifference(it) => self.difference(it),
            AnalysisSpec::LogitLens(it) => {
                let line = self.command("lens", Foil::NoFlag)?.case("--scale", it.scale)?;
                Some(line.flag("--top", it.n_top))
            }
            AnalysisSpec::Attention(it) => self.attention(it),
            AnalysisSpec::HeadScores(it) => {
                let line =
                    self.command("heads", Foil::NoFlag)?.flag("--random-tokens", it.n_random);
                Some(line.flag("--sequences", it.n_sequences).flag("--seed", it.seed))
            }
            AnalysisSpec::ResidualNorms(_) => self.command("norms", Foil::NoFlag),
            AnalysisSpec::ContributionGraph(it) => self.contributions(it),
            AnalysisSpec::Circuit(it) => {
                let head = format!("{}.{}", it.layer, it.head);
                let line = self.of_weights("circuit")?.flag("--process", &it.processing);
                let line = line.flag("--head", head).case("--circuit", it.circuit)?;
                Some(line.flag("--vectors", it.n_vectors).flag("--tokens", it.n_tokens))
            }
            AnalysisSpec::Composition(it) => {
                let modes: Option<Vec<String>> = it.modes.iter().map(key_of).collect();
                let line = self.of_weights("compose")?.flag("--process", &it.processing);
                Some(line.flag("--modes", joined(&modes?)).flag("--top", it.n_top))
            }
            AnalysisSpec::Ablation(it) => {
                let line = self.command("ablate", Foil::Flag)?.case("--part", it.part)?;
                self.replaced(line.flag("--positions", &it.positions), &it.replacement)
            }
            AnalysisSpec::NeuronAblation(it) => {
                let layers = (!it.layers.is_empty()).then(|| joined(&it.layers));
                let line = self.command("ablate", Foil::Flag)?.flag("--part", "neurons");
                let line = line.flag("--top", it.n_top).option("--layers", layers);
                let line = line.case("--metric", it.metric)?.flag("--positions", &it.positions);
                self.replaced(line, &it.replacement)
            }
            AnalysisSpec::AttentionKnockout(it) => {
                let line = self.command("knockout", Foil::NoFlag)?.flag("--window", it.window);
                let line = it.edges.iter().fold(line, |line, edges| {
                    line.flag("--edges", format!("{}:{}", edges.from, edges.to))
                });
                (!it.edges.is_empty()).then_some(line)
            }
            AnalysisSpec::EdgeCut(it) => {
                let line = self.command("cut", Foil::Flag)?.flag("--top", it.n_top);
                let layers = format!("{}..{}", it.layers.start, it.layers.end);
                let line = it.edges.iter().fold(line.flag("--layers", layers), |line, edge| {
                    line.flag("--edge", format!("{}:{}", edge.query, edge.key))
                });
                let heads = it.heads.iter().flatten();
                let has_heads = it.heads.as_ref().is_none_or(|it| !it.is_empty());
                has_heads.then(|| heads.fold(line, |line, head| line.flag("--head", head)))
            }
            AnalysisSpec::Generation(it) => self.generation(it),
            AnalysisSpec::Steering(it) => self.steering(it),
            AnalysisSpec::ActivationPatching(it) => {
                let line = self.paired("patch", Foil::NoFlag, &it.donor, &it.pairs)?;
                let is_together = it.places == activation_patching::Places::Together;
                let line = line.case("--kind", it.part)?.flag("--window", it.window);
                Some(line.switch("--together", is_together))
            }
            AnalysisSpec::PathPatching(it) => {
                let line = self.paired("path-patch", Foil::Flag, &it.donor, &it.pairs)?;
                let to = it.receivers.iter();
                let line = to.fold(line, |line, receiver| line.flag("--to", receiver));
                line.flag("--positions", &it.receiver_positions).case("--mlps", it.between)
            }
            AnalysisSpec::AtpStar(it) => {
                let line = self.contrasted("atp-star", &it.contrast)?;
                Some(line.case("--metric", it.metric)?.flag("--verify", it.n_verified))
            }
            AnalysisSpec::EdgeAttribution(it) => {
                let line = self.contrasted("eap", &it.contrast)?.case("--metric", it.metric)?;
                let line = match it.base {
                    EdgeBase::Clean => line.flag("--method", "eap"),
                    EdgeBase::Between { n_steps } => {
                        line.flag("--method", "eap-ig").flag("--steps", n_steps)
                    }
                };
                Some(line.flag("--edges", it.n_edges).flag("--verify", it.n_verified))
            }
            // The commands of other methods draw facts, look up answers or write prefixes, and the
            // spec holds what came of that; or a method has no command.
            _ => None,
        }
    }

    /// A command that asks the model about the fact.
    fn command(&self, name: &str, has_foil: Foil) -> Option<Line> {
        let line = self.model(name)?.switch("--bos", self.experiment.bos == Bos::On);
        let (line, answer, foil) = match &self.experiment.fact {
            FactSource::Text(TextFact { prompt, subject, subject_start: None, answer, foil }) => {
                (line.flag("--prompt", prompt).option("--subject", subject.as_ref()), answer, foil)
            }
            FactSource::Record(RecordFact { facts, sha256: _, case, direction, answer, foil }) => {
                let line = line.flag("--facts", facts.display()).flag("--case", case);
                let is_inverse = *direction == Direction::Inverse;
                (line.switch("--inverse", is_inverse), answer, foil)
            }
            FactSource::Text(_) | FactSource::NoFact => return None,
        };
        let line = line.option("--answer", answer.as_ref());
        match foil {
            None => Some(line),
            Some(foil) => (has_foil == Foil::Flag).then(|| line.flag("--foil", foil)),
        }
    }

    /// A command that reads the model's weights alone.
    fn of_weights(&self, name: &str) -> Option<Line> {
        let experiment = self.experiment;
        let is_plain = experiment.edits.is_empty()
            && experiment.bos == Bos::Off
            && experiment.fact == FactSource::NoFact;
        is_plain.then(|| self.model(name))?
    }

    fn model(&self, name: &str) -> Option<Line> {
        let line = Line::new(name).flag("--model", self.experiment.model.display());
        match &self.experiment.edits[..] {
            [] => Some(line),
            [ModelEdit::Processing(it)] => Some(line.flag("--process", it)),
            _ => None,
        }
    }

    fn trace(&self, name: &str, spec: &causal_trace::Spec) -> Option<Line> {
        let line = self.command(name, Foil::Flag)?;
        let line = match &spec.map {
            Map::Tokens => line.case("--kind", spec.component)?,
            Map::Heads { at } if spec.component == Component::Attn => {
                line.flag("--kind", "head").flag("--at", at)
            }
            Map::Together { at, widths } if !widths.is_empty() => {
                let line = line.case("--kind", spec.component)?.flag("--at", at);
                line.flag("--widths", joined(widths))
            }
            Map::Heads { .. } | Map::Together { .. } => return None,
        };
        let line = self.corrupted(line.flag("--window", spec.window), &spec.draws())?;
        let line = match (spec.sever, spec.sever_layers) {
            (None, None) => line,
            (None, Some(_)) => return None,
            (Some(sever), layers) => line.case("--sever", sever)?.option("--sever-layers", layers),
        };
        line.case("--direction", spec.direction)
    }

    /// What the subject becomes.
    fn corrupted(&self, line: Line, draws: &Draws) -> Option<Line> {
        let Draws { corruption, noise, rng, seed, n_samples } = draws;
        let key = CorruptionKind::of(corruption).words().key;
        let line = match corruption {
            Corruption::Noise { entry: NoiseEntry::Replaced, .. } => {
                let added = key.strip_suffix("-instead").unwrap_or(key);
                line.flag("--corruption", added).switch("--replace", true)
            }
            Corruption::NoiseFile(file) => line.flag("--noise-file", file.path.display()),
            Corruption::OtherSubjects { of, ids } => {
                let (dataset, tokenizer) =
                    (self.question.dataset.as_ref()?, self.library.tokenizer);
                let (question, bos) = (&self.question, self.experiment.bos);
                let all =
                    other_subjects(dataset, *of, usize::MAX, question, tokenizer, bos).ok()?;
                let all = all.into_iter().map(|it| it.ids);
                all.eq(ids.iter().cloned()).then(|| line.flag("--corruption", key))?
            }
            Corruption::Counterpart { ids } => {
                // Its answer becomes the foil, unless there is one.
                let has_foil = match &self.experiment.fact {
                    FactSource::Text(it) => it.foil.is_some() || self.question.dataset.is_none(),
                    FactSource::Record(it) => it.foil.is_some(),
                    FactSource::NoFact => false,
                };
                let (subject, _) = self.library.text_of(ids)?;
                let line = line.flag("--corruption", key).flag("--counterpart", subject.trim());
                has_foil.then_some(line)?
            }
            Corruption::Mean { tokens } => {
                let is_usual = *self.noise_tokens()? == **tokens;
                is_usual.then(|| line.flag("--corruption", key))?
            }
            _ => line.flag("--corruption", key),
        };
        let line = line.flag("--noise", self.noise(noise)?).case("--noise-rng", rng)?;
        Some(line.flag("--samples", n_samples).flag("--seed", seed))
    }

    /// `3s` or `0.12`
    fn noise(&self, level: &NoiseLevel) -> Option<String> {
        match level {
            NoiseLevel::Std(std) => Some(std.to_string()),
            NoiseLevel::Multiple { factor, tokens } => {
                (*self.noise_tokens()? == **tokens).then(|| format!("{factor}s"))
            }
        }
    }

    /// The tokens that commands measure noise on: those of the dataset's subjects, else of the
    /// prompt's own.
    fn noise_tokens(&self) -> Option<Vec<u32>> {
        let Question { fact, dataset, .. } = &self.question;
        let tokenizer = self.library.tokenizer;
        let tokens = match dataset {
            Some(dataset) => subject_tokens(tokenizer, dataset.subjects()),
            None => subject_tokens(tokenizer, fact.subject_text().into_iter()),
        };
        tokens.ok()
    }

    fn attribute(&self, by: Parts) -> Option<Line> {
        self.command("attribute", Foil::Flag)?.case("--by", by)
    }

    fn difference(&self, spec: &attribution_difference::Spec) -> Option<Line> {
        let line = self.attribute(spec.by)?.case("--scale-of", spec.scale_of)?;
        match &spec.second {
            attribution_difference::SecondRun::Prompt { ids } => {
                Some(line.flag("--minus-prompt", self.prompt_of(ids)?))
            }
            attribution_difference::SecondRun::Noise { level, rng, seed, n_samples } => {
                let line = line.flag("--minus-noise", self.noise(level)?);
                let line = line.flag("--samples", n_samples).flag("--seed", seed);
                (key_of(rng)? == "numpy").then_some(line)
            }
        }
    }

    /// The text of a prompt that begins as the experiment's own does, if its text gives these ids.
    fn prompt_of(&self, ids: &[u32]) -> Option<String> {
        let (text, _) = self.library.text_of(ids)?;
        let fact = Fact::from_text(&text, None).ok()?;
        let again =
            TokenizedPrompt::new(self.library.tokenizer, &fact, self.experiment.bos).ok()?;
        (again.ids == ids).then_some(text)
    }

    fn attention(&self, spec: &attention::Spec) -> Option<Line> {
        let line = self.command("attention", Foil::NoFlag)?.flag("--layer", spec.layers.start);
        let line = match (spec.weighting, spec.head) {
            (Weighting::Rollout, None) => line.switch("--rollout", true),
            (Weighting::Rollout, Some(_)) => return None,
            (weighting, head) => {
                let key = match weighting {
                    Weighting::ValueWeighted => "value",
                    Weighting::NormBased => "norm",
                    Weighting::Pattern | Weighting::Rollout => "pattern",
                };
                line.option("--head", head).flag("--weighting", key)
            }
        };
        (spec.layers.len() == 1).then_some(line)
    }

    fn contributions(&self, spec: &contribution_graph::Spec) -> Option<Line> {
        let contribution_graph::Spec { threshold, edges, weights, pos } = spec;
        let line = self.command("contributions", Foil::NoFlag)?.flag("--threshold", threshold);
        let is_summed = *edges == contribution_graph::AttentionEdges::PerToken;
        let is_renormalized = *weights == contribution_graph::Weights::Renormalized;
        let line = line.switch("--sum-heads", is_summed);
        Some(line.switch("--renormalize", is_renormalized).option("--pos", *pos))
    }

    /// What stands in for what is ablated.
    fn replaced(&self, line: Line, replacement: &Replacement) -> Option<Line> {
        match replacement {
            Replacement::Zero => Some(line.flag("--with", "zero")),
            Replacement::Mean { prompts } => {
                let (dataset, n) = (self.question.dataset.as_ref()?, prompts.len());
                let meant = spaced_facts(dataset, self.question.direction, n);
                let meant = meant.map(|fact| {
                    let (tokenizer, bos) = (self.library.tokenizer, self.experiment.bos);
                    Some(TokenizedPrompt::new(tokenizer, fact, bos).ok()?.ids)
                });
                let line = line.flag("--with", "mean").flag("--mean-count", n);
                meant.eq(prompts.iter().cloned().map(Some)).then_some(line)
            }
            Replacement::Resample { ids } => {
                let line = line.flag("--with", "resample");
                Some(line.flag("--other", self.prompt_of(ids)?))
            }
        }
    }

    fn generation(&self, spec: &generation::Spec) -> Option<Line> {
        let line = self.command("generate", Foil::NoFlag)?.flag("--tokens", spec.n_tokens);
        let line = match spec.choice {
            generation::Choice::Greedy => line,
            generation::Choice::Sample { temperature, top_k, top_p, seed } => {
                let line = line.flag("--temperature", temperature).option("--top-k", top_k);
                line.option("--top-p", top_p).flag("--seed", seed)
            }
        };
        match spec.end {
            None => Some(line.switch("--ignore-end", true)),
            end => (end == self.library.tokenizer.bos()).then_some(line),
        }
    }

    fn steering(&self, spec: &steering::Spec) -> Option<Line> {
        let line = self.command("steer", Foil::NoFlag)?.flag("--layer", spec.layer);
        let line = line.flag("--positions", &spec.positions).flag("--scale", spec.scale);
        let line = line.flag("--top", spec.n_top);
        let word = |id: u32| {
            let (text, _) = self.library.text_of(&[id])?;
            let answer = TokenizedPrompt::answer(self.library.tokenizer, &text).ok()?;
            (answer.first() == id).then_some(text)
        };
        match &spec.direction {
            steering::Direction::Prompts { plus, minus } => {
                let line = line.flag("--plus", self.prompt_of(plus)?);
                Some(line.flag("--minus", self.prompt_of(minus)?))
            }
            steering::Direction::Tokens { plus, minus } => {
                let line = line.flag("--plus-token", word(*plus)?);
                match minus {
                    None => Some(line),
                    Some(minus) => Some(line.flag("--minus-token", word(*minus)?)),
                }
            }
        }
    }

    /// A command that takes activations from another prompt.
    fn paired(
        &self,
        name: &str,
        has_foil: Foil,
        donor: &TokenizedPrompt,
        pairs: &[Pair],
    ) -> Option<Line> {
        let (question, bos) = (&self.question, self.experiment.bos);
        let recipient = TokenizedPrompt::new(self.library.tokenizer, &question.fact, bos).ok()?;
        let line = self.command(name, has_foil)?;
        let line = match self.library.source_of(donor, bos)? {
            FactSource::Text(TextFact {
                prompt,
                subject,
                subject_start: None,
                answer,
                foil: None,
            }) => {
                let line = line.flag("--from", prompt).option("--from-subject", subject);
                line.option("--from-answer", answer)
            }
            FactSource::Record(it) => {
                let FactSource::Record(own) = &self.experiment.fact else { return None };
                let is_said = own.facts == it.facts && it.foil.is_none();
                let line = if it.direction == own.direction {
                    line.flag("--from-case", it.case)
                } else {
                    (it.case == own.case).then(|| line.switch("--from-inverse", true))?
                };
                is_said.then(|| line.option("--from-answer", it.answer))?
            }
            _ => return None,
        };
        if pairs == Pair::by_role(donor, &recipient) {
            return Some(line);
        }
        let line = pairs.iter().fold(line, |line, pair| line.flag("--pair", pair));
        (!pairs.is_empty()).then_some(line)
    }

    /// A command that estimates against corrupted runs.
    fn contrasted(&self, name: &str, contrast: &Contrast) -> Option<Line> {
        let line = self.command(name, Foil::Flag)?;
        match contrast {
            Contrast::Prompt { ids } => Some(line.flag("--other", self.prompt_of(ids)?)),
            Contrast::Subject(draws) => self.corrupted(line, draws),
        }
    }
}
