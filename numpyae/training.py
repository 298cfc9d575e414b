"""Training: split the data into batches, take one step per batch, look at the loss after every epoch.

[000]'s loop, with mini-batches instead of single samples:

    repeat                                        one round is an epoch
        shuffle the samples
        for each batch: loss, backward, step
    until a stopping criterion is satisfied

`fit` is that loop, for every model and optimizer. It adds only bookkeeping: a History, early stopping on held-out data,
a checkpoint after each epoch, and an error when the loss is no longer finite. `online_backprop` is [000]'s algorithm
line for line: one sample at a time, with forward, backward and step in one loop, without an optimizer.
"""

import math
import os
import sys
import time

import numpy as np

from numpyae.activations import Identity
from numpyae.checks import check_data, check_positive, check_size, is_number, must
from numpyae.checkpoints import read_checkpoint, write_checkpoint
from numpyae.layers import Dense, Layer
from numpyae.models import Model
from numpyae.optimizers import Optimizer

LINES = 100                           # the largest number of progress lines that stay
CLEAR = "\r\033[K"                    # clears the last line of a terminal
VALIDATION_ROWS = 2000                # rows of the validation data that go through the model at once


class Diverged(ArithmeticError):
    """The loss or a parameter has become NaN or infinite. The parameters are those of the last whole epoch again."""


class History:
    """The record of a training run, one value per epoch: `loss`, `terms` (name -> list), `validation`, `seconds`.

    `loss` and `terms` are means over the samples of an epoch, while the parameters change. `validation` is the loss on
    held-out data at the end of the epoch. `stopped` says why the training ended.
    """

    def __init__(self, loss=(), terms=None, validation=(), seconds=(), stopped=None):
        self.loss, self.validation, self.seconds = list(loss), list(validation), list(seconds)
        self.terms = {name: list(values) for name, values in (terms or {}).items()}
        self.stopped = stopped

    @property
    def epochs(self):
        """The number of whole epochs."""
        return len(self.loss)

    @property
    def best(self):
        """The index of the epoch with the lowest validation loss; None without validation."""
        return int(np.argmin(np.nan_to_num(self.validation, nan=np.inf))) if self.validation else None

    def add(self, terms, validation, seconds):
        """Append one epoch: its terms (a dict of floats), its validation loss or None, and its duration."""
        self.loss.append(sum(terms.values()))
        for name, value in terms.items():
            self.terms.setdefault(name, []).append(value)
        self.validation += [] if validation is None else [validation]
        self.seconds.append(seconds)

    def check(self):
        """Raise ValueError unless every list holds one number per epoch."""
        lists = [self.loss, self.seconds, *self.terms.values(), *([self.validation] if self.validation else [])]
        must(all(len(values) == self.epochs for values in lists),
             f"History: expected {self.epochs} values in every list, got {list(map(len, lists))}")
        must(all(isinstance(value, (int, float)) for values in lists for value in values), "History: expected numbers")

    def as_dict(self):
        """Return the history as a dict for JSON; History(**history.as_dict()) is an equal history."""
        return dict(vars(self))

    def __repr__(self):
        return (f"History({self.epochs} epochs" + (f", loss {self.loss[-1]:.6g}" if self.loss else "")
                + f", {sum(self.seconds):.1f} s, stopped: {self.stopped})")


