"""Pictures and tables of stored results, in the house style of plots/style.h.

Pictures: medians of the rounds as lines, points or bars, and around them the least and the greatest round as
bands or whiskers. Colours are Okabe and Ito's, and every series has a mark and a dash besides. Each function
draws one picture and returns its axes.
"""
import html
import textwrap

import matplotlib.pyplot as plt
import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib_inline.config import InlineBackend

import judging
from results import BadResult, CELL

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"]
MARKS = ["o", "s", "^", "v", "D", "o", "s", "P"]
DASHES = ["-", "--", ":", "-.", "-", "--", ":", "-."]
HATCHES = ["", "////", "....", "\\\\\\\\", "xxxx", "", "----", "++++"]
VERDICTS = {"holds": ("#009E73", "o"), "not separable from noise": ("#E69F00", "s"),
            "does not hold": ("#D55E00", "X"), "not measured": ("#888888", "d")}
SHADE, DARK_SHADE = "#e9e9e9", "#cfcfcf"
WIDTH = 7.6  # inches


def use_house_style():
    """Sets matplotlib's defaults. Layouts are constrained, so a second one when a picture is stored is left
    out, which halves the time."""
    InlineBackend.instance().print_figure_kwargs = {"bbox_inches": None}
    plt.rcParams.update({
        "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "figure.dpi": 110,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#404040",
        "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#dddddd", "grid.linewidth": 0.6,
        "axes.axisbelow": True, "legend.frameon": False, "lines.linewidth": 1.4, "lines.markersize": 5,
        "errorbar.capsize": 2.5, "hatch.linewidth": 0.6, "hatch.color": "white"})


def style(place):
    """matplotlib's properties of the line and marks of a figure's series number `place`."""
    place %= len(COLOURS)
    return {"color": COLOURS[place], "linestyle": DASHES[place], "marker": MARKS[place],
            "markerfacecolor": "white" if place in (5, 6) else COLOURS[place]}


def _axis(run, which):
    axis = run.axes.get(which, {})
    return axis.get("label", ""), bool(axis.get("log", False)), float(axis.get("factor", 1))


def _limits(ax, log, top=None):
    if log:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        ax.set_ylim(0, top)


def legend(ax, columns=4):
    """The key above the axes, if there is more than one series."""
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 1:
        room = 13 * ax.figure.get_figwidth() * 0.88 / ax.get_subplotspec().get_gridspec().ncols  # characters
        columns = max(1, min(columns, int(room / (max(map(len, labels)) + 6))))
        ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncol=columns,
                  borderaxespad=0.2, handlelength=2.2, columnspacing=1.4)


# ---- over time ---------------------------------------------------------------------------------------------

def course(samples, column):
    """What a series sampled over time: seconds, median, least and greatest of the rounds. Samples of all
    rounds at nearly the same time (the median distance of samples) are one point, if at least half of the
    rounds have one there."""
    samples = samples.dropna(subset=[column]).sort_values(CELL + ["seconds"])
    width = samples.groupby(CELL)["seconds"].diff().median()
    if not width > 0:
        return pd.DataFrame(columns=["seconds", "median", "least", "greatest"])
    place = (samples["seconds"] / width + 0.5).apply(np.floor)
    grouped = samples.groupby(place)[column]
    table = pd.DataFrame({"median": grouped.median(), "least": grouped.min(), "greatest": grouped.max(),
                          "rounds": grouped.size()})
    table = table[2 * table["rounds"] >= samples["round"].nunique()].drop(columns="rounds")
    table.insert(0, "seconds", table.index * width)
    return table.reset_index(drop=True)


def spans(checkpoints):
    """From when to when checkpoints ran, medians over the rounds: requested, durable, and wait_flush and
    flushed (NaN where the phases were not noted); a row for each checkpoint."""
    columns = {"requested": "requested", "durable": "durable", "wait_flush": "wait_flush",
               "persistence_callback": "flushed"}
    rows = [{new: number[old].median() if old in number else np.nan for old, new in columns.items()}
            for _, number in checkpoints.groupby("number")]
    return pd.DataFrame(rows, columns=list(columns.values()))


def _shade(ax, checkpoints):
    for span in spans(checkpoints).itertuples():
        if np.isfinite(span.requested) and np.isfinite(span.durable):
            ax.axvspan(span.requested, span.durable, color=SHADE, lw=0, zorder=0)
        if np.isfinite(span.wait_flush) and np.isfinite(span.flushed):
            ax.axvspan(span.wait_flush, span.flushed, color=DARK_SHADE, lw=0, zorder=0.1)


