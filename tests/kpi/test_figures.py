"""Key figures of lines, units, orders and plants, from books of either kind."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, delete
from sqlalchemy.pool import StaticPool

from kpi.kpi_rows import MINUTE, Filled, at
from streams.values import instant
from tables.books.asked import AskedError
from tables.books.kpi_asked import FiguresAsked
from tables.books.kpi_figures import figures
from tables.books.plants import Plants
from tables.books.schema import LINES, METADATA, REFERENCES, STOPS, SUMMARIES, SUMS, UNITS

NOW = at("2026-11-25T12:00:00Z")
THREE = (
    {"name": "early", "start": "06:00", "end": "14:00"},
    {"name": "late", "start": "14:00", "end": "22:00"},
    {"name": "night", "start": "22:00", "end": "06:00"},
)


def asked(engine: Engine, plants: Plants = None, now: int = NOW, **members: Any) -> dict[str, Any]:
    with engine.connect() as connection:
        return figures(connection, plants, msgspec.convert(members, FiguresAsked), now)


def values(item: dict[str, Any]) -> dict[str, Any]:
    return {name: each["value"] for name, each in item["kpis"].items()}


def one(engine: Engine, **members: Any) -> dict[str, Any]:
    (item,) = asked(engine, **members)["items"]
    return dict(item)


DAY = {"from": "2026-11-21", "to": "2026-11-22"}


@pytest.fixture
def filled(books: Engine) -> Filled:
    """Line L3 in Berlin: a press with stops and counts, and what was confirmed."""
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.zone("Europe/Berlin")
    fill.shifts(*THREE, breaks=[{"start": "09:00", "end": "09:30"}])
    fill.work_unit("L3", "PRESS-1", ideal_seconds="22")
    for minute in range(30):
        fill.summary(
            "summary.availability.v1",
            at("2026-11-21T06:00:00Z") + minute * MINUTE,
            work_unit="PRESS-1",
            down=60,
        )
    fill.summary(
        "summary.machine.v1", "2026-11-21T07:00:00Z", work_unit="PRESS-1", good=950, scrap=50
    )
    fill.made("2026-11-21T07:01:00Z", good="900", scrap="90", rework="10")
    return fill


def test_a_shift_of_a_line(filled: Filled):
    """PBT = 480 - 30 min of break = 27,000 s; 1,800 s down; 22 s x 1,000 pieces in 25,200 s."""
    early, late, night = asked(filled.engine, by="shift", **DAY)["items"]
    assert (early["from"], early["to"], early["shift"], early["date"]) == (
        "2026-11-21T05:00:00Z",
        "2026-11-21T13:00:00Z",
        "early",
        "2026-11-21",
    )
    assert (early["busy_seconds"], early["down_seconds"], early["planned_down_seconds"]) == (
        "27000",
        "1800",
        "0",
    )
    assert values(early) == {
        "availability": "93.3333",
        "effectiveness": "87.3016",
        "quality_ratio": "90",
        "oee": "77.4074",
        "scrap_ratio": "9",
        "rework_ratio": "1",
    }
    assert [
        (each["uom"], each["good"], each["scrap"], each["rework"]) for each in early["made"]
    ] == [("pc", "900", "90", "10")]
    assert (late["busy_seconds"], values(late)["availability"], values(late)["quality_ratio"]) == (
        "28800",
        "100",
        None,
    )
    assert (night["shift"], night["to"], night["complete"]) == (
        "night",
        "2026-11-22T05:00:00Z",
        True,
    )


def test_a_work_unit_has_the_quality_that_its_machine_counted(filled: Filled):
    item = one(filled.engine, group="work_unit", **DAY)
    assert (item["work_unit"], values(item)["quality_ratio"]) == ("PRESS-1", "95")
    assert item["made"][0]["uom"] is None


def test_by_order_and_item_there_are_pieces_and_no_times(filled: Filled):
    filled.made("2026-11-21T08:00:00Z", order="1000124", good="5")
    orders = asked(filled.engine, group="order", **DAY)["items"]
    assert [
        (each["order"], each["made"][0]["good"], values(each)["availability"]) for each in orders
    ] == [("1000123", "900", None), ("1000124", "5", None)]
    assert one(filled.engine, group="item", **DAY)["item"] == "P-7"


def test_stops_in_a_break_or_outside_of_shifts_arent_down(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.shifts(THREE[0], breaks=[{"start": "09:00", "end": "09:10"}])
    fill.work_unit("L3", "PRESS-1")
    for start in ("2026-11-21T09:05:00Z", "2026-11-21T09:10:00Z", "2026-11-21T14:00:00Z"):
        fill.summary("summary.availability.v1", start, work_unit="PRESS-1", down=60)
    item = one(fill.engine, **DAY)
    assert (item["down_seconds"], item["busy_seconds"]) == ("60", "28200")


def test_planned_stops_take_from_the_busy_time(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.work_unit("L3", "PRESS-1")
    fill.summary(
        "summary.availability.v1",
        "2026-11-21T10:00:00Z",
        work_unit="PRESS-1",
        down="15.5",
        planned_down="20.25",
    )
    item = one(fill.engine, **DAY)
    assert (item["busy_seconds"], item["down_seconds"], item["planned_down_seconds"]) == (
        "86379.75",
        "15.5",
        "20.25",
    )
    assert item["kpis"]["availability"]["numerator"] == "86364.25"


def test_machine_states_tell_where_no_stops_are_reported(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.rows(
        UNITS, {"plant": "DE01", "line": "L3", "work_unit": "M1", "state": "Execute", "since": 1}
    )
    fill.summary(
        "summary.machine_state.v1",
        "2026-11-21T10:00:00Z",
        work_unit="M1",
        state="Held",
        seconds=864,
    )
    fill.summary(
        "summary.machine_state.v1",
        "2026-11-21T10:00:00Z",
        work_unit="M1",
        state="Idle",
        seconds=100,
    )
    assert values(one(fill.engine, **DAY))["availability"] == "99"
    fill.rows(
        STOPS,
        {
            "plant": "DE01",
            "line": "L3",
            "episode": "E1",
            "work_unit": "M1",
            "started_at": 1,
            "ended_at": 2,
        },
    )
    assert values(one(fill.engine, **DAY))["availability"] == "100"


def test_the_busy_time_ends_where_summaries_have_come_to(filled: Filled):
    filled.line("DE01", "L4", "2026-11-21T06:00:00Z")
    filled.work_unit("L4", "OVEN")
    item = one(filled.engine, line="L4", **DAY)
    assert (item["busy_seconds"], item["complete"]) == ("3600", False)


def test_the_busy_time_begins_with_the_first_summary_of_a_line(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-21T12:00:00Z", begun=None)
    fill.work_unit("L3", "M")
    fill.made("2026-11-21T11:20:00Z", good=1)
    assert one(fill.engine, **DAY)["busy_seconds"] == str(45 * 60)


def test_a_line_without_counts_whose_only_unit_has_an_ideal_time_made_what_was_confirmed(
    books: Engine,
):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.work_unit("L3", "PRESS-1", ideal_seconds="8.64")
    fill.made("2026-11-21T10:00:00Z", good="4000", scrap="1000")
    assert values(one(fill.engine, **DAY)) | {"rework_ratio": "0"} == {
        "availability": "100", "effectiveness": "50", "quality_ratio": "80", "oee": "40", "scrap_ratio": "20", "rework_ratio": "0",
    }  # fmt: skip


@pytest.mark.parametrize("unclear", ["two units of measure", "two work units"])
def test_what_nobody_knows_who_made_it_lowers_no_oee(sqlite_books: Engine, unclear: str):
    fill = Filled(sqlite_books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.work_unit("L3", "PRESS-1", ideal_seconds="8.64")
    fill.made("2026-11-21T10:00:00Z", good="4000")
    if unclear == "two work units":
        fill.work_unit("L3", "OVEN")
    else:
        fill.made("2026-11-21T10:00:00Z", good="1", uom="kg")
    figures_of = values(one(fill.engine, **DAY))
    assert (figures_of["availability"], figures_of["effectiveness"], figures_of["oee"]) == (
        "100",
        None,
        None,
    )


def test_a_line_on_which_nothing_was_made_has_an_oee_of_0(sqlite_books: Engine):
    fill = Filled(sqlite_books)
    fill.line("DE01", "L3", "2026-11-22T06:00:00Z")
    fill.work_unit("L3", "PRESS-1", ideal_seconds="8.64")
    assert values(one(fill.engine, **DAY))["oee"] == "0"


def test_late_revisions_are_added_up(filled: Filled):
    filled.made("2026-11-21T07:01:00Z", good="-0.5", revision=3)
    assert one(filled.engine, **DAY)["made"][0]["good"] == "899.5"


def test_units_of_measure_arent_mixed(filled: Filled):
    filled.made("2026-11-21T07:30:00Z", uom="kg", good="12.5", scrap="12.5")
    item = one(filled.engine, **DAY)
    assert [(each["uom"], each["quality_ratio"]["value"]) for each in item["made"]] == [
        ("kg", "50"),
        ("pc", "90"),
    ]
    assert values(item)["quality_ratio"] is None


def test_a_day_of_25_hours_has_25_hours(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-10-26T06:00:00Z")
    fill.zone("Europe/Berlin")
    fill.work_unit("L3", "PRESS-1")
    fill.made("2026-10-24T22:00:00Z", good="1")
    fill.made("2026-10-25T22:59:00Z", good="2")
    fill.made("2026-10-25T23:00:00Z", good="4")
    (item,) = asked(books, by="day", **{"from": "2026-10-25", "to": "2026-10-26"})["items"]
    assert (item["busy_seconds"], item["made"][0]["good"]) == (str(25 * 3_600), "3")
    hours = asked(books, by="hour", **{"from": "2026-10-25", "to": "2026-10-26"})["items"]
    assert len(hours) == 25


def test_lines_with_calendars_of_their_own_make_up_the_plants_shift(books: Engine):
    fill = Filled(books)
    for line in ("L3", "L4"):
        fill.line("DE01", line, "2026-11-22T12:00:00Z")
        fill.work_unit(line, "M")
        fill.made("2026-11-21T12:00:00Z", line=line, good="1")
    fill.shifts(THREE[0])
    fill.shifts({"name": "early", "start": "06:30", "end": "14:30"}, id="oven", lines=["L4"])
    item = one(books, by="shift", group="plant", **DAY)
    assert (item["from"], item["to"], item["busy_seconds"]) == (
        "2026-11-21T06:00:00Z",
        "2026-11-21T14:30:00Z",
        "57600",
    )
    assert item["made"][0]["good"] == "2"


def test_what_was_made_between_shifts_is_shown_with_no_shift(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", "2026-11-22T12:00:00Z")
    fill.shifts(THREE[0])
    fill.made("2026-11-21T20:00:00Z", good="7")
    items = asked(books, by="shift", **DAY)["items"]
    assert [(each["shift"], [made["good"] for made in each["made"]]) for each in items] == [
        ("early", []),
        (None, ["7"]),
    ]


def test_the_zone_is_that_of_the_rules_that_have_begun_else_of_the_settings(books: Engine):
    fill = Filled(books)
    fill.line("DE01", "L3", None)
    fill.zone("Europe/Berlin")
    fill.reference("rules", "DE01", "2027-01-01T00:00:00Z", time_zone="Asia/Tokyo")
    fill.line("US01", "L1", None)
    with books.connect() as connection:
        zones = {"US01": "America/Chicago", "DE01": "Asia/Tokyo"}
        assert (
            figures(connection, None, FiguresAsked(plant="DE01"), NOW, zones=zones)["zone"]
            == "Europe/Berlin"
        )
        assert (
            figures(connection, None, FiguresAsked(plant="US01"), NOW, zones=zones)["zone"]
            == "America/Chicago"
        )
        assert figures(connection, None, FiguresAsked(plant="US01"), NOW)["zone"] == "UTC"
        assert figures(connection, None, FiguresAsked(), NOW)["zone"] is None


def test_nobody_sees_another_plant(filled: Filled):
    filled.line("US01", "L3", "2026-11-22T06:00:00Z")
    assert {each["plant"] for each in asked(filled.engine, None, **DAY)["items"]} == {
        "DE01",
        "US01",
    }
    assert {
        each["plant"] for each in asked(filled.engine, frozenset({"US01"}), **DAY)["items"]
    } == {"US01"}
    assert asked(filled.engine, frozenset({"US01"}), plant="DE01", **DAY)["items"] == []
    assert asked(filled.engine, frozenset(), **DAY)["items"] == []


def test_a_calendar_with_mistakes_says_so(filled: Filled):
    filled.shifts({"name": "x", "start": "6"}, id="worse")
    assert asked(filled.engine, **DAY)["problems"] == [
        "shift_calendar 'worse': shifts[0].start is '6': not a time of the day such as '06:00': left out"
    ]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"from": "2026-11-31"}, "from is '2026-11-31': not a date such as 2026-11-21"),
        ({"from": "2026-11-22", "to": "2026-11-21"}, "from is 2026-11-22: behind to, which is 2026-11-21"),
        ({"from": "2000-01-01", "to": "9997-01-01"}, "from is 2,920,845 days before to: by total it is 1,850 at most"),
        ({"from": "2026-11-01", "to": "2026-11-21", "by": "minute"}, "from is 20 days before to: by minute it is 2 at most"),
        ({"from": "2026-11-21T06:00:00"}, "from is '2026-11-21T06:00:00': not an RFC 3339 date-time with an offset; e.g. 2026-11-28T06:00:00Z or 2026-11-28"),
    ],
)  # fmt: skip
def test_a_question_that_cant_be_answered_says_why(
    sqlite_books: Engine, members: dict[str, Any], told: str
):
    Filled(sqlite_books).line("DE01", "L3", None)
    with pytest.raises(AskedError) as caught:
        asked(sqlite_books, **members)
    assert str(caught.value) == told


def test_a_log_of_the_past_has_its_own_present(books: Engine):
    """An event of January came ten minutes ago, in November."""
    fill = Filled(books)
    came = {
        "mes_at": at("2026-01-05T08:00:00Z"),
        "machine_at": None,
        "arrived_at": NOW - 10 * MINUTE,
    }
    fill.line("DE01", "L3", "2026-01-05T07:58:00Z", **came)
    fill.made("2026-01-05T07:00:00Z", good=3)
    got = asked(books, plant="DE01")
    assert got["period"] == {"from": "2026-01-05T00:00:00Z", "to": "2026-01-05T08:10:00Z"}
    assert got["items"][0]["made"][0]["good"] == "3"


def test_a_clock_that_goes_ahead_brings_no_future(books: Engine):
    Filled(books).line("DE01", "L3", None, mes_at=NOW + 5 * MINUTE, arrived_at=NOW)
    assert asked(books)["period"]["to"] == instant.text(NOW)


def test_without_a_period_it_is_the_plants_day_until_now(filled: Filled):
    got = asked(filled.engine, now=at("2026-11-22T04:30:20Z"))
    assert got["period"] == {"from": "2026-11-21T05:00:00Z", "to": "2026-11-22T04:31:00Z"}


@pytest.fixture(scope="module")
def emptied() -> Iterator[Callable[[], Filled]]:
    """What makes books in memory empty."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine)

    def empty() -> Filled:
        with engine.begin() as connection:
            for table in (LINES, REFERENCES, SUMMARIES, SUMS):
                connection.execute(delete(table))
        return Filled(engine)

    yield empty
    engine.dispose()


