"""The package over a real program: numbers, forms, errors, and what happens when something ends."""

import io
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import EGYPT, TINY

import factscope
from factscope import _process
from factscope._progress import Progress


def command(*args):
    done = subprocess.run([_process.program(), *args], capture_output=True, check=True)
    return done.stdout


def test_numbers_are_those_of_the_command(m, tmp_path):
    t = m.trace(**EGYPT, kind="mlp", samples=2)
    words = ["trace", "--facts", "builtin", "--case", "2", "--kind", "mlp", "--samples", "2"]
    npz = tmp_path / "trace.npz"
    printed = command(*words, "--device", "cpu", "--json", "--figure", str(npz))
    assert t.json == json.loads(printed)
    assert t.scores.dtype == np.float32
    assert np.array_equal(t.scores, np.load(npz)["causal_trace"])
    assert np.array_equal(t.scores, np.array(t.json["scores"], np.float32))
    assert t.axes == ("token", "layer")
    assert t.labels == (["The", "capital", "of", "Egypt", "is"], [0, 1, 2, 3, 4, 5])


def test_a_fact_is_typed_or_one_of_a_dataset(m):
    typed = m.predict("The capital of Egypt is", answer="Cairo")
    named = m.predict(**EGYPT)
    assert typed.json["top"] == named.json["top"]
    assert m.predict(**EGYPT, inverse=True).json["prompt"]["text"] != typed.json["prompt"]["text"]
    hyphen = m.predict("--json is", answer="-5")
    assert hyphen.json["prompt"]["text"] == "--json is"
    assert hyphen.json["answer"]["text"] == " -5"


def test_grids_lists_and_tables_become_frames(m):
    trace = m.trace(**EGYPT, kind="mlp", samples=2).to_pandas()
    assert list(trace.columns) == ["position", "token", "layer", "value"]
    assert len(trace) == 30 and trace.layer.dtype.kind == "i"

    heads = m.attribute(**EGYPT, by="heads")
    assert heads.axes == ("head", "layer") and heads.scores.shape == (6, 6)
    largest = heads.to_pandas("largest_heads")
    head, layer = np.unravel_index(np.abs(heads.scores).argmax(), heads.scores.shape)
    assert largest.label[0] == f"L{layer} H{head}"
    assert largest.iloc[0, 1] == heads.scores[head, layer]

    lens = m.lens(**EGYPT).to_pandas()
    assert list(lens.columns) == ["position", "token", "layer", "value", "text"]
    lines = m.attribute(**EGYPT, by="layers").charts["running_sum"]
    assert lines.axes == ("series", "layer")

    table = m.predict(**EGYPT, top=3)
    assert list(table.to_pandas().token)[0] == "Cairo"
    with pytest.raises(factscope.Error, match="next_token"):
        _ = table.scores


