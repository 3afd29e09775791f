"""How a logit, a head and a pair of heads split, by TransformerLens' own functions.

What TransformerLens lacks (value-weighted attention, rollout, contribution graphs) is written here in
plain PyTorch from the papers.
"""

import contextlib
import io

import numpy
import torch
from transformer_lens.head_detector import (
    compute_head_attention_similarity_score, get_duplicate_token_head_detection_pattern,
    get_induction_head_detection_pattern, get_previous_token_head_detection_pattern,
)

import hooked


def direction(model, answer_id, foil_id):
    """Columns of the unembedding, and the bias."""
    direction, bias = model.W_U[:, answer_id], model.b_U[answer_id]
    if foil_id is not None:
        direction, bias = direction - model.W_U[:, foil_id], bias - model.b_U[foil_id]
    return direction.detach(), bias.item()


def quietly(f, *arguments, **options):
    """TransformerLens says on standard output that it computes heads' results."""
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        return f(*arguments, **options)


def split(cache, by, layer=-1, pos_slice=None):
    """The parts of the residual stream in front of a layer, and their labels."""
    if by == "layers":
        return quietly(cache.decompose_resid, layer=layer, pos_slice=pos_slice, return_labels=True)
    return quietly(
        cache.get_full_resid_decomposition, layer=layer, expand_neurons=False, pos_slice=pos_slice,
        return_labels=True,
    )


def neurons(model, cache, direction):
    """`[layer, neuron]`"""
    stack = quietly(cache.stack_neuron_results, layer=-1, pos_slice=-1)
    stack = cache.apply_ln_to_stack(stack, layer=-1, pos_slice=-1)[:, 0]
    return (stack @ direction).reshape(model.cfg.n_layers, model.cfg.d_mlp)


def sources(model, cache, direction):
    """What each head brings from each position to the last. `[layer, head, source]`"""
    rows = []
    for layer in range(model.cfg.n_layers):
        moved = torch.einsum("she,hed->hsd", cache["v", layer][0], model.W_O[layer].detach())
        moved = moved * cache["pattern", layer][0, :, -1, :, None]
        moved = moved - moved.mean(-1, keepdim=True)
        rows.append(moved / cache["ln_final.hook_scale"][0, -1] @ direction)
    return torch.stack(rows)


def difference(model, clean, corrupted, direction, by, scale_of):
    """Parts of the clean run less those of the corrupted ones, under the scale of one of them."""
    total = 0
    for other in corrupted:
        (a, labels), (b, _) = split(clean, by, pos_slice=-1), split(other, by, pos_slice=-1)
        scaled = (clean if scale_of == "clean" else other).apply_ln_to_stack(
            a - b, layer=-1, pos_slice=-1
        )
        total = total + scaled[:, 0] @ direction
    return labels, total / len(corrupted)


def neuron_difference(model, clean, corrupted, direction, scale_of):
    """Neurons of the clean run less those of the corrupted ones. `[layer, neuron]`"""
    total = 0
    for other in corrupted:
        a, b = (quietly(it.stack_neuron_results, layer=-1, pos_slice=-1) for it in (clean, other))
        scaled = (clean if scale_of == "clean" else other).apply_ln_to_stack(
            a - b, layer=-1, pos_slice=-1
        )
        total = total + scaled[:, 0] @ direction
    return (total / len(corrupted)).reshape(model.cfg.n_layers, model.cfg.d_mlp)


def noisy_caches(model, ids, subject_range, std, samples, seed):
    """ROME's noise on the subject's embeddings; one run per draw."""
    begin, end = subject_range
    draws = numpy.random.RandomState(seed).randn(samples, end - begin, model.cfg.d_model) * std
    logits, caches = [], []
    for draw in torch.from_numpy(draws):
        def hook(embed, hook, draw=draw):
            embed[0, begin:end] = (embed[0, begin:end].double() + draw).float()
            return embed

        with torch.no_grad(), model.hooks([("hook_embed", hook)]):
            found, cache = model.run_with_cache(torch.tensor([ids]))
        logits.append(found[0, -1])
        caches.append(cache)
    return logits, caches


def through_head(model, cache, layer, head, direction, by):
    """What each earlier part writes through a head, from each position. `[part, source]`"""
    parts, labels = split(cache, by, layer=layer)
    read = cache.apply_ln_to_stack(parts, layer=layer)[:, 0]
    written = read @ model.W_V[layer, head].detach() @ model.W_O[layer, head].detach()
    written = written - written.mean(-1, keepdim=True)
    return labels, written / cache["ln_final.hook_scale"][0, -1] @ direction


def accumulated(model, cache, direction, bias, own_scale):
    """The logit of each state of the residual stream. `[state, pos]`"""
    stack, labels = quietly(cache.accumulated_resid, layer=-1, incl_mid=True, return_labels=True)
    normalized = quietly(cache.apply_ln_to_stack, stack, layer=-1, recompute_ln=own_scale)
    return labels, normalized[:, 0] @ direction + bias


def attention_biases(model, cache, direction):
    """What each layer's attention bias adds to the logit at the last position. `[layer]`"""
    centred = (model.b_O - model.b_O.mean(-1, keepdim=True)).detach()
    return centred / cache["ln_final.hook_scale"][0, -1] @ direction


