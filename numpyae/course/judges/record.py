"""Records of exercises: an exercise is a function of this library with its body cut out, and a judge of the answer.

A record stands above its judge and says the rest: which function, and what to do. Ours are in the files of this folder,
one for each part of the course; one of your own may stand in any file. From the moment that file is imported, it can be
written out and graded:

    from numpyae.course.judges.record import exercise
    from numpyae.course.judges.tools import hold, returned
    from numpyae.layers import Dropout

    @exercise("8z", "layers.Dropout.forward", "dropout, forward", "lecture 8", '''
        While training, y = x mask / keep ... ''', given=1)
    def dropout_forward(rng):
        layer, x = Dropout(0.4), rng.standard_normal((7, 5))
        y = returned("forward", layer.forward, x)
        hold("y", y, x * layer.mask / layer.keep, {"the factor 1/keep is missing": x * layer.mask})

The judge may not take the function in question for the truth, since the student's stands in its place. It returns when
all is right, and raises `tools.Wrong` with a sentence when not. `hold` does so, and names the mistake if the result is
that of one of the usual mistakes. A judge from a factory is given by `judge=`, as in
`judge=gradients(Tanh.examples, ACTIVATION)`.
"""

import importlib
import re
import sys
from typing import Callable, NamedTuple

EXERCISES = {}                        # number: Exercise, by lecture and letter


class Exercise(NamedTuple):
    """One exercise. number "4b": lecture 4, second exercise; path: that of the function, below numpyae."""

    number: str
    path: str
    title: str
    source: str                       # where the documents, or a lecture, have it
    task: str
    given: int = 0                    # so many of the function's first statements the student gets
    closing: int = 0                  # and so many of its last
    unused: tuple = ()                # attributes that only the library needs
    judge: Callable | None = None     # judge(rng) raises Wrong; rng draws the points
    home: str | None = None           # the file that has the record

    @property
    def lecture(self):
        """Number of the lecture."""
        return int(self.number[:-1])

    @property
    def file(self):
        """Name of the student's file, such as 04b_dense_backward.py."""
        return f"{self.lecture:02}{self.number[-1]}_{'_'.join(re.findall('[a-z0-9]+', self.title.lower()))}.py"

    @property
    def names(self):
        """Names of the module, the class or None, and the function."""
        *module, last = f"numpyae.{self.path}".split(".")
        return (".".join(module[:-1]), module[-1], last) if module[-1][0].isupper() else (".".join(module), None, last)

    @property
    def owner(self):
        """The class or module that the function belongs to."""
        module, kind, _ = self.names
        found = importlib.import_module(module)
        return found if kind is None else getattr(found, kind)


def exercise(number, path, title, source, task, **options):
    """Return a decorator for the judge of this exercise, which adds the Exercise to EXERCISES.

    options: given, closing, unused; with judge=… it is added at once. ValueError for a number that is none, or taken.
    """
    if not re.fullmatch("[1-9][0-9]*[a-z]", number):
        raise ValueError(f"exercise {number!r}: a number must be that of a lecture and a letter, such as 4b")
    if number in EXERCISES:
        raise ValueError(f"exercise {number}: there is one of that number already, {EXERCISES[number].title}")
    home = sys._getframe(1).f_globals.get("__file__")    # of the file with the record: graders are other processes

    def register(judge):
        EXERCISES[number] = Exercise(number, path, title, source, task, **options, judge=judge, home=home)
        in_order = sorted(EXERCISES.items(), key=lambda item: (item[1].lecture, item[0]))
        EXERCISES.clear()
        EXERCISES.update(in_order)
        return judge
    return register(options.pop("judge")) if "judge" in options else register
