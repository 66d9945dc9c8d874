"""The glossary's places exist, and words that gave way to better ones stay away."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
RETIRED = {
    "arena": "harness, or allocator",
    "contender": "system",
    "deadletters": "dead_letters",
    "felt": "a plain word",
    "lesson": "trained candidate",
    "notices": "sampled warnings",
    "pacing": "review budget",
    "reign": "serving period",
    "restorer": "history recovery",
    "said_of_all": "shared phrase",
    "sole": "instance lock",
    "teller": "reason builder",
}
"""Of identifiers and modules, whole or as a part between underscores."""


def identifiers(file: Path) -> set[str]:
    """Names that a module defines: itself, its classes, functions, arguments and variables."""
    names = {file.stem}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def words(name: str) -> set[str]:
    """`LedgerView` and `ledger_view` are both ledger, view."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return {snake.strip("_"), *snake.split("_")}


def test_every_place_of_the_glossary_is_there() -> None:
    places = re.findall(r"`([\w/]+(?:\.py|/))`", GLOSSARY)
    assert len(places) > 40
    missing = [place for place in places if not (ROOT / place).exists()]
    assert not missing


def test_no_word_is_explained_twice() -> None:
    explained = re.findall(r"^\| ([^|]+?) \|", GLOSSARY, re.MULTILINE)
    explained = [word for word in explained if word not in {"word", "---"}]
    assert len(explained) == len(set(explained))


@pytest.mark.parametrize("package", ["fraud", "runtime", "service", "training", "simulator", "local", "tools"])
def test_retired_words_stay_away(package: str) -> None:
    listed = subprocess.run(
        ["git", "ls-files", f"{package}/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = [
        f"{file}: {name}: say {RETIRED[word]}"
        for file in listed.stdout.split()
        for name in sorted(identifiers(ROOT / file))
        for word in sorted(words(name) & RETIRED.keys())
    ]
    assert not found, "\n".join(found)
