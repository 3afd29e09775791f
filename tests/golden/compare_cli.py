"""Compare the built program with Hugging Face, TransformerLens and ROME on a fresh random checkpoint.

Writes a checkpoint whose weights, and unless told otherwise its layout, follow from the seed; runs
the program's commands on it; prints the largest difference of each; fails if one is above its
tolerance: 1e-3 for logits and attributions, 1e-5 for probabilities, 1e-4 of the largest effect for
estimates from gradients, nothing for tokens.
"""

import argparse
import os
import random
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Nothing here needs the hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch

import attribution_patching
import check_averages
import check_bench
import check_comparison
import check_corruptions
import check_edit
import check_generation
import check_decompositions
import check_noise_file
import geva
import hooked
import rome
from checkpoint import (
    DTYPES, Layout, Sizes, encode, read_merges, read_tokenizers, readable_tokens, tokens_overlapping,
    write_checkpoint,
)
from program import (
    EXACT, LOGIT, PROBABILITY, Program, close, exact, guarded, print_summary, relative, shift_note,
)

ROOT = Path(__file__).resolve().parents[2]

# Each with its subject. Where it occurs twice, the first is meant, as in ROME.
PROMPTS = [
    ("Paris is the capital of", "Paris"),
    ("Rome is not like Rome in", "Rome"),
    ("The café of Dvořák is in", "Dvořák"),
    ("I said that 東京's own Mr. K was", "Mr. K"),
]
NOISE_SUBJECTS = ["Paris", "The Seine", "Antonín Dvořák", "Marie Curie", "Windows 95"]
# Single tokens of the reduced vocabulary, and one that is several.
ANSWER, FOIL, LONG_ANSWER = " the", " of", " Paris"


@dataclass
class Reference:
    """The checkpoint, and the models that read it."""

    folder: Path
    hf: object
    raw: object
    processed: object
    tokenizers: list
    noise_file: Path
    samples: int

    def encode(self, text, bos=False):
        return encode(self.tokenizers, text, bos)

    def answer_ids(self, text):
        return self.encode(text)[0]

    def logits(self, ids):
        with torch.no_grad():
            return self.hf(torch.tensor([ids])).logits[0, -1]

    def subject_range(self, text, subject, ids, bos):
        start = len(text[: text.index(subject)].encode())
        byte_range = (start, start + len(subject.encode()))
        return list(tokens_overlapping(self.tokenizers[0], ids, int(bos), byte_range))


def main():
    options = parse_arguments()
    torch.set_num_threads(1)
    layout = choose_layout(options)
    sizes = Sizes(options.layers, options.heads, options.width, options.positions)
    print(f"seed {options.seed}, {sizes}, {layout}")

    with tempfile.TemporaryDirectory(prefix="factscope-") as temporary:
        folder = Path(options.keep or temporary)
        reference = make_reference(folder, options, sizes, layout)
        program = Program(options.program, folder, shlex.split(options.extra))
        findings = [
            finding for check in CHECKS if check in options.only
            for finding in CHECKS[check](program, reference)
        ]
    failures = [finding for finding in findings if not finding.is_ok()]
    print_summary(findings)
    print(f"{len(findings) - len(failures)} of {len(findings)} comparisons within tolerance")
    sys.exit(1 if failures else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program", type=Path, help="the built binary, e.g. target/release/factscope")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the layout; default 0")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--width", type=int, default=48, help="d_model, a multiple of the heads")
    parser.add_argument("--positions", type=int, default=64)
    parser.add_argument("--samples", type=int, default=10, help="noise samples of a trace; default 10")
    parser.add_argument("--dtype", choices=[*DTYPES, "mixed"], help="default: by the seed")
    parser.add_argument(
        "--prefix", choices=["yes", "no"], help="names begin with `transformer.`; always if not tied"
    )
    parser.add_argument("--tied", choices=["yes", "no"], help="unembedding is the embedding")
    parser.add_argument("--sharded", choices=["yes", "no"], help="two files of weights")
    parser.add_argument("--tokenizer", choices=["json", "pairs", "vocab"], help="form of its files")
    parser.add_argument(
        "--only", nargs="+", choices=list(CHECKS), default=list(CHECKS), help="commands to compare"
    )
    parser.add_argument("--extra", default="", help='further options for every command, e.g. "--cpu"')
    parser.add_argument("--keep", type=Path, help="write the checkpoint to this empty folder and leave it")
    options = parser.parse_args()
    if not options.program.is_file():
        parser.error(f"there is no program at {options.program}")
    if options.keep and options.keep.exists() and any(options.keep.iterdir()):
        # Files of another layout would be read instead.
        parser.error(f"{options.keep} is not empty")
    return options


