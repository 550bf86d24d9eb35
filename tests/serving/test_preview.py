"""Preview links: one creative, light and dark, for whoever has the address, until it expires."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.serving.preview_token import Preview, PreviewKey
from tests.commands.test_explain_command import Shell
from tests.newsroom import NOW, apply_catalog, catalog_of, image, rows, server
from tests.serving.outside.test_pictures import moving
from tests.serving.test_frame import HTML
from tests.serving.test_vast import SLOTS, video

CREATIVES: list[dict[str, Any]] = [
    image("both", "300x250", image_dark="https://cdn.example/dark.png", approved=False),
    {
        "name": "html",
        "kind": "html",
        "size": "300x250",
        "html": HTML,
        "click": "https://advertiser.example/x?ad={fill}",
    },
    video("film"),
]
CATALOG = catalog_of({"name": "one", "tier": "house", "creative": CREATIVES}, slot=SLOTS)


def link(client: TestClient, name: str, **keys: int) -> str:
    """The path of a preview, for a day unless told otherwise."""
    app: Any = client.app
    stored = app._current()
    until = NOW + timedelta(**keys or {"days": 1})
    token = app._edge.parts.preview_key.sign(Preview(stored.ids["creative", name], int(until.timestamp())))
    return f"/v1/preview/{token}"


def test_a_creative_is_shown_light_and_dark_before_it_is_approved(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG, clock=lambda: NOW) as client:
        path = link(client, "both")
        page = client.get(path)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "not approved yet" in page.text and "25 November 2026, 06:00 UTC" in page.text
        frames = re.findall(r'<iframe src="([^"]+)" width="(\d+)" height="(\d+)"', page.text)
        assert frames == [(f"{path}/light", "300", "250"), (f"{path}/dark", "300", "250")]
        light, dark = (client.get(frame).text for frame, _, _ in frames)
        assert ("both.png" in light, "dark.png" in light) == (True, False)
        assert ("both.png" in dark, "dark.png" in dark) == (False, True)
        assert 'href="https://advertiser.example/both"' in light
        assert ">Advertisement<" in light
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM event") == [(0,)]
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM request_rollup") == [(0,)]


def test_html_and_video_are_shown_as_on_the_site(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG, clock=lambda: NOW) as client:
        path = link(client, "html")
        assert f'src="{path}/html"' in client.get(f"{path}/light").text
        inside = client.get(f"{path}/html")
        assert inside.headers["content-security-policy"].startswith("sandbox allow-scripts allow-popups")
        assert 'href="https://advertiser.example/x?ad="' in inside.text
        film = link(client, "film")
        assert 'width="640" height="360"' in client.get(film).text
        assert client.get(f"{film}/dark").text.count("<source src=") == 3


def test_an_address_opens_one_creative_until_it_expires(tmp_path: Path) -> None:
    clock, move = moving()
    with server(tmp_path / "a.db", CATALOG, clock=clock) as client:
        path = link(client, "both", hours=1)
        forged = path[:-1] + ("A" if path[-1] != "A" else "B")
        for end in ("", "/light", "/html"):
            assert client.get(forged + end).status_code == 404
        assert client.get(f"{path}/x").status_code == 404
        move(timedelta(minutes=59))
        assert client.get(path).status_code == 200
        move(timedelta(minutes=1))
        for end in ("", "/light", "/html"):
            answer = client.get(path + end)
            assert (answer.status_code, "has expired" in answer.text) == (410, True)


@pytest.mark.parametrize("text", ["", "x", "A" * 32, "é" * 32, "=" * 32])
def test_what_we_did_not_sign_opens_nothing(text: str) -> None:
    assert PreviewKey(b"k" * 32).read(text) is None
    signed = PreviewKey(b"k" * 32).sign(Preview(1, 2))
    assert PreviewKey(b"k" * 32).read(signed) == Preview(1, 2)
    assert PreviewKey(b"l" * 32).read(signed) is None


def test_the_command_makes_an_address_that_the_server_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_catalog(tmp_path / "a.db", CATALOG)
    shell = Shell(tmp_path, capsys, monkeypatch, "preview")
    status, out, _ = shell("html", "--db", str(tmp_path / "a.db"), "--hours", "2")
    assert status == 0
    with server(tmp_path / "a.db", None) as client:
        assert "<h1>html</h1>" in client.get(out.strip().removeprefix("http://127.0.0.1:8000")).text
    status, _, err = shell("htm", "--db", str(tmp_path / "a.db"))
    assert (status, err) == (2, "htm: there is no such creative; did you mean 'html'?\n")
