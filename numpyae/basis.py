"""Basis functions: a model that is curved in x and still linear in w.

A straight line w₀ + w₁ x is fitted by solving linear equations. So is y(x, w) = Σ_j w_j φ_j(x) = wᵀφ(x), however curved
the φ_j are, as long as nothing inside them is learnt ([000], "What about the following model?"). For N samples at once
the basis turns x (N, D) into the design matrix Φ (N, M), one column for each function, and the model is y = Φ w:

    x ──▶ basis ──▶ Φ ──▶ Dense ──▶ y

Monomials and waves extend over all x: every weight changes the curve everywhere. Gaussians and sigmoids change it near
their centres. Each basis is a layer without parameters, so Sequential(GaussianBasis(centres, 0.1, bias=False),
Dense(10, 1)) trains like any network. The next step is to learn centres, widths and directions as well: then the basis
is a hidden layer.

The bias w₀ is the weight of a function that is 1 everywhere, φ₀ ≡ 1. With bias=True it is the first column of Φ, for
solvers that have no bias of their own (`np.linalg.lstsq`). With bias=False it is left out, since Dense has its b. Both
give the same curves.
"""

import itertools
import math

import numpy as np

from numpyae.checks import FLOATS, check_data, check_positive, check_size, must
from numpyae.layers import Dense, Layer, wrong_delta


class Basis(Layer):
    """Base class of all bases: x (N, n_in) -> Φ (N, n_out), of the dtype of x, float32 or float64.

    Raise TypeError for an x of another type, ValueError for one of another shape, and for NaN or infinity.
    """

    abstract = True

    def begin(self, x):
        """Check x and keep it for the backward pass."""
        known = isinstance(x, np.ndarray) and x.dtype in FLOATS
        if not (known and x.ndim == 2 and x.shape[1] == self.n_in and np.logical_and.reduce(np.isfinite(x), axis=None)):
            check_data(f"{self!r}: x", x, self.n_in, x.dtype if known else np.dtype(np.float64))
        self.x = x

    def with_bias(self, phi):
        """Return Φ: phi, with φ₀ ≡ 1 as its first column if there is a bias."""
        one = np.empty((len(phi), int(self.bias)), phi.dtype)
        one.fill(1)
        return np.concatenate([one, phi], axis=1)

    def without_bias(self, delta):
        """Return delta without the column of φ₀, which does not depend on x."""
        if delta.shape != (len(self.x), self.n_out):
            raise wrong_delta(self, delta)
        return delta[:, int(self.bias):]

    __repr__ = Dense.__repr__


class PolynomialBasis(Basis):
    """φ_j(x) = Π_d x_d^p_jd: all monomials of total degree Σ_d p_jd <= order.

    [000] has those of one input ("0th, 1st, and 3rd order polynomial"): 1, x, x², ... For two inputs they are 1, x₁,
    x₂, x₁², x₁x₂, x₂², ... There are (n_in + order)! / (n_in! order!) of them, the 1 included. `powers` (M, n_in)
    holds the p_jd. Raise ValueError for an order below 0 (below 1 without bias), or n_in below 1.
    """

    formula = {"y": "monomials of {x}", "dx": "Σ_j d{y}_j dφ_j/d{x}"}
    example_arguments = ((3, 5),)

    def __init__(self, order, n_in=1, bias=True):
        check_order("PolynomialBasis", order, n_in, bias)
        self.order, self.n_in, self.bias = int(order), int(n_in), bool(bias)
        products = [factors for degree in range(1, self.order + 1)
                    for factors in itertools.combinations_with_replacement(range(n_in), degree)]
        self.powers = np.array([[factors.count(d) for d in range(n_in)] for factors in products]).reshape(-1, n_in)
        self.lowered = np.maximum(self.powers - np.eye(n_in)[:, None], 0)        # powers in ∂φ_j/∂x_d, (n_in, M, n_in)
        self.n_out = len(products) + self.bias

    def forward(self, x):
        """Return φ_j = Π_d x_d^p_jd, (N, n_out), for x (N, n_in)."""
        self.begin(x)
        phi = np.multiply.reduce(x[:, None] ** self.powers.astype(x.dtype), axis=2)
        return self.with_bias(phi)

    def backward(self, delta):
        """Return dx_d = Σ_j delta_j p_jd x_d^(p_jd - 1) Π_(e≠d) x_e^p_je."""
        delta, x = self.without_bias(delta), self.x
        products = np.multiply.reduce(x[:, None, None] ** self.lowered.astype(x.dtype), axis=3)
        slopes = self.powers.T.astype(x.dtype) * products                            # ∂φ_j/∂x_d, (N, n_in, M)
        return np.add.reduce(delta[:, None] * slopes, axis=2)


