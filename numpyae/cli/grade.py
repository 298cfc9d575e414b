"""Grade exercises and bug hunts.

Grade a file, a folder of files, or a folder of submissions, one folder in it for each student. Each task is passed,
not yet done, or wrong, and then a sentence says what is wrong with it. Exit status 0 when all that is there is passed.

  python -m numpyae grade exercises/04b_dense_layer_backward.py
  python -m numpyae grade exercises
  python -m numpyae grade submissions --json > scores.json
  python -m pytest -p numpyae.course.graded exercises -k 4b      the same, as tests

Every task runs in a process of its own, on a copy of its folder, with limits of time and memory; an endless loop,
exit() or a crash of one does not stop the rest. That bounds mistakes and simple mischief, and is no sandbox: what is
graded runs with your rights, and can read and delete what you can. Grade strangers' code in a container, or as another
user.
"""

import json
import sys

from numpyae.cli import count_aloud
from numpyae.lab.settings import at_least


OPTIONS = {
    "path": dict(metavar="FILE_OR_FOLDER", help="what to grade"),
    "--seed": dict(type=at_least(0), default=0,
                   help="draws the points at which is judged: the same seed, the same points (0)"),
    "--seconds": dict(type=at_least(1), default=10, help="that a task may take (10)"),
    "--json": dict(action="store_true", help="all that is known, for programs, and nothing else on standard output")}


def run(arguments):
    """Grade, print the table or JSON; 0 when all is passed."""
    from numpyae.course import grading

    if grading.unlimited():
        print(grading.unlimited(), file=sys.stderr)
    if folders := grading.overlooked(arguments.path):
        print(f"{arguments.path}: graded as one submission, since it has tasks itself; those in {len(folders)} of its "
              "folders are left out", file=sys.stderr)
    outcomes = grading.grade(arguments.path, arguments.seed, arguments.seconds, count_aloud("tasks"))
    if arguments.json:
        print(json.dumps(grading.as_dict(outcomes, arguments.seed), indent=1))
    else:
        print(grading.report(outcomes))
    return 0 if grading.all_passed(outcomes) else 1
