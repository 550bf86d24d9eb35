"""Requests that others' bidders are tested with: right ones are answered, wrong ones refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from adserver.catalog.model import Catalog
from tests.newsroom import BROWSER, catalog_of, line_item, server
from tests.serving.openrtb.auctions import Json, recorded

VALID, INVALID = recorded("banner_requests"), recorded("invalid_requests")
ENDPOINT = "/openrtb2/auction"


def sizes_of(imp: Json) -> set[str]:
    """All sizes that an impression takes."""
    banner = imp.get("banner") or {}
    sizes = [*(banner.get("format") or []), banner]
    return {f"{size['w']}x{size['h']}" for size in sizes if size.get("w") and size.get("h")}


def catalog() -> Catalog:
    """A site with the names that the requests have for theirs, and a line item for every size in them."""
    sizes = sorted({size for one in VALID for imp in one["body"]["imp"] for size in sizes_of(imp)})
    imps = [imp for one in VALID for imp in one["body"]["imp"]]
    names = {name for imp in imps for name in (imp.get("tagid"), imp["id"]) if name}
    slots = [{"name": name, "sizes": sizes[:20]} for name in sorted(map(slug, names))]
    item = line_item("any", "price", *sizes, price={"cpm": "50.00"}, repeat=True)
    return catalog_of(item, domain="test.com", slot=slots)


def slug(name: str) -> str:
    """The slot name that stands for an ad unit of the requests."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name.lower()).strip("._-")[:60]


def test_every_recorded_request_is_answered(tmp_path: Path) -> None:
    statuses: Counter[int] = Counter()
    with server(tmp_path / "a.db", catalog()) as client:
        for one in VALID:
            answer = client.post(ENDPOINT, content=json.dumps(one["body"]))
            assert answer.status_code in (200, 204), (one["file"], answer.text)
            statuses[answer.status_code] += 1
        assert "adserver_errors_total 0.0" in client.get("/metrics").text
    assert statuses.total() == 229
    assert statuses[200] > 0


def ours(body: Json) -> Json:
    """The same request for our own site and slots, from a browser: as many as can be shall bid."""
    page: Json = {**(body.get("site") or body.get("app") or {}), "domain": "test.com"}
    device: Any = {**body.get("device", {}), "ua": BROWSER}
    imps = [{**imp, "tagid": slug(imp.get("tagid") or imp["id"])} for imp in body["imp"]]
    rest = {key: value for key, value in body.items() if key not in ("app", "test")}
    return {**rest, "site": page, "device": device, "imp": imps}


def test_every_bid_on_a_recorded_request_is_one_that_was_asked_for(tmp_path: Path) -> None:
    made: Counter[bool] = Counter()
    with server(tmp_path / "a.db", catalog()) as client:
        for one in VALID:
            body = ours(one["body"])
            answer = client.post(ENDPOINT, content=json.dumps(body))
            made[answer.status_code == 200] += 1
            if answer.status_code == 200:
                check(body, answer.json())
    assert made[True] >= 210, made


def check(body: Json, answer: Json) -> None:
    """The rules of OpenRTB 2.6, section 4.2, for an answer."""
    imps = {imp["id"]: imp for imp in body["imp"]}
    assert answer["id"] == body["id"]
    assert answer["cur"] in body.get("cur", ["USD"])
    found = [bid for seat in answer["seatbid"] for bid in seat["bid"]]
    assert found
    assert len({bid["id"] for bid in found}) == len(found)
    assert len({bid["impid"] for bid in found}) == len(found)
    for bid in found:
        imp = imps[bid["impid"]]
        assert f"{bid['w']}x{bid['h']}" in sizes_of(imp)
        assert bid["price"] == 50.0 >= imp.get("bidfloor", 0)
        assert imp.get("bidfloorcur", "USD") == "USD" or not imp.get("bidfloor")
        assert bid["adm"].startswith("<div") and bid["crid"] and bid["adomain"] == ["advertiser.example"]


def test_what_is_wrong_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """One of the recorded requests is right, as its own file says: it is for a banner or a video."""
    with server(tmp_path / "a.db", catalog()) as client:
        for one in INVALID:
            answer = client.post(ENDPOINT, content=json.dumps(one["body"]))
            if one["expectedReturnCode"] == 200:
                assert one["file"].endswith("preferred-media-type-not-defined.json")
                assert answer.status_code == 204
                continue
            assert answer.status_code == 400, one["file"]
            assert answer.text.endswith(".") and "\n" not in answer.text and ". " not in answer.text, (
                answer.text
            )
    assert sum(one["expectedReturnCode"] == 400 for one in INVALID) == 25
