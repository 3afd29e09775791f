"""`factscope trace --noise-file` and `atp --noise-file`: against the program's own noise, and against
ROME's procedure with the file's."""

from unittest.mock import patch

import numpy
import torch

import attribution_patching
import rome

# The same numbers by another way: nothing but rounding lies between.
SAME = 1e-6


def check_noise_file(program, reference):
    from compare_cli import PROMPTS, guarded

    for index, (text, subject) in enumerate(PROMPTS):
        for bos in (False, True):
            suffix = f"{text!r}{' with BOS' if bos else ''}"
            for kind, window in [(None, 1), ("mlp", 10), ("attn", 3)]:
                what = f"noise file of ROME's noise, {kind or 'hidden'}, {suffix}"
                yield from guarded(what, romes, program, reference, text, subject, bos, kind, window)
        cases = [
            # How it is saved, kind, window, severed, direction.
            ("npy float64", None, 1, None, "denoise"), ("npy float32", "mlp", 3, None, "denoise"),
            ("npz", "attn", 2, "mlp", "denoise"), ("npz compressed", "mlp", 10, None, "noise"),
        ]
        for case in cases if index == 0 else cases[index::3]:
            what = f"noise file, {', '.join(map(str, case))}, {text!r}"
            yield from guarded(what, others, program, reference, text, subject, *case)
        what = f"noise file, estimates, {text!r}"
        yield from guarded(what, estimates, program, reference, text, subject)


def romes(what, program, reference, text, subject, bos, kind, window):
    """The noise that the program draws, written by numpy, gives the map that it gives."""
    from compare_cli import close, exact, flag

    asked = [
        "trace", "--prompt", text, "--subject", subject, *flag(bos), "--kind", kind or "hidden",
        "--window", window,
    ]
    drawn = program.file(*asked, "--noise-subjects", reference.noise_file, "--samples", reference.samples)
    ids, _ = reference.encode(text, bos)
    begin, end = reference.subject_range(text, subject, ids, bos)
    noise = numpy.random.RandomState(1).randn(reference.samples, end - begin, reference.hf.config.n_embd)
    path = reference.folder / "romes_noise.npy"
    numpy.save(path, drawn["noise_std"] * noise)
    given = program.file(*asked, "--noise-file", path)
    yield exact(f"{what}: samples", given["samples"], reference.samples)
    yield exact(f"{what}: its spread", abs(given["noise_std"] / drawn["noise_std"] - 1) < 0.1, True)
    yield close(f"{what}: low_score", [given["low_score"]], [drawn["low_score"]], SAME)
    yield close(f"{what}: scores", given["scores"], drawn["scores"], SAME)


def others(what, program, reference, text, subject, form, kind, window, sever, direction):
    """Noise that no generator of the program draws."""
    from compare_cli import PROBABILITY, close, exact

    ids, _ = reference.encode(text)
    begin, end = subject_range = reference.subject_range(text, subject, ids, False)
    samples = 4
    noise, path = saved(reference, form, (samples, end - begin, reference.hf.config.n_embd))
    found = program.file(
        "trace", "--prompt", text, "--subject", subject, "--noise-file", path, "--kind", kind or "hidden",
        "--window", window, "--direction", direction, *(["--sever", sever] if sever else []),
    )
    with patch.object(rome, "corruption", adding(noise)):
        expected = rome.calculate_hidden_flow(
            reference.hf, ids, subject_range, None, kind, window, samples, None, None, sever, direction
        )
    yield exact(f"{what}: corruption", found["corruption"], "noise-file")
    yield close(f"{what}: noise_std", [found["noise_std"]], [noise.astype("float64").std(ddof=1)], SAME)
    yield close(f"{what}: low_score", [found["low_score"]], [expected["low_score"]], PROBABILITY)
    yield close(f"{what}: high_score", [found["high_score"]], [expected["high_score"]], PROBABILITY)
    yield close(f"{what}: scores", found["scores"], expected["scores"], PROBABILITY)
    lengths = torch.from_numpy(noise.astype("float64")).norm(dim=-1)
    yield close(f"{what}: distances", [it["distances"] for it in found["corrupted"]], lengths, 1e-5)


def estimates(what, program, reference, text, subject):
    from compare_cli import LOGIT, close, relative

    ids, _ = reference.encode(text)
    begin, end = subject_range = reference.subject_range(text, subject, ids, False)
    noise, path = saved(reference, "npy float64", (3, end - begin, reference.hf.config.n_embd))
    found = program.json(
        "atp", "--prompt", text, "--subject", subject, "--noise-file", path, "--kind", "mlp", "--window", 2,
        "--windows", "added", "--metric", "log-prob",
    )
    target = attribution_patching.Target("log_prob", [int(reference.logits(ids).argmax())], None)
    expected = attribution_patching.attribution_patching(
        reference.raw, ids, subject_range, target, "corrupted", "mlp", 2, noise=torch.from_numpy(noise)
    )
    yield close(f"{what}: estimated from", [found["low_score"]], [expected["low_score"]], LOGIT)
    effects = torch.as_tensor(found["scores"]) - found["low_score"]
    yield relative(f"{what}: estimated effects", effects, expected["scores"] - expected["low_score"])


def saved(reference, form, shape):
    noise = numpy.random.RandomState(sum(map(ord, form))).laplace(scale=0.15, size=shape)
    path = reference.folder / ("noise.npz" if form.startswith("npz") else "noise.npy")
    if form == "npy float32":
        noise = noise.astype("float32")
    if form == "npz":
        # The one by this name is meant.
        numpy.savez(path, seeds=numpy.arange(3), noise=noise)
    elif form == "npz compressed":
        numpy.savez_compressed(path, anything=noise)
    else:
        numpy.save(path, noise)
    return noise, path


def adding(noise):
    """In place of `rome.corruption`, which draws."""

    def corruption(subject_range, _noise_std, _samples, _seed):
        begin, end = subject_range

        def corrupt(embedding):
            embedding[1:, begin:end] += torch.from_numpy(noise).double()

        return corrupt

    return corruption
