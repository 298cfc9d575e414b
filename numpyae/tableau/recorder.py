"""The recorder: it listens to the parts of a model and writes a row for each thing that one of them computes.

Each class says in `formula` what it computes; the recorder fills in the names of the arrays:

    layer       {"y": "{x} {W} + {b}", "dx": "d{y} {W}ᵀ", "dW": "{x}ᵀ d{y}", "db": "Σ_n d{y}"}
    loss        {"values": "Σ_d ({o} - {t})²", "do": "2 ({o} - {t}) / {n}"}               n: what the mean divides by
    corruption  {"seen": "{x} + {sigma:g} {noise}"}
    posterior   {"mu": "{h}[{columns}]", …, "z": "{mu} + {sigma} {epsilon}", "KL": …, "log q": …, "dmu|draw": …, "dmu|KL": …}
    prior       {"log p(z)": …, "dz": …}
    penalty     {"value": …, "dW": …, "dy": …}
    model       {"share": …, "bound": …}                  its own arrays, and what a term of its loss is

Names before the output (y, z, the term of a loss) are attributes with a row of their own: {"mask": "drawn, 0 or 1", "y": …}.
An attribute that is a number is a constant, {keep}, or stands there itself, {sigma:g}.
"""

import copy
import functools
import inspect

import numpy as np

from numpyae.layers import Layer, Sequential
from numpyae.losses import Loss, SquaredError
from numpyae.models import Model, Regression, as_network
from numpyae.tableau.ledger import Ledger, Seen, agree, formula_of
from numpyae.tableau.origin import combined
from numpyae.tableau.rows import Row
from numpyae.tableau.table import Tableau

ANOTHER = " to another prior"         # than N(0, I): behind the names of the formulas of such a KL


def trace(network_or_model, *batch, rng=None):
    """Return every step of one forward and one backward pass, as a Tableau. The model stays as it is: a copy does the work.

    A Model takes the arrays of its loss, `trace(model, x, t)`; a network without a loss takes x and t, and its loss is the
    slides' squared error, Σ_d (o - t)², averaged over samples. Noise is drawn from `rng`: the same seed, the same trace.
    TypeError for something without a network, ValueError or TypeError for data that do not fit, one sentence each.
    """
    if isinstance(network_or_model, Model):
        model = copy.deepcopy(network_or_model)
        if model.no_trace:
            raise TypeError(f"trace: a {type(model).__name__} {model.no_trace}")
    elif isinstance(network_or_model, Layer):
        model = Regression(as_network(copy.deepcopy(network_or_model)), SquaredError())
    else:
        hint = f": write {network_or_model.__name__}()" if isinstance(network_or_model, type) else ""
        raise TypeError(f"trace: expected a network or a model, got {type(network_or_model).__name__}{hint}")
    if len(batch) != len(model.batch_names):
        raise ValueError(f"trace: expected the arrays {', '.join(model.batch_names)}, got {len(batch)}")
    model.check(*batch)
    recorder = Recorder(model, batch)
    recorder.total(model.loss(*batch, rng=rng))
    model.backward()
    return Tableau(repr(network_or_model), recorder.rows, recorder.constants)


