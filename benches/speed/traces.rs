//! Causal traces beside the peers: whole maps of Factscope, some cells of theirs.

use factscope::analysis::Reuse;
use factscope::analysis::causal_trace::{Component, Corruption, Direction, Map, NoiseLevel, Spec};
use factscope::intervention::NoiseRng;
use factscope::tokens::Tokenizer;

use crate::contender::{FACTSCOPE, ROME, TRANSFORMER_LENS};
use crate::question::{Question, Reply};
use crate::report::{Check, Report, percent, rate, secs, times};
use crate::versus::{Bench, Contenders, missing};
use crate::{counts, statistics};

/// Who computes cells of maps beside Factscope.
const PEERS: [&str; 3] = [ROME, TRANSFORMER_LENS[0], TRANSFORMER_LENS[1]];

/// f32 sums in another order, after 36 layers.
const PROBABILITY: f64 = 1e-4;

impl Bench {
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
                row(format!("{component:?}"), ours, peers, rate_of(n_operations, ours))
            })
            .collect();
        let all = |of: &dyn Fn(&Traced) -> Option<f64>| -> Option<f64> {
            found.iter().map(|(_, it)| of(it)).sum()
        };
        let ours = all(&|it| it.ours.as_ref().map(Reply::total_secs));
        let peers = [0, 1, 2].map(|nth| all(&|it| it.extrapolated()[nth]));
        let n_operations: f64 =
            found.iter().map(|(_, it)| counts::trace(&self.config, n_pos, start, &it.spec)).sum();
        let total = row("**all three**".to_owned(), ours, peers, rate_of(n_operations, ours));
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
}

/// A line of the table: how long all take, and how many times as long as Factscope.
fn row(
    name: String,
    ours: Option<f64>,
    [rome, lens_2, lens_4]: [Option<f64>; 3],
    rate: String,
) -> [String; 9] {
    let cell = |it: Option<f64>| it.map_or_else(missing, secs);
    let ratio = |other: Option<f64>| {
        other.zip(ours).map_or_else(missing, |(other, ours)| times(other, ours))
    };
    [
        name,
        cell(ours),
        cell(rome),
        ratio(rome),
        cell(lens_2),
        ratio(lens_2),
        cell(lens_4),
        ratio(lens_4),
        rate,
    ]
}

fn rate_of(n_operations: f64, secs: Option<f64>) -> String {
    secs.map_or_else(missing, |secs| rate(n_operations, secs))
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
