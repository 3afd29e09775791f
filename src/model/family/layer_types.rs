//! What configurations say about the layers whose queries see a window of keys.

use super::super::ModelConfig;
use super::super::config::WindowedLayers;

/// The layers whose queries see a window, from a list of what each layer sees.
pub(super) fn windowed_layers(
    types: &[String],
    n_layers: usize,
) -> Result<Option<WindowedLayers>, String> {
    if types.len() != n_layers {
        let n_types = types.len();
        return Err(format!("`layer_types` has {n_types} entries for {n_layers} layers"));
    }
    let is_sliding = |it: &String| match it.as_str() {
        "sliding_attention" => Ok(true),
        "full_attention" => Ok(false),
        other => Err(format!(
            "`layer_types` has `{other}`, which is not one of `sliding_attention`, `full_attention`"
        )),
    };
    let sliding = types.iter().map(is_sliding).collect::<Result<Vec<bool>, _>>()?;
    let Some(first) = sliding.iter().position(|it| *it) else { return Ok(None) };
    let from_first = WindowedLayers::From(first);
    let rules = (2..=sliding.len()).map(WindowedLayers::AllBut);
    let follows = |rule: &WindowedLayers| {
        sliding.iter().enumerate().all(|(layer, it)| rule.includes(layer) == *it)
    };
    let mut bits = [0; 2];
    for layer in (0..sliding.len().min(128)).filter(|layer| sliding[*layer]) {
        bits[layer / 64] |= 1 << (layer % 64);
    }
    let listed = [WindowedLayers::Listed(bits)];
    [from_first].into_iter().chain(rules).chain(listed).find(follows).map(Some).ok_or_else(|| {
        "`layer_types` of more than 128 layers follows no rule that is known: sliding from one layer \
         on, or in all but every nth layer"
            .to_owned()
    })
}

/// What each layer sees, as configurations list it.
pub(super) fn layer_types(config: &ModelConfig) -> Vec<&'static str> {
    let kind = |layer| match config.window_of(layer) {
        Some(_) => "sliding_attention",
        None => "full_attention",
    };
    (0..config.n_layers).map(kind).collect()
}
