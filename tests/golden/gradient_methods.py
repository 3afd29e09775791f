"""AtP*, EAP and EAP-IG on a TransformerLens model, with PyTorch's own gradients and hooks.

Written from the papers: Kramár et al. 2024 (AtP*), Syed et al. 2023 (EAP), Hanna et al. 2024 (EAP-IG;
its published code is followed in the steps that the gradient is averaged over). Everything is done the
slow way: a softmax for each key that is replaced, a backward pass for each layer that is dropped, and
a copy of the residual stream for each head that reads it.
"""

import torch

import hooked


def leaf_hook(store, name):
    """Keeps an activation, whose gradient is wanted."""
    def hook(activation, hook):
        # A copy: in TransformerLens 4 what an MLP reads is the residual stream itself, which goes past it too.
        activation = activation.clone()
        store.setdefault(name, activation)
        return activation

    return name, hook


def hooks_between(changed):
    """Hooks that overwrite the embeddings, if they are given."""
    if changed is None:
        return []

    def put(activation, hook):
        return changed

    return [("hook_embed", put)]


def gradients(model, ids, target, names, embed=None, dropped=None):
    """The reading, and its gradient at each hook. What layer `dropped` adds carries none.

    `ids`: the answer's tokens appended, `n_read` places at their end.
    """
    kept = {}
    hooks = hooks_between(embed) + [leaf_hook(kept, name) for name in names]
    if dropped is not None:
        block = f"blocks.{dropped}"
        hooks += [(f"{block}.hook_{out}", lambda x, hook: x.detach()) for out in ("attn_out", "mlp_out")]
    with torch.enable_grad():
        logits = model.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)
        reading = target.read(logits[:, len(ids) - len(target.answer_ids) :])
        found = torch.autograd.grad(
            reading.sum(), [kept[name] for name in names], allow_unused=True, materialize_grads=True
        )
    return reading.item(), dict(zip(names, found))


def atp_star(model, ids, corrupted_caches, target):
    """By node: plain AtP, AtP with the softmax computed anew, and AtP*'s c. `[pos, layer, head]`, for
    MLPs `[layer, pos]`; means over the corrupted runs."""
    n_layers = model.cfg.n_layers
    all_ids = ids + target.answer_ids[:-1]
    _, clean = hooked.run_with_cache(model, all_ids)
    parts = {"q": "attn.hook_q", "k": "attn.hook_k", "v": "attn.hook_v", "z": "attn.hook_z"}
    names = [f"blocks.{layer}.{part}" for layer in range(n_layers)
             for part in (*parts.values(), "hook_mlp_out", "attn.hook_pattern")]
    reading, whole = gradients(model, all_ids, target, names)
    dropped = [gradients(model, all_ids, target, names, dropped=layer)[1] for layer in range(n_layers)]

    def estimate(node, layer, corrupted, gradient, is_fixed):
        name = f"blocks.{layer}.{'hook_mlp_out' if node == 'mlp_out' else parts[node]}"
        change = corrupted[name] - clean[name]
        if not (is_fixed and node in "qk"):
            return (change * gradient[name]).sum(-1)[0]
        block = f"blocks.{layer}.attn."
        q, k = clean[block + "hook_q"][0], clean[block + "hook_k"][0]
        pattern, d_pattern = clean[block + "hook_pattern"][0], gradient[block + "hook_pattern"][0]
        changed = corrupted[name][0]
        n_pos, n_heads, d_head = q.shape
        hidden = torch.ones(n_pos, n_pos).triu(1).bool()
        effect = torch.zeros(n_pos, n_heads, dtype=torch.float64)
        for head in range(n_heads):
            scores = (q[:, head] @ k[:, head].T).double() / d_head**0.5
            if node == "q":
                scores = (changed[:, head] @ k[:, head].T).double() / d_head**0.5
                moved = scores.masked_fill(hidden, -torch.inf).softmax(-1) - pattern[head]
                effect[:, head] = (moved * d_pattern[head]).sum(-1)
                continue
            for pos in range(n_pos):
                one = scores.clone()
                one[:, pos] = (q[:, head] @ changed[pos, head]).double() / d_head**0.5
                moved = one.masked_fill(hidden, -torch.inf).softmax(-1) - pattern[head]
                effect[pos, head] = (moved * d_pattern[head]).sum()
        return effect

    found = {}
    # The probability is estimated through its logarithm: the same slope at one point.
    for node in (*parts, "mlp_out"):
        per_layer = []
        for layer in range(n_layers):
            runs = []
            for corrupted in corrupted_caches:
                plain = estimate(node, layer, corrupted, whole, False)
                fixed = estimate(node, layer, corrupted, whole, True)
                sizes = sum(estimate(node, layer, corrupted, it, True).abs() for it in dropped)
                runs.append(torch.stack([plain.double(), fixed.double(), sizes.double() / (n_layers - 1)]))
            per_layer.append(torch.stack(runs).mean(0)[:, : len(ids)])
        # [layer, 3, pos(, head)]
        found[node] = torch.stack(per_layer)
    names = ("atp", "atp_fixed", "atp_star")
    return {
        name: {
            node: maps[:, nth] if node == "mlp_out" else maps[:, nth].transpose(0, 1)
            for node, maps in found.items()
        }
        for nth, name in enumerate(names)
    } | {"reading": reading}


