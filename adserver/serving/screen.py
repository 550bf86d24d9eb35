"""A request → whether it is invalid traffic, and why, from its method, headers and address.

Whatever is found, the request is answered as any other: pages are filled and clicks arrive.
"""

from __future__ import annotations

from adserver.measurement.event import Validity
from adserver.measurement.invalid import Facts, judge
from adserver.serving.bursts import Bursts
from adserver.serving.networks import OWN, Networks, packed, read_networks
from adserver.serving.visitor import Visitor
from adserver.settings import Settings


class Screen:
    """The rules of `measurement.invalid`, with the operator's list of data centres and own counts."""

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidInput when the list of data centres cannot be read."""
        self._datacentres: Networks | None = None
        if settings.datacentre_file:
            self._datacentres = read_networks(
                settings.datacentre_file, "ADSERVER_DATACENTRE_FILE", settings.max_datacentre_lines
            )
        self._events, self._clicks = (
            Bursts(
                window_ms=settings.burst_window_seconds * 1000,
                most=most,
                max_addresses=settings.max_burst_addresses,
            )
            for most in (settings.max_events_per_burst, settings.max_clicks_per_burst)
        )

    @property
    def unjudged_count(self) -> int:
        """Requests that were not looked at for bursts, because too many addresses were counted."""
        return self._events.unjudged_count + self._clicks.unjudged_count

    def page(self, visitor: Visitor) -> Validity:
        """Why a page request is not to be learned from.

        That a page is prefetched is no reason: it is often shown later, and its fills count then.
        """
        bot, address = visitor.agent.bot, visitor.address
        datacentre = False
        if self._datacentres is not None and address:
            number = packed(address)
            datacentre = number is not None and self._datacentres.hold(number)
        if not (bot or datacentre) and visitor.told:
            return Validity.VALID
        return judge(Facts(no_user_agent=not visitor.told, bot=bot, datacentre=datacentre))

    def events(self, visitor: Visitor, now_ms: int, count: int) -> Validity:
        """Why the events of a beacon do not count."""
        return self._judge(visitor, self._events, now_ms, count, head=False)

    def click(self, visitor: Visitor, now_ms: int, *, head: bool, scanner: bool = False) -> Validity:
        """Why a click does not count. `head`: it came with that method; `scanner`: from a filter of mails."""
        return self._judge(visitor, self._clicks, now_ms, 1, head=head, scanner=scanner)

    def _judge(
        self,
        visitor: Visitor,
        bursts: Bursts,
        now_ms: int,
        count: int,
        *,
        head: bool,
        scanner: bool = False,
    ) -> Validity:
        datacentre = burst = False
        number = packed(visitor.address) if visitor.address else None
        if number is not None:
            datacentre = self._datacentres is not None and self._datacentres.hold(number)
            # All readers behind a proxy that is not trusted share its address: it says nothing of them.
            burst = not OWN.hold(number) and bursts.count(number, now_ms, count)
        agent = visitor.agent
        if visitor.told and not (head or scanner or visitor.prefetch or agent.bot or datacentre or burst):
            return Validity.VALID
        return judge(
            Facts(
                head=head,
                prefetch=visitor.prefetch,
                no_user_agent=not visitor.told,
                bot=agent.bot,
                datacentre=datacentre,
                burst=burst,
                scanner=scanner,
            )
        )
