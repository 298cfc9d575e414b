"""Bug hunts: a small right program with one wrong line, one of the bugs that people write.

    python -m numpyae bughunt --level 3 --seed 7 --to FOLDER         writes FOLDER/bughunt_3_7.py
    python -m numpyae bughunt --level 3 --seed 7 --hint 1            the first hint, and no other

The same level and seed are always the same hunt. Consecutive seeds go through all bugs of a level, in a shuffled order,
before one comes again, with other sizes. `judge` holds the student's repair against finite differences and against the
right program (`examination.py`): the code counts by what it does, not by how its lines read.
"""

import ast
import functools
import os
import pathlib
import re
import types
import warnings

import numpy as np

from numpyae.checks import must
from numpyae.course import examination
from numpyae.course.bugs import BUGS, KINDS
from numpyae.gradcheck.sentences import ended

FOLDER = pathlib.Path(__file__).parent / "programs"
LEVELS = {1: "loud: a sign, a shape, a factor everywhere",
          2: "scale and bias: a batch size, a mean for a sum, one array of several",
          3: "forgotten, or in the wrong place: a derivative, a mask, a transpose",
          4: "shared paths and state: what is used twice, kept, or overwritten",
          5: "no gradient check sees it: the right gradient of the wrong function, or what stands around it"}
VARIED = {"H": (1, 2, 3, 4), "KEEP": (0.6, 0.7, 0.8, 0.9), "LAMBDA": (0.01, 0.02, 0.05), "BETA": (0.2, 0.5, 1.5),
          "RHO": (0.05, 0.1, 0.15), "MU": (0.8, 0.9, 0.95), "P": (0.2, 0.3, 0.4)}         # H: so many units more

TASK = '''"""Bug hunt, level {level}, seed {seed}: {title}.

One line of the code below is wrong, and only one: find it and repair it. This text is right.
Level {level}: {kind}.

    python -m numpyae grade FILE
    python -m numpyae bughunt --level {level} --seed {seed} --hint 1

{rest}'''


def find(level, seed):
    """Return the Bug of this level and seed. Raise ValueError if there is no such level, or the seed is negative."""
    must(level in LEVELS and seed >= 0, f"level must be one of {', '.join(map(str, LEVELS))} and seed at least 0, "
                                        f"got {level} and {seed}")
    bugs = [bug for bug in BUGS if bug.level == level]
    return bugs[np.random.default_rng(level).permutation(len(bugs))[seed % len(bugs)]]


@functools.cache
def right_source(level, seed):
    """Return the text of the program without the bug, in the sizes of this seed."""
    text = (FOLDER / f"{find(level, seed).program}.py").read_text(encoding="utf-8")
    rng = np.random.default_rng([level, seed])
    return "\n".join(varied(line, rng) for line in text.splitlines()) + "\n"


def varied(line, rng):
    """Return a line of a program, with other values if it sets sizes or settings that vary."""
    left, _, right = line.partition(" = ")
    names, (values, _, comment) = left.split(", "), right.partition("#")
    if VARIED.keys().isdisjoint(names):
        return line
    new = [str(rng.choice(VARIED[name]) + (int(old) if name == "H" else 0)) if name in VARIED else old
           for name, old in zip(names, map(str.strip, values.split(", ")))]
    return f"{left} = {', '.join(new)}".ljust(38) + f"#{comment}"


def source(level, seed):
    """Return the text of the file for the student: the task, and the program with the wrong line in it."""
    bug = find(level, seed)
    head, rest = planted(bug, right_source(level, seed)).removeprefix('"""').split("\n\n", 1)
    title, _, more = head.rstrip(".").partition(": ")
    more = f"{more[0].upper()}{more[1:]}.\n\n" if more else ""
    return TASK.format(level=level, seed=seed, title=title, kind=LEVELS[level].partition(":")[0], rest=more + rest)


def planted(bug, text):
    """Return the text with the wrong line for the right one. Raise ValueError unless that stands there exactly once."""
    text, times = re.subn(rf"^( *){re.escape(bug.right)}$", lambda line: line[1] + bug.wrong, text, flags=re.M)
    must(times == 1, f"{bug.program}.py must have the line {bug.right!r} once, and has it {times} times")
    return text


def write(level, seed, folder="."):
    """Write bughunt_LEVEL_SEED.py into the folder and return its path. Raise FileExistsError if it is there already."""
    text = source(level, seed)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"bughunt_{level}_{seed}.py")
    must(not os.path.lexists(path), f"{path} exists already, and is left as it is: move it, or take another folder",
         FileExistsError)
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    return path


def hints(level, seed):
    """Return three sentences, from general to precise."""
    bug = find(level, seed)
    kind = KINDS[bug.kind]
    return kind.hint, kind.closer, f"It is {place(bug, right_source(level, seed))}."


def place(bug, text):
    """Return in words where the wrong line is: its function, and the name that it gives a value."""
    number = 1 + [line.strip() for line in text.splitlines()].index(bug.right)
    around = [node for node in ast.walk(ast.parse(text))             # from the outermost to the line itself
              if isinstance(node, ast.stmt) and node.lineno <= number <= node.end_lineno]
    inside = ".".join(node.name for node in around if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    where, last = f"in {inside}" if inside else "above all functions", around[-1]
    if isinstance(last, (ast.Assign, ast.AugAssign)):
        targets = last.targets if isinstance(last, ast.Assign) else [last.target]
        return f"{where}, the line that gives {', '.join(map(ast.unparse, targets))}"
    return f"{where}, what it returns" if isinstance(last, ast.Return) else where


@functools.cache
def right_program(level, seed):
    """Return the right program as a module."""
    module = types.ModuleType("right")
    exec(compile(right_source(level, seed), f"<the right program of level {level}, seed {seed}>", "exec"), vars(module))
    return module


def judge(level, seed, module, rng):
    """Return (status, sentence) for a student's hunt, loaded as a module: "passed", "not yet" or "wrong".

    "not yet": every line of code is as in the file that was written. The data are drawn with `rng`.
    """
    if untouched(level, seed, module):
        return "not yet", ("no line of code is changed; a hint: "
                           f"python -m numpyae bughunt --level {level} --seed {seed} --hint 1")
    bug = find(level, seed)
    if sentence := examined(bug.program, right_program(level, seed), module, rng):
        return "wrong", sentence
    where = place(bug, right_source(level, seed))
    return "passed", f"{KINDS[bug.kind].why} It was {where}: `{bug.wrong}` for `{bug.right}`."


def examined(program, right, module, rng):
    """Return a sentence about what is wrong with the module, or None: its gradient first, then all other functions."""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        exam = examination.EXAMS[program]
        try:
            return (examination.missing(exam, module) or examination.gradient(exam, right, module, rng).sentence()
                    or examination.functions(exam, right, module, rng))
        except Exception as error:                       # whatever a student's code raises
            return ended(examination.told(error, module, "the program"))


def untouched(level, seed, module):
    """Return whether the code, without comments and docstrings, is what was written out."""
    try:
        return code(pathlib.Path(module.__file__).read_text(encoding="utf-8")) == code(source(level, seed))
    except (AttributeError, TypeError, OSError, ValueError, SyntaxError):
        return False


def code(text):
    """Return the program as a tree in words, without docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def count():
    """Return {level: number of hunts}."""
    return {level: sum(bug.level == level for bug in BUGS) for level in LEVELS}
