"""Draws the figures in results/*.json as SVG: peers, growth, latency, soak, days, as are there.

    python benchmarks/plots.py [--results DIR]

Needs matplotlib and nothing else, so it runs in an environment of its own. Same figures, same
bytes: there is no date in a file that isn't in the figures, and text stays text.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError:
    sys.exit(
        "Error: matplotlib is missing: python3 -m venv plots && plots/bin/pip install matplotlib, "
        "then run this with plots/bin/python"
    )

SETTINGS: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lineside",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "figure.facecolor": "white",  # readable on a dark page, too
}

METADATA: Final = {"Date": None, "Creator": None}
"""Matplotlib's own version and the time of drawing stay out."""

BYTES_MAX: Final = 100_000

OURS: Final = "#0b6e99"
OTHERS: Final = "#9aa5ad"
FLOOR: Final = "#d5dbdf"
SECOND: Final = "#d9730d"

TITLES: Final = {
    "keys": "keys in the ledgers, millions",
    "lines": "lines",
    "partitions": "partitions of each input topic",
    "workers": "workers, CPU of all",
    "late": "late events",
    "rows": "rows of a line at a time",
}
"""Of growth's subjects, in their order."""

SAMPLES_MAX: Final = 300
"""Of a soak."""

COLUMNS: Final = 3
ROOM: Final = 1.15
"""Above what is drawn."""


