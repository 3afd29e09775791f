//! Factscope beside its peers, on the same weights file, with the same threads, in turn: whatever
//! else the machine does meanwhile hits both.

use factscope::analysis::Reuse;
use factscope::analysis::causal_trace::{Component, Corruption, Direction, Map, NoiseLevel, Spec};
use factscope::facts::Fact;
use factscope::intervention::NoiseRng;
use factscope::model::ModelConfig;
use factscope::tokens::{Answer, Bos, TokenizedPrompt, Tokenizer};

use crate::contender::{Contender, FACTSCOPE, ROME, Starter, TRANSFORMER_LENS, TRANSFORMERS};
use crate::question::{Question, Reads, Reply};
use crate::report::{Check, Report, percent, rate, secs, times};
use crate::{counts, statistics};

/// Who computes cells of maps beside Factscope.
const PEERS: [&str; 3] = [ROME, TRANSFORMER_LENS[0], TRANSFORMER_LENS[1]];

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
const PROBABILITY: f64 = 1e-4;
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

    /// Three maps, and what memory it took.
    pub fn traces(&self, who: &mut Contenders, report: &mut Report) -> anyhow::Result<()> {
        report.section("Causal trace")?;
        let mut found = Vec::new();
        for component in Component::ALL {
            found.push((component, self.trace(who, component, report)?));
        }
        self.trace_table(&found, report)?;
        self.memory(who, &found[0].1.spec, report)?;
        self.naive(who, &found, report)
    }

    fn spec(&self, component: Component) -> anyhow::Result<Spec> {
        let tokenizer = Tokenizer::from_dir(&self.model)?;
        let subject = self.prompt.subject.clone().unwrap_or_default();
        let text: String = self.prompt.pieces[subject].concat();
        let tokens: Vec<u32> =
            tokenizer.encode(text.trim_start())?.iter().map(|token| token.id).collect();
        Ok(Spec {
            component,
            window: 10,
            noise: NoiseLevel::Multiple { factor: 3.0, tokens: tokens.into() },
            rng: NoiseRng::Numpy,
            seed: 1,
            n_samples: 10,
            sever: None,
            sever_layers: None,
            direction: Direction::Denoise,
            corruption: Corruption::default(),
            map: Map::default(),
        })
    }

    /// One map: half of the peers' cells, the whole of ours, the other half.
    fn trace(
        &self,
        who: &mut Contenders,
        component: Component,
        report: &mut Report,
    ) -> anyhow::Result<Traced> {
        let spec = self.spec(component)?;
        let n_layers = self.config.n_layers;
        let cells = sample(n_layers, self.prompt.n_pos(), self.n_cells);
        let (first, second) = cells.split_at(cells.len() / 2);
        let noise = who.factscope.ask(&Question::NoiseStd { spec: spec.clone() });
        let noise_std = noise.and_then(|it| it.noise_std).unwrap_or_default();
        let ask = |cells: &[[usize; 2]]| Question::Cells {
            prompt: self.prompt.clone(),
            component,
            window: spec.window,
            n_samples: spec.n_samples,
            seed: spec.seed,
            noise_std,
            cells: cells.to_vec(),
        };
        let mut peers: [Reply; 3] = Default::default();
        let mut peers_do = |who: &mut Contenders, cells: &[[usize; 2]]| {
            let all = std::iter::once(&mut who.rome).chain(&mut who.lenses);
            for (peer, sum) in all.zip(&mut peers) {
                eprintln!("{component:?}: {} cells of {}", cells.len(), peer.name);
                if let Some(reply) = peer.ask(&ask(cells)) {
                    sum.secs.extend(reply.secs);
                    sum.values.extend(reply.values);
                }
            }
        };
        peers_do(who, first);
        eprintln!("{component:?}: the whole map of {FACTSCOPE}");
        let ours = who.factscope.ask(&Question::Trace {
            prompt: self.prompt.clone(),
            spec: spec.clone(),
            reuse: Reuse::Exact,
            budget_secs: None,
        });
        peers_do(who, second);

        if let Some(ours) = &ours {
            let at_cells: Vec<_> = cells.iter().map(|it| ours.values[self.index(*it)]).collect();
            for (peer, name) in peers.iter().zip(PEERS) {
                if peer.values.is_empty() {
                    continue;
                }
                let what =
                    |unit: &str| format!("{component:?} map, {FACTSCOPE} and {name}, {unit}");
                let (found, expected) = (&at_cells[..], &peer.values[..]);
                report.check(&Check::new(what("probability"), found, expected, PROBABILITY))?;
            }
            let restored = ours.values.iter().flatten().copied();
            let (low, high) = (ours.low.unwrap_or(f64::NAN), ours.high.unwrap_or(f64::NAN));
            report.say(&format!(
                "The answer's probability is {high:.4} clean, {low:.4} corrupted, and {:.4} to {:.4} \
                 restored.",
                restored.clone().fold(f64::INFINITY, f64::min),
                restored.fold(f64::NEG_INFINITY, f64::max),
            ))?;
        }
        if let Some(asked) = ours.as_ref().and_then(|it| it.asked) {
            report.say(&format!(
                "The map took {} launches, {} copies back and {} bytes of them. The first time, while \
                 kernels were tuned, it took {}.",
                asked.n_launches,
                asked.n_readbacks,
                asked.n_bytes,
                secs(asked.first_secs),
            ))?;
        }
        Ok(Traced { spec, ours, peers, n_all: n_layers * self.prompt.n_pos() })
    }

    fn index(&self, [layer, pos]: [usize; 2]) -> usize {
        layer * self.prompt.n_pos() + pos
    }

    fn trace_table(
        &self,
        found: &[(Component, Traced)],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let n_pos = self.prompt.n_pos();
        let start = self.prompt.subject.as_ref().map_or(0, |it| it.start);
        let rows: Vec<_> = found
            .iter()
            .map(|(component, it)| {
                let ours = it.ours.as_ref().map(Reply::total_secs);
                let peers = it.extrapolated();
                let n_operations = counts::trace(&self.config, n_pos, start, &it.spec);
                let ratio = |other: Option<f64>| {
                    other.zip(ours).map_or_else(missing, |(other, ours)| times(other, ours))
                };
                [
                    format!("{component:?}"),
                    ours.map_or_else(missing, secs),
                    peers[0].map_or_else(missing, secs),
                    ratio(peers[0]),
                    peers[1].map_or_else(missing, secs),
                    ratio(peers[1]),
                    peers[2].map_or_else(missing, secs),
                    ratio(peers[2]),
                    ours.map_or_else(missing, |secs| rate(n_operations, secs)),
                ]
            })
            .collect();
        let all = |of: &dyn Fn(&Traced) -> Option<f64>| -> Option<f64> {
            found.iter().map(|(_, it)| of(it)).sum()
        };
        let ours = all(&|it| it.ours.as_ref().map(Reply::total_secs));
        let peers = [0, 1, 2].map(|nth| all(&|it| it.extrapolated()[nth]));
        let n_operations: f64 =
            found.iter().map(|(_, it)| counts::trace(&self.config, n_pos, start, &it.spec)).sum();
        let ratio = |other: Option<f64>| {
            other
                .zip(ours)
                .map_or_else(missing, |(other, ours)| format!("**{}**", times(other, ours)))
        };
        let total = [
            "**all three**".to_owned(),
            ours.map_or_else(missing, secs),
            peers[0].map_or_else(missing, secs),
            ratio(peers[0]),
            peers[1].map_or_else(missing, secs),
            ratio(peers[1]),
            peers[2].map_or_else(missing, secs),
            ratio(peers[2]),
            ours.map_or_else(missing, |secs| rate(n_operations, secs)),
        ];
        let n_all = self.config.n_layers * n_pos;
        let measured = if self.n_cells >= n_all {
            "all of them".to_owned()
        } else {
            format!("{} of {n_all} per map, spread evenly; the rest is extrapolated", self.n_cells)
        };
        report.say(&format!(
            "{} tokens, {} samples, whole maps of {n_all} cells. The peers' time is the median of a \
             cell times the number of cells; cells measured: {measured}. ROME's procedure: {} rows a \
             cell, logits at every position. TransformerLens: `run_with_hooks` on the {} corrupted \
             rows. The rate counts only operations that the maps need.",
            n_pos,
            found[0].1.spec.n_samples,
            found[0].1.spec.n_samples + 1,
            found[0].1.spec.n_samples,
        ))?;
        let rows: Vec<_> = rows.into_iter().chain([total]).collect();
        let [_, lens_2, lens_4] = PEERS;
        report.table(
            ["Map", FACTSCOPE, "ROME", "ratio", lens_2, "ratio", lens_4, "ratio", "our rate"],
            &rows,
        )?;
        let n_samples = found[0].1.spec.n_samples;
        for (nth, (name, secs_of_all)) in PEERS.into_iter().zip(peers).enumerate() {
            let Some(secs_of_all) = secs_of_all else { continue };
            // ROME runs the clean prompt along.
            let n_rows = if nth == 0 { n_samples + 1 } else { n_samples };
            let n_operations = counts::cell(&self.config, n_rows, n_pos);
            let secs_of_cell = secs_of_all / (found.len() * n_all) as f64;
            report.say(&format!(
                "{name} needs {:.0} GFLOP a cell, and gets {}.",
                n_operations * 1e-9,
                rate(n_operations, secs_of_cell)
            ))?;
        }
        let Some(ours) = ours else { return Ok(()) };
        let share = |of: f64| percent(n_operations / ours / of);
        let peak = &self.peak;
        if peak.matmul > 0.0 {
            report.say(&format!(
                "The three maps need {:.1} TFLOP and get {}: {} of the fastest matrix product ({}), {} of \
                 multiply-adds on registers ({}).",
                n_operations * 1e-12,
                rate(n_operations, ours),
                share(peak.matmul),
                rate(peak.matmul, 1.0),
                share(peak.multiply_add),
                rate(peak.multiply_add, 1.0),
            ))?;
        }
        Ok(())
    }

    /// Our own slow way, to tell what reuse saves from what the passes cost.
    fn naive(
        &self,
        who: &mut Contenders,
        found: &[(Component, Traced)],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        const BUDGET_SECS: f64 = 20.0;
        let (component, exact) = &found[0];
        let n_all = exact.n_all;
        eprintln!("{component:?}: {FACTSCOPE} without reuse");
        let Some(naive) = who.factscope.ask(&Question::Trace {
            prompt: self.prompt.clone(),
            spec: exact.spec.clone(),
            reuse: Reuse::Off,
            budget_secs: (self.n_cells < n_all).then_some(BUDGET_SECS),
        }) else {
            return Ok(());
        };
        let Some(ours) = &exact.ours else { return Ok(()) };
        let (found, expected): (Vec<_>, Vec<_>) = naive
            .values
            .iter()
            .zip(&ours.values)
            .filter(|(value, _)| value.is_some())
            .map(|(value, exact)| (*value, *exact))
            .unzip();
        let what = format!("{component:?} map, {FACTSCOPE} with and without reuse, probability");
        report.check(&Check::new(what, &found, &expected, PROBABILITY))?;
        let fraction = naive.fraction.unwrap_or(1.0);
        let whole = naive.total_secs() / fraction;
        let how = if fraction < 1.0 {
            format!("extrapolated from {}", percent(fraction))
        } else {
            "measured whole".to_owned()
        };
        report.say(&format!(
            "Without reuse (`--exact-naive`) Factscope's {component:?} map takes {} ({how}), {} as \
             long as with it.",
            secs(whole),
            times(whole, ours.total_secs()),
        ))
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

/// One kind of map.
struct Traced {
    spec: Spec,

    /// The whole map.
    ours: Option<Reply>,

    /// Cells of [`PEERS`].
    peers: [Reply; 3],

    /// How many cells the map has.
    n_all: usize,
}

impl Traced {
    /// How long the peers would take for the whole map.
    fn extrapolated(&self) -> [Option<f64>; 3] {
        [0, 1, 2].map(|nth| Some(statistics::median(&self.peers[nth].secs)? * self.n_all as f64))
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

/// Layers and positions of about that many cells, evenly over the map and over its rows and columns.
fn sample(n_layers: usize, n_pos: usize, n_cells: usize) -> Vec<[usize; 2]> {
    let n_all = n_layers * n_pos;
    let n_cells = n_cells.clamp(1, n_all);
    // A stride that shares no divisor with a row meets every column.
    let stride = (n_all / n_cells..=n_all).find(|stride| gcd(*stride, n_pos) == 1).unwrap_or(1);
    let stride = if n_cells == n_all { 1 } else { stride };
    let mut cells: Vec<_> =
        (0..n_all).step_by(stride).map(|nth| [nth / n_pos, nth % n_pos]).collect();
    cells.truncate(n_cells);
    cells
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// In place of a number that there is none of.
pub fn missing() -> String {
    "missing".to_owned()
}
