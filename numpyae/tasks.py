"""Tasks: the uses of a trained VAE ([001], [002] and [004] list them).

    draw new samples           model.sample(n)
    reconstruct, denoise       model.reconstruct(x); to denoise, train with `corruption`
    estimate log p(x)          model.elbo(x), or closer, model.log_likelihood(x) ([003] §6)
    find anomalies             -model.elbo(x): large for unusual x
    extract features           model.encode(x), then evaluation.probe or cluster_purity

The functions of this file are the uses that take more than one line: variations of a sample, interpolation between two
samples, missing pixels, and additional labelled samples.
"""

import numpy as np

from numpyae.checks import check_number, check_part, check_size, must
from numpyae.vae import VAE


def neighbours(model, x, n, scale=1.0, rng=None):
    """Return n variations of each row of x (N, D), (N, n, D): E[x|z] at random codes z around μ(x).

        z = μ(x) + scale σ(x) ε,   ε ~ N(0, I)

    With scale = 1 the codes are draws from q(z|x). Raise ValueError unless n >= 1 and scale >= 0.
    """
    check_part("neighbours: model", model, VAE)
    check_size("neighbours: n", n)
    scale = check_number("neighbours: scale", scale, 0, np.inf, "a number of at least 0")
    rng, d = np.random.default_rng(rng), model.posterior.d
    h = model.evaluate(model.encoder, x)
    mu = model.posterior.sample(h, np.zeros((len(x), d), dtype=h.dtype))
    z = model.posterior.sample(h, rng.standard_normal((n, len(x), d), dtype=h.dtype))
    z = mu + scale * (z - mu)
    return np.swapaxes(model.decode(z.reshape(n * len(x), d)).reshape(n, len(x), -1), 0, 1)


def interpolate(model, start, end, steps, spherical=True):
    """Return a path from one sample (D,) to another, (steps, D): E[x|z] at codes z from z₀ = μ(start) to z₁ = μ(end).

        straight     z(s) = (1 - s) z₀ + s z₁,   s = 0 … 1
        spherical    z(s) = [sin((1 - s) Ω) z₀ + sin(s Ω) z₁] / sin Ω,   Ω the angle between z₀ and z₁ (White 2016)

    In many dimensions N(0, I) is concentrated near a sphere of radius √d. The straight path leaves this shell, the
    spherical path stays in it. Raise ValueError for codes in opposite directions: they have no shortest arc.
    """
    check_part("interpolate: model", model, VAE)
    check_size("interpolate: steps", steps)
    must(np.ndim(start) == 1 and np.shape(start) == np.shape(end),
         f"interpolate: start and end must be two rows of one length, got shapes {np.shape(start)} and {np.shape(end)}")
    z0, z1 = model.encode(np.stack([start, end]))
    s = np.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    z = (1 - s) * z0 + s * z1
    if spherical:
        lengths = np.linalg.norm(z0) * np.linalg.norm(z1)
        cosine = np.clip(z0 @ z1 / lengths, -1, 1) if lengths > 0 else 1.0
        omega = np.arccos(cosine)
        must(not (np.sin(omega) < 1e-3 and cosine < 0),
             "interpolate: start and end must not have codes in opposite directions, which have no shortest "
             "arc: take spherical=False")
        if np.sin(omega) >= 1e-3:                        # below, both paths are equal
            z = (np.sin((1 - s) * omega) * z0 + np.sin(s * omega) * z1) / np.sin(omega)
    return model.decode(z.astype(z0.dtype))


def fill_in(model, x, missing, rounds=100, rng=None):
    """Return x (N, D) with its missing features filled in by pseudo-Gibbs sampling (Rezende 2014, appendix F).

        z ~ q(z|x),   x_missing ~ p(x|z),   x_known unchanged;   repeat `rounds` times

    missing (N, D) is True where x is unknown; x may be NaN there. The chain starts at the mean of 256 samples of the
    model. The last round takes E[x|z] instead of a draw. Raise ValueError unless missing is a boolean array of the
    shape of x.
    """
    check_part("fill_in: model", model, VAE)
    check_size("fill_in: rounds", rounds)
    missing = np.asarray(missing)
    must(missing.shape == np.shape(x) and missing.dtype == bool,
         f"fill_in: missing must be a boolean array of the shape of x, {np.shape(x)}, got "
         f"{missing.dtype} of shape {missing.shape}")
    rng = np.random.default_rng(rng)
    known = np.where(missing, model.dtype.type(0), x)
    model.check(known)
    filled = np.where(missing, model.sample(256, rng).mean(axis=0), known)
    for left in range(rounds, 0, -1):
        h = model.evaluate(model.encoder, filled)
        z = model.posterior.sample(h, rng.standard_normal((len(x), model.posterior.d), dtype=h.dtype))
        o = model.evaluate(model.decoder, z)
        new = model.likelihood.sample(o, rng) if left > 1 else model.likelihood.mean(o)
        filled = np.where(missing, new, known)
    return filled


def augment(model, x, y, n, scale=1.0, rng=None):
    """Return (x, y) with n `neighbours` of each row appended, which have its label: shapes (N + nN, D) and (N + nN,).

    x is (N, D), y is (N,). This helps where few of many samples have labels: the model was trained on all of them, and
    has learnt the directions in which a sample may vary. Raise ValueError unless there is one label for each row.
    """
    must(np.shape(y) == (len(x),),
         f"augment: y must have a label for each row of x, shape ({len(x)},), got shape {np.shape(y)}")
    new = neighbours(model, x, n, scale, rng)
    return np.concatenate([x, new.reshape(n * len(x), -1)]), np.concatenate([y, np.repeat(y, n)])
