"""Lectures: find them, run them, keep their figures.

A lecture is a file `NN_name.py` in the folder `lectures`, and says everything about itself in its first cell:

    # %% [markdown]
    # # 15. Title
    #
    # What it is about.
    #
    # Takes about 5 s; with `--full` about 2 minutes.
"""

import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

from numpyae.checks import must

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "lectures"


class Lecture(NamedTuple):
    """A lecture: its file, and its title, such as "15. Title"."""

    path: pathlib.Path
    title: str

    @property
    def seconds(self):
        """Seconds that it takes without --full, as it says itself, or None."""
        found = re.search(r"^# Takes about (\d+) s", self.path.read_text(encoding="utf-8"), re.M)
        return None if found is None else int(found[1])


def interactive():
    """Return whether somebody is there to look at figures: a notebook, an editor's cells, `python -i`."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def full():
    """Return whether the lecture was called with --full; False in an interactive session.

    Exits with a sentence for any other argument.
    """
    if interactive():
        return False
    others = [argument for argument in sys.argv[1:] if argument != "--full"]
    if others:
        sys.exit(f"{os.path.basename(sys.argv[0])}: expected no argument or --full, got {' '.join(others)}")
    return "--full" in sys.argv[1:]


def show(figure, name):
    """Write a figure to lectures/figures/NAME.png, an animation to NAME.gif; show it in an interactive session."""
    import matplotlib.pyplot as plt
    from matplotlib.animation import Animation

    folder = (FOLDER if FOLDER.is_dir() else pathlib.Path.cwd()) / "figures"
    folder.mkdir(exist_ok=True)
    if isinstance(figure, Animation):
        path = folder / f"{name}.gif"
        figure.save(path, writer="pillow")
    else:
        path = folder / f"{name}.png"
        figure.savefig(path)
    print(f"figure: {os.path.relpath(path)}")
    if interactive():
        plt.show()
    if not isinstance(figure, Animation):
        plt.close(figure)


def find():
    """Return {number: Lecture} of all. FileNotFoundError if there is none, ValueError if one does not say its title."""
    lectures = {}
    for path in sorted(FOLDER.glob("[0-9][0-9]_*.py")):
        head = re.search(r"^# # ((\d+)\. .*)$", path.read_text(encoding="utf-8"), re.M)
        must(head is not None, f"{path}: the first cell must say number and title: # # {int(path.name[:2])}. Title")
        lectures[int(head[2])] = Lecture(path, head[1])
    must(lectures, f"{FOLDER}: there are no lectures here; they come with a clone of the repository", FileNotFoundError)
    return lectures


def chosen(words, found):
    """Return the numbers that words mean, that of a lecture or "all", among those found. ValueError for another."""
    known = [str(number) for number in found]
    must(words == "all" or words.lstrip("0") in known,
         f"number must be one of {', '.join(known)}, or all, got {words!r}")
    return list(found) if words == "all" else [int(words)]


def run(numbers, full=False):
    """Run these lectures, each in a process of its own. Return the exit status of the first that fails, or 0."""
    lectures = find()
    for number in numbers:
        path, title = lectures[number]
        print(f"== {title}", flush=True)
        status = subprocess.run([sys.executable, str(path)] + ["--full"] * full).returncode
        if status:
            return status
    return 0
