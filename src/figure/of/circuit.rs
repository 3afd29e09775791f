//! What a head reads and writes by its weights: singular values, and the tokens along each vector.

use super::{Look, listed};
use crate::analysis::circuit::{Circuit, CircuitReading, Copying, SingularVector, TokenScore};
use crate::figure::number::{percent, signed, significant};
use crate::figure::words::counted;
use crate::figure::{Bar, Bars, Cell, Chart, Figure, Pick, Point, Row, Scatter, Table};

pub(super) fn figure(found: &CircuitReading, look: &Look<'_>) -> Figure {
    let (layer, head) = (found.spec.layer, found.spec.head);
    let pick = Pick::head(layer, head);
    let values = found.singular_values.iter().enumerate().take(look.n_listed);
    let bars = values.map(|(nth, &value)| Bar::new(format!("σ{}", nth + 1), value).about(pick));
    let mut charts = vec![Chart::Bars(Bars::new("Singular values", "Singular value", bars))];
    let vectors = found.vectors.iter().enumerate();
    charts.extend(vectors.flat_map(|(nth, it)| tokens(nth, it, found, look)).map(Chart::Table));
    charts.extend(found.copying.as_ref().map(|it| Chart::Scatter(eigenvalues(it, pick))));
    let name = match found.spec.circuit {
        Circuit::Ov => "OV circuit",
        Circuit::Qk => "QK circuit",
    };
    Figure {
        title: format!("{name} of L{layer} H{head}"),
        charts,
        notes: notes(found, look),
        ..Figure::default()
    }
}

/// Both sides of one singular vector: a table for each end.
fn tokens(
    nth: usize,
    vector: &SingularVector,
    found: &CircuitReading,
    look: &Look<'_>,
) -> [Table; 2] {
    let (reads, writes) = match found.spec.circuit {
        Circuit::Ov => ("Reads", "Writes"),
        Circuit::Qk => ("Looks", "Looked at"),
    };
    let ends = [
        ("+", [&vector.reads.positive, &vector.writes.positive]),
        ("−", [&vector.reads.negative, &vector.writes.negative]),
    ];
    let cells = |score: Option<&TokenScore>| match score {
        Some(it) => [Cell::Token(look.token(it.id)), Cell::Number(it.score)],
        None => [Cell::Text(String::new()), Cell::Number(f32::NAN)],
    };
    ends.map(|(end, sides)| {
        let n_rows = sides.iter().map(|it| it.len()).max().unwrap_or(0).min(look.n_listed);
        let row = |nth| {
            Row::new(sides.iter().flat_map(|scores| cells(scores.get(nth))))
                .about(Pick::head(found.spec.layer, found.spec.head))
        };
        Table::new(
            format!("Singular vector {} (σ {}), {end}", nth + 1, significant(vector.value, 4)),
            [reads, writes].iter().flat_map(|side| [(*side).to_owned(), format!("{side}, score")]),
            (0..n_rows).map(row),
        )
    })
}

fn eigenvalues(copying: &Copying, pick: Pick) -> Scatter {
    let points = copying.eigenvalues.iter().enumerate();
    Scatter {
        name: "Eigenvalues from token to logit".to_owned(),
        x_title: "Real part".to_owned(),
        y_title: "Imaginary part".to_owned(),
        points: points
            .map(|(nth, &[x, y])| Point { label: format!("λ{}", nth + 1), x, y, pick })
            .collect(),
        has_diagonal: false,
        is_set: true,
    }
}

fn notes(found: &CircuitReading, look: &Look<'_>) -> Vec<String> {
    let (n_all, n_read) = (found.singular_values.len(), found.vectors.len());
    let squares = |values: &[f32]| values.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>();
    let mut notes = Vec::new();
    notes.extend(listed(n_all.min(look.n_listed), n_all, "singular values"));
    let all = squares(&found.singular_values);
    if n_read > 0 && all > 0.0 {
        let share = squares(&found.singular_values[..n_read.min(n_all)]) / all;
        notes.push(format!(
            "The {} that are read make up {} of Σ σ²; {} listed at each end",
            counted(n_read, "vector"),
            percent(share as f32),
            counted(found.spec.n_tokens, "token"),
        ));
    }
    notes.push(match found.spec.circuit {
        Circuit::Ov => "W_V W_O (Elhage et al. 2021), its left singular vectors read by token \
                        embeddings, its right ones through the unembedding (Millidge & Black 2022)"
            .to_owned(),
        Circuit::Qk => "W_Q W_Kᵀ (Elhage et al. 2021), both sides of its singular vectors read by \
                        token embeddings (Millidge & Black 2022)"
            .to_owned(),
    });
    notes.push(
        "The two sides of a vector go together, + with + and − with −; which end is + has no \
         meaning. These are weights alone: no prompt is asked for"
            .to_owned(),
    );
    if let Some(copying) = &found.copying {
        notes.push(format!(
            "Copying score Σ λ / Σ |λ| = {}: −1 lowers the logit of what is read, 1 raises it",
            signed(copying.score, 3),
        ));
    }
    let steps = found.spec.processing.to_string();
    notes.push(format!("Weights rewritten before: {steps}"));
    notes.extend(found.left_out.iter().cloned());
    notes
}
