"""The HTML of a page → its elements and what stands inline in them, for tests of the newsroom's pages."""

from __future__ import annotations

from html.parser import HTMLParser

Attributes = dict[str, str]


class Markup(HTMLParser):
    """The start tags of one page in order, and the text inside of its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        """Leaves it."""
        self._within = ""

    def handle_data(self, text: str) -> None:
        """Notes text of scripts and styles."""
        if self._within in ("script", "style") and text.strip():
            self.inline.append(text)

    def of(self, tag: str) -> list[Attributes]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        """The values of an attribute wherever it stands."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]

    def text_fields(self) -> set[str]:
        """The names of all fields that a form sends."""
        return {fields["name"] for tag, fields in self.elements if tag in ("input", "textarea")}
