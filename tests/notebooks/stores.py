"""Small stores for the tests, written as the programs write theirs. Plain numbers, made up."""
import json
from pathlib import Path

SERIES = ["fast", "slow"]
X = ["1", "2"]
ROUNDS = 5


def write(file, text):
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return file


def rate(series, x, number):
    """The metric of a cell: fast is about ten times slow, and the second x twice the first."""
    return (10.0 if series == "fast" else 1.0) * int(x) * (1 + 0.01 * number)


def definition(claims=None):
    return {
        "figure": "test-1", "title": "A test", "setting": "none",
        "axes": {"x": {"label": "threads"}, "y": {"label": "ops", "factor": 2}},
        "series": [{"name": name, "parameters": {}} for name in SERIES],
        "x": {"name": "threads", "values": [1, {"label": "2", "number": 2.5, "parameters": {}}, 4]},
        "scales": {"quick": {"rounds": ROUNDS, "x": [1, "2"]}, "full": {"rounds": 9}},
        "claims": claims if claims is not None else [
            {"text": "fast is faster", "source": "s", "robust": True, "at_least": 5,
             "ratio": [{"metric": "rate", "series": "fast"}, {"metric": "rate", "series": "slow"}]}],
        "plot": {"kind": "lines", "y": "rate"}}


def figure(folder, time="20260101T000000Z", complete=True, claims=None, judgements=None, tables=True):
    """A run of the figure test-1; returns its results.json."""
    folder, cells = Path(folder), []
    for s, series in enumerate(SERIES):
        for at, x in enumerate(X):
            for number in range(ROUNDS):
                name = f"cells/{s}-{at}-{number}"
                cells.append({"folder": name, "series": series, "x": x, "round": number, "threads": int(x),
                              "oversubscribed": x == "2", "seconds": 1.5, "cpu_seconds": 2.5,
                              "resident_bytes": 1000,
                              "metrics": {"rate": rate(series, x, number), "none": 0.0}})
                if tables:
                    write(folder / name / "samples.csv", "seconds,rate\n" + "".join(
                        f"{0.1 * step:.1f},{rate(series, x, number) + step}\n" for step in range(4)))
                    write(folder / name / "checkpoints.csv",
                          "kind,backend,requested,durable,status,wait_flush,persistence_callback\n"
                          "full,foldover,0.05,0.15,ok,0.1,0.15\nlog,foldover,0.2,,open,,\n")
    judged = judgements if judgements is not None else [
        {"text": "fast is faster", "source": "s", "robust": True, "bound": "at least 5", "verdict": "holds",
         "measured": "10", "numbers": [[10.0] * ROUNDS] * 2}]
    return write(folder / "results.json", {
        "figure": "test-1", "title": "A test", "paper": "P, Figure 1", "setting": "none", "scale": "quick",
        "complete": complete, "cells_planned": len(cells), "cells": cells if tables else [], "claims": judged,
        "environments": [{"time": time, "cpu": "c", "cores": 2, "flags": "-I/opt/here/include -O2"}],
        "definition": definition(claims), "cells_definition": None})


def campaign(folder, executions=100, rule="", found=()):
    """A campaign, and for each name in `found` an execution with that name that broke `rule`."""
    folder = Path(folder)
    cell = {"executions": 9, "crashes": 4, "recoveries": 3, "violations": 0, "reachable": True}
    findings = []
    for name in found:
        findings.append({"rule": rule, "what": "w", "kind": "full", "phase": "Rest", "scenario": "default",
                         "policy": "pct:3", "seed": 7, "folder": str(folder.absolute() / "findings" / name),
                         "replay": "./cpr replay x"})
        execution(folder / "findings" / name, rule)
    return write(folder / "results.json", {
        "valid": True, "passed": not found, "mode": "sim", "seed": "1", "executions": executions,
        "seconds": 2.0, "subject": "/opt/elsewhere/engine.so", "coverage": {"full": {
            "Rest": cell, "Prepare": {**cell, "reachable": False, "crashes": 0}}},
        "executions_by_family": {"default": executions}, "findings": findings})


def execution(folder, rule=""):
    folder = Path(folder)
    write(folder / "verdict.json", {"rule": rule, "what": "w", "crash": "full, Rest", "key": 3, "witness": [],
                                    "explanation": "e"})
    run = {"seed": 7, "policy": "pct:3", "subject_path": "/opt/elsewhere/engine.so"}
    write(folder / "scenario.json", {"format": 1, "run": run, "scenario": {"name": "default"}})
    write(folder / "story.txt", "1 begins\n")
    return write(folder / "history.jsonl", "\n".join(json.dumps(line) for line in (
        {"event": "history", "format": 1},
        {"event": "session", "id": "aa", "opened": 1},
        {"event": "operation", "session": 0, "incarnation": 0, "serial": 1, "type": "read", "key": 3,
         "outcome": "fail", "invoked": 2, "responded": 3})) + "\n")


def hunt(folder):
    """One planted bug, hunted with two seeds."""
    folder = Path(folder)
    for seed in (1, 2):
        campaign(folder / "B1" / f"hunt-{seed}", 10 * seed, "R4", ["1-R4"])
    seeds = [{"seed": seed, "found": True, "rule": "R4", "executions": 10 * seed, "seconds": 0.1}
             for seed in (1, 2)]
    return write(folder / "results.json", {"valid": True, "seed": 1, "mutants": [
        {"name": "B1", "group": "B", "source": "s", "mode": "sim", "expected": ["R4"], "found": True,
         "rule": "R4", "note": "n", "executions": 20, "seconds": 0.1, "seeds": seeds,
         "replay": "./cpr replay /opt/elsewhere/B1"}]})
