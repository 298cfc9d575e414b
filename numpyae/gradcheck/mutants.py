"""Who checks the checker? Put a mistake into every line of a right backward, one at a time, and see whether it is found.

That is mutation testing, and each mistake is a mutant. The operators below are the usual slips of backprop: a sign, a factor, a
forgotten `.T`, the wrong axis, another cached array, `=` for `+=`. A mutant is *killed* when the check does not pass, it
*survives* when it does, and it is *equivalent* when it computes the same, which needs a proof: they stand in EQUIVALENT.
This file makes them; score.py says what became of them.

    from numpyae.gradcheck import mutants, score
    print(score.in_words(score.run(mutants.mutants())))
"""

import ast
import contextlib
import functools
import inspect
import sys
import textwrap
from typing import NamedTuple

import numpy as np

from numpyae.activations import ELU, Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.layers import Dense, Dropout, Sequential, TiedDense, TopK
from numpyae.losses import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, SoftmaxCrossEntropy,
                            SquaredError)
from numpyae.models import Model, Regression
from numpyae.penalties import Contraction, KLSparsity, L2Sparsity
from numpyae.priors import GaussianPrior, MixturePrior
from numpyae.vae import VAE

N, D, H, K, C = 7, 5, 11, 2, 3        # batch, data, hidden, code, inputs: pairwise distinct primes
ELEMENTWISE = (Identity, Sigmoid, Tanh, ReLU, Softplus, ELU, Softmax)
LOSSES = (SquaredError, SoftmaxCrossEntropy, BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL)
METHODS = [(cls, "backward") for cls in (Dense, TiedDense, Dropout, TopK, Sequential, *ELEMENTWISE, *LOSSES, DiagonalGaussian,
                                         Regression, Autoencoder, VAE)]
METHODS += [(ContinuousBernoulliNLL, "mean"), (DiagonalGaussian, "sample"), (DiagonalGaussian, "sample_backward"),
            (DiagonalGaussian, "kl_backward"), (DiagonalGaussian, "density_backward"), (Model, "from_zero")]
DEEPEST = 6                           # so many nodes around a site: what lies deeper in a series is below every error bar
SUMS = (DiagonalGaussian, Sequential, Autoencoder, VAE)  # their gradient is a sum of terms that have a name

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


# What the mutants are checked on

class Penalised(Model):
    """Two networks whose outputs add up, and a penalty ½ Σ (h² + y²) / N on two layers of the first: it joins in the middle of
    the way back through that one, while the same delta goes back through the other."""

    batch_names = ("x", "t")

    def __init__(self, first, second):
        self.first, self.second, self.criterion = first, second, SquaredError()
        self.add_parts(first=first, second=second, criterion=self.criterion)

    def loss(self, x, t, rng=None, noise=None, training=True):
        self.begin(rng, noise, training)
        self.y, y = self.first.forward(x), self.second.forward(x)
        values = self.criterion.forward(self.y + y, t)
        self.h = self.first.layers[1].h
        self.term("error", values, over=len(x))
        self.term("penalty", np.add.reduce(self.h * self.h, axis=1) + np.add.reduce(self.y * self.y, axis=1), over=len(x), factor=0.5)
        return self.total()

    def backward(self):
        self.from_zero()
        delta, weight = self.criterion.backward(self.weights["error"]), 2 * self.weights["penalty"][:, None]
        self.first.backward(delta, {1: self.h * weight, 2: self.y * weight}, input_gradient=False)
        self.second.backward(delta, input_gradient=False)
        return self._grad


class Silent(Regression):
    """A regression without noise: nothing is dropped."""

    def loss(self, x, t, rng=None, noise=None, training=True):
        return super().loss(x, t, rng, noise, training=False)


