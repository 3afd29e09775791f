"""Write the small weight files of tests/fixtures/formats, in the formats that Factscope opens.

The same weights lie in several files, so that each can be compared with safetensors; `golden.json` holds
the logits that Hugging Face computes from them. What the files of `refused` hold stands in `refuse`.
Needs `pip install torch transformers safetensors`; nothing is downloaded, and nothing that the files
name is run here or there.
"""

import argparse
import collections
import json
import os
import struct
import zipfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

FORMATS = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
IDS = [3, 14, 15, 9, 26, 5]


def model_of(seed, **sizes):
    """A GPT-2 with random weights that are large enough to matter."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=40, n_positions=16, bos_token_id=39, eos_token_id=39, attn_implementation="eager", **sizes
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            is_gain = ".ln_" in name and name.endswith("weight")
            weight.copy_(torch.randn_like(weight) * 0.3 + (1.0 if is_gain else 0.0))
    return model


def state_of(model):
    """What a checkpoint of the model holds: without the unembedding, which is tied."""
    return {name: it for name, it in model.state_dict().items() if name != "lm_head.weight"}


def write(dir, model, state, save):
    """A model folder. `save` writes the weights into it."""
    dir.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict()
    config = {key: config[key] for key in (
        "model_type", "n_layer", "n_head", "n_embd", "n_inner", "n_positions", "vocab_size",
        "layer_norm_epsilon", "activation_function", "tie_word_embeddings", "bos_token_id", "eos_token_id",
    )}
    (dir / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save(dir, state)


def write_golden(dir, model):
    with torch.no_grad():
        logits = model(torch.tensor([IDS])).logits[0, -1]
    golden = {"ids": IDS, "logits": [float(it) for it in logits]}
    (dir / "golden.json").write_text(json.dumps(golden) + "\n")


def as_found(state):
    """The same weights in the ways that checkpoints have them: views of shared storages, transposed, as
    parameters, tied, with the masks of old checkpoints, and with a prefix."""
    found = collections.OrderedDict()
    # All gains and biases of layer norms are parts of one storage.
    norms = [name for name in state if ".ln_" in name]
    shared = torch.cat([state[name] for name in norms])
    start = 0
    for name, weight in state.items():
        if name in norms:
            start = sum(state[it].numel() for it in norms[: norms.index(name)])
            found[name] = shared[start : start + weight.numel()]
        elif name.endswith("c_fc.weight"):
            found[name] = weight.t().contiguous().t()
        elif name.endswith("c_fc.bias"):
            wide = torch.zeros(3 * weight.numel() + 1)
            wide[1::3] = weight
            found[name] = wide[1::3]
        elif name.endswith("wpe.weight"):
            found[name] = torch.nn.Parameter(weight)
        else:
            found[name] = weight
    for layer in range(2):
        mask = torch.tril(torch.ones(16, 16, dtype=torch.uint8)).view(1, 1, 16, 16)
        found[f"transformer.h.{layer}.attn.bias"] = mask
        found[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    found["lm_head.weight"] = found["transformer.wte.weight"]
    return found


def widened(path, out):
    """A copy of an archive whose directory has 64-bit numbers, as archives above 4 GiB have."""
    data = bytearray()
    directory = bytearray()
    source = zipfile.ZipFile(path)
    for info in source.infolist():
        name, content = info.filename.encode(), source.read(info)
        at = len(data)
        data += struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 0, 0, 0, info.CRC, len(content), len(content), len(name), 0)
        data += name + content
        extra = struct.pack("<HHQQQ", 1, 24, len(content), len(content), at)
        directory += struct.pack(
            "<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, 0, 0, 0, 0, info.CRC, 0xFFFFFFFF, 0xFFFFFFFF, len(name),
            len(extra), 0, 0, 0, 0, 0xFFFFFFFF,
        )
        directory += name + extra
    n = len(source.infolist())
    at = len(data)
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, n, n, len(directory), at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at + len(directory), 1)
    small = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    out.write_bytes(data + directory + end + locator + small)


def shards(dir, state, name, save, dtype_of):
    """Two shards with an index, of mixed types."""
    names = sorted(state)
    index = {}
    for nth, part in enumerate((names[::2], names[1::2]), start=1):
        file = name.format(nth)
        save({it: state[it].to(dtype_of(it)) for it in part}, dir / file)
        index |= {it: file for it in part}
    stem = "model.safetensors" if name.endswith("safetensors") else "pytorch_model.bin"
    total = sum(it.numel() * 4 for it in state.values())
    (dir / f"{stem}.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": index}, indent=1) + "\n"
    )


def mixed(name):
    """Each kind of tensor in a type of its own."""
    if ".ln_" in name or name.endswith("bias"):
        return torch.float32
    return torch.float16 if "mlp" in name else torch.bfloat16


class Runs:
    """Runs a function when it is unpickled where code is run."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def refuse(dir):
    dir.mkdir(parents=True, exist_ok=True)
    weights = {"wte.weight": torch.arange(12.0).reshape(3, 4)}
    torch.save(weights | {"x": Runs(os.system, "true")}, dir / "runs-a-command.bin")
    torch.save(
        weights | {"x": Runs(eval, "1")}, dir / "evaluates.bin", _use_new_zipfile_serialization=False
    )
    torch.save(torch.nn.Linear(2, 2), dir / "whole-module.bin")
    torch.save(weights["wte.weight"], dir / "no-dictionary.bin")
    torch.save({"wte.weight": torch.ones(1).expand(8)}, dir / "repeats.bin")
    torch.save({"state_dict": weights, "epoch": 3, "lr": 1e-3, "milestones": [1, (2,)]}, dir / "wrapped.bin")
    torch.save(weights, dir / "weights.bin")
    source = zipfile.ZipFile(dir / "weights.bin")
    packed = {
        "compressed.bin": (zipfile.ZIP_DEFLATED, {}),
        "big-endian.bin": (zipfile.ZIP_STORED, {"byteorder": b"big"}),
        "program.bin": (zipfile.ZIP_STORED, {"constants.pkl": b"\x80\x02)."}),
        "no-pickle.bin": (zipfile.ZIP_STORED, {"data.pkl": None}),
        "no-storage.bin": (zipfile.ZIP_STORED, {"data/0": None}),
        "short-storage.bin": (zipfile.ZIP_STORED, {"data/0": bytes(40)}),
    }
    for name, (method, changes) in packed.items():
        files = {it.split("/", 1)[1]: source.read(it) for it in source.namelist()} | changes
        with zipfile.ZipFile(dir / name, "w", method) as archive:
            for file, content in files.items():
                if content is not None:
                    archive.writestr(zipfile.ZipInfo(f"weights/{file}"), content, method)
    (dir / "weights.bin").unlink()


