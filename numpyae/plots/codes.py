"""Codes: where the encoder puts each input, and which units answer to which class."""

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator

from numpyae.plots.style import (COLOURS, MARKERS, TEXT, TICKS, choose_rows, class_name, colour_bar, new_panel,
                                 require)


def code_map(model, x, labels=None, limit=5000):
    """The code of each row of x as a point, coloured by class, the class's name where most of its points are.

    x: (N, D); labels: (N,) whole numbers, or None. Of more than `limit` rows, so many are shown, evenly spread over x.
    Of a code with more than two dimensions, the two with the largest variance are shown. Names that would cover each
    other are moved, with a line to their place. After ten classes the colours repeat. Where the model has a prior
    N(μ₀, σ₀²), circles show 1, 2 and 3 of its σ₀. ValueError for a code of one dimension or labels that do not fit.
    """
    require("code_map", model, "encode", x=x, limit=limit)
    x, labels = choose_rows("code_map", x, labels, limit)
    code = model.encode(x)
    K = code.shape[1]
    if K < 2:
        raise ValueError(f"code_map: the code must have at least 2 dimensions, got {K}")
    i, j = np.sort(np.argsort(-code.var(axis=0), kind="stable")[:2])
    which = f" (the two of {K} dimensions that vary most)" * (K > 2)
    mu, sigma = (np.broadcast_to(getattr(getattr(model, "prior", None), name, np.nan), K) for name in ("mu", "sigma"))
    circles = " Circles: 1, 2 and 3 σ of the prior." * bool(np.isfinite(mu).all())
    figure, axes = new_panel(f"Inputs the encoder finds alike lie together{which}.{circles}", 10.5,
                             f"The code of {len(x)} inputs", f"$z_{{{i + 1}}}$", f"$z_{{{j + 1}}}$")
    axes.set_aspect("equal", adjustable="datalim")
    show_classes(axes, code[:, [i, j]], labels)
    for k in (1, 2, 3) if circles else ():
        axes.add_artist(Ellipse((mu[i], mu[j]), 2 * k * sigma[i], 2 * k * sigma[j], fill=False, linestyle="--",
                               linewidth=1.5, edgecolor="0.35"))
    return figure


def unit_kl(kl):
    """Show the KL of each unit of a code in nats, a row for each unit, a column for each epoch: kl (epochs, d).

    The units are in the order of the last epoch. A unit whose row goes dark has collapsed: q(z_j|x) is the prior.
    ValueError unless kl has two axes.
    """
    kl = np.asarray(kl)
    if kl.ndim != 2 or not kl.size:
        raise ValueError(f"unit_kl: kl must have shape (epochs, units), got {kl.shape}")
    order = np.argsort(-kl[-1], kind="stable")
    figure, axes = new_panel("A row that goes dark is a unit that has collapsed: it says nothing about the input.", 12,
                             "The KL of each unit of the code", "epoch", "unit, the busiest first")
    image = axes.imshow(kl[:, order].T, cmap="cividis", vmin=0, aspect="auto", interpolation="nearest",
                        extent=(0.5, len(kl) + 0.5, kl.shape[1] + 0.5, 0.5))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    colour_bar(axes, image, "nats")
    return figure


def activity(model, x, labels, n=100):
    """The mean activity |z_j| of the n most active units of the code for each class.

    x (N, D), labels (N,) whole numbers. Each unit is divided by its own largest mean, so that weak ones can be seen
    too. ValueError where they do not fit.
    """
    require("activity", model, "encode", x=x, n=n)
    x, labels = choose_rows("activity", x, labels, len(x))
    z, classes = np.abs(model.encode(x)), np.unique(labels)
    means = np.stack([z[labels == k].mean(axis=0) for k in classes])
    largest = means.max(axis=0)
    order = np.argsort(-largest, kind="stable")[:n]
    order = order[np.argsort(means[:, order].argmax(axis=0), kind="stable")]    # units of a class side by side
    means = means[:, order] / np.where(largest[order] == 0, 1, largest[order])
    figure, axes = new_panel(
        "A column with one bright cell is a unit that answers to one class; bright all over, to everything.", 16,
        f"{len(order)} of {z.shape[1]} units of the code", "unit, sorted by its class", "class")
    image = axes.imshow(means, cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_yticks(np.arange(len(classes)), classes)
    colour_bar(axes, image, "mean |z|, in units of its largest")
    return figure


def show_classes(axes, code, labels=None):
    """Draw points (N, 2) with a colour and a marker for each class, and the names of the classes on top.

    The points come in the order of the data, so that no class hides another. Without labels all look alike.
    """
    if labels is None:
        axes.scatter(*code.T, s=14, color=COLOURS[0], alpha=0.6, linewidth=0)
        return
    classes, index = np.unique(labels, return_inverse=True)
    markers = [MarkerStyle(MARKERS[k % len(MARKERS)]) for k in range(len(classes))]
    shapes = [marker.get_path().transformed(marker.get_transform()) for marker in markers]
    axes.scatter(*code.T, s=26, c=[COLOURS[k % 10] for k in index], alpha=0.7, linewidth=0).set_paths(
        [shapes[k] for k in index])
    densest = np.stack([densest_point(code[index == k][:500]) for k in range(len(classes))])
    places = keep_apart(densest, 0.03 * (1 + max(len(str(name)) for name in classes)) * np.ptp(code, axis=0).max())
    for k, name in enumerate(classes):
        axes.plot([], [], linestyle="", marker=markers[k], markersize=10, color=COLOURS[k % 10], label=str(name))
        text = class_name(axes, places[k], str(name), k, 22)
        if np.any(places[k] != densest[k]):
            axes.plot(*np.stack([densest[k], places[k]]).T, "-", color=text.get_color(), linewidth=1.5)
    axes.legend(title="class", title_fontsize=TEXT, fontsize=TICKS, loc="upper left", bbox_to_anchor=(1, 1),
                handlelength=1, ncols=-(-len(classes) // 20))


def densest_point(points):
    """Return the point of (N, 2) with a fifth of the others within the smallest distance.

    The median of two clusters would lie in neither.
    """
    distances = np.sort(((points[:, None] - points)**2).sum(axis=2), axis=1)
    return points[distances[:, len(points) // 5].argmin()]


def keep_apart(points, distance):
    """Return points (C, 2) moved until no two are closer than distance, or for 100 rounds."""
    points = points.copy()
    for a, b in 100 * [(a, b) for a in range(len(points)) for b in range(a)]:
        gap = points[a] - points[b]
        length = np.hypot(*gap)
        if length < distance:
            away = gap / length if length > 0 else np.array([0.0, 1.0])
            points[[a, b]] += np.stack([away, -away]) * (0.51 * distance - length / 2)
    return points