@functools.cache
def subjects():
    """{class: [(name, target, batch), ...]}: a part alone, inside a model, and whatever reaches its other lines. No bias is 0."""
    rng = np.random.default_rng(0)
    x, unit, t, z = rng.standard_normal((N, C)), rng.random((N, D)), rng.standard_normal((N, K)), rng.standard_normal((N, D))
    square, shared = rng.standard_normal((D, D)), Dense(D, H, rng=rng)
    found = {type(layer): [("alone", layer, (z,)), ("inside", between(D, layer_again, D, rng), (x, t))] for layer, layer_again in
             [(Dropout(0.3), Dropout(0.3)), (TopK(2), TopK(2)), *((cls(), cls()) for cls in ELEMENTWISE)]}
    found[Dropout] += [("silent", between(D, Dropout(0.3), D, rng, Silent), (x, t))]
    found[Dense] = [("alone", Dense(D, H, rng=rng), (z,)), ("inside", between(D, Dense(D, H, rng=rng), H, rng), (x, t)),
                    ("square", Dense(D, D, rng=rng), (square,))]
    found[TiedDense] = [("alone", TiedDense(Dense(D, H, rng=rng)), (rng.standard_normal((N, H)),)),
                        ("square", TiedDense(Dense(D, D, rng=rng)), (square,)),
                        ("inside", Autoencoder(Sequential(shared, Tanh()), TiedDense(shared), SquaredError()), (z,))]
    found[Sequential] = [("alone", Sequential(Dense(D, H, rng=rng), Tanh()), (z,)),
                         ("penalised", Penalised(mlp([C, D, K], rng=rng), mlp([C, K], rng=rng)), (x, t))]
    for cls in LOSSES:
        width = D * cls.outputs_per_feature
        loss, again = (cls(0.7, learn=True), cls(0.7, learn=True)) if cls is GaussianNLL else (cls(), cls())
        target = unit / unit.sum(axis=1, keepdims=True) if loss.takes_logits else z
        found[cls] = [("alone", loss, (rng.standard_normal((N, width)), target)),
                      ("inside", Regression(mlp([C, width], rng=rng), again), (x, target))]
    found[SoftmaxCrossEntropy].insert(0, ("no probabilities", SoftmaxCrossEntropy(), (z, unit)))
    found[ContinuousBernoulliNLL] += [("near 0", ContinuousBernoulliNLL(), (0.499 * unit - 0.2495, unit))]
    found[Regression] = [("regression", Regression(mlp([C, D, K], rng=rng), SquaredError()), (x, t))]
    found[Autoencoder] = [("autoencoder", Autoencoder(mlp([D, K], rng=rng), mlp([K, D], rng=rng), SquaredError()), (z,))]
    found[Autoencoder] += [("three penalties", penalised(rng), (z,))]
    found[VAE] = [("vae", vae(rng), (unit,)), ("three draws", vae(rng, samples=3, beta=0.5), (unit,))]
    another = ("another prior", vae(rng, prior=GaussianPrior(K, 0.5, 1.7)), (unit,))
    sampled = ("another prior, sampled", vae(rng, prior=GaussianPrior(K, 0.5, 1.7), kl="sampled"), (unit,))
    mixture = ("a mixture", vae(rng, prior=MixturePrior(K, C, rng), kl="sampled", samples=3, beta=0.5), (unit,))
    full = VAE(mlp([D, 2 * K + 1], rng=rng), mlp([K, D], rng=rng), BernoulliNLL(), FullGaussian(K), kl="sampled")
    found[DiagonalGaussian] = [("alone", DiagonalGaussian(K), (rng.standard_normal((N, 2 * K)),)), *found[VAE], another, mixture,
                               ("full", full, (unit,))]
    found[VAE] += [sampled, mixture]
    found[Model] = [*found[Regression], *found[VAE][:1]]
    for target in {id(target): target for several in found.values() for _, target, _ in several}.values():
        target.w += 0.1 * rng.standard_normal(target.w.size)
    return found


def between(n_in, layer, n_out, rng, model=Regression):
    """A regression with this layer in the middle."""
    return model(Sequential(Dense(C, n_in, rng=rng), layer, Dense(n_out, K, rng=rng)), SquaredError())


def penalised(rng):
    """An autoencoder with two penalties on its code, and one that joins below it."""
    penalties = [L2Sparsity(0.1, 0.7), KLSparsity(0.2, 0.3), Contraction(0.3)]
    return Autoencoder(mlp([D, K], output=Sigmoid, rng=rng), mlp([K, D], rng=rng), SquaredError(), penalties=penalties)