def patched_reading(model, ids, target, edits):
    """The reading with hooks that change activations in place."""
    def hook_for(edit):
        def hook(activation, hook):
            activation = activation.clone()
            edit(activation)
            return activation

        return hook

    hooks = [(name, hook_for(edit)) for name, edit in edits.items()]
    with torch.no_grad():
        logits = model.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)
    return target.read(logits[:, len(ids) - len(target.answer_ids) :]).item()


def senders(model):
    """In the order in which they write."""
    for layer in range(-1, model.cfg.n_layers):
        if layer < 0:
            yield "embed", -1, None
        else:
            for head in range(model.cfg.n_heads):
                yield f"L{layer}H{head}", layer, head
            yield f"MLP{layer}", layer, None


def written(model, cache, name, layer, head):
    """What a part adds to the residual stream. `[pos, d_model]`"""
    if name == "embed":
        return cache["hook_embed"][0]
    if head is None:
        return cache[f"blocks.{layer}.hook_mlp_out"][0]
    return cache[f"blocks.{layer}.attn.hook_z"][0, :, head] @ model.W_O[layer, head]


def receivers(model):
    """Name, the hook of its input before the layer norm, and its head."""
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            for input in "qkv":
                yield f"L{layer}H{head}.{input}", f"blocks.{layer}.hook_{input}_input", layer, head
        yield f"MLP{layer}", f"blocks.{layer}.hook_mlp_in", layer, None
    last = model.cfg.n_layers - 1
    yield "logits", f"blocks.{last}.hook_resid_post", model.cfg.n_layers, None


def is_edge(sender_layer, sender_head, receiver, layer):
    """Whether what a sender writes is there when a receiver reads."""
    if receiver.startswith("MLP") and sender_head is not None:
        return sender_layer <= layer
    return sender_layer < layer


def edge_scores(model, ids, corrupted_caches, target, n_steps):
    """EAP for no steps, EAP-IG for some: the score of every edge, by its two names."""
    all_ids = ids + target.answer_ids[:-1]
    _, clean = hooked.run_with_cache(model, all_ids)
    for setting in (model.set_use_split_qkv_input, model.set_use_hook_mlp_in):
        setting(True)
    try:
        scores = {}
        names = sorted({hook for _, hook, _, _ in receivers(model)})
        for corrupted in corrupted_caches:
            start, end = corrupted["hook_embed"], clean["hook_embed"]
            points = [end] if n_steps is None else [
                start + step / n_steps * (end - start) for step in range(n_steps)
            ]
            found = [gradients(model, all_ids, target, names, embed=point)[1] for point in points]
            mean = {name: sum(it[name][0] for it in found) / len(found) for name in names}
            for sender, sender_layer, sender_head in senders(model):
                change = written(model, corrupted, sender, sender_layer, sender_head)
                change = change - written(model, clean, sender, sender_layer, sender_head)
                for receiver, hook, layer, head in receivers(model):
                    if not is_edge(sender_layer, sender_head, receiver, layer):
                        continue
                    gradient = mean[hook] if head is None else mean[hook][:, head]
                    score = (change * gradient).sum().item() / len(corrupted_caches)
                    scores[sender, receiver] = scores.get((sender, receiver), 0.0) + score
        return scores
    finally:
        for setting in (model.set_use_split_qkv_input, model.set_use_hook_mlp_in):
            setting(False)


