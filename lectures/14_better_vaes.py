# %% [markdown]
# # 14. Better VAEs: a better q, a better p(x|z), a better prior, a better bound, and how to know
#
# A variational autoencoder has four parts that can be chosen: the posterior q(z|x) that the encoder
# describes, the likelihood p(x|z) that the decoder describes, the prior p(z), and the bound of log p(x) that
# is climbed. The usual choice (a Gaussian with independent numbers, a fixed noise or Bernoulli pixels, N(0,
# I), the ELBO) is the simplest one. This lecture changes one part at a time, with the gain measured in nats,
# against the exact log p(x) where that can be computed. Two common habits, a σ that nobody chose and the
# Bernoulli loss of grey pixels read as log p(x), turn out to be mistakes.
#
# Takes about 10 s; with `--full` about 15 minutes: handwritten digits (MNIST) instead of typeset ones, more
# epochs, and faces.

# %%
import copy
import math
import warnings

import numpy as np
from matplotlib.patches import Ellipse

from numpyae import (IWAE, VAE, Adam, BernoulliNLL, ContinuousBernoulliNLL, DiagonalGaussian, FullGaussian, GaussianNLL,
                     Layer, MixturePrior, course, datasets, fit, mlp, plots)
from numpyae.evaluation import active_units, annealed_importance_sampling, cluster_purity, kl_of_units, probe
from numpyae.tasks import augment, interpolate

FULL = course.full()
LOG_2PI = math.log(2 * math.pi)
BLUE, ORANGE, RED, GREY, PURPLE = plots.COLOURS[:5]

# %% [markdown]
# ## z = μ + L ε: full against diagonal covariance
#
# [000] draws the code as z = μ + L ε with Σ = L Lᵀ, so that q(z|x) = N(μ, Σ) may be an ellipse in any
# direction. A slide before, and in [001] and [004], Σ is diagonal: the ellipse must lie along the axes.
# What is lost? Take a model in which all is known: z has d = 2 numbers, x has D = 3. With x and z as rows, as
# everywhere in this course, and W of d rows and D columns,
#
#     z ~ N(0, I),   x = z W + σ_x ε
#
# Then p(x) = N(0, WᵀW + σ_x² I), and the posterior p(z|x) = N(m, Λ⁻¹) is Gaussian. Its precision Λ (the
# inverse of its covariance, d x d) and its mean are
#
#     Λ = I + W Wᵀ / σ_x²,   m = x Wᵀ Λ⁻¹ / σ_x²
#
# Λ is the same for every x. If the two rows of W are alike, Λ is far from diagonal: x tells the sum of the
# two z well and their difference badly. For a diagonal q = N(m, diag s), s_j its variances,
#
#     KL(q ‖ p(z|x)) = ½ [Σ_j Λ_jj s_j - d - Σ_j log s_j - log det Λ]
#
# and its derivative ½ (Λ_jj - 1/s_j) is 0 at s_j = 1/Λ_jj. What remains is the gap
#
#     log p(x) - ELBO = ½ [Σ_j log Λ_jj - log det Λ]
#
# It is never negative (Hadamard's inequality), and for d = 2 it is -½ log(1 - r²), r the correlation of the
# posterior. A full q has no gap. We train both, with the true W as the decoder, a layer that learns nothing.

# %%
W, SIGMA_X = np.array([[1.0, 0.9, 0.3], [0.9, 1.0, 0.6]]), 0.5                  # x = z W + noise, d = 2, D = 3


class Given(Layer):
    """o = z W, the decoder of our model: no parameters."""

    n_in, n_out = 2, 3

    def forward(self, z):
        return z @ W

    def backward(self, delta):
        return delta @ W.T


def train_on(model, x, steps=1300):
    """Adam, its rate falling from 0.02 to almost 0."""
    optimizer, rng = Adam(0.02), np.random.default_rng(1)
    for step in range(steps):
        optimizer.alpha = 0.02 * (1 - step / steps) + 1e-5
        model.loss(x[rng.integers(len(x), size=100)], rng=rng)
        optimizer.step(model.w, model.backward())
    return model


def log_normal(x, covariance):
    """log N(x; 0, covariance), (N,)."""
    squares = np.sum(x @ np.linalg.inv(covariance) * x, axis=1)
    return -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])


# %%
rng = np.random.default_rng(0)
x = linear_x = rng.normal(size=(2000, 2)) @ W + SIGMA_X * rng.normal(size=(2000, 3))
precision = np.eye(2) + W @ W.T / SIGMA_X**2                       # Λ
predicted = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
correlation = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
assert abs(predicted + 0.5 * np.log(1 - correlation**2)) < 1e-12
log_p = log_normal(x, W.T @ W + SIGMA_X**2 * np.eye(3))
print(f"posterior correlation {correlation:.3f}, predicted gap of a diagonal q {predicted:.4f} nats; "
      f"mean log p(x) {log_p.mean():.4f}")

# %%
print("posterior          log p(x) - ELBO, nats      q's standard deviations     true ones")
linear, gap, narrow = {}, {}, {}
true = np.sqrt(np.diag(np.linalg.inv(precision)))
for posterior in (DiagonalGaussian(2), FullGaussian(2)):
    name, rng = type(posterior).__name__, np.random.default_rng(1)
    linear[name] = train_on(VAE(mlp([3, posterior.size], rng=rng), Given(), GaussianNLL(SIGMA_X), posterior), x)
    gaps = log_p - linear[name].elbo(x, 50, rng=np.random.default_rng(2))
    linear[name].encode(x)                                         # the posterior keeps the μ and σ of these x
    own = np.sqrt(posterior.variance().mean(axis=0))
    gap[name], narrow[name] = gaps.mean(), own / true
    print(f"{name:17} {gaps.mean():10.4f} ± {gaps.std() / np.sqrt(len(x)):.4f} {own[0]:18.3f} {own[1]:.3f} "
          f"{true[0]:15.3f} {true[1]:.3f}")
assert abs(gap["DiagonalGaussian"] - predicted) < 0.02 and abs(gap["FullGaussian"]) < 0.03
assert np.allclose(narrow["DiagonalGaussian"], np.sqrt(1 - correlation**2), atol=0.02)
assert np.allclose(narrow["FullGaussian"], 1, atol=0.03)

# %% [markdown]
# The diagonal q misses by 0.70 nats, as predicted, the full one by a hundredth, which is what training has
# not yet removed. And the diagonal one is too narrow, 0.33 where the truth is 0.67: its s_j = 1/Λ_jj is the
# variance of z_j *given the other z*, smaller by 1 - r². Whoever reads its σ as "how well is z_j known" is
# misled, here by a factor of 2.
#
# Is it worth the d(d-1)/2 outputs more? So far the decoder was given. A decoder that learns can turn the
# code: with R W in place of W, R a rotation, p(x) is the same, and there is an R that makes Λ diagonal. The
# ELBO rewards it, since the gap is part of the loss. So we let the decoder learn too, with a diagonal q.

