"""Parts of all figures: colours, sizes of text, captions, panels, legends; and checks of the arguments."""

import math
import textwrap

import matplotlib.colors
import matplotlib.patheffects
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np

from numpyae.checks import check_data, check_size

# Ten colours that stay apart under every colour vision deficiency: M. A. Petroff, "Accessible color sequences for data
# visualization", arXiv:2107.02270 (2021), the sequence of ten.
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
MARKERS = "os^dvPX<>*"                # for the first class, the second, …
TITLE, TEXT, TICKS = 18, 15, 13       # font sizes in points, to be read from the last row
DOTS = 100                            # per inch: a figure of 16 x 9 inches is 1600 x 900 pixels


def new_figure(caption, width, height):
    """Return an empty figure of width x height inches, white, with a sentence below that says what to see."""
    figure = plt.figure(figsize=(width, height), dpi=DOTS, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
    figure.supxlabel(textwrap.fill(caption, round(8.5 * width)), fontsize=TEXT, style="italic", color="0.25")
    return figure


def new_axes(figure, place, title, xlabel="", ylabel=""):
    """Return axes in a cell of the figure's grid, with texts that can be read when projected."""
    axes = figure.add_subplot(place)
    axes.set_title(title, fontsize=TITLE, pad=12)
    axes.set_xlabel(xlabel, fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT)
    axes.tick_params(labelsize=TICKS)
    axes.yaxis.get_offset_text().set_fontsize(TICKS)                         # such as "1e6"
    return axes


def new_panel(caption, width, title, xlabel="", ylabel=""):
    """Return (figure, axes) of a figure with one panel, `width` x 9 inches."""
    figure = new_figure(caption, width, 9)
    return figure, new_axes(figure, figure.add_gridspec()[0], title, xlabel, ylabel)


def legend_above(axes):
    """Put the title on the left and the legend beside it, above the curves, so that it covers none of them."""
    legend(axes, 12, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)


def legend_below_title(axes):
    """Put the title on the left and the legend, in two lines, below it: for panels too narrow for both in one line."""
    columns = math.ceil(len(axes.get_legend_handles_labels()[0]) / 2)
    legend(axes, 56, loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=columns, columnspacing=1.5)


def legend(axes, pad, **place):
    """Move the title to the left, `pad` points above the axes, and draw a legend without a frame."""
    title = axes.get_title()
    axes.set_title("")
    axes.set_title(title, loc="left", fontsize=TITLE, pad=pad)
    axes.legend(fontsize=TICKS, frameon=False, **place)


def light_grid(axes):
    """Draw a light grid below the curves."""
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def whole_epochs(axes, epochs):
    """Draw a light grid, and only whole numbers on the axis of epochs."""
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, epochs + 0.5)
    light_grid(axes)


def without_frame(axes):
    """Take ticks and frame away."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def colour_bar(axes, image, label, **options):
    """Draw the scale of an image's colours beside its axes."""
    bar = axes.figure.colorbar(image, ax=axes, **options)
    bar.set_label(label, fontsize=TEXT)
    bar.ax.tick_params(labelsize=TICKS)


def minus(text):
    """Return the text with minus signs as long as Matplotlib's."""
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value):
    """Return two decimals, with a minus sign as long as Matplotlib's."""
    return minus(f"{value:.2f}")


def spread(n, limit):
    """Return the numbers of at most `limit` of n rows, evenly spread over them."""
    return np.linspace(0, n - 1, min(limit, n)).round().astype(int)


def colour_of(k):
    """Return the colour of the k-th class, counted from 0; after ten the colours repeat."""
    return COLOURS[k % len(COLOURS)]


def class_name(axes, place, name, k, size):
    """Write the name of the k-th class at a place, in its colour, with a white outline. Returns the text."""
    dark = np.array(matplotlib.colors.to_rgb(colour_of(k))) * 0.65           # the light ones cannot be read on white
    outline = [matplotlib.patheffects.withStroke(linewidth=5, foreground="white")]
    return axes.text(*place, name, fontsize=size, weight="bold", color=dark, ha="center", va="center",
                     path_effects=outline)


def require(function, model, method, example="an Autoencoder or a VAE"):
    """Raise TypeError unless the model can do what the figure shows."""
    if not hasattr(model, method):
        raise TypeError(f"{function}: the model must be {example}, got {type(model).__name__}")


def check_inputs(function, model, method, x, image_shape=None):
    """Raise ValueError or TypeError unless the model has the method, x fits the model, and the images are in x."""
    require(function, model, method)
    check_data(f"{function}: x", x, model.encoder.n_in, model.dtype)
    if image_shape is not None:
        check_image(function, image_shape, x.shape[1], "x has")


def check_image(function, image_shape, pixels, where):
    """Raise ValueError unless image_shape is (rows, columns) of so many pixels."""
    if np.shape(image_shape) != (2,):
        raise ValueError(f"{function}: image_shape must be (rows, columns), got {image_shape!r}")
    for size in image_shape:
        check_size(f"{function}: image_shape", size)
    product = math.prod(image_shape)
    if product != pixels:
        shape = f"({image_shape[0]}, {image_shape[1]})"
        raise ValueError(f"{function}: image_shape {shape} has {product} pixels, but {where} {pixels} features")


def check_labels(function, labels, n):
    """Return the labels as an array of n whole numbers, or None. ValueError for others."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"{function}: labels must have shape ({n},), one for each row of x, got {labels.shape}")
    if labels.dtype.kind not in "biu":
        raise ValueError(f"{function}: labels must be whole numbers, got dtype {labels.dtype}")
    return labels
