# %% [markdown]
# # 12. The ELBO and the reparameterisation: a bound that can be computed, and a draw that has a gradient
#
# A latent variable model says that a hidden number z was drawn first, from p(z), and the data x then, from
# p(x|z). To train it we want log p(x), an integral over z that is out of reach for large models. A
# variational autoencoder climbs a lower bound of it, the ELBO, which needs a second distribution q(z|x) and
# draws from it. This lecture takes a model with a single z, where every integral can be computed to 11
# digits, and looks at the bound from all sides: the best q for one x, one network for all x, what the bound
# hides, how a gradient gets through a random draw, and how much information such a draw lets through.
#
# Takes about 7 s; with `--full` about 2 minutes: the amortisation gap of a variational autoencoder on MNIST.

# %%
import numpy as np

from numpyae import (VAE, Adam, BernoulliNLL, DiagonalGaussian, FullGaussian, GaussianNLL, Layer, course, datasets, fit,
                     gradcheck, mlp, plots)

FULL = course.full()
LOG_2PI = np.log(2 * np.pi)
BLUE, ORANGE, RED, GREY, PURPLE = plots.COLOURS[:5]

# %% [markdown]
# ## Variational autoencoder: getting an intuition
#
# Our model has one latent number and one observed number:
#
#     z ~ N(0, 1),   x = f(z) + noise,   noise ~ N(0, 0.5²),   f(z) = z + ½ θ z²
#
# θ is the bend of the curve f; in this section and the next four it is 1. f plays the part of the decoder. It
# falls until z = -1 and rises afterwards, so one x can come from two places, and the posterior p(z|x) =
# p(x|z) p(z) / p(x) is no Gaussian. (For θ = 0 it is one.)
#
# [000] introduces a *variational distribution* q(z|x) and states the bound
#
#     log p(x) ≥ E_q[log p(x|z)] - KL(q(z|x) ‖ p(z)) = ELBO
#                reconstruction    regularisation
#
# [004] trains with the same two terms. The first is high if z drawn from q explain x, the second, KL(q ‖ p) =
# E_q[log q - log p] ≥ 0, is what q pays for being another distribution than p(z). Both are in nats (natural
# logarithms; 1 nat is 1.44 bits).
#
# We compute with two tools. An integral over z is a sum over a fine grid. An expectation over q = N(μ, σ²) is
# a weighted sum over 20 nodes ε_k, at z = μ + σ ε_k (Gauss and Hermite's quadrature); it is exact for
# polynomials up to degree 39, and log p(x, z) = log p(x|z) + log p(z) has degree 4.

# %%
NOISE = 0.5
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(20)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
GRID = np.linspace(-12, 12, 4801)
DZ = GRID[1] - GRID[0]


def log_normal(z, mu, sigma):
    return -0.5 * ((z - mu) / sigma)**2 - np.log(sigma) - 0.5 * LOG_2PI


def log_joint(x, z, theta=1.0):
    """log p(x, z) = log p(x|z) + log p(z)."""
    return log_normal(x, z + 0.5 * theta * z**2, NOISE) + log_normal(z, 0, 1)


def log_p(x, theta=1.0):
    """log p(x) = log ∫ p(x|z) p(z) dz, for each x of (N,), on the grid."""
    return np.log(np.exp(log_joint(x[:, None], GRID, theta)).sum(axis=1) * DZ)


def elbo(x, mu, logvar, theta=1.0):
    """E_q[log p(x|z)] - KL(q ‖ p(z)), (N,), for q = N(μ, σ²): the expectation at the nodes, the KL in closed form."""
    z = mu[:, None] + np.exp(0.5 * logvar)[:, None] * NODES
    reconstruction = log_normal(x[:, None], z + 0.5 * theta * z**2, NOISE) @ WEIGHTS
    kl = 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)
    return reconstruction - kl


one = np.array([1.0])
print("x = 1:   q              reconstruction - KL(q || p(z)) = ELBO     log p(x)")
for mu, sigma in ((0.0, 1.0), (0.5, 0.5), (0.6, 0.3), (-2.2, 0.4)):
    kl = 0.5 * (mu**2 + sigma**2 - 2 * np.log(sigma) - 1)
    bound = elbo(one, np.array([mu]), np.array([2 * np.log(sigma)]))[0]
    print(f"         N({mu:4.1f}, {sigma:.1f}²) {bound + kl:15.3f} {kl:15.3f} {bound:14.3f} {log_p(one)[0]:12.3f}")
    assert bound < log_p(one)[0]

# %% [markdown]
# q = N(0, 1) pays nothing and explains badly. The two in the middle pay something and explain well, and come
# close to log p(x) = -1.597 from below. Every q gives a bound, and some bounds are poor.
#
# ## Review of variational inference: the best member of a family, for one x
#
# [001] and [002] begin with one x that is given. They choose a family Q of distributions, here all N(μ, σ²),
# and look for its member nearest to the posterior,
#
#     q* = argmin_q KL(q(z) ‖ p(z|x))
#
# This contains the unknown p(x). But log p(x) is a constant for this x, and KL = log p(x) - ELBO (derived
# below), so the same q* has the largest ELBO, and that can be computed. [002] says how: by gradient descent
# over the parameters that describe the family. The gradient by hand: with z = μ + σ ε, σ = e^(½ logvar) and
# g(z) = ∂ log p(x, z)/∂z,
#
#     ELBO = E_ε[log p(x, z)] + ½ logvar + constant
#     ∂ELBO/∂μ = E_ε[g(z)],   ∂ELBO/∂logvar = ½ σ E_ε[g(z) ε] + ½
#
# The last ½ comes from the entropy of q: it rewards a wide q. Here is descent of -ELBO at x = 1, from two
# starts.


# %%
def elbo_gradient(x, mu, logvar, theta=1.0):
    """∂ELBO/∂μ and ∂ELBO/∂logvar, (N,) each."""
    sigma = np.exp(0.5 * logvar)
    z = mu[:, None] + sigma[:, None] * NODES
    g = (x[:, None] - z - 0.5 * theta * z**2) / NOISE**2 * (1 + theta * z) - z
    dmu = g @ WEIGHTS
    dlogvar = 0.5 * sigma * ((g * NODES) @ WEIGHTS) + 0.5
    return dmu, dlogvar


# %%
paths = []
for start in (2.0, -3.5):
    mu, logvar = np.array([start]), np.array([-3.0])
    path = [(start, -3.0)]
    for step in range(2000):
        dmu, dlogvar = elbo_gradient(one, mu, logvar)
        mu, logvar = mu + 0.02 * dmu, logvar + 0.02 * dlogvar
        path.append((mu[0], logvar[0]))
    paths.append(np.array(path))
    assert max(abs(dmu[0]), abs(dlogvar[0])) < 1e-4                # a stationary point

# %%
posterior = np.exp(log_joint(one[0], GRID) - log_p(one)[0])
valley = np.argmin(np.where(np.abs(GRID + 1) < 1, posterior, np.inf))            # the lowest point between the two hills
left_share = posterior[:valley].sum() * DZ
print("start of μ        q found         ELBO    log p(x) - ELBO")
gaps = []
for path in paths:
    bound = elbo(one, *path[-1:].T)[0]
    gaps.append(log_p(one)[0] - bound)
    print(f"{path[0, 0]:9.1f}   N({path[-1, 0]:6.3f}, {np.exp(0.5 * path[-1, 1]):.3f}²) {bound:8.4f} {gaps[-1]:12.4f}")
print(f"share of the posterior in its left hill: {left_share:.4f}; -log of it {-np.log(left_share):.3f}, "
      f"of the rest {-np.log(1 - left_share):.3f}")
