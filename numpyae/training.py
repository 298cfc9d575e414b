"""Training: cut the data into batches, take one step per batch, look up after every epoch.

[000]'s loop, with mini-batches instead of single samples:

    repeat                                        one round is an epoch
        shuffle the samples
        for each batch: loss, backward, step
    until a stopping criterion is satisfied

`fit` is that loop, for every model and optimizer. All it adds is bookkeeping: a History, early stopping on data that was not
trained on, checkpoints after whole epochs, and a clear stop when the loss leaves the numbers. `online_backprop` is [000]'s
algorithm as it stands there: one sample at a time, forward, backward and step in one loop, no layers and no optimizer.
"""

import math
import os
import sys
import time

import numpy as np

from numpyae.activations import Identity
from numpyae.checks import check_data, check_size, is_number
from numpyae.checkpoints import read_checkpoint, write_checkpoint
from numpyae.layers import Dense, Layer
from numpyae.optimizers import Optimizer

LINES = 100                           # of progress that stay, at the most
VALIDATION_ROWS = 2000                # of the validation data that go through the model at once


class Diverged(ArithmeticError):
    """The loss or a parameter became NaN or infinite; the model is back at the end of its last whole epoch."""


class History:
    """What happened, per epoch: `loss`, `terms` (name -> list), `validation`, `seconds`; `stopped` says why it ended.

    `loss` and `terms` are means over the epoch's batches while the parameters move; `validation` is the loss on held-out data
    at the end of the epoch. `best` is the index of the epoch of the lowest validation loss, None without validation.
    """

    def __init__(self, loss=(), terms=None, validation=(), seconds=(), stopped=None):
        self.loss, self.validation, self.seconds = list(loss), list(validation), list(seconds)
        self.terms = {name: list(values) for name, values in (terms or {}).items()}
        self.stopped = stopped

    @property
    def epochs(self):
        """Number of whole epochs."""
        return len(self.loss)

    @property
    def best(self):
        """Index of the epoch with the lowest validation loss."""
        if not self.validation:
            return None
        return int(np.argmin(np.nan_to_num(self.validation, nan=np.inf)))

    def add(self, terms, validation, seconds):
        """Append one epoch."""
        self.loss.append(sum(terms.values()))
        for name, value in terms.items():
            self.terms.setdefault(name, []).append(value)
        if validation is not None:
            self.validation.append(validation)
        self.seconds.append(seconds)

    def check(self):
        """ValueError unless all of it is numbers, one per epoch."""
        lists = [self.loss, self.seconds, *self.terms.values(), *([self.validation] if self.validation else [])]
        if any(len(values) != self.epochs for values in lists):
            raise ValueError(f"History: expected {self.epochs} values of everything, got {[len(values) for values in lists]}")
        if not all(isinstance(value, (int, float)) for values in lists for value in values):
            raise ValueError("History: expected numbers")

    def as_dict(self):
        """JSON-able: History(**history.as_dict()) is the same history."""
        return dict(vars(self))

    def __repr__(self):
        last = f", loss {self.loss[-1]:.6g}" if self.loss else ""
        return f"History({self.epochs} epochs{last}, {sum(self.seconds):.1f} s, stopped: {self.stopped})"


