"""Compare the built program with `transformers` on fresh random checkpoints of every family of models.

python tests/golden/check_families.py target/release/factscope --seed 7

Of each family a configuration that follows from the seed (biases, ties, grouped queries, head sizes,
windows shorter than the prompt, caps, scaled positions, wiring, number type, shards) is written by
`save_pretrained` and read back by `transformers` in f32 with eager attention. The program is asked by
its commands alone, with and without BOS. Prints the largest difference of each kind of number by
family; fails if one is above its tolerance:

1e-3   logits of all tokens, and the parts of the answer's logit by layer
1e-4   attention weights; in parts of the largest: estimates from PyTorch's gradients
1e-5   causal traces of all three kinds, with noise from numpy's file, by ROME's procedure (rome.py)
1e-4   numbers of every method with and without exact reuse, in parts of 1 and more
1e-3   logits and estimates, and 1e-4 probabilities, of a graphics adapter against the CPU

Needs torch and transformers; nothing is downloaded.
"""

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

import rome
from family_variants import variants
from make_families import BEFORE, N_VOCAB, Family, random_tensors
from program import (
    LOGIT, OF_THE_LARGEST, PROBABILITY, Finding, Program, close, exact, guarded, print_summary,
)

ROOT = Path(__file__).resolve().parents[2]
WEIGHT, ADAPTER_PROBABILITY, ALIKE = 1e-4, 1e-4, 1e-4
PROMPTS = [("The café of Dvořák is in", "Dvořák"), ("Rome is not like Rome in", "Rome")]
FOIL = " of"
# As many tokens as the last prompt.
OTHER = ("Rome was not like Rome in", "Rome")
SAMPLES, WINDOW, NOISE_STD = 3, 2, 0.6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program", type=Path, help="the built binary, e.g. target/release/factscope")
    parser.add_argument("--seed", type=int, default=0, help="of configurations and weights; default 0")
    parser.add_argument("--families", nargs="+", help="only these; default all")
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--keep", type=Path, help="write the checkpoints to this folder and leave them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    rome.check_noise()
    chance = random.Random(options.seed)
    families = variants(chance)
    findings = []
    with tempfile.TemporaryDirectory(prefix="factscope-") as temporary:
        for nth, family in enumerate(families):
            family.seed = 1000 * options.seed + nth
            layout = {
                "dtype": chance.choice([torch.float32, torch.bfloat16, torch.float16]),
                "max_shard_size": chance.choice(["50KB", "5GB"]),
            }
            if options.families and family.name not in options.families:
                continue
            print(f"{family.name}: {family.config}, {layout}", flush=True)
            folder = Path(options.keep or temporary) / family.name
            reference = make(folder, family, layout)
            program = Program(options.program, folder, ["--device", "cpu"])
            for check in options.only:
                findings += CHECKS[check](program, reference)
    print_summary(findings)
    failures = [finding for finding in findings if not finding.is_ok()]
    print(f"{len(findings) - len(failures)} of {len(findings)} comparisons within tolerance")
    sys.exit(1 if failures else 0)


@dataclass
class Reference:
    """A checkpoint, and the model that `transformers` reads from it."""

    folder: Path
    family: Family
    model: object

    def modules(self, kind):
        """The modules whose outputs are what blocks, attention or MLPs leave in the residual stream."""
        n_layers = len(self.model.get_submodule(self.family.blocks))
        inside = {"hidden": "", "attn": f".{self.family.attn}", "mlp": f".{self.family.mlp}"}[kind]
        return [f"{self.family.blocks}.{layer}{inside}" for layer in range(n_layers)]


