"""results.py and sample.py: what they read, where, and what they say of bad input."""
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "notebooks"), str(Path(__file__).parent)]
sys.dont_write_bytecode = True

from pandas.testing import assert_frame_equal  # noqa: E402

import results  # noqa: E402
import sample  # noqa: E402
import stores  # noqa: E402


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="notebooks_test."))
        self.addCleanup(shutil.rmtree, self.folder)

    def complains(self, file, call, *words):
        """BadResult in one line that names the file and holds these words."""
        with self.assertRaises(results.BadResult) as caught:
            call()
        text = str(caught.exception)
        self.assertIn(str(file), text)
        self.assertNotIn("\n", text)
        for word in words:
            self.assertIn(word, text)


class WhereResultsAre(WithFolder):
    def folder_with(self, named):
        with mock.patch.dict(os.environ, {"CPR_STORE": named}), \
                mock.patch.object(results, "HERE", self.folder / "notebooks"):
            return results.store_folder()

    def test_the_variable_then_the_store_then_the_sample(self):
        self.assertEqual(self.folder_with(""), results.SAMPLE)
        (self.folder / "store").mkdir()
        self.assertEqual(self.folder_with(""), results.SAMPLE)
        stores.figure(self.folder / "store" / "figure-test-1" / "20260101T000000Z")
        self.assertEqual(self.folder_with(""), self.folder / "store")
        self.assertEqual(self.folder_with(str(self.folder)), self.folder)

    def test_a_named_folder_has_to_be_there(self):
        gone = self.folder / "gone"
        self.complains(gone, lambda: self.folder_with(str(gone)), "CPR_STORE")
        self.complains(gone, lambda: results.Store(gone))

    def test_links_and_other_subcommands_do_not_count(self):
        run = self.folder / "figure-test-1" / "20260101T000000Z"
        stores.figure(run)
        (run.parent / "latest").symlink_to(run.name)
        stores.write(self.folder / "ycsb" / "1" / "results.json", {"throughput": 1})
        store = results.Store(self.folder)
        self.assertEqual((len(store.runs), store.campaigns, store.hunts), (1, [], []))

    def test_the_newest_complete_run(self):
        for name, time, complete in (("a", "20260103T000000Z", False), ("b", "20260102T000000Z", True),
                                     ("c", "20260101T000000Z", True)):
            stores.figure(self.folder / name, time, complete)
        stores.figure(self.folder / "d", "20260104T000000Z", tables=False)
        store = results.Store(self.folder)
        self.assertEqual(store.figure("test-1").folder.name, "b")
        self.assertEqual([run.folder.name for run in store.figures("test-")], ["b"])
        self.assertEqual((store.figure("test-2"), store.figures("cpr-")), (None, []))

    def test_what_is_not_there_is_said(self):
        stores.figure(self.folder / "a")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            store = results.Store(self.folder)
            self.assertTrue(store.has("test-1"))
            self.assertFalse(store.has("test-1", "cpr-9"))
        self.assertIn("./cpr figure cpr-9 --quick", said.getvalue())
        self.assertNotIn("test-1", said.getvalue())


