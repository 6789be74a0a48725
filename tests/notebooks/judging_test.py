"""judging.py: intervals, expressions and verdicts, against what is computed by hand or by counting."""
import itertools
import json
import math
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "notebooks"), str(Path(__file__).parent)]
sys.dont_write_bytecode = True

import judging  # noqa: E402
import results  # noqa: E402
import stores  # noqa: E402


class Intervals(unittest.TestCase):
    def test_too_few_rounds_have_none(self):
        for n in range(5):
            self.assertIsNone(judging.median_interval(range(n)))

    def test_five_to_seven_rounds_take_the_extremes(self):
        self.assertEqual(judging.median_interval([3, 9, 1, 7, 5]), (1, 9))
        self.assertEqual(judging.median_interval(range(7)), (0, 6))
        self.assertEqual(judging.median_interval(range(8)), (1, 6))

    def test_it_is_sure_enough_and_the_narrowest_that_is(self):
        for n in range(5, 14):
            low, _ = judging.median_interval(range(n))
            # Each value is above the true median or not, like a fair coin: in how many of all cases does the
            # interval from the k-th least to the k-th greatest hold it?
            above = [sum(signs) for signs in itertools.product((0, 1), repeat=n)]

            def held(k):
                return sum(k <= heads <= n - k for heads in above) / len(above)
            self.assertGreaterEqual(held(low + 1), 0.9)
            self.assertLess(held(low + 2), 0.9)


class Claims(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="judging_test."))
        self.addCleanup(shutil.rmtree, self.folder)
        stores.figure(self.folder, claims=[])
        self.data = json.loads((self.folder / "results.json").read_text())

    def judged(self, claim, exact=False, change=None):
        data = json.loads(json.dumps(self.data))
        data["definition"]["exact"] = exact
        if exact:
            data["definition"]["scales"]["quick"]["rounds"] = 1
            data["cells"] = [cell for cell in data["cells"] if cell["round"] == 0]
        if change:
            change(data["cells"])
        (self.folder / "results.json").write_text(json.dumps(data))
        return judging.judge(claim, results.FigureRun(self.folder))

    def test_the_three_verdicts_of_each_bound(self):
        # Of fast at 1: 10.0, 10.1, ... 10.4
        value = {"value": {"metric": "rate", "series": "fast", "x": 1}}
        for bound, verdict in (({"at_least": 9}, "holds"), ({"at_least": 10}, "holds"),
                               ({"at_least": 10.2}, "not separable from noise"),
                               ({"at_least": 11}, "does not hold"), ({"at_most": 11}, "holds"),
                               ({"at_most": 10.2}, "not separable from noise"),
                               ({"at_most": 9}, "does not hold"), ({"between": [9, 11]}, "holds"),
                               ({"between": [9, 10.2]}, "not separable from noise"),
                               ({"between": [10.2, 11]}, "not separable from noise"),
                               ({"between": [5, 6]}, "does not hold")):
            self.assertEqual(self.judged({**value, **bound})[0], verdict, bound)

    def test_an_exact_figure_has_no_noise(self):
        value = {"value": {"metric": "rate", "series": "fast", "x": 1}}
        self.assertEqual(self.judged({**value, "at_least": 10}, exact=True)[0], "holds")
        self.assertEqual(self.judged({**value, "at_least": 10.01}, exact=True)[0], "does not hold")

    def numbers(self, claim):
        last = [over_rounds[4] for over_rounds in self.judged({**claim, "at_least": 0})[1]]
        return round(min(last), 9), round(max(last), 9)

    def test_expressions(self):
        fast, slow = ({"metric": "rate", "series": name} for name in stores.SERIES)
        self.assertEqual(self.numbers({"value": {"metric": "rate"}}), (1.04, 20.8))
        self.assertEqual(self.numbers({"value": {"metric": "rate"}, "factor": 100}), (104, 2080))
        self.assertEqual(self.numbers({"ratio": [fast, slow]}), (10, 10))
        self.assertEqual(self.numbers({"ratio": [{**fast, "x": "2"}, {**slow, "x": "1"}]}), (20, 20))
        self.assertEqual(self.numbers({"difference": [fast, slow]}), (9.36, 18.72))
        self.assertEqual(self.numbers({"spread": {"metric": "rate", "x": "2"}}), (10, 10))
        self.assertEqual(self.numbers({"order": {"metric": "rate"}, "direction": "rising"}), (2, 2))
        self.assertEqual(self.numbers({"order": {"metric": "rate"}, "direction": "falling"}), (0.5, 0.5))
        self.assertEqual(self.numbers({"order": {"metric": "rate", "x": 1}, "direction": "rising"}),
                         (0.1, 0.1))
        self.assertEqual(self.numbers({"order": [fast, slow], "direction": "falling"}), (10, 10))
        self.assertEqual(self.numbers({"order": [{**fast, "x": "1"}, slow], "direction": "falling"}), (5, 10))
        # Equal is equal, also if both are 0.
        self.assertEqual(self.numbers({"ratio": [{"metric": "none"}, {"metric": "none"}]}), (1, 1))

    def test_each_number_is_judged_over_the_rounds(self):
        def outliers(cells):
            for cell in cells:
                if (cell["series"], cell["round"]) in (("fast", 1), ("slow", 3)) and cell["x"] == "1":
                    cell["metrics"]["rate"] = 0
        value = {"value": {"metric": "rate", "x": "1"}, "at_least": 1}
        verdict, each = self.judged(value, change=outliers)
        self.assertEqual((verdict, len(each), each[0][1], each[1][3]), ("not separable from noise", 2, 0, 0))
        mean = {**value, "mean": True}
        verdict, each = self.judged(mean, change=outliers)
        self.assertEqual((verdict, len(each)), ("not separable from noise", 1))
        self.assertAlmostEqual(each[0][4], (10.4 + 1.04) / 2)
        self.assertEqual(self.judged({**mean, "at_least": 0.5}, change=outliers)[0], "holds")

    def test_cells_may_have_more_rounds(self):
        def three_more(cells):
            for number in (5, 6, 7):
                cells.append({"series": "slow", "x": "2", "round": number, "folder": f"cells/1-1-{number}",
                              "metrics": {"rate": stores.rate("slow", "2", number), "none": 0.0}})
        file = self.folder / "results.json"
        value = {"value": {"metric": "rate", "series": "slow", "x": "2"}, "at_least": 2}
        self.judged(value, change=three_more)
        data = json.loads(file.read_text())
        data["further"] = [{"series": "slow", "x": "2", "rounds": 8}]
        file.write_text(json.dumps(data))
        run = results.FigureRun(self.folder)
        verdict, each = judging.judge({"text": "t", **value}, run)
        self.assertEqual((verdict, len(each[0])), ("holds", 8))
        verdict, each = judging.judge({"text": "t", "value": {"metric": "rate"}, "at_least": 0.5}, run)
        self.assertEqual((verdict, [len(one) for one in each]), ("holds", [5] * 4))

    def test_what_is_missing_is_not_measured(self):
        value = {"value": {"metric": "rate", "series": "slow", "x": "2"}, "at_least": 0}
        self.assertEqual(self.judged(value)[0], "holds")
        self.assertEqual(self.judged({"value": {"metric": "speed"}, "at_least": 0})[0], "not measured")
        self.assertEqual(self.judged(value, change=lambda cells: cells.pop())[0], "not measured")
        self.assertEqual(self.judged(value, change=lambda cells: cells[-1]["metrics"].pop("rate"))[0],
                         "not measured")
        self.assertEqual(self.judged(value, change=lambda cells: cells.pop(0))[0], "holds")
        run = results.FigureRun(self.folder)
        with self.assertRaisesRegex(results.BadResult, "results.json.*without an expression"):
            judging.judge({"at_least": 1}, run)