def vae(rng, **options):
    """A small VAE."""
    return VAE(mlp([D, 2 * K], rng=rng), mlp([K, D], rng=rng), BernoulliNLL(), DiagonalGaussian(K), **options)


# The operators: site -> [(operator, new text of the node, labels that describe the mistake), ...]

class Site(NamedTuple):
    """A node of a method's source: its text, the nodes around it from its statement down, the arrays in scope."""

    node: ast.AST
    text: str
    around: list
    arrays: dict                      # {name: array}, as on the first subject
    cls: type
    upstream: tuple                   # the method's argument: delta, weight, dz ...


def scaled(site):
    """Negate; times or divided by 2, N, D."""
    found, labels = [], scale_labels(site)
    if is_whole(site) or is_summand(site):
        found.append(("negate", f"(-({site.text}))", labels))
    if is_whole(site):
        by = [("2", "2")] + [("N", f"len({name})") for name, array in site.arrays.items() if array.ndim][:1]
        by += [("D", f"{name}.shape[1]") for name, array in site.arrays.items() if array.ndim == 2 and array.shape[1] > 1
               and site.cls is not Sequential][:1]               # there every layer has a D of its own
        for name, c in by if not isinstance(site.around[-1], ast.Assign) else ():
            found.append((f"times {name}", f"(({site.text}) * {c})", labels))
            found.append((f"divided by {name}", f"(({site.text}) / {c})", labels))
        found.append(("cast to float32", f"({site.text}).astype(np.float32)", {"precision", "dtype"}))
    return found


def dropped(site):
    """Drop a summand or a factor."""
    if not isinstance(site.node, ast.BinOp) or isinstance(site.node.op, ast.MatMult):
        return []
    left, right, op = site.node.left, site.node.right, type(site.node.op)
    a, b = ast.unparse(left), ast.unparse(right)
    if op in (ast.Add, ast.Sub):
        labels = {"term"} if site.cls in SUMS else {"term", "elementwise"}
        return [("drop a summand", f"({a})", labels | ({"diagonal"} if "axis=1" in b else set())),
                ("drop a summand", f"({b})" if op is ast.Add else f"(-({b}))", labels)]
    found = [("drop the scale" if b == "self.keep" else "drop a factor", f"({a})", factor_labels(site, right))]
    if not (isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Mult, ast.Div))):
        found.append(("drop a factor", f"({b})" if op is ast.Mult else f"(1 / ({b}))", factor_labels(site, left)))
    return found


def transposed(site):
    """Drop .T; swap the operands of @."""
    labels = {"transposed", "operand", "raises", "shape"}
    if isinstance(site.node, ast.Attribute) and site.node.attr == "T":
        return [("drop .T", ast.unparse(site.node.value), labels)]
    if isinstance(site.node, ast.BinOp) and isinstance(site.node.op, ast.MatMult):
        return [("swap the operands of @", f"(({ast.unparse(site.node.right)}) @ ({ast.unparse(site.node.left)}))", labels)]
    return []


def summed(site):
    """Sum over another axis, over all, or a mean."""
    if not (isinstance(site.node, ast.Call) and ast.unparse(site.node.func) == "np.add.reduce"):
        return []
    axis = next(ast.unparse(keyword.value) for keyword in site.node.keywords if keyword.arg == "axis")
    found = [("sum over all axes" if other is None else "sum over another axis",
              site.text.replace(f"axis={axis}", f"axis={other}"), {"axes", "shape", "raises"} | (scale_labels(site) - {"factor"}))
             for other in (0, 1, None) if str(other) != axis]
    return found + [("sum to mean", site.text.replace("np.add.reduce", "np.mean"), scale_labels(site))]


def renamed(site):
    """Another cached array, or local name, of the same shape: two of them are enough."""
    here = site.arrays.get(site.text)
    if here is None or here.ndim == 0:
        return []
    others = [name for name, array in site.arrays.items() if array.shape == here.shape and not np.shares_memory(array, here)][:2]
    gradients = {"dW", "db", "self.dW", "self.db"}       # they depend on delta, and grow from call to call
    found = []
    for other in others:
        labels = {"elementwise", "operand"} | scale_labels(site)
        labels |= {"nonlinear"}                          # exact, where it is said: delta is a factor twice, or not at all
        labels |= {"redrawn"} if other in gradients else set()
        labels |= {"updates", "zero"} if site.text in gradients else set()
        found.append(("another cached value", other, labels))
    return found


