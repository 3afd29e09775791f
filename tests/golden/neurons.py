"""Ablation of single neurons on a TransformerLens model, with PyTorch's own gradients and hooks."""

import torch

import attribution_patching
import hooked


def hook_name(layer):
    return f"blocks.{layer}.mlp.hook_post"


def replacement_of(model, replacement, n_pos):
    """By layer what stands at each position instead. `replacement` is "zero", prompts to take the mean
    over, or the ids of one prompt. `[pos, d_mlp]`"""
    layers = range(model.cfg.n_layers)
    if replacement == "zero":
        return [torch.zeros(n_pos, model.cfg.d_mlp) for _ in layers]
    if isinstance(replacement[0], int):
        cache = hooked.run_with_cache(model, replacement)[1]
        return [cache[hook_name(layer)][0] for layer in layers]
    caches = [hooked.run_with_cache(model, ids)[1] for ids in replacement]

    def mean(name):
        first = torch.cat([cache[name][0, :1] for cache in caches]).double().mean(dim=0)
        later = torch.cat([cache[name][0, 1:] for cache in caches]).double().mean(dim=0)
        return torch.stack([first] + [later] * (n_pos - 1)).float()

    return [mean(hook_name(layer)) for layer in layers]


def estimates(model, ids, target, positions, new):
    """To first order, what replacing each neuron adds to the reading. `[layer, d_mlp]`"""
    names = [hook_name(layer) for layer in range(model.cfg.n_layers)]
    done = attribution_patching.forward_and_back(model, ids, target, names)
    found = []
    for layer in range(model.cfg.n_layers):
        name = hook_name(layer)
        change = new[layer] - done.activations[name][0, : len(ids)]
        found.append((change * done.gradients[name][0, : len(ids)])[positions].sum(dim=0))
    return torch.stack(found), done.activations


def ablated_logits(model, ids, layer, neuron, positions, new):
    """Logits at the last position without a neuron."""

    def edit(activation):
        activation[0, positions, neuron] = new[layer][positions, neuron]

    return hooked.run_with_hook(model, ids, hook_name(layer), edit)
