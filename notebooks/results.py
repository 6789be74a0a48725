"""Reads the stored results of `./cpr figure`, `./cpr crash` and `./cpr mutants` into DataFrames.

Where they are: the folder that the environment variable CPR_STORE names; without it `store/` of the
repository, if that holds a result; else `notebooks/sample`, real results of a quick run.

    store = Store()
    run = store.figure("cpr-12b")       # its newest complete run
    run.metrics()                       # a row for each cell (series, x, round), a column for each metric
    run.samples()                       # what was sampled over time, all cells below each other

Numbers have the units that the measuring program gave them; a metric's name ends with its unit ("_seconds",
"_ns", "_percent"). Files that are missing, broken or of another form raise BadResult, one line that names
the file. Nothing here writes.
"""
import json
import os
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "sample"
# A folder of results is at most so far below the store's: figures/<UTC time>/figure-<name>.
DEPTH = 4
CELL = ["series", "x", "round"]


class BadResult(Exception):
    """A stored result that cannot be read. Its text is one line and names the file."""

    def _render_traceback_(self):  # what a notebook shows instead of a page of frames
        return [f"BadResult: {self}"]


def store_folder():
    """The folder to read from (see above). BadResult if CPR_STORE names no folder."""
    named = os.environ.get("CPR_STORE", "")
    if named:
        if not Path(named).is_dir():
            raise BadResult(f"{named}: no such folder (CPR_STORE names it)")
        return Path(named)
    own = HERE.parent / "store"
    return own if next(result_files(own), None) else SAMPLE


