"""Small random GPT-2 checkpoints in the layouts found on the Hugging Face hub.

The tokenizer is GPT-2's with fewer merges: 256 bytes in OpenAI's order, one token per merge, and
`<|endoftext|>` last. The weights are not an initialisation but large enough for attention to look
somewhere, for the answer to stand out, and for every bias to matter.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer, GPT2TokenizerFast
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

END_OF_TEXT = "<|endoftext|>"
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


@dataclass
class Sizes:
    n_layer: int
    n_head: int
    n_embd: int
    n_positions: int


@dataclass
class Layout:
    """How a checkpoint lies on disk."""

    # "f32", "f16", "bf16", or "mixed": each tensor one of them.
    dtype: str = "f32"
    # Whether names begin with `transformer.`, as `save_pretrained` writes them.
    prefix: bool = True
    # Whether the unembedding is the embedding. If not, Hugging Face wants the prefix.
    tied: bool = True
    # Two files and an index instead of one file.
    sharded: bool = False
    # "json" for the hub's `tokenizer.json`, "pairs" for the newer form whose merges are pairs, "vocab"
    # for `vocab.json` and `merges.txt`.
    tokenizer: str = "json"
    # The causal masks that OpenAI's checkpoints on the hub carry as `h.N.attn.bias`.
    masks: bool = False


def write_checkpoint(folder, merges, sizes, layout, seed):
    """Write a checkpoint and return the model it holds, its rounded weights widened to f32."""
    assert layout.tied or layout.prefix
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = gpt2_vocabulary(merges)
    config = hf_config(sizes, len(vocabulary), layout.tied)
    tensors = {
        name: tensor.to(dtype_of(index, layout.dtype))
        for index, (name, tensor) in enumerate(random_tensors(config, seed).items())
    }
    write_config(folder, config, layout)
    write_tokenizer(folder, vocabulary, merges, layout.tokenizer, sizes.n_positions)
    write_tensors(folder, tensors, sizes, layout)

    config._attn_implementation = "eager"
    model = GPT2LMHeadModel(config).eval()
    widened = {name: tensor.float() for name, tensor in tensors.items()}
    if layout.tied:
        widened["lm_head.weight"] = widened["transformer.wte.weight"]
    model.load_state_dict(widened)
    return model


def random_tensors(config, seed):
    """All weights by their full names, in f32."""
    random = numpy.random.RandomState(seed)
    d_model, d_mlp = config.n_embd, 4 * config.n_embd

    def normal(*shape, std, mean=0.0):
        return torch.from_numpy(mean + std * random.randn(*shape)).float()

    def matrix(n_in, n_out, gain):
        """Outputs have about `gain` times the size of the inputs."""
        return normal(n_in, n_out, std=gain / n_in**0.5)

    def layer_norm(name):
        return {
            f"{name}.weight": normal(d_model, std=0.2, mean=1.0),
            f"{name}.bias": normal(d_model, std=0.1),
        }

    # Logits of standard deviation 2.6: the largest of 657 then has a fair share of the probability.
    embedding_std = 2.6 / d_model**0.5
    tensors = {
        "transformer.wte.weight": normal(config.vocab_size, d_model, std=embedding_std),
        "transformer.wpe.weight": normal(config.n_positions, d_model, std=0.4 * embedding_std),
    }
    for layer in range(config.n_layer):
        block = f"transformer.h.{layer}"
        # Scores of standard deviation 2.5 after the division by the square root of d_head.
        query, key, value = (matrix(d_model, d_model, gain) for gain in (1.6, 1.6, 1.2))
        tensors |= layer_norm(f"{block}.ln_1")
        tensors |= {
            f"{block}.attn.c_attn.weight": torch.cat([query, key, value], dim=1),
            f"{block}.attn.c_attn.bias": normal(3 * d_model, std=0.2),
            f"{block}.attn.c_proj.weight": matrix(d_model, d_model, 0.9),
            f"{block}.attn.c_proj.bias": normal(d_model, std=0.1),
        }
        tensors |= layer_norm(f"{block}.ln_2")
        tensors |= {
            f"{block}.mlp.c_fc.weight": matrix(d_model, d_mlp, 1.2),
            f"{block}.mlp.c_fc.bias": normal(d_mlp, std=0.2),
            f"{block}.mlp.c_proj.weight": matrix(d_mlp, d_model, 1.0),
            f"{block}.mlp.c_proj.bias": normal(d_model, std=0.1),
        }
    tensors |= layer_norm("transformer.ln_f")
    if not config.tie_word_embeddings:
        tensors["lm_head.weight"] = normal(config.vocab_size, d_model, std=embedding_std)
    return tensors


def dtype_of(index, name):
    return list(DTYPES.values())[index % 3] if name == "mixed" else DTYPES[name]


def hf_config(sizes, n_vocab, tied):
    return GPT2Config(
        vocab_size=n_vocab,
        n_positions=sizes.n_positions,
        n_embd=sizes.n_embd,
        n_layer=sizes.n_layer,
        n_head=sizes.n_head,
        bos_token_id=n_vocab - 1,
        eos_token_id=n_vocab - 1,
        tie_word_embeddings=tied,
    )


def write_config(folder, config, layout):
    """Only what the hub's files have, so that it does not change with the library's version."""
    entries = {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": config.bos_token_id,
        "embd_pdrop": 0.1,
        "eos_token_id": config.eos_token_id,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": config.n_positions,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_layer": config.n_layer,
        "n_positions": config.n_positions,
        "resid_pdrop": 0.1,
        "vocab_size": config.vocab_size,
    }
    if layout.prefix:
        # Written by a newer `save_pretrained`.
        del entries["n_ctx"]
        entries |= {
            "n_inner": None,
            "reorder_and_upcast_attn": False,
            "scale_attn_by_inverse_layer_idx": False,
            "scale_attn_weights": True,
            "torch_dtype": {"f16": "float16", "bf16": "bfloat16"}.get(layout.dtype, "float32"),
        }
    if not layout.tied:
        entries["tie_word_embeddings"] = False
    write_json(folder / "config.json", entries, indent=2)


def write_tensors(folder, tensors, sizes, layout):
    """One `model.safetensors`, or two with an index."""
    if layout.masks:
        mask = torch.ones(sizes.n_positions, sizes.n_positions).tril()[None, None]
        tensors = tensors | {
            f"transformer.h.{layer}.attn.bias": mask.clone() for layer in range(sizes.n_layer)
        }
    if not layout.prefix:
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    total = sum(tensor.nbytes for tensor in tensors.values())
    # A first file of up to 60 % leaves the rest for a second.
    limit = total * 6 // 10 if layout.sharded else total
    split = split_torch_state_dict_into_shards(tensors, max_shard_size=limit)
    for file, names in split.filename_to_tensors.items():
        save_file({name: tensors[name] for name in names}, folder / file, metadata={"format": "pt"})
        # It is written for its owner alone.
        (folder / file).chmod(0o644)
    assert len(split.filename_to_tensors) == 1 + layout.sharded
    if split.is_sharded:
        weight_map = dict(sorted(split.tensor_to_filename.items()))
        index = {"metadata": split.metadata, "weight_map": weight_map}
        write_json(folder / "model.safetensors.index.json", index, indent=2)


def read_merges(path, n_merges):
    """The first lines of OpenAI's `vocab.bpe`, which the hub calls `merges.txt`."""
    lines = [line for line in Path(path).read_text(encoding="utf-8").split("\n") if line]
    return [line for line in lines if not line.startswith("#version")][:n_merges]


