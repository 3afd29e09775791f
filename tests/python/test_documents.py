"""The examples of `docs/python.md` print what the page says."""

import doctest
import re

from conftest import TOP


def test_the_examples_of_the_page_print_what_it_says(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    page = (TOP / "docs/python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    globs = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for nth, block in enumerate(blocks):
        test = doctest.DocTestParser().get_doctest(block, globs, f"block {nth}", "docs/python.md", 0)
        assert test.examples
        failed = runner.run(test, clear_globs=False).failed
        globs = test.globs
        assert not failed, capsys.readouterr().out
