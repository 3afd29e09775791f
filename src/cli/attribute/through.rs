use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::analysis::through_head::ThroughHead;
use crate::cli::output::minus;
use crate::tokens::visible;

pub(in crate::cli) fn to_json(it: &ThroughHead) -> Value {
    let labels: Vec<_> = it.components.iter().map(|part| part.to_string()).collect();
    let weighted: Vec<_> = (0..it.components.len()).map(|nth| it.weighted(nth)).collect();
    json!({
        "spec": it.spec,
        "labels": labels,
        // Over all tokens, as the head's pattern weighs them.
        "weighted": weighted,
        // Component × token, if the head looked at that token alone.
        "values": it.values.rows().collect::<Vec<_>>(),
        "pattern": it.pattern,
        "sum": it.sum(),
        "logit": it.logit,
        "unit": "logit",
        "minus": minus(&it.prompt),
    })
}

pub(in crate::cli) fn to_text(it: &ThroughHead) -> String {
    let mut parts: Vec<_> =
        it.components.iter().enumerate().map(|(nth, part)| (it.weighted(nth), nth, part)).collect();
    parts.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let mut text = format!(
        "what earlier parts write through L{}H{}\n\n   logit  component (largest first), most of it \
         from\n",
        it.spec.layer, it.spec.head
    );
    for (logit, nth, component) in parts.into_iter().take(20) {
        let at = |pos: usize| it.pattern[pos] * it.values.get(nth, pos).unwrap_or(&0.0);
        let foremost = (0..it.pattern.len()).max_by(|&a, &b| at(a).abs().total_cmp(&at(b).abs()));
        let pos = foremost.unwrap_or(0);
        let token = visible(&it.prompt.pieces[pos]);
        _ = writeln!(text, "{logit:>+8.4}  {component}, {pos} {token} {:+.4}", at(pos));
    }
    _ = writeln!(text, "\nsum {:.4}, the head's logit {:.4}", it.sum(), it.logit);
    text
}
