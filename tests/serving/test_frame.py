"""`/v1/frame/…`: one fill of one slot as a document of its own, where no script of ours runs in the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.newsroom import catalog_of, image, line_item, rows, server

EVENTS = "SELECT kind, validity, revenue_micros FROM event ORDER BY kind"
REQUESTS = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY outcome"
HTML = '<a id="buy" href="{click}" data-to="{click_encoded}">Buy</a><script>window.ran = 1</script>'


def html_item(**keys: object) -> dict[str, object]:
    creative = {"name": "own", "kind": "html", "size": "300x250", "html": HTML}
    creative["click"] = "https://advertiser.example/own"
    return {"name": "own", "tier": "house", "creative": [creative], **keys}


def tokens_in(text: str) -> set[str]:
    return set(re.findall(r"/v1/(?:events/impression|click|creative)/([\w-]{80})", text))


def test_one_fill_is_shown_counted_and_clicked_without_any_script(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", min_click_delay_ms=0) as client:
        answer = client.get("/v1/frame/daily/top?section=world")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert 'src="https://cdn.example/paid-728x90.png"' in answer.text
        assert ">Advertisement<" in answer.text
        (token,) = tokens_in(answer.text)
        pixel = client.get(f"/v1/events/impression/{token}")
        assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
        click = client.get(f"/v1/click/{token}")
        assert click.headers["location"] == "https://advertiser.example/paid-728x90"
    assert rows(tmp_path / "a.db", EVENTS) == [(1, 0, 4500), (4, 0, 0)]
    assert rows(tmp_path / "a.db", REQUESTS) == [("filled", 1)]


def test_nothing_inline_runs_in_the_document(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        answer = client.get("/v1/frame/daily/top")
        policy = dict(
            one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not re.search(r"<script[^>]*>[^<]|style=|<style| on\w+=", answer.text)
        for path in re.findall(r'(?:src|href)="(/v1/frame\.\w+)"', answer.text):
            assert client.get(path).headers["cache-control"].startswith("public, max-age=")


def test_html_of_an_advertiser_has_no_origin_and_opens_with_a_token_only(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", catalog_of(html_item())) as client:
        text = client.get("/v1/frame/daily/side").text
        assert HTML not in text
        (token,) = tokens_in(text)
        answer = client.get(f"/v1/creative/{token}")
        assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts allow-popups")
        assert "allow-same-origin" not in answer.headers["content-security-policy"]
        assert f'href="http://testserver/v1/click/{token}"' in answer.text
        assert f'data-to="http%3A%2F%2Ftestserver%2Fv1%2Fclick%2F{token}"' in answer.text
        assert client.get(f"/v1/creative/{token[:-1]}x").status_code == 404
    with server(tmp_path / "b.db") as client:
        (image_token,) = tokens_in(client.get("/v1/frame/daily/side").text)
        assert client.get(f"/v1/creative/{image_token}").status_code == 404


def test_the_query_says_what_a_tag_says_of_its_page(tmp_path: Path) -> None:
    target = {"section": ["world"], "topic": ["economy"], "values": {"author": ["x"], "desk": ["night"]}}
    catalog = catalog_of(line_item("aimed", "house", "728x90", "970x250", target=target))
    full = "section=world&topics=sport,%20economy&author=x&value-desk=day&value-desk=night"
    with server(tmp_path / "a.db", catalog) as client:
        assert tokens_in(client.get(f"/v1/frame/daily/top?{full}&sizes=728x90").text)
        assert not tokens_in(client.get("/v1/frame/daily/top?section=world").text)
        assert not tokens_in(client.get(f"/v1/frame/daily/top?{full}&sizes=300x250").text)


@pytest.mark.parametrize(
    ("theme", "found"),
    [
        ("", ["light", "dark"]),
        ("?theme=dark", ["dark"]),
        ("?theme=light", ["light"]),
        ("?theme=x", ["light", "dark"]),
    ],
)
def test_the_dark_variant_follows_the_page_or_else_the_readers_system(
    tmp_path: Path, theme: str, found: list[str]
) -> None:
    creative = image(
        "one", "728x90", image="https://cdn.example/light.png", image_dark="https://cdn.example/dark.png"
    )
    item: dict[str, Any] = {"name": "one", "tier": "house", "creative": [creative]}
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        text = client.get(f"/v1/frame/daily/top{theme}").text
    assert sorted(re.findall(r"cdn\.example/(\w+)\.png", text)) == sorted(found)


@pytest.mark.parametrize(
    "path", ["daily/nowhere", "nobody/top", "daily/" + "x" * 3000, "daily/%00%3Cscript%3E"]
)
def test_where_nothing_fills_there_is_an_empty_document(tmp_path: Path, path: str) -> None:
    with server(tmp_path / "a.db") as client:
        answer = client.get(f"/v1/frame/{path}")
        assert answer.status_code == 200
        assert "<body></body>" in answer.text


def test_what_names_say_is_text(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script>'
    item = line_item("one", "house", disclosure={"sponsor": hostile})
    item["creative"] = [image("one", "300x250", alt=hostile)]
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        text = client.get("/v1/frame/daily/side").text
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 2


def test_a_bot_is_shown_what_a_reader_is_and_is_no_request(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        answer = client.get("/v1/frame/daily/top", headers={"user-agent": "Googlebot/2.1"})
        assert tokens_in(answer.text)
    assert rows(tmp_path / "a.db", REQUESTS) == [("invalid.bot", 1)]


def test_a_look_by_head_counts_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        assert client.head("/v1/frame/daily/top").status_code == 200
        assert client.head("/v1/vast/daily/top").status_code == 200
    assert rows(tmp_path / "a.db", REQUESTS) == []


def test_a_fault_of_ours_is_an_empty_document(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        app: Any = client.app
        app._edge.parts.live.index.sites = None
        answer = client.get("/v1/frame/daily/top")
        assert (answer.status_code, "<body></body>" in answer.text) == (200, True)
        assert app._edge.parts.counts.errors == 1
