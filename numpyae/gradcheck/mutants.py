"""Who checks the checker? Put a mistake into every line of a right backward, one at a time, and see whether it is found.

That is mutation testing, and each mistake is a mutant; operators.py has the slips. A mutant is *killed* when the check does not pass,
it *survives* when it does, and it is *equivalent* when it computes the same, which needs a proof: they stand in EQUIVALENT. This file
makes them; score.py says what became of them. Which methods there are is found by running every class at its examples: those that
its backward calls and its forward does not.

    from numpyae.gradcheck import mutants, score
    print(score.in_words(score.run(mutants.mutants())))               the whole library
    print(score.in_words(score.run(mutants.mutants(MyLayer))))        a class of your own, at its `examples`
"""

import ast
import contextlib
import functools
import inspect
import itertools
import sys
import textwrap
import types

import numpy as np

from numpyae.gradcheck import where
from numpyae.gradcheck.cases import CONTRACTS, ROOMS, cases, classes
from numpyae.gradcheck.check import subject_of
from numpyae.gradcheck.operators import BACKWARD, FORWARD, Site
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Sequential
from numpyae.models import Model

DEEPEST = 6                           # so many nodes around a site: what lies deeper in a series is below every error bar
TRIALS = 12                           # so many of other classes, for a method that its own class has none for

# {(class.method, operator, mutated line): the proof that it computes the same}.
EQUIVALENT = {
    ("Softplus.backward", "> to >=", "return delta * (np.maximum(e, (self.a > 0)) / (1 + e))"):
        "At a = 0, the only difference, e = 1, and max(1, 0) = max(1, 1).",
    ("GaussianNLL.backward", "swap the operands of @", "dlogvar += ((0.5 * self.r.shape[1] - 0.5 * self.squares) @ (weight))"):
        "A product of two vectors is the same in both orders.",
    ("ContinuousBernoulliNLL.mean", "> to >=", "return np.where((square <= 0.0625), near, np.where(o > 0, 1 - low, low))"):
        "At |o| = 1/4 the series and the formula are equal to rounding.",
    ("ContinuousBernoulliNLL.mean", "another constant", "return np.where(square < 0.125, near, np.where(o > 0, 1 - low, low))"):
        "The series leaves out less than o^11 / 1.8e9, which is 6e-15 at |o| = 0.354: rounding.",
    ("ContinuousBernoulliNLL.mean", "> to >=", "return np.where(square < 0.0625, near, np.where((o >= 0), 1 - low, low))"):
        "At o = 0, the only difference, the series is taken.",
}


class Trial:
    """A target and a batch at which mutants are checked; `right`: the gradients without a mistake."""

    def __init__(self, name, target, batch):
        self.name, self.target, self.batch = name, target, batch

    def subjects(self):
        """Return the Subject of the target, and those of its parts alone, at the x and delta that they had."""
        whole = subject_of(self.target, self.batch, np.random.default_rng(0))
        rng = np.random.default_rng(0)
        return [whole, *(tap.alone(rng) for tap in where.record(whole, whole.parts))]

    @functools.cached_property
    def right(self):
        return gradients_of(self.subjects())


def gradients_of(subjects):
    """{(number, term, name): gradient} of every array of these subjects, for every term alone, and of pieces of an array."""
    found = {}
    for number, subject in enumerate(subjects):
        for term in (None, *subject.terms):
            subject.forward()
            for name, gradient in subject.gradients(term).items():
                gradient = np.array(gradient, dtype=np.float64)
                found[number, term, name] = gradient
                for title, start, stop in subject.pieces(name, gradient.shape[-1]) if gradient.ndim else ():
                    found[number, term, title] = gradient[..., start:stop]
    return found


# Which methods, and at what they are tried

@functools.cache
def trials_of(cls):
    """The trials of one class: its examples, and the models around them."""
    return [Trial(*case) for case in cases(np.random.default_rng(0), cls)]