# %%
rng = np.random.default_rng(1)
learnt = train_on(VAE(mlp([3, 4], rng=rng), mlp([2, 3], rng=rng), GaussianNLL(SIGMA_X), DiagonalGaussian(2)), x, 1500)
V, b = learnt.decoder.layers[0].W, learnt.decoder.layers[0].b      # the W that was learnt, x = z V + b + noise
turned = np.eye(2) + V @ V.T / SIGMA_X**2
own_log_p = log_normal(x - b, V.T @ V + SIGMA_X**2 * np.eye(3))
turned_gap = (own_log_p - learnt.elbo(x, 50, rng=np.random.default_rng(2))).mean()
for name, matrix, value in (("given", precision, predicted), ("learnt", turned, turned_gap)):
    print(f"Λ of the {name:6} W: {matrix.round(2).tolist()}   gap of a diagonal q {value:.4f}")
print(f"mean log p(x): given W {log_p.mean():.4f}, learnt W {own_log_p.mean():.4f}")
assert abs(turned[0, 1]) < 0.1 and abs(turned_gap) < 0.02 and own_log_p.mean() > log_p.mean() - 0.01

# %% [markdown]
# The learnt decoder describes the data as well, and has turned its axes until a diagonal q loses nothing.
# That is one reason why a diagonal q does well in practice, and why the axes of its code are not arbitrary,
# as those of a model that knows only p(x) would be (Lucas et al. 2019; Rolínek et al. 2019 follow this
# further). Where the decoder is curved, Λ differs from x to x, one rotation cannot serve all, and a full q
# may keep an advantage. We have not measured how much.

# %%
def ellipse(axes, mean, covariance, deviations=2, **look):
    values, vectors = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
    axes.add_patch(Ellipse(mean, *(2 * deviations * np.sqrt(values[::-1])), angle=angle, **look))


def covariance_of(model, one):
    model.encode(one)
    q = model.posterior
    return (q.L @ np.swapaxes(q.L, 1, 2))[0] if isinstance(q, FullGaussian) else np.diag(q.sigma[0]**2)


figure = plots.new_figure("Grey: p(z|x) of one x, dashed: q(z|x); ellipses of 2 standard deviations, which hold 86 %. A "
                          "diagonal q only fits into the middle of a slanted posterior. Right: a decoder that learns has "
                          "turned the posterior until it lies along the axes.", 16, 9)
grid, one = figure.add_gridspec(1, 3), x[:1]
panels = (("Diagonal q", linear["DiagonalGaussian"], precision, W, 0), ("Full q", linear["FullGaussian"], precision, W, 0),
          ("Diagonal q, learnt decoder", learnt, turned, V, b))
for k, (title, model, true, matrix, offset) in enumerate(panels):
    axes = plots.new_axes(figure, grid[k], title, "z₁", "z₂" if k == 0 else "")
    mean = np.linalg.solve(true, matrix @ (one - offset)[0]) / SIGMA_X**2
    ellipse(axes, mean, np.linalg.inv(true), color=GREY, alpha=0.5, label="p(z|x), exact")
    ellipse(axes, model.encode(one)[0], covariance_of(model, one), fill=False, color=RED, linewidth=3.5, linestyle="--",
            label="q(z|x)")
    axes.set(xlim=mean[0] + np.array([-1.9, 1.9]), ylim=mean[1] + np.array([-2.6, 2.6]), aspect="equal")
    axes.legend(fontsize=plots.TICKS, loc="lower left")
course.show(figure, "14_covariance")

# %% [markdown]
# ## The noise parameter ρ might be known, or trained
#
# [004] models real data as x ~ f(z) + N(0, ρ² I) and remarks that "the noise parameter ρ might be known, or
# it might be another parameter to be trained" with the rest. We call it σ. The loss of a Gaussian with a
# fixed σ is
#
#     L = ‖x - o‖² / (2σ²) + KL + D/2 log(2πσ²)
#
# and times 2σ²: ‖x - o‖² + 2σ² KL + constant. So squared error plus β KL is the same loss with **β = 2σ²**: a
# fixed σ is a hidden β. [000] has ½ ‖x - o‖² + KL, σ = 1. For pixels between 0 and 1 that says that the model
# expects to miss every pixel by ±1, white for black. A mean over D pixels in place of the sum is σ² = D/2,
# 392 for MNIST (lecture 13). The equivalence is exact, which the gradients of one network show.

# %%
if FULL:
    mnist = datasets.load("mnist", dtype=np.float32)
    side, hidden, epochs, alpha, batch_size = 28, 200, 15, 2e-3, 100
    grey, y, grey_new, y_new = mnist.x, mnist.y, mnist.x_test, mnist.y_test
else:
    side, hidden, epochs, alpha, batch_size = 14, 100, 20, 5e-3, 50
    pictures, labels = datasets.digits(1600, np.random.default_rng(0), np.float32)
    pictures = pictures.reshape(-1, side, 2, side, 2).mean(axis=(2, 4)).reshape(-1, side * side)      # means of 2 x 2 pixels
    grey, y, grey_new, y_new = pictures[:1200], labels[:1200], pictures[1200:], labels[1200:]
D, d = side * side, 8


def networks(d, outputs=None, seed=0):
    """Encoder D-hidden-2d and decoder d-hidden-D, tanh."""
    rng = np.random.default_rng(seed)
    return mlp([D, hidden, 2 * d], rng=rng), mlp([d, hidden, outputs or D], rng=rng)


def train(model, x, epochs=epochs, alpha=alpha, start=False):
    """In float32, Adam, its rate falling to almost 0; start: from the best constant output. Returns the model."""
    def cool(model, history, optimizer):
        optimizer.alpha = alpha * (1 - history.epochs / epochs) + 1e-5

    model = model.astype(np.float32)
    if start:
        model.start_at(x)
    rng = np.random.default_rng(1)
    fit(model, x, optimizer=Adam(alpha), epochs=epochs, batch_size=batch_size, rng=rng, callbacks=[cool])
    return model


# %%
noise = {"epsilon": np.random.default_rng(0).normal(size=(20, d))}
print("  σ       β = 2σ²   gradient with σ, times 2σ², against that of squared error + β KL")
for sigma in (1.0, 0.5, 0.1):
    beta = 2 * sigma**2
    with_sigma = VAE(*networks(d), GaussianNLL(sigma), DiagonalGaussian(d))
    with_beta = VAE(*networks(d), GaussianNLL(math.sqrt(0.5)), DiagonalGaussian(d), beta=beta)    # ‖x - o‖² + ...
    gradients = []
    for model in (with_sigma, with_beta):
        model.loss(grey_new[:20].astype(np.float64), noise=noise)
        gradients.append(model.backward().copy())
    difference = np.abs(beta * gradients[0] - gradients[1]).max() / np.abs(gradients[1]).max()
    print(f"{sigma:5.2f} {beta:9.2f}    largest difference {difference:.1e} of the largest element")
    assert difference < 1e-12

# %% [markdown]
# Which σ is right? Let S be the mean of E_q ‖x - o‖² over the data. ∂L/∂σ² = -S / 2σ⁴ + D / 2σ² is 0 at
#
#     σ² = S / D
#
# the mean squared error of a pixel. So σ need not be guessed: `GaussianNLL(learn=True)` has log σ² as one
# more parameter. We train with σ = 1, 0.1 and learnt. Grey levels are whole numbers k/255, and a density of
# such data has no upper limit (it can put a spike on each level), so first each level becomes an interval,
# (k + u)/256 with u uniform in [0, 1]. Then
#
#     bits per pixel = 8 - log p(x) / (D ln 2)
#
# is comparable with a file's: 8 is what a pixel costs of which nothing is known (Theis et al. 2016). With the
# ELBO in place of log p(x), as here, it is an upper limit. The column "ELBO, σ after" gives each network the
# best σ after training, from S of the same new digits, which is arithmetic: -D/2 log(2πe S/D) - KL.

