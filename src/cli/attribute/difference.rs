use std::fmt::Write as _;

use serde_json::{Value, json};

use super::list_foremost;
use crate::analysis::attribution_difference::AttributionDifference;
use crate::cli::output::minus;

pub(in crate::cli) fn to_json(it: &AttributionDifference) -> Value {
    let labels: Vec<_> = it.differences.iter().map(|part| part.component.to_string()).collect();
    let values: Vec<_> = it.differences.iter().map(|part| part.logit).collect();
    json!({
        "spec": it.spec,
        "noise_std": it.noise_std,
        "labels": labels,
        // Clean minus corrupted.
        "values": values,
        "scale_change": it.scale_change,
        "sum": it.sum(),
        "clean_logit": it.clean_logit,
        "corrupted_logit": it.corrupted_logit,
        "logit_difference": it.logit_difference(),
        "unit": "logit",
        "minus": minus(&it.prompt),
    })
}

pub(in crate::cli) fn to_text(it: &AttributionDifference) -> String {
    let mut text = String::from("   logit  component, clean minus corrupted (largest first)\n");
    list_foremost(&mut text, &it.differences);
    _ = writeln!(text, "{:>+8.4}  change of the final layer norm's scale", it.scale_change);
    _ = writeln!(
        text,
        "\nsum {:.4}, logit {:.4} - {:.4} = {:.4}",
        it.sum(),
        it.clean_logit,
        it.corrupted_logit,
        it.logit_difference()
    );
    text
}
