"""Exercises of lectures 11 to 14: draws, densities, divergences, bounds."""

import math
from functools import partial

import numpy as np

from numpyae import (IWAE, VAE, DiagonalGaussian, FullGaussian, GaussianNLL, GaussianPrior, HeteroscedasticGaussianNLL,
                     mlp)
from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import LOSS, gradients, hold, keeps, moved, must, primes, returned, table

LOG_2PI = math.log(2 * math.pi)


def of_three(kind):
    """Return make(rng) -> the examples of a posterior whose codes have 3 numbers: 2 could be that of a square."""
    return lambda rng: [example for example in kind.examples(rng) if example[0].d == 3]


def a_vae(posterior, rng, **options):
    """Return [(a small VAE, x)]; its noise is drawn anew."""
    N, D, H = rng.permutation([5, 7, 11, 13])[:3]        # d is 3, and draws are 4: no two sizes are the same
    q = posterior(3)
    prior = GaussianPrior(q.d, rng.standard_normal(q.d), rng.uniform(0.5, 2, q.d))
    model = VAE(mlp([D, H, q.size], rng=rng), mlp([q.d, H, D], rng=rng), GaussianNLL(0.8), q, prior, **options)
    return [(moved(model, rng), rng.standard_normal((N, D)))]


def returned_gradients(name, call, shapes):
    """Return call(). Raise Wrong unless it is arrays of these shapes, {gradient: shape}."""
    found = returned(name, call)
    must(isinstance(found, (tuple, list)) and len(found) == len(shapes),
         f"{name} must return ({', '.join(shapes)}), got {type(found).__name__}")
    for (what, shape), array in zip(shapes.items(), found):
        must(np.shape(array) == shape, f"{what} must have shape {shape}, got {np.shape(array)}"
             + (": the gradients of the draws must be added up" if np.shape(array)[1:] == shape else ""))
    return found