# %%
def interval(grey, rng):
    """Levels k/255 as (k + u)/256, u uniform: data that have a density."""
    return (np.rint(255 * grey) + rng.random(grey.shape, dtype=np.float32)) / np.float32(256)


rng = np.random.default_rng(2)
x, x_new = interval(grey, rng), interval(grey_new, rng)
by_sigma, rows = {}, {}
print("σ          ELBO, nats   bits/pixel   σ after   ELBO, σ after   KL, nats   error/pixel²   active of 8")
for name, likelihood in (("1", GaussianNLL(1.0)), ("0.1", GaussianNLL(0.1)), ("learnt", GaussianNLL(0.2, learn=True))):
    model = by_sigma[name] = train(VAE(*networks(d), likelihood, DiagonalGaussian(d)), x)
    reconstruction, kl = model.bound_terms(x_new, 5, np.random.default_rng(3))
    s = model.likelihood.sigma
    S = 2 * s**2 * (reconstruction.mean() - 0.5 * D * (LOG_2PI + 2 * math.log(s)))           # E ‖x - o‖²
    bound, after = -(reconstruction + kl).mean(), -0.5 * D * (LOG_2PI + 1 + math.log(S / D)) - kl.mean()
    error = np.mean((model.reconstruct(x_new) - x_new)**2)
    active = np.sum(active_units(model, x_new) > 0.01)
    rows[name] = bound, after, kl.mean(), error, active, S
    print(f"{name:10} {bound:10.1f} {8 - bound / (D * math.log(2)):12.2f} {math.sqrt(S / D):9.3f} {after:15.1f} "
          f"{kl.mean():10.1f} {error:14.4f} {active:8d}")

# %%
learnt_sigma = by_sigma["learnt"].likelihood.sigma
reconstruction = by_sigma["learnt"].bound_terms(x, 1, np.random.default_rng(3))[0].mean()
S = 2 * learnt_sigma**2 * (reconstruction - 0.5 * D * (LOG_2PI + 2 * math.log(learnt_sigma)))
print(f"learnt σ {learnt_sigma:.4f}, on the training data √(S/D) = {math.sqrt(S / D):.4f}")
assert abs(learnt_sigma / math.sqrt(S / D) - 1) < 0.12
assert rows["1"][0] < rows["0.1"][0] - 100 and rows["1"][1] < rows["learnt"][1] - 50
assert rows["1"][2] < 0.3 * rows["learnt"][2] and rows["1"][3] > 1.3 * rows["learnt"][3] and (FULL or rows["1"][2] < 1)
assert rows["learnt"][0] > rows["0.1"][0] + 15 and abs(rows["learnt"][1] - rows["0.1"][1]) < 15

# %% [markdown]
# σ = 1 is not only the wrong number in the bound. With the best σ put in afterwards the network is still far
# behind: β = 2 has made the code too expensive. All eight units together say less than half a nat, and the
# pictures are blurs. (With `--full` about 5 nats, where the others say 24 to 30.) With σ = 0.1, a good guess,
# the network is as good as with the learnt σ, only the number is wrong: the same network with its σ put right
# has a bound 27 nats higher. The learnt σ finds its value by itself, near the root of the mean squared error.
# In this short run it ends 9 % above it, since it follows while the network improves; with three times the
# epochs it was 3 %.

