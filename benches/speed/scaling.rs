//! How cost grows with tokens, layers, samples and batch, beside what the counts predict.

use factscope::analysis::Reuse;
use factscope::analysis::causal_trace::{Component, Corruption, Direction, Map, NoiseLevel, Spec};
use factscope::facts::Fact;
use factscope::intervention::NoiseRng;
use factscope::model::ModelConfig;
use factscope::tokens::{Bos, GPT2_MERGES, TokenizedPrompt, Tokenizer, gpt2_vocabulary};

use crate::contender::{Contender, Starter};
use crate::question::{Question, Reads};
use crate::report::{Report, rate, secs};
use crate::{counts, statistics};

const N_REPEATS: usize = 3;

/// One size of a series.
struct Point {
    size: usize,
    config: ModelConfig,
    question: Question,
    n_operations: f64,
}

/// GPT-2 small's widths and vocabulary; deep models would take minutes for the same exponents.
fn config(n_layers: usize) -> ModelConfig {
    ModelConfig { n_layers, ..ModelConfig::SMALL }
}

pub fn run(starter: &Starter, report: &mut Report) -> anyhow::Result<()> {
    report.section("Cost against size")?;
    report.say(&format!(
        "Factscope on random models of GPT-2 small's width ({}), medians of {N_REPEATS}. A trace \
         restores single states; unless it is what varies: 6 layers, 8 tokens of which the first is \
         the subject, 10 samples. A batch is one forward pass of 6 layers over that many rows of 8 \
         tokens. *Exponent* is the *a* of time ∝ sizeᵃ, fitted to the times and to the counted \
         operations.",
        ModelConfig::SMALL.d_model
    ))?;
    let vocabulary = gpt2_vocabulary(&GPT2_MERGES).map_err(anyhow::Error::msg)?;
    let tokenizer =
        Tokenizer::from_vocabulary(vocabulary, &GPT2_MERGES).map_err(anyhow::Error::msg)?;
    let trace = |size: usize, n_pos: usize, n_layers: usize, n_samples: usize| {
        let prompt = prompt(&tokenizer, n_pos)?;
        let config = config(n_layers);
        let spec = Spec {
            component: Component::Hidden,
            window: 10,
            noise: NoiseLevel::Std(0.06),
            rng: NoiseRng::Numpy,
            seed: 1,
            n_samples,
            sever: None,
            sever_layers: None,
            direction: Direction::Denoise,
            corruption: Corruption::default(),
            map: Map::default(),
        };
        let n_operations = counts::trace(&config, n_pos, 0, &spec);
        let question = Question::Trace { prompt, spec, reuse: Reuse::Exact, budget_secs: None };
        anyhow::Ok(Point { size, config, question, n_operations })
    };
    let batch = |size: usize| {
        let ids = prompt(&tokenizer, 8)?.ids;
        let n_operations = counts::forward(&config(6), size, ids.len(), 1);
        let question = Question::Forward { rows: vec![ids; size], reads: Reads::Last };
        anyhow::Ok(Point { size, config: config(6), question, n_operations })
    };
    let series: [(&str, Vec<anyhow::Result<Point>>); 4] = [
        ("Tokens", [4, 8, 16, 32].map(|n| trace(n, n, 6, 10)).into()),
        ("Samples", [5, 10, 20, 40].map(|n| trace(n, 8, 6, n)).into()),
        ("Batch", [1, 4, 16, 64].map(batch).into()),
        ("Layers", [3, 6, 12, 24].map(|n| trace(n, 8, n, 10)).into()),
    ];

    let mut factscope = starter.factscope();
    let mut fits = Vec::new();
    let mut open = None;
    for (name, points) in series {
        eprintln!("cost against {}", name.to_lowercase());
        let points = points.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let Some(medians) = measure(&mut factscope, &points, &mut open) else {
            let reason = factscope.failure().unwrap_or("nothing was measured");
            anyhow::bail!("Factscope failed: {reason}");
        };
        let rows: Vec<_> = points
            .iter()
            .zip(&medians)
            .map(|(point, median)| {
                [
                    point.size.to_string(),
                    secs(*median),
                    format!("{:.0} GFLOP", point.n_operations * 1e-9),
                    rate(point.n_operations, *median),
                ]
            })
            .collect();
        report.table([name, "time", "counted", "rate"], &rows)?;
        let fit = |values: &mut dyn Iterator<Item = f64>| {
            let points: Vec<_> =
                points.iter().zip(values).map(|(it, value)| (it.size as f64, value)).collect();
            statistics::exponent(&points).map_or_else(String::new, |it| format!("{it:.2}"))
        };
        let counted = fit(&mut points.iter().map(|it| it.n_operations));
        fits.push([name.to_owned(), fit(&mut medians.iter().copied()), counted]);
    }
    report.table(["Cost against", "exponent of time", "exponent of operations"], &fits)
}

/// The median time of each point. Points of one model are gone through in turn, several times, so
/// that a busy moment does not hit one alone; `open` is the model that is there already.
fn measure(
    factscope: &mut Contender,
    points: &[Point],
    open: &mut Option<ModelConfig>,
) -> Option<Vec<f64>> {
    let mut times = vec![Vec::new(); points.len()];
    let mut configs: Vec<ModelConfig> = Vec::new();
    for point in points {
        if !configs.contains(&point.config) {
            configs.push(point.config);
        }
    }
    // Making a model takes longer than measuring it.
    configs.sort_by_key(|config| *open != Some(*config));
    for config in configs {
        if *open != Some(config) {
            factscope.ask(&Question::Random { config })?;
            *open = Some(config);
        }
        for nth in 0..=N_REPEATS {
            let points = points.iter().zip(&mut times);
            for (point, times) in points.filter(|(point, _)| point.config == config) {
                let reply = factscope.ask(&point.question)?;
                // The first round warms up.
                if nth > 0 {
                    times.push(reply.total_secs());
                }
            }
        }
    }
    times.iter().map(|times| statistics::median(times)).collect()
}

/// That many tokens, the first of them the subject.
fn prompt(tokenizer: &Tokenizer, n_pos: usize) -> anyhow::Result<TokenizedPrompt> {
    let text = format!("Paris{}", " the".repeat(n_pos - 1));
    let fact = Fact { answer: Some("city".to_owned()), ..Fact::from_text(&text, Some("Paris"))? };
    let prompt = TokenizedPrompt::new(tokenizer, &fact, Bos::Off)?;
    anyhow::ensure!(prompt.n_pos() == n_pos, "a prompt of {} tokens", prompt.n_pos());
    Ok(prompt)
}