def make(folder, family, layout):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fields = {"vocab_size": N_VOCAB, "bos_token_id": BEFORE, "eos_token_id": BEFORE}
    config = {name: value for name, value in {**fields, **family.config}.items() if value is not None}
    # `null` says that there is none, where another default stands for a field that is absent.
    config |= {name: None for name in family.config if "softcapping" in name and family.config[name] is None}
    (folder / "config.json").write_text(json.dumps(config))
    config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval().float()
    tensors = {name: it.float() for name, it in random_tensors(model, family).items()}
    _, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected, unexpected
    model.tie_weights()
    model.to(layout["dtype"]).save_pretrained(folder, max_shard_size=layout["max_shard_size"])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "tests/fixtures/tiny" / name, folder / name)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    for module in model.modules():
        if hasattr(module, "max_seq_len_cached"):
            module.register_forward_pre_hook(forget_longer_prompts)
    return Reference(folder, family, model.eval())


def forget_longer_prompts(rotary, _):
    """With `dynamic` scaling, `transformers` keeps the angles of the longest prompt so far."""
    if hasattr(rotary, "original_inv_freq"):
        rotary.inv_freq = rotary.original_inv_freq
        rotary.max_seq_len_cached = rotary.original_max_seq_len


def asked(reference, check):
    """Each prompt with and without BOS: what it is called, its flags, and its tokens."""
    for text, subject in PROMPTS:
        for bos in (["--no-bos"], ["--bos"]):
            what = f"{reference.family.name} {check.__name__} {text!r} {bos[0]}"
            yield from guarded(what, check, reference, text, subject, bos)


def tokens(program, text, bos):
    """The ids that the program makes of a text, with the token before it that was asked for."""
    ids = program.json("predict", "--prompt", text, *bos)["ids"]
    assert (ids[0] == BEFORE) == (bos == ["--bos"]), ids
    return ids


def check_logits(program, reference):
    def logits(what, reference, text, subject, bos):
        ids = tokens(program, text, bos)
        found = program.json("predict", "--prompt", text, *bos, "--top", N_VOCAB)["top"]
        by_id = dict(sorted((it["id"], it["logit"]) for it in found))
        yield exact(f"{what}: ids", list(by_id), list(range(N_VOCAB)))
        yield close(f"{what}: logits", list(by_id.values()), run(reference, ids).logits[0, -1], LOGIT)

    return asked(reference, logits)


def run(reference, ids, **options):
    with torch.no_grad():
        return reference.model(torch.tensor([ids]), use_cache=False, **options)


def check_attention(program, reference):
    def attention(what, reference, text, subject, bos):
        ids = tokens(program, text, bos)
        expected = run(reference, ids, output_attentions=True).attentions
        for layer, pattern in enumerate(expected):
            for head in range(pattern.shape[1]):
                where = ["--layer", layer, "--head", head]
                found = program.json("attention", "--prompt", text, *bos, *where)["pattern"]
                yield close(f"{what} {layer}.{head}: attention", found, pattern[0, head], WEIGHT)

    return asked(reference, attention)


def noise_for(program, reference, text, subject, bos):
    """Which tokens are the subject, and noise for them in numpy's file."""
    span = program.file(
        "trace", "--prompt", text, "--subject", subject, *bos, "--kind", "hidden", "--samples", 1,
        "--noise", "0.1",
    )["subject_range"]
    width = reference.model.get_submodule(reference.family.embed).weight.shape[1]
    drawn = numpy.random.default_rng(reference.family.seed)
    noise = NOISE_STD * drawn.standard_normal((SAMPLES, span[1] - span[0], width))
    path = reference.folder / "noise.npy"
    numpy.save(path, noise)
    return span, noise, path


def adding(noise, span, first_row):
    """Adds noise to what the embedding gives the residual stream, in double precision."""

    def add(embedding):
        embedding[first_row:, span[0] : span[1]] += torch.from_numpy(noise)

    return add


