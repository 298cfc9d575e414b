"""Reproduce: train a published setting, measure on the way, compare with our recorded run, go on when stopped.

The recorded runs are the rows of `lectures/results.md`, one for each run; their curves are in `lectures/results.csv`.
"""

import csv
import json
import os
import pathlib
import time

import numpy as np

from numpyae import fit, lbfgs
from numpyae.checks import must
from numpyae.course.lectures import FOLDER
from numpyae.lab.published import SEED, SETTINGS
from numpyae.lab.runs import save

HEAD = "| setting | date | seed | minutes of training | machine | epochs | ours ± standard error | published | remark |"
COLUMNS = ["setting", "epochs", "epoch", "loss", "value"]
STOPPED = "stopped"                   # begins the remark of a row whose number is a look on the way


class Watch:
    """A callback that measures a run every few epochs, prints it beside the recorded one, and keeps it."""

    def __init__(self, name, job, folder, epochs):
        self.name, self.job, self.folder, self.epochs = name, job, folder, epochs
        self.setting = SETTINGS[name]
        self.curves = {column: recorded_curve(name, epochs, column) for column in ("loss", "value")}
        self.last = None              # (epoch, value, error, minutes) of the last look

    def __call__(self, model, history, optimizer):
        """Set the rates for the next epoch; measure, where it is time to: fit calls this."""
        epoch = history.epochs
        self.job.schedule(model, optimizer, epoch, self.epochs)
        if epoch % self.setting.every and epoch != self.epochs:
            return
        value, error = self.job.look(model)
        loss, minutes = history.loss[-1], sum(history.seconds) / 60
        print(f"epoch {epoch}/{self.epochs}  {number(value, error)}{self.beside('value', epoch)}  "
              f"training loss {number(loss)}{self.beside('loss', epoch)}  "
              f"{minutes / epoch * (self.epochs - epoch):.0f} minutes left", flush=True)
        self.last = epoch, value, error, minutes
        self.keep(epoch, loss, value)

    def beside(self, column, epoch):
        """Return the value of the recorded run at this epoch, as words."""
        value = expected(self.curves[column], epoch)
        return "" if value is None else f" (expected {number(value)})"

    def keep(self, epoch, loss, value):
        """Append a row to results.csv in the folder."""
        append(os.path.join(self.folder, "results.csv"), ",".join(COLUMNS),
               f"{self.name},{self.epochs},{epoch},{loss:.6g},{value:.6g}")

    def keep_row(self, epoch, value, error, minutes, remark):
        """Print the result as a row for lectures/results.md, and append it to results.md in the folder."""
        row = result_row(self.name, self.job.model.dtype, minutes, f"{epoch} of {self.epochs}", value, error, remark)
        path = os.path.join(self.folder, "results.md")
        append(path, f"{HEAD}\n{'|---' * (HEAD.count('|') - 1)}|", row)
        print(f"for lectures/results.md, also in {path}:\n{row}", flush=True)


def rerun(name, out=None, resume=None, epochs=None, data=None):
    """Train the setting of that name until it is done or stopped; return the exit status. Results are in the folder.

    A new run gets the folder `out` (runs/reproduce-NAME), which must be new or empty; `resume` is the folder of a run
    to go on with, which ends with the same bits as if it had not been stopped. epochs: others than the setting's, with
    its schedule stretched over them. data: a Dataset instead of the setting's. Raise ValueError for an unknown name or
    a wrong folder, and the errors of datasets.load where the data are not there.
    """
    must(name in SETTINGS, f"NAME must be one of {', '.join(SETTINGS)}, got {name!r}")
    setting = SETTINGS[name]
    folder, epochs = choose_folder(name, out, resume, epochs)
    rng = np.random.default_rng(SEED)
    data = setting.load(rng) if data is None else data
    job = setting.prepare(data, rng)
    watch = Watch(name, job, folder, epochs)
    print(announce(data, job, watch), flush=True)
    if resume is None:
        os.makedirs(folder, exist_ok=True)
        pathlib.Path(folder, "run.json").write_text(json.dumps({"reproduce": name, "epochs": epochs}))
    try:
        minutes = train(job, watch)
        print(f"done, now measuring {setting.measure}{', which takes minutes' * bool(setting.estimate)}", flush=True)
        value, error, remark = job.judge(job.model)
    except KeyboardInterrupt:
        if watch.last is not None:
            watch.keep_row(*watch.last, f"{STOPPED}; {setting.estimate}".removesuffix("; "))
        print(f"stopped; --resume {folder} goes on")
        return 130
    print(f"ours {number(value, error)} ({remark}), published {setting.published}")
    for picture, make in job.pictures(job.model).items():
        print(f"wrote {save(make, os.path.join(folder, picture + '.png'))}")
    watch.keep_row(epochs, value, error, minutes, remark)
    return 0


