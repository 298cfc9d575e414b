"""Plots: every figure, one function each. Look at a model before you believe its loss.

    learning_curve     does it learn, and when does it begin to learn by heart?
    reconstructions    what survives the way through the code?
    denoised           what does a denoising autoencoder make of noise?
    activity           which units answer to which class?
    samples            does the decoder make sense of codes that the encoder never gave it?
    code_map           which inputs are neighbours in the code?
    manifold           what lies between them?
    filters            which pixels does the first layer listen to?
    regression         the curve that was fitted, and the points it was fitted to
    gradient_check     is the backward pass the derivative of the forward pass?
    network            which units are there, and which weights lead to them?
    moving_basis       how do the hidden units move while a network is trained? (an animation)
    learning_animation how does a code take shape while a VAE is trained? (an animation of what a Recorder has written down)

Each returns a matplotlib Figure and shows nothing: `figure.savefig("curve.png")` saves it, `plt.show()` shows all that were
made, `plt.close(figure)` frees it. Each says in one sentence below what there is to see.

Images are rows of x, (N, rows * columns) pixels in [0, 1]: 0 is black, 1 is white, what lies outside is cut off. Two rules for
colour: it is never the only channel (classes carry their names, curves their line styles), and about one man in twelve does
not see red and green as others do, so all colours here keep apart for him too.
"""

import copy
import math
import textwrap

import matplotlib.animation
import matplotlib.colors
import matplotlib.patches
import matplotlib.patheffects as patheffects
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np
from matplotlib.markers import MarkerStyle

from numpyae.layers import Dense, Layer, TiedDense, check_size
from numpyae.models import Model, check_data

# Ten colours that stay apart under every colour vision deficiency: M. A. Petroff, "Accessible color sequences for data
# visualization", arXiv:2107.02270 (2021), the sequence of ten.
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
TITLE, TEXT, TICKS = 18, 15, 13       # font sizes in points, to be read from the last row
DOTS = 100                            # per inch: a figure of 16 x 9 inches is 1600 x 900 pixels
# Of a gradient check, in the order of their numbers: name, marker, its size in points, colour.
VERDICTS = (("agree", "o", 5, COLOURS[0]), ("disagree", "X", 13, COLOURS[2]), ("cannot tell", "s", 9, COLOURS[3]),
            ("on a kink", "^", 12, COLOURS[4]))
ARROWS = {"w ≥ 0": ("-", COLOURS[0]), "w < 0": ("--", COLOURS[2]), "fixed": (":", "0.3")}            # line style, colour
PHI = {"Sigmoid": "σ", "Tanh": "tanh", "Softmax": "softmax", "Softplus": "softplus", "Identity": "id"}       # others: their class


def learning_curve(history, unit=None):
    """Loss, validation and, where there are several, each term of the loss against the epochs.

    history: what `fit` returns; unit: of the loss, such as "nats per sample", for the axis. The terms add up to the loss and
    have a panel each, since their sizes differ. ValueError for a history without a whole epoch.
    """
    if history.epochs == 0:
        raise ValueError("learning_curve: the history must have at least one whole epoch, got none")
    terms = history.terms if len(history.terms) > 1 else {}
    epochs = np.arange(1, history.epochs + 1)
    see = "The loss falls while the model learns"
    if history.validation:
        see += "; where validation rises again, it learns the training data by heart"
    figure = new_figure(see + ".", 16, 9)
    grid = figure.add_gridspec(max(len(terms), 1), 2 if terms else 1, width_ratios=[2, 1] if terms else None)
    axes = new_axes(figure, grid[:, 0], "Loss", "epoch", f"loss ({unit})" if unit else "loss")
    size = 5 if history.epochs <= 50 else 0
    axes.plot(epochs, history.loss, "o-", markersize=size, linewidth=2, color=COLOURS[0], label="training, mean over the epoch")
    if history.validation:
        best = history.best
        axes.plot(epochs, history.validation, "s--", markersize=size, linewidth=2, color=COLOURS[2], label="validation")
        axes.plot(epochs[best], history.validation[best], "*", markersize=20, color=COLOURS[1], markeredgecolor="black",
                  label=f"best: {history.validation[best]:.5g}, epoch {epochs[best]}")
    whole_epochs(axes, history.epochs)
    legend_above(axes)
    for index, (name, values) in enumerate(terms.items()):
        term = new_axes(figure, grid[index, 1], f"Term: {name}", "epoch", unit or "")
        term.plot(epochs, values, "o-", markersize=size, linewidth=2, color=COLOURS[(4, 6, 8)[index % 3]])
        whole_epochs(term, history.epochs)
    return figure


def reconstructions(model, x, image_shape, n=100):
    """The first n images of x beside what the model makes of them, on one grey scale, both pages in the same order.

    x: (N, D) in [0, 1]; image_shape: (rows, columns) with rows * columns = D. ValueError where they do not fit.
    """
    check_size("reconstructions: n", n)
    require("reconstructions", model, "reconstruct", "an Autoencoder or a VAE")
    check_data("reconstructions: x", x, model.encoder.n_in, model.dtype)
    check_image("reconstructions", image_shape, x.shape[1], "x has")
    originals = x[:n]
    figure = new_figure("What the right page has lost of the left one, the code does not hold.", 16, 9)
    pages = figure.add_gridspec(1, 2)
    show_images(new_axes(figure, pages[0], "Originals, as the model sees them"), originals, image_shape, n)
    show_images(new_axes(figure, pages[1], "Reconstructions"), model.reconstruct(originals), image_shape, n)
    return figure


