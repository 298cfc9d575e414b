"""PCA: the best linear code, and so the baseline of every autoencoder.

Of all ways to write x with K numbers linearly, x ≈ μ + z Vᵀ, the one with the least squared error takes the K directions of
largest variance. The singular value decomposition of the centred data, X - μ = U S Vᵀ, gives them all at once; no training,
no rate, no local minima. An autoencoder that is not better than this has learnt nothing that a line could not say. A linear
autoencoder cannot be better (Baldi & Hornik 1989), and its loss ends at the sum of the dropped eigenvalues.

`least_squares` is the other linear problem without training: the weights of basis functions that are fixed.
"""

import numpy as np

from numpyae.checks import FLOATS, check_data, check_size


class PCA:
    """Principal component analysis with K components, by SVD. `fit(x)` first.

    `mean` (D,), `components` (D, K) with orthonormal columns, `eigenvalues` (D,) of the covariance 1/N (X - μ)ᵀ(X - μ), falling.
    The mean squared error of `reconstruct` on the data it was fitted to, summed over features, is `eigenvalues[K:].sum()`.
    """

    def __init__(self, K):
        check_size("PCA: K", K)
        self.K = int(K)

    def fit(self, x):
        """Find mean and components of x (N, D). Returns self. ValueError for fewer than K rows or columns, or NaN."""
        check_data("PCA: x", x, None, x.dtype if getattr(x, "dtype", None) in FLOATS else np.dtype(float))
        if self.K > min(x.shape):
            raise ValueError(f"PCA: K must be at most {min(x.shape)}, the smaller side of x, got {self.K}")
        self.mean = x.mean(axis=0)
        R = np.linalg.qr(x - self.mean, mode="r")        # X = Q R has the singular values of R, which is D x D at most
        _, S, V = np.linalg.svd(R, full_matrices=False)
        self.eigenvalues = np.zeros(x.shape[1], x.dtype)
        self.eigenvalues[:len(S)] = S**2 / len(x)
        self.components = np.ascontiguousarray(V[:self.K].T)
        return self

    def encode(self, x):
        """z = (x - μ) V, (N, K). RuntimeError before `fit`, ValueError for x of another width."""
        if not hasattr(self, "components"):
            raise RuntimeError(f"{self!r}: fit(x) must come before encode(x)")
        check_data("PCA: x", x, len(self.mean), self.mean.dtype)
        return (x - self.mean) @ self.components

    def decode(self, z):
        """μ + z Vᵀ, (N, D)."""
        return self.mean + z @ self.components.T

    def reconstruct(self, x):
        """decode(encode(x)): the nearest point of the plane, (N, D)."""
        return self.decode(self.encode(x))

    def fill(self, x, rounds=100, tolerance=1e-6):
        """x (N, D) with its NaN filled in by iterated projection: put in the mean, then project and copy back what was missing.

        Fits to x itself. Stops after `rounds`, or when no value moves by more than `tolerance` standard deviations of its column.
        """
        missing = np.isnan(x)
        if missing.all(axis=0).any():
            column = int(np.argmax(missing.all(axis=0)))
            raise ValueError(f"PCA.fill: column {column} of x must have at least one value, got none")
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
    """The w (M, K) with the smallest ‖t - Φ w‖², for Φ (N, M) and t (N, K): there Φᵀ(Φ w - t) = 0 ([000] "How do we find w?")."""
    return np.linalg.lstsq(phi, t, rcond=None)[0]
