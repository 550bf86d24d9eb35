"""Raw events of a UTC day ⇄ `events-YYYY-MM-DD.parquet`: where they go when the log no longer keeps them.

Columns are those of the log, by name; rows are in the order of fill, kind and arrival. Any tool that reads
Parquet reads them. pyarrow is large and needed for nothing else, so it comes with the extra `archive`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from adserver.engines.files import whole_file
from adserver.errors import InvalidInput, StorageFailed

_FIRST_DAY = date(1970, 1, 1)
#: Rows of one row group: what is in memory at once.
_GROUP = 50_000


class KeptEvent(NamedTuple):
    """One row of the log as it is when it leaves it. It is known again by fill, kind and `at_ms`.

    An event of which a repeat came after that has a second row of its own, which is late.
    """

    fill: int
    kind: int
    at_ms: int
    bucket: int
    day: int
    slot: int
    item: int
    creative: int
    revenue_micros: int
    validity: int
    repeat_count: int
    size: int = 0
    facts: int = 0
    model: int = 0
    found: int = 0


def file_of(folder: Path, day: int) -> Path:
    """The file of a UTC day, in days since 1970."""
    return folder / f"events-{(_FIRST_DAY + timedelta(days=day)).isoformat()}.parquet"


def need_pyarrow() -> None:
    """Raise InvalidInput when Parquet cannot be written here."""
    _libraries()


def write_day(folder: Path, day: int, batches: Iterable[Sequence[KeptEvent]]) -> Path:
    """Add events, in order of fill and kind, to the file of their day; it is on disk when this returns.

    A row that is in the file already, as after a crash, stays one row, with its higher `repeat_count` and
    what it was judged to be last. Raises InvalidInput without pyarrow, StorageFailed when the file cannot be
    read or written; it is as before then.
    """
    library, parquet = _libraries()
    path = file_of(folder, day)
    schema = library.schema([(name, library.int64()) for name in KeptEvent._fields])
    count = 0
    if path.exists():
        batches = _in_groups(_merged(read_day(path), batches))
    with whole_file(path, overwrite=True) as partial, _faults_of(path):
        with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
            for rows in batches:
                columns = [library.array(column, library.int64()) for column in zip(*rows, strict=True)]
                writer.write_table(library.table(columns, schema=schema))
                count += len(rows)
        written = parquet.read_metadata(partial).num_rows
        if written != count:
            raise StorageFailed(f"{path}: {written} of {count} events were written")
    return path


def read_day(path: Path) -> Iterator[list[KeptEvent]]:
    """The events of one file, in order. Raises InvalidInput without pyarrow, StorageFailed."""
    _, parquet = _libraries()
    with _faults_of(path), parquet.ParquetFile(path) as file:
        # The last columns are not in files of earlier versions.
        names = [name for name in KeptEvent._fields if name in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=_GROUP, columns=names):
            columns = [column.to_pylist() for column in batch.columns]
            yield [KeptEvent(*row) for row in zip(*columns, strict=True)]


def _merged(old: Iterable[Sequence[KeptEvent]], new: Iterable[Sequence[KeptEvent]]) -> Iterator[KeptEvent]:
    """Both in order, what is in both once."""
    last: KeptEvent | None = None
    for row in heapq.merge(chain.from_iterable(old), chain.from_iterable(new), key=_known_by):
        if last is not None and _known_by(last) == _known_by(row):
            last = row if row.repeat_count >= last.repeat_count else last
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last


def _known_by(row: KeptEvent) -> tuple[int, int, int]:
    return row[:3]


def _in_groups(rows: Iterable[KeptEvent]) -> Iterator[list[KeptEvent]]:
    following = iter(rows)
    while group := list(islice(following, _GROUP)):
        yield group


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    library, _ = _libraries()
    try:
        yield
    except (library.ArrowException, OSError) as error:
        raise StorageFailed(f"{path}: {error}") from error


def _libraries() -> tuple[Any, Any]:
    """pyarrow and its Parquet, loaded when first needed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        hint = "pip install 'adserver[archive]', or 0 to keep events for ever"
        raise InvalidInput.one(
            "environment", "ADSERVER_KEEP_EVENTS_DAYS", f"needs pyarrow to write Parquet files: {hint}"
        ) from None
    return pyarrow, parquet
