"""What a page says of its reader's consent → what the real server fills, and gives the browser to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.newsroom import catalog_of, line_item, server

CAPPED = line_item("capped", "price", "300x250", price={"cpm": "5"}, caps=[{"impressions": 3, "per": "1d"}])
HOUSE = line_item("own", "house", "300x250")
CATALOG = catalog_of(CAPPED, HOUSE)


def asked(client: TestClient, **request: Any) -> tuple[str | None, str | None]:
    """Asks for one slot → who fills it, and what the browser is to keep; None leaves that alone."""
    body = {"site": "daily", "slots": [{"slot": "side"}], "tally": "", **request}
    answer = client.post("/v1/fill", json=body)
    assert answer.status_code == 200
    (fill,) = answer.json()["fills"]
    tally: str | None = answer.json()["tally"]
    return fill.get("line_item"), tally


def test_a_consent_tool_that_did_not_answer_stores_nothing_and_removes_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        line_item, tally = asked(client)
        assert line_item == "capped" and tally
        assert asked(client, consent={"tcf": ""}, tally=tally) == ("own", None)
        assert asked(client, consent={"gpp": "", "gpp_sid": []}, tally=tally) == ("own", None)
        assert asked(client, consent={"gpc": True}, tally=tally) == ("own", "")
        assert asked(client, consent={"tcf": "", "gpc": True}, tally=tally) == ("own", "")