def denoised(model, x, image_shape, n=8, rng=None):
    """Three rows: the first n images of x, what the model's corruption makes of them, and what the model makes of that.

    model: an Autoencoder or a VAE with a corruption; x: (N, D) in [0, 1]. ValueError for a model without one, or images that do not fit.
    """
    check_size("denoised: n", n)
    require("denoised", model, "reconstruct", "an Autoencoder or a VAE")
    check_data("denoised: x", x, model.encoder.n_in, model.dtype)
    check_image("denoised", image_shape, x.shape[1], "x has")
    corruption = getattr(model, "corruption", None)
    if corruption is None:
        raise ValueError("denoised: the model must have a corruption, such as MaskingNoise(0.3), got none")
    clean = x[:n]
    seen = corruption.apply(clean, corruption.draw(clean, np.random.default_rng(rng)))
    figure = new_figure("The network has seen the middle row only; the lower one is its answer, to be compared with the upper.", 16, 9)
    rows = {"x": clean, f"x with {corruption!r}": seen, "what the model makes of it": model.reconstruct(seen)}
    for place, (title, images) in zip(figure.add_gridspec(3, 1), rows.items()):
        axes = new_axes(figure, place, title)
        page = np.full((image_shape[0], len(images) * (image_shape[1] + 1)), np.nan)
        for k, image in enumerate(images):
            page[:, k * (image_shape[1] + 1):(k + 1) * (image_shape[1] + 1) - 1] = image.reshape(image_shape)
        axes.imshow(np.ma.masked_invalid(page), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    return figure


def activity(model, x, labels, n=100):
    """The mean activity |z_j| of the n most active units of the code for each class: a map of who answers to what.

    x (N, D), labels (N,) whole numbers. Each unit is divided by its own largest mean, so that weak ones can be seen too.
    ValueError where they do not fit.
    """
    check_size("activity: n", n)
    require("activity", model, "encode", "an Autoencoder or a VAE")
    check_data("activity: x", x, model.encoder.n_in, model.dtype)
    labels = check_labels("activity", labels, len(x))
    z, classes = np.abs(model.encode(x)), np.unique(labels)
    means = np.stack([z[labels == k].mean(axis=0) for k in classes])
    largest = means.max(axis=0)
    order = np.argsort(-largest, kind="stable")[:n]
    order = order[np.argsort(means[:, order].argmax(axis=0), kind="stable")]             # units of the same class side by side
    share = means[:, order] / np.where(largest[order] == 0, 1, largest[order])
    figure = new_figure("A column with one bright cell is a unit that answers to one class; bright all over, to everything.", 16, 9)
    axes = new_axes(figure, figure.add_gridspec()[0], f"{len(order)} of {z.shape[1]} units of the code",
                    "unit, sorted by its class", "class")
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_yticks(np.arange(len(classes)), classes)
    bar = figure.colorbar(image, ax=axes)
    bar.set_label("mean |z|, in units of its largest", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TICKS)
    return figure


def samples(model, image_shape, rng=None, n=100):
    """n images that the model dreams up: z ~ N(0, I), then the mean of p(x|z). For a VAE.

    image_shape: (rows, columns). TypeError for a model without a prior, ValueError for images of another size.
    """
    check_size("samples: n", n)
    require("samples", model, "sample", "a VAE")
    images = model.sample(n, rng)
    check_image("samples", image_shape, images.shape[1], "the model gives")
    figure = new_figure("Each image is E[x|z] of a code z drawn from N(0, I): none of them is in the data.", 10, 9)
    show_images(new_axes(figure, figure.add_gridspec()[0], "Samples from the prior"), images, image_shape, n)
    return figure


def code_map(model, x, labels=None, limit=5000):
    """Where the encoder puts each row of x: its code as a point, coloured by class, the class's name at the median.

    x: (N, D); labels: (N,) whole numbers, or None. Of more than `limit` rows, so many are shown, evenly spread over x; of a
    code with more than two dimensions, the two with the largest variance over them. Names that would cover each other are
    moved, with a line to the median. After ten classes the colours repeat.
    ValueError for a code of one dimension or labels that do not fit.
    """
    check_size("code_map: limit", limit)
    require("code_map", model, "encode", "an Autoencoder or a VAE")
    check_data("code_map: x", x, model.encoder.n_in, model.dtype)
    labels = check_labels("code_map", labels, len(x))
    rows = np.linspace(0, len(x) - 1, min(limit, len(x))).round().astype(int)
    code = model.encode(x[rows])
    K = code.shape[1]
    if K < 2:
        raise ValueError(f"code_map: the code must have at least 2 dimensions, got {K}")
    i, j = np.sort(np.argsort(-code.var(axis=0), kind="stable")[:2])
    see = "Inputs the encoder finds alike lie together"
    see += "." if K == 2 else f" (the two of {K} dimensions that vary most)."
    figure = new_figure(see, 10.5, 9)
    axes = new_axes(figure, figure.add_gridspec()[0], f"The code of {len(rows)} inputs", f"$z_{{{i + 1}}}$", f"$z_{{{j + 1}}}$")
    axes.set_aspect("equal", adjustable="datalim")
    if labels is None:
        axes.scatter(code[:, i], code[:, j], s=14, color=COLOURS[0], alpha=0.6, linewidth=0)
    else:
        show_classes(axes, code[:, [i, j]], labels[rows])
    return figure


def manifold(model, image_shape, n=20, x=None):
    """What the decoder makes of n x n codes spread over a 2-D code: the surface in pixel space that the model has learnt.

    The codes are the quantiles 0.5/n, 1.5/n, ... of the prior in each direction (through the inverse normal cdf), so that each
    image stands for the same share of it; of a mixture, of the Gaussian that has its mean and spread. An Autoencoder has no prior: pass data x (N, D), and the grid is moved and
    stretched to the mean and standard deviation of their codes. ValueError unless the code has 2 dimensions and images fit.
    """
    check_size("manifold: n", n)
    require("manifold", model, "decode", "an Autoencoder or a VAE")
    if model.decoder.n_in != 2:
        raise ValueError(f"manifold: the code must have 2 dimensions, got {model.decoder.n_in}")
    mean, sigma, see = *extent(model), "the codes are quantiles of the prior"
    if x is not None:
        code = model.encode(x)
        mean, sigma, see = code.mean(axis=0), code.std(axis=0), "the grid lies where the codes of the data are"
    z1, z2 = mean[:, None] + sigma[:, None] * quantiles(n)
    images = model.decode(plane(z1, z2).astype(model.dtype))
    check_image("manifold", image_shape, images.shape[1], "the model gives")
    figure = new_figure(f"Each image is a decoded code; {see}.", 10, 9)
    axes = new_axes(figure, figure.add_gridspec()[0], f"What {n} x {n} codes stand for", "$z_1$", "$z_2$")
    show_images(axes, images, image_shape, n * n)
    shown = np.unique(np.linspace(0, n - 1, min(n, 8)).round().astype(int))
    rows, columns = image_shape
    axes.set_xticks(1 + (columns - 1) / 2 + shown * (columns + 1), [signed(z1[k]) for k in shown])
    axes.set_yticks(1 + (rows - 1) / 2 + (n - 1 - shown) * (rows + 1), [signed(z2[k]) for k in shown])
    return figure


def filters(dense, image_shape, n=100):
    """The incoming weights of a first layer's units as images, the n with the largest norm, strongest first.

    dense: a Dense whose inputs are pixels, such as `model.encoder.layers[0]`; image_shape: (rows, columns). Each image is
    divided by its own largest |w|: colours compare within a filter, not between two. TypeError for another layer, ValueError
    for images of another size.
    """
    check_size("filters: n", n)
    if not isinstance(dense, Dense):
        raise TypeError(f"filters: expected a Dense layer, got {type(dense).__name__}")
    check_image("filters", image_shape, dense.n_in, "the layer takes")
    norms = np.linalg.norm(dense.W, axis=0)
    strongest = np.argsort(-norms, kind="stable")[:n]
    W = dense.W.T[strongest]
    largest = np.abs(W).max(axis=1, keepdims=True)
    W = W / np.where(largest == 0, 1, largest)
    figure = new_figure("Bright pixels under purple raise a unit's activation, under orange they lower it.", 10.5, 9)
    axes = new_axes(figure, figure.add_gridspec()[0], f"Incoming weights of {len(W)} of {dense.n_out} units, strongest first")
    image = show_images(axes, W, image_shape, len(W), "PuOr", -1, 1)
    axes.set_facecolor("0.8")                                                # white is a weight of zero, so the gaps are grey
    bar = figure.colorbar(image, ax=axes, ticks=[-1, 0, 1], shrink=0.8)
    bar.set_label("weight, in units of its filter's largest |weight|", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TICKS)
    return figure


def regression(model, x, t):
    """The points (x_n, t_n) and the curve the model has fitted to them. x, t: (N, 1), each in its own unit.

    ValueError or TypeError for data of another shape or dtype.
    """
    require("regression", model, "predict", "a Regression")
    check_data("regression: x", x, 1, model.dtype)
    check_data("regression: t", t, 1, model.dtype)
    if len(t) != len(x):
        raise ValueError(f"regression: t must have as many rows as x, {len(x)}, got {len(t)}")
    line = np.linspace(x.min(), x.max(), 500, dtype=model.dtype)[:, None]
    figure = new_figure("A good fit follows the trend of the points and leaves their noise alone.", 16, 9)
    axes = new_axes(figure, figure.add_gridspec()[0], "Regression", "input x", "target t")
    axes.plot(x[:, 0], t[:, 0], "o", markersize=8, color=COLOURS[0], alpha=0.7, label=f"data, {len(x)} points")
    axes.plot(line[:, 0], model.predict(line)[:, 0], "-", linewidth=3, color=COLOURS[2], label="model")
    legend_above(axes)
    return figure


def gradient_check(report):
    """Each checked element's numerical gradient against yours, and the Taylor test beside it where the report has one.

    report: of a gradient check; its rows of single terms of the loss are left out. The axes are logarithmic on both sides of
    zero, so that a wrong factor is the same distance from the line everywhere, and linear close to it. Of the elements that
    disagree, the one is named that is the most error bars off. ValueError for a report without a checked element.
    """
    rows = [row for row in report.rows if row["term"] is None and len(row["values"]["index"]) > 0]
    if not rows:
        raise ValueError("gradient_check: the report must have at least one checked element, got none")
    keys = ("index", "yours", "numerical", "error", "verdict")
    every = {key: np.concatenate([row["values"][key] for row in rows]) for key in keys}
    every["row"] = np.repeat(np.arange(len(rows)), [len(row["values"]["index"]) for row in rows])
    finite = np.isfinite(every["yours"]) & np.isfinite(every["numerical"])
    elements = {key: values[finite] for key, values in every.items()}
    wrong = np.flatnonzero(elements["verdict"] == 1)
    see = "Nothing here disagrees, yet the check has not passed: print the report to see why."
    if report.ok:
        see = "Backward is right: all points that can be judged lie on the line."
    elif len(wrong):
        see = "Backward is wrong at the crosses: what it gives there is not the slope of the loss."
    figure = new_figure(see, 16 if report.taylor else 10, 9)
    grid = figure.add_gridspec(1, 2 if report.taylor else 1)
    axes = new_axes(figure, grid[0], f"{report.name}: gradient of {len(finite)} element{'s' * (len(finite) > 1)}")
    show_gradients(axes, elements, np.sum(~finite))
    if len(wrong):
        gap = np.abs(elements["yours"] - elements["numerical"]) / (np.nan_to_num(elements["error"]) + 1e-300)
        name_worst(axes, elements, wrong[np.argmax(gap[wrong])], rows)
    if report.taylor:
        axes = new_axes(figure, grid[1], "Taylor test along a direction v", "step h", "change of the loss")
        show_taylor(axes, report.taylor, report.ok, np.any(every["verdict"] == 3))
    return figure


def network(network):
    """A network as the slides draw it: circles for the units, arrows for the weights, from the inputs on the left ([000]).

    network: a layer, a Sequential, or a model with networks in it. Of more than 8 units in a layer the first and last three
    are drawn. Where all are drawn, so are the constants 1, whose arrows are the biases; where they are few, the weights are
    written on the arrows. TypeError for what has no network, ValueError when no layer has a fixed width.
    """
    columns = columns_of(network)
    widest, last = max(column["n"] for column in columns), len(columns) - 1
    for column, following in zip(columns, columns[1:]):
        if widest <= 8 and following["learnt"]:
            column["rows"] = [-1] + column["rows"]                           # W[-1] holds the biases
    see = "Circles are units, arrows are weights, as wide as |w|. Those that come from a 1 are the biases."
    if widest > 8:
        see = "Circles are units, arrows are weights, as wide as |w|. The constant 1 is not depicted, but you always need it."
    figure = new_figure(see, 16, 9)
    axes = new_axes(figure, figure.add_gridspec()[0], f"{type(network).__name__}: {network.w.size} parameters")
    height = max(len(column["rows"]) for column in columns)
    radius = min(26, 180 / height, 430 / len(columns))                       # of a circle, in points
    show_weights(axes, columns, radius, numbers=widest <= 3 and last <= 5)
    for k, column in enumerate(columns):
        for unit, (x, y) in zip(column["rows"], places(k, column["rows"])):
            face = "white" if unit == -1 else "0.9" if k == 0 else "#fff1d6"
            if unit is not None:
                axes.plot(x, y, "o", markersize=2 * radius, color=face, markeredgecolor="0.2", markeredgewidth=1.5)
            axes.text(x, y, unit_name(column, unit), fontsize=TICKS, ha="center", va="center")
    labels = [f"{', '.join(column['letters'])}{column['formula']}\n{column['n']} "
              + ("unit" if k else "input") + "s" * (column["n"] > 1) for k, column in enumerate(columns)]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    axes.set_xticks(range(last + 1), labels, fontsize=TEXT, rotation=90 if len(columns) * longest > 125 else 0)
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set(xlim=(-0.4, last + 0.4), ylim=(-height / 2, height / 2))
    legend_above(axes)
    return figure


def moving_basis(model, snapshots, x, t, truth):
    """A film of a training: on the left the fit, on the right the hidden units h_j(x) that it is a weighted sum of.

    model: a Regression that ends in a Dense; snapshots: {epoch: w}, a frame each; x, t: (N, 1); truth: the function of x
    behind the data. Returns a FuncAnimation: `animation.save("basis.gif", writer="pillow")` makes a GIF of 800 x 450 pixels.
    ValueError or TypeError for another model, data that do not fit, or no snapshot.
    """
    require("moving_basis", model, "predict", "a Regression")
    model = copy.deepcopy(model)
    *hidden, last = model.network.leaves().values()
    if not (hidden and isinstance(last, Dense)):
        raise ValueError(f"moving_basis: the network must be hidden layers and a Dense, got {model.network!r}")
    if not (isinstance(snapshots, dict) and snapshots and all(np.isfinite(w).all() for w in snapshots.values())):
        raise ValueError(f"moving_basis: snapshots must be a dict of at least one {{epoch: w}} with finite w, got {repr(snapshots)[:60]}")
    check_data("moving_basis: x", x, 1, model.dtype)
    check_data("moving_basis: t", t, 1, model.dtype)
    line, frames = np.linspace(x.min(), x.max(), 300, dtype=model.dtype)[:, None], []
    for epoch, w in snapshots.items():
        model.w = w
        title = f"epoch {epoch}: loss {model.loss(x, t, training=False):.4f}"
        frames.append((title, model.predict(line), last.x))                  # the input of the last layer: h (300, M)
    figure = new_figure("Training moves the weights of the sum, and the units on the right that are summed.", 12, 6.75)
    figure.set_dpi(200 / 3)
    heading = figure.suptitle(frames[0][0], fontsize=TITLE)
    grid = figure.add_gridspec(1, 2)
    left = new_axes(figure, grid[0], "Fit", "input x", "target t")
    left.plot(x, t, "o", markersize=8, color=COLOURS[0], alpha=0.7, label="data")
    left.plot(line, truth(line), "--", linewidth=2, color="0.4", label="truth")
    right = new_axes(figure, grid[1], f"Its {frames[0][2].shape[1]} hidden units $h_j(x)$", "input x")
    curves = left.plot(line, frames[0][1], "-", linewidth=4, color=COLOURS[2], label="network")
    curves += [right.plot(line, h, ("-", "--", "-.")[j % 3], linewidth=2.5, color=COLOURS[j % 10])[0]
               for j, h in enumerate(frames[0][2].T)]
    legend_above(left)
    for axes, every in ((left, [t, truth(line)] + [y for _, y, _ in frames]), (right, [h for *_, h in frames])):
        low, high = min(y.min() for y in every), max(y.max() for y in every)
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        axes.locator_params(nbins=5)                                         # most of the time of a frame goes into its texts
    figure.canvas.draw()
    figure.set_layout_engine(None)                                           # all frames have the layout of the first

    def show(frame):
        title, y, h = frame
        heading.set_text(title)
        for curve, values in zip(curves, [y[:, 0], *h.T], strict=True):
            curve.set_ydata(values)

    return matplotlib.animation.FuncAnimation(figure, show, frames, interval=150)


class Recorder:
    """Writes down how a VAE with a 2-D code learns, epoch by epoch, for `learning_animation`: fit(..., callbacks=[recorder]).

    x (N, D) inputs to encode, held-out ones say, image_shape (rows, columns), labels (N,) whole numbers or None. After an epoch
    it keeps the codes of at most `limit` rows, evenly spread over x, the mean ELBO of these rows, and n x n decoded codes as
    `manifold` has them, in 16 grey levels. Of so many epochs that there would be more than `most`, it keeps every second,
    every fourth ..., and the last. `recorder.add(model, 0)` before the training begins the film with what chance has made.
    ValueError or TypeError for what does not fit together.
    """

    def __init__(self, x, image_shape, labels=None, n=10, most=50, limit=1000):
        for name, size in (("n", n), ("most", most), ("limit", limit)):
            check_size(f"Recorder: {name}", size)
        check_data("Recorder: x", x, None, getattr(x, "dtype", None))
        check_image("Recorder", image_shape, x.shape[1], "x has")
        labels = check_labels("Recorder", labels, len(x))
        rows = np.linspace(0, len(x) - 1, min(limit, len(x))).round().astype(int)
        self.x, self.labels = x[rows], None if labels is None else labels[rows]
        self.image_shape, self.n, self.most, self.every = image_shape, n, most, 1
        self.kept, self.last = {}, {}                    # {epoch: (codes, ELBO, page)}

    def __call__(self, model, history, optimizer):
        """What fit calls after each epoch."""
        self.add(model, history.epochs)

    def add(self, model, epoch):
        """Write down the model's state at the end of this epoch."""
        require("Recorder", model, "elbo", "a VAE")
        if model.decoder.n_in != 2:
            raise ValueError(f"Recorder: the code must have 2 dimensions, got {model.decoder.n_in}")
        mean, sigma = extent(model)
        images = model.decode(plane(*(mean[:, None] + sigma[:, None] * quantiles(self.n))).astype(model.dtype))
        page = tile(np.clip(images, 0, 1) * 15, self.image_shape, self.n**2)
        page = page.round().filled(15).astype(np.uint8)                          # few grey levels make a small file
        self.last = {epoch: (model.encode(self.x), float(model.elbo(self.x, rng=0).mean()), page)}
        if epoch % self.every == 0:
            self.kept |= self.last
        while len(self.kept) > self.most:
            self.every *= 2
            self.kept = {epoch: frame for epoch, frame in self.kept.items() if epoch % self.every == 0}


def learning_animation(recorder):
    """A film of the learning process of a VAE with a 2-D code ([000]): its codes, its manifold, its ELBO, a frame per epoch.

    recorder: a Recorder that was called while the model was trained. Returns a FuncAnimation:
    `animation.save("learning.gif", writer="pillow")` makes a GIF of 960 x 540 pixels, which stays at its last frame for a second.
    ValueError for a recorder that has seen nothing.
    """
    if not isinstance(recorder, Recorder):
        raise TypeError(f"learning_animation: expected a Recorder, got {type(recorder).__name__}")
    frames = recorder.kept | recorder.last
    if not frames:
        raise ValueError("learning_animation: the recorder must have seen at least one epoch, got none")
    epochs, bounds = list(frames), [bound for _, bound, _ in frames.values()]
    first, _, page = frames[epochs[0]]
    figure = new_figure("Learning spreads the codes over N(0, I), dashed at σ and 2 σ, and parts those of different inputs.", 12, 6.75)
    figure.set_dpi(80)
    grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1], height_ratios=[2.8, 1])
    left = new_axes(figure, grid[:, 0], f"Epoch {epochs[-1]}: codes of {len(recorder.x)} inputs", "$z_1$", "$z_2$")
    edge = max(2.2, *(1.1 * np.quantile(np.abs(codes), 0.995) for codes, *_ in frames.values()))
    left.set(xlim=(-edge, edge), ylim=(-edge, edge))
    left.set_aspect("equal")
    left.locator_params(nbins=5)                                             # most of the time of a frame goes into its texts
    for radius in (1, 2):
        left.add_patch(matplotlib.patches.Circle((0, 0), radius, fill=False, linestyle="--", linewidth=1.5, edgecolor="0.4"))
    labels = np.zeros(len(first), int) if recorder.labels is None else recorder.labels
    classes = [np.flatnonzero(labels == name) for name in np.unique(labels)]
    outline = [patheffects.withStroke(linewidth=4, foreground="white")]
    points, names = [], []
    for k, rows in enumerate(classes):
        colour = COLOURS[k % len(COLOURS)]
        points += left.plot(*first[rows].T, "os^dvPX<>*"[k % 10], markersize=4.5, markeredgewidth=0, color=colour, alpha=0.8)
        name = "" if recorder.labels is None else str(labels[rows[0]])
        names.append(left.text(0, 0, name, fontsize=20, weight="bold", ha="center", va="center", path_effects=outline, clip_on=True,
                               color=np.array(matplotlib.colors.to_rgb(colour)) * 0.65))
    right = new_axes(figure, grid[0, 1], "What the plane of codes stands for")
    image = right.imshow(page, cmap="gray", vmin=0, vmax=15, interpolation="nearest")
    right.set_xticks([])
    right.set_yticks([])
    right.spines[:].set_visible(False)
    below = new_axes(figure, grid[1, 1], "", "epoch", "ELBO (nats)")
    curve, = below.plot(epochs, bounds, "o-", markersize=3, linewidth=2, color=COLOURS[2])
    whole_epochs(below, max(epochs[-1], 1))
    low, high = min(bounds[1:] or bounds), max(bounds)                       # what chance has made may lie far below
    below.set(xlim=(epochs[0] - 0.5, epochs[-1] + 0.5), ylim=(low - 0.1 * (high - low) - 0.5, high + 0.1 * (high - low) + 0.5))
    below.locator_params(axis="y", nbins=3)
    figure.canvas.draw()
    figure.set_layout_engine(None)                                           # all frames have the layout of the last

    def show(epoch):
        codes, _, page = frames[epoch]
        left.title.set_text(f"Epoch {epoch}: codes of {len(codes)} inputs")
        places = keep_apart(np.stack([densest_point(codes[rows[:100]]) for rows in classes]), 0.12 * edge)
        for rows, line, name, place in zip(classes, points, names, places, strict=True):
            line.set_data(*codes[rows].T)
            name.set_position(place)
        image.set_data(page)
        curve.set_data(epochs[:epochs.index(epoch) + 1], bounds[:epochs.index(epoch) + 1])

    return matplotlib.animation.FuncAnimation(figure, show, epochs + 4 * epochs[-1:], interval=200)


