"""Instants are exact to the microsecond, whatever offset they are told in."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.values import instant
from streams.values.cache import CACHE_ENTRIES_MAX
from streams.values.instant import (
    CALENDAR_FIRST,
    CALENDAR_LAST,
    EARLIEST,
    LATEST,
    SECOND,
    date,
    parse,
    text,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)

offsets = st.integers(-(24 * 60 - 1), 24 * 60 - 1)
"""Minutes."""


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A date-time as RFC 3339 writes it, and what it means."""
    minutes = draw(offsets)
    local = draw(
        st.datetimes(datetime(2000, 1, 2), datetime(9998, 12, 30)).map(
            lambda moment: moment.replace(microsecond=0)
        )
    )
    fraction = draw(st.text("0123456789", max_size=12))
    sign = "-" if minutes < 0 else draw(st.sampled_from("+-")) if minutes == 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    if minutes == 0:
        zone = draw(st.sampled_from(["Z", "z", zone]))
    separator = draw(st.sampled_from("Tt"))
    written = f"{local:%H:%M:%S}{'.' if fraction else ''}{fraction}{zone}"
    meant = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    meant += int((fraction + "000000")[:6]) * MICRO
    return f"{local.year:04d}-{local:%m-%d}{separator}{written}", meant


# Laws.


@given(moments())
def test_a_moment_is_read_exactly_and_cut_to_the_microsecond(
    moment: tuple[str, datetime],
) -> None:
    written, meant = moment
    assert parse(written) == (meant - EPOCH) // MICRO
    assert parse(written) == parse(written)  # from the cache, too


@given(st.integers(EARLIEST, LATEST))
@example(EARLIEST)
@example(LATEST)
def test_what_is_written_reads_back_and_ends_in_z(micros: int) -> None:
    written = text(micros)
    assert parse(written) == micros
    assert written.endswith("Z")
    assert len(written) in (20, 24, 27)
    assert datetime.fromisoformat(written) - EPOCH == micros * MICRO


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)) | st.just(datetime(2000, 1, 1)),
    st.sampled_from(["America/Caracas", "Europe/Berlin", "Asia/Kolkata", "Pacific/Kiritimati"]),
)
def test_a_date_is_that_of_the_zone(moment: datetime, zone: str) -> None:
    aware = moment.replace(tzinfo=UTC)
    micros = (aware - EPOCH) // MICRO
    assert date(micros, ZoneInfo(zone)) == aware.astimezone(ZoneInfo(zone)).date().isoformat()
    assert date(micros) == aware.date().isoformat() == text(micros)[:10]


# Examples.


@pytest.mark.parametrize(
    "wrong",
    ["", "2026-11-21", "2026-11-21T06:00:00", "2026-11-21 06:00:00Z", "2026-11-21T06:00Z",
     "2026-11-21T06:00:00.Z", "2026-11-21T06:00:00,5Z", "2026-11-21T06:00:00+0100",
     "2026-11-21T06:00:00+01", "2026-11-21T06:00:00+24:00", "2026-11-21T06:00:00+01:60",
     "2026-02-29T06:00:00Z", "2026-13-01T06:00:00Z", "2026-11-21T24:00:00Z",
     "2026-11-21T06:60:00Z", "2026-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
     "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "1999-12-31T23:59:59.999999Z",
     "2000-01-01T00:00:00+00:01", "9999-01-01T00:00:00Z", "9998-12-31T23:59:59-00:01", "2026-W47-6T06:00:00Z",
     "20261121T060000Z", "２026-11-21T06:00:00Z", " 2026-11-21T06:00:00Z", "2026-11-21T06:00:00Z ",
     "2026-11-21T06:00:00Z\n", "2026-11-21T06:00:00\u2212 01:00", "+2026-11-21T06:00:00Z",
     "2026-11-21T06:00:00-1:00", "2026-11-21T06:00:00.1.2Z", "yesterday"],
)  # fmt: skip
def test_what_rfc_3339_would_not_write_is_refused(wrong: str) -> None:
    for _ in range(2):  # a cache remembers no mistake
        with pytest.raises(ValueError, match=r"^(not|outside)"):
            parse(wrong)


@pytest.mark.parametrize("wrong", [None, 1_795_240_800, 1.5, True, [], {}, b"2026-11-21T06:00:00Z"])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="in a string"):
        parse(wrong)


@pytest.mark.parametrize(
    ("given_", "written"),
    [("2026-11-21T06:00:00Z", "2026-11-21T06:00:00Z"),
     ("2026-11-21t07:00:00.5+01:00", "2026-11-21T06:00:00.500Z"),
     ("2026-11-21T00:29:59.999999999-05:30", "2026-11-21T05:59:59.999999Z"),
     ("2026-11-21T06:00:00.000z", "2026-11-21T06:00:00Z"),
     ("2026-11-21T06:00:00-00:00", "2026-11-21T06:00:00Z"),
     ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z"),
     ("2000-01-01T23:59:00+23:59", "2000-01-01T00:00:00Z"),
     ("1999-12-31T23:59:00-00:01", "2000-01-01T00:00:00Z"),
     ("2024-02-29T23:59:59.000001Z", "2024-02-29T23:59:59.000001Z"),
     ("9999-01-01T00:00:00+00:01", "9998-12-31T23:59:00Z"),
     ("9998-12-31T23:59:59.999999Z", "9998-12-31T23:59:59.999999Z")],
)  # fmt: skip
def test_moments_are_written_in_utc(given_: str, written: str) -> None:
    assert text(parse(given_)) == written


@pytest.mark.parametrize(
    ("micros", "written"),
    [(CALENDAR_LAST + 1, "10000-01-01T00:00:00Z"),
     (CALENDAR_LAST + 1 + 366 * 86_400 * SECOND, "10001-01-01T00:00:00Z"),
     (CALENDAR_FIRST - SECOND, "0000-12-31T23:59:59Z")],
)  # fmt: skip
def test_the_end_of_a_window_may_lie_past_the_calendar(micros: int, written: str) -> None:
    assert text(micros) == written
    assert date(micros, ZoneInfo("Europe/Berlin")) == written.partition("T")[0]


def test_the_caches_stay_bounded_and_change_nothing() -> None:
    for number in range(CACHE_ENTRIES_MAX + 10):
        at = EARLIEST + 86_400 * SECOND + number * 61 * SECOND + number
        assert parse(text(at)) == at
    assert len(instant.WHOLES) <= CACHE_ENTRIES_MAX
    assert len(instant.RESTS) <= CACHE_ENTRIES_MAX
    assert parse("2000-01-02T00:01:01.000001Z") == EARLIEST + 86_461 * SECOND + 1
    parse(f"2000-01-02T00:01:01.{'1' * 1_000}Z")
    assert all(len(known) <= 32 for known in instant.RESTS)
