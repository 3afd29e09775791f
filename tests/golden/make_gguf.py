"""Write the small GGUF files of tests/fixtures/formats/gguf, and what others make of them.

The models are those of `make_formats.py`; `transformers` reads each file and computes its logits. The
tokenizers are judged by llama.cpp and by SentencePiece. Needs `pip install torch transformers gguf
sentencepiece llama-cpp-python`; nothing is downloaded.
"""

import argparse
import hashlib
import json
import os
import tempfile
import unicodedata
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import llama_cpp
import numpy
import sentencepiece
import torch
from gguf import GGMLQuantizationType as Q
from gguf import TokenType
from transformers import GPT2LMHeadModel

from make_formats import FORMATS, IDS, model_of, state_of
from make_tokenizers import TEXTS, byte_level, corpus

OUT = FORMATS / "gguf"

# One file of these rules each would hold the same vocabulary again.
RULES = [
    "gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "deepseek-r1-qwen", "gpt-4o", "tekken", "falcon", "default",
]
MORE_TEXTS = [
    "I'LL they've WE'RE 'tis HTTPServer camelCase",
    "a     b\n\n\n  c\r\n d",
    "def f(x):\n    return x**2  # 10%\n\n\n",
    "100,000.50$ 1234567 ½ ٣ 3.14",
    "     leading and trailing     ",
    "Ǆungla ǅungla ªº ʰ ท่าน",
]

# GGUF's names of GPT-2's tensors; Hugging Face's maps are transposed.
NAMES = {
    "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def gguf_name(name):
    stem, kind = name.removeprefix("transformer.").rsplit(".", 1)
    if not stem.startswith("h."):
        return f"{NAMES[stem]}.{kind}"
    _, layer, part = stem.split(".", 2)
    return f"blk.{layer}.{NAMES[part]}.{kind}"


def writer_of(path, architecture="gpt2"):
    writer = gguf.GGUFWriter(path, architecture)
    return writer


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_model(path, model, type_of, alignment=None):
    config = model.config
    writer = writer_of(path)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    writer.add_block_count(config.n_layer)
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    # One of each type of metadata.
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60_000)
    writer.add_int16("test.i16", -30_000)
    writer.add_int32("test.i32", -2_000_000_000)
    writer.add_uint64("test.u64", 1 << 60)
    writer.add_int64("test.i64", -(1 << 60))
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_array("test.floats", [0.5, 1.5])
    add_letters(writer, config.vocab_size)
    rng = numpy.random.default_rng(3)
    for name, weight in state_of(model).items():
        weight = weight.numpy()
        if weight.ndim == 2 and "wte" not in name and "wpe" not in name:
            weight = weight.T
        weight = numpy.ascontiguousarray(weight)
        kind = type_of(name)
        if kind in (Q.Q4_K, Q.Q5_K, Q.Q6_K):
            data = random_blocks(kind, weight.shape, rng)
        else:
            data = gguf.quants.quantize(weight, kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
    finish(writer)


def random_blocks(kind, shape, rng):
    """Random blocks of a type that Python cannot write, with scales that give numbers of about 0.3."""
    per_block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (shape[0] * shape[1] // per_block, size), dtype=numpy.uint8)
    scales = {Q.Q4_K: [(0, 0.001), (2, 0.008)], Q.Q5_K: [(0, 0.0005), (2, 0.008)], Q.Q6_K: [(208, 0.0002)]}
    for at, scale in scales[kind]:
        values = (scale * rng.uniform(0.5, 1.5, len(blocks))).astype(numpy.float16)
        blocks[:, at : at + 2] = values.view(numpy.uint8).reshape(-1, 2)
    return blocks.reshape(shape[0], -1)


def add_letters(writer, n):
    """A vocabulary of letters, and one word."""
    letters = ["Ġ", *map(chr, range(ord("a"), ord("z") + 1)), *map(chr, range(ord("A"), ord("Z") + 1))]
    letters = [*letters[: n - 3], "th", "the"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*letters, "<|endoftext|>"])
    writer.add_token_types([TokenType.NORMAL] * (n - 1) + [TokenType.CONTROL])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(n - 1)
    writer.add_eos_token_id(n - 1)


def golden_of(path, config):
    """The configuration is given, for `transformers` 5 does not read the context's length."""
    model = GPT2LMHeadModel.from_pretrained(path.parent, gguf_file=path.name, config=config).eval()
    with torch.no_grad():
        logits = model(torch.tensor([IDS])).logits[0, -1]
    return {"ids": IDS, "logits": [float(it) for it in logits]}


def every_type(name):
    """Another type for each kind of matrix in each layer."""
    layer = int(name.split(".")[2]) if ".h." in name else 0
    if name.endswith("bias") or ".ln_" in name:
        return Q.F32
    for part, kinds in {
        "c_attn": [Q.Q4_0, Q.Q4_1, Q.Q5_0], "attn.c_proj": [Q.Q5_1, Q.Q8_0, Q.BF16],
        "c_fc": [Q.F16, Q.Q4_0, Q.Q5_1], "mlp.c_proj": [Q.Q4_K, Q.Q5_K, Q.Q6_K], "wte": [Q.Q8_0], "wpe": [Q.F16],
    }.items():
        if part in name:
            return kinds[layer]


def write_byte_level(path, rule):
    tokenizer = byte_level()
    saved = json.loads(tokenizer.to_str())
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda it: it[1])
    added = {it["id"] for it in saved["added_tokens"]}
    n = len(vocab)
    writer = writer_of(path)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(rule)
    writer.add_token_list([*(token for token, _ in vocab), "<|user|>", ""])
    types = [TokenType.CONTROL if id in added else TokenType.NORMAL for _, id in vocab]
    writer.add_token_types([*types, TokenType.USER_DEFINED, TokenType.UNUSED])
    writer.add_token_merges([" ".join(it) for it in saved["model"]["merges"]])
    writer.add_eos_token_id(n - 1)
    writer.add_bos_token_id(n - 1)
    finish(writer)


