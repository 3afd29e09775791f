use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::analysis::source_attribution::SourceAttribution;
use crate::cli::output::minus;
use crate::tokens::visible;

pub(in crate::cli) fn to_json(it: &SourceAttribution) -> Value {
    let heads: Vec<&[f32]> = it.heads().map(|(_, _, values)| values).collect();
    json!({
        // Layer × head × source.
        "values": heads.chunks(it.n_heads).collect::<Vec<_>>(),
        "sources": it.sources(),
        "others": it.others,
        "bias": it.unembed_bias,
        "sum": it.sum(),
        "logit": it.logit,
        "unit": "logit",
        "minus": minus(&it.prompt),
    })
}

pub(in crate::cli) fn to_text(it: &SourceAttribution) -> String {
    let token = |pos: usize| visible(&it.prompt.pieces[pos]);
    let mut parts: Vec<_> = it
        .heads()
        .flat_map(|(layer, head, values)| {
            values.iter().enumerate().map(move |(pos, &logit)| (layer, head, pos, logit))
        })
        .collect();
    parts.sort_by(|a, b| b.3.abs().total_cmp(&a.3.abs()));
    let mut text = String::from("   logit  head, from token (largest first)\n");
    for (layer, head, pos, logit) in parts.into_iter().take(20) {
        _ = writeln!(text, "{logit:>+8.4}  L{layer}H{head}, {pos} {}", token(pos));
    }
    text.push_str("\n   logit  all heads, from token\n");
    for (pos, logit) in it.sources().into_iter().enumerate() {
        _ = writeln!(text, "{logit:>+8.4}  {pos} {}", token(pos));
    }
    _ = writeln!(text, "\n{:>+8.4}  embeddings, MLPs and attention biases", it.others);
    _ = writeln!(text, "{:>+8.4}  bias of the final layer norm", it.unembed_bias);
    _ = writeln!(text, "\nsum {:.4}, logit {:.4}", it.sum(), it.logit);
    text
}
