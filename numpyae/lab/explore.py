"""Explore: a window on the code of a trained model. Move the mouse over the code plane and see the decoded place.

On the left the plane of two code numbers, with the codes of held-out data where there are any; on the right the
decoded code, as an image, as a point where x is two numbers, else as a line. The other numbers of a longer code have
sliders.

    model = load_model("runs/FOLDER/checkpoint.npz")
    explorer = Explorer(model, (28, 28), data.x_test, data.y_test)
    explorer.move(0.5, -1)             # what the mouse does
    plt.show()

`python -m numpyae explore CHECKPOINT` does this, and finds the data of a run by itself.
"""

from pathlib import Path

import numpy as np
from matplotlib import backend_bases, backends, patches, pyplot as plt, widgets

from numpyae.checkpoints import load_model
from numpyae.checks import check_data, must
from numpyae.lab.runs import Run, labels_of, load_split
from numpyae.lab.settings import files_of, read_settings
from numpyae.plots import (COLOURS, TEXT, TICKS, TITLE, check_image, choose_rows, extent, light_grid, new_axes,
                           new_figure, show_classes, show_page, signed)

SLIDERS = 12                          # at the most: more do not fit
SHOWN = 2000                          # codes, at the most
REACH = 3.0                           # of sliders and of an empty plane, in standard deviations


class QuietSlider(widgets.Slider):
    """A slider that leaves the drawing to the window it is in."""

    drawon = False


