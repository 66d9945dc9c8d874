"""Files replaced in one step: readers, and whoever starts after a crash, see the old content or the new one."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what shall replace `path` when the block is over; an error leaves `path` as it was.

    The content, and then the name, is on the disk when this returns. For one writer of `path` at a time.
    """
    temporary = path.with_name(f".{path.name}.tmp")  # what a killed process left is overwritten
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_json(path: Path, value: object) -> None:
    """Replaces a JSON file in one step, durably."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write("\n")


def create_once(path: Path, content: bytes) -> None:
    """Makes a file that only its owner can read, with its folder, unless it is there: then it stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by the owner only
    try:
        with os.fdopen(made, "wb") as file:
            file.write(content)
        sync(Path(name))
        with suppress(FileExistsError):
            os.link(name, path)  # unlike a rename it never replaces a file that is in use
    finally:
        Path(name).unlink(missing_ok=True)
    sync(path.parent)


def sync_tree(path: Path) -> None:
    """Has the system write every file below `path` to the disk."""
    for file in path.rglob("*"):
        if file.is_file():
            sync(file)


def sync(path: Path) -> None:
    """Has the system write a file, or a folder's entries such as a rename, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
