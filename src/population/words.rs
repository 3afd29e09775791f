//! What a population's figure says in words: which facts there are, and what to beware of in its numbers.

use std::collections::BTreeMap;
use std::path::Path;

use super::charts::{LEVEL, QUESTIONS};
use super::figure::{GroupBy, Shown};
use super::folder::Manifest;
use super::left_out::reasons;
use super::read::{Fact, Numbers, Population};
use crate::analysis::Resampling;
use crate::experiment::Written;
use crate::figure::words::{counted, is_relative, joined};
use crate::figure::{Cell, Row, Table, model_note};

impl Population {
    /// The model that was asked, and what was changed in it.
    pub(super) fn made_with(&self) -> String {
        let Manifest { model, spec, .. } = &self.manifest;
        let written = Written::parse(&spec.to_string(), Path::new(Manifest::FILE));
        model_note(model, written.as_ref().map_or(&[], |it| &it.outline.edits))
    }

    /// How many facts there are of which kind, and how many questions they ask where some share one.
    pub(super) fn counts(&self, kept: &[usize]) -> Table {
        let mut kinds: BTreeMap<(String, String, &str), Vec<usize>> = BTreeMap::new();
        for &nth in kept {
            let Fact { direction, known, left_out, .. } = &self.facts[nth];
            let result = if left_out.is_none() { "asked" } else { "left out" };
            kinds.entry((direction.clone(), known.clone(), result)).or_default().push(nth);
        }
        let mut columns = vec!["Asked as", "Known", "Result", "Facts"];
        if self.n_shared(kept).is_some() {
            columns.push(QUESTIONS);
        }
        let n_columns = columns.len();
        let row = |((direction, known, result), facts): ((String, String, &str), Vec<usize>)| {
            let texts = [direction, known, result.to_owned()].map(Cell::Text);
            let counts = [facts.len(), self.questions(&facts).len()];
            let counts = counts.map(|n| Cell::Number(n as f32));
            Row::new(texts.into_iter().chain(counts).take(n_columns))
        };
        Table::new("Facts", columns, kinds.into_iter().map(row))
    }

    /// How many facts share their question with another that is asked the same way, and how many questions
    /// they ask. `None` if each asks its own.
    fn n_shared(&self, kept: &[usize]) -> Option<[usize; 2]> {
        let has_result = |nth: &&usize| self.facts[**nth].left_out.is_none();
        let asked: Vec<usize> = kept.iter().filter(has_result).copied().collect();
        let mut questions = self.questions(&asked);
        questions.retain(|it| it.len() > 1);
        (!questions.is_empty()).then(|| [questions.iter().map(Vec::len).sum(), questions.len()])
    }

    /// Says that facts measure different things, which no mean mixes. `None` if they do not.
    fn mixture(&self, kept: &[usize], whole: &[&Numbers]) -> Option<String> {
        let first = whole.iter().find(|it| self.others(it).next().is_some())?;
        let all = std::iter::once(*first).chain(self.others(first));
        let count = |it: &Numbers| {
            let n = kept.iter().filter(|&&nth| it.has(nth)).count();
            format!(
                "{} of {}",
                it.measured.as_deref().unwrap_or("the quantity itself"),
                counted(n, "fact")
            )
        };
        let counts: Vec<String> = all.map(count).collect();
        Some(format!(
            "The facts are not measured by the same number, so each kind has charts of its own: {}. A \
             foil is taken off where a fact has one",
            joined(&counts)
        ))
    }

    pub(super) fn warnings(&self, kept: &[usize], whole: &[&Numbers]) -> Vec<String> {
        let facts = kept.iter().map(|&nth| &self.facts[nth]);
        let mut warnings =
            reasons(facts.filter_map(|it| Some((&*it.case, it.left_out.as_deref()?))));
        warnings.extend(self.mixture(kept, whole));
        if let Some(it) = whole.iter().find(|it| is_relative(&it.quantity)) {
            warnings.push(format!(
                "{}: relative to a small number it has no bound, so few facts may decide its mean",
                it.quantity
            ));
        }
        for it in whole {
            let is_infinite = |&&nth: &&usize| it.values.iter().any(|cell| cell[nth].is_infinite());
            let n = kept.iter().filter(is_infinite).count();
            if n > 0 {
                warnings.push(format!(
                    "{}, {}: numbers of {} are infinite, so means with them are none",
                    it.chart,
                    it.quantity,
                    counted(n, "fact")
                ));
            }
        }
        let n_asked = self.manifest.n_asked;
        if self.facts.len() < n_asked {
            warnings.push(format!(
                "{} of {n_asked} facts are there yet; the same `sweep` goes on",
                self.facts.len()
            ));
        }
        warnings
    }