def constants(site):
    """1/2 to 1, other constants doubled, 0 to 1; the mask to ones; > to >=."""
    node = site.node
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        labels = {"not zeroed", "term"} if site.cls is Model else scale_labels(site) | {"elementwise"}
        other = "1" if node.value in (0, 0.5) else str(2 * node.value)
        return [("1/2 to 1" if node.value == 0.5 else "another constant", other, labels)]
    if site.text == "self.mask":
        return [("mask to ones", "1", {"elementwise"})]
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Gt, ast.GtE, ast.Lt)):
        sign = {ast.Gt: ">=", ast.GtE: ">", ast.Lt: "<="}[type(node.ops[0])]
        return [("mask to ones", "1", {"elementwise"}),
                ("> to >=", f"({ast.unparse(node.left)} {sign} {ast.unparse(node.comparators[0])})", {"kink", "elementwise"})]
    return []


def sigma(site):
    """exp(logvar / 2), which is σ, to exp(logvar)."""
    if isinstance(site.node, ast.Call) and site.text.startswith("np.exp(0.5 * "):
        return [("exp(logvar / 2) to exp(logvar)", site.text.replace("0.5 * ", ""), {"factor", "term"})]
    return []


def statements(site):
    """`+=` to `=`; a copy made in place; a call left out."""
    node = site.node
    if isinstance(node, ast.AugAssign):
        return [("+= to =", f"{ast.unparse(node.target)}[...] = {ast.unparse(node.value)}", {"overwrites", "term", "zero"})]
    if isinstance(node, ast.Expr) and "_check_use" not in site.text:
        return [("drop a call", "pass", {"not zeroed"} if "zero" in site.text or "fill" in site.text else {"zero"})]
    if isinstance(node, (ast.Return, ast.Assign)) and isinstance(node.value, ast.BinOp):
        name, *steps = in_place(node.value)
        owners = [array for other, array in site.arrays.items() if other in site.upstream or other.startswith("self.")]
        if any(site.arrays.get(name) is array for array in owners):          # others hold it too
            end = f"return {name}" if isinstance(node, ast.Return) else f"{ast.unparse(node.targets[0])} = {name}"
            labels = {"in place", "term"} if site.cls in SUMS else {"in place"}         # elsewhere that delta has a term too many
            return [("in place", "; ".join([*steps, end]), labels)]
    return []


OPERATORS = (scaled, dropped, transposed, summed, renamed, constants, statements)


def is_whole(site):
    """A value that is returned, added or kept, or an argument of another backward."""
    if not site.around or not isinstance(site.node, (ast.BinOp, ast.Call, ast.Name, ast.Attribute)) or "np.empty" in site.text:
        return False
    parent = site.around[-1]
    if isinstance(parent, ast.Assign):
        return not isinstance(parent.targets[0], ast.Tuple) and isinstance(site.node, (ast.BinOp, ast.Call))
    if isinstance(parent, ast.Call):
        return ast.unparse(parent.func).endswith("backward")
    if isinstance(parent, ast.Tuple):
        return isinstance(site.around[0], ast.Return)
    return isinstance(parent, (ast.Return, ast.AugAssign))


def is_summand(site):
    """An operand of + or -."""
    return bool(site.around) and isinstance(site.around[-1], ast.BinOp) and isinstance(site.around[-1].op, (ast.Add, ast.Sub))


def scale_labels(site):
    """What a part of a gradient that is c times too large is called; where all of it is, `exact_causes` knows."""
    if site.cls in SUMS:
        return {"term"}
    if site.upstream == ("o",):       # the mean, of which a loss subtracts its target
        return {"term", "elementwise"}
    inside = any(isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) for node in site.around)
    return {"term", "elementwise"} if inside or site.around and isinstance(site.around[0], ast.Assign) else set()


