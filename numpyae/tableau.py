"""The tableau: every step of one forward and one backward pass, as a table.

[000] writes the chain rule f(x) = u(v(x)), f'(x) = u'(v(x)) v'(x). On paper one does it in two rows: the values from left to
right, the slopes from right to left. `trace(model, x, t)` is that, for a whole network, downwards:

    step   formula           shape   value                 gradient
    a1     x W1 + b1         (1, 2)  0.3775 0.3925
    h1     σ(a1)             (1, 2)  0.59327 0.596884                               forward: values
    ...
    da1    dh1 h1 (1 - h1)   (1, 2)  0.3775 0.3925         0.00877135 0.00995425    backward: gradients
    dW1    xᵀ da1            (2, 2)  0.15 0.25             0.000438568 ...          beside what they belong to

In the backward part the value is that of the quantity whose gradient stands beside it: dW1 = ∂L/∂W1 with W1. Layers with
parameters are numbered in the order of computation, from the encoder on through the decoder; `a` is a pre-activation, `h` the
output of an activation, `o` the output that meets the target.

Two traces can be compared: `ours.compare(theirs)` names the first line that differs, which is where a mistake sits.
"""

import copy
import functools
import textwrap

import numpy as np

from numpyae.activations import ELU, Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from numpyae.basis import FourierBasis, GaussianBasis, PolynomialBasis, SigmoidBasis
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Dense, Dropout, Layer, TiedDense, TopK
from numpyae.losses import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, Loss,
                            SoftmaxCrossEntropy, SquaredError)
from numpyae.models import Model, Regression, as_network

WIDTH = 100                           # columns of a printed tableau
CELL = 24                             # of these for a value, and for a gradient
FORMULA = 22                          # and for a formula

# For every class what it computes and the gradient of its input; x is its input, y its output, W and b its parameters, t the
# target. A class that is not here is shown by its name. Add your own: FORMULAS[Scale] = ("g {x}", "d{y} g").
FORMULAS = {
    Dense: ("{x} {W} + {b}", "d{y} {W}ᵀ"),
    TiedDense: ("{x} {W}ᵀ + {b}", "d{y} {W}"),
    Identity: ("{x}", "d{y}"),
    Sigmoid: ("σ({x})", "d{y} {y} (1 - {y})"),
    Tanh: ("tanh({x})", "d{y} (1 - {y}²)"),
    ReLU: ("max({x}, 0)", "d{y} where {x} > 0, else 0"),
    Softplus: ("log(1 + e^{x})", "d{y} σ({x})"),
    ELU: ("{x} where > 0, else e^{x} - 1", "d{y} e^min({x}, 0)"),
    Softmax: ("softmax({x})", "{y} (d{y} - Σ_k {y} d{y})"),
    Dropout: ("{x} mask / keep", "d{y} mask / keep"),
    TopK: ("{x} mask", "d{y} mask"),
    PolynomialBasis: ("monomials of {x}", "Σ_j d{y}_j dφ_j/d{x}"),
    FourierBasis: ("cos and sin of {x}", "Σ_j d{y}_j dφ_j/d{x}"),
    GaussianBasis: ("e^-½‖({x} - c) / s‖²", "Σ_j d{y}_j dφ_j/d{x}"),
    SigmoidBasis: ("σ(vᵀ({x} - c) / s)", "Σ_j d{y}_j dφ_j/d{x}"),
    SquaredError: ("Σ_d ({x} - {t})²", "2 ({x} - {t}) / N"),
    SoftmaxCrossEntropy: ("-Σ_k {t} log softmax({x})", "(softmax({x}) - {t}) / N"),
    BernoulliNLL: ("Σ_d log(1 + e^{x}) - {t} {x}", "(σ({x}) - {t}) / N"),
    ContinuousBernoulliNLL: ("Σ_d A({x}) - {t} {x}", "(A'({x}) - {t}) / N"),
    GaussianNLL: ("½ Σ_d ({x} - {t})² / σ² + ½ D log 2πσ²", "({x} - {t}) / σ² / N"),
    HeteroscedasticGaussianNLL: ("½ Σ_d (μ - {t})² / σ² + log 2πσ²; {x} = (μ, log σ²)", "(dmu, dlogvar)"),
}


