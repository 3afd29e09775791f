"""`to_transformer_lens()` beside TransformerLens 4 itself, on a random GPT-2 and on the built-in model.

Needs transformer-lens 4, which brings torch: `pip install 'transformer-lens>=4'` into the environment of
`tests/python/run.sh`. Left out where it is not installed; nothing is downloaded.
"""

import os
import sys

import numpy as np
import pytest
from conftest import TOP

import factscope

os.environ["HF_HUB_OFFLINE"] = "1"
pytest.importorskip(
    "transformer_lens.model_bridge",
    reason="TransformerLens 4 is not installed: to_transformer_lens() is not compared with it",
)
sys.path.append(str(TOP / "tests/golden"))
import checkpoint  # noqa: E402
import hooked  # noqa: E402
import torch  # noqa: E402

PROMPT = "The capital of Egypt is"
ASKED = {"subject": "Egypt", "answer": "Cairo"}
FOIL = {"foil": "Baghdad"}
N_SAMPLES = 2
# f32 sums in another order differ by up to 1e-5 of what is summed. Norms and logits are up to 100.
ACTIVATION, LOGIT, PROBABILITY = 1e-3, 1e-3, 1e-5
OUTPUTS = {"hidden": "hook_resid_post", "mlp": "hook_mlp_out", "attn": "hook_attn_out"}


class Peer:
    """The model in TransformerLens, and what it keeps of the prompt's run."""

    def __init__(self, weights, ours):
        model = hooked.raw_model(weights)
        self.weights, self.model, self.ours = weights, model, ours
        self.n_layers, self.n_heads = model.cfg.n_layers, model.cfg.n_heads
        found = ours.attribute(PROMPT, **ASKED, **FOIL).json
        self.ids = torch.tensor([found["prompt"]["ids"]])
        self.answer, self.foil = (found[it]["ids"][0] for it in ("answer", "foil"))
        subject = found["prompt"]["subject"]
        self.subject = slice(subject["start"], subject["end"])
        logits, self.cache = model.run_with_cache(self.ids)
        self.clean = self.prob(logits)

    def prob(self, logits):
        """The answer's probability after each row."""
        return logits[:, -1].softmax(dim=-1)[:, self.answer]

    def changed(self, hooks, n_rows=1):
        """The answer's probability where activations are changed in place, as a mean over rows."""

        def hook_of(change):
            def hook(activation, hook):
                activation = activation.clone()
                change(activation)
                return activation

            return hook

        hooks = [(name, hook_of(change)) for name, change in hooks]
        return self.prob(self.model.run_with_hooks(self.ids.repeat(n_rows, 1), fwd_hooks=hooks)).mean().item()

    def names(self, *endings):
        return [f"blocks.{layer}.{it}" for layer in range(self.n_layers) for it in endings]


@pytest.fixture(scope="module", params=["random", "builtin"])
def peer(request, tmp_path_factory):
    torch.set_grad_enabled(False)
    if request.param == "builtin":
        from transformers import GPT2LMHeadModel

        folder = TOP / "assets/builtin"
        weights = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").float().eval()
    else:
        folder = tmp_path_factory.mktemp("random") / "model"
        merges = checkpoint.read_merges(TOP / "assets/gpt2-bpe/merges.txt", n_merges=400)
        sizes = checkpoint.Sizes(n_layer=4, n_head=3, n_embd=48, n_positions=32)
        weights = checkpoint.write_checkpoint(folder, merges, sizes, checkpoint.Layout(), seed=3)
    with factscope.open(folder, device="cpu") as ours:
        yield Peer(weights, ours)


def check(named, names, expected, tolerance):
    """The arrays have these names in this order, and shape and numbers of what is expected."""
    assert list(named) == names
    for name, ours in named.items():
        theirs = np.asarray(expected(name))
        assert ours.dtype == np.float32 and ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
        assert np.isfinite(ours).all() and np.abs(ours).max() > 0, name
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=name)


def test_attention_patterns_are_those_of_the_cache(peer):
    for layer in range(peer.n_layers):
        result = peer.ours.attention(PROMPT, **ASKED, layer=layer)
        name = f"blocks.{layer}.attn.hook_pattern"
        check(result.to_transformer_lens(), [name], peer.cache.__getitem__, PROBABILITY)
    weighted = peer.ours.attention(PROMPT, **ASKED, layer=0, weighting="norm")
    with pytest.raises(factscope.Error, match="no hook point for attention weighted"):
        weighted.to_transformer_lens()


def test_norms_are_the_lengths_of_the_activations(peer):
    parts = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
    names = ["hook_embed", "hook_pos_embed"]
    names += [f"blocks.{layer}.hook_{it}" for it in parts for layer in range(peer.n_layers)]
    named = peer.ours.norms(PROMPT, **ASKED).to_transformer_lens()
    check(named, names, lambda name: peer.cache[name].norm(dim=-1), ACTIVATION)