OCTOBER = at("2026-10-23T22:00:00Z")
STARTS = st.integers(0, 3 * 24 * 60 - 1).map(lambda minute: OCTOBER + minute * MINUTE)
AMOUNTS = st.decimals(-1_000, 10**6, places=9).map(str)
TIMES = st.integers(0, 1_439).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
SHIFTS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["a", "b"]), "start": TIMES, "end": TIMES}),
    max_size=3,
)


@settings(max_examples=12)
@given(st.data())
def test_sums_over_shifts_and_hours_are_the_sums_of_the_days(
    emptied: Callable[[], Filled], data: st.DataObject
):
    """Over the night in which the clock goes back, whatever the shifts."""
    fill = emptied()
    fill.zone("Europe/Berlin")
    shifts = data.draw(SHIFTS)
    if shifts:
        fill.shifts(*shifts, breaks=[{"start": "09:07", "end": "09:31"}])
    fill.work_unit("L3", "M", ideal_seconds="1.5")
    fill.line("DE01", "L3", instant.text(data.draw(STARTS)))
    for start in data.draw(st.lists(STARTS, max_size=12)):
        fill.made(start, good=data.draw(AMOUNTS), scrap=data.draw(AMOUNTS))
        fill.summary(
            "summary.availability.v1", start, work_unit="M", down=data.draw(st.integers(0, 60))
        )
        fill.summary("summary.machine.v1", start, work_unit="M", good=data.draw(AMOUNTS))
    period = {"from": "2026-10-24", "to": "2026-10-26"}
    (total,) = asked(fill.engine, now=OCTOBER + 9 * instant.DAY, **period)["items"]
    for by in ("day", "shift", "hour"):
        items = asked(fill.engine, now=OCTOBER + 9 * instant.DAY, by=by, **period)["items"]
        for name in ("availability", "effectiveness", "oee"):
            for side in ("numerator", "denominator"):
                assert added_up(each["kpis"][name][side] for each in items) == added_up(
                    [total["kpis"][name][side]]
                )
        for measure in ("good", "scrap"):
            assert added_up(made[measure] for each in items for made in each["made"]) == added_up(
                made[measure] for made in total["made"]
            )


def added_up(texts: Any) -> int:
    total = 0
    for text in texts:
        whole, _, fraction = text.lstrip("-").partition(".")
        scaled = int(whole + fraction.ljust(18, "0"))
        total += -scaled if text.startswith("-") else scaled
    return total