class Row:
    """One step: its name, formula, shape, value, gradient (None where there is none), the part of the model and the pass."""

    def __init__(self, step, formula, value, gradient, part, backward):
        self.step, self.formula, self.part, self.backward = step, formula, part, backward
        self.value, self.gradient = np.array(value), None if gradient is None else np.array(gradient)

    @property
    def shape(self):
        """Of value and gradient."""
        return self.value.shape

    def __repr__(self):
        return f"Row({self.step} = {self.formula}, shape {self.shape})"


class Tableau:
    """What `trace` returns: `rows` in the order of computation, forward then backward; print it, index it by step, compare it."""

    def __init__(self, title, rows):
        self.title, self.rows = title, rows

    def __getitem__(self, step):
        """The row of that name, such as tableau["dW1"]. KeyError, with the names there are, for another."""
        for row in self.rows:
            if row.step == step:
                return row
        raise KeyError(f"there is no step {step!r}, only {', '.join(row.step for row in self.rows)}")

    def __len__(self):
        return len(self.rows)

    def compare(self, other, tolerance=1e-9):
        """One sentence: the first line in which two traces differ by more than tolerance, relative to its largest number."""
        for number, (mine, theirs) in enumerate(zip(self.rows, other.rows), 1):
            line = f"line {number}, {mine.step} = {mine.formula}:"
            if (mine.step, mine.formula, mine.shape) != (theirs.step, theirs.formula, theirs.shape):
                return (f"{line} the other has {theirs.step} = {theirs.formula}, shape {theirs.shape}; "
                        f"this one has shape {mine.shape}")
            for what in ("value", "gradient"):
                a, b = getattr(mine, what), getattr(theirs, what)
                place = largest_gap(a, b, tolerance)
                if place is not None:
                    return f"{line} {what}{list(map(int, place)) or ''} is {a[place]:.9g} here and {b[place]:.9g} there"
        if len(self) != len(other):
            return f"the first {min(len(self), len(other))} lines agree, but there are {len(self)} here and {len(other)} there"
        return f"all {len(self)} lines agree"

    def __str__(self):
        steps = 2 + max(len(row.step) for row in self.rows)
        shapes = 2 + max(len(str(row.shape)) for row in self.rows)
        formulas = min(FORMULA, max(len(row.formula) for row in self.rows)) + 2
        cells = [shown(array) for row in self.rows for array in (row.value, row.gradient)]
        cell = 2 + max(len(line) for lines in cells for line in lines)
        widths = (steps, formulas, shapes, cell, cell - 2)
        heads = [["step"], ["formula"], ["shape"], ["value"], ["gradient"]]
        lines = [textwrap.fill(self.title, WIDTH), "", in_columns(heads, widths)]
        backward = None
        for row in self.rows:
            if row.backward != backward:
                backward = row.backward
                lines.append(f"-- {'backward' if backward else 'forward'} ".ljust(sum(widths), "-"))
            formula = textwrap.wrap(row.formula, formulas - 2)
            lines.append(in_columns([[row.step], formula, [str(row.shape)], shown(row.value), shown(row.gradient)], widths))
        if any(line.startswith("‖") for lines_of in cells for line in lines_of):
            lines += ["", "‖norm‖ min … max of arrays that are too large to print"]
        return "\n".join(lines)

    def __repr__(self):
        return f"Tableau({self.title}; {len(self)} lines)"


def trace(network_or_model, *batch, rng=None):
    """Every step of one forward and one backward pass, as a Tableau. Nothing of the model is changed: a copy does the work.

    A Model takes the arrays of its loss, `trace(model, x, t)`; a network without a loss takes x and t, and its loss is the
    slides' squared error, Σ_d (o - t)², averaged over samples. Noise is drawn from `rng`: the same seed, the same trace.
    TypeError for something without a network, ValueError or TypeError for data that do not fit, one sentence each.
    """
    if isinstance(network_or_model, Model):
        model = copy.deepcopy(network_or_model)
    elif isinstance(network_or_model, Layer):
        model = Regression(as_network(copy.deepcopy(network_or_model)), SquaredError())
    else:
        raise TypeError(f"trace: expected a network or a model, got {type(network_or_model).__name__}")
    if len(batch) != len(model.batch_names):
        raise ValueError(f"trace: expected the arrays {', '.join(model.batch_names)}, got {len(batch)}")
    model.check(*batch)
    recorder = Recorder(model, batch)
    value = model.loss(*batch, rng=rng)
    recorder.total(value)
    model.backward()
    return Tableau(repr(network_or_model), recorder.rows)


