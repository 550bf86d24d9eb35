"""Videos in the forms of the console: what is shown is what is read back, and saved as the catalog has it."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from adserver.catalog.creative import Creative
from tests.console.office import Office
from tests.console.test_catalog_pages import ADMIN, browser, form_of, place
from tests.serving.test_vast import MEDIA, video

__all__ = ["browser", "place"]  # fixtures
WRITTEN = """https://cdn.example/a.mp4 video/mp4 1280x720 2400
/a.webm video/webm 640x360
https://cdn.example/a.m3u8 application/x-mpegURL 1280x720"""


def test_a_video_is_made_shown_and_changed(place: Office, browser: httpx.Client) -> None:
    api = place.with_token(ADMIN, "read")
    new = "/console/catalog/new/creative?in=savings-top"
    given = form_of(browser.get(new).text) | {"name": "film", "kind": "video", "size": "video"}
    refused = browser.post(new, data=given | {"media": "https://cdn.example/a.mp4 video/mp4 big"}).text
    assert "is not like https://cdn.example/a.mp4 video/mp4 1280x720 2400" in refused
    given |= {"media": WRITTEN, "duration_seconds": "75", "click": "https://bank.example/"}
    assert browser.post(new, data=given).status_code == 303
    made: dict[str, Any] = api.get("/api/v1/creatives/film").json()
    known = {key: made[key] for key in Creative.model_fields if made.get(key) is not None}
    wanted = Creative.model_validate(video("film", click="https://bank.example/", alt=None))
    assert Creative.model_validate(known) == wanted
    address = "/console/catalog/creative/film"
    shown = form_of(browser.get(address).text)
    assert (shown["kind"], shown["media"].replace("\r\n", "\n")) == ("video", WRITTEN)
    assert browser.post(address, data=shown | {"duration_seconds": "30"}).status_code == 303
    changed = api.get("/api/v1/creatives/film").json()
    assert (changed["duration_seconds"], len(changed["media"])) == (30, len(MEDIA))