def patched_edge(model, ids, corrupted, target, edge):
    """The reading when one receiver alone is given what one sender would write."""
    all_ids = ids + target.answer_ids[:-1]
    _, clean = hooked.run_with_cache(model, all_ids)
    (sender, layer, head), = [it for it in senders(model) if it[0] == edge[0]]
    (_, hook, _, reader), = [it for it in receivers(model) if it[0] == edge[1]]
    change = written(model, corrupted, sender, layer, head) - written(model, clean, sender, layer, head)

    def edit(activation):
        if reader is None:
            activation[0] += change
        else:
            activation[0, :, reader] += change

    for setting in (model.set_use_split_qkv_input, model.set_use_hook_mlp_in):
        setting(True)
    try:
        return patched_reading(model, all_ids, target, {hook: edit})
    finally:
        for setting in (model.set_use_split_qkv_input, model.set_use_hook_mlp_in):
            setting(False)


def path_patched_logits(model, ids, donor_ids, pairs, receivers, positions, is_frozen):
    """Wang et al. 2022, appendix B, with hooks: logits of the last position by sender, for those that
    reach a receiver. `receivers` are names."""
    _, clean = hooked.run_with_cache(model, ids)
    _, donor = hooked.run_with_cache(model, donor_ids)
    n_layers = model.cfg.n_layers

    def place(receiver):
        """The hook of what it makes of its input, its layer, and its head."""
        if receiver == "logits":
            return f"blocks.{n_layers - 1}.hook_resid_post", n_layers, None
        if receiver.startswith("MLP"):
            layer = int(receiver[3:])
            return f"blocks.{layer}.ln2.hook_normalized", layer, None
        head, input = receiver.split(".")
        layer, head = map(int, head[1:].split("H"))
        return f"blocks.{layer}.attn.hook_{input}", layer, head

    found = {}
    for sender, layer, head in senders(model):
        reached = [it for it in receivers if is_edge(layer, head, it, place(it)[1])]
        if sender == "embed" or not reached:
            continue
        sender_hook = f"blocks.{layer}.hook_mlp_out" if head is None else f"blocks.{layer}.attn.hook_z"

        # All heads as they were, one sender as in the donor's run; what receivers make of it is kept.
        def freeze(activation, hook):
            activation = clean[hook.name].clone()
            if hook.name == sender_hook:
                for source, target in pairs:
                    if head is None:
                        activation[:, target] = donor[hook.name][:, source]
                    else:
                        activation[:, target, head] = donor[hook.name][:, source, head]
            return activation

        def send(activation, hook):
            if is_frozen or hook.name == sender_hook:
                return freeze(activation, hook)
            return activation

        kept = {}

        def keep(activation, hook):
            kept[hook.name] = activation.clone()
            return activation

        hooks = [(f"blocks.{it}.attn.hook_z", freeze) for it in range(n_layers)]
        hooks += [(f"blocks.{it}.hook_mlp_out", send) for it in range(n_layers)]
        hooks += [(place(it)[0], keep) for it in reached]
        with torch.no_grad():
            logits = model.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)[0, -1]
        if receivers == ["logits"]:
            found[sender] = logits
            continue

        def edit_for(name):
            def edit(activation):
                for receiver in reached:
                    hook, _, reader = place(receiver)
                    if hook == name and reader is None:
                        activation[:, positions] = kept[name][:, positions]
                    elif hook == name:
                        activation[:, positions, reader] = kept[name][:, positions, reader]

            return edit

        edits = {place(it)[0]: edit_for(place(it)[0]) for it in reached}
        found[sender] = hooked.run_with_hooks(model, ids, edits)
    return found
