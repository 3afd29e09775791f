//! Factscope beside its peers, but for traces: the same weights file and threads for all, in turn, so that
//! whatever else the machine does meanwhile hits each.

use factscope::facts::Fact;
use factscope::model::ModelConfig;
use factscope::tokens::{Answer, Bos, TokenizedPrompt, Tokenizer};

use crate::contender::{Contender, FACTSCOPE, Starter, TRANSFORMER_LENS, TRANSFORMERS};
use crate::question::{Question, Reads, Reply};
use crate::report::{Check, Report, rate, secs, times};
use crate::{counts, statistics};

/// What is compared on.
pub struct Bench {
    pub model: std::path::PathBuf,
    pub config: ModelConfig,
    pub starter: Starter,
    pub prompt: TokenizedPrompt,

    /// How many cells of each map the peers compute; the rest is extrapolated.
    pub n_cells: usize,

    /// The best that the machine was seen to do, in operations per second.
    pub peak: Peak,
}

/// Who takes part.
pub struct Contenders {
    pub factscope: Contender,
    pub rome: Contender,

    /// TransformerLens 2 and 4.
    pub lenses: [Contender; 2],
}

impl Contenders {
    /// Versions, or why one does not take part.
    fn introduce(&self, report: &mut Report) -> anyhow::Result<()> {
        let line = |it: &Contender| match it.failure() {
            Some(reason) => format!("- **{} is missing**: {reason}\n", it.name),
            None => format!("- {}: {}\n", it.name, it.labels.join(", ")),
        };
        let [lens_2, lens_4] = &self.lenses;
        let lines = [&self.factscope, &self.rome, lens_2, lens_4].map(line).concat();
        report.say(lines.trim_end())
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    /// Multiply-adds on registers.
    pub multiply_add: f64,

    /// The fastest matrix product.
    pub matmul: f64,
}

const N_LOADS: usize = 3;
const N_REPEATS: usize = 5;

/// f32 sums in another order, after 36 layers.
const LOGIT: f64 = 1e-3;

/// Matrix products: large ones, where every library is at its best, and GPT-2-large's own.
const SHAPES: [([usize; 3], &str); 5] = [
    ([1024, 1024, 1024], "large"),
    ([2048, 2048, 2048], "large"),
    ([1024, 1280, 5120], "a full batch of a trace, MLP"),
    ([110, 1280, 5120], "11 rows of 10 tokens, MLP"),
    ([11, 1280, 50_257], "11 rows, logits"),
];

impl Bench {
    /// Opens the model several times in fresh processes; the last ones go on.
    pub fn loading(&self, report: &mut Report) -> anyhow::Result<Contenders> {
        report.section("Loading")?;
        let load = Question::Load { model: self.model.clone() };
        let forward = Question::Forward { rows: vec![self.prompt.ids.clone()], reads: Reads::Last };
        let mut times_of: [Vec<[f64; 3]>; 4] = Default::default();
        let mut open = |contender: &mut Contender, nth: usize| {
            let [model, tokenizer] = contender.ask(&load)?.secs[..] else { return None };
            let answered = contender.ask(&forward)?.total_secs();
            times_of[nth].push([model, tokenizer, model + tokenizer + answered]);
            Some(())
        };

        for nth in 1..N_LOADS {
            eprintln!("loading, {nth} of {N_LOADS}");
            open(&mut self.starter.factscope(), 0);
            open(&mut self.starter.rome(), 1);
        }
        eprintln!("loading, {N_LOADS} of {N_LOADS}");
        let [mut factscope, mut rome] = [self.starter.factscope(), self.starter.rome()];
        let mut lenses = self.starter.transformer_lenses();
        let all = [&mut factscope, &mut rome].into_iter().chain(&mut lenses);
        for (nth, it) in all.enumerate() {
            open(it, nth);
        }

        let contenders = Contenders { factscope, rome, lenses };
        contenders.introduce(report)?;
        let middle = |nth: usize, what: usize| {
            let times: Vec<f64> = times_of[nth].iter().map(|it| it[what]).collect();
            statistics::median(&times)
        };
        let [lens_2, lens_4] = TRANSFORMER_LENS
            .map(|it| format!("{it} (built from `transformers`, weights processed)"));
        let names = [FACTSCOPE, TRANSFORMERS, &lens_2, &lens_4];
        let rows: Vec<_> = names
            .into_iter()
            .enumerate()
            .map(|(nth, name)| {
                let cell = |what: usize| middle(nth, what).map_or_else(missing, secs);
                let ratio = |what: usize| {
                    let pair = middle(nth, what).zip(middle(0, what));
                    pair.map_or_else(missing, |(other, ours)| times(other, ours))
                };
                [name.to_owned(), cell(0), ratio(0), cell(1), cell(2), ratio(2)]
            })
            .collect();
        report.say(&format!(
            "The weights file is in the page cache. Medians of {N_LOADS} fresh processes (one for each \
             TransformerLens); imports are not counted. Factscope and `transformers` map the file and \
             read the weights when they are first used; Factscope also looks at every number for `NaN` \
             meanwhile, and shows no result before it has: that is part of the first logits."
        ))?;
        let head = ["", "model", "ratio", "tokenizer", "all, and first logits", "ratio"];
        report.table(head, &rows)?;
        Ok(contenders)
    }

