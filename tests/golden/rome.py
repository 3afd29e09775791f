"""Causal tracing as the ROME authors run it, on a Hugging Face `GPT2LMHeadModel`.

Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 2.
Written anew after `experiments/causal_trace.py` of https://github.com/kmeng01/rome (MIT); the
functions keep their names, the code does not. One surprise: the generator is seeded again in every
call, so every cell of a map sees the same noise.

Run by itself, it checks the noise against known numbers.
"""

from contextlib import contextmanager

import numpy
import torch

KINDS = (None, "mlp", "attn")


def calculate_hidden_flow(
    model, ids, subject_range, answer_id=None, kind=None, window=10, samples=10, noise_std=0.1, seed=1,
    sever=None, direction="denoise", sever_layers=None,
):
    """One map of restored probabilities. `scores` is `[token, layer]`.

    The answer is the likeliest next token unless it is given. `kind` is what is restored: None for a
    block's output, "mlp" or "attn" for what these modules add, over a window of layers. `sever` is
    "mlp" or "attn": what is frozen at the token that is restored. The direction "noise", which ROME
    lacks, puts corrupted states into the clean run instead. `sever_layers`, which it lacks too: only so
    many modules are frozen, the lowest of those whose output changes.
    """
    assert kind in KINDS and sever in KINDS
    with torch.no_grad():
        logits = model(rows(ids, samples), use_cache=False).logits
    probs = torch.softmax(logits[:, -1], dim=1)[0]
    if answer_id is None:
        answer_id = int(probs.argmax())

    n_layers = len(model.transformer.h)

    def corrupted_probability(states):
        return trace_with_patch(
            model, ids, states, answer_id, subject_range, noise_std, samples=samples, seed=seed
        )

    def probability(states):
        # As in the notebook: in every layer, at the one token whose states are restored.
        frozen = [(pos, layer_name(l, sever)) for pos, _ in states[:1] for l in range(n_layers) if sever]
        if sever and sever_layers is not None:
            frozen = reacting(
                model, ids, states, frozen, subject_range, noise_std, samples, seed, direction
            )[:sever_layers]
        if direction == "noise":
            trace = trace_with_corruption
        elif sever:
            trace = trace_with_repatch
        else:
            return corrupted_probability(states)
        return trace(model, ids, states, frozen, answer_id, subject_range, noise_std, samples, seed)

    if kind is None:
        scores = trace_important_states(probability, len(ids), n_layers)
    else:
        scores = trace_important_window(probability, len(ids), n_layers, kind, window)
    return {
        "scores": scores,
        "low_score": corrupted_probability([]).item(),
        "high_score": probs[answer_id].item(),
        "answer_id": answer_id,
    }


def trace_important_states(probability, n_pos, n_layers):
    """Restore one block's output at one token. `[token, layer]`"""
    return torch.stack([
        torch.stack([probability([(pos, layer_name(layer))]) for layer in range(n_layers)])
        for pos in range(n_pos)
    ])


def trace_important_window(probability, n_pos, n_layers, kind, window):
    """Restore one module's output at one token, in a window of layers. `[token, layer]`"""
    return torch.stack([
        torch.stack([
            probability([(pos, layer_name(l, kind)) for l in window_layers(layer, window, n_layers)])
            for layer in range(n_layers)
        ])
        for pos in range(n_pos)
    ])


def window_layers(layer, window, n_layers):
    """The layers around `layer`: one more below than above if even, cut off at both ends."""
    below, above = window // 2, window - window // 2
    return range(max(0, layer - below), min(n_layers, layer + above))


def trace_with_patch(
    model, ids, states, answer_id, subject_range, noise_std, samples=10, seed=1
):
    """The answer's probability, averaged over corrupted runs in which `states` are restored.

    Row 0 of the batch is the clean run; noise is added to the token embeddings of the others.
    `states` are pairs of a token position and a module's name.
    """
    edits = {"transformer.wte": corruption(subject_range, noise_std, samples, seed)}
    edits.update((name, restoring(chosen)) for name, chosen in by_name(states).items())
    return mean_probability(model, ids, samples, edits, answer_id)


def trace_with_repatch(
    model, ids, states, frozen, answer_id, subject_range, noise_std, samples=10, seed=1
):
    """The same, with the `frozen` modules' outputs held at their corrupted values.

    ROME's notebook `causal_trace_frozen_mlp_attn`: a first pass, corrupted, keeps these outputs; a
    second one restores the states and puts the outputs back. Both draw the same noise.
    """
    corrupt = corruption(subject_range, noise_std, samples, seed)
    corrupted = outputs_of(model, ids, samples, {name for _, name in frozen}, corrupt)
    edits = {"transformer.wte": corruption(subject_range, noise_std, samples, seed)}
    # What is restored is not frozen.
    frozen = [place for place in frozen if place not in states]
    edits.update((name, restoring(chosen)) for name, chosen in by_name(states).items())
    edits.update((name, putting(corrupted[name], chosen)) for name, chosen in by_name(frozen).items())
    return mean_probability(model, ids, samples, edits, answer_id)


