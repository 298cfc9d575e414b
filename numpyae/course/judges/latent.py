"""Judges of lectures 11 to 14: draws, densities, divergences, bounds."""

import math

import numpy as np

from numpyae.activations import mlp
from numpyae.course.judges import tools
from numpyae.course.judges.tools import Wrong, a_real_loss, gradients, hold, of_loss, primes, returned, table
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.losses import GaussianNLL, HeteroscedasticGaussianNLL
from numpyae.priors import GaussianPrior
from numpyae.vae import IWAE, VAE


def log_prior(rng):
    for _ in range(tools.DRAWS):
        K, N, d = primes(rng, 3)
        mu, sigma = rng.standard_normal(d), rng.uniform(0.5, 2, d)
        prior, z = GaussianPrior(d, mu, sigma), rng.standard_normal((K, N, d))
        one = GaussianPrior(d, 0.5, 2.0)
        squares, logs = ((z - mu) ** 2 / sigma**2).sum(axis=-1), math.log(2 * math.pi)
        truth = table((K, N), lambda k, n: sum(-0.5 * ((z[k, n, j] - mu[j]) / sigma[j]) ** 2 - math.log(sigma[j]) - 0.5 * logs
                                               for j in range(d)))
        for z_, pick in ((z, slice(None)), (z[0], 0)):
            found = returned("log_density", prior.log_density, z_)
            hold("log p(z)", found, truth[pick], {
                "the constant -½ log 2π of each number is missing": truth[pick] + 0.5 * d * logs,
                "the normaliser -log σ - ½ log 2π of each number is missing": -0.5 * squares[pick],
                "log σ is missing": truth[pick] + np.log(sigma).sum(),
                "log σ² must be halved": truth[pick] - np.log(sigma).sum(),
                "the ½ in front of the squares is missing": truth[pick] - 0.5 * squares[pick],
                "the squares are divided by σ where σ² belongs":
                    truth[pick] + 0.5 * squares[pick] - 0.5 * ((z_ - mu) ** 2 / sigma).sum(axis=-1),
                "this is the density of N(0, I): μ and σ are not used": -0.5 * (z_**2).sum(axis=-1) - 0.5 * d * logs,
                "this is -log p(z)": -truth[pick], "this is p(z); its logarithm is asked for": np.exp(truth[pick]),
                "it is summed over the samples too": truth[pick].sum(),
                "the mean over the numbers is taken where their sum belongs": truth[pick] / d}, {"the size of the code": d})
            if not hasattr(prior, "slope"):
                raise Wrong("log_density must keep self.slope = ∂log p/∂z, which backward reads")
            hold("self.slope", prior.slope, -(z_ - mu) / sigma**2,
                 {"it is divided by σ where σ² belongs": -(z_ - mu) / sigma})
        hold("log p(z) for one number σ", returned("log_density", one.log_density, z),
             -0.5 * (((z - 0.5) / 2) ** 2 + logs).sum(axis=-1) - d * math.log(2),
             {"log σ counts for each of the d numbers": -0.5 * (((z - 0.5) / 2) ** 2 + logs).sum(axis=-1) - math.log(2)})


def draw(rng):
    for _ in range(tools.DRAWS):
        K, N, d = primes(rng, 3)
        h, epsilon = rng.standard_normal((N, 2 * d)), rng.standard_normal((K, N, d))
        mu, logvar = h[:, :d], h[:, d:]
        for eps in (epsilon[0], epsilon):
            posterior = DiagonalGaussian(d)
            found = returned("sample", posterior.sample, h, eps)
            truth = table(eps.shape, lambda *index: mu[index[-2:]] + math.exp(logvar[index[-2:]] / 2) * eps[index])
            hold("z", found, truth, {
                "σ is e^(½ logvar), and this has e^logvar, which is σ²": mu + np.exp(logvar) * eps,
                "logvar itself is taken for σ; σ = e^(½ logvar)": mu + logvar * eps,
                "½ logvar is taken for σ; σ = e^(½ logvar)": mu + 0.5 * logvar * eps,
                "σ is missing: ε must be multiplied by it": mu + eps, "ε is missing": mu + np.exp(0.5 * logvar) + 0 * eps,
                "μ is missing": np.exp(0.5 * logvar) * eps, "this is μ without noise": mu + 0 * eps,
                "σ ε is subtracted: the right distribution, but backward has z = μ + σ ε": mu - np.exp(0.5 * logvar) * eps,
                "μ and logvar are exchanged: h holds μ first": logvar + np.exp(0.5 * mu) * eps})
            missing = [name for name in ("mu", "logvar", "sigma", "epsilon", "z") if not hasattr(posterior, name)]
            if missing:
                raise Wrong(f"sample must keep self.{', self.'.join(missing)}, which the way back reads")
            for name, kept in (("mu", mu), ("logvar", logvar), ("sigma", np.exp(0.5 * logvar)), ("epsilon", eps),
                               ("z", truth)):
                hold(f"self.{name}", getattr(posterior, name), kept)