# %%
def page(axes, rows, names=None):
    """Rows of as many pictures each, with a name at the left of each."""
    across, down = len(rows[0]), len(rows)
    sheet = np.full((down * (side + 1), across * (side + 1)), np.nan)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * (side + 1), j * (side + 1)
            sheet[top:top + side, left:left + side] = picture.reshape(side, side)
    axes.imshow(np.ma.masked_invalid(sheet), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks((side + 1) * np.arange(down) + side / 2, names or [""] * down, fontsize=plots.TEXT)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


figure = plots.new_figure("With σ = 1 the code is too expensive: reconstructions of different digits are alike. With 0.1 "
                          "and with the learnt σ they follow the data. The samples are E[x|z] for z from N(0, I).", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "A fixed σ is a hidden β")
reconstructed = [model.reconstruct(x_new[:13]) for model in by_sigma.values()]
sampled = [model.sample(13, np.random.default_rng(4)) for model in by_sigma.values()]
names = ["data", *(f"σ {name}" for name in by_sigma), *(f"samples, σ {name}" for name in by_sigma)]
page(axes, [x_new[:13], *reconstructed, *sampled], names)
course.show(figure, "14_sigma")

# %% [markdown]
# ## Grey pixels: the continuous Bernoulli
#
# [004]'s footnote 35: the Bernoulli loss of grey images "technically corresponds to a continuous analogue of
# the Bernoulli random variable", but most pixels "are 0 or 1, and so there's little harm in just pretending
# they're Bernoulli". The Bernoulli loss -t log λ - (1 - t) log(1 - λ) is defined for t between 0 and 1, but
# λᵗ (1 - λ)¹⁻ᵗ is no density: its integral over t is
#
#     ∫₀¹ λᵗ (1 - λ)¹⁻ᵗ dt = (2λ - 1) / log(λ / (1 - λ)),   ½ at λ = ½
#
# Divided by it, it is a density: the *continuous Bernoulli* (Loaiza-Ganem & Cunningham 2019). In the logit
# o = log(λ / (1 - λ)) its density is e^(o t - A(o)) with A(o) = log((e^o - 1) / o). And then λ is not the mean
# any more, which is A'(o).

# %%
t = (np.arange(100000) + 0.5) / 100000
density = ContinuousBernoulliNLL()
print("    λ    area under the Bernoulli's λᵗ(1-λ)¹⁻ᵗ   formula   under the continuous one   its mean")
for lam in (0.5001, 0.7, 0.9, 0.99, 0.999):
    o = np.full((len(t), 1), math.log(lam / (1 - lam)))
    area = np.mean(lam**t * (1 - lam)**(1 - t))
    formula = (2 * lam - 1) / math.log(lam / (1 - lam))
    proper, mean = np.mean(np.exp(-density.forward(o, t[:, None]))), density.mean(o)[0, 0]
    print(f"{lam:8.4f} {area:28.4f} {formula:18.4f} {proper:19.6f} {mean:17.4f}")
    assert abs(area - formula) < 1e-6 and abs(proper - 1) < 1e-6
    assert abs(np.mean(t * np.exp(-density.forward(o, t[:, None]))) - mean) < 1e-6

# %% [markdown]
# The areas are all below 1, by a factor that depends on λ. So the Bernoulli number understates the density of
# the same λ, by at least ln 2 a pixel, and the normaliser that was left out would have favoured λ near 0 and
# 1.
#
# Now we train the same network with both. A warning from experience first. The best logit of a pixel that is
# always black is about -512 (mean 1/512). A network that starts near 0 spends its steps on the way there, the
# same for every x. In a short training nothing is left for the code (below, "started at 0"); after the 9000
# steps of `--full` it is behind by a hundred nats. So both start with biases that give the mean picture,
# `model.start_at(x)`: A'(b) = mean for the continuous one, found by bisection.
#
# The networks trained with the Bernoulli loss are then read as densities: once with the same λ, once, kinder,
# with the continuous Bernoulli that has p as its *mean*. And beside them stands the Gaussian with the learnt
# σ, whose number is a density too, in the same units.

# %%
def logit_of_mean(mean):
    """o with A'(o) = mean, by bisection."""
    low, high = np.full(mean.shape, -2000.0), np.full(mean.shape, 2000.0)
    for _ in range(40):
        middle = 0.5 * (low + high)
        below = density.mean(middle) < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


# %%
cold = train(VAE(*networks(d), ContinuousBernoulliNLL(), DiagonalGaussian(d)), x)
continuous = train(VAE(*networks(d), ContinuousBernoulliNLL(), DiagonalGaussian(d)), x, start=True)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")                                # of grey data under a Bernoulli likelihood: we know
    pretending = train(VAE(*networks(d), BernoulliNLL(), DiagonalGaussian(d)), x, start=True)

# %%
rng = np.random.default_rng(3)
few = slice(0, 1000)
print(f"pixels between 0.1 and 0.9: {np.mean((x_new > 0.1) & (x_new < 0.9)):.0%}")
h = pretending.evaluate(pretending.encoder, x_new[few])
z = pretending.posterior.sample(h, rng.standard_normal((len(h), d), np.float32))
o, kl = pretending.evaluate(pretending.decoder, z).astype(np.float64), pretending.posterior.kl()
target = x_new[few].astype(np.float64)
same_mean = logit_of_mean(np.clip(pretending.likelihood.mean(o), 1e-3, 1 - 1e-3))
grey_bounds = {"Bernoulli, no density": (-pretending.likelihood.forward(o, target) - kl).mean(),
               "  read with the same λ": (-density.forward(o, target) - kl).mean(),
               "  read with the same mean": (-density.forward(same_mean, target) - kl).mean(),
               "continuous Bernoulli": continuous.elbo(x_new[few], 5, rng).mean(),
               "  started at 0": cold.elbo(x_new[few], 5, rng).mean(),
               "Gaussian, σ learnt": by_sigma["learnt"].elbo(x_new[few], 5, rng).mean()}
errors = {name: np.mean((model.reconstruct(x_new) - x_new)**2) for name, model in
          (("Bernoulli, no density", pretending), ("continuous Bernoulli", continuous), ("  started at 0", cold),
           ("Gaussian, σ learnt", by_sigma["learnt"]))}

# %%
print("grey digits, one interval of 1/256 for each level    ELBO, nats   bits/pixel   error/pixel²")
for name, value in grey_bounds.items():
    bits = "         –" if "no density" in name else f"{8 - value / (D * math.log(2)):10.2f}"
    print(f"{name:50} {value:12.1f} {bits} {errors.get(name, np.nan):14.4f}".replace("nan", "  –"))
best, lower = grey_bounds["continuous Bernoulli"], grey_bounds["  read with the same λ"]
assert best > lower + 300 and abs(best - grey_bounds["  read with the same mean"]) < 0.25 * (best - lower)
assert best > grey_bounds["Gaussian, σ learnt"] + 100
assert FULL or (best > grey_bounds["  started at 0"] + 50 and errors["  started at 0"] > 2 * errors["continuous Bernoulli"])
assert max(errors["Bernoulli, no density"], errors["Gaussian, σ learnt"]) < 1.25 * errors["continuous Bernoulli"]
dark, gain = x_new[few].ravel() < 1 / 256, 0                                     # level 0
for sign, model in ((1, continuous), (-1, by_sigma["learnt"])):
    o = model.evaluate(model.decoder, model.encode(x_new[few])).astype(np.float64)
    gain = gain - sign * model.likelihood.forward(o.reshape(-1, 1), target.reshape(-1, 1))      # log p of each pixel
print(f"continuous Bernoulli less Gaussian, nats a picture: black pixels {gain[dark].sum() / len(target):.0f}, "
      f"others {gain[~dark].sum() / len(target):.0f}")
assert gain[dark].sum() > 2 * abs(gain[~dark].sum())

# %% [markdown]
# So is there "little harm"? In training, little, although more of our pixels are grey (18 %) than [004]
# counts in MNIST (8 %). The squared error of the Bernoulli network is about that of the others, and read as
# the *mean* of a continuous Bernoulli its output gives as good a density as training with the right one (here
# even a slightly better one). The reason: both losses have the same form, f(o) - o t, so that both are least
# on average where the mean of the model is the mean of the data. In the number, the harm is great: read with
# the same λ the density is hundreds of nats worse, and what the loss itself says is no log p(x) at all.
#
# Two remarks on bits. The continuous Bernoulli beats the Gaussian on black pixels, where its density can rise
# to 512 while a single σ must serve the strokes too. And bits per pixel say how well *levels* are foretold,
# not how well the digits look: the three kinds of picture have about the same error.

# %%
figure = plots.new_figure("Left: λ is the mean of a Bernoulli, but not of a continuous one, whose mean stays near ½ for a "
                          "wide range of λ. Right: all but the one started at 0 rebuild the digits alike; last row: x ~ "
                          "p(x|z) for z from N(0, I).", 16, 9)
grid = figure.add_gridspec(1, 2, width_ratios=[1, 1.3])
axes = plots.new_axes(figure, grid[0], "Mean and area against λ", "λ", "mean of t, or area")
lam = np.linspace(0.001, 0.999, 400)
o = np.log(lam / (1 - lam))
axes.plot(lam, lam, "--", linewidth=3, color=RED, label="mean of the Bernoulli")
axes.plot(lam, density.mean(o), "-", linewidth=3, color=BLUE, label="mean of the continuous one")
axes.plot(lam, (2 * lam - 1) / o, ":", linewidth=3, color=PURPLE, label="area under λᵗ(1-λ)¹⁻ᵗ")
axes.grid(color="0.9")
axes.legend(fontsize=plots.TICKS, loc="upper left")
axes = plots.new_axes(figure, grid[1], "What each makes of grey digits")
models = {"Bernoulli": pretending, "continuous": continuous, "started at 0": cold, "Gaussian": by_sigma["learnt"]}
page(axes, [x_new[:7], *(model.reconstruct(x_new[:7]) for model in models.values()),
            continuous.sample(7, np.random.default_rng(4), mean=False)], ["data", *models, "drawn from\ncontinuous"])
course.show(figure, "14_grey")

# %% [markdown]
# ## Blur: the mean against a draw
#
# [004]: "the real deficiency of this model is that it treats the pixels as independent; it's this deficiency
# that leads to the blurred outputs". First the smallest example. A row of 8 pixels is black up to an edge,
# and white after it; the edge is at each of the 9 places equally often. There is no code. The best model with
# independent pixels has p_j = P(pixel j is white) = j/9.

# %%
strips = (np.arange(8) >= np.arange(9)[:, None]).astype(float)                   # (9, 8), all there are
p = strips.mean(axis=0)
entropy = -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p))
unbroken = np.exp(strips @ np.log(p) + (1 - strips) @ np.log(1 - p)).sum()
print("p =", p.round(2), f": -log p(x) is {entropy:.3f} nats on average, with the truth {math.log(9):.3f}")
print(f"a draw of independent pixels is one of the nine strips with probability {unbroken:.3f}")
assert entropy - math.log(9) > 2 and unbroken < 0.25