class AFigure(WithFolder):
    def setUp(self):
        super().setUp()
        self.file = stores.figure(self.folder / "run")
        self.run_ = results.FigureRun(self.file.parent)

    def changed(self, change):
        """The run after `change` of its JSON."""
        data = json.loads(self.file.read_text())
        change(data)
        self.file.write_text(json.dumps(data))
        return results.FigureRun(self.file.parent)

    def test_what_it_holds(self):
        run = self.run_
        self.assertEqual((run.series, run.x, run.rounds, run.exact), (["fast", "slow"], ["1", "2"], 5, False))
        self.assertEqual(dict(run.x_numbers()), {"1": 1, "2": 2.5, "4": 4})
        self.assertEqual(run.environment()["cpu"], "c")
        self.assertEqual(len(run.cells()), 20)
        self.assertEqual(run.cells()["oversubscribed"].sum(), 10)
        self.assertEqual(run.metrics().at[("slow", "2", 4), "rate"], stores.rate("slow", "2", 4))

    def test_medians_and_spread_in_the_definitions_order(self):
        table = self.run_.summary("rate", 2)
        self.assertEqual(list(table.index), [("fast", "1"), ("fast", "2"), ("slow", "1"), ("slow", "2")])
        median, least, greatest = table.loc[("fast", "1")]
        self.assertAlmostEqual(median, 20.4)
        self.assertAlmostEqual(least, 20.0)
        self.assertAlmostEqual(greatest, 20.8)

    def test_samples_and_checkpoints(self):
        samples = self.run_.samples()
        self.assertEqual(len(samples), 20 * 4)
        mine = samples[(samples["series"] == "slow") & (samples["x"] == "2") & (samples["round"] == 3)]
        self.assertEqual(list(mine["rate"]), [stores.rate("slow", "2", 3) + step for step in range(4)])
        checkpoints = self.run_.checkpoints()
        self.assertEqual(list(checkpoints["number"][:4]), [0, 1, 0, 1])
        self.assertTrue(checkpoints["durable"].isna()[1])

    def test_a_figure_that_shows_the_cells_of_another(self):
        def change(data):
            data["cells_definition"] = data["definition"]
            data["definition"] = {name: data["definition"][name] for name in ("claims", "plot", "axes")}
        self.assertEqual(self.changed(change).series, ["fast", "slow"])

    def test_members_that_are_missing_or_of_a_wrong_type(self):
        for name in ("figure", "title", "paper", "setting", "scale", "complete", "definition", "cells"):
            for wrong in (None, 7):
                with self.subTest(member=name, value=wrong):
                    self.setUp()

                    def change(data):
                        data.update({name: wrong})
                        if wrong is None:
                            del data[name]
                    self.complains(self.file, lambda: self.changed(change), f'"{name}"')
        for name in ("folder", "series", "x", "round", "metrics"):
            self.setUp()
            self.complains(self.file, lambda: self.changed(lambda data: data["cells"][3].pop(name)),
                           f'"{name}"')
        self.setUp()
        run = self.changed(lambda data: data["claims"][0].pop("verdict"))
        self.complains(self.file, run.judgements, '"verdict"')

    def test_files_that_are_missing_or_broken(self):
        self.complains(self.file, lambda: self.run_.summary("speed"), '"speed"')
        self.file.write_text("{")
        self.complains(self.file, lambda: results.FigureRun(self.file.parent), "not JSON")
        self.complains(self.file, lambda: results.Store(self.folder), "not JSON")
        self.file.write_text("[]")
        self.complains(self.file, lambda: results.Store(self.folder), "not a JSON object")
        self.file.write_bytes(b"\xff\xfe")
        self.complains(self.file, lambda: results.FigureRun(self.file.parent))
        self.file.unlink()
        self.complains(self.file, lambda: results.FigureRun(self.file.parent), "no such file")

    def test_tables_that_are_missing_or_broken(self):
        table = self.file.parent / "cells/0-1-2/samples.csv"
        for text, word in (("", "not a table"), ("time,rate\n1,2\n", "seconds"),
                           ('a,b\n"1,2\n', "not a table")):
            table.write_text(text)
            self.complains(table, self.run_.samples, word)
        table.unlink()  # a program may sample nothing
        self.assertEqual(len(self.run_.samples()), 19 * 4)
        shutil.rmtree(table.parent)
        self.complains(table, self.run_.samples, "no such file")

    def test_a_notebook_shows_the_line_alone(self):
        self.assertEqual(results.BadResult("f: g")._render_traceback_(), ["BadResult: f: g"])


class CrashResults(WithFolder):
    def test_campaigns_and_hunts(self):
        stores.campaign(self.folder / "crash" / "a", 200)
        stores.campaign(self.folder / "crash" / "b", 100, "R3", ["1-R3"])
        stores.hunt(self.folder / "mutants" / "x")
        store = results.Store(self.folder)
        self.assertEqual([one.executions for one in store.campaigns], [100, 200])
        table = store.campaigns[0].coverage()
        self.assertEqual(list(table["phase"]), ["Rest", "Prepare"])
        self.assertEqual(list(table["reachable"]), [True, False])
        self.assertEqual(list(store.campaigns[0].findings()["rule"]), ["R3"])
        self.assertEqual(store.campaigns[0].counts()["executions"], 100)
        self.assertNotIn("passed", store.campaigns[0].counts())
        hunt = store.hunts[0]
        self.assertEqual(list(hunt.seeds()["executions"]), [10, 20])
        self.assertEqual([one.executions for one in hunt.campaigns("B1")], [10, 20])

    def test_an_execution(self):
        stores.campaign(self.folder, 100, "R3", ["1-R3"])
        execution = results.Campaign(self.folder).stored()[0]
        self.assertEqual(execution.run["seed"], 7)
        self.assertEqual(list(execution.of("operation")["key"]), [3])
        self.assertEqual(execution.story(), "1 begins\n")

    def test_bad_campaigns(self):
        file = stores.campaign(self.folder)
        for name in ("executions", "seconds", "coverage", "findings", "passed", "seed"):
            data = json.loads(stores.campaign(self.folder).read_text())
            del data[name]
            file.write_text(json.dumps(data))
            self.complains(file, lambda: results.Campaign(self.folder), f'"{name}"')
        data = json.loads(stores.campaign(self.folder).read_text())
        data["coverage"]["full"]["Rest"]["crashes"] = "many"
        file.write_text(json.dumps(data))
        self.complains(file, results.Campaign(self.folder).coverage, '"crashes"')

    def test_bad_histories(self):
        file = stores.execution(self.folder)
        good = file.read_text()
        for text, word in ((good + "{", "line 4"), ("", "does not begin"), (good + '{"x": 1}\n', '"event"'),
                           (good.replace('"format": 1', '"format": 2'), "format 1")):
            file.write_text(text)
            self.complains(file, lambda: results.Execution(self.folder), word)
        file.unlink()
        self.complains(file, lambda: results.Execution(self.folder))
        (self.folder / "verdict.json").unlink()
        self.complains("verdict.json", lambda: results.Execution(self.folder))

    def test_bad_hunts(self):
        file = stores.hunt(self.folder)
        data = json.loads(file.read_text())
        del data["mutants"][0]["rule"]
        file.write_text(json.dumps(data))
        self.complains(file, results.Hunt(self.folder).mutants, '"rule"')


