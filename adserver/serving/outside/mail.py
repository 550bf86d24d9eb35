"""A user agent that opens a newsletter → the mail program or proxy that it is, and whether it filters mail.

Mail programs fetch pictures themselves, or have their own servers fetch them, for every reader or only once
and ahead of any. Such an open is one all the same, and is counted: reports name the proxy as its browser.
Lists of crawlers have most of these, so what is known here is asked first.

Sources: Google, "Email image proxy" (`via ggpht.com GoogleImageProxy`); Yahoo, SLN28749 (`YahooMailProxy`);
Apple, "Mail Privacy Protection", whose relays send nothing but `Mozilla/5.0`; Microsoft, "Link protection in
Outlook" (`Microsoft Office Existence Discovery`). Mail filters are those that say their name.
"""

from __future__ import annotations

import re

#: Names of `decision.facts.BROWSERS` and by what each is known; the first that applies tells.
PROGRAMS = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("gmail_proxy", rb"GoogleImageProxy|ggpht\.com"),
        ("yahoo_mail_proxy", rb"YahooMailProxy"),
        ("yandex_mail_proxy", rb"YandexImageResizer"),
        ("apple_mail_proxy", rb"^Mozilla/5\.0\s*$"),
        ("outlook", rb"Outlook|ms-office; MSOffice"),
        ("thunderbird", rb"Thunderbird/"),
        # Apple's own mail program has the engine of Safari, and not its name.
        (
            "apple_mail",
            rb"^Mozilla/5\.0 \((?:Macintosh|iPhone|iPad)[^)]*\) AppleWebKit/[\d.]+ \(KHTML, like Gecko\)"
            rb"(?: Mobile/\w+)?\s*$",
        ),
    )
)
_FILTERS = re.compile(
    rb"Existence Discovery|Barracuda|Proofpoint|Mimecast|MessageLabs|Symantec|Trend ?Micro|Sophos|FireEye"
    rb"|Trellix|Forcepoint|Cloudmark|BitDefender|IronPort|Vade|Hornetsecurity|SafeLinks|LinkScan|URLscan",
    re.IGNORECASE,
)
_LONGEST = 500


def program_of(agent: bytes) -> str | None:
    """The name of a mail program or its proxy; None for what is none that is known."""
    agent = agent[:_LONGEST]
    return next((name for name, known in PROGRAMS if known.search(agent)), None)


def filters_mail(agent: bytes) -> bool:
    """Whether it is a program that opens the links of mails before their readers do."""
    return _FILTERS.search(agent[:_LONGEST]) is not None
