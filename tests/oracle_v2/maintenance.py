"""Maintenance notifications: when one leaves, and what takes it back (section 5)."""

from typing import TYPE_CHECKING

from . import outgoing, postings
from .line import Line
from .reading import Event
from .tables import RECORD_TYPES
from .values import SECOND, component

if TYPE_CHECKING:
    from .episodes import Episode


def _is_one(episode: "Episode") -> bool:
    """Is it known that this is an unplanned episode?"""
    return episode.start is not None and not episode.planned


def look(line: Line, event: Event, before: "Episode", episode: "Episode") -> None:
    """What the folding of one of its own events means for an episode's notification.

    "at once when it is learnt that it lasted that long and its end is known": learnt is it by the
    event by which it became an unplanned one with an end; "a classification that changes only the
    reason" teaches nothing, and so "An episode that has ended isn't notified for a breakdown that
    has become shorter".
    """
    if _is_one(episode) and not _is_one(before):
        episode.learnt = line.watermark
    if episode.notified_at is not None:
        _take_back(line, event, episode)
    elif _is_one(episode) and episode.end is None:
        if _is_due(line, episode):
            _notify(line, episode)
        elif episode not in line.pending:
            line.pending.append(episode)
    elif _is_one(episode) and not (_is_one(before) and before.end is not None):
        assert episode.start is not None
        assert episode.end is not None
        if episode.end - episode.start >= line.timing("breakdown_seconds"):
            _notify(line, episode)


def _is_due(line: Line, episode: "Episode") -> bool:
    """ "as soon as the watermark reaches both its start + `breakdown_seconds` ... and the watermark
    that held when it was learnt that it is one ... + grace, while no end is known"."""
    assert line.watermark is not None
    if episode.start is None or episode.learnt is None:
        return False
    wait = episode.start + line.timing("breakdown_seconds")
    return line.watermark >= max(wait, episode.learnt + line.timing("grace_seconds"))


def notify_due(line: Line) -> None:
    """When the watermark rises: "due maintenance notifications leave, by start, then episode"."""
    line.pending = [
        episode
        for episode in line.pending
        if _is_one(episode) and episode.end is None and episode.notified_at is None
    ]
    due = [episode for episode in line.pending if _is_due(line, episode)]
    for episode in sorted(due, key=lambda one: (one.start, one.name.encode())):
        _notify(line, episode)


def _key(line: Line, episode: "Episode") -> str:
    assert episode.start is not None
    return f"mn:{line.place}:{component(episode.name)}:{episode.start // SECOND}"


def _members(episode: "Episode") -> dict[str, str | None]:
    return {
        "episode": episode.name,
        "work_unit": episode.work_unit,
        "reason": episode.reason,
    }


def _notify(line: Line, episode: "Episode") -> None:
    """`time` = start + `breakdown_seconds`; "Its cause is its `started`"."""
    assert episode.start is not None
    time = episode.start + line.timing("breakdown_seconds")
    episode.notified_at = time
    carried_by = outgoing.carried_at_once(line, time)
    dates = outgoing.common(line, [episode.start_id], 1, time, carried_by)
    key = _key(line, episode)
    outgoing.send(line, RECORD_TYPES["mn"], key, time, {**_members(episode), **dates})


def _take_back(line: Line, event: Event, episode: "Episode") -> None:
    """ "If what is learnt later shows that it was shorter than what it was notified for, or planned,
    one `erp.reversal.v1` takes it back, at once"; its `time` is "the event's, but not before the
    notification's that it takes back"."""
    assert episode.notified_at is not None
    shorter = episode.end is not None and episode.end < episode.notified_at
    if episode.taken_back or not (shorter or episode.planned):
        return
    episode.taken_back = True
    time = max(event.time, episode.notified_at)
    key = _key(line, episode)
    postings.send_reversal(line, event, key, RECORD_TYPES["mn"], _members(episode), time)
