"""Catalog files: what a person writes, what comes of it, and the way back."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog import file as catalog_file
from adserver.catalog.file import dump, load, parse
from adserver.catalog.model import Catalog, LineItem, Tier
from adserver.errors import Fault, InvalidInput
from tests.strategies import catalogs, tables

HERE = Path(__file__).parent
SITE = """
[[site]]
name = "{name}"
domain = "{name}.example"
timezone = "{zone}"
currency = "EUR"
"""
ITEM = """
[[advertiser]]
name = "a"
[[advertiser.campaign]]
name = "c"
[[advertiser.campaign.line_item]]
name = "l"
tier = "house"
"""


def refused(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        parse(text, "f")
    return [str(fault) for fault in caught.value.faults]


def only_item(catalog: Catalog) -> LineItem:
    ((_, _, item),) = catalog.line_items()
    return item


def sites(**zones: str) -> str:
    return "".join(SITE.format(name=name, zone=zone) for name, zone in zones.items())


def test_the_sample_of_the_design() -> None:
    catalog = load(HERE / "sample.toml")
    item = only_item(catalog)
    assert item.tier is Tier.GUARANTEED
    assert item.start == datetime(2026, 10, 31, 18, 15, tzinfo=UTC), "midnight in Kathmandu"
    assert item.price is not None
    assert item.price.per_event_micros == 4_500
    assert item.target.exclude is not None
    assert item.target.exclude.topic == ("crime",)
    assert [cap.per for cap in item.caps] == ["1d", "7d"]
    assert parse(dump(catalog), "f") == catalog


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(catalogs(groups=True, pages=True))
def test_what_is_written_reads_as_the_same_catalog(catalog: Catalog) -> None:
    text = dump(catalog)
    assert parse(text, "f") == catalog
    assert dump(parse(text, "f")) == text


def test_writing_is_laid_out_for_people() -> None:
    assert dump(load(HERE / "sample.toml")) == (HERE / "sample.dumped.toml").read_text(encoding="utf-8")


def test_an_empty_file_is_an_empty_catalog() -> None:
    assert parse("", "f") == Catalog()
    assert parse(dump(Catalog()), "f") == Catalog()


def test_times_are_those_of_the_targeted_sites() -> None:
    text = sites(daily="Asia/Kathmandu", weekly="Europe/Berlin") + ITEM
    item = only_item(parse(text + 'target = {site = "weekly"}\nstart = 2026-07-01T12:00:00', "f"))
    assert item.start == datetime(2026, 7, 1, 10, tzinfo=UTC)
    item = only_item(parse(text + "start = 2026-07-01T12:00:00-03:00", "f"))
    assert item.start == datetime(2026, 7, 1, 15, tzinfo=UTC)


def test_sites_of_one_zone_need_no_offset() -> None:
    text = sites(daily="Asia/Kathmandu", weekly="Asia/Kathmandu") + ITEM + "start = 2026-07-01T05:45:00"
    assert only_item(parse(text, "f")).start == datetime(2026, 7, 1, tzinfo=UTC)


def test_a_repeated_hour_is_its_first_pass_and_the_second_is_written_with_an_offset() -> None:
    text = sites(weekly="Europe/Berlin") + ITEM
    first = parse(text + "start = 2026-10-25T02:30:00", "f")
    assert only_item(first).start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert "start = 2026-10-25T02:30:00\n" in dump(first)
    second = parse(text + "start = 2026-10-25T02:30:00+01:00", "f")
    assert only_item(second).start == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert "start = 2026-10-25T01:30:00+00:00\n" in dump(second)


@pytest.mark.parametrize("html", ["<b>\n  x\n</b>\n", 'a\r\n"""b\\', "\t\x00\x7f\x85\u2028", "\n", '"'])
def test_texts_come_back_exactly(html: str) -> None:
    creative = {"name": "x", "kind": "html", "size": "1x1", "html": html}
    item = {"name": "l", "tier": "house", "creative": [creative]}
    catalog = Catalog.model_validate(
        {"advertiser": [{"name": "a", "campaign": [{"name": "c", "line_item": [item]}]}]}
    )
    assert parse(dump(catalog), "f") == catalog
    if "\r" not in html and "\x00" not in html:
        assert html in dump(catalog), "it stays readable"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + sites(daily="UTC").replace("\n", "\r\n").encode())
    assert load(path).site[0].name == "daily"


def refused_file(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        load(path)
    (fault,) = caught.value.faults
    assert fault.file == str(path)
    return str(fault).removeprefix(f"{path}: ")


def test_what_is_no_catalog_file_is_one_clear_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused_file(tmp_path / "absent.toml") == "there is no such file"
    assert refused_file(tmp_path) == "is a directory, not a catalog file"
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# fine\n# caf\xe9\n")
    assert refused_file(latin) == "line 2: is not UTF-8 text"
    huge = tmp_path / "huge.toml"
    with huge.open("wb") as stream:
        stream.truncate(catalog_file.MAX_BYTES + 1)
    assert refused_file(huge) == "is larger than 200 MB"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\ny = = 2\n", "f: line 2: is not TOML: invalid value"),
        ("a = [\n1,\n", "f: line 3: is not TOML: invalid value"),
        ("[[site]]\n[site]\n", "f: line 2: is not TOML: cannot declare site twice"),
        ("[a.b]\n[a.b]\n", "f: line 2: is not TOML: cannot declare a.b twice"),
        ("a = " + "[" * 5000, "f: is nested too deeply"),
        ("a = " + "9" * 5000, "f: has a number with too many digits"),
        ("a = 2026-02-30", "f: line 1: is not TOML: invalid date or datetime"),
    ],
)
def test_what_is_not_toml_says_where(text: str, fault: str) -> None:
    assert refused(text) == [fault]


def test_deep_tables_of_unknown_keys_are_one_fault() -> None:
    assert refused(".".join(["a"] * 5000) + " = 1") == ["f: a: unknown key"]


def test_a_key_cannot_forge_lines() -> None:
    assert refused('"a\\nwarning: b" = 1') == ['f: "a\\nwarning: b": unknown key']


EDGES = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
ODD = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from([*EDGES, *(edge.replace(tzinfo=None) for edge in EDGES), date.min, time.min]),
    st.just([]),
    st.just({}),
    st.just([[{}]]),
    st.lists(st.fixed_dictionaries({"name": st.integers()}), max_size=2),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index into it."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in steps for found in [(value, key), *places(inner)]]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tables(groups=True, pages=True), st.lists(st.tuples(st.integers(0, 10**6), ODD), min_size=1, max_size=4)
)
def test_odd_values_anywhere_are_faults_and_never_crash(
    whole: dict[str, Any], odd: list[tuple[int, Any]]
) -> None:
    for number, value in odd:
        found = places(whole)
        container, key = found[number % len(found)]
        container[key] = deepcopy(value)
    faults: list[Fault] = []
    try:
        parse(tomli_w.dumps(whole), "f")
    except InvalidInput as error:
        faults = error.faults
    assert all("\n" not in str(fault) for fault in faults)
    assert len(set(faults)) == len(faults)