def alone(kind):
    """[(posterior, h)]."""
    def make(rng):
        N, = rng.choice([5, 7, 11, 13], 1)
        posterior = kind(3)
        return [(posterior, rng.standard_normal((N, posterior.size)))]
    return make


def a_vae(posterior, **options):
    """A small VAE, its noise drawn anew."""
    def make(rng):
        N, D, H = rng.permutation([5, 7, 11, 13])[:3]    # d is 3, and draws are 4: no two sizes are the same
        q = posterior(3)
        prior = GaussianPrior(q.d, rng.standard_normal(q.d), rng.uniform(0.5, 2, q.d))
        model = VAE(mlp([D, H, q.size], rng=rng), mlp([q.d, H, D], rng=rng), GaussianNLL(0.8), q, prior, **options)
        model.w += 0.1 * rng.standard_normal(model.w.size)
        return [(model, rng.standard_normal((N, D)))]
    return make


def divergence(rng):
    for _ in range(tools.DRAWS):
        N, d = primes(rng, 2)
        h = rng.standard_normal((N, 2 * d))
        mu, logvar = h[:, :d], h[:, d:]
        for mu0, sigma0 in ((0.0, 1.0), (rng.standard_normal(d), rng.uniform(0.5, 2, d))):
            posterior = DiagonalGaussian(d)
            posterior.sample(h, np.zeros((N, d)))
            m0, s0 = np.zeros(d) + mu0, np.zeros(d) + sigma0
            truth = table((N,), lambda n: sum(math.log(s0[j]) - logvar[n, j] / 2 - 0.5 + (
                math.exp(logvar[n, j]) + (mu[n, j] - m0[j]) ** 2) / (2 * s0[j] ** 2) for j in range(d)))

            def formula(m, v, of_v=np.exp):
                return 0.5 * (m**2 + of_v(v) - v - 1).sum(axis=1)

            m, v = (mu - m0) / s0, logvar - 2 * np.log(s0)
            found = returned("kl", lambda: posterior.kl(mu0, sigma0))
            hold("KL" if np.ndim(mu0) == 0 else "KL to N(μ₀, diag σ₀²)", found, truth, {
                "logvar is taken for log σ: σ² is e^logvar": formula(m, v, lambda v: np.exp(2 * v)),
                "logvar is taken for log σ: log σ² is logvar itself": 0.5 * (m**2 + np.exp(2 * v) - 2 * v - 1).sum(axis=1),
                "σ stands where σ² belongs": formula(m, v, lambda v: np.exp(0.5 * v)),
                "this is -KL": -truth, "the ½ is missing": 2 * truth, "the -1 of each number is missing": truth + 0.5 * d,
                "μ must be squared": 0.5 * (m + np.exp(v) - v - 1).sum(axis=1), "the term μ² is missing": formula(0 * m, v),
                "the terms of σ are missing": 0.5 * (m**2).sum(axis=1),
                "the sign of the logarithm is wrong": 0.5 * (m**2 + np.exp(v) + v - 1).sum(axis=1),
                "this is the KL to N(0, I): mu0 and sigma0 are not used": formula(mu, logvar),
                "μ - μ₀ is not divided by σ₀": formula(mu - m0, v),
                "log σ₀² must be subtracted from logvar": formula(m, logvar),
                "log σ₀ is subtracted where log σ₀² belongs": formula(m, logvar - np.log(s0)),
                "the mean over the numbers of a code is taken where their sum belongs": truth / d,
                "it is summed over the samples too": truth.sum(),
                "the mean over the samples is taken, and that is the model's business": truth.mean(),
                "this is the KL of p from q, the wrong way round": 0.5 * ((1 + m**2) * np.exp(-v) + v - 1).sum(axis=1)},
                {"the size of the code": d, "the batch size": N})
            missing = [name for name in ("m", "v") if not hasattr(posterior, name)]
            if missing:
                raise Wrong(f"kl must keep self.{', self.'.join(missing)}, which the way back reads")
            hold("self.m", posterior.m, m)
            hold("self.v", posterior.v, v)


