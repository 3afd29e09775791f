"""Activation patching between two prompts with TransformerLens' hooks."""

import torch

import hooked
import rome

HOOKS = {"hidden": "hook_resid_post", "mlp": "hook_mlp_out", "attn": "hook_attn_out", "heads": "attn.hook_z"}


def patched_logits(model, ids, donor_ids, groups, kind, window):
    """Logits of the last position of `ids` with activations of `donor_ids` put in.

    `groups` lists what is patched together: pairs of the donor's position and the recipient's.
    `[group, layer, head, vocab]` for heads, else `[layer, group, vocab]`.
    """
    n_layers = model.cfg.n_layers
    _, donor = hooked.run_with_cache(model, donor_ids)

    def run(layer, pairs, head=None):
        layers = rome.window_layers(layer, window, n_layers) if kind in ("mlp", "attn") else [layer]

        def edit_for(name):
            def edit(activation):
                for source, target in pairs:
                    if head is None:
                        activation[:, target] = donor[name][:, source]
                    else:
                        activation[:, target, head] = donor[name][:, source, head]

            return edit

        names = [f"blocks.{it}.{HOOKS[kind]}" for it in layers]
        return hooked.run_with_hooks(model, ids, {name: edit_for(name) for name in names})

    if kind == "heads":
        return torch.stack([
            torch.stack([
                torch.stack([run(layer, pairs, head) for head in range(model.cfg.n_heads)])
                for layer in range(n_layers)
            ])
            for pairs in groups
        ])
    return torch.stack([torch.stack([run(layer, pairs) for pairs in groups]) for layer in range(n_layers)])
