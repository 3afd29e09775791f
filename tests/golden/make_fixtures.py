"""Write the small checkpoints of tests/fixtures and the numbers that they give elsewhere.

Same seeds, same weights; the numbers may differ in the last digit from machine to machine.
The reference is Hugging Face for logits, TransformerLens for activations, interventions and
attributions, ablations, rome.py for traces, geva.py for attention knockout, and PyTorch's gradients for
estimates of traces. Each is checked against the others before anything is written.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

# Nothing here needs the hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import torch
from transformers import GPT2LMHeadModel
from transformers.utils import logging

import attribution_patching
import geva
import hooked
import rome
from checkpoint import (
    Layout, Sizes, encode, read_merges, read_tokenizers, tokens_overlapping, write_checkpoint, write_json,
)

ROOT = Path(__file__).resolve().parents[2]
N_MERGES = 400
N_SAMPLES = 4
SEED = 1
NOISE_SUBJECTS = ["Paris", "The Seine", "Antonín Dvořák", "Marie Curie", "Rome", "Windows 95"]


@dataclass
class Prompt:
    text: str
    subject: str
    # Which occurrence of the subject is meant.
    occurrence: int = 0

    def subject_bytes(self):
        start = -1
        for _ in range(self.occurrence + 1):
            start = self.text.index(self.subject, start + 1)
        begin = len(self.text[:start].encode())
        return [begin, begin + len(self.subject.encode())]


PARIS = Prompt("Paris is the capital of", "Paris")
ROME_TWICE = Prompt("Rome is not like Rome in", "Rome", occurrence=1)
DVORAK = Prompt("The café of Dvořák is in", "Dvořák")
WINDOWS = Prompt("  Windows 95 was made by 東京's\nown 🙂", "Windows 95")
SHORT = Prompt("The Seine is in", "The Seine")
# As many tokens as PARIS.
LIMA = Prompt("Lima is the capital of", "Lima")


@dataclass
class Fixture:
    name: str
    sizes: Sizes
    layout: Layout
    seed: int
    prompts: list
    # What is traced.
    traces: list


FIXTURES = [
    Fixture(
        name="tiny",
        sizes=Sizes(n_layer=4, n_head=4, n_embd=32, n_positions=64),
        layout=Layout(dtype="f32", prefix=False, tied=True, tokenizer="json", masks=True),
        seed=5,
        prompts=[PARIS, ROME_TWICE, DVORAK, WINDOWS, SHORT],
        traces=[PARIS, ROME_TWICE, DVORAK],
    ),
    Fixture(
        name="tiny-sharded",
        sizes=Sizes(n_layer=3, n_head=2, n_embd=24, n_positions=48),
        layout=Layout(dtype="f16", prefix=True, tied=False, sharded=True, tokenizer="vocab"),
        seed=5,
        prompts=[PARIS, ROME_TWICE, DVORAK],
        traces=[ROME_TWICE],
    ),
    Fixture(
        name="tiny-bf16",
        sizes=Sizes(n_layer=2, n_head=2, n_embd=16, n_positions=32),
        layout=Layout(dtype="bf16", prefix=True, tied=True, tokenizer="pairs"),
        seed=2,
        prompts=[PARIS, ROME_TWICE, DVORAK],
        traces=[],
    ),
]


@dataclass
class Models:
    """One checkpoint in every library."""

    hf: GPT2LMHeadModel
    raw: object
    processed: object
    tokenizers: list

    def encode(self, prompt, bos):
        return encode(self.tokenizers, prompt.text, bos)

    def subject_range(self, prompt, ids, bos):
        return list(tokens_overlapping(self.tokenizers[0], ids, int(bos), prompt.subject_bytes()))

    def hf_logits(self, ids):
        with torch.no_grad():
            return self.hf(torch.tensor([ids])).logits[0, -1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--merges",
        type=Path,
        default=ROOT / "assets/gpt2-bpe/merges.txt",
        help="GPT-2's merges, of which the first 400 are used",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "tests/fixtures")
    options = parser.parse_args()
    # More threads than one only slow models of this size down.
    torch.set_num_threads(1)
    logging.disable_progress_bar()

    rome.check_noise()
    merges = read_merges(options.merges, N_MERGES)
    assert len(merges) == N_MERGES
    for fixture in FIXTURES:
        write_fixture(options.out / fixture.name, merges, fixture)
    write_noise(options.out / "noise")


def write_noise(folder):
    """Noise as numpy saves it: ROME's for a subject of three tokens, and other."""
    folder.mkdir(exist_ok=True)
    shape = (3, 3, 32)
    numpy.save(folder / "rome.npy", 1.5 * numpy.random.RandomState(1).randn(*shape))
    other = numpy.random.RandomState(2).laplace(size=shape).astype("float32")
    numpy.savez_compressed(folder / "other.npz", seeds=numpy.arange(3), noise=other)
    numpy.savez(folder / "plain.npz", anything=other)


