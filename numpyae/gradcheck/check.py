"""The check: what backward says against what finite differences say, for every element of every array.

Whatever is checked is turned into a function f of some arrays and its gradient with respect to each of them. A model's f is its
loss. A layer has many outputs, so f = Σ u y with a random u, and backward(u) must give ∂f/∂x and ∂f/∂W: all outputs are
tested at once, and a mistake in one of them cannot hide behind equal weights. Noise is drawn once and frozen.
The check works on a float64 copy; the layer or model itself is not touched.
"""

import numpy as np

from numpyae.gradcheck.numerical import kink, noise_of, richardson, scale_of
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer, TiedDense
from numpyae.losses import Loss
from numpyae.models import Model

AGREE, DISAGREE, CANNOT_TELL = "agree", "disagree", "cannot tell"
SAFETY = 8                            # error bars within which two gradients agree
USELESS = 0.1                         # an error bar of more than this share of the gradient tells nothing


class Report:
    """The outcome: `rows`, one dict per array (array, shape, index, yours, numerical, error, verdict, ...); `problems`,
    sentences about what else is wrong with a backward; `ok`."""

    def __init__(self, name, rows, problems=()):
        self.name, self.rows, self.problems = name, rows, list(problems)

    @property
    def verdict(self):
        """"disagree" when an element does or there is another problem, "cannot tell" of an array, else "agree"."""
        verdicts = {row["verdict"] for row in self.rows}
        if DISAGREE in verdicts or self.problems:
            return DISAGREE
        return CANNOT_TELL if CANNOT_TELL in verdicts else AGREE

    @property
    def ok(self):
        """True when no element disagrees, every array could be judged, and there is no other problem."""
        return self.verdict == AGREE

    @property
    def median_error(self):
        """Median over all elements of |yours - numerical| / max(|yours|, |numerical|)."""
        errors = np.concatenate([row["relative"] for row in self.rows])
        return float(np.median(errors)) if errors.size else 0.0

    def as_dict(self):
        """JSON-able."""
        return {"name": self.name, "ok": self.ok, "median_error": self.median_error, "problems": self.problems,
                "rows": [{key: value for key, value in row.items() if key != "relative"} for row in self.rows]}

    def sentence(self):
        """What a reader needs first."""
        wrong = [row for row in self.rows if row["verdict"] == DISAGREE]
        unclear = [row["array"] for row in self.rows if row["verdict"] == CANNOT_TELL]
        count = sum(row["cannot_tell"] for row in self.rows)
        if wrong:
            row = wrong[0]
            return (f"{self.name}: the gradient of {row['array']} is wrong in {row['disagree']} of {row['elements']} elements; at "
                    f"{row['index']} backward gives {row['yours']:.8g}, finite differences {row['numerical']:.8g}.")
        if self.problems:
            return f"{self.name}: {self.problems[0]}."
        if unclear:
            return f"{self.name}: nothing can be said about the gradient of {', '.join(unclear)}: a kink, or the noise is too large."
        return (f"{self.name}: all gradients agree (median relative error {self.median_error:.1e})"
                + (f", but for {count} elements that cannot be told." if count else "."))

    def __str__(self):
        lines = [self.sentence(), "",
                 f"{'array':24} {'shape':>12} {'worst at':>12} {'yours':>15} {'numerical':>15} {'± error':>9}  verdict"]
        for row in self.rows:
            shape, index = str(tuple(row["shape"])), str(tuple(row["index"]))
            counts = [f"{row[key]} {words}" for key, words in (("disagree", f"of {row['elements']}"), ("cannot_tell", "cannot tell"),
                                                               ("kinks", "on a kink")) if row[key]]
            count = f" ({', '.join(counts)})" if counts else ""
            lines.append(f"{row['array']:24} {shape:>12} {index:>12} {row['yours']:15.8g} {row['numerical']:15.8g} "
                         f"{row['error']:9.1e}  {row['verdict']}{count}")
        return "\n".join(lines + [f"problem: {problem}" for problem in self.problems])

    __repr__ = __str__