def main() -> None:
    """Draw what there is, and say what was drawn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results", metavar="DIR"
    )
    folder = parser.parse_args().results
    mpl.rcParams.update(SETTINGS)
    drawings: dict[str, Callable[[dict[str, Any]], Figure]] = {
        "peers": peers,
        "growth": growth,
        "latency": latency,
        "soak": soak,
        "days": days,
    }
    there = [name for name in drawings if (folder / f"{name}.json").exists()]
    if not there:
        sys.exit(f"Error: {folder} has none of {', '.join(f'{name}.json' for name in drawings)}")
    for name in there:
        drawn = svg(drawings[name](json.loads((folder / f"{name}.json").read_text())))
        if len(drawn) > BYTES_MAX:
            sys.exit(f"Error: {name}.svg would take {len(drawn):,} bytes, more than {BYTES_MAX:,}")
        path = folder / f"{name}.svg"
        path.write_bytes(drawn)
        print(f"{path}: {len(drawn):,} bytes")


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG, without blanks at the ends of lines."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata=METADATA)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()).encode()


def peers(found: dict[str, Any]) -> Figure:
    """Return CPU per event by contestant, the cheapest on top; those that failed have no bar."""
    medians = {name: one["median"] for name, one in found["contestants"].items() if one["median"]}
    names = sorted(medians, key=lambda name: medians[name]["cpu_per_event"])
    figures = [medians[name]["cpu_per_event"] for name in names]
    figure = Figure(figsize=(7, 1.1 + 0.34 * len(names)), layout="constrained")
    axes = figure.subplots()
    colors = {"lineside": OURS, "floor": FLOOR}
    bars = axes.barh(
        [f"{name} (decodes only)" if name == "floor" else name for name in names],
        figures,
        color=[colors.get(name, OTHERS) for name in names],
    )
    axes.bar_label(bars, [f"{one:.1f}" for one in figures], padding=3)
    axes.invert_yaxis()
    axes.set_title("CPU microseconds per event: less is better")
    axes.set_xlabel(
        f"{found['records']:,} records, {found['partitions']} partitions; {on([found])}"
    )
    return figure


def growth(found: dict[str, Any]) -> Figure:
    """Return a plot for each subject: CPU per event, and memory below the values."""
    subjects = {name: found["subjects"][name] for name in TITLES if name in found["subjects"]}
    rows = -(-len(subjects) // COLUMNS)
    figure = Figure(figsize=(9, 0.5 + 2.5 * rows), layout="constrained")
    all_axes = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes, (name, subject) in zip(all_axes, subjects.items(), strict=False):
        axes.set_title(TITLES[name] + (" (a trial)" if subject["trial"] else ""))
        if name == "keys":
            keys_plot(axes, subject["windows"])
        else:
            points_plot(axes, name, subject["points"])
        axes.set_ylim(0, ROOM * axes.dataLim.y1)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    for axes in all_axes[len(subjects) :]:
        axes.set_axis_off()
    figure.supylabel("CPU microseconds per event", fontsize=9)
    figure.supxlabel(f"Below each value: memory. {on(list(subjects.values()))}", fontsize=9)
    return figure


def keys_plot(axes: Axes, windows: Sequence[dict[str, Any]]) -> None:
    """Draw one run by its keys."""
    millions = [one["keys"] / 1e6 for one in windows]
    axes.plot(millions, [one["cpu_per_event"] for one in windows], color=OURS, marker=".")
    marked = [windows[0], windows[len(windows) // 2 - 1], windows[-1]]
    axes.set_xticks(
        [one["keys"] / 1e6 for one in marked],
        [f"{one['keys'] / 1e6:g}\n{one['resident_mb']:.0f} MB" for one in marked],
    )


def points_plot(axes: Axes, name: str, points: Sequence[dict[str, Any]]) -> None:
    """Draw the medians of some values, evenly spaced, with the least and the most of the rounds."""
    at = range(len(points))
    medians = [one["median"]["cpu_per_event"] for one in points]
    rounds = [[run["cost"]["cpu_per_event"] for run in one["runs"]] for one in points]
    around = [
        [middle - min(each) for middle, each in zip(medians, rounds, strict=True)],
        [max(each) - middle for middle, each in zip(medians, rounds, strict=True)],
    ]
    axes.errorbar(at, medians, yerr=around, color=OURS, marker="o", markersize=4, capsize=3)
    axes.set_xticks(
        list(at),
        [f"{shown(name, one['value'])}\n{one['median']['peak_mb']:.0f} MB" for one in points],
    )
    axes.margins(x=0.15)


def shown(name: str, value: float) -> str:
    """Return a value as one reads it."""
    return f"{value * 100:g} %" if name == "late" else f"{value:,.0f}"


def latency(found: dict[str, Any]) -> Figure:
    """Return for each guarantee the latencies that were seen, by rate and quantile."""
    guarantees = list(dict.fromkeys(run["guarantee"] for run in found["runs"]))
    figure = Figure(figsize=(3.6 * len(guarantees) + 0.6, 3), layout="constrained")
    all_axes = figure.subplots(1, len(guarantees), squeeze=False, sharey=True).flat
    for axes, guarantee in zip(all_axes, guarantees, strict=True):
        runs = [run for run in found["runs"] if run["guarantee"] == guarantee]
        rates = sorted({run["wanted_rate"] for run in runs})
        for quantile, color in (("p50", OURS), ("p99", SECOND), ("p99.9", OTHERS)):
            middles = [
                middle([run["seen_ms"][quantile] for run in runs if run["wanted_rate"] == rate])
                for rate in rates
            ]
            axes.plot(range(len(rates)), middles, color=color, marker="o", label=quantile)
        axes.set_xticks(range(len(rates)), [f"{rate:,}" for rate in rates])
        axes.margins(x=0.15)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.set_title(guarantee)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    figure.axes[0].set_ylabel("milliseconds until seen")
    figure.axes[0].legend(frameon=False)
    figure.supxlabel(f"events/s; {on([found])}", fontsize=9)
    return figure


def soak(found: dict[str, Any]) -> Figure:
    """Return memory, descriptors, disks, changelogs and lag over time, and the faults."""
    samples = thinned(found["samples"])
    minutes = [one["seconds"] / 60 for one in samples]
    workers = sorted({name for one in samples for name in one["memory_mb"]})
    figure = Figure(figsize=(9, 8), layout="constrained")
    all_axes = list(figure.subplots(5, 1, sharex=True))
    for axes, title, member in (
        (all_axes[0], "memory, MB", "memory_mb"),
        (all_axes[1], "descriptors", "descriptors"),
    ):
        for name, color in zip(workers, (OTHERS, OURS, SECOND), strict=False):
            values = [one[member].get(name) for one in samples]
            axes.plot(minutes, values, color=color, linewidth=1, label=name)
        axes.set_title(title)
    for axes, title, member in (
        (all_axes[2], "disk of all workers, MB", "disk_mb"),
        (all_axes[3], "changelogs on the broker, MB", "changelogs_mb"),
        (all_axes[4], "lag, records", "lag"),
    ):
        axes.plot(minutes, [one[member] for one in samples], color=OURS, linewidth=1)
        axes.set_title(title)
    for axes in all_axes:
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    faults = [one["seconds"] / 60 for one in found["faults"]]
    all_axes[0].plot(faults, [0.0] * len(faults), "|", color=SECOND, label="a fault")
    all_axes[0].legend(frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1, 1))
    figure.supxlabel(
        f"minutes at {found['rate']:,.0f} events/s, {found['guarantee']}; {on([found])}", fontsize=9
    )
    return figure


def days(found: dict[str, Any]) -> Figure:
    """Return memory, rows of open windows and the size on disk over days of event time."""
    samples = thinned(found["samples"])
    at = [one["days"] for one in samples]
    figure = Figure(figsize=(7, 5), layout="constrained")
    for axes, title, member in zip(
        figure.subplots(3, 1, sharex=True),
        ("resident, MB", "rows of open windows", "RocksDB on disk, MB"),
        ("memory_mb", "rows", "disk_mb"),
        strict=True,
    ):
        axes.plot(at, [one[member] for one in samples], color=OURS, linewidth=1)
        axes.set_title(title)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    lines, events = found["plan"]["lines"], found["plan"]["events"]
    figure.supxlabel(
        f"days of event time; {lines:,} lines, {events:,} events; {on([found])}", fontsize=9
    )
    return figure


def thinned(samples: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return so many samples, evenly spaced, that a drawing isn't too large."""
    return samples[:: -(-len(samples) // SAMPLES_MAX)]


def middle(figures: Sequence[float]) -> float:
    """Return the median, of an even number the upper one of the two in the middle."""
    return sorted(figures)[len(figures) // 2]


def on(measured: Sequence[dict[str, Any]]) -> str:
    """Return when it was measured, and of which commits."""
    machines = [one["machine"] for one in measured]
    sentences = dict.fromkeys(f"{one['measured']}, lineside {one['lineside']}" for one in machines)
    return "; ".join(sentences)


if __name__ == "__main__":
    main()