def write_fixture(folder, merges, fixture):
    hf = write_checkpoint(folder, merges, fixture.sizes, fixture.layout, fixture.seed)
    check_loading(folder, hf)
    models = Models(hf, hooked.raw_model(hf), hooked.processed_model(hf), read_tokenizers(folder))
    assert len(models.tokenizers[0]) == hf.config.vocab_size == 256 + N_MERGES + 1

    golden = {
        "prompts": [prompt_case(models, p, bos) for p in fixture.prompts for bos in (False, True)],
        "attribution": attribution_cases(models, fixture),
        "lens": [lens_case(models, p, bos) for p in fixture.prompts[:2] for bos in (False, True)],
        "traces": [case for p in fixture.traces for case in trace_cases(models, fixture, p)],
        "estimates": [case for p in fixture.traces[:1] for case in estimate_cases(models, p)],
        "gradients": [case for p in fixture.traces[:1] for case in gradient_cases(models, p)],
    }
    if fixture.name == "tiny":
        golden["sites"] = site_case(models, SHORT)
        golden["interventions"] = intervention_cases(models)
        golden["ablations"] = ablation_cases(models)
        golden["knockouts"] = knockout_cases(models)
    write_json(folder / "golden.json", golden)
    sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    print(f"{fixture.name}: {sum(sizes.values())} bytes {sizes}")


def check_loading(folder, hf):
    """Hugging Face reads the files as the model that was written."""
    loaded = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
    expected = hf.state_dict()
    found = loaded.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    tied = loaded.lm_head.weight is loaded.transformer.wte.weight
    assert tied == hf.config.tie_word_embeddings


def prompt_case(models, prompt, bos):
    ids, tokens = models.encode(prompt, bos)
    logits = models.hf_logits(ids)
    check_libraries_agree(models, ids, logits)
    assert 0.05 < torch.softmax(logits, dim=-1).max() < 0.8
    return {
        "text": prompt.text,
        "bos": bos,
        "ids": ids,
        "tokens": tokens,
        "subject": prompt.subject,
        "subject_bytes": prompt.subject_bytes(),
        "subject_range": models.subject_range(prompt, ids, bos),
        "hf_logits_last": floats(logits),
        "top": torch.topk(logits, 5).indices.tolist(),
    }


def check_libraries_agree(models, ids, hf_logits):
    raw, _ = hooked.run_with_cache(models.raw, ids)
    processed, _ = hooked.run_with_cache(models.processed, ids)
    assert (raw - hf_logits).abs().max() < 1e-4
    # Processing shifts all logits of a position by one number.
    log_probs = [torch.log_softmax(logits, dim=-1) for logits in (processed, hf_logits)]
    assert (log_probs[0] - log_probs[1]).abs().max() < 1e-4


def site_case(models, prompt):
    """Activations of the unprocessed model, of the first and the last layer."""
    ids, tokens = models.encode(prompt, bos=False)
    assert len(ids) <= 9
    _, cache = hooked.run_with_cache(models.raw, ids)
    last = models.raw.cfg.n_layers - 1
    in_block = [
        "hook_resid_pre", "ln1.hook_scale", "ln1.hook_normalized",
        "attn.hook_q", "attn.hook_k", "attn.hook_v",
        "attn.hook_attn_scores", "attn.hook_pattern", "attn.hook_z",
        "hook_attn_out", "hook_resid_mid", "ln2.hook_scale", "ln2.hook_normalized",
        "mlp.hook_pre", "mlp.hook_post", "hook_mlp_out", "hook_resid_post",
    ]
    names = [
        "hook_embed", "hook_pos_embed",
        *(f"blocks.{layer}.{name}" for layer in (0, last) for name in in_block),
        "ln_final.hook_scale", "ln_final.hook_normalized",
    ]
    sites = {name: {"shape": list(cache[name].shape), "values": floats(cache[name])} for name in names}
    return {"text": prompt.text, "bos": False, "ids": ids, "tokens": tokens, "sites": sites}