# %% [markdown]
# The picture of p is a ramp: a blurred edge. It is the right mean, and no strip looks like it. A draw has
# only black and white, but three times in four not in order: it is speckled. What the code does not say, here
# everything, is dependent between pixels (one edge moves all), and independent pixels cannot say it.
#
# On digits, black and white by a threshold at ½, we train codes of 2 and of 20 numbers. For pictures from the
# model we show the mean E[x|z], a draw from p(x|z), and the likeliest picture (1 where p > ½), and measure:
# the share of grey pixels (0.1 to 0.9), and how many pixels of a picture differ from all four neighbours. The
# third column is the correlation of neighbouring pixels in x - E[x|z], z ~ q(z|x), at places where the
# decoder is in doubt: what z leaves open. If pixels were independent given z, and q the posterior, it would
# be 0.

# %%
black, black_new = (grey > 0.5).astype(np.float32), (grey_new > 0.5).astype(np.float32)
plain = {size: train(VAE(*networks(size), BernoulliNLL(), DiagonalGaussian(size)), black, epochs + 10) for size in (2, 20)}


def grey_share(x):
    return np.mean((x > 0.1) & (x < 0.9))


def speckles(x):
    """Pixels of a picture that differ from all four neighbours, mean over pictures."""
    inner = np.pad(x.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1))) > 0.5
    middle = inner[:, 1:-1, 1:-1]
    others = (inner[:, :-2, 1:-1], inner[:, 2:, 1:-1], inner[:, 1:-1, :-2], inner[:, 1:-1, 2:])
    return np.mean(np.sum(np.all([middle != other for other in others], axis=0), axis=(1, 2)))


def left_open(model, x, rng):
    """Correlation of r = (x - p) / √(p (1 - p)) between horizontal neighbours that are both in doubt, 0.1 < p < 0.9."""
    h = model.evaluate(model.encoder, x)
    p = model.decode(model.posterior.sample(h, rng.standard_normal((len(x), model.posterior.d), np.float32)))
    r = ((x - p) / np.sqrt(p * (1 - p) + 1e-9)).reshape(-1, side, side)
    doubt = ((p > 0.1) & (p < 0.9)).reshape(-1, side, side)
    both = doubt[:, :, 1:] & doubt[:, :, :-1]
    return np.corrcoef(r[:, :, 1:][both], r[:, :, :-1][both])[0, 1]


# %%
some = black_new[:1000]
print("                    grey pixels   speckles per picture   correlation left open   -log p(x), nats")
print(f"data                {grey_share(some):10.1%} {speckles(some):16.2f}")
blur = {}
for size, model in plain.items():
    mean, drawn = (model.sample(1000, np.random.default_rng(5), mean=kind) for kind in (True, False))
    blur[size] = (grey_share(mean), speckles(drawn), left_open(model, some, np.random.default_rng(6)),
                  -model.log_likelihood(some[:500], 100, np.random.default_rng(7)).mean())
    print(f"code of {size:2}: mean    {blur[size][0]:10.1%} {'–':>16} {blur[size][2]:23.2f} {blur[size][3]:18.2f}")
    print(f"            draw    {grey_share(drawn):10.1%} {blur[size][1]:16.2f}")
    print(f"            p > ½   {0:10.1%} {speckles(mean > 0.5):16.2f}")
    assert speckles(mean > 0.5) < 0.5 * blur[size][1] and blur[size][1] > 2 * speckles(some)
    assert blur[size][0] > 0.08 and blur[size][2] > 0.05 and (FULL or speckles(mean > 0.5) < speckles(some))
assert blur[20][0] < blur[2][0] and blur[20][2] < blur[2][2] and blur[20][3] < blur[2][3] - 3

# %% [markdown]
# The mean is grey where the data never are, the draw has several times as many speckles as the data, and the
# likeliest picture is neither grey nor speckled (but it is no draw from the model). So what one calls blur is
# in the choice to show a mean. And [004]'s reason is right in this sense: what z leaves open is correlated
# between neighbours, while the model has to take it for independent, so it can only hedge. There are two ways
# out. A larger code leaves less open (20 against 2). Or p(x|z) gets dependent pixels, by an autoregressive
# decoder, say, which is beyond this course.

# %%
figure = plots.new_figure("Three ways to show p(x|z) for the same z ~ N(0, I). The mean is blurred, the draw speckled, the "
                          "likeliest picture neither. With 20 numbers less is left open than with 2.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Mean, draw, likeliest picture")
rows, names = [black_new[:14]], ["data"]
for size, model in plain.items():
    mean, drawn = (model.sample(14, np.random.default_rng(8), mean=kind) for kind in (True, False))
    rows += [mean, drawn, mean > 0.5]
    names += [f"d = {size}: mean", "draw", "p > ½"]
page(axes, rows, names)
course.show(figure, "14_blur")

# %% [markdown]
# ## A mixture as the prior
#
# Digits come in ten kinds, N(0, I) in one. A decoder can tear one hill into ten islands, but the ELBO pays
# for every code that lies where the prior is thin. A prior with several hills, all of them learnt,
#
#     p(z) = Σ_c π_c N(z; μ_c, diag σ_c²)
#
# moves that work from the decoder to the code. Its KL has no closed form, so it is estimated from the z that
# were drawn, KL ≈ log q(z|x) - log p(z) (`kl="sampled"`). No label is used. Does the code have better
# clusters? The *purity* is the share of codes whose class is the commonest in their cluster, for ten clusters
# found by k-means; by chance it would be a little above 0.1.

# %%
def shares(prior):
    """π_c = softmax of the logits."""
    return np.exp(prior.logits - np.logaddexp.reduce(prior.logits))


mixed = {}
print("code   prior      purity, 10 clusters   -log p(x), nats   Gaussians in use")
for size in ((4, 10) if FULL else (4,)):
    one_hill = train(VAE(*networks(size), BernoulliNLL(), DiagonalGaussian(size)), black, epochs + 10)
    mixture = MixturePrior(size, 10, np.random.default_rng(0))
    many = train(VAE(*networks(size), BernoulliNLL(), DiagonalGaussian(size), mixture, kl="sampled"), black, epochs + 10)
    for name, model in (("N(0, I)", one_hill), ("mixture", many)):
        z = model.encode(black_new)
        purity = cluster_purity(z, y_new, 10, np.random.default_rng(0))
        minus_log_p = -model.log_likelihood(black_new[:500], 100, np.random.default_rng(7)).mean()
        used = "–" if name == "N(0, I)" else np.sum(shares(model.prior) > 0.02)
        mixed[size, name] = model, purity, minus_log_p
        print(f"{size:4}   {name:8} {purity:15.3f} {minus_log_p:19.2f} {used:>14}")
assert min(purity for _, purity, _ in mixed.values()) > 0.3
assert mixed[4, "mixture"][2] < mixed[4, "N(0, I)"][2] - (0 if FULL else 0.2)
assert FULL or abs(mixed[4, "mixture"][1] - mixed[4, "N(0, I)"][1]) < 0.12

