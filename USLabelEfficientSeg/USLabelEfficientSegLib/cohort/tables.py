"""The tables of a cohort, written anew from its journal while it grows: a reader sees whole rows, each case once.

NAME.csv has the rows of all that succeeded, NAME.parquet the same where pyarrow is installed, and NAME_failures.csv a
line for each that failed.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from ..disk.files import atomic_write_csv
from ..disk.outputs import Outputs
from ..errors import InputError
from ..text.numbers import cell_for_programs
from .journal import Journal
from .tasks import Cell, Row

_SECONDS_BETWEEN = 10.0
_SHARE = 50  # writing takes at most one part in so many of the time
_ROWS_A_GROUP = 2000  # in memory


class Tables:
    """The files of a cohort's tables.

    Args:
        table: the CSV file.
        outputs: what may be replaced.

    Raises:
        InputError: a file may not be written, or the table is no CSV file.
    """

    def __init__(self, table: Path, outputs: Outputs) -> None:
        if table.suffix.lower() != ".csv":
            raise InputError(table, "is no name of a CSV file, and the table of a cohort is one", "name it NAME.csv")
        self.table = table
        self.failures = table.with_name(f"{table.stem}_failures.csv")
        self._parquet = [table.with_suffix(".parquet")] if importlib.util.find_spec("pyarrow") else []
        self._outputs = outputs
        self._due = time.monotonic() + _SECONDS_BETWEEN
        outputs.claim(*self._files)

    @property
    def _files(self) -> list[Path]:
        return [self.table, self.failures, *self._parquet]

    def write_if_due(self, journal: Journal) -> None:
        """Write them if the last time is long enough ago; if one is open elsewhere, the next time will do."""
        if time.monotonic() < self._due:
            return
        started = time.monotonic()
        with suppress(InputError):
            self.write(journal)
        self._due = time.monotonic() + max(_SECONDS_BETWEEN, _SHARE * (time.monotonic() - started))

    def write(self, journal: Journal) -> None:
        """Write them. Raises `InputError` where there is no room or permission."""
        is_text: dict[str, bool] = {"case": True}  # the columns
        for row in _rows(journal):
            for heading, cell in row.items():
                is_text[heading] = is_text.get(heading, False) or isinstance(cell, str)
        failed = ((entry.name, entry.file, entry.failure) for entry in journal.entries() if entry.failure is not None)
        with self._outputs.written(*self._files) as (table, failures, *parquet):
            lines = ([cell_for_programs(row.get(heading)) for heading in is_text] for row in _rows(journal))
            atomic_write_csv(table, chain([list(is_text)], lines))
            atomic_write_csv(failures, chain([("case", "file", "problem")], failed))
            if parquet:
                _write_parquet(parquet[0], is_text, _rows(journal))
        self._outputs = Outputs()  # which tells nobody that they are replaced again


def _rows(journal: Journal) -> Iterator[Row]:
    return (row for entry in journal.entries() for row in entry.rows)


def _write_parquet(path: Path, is_text: Mapping[str, bool], rows: Iterable[Row]) -> None:
    """Columns of text and of numbers; what is not known is null."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    kinds = {heading: pyarrow.string() if text else pyarrow.float64() for heading, text in is_text.items()}
    schema = pyarrow.schema(list(kinds.items()))
    waiting = iter(rows)
    with ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, _ROWS_A_GROUP)):
            columns = {
                heading: [_of_kind(row.get(heading), text) for row in group] for heading, text in is_text.items()
            }
            writer.write_table(pyarrow.table(columns, schema=schema))


def _of_kind(cell: Cell, is_text: bool) -> Cell:
    return cell if cell is None or isinstance(cell, str) else str(cell) if is_text else float(cell)
