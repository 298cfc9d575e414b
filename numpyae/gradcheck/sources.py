"""The source of a backward, taken apart: its methods, the places where it computes, another text in a place."""

import ast
import contextlib
import inspect
import itertools
import linecache
import sys
import textwrap
import types

import numpy as np

from numpyae.described import Described
from numpyae.gradcheck.operators import Site
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Sequential
from numpyae.models import Model
from numpyae.parameters import Parametric

NUMBER = itertools.count()
DEEPEST = 6                           # so many nodes around a site: what lies deeper is below every error bar


def methods_of(classes):
    """Return {code: (class, name)} of all methods in the bodies of these classes."""
    return {function.__code__: (cls, name) for cls in classes if cls not in (Parametric, Described)
            for name, function in vars(cls).items()
            if isinstance(function, types.FunctionType) and not name.startswith("__")}


def methods_run(run, known):
    """Return the methods among `known`, {code: method}, that are called in run()."""
    found = {}

    def look(frame, event, _):
        if event == "call" and frame.f_code in known:
            found[known[frame.f_code]] = True

    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


def source_of(cls, method):
    """Return the source of a method; raise RuntimeError when it cannot be read."""
    try:
        return textwrap.dedent(inspect.getsource(vars(cls)[method]))
    except (KeyError, OSError, TypeError) as error:
        raise RuntimeError(f"mutants: the source of {cls.__name__}.{method} cannot be read: {error}") from error


@contextlib.contextmanager
def in_its_place(cls, method, source):
    """Put the function of this source in the place of a method; afterwards the method is what it was."""
    original, file = vars(cls)[method], f"<{cls.__name__}.{method}, {next(NUMBER)}>"
    setattr(cls, method, compiled(source, cls, method, file))
    try:
        yield
    finally:
        setattr(cls, method, original)
        del linecache.cache[file]


def compiled(source, cls, method, file):
    """Return the function of this source, with the globals of its class; super() finds the class, as in its body."""
    namespace = {}
    text = f"def body(__class__):\n{textwrap.indent(source, '    ')}\n    return {method}"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file        # here `inspect` finds it
    exec(compile(text, file, "exec"), vars(sys.modules[cls.__module__]), namespace)
    return namespace["body"](cls)


def replaced(source, node, text):
    """Return the source with another text for this node."""
    lines = source.encode().splitlines(keepends=True)    # ast counts bytes
    start = sum(map(len, lines[:node.lineno - 1])) + node.col_offset
    stop = sum(map(len, lines[:node.end_lineno - 1])) + node.end_col_offset
    return (b"".join(lines)[:start] + text.encode() + b"".join(lines)[stop:]).decode()


def sites(cls, method, subject):
    """Yield (source, Site) of every statement and expression of a method that computes.

    No docstring, no guard that raises and no index is among them. `subject` is run to see the arrays in scope.
    """
    source = source_of(cls, method)
    function = ast.parse(source).body[0]
    upstream = tuple(arg.arg for arg in function.args.args[1:2])
    arrays, windows = arrays_in(cls, method, subject)
    sums = issubclass(cls, (DiagonalGaussian, Sequential, Model))
    stack = [(statement, [], False) for statement in reversed(function.body)]
    while stack:
        node, around, in_loop = stack.pop()
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guard = isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)
        if docstring or guard or len(around) > DEEPEST:
            continue
        before = {name.id for name in ast.walk(function) if isinstance(name, ast.Name) and name.lineno < node.lineno}
        scope = {name: array for name, array in arrays.items()
                 if name in {*upstream, *before} or name.startswith("self.")}
        yield source, Site(node, ast.get_source_segment(source, node), around, scope, windows, upstream, sums, in_loop)
        inner = [] if isinstance(node, (ast.If, ast.For)) else [*around, node]
        in_loop = in_loop or isinstance(node, ast.For)
        stack += [(child, inner, in_loop) for child in reversed(list(ast.iter_child_nodes(node)))
                  if computes(child, node)]


def computes(child, parent):
    """Return whether this part of a node goes into the gradient."""
    if isinstance(parent, ast.Call):
        called = ast.unparse(parent.func)
        skip = called in ("range", "len", "np.empty") or not isinstance(child, ast.expr)
        skip = skip or called.endswith(".reshape") and child is not parent.func
        method_of_call = isinstance(child, ast.Attribute) and isinstance(child.value, ast.Call)
        return not skip and (child is not parent.func or method_of_call)
    if isinstance(parent, (ast.Assign, ast.AugAssign, ast.Subscript)):
        return child is parent.value
    if isinstance(parent, (ast.If, ast.For)):
        return isinstance(child, ast.stmt)
    if isinstance(parent, ast.IfExp):
        return child is not parent.test
    if isinstance(parent, ast.Dict):
        return child in parent.values
    if isinstance(parent, ast.Attribute):
        return isinstance(child, ast.expr) and parent.attr in ("T", "reshape")
    return isinstance(child, (ast.expr, ast.stmt))


def arrays_in(cls, method, subject):
    """Return ({name: array}, names of windows into grad) when the method first returns.

    The arrays are its argument, its local names and the attributes of its object.
    """
    code, found = vars(cls)[method].__code__, {}

    def look(frame, event, _):
        if event == "return" and frame.f_code is code and not found:
            found.update(frame.f_locals)
            found.update({f"self.{name}": getattr(frame.f_locals["self"], name, None)
                          for name in {*vars(frame.f_locals["self"]), *code.co_names} if not name.startswith("_")})

    sys.setprofile(look)
    try:
        subject.forward()
        subject.backward(subject.deltas)
    finally:
        sys.setprofile(None)
    arrays = {name: array for name, array in sorted(found.items()) if isinstance(array, np.ndarray)}
    windows = subject.windows.values()
    return arrays, frozenset(name for name in arrays
                             if any(np.may_share_memory(arrays[name], window) for window in windows))