def columns_of(network):
    """The columns of units that `network` draws, from left to right, each as `new_column` makes it."""
    if not isinstance(network, (Layer, Model)):
        raise TypeError(f"network: expected a layer, a network or a model, got {type(network).__name__}")
    leaves = {name: leaf for name, leaf in network.leaves().items() if isinstance(leaf, Layer)}
    widths = [leaf.n_in for leaf in leaves.values() if leaf.n_in is not None]
    if not widths:
        raise ValueError(f"network: at least one layer must have a fixed width, got {network!r}")
    columns, coded = [new_column("x", "", np.zeros((1, widths[0])))], False
    for name, leaf in leaves.items():
        if name.startswith("decoder") and not coded:
            coded = True
            columns += end_of_encoder(columns.pop(), getattr(network, "posterior", None))
        if leaf.n_out is None:
            if len(columns) == 1:
                columns[0]["letters"] = ["h"]
            phi = PHI.get(type(leaf).__name__, type(leaf).__name__)
            columns[-1]["formula"] = f" = {phi}({columns[-1]['formula'][3:] or 'x'})"
        elif hasattr(leaf, "b"):
            W = leaf.dense.W.T if isinstance(leaf, TiedDense) else leaf.W
            columns.append(new_column("h", " = a", np.vstack([W, leaf.b])))
        else:
            W = np.vstack([np.ones((columns[-1]["n"], leaf.n_out)), np.zeros(leaf.n_out)])
            columns.append(new_column("φ", f" = {type(leaf).__name__}({columns[-1]['letters'][0]})", W, learnt=False))
    columns[-1]["letters"] = ["o"]
    return columns


