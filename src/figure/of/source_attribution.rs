//! From which token each head carried what it writes towards the answer.

use super::parts::{adds_up, split_logit, target};
use super::{Look, head_map, largest, token_bars};
use crate::analysis::source_attribution::SourceAttribution;
use crate::figure::number::signed;
use crate::figure::words::token_at;
use crate::figure::{Bar, Bars, Chart, Figure, Pick};

const QUANTITY: &str = "Contribution (logits)";

pub(super) fn figure(found: &SourceAttribution, look: &Look<'_>) -> Figure {
    let target = target(&found.prompt);
    let total = |layer, head| found.head(layer, head).map_or(f32::NAN, sum);
    let n_layers = found.heads().map(|(layer, ..)| layer + 1).max().unwrap_or(0);
    let size = [n_layers, found.n_heads];
    let map = Chart::Map(head_map("Each head over all sources", QUANTITY, size, look, total));
    let picked = look.pick.layer.zip(look.pick.head);
    let picked = picked.and_then(|(layer, head)| Some((layer, head, found.head(layer, head)?)));
    let mut notes = notes(found);
    let (title, charts) = if let Some((layer, head, values)) = picked {
        let written = signed(sum(values), 3);
        notes.insert(1, format!("Σ sources of L{layer} H{head} = {written}, the head's part"));
        let of_head = Bars::new(
            format!("Sources of L{layer} H{head}"),
            QUANTITY,
            token_bars(&found.prompt, values, Pick::head(layer, head)),
        );
        let title = format!("Source tokens of L{layer} H{head} — {target}");
        (title, vec![Chart::Bars(of_head), map])
    } else {
        let pairs =
            Bars::new("Largest heads and sources", QUANTITY, largest(pairs(found), look.n_listed));
        let sources = found.sources();
        let bars = token_bars(&found.prompt, &sources, Pick::default());
        let all = Bars::new("Sources over all heads", QUANTITY, bars);
        notes.push("Pick a head for its source tokens".to_owned());
        let title = format!("Logit attribution by source token — {target}");
        (title, vec![map, Chart::Bars(pairs), Chart::Bars(all)])
    };
    let measured = Some(split_logit(&found.prompt));
    Figure { title, measured, charts, notes, ..Figure::default() }
}

fn sum(values: &[f32]) -> f32 {
    values.iter().map(|&it| f64::from(it)).sum::<f64>() as f32
}

fn pairs(found: &SourceAttribution) -> Vec<Bar> {
    let of_head = |(layer, head, values): (usize, usize, &[f32])| -> Vec<Bar> {
        let bar = |(pos, &value): (usize, &f32)| {
            Bar::new(format!("L{layer} H{head} from {}", token_at(pos, &found.prompt)), value)
                .about(Pick { position: Some(pos), ..Pick::head(layer, head) })
        };
        values.iter().enumerate().map(bar).collect()
    };
    found.heads().flat_map(of_head).collect()
}

fn notes(found: &SourceAttribution) -> Vec<String> {
    vec![
        adds_up("Σ heads and sources + all else + bias", found.sum(), "logit", found.logit),
        format!(
            "All else is embeddings, MLPs and attention biases (value biases included): {}. The \
             final layer norm's bias adds {}",
            signed(found.others, 3),
            signed(found.unembed_bias, 3),
        ),
        "Attention weight from the last position × the source's value through the head's output \
         weights, along the answer's direction, with the final layer norm's scale held fixed \
         (Elhage et al. 2021)"
            .to_owned(),
    ]
}
