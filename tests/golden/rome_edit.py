"""ROME's rank-one edit in plain PyTorch, on a Hugging Face `GPT2LMHeadModel`.

Meng et al. 2022, section 3. Written anew after `rome/compute_u.py`, `rome/compute_v.py` and
`rome/rome_main.py` of kmeng01/rome (MIT); the functions keep their names, the code does not.
Texts come as token ids with the place of the subject's last token.
"""

from contextlib import contextmanager

import torch


@contextmanager
def output_edited(module, edit):
    """While it lasts, `edit` replaces the module's output."""
    handle = module.register_forward_hook(lambda _module, _inputs, output: edit(output))
    try:
        yield
    finally:
        handle.remove()


def input_output_at(model, layer, ids, pos):
    """What `mlp.c_proj` of a layer gets and gives at one position. `[d_mlp]`, `[d_model]`"""
    kept = {}

    def keep(_module, inputs, output):
        kept["in"], kept["out"] = inputs[0][0, pos].detach(), output[0, pos].detach()

    handle = model.transformer.h[layer].mlp.c_proj.register_forward_hook(keep)
    with torch.no_grad():
        model(torch.tensor([ids]), use_cache=False)
    handle.remove()
    return kept["in"], kept["out"]


def compute_u(model, layer, contexts, second_moment=None):
    """The direction of the key, of length 1. `[d_mlp]`"""
    keys = [input_output_at(model, layer, ids, pos)[0] for ids, pos in contexts]
    key = torch.stack(keys).mean(0)
    if second_moment is not None:
        key = (torch.inverse(second_moment.double()) @ key.double()).float()
    return key / key.norm()


def compute_v(
    model, layer, contexts, essence, target_ids, left, n_steps=20, lr=0.5, weight_decay=0.5, clamp=4.0,
    kl_factor=0.0625, enough=5e-2,
):
    """What is added to the matrix along `left`, `[d_model]`, and what was seen at each step."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    mlp = model.transformer.h[layer].mlp
    _, target_init = input_output_at(model, layer, *contexts[0])
    delta = torch.zeros_like(target_init, requires_grad=True)
    optimizer = torch.optim.Adam([delta], lr=lr)
    kl_before, steps = None, []

    def log_probs(ids, pos):
        def add(output):
            output = output.clone()
            output[0, pos] = output[0, pos] + delta
            return output

        with output_edited(mlp, add):
            return torch.log_softmax(model(torch.tensor([ids]), use_cache=False).logits[0], dim=-1)

    for step in range(n_steps):
        optimizer.zero_grad()
        nll_each = []
        for ids, pos in contexts:
            logs = log_probs(ids + target_ids[:-1], pos)
            at_target = logs[len(ids) - 1:].gather(1, torch.tensor(target_ids)[:, None])[:, 0]
            nll_each.append(-at_target.mean())
        nll_each = torch.stack(nll_each)
        nll = nll_each.mean()
        ids, pos = essence
        now = log_probs(ids, pos)[pos]
        if kl_before is None:
            kl_before = now.detach().clone()
        kl = kl_factor * torch.nn.functional.kl_div(
            kl_before[None], now[None], log_target=True, reduction="batchmean"
        )
        decay = weight_decay * (delta.norm() / target_init.norm() ** 2)
        loss = nll + kl + decay
        steps.append({
            "loss": loss.item(), "nll": nll.item(), "kl": kl.item(), "weight_decay": decay.item(),
            "prob": torch.exp(-nll_each).mean().item(), "delta_norm": delta.norm().item(),
        })
        if loss < enough or step == n_steps - 1:
            break
        loss.backward()
        optimizer.step()
        longest = clamp * target_init.norm()
        if delta.norm() > longest:
            with torch.no_grad():
                delta[...] = delta * longest / delta.norm()

    target = target_init + delta.detach()
    current_input, current_output = input_output_at(model, layer, *contexts[0])
    return (target - current_output) / (current_input @ left), steps


@contextmanager
def edited(model, layer, left, right):
    """While it lasts, the update is in the matrix, which Conv1D stores as `[d_mlp, d_model]`."""
    weight = model.transformer.h[layer].mlp.c_proj.weight
    original = weight.detach().clone()
    with torch.no_grad():
        weight += left[:, None] * right[None, :]
    try:
        yield
    finally:
        with torch.no_grad():
            weight.copy_(original)