class Recorder:
    """Listens to the parts of a model and writes a row for each thing that one of them computes."""

    def __init__(self, model, batch):
        self.rows, self.numbers, self.model = [], {}, model
        self.names = []               # (name, array) of everything computed so far
        self.target = model.batch_names[-1]
        for name, array in zip(model.batch_names, batch):
            self.add(name, "given", array)
        for name, leaf in model.leaves().items():
            if isinstance(leaf, DiagonalGaussian):
                listen(leaf, self.posterior, name, ("sample", "kl", "sample_backward", "kl_backward", "backward"))
            elif isinstance(leaf, Loss):
                listen(leaf, self.criterion, name, ("forward", "backward"))
            else:
                listen(leaf, self.layer, name, ("forward", "backward"))

    def add(self, name, formula, value, gradient=None, part=None, backward=False):
        """A row; a value of the forward pass is known by its name from now on."""
        self.rows.append(Row(name, formula, value, gradient, part, backward))
        if isinstance(value, np.ndarray) and not backward:
            self.names.append((name, value))

    def name_of(self, array):
        """The name of an array that was computed before, perhaps in another shape."""
        for name, known in reversed(self.names):
            if known is array or known.size == array.size and np.shares_memory(known, array):
                return name
        return "?"

    def rename(self, old, new):
        """What turned out to be the output is called so."""
        for row in self.rows:
            row.step = new if row.step == old else row.step
        self.names = [(new if name == old else name, array) for name, array in self.names]
        for of in self.numbers.values():
            if isinstance(of, dict) and of["y"] == old:
                of["y"] = new

    def layer(self, part, layer, method, call, x, **options):
        """Of a layer: y = forward(x) and dx = backward(dy), with the gradients of its parameters."""
        if method == "forward":
            y = call(x)
            of = self.describe(layer, x)
            self.add(of["y"], formula(layer, 0).format(**of), y, part=part)
            return y
        of, owners = self.numbers[id(layer)], [layer, layer.dense] if isinstance(layer, TiedDense) else [layer]
        before = [gradient.copy() for owner in owners for gradient in owner.named_gradients().values()]
        dx = call(x, **options)
        names = [(owner, name) for owner in owners for name in owner.named_gradients()]
        for (owner, name), old in zip(names, before):
            gradient = owner.named_gradients()[name] - old
            if owner is layer or np.any(gradient):
                symbol = self.numbers[id(owner)].get(name, name)
                value = owner.named_parameters()[name]
                self.add(f"d{symbol}", self.parameter_formula(layer, name, of), value, gradient, part, True)
        if dx is not None:
            self.add(f"d{of['x']}", formula(layer, 1).format(**of), of["input"], dx, part, True)
        return dx

    def describe(self, layer, x):
        """The symbols of a layer at its forward pass: input x, output y, its parameters with its number."""
        numbered = bool(layer.named_parameters())
        k = self.numbers["last"] = self.numbers.get("last", 0) + numbered
        taken = [name for name, _ in self.names]
        y = f"a{k}" if isinstance(layer, (Dense, TiedDense)) else f"y{k}" if numbered else f"h{k}"
        while y in taken:
            y += "'"
        of = {"x": self.name_of(x), "y": y, "input": x, **{name: f"{name}{k}" for name in layer.named_parameters()}}
        if isinstance(layer, TiedDense):
            of["W"] = self.numbers[id(layer.dense)]["W"]
        self.numbers[id(layer)] = of
        return of

    @staticmethod
    def parameter_formula(layer, name, of):
        """How the gradient of a parameter comes about."""
        if isinstance(layer, Dense) and name == "W":
            return f"{of['x']}ᵀ d{of['y']}"
        if isinstance(layer, TiedDense) and name == "W":
            return f"d{of['y']}ᵀ {of['x']}, its second path"
        return f"Σ_n d{of['y']}" if isinstance(layer, (Dense, TiedDense)) else f"{type(layer).__name__}.backward"

    def criterion(self, part, loss, method, call, *arrays):
        """Of a loss: its value per sample, and where the way back begins."""
        step = "NLL" if loss.is_likelihood else "E"
        if method == "forward":
            self.output = arrays[0]
            self.rename(self.name_of(self.output), "o")
            values = call(*arrays)
            self.add(step, formula(loss, 0).format(x=self.name_of(arrays[0]), t=self.target), values, part=part)
            return values
        do, o = call(*arrays), self.name_of(self.output)
        for name, gradient in loss.named_gradients().items():
            self.add(f"d{name}", f"d{step}/d{name}", loss.named_parameters()[name], gradient, part, True)
        self.add(f"d{o}", formula(loss, 1).format(x=o, t=self.target), self.output, do, part, True)
        return do

    def posterior(self, part, q, method, call, *arrays):
        """Of q(z|x): the draw, its cost, and both ways back."""
        got = call(*arrays)
        if method == "sample":
            self.h, d = arrays[0], q.d
            h = self.name_of(self.h)
            self.add("mu", f"{h}[:, :{d}]", q.mu, part=part)
            self.add("logvar", f"{h}[:, {d}:], log σ²", q.logvar, part=part)
            self.add("sigma", "e^(½ logvar)", q.sigma, part=part)
            self.add("epsilon", "drawn from N(0, I)", q.epsilon, part=part)
            self.add("z", "mu + sigma epsilon", got, part=part)
        elif method == "kl":
            self.add("KL", "½ Σ_j (mu² + sigma² - logvar - 1)", got, part=part)
        elif method == "backward":
            self.add(f"d{self.name_of(self.h)}", "(dmu, dlogvar), summed", self.h, got, part, True)
        else:
            way, formulas = {"sample_backward": ("draw", ("dz", "½ dz epsilon sigma")),
                             "kl_backward": ("KL", ("mu / N", "½ (sigma² - 1) / N"))}[method]
            for name, text, value, gradient in zip(("dmu", "dlogvar"), formulas, (q.mu, q.logvar), got):
                beta = "beta " * (way == "KL" and getattr(self.model, "beta", 1) != 1)
                self.add(f"{name}|{way}", beta + text, value, gradient, part, True)
        return got

    def total(self, value):
        """The loss, and the name `o` for the output that met the target."""
        values = [row.step for row in self.rows if row.step in ("E", "NLL", "KL")]
        beta = getattr(self.model, "beta", 1)
        terms = [f"{beta:g} {name}" if name == "KL" and beta != 1 else name for name in values]
        self.add("L", f"1/N Σ_n {terms[0] if len(terms) == 1 else '(' + ' + '.join(terms) + ')'}", value)


