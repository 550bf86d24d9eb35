"""Lists of networks → whether an address lies in one of them, by halving: a million cost no more than ten."""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import islice
from pathlib import Path

from adserver.errors import Fault, InvalidInput

_MOST_FAULTS = 50
_MAPPED = bytes(10) + b"\xff\xff"
#: Addresses that say nothing of who asks, but of the own machine, network or proxy (RFC 6890, RFC 6598).
_OWN = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 "
    "::/127 fc00::/7 fe80::/10"
)


class Networks:
    """IPv4 and IPv6 networks, each version as ascending ranges that do not overlap."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        every = list(networks)
        v4 = collapse_addresses(one for one in every if isinstance(one, IPv4Network))
        v6 = collapse_addresses(one for one in every if isinstance(one, IPv6Network))
        self._ranges = {4: _ranges([*v4]), 16: _ranges([*v6])}
        self._first_bytes = {
            size: frozenset(
                first
                for start, end in zip(*ranges, strict=True)
                for first in range(start >> 8 * size - 8, (end >> 8 * size - 8) + 1)
            )
            for size, ranges in self._ranges.items()
        }

    def hold(self, address: bytes) -> bool:
        """Whether an address, as `packed` gives it, lies in one of the networks."""
        size = len(address)
        if address[0] not in self._first_bytes[size]:
            return False
        starts, ends = self._ranges[size]
        number = int.from_bytes(address, "big")
        position = bisect_right(starts, number) - 1
        return position >= 0 and number <= ends[position]


def _ranges(ascending: Sequence[IPv4Network | IPv6Network]) -> tuple[list[int], list[int]]:
    starts = [int(one.network_address) for one in ascending]
    return starts, [int(one.broadcast_address) for one in ascending]


OWN = Networks(ip_network(text) for text in _OWN.split())


def packed(address: str) -> bytes | None:
    """An address → its 4 or 16 bytes; None for what is none. IPv4 within IPv6 (RFC 4291, 2.5.5.2) is IPv4."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        wide = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None
    return wide[12:] if wide.startswith(_MAPPED) else wide


def read_networks(path: Path, key: str, most: int) -> Networks:
    """A file with one CIDR on each line; empty lines and what follows a `#` are skipped.

    `key` names the setting in faults. Raises InvalidInput with each faulty line (the first 50 of them), and
    for more than `most` lines.
    """
    faults: list[Fault] = []
    networks = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(islice(lines, most + 1), start=1):
                text = line.partition("#")[0].strip()
                if number > most:
                    faults.append(Fault(str(path), key, f"has more than {most:,} lines"))
                elif text:
                    try:
                        networks.append(ip_network(text))
                    except ValueError as error:
                        faults.append(Fault(str(path), f"line {number}", f"is not a network: {error}"))
                if len(faults) == _MOST_FAULTS:
                    break
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput.one(str(path), key, f"cannot be read: {error}") from None
    if faults:
        raise InvalidInput(faults)
    return Networks(networks)
