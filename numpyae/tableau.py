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
from numpyae.corruption import GaussianNoise, MaskingNoise, SaltAndPepper
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.layers import Dense, Dropout, Layer, Sequential, TiedDense, TopK
from numpyae.losses import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, Loss,
                            SoftmaxCrossEntropy, SquaredError)
from numpyae.models import Model, Regression, as_network
from numpyae.penalties import WeightDecay
from numpyae.priors import GaussianPrior, MixturePrior
from numpyae.vae import IWAE, ScoreFunctionVAE

WIDTH = 100                           # columns of a printed tableau
CELL = 24                             # of these for a value, and for a gradient

# For every class what it computes and the gradient of its input; x is its input, y its output, W and b its parameters, t the
# target, n the number that a mean divides by. A class that is not here, or has a forward or backward of its own, is shown by its
# name. Add your own: FORMULAS[Scale] = ("g {x}", "d{y} g").
FORMULAS = {
    Dense: ("{x} {W} + {b}", "d{y} {W}ᵀ"),
    TiedDense: ("{x} {W}ᵀ + {b}", "d{y} {W}"),
    Identity: ("{x}", "d{y}"),
    Sigmoid: ("σ({x})", "d{y} {y} (1 - {y})"),
    Tanh: ("tanh({x})", "d{y} (1 - {y}²)"),
    ReLU: ("max({x}, 0)", "d{y} where {x} > 0, else 0"),
    Softplus: ("log(1 + e^{x})", "d{y} σ({x})"),
    ELU: ("{x} where {x} > 0, else e^{x} - 1", "d{y} e^min({x}, 0)"),
    Softmax: ("softmax({x})", "{y} (d{y} - Σ_k {y} d{y})"),
    Dropout: ("{x} {mask} / {keep}", "d{y} {mask} / {keep}"),
    TopK: ("{x} {mask}", "d{y} {mask}"),
    PolynomialBasis: ("monomials of {x}", "Σ_j d{y}_j dφ_j/d{x}"),
    FourierBasis: ("cos and sin of {x}", "Σ_j d{y}_j dφ_j/d{x}"),
    GaussianBasis: ("e^-½‖({x} - c) / s‖²", "Σ_j d{y}_j dφ_j/d{x}"),
    SigmoidBasis: ("σ(vᵀ({x} - c) / s)", "Σ_j d{y}_j dφ_j/d{x}"),
    SquaredError: ("Σ_d ({x} - {t})²", "2 ({x} - {t}) / {n}"),
    SoftmaxCrossEntropy: ("-Σ_k {t} log softmax({x})", "(softmax({x}) - {t}) / {n}"),
    BernoulliNLL: ("Σ_d [log(1 + e^{x}) - {t} {x}]", "(σ({x}) - {t}) / {n}"),
    ContinuousBernoulliNLL: ("Σ_d [A({x}) - {t} {x}]", "(A'({x}) - {t}) / {n}"),
    GaussianNLL: ("½ Σ_d [({x} - {t})² / σ² + log 2πσ²]", "({x} - {t}) / σ² / {n}"),
    HeteroscedasticGaussianNLL: ("½ Σ_d [(μ - {t})² / σ² + log 2πσ²], {x} = (μ, log σ²)",
                                 "(μ - {t}) / σ² / {n}, and [½ - ½ (μ - {t})² / σ²] / {n}"),
}

# What a corruption makes of x and its noise
SEEN = {GaussianNoise: "x + {sigma:g} noise", MaskingNoise: "{value:g} where noise > 0, else x",
        SaltAndPepper: "{low:g} where noise < 0, {high:g} where noise > 0, else x"}


class Row:
    """One step: its name, formula, shape, value, gradient (None where there is none), and whether it belongs to the way back."""

    def __init__(self, step, formula, value, gradient, backward):
        self.step, self.formula, self.backward = step, formula, backward
        self.value, self.gradient = np.array(value), None if gradient is None else np.array(gradient)

    @property
    def shape(self):
        """Of value and gradient."""
        return self.value.shape

    def __repr__(self):
        return f"Row({self.step} = {self.formula}, shape {self.shape})"


