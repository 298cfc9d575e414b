"""The recorder: it listens to the parts of a model and writes a row for each thing that one of them computes.

Each class says in `formula` what it computes; the recorder fills in the names of the arrays:

    layer       {"y": "{x} {W} + {b}", "dx": "d{y} {W}ᵀ", "dW": "{x}ᵀ d{y}", "db": "Σ_n d{y}"}
    loss        {"values": "Σ_d ({o} - {t})²", "do": "2 ({o} - {t}) / {n}"}               n: what the mean divides by
    corruption  {"seen": "{x} + {sigma:g} {noise}"}
    posterior   {"mu": "{h}[{columns}]", …, "z": "{mu} + {sigma} {epsilon}", "KL": …, "log q": …, "dmu|draw": …}
    prior       {"log p(z)": …, "dz": …}
    penalty     {"value": …, "dW": …, "dy": …}
    model       {"share": …, "bound": …}                  its own arrays, and what a term of its loss is

Names before the output (y, z, the term of a loss) are attributes with a row of their own: {"mask": "drawn, 0 or 1", …}.
An attribute that is a number is a constant, {keep}, or stands there itself, {sigma:g}. "dW|tied" is a share of a
gradient that others add to as well. A class without a formula is shown by its name.
"""

import copy
import functools

import numpy as np

from numpyae.layers import Layer, Sequential
from numpyae.losses import Loss, SquaredError
from numpyae.models import Model, Regression, as_network
from numpyae.tableau.ledger import Ledger, agree, formula_of
from numpyae.tableau.rows import Row
from numpyae.tableau.table import Tableau

LABELS = " of labels"                 # the end of the names of formulas of a loss where its targets are integers, and
ANOTHER = " to another prior"         # of those of a posterior where the prior is not N(0, I)
COSTS = {"kl": "KL", "log_density": "log q"}                         # the methods of a posterior that say what it costs
WAYS = {"sample_backward": "draw", "kl_backward": "KL", "density_backward": "log q"}     # and those that are ways back


def trace(network_or_model, *batch, rng=None):
    """Return every step of one forward and one backward pass, as a Tableau. A copy of the model does the work.

    A Model takes the arrays of its loss, `trace(model, x, t)`; a network without a loss takes x and t, and its loss is
    the slides' squared error, Σ_d (o - t)², averaged over samples. Noise is drawn from `rng`: the same seed, the same
    trace. TypeError for something without a network, ValueError or TypeError for data that do not fit.
    """
    if isinstance(network_or_model, Model):
        model = copy.deepcopy(network_or_model)
        if getattr(model, "no_trace", ""):
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
    recorder.finish()
    return Tableau(repr(network_or_model), recorder.rows, recorder.constants)


