"""Files replaced in one step: readers, and whoever starts after a crash, see the old content or the new one."""

import json
import os
from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Replaces a JSON file in one step, durably."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync_tree(path: Path) -> None:
    """Has the system write every file below `path` to the disk."""
    for file in path.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def sync(path: Path) -> None:
    """Has the system write a file, or a folder's entries such as a rename, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