def main():
    argparse.ArgumentParser(description=__doc__.split("\n\n")[0]).parse_args()
    model = model_of(7, n_layer=2, n_head=2, n_embd=8)
    state = state_of(model)
    plain = FORMATS / "safetensors"
    write(plain, model, state, lambda dir, it: save_file(it, dir / "model.safetensors"))
    write_golden(plain, model)

    found = as_found(state)
    assert all(torch.equal(found[name], it) for name, it in state.items())
    write(FORMATS / "pytorch", model, found, lambda dir, it: torch.save(it, dir / "pytorch_model.bin"))
    write(
        FORMATS / "pytorch-old", model, found,
        lambda dir, it: torch.save(it, dir / "pytorch_model.bin", _use_new_zipfile_serialization=False),
    )
    write(
        FORMATS / "pytorch-wide", model, state,
        lambda dir, it: (
            torch.save(it, dir / "narrow.bin", pickle_protocol=4),
            widened(dir / "narrow.bin", dir / "pytorch_model.bin"),
            (dir / "narrow.bin").unlink(),
        ),
    )
    # What PyTorch itself reads back; its own reader that runs no code knows protocol 2 alone.
    for name in ("pytorch", "pytorch-old", "pytorch-wide"):
        read = torch.load(FORMATS / name / "pytorch_model.bin", weights_only=name != "pytorch-wide")
        assert all(torch.equal(read[it], weight) for it, weight in state.items()), name
    write(
        FORMATS / "sharded-safetensors", model, state,
        lambda dir, it: shards(dir, it, "model-{:05}-of-00002.safetensors", save_file, mixed),
    )
    write(
        FORMATS / "sharded-pytorch", model, state,
        lambda dir, it: shards(dir, it, "pytorch_model-{:05}-of-00002.bin", torch.save, mixed),
    )
    rounded = model_of(7, n_layer=2, n_head=2, n_embd=8)
    rounded.load_state_dict({name: it.to(mixed(name)).float() for name, it in rounded.state_dict().items()})
    write_golden(FORMATS / "sharded-safetensors", rounded)
    refuse(FORMATS / "refused")


if __name__ == "__main__":
    main()
