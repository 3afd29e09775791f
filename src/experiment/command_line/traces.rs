//! Commands of traces, and of what gradients estimate.

use super::{Asked, Foil};
use crate::analysis::causal_trace::{self, Component, Map};
use crate::analysis::corruption::{Corruption, Draws, NoiseEntry};
use crate::analysis::edge_attribution::EdgeBase;
use crate::analysis::{AnalysisSpec, Contrast, corruption_bench};
use crate::experiment::choices::{Choices as _, CorruptionKind};
use crate::experiment::line::{Line, joined};
use crate::experiment::{FactSource, other_subjects};

impl Asked<'_> {
    pub(super) fn of_trace(&self) -> Option<Line> {
        match &self.experiment.spec {
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
            AnalysisSpec::AtpStar(it) => {
                let line = self.contrasted("atp-star", &it.contrast)?;
                Some(line.case("--metric", it.metric)?.flag("--verify", it.n_verified))
            }
            AnalysisSpec::CorruptionBench(it) => self.bench(it),
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
        self.drawn(line, spec)
    }

    /// How many layers a trace restores together, what the subject becomes, and which way it goes.
    pub(super) fn drawn(&self, line: Line, spec: &causal_trace::Spec) -> Option<Line> {
        let line = self.corrupted(line.flag("--window", spec.window), &spec.draws())?;
        way(line, spec)
    }

    /// The command of a corruption bench. Its maps are then named by the keys of `--corruptions`, whatever the
    /// window calls them; a corruption that the prompt has no room for is not named.
    fn bench(&self, spec: &corruption_bench::Spec) -> Option<Line> {
        let corruption_bench::Spec { trace, corruptions, windows, left_out: _ } = spec;
        let usual = trace.draws();
        let (mut names, mut other) = (Vec::new(), None);
        for corruption_bench::Entry { corruption, n_samples, .. } in corruptions {
            if let Corruption::Counterpart { ids } = corruption {
                // Of a fact without a foil, the command makes the counterpart's answer the foil.
                self.question.fact.foil.as_ref()?;
                other = Some(self.library.text_of(ids)?.0.trim().to_owned());
            } else {
                // A corruption that `--corruption` cannot name, `--corruptions` cannot name either.
                let draws = Draws { corruption: corruption.clone(), ..usual.clone() };
                self.corrupted_by("--corruptions", Line::new("bench"), &draws)?;
            }
            let n_usual = match corruption {
                Corruption::NoiseFile(_) => return None,
                Corruption::OtherSubjects { ids, .. } => usual.n_samples.min(ids.len()),
                it if it.is_drawn() => usual.n_samples,
                _ => 1,
            };
            (*n_samples == n_usual).then_some(())?;
            names.push(CorruptionKind::of(corruption).words().key);
        }
        let line = self.command("bench", Foil::Flag)?.case("--kind", trace.component)?;
        let line = line.flag("--corruptions", joined(&names)).option("--counterpart", other);
        let line = self.noise(line, "--noise", &usual.noise)?.case("--noise-rng", usual.rng)?;
        let line = line.flag("--samples", usual.n_samples).flag("--seed", usual.seed);
        let is_said = !names.is_empty() && trace.map == Map::Tokens && windows.first() == Some(&1);
        let line = if trace.component == Component::Hidden {
            (windows.len() == 1).then_some(line)?
        } else {
            line.flag("--window", joined(windows))
        };
        is_said.then(|| way(line, trace))?
    }

    /// What the subject becomes.
    fn corrupted(&self, line: Line, draws: &Draws) -> Option<Line> {
        self.corrupted_by("--corruption", line, draws)
    }

    /// What the subject becomes, by the flag that names the kind of corruption.
    pub(super) fn corrupted_by(&self, flag: &str, line: Line, draws: &Draws) -> Option<Line> {
        let Draws { corruption, noise, rng, seed, n_samples } = draws;
        let key = CorruptionKind::of(corruption).words().key;
        let line = match corruption {
            Corruption::Noise { entry: NoiseEntry::Replaced, .. } => {
                let added = key.strip_suffix("-instead").unwrap_or(key);
                (flag == "--corruption")
                    .then(|| line.flag(flag, added).switch("--replace", true))?
            }
            Corruption::NoiseFile(file) => {
                let line = if flag == "--corruption" { line } else { line.flag(flag, key) };
                line.flag("--noise-file", file.path.display())
            }
            Corruption::OtherSubjects { of, ids } => {
                let (dataset, tokenizer) =
                    (self.question.dataset.as_ref()?, self.library.tokenizer);
                let (question, bos) = (&self.question, self.experiment.bos);
                let all =
                    other_subjects(dataset, *of, usize::MAX, question, tokenizer, bos).ok()?;
                let all = all.into_iter().map(|it| it.ids);
                all.eq(ids.iter().cloned()).then(|| line.flag(flag, key))?
            }
            Corruption::Counterpart { ids } => {
                // Its answer becomes the foil, unless there is one.
                let has_foil = match &self.experiment.fact {
                    FactSource::Text(it) => it.foil.is_some() || self.question.dataset.is_none(),
                    FactSource::Record(it) => it.foil.is_some(),
                    FactSource::NoFact => false,
                };
                let (subject, _) = self.library.text_of(ids)?;
                let line = line.flag(flag, key).flag("--counterpart", subject.trim());
                has_foil.then_some(line)?
            }
            Corruption::Mean { tokens } => {
                let is_usual = *self.noise_tokens() == **tokens;
                is_usual.then(|| line.flag(flag, key))?
            }
            _ => line.flag(flag, key),
        };
        let line = self.noise(line, "--noise", noise)?.case("--noise-rng", rng)?;
        Some(line.flag("--samples", n_samples).flag("--seed", seed))
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

/// Which way a trace goes, and what may not react.
fn way(line: Line, spec: &causal_trace::Spec) -> Option<Line> {
    let line = match (spec.sever, spec.sever_layers) {
        (None, None) => line,
        (None, Some(_)) => return None,
        (Some(sever), layers) => line.case("--sever", sever)?.option("--sever-layers", layers),
    };
    line.case("--direction", spec.direction)
}
