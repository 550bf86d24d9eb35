"""The demo newsroom's front page → the address of its first article."""

from __future__ import annotations

import re
import urllib.request

_ARTICLE = re.compile(r'href="(/demo/(?!advertiser|static)[a-z]+/[a-z0-9-]+)"')


def first_article(base_url: str) -> str:
    """The path of the first article on the front page, read without a browser: its ads would be counted."""
    with urllib.request.urlopen(f"{base_url}/demo/", timeout=10) as answer:
        match = _ARTICLE.search(answer.read().decode())
    assert match, "the front page has no article"
    return match[1]