assert abs(gaps[1] + np.log(left_share)) < 0.05 and gaps[0] < 0.1

# %% [markdown]
# The posterior has two hills, and each holds a member of Q that no small step improves: "the best member" is
# a problem with local optima. The left hill holds 5 % of the probability, and a q that covers only that hill
# is -log 0.05 = 3.0 nats away from the posterior. The right one, with 95 %, can be matched to 0.088 nats, of
# which -log 0.948 = 0.053 are for the hill left out and the rest for the shape. This KL remains however long
# we descend: it belongs to the family, not to the search.
#
# Note which way round the divergence goes. KL(q ‖ p) punishes q for being where the posterior is not, so q
# chooses a hill. A Gaussian with the mean and the variance of the posterior would be the choice under KL(p ‖
# q); under ours it is worse.

# %%
mean = np.sum(GRID * posterior) * DZ
spread = np.sqrt(np.sum((GRID - mean)**2 * posterior) * DZ)
moments = (np.array([mean]), np.array([2 * np.log(spread)]))
moment_gap = log_p(one)[0] - elbo(one, *moments)[0]
print(f"posterior: mean {mean:.3f}, standard deviation {spread:.3f}; KL from the Gaussian with these: {moment_gap:.3f} nats")
assert moment_gap > 10 * gaps[0] and np.exp(0.5 * paths[0][-1, 1]) < 0.5 * spread

