"""The source of a backward, taken apart: its methods, the places where it computes, another text in a place.

`repair` takes one slip out again: small changes of the source are tried one by one until all gradients are right. The
operators that put a mistake into right code (operators.py) also take one out: a value that was negated is negated
again, one that was doubled is halved, another array gets its place back. This is asked last, where no formula explains
a gradient. It needs no vocabulary, only that a backward that is right in every element, to nine digits, is right.
"""

import ast
import contextlib
import inspect
import itertools
import linecache
import sys
import textwrap
import types
import warnings

import numpy as np

from numpyae import DiagonalGaussian, Model, Sequential
from numpyae.described import Described
from numpyae.gradcheck.case import Case
from numpyae.gradcheck.operators import Site, dropped, is_summand, is_whole, others, scaled, summed, transposed
from numpyae.parameters import Parametric

NUMBER = itertools.count()
DEEPEST = 6                           # so many nodes around a site: what lies deeper is below every error bar
MOST = 1000                           # so many changes are tried

# the parts of a node that compute, where others do not: a target, an index, a condition, a key
SUMS = (("np.mean", "np.add.reduce"), ("np.sum", "np.mean"), (".mean", ".sum"), (".sum", ".mean"))    # for another
FIELDS = {ast.Assign: ("value",), ast.AugAssign: ("value",), ast.Subscript: ("value",), ast.Dict: ("values",),
          ast.If: ("body", "orelse"), ast.For: ("body", "orelse"), ast.IfExp: ("body", "orelse")}


def methods_of(classes):
    """Return {code: (class, name)} of all methods in the bodies of these classes."""
    return {function.__code__: (cls, name) for cls in classes if cls not in (Parametric, Described)
            for name, function in vars(cls).items()
            if isinstance(function, types.FunctionType) and not name.startswith("__")}


def watch(look, run):
    """Call run(), and look(frame, event) whenever a Python function in it is called or returns."""
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: look(frame, event))
    try:
        run()
    finally:
        sys.setprofile(before)


def methods_run(run, known):
    """Return the methods among `known`, {code: method}, that are called in run(), each once."""
    called = []
    watch(lambda frame, event: called.append(frame.f_code) if event == "call" else None, run)
    return list(dict.fromkeys(known[code] for code in called if code in known))


def source_of(cls, method):
    """Return the source of a method; raise RuntimeError when it cannot be read."""
    try:
        return textwrap.dedent(inspect.getsource(vars(cls)[method]))
    except (KeyError, OSError, TypeError) as error:
        raise RuntimeError(f"mutants: the source of {cls.__name__}.{method} cannot be read: {error}") from error


@contextlib.contextmanager
def in_its_place(cls, method, source):
    """Put the function of this source in the place of a method; afterwards the method is what it was.

    The function has the globals of its class, and super() finds the class, as in its body.
    """
    original, file, namespace = vars(cls)[method], f"<{cls.__name__}.{method}, {next(NUMBER)}>", {}
    text = f"def body(__class__):\n{textwrap.indent(source, '    ')}\n    return {method}"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file        # here `inspect` finds it
    exec(compile(text, file, "exec"), vars(sys.modules[cls.__module__]), namespace)
    setattr(cls, method, namespace["body"](cls))
    try:
        yield
    finally:
        setattr(cls, method, original)
        del linecache.cache[file]


def replaced(source, node, text):
    """Return the source with another text for this node."""
    lines = source.encode().splitlines(keepends=True)    # ast counts bytes
    before = b"".join(lines[:node.lineno - 1]) + lines[node.lineno - 1][:node.col_offset]
    behind = lines[node.end_lineno - 1][node.end_col_offset:] + b"".join(lines[node.end_lineno:])
    return (before + text.encode() + behind).decode()


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
        stack += [(child, inner, in_loop) for child in reversed(computing(node))]


def computing(node):
    """Return the statements and expressions inside a node that go into the gradient."""
    fields = FIELDS.get(type(node), node._fields)
    if isinstance(node, ast.Attribute) and node.attr not in ("T", "reshape"):
        fields = ()
    elif isinstance(node, ast.Call):
        called, of_call = ast.unparse(node.func), isinstance(getattr(node.func, "value", None), ast.Call)
        shape = called in ("range", "len", "np.empty") or called.endswith(".reshape")
        fields = ("func",) * of_call + ("args",) * (not shape)
    return [part for value in (getattr(node, field) for field in fields)
            for part in (value if isinstance(value, list) else [value]) if isinstance(part, (ast.expr, ast.stmt))]


