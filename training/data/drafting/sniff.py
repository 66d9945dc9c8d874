"""How a file is written: encoding and delimiter, from its own bytes."""

import codecs
import csv
import io
from pathlib import Path
from typing import Final

import pyarrow as pa

from training.data.importing.mapping import FileFormat, InvalidMapping

DELIMITERS: Final = (",", ";", "\t", "|")
HEAD_BYTES: Final = 1 << 20
HEAD_LINES: Final = 50
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OTHERS: Final = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the table as CSV",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "a SQLite database: export the table as CSV",
}


def sniff(path: Path) -> FileFormat:
    """How a CSV file is written; the default of Parquet, which says so itself.

    Raises:
        InvalidMapping: it is no table, or has no line of names.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
        if start.startswith(b"PAR1"):
            return FileFormat()
        for magic, what in _OTHERS.items():
            if start.startswith(magic):
                raise InvalidMapping(f"{path} is {what}")
        with pa.input_stream(path, compression="detect") as stream:
            head = stream.read(HEAD_BYTES)
        encoding = _encoding(path, head)
    except (OSError, pa.ArrowException) as error:
        raise InvalidMapping(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not head.strip():
        raise InvalidMapping(f"{path} is empty")
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    delimiter = _delimiter(text)
    _check_header(path, text, delimiter)
    return FileFormat(delimiter=delimiter, encoding=encoding)


def _encoding(path: Path, head: bytes) -> str:
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    even, odd = head[:4000:2].count(0), head[1:4000:2].count(0)
    if max(even, odd) > len(head[:4000]) // 5:
        return "utf-16-le" if odd > even else "utf-16-be"
    return next(encoding for encoding in ("utf-8", "cp1252", "latin-1") if _decodes(path, encoding))


def _decodes(path: Path, encoding: str) -> bool:
    """Whether all of the file is text of this encoding: a single name far down may be the first that is not ASCII."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with pa.input_stream(path, compression="detect") as stream:
        try:
            while block := stream.read(8 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _delimiter(text: str) -> str:
    """The mark that cuts most of the first lines into equally many parts, more than one; the comma without any."""
    return max(DELIMITERS, key=lambda mark: _regularity(text, mark))


def _regularity(text: str, mark: str) -> tuple[float, int]:
    lines = text.splitlines(keepends=True)[: HEAD_LINES + 1]
    rows = [row for row in csv.reader(io.StringIO("".join(lines)), delimiter=mark) if row][:HEAD_LINES]
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    return round(sum(len(row) == width for row in rows) / len(rows), 1), width


def _check_header(path: Path, text: str, delimiter: str) -> None:
    names = next((row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row), [])
    numbers = sum(_is_number(name) for name in names)
    if len(names) > 1 and numbers > len(names) / 2:
        raise InvalidMapping(f"{path}: its first line holds data, not names of columns: put a line of names before it")


def _is_number(text: str) -> bool:
    try:
        float(text.strip().replace(",", "."))
    except ValueError:
        return False
    return True
