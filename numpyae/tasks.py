"""Tasks: what a trained VAE is good for, besides a bound ([001], [002] and [004] list these).

    draw new samples           model.sample(n)
    reconstruct, denoise       model.reconstruct(x): train with `corruption` for the latter
    stand in for log p(x)      model.elbo(x), or closer, model.log_likelihood(x) ([003] §6)
    find anomalies             -model.elbo(x): the larger, the stranger
    features                   model.encode(x), then evaluation.probe or cluster_purity

Here are those that take more than a line: the neighbours of a sample, the way from one sample to another, missing pixels, and
more labelled samples than one has.
"""

import numpy as np

from numpyae.checks import check_number, check_part, check_size
from numpyae.vae import VAE


def neighbours(model, x, n, scale=1.0, rng=None):
    """n variations of each row of x, (N, n, D): E[x|z] at z = μ(x) + scale σ(x) ε, draws from q(z|x), which is made wider by `scale`.

    ValueError unless scale >= 0.
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
    """The way from one sample to another, (steps, D): E[x|z] along the codes between μ(start) and μ(end), rows (D,), ends included.

        straight     z(s) = (1 - s) z₀ + s z₁
        spherical    z(s) = [sin((1 - s) Ω) z₀ + sin(s Ω) z₁] / sin Ω,   Ω the angle between z₀ and z₁ (White 2016)

    In many dimensions N(0, I) is a shell of radius √d; the straight way leaves it, the spherical one does not. Codes in opposite
    directions have no shortest arc between them: ValueError.
    """
    check_part("interpolate: model", model, VAE)
    check_size("interpolate: steps", steps)
    if np.ndim(start) != 1 or np.shape(start) != np.shape(end):
        raise ValueError(f"interpolate: start and end must be two rows of one length, got shapes {np.shape(start)} and {np.shape(end)}")
    z0, z1 = model.encode(np.stack([start, end]))
    s = np.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    if not spherical:
        return model.decode((1 - s) * z0 + s * z1)
    lengths = np.linalg.norm(z0) * np.linalg.norm(z1)
    cosine = np.clip(z0 @ z1 / lengths, -1, 1) if lengths > 0 else 1.0
    omega = np.arccos(cosine)
    if np.sin(omega) < 1e-3:
        if cosine < 0:
            raise ValueError("interpolate: start and end must not have codes in opposite directions, for which no arc is the shortest: "
                             "take spherical=False")
        return model.decode((1 - s) * z0 + s * z1)       # so small an angle that the two ways are the same
    z = (np.sin((1 - s) * omega) * z0 + np.sin(s * omega) * z1) / np.sin(omega)
    return model.decode(z.astype(z0.dtype))


def fill_in(model, x, missing, rounds=100, rng=None):
    """x (N, D) with its missing features filled in, by pseudo-Gibbs sampling (Rezende 2014, appendix F):

        z ~ q(z|x),   then x_missing ~ p(x|z), what is known stays;   again, `rounds` times

    The last round puts in E[x|z] in place of a draw. missing (N, D) is True where x is not known; what stands there is not looked
    at, it may be NaN. The chain starts at the mean of what p(z) makes. ValueError for a mask of another shape or kind.
    """
    check_part("fill_in: model", model, VAE)
    check_size("fill_in: rounds", rounds)
    missing = np.asarray(missing)
    if missing.shape != np.shape(x) or missing.dtype != bool:
        raise ValueError(f"fill_in: missing must be True and False of the shape of x, {np.shape(x)}, got {missing.dtype} of shape "
                         f"{missing.shape}")
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
    """x (N, D) and its labels y (N,), each with n `neighbours` behind it that have its label: ((N + nN, D), (N + nN,)).

    For few labels and many samples without: the model has seen them all, and knows in which directions a sample may vary.
    """
    if np.shape(y) != (len(x),):
        raise ValueError(f"augment: y must have a label for each row of x, shape ({len(x)},), got shape {np.shape(y)}")
    new = neighbours(model, x, n, scale, rng)
    return np.concatenate([x, new.reshape(n * len(x), -1)]), np.concatenate([y, np.repeat(y, n)])
