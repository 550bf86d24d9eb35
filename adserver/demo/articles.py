"""Text files in `content/` → the newspaper's articles, dated so that at any time the newest are of today.

A file starts with `key: value` lines; after the first empty line come the paragraphs, an empty
line between them. Its folder is the section and its name the slug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from adserver.demo.catalog import ZONE

CONTENT = Path(__file__).parent / "content"
#: Section → its title, in the order of the navigation.
SECTIONS: Mapping[str, str] = {
    "nation": "Nation",
    "world": "World",
    "business": "Business",
    "culture": "Culture",
}
#: Dates are cut to whole quarters of an hour, so that an article's date does not creep while it is read.
_STEP_MINUTES = 15
_WORDS_PER_MINUTE = 200


@dataclass(frozen=True, slots=True)
class Article:
    """One article; `paragraphs` are plain text, `days_ago` and `at` (local) say when it was published."""

    section: str
    slug: str
    title: str
    standfirst: str
    author: str
    topics: tuple[str, ...]
    picture: str
    caption: str
    days_ago: int
    at: time
    paragraphs: tuple[str, ...]

    @property
    def path(self) -> str:
        """Its address on the server."""
        return f"/demo/{self.section}/{self.slug}"

    @property
    def reading_minutes(self) -> int:
        """How long it takes to read."""
        return max(1, round(sum(len(text.split()) for text in self.paragraphs) / _WORDS_PER_MINUTE))

    def published_at(self, now: datetime) -> datetime:
        """When it was published, in the newspaper's zone, as seen at an aware time: never later than that."""
        local = now.astimezone(ZONE)
        day = local.date() - timedelta(days=self.days_ago)
        planned = datetime.combine(day, self.at, ZONE)
        latest = local.replace(minute=local.minute - local.minute % _STEP_MINUTES, second=0, microsecond=0)
        return min(planned, latest)


@cache
def articles() -> Sequence[Article]:
    """All articles, the newest first."""
    found = [_read(file) for file in sorted(CONTENT.glob("*/*.md"))]
    return tuple(sorted(found, key=lambda article: (-article.days_ago, article.at), reverse=True))


def article_at(section: str, slug: str) -> Article | None:
    """The article at an address."""
    return next((a for a in articles() if (a.section, a.slug) == (section, slug)), None)


def articles_in(section: str) -> list[Article]:
    """A section's articles, the newest first."""
    return [article for article in articles() if article.section == section]


def articles_of(day: date, now: datetime) -> list[Article]:
    """What was published on a day, as seen at an aware time."""
    return [article for article in articles() if article.published_at(now).date() == day]


def _read(file: Path) -> Article:
    head, _, body = file.read_text(encoding="utf-8").partition("\n\n")
    facts = dict(row.split(": ", 1) for row in head.splitlines())
    return Article(
        section=file.parent.name,
        slug=file.stem,
        title=facts["title"],
        standfirst=facts["standfirst"],
        author=facts["author"],
        topics=tuple(facts["topics"].split(", ")),
        picture=f"/demo/static/pictures/{facts['picture']}.svg",
        caption=facts["caption"],
        days_ago=int(facts["days ago"]),
        at=time.fromisoformat(facts["time"]),
        paragraphs=tuple(text.strip() for text in body.split("\n\n")),
    )