def attribution_cases(models, fixture):
    first, second = fixture.prompts[:2]
    cases = [
        (first, False, False, "layers"), (first, False, False, "heads"),
        (first, False, True, "layers"), (second, False, True, "heads"),
        (second, True, True, "layers"), (second, True, False, "heads"),
    ]
    return [attribution_case(models, *case) for case in cases]


def attribution_case(models, prompt, bos, has_foil, by):
    ids, _ = models.encode(prompt, bos)
    logits = models.hf_logits(ids)
    # The foil is the third choice.
    answer_id, _, foil_id = torch.topk(logits, 3).indices.tolist()
    if not has_foil:
        foil_id = None
    result = hooked.attribution(models.processed, ids, answer_id, foil_id, by)
    if has_foil:
        assert abs(result["logit"] - (logits[answer_id] - logits[foil_id])) < 1e-4
    return {
        "text": prompt.text,
        "bos": bos,
        "ids": ids,
        "answer_id": answer_id,
        "foil_id": foil_id,
        "by": by,
        "labels": result["labels"],
        "values": floats(result["values"]),
        "bias": single(result["bias"]),
        "logit": single(result["logit"]),
    }


def lens_case(models, prompt, bos):
    ids, _ = models.encode(prompt, bos)
    logits, cache = hooked.run_with_cache(models.raw, ids)
    answer_id = int(logits.argmax())
    embeddings, *layers = hooked.lens_probs(models.raw, cache)[:, -1]
    assert (layers[-1] - torch.softmax(logits, dim=-1)).abs().max() < 1e-6

    def row(probs):
        return {
            "top_id": int(probs.argmax()),
            "top_prob": single(probs.max()),
            "answer_prob": single(probs[answer_id]),
        }

    return {
        "text": prompt.text,
        "bos": bos,
        "ids": ids,
        "answer_id": answer_id,
        "embeddings": row(embeddings),
        "layers": [row(probs) for probs in layers],
    }


def trace_cases(models, fixture, prompt):
    """Without BOS, every kind of map; with BOS, one of each kind; at last an answer that is wrong."""
    likeliest = None
    ids, _ = models.encode(prompt, bos=False)
    second = torch.topk(models.hf_logits(ids), 2).indices[1].item()
    cases = [
        (False, None, 10, likeliest),
        (False, "mlp", 10, likeliest), (False, "mlp", 3, likeliest),
        (False, "attn", 10, likeliest), (False, "attn", 2, likeliest),
        (True, None, 10, likeliest), (True, "mlp", 3, likeliest), (True, "attn", 10, likeliest),
        (False, None, 10, second),
    ]
    traces = [trace_case(models, prompt, *case) for case in cases]
    if fixture.name == "tiny":
        # Severed paths and the other direction; the last combines them with a window.
        variants = [
            (False, None, "mlp", "denoise"), (False, None, "attn", "denoise"),
            (True, None, "mlp", "denoise"), (False, "attn", "mlp", "denoise"),
            (False, None, None, "noise"), (False, "mlp", None, "noise"),
            (False, "mlp", "attn", "noise"),
        ]
        traces += [
            trace_case(models, prompt, bos, kind, 2, likeliest, sever, direction)
            for bos, kind, sever, direction in variants
        ]
    return traces


def trace_case(models, prompt, bos, kind, window, answer_id, sever=None, direction="denoise"):
    ids, tokens = models.encode(prompt, bos)
    subject_range = models.subject_range(prompt, ids, bos)
    if prompt.text.isascii() and prompt.occurrence == 0:
        assert subject_range == list(rome.find_token_range(tokens, prompt.subject))
    embedding_std = rome.collect_embedding_std(models.hf, models.tokenizers[0], NOISE_SUBJECTS)
    # Both are double precision, as in ROME_TWICE: the standard deviation is f32, the product is not rounded.
    noise_std = 3 * embedding_std
    result = rome.calculate_hidden_flow(
        models.hf, ids, subject_range, answer_id, kind, window, N_SAMPLES, noise_std, SEED,
        sever, direction,
    )
    if direction == "denoise" and not sever:
        check_trace(result, subject_range, kind)
    else:
        assert result["scores"].max() - result["scores"].min() > 0.01, "nothing to be seen"
    variant = {"sever": sever, "direction": direction} if sever or direction != "denoise" else {}
    return variant | {
        "text": prompt.text,
        "bos": bos,
        "ids": ids,
        "subject": prompt.subject,
        "subject_bytes": prompt.subject_bytes(),
        "subject_range": subject_range,
        "kind": kind or "hidden",
        "window": window,
        "samples": N_SAMPLES,
        "seed": SEED,
        "noise_subjects": NOISE_SUBJECTS,
        "embedding_std": embedding_std,
        "noise_std": noise_std,
        "answer_id": result["answer_id"],
        "answer_is_likeliest": answer_id is None,
        "scores": [floats(row) for row in result["scores"]],
        "low_score": single(result["low_score"]),
        "high_score": single(result["high_score"]),
    }


