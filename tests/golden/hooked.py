"""The same weights in TransformerLens, and what we compare with it.

Built from a Hugging Face model in memory: in TransformerLens 2 with the settings that its
`HookedTransformer.from_pretrained` uses for GPT-2, in 3 and 4 as a `TransformerBridge` in compatibility
mode, whose hooks have the same names.
"""

import atexit
import contextlib
import copy
import functools
import io
import shutil
import tempfile
from importlib.metadata import version

import torch

VERSION = version("transformer-lens")
STEPS = [
    "fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases",
    "refactor_factored_attn_matrices",
]


def raw_model(hf_model):
    """As trained: `from_pretrained_no_processing`."""
    return processed_by(hf_model, [])


def processed_model(hf_model):
    """As `from_pretrained` gives it: layer norms folded, writing weights and unembedding centred."""
    return processed_by(hf_model, STEPS[:-1])


def processed_by(hf_model, steps):
    """The model with some of TransformerLens' weight processing."""
    make = hooked_transformer if int(VERSION.split(".")[0]) < 3 else bridge
    return make(hf_model, {step: step in steps for step in STEPS}).eval()


def bridge(hf_model, steps):
    """The model in TransformerLens 3 or 4."""
    from transformer_lens.model_bridge import TransformerBridge

    # Copied: processing changes tensors in place, and these belong to the other model.
    own = copy.deepcopy(hf_model)
    own.config.architectures = [type(hf_model).__name__]
    model = TransformerBridge.boot_transformers(
        "gpt2", hf_model=own, device="cpu", tokenizer=some_tokenizer()
    )
    model.enable_compatibility_mode(no_processing=not any(steps.values()), disable_warnings=True, **steps)
    return model


@functools.cache
def some_tokenizer():
    """A bridge wants a tokenizer, which it reads from its files again, and is asked in ids alone here."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<|endoftext|>": 0}, unk_token="<|endoftext|>"))
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<|endoftext|>").save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def hooked_transformer(hf_model, steps):
    """The model in TransformerLens 2."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

    hf = hf_model.config
    config = HookedTransformerConfig(
        d_model=hf.n_embd,
        d_head=hf.n_embd // hf.n_head,
        n_heads=hf.n_head,
        d_mlp=4 * hf.n_embd,
        n_layers=hf.n_layer,
        n_ctx=hf.n_positions,
        d_vocab=hf.vocab_size,
        eps=hf.layer_norm_epsilon,
        act_fn=hf.activation_function,
        use_attn_scale=True,
        normalization_type="LNPre" if steps["fold_ln"] else "LN",
        original_architecture="GPT2LMHeadModel",
        init_weights=False,
        device="cpu",
    )
    model = HookedTransformer(config)
    with torch.no_grad():
        # Cloned: processing changes tensors in place, and these belong to the other model.
        weights = {name: w.detach().clone() for name, w in convert_gpt2_weights(hf_model, config).items()}
        model.load_and_process_state_dict(weights, **steps)
    return model


def run_with_cache(model, ids):
    """Logits of the last position, and the activations."""
    with torch.no_grad():
        logits, cache = model.run_with_cache(torch.tensor([ids]))
    return logits[0, -1], cache


def run_with_hook(model, ids, hook_name, edit):
    """Logits of the last position when `edit` changes one activation in place."""

    def hook(activation, hook):
        edit(activation)
        return activation

    with torch.no_grad():
        return model.run_with_hooks(torch.tensor([ids]), fwd_hooks=[(hook_name, hook)])[0, -1]


def run_with_hooks(model, ids, edits):
    """Logits of the last position when each edit changes its activation in place."""

    def hook_for(edit):
        def hook(activation, hook):
            edit(activation)
            return activation

        return hook

    hooks = [(name, hook_for(edit)) for name, edit in edits.items()]
    with torch.no_grad():
        return model.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)[0, -1]


PART_HOOKS = {
    "heads": ["attn.hook_z"],
    "attn": ["hook_attn_out"],
    "mlp": ["hook_mlp_out"],
    "layers": ["hook_attn_out", "hook_mlp_out"],
}


def ablated_logits(model, ids, part, positions, replacement):
    """Logits of the last position without each part. `[layer, column, vocab]`

    There is a column for each head where `part` is "heads", else one. `replacement` is "zero", or
    what an activation becomes by the name of its hook.
    """

    def without(layer, head):
        def edit_for(name):
            def edit(activation):
                new = torch.zeros_like(activation) if replacement == "zero" else replacement[name]
                if head is None:
                    activation[:, positions] = new[:, positions]
                else:
                    activation[:, positions, head] = new[:, positions, head]

            return edit

        names = [f"blocks.{layer}.{hook}" for hook in PART_HOOKS[part]]
        return run_with_hooks(model, ids, {name: edit_for(name) for name in names})

    heads = range(model.cfg.n_heads) if part == "heads" else [None]
    return torch.stack([
        torch.stack([without(layer, head) for head in heads]) for layer in range(model.cfg.n_layers)
    ])


def mean_activations(model, prompts, n_pos):
    """For a prompt of `n_pos` tokens: at position 0 the mean over the prompts' first tokens, at any
    other the mean over all their later ones."""
    caches = [run_with_cache(model, ids)[1] for ids in prompts]

    def mean(name):
        first = torch.cat([cache[name][0, :1] for cache in caches]).double().mean(dim=0)
        later = torch.cat([cache[name][0, 1:] for cache in caches]).double().mean(dim=0)
        return torch.stack([first] + [later] * (n_pos - 1))[None].float()

    hooks = {hook for hooks in PART_HOOKS.values() for hook in hooks}
    names = [f"blocks.{layer}.{hook}" for layer in range(model.cfg.n_layers) for hook in hooks]
    return {name: mean(name) for name in names}


def attribution(model, ids, answer_id, foil_id, by):
    """Who writes the answer's logit (less the foil's) at the last position, in a processed model.

    The parts and `bias` add up to `logit`. `by` is "layers" or "heads".
    """
    logits, cache = run_with_cache(model, ids)
    with torch.no_grad():
        if by == "layers":
            parts, labels = cache.decompose_resid(layer=-1, pos_slice=-1, return_labels=True)
        else:
            # It says on standard output that it computes the heads' results.
            with contextlib.redirect_stdout(io.StringIO()):
                parts, labels = cache.get_full_resid_decomposition(
                    layer=-1, expand_neurons=False, pos_slice=-1, return_labels=True
                )
        parts = cache.apply_ln_to_stack(parts, layer=-1, pos_slice=-1)[:, 0]
        direction, bias, logit = model.W_U[:, answer_id], model.b_U[answer_id], logits[answer_id]
        if foil_id is not None:
            direction = direction - model.W_U[:, foil_id]
            bias = bias - model.b_U[foil_id]
            logit = logit - logits[foil_id]
        values = parts @ direction
    assert abs(values.sum() + bias - logit) < 1e-4, "the parts do not add up to the logit"
    return {"labels": labels, "values": values, "bias": bias.item(), "logit": logit.item()}


def lens_probs(model, cache):
    """What each position would say after the embeddings and after each layer. `[1 + layer, pos, vocab]`

    The final layer norm is computed anew for each of these states (nostalgebraist 2020).
    """
    layers = range(model.cfg.n_layers)
    states = [cache["resid_pre", 0], *(cache["resid_post", layer] for layer in layers)]
    with torch.no_grad():
        logits = model.unembed(model.ln_final(torch.cat(states)))
    return torch.softmax(logits, dim=-1)
