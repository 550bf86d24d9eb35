"""What readers send → kept in memory, bounded: comments under articles, a count of newsletter sign-ups."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adserver.demo.articles import Article

MAX_COMMENTS_PER_ARTICLE = 50
MAX_NAME_CHARACTERS = 60
MAX_COMMENT_CHARACTERS = 1000
MAX_EMAIL_CHARACTERS = 254
MAX_SIGN_UPS_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Comment:
    """What a reader wrote, as typed: a template escapes it."""

    name: str
    text: str
    at: datetime


class Readers:
    """The memory of one running newsroom; it ends with the server."""

    def __init__(self) -> None:
        self._comments: dict[str, deque[Comment]] = defaultdict(
            lambda: deque(maxlen=MAX_COMMENTS_PER_ARTICLE)
        )
        self.sign_ups = 0

    def comments(self, article: Article) -> Sequence[Comment]:
        """Newest first; the oldest make room for new ones."""
        return tuple(reversed(self._comments.get(article.path, ())))

    def comment(self, article: Article, name: str, text: str, at: datetime) -> str | None:
        """Keeps a comment, or says in a sentence why not."""
        name, text = name.strip(), text.strip()
        if not name or not text:
            return "Please give a name and write a comment."
        if len(name) > MAX_NAME_CHARACTERS:
            return f"Please keep the name to {MAX_NAME_CHARACTERS} characters."
        if len(text) > MAX_COMMENT_CHARACTERS:
            return f"Please keep the comment to {MAX_COMMENT_CHARACTERS} characters."
        self._comments[article.path].append(Comment(name, text, at))
        return None

    def sign_up(self, email: str) -> str | None:
        """Counts a sign-up and forgets the address, or says in a sentence why not."""
        name, at, domain = email.strip().partition("@")
        if not (name and at and domain) or any(letter.isspace() for letter in email.strip()):
            return "That does not look like an e-mail address."
        if len(email) > MAX_EMAIL_CHARACTERS:
            return "That e-mail address is too long."
        self.sign_ups = min(self.sign_ups + 1, MAX_SIGN_UPS_COUNTED)
        return None
