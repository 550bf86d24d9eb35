"""Sections: bounded in number, known again after a restart, and the often asked for ones told apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.clock import system_clock
from adserver.decision.facts import NO_SECTION, OTHER_SECTION, SECTION
from adserver.engines.sqlite_cuts import SqliteCuts
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.log import EventLog
from adserver.measurement.sections import SECTIONS, Sections, code_of
from tests.engines.logs import new_log


@asynccontextmanager
async def sections_in(folder: Path, most: int = 10) -> AsyncIterator[Sections]:
    """Those of a log in a file; all is written at the end."""
    with closing(SqliteLog(folder / "log.db")) as store:
        log = EventLog(store, max_waiting=10, flush_seconds=0.05)
        log.start()
        yield Sections(store.load_states(SECTIONS), most, log, system_clock)
        await log.stop()


async def names_in(folder: Path) -> dict[int, str]:
    """What a report reads."""
    cuts = SqliteCuts(folder / "log.db")
    found = await cuts.sections()
    await cuts.close()
    return found


@given(st.text(max_size=30))
def test_a_code_fits_its_field_and_is_none_of_the_special_ones(name: str) -> None:
    assert OTHER_SECTION < code_of(name) <= SECTION.mask


def test_a_section_has_one_code_over_restarts_and_workers(tmp_path: Path) -> None:
    async def run() -> None:
        async with sections_in(tmp_path) as one, sections_in(tmp_path) as other:
            codes = [one.code(name) for name in ("world", "Kultur & Stil", "खेलकुद")]
            assert [other.code(name) for name in ("world", "Kultur & Stil", "खेलकुद")] == codes
            assert len(set(codes)) == 3
            assert [one.code(None), one.code("")] == [NO_SECTION, NO_SECTION]
        async with sections_in(tmp_path) as later:
            assert later.code("world", learn=False) == codes[0]
        assert await names_in(tmp_path) == dict(zip(codes, ("world", "Kultur & Stil", "खेलकुद"), strict=True))

    new_log(tmp_path).close()
    asyncio.run(run())


def test_of_too_many_names_those_asked_for_often_are_told_apart(tmp_path: Path) -> None:
    async def run() -> None:
        async with sections_in(tmp_path, most=10) as sections:
            junk = [sections.code(f"2026/11/article-{n}") for n in range(5)]
            assert OTHER_SECTION not in junk
            more = [sections.code(f"2026/11/article-{n}") for n in range(5, 500)]
            assert set(more) == {OTHER_SECTION}
            often = [sections.code("elections") for _ in range(25)]
            assert (often[0], often[-1]) == (OTHER_SECTION, code_of("elections"))
            for number in range(20):
                for _ in range(25):
                    sections.code(f"section-{number}")
        names = await names_in(tmp_path)
        assert len(names) == 10
        assert "elections" in names.values()

    new_log(tmp_path).close()
    asyncio.run(run())


@pytest.mark.parametrize("name", ["x" * 201, "bots-own"])
def test_what_is_too_long_or_sent_by_bots_gets_no_code(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        async with sections_in(tmp_path) as sections:
            assert sections.code(name, learn=len(name) > 200) == OTHER_SECTION
        assert await names_in(tmp_path) == {}

    new_log(tmp_path).close()
    asyncio.run(run())