def trace_with_corruption(
    model, ids, states, frozen, answer_id, subject_range, noise_std, samples=10, seed=1
):
    """The other way round: in a clean run, `states` get their corrupted values, and the `frozen`
    modules' outputs are held at their clean ones."""
    corrupt = corruption(subject_range, noise_std, samples, seed)
    corrupted = outputs_of(model, ids, samples, {name for _, name in states}, corrupt)
    frozen = [place for place in frozen if place not in states]
    edits = {name: putting(corrupted[name], chosen) for name, chosen in by_name(states).items()}
    # Row 0 stays clean.
    edits.update((name, restoring(chosen)) for name, chosen in by_name(frozen).items())
    return mean_probability(model, ids, samples, edits, answer_id)


def reacting(model, ids, states, places, subject_range, noise_std, samples, seed, direction):
    """Those of the `places` that give something else where `states` are exchanged, seen by running it."""
    names = {name for _, name in [*places, *states]}
    corrupt = {"transformer.wte": corruption(subject_range, noise_std, samples, seed)}
    corrupted = outputs_under(model, ids, samples, names, corrupt)
    if direction == "noise":
        unchanged = outputs_under(model, ids, samples, names, {})
        edits = {name: putting(corrupted[name], chosen) for name, chosen in by_name(states).items()}
    else:
        unchanged = corrupted
        edits = {"transformer.wte": corruption(subject_range, noise_std, samples, seed)}
        edits.update((name, restoring(chosen)) for name, chosen in by_name(states).items())
    places = [place for place in places if place not in states]
    changed = outputs_under(model, ids, samples, {name for _, name in places}, edits)
    return [
        (pos, name) for pos, name in places
        if not torch.equal(changed[name][:, pos], unchanged[name][:, pos])
    ]


def corruption(subject_range, noise_std, samples, seed):
    random = numpy.random.RandomState(seed)
    begin, end = subject_range

    def corrupt(embedding):
        noise = random.randn(samples, end - begin, embedding.shape[-1])
        # The sum is taken in double precision and rounded once.
        embedding[1:, begin:end] += noise_std * torch.from_numpy(noise).to(embedding.device)

    return corrupt


def restoring(positions):
    def restore(state):
        for pos in positions:
            state[1:, pos] = state[0, pos]

    return restore


def putting(kept, positions):
    def put(state):
        for pos in positions:
            state[1:, pos] = kept[1:, pos]

    return put


def by_name(places):
    positions = {}
    for pos, name in places:
        positions.setdefault(name, []).append(pos)
    return positions


def outputs_of(model, ids, samples, names, corrupt):
    """What these modules give in a corrupted run."""
    return outputs_under(model, ids, samples, names, {"transformer.wte": corrupt})


def outputs_under(model, ids, samples, names, edits):
    """What these modules give in a run with these edits, none of them to the modules themselves."""
    kept = {}

    def keeping(name):
        def keep(state):
            kept[name] = state.clone()

        return keep

    edits = {**edits, **{name: keeping(name) for name in names}}
    with torch.no_grad(), outputs_edited(model, edits):
        model(rows(ids, samples), use_cache=False)
    return kept


def mean_probability(model, ids, samples, edits, answer_id):
    with torch.no_grad(), outputs_edited(model, edits):
        logits = model(rows(ids, samples), use_cache=False).logits
    return torch.softmax(logits[1:, -1], dim=1).mean(dim=0)[answer_id]


def collect_embedding_std(model, tokenizer, subjects):
    """One number for all entries of the subjects' token embeddings, each encoded by itself."""
    ids = [id for subject in subjects for id in tokenizer.encode(subject, add_special_tokens=False)]
    with torch.no_grad():
        return model.transformer.wte(torch.tensor(ids)).std().item()


def find_token_range(pieces, subject):
    """The tokens that hold the subject's first occurrence. Needs tokens that are whole characters."""
    text = "".join(pieces)
    first = text.index(subject)
    last = first + len(subject)
    begin = end = None
    position = 0
    for index, piece in enumerate(pieces):
        position += len(piece)
        if begin is None and position > first:
            begin = index
        if end is None and position >= last:
            end = index + 1
    return begin, end


def layer_name(layer, kind=None):
    """The name of a block, or of the module inside it."""
    return f"transformer.h.{layer}" + (f".{kind}" if kind else "")


def rows(ids, samples):
    """The prompt once for the clean run and once per sample. `[1 + samples, pos]`"""
    return torch.tensor([ids] * (1 + samples))


@contextmanager
def outputs_edited(model, edits):
    """While it lasts, each named module's output goes through its function, which changes it in place."""

    def hook_for(edit):
        def hook(_module, _inputs, output):
            # Attention and, in some versions, blocks return more than the state.
            edit(output[0] if isinstance(output, tuple) else output)

        return hook

    handles = [
        model.get_submodule(name).register_forward_hook(hook_for(edit)) for name, edit in edits.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_noise():
    """Numpy's legacy generator gives the numbers that every ROME map rests on."""
    first = [
        1.6243453636632417, -0.61175641365007538, -0.5281717522634557,
        -1.0729686221561705, 0.86540762932467852, -2.3015386968802827,
    ]
    assert numpy.random.RandomState(1).randn(6).tolist() == first
    flat = numpy.random.RandomState(1).randn(10, 3, 1280).ravel()
    known = {
        1279: 1.824818786589987, 1280: 0.41959523754955963,
        3840: -0.28009548633739917, -1: -0.15262197653156184,
    }
    assert {index: flat[index] for index in known} == known


if __name__ == "__main__":
    check_noise()
    print("The noise is ROME's.")
