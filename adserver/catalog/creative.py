"""What is drawn → one immutable, validated creative, whichever of its kinds it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from adserver.catalog.fields import VIDEO, Attribute, Flag, Name, Size, Text, Url
from adserver.catalog.part import Part


class MediaFile(Part):
    """One encoding of a video: where it is, its MIME type, its size in pixels, and its bit rate in kbit/s."""

    url: Url
    type: Annotated[str, Field(pattern=r"^(video|application)/[a-zA-Z0-9.+-]{1,60}$")]
    width: Annotated[int, Field(ge=1, le=9999, strict=True)]
    height: Annotated[int, Field(ge=1, le=9999, strict=True)]
    bitrate: Annotated[int, Field(ge=1, le=200_000, strict=True)] | None = None

    @property
    def streams(self) -> bool:
        """Whether it is a playlist (HLS, DASH) rather than one file."""
        return self.type.lower() in _PLAYLISTS


_PLAYLISTS = frozenset(("application/x-mpegurl", "application/vnd.apple.mpegurl", "application/dash+xml"))


class Creative(Part):
    """What is drawn. `image` is data that the page draws; `html` is drawn in a sandboxed frame; `network` is
    an ad unit of AdSense, whose code runs in the page: `client` is the publisher there, `unit` its number;
    `video` is played by the page's own player, which asks for it by VAST.

    It serves only once `approved`, and with a `theme` only on pages of that theme. `attributes` are AdCOM's.
    """

    name: Name
    kind: Literal["image", "html", "network", "video"]
    size: Size
    image: Url | None = None
    image_dark: Url | None = None
    alt: Text | None = None
    html: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    click: Url | None = None
    client: Annotated[str, Field(pattern=r"^ca-(mb-)?pub-[0-9]{10,20}$")] | None = None
    unit: Annotated[str, Field(pattern=r"^[0-9]{6,20}$")] | None = None
    media: Annotated[tuple[MediaFile, ...], Field(min_length=1, max_length=20)] | None = None
    duration_seconds: Annotated[int, Field(ge=1, le=600, strict=True)] | None = None
    skip_after_seconds: Annotated[int, Field(ge=0, le=600, strict=True)] | None = None
    weight: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    approved: Flag = True
    theme: Literal["light", "dark"] | None = None
    attributes: Annotated[tuple[Attribute, ...], Field(max_length=20)] = ()

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Each kind has keys of its own; an image for one theme has no variant for the other."""
        if given.get("theme") is not None and given.get("image_dark") is not None:
            yield "theme and image_dark do not go together: with a theme, image is for that theme"
        kind = given.get("kind")
        if not isinstance(kind, str) or kind not in _KEYS_OF_KIND:
            return
        needed, allowed = _KEYS_OF_KIND[kind]
        size = given.get("size")
        if isinstance(size, str) and (kind == VIDEO) != (size == VIDEO):
            yield f'size "{VIDEO}" and kind {VIDEO} go together'
        yield from (f"kind {kind} needs {key}" for key in needed if given.get(key) is None)
        foreign = [key for key in _DRAWN if key not in (*needed, *allowed)]
        yield from (f"kind {kind} has no {key}" for key in foreign if given.get(key) is not None)


#: Keys that say what is drawn, and of each kind those that it needs and those that it may have.
_DRAWN = (
    *("html", "image", "image_dark", "alt", "click", "client", "unit"),
    *("media", "duration_seconds", "skip_after_seconds"),
)
_KEYS_OF_KIND: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "image": (("image", "alt", "click"), ("image_dark",)),
    "html": (("html",), ("click",)),
    "network": (("client", "unit"), ()),
    "video": (("media", "duration_seconds", "click"), ("alt", "skip_after_seconds")),
}
