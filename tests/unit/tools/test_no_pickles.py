"""No program here reads or writes pickles, which run whatever they hold: the sources say so."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAMS = ("fraud", "service", "training", "deploy", "benchmarks")
PICKLING = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
"""Modules that pickle, or are no safer."""

PICKLING_CALLS = {"to_pickle", "read_pickle"}
"""Of pandas."""


def pickling(source: str) -> Iterator[str]:
    """What in a source reads or writes pickles, by line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"{node.lineno}: {alias.name}" for alias in node.names if alias.name.split(".")[0] in PICKLING)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLING:
            yield f"{node.lineno}: {node.module}"
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                yield f"{node.value.lineno}: allow_pickle"
        elif isinstance(node, ast.Attribute) and node.attr in PICKLING_CALLS:
            yield f"{node.lineno}: {node.attr}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_no_pickles(program: str) -> None:
    sources = sorted((ROOT / program).rglob("*.py"))
    assert sources
    found = [f"{path.relative_to(ROOT)}:{line}" for path in sources for line in pickling(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "np.load(f, allow_pickle=True)",
        "pd.read_pickle(f)",
        "import dill.detect",
    ],
)
def test_pickles_would_be_found(source: str) -> None:
    assert list(pickling(source))


def test_refusing_pickles_is_no_pickling() -> None:
    assert list(pickling("np.load(f, allow_pickle=False)")) == []
