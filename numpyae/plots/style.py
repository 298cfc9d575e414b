"""Parts of all figures: colours, sizes of text, captions, panels, legends; and checks of the arguments."""

import textwrap

import numpy as np
from matplotlib import colors, layout_engine, patheffects, pyplot as plt, ticker

from numpyae.checks import check_data, check_size, must

# Ten colours that stay apart under every colour vision deficiency: M. A. Petroff, "Accessible color sequences for data
# visualization", arXiv:2107.02270 (2021), the sequence of ten.
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
MARKERS = "os^dvPX<>*"                # for the first class, the second, …
TITLE, TEXT, TICKS = 18, 15, 13       # font sizes in points, to be read from the last row
DOTS = 100                            # per inch: a figure of 16 x 9 inches is 1600 x 900 pixels


def new_figure(caption, width, height, dpi=DOTS):
    """Return an empty figure of width x height inches, white, with a sentence below that says what to see."""
    figure = plt.figure(figsize=(width, height), dpi=dpi, facecolor="white",
                        layout=layout_engine.ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    figure.supxlabel(textwrap.fill(caption, round(8.5 * width)), fontsize=TEXT, style="italic", color="0.25")
    return figure


def new_axes(figure, place, title, xlabel="", ylabel=""):
    """Return axes in a cell of the figure's grid, with texts that can be read when projected."""
    with plt.rc_context({"axes.titlesize": TITLE, "axes.titlepad": 12, "axes.labelsize": TEXT,
                         "ytick.labelsize": TICKS}):
        axes = figure.add_subplot(place, title=title, xlabel=xlabel, ylabel=ylabel)
    axes.tick_params(labelsize=TICKS)
    return axes


def new_panel(caption, width, title, xlabel="", ylabel=""):
    """Return (figure, axes) of a figure with one panel, `width` x 9 inches."""
    figure = new_figure(caption, width, 9)
    return figure, new_axes(figure, figure.add_gridspec()[0], title, xlabel, ylabel)


def legend_above(axes, pad=12, **place):
    """Put the title on the left and the legend beside it, above the curves, so that it covers none of them.

    pad: of the title, in points; place: for the legend, another place than beside the title.
    """
    axes.set_title(axes.get_title(), loc="left", fontsize=TITLE)
    axes.set_title("", pad=pad)
    place = place or {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3}
    axes.legend(fontsize=TICKS, frameon=False, **place)


def legend_below_title(axes):
    """Put the title on the left and the legend, in two lines, below it: for panels too narrow for both in one line."""
    lines = len(axes.get_legend_handles_labels()[0])
    legend_above(axes, 56, loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=-(-lines // 2), columnspacing=1.5)


def light_grid(axes):
    """Draw a light grid below the curves."""
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def whole_epochs(axes, epochs):
    """Draw a light grid, and only whole numbers on the axis of epochs."""
    axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, epochs + 0.5)
    light_grid(axes)


def colour_bar(axes, image, label, **options):
    """Draw the scale of an image's colours beside its axes."""
    bar = axes.figure.colorbar(image, ax=axes, **options)
    bar.set_label(label, fontsize=TEXT)
    bar.ax.tick_params(labelsize=TICKS)


def signed(value, form=".2f"):
    """Return a number as text, with minus signs as long as Matplotlib's."""
    return format(value, form).replace("-", "\N{MINUS SIGN}")


def class_name(axes, place, name, k, size, **options):
    """Write the name of the k-th class at a place, in its colour, with a white outline. Returns the text."""
    dark = np.array(colors.to_rgb(COLOURS[k % 10])) * 0.65                   # the light ones cannot be read on white
    return axes.text(*place, name, fontsize=size, weight="bold", color=dark, ha="center", va="center",
                     path_effects=[patheffects.withStroke(linewidth=5, foreground="white")], **options)


def require(function, model, method, example="an Autoencoder or a VAE", x=None, image_shape=None, dimensions=None,
            **sizes):
    """Raise TypeError or ValueError unless the model can do what the figure shows, with the data that are given.

    method: of the model; example: of a model that has it. x must fit the model, and images of this shape must be in x.
    dimensions: of the code; sizes: whole numbers.
    """
    for name, size in sizes.items():
        check_size(f"{function}: {name}", size)
    must(hasattr(model, method), f"{function}: the model must be {example}, got {type(model).__name__}", TypeError)
    if dimensions is not None and model.decoder.n_in != dimensions:
        raise ValueError(f"{function}: the code must have {dimensions} dimensions, got {model.decoder.n_in}")
    if x is not None:
        check_data(f"{function}: x", x, model.encoder.n_in, model.dtype)
    if image_shape is not None:
        check_image(function, image_shape, x.shape[1], "x has")


def check_image(function, image_shape, pixels, where):
    """Raise ValueError unless image_shape is (rows, columns) of so many pixels."""
    must(np.shape(image_shape) == (2,), f"{function}: image_shape must be (rows, columns), got {image_shape!r}")
    for size in image_shape:
        check_size(f"{function}: image_shape", size)
    rows, columns = image_shape
    must(rows * columns == pixels,
         f"{function}: image_shape ({rows}, {columns}) has {rows * columns} pixels, "
         f"but {where} {pixels} features")


def choose_rows(function, x, labels, limit):
    """Return at most `limit` rows of x, evenly spread over it, and their labels, an array of whole numbers or None.

    ValueError for labels that do not fit.
    """
    rows = np.linspace(0, len(x) - 1, min(limit, len(x))).round().astype(int)
    if labels is None:
        return x[rows], None
    labels = np.asarray(labels)
    must(labels.shape == (len(x),),
         f"{function}: labels must have shape ({len(x)},), one for each row of x, got {labels.shape}")
    must(labels.dtype.kind in "biu", f"{function}: labels must be whole numbers, got dtype {labels.dtype}")
    return x[rows], labels[rows]
