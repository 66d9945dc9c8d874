"""Foreign files in chunks: CSV (also compressed) as text, Parquet with its types."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from training.data.importing.mapping import FileFormat, InvalidMapping

CHUNK_ROWS = 200_000
BLOCK_BYTES = 32 << 20


@dataclass(slots=True)
class ForeignTable:
    """A table in a file of somebody else's.

    Attributes:
        path: a `.parquet` file, or a CSV file with a header, compressed or not.
        file: how a CSV file is written.
        skipped: lines of a CSV file that had too many or too few values; counted while chunks are read.
    """

    path: Path
    file: FileFormat = field(default_factory=FileFormat)
    skipped: int = 0

    @property
    def is_parquet(self) -> bool:
        """Whether the columns have types; by the file's first bytes, for names are often wrong."""
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1"

    def names(self) -> list[str]:
        """Names of all columns.

        Raises:
            InvalidMapping: the file cannot be read, or two columns share a name.
        """
        with _one_line(self.path):
            if self.is_parquet:
                names: list[str] = pq.ParquetFile(self.path).schema_arrow.names
            else:
                with self._open(pacsv.ConvertOptions(), 1 << 20) as probe:
                    names = probe.schema.names
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise InvalidMapping(f"{self.path} has column {twice[0]!r} more than once: rename one of them")
        return names

    def chunks(self, columns: Sequence[str], text: Sequence[str] = ()) -> Iterator[pa.Table]:
        """The named columns, chunk by chunk, in the file's order.

        Args:
            columns: the columns that are needed; they are there.
            text: columns of a Parquet file to turn into text (CSV is all text).

        Raises:
            InvalidMapping: the file cannot be read.
        """
        self.skipped = 0
        with _one_line(self.path):
            for batch in self._parquet(columns) if self.is_parquet else self._csv(columns):
                yield _with_text(pa.Table.from_batches([batch]), text)

    def _parquet(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from pq.ParquetFile(self.path).iter_batches(CHUNK_ROWS, columns=list(columns))

    def _csv(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        options = pacsv.ConvertOptions(
            include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        )
        with self._open(options, BLOCK_BYTES) as reader:
            yield from reader

    def _open(self, options: pacsv.ConvertOptions, block: int) -> pacsv.CSVStreamingReader:
        def skip(_row: pacsv.InvalidRow) -> str:
            self.skipped += 1
            return "skip"

        return pacsv.open_csv(
            self.path,
            read_options=pacsv.ReadOptions(block_size=block, encoding=self.file.encoding),
            parse_options=pacsv.ParseOptions(
                delimiter=self.file.delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=options,
        )


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """What Arrow and Python say of a broken file, as one line."""
    try:
        yield
    except (pa.ArrowException, UnicodeError, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidMapping(f"{path} cannot be read: {said[:200]}") from None


def _with_text(chunk: pa.Table, text: Sequence[str]) -> pa.Table:
    for name in text:
        if name in chunk.column_names and not pa.types.is_string(chunk[name].type):
            chunk = chunk.set_column(chunk.column_names.index(name), name, chunk[name].cast(pa.string()))
    return chunk
