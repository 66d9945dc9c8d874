"""Columns and measures are found by name, so that another order of names changes no feature silently."""

import ast

from fraud.compiled import SOURCES

COLUMNS = {"values", "ids", "integers", "categories", "keys", "found"}


def test_the_kernel_knows_no_column_by_its_number() -> None:
    numbered = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Subscript):
                continue
            held = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            place = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) else node.slice
            if held in COLUMNS and isinstance(place, ast.Constant):
                numbered.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert not numbered
