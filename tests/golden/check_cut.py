"""`factscope cut` against a Hugging Face model whose attention is masked by hooks, head by head."""

import torch

import geva

N_TOP = 5


def check_cut(program, reference):
    from compare_cli import PROMPTS, guarded

    for text, _ in PROMPTS:
        for bos in (False, True):
            ids, _ = reference.encode(text, bos)
            last, n_layers = len(ids) - 1, reference.hf.config.n_layer
            n_heads = reference.hf.config.n_head
            middle = last // 2
            cases = [
                ("one edge", [(last, 0)], (0, n_layers), None),
                ("some edges in one layer", [(last, 1), (last, last), (middle, 0)], (1, 2), None),
                ("many edges from layer 1 on", [(q, k) for q in range(2, last + 1) for k in (0, 1)],
                 (1, n_layers), None),
                ("one head", [(last, 0), (last, 1)], (0, n_layers), [n_heads - 1]),
                ("no edge", [], (0, n_layers), None),
            ]
            for name, edges, layers, heads in cases:
                what = f"cut {name}, {text!r}{' with BOS' if bos else ''}"
                yield from guarded(
                    what, cut_findings, program, reference, text, ids, bos, edges, layers, heads
                )


def cut_findings(what, program, reference, text, ids, bos, edges, layers, heads):
    from compare_cli import ANSWER, FOIL, LOGIT, PROBABILITY, close, exact, flag

    model = reference.hf
    answer, foil = (reference.encode(it)[0][0] for it in (ANSWER, FOIL))
    clean = logits(model, ids)
    n_heads, n_pos = model.config.n_head, len(ids)
    sees = torch.tril(torch.ones(n_pos, n_pos)).repeat(n_heads, 1, 1)
    for query, key in edges:
        for head in range(n_heads) if heads is None else heads:
            sees[head, query, key] = 0
    mask = (1 - sees) * torch.finfo(torch.float32).min
    with geva.attention_masked(model, range(*layers), mask[None]):
        cut = logits(model, ids)
    args = [it for query, key in edges for it in ("--edge", f"{query}:{key}")]
    args += [it for head in heads or [] for it in ("--head", head)]
    found = program.json(
        "cut", "--prompt", text, "--answer", ANSWER, "--foil", FOIL, *args,
        "--layers", f"{layers[0]}..{layers[1]}", "--top", N_TOP, *flag(bos),
    )
    for name, expected in (("clean", clean), ("cut", cut)):
        mine, log_probs = found[name], torch.log_softmax(expected, dim=0)
        yield close(f"{what}: {name} p", mine["answer"]["prob"], log_probs[answer].exp(), PROBABILITY)
        yield close(f"{what}: {name} log p", mine["answer"]["log_prob"], log_probs[answer], LOGIT)
        yield close(
            f"{what}: {name} logit difference", mine["answer"]["logit_diff"],
            expected[answer] - expected[foil], LOGIT,
        )
        yield exact(f"{what}: {name} rank", mine["answer"]["rank"], int((expected > expected[answer]).sum()))
        top = expected.topk(N_TOP).indices
        yield exact(f"{what}: {name} top", [it["id"] for it in mine["top"]], top.tolist())
        probs = log_probs[top].exp()
        yield close(f"{what}: {name} top p", [it["prob"] for it in mine["top"]], probs, PROBABILITY)
    before, after = torch.log_softmax(clean, dim=0), torch.log_softmax(cut, dim=0)
    divergence = (before.exp() * (before - after)).sum()
    yield close(f"{what}: KL", found["cut"]["answer"]["kl"], divergence, LOGIT)


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0, -1]
