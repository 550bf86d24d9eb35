"""`adserver import-ads-txt`: an existing file into the catalog, whole or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adserver.engines.catalog_store import load_catalog, sqlite_url
from tests.newsroom import apply_catalog, catalog_of
from tests.processes import adserver

GOOD = "google.com, pub-1, DIRECT, f08c47fec0942fa0\r\n\r\n# partners\r\nrubicon.example, 7, RESELLER\r\n"


def lines_of(db: Path) -> tuple[str, ...]:
    return asyncio.run(load_catalog(sqlite_url(db))).catalog.site[0].ads_txt


def test_a_file_is_taken_over_once(tmp_path: Path) -> None:
    db, file = tmp_path / "a.db", tmp_path / "ads.txt"
    apply_catalog(db, catalog_of(ads_txt=["old.example, 1, DIRECT"]))
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    done = adserver("import-ads-txt", str(file), "--db", str(db))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: 3 lines for site daily; version 2\n"
    assert lines_of(db) == (
        "google.com, pub-1, DIRECT, f08c47fec0942fa0",
        "# partners",
        "rubicon.example, 7, RESELLER",
    )
    again = adserver("import-ads-txt", str(file), "--db", str(db), "--site", "daily")
    assert again.stdout == f"{file}: 3 lines for site daily; nothing was changed\n"


def test_all_faults_are_named_with_their_lines_and_nothing_is_changed(tmp_path: Path) -> None:
    db, file = tmp_path / "a.db", tmp_path / "ads.txt"
    apply_catalog(db, catalog_of())
    file.write_text("google.com, pub-1\n" + GOOD + "nonsense\n", encoding="utf-8")
    done = adserver("import-ads-txt", str(file), "--db", str(db))
    assert done.returncode == 2
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["line 1", "line 6"]
    assert lines_of(db) == ()
    dropped = adserver("import-ads-txt", str(file), "--db", str(db), "--drop")
    assert dropped.returncode == 0
    assert dropped.stderr.count("left out: ") == 2
    assert len(lines_of(db)) == 3


def test_what_cannot_be_taken_over(tmp_path: Path) -> None:
    db, file, empty = tmp_path / "a.db", tmp_path / "ads.txt", tmp_path / "empty.txt"
    file.write_text(GOOD, encoding="utf-8")
    empty.write_text("\n \n", encoding="utf-8")
    assert "there is no such file" in adserver("import-ads-txt", str(file), "--db", str(db)).stderr
    assert not db.exists()
    apply_catalog(db, catalog_of())
    for arguments, problem in (
        ((str(tmp_path / "none.txt"),), "there is no such file"),
        ((str(empty),), "is empty"),
        ((str(file), "--site", "weekly"), "'weekly' is not a site of the catalog (daily)"),
    ):
        done = adserver("import-ads-txt", *arguments, "--db", str(db))
        assert done.returncode == 2
        assert problem in done.stderr