# %% [markdown]
# The mixture makes the better model, here by 0.8 nats, with the same encoder and decoder. (With other seeds
# and codes of 4 and 8 numbers the gain was 0.4 to 1.1 nats, never negative; with 2 numbers there was none.)
# It does not find the classes: the purity is the same here, was between 0.05 lower and 0.1 higher with other
# seeds, and 0.07 lower on handwriting (`--full`, 4 numbers). The Gaussians go where codes are, overlap, share
# a class or hold several. Nothing told them what a class is; a typeface or a slant is as good a reason for a
# hill.

# %%
figure = plots.new_figure("Codes of new digits, the two numbers of 4 that vary most; marked by class, which no model has "
                          "seen. Ellipses: the eight largest Gaussians of the learnt prior, 1 standard deviation, the "
                          "larger π the wider the line; they do not follow the classes. Right: samples.", 16, 9)
grid = figure.add_gridspec(1, 3, width_ratios=[1, 1, 0.8])
for k, name in enumerate(("N(0, I)", "mixture")):
    z = mixed[4, name][0].encode(black_new[:500])
    i, j = np.sort(np.argsort(-z.var(axis=0))[:2])
    axes = plots.new_axes(figure, grid[k], f"Prior: {name}", f"number {i + 1} of z", f"number {j + 1} of z")
    plots.show_classes(axes, z[:, [i, j]], y_new[:500])
    axes.set_aspect("equal", adjustable="datalim")
    if k == 0:
        axes.get_legend().remove()                                 # one is enough

# %%
many, rng = mixed[4, "mixture"][0], np.random.default_rng(9)
pi = shares(many.prior)
largest = np.argsort(-pi)[:8]
rows = []
for c in largest:
    sigma = np.exp(0.5 * many.prior.logvar[c])
    covariance = np.diag(sigma[[i, j]]**2)
    ellipse(axes, many.prior.mu[c, [i, j]], covariance, 1, fill=False, color="black", linewidth=1 + 15 * pi[c])
    z = many.prior.mu[c] + sigma * rng.standard_normal((4, 4))
    rows.append(many.decode(z.astype(np.float32)))
page(plots.new_axes(figure, grid[2], "Samples of each Gaussian"), rows, [f"π = {pi[c]:.2f}" for c in largest])
course.show(figure, "14_mixture")

# %% [markdown]
# ## The importance-weighted bound
#
# The ELBO averages the logarithms of w = p(x|z) p(z) / q(z|x); log p(x) is the logarithm of the average. In
# between lies (Burda et al. 2016)
#
#     IWAE_K = E[log 1/K Σ_k w_k],   z_1 … z_K ~ q(z|x),   ELBO = IWAE_1 ≤ IWAE_2 ≤ … ≤ log p(x)
#
# It has two uses. One is to evaluate a model that was trained with any bound: `log_likelihood` is IWAE_K with
# a large K. The other is to train with it: the gradient is the mean of ∇ log w_k with the weights w_k / Σ w
# in place of 1/K. Then not every draw of q needs to be good, one among K will do. So q may be wider, and
# units are switched off less readily. We train both with 20 numbers. A unit is *active* if the variance of
# its μ over the data is above 0.01 (Burda et al.).

# %%
weighted = train(IWAE(*networks(20), BernoulliNLL(), DiagonalGaussian(20), samples=5), black, epochs + 10)
counts, climbs, units = (1, 5, 50, 500), {}, {}
print("20 numbers       bound with K =", *(f"{K:9}" for K in counts), "   active (variance > 0.01)   KL > 0.1 nats")
for name, model in (("VAE", plain[20]), ("IWAE_5", weighted)):
    climbs[name] = [model.log_likelihood(black_new[:300], K, np.random.default_rng(7)).mean() for K in counts]
    units[name] = np.sort(kl_of_units(model, black_new[:1000]))[::-1]
    active = np.sum(active_units(model, black_new[:1000]) > 0.01)
    print(f"trained as {name:18}", *(f"{value:9.2f}" for value in climbs[name]), f"{active:12}",
          f"{np.sum(units[name] > 0.1):25}")
    assert np.all(np.diff(climbs[name]) > 0)
assert climbs["IWAE_5"][-1] > climbs["VAE"][-1] + 0.2 and climbs["IWAE_5"][0] < climbs["VAE"][0] - (0 if FULL else 1)
assert np.sum(units["IWAE_5"] > 0.1) >= np.sum(units["VAE"] > 0.1) + (0 if FULL else 2)

# %% [markdown]
# Each row rises with K. IWAE_5 has the better model (last column of the bounds) and the worse ELBO (first):
# its q was never asked to be close to the posterior. More of its units tell more than a tenth of a nat (17
# and 10; 2 more with another seed, and with three times the epochs). By the measure of Burda et al. all 20
# are active in both.
#
# More is not always better. For the *encoder* the gradient of IWAE_K gets worse with K: as the bound gets
# tight it depends less and less on q, so the mean of the gradient falls like 1/K, its standard deviation like
# 1/√K, and their ratio, the signal-to-noise ratio, as 1/√K. For the decoder it rises as √K (Rainforth et al.
# 2018). We measure it on the linear model of the first section, its parameters a little off their optimum, as
# the length of the mean of 200 gradients of the same 40 x over the root of their summed variances.

# %%
rng = np.random.default_rng(10)
off = learnt.w + 0.05 * rng.normal(size=learnt.w.shape)
number, ratio = np.array([1, 4, 16, 64]), []
for K in number:
    model = IWAE(mlp([3, 4], rng=0), mlp([2, 3], rng=0), GaussianNLL(SIGMA_X), DiagonalGaussian(2), samples=int(K))
    model.w = off
    gradients, encoder_size = [], model.encoder.w.size
    for _ in range(200):
        model.loss(linear_x[:40], rng=rng)
        gradients.append(model.backward().copy())
    parts = np.split(np.array(gradients), [encoder_size], axis=1)
    ratio.append([np.linalg.norm(part.mean(axis=0)) / np.sqrt(part.var(axis=0).sum()) for part in parts])
ratio = np.array(ratio)
slopes = np.polyfit(np.log(number), np.log(ratio), 1)[0]
print("K        ", *(f"{K:7}" for K in number), "   slope in log K")
for name, values, slope in zip(("encoder", "decoder"), ratio.T, slopes):
    print(f"{name:9}", *(f"{value:7.3f}" for value in values), f"{slope:12.2f}")
assert -0.7 < slopes[0] < -0.3 and 0.2 < slopes[1] < 0.7

# %%
figure = plots.new_figure("Left: trained with 5 weighted draws the bound starts lower and ends higher. Middle: more units "
                          "tell 0.1 nats (dotted) or more. Right: what more draws do to the gradient: better for the "
                          "decoder, worse for the encoder.", 16, 9)
grid = figure.add_gridspec(1, 3)
looks = (("VAE", "s--", ORANGE), ("IWAE_5", "o-", BLUE))
axes = plots.new_axes(figure, grid[0], "Bound, new digits", "K of the bound", "nats")
for name, style, colour in looks:
    axes.semilogx(counts, climbs[name], style, linewidth=3, markersize=10, color=colour, label=f"trained as {name}")
axes.set_xticks(counts, counts)
axes.grid(color="0.9")
axes.legend(fontsize=plots.TICKS, loc="lower right")
axes = plots.new_axes(figure, grid[1], "KL of each unit", "unit, sorted", "nats")
for name, style, colour in looks:
    axes.semilogy(range(1, 21), units[name], style, linewidth=2, markersize=8, color=colour, label=name)