class Explorer:
    """A window: `figure`, its axes `plane` and `picture`, `sliders` {dimension: Slider}, and `z` (d,), the code shown.

    model: with a decoder and a code of d >= 2 numbers, a VAE or an Autoencoder. image_shape: (rows, columns), None for
    data that are no images; x (N, D), labels (N,): data whose codes are drawn, or None. dims: which two numbers of the
    code, from 0, span the plane. Without them it is the two that change the decoded x most on their way from one
    standard deviation of the codes below their mean to one above (without x: those of the prior). The next 12 have
    sliders; the others stay at the mean. ValueError or TypeError for what does not fit.
    """

    def __init__(self, model, image_shape=None, x=None, labels=None, dims=None):
        d, D = check_model(model)
        if image_shape is not None:
            check_image("explore", image_shape, D, "the model gives")
        self.model, self.image_shape = model, image_shape
        codes, (self.centre, self.spread) = None, extent(model)
        if x is not None:
            check_data("explore: x", x, D, model.dtype)
            x, labels = choose_rows("explore", x, labels, SHOWN)
            codes = model.encode(x)
            self.centre, self.spread = codes.mean(axis=0).astype(float), codes.std(axis=0).astype(float)
        steps = np.diag(self.spread)
        below, above = (model.decode((self.centre + way).astype(model.dtype)) for way in (-steps, steps))
        order = np.argsort(-np.linalg.norm(above - below, axis=1), kind="stable").tolist()
        dims = sorted(order[:2]) if dims is None else dims
        check_pair("explore: dims", dims, 0, d - 1)
        self.i, self.j = self.dims = list(dims)
        others = [k for k in order if k not in dims][:SLIDERS]
        self.z, self.held = self.centre.copy(), False
        self.figure = new_figure(caption(d, len(others)), 16, 9)
        self.figure.get_layout_engine().set(h_pad=0.09)
        left, right = self.figure.add_gridspec(1, 2, width_ratios=[1.15, 1])
        columns = 2 if len(others) > 4 else 1
        lines = -(-len(others) // columns)
        above, *below = right.subgridspec(1 + (lines > 0), 1, height_ratios=[12, lines][:1 + (lines > 0)])
        self.plane = new_axes(self.figure, left, "z = (0, 0)", f"$z_{{{self.i + 1}}}$", f"$z_{{{self.j + 1}}}$")
        self.picture = new_axes(self.figure, above, "x decoded from this z")
        self.draw_plane(codes, labels)
        self.draw_picture(x)
        places = below[0].subgridspec(lines, columns) if below else []
        self.sliders = {k: self.add_slider(k, place) for k, place in zip(others, places)}
        for _ in range(2):                                       # the second time with the ticks of the first
            self.figure.get_layout_engine().execute(self.figure)
        self.figure.set_layout_engine(None)                      # the layout stays as it is
        self.moving, self.background = (self.cross, self.artist, self.plane.title), None
        plt.setp(self.moving, animated=self.figure.canvas.supports_blit)
        for event, answer in (("motion_notify_event", self.on_motion), ("button_press_event", self.on_click),
                              ("key_press_event", self.on_key), ("draw_event", self.on_draw)):
            self.figure.canvas.mpl_connect(event, answer)
        self.show()

    def draw_plane(self, codes, labels):
        """Draw the codes of the data, or 1, 2 and 3 σ of the prior, and a cross at the place whose x is shown."""
        axes, centre, spread = self.plane, self.centre[self.dims], self.spread[self.dims]
        low, high = centre - REACH * spread, centre + REACH * spread
        if codes is not None:
            points = codes[:, self.dims]
            low, high = points.min(axis=0) - 1e-3, points.max(axis=0) + 1e-3
            show_classes(axes, points, labels)
        elif hasattr(self.model, "posterior"):
            for radius in (1, 2, 3):
                axes.add_patch(patches.Ellipse(centre, *(2 * radius * spread), fill=False, linestyle="--",
                                               linewidth=1.5, edgecolor="0.4"))
                axes.text(centre[0], centre[1] + radius * spread[1], f"{radius} σ", fontsize=TICKS, ha="center",
                          va="bottom", color="0.3")
        middle, reach = (low + high) / 2, 0.55 * (high - low).max()
        axes.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach),
                 aspect="equal")
        self.cross, = axes.plot([], [], "P", markersize=18, color="black", markeredgecolor="white", markeredgewidth=2,
                                zorder=5)

    def draw_picture(self, x):
        """Draw the decoded code: an image, a point among those of x, or a line. `update` gives it new numbers."""
        axes, now = self.picture, self.decoded()
        every = self.model.decode(self.grid()) if x is None else x
        if self.image_shape is not None:
            self.artist = show_page(axes, now.reshape(self.image_shape))
            self.update = lambda x: self.artist.set_data(x.reshape(self.image_shape))
        elif len(now) == 2:
            axes.plot(*every.T, "o", markersize=4, color="0.7", markeredgewidth=0)
            axes.set_title(f"x decoded from this z; grey: {'the plane, decoded' if x is None else 'data'}",
                           fontsize=TITLE)
            self.artist, = axes.plot(*now[:, None], "P", markersize=18, color=COLOURS[2], markeredgecolor="white",
                                     markeredgewidth=2)
            axes.set(xlabel="$x_1$", ylabel="$x_2$", adjustable="datalim", aspect="equal")
            self.update = lambda x: self.artist.set_data(*x[:, None])
        else:
            self.artist, = axes.plot(np.arange(1, len(now) + 1), now, "o-" if len(now) <= 50 else "-", linewidth=2,
                                     color=COLOURS[2])
            self.update = self.artist.set_ydata
            low, high = float(every.min()), float(every.max())
            margin = 0.05 * (high - low)
            axes.set(xlabel="number of the feature", ylabel="x", ylim=(low - margin, high + margin + 1e-9))
            axes.locator_params(axis="x", integer=True)
            light_grid(axes)

    def grid(self):
        """Return 15 x 15 codes over the plane, the other numbers at their means, to see how far the decoder reaches."""
        sides = self.centre + np.linspace(-REACH, REACH, 15)[:, None] * self.spread
        z = np.tile(self.centre, (225, 1))
        z[:, self.dims] = np.stack(np.meshgrid(*sides[:, self.dims].T, indexing="ij"), axis=-1).reshape(-1, 2)
        return z.astype(self.model.dtype)

    def add_slider(self, k, place):
        """Return a slider for z_k, over 3 standard deviations to both sides."""
        centre, reach = self.centre[k], REACH * (self.spread[k] or 1.0)
        slider = QuietSlider(self.figure.add_subplot(place), f"$z_{{{k + 1}}}$", centre - reach, centre + reach,
                             valinit=centre, valfmt="%.2f", color=COLOURS[0])
        slider.label.set_fontsize(TEXT)
        slider.valtext.set_fontsize(TICKS)
        slider.on_changed(self.on_slider)
        return slider

    def move(self, u, v):
        """Show the place z_i = u, z_j = v of the plane."""
        self.z[self.dims] = u, v
        self.show()

    def decoded(self):
        """Return E[x|z] of the code shown, (D,)."""
        return self.model.decode(self.z[None].astype(self.model.dtype))[0]

    def show(self, slider=False):
        """Put the code and the decoded x into the window; slider: one has moved, so draw all of it."""
        u, v = self.z[self.dims]
        self.cross.set_data([u], [v])
        self.plane.title.set_text(f"z = ({signed(u)}, {signed(v)}){', held' if self.held else ''}")
        self.update(self.decoded())
        if slider or self.background is None:
            self.figure.canvas.draw_idle()
        else:
            self.figure.canvas.restore_region(self.background)
            self.draw_moving()
            self.figure.canvas.blit(self.figure.bbox)

    def draw_moving(self):
        """Draw the moving parts over the picture of the others: drawing thousands of points anew would be too slow."""
        for artist in self.moving:
            artist.axes.draw_artist(artist)

    def on_draw(self, event):
        """Keep the window as it was drawn, without the moving parts, and add these."""
        canvas = self.figure.canvas
        if canvas.supports_blit and not canvas.is_saving():
            self.background = canvas.copy_from_bbox(self.figure.bbox)
            self.draw_moving()

    def on_motion(self, event):
        """Go where the mouse is."""
        if event.inaxes is self.plane and not self.held:
            self.move(event.xdata, event.ydata)

    def on_click(self, event):
        """Hold the place that was clicked, for a way to the sliders, or let it go; not while zooming or panning."""
        if event.inaxes is self.plane and not self.plane.get_navigate_mode():
            self.held = not self.held
            self.move(event.xdata, event.ydata)

    def on_slider(self, value):
        """Take the numbers of the sliders."""
        self.z[list(self.sliders)] = [slider.val for slider in self.sliders.values()]
        self.show(slider=True)

    def on_key(self, event):
        """Go back to the mean of the codes on 0."""
        if event.key == "0":
            self.held = False
            for slider in self.sliders.values():
                slider.reset()
            self.z[:] = self.centre
            self.show(slider=True)


