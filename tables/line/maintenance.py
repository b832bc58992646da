"""Maintenance notifications of one line: when a breakdown is one, and what takes it back."""

from streams.log.record import Outgoing
from tables.line import memory
from tables.line.episodes import Episode, Stop
from tables.line.line import Line
from tables.line.rules import Rules
from tables.line.sending import send_notification, take_notification_back
from tables.line.windows import FOREVER

_FOREVER = FOREVER


def look(line: Line, event: Stop, before: Episode | None, out: list[Outgoing]) -> None:
    """Look at the episode that an event has told of: one that is to be notified, or was.

    While its end isn't known it waits: `due_at`. With its end, what is learnt just now decides: its
    end, or that it is unplanned.
    """
    name = event.data.episode
    episode = line.episodes[name]
    line.pending.discard(name)
    if episode.notified:
        if not episode.taken_back and (episode.planned or _was_shorter(line, episode)):
            take_notification_back(line, event, out)
    elif is_unplanned(episode):
        assert episode.start is not None
        known = before is not None and is_unplanned(before)
        if episode.end is None:
            if not known:
                episode.learnt = line.watermark
            _wait(line, name, out)
        elif known and before is not None and before.end is not None:
            return  # nothing but its reason is new
        elif episode.end - episode.start >= line.timings.breakdown:
            send_notification(line, name, out)


def is_unplanned(episode: Episode) -> bool:
    """Return whether an episode is known to be an unplanned one."""
    return episode.start is not None and not episode.planned


def may_become_due(episode: Episode) -> bool:
    """Return whether a rise of the watermark can make an episode's notification due."""
    return is_unplanned(episode) and episode.end is None and not episode.notified


def due_at(line: Line, episode: Episode) -> int:
    """Return the watermark at which an episode without an end is to be notified.

    It has lasted that long, and its end had the grace to come: so a short stop that is told late,
    its end close behind, raises nothing.
    """
    assert episode.start is not None
    due = episode.start + line.timings.breakdown
    return due if episode.learnt is None else max(due, episode.learnt + line.timings.grace)


def next_notification(line: Line) -> int:
    """Return the watermark at which the next notification of a line is due."""
    due = _FOREVER
    for name in line.pending:
        due = min(due, due_at(line, line.episodes[name]))
    return due


def notify_overdue(line: Line, before: int, rules: Rules, out: list[Outgoing]) -> None:
    """Send the notifications of the breakdowns that the watermark has reached, by start.

    It was at `before`; what isn't remembered since then isn't notified.
    """
    overdue = []
    for name in line.pending:
        episode = line.episodes[name]
        if due_at(line, episode) <= line.watermark:
            overdue.append((episode.start, name))
    for _, name in sorted(overdue):
        line.pending.discard(name)
        if memory.is_remembered(line, name, before - rules.retention):
            send_notification(line, name, out)


def _wait(line: Line, name: str, out: list[Outgoing]) -> None:
    due = due_at(line, line.episodes[name])
    if due <= line.watermark:
        send_notification(line, name, out)
    else:
        line.pending.add(name)
        line.due = min(line.due, due)


def _was_shorter(line: Line, episode: Episode) -> bool:
    """Return whether an episode has turned out shorter than what it was notified for."""
    assert episode.start is not None
    if episode.end is None:
        return False
    return episode.end - episode.start < (episode.notified_for or line.timings.breakdown)