class Tableau:
    """What `trace` returns: `rows` in the order of computation, forward then backward; print it, index it by step, compare it.

    constants: {name: number} of what the formulas name and no row shows: N, and σ of a Gaussian.
    """

    def __init__(self, title, rows, constants=()):
        self.title, self.rows, self.constants = title, rows, dict(constants)

    def __getitem__(self, step):
        """The row of that name, such as tableau["dW1"]. KeyError, with the names there are, for another."""
        for row in self.rows:
            if row.step == step:
                return row
        raise KeyError(f"there is no step {step!r}, only {', '.join(row.step for row in self.rows)}")

    def __len__(self):
        return len(self.rows)

    def compare(self, other, tolerance=1e-9):
        """One sentence: the first line whose numbers differ by more than tolerance, relative to its largest.

        Lines are compared by their place, so a layer of your own can be held against ours. TypeError for what is no Tableau.
        """
        if not isinstance(other, Tableau):
            raise TypeError(f"Tableau.compare: expected another Tableau, got {type(other).__name__}")
        for number, (mine, theirs) in enumerate(zip(self.rows, other.rows), 1):
            line = f"line {number}, {mine.step} = {mine.formula}:"
            if mine.shape != theirs.shape or (mine.gradient is None) != (theirs.gradient is None):
                return f"{line} there it is {theirs.step} = {theirs.formula}, shape {theirs.shape}, here shape {mine.shape}"
            for what in ("value", "gradient"):
                a, b = getattr(mine, what), getattr(theirs, what)
                place = largest_gap(a, b, tolerance)
                if place is not None:
                    return f"{line} {what}{list(map(int, place)) or ''} is {a[place]:.12g} here and {b[place]:.12g} there"
        if len(self) != len(other):
            return f"the first {min(len(self), len(other))} lines agree, but there are {len(self)} here and {len(other)} there"
        return f"all {len(self)} lines agree"

    def to_html(self):
        """The backprop stepper, as the text of a page that needs no network: see `numpyae.stepper`."""
        from numpyae.stepper import page

        return page(self)

    def __str__(self):
        steps = 2 + max(4, *(len(row.step) for row in self.rows))
        shapes = 2 + max(5, *(len(str(row.shape)) for row in self.rows))
        cells = [shown(array) for row in self.rows for array in (row.value, row.gradient)]
        cell = 2 + max(8, *(len(line) for lines in cells for line in lines))
        formulas = min(2 + max(7, *(len(row.formula) for row in self.rows)), WIDTH - steps - shapes - 2 * cell + 2)
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
        if isinstance(network_or_model, ScoreFunctionVAE):
            raise TypeError("trace: a ScoreFunctionVAE has no way back through z to show: trace the VAE of the same parts")
        model = copy.deepcopy(network_or_model)
        names = model.batch_names
    elif isinstance(network_or_model, Layer):
        model = Regression(as_network(copy.deepcopy(network_or_model)), SquaredError())
        names = ("x", "t")
    else:
        hint = f": write {network_or_model.__name__}()" if isinstance(network_or_model, type) else ""
        raise TypeError(f"trace: expected a network or a model, got {type(network_or_model).__name__}{hint}")
    if len(batch) != len(names):
        raise ValueError(f"trace: expected the arrays {', '.join(names)}, got {len(batch)}")
    model.check(*batch)
    recorder = Recorder(model, batch)
    value = model.loss(*batch, rng=rng)
    recorder.total(value)
    model.backward()
    return Tableau(repr(network_or_model), recorder.rows, recorder.constants)


