"""Files that are given as creatives: known by their content, refused where they could run, warned about."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from adserver.catalog.creatives import WEIGHTS, look_at_files, unlikely_creatives
from adserver.catalog.picture import NoPicture, Picture, picture_of
from adserver.demo.catalog import demo_catalog
from tests.newsroom import NOW, catalog_of, image
from tests.processes import adserver

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="300"'
    ' height="250">{}</svg>'
)
BOXED = (
    b'\xef\xbb\xbf<?xml version="1.0"?><!-- a -->'
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 250"/>'
)


def png(width: int, height: int, padding: int = 0) -> bytes:
    """A whole picture, as small as can be, with so many bytes of nothing."""
    rows = (b"\0" + bytes(width * 3)) * height

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"teXt", bytes(padding)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + end


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b0800fa012c01011100") + bytes(9)
GIF = b"GIF89a" + struct.pack("<HH", 300, 250) + bytes(20)
VP8X = b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + struct.pack("<I", 299)[:3] + struct.pack("<I", 249)[:3]
VP8L = b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 299 | 249 << 14)
VP8 = b"RIFF" + bytes(4) + b"WEBPVP8 " + bytes(10) + struct.pack("<HH", 300, 250)
AVIF = bytes(4) + b"ftypavif" + bytes(8) + bytes(4) + b"ispe" + bytes(4) + struct.pack(">II", 300, 250)


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        *((png(300, 250), "png"), (JPEG, "jpeg"), (GIF, "gif"), (AVIF, "avif")),
        *((VP8X, "webp"), (VP8L, "webp"), (VP8, "webp")),
        (SVG.format("").encode(), "svg+xml"),
        (BOXED, "svg+xml"),
    ],
)
def test_a_picture_is_known_by_its_content(content: bytes, format_: str) -> None:
    assert picture_of(content) == Picture(format_, 300, 250)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF",
        b"<!doctype html><script>alert(1)</script>",
        b"%PDF-1.7",
        b"\xff\xd8\xff",
        b"\0" * 5_000,
        b"<svg",
        JPEG[:20],
    ],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(NoPicture):
        picture_of(content)


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        "<foreignObject/>",
        '<rect onload="alert(1)"/>',
        '<rect ONCLICK="alert(1)"/>',
        '<a href="javascript:alert(1)"/>',
        '<a xlink:href="https://x.example/"/>',
        '<image href="https://x.example/a.png"/>',
        '<use href="other.svg#a"/>',
        '<image href="data:text/html,x"/>',
        '<image href="data:image/svg+xml,x"/>',
        '<rect fill="url(https://x.example/a)"/>',
        "<rect style=\"background: URL( 'https://x.example' )\"/>",
        "<style>@import 'https://x.example/a.css';</style>",
        "<style>a { background: url(//x.example) }</style>",
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="href" values="a;JavaScript:alert(1)"/>',
    ],
)
def test_an_svg_that_could_run_or_fetch_something_is_refused(inner: str) -> None:
    with pytest.raises(NoPicture):
        picture_of(SVG.format(inner).encode())


def test_entities_are_refused_before_they_are_read() -> None:
    bomb = '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + SVG.format("<text>&b;</text>")
    with pytest.raises(NoPicture, match="DOCTYPE"):
        picture_of(bomb.encode())


def test_pictures_as_programs_export_them_pass() -> None:
    inner = (
        '<defs><linearGradient id="g"/><clipPath id="c"/></defs><style>.a { fill: url(#g) }</style>'
        '<g clip-path="url(#c)"><use href="#g"/><image href="data:image/png;base64,AAAA"/></g>'
    )
    assert picture_of(SVG.format(inner).encode()).format == "svg+xml"
    folder = Path(__file__).parents[2] / "adserver/demo/static"
    for file in folder.rglob("*.svg"):
        assert picture_of(file.read_bytes()).format == "svg+xml", file


def test_the_demo_is_without_blame() -> None:
    folder = Path(__file__).parents[2] / "adserver"

    def read(address: str) -> bytes | None:
        file = folder / address.lstrip("/")
        return file.read_bytes() if file.is_file() else None

    assert look_at_files(demo_catalog(NOW), "demo", read) == ([], [])


@pytest.mark.parametrize(
    ("html", "warning"),
    [
        ('<a href="{click}">x</a>', None),
        ('<a href="https://t.example/?to={click_encoded}">x</a>', None),
        ("<a>x</a>", "has no {click}, so its clicks are not counted"),
        (
            '<a href="%%CLICK_URL_UNESC%%x">x</a>',
            "%%CLICK_URL_UNESC%% is another ad server's place for the click URL",
        ),
        ('<a href="${CLICK_URL}">x</a>', "${CLICK_URL} is another ad server's place"),
        ('<a href="{click}">' + "x" * 60_000, "weighs 60 kB; IAB's limit for 320x50 is 50 kB"),
    ],
)
def test_html_that_counts_no_click_or_weighs_too_much_is_warned_about(html: str, warning: str | None) -> None:
    creative = {"name": "ad", "kind": "html", "size": "320x50", "html": html, "click": "https://x.example/"}
    catalog = catalog_of(
        {"name": "one", "tier": "house", "creative": [creative]}, slot=[{"name": "a", "sizes": ["320x50"]}]
    )
    found = [str(fault) for fault in unlikely_creatives(catalog, "c.toml")]
    assert len(found) == (warning is not None)
    assert all(warning and f"creative.ad.html: {warning}" in one for one in found)


def test_a_video_that_few_players_play_or_that_is_skipped_too_late_is_warned_about() -> None:
    media = [{"url": "https://cdn.example/a.webm", "type": "video/webm", "width": 640, "height": 360}]
    spot = {"name": "spot", "kind": "video", "size": "video", "media": media, "click": "https://x.example/"}
    late = spot | {"duration_seconds": 15, "skip_after_seconds": 15}
    slot = [{"name": "preroll", "sizes": ["video"]}]
    catalog = catalog_of({"name": "one", "tier": "house", "creative": [late]}, slot=slot)
    found = [fault.key.rpartition(".")[2] for fault in unlikely_creatives(catalog, "c.toml")]
    assert found == ["media", "skip_after_seconds"]


def catalog_file(folder: Path) -> Path:
    from adserver.catalog.file import dump

    names = ("fine", "twice", "heavy", "named", "shape", "small", "elsewhere")
    drawn = [image(name, "300x250", image=f"https://cdn.example/a/{name}.png?v=2") for name in names]
    (folder / "c.toml").write_text(dump(catalog_of({"name": "one", "tier": "house", "creative": drawn})))
    files = folder / "files" / "a"
    files.mkdir(parents=True)
    for name, content in {
        "fine": png(300, 250),
        "twice": png(600, 500),
        "heavy": png(300, 250, WEIGHTS["300x250"] + 600),
        "named": GIF,
        "shape": png(728, 90),
        "small": png(150, 125),
    }.items():
        (files / f"{name}.png").write_bytes(content)
    return folder / "c.toml"


def test_check_looks_at_the_files_in_a_folder(tmp_path: Path) -> None:
    file = catalog_file(tmp_path)
    done = adserver("check", str(file), "--files", str(tmp_path / "files"))
    assert done.returncode == 0, done.stderr
    warnings = [line.partition(".creative.")[2] for line in done.stderr.splitlines()]
    address = "https://cdn.example/a"
    assert warnings == [
        "heavy.image: weighs 151 kB; IAB's limit for 300x250 is 150 kB",
        f"named.image: {address}/named.png?v=2 is called .png and is gif by its content",
        f"shape.image: {address}/shape.png?v=2 is 728x90, which is not the shape of 300x250",
        f"small.image: {address}/small.png?v=2 is 150x125, smaller than 300x250",
    ]


def test_apply_refuses_what_could_run_and_changes_nothing(tmp_path: Path) -> None:
    file = catalog_file(tmp_path)
    (tmp_path / "files" / "a" / "fine.png").write_text(SVG.format("<script>alert(1)</script>"))
    (tmp_path / "secret.png").write_text("no picture")
    words = ["apply", str(file), "--db", str(tmp_path / "a.db"), "--files", str(tmp_path / "files")]
    done = adserver(*words)
    assert (done.returncode, done.stdout) == (2, "")
    refused = done.stderr.splitlines()[-1]
    assert refused.endswith(
        "fine.image: https://cdn.example/a/fine.png?v=2 is an SVG with <script>; export it without"
    )
    assert not (tmp_path / "a.db").exists()