def check_traces(program, reference):
    def traces(what, reference, text, subject, bos):
        ids = tokens(program, text, bos)
        span, noise, path = noise_for(program, reference, text, subject, bos)
        answer = int(run(reference, ids).logits[0, -1].argmax())

        def probability(edits):
            edits = {reference.family.embed: adding(noise, span, 1), **edits}
            return rome.mean_probability(reference.model, ids, SAMPLES, edits, answer)

        for kind in ("hidden", "mlp", "attn"):
            modules = reference.modules(kind)
            window = 1 if kind == "hidden" else WINDOW
            expected = torch.stack([
                torch.stack([
                    probability({
                        modules[it]: rome.restoring([pos])
                        for it in rome.window_layers(layer, window, len(modules))
                    })
                    for layer in range(len(modules))
                ])
                for pos in range(len(ids))
            ])
            found = program.file(
                "trace", "--prompt", text, "--subject", subject, *bos, "--kind", kind, "--window", window,
                "--noise-file", path,
            )
            yield exact(f"{what}: ids", found["input_ids"], ids)
            yield exact(f"{what}: answer", found["whole_answer"]["ids"][0], answer)
            yield close(f"{what}: corrupted", [found["low_score"]], [probability({})], PROBABILITY)
            yield close(f"{what} {kind}: trace of {kind}", found["scores"], expected, PROBABILITY)

    return asked(reference, traces)


def check_attribution(program, reference):
    def attribution(what, reference, text, subject, bos):
        ids = tokens(program, text, bos)
        answer = int(run(reference, ids).logits[0, -1].argmax())
        found = program.file("attribute", "--prompt", text, *bos, "--by", "layers")
        values, logit = parts_of_logit(reference, ids, answer)
        yield exact(f"{what}: labels", found["labels"], list(values))
        yield close(f"{what}: parts of the logit", found["values"], list(values.values()), LOGIT)
        yield close(f"{what}: logit of the parts", [found["logit"]], [logit], LOGIT)
        yield close(f"{what}: sum of the parts", [found["sum"]], [logit], LOGIT)

    return asked(reference, attribution)


def parts_of_logit(reference, ids, answer):
    """What each part of the stream adds to the answer's logit less the vocabulary's mean, before a cap
    on logits, with the last norm's scale held; and that logit."""
    model, family = reference.model, reference.family
    kept = {}

    def keep(label):
        return lambda _module, _args, out: kept.__setitem__(label, plain(out)[0, -1].double())

    with ExitStack() as stack, torch.no_grad():
        def watch(label, name):
            stack.enter_context(handle(model.get_submodule(name).register_forward_hook(keep(label))))

        watch("embed", family.embed)
        if family.config["model_type"] == "gpt2":
            kept["pos_embed"] = model.transformer.wpe.weight[len(ids) - 1].double()
        for kind in ("attn", "mlp"):
            for layer, name in enumerate(reference.modules(kind)):
                watch(f"{layer}_{kind}_out", name)
        norm = model.get_submodule(family.norm)
        stack.enter_context(handle(norm.register_forward_pre_hook(
            lambda _module, args: kept.__setitem__("end", args[0][0, -1].double())
        )))
        model(torch.tensor([ids]), use_cache=False)
        end = kept.pop("end")
        head = model.get_output_embeddings()
        unembed = head.weight.double()
        direction = unembed[answer] - unembed.mean(dim=0)
        gain = norm.weight.double() + (1.0 if family.plus_one else 0.0)
        bias = getattr(norm, "bias", None)
        eps = next(getattr(norm, it) for it in ("eps", "variance_epsilon") if hasattr(norm, it))
        has_mean = isinstance(norm, torch.nn.LayerNorm)

        def normed(part):
            centred = part - part.mean() if has_mean else part
            spread = end - end.mean() if has_mean else end
            return centred * (spread.pow(2).mean() + eps).rsqrt() * gain

        values = {label: float(normed(part) @ direction) for label, part in kept.items()}
        whole = normed(end) + (bias.double() if bias is not None else 0.0)
        logit = whole @ direction
        if head.bias is not None:
            logit += (head.bias[answer] - head.bias.mean()).double()
    order = ["embed", "pos_embed", *(
        f"{layer}_{kind}_out" for layer in range(len(reference.modules("hidden"))) for kind in ("attn", "mlp")
    )]
    return {label: values[label] for label in order if label in values}, float(logit)


class handle:
    """A hook that is taken away at the end of a `with`."""

    def __init__(self, hook):
        self.hook = hook

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hook.remove()


def plain(output):
    return output[0] if isinstance(output, tuple) else output