def check(target, *batch, rng=None):
    """Check every gradient of a layer (x), loss (o, t), posterior (h) or model (its batch). Returns a Report.

    `rng=None` means default_rng(0): a check is repeatable. TypeError for anything else, or a batch that is no float array (class
    labels may be integers); ValueError for NaN, infinity, or a function that gives two values at one point.
    """
    rng = np.random.default_rng(0 if rng is None else rng)
    name = type(target).__name__
    prepare, names = next((found for kind, found in KINDS.items() if isinstance(target, kind)), (None, None))
    if prepare is None:
        raise TypeError(f"check: expected a Layer, Loss, posterior or Model, got {name}; for other code use check_function")
    names = names or target.batch_names
    if len(batch) != len(names):
        raise ValueError(f"check: a {name} is checked at ({', '.join(names)}), got {len(batch)} arrays")
    labels = getattr(getattr(target, "criterion", target), "takes_labels", False)
    batch = [_float64(array, labels and index == 1) for index, array in enumerate(batch)]
    report = _report(name, prepare, target.astype(np.float64), batch, rng)
    if any(row["verdict"] == DISAGREE for row in report.rows):
        _excuse_ties(report, prepare, target.astype(np.float64), batch, rng)
    return report


def _report(name, prepare, target, batch, rng):
    f, arrays, gradients, problems = prepare(target, batch, rng)
    rows = [_compare(key, gradients[key], lambda _: f(), array, rng) for key, array in arrays.items()]
    return Report(name, rows, problems)


def _excuse_ties(report, prepare, target, batch, rng):
    """Where k-sparse units tie, f has no gradient, and no difference quotient along one axis shows it. A mistake is still
    there a thousandth of the way off, a tie is not: arrays that agree there cannot be told here."""
    target.w += 1e-3 * scale_of(target.w) * rng.standard_normal(target.w.shape) if target.w.size else 0
    if isinstance(target, Layer):
        batch = [x + 1e-3 * scale_of(x) * rng.standard_normal(x.shape) for x in batch]
    beside = _report(report.name, prepare, target, batch, rng)
    for row, other in zip(report.rows, beside.rows):
        if row["verdict"] == DISAGREE and other["verdict"] == AGREE:
            row.update(verdict=CANNOT_TELL, cannot_tell=row["cannot_tell"] + row["disagree"], disagree=0)


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
    row = _compare("w", gradient, lambda point: f(point.copy()), w, np.random.default_rng(0))
    return Report(getattr(f, "__name__", "function"), [row])


def _model(model, batch, rng):
    model.loss(*batch, rng=rng)
    noise = model.noise
    model.backward()
    gradients = _copies(model.named_gradients())
    model.backward()
    again = _copies(model.named_gradients())
    problems = [f"backward called twice gives another gradient of {key}: does it start from zero?"
                for key in gradients if not np.array_equal(gradients[key], again[key], equal_nan=True)]

    def f():
        return model.loss(*batch, noise=noise)

    return f, model.named_parameters(), gradients, problems


def _layer(layer, batch, rng):
    x, = batch
    drawing = [leaf for leaf in layer.leaves().values() if getattr(leaf, "noise_name", None)]
    for leaf in drawing:
        leaf.rng, leaf.replay, leaf.training = rng, None, True
    x_before = x.copy()
    y = layer.forward(x)
    for leaf in drawing:
        leaf.replay = getattr(leaf, leaf.noise_name)
    u = rng.standard_normal(y.shape)
    parameters, windows = layer.named_parameters(), layer.named_gradients()
    if isinstance(layer, TiedDense):  # the W it shares belongs to its partner
        parameters["dense.W"], windows["dense.W"] = layer.dense.W, layer.dense.dW
    for window in windows.values():
        window.fill(0)
    u_before = u.copy()
    gradients = _copies({"x": layer.backward(u), **windows})
    problems = [f"backward or forward changed its {name} in place"
                for name, now, before in (("input", x, x_before), ("delta", u, u_before)) if not np.array_equal(now, before)]
    x[...], u[...] = x_before, u_before
    layer.forward(x)
    layer.backward(u.copy())
    problems += [f"backward must add to d{key}: called twice, it gives no double" for key, window in windows.items()
                 if not np.allclose(window, 2 * gradients[key], rtol=1e-9, atol=0)]

    def f():
        return np.sum(u * layer.forward(x.copy()))

    return f, {"x": x, **parameters}, gradients, problems


