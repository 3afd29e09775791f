"""Write the small tokenizers of tests/fixtures/tokenizers, and what `transformers` makes of texts.

One folder per way in which files describe a tokenizer. `cases.json` holds for each text the ids that
`AutoTokenizer` gives, with what it puts before and after them, and which token is its BOS.

Needs transformers 4.57 and tokenizers; nothing is downloaded.
"""

import json
import os
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "fixtures" / "tokenizers"
END = "<|endoftext|>"
WORLD = "東京は日本の首都です。 दिल्ली भारत की राजधानी है। Москва — столица России. القاهرة عاصمة مصر. Ελλάδα 🙂🙃"

TEXTS = [
    "The capital of France is",
    " The capital",
    "Paris is  the   capital of\n\nFrance",
    "Málaga is in España; M\u0301alaga, cafe\u0301",
    "東京 and दिल्ली and 🙂 don't MIX 12345 3.14",
    "Hi <|user|> there <|bot|>, a <mask> b<mask>c đem now",
    "<s>Hello</s> <unk> <0x41> ▁x",
    "word lowerword Wordy",
    "x",
    "\tTabs\t and \u00a0 spaces ",
]


def corpus():
    facts = json.loads((ROOT / "data" / "facts.json").read_text())
    for fact in facts[:600]:
        rewrite = fact["requested_rewrite"]
        yield f'{rewrite["prompt"].replace("{}", rewrite["subject"])} {rewrite["target_true"]["str"]}.'
    for _ in range(8):
        yield WORLD


def byte_level(n=420, words=None, special=(END,)):
    tokenizer = Tokenizer(models.BPE())
    if words is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=n,
        special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def marked(normalizer, pre_tokenizer, special, n=650):
    """A vocabulary of SentencePiece's kind: `▁` for a space, and a token for each byte."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(
        vocab_size=n,
        special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        limit_alphabet=80,
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    # Bytes are no special tokens.
    saved = json.loads(tokenizer.to_str())
    saved["added_tokens"] = [it for it in saved["added_tokens"] if it["content"] in special]
    tokenizer = Tokenizer.from_str(json.dumps(saved))
    tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
    ])
    return tokenizer


def write(name, files):
    folder = OUT / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (folder / file).write_text(text + "\n")
    return folder


def slow_files(tokenizer):
    saved = json.loads(tokenizer.to_str())["model"]
    vocab = dict(sorted(saved["vocab"].items(), key=lambda it: it[1]))
    vocab[END] = len(vocab)
    return {"vocab.json": vocab, "merges.txt": "#version: 0.2\n" + "\n".join(" ".join(it) for it in saved["merges"])}


def fast_file(tokenizer):
    return {"tokenizer.json": tokenizer.to_str()}


def folders():
    gpt2 = byte_level()
    slow, fast = slow_files(gpt2), fast_file(gpt2)
    bare = {"config.json": {"model_type": "gpt2"}}
    n = len(slow["vocab.json"])
    config = {"tokenizer_class": "GPT2Tokenizer"}
    yield "gpt2-bare", bare | slow
    yield "gpt2-added", bare | slow | {
        "added_tokens.json": {"<|user|>": n, "<|bot|>": n + 1},
        "special_tokens_map.json": {
            "additional_special_tokens": ["<|user|>", "<|bot|>"],
            "bos_token": END, "eos_token": END, "unk_token": END,
        },
        "tokenizer_config.json": config,
    }
    yield "gpt2-space", bare | slow | {"tokenizer_config.json": config | {"add_prefix_space": True}}
    yield "gpt2-bos", bare | slow | {
        "tokenizer_config.json": config | {"add_bos_token": True, "bos_token": "<|bot|>"},
        "added_tokens.json": {"<|bot|>": n},
    }
    yield "gpt2-flags", bare | fast | {
        "tokenizer_config.json": config | {
            "added_tokens_decoder": {
                str(n - 1): flags(END, special=True),
                str(n): flags("<mask>", lstrip=True, special=True),
                str(n + 1): flags("<|bot|>", rstrip=True),
                str(n + 2): flags("đem", normalized=True),
                str(n + 3): flags("word", single_word=True, normalized=True),
                str(n + 4): flags("Málaga", normalized=True),
                str(n + 5): flags("東京", normalized=True),
            },
            "mask_token": "<mask>",
        },
    }
    spaced = Tokenizer.from_str(gpt2.to_str())
    spaced.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    yield "gpt2-space-unsaid", bare | fast_file(spaced)
    yield "gpt2-start", bare | fast | {
        "tokenizer_config.json": config | {"bos_token": "<|startoftext|>", "eos_token": END, "unk_token": END},
    }
    yield "neox", fast | {"tokenizer_config.json": {"tokenizer_class": "GPTNeoXTokenizer", "pad_token": "<pad>"}}
    yield "neox-bos", fast | {"tokenizer_config.json": {"tokenizer_class": "GPTNeoXTokenizer", "add_bos_token": True}}

    llama3 = byte_level(
        words=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        special=("<|begin_of_text|>", "<|end_of_text|>"),
    )
    llama3.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<|begin_of_text|> $A",
            special_tokens=[("<|begin_of_text|>", llama3.token_to_id("<|begin_of_text|>"))],
        ),
    ])
    yield "llama3", fast_file(llama3) | {
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>",
        },
    }
    qwen = byte_level(
        words=r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    )
    yield "qwen2", slow_files(qwen) | {
        "tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": END, "pad_token": END},
    }

    special = ["<unk>", "<s>", "</s>"]
    old = marked(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, special,
    )
    named = {
        role: {"__type": "AddedToken"} | flags(token)
        for role, token in [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]
    }
    yield "llama", fast_file(old) | {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"} | named}
    new = marked(None, pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False), special)
    yield "llama-first", fast_file(new) | {
        "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False, "legacy": False} | named,
    }
    gemma = marked(
        normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"),
        ["<pad>", "<eos>", "<bos>", "<unk>"],
    )
    gemma.add_tokens([AddedToken("\n\n", normalized=False), AddedToken("▁▁", normalized=False)])
    yield "gemma", fast_file(gemma) | {"config.json": {"model_type": "gemma2"}}


def flags(content, special=False, **changes):
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    return {"content": content, **plain, **changes} | ({"special": True} if special else {})


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for name, files in folders():
        folder = write(name, files)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        cases = {
            "bos": tokenizer.bos_token_id,
            "eos": tokenizer.eos_token_id,
            "n_tokens": len(tokenizer),
            "texts": [
                {"text": text, "ids": tokenizer(text).input_ids, "bare": tokenizer(text, add_special_tokens=False).input_ids}
                for text in TEXTS
            ],
        }
        (folder / "cases.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")
        print(name, type(tokenizer).__name__, len(tokenizer), tokenizer.bos_token)


if __name__ == "__main__":
    main()