def check_gradients(program, reference):
    def gradients(what, reference, text, subject, bos):
        ids = tokens(program, text, bos)
        span, noise, path = noise_for(program, reference, text, subject, bos)
        answer = int(run(reference, ids).logits[0, -1].argmax())
        for kind in ("hidden", "mlp", "attn"):
            modules = reference.modules(kind)
            clean = forward_and_back(reference, ids, answer, modules, None, span)
            corrupted = forward_and_back(reference, ids, answer, modules, noise, span)
            for base in ("clean", "corrupted"):
                found = program.json(
                    "atp", "--prompt", text, "--subject", subject, *bos, "--kind", kind, "--window", 1,
                    "--noise-file", path, "--base", base, "--metric", "log-prob", "--windows", "added",
                )
                of_base = clean if base == "clean" else corrupted
                # [token, layer]
                expected = torch.stack([
                    ((clean[0][name] - corrupted[0][name]) * of_base[1][name]).sum(dim=-1).mean(dim=0)
                    for name in modules
                ], dim=-1)
                effects = torch.as_tensor(found["scores"], dtype=torch.float64) - found["low_score"]
                # Through narrow windows nothing reaches the answer, and rounding is all there is.
                size = expected.abs().max().clamp(min=0.01)
                name = f"{what} {kind} {base}: gradients"
                yield close(name, effects / size, expected / size, OF_THE_LARGEST)

    return asked(reference, gradients)


def forward_and_back(reference, ids, answer, modules, noise, span):
    """What these modules give, and the gradients there of the answer's log-probability. `[row, token,
    width]` by module, in double precision."""
    model, kept = reference.model, {}
    n_rows = 1 if noise is None else SAMPLES
    with ExitStack() as stack:
        if noise is not None:
            def corrupt(_module, _args, out):
                out = out.clone()
                adding(noise, span, 0)(out)
                return out

            embed = model.get_submodule(reference.family.embed)
            stack.enter_context(handle(embed.register_forward_hook(corrupt)))
        for name in modules:
            def keep(_module, _args, out, name=name):
                kept[name] = plain(out)

            stack.enter_context(handle(model.get_submodule(name).register_forward_hook(keep)))
        logits = model(torch.tensor([ids] * n_rows), use_cache=False).logits[:, -1]
        # Rows do not touch each other, so the gradient of the sum has each row's own.
        said = torch.log_softmax(logits, dim=-1)[:, answer].sum()
        gradients = torch.autograd.grad(said, [kept[name] for name in modules])
    return (
        {name: it.detach().double() for name, it in kept.items()},
        {name: it.double() for name, it in zip(modules, gradients)},
    )


def check_reuse(program, reference):
    text, subject = PROMPTS[0]
    at = ["--prompt", text, "--subject", subject, "--bos"]
    foil = ["--foil", FOIL]
    other = ["--from", OTHER[0], "--from-subject", OTHER[1]]
    same = ["--prompt", PROMPTS[1][0], "--subject", PROMPTS[1][1], "--bos"]
    noise = ["--noise", "0.5", "--samples", 2]
    head = program_head(reference)
    commands = {
        "trace": [["--kind", kind, *noise, "--window", WINDOW] for kind in ("hidden", "mlp", "attn", "head")]
        + [["--kind", "hidden", *noise, "--sever", "mlp"], ["--kind", "mlp", *noise, "--direction", "noise"]],
        "atp": [["--kind", "mlp", *noise, "--window", WINDOW, "--verify", 3]],
        "atp-star": [[*noise, "--verify", 3]],
        "bench": [["--window", WINDOW, "--samples", 2]],
        "ablate": [["--part", part, *foil] for part in ("heads", "mlp", "layers", "neurons")],
        "knockout": [["--window", 1], ["--window", WINDOW]],
        "cut": [["--edge", "last:1"]],
        "generate": [["--tokens", 5]],
        "lens": [[]],
        "norms": [[]],
        "predict": [[]],
        "heads": [[]],
        "contributions": [[]],
        "attention": [["--layer", 0, "--weighting", "norm"], ["--layer", 1, "--rollout"]],
        "attribute": [["--by", by] for by in ("layers", "heads", "neurons", "sources", "accumulated")]
        + [["--by", "heads", "--through", head]],
        "steer": [["--plus-token", "Rome", "--minus-token", "Paris", "--layer", 1, "--scale", 2]],
    }
    of_two = {
        "patch": [["--kind", kind, *other] for kind in ("hidden", "mlp", "attn", "heads")],
        "path-patch": [["--to", f"L1H0.{part}", *other] for part in "qkv"],
        "eap": [["--other", OTHER[0], "--edges", 20]],
    }
    takes_subject = {
        "trace", "atp", "atp-star", "bench", "ablate", "knockout", "heads", "patch", "path-patch",
    }
    for table, asks in ((commands, at), (of_two, same)):
        for command, all_flags in table.items():
            here = asks if command in takes_subject else [*asks[:2], *asks[4:]]
            for flags in all_flags:
                what = f"{reference.family.name} reuse {command} {' '.join(map(str, flags))}"
                yield from guarded(what, reused, program, command, [*here, *flags])


