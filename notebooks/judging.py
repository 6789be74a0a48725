"""Judges claims anew, from the cells' metrics and the definition of the figure alone.

Written from experiments/figures/README.md ("Claims"), not from the runner that judged first: an agreement of
the two is evidence for both. `differences` compares; notebooks assert that it finds none.
"""
import json
import math

import pandas as pd

from results import BadResult, member

EXPRESSIONS = ("value", "ratio", "difference", "order", "spread")


def median_interval(values, confidence=0.9):
    """(low, high) that holds the true median with at least this confidence, or None if there are too few.

    By order statistics: the k-th least and the k-th greatest of n values miss the median only if fewer than
    k of n fair coins show heads, or fewer than k tails. The largest k that is sure enough is taken; of five
    values that is the first and the last."""
    ordered = sorted(values)
    n = len(ordered)
    best = None
    for k in range(1, n // 2 + 1):
        miss = 2 * sum(math.comb(n, heads) for heads in range(k)) / 2 ** n
        if miss > 1 - confidence + 1e-12:
            break
        best = (ordered[k - 1], ordered[n - k])
    return best


def _quotient(a, b):
    if a == b:
        return 1.0
    return a / b if b != 0 else math.copysign(math.inf, a)


def _label(x):
    return x if isinstance(x, str) else json.dumps(x)


class _Cells:
    """The metrics of one round, by metric, series and x."""

    def __init__(self, run, number):
        self.run = run
        metrics = run.metrics()
        known = number in metrics.index.get_level_values("round")
        self.metrics = metrics.xs(number, level="round") if known else metrics.iloc[0:0]

    def value(self, reference, series, x):
        name = reference["metric"]
        series = reference.get("series", series)
        x = _label(reference["x"]) if "x" in reference else x
        if name not in self.metrics or (series, x) not in self.metrics.index:
            return math.nan
        return float(self.metrics.at[(series, x), name])

    def places(self, references):
        """All (series, x); what every reference fixes is left at the first."""
        series, x = self.run.series, self.run.x
        if all("series" in reference for reference in references):
            series = series[:1]
        if all("x" in reference for reference in references):
            x = x[:1]
        return [(s, one) for s in series for one in x]


def _expression(claim, file):
    for kind in EXPRESSIONS:
        if kind in claim:
            what = claim[kind]
            references = what if isinstance(what, list) else [what]
            for reference in references:
                member(reference, "metric", str, file)
            return kind, references, isinstance(what, list)
    raise BadResult(f"{file}: a claim without an expression")


def _neighbours(values, rising):
    return [_quotient(b, a) if rising else _quotient(a, b) for a, b in zip(values, values[1:])]


def numbers(claim, run, cells):
    """The numbers of a claim's expression in one round, before its factor. NaN stands for a metric that is
    missing."""
    kind, refs, several = _expression(claim, run.file)
    if kind == "value":
        return [cells.value(refs[0], *place) for place in cells.places(refs)]
    if kind in ("ratio", "difference"):
        pairs = [[cells.value(ref, *place) for ref in refs] for place in cells.places(refs)]
        return [_quotient(a, b) if kind == "ratio" else a - b for a, b in pairs]
    if kind == "spread":
        values = [cells.value(refs[0], *place) for place in cells.places(refs)]
        return [_quotient(max(values), min(values))]
    rising = claim["direction"] == "rising"
    if several and len(refs) > 1:
        found = []
        for place in cells.places(refs):
            found += _neighbours([cells.value(ref, *place) for ref in refs], rising)
        return found
    series = [refs[0]["series"]] if "series" in refs[0] else run.series
    if "x" in refs[0] or len(run.x) == 1:  # along the series
        return _neighbours([cells.value(refs[0], s, run.x[0]) for s in series], rising)
    found = []
    for s in series:
        found += _neighbours([cells.value(refs[0], s, x) for x in run.x], rising)
    return found


def bounds(claim):
    """(lowest, highest) that a claim allows; None where it has no bound."""
    if "between" in claim:
        return tuple(claim["between"])
    return claim.get("at_least"), claim.get("at_most")


def rounds_of(claim, run):
    """How many rounds all cells have that a claim's expression is about: some cells may have more than others
    ("further" of results.json)."""
    _, references, _ = _expression(claim, run.file)
    places = {(series, x) for reference in references
              for series in ([reference["series"]] if "series" in reference else run.series)
              for x in ([_label(reference["x"])] if "x" in reference else run.x)}
    return min((run.further.get(place, run.rounds) for place in places), default=0)


def _side(rounds, good, exact):
    if exact:
        return "holds" if good(rounds[0]) else "does not hold"
    interval = median_interval(rounds)
    if interval is None:
        return "not separable from noise"
    sides = {bool(good(end)) for end in interval}
    return {(True,): "holds", (False,): "does not hold"}.get(tuple(sides), "not separable from noise")


def all_rounds(run):
    """The cells of every round, the last ones with fewer of them."""
    return [_Cells(run, number) for number in range(max([run.rounds, *run.further.values()]))]


def judge(claim, run, rounds=None):
    """(verdict, numbers): the verdict's text, and the numbers of the expression times the claim's factor, for
    each a list over the rounds; of a claim with "mean" there is one, their mean. ("not measured", []) if a
    metric is missing. `rounds` saves reading the run's cells again."""
    by_round = []
    for cells in (rounds or all_rounds(run))[:rounds_of(claim, run)]:
        found = [value * claim.get("factor", 1) for value in numbers(claim, run, cells)]
        if not found or any(math.isnan(value) for value in found):
            return "not measured", []
        by_round.append([sum(found) / len(found)] if claim.get("mean", False) else found)
    each = [list(over_rounds) for over_rounds in zip(*by_round)]
    low, high = bounds(claim)
    verdicts = []
    for over_rounds in each:
        if low is not None:
            verdicts.append(_side(over_rounds, lambda value: value >= low, run.exact))
        if high is not None:
            verdicts.append(_side(over_rounds, lambda value: value <= high, run.exact))
    for verdict in ("does not hold", "not separable from noise"):
        if verdict in verdicts:
            return verdict, each
    return "holds", each


def judge_all(run):
    """A row for each claim of a run: text, verdict and numbers."""
    rows = []
    rounds = all_rounds(run)
    for claim in member(run.definition, "claims", list, run.file):
        verdict, each = judge(claim, run, rounds)
        rows.append({"text": claim["text"], "verdict": verdict, "numbers": each})
    return pd.DataFrame(rows, columns=["text", "verdict", "numbers"])


def _same(a, b):
    # Infinity is stored as null.
    b = [math.inf if value is None else value for value in b]
    return len(a) == len(b) and all(
        x == y or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(a, b))


def differences(run):
    """What the stored judgement of a run and this one disagree about: a line for each claim, else []."""
    stored, anew = run.judgements(), judge_all(run)
    if list(stored["text"]) != list(anew["text"]):
        return [f"{run.name}: the stored claims are not those of the definition"]
    lines = []
    for old, new in zip(stored.itertuples(), anew.itertuples()):
        alike = len(new.numbers) == len(old.numbers) and all(map(_same, new.numbers, old.numbers))
        if old.verdict != new.verdict:
            lines.append(f"{run.name}: \"{old.text}\": stored {old.verdict}, here {new.verdict}")
        elif not alike:
            lines.append(f"{run.name}: \"{old.text}\": other numbers than the stored ones")
    return lines
