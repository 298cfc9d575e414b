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
TAKERS = ("layer", "activation", "made", "loss")                     # the kinds of rows that take an input of their own
COSTS = {"kl": "KL", "log_density": "log q"}                         # the methods of a posterior that say what it costs
WAYS = {"sample_backward": "draw", "kl_backward": "KL", "density_backward": "log q"}     # and those that are ways back


def trace(network_or_model, *batch, rng=None):
    """Return every step of one forward and one backward pass, as a Tableau. A copy of the model does the work.

    A Model takes the arrays of its loss, `trace(model, x, t)`; a network without a loss takes x and t, and its loss is
    the slides' squared error, Σ_d (o - t)², averaged over samples. Noise is drawn from `rng`: the same seed, the same
    trace. TypeError for something without a network, ValueError or TypeError for data that do not fit.
    """
    kind = type(network_or_model).__name__
    if not isinstance(network_or_model, (Layer, Model)):
        hint = f": write {network_or_model.__name__}()" if isinstance(network_or_model, type) else ""
        raise TypeError(f"trace: expected a network or a model, got {kind}{hint}")
    if getattr(network_or_model, "no_trace", ""):
        raise TypeError(f"trace: a {kind} {network_or_model.no_trace}")
    model = copy.deepcopy(network_or_model)
    model = Regression(as_network(model), SquaredError()) if isinstance(model, Layer) else model
    if len(batch) != len(model.batch_names):
        raise ValueError(f"trace: expected the arrays {', '.join(model.batch_names)}, got {len(batch)}")
    model.check(*batch)
    recorder = Recorder(model, batch)
    recorder.total(model.loss(*batch, rng=rng))
    model.backward()
    recorder.finish()
    return Tableau(repr(network_or_model), recorder.rows, recorder.constants)


