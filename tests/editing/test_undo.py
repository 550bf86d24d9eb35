"""Whatever a version changed, taking it back restores it exactly, and leaves what others did since."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.accounts.model import THIS_MACHINE
from adserver.catalog.model import Catalog
from adserver.editing.editor import Editor
from adserver.editing.edits import Edit
from adserver.engines.sql import sqlite_url
from tests.editing.test_editor import NOW
from tests.strategies import catalogs

OTHER = ("advertiser", "somebody-else")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(catalogs(), catalogs(), st.booleans())
def test_undo_restores_exactly(before: Catalog, after: Catalog, between: bool) -> None:
    with TemporaryDirectory() as folder:
        editor = Editor(sqlite_url(Path(folder) / "a.db"), lambda: NOW)

        async def use() -> None:
            first = await editor.replace(THIS_MACHINE, before)
            second = await editor.replace(THIS_MACHINE, after)
            if second.version == first.version:
                return
            if between:
                await editor.edit(THIS_MACHINE, [Edit("add", OTHER, {})])
            undone = await editor.undo(THIS_MACHINE, second.version)
            now = (await editor.as_of(THIS_MACHINE)).catalog
            others = tuple(one for one in now.advertiser if one.name == OTHER[1])
            assert len(others) == between
            kept = tuple(one for one in now.advertiser if one not in others)
            assert now.model_copy(update={"advertiser": kept}) == before
            # The undoing is a version like any other, and is taken back like any other.
            await editor.undo(THIS_MACHINE, undone.version)
            again = (await editor.as_of(THIS_MACHINE)).catalog
            assert [one for one in again.advertiser if one.name != OTHER[1]] == list(after.advertiser)
            assert again.site == after.site

        asyncio.run(use())