def check_trace(result, subject_range, kind):
    """What must hold for any weights, and that the map has something to show."""
    scores, low, high = result["scores"], result["low_score"], result["high_score"]
    begin, _ = subject_range
    # Nothing before the subject was corrupted.
    assert (scores[:begin] - low).abs().max() < 1e-5 if begin else True
    if kind is None:
        # The last layer at an earlier token is read by nobody; at the last one it is the clean run.
        assert (scores[:-1, -1] - low).abs().max() < 1e-5
        assert abs(scores[-1, -1] - high) < 1e-5
    assert high > low and scores.max() - scores.min() > 0.01, "nothing to be seen"


def gradient_cases(models, prompt):
    """At every hook point of the first and the last layer, along the activation there: one number for
    each position and head."""
    in_between = tuple(f"blocks.{layer}." for layer in range(1, models.raw.cfg.n_layers - 1))
    ids, _ = models.encode(prompt, bos=False)
    # The first, second and third choice.
    answer_id, second, foil_id = torch.topk(models.hf_logits(ids), 3).indices.tolist()
    cases = []
    asked = [("log_prob", [answer_id]), ("logit_diff", [second]), ("answer_prob", [answer_id, second])]
    for metric, answer_ids in asked:
        target = attribution_patching.Target(metric, answer_ids, foil_id)
        found = attribution_patching.gradients_along_activations(models.raw, ids, target)
        cases.append({
            "ids": ids + answer_ids[:-1],
            "metric": metric,
            "answer_ids": answer_ids,
            "foil_id": foil_id,
            "along": {
                name: floats(values)
                for name, values in sorted(found.items()) if not name.startswith(in_between)
            },
        })
    return cases


def estimate_cases(models, prompt):
    """Every metric at both base points, every kind of map."""
    cases = [
        ("corrupted", "log_prob", None, 10), ("clean", "log_prob", None, 10),
        ("corrupted", "prob", None, 10), ("clean", "prob", "mlp", 1),
        ("corrupted", "prob", "mlp", 3), ("clean", "logit", "attn", 2),
        ("corrupted", "logit", "attn", 10), ("clean", "logit_diff", "mlp", 10),
        ("corrupted", "logit_diff", None, 10), ("clean", "answer_prob", "attn", 1),
        ("corrupted", "answer_prob", "mlp", 3),
    ]
    return [estimate_case(models, prompt, *case) for case in cases]


def estimate_case(models, prompt, base, metric, kind, window):
    ids, _ = models.encode(prompt, bos=False)
    subject_range = models.subject_range(prompt, ids, bos=False)
    answer_id, second, foil_id = torch.topk(models.hf_logits(ids), 3).indices.tolist()
    answer_ids = [answer_id, second] if metric == "answer_prob" else [answer_id]
    noise_std = 1.5
    target = attribution_patching.Target(metric, answer_ids, foil_id)

    def estimate(noise_std):
        return attribution_patching.attribution_patching(
            models.raw, ids, subject_range, target, base, kind, window, N_SAMPLES, noise_std, SEED
        )

    result = estimate(noise_std)
    check_estimate(models, ids, subject_range, target, kind, window, estimate)
    return {
        "text": prompt.text,
        "ids": ids,
        "subject_bytes": prompt.subject_bytes(),
        "base": base,
        "metric": metric,
        "kind": kind or "hidden",
        "window": window,
        "samples": N_SAMPLES,
        "seed": SEED,
        "noise_std": noise_std,
        "answer_ids": answer_ids,
        "foil_id": foil_id,
        "scores": [floats(row) for row in result["scores"]],
        # Those of the last token: a layer a row.
        "last_head_effects": [floats(row) for row in result["head_effects"][-1]],
        "low_score": single(result["low_score"]),
        "high_score": single(result["high_score"]),
    }


