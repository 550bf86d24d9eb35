"""A tally against a plain list of what was shown: never more than caps allow, whatever befalls its text."""

from __future__ import annotations

import string
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.decision.tally import MOST_ENTRIES, Caps, Limit, Tally, TallyKey

KEY = TallyKey(b"k" * 32, max_chars=1_500)
NOW = 1_795_000_013
MINUTE, DAY = 60, 86_400
FOREVER = 100 * 365 * DAY
ALPHABET = string.ascii_letters + string.digits + "-_"
MANY = settings(max_examples=200, deadline=None)

limits = st.lists(
    st.tuples(st.integers(1, 8), st.sampled_from([MINUTE, 7 * MINUTE, 3_600, DAY, 7 * DAY])),
    min_size=1,
    max_size=3,
).map(tuple)
#: Seconds from one page to the next: moments, or about as long as a window.
pauses = (
    st.integers(0, 200)
    | st.integers(3_000, 4_000)
    | st.integers(DAY - 100, DAY + 100)
    | st.integers(0, 8 * DAY)
)


def capped(subjects: Iterable[int], *of_each: Limit) -> Caps:
    """The same limits for every subject; without limits, one impression for ever."""
    return dict.fromkeys(subjects, of_each or ((1, FOREVER),))


def seen(*impressions: tuple[int, int]) -> Tally:
    """A tally of (subject, seconds before NOW), given oldest first."""
    tally = Tally()
    for subject, ago_s in impressions:
        tally.add([subject], NOW - ago_s)
    return tally


def text_of(tally: Tally, caps: Caps, now_s: int = NOW, key: TallyKey = KEY) -> str:
    """What the browser keeps."""
    return key.write(tally, caps, now_s).decode("ascii")


def plain_room(shown_at: list[int], of_one: tuple[Limit, ...], now_s: int, longer_s: int = 0) -> int:
    """How many more a plain list of timestamps allows, with windows that are so much longer."""
    return max(0, min(n - sum(at > now_s - per - longer_s for at in shown_at) for n, per in of_one))


@MANY
@given(of_one=limits, steps=st.lists(st.tuples(pauses, st.integers(0, 3)), max_size=40))
def test_a_visitor_is_shown_what_a_sliding_window_allows(
    of_one: tuple[Limit, ...], steps: list[tuple[int, int]]
) -> None:
    caps, now_s, text, shown_at = {7: of_one}, NOW, "", list[int]()
    for pause_s, wanted in steps:
        now_s += pause_s
        tally = KEY.read(text, now_s)
        room = tally.room(7, of_one, now_s)
        assert (room == 0) == (7 in tally.blocked(caps, now_s))
        assert (
            plain_room(shown_at, of_one, now_s, longer_s=MINUTE)
            <= room
            <= plain_room(shown_at, of_one, now_s)
        )
        count = min(wanted, room)
        tally.add([7] * count, now_s)
        shown_at += [now_s] * count
        text = text_of(tally, caps, now_s) if tally.changed else tally.text


@MANY
@given(
    of_one=limits,
    steps=st.lists(
        st.tuples(st.integers(0, 20 * MINUTE), st.just(0) | st.integers(0, 10 * MINUTE), st.integers(0, 3)),
        max_size=30,
    ),
)
def test_a_clock_that_is_set_back_never_allows_more(
    of_one: tuple[Limit, ...], steps: list[tuple[int, int, int]]
) -> None:
    caps, true_s, behind_s, text, shown_at = {7: of_one}, NOW, 0, "", list[int]()
    for pause_s, set_back_s, wanted in steps:
        true_s += pause_s
        behind_s += set_back_s
        tally = KEY.read(text, true_s - behind_s)
        room = tally.room(7, of_one, true_s - behind_s)
        assert room <= plain_room(shown_at, of_one, true_s)
        tally.add([7] * min(wanted, room), true_s - behind_s)
        shown_at += [true_s] * min(wanted, room)
        text = text_of(tally, caps, true_s - behind_s) if tally.changed else tally.text


@MANY
@given(seed=st.integers(0, 2**32), most=st.integers(13, 200), per_s=st.sampled_from([3_600, DAY, 30 * DAY]))
def test_joined_impressions_never_allow_more(seed: int, most: int, per_s: int) -> None:
    rng, of_one, now_s, text, shown_at = Random(seed), ((most, per_s),), NOW, "", list[int]()
    for _ in range(120):
        now_s += int(rng.expovariate(most / per_s / 2))
        tally = KEY.read(text, now_s)
        room = tally.room(7, of_one, now_s)
        assert room <= plain_room(shown_at, of_one, now_s)
        if room:
            tally.add([7], now_s)
            shown_at.append(now_s)
            text = text_of(tally, {7: of_one}, now_s)
            assert len(text) <= 100