class Differences(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="judging_test."))
        self.addCleanup(shutil.rmtree, self.folder)

    def differences(self, **judgement):
        good = {"text": "fast is faster", "source": "s", "robust": True, "bound": "at least 5",
                "measured": "10", "verdict": "holds", "numbers": [[10.0] * 5] * 2}
        stores.figure(self.folder, judgements=[{**good, **judgement}])
        return judging.differences(results.FigureRun(self.folder))

    def test_an_agreement(self):
        self.assertEqual(self.differences(), [])

    def test_each_disagreement_is_a_line(self):
        for changed in ({"verdict": "does not hold"}, {"numbers": [[10.0] * 5, [10.0] * 4 + [10.001]]},
                        {"numbers": [[10.0] * 5]}, {"numbers": [[10.0] * 4] * 2}, {"text": "another"}):
            with self.subTest(changed):
                lines = self.differences(**changed)
                self.assertEqual(len(lines), 1)
                self.assertIn("test-1", lines[0])

    def test_infinity_is_stored_as_null(self):
        self.assertTrue(judging._same([math.inf, 1.0], [None, 1.0]))
        self.assertFalse(judging._same([1.0], [None]))

    def test_the_sample_agrees(self):
        runs = results.Store(results.SAMPLE).figures()
        self.assertGreater(len(runs), 50)
        for run in runs:
            self.assertEqual(judging.differences(run), [], run.name)


if __name__ == "__main__":
    unittest.main()