def fit(model, *data, optimizer, epochs, batch_size, rng=None, validation=None, patience=None, each_epoch=None, callbacks=(),
        checkpoint=None, resume=None, progress=None):
    """Train the model on the data, arrays of as many rows each, until `epochs` epochs are done. Returns a History.

    validation: held-out data (an array or a tuple), whose loss is taken after every epoch. patience: stop when it has not
    improved for so many epochs; then the best parameters are restored. each_epoch(rng, *data) -> data makes the epoch's data
    (binarised anew, say). callback(model, history, optimizer) runs after each epoch and may set `optimizer.alpha`, `model.beta`
    ... as functions of the epoch. checkpoint: a path, written after every epoch; resume: such a path, to go on from: the
    same call killed and resumed gives the same parameters, bit for bit. progress: True live line or plain lines, False nothing,
    None a live line on a terminal only. Ctrl-C ends with what was learnt so far.

    ValueError or TypeError for data that do not fit, before the first step. Diverged when the loss is no longer a number.
    """
    sample = data if each_epoch is None else as_tuple(each_epoch(np.random.default_rng(0), *data))
    validation = check_arguments(model, sample, optimizer, epochs, batch_size, validation, patience, checkpoint)
    rng = np.random.default_rng(rng)
    history, best = History(), model.w.copy()
    if resume is not None:
        history, best = read_checkpoint(resume, model, optimizer, rng, History)
        if history.epochs and bool(history.validation) != (validation is not None):
            raise ValueError(f"fit: resume {resume} was trained {'with' if history.validation else 'without'} validation data, "
                             "and must go on so")
        if checkpoint is not None:
            write_checkpoint(checkpoint, model, optimizer, rng, history, best)
    lines = Progress(epochs, progress)
    try:
        while history.epochs < epochs and not exhausted(history, patience):
            start = time.perf_counter()
            good = model.w.copy()
            batch = data
            if each_epoch is not None:
                batch = as_tuple(each_epoch(rng, *data))
                check_batch(model, batch)
            terms = train_epoch(model, batch, optimizer, batch_size, rng, history, lines, good)
            value = validation and validation_loss(model, validation)
            history.add(terms, value, time.perf_counter() - start)
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
    """[000]'s algorithm for backprop ("on-line" aka "stochastic" learning), line for line; x (N, D), t (N, M). Returns a History.

    For the squared error Σ (t - o)² of one sample the residual t - o is -½ ∂L/∂o, so this descends with the rate alpha = 2 α of
    a gradient step. One repair: the slides propagate δ without φ', which is right for one hidden layer and a linear output
    only. Stops after `epochs` epochs, or when the mean error of one is at most `tolerance`.
    ValueError for a network that is not Dense layers with elementwise activations between, or a rate that is not positive;
    Diverged when the error is no longer a number.
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
                    delta = W @ step                             # propagate back: Σ_j δ_kj w_ij, and here the repair: φ'
                    W += inputs[k][:, None] * (alpha * step)     # update the weights: α δ_kj φ'(·) x_i
                    b += alpha * step
        if not np.isfinite(network.w).all():
            stop_online(network, history, len(x) - 1, alpha, good)
        history.add({"error": error / len(x)}, None, time.perf_counter() - start)      # (this is called one epoch)
        if history.loss[-1] <= tolerance:                        # until stopping criterion satisfied
            history.stopped = "tolerance"
    history.stopped = history.stopped or "epochs"
    return history


def dense_and_activation(network):
    """[(W, b, φ), ...] of a network in which every Dense is followed by at most one elementwise activation; else ValueError."""
    if not isinstance(network, Layer):
        raise TypeError(f"online_backprop: network must be a Layer, got {type(network).__name__}")
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
    """Everything that can be known to be wrong before the first sample."""
    check_data("online_backprop: x", x, network.n_in, network.dtype)
    check_data("online_backprop: t", t, network.n_out, network.dtype)
    if len(t) != len(x):
        raise ValueError(f"online_backprop: t must have as many rows as x, {len(x)}, got {len(t)}")
    if not (is_number(alpha) and 0 < alpha < math.inf):
        raise ValueError(f"online_backprop: alpha must be a positive number, got {alpha!r}")
    check_size("online_backprop: epochs", epochs, least=0)
    if not (is_number(tolerance) and tolerance >= 0):
        raise ValueError(f"online_backprop: tolerance must be a number of at least 0, got {tolerance!r}")


def stop_online(network, history, n, alpha, good):
    """Raise Diverged: epoch, sample, hint. The weights are those before this epoch again."""
    network.w = good
    raise Diverged(f"online_backprop diverged in epoch {history.epochs + 1}, sample {n + 1}: the error or a weight is no longer "
                   f"finite. Hint: a smaller rate, alpha = {alpha / 10:g} instead of {alpha:g}, or data of smaller scale. The "
                   f"weights are back at the end of epoch {history.epochs}.")


def train_epoch(model, data, optimizer, batch_size, rng, history, lines, good):
    """One epoch: shuffle, then one step per batch. Returns the mean of every term over the samples."""
    N = len(data[0])
    order = rng.permutation(N)
    sums = {}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):        # we look at the loss ourselves
        for start in range(0, N, batch_size):
            rows = order[start:start + batch_size]
            batch = [array.take(rows, axis=0) for array in data]
            loss = model.loss(*batch, rng=rng)
            if not math.isfinite(loss):
                stop_diverged(model, optimizer, history, start // batch_size, good)
            optimizer.step(model.w, model.backward())
            for name, value in model.terms.items():
                sums[name] = sums.get(name, 0.0) + value * len(rows)
            lines.step(history, start + len(rows), N, loss)
        if not np.isfinite(model.w).all():
            stop_diverged(model, optimizer, history, (N - 1) // batch_size, good)
    return {name: value / N for name, value in sums.items()}


def validation_loss(model, data):
    """The mean loss on held-out data, with training=False and always the same noise, so that epochs compare."""
    rng = np.random.default_rng(0)
    N, total = len(data[0]), 0.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, N, VALIDATION_ROWS):
            part = [array[start:start + VALIDATION_ROWS] for array in data]
            total += model.loss(*part, rng=rng, training=False) * len(part[0])
    return total / N


def exhausted(history, patience):
    """Has the validation loss not improved for `patience` epochs?"""
    return patience is not None and history.epochs > 0 and history.epochs - 1 - history.best >= patience


def stop_diverged(model, optimizer, history, step, good):
    """Raise Diverged: epoch, step, term, largest gradient, hint. The parameters are those before this epoch again."""
    bad = [name for name, value in model.terms.items() if not math.isfinite(value)]
    what = " and ".join(f"the term {name} is {model.terms[name]}" for name in bad) or "a parameter is no longer finite"
    gradient = float(np.abs(model.grad).max())
    model.w = good
    raise Diverged(f"training diverged in epoch {history.epochs + 1}, step {step + 1}: {what}; the largest |gradient| of the last "
                   f"step was {gradient:.3g}. Hint: a smaller rate, alpha = {optimizer.alpha / 10:g} instead of {optimizer.alpha:g}"
                   ", with a new optimizer, or data of smaller scale. The parameters are back at the end of epoch "
                   f"{history.epochs}.")


def check_arguments(model, data, optimizer, epochs, batch_size, validation=None, patience=None, checkpoint=None):
    """Everything that can be known to be wrong before the first step. Returns the validation data as a tuple, or None."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: optimizer must be an Optimizer such as Adam(1e-3), got {optimizer!r}")
    check_size("fit: epochs", epochs, least=0)
    check_size("fit: batch_size", batch_size)
    if patience is not None:
        check_size("fit: patience", patience)
    check_batch(model, data)
    if batch_size > len(data[0]):
        raise ValueError(f"fit: batch_size must be at most the number of samples, {len(data[0])}, got {batch_size}")
    if checkpoint is not None and not os.path.isdir(os.path.dirname(os.path.abspath(checkpoint))):
        raise FileNotFoundError(f"fit: checkpoint {checkpoint}: there is no folder to put it in")
    if validation is not None:
        validation = as_tuple(validation)
        check_batch(model, validation)
    elif patience is not None:
        raise ValueError("fit: patience needs validation data, got none")
    return validation


