"""`adserver earnings`: a network's report takes the place of what was estimated, once, by day and slot."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.newsroom import NOW, apply_catalog, catalog_of, line_item, rows, server
from tests.processes import adserver

CLIENT, UNIT = "ca-pub-1234567890123456", "9876543210"
#: The site's day at `NOW`, which is 11:45 in Kathmandu.
DAY = "2026-11-24"
LOCAL = {"host": "127.0.0.1"}
REPORT = f"""\
Date,Ad unit,Ad unit ID,Impressions,Clicks,Estimated earnings (USD)
{DAY},Any name,{UNIT},"1,003",7,1.000001
Totals,,,"1,003",7,1.000001
Averages,,,"1,003",7,1.000001
"""


def adsense(name: str, unit: str, *sizes: str, cpm: str = "2.00") -> dict[str, Any]:
    """A network line item with one ad unit in each of several sizes."""
    creatives = [
        {"name": f"{name}-{size}", "kind": "network", "size": size, "client": CLIENT, "unit": unit}
        for size in sizes
    ]
    item = {"name": name, "tier": "network", "trusted": True, "price": {"cpm": cpm}, "repeat": True}
    return {**item, "creative": creatives}


CATALOG = catalog_of(adsense("google", UNIT, "970x250", "300x250"), line_item("own", "house", "728x90"))


def show(db: Path, *kinds: str, slots: tuple[str, ...] = ("top", "side", "top")) -> list[dict[str, Any]]:
    """Fills slots, and reports a kind of event for each → slots.json of that day."""
    with server(db, None, clock=lambda: NOW) as client:
        ask = {"site": "daily", "slots": [{"slot": name} for name in slots]}
        fills = client.post("/v1/fill", json=ask).json()["fills"]
        assert [fill["creative"]["kind"] for fill in fills] == ["network"] * len(slots)
        events = [
            {"fill": fill["fill"], "type": kind} for fill, kind in zip(fills, kinds, strict=True) if kind
        ]
        assert client.post("/v1/events", json={"events": events}).status_code == 204
    return report(db)


def report(db: Path) -> list[dict[str, Any]]:
    """The rows of slots.json today, and the total as the last one."""
    with server(db, None, clock=lambda: NOW) as client:
        answer = client.get("/reports/slots.json?period=today", headers=LOCAL).json()
        days = client.get("/reports/revenue.json?period=today", headers=LOCAL).json()
        assert days["total"] == answer["total"]
        assert client.get("/reports/?period=today", headers=LOCAL).status_code == 200
        return [*sorted(answer["rows"], key=lambda row: str(row["slot"])), answer["total"]]


def earnings(db: Path, tmp_path: Path, text: str = REPORT, *options: str, encoding: str = "utf-8") -> Any:
    file = tmp_path / "earnings.csv"
    file.write_text(text, encoding=encoding)
    return adserver("earnings", str(file), "--db", str(db), *options)


def test_each_outcome_of_a_network_is_counted_apart(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    side, top, total = show(db, "impression", "unfilled", "no_answer")
    keys = (
        "network_request_count",
        "network_unfilled_count",
        "network_no_answer_count",
        "network_fill_rate",
        "impression_count",
        "network_revenue",
    )
    assert [top[key] for key in keys] == [2, 0, 1, 0.5, 1, "0.002"]
    assert [side[key] for key in keys] == [1, 1, 0, 0.0, 0, "0.00"]
    assert [total[key] for key in keys] == [3, 1, 1, 0.333333, 1, "0.002"]
    assert total["network_estimate"] == "0.002"
    assert total["direct_revenue"] == "0.00"
    rebuilt = adserver("rebuild", "--db", str(db))
    assert (rebuilt.returncode, rebuilt.stdout) == (0, "equal: the rollups are the fold of 3 events\n")


def test_facts_take_the_place_of_estimates_to_the_last_micro_and_only_once(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    show(db, "impression", "impression", "impression")
    for _ in range(2):
        done = earnings(db, tmp_path)
        assert done.returncode == 0, done.stderr
        assert "google-970x250" in done.stdout
        assert done.stdout.endswith("earnings.csv: 2 days of slots have their earnings\n")
    side, top, total = report(db)
    assert (side["revenue"], top["revenue"], total["revenue"]) == ("0.333334", "0.666667", "1.000001")
    assert total["network_revenue"] == "1.000001"
    assert (total["network_estimate"], total["direct_revenue"]) == ("0.00", "0.00")
    assert total["impression_count"] == 3, "what was counted stays what was counted"
    assert rows(db, "SELECT sum(impression_count), sum(click_count) FROM earning") == [(1003, 7)]
    corrected = REPORT.replace("1.000001", "0.5")
    assert earnings(db, tmp_path, corrected).returncode == 0
    assert report(db)[-1]["revenue"] == "0.50"
    assert adserver("rebuild", "--db", str(db)).returncode == 0


def test_other_days_stay_estimated_and_are_marked_so(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    show(db, "impression", "", "")
    before = (NOW - timedelta(days=1)).date().isoformat()
    assert earnings(db, tmp_path, REPORT.replace(DAY, before)).returncode == 0
    total = report(db)[-1]
    assert (total["network_revenue"], total["network_estimate"]) == ("0.002", "0.002")
    with server(db, None, clock=lambda: NOW) as client:
        days = client.get("/reports/revenue.json", headers=LOCAL).json()
        page = client.get("/reports/", headers=LOCAL).text
    assert "Reported by networks" in page
    earned = {row["day"]: (row["revenue"], row["network_estimate"]) for row in days["rows"]}
    assert earned[before] == ("1.000001", "0.00"), "nothing was counted: it goes to the unit's first slot"
    assert earned[DAY] == ("0.002", "0.002")
    assert "estimated" in page


def test_a_file_of_tabs_by_name_and_by_code(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    show(db, "impression", "impression", "")
    text = f"DATE\tAD_UNIT_ID\tIMPRESSIONS\tCLICKS\tESTIMATED_EARNINGS\n{DAY}\t{CLIENT}:{UNIT}\t2\t0\t0.30\n"
    assert earnings(db, tmp_path, text, encoding="utf-16").returncode == 0
    assert report(db)[-1]["revenue"] == "0.30"
    text = f"Date;Ad unit;Impressions;Clicks;Estimated earnings\n{DAY};google-300x250;2;0;US$0.20\n"
    assert earnings(db, tmp_path, text).returncode == 0
    side, top, _ = report(db)
    assert (side["revenue"], top["revenue"]) == ("0.20", "0.15")


HEAD = "Date,Ad unit,Impressions,Clicks,Estimated earnings (USD)\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["line 1: has no column 'date', no column 'ad unit id', no column 'impressions'"]),
        (
            f"{HEAD}24.11.2026,{UNIT},1,0,1\n{DAY},,1,0,1\n{DAY},{UNIT},x,0,1\n{DAY},{UNIT},1,0,much\n",
            [
                "line 2: '24.11.2026' is not a date such as 2026-11-24",
                "line 3: names no ad unit",
                "line 4: 'x' is not a count",
                "line 5: 'much' is not an amount such as 12.34",
            ],
        ),
        (f"{HEAD}{DAY},other,1,0,1\n{DAY},Third,1,0,1\n", ["ad unit 'Third'", "ad unit 'other'"]),
        (HEAD.replace("USD", "NPR") + f"{DAY},{UNIT},1,0,1\n", ["the amounts are in NPR; daily is in USD"]),
        (f"{HEAD}Totals,,0,0,0\n", ["has no day of an ad unit of the catalog"]),
    ],
)  # fmt: skip
def test_a_faulty_report_changes_nothing(tmp_path: Path, text: str, problems: list[str]) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    show(db, "impression", "", "")
    done = earnings(db, tmp_path, text)
    assert done.returncode == 2
    found = done.stderr.splitlines()
    assert len(found) == len(problems)
    for line, problem in zip(found, problems, strict=True):
        assert problem in line
    assert rows(db, "SELECT count(*) FROM earning") == [(0,)]


def test_ad_units_of_others_are_left_out_when_asked_to(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    apply_catalog(db, CATALOG)
    show(db, "impression", "", "")
    text = f"{HEAD}{DAY},elsewhere,1,0,1\n{DAY},{UNIT},1,0,0.07\n"
    assert earnings(db, tmp_path, text, "--skip-unknown").returncode == 0
    assert report(db)[-1]["revenue"] == "0.07"