def listen(part, listener, name, methods):
    """Let every call of these methods of a part go through the listener."""
    for method in methods:
        setattr(part, method, functools.partial(listener, name, part, method, getattr(part, method)))


def formula(part, which):
    """What a part computes (0), or the gradient of its input (1); its name where nobody has written that down."""
    for kind in type(part).__mro__:
        if kind in FORMULAS:
            return FORMULAS[kind][which]
    return type(part).__name__ + ("({x})", ".backward(d{y})" if isinstance(part, Layer) else ".backward")[which]


def largest_gap(a, b, tolerance):
    """Where two arrays differ most, as an index; None where no difference exceeds tolerance times the largest number."""
    if a is None or b is None:
        return None
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    gap = np.nan_to_num(np.abs(a - b) * (a != b), nan=np.inf)
    if gap.size == 0 or not gap.max() > tolerance * max(np.abs(a).max(), np.abs(b).max()):
        return None
    return np.unravel_index(np.argmax(gap), gap.shape)


def shown(array):
    """The lines of a cell: all numbers where they fit, else norm, smallest and largest."""
    if array is None:
        return [""]
    rows = np.atleast_2d(array)
    if rows.ndim == 2 and 0 < len(rows) <= 3 and rows.shape[1] <= 4:
        for digits in (6, 5, 4, 3):
            lines = [" ".join(f"{number:.{digits}g}" for number in row) for row in rows]
            if max(map(len, lines)) <= CELL:
                return lines
    return [f"‖{np.linalg.norm(array):.3g}‖ {np.min(array):.3g} … {np.max(array):.3g}"]


def in_columns(cells, widths):
    """Cells of several lines side by side."""
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    lines = ["".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in zip(*padded)]
    return "\n".join(lines)
