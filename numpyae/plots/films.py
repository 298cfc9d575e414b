"""Films: how the hidden units of a regression move, and how the code of a VAE takes shape, while they are trained."""

import copy

import numpy as np
from matplotlib import animation, patches

from numpyae.checks import check_data, check_size, must
from numpyae.plots.codes import densest_point, keep_apart
from numpyae.plots.images import extent, plane, quantiles, show_page, tile
from numpyae.plots.networks import weights_of
from numpyae.plots.style import (COLOURS, MARKERS, TITLE, check_image, choose_rows, class_name, legend_above, new_axes,
                                 new_figure, require, whole_epochs)


def moving_basis(model, snapshots, x, t, truth):
    """A film of a training: on the left the fit, on the right the hidden units h_j(x) that it is a weighted sum of.

    model: a Regression that ends in a Dense; snapshots: {epoch: w}, a frame each; x, t: (N, 1); truth: the function of
    x behind the data. Returns a FuncAnimation: `animation.save("basis.gif", writer="pillow")` makes a GIF of 800 x 450
    pixels. ValueError or TypeError for another model, data that do not fit, or no snapshot.
    """
    require("moving_basis", model, "predict", "a Regression")
    model = copy.deepcopy(model)
    *hidden, last = model.network.leaves().values()
    must(hidden and weights_of(last) is not None,
         f"moving_basis: the network must be hidden layers and a Dense, got {model.network!r}")
    must(isinstance(snapshots, dict) and snapshots and all(np.isfinite(w).all() for w in snapshots.values()),
         "moving_basis: snapshots must be a dict of at least one {epoch: w} with finite w, "
         f"got {repr(snapshots)[:60]}")
    check_data("moving_basis: x", x, 1, model.dtype)
    check_data("moving_basis: t", t, 1, model.dtype)
    line, frames = np.linspace(x.min(), x.max(), 300, dtype=model.dtype)[:, None], []
    for epoch, w in snapshots.items():
        model.w = w
        frames.append((f"epoch {epoch}: loss {model.loss(x, t, training=False):.4f}", model.predict(line),
                       last.x))                          # the input of the last layer: h (300, M)
    return fit_and_basis(x, t, line, truth(line), frames)


def fit_and_basis(x, t, line, truth, frames):
    """Return the film of `moving_basis`. frames: (heading, fit y, hidden units h) each."""
    title, y, h = frames[0]
    figure = new_figure("Training moves the weights of the sum, and the units on the right that are summed.", 12, 6.75,
                        dpi=200 / 3)
    heading = figure.suptitle(title, fontsize=TITLE)
    grid = figure.add_gridspec(1, 2)
    left = new_axes(figure, grid[0], "Fit", "input x", "target t")
    left.plot(x, t, "o", markersize=8, color=COLOURS[0], alpha=0.7, label="data")
    left.plot(line, truth, "--", linewidth=2, color="0.4", label="truth")
    right = new_axes(figure, grid[1], f"Its {h.shape[1]} hidden units $h_j(x)$", "input x")
    curves = left.plot(line, y, "-", linewidth=4, color=COLOURS[2], label="network")
    for j, unit in enumerate(h.T):
        curves += right.plot(line, unit, ("-", "--", "-.")[j % 3], linewidth=2.5, color=COLOURS[j % 10])
    legend_above(left)
    for axes, every in ((left, [t, truth] + [y for _, y, _ in frames]), (right, [h for *_, h in frames])):
        low, high = min(y.min() for y in every), max(y.max() for y in every)
        axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        axes.locator_params(nbins=5)                     # most of the time of a frame goes into its texts
    figure.canvas.draw()
    figure.set_layout_engine(None)                       # all frames have the layout of this one

    def show(frame):
        title, y, h = frame
        heading.set_text(title)
        for curve, values in zip(curves, [y[:, 0], *h.T], strict=True):
            curve.set_ydata(values)

    return animation.FuncAnimation(figure, show, frames, interval=150)


