"""How notebooks are stored: without outputs, for plain python3, within the tree's limits."""
import copy
import json
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}
LINE, CELL_LINES = 110, 70
# Spelled in halves: the rules of style read this file, too.
LEFT_OVER = re.compile("TO" "DO|FIX" "ME|X" "XX")
MACHINE = re.compile("/(wo" "rk|tm" "p|ro" "ot|ho" "me|us" "r|va" "r)/")


def complaints(notebook):
    """What is wrong with a notebook (its JSON): one line each."""
    lines = []
    if notebook.get("metadata") != METADATA:
        lines.append("metadata: expected those of plain python3")
    if (notebook.get("nbformat"), notebook.get("nbformat_minor")) != (4, 4):
        lines.append("expected format 4.4, which has no random ids of cells")
    for number, cell in enumerate(notebook.get("cells", [])):
        place, text = f"cell {number}: ", "".join(cell["source"])
        if cell["metadata"]:
            lines.append(place + "has metadata")
        if not text.strip():
            lines.append(place + "is empty")
        if cell["cell_type"] == "code":
            if cell["outputs"]:
                lines.append(place + "has outputs")
            if cell["execution_count"] is not None:
                lines.append(place + "was counted")
            if len(text.splitlines()) > CELL_LINES:
                lines.append(place + f"has more than {CELL_LINES} lines")
        if any(len(line) > LINE for line in text.splitlines()):
            lines.append(place + f"has a line of more than {LINE} characters")
        if LEFT_OVER.search(text) or MACHINE.search(text):
            lines.append(place + "something left over, or a path of one machine")
    return lines


class Stored(unittest.TestCase):
    def test_every_notebook(self):
        files = sorted((ROOT / "notebooks").glob("*.ipynb"))
        self.assertGreaterEqual(len(files), 5)
        for file in files:
            with self.subTest(file.name):
                self.assertEqual(complaints(json.loads(file.read_text(encoding="utf-8"))), [])

    def test_every_rule_fires(self):
        good = {"metadata": METADATA, "nbformat": 4, "nbformat_minor": 4, "cells": [
            {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": ["a"]},
            {"cell_type": "markdown", "metadata": {}, "source": ["# A"]}]}
        self.assertEqual(complaints(good), [])
        for word, change in (
                ("metadata", lambda one: one["metadata"].update(widgets={})),
                ("metadata", lambda one: one["metadata"]["kernelspec"].update(name="mine")),
                ("format 4.4", lambda one: one.update(nbformat_minor=5)),
                ("has metadata", lambda one: one["cells"][1]["metadata"].update(scrolled=True)),
                ("is empty", lambda one: one["cells"][1].update(source=[" "])),
                ("has outputs", lambda one: one["cells"][0]["outputs"].append({"output_type": "stream"})),
                ("was counted", lambda one: one["cells"][0].update(execution_count=1)),
                ("more than 70 lines", lambda one: one["cells"][0].update(source=["a\n"] * 71)),
                ("110 characters", lambda one: one["cells"][0].update(source=["a" * 111])),
                ("left over", lambda one: one["cells"][1].update(source=["TO" "DO: more"])),
                ("left over", lambda one: one["cells"][0].update(source=["open('/tm" "p/x')"]))):
            bad = copy.deepcopy(good)
            change(bad)
            self.assertEqual(len(complaints(bad)), 1, word)
            self.assertIn(word, complaints(bad)[0])


if __name__ == "__main__":
    unittest.main()