    pub(super) fn notes(
        &self,
        (shown, kept): (&Shown, &[usize]),
        lists: &[&Numbers],
        relative: &[&Numbers],
    ) -> Vec<String> {
        let Resampling { n_draws, n_permutations, seed } = shown.resampling;
        let mut notes = vec![
            "Each fact counts once: tokens of one role are averaged within it. Means are over the facts \
             that have such a token; a fact that lacks one is not filled in"
                .to_owned(),
            format!(
                "95 % intervals over facts: ±1.96 standard errors, which lie evenly about the mean and may \
                 go past what can be, such as 1 for a probability; and the percentile bootstrap of \
                 {n_draws} draws, seed {seed}, which cannot"
            ),
            format!(
                "p: {n_permutations} {} with the largest |mean ÷ standard error| of all places as the \
                 measure, so that it holds for all of them together; ° and a line across mark what is not \
                 below {LEVEL}. What cannot lie on both sides of 0, such as a probability or a rank, is not tested",
                match shown.by {
                    GroupBy::Way => "sign flips of facts",
                    _ => "sign flips of facts, or relabellings of them for a difference,",
                }
            ),
        ];
        if let Some([n_facts, n_questions]) = self.n_shared(kept) {
            notes.push(format!(
                "{n_facts} facts ask {} between them, in the same words and the same way, such as inverses \
                 of a many-to-one relation. A question counts once: the numbers of its facts are averaged, \
                 and intervals and tests are over questions",
                counted(n_questions, "question")
            ));
        }
        let mut measured: Vec<&str> =
            self.charts.iter().filter_map(|it| it.measured.as_deref()).collect();
        measured.sort_unstable();
        measured.dedup();
        if let [only] = measured[..] {
            notes.push(format!("Numbers are of {only}"));
        }
        let mut single: BTreeMap<&str, usize> = BTreeMap::new();
        for it in self.charts.iter().filter(|it| it.n_single > 0) {
            *single.entry(&it.chart).or_default() += it.n_single;
        }
        if !single.is_empty() {
            let places =
                single.iter().map(|(chart, n)| format!("{} of {chart}", counted(*n, "place")));
            let places: Vec<String> = places.collect();
            notes.push(format!("Left out, because only one fact has each: {}", joined(&places)));
        }
        if !lists.is_empty() {
            let mut names: Vec<&str> = lists.iter().map(|it| &*it.chart).collect();
            names.dedup();
            notes.push(format!(
                "Left out, because they list only the largest parts of each fact, and a mean over those \
                 facts in which a part is large would be too large: {}; to see them, choose their chart \
                 (--chart)",
                names.join(", ")
            ));
        }
        if !relative.is_empty() {
            let mut names: Vec<String> =
                relative.iter().map(|it| format!("{}, {}", it.chart, it.quantity)).collect();
            names.dedup();
            notes.push(format!(
                "Left out, because a number relative to a small one has no bound, so that few facts decide \
                 its mean: {}; --chart shows them all the same",
                names.join("; ")
            ));
        }
        let is_shared = self.manifest.settings.get("shared_draws") == Some(&true.into());
        if is_shared {
            notes.push(
                "All facts share the draws of one seed, as in ROME: the intervals leave out how much \
                 the means would change with other draws"
                    .to_owned(),
            );
        }
        let settings = &self.manifest;
        notes.push(format!(
            "Facts of {} ({}), model {} ({}), spec {}",
            settings.facts.display(),
            short(&settings.facts_sha256),
            settings.model,
            short(&settings.model_sha256),
            short(&settings.spec_sha256),
        ));
        notes
    }
}

fn short(hash: &str) -> String {
    format!("#{}", hash.get(..8).unwrap_or(hash))
}
