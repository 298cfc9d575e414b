"""A VAE whose code has a full covariance matrix: the numbers of z may depend on each other.

    μ = x Wm + bm,  logvar = x Wv + bv,  c = x Wc + bc        q(z|x) = N(μ, S Sᵀ), S lower triangular
    S_jj = e^(½ logvar_j),  S_21 = c                          z = μ + S ε
    o = z W + b,  r = o - x                                   p(x|z) = N(o, I)
    L = 1/N Σ_n [ ½ Σ_d r² + ½ D log 2π + ½ (Σ_j μ_j² + Σ_jk S_jk² - 2) - Σ_j log S_jj ]

x (N, D), ε (N, 2); the code has two numbers, so that one number, c (N, 1), stands below the diagonal.
"""

import numpy as np

D = 4                                 # features


def parameters(rng, D=D):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"Wm": rng.normal(0, 1 / np.sqrt(D), (D, 2)), "bm": np.zeros(2),
            "Wv": rng.normal(0, 1 / np.sqrt(D), (D, 2)), "bv": np.zeros(2),
            "Wc": rng.normal(0, 1 / np.sqrt(D), (D, 1)), "bc": np.zeros(1),
            "W": rng.normal(0, 1 / np.sqrt(2), (2, D)), "b": np.zeros(D)}


def triangle(logvar, c):
    """S (N, 2, 2)."""
    S = np.zeros((len(c), 2, 2))
    S[:, 0, 0] = np.exp(0.5 * logvar[:, 0])
    S[:, 1, 1] = np.exp(0.5 * logvar[:, 1])
    S[:, 1, 0] = c[:, 0]
    return S


def forward(w, x, epsilon):
    """L, and what backward needs."""
    Wm, bm, Wv, bv, Wc, bc, W, b = w.values()
    mu = x @ Wm + bm
    logvar = x @ Wv + bv
    c = x @ Wc + bc
    S = triangle(logvar, c)
    z = mu + (S @ epsilon[:, :, None])[:, :, 0]
    o = z @ W + b
    r = o - x
    nll = 0.5 * np.sum(r**2, axis=1) + 0.5 * x.shape[1] * np.log(2 * np.pi)
    kl = 0.5 * (np.sum(mu**2, axis=1) + np.sum(S**2, axis=(1, 2)) - 2) - 0.5 * np.sum(logvar, axis=1)
    L = np.mean(nll + kl)
    return L, (x, epsilon, mu, c, S, z, r)


def backward(w, cache):
    """∂L/∂w, for the ε of forward."""
    Wm, bm, Wv, bv, Wc, bc, W, b = w.values()
    x, epsilon, mu, c, S, z, r = cache
    do = r / len(x)
    dW, db = z.T @ do, np.sum(do, axis=0)
    dz = do @ W.T
    dmu = dz + mu / len(x)
    dS = dz[:, :, None] * epsilon[:, None, :] + S / len(x)
    sigma = np.column_stack([S[:, 0, 0], S[:, 1, 1]])
    dsigma = np.column_stack([dS[:, 0, 0], dS[:, 1, 1]])
    dlogvar = dsigma * 0.5 * sigma - 0.5 / len(x)
    dc = dS[:, 1, 0][:, None]
    dWm, dbm = x.T @ dmu, np.sum(dmu, axis=0)
    dWv, dbv = x.T @ dlogvar, np.sum(dlogvar, axis=0)
    dWc, dbc = x.T @ dc, np.sum(dc, axis=0)
    return {"Wm": dWm, "bm": dbm, "Wv": dWv, "bv": dbv, "Wc": dWc, "bc": dbc, "W": dW, "b": db}


def covariance(w, x):
    """S Sᵀ of every sample, (N, 2, 2)."""
    factor = triangle(x @ w["Wv"] + w["bv"], x @ w["Wc"] + w["bc"])
    return factor @ np.swapaxes(factor, 1, 2)


def correlation(w, x):
    """The correlation of the two numbers of the code for every sample, between -1 and 1, (N,)."""
    cov = covariance(w, x)
    return cov[:, 0, 1] / np.sqrt(cov[:, 0, 0] * cov[:, 1, 1])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)) @ rng.normal(size=(2, D)) + 0.5 * rng.normal(size=(200, D))
    w = parameters(rng)
    for k in range(1501):
        L, cache = forward(w, x, rng.standard_normal((len(x), 2)))
        w = {name: w[name] - 0.01 * dw for name, dw in backward(w, cache).items()}
        if k % 300 == 0:
            print(f"step {k:4}   -ELBO = {L:.4f}   mean correlation {np.mean(correlation(w, x)):.3f}")