def a_posterior(kind, rng):
    """Return a posterior, its h, and the shapes of its gradients; one or several draws are still to be made."""
    N, d = primes(rng, 2)
    posterior = kind(min(d, 5))
    d = posterior.d
    shapes = {"dmu": (N, d), "dlogvar": (N, d), "dbelow": (N, d * (d - 1) // 2)}
    return posterior, rng.standard_normal((N, posterior.size)), dict(list(shapes.items())[:2 + (kind is FullGaussian)])


def draw_backward(kind, rng):
    """Judge sample_backward: the shapes it returns, for one draw and for several; gradients."""
    posterior, h, shapes = a_posterior(kind, rng)
    for draws in ((), (4,)):
        dz, epsilon = rng.standard_normal((2, *draws, *shapes["dmu"]))
        posterior.sample(h, epsilon)
        found = returned_gradients("sample_backward", lambda: posterior.sample_backward(dz), shapes)
    gradients(of_three(kind))(rng)
    hold("dmu of 4 draws", found[0], dz.sum(axis=0), {
        "the mean over the draws is taken where their sum belongs": dz.mean(axis=0)})
    gradients(partial(a_vae, kind, samples=4))(rng)


def kl_backward(kind, rng):
    """Judge kl_backward: gradients, and the closed form for N(μ₀, diag σ₀²), where σ₀ can be forgotten."""
    posterior, h, shapes = a_posterior(kind, rng)
    d = posterior.d
    mu0, sigma0 = rng.standard_normal(d), rng.uniform(0.5, 2, d)
    posterior.sample(h, np.zeros(shapes["dmu"]))
    posterior.kl(mu0, sigma0)
    dkl = rng.standard_normal(len(h))
    column, mu, variance = dkl[:, None], h[:, :d], np.exp(h[:, d:2 * d])
    found = returned_gradients("kl_backward", lambda: posterior.kl_backward(dkl), shapes)
    gradients(of_three(kind))(rng)
    numbers = mu - mu0, 0.5 * (variance - sigma0**2), h[:, 2 * d:]           # over σ₀², these are the derivatives
    rows = np.tril_indices(d, -1)[0]
    for name, array, number, unit in zip(shapes, found, numbers, (sigma0, sigma0, sigma0[rows])):
        hold(name, array, column * number / unit**2, {
            "it must still be divided by σ₀: by the chain rule through m, or through l": column * number / unit,
            "it is divided by σ₀ once too often": column * number / unit**3})
    gradients(partial(a_vae, kind))(rng)


@exercise("11a", "priors.GaussianPrior.log_density", "log density of the prior",
          '[004] "Autoencoders as probabilistic generative models"', """
  log p(z) for p(z) = N(μ, diag σ²), in nats, summed over the d numbers of a code: (N,) for z (N, d), (K, N) for z (K,
  N, d). mu and sigma are arrays: (d,), or one number for all of them. A density, so the constants count. Keep
  self.slope = ∂log p/∂z, of the shape of z: the way back needs it.""", given=1)
def log_prior(rng):
    K, N, d = primes(rng, 3)
    mu, sigma = rng.standard_normal(d), rng.uniform(0.5, 2, d)
    prior, z = GaussianPrior(d, mu, sigma), rng.standard_normal((K, N, d))
    for some in (z, z[0]):
        squares = ((some - mu) ** 2 / sigma**2).sum(axis=-1)
        truth = table(some.shape[:-1], lambda *n: sum(
            -0.5 * ((some[n][j] - mu[j]) / sigma[j]) ** 2 - math.log(sigma[j]) - 0.5 * LOG_2PI for j in range(d)))
        hold("log p(z)", returned("log_density", prior.log_density, some), truth, {
            "the constant -½ log 2π of each number is missing": truth + 0.5 * d * LOG_2PI,
            "the normaliser -log σ - ½ log 2π of each number is missing": -0.5 * squares,
            "log σ is missing": truth + np.log(sigma).sum(),
            "log σ² must be halved": truth - np.log(sigma).sum(),
            "the ½ in front of the squares is missing": truth - 0.5 * squares,
            "the squares are divided by σ where σ² belongs":
                truth + 0.5 * squares - 0.5 * ((some - mu) ** 2 / sigma).sum(axis=-1),
            "this is the density of N(0, I): μ and σ are not used":
                -0.5 * (some**2).sum(axis=-1) - 0.5 * d * LOG_2PI,
            "this is -log p(z)": -truth, "this is p(z); its logarithm is asked for": np.exp(truth),
            "it is summed over the samples too": truth.sum(),
            "the mean over the numbers is taken where their sum belongs": truth / d}, {"the size of the code": d})
        keeps("log_density", prior, {"slope": -(some - mu) / sigma**2}, {
            "it is divided by σ where σ² belongs": -(some - mu) / sigma})
    half_squares = -0.5 * (((z - 0.5) / 2) ** 2 + LOG_2PI).sum(axis=-1)
    hold("log p(z) for one number σ", returned("log_density", GaussianPrior(d, 0.5, 2.0).log_density, z),
         half_squares - d * math.log(2), {"log σ counts for each of the d numbers": half_squares - math.log(2)})


@exercise("12a", "latent.DiagonalGaussian.sample", "reparameterisation, forward",
          '[000] "One important detail: backpropagation through random sampling?"', """
  Draw first, from a distribution without parameters, and compute z from that: z = μ + σ ε, ε ~ N(0, I). h (N, 2d)
  holds μ, then logvar = log σ²; epsilon is (N, d), or (K, N, d) for K draws, and z is like it. Keep self.mu,
  self.logvar, self.sigma, self.epsilon and self.z for the way back.""", given=1)
def reparameterisation(rng):
    K, N, d = primes(rng, 3)
    h, epsilon = rng.standard_normal((N, 2 * d)), rng.standard_normal((K, N, d))
    mu, logvar = h[:, :d], h[:, d:]
    for eps in (epsilon[0], epsilon):
        posterior = DiagonalGaussian(d)
        truth = table(eps.shape, lambda *index: mu[index[-2:]] + math.exp(logvar[index[-2:]] / 2) * eps[index])
        hold("z", returned("sample", posterior.sample, h, eps), truth, {
            "σ is e^(½ logvar), and this has e^logvar, which is σ²": mu + np.exp(logvar) * eps,
            "logvar itself is taken for σ; σ = e^(½ logvar)": mu + logvar * eps,
            "½ logvar is taken for σ; σ = e^(½ logvar)": mu + 0.5 * logvar * eps,
            "σ is missing: ε must be multiplied by it": mu + eps, "ε is missing": mu + np.exp(0.5 * logvar) + 0 * eps,
            "μ is missing": np.exp(0.5 * logvar) * eps, "this is μ without noise": mu + 0 * eps,
            "σ ε is subtracted: the right distribution, but backward has z = μ + σ ε": mu - np.exp(0.5 * logvar) * eps,
            "μ and logvar are exchanged: h holds μ first": logvar + np.exp(0.5 * mu) * eps})
        keeps("sample", posterior,
              {"mu": mu, "logvar": logvar, "sigma": np.exp(0.5 * logvar), "epsilon": eps, "z": truth})


exercise("12b", "latent.DiagonalGaussian.sample_backward", "reparameterisation, backward",
          '[001] "The Reparameterization Trick"; [000] "One important detail"', """
  dz is ∂L/∂z of z = μ + σ ε, where σ = e^(½ logvar). Return (dmu, dlogvar), both (N, d). ∂z/∂μ = 1 and ∂z/∂σ = ε; from
  σ to logvar is one more step of the chain rule. With dz (K, N, d), K draws for each sample, they share one μ and one
  σ: their gradients add up.""", judge=partial(draw_backward, DiagonalGaussian))


@exercise("12c", "latent.DiagonalGaussian.kl", "KL divergence, forward",
          '[000] "KL divergence as regulariser"; [003] 7; [004] "Training"', """
  KL(q ‖ p) in nats, (N,), of q = N(μ, diag σ²), μ and logvar = log σ² (N, d), from p = N(μ₀, diag σ₀²). For N(0, I) it
  is ½ Σ_j (μ² + σ² - log σ² - 1). In general it is the same after μ - μ₀ and σ are measured in units of σ₀: m = (μ -
  μ₀) / σ₀ and v = logvar - log σ₀² in the place of μ and logvar. Keep self.m and self.v (N, d) for the way back;
  self.sigma0 (d,) is kept already, and `own_sigma0` is it.""", given=2)
def divergence(rng):
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
        hold("KL" if np.ndim(mu0) == 0 else "KL to N(μ₀, diag σ₀²)",
             returned("kl", lambda: posterior.kl(mu0, sigma0)), truth, {
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
        keeps("kl", posterior, {"m": m, "v": v})


exercise("12d", "latent.DiagonalGaussian.kl_backward", "KL divergence, backward",
          '[000] "KL divergence as regulariser"; [003] 7; [004] "Training"', """
  dkl is ∂L/∂KL, (N,), of KL = ½ Σ_j (m² + e^v - v - 1) with m = (μ - μ₀) / σ₀ and v = logvar - log σ₀². Return (dmu,
  dlogvar), both (N, d). Forward has kept m, v (N, d) and sigma0 (d,).""", judge=partial(kl_backward, DiagonalGaussian))


@exercise("12e", "latent.DiagonalGaussian.log_density", "log density of the draw",
          '[004] "Training"; [003] 4 "Latent variables models"', """
  log q(z|x) of the z = μ + σ ε that was drawn, in nats, summed over the d numbers of a code: (N,), or (K, N) for
  epsilon (K, N, d). Forward has kept mu, logvar = log σ², (N, d), and epsilon: (z - μ) / σ is ε. A density, so the
  constants count.""")
def log_draw(rng):
    K, N, d = primes(rng, 3)
    h, epsilon = rng.standard_normal((N, 2 * d)), rng.standard_normal((K, N, d))
    mu, logvar = h[:, :d], h[:, d:]
    for eps in (epsilon[0], epsilon):
        posterior = DiagonalGaussian(d)
        z = posterior.sample(h, eps)
        each = table(eps.shape, lambda *i: -0.5 * (
            (z[i] - mu[i[-2:]]) ** 2 / math.exp(logvar[i[-2:]]) + logvar[i[-2:]] + LOG_2PI))
        truth = each.sum(axis=-1)
        hold("log q", returned("log_density", posterior.log_density), truth, {
            "the constant -½ log 2π of each number is missing": truth + 0.5 * d * LOG_2PI,
            "logvar is missing: the normaliser of a density depends on σ": truth + 0.5 * logvar.sum(axis=-1),
            "logvar must be halved: it is log σ²": truth - 0.5 * logvar.sum(axis=-1),
            "the ½ in front of ε² is missing": truth - 0.5 * (eps**2).sum(axis=-1),
            "ε² is divided by σ² once more: ε is (z - μ)/σ already":
                truth + 0.5 * (eps**2).sum(axis=-1) - 0.5 * (eps**2 / np.exp(logvar)).sum(axis=-1),
            "this is -log q": -truth, "this is q; its logarithm is asked for": np.exp(truth),
            "it is summed over the samples too": truth.sum(),
            "the mean over the numbers is taken where their sum belongs": truth / d,
            "the sum over the numbers of a code is missing": each}, {"the size of the code": d})


exercise("13a", "vae.VAE.backward", "ELBO, backward",
          '[000] "Deriving the evidence lower bound"; [001] "Training the Model"', """
  The loss is -ELBO = reconstruction + KL, and loss() has run forward: encoder, h = (μ, logvar), z = μ + σ ε, decoder,
  likelihood. Go back:

      do      likelihood.backward(weights["reconstruction"])
      dz      decoder.backward(...), of the shape of posterior.z
      dh      posterior.backward(dz, dkl), both ways into h: through the draw, and through the KL; dkl is weights["kl"]
      encoder.backward(dh, input_gradient=False)

  weights are ∂L/∂(value of each sample): 1/N, with beta in that of the KL. Where `sampled` is true, the KL was
  estimated from the z drawn, log q(z|x) - log p(z): then prior.backward(-dkl) is one more summand of dz, and dh is
  posterior.backward(dz, dlog_q=dkl). `added` has the deltas of penalties, of which there are none here. End with
  `return grad`.""", given=1,
         judge=gradients(lambda rng: (a_vae(DiagonalGaussian, rng, **options)[0] for options in (
             {}, {"beta": 0.4}, {"samples": 4}, {"kl": "sampled", "samples": 4}))))


exercise("14a", "latent.FullGaussian.sample_backward", "full covariance, backward",
          '[000] "One important detail" (z = μ + L ε)', """
  dz is ∂L/∂z of z = μ + L ε, L (N, d, d) lower triangular: on its diagonal σ_j = e^(½ logvar_j), below it the numbers
  `below`, of which number i stands in row rows[i], column columns[i]. Return (dmu, dlogvar, dbelow), (N, d), (N, d)
  and (N, d (d - 1) / 2). With dz (K, N, d) the K draws add up.""", judge=partial(draw_backward, FullGaussian))

exercise("14b", "latent.FullGaussian.kl_backward", "KL of a full covariance, backward",
          '[000] "One important detail" (z = μ + L ε)', """
  dkl is ∂L/∂KL, (N,), of KL = ½ Σ_j (m_j² + e^v_j - v_j - 1) + ½ Σ_i l_i², with m = (μ - μ₀) / σ₀, v = logvar - log
  σ₀², and l_i = below_i / σ₀ of row rows[i]. Return (dmu, dlogvar, dbelow). Forward has kept m, v (N, d), l (N, d (d -
  1) / 2) and sigma0 (d,).""", judge=partial(kl_backward, FullGaussian))


@exercise("14c", "losses.GaussianNLL.backward", "learnt noise, backward",
          '[004] "the noise parameter ρ might be another parameter to be trained"', """
  For L = Σ_n weight_n value_n, value_n = ½ Σ_d (o - t)² / σ² + ½ D log(2π σ²), return delta = ∂L/∂o, (N, D), and, if
  `learn`, add ∂L/∂logvar, logvar = log σ², one number, to dlogvar in place. Forward has kept r = o - t (N, D), squares
  = Σ_d r² / σ² (N,) and precision = 1/σ².""")
def learnt_noise(rng):
    gradients(GaussianNLL.examples, LOSS)(rng)
    loss, (o, t) = GaussianNLL(0.7), rng.standard_normal((2, 3, 5))
    loss.forward(o, t)
    loss.backward(np.ones(3))
    must(not np.any(loss.dlogvar), "dlogvar changes although `learn` is False: then σ is fixed")


exercise("14d", "losses.HeteroscedasticGaussianNLL.backward", "mean and noise, backward",
          '[000] "Deterministic vs. variational autoencoder, Gaussian case"', """
  The network says how sure it is: its output (N, 2D) holds μ, then logvar = log σ². For L = Σ_n weight_n value_n,
  value_n = ½ Σ_d [(μ - t)² / σ² + logvar + log 2π], return ∂L/∂output, (N, 2D), both halves side by side. Forward has
  kept r = μ - t and precision = 1/σ², both (N, D).""", judge=gradients(HeteroscedasticGaussianNLL.examples))


@exercise("14e", "vae.IWAE.loss", "importance weights", 'lecture 14, "The importance-weighted bound"', """
  K draws z_k for each sample have the weights w_k = p(x|z_k) p(z_k) / q(z_k|x), and the bound is log 1/K Σ_k w_k. Here
  z is (K, N, d), nll = -log p(x|z) is (K N,), K rows of N one after the other. prior.log_density(z) is log p(z),
  posterior.log_density() is log q(z|x), both (K, N), or (N,) for K = 1. Compute

      bound         log 1/K Σ_k w_k of every sample, (N,)
      self.share    w_k / Σ_k w_k, (K, N): the gradient of log Σ_k w_k, which the way back needs

  log w is around -100 or -1000: take the largest of each column out before you exponentiate. Here the model's
  `posterior` and `prior` are given.""", given=7, closing=2)
def importance_weights(rng):
    for K in (5, 1):
        N, D, H = primes(rng, 3)
        model = moved(IWAE(mlp([D, H, 4], rng=rng), mlp([2, H, D], rng=rng), GaussianNLL(0.03), DiagonalGaussian(2),
                           samples=K), rng)
        x = rng.standard_normal((N, D))
        value = returned("loss", lambda x: model.loss(x, rng=int(rng.integers(2**32))), x)
        nll = model.likelihood.forward(model.decoder.forward(model.posterior.z.reshape(-1, 2)),
                                       np.tile(x, (K, 1))).reshape(K, N)
        log_p = model.prior.log_density(model.posterior.z).reshape(K, N)
        log_q = model.posterior.log_density().reshape(K, N)

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
            "it has p(x|z) upside down: nll is -log p(x|z)": bound(log_p + nll - log_q),
            "the sign is wrong": -bound(log_w),
            "the weights are upside down: w = p(x|z) p(z) / q(z|x)": bound(-log_w),
            "nll is sorted wrongly into (K, N): it is K rows of N":
                bound(log_p - nll.reshape(-1).reshape(N, K).T - log_q),
            "the largest log w was taken out and not put back": bound(log_w - log_w.max(axis=0))})
        share = np.exp(log_w - log_w.max(axis=0))
        keeps("loss", model, {"share": share / share.sum(axis=0)}, {
            "the shares are normalised over the samples; those of the K draws of a sample sum to 1":
                share / share.sum(axis=1, keepdims=True),
            "the shares are not divided by their sum": share})