def fit(model, *data, optimizer, epochs, batch_size, rng=None, validation=None, patience=None, clip=None,
        each_epoch=None, callbacks=(), checkpoint=None, resume=None, progress=None):
    """Train the model on the data, arrays with equal numbers of rows, until `epochs` epochs are done. Return a History.

    validation    held-out data, an array or a tuple; their loss is computed after every epoch
    patience      stop when the validation loss has not improved for this many epochs, and restore the best parameters
    clip          a gradient longer than this is shortened to this length (Pascanu 2013)
    each_epoch    a function (rng, *data) -> data that makes the data of each epoch, such as a new binarisation
    callbacks     functions (model, history, optimizer), called after each epoch; they may set `optimizer.alpha`,
                  `model.beta`, … as functions of the epoch
    checkpoint    the path of a file to write after every epoch
    resume        the path of a checkpoint to go on from: a run that was killed and resumed ends with the parameters of
                  an uninterrupted one, bit for bit
    progress      True: a live line on a terminal, plain lines elsewhere; None: only the live line; False: nothing

    Ctrl-C ends the training and keeps the parameters learnt so far. Raise ValueError or TypeError before the first step
    if the data do not fit the model, and Diverged when the loss is no longer finite.
    """
    sample = data if each_epoch is None else as_tuple(each_epoch(np.random.default_rng(0), *data))
    validation = check_arguments(model, sample, optimizer, epochs, batch_size, validation, patience, checkpoint)
    clip = None if clip is None else check_positive("fit: clip", clip)
    rng = np.random.default_rng(rng)
    history, best = History(), model.w.copy()
    if resume is not None:
        history, best = read_checkpoint(resume, model, optimizer, rng, History)
        must(not history.epochs or bool(history.validation) == (validation is not None),
             f"fit: resume {resume} was trained {'with' if history.validation else 'without'} "
             "validation data and must go on in the same way")
        if checkpoint is not None:
            write_checkpoint(checkpoint, model, optimizer, rng, history, best)
    lines = Progress(epochs, progress)
    try:
        while history.epochs < epochs and not exhausted(history, patience):
            start = time.perf_counter()
            good = model.w.copy()
            batch = data if each_epoch is None else as_tuple(each_epoch(rng, *data))
            if each_epoch is not None:
                check_batch(model, batch)
            terms = train_epoch(model, batch, optimizer, batch_size, rng, history, lines, good, clip)
            history.add(terms, None if validation is None else validation_loss(model, validation),
                        time.perf_counter() - start)
            if history.best == history.epochs - 1:
                best = model.w.copy()
            for callback in callbacks:
                callback(model, history, optimizer)
            optimizer.set_rates(alpha=optimizer.alpha)
            model.check_settings()
            if checkpoint is not None:
                write_checkpoint(checkpoint, model, optimizer, rng, history, best)
            lines.epoch(history)
        history.stopped = "early" if exhausted(history, patience) else "epochs"
    except KeyboardInterrupt:
        history.stopped = "interrupted"
    finally:
        lines.close()
    if patience is not None and history.best is not None:
        model.w = best
    return history


def online_backprop(network, x, t, alpha, epochs, tolerance=0.0):
    """Train the network by [000]'s "Algorithm for backprop (on-line aka stochastic learning)", line for line.

    x (N, D), t (N, M). The error of one sample is Σ (t - o)², so its residual t - o is -½ ∂L/∂o: a step with `alpha`
    is a gradient step with the rate alpha / 2. One line is repaired: the slides propagate δ without φ', which is right
    only for one hidden layer and a linear output. Stop after `epochs` epochs, or when the mean error of an epoch is at
    most `tolerance`. Return a History.

    Raise ValueError for a network other than Dense layers, each followed by at most one elementwise activation, and for
    a rate that is not positive. Raise Diverged when the error is no longer finite.
    """
    layers = dense_and_activation(network)
    check_online(network, x, t, alpha, epochs, tolerance)
    history, inputs = History(), [None] * len(layers)            # initialise the weights: Dense has done it
    while history.epochs < epochs and history.stopped is None:   # repeat
        start, good, error = time.perf_counter(), network.w.copy(), 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for n in range(len(x)):                              # for each training sample (x, z) do
                o = x[n]
                for k, (W, b, phi) in enumerate(layers):         # compute o = y(w, x) (forward pass)
                    inputs[k] = o
                    o = phi.forward(o @ W + b)
                delta = t[n] - o                                 # calculate residual δ = z - o at the output units
                error += float(delta @ delta)
                if not error < math.inf:
                    stop_online(network, history, n, alpha, good)
                for k in range(len(layers) - 1, -1, -1):         # for all k:
                    W, b, phi = layers[k]
                    step = delta * phi.derivative()              # δ_kj φ'(·)
                    delta = W @ step                             # propagate back: Σ_j δ_kj w_ij (the repair: with φ')
                    W += inputs[k][:, None] * (alpha * step)     # update the weights: α δ_kj φ'(·) x_i
                    b += alpha * step
        if not np.isfinite(network.w).all():
            stop_online(network, history, len(x) - 1, alpha, good)
        history.add({"error": error / len(x)}, None, time.perf_counter() - start)    # (this is called one epoch)
        if history.loss[-1] <= tolerance:                        # until stopping criterion satisfied
            history.stopped = "tolerance"
    history.stopped = history.stopped or "epochs"
    return history


