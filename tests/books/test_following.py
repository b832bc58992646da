"""What has left is in the books after what was accepted: `left` is never more than `accepted`."""

from hypothesis import given
from hypothesis import strategies as st

from streams.log.record import TP
from tables.books.following import RELEASE_SECONDS_MAX, Following

LEFT: TP = ("erp.transactions.v1", 0)
IN: TP = ("mes.events.v1", 0)


def test_transactions_wait_until_the_books_have_the_inputs_that_led_to_them() -> None:
    following = Following(4.0)
    assert following.ends(0, {LEFT: 10, IN: 99}, {IN: 5}, {}) == {}
    assert following.ends(3, {LEFT: 20}, {IN: 50}, {IN: 50}) == {}  # not settled yet
    assert following.ends(4, {LEFT: 30}, {IN: 60}, {IN: 50}) == {}  # the books lack ten
    assert following.ends(5, {LEFT: 40}, {IN: 70}, {IN: 60}) == {LEFT: 10}
    assert following.ends(9, {LEFT: 60}, {IN: 80}, {IN: 70}) == {LEFT: 10}
    assert following.ends(10, {LEFT: 60}, {IN: 80}, {IN: 80}) == {LEFT: 40}


def test_inputs_that_stand_still_hold_them_up_for_a_minute_only() -> None:
    following = Following(4.0)
    following.ends(0, {LEFT: 10}, {IN: 5}, {})
    assert following.ends(RELEASE_SECONDS_MAX - 1, {LEFT: 20}, {IN: 50}, {}) == {}
    assert following.ends(RELEASE_SECONDS_MAX, {LEFT: 30}, {IN: 50}, {}) == {LEFT: 10}


@given(
    steps=st.lists(
        st.tuples(st.floats(0.1, 5), st.integers(0, 9), st.integers(0, 9), st.integers(0, 20)),
        max_size=40,
    ),
    settle=st.floats(0, 6),
)
def test_what_is_taken_up_was_caused_by_inputs_that_the_books_have(
    steps: list[tuple[float, int, int, int]], settle: float
) -> None:
    """A job that sends a transaction for each input, and says so within `settle` seconds."""
    following = Following(settle)
    now, computed, there = 0.0, 0, 0
    history: list[tuple[float, int]] = []
    for seconds, came, _, taken in steps:
        now += seconds
        computed += came
        history.append((now, computed))
        said = max((count for at, count in history if at <= now - settle), default=0)
        there = min(there + taken, said)
        ends = following.ends(now, {LEFT: computed}, {IN: said}, {IN: there})
        if now < RELEASE_SECONDS_MAX:
            assert ends.get(LEFT, 0) <= there
