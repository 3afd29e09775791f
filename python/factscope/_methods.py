"""The commands of the program as methods. Written by a test; do not change it by hand.

`UPDATE_DOCUMENTS=1 tests/run.sh --test documents` writes it anew from `factscope serve --describe`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Mapping, Sequence, Union

if TYPE_CHECKING:
    from ._result import Result

Path = Union[str, "os.PathLike[str]"]
# A spec is a file, or what `Result.spec` holds.
Spec = Union[Path, Mapping[str, Any]]


class _Asked:
    def _ask(
        self,
        command: str,
        kind: str,
        given: Mapping[str, Any],
        places: Sequence[Any] = (),
    ) -> Any:
        raise NotImplementedError


class Commands(_Asked):
    """Commands that need no open model, or name their own."""

    def run(
        self,
        spec: Spec,
        *,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Do what a file says: any analysis, as `--save-spec` of its command writes it.

        Parameters
        ----------
        spec
            What to do, as the command of any analysis writes it with `--save-spec`; `-` for
            standard input
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
        }
        return self._ask("run", "result", given, [spec])

    def sweep(
        self,
        spec: Spec,
        *,
        facts: Path | None = None,
        facts_seed: int | None = None,
        relation: str | None = None,
        n: int | None = None,
        case: Sequence[str] = (),
        facts_of: Path | None = None,
        known: Literal["forward", "inverse", "both"] | None = None,
        known_by: str | None = None,
        both_ways: bool = False,
        inverse: bool = False,
        wording: Literal["own", "best"] | None = None,
        answer: Literal["right", "guess"] | None = None,
        shared_draws: bool = False,
        layers: Sequence[int] = (),
        budget: str | None = None,
        width: str | None = None,
        out: Path | None = None,
        shard: str | None = None,
        estimate: bool = False,
        spec_of: str | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
    ) -> str:
        """Ask what such a file asks of each fact of a dataset, into a folder of Parquet files.

        Parameters
        ----------
        spec
            What to ask of each fact, as the command of any method writes it with `--save-spec`; `-`
            for standard input. The folder of a sweep asks the same as that sweep, and goes on with
            it
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
            [default: builtin]
        facts_seed
            Seed of which facts are drawn; more facts keep the first ones
            [default: 1]
        relation
            Only facts of this relation: its Wikidata id, such as P36, or its name
        n
            How many facts are drawn at random [default: all, in file order]
        case
            Only the fact with this id; may be given again
        facts_of
            Only the facts that have a result in the folder of another sweep of the same dataset,
            whichever way they were asked there
        known
            Only facts that the model knows `forward`, as an `inverse`, or `both` ways; the others
            are counted [default: all, known or not]
        known_by
            When an answer counts as known: a right answer is the model's `first` guess; it is among
            the first `ten`, or another number of guesses; or it is the likeliest by `choice` among
            the answers of the relation
            [default: first]
        both_ways
            Ask each fact from its subject and from its answer
        inverse
            Ask the facts from their answers only
        wording
            The words in which facts are asked: the dataset's `own`, or of those and the templates
            of the relation in the catalogue the ones in which each is recalled `best`
            [default: own]
        answer
            Which answer is measured: the `right` one, of several the likeliest, or the model's
            first `guess`, as in ROME
            [default: right]
        shared_draws
            Give all facts the draws of the spec's seed, as ROME does; intervals over facts then
            leave out how much a mean would change with other draws [default: each fact has draws of
            its own]
        layers
            Ask each fact at these layers, one after the other, where the spec names one, as for an
            edit: `0,3,5` [default: at the spec's own]
        budget
            Choose how many facts are drawn, and how often the corruption of each, for so much time
            on this machine: `90s`, `20m`, `2h`. A pilot of a few facts tells what is worth its time
        width
            Choose them for a 95 % interval of the mean that is so wide from end to end
        out
            The folder that parts are written to; a second start goes on where the first stopped
        shard
            Ask only every N-th fact, from the I-th on: `1/4` to `4/4`, into a folder of its own in
            --out [default: what a job array of Slurm or an indexed job of Kubernetes says, else
            all]
        estimate
            Ask a few facts, write nothing, and say how long all take and how much room they need
        spec_of
            Ask nothing; print what would be asked of this fact, for `factscope run -`; its inverse
            with --inverse
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        """
        given = {
            "--facts": facts,
            "--facts-seed": facts_seed,
            "--relation": relation,
            "--n": n,
            "--case": case,
            "--facts-of": facts_of,
            "--known": known,
            "--known-by": known_by,
            "--both-ways": both_ways,
            "--inverse": inverse,
            "--wording": wording,
            "--answer": answer,
            "--shared-draws": shared_draws,
            "--layers": layers,
            "--budget": budget,
            "--width": width,
            "--out": out,
            "--shard": shard,
            "--estimate": estimate,
            "--spec-of": spec_of,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
        }
        return self._ask("sweep", "text", given, [spec])

    def population(
        self,
        dir: Path,
        *,
        chart: Sequence[str] = (),
        by: Literal["way", "known", "relation"] | None = None,
        known: Literal["forward", "inverse", "both"] | None = None,
        relation: Sequence[str] = (),
        place: str | None = None,
        top: int | None = None,
        top_parts: int | None = None,
        draws: int | None = None,
        permutations: int | None = None,
        seed: int | None = None,
    ) -> Result:
        """What the facts of a sweep have in common: means, intervals, differences.

        Parameters
        ----------
        dir
            The folder that `sweep` wrote, or one that holds the folders of all its shards
        chart
            Only this chart of the method's figure; may be given again [default: all but the recall,
            which is called `Recall of the answer`, and but those whose means mislead: lists of the
            largest parts of each fact, and relative changes]
        by
            What facts are told apart by: the `way` they are asked, whether they are `known` that
            way, or their `relation`. Of two groups the difference is tested, of ways within each
            fact
            [default: way]
        known
            Only facts that the model knows `forward`, as an `inverse`, or `both` ways
        relation
            Only facts of this relation: its Wikidata id, such as P36, or its name; may be given
            again
        place
            Only this place of each chart, over all layers: a component, a head such as `H3`, or
            what a token is, such as `last subject token`
        top
            How many places of each chart are listed with their intervals
            [default: 10]
        top_parts
            How many parts count as the most important where the parts of facts and their inverses
            are compared
            [default: 10]
        draws
            Draws of the bootstrap
            [default: 2000]
        permutations
            How often signs are flipped, labels exchanged or pairs drawn, for the p-values
            [default: 1999]
        seed
            Seed of both
            [default: 1]
        """
        given = {
            "--chart": chart,
            "--by": by,
            "--known": known,
            "--relation": relation,
            "--place": place,
            "--top": top,
            "--top-parts": top_parts,
            "--draws": draws,
            "--permutations": permutations,
            "--seed": seed,
        }
        return self._ask("population", "result", given, [dir])

    def merge(
        self,
        *folders: Path,
        out: Path,
    ) -> str:
        """Put the shards of a sweep together into one folder.

        Parameters
        ----------
        folders
            The folders of the shards that `sweep --shard` wrote
        out
            The folder that all parts are copied to
        """
        given = {
            "--out": out,
        }
        return self._ask("merge", "text", given, [*folders])

    def localise(
        self,
        *,
        model: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        limit: int | None = None,
    ) -> Any:
        """Score methods by whether they name the layer that a fact was planted in.

        Parameters
        ----------
        model
            A model whose facts were planted by `factscope train --plant-in`
            [default: builtin-planted]
        samples
            Noise draws averaged per cell of a trace
            [default: 10]
        seed
            Seed of the noise
            [default: 1]
        limit
            Ask no more than this many facts per layer and direction [default: all]
        """
        given = {
            "--model": model,
            "--samples": samples,
            "--seed": seed,
            "--limit": limit,
        }
        return self._ask("localise", "json", given)

    def session(
        self,
        *files: Path,
        join: Path | None = None,
    ) -> str:
        """What a session file of the window holds.

        Parameters
        ----------
        files
            Session files that the window or `--save-session` has written
        join
            Write what several files hold of one model into one file, which the window opens
        """
        given = {
            "--join": join,
        }
        return self._ask("session", "text", given, [*files])

    def report(
        self,
        *files: Path,
        out: Path,
        title: str | None = None,
        only: Sequence[int] = (),
    ) -> str:
        """Write what session files hold as one page of HTML: figures, settings, sources and hashes.

        Parameters
        ----------
        files
            Session files that the window has saved, and folders that `sweep` has written
        out
            The page: one file that needs no other, and no network
        title
            What stands above all [default: what was asked of which model]
        only
            Only these results, by their numbers in `factscope session FILE`: `3` or `1,3,4`
            [default: all but estimates that only stood in for cells of a trace]
        """
        given = {
            "--out": out,
            "--title": title,
            "--only": only,
        }
        return self._ask("report", "text", given, [*files])

    def verify(
        self,
        *figures: Path,
        model: Path | None = None,
        published: Path | None = None,
        only: Sequence[str] = (),
    ) -> Any:
        """Compute the numbers of exported pictures anew, and say which differ.

        Parameters
        ----------
        figures
            Pictures that this program has exported: SVG, PDF or PNG; or reports, whose figures are
            files too. Without any, the numbers of the built-in model that are kept in the program
            are computed, by every method on this device; with a model, those that are published of
            it
        model
            A model of which numbers are published, such as `gpt2`; or the model to ask in place of
            the one that a picture names, such as a folder that has moved
        published
            Published numbers in place of those in the program, in a file like `data/published.json`
        only
            Of the numbers that are kept in the program, compute only those of commands with these
            names
        """
        given = {
            "--model": model,
            "--published": published,
            "--only": only,
        }
        return self._ask("verify", "json", given, [*figures])

    def model_info(
        self,
        dir: Path,
        *,
        tensors: bool = False,
    ) -> Any:
        """Sizes, format, number types and hashes of a model on disk.

        Parameters
        ----------
        dir
            A model folder in Hugging Face's layout, a GGUF or other weight file, or the name of a
            model on its hub, which is downloaded if the cache lacks it
        tensors
            Name each tensor with its type and shape
        """
        given = {
            "--tensors": tensors,
        }
        return self._ask("model info", "json", given, [dir])

    def model_random(
        self,
        *,
        config: str,
        seed: int | None = None,
        type: Literal["f32", "f16", "bf16"] | None = None,
        out: Path,
    ) -> str:
        """Write a full-size model with random weights, in Hugging Face's layout.

        Parameters
        ----------
        config
            A published model whose size it has (gpt2, gpt2-medium, gpt2-large, gpt2-xl,
            smollm2-135m, llama-3.2-1b, mistral-7b, qwen2.5-1.5b, qwen3-0.6b, olmo-2-1b, gemma-2-2b,
            gemma-3-270m, gemma-3-1b, pythia-410m, gpt-j-6b), or a config.json of any family
        seed
            The same seed gives the same file
            [default: 0]
        type
            How numbers are stored
            [default: f32]
        out
            The folder to write
        """
        given = {
            "--config": config,
            "--seed": seed,
            "--type": type,
            "--out": out,
        }
        return self._ask("model random", "text", given)

    def get(
        self,
        name: str | None = None,
        *,
        list: bool = False,
        search: str | None = None,
    ) -> Any:
        """Download a model from Hugging Face's hub, or see which there are.

        Parameters
        ----------
        name
            What to download: NAME, OWNER/NAME, OWNER/NAME@REVISION, or one file as
            OWNER/NAME:FILE.gguf
        list
            List models that people study, with what they take, and whether they are downloaded
        search
            Ask the hub for models whose name holds a text
        """
        given = {
            "--list": list,
            "--search": search,
        }
        return self._ask("get", "json", given, [name])

    def devices(
        self,
        *,
        test: bool = False,
    ) -> Any:
        """List the graphics adapters, or test one.

        Parameters
        ----------
        test
            Compare the device of --device with the CPU now, whatever is remembered
        """
        given = {
            "--test": test,
        }
        return self._ask("devices", "json", given)

    def licences(
        self,
    ) -> str:
        """The licences of the packages that the program is made of.
        """
        given = {
        }
        return self._ask("licences", "text", given)


class Methods(_Asked):
    """Commands that ask a model."""

    def predict(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        top: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What the model says next.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        top
            How many of the likeliest tokens to list
            [default: 10]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--top": top,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("predict", "result", given)

    def trace(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        foil: str | None = None,
        kind: Literal["hidden", "mlp", "attn", "head"],
        at: str | None = None,
        widths: Sequence[int] = (),
        corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        replace: bool = False,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        window: int | None = None,
        sever: Literal["mlp", "attn"] | None = None,
        sever_layers: int | None = None,
        direction: Literal["denoise", "noise"] | None = None,
        cell: str | None = None,
        top: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Causal trace of a fact (Meng et al. 2022).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        foil
            A wrong answer, for the logit difference; its leading space is added [default: the
            dataset's, if it has one]
        kind
            What is restored: the residual stream after a layer, what MLPs or attention add to it,
            or the output `z` of each head
        at
            Restore at these tokens together instead of at one at a time: `all`, `subject`,
            `non-subject`, `last`, a position such as `3`, or a range such as `3..6` without its end
            [default for heads: all]
        widths
            With --at: a column for each of these widths of windows, such as `1,3,10`; hidden states
            have windows here too [default: --window, or 1 for hidden states]
        corruption
            What the subject becomes [default: gaussian, or noise-file with --noise-file]
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        replace
            Put noise in place of the embeddings instead of adding it
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        window
            Layers restored together, for `mlp`, `attn` and `head` [default: 10 as ROME, in models
            of fewer than 24 layers as large a part as 10 of 48; for heads 1]
        sever
            Hold what MLPs or attention add at the restored token at their corrupted values, so that
            only the path around them is left (Meng et al. 2022, figure 3)
        sever_layers
            With --sever: in how many layers, from the lowest on whose output could react [default:
            all, as ROME]
        direction
            `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones
            into the clean run
            [default: denoise]
        cell
            One cell instead of the map, a token and a layer, both counted from 0: what the model
            says in each run behind it
        top
            With --cell: how many of the likeliest next tokens are listed
            [default: 10]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--foil": foil,
            "--kind": kind,
            "--at": at,
            "--widths": widths,
            "--corruption": corruption,
            "--replace": replace,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--window": window,
            "--sever": sever,
            "--sever-layers": sever_layers,
            "--direction": direction,
            "--cell": cell,
            "--top": top,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("trace", "result", given)

    def average(
        self,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        facts: Path | None = None,
        facts_seed: int | None = None,
        relation: str | None = None,
        n: int | None = None,
        inverse: bool = False,
        keep_unknown: bool = False,
        kind: Sequence[Literal["hidden", "mlp", "attn"]] = (),
        shared_draws: bool = False,
        corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        replace: bool = False,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        window: int | None = None,
        sever: Literal["mlp", "attn"] | None = None,
        sever_layers: int | None = None,
        direction: Literal["denoise", "noise"] | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Causal traces of many facts, averaged by what each token is to its prompt (Meng et al. 2022,
        figure 2).

        Parameters
        ----------
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
            [default: builtin]
        facts_seed
            Seed of which facts are drawn; more facts keep the first ones
            [default: 1]
        relation
            Only facts of this relation: its Wikidata id, such as P36, or its name
        n
            How many facts are drawn from it
            [default: 100]
        inverse
            Ask the facts from their answers
        keep_unknown
            Average also facts whose answer is not the model's first guess
        kind
            What is restored, with a map for each: the residual stream after a layer, or what MLPs
            or attention add to it
            [default: hidden,mlp,attn]
        shared_draws
            Give all facts the same draws of the corruption, as ROME does; the intervals leave out
            how much the means would change with other draws
        corruption
            What the subject becomes [default: gaussian, or noise-file with --noise-file]
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        replace
            Put noise in place of the embeddings instead of adding it
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        window
            Layers restored together, for `mlp` and `attn` [default: 10 as ROME, in models of fewer
            than 24 layers as large a part as 10 of 48]
        sever
            Hold what MLPs or attention add at the restored token at their corrupted values, so that
            only the path around them is left (Meng et al. 2022, figure 3)
        sever_layers
            With --sever: in how many layers, from the lowest on whose output could react [default:
            all, as ROME]
        direction
            `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones
            into the clean run
            [default: denoise]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--facts": facts,
            "--facts-seed": facts_seed,
            "--relation": relation,
            "--n": n,
            "--inverse": inverse,
            "--keep-unknown": keep_unknown,
            "--kind": kind,
            "--shared-draws": shared_draws,
            "--corruption": corruption,
            "--replace": replace,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--window": window,
            "--sever": sever,
            "--sever-layers": sever_layers,
            "--direction": direction,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("average", "result", given)

    def bench(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        foil: str | None = None,
        kind: Literal["hidden", "mlp", "attn"] | None = None,
        corruptions: Sequence[Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"]] = (),
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        window: Sequence[int] = (),
        sever: Literal["mlp", "attn"] | None = None,
        sever_layers: int | None = None,
        direction: Literal["denoise", "noise"] | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """The same trace under several corruptions, and how alike the maps are (Zhang & Nanda 2024).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        foil
            A wrong answer, for the logit difference; its leading space is added [default: the
            dataset's, if it has one]
        kind
            What is restored: the residual stream after a layer, or what MLPs or attention add to it
            [default: mlp]
        corruptions
            What the subject becomes, one map each
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
            [default: gaussian,str,resample,random-tokens,mean,zero]
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        window
            Layers restored together, for `mlp` and `attn`; single layers always stand beside
            [default: 10 as ROME, in models of fewer than 24 layers as large a part as 10 of 48]
        sever
            Hold what MLPs or attention add at the restored token at their corrupted values, so that
            only the path around them is left (Meng et al. 2022, figure 3)
        sever_layers
            With --sever: in how many layers, from the lowest on whose output could react [default:
            all, as ROME]
        direction
            `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones
            into the clean run
            [default: denoise]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--foil": foil,
            "--kind": kind,
            "--corruptions": corruptions,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--window": window,
            "--sever": sever,
            "--sever-layers": sever_layers,
            "--direction": direction,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("bench", "result", given)

    def atp(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        foil: str | None = None,
        kind: Literal["hidden", "mlp", "attn", "head"],
        at: str | None = None,
        widths: Sequence[int] = (),
        corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        replace: bool = False,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        window: int | None = None,
        sever: Literal["mlp", "attn"] | None = None,
        sever_layers: int | None = None,
        direction: Literal["denoise", "noise"] | None = None,
        base: Literal["corrupted", "clean"] | None = None,
        metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff"] | None = None,
        windows: Literal["held", "added"] | None = None,
        verify: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Estimate a causal trace from one gradient (attribution patching).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        foil
            A wrong answer, for the logit difference; its leading space is added [default: the
            dataset's, if it has one]
        kind
            What is restored: the residual stream after a layer, what MLPs or attention add to it,
            or the output `z` of each head
        at
            Restore at these tokens together instead of at one at a time: `all`, `subject`,
            `non-subject`, `last`, a position such as `3`, or a range such as `3..6` without its end
            [default for heads: all]
        widths
            With --at: a column for each of these widths of windows, such as `1,3,10`; hidden states
            have windows here too [default: --window, or 1 for hidden states]
        corruption
            What the subject becomes [default: gaussian, or noise-file with --noise-file]
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        replace
            Put noise in place of the embeddings instead of adding it
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        window
            Layers restored together, for `mlp`, `attn` and `head` [default: 10 as ROME, in models
            of fewer than 24 layers as large a part as 10 of 48; for heads 1]
        sever
            Hold what MLPs or attention add at the restored token at their corrupted values, so that
            only the path around them is left (Meng et al. 2022, figure 3)
        sever_layers
            With --sever: in how many layers, from the lowest on whose output could react [default:
            all, as ROME]
        direction
            `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones
            into the clean run
            [default: denoise]
        base
            The run at which the gradient is taken: Nanda 2023 takes the corrupted one, Kramár et
            al. 2024 the clean one
            [default: corrupted]
        metric
            What is estimated to first order
            [default: prob]
        windows
            How the layers of a window are taken together: `held`, as outputs that do not react to
            each other at the restored token, or `added`, as the sum of their own estimates
            [default: held]
        verify
            Patch the N cells with the largest estimated effects for real
            [default: 0]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--foil": foil,
            "--kind": kind,
            "--at": at,
            "--widths": widths,
            "--corruption": corruption,
            "--replace": replace,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--window": window,
            "--sever": sever,
            "--sever-layers": sever_layers,
            "--direction": direction,
            "--base": base,
            "--metric": metric,
            "--windows": windows,
            "--verify": verify,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("atp", "result", given)

    def attribute(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        foil: str | None = None,
        by: Literal["layers", "heads", "neurons", "sources", "accumulated"] | None = None,
        top: int | None = None,
        per_layer: bool = False,
        scale: Literal["own", "final"] | None = None,
        through: str | None = None,
        minus_prompt: str | None = None,
        minus_noise: str | None = None,
        minus_corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        scale_of: Literal["clean", "corrupted"] | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Split the answer's logit by layer component, head, neuron or source token.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        foil
            A wrong answer, whose logit is taken off [default: the dataset's, if it has one, else
            the mean over the vocabulary]
        by
            What the logit is split into: layer components; heads and MLPs; the neurons that matter
            most; what each head brings from each token; or how it builds up along the residual
            stream
            [default: layers]
        top
            How many neurons are listed
            [default: 20]
        per_layer
            List the top N of each layer instead of the top N overall
        scale
            With `--by accumulated`: what each state is divided by, its own standard deviation or
            that of the last
            [default: final]
        through
            Show only what reaches the answer through this head, such as `9.1`: what earlier layers
            or heads give it to write, at each token it looks at
        minus_prompt
            Take off what the same parts write on another prompt
        minus_noise
            Take off what the same parts write when the subject's embeddings have noise, as in
            `trace`
        minus_corruption
            Take off what the same parts write when the subject is corrupted in any way that `trace`
            knows, as a mean over the draws: `resample` puts other subjects of the relation in its
            place
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        scale_of
            With --minus-prompt, --minus-noise or --minus-corruption: whose final layer norm scale
            is used for both, that of the `clean` run or in each draw that of its own `corrupted`
            run
            [default: clean]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--foil": foil,
            "--by": by,
            "--top": top,
            "--per-layer": per_layer,
            "--scale": scale,
            "--through": through,
            "--minus-prompt": minus_prompt,
            "--minus-noise": minus_noise,
            "--minus-corruption": minus_corruption,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--scale-of": scale_of,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("attribute", "result", given)

    def lens(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        scale: Literal["own", "final"] | None = None,
        top: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What the model would say after each layer.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        scale
            What each layer's residual stream is divided by in the final layer norm: its own
            standard deviation, or the one at the last layer, as in direct logit attribution
            [default: own]
        top
            How many of the likeliest tokens are listed for each layer and position
            [default: 1]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--scale": scale,
            "--top": top,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("lens", "result", given)

    def attention(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        layer: int | None = None,
        layers: str | None = None,
        head: int | None = None,
        weighting: Literal["pattern", "value", "norm"] | None = None,
        rollout: bool = False,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Where one attention head looks.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        layer
            The layer, from 0
        layers
            Several layers, such as `2..5` (without its end), instead of one
        head
            The head, from 0; a rollout has none [default: all]
        weighting
            What is said of a query and a key: the attention weight, the weight times the norm of
            the value, or the norm of what is moved, the weighted value through `W_O` (Kobayashi et
            al. 2020)
            [default: pattern]
        rollout
            Show attention rollout: through this layer and all below, heads averaged (Abnar &
            Zuidema 2020)
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--layer": layer,
            "--layers": layers,
            "--head": head,
            "--weighting": weighting,
            "--rollout": rollout,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("attention", "result", given)

    def heads(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        random_tokens: int | None = None,
        sequences: int | None = None,
        seed: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What kind of head each head is, by where it looks.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        random_tokens
            How many random tokens are repeated [default: 50, or what the model's context takes
            twice]
        sequences
            How many such sequences are averaged
            [default: 4]
        seed
            Seed of the random tokens
            [default: 1]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--random-tokens": random_tokens,
            "--sequences": sequences,
            "--seed": seed,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("heads", "result", given)

    def norms(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """How long the residual stream is, and what each layer adds.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("norms", "result", given)

    def contributions(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        threshold: float | None = None,
        sum_heads: bool = False,
        renormalize: bool = False,
        pos: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Which tokens and parts a prediction came through (Ferrando & Voita 2024).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        threshold
            Leave out edges of no more than this share, 0 to 1
            [default: 0.04]
        sum_heads
            Draw one edge per token looked at, all heads together, instead of one per head
        renormalize
            Set parts below the threshold to 0 first, so that those above it add up to 1
        pos
            The token whose prediction is explained, from 0 [default: the last]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--threshold": threshold,
            "--sum-heads": sum_heads,
            "--renormalize": renormalize,
            "--pos": pos,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("contributions", "result", given)

    def circuit(
        self,
        *,
        edit: Sequence[Path] = (),
        process: str | None = None,
        head: str,
        circuit: Literal["ov", "qk"] | None = None,
        vectors: int | None = None,
        tokens: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What one head reads and writes by its weights alone.

        Parameters
        ----------
        edit
            Change the model first: what `edit` tries out, from its --save-spec; may be given again
        process
            Rewrite the weights after that: TransformerLens' `default`, `none`, `all`, or its names
            with commas between
            [default: default]
        head
            Layer and head, both from 0, such as `9.1`
        circuit
            `ov`: what is written, given what is read; `qk`: what is looked at, given what looks
            [default: ov]
        vectors
            How many singular vectors are read
            [default: 5]
        tokens
            How many tokens are listed at each end of a singular vector
            [default: 8]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--edit": edit,
            "--process": process,
            "--head": head,
            "--circuit": circuit,
            "--vectors": vectors,
            "--tokens": tokens,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("circuit", "result", given)

    def compose(
        self,
        *,
        edit: Sequence[Path] = (),
        process: str | None = None,
        modes: Sequence[Literal["q", "k", "v"]] = (),
        top: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Which heads are wired to read what which earlier heads write.

        Parameters
        ----------
        edit
            Change the model first: what `edit` tries out, from its --save-spec; may be given again
        process
            Rewrite the weights after that: TransformerLens' `default`, `none`, `all`, or its names
            with commas between
            [default: default]
        modes
            Where the later head takes in what the earlier one wrote: its queries, keys or values
            [default: q,k,v]
        top
            How many of the highest pairs are listed
            [default: 20]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--edit": edit,
            "--process": process,
            "--modes": modes,
            "--top": top,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("compose", "result", given)

    def ablate(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        foil: str | None = None,
        part: Literal["heads", "attn", "mlp", "layers", "neurons"] | None = None,
        top: int | None = None,
        layers: Sequence[int] = (),
        metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff"] | None = None,
        together: int | None = None,
        random: int | None = None,
        random_seed: int | None = None,
        positions: str | None = None,
        with_: Literal["zero", "mean", "resample"] | None = None,
        mean_prompts: Path | None = None,
        mean_count: int | None = None,
        other: str | None = None,
        other_case: str | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What the answer loses without each head, MLP or layer.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        foil
            A wrong answer, for the logit difference; its leading space is added [default: the
            dataset's, if it has one]
        part
            What is replaced, one at a time
            ``heads``: Each head's output before W_O (hook_z); b_O stays
            ``attn``: All that a layer's attention adds (hook_attn_out)
            ``mlp``: What a layer's MLP adds (hook_mlp_out)
            ``layers``: Attention and MLP of a layer together
            ``neurons``: Single neurons of MLPs (mlp.hook_post): those that a gradient at the clean
            run estimates to matter most
            [default: heads]
        top
            With neurons: ablate the N with the largest estimates, first order from the gradient at
            the clean run [default: 20]
        layers
            Choose neurons of these layers only, such as `3,5` [default: all]
        metric
            With neurons: the metric whose changes are estimated [default: log-prob]
        together
            Then ablate those N all at once without which the answer's log-probability falls most,
            in the fact and in its inverse
        random
            With --together: ablate as many others instead, drawn at random so many times
            [default: 20]
        random_seed
            The seed of these draws
            [default: 1]
        positions
            At which tokens outputs are replaced: `all`, `subject`, `non-subject`, `last`, a
            position such as `3`, or a range such as `3..6` without its end
            [default: all]
        with_
            What stands in for the output of a part
            ``zero``: Zero ablation. Later layers never saw a silent part, so it may break more than
            the part did
            ``mean``: Mean ablation, over up to 256 prompts of the dataset unless others are named.
            Position 0, where attention rests, gets the mean over first tokens, any other the mean
            over all later ones
            ``resample``: Resample ablation: what the part is in another prompt of as many tokens
            (Chan et al. 2022); the window takes a fact of the same relation if there is one
            [default: zero]
        mean_prompts
            Prompts to take the mean of, one a line [default: those of --facts]
        mean_count
            Take the mean over at most N of the prompts, evenly spaced
            [default: 256]
        other
            The prompt to resample from, of as many tokens
        other_case
            The fact whose prompt to resample from, by its `case_id` or `known_id` in the dataset
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--foil": foil,
            "--part": part,
            "--top": top,
            "--layers": layers,
            "--metric": metric,
            "--together": together,
            "--random": random,
            "--random-seed": random_seed,
            "--positions": positions,
            "--with": with_,
            "--mean-prompts": mean_prompts,
            "--mean-count": mean_count,
            "--other": other,
            "--other-case": other_case,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("ablate", "result", given)

    def knockout(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        edges: Sequence[str] = (),
        window: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Where attention must be cut for the answer to get lost (Geva et al. 2023).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        edges
            What is cut, such as `subject:last`: the tokens looked at, a colon, the tokens that
            look, each `all`, `subject`, `non-subject`, `last`, a position or a range such as
            `3..6`; may be given again [default: the paper's `subject:last`, `non-subject:last` and
            `last:last`]
        window
            How many layers are cut together around the one reported [default: as a trace's, 10 from
            24 layers on and as large a part of fewer; the paper: 9 of 48]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--edges": edges,
            "--window": window,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("knockout", "result", given)

    def cut(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        foil: str | None = None,
        edge: Sequence[str] = (),
        layers: str | None = None,
        head: Sequence[int] = (),
        top: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What the answer loses without the ways by which some tokens look at others, all cut at once.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        foil
            A wrong answer, for the logit difference; its leading space is added [default: the
            dataset's, if it has one]
        edge
            What is cut, such as `4:1`: the token that looks, a colon, the token that is looked at,
            by their positions from 0; also `subject`, `last` and the like, or ranges such as
            `3..6`; may be given again
        layers
            Cut in these layers, such as `2..5` (without its end) or `3` [default: all]
        head
            Cut in this head of each of the layers, from 0; may be given again [default: all]
        top
            How many of the likeliest tokens to list
            [default: 5]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--foil": foil,
            "--edge": edge,
            "--layers": layers,
            "--head": head,
            "--top": top,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("cut", "result", given)

    def compare(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        subject: str | None = None,
        inverse_prompt: str | None = None,
        inverse_subject: str | None = None,
        other_case: str | None = None,
        other_prompt: str | None = None,
        other_subject: str | None = None,
        map: Literal["hidden", "mlp", "attn", "ablation", "attribution"] | None = None,
        metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff"] | None = None,
        answer: str | None = None,
        second_answer: str | None = None,
        mapped: Literal["likeliest", "prompts"] | None = None,
        one_answer: Sequence[Literal["fact", "second"]] = (),
        corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        replace: bool = False,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        window: int | None = None,
        sever: Literal["mlp", "attn"] | None = None,
        sever_layers: int | None = None,
        direction: Literal["denoise", "noise"] | None = None,
        top: int | None = None,
        permutations: int | None = None,
        permutation_seed: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """A fact beside its inverse: is each recalled, and in the same place?.

        Parameters
        ----------
        prompt
            In place of a fact of the dataset, the text of one up to its answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet [default: builtin]
        case
            The fact's `case_id` or `known_id` in the dataset
        subject
            The words of --prompt that the fact is about
        inverse_prompt
            The text of the inverse up to its answer [default: the dataset's]
        inverse_subject
            The words of --inverse-prompt that it is about
        other_case
            Another fact of the dataset to compare it with, in place of its inverse
        other_prompt
            The text of another fact up to its answer, to compare it with in place of its inverse
        other_subject
            The words of --other-prompt that it is about
        map
            What is compared
            ``hidden``: Causal traces of hidden states
            ``mlp``: Causal traces of MLPs
            ``attn``: Causal traces of attention
            ``ablation``: What the ablation of each head changes, by zeros and at all tokens
            ``attribution``: What each head adds to the answer's logit
            [default: mlp]
        metric
            The metric of a trace or an ablation
            [default: prob]
        answer
            The answer of the fact [default: the dataset's first]
        second_answer
            The answer of the inverse, or of --other-case [default: the dataset's first]
        mapped
            What each map is of: `likeliest`, of all right answers that which the model finds
            likeliest, or `prompts`, the --answer and the --second-answer
            [default: likeliest]
        one_answer
            Judge recall of the fact, or of the second prompt, by its one answer alone, and not by
            all that the dataset calls right
        corruption
            What the subject becomes [default: gaussian, or noise-file with --noise-file]
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        replace
            Put noise in place of the embeddings instead of adding it
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        window
            Layers restored together, for `mlp` and `attn` [default: 10 as ROME, in models of fewer
            than 24 layers as large a part as 10 of 48]
        sever
            Hold what MLPs or attention add at the restored token at their corrupted values, so that
            only the path around them is left (Meng et al. 2022, figure 3)
        sever_layers
            With --sever: in how many layers, from the lowest on whose output could react [default:
            all, as ROME]
        direction
            `denoise`: clean activations into the corrupted run, as ROME; `noise`: corrupted ones
            into the clean run
            [default: denoise]
        top
            How many heads are called the most important
            [default: 10]
        permutations
            How often heads change places at random, for the p-values
            [default: 9999]
        permutation_seed
            Seed of the permutations
            [default: 1]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--facts": facts,
            "--case": case,
            "--prompt": prompt,
            "--subject": subject,
            "--inverse-prompt": inverse_prompt,
            "--inverse-subject": inverse_subject,
            "--other-case": other_case,
            "--other-prompt": other_prompt,
            "--other-subject": other_subject,
            "--map": map,
            "--metric": metric,
            "--answer": answer,
            "--second-answer": second_answer,
            "--mapped": mapped,
            "--one-answer": one_answer,
            "--corruption": corruption,
            "--replace": replace,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--window": window,
            "--sever": sever,
            "--sever-layers": sever_layers,
            "--direction": direction,
            "--top": top,
            "--permutations": permutations,
            "--permutation-seed": permutation_seed,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("compare", "result", given)

    def edit(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        target: str | None = None,
        layer: int,
        steps: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        clamp: float | None = None,
        kl: float | None = None,
        prefixes: Path | None = None,
        sample_prefixes: int | None = None,
        seed: int | None = None,
        second_moment: Path | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Give the model another answer to a fact (ROME, Meng et al. 2022), and see what it reaches.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        target
            What the model is to say instead; its leading space is added [default: the dataset's
            wrong answer, CounterFact's `target_new`]
        layer
            The layer whose MLP is edited, from 0. ROME: 12 of GPT-2-large's 36, 17 of GPT-2-XL's 48
        steps
            Steps of the descent. ROME: 20
            [default: 20]
        learning_rate
            Learning rate of Adam
            [default: 0.5]
        weight_decay
            Weight of the size of the change
            [default: 0.5]
        clamp
            The largest change, as a multiple of the value's own length
            [default: 4]
        kl
            Weight of keeping what the subject is
            [default: 0.0625]
        prefixes
            Texts put before the prompt, one a line, over which the key is averaged [default: none]
        sample_prefixes
            Let the model write so many of them, as ROME does with 20: half of 5 tokens, half of 10
        seed
            Seed of these
            [default: 0]
        second_moment
            How keys are spread: a safetensors file with `mom2`, [`d_mlp`, `d_mlp`], the mean of k
            kᵀ over the inputs of the layer's `mlp.c_proj`, as in ROME's statistics [default: the
            identity]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--target": target,
            "--layer": layer,
            "--steps": steps,
            "--learning-rate": learning_rate,
            "--weight-decay": weight_decay,
            "--clamp": clamp,
            "--kl": kl,
            "--prefixes": prefixes,
            "--sample-prefixes": sample_prefixes,
            "--seed": seed,
            "--second-moment": second_moment,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("edit", "result", given)

    def steer(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        plus: str | None = None,
        minus: str | None = None,
        plus_token: str | None = None,
        minus_token: str | None = None,
        layer: int,
        positions: str | None = None,
        scale: float | None = None,
        reach: bool = False,
        top: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Add a direction to the residual stream, and see what the model says.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        plus
            The direction: the layer's residual stream at the last token of this prompt, less that
            of --minus
        minus
            The prompt whose residual stream is taken off that of --plus
        plus_token
            The direction: the column of the unembedding of the text's first token; its leading
            space is added
        minus_token
            The token whose column is taken off that of --plus-token [default: the mean of all
            columns]
        layer
            The layer after which the direction is added, from 0
        positions
            At which tokens the direction is added: `all` (those that follow the prompt, too),
            `subject`, `non-subject`, `last`, a position such as `3`, or a range such as `3..6`
            without its end
            [default: all]
        scale
            How many times the direction is added
            [default: 1]
        reach
            Ask before and after also what the dataset has beside the fact, and its inverse from the
            right answer and from the foil
        top
            How many of the likeliest tokens to list
            [default: 5]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--plus": plus,
            "--minus": minus,
            "--plus-token": plus_token,
            "--minus-token": minus_token,
            "--layer": layer,
            "--positions": positions,
            "--scale": scale,
            "--reach": reach,
            "--top": top,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("steer", "result", given)

    def generate(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        ignore_end: bool = False,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """What the model writes after a text.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        tokens
            The most tokens to write
            [default: 20]
        temperature
            Draw at random: logits are divided by this [default: no draw, the likeliest each time]
        top_k
            Draw from the K likeliest tokens
        top_p
            Draw from the likeliest tokens that hold this much of the probability, 0 to 1
        seed
            Draw with this seed: the same gives the same text
        ignore_end
            Write on after the token that ends a text, such as `<|endoftext|>`
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--tokens": tokens,
            "--temperature": temperature,
            "--top-k": top_k,
            "--top-p": top_p,
            "--seed": seed,
            "--ignore-end": ignore_end,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("generate", "result", given)

    def recall(
        self,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        facts: Path | None = None,
        facts_seed: int | None = None,
        relation: str | None = None,
        n: int | None = None,
        case: Sequence[str] = (),
        facts_of: Path | None = None,
        known: Literal["forward", "inverse", "both"] | None = None,
        known_by: str | None = None,
        own_words: bool = False,
        journal: Path | None = None,
    ) -> Result:
        """Which facts of a dataset the model knows, in which words.

        Parameters
        ----------
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
            [default: builtin]
        facts_seed
            Seed of which facts are drawn; more facts keep the first ones
            [default: 1]
        relation
            Only facts of this relation: its Wikidata id, such as P36, or its name
        n
            How many facts are drawn at random [default: all, in file order]
        case
            Only the fact with this id; may be given again
        facts_of
            Only the facts that have a result in the folder of another sweep of the same dataset,
            whichever way they were asked there
        known
            Only facts that the model knows `forward`, as an `inverse`, or `both` ways; the others
            are counted [default: all, known or not]
        known_by
            When an answer counts as known: a right answer is the model's `first` guess; it is among
            the first `ten`, or another number of guesses; or it is the likeliest by `choice` among
            the answers of the relation
            [default: first]
        own_words
            Ask facts in the dataset's words only [default: in each template of their relation, too]
        journal
            Write what is found of each fact to this file as it is asked, a line of JSON each; the
            same command goes on with it where it was stopped
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--facts": facts,
            "--facts-seed": facts_seed,
            "--relation": relation,
            "--n": n,
            "--case": case,
            "--facts-of": facts_of,
            "--known": known,
            "--known-by": known_by,
            "--own-words": own_words,
            "--journal": journal,
            "--model": None,
        }
        return self._ask("recall", "result", given)

    def patch(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        from_: str | None = None,
        from_subject: str | None = None,
        from_answer: str | None = None,
        from_case: str | None = None,
        from_inverse: bool = False,
        pair: Sequence[str] = (),
        kind: Literal["hidden", "mlp", "attn", "heads"],
        window: int | None = None,
        together: bool = False,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Give a prompt the activations of another, such as the inverse of its fact.

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        from_
            The prompt to take activations from
        from_subject
            The words that the prompt of --from is about
        from_answer
            The other prompt's answer, measured as the foil [default: the model's own first guess]
        from_case
            Take activations from another fact of the dataset, by its `case_id` or `known_id`
        from_inverse
            Take activations from the fact asked the other way round: its inverse, or with --inverse
            the fact itself
        pair
            A position of the other prompt and the position of this prompt that it is paired with;
            may be given again [default: all pairs by their roles]
        kind
            What is patched: the residual stream after a layer, what MLPs or attention add to it, or
            each head's output
        window
            Layers patched together, for `mlp` and `attn`
            [default: 1]
        together
            Patch all pairs at once instead of one at a time
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--from": from_,
            "--from-subject": from_subject,
            "--from-answer": from_answer,
            "--from-case": from_case,
            "--from-inverse": from_inverse,
            "--pair": pair,
            "--kind": kind,
            "--window": window,
            "--together": together,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("patch", "result", given)

    def path_patch(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        from_: str | None = None,
        from_subject: str | None = None,
        from_answer: str | None = None,
        from_case: str | None = None,
        from_inverse: bool = False,
        pair: Sequence[str] = (),
        to: Sequence[str],
        positions: str | None = None,
        mlps: Literal["recomputed", "frozen"] | None = None,
        foil: str | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Which heads and MLPs tell the logits, a head or an MLP what they do (Wang et al. 2022).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        from_
            The prompt to take activations from
        from_subject
            The words that the prompt of --from is about
        from_answer
            The other prompt's answer, measured as the foil [default: the model's own first guess]
        from_case
            Take activations from another fact of the dataset, by its `case_id` or `known_id`
        from_inverse
            Take activations from the fact asked the other way round: its inverse, or with --inverse
            the fact itself
        pair
            A position of the other prompt and the position of this prompt that it is paired with;
            may be given again [default: all pairs by their roles]
        to
            What is told: `logits`, what heads read for queries, keys or values such as `L9H6.q`, or
            an MLP such as `MLP3`; several are told together
        positions
            At which tokens it is told, for heads and MLPs: `all`, `subject`, `non-subject`, `last`,
            a position such as `3`, or a range such as `3..6` without its end
            [default: all]
        mlps
            What MLPs on the way do: react, as in Wang et al. 2022, or keep their clean outputs
            [default: recomputed]
        foil
            A wrong answer, for the logit difference [default: the dataset's, if it has one, else
            that of --from-answer]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--from": from_,
            "--from-subject": from_subject,
            "--from-answer": from_answer,
            "--from-case": from_case,
            "--from-inverse": from_inverse,
            "--pair": pair,
            "--to": to,
            "--positions": positions,
            "--mlps": mlps,
            "--foil": foil,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("path-patch", "result", given)

    def atp_star(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        other: str | None = None,
        other_case: str | None = None,
        corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        replace: bool = False,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff"] | None = None,
        foil: str | None = None,
        verify: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Which queries, keys, values and MLPs matter, from gradients (`AtP*`, Kramár et al. 2024).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        other
            Corrupt by another prompt of as many tokens [default: as --corruption says]
        other_case
            Corrupt by the prompt of another fact of the dataset, by its `case_id` or `known_id`
        corruption
            What the subject becomes [default: gaussian, or noise-file with --noise-file]
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        replace
            Put noise in place of the embeddings instead of adding it
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        metric
            The metric whose changes are estimated
            [default: log-prob]
        foil
            A wrong answer, for the logit difference [default: the dataset's, if it has one]
        verify
            Corrupt the N parts or edges with the largest estimates for real
            [default: 0]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--other": other,
            "--other-case": other_case,
            "--corruption": corruption,
            "--replace": replace,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--metric": metric,
            "--foil": foil,
            "--verify": verify,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("atp-star", "result", given)

    def eap(
        self,
        prompt: str | None = None,
        *,
        bos: bool = False,
        no_bos: bool = False,
        edit: Sequence[Path] = (),
        process: str | None = None,
        subject: str | None = None,
        answer: str | None = None,
        facts: Path | None = None,
        case: str | None = None,
        inverse: bool = False,
        other: str | None = None,
        other_case: str | None = None,
        corruption: Literal["gaussian", "noise-file", "gaussian-per-dim", "uniform", "tokens-cosine", "tokens-distance", "resample", "random-subject", "str", "random-tokens", "zero", "mean"] | None = None,
        replace: bool = False,
        other_subjects: Path | None = None,
        counterpart: str | None = None,
        noise: str | None = None,
        noise_subjects: Path | None = None,
        subjects_of: Path | None = None,
        noise_file: Path | None = None,
        samples: int | None = None,
        seed: int | None = None,
        noise_rng: Literal["numpy", "chacha"] | None = None,
        metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff"] | None = None,
        foil: str | None = None,
        verify: int | None = None,
        method: Literal["eap", "eap-ig"] | None = None,
        steps: int | None = None,
        edges: int | None = None,
        figure_metric: Literal["prob", "answer-prob", "log-prob", "logit", "logit-diff", "rank", "kl"] | None = None,
        figure_effect: Literal["score", "indirect", "direct", "recovery"] | None = None,
        figure_attribution: Literal["parts", "running-sum", "waterfall"] | None = None,
        figure_layer: int | None = None,
        figure_head: int | None = None,
        figure_position: int | None = None,
    ) -> Result:
        """Which part tells which, from gradients (EAP, EAP-IG).

        Parameters
        ----------
        prompt
            The text up to the answer
        bos
            Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default:
            as the tokenizer does by itself; GPT-2's does not]
        no_bos
            Put no BOS before the prompt, as ROME does
        edit
            Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be
            given again
        process
            Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with
            commas between (`fold_ln`, `center_writing_weights`, `center_unembed`,
            `fold_value_biases`, `refactor_factored_attn_matrices`). No probability changes
            [default: none]
        subject
            The words of the prompt that the fact is about
        answer
            The answer to measure; its leading space is added [default: the model's own first guess]
        facts
            A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or
            Parquet
        case
            The fact's `case_id` or `known_id` in the dataset
        inverse
            Ask the fact from its answer
        other
            Corrupt by another prompt of as many tokens [default: as --corruption says]
        other_case
            Corrupt by the prompt of another fact of the dataset, by its `case_id` or `known_id`
        corruption
            What the subject becomes [default: gaussian, or noise-file with --noise-file]
            ``gaussian``: Gaussian noise added to the subject's embeddings, one spread for all
            dimensions, as in ROME
            ``noise-file``: The noise of a file of numpy's: --noise-file, in the window the trace's
            settings
            ``gaussian-per-dim``: Gaussian noise, each dimension with its own spread
            ``uniform``: Evenly spread noise between minus and plus the noise level: ROME's
            uniform_noise
            ``tokens-cosine``: The tokens whose embeddings are nearest to noisy ones by cosine: a
            corruption that can be read
            ``tokens-distance``: The tokens whose embeddings are nearest to noisy ones by Euclidean
            distance
            ``resample``: Other subjects of the same relation and token count: resampling (Chan et
            al. 2022)
            ``random-subject``: Other subjects of the same token count, of any relation
            ``str``: One other subject: symmetric token replacement, which Zhang & Nanda 2024 prefer
            to noise
            ``random-tokens``: Random tokens, as a baseline
            ``zero``: Zeros in place of the subject's embeddings
            ``mean``: The mean embedding of the subjects' tokens that noise is measured on
        replace
            Put noise in place of the embeddings instead of adding it
        other_subjects
            Other subjects for `resample` and `random-subject`, one a line [default: those of
            --facts, of the same relation or of all]
        counterpart
            The other subject for `str`, of as many tokens [default: one of --facts of the same
            relation with another answer, the dataset's foil if there is such a one]
        noise
            Standard deviation of the noise: a number, or as in `3s` a multiple of that of the
            subjects' token embeddings
            [default: 3s]
        noise_subjects
            A text file with one subject a line, on which `3s` is measured [default: the subjects of
            --facts, else the prompt's own]
        subjects_of
            A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is
            typed or of another dataset [default: --facts]
        noise_file
            Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a
            `.npy` or as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
        samples
            Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
            --noise-file]
        seed
            Seed of the corruption
            [default: 1]
        noise_rng
            `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
            that more samples keep the first ones
            [default: numpy]
        metric
            The metric whose changes are estimated
            [default: log-prob]
        foil
            A wrong answer, for the logit difference [default: the dataset's, if it has one]
        verify
            Corrupt the N parts or edges with the largest estimates for real
            [default: 0]
        method
            How edges are estimated
            ``eap``: From each part to each that reads it, by the gradient at the clean run (Syed et
            al. 2023)
            ``eap-ig``: The same with integrated gradients: their mean between the corrupted and the
            clean embeddings (Hanna et al. 2024)
            [default: eap-ig]
        steps
            With `eap-ig`: how many runs the mean of gradients is over
            [default: 30]
        edges
            How many edges to keep
            [default: 100]
        figure_metric
            The metric of the answer that the figure and the text show, where a result has several
            [default: prob]
        figure_effect
            What the figure of a trace shows of the metric: `score`, its value in each patched run;
            `indirect`, what comes back, or is lost, through the cell; `direct`, the rest of the
            total effect; or `recovery`, the share of the total effect that comes back
            [default: score]
        figure_attribution
            How the figure of an attribution by layers or heads draws the logit: `parts`, what each
            part adds; `running-sum`, the sum of all parts up to each depth; or `waterfall`, what
            each part adds, from where the one before ended
            [default: parts]
        figure_layer
            The layer that the figure shows, from 0, where it shows one of several, as for attention
        figure_head
            The head that the figure shows, from 0, where it shows one of several
        figure_position
            The token that the figure shows, from 0, where it shows one of several: for a logit
            lens, the token that its line starts from
        """
        given = {
            "--bos": bos,
            "--no-bos": no_bos,
            "--edit": edit,
            "--process": process,
            "--prompt": prompt,
            "--subject": subject,
            "--answer": answer,
            "--facts": facts,
            "--case": case,
            "--inverse": inverse,
            "--other": other,
            "--other-case": other_case,
            "--corruption": corruption,
            "--replace": replace,
            "--other-subjects": other_subjects,
            "--counterpart": counterpart,
            "--noise": noise,
            "--noise-subjects": noise_subjects,
            "--subjects-of": subjects_of,
            "--noise-file": noise_file,
            "--samples": samples,
            "--seed": seed,
            "--noise-rng": noise_rng,
            "--metric": metric,
            "--foil": foil,
            "--verify": verify,
            "--method": method,
            "--steps": steps,
            "--edges": edges,
            "--figure-metric": figure_metric,
            "--figure-effect": figure_effect,
            "--figure-attribution": figure_attribution,
            "--figure-layer": figure_layer,
            "--figure-head": figure_head,
            "--figure-position": figure_position,
            "--model": None,
        }
        return self._ask("eap", "result", given)
