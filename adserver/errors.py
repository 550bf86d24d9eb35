"""An operator's faults → one error that lists all of them, so that a file is mended in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in something an operator gave us: where (file), at which key, and what is wrong."""

    file: str
    key: str
    problem: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.problem) if part)


class AdserverError(Exception):
    """Base of the errors that a command shows as clear lines and exit status 2."""


class InvalidInput(AdserverError):
    """Everything that is wrong with a file or request at once; nothing of it was applied."""

    def __init__(self, faults: list[Fault]) -> None:
        assert faults, "InvalidInput without a fault would refuse input and not say why"
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))

    @classmethod
    def one(cls, file: str, key: str, problem: str) -> Self:
        """The error for a single fault."""
        return cls([Fault(file, key, problem)])


class NotThere(InvalidInput):
    """Something that is named is not there, or not the asker's to see: which of the two is not told."""


class StorageFailed(AdserverError):
    """An engine could not read or write; nothing of what was asked for was stored."""


class Overloaded(AdserverError):
    """A bounded buffer is full; what could not be taken is shed and counted."""