def end_of_encoder(column, posterior):
    """The column or columns of the code: z, or the parameters of q(z|x) and the z drawn from it."""
    if posterior is None:
        return [column | {"letters": ["z"]}]
    one = np.eye(posterior.d)
    z = new_column("z", " = μ + σ ε", np.vstack([one, one, 0 * one[:1]]), learnt=False, most=4)
    halves = z["rows"] + [row if row is None else row + posterior.d for row in z["rows"]]
    return [column | {"letters": ["μ", "log σ²"], "formula": "", "rows": halves}, z]


def new_column(letter, formula, W, learnt=True, most=8):
    """n units that the weights W (n_in + 1, n), biases last, lead to. rows: those to be drawn, at most `most`; None for dots."""
    n, ends = W.shape[1], most // 2 - 1
    rows = list(range(n)) if n <= most else [*range(ends), None, *range(n - ends, n)]
    return {"n": n, "letters": [letter], "formula": formula, "W": W, "learnt": learnt, "rows": rows}


def unit_name(column, unit):
    """What stands in a circle: a letter and the number of the unit, 1 for the constant; dots for what is left out."""
    if unit is None or unit == -1:
        return "1" if unit else "\N{VERTICAL ELLIPSIS}"
    each = column["n"] // len(column["letters"])
    return f"{column['letters'][unit // each]}$_{{{unit % each + 1}}}$".replace("²$", "$^2")       # one above the other


