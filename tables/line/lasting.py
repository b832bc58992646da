"""What lasts, downtime and machine states, by numbers of the rules: at hand, as C has them."""

from streams.contract.policy import MEASURES_MAX
from tables.line.rules import Rules

_MEASURES_MAX = MEASURES_MAX


class Lasting:
    """Of the summaries of what lasts: their windows, and where each is among the record types.

    All of them have windows of one `length`. A record type that the policy doesn't send is -1.
    Times are in microseconds.
    """

    def __init__(self, rules: Rules) -> None:
        self.length = rules.downtime.length
        self.episode_limit = rules.episode_limit
        self.state_limit = rules.state_limit
        self.downtime = rules.downtime.index
        self.availability = -1 if rules.availability is None else rules.availability.index
        self.states = -1 if rules.states is None else rules.states.index


def lasting_of(rules: Rules) -> Lasting:
    """Return what rules say of what lasts."""
    found: Lasting | None = rules.made.get("lasting")
    if found is None:
        found = rules.made["lasting"] = Lasting(rules)
    return found


def first_sum(index: int) -> int:
    """Return where the sum of a record type's first measure is: see `tables.line.line.sum_of`."""
    return index * _MEASURES_MAX
