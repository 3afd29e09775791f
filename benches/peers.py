"""The Python side of the benchmark: what Factscope is compared with, one peer per process.

`rome` is ROME's procedure on a Hugging Face model, and that model by itself; `transformer-lens` is
TransformerLens with its usual processing of weights. Both are the ones that the golden tests use.

Questions come as JSON, one a line, on standard input; each is answered by one line. Times are taken
here, around the work alone, so that neither Python's start nor the talking is counted. The questions
are those of `speed/question.rs`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

# Nothing here needs the hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "golden"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", choices=list(PEERS), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--on", choices=["cpu", "gpu"], default="cpu")
    options = parser.parse_args()

    # The libraries chat on standard output, which is ours to answer on.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(reply):
        answers.write(json.dumps(reply) + "\n")
        answers.flush()

    try:
        import torch

        torch.set_num_threads(options.threads)
        torch.set_grad_enabled(False)
        if options.on == "gpu" and torch.cuda.is_available():
            # What is compared is f32.
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.set_default_device("cuda")
        peer = PEERS[options.peer]()
    except Exception as error:
        # Not only a package that is missing: one that is broken fails in its own way.
        answer({"error": f"{type(error).__name__}: {error}"})
        return
    answer({"labels": [*peer.versions(), f"on {device_name()}"]})

    for line in sys.stdin:
        question = json.loads(line)
        try:
            reply = getattr(peer, question["do"])(question)
        except Exception as error:
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        answer(reply)


class Rome:
    """ROME's procedure on `transformers`: eleven rows a cell, every cell from the first layer on."""

    def __init__(self):
        import rome
        import transformers

        warm_up(transformers)
        self.rome = rome
        self.transformers = transformers
        self.model = None

    def versions(self):
        import torch

        return [f"transformers {self.transformers.__version__}", f"torch {torch.__version__}"]

    def load(self, question):
        start = time.perf_counter()
        model = self.transformers.GPT2LMHeadModel.from_pretrained(question["model"]).float()
        self.model = model.eval().to(device())
        secs = time.perf_counter() - start
        check_is_f32(self.model)
        return {"secs": [secs, load_tokenizer(self.transformers, question["model"])]}

    def forward(self, question):
        import torch

        rows = torch.tensor(question["rows"])
        keep = {"last": 1, "all": 0}[question["reads"]]
        start = time.perf_counter()
        logits = self.model(rows, use_cache=False, logits_to_keep=keep).logits
        # A card has a queue, which is empty when something is read back.
        values = logits[0, -1].tolist()
        return {"secs": [time.perf_counter() - start], "values": values}

    def cells(self, question):
        prompt = question["prompt"]
        n_layers = len(self.model.transformer.h)
        kind = {"hidden": None, "mlp": "mlp", "attn": "attn"}[question["component"]]

        def states(layer, pos):
            if kind is None:
                return [(pos, self.rome.layer_name(layer))]
            layers = self.rome.window_layers(layer, question["window"], n_layers)
            return [(pos, self.rome.layer_name(restored, kind)) for restored in layers]

        def probability(layer, pos):
            return self.rome.trace_with_patch(
                self.model,
                prompt["ids"],
                states(layer, pos),
                prompt["answer"]["ids"][0],
                (prompt["subject"]["start"], prompt["subject"]["end"]),
                question["noise_std"],
                samples=question["n_samples"],
                seed=question["seed"],
            ).item()

        return measured(probability, question["cells"])

    def matmul(self, question):
        return matmul(question)