def time_series(run, column=None, columns=2, each_round=False):
    """A panel for each series: the median of the rounds over time, the rounds' spread as a band (or each
    round as a thin line), and its checkpoints shaded: from the request on, darker in WAIT_FLUSH."""
    column = column or run.plot["y"]
    label, log, factor = _axis(run, "y")
    samples, checkpoints = run.samples(), run.checkpoints()
    if column not in samples:
        raise BadResult(f"{run.folder}: no cell has samples of \"{column}\"")
    samples[column] = samples[column] * factor
    rows = -(-len(run.series) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 0.5 + 1.55 * rows), sharex=True, sharey=True,
                                squeeze=False, layout="constrained")
    for place, (ax, name) in enumerate(zip(grid.flat, run.series)):
        mine, colour = samples[samples["series"] == name], COLOURS[place % len(COLOURS)]
        _shade(ax, checkpoints[checkpoints["series"] == name])
        table = course(mine, column)
        if each_round:
            for _, one in mine.groupby("round"):
                ax.plot(one["seconds"], one[column], color=colour, lw=0.5, alpha=0.6)
        else:
            ax.fill_between(table["seconds"], table["least"], table["greatest"], color=colour, alpha=0.25,
                            lw=0)
        ax.plot(table["seconds"], table["median"], color=colour)
        ax.set_title(name, loc="left", color=colour)
        ax.grid(False, axis="x")
    _limits(grid[0, 0], log)
    for ax in list(grid.flat)[len(run.series):]:
        ax.set_visible(False)
    figure.supxlabel(_axis(run, "x")[0], fontsize=9)
    figure.supylabel(label, fontsize=9)
    return grid


# ---- metrics -----------------------------------------------------------------------------------------------

def _whiskers(table):
    return [table["median"] - table["least"], table["greatest"] - table["median"]]


def _of_series(table, name, labels):
    return table.xs(name, level="series").reindex(labels)


def lines(run, metric=None, ax=None):
    """A line for each series over x; x to scale if all its values are numbers."""
    label, log, factor = _axis(run, "y")
    x_label, x_log, x_factor = _axis(run, "x")
    table = run.summary(metric or run.plot["y"], factor)
    ax = ax or plt.subplots(figsize=(WIDTH * 0.72, 2.7), layout="constrained")[1]
    numbers = run.x_numbers().reindex(run.x) * x_factor
    to_scale = bool(numbers.notna().all())
    at = numbers.to_numpy() if to_scale else np.arange(len(run.x))
    for place, name in enumerate(run.series):
        mine = _of_series(table, name, run.x)
        ax.errorbar(at, mine["median"], yerr=_whiskers(mine), label=name, elinewidth=0.9, **style(place))
    if to_scale and x_log:
        ax.set_xscale("log")
    ax.set_xticks(at, run.x)
    ax.minorticks_off()
    ax.set_xlabel(x_label)
    ax.set_ylabel(label)
    _limits(ax, log)
    legend(ax)
    return ax


def _grouped(ax, groups, names, values, labels):
    """Bars: a cluster for each group, in it one for each name; values[name] is indexed by group, and so is
    labels[name], numbers that are written above the bars."""
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        at = np.arange(len(groups)) + (place - (len(names) - 1) / 2) * width
        look, mine = place % len(COLOURS), values[name]
        ax.bar(at, mine["median"], width * 0.94, color=COLOURS[look], hatch=HATCHES[look], label=name)
        ax.errorbar(at, mine["median"], yerr=_whiskers(mine), fmt="none", ecolor="#202020", elinewidth=0.9)
        if name in labels:
            for one, top, text in zip(at, mine["greatest"], labels[name]):
                ax.annotate(f"{text:.3g}", (one, top), (0, 2), textcoords="offset points", ha="center",
                            fontsize=7.5)
    ax.set_xticks(np.arange(len(groups)), groups)