def check_estimate(models, ids, subject_range, target, kind, window, estimate):
    """With little noise, estimates are what ROME's procedure measures."""
    if target.metric != "prob" or (kind is not None and window > 1):
        return
    noise_std = 0.003
    found = estimate(noise_std)
    expected = rome.calculate_hidden_flow(
        models.hf, ids, subject_range, target.answer_ids[0], kind, window, N_SAMPLES, noise_std, SEED
    )
    change = (expected["scores"] - expected["low_score"]).abs().max()
    assert (found["scores"] - expected["scores"]).abs().max() < 0.1 * change


def intervention_cases(models):
    """One change each, as TransformerLens carries it out in the unprocessed model."""
    ids, _ = models.encode(PARIS, bos=False)
    last = len(ids) - 1
    zero, all_of_it = {"do": "zero"}, None
    donor_ids, _ = models.encode(LIMA, bos=False)
    assert len(donor_ids) == len(ids)
    copy = {"do": "copy", "donor_text": LIMA.text, "donor_ids": donor_ids, "donor_positions": [2, 3]}
    # Far below any score; infinity has no JSON.
    block = {"do": "set", "value": -1e30}
    cases = [
        ("blocks.1.attn.hook_z", all_of_it, [2, 3], all_of_it, zero),
        ("blocks.2.hook_mlp_out", [3, 4], all_of_it, all_of_it, zero),
        ("blocks.0.hook_attn_out", [1, 2], all_of_it, all_of_it, {"do": "set", "value": 0.5}),
        ("blocks.1.hook_resid_pre", all_of_it, all_of_it, all_of_it, {"do": "scale", "value": 0.5}),
        ("blocks.1.hook_resid_post", [4, 5], all_of_it, all_of_it, copy),
        ("blocks.2.attn.hook_pattern", [3, 4], [0, 1], all_of_it, zero),
        ("blocks.1.attn.hook_attn_scores", [last, last + 1], [1, 2], all_of_it, {"do": "scale", "value": 2}),
        # Attention knockout: the last position must not look at the subject's first two tokens.
        ("blocks.3.attn.hook_attn_scores", [last, last + 1], all_of_it, [0, 2], block),
        ("blocks.0.mlp.hook_post", all_of_it, all_of_it, [5, 40], zero),
        ("hook_embed", [0, 2], all_of_it, all_of_it, {"do": "scale", "value": -1}),
        ("ln_final.hook_scale", all_of_it, all_of_it, all_of_it, {"do": "scale", "value": 2}),
    ]
    return [intervention_case(models, PARIS, *case) for case in cases]


def intervention_case(models, prompt, hook, positions, heads, units, edit):
    """Ranges are `[begin, end)`; null is everything. Positions are queries where there are keys."""
    ids, _ = models.encode(prompt, bos=False)
    clean, cache = hooked.run_with_cache(models.raw, ids)
    span = [slice(None) if range is None else slice(*range) for range in (positions, heads, units)]
    if cache[hook].ndim == 3:
        index = (slice(None), span[0], span[2])
    elif hook.endswith(("attn_scores", "pattern")):
        index = (slice(None), span[1], span[0], span[2])
    else:
        index = (slice(None), span[0], span[1], span[2])

    # Run before the hook is in place, or the donor would be changed too.
    donor = hooked.run_with_cache(models.raw, edit["donor_ids"])[1] if edit["do"] == "copy" else None

    def change(activation):
        if edit["do"] == "zero":
            activation[index] = 0
        elif edit["do"] == "set":
            activation[index] = edit["value"]
        elif edit["do"] == "scale":
            activation[index] *= edit["value"]
        else:
            activation[index] = donor[hook][:, slice(*edit["donor_positions"])]

    logits = hooked.run_with_hook(models.raw, ids, hook, change)
    assert (logits - clean).abs().max() > 0.01, f"{hook} changes nothing to be seen"
    return {
        "text": prompt.text,
        "bos": False,
        "ids": ids,
        "site": hook,
        "positions": positions,
        "heads": heads,
        "units": units,
        "edit": edit,
        "logits_last": floats(logits),
    }


MEAN_PROMPTS = [ROME_TWICE, DVORAK, WINDOWS, SHORT]