def gpt2_vocabulary(merges):
    tokens = [*bytes_to_unicode().values(), *(merge.replace(" ", "") for merge in merges), END_OF_TEXT]
    assert len(set(tokens)) == len(tokens)
    return {token: id for id, token in enumerate(tokens)}


def write_tokenizer(folder, vocabulary, merges, form, n_positions):
    """The files of the hub's `gpt2`, in one of their forms."""
    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False,
        "bos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
        "eos_token": END_OF_TEXT,
        "model_max_length": n_positions,
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": END_OF_TEXT,
    }, indent=2)
    if form == "vocab":
        write_json(folder / "vocab.json", vocabulary)
        text = "\n".join(["#version: 0.2", *merges, ""])
        (folder / "merges.txt").write_text(text, encoding="utf-8")
        return

    def byte_level(add_prefix_space, trim_offsets):
        return {
            "type": "ByteLevel",
            "add_prefix_space": add_prefix_space,
            "trim_offsets": trim_offsets,
            "use_regex": True,
        }

    end_of_text = {
        "id": vocabulary[END_OF_TEXT],
        "content": END_OF_TEXT,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    write_json(folder / "tokenizer.json", {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end_of_text],
        "normalizer": None,
        "pre_tokenizer": byte_level(add_prefix_space=False, trim_offsets=True),
        "post_processor": byte_level(add_prefix_space=True, trim_offsets=False),
        "decoder": byte_level(add_prefix_space=True, trim_offsets=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "vocab": vocabulary,
            "merges": [merge.split(" ") for merge in merges] if form == "pairs" else merges,
        },
    })


