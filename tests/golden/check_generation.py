"""`factscope generate` against Hugging Face's `generate` and its logits warpers."""

import torch
from checkpoint import readable_tokens
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

N_TOKENS = 24


def check_generate(program, reference):
    from compare_cli import PROMPTS, guarded

    for text, _ in PROMPTS:
        for bos in (False, True):
            what = f"generate {text!r}{' with BOS' if bos else ''}"
            yield from guarded(f"{what}, greedy", greedy_findings, program, reference, text, bos)
            for temperature, top_k, top_p in [(1.0, None, None), (0.7, 5, None), (1.3, None, 0.8), (0.9, 20, 0.5)]:
                yield from guarded(
                    f"{what}, {temperature} {top_k} {top_p}", sample_findings, program, reference, text,
                    bos, temperature, top_k, top_p,
                )
    yield from guarded("generate to the end of the context", context_findings, program, reference)


def greedy_findings(what, program, reference, text, bos):
    from compare_cli import LOGIT, PROBABILITY, close, exact, flag

    ids, _ = reference.encode(text, bos)
    end = reference.encode("", True)[0][0]
    with torch.no_grad():
        out = reference.hf.generate(
            torch.tensor([ids]), max_new_tokens=N_TOKENS, do_sample=False, eos_token_id=end,
            pad_token_id=end, attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        )[0].tolist()[len(ids):]
    found = program.json("generate", "--prompt", text, "--tokens", N_TOKENS, *flag(bos))
    written = found["written"]
    theirs = [it["id"] for it in written]
    yield exact(f"{what}: tokens", theirs, out)
    yield exact(f"{what}: stopped", found["stopped"], "end" if out[-1] == end else "length")
    yield exact(f"{what}: continuation", found["continuation"], readable_tokens(reference.tokenizers[0], out))
    logits = all_logits(reference, ids, theirs)
    at = torch.tensor(theirs)[:, None]
    yield close(f"{what}: logits", [it["logit"] for it in written], logits.gather(1, at)[:, 0], LOGIT)
    probs = torch.softmax(logits, dim=-1).gather(1, at)[:, 0]
    yield close(f"{what}: probs", [it["prob"] for it in written], probs, PROBABILITY)


def all_logits(reference, ids, written):
    """What each token was chosen from, by one pass over the whole text. `[written, vocab]`"""
    with torch.no_grad():
        logits = reference.hf(torch.tensor([ids + written])).logits[0]
    return logits[len(ids) - 1: len(ids) + len(written) - 1]


def sample_findings(what, program, reference, text, bos, temperature, top_k, top_p):
    from compare_cli import PROBABILITY, close, exact, flag

    ids, _ = reference.encode(text, bos)
    how = ["--temperature", temperature, "--seed", 5]
    how += ["--top-k", top_k] if top_k else []
    how += ["--top-p", top_p] if top_p else []
    ask = lambda: program.json("generate", "--prompt", text, "--tokens", N_TOKENS, *how, *flag(bos))
    found = ask()
    yield exact(f"{what}: the same again", ask(), found)
    written = found["written"]
    theirs = [it["id"] for it in written]
    scores = all_logits(reference, ids, theirs).clone()
    scores = TemperatureLogitsWarper(temperature)(None, scores)
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p:
        scores = TopPLogitsWarper(top_p)(None, scores)
    drawn_with = torch.softmax(scores, dim=-1).gather(1, torch.tensor(theirs)[:, None])[:, 0]
    yield close(f"{what}: drawn with", [it["drawn_with"] for it in written], drawn_with, PROBABILITY)
    n_candidates = (scores > -torch.inf).sum(dim=-1).tolist()
    # A cumulated probability may be at the bound itself.
    most = max(abs(a - it["n_candidates"]) for a, it in zip(n_candidates, written))
    yield close(f"{what}: candidates", [most], [0], 1 if top_p else 0)


def context_findings(what, program, reference):
    from compare_cli import exact

    n_ctx = reference.hf.config.n_positions
    text = "Paris is the capital of"
    ids, _ = reference.encode(text)
    found = program.json("generate", "--prompt", text, "--tokens", 10 * n_ctx, "--ignore-end")
    # The last one is written, and not read.
    yield exact(f"{what}: tokens", len(found["written"]), n_ctx - len(ids) + 1)
    yield exact(f"{what}: stopped", found["stopped"], "context")
    ids = ids + [it["id"] for it in found["written"]]
    yield exact(f"{what}: last", ids[-1], int(reference.logits(ids[:-1]).argmax()))
