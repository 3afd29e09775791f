//! How long the residual stream is, and what each layer adds to it.

use super::parts::token_map;
use super::{Look, token_bars};
use crate::analysis::Grid;
use crate::analysis::residual_norms::ResidualNorms;
use crate::figure::number::significant;
use crate::figure::words::token_at;
use crate::figure::{Bars, Chart, ColorMap, Figure, Map, Pick};

pub(super) fn figure(found: &ResidualNorms, look: &Look<'_>) -> Figure {
    let maps = [
        ("Residual stream behind each layer", "resid_post", &found.resid_post, ColorMap::Purples),
        ("Attention outputs", "attn_out", &found.attn_out, ColorMap::Reds),
        ("MLP outputs", "mlp_out", &found.mlp_out, ColorMap::Greens),
    ];
    let mut notes = vec![
        "Euclidean norm over d_model of the activation as it is, in activation units. A layer norm \
         takes the mean off first"
            .to_owned(),
    ];
    let mut charts = Vec::new();
    for (name, site, norms, color_map) in maps {
        let map = map(found, name, site, norms, look).colored(color_map);
        notes.extend(clipped(&map, site, norms));
        charts.push(Chart::Map(map));
    }
    charts.push(embeddings(found, "Token embeddings", "|embed|", &found.embed));
    if !found.pos_embed.is_empty() {
        charts.push(embeddings(found, "Position embeddings", "|pos_embed|", &found.pos_embed));
    }
    let last = found.prompt.last();
    let n_layers = found.resid_post.n_rows();
    if let (Some(first), Some(end)) =
        (found.resid_pre.get(0, last), found.resid_post.get(n_layers.saturating_sub(1), last))
    {
        notes.push(format!(
            "At the last {}: {} in front of the first layer, {} behind the last",
            token_at(last, &found.prompt),
            significant(*first, 4),
            significant(*end, 4),
        ));
    }
    notes.push(
        "What is added may point against what is there, so norms do not add up from layer to layer"
            .to_owned(),
    );
    Figure {
        title: "Norms along the residual stream".to_owned(),
        charts,
        notes,
        ..Figure::default()
    }
}

fn map(found: &ResidualNorms, name: &str, site: &str, norms: &Grid<f32>, look: &Look<'_>) -> Map {
    let quantity = format!("|{site}| (activation units)");
    let value = |layer, pos| norms.get(layer, pos).copied().unwrap_or(f32::NAN);
    let map = token_map(name, &quantity, &found.prompt, norms.n_rows(), look, value);
    let high = match later_tokens(norms) {
        Some(largest) if largest < map.range.1 => largest,
        _ => map.range.1,
    };
    map.in_range(0.0, high)
}

/// The largest norm after the first token, whose norms are often a hundred times those of others.
fn later_tokens(norms: &Grid<f32>) -> Option<f32> {
    let later = norms.rows().flat_map(|row| row.iter().skip(1)).copied();
    later.filter(|it| *it > 0.0).reduce(f32::max)
}

fn clipped(map: &Map, site: &str, norms: &Grid<f32>) -> Option<String> {
    let largest = norms.values().iter().copied().fold(0.0, f32::max);
    (largest > map.range.1).then(|| {
        format!(
            "Colours of {site} end at {}, the largest after the first token; the first token's go \
             up to {}",
            significant(map.range.1, 4),
            significant(largest, 4),
        )
    })
}

fn embeddings(found: &ResidualNorms, name: &str, norm: &str, norms: &[f32]) -> Chart {
    let quantity = format!("{norm} (activation units)");
    Chart::Bars(Bars::new(name, quantity, token_bars(&found.prompt, norms, Pick::default())))
}