class Recorder:
    """A callback that writes down how a VAE with a 2-D code learns: fit(..., callbacks=[recorder]).

    x (N, D) inputs to encode, held-out ones say, image_shape (rows, columns), labels (N,) whole numbers or None. After
    an epoch it keeps the codes of at most `limit` rows, evenly spread over x, the mean ELBO of these rows, and n x n
    decoded codes as `manifold` has them, in 16 grey levels. Of so many epochs that there would be more than `most`, it
    keeps every second, every fourth ..., and the last. `recorder.add(model, 0)` before the training begins the film
    with the untrained model. ValueError or TypeError for what does not fit together.
    """

    def __init__(self, x, image_shape, labels=None, n=10, most=50, limit=1000):
        for name, size in (("n", n), ("most", most), ("limit", limit)):
            check_size(f"Recorder: {name}", size)
        check_data("Recorder: x", x, None, getattr(x, "dtype", None))
        check_image("Recorder", image_shape, x.shape[1], "x has")
        self.x, self.labels = choose_rows("Recorder", x, labels, limit)
        self.image_shape, self.n, self.most, self.every = image_shape, n, most, 1
        self.kept, self.last = {}, {}                    # {epoch: (codes, ELBO, page)}

    def __call__(self, model, history, optimizer):
        """Write down the epoch that has ended: fit calls this."""
        self.add(model, history.epochs)

    def add(self, model, epoch):
        """Write down the model's state at the end of this epoch."""
        require("Recorder", model, "elbo", "a VAE", dimensions=2)
        mean, sigma = extent(model)
        images = model.decode(plane(*(mean[:, None] + sigma[:, None] * quantiles(self.n))).astype(model.dtype))
        page = tile(np.clip(images, 0, 1) * 15, self.image_shape, self.n**2)
        page = page.round().filled(15).astype(np.uint8)  # few grey levels make a small file
        self.last = {epoch: (model.encode(self.x), float(model.elbo(self.x, rng=0).mean()), page)}
        if epoch % self.every == 0:
            self.kept |= self.last
        while len(self.kept) > self.most:
            self.every *= 2
            self.kept = {epoch: frame for epoch, frame in self.kept.items() if epoch % self.every == 0}


def learning_animation(recorder):
    """A film of how a VAE with a 2-D code learns ([000]): codes, manifold and ELBO, a frame per epoch.

    recorder: a Recorder that was called while the model was trained. Returns a FuncAnimation:
    `animation.save("learning.gif", writer="pillow")` makes a GIF of 960 x 540 pixels, which stays at its last frame
    for a second. ValueError for a recorder that has seen nothing.
    """
    must(isinstance(recorder, Recorder),
         f"learning_animation: expected a Recorder, got {type(recorder).__name__}", TypeError)
    frames = recorder.kept | recorder.last
    must(frames, "learning_animation: the recorder must have seen at least one epoch, got none")
    epochs, bounds = list(frames), [bound for _, bound, _ in frames.values()]
    figure = new_figure("Learning spreads the codes over N(0, I), dashed at σ and 2 σ, and parts those of different "
                        "inputs.", 12, 6.75, dpi=80)
    grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1], height_ratios=[2.8, 1])
    left = new_axes(figure, grid[:, 0], f"Epoch {epochs[-1]}: codes of {len(recorder.x)} inputs", "$z_1$", "$z_2$")
    edge = max(2.2, *(1.1 * np.quantile(np.abs(codes), 0.995) for codes, *_ in frames.values()))
    first, _, page = frames[epochs[0]]
    classes, points, names = moving_codes(left, first, recorder.labels, edge)
    image = show_page(new_axes(figure, grid[0, 1], "What the plane of codes stands for"), page, high=15)
    below = new_axes(figure, grid[1, 1], "", "epoch", "ELBO (nats)")
    curve, = below.plot(epochs, bounds, "o-", markersize=3, linewidth=2, color=COLOURS[2])
    whole_epochs(below, max(epochs[-1], 1))
    low, high = min(bounds[1:] or bounds), max(bounds)   # the untrained model may lie far below
    reach = 0.1 * (high - low) + 0.5
    below.set(xlim=(epochs[0] - 0.5, epochs[-1] + 0.5), ylim=(low - reach, high + reach))
    below.locator_params(axis="y", nbins=3)
    figure.canvas.draw()
    figure.set_layout_engine(None)                       # all frames have the layout of this one

    def show(epoch):
        codes, _, page = frames[epoch]
        left.title.set_text(f"Epoch {epoch}: codes of {len(codes)} inputs")
        places = keep_apart(np.stack([densest_point(codes[rows[:100]]) for rows in classes]), 0.12 * edge)
        for rows, line, name, place in zip(classes, points, names, places, strict=True):
            line.set_data(*codes[rows].T)
            name.set_position(place)
        image.set_data(page)
        curve.set_data(epochs[:epochs.index(epoch) + 1], bounds[:epochs.index(epoch) + 1])

    return animation.FuncAnimation(figure, show, epochs + 4 * epochs[-1:], interval=200)


def moving_codes(axes, codes, labels, edge):
    """Draw codes (N, 2) by class, and circles of σ and 2 σ. Returns rows, points and name of each class."""
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal")
    axes.locator_params(nbins=5)                         # most of the time of a frame goes into its texts
    for radius in (1, 2):
        axes.add_patch(patches.Circle((0, 0), radius, fill=False, linestyle="--", linewidth=1.5, edgecolor="0.4"))
    labels = np.full(len(codes), "") if labels is None else labels.astype(str)
    classes = {str(name): np.flatnonzero(labels == name) for name in np.unique(labels)}
    points = [axes.plot(*codes[rows].T, MARKERS[k % len(MARKERS)], markersize=4.5, markeredgewidth=0,
                        color=COLOURS[k % 10], alpha=0.8)[0] for k, rows in enumerate(classes.values())]
    return list(classes.values()), points, [class_name(axes, (0, 0), name, k, 20, clip_on=True)
                                            for k, name in enumerate(classes)]
