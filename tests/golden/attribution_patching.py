"""Attribution patching on a TransformerLens model, with PyTorch's own gradients.

Nanda 2023, "Attribution Patching: Activation Patching At Industrial Scale", takes the gradient at the
corrupted run; Kramár et al. 2024, "AtP*", at the clean one. The corruption is ROME's, so that what is
estimated is the map of `rome.py`.
"""

from dataclasses import dataclass

import numpy
import torch

import rome

METRICS = ("prob", "answer_prob", "log_prob", "logit", "logit_diff")
HOOKS = {None: "hook_resid_post", "mlp": "hook_mlp_out", "attn": "hook_attn_out"}


@dataclass
class Target:
    """What is read from the logits."""

    metric: str
    # The answer's tokens; all metrics but "answer_prob" are about the first.
    answer_ids: list
    foil_id: int = None

    def read(self, logits):
        """One number per row, from the logits of the places that predict the answer's tokens."""
        answer_id = self.answer_ids[0]
        log_probs = torch.log_softmax(logits, dim=-1)
        if self.metric == "prob":
            return log_probs[:, 0, answer_id].exp()
        if self.metric == "answer_prob":
            places = range(len(self.answer_ids))
            return log_probs[:, places, self.answer_ids].sum(dim=1).exp()
        if self.metric == "log_prob":
            return log_probs[:, 0, answer_id]
        if self.metric == "logit":
            return logits[:, 0, answer_id]
        return logits[:, 0, answer_id] - logits[:, 0, self.foil_id]


@dataclass
class Pass:
    """One forward pass and the gradients of its readings."""

    readings: torch.Tensor
    activations: dict
    gradients: dict


def forward_and_back(model, ids, target, names, noise=None, subject_range=None):
    """`names` are those of hook points. `noise` is `[row, subject token, d_model]`; without it there is one row, undisturbed."""
    all_ids = ids + target.answer_ids[:-1]
    n_rows = 1 if noise is None else len(noise)
    kept = {}

    def corrupt(embedding, hook):
        begin, end = subject_range
        # The sum is taken in double precision and rounded once, as in ROME.
        embedding = embedding.clone()
        embedding[:, begin:end] += noise
        return embedding

    def keep_as(name):
        # Not by `hook.name`: in TransformerLens 4 a hook point has several names.
        def keep(activation, hook):
            # TransformerLens computes the first layer norm three times: for queries, keys and values.
            kept.setdefault(name, []).append(activation)
            return activation

        return name, keep

    hooks = [] if noise is None else [("hook_embed", corrupt)]
    hooks += [keep_as(name) for name in names]
    with torch.enable_grad():
        logits = model.run_with_hooks(torch.tensor([all_ids] * n_rows), fwd_hooks=hooks)
        readings = target.read(logits[:, len(ids) - 1 :])
        # Rows do not touch each other, so the gradient of the sum has each row's own.
        places = [(name, activation) for name, calls in kept.items() for activation in calls]
        found = torch.autograd.grad(readings.sum(), [activation for _, activation in places])
    gradients = {}
    for (name, _), gradient in zip(places, found):
        gradients[name] = gradients.get(name, 0) + gradient
    activations = {name: calls[0].detach() for name, calls in kept.items()}
    return Pass(readings.detach(), activations, gradients)


def gradients_along_activations(model, ids, target):
    """At every hook point the gradient times the activation, summed over the last axis."""
    done = forward_and_back(model, ids, target, list(filter(is_reached, model.hook_dict)))
    return {
        # A masked score is −∞, and its gradient 0.
        name: (done.activations[name] * gradient).nan_to_num(0.0).sum(dim=-1)
        for name, gradient in done.gradients.items()
    }


def is_reached(name):
    """Hook points that exist with these settings; TransformerLens lists more."""
    return not name.endswith(("hook_result", "hook_attn_in", "hook_mlp_in", "_input", "hook_rot_k", "hook_rot_q"))


def attribution_patching(
    model, ids, subject_range, target, base, kind=None, window=10, samples=10, noise_std=0.1, seed=1,
    noise=None,
):
    """The map that `rome.calculate_hidden_flow` would give, estimated. `scores` is `[token, layer]`,
    `head_effects` `[token, layer, head]`. `noise` is `[sample, subject token, d_model]`, ROME's unless
    it is given."""
    begin, end = subject_range
    random = numpy.random.RandomState(seed)
    if noise is None:
        noise = noise_std * torch.from_numpy(random.randn(samples, end - begin, model.cfg.d_model))
    wanted = [f"blocks.{layer}.{hook}" for layer in range(model.cfg.n_layers) for hook in (HOOKS[kind], "attn.hook_z")]
    clean = forward_and_back(model, ids, target, wanted)
    corrupted = forward_and_back(model, ids, target, wanted, noise, subject_range)
    gradients = (corrupted if base == "corrupted" else clean).gradients

    def effect(name):
        change = clean.activations[name] - corrupted.activations[name]
        return (change * gradients[name]).sum(dim=-1)[:, : len(ids)]

    n_layers = model.cfg.n_layers
    single = torch.stack([effect(f"blocks.{layer}.{HOOKS[kind]}") for layer in range(n_layers)], dim=-1)
    restored = [
        [layer] if kind is None else list(rome.window_layers(layer, window, n_layers))
        for layer in range(n_layers)
    ]
    # [row, token, layer]
    effects = torch.stack([single[..., layers].sum(dim=-1) for layers in restored], dim=-1)
    heads = torch.stack([effect(f"blocks.{layer}.attn.hook_z") for layer in range(n_layers)], dim=2)
    return {
        "scores": (corrupted.readings[:, None, None] + effects).mean(dim=0),
        "head_effects": heads.mean(dim=0),
        "low_score": corrupted.readings.mean().item(),
        "high_score": clean.readings.item(),
    }
