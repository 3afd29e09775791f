"""`docs/notebook.ipynb` is executed anew and gives what is stored in it; and a notebook's kernel itself.

`UPDATE_DOCUMENTS=1 tests/python/run.sh PROGRAM -k stored` stores what it gives.
"""

import copy
import os
import queue
import re
import time
import xml.etree.ElementTree as ElementTree

import nbformat
import numpy as np
import pytest
from conftest import EGYPT, TOP
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

NOTEBOOK = TOP / "docs/notebook.ipynb"
NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?(?:e[-−+]?\d+)?")
# Numbers are printed to four digits, and f32 in another order of sums may turn the last of them.
RELATIVE, ABSOLUTE = 2e-3, 2e-6
# GitHub shows no notebook that is much larger.
MOST_BYTES = 600_000


def executed(notebook, folder):
    notebook = copy.deepcopy(notebook)
    where = {"metadata": {"path": str(folder)}}
    # A kernel may send what one cell prints in several messages, as its clock has it.
    client = NotebookClient(notebook, timeout=1800, record_timing=False, coalesce_streams=True, resources=where)
    client.execute()
    for cell in cells(notebook):
        # A bar that was shown leaves an empty output, where the machine was slow enough for one.
        cell.outputs = [it for it in cell.outputs if it.output_type == "stream" or any(it.data.values())]
    return notebook


def cells(notebook):
    return [it for it in notebook.cells if it.cell_type == "code"]


def texts(output):
    """What an output says, by its form. Of a picture the words and numbers in it: lines and fills follow."""
    if output.output_type == "stream":
        return {output.name: output.text}
    said = dict(output.data)
    if "image/svg+xml" in said:
        root = ElementTree.fromstring(said["image/svg+xml"])
        said["image/svg+xml"] = "\n".join(it.strip() for it in root.itertext() if it.strip())
    return said


def check_alike(is_now, was):
    """The same words, and the same numbers to their last digit but one."""
    assert NUMBER.split(is_now) == NUMBER.split(was)
    now, then = (np.array([float(it.replace("−", "-")) for it in NUMBER.findall(text)]) for text in (is_now, was))
    np.testing.assert_allclose(now, then, rtol=RELATIVE, atol=ABSOLUTE, err_msg=was)


def test_the_notebook_gives_what_is_stored_in_it(tmp_path):
    stored = nbformat.read(NOTEBOOK, 4)
    found = executed(stored, tmp_path)
    if "UPDATE_DOCUMENTS" in os.environ:
        nbformat.write(found, NOTEBOOK)
        stored = nbformat.read(NOTEBOOK, 4)
    assert len(cells(stored)) > 15
    for now, was in zip(cells(found), cells(stored)):
        assert len(now.outputs) == len(was.outputs), was.source
        assert now.execution_count == was.execution_count
        for one, other in zip(now.outputs, was.outputs):
            one, other = texts(one), texts(other)
            assert one.keys() == other.keys(), was.source
            for form in one:
                check_alike(one[form], other[form])
    assert NOTEBOOK.stat().st_size < MOST_BYTES


def test_a_number_or_a_word_that_has_changed_is_found():
    check_alike("p 0.6408 at L0", "p 0.6409 at L0")
    for other in ("p 0.6428 at L0", "p 0.6408 at L1", "q 0.6408 at L0", "p 0.6408"):
        with pytest.raises(AssertionError):
            check_alike("p 0.6408 at L0", other)


def test_the_numbers_of_the_readme_are_in_the_notebook(m):
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    said = "\n".join(
        text for cell in cells(nbformat.read(NOTEBOOK, 4)) for it in cell.outputs for text in texts(it).values()
    )
    rows = re.findall(r"^\*?\d \S+((?: +0\.\d{6}){6})$", readme, re.MULTILINE)
    map_ = np.array([[float(it) for it in row.split()] for row in rows])
    assert map_.shape == (5, 6)
    np.testing.assert_allclose(m.trace(**EGYPT, kind="mlp", window=2).scores, map_, atol=1e-6)
    likeliest = re.findall(r"^ +\d  ·(\S+).* (0\.\d{5}) +(\d+\.\d{3}) +\d+$", readme, re.MULTILINE)
    assert len(likeliest) == 3
    for token, *numbers in likeliest:
        row = re.search(rf"·{token}(?: \*)?\n(\S+)\n(\S+)\n", said)
        np.testing.assert_allclose([float(it) for it in row.groups()], [float(it) for it in numbers], rtol=1e-3)
    for note in m.trace(**EGYPT, kind="mlp", window=2).notes[:2]:
        assert "".join(note.split()) in "".join(said.split())


@pytest.fixture
def kernel():
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=600)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def ask(client, code, on=lambda message: None):
    """What a cell shows, message by message, until it is done."""
    asked, shown = client.execute(code), []
    deadline = time.monotonic() + 900
    while True:
        assert time.monotonic() < deadline, shown
        try:
            message = client.get_iopub_msg(timeout=5)
        except queue.Empty:
            continue
        if message["parent_header"].get("msg_id") != asked:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return shown
        shown.append((kind, content))
        on(message)


def test_a_kernel_shows_results_and_bars_and_is_interrupted(kernel):
    manager, client = kernel
    ask(client, "import factscope; m = factscope.open(device='cpu', ignore_memory=True)")
    shown = dict(ask(client, "m.predict('The capital of Egypt is', answer='Cairo')"))
    data = shown["execute_result"]["data"]
    assert data["image/svg+xml"].startswith("<svg") and data["text/plain"].startswith("Next token")

    stopped = []

    def stop(message):
        if message["msg_type"] == "display_data" and not stopped:
            stopped.append(message["content"]["data"]["text/html"])
            manager.interrupt_kernel()

    shown = ask(client, "m.trace(facts='builtin', case='2', kind='hidden', samples=3_000)", stop)
    assert stopped and "<progress" in stopped[0]
    errors = [content for kind, content in shown if kind == "error"]
    assert [it["ename"] for it in errors] == ["KeyboardInterrupt"]
    bars = [content["data"] for kind, content in shown if kind == "update_display_data"]
    assert bars[-1] == {"text/plain": "", "text/html": ""}

    code = "print(m._process.is_running, m.predict('The capital of Egypt is', answer='Cairo').json['answer']['rank'])"
    assert ("stream", {"name": "stdout", "text": "True 0\n"}) in ask(client, code)
