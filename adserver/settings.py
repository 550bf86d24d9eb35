"""Environment and command line → one immutable set of settings: every bound of the server, with its unit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adserver.errors import Fault, InvalidInput

#: Four weeks, and two days for where on earth a day ends.
_LEAST_QUARTERS_DAYS = 30
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
#: What secret addresses of other servers look like, and an example of each.
_SERVERS = {
    "catalog_url": (
        re.compile(r"postgresql\+asyncpg://[^\s]+"),
        "postgresql+asyncpg://user:password@host/name",
    ),
    "smtp_url": (
        re.compile(r"smtps?://([^/\s@]+@)?[^/\s@:]+(:[0-9]{1,5})?"),
        "smtp://user:password@mail.example:587 or smtps://…",
    ),
    "alert_webhook": (re.compile(r"https?://[^/\s]+(/\S*)?"), "https://chat.example/hooks/…"),
}
Positive = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """Every field can be set as `ADSERVER_…` in the environment."""

    model_config = SettingsConfigDict(env_prefix="ADSERVER_", frozen=True, extra="ignore")

    db: Path = Path("adserver.db")
    #: PostgreSQL database of catalog and accounts, postgresql+asyncpg://user:password@host/name; not given:
    #: they are in `db`, as all else is.
    catalog_url: SecretStr | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=64)] = 1

    #: Longest request body, in bytes.
    max_body_bytes: Positive = 65_536
    max_slots_per_page: Positive = 20
    max_events_per_beacon: Positive = 100
    #: Most topics, and most key-values, of one page request that are looked at.
    max_facts_per_page: Positive = 50
    #: Most sections that reports tell apart; further ones count as `other`.
    max_sections: Positive = 200
    #: Most events that may wait for their commit; further ones are refused with 503 and counted.
    max_events_waiting: Positive = 100_000
    #: Distinct (page facts, slot) for which candidates are remembered, per catalog version.
    max_candidate_memo: Positive = 20_000
    #: A fill's impression and viewable count when reported within this time of the fill, in seconds.
    impression_window_seconds: Positive = 6 * 3600
    #: A fill's click counts within this time of the fill, in seconds.
    click_window_seconds: Positive = 30 * 86_400
    #: An order counts within this time of its fill's click, unless its campaign says otherwise, in seconds.
    click_lookback_seconds: Positive = 30 * 86_400
    #: The same, of its fill's impression; 0: only clicks lead to orders.
    view_lookback_seconds: Annotated[int, Field(ge=0)] = 0
    #: Longest order id that an advertiser may report, in characters.
    max_order_chars: Positive = 100
    #: How long a clock may run ahead: tokens from further in the future are refused, in seconds.
    clock_skew_seconds: Positive = 300
    #: How often a worker looks for a new catalog version, in seconds.
    catalog_poll_seconds: Annotated[float, Field(gt=0, le=60)] = 0.25
    #: Counts of requests wait in memory at most this long, in seconds.
    request_flush_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    #: Longest period of one report, in days.
    max_report_days: Positive = 800
    #: Lines of the file by which operators mark traffic by hand.
    max_marks: Positive = 1_000
    #: Values, such as countries, that have a line of their own in a breakdown; the rest is `other`.
    max_breakdown_values: Positive = 25
    #: The longest that a link to an advertiser's report may be good, in days.
    max_share_days: Positive = 366
    #: Line items listed for each slot of a page that is explained, and the most that one may ask for.
    explained_items: Positive = 200
    max_explained_items: Positive = 5_000
    #: Pages that may wait to be explained, one after the other; further ones are refused with 503.
    max_explanations_waiting: Positive = 8
    #: Browsers keep tag.js this long without asking again, in seconds.
    tag_cache_seconds: Positive = 3600
    #: Expected clicks per impression where nothing is learned yet; ranks cpc against cpm.
    expected_ctr: Annotated[float, Field(gt=0, le=1)] = 0.001
    #: Expected conversions per impression where nothing is learned yet; ranks cpa against cpm.
    expected_conversion_rate: Annotated[float, Field(gt=0, le=1)] = 0.00005
    #: Expected viewable impressions per measurable one where nothing is learned yet.
    expected_viewability: Annotated[float, Field(gt=0, le=1)] = 0.7
    #: How often bids are renewed from what was served, in seconds.
    tick_seconds: Annotated[float, Field(gt=0, le=600)] = 60.0
    #: With several workers: how often each asks for its part of goals and budgets, in seconds.
    lease_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    #: With several workers: one that cannot ask for so long serves no more of what it holds, in seconds.
    lease_trust_seconds: Positive = 60
    #: A fill that was not drawn for this long no longer counts against its goal or budget, in seconds.
    reservation_seconds: Positive = 600
    #: A bid in an auction elsewhere stands for this long, in seconds; when bids are next renewed after that
    #: minute, it no longer counts against a goal or budget.
    bid_seconds: Positive = 60
    #: Longest request for a bid, in bytes.
    max_auction_bytes: Positive = 262_144
    #: Page requests that are remembered as a sample of the week; nothing in them tells who made them.
    max_page_samples: Positive = 2_000
    #: A forecast decides no more pages; beyond that, each stands for several alike.
    max_forecast_pages: Positive = 300_000
    #: Sampled page requests of one day that are decided again to find why a line item did not serve.
    max_replayed_pages: Positive = 300
    #: How often, in seconds, sampled page requests are looked at to keep why line items did not serve, and
    #: how many at once. What is kept by day is forgotten after so many days.
    reason_seconds: Annotated[float, Field(gt=0, le=3600)] = 300.0
    max_reason_pages: Positive = 30
    reason_days: Positive = 400
    #: A targeting is tried on yesterday's samples where there are so many, else on those of the whole week.
    least_estimate_samples: Positive = 100
    #: Longest tally that a browser is given to keep, in characters.
    max_tally_chars: Annotated[int, Field(ge=100, le=4000)] = 1_500
    #: Line items and campaigns of which a browser keeps how often it saw them, as far as there is room in its
    #: tally; 0: none, so that there is no reach to report, and only what caps need is kept.
    max_reach_subjects: Annotated[int, Field(ge=0, le=700)] = 100
    #: Consent strings of one page request that are longer together, in characters, count as unreadable.
    max_consent_chars: Positive = 8_000
    #: Consent strings of which it is remembered what they allow.
    max_consent_memo: Positive = 5_000

    #: A click sooner after its impression than this is marked as invalid, in milliseconds.
    min_click_delay_ms: Annotated[int, Field(ge=0, le=60_000)] = 200
    #: Within this time, in seconds, one address may send so many events and clicks; what is more is marked.
    burst_window_seconds: Positive = 60
    max_events_per_burst: Positive = 2_000
    max_clicks_per_burst: Positive = 30
    #: Addresses that are counted within that time; further ones are not judged by it.
    max_burst_addresses: Positive = 100_000
    #: Opens and clicks of an issue of a newsletter or feed count for so long after it was locked, in seconds.
    issue_window_seconds: Positive = 30 * 86_400
    #: Places of issues that readers' own requests may lock, for each slot within a day.
    max_locks_per_day: Positive = 1_000
    #: Two links of one issue opened from one address within this time are a mail filter's, in milliseconds.
    scan_window_ms: Annotated[int, Field(ge=100, le=60_000)] = 2_000
    #: The same link of an issue from one address counts once within this time, in seconds.
    link_repeat_seconds: Positive = 3_600

    #: File of data-centre networks that the operator supplies, one CIDR on each line, and its most lines.
    datacentre_file: Path | None = None
    max_datacentre_lines: Positive = 1_000_000

    #: Raw events are kept so many days after theirs (UTC), then written to Parquet and removed; 0: for ever.
    keep_events_days: Annotated[int, Field(ge=0, le=36_500, validate_default=True)] = 400
    #: Folder of those files; not given: `archive` beside the database.
    archive_dir: Path | None = None
    #: Rollups in quarter hours are kept so many days, then summed by hour; 0: for ever.
    keep_quarters_days: Annotated[int, Field(ge=0, le=36_500)] = 400
    #: Rollups by hour are kept so many days, then summed by the site's local day; 0: for ever.
    keep_hours_days: Annotated[int, Field(ge=0, le=36_500, validate_default=True)] = 800
    #: How often a running server does so, in seconds.
    retain_seconds: Positive = 86_400

    #: Header in which a trusted proxy gives the visitor's country (ISO 3166-1 alpha-2), such as CF-IPCountry.
    country_header: str | None = None
    #: MaxMind-format country file that the operator supplies.
    country_db: Path | None = None
    #: Where readers and users find this server, such as https://ads.example; not given: its host and port.
    public_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]+)?$")] = ""
    #: Whom sellers.json names for questions; not given: nobody.
    contact_email: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+)?$", max_length=200)] = ""
    #: Addresses of proxies whose X-Forwarded-For is believed; "*" for all.
    trusted_proxies: str = "127.0.0.1"
    #: Password for /reports; without one they are answered on the loopback address only.
    reports_password: SecretStr | None = None

    #: Failed attempts to sign in to one account, and from one address, until no more are taken for a while.
    max_sign_in_failures: Positive = 10
    max_sign_in_failures_per_address: Positive = 50
    sign_in_window_seconds: Positive = 900
    max_sign_in_keys: Positive = 100_000
    #: A session ends when it was not used for so many hours, and after so many days in any case.
    session_idle_hours: Positive = 72
    session_days: Positive = 30
    #: Rows of a CSV file of line items, and its length in bytes.
    max_sheet_rows: Positive = 10_000
    max_sheet_bytes: Positive = 5_000_000
    #: Longest life of a link by which an advertiser answers for creatives, in days, and most answers by one.
    max_proof_days: Positive = 90
    max_proof_answers: Positive = 500
    #: How long an invitation, or a link to set a new password, may be used, in hours.
    link_hours: Positive = 72
    #: Server that sends invitations and links for new passwords: smtp://user:password@host:587 (STARTTLS) or
    #: smtps://…; not given: links are shown to administrators, who send them.
    smtp_url: SecretStr | None = None
    mail_from: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)] = "adserver@localhost"
    smtp_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    #: Links for a new password that one account is sent within `sign_in_window_seconds`.
    max_reset_mails: Positive = 3
    #: Who is told each morning what was unusual the day before: addresses, separated by commas, and a web
    #: address that is sent the same as JSON.
    alert_to: Annotated[tuple[str, ...], NoDecode] = ()
    #: Who is sent each site's report of a week, on Mondays, and of a month, on the first, from this hour on.
    report_to: Annotated[tuple[str, ...], NoDecode] = ()
    report_hour: Annotated[int, Field(ge=0, le=23)] = 7
    alert_webhook: SecretStr | None = None
    #: From this hour on, where the site is; and on fewer requests a day nothing is said of a site or slot.
    alert_hour: Annotated[int, Field(ge=0, le=23)] = 7
    alert_min_requests: Positive = 1_000
    alert_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    #: Chromium that prints reports, with the extra `export`; not given: what is on the path.
    chromium: Path | None = None
    #: How long one page may take, waiting included, in seconds, and how many may wait.
    print_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    max_prints_waiting: Positive = 8
    #: Longest life of an API token, in days.
    max_token_days: Positive = 400

    @property
    def base_url(self) -> str:
        """Where this server is found, without a slash at the end."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @field_validator(*_SERVERS)
    @classmethod
    def _names_a_server(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        pattern, example = _SERVERS[info.field_name or ""]
        if url is not None and not pattern.fullmatch(url.get_secret_value()):
            raise ValueError(f"is not such as {example}")
        return url

    @field_validator("alert_to", "report_to", mode="before")
    @classmethod
    def _addresses(cls, text: object, info: ValidationInfo) -> object:
        """Mails need a server that takes them."""
        if not isinstance(text, str):
            return text
        found = tuple(one.strip() for one in text.split(",") if one.strip())
        for one in found:
            if not _ADDRESS.fullmatch(one):
                raise ValueError(f"{one[:80]!r} is not such as name@news.example")
        if found and not info.data.get("smtp_url"):
            raise ValueError("needs ADSERVER_SMTP_URL, by which mails are sent")
        return found

    @field_validator("keep_events_days")
    @classmethod
    def _kept_until_late(cls, days: int, info: ValidationInfo) -> int:
        """Once its row is removed a repeated event is not known again, so it must be late by then."""
        windows = ("impression_window_seconds", "click_window_seconds")
        if days and all(name in info.data for name in (*windows, "clock_skew_seconds")):
            longest = max(info.data[name] for name in windows) + info.data["clock_skew_seconds"]
            if days * 86_400 < longest:
                least = -(-longest // 86_400)
                raise ValueError(
                    f"{days} days are fewer than events may take to count: {least}, or 0 for ever"
                )
        return days

    @field_validator("keep_quarters_days")
    @classmethod
    def _quarters_shape_the_weeks(cls, days: int) -> int:
        """Traffic is learned from the quarter hours of four weeks."""
        if 0 < days < _LEAST_QUARTERS_DAYS:
            raise ValueError(f"{days} is fewer than {_LEAST_QUARTERS_DAYS}, from which traffic is learned")
        return days

    @field_validator("keep_hours_days")
    @classmethod
    def _hours_after_quarters(cls, days: int, info: ValidationInfo) -> int:
        quarters = info.data.get("keep_quarters_days", 0)
        if 0 < days < quarters:
            raise ValueError(f"{days} is fewer than the {quarters} of ADSERVER_KEEP_QUARTERS_DAYS")
        return days


def load_settings(**given: Any) -> Settings:
    """Settings from the environment, with what was given on the command line on top (None: not given).

    Raises InvalidInput naming each variable that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise InvalidInput(
            [
                Fault("environment", f"ADSERVER_{str(fault['loc'][0]).upper()}", fault["msg"])
                for fault in error.errors()
            ]
        ) from None
