"""Lines of a breakdown, and frequencies → what people read."""

from __future__ import annotations

from adserver.measurement.cuts import CutLine, Frequency, Named
from dashboards.words import NONE, percent

TITLES = {
    "country": "Country",
    "device": "Device",
    "browser": "Browser",
    "section": "Section",
    "size": "Size",
    "theme": "Theme",
    "frequency": "Frequency",
}
_NAMES = {
    "desktop": "Desktop",
    "mobile": "Phone",
    "tablet": "Tablet",
    "light": "Light",
    "dark": "Dark",
    "chrome": "Chrome",
    "safari": "Safari",
    "firefox": "Firefox",
    "edge": "Edge",
    "samsung": "Samsung Internet",
    "opera": "Opera",
    "facebook": "Facebook app",
    "instagram": "Instagram app",
    "google_app": "Google app",
    "duckduckgo": "DuckDuckGo",
    "yandex": "Yandex Browser",
    "uc": "UC Browser",
    "vivaldi": "Vivaldi",
    "huawei": "Huawei Browser",
    "miui": "Mi Browser",
    "gmail_proxy": "Gmail’s image proxy",
    "apple_mail_proxy": "Apple’s mail privacy proxy",
    "yahoo_mail_proxy": "Yahoo Mail’s image proxy",
    "yandex_mail_proxy": "Yandex Mail’s image proxy",
    "outlook": "Outlook",
    "apple_mail": "Apple Mail",
    "thunderbird": "Thunderbird",
    "outside": "Newsletter or feed",
}
_UNKNOWN = {
    "country": "The visitor’s country was not known",
    "frequency": "The browser keeps nothing, by choice or for want of consent",
}
#: How often a browser saw something, as columns of a table: (title, least, most).
TIMES: tuple[tuple[str, int, int | None], ...] = (
    *((str(times), times, times) for times in range(1, 6)),
    ("6–10", 6, 10),
    ("11+", 11, None),
)


def title_of(line: CutLine, by: str) -> str:
    """What a line is called on the page."""
    match line.named:
        case Named.NONE:
            return f"No {by} given"
        case Named.UNKNOWN:
            return "Not known"
        case Named.OTHER:
            return "Other"
        case Named.REPORTED:
            return "Reported by networks"
    if by == "frequency":
        return _ordinal(line.value)
    # A section may be called as a device or browser is; it is shown as its page calls it.
    return line.value if by == "section" else _NAMES.get(line.value, line.value)


def _ordinal(value: str) -> str:
    number = int(value.rstrip("+"))
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} {'or later' if value.endswith('+') else 'in its browser'}"


def hint_of(line: CutLine, by: str) -> str:
    """What a line without a value means; empty for most."""
    if line.named is Named.REPORTED:
        return "What networks paid, less what was estimated; they do not say what it was for"
    return _UNKNOWN.get(by, "") if line.named is Named.UNKNOWN else ""


def mean(average: float | None) -> str:
    """Impressions per browser: `3.2`."""
    return NONE if average is None else f"{average:.1f}"


def seen(frequency: Frequency, least: int, most: int | None) -> str:
    """The part of all browsers that saw something so often: `34%`."""
    return percent(frequency.exactly(least, most) / frequency.reach, 0) if frequency.reach else NONE


def unknown(frequency: Frequency) -> str:
    """The part of impressions whose browsers keep nothing: `12%`."""
    whole = frequency.impression_count + frequency.unknown_count
    return percent(frequency.unknown_count / whole, 0) if whole else NONE
