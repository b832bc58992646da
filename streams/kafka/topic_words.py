"""Settings of topics, lengths of time and numbers of things, as sentences have them."""

from streams.contract.topics import DAY_MS


def shown(setting: str, value: str | None) -> str:
    """Return a setting's value; of a length of time in days, too."""
    if value is not None and setting.endswith(".ms") and int(value) > 0:
        return f"{value} ({span(int(value))})"
    return repr(value) if setting == "cleanup.policy" else str(value)


def span(milliseconds: int) -> str:
    """Return "7 days", "1 hour"."""
    if milliseconds >= DAY_MS:
        return counted(round(milliseconds / DAY_MS, 1), "day")
    return counted(round(milliseconds * 24 / DAY_MS, 1), "hour")


def counted(number: float, thing: str) -> str:
    """Return "1 replica", "3 replicas"."""
    return f"{number:g} {thing}" if number == 1 else f"{number:g} {thing}s"
