"""Foreign files in chunks: CSV (also compressed) as text, Parquet with its types."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from training.data.importing.mapping import InvalidMapping

CHUNK_ROWS = 200_000


def read_chunks(path: Path, columns: Sequence[str], text: Sequence[str]) -> Iterator[pa.Table]:
    """The named columns of a file, chunk by chunk, in the file's order.

    Args:
        path: a `.parquet` file, or a CSV file with a header, compressed or not.
        columns: the columns that are needed.
        text: columns of a Parquet file to turn into text (CSV is all text).

    Raises:
        InvalidMapping: a column is not there, or the file cannot be read.
    """
    try:
        chunks = _parquet(path, columns) if path.suffix == ".parquet" else _csv(path, columns)
        for chunk in chunks:
            yield _with_text(chunk, text)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InvalidMapping(f"{path}: {str(error).splitlines()[0]}") from None


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    file = pq.ParquetFile(path)
    _check(path, columns, file.schema_arrow.names)
    for batch in file.iter_batches(CHUNK_ROWS, columns=list(columns)):
        yield pa.Table.from_batches([batch])


def _csv(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    with pacsv.open_csv(path, convert_options=pacsv.ConvertOptions()) as probe:
        names = probe.schema.names
    _check(path, columns, names)
    options = pacsv.ConvertOptions(
        include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
    )
    with pacsv.open_csv(path, convert_options=options, read_options=pacsv.ReadOptions(block_size=32 << 20)) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _check(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    absent = sorted(set(columns) - set(names))
    if absent:
        raise InvalidMapping(f"{path} has no column {absent[0]} (it has: {', '.join(names)}): choose another mapping")


def _with_text(chunk: pa.Table, text: Sequence[str]) -> pa.Table:
    for name in text:
        if name in chunk.column_names and not pa.types.is_string(chunk[name].type):
            chunk = chunk.set_column(chunk.column_names.index(name), name, chunk[name].cast(pa.string()))
    return chunk