def _loss(loss, batch, rng):
    o, t = batch
    u = rng.standard_normal(len(o))
    o_before, t_before = o.copy(), t.copy()
    loss.forward(o, t)
    loss.zero_grad()
    gradients = _copies({"output": loss.backward(u), **loss.named_gradients()})
    again = _copies({"output": loss.backward(u), **loss.named_gradients()})
    problems = [f"backward or forward changed its {name} in place"
                for name, now, before in (("output", o, o_before), ("target", t, t_before)) if not np.array_equal(now, before)]
    problems += [f"backward called twice gives another gradient of {key}, or does not add to it" for key in gradients
                 if not np.allclose(again[key], gradients[key] * (1 if key == "output" else 2), rtol=1e-9, atol=0)]
    o[...], t[...] = o_before, t_before

    def f():
        return np.sum(u * loss.forward(o.copy(), t.copy()))

    return f, {"output": o, **loss.named_parameters()}, gradients, problems


def _posterior(posterior, batch, rng):
    h, = batch
    epsilon = rng.standard_normal((len(h), posterior.d))
    u, v = rng.standard_normal(epsilon.shape), rng.standard_normal(len(h))
    posterior.sample(h, epsilon)
    gradients = _copies({"h": posterior.backward(u, v)})

    def f():
        return np.sum(u * posterior.sample(h, epsilon)) + np.sum(v * posterior.kl())

    return f, {"h": h}, gradients, []


KINDS = {Model: (_model, None), Layer: (_layer, ("x",)), Loss: (_loss, ("output", "target")), DiagonalGaussian: (_posterior, ("h",))}


def _copies(arrays):
    return {name: np.array(array, dtype=np.float64) for name, array in arrays.items()}


def _float64(array, labels):
    array = np.array(array)
    if array.dtype.kind in "iu" and labels:
        return array
    if array.dtype.kind != "f":
        raise TypeError(f"check: the batch must be float arrays, got {array.dtype}")
    if not np.all(np.isfinite(array)):
        raise ValueError("check: the batch must be finite, got NaN or infinity")
    return array.astype(np.float64)


def _compare(name, yours, f, array, rng):
    """The row of one array: yours against finite differences of f, element by element; it shows the worst element."""
    if yours.shape != array.shape:
        raise ValueError(f"check: the gradient of {name} must have shape {array.shape}, got {yours.shape}")
    numerical, error = richardson(f, array, rng)
    gap = np.abs(yours - numerical)
    size = np.maximum(np.abs(yours), np.abs(numerical))
    lost = ~np.isfinite(numerical) & np.isfinite(yours)                    # f is not defined around this point
    disagree = np.array(~(gap <= SAFETY * error) & ~lost)
    unclear = np.array(~disagree & ((error > USELESS * size) & (gap > 0) | lost))
    kinks = _look_for_kinks(f, array, yours, disagree, unclear, rng) if disagree.any() else np.zeros(yours.shape, bool)
    if disagree.any():
        verdict, doubt = DISAGREE, np.where(disagree, gap / (error + 1e-300), -1)
    elif unclear.all() and unclear.size:
        verdict, doubt = CANNOT_TELL, gap
    else:
        verdict, doubt = AGREE, np.where(unclear | kinks, -1, gap / (error + 1e-300))
    index = np.unravel_index(np.argmax(np.nan_to_num(doubt, nan=np.inf)), yours.shape) if yours.size else ()
    relative = np.divide(gap, size, out=np.zeros(yours.shape), where=(size > 0) & ~kinks & ~lost).ravel()
    return {"array": name, "shape": list(yours.shape), "index": [int(i) for i in index], "elements": int(yours.size),
            "disagree": int(disagree.sum()), "cannot_tell": int(unclear.sum()), "kinks": int(kinks.sum()),
            "yours": float(yours[index]), "numerical": float(numerical[index]), "error": float(error[index]), "verdict": verdict,
            "relative": relative}


def _look_for_kinks(f, array, yours, disagree, unclear, rng):
    """Which of the elements that disagree sit on a kink. There any slope between is right; of another nothing can be said."""
    kinks = np.zeros(array.shape, bool)
    scale = scale_of(array)
    noise = noise_of(f, array, scale, rng)
    for index in map(tuple, np.argwhere(disagree)):
        slopes = kink(f, array, index, abs(array[index]) or scale[index], noise)
        if slopes is not None:
            slack = 1e-4 * max(map(abs, slopes))
            disagree[index], kinks[index] = False, True
            unclear[index] = not slopes[0] - slack <= yours[index] <= slopes[1] + slack
    return kinks
