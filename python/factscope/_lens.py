"""Numbers by the names of TransformerLens' hook points that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._errors import Error

if TYPE_CHECKING:
    from ._result import Result

# What a trace restores, and what an ablation replaces.
_OUTPUTS = {"hidden": "hook_resid_post", "mlp": "hook_mlp_out", "attn": "hook_attn_out"}
_HEADS = "attn.hook_z"
_NORMS = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")


def named(result: Result) -> dict[str, np.ndarray]:
    """The numbers of a result by hook point."""
    method = result.json.get("method")
    if method not in _BY_METHOD:
        known = ", ".join(sorted(_BY_METHOD))
        raise Error(f"TransformerLens has no hook point for a result of {method}; it has for: {known}")
    return _BY_METHOD[method](result.json)


def _array(numbers: Any) -> np.ndarray:
    """What is `None` in JSON is no number."""
    return np.array(numbers, dtype=np.float32)


def _attention(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """`[batch, head, query, key]`, as in TransformerLens' cache."""
    if found["weighting"] != "pattern":
        raise Error(
            f"TransformerLens has no hook point for attention weighted by {found['weighting']}; "
            'ask with weighting="pattern"'
        )
    layers: dict[int, list[Any]] = {}
    for it in found["patterns"]:
        layers.setdefault(it["layer"], []).append(it["pattern"])
    return {f"blocks.{at}.attn.hook_pattern": _array([heads]) for at, heads in layers.items()}


def _norms(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """The length of each activation of the cache, `[batch, pos]`."""
    named = {f"hook_{it}": _array([found[it]]) for it in ("embed", "pos_embed") if found.get(it)}
    for name in _NORMS:
        for at, norms in enumerate(found[name]):
            named[f"blocks.{at}.hook_{name}"] = _array([norms])
    return named


def _lens(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """The probability of the answer if the model ended here, `[batch, pos]`."""
    return {
        f"blocks.{it['layer']}.hook_resid_post": _array([[at["answer_prob"] for at in it["positions"]]])
        for it in found["layers"]
    }


def _attribution(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """What the activation at the last token adds to the logit: a number, or one for each `[head]`."""
    named: dict[str, Any] = {}
    parts = {"Embed": "hook_embed", "PosEmbed": "hook_pos_embed"}
    outputs = {"AttnOut": "hook_attn_out", "MlpOut": "hook_mlp_out"}
    for it in found["contributions"]:
        part, logit = it["component"], it["logit"]
        if isinstance(part, str):
            if part in parts:
                named[parts[part]] = logit
            continue
        ((kind, place),) = part.items()
        if kind == "Head":
            named.setdefault(f"blocks.{place['layer']}.attn.hook_result", {})[place["head"]] = logit
        else:
            named[f"blocks.{place}.{outputs[kind]}"] = logit
    return {
        name: _array([it[head] for head in sorted(it)] if isinstance(it, dict) else it)
        for name, it in named.items()
    }


def _trace(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """The answer's probability when the activation is patched: for each `[pos]`, or for each `[head]`."""
    if found["sever"] is not None or found["window"] != 1:
        raise Error("a hook point is of one layer and of the whole stream: ask with window=1, no sever")
    scores = _array(found["scores"])
    if found["kind"] == "head":
        return {f"blocks.{at}.{_HEADS}": scores[:, at] for at in range(scores.shape[1])}
    if found["map"] != "tokens":
        raise Error("a hook point is of each token: ask without `at`")
    name = _OUTPUTS[found["kind"]]
    return {f"blocks.{at}.{name}": scores[:, at] for at in range(scores.shape[1])}


def _ablation(found: dict[str, Any]) -> dict[str, np.ndarray]:
    """By how much the answer's probability changes without the activation: a number, or for each `[head]`."""
    part, change = found["spec"]["part"], _array(found["change"]["prob"])
    if part == "heads":
        return {f"blocks.{at}.{_HEADS}": heads for at, heads in enumerate(change)}
    if part not in _OUTPUTS:
        raise Error(f"TransformerLens has no one hook point for {part}")
    return {f"blocks.{at}.{_OUTPUTS[part]}": it[0] for at, it in enumerate(change)}


_BY_METHOD = {
    "ablation": _ablation,
    "attention": _attention,
    "causal trace": _trace,
    "logit attribution": _attribution,
    "logit lens": _lens,
    "residual norms": _norms,
}