def bars(run, metric=None, ax=None):
    """Bars: a cluster for each x (each metric, if the figure shows several), in it one for each series."""
    label, log, factor = _axis(run, "y")
    shown = metric or run.plot["y"]
    ax = ax or plt.subplots(figsize=(WIDTH * 0.9, 2.7), layout="constrained")[1]
    if isinstance(shown, list):
        tables = {one: run.summary(one, factor) for one in shown}
        names = [(s, x) for s in run.series for x in run.x]
        values = {", ".join(filter(None, name)): pd.DataFrame([tables[one].loc[name] for one in shown])
                  for name in names}
        _grouped(ax, run.plot.get("y_names", shown), list(values), values, {})
        ax.tick_params(axis="x", labelsize=8)
    elif run.x == [""]:
        table = run.summary(shown, factor)
        _grouped(ax, run.series, [run.series[0]], {run.series[0]: table}, {})
    else:
        table = run.summary(shown, factor)
        above = run.plot.get("label") if metric is None else None
        above = run.summary(above) if above else None
        _grouped(ax, run.x, run.series, {name: _of_series(table, name, run.x) for name in run.series},
                 {} if above is None else {name: _of_series(above, name, run.x)["median"]
                                           for name in run.series})
    ax.set_xlabel(_axis(run, "x")[0])
    ax.set_ylabel(label)
    _limits(ax, log)
    legend(ax)
    return ax


def stacked(run):
    """A bar for each x and series, its parts (medians) one above the other."""
    parts, names = run.plot["y"], run.plot.get("y_names", run.plot["y"])
    tables = [run.summary(part, _axis(run, "y")[2])["median"] for part in parts]
    places = [(s, x) for x in run.x for s in run.series]
    ax = plt.subplots(figsize=(WIDTH, 2.9), layout="constrained")[1]
    gap = np.repeat(np.arange(len(run.x)) * 0.6, len(run.series))
    at = np.arange(len(places)) + gap
    below = np.zeros(len(places))
    for place, (table, name) in enumerate(zip(tables, names)):
        heights = np.array([table.get(one, np.nan) for one in places])
        ax.bar(at, heights, 0.75, bottom=below, color=COLOURS[place], hatch=HATCHES[place], label=name)
        below = below + np.nan_to_num(heights)
    ax.set_xticks(at, [s for s, _ in places], rotation=0)
    for number, x in enumerate(run.x):
        middle = at[number * len(run.series):(number + 1) * len(run.series)].mean()
        ax.text(middle, -0.14, x, ha="center", va="top", transform=ax.get_xaxis_transform(), color="#606060")
    ax.set_ylabel(_axis(run, "y")[0])
    ax.set_ylim(0, 1.06 * below.max())
    legend(ax)
    return ax


def draw(run):
    """The figure as its definition says."""
    kind = run.plot["kind"]
    if kind == "time series":
        return time_series(run)
    return {"lines": lines, "bars": bars, "stacked bars": stacked}[kind](run)


# ---- claims ------------------------------------------------------------------------------------------------

def _strip(ax, claim, stored, exact):
    low, high = judging.bounds(claim)
    shown = stored.numbers
    numbers = [value for values in shown for value in values if value is not None]
    if not numbers:
        return
    colour, _ = VERDICTS[stored.verdict]
    ends = numbers + [bound for bound in (low, high) if bound is not None]
    log = min(ends) > 0 and max(ends) > 30 * min(ends)
    if log:
        ax.set_xscale("log")
        left, right = min(ends) / 1.6, max(ends) * 1.6
    else:
        room = 0.12 * (max(ends) - min(ends)) or 0.1 * max(abs(ends[0]), 1)
        left, right = min(ends) - room, max(ends) + room
    ax.set_xlim(left, right)
    ax.axvspan(left if low is None else low, right if high is None else high, color="#e3f1ea", lw=0, zorder=0)
    for bound in (low, high):
        if bound is not None:
            ax.axvline(bound, color="#404040", lw=1, linestyle="--")
    for place, values in enumerate(shown):
        y = np.full(len(values), 0.5 if len(shown) == 1 else 0.2 + 0.6 * place / (len(shown) - 1))
        interval = None if exact else judging.median_interval(values)
        if interval:
            ax.plot(interval, y[:2], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        ax.plot(values, y, linestyle="none", marker="D" if exact else "o", markersize=4.5, color=colour,
                markerfacecolor="none" if len(values) > 1 else colour)


def claim_strips(run, only=None):
    """A strip for each claim (or the claims with these numbers), a row in it for each number of its
    expression: each round's number as a ring, the interval
    of their median as a bar, the bound dashed, and what it allows in pale green."""
    claims, stored = run.definition["claims"], run.judgements()
    chosen = list(only) if only is not None else list(range(len(claims)))
    texts = [textwrap.wrap(stored.iloc[number]["text"], 92) for number in chosen]
    heights = [0.46 + 0.13 * max(len(lines), 2) for lines in texts]
    figure, axes = plt.subplots(len(chosen), 1, figsize=(WIDTH, sum(heights) + 0.1), squeeze=False,
                                layout="constrained", gridspec_kw={"height_ratios": heights})
    for ax, number, lines in zip(axes.flat, chosen, texts):
        row = stored.iloc[number]
        _strip(ax, claims[number], row, run.exact)
        ax.set_yticks([])
        ax.set_ylim(0, 1)
        ax.grid(False)
        ax.spines["left"].set_visible(False)
        ax.tick_params(labelsize=8, pad=1)
        ax.set_title("\n".join(lines), loc="left", fontsize=8.5, pad=3)
        ax.set_title(row["verdict"], loc="right", fontsize=8.5, pad=3, color=VERDICTS[row["verdict"]][0],
                     fontweight="bold")
    return axes


_CELL_COLOURS = {"holds": "#dff0e6", "not separable from noise": "#f4f0d8", "does not hold": "#f8dcd0",
                 "not measured": "#e8e8e8"}


def claims_table(runs):
    """HTML: the claims of a run, or of several, with bound, measured value and verdict."""
    runs = runs if isinstance(runs, list) else [runs]
    rows = []
    for run in runs:
        for claim in run.judgements().itertuples():
            source = claim.source + ("" if claim.robust else "; not robust")
            cells = [run.name.replace("-", "&#8209;")] if len(runs) > 1 else []
            cells += [f"{html.escape(claim.text)} <small>({html.escape(source)})</small>",
                      html.escape(claim.bound), html.escape(claim.measured)]
            rows.append("".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) +
                        f"<td style='text-align:left;background:{_CELL_COLOURS[claim.verdict]}'>"
                        f"{claim.verdict}</td>")
    says = "claim" if all(run.name.startswith("own-") for run in runs) else "the paper says"
    heads = (["figure"] if len(runs) > 1 else []) + [says, "bound", "measured here", "verdict"]
    head = "".join(f"<th style='text-align:left'>{one}</th>" for one in heads)
    return HTML(f"<table><tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")


