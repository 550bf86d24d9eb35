"""A principal and a catalog → the part that is theirs to see, and whether a change is theirs to make.

The one place where ownership is decided. Whoever shows or changes anything asks here first: what is not in
`visible` does not exist for them (404), and what `forbidden` names is refused (403).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adserver.accounts.model import EVERY_SITE, Principal, Role
from adserver.catalog.model import Catalog
from adserver.catalog.plan import Change, Entry, Path
from adserver.catalog.targeting import Target
from adserver.errors import Fault


@dataclass(frozen=True, slots=True)
class ReportScope:
    """Whose numbers somebody may read. None: all of them."""

    sites: frozenset[str] | None
    advertisers: frozenset[str] | None

    def holds_site(self, name: str) -> bool:
        """Whether a site's numbers are among them."""
        return self.sites is None or name in self.sites

    def holds_advertiser(self, name: str) -> bool:
        """Whether an advertiser's numbers are among them, on the sites that are."""
        return self.advertisers is None or name in self.advertisers


def report_scope(principal: Principal) -> ReportScope:
    """What a principal may read reports of; an advertiser's own numbers are of any site."""
    if principal.everywhere or EVERY_SITE in principal.sites:
        return ReportScope(None, None)
    if principal.role is Role.ADVERTISER:
        return ReportScope(None, principal.advertisers)
    return ReportScope(principal.sites, None)


def reads_pages(principal: Principal, site: str) -> bool:
    """Whether page requests of a site are theirs to look at: with its reports, and never an advertiser's."""
    return principal.role is not Role.ADVERTISER and report_scope(principal).holds_site(site)


def told_on(principal: Principal, catalog: Catalog, site: str) -> frozenset[str] | None:
    """The line items, by name, that somebody may be told of on a page of a site; None: all.

    They are those that are sold there, whose revenue the reports of the site tell, and those theirs to see.
    """
    if not reads_pages(principal, site):
        return frozenset()
    if principal.everywhere:
        return None
    seen = {advertiser.name for advertiser in visible(principal, catalog).advertiser}
    return frozenset(
        item.name
        for advertiser, _, item in catalog.line_items()
        if advertiser.name in seen or _sold_on(item.target, site)
    )


def visible(principal: Principal, catalog: Catalog) -> Catalog:
    """The catalog without what is not theirs to see."""
    if principal.everywhere:
        return catalog
    sites = tuple(site for site in catalog.site if _sees_site(principal, site.name))
    advertisers = tuple(one for one in catalog.advertiser if _sees_advertiser(principal, one.name, one.sites))
    return catalog.model_copy(update={"site": sites, "advertiser": advertisers})


def visible_entries(principal: Principal, entries: Mapping[Path, Entry]) -> Mapping[Path, Entry]:
    """`visible` of a catalog that is taken apart."""
    if principal.everywhere:
        return entries
    seen: dict[Path, Entry] = {}
    # Parents come before their children, and what is in something unseen is unseen.
    for path, entry in sorted(entries.items(), key=lambda pair: _depth(entries, pair[0])):
        if entry.parent is not None:
            sees = entry.parent in seen
        elif path[0] == "site":
            sees = _sees_site(principal, path[1])
        else:
            sees = _sees_advertiser(principal, path[1], entry.body.get("sites", ()))
        if sees:
            seen[path] = entry
    return seen


def forbidden(
    principal: Principal, changes: Iterable[Change], old: Mapping[Path, Entry], new: Mapping[Path, Entry]
) -> list[Fault]:
    """Of changes from one state of the catalog to another, those that are not theirs to make.

    `old` and `new` are all objects before and after, as `flatten` gives them.
    """
    if principal.everywhere:
        return []
    return [
        Fault("", "/".join(change.path[1:]), "is not yours to change")
        for change in changes
        if principal.role is not Role.AD_OPS or not _may_change(principal, change, old, new)
    ]


def _sees_site(principal: Principal, name: str) -> bool:
    return principal.role is not Role.ADVERTISER and name in principal.sites


def _sees_advertiser(principal: Principal, name: str, sites: Iterable[str]) -> bool:
    if principal.role is Role.ADVERTISER:
        return name in principal.advertisers
    return principal.role is Role.AD_OPS and _within(principal, sites)


def _within(principal: Principal, sites: Iterable[str]) -> bool:
    """Whether something is sold on the principal's sites only; what names no site is sold on all."""
    named = frozenset(sites)
    return bool(named) and named <= principal.sites


def _may_change(
    principal: Principal, change: Change, old: Mapping[Path, Entry], new: Mapping[Path, Entry]
) -> bool:
    kind, site = change.path[0], change.path[1]
    if kind in ("site", "slot"):
        # To found or to close a site is the administrator's.
        return site in principal.sites and (kind == "slot" or change.action in ("change", "move"))
    roots = [_root(change.path, state) for state in (old, new) if change.path in state]
    return all(_within(principal, root.body.get("sites", ())) for root in roots)


def _sold_on(target: Target, site: str) -> bool:
    """Whether a line item's target leaves a site in."""
    excluded = target.exclude.site if target.exclude else None
    return (target.site is None or site in target.site) and site not in (excluded or ())


def _depth(entries: Mapping[Path, Entry], path: Path) -> int:
    parent = entries[path].parent
    return 0 if parent is None else 1 + _depth(entries, parent)


def _root(path: Path, state: Mapping[Path, Entry]) -> Entry:
    """The advertiser that an object belongs to."""
    entry = state[path]
    while entry.parent is not None:
        entry = state[entry.parent]
    return entry
