"""Many line items at once: the table, CSV, and the same by the API and on the command line."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx2 as httpx
import pytest

from adserver.catalog.model import Catalog
from tests.console.office import Office, office, text_of
from tests.newsroom import line_item

ADMIN, OPS, BOSS, BANK = "admin@news.example", "ops@news.example", "boss@news.example", "bank@bank.example"
COUNT = 45


def catalog() -> Catalog:
    site = {"domain": "news.example", "timezone": "Asia/Kathmandu", "currency": "USD"}
    items = [
        line_item(f"item-{n:02}", "price", price={"cpm": "1.00"}, target={"site": ["daily"]})
        for n in range(COUNT)
    ]
    foreign = line_item("foreign", "house", target={"site": ["other"]})
    return Catalog.model_validate(
        {
            "site": [{"name": "daily", **site}, {"name": "other", **site, "domain": "other.example"}],
            "advertiser": [
                {"name": "himal-bank", "sites": ["daily"], "campaign": [{"name": "a", "line_item": items}]},
                {"name": "foreign", "sites": ["other"], "campaign": [{"name": "b", "line_item": [foreign]}]},
            ],
        }
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path / "ads.db", catalog=catalog()) as open_office:
        yield open_office


def fields_of(html: str) -> dict[str, str | list[str]]:
    """What the first form with a button sends as it is."""
    form = next(
        part
        for part in re.findall(r"<form.*?</form>", html, re.DOTALL)
        if 'method="post"' in part and "sign-out" not in part
    )
    given: dict[str, str | list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if not name or ('type="checkbox"' in tag and " checked" not in tag):
            continue
        text = unescape(value[1]) if value else ""
        if name[1] in ("line_item", "version", "in"):
            given[name[1]] = [*given.get(name[1], []), text]
        else:
            given[name[1]] = text
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r"<option[^>]* selected>([^<]*)", options)
        given[name] = chosen[1] if chosen else ""
    return given


def price_of(client: httpx.Client, name: str) -> object:
    return client.get(f"/api/v1/line_items/{name}").json().get("price")


def test_a_table_is_changed_looked_at_and_applied_as_one_version(place: Office) -> None:
    browser, api = place.signed_in(OPS), place.with_token(OPS, "read")
    html = browser.get("/console/line_items/table").text
    form = fields_of(html)
    assert len(form["line_item"]) == 40 and "first=40" in html
    unchanged = browser.post("/console/line_items/table", data=form)
    assert "Nothing differs from how it is" in text_of(unchanged.text)
    form |= {"in": ["0", "2"], "all-price": "2.50 cpm", "budget-5": "300", "end-5": "2027-01-01T00:00"}
    asked = browser.post("/console/line_items/table", data=form)
    said = unescape(text_of(asked.text))
    assert "3 line items would change" in said
    assert 'budget : not set → "300.00"' in said and 'price.cpm : "1.00" → "2.50"' in said
    assert price_of(api, "item-00") == {"cpm": "1.00"}
    done = browser.post("/console/line_items/apply", data=fields_of(asked.text) | {"note": "autumn"})
    assert (done.status_code, done.headers["location"]) == (303, "/console/history/2?done=1")
    assert [price_of(api, f"item-0{n}") for n in range(3)] == [
        {"cpm": "2.50"},
        {"cpm": "1.00"},
        {"cpm": "2.50"},
    ]
    (step,) = api.get("/api/v1/history", params={"limit": 1}).json()
    assert (step["note"], len(step["changes"])) == ("autumn", 3)


def test_what_is_wrong_in_a_table_is_said_and_what_was_typed_stays(place: Office) -> None:
    browser = place.signed_in(OPS)
    form = fields_of(browser.get("/console/line_items/table?part=item-0").text)
    answer = browser.post(
        "/console/line_items/table", data=form | {"price-0": "much", "tier-1": "guaranteed"}
    )
    assert answer.status_code == 400
    assert "row 1 (item-00), price: 'much' is not such as 4.50 cpm" in unescape(text_of(answer.text))
    assert 'value="much"' in answer.text
    refused = browser.post("/console/line_items/table", data=form | {"tier-1": "guaranteed"})
    assert "tier guaranteed needs goal" in text_of(refused.text)


def test_who_was_slower_is_told_and_overwrites_nothing(place: Office) -> None:
    first, second = place.signed_in(OPS), place.signed_in(ADMIN)
    form = fields_of(first.get("/console/line_items/table?part=item-00").text) | {"price-0": "2.00 cpm"}
    asked = first.post("/console/line_items/table", data=form)
    place.with_token(ADMIN, "write").patch("/api/v1/line_items/item-00", json={"price": {"cpm": "9.00"}})
    late = first.post("/console/line_items/apply", data=fields_of(asked.text))
    assert late.status_code == 409 and "line_item item-00" in text_of(late.text)
    old = second.post("/console/line_items/table", data=form)
    assert old.status_code == 409
    assert price_of(place.with_token(ADMIN, "read"), "item-00") == {"cpm": "9.00"}


def test_a_csv_file_goes_out_and_comes_back_changed(place: Office) -> None:
    browser, api = place.signed_in(OPS), place.with_token(OPS, "read", "write")
    text = browser.get("/console/line_items.csv?inside=himal-bank").text
    assert api.get("/api/v1/line_items.csv").text == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == COUNT and "foreign" not in text
    changed = text.replace("1.00 cpm", "3.00 cpm", 2)
    asked = browser.post(
        "/console/line_items/import", files={"file": ("x.csv", changed.encode(), "text/csv")}
    )
    assert "2 line items would change" in text_of(asked.text)
    answer = api.post("/api/v1/line_items.csv?dry_run=true", content=changed).json()
    assert (answer["version"], len(answer["changes"])) == (1, 2)
    assert browser.post("/console/line_items/apply", data=fields_of(asked.text)).status_code == 303
    late = api.post("/api/v1/line_items.csv", content=changed.replace("3.00", "4.00"))
    assert late.status_code == 409
    pasted = browser.post("/console/line_items/import", data={"text": "line_item,prize\nitem-00,1"})
    assert pasted.status_code == 400 and "column prize: is not known" in text_of(pasted.text)
    assert "item-00,1" in pasted.text
    broken = browser.post("/console/line_items/import", files={"file": ("x.csv", b"\xff\xfe", "text/csv")})
    assert broken.status_code == 400 and "is not UTF-8 text" in text_of(broken.text)
    assert api.post("/api/v1/line_items.csv", content=b"\xff").status_code == 422


def test_line_items_of_others_are_not_listed_and_not_changed(place: Office) -> None:
    sheet = "line_item,paused\nforeign,yes\n"
    for email in (OPS, BANK, BOSS):
        browser = place.signed_in(email)
        for address in ("/console/line_items", "/console/line_items/table", "/console/line_items.csv"):
            assert "foreign" not in browser.get(address).text, (email, address)
        refused = browser.post("/console/line_items/apply", data={"sheet": sheet})
        assert refused.status_code == (404 if email == OPS else 403)
        api = place.with_token(email, "write")
        assert api.post("/api/v1/line_items.csv", content=sheet).status_code == 404
    own = "line_item,paused\nitem-00,yes\n"
    bank = place.signed_in(BANK)
    assert bank.post("/console/line_items/import", data={"text": own}).status_code == 403
    assert bank.post("/console/line_items/apply", data={"sheet": own}).status_code == 403
    assert place.with_token(BANK, "write").post("/api/v1/line_items.csv", content=own).status_code == 403
    assert len(place.with_token(ADMIN, "read").get("/api/v1/history").json()) == 1


def test_the_list_is_filtered_and_paged(place: Office) -> None:
    browser = place.signed_in(ADMIN)
    html = browser.get("/console/line_items?tier=house").text
    assert "foreign" in html and "item-00" not in html
    assert "No line item is like that" in browser.get("/console/line_items?inside=himal").text
    assert "item-44" in browser.get("/console/line_items/table?first=40").text
    assert browser.get("/console/line_items/table?first=999999999").status_code == 200


def test_the_command_line_does_the_same(place: Office, tmp_path: Path) -> None:
    def items(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "adserver", "items", *arguments, "--db", str(place.db)]
        return subprocess.run(command, capture_output=True, text=True)

    file = tmp_path / "items.csv"
    assert items("export", "--inside", "himal-bank", "--out", str(file)).returncode == 0
    file.write_text(file.read_text().replace("1.00 cpm", "7.00 cpm", 3))
    planned = items("plan", str(file))
    assert planned.stdout.endswith("0 to add, 3 to change, 0 to remove.\n"), planned
    assert '    price.cpm: "1.00" → "7.00"' in planned.stdout
    applied = items("apply", str(file), "--note", "spring", "--author", "sita")
    assert applied.stdout == "Version 2: 0 added, 3 changed, 0 removed.\n"
    again = items("apply", str(file))
    assert again.returncode == 0 and "nothing to change" in again.stdout
    file.write_text("line_item,price\nitem-00,much\n")
    wrong = items("apply", str(file))
    assert (wrong.returncode, wrong.stderr) == (
        2,
        f"{file}: row 1 (item-00), price: 'much' is not such as 4.50 cpm; "
        "known are cpm, vcpm, cpc, cpa, flat\n",
    )
