"""Records of published settings: rows of `lectures/results.md`, one for each run, curves in `lectures/results.csv`."""

import csv
import os
import time

import numpy as np

from numpyae.course.lectures import FOLDER
from numpyae.lab.published import SEED, SETTINGS

HEAD = "| setting | date | seed | minutes of training | machine | epochs | ours ± standard error | published | remark |"
COLUMNS = ["setting", "epochs", "epoch", "loss", "value"]
STOPPED = "stopped"                   # begins the remark of a row whose number is a look on the way


def recorded_results():
    """Return {name: [row as a list of cells, ...]} of the rows of lectures/results.md with a number."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in read_lines("results.md")]
    rows = [cells for cells in rows if len(cells) == HEAD.count("|") - 1 and cells[6] != "not run"]
    return {name: [cells for cells in rows if cells[0] == name] for name in SETTINGS}


def best_recorded(name):
    """Return our best value in lectures/results.md, as a sentence; estimates do not count."""
    setting = SETTINGS[name]
    rows = [cells for cells in recorded_results()[name] if not (setting.estimate and cells[8].startswith(STOPPED))]
    if not rows:
        return "not run"
    best = setting.better(rows, key=lambda cells: float(cells[6].split()[0]))
    return f"{best[6]} after {best[5]} epochs, {best[3]} minutes on {best[4]} ({best[1]}); {best[8]}"


def recorded_curve(name, epochs, column):
    """Return [(epoch, value), ...] of lectures/results.csv for a run of so many epochs; column: "loss" or "value"."""
    try:
        rows = [row for row in csv.DictReader(read_lines("results.csv")) if row["setting"] == name]
        return sorted((int(row["epoch"]), float(row[column])) for row in rows
                      if int(row["epochs"]) == epochs and row[column])
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{FOLDER / 'results.csv'}: expected columns {', '.join(COLUMNS)}, all but the first numbers, "
                         f"got {error!r}") from None


def read_lines(name):
    """Return the lines of a file beside the lectures; none when the package was installed without them."""
    path = FOLDER / name
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def expected(curve, epoch):
    """Return the value of a curve [(epoch, value), ...] at an epoch, linear between its points; None outside of it."""
    if not curve or not curve[0][0] <= epoch <= curve[-1][0]:
        return None
    return float(np.interp(epoch, *zip(*curve)))


def listing():
    """Return all settings as text: published value, its source, our best, and the measure."""
    return "\n".join(f"{name}\n"
                     f"    published  {setting.published}: {setting.source}\n"
                     f"    ours       {best_recorded(name)}\n"
                     f"    measured   {setting.measure}" for name, setting in SETTINGS.items())


def number(value, error=None):
    """Return a value with two decimals, or three for small ones, and its error with as many."""
    decimals = 2 if abs(value) >= 1 else 3
    return f"{value:.{decimals}f}" if error is None else f"{value:.{decimals}f} ± {error:.{decimals}f}"


def result_row(name, dtype, minutes, epochs, value, error, remark):
    """Return a row of the table in lectures/results.md."""
    cells = [name, time.strftime("%Y-%m-%d"), str(SEED), f"{minutes:.{int(minutes < 10)}f}",
             f"{os.cpu_count()} cores, {dtype}", epochs, number(value, error), SETTINGS[name].published, remark]
    return f"| {' | '.join(cells)} |"


def append(path, head, line):
    """Append a line to a file; a new file begins with the head."""
    lines = [line] if os.path.exists(path) else [head, line]
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
