"""Every query behind the desk's API but the key figures, with questions to ask it."""

import base64
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import Struct
from sqlalchemy import Connection

from reading.worlds import RULES, asked
from runs import consumed
from tables.books import (
    acts_list,
    double_bookings,
    events_list,
    exception_page,
    exceptions_ageing,
    exceptions_list,
    fresh,
    health_numbers,
    holds_list,
    line_page,
    order_page,
    orders,
    overview,
    pasted,
    reference_list,
    tracing,
    transactions_list,
)
from tables.books.plants import Plants

Answer = Any


class Question(NamedTuple):
    """A function of the books, whether it goes by the job's rules, and what it is asked."""

    name: str
    ask: Callable[..., Answer]
    ruled: bool
    query: Struct

    def answered(self, connection: Connection, plants: Plants, now: int) -> Answer:
        """Return the answer."""
        more = (RULES,) if self.ruled else ()
        return self.ask(connection, plants, self.query, now, *more)


def _of(name: str, ask: Any, form: Any, ruled: bool = True, **given: Any) -> Question:
    return Question(name, ask, ruled, asked(form, **given))


def _pasted(value: bytes) -> dict[str, str]:
    return {"bytes": base64.b64encode(value).decode()}


_LISTED: Final = events_list.EventsAsked
_LEFT: Final = transactions_list.TransactionsAsked
_REFUSED: Final = exceptions_list.ExceptionsAsked
_TRACED: Final = tracing.TraceAsked

QUESTIONS: Final = [
    _of("overview", overview.overview, overview.OverviewAsked),
    _of("overview of a plant", overview.overview, overview.OverviewAsked, plant="DE02"),
    _of("line", line_page.line_page, line_page.LineAsked, plant="DE02", line="X2"),
    _of("orders", orders.orders, orders.OrdersAsked),
    _of("orders by text", orders.orders, orders.OrdersAsked, text="X2"),
    _of("orders by status", orders.orders, orders.OrdersAsked, status="released"),
    _of("orders by line", orders.orders, orders.OrdersAsked, line="X2"),
    _of("order", order_page.order_page, order_page.OrderAsked, plant="DE02", order="OX2"),
    *(
        _of(f"trace of {kind}", tracing.trace, _TRACED, q=q, kind=kind)
        for kind, q in (
            ("order", "OX2"),
            ("lot", "LX2"),
            ("serial", "SX2"),
            ("item", "IX2"),
            ("event", "cX2"),
            ("posting_key", "pc:DE02/X2:/mes|pX2"),
            ("trace", "0af7651916cd43dd8448eb211c80319c"),
            ("exception", "mes.events.v1/0/3"),
        )
    ),
    _of("trace", tracing.trace, _TRACED, q="OX2"),
    _of("trace of a source", tracing.trace, _TRACED, q="cX2", source="/mes"),
    _of(
        "trace of pasted bytes",
        pasted.trace_bytes,
        pasted.Pasted,
        **_pasted(consumed(20, "2", id="cX2", plant="DE02", line="X2")),
    ),
    _of(
        "trace of a pasted word", pasted.trace_bytes, pasted.Pasted, **_pasted(b"OX2")
    ),
    _of("transactions", transactions_list.transactions, _LEFT),
    _of("transactions by line", transactions_list.transactions, _LEFT, plant="DE02", line="X2"),
    _of("transactions by order", transactions_list.transactions, _LEFT, order="OX2"),
    _of("transactions by text", transactions_list.transactions, _LEFT, text="X2"),
    _of(
        "transaction",
        transactions_list.transaction,
        transactions_list.TransactionAsked,
        id="pc:DE02/X2:/mes|pX2",
    ),
    _of("events", events_list.events, _LISTED),
    _of("events by outcome", events_list.events, _LISTED, outcome="accepted,refused"),
    _of("events by lot", events_list.events, _LISTED, lot="LX2"),
    _of("events by id", events_list.events, _LISTED, id="cX2"),
    _of(
        "event", tracing.event, tracing.EventAsked, topic="mes.events.v1", partition=0, offset=1
    ),
    _of("double bookings", double_bookings.double_bookings, double_bookings.DoublesAsked),
    _of("exceptions", exceptions_list.exceptions, _REFUSED),
    _of("exceptions by text", exceptions_list.exceptions, _REFUSED, text="x"),
    _of("exceptions by order", exceptions_list.exceptions, _REFUSED, order="OX2"),
    _of("reasons", exceptions_list.reasons, _REFUSED),
    _of("exception", exception_page.exception, exception_page.ExceptionAsked, id="mes.events.v1/0/3"),
    _of("ageing", exceptions_ageing.ageing, exceptions_ageing.AgeingAsked, False),
    _of("acts", acts_list.acts, acts_list.ActsAsked),
    _of("acts on one", acts_list.acts, acts_list.ActsAsked, subject="mes.events.v1/0/3"),
    _of("master data", reference_list.references, reference_list.ReferencesAsked, False),
    _of("master data by text", reference_list.references, reference_list.ReferencesAsked, False, text="X2"),
    _of("kinds", reference_list.kinds, reference_list.KindsAsked, False),
    _of("holds", holds_list.holds, holds_list.HoldsAsked),
    _of("parked", holds_list.parked, holds_list.ParkedAsked),
    _of("pulse", fresh.pulse, fresh.PulseAsked, False),
    _of("health", health_numbers.health_numbers, health_numbers.HealthAsked, False),
]  # fmt: skip
"""They ask for what is plant DE02's: see `tests/reading/test_reading_plants.py`."""