def dense_and_activation(network):
    """Return [(W, b, φ), ...] of a network, φ = Identity() where no activation follows a Dense.

    Raise ValueError unless each Dense is followed by at most one elementwise activation, and no other layer is there.
    """
    must(isinstance(network, Layer),
         f"online_backprop: network must be a Layer, got {type(network).__name__}", TypeError)
    found = []
    for layer in network.leaves().values():
        if isinstance(layer, Dense):
            found.append((layer.W, layer.b, Identity()))
        elif found and isinstance(found[-1][2], Identity) and hasattr(layer, "derivative"):
            found[-1] = (*found[-1][:2], layer)
        else:
            raise ValueError("online_backprop: network must be Dense layers, each followed by at most one elementwise "
                             f"activation, got {layer!r}")
    return found


def check_online(network, x, t, alpha, epochs, tolerance):
    """Raise ValueError or TypeError for an argument of `online_backprop` that is wrong."""
    check_data("online_backprop: x", x, network.n_in, network.dtype)
    check_data("online_backprop: t", t, network.n_out, network.dtype)
    must(len(t) == len(x), f"online_backprop: t must have as many rows as x, {len(x)}, got {len(t)}")
    check_positive("online_backprop: alpha", alpha)
    check_size("online_backprop: epochs", epochs, least=0)
    must(is_number(tolerance) and tolerance >= 0,
         f"online_backprop: tolerance must be a number of at least 0, got {tolerance!r}")


def stop_online(network, history, n, alpha, good):
    """Restore the weights `good` and raise Diverged, which names the epoch and the sample and gives a hint."""
    network.w = good
    raise Diverged(f"online_backprop diverged in epoch {history.epochs + 1}, sample {n + 1}: the error or a weight is "
                   f"no longer finite. Hint: a smaller rate, alpha = {alpha / 10:g} instead of {alpha:g}, or data of "
                   f"smaller scale. The weights are back at the end of epoch {history.epochs}.")


