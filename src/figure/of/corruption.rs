//! What the subject became in corrupted runs, in words and as a table.

use super::Look;
use crate::analysis::causal_trace::NoiseLevel;
use crate::analysis::corruption::{
    Closeness, Corrupted, Corruption, Draws, NoiseEntry, NoiseShape, SubjectsOf,
};
use crate::analysis::{Contrast, Measurement, Metric};
use crate::figure::number::significant;
use crate::figure::words::{metric_name, told};
use crate::figure::{Cell, Row, Table};
use crate::intervention::NoiseRng;
use crate::tokens::{TokenizedPrompt, visible};

/// What makes it possible to do it again.
pub(super) fn settings(draws: &Draws, noise_std: f64) -> String {
    let mut parts = vec![subject_becomes(draws, noise_std)];
    if draws.corruption.is_drawn() {
        let is_given = matches!(draws.corruption, Corruption::NoiseFile(_));
        let samples = if draws.n_samples == 1 { "sample" } else { "samples" };
        parts.push(format!("{} {samples}", draws.n_samples));
        let rng = match (draws.corruption.has_drawn_noise(), draws.rng) {
            (true, NoiseRng::Numpy) => " (NumPy)",
            (true, NoiseRng::Chacha) => " (ChaCha8)",
            (false, _) => "",
        };
        if !is_given {
            parts.push(format!("seed {}{rng}", draws.seed));
        }
    }
    parts.join("  ·  ")
}

/// The same where another prompt may stand for the corrupted one.
pub(super) fn contrast(contrast: &Contrast, noise_std: Option<f64>) -> String {
    match contrast {
        Contrast::Prompt { .. } => "another prompt".to_owned(),
        Contrast::Subject(draws) => settings(draws, noise_std.unwrap_or(0.0)),
    }
}

/// What the subject becomes.
fn subject_becomes(draws: &Draws, noise_std: f64) -> String {
    let std = significant(noise_std as f32, 4);
    let factor = match &draws.noise {
        NoiseLevel::Std(_) => String::new(),
        NoiseLevel::Multiple { factor, .. } => format!(" ({factor} × embedding std)"),
    };
    let by = |by: Closeness| match by {
        Closeness::Cosine => "cosine",
        Closeness::Distance => "distance",
    };
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
            format!("{shape} {std}{factor}{entry}")
        }
        Corruption::NoiseFile(file) => format!("noise of {}, σ {std}", file.short_name()),
        Corruption::NearestTokens { by: closeness } => {
            let by = by(*closeness);
            format!("tokens nearest by {by} to embeddings with noise σ {std}{factor}")
        }
        Corruption::OtherSubjects { of: SubjectsOf::Relation, .. } => {
            "other subjects of the same relation".to_owned()
        }
        Corruption::OtherSubjects { of: SubjectsOf::All, .. } => {
            "other subjects of any relation".to_owned()
        }
        Corruption::RandomTokens => "random tokens in place of the subject".to_owned(),
        Corruption::Counterpart { .. } => {
            "another subject in its place (symmetric token replacement)".to_owned()
        }
        Corruption::Zero => "zeros in place of the subject's embeddings".to_owned(),
        Corruption::Mean { tokens } => {
            format!("mean embedding of {} tokens in place of the subject's", tokens.len())
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
        let text = |ids: &[u32]| ids.iter().map(|&id| look.tokenizer.piece(id)).collect::<String>();
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
