"""The results as one page that needs nothing else: plots, and the tables under them."""

import html
import io

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plot  # noqa: E402: after the choice of the backend

from contestants import AGAIN, SUBJECT
from workloads import CURVES

ROW_INCHES, WIDTH_INCHES, RATIO_MOST = 0.32, 10, 6
STYLE = """body { font: 16px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
svg { max-width: 100%; height: auto } pre { font-size: 12px; overflow-x: auto }"""


def make(outcome, report):
    """The page of results.Results `outcome`, whose tables are `report`."""
    names = [name for name in outcome.names if not name.endswith(AGAIN)]
    colours = {name: "black" if name == SUBJECT else f"C{i}" for i, name in enumerate(names)}
    figures = [("Time", _svg(_ratios(outcome, names, colours, "time"))),
               ("Peak RSS", _svg(_ratios(outcome, names, colours, "memory"))),
               *((f"A replacement, over {title}", _svg(_curve(outcome, names, colours, axis, title)))
                 for axis, title in CURVES.items() if outcome.points(axis))]
    host = outcome.raw["host"]
    parts = [f"<h1>Ashlar and its rivals, {html.escape(host['date'][:10])}</h1>",
             f"<p>{html.escape(host['processor'])}, kernel {html.escape(host['kernel'])}, {html.escape(host['libc'])}. "
             "Left is better. Each dot is a median, its line the 95 % interval; 1 is the best rival of that workload, so "
             "whatever lies left of 1 is better than everybody else.</p>",
             *(f"<h2>{html.escape(title)}</h2>{figure}" for title, figure in figures),
             f"<h2>All figures</h2><pre>{html.escape(report)}</pre>"]
    return ("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<title>Ashlar: bench</title><style>{STYLE}</style>{''.join(parts)}</html>\n")


def _svg(figure):
    """The figure as an element of a page; the words in it stay words."""
    buffer = io.StringIO()
    with plot.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight")
    plot.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg"):]


def _ratios(outcome, names, colours, quantity):
    """A row for each workload: every contestant's median over that of the best rival."""
    workloads = [name for name in outcome.contests() if outcome.workloads[name]["judges_" + quantity]]
    figure, axes = plot.subplots(figsize=(WIDTH_INCHES, 1 + ROW_INCHES * len(workloads)))
    for name in names:
        places, middles, lows, highs = [], [], [], []
        for row, workload in enumerate(workloads):
            best, cell = outcome.best(workload, quantity, outcome.yardsticks), outcome.cell(workload, name)
            if not (best and cell.valid):
                continue
            unit, estimate = outcome.median(workload, best, quantity), getattr(cell, quantity)
            places.append(row)
            low, middle, high = (min(value / unit, RATIO_MOST) for value in (estimate.low, estimate.median, estimate.high))
            middles.append(middle)
            lows.append(middle - low)
            highs.append(high - middle)
        axes.errorbar(middles, places, xerr=[lows, highs], fmt="D" if name == SUBJECT else "o", color=colours[name],
                      markersize=7 if name == SUBJECT else 5, linewidth=1, label=name, zorder=3 if name == SUBJECT else 2)
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    ticks = [0.5, 0.7, 1, 1.4, 2, 3, RATIO_MOST]
    axes.set_xticks(ticks, [str(tick) for tick in ticks[:-1]] + [f"{RATIO_MOST} or more"])
    axes.set_xticks([], minor=True)
    axes.set_yticks(range(len(workloads)), workloads)
    axes.invert_yaxis()
    axes.grid(axis="y", linewidth=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _curve(outcome, names, colours, axis, title):
    """What a replacement takes, and the peak RSS, at each point of the axis."""
    figure, (left, right) = plot.subplots(1, 2, figsize=(WIDTH_INCHES, 4))
    points = outcome.points(axis)
    places = [place for place, _ in points]
    for name in names:
        shape = {"color": colours[name], "marker": "D" if name == SUBJECT else "o", "markersize": 4, "label": name}
        left.plot(places, [outcome.cost(workload, name)[0] for _, workload in points], **shape)
        right.plot(places, [cell.memory.median / 1024 if cell.valid else float("nan")
                            for cell in (outcome.cell(workload, name) for _, workload in points)], **shape)
    left.plot(places, [outcome.cost(workload, SUBJECT if SUBJECT in names else names[0])[1] for _, workload in points],
              color="grey", linestyle="--", label="floor: no malloc")
    for axes, what in ((left, "ns"), (right, "peak RSS, MiB")):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(places, [str(place) for place in places])
        axes.set_xlabel(title)
        axes.set_ylabel(what)
        axes.grid(linewidth=0.3)
    left.legend(fontsize=8)
    figure.tight_layout()
    return figure