def test_a_steady_reader_waits_a_quarter_of_the_window_longer_at_most() -> None:
    of_one, text, shown_at = ((100, 7 * DAY),), "", list[int]()
    for now_s in range(NOW, NOW + 30 * DAY, 45 * MINUTE):
        tally = KEY.read(text, now_s)
        room = tally.room(7, of_one, now_s)
        assert room >= plain_room(shown_at, of_one, now_s, longer_s=7 * DAY // 4)
        if room:
            tally.add([7], now_s)
            shown_at.append(now_s)
            text = text_of(tally, {7: of_one}, now_s)


def test_up_to_twelve_times_are_all_told_apart() -> None:
    shown_at = [NOW + minute * MINUTE for minute in range(MOST_ENTRIES)]
    of_one, text = ((MOST_ENTRIES, 3_600),), ""
    for now_s in shown_at:
        tally = KEY.read(text, now_s)
        tally.add([1], now_s)
        text = text_of(tally, {1: of_one}, now_s)
    for now_s in range(NOW, NOW + 2 * 3_600, 17):
        at_least, at_most = (plain_room(shown_at, of_one, now_s, longer) for longer in (MINUTE, 0))
        assert at_least <= KEY.read(text, now_s).room(1, of_one, now_s) <= at_most


@MANY
@given(
    impressions=st.lists(
        st.tuples(
            st.integers(0, 300) | st.integers(0, 2**40), st.integers(0, 9_999 * DAY), st.integers(1, 400)
        ),
        max_size=12,
    )
)
def test_what_was_written_is_read(impressions: list[tuple[int, int, int]]) -> None:
    tally = Tally()
    for subject, ago_s, count in sorted(impressions, key=lambda one: -one[1]):
        tally.add([subject] * count, NOW - ago_s)
    subjects = {subject for subject, _, _ in impressions}
    again = KEY.read(text_of(tally, capped(subjects)), NOW)
    assert not again.changed
    windows_s = [1, *(ago_s + extra for _, ago_s, _ in impressions for extra in (0, MINUTE)), FOREVER]
    for subject in [*subjects, -1]:
        for per_s in windows_s:
            limit = ((10_000, per_s),)
            assert again.room(subject, limit, NOW) == tally.room(subject, limit, NOW)
    assert set(again.blocked(capped(subjects), NOW)) == subjects


def test_each_window_and_each_subject_is_counted_for_itself() -> None:
    tally = seen((1, 3 * DAY), (1, 2 * DAY), (2, DAY), (1, 100), (2, 100), (2, 90))
    caps: Caps = {1: ((2, DAY), (3, 7 * DAY)), 2: ((3, DAY), (9, 7 * DAY)), 3: ((1, DAY),)}
    assert [tally.room(subject, caps[subject], NOW) for subject in (1, 2, 3)] == [0, 0, 1]
    assert tally.room(1, ((2, DAY),), NOW) == 1
    assert tally.room(1, ((1, DAY),), NOW + DAY) == 1
    assert sorted(tally.blocked(caps, NOW)) == [1, 2]
    assert tally.blocked(caps, NOW + MINUTE) == [1]
    assert tally.blocked({9: ((1, DAY),)}, NOW) == []


def test_more_than_allowed_is_no_less_than_no_room() -> None:
    assert seen((1, 9), (1, 9), (1, 9)).room(1, ((2, DAY), (9, DAY)), NOW) == 0


def test_what_was_seen_before_a_clock_was_set_back_and_put_right_again_stays() -> None:
    tally, of_one = seen((1, 0)), ((1, 3_600),)
    tally.add([1], NOW - 10 * MINUTE)
    assert tally.room(1, of_one, NOW + 3_599) == 0


def test_any_other_text_is_an_empty_tally() -> None:
    caps = capped([5, 6])
    text = text_of(seen((5, 200), (6, 100), (6, 50)), caps)
    assert sorted(KEY.read(text, NOW).blocked(caps, NOW)) == [5, 6]
    wrong = [
        text[:at] + other + text[at + 1 :]
        for at in range(len(text))
        for other in ALPHABET
        if other != text[at]
    ]
    wrong += [text[:at] + text[at + 1 :] for at in range(len(text))]
    wrong += [text[:at] + other + text[at:] for at in range(len(text) + 1) for other in "A=+/ \n\0ä\ud800"]
    wrong += [text * 2, text[::-1], text.swapcase()]
    for tampered in wrong:
        tally = KEY.read(tampered, NOW)
        assert (tally.blocked(caps, NOW), tally.changed, tally.text) == ([], False, ""), tampered


@MANY
@given(text=st.text() | st.text(ALPHABET, max_size=40) | st.text(ALPHABET + "=+/", max_size=2_000))
def test_no_text_raises(text: str) -> None:
    assert KEY.read(text, NOW).text == ""


def test_texts_of_another_key_of_the_future_or_too_long_are_empty() -> None:
    caps = capped([5])
    text = text_of(seen((5, 0)), caps)
    assert TallyKey(b"j" * 32, max_chars=1_500).read(text, NOW).text == ""
    assert TallyKey(b"k" * 32, max_chars=len(text) - 1).read(text, NOW).text == ""
    assert TallyKey(b"k" * 32, max_chars=len(text)).read(text, NOW).text == text
    assert KEY.read(text, NOW - 30 * MINUTE).text == text
    assert KEY.read(text, NOW - DAY).text == ""


@pytest.mark.parametrize("secret", [b"short", b"k" * 65])
def test_a_secret_that_cannot_be_used_is_refused(secret: bytes) -> None:
    with pytest.raises(AssertionError, match="64 bytes"):
        TallyKey(secret, max_chars=1_500)


def reader_of(subjects: int, impressions: tuple[int, int], *, seed: int = 1) -> dict[int, list[int]]:
    """A week of a reader who saw so many of 3,000 subjects, each from … to … times: seconds before NOW."""
    rng = Random(seed)
    return {
        subject: [rng.randrange(7 * DAY) for _ in range(rng.randint(*impressions))]
        for subject in rng.sample(range(1, 3_000), subjects)
    }


def seen_by(reader: dict[int, list[int]]) -> tuple[Tally, Caps]:
    """A reader's tally, and caps that need all of it."""
    shown = [(ago_s, subject) for subject, all_ago_s in reader.items() for ago_s in all_ago_s]
    tally = seen(*((subject, ago_s) for ago_s, subject in sorted(shown, reverse=True)))
    return tally, capped(reader, (3, DAY), (10, 7 * DAY + MINUTE))


@pytest.mark.parametrize("impressions", [(1, 1), (1, 3), (3, 3)])
def test_a_hundred_subjects_fit(impressions: tuple[int, int]) -> None:
    tally, caps = seen_by(reader_of(100, impressions))
    text = text_of(tally, caps)
    assert len(text) <= 1_500
    assert len(KEY.read(text, NOW).blocked(capped(caps), NOW)) == 100


@MANY
@given(seed=st.integers(0, 2**32), max_chars=st.integers(20, 700))
def test_the_longest_unseen_are_dropped_first_and_hardly_more_than_needed(seed: int, max_chars: int) -> None:
    key, reader = TallyKey(b"k" * 32, max_chars=max_chars), reader_of(40, (1, 15), seed=seed)
    tally, caps = seen_by(reader)
    text = text_of(tally, caps, key=key)
    assert len(text) <= max_chars
    kept = set(key.read(text, NOW).blocked(capped(caps), NOW))
    minute_of = {subject: (NOW - min(all_ago_s)) // MINUTE for subject, all_ago_s in reader.items()}
    oldest_first = sorted(reader, key=lambda subject: (minute_of[subject], subject))
    assert kept == set(oldest_first[len(reader) - len(kept) :])
    if len(kept) < len(reader):
        one_more = oldest_first[len(reader) - len(kept) - 1 :]
        assert len(text_of(tally, {one: caps[one] for one in one_more})) > max_chars * 3 // 4


def test_what_no_cap_needs_is_not_kept() -> None:
    tally = seen((1, 3 * DAY), (2, 3 * DAY), (1, 5), (3, 4), (4, 3))
    caps: Caps = {1: ((5, DAY),), 2: ((5, DAY),), 3: ((5, DAY), (9, 2 * DAY))}
    again = KEY.read(text_of(tally, caps), NOW)
    assert [again.room(one, ((9, FOREVER),), NOW) for one in (1, 2, 3, 4)] == [8, 9, 8, 9]
    assert (
        KEY.write(tally, {}, NOW)
        == KEY.write(Tally(), caps, NOW)
        == KEY.write(tally, caps, NOW + 3 * DAY)
        == b""
    )


def test_a_tally_says_when_it_has_to_be_written() -> None:
    caps = capped([5])
    text = text_of(seen((5, 0)), caps)
    assert not Tally().changed
    tally = KEY.read(text, NOW + 600)
    tally.add([], NOW + 600)
    assert (tally.changed, tally.text) == (False, text)
    tally.add([5], NOW + 600)
    assert tally.changed
    assert KEY.read(text, NOW + 2 * DAY).changed, "a day later, what has expired is left out"


def test_the_same_impressions_make_the_same_text() -> None:
    """Two visitors who saw the same in the same minutes cannot be told apart by their tallies."""
    caps = capped([5, 6])
    assert text_of(seen((5, 65), (6, 10)), caps) == text_of(seen((5, 60), (6, 5)), caps, NOW + 20)