def log_draw(rng):
    for _ in range(tools.DRAWS):
        K, N, d = primes(rng, 3)
        h, epsilon = rng.standard_normal((N, 2 * d)), rng.standard_normal((K, N, d))
        mu, logvar, logs = h[:, :d], h[:, d:], math.log(2 * math.pi)
        for eps in (epsilon[0], epsilon):
            posterior = DiagonalGaussian(d)
            z = posterior.sample(h, eps)
            each = table(eps.shape, lambda *i: -0.5 * (
                (z[i] - mu[i[-2:]]) ** 2 / math.exp(logvar[i[-2:]]) + logvar[i[-2:]] + logs))
            truth = each.sum(axis=-1)
            hold("log q", returned("log_density", posterior.log_density), truth, {
                "the constant -½ log 2π of each number is missing": truth + 0.5 * d * logs,
                "logvar is missing: the normaliser of a density depends on σ": truth + 0.5 * logvar.sum(axis=-1),
                "logvar must be halved: it is log σ²": truth - 0.5 * logvar.sum(axis=-1),
                "the ½ in front of ε² is missing": truth - 0.5 * (eps**2).sum(axis=-1),
                "ε² is divided by σ² once more: ε is (z - μ)/σ already":
                    truth + 0.5 * (eps**2).sum(axis=-1) - 0.5 * (eps**2 / np.exp(logvar)).sum(axis=-1),
                "this is -log q": -truth, "this is q; its logarithm is asked for": np.exp(truth),
                "it is summed over the samples too": truth.sum(),
                "the mean over the numbers is taken where their sum belongs": truth / d,
                "the sum over the numbers of a code is missing": each}, {"the size of the code": d})


def both(name, call, shapes):
    """call(), which must be arrays of these shapes, {what: shape}."""
    found = returned(name, call)
    if not isinstance(found, (tuple, list)) or len(found) != len(shapes):
        raise Wrong(f"{name} must return ({', '.join(shapes)}), got {type(found).__name__}")
    for (what, shape), array in zip(shapes.items(), found):
        if np.shape(array) != shape:
            raise Wrong(f"{what} must have shape {shape}, got {np.shape(array)}"
                        + (": the gradients of the draws must be added up" if np.shape(array)[1:] == shape else ""))
    return found


