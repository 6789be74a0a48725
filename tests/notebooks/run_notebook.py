"""Executes a notebook headless and fails if a cell does.

    run_notebook.py NOTEBOOK --store DIR --out DIR [--partial] [--tampered]

The executed notebook goes to --out. Everything that it shows has to be among the results, unless --partial.
With --tampered the store's copy has one verdict changed, and the notebook has to fail for that reason.
"""
import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
except ImportError as error:
    sys.exit(f"{error}: ./cpr test installs python3-nbclient and the others")

SECONDS = 100  # for one cell


def tamper(store, copy):
    """A copy of the store in which one claim that holds is said not to."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store, copy)
    for file in sorted(copy.rglob("results.json")):
        data = json.loads(file.read_text())
        for claim in data.get("claims", []):
            if data["figure"].startswith("own-") and claim["verdict"] == "holds":
                claim["verdict"] = "does not hold"
                file.write_text(json.dumps(data))
                return
    sys.exit(f"{store}: no claim to tamper with")


def texts(notebook):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))


def pictures(notebook):
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells
               for output in cell.get("outputs", []))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--partial", action="store_true")
    parser.add_argument("--tampered", action="store_true")
    arguments = parser.parse_args()
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    store = arguments.store.absolute()
    if arguments.tampered:
        store, original = out / "tampered", store
        tamper(original, store)
    # Nothing of the user's own settings, and nothing into their folders.
    os.environ.update({"CPR_STORE": str(store), "PYDEVD_DISABLE_FILE_VALIDATION": "1",
                       "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        os.environ[name] = str(out / name.lower())
    notebook = nbformat.read(arguments.notebook, as_version=4)
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3",
                            resources={"metadata": {"path": str(arguments.notebook.absolute().parent)}})
    begun, error = time.monotonic(), None
    try:
        client.execute()
    except CellExecutionError as caught:
        error = str(caught)
    nbformat.write(notebook, out / arguments.notebook.name)
    if arguments.tampered:
        if error is None or "stored does not hold, here holds" not in error:
            sys.exit(f"{arguments.notebook}: does not notice a changed verdict: {error}")
        print("noticed the changed verdict")
        return
    if error is not None:
        sys.exit(f"{arguments.notebook}: {error}")
    lacking = [text for text in texts(notebook) if "not among the stored results" in text]
    if bool(lacking) != arguments.partial:
        sys.exit(f"{arguments.notebook}: {lacking or 'says of nothing that it is not stored'}")
    print(f"{len(notebook.cells)} cells, {pictures(notebook)} pictures, {time.monotonic() - begun:.1f} s")
    if pictures(notebook) == 0:
        sys.exit(f"{arguments.notebook}: drew nothing")


main()