def setting(run):
    """Markdown: in what the figure's setting here differs from the paper's."""
    return Markdown(f"> {run.name} here: {run.setting}")


def verdict_counts(runs):
    """How many claims there are by verdict: a column for all, one for those that are robust."""
    claims = pd.concat([run.judgements() for run in runs], ignore_index=True)
    table = pd.DataFrame({"all claims": claims["verdict"].value_counts(),
                          "robust": claims[claims["robust"]]["verdict"].value_counts()})
    return table.reindex(list(VERDICTS)).fillna(0).astype(int)


def verdict_picture(runs):
    """A row for each figure, in it a mark for each claim by its verdict; hollow: not robust."""
    height = 0.19 * len(runs) + 0.7
    ax = plt.subplots(figsize=(WIDTH * 0.8, height), layout="constrained")[1]
    for row, run in enumerate(runs):
        for at, claim in enumerate(run.judgements().itertuples()):
            colour, mark = VERDICTS[claim.verdict]
            ax.plot(at, row, mark, color=colour, markersize=7, linestyle="none",
                    markerfacecolor=colour if claim.robust else "white")
    for verdict, (colour, mark) in VERDICTS.items():
        ax.plot([], [], mark, color=colour, label=verdict, linestyle="none")
    ax.set_yticks(range(len(runs)), [run.name for run in runs])
    ax.set_ylim(len(runs) - 0.4, -0.6)
    ax.set_xlim(-0.6, max(12, max(len(run.judgements()) for run in runs)))
    ax.set_xticks([])
    ax.grid(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    legend(ax)
    return ax


def rounds_picture(runs, ax=None):
    """How far rounds differ: for each figure, of each of its cells, the greatest round over the least of the
    metric that it shows. 1 is no difference."""
    shown = [run for run in runs if not run.exact and run.plot["kind"] != "time series"
             and isinstance(run.plot["y"], str)]
    ax = ax or plt.subplots(figsize=(WIDTH * 0.8, 0.22 * len(shown) + 0.7), layout="constrained")[1]
    for row, run in enumerate(shown):
        table = run.summary(run.plot["y"])
        spread = (table["greatest"] / table["least"]).replace([np.inf, -np.inf], np.nan).dropna()
        ax.plot(spread, np.full(len(spread), row), "o", color=COLOURS[0], markerfacecolor="none")
        if len(spread):
            ax.plot(spread.median(), row, "|", color=COLOURS[1], markersize=11, markeredgewidth=2)
    ax.set_yticks(range(len(shown)), [run.name for run in shown])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 1.5, 2, 3, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.set_xlabel("greatest round / least round (one ring a cell; bar: median of the cells)")
    return ax
