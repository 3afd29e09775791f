//! What the subject became in corrupted runs, in words and as a table.

use super::Look;
use crate::analysis::causal_trace::NoiseLevel;
use crate::analysis::corruption::{
    Closeness, Corrupted, Corruption, Draws, NoiseEntry, NoiseShape, SubjectsOf,
};
use crate::analysis::{Contrast, Measurement, Metric};
use crate::figure::number::significant;
use crate::figure::words::{counted, listed_as, metric_name, told};
use crate::figure::{Cell, Row, Table};
use crate::intervention::NoiseRng;
use crate::tokens::{TokenizedPrompt, visible};

/// All settings of a corruption, so that it can be done again.
///
/// `noise_std`: the spread of the noise as it was measured, in embedding units, if it is known.
pub(super) fn settings(draws: &Draws, noise_std: Option<f64>, look: &Look<'_>) -> String {
    let mut parts = vec![subject_becomes(draws, noise_std, look)];
    if draws.corruption.is_drawn() {
        parts.push(counted(draws.n_samples, "sample"));
        if !matches!(draws.corruption, Corruption::NoiseFile(_)) {
            let has_noise = draws.corruption.has_drawn_noise();
            let generator = if has_noise { generator(draws.rng) } else { "" };
            parts.push(format!("seed {}{generator}", draws.seed));
        }
    }
    parts.join("  ·  ")
}

/// What draws noise, behind its seed.
pub(super) fn generator(rng: NoiseRng) -> &'static str {
    match rng {
        NoiseRng::Numpy => " (NumPy)",
        NoiseRng::Chacha => " (ChaCha8)",
    }
}

/// The settings of what runs are corrupted by, where that may be another prompt.
pub(super) fn contrast(contrast: &Contrast, noise_std: Option<f64>, look: &Look<'_>) -> String {
    match contrast {
        Contrast::Prompt { ids } => format!("the prompt {}", look.text(ids)),
        Contrast::Subject(draws) => settings(draws, noise_std, look),
    }
}

/// The spread of noise, as it is asked for and as it was measured.
pub(super) fn spread(level: &NoiseLevel, measured: Option<f64>) -> String {
    match (level, measured) {
        (NoiseLevel::Std(std), _) => significant(*std as f32, 4),
        (NoiseLevel::Multiple { factor, tokens }, measured) => {
            let of = format!("{factor} × embedding std of {}", listed_as(tokens, "token"));
            match measured {
                Some(std) => format!("{} ({of})", significant(std as f32, 4)),
                None => of,
            }
        }
    }
}

/// What the subject becomes. Where each fact of an average has its own subjects, none are given.
fn subject_becomes(draws: &Draws, noise_std: Option<f64>, look: &Look<'_>) -> String {
    let std = || spread(&draws.noise, noise_std);
    match &draws.corruption {
        Corruption::Noise { shape, entry } => {
            let shape = match shape {
                NoiseShape::Gaussian => "noise σ",
                NoiseShape::GaussianPerDimension => "noise with a σ for each dimension, overall σ",
                NoiseShape::Uniform => "uniform noise, σ",
            };
            let entry = match entry {
                NoiseEntry::Added => "",
                NoiseEntry::Replaced => ", in place of the subject's embeddings",
            };
            format!("{shape} {}{entry}", std())
        }
        Corruption::NoiseFile(file) => {
            let std = noise_std.map(|std| format!(", σ {}", significant(std as f32, 4)));
            format!("noise of {}{}", file.short_name(), std.unwrap_or_default())
        }
        Corruption::NearestTokens { by } => {
            let by = match by {
                Closeness::Cosine => "cosine",
                Closeness::Distance => "distance",
            };
            format!("tokens nearest by {by} to embeddings with noise σ {}", std())
        }
        Corruption::OtherSubjects { of, ids } => {
            let of = match of {
                SubjectsOf::Relation => "of the same relation",
                SubjectsOf::All => "of any relation",
            };
            let from = match ids.len() {
                0 => String::new(),
                _ => format!(", drawn from {}", listed_as(ids, "subject")),
            };
            format!("other subjects {of}{from}")
        }
        Corruption::RandomTokens => "random tokens in place of the subject".to_owned(),
        Corruption::Counterpart { ids } => {
            let subject = match ids.len() {
                0 => "another subject".to_owned(),
                _ => look.text(ids),
            };
            format!("{subject} in its place (symmetric token replacement)")
        }
        Corruption::Zero => "zeros in place of the subject's embeddings".to_owned(),
        Corruption::Mean { tokens } => {
            let of = listed_as(tokens, "token");
            format!("mean embedding of {of} in place of the subject's")
        }
    }
}

/// The corrupted prompts, where the corruption makes prompts.
pub(super) fn prompts(
    prompt: &TokenizedPrompt,
    (corruptions, corrupted): (&[Corrupted], &[Measurement]),
    metric: Metric,
    look: &Look<'_>,
) -> Option<Table> {
    let subject = prompt.subject.clone()?;
    let listed = corruptions.iter().enumerate().filter_map(|(nth, it)| {
        let Corrupted::Prompt { ids, .. } = it else { return None };
        let text = |ids: &[u32]| look.tokenizer.readable_text(ids);
        let measured = corrupted.get(nth).and_then(|run| run.get(metric));
        Some(Row::new([
            Cell::Number(nth as f32 + 1.0),
            Cell::Token(visible(&text(ids.get(subject.clone())?))),
            Cell::Number(measured.map_or(f32::NAN, |it| told(metric, it))),
            Cell::Text(visible(&text(ids)).replace('·', " ").trim_start().to_owned()),
        ]))
    });
    let rows: Vec<Row> = listed.take(look.n_listed).collect();
    let columns = ["Sample", "Subject becomes"].map(str::to_owned).into_iter();
    let columns = columns.chain([metric_name(metric, prompt), "Corrupted prompt".to_owned()]);
    (!rows.is_empty()).then(|| Table::new("Corrupted prompts", columns, rows))
}

/// How far corrupted embeddings are from the subject's, where they are no token's.
pub(super) fn embeddings(corruptions: &[Corrupted]) -> Option<String> {
    let mut n = 0_usize;
    let (mut norm, mut distance) = (0.0_f64, 0.0_f64);
    for it in corruptions {
        let Corrupted::Vectors { norms, distances } = it else { return None };
        n += norms.len();
        norm += norms.iter().map(|&it| f64::from(it)).sum::<f64>();
        distance += distances.iter().map(|&it| f64::from(it)).sum::<f64>();
    }
    let mean = |sum: f64| significant((sum / n as f64) as f32, 3);
    (n > 0).then(|| {
        format!(
            "Corrupted embeddings lie {} from the subject's own and are {} long (means)",
            mean(distance),
            mean(norm)
        )
    })
}