def test_attributions_are_what_each_activation_adds_to_the_logit(peer):
    unembed = peer.model.W_U
    direction = unembed[:, peer.answer] - unembed[:, peer.foil]
    scale, gain = peer.cache["ln_final.hook_scale"][0, -1], peer.model.ln_final.weight

    def along(written):
        """Weights are as trained here, so that the last layer norm is still to be done."""
        return ((written - written.mean(dim=-1, keepdim=True)) / scale * gain) @ direction

    layers = peer.ours.attribute(PROMPT, **ASKED, **FOIL, by="layers").to_transformer_lens()
    names = ["hook_embed", "hook_pos_embed", *peer.names("hook_attn_out", "hook_mlp_out")]
    check(layers, names, lambda name: along(peer.cache[name][0, -1]), LOGIT)

    # Heads write what TransformerLens has of them by default: without the biases of values and of the
    # layer norm before, which are the same for any prompt and which it folds into those of the layer.
    folded = hooked.processed_model(peer.weights)
    _, cache = folded.run_with_cache(peer.ids)
    folded_direction = folded.W_U[:, peer.answer] - folded.W_U[:, peer.foil]

    def of_heads(name):
        layer = int(name.split(".")[1])
        z = cache[f"blocks.{layer}.attn.hook_z"][0, -1]
        written = (z[:, :, None] * folded.blocks[layer].attn.W_O).sum(dim=1)
        return written / cache["ln_final.hook_scale"][0, -1] @ folded_direction

    heads = peer.ours.attribute(PROMPT, **ASKED, **FOIL, by="heads").to_transformer_lens()
    results = peer.names("attn.hook_result")
    others = [name for name in names if not name.endswith("hook_attn_out")]
    assert sorted(heads) == sorted(results + others)
    check({it: heads[it] for it in results}, results, of_heads, LOGIT)
    check({it: heads[it] for it in others}, others, layers.__getitem__, PROBABILITY)


def test_the_lens_reads_the_residual_stream(peer):
    def expected(name):
        logits = peer.model.unembed(peer.model.ln_final(peer.cache[name]))
        return logits.softmax(dim=-1)[..., peer.answer]

    named = peer.ours.lens(PROMPT, **ASKED).to_transformer_lens()
    check(named, peer.names("hook_resid_post"), expected, PROBABILITY)


@pytest.mark.parametrize("part", ["attn", "mlp", "heads"])
def test_an_ablation_is_a_hook_that_writes_zeros(peer, part):
    def without(name, head=None):
        places = slice(None) if head is None else (slice(None), slice(None), head)
        return peer.changed([(name, lambda it: it.__setitem__(places, 0))]) - peer.clean.item()

    def expected(name):
        return [without(name, head) for head in range(peer.n_heads)] if part == "heads" else without(name)

    ending = "attn.hook_z" if part == "heads" else OUTPUTS[part]
    named = peer.ours.ablate(PROMPT, **ASKED, part=part).to_transformer_lens()
    check(named, peer.names(ending), expected, PROBABILITY)


@pytest.mark.parametrize("kind", ["hidden", "mlp", "attn", "head"])
def test_a_trace_is_a_patch_at_its_hook(peer, kind, tmp_path):
    n_subject = peer.subject.stop - peer.subject.start
    noise = np.random.RandomState(1).normal(size=(N_SAMPLES, n_subject, peer.model.cfg.d_model), scale=0.5)
    np.save(tmp_path / "noise.npy", noise.astype(np.float32))

    def corrupt(embeddings):
        embeddings[:, peer.subject] += torch.tensor(noise, dtype=torch.float32)

    def restored(name, *place):
        def restore(activation):
            activation[(slice(None), *place)] = peer.cache[name][(slice(None), *place)]

        return peer.changed([("hook_embed", corrupt), (name, restore)], N_SAMPLES)

    def expected(name):
        if kind == "head":
            return [restored(name, slice(None), head) for head in range(peer.n_heads)]
        return [restored(name, pos) for pos in range(peer.ids.shape[1])]

    ending = "attn.hook_z" if kind == "head" else OUTPUTS[kind]
    more = {} if kind == "hidden" else {"window": 1}
    trace = peer.ours.trace(PROMPT, **ASKED, kind=kind, noise_file=tmp_path / "noise.npy", **more)
    assert abs(trace.json["low_score"] - peer.changed([("hook_embed", corrupt)], N_SAMPLES)) <= PROBABILITY
    check(trace.to_transformer_lens(), peer.names(ending), expected, PROBABILITY)


def test_what_has_no_hook_point_says_so(peer):
    for result, says in [
        (peer.ours.predict(PROMPT), "no hook point for a result of prediction"),
        (peer.ours.trace(PROMPT, **ASKED, kind="mlp", window=2, samples=1), "ask with window=1"),
        (peer.ours.trace(PROMPT, **ASKED, kind="mlp", window=1, samples=1, sever="attn"), "no sever"),
    ]:
        with pytest.raises(factscope.Error, match=says):
            result.to_transformer_lens()
