"""Every broken catalog gives its complete list of faults, exit status 2, and leaves what is stored alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from adserver import cli
from adserver.catalog.file import load
from adserver.engines.catalog_store import CatalogStore, Stored, sqlite_url
from adserver.errors import InvalidInput

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.toml"))
#: Enough to see that the real program does what the function behind it does.
RUN_AS_PROGRAM = ("many_at_once", "site_twice", "toml_unfinished")


def expected(path: Path) -> list[str]:
    """The faults that a file's first lines announce, as they are printed."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [f"{path}: {line.removeprefix('# fault: ')}" for line in lines if line.startswith("# fault: ")]


async def stored(db: Path) -> Stored:
    store = await CatalogStore.open(sqlite_url(db))
    try:
        return await store.load()
    finally:
        await store.close()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("broken") / "adserver.db"
    assert run(["apply", str(HERE / "sample.toml"), "--db", str(path)]) == 0
    return path


def run(arguments: list[str]) -> int:
    """The command in this interpreter → its exit status."""
    before, sys.argv = sys.argv, ["adserver", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def test_there_are_enough_of_them_and_each_says_what_is_wrong() -> None:
    assert len(BROKEN) >= 40
    assert [path.name for path in BROKEN if not expected(path)] == []
    assert sum(len(expected(path)) > 1 for path in BROKEN) >= 10


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_the_list_is_complete_and_nothing_is_applied(
    path: Path, db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asyncio.run(stored(db))
    assert before.version == 1
    with pytest.raises(InvalidInput) as caught:
        load(path)
    assert list(map(str, caught.value.faults)) == expected(path)
    assert run(["apply", str(path), "--db", str(db)]) == 2
    shown = capsys.readouterr()
    assert shown.err.splitlines() == expected(path)
    assert shown.out == ""
    assert asyncio.run(stored(db)) == before


@pytest.mark.parametrize("name", RUN_AS_PROGRAM)
def test_the_program_refuses_it_too(name: str, db: Path) -> None:
    path = HERE / "broken" / f"{name}.toml"
    before = asyncio.run(stored(db))
    command = [sys.executable, "-m", "adserver", "apply", str(path), "--db", str(db)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == expected(path)
    assert asyncio.run(stored(db)) == before