class Recorder:
    """Listens to the parts of a model and writes a row for each thing that one of them computes."""

    def __init__(self, model, batch):
        self.rows, self.symbols, self.layers = [], {}, 0
        self.layers_of = {}           # {name of a penalty: the layers that it has looked at}
        self.names = []               # (name, array) of everything computed so far
        self.target, self.N = model.batch_names[-1], len(batch[0])
        self.K, self.beta = getattr(model, "samples", 1), getattr(model, "beta", 1)
        self.importance, self.share = isinstance(model, IWAE), lambda: model.share
        self.penalties = [name for name, *_ in getattr(model, "penalised", ())]
        self.n = "N" if self.K == 1 else f"({self.K} N)"
        self.constants = {"N": self.N}
        for name, array in zip(model.batch_names, batch):
            self.rows.append(Row(name, "given", array, None, False))
        self.names.append((model.batch_names[0], batch[0]))
        self.listen_to(model)
        if getattr(model, "corruption", None) is not None:
            listen(model.corruption, self.corruption, ("apply",))
        for name, penalty, *_ in getattr(model, "penalised", ()):
            listen(penalty, functools.partial(self.penalty, name), ("forward", "backward"))

    def listen_to(self, whole):
        """Let every part that computes something of its own report what goes in and out."""
        for part in whole._parts.values():
            if part._parts:
                self.listen_to(part)
            if isinstance(part, DiagonalGaussian):
                listen(part, self.posterior, ("sample", "kl", "log_density", "sample_backward", "kl_backward", "density_backward", "backward"))
            elif isinstance(part, (GaussianPrior, MixturePrior)):
                listen(part, self.prior, ("log_density", "backward"))
            elif isinstance(part, Loss):
                listen(part, self.criterion, ("forward", "backward"))
            elif not isinstance(part, Sequential):
                listen(part, self.layer, ("forward", "backward"))

    def forward(self, name, formula, value):
        """A row of the way forward; the value is known by its name from now on."""
        self.rows.append(Row(name, formula, value, None, False))
        self.names.append((name, value))

    def backward(self, name, formula, value, gradient):
        """A row of the way back: the gradient beside what it belongs to."""
        self.rows.append(Row(name, formula, value, gradient, True))

    def name_of(self, array):
        """The name of an array that was computed before, perhaps in another shape."""
        for name, known in reversed(self.names):
            if known is array or known.size == array.size and np.shares_memory(known, array):
                return name
        return "?"

    def new_name(self, name):
        """The name, with a dash for every one that is taken."""
        while any(name == row.step for row in self.rows):
            name += "'"
        return name

    def rename(self, old, new):
        """What turned out to be the output is called so."""
        for row in self.rows:
            row.step = new if row.step == old else row.step
        self.names = [(new if name == old else name, array) for name, array in self.names]
        for of in self.symbols.values():
            of["y"] = new if of.get("y") == old else of.get("y")

    def layer(self, layer, method, call, x, **options):
        """Of a layer: y = forward(x) and dx = backward(dy), with the gradients of its own parameters."""
        if method == "forward":
            return self.layer_forward(layer, call, x)
        of, own = self.symbols[id(layer)], [] if layer._parts else list(layer.named_parameters())
        before = layer.dense.dW.copy() if isinstance(layer, TiedDense) else None
        last = self.rows[-1].gradient
        if last is not None and last.shape == x.shape and not np.array_equal(last, x):
            self.backward(f"d{of['y']}", " + ".join([f"d{of['y']}", *self.ways(of["y"])]), of["output"], x)
        dx = call(x, **options)
        if before is not None:
            W = of["W"]
            self.backward(f"d{W}|tied", f"d{of['y']}ᵀ {of['x']}", layer.dense.W, layer.dense.dW - before)
        for name in own:
            text = {"W": f"{of['x']}ᵀ d{of['y']}", "b": f"Σ_n d{of['y']}"}.get(name) if is_dense(layer) else None
            text = " + ".join([text or f"{type(layer).__name__}.backward", *self.ways(of[name])])
            self.backward(f"d{of[name]}", text, layer.named_parameters()[name], layer.named_gradients()[name])
        if dx is not None:
            self.backward(f"d{of['x']}", formula(layer, 1).format(**of), of["input"], dx)
        return dx

    def ways(self, name):
        """The steps so far that gave a part of the gradient of this name: dW1|tied, dh1|sparsity."""
        return [row.step for row in self.rows if row.step.startswith(f"d{name}|")]

    def layer_forward(self, layer, call, x):
        """y, and for layers that choose units the choice."""
        y, of = call(x), self.describe(layer)
        if isinstance(layer, (Dropout, TopK)):
            of["mask"] = self.new_name("mask")
            self.forward(of["mask"], "drawn, 0 or 1" if isinstance(layer, Dropout) else "1 for the winners", layer.mask)
        if isinstance(layer, Dropout):
            of["keep"] = of["mask"].replace("mask", "keep")
            self.constants[of["keep"]] = layer.keep
        of["x"], of["input"], of["output"] = self.name_of(x), x, y
        of["y"] = self.new_name(f"a{of['k']}" if is_dense(layer) else f"y{of['k']}" if layer.named_parameters() else f"h{of['k']}")
        self.forward(of["y"], formula(layer, 0).format(**of), y)
        return y

    def describe(self, layer):
        """The symbols of a layer; those with parameters of their own have a number k."""
        if id(layer) not in self.symbols:
            self.layers += bool(layer.named_parameters()) and not layer._parts
            k = self.layers
            self.symbols[id(layer)] = {"k": k, **{name: f"{name}{k}" for name in layer.named_parameters()}}
            if isinstance(layer, TiedDense):
                self.symbols[id(layer)]["W"] = self.describe(layer.dense)["W"]
        return self.symbols[id(layer)]

    def criterion(self, loss, method, call, *arrays):
        """Of a loss: its value per sample, and where the way back begins."""
        step = "NLL" if loss.is_likelihood else "E"
        if isinstance(loss, GaussianNLL):
            self.constants["σ"] = loss.sigma
        if method == "forward":
            self.output, t = arrays
            self.rename(self.name_of(self.output), "o")
            self.labels = t.ndim == 1 and isinstance(loss, SoftmaxCrossEntropy)
            text = "-log softmax({x})_{t}" if self.labels else formula(loss, 0)
            values = call(*arrays)
            self.forward(step, text.format(x=self.name_of(self.output), t=self.target), values)
            return values
        do, o = call(*arrays), self.name_of(self.output)
        for name, gradient in loss.named_gradients().items():
            self.backward(f"d{name} of the likelihood", f"∂L/∂{name}", loss.named_parameters()[name], gradient)
        text = "(softmax({x}) - [k = {t}]) / {n}" if self.labels else formula(loss, 1)
        if self.importance:
            text = text.replace("/ {n}", "share / N")
        self.backward(f"d{o}", text.format(x=o, t=self.target, n=self.n), self.output, do)
        return do

    def corruption(self, corruption, method, call, x, noise):
        """What a denoising autoencoder gets to see."""
        self.forward("noise", "drawn", noise)
        seen = call(x, noise)
        text = SEEN.get(type(corruption), f"{type(corruption).__name__}(x, noise)")
        self.forward("seen", text.format(**vars(corruption)), seen)
        return seen

    def penalty(self, name, penalty, method, call, *arrays):
        """Of a penalty: its value, weight included, of what; and what it adds to the gradients of weights and activations."""
        if method == "forward":
            self.layers_of[name], got = arrays[0], call(*arrays)
            if isinstance(penalty, WeightDecay):
                of = ", ".join(self.symbols[id(layer)]["W"] for layer in arrays[0] if isinstance(layer, Dense))
            else:
                of = self.symbols[id(arrays[0][-1])]["y"]
            self.rows.append(Row(name, f"{penalty!r} of {of}", got, None, False))
            return got
        denses = [layer for layer in self.layers_of[name] if isinstance(layer, Dense)]
        before = [dense.dW.copy() for dense in denses]
        got = call(*arrays)
        for dense, dW in zip(denses, before):
            if not np.array_equal(dense.dW, dW):
                of = self.symbols[id(dense)]
                self.backward(f"d{of['W']}|{name}", f"{type(penalty).__name__}.backward", dense.W, dense.dW - dW)
        for index, gradient in got.items():
            of = self.symbols[id(self.layers_of[name][index])]
            self.backward(f"d{of['y']}|{name}", f"{type(penalty).__name__}.backward", of["output"], gradient)
        return got

    def posterior(self, q, method, call, *arrays, **options):
        """Of q(z|x): the draw, its cost, and both ways back."""
        got = call(*arrays, **options)
        full = isinstance(q, FullGaussian)
        if method == "sample":
            self.h, d = arrays[0], q.d
            h = self.name_of(self.h)
            self.forward("mu", f"{h}[:, :{d}]", q.mu)
            self.forward("logvar", f"{h}[:, {d}:{2 * d if full else ''}], log σ²", q.logvar)
            self.forward("sigma", "e^(½ logvar)", q.sigma)
            if full:
                self.forward("below", f"{h}[:, {2 * d}:]", q.below)
                self.forward("L", "sigma on the diagonal, below beneath", q.L)
            self.forward("epsilon", "drawn from N(0, I)", q.epsilon)
            self.forward("z", "mu + L epsilon" if full else "mu + sigma epsilon", got)
        elif method == "kl":
            standard = not np.any(q.m != q.mu)
            text = "½ Σ_j (mu² + sigma² - logvar - 1)" if standard else "½ Σ_j (m² + e^v - v - 1)"
            text += " + ½ Σ below²" * full
            known = ", m, v and below: mu, logvar and below" if full else ", m and v: mu and logvar"
            self.forward("KL", text if standard else f"{text}{known} in units of the prior", got)
        elif method == "log_density":
            self.forward("log q", "-½ Σ_j (epsilon² + logvar + log 2π)", got)
        elif method == "backward":
            self.backward(f"d{self.name_of(self.h)}", "(dmu, dlogvar, dbelow), summed" if full else "(dmu, dlogvar), summed", self.h, got)
        elif method == "density_backward":
            self.backward("dlogvar|log q", "-½ Σ_k dlog q" if self.K > 1 else "-½ dlog q", q.logvar, np.repeat(got[1], q.d, axis=1))
        else:
            many, beta = "Σ_k " * (self.K > 1), f"{self.beta:g} " * (self.beta != 1)
            way, texts = {"sample_backward": ("draw", (f"{many}dz", f"{many}½ dz epsilon sigma", f"{many}below the diagonal of dz epsilonᵀ")),
                          "kl_backward": ("KL", (f"{beta}m / sigma0 / N", f"{beta}½ (e^v - 1) / N", f"{beta}below / sigma0² / N"))}[method]
            if way == "KL" and not np.any(q.m != q.mu):
                texts = (f"{beta}mu / N", f"{beta}½ (sigma² - 1) / N", f"{beta}below / N")
            values = (q.mu, q.logvar, *([q.below] if full else []))
            for name, text, value, gradient in zip(("dmu", "dlogvar", "dbelow"), texts, values, got):
                self.backward(f"{name}|{way}", text, value, gradient)
        return got

    def prior(self, prior, method, call, *arrays):
        """Of p(z), where the KL is estimated from the z drawn."""
        got = call(*arrays)
        if method == "log_density":
            self.z = arrays[0]
            self.forward("log p(z)", f"{type(prior).__name__}.log_density", got)
        else:
            self.backward("dz|prior", f"dlog p ∂log p/∂z, {type(prior).__name__}.backward", self.z, got)
            for name, gradient in prior.named_gradients().items():
                self.backward(f"d{name} of the prior", f"∂L/∂{name}", prior.named_parameters()[name], gradient)
        return got

    def total(self, value):
        """The loss, out of its values per sample."""
        beta = f"{self.beta:g} " * (self.beta != 1)
        written = {"NLL": f"1/{self.K} Σ_k NLL" if self.K > 1 else "NLL", "KL": f"{beta}KL", "E": "E",
                   "log p(z)": f"{beta}" + (f"1/{self.K} Σ_k (log q - log p(z))" if self.K > 1 else "(log q - log p(z))")}
        terms = [written[row.step] for row in self.rows if row.step in written]
        penalties = "".join(f" + {row.step}" for row in self.rows if row.step in self.penalties)
        if self.importance:
            self.forward("share", "w_k / Σ_k w_k, w_k = p(z) / (e^NLL q)", self.share())
            terms = [f"-log 1/{self.K} Σ_k p(z) / (e^NLL q)"]
        text = f"1/N Σ_n {terms[0] if len(terms) == 1 else '(' + ' + '.join(terms) + ')'}{penalties}"
        self.rows.append(Row("L", text, value, None, False))


