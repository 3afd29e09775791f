"""What the tests share: the built-in model, open."""

from pathlib import Path

import pytest

import factscope

TOP = Path(__file__).resolve().parents[2]
TINY = TOP / "tests/fixtures/tiny"
EGYPT = {"facts": "builtin", "case": "2"}


@pytest.fixture(scope="session")
def m():
    with factscope.open(device="cpu") as model:
        yield model