def factor_labels(site, lost):
    """What a product without this factor is called; without delta it does not depend on what comes in."""
    labels = {"elementwise"} | scale_labels(site)
    names = {node.id for node in ast.walk(lost) if isinstance(node, ast.Name)}
    return labels | {"nonlinear", "operand", "dtype"} if names & {*site.upstream} else labels


def in_place(node):
    """`a * b / c` as ["a", "a *= b", "a /= c"]."""
    if not isinstance(node, ast.BinOp):
        return [ast.unparse(node)]
    name, *steps = in_place(node.left)
    sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@"}[type(node.op)]
    return [name, *steps, f"{name} {sign}= {ast.unparse(node.right)}"]


# Making mutants

class Mutant:
    """One mistake: `name` (class.method), `operator`, `line` and `mutated`, and `expected`, the causes that describe it."""

    def __init__(self, cls, method, operator, source, line, mutated, expected):
        self.cls, self.method, self.source, self.name = cls, method, source, f"{cls.__name__}.{method}"
        self.operator, self.line, self.mutated, self.expected = operator, line, mutated, frozenset(expected)

    @contextlib.contextmanager
    def apply(self):
        """With the mistake in place; afterwards the method is what it was."""
        original, namespace = vars(self.cls)[self.method], {}
        exec(compile(self.source, f"<mutant of {self.name}>", "exec"), vars(sys.modules[self.cls.__module__]), namespace)
        try:
            setattr(self.cls, self.method, namespace[self.method])
            yield self
        finally:
            setattr(self.cls, self.method, original)

    def __repr__(self):
        return f"{self.name}, {self.operator}: {self.line} -> {self.mutated}"


def mutants():
    """All of them, without duplicates."""
    return [mutant for cls, method in METHODS for mutant in mutants_of(cls, method)]


def mutants_of(cls, method, operators=None):
    """The mutants of one method. RuntimeError when its source cannot be read, or holds nothing to mutate."""
    operators = operators or ((sigma,) if method == "sample" else OPERATORS)
    try:
        source = textwrap.dedent(inspect.getsource(vars(cls)[method]))
    except (KeyError, OSError, TypeError) as error:
        raise RuntimeError(f"mutants: the source of {cls.__name__}.{method} cannot be read: {error}") from error
    tree = ast.parse(source)
    seen, found = {ast.dump(tree)}, []
    for site in sites(tree.body[0], source, cls, method):
        for operator, text, expected in [made for operator in operators for made in operator(site)]:
            changed, row = replaced(source, site.node, text), site.node.lineno - 1
            same = ast.dump(ast.parse(changed))
            if same not in seen:
                seen.add(same)
                line, mutated = (version.splitlines()[row].split("  #")[0].strip() for version in (source, changed))
                found.append(Mutant(cls, method, operator, changed, line, mutated, expected))
    if not found:
        raise RuntimeError(f"mutants: nothing to mutate in {cls.__name__}.{method}")
    return found


def replaced(source, node, text):
    """The source with another text for this node."""
    lines = source.encode().splitlines(keepends=True)    # ast counts bytes
    start = sum(map(len, lines[:node.lineno - 1])) + node.col_offset
    stop = sum(map(len, lines[:node.end_lineno - 1])) + node.end_col_offset
    return (b"".join(lines)[:start] + text.encode() + b"".join(lines)[stop:]).decode()


def sites(function, source, cls, method):
    """Every statement and expression that computes: no docstring, no guard that raises, no index."""
    upstream = tuple(arg.arg for arg in function.args.args[1:2])
    arrays = arrays_in(cls, method)
    stack = [(statement, []) for statement in reversed(function.body)]
    while stack:
        node, around = stack.pop()
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guard = isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)
        if docstring or guard or len(around) > DEEPEST:
            continue
        before = {name.id for name in ast.walk(function) if isinstance(name, ast.Name) and name.lineno < node.lineno}
        scope = {name: array for name, array in arrays.items() if name in {*upstream, *before} or name.startswith("self.")}
        yield Site(node, ast.get_source_segment(source, node), around, scope, cls, upstream)
        inner = [] if isinstance(node, (ast.If, ast.For)) else [*around, node]
        stack += [(child, inner) for child in reversed(list(ast.iter_child_nodes(node))) if computes(child, node)]


