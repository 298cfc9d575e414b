"""What each exercise is held against.

The student's function takes the place of the library's own while it is judged. So super() is no solution, what is said
speaks of the library's names, and no judge may take the function in question for the truth:

    a backward            against finite differences, by `gradcheck.check`, whose sentence is the diagnosis
    a forward             against its definition in slow plain Python, a theorem, or the moments of many draws; what comes out
                          is also compared with what the usual mistakes give, so that the sentence can name the mistake

Points and sizes are drawn anew for every judgement, several times; sizes are different primes, so that a factor tells its
cause. This is for honest work: somebody who wants to deceive it can, and can look the solution up in the library.
"""

import contextlib
import functools
import sys
import types

import numpy as np

from numpyae.course.exercises import EXERCISES
from numpyae.course.judges import backward, descent, forward, latent, regularised
from numpyae.course.judges.tools import Wrong
from numpyae.gradcheck.sentences import raised

JUDGES = {**forward.JUDGES, **backward.JUDGES, **descent.JUDGES, **regularised.JUDGES, **latent.JUDGES}


def judge(number, module, rng):
    """("passed" or "not yet" or "wrong", sentence) for the student's module of this exercise; rng draws the hidden points."""
    errors = []
    try:
        with installed(EXERCISES[number], module, errors), np.errstate(all="ignore"):
            JUDGES[number](rng)
        outcome = "passed", ""
    except Wrong as wrong:
        outcome = "wrong", str(wrong)
    except Exception:
        if not errors:                # else it is the student's, and said below
            raise
    if errors and isinstance(errors[0], NotImplementedError) and str(errors[0]).startswith("Exercise "):
        return "not yet", str(errors[0])
    if errors:
        return "wrong", said(errors[0], module.__file__)
    return outcome


@contextlib.contextmanager
def blocked(number):
    """While a student's file is read, the function of this exercise cannot be had from the library; afterwards it is back."""
    exercise = EXERCISES[number]
    name, right = exercise.names[2], getattr(exercise.owner, exercise.names[2])

    def missing(*arguments, **options):
        raise RuntimeError(f"{exercise.path} is what exercise {number} asks you to write")

    places = [exercise.owner, *(other for key, other in list(sys.modules.items()) if key.partition(".")[0] == "numpyae"
                                and vars(other).get(name) is right)]
    for place in places:
        setattr(place, name, missing)
    try:
        yield
    finally:
        for place in places:
            setattr(place, name, right)


@contextlib.contextmanager
def installed(exercise, module, errors):
    """The student's function in the place of the library's own; what it raises goes into errors. Wrong without one."""
    module_name, kind, name = exercise.names
    owner, found = exercise.owner, {}
    if kind is None:
        found[name] = vars(module).get(name)
        where = f"def {name}(...)"
    else:
        own = vars(module).get(kind)
        where = f"class {kind} with def {name}(...)"
        if isinstance(own, type) and own is not owner:
            found = {key: value for key, value in vars(own).items() if not (key.startswith("__") and key.endswith("__"))
                     or isinstance(value, types.FunctionType)}
    if not isinstance(found.get(name), types.FunctionType):
        raise Wrong(f"the file must have {where}, as it was written out")
    others = sorted(key for key in found if key != name and hasattr(owner, key))
    if others:
        raise Wrong(f"only {kind}.{name} is yours to write, and the file also has {', '.join(others)}")
    before = {key: vars(owner)[key] for key in found if key in vars(owner)}
    for key, value in found.items():
        setattr(owner, key, watched(value, errors) if key == name else value)
    try:
        yield
    finally:
        for key in found:
            if key in before:
                setattr(owner, key, before[key])
            else:
                delattr(owner, key)


def watched(function, errors):
    """The function; what it raises is noted."""
    @functools.wraps(function)
    def run(*arguments, **options):
        try:
            return function(*arguments, **options)
        except BaseException as error:
            errors.append(error)
            raise
    return run


def said(error, path):
    """An exception of a student's code as a sentence, with the line."""
    if isinstance(error, TypeError) and str(error).startswith("super(type, obj)"):
        error = TypeError("super() is not there: it would be the solution").with_traceback(error.__traceback__)
    return raised(error, lambda frame: frame.f_code.co_filename == path)