class FourierBasis(Basis):
    """cos(2π kᵀx / period) and sin(2π kᵀx / period), k_d = -order ... order ([000], "Fourier transform": a series).

    Columns: 1, all cosines, all sines, together (2 order + 1)^n_in. For one input k = 1, ..., order. `k` (n_in, K) has
    only one of k and -k, which give the same pair up to sign. Raise ValueError as PolynomialBasis does, and unless
    period > 0.
    """

    formula = {"y": "cos and sin of {x}", "dx": "Σ_j d{y}_j dφ_j/d{x}"}
    example_arguments = ((1, 5, 7.0),)

    def __init__(self, order, n_in=1, period=1.0, bias=True):
        check_order("FourierBasis", order, n_in, bias)
        self.order, self.n_in, self.bias = int(order), int(n_in), bool(bias)
        self.period = check_positive("FourierBasis: period", period)
        waves = [k for k in itertools.product(range(-self.order, self.order + 1), repeat=n_in) if k > (0,) * self.n_in]
        self.k = np.array(waves).reshape(-1, n_in).T
        self.n_out = 2 * len(waves) + self.bias

    def forward(self, x):
        """Return φ = (cos a, sin a), (N, n_out), with a = 2π x k / period, for x (N, n_in)."""
        self.begin(x)
        a = x @ self.k.astype(x.dtype) * (2 * math.pi / self.period)
        self.cos, self.sin = np.cos(a), np.sin(a)
        return self.with_bias(np.concatenate([self.cos, self.sin], axis=1))

    def backward(self, delta):
        """Return dx = 2π da kᵀ / period, with da = delta_sin cos a - delta_cos sin a."""
        delta, K = self.without_bias(delta), self.k.shape[1]
        da = delta[:, K:] * self.cos - delta[:, :K] * self.sin
        return da @ self.k.T.astype(da.dtype) * (2 * math.pi / self.period)


class GaussianBasis(Basis):
    """φ_j(x) = exp(-‖x - c_j‖² / (2 width²)): bumps of height 1 around their centres (Bishop 2006, PRML, eq. 3.4).

    centres: c_j, (M, D), or (M,) for one input; width in the unit of x, the same for all. Raise ValueError for centres
    that are not finite or have another shape, and unless width > 0.
    """

    formula = {"y": "e^-½‖({x} - c) / s‖²", "dx": "Σ_j d{y}_j dφ_j/d{x}"}

    def __init__(self, centres, width, bias=True):
        self.centres = as_points("GaussianBasis: centres", centres)
        self.width, self.bias = check_positive("GaussianBasis: width", width), bool(bias)
        self.n_in, self.n_out = self.centres.shape[1], len(self.centres) + self.bias

    def forward(self, x):
        """Return φ_j = exp(-½ ‖r_j‖²), (N, n_out), with r_j = (x - c_j) / width, for x (N, n_in)."""
        self.begin(x)
        self.r = (x[:, None] - self.centres.astype(x.dtype)) / self.width            # (N, M, D)
        self.phi = np.exp(-0.5 * np.add.reduce(self.r * self.r, axis=2))
        return self.with_bias(self.phi)

    def backward(self, delta):
        """Return dx = -Σ_j delta_j φ_j r_j / width."""
        dr = -(self.without_bias(delta) * self.phi)[:, :, None] * self.r
        return np.add.reduce(dr, axis=1) / self.width

    @classmethod
    def examples(cls, rng):
        yield cls(rng.standard_normal((11, 5)), 1.5), rng.standard_normal((7, 5))


class SigmoidBasis(Basis):
    """φ_j(x) = σ(v_jᵀ(x - c_j) / width), σ(a) = 1 / (1 + e^-a): smooth steps (Bishop 2006, PRML, eq. 3.5 and 3.6).

    centres c_j and width are those of GaussianBasis. directions: v_j, (M, D). Each step rises along its v_j and is
    constant across it, as a hidden unit is. For one input they may be left out; then they are 1. Raise ValueError as
    GaussianBasis does.
    """

    formula = {"y": "σ(vᵀ({x} - c) / s)", "dx": "Σ_j d{y}_j dφ_j/d{x}"}

    def __init__(self, centres, width, directions=None, bias=True):
        self.centres = as_points("SigmoidBasis: centres", centres)
        self.width, self.bias = check_positive("SigmoidBasis: width", width), bool(bias)
        directions = np.ones(len(self.centres)) if directions is None else directions
        self.directions = as_points("SigmoidBasis: directions", directions)
        must(self.directions.shape == self.centres.shape,
             f"SigmoidBasis: directions must have shape {self.centres.shape}, one for each centre, "
             f"got {self.directions.shape}")
        self.n_in, self.n_out = self.centres.shape[1], len(self.centres) + self.bias

    def forward(self, x):
        """Return φ_j = σ(a_j), (N, n_out), with a_j = v_jᵀ(x - c_j) / width, for x (N, n_in)."""
        self.begin(x)
        V, middle = self.directions, np.add.reduce(self.directions * self.centres, axis=1)
        a = (x @ V.T.astype(x.dtype) - middle.astype(x.dtype)) / self.width
        e = np.exp(-np.abs(a))
        self.phi = np.maximum(e, a >= 0) / (1 + e)
        return self.with_bias(self.phi)

    def backward(self, delta):
        """Return dx = Σ_j da_j v_j / width, with da = delta φ (1 - φ)."""
        da = self.without_bias(delta) * self.phi * (1 - self.phi)
        return da @ self.directions.astype(da.dtype) / self.width

    @classmethod
    def examples(cls, rng):
        yield (cls(rng.standard_normal((11, 5)), 1.5, rng.standard_normal((11, 5)), bias=False),
               rng.standard_normal((7, 5)))


def check_order(name, order, n_in, bias):
    """Raise ValueError unless n_in is at least 1, and order at least 0, or 1 without bias: a function must be left."""
    check_size(f"{name}: n_in", n_in)
    check_size(f"{name}: order", order, 0)
    must(order >= (not bias), f"{name}: order must be a whole number of at least 1 without bias, got {order!r}")


def as_points(name, points):
    """Return points (M, D), or (M,) for D = 1, as a float64 copy (M, D); raise ValueError unless they are finite."""
    points = np.array(points, dtype=np.float64)
    points = points[:, None] if points.ndim == 1 else points
    must(points.ndim == 2 and points.size > 0,
         f"{name} must have shape (M, D), or (M,) for one input, got {points.shape}")
    check_data(name, points, None, points.dtype)
    return points
