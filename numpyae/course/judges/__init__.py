"""Judges: each exercise is held against something that is right, in a file for each part of the course.

The student's function takes the place of the library's own while it is judged. So super() is no solution, the sentences
speak of the library's names, and no judge may take the function in question for the truth:

    a backward       against finite differences, by `gradcheck.check`, whose sentence is the diagnosis
    a forward        against its definition in slow plain Python, a theorem, or the moments of many draws; the result is
                     also compared with that of the usual mistakes, so that the sentence can name the mistake

Points and sizes are drawn anew each time, and every judge is called several times; sizes are different primes, so that
a factor tells its cause. This is for honest work: somebody who wants to deceive it can, and can look the solution up in
the library.
"""

import contextlib
import functools
import runpy
import sys
import types

import numpy as np

from numpyae.course.judges import latent, networks, tools, training           # their records are then there
from numpyae.course.judges.record import EXERCISES
from numpyae.course.judges.tools import Wrong, must
from numpyae.gradcheck.sentences import raised


def judge(number, module, rng):
    """Return (status, sentence) for the student's module of this exercise; rng draws the hidden points.

    The status is "passed", "not yet" or "wrong".
    """
    errors, outcome = [], ("passed", "")
    try:
        exercise = known(number)
        with installed(exercise, module, errors), np.errstate(all="ignore"):
            for _ in range(tools.DRAWS):
                exercise.judge(rng)
    except Wrong as wrong:
        outcome = "wrong", str(wrong)
    except Exception:
        if not errors:                # else it is the student's, and said below
            raise
    if errors and isinstance(errors[0], NotImplementedError) and str(errors[0]).startswith("Exercise "):
        return "not yet", str(errors[0])
    return ("wrong", said(errors[0], module.__file__)) if errors else outcome


def known(number):
    """Return the Exercise of this number. Raise Wrong if there is none here, or none that can be judged."""
    found = EXERCISES.get(number)
    must(found is not None, f"there is no exercise {number} here: is its record in a file that was not imported?")
    must(found.judge is not None, f"exercise {number} has no judge, so nothing can be said of your code: put its "
                                  f"record above one, @exercise(\"{number}\", ...) and def judge(rng)")
    return found


def load_record(home):
    """Run the file that has the record of an exercise, unless it has been."""
    if home is not None and home not in {exercise.home for exercise in EXERCISES.values()}:
        runpy.run_path(home)


@contextlib.contextmanager
def blocked(number):
    """Hide the function of this exercise from a student's file while that is read."""
    exercise = known(number)
    name, right = exercise.names[2], getattr(exercise.owner, exercise.names[2])

    def missing(*arguments, **options):
        raise RuntimeError(f"{exercise.path} is what exercise {number} asks you to write")

    places = [other for key, other in list(sys.modules.items()) if key.partition(".")[0] == "numpyae"
              and vars(other).get(name) is right]
    with replaced({(place, name): missing for place in {exercise.owner, *places}}):
        yield


@contextlib.contextmanager
def installed(exercise, module, errors):
    """Put the student's function in the place of the library's; its exceptions go into errors. Wrong without one."""
    _, kind, name = exercise.names
    owner, found = exercise.owner, {}
    own = vars(module).get(kind or name)
    if kind is None:
        found[name] = own
    elif isinstance(own, type) and own is not owner:
        found = {key: value for key, value in vars(own).items() if not (key.startswith("__") and key.endswith("__"))
                 or isinstance(value, types.FunctionType)}
    where = f"def {name}(...)" if kind is None else f"class {kind} with def {name}(...)"
    must(isinstance(found.get(name), types.FunctionType), f"the file must have {where}, as it was written out")
    others = sorted(key for key in found if key != name and hasattr(owner, key))
    must(not others, f"only {kind}.{name} is yours to write, and the file also has {', '.join(others)}")
    with replaced({(owner, key): value for key, value in {**found, name: watched(found[name], errors)}.items()}):
        yield


@contextlib.contextmanager
def replaced(values):
    """Give classes and modules these attributes, {(owner, name): value}, and afterwards their own again."""
    before = {place: vars(place[0])[place[1]] for place in values if place[1] in vars(place[0])}
    for place, value in values.items():
        setattr(*place, value)
    try:
        yield
    finally:
        for place in values:
            setattr(*place, before[place]) if place in before else delattr(*place)


def watched(function, errors):
    """Return the function, whose exceptions also go into errors."""
    @functools.wraps(function)
    def calling(*arguments, **options):
        try:
            return function(*arguments, **options)
        except BaseException as error:
            errors.append(error)
            raise
    return calling


def said(error, path):
    """Return an exception of a student's code as a sentence, with the line."""
    if isinstance(error, Wrong):      # a sentence already
        return str(error)
    if isinstance(error, TypeError) and str(error).startswith("super(type, obj)"):
        error = TypeError("super() is not there: it would be the solution").with_traceback(error.__traceback__)
    return raised(error, lambda frame: frame.f_code.co_filename == path)