def check_model(model):
    """Return (d, D) of a model with a decoder, a code of d >= 2 numbers and data of D. Else TypeError or ValueError."""
    must(hasattr(model, "decoder") and hasattr(model, "decode"),
         "explore: the model must have a decoder, as a VAE or an Autoencoder has, got "
         f"{type(model).__name__}", TypeError)
    d, D = model.decoder.n_in, model.encoder.n_in
    must(d is not None and D is not None, f"explore: encoder and decoder must have fixed widths, got {model!r}")
    must(d >= 2, f"explore: the code must have at least 2 numbers, got {d}")
    return d, D


def check_pair(name, pair, first, last, hint="", comma=", "):
    """Raise ValueError unless the pair is two different numbers from first to last."""
    must(len(pair) == 2 and pair[0] != pair[1] and all(first <= k <= last for k in pair),
         f"{name} must be two different numbers from {first} to {last}{hint}, got "
         f"{comma.join(map(str, pair))}")


def caption(d, sliders):
    """Return a sentence on what the mouse, the keys and the sliders do, for d numbers and so many sliders."""
    others = {2: "", 3: " The slider sets the third number."}.get(
        d, f" The sliders set the {'other' if sliders == d - 2 else 'next'} {sliders} of {d} numbers, "
           "those that matter most first.")
    return ("Move the mouse over the plane: the decoder shows what is there. Click: hold that place, or let it go. "
            f"Key 0: back to the mean.{others}")


def open_window(path, data=None, image_shape=None, axes=None, save=None):
    """Open the window on the model of a checkpoint or a run's folder, with its data, or write a picture of it.

    Yields the sentences to print. data: a name or file in place of the run's own; axes: two numbers from 1.
    """
    checkpoint, source = files_of(path)
    model = load_model(checkpoint)
    d, D = check_model(model)
    if axes is not None:
        check_pair("--axes", axes, 1, d, ", with a comma between", ",")
    if image_shape is not None and (len(image_shape) != 2 or image_shape[0] * image_shape[1] != D):
        raise ValueError(f"--shape must be ROWS,COLUMNS with ROWS times COLUMNS the {D} features that the model gives, "
                         f"got {','.join(map(str, image_shape))}")
    check_output(save)
    x, labels, shape, said = held_out_data(data, source, model.dtype)
    if x is not None and x.shape[1] != D:
        where, hint = (source, "; --data NAME gives others") if data is None else (f"--data {data}", "")
        raise ValueError(f"{where}: the model takes {D} features, got {x.shape[1]}{hint}")
    yield said
    shape = image_shape or shape
    if shape is None and D > 3:
        yield f"drawn as a line of {D} numbers: whether they are an image is not known; --shape ROWS,COLUMNS says so"
    explorer = Explorer(model, shape, x, labels, axes and [k - 1 for k in axes])
    if save is None:
        plt.show()
    else:
        explorer.figure.savefig(save)
        plt.close(explorer.figure)
        yield f"wrote {save}"


def check_output(save):
    """Raise ValueError unless Matplotlib has a window here or can write a new picture to `save`, if it is given."""
    if save is None:
        backend = plt.get_backend()
        windows = backends.backend_registry.list_builtin(backends.BackendFilter.INTERACTIVE)
        must(backend.startswith("module://") or backend.lower() in windows,
             f"there is no window here: Matplotlib's backend is {backend}, which only writes files. On "
             "a machine with a screen `python -m pip install PySide6` brings windows; --save "
             "PICTURE.png writes the picture of the window")
        return
    known, path = sorted(backend_bases.FigureCanvasBase.get_supported_filetypes()), Path(save)
    for wrong, sentence in (
            (path.suffix[1:].lower() not in known, f"the name must end in .{', .'.join(known)}"),
            (not path.absolute().parent.is_dir(), "there is no folder to put it in"),
            (path.exists(), "expected the name of a new file, got one that is there")):
        must(not wrong, f"--save {save}: {sentence}")


def held_out_data(name, source, dtype):
    """Return (x, labels, image_shape, sentence) of the held-out data of a name or file, else of the run's run.json.

    Without data all but the sentence are None.
    """
    if name is not None:
        split = load_split(name, dtype, 0)
        return split.x_test, labels_of(split), split.image_shape, f"codes of held-out data of {name}"
    if not Path(source).exists():
        return None, None, None, f"no codes of data: there is no {source}, which would name them; --data NAME does"
    settings = read_settings(source)
    try:
        run = Run(settings)
    except OSError as error:
        return None, None, None, f"no codes of data: {' '.join(str(error).split())}"
    return run.held_out[0], run.labels, run.dataset.image_shape, f"codes of held-out data of {settings['data']}"
