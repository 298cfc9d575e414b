"""PCA: the best linear code, the baseline for every autoencoder.

A linear code of K numbers, x ≈ μ + z Vᵀ, has the least squared error when V holds the K directions of largest variance.
The singular value decomposition of the centred data, X - μ = U S Vᵀ, gives them all at once, without training, learning
rate or local minima. An autoencoder that is not better than this has found only linear structure. A linear autoencoder
cannot be better (Baldi & Hornik 1989): its lowest loss is the sum of the dropped eigenvalues.

`least_squares` is the other linear problem without training: it finds the weights of fixed basis functions.
"""

import numpy as np

from numpyae.checks import FLOATS, check_data, check_size, must


class PCA:
    """Principal component analysis with K components, by SVD; call `fit(x)` before any other method.

    `fit` sets `mean` (D,), `components` (D, K) with orthonormal columns, and `eigenvalues` (D,) of the covariance
    1/N (X - μ)ᵀ(X - μ), the largest first. On the fitted data the squared error of `reconstruct`, summed over features
    and averaged over samples, is `eigenvalues[K:].sum()`. Raise ValueError unless K is a whole number of at least 1.
    """

    def __init__(self, K):
        self.K = check_size("PCA: K", K)

    def fit(self, x):
        """Find the mean, the components and the eigenvalues of x (N, D); return self.

        Raise ValueError or TypeError unless x has at least K rows and K columns, all finite.
        """
        check_data("PCA: x", x, None, x.dtype if getattr(x, "dtype", None) in FLOATS else np.dtype(float))
        must(self.K <= min(x.shape), f"PCA: K must be at most {min(x.shape)}, the smaller side of x, got {self.K}")
        self.mean = x.mean(axis=0)
        R = np.linalg.qr(x - self.mean, mode="r")        # X - μ = Q R has the singular values of R, at most (D, D)
        _, S, V = np.linalg.svd(R, full_matrices=False)
        self.eigenvalues = np.zeros(x.shape[1], x.dtype)
        self.eigenvalues[:len(S)] = S**2 / len(x)
        self.components = np.ascontiguousarray(V[:self.K].T)
        return self

    def encode(self, x):
        """Return z = (x - μ) V, (N, K), for x (N, D); raise RuntimeError before `fit`, ValueError for another width."""
        must(hasattr(self, "components"), f"{self!r}: fit(x) must come before encode(x)", RuntimeError)
        check_data("PCA: x", x, len(self.mean), self.mean.dtype)
        return (x - self.mean) @ self.components

    def decode(self, z):
        """Return μ + z Vᵀ, (N, D), for z (N, K)."""
        return self.mean + z @ self.components.T

    def reconstruct(self, x):
        """Return decode(encode(x)), (N, D): the point of the plane that is nearest to x (N, D)."""
        return self.decode(self.encode(x))

    def fill(self, x, rounds=100, tolerance=1e-6):
        """Return x (N, D) with its NaN filled in by iterated projection.

        The missing values start at the column means. Each round fits PCA to the filled x and replaces the missing
        values by their reconstruction. It stops after `rounds` rounds, or when no value moves by more than `tolerance`
        standard deviations of its column. Raise ValueError for a column without any value.
        """
        missing = np.isnan(x)
        must(not missing.all(axis=0).any(),
             f"PCA.fill: column {np.argmax(missing.all(axis=0))} of x must have at least one value, got none")
        spread = np.maximum(np.nanstd(x, axis=0), np.finfo(x.dtype).tiny)
        filled = np.where(missing, np.nanmean(x, axis=0), x)
        for _ in range(rounds):
            new = np.where(missing, self.fit(filled).reconstruct(filled), x)
            moved = (np.abs(new - filled) / spread).max()
            filled = new
            if moved <= tolerance:
                break
        return filled

    def __repr__(self):
        return f"PCA(K={self.K})"


def least_squares(phi, t):
    """Return the w (M, K) that minimises ‖t - Φ w‖², Φ (N, M), t (N, K) ([000] "How do we find w?").

    At the minimum the gradient is zero: Φᵀ(Φ w - t) = 0.
    """
    return np.linalg.lstsq(phi, t, rcond=None)[0]
