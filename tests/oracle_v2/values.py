"""Values on the wire: JSON, text, times, measures (section 2), and how they leave (section 4)."""

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = 10**6
"""A time counts microseconds."""
MINUTE = 60 * SECOND
ONE = 10**9
"""A measure counts billionths: "at most 9 decimal places by value"."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = (datetime(2000, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LATEST = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


# ---------------------------------------------------------------- JSON


class Number:
    """A JSON number by its text: nothing is lost, and a giant exponent costs nothing."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class Members(dict[str, Any]):
    """A JSON object that remembers which of its members came twice."""

    twice: str | None = None


def _members(pairs: list[tuple[str, Any]]) -> Members:
    found = Members()
    for name, value in pairs:
        if name in found:
            found.twice = name
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=Number, parse_int=Number, parse_constant=_no_constant
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DEPTH_MAX = 512


def parse_json(value: bytes) -> Any:
    """Return what strict JSON says; ValueError for all that section 2 calls no JSON."""
    text = value.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    level = deepest = 0
    for bracket in re.findall(r"[\[{\]}]", _STRING.sub("", text)):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    if deepest > DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX} levels")
    document = _DECODER.decode(text)
    if _SURROGATE.search(text):  # "a lone surrogate anywhere", in what is dropped, too
        for string in _STRING.findall(text):
            json.loads(string).encode("utf-8")  # UnicodeEncodeError is a ValueError
    return document


# ---------------------------------------------------------------- what is read


def text_problem(value: Any, limit: int = 256) -> str | None:
    """Say what is wrong with a text that is read: length, control characters, form C, blanks."""
    if not isinstance(value, str):
        return "is no string"
    if not 1 <= len(value) <= limit:
        return f"hasn't 1 to {limit} characters"
    if any(unicodedata.category(character) == "Cc" for character in value):
        return "has a control character"
    if unicodedata.normalize("NFC", value) != value:
        return "is not in Unicode normal form C"
    if value.strip() != value:
        return "has white space at an end"
    return None


def place_problem(value: Any) -> str | None:
    """`plant` and `line`: "1 to 128 characters, no `/`, no control character, not `*`"."""
    problem = text_problem(value, 128)
    if problem is None and ("/" in value or value == "*"):
        problem = "is `*` or has a `/`"
    return problem


_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def parse_time(value: Any) -> int | None:
    """RFC 3339 with an offset, cut to the microsecond, from 2000 to before 9999-01-01."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[number]) for number in range(1, 7))
    hours, minutes = int(match[9] or 0), int(match[10] or 0)
    if hours > 23 or minutes > 59:
        return None
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = (hours * 60 + minutes) * MINUTE * (-1 if match[8] == "-" else 1)
    fraction = int((match[7] or "")[:6].ljust(6, "0"))
    time = (local - EPOCH) // timedelta(microseconds=1) + fraction - offset
    return time if EARLIEST <= time < LATEST else None


_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


def parse_measure(value: Any) -> int | None:
    """A JSON number or a string like one: below 10^15 in size, at most 9 decimals by value."""
    text = value.text if isinstance(value, Number) else value
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    digits = (match[2] + (match[3] or "")).lstrip("0")
    if not digits:
        return 0
    exponent = (match[5] or "").lstrip("0") or "0"
    if len(exponent) > 6:
        return None  # a value of 64 KiB hasn't the digits to make up for it
    places = len(match[3] or "") - int((match[4] or "") + exponent)
    places -= len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    if places > 9 or len(digits) - places > 15:
        return None
    size: int = int(digits) * 10 ** (9 - places)
    return -size if match[1] else size


def parse_whole(value: Any, least: int, most: int) -> int | None:
    """A JSON number that is whole by value and lies between the two."""
    billionths = parse_measure(value) if isinstance(value, Number) else None
    if billionths is None and isinstance(value, Number) and value.text.isdigit():
        billionths = int(value.text) * ONE if len(value.text) < 20 else None
    if billionths is None or billionths % ONE or not least <= billionths // ONE <= most:
        return None
    return billionths // ONE


# ---------------------------------------------------------------- what leaves


def moment(time: int) -> datetime:
    """Return a time as a datetime; what no calendar holds (a record's timestamp) is clamped."""
    try:
        return EPOCH + timedelta(microseconds=time)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if time > 0 else datetime.min.replace(tzinfo=UTC)


def time_text(time: int) -> str:
    """ "RFC 3339 in UTC with `Z`"."""
    return moment(time).replace(tzinfo=None).isoformat() + "Z"


def decimal_text(units: int, places: int) -> str:
    """ "plain notation without trailing zeros" """
    whole, fraction = divmod(abs(units), 10**places)
    text = f"{whole}.{fraction:0{places}d}".rstrip("0").rstrip(".")
    return f"-{text}" if units < 0 else text


def measure_text(billionths: int) -> str:
    return decimal_text(billionths, 9)


def component(value: Any) -> str:
    """A component of a posting key: absent is empty, `%`, `|` and `:` are percent-encoded."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("%", "%25").replace("|", "%7C").replace(":", "%3A")


def shown(value: Any) -> str:
    """Return a value for a sentence."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
