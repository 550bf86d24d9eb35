"""Articles and what readers sent → the newsroom's HTML pages; Jinja2 escapes all that templates show.

The pages hold no inline script or style and work without script; only the theme switch and the ads need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adserver.clock import Clock
from adserver.demo import readers as limits
from adserver.demo.articles import SECTIONS, Article, articles, articles_in, articles_of
from adserver.demo.catalog import ZONE
from adserver.demo.readers import Readers

PAPER = "The Terai Ledger"
CITY = "Meghasari"
#: The site's name in the catalog.
SITE = "ledger"

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(paper=PAPER, city=CITY, site=SITE, sections=SECTIONS, limits=limits)


@dataclass(frozen=True, slots=True)
class Draft:
    """A comment that was not taken, given back to its writer with the reason."""

    name: str = ""
    text: str = ""
    problem: str = ""


def long_date(day: date) -> str:
    """2026-11-24 → "Tuesday, 24 November 2026"."""
    return f"{day:%A}, {short_date(day)}"


def short_date(day: date) -> str:
    """2026-11-24 → "24 November 2026"."""
    return f"{day.day} {day:%B %Y}"


def brief_date(day: date) -> str:
    """2026-11-24 → "24 Nov 2026"."""
    return f"{day.day} {day:%b %Y}"


def slug(name: str) -> str:
    """ "Ira Devkesari" → "ira-devkesari", as campaigns target it."""
    return name.lower().replace(" ", "-")


def words_of(slug: str) -> str:
    """ "rural-roads" → "Rural roads"."""
    return slug.replace("-", " ").capitalize()


def local(at: datetime) -> datetime:
    """An aware time → the same in the newspaper's zone."""
    return at.astimezone(ZONE)


TEMPLATES.filters.update(
    long_date=long_date,
    short_date=short_date,
    brief_date=brief_date,
    slug=slug,
    words_of=words_of,
    local=local,
)


class Pages:
    """All pages of one running newsroom, as HTML."""

    def __init__(self, clock: Clock, readers: Readers) -> None:
        self._clock = clock
        self._readers = readers

    def front(self) -> str:
        """The front page: the newest article as lead, four more, and a band for each section."""
        lead, *rest = articles()
        beside = rest[:4]
        below = rest[4:]
        bands = {name: [one for one in below if one.section == name][:4] for name in SECTIONS}
        return self._render("front.html", lead=lead, beside=beside, bands=bands, most_read=_most_read())

    def section(self, section: str) -> str:
        """All articles of one section."""
        lead, *rest = articles_in(section)
        return self._render("section.html", section=section, lead=lead, rest=rest, most_read=_most_read())

    def article(self, article: Article, draft: Draft | None = None) -> str:
        """One article with its six slots, its comments and the form for another."""
        return self._render(
            "article.html",
            article=article,
            section=article.section,
            topics=article.topics,
            author=article.author,
            comments=self._readers.comments(article),
            draft=draft or Draft(),
            more=[one for one in articles_in(article.section) if one != article][:3],
            most_read=[one for one in _most_read() if one != article],
        )

    def archive(self, day: date) -> str:
        """What appeared on one day."""
        return self._render("archive.html", day=day, found=articles_of(day, self._clock()), problem="")

    def archive_refused(self, problem: str) -> str:
        """The archive's date picker again, with what was wrong."""
        return self._render("archive.html", day=None, found=(), problem=problem)

    def newsletter(self, problem: str = "", email: str = "") -> str:
        """The sign-up form."""
        return self._render("newsletter.html", problem=problem, email=email)

    def newsletter_thanks(self) -> str:
        """After a sign-up."""
        return self._render("thanks.html", sign_ups=self._readers.sign_ups)

    def advertiser(self, name: str, fill: str = "", order: str = "") -> str:
        """Where the demo's advertisements lead: the page of an invented advertiser.

        With the token of a `fill` something can be ordered there; with the `order`, that was done.
        """
        page = TEMPLATES.get_template("advertiser.html")
        return page.render(name=words_of(name).title(), slug=name, fill=fill, order=order)

    def message(self, title: str, sentence: str) -> str:
        """A page that says one thing, such as that an address leads nowhere."""
        return self._render("message.html", title=title, sentence=sentence, latest=articles()[:3])

    def _render(self, template: str, **values: Any) -> str:
        now = self._clock()
        published = {one: one.published_at(now) for one in articles()}
        frame = {
            "today": now.astimezone(ZONE).date(),
            "first_day": min(published.values()).date(),
            "published": published,
            "section": "",
            "topics": (),
            "author": "",
        }
        return TEMPLATES.get_template(template).render(frame | values)


def _most_read() -> Sequence[Article]:
    """An editor's invention: every fourth article."""
    return articles()[3::4][:5]
