"""The check: what backward says against what finite differences say, for every element of every array.

Whatever is checked is turned into a function f of some arrays and its gradient with respect to each of them. A model's f is its
loss. A layer has many outputs, so f = Σ u y with a random u, and backward(u) must give ∂f/∂x and ∂f/∂W: all outputs are
tested at once, and a mistake in one of them cannot hide behind equal weights. Noise is drawn once and frozen.
The check works on a float64 copy; the layer or model itself is not touched.
"""

import copy

import numpy as np

from numpyae.gradcheck.numerical import richardson
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.models import Model

AGREE, DISAGREE, CANNOT_TELL = "agree", "disagree", "cannot tell"
SAFETY = 8                            # error bars within which two gradients agree
USELESS = 0.1                         # an error bar of more than this share of the gradient tells nothing


class Report:
    """The outcome: `rows`, one dict per array (array, shape, index, yours, numerical, error, verdict, median); `ok`."""

    def __init__(self, name, rows):
        self.name, self.rows = name, rows

    @property
    def ok(self):
        """True when no element disagrees."""
        return all(row["verdict"] != DISAGREE for row in self.rows)

    @property
    def median_error(self):
        """Median over all elements of |yours - numerical| / max(|yours|, |numerical|)."""
        errors = np.concatenate([row["relative"] for row in self.rows])
        return float(np.median(errors)) if errors.size else 0.0

    def as_dict(self):
        """JSON-able."""
        return {"name": self.name, "ok": self.ok, "median_error": self.median_error,
                "rows": [{key: value for key, value in row.items() if key != "relative"} for row in self.rows]}

    def __str__(self):
        wrong = [row for row in self.rows if row["verdict"] == DISAGREE]
        if wrong:
            worst = wrong[0]
            first = (f"{self.name}: the gradient of {worst['array']} is wrong in {worst['disagree']} of {worst['elements']} elements; "
                     f"at {worst['index']} backward gives {worst['yours']:.8g}, finite differences {worst['numerical']:.8g}.")
        else:
            first = f"{self.name}: all gradients agree (median relative error {self.median_error:.1e})."
        lines = [first, "", f"{'array':24} {'shape':>12} {'worst at':>12} {'yours':>15} {'numerical':>15} {'± error':>9}  verdict"]
        for row in self.rows:
            shape, index = str(tuple(row["shape"])), str(tuple(row["index"]))
            lines.append(f"{row['array']:24} {shape:>12} {index:>12} {row['yours']:15.8g} {row['numerical']:15.8g} "
                         f"{row['error']:9.1e}  {row['verdict']}")
        return "\n".join(lines)

    __repr__ = __str__


def check(target, *batch, rng=None):
    """Check every gradient of a layer (x), loss (o, t), posterior (h) or model (its batch). Returns a Report.

    `rng=None` means default_rng(0): a check is repeatable. TypeError for anything else, or a batch that is no float array.
    """
    rng = np.random.default_rng(0 if rng is None else rng)
    name = type(target).__name__
    kinds = {Model: _model, Layer: _layer, Loss: _loss, DiagonalGaussian: _posterior}
    prepare = next((function for kind, function in kinds.items() if isinstance(target, kind)), None)
    if prepare is None:
        raise TypeError(f"check: expected a Layer, Loss, posterior or Model, got {name}; for other code use check_function")
    batch = [_float64(array) for array in batch]
    target = copy.deepcopy(target).astype(np.float64)
    f, arrays, gradients = prepare(target, batch, rng)
    rows = []
    for key, array in arrays.items():
        numerical, error = richardson(lambda _: f(), array, rng)
        rows.append(_row(key, gradients[key], numerical, error))
    return Report(name, rows)


def assert_gradients(target, *batch, rng=None):
    """`check`, raising AssertionError with the report when a gradient disagrees: one line in a test."""
    __tracebackhide__ = True
    report = check(target, *batch, rng=rng)
    if not report.ok:
        raise AssertionError(str(report))


def check_function(f, grad, w):
    """Check foreign code: f(w) -> float and grad(w) -> array of the shape of w. Returns a Report. w is not changed."""
    w = np.array(w, dtype=np.float64)
    gradient = np.array(grad(w.copy()), dtype=np.float64)
    if gradient.shape != w.shape:
        raise ValueError(f"check_function: grad must have the shape of w, {w.shape}, got {gradient.shape}")
    if np.ndim(f(w.copy())) != 0:
        raise ValueError(f"check_function: f must return one number, got an array of shape {np.shape(f(w.copy()))}")
    numerical, error = richardson(lambda point: f(point.copy()), w, np.random.default_rng(0))
    return Report(getattr(f, "__name__", "function"), [_row("w", gradient, numerical, error)])