def computes(child, parent):
    """Whether this part of a node goes into the gradient."""
    if isinstance(parent, ast.Call):
        skip = ast.unparse(parent.func) in ("range", "len", "np.empty", "self._check_use") or not isinstance(child, ast.expr)
        return not skip and (child is not parent.func or isinstance(child, ast.Attribute) and isinstance(child.value, ast.Call))
    if isinstance(parent, (ast.Assign, ast.AugAssign, ast.Subscript)):
        return child is parent.value
    if isinstance(parent, (ast.If, ast.For)):
        return isinstance(child, ast.stmt)
    if isinstance(parent, ast.Attribute):
        return isinstance(child, ast.expr) and parent.attr in ("T", "reshape")
    return isinstance(child, (ast.expr, ast.stmt))


def arrays_in(cls, method):
    """{name: array} of the argument, local names and attributes, when the method first returns on the first subject."""
    code, found = vars(cls)[method].__code__, {}

    def look(frame, event, _):
        if event == "return" and frame.f_code is code and not found:
            found.update(frame.f_locals)
            found.update({f"self.{name}": getattr(frame.f_locals["self"], name, None)
                          for name in {*vars(frame.f_locals["self"]), *code.co_names} if not name.startswith("_")})

    sys.setprofile(look)
    try:
        one_pass(*subjects()[cls][0][1:])
    finally:
        sys.setprofile(None)
    return {name: array for name, array in sorted(found.items()) if isinstance(array, np.ndarray)}


def one_pass(target, batch):
    """{name: gradient} of one pass back at fixed noise and deltas: of every array, for every term alone, and of both halves."""
    target, rng, found = target.astype(np.float64), np.random.default_rng(0), {}
    if isinstance(target, Model):
        target.loss(*batch, rng=0)
        for term in [None, *target.weights]:
            target.loss(*batch, rng=0)
            target.weights = {name: weight if term in (None, name) else 0 * weight for name, weight in target.weights.items()}
            grad = target.backward()
            stops = np.cumsum([array.size for array in target.named_parameters().values()])[:-1]
            found |= {f"{term}: {name}": part for name, part in zip(target.named_parameters(), np.split(grad, stops))}
            if isinstance(target, VAE):
                dW = target.encoder.layers[-1].dW.copy()
                found |= {f"{term}: mu": dW[:, :K], f"{term}: logvar": dW[:, K:2 * K]}
        if isinstance(target, VAE) and target._sampled:
            z = target.posterior.z
            u, v = rng.standard_normal(z.shape), rng.standard_normal(z.shape[:-1])
            for a, b in ((1, 0), (0, 1)):
                dh = target.posterior.backward(a * u, dlog_q=b * v)
                found |= {f"log q {a}{b}": dh, f"log q mu {a}{b}": dh[:, :K], f"log q logvar {a}{b}": dh[:, K:2 * K]}
    elif isinstance(target, DiagonalGaussian):
        epsilon, u, v = rng.standard_normal((N, K)), rng.standard_normal((N, K)), rng.standard_normal(N)
        for a, b in ((1, 1), (1, 0), (0, 1)):
            target.sample(batch[0], epsilon)
            target.kl()
            dh = target.backward(a * u, b * v)
            found |= {f"h {a}{b}": dh, f"mu {a}{b}": dh[:, :K], f"logvar {a}{b}": dh[:, K:]}
    else:
        for leaf in target.leaves().values():
            leaf.rng = 0
        y = target.forward(*batch)
        windows = target.named_gradients() | ({"dense.W": target.dense.dW} if isinstance(target, TiedDense) else {})
        for window in windows.values():
            window.fill(0)
        found["x"] = target.backward(rng.standard_normal(y.shape))
        found |= windows
        if isinstance(target, HeteroscedasticGaussianNLL):
            found |= {"mu": found["x"][:, :D], "logvar": found["x"][:, D:]}
    return {name: np.array(array, dtype=np.float64) for name, array in found.items()}
