"""The exercises: functions of this library with their bodies cut out.

There is one source. The record of an exercise (`judges/record.py`) says which function it is, and what to do. The rest
is cut out of the library's file, so an exercise cannot drift from its solution, and no marker litters the code. The
first statements of a body may be *given*, such as checks of arguments, and the last ones too, such as bookkeeping;
between them the student finds, already unpacked, the attributes that the solution reads, and `raise
NotImplementedError`. Everything else is the library's own: to backward belongs its forward, so one can step into it. No
exercise needs the solution of another.
"""

import ast
import importlib
import inspect
import itertools
import os
import pathlib
import types

from numpyae.course.judges import EXERCISES

MEMORY = "# {name}: change it in place, {name} *= ... or {name}[...] = ...; = would lose it"
VIEW = "# {name}: add in place, {name} += ..., for it is a view; = would lose it"

def find(number):
    """Return the exercises of "4b", of all of lecture "4", or "all". ValueError for another number."""
    found = [exercise for exercise in EXERCISES.values()
             if number.lstrip("0") in ("all", exercise.number, str(exercise.lecture))]
    if not found:
        lectures = sorted({exercise.lecture for exercise in EXERCISES.values()})
        raise ValueError(f"number must be that of an exercise, such as 4b, of a lecture "
                         f"({', '.join(map(str, lectures))}), or all, got {number!r}")
    return found


def listing():
    """Return all exercises by lecture, as text."""
    by_lecture = itertools.groupby(EXERCISES.values(), lambda exercise: exercise.lecture)
    return "\n".join(line for lecture, found in by_lecture for line in (
        f"lecture {lecture}", *(f"  {one.number:4} {one.title:38} {one.path}" for one in found)))


def write(number, folder):
    """Write the stubs into a folder. Return (written, kept): the new paths, and those that were there and stay so."""
    stubs = {pathlib.Path(folder, exercise.file): stub(exercise.number) for exercise in find(number)}
    os.makedirs(folder, exist_ok=True)
    kept = [path for path in stubs if os.path.lexists(path)]
    written = [path for path in stubs if path not in kept]
    for path in written:
        path.write_text(stubs[path], encoding="utf-8")
    return written, kept


def stub(number):
    """Return the file that a student gets, as text."""
    body = Body(EXERCISES[number])
    hole = [*body.unpacking(), f'raise NotImplementedError("Exercise {number}: {body.exercise.title}")']
    return body.file([*body.text(body.given), *(body.indent + line for line in hole), *body.text(body.closing)])


def solution(number):
    """Return the file that a student gets with the library's body in it, as text."""
    body = Body(EXERCISES[number])
    return body.file(body.text(body.statements))


class Body:
    """The source of a function, taken apart: `given`, `hole` and `closing` are its statements behind the docstring."""

    def __init__(self, exercise):
        self.exercise = exercise
        module, *names = exercise.names
        self.module = importlib.import_module(module)
        self.memory = getattr(exercise.owner, "memory", ())
        source = inspect.getsource(self.module)
        self.lines = source.splitlines()
        self.scope, self.function = None, ast.parse(source)
        for name in filter(None, names):                 # the class, if there is one, and the function
            self.scope = self.function
            self.function = next(node for node in self.scope.body if getattr(node, "name", None) == name)
        self.docstring, *self.statements = self.function.body
        end = len(self.statements) - exercise.closing
        self.given, self.closing = self.statements[:exercise.given], self.statements[end:]
        self.hole = self.statements[exercise.given:end]
        self.indent = " " * self.docstring.col_offset

    def text(self, statements):
        """Return the lines of these statements, as they stand in the library."""
        return self.lines[statements[0].lineno - 1:statements[-1].end_lineno] if statements else []

    def file(self, lines):
        """Return the whole file, with these lines in the place of the body."""
        exercise = self.exercise
        module, kind, _ = exercise.names
        lecture = "" if exercise.source.startswith("lecture") else f"lecture {exercise.lecture}; "
        parts = [f'"""Exercise {exercise.number}: {exercise.title}.', "", inspect.cleandoc(exercise.task), "",
                 f"See {lecture}{exercise.source}.", "",
                 f"Write your code in the place of `raise`, then see:    python -m numpyae grade {exercise.file}",
                 '"""', "", *self.imports(), "", ""]
        if kind is not None:
            parts += [f"class {kind}({module.rpartition('.')[2]}.{kind}):", *self.text([self.scope.body[0]]), ""]
        parts += [*self.lines[self.function.lineno - 1:self.docstring.end_lineno], *lines]
        return "\n".join(parts) + "\n"

    def imports(self):
        """Return the import lines that the function needs, and that of the module whose class is completed."""
        package, _, name = self.exercise.names[0].rpartition(".")
        ours = {package: {name}} if self.exercise.names[1] is not None else {}
        plain, known = set(), vars(self.module)
        for name in {node.id for node in ast.walk(self.function) if isinstance(node, ast.Name)}.intersection(known):
            value = known[name]
            if not isinstance(value, types.ModuleType):
                ours.setdefault(getattr(value, "__module__", self.module.__name__), set()).add(name)
            elif value.__name__ != "numpy":
                plain.add(f"import {value.__name__}")
        lines = [*sorted(plain), *[""] * bool(plain), "import numpy as np", *[""] * bool(ours)]
        return lines + [f"from {package} import {', '.join(sorted(names))}" for package, names in sorted(ours.items())]

    def unpacking(self):
        """Return lines that give short names to the attributes which the hole reads, and say what changes in place."""
        reads, grows = self.attributes()
        taken = {argument.arg for argument in self.function.args.args}
        names = {place: ("own_" if place.rpartition(".")[2] in taken else "") + place.rpartition(".")[2].lstrip("_")
                 for place in reads}
        parts = [reads[start:start + 5] for start in range(0, len(reads), 5)]
        lines = [f"{', '.join(names[place] for place in part)} = self.{', self.'.join(part)}" for part in parts]
        return lines + [(MEMORY if place in self.memory else VIEW).format(name=names[place]) for place in grows]

    def attributes(self):
        """Return the attributes of self that the hole reads, in its order, such as "dense.W", and those it changes."""
        reads, grows, stored = [], [], set()
        parents = {child: node for statement in self.hole for node in ast.walk(statement)
                   for child in ast.iter_child_nodes(node)}
        nodes = [node for node in parents
                 if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "self"]
        for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
            parent, place = parents[node], node.attr
            if place in self.exercise.unused or isinstance(parent, ast.Call) and parent.func is node:
                continue
            if isinstance(parent, ast.Attribute) and parent.attr in ("W", "b", "dW", "db"):
                place += "." + parent.attr
            adds = isinstance(parent, ast.AugAssign) and parent.target is node
            if isinstance(node.ctx, ast.Store) and not adds:
                stored.add(place)
            elif place not in stored and place not in reads:
                reads.append(place)
                name = place.rpartition(".")[2]          # a window into the gradient is a property
                gradient = name[0] == "d" and isinstance(getattr(self.exercise.owner, name, None), property)
                grows += [place] * (adds or place in self.memory or name == "dW" or gradient)
        return reads, grows