axes.axhline(0.1, color="0.5", linestyle=":", linewidth=2)
axes.grid(color="0.9")
axes.legend(fontsize=plots.TICKS, loc="upper right")
axes = plots.new_axes(figure, grid[2], "Signal to noise of the gradient", "K", "|mean| / standard deviation")
for name, values, style, colour in zip(("encoder", "decoder"), ratio.T, ("^-", "v--"), (RED, PURPLE)):
    axes.loglog(number, values, style, linewidth=3, markersize=10, color=colour, label=name)
axes.set_xticks(number, number)
axes.set_yticks([0.2, 0.5, 1, 2, 5], [0.2, 0.5, 1, 2, 5])
axes.minorticks_off()
axes.grid(color="0.9")
axes.legend(fontsize=plots.TICKS, loc="upper left")
course.show(figure, "14_iwae")

# %% [markdown]
# ## The table of Burda et al. (2016)
#
# Table 1 of that paper, one stochastic layer of 50 numbers: 784-200-200-[50]-200-200-784 tanh units, MNIST
# with every pixel drawn anew in each epoch (white with the probability of its grey level), 3280 epochs; -log
# p(x) of the 10 000 test images in nats, by IWAE_5000. Ours were run with `python -m numpyae reproduce
# burda-table-1` and `burda-table-1-iwae-5`, with fewer epochs, 800 and 560, and measured is the mean of w over
# the last quarter of them.

# %%
PAPER = {"VAE": 86.76, "VAE_5": 86.47, "VAE_50": 86.35, "IWAE_5": 85.54, "IWAE_50": 84.78}     # VAE_K: the ELBO with K draws
OURS = {"VAE": 86.69, "IWAE_5": 86.08}                               # from lectures/results.md
print("-log p(x), nats      paper     ours")
for name, value in PAPER.items():
    own = OURS.get(name)
    print(f"{name:18} {value:7.2f}   {'not run here' if own is None else f'{own:6.2f}'}")
assert PAPER["VAE"] - PAPER["VAE_50"] < 0.5 < PAPER["VAE"] - PAPER["IWAE_5"] < PAPER["VAE"] - PAPER["IWAE_50"]
assert all(own is None or abs(own - PAPER[name]) < 1.0 for name, own in OURS.items())
once = np.array([88.71, 87.63, 87.10])                             # the paper's, pixels drawn once: IWAE_1, 5, 50
assert np.all(np.abs(once - [PAPER["VAE"], PAPER["IWAE_5"], PAPER["IWAE_50"]] - 2.1) < 0.25)

# %% [markdown]
# Fifty draws in the ELBO make a better gradient of the same bound: 0.4 nats. Fifty draws in the weighted
# bound: 2.0 nats. The numbers hold for this way of drawing the pixels, and for no other: for pixels drawn
# once the same networks give 1.9 to 2.3 nats more (88.71, 87.63, 87.10 for IWAE_1, 5 and 50).
#
# ## The ladder: ELBO, IWAE_5, IWAE_5000, annealing
#
# Papers report different rungs of one ladder, and a rung says something about the model only if it is close
# to log p(x). With a code of 2 numbers the truth is a sum over a grid. There is one rung that does without
# the encoder: *annealed importance sampling* (Neal 2001; Wu et al. 2017) starts each of several chains at z ~
# p(z), and follows it through p(z) p(x|z)^β, β rising from 0 to 1. It is slow, but an encoder can neither
# help nor harm it.
#
# To see the difference we put the same decoder behind two encoders: its own, and one that is too sure, with
# all σ divided by 5. log p(x) does not know of encoders, so the truth is the same.

# %%
own = plain[2].astype(np.float64)
too_sure = copy.deepcopy(own)
too_sure.encoder.layers[-1].b[2:] -= 2 * math.log(5)                 # logvar = log σ²
sets = black_new[:12 if not FULL else 20].astype(np.float64)
line, truth = np.linspace(-6, 6, 1201 if FULL else 241), np.full(len(sets), -np.inf)
for z1 in line:                                                    # log p(x, z) on a line of the grid, (N, its points)
    z = np.column_stack([np.full_like(line, z1), line])
    o = own.evaluate(own.decoder, z)
    log_joint = sets @ o.T - np.logaddexp(0, o).sum(axis=1) - 0.5 * np.sum(z**2, axis=1) - LOG_2PI
    truth = np.logaddexp(truth, np.logaddexp.reduce(log_joint, axis=1))
truth += 2 * math.log(line[1] - line[0])

# %%
most = 5000 if FULL else 500
annealed = annealed_importance_sampling(own, sets, 16, 500 if FULL else 100, 5, np.random.default_rng(0))
print(f"{len(sets)} digits, exact log p(x) {truth.mean():.3f} nats; distance to it:")
print(f"                 ELBO    IWAE_5   IWAE_{most}   annealing")
ladder = {}
for name, model in (("its own encoder", own), ("σ / 5", too_sure)):
    rng = np.random.default_rng(11)
    rungs = [model.elbo(sets, 200, rng), np.mean([model.log_likelihood(sets, 5, rng) for _ in range(50)], axis=0),
             model.log_likelihood(sets, most, rng), annealed]
    gaps = np.array([truth - rung for rung in rungs])                        # rows: the rungs
    ladder[name] = gaps.mean(axis=1)
    print(f"{name:16}", *(f"{value:8.3f}" for value in ladder[name]), f"  IWAE_{most}: median {np.median(gaps[2]):.3f}, "
          f"worst digit {gaps[2].max():.3f}")
print(f"annealing, each digit: standard deviation of its distance {(truth - annealed).std():.3f}")
assert np.all(np.diff(ladder["σ / 5"]) < 0) and ladder["σ / 5"][0] > 1.5 and ladder["σ / 5"][2] > (0.2 if FULL else 1)
assert ladder["its own encoder"][0] > ladder["its own encoder"][1] > ladder["its own encoder"][2] - 0.02
assert FULL or ladder["its own encoder"][0] < 0.3
assert abs(annealed.mean() - truth.mean()) < (2 if FULL else 0.2)
assert FULL or abs(ladder["its own encoder"][2]) < 0.05

# %% [markdown]
# Each rung is higher, to within the noise of the draws. With its own encoder the ladder is short: the ELBO
# misses 0.1 nats, and a few hundred draws are exact. With the encoder that is too sure, 500 draws are still
# more than a nat below: the draws that would matter lie where q never looks, and the sum of the others does
# not tell. (The estimate is right *on average* over w, but the average is made of rare, huge weights.)
# With `--full`, on handwritten digits, its own encoder does that too: for one of the twenty q lies at the
# wrong place, and its gap of 58 nats makes most of the mean (the median is 0.06).
# Annealing, which looks at no encoder, comes close to log p(x), with some noise on each digit. If -log p(x)
# by importance sampling falls further when K is multiplied by ten, K was too small; that it no longer falls
# is a good sign, and no proof.

# %% [markdown]
# ## Faces
#
# With `--full`, where the data are present: 1965 pictures of one face from a video (Frey, 28 x 20), and 400
# of forty people (Olivetti, here 32 x 32). Grey levels have a density under a Gaussian with learnt σ, in the
# intervals of above.