def methods(*chosen):
    """{(class, method): (trials, operators)} of these classes, or of the library: whatever runs when they are checked.

    What runs on the way back only is wanted for all operators, what runs on the way forward for those of FORWARD.
    """
    owners = [*chosen, *(base for cls in chosen for base in cls.__mro__ if not base.__module__.startswith("numpyae."))]
    if not chosen:
        chosen = classes()
        owners = [base for cls in chosen for base in cls.__mro__ if issubclass(base, (*CONTRACTS, DiagonalGaussian))]
    known = {function.__code__: (owner, name) for owner in owners for name, function in vars(owner).items()
             if isinstance(function, types.FunctionType) and not name.startswith("__")}
    forward, back = {}, {}
    for cls in chosen:
        for trial in trials_of(cls):
            for reached, run in zip((forward, back), ways(trial)):
                for method in methods_run(run, known):
                    reached.setdefault(method, {}).setdefault(cls, []).append(trial)
    wanted = [(method, FORWARD) for method in forward] + [(method, BACKWARD) for method in back if method not in forward]
    order = {method: number for number, method in enumerate(known.values())}
    return {method: (nearest(method[0], {**forward, **back}[method]), operators)
            for method, operators in sorted(wanted, key=lambda pair: order[pair[0]])}


def ways(trial):
    """The way forward and the way back, as two functions; the way back runs at what the last way forward kept."""
    subject = subject_of(trial.target, trial.batch, np.random.default_rng(0))
    return subject.forward, lambda: subject.backward(subject.deltas)


def methods_run(run, known):
    """The methods among `known`, {code: method}, that are called in run()."""
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


def nearest(cls, trials):
    """The trials of the class itself, or else some of others, of its subclasses first, in turn: {class: trials} -> trials."""
    if cls in trials:
        return trials[cls]
    below = [other for other in trials if issubclass(other, cls)] or trials
    own_first = [sorted(trials[other], key=lambda trial: not isinstance(trial.target, cls)) for other in below]
    mixed = itertools.chain.from_iterable(itertools.zip_longest(*own_first))
    return [trial for trial in mixed if trial is not None][:TRIALS]


# Making mutants

class Mutant:
    """One mistake: `name` (class.method), `operator`, `line` and `mutated`, and `expected`, the causes that describe it."""

    def __init__(self, cls, method, trials, operator, source, line, mutated, expected):
        self.cls, self.method, self.trials, self.source, self.name = cls, method, trials, source, f"{cls.__name__}.{method}"
        self.operator, self.line, self.mutated, self.expected = operator, line, mutated, frozenset(expected)

    @contextlib.contextmanager
    def apply(self):
        """Put the mistake in place; afterwards the method is what it was."""
        original = vars(self.cls)[self.method]
        setattr(self.cls, self.method, compiled(self.source, self.cls, self.method))
        try:
            yield self
        finally:
            setattr(self.cls, self.method, original)

    def __repr__(self):
        return f"{self.name}, {self.operator}: {self.line} -> {self.mutated}"


def compiled(source, cls, method):
    """The function of this source, with the globals of its class; super() finds the class where a class body would put it."""
    namespace = {}
    inside = f"def body(__class__):\n{textwrap.indent(source, '    ')}\n    return {method}"
    exec(compile(inside, f"<mutant of {cls.__name__}.{method}>", "exec"), vars(sys.modules[cls.__module__]), namespace)
    return namespace["body"](cls)


def mutants(*chosen):
    """All mutants of these classes, or of the whole library, without duplicates. TypeError for a class without examples."""
    return [mutant for (cls, method), (trials, operators) in methods(*chosen).items()
            for mutant in mutants_of(cls, method, trials, operators)]