def choose_layout(options):
    chance = random.Random(options.seed)

    def choose(given, candidates):
        # Drawn even if given, so that one choice does not change the others.
        drawn = chance.choice(candidates)
        return drawn if given is None else given

    prefix = choose(options.prefix, ["yes", "no"]) == "yes"
    tied = choose(options.tied, ["yes", "no"]) == "yes"
    return Layout(
        dtype=choose(options.dtype, list(DTYPES)),
        # An unembedding of its own needs it.
        prefix=prefix or not tied,
        tied=tied,
        sharded=choose(options.sharded, ["yes", "no"]) == "yes",
        tokenizer=choose(options.tokenizer, ["json", "pairs", "vocab"]),
        masks=chance.choice([True, False]),
    )


def make_reference(folder, options, sizes, layout):
    merges = read_merges(ROOT / "assets/gpt2-bpe/merges.txt", n_merges=400)
    hf = write_checkpoint(folder, merges, sizes, layout, options.seed)
    noise_file = folder / "noise_subjects.txt"
    noise_file.write_text("".join(f"{subject}\n" for subject in NOISE_SUBJECTS), encoding="utf-8")
    return Reference(
        folder=folder,
        hf=hf,
        raw=hooked.raw_model(hf),
        processed=hooked.processed_model(hf),
        tokenizers=read_tokenizers(folder),
        noise_file=noise_file,
        samples=options.samples,
    )


def check_predict(program, reference):
    for text, _ in PROMPTS:
        for bos in (False, True):
            what = f"predict {text!r}{' with BOS' if bos else ''}"
            yield from guarded(what, predict_findings, program, reference, text, bos)


def predict_findings(what, program, reference, text, bos):
    ids, tokens = reference.encode(text, bos)
    logits = reference.logits(ids)
    probs = torch.softmax(logits, dim=-1)
    found = program.json("predict", "--prompt", text, "--answer", ANSWER, "--top", 10, *flag(bos))
    yield exact(f"{what}: ids", found["ids"], ids)
    yield exact(f"{what}: tokens", found["tokens"], tokens)

    top = found["top"]
    yield exact(f"{what}: top is sorted", [t["prob"] for t in top], sorted_down(t["prob"] for t in top))
    top_ids = [t["id"] for t in top]
    # Compared by rank, so that a tie may fall either way.
    yield close(f"{what}: top probs", [t["prob"] for t in top], probs.topk(10).values, PROBABILITY)
    yield close(f"{what}: probs of the top ids", [t["prob"] for t in top], probs[top_ids], PROBABILITY)
    yield close(f"{what}: top logits", [t["logit"] for t in top], logits[top_ids], LOGIT, shift_note)
    pieces = [readable_tokens(reference.tokenizers[0], [id]) for id in top_ids]
    yield exact(f"{what}: top tokens", [t["token"] for t in top], pieces)

    answer, answer_ids = found["answer"], reference.answer_ids(ANSWER)
    answer_id = answer_ids[0]
    yield exact(f"{what}: answer ids", [answer["id"], answer["ids"]], [answer_id, answer_ids])
    yield close(f"{what}: answer prob", [answer["prob"]], probs[[answer_id]], PROBABILITY)
    yield close(f"{what}: answer logit", [answer["logit"]], logits[[answer_id]], LOGIT, shift_note)
    yield close(f"{what}: answer log prob", [answer["log_prob"]], probs[[answer_id]].log(), LOGIT)
    n_likelier = int((logits > logits[answer_id]).sum())
    yield exact(f"{what}: answer rank", answer["rank"], n_likelier)

    long_ids = reference.answer_ids(LONG_ANSWER)
    answer = program.json("predict", "--prompt", text, "--answer", LONG_ANSWER, *flag(bos))["answer"]
    yield exact(f"{what}: ids of a long answer", [answer["id"], answer["ids"]], [long_ids[0], long_ids])
    first = probs[long_ids[:1]].log()
    yield close(f"{what}: log prob of its first token", [answer["log_prob"]], first, LOGIT)
    whole = sum(
        torch.log_softmax(reference.logits(ids + long_ids[:n]), dim=-1)[long_ids[n]]
        for n in range(len(long_ids))
    )
    yield close(f"{what}: log prob of a long answer", [answer["whole"]["log_prob"]], [whole], LOGIT)


