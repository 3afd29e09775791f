//! Where the heads of one layer look: one pattern large, all of them small.

use super::Look;
use crate::analysis::attention::Attention;
use crate::figure::number::significant;
use crate::figure::words::{token_at, token_labels};
use crate::figure::{Chart, Figure, Map, Side};
use crate::tokens::Bos;

pub(super) fn figure(attention: &Attention, look: &Look<'_>) -> Figure {
    let layers = attention.spec.layers.clone();
    let picked = look.pick.layer.filter(|layer| layers.contains(layer));
    let layer = picked.unwrap_or(layers.start);
    let head = look.pick.head.filter(|&head| head < attention.n_heads).unwrap_or(0);
    let Some(pattern) = attention.pattern(layer, head) else {
        return Figure {
            title: "Attention pattern".to_owned(),
            charts: Vec::new(),
            notes: vec!["No layer of this prompt's attention was computed".to_owned()],
        };
    };
    let mut charts = vec![Chart::Map(map(attention, &format!("L{layer} H{head}"), pattern))];
    if attention.n_heads > 1 {
        charts.extend((0..attention.n_heads).filter_map(|nth| {
            let pattern = attention.pattern(layer, nth)?;
            let name = format!("Head {nth}");
            Some(Chart::Map(Map { is_small: true, ..map(attention, &name, pattern) }))
        }));
    }
    let mut notes = vec![spread(attention, pattern, look)];
    notes.push(
        "* subject. Each row sums to 1; a token attends to itself and to those before it"
            .to_owned(),
    );
    if attention.n_heads > 1 {
        notes.push(format!("Below, all heads of layer {layer}, in the same colours"));
    }
    Figure { title: format!("Attention pattern — L{layer} H{head}"), charts, notes }
}

fn map(attention: &Attention, name: &str, pattern: &[f32]) -> Map {
    let prompt = &attention.prompt;
    let side = |title: &str, noun: &str| {
        let side = Side::tokens(title, token_labels(prompt), prompt.subject.clone());
        Side { noun: noun.to_owned(), ..side }
    };
    let (rows, columns) = (side("From (query)", "from token"), side("To (key)", "to token"));
    Map::new(name, rows, columns, pattern.to_vec(), "Attention weight").in_range(0.0, 1.0).square()
}

/// How one query's weight is spread.
fn spread(attention: &Attention, pattern: &[f32], look: &Look<'_>) -> String {
    let prompt = &attention.prompt;
    let n_pos = prompt.n_pos();
    let query = look.pick.position.filter(|&pos| pos < n_pos).unwrap_or_else(|| prompt.last());
    let weights = &pattern[query * n_pos..(query + 1) * n_pos];
    let mut parts = Vec::new();
    if let Some(subject) = &prompt.subject
        && let Some(of_subject) = weights.get(subject.clone())
    {
        let sum: f32 = of_subject.iter().sum();
        let mean = sum / of_subject.len() as f32;
        let (sum, mean) = (significant(sum, 3), significant(mean, 3));
        parts.push(format!("subject {sum} (mean {mean} a token)"));
    }
    let first = match prompt.bos {
        Bos::On => "BOS",
        Bos::Off => "first token",
    };
    parts.push(format!("{first} {}", significant(weights[0], 3)));
    parts.push(format!("itself {}", significant(weights[query], 3)));
    let from = token_at(query, prompt);
    let from = if query == prompt.last() { format!("the last {from}") } else { from };
    format!("From {from} to  {}", parts.join("  ·  "))
}