class Recorder(Ledger):
    """Listens to the parts of a model and writes a row for each thing that one of them computes."""

    def __init__(self, model, batch):
        super().__init__(model, batch)
        self.model, self.terms = model, []                           # (name, values, weight of each)
        self.listen_to(model)
        listen(model, term=self.term)
        listen(model.corruption, apply=self.corruption)
        for name, penalty, _, layers in model.penalised:
            listen(penalty, forward=functools.partial(self.penalty, name),
                   backward=functools.partial(self.penalty_backward, name, layers))

    def listen_to(self, whole):
        """Let every part that computes something of its own report what goes in and out."""
        for part in whole._parts.values():
            self.listen_to(part)
            if isinstance(part, Loss):
                listen(part, forward=self.loss, backward=self.loss_backward)
            elif isinstance(part, Layer) and not isinstance(part, Sequential):
                listen(part, forward=self.layer, backward=self.layer_backward)
            elif hasattr(part, "kl"):
                listen(part, sample=self.sample, backward=self.posterior_backward)
                listen(part, **{method: functools.partial(self.cost, method, name) for method, name in COSTS.items()})
                listen(part, **{method: functools.partial(self.way_into, method, way) for method, way in WAYS.items()})
            elif hasattr(part, "log_density"):
                listen(part, log_density=self.log_p, backward=self.prior_backward)

    # Layers

    def layer(self, layer, call, x):
        """Record y = forward(x)."""
        use = self.use(layer)
        row = self.row_of(x, f"u{use}" if layer._parts else f"u{self.number(layer)}{use}")
        y = call(x)                                                  # parts are counted before their whole
        names = self.parameters(layer) or layer.named_parameters()
        symbol = "a" if "W" in names else "y" if names else "h"
        kind = "whole" if layer._parts else "layer" if names else "activation"
        return self.computed(layer, "forward", "y", f"{symbol}{self.number(layer)}{use}", kind, y, {"x": row}, taken=x,
                             noise=layer.noise_name)

    def layer_backward(self, layer, call, delta, **options):
        """Record dx = backward(dy), with the gradients of the layer's parameters."""
        (y, known), name = self.seen[id(layer)], type(layer).__name__
        self.arrive(y, delta)
        known["dy"] = self.gradients[y]
        dx = self.back(layer, call, delta, default=f"{name}.backward", **options)
        if dx is not None:
            text = formula_of(layer, "backward").get("dx", f"{name}.backward(d{{y}})")
            self.hand_back(known["x"], text, dx, known, layer, y)
        return dx

    # Losses

    def loss(self, loss, call, o, t):
        """Record the values of a loss, one per sample."""
        use, output = self.use(loss), self.row_of(o)
        if output.kind != "given" and not output.step.startswith("o"):
            output.step = self.unique(f"o{use}")
        same = [row for array, row in self.given if array is t]
        target = same[-1] if same else self.made(t, f"t{use}", [row for _, row in self.given]) or self.given[-1][1]
        labels = LABELS * (t.ndim == 1 and f"values{LABELS}" in formula_of(loss, "forward"))
        step = f"NLL{use}" if loss.is_likelihood else f"E{use}"
        return self.computed(loss, "forward", f"values{labels}", step, "loss", call(o, t), {"o": output, "t": target})

    def loss_backward(self, loss, call, weight):
        """Record where the way back begins: do, with the gradients of the loss's own parameters."""
        values, known = self.seen[id(loss)]
        do = self.back(loss, call, weight, default="∂L/∂{}")
        name = f"do{LABELS * (f'values{LABELS}' in known)}"
        text = formula_of(loss, "backward").get(name, f"{type(loss).__name__}.backward")
        text, n = self.weighted(text, weight)
        self.hand_back(known["o"], text, do, known | n, loss, values)
        return do

    def weighted(self, text, weight):
        """Return a formula that divides by {n}, and its row, for these weights of the values: equal ones, or shares."""
        draws, rest = divmod(weight.size, self.N)
        if np.ptp(weight) == 0:
            factor = f"{weight.flat[0] * weight.size:g} "
            n = self.n if weight.size == self.N else Row(f"{weight.size}" if rest else f"({draws} N)", "", weight.size,
                                                         kind="constant")
            return (text if factor == "1 " else factor + text), {"n": n}
        shares = [row for array, row in self.known
                  if array.size == weight.size and agree(array.ravel() / self.N, weight.ravel())]
        share = shares[0] if shares else Row("weight N", "", weight * self.N, kind="constant")
        return text.replace("/ {n}", "{share} / {n}"), {"n": self.n, "share": share}

    # The corruption, and penalties

    def corruption(self, corruption, call, x, noise):
        """Record what the encoder gets to see."""
        inputs = {"x": self.row_of(x), "noise": self.forward("noise", "drawn", noise, "draw")}
        return self.computed(corruption, "apply", "seen", "seen", "corruption", call(x, noise), inputs)

    def penalty(self, name, penalty, call, layers, noise=None):
        """Record the value of a penalty, weight included, and what it is about: a layer's output, or parameters."""
        value = call(layers, noise)
        if penalty.on_weights:
            about = [self.parameters(layer)[W] for layer in layers if layer.owner is layer for W in layer.decays]
        else:
            about = [self.output(layers[-1])]
        inputs = {f"y{k}": row for k, row in enumerate(about)}
        return self.computed(penalty, "forward", "value", name, "penalty", value, inputs, "{{penalty}} of {inputs}",
                             {"penalty": repr(penalty)})

    def penalty_backward(self, name, layers, penalty, call, weight):
        """Record what a penalty adds to the gradients of weights and of activations."""
        default = f"{type(penalty).__name__}.backward"
        got = self.back(penalty, call, weight, default=default, way=name)
        for index, gradient in got.items():
            y, text = self.output(layers[index]), formula_of(penalty, "backward").get("dy", default)
            self.backward(y, text, gradient, {"y": y}, penalty, name, through=[self.output(penalty)])
        return got

    # The code of a VAE

    def sample(self, q, call, h, epsilon):
        """Record the draw of z from q(z|x), and what it is drawn with."""
        inputs = {"h": self.row_of(h)}
        return self.computed(q, "sample", "z", "z", "posterior", call(h, epsilon), inputs, "{name}.sample({inputs})",
                             taken=h, noise="epsilon")

    def cost(self, method, step, q, call, *prior):
        """Record what q costs: KL(q ‖ p) for a Gaussian prior (μ₀, σ₀), or log q(z|x) of the z drawn."""
        known = self.seen[id(q)].known
        another = bool(prior) and not np.all(np.equal(prior[0], 0) & np.equal(prior[1], 1))
        return self.computed(q, method, step + ANOTHER * another, step, "cost", call(*prior), {"h": known["h"]},
                             f"{{name}}.{method}", known)

    def way_into(self, method, way, q, call, gradient):
        """Record the gradients of the numbers that q consists of, by one way. Its formulas "dmu|draw", … name them."""
        got, known, formula = call(gradient), self.seen[id(q)].known, formula_of(q, method)
        names = [key[1:].removesuffix("|draw") for key in formula_of(q, "sample_backward") if key.endswith("|draw")]
        kinds = ("attribute", "posterior") if way == "draw" else ("cost",)
        through = [row for row in known.values() if row.kind in kinds]
        if way == "draw":
            known["dz"] = Row("dz", "", gradient, gradient, of=known["z"])
        for name, array in zip(names, got):
            if np.ndim(array) == 0:                                  # nothing comes back by this way
                continue
            key = f"d{name}|{way}{ANOTHER}" if f"{way}{ANOTHER}" in known else f"d{name}|{way}"
            text, n = formula.get(key, f"{type(q).__name__}.{method}"), {}
            if "{n}" in text:
                text, n = self.weighted(text, gradient)
            text = text.replace("Σ_k ", "") if known["z"].value.ndim == 2 else text              # a single draw
            array = np.broadcast_to(array, known[name].shape)
            self.backward(known[name], text, array, known | n, q, way, through=through)
        return got

    def posterior_backward(self, q, call, *arrays, **options):
        """Record the gradient of the encoder's output: what has come into q by all ways."""
        got, known = self.back(q, call, *arrays, default="∂L/∂{}", **options), self.seen[id(q)].known
        ways = {name: self.ways(row) for name, row in known.items() if row.kind == "attribute"}
        names = ", ".join(f"d{name}" for name in ways if ways[name])
        text = f"({names}), summed" if names else f"{type(q).__name__}.backward"
        self.backward(known["h"], text, got, kind="ways", sources=sum(ways.values(), []))
        return got

    def log_p(self, prior, call, z):
        """Record log p(z), where the KL is estimated from the z drawn."""
        inputs = {"z": self.row_of(z)}
        return self.computed(prior, "log_density", "log p(z)", "log p(z)", "prior", call(z), inputs,
                             "{name}.log_density")

    def prior_backward(self, prior, call, dlog_p):
        """Record the gradient of z by way of the prior, and those of the prior's parameters."""
        (row, known), dz = self.seen[id(prior)], self.back(prior, call, dlog_p, default="∂L/∂{}")
        text = formula_of(prior, "backward").get("dz", f"{type(prior).__name__}.backward")
        self.backward(known["z"], text, dz, known, prior, "prior", through=[row])
        return dz

    # The loss of the model

    def term(self, model, call, name, values, over, factor=1.0):
        """Keep what a term of the loss is made of."""
        call(name, values, over, factor)
        self.terms.append((name, np.asarray(values), factor / over))

    def total(self, value):
        """Record the loss, out of its terms, a mean of values per sample each, and its penalties."""
        known, formula = {row.step: row for row in self.rows} | {"N": self.n}, formula_of(self.model, "loss")
        mean, others = [], []
        for name, values, weight in self.terms:
            self.attributes(self.model, formula, name, known)
            rows = [row for array, row in self.known if array is values]
            text = f"{{{rows[0].step}}}" if rows else formula.get(name, name)
            draws, rest = divmod(values.size, self.N)
            each = rest == 0 and draws > 0
            factor = f"{weight * values.size if each else weight:g} "
            text = f"1/{draws} Σ_k {text}" if each and draws > 1 else text
            (mean if each else others).append(text if factor == "1 " else factor + text)
        mean = [f"1/{{N}} Σ_n {mean[0] if len(mean) == 1 else '(' + ' + '.join(mean) + ')'}"] if mean else []
        text = " + ".join(mean + others + [f"{{{row.step}}}" for row in self.rows if row.kind == "penalty"])
        self.rows.append(Row("L", text, value, kind="total", operands=self.operands(text, known, self.model)))


def listen(part, **listeners):
    """Let every call of these methods of a part go through their listeners."""
    for method, listener in listeners.items():
        if hasattr(part, method):
            setattr(part, method, functools.partial(listener, part, getattr(part, method)))
