"""Makes the small sample that the notebooks read in a fresh clone, from the folders of real runs.

    python3 notebooks/results.py sample RUN... --out notebooks/sample

RUN is any folder with results in it or below it: of `./cpr figure` (a figure or a session of several), of
`./cpr crash`, of `./cpr mutants`. The newest run of each figure goes into the sample, all campaigns, and all
hunts. Nothing is made up: numbers are only left out (parameters of cells, metrics that nobody asks for,
samples over time that no notebook draws, most stored executions) or rounded, metrics to twelve digits,
samples to five. Absolute paths lose their folders. What was in --out before is removed.
"""
import argparse
import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd

from results import BadResult, Store

CELL_MEMBERS = ["folder", "series", "x", "round", "oversubscribed"]
# Metrics that the notebooks ask for besides those of claims and pictures.
METRICS = re.compile("(dip|lost_seconds)_[0-9]|log_growth|phase_wait_flush_seconds|latency_(spike|rest)_ns|"
                     "commit_interval|appended_percent|memory_mb|read_mb|memory_over_region|ns_per_record")
# Figures of which the notebooks draw courses over time.
COURSES = ["cpr-11a", "cpr-12b", "cpr-12d", "cpr-13a", "cpr-14a", "cpr-14b", "cpr-18c", "cpr-18d", "f2-3"]
PASSING, LARGEST_HISTORY = 3, 40_000  # stored executions of a campaign, bytes of each
CHECKPOINT_COLUMNS = ["kind", "backend", "requested", "durable", "status", "wait_flush",
                      "persistence_callback"]
_ABSOLUTE = re.compile(r"(?:(?<=[\s'\"=:(])|(?<=-[IL])|^)/(?:[^\s'\"/]+/)+([^\s'\"/]*)")