def mutants_of(cls, method, trials=None, operators=BACKWARD):
    """The mutants of one method. RuntimeError when its source cannot be read, or holds nothing to mutate."""
    try:
        source = textwrap.dedent(inspect.getsource(vars(cls)[method]))
    except (KeyError, OSError, TypeError) as error:
        raise RuntimeError(f"mutants: the source of {cls.__name__}.{method} cannot be read: {error}") from error
    trials = trials_of(cls) if trials is None else trials
    tree = ast.parse(source)
    seen, found = {ast.dump(tree)}, []
    for site in sites(tree.body[0], source, cls, method, trials[0]):
        for operator, text, expected in [made for operator in operators for made in operator(site)]:
            changed, row = replaced(source, site.node, text), site.node.lineno - 1
            same = ast.dump(ast.parse(changed))
            if same not in seen:
                seen.add(same)
                line, mutated = (version.splitlines()[row].split("  #")[0].strip() for version in (source, changed))
                found.append(Mutant(cls, method, trials, operator, changed, line, mutated, expected))
    if not found and operators is BACKWARD:
        raise RuntimeError(f"mutants: nothing to mutate in {cls.__name__}.{method}")
    return found


def replaced(source, node, text):
    """The source with another text for this node."""
    lines = source.encode().splitlines(keepends=True)    # ast counts bytes
    start = sum(map(len, lines[:node.lineno - 1])) + node.col_offset
    stop = sum(map(len, lines[:node.end_lineno - 1])) + node.end_col_offset
    return (b"".join(lines)[:start] + text.encode() + b"".join(lines)[stop:]).decode()


def sites(function, source, cls, method, trial):
    """Every statement and expression that computes: no docstring, no guard that raises, no index."""
    upstream = tuple(arg.arg for arg in function.args.args[1:2])
    arrays, windows = arrays_in(cls, method, trial)
    sums = issubclass(cls, (DiagonalGaussian, Sequential, Model))
    stack = [(statement, [], False) for statement in reversed(function.body)]
    while stack:
        node, around, in_loop = stack.pop()
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guard = isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)
        if docstring or guard or len(around) > DEEPEST:
            continue
        before = {name.id for name in ast.walk(function) if isinstance(name, ast.Name) and name.lineno < node.lineno}
        scope = {name: array for name, array in arrays.items() if name in {*upstream, *before} or name.startswith("self.")}
        yield Site(node, ast.get_source_segment(source, node), around, scope, windows, upstream, sums, in_loop)
        inner = [] if isinstance(node, (ast.If, ast.For)) else [*around, node]
        in_loop = in_loop or isinstance(node, ast.For)
        stack += [(child, inner, in_loop) for child in reversed(list(ast.iter_child_nodes(node))) if computes(child, node)]


def computes(child, parent):
    """Whether this part of a node goes into the gradient."""
    if isinstance(parent, ast.Call):
        called = ast.unparse(parent.func)
        skip = called in ("range", "len", "np.empty") or not isinstance(child, ast.expr)
        skip = skip or called.endswith(".reshape") and child is not parent.func
        return not skip and (child is not parent.func or isinstance(child, ast.Attribute) and isinstance(child.value, ast.Call))
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


def arrays_in(cls, method, trial):
    """({name: array}, names of windows into grad): argument, local names and attributes when the method first returns."""
    code, found = vars(cls)[method].__code__, {}

    def look(frame, event, _):
        if event == "return" and frame.f_code is code and not found:
            found.update(frame.f_locals)
            found.update({f"self.{name}": getattr(frame.f_locals["self"], name, None)
                          for name in {*vars(frame.f_locals["self"]), *code.co_names} if not name.startswith("_")})

    subject = subject_of(trial.target, trial.batch, np.random.default_rng(0))
    sys.setprofile(look)
    try:
        subject.forward()
        subject.backward(subject.deltas)
    finally:
        sys.setprofile(None)
    arrays = {name: array for name, array in sorted(found.items()) if isinstance(array, np.ndarray)}
    windows = subject.windows.values()
    return arrays, frozenset(name for name in arrays if any(np.may_share_memory(arrays[name], window) for window in windows))
