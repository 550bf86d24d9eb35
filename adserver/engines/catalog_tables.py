"""The tables of the catalog → one version of it, as it is read from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from adserver.catalog.model import Catalog
from adserver.catalog.plan import Path

METADATA = sa.MetaData()
VERSION = sa.Table(
    "catalog_version",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
IDENTITY = sa.Table(
    "catalog_identity",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)
OBJECT = sa.Table(
    "catalog_object",
    METADATA,
    sa.Column("id", sa.Integer, sa.ForeignKey("catalog_identity.id"), primary_key=True),
    sa.Column("from_version", sa.Integer, sa.ForeignKey("catalog_version.version"), primary_key=True),
    sa.Column("to_version", sa.Integer, sa.ForeignKey("catalog_version.version")),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("parent", sa.Integer, sa.ForeignKey("catalog_identity.id")),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("catalog_object_current", "to_version"),
)


# Whoever shows an object of it in a message would show all of the catalog.
@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """One version of the catalog, with what is known of objects that are no longer in it (archived).

    Objects are known from the version that added them on; ids are never used twice.
    """

    #: 0 when nothing has been applied yet.
    version: int
    catalog: Catalog
    #: Every object ever known, archived ones included.
    ids: Mapping[Path, int]
    #: Creative id → its last click URL, archived creatives included; creatives without one are left out.
    clicks: Mapping[int, str]
    #: Archived objects and their last body, so that reports still know a site's currency and time zone.
    archived: Mapping[Path, Mapping[str, Any]]
    #: Line item id → the path of its campaign, `("campaign", advertiser, name)`, also of archived ones.
    campaigns: Mapping[int, Path]
    #: Creative id → the path of its line item, `("line_item", name)`, also of archived ones.
    line_items: Mapping[int, Path] = field(default_factory=dict)
    #: Object → the version that gave it its present form; what an editor has seen is known by it.
    versions: Mapping[Path, int] = field(default_factory=dict)