def train(job, watch):
    """Train, from the checkpoint in the folder if there is one, by fit or by L-BFGS; return the minutes it took.

    Raise KeyboardInterrupt when the training was stopped.
    """
    path = os.path.join(watch.folder, "checkpoint.npz")
    if job.optimizer is None:
        start = time.perf_counter()
        lbfgs(job.model, *job.data, iterations=watch.epochs, tolerance=0)
        return (time.perf_counter() - start) / 60
    history = fit(job.model, *job.data, optimizer=job.optimizer, epochs=watch.epochs, batch_size=job.batch_size,
                  rng=job.rng, each_epoch=job.each_epoch, callbacks=[watch], checkpoint=path,
                  resume=path if os.path.exists(path) else None, progress=False)
    if history.stopped != "epochs":
        raise KeyboardInterrupt
    return sum(history.seconds) / 60


def choose_folder(name, out, resume, epochs):
    """Return (folder, epochs) of a new run, or of one of this setting to go on with; raise ValueError for others."""
    if resume is None:
        folder = out or os.path.join("runs", f"reproduce-{name}")
        must(not (os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder))),
             f"{folder} is there already and not empty: --resume {folder} goes on with a run, "
             "--out FOLDER starts another")
        return folder, SETTINGS[name].epochs if epochs is None else epochs
    must(out is None, f"--resume {resume} goes on in that folder: expected no --out, got {out}")
    try:
        found = json.loads(pathlib.Path(resume, "run.json").read_text(encoding="utf-8"))
        known, planned = found["reproduce"], int(found["epochs"])
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"--resume {resume}: there is no run.json, which says what was begun") from None
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"--resume {resume}: its run.json is not of a `reproduce`") from None
    must(known == name and epochs in (None, planned),
         f"--resume {resume}: expected {known} over {planned} epochs, as it was begun, got {name}"
         + (f" over {epochs}" if epochs is not None else ""))
    return resume, planned


def announce(data, job, watch):
    """Return lines that say how the setting will be run."""
    setting, held_out = watch.setting, f", {len(data.x_test)} held out" if data.x_test is not data.x else ""
    often = "every epoch" if setting.every == 1 else f"every {setting.every} epochs"
    source = ("from our recorded run" if any(watch.curves.values()) else
              f"nothing, no run of {watch.epochs} epochs is recorded")
    steps, way = "epochs", f"{often}: {setting.estimate or 'the same'}; expected: {source}"
    if job.optimizer is None:
        steps, way = "iterations", "nothing: L-BFGS runs in one piece, and stopped it begins anew"
    return "\n".join([
        f"published   {setting.published}: {setting.source}",
        f"measured    {setting.measure}",
        f"ours        {best_recorded(watch.name)}",
        f"data        {data.name}: {len(data.x)} to train on{held_out}; {data.convention}",
        f"model       {type(job.model).__name__} of {job.model.w.size} parameters, {job.model.dtype}",
        f"training    {watch.epochs} {steps}, seed {SEED}",
        f"on the way  {way}",
        f"folder      {watch.folder}"])


# The recorded runs

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
