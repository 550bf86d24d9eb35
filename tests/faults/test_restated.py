"""History judged anew under load: nothing acknowledged is lost, and marks hold while it is and after."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from adserver.measurement.event import Validity
from tests.faults.beacons import Tokens, load
from tests.newsroom import PAID, apply_catalog, rows
from tests.processes import Server, adserver, serving


def test_a_server_goes_on_while_all_of_its_history_is_excluded(tmp_path: Path) -> None:
    db, marks = tmp_path / "a.db", tmp_path / "marks.csv"
    stored = apply_catalog(db, PAID)
    Server(db).stop()  # makes the tables and the key
    tokens, rng = Tokens(db, stored), Random(1)
    marks.write_text("from,until,reason\n2000-01-01,2038-01-01,all of it\n")
    words = ("refilter", "--apply", "--marks", str(marks), "--db", str(db))

    async def under_load(server: Server) -> set[tuple[int, int]]:
        before, _ = await load(server, tokens, 0.5, rng, kill=False)
        restating = asyncio.create_task(asyncio.to_thread(adserver, *words))
        found = set(before)
        while not restating.done():
            found |= (await load(server, tokens, 0.5, rng, kill=False))[0]
        done = restating.result()
        assert (done.returncode, "Restated: " in done.stdout) == (0, True), done.stderr
        return found | (await load(server, tokens, 0.3, rng, kill=False))[0]

    with serving(db) as server:
        acknowledged = asyncio.run(under_load(server))
    assert acknowledged <= set(rows(db, "SELECT fill, kind FROM event"))
    assert rows(db, "SELECT DISTINCT validity FROM event") == [(Validity.EXCLUDED,)]
    assert rows(db, "SELECT * FROM rollup") == rows(db, "SELECT * FROM delivered") == []
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout.split(":")[0]) == (0, "equal"), rebuilt.stderr
