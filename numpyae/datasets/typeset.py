"""Typeset digits: pictures like MNIST's, with no download and with every factor of variation known.

Each picture is one of ten digits in one of eight typefaces, bent out of shape: scaled, slanted, rotated, shifted,
drawn with a thinner or thicker pen, and distorted as if the paper were rubber. The factors are returned on request,
so that a code learnt from the pictures can be compared with them.

A digit is stored not as pixels but as its *signed distance field*, which makes this fast: d(p) is the distance of the
point p from the outline, positive inside. The field is smooth, so it can be read anywhere between its samples; a
stroke that is τ pixels wider is d + τ/2; and the grey level of a pixel is its distance, clipped to a ramp one pixel
wide:

    grey(q) = clip(½ + s d(p) + τ/2, 0, 1),     p = A⁻¹ (q - shift - u(q))

q is a pixel of the picture, A the 2×2 matrix of scale s, width, slant and rotation, u the smooth random displacement.
Every pixel asks where on the undistorted digit it came from, never the reverse, which would leave holes.
"""

import functools
import os

import numpy as np

from numpyae.datasets.generated import check_count, check_dtype

SIDE = 28        # pixels of a picture, in both directions
HEIGHT = 20      # pixels from the top to the foot of an undistorted digit, as in MNIST
FINE = 6         # samples of a distance field per pixel
CHUNK = 500      # pictures drawn at once: about 6 MB per temporary
TYPEFACES = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "STIXGeneralBol", "cmr10", "cmb10", "cmss10", "cmtt10")

# With more slant and rotation the two codes of a small VAE describe them instead of telling the ten digits apart.
RANGES = {       # each factor is uniform between these
    "slant": (-0.25, 0.25),         # columns to the right per row upwards
    "rotation": (-0.12, 0.12),      # radians, counter-clockwise; ±7 degrees
    "scale": (0.92, 1.08),
    "width": (0.9, 1.1),            # horizontal stretch, besides scale
    "thickness": (-0.2, 1.2),       # pixels added to the stroke's width
    "shift_right": (-0.5, 0.5),     # pixels
    "shift_down": (-0.5, 0.5),
}
KNOTS = 4        # the displacement is random on a KNOTS x KNOTS grid and a cubic in between
ELASTIC = 0.4    # pixels, its standard deviation at the knots


def digits(n, rng=None, dtype=np.float64, factors=False):
    """Return n random typeset digits, white on black: x (n, 784), 28 x 28 grey levels in [0, 1], and labels y (n,).

    With factors=True also a dict of (n,) arrays: "slant" (columns per row, > 0 leans right), "rotation" (radians,
    counter-clockwise), "scale", "width" (horizontal stretch), "thickness" (pixels added to the stroke), "shift_right"
    and "shift_down" (pixels), and "typeface" (an index into TYPEFACES). The same rng state gives the same pictures.
    ValueError for n < 1, TypeError for an n that is not an integer or a dtype other than float32 and float64. Elastic
    distortion after Simard 2003, "Best practices for convolutional neural networks", section 2.
    """
    n, dtype = check_count("digits: n", n), check_dtype("digits: dtype", dtype)
    rng = np.random.default_rng(rng)
    y = rng.integers(10, size=n)
    made_by = {name: rng.uniform(low, high, n) for name, (low, high) in RANGES.items()}
    made_by["typeface"] = rng.integers(len(TYPEFACES), size=n)
    x = np.empty((n, SIDE * SIDE), dtype)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        x[part] = draw(y[part], {name: value[part] for name, value in made_by.items()}, rng)
    return (x, y, made_by) if factors else (x, y)


def draw(y, made_by, rng):
    """Draw pictures (n, 784) of the digits y (n,), distorted by `made_by`, each factor (n,), and elastically by rng."""
    from scipy.ndimage import map_coordinates
    fields = distance_fields()
    side = fields.shape[1]
    points = FINE * source_points(made_by, displacement(len(y), rng)) + (side - 1) / 2
    row, column = np.clip(points, 0, side - 1)
    # all fields lie in one tall picture, one below the other: reading it is one call for all typefaces and digits
    row += side * (10 * made_by["typeface"] + y)[:, None]
    distance = map_coordinates(fields.reshape(-1, side), [row, column], order=1) / FINE
    scale, thickness = made_by["scale"][:, None], made_by["thickness"][:, None]
    return np.clip(0.5 + scale * distance + thickness / 2, 0, 1)


def source_points(made_by, u):
    """Return where each pixel q came from: p = A⁻¹ (q - shift - u), (2, n, 784): row, column, pixels from the centre.

    A = rotation · slant · scale, undone from left to right. Rows count downwards, so "up" is -row. u (2, n, 784).
    """
    factor = {name: value[:, None] for name, value in made_by.items()}
    pixel = np.arange(SIDE) - (SIDE - 1) / 2
    row, column = (grid.ravel() for grid in np.meshgrid(pixel, pixel, indexing="ij"))
    row = row - factor["shift_down"] - u[0]
    column = column - factor["shift_right"] - u[1]
    cos, sin = np.cos(factor["rotation"]), np.sin(factor["rotation"])
    row, column = cos * row + sin * column, cos * column - sin * row
    column += factor["slant"] * row
    return np.stack([row / factor["scale"], column / (factor["scale"] * factor["width"])])


def displacement(n, rng):
    """Draw displacements u (2, n, 784), in pixels: u = B U Bᵀ, U ~ N(0, ELASTIC²) on the knots, B (28, KNOTS)."""
    coarse = ELASTIC * rng.standard_normal((2, n, KNOTS, KNOTS))
    b = spline_matrix()
    return (b @ coarse @ b.T).reshape(2, n, SIDE * SIDE)


@functools.lru_cache(maxsize=None)
def spline_matrix():
    """Return B (28, KNOTS): a cubic through values at KNOTS knots, at 28 pixels; the outer ones are on the border."""
    from scipy.interpolate import make_interp_spline
    return make_interp_spline(np.linspace(0, SIDE - 1, KNOTS), np.eye(KNOTS))(np.arange(SIDE))


@functools.lru_cache(maxsize=None)
def distance_fields():
    """Return the distance fields of all typefaces and digits, (80, side, side) float32, in units of 1/FINE pixel."""
    from matplotlib import ft2font, get_data_path
    fonts = [ft2font.FT2Font(os.path.join(get_data_path(), "fonts", "ttf", name + ".ttf")) for name in TYPEFACES]
    return np.stack([distance_field(font, digit) for font in fonts for digit in range(10)])


def distance_field(font, digit):
    """Return the distance of each sample to the outline of a digit, positive inside; HEIGHT pixels tall and centred.

    The outline runs half-way between two samples: hence the ½.
    """
    from scipy.ndimage import distance_transform_edt
    size = 100
    for _ in range(2):                      # the first time only to see how tall it comes out
        font.set_size(size, 72)
        font.set_text(str(digit))
        font.draw_glyphs_to_bitmap()
        glyph = np.asarray(font.get_image()) > 127
        glyph = glyph[glyph.any(axis=1)][:, glyph.any(axis=0)]
        size *= FINE * HEIGHT / len(glyph)
    inside = np.zeros((FINE * SIDE, FINE * SIDE), bool)
    top, left = (np.array(inside.shape) - glyph.shape) // 2
    inside[top:top + glyph.shape[0], left:left + glyph.shape[1]] = glyph
    distance = np.where(inside, distance_transform_edt(inside) - 0.5, 0.5 - distance_transform_edt(~inside))
    return distance.astype(np.float32)