def is_dense(layer):
    """Dense or TiedDense, whose formulas are known."""
    return isinstance(layer, (Dense, TiedDense))


def listen(part, listener, methods):
    """Let every call of these methods of a part go through the listener."""
    for method in methods:
        setattr(part, method, functools.partial(listener, part, method, getattr(part, method)))


def formula(part, which):
    """What a part computes (0), or the gradient of its input (1); its name where nobody has written that down."""
    method = ("forward", "backward")[which]
    for kind in type(part).__mro__:
        if kind in FORMULAS and getattr(type(part), method) is getattr(kind, method):
            return FORMULAS[kind][which]
    return type(part).__name__ + ("({x})", ".backward(d{y})" if isinstance(part, Layer) else ".backward")[which]


def largest_gap(a, b, tolerance):
    """Where two arrays differ most, as an index; None where no difference exceeds tolerance times the largest number."""
    if a is None:
        return None
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    both = np.isfinite(a) & np.isfinite(b)
    same = both | (a == b) | (np.isnan(a) & np.isnan(b))
    gap = np.where(same, np.abs(np.where(both, a, 0) - np.where(both, b, 0)), np.inf)
    size = max(np.abs(a[both]).max(initial=0), np.abs(b[both]).max(initial=0))
    if gap.size == 0 or not gap.max() > tolerance * size:
        return None
    return np.unravel_index(np.argmax(gap), gap.shape)


def shown(array):
    """The lines of a cell: all numbers where they fit, else norm, smallest and largest."""
    if array is None:
        return [""]
    rows = np.atleast_2d(array) + 0                                      # 0 for -0
    if rows.ndim == 2 and 0 < len(rows) <= 3 and rows.shape[1] <= 4:
        for digits in (6, 5, 4, 3):
            lines = [" ".join(f"{number:.{digits}g}" for number in row) for row in rows]
            if max(map(len, lines)) <= CELL:
                return lines
    norm, ends = f"‖{np.linalg.norm(array):.3g}‖", f"{np.min(rows):.3g} … {np.max(rows):.3g}"
    return [f"{norm} {ends}"] if len(norm) + len(ends) < CELL else [norm, ends]


def in_columns(cells, widths):
    """Cells of several lines side by side."""
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    lines = ["".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in zip(*padded)]
    return "\n".join(lines)