class TransformerLens:
    """Patching and attribution as its users do them, on weights processed as `from_pretrained` does."""

    def __init__(self):
        import hooked
        import transformers

        warm_up(transformers)
        self.hooked = hooked
        self.transformers = transformers
        self.model = None

    def versions(self):
        from importlib.metadata import version

        return [f"transformer-lens {version('transformer-lens')}"]

    def load(self, question):
        start = time.perf_counter()
        with on_cpu():
            source = self.transformers.GPT2LMHeadModel.from_pretrained(question["model"]).float()
            self.model = self.hooked.processed_model(source)
        self.model = self.model.to(device())
        secs = time.perf_counter() - start
        check_is_f32(self.model)
        return {"secs": [secs, load_tokenizer(self.transformers, question["model"])]}

    def forward(self, question):
        import torch

        rows = torch.tensor(question["rows"])
        start = time.perf_counter()
        values = self.model(rows)[0, -1].tolist()
        return {"secs": [time.perf_counter() - start], "values": values}

    def cells(self, question):
        import numpy
        import torch

        prompt = question["prompt"]
        begin, end = prompt["subject"]["start"], prompt["subject"]["end"]
        n_layers, n_samples = self.model.cfg.n_layers, question["n_samples"]
        rows = torch.tensor([prompt["ids"]] * n_samples)
        answer = prompt["answer"]["ids"][0]
        point = {
            "hidden": "hook_resid_post", "mlp": "hook_mlp_out", "attn": "hook_attn_out",
        }[question["component"]]
        random = numpy.random.RandomState(question["seed"])
        draws = random.randn(n_samples, end - begin, self.model.cfg.d_model)
        noise = (question["noise_std"] * torch.from_numpy(draws)).to(device())
        points = [f"blocks.{layer}.{point}" for layer in range(n_layers)]
        _, clean = self.model.run_with_cache(rows[:1], names_filter=points)

        def corrupt(embedding, hook):
            embedding[:, begin:end] += noise
            return embedding

        def window(layer):
            below, above = question["window"] // 2, -(-question["window"] // 2)
            if question["component"] == "hidden":
                below, above = 0, 1
            return range(max(0, layer - below), min(n_layers, layer + above))

        def probability(layer, pos):
            def restoring(name):
                # Not by `hook.name`: in TransformerLens 4 a hook point has several names.
                def restore(activation, hook):
                    activation[:, pos] = clean[name][0, pos]
                    return activation

                return name, restore

            hooks = [restoring(points[restored]) for restored in window(layer)]
            logits = self.model.run_with_hooks(rows, fwd_hooks=[("hook_embed", corrupt), *hooks])
            return torch.softmax(logits[:, -1], dim=-1)[:, answer].mean().item()

        return measured(probability, question["cells"])

    def attribute(self, question):
        prompt = question["prompt"]
        start = time.perf_counter()
        found = self.hooked.attribution(
            self.model, prompt["ids"], prompt["answer"]["ids"][0], None, "heads"
        )
        secs = time.perf_counter() - start
        return {"secs": [secs], "values": found["values"].tolist(), "labels": found["labels"]}


PEERS = {"rome": Rome, "transformer-lens": TransformerLens}


def warm_up(transformers):
    """Load and run a very small model: half of the library is imported only when it is first used."""
    import torch

    transformers.utils.logging.disable_progress_bar()
    sizes = {"n_layer": 1, "n_head": 1, "n_embd": 4, "n_positions": 4, "vocab_size": 4}
    config = transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)
    with tempfile.TemporaryDirectory() as folder:
        transformers.GPT2LMHeadModel(config).save_pretrained(folder)
        model = transformers.GPT2LMHeadModel.from_pretrained(folder).to(device())
        model(torch.zeros(1, 2, dtype=torch.long))


def measured(probability, cells):
    """The answer's probability in each cell, given as layer and position, and how long each took."""
    secs, values = [], []
    for layer, pos in cells:
        start = time.perf_counter()
        values.append(probability(layer, pos))
        secs.append(time.perf_counter() - start)
    return {"secs": secs, "values": values}


def matmul(question):
    """How long one product of f32 matrices takes, `[m, k]` by `[k, n]`."""
    import torch

    m, k, n = question["shape"]
    a, b = torch.rand(m, k), torch.rand(k, n)
    start = time.perf_counter()
    a @ b
    if a.is_cuda:
        torch.cuda.synchronize()
    return {"secs": [time.perf_counter() - start]}


def device():
    """Where tensors are made unless it is said where."""
    import torch

    return torch.get_default_device()


def device_name():
    import torch

    return torch.cuda.get_device_name() if device().type == "cuda" else "the CPU"


def on_cpu():
    """Within it, tensors are made on the CPU."""
    import torch

    return torch.device("cpu")


def load_tokenizer(transformers, folder):
    """Seconds for the tokenizer of a model folder."""
    start = time.perf_counter()
    transformers.GPT2TokenizerFast.from_pretrained(folder)
    return time.perf_counter() - start


def check_is_f32(model):
    import torch

    dtypes = {parameter.dtype for parameter in model.parameters()}
    assert dtypes == {torch.float32}, f"the peer computes in {dtypes}, Factscope in f32"


if __name__ == "__main__":
    main()
