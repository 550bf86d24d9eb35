"""What each role sees and may change, for random catalogs, against plain words of the same rules."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.accounts.model import EVERY_SITE, Principal, Role
from adserver.accounts.ownership import forbidden, report_scope, told_on, visible, visible_entries
from adserver.catalog.model import Catalog
from adserver.catalog.plan import Entry, Path, diff_entries, flatten

SITES = ("daily", "weekly", "sport")


def somebody(role: Role, *sites: str, advertisers: tuple[str, ...] = ()) -> Principal:
    return Principal(1, "a@b.example", "A", role, frozenset(sites), frozenset(advertisers))


def catalog_of(sold: Mapping[str, list[str]]) -> Catalog:
    """Three sites, and an advertiser with one line item for each of `sold`: its sites, none for all."""
    sites = [
        {
            "name": name,
            "domain": f"{name}.example",
            "timezone": "Asia/Kathmandu",
            "currency": "USD",
            "slot": [{"name": "top", "sizes": ["300x250"]}],
        }
        for name in SITES
    ]
    advertisers = [
        {
            "name": name,
            "sites": on,
            "campaign": [
                {
                    "name": "c",
                    "line_item": [
                        {"name": f"{name}-item", "tier": "house", "target": {"site": on} if on else {}}
                    ],
                }
            ],
        }
        for name, on in sold.items()
    ]
    return Catalog.model_validate({"site": sites, "advertiser": advertisers})


SOLD = {"bank": ["daily"], "telecom": ["daily", "weekly"], "airline": [], "brewer": ["sport"]}
CATALOG = catalog_of(SOLD)


def names(catalog: Catalog) -> tuple[list[str], list[str]]:
    return [site.name for site in catalog.site], [one.name for one in catalog.advertiser]


def test_each_role_sees_what_is_theirs() -> None:
    everything = (list(SITES), list(SOLD))
    assert names(visible(somebody(Role.ADMIN), CATALOG)) == everything
    assert names(visible(somebody(Role.AD_OPS, EVERY_SITE), CATALOG)) == everything
    assert names(visible(somebody(Role.AD_OPS, "daily"), CATALOG)) == (["daily"], ["bank"])
    assert names(visible(somebody(Role.AD_OPS, "daily", "weekly"), CATALOG)) == (
        ["daily", "weekly"],
        ["bank", "telecom"],
    )
    assert names(visible(somebody(Role.PUBLISHER, "daily"), CATALOG)) == (["daily"], [])
    assert names(visible(somebody(Role.ADVERTISER, advertisers=("bank",)), CATALOG)) == ([], ["bank"])


def test_reports_are_cut_to_sites_or_advertisers() -> None:
    assert report_scope(somebody(Role.ADMIN)).holds_site("sport")
    publisher = report_scope(somebody(Role.PUBLISHER, "daily"))
    assert (publisher.holds_site("daily"), publisher.holds_site("sport")) == (True, False)
    assert report_scope(somebody(Role.ADVERTISER, advertisers=("bank",))).advertisers == frozenset({"bank"})


def test_of_a_page_somebody_is_told_of_what_is_sold_there_or_is_theirs() -> None:
    def told(principal: Principal, site: str) -> list[str] | None:
        found = told_on(principal, CATALOG, site)
        return None if found is None else sorted(name.removesuffix("-item") for name in found)

    assert told(somebody(Role.ADMIN), "daily") is None
    assert told(somebody(Role.AD_OPS, EVERY_SITE), "sport") is None
    assert told(somebody(Role.AD_OPS, "daily"), "daily") == ["airline", "bank", "telecom"]
    assert told(somebody(Role.AD_OPS, "daily", "sport"), "daily") == ["airline", "bank", "brewer", "telecom"]
    assert told(somebody(Role.PUBLISHER, "sport"), "sport") == ["airline", "brewer"]
    assert told(somebody(Role.PUBLISHER, "sport"), "daily") == []
    assert told(somebody(Role.ADVERTISER, advertisers=("bank",)), "daily") == []
    but_sport = CATALOG.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    but_sport["advertiser"][2]["campaign"][0]["line_item"][0]["target"] = {"not": {"site": ["sport"]}}
    somewhere = Catalog.model_validate(but_sport)
    assert told_on(somebody(Role.PUBLISHER, "sport"), somewhere, "sport") == frozenset({"brewer-item"})


def refused(principal: Principal, old: Catalog, new: Catalog) -> list[str]:
    before, after = flatten(old), flatten(new)
    return [fault.key for fault in forbidden(principal, diff_entries(before, after), before, after)]


def test_ad_ops_of_a_site_cannot_found_or_close_one_nor_take_an_advertiser_elsewhere() -> None:
    daily = somebody(Role.AD_OPS, "daily")
    fewer = CATALOG.model_copy(update={"site": CATALOG.site[1:]})
    assert refused(daily, CATALOG, fewer) == ["daily"]
    assert refused(daily, fewer, CATALOG) == ["daily"]
    assert refused(daily, CATALOG, catalog_of(SOLD | {"bank": ["daily", "weekly"]})) == ["bank", "bank-item"]
    assert refused(daily, CATALOG, catalog_of(SOLD | {"bank": []})) == ["bank", "bank-item"]
    assert refused(daily, CATALOG, catalog_of(SOLD | {"grocer": ["daily"]})) == []
    assert refused(daily, CATALOG, catalog_of(SOLD | {"grocer": []})) == ["grocer", "grocer/c", "grocer-item"]


def owners(path: Path, *states: Mapping[Path, Entry]) -> set[tuple[str, ...]]:
    """The sites of the advertiser above an object, in each state that has it; for sites their own name."""
    if path[0] in ("site", "slot"):
        return {(path[1],)}
    found = set()
    for state in states:
        inner: Path | None = path if path in state else None
        while inner is not None:
            if inner[0] == "advertiser":
                found.add(tuple(state[inner].body.get("sites", ())))
            inner = state[inner].parent
    return found


sold = st.dictionaries(
    st.sampled_from(["bank", "telecom", "airline", "brewer"]),
    st.lists(st.sampled_from(SITES), unique=True),
    max_size=4,
)


@settings(deadline=None)
@given(before=sold, after=sold, own=st.sets(st.sampled_from(SITES)), role=st.sampled_from(list(Role)))
def test_no_change_touches_what_is_not_theirs(
    before: dict[str, list[str]], after: dict[str, list[str]], own: set[str], role: Role
) -> None:
    principal = somebody(role, *own)
    old, new = flatten(catalog_of(before)), flatten(catalog_of(after))
    changes = diff_entries(old, new)
    keys = {fault.key for fault in forbidden(principal, changes, old, new)}
    for change in changes:
        theirs = all(sites and set(sites) <= own for sites in owners(change.path, old, new))
        allowed = role is Role.ADMIN or (role is Role.AD_OPS and theirs)
        assert ("/".join(change.path[1:]) not in keys) == allowed, change


@settings(deadline=None)
@given(sold=sold, own=st.sets(st.sampled_from(SITES), min_size=1))
def test_whoever_may_change_something_sees_it(sold: dict[str, list[str]], own: set[str]) -> None:
    principal, catalog = somebody(Role.AD_OPS, *own), catalog_of(sold)
    seen = set(flatten(visible(principal, catalog)))
    everything, nothing = flatten(catalog), dict[Path, Entry]()
    changes = [change for change in diff_entries(everything, nothing) if change.path[0] != "site"]
    keys = {fault.key for fault in forbidden(principal, changes, everything, nothing)}
    for change in changes:
        assert ("/".join(change.path[1:]) in keys) == (change.path not in seen)


@settings(deadline=None)
@given(sold=sold, own=st.sets(st.sampled_from(SITES)), role=st.sampled_from(list(Role)))
def test_the_same_is_seen_of_a_catalog_and_of_its_objects(
    sold: dict[str, list[str]], own: set[str], role: Role
) -> None:
    advertisers = tuple(sold)[:1]
    principal, catalog = somebody(role, *own, advertisers=advertisers), catalog_of(sold)
    objects = visible_entries(principal, flatten(catalog))
    assert set(objects) == set(flatten(visible(principal, catalog)))