def a_posterior(kind, rng):
    """(posterior, its h, shapes of the gradients); one or several draws are still to be made."""
    N, d = primes(rng, 2)
    posterior = kind(min(d, 5))
    d = posterior.d
    shapes = {"dmu": (N, d), "dlogvar": (N, d), "dbelow": (N, d * (d - 1) // 2)}
    return posterior, rng.standard_normal((N, posterior.size)), dict(list(shapes.items())[:2 + (kind is FullGaussian)])


def draw_backward(kind):
    """A judge of sample_backward: the shapes of what it returns, for one draw and for several; gradients."""
    def run(rng):
        posterior, h, shapes = a_posterior(kind, rng)
        for draws in ((), (4,)):
            dz, epsilon = rng.standard_normal((2, *draws, *shapes["dmu"]))
            posterior.sample(h, epsilon)
            found = both("sample_backward", lambda: posterior.sample_backward(dz), shapes)
        gradients(alone(kind))(rng)
        hold("dmu of 4 draws", found[0], dz.sum(axis=0), {
            "the mean over the draws is taken where their sum belongs": dz.mean(axis=0)})
        gradients(a_vae(kind, samples=4))(rng)
    return run


def kl_backward(kind):
    """A judge of kl_backward: gradients, and the closed form for N(μ₀, diag σ₀²), where σ₀ can be forgotten."""
    def run(rng):
        posterior, h, shapes = a_posterior(kind, rng)
        d = posterior.d
        mu0, sigma0 = rng.standard_normal(d), rng.uniform(0.5, 2, d)
        posterior.sample(h, np.zeros(shapes["dmu"]))
        posterior.kl(mu0, sigma0)
        dkl = rng.standard_normal(len(h))
        column, mu, variance = dkl[:, None], h[:, :d], np.exp(h[:, d:2 * d])
        found = both("kl_backward", lambda: posterior.kl_backward(dkl), shapes)
        gradients(alone(kind))(rng)
        numbers = mu - mu0, 0.5 * (variance - sigma0**2), h[:, 2 * d:]           # over σ₀², these are the derivatives
        rows = np.tril_indices(d, -1)[0]
        for name, array, number, unit in zip(shapes, found, numbers, (sigma0, sigma0, sigma0[rows])):
            hold(name, array, column * number / unit**2, {
                "it must still be divided by σ₀: by the chain rule through m, or through l": column * number / unit,
                "it is divided by σ₀ once too often": column * number / unit**3})
        gradients(a_vae(kind))(rng)
    return run


def elbo_backward(rng):
    for options in ({}, {"beta": 0.4}, {"samples": 4}, {"kl": "sampled", "samples": 4}):
        gradients(a_vae(DiagonalGaussian, **options))(rng)


def learnt_noise(rng):
    of_loss(a_real_loss(GaussianNLL, sigma=0.7, learn=True))(rng)
    loss, (o, t) = GaussianNLL(0.7), rng.standard_normal((2, 3, 5))
    loss.forward(o, t)
    loss.backward(np.ones(3))
    if np.any(loss.dlogvar):
        raise Wrong("dlogvar changes although `learn` is False: then σ is fixed")


def importance_weights(rng):
    for K in (5, 1):
        N, D, H = primes(rng, 3)
        model = IWAE(mlp([D, H, 4], rng=rng), mlp([2, H, D], rng=rng), GaussianNLL(0.03), DiagonalGaussian(2), samples=K)
        model.w += 0.1 * rng.standard_normal(model.w.size)
        x = rng.standard_normal((N, D))
        value = returned("loss", lambda x: model.loss(x, rng=int(rng.integers(2**32))), x)
        nll = model.likelihood.forward(model.decoder.forward(model.posterior.z.reshape(-1, 2)),
                                       np.tile(x, (K, 1))).reshape(K, N)
        z, h = model.posterior.z.reshape(K, N, 2), model.encoder.forward(x)
        mu, logvar, logs = h[:, :2], h[:, 2:], math.log(2 * math.pi)
        log_p = -0.5 * (z**2 + logs).sum(axis=-1)
        log_q = -0.5 * ((z - mu) ** 2 / np.exp(logvar) + logvar + logs).sum(axis=-1)

        def bound(log_w):
            return -np.mean([max(column) + math.log(math.fsum(math.exp(w - max(column)) for w in column) / K)
                             for column in log_w.T.tolist()])

        log_w = log_p - nll - log_q
        hold("the loss", float(value), bound(log_w), {
            "the 1/K of the mean over the draws is missing": bound(log_w) - math.log(K),
            "this is the ELBO, the mean of log w: the logarithm comes after the mean over the draws": -log_w.mean(),
            "q stands in the numerator: w = p(x|z) p(z) / q(z|x)": bound(log_p - nll + log_q),
            "p(z) is missing in w": bound(-nll - log_q), "q(z|x) is missing in w": bound(log_p - nll),
            "p(x|z) is missing in w": bound(log_p - log_q),
            "it has p(x|z) upside down: nll is -log p(x|z)": bound(log_p + nll - log_q), "the sign is wrong": -bound(log_w),
            "the weights are upside down: w = p(x|z) p(z) / q(z|x)": bound(-log_w),
            "nll is sorted wrongly into (K, N): it is K rows of N": bound(log_p - nll.reshape(-1).reshape(N, K).T - log_q),
            "the largest log w was taken out and not put back": bound(log_w - log_w.max(axis=0))})
        share = np.exp(log_w - log_w.max(axis=0))
        if not hasattr(model, "share"):
            raise Wrong("loss must keep self.share, which backward reads")
        hold("self.share", model.share, share / share.sum(axis=0), {
            "the shares are normalised over the samples; those of the K draws of a sample sum to 1":
                share / share.sum(axis=1, keepdims=True),
            "the shares are not divided by their sum": share})


JUDGES = {
    "11a": log_prior,
    "12a": draw, "12b": draw_backward(DiagonalGaussian), "12c": divergence, "12d": kl_backward(DiagonalGaussian),
    "12e": log_draw, "13a": elbo_backward, "14a": draw_backward(FullGaussian), "14b": kl_backward(FullGaussian),
    "14c": learnt_noise, "14d": gradients(a_real_loss(HeteroscedasticGaussianNLL)), "14e": importance_weights,
}