def check_trace(program, reference):
    cases = [
        # Kind, window, noise, an answer unless it is the likeliest, what is severed (in how many layers),
        # direction.
        (None, 10, "3s", None, None, "denoise"), ("mlp", 10, "3s", None, None, "denoise"),
        ("attn", 10, "3s", None, None, "denoise"), ("mlp", 3, "3s", None, None, "denoise"),
        ("attn", 2, "0.12", None, None, "denoise"), (None, 10, "0.5", ANSWER, None, "denoise"),
        (None, 1, "3s", None, "mlp", "denoise"), (None, 1, "3s", None, "attn", "denoise"),
        ("attn", 3, "3s", None, "mlp", "denoise"), (None, 1, "3s", None, None, "noise"),
        ("mlp", 3, "3s", None, "attn", "noise"), (None, 1, "3s", None, "mlp:1", "denoise"),
        ("mlp", 2, "3s", None, "attn:2", "denoise"), ("mlp", 3, "3s", None, "mlp:1", "denoise"),
        ("attn", 2, "3s", None, "mlp:2", "noise"),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            for kind, window, noise, answer, sever, direction in cases if index == 0 else cases[:3]:
                what = (
                    f"trace {kind or 'hidden'}, window {window}, noise {noise}, answer {answer!r}, "
                    f"{f'{sever} severed, ' if sever else ''}{direction}, "
                    f"{text!r}{' with BOS' if bos else ''}"
                )
                yield from guarded(
                    what, trace_findings, program, reference, text, subject, bos, kind, window, noise,
                    answer, sever, direction,
                )


def trace_findings(
    what, program, reference, text, subject, bos, kind, window, noise, answer, sever, direction
):
    seed = 1
    sever, n_severed = (sever.split(":") + [None])[:2] if sever else (None, None)
    found = program.file(
        "trace", "--prompt", text, "--subject", subject, *flag(bos),
        *(["--answer", answer] if answer else []),
        *(["--sever-layers", n_severed] if n_severed else []),
        "--noise-subjects", reference.noise_file, "--noise", noise, "--noise-rng", "numpy",
        "--kind", kind or "hidden", "--window", window, "--samples", reference.samples, "--seed", seed,
        "--direction", direction, *(["--sever", sever] if sever else []),
    )
    ids, tokens = reference.encode(text, bos)
    subject_range = reference.subject_range(text, subject, ids, bos)
    noise_std = noise_std_of(noise, reference)
    expected = rome.calculate_hidden_flow(
        reference.hf, ids, subject_range, reference.answer_ids(answer)[0] if answer else None,
        kind, window, reference.samples, noise_std, seed, sever, direction,
        n_severed and int(n_severed),
    )
    yield exact(f"{what}: input_ids", found["input_ids"], ids)
    yield exact(f"{what}: input_tokens", found["input_tokens"], tokens)
    yield exact(f"{what}: subject_range", found["subject_range"], subject_range)
    answer_text = readable_tokens(reference.tokenizers[0], [expected["answer_id"]])
    yield exact(f"{what}: answer", found["answer"], answer_text)
    yield exact(f"{what}: answer id", found["whole_answer"]["ids"][0], expected["answer_id"])
    yield exact(f"{what}: seed", found["seed"], seed)
    if kind:
        yield exact(f"{what}: window", found["window"], window)
    yield exact(f"{what}: kind", found["kind"], kind or "hidden")
    yield exact(f"{what}: variant", [found["sever"], found["direction"]], [sever, direction])
    is_likeliest = expected["answer_id"] == int(reference.logits(ids).argmax())
    yield exact(f"{what}: correct_prediction", found["correct_prediction"], is_likeliest)
    yield close(f"{what}: noise_std", [found["noise_std"]], [noise_std], 1e-6 * max(1.0, noise_std))
    yield close(f"{what}: low_score", [found["low_score"]], [expected["low_score"]], PROBABILITY)
    yield close(f"{what}: high_score", [found["high_score"]], [expected["high_score"]], PROBABILITY)
    yield close(f"{what}: scores", found["scores"], expected["scores"], PROBABILITY)


def noise_std_of(noise, reference):
    """A plain number, or how many standard deviations of the subjects' embeddings."""
    if not noise.endswith("s"):
        return float(noise)
    return float(noise[:-1]) * rome.collect_embedding_std(
        reference.hf, reference.tokenizers[0], NOISE_SUBJECTS
    )


def check_atp(program, reference):
    cases = [
        # Base, metric, kind, window, answer unless it is the likeliest.
        ("corrupted", "prob", None, 10, None), ("clean", "log_prob", None, 10, None),
        ("corrupted", "log_prob", "mlp", 10, None), ("clean", "logit", "attn", 3, None),
        ("corrupted", "logit_diff", "attn", 10, None), ("clean", "logit_diff", "mlp", 2, ANSWER),
        ("corrupted", "answer_prob", "mlp", 1, LONG_ANSWER),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            for case in cases if index == 0 else cases[::3]:
                what = f"atp {', '.join(map(str, case))}, {text!r}{' with BOS' if bos else ''}"
                yield from guarded(what, atp_findings, program, reference, text, subject, bos, *case)


def atp_findings(what, program, reference, text, subject, bos, base, metric, kind, window, answer):
    ids, _ = reference.encode(text, bos)
    likeliest = int(reference.logits(ids).argmax())
    answer_ids = reference.encode(answer)[0] if answer else [likeliest]
    foil_id = reference.encode(FOIL)[0][0]
    found = program.json(
        "atp", "--prompt", text, "--subject", subject, *flag(bos),
        *(["--answer", answer] if answer else []), "--foil", FOIL, "--verify", 3,
        "--noise-subjects", reference.noise_file, "--noise", "3s", "--kind", kind or "hidden",
        "--window", window, "--samples", reference.samples, "--base", base,
        "--metric", metric.replace("_", "-"), "--windows", "added",
    )
    subject_range = reference.subject_range(text, subject, ids, bos)
    noise_std = noise_std_of("3s", reference)
    target = attribution_patching.Target(metric, answer_ids, foil_id)
    expected = attribution_patching.attribution_patching(
        reference.raw, ids, subject_range, target, base, kind, window, reference.samples, noise_std
    )
    yield exact(f"{what}: base", [found["base"], found["metric"]], [base, metric])
    yield exact(f"{what}: answer ids", found["whole_answer"]["ids"], answer_ids)
    tolerance = PROBABILITY if metric in ("prob", "answer_prob") else LOGIT
    yield close(f"{what}: low_score", [found["low_score"]], [expected["low_score"]], tolerance)
    yield close(f"{what}: high_score", [found["high_score"]], [expected["high_score"]], tolerance)
    effects = torch.as_tensor(found["scores"]) - found["low_score"]
    yield relative(f"{what}: effects", effects, expected["scores"] - expected["low_score"])
    yield relative(f"{what}: head effects", found["head_effects"], expected["head_effects"])

    traced = rome.calculate_hidden_flow(
        reference.hf, ids, subject_range, answer_ids[0], kind, window, reference.samples, noise_std
    )["scores"] if metric == "prob" else None
    for it in found["verified"]:
        estimate = found["scores"][it["token"]][it["layer"]]
        yield exact(f"{what}: verified estimate", it["estimate"], estimate)
        if traced is not None:
            patched = traced[it["token"], it["layer"]]
            yield close(f"{what}: patched", [it["patched"]], [patched], PROBABILITY)


def check_attribute(program, reference):
    for text, _ in PROMPTS:
        for bos in (False, True):
            for by in ("layers", "heads"):
                for foil in (None, FOIL):
                    what = f"attribute by {by}, foil {foil!r}, {text!r}{' with BOS' if bos else ''}"
                    yield from guarded(what, attribute_findings, program, reference, text, bos, by, foil)


def attribute_findings(what, program, reference, text, bos, by, foil):
    ids, _ = reference.encode(text, bos)
    answer_id = reference.answer_ids(ANSWER)[0]
    foil_id = reference.answer_ids(foil)[0] if foil else None
    expected = hooked.attribution(reference.processed, ids, answer_id, foil_id, by)
    found = program.file(
        "attribute", "--prompt", text, "--answer", ANSWER, *(["--foil", foil] if foil else []),
        "--by", by, *flag(bos),
    )
    yield exact(f"{what}: labels", found["labels"], expected["labels"])
    yield exact(f"{what}: unit", found["unit"], "logit")
    yield close(f"{what}: values", found["values"], expected["values"], LOGIT)
    yield close(f"{what}: bias", [found["bias"]], [expected["bias"]], LOGIT)
    yield close(f"{what}: logit", [found["logit"]], [expected["logit"]], LOGIT)
    yield close(f"{what}: raw logit", [found["raw_logit"]], reference.logits(ids)[[answer_id]], LOGIT)
    yield close(f"{what}: sum", [found["sum"]], [sum(found["values"]) + found["bias"]], LOGIT)
    yield close(f"{what}: sum is the logit", [found["sum"]], [found["logit"]], LOGIT)


def check_lens(program, reference):
    for text, _ in PROMPTS:
        for bos in (False, True):
            what = f"lens {text!r}{' with BOS' if bos else ''}"
            yield from guarded(what, lens_findings, program, reference, text, bos)


def lens_findings(what, program, reference, text, bos):
    ids, _ = reference.encode(text, bos)
    answer_id = reference.answer_ids(ANSWER)[0]
    _, cache = hooked.run_with_cache(reference.raw, ids)
    # The program begins after the first layer, not at the embeddings.
    probs = hooked.lens_probs(reference.raw, cache)[1:]
    found = program.json("lens", "--prompt", text, "--answer", ANSWER, *flag(bos))

    cells = [layer["positions"] for layer in found["layers"]]
    yield exact(f"{what}: layers", [layer["layer"] for layer in found["layers"]], list(range(len(cells))))
    last = [{key: layer[key] for key in layer["positions"][-1]} for layer in found["layers"]]
    yield exact(f"{what}: each layer repeats its last position", last, [row[-1] for row in cells])
    top_ids = torch.tensor([[cell["top"]["id"] for cell in row] for row in cells])
    top_probs = [[cell["top"]["prob"] for cell in row] for row in cells]
    answer_probs = [[cell["answer_prob"] for cell in row] for row in cells]
    of_top_ids = probs.gather(-1, top_ids[..., None])[..., 0]
    yield close(f"{what}: probs of the top ids", of_top_ids, probs.max(-1).values, PROBABILITY)
    yield close(f"{what}: top probs", top_probs, probs.max(-1).values, PROBABILITY)
    yield close(f"{what}: answer probs", answer_probs, probs[..., answer_id], PROBABILITY)
    logs = [[cell["answer_log_prob"] for cell in row] for row in cells]
    yield close(f"{what}: ln of answer probs", logs, probs[..., answer_id].log(), LOGIT)


def check_attention(program, reference):
    last_layer, last_head = reference.raw.cfg.n_layers - 1, reference.raw.cfg.n_heads - 1
    for text, _ in PROMPTS:
        for layer, head in ((0, 0), (last_layer, last_head), (last_layer // 2, 0)):
            what = f"attention of layer {layer}, head {head}, {text!r}"
            yield from guarded(what, attention_findings, program, reference, text, layer, head)


def attention_findings(what, program, reference, text, layer, head):
    ids, tokens = reference.encode(text)
    _, cache = hooked.run_with_cache(reference.raw, ids)
    found = program.json("attention", "--prompt", text, "--layer", layer, "--head", head)
    yield exact(f"{what}: where", [found["layer"], found["head"]], [layer, head])
    yield exact(f"{what}: tokens", found["tokens"], tokens)
    yield close(f"{what}: pattern", found["pattern"], cache["pattern", layer][0, head], PROBABILITY)


MEAN_PROMPTS = ["The Seine is in", "Windows 95 was made by 東京's", "Rome is not like Rome in"]
# As many tokens as the first prompt.
RESAMPLED = "Lima is the capital of"


def check_ablate(program, reference):
    cases = [
        ("heads", "all", "zero"), ("heads", "last", "mean"), ("heads", "subject", "resample"),
        ("attn", "all", "zero"), ("mlp", "non-subject", "mean"), ("mlp", "1..3", "resample"),
        ("layers", "last", "zero"), ("layers", "all", "mean"),
    ]
    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            # To resample from, only the first has another prompt of as many tokens.
            here = [case for case in cases if index == 0 or case[2] != "resample"]
            for part, positions, replacement in here:
                what = (
                    f"ablate {part} at {positions} by {replacement}, {text!r}{' with BOS' if bos else ''}"
                )
                yield from guarded(
                    what, ablate_findings, program, reference, text, subject, bos, part, positions, replacement
                )


def ablate_findings(what, program, reference, text, subject, bos, part, positions, replacement):
    ids, tokens = reference.encode(text, bos)
    begin, end = reference.subject_range(text, subject, ids, bos)
    last = len(ids) - 1
    at = {
        "all": list(range(len(ids))),
        "subject": list(range(begin, end)),
        "non-subject": [pos for pos in range(last) if not begin <= pos < end],
        "last": [last],
        "1..3": [1, 2],
    }[positions]
    extra, new = [], "zero"
    if replacement == "mean":
        file = reference.folder / "mean_prompts.txt"
        file.write_text("".join(f"{prompt}\n" for prompt in MEAN_PROMPTS), encoding="utf-8")
        extra = ["--mean-prompts", file]
        prompts = [reference.encode(prompt, bos)[0] for prompt in MEAN_PROMPTS]
        new = hooked.mean_activations(reference.raw, prompts, len(ids))
    elif replacement == "resample":
        extra = ["--other", RESAMPLED]
        new = hooked.run_with_cache(reference.raw, reference.encode(RESAMPLED, bos)[0])[1]
    found = program.file(
        "ablate", "--prompt", text, "--subject", subject, "--answer", ANSWER, "--foil", FOIL,
        "--part", part, "--positions", positions, "--with", replacement, *extra, *flag(bos),
    )
    answer_id, foil_id = reference.answer_ids(ANSWER)[0], reference.answer_ids(FOIL)[0]
    clean = reference.logits(ids)
    logits = hooked.ablated_logits(reference.raw, ids, part, at, new)
    probs = torch.softmax(logits, dim=-1)[..., answer_id]
    clean_prob = torch.softmax(clean, dim=-1)[answer_id]
    yield exact(f"{what}: ids", found["ids"], ids)
    yield exact(f"{what}: tokens", found["tokens"], tokens)
    yield close(f"{what}: clean prob", [found["clean"]["prob"]], [clean_prob], PROBABILITY)
    read = lambda key: [[cell[key] for cell in row] for row in found["ablated"]]
    yield close(f"{what}: probs", read("prob"), probs, PROBABILITY)
    yield close(f"{what}: logits", read("logit"), logits[..., answer_id], LOGIT)
    difference = logits[..., answer_id] - logits[..., foil_id]
    yield close(f"{what}: logit differences", read("logit_diff"), difference, LOGIT)
    yield close(f"{what}: change", found["change"]["prob"], probs - clean_prob, 2 * PROBABILITY)


def check_knockout(program, reference):
    for text, subject in PROMPTS:
        for bos in (False, True):
            for window in (1, 3, 9):
                what = f"knockout, window {window}, {text!r}{' with BOS' if bos else ''}"
                yield from guarded(what, knockout_findings, program, reference, text, subject, bos, window)


def knockout_findings(what, program, reference, text, subject, bos, window):
    ids, tokens = reference.encode(text, bos)
    edges = geva.edges_to_last(len(ids), reference.subject_range(text, subject, ids, bos))
    edges["1..3"] = ([1, 2], [len(ids) - 1])
    expected = geva.knockout_scores(reference.hf, ids, list(edges.values()), window)
    found = program.file(
        "knockout", "--prompt", text, "--subject", subject, "--window", window, *flag(bos),
        *(word for name in edges for word in ("--edges", f"{name}:last")),
    )
    yield exact(f"{what}: ids", found["ids"], ids)
    yield exact(f"{what}: tokens", found["tokens"], tokens)
    yield exact(f"{what}: edges", [[it["from"], it["to"]] for it in found["edges"]], [[n, "last"] for n in edges])
    yield exact(f"{what}: answer id", found["answer"]["ids"][0], expected["answer_id"])
    base = expected["base_score"]
    yield close(f"{what}: base_score", [found["base_score"]], [base], PROBABILITY)
    yield close(f"{what}: scores", [it["scores"] for it in found["edges"]], expected["scores"], PROBABILITY)
    change = (expected["scores"] - base) / base
    found_change = [it["relative_change"] for it in found["edges"]]
    yield close(f"{what}: relative change", found_change, change, 2 * PROBABILITY / base)


CHECKS = {
    "predict": check_predict,
    "trace": check_trace,
    "atp": check_atp,
    "attribute": check_attribute,
    "lens": check_lens,
    "attention": check_attention,
    "ablate": check_ablate,
    "knockout": check_knockout,
    "corruptions": check_corruptions.check_corruptions,
    "averages": check_averages.check_averages,
    "bench": check_bench.check_bench,
    "compare": check_comparison.check_compare,
    "generate": check_generation.check_generate,
    "edit": check_edit.check_edit,
    "steer": check_edit.check_steer,
}


def flag(bos):
    return ["--bos"] if bos else []


def sorted_down(numbers):
    return sorted(numbers, reverse=True)


# Checks with a file of their own use what is above.
sys.modules.setdefault("compare_cli", sys.modules[__name__])
import check_cell  # noqa: E402
import check_cut  # noqa: E402
import check_gradients  # noqa: E402
import check_neurons  # noqa: E402
import check_patching  # noqa: E402

CHECKS |= check_patching.CHECKS | check_gradients.CHECKS | check_neurons.CHECKS | check_cell.CHECKS
CHECKS |= {"cut": check_cut.check_cut, "noise-file": check_noise_file.check_noise_file}

if __name__ == "__main__":
    CHECKS |= check_decompositions.checks(sys.modules[__name__])
    main()