# %%
figure = plots.new_figure("Descent finds the hill it starts near. The q it ends with is too narrow for the whole "
                          "posterior; the Gaussian with the posterior's own moments covers ground where there is "
                          "nothing.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "Posterior and q, x = 1", "z", "density")
axes.fill_between(GRID, posterior, color=GREY, alpha=0.45, label="p(z|x)")
curves = ((*paths[0][-1], "-", BLUE, "from μ = 2"), (*paths[1][-1], "--", RED, "from μ = -3.5"),
          (mean, moments[1][0], ":", PURPLE, "moments"))
for mu, logvar, style, colour, label in curves:
    axes.plot(GRID, np.exp(log_normal(GRID, mu, np.exp(0.5 * logvar))), style, linewidth=3, color=colour, label=label)
axes.set_xlim(-4.2, 2.8)
plots.legend_below_title(axes)
axes = plots.new_axes(figure, grid[1], "KL(q ‖ p(z|x)) in nats over the family Q", "μ", "logvar = log σ²")
u, v = np.meshgrid(np.linspace(-4.2, 2.8, 141), np.linspace(-4.5, 1, 111))
kl = log_p(one) - elbo(np.ones(u.size), u.ravel(), v.ravel()).reshape(u.shape)
contours = axes.contour(u, v, kl, [0.2, 0.5, 1, 2, 3, 3.5, 5, 10, 20, 50], colors="0.6", linewidths=1.2)
where = [(0.5, -1.72), (0.4, -3.6), (0.15, -3.4), (0, -4), (-0.2, -4.2), (-0.35, -3.8), (-0.8, -4.2), (-3.4, -3.9),
         (-3.83, -3.9), (2.55, -3.9), (1.65, -3.9), (2.0, -3.9)]
axes.clabel(contours, fmt="%g", fontsize=plots.TICKS, manual=where)
for path, style, colour in zip(paths, ("-", "--"), (BLUE, RED)):
    axes.plot(*path.T, style, linewidth=3, color=colour)
    axes.plot(*path[0], "o", markersize=11, color=colour)
    axes.plot(*path[-1], "*", markersize=15, color=colour, markeredgecolor="black")
course.show(figure, "12_one_x")

# %% [markdown]
# ## From q(z) to q given x: one network for all x
#
# "Going forward, we will write q(z) as q(z|x)" ([001]). It is more than notation. Before, each x had its own
# descent. From now on a network with parameters φ maps *every* x to the μ and logvar of its q, also an x it
# has never seen: the work is *amortised*. One network may be worse than the best member for each x. So the
# distance to log p(x) has two parts,
#
#     log p(x) - ELBO(x) = (log p(x) - best ELBO in Q) + (best ELBO in Q - ELBO of the network)
#                           approximation gap            amortisation gap
#
# (Cremer, Li and Duvenaud 2018). We know all three numbers. First the best q for each of 500 new x, by the
# same gradient with Adam for all x at once, each from three starts.


# %%
def generate(n, rng):
    z = rng.normal(size=n)
    return z + 0.5 * z**2 + NOISE * rng.normal(size=n)


def best_members(x, starts, theta=1.0, steps=400):
    """μ and logvar (N,) of the best q for each x: Adam from each start μ, and the best of these."""
    found = []
    for start in starts:
        w, optimizer = np.concatenate([np.zeros_like(x) + start, np.full_like(x, -2.0)]), Adam(0.05)
        for step in range(steps):
            optimizer.alpha = 0.05 * (1 - step / steps) + 0.0005
            optimizer.step(w, -np.concatenate(elbo_gradient(x, *np.split(w, 2), theta)))
        found.append(w.reshape(2, -1))
    bounds = np.array([elbo(x, *w, theta) for w in found])
    return np.take_along_axis(np.array(found), bounds.argmax(axis=0)[None, None], axis=0)[0]


rng = np.random.default_rng(0)
x_train, x_new = generate(2000, rng), generate(500, rng)
best_mu, best_logvar = best_members(x_new, (-2.0, 0.0, 1.0))
best = elbo(x_new, best_mu, best_logvar)
approximation_gap = log_p(x_new) - best
print(f"mean over 500 x: log p(x) {log_p(x_new).mean():.4f}, best ELBO {best.mean():.4f}, "
      f"approximation gap {approximation_gap.mean():.4f} nats, at most {approximation_gap.max():.4f}")
assert 0.06 < approximation_gap.mean() < 0.09 and approximation_gap.min() > 0
assert np.abs(elbo_gradient(x_new, best_mu, best_logvar)).max() < 1e-3

# %% [markdown]
# Now networks. The model is a `VAE` whose decoder is our curve f, a layer without parameters, so that only
# the encoder learns. Three encoders see 2000 x: a linear one, one with 2 and one with 20 hidden units. A
# fourth, with 20, sees 20 x only.


# %%
class Curve(Layer):
    """o = z + ½ z², the decoder of our model."""

    n_in = n_out = 1

    def forward(self, z):
        self.z = z
        return z + 0.5 * z**2

    def backward(self, delta):
        return delta * (1 + self.z)


def trained_encoder(hidden, x, steps=3000):
    encoder = mlp([1, *hidden, 2], rng=np.random.default_rng(1))
    model = VAE(encoder, Curve(), GaussianNLL(NOISE), DiagonalGaussian(1), samples=5)
    optimizer, rng = Adam(0.02), np.random.default_rng(2)
    for step in range(steps):
        optimizer.alpha = 0.02 * (1 - step / steps) + 0.0001
        model.loss(x[rng.integers(len(x), size=100)], rng=rng)
        optimizer.step(model.w, model.backward())
    return encoder


# %%
encoders = {"linear": trained_encoder([], x_train[:, None]), "2 hidden": trained_encoder([2], x_train[:, None]),
            "20 hidden": trained_encoder([20], x_train[:, None]),
            "20 hidden, 20 x": trained_encoder([20], x_train[:20, None])}
few_best = elbo(x_train[:20], *best_members(x_train[:20], (-2.0, 0.0, 1.0)))
amortisation = {}
print("encoder           amortisation gap in nats: median     mean    worst")
for name, encoder in encoders.items():
    h = encoder.forward(x_new[:, None])
    amortisation[name] = best - elbo(x_new, h[:, 0], h[:, 1])
    gap = amortisation[name]
    print(f"{name:17} {np.median(gap):32.4f} {gap.mean():8.4f} {gap.max():8.2f}")
    assert gap.min() > -1e-5                                       # no network beats the best member
h = encoders["20 hidden, 20 x"].forward(x_train[:20, None])
few_gap = (few_best - elbo(x_train[:20], h[:, 0], h[:, 1])).mean()
print(f"20 hidden, 20 x: on these 20 {few_gap:.4f}")

# %%
few, many, linear = (amortisation[name] for name in ("20 hidden, 20 x", "20 hidden", "linear"))
median = {name: np.median(gap) for name, gap in amortisation.items()}
assert median["linear"] > 10 * median["2 hidden"] and amortisation["2 hidden"].mean() > 3 * amortisation["20 hidden"].mean()
assert many.mean() < 0.1 * approximation_gap.mean() and median["linear"] > approximation_gap.mean()
assert np.sort(linear)[-5:].sum() > 0.9 * linear.sum()
beyond = (x_new < x_train[:20].min()) | (x_new > x_train[:20].max())
print(f"{beyond.mean():.0%} of the new x lie beyond the range of the 20. Mean gaps, between them and beyond:")
print(f"the encoder that saw 20 x {few[~beyond].mean():.4f} and {few[beyond].mean():.4f}, "
      f"the one that saw 2000 {many[~beyond].mean():.4f} and {many[beyond].mean():.4f}")
assert few_gap < 0.01 and few[~beyond].mean() < 0.005 and few[~beyond].mean() < 2 * many[~beyond].mean()
assert 4 < few[beyond].mean() < 5.2 and many[beyond].mean() < 0.02 and 0.2 < beyond.mean() < 0.3 and few.mean() > 1

# %% [markdown]
# With 20 hidden units and enough data the amortisation gap is a small part of the whole. With a poor network
# it is the larger part. (The linear encoder's mean is that of a few large x, where its σ grows exponentially;
# hence the median.) And an encoder is good only where it has seen data: between its 20 x the fourth is nearly
# as good on new x as the one that saw 2000; beyond them, which is a quarter of the new x, it loses nearly five
# nats, so that it loses more than one on average. Nothing of this shows in log p(x), which does not know of any
# encoder.

# %%
figure = plots.new_figure("The network with 20 hidden units follows the best q for each x, where it has seen data. "
                          "Every gap on the right could be closed without touching the model.", 16, 9)
grid = figure.add_gridspec(1, 2)
line = np.linspace(-2, 6, 300)
line_best = best_members(line, (-2.0, 0.0, 1.0))
axes = plots.new_axes(figure, grid[0], "q(z|x): μ ± σ", "x", "z")
axes.fill_between(line, line_best[0] - np.exp(0.5 * line_best[1]), line_best[0] + np.exp(0.5 * line_best[1]), color=GREY,
                  alpha=0.5, label="best for each x")
looks = dict(zip(encoders, (("-.", ORANGE), ("--", RED), ("-", BLUE), (":", PURPLE))))
right = plots.new_axes(figure, grid[1], "Amortisation gap on new x", "x", "nats")
order = np.argsort(x_new)
for name, encoder in encoders.items():
    style, colour = looks[name]
    h = encoder.forward(line[:, None])
    for sign in (-1, 1):
        label = name if sign > 0 else None
        axes.plot(line, h[:, 0] + sign * np.exp(0.5 * h[:, 1]), style, linewidth=2.5, color=colour, label=label)
    right.semilogy(x_new[order], amortisation[name][order], style, linewidth=2.5, color=colour, label=name)
axes.set_ylim(-3, 4)
right.set(xlim=(-2, 6), ylim=(1e-5, 1e3))
plots.legend_below_title(axes)
plots.legend_below_title(right)
course.show(figure, "12_amortisation")

# %% [markdown]
# ## Deriving the evidence lower bound
#
# [000] multiplies and divides by q and then exchanges log and expectation:
#
#     log p(x) = log ∫ p(x|z) p(z) dz
#              = log E_q[w(z)],   w(z) = p(x|z) p(z) / q(z|x)
#              ≥ E_q[log w(z)]                                          (Jensen's inequality)
#              = E_q[log p(x|z)] - KL(q(z|x) ‖ p(z)) = ELBO
#
# Jensen's inequality: the log of a mean is at least the mean of the logs, since the log is bent downwards. It
# is an equality if w is the same for all z. When is it? p(x|z) p(z) = p(x) p(z|x), so w = p(x) p(z|x) /
# q(z|x): constant exactly if q is the posterior. Now each line of the derivation as a number, for five q: log
# E_q[w] on the grid and by 100 000 draws from q, and E_q[log w].

# %%
candidates = {"best in Q": (paths[0][-1, 0], np.exp(0.5 * paths[0][-1, 1])),
              "second optimum": (paths[1][-1, 0], np.exp(0.5 * paths[1][-1, 1])),
              "moments": (mean, spread), "prior": (0.0, 1.0), "far off": (-0.8, 0.1)}
epsilon = np.random.default_rng(3).normal(size=100_000)
jensen = {}
print("q                 log E_q[w]: grid   100 000 draws   E_q[log w]   standard deviation of log w")
for name, (mu, sigma) in candidates.items():
    z = mu + sigma * epsilon
    log_w = log_joint(1.0, z) - log_normal(z, mu, sigma)
    by_draws = np.logaddexp.reduce(log_w) - np.log(len(z))
    log_q = log_normal(GRID, mu, sigma)
    log_w_grid = log_joint(1.0, GRID) - log_q
    log_of_mean = np.log(np.sum(np.exp(log_q + log_w_grid)) * DZ)
    mean_of_log = np.sum(np.exp(log_q) * log_w_grid) * DZ
    jensen[name] = (by_draws, mean_of_log, log_w.std())
    print(f"{name:17} {log_of_mean:16.4f} {by_draws:15.4f} {mean_of_log:12.4f} {log_w.std():30.3f}")
    assert abs(log_of_mean - log_p(one)[0]) < 1e-12 and log_w.mean() < by_draws and mean_of_log < log_of_mean
    assert abs(mean_of_log - elbo(one, np.array([mu]), np.array([2 * np.log(sigma)]))[0]) < 1e-10        # last line of four
log_w_grid = log_joint(1.0, GRID) - np.log(np.maximum(posterior, 1e-300))
assert np.ptp(log_w_grid[posterior > 1e-300]) < 1e-10              # q = p(z|x): log w is the same everywhere
assert abs(jensen["prior"][0] - log_p(one)[0]) < 0.02 and jensen["second optimum"][0] < log_p(one)[0] - 1
assert jensen["second optimum"][2] < 0.6 and jensen["prior"][2] > 5 and jensen["second optimum"][1] < jensen["prior"][1]

# %% [markdown]
# The first column is log p(x) for every q: in the second line of the derivation q cancels. The third is the
# ELBO, the same number as from the nodes. Draws estimate the first column well where q covers the posterior,
# and fail where it does not: a q that sits on the left hill never sees the right one. Yet its log w varies by
# half a nat only. So from the draws of one narrow q one cannot tell how good its bound is.
#
# ## The same bound from the divergence to the posterior
#
# [001], [002] and [003] start from the other end:
#
#     KL(q(z|x) ‖ p(z|x)) = E_q[log q] - E_q[log p(x, z)] + log p(x)
#
# and, with the first two terms moved to the other side,
#
#     log p(x) = ELBO + KL(q(z|x) ‖ p(z|x)),   ELBO = E_q[log p(x, z)] - E_q[log q(z|x)]
#
# This says more than Jensen's inequality: the distance between the two sides *is* a divergence, so it is
# never negative, and 0 if q is the posterior. To verify it without going in a circle, the ELBO comes from the
# nodes and the closed KL to the prior, and log p(x) and the divergence to the posterior from the grid. (A
# slip to know: [001] prints the ELBO with the opposite sign in one line; [003] writes p(x) for log p(x) in
# two, and calls the divergence always positive.)

# %%
log_posterior = log_joint(1.0, GRID) - log_p(one)[0]
print("q                       ELBO   + KL(q || p(z|x))   = sum                 - log p(x)")
for name, (mu, sigma) in candidates.items():
    log_q = log_normal(GRID, mu, sigma)
    divergence = np.sum(np.exp(log_q) * (log_q - log_posterior)) * DZ
    bound = elbo(one, np.array([mu]), np.array([2 * np.log(sigma)]))[0]
    total = bound + divergence
    print(f"{name:17} {bound:10.4f} {divergence:16.4f} {total:22.15f} {total - log_p(one)[0]:12.1e}")
    assert abs(total - log_p(one)[0]) < 5e-12 and divergence > 0
    wrong_sign = -bound
    assert wrong_sign > log_p(one)[0]                              # [001]'s line: above log p(x), so no lower bound of it
exact_bound = np.sum(posterior * (log_joint(1.0, GRID) - log_posterior)) * DZ
assert abs(exact_bound - log_p(one)[0]) < 5e-12                    # q = p(z|x): the divergence is 0

# %% [markdown]
# Eleven digits and more, for good and for bad q. The figure shows both readings: the two parts of log p(x),
# and the log weights whose mean is the ELBO.

# %%
figure = plots.new_figure("Left: however far down the ELBO is, the divergence fills the distance to log p(x). Right: "
                          "log w for three q, where 99.9 % of their draws lie; only the posterior itself gives a level "
                          "line.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "log p(x) = ELBO + KL", "nats", "")
bounds = np.array([row[1] for row in jensen.values()])
axes.barh(range(len(bounds)), log_p(one)[0] - bounds, left=bounds, color="white", edgecolor=RED, hatch="//", height=0.5,
          label="KL(q ‖ p(z|x))")
axes.plot(bounds, range(len(bounds)), "D", markersize=13, color=BLUE, markeredgecolor="black", label="ELBO")
axes.axvline(log_p(one)[0], color="black", linewidth=2.5, linestyle="--", label="log p(x)")
axes.set(yticks=range(len(candidates)), yticklabels=candidates, xlim=(-7.5, -1))
axes.invert_yaxis()
plots.legend_below_title(axes)
axes = plots.new_axes(figure, grid[1], "The weights of Jensen's inequality", "z", "log w(z)")
for name, style, colour in (("best in Q", "-", BLUE), ("second optimum", "--", RED), ("prior", ":", PURPLE)):
    mu, sigma = candidates[name]
    z = mu + sigma * np.linspace(-3.3, 3.3, 300)
    axes.plot(z, log_joint(1.0, z) - log_normal(z, mu, sigma), style, linewidth=3, color=colour, label=name)
axes.axhline(log_p(one)[0], color="black", linewidth=2, linestyle="-.", label="log p(x) = log w of the posterior")
axes.set_ylim(-30, 2)
plots.legend_below_title(axes)
course.show(figure, "12_two_derivations")

# %% [markdown]
# ## Raising the ELBO is not raising log p(x)
#
# "Maximizing the ELBO … is equivalent to simultaneously maximizing ln p_θ(x) and minimizing D_KL(q_ϕ(z|x) ‖
# p_θ(z|x))" ([002]); "if we find a way to maximize it, at the same time we will minimize the KL …: the left
# hand side is fixed" ([003]). The second is true as long as the model is fixed, and only q moves. A
# variational autoencoder trains the decoder as well, and then the ELBO is a *difference*, log p(x) - KL, in
# which one part can be traded for the other. Four steps, each of which raises the ELBO, averaged over 400 x.
# θ, the bend of the decoder, is learnt now. For given q the best θ has a closed form, because the ELBO is
# quadratic in it: a least-squares fit of x - z by ½ z², over all x and z ~ q,
#
#     θ = Σ_n E_q[½ z² (x_n - z)] / Σ_n E_q[¼ z⁴]
#
# - A: from θ = 1, which has made the data. The encoder is blind, q = N(0, 1) for every x; the best θ for it.
# - B: the encoder learns: the best q for each x, at the θ of A.
# - C: from θ = 0, where the model is linear and q exact: the best θ for this q.
# - D: from the θ of the highest log p, each x with its best q: θ and q in turn, 300 times.


# %%
def best_theta(x, mu, logvar):
    z = mu[:, None] + np.exp(0.5 * logvar)[:, None] * NODES
    return np.sum((0.5 * z**2 * (x[:, None] - z)) @ WEIGHTS) / np.sum((0.25 * z**4) @ WEIGHTS)


def refined(x, mu, logvar, theta, steps):
    """The best q for each x, going on from a good one."""
    w, optimizer = np.concatenate([mu, logvar]), Adam(0.02)
    for step in range(steps):
        optimizer.alpha = 0.02 * (1 - step / steps) + 0.0005
        optimizer.step(w, -np.concatenate(elbo_gradient(x, *np.split(w, 2), theta)))
    return np.split(w, 2)


# %%
x = x_train[:400]
blind = (np.zeros_like(x), np.zeros_like(x))
linear_exact = (x / (1 + NOISE**2), np.full_like(x, np.log(NOISE**2 / (1 + NOISE**2))))
thetas, q, scan = np.linspace(0, 1.5, 31), linear_exact, []
for theta in thetas:
    q = refined(x, *q, theta, 60)
    scan.append((log_p(x, theta).mean(), elbo(x, *q, theta).mean(), elbo(x, *blind, theta).mean(), *q))
log_p_scan, elbo_scan, blind_scan = np.array([row[:3] for row in scan]).T

theta_ml = thetas[log_p_scan.argmax()]
theta_blind, theta_c = best_theta(x, *blind), best_theta(x, *linear_exact)
theta_d, q_d = theta_ml, scan[log_p_scan.argmax()][3:]
for turn in range(300):
    theta_d = best_theta(x, *q_d)
    q_d = refined(x, *q_d, theta_d, 3)
q_b = best_members(x, (-2.0, 0.0, 1.0), theta_blind)

# %%
steps = {"A": ((1.0, blind), (theta_blind, blind)), "B": ((theta_blind, blind), (theta_blind, q_b)),
         "C": ((0.0, linear_exact), (theta_c, linear_exact)),
         "D": ((theta_ml, scan[log_p_scan.argmax()][3:]), (theta_d, q_d))}
change = {}
print("step      θ                 ELBO                 log p(x)             KL(q || p(z|x))")
for name, ends in steps.items():
    rows = []
    for theta, q in ends:
        evidence, bound = log_p(x, theta).mean(), elbo(x, *q, theta).mean()
        rows.append((theta, bound, evidence, evidence - bound))
    change[name] = np.subtract(rows[1], rows[0])[1:]
    print(f"{name}   " + "   ".join(f"{before:7.4f} → {after:7.4f}" for before, after in zip(*rows)))
signs = {name: "".join("-0+"[int(np.sign(np.round(value, 9))) + 1] for value in values) for name, values in change.items()}
assert signs == {"A": "+--", "B": "+0-", "C": "+++", "D": "+--"}
assert abs(theta_blind - 2 / 3 * x.mean()) < 1e-12 and change["A"][1] < -0.05 and change["D"][1] < -0.005

# %% [markdown]
# All four raise the ELBO. Only B does what [003] describes, since there the model is fixed: the KL falls by
# exactly what the ELBO gains. A makes the model *worse*: the decoder learns to live with an encoder that says
# nothing, and bends less. This is how the training of a variational autoencoder begins, and sometimes ends
# (lecture 13). C starts with KL = 0, so the KL can only grow, and the model improves. And D is the price of
# the family Q even when nothing is left to train: from the best model the ELBO moves on to a model with less
# bend, whose posteriors are easier for a Gaussian. The bound is highest near θ = 0.7, log p(x) near 0.95.
# (Turner and Sahani 2011 have more such cases.)

# %%
assert abs(theta_ml - 0.95) < 0.06 and abs(theta_d - 0.70) < 0.05 and thetas[elbo_scan.argmax()] < theta_ml - 0.1
figure = plots.new_figure("A blind q pulls θ down, and log p(x) falls while its bound rises. The best q for each x does "
                          "the same to a lesser degree: the gap grows with θ, so the bound has its top further left.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "Blind q = N(0, 1)", "θ, bend of the decoder", "ELBO, nats per sample")
axes.plot(thetas, blind_scan, "--", linewidth=3, color=RED)
axes.annotate("", (theta_blind, blind_scan.max()), (1.0, elbo(x, *blind, 1.0).mean()),
              arrowprops=dict(arrowstyle="-|>", linewidth=3, color="0.2"))
axes.text(0.75, -5.85, "step A", fontsize=plots.TEXT)
axes = plots.new_axes(figure, grid[1], "Best q", "θ, bend of the decoder", "nats per sample")
axes.plot(thetas, log_p_scan, "-", linewidth=3, color="black", label="log p(x)")
axes.plot(thetas, elbo_scan, "-.", linewidth=3, color=BLUE, label="ELBO, best q")
axes.fill_between(thetas, elbo_scan, log_p_scan, color=GREY, alpha=0.4, label="KL(q ‖ p(z|x))")
axes.plot(theta_ml, log_p_scan.max(), "*", markersize=22, color=ORANGE, markeredgecolor="black", label="highest log p(x)")
axes.plot(theta_d, log_p(x, theta_d).mean(), "s", markersize=13, color=BLUE, markeredgecolor="black", label="after D")
axes.plot(theta_blind, log_p(x, theta_blind).mean(), "o", markersize=14, color=RED, markeredgecolor="black", label="after A")
axes.set_ylim(-1.8, -1.47)
plots.legend_below_title(axes)
course.show(figure, "12_not_log_p")

# %% [markdown]
# ## One important detail: backpropagation through random sampling?
#
# So far E_q was a sum over nodes. With a code of 20 or 50 numbers (20²⁰ nodes or more) there is no such sum,
# and one draws z ~ N(μ, σ²). [000] draws the two networks with the draw in between. Forward, x goes up
# through the encoder to μ and σ, a random z is drawn, and z goes through the decoder. Backward, ∂L/∂z comes
# down from the decoder and stops: z is a number that a generator has returned, and the derivative of that
# number with respect to μ is not defined by anything. The repair is to draw *first*, from a distribution
# without parameters, and compute z from that:
#
#     ε ~ N(0, 1),   z = μ + σ ε      so   ∂z/∂μ = 1,   ∂z/∂σ = ε
#
# ε enters from the side, like data, and the way from L to μ and σ consists of sums and products. It has the
# distribution it should have: N(μ, σ²), with σ as the factor. (Not σ², as [003] writes, and not the
# covariance σ I of [001]. Nor does it make backpropagation unnecessary, as [002] says: it is there for it.)
#
# To see the blockade, take L = (z - 2)² and ask by central differences for ∂L/∂μ. With a fresh draw on either
# side the answer is noise divided by the step; the smaller the step, the worse. With ε frozen it is the
# derivative.

# %%
mu, sigma, epsilon = 0.5, 0.8, 0.3
dz = 2 * (mu + sigma * epsilon - 2)
rng = np.random.default_rng(4)
print("step h     fresh draws: ∂L/∂μ, three times        ε frozen     by hand, dz · 1")
for h in (1e-1, 1e-3, 1e-5):
    fresh = [((rng.normal(mu + h, sigma) - 2)**2 - (rng.normal(mu - h, sigma) - 2)**2) / (2 * h) for _ in range(3)]
    frozen = ((mu + h + sigma * epsilon - 2)**2 - (mu - h + sigma * epsilon - 2)**2) / (2 * h)
    print(f"{h:6.0e} " + "".join(f"{value:13.2f}" for value in fresh) + f"{frozen:16.6f} {dz:15.6f}")
    assert abs(frozen - dz) < 1e-8
assert np.abs(fresh).min() > 1000 * abs(dz)

# %% [markdown]
# In the library these lines are `DiagonalGaussian`. The encoder's output h holds μ and logvar, side by side.
# `sample(h, epsilon)` is the draw, `sample_backward(dz)` the way back through it, with logvar in place of σ:
#
#     σ = e^(½ logvar)      dmu = dz      dlogvar = ½ dz ε σ
#
# The KL has its own way into h, `kl_backward`; `backward` adds the two. One draw gives a noisy gradient. But
# its mean is the exact one: we compare 100 000 draws with the gradient at the nodes, for the ELBO at x = 1.

# %%
posterior_of_h = DiagonalGaussian(1)
n = 100_000
h = np.tile([0.4, -1.0], (n, 1))                                   # μ = 0.4, logvar = -1
z = posterior_of_h.sample(h, np.random.default_rng(5).normal(size=(n, 1)))
kl = posterior_of_h.kl()
dz = -(1.0 - z - 0.5 * z**2) / NOISE**2 * (1 + z)                  # ∂/∂z of -log p(x|z)
dh = posterior_of_h.backward(dz, np.ones(n))
exact = -np.array(elbo_gradient(one, np.array([0.4]), np.array([-1.0])))[:, 0]
error = dh.std(axis=0) / np.sqrt(n)
for name, mean_of_draws, standard_error, value in zip(("dmu", "dlogvar"), dh.mean(axis=0), error, exact):
    print(f"{name:8} mean of {n} draws {mean_of_draws:8.4f} ± {standard_error:.4f}, exact {value:8.4f}")
assert np.all(np.abs(dh.mean(axis=0) - exact) < 4 * error)
assert np.array_equal(posterior_of_h.sample_backward(dz)[0], dz)
assert np.allclose(posterior_of_h.sample_backward(dz)[1], 0.5 * dz * posterior_of_h.epsilon * posterior_of_h.sigma)

# %% [markdown]
# A whole variational autoencoder is checked like any other model (lecture 5). Its loss is random, and a
# difference quotient of a random loss is the noise of the table above. So the check draws ε once, keeps it,
# and passes the same ε to every loss it computes: `model.loss(x, noise=model.noise)`. A gradient check that
# forgets this fails for a program that is right.

# %%
rng = np.random.default_rng(6)
tiny = VAE(mlp([5, 7, 4], rng=rng), mlp([2, 3, 5], rng=rng), GaussianNLL(1.0), DiagonalGaussian(2))
tiny.w += 0.1 * rng.normal(size=tiny.w.size)                       # biases of 0 could hide a mistake
x = rng.normal(size=(11, 5))
first, again = tiny.loss(x, rng=rng), tiny.loss(x, noise=tiny.noise)
other = tiny.loss(x, rng=rng)
report = gradcheck.check(tiny, x)
print(f"loss {first:.6f}, same ε {again:.6f}, another ε {other:.6f}")
print(report)
assert report.ok and first == again != other

# %% [markdown]
# [000] has the general form z = μ + L ε with Σ = L Lᵀ, L lower triangular with a positive diagonal. "This
# allows taking partial derivatives w. r. t. μ and Σ": in the program with respect to μ and L, and dL is the
# lower triangle of dz εᵀ. `FullGaussian` is that. Its draws have the covariance L Lᵀ, not the square of it,
# which μ + Σ ε would give.

# %%
full = FullGaussian(2)
h = np.tile([0.0, 0.0, 0.6, -0.8, 0.9], (n, 1))                    # μ, two logvar, one number below the diagonal of L
z = full.sample(h, np.random.default_rng(7).normal(size=(n, 2)))
L = full.L[0]
covariance = np.cov(z.T)
print("L", L.round(3).tolist(), " L Lᵀ", (L @ L.T).round(3).tolist(), " of the draws", covariance.round(3).tolist())
assert np.allclose(covariance, L @ L.T, atol=0.04) and not np.allclose(L @ L.T @ L @ L.T, L @ L.T, atol=0.3)
dz = np.random.default_rng(8).normal(size=(n, 2))
assert np.allclose(full.sample_backward(dz)[2][:, 0], dz[:, 1] * full.epsilon[:, 0])      # dz εᵀ, below its diagonal

# %% [markdown]
# ## Score function against reparameterisation
#
# There is another way to a gradient, which needs no path through z. For any f, with q = N(μ, σ²),
#
#     ∂/∂μ E_q[f(z)] = ∫ f(z) ∂q/∂μ dz = E_q[f(z) ∂log q(z)/∂μ]
#
# because ∂q = q ∂log q. The factor ∂log q/∂μ = (z - μ)/σ² = ε/σ is the *score*, and ∂log q/∂σ = (ε² - 1)/σ.
# This is the *score function estimator* (REINFORCE, Williams 1992): only values of f are needed, no f'. The
# reparameterised one is f'(z) · 1 for μ and f'(z) ε for σ. For f(z) = (z - c)² everything is known:
#
#     E_q[f] = (μ - c)² + σ²,   ∂/∂μ = 2 (μ - c),   ∂/∂σ = 2 σ
#
# and so are the variances of both estimators of ∂/∂μ. With r = (μ - c)/σ:
#
#     reparameterised  4 σ²         score function  σ² (r⁴ + 14 r² + 15)
#
# Both are right on average, for every r. What one draw is worth is another matter. A *baseline* b, f(z) - b
# in place of f(z), helps: the score has mean 0, so b changes no expectation. With b = E_q[f] the variance is
# σ² (8 r² + 10).


# %%
def reparameterised(f_slope, mu, sigma, epsilon):
    """∂/∂μ and ∂/∂σ of E_q[f], one estimate for each ε."""
    slope = f_slope(mu + sigma * epsilon)
    return slope, slope * epsilon


def score_function(f, mu, sigma, epsilon, baseline=0.0):
    """The same from values of f only."""
    value = f(mu + sigma * epsilon) - baseline
    return value * epsilon / sigma, value * (epsilon**2 - 1) / sigma


# %%
sigma, n = 0.5, 100_000
epsilon = np.random.default_rng(9).normal(size=n)
distances, ratios = np.array([0.0, 0.5, 1.0, 2.0, 5.0, 10.0]), []
print("   r   exact ∂/∂μ   reparameterised     score function      with baseline   ratio of variances: score, with baseline")
for r in distances:
    exact = (2 * r * sigma, 2 * sigma)                             # c = 0, μ = r σ
    estimates = (reparameterised(lambda z: 2 * z, r * sigma, sigma, epsilon),
                 score_function(lambda z: z**2, r * sigma, sigma, epsilon),
                 score_function(lambda z: z**2, r * sigma, sigma, epsilon, baseline=sigma**2 * (r**2 + 1)))
    for estimate in estimates:
        for draws, value in zip(estimate, exact):
            assert abs(draws.mean() - value) < 4 * draws.std() / np.sqrt(n)
    variances = [estimate[0].var() for estimate in estimates]
    ratios.append([variances[1] / variances[0], variances[2] / variances[0]])
    texts = [f"{estimate[0].mean():7.3f} ± {estimate[0].std() / np.sqrt(n):.3f}" for estimate in estimates]
    print(f"{r:4.1f} {exact[0]:12.3f}   " + "     ".join(texts) + f"{ratios[-1][0]:12.1f} {ratios[-1][1]:12.1f}")
ratios = np.array(ratios)
foretold = (distances**4 + 14 * distances**2 + 15) / 4, (8 * distances**2 + 10) / 4
assert np.allclose(ratios, np.transpose(foretold), rtol=0.1)
assert ratios[-1, 0] > 2500

# %% [markdown]
# All means are within four standard errors of the exact gradient (for σ as well, where the table has no
# column). At r = 10 the score function needs 2850 draws for what one reparameterised draw gives, 200 with the
# baseline. The reason: it is told how large f is, not where f falls, and has to find that out by comparing
# values.
#
# In d dimensions it gets worse, since all d terms of f(z) = Σ_j (z_j - c_j)² sit as noise on the gradient of
# each μ_j, while f' has only the one that matters. We stay at r = 1 and let d grow.

# %%
dimensions, by_dimension = np.array([1, 2, 5, 10, 20, 50, 100]), []
rng = np.random.default_rng(10)
for d in dimensions:
    epsilon = rng.normal(size=(20_000, d))
    f = np.sum((1 + epsilon)**2, axis=1)                           # σ = 1, r = 1 in every dimension
    score, baselined, slope = f * epsilon[:, 0], (f - 2 * d) * epsilon[:, 0], 2 * (1 + epsilon[:, 0])
    for draws in (score, baselined, slope):
        assert abs(draws.mean() - 2) < 4 * draws.std() / np.sqrt(len(draws))
    by_dimension.append([score.var() / slope.var(), baselined.var() / slope.var()])
by_dimension = np.array(by_dimension)
rest, rest_variance = 2 * (dimensions - 1), 6 * (dimensions - 1)   # mean and variance of the other terms of f
foretold_d = (30 + rest**2 + rest_variance + 8 * rest) / 4, (18 + rest_variance) / 4
print("d     score function   with baseline  (variance over that of the reparameterised one)")
for d, row in zip(dimensions, by_dimension):
    print(f"{d:3d} {row[0]:16.1f} {row[1]:15.1f}")
assert np.allclose(by_dimension, np.transpose(foretold_d), rtol=0.15)

# %%
figure = plots.new_figure("Points are measured, lines computed. One reparameterised draw is worth thousands of score "
                          "function draws when the target is far or there are many dimensions; a baseline saves part of "
                          "it.", 16, 9)
grid = figure.add_gridspec(1, 2)
line = np.linspace(0, 10, 200)
ylabel = "variance / that of reparameterising"
left = plots.new_axes(figure, grid[0], "One dimension", "r = (μ - c) / σ, distance to the target", ylabel)
right = plots.new_axes(figure, grid[1], "Distance r = 1", "d, dimensions of z", ylabel)
looks = (("-", "o", RED, "score function"), ("--", "s", ORANGE, "with baseline"))
panels = ((left, line, ((line**4 + 14 * line**2 + 15) / 4, (8 * line**2 + 10) / 4), distances, ratios),
          (right, dimensions, foretold_d, dimensions, by_dimension))
for axes, where, curves, at, measured in panels:
    for k, (style, marker, colour, name) in enumerate(looks):
        axes.semilogy(where, curves[k], style, linewidth=2.5, color=colour)
        axes.semilogy(at, measured[:, k], marker, markersize=11, color=colour, markeredgecolor="black", label=name)
    axes.axhline(1, color=BLUE, linestyle="-.", linewidth=2.5, label="reparameterised")
    axes.grid(color="0.9")
    plots.legend_below_title(axes)
right.set_xscale("log")
course.show(figure, "12_score_function")

# %% [markdown]
# Why keep it then? Because it asks so little of f. Let f be a step, f(z) = 1 for z > c and 0 otherwise. Its
# slope is 0 wherever it has one, so the reparameterised estimate is 0: not noisy, but wrong. The exact
# gradient is the density of q at c, and the score function finds it. The same holds for codes that are whole
# numbers, for which there is no path at all.

# %%
mu, sigma, c = 0.0, 1.0, 0.7
epsilon = np.random.default_rng(11).normal(size=n)
exact = np.exp(log_normal(c, mu, sigma))
by_score = score_function(lambda z: (z > c) * 1.0, mu, sigma, epsilon)[0]
by_path = reparameterised(lambda z: np.zeros_like(z), mu, sigma, epsilon)[0]
print(f"step: exact {exact:.4f}, score function {by_score.mean():.4f} ± {by_score.std() / np.sqrt(n):.4f}, "
      f"reparameterised {by_path.mean():.4f}")
assert abs(by_score.mean() - exact) < 4 * by_score.std() / np.sqrt(n) and exact > 0.3 and not by_path.any()

# %% [markdown]
# ## σ as the amount of information
#
# "How to prevent encoding an infinite amount of info? … σ acts as noise, which prevents reconstructing two
# different x̃ values from z's which are less than σ apart. Regulates how much info you can encode" ([001]).
# Two x, equally frequent, have the codes N(μ₁, σ²) and N(μ₂, σ²). Someone sees z and has to say which x it
# was. How often is the better guess wrong, and how much does z tell, as *mutual information*
#
#     I(x; z) = E_x[KL(q(z|x) ‖ q(z))],   q(z) = ½ q(z|x₁) + ½ q(z|x₂)
#
# I(x; z) is 0 if the codes coincide and ln 2 = 0.693 nats, one bit, if they never overlap. All depends on r =
# |μ₁ - μ₂|/σ alone. And what does it cost? The mean KL to the prior is at least I, since E_x[KL(q(z|x) ‖
# p(z))] = I + KL(q(z) ‖ p(z)). For given r the cheapest codes have μ = ±½ r σ and σ² = 1/(1 + ¼ r²), and cost
# ½ ln(1 + ¼ r²).


# %%
def information(mu, sigma):
    """I(x; z) in nats, x_n equally frequent, q_n = N(mu[n], sigma[n]²): E_n[KL(q_n ‖ mean of all q)], a grid for each."""
    steps = np.linspace(-9, 9, 3001)
    z = mu[:, None] + sigma[:, None] * steps
    log_q = log_normal(z[:, :, None], mu, sigma)                   # (n, point, whose density)
    own = log_q[range(len(mu)), :, range(len(mu))]
    mixture = np.logaddexp.reduce(log_q, axis=2) - np.log(len(mu))
    return np.mean(np.sum(np.exp(own) * (own - mixture), axis=1) * sigma * (steps[1] - steps[0]))


def price(mu, sigma):
    """Mean KL(q_n ‖ N(0, 1)) in nats."""
    return np.mean(0.5 * (mu**2 + sigma**2 - 2 * np.log(sigma) - 1))


# %%
print("   r   wrong guesses   I in nats   in bits   cheapest KL   KL with σ = 1   KL with |μ| = 1")
rng, told = np.random.default_rng(12), []
for r in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 100.0):
    side, sign = np.array([-0.5, 0.5]) * r, np.where(rng.random(n) < 0.5, -1, 1)
    wrong = np.mean((0.5 * r * sign + rng.normal(size=n)) * sign < 0)
    sigma = 1 / np.sqrt(1 + r**2 / 4)
    nats = information(side, np.ones(2))
    cheap = price(side * sigma, np.full(2, sigma))
    apart = price(side, np.ones(2))
    narrow = price(np.array([-1.0, 1.0]), np.full(2, 2 / r)) if r else np.inf
    told.append((r, wrong, nats, cheap))
    print(f"{r:5.1f} {wrong:12.4f} {nats:13.4f} {nats / np.log(2):9.4f} {cheap:13.3f} "
          f"{apart:15.2f} {narrow:16.3f}")
    assert nats <= cheap + 1e-9 and abs(cheap - 0.5 * np.log(1 + r**2 / 4)) < 1e-12
    assert abs(apart - r**2 / 8) < 1e-9 and (r < 8 or abs(narrow - np.log(r / 2)) < 0.04 < apart - cheap)
    assert abs(information(7 * side, np.full(2, 7.0)) - nats) < 1e-9             # r alone counts
told = np.array(told)
assert abs(told[2, 1] - 0.3085) < 0.006 and 0.1 < told[2, 2] < 0.12 and abs(told[-1, 2] - np.log(2)) < 1e-9

# %% [markdown]
# At a distance of σ the better guess is still right in 69 % of all cases, and at 8 σ always: σ is a unit of
# length for the codes, no more. What z tells depends on r, and r grows by moving the codes apart (|μ| → ∞,
# sixth column) just as well as by shrinking σ (σ → 0, last column). Both are free, unless the KL is in the
# loss. With it, moving apart at σ = 1 costs r²/8, shrinking σ at |μ| = 1 about ln(r/2) for large r, and the
# cheapest mixture of the two ½ ln(1 + ¼ r²), which still grows without a bound while the information stops at
# ln 2.
#
# Now a network that can choose. Eight points on a circle are the data, the code is one number, p(x|z) =
# N(decoder(z), 0.3² I). We train the same variational autoencoder with β = 1, the ELBO, and with β = 0,
# reconstruction only (β, the argument `beta`, is a factor of the KL).

# %%
angle = 2 * np.pi * np.arange(8) / 8
circle = np.column_stack([np.cos(angle), np.sin(angle)])
watch = (0, 30, 100, 300, 1000, 3000)
courses, codes = {}, {}
print("   β   step   mean σ   mean |μ|       KL    I(x; z) of at most ln 8 = 2.079")
for beta in (1.0, 0.0):
    rng = np.random.default_rng(0)
    model = VAE(mlp([2, 16, 2], rng=rng), mlp([1, 16, 2], rng=rng), GaussianNLL(0.3), DiagonalGaussian(1), samples=8,
                beta=beta)
    optimizer, rows = Adam(0.01), []
    for step in range(watch[-1] + 1):
        model.loss(circle, rng=rng)
        if step in watch:
            mu, sigma = model.posterior.mu[:, 0], model.posterior.sigma[:, 0]
            rows.append((step, sigma.mean(), np.abs(mu).mean(), price(mu, sigma), information(mu, sigma)))
            print(f"{beta:4.0f} {step:6d} {rows[-1][1]:8.4f} {rows[-1][2]:10.2f} {rows[-1][3]:8.2f} {rows[-1][4]:10.3f}")
            assert rows[-1][4] <= rows[-1][3] + 1e-9                         # what is told is never more than what is paid
        optimizer.step(model.w, model.backward())
    courses[beta], codes[beta] = np.array(rows), (mu.copy(), sigma.copy())
final = {beta: rows[-1] for beta, rows in courses.items()}
assert final[0.0][2] > 2 * final[1.0][2]
assert final[0.0][1] < 0.01 and final[0.0][4] > np.log(8) - 1e-6 and final[0.0][3] > 8
assert final[1.0][1] > 0.1 and final[1.0][4] < 1.8 and final[1.0][3] < final[1.0][4] + 0.1

# %% [markdown]
# Without the KL the network has found both ways out: codes wider apart, and σ down to thousandths, still
# falling. All 2.079 nats are told, and the KL that it does not have to pay is several times as much. With the
# KL, σ stays near 0.2, the eight codes touch each other, and nearly every nat that is paid is a nat told. So
# it is the KL that limits the information. σ is the means by which the network sets it.

# %%
figure = plots.new_figure("The bars are μ ± σ of the eight codes. Without the KL they shrink to lines. Right: with the "
                          "KL price and information go together; without it the price runs away and soon buys nothing "
                          "more.", 16, 9)
grid = figure.add_gridspec(2, 2)
for row, (beta, colour) in enumerate(((1.0, BLUE), (0.0, RED))):
    axes = plots.new_axes(figure, grid[row, 0], f"β = {beta:.0f}: the codes of eight x", "z", "x, number on the circle")
    mu, sigma = codes[beta]
    axes.errorbar(mu, range(8), xerr=sigma, fmt="o" if beta else "s", markersize=5, linewidth=9, alpha=0.6, color=colour)
    axes.plot(mu, range(8), "k|", markersize=18, markeredgewidth=2)
    axes.set(xlim=(-5.5, 5.5), ylim=(-0.8, 7.8), yticks=range(8))
axes = plots.new_axes(figure, grid[:, 1], "Training", "step", "nats")
for beta, colour, style in ((1.0, BLUE, "-"), (0.0, RED, "--")):
    at = courses[beta][1:, 0]
    for column, marker, width, name in ((3, "o", 3, "KL"), (4, "^", 1.5, "I(x; z)")):
        axes.semilogx(at, courses[beta][1:, column], style, marker=marker, markersize=9, linewidth=width, color=colour,
                      label=f"{name}, β = {beta:.0f}")
axes.axhline(np.log(8), color="0.4", linestyle=":", linewidth=2, label="ln 8")
axes.grid(color="0.9")
plots.legend_below_title(axes)
course.show(figure, "12_information")

# %% [markdown]
# ## The amortisation gap on MNIST
#
# With `--full`: a variational autoencoder for handwritten digits, 784-200-[20]-200-784 units, trained on 5000
# binarised images for 200 epochs, long enough to learn some of them by heart. Then its decoder is held fixed.
# For 300 images we start from the encoder's μ and logvar and raise the ELBO of every image on its own: the
# ascent of the second section, with a draw in place of the nodes. What is gained is the amortisation gap,
# once on images that the encoder was trained on and once on new ones.


# %%
def bound_of(model, x, h, draws=500):
    """The ELBO (N,) of the q that h (N, 2d) describes, always with the same draws."""
    rng, reconstruction = np.random.default_rng(0), np.zeros(len(x))
    for _ in range(draws):
        z = model.posterior.sample(h, rng.normal(size=(len(x), model.posterior.d)))
        reconstruction -= model.likelihood.forward(model.decoder.forward(z), x) / draws
    return reconstruction - model.posterior.kl()


def refined_codes(model, x, rng, steps=1000):
    """h (N, 2d): the encoder's, improved for each row of x by Adam on its own -ELBO, one draw a step."""
    h, optimizer = model.encoder.forward(x).copy(), Adam(0.02)
    for step in range(steps):
        optimizer.alpha = 0.02 * (1 - step / steps) + 0.0002
        z = model.posterior.sample(h, rng.normal(size=(len(x), model.posterior.d)))
        model.posterior.kl()
        model.likelihood.forward(model.decoder.forward(z), x)
        dz = model.decoder.backward(model.likelihood.backward(np.ones(len(x))))
        dh = model.posterior.backward(dz, np.ones(len(x)))
        optimizer.step(h.reshape(-1), dh.reshape(-1))                # the same numbers as one vector
    return h


# %%
if FULL:
    data, rng = datasets.load("mnist"), np.random.default_rng(0)
    train = datasets.binarize(rng, data.x[:5000].astype(np.float64))
    new = datasets.binarize(rng, data.x_test[:300].astype(np.float64))
    model = VAE(mlp([784, 200, 40], rng=rng), mlp([20, 200, 784], rng=rng), BernoulliNLL(), DiagonalGaussian(20))
    fit(model, train, optimizer=Adam(1e-3), epochs=200, batch_size=100, rng=rng)
    gained, bounds = {}, {}
    print("300 binarised images     ELBO of the encoder   refined for each image   amortisation gap, nats")
    for name, x in (("of the training set", train[:300]), ("new", new)):
        by_network = bound_of(model, x, model.encoder.forward(x))
        by_image = bound_of(model, x, refined_codes(model, x, rng))
        gain = by_image - by_network
        gained[name], bounds[name] = gain.mean(), by_network.mean()
        print(f"{name:20} {by_network.mean():23.2f} {by_image.mean():24.2f} {gain.mean():16.2f} "
              f"± {gain.std() / np.sqrt(len(x)):.2f}")
    assert 2 < gained["of the training set"] < 4.5 and 7 < gained["new"] < 13
    assert 13 < bounds["of the training set"] - bounds["new"] < 21

# %% [markdown]
# With `--full`: on images it was trained on the encoder is 3.05 nats below the best q of each, on new ones
# 9.68. So of the 16.8 nats between the two ELBOs 6.6 are the encoder's doing, not the decoder's: p(x) is a
# better model of new images than its ELBO says. (How much of the other 10.2 is the decoder's this cannot
# tell: the approximation gaps are still in them, and may differ too.)

# %% [markdown]
# ## What to remember
#
# - log p(x) = ELBO + KL(q ‖ p(z|x)), exactly and for every q. The bound is as good as q is.
# - The gap has two parts: what the family Q cannot express (for one x), and what one network for all x
#   misses. Only the second shrinks with a better or better trained encoder. An encoder is good only where it
#   has seen data, and it can learn by heart (on MNIST).
# - Raising the ELBO raises log p(x) *minus* the KL. With the decoder in training either part can move the
#   wrong way.
# - Draw ε first, then z = μ + σ ε: the gradient passes. Freeze ε when you check it.
# - The score function needs only values of f and works where there is no slope. Its variance is larger by a
#   factor that grows with the distance and with the square of the dimension (with a baseline: with the
#   dimension).
# - σ alone limits nothing: only σ relative to the distances of the codes counts, and only the KL puts a price
#   on that. The mean KL is never less than the information that z has about x, in nats.
#
# ## Try it
#
# - Take x = 0 instead of 1 in the second section, where the posterior is one broad hill with a shoulder. How
#   many optima are there, and how large is the gap?
# - Let q in the second section have a fixed σ of 1, and descend in μ only. How much of the ELBO is lost, and
#   in which of its two terms?
# - In the step D replace Q by its best q plus an amortisation error, say μ + 0.1 for every x. Where does θ
#   go?
# - Choose the best constant baseline b for f = (z - c)² by computing the variance as a function of b. It is
#   not E_q[f]. Why?
# - Train the eight points with β = 4 and with β = 0.1. How many of the eight codes can still be told
#   apart, and what is the mean KL then, compared with ln 4 and ln 8?
# - `python -m numpyae exercise 12` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
