"""Corruptions and maps of a causal trace beyond ROME's own, on a Hugging Face `GPT2LMHeadModel`.

Noise of other shapes is that of `trace_with_patch` in `experiments/causal_trace.py` of
https://github.com/kmeng01/rome (MIT) with its options `uniform_noise` and `replace`; the rest is
written from its definition. Row 0 of every batch is the clean run.
"""

import numpy
import torch

import rome


def noisy(model, ids, subject_range, shape, replace, level, samples, seed=1):
    """What the subject's embeddings become. `[sample, subject token, d_model]`

    `level` is a number, or for each dimension one.
    """
    begin, end = subject_range
    random = numpy.random.RandomState(seed)
    size = (samples, end - begin, model.config.n_embd)
    drawn = random.uniform(-1, 1, size) if shape == "uniform" else random.randn(*size)
    noise = torch.from_numpy(drawn) * level
    return (noise if replace else embeddings(model, ids[begin:end]).double() + noise).float()


def embeddings(model, ids):
    with torch.no_grad():
        return model.transformer.wte.weight[torch.tensor(ids)]


def nearest_tokens(model, vectors, by, allowed):
    """The token of those allowed whose embedding is nearest to each vector. `[sample, token]`"""
    rows = embeddings(model, allowed).double()
    x = vectors.double().flatten(0, 1)
    if by == "cosine":
        distances = -torch.nn.functional.cosine_similarity(x[:, None], rows[None], dim=-1)
    else:
        distances = torch.cdist(x[None], rows[None])[0]
    return torch.tensor(allowed)[distances.argmin(dim=1)].reshape(vectors.shape[:2])


def trace(model, ids, subject_range, corrupted, cells, direction="denoise"):
    """Logits of the last position: clean `[vocab]`, corrupted `[sample, vocab]`, and with each cell
    exchanged `[cell, sample, vocab]`.

    `corrupted` are embeddings of the subject or token ids in its place, for each sample. A cell is a
    list of places: a position, a module's name as `rome.layer_name` has it, and a slice of what the
    module gives, or takes if the name ends with `<`.
    """
    begin, end = subject_range
    samples = len(corrupted)

    def corrupt(embedding):
        new = corrupted if corrupted.is_floating_point() else embeddings(model, corrupted.tolist())
        embedding[1:, begin:end] = new

    # Where the corrupted run gives, it runs along in the batch, before the rows that are changed.
    def run(cell):
        def exchange(state, places):
            for pos, part in places:
                if direction == "denoise":
                    state[1:, pos, part] = state[0, pos, part]
                else:
                    state[1 + samples :, pos, part] = state[1 : 1 + samples, pos, part]

        def corrupt_all(embedding):
            if direction == "denoise":
                corrupt(embedding)
            else:
                rows = embedding[: 1 + samples]
                corrupt(rows)

        n_rows = 1 + (samples if direction == "denoise" else 2 * samples)
        by_name = {}
        for pos, name, part in cell:
            by_name.setdefault(name, []).append((pos, part))
        handles = [model.transformer.wte.register_forward_hook(lambda m, i, o: corrupt_all(o))]
        for name, places in by_name.items():
            module = model.get_submodule(name.rstrip("<"))
            if name.endswith("<"):
                handles.append(module.register_forward_pre_hook(
                    lambda m, inputs, places=places: exchange(inputs[0], places)
                ))
            else:
                handles.append(module.register_forward_hook(
                    lambda m, i, o, places=places: exchange(o[0] if isinstance(o, tuple) else o, places)
                ))
        try:
            with torch.no_grad():
                logits = model(torch.tensor([ids] * n_rows), use_cache=False).logits[:, -1]
        finally:
            for handle in handles:
                handle.remove()
        return logits

    first = run([])
    exchanged = torch.stack([run(cell)[-samples:] for cell in cells])
    return first[0], first[1 : 1 + samples], exchanged


def token_cells(n_pos, n_layers, kind, window):
    """Column × layer, as ROME's map."""
    whole = slice(None)
    return [
        [
            [(pos, rome.layer_name(l, kind), whole) for l in layers_of(layer, kind, window, n_layers)]
            for layer in range(n_layers)
        ]
        for pos in range(n_pos)
    ]


def layers_of(layer, kind, window, n_layers):
    return [layer] if kind is None else rome.window_layers(layer, window, n_layers)


def together_cells(positions, n_layers, kind, widths):
    whole = slice(None)
    return [
        [
            [
                (pos, rome.layer_name(l, kind), whole)
                for l in rome.window_layers(layer, width, n_layers) for pos in positions
            ]
            for layer in range(n_layers)
        ]
        for width in widths
    ]


def head_cells(positions, n_layers, n_heads, d_head, window):
    """`z` of a head is its slice of what the attention's output projection takes."""
    return [
        [
            [
                (pos, f"transformer.h.{l}.attn.c_proj<", slice(head * d_head, (head + 1) * d_head))
                for l in rome.window_layers(layer, window, n_layers) for pos in positions
            ]
            for layer in range(n_layers)
        ]
        for head in range(n_heads)
    ]


def metrics(clean, logits, answer_id, foil_id):
    """Every reading of some rows. `logits` is `[…, vocab]`."""
    log_probs = torch.log_softmax(logits.double(), dim=-1)
    clean_log_probs = torch.log_softmax(clean.double(), dim=-1)
    answer = logits[..., answer_id]
    return {
        "prob": log_probs[..., answer_id].exp(),
        "log_prob": log_probs[..., answer_id],
        "logit": answer,
        "logit_diff": answer - logits[..., foil_id],
        "rank": (logits > answer[..., None]).sum(dim=-1).double(),
        "kl": torch.nn.functional.kl_div(
            log_probs, clean_log_probs.expand_as(log_probs), log_target=True, reduction="none"
        ).sum(dim=-1),
    }


def effects(clean, corrupted, scores, direction, least_total):
    """Of means over samples: `scores` is `[column, layer]`."""
    total = clean - corrupted
    indirect = scores - corrupted if direction == "denoise" else clean - scores
    recovery = (scores - corrupted) / total if abs(total) >= least_total else None
    return {"total": total, "indirect": indirect, "direct": total - indirect, "recovery": recovery}