def places(k, rows):
    """Where the k-th column has its rows, (x, y) each, one apart."""
    return [np.array([k, (len(rows) - 1) / 2 - row]) for row in range(len(rows))]


def show_weights(axes, columns, radius, numbers):
    """The arrows from column to column, small weights first; numbers: write the weights on them."""
    arrows = []
    for k, (column, following) in enumerate(zip(columns, columns[1:])):
        along = 1 / (1 + len(following["rows"]) - (following["rows"][0] == -1))      # so far along, no number meets another
        arrows += [(following["W"][i, j], following["learnt"], start, end, start + along * (end - start))
                   for i, start in zip(column["rows"], places(k, column["rows"])) if i is not None
                   for j, end in zip(following["rows"], places(k + 1, following["rows"])) if j not in (None, -1)]
    arrows = sorted([arrow for arrow in arrows if arrow[0] or arrow[1]], key=lambda arrow: abs(arrow[0]))
    largest = max([abs(w) for w, learnt, *_ in arrows if learnt], default=0) or 1.0
    widest = {}
    for w, learnt, start, end, place in arrows:
        kind = ("w < 0" if w < 0 else "w ≥ 0") if learnt else "fixed"
        style, colour = ARROWS[kind]
        width = 0.6 + 4.4 * abs(w) / largest if learnt else 1.5
        widest[kind] = f"{kind}, widest {w:.3g}".replace("-", "\N{MINUS SIGN}") if learnt else kind, width
        axes.add_patch(matplotlib.patches.FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=8 + 2 * width,
                                                          color=colour, linewidth=width, linestyle=style, shrinkA=radius,
                                                          shrinkB=radius))
        if numbers and learnt:
            axes.text(*place, signed(w), fontsize=TICKS, ha="center", va="center",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    for kind in [kind for kind in ARROWS if kind in widest]:
        (style, colour), (label, width) = ARROWS[kind], widest[kind]
        axes.plot([], [], style, color=colour, linewidth=width, label=label)


def new_figure(caption, width, height):
    """An empty figure of width x height inches, white, with a sentence below that says what to see."""
    figure = plt.figure(figsize=(width, height), dpi=DOTS, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
    figure.supxlabel(textwrap.fill(caption, round(8.5 * width)), fontsize=TEXT, style="italic", color="0.25")
    return figure


def new_axes(figure, place, title, xlabel="", ylabel=""):
    """Axes in a cell of the figure's grid, with texts that can be read when projected."""
    axes = figure.add_subplot(place)
    axes.set_title(title, fontsize=TITLE, pad=12)
    axes.set_xlabel(xlabel, fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT)
    axes.tick_params(labelsize=TICKS)
    axes.yaxis.get_offset_text().set_fontsize(TICKS)                         # such as "1e6"
    return axes


def legend_above(axes):
    """The title on the left, the legend beside it, above the curves: it covers none of them."""
    title = axes.get_title()
    axes.set_title("")
    axes.set_title(title, loc="left", fontsize=TITLE, pad=12)
    axes.legend(fontsize=TICKS, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)


def legend_below_title(axes):
    """The title on the left, the legend in two lines between it and the axes: for panels too narrow for both in one."""
    title, entries = axes.get_title(), len(axes.get_legend_handles_labels()[0])
    axes.set_title("")
    axes.set_title(title, loc="left", fontsize=TITLE, pad=56)
    axes.legend(fontsize=TICKS, loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=math.ceil(entries / 2), frameon=False,
                columnspacing=1.5)


def whole_epochs(axes, epochs):
    """A light grid, and whole numbers only on the axis of epochs."""
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, epochs + 0.5)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def show_images(axes, images, image_shape, n, colours="gray", low=0, high=1):
    """A square page of n images, (N, D): without ticks or frame."""
    image = axes.imshow(tile(images, image_shape, n), cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return image


def tile(images, image_shape, n):
    """Images (N, D), row by row, into one array of ceil(√n) columns with gaps of one pixel; gaps and empty cells are masked."""
    rows, columns = image_shape
    across = math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    page = np.full((down * (rows + 1) + 1, across * (columns + 1) + 1), np.nan)
    for k, image in enumerate(images):
        top, left = k // across * (rows + 1) + 1, k % across * (columns + 1) + 1
        page[top:top + rows, left:left + columns] = image.reshape(rows, columns)
    return np.ma.masked_invalid(page)


def extent(model):
    """Mean and standard deviation of each code number under the prior; 0 and 1 where there is no prior."""
    if hasattr(model, "prior"):
        return model.prior.extent()
    return np.zeros(model.decoder.n_in), np.ones(model.decoder.n_in)


def quantiles(n):
    """The quantiles 0.5/n, 1.5/n, ... of N(0, 1), (n,): each stands for the same share of the prior."""
    from scipy.special import ndtri

    return ndtri((np.arange(n) + 0.5) / n)


def plane(z1, z2):
    """Codes over a grid, (len(z2) len(z1), 2), row by row from the top: z1 rises to the right, z2 upwards."""
    return np.stack(np.meshgrid(z1, z2[::-1]), axis=-1).reshape(-1, 2)


def signed(value):
    """Two decimals, with a minus sign as long as Matplotlib's."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def show_gradients(axes, elements, lost):
    """Numerical against yours, the verdict as colour and marker, the few on top of the many; lost: how many are not finite."""
    low, high = signed_log(axes, elements)
    axes.plot([low, high], [low, high], "-", color="0.3", linewidth=1.5, label="yours = numerical")
    for verdict in (0, 2, 3, 1):
        name, marker, size, colour = VERDICTS[verdict]
        members = elements["verdict"] == verdict
        if members.any():
            axes.plot(elements["numerical"][members], elements["yours"][members], marker, markersize=size, color=colour,
                      markeredgecolor="white" if verdict else colour, label=f"{members.sum()} {name}")
    if lost:
        axes.plot([], [], " ", label=f"{lost} not finite")
    legend_below_title(axes)


def signed_log(axes, elements):
    """Two equal axes through zero, logarithmic from the smallest gradients on that stand out from their error. Their limits."""
    both = np.concatenate([elements["yours"], elements["numerical"], [0.0]])
    size = np.maximum(np.abs(elements["yours"]), np.abs(elements["numerical"]))
    largest = size.max(initial=0) or 1.0
    clear = (size > np.nan_to_num(elements["error"])) & (size > 1e-18 * largest)
    wrong = elements["verdict"] == 1
    others = np.sort(size[clear & ~wrong])
    smallest = min([largest, *size[clear & wrong], *others[len(others) // 100:]])           # one in a hundred may be smaller
    bottom, top = math.floor(math.log10(smallest)), math.floor(math.log10(largest))
    linear = min(1, (math.log10(largest) - bottom) / 5) or 1                 # the width of the linear part, in decades
    axes.set_xscale("symlog", linthresh=10.0**bottom, linscale=linear)
    axes.set_yscale("symlog", linthresh=10.0**bottom, linscale=linear)
    scale = axes.xaxis.get_transform()
    ends = scale.transform([both.min(), both.max()] if np.any(both) else [-1, 1])
    low, high = scale.inverted().transform(ends + np.ptp(ends) * np.array([-0.05, 0.05]))
    step = math.ceil((top - bottom + 1) / 4)
    far = 0.1 * (top + 1 - bottom + linear)                                  # from the label of zero
    powers = [power for power in range(top, bottom - 1, -step) if power - bottom + linear >= far]
    ticks = {sign * 10.0**k: f"${'-' * (sign < 0)}10^{{{k}}}$" for sign in (-1, 1) for k in powers} | {0.0: "0"}
    for axis, name in ((axes.xaxis, "numerical"), (axes.yaxis, "yours")):
        axis.set_ticks(list(ticks), list(ticks.values()))
        axis.set_ticks([], minor=True)
        axis.set_label_text(f"{name}: change of the loss per change of the element")
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    return low, high


def name_worst(axes, elements, worst, rows):
    """The name of an element and its two gradients where they cover the fewest points, tied to its own."""
    row, x, y = rows[elements["row"][worst]], elements["numerical"], elements["yours"]
    place = ", ".join(str(i) for i in np.unravel_index(elements["index"][worst], row["shape"]))
    name = f"worst: {row['array']}[{place}]" if place else f"worst: {row['array']}"
    values = f"yours {y[worst]:.7g}\nnumerical {x[worst]:.7g}".replace("-", "\N{MINUS SIGN}")
    width = 0.04 + 0.017 * max(len(name), 23)                                # of the text, about, in widths of the axes
    points = (axes.transData + axes.transAxes.inverted()).transform(np.stack([x, y], axis=1))
    spots = np.array([[0.02 + width / 2, 0.89], [0.5, 0.89], [0.5, 0.11], [0.98 - width / 2, 0.11]])
    covered = [np.sum(np.all(np.abs(points - spot) < [width / 2, 0.11], axis=1)) for spot in spots]
    best = min(range(4), key=lambda k: (covered[k], np.hypot(*(points[worst] - spots[k]))))
    axes.annotate(f"{name}\n{values}", (x[worst], y[worst]), spots[best], textcoords="axes fraction", fontsize=TEXT, ha="center",
                  va="center", bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "0.6"},
                  arrowprops={"arrowstyle": "-", "color": "0.2", "linewidth": 1.5, "shrinkB": 8})


def show_taylor(axes, taylor, ok, kinks):
    """What a step h changes, and what of that the gradient does not explain, on logarithmic axes; slopes 1 and 2; rounding."""
    order = np.argsort(taylor["h"])
    h, first, second = (np.asarray(taylor[key], dtype=float)[order] for key in ("h", "first", "second"))
    noise, values = taylor["noise"], np.concatenate([first, second])
    values = values[np.isfinite(values)]
    rounding = noise > 0 and values.min(initial=np.inf) < 3 * noise
    low = noise / 3000 if rounding else min(values[values > 0], default=1.0) / 3
    axes.set(xscale="log", yscale="log", ylim=(low, 30 * values.max(initial=low)))
    n = falls_as(h, second, noise)
    verdict = ": the gradient is right" if ok else ": right along this v" if n > 1 else ""
    if n == 1:
        verdict = ": a kink, or a wrong gradient" if kinks else ": the gradient is wrong"
    axes.plot(h, first, "o-", color=COLOURS[8], linewidth=2.5, markersize=8,
              label=f"$|f(w + hv) - f(w)|$  {in_words(falls_as(h, first, noise))}")
    axes.plot(h, second, "D-", color=COLOURS[6], linewidth=2.5, markersize=8,
              label=rf"$|f(w + hv) - f(w) - h\,g\cdot v|$  {in_words(n)}{verdict}")
    legend_below_title(axes)
    show_slope(axes, h, 1, 5 * max(first[-1], second[-1]), max(noise, low), -1)
    show_slope(axes, h, 2, second[-1] / 5, max(noise, low), 1)
    if rounding:
        axes.axhspan(low, noise, color="0.88", zorder=0)
        axes.text(0.98, 0.02, "rounding", transform=axes.transAxes, fontsize=TEXT, ha="right", va="bottom")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def show_slope(axes, h, slope, end, low, side):
    """The line that falls as h^slope from `end` at the largest h down to `low`, its name above (side -1) or below it (1)."""
    if not end > low:
        return
    left = max(h[0], h[-1] * (low / end)**(1 / slope))
    middle = math.sqrt(left * h[-1])
    axes.plot([left, h[-1]], [end * (left / h[-1])**slope, end], "--", color="0.3", linewidth=1)
    axes.annotate(f"slope {slope}", (middle, end * (middle / h[-1])**slope), (6 * side, -4 * side), fontsize=TICKS,
                  textcoords="offset points", ha="left" if side > 0 else "right", va="top" if side > 0 else "bottom")


def falls_as(h, values, noise):
    """n when the values fall as h^n, measured at the four smallest steps that rounding leaves alone; 0 where there are none."""
    clear = np.flatnonzero(np.isfinite(values) & (values > 10 * max(noise, 0)))[:4]
    if len(clear) < 2:
        return 0
    return max(round(np.polyfit(np.log(h[clear]), np.log(values[clear]), 1)[0]), 0)


def in_words(n):
    """Of a power of h."""
    return ("is rounding alone", "falls as h", "falls as h²")[n] if n < 3 else f"falls as $h^{n}$"


def densest_point(points):
    """Of points (N, 2) the one with a fifth of the others within the smallest distance. The median of two clusters is in neither."""
    distances = np.sort(((points[:, None] - points)**2).sum(axis=2), axis=1)
    return points[distances[:, len(points) // 5].argmin()]


def show_classes(axes, code, labels):
    """Points (N, 2), a colour and a marker per class, in the order of the data so that no class hides another; names on top."""
    classes, index = np.unique(labels, return_inverse=True)
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(classes))]
    markers = [MarkerStyle("os^dvPX<>*"[k % 10]) for k in range(len(classes))]
    shapes = [marker.get_path().transformed(marker.get_transform()) for marker in markers]
    axes.scatter(*code.T, s=26, c=[colours[k] for k in index], alpha=0.7, linewidth=0).set_paths([shapes[k] for k in index])
    densest = np.stack([densest_point(code[index == k][:500]) for k in range(len(classes))])
    widest = max(len(str(name)) for name in classes)
    places = keep_apart(densest, 0.03 * (1 + widest) * np.ptp(code, axis=0).max())
    outline = [patheffects.withStroke(linewidth=5, foreground="white")]
    for k, name in enumerate(classes):
        dark = np.array(matplotlib.colors.to_rgb(colours[k])) * 0.65         # the light ones cannot be read on white
        axes.plot([], [], linestyle="", marker=markers[k], markersize=10, color=colours[k], label=str(name))
        if np.any(places[k] != densest[k]):
            axes.plot(*np.stack([densest[k], places[k]]).T, "-", color=dark, linewidth=1.5)
        axes.text(*places[k], str(name), fontsize=22, weight="bold", color=dark, ha="center", va="center", path_effects=outline)
    axes.legend(title="class", title_fontsize=TEXT, fontsize=TICKS, loc="upper left", bbox_to_anchor=(1, 1), handlelength=1,
                ncols=math.ceil(len(classes) / 20))


def keep_apart(points, distance):
    """Points (C, 2) moved until no two are closer than distance, or 100 rounds have passed; the others stay where they are."""
    points = points.copy()
    for _ in range(100):
        for a in range(len(points)):
            for b in range(a):
                gap = points[a] - points[b]
                length = np.hypot(*gap)
                if length < distance:
                    away = gap / length if length > 0 else np.array([0.0, 1.0])
                    points[a] += away * (0.51 * distance - length / 2)
                    points[b] -= away * (0.51 * distance - length / 2)
    return points


def require(function, model, method, example):
    """TypeError unless the model can do what the figure shows."""
    if not hasattr(model, method):
        raise TypeError(f"{function}: the model must be {example}, got {type(model).__name__}")


def check_image(function, image_shape, pixels, where):
    """ValueError unless image_shape is (rows, columns) of so many pixels."""
    if np.shape(image_shape) != (2,):
        raise ValueError(f"{function}: image_shape must be (rows, columns), got {image_shape!r}")
    for size in image_shape:
        check_size(f"{function}: image_shape", size)
    product = math.prod(image_shape)
    if product != pixels:
        shape = f"({image_shape[0]}, {image_shape[1]})"
        raise ValueError(f"{function}: image_shape {shape} has {product} pixels, but {where} {pixels} features")


def check_labels(function, labels, n):
    """Labels as an array of n whole numbers, or None."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"{function}: labels must have shape ({n},), one for each row of x, got {labels.shape}")
    if labels.dtype.kind not in "biu":
        raise ValueError(f"{function}: labels must be whole numbers, got dtype {labels.dtype}")
    return labels
