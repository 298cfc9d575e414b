"""Images: pages of pixels that are data, reconstructions, samples, decoded codes, or the weights of a first layer."""

import math

import numpy as np

from numpyae.checks import check_size, must
from numpyae.plots.networks import weights_of
from numpyae.plots.style import check_image, colour_bar, new_axes, new_figure, new_panel, require, signed


def reconstructions(model, x, image_shape, n=100):
    """The first n images of x beside what the model makes of them, on one grey scale, both pages in the same order.

    x: (N, D) in [0, 1]; image_shape: (rows, columns) with rows * columns = D. ValueError where they do not fit.
    """
    require("reconstructions", model, "reconstruct", x=x, image_shape=image_shape, n=n)
    originals = x[:n]
    figure = new_figure("What the right page has lost of the left one, the code does not hold.", 16, 9)
    pages = figure.add_gridspec(1, 2)
    show_images(new_axes(figure, pages[0], "Originals, as the model sees them"), originals, image_shape, n)
    show_images(new_axes(figure, pages[1], "Reconstructions"), model.reconstruct(originals), image_shape, n)
    return figure


def denoised(model, x, image_shape, n=8, rng=None):
    """Three rows: the first n images of x, what the model's corruption makes of them, and what the model makes of that.

    model: an Autoencoder or a VAE with a corruption; x: (N, D) in [0, 1]. ValueError for a model without one, or images
    that do not fit.
    """
    require("denoised", model, "reconstruct", x=x, image_shape=image_shape, n=n)
    corruption = getattr(model, "corruption", None)
    must(corruption is not None, "denoised: the model must have a corruption, such as MaskingNoise(0.3), got none")
    clean = x[:n]
    seen = corruption.apply(clean, corruption.draw(clean, np.random.default_rng(rng)))
    figure = new_figure(
        "The network has seen the middle row only; the lower one is its answer, to be compared with the upper.", 16, 9)
    rows = {"x": clean, f"x with {corruption!r}": seen, "what the model makes of it": model.reconstruct(seen)}
    for place, (title, images) in zip(figure.add_gridspec(3, 1), rows.items()):
        show_page(new_axes(figure, place, title),
                  tile(images, image_shape, len(images), across=len(images))[1:-1, 1:])      # no gap around a row
    return figure


def samples(model, image_shape, rng=None, n=100):
    """n images that the model dreams up: z ~ N(0, I), then the mean of p(x|z). For a VAE.

    image_shape: (rows, columns). TypeError for a model without a prior, ValueError for images of another size.
    """
    require("samples", model, "sample", "a VAE", n=n)
    images = model.sample(n, rng)
    check_image("samples", image_shape, images.shape[1], "the model gives")
    figure, axes = new_panel("Each image is E[x|z] of a code z drawn from N(0, I): none of them is in the data.", 10,
                             "Samples from the prior")
    show_images(axes, images, image_shape, n)
    return figure


def manifold(model, image_shape, n=20, x=None):
    """n x n decoded codes, spread over a 2-D code: the surface in pixel space that the model has learnt.

    The codes are the quantiles 0.5/n, 1.5/n, ... of the prior in each direction (through the inverse normal cdf), so
    that each image stands for the same share of it. A mixture is replaced by the Gaussian of the same mean and
    standard deviation. An Autoencoder has no prior: pass data x (N, D), and the grid is moved and stretched to the
    mean and standard deviation of their codes. ValueError unless the code has 2 dimensions and images fit.
    """
    require("manifold", model, "decode", dimensions=2, n=n)
    mean, sigma, see = *extent(model), "the codes are quantiles of the prior"
    if x is not None:
        code = model.encode(x)
        mean, sigma, see = code.mean(axis=0), code.std(axis=0), "the grid lies where the codes of the data are"
    z1, z2 = mean[:, None] + sigma[:, None] * quantiles(n)
    images = model.decode(plane(z1, z2).astype(model.dtype))
    check_image("manifold", image_shape, images.shape[1], "the model gives")
    figure, axes = new_panel(f"Each image is a decoded code; {see}.", 10, f"What {n} x {n} codes stand for", "$z_1$",
                             "$z_2$")
    show_images(axes, images, image_shape, n * n)
    shown = np.unique(np.linspace(0, n - 1, min(n, 8)).round().astype(int))
    rows, columns = image_shape
    axes.set_xticks(1 + (columns - 1) / 2 + shown * (columns + 1), [signed(z1[k]) for k in shown])
    axes.set_yticks(1 + (rows - 1) / 2 + (n - 1 - shown) * (rows + 1), [signed(z2[k]) for k in shown])
    return figure


def filters(dense, image_shape, n=100):
    """The incoming weights of a first layer's units as images, the n with the largest norm, strongest first.

    dense: a Dense whose inputs are pixels, such as `model.encoder.layers[0]`; image_shape: (rows, columns). Each image
    is divided by its own largest |w|: colours compare within a filter, not between two. TypeError for another layer,
    ValueError for images of another size.
    """
    check_size("filters: n", n)
    W = weights_of(dense)
    must(W is not None, f"filters: expected a Dense layer, got {type(dense).__name__}", TypeError)
    check_image("filters", image_shape, len(W), "the layer takes")
    W = W.T[np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:n]]
    largest = np.abs(W).max(axis=1, keepdims=True)
    W = W / np.where(largest == 0, 1, largest)
    figure, axes = new_panel("Bright pixels under purple raise a unit's activation, under orange they lower it.", 10.5,
                             f"Incoming weights of {len(W)} of {dense.n_out} units, strongest first")
    image = show_images(axes, W, image_shape, len(W), "PuOr", -1, 1)
    axes.set_facecolor("0.8")                            # white is a weight of zero, so the gaps are grey
    colour_bar(axes, image, "weight, in units of its filter's largest |weight|", ticks=[-1, 0, 1], shrink=0.8)
    return figure


def show_images(axes, images, image_shape, n, colours="gray", low=0, high=1):
    """Show a square page of n images, (N, D), without ticks or frame."""
    return show_page(axes, tile(images, image_shape, n), colours, low, high)


def show_page(axes, page, colours="gray", low=0, high=1):
    """Show a page of pixels without ticks or frame."""
    image = axes.imshow(page, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return image


def tile(images, image_shape, n, across=None):
    """Put images (N, D), row by row, on one page, `across` in a row (⌈√n⌉). Gaps and empty cells are masked."""
    rows, columns = image_shape
    across = across or math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    cells = np.full((down * across, rows + 1, columns + 1), np.nan)          # each with a gap above and on its left
    cells[:len(images), 1:, 1:] = np.reshape(images, (len(images), rows, columns))
    page = cells.reshape(down, across, rows + 1, columns + 1).swapaxes(1, 2).reshape(down * (rows + 1), -1)
    return np.ma.masked_invalid(np.pad(page, ((0, 1), (0, 1)), constant_values=np.nan))


def extent(model):
    """Return mean and standard deviation of each code number under the prior; 0 and 1 where there is no prior."""
    d = model.decoder.n_in
    return model.prior.extent() if hasattr(model, "prior") else (np.zeros(d), np.ones(d))


def quantiles(n):
    """Return the quantiles 0.5/n, 1.5/n, ... of N(0, 1), (n,): each stands for the same share of the prior."""
    from scipy.special import ndtri

    return ndtri((np.arange(n) + 0.5) / n)


def plane(z1, z2):
    """Return codes over a grid, (len(z2) len(z1), 2), row by row from the top: z1 rises to the right, z2 upwards."""
    return np.stack(np.meshgrid(z1, z2[::-1]), axis=-1).reshape(-1, 2)