def result_files(folder):
    """Every results.json in and below a folder, each once, whatever links lead to it."""
    folder = Path(folder)
    seen = set()
    for depth in range(DEPTH + 1):
        for file in sorted(folder.glob("*/" * depth + "results.json")):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def read_json(file):
    """The JSON of a file. BadResult if it is not there or not JSON."""
    try:
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        raise BadResult(f"{file}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadResult(f"{file}: cannot be read ({error})") from None
    except json.JSONDecodeError as error:
        raise BadResult(f"{file}: not JSON ({error})") from None


def member(json_object, name, kind, file):
    """json_object[name], which has to be of the Python type `kind` (or one of a tuple of them)."""
    if not isinstance(json_object, dict) or name not in json_object:
        raise BadResult(f"{file}: has no member \"{name}\"")
    value = json_object[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
        raise BadResult(f"{file}: \"{name}\" is of a wrong type")
    return value


def read_csv(file, columns):
    """A table with at least these columns. BadResult if it is not there, broken, or lacks one of them."""
    try:
        table = pd.read_csv(file)
    except FileNotFoundError:
        raise BadResult(f"{file}: no such file") from None
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise BadResult(f"{file}: not a table ({str(error).strip()})") from None
    for name in columns:
        if name not in table.columns:
            raise BadResult(f"{file}: has no column \"{name}\"")
    return table


class FigureRun:
    """One run of one figure: a folder with results.json and cells/ (form: experiments/figures/README.md)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "results.json"
        self.data = read_json(self.file)
        self.name = member(self.data, "figure", str, self.file)
        self.title = member(self.data, "title", str, self.file)
        self.paper = member(self.data, "paper", str, self.file)
        self.setting = member(self.data, "setting", str, self.file)
        self.scale = member(self.data, "scale", str, self.file)
        self.complete = member(self.data, "complete", bool, self.file)
        self.definition = member(self.data, "definition", dict, self.file)
        # A figure that shows another one's cells has no series, x and scales of its own.
        base = self.data.get("cells_definition")
        self.grid = base if isinstance(base, dict) else self.definition
        self.plot = member(self.definition, "plot", dict, self.file)
        self.axes = member(self.definition, "axes", dict, self.file)
        self.series = [member(one, "name", str, self.file)
                       for one in member(self.grid, "series", list, self.file)]
        self.exact = bool(self.grid.get("exact", False))
        self._cells = member(self.data, "cells", list, self.file)
        for cell in self._cells:
            member(cell, "folder", str, self.file)
            member(cell, "series", str, self.file)
            member(cell, "x", str, self.file)
            member(cell, "round", int, self.file)
            member(cell, "metrics", dict, self.file)

    def environment(self):
        """Machine, compiler and commit of the last part of the run: a dict; memory in bytes."""
        environments = member(self.data, "environments", list, self.file)
        return environments[-1] if environments else {}

    @property
    def time(self):
        """When it was measured: "20260101T120000Z", or "" if the run does not say."""
        return str(self.environment().get("time", ""))

    @property
    def x(self):
        """The labels of x that its scale measures, in the definition's order; [""] of a figure without x."""
        if "x" not in self.grid:
            return [""]
        chosen = self._scale().get("x")
        labels = list(self.x_numbers().index)
        if chosen is None:
            return labels
        chosen = {one if isinstance(one, str) else json.dumps(one) for one in chosen}
        return [label for label in labels if label in chosen]

    def x_numbers(self):
        """Series: the number behind each label of x; NaN of a category."""
        numbers = {}
        for value in self.grid.get("x", {}).get("values", []):
            if isinstance(value, dict):
                numbers[member(value, "label", str, self.file)] = float(value.get("number", "nan"))
            elif isinstance(value, str):
                numbers[value] = float("nan")
            else:
                numbers[json.dumps(value)] = float(value)
        return pd.Series(numbers, dtype=float)

    @property
    def rounds(self):
        """How many rounds were measured, or planned, of all cells but those in `further`."""
        if "rounds" in self.data:
            return member(self.data, "rounds", int, self.file)
        return member(self._scale(), "rounds", int, self.file)

    @property
    def further(self):
        """The rounds of the cells that have more, by (series, x): noise hid a claim about them."""
        return {(member(cell, "series", str, self.file), member(cell, "x", str, self.file)):
                member(cell, "rounds", int, self.file) for cell in self.data.get("further", [])}

    def _scale(self):
        return member(member(self.grid, "scales", dict, self.file), self.scale, dict, self.file)

    def cells(self):
        """A row for each cell: series, x, round (from 0), threads, oversubscribed (more threads than cores),
        seconds and cpu_seconds of its process, resident_bytes, folder."""
        names = CELL + ["threads", "oversubscribed", "seconds", "cpu_seconds", "resident_bytes", "folder"]
        return pd.DataFrame([{name: cell.get(name) for name in names} for cell in self._cells], columns=names)

    def metrics(self):
        """A row for each cell, indexed by series, x and round; a column for each metric, NaN where a cell
        has none of that name."""
        frame = pd.DataFrame([{**{name: cell[name] for name in CELL}, **{
            f"metric {name}": value for name, value in cell["metrics"].items()}} for cell in self._cells])
        if frame.empty:
            raise BadResult(f"{self.file}: has no cells")
        frame = frame.set_index(CELL)
        return frame.rename(columns=lambda name: name[len("metric "):])

    def summary(self, metric, factor=1.0):
        """Median, least and greatest of a metric over the rounds, times `factor`: a row for each series and
        x, in the definition's order."""
        metrics = self.metrics()
        if metric not in metrics:
            raise BadResult(f"{self.file}: no cell has a metric \"{metric}\"")
        by_cell = (metrics[metric] * factor).groupby(level=["series", "x"], sort=False)
        table = pd.DataFrame({"median": by_cell.median(), "least": by_cell.min(), "greatest": by_cell.max()})
        order = [(s, x) for s in self.series for x in self.x if (s, x) in table.index]
        return table.loc[order]

    def _tables(self, file_name, columns):
        packed = self.folder / "cells" / file_name  # a sample's: the tables of all cells in one
        if packed.exists():
            table = read_csv(packed, ["cell"] + columns)
            if not table["cell"].isin(range(len(self._cells))).all():
                raise BadResult(f"{packed}: names a cell that {self.file} does not have")
            for place, name in enumerate(CELL):
                table.insert(place, name, [self._cells[cell][name] for cell in table["cell"]])
            return table.drop(columns="cell")
        if next(packed.parent.glob("*.csv"), None):
            return pd.DataFrame(columns=CELL + columns)
        tables = []
        for cell in self._cells:
            file = self.folder / cell["folder"] / file_name
            if not file.exists() and file.parent.is_dir():
                continue  # a program that samples nothing leaves no such file
            table = read_csv(file, columns)
            for place, name in enumerate(CELL):
                table.insert(place, name, cell[name])
            tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CELL + columns)

    def samples(self):
        """samples.csv of all cells: series, x, round, seconds since the start, and what was sampled."""
        return self._tables("samples.csv", ["seconds"])

    def checkpoints(self):
        """checkpoints.csv of all cells: series, x, round, number (from 0), kind, backend, requested, durable
        (seconds since the start), status, and the second at which each phase began."""
        table = self._tables("checkpoints.csv", ["kind", "backend", "requested", "durable", "status"])
        table.insert(len(CELL), "number", table.groupby(CELL).cumcount() if len(table) else [])
        return table

    def judgements(self):
        """A row for each claim, as it was judged when the run ended: text, source, robust, bound, measured,
        verdict, and per round the least and the greatest number of its expression."""
        rows = member(self.data, "claims", list, self.file)
        names = ["text", "source", "robust", "bound", "measured", "verdict", "numbers"]
        return pd.DataFrame([{name: member(row, name, object, self.file) for name in names} for row in rows],
                            columns=names)


class Execution:
    """One execution of a campaign, as a finding or --record stores it (experiments/crash/README.md)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.verdict = read_json(self.folder / "verdict.json")
        for name in ("rule", "what", "crash", "explanation"):
            member(self.verdict, name, str, self.folder / "verdict.json")
        self.scenario = read_json(self.folder / "scenario.json")
        self.run = member(self.scenario, "run", dict, self.folder / "scenario.json")
        self.file = self.folder / "history.jsonl"
        self.events = self._events()

    def _events(self):
        events = []
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadResult(f"{self.file}: cannot be read ({error})") from None
        for number, line in enumerate(lines, 1):
            try:
                events.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise BadResult(f"{self.file}: line {number} is not JSON ({error})") from None
            member(events[-1], "event", str, f"{self.file}, line {number}")
        if not events or events[0]["event"] != "history" or events[0].get("format") != 1:
            raise BadResult(f"{self.file}: does not begin with a history of format 1")
        return events

    def of(self, event):
        """The events of one kind ("operation", "checkpoint", "recovery", ...), in the file's order: a
        DataFrame with the members of faults/oracle/FORMAT.md. Times are places in one global order."""
        return pd.DataFrame([{name: value for name, value in one.items() if name != "event"}
                             for one in self.events if one["event"] == event])

    def story(self):
        """The timeline as text, or "" if none was stored."""
        file = self.folder / "story.txt"
        return file.read_text(encoding="utf-8") if file.exists() else ""


class Campaign:
    """One crash campaign: a folder with results.json and findings/ (experiments/crash/README.md)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "results.json"
        self.data = read_json(self.file)
        self.executions = member(self.data, "executions", int, self.file)
        self.seconds = float(member(self.data, "seconds", (int, float), self.file))
        self.passed = member(self.data, "passed", bool, self.file)
        self.seed = member(self.data, "seed", str, self.file)
        self._coverage = member(self.data, "coverage", dict, self.file)
        self._findings = member(self.data, "findings", list, self.file)

    def counts(self):
        """Series: every count of results.json that is one number (executions, crashes, recoveries, ...)."""
        return pd.Series({name: value for name, value in self.data.items()
                          if isinstance(value, (int, float)) and not isinstance(value, bool)})

    def coverage(self):
        """A row for each kind of checkpoint and phase: executions that were there, crashes in it, recoveries
        after these, violations, and whether the kind has that phase at all (reachable)."""
        rows = []
        for kind, phases in self._coverage.items():
            for phase in phases:
                cell = member(phases, phase, dict, self.file)
                row = {"kind": kind, "phase": phase}
                for name in ("executions", "crashes", "recoveries", "violations", "reachable"):
                    row[name] = member(cell, name, bool if name == "reachable" else int, self.file)
                rows.append(row)
        return pd.DataFrame(rows)

    def families(self):
        """Series: executions by family of scenarios."""
        return pd.Series(self.data.get("executions_by_family", {}), dtype=float)

    def findings(self):
        """A row for each finding: rule, what, kind and phase of the crash, scenario, policy, seed, folder."""
        names = ["rule", "what", "kind", "phase", "scenario", "policy", "seed", "folder"]
        return pd.DataFrame([{name: one.get(name) for name in names} for one in self._findings],
                            columns=names)

    def stored(self):
        """The executions that it stored, in the order of their folders' names."""
        return [Execution(file.parent) for file in sorted(self.folder.glob("*/*/history.jsonl"))]


class Hunt:
    """One run of `./cpr mutants`: a folder with results.json and a campaign for each hunt."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "results.json"
        self.data = read_json(self.file)
        self._mutants = member(self.data, "mutants", list, self.file)

    def mutants(self):
        """A row for each planted bug: name, group, source, mode, expected rules, found, the rule that was
        violated, note, executions and seconds of the slowest of its hunts."""
        names = ["name", "group", "source", "mode", "expected", "found", "rule", "note", "executions",
                 "seconds"]
        return pd.DataFrame([{name: member(one, name, object, self.file) for name in names}
                             for one in self._mutants], columns=names)

    def seeds(self):
        """A row for each hunt: name of the bug, seed, found, rule, executions and seconds to the first
        violation."""
        return pd.DataFrame([{"name": one["name"], **seed} for one in self._mutants
                             for seed in member(one, "seeds", list, self.file)])

    def campaigns(self, name):
        """The campaigns that hunted a bug, one for each seed."""
        return [Campaign(file.parent) for file in sorted((self.folder / name).glob("hunt*/results.json"))]


class Store:
    """All results below a folder (default: store_folder()). Results of other subcommands are passed over."""

    def __init__(self, folder=None):
        self.folder = Path(folder) if folder else store_folder()
        if not self.folder.is_dir():
            raise BadResult(f"{self.folder}: no such folder")
        self.runs, self.campaigns, self.hunts = [], [], []
        hunting = []
        for file in result_files(self.folder):
            data = read_json(file)
            if not isinstance(data, dict):
                raise BadResult(f"{file}: not a JSON object")
            if "definition" in data:
                run = FigureRun(file.parent)
                if len(run.cells()):  # else nothing of it has been measured yet
                    self.runs.append(run)
            elif "mutants" in data:
                self.hunts.append(Hunt(file.parent))
                hunting.append(file.parent.resolve())
            elif "coverage" in data and data.get("mode") == "sim":
                if not any(folder in file.resolve().parents for folder in hunting):
                    self.campaigns.append(Campaign(file.parent))
        self.campaigns.sort(key=lambda one: one.executions)

    def figure(self, name):
        """The newest complete run of a figure; the newest if none is complete; None if there is none."""
        runs = [run for run in self.runs if run.name == name]
        return max(runs, key=lambda run: (run.complete, run.time, run.file.stat().st_mtime), default=None)

    def figures(self, paper=""):
        """The newest runs of all figures whose names begin with `paper`, by name."""
        names = sorted({run.name for run in self.runs if run.name.startswith(paper)})
        return [self.figure(name) for name in names]

    def has(self, *names):
        """Are all these figures there? Says how to measure those that are not."""
        lacking = [name for name in names if self.figure(name) is None]
        if lacking:
            print(f"not among the stored results: {', '.join(lacking)}; to measure them: "
                  f"./cpr figure {' '.join(lacking)} --quick")
        return not lacking


if __name__ == "__main__":
    import sys

    import sample

    sys.exit(sample.main(sys.argv[1:]))
