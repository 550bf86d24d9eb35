"""What pages reported and rules marked → the same in reports, as gross, net and the difference by rule."""

from __future__ import annotations

from pathlib import Path

from tests.newsroom import PAID, server
from tests.serving.test_endpoints import ASK, fill
from tests.serving.test_invalid_traffic import BOT, show_and_click


def test_reports_give_gross_net_and_what_each_rule_took(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, PAID, min_click_delay_ms=0) as client:
        show_and_click(client)
        show_and_click(client, **BOT)
        client.head(fill(client)[1]["creative"]["click"])
        client.post("/v1/fill", json=ASK, headers=BOT)
    with server(path, PAID) as client:
        local = {"host": "127.0.0.1"}
        answer = client.get("/reports/slots.json", headers=local).json()
        assert client.get("/reports/marked.json", headers=local).json()["rows"] == answer["marked"]
        text = client.get("/reports/marked.csv", headers=local).text
        page = client.get("/reports/", headers=local).text
    total = answer["total"]
    kinds = ("request", "impression", "click")
    net = [total[f"{kind}_count"] for kind in kinds]
    gross = [total[f"gross_{kind}_count"] for kind in kinds]
    taken = [[line["rule"], *(line[f"{kind}_count"] for kind in kinds)] for line in answer["marked"]]
    assert (net, gross) == ([6, 1, 1], [8, 2, 3])
    assert taken == [["head", 0, 0, 1], ["bot", 2, 1, 1]]
    assert [line.split(",")[0] for line in text.splitlines()] == ["rule", "head", "bot"]
    assert "known bot" in page and "Gross and net" in page
    assert answer["unfilled"] == []