def arrays_in(cls, method, subject):
    """Return ({name: array}, names of windows into grad) when the method first returns.

    The arrays are its argument, its local names and the attributes of its object.
    """
    code, found = vars(cls)[method].__code__, {}

    def look(frame, event):
        if event == "return" and frame.f_code is code and not found:
            part = frame.f_locals["self"]
            found.update({**frame.f_locals, **{f"self.{name}": getattr(part, name, None)
                                               for name in {*vars(part), *code.co_names} if not name.startswith("_")}})

    watch(look, subject.gradients)
    arrays = {name: array for name, array in sorted(found.items()) if isinstance(array, np.ndarray)}
    return arrays, frozenset(name for name in arrays
                             if any(np.may_share_memory(arrays[name], window) for window in subject.windows.values()))


# One slip, taken out again

def repair(subject, rows):
    """Return the first change after which these rows are right: (class, method, old line, new line), or None.

    The backward of a part is left alone where the subject is what is around it: the part was checked by itself.
    """
    owners = {base for part in (subject.target, *subject.parts.values()) for base in type(part).__mro__}
    before = subject.values()
    try:
        subject.forward()
        run = [(cls, method)
               for cls, method in methods_run(lambda: subject.backward(subject.deltas), methods_of(owners))
               if method != "backward" or isinstance(subject.target, cls)]
        tried = (change for texts in (slips, losses) for cls, method in run[::-1]
                 for change in changes(cls, method, subject, texts))
        return next(((cls.__name__, method, old, new) for cls, method, text, old, new in itertools.islice(tried, MOST)
                     if becomes_right(subject, rows, before, cls, method, text)), None)
    except Exception:                 # its source cannot be read, or it does not run
        return None
    finally:
        subject.restore(before)


def changes(cls, method, subject, texts):
    """Yield (class, method, source, old line, new line) of every change that puts one of texts(site) at a site."""
    for source, site in sites(cls, method, subject):
        line = site.node.lineno - 1
        for changed in (replaced(source, site.node, text) for text in texts(site)):
            yield cls, method, changed, source.splitlines()[line].strip(), changed.splitlines()[line].strip()


def slips(site):
    """Return what may have stood here before a slip: another sign, factor, axis, transpose, constant or array."""
    texts = [text for operator in (scaled, dropped, transposed, summed) for _, text, _ in operator(site)]
    if isinstance(site.node, ast.Constant) and type(site.node.value) in (int, float):
        texts += [repr(site.node.value / 2), repr(2 * site.node.value), "0", "1"]
    elif isinstance(site.node, ast.UnaryOp):
        texts.append(f"({ast.unparse(site.node.operand)})")
    elif isinstance(site.node, ast.Call):
        called, text = ast.unparse(site.node.func), ast.unparse(site.node)
        texts += [called.removesuffix(one) + other + text[len(called):] for one, other in SUMS if called.endswith(one)]
    return texts + others(site)


def losses(site):
    """Return what may have stood here before a factor or a summand was lost: in a sum, a call, a product, or alone."""
    parent = site.around[-1] if site.around else None
    alone = isinstance(parent, (ast.Call, ast.Assign)) or isinstance(getattr(parent, "op", None), ast.MatMult)
    alone = alone or isinstance(site.node, (ast.Constant, ast.UnaryOp)) or is_whole(site) or is_summand(site)
    return [f"({site.text}) {sign} {name}" for name in (*site.arrays, "1") for sign in "*/+-"] if alone else []


def becomes_right(subject, rows, before, cls, method, source):
    """Return whether every gradient of these rows is the truth with this source in the place of a method."""
    subject.restore(before)
    try:
        with quiet(), in_its_place(cls, method, source):
            subject.forward()
            gradients = {term: subject.gradients(term) for term in {row["term"]: None for row in rows}}
            return all(fits(np.asarray(gradients[row["term"]][row["array"]]), row) for row in rows)
    except Exception:                 # whatever the change breaks
        return False


def fits(gradient, row):
    """Return whether this gradient is the truth of the row, to within its error bars."""
    if gradient.shape != tuple(row["shape"]):
        return False
    case = Case.of_row({**row, "values": row["values"] | {"yours": gradient.ravel()[row["values"]["index"]]}})
    return not case.not_finite.size and case.fits(case.truth, case.error)


@contextlib.contextmanager
def quiet():
    """Turn warnings off: a change may overflow or divide by zero."""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        yield