def check_batch(model, data):
    """As many arrays as the model's loss takes, and each fit for it."""
    if len(data) != len(model.batch_names):
        raise ValueError(f"fit: a {type(model).__name__} is trained on ({', '.join(model.batch_names)}), got {len(data)} arrays")
    model.check(*data)


def as_tuple(data):
    """A tuple of arrays, from a tuple, a list or one array."""
    return tuple(data) if isinstance(data, (tuple, list)) else (data,)


class Progress:
    """On a terminal a live line; there and elsewhere a line per epoch that stays, LINES of them at most."""

    def __init__(self, epochs, wanted):
        terminal = sys.stdout.isatty()
        self.live = terminal and wanted is not False
        self.plain = bool(wanted) and not terminal
        self.epochs, self.start, self.shown, self.done = epochs, time.perf_counter(), 0.0, 0

    def step(self, history, row, N, loss):
        """Refresh the live line, at most ten times a second: epoch, loss, samples per second, time left."""
        if not self.live:
            return
        now = time.perf_counter()
        if now - self.shown < 0.1:
            return
        self.shown = now
        share = (self.done + row / N) / max(self.epochs - history.epochs + self.done, 1)
        rate = (self.done * N + row) / (now - self.start)
        left = (now - self.start) * (1 - share) / share
        line = f"epoch {history.epochs + 1}/{self.epochs}  loss {loss:.5g}  {rate:.0f} samples/s  {left:.0f} s left"
        sys.stdout.write("\r\033[K" + line)
        sys.stdout.flush()

    def epoch(self, history):
        """One line that stays, after each epoch, or of many epochs after some."""
        self.done += 1
        between = -(-self.epochs // LINES)
        if not (self.live or self.plain) or (history.epochs % between and history.epochs != self.epochs):
            return
        terms = "".join(f"  {name} {values[-1]:.5g}" for name, values in history.terms.items()) if len(history.terms) > 1 else ""
        held_out = f"  validation {history.validation[-1]:.5g}" if history.validation else ""
        line = f"epoch {history.epochs}/{self.epochs}  loss {history.loss[-1]:.5g}{terms}{held_out}  {history.seconds[-1]:.1f} s"
        sys.stdout.write(f"\r\033[K{line}\n" if self.live else line + "\n")
        sys.stdout.flush()

    def close(self):
        """Leave the terminal at the start of a line."""
        if self.live and self.shown:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()
