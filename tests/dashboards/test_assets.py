"""plotly.js is the one that was built, small enough, and kept for good by browsers."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx2 as httpx
import pytest

from dashboards.frame import ASSETS, HERE

VENDOR = HERE / "vendor"
MOST_BROTLI_BYTES, MOST_PAGE_BYTES = 360_000, 30_000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_plotly_is_what_its_record_says() -> None:
    record = json.loads((VENDOR / "plotly.json").read_text())
    script = gzip.decompress((VENDOR / "plotly.js.gz").read_bytes())
    brotli = (VENDOR / "plotly.js.br").read_bytes()
    assert sha256(script) == record["script_sha256"]
    assert sha256(brotli) == record["brotli_sha256"]
    assert sha256((VENDOR / "plotly.css").read_bytes()) == record["style_sha256"]
    assert (len(script), len(brotli)) == (record["script_bytes"], record["brotli_bytes"])
    assert len(brotli) <= MOST_BROTLI_BYTES
    assert f"plotly.js {record['plotly.js']}".encode() in script[:100]


def test_what_it_is_built_from_is_pinned_and_names_no_other_host() -> None:
    record = json.loads((VENDOR / "plotly.json").read_text())
    wanted = json.loads((VENDOR / "package.json").read_text())["devDependencies"]
    lock = (VENDOR / "package-lock.json").read_text()
    assert wanted == {name: record[name] for name in ("esbuild", "plotly.js")}
    assert json.loads(lock)["packages"]["node_modules/plotly.js"]["version"] == record["plotly.js"]
    resolved = re.findall(r'"resolved": "https?://([^/"]+)', lock)
    assert set(resolved) <= {"registry.npmjs.org"}


def test_every_package_in_the_bundle_has_its_licence_beside_it() -> None:
    licences = (VENDOR / "plotly.licenses.txt").read_text()
    for name in ("plotly.js", "@plotly/d3", "culori", "d3-format"):
        assert re.search(rf"^{re.escape(name)} \d", licences, re.MULTILINE)


@pytest.mark.parametrize("accepted", ["br, gzip", "gzip;q=0.5", "", "br;q=0, gzip;q=0.0", "zstd"])
def test_every_encoding_is_the_same_file(base_url: str, accepted: str) -> None:
    expected = {"br, gzip": "br", "gzip;q=0.5": "gzip"}.get(accepted, "identity")
    with httpx.stream(
        "GET", f"{base_url}/reports/{ASSETS.path('plotly.js')}", headers={"accept-encoding": accepted}
    ) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding", "identity") == expected
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert body == ASSETS.by_plain_name["plotly.js"].bodies[expected]


@pytest.mark.parametrize("name", ["plotly.js", "plotly.css", "reports.css", "base.js", "mark.svg"])
def test_the_address_holds_a_hash_of_the_content(base_url: str, name: str) -> None:
    path = ASSETS.path(name)
    answer = httpx.get(f"{base_url}/reports/{path}", headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert sha256(answer.content)[:16] == Path(path).name.split(".")[1]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["plotly.js", "reports.0000000000000000.js", "..%2f..%2fpyproject.toml"])
def test_no_other_file_is_served(base_url: str, name: str) -> None:
    assert httpx.get(f"{base_url}/reports/static/{name}").status_code == 404


@pytest.mark.parametrize(
    "path", ["", "creatives", "reach", "hours", "delivery", "reasons", "sections", "live", "hours.json"]
)
def test_pages_come_compressed_and_small(base_url: str, path: str) -> None:
    url = f"{base_url}/reports/{path}?period=28d"
    with httpx.stream("GET", url, headers={"accept-encoding": "gzip, br"}) as answer:
        body = b"".join(answer.iter_raw())
    plain = httpx.get(url, headers={"accept-encoding": "identity"})
    assert answer.status_code == plain.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert len(body) <= MOST_PAGE_BYTES
    assert len(gzip.decompress(body)) == len(plain.content)
