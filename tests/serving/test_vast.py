"""`/v1/vast/…`: what a player is told, that its own parser reads all of it, and what it then reports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from adserver.catalog.creative import Creative
from adserver.catalog.model import Catalog
from adserver.decision.facts import size_of
from adserver.measurement.event import Kind
from tests.dashboards.payloads import payloads
from tests.newsroom import catalog_of, image, line_item, rows, server
from tests.serving.test_invalid_traffic import rebuilt
from tests.serving.vast_parser import Json, parsed

SLOTS = [{"name": "preroll", "sizes": ["video"]}, {"name": "side", "sizes": ["300x250", "video"]}]
MEDIA = [
    {"url": "https://cdn.example/a.mp4", "type": "video/mp4", "width": 1280, "height": 720, "bitrate": 2400},
    {"url": "/a.webm", "type": "video/webm", "width": 640, "height": 360},
    {"url": "https://cdn.example/a.m3u8", "type": "application/x-mpegURL", "width": 1280, "height": 720},
]
QUARTILES = ("start", "firstQuartile", "midpoint", "thirdQuartile", "complete")
REQUESTS = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY outcome"


def video(name: str = "spot", **keys: object) -> Json:
    click = f"https://advertiser.example/{name}?ad={{fill}}"
    fixed: Json = {"name": name, "kind": "video", "size": "video", "media": MEDIA, "duration_seconds": 75}
    return {**fixed, "click": click, "alt": "Tea & toast", **keys}


def selling(*creatives: Json, **keys: Any) -> Catalog:
    item = {"name": "one", "tier": "price", "price": {"cpm": "20.00"}, "creative": [*creatives], **keys}
    return catalog_of(item, slot=SLOTS)


def ask(client: TestClient, slot: str = "preroll", query: str = "") -> str:
    answer = client.get(f"/v1/vast/daily/{slot}{query}", headers={"origin": "https://player.example"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "https://player.example"
    return answer.text


def the_ad(text: str) -> Json:
    """The one ad of a document, as a player has it."""
    (found,) = parsed([text])
    assert found["faults"] == []
    (ad,) = found["ads"]
    return dict(ad)


def path_of(url: str) -> str:
    """The path of one of our addresses, without what a player puts in."""
    assert url.startswith("http://testserver/v1/")
    return urlsplit(url).path


def test_a_player_reads_the_ad_with_all_of_its_trackers(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", selling(video(skip_after_seconds=5))) as client:
        ad = the_ad(ask(client))
    (creative,) = ad["creatives"]
    assert (creative["type"], creative["duration"], creative["skipDelay"]) == ("linear", 75, 5)
    files = [
        (one["fileURL"], one["mimeType"], one["width"], one["height"], one["deliveryType"])
        for one in creative["mediaFiles"]
    ]
    assert files == [
        ("https://cdn.example/a.mp4", "video/mp4", 1280, 720, "progressive"),
        ("http://testserver/a.webm", "video/webm", 640, 360, "progressive"),
        ("https://cdn.example/a.m3u8", "application/x-mpegURL", 1280, 720, "streaming"),
    ]
    assert (creative["mediaFiles"][0]["bitrate"], ad["title"], ad["system"]["value"]) == (
        2400,
        "Tea & toast",
        "adserver",
    )
    assert set(creative["trackingEvents"]) == set(QUARTILES)
    (token,) = set(re.findall(r"/([\w-]{80})", str(ad)))
    assert path_of(ad["impressionURLTemplates"][0]["url"]) == f"/v1/events/impression/{token}"
    for event in QUARTILES:
        assert [path_of(url) for url in creative["trackingEvents"][event]] == [f"/v1/events/{event}/{token}"]
    assert path_of(creative["videoClickThroughURLTemplate"]["url"]) == f"/v1/click/{token}"
    assert path_of(creative["videoClickTrackingURLTemplates"][0]["url"]) == f"/v1/vast/clicked/{token}"
    assert [path_of(url) for url in ad["viewableImpression"][0]["viewable"]] == [
        f"/v1/events/viewable/{token}"
    ]
    assert [path_of(url) for url in ad["viewableImpression"][0]["notViewable"]] == [
        f"/v1/events/measurable/{token}"
    ]
    assert ad["errorURLTemplates"] == [f"http://testserver/v1/events/error/{token}?code=[ERRORCODE]"]


def test_what_a_player_reports_counts_once(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", selling(video()), min_click_delay_ms=0) as client:
        ad = the_ad(ask(client))
        (creative,) = ad["creatives"]
        urls = [ad["impressionURLTemplates"][0]["url"], *ad["viewableImpression"][0]["viewable"]]
        urls += [url for event in QUARTILES for url in creative["trackingEvents"][event]]
        urls += [creative["videoClickTrackingURLTemplates"][0]["url"], ad["errorURLTemplates"][0]]
        for url in urls * 2:
            assert client.get(path_of(url)).headers["content-type"] == "image/gif"
        landing = client.get(path_of(creative["videoClickThroughURLTemplate"]["url"])).headers["location"]
        assert re.fullmatch(r"https://advertiser\.example/spot\?ad=[\w-]{80}", landing)
        client.get(path_of(the_ad(ask(client))["creatives"][0]["trackingEvents"]["start"][0]))
        report = client.get("/reports/slots.json?period=today", headers={"host": "127.0.0.1"}).json()["total"]
        played = [report[f"video_{key}"] for key in ("start_count", "complete_count", "completion_rate")]
        assert played == [2, 1, 0.5]
    told = rows(tmp_path / "a.db", "SELECT kind, validity, revenue_micros FROM event ORDER BY kind")
    kinds = [Kind.IMPRESSION, Kind.MEASURABLE, Kind.VIEWABLE, Kind.CLICK, Kind.VIDEO_START, *range(9, 15)]
    assert told == [(int(kind), 0, 20_000 if kind is Kind.IMPRESSION else 0) for kind in kinds]
    assert rows(tmp_path / "a.db", REQUESTS) == [("filled", 2)]
    ((size,),) = rows(tmp_path / "a.db", "SELECT DISTINCT size FROM event")
    assert size_of(size) == "video"
    assert rebuilt(tmp_path / "a.db")


def test_without_an_ad_there_is_an_address_for_the_error_and_no_ad(tmp_path: Path) -> None:
    image_only = catalog_of(line_item("one", "house", "300x250"), slot=SLOTS)
    with server(tmp_path / "a.db", image_only) as client:
        texts = [ask(client), ask(client, "side"), ask(client, "nowhere"), ask(client, "x" * 900)]
        for text in texts:
            assert re.sub(r"<Error>.*</Error>", "", text).endswith(
                '<VAST version="4.2" xmlns="http://www.iab.com/VAST"></VAST>'
            )
        assert client.get("/v1/vast/error?code=303").headers["content-type"] == "image/gif"
        app: Any = client.app
        app._edge.parts.live.index.sites = None
        texts.append(ask(client))
    for found in parsed(texts):
        assert (found["ads"], found["faults"]) == ([], [])


def test_a_page_is_given_no_video_and_a_player_no_picture(tmp_path: Path) -> None:
    both = catalog_of(
        {"name": "film", "tier": "price", "price": {"cpm": "9.00"}, "creative": [video()]},
        {"name": "still", "tier": "price", "price": {"cpm": "1.00"}, "creative": [image("still", "300x250")]},
        slot=SLOTS,
    )
    page = {"site": "daily", "slots": [{"slot": "side", "width": 400}, {"slot": "preroll"}]}
    with server(tmp_path / "a.db", both) as client:
        side, preroll = client.post("/v1/fill", json=page).json()["fills"]
        assert (side["line_item"], preroll["reason"]) == ("still", "no_size")
        assert 'alt="still"' in client.get("/v1/frame/daily/side?sizes=video,300x250").text
        assert the_ad(ask(client, "side"))["creatives"][0]["duration"] == 75
        tag = client.get("/tag.js").text
        assert "preroll" not in tag


def test_who_is_behind_the_ad_is_told_to_the_player(tmp_path: Path) -> None:
    told = {"sponsor": "Green List", "political": True, "notice": "https://green.example/notice"}
    with server(tmp_path / "a.db", selling(video(), disclosure=told)) as client:
        (extension,) = the_ad(ask(client))["extensions"]
    assert extension["attributes"] == {"type": "disclosure"}
    assert [child["value"] for child in extension["children"]] == [
        "Political advertisement",
        "Green List",
        "green.example",
    ]


def hostile() -> list[Creative]:
    found = []
    for payload in payloads():
        for address in (f"https://x.example/?q={payload}", payload):
            media = [{**MEDIA[0], "url": address}]
            given = video(alt=payload[:200] or "x", click=address, media=media)
            try:
                found.append(Creative.model_validate(given))
            except ValidationError:
                continue
            break
        else:
            if payload.strip():
                found.append(Creative.model_validate(video(alt=payload[:200])))
    return found


def test_no_name_and_no_address_breaks_the_document(tmp_path: Path) -> None:
    made = hostile()[:150]
    assert len(made) > 10
    dumped = [
        one.model_dump(mode="json", exclude_none=True) | {"name": f"v{n}"} for n, one in enumerate(made)
    ]
    items: list[dict[str, object]] = [
        {"name": f"i{n}", "tier": "house", "creative": [one], "target": {"section": [f"s{n}"]}}
        for n, one in enumerate(dumped)
    ]
    with server(tmp_path / "a.db", catalog_of(*items, slot=SLOTS)) as client:
        found = parsed([ask(client, query=f"?section=s{n}") for n in range(len(items))])
    for one, given in zip(found, made, strict=True):
        assert one["faults"] == [] and len(one["ads"]) == 1, given
        (creative,) = one["ads"][0]["creatives"]
        assert given.media
        assert creative["mediaFiles"][0]["fileURL"].strip() == given.media[0].url.strip()
        assert set(creative["trackingEvents"]) == set(QUARTILES)


@pytest.mark.parametrize("token", ["x", "A" * 80])
def test_what_we_did_not_sign_counts_nothing(tmp_path: Path, token: str) -> None:
    with server(tmp_path / "a.db", selling(video())) as client:
        for path in ("/v1/vast/clicked/", "/v1/events/complete/", "/v1/events/error/"):
            assert client.get(path + token).status_code == 200
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM event") == [(0,)]
