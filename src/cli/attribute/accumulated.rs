use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::analysis::accumulated_resid::AccumulatedResid;
use crate::cli::output::minus;

pub(in crate::cli) fn to_json(it: &AccumulatedResid) -> Value {
    json!({
        "spec": it.spec,
        "labels": it.labels,
        // State × position.
        "logits": it.logits.rows().collect::<Vec<_>>(),
        "unit": "logit",
        "minus": minus(&it.prompt),
    })
}

pub(in crate::cli) fn to_text(it: &AccumulatedResid) -> String {
    let mut text = String::from("   logit    added  residual stream at the last token\n");
    let mut before = None;
    for (label, row) in it.labels.iter().zip(it.logits.rows()) {
        let Some(&logit) = row.last() else { continue };
        let added =
            before.map_or_else(String::new, |before: f32| format!("{:+.4}", logit - before));
        _ = writeln!(text, "{logit:>+8.4} {added:>8}  {label}");
        before = Some(logit);
    }
    text
}