def ablation_cases(models):
    """As the program's spec says them; computed with TransformerLens' hooks."""
    resample = {"resample": {"ids": models.encode(LIMA, bos=False)[0]}}
    mean = {"mean": {"prompts": [models.encode(prompt, bos=False)[0] for prompt in MEAN_PROMPTS]}}
    between = {"only": {"start": 1, "end": 4}}
    cases = [
        ("heads", "all", "zero"), ("heads", "last", "zero"), ("heads", "all", mean),
        ("heads", "subject", resample), ("attn", "all", "zero"), ("attn", between, mean),
        ("mlp", "subject", "zero"), ("mlp", "all", mean), ("mlp", "non-subject", resample),
        ("layers", "last", "zero"), ("layers", "all", mean), ("layers", between, resample),
    ]
    return [ablation_case(models, PARIS, *case) for case in cases]


def ablation_case(models, prompt, part, positions, replacement):
    ids, _ = models.encode(prompt, bos=False)
    clean, _ = hooked.run_with_cache(models.raw, ids)
    answer_id = int(clean.argmax())
    begin, end = models.subject_range(prompt, ids, bos=False)
    last = len(ids) - 1
    chosen = {
        "all": list(range(len(ids))),
        "subject": list(range(begin, end)),
        "non-subject": [pos for pos in range(last) if not begin <= pos < end],
        "last": [last],
    }
    at = list(range(*positions["only"].values())) if isinstance(positions, dict) else chosen[positions]
    if replacement == "zero":
        new = "zero"
    elif "mean" in replacement:
        new = hooked.mean_activations(models.raw, replacement["mean"]["prompts"], len(ids))
    else:
        new = hooked.run_with_cache(models.raw, replacement["resample"]["ids"])[1]
    logits = hooked.ablated_logits(models.raw, ids, part, at, new)
    probs = torch.softmax(logits, dim=-1)[..., answer_id]
    clean_prob = torch.softmax(clean, dim=-1)[answer_id]
    assert (probs - clean_prob).abs().max() > 0.01, f"{part} at {positions}: nothing to be seen"
    return {
        "text": prompt.text,
        "ids": ids,
        "subject_bytes": prompt.subject_bytes(),
        "answer_id": answer_id,
        "spec": {"part": part, "positions": positions, "replacement": replacement},
        "clean_prob": single(clean_prob),
        "probs": [floats(row) for row in probs],
        "logits": [floats(row) for row in logits[..., answer_id]],
    }


def knockout_cases(models):
    cases = [
        (PARIS, False, 1), (PARIS, True, 3), (ROME_TWICE, False, 1), (ROME_TWICE, False, 2),
        (DVORAK, False, 3), (DVORAK, True, 9),
    ]
    return [knockout_case(models, *case) for case in cases]


def knockout_case(models, prompt, bos, window):
    """The paper's three sets of edges, and one between spans."""
    ids, _ = models.encode(prompt, bos)
    subject_range = models.subject_range(prompt, ids, bos)
    edges = geva.edges_to_last(len(ids), subject_range)
    named = [({"from": name, "to": "last"}, edges[name]) for name in ("subject", "non-subject", "last")]
    span = [({"from": spec_span(1, 3), "to": spec_span(3, len(ids))}, ([1, 2], list(range(3, len(ids)))))]
    result = geva.knockout_scores(models.hf, ids, [cut for _, cut in named + span], window)
    scores = result["scores"]
    assert scores.max() - scores.min() > 0.01, "nothing to be seen"
    # A mask that hides nothing is the model's own.
    nothing_cut = geva.trace_with_attn_block(models.hf, ids, range(models.raw.cfg.n_layers), [], [])
    assert abs(nothing_cut[result["answer_id"]] - result["base_score"]) < 1e-6
    return {
        "text": prompt.text,
        "bos": bos,
        "ids": ids,
        "subject_bytes": prompt.subject_bytes(),
        "answer_id": result["answer_id"],
        "spec": {"edges": [edges for edges, _ in named + span], "window": window},
        "base_score": single(result["base_score"]),
        "scores": [floats(row) for row in scores],
    }


def spec_span(begin, end):
    return {"only": {"start": begin, "end": end}}


def floats(tensor):
    """All entries in order, each the shortest number that reads back as the same f32."""
    return [single(value) for value in tensor.detach().numpy().ravel()]


def single(value):
    """The shortest number that reads back as the same f32; null for an infinity."""
    value = numpy.float32(value)
    return float(str(value)) if numpy.isfinite(value) else None


if __name__ == "__main__":
    main()
