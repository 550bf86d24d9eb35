"""A link → the creatives that its holder may look at and answer for, without an account.

Whoever has the link speaks for the advertiser: what they approve may serve from then on. They see creatives
and say yes, or what should be different; nothing else of the catalog is theirs by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from adserver.accounts import credentials
from adserver.accounts.model import Principal, Role
from adserver.catalog.plan import Path
from adserver.clock import Clock, from_ms, to_ms
from adserver.editing.editor import Editor, Forbidden
from adserver.editing.edits import Conflict, Edit
from adserver.editing.objects import Objects, Seen
from adserver.engines.proof_store import AnswerRow, ProofRow, ProofStore
from adserver.errors import Fault, InvalidInput, NotThere
from adserver.settings import Settings

MOST_COMMENT_CHARS, MOST_NAME_CHARS = 2_000, 100
_KINDS = ("line_item", "campaign")
#: Sees the creatives on behalf of whoever has a link; what of it they are shown is decided here.
_READER = Principal(0, "", "proofs", Role.ADMIN)


class Verdict(StrEnum):
    """What somebody says of a creative."""

    APPROVED = "approved"
    CHANGES = "changes"
    """Something should be different, as the comment says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    creative: str
    verdict: Verdict
    comment: str
    name: str
    at: datetime
    outdated: bool
    """Whether the creative was changed since, but for being approved."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A link that holds, and what it opens: creatives with their bodies and versions, and all answers."""

    id: int
    path: Path
    expires_at: datetime
    creatives: Sequence[tuple[str, Mapping[str, Any], int]]
    answers: Mapping[str, Sequence[Answer]]
    """Creative → what was said of it, the newest first."""


class Proofs:
    """Makes, opens and ends links."""

    def __init__(
        self, store: ProofStore, editor: Editor, objects: Objects, clock: Clock, settings: Settings
    ) -> None:
        self.store = store
        self._editor = editor
        self._objects = objects
        self._clock = clock
        self._settings = settings

    async def make(self, principal: Principal, path: Path, days: int) -> tuple[int, str]:
        """A new link to the creatives of a line item or campaign → its number, and its token.

        Raises InvalidInput, and Forbidden where they are not theirs to change.
        """
        seen = await self._objects.seen_by(principal)
        faults = []
        if path[0] not in _KINDS or path not in seen.entries:
            raise NotThere.one("", "name", "is no line item or campaign")
        if not 1 <= days <= self._settings.max_proof_days:
            faults.append(Fault("", "days", f"is not a number from 1 to {self._settings.max_proof_days}"))
        if faults:
            raise InvalidInput(faults)
        may_change(principal, path)
        token, now = credentials.new_token(), self._clock()
        expires_at_ms = to_ms(now + timedelta(days=days))
        author = principal.email or principal.name
        row = ProofRow(0, credentials.digest_of(token), "/".join(path), author, to_ms(now), expires_at_ms)
        return await self.store.add(row), token

    async def open(self, token: str) -> Proof | None:
        """What a link opens; None: it is over, revoked, or none."""
        row = await self.store.by_digest(credentials.digest_of(token), to_ms(self._clock()))
        if row is None:
            return None
        seen, path = await self._objects.seen_by(_READER), tuple(row.path.split("/"))
        creatives = [
            (name, seen.entries["creative", name].body, seen.versions["creative", name])
            for name in creatives_in(seen, path)
        ]
        return Proof(
            row.id, path, from_ms(row.expires_at_ms), creatives, await self.answers([c[0] for c in creatives])
        )

    async def answer(
        self, token: str, creative: str, verdict: str, *, version: int | None, comment: str, name: str
    ) -> Proof | None:
        """Say yes to a creative, or what should be different; None: the link does not hold, or has no such.

        Raises InvalidInput; Conflict where the creative is another by now.
        """
        proof = await self.open(token)
        own = {one: version_now for one, _, version_now in proof.creatives} if proof else {}
        if proof is None or creative not in own:
            return None
        _check(verdict, comment, name)
        path: Path = ("creative", creative)
        if version != own[creative]:
            raise Conflict({path: own[creative]})
        said = Verdict(verdict)
        if said is Verdict.APPROVED:
            author = Principal(0, "", f"{name} (proof {proof.id})", Role.ADMIN)
            edit = Edit("change", path, {"approved": True}, version=version)
            edited = await self._editor.edit(author, [edit], note=comment[:1000])
            version = edited.version if edited.changes else version
        row = AnswerRow(0, proof.id, creative, version, said, comment, name, to_ms(self._clock()))
        if not await self.store.answer(row, self._settings.max_proof_answers):
            raise InvalidInput.one("", "comment", "cannot be taken: too much was said by this link already")
        return proof

    async def answers(self, creatives: Sequence[str]) -> dict[str, list[Answer]]:
        """What was said of some creatives."""
        seen = await self._objects.seen_by(_READER)
        found: dict[str, list[Answer]] = {}
        for row in await self.store.answers(creatives, self._settings.max_proof_answers):
            now = seen.versions.get(("creative", row.creative))
            answer = Answer(
                row.creative,
                Verdict(row.verdict),
                row.comment,
                row.name,
                from_ms(row.at_ms),
                now is None or now > row.version,
            )
            found.setdefault(row.creative, []).append(answer)
        return found

    async def links(self, path: Path) -> list[ProofRow]:
        """The links to a line item or campaign that hold."""
        return await self.store.of(["/".join(path)], to_ms(self._clock()))

    async def revoke(self, principal: Principal, proof_id: int) -> bool:
        """End a link at once; False where there is none that is theirs to end. Raises Forbidden."""
        row = await self.store.one(proof_id)
        seen = await self._objects.seen_by(principal)
        if row is None or tuple(row.path.split("/")) not in seen.entries:
            return False
        may_change(principal, tuple(row.path.split("/")))
        await self.store.revoke(proof_id, to_ms(self._clock()))
        return True


def may_change(principal: Principal, path: Path) -> None:
    """Raises Forbidden for those who see line items and change none."""
    if not principal.edits:
        raise Forbidden([Fault("", "/".join(path[1:]), "is not yours to change")])


def creatives_in(seen: Seen, path: Path) -> list[str]:
    """The creatives of a line item, or of all line items of a campaign, in their order."""
    if path[0] not in _KINDS:
        return []
    items = [path] if path[0] == "line_item" else list(seen.inside(path))
    return [creative[1] for item in items for creative in seen.inside(item)]


def _check(verdict: str, comment: str, name: str) -> None:
    faults = []
    if verdict not in set(Verdict):
        faults.append(Fault("", "verdict", f"is not one of {', '.join(Verdict)}"))
    if not 1 <= len(name) <= MOST_NAME_CHARS or not name.isprintable():
        faults.append(Fault("", "name", "is missing: say who you are, in a line"))
    if len(comment) > MOST_COMMENT_CHARS:
        faults.append(Fault("", "comment", f"is longer than {MOST_COMMENT_CHARS} characters"))
    if verdict == Verdict.CHANGES and not comment:
        faults.append(Fault("", "comment", "is missing: say what should be different"))
    if faults:
        raise InvalidInput(faults)