def train(path, **settings):
    with tempfile.TemporaryDirectory() as dir:
        text = Path(dir) / "text"
        text.write_text("\n".join(corpus()))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=f"{dir}/model", model_type="bpe", vocab_size=700, byte_fallback=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True,
            character_coverage=0.99, minloglevel=2, **settings,
        )
        model = sentencepiece.SentencePieceProcessor(f"{dir}/model.model")
    writer = writer_of(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    tokens, scores, types = [], [], []
    for id in range(model.get_piece_size()):
        token = model.id_to_piece(id)
        kind = TokenType.NORMAL
        if model.is_unknown(id):
            kind = TokenType.UNKNOWN
        elif model.is_control(id):
            kind = TokenType.CONTROL
        elif model.is_byte(id):
            kind = TokenType.BYTE
        elif token in settings.get("user_defined_symbols", []):
            # As llama.cpp writes them.
            token, kind = token.replace("▁", " "), TokenType.USER_DEFINED
        tokens.append(token)
        scores.append(model.get_score(id))
        types.append(kind)
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_add_space_prefix(settings.get("add_dummy_prefix", True))
    writer.add_bos_token_id(model.bos_id())
    writer.add_eos_token_id(model.eos_id())
    writer.add_unk_token_id(model.unk_id())
    finish(writer)
    return model


def of_llama_cpp(path, texts):
    """The ids by llama.cpp, which reads an architecture only with its sizes."""
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return [model.tokenize(it.encode(), add_bos=False, special=True) for it in texts]


TRAINED_TEXTS = [
    "The Eiffel Tower is located in the city of", "The mother tongue of Danielle Darrieux is",
    *(it for it in TEXTS if "<s>" not in it), *MORE_TEXTS,
]


def of_trained(path):
    """What is known of a trained model's file: its tokens by llama.cpp, and for each type of numbers the
    hash of all tensors of that type, one after the other, as `f32`."""
    hashes = {}
    for tensor in gguf.GGUFReader(path).tensors:
        numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype("<f4")
        hashes.setdefault(tensor.tensor_type.name, hashlib.sha256()).update(numbers.tobytes())
    return {
        "texts": TRAINED_TEXTS,
        "ids": of_llama_cpp(path, TRAINED_TEXTS),
        "sha256": {name: it.hexdigest() for name, it in hashes.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--trained", nargs="+", type=Path, metavar="FILE.gguf", help="write what is known of these files, and no other"
    )
    trained = parser.parse_args().trained
    OUT.mkdir(parents=True, exist_ok=True)
    if trained:
        found = {it.name: of_trained(it) for it in trained}
        (OUT / "trained.json").write_text(json.dumps(found, ensure_ascii=False) + "\n")
        return
    small = model_of(7, n_layer=2, n_head=2, n_embd=8)
    write_model(OUT / "small.gguf", small, lambda _: Q.F32)
    wide = model_of(9, n_layer=3, n_head=2, n_embd=32, n_inner=256)
    write_model(OUT / "quantised.gguf", wide, every_type, alignment=64)
    golden = {
        name: golden_of(OUT / f"{name}.gguf", model.config)
        for name, model in (("small", small), ("quantised", wide))
    }
    plain = json.loads((FORMATS / "safetensors" / "golden.json").read_text())
    assert numpy.allclose(golden["small"]["logits"], plain["logits"], atol=1e-5), "transformers reads another model"
    (OUT / "golden.json").write_text(json.dumps(golden) + "\n")

    texts = [it for it in TEXTS if "<s>" not in it] + MORE_TEXTS
    cases = {}
    for rule in RULES:
        path = OUT / "byte-level.gguf"
        write_byte_level(path, rule)
        # The model's own tokenizer composes accents first, llama.cpp does not.
        given = [unicodedata.normalize("NFC", it) if rule == "qwen2" else it for it in texts]
        cases[rule] = of_llama_cpp(path, given)
    for name, settings in {
        "sentencepiece": {},
        "sentencepiece-bare": {
            "add_dummy_prefix": False, "user_defined_symbols": ["\n", "\n\n", "▁▁", "▁▁▁", "<|user|>"],
        },
    }.items():
        path = OUT / f"{name}.gguf"
        model = train(path, **settings)
        cases[name] = [model.encode(it) for it in texts]
        theirs = of_llama_cpp(path, texts)
        for text, right, other in zip(texts, cases[name], theirs):
            if right != other:
                print(f"llama.cpp differs from SentencePiece on {text!r} ({name}): {other} instead of {right}")
    (OUT / "tokens.json").write_text(json.dumps({"texts": texts, "ids": cases}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