def read_tokenizers(folder):
    """Every Hugging Face tokenizer that the files in `folder` allow."""
    folder = Path(folder)
    options = {"clean_up_tokenization_spaces": False}
    if (folder / "tokenizer.json").is_file():
        return [
            PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **options),
            GPT2TokenizerFast.from_pretrained(folder, **options),
        ]
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    return [GPT2TokenizerFast(*files, **options), GPT2Tokenizer(*files, **options)]


def token_bytes(tokenizer, id):
    """The bytes that a token stands for."""
    token = tokenizer.convert_ids_to_tokens(id)
    if token == END_OF_TEXT:
        return token.encode()
    byte_of = {char: byte for byte, char in bytes_to_unicode().items()}
    return bytes(byte_of[char] for char in token)


def readable(data):
    """Bytes as text; those that are no whole character are written `<E6 9D>`."""
    shown, rest = [], b""
    # Bytes that are no character become lone surrogates, one for each.
    for char in [*data.decode(errors="surrogateescape"), ""]:
        if "\udc80" <= char <= "\udcff":
            rest += char.encode(errors="surrogateescape")
            continue
        if rest:
            shown.append(f"<{' '.join(f'{byte:02X}' for byte in rest)}>")
            rest = b""
        shown.append(char)
    return "".join(shown)


def readable_tokens(tokenizer, ids):
    """The text of tokens together."""
    return readable(b"".join(token_bytes(tokenizer, id) for id in ids))


def encode(tokenizers, text, bos):
    """Ids and the text of each token, the same from every tokenizer.

    The tokens' bytes add up to the text; a token that is no whole character shows its bytes.
    """
    ids, *others = [tokenizer.encode(text, add_special_tokens=False) for tokenizer in tokenizers]
    assert all(ids == other for other in others), f"the tokenizers disagree on {text!r}"
    pieces = [token_bytes(tokenizers[0], id) for id in ids]
    assert b"".join(pieces) == text.encode()
    decoded = [piece.decode(errors="replace") for piece in pieces]
    assert all(decoded == [t.decode([id]) for id in ids] for t in tokenizers)
    tokens = [readable(piece) for piece in pieces]
    if bos:
        ids, tokens = [tokenizers[0].convert_tokens_to_ids(END_OF_TEXT), *ids], [END_OF_TEXT, *tokens]
    return ids, tokens


def tokens_overlapping(tokenizer, ids, n_bos, byte_range):
    """The range of tokens that share a byte with a range of the text."""
    begin = end = None
    start = 0
    for pos, id in enumerate(ids[n_bos:], n_bos):
        stop = start + len(token_bytes(tokenizer, id))
        if start < byte_range[1] and stop > byte_range[0]:
            begin = pos if begin is None else begin
            end = pos + 1
        start = stop
    return begin, end


def write_json(path, value, indent=None):
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    Path(path).write_text(text + "\n", encoding="utf-8")
