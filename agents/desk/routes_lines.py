"""Routes about plants, lines and orders, holds and master data."""

from typing import Final

from agents.desk import answers_lines as answers
from agents.desk.reading import reading
from agents.desk.route import Route
from tables.books import holds_list, line_page, order_page, orders, overview, reference_list

ROUTES: Final = (
    Route(
        path="/overview",
        says="Plants and lines now",
        query=overview.OverviewAsked,
        answer=answers.Overview,
        read=reading(overview.overview),
    ),
    Route(
        path="/lines/{plant}/{line}",
        says="A line: now, and between two moments",
        query=line_page.LineAsked,
        answer=answers.LinePage,
        read=reading(line_page.line_page),
    ),
    Route(
        path="/orders",
        says="Orders, and what was made of each",
        query=orders.OrdersAsked,
        answer=answers.Orders,
        read=reading(orders.orders),
    ),
    Route(
        path="/orders/{plant}/{order}",
        says="An order with its operations, consumption, postings and events",
        query=order_page.OrderAsked,
        answer=answers.OrderPage,
        read=reading(order_page.order_page),
    ),
    Route(
        path="/reference",
        says="Master data",
        query=reference_list.ReferencesAsked,
        answer=answers.References,
        read=reading(reference_list.references),
    ),
    Route(
        path="/reference/kinds",
        says="The kinds of master data that there are",
        query=reference_list.KindsAsked,
        answer=answers.Kinds,
        read=reading(reference_list.kinds),
    ),
    Route(
        path="/holds",
        says="Holds of quality",
        query=holds_list.HoldsAsked,
        answer=answers.Holds,
        read=reading(holds_list.holds),
    ),
    Route(
        path="/parked",
        says="Events that a hold keeps from the ERP",
        query=holds_list.ParkedAsked,
        answer=answers.AllParked,
        read=reading(holds_list.parked),
    ),
)
