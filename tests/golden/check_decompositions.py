"""Compare splits of logits, attention summaries and weight circuits with `decompositions.py`."""

import math

import numpy as np
import torch

import decompositions
import hooked

# Weights of order 1 in double precision on one side and single on the other.
WEIGHT = 1e-4
SHARE = 1e-5


def checks(tools):
    """`tools`: the module `compare_cli`, whose prompts, tolerances and findings are used."""
    close, exact, guarded, flag = tools.close, tools.exact, tools.guarded, tools.flag
    LOGIT, PROBABILITY = tools.LOGIT, tools.PROBABILITY
    ANSWER, FOIL = tools.ANSWER, tools.FOIL

    def each_prompt(name, findings, program, reference, cases):
        for index, (text, subject) in enumerate(tools.PROMPTS):
            for bos in (False, True):
                for case in cases if index == 0 else cases[:1]:
                    what = f"{name} {case}, {text!r}{' with BOS' if bos else ''}"
                    yield from guarded(what, findings, program, reference, text, subject, bos, *case)

    def asked(reference, text, bos, foil):
        ids, _ = reference.encode(text, bos)
        answer_id = reference.answer_ids(ANSWER)[0]
        foil_id = reference.answer_ids(foil)[0] if foil else None
        logits, cache = hooked.run_with_cache(reference.processed, ids)
        direction, bias = decompositions.direction(reference.processed, answer_id, foil_id)
        logit = logits[answer_id] - (logits[foil_id] if foil else 0)
        return ids, cache, direction, bias, logit

    def attribute(program, text, bos, foil, *more):
        return program.json(
            "attribute", "--prompt", text, "--answer", ANSWER, *(["--foil", foil] if foil else []),
            *flag(bos), *more,
        )

    def sum_findings(what, found, logit):
        yield close(f"{what}: logit", [found["logit"]], [logit], LOGIT)
        yield close(f"{what}: sum is the logit", [found["sum"]], [found["logit"]], LOGIT)

    # Splits of the logit

    def check_neurons(program, reference):
        cases = [(None, False, "none"), (FOIL, True, "none"), (FOIL, False, "all")]
        yield from each_prompt("neurons", neurons, program, reference, cases)

    def neurons(what, program, reference, text, subject, bos, foil, per_layer, process):
        _, cache, direction, bias, logit = asked(reference, text, bos, foil)
        expected = decompositions.neurons(reference.processed, cache, direction)
        found = attribute(
            program, text, bos, foil, "--by", "neurons", "--top", 7, "--process", process,
            *(["--per-layer"] if per_layer else []),
        )
        listed = found["neurons"]
        at_listed = torch.stack([expected[it["layer"], it["index"]] for it in listed])
        yield close(f"{what}: values", [it["logit"] for it in listed], at_listed, LOGIT)
        products = [it["activation"] * it["per_unit"] for it in listed]
        yield close(f"{what}: products", products, at_listed, LOGIT)
        sizes = expected.abs()
        largest = sizes.topk(7).values.flatten() if per_layer else sizes.flatten().topk(7).values
        yield close(f"{what}: the largest", at_listed.abs(), largest, LOGIT)
        yield close(f"{what}: layers", found["layers"], expected.sum(-1), LOGIT)
        yield close(f"{what}: bias", [found["bias"]], [bias], LOGIT)
        yield from sum_findings(what, found, logit)

    def check_sources(program, reference):
        cases = [(None, "none"), (FOIL, "none"), (FOIL, "default")]
        yield from each_prompt("sources", sources, program, reference, cases)

    def sources(what, program, reference, text, subject, bos, foil, process):
        _, cache, direction, bias, logit = asked(reference, text, bos, foil)
        expected = decompositions.sources(reference.processed, cache, direction)
        found = attribute(program, text, bos, foil, "--by", "sources", "--process", process)
        yield close(f"{what}: values", found["values"], expected, LOGIT)
        yield close(f"{what}: sources", found["sources"], expected.sum((0, 1)), LOGIT)
        heads = decompositions.quietly(cache.stack_head_results, layer=-1, pos_slice=-1)
        heads = cache.apply_ln_to_stack(heads, layer=-1, pos_slice=-1)[:, 0] @ direction
        yield close(f"{what}: heads", torch.tensor(found["values"]).sum(-1).flatten(), heads, LOGIT)
        yield from sum_findings(what, found, logit)

    def check_difference(program, reference):
        cases = [
            ("layers", "prompt", "clean", None), ("heads", "prompt", "corrupted", FOIL),
            ("heads", "noise", "clean", FOIL), ("layers", "noise", "corrupted", None),
            ("neurons", "prompt", "corrupted", FOIL), ("neurons", "noise", "clean", None),
            ("neurons", "noise", "corrupted", FOIL),
        ]
        yield from each_prompt("difference", difference, program, reference, cases)

    def difference(what, program, reference, text, subject, bos, by, second, scale_of, foil):
        ids, clean, direction, _, logit = asked(reference, text, bos, foil)
        answer_id = reference.answer_ids(ANSWER)[0]
        if second == "prompt":
            other = "The Seine flows through the city of"
            logits, cache = hooked.run_with_cache(reference.processed, reference.encode(other, bos)[0])
            logits, caches, more = [logits], [cache], ["--minus-prompt", other]
        else:
            subject_range = reference.subject_range(text, subject, ids, bos)
            logits, caches = decompositions.noisy_caches(
                reference.processed, ids, subject_range, 0.4, samples=3, seed=2
            )
            more = ["--subject", subject, "--minus-noise", 0.4, "--samples", 3, "--seed", 2]
        # Where neurons are told apart, all else is by layers.
        labels, expected = decompositions.difference(
            reference.processed, clean, caches, direction, by.replace("neurons", "layers"), scale_of
        )
        found = attribute(program, text, bos, foil, "--by", by, "--scale-of", scale_of, *more)
        yield exact(f"{what}: labels", found["labels"], labels)
        yield close(f"{what}: values", found["values"], expected, LOGIT)
        if by == "neurons":
            neurons = decompositions.neuron_difference(
                reference.processed, clean, caches, direction, scale_of
            )
            yield close(f"{what}: neurons", found["neurons"], neurons, LOGIT)
            largest = [neurons[layer, index].item() for layer, index, _ in found["largest_neurons"]]
            yield close(f"{what}: largest", [it[2] for it in found["largest_neurons"]], largest, LOGIT)
            sizes = neurons.abs().flatten().topk(len(largest)).values
            yield close(f"{what}: their sizes", [abs(it) for it in largest], sizes, LOGIT)
        corrupted = torch.stack([
            it[answer_id] - (it[reference.answer_ids(foil)[0]] if foil else 0) for it in logits
        ]).mean()
        yield close(f"{what}: clean logit", [found["clean_logit"]], [logit], LOGIT)
        yield close(f"{what}: corrupted logit", [found["corrupted_logit"]], [corrupted], LOGIT)
        change = logit - corrupted - expected.sum()
        yield close(f"{what}: scale change", [found["scale_change"]], [change], LOGIT)
        yield close(f"{what}: sum", [found["sum"]], [logit - corrupted], LOGIT)

    def check_through(program, reference):
        last = reference.raw.cfg.n_layers - 1
        cases = [
            (last, 0, "heads", None), (last, 1, "layers", FOIL), (1, 1, "heads", FOIL),
            (0, 0, "layers", FOIL),
        ]
        yield from each_prompt("through", through, program, reference, cases)

    def through(what, program, reference, text, subject, bos, layer, head, by, foil):
        _, cache, direction, _, _ = asked(reference, text, bos, foil)
        labels, expected = decompositions.through_head(
            reference.processed, cache, layer, head, direction, by
        )
        found = attribute(program, text, bos, foil, "--by", by, "--through", f"{layer}.{head}")
        pattern = cache["pattern", layer][0, head, -1]
        yield exact(f"{what}: labels", found["labels"], labels)
        yield close(f"{what}: values", found["values"], expected, LOGIT)
        yield close(f"{what}: pattern", found["pattern"], pattern, PROBABILITY)
        yield close(f"{what}: weighted", found["weighted"], expected @ pattern, LOGIT)
        heads = decompositions.quietly(cache.stack_head_results, layer=-1, pos_slice=-1)
        heads = cache.apply_ln_to_stack(heads, layer=-1, pos_slice=-1)[:, 0] @ direction
        yield from sum_findings(what, found, heads[layer * reference.raw.cfg.n_heads + head])

    def check_accumulated(program, reference):
        cases = [("final", None), ("own", FOIL), ("final", FOIL)]
        yield from each_prompt("accumulated", accumulated, program, reference, cases)

    def accumulated(what, program, reference, text, subject, bos, scale, foil):
        _, cache, direction, bias, logit = asked(reference, text, bos, foil)
        labels, expected = decompositions.accumulated(
            reference.processed, cache, direction, bias, scale == "own"
        )
        found = attribute(program, text, bos, foil, "--by", "accumulated", "--scale", scale)
        yield exact(f"{what}: labels", found["labels"], labels)
        yield close(f"{what}: logits", found["logits"], expected, LOGIT)
        yield close(f"{what}: the last", [found["logits"][-1][-1]], [logit], LOGIT)

    def check_running_sum(program, reference):
        cases = [("layers", None), ("heads", FOIL), ("layers", FOIL), ("heads", None)]
        yield from each_prompt("running sum", running_sum, program, reference, cases)

    def running_sum(what, program, reference, text, subject, bos, by, foil):
        _, cache, direction, bias, logit = asked(reference, text, bos, foil)
        model, file = reference.processed, reference.folder / "figure.npz"
        n_layers = model.cfg.n_layers
        labels, expected = decompositions.accumulated(model, cache, direction, bias, False)
        expected = dict(zip(labels, expected[:, -1]))
        after = torch.tensor([
            [expected[f"{layer + 1}_pre" if layer + 1 < n_layers else "final_post"] for layer in range(n_layers)],
            [expected[f"{layer}_mid"] for layer in range(n_layers)],
        ])
        start = expected["0_pre"]
        if by == "heads":
            # No head adds the biases of attention: all stand at the start.
            biases = decompositions.attention_biases(model, cache, direction)
            later = biases.flip(0).cumsum(0).flip(0) - biases
            after, start = after + later, start + biases.sum()

        def figure(form):
            attribute(program, text, bos, foil, "--by", by, "--figure", file, "--figure-attribution", form)
            with np.load(file) as arrays:
                return dict(arrays)

        lines = figure("running-sum")
        names = ["after its MLP", "after its attention"]
        yield exact(f"{what}: lines", lines["running_sum.series"].tolist(), names)
        yield close(f"{what}: sums", lines["running_sum"], after, LOGIT)
        yield close(f"{what}: the last sum", lines["running_sum"][0, -1], logit, LOGIT)

        fall = figure("waterfall")
        bars, begin, end = (fall[f"waterfall.{name}"] for name in ("contribution_logits", "from", "to"))
        found = attribute(program, text, bos, foil, "--by", by)
        parts = dict(zip(found["labels"], found["values"]))
        yield close(f"{what}: waterfall's start", bars[0], start, LOGIT)
        yield close(f"{what}: waterfall's end", [bars[-1], end[-2]], [logit, logit], LOGIT)
        yield close(f"{what}: bars", end - begin, bars, LOGIT)
        yield close(f"{what}: bars from sums", [begin[0], begin[-1]], [0, 0], tools.EXACT)
        yield close(f"{what}: each from the end of the one before", begin[1:-1], end[:-2], LOGIT)
        if by == "layers":
            # Attention, then MLP, one layer after the other.
            yield close(f"{what}: ends", end[1:-1], after.flip(0).T.reshape(-1), LOGIT)
        else:
            sizes = sorted((abs(value) for name, value in parts.items() if is_of_layer(name)), reverse=True)
            n_listed = min(20, len(sizes))
            yield close(f"{what}: the largest first", abs(bars[1 : n_listed + 1]), sizes[:n_listed], LOGIT)
            yield exact(f"{what}: bars", len(bars), n_listed + 2 + (len(sizes) > n_listed))

    def is_of_layer(label):
        return label not in ("embed", "pos_embed", "bias")

    def check_final_lens(program, reference):
        yield from each_prompt("final lens", final_lens, program, reference, [()])

    def final_lens(what, program, reference, text, subject, bos):
        ids, _ = reference.encode(text, bos)
        _, cache = hooked.run_with_cache(reference.processed, ids)
        for scale, probs in {
            "final": decompositions.lens_at_final_scale(reference.processed, cache),
            "own": hooked.lens_probs(reference.processed, cache)[1:],
        }.items():
            found = program.json(
                "lens", "--prompt", text, "--answer", ANSWER, "--scale", scale, "--top", 4, *flag(bos)
            )
            cells = [layer["positions"] for layer in found["layers"]]
            listed = [[[it["prob"] for it in cell["candidates"]] for cell in row] for row in cells]
            yield close(f"{what}: top probs, {scale}", listed, probs.topk(4).values, PROBABILITY)
            top_ids = torch.tensor([[[it["id"] for it in cell["candidates"]] for cell in row] for row in cells])
            yield close(f"{what}: of the ids, {scale}", listed, probs.gather(-1, top_ids), PROBABILITY)
            of_answer = probs[..., reference.answer_ids(ANSWER)[0]]
            answers = [[cell["answer_prob"] for cell in row] for row in cells]
            yield close(f"{what}: answer probs, {scale}", answers, of_answer, PROBABILITY)

    # The residual stream and attention

    def check_norms(program, reference):
        cases = [("none",), ("default",), ("center_writing_weights",)]
        yield from each_prompt("norms", norms, program, reference, cases)

    def norms(what, program, reference, text, subject, bos, process):
        ids, _ = reference.encode(text, bos)
        model = processed(reference, process)
        _, cache = hooked.run_with_cache(model, ids)
        found = program.json("norms", "--prompt", text, "--process", process, *flag(bos))
        for name, expected in decompositions.norms(model, cache).items():
            yield close(f"{what}: {name}", found[name], expected, LOGIT)

    def check_weighted(program, reference):
        last = reference.raw.cfg.n_layers - 1
        cases = [
            ("norm", last, "none"), ("value", 0, "none"), ("rollout", last, "none"),
            ("norm", 1, "fold_value_biases"), ("value", last, "all"), ("rollout", 0, "all"),
        ]
        yield from each_prompt("weighted attention", weighted, program, reference, cases)

    def weighted(what, program, reference, text, subject, bos, weighting, layer, process):
        ids, _ = reference.encode(text, bos)
        model = processed(reference, process)
        _, cache = hooked.run_with_cache(model, ids)
        expected = decompositions.weighted_attention(model, cache, layer, weighting)
        head = reference.raw.cfg.n_heads - 1
        how = ["--rollout"] if weighting == "rollout" else ["--head", head, "--weighting", weighting]
        expected = expected if weighting == "rollout" else expected[head]
        found = program.json(
            "attention", "--prompt", text, "--layer", layer, *how, "--process", process, *flag(bos)
        )
        tolerance = PROBABILITY if weighting == "rollout" else LOGIT
        yield close(f"{what}: {weighting}", found["pattern"], expected, tolerance)

    def check_heads(program, reference):
        yield from each_prompt("heads", heads, program, reference, [()])

    def heads(what, program, reference, text, subject, bos):
        ids, _ = reference.encode(text, bos)
        found = program.json(
            "heads", "--prompt", text, "--subject", subject, "--random-tokens", 12, "--sequences", 2,
            "--seed", 3, *flag(bos),
        )
        for kind in ("previous_token", "duplicate_token", "induction"):
            expected = decompositions.detected(reference.raw, ids, kind)
            if expected is None:
                nothing = all(score is None for row in found[kind] for score in row)
                yield exact(f"{what}: {kind} is undefined", nothing, True)
            else:
                yield close(f"{what}: {kind}", found[kind], expected, PROBABILITY)
        _, cache = hooked.run_with_cache(reference.raw, ids)
        pattern = torch.stack([cache["pattern", layer][0] for layer in range(reference.raw.cfg.n_layers)])
        begin, end = reference.subject_range(text, subject, ids, bos)
        last = pattern[:, :, -1]
        yield close(f"{what}: subject", found["subject"], last[..., begin:end].sum(-1), PROBABILITY)
        yield close(f"{what}: first token", found["first_token"], pattern[:, :, 1:, 0].mean(-1), PROBABILITY)
        entropy = torch.special.entr(last).sum(-1)
        yield close(f"{what}: entropy", found["entropy"], entropy, LOGIT)

        sequences = found["random_ids"]
        yield exact(f"{what}: number of sequences", len(sequences), 2)
        begin = len(ids) - len(reference.encode(text)[0])
        means = {"previous_token": 0, "duplicate_token": 0, "induction": 0}
        for sequence in sequences:
            first, second = sequence[begin : begin + 12], sequence[begin + 12 :]
            is_repeated = first == second and sequence[:begin] == ids[:begin]
            yield exact(f"{what}: the sequence is repeated", is_repeated, True)
            _, cache = hooked.run_with_cache(reference.raw, sequence)
            # As in TransformerLens' demos: diagonals of the pattern.
            for kind, back in (("previous_token", 1), ("duplicate_token", 12), ("induction", 11)):
                stripes = [
                    cache["pattern", layer][0].diagonal(-back, dim1=-2, dim2=-1)[:, -12:].mean(-1)
                    for layer in range(reference.raw.cfg.n_layers)
                ]
                means[kind] = means[kind] + torch.stack(stripes) / len(sequences)
        for kind, expected in means.items():
            yield close(f"{what}: random {kind}", found[f"random_{kind}"], expected, PROBABILITY)

    def check_contributions(program, reference):
        cases = [
            (0.0, False, False, "none"), (0.0, False, True, "none"), (0.03, False, False, "none"),
            (0.03, True, False, "none"), (0.05, True, True, "fold_value_biases"),
            (0.03, False, False, "default"),
        ]
        yield from each_prompt("contributions", contributions, program, reference, cases)

    def contributions(what, program, reference, text, subject, bos, threshold, renormalize, sums, process):
        ids, _ = reference.encode(text, bos)
        # Value biases are nobody's part; folding them is all that makes the difference.
        steps = {"none": ["fold_value_biases"], "default": hooked.STEPS[:4]}
        model = hooked.processed_by(reference.hf, steps.get(process, [process]))
        _, cache = hooked.run_with_cache(model, ids)
        found = program.json(
            "contributions", "--prompt", text, "--threshold", threshold, "--process", process,
            *(["--renormalize"] if renormalize else []), *(["--sum-heads"] if sums else []), *flag(bos),
        )
        edges = decompositions.contribution_edges(model, cache, threshold, renormalize, sums)
        root = f"{model.cfg.n_layers - 1}_resid_post@{len(ids) - 1}"
        expected = decompositions.edges_leading_to(edges, root, threshold)
        weights = {(it["from"], it["to"], it["via"]): it["weight"] for it in found["edges"]}
        # An edge at the threshold may fall either way, and take others with it.
        if not threshold or all(abs(it - threshold) > 1e-6 for it in edges.values()):
            yield exact(f"{what}: edges", sorted(weights.keys() ^ expected.keys()), [])
        common = sorted(weights.keys() & expected.keys())
        yield exact(f"{what}: there are edges", len(common) > 0, True)
        ours, theirs = [weights[edge] for edge in common], [expected[edge] for edge in common]
        yield close(f"{what}: weights", ours, theirs, SHARE)
        yield exact(f"{what}: number of all edges", found["n_edges_in_all"], len(edges))
        yield exact(f"{what}: root", found["root"], root)

    # Weights alone

    def processed(reference, name):
        steps = {"none": [], "default": hooked.STEPS[:4], "all": hooked.STEPS}
        return hooked.processed_by(reference.hf, steps.get(name, name.split(",")))

    def check_circuit(program, reference):
        last = reference.raw.cfg.n_layers - 1
        for layer, head, kind, process in [
            (0, 0, "ov", "default"), (last, 1, "qk", "default"), (1, 2, "ov", "none"),
            (1, 2, "qk", "fold_ln"), (last, 3, "ov", "all"), (last, 3, "qk", "all"),
            (2, 1, "ov", "center_writing_weights,center_unembed"),
        ]:
            what = f"circuit {kind} of layer {layer}, head {head}, {process}"
            yield from guarded(what, circuit, program, reference, layer, head, kind, process)

    def circuit(what, program, reference, layer, head, kind, process):
        model = processed(reference, process)
        s, reads, writes = decompositions.circuit(model, layer, head, kind)
        found = program.json(
            "circuit", "--head", f"{layer}.{head}", "--circuit", kind, "--process", process,
            "--vectors", 3, "--tokens", 4,
        )
        yield close(f"{what}: singular values", found["singular_values"], s, WEIGHT)
        for nth, vector in enumerate(found["vectors"]):
            yield close(f"{what}: singular value", [vector["singular_value"]], s[[nth]], WEIGHT)
            for side, scores in (("reads", reads[nth]), ("writes", writes[nth])):
                for end, sign in (("positive", 1), ("negative", -1)):
                    listed = vector[side][end]
                    values = [it["score"] for it in listed]
                    of_ids = scores[[it["id"] for it in listed]]
                    yield close(f"{what}: scores of the {end} end of {side}", values, of_ids, LOGIT)
                    extreme = sign * (sign * scores).topk(4).values
                    yield close(f"{what}: the {end} end of {side}", values, extreme, LOGIT)
        if kind == "ov":
            score = decompositions.copying_score(model, layer, head)
            yield close(f"{what}: copying score", [found["copying"]["score"]], [score], WEIGHT)

    def check_compose(program, reference):
        for process in ("default", "none", "all", "fold_ln"):
            yield from guarded(f"compose, {process}", compose, program, reference, process)

    def compose(what, program, reference, process):
        model = processed(reference, process)
        found = program.json("compose", "--process", process, "--top", 5)
        largest = []
        for mode in "QKV":
            with torch.no_grad():
                expected = model.all_composition_scores(mode)
            yield close(f"{what}: {mode}", found["scores"][mode.lower()], expected, WEIGHT)
            largest += [
                (score, mode.lower(), list(at)) for at, score in
                zip(zip(*[it.tolist() for it in expected.nonzero(as_tuple=True)]), expected[expected != 0].tolist())
            ]
        largest.sort(reverse=True)
        listed = [(it["mode"], [*it["earlier"], *it["later"]]) for it in found["top"]]
        yield exact(f"{what}: the highest", listed, [(mode, at) for _, mode, at in largest[:5]])

    def check_process(program, reference):
        cases = [("default",), ("all",), *((step,) for step in hooked.STEPS),
                 ("fold_ln,center_unembed",)]
        yield from each_prompt("process", process, program, reference, cases)

    def process(what, program, reference, text, subject, bos, steps):
        ids, _ = reference.encode(text, bos)
        raw = reference.logits(ids)
        model = processed(reference, steps)
        logits, cache = hooked.run_with_cache(model, ids)
        found = program.json(
            "predict", "--prompt", text, "--answer", ANSWER, "--top", 20, "--process", steps, *flag(bos)
        )
        top_ids = [it["id"] for it in found["top"]]
        answer_id = reference.answer_ids(ANSWER)[0]
        yield close(f"{what}: logits", [it["logit"] for it in found["top"]], logits[top_ids], LOGIT)
        unchanged = torch.log_softmax(raw, -1)
        log_probs = [math.log(it["prob"]) for it in found["top"][:5]]
        yield close(f"{what}: log probs are the raw model's", log_probs, unchanged[top_ids[:5]], 1e-4)
        yield close(f"{what}: answer's log prob", [found["answer"]["log_prob"]], [unchanged[answer_id]], 1e-4)
        layer, head = model.cfg.n_layers - 1, 1
        pattern = program.json(
            "attention", "--prompt", text, "--layer", layer, "--head", head, "--process", steps, *flag(bos)
        )["pattern"]
        # Rewritten weights are rounded once more.
        yield close(f"{what}: pattern", pattern, cache["pattern", layer][0, head], 1e-4)
        expected = hooked.attribution(
            reference.processed, ids, answer_id, reference.answer_ids(FOIL)[0], "heads"
        )
        split = attribute(program, text, bos, FOIL, "--by", "heads", "--process", steps)
        yield close(f"{what}: attribution", split["values"], expected["values"], LOGIT)
        yield close(f"{what}: attribution's bias", [split["bias"]], [expected["bias"]], LOGIT)
        yield close(f"{what}: attribution's sum", [split["sum"]], [expected["logit"]], LOGIT)

    return {
        "neurons": check_neurons,
        "sources": check_sources,
        "difference": check_difference,
        "through": check_through,
        "accumulated": check_accumulated,
        "running-sum": check_running_sum,
        "final-lens": check_final_lens,
        "norms": check_norms,
        "weighted-attention": check_weighted,
        "heads": check_heads,
        "contributions": check_contributions,
        "circuit": check_circuit,
        "compose": check_compose,
        "process": check_process,
    }