class Recorder(Ledger):
    """Listens to the parts of a model and writes a row for each thing that one of them computes."""

    def __init__(self, model, batch):
        super().__init__(model, batch)
        self.terms = []               # (name, values, over, factor)
        self.listen_to(model)
        listen(model, term=self.term)
        if model.corruption is not None:
            listen(model.corruption, apply=self.corruption)
        for name, penalty, *_ in model.penalised:
            listen(penalty, forward=functools.partial(self.penalty, name),
                   backward=functools.partial(self.penalty_backward, name))

    def listen_to(self, whole):
        """Let every part that computes something of its own report what goes in and out."""
        for part in whole._parts.values():
            self.listen_to(part)
            if isinstance(part, Loss):
                listen(part, forward=self.loss, backward=self.loss_backward)
            elif isinstance(part, Layer) and not isinstance(part, Sequential):
                listen(part, forward=self.layer, backward=self.layer_backward)
            elif hasattr(part, "kl"):
                listen(part, sample=self.sample, kl=self.kl, log_density=self.log_q, backward=self.posterior_backward,
                       sample_backward=self.sample_backward, kl_backward=self.kl_backward,
                       density_backward=self.density_backward)
            elif hasattr(part, "log_density"):
                listen(part, log_density=self.log_p, backward=self.prior_backward)

    # Layers

    def layer(self, layer, call, *arrays, **options):
        """Record y = forward(x), and the attributes that the layer's formulas list before."""
        label = "" if layer._parts else self.label(layer)
        names = ["x", *list(inspect.signature(type(layer).forward).parameters)[2:]]
        inputs = {name: self.row_of(array, f"u{label}") for name, array in zip(names, arrays)}
        y = call(*arrays, **options)
        label = label or self.label(layer)
        formula, known = formula_of(layer, "forward"), self.parameters(layer) | inputs
        symbol = "a" if "W" in known else "y" if self.parameters(layer) or layer.named_parameters() else "h"
        kind = "activation" if symbol == "h" else "layer"
        known |= self.attributes(layer, formula, "y", known, kind, (arrays[0], inputs["x"]), layer.noise_name)
        text = formula.get("y", f"{type(layer).__name__}({', '.join(f'{{{name}}}' for name in inputs)})")
        known["y"] = self.forward(f"{symbol}{label}", text, y, kind, known, layer, inputs.values())
        self.begin(layer, known["y"], known, dict(zip(names, arrays)))
        if not layer._parts:
            self.consumers.update(inputs.values())
        return y

    def layer_backward(self, layer, call, delta, **options):
        """Record dx = backward(dy), with the gradients of the layer's parameters."""
        y, known, inputs = self.seen[id(layer)]
        self.arrive(y, delta)
        known = known | {"dy": self.gradients[y]}
        before, name = self.gradient_arrays(), type(layer).__name__
        got = call(delta, **options)
        self.parameter_rows(layer, before, known, y, f"{name}.backward")
        formula = formula_of(layer, "backward")
        for (x, array), dx in zip(inputs.items(), got if isinstance(got, tuple) else (got,)):
            if dx is not None:
                text = formula.get(f"d{x}", f"{name}.backward(d{{y}})")
                self.hand_back(known[x], text, dx, known, layer, array, y)
        return got

    # Losses

    def loss(self, loss, call, o, t):
        """Record the values of a loss, one per sample."""
        output = self.row_of(o)
        target = next((row for array, row in reversed(self.given) if array is t), self.given[-1][1])
        values = call(o, t)
        if output.kind != "given" and not self.consumers[output]:
            output.step = self.unique("o")
        self.consumers[output] += 1
        formula, known = formula_of(loss, "forward"), {"o": output, "t": target}
        labels = " of labels" * (t.ndim == 1 and "values of labels" in formula)
        text = formula.get(f"values{labels}", f"{type(loss).__name__}({{o}}, {{t}})")
        row = self.forward("NLL" if loss.is_likelihood else "E", text, values, "loss", known, loss)
        self.begin(loss, row, known, {f"do{labels}": o})
        return values

    def loss_backward(self, loss, call, weight):
        """Record where the way back begins: do, with the gradients of the loss's own parameters."""
        values, known, inputs = self.seen[id(loss)]
        before = self.gradient_arrays()
        do = call(weight)
        self.parameter_rows(loss, before, known, values, "∂L/∂{}")
        [(name, o)] = inputs.items()
        text = formula_of(loss, "backward").get(name, f"{type(loss).__name__}.backward")
        text, n = self.weighted(text, weight)
        self.hand_back(known["o"], text, do, known | n, loss, o, values)
        return do

    def weighted(self, text, weight):
        """Return a formula that divides by {n}, and {"n": its row}, for these weights of the samples."""
        draws = weight.size // self.N
        if np.ptp(weight) == 0:
            factor = f"{weight.flat[0] * weight.size:g} "
            n = self.n if draws == 1 else Row(f"({draws} N)", "", draws * self.N, kind="constant")
            return (text if factor == "1 " else factor + text), {"n": n}
        share = (row for array, row in self.known if array.size == weight.size and agree(array.ravel() / self.N, weight.ravel()))
        return text.replace("/ {n}", "{share} / {n}"), {"n": self.n, "share": next(share, Row("weight N", "", weight * self.N))}

    # The corruption, and penalties

    def corruption(self, corruption, call, x, noise):
        """Record what the encoder gets to see."""
        known = {"x": self.row_of(x), "noise": self.forward("noise", "drawn", noise, "draw")}
        seen = call(x, noise)
        text = formula_of(corruption, "apply").get("seen", f"{type(corruption).__name__}({{x}}, {{noise}})")
        self.forward("seen", text, seen, "corruption", known, corruption, known.values())
        return seen

    def penalty(self, name, penalty, call, layers, noise=None):
        """Record the value of a penalty, weight included, and what it is about: the output of a layer, or parameters."""
        got = call(layers, noise)
        if penalty.on_weights:
            about = [self.parameters(layer)[name] for layer in layers if layer.first is None for name in layer.decays]
        else:
            about = [self.seen[id(layers[-1])].row]
        known = {"y": about[0]} | {f"y{k}": row for k, row in enumerate(about)} | {"penalty": repr(penalty)}
        text = "{penalty} of " + ", ".join(f"{{y{k}}}" for k in range(len(about)))
        text = formula_of(penalty, "forward").get("value", text)
        row = self.forward(name, text, got, "penalty", known, penalty, about)
        self.seen[id(penalty)] = Seen(row, known, layers)
        return got

    def penalty_backward(self, name, penalty, call, weight):
        """Record what a penalty adds to the gradients of weights and of activations."""
        value, known, layers = self.seen[id(penalty)]
        before, default = self.gradient_arrays(), f"{type(penalty).__name__}.backward"
        got, formula = call(weight), formula_of(penalty, "backward")
        for row, after in self.gradient_arrays().items():
            if not np.array_equal(before[row], after):
                W = self.owners[row][1]
                self.backward(row, formula.get(f"d{W}", default), after - before[row], {W: row}, penalty, way=name, through=[value])
        for index, gradient in got.items():
            y = self.seen[id(layers[index])].row
            self.backward(y, formula.get("dy", default), gradient, {"y": y}, penalty, way=name, through=[value])
        return got

    # The code of a VAE

    def sample(self, q, call, h, epsilon):
        """Record the draw of z from q(z|x), and what it is drawn with."""
        source = self.row_of(h)
        z = call(h, epsilon)
        formula, known = formula_of(q, "sample"), {"h": source}
        known |= self.attributes(q, formula, "z", known, "posterior", (h, source), "epsilon")
        drawn = list(known.values())[1:]
        known["z"] = self.forward("z", formula.get("z", f"{type(q).__name__}.sample({{h}})"), z, "posterior", known, q, [source])
        self.begin(q, known["z"], known, [*drawn, known["z"]])
        return z

    def kl(self, q, call, mu0=0.0, sigma0=1.0):
        """Record KL(q ‖ p) for a Gaussian prior."""
        got = call(mu0, sigma0)
        self.prior_of_kl = "" if np.all(np.equal(mu0, 0) & np.equal(sigma0, 1)) else ANOTHER
        return self.cost(q, "kl", "KL", f"KL{self.prior_of_kl}", got)

    def log_q(self, q, call):
        """Record log q(z|x) of the z drawn."""
        return self.cost(q, "log_density", "log q", "log q", call())

    def cost(self, q, method, step, key, got):
        """Record what q costs."""
        z, known, _ = self.seen[id(q)]
        text = formula_of(q, method).get(key, f"{type(q).__name__}.{method}")
        self.costs = self.forward(step, text, got, "posterior", known, q, [known["h"]])
        return got

    def sample_backward(self, q, call, dz):
        """Record the way back through the draw."""
        _, known, drawn = self.seen[id(q)]
        return self.way_into(q, "sample_backward", "draw", call(dz), drawn, dz=dz)

    def kl_backward(self, q, call, dkl):
        """Record the way back through the KL."""
        return self.way_into(q, "kl_backward", "KL", call(dkl), [self.costs], self.prior_of_kl, weight=dkl)

    def density_backward(self, q, call, dlog_q):
        """Record the way back through log q(z|x)."""
        return self.way_into(q, "density_backward", "log q", call(dlog_q), [self.costs])

    def way_into(self, q, method, way, gradients, through, prior="", weight=None, dz=None):
        """Record gradients of the numbers that q consists of, by one way. Their names are those of its formulas "dmu|draw", …"""
        z, known, _ = self.seen[id(q)]
        formula = formula_of(q, method)
        names = [key[1:].removesuffix("|draw") for key in formula_of(q, "sample_backward") if key.endswith("|draw")]
        if dz is not None:
            known = known | {"dz": Row(f"d{z}", "", dz, dz, of=z)}
        for name, gradient in zip(names, gradients):
            if np.ndim(gradient) == 0:                               # nothing comes back by this way
                continue
            text, n = formula.get(f"d{name}|{way}{prior}", f"{type(q).__name__}.{method}"), {}
            if z.value.ndim == 2:                                    # a single draw
                text = text.replace("Σ_k ", "")
            if weight is not None:
                text, n = self.weighted(text, weight)
            self.backward(known[name], text, np.broadcast_to(gradient, known[name].shape), known | n, q, way=way, through=through)
        return gradients

    def posterior_backward(self, q, call, *arrays, **options):
        """Record the gradient of the encoder's output: what has come into q by all ways."""
        got = call(*arrays, **options)
        _, known, _ = self.seen[id(q)]
        named = {name: self.ways(row) for name, row in known.items() if self.ways(row)}
        text = f"({', '.join(f'd{name}' for name in named)}), summed" if named else f"{type(q).__name__}.backward"
        self.backward(known["h"], text, got, kind="ways", sources=sum(named.values(), []))
        return got

    def log_p(self, prior, call, z):
        """Record log p(z), where the KL is estimated from the z drawn."""
        row, got = self.row_of(z), call(z)
        text = formula_of(prior, "log_density").get("log p(z)", f"{type(prior).__name__}.log_density")
        self.begin(prior, self.forward("log p(z)", text, got, "prior", {"z": row}, prior, [row]), {"z": row}, z)
        return got

    def prior_backward(self, prior, call, dlog_p):
        """Record the gradient of z by way of the prior, and those of the prior's parameters."""
        before, (row, known, z) = self.gradient_arrays(), self.seen[id(prior)]
        got = call(dlog_p)
        text = formula_of(prior, "backward").get("dz", f"{type(prior).__name__}.backward")
        self.backward(known["z"], text, got, known, prior, value=z, way="prior", through=[row])
        self.parameter_rows(prior, before, known, row, "∂L/∂{}")
        return got

    # The loss of the model

    def term(self, model, call, name, values, over, factor=1.0):
        """Keep what a term of the loss is made of."""
        call(name, values, over, factor)
        self.terms.append((name, np.asarray(values), factor / over))

    def total(self, value):
        """Record the loss, out of its values per sample and its penalties."""
        known = {row.step: row for row in self.rows}
        inside, behind = [], [f"{{{row.step}}}" for row in self.rows if row.kind == "penalty"]
        for name, values, weight in self.terms:
            formula = formula_of(self.model, "loss")
            known |= self.attributes(self.model, formula, name, known, "total")
            text, draws = formula.get(name) or self.in_words(name, values, known), values.size // self.N
            factor = f"{weight * max(values.size, 1):g} " if draws else f"{weight:g} "
            text = f"1/{draws} Σ_k {text}" if draws > 1 else text
            (inside if draws else behind).append(text if factor == "1 " else factor + text)
        mean = inside[0] if len(inside) == 1 else f"({' + '.join(inside)})"
        text = " + ".join([*([f"1/{{N}} Σ_n {mean}"] if inside else []), *behind])
        row = Row("L", text, value, kind="total", operands=self.operands(text, known | {"N": self.n}, self.model))
        self.rows.append(row)

    def in_words(self, name, values, known):
        """Return the formula of a term: the row of its values, the difference of two, or else its name."""
        for array, row in reversed(self.known):
            if array is values:
                return f"{{{row.step}}}"
        found = combined(values, self.known[::-1], "-", np.subtract)
        if found is None:
            return name
        return f"({found[0].format(**{field: f'{{{row.step}}}' for field, row in found[1].items()})})"


def listen(part, **listeners):
    """Let every call of these methods of a part go through their listeners."""
    for method, listener in listeners.items():
        if hasattr(part, method):
            setattr(part, method, functools.partial(listener, part, getattr(part, method)))