def train_epoch(model, data, optimizer, batch_size, rng, history, lines, good, clip):
    """Train for one epoch: shuffle, then one step per batch. Return the mean of every term over the samples, a dict."""
    N = len(data[0])
    order = rng.permutation(N)
    sums = {}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):        # the loss is checked below
        for start in range(0, N, batch_size):
            rows = order[start:start + batch_size]
            batch = [array.take(rows, axis=0) for array in data]
            loss = model.loss(*batch, rng=rng)
            if loss is None:
                raise TypeError(f"fit: {type(model).__name__}.loss must return the loss, as `return self.total()` does")
            if not math.isfinite(loss):
                stop_diverged(model, optimizer, history, start // batch_size, good)
            gradient = model.backward()
            optimizer.step(model.w, gradient if clip is None else shortened(gradient, clip))
            for name, value in model.terms.items():
                sums[name] = sums.get(name, 0.0) + value * len(rows)
            lines.step(history, start + len(rows), N, loss)
        if not np.isfinite(model.w).all():
            stop_diverged(model, optimizer, history, (N - 1) // batch_size, good)
    return {name: value / N for name, value in sums.items()}


def shortened(gradient, length):
    """Return the gradient, or where it is longer than this length, one of this length in its direction."""
    norm = math.sqrt(gradient @ gradient)
    return gradient if norm <= length else gradient * (length / norm)


def validation_loss(model, data):
    """Return the mean loss on held-out data, with training=False and a fixed seed, so that epochs are comparable."""
    rng = np.random.default_rng(0)
    N, total = len(data[0]), 0.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, N, VALIDATION_ROWS):
            part = [array[start:start + VALIDATION_ROWS] for array in data]
            total += model.loss(*part, rng=rng, training=False) * len(part[0])
    return total / N


def exhausted(history, patience):
    """Return whether `patience` epochs have passed since the lowest validation loss."""
    return patience is not None and history.epochs > 0 and history.epochs - 1 - history.best >= patience


def stop_diverged(model, optimizer, history, step, good):
    """Restore the parameters `good` and raise Diverged, which names epoch, step and terms and gives a hint."""
    bad = [name for name, value in model.terms.items() if not math.isfinite(value)]
    what = " and ".join(f"the term {name} is {model.terms[name]}" for name in bad) or "a parameter is no longer finite"
    gradient = float(np.abs(model.grad).max())
    model.w = good
    raise Diverged(f"training diverged in epoch {history.epochs + 1}, step {step + 1}: {what}; the largest |gradient| "
                   f"of the last step was {gradient:.3g}. Hint: a smaller rate, alpha = {optimizer.alpha / 10:g} "
                   f"instead of {optimizer.alpha:g}, with a new optimizer, or data of smaller scale. The parameters "
                   f"are back at the end of epoch {history.epochs}.")


def check_arguments(model, data, optimizer, epochs, batch_size, validation=None, patience=None, checkpoint=None):
    """Raise an error for an argument of `fit` that is wrong. Return the validation data as a tuple, or None."""
    must(isinstance(optimizer, Optimizer), f"fit: optimizer must be an Optimizer such as Adam(1e-3), got {optimizer!r}",
         TypeError)
    check_size("fit: epochs", epochs, least=0)
    check_size("fit: batch_size", batch_size)
    if patience is not None:
        check_size("fit: patience", patience)
    must(isinstance(model, Model),
         f"fit: model must be a Model, such as Regression(network, SquaredError()), got {model!r}", TypeError)
    must(model.w.size, f"fit: {type(model).__name__} has no parameters: are its parts given to add_parts?")
    check_batch(model, data)
    must(batch_size <= len(data[0]),
         f"fit: batch_size must be at most the number of samples, {len(data[0])}, got {batch_size}")
    must(checkpoint is None or os.path.isdir(os.path.dirname(os.path.abspath(checkpoint))),
         f"fit: checkpoint {checkpoint}: there is no folder to put it in", FileNotFoundError)
    if validation is not None:
        validation = as_tuple(validation)
        check_batch(model, validation)
    elif patience is not None:
        raise ValueError("fit: patience needs validation data, got none")
    return validation


def check_batch(model, data):
    """Raise ValueError or TypeError unless the model can be trained on these arrays."""
    must(len(data) == len(model.batch_names),
         f"fit: a {type(model).__name__} is trained on ({', '.join(model.batch_names)}), got {len(data)} arrays")
    model.check(*data)


def as_tuple(data):
    """Return a tuple of arrays for a tuple, a list or one array."""
    return tuple(data) if isinstance(data, (tuple, list)) else (data,)


class Progress:
    """The progress of `fit`: a live line on a terminal, and everywhere at most LINES lines that stay, one per epoch."""

    def __init__(self, epochs, wanted):
        terminal = sys.stdout.isatty()
        self.live, self.plain = terminal and wanted is not False, bool(wanted) and not terminal
        self.epochs, self.start, self.shown, self.done = epochs, time.perf_counter(), 0.0, 0

    def step(self, history, row, N, loss):
        """Refresh the live line, at most ten times a second: epoch, loss, samples per second, time left."""
        now = time.perf_counter()
        if not self.live or now - self.shown < 0.1:
            return
        self.shown = now
        share = (self.done + row / N) / max(self.epochs - history.epochs + self.done, 1)
        rate = (self.done * N + row) / (now - self.start)
        print(f"{CLEAR}epoch {history.epochs + 1}/{self.epochs}  loss {loss:.5g}  {rate:.0f} samples/s  "
              f"{(now - self.start) * (1 - share) / share:.0f} s left", end="", flush=True)

    def epoch(self, history):
        """Print a line that stays: after every epoch, or after every few when there are more than LINES epochs."""
        self.done += 1
        between = -(-self.epochs // LINES)
        if not (self.live or self.plain) or (history.epochs % between and history.epochs != self.epochs):
            return
        lists = [("loss", history.loss), *(history.terms.items() if len(history.terms) > 1 else ()),
                 ("validation", history.validation)]
        numbers = "".join(f"  {name} {values[-1]:.5g}" for name, values in lists if values)
        print(f"{CLEAR * self.live}epoch {history.epochs}/{self.epochs}{numbers}  {history.seconds[-1]:.1f} s",
              flush=True)

    def close(self):
        """Clear the live line."""
        if self.live and self.shown:
            print(CLEAR, end="", flush=True)