def program_head(reference):
    """A head that others can reach the answer through."""
    return f"{len(reference.modules('hidden')) - 1}.0"


def reused(what, program, command, flags):
    reused, naive = (program.json(command, *flags, *more) for more in ([], ["--exact-naive"]))
    difference, where = apart(reused, naive)
    yield Finding(f"{what}: exact reuse", difference, ALIKE, where)


def apart(one, other, where=""):
    """How far two results are from each other at most, in parts of 1 and more, and where."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return math.inf, where
        # How much work was saved is what differs. Ratios of small differences say no more than what they
        # are made of, which is compared; nor do correlations of ranks, which jump where an effect lies on
        # the border of a tie. `check_bench.py` holds them against scipy.
        keys = [key for key in one if key not in ("work", "recovery", "spearman")]
        return max((apart(one[key], other[key], f"{where}.{key}") for key in keys), default=(0.0, where))
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return math.inf, where
        pairs = enumerate(zip(one, other))
        return max((apart(a, b, f"{where}[{nth}]") for nth, (a, b) in pairs), default=(0.0, where))
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers) and not isinstance(one, bool):
        return abs(one - other) / max(1.0, abs(one)), where
    return (0.0, where) if one == other else (math.inf, where)


def check_adapter(program, reference):
    text, subject = PROMPTS[0]
    there = Program(program.binary, program.folder, ["--device", "wgpu"])
    _, _, path = noise_for(program, reference, text, subject, ["--bos"])
    at = ["--prompt", text, "--bos"]
    of_fact = ["--subject", subject, "--noise-file", path, "--kind"]

    def adapter(what):
        def logits(of):
            found = of.json("predict", *at, "--top", N_VOCAB)["top"]
            return [logit for _, logit in sorted((it["id"], it["logit"]) for it in found)]

        yield close(f"{what}: logits of an adapter", logits(there), logits(program), LOGIT)
        for kind in ("hidden", "mlp", "attn"):
            found, expected = (of.file("trace", *at, *of_fact, kind)["scores"] for of in (there, program))
            yield close(f"{what}: traces of an adapter", found, expected, ADAPTER_PROBABILITY)
        asks = ["atp", *at, *of_fact, "mlp", "--metric", "log-prob"]
        found, expected = (of.json(*asks)["scores"] for of in (there, program))
        yield close(f"{what}: estimates of an adapter", found, expected, LOGIT)
        found, expected = (of.file("attribute", *at, "--by", "heads")["values"] for of in (there, program))
        yield close(f"{what}: attributions of an adapter", found, expected, LOGIT)

    yield from guarded(f"{reference.family.name} adapter", adapter)


CHECKS = {
    "logits": check_logits,
    "attention": check_attention,
    "traces": check_traces,
    "attribution": check_attribution,
    "gradients": check_gradients,
    "reuse": check_reuse,
    "adapter": check_adapter,
}

if __name__ == "__main__":
    main()
