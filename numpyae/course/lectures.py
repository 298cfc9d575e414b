"""Lectures: find them, run them, keep their figures."""

import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "lectures"


def interactive():
    """Is somebody there to look at figures: a notebook, an editor's cells, `python -i`?"""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def full():
    """Was the lecture called with --full? Exits with a sentence for any other argument; in an interactive session False."""
    if interactive():
        return False
    others = [argument for argument in sys.argv[1:] if argument != "--full"]
    if others:
        sys.exit(f"{os.path.basename(sys.argv[0])}: expected no argument or --full, got {' '.join(others)}")
    return "--full" in sys.argv[1:]


def show(figure, name):
    """Write a figure to lectures/figures/NAME.png, an animation to NAME.gif; show it when the session is interactive."""
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
    """{number: (path, title)} of all lectures. FileNotFoundError when the package was installed without them."""
    paths = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
    if not paths:
        raise FileNotFoundError(f"{FOLDER}: there are no lectures here; they come with a clone of the repository")
    return {int(path.name[:2]): (path, re.search(r"^# # (.*)$", path.read_text(encoding="utf-8"), re.M)[1]) for path in paths}


def chosen(words, found):
    """The numbers that words mean, that of a lecture or "all", among those found. ValueError for another."""
    known = [str(number) for number in found]
    if words != "all" and words.lstrip("0") not in known:
        raise ValueError(f"number must be one of {', '.join(known)}, or all, got {words!r}")
    return list(found) if words == "all" else [int(words)]


def run(numbers, full=False):
    """Run these lectures, each in a process of its own. Returns the exit status of the first that fails, or 0."""
    lectures = find()
    for number in numbers:
        path, title = lectures[number]
        print(f"== {title}", flush=True)
        status = subprocess.run([sys.executable, str(path)] + ["--full"] * full).returncode
        if status:
            return status
    return 0