    /// What the machine can do. In processes of its own: these matrices must not count as memory
    /// that a trace needs.
    pub fn peak(&mut self, report: &mut Report) -> anyhow::Result<()> {
        eprintln!("the machine's peak");
        let [mut factscope, mut rome] = [self.starter.factscope(), self.starter.rome()];
        report.section("The machine's peak")?;
        let n_threads = self.starter.threads;
        self.peak.multiply_add = crate::machine::multiply_add_peak(n_threads)?;
        let mut rows = vec![[
            "multiply-adds on registers".to_owned(),
            String::new(),
            rate(self.peak.multiply_add, 1.0),
            String::new(),
        ]];
        for (shape @ [m, k, n], what) in SHAPES {
            let question = Question::Matmul { shape };
            let n_operations = 2.0 * (m * k * n) as f64;
            let mut best = [0.0_f64; 2];
            for _ in 0..3 * N_REPEATS {
                for (contender, best) in [&mut factscope, &mut rome].into_iter().zip(&mut best) {
                    if let Some(reply) = contender.ask(&question) {
                        *best = best.max(n_operations / reply.total_secs());
                    }
                }
            }
            self.peak.matmul = best.into_iter().fold(self.peak.matmul, f64::max);
            let cell = |best: f64| if best > 0.0 { rate(best, 1.0) } else { missing() };
            let [ours, theirs] = best.map(cell);
            rows.push([format!("matrix product {m} × {k} × {n}"), what.to_owned(), ours, theirs]);
        }
        report.say(&format!(
            "f32, {n_threads} threads, best of {}. A matrix product cannot be faster than \
             multiply-adds on registers.",
            3 * N_REPEATS
        ))?;
        report.table(["", "where", FACTSCOPE, "PyTorch"], &rows)
    }

    pub fn forward(&self, who: &mut Contenders, report: &mut Report) -> anyhow::Result<()> {
        report.section("Forward pass")?;
        let mut table = Vec::new();
        for [n_rows, n_pos] in [[1, 10], [11, 10], [1, 128], [8, 64]] {
            if n_pos > self.config.n_ctx {
                continue;
            }
            eprintln!("forward pass, {n_rows} × {n_pos}");
            // The prompt over and over, rows alike: what is timed does not depend on the tokens.
            let ids: Vec<u32> = self.prompt.ids.iter().copied().cycle().take(n_pos).collect();
            let rows = vec![ids; n_rows];
            let mut times_of: [Vec<f64>; 3] = Default::default();
            let mut logits: [Vec<Option<f64>>; 3] = Default::default();
            for nth in 0..=N_REPEATS {
                for (place, reads) in [Reads::Last, Reads::Last, Reads::All].into_iter().enumerate()
                {
                    let it = if place == 0 { &mut who.factscope } else { &mut who.rome };
                    let question = Question::Forward { rows: rows.clone(), reads };
                    let Some(reply) = it.ask(&question) else { continue };
                    // The first round warms up.
                    if nth > 0 {
                        times_of[place].push(reply.total_secs());
                    }
                    logits[place] = reply.values;
                }
            }
            let [ours, theirs, all] = [0, 1, 2].map(|nth| statistics::median(&times_of[nth]));
            let n_operations = counts::forward(&self.config, n_rows, n_pos, 1);
            let ratio = theirs.zip(ours).map(|(other, ours)| times(other, ours));
            table.push([
                format!("{n_rows} × {n_pos}"),
                ours.map_or_else(missing, secs),
                theirs.map_or_else(missing, secs),
                ratio.unwrap_or_else(missing),
                all.map_or_else(missing, secs),
                ours.map_or_else(missing, |secs| rate(n_operations, secs)),
                theirs.map_or_else(missing, |secs| rate(n_operations, secs)),
            ]);
            if !logits[0].is_empty() && !logits[1].is_empty() {
                let what = format!("logits of {n_rows} × {n_pos}, {FACTSCOPE} and {TRANSFORMERS}");
                report.check(&Check::new(what, &logits[0], &logits[1], LOGIT))?;
            }
        }
        report.say(&format!(
            "Rows × tokens, logits at the last position; `transformers` is asked for the same with \
             `logits_to_keep=1`, and once more for all positions, as it does by default. Medians of \
             {N_REPEATS}."
        ))?;
        report.table(
            ["Batch", FACTSCOPE, TRANSFORMERS, "ratio", "all logits", "our rate", "their rate"],
            &table,
        )
    }

