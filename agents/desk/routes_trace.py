"""Routes that tell what became of something: trace, events, transactions, double bookings."""

from typing import Final

from agents.desk import answers_trace as answers
from agents.desk.reading import reading
from agents.desk.route import Route
from tables.books import double_bookings, events_list, pasted, tracing, transactions_list

ROUTES: Final = (
    Route(
        path="/trace",
        says="What became of this? An order, lot, serial, item, event, posting key or trace id",
        query=tracing.TraceAsked,
        answer=answers.Trace,
        read=reading(tracing.trace),
    ),
    Route(
        method="POST",
        path="/trace",
        says="What became of this? An event as it was sent, in base64",
        body=pasted.Pasted,
        answer=answers.Trace,
        read=reading(pasted.trace_bytes),
    ),
    Route(
        path="/transactions",
        says="Records for the ERP",
        query=transactions_list.TransactionsAsked,
        answer=answers.Transactions,
        read=reading(transactions_list.transactions),
    ),
    Route(
        path="/transactions/one",
        says="One record for the ERP, and the events that it came of",
        query=transactions_list.TransactionAsked,
        answer=answers.TransactionPage,
        read=reading(transactions_list.transaction),
    ),
    Route(
        path="/events",
        says="Events as they came",
        query=events_list.EventsAsked,
        answer=answers.Events,
        read=reading(events_list.events),
    ),
    Route(
        path="/events/{topic}/{partition}/{offset}",
        says="One event, and what became of it",
        query=tracing.EventAsked,
        answer=answers.EventPage,
        read=reading(tracing.event),
    ),
    Route(
        path="/double-bookings",
        says="Events of one source and id that were accepted more than once",
        query=double_bookings.DoublesAsked,
        answer=answers.DoubleBookings,
        read=reading(double_bookings.double_bookings),
    ),
)
