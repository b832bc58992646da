"""What a worker says in its log: for people, or a JSON object a line for machines."""

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Literal

import orjson

from streams.contract.topics import EXCEPTIONS
from streams.log.record import Outgoing
from streams.log.tracing import trace_id, traceparent_of

LOG_LEVELS: Final = {
    "lineside": logging.INFO,
    "mode": logging.ERROR,
    "faust": logging.WARNING,
    "aiokafka": logging.ERROR,
    # Rebalances are ordinary; lineside logs what follows from them.
    "aiokafka.consumer.group_coordinator": logging.CRITICAL,
}

TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

REPEAT_SECONDS: Final = 10.0
"""A client whose broker is away logs the same line thousands of times: it is passed this often."""

REFUSALS_PER_SECOND_MAX: Final = 5
"""Refused events that are logged one by one; the others are counted. All are exceptions."""

DETAILS: Final = "details"
"""The attribute of a log record that holds further members for the JSON object."""

log = logging.getLogger("lineside.refused")


def set_up_logs(format_: Literal["text", "json"]) -> None:
    """Let this process log to standard error, as text or as JSON objects."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format_ == "json" else logging.Formatter(TEXT))
    handler.addFilter(_Seldom())
    logging.basicConfig(handlers=[handler])
    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)


def in_json() -> bool:
    """Return whether the log was set up to write JSON objects."""
    return any(isinstance(one.formatter, JsonFormatter) for one in logging.getLogger().handlers)


class JsonFormatter(logging.Formatter):
    """Formats a log record as a JSON object on one line.

    Members: `time` (RFC 3339 in UTC), `level`, `logger`, `message`, `exception` (a traceback, if
    there is one), and those given with the call, for instance `trace_id`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC)
        members: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        members.update(getattr(record, DETAILS, {}))
        return orjson.dumps(members, default=str).decode()


class _Seldom(logging.Filter):
    """Passes each sentence of a Kafka client at most once in `REPEAT_SECONDS`."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        what = record.name, str(record.msg)
        if record.created - self._said.get(what, 0.0) < REPEAT_SECONDS:
            return False
        self._said[what] = record.created
        return True


class Refusals:
    """Logs refused events: place, code and trace of each, never its content."""

    def __init__(self) -> None:
        self._second = 0
        self._logged = 0
        self._not_logged = 0

    def log_exceptions(self, outputs: Sequence[Outgoing]) -> None:
        """Log the exceptions among records that have left, a few each second."""
        for record in [one for one in outputs if one.topic == EXCEPTIONS]:
            second = int(monotonic())
            if second != self._second:
                self.log_rest()
                self._second, self._logged = second, 0
            if self._logged < REFUSALS_PER_SECOND_MAX:
                self._logged += 1
                _log_refusal(record)
            else:
                self._not_logged += 1

    def log_rest(self) -> None:
        """Log how many weren't logged one by one, if any: from time to time, and at the end."""
        if self._not_logged:
            log.info("%d more were refused within a second", self._not_logged)
            self._not_logged = 0


def _log_refusal(record: Outgoing) -> None:
    event = orjson.loads(record.value)
    details = {"code": record.type, "record": record.id}
    details.update({name: event[name] for name in ("plant", "line") if name in event})
    traceparent = traceparent_of(event["data"])
    if traceparent is not None:
        details["trace_id"] = trace_id(traceparent)
    shown = details.get("trace_id")
    log.info(
        "%s: %s%s", record.id, record.type, f" (trace {shown})" if shown else "",
        extra={DETAILS: details},
    )  # fmt: skip