class Recorder(Ledger):
    """A listener to the parts of a model, which writes a row for each thing that one of them computes."""

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
                listen(part, forward=self.loss, backward=self.hand_back)
            elif isinstance(part, Layer) and not isinstance(part, Sequential):
                listen(part, forward=self.layer, backward=self.hand_back)
            elif hasattr(part, "kl"):
                listen(part, sample=self.sample, backward=self.hand_back,
                       **{method: functools.partial(self.cost, method, name) for method, name in COSTS.items()},
                       **{method: functools.partial(self.way_into, method, way) for method, way in WAYS.items()})
            elif hasattr(part, "log_density"):
                listen(part, log_density=self.log_p, backward=self.hand_back)

    # What parts compute

    def layer(self, layer, call, x):
        """Record y = forward(x)."""
        use = next(self.uses[id(layer.owner)])
        row = self.row_of(x, f"u{use}" if layer._parts else f"u{self.number(layer)}{use}")
        y = call(x)                                                  # parts are counted before their whole
        names = self.parameters(layer) or layer.named_parameters()
        symbol = "a" if "W" in names else "y" if names else "h"
        kind = "whole" if layer._parts else "layer" if names else "activation"
        return self.computed(layer, "forward", "y", f"{symbol}{self.number(layer)}{use}", kind, y, {"x": row})

    def loss(self, loss, call, o, t):
        """Record the values of a loss, one per sample."""
        use, output = next(self.uses[id(loss.owner)]), self.row_of(o)
        if output.kind != "given" and not output.step.startswith("o"):
            output.step = self.unique(f"o{use}")
        same = [row for row in self.given if row.array is t]
        target = same[-1] if same else self.made(t, f"t{use}", self.given) or self.given[-1]
        labels = LABELS * (t.ndim == 1 and f"values{LABELS}" in formula_of(loss, "forward"))
        return self.computed(loss, "forward", f"values{labels}", f"{'NLL' if loss.is_likelihood else 'E'}{use}", "loss",
                             call(o, t), {"o": output, "t": target})

    def corruption(self, corruption, call, x, noise):
        """Record what the encoder gets to see."""
        return self.computed(corruption, "apply", "seen", "seen", "corruption", call(x, noise), {
            "x": self.row_of(x), "noise": self.forward("noise", "drawn", noise, "draw")})

    def penalty(self, name, penalty, call, layers, noise=None):
        """Record the value of a penalty, weight included, and what it is about: a layer's output, or parameters."""
        about = ([self.parameters(layer)[W] for layer in layers if layer.owner is layer for W in layer.decays]
                 if penalty.on_weights else [self.output(layers[-1])])
        inputs = {f"y{k}": row for k, row in enumerate(about)}
        said = repr(penalty).replace("{", "{{").replace("}", "}}")
        return self.computed(penalty, "forward", "value", name, "penalty", call(layers, noise), inputs,
                             f"{said} of {', '.join(f'{{{field}}}' for field in inputs)}")

    def sample(self, q, call, h, epsilon):
        """Record the draw of z from q(z|x), and what it is drawn with."""
        return self.computed(q, "sample", "z", "z", "posterior", call(h, epsilon), {"h": self.row_of(h)},
                             f"{type(q).__name__}.sample({{h}})")

    def cost(self, method, step, q, call, *prior):
        """Record what q costs: KL(q ‖ p) for a Gaussian prior (μ₀, σ₀), or log q(z|x) of the z drawn."""
        another = bool(prior) and not np.all(np.equal(prior[0], 0) & np.equal(prior[1], 1))
        return self.computed(q, method, step + ANOTHER * another, step, "cost", call(*prior),
                             {"h": self.seen[id(q)].known["h"]}, f"{type(q).__name__}.{method}")

    def log_p(self, prior, call, z):
        """Record log p(z), where the KL is estimated from the z drawn."""
        return self.computed(prior, "log_density", "log p(z)", "log p(z)", "prior", call(z), {"z": self.row_of(z)},
                             f"{type(prior).__name__}.log_density")

    # What they hand back

    def hand_back(self, part, call, *arrays, **options):
        """Record the gradient of what went into a layer, a loss, a posterior or a prior, and those of its parameters.

        It is all of the input's gradient, or what comes by this way where others took the input too.
        """
        y, known, field = self.seen[id(part)]
        if isinstance(part, Layer):
            self.arrive(y, *arrays)
            known["dy"] = self.gradients[y]
        got = self.back(part, call, *arrays, **options)
        if got is None:                                              # nobody asked for the gradient of the data
            return None
        text = formula_of(part, "backward").get(f"d{field}{LABELS * (f'values{LABELS}' in known)}",
                                                f"{type(part).__name__}.backward{'(d{y})' * isinstance(part, Layer)}")
        text, n = self.weighted(text, *arrays) if isinstance(part, Loss) else (text, {})
        ways = [way for row in known.values() if row.kind == "attribute" for way in self.ways(row)]
        if ways:
            text = f"({', '.join(dict.fromkeys(f'd{way.of}' for way in ways))}), summed"
        kinds = TAKERS if getattr(part, "_parts", None) else (*TAKERS, "whole")       # a whole hands back for its parts
        takers = [row for row in self.rows if row.kind in kinds and known[field] in row.sources]
        way = "prior" if field == "z" else y.step if len(takers) > 1 else ""
        self.backward(known[field], text, got, known | n, part, way, "ways" if ways else "gradient", sources=ways,
                      through=[] if field == "h" else [y])
        return got

    def weighted(self, text, weight):
        """Return a formula that divides by {n}, and its row, for these weights of the values: equal ones, or shares."""
        if "{n}" not in text:
            return text, {}
        draws, rest = divmod(weight.size, self.N)
        if np.ptp(weight) == 0:
            factor = f"{weight.flat[0] * weight.size:g} "
            name = "N" if weight.size == self.N else f"{weight.size}" if rest else f"({draws} N)"
            return (text if factor == "1 " else factor + text), {"n": Row(name, "", weight.size, kind="constant")}
        shares = [row for row in self.known
                  if row.value.size == weight.size and agree(row.value.ravel() / self.N, weight.ravel())]
        share = shares[-1] if shares else Row("weight N", "", weight * self.N, kind="constant")
        return text.replace("/ {n}", "{share} / {n}"), {"n": self.n, "share": share}

    def penalty_backward(self, name, layers, penalty, call, weight):
        """Record what a penalty adds to the gradients of weights and of activations."""
        got = self.back(penalty, call, weight, way=name)
        text = formula_of(penalty, "backward").get("dy", f"{type(penalty).__name__}.backward")
        for index, gradient in got.items():
            y = self.output(layers[index])
            self.backward(y, text, gradient, {"y": y}, penalty, name, through=[self.output(penalty)])
        return got

    def way_into(self, method, way, q, call, gradient):
        """Record the gradients of the numbers that q consists of, by one way. Its formulas "dmu|draw", … name them."""
        got, known, formula = call(gradient), self.seen[id(q)].known, formula_of(q, method)
        names = [key[1:].removesuffix("|draw") for key in formula_of(q, "sample_backward") if key.endswith("|draw")]
        through = [row for row in known.values()
                   if row.kind in (("attribute", "posterior") if way == "draw" else ("cost",))]
        if way == "draw":
            known["dz"] = Row("dz", "", gradient, gradient, of=known["z"])
        end = f"|{way}{ANOTHER * (way + ANOTHER in known)}"
        for name, array in zip(names, got):
            if np.ndim(array) > 0:                                   # else nothing comes back by this way
                text, n = self.weighted(formula.get(f"d{name}{end}", f"{type(q).__name__}.{method}"), gradient)
                text = text.replace("Σ_k ", "") if known["z"].value.ndim == 2 else text        # a single draw
                self.backward(known[name], text, np.broadcast_to(array, known[name].shape), known | n, q, way,
                              through=through)
        return got

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
            rows = [row for row in self.known if row.array is values]
            text = f"{{{rows[0]}}}" if rows else formula.get(name, name)
            draws, rest = divmod(values.size, self.N)
            factor = f"{weight if rest else weight * values.size:g} "
            text = f"1/{draws} Σ_k {text}" if draws > 1 and not rest else text
            (others if rest else mean).append(text if factor == "1 " else factor + text)
        mean = [f"1/{{N}} Σ_n {mean[0]}"] if len(mean) == 1 else [f"1/{{N}} Σ_n ({' + '.join(mean)})"] * bool(mean)
        text = " + ".join(mean + others + [f"{{{row}}}" for row in self.rows if row.kind == "penalty"])
        self.rows.append(Row("L", text, value, kind="total", operands=self.operands(text, known, self.model)))


def listen(part, **listeners):
    """Let every call of these methods of a part go through their listeners."""
    for method, listener in listeners.items():
        if hasattr(part, method):
            setattr(part, method, functools.partial(listener, part, getattr(part, method)))
