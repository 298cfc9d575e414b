"""Which real data sets are there, and how many tests were skipped for lack of one: the last lines of every test run."""

import gc
import os
import pathlib

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")       # before NumPy: the matrices here are too small for a second thread

import matplotlib

from numpyae.datasets import NAMES

matplotlib.use("Agg")

DATA_SETS = [name for name, record in NAMES.items() if record.files]


def pytest_collection_finish():
    gc.freeze()                       # what was imported stays, so the garbage collector need not look at it again,
    gc.set_threshold(20_000, 20, 20)  # and looks less often


def pytest_terminal_summary(terminalreporter):
    folder = pathlib.Path(os.environ.get("NUMPYAE_DATA") or os.devnull)
    there = [name for name in DATA_SETS if (folder / name).is_dir()]
    lacking = [report for report in terminalreporter.stats.get("skipped", []) if "data set" in str(report.longrepr)]
    terminalreporter.write_line(f"data sets: {len(there)} of {len(DATA_SETS)} there; {len(lacking)} tests skipped for lack of one")