    pub fn attribution(&self, who: &mut Contenders, report: &mut Report) -> anyhow::Result<()> {
        eprintln!("attribution by head");
        report.section("Attribution by head")?;
        let question = Question::Attribute { prompt: self.prompt.clone() };
        let mut times_of: [Vec<f64>; 3] = Default::default();
        let mut last: [Option<Reply>; 3] = Default::default();
        for nth in 0..=N_REPEATS {
            let all = std::iter::once(&mut who.factscope).chain(&mut who.lenses);
            for (place, it) in all.enumerate() {
                let Some(reply) = it.ask(&question) else { continue };
                if nth > 0 {
                    times_of[place].push(reply.total_secs());
                }
                last[place] = Some(reply);
            }
        }
        let [ours, lenses @ ..] = &last;
        for (name, theirs) in TRANSFORMER_LENS.into_iter().zip(lenses) {
            let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
            anyhow::ensure!(ours.labels == theirs.labels, "the components have other names");
            let what = format!("parts of the answer's logit, {FACTSCOPE} and {name}");
            report.check(&Check::new(what, &ours.values, &theirs.values, LOGIT))?;
        }
        let [ours, lenses @ ..] = times_of.map(|it| statistics::median(&it));
        let cell = |it: Option<f64>| it.map_or_else(missing, secs);
        let ratio = |other: Option<f64>| {
            other.zip(ours).map_or_else(missing, |(other, ours)| times(other, ours))
        };
        report.say(&format!(
            "The forward pass included; TransformerLens: `run_with_cache`, \
             `get_full_resid_decomposition` at the last position, `apply_ln_to_stack`. Medians of \
             {N_REPEATS}."
        ))?;
        let [lens_2, lens_4] = lenses;
        let row = [
            "by head".to_owned(),
            cell(ours),
            cell(lens_2),
            ratio(lens_2),
            cell(lens_4),
            ratio(lens_4),
        ];
        let [name_2, name_4] = TRANSFORMER_LENS;
        report.table(["Attribution", FACTSCOPE, name_2, "ratio", name_4, "ratio"], &[row])
    }
}

/// The prompt with its answer, the model's own first guess as in ROME.
pub fn prompt(
    model: &std::path::Path,
    text: &str,
    subject: &str,
    factscope: &mut Contender,
) -> anyhow::Result<TokenizedPrompt> {
    let tokenizer = Tokenizer::from_dir(model)?;
    let fact = Fact::from_text(text, Some(subject))?;
    let mut prompt = TokenizedPrompt::new(&tokenizer, &fact, Bos::Off)?;
    let forward = Question::Forward { rows: vec![prompt.ids.clone()], reads: Reads::Last };
    let reply = factscope
        .ask(&Question::Load { model: model.to_owned() })
        .and_then(|_| factscope.ask(&forward));
    let logits = reply.map(|it| it.values).unwrap_or_default();
    let best = (0..logits.len()).max_by(|a, b| {
        let logit = |nth: &usize| logits[*nth].unwrap_or(f64::NEG_INFINITY);
        logit(a).total_cmp(&logit(b))
    });
    let Some(id) = best.map(|id| id as u32) else {
        anyhow::bail!("Factscope gave no logits: {}", factscope.failure().unwrap_or_default());
    };
    let text = tokenizer.readable(id);
    prompt.answer = Some(Answer { pieces: vec![text.clone()], text, ids: vec![id] });
    Ok(prompt)
}

/// In place of a number that there is none of.
pub fn missing() -> String {
    "missing".to_owned()
}
