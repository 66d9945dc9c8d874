import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fraud
from fraud.compiled import SOURCES

PACKAGE = Path(fraud.__file__).parent
CALLER = """
import numpy as np
from fraud.history.kernel.entities import _pair
print(_pair(np.uint64(7), np.uint64(8), np.uint64(9), 1), _pair.stats.cache_hits.total())
"""


def run(folder: Path, caller: str = CALLER) -> tuple[int, int]:
    """What a fresh process computes with the copy in `folder`, and how often it found machine code on disk."""
    done = subprocess.run(
        [sys.executable, "-c", caller],
        cwd=folder,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},  # noqa: TID251 - passed on
        capture_output=True,
        text=True,
        check=True,
    )
    key, hits = done.stdout.split()
    return int(key), int(hits)


def test_an_edit_in_one_module_of_the_kernel_reaches_what_another_has_compiled(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "fraud", ignore=shutil.ignore_patterns("__pycache__"))
    first, hits = run(tmp_path)
    assert hits == 0
    assert run(tmp_path) == (first, 1), "the same sources use what is on disk"
    table = tmp_path / "fraud" / "history" / "kernel" / "hash_table.py"
    table.write_text(table.read_text().replace("0xBF58476D1CE4E5B9", "0xBF58476D1CE4E5BB"))
    edited, hits = run(tmp_path)
    assert hits == 0
    assert edited != first


def test_so_does_an_edit_of_a_file_outside_the_kernel(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "fraud", ignore=shutil.ignore_patterns("__pycache__"))
    outside = tmp_path / "outside.py"
    caller = "from outside import add; print(add(1), add.stats.cache_hits.total())"
    code = "from fraud.compiled import compiled\n\n\n@compiled\ndef add(x):\n    return x + {}\n"
    outside.write_text(code.format(1))
    assert run(tmp_path, caller) == (2, 0)
    assert run(tmp_path, caller) == (2, 1)
    outside.write_text(code.format(2))
    assert run(tmp_path, caller) == (3, 0)


def test_the_kernel_is_made_of_nothing_but_the_sources_that_its_cache_looks_at() -> None:
    used = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            used |= {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in names if name and "fraud" in name}
    assert used <= set(SOURCES)
