"""Corruption: a denoising autoencoder sees x̃, a damaged x, while its target stays the clean x ([002], [003] §5).

    x ──▶ corrupted x̃ ──▶ encoder ──▶ decoder ──▶ o ≈ x

Copying the input no longer helps. The network has to learn which x belongs to which x̃, and so how pixels depend on
each other. `draw` draws the noise, the model keeps it, and `apply` puts it in, so that a loss can be computed twice
with the same noise.
"""

import numpy as np

from numpyae.checks import check_number, must
from numpyae.described import Described


class Corruption(Described):
    """The contract: draw(x, rng) -> noise, an array of the dtype of x; apply(x, noise) -> x̃."""

    @classmethod
    def examples(cls, rng):
        """Yield (corruption, x), at which the class is checked."""
        yield cls(0.3), rng.random((7, 5))


class GaussianNoise(Corruption):
    """x̃ = x + sigma ε, ε ~ N(0, I): additive isotropic noise ([002]). Raise ValueError unless sigma >= 0."""

    formula = {"seen": "{x} + {sigma:g} {noise}"}
    option = "gaussian"

    def __init__(self, sigma):
        self.sigma = check_number("GaussianNoise: sigma", sigma, 0, np.inf, "a number of at least 0")

    def draw(self, x, rng):
        """Draw ε, of the shape and dtype of x."""
        return rng.standard_normal(x.shape, dtype=x.dtype)

    def apply(self, x, noise):
        """Return x + sigma ε."""
        return x + self.sigma * noise


class MaskingNoise(Corruption):
    """Each feature becomes `value` with probability p ([002]: "a fraction of the input set to zeros or ones").

    Unlike a Dropout layer it does not scale the other features. Raise ValueError unless 0 <= p <= 1.
    """

    formula = {"seen": "{value:g} where {noise} > 0, else {x}"}
    option = "masking"

    def __init__(self, p, value=0.0):
        self.p = check_number("MaskingNoise: p", p, 0, 1, "in [0, 1]")
        self.value = check_number("MaskingNoise: value", value, -np.inf, np.inf, "a finite number")

    def draw(self, x, rng):
        """Draw 1 where the feature is masked, else 0."""
        return (rng.random(x.shape, dtype=x.dtype) < self.p).astype(x.dtype)

    def apply(self, x, noise):
        """Return value where noise is 1, else x."""
        return np.where(noise == 1, x.dtype.type(self.value), x)


class SaltAndPepper(Corruption):
    """Each feature becomes low with probability p/2, high with probability p/2, and otherwise stays ([002]).

    Raise ValueError unless 0 <= p <= 1 and low < high.
    """

    formula = {"seen": "{low:g} where {noise} < 0, {high:g} where {noise} > 0, else {x}"}
    option = "salt-and-pepper"

    def __init__(self, p, low=0.0, high=1.0):
        self.p = check_number("SaltAndPepper: p", p, 0, 1, "in [0, 1]")
        self.low = check_number("SaltAndPepper: low", low, -np.inf, np.inf, "a finite number")
        self.high = check_number("SaltAndPepper: high", high, -np.inf, np.inf, "a finite number")
        must(self.low < self.high, f"SaltAndPepper: low must be below high, got {low} and {high}")

    def draw(self, x, rng):
        """Draw -1 where the feature becomes low, 1 where it becomes high, 0 where it stays."""
        u = rng.random(x.shape, dtype=x.dtype)
        return (u >= 1 - self.p / 2).astype(x.dtype) - (u < self.p / 2)

    def apply(self, x, noise):
        """Return low where noise is -1, high where it is 1, else x."""
        low, high = x.dtype.type(self.low), x.dtype.type(self.high)
        return np.where(noise < 0, low, np.where(noise > 0, high, x))