def without_paths(value):
    """The same JSON with absolute paths in its texts cut to their last part."""
    if isinstance(value, dict):
        return {name: without_paths(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_paths(one) for one in value]
    return _ABSOLUTE.sub(r"\1", value) if isinstance(value, str) else value


def _write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _text(data, by_line=()):
    """JSON, a member a line; of the lists named in `by_line` an item a line."""
    lines = []
    for name, value in data.items():
        if name in by_line and value:
            items = ",\n".join(" " + json.dumps(one, separators=(",", ":")) for one in value)
            lines.append(f"{json.dumps(name)}:[\n{items}]")
        else:
            lines.append(f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}")
    return "{" + ",\n".join(lines) + "}\n"


def _packed(run, table, columns):
    """A table of all cells as one: `cell` is the place in results.json."""
    cells = run.data["cells"]
    places = {(cell["series"], cell["x"], cell["round"]): place for place, cell in enumerate(cells)}
    table = table.copy()
    table.insert(0, "cell", [places[key] for key in zip(table["series"], table["x"], table["round"])])
    return table[["cell"] + [name for name in columns if name in table]]


def _named(value):
    """Every text behind a "metric" somewhere in a claim."""
    if isinstance(value, dict):
        own = {value["metric"]} if isinstance(value.get("metric"), str) else set()
        return own.union(*map(_named, value.values()))
    return set().union(*map(_named, value)) if isinstance(value, list) else set()


def _short(value):
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def write_figure(run, out):
    data = without_paths(dict(run.data))
    shown = run.plot["y"] if isinstance(run.plot["y"], list) else [run.plot["y"]]
    wanted = _named(run.definition["claims"]).union(shown)
    cells = []
    for cell in data["cells"]:
        metrics = {name: _short(value) for name, value in cell["metrics"].items()
                   if name in wanted or METRICS.fullmatch(name)}
        cells.append({**{name: cell[name] for name in CELL_MEMBERS if name in cell}, "metrics": metrics})
    data["cells"] = cells
    data["claims"] = [{name: _short(value) for name, value in claim.items()} for claim in data["claims"]]
    data["environments"] = data["environments"][-1:]
    folder = out / "figures" / run.name
    _write(folder / "results.json", _text(data, ("cells", "claims")))
    if run.name in COURSES:
        samples = _packed(run, run.samples(), ["seconds", run.plot["y"]])
        _write(folder / "cells" / "samples.csv", samples.to_csv(index=False, float_format="%.5g"))
    checkpoints = run.checkpoints()
    if len(checkpoints):
        _write(folder / "cells" / "checkpoints.csv",
               _packed(run, checkpoints, CHECKPOINT_COLUMNS).to_csv(index=False, float_format="%.6g"))


def write_campaign(campaign, folder, keep):
    data = dict(campaign.data)
    data["findings"] = []
    for finding in campaign.data["findings"]:
        name = Path(finding["folder"]).name
        data["findings"].append({**finding, "folder": f"findings/{name}",
                                 "replay": f"./cpr replay findings/{name}"})
    _write(folder / "results.json", _text(without_paths(data), ("findings",)))
    for execution in keep:
        to = folder / execution.folder.parent.name / execution.folder.name
        for name in ("scenario.json", "verdict.json"):
            text = json.dumps(without_paths(json.loads((execution.folder / name).read_text())), indent=1)
            _write(to / name, text + "\n")
        shutil.copy(execution.file, to / "history.jsonl")
        if execution.verdict["rule"]:  # the timeline of what passed is not shown
            _write(to / "story.txt", execution.story())


def passing(campaign):
    """The first executions of a campaign that passed and are not large."""
    return [one for one in campaign.stored()
            if not one.verdict["rule"] and one.file.stat().st_size < LARGEST_HISTORY][:PASSING]


def write_hunt(hunt, folder):
    _write(folder / "results.json", _text(without_paths(dict(hunt.data)), ("mutants",)))
    # Of all its findings the shortest in which a key went wrong.
    found = [(one.file.stat().st_size, str(one.file), name, campaign, one)
             for name in hunt.mutants()["name"] for campaign in hunt.campaigns(name)
             for one in campaign.stored() if one.verdict["rule"] == "R4" and "key" in one.verdict]
    for _, _, name, campaign, execution in sorted(found, key=lambda one: one[:2])[:1]:
        write_campaign(campaign, folder / name / campaign.folder.name, [execution])


def _commands(store):
    """The commands that made the results, as far as the results say."""
    figures = [run.name for run in store.figures()]
    lines = []
    if figures:
        quick = " --quick" if store.figures()[0].scale == "quick" else ""
        what = "--all" if len(figures) > 40 else " ".join(figures)
        lines.append(f"./cpr figure {what}{quick}")
    for one in store.campaigns:
        recorded = sum(execution.folder.parent.name == "recorded" for execution in one.stored())
        record = f" --record {recorded}" if recorded else ""
        lines.append(f"./cpr crash {one.seed} --executions {one.executions}{record}")
    for hunt in store.hunts:
        seeds = len(hunt.seeds()["seed"].unique())
        names = " ".join(hunt.mutants()["name"])
        lines.append(f"./cpr mutants --seed {hunt.data['seed']} --seeds {seeds} "
                     f"--seconds {hunt.data.get('seconds_per_mutant', 60)} {names}")
    return lines


def readme(store):
    environment = store.figures()[0].environment() if store.figures() else {}
    gigabytes = environment.get("memory_bytes", 0) / 1e9
    words = [environment.get(name, "?") for name in ("kernel", "file_system", "compiler")]
    machine = (f"{environment.get('cpu', '?')}, {environment.get('cores', '?')} cores, {gigabytes:.0f} GB "
               f"of memory, {', '.join(words)}")
    commits = sorted({str(run.environment().get("commit", ""))[:12] for run in store.figures()} - {""})
    commands = "\n".join(f"    {line}" for line in _commands(store))
    return f"""# Stored results for the notebooks

Real results of a short run, so that the notebooks work in a fresh clone. Made by

{commands}

on one machine: {machine}; source at {', '.join(commits)}. Each figure's `results.json` says the machine and
time of its own run. `python3 notebooks/results.py sample RUN... --out notebooks/sample` made this folder of
them, and says there what it left out.
"""


def make(sources, out):
    """Writes the sample of the runs in `sources` to the folder `out`."""
    store = Store(sources[0])
    for source in sources[1:]:
        other = Store(source)
        store.runs += other.runs
        store.campaigns += other.campaigns
        store.hunts += other.hunts
    if not (store.runs or store.campaigns or store.hunts):
        raise BadResult(f"{sources[0]}: holds no results")
    store.campaigns.sort(key=lambda one: one.executions)
    out = Path(out)
    new = out.parent / (out.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    for run in store.figures():
        write_figure(run, new)
    for number, campaign in enumerate(store.campaigns, 1):
        keep = passing(campaign) if campaign is store.campaigns[-1] else []
        write_campaign(campaign, new / "crash" / f"{number}-{campaign.executions}", keep)
    for number, hunt in enumerate(store.hunts, 1):
        write_hunt(hunt, new / "mutants" / str(number))
    _write(new / "README.md", readme(store))
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)
    return store


def main(words):
    parser = argparse.ArgumentParser(prog="results.py", description="Stored results for the notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("sample", help="make the small sample from the folders of real runs")
    one.add_argument("runs", nargs="+", metavar="RUN", help="a folder with results in it or below it")
    one.add_argument("--out", required=True, metavar="DIR", help="the sample; what is there is replaced")
    arguments = parser.parse_args(words)
    try:
        store = make(arguments.runs, arguments.out)
    except (BadResult, OSError) as error:
        print(f"results.py: {error}", file=sys.stderr)
        return 2
    size = sum(file.stat().st_size for file in Path(arguments.out).rglob("*") if file.is_file())
    print(f"{arguments.out}: {len(store.figures())} figures, {len(store.campaigns)} campaigns, "
          f"{len(store.hunts)} hunts, {size / 1e6:.2f} MB")
    return 0
