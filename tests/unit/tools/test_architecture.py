"""The lists of files in docs/explanation/architecture.md are ways that the code really goes."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("fraud", "runtime", "service", "training", "simulator", "console", "gateway", "local", "tools")
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def way(heading: str) -> list[str]:
    """The files of one list, in order."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)


def imports(file: str) -> set[str]:
    """Files that a file imports, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            continue
        found |= {name.replace(".", "/") + ".py" for name in names}
    # Commands are named by strings, so that they are imported when they are called.
    return found | {m.replace(".", "/") + ".py" for m in re.findall(r'"([\w.]+):\w+"', (ROOT / file).read_text())}


@pytest.mark.parametrize(
    ("heading", "root", "most"),
    [
        ("The way of a payment, as files", "service/bootstrap.py", 15),
        ("The way of a label, as files", "training/__main__.py", 25),
    ],
)
def test_each_file_of_a_way_is_imported_by_one_before_it(heading: str, root: str, most: int) -> None:
    files = way(heading)
    assert 10 <= len(files) <= most
    for place, file in enumerate(files):
        assert (ROOT / file).is_file(), f"{file} is not there"
        assert file in set().union(*map(imports, [root, *files[:place]])), f"nothing before it imports {file}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_newcomer_can_take_in_every_folder_at_a_glance(package: str) -> None:
    folders = {file.parent for file in (ROOT / package).rglob("*.py")}
    named = {folder: [file for file in folder.glob("*.py") if not file.stem.startswith("__")] for folder in folders}
    assert {str(folder.relative_to(ROOT)): len(files) for folder, files in named.items() if len(files) > 15} == {}