def test_a_result_is_shown_and_saved(m, tmp_path):
    t = m.lens(**EGYPT)
    assert t._repr_svg_().startswith("<svg") and t._repr_mimebundle_()["image/svg+xml"] == t.svg()
    assert "Logit lens" in repr(t)
    narrow = t.svg(width="one-column", caption=False, charts=["Logit lens"])
    assert narrow.startswith("<svg") and narrow != t.svg()
    begins = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG", "npz": b"PK", "csv": b"", "json": b"{"}
    for ending, begin in begins.items():
        t.save(tmp_path / f"a.{ending}")
        assert (tmp_path / f"a.{ending}").read_bytes().startswith(begin), ending
    with pytest.raises(factscope.Error, match="no figure is written as"):
        t.save(tmp_path / "a.gif")


def test_what_was_asked_is_asked_again(m, tmp_path):
    t = m.attribute(**EGYPT, by="heads")
    t.save_spec(tmp_path / "heads.json")
    assert t.spec == json.loads((tmp_path / "heads.json").read_text())
    again = m.run(tmp_path / "heads.json")
    assert again.json == t.json
    again.save(tmp_path / "heads.npz")
    again.save(tmp_path / "heads.factscope")
    assert "Results     1" in m.session(tmp_path / "heads.factscope")
    # What is at hand needs no file, and may be changed before it is asked.
    assert m.run(t.spec).json == m.run(again.spec).json == t.json
    layers = {**t.spec, "spec": m.attribute(**EGYPT, by="layers").spec["spec"]}
    assert m.run(layers).json == m.attribute(**EGYPT, by="layers").json
    with pytest.raises(factscope.Error, match="unknown field `facts`"):
        m.run({**t.spec, "facts": "builtin"})
    edit = m.edit(**EGYPT, target="Paris", layer=3, steps=2)
    edit.save_spec(tmp_path / "edit.json")
    plain, edited = m.predict(**EGYPT), m.predict(**EGYPT, edit=[tmp_path / "edit.json"])
    assert plain.json["top"] != edited.json["top"]
    with factscope.open(edit=[tmp_path / "edit.json"], device="cpu") as changed:
        assert changed.predict(**EGYPT).json == edited.json


def test_results_become_a_session(m, tmp_path):
    results = [m.lens(**EGYPT), m.attribute(**EGYPT, by="heads"), m.lens("Lyon is in")]
    results[0].save(tmp_path / "one.factscope")
    assert "Results     1" in m.session(tmp_path / "one.factscope")
    factscope.save(tmp_path / "all.factscope", results)
    told = m.session(tmp_path / "all.factscope")
    assert "Results     3" in told and "Lyon is in" in told


def test_a_result_that_is_kept_no_more_is_found_again(m, tmp_path):
    t = m.predict(**EGYPT)
    t._id = 0
    t.save(tmp_path / "a.npz")
    t.json["top"][0]["prob"] = 2.0
    with pytest.raises(factscope.Error, match="another answer now"):
        t.save(tmp_path / "a.npz")


def test_errors_have_the_words_of_the_program(m):
    with pytest.raises(factscope.UsageError, match="--kind"):
        m.trace(**EGYPT, kind="everything")
    with pytest.raises(factscope.Error, match="no layer 99") as error:
        m.attention(**EGYPT, layer=99)
    assert not isinstance(error.value, factscope.UsageError)
    with pytest.raises(TypeError):
        m.trace(**EGYPT)
    assert m.predict(**EGYPT).json["top"]


def test_several_models_in_one_program(m):
    tiny = m.open(TINY)
    assert tiny.predict("Lyon is in").json["model"]["name"] == "tiny"
    assert m.predict("Lyon is in").json["model"]["name"] == "builtin"
    processed = m.open(process="default").predict("Lyon is in")
    assert processed.json["edits"]


def test_relative_paths_are_those_of_python(m, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    m.predict(**EGYPT).save("here.svg")
    assert (tmp_path / "here.svg").exists()


def test_a_sweep_runs_from_python(m, tmp_path):
    heads = m.attribute(**EGYPT, by="heads")
    heads.save_spec(tmp_path / "heads.json")
    told = m.sweep(tmp_path / "heads.json", n=3, out=tmp_path / "heads")
    assert "3 of 3 facts" in told
    assert "3 of 3 facts" in m.sweep(heads.spec, n=3, out=tmp_path / "the_same")
    populations = [m.population(tmp_path / it, draws=50, permutations=19) for it in ("heads", "the_same")]
    assert populations[0].spec is None and populations[0].charts
    assert np.array_equal(*(it.scores for it in populations))
    assert populations[0].svg(charts=["Facts"]) != populations[0].svg()
    with pytest.raises(factscope.Error, match="many facts were asked"):
        populations[0].save_spec(tmp_path / "nothing.json")


LONG = dict(EGYPT, kind="hidden", samples=20_000)


def test_an_interrupt_cancels_and_the_model_stays(m, monkeypatch):
    m.predict(**EGYPT)
    main = threading.main_thread()
    timer = threading.Timer(1.0, lambda: signal.pthread_kill(main.ident, signal.SIGINT))
    with factscope.open(device="cpu", ignore_memory=True) as other:
        replies, read = [], other._process._read
        monkeypatch.setattr(other._process, "_read", lambda *it: replies.append(read(*it)) or replies[-1])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            other.trace(**LONG)
        assert replies[-1]["kind"] == "cancelled"
        assert other.predict(**EGYPT).json == m.predict(**EGYPT).json


def test_an_interrupt_waits_for_what_is_being_shown(m, monkeypatch):
    """A notebook's bar is taken away by its handle, which a display that is interrupted never gives."""
    before = m.predict(**EGYPT).json
    shown, show = [], Progress.show

    def interrupted(bar, **progress):
        signal.raise_signal(signal.SIGINT)
        show(bar, **progress)
        shown.append(progress)

    monkeypatch.setattr(Progress, "show", interrupted)
    with pytest.raises(KeyboardInterrupt):
        m.trace(**LONG)
    assert shown
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    assert m.predict(**EGYPT).json == before


def test_a_process_that_dies_says_so():
    model = factscope.open(device="cpu")
    model.predict(**EGYPT)
    model._process._process.kill()
    with pytest.raises(factscope.Error, match="has ended with -9"):
        model.predict(**EGYPT)
    model.close()
    with pytest.raises(factscope.Error, match="is closed"):
        model.predict(**EGYPT)


def test_a_program_that_cannot_serve_is_named(tmp_path, monkeypatch):
    script = tmp_path / "factscope"
    script.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setenv("FACTSCOPE_PROGRAM", str(script))
    with pytest.raises(factscope.Error, match="has ended with 3(?s:.*)no such luck"):
        factscope.open().predict("a")
    monkeypatch.setenv("FACTSCOPE_PROGRAM", str(tmp_path / "nothing"))
    with pytest.raises(factscope.Error, match="names no program"):
        factscope.open()
    monkeypatch.delenv("FACTSCOPE_PROGRAM")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_process.sysconfig, "get_path", lambda *_: str(tmp_path / "nowhere"))
    monkeypatch.setattr(_process.sys, "executable", str(tmp_path / "nowhere/python"))
    assert _process.program() == str(script)


def test_a_model_that_nobody_refers_to_ends_its_process():
    model = factscope.open(device="cpu")
    process = model._process._process
    model.predict(**EGYPT)
    del model
    assert process.wait(timeout=30) is not None


def test_an_interpreter_ends_while_a_model_is_open():
    # What a function and its module refer to both is given up last of all.
    code = """if True:
        import factscope
        m = factscope.open(device="cpu")
        def method():
            return m.predict("a").json["method"]
        print(method())
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=120, text=True, check=True
    )
    assert done.stdout == "prediction\n" and done.stderr == ""


def test_progress_is_drawn_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("factscope._progress._AT_ONCE", 0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with factscope.open(device="cpu") as model:
        model.trace(**EGYPT, kind="hidden", samples=2)
        drawn = sys.stderr.getvalue()
    assert "Tracing [" in drawn and drawn.endswith("\r\x1b[2K")


def test_notes_go_to_standard_error(m, tmp_path, capfd):
    facts = tmp_path / "facts.csv"
    facts.write_text("prompt,subject,answer\nThe capital of Egypt is,Egypt,Cairo\n")
    m.predict(facts=facts, case="0")
    assert "facts.csv" in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="a window needs a display")
def test_the_window_is_started_on_results(m, tmp_path, monkeypatch):
    started = tmp_path / "started"
    script = tmp_path / "factscope"
    script.write_text(f'#!/bin/sh\necho "$@" > {started}\n')
    script.chmod(0o755)
    t = m.predict(**EGYPT)
    monkeypatch.setenv("FACTSCOPE_PROGRAM", str(script))
    factscope.show(t).wait(timeout=30)
    monkeypatch.undo()
    assert "Results     1" in m.session(started.read_text().strip())