def lens_at_final_scale(model, cache):
    """`[layer, pos, vocab]`"""
    stack = torch.stack([cache["resid_post", layer] for layer in range(model.cfg.n_layers)])
    with torch.no_grad():
        normalized = cache.apply_ln_to_stack(stack, layer=-1)[:, 0]
        return torch.softmax(normalized @ model.W_U + model.b_U, dim=-1)


def norms(model, cache):
    names = ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"]
    found = {
        name: torch.stack([cache[name, layer][0].norm(dim=-1) for layer in range(model.cfg.n_layers)])
        for name in names
    }
    return found | {name: cache[name][0].norm(dim=-1) for name in ("embed", "pos_embed")}


def weighted_attention(model, cache, layer, weighting):
    """`[head, query, key]`, or `[query, key]` rolled out."""
    if weighting == "rollout":
        rolled = torch.eye(cache["pattern", 0].shape[-1])
        for below in range(layer + 1):
            mean = cache["pattern", below][0].mean(0)
            rolled = 0.5 * (mean + torch.eye(len(mean))) @ rolled
        return rolled
    moved = cache["v", layer][0].transpose(0, 1)
    if weighting == "norm":
        moved = moved @ model.W_O[layer].detach()
    return cache["pattern", layer][0] * moved.norm(dim=-1)[:, None, :]


def detected(model, ids, kind):
    """TransformerLens' score, as a mean over the queries that have such a key. `[layer, head]`"""
    tokens = torch.tensor([ids])
    pattern = {
        "previous_token": get_previous_token_head_detection_pattern,
        "duplicate_token": get_duplicate_token_head_detection_pattern,
        "induction": get_induction_head_detection_pattern,
    }[kind](tokens)
    n_queries = int((pattern.sum(-1) > 0).sum())
    if n_queries == 0:
        return None
    _, cache = hooked.run_with_cache(model, ids)
    return torch.tensor([
        [
            compute_head_attention_similarity_score(
                cache["pattern", layer][0, head].clone(), pattern, exclude_bos=False,
                exclude_current_token=False, error_measure="mul",
            ) * len(ids) / n_queries
            for head in range(model.cfg.n_heads)
        ]
        for layer in range(model.cfg.n_layers)
    ])


def shares(parts, whole):
    """Ferrando & Voita 2024: `[part, d]` and `[d]`"""
    parts, whole = parts.double(), whole.double()
    near = (whole.abs().sum() - (whole - parts).abs().sum(-1)).clip(min=1e-5)
    return near / near.sum()


def contribution_edges(model, cache, threshold, renormalize, sum_heads):
    """Every edge by its two ends and its kind. `model` has its value biases folded."""
    n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
    n_pos = cache["resid_pre", 0].shape[1]
    edges = {}

    def kept(values):
        if not renormalize:
            return values
        values = values * (values > threshold)
        return values / values.sum() if values.sum() > 0 else values

    for layer in range(n_layers):
        moved = torch.einsum("she,hed->hsd", cache["v", layer][0], model.W_O[layer].detach())
        for query in range(n_pos):
            weights = cache["pattern", layer][0, :, query, : query + 1]
            parts = (moved[:, : query + 1] * weights[..., None]).reshape(-1, moved.shape[-1])
            parts = torch.cat([parts, cache["resid_pre", layer][0, query][None]])
            found = kept(shares(parts, cache["resid_mid", layer][0, query]))
            heads = found[:-1].reshape(n_heads, query + 1)
            before = lambda pos: f"{layer - 1}_resid_post@{pos}" if layer else f"embed@{pos}"
            mid, mlp, post = (f"{layer}_{name}@{query}" for name in ("resid_mid", "mlp", "resid_post"))
            edges[before(query), mid, "residual"] = found[-1].item()
            for key in range(query + 1):
                if sum_heads:
                    edges[before(key), mid, "attention"] = heads[:, key].sum().item()
                else:
                    for head in range(n_heads):
                        edges[before(key), mid, f"head {head}"] = heads[head, key].item()
            parts = torch.stack([cache["mlp_out", layer][0, query], cache["resid_mid", layer][0, query]])
            of_mlp, of_residual = kept(shares(parts, cache["resid_post", layer][0, query])).tolist()
            edges[mid, mlp, "mlp"] = edges[mlp, post, "mlp"] = of_mlp
            edges[mid, post, "residual"] = of_residual
    return edges


def edges_leading_to(edges, root, threshold):
    reached, waiting, found = {root}, [root], {}
    while waiting:
        node = waiting.pop()
        for (start, end, via), weight in edges.items():
            if end == node and weight > threshold:
                found[start, end, via] = weight
                if start not in reached:
                    reached.add(start)
                    waiting.append(start)
    return found


def circuit(model, layer, head, kind):
    """Singular values, and what each vector reads and writes of each token. `[vector, vocab]`"""
    with torch.no_grad():
        matrix = (model.OV if kind == "ov" else model.QK)[layer, head]
        u, s, v = matrix.svd()
        reads = (model.W_E @ u).T
        writes = v.T @ model.W_U if kind == "ov" else (model.W_E @ v).T
    signs = torch.sign(writes.gather(1, writes.abs().argmax(1, keepdim=True)))
    return s, reads * signs, writes * signs


def copying_score(model, layer, head):
    with torch.no_grad():
        eigenvalues = (model.W_E @ model.OV[layer, head] @ model.W_U).eigenvalues
    return (eigenvalues.sum().real / eigenvalues.abs().sum()).item()