def _model(model, batch, rng):
    model.loss(*batch, rng=rng)
    noise = model.noise
    model.backward()
    gradients = _copies(model.named_gradients())

    def f():
        return model.loss(*batch, noise=noise)

    return f, model.named_parameters(), gradients


def _layer(layer, batch, rng):
    x, = batch
    drawing = [leaf for leaf in layer.leaves().values() if getattr(leaf, "noise_name", None)]
    for leaf in drawing:
        leaf.rng = rng
    y = layer.forward(x)
    for leaf in drawing:
        leaf.replay = getattr(leaf, leaf.noise_name)
    u = rng.standard_normal(y.shape)
    partners = {f"dense.{name}": window for name, window in _partner(layer, "named_parameters").items()}
    layer.zero_grad()
    if partners:
        layer.dense.zero_grad()
    dx = layer.backward(u)
    gradients = _copies({"x": dx, **layer.named_gradients(),
                         **{f"dense.{name}": window for name, window in _partner(layer, "named_gradients").items()}})

    def f():
        return np.sum(u * layer.forward(x))

    return f, {"x": x, **layer.named_parameters(), **partners}, gradients


def _partner(layer, method):
    """Of a TiedDense, the W of the Dense it is tied to."""
    dense = getattr(layer, "dense", None)
    return {"W": getattr(dense, method)()["W"]} if dense is not None else {}


def _loss(loss, batch, rng):
    o, t = batch
    u = rng.standard_normal(len(o))
    loss.forward(o, t)
    loss.zero_grad()
    gradients = _copies({"output": loss.backward(u), **loss.named_gradients()})

    def f():
        return np.sum(u * loss.forward(o, t))

    return f, {"output": o, **loss.named_parameters()}, gradients


def _posterior(posterior, batch, rng):
    h, = batch
    epsilon = rng.standard_normal((len(h), posterior.d))
    u, v = rng.standard_normal(epsilon.shape), rng.standard_normal(len(h))
    posterior.sample(h, epsilon)
    gradients = _copies({"h": posterior.backward(u, v)})

    def f():
        return np.sum(u * posterior.sample(h, epsilon)) + np.sum(v * posterior.kl())

    return f, {"h": h}, gradients


def _copies(arrays):
    return {name: np.array(array, dtype=np.float64) for name, array in arrays.items()}


def _float64(array):
    array = np.array(array)
    if array.dtype.kind in "iu":
        return array                  # class labels
    if array.dtype.kind != "f":
        raise TypeError(f"check: the batch must be float arrays, got {array.dtype}")
    if not np.all(np.isfinite(array)):
        raise ValueError("check: the batch must be finite, got NaN or infinity")
    return array.astype(np.float64)


def _row(name, yours, numerical, error):
    """Compare one array element by element; the row shows the worst element."""
    if yours.shape != numerical.shape:
        raise ValueError(f"check: the gradient of {name} must have shape {numerical.shape}, got {yours.shape}")
    gap = np.abs(yours - numerical)
    size = np.maximum(np.abs(yours), np.abs(numerical))
    disagree = ~(gap <= SAFETY * error)
    unclear = ~disagree & (error > USELESS * size) & (size > 0) & (gap > 0)
    if disagree.any():
        verdict, doubt = DISAGREE, np.where(disagree, gap / (error + 1e-300), -1)
    elif unclear.all() and unclear.size:
        verdict, doubt = CANNOT_TELL, error
    else:
        verdict, doubt = AGREE, gap / (error + 1e-300)
    index = np.unravel_index(np.argmax(np.nan_to_num(doubt, nan=np.inf)), yours.shape) if yours.size else ()
    relative = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0).ravel()
    return {"array": name, "shape": list(yours.shape), "index": [int(i) for i in index], "elements": int(yours.size),
            "disagree": int(disagree.sum()), "cannot_tell": int(unclear.sum()), "yours": float(yours[index]),
            "numerical": float(numerical[index]), "error": float(error[index]), "verdict": verdict, "relative": relative}