# %%
if FULL:
    for name in ("frey-faces", "olivetti"):
        try:
            data = datasets.load(name, dtype=np.float32)
        except FileNotFoundError:
            print(f"{name}: not present")
            continue
        faces, new, shape = data.x, data.x_test, data.image_shape
        if name == "olivetti":
            faces, new = (part.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4)).reshape(-1, 1024) for part in (faces, new))
            shape = (32, 32)
        rng = np.random.default_rng(0)
        faces, new, size = interval(faces, rng), interval(new, rng), faces.shape[1]
        encoder, decoder = mlp([size, 200, 20], rng=rng), mlp([10, 200, size], rng=rng)
        model = VAE(encoder, decoder, GaussianNLL(0.1, learn=True), DiagonalGaussian(10))
        model = train(model, faces, 600, 1e-3, start=True)
        bits = [8 - model.log_likelihood(part[:300], 500, rng).mean() / (size * math.log(2)) for part in (faces, new)]
        print(f"{name}: σ {model.likelihood.sigma:.3f}, bits per pixel {bits[0]:.2f} on training faces, "
              f"{bits[1]:.2f} on new ones")
        assert bits[0] < 6.5 and bits[0] < bits[1] < 8
        figure = plots.new_figure("Samples are E[x|z] for z ~ N(0, I). Each row on the right goes from one new face, at its "
                                  "left end, as the model sees it, to another.", 16, 9)
        grid = figure.add_gridspec(1, 2)
        plots.show_images(plots.new_axes(figure, grid[0], f"{name}: samples"), model.sample(64, rng), shape, 64)
        ways = [interpolate(model, new[k], new[-1 - k], 8) for k in range(0, 40, 5)]
        plots.show_images(plots.new_axes(figure, grid[1], "interpolated"), np.concatenate(ways), shape, 64)
        course.show(figure, f"14_{name.replace('-', '_')}")

# %% [markdown]
# ## Few labels
#
# [004]: with much unlabelled and little labelled data, train the encoder on all, then a classifier on the
# codes: "The encoder has already done the hard work". There is a second way to use the model: *augmentation*,
# neighbours of each labelled picture, decoded from z ~ q(z|x), with the label of the picture
# (`tasks.augment`). The classifier is softmax regression (`probe`) on raw pixels, on raw pixels and five
# neighbours of each, or on the 20 numbers of the VAE's code. Errors on new digits, mean over draws of the
# labelled ones.

# %%
print("labels   raw pixels   with 5 neighbours   code of 20")
wrong = {}
for n in (10, 30, 100):
    rng, each = np.random.default_rng(12), []
    for draw in range(10 if FULL else 4):
        chosen = np.concatenate([rng.choice(np.flatnonzero(y == digit), n // 10, replace=False) for digit in range(10)])
        few, few_y = black[chosen], y[chosen]
        more, more_y = augment(plain[20], few, few_y, 5, 0.5, rng)
        features = ((few, few_y, black_new), (more, more_y, black_new),
                    (plain[20].encode(few), few_y, plain[20].encode(black_new)))
        each.append([probe(z, classes, z_new, y_new, iterations=30) for z, classes, z_new in features])
    wrong[n] = np.mean(each, axis=0)
    print(f"{n:6}", *(f"{value:14.1%}" for value in wrong[n]))
assert FULL or (np.ptp(wrong[10]) < 0.1 and np.ptp(wrong[30]) < 0.07 and wrong[100][0] < wrong[100][1:].min() - 0.01)

# %% [markdown]
# A negative answer on typeset digits. With 10 and 30 labels the three differ by 1 or 2 in a hundred, which
# means nothing with four draws; with 100 the raw pixels are clearly best. The code was made to rebuild
# pictures, not to part classes (lecture 10 found the same for a plain autoencoder, and a gain on
# handwriting). The neighbours add what the model believes of a picture, also where it is wrong.
#
# ## Anomalies
#
# [003] §6 uses the ELBO in place of log p(x), and [002] lists anomaly detection. Train on nine digits, and
# call strange what has a low ELBO. The number is the area under the curve (AUC): the probability that a digit
# of the tenth kind has a lower ELBO than one of the nine, ½ for guessing. Beside it, the number of white
# pixels alone.

# %%
def auc(strange, normal):
    """P(a strange score is larger than a normal one), ties count half."""
    return np.mean((strange[:, None] > normal) + 0.5 * (strange[:, None] == normal))


areas = []
print("left out   AUC of -ELBO   AUC of white pixels")
for digit in (range(10) if FULL else (1, 8)):
    nine = train(VAE(*networks(d), BernoulliNLL(), DiagonalGaussian(d)), black[y != digit], 8 if FULL else 15)
    score, ink = -nine.elbo(black_new[:2000], 10, np.random.default_rng(13)), black_new[:2000].sum(axis=1)
    left_out = y_new[:2000] == digit
    areas.append([auc(score[left_out], score[~left_out]), auc(ink[left_out], ink[~left_out])])
    print(f"{digit:8} {areas[-1][0]:14.3f} {areas[-1][1]:21.3f}")
areas, together = np.array(areas), np.corrcoef(score, ink)[0, 1]
print(f"correlation of -ELBO and white pixels {together:.2f}")
assert together > 0.2
assert areas[:, 0].mean() > 0.55 and areas[:, 0].max() > 0.7 and areas[:, 0].min() < (0.3 if FULL else 0.85)

# %% [markdown]
# Better than guessing, and far from reliable. -ELBO is large for what is strange, but also for what is hard
# to describe: pictures with much ink have more edges and cost more nats in any model. On handwriting
# (`--full`) this goes as far as turning the answer round: a left-out 1, thin and plain, is cheaper than the
# digits that the network was trained on, an AUC of about 0.1. A low density is a hint, and not a measure of
# strangeness.

# %% [markdown]
# ## What to remember
#
# - A diagonal q loses ½ [Σ log Λ_jj - log det Λ] nats if the posterior is correlated. A decoder that learns
#   turns its axes so that this is small.
# - A fixed σ is a β = 2σ². Learn it, or at least know which one you have chosen.
# - Grey data need a density. Compare densities only in the same units, say bits per pixel of 1/256 intervals.
# - A blurred picture is a mean. What z leaves open is dependent between pixels, and independent pixels cannot
#   say so.
# - IWAE_K rises to log p(x) with K. It makes better models and worse encoders, and the encoder's gradient
#   drowns in noise if K is large.
# - Say with every log p(x) which data, which bound, how many draws. A bound is low for two reasons, a bad
#   model or a bad encoder; annealing can tell them apart.
#
# ## Try it
#
# - Give the first section a W whose second row is the first one plus a tenth of the old, and one whose rows
#   are at right angles. What does the formula say of the gap, and does training follow?
# - Start the learnt σ at 2 in place of 0.2. How many epochs does log σ² need, if Adam moves it by at most
#   0.005 a step, and what happens to the code on the way?
# - Give the decoder a σ for each pixel (`HeteroscedasticGaussianNLL`). Which pixels have no best σ?
# - Train the mixture prior with C = 1 and C = 30. What do log p(x) and the purity do?
# - Divide σ by 2 and by 20 in the ladder. How many draws does IWAE need to be within 0.1 nats?
# - `python -m numpyae exercise 14` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
