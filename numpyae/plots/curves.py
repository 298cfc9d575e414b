"""Curves: the loss against the epochs, and the function that a regression has fitted to its points."""

import numpy as np

from numpyae.checks import check_data, must
from numpyae.plots.style import COLOURS, legend_above, new_axes, new_figure, new_panel, require, whole_epochs


def learning_curve(history, unit=None):
    """Loss, validation and, where there are several, each term of the loss against the epochs.

    history: what `fit` returns; unit: of the loss, such as "nats per sample", for the axis. The terms add up to the
    loss and have a panel each, since their sizes differ. ValueError for a history without a whole epoch.
    """
    must(history.epochs > 0, "learning_curve: the history must have at least one whole epoch, got none")
    terms = history.terms if len(history.terms) > 1 else {}
    rising = "; where validation rises again, it learns the training data by heart" if history.validation else ""
    figure = new_figure(f"The loss falls while the model learns{rising}.", 16, 9)
    grid = figure.add_gridspec(max(len(terms), 1), 2 if terms else 1, width_ratios=[2, 1] if terms else None)
    axes = new_axes(figure, grid[:, 0], "Loss", "epoch", f"loss ({unit})" if unit else "loss")
    show_values(axes, history.loss, "o-", COLOURS[0], "training, mean over the epoch")
    if history.validation:
        show_values(axes, history.validation, "s--", COLOURS[2], "validation")
        epoch, lowest = history.best + 1, history.validation[history.best]
        axes.plot(epoch, lowest, "*", markersize=20, color=COLOURS[1], markeredgecolor="black",
                  label=f"best: {lowest:.5g}, epoch {epoch}")
    legend_above(axes)
    for index, (name, values) in enumerate(terms.items()):
        show_values(new_axes(figure, grid[index, 1], f"Term: {name}", "epoch", unit or ""), values, "o-",
                    COLOURS[(4, 6, 8)[index % 3]])
    return figure


def show_values(axes, values, style, colour, label=None):
    """Draw one value for each epoch, with markers where there are few."""
    axes.plot(np.arange(1, len(values) + 1), values, style, markersize=5 if len(values) <= 50 else 0, linewidth=2,
              color=colour, label=label)
    whole_epochs(axes, len(values))


def regression(model, x, t):
    """The points (x_n, t_n) and the curve the model has fitted to them. x, t: (N, 1), each in its own unit.

    ValueError or TypeError for data of another shape or dtype.
    """
    require("regression", model, "predict", "a Regression")
    check_data("regression: x", x, 1, model.dtype)
    check_data("regression: t", t, 1, model.dtype)
    must(len(t) == len(x), f"regression: t must have as many rows as x, {len(x)}, got {len(t)}")
    line = np.linspace(x.min(), x.max(), 500, dtype=model.dtype)[:, None]
    figure, axes = new_panel("A good fit follows the trend of the points and leaves their noise alone.", 16,
                             "Regression", "input x", "target t")
    axes.plot(x[:, 0], t[:, 0], "o", markersize=8, color=COLOURS[0], alpha=0.7, label=f"data, {len(x)} points")
    axes.plot(line[:, 0], model.predict(line)[:, 0], "-", linewidth=3, color=COLOURS[2], label="model")
    legend_above(axes)
    return figure