class TheSample(WithFolder):
    def make(self, *sources, out=None):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
            status = sample.main(["sample", *map(str, sources), "--out", str(out or self.folder / "sample")])
        return status, said.getvalue()

    def test_it_says_the_same_as_the_runs(self):
        stores.figure(self.folder / "in" / "old", "20250101T000000Z")
        stores.figure(self.folder / "in" / "new")
        stores.campaign(self.folder / "in" / "crash", 100)
        stores.execution(self.folder / "in" / "crash" / "recorded" / "5")
        stores.hunt(self.folder / "more" / "hunt")
        with mock.patch.object(sample, "COURSES", ["test-1"]):
            self.assertEqual(self.make(self.folder / "in", self.folder / "more"), (0, ""))
        before, after = results.Store(self.folder / "in"), results.Store(self.folder / "sample")
        one, other = before.figure("test-1"), after.figure("test-1")
        self.assertEqual(other.time, "20260101T000000Z")
        self.assertEqual(len(after.runs), 1)
        self.assertTrue((one.metrics()["rate"] == other.metrics()["rate"]).all())
        columns = ["series", "x", "round", "seconds", "rate"]
        assert_frame_equal(one.samples()[columns], other.samples(), rtol=1e-4)
        self.assertTrue(one.checkpoints().equals(other.checkpoints()))
        self.assertTrue(one.judgements().equals(other.judgements()))
        self.assertEqual(len(after.campaigns[0].stored()), 1)
        hunted = after.hunts[0].campaigns("B1")[0]
        self.assertEqual(len(hunted.stored()), 1)
        self.assertEqual(list(hunted.findings()["folder"]), ["findings/1-R4"])
        text = "".join(file.read_text() for file in (self.folder / "sample").rglob("*") if file.is_file())
        self.assertNotIn("/opt/", text)
        self.assertNotIn(str(self.folder), text)

    def test_a_packed_table_of_a_cell_that_is_not_there(self):
        stores.figure(self.folder / "in")
        with mock.patch.object(sample, "COURSES", ["test-1"]):
            self.make(self.folder / "in")
        file = self.folder / "sample/figures/test-1/cells/samples.csv"
        file.write_text(file.read_text() + "20,0,1\n")
        run = results.Store(self.folder / "sample").figure("test-1")
        self.complains(file, run.samples, "does not have")

    def test_a_figure_without_checkpoints(self):
        stores.figure(self.folder / "in")
        for file in (self.folder / "in").rglob("checkpoints.csv"):
            file.unlink()
        with mock.patch.object(sample, "COURSES", ["test-1"]):
            self.make(self.folder / "in")
        run = results.Store(self.folder / "sample").figure("test-1")
        self.assertEqual((len(run.checkpoints()), len(run.samples())), (0, 80))

    def test_bad_runs_leave_the_sample_as_it_is(self):
        kept = stores.write(self.folder / "sample" / "README.md", "kept")
        (self.folder / "empty").mkdir()
        for source in ("empty", "gone"):
            status, said = self.make(self.folder / source)
            self.assertEqual(status, 2)
            self.assertIn(str(self.folder / source), said)
        self.assertEqual(kept.read_text(), "kept")

    def test_paths_are_cut(self):
        self.assertEqual(sample.without_paths({"a": ["run '/opt/x/z' of /opt/b/c.so, 1/2 and a/b -I/opt/i"]}),
                         {"a": ["run 'z' of c.so, 1/2 and a/b -Ii"]})
        self.assertEqual(sample.without_paths("/opt/a/b"), "b")

    def test_what_is_committed_is_small_and_names_no_machine(self):
        files = [file for file in results.SAMPLE.rglob("*") if file.is_file()]
        self.assertLess(sum(file.stat().st_size for file in files), 1.6e6)
        for file in files:
            found = re.search(r"/(work|tmp|root|home|opt|var|usr)/", file.read_text())
            self.assertIsNone(found, f"{file}: {found and found.group()}")


if __name__ == "__main__":
    unittest.main()
