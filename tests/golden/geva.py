"""Attention knockout as Geva et al. run it, on a Hugging Face `GPT2LMHeadModel`.

Geva et al. 2023, "Dissecting Recall of Factual Associations in Auto-Regressive Language Models",
section 5. Written anew after `factual_associations_dissection.ipynb` of google-research's
`dissecting_factual_predictions` (Apache-2.0); the functions keep their names, the code does not.
Where theirs replaces the attention's forward, a hook here replaces the mask that it is given.
"""

from contextlib import contextmanager

import torch


def knockout_scores(model, ids, edges, window, answer_id=None):
    """The answer's probability with each set of edges cut around each layer. `[edges, layer]`

    `edges` are pairs of key positions and query positions. The answer is the likeliest next token
    unless it is given.
    """
    clean = probabilities(model, ids)
    if answer_id is None:
        answer_id = int(clean.argmax())
    n_layers = len(model.transformer.h)
    scores = torch.stack([
        torch.stack([
            trace_with_attn_block(model, ids, window_layers(layer, window, n_layers), keys, queries)[answer_id]
            for layer in range(n_layers)
        ])
        for keys, queries in edges
    ])
    return {"scores": scores, "base_score": clean[answer_id].item(), "answer_id": answer_id}


def edges_to_last(n_pos, subject_range):
    """The paper's three: the subject, the other tokens before the last, and the last itself."""
    subject = list(range(*subject_range))
    last = n_pos - 1
    others = [pos for pos in range(last) if pos not in subject]
    return {"subject": (subject, [last]), "non-subject": (others, [last]), "last": ([last], [last])}


def window_layers(layer, window, n_layers):
    """The layers around `layer`, cut off at both ends."""
    return range(max(0, layer - window // 2), min(n_layers, layer + window - window // 2))


def trace_with_attn_block(model, ids, layers, keys, queries):
    """The next token's probabilities if, in these layers, no head of `queries` sees `keys`. `[vocab]`"""
    mask = torch.tril(torch.ones(len(ids), len(ids)))
    for query in queries:
        mask[query, keys] = 0
    # Padding and later tokens are hidden in the same way.
    mask = (1 - mask) * torch.finfo(torch.float32).min
    with attention_masked(model, layers, mask[None, None]):
        return probabilities(model, ids)


def probabilities(model, ids):
    with torch.no_grad():
        return torch.softmax(model(torch.tensor([ids]), use_cache=False).logits[0, -1], dim=0)


@contextmanager
def attention_masked(model, layers, mask):
    """While it lasts, these layers' attention gets this mask, which is added to the scores."""

    def replace(_module, args, kwargs):
        assert len(args) == 1, "the mask is not given by name"
        return args, {**kwargs, "attention_mask": mask}

    handles = [
        model.transformer.h[layer].attn.register_forward_pre_hook(replace, with_kwargs=True)
        for layer in layers
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
