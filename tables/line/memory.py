"""Which episodes a line remembers, and what is to be told of those that lack a start or an end."""

from collections.abc import Iterable, Iterator

from tables.line.episodes import Episode, Stop, counted_until, last_known
from tables.line.line import Line
from tables.line.rules import Rules
from tables.line.standstill import Standstill
from tables.line.windows import FOREVER


def place(line: Line, name: str, episode: Episode, limit: int) -> None:
    """Put an episode with a start among those of its work unit, if it lasts."""
    assert episode.start is not None
    around = line.standstills.get(episode.work_unit)
    if _lasts(episode, limit):
        if around is None:
            around = line.standstills[episode.work_unit] = Standstill()
        around.put(name, episode.start, counted_until(episode, limit))
    elif around is not None:
        around.drop(name, episode.start)
        if not around.names:
            del line.standstills[episode.work_unit]


def forget_before(line: Line, event: Stop, oldest: int, rules: Rules) -> bool:
    """Forget what is over before `oldest`, of the work unit that an event is of, before it counts.

    Return whether that was anything. Other work units can wait: no event can tell.
    """
    limit, name, unit = rules.episode_limit, event.data.episode, event.data.work_unit or ""
    known = line.episodes.get(name)
    gone = _over(line, unit, oldest)
    if known is not None:
        if known.work_unit != unit:
            gone += _over(line, known.work_unit, oldest)
        if not _lasts(known, limit) and last_known(known, limit) < oldest:
            gone.append(name)
    if gone:
        _forget(line, gone, oldest, limit)
    return len(gone) > 0


def forget_all(line: Line, oldest: int, rules: Rules) -> None:
    """Forget all episodes that are over before `oldest`."""
    _forget(line, forgettable(line, oldest, rules), oldest, rules.episode_limit)


def forgettable(line: Line, oldest: int, rules: Rules) -> set[str]:
    """Return the episodes that are over before `oldest`, with all that shares time with them."""
    limit = rules.episode_limit
    gone = {each for unit in line.standstills for each in _over(line, unit, oldest)}
    for name, one in line.episodes.items():
        if not _lasts(one, limit) and last_known(one, limit) < oldest:
            gone.add(name)
    return gone


def is_remembered(line: Line, name: str, oldest: int) -> bool:
    """Return whether an episode that lasts isn't over before `oldest`."""
    return name not in _over(line, line.episodes[name].work_unit, oldest)


def forgotten_next(line: Line, limit: int) -> int:
    """Return the instant that `oldest` has to pass for the next episode to be forgotten."""
    ends = [each.first_reach() for each in line.standstills.values()]
    ends += [last_known(one, limit) for one in line.episodes.values() if not _lasts(one, limit)]
    return min(ends, default=FOREVER)


def forgotten_open(line: Line, rules: Rules) -> int:
    """Return how long episodes counted, all in all, that were forgotten without an end."""
    gone = forgettable(line, line.watermark - rules.retention, rules)
    return line.forgotten_open + _counted_open(line, gone, rules.episode_limit)


def waiting_ends(line: Line, rules: Rules) -> Iterator[str]:
    """Yield the episodes whose end waits for a start."""
    for name in _remembered(line, rules):
        episode = line.episodes[name]
        if episode.start is None and episode.end is not None:
            yield name


def overlong(line: Line, rules: Rules) -> Iterator[str]:
    """Yield the episodes that have been open for longer than they count."""
    for name in _remembered(line, rules):
        episode = line.episodes[name]
        if episode.start is None or episode.end is not None:
            continue
        if line.watermark - episode.start > rules.episode_limit:
            yield name


def _remembered(line: Line, rules: Rules) -> list[str]:
    gone = forgettable(line, line.watermark - rules.retention, rules)
    return [name for name in line.episodes if name not in gone]


def _lasts(episode: Episode, limit: int) -> bool:
    """Return whether an episode can share time with others, and so lies in a `Standstill`."""
    return episode.start is not None and counted_until(episode, limit) > episode.start


def _over(line: Line, work_unit: str, oldest: int) -> list[str]:
    around = line.standstills.get(work_unit)
    return [] if around is None else around.over(oldest)


def _forget(line: Line, names: Iterable[str], oldest: int, limit: int) -> None:
    line.forgotten_open += _counted_open(line, names, limit)
    for name in names:
        episode = line.episodes.pop(name)
        around = line.standstills.get(episode.work_unit)
        if around is not None and _lasts(episode, limit):
            around.forget(oldest)
            if not around.names:
                del line.standstills[episode.work_unit]
        line.live.discard(name)
        line.pending.discard(name)
        line.changed_episodes.add(name)


def _counted_open(line: Line, names: Iterable[str], limit: int) -> int:
    """Return how long episodes counted that have a start and no end: the limit, each."""
    known = [line.episodes[name] for name in names]
    return limit * sum(one.start is not None and one.end is None for one in known)
