# %% [markdown]
# # 8. Regularised autoencoders: what goes wrong, and what helps
#
# An autoencoder computes a code z = f(x) with its encoder f and x again from it with its decoder g, and is
# trained to make g(f(x)) close to x. A network can do that and learn nothing: by copying, or by learning its
# samples by heart. This lecture shows both, and what it means that such a code has no distribution. Then come
# the three remedies of [002] and [003]: denoising, sparse codes and contraction. Each is one more argument of
# `Autoencoder`, each makes a promise, and each promise is measured here. Some of them are not kept.
#
# Takes about 12 s; with `--full` about 26 minutes: 30 000 handwritten digits (MNIST) instead of typeset ones
# for all variants and the table at the end, all 60 000 for one larger k-sparse network (20 of the minutes),
# and 24 photographs (Kodak) instead of one for the edges.

# %%
import copy

import numpy as np

from numpyae import (PCA, Adam, Autoencoder, Contraction, Dense, GaussianNoise, Identity, KLSparsity, L1Sparsity, L2Sparsity,
                     MaskingNoise, Sequential, Sigmoid, SquaredError, Tanh, TiedDense, TopK, WeightDecay, course, datasets,
                     fit, lbfgs, mlp, plots)
from numpyae.datasets.generated import patches, photograph, shifted, swiss_roll, whiten
from numpyae.evaluation import probe

FULL = course.full()


def halved(x, side):
    """Pictures (N, side²) with half the pixels in each direction: means of 2 x 2."""
    half = side // 2
    return np.ascontiguousarray(x.reshape(-1, half, 2, half, 2).mean(axis=(2, 4)).reshape(-1, half * half))


def error(model, x, target=None):
    """Squared error, summed over features, mean over samples."""
    return float(np.mean(np.sum((model.reconstruct(x) - (x if target is None else target))**2, axis=1)))


pictures, labels = datasets.digits(2000, np.random.default_rng(0), np.float32)
medium = halved(pictures, 28)                    # 14 x 14
small = halved(medium, 14)                       # 7 x 7

# %% [markdown]
# ## Code narrower, as wide, wider than the input
#
# [002] lists when an autoencoder fails: when the code is as wide as the input or wider, and, even with a
# narrow code, when encoder and decoder have too much capacity. We train nets of tanh units on only 40 digits
# of 7 x 7 pixels, so D = 49, with code sizes K = 4, 49 and 98: shallow (49-K-49) and deep (49-50-K-50-49).
# Three errors are compared, each as a share of the data's variance: on the training digits, on new digits,
# and on *scrambled* digits: every pixel keeps its grey levels but takes them from another picture each, so
# that nothing is left that deserves the name of a digit. The first row is the answer that needs no network:
# the mean of the forty for everything.

# %%
rng = np.random.default_rng(1)
few, new = small[:40].astype(float), small[1600:].astype(float)
scrambled = np.column_stack([rng.permutation(column) for column in new.T])
v = few.var(axis=0).sum()
nets, shares = {}, {}
mean_answer = [np.mean(np.sum((x - few.mean(axis=0))**2, axis=1)) / v for x in (few, new, scrambled)]
print("share of the variance lost    training     new  scrambled")
print("{:26} {:10.4f} {:7.4f} {:10.4f}".format("mean", *mean_answer))
for deep in (False, True):
    for K in (4, 49, 98):
        hidden = [50] if deep else []
        rng = np.random.default_rng(0)
        encoder, decoder = mlp([49, *hidden, K], output=Tanh, rng=rng), mlp([K, *hidden, 49], rng=rng)
        model = Autoencoder(encoder, decoder, SquaredError())
        lbfgs(model, few, iterations=300, tolerance=0)
        nets[deep, K] = model
        shares[deep, K] = [error(model, x) / v for x in (few, new, scrambled)]
        name = f"{'deep' if deep else 'shallow'}, K = {K}"
        print("{:26} {:10.4f} {:7.4f} {:10.4f}".format(name, *shares[deep, K]))

# %% [markdown]
# What was seen:
#
# - **Narrow and shallow** is the honest case: what it loses on new digits is of the order of what it loses on
#   the forty it knows, and it loses most of a scrambled one. It knows digits, not pixels.
# - **Narrow and deep** learns by heart: on the training digits it is far better than the shallow one, on new
#   digits it is worse, and to scrambled ones it answers with something that is worse than the mean.
# - **As wide, and wider, copies**, shallow or deep: it passes scrambled digits on almost entirely. Its errors
#   are low and it has learnt little about digits.

# %%
train, test, noise = range(3)
assert shares[False, 4][test] < 2 * shares[False, 4][train] and shares[False, 4][noise] > 0.75
assert shares[True, 4][train] < 0.6 * shares[False, 4][train] and shares[True, 4][test] > 1.05 * shares[False, 4][test]
assert shares[True, 4][noise] > mean_answer[noise]
assert all(shares[deep, K][noise] < 0.2 for deep in (False, True) for K in (49, 98))


# %%
def rows_of_pictures(axes, rows, names, side):
    """Rows of as many pictures each, (n, side²), with a name at the left of each row."""
    page = np.full((len(rows) * (side + 1) - 1, len(rows[0]) * (side + 1) - 1), np.nan)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            page[i * (side + 1):i * (side + 1) + side, j * (side + 1):j * (side + 1) + side] = picture.reshape(side, side)
    axes.imshow(np.ma.masked_invalid(page), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks((side + 1) * np.arange(len(rows)) + (side - 1) / 2, names, fontsize=plots.TEXT)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


figure = plots.new_figure(
    "The narrow code makes a blurred mean-like digit of everything; the wide one passes anything on, digit or not.", 16, 9)
grid = figure.add_gridspec(1, 2)
for place, name, x in zip(grid, ("New digits", "Scrambled digits"), (new[:4], scrambled[:4])):
    axes = plots.new_axes(figure, place, name)
    rows_of_pictures(axes, [x, nets[False, 4].reconstruct(x), nets[True, 4].reconstruct(x), nets[False, 98].reconstruct(x)],
                     ["input", "K = 4", "K = 4, deep", "K = 98"] if name == "New digits" else [""] * 4, 7)
course.show(figure, "08_copying")

# %% [markdown]
# ## The index trick
#
# How bad can memorising be? [003] has the extreme case: with encoder and decoder large enough, *one* number
# suffices, f(x_i) = i. We need not train such a network, we can write its weights down. Project the N samples
# on a random direction u: s_i = x_iᵀu are N different numbers. Number the samples in their order, and let m_j
# be the middle between s_j-1 and s_j. With very steep logistic units σ, which are nearly steps,
#
#     f(x) = Σ_j σ(β (xᵀu - m_j))                           how many middles lie below: 0, 1, …, N - 1
#     g(h) = x_0 + Σ_j (x_j - x_j-1) σ(γ (h - j + ½))       start at x_0 and add differences until h is reached

# %%
N = 40
u = np.random.default_rng(2).normal(size=196)
memorised = medium[:N].astype(float)
order = np.argsort(memorised @ u)
memorised = memorised[order]
s = memorised @ u
beta, gamma = 80 / np.diff(s).min(), 80
first, second = Dense(196, N - 1), Dense(N - 1, 1)
first.W, first.b = beta * np.tile(u[:, None], N - 1), -beta * (s[1:] + s[:-1]) / 2
second.W, second.b = np.ones((N - 1, 1)), [0.0]
third, fourth = Dense(1, N - 1), Dense(N - 1, 196)
third.W, third.b = gamma * np.ones((1, N - 1)), gamma * (0.5 - np.arange(1, N))
fourth.W, fourth.b = np.diff(memorised, axis=0), memorised[0]
index = Autoencoder(Sequential(first, Sigmoid(), second), Sequential(third, Sigmoid(), fourth), SquaredError())

codes = index.encode(memorised)[:, 0]
unseen = medium[1600:].astype(float)
about_mean = np.mean(np.sum((unseen - memorised.mean(axis=0))**2, axis=1))
print(f"codes of the first five: {codes[:5].round(6)}; error on the {N} memorised digits {error(index, memorised):.1e}")
print(f"on new digits {error(index, unseen):.2f}; answering with the mean of the {N} for everything: {about_mean:.2f}")
assert np.abs(codes - np.arange(N)).max() < 1e-9 and error(index, memorised) < 1e-12
assert error(index, unseen) > 1.5 * about_mean

# %% [markdown]
# The error on the N digits is zero, and on new ones it is worse than no network at all. What the code knows
# shows *between* its values. A code that describes digits would change one into the next. Here nothing
# happens for almost half a unit, then the next digit jumps in; half-way there are both at once. Neighbours in
# the code are not neighbours in anything else: the distance of two codes explains next to nothing of the
# distance of their pictures.

# %%
between = np.array([7.0, 7.3, 7.46, 7.48, 7.5, 7.52, 7.54, 7.7, 8.0])
decoded = index.decode(between[:, None])
assert np.abs(decoded[4] - (memorised[7] + memorised[8]) / 2).max() < 1e-9 and np.abs(decoded[1] - memorised[7]).max() < 1e-6
i, j = np.triu_indices(N, 1)
correlation = np.corrcoef(j - i, np.linalg.norm(memorised[i] - memorised[j], axis=1))[0, 1]
print(f"of the differences in distance between pictures, the distance of codes explains {100 * correlation**2:.0f} %")
assert correlation**2 < 0.1

figure = plots.new_figure(
    "One number holds all 40 digits without error; between two of its values there is a jump, two digits at once.", 16, 9)
grid = figure.add_gridspec(2, 1, height_ratios=[2, 1])
axes = plots.new_axes(figure, grid[0], "Decoded whole codes 0, 1, …, 39: the memorised digits")
known = index.decode(np.arange(40.0)[:, None]).reshape(4, 10, 196)
rows_of_pictures(axes, known, ["0 … 9", "10 … 19", "20 … 29", "30 … 39"], 14)
axes = plots.new_axes(figure, grid[1], "Between codes 7 and 8")
rows_of_pictures(axes, [decoded], [""], 14)
axes.set_xticks(15 * np.arange(9) + 6.5, [f"{h:g}" for h in between], fontsize=plots.TEXT)
course.show(figure, "08_index_trick")

# %% [markdown]
# ## Random codes of a plain autoencoder, decoded
#
# Trained networks are not that bad, but one failing of the index trick stays: nobody has told the code which
# values to use ([000], [003] §4). Here is a deep autoencoder with ten code numbers. The decoder shares the
# weights of the encoder (*tied*: Wᵀ on the way back); we come back to that. We decode codes of four kinds: of
# new digits; drawn from a normal distribution with mean and covariance of the training codes; drawn uniformly
# from the box that the training codes fill; and drawn from N(0, I), which is what a variational autoencoder
# (lecture 13) could decode. How far is each code from the *nearest* training code, and each picture from the
# nearest training digit?

# %%
def tied(sizes, hidden, code=(), seed=0, **settings):
    """An autoencoder sizes[0]-…-K-…-sizes[0] with hidden activations and tied weights; `code`: activations of the code."""
    rng = np.random.default_rng(seed)
    denses = [Dense(n_in, n_out, rng) for n_in, n_out in zip(sizes[:-1], sizes[1:])]
    encoder = [layer for dense in denses for layer in (dense, hidden())][:-1] + list(code)
    decoder = [layer for dense in denses[::-1] for layer in (TiedDense(dense), hidden())][:-1]
    return Autoencoder(Sequential(*encoder), Sequential(*decoder), SquaredError(), **settings).astype(np.float32)


def trained(model, x, epochs, alpha):
    """`epochs` of Adam, batches of 100, the rate falling linearly to 0."""
    def slower(model, history, optimizer):
        optimizer.alpha = alpha * (1 - history.epochs / (epochs + 1))

    fit(model, x, optimizer=Adam(alpha), epochs=epochs, batch_size=100, rng=np.random.default_rng(1), callbacks=[slower])
    return model


x, y, x_test, y_test, side, epochs = medium[:1600], labels[:1600], medium[1600:], labels[1600:], 14, 32
if FULL:
    data = datasets.load("mnist", dtype=np.float32)
    x, y, x_test, y_test, side, epochs = data.x[:30000], data.y[:30000], data.x_test, data.y_test, 28, 10
RATE = 3e-3 if FULL else 1e-2
D, v = x.shape[1], float(x.var(axis=0).sum())    # v: the variance of the data, summed over the pixels
sizes = [D, 300, 20] if FULL else [D, 128, 10]
plain = trained(tied(sizes, Tanh), x, epochs, alpha=RATE)
linear = error(PCA(sizes[-1]).fit(x), x_test)
print(f"{'-'.join(map(str, sizes))}: error on new digits {error(plain, x_test):.2f}, PCA with as many numbers {linear:.2f}, "
      f"variance {v:.1f}")

# %%
z = plain.encode(x)
rng = np.random.default_rng(3)
kinds = {"of new digits": plain.encode(x_test[:200]),
         "normal, like the codes": rng.multivariate_normal(z.mean(axis=0), np.cov(z.T.astype(float)), 200),
         "uniform in their box": rng.uniform(z.min(axis=0), z.max(axis=0), (200, sizes[-1])),
         "N(0, I)": rng.normal(size=(200, sizes[-1]))}


def to_nearest(a, b):
    """The mean distance of a row of a to the nearest of the first 1600 rows of b."""
    b = b[:1600]
    squares = np.sum(a**2, axis=1)[:, None] - 2 * a @ b.T + np.sum(b**2, axis=1)
    return float(np.sqrt(squares.min(axis=1)).mean())


pages, away, nearest = {}, {}, {}
print("distance to the nearest        training code   training digit")
for name, codes in kinds.items():
    pages[name] = plain.decode(codes.astype(np.float32))
    away[name], nearest[name] = to_nearest(codes, z), to_nearest(pages[name], x)
    print(f"codes {name:24} {away[name]:13.2f} {nearest[name]:16.2f}")
print("means of the codes:", z.mean(axis=0).round(1), "standard deviations:", z.std(axis=0).round(1))
assert error(plain, x_test) < linear
assert FULL or sorted(away, key=away.get) == sorted(nearest, key=nearest.get) == list(kinds)
assert FULL or z.mean(axis=0).max() > 1.5 and z.std(axis=0).max() < 1
assert nearest["normal, like the codes"] > 1.2 * nearest["of new digits"]
assert min(nearest["uniform in their box"], nearest["N(0, I)"]) > 1.5 * nearest["of new digits"]

# %% [markdown]
# The further the codes are from those of real digits, the further are the pictures. The box is mostly empty:
# ten numbers that each look harmless are, together, a code that no digit has. Even the fitted normal
# distribution misses. N(0, I) misses because the codes of the typeset digits are centred elsewhere, with
# means up to 1.8, and spread less. A decoder has been trained only where the encoder has sent something.

# %%
figure = plots.new_figure(
    "Codes of real digits decode to digits; codes drawn at random often to mixtures and fragments.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Decoded codes of four kinds")
rows_of_pictures(axes, [page[:8] for page in pages.values()], list(pages), side)
course.show(figure, "08_random_codes")

# %% [markdown]
# ## Denoising
#
# A denoising autoencoder sees x̃ = x + σε, ε ~ N(0, I), and its target is the clean x ([002]; [003] equation
# 6). [002] lists two more corruptions: masking (`MaskingNoise(p)`, a share p set to 0 or to 1) and
# salt-and-pepper (`SaltAndPepper(p)`). Without a Gaussian the formula below does not hold; the target stays
# clean. Copying no longer pays. [003] says that it then learns "a vector field that brings back noisy samples
# on the underlying manifold". One can be more exact. Let r(x̃) = g(f(x̃)) be the best possible answer, the
# mean of all x that x̃ may come from. Then for any density p (Miyasawa 1961; Alain & Bengio 2014)
#
#     (r(x) - x) / σ² = ∇log p_σ(x)   exactly, p_σ = p blurred by the noise;       → ∇log p(x) for σ → 0
#
# The field is the *score*: it points uphill, towards where data are more frequent. We check it where the
# score is known: points on a circle, spread by s = 0.1. Its density is a mean of Gaussians around points c of
# the circle, and so is the blurred one, with s² + σ² for s². A network 2-32-32-2 never sees a density, only
# noisy points and clean ones.

# %%
angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
circle, spread = np.column_stack([np.cos(angle), np.sin(angle)]), 0.1


def score(x, s):
    """∇log p(x) and p(x), p the mean of N(c, s² I) over the points c of the circle; x (N, 2)."""
    away = circle - x[:, None]
    weights = np.exp(-np.sum(away**2, axis=2) / (2 * s**2))
    total = weights.sum(axis=1)
    return np.einsum("nc,ncd->nd", weights, away) / total[:, None] / s**2, total / len(circle) / (2 * np.pi * s**2)


rng = np.random.default_rng(4)
ring = (circle[rng.integers(400, size=4000)] + spread * rng.normal(size=(4000, 2))).astype(np.float32)
line = np.linspace(-1.4, 1.4, 29)
places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
places = places[np.abs(np.hypot(*places.T) - 1) < 0.35]         # where there are data, or noisy data
fields = {}
for sigma in (0.05, 0.1, 0.2):
    network = mlp([2, 32, 32, 2], rng=np.random.default_rng(5))
    denoiser = Autoencoder(Sequential(*network.layers[:-1]), network.layers[-1], SquaredError(), GaussianNoise(sigma))
    denoiser = denoiser.astype(np.float32)
    trained(denoiser, ring, 60, alpha=1e-2)
    fields[sigma] = (denoiser.reconstruct(places.astype(np.float32)) - places) / sigma**2

# %% [markdown]
# For each σ: the cosine between field and score, as one number for the whole field, Σ F·G / √(Σ F² Σ G²), and
# the ratio of their lengths; first for the score of the data themselves, then for that of the blurred data.

# %%
def compared(F, G):
    """The cosine between two fields, and |F| / |G|."""
    return np.sum(F * G) / np.linalg.norm(F) / np.linalg.norm(G), np.linalg.norm(F) / np.linalg.norm(G)


print("noise σ    ∇log p: cosine  length    ∇log p_σ: cosine  length")
results = {}
for sigma, field in fields.items():
    results[sigma] = compared(field, score(places, spread)[0]) + compared(field, score(places, np.hypot(spread, sigma))[0])
    print("{:7.2f}    {:14.3f} {:7.2f}    {:16.3f} {:7.2f}".format(sigma, *results[sigma]))
assert all(blurred > 0.95 and 0.85 < ratio < 1.15 for *_, blurred, ratio in results.values())
assert all(clean > 0.95 for clean, *_ in results.values())
assert results[0.2][1] < 0.45 < results[0.1][1] < 0.6 < results[0.05][1]

# %% [markdown]
# The direction is right for every σ. The length is that of the *blurred* score, as the exact formula says:
# with σ = s the field is about half as long as ∇log p, since s² + σ² = 2 s². Only small noise shows p itself,
# and small noise is the hardest to learn from.

# %%
figure = plots.new_figure(
    "Trained denoiser and true score, arrows at 1/90 of their length: both point back to the circle of the data.", 16, 9)
grid = figure.add_gridspec(1, 2)
shown = {"Denoiser, σ = 0.1: (r(x) - x) / σ²": fields[0.1],
         "Score of the blurred density, ∇log $p_σ$(x)": score(places, np.hypot(spread, 0.1))[0]}
for place, (name, field) in zip(grid, shown.items()):
    axes = plots.new_axes(figure, place, name, "$x_1$", "$x_2$")
    axes.plot(*ring[:1500].T, ".", markersize=4, color=plots.COLOURS[3], alpha=0.6)
    axes.quiver(*places.T, *field.T, color=plots.COLOURS[2], angles="xy", scale_units="xy", scale=90, width=0.003)
    axes.set_aspect("equal")
course.show(figure, "08_denoising_field")

# %% [markdown]
# ## What denoising learns: dependencies
#
# [002]: undoing the noise "can only be done by capturing the statistical dependencies between the inputs". So
# where there are none, there is nothing to gain. We take two kinds of x with 20 features, each feature N(0,
# 1): in one they are independent, in the other they are mixtures of two hidden numbers, covariance C. The
# noise has σ = 1. The best that one can do *feature by feature* is to shrink each, x̃_d / (1 + σ²), with an
# error of 20 · ½ = 10 for both kinds. The best of all is known too, tr(C - C (C + σ² I)⁻¹ C).

# %%
rng = np.random.default_rng(6)
mixing = rng.normal(size=(2, 20))
mixing *= np.sqrt(0.95 / np.sum(mixing**2, axis=0))
losses = {}
for name, C in (("independent", np.eye(20)), ("dependent", mixing.T @ mixing + 0.05 * np.eye(20))):
    factor = np.linalg.cholesky(C)
    draw = [(rng.normal(size=(n, 20)) @ factor.T).astype(np.float32) for n in (5000, 5000)]
    denoiser = Autoencoder(mlp([20, 40], output=Tanh, rng=rng), Dense(40, 20, rng=rng), SquaredError(), GaussianNoise(1.0))
    denoiser = trained(denoiser.astype(np.float32), draw[0], 30, alpha=3e-3)
    noisy = draw[1] + rng.standard_normal((5000, 20), dtype=np.float32)
    best = np.trace(C - C @ np.linalg.inv(C + np.eye(20)) @ C)
    losses[name] = error(denoiser, noisy, draw[1]), float(np.mean(np.sum((noisy / 2 - draw[1])**2, axis=1))), best
    print("{:12} autoencoder {:6.2f}   feature by feature {:6.2f}   best possible {:6.2f}".format(name, *losses[name]))
assert 0.99 < losses["independent"][0] / losses["independent"][1] < 1.05
assert losses["dependent"][0] < 0.35 * losses["dependent"][1] and losses["dependent"][0] > 0.95 * losses["dependent"][2]

# %% [markdown]
# On independent features training ends where shrinking ends; no network can do better. On dependent ones the
# other nineteen features tell what the noise has hidden in the twentieth. This also says when denoising is of
# no use: on features that have been made independent beforehand.
#
# [003] adds that a denoising autoencoder cannot learn the identity, "as otherwise, the loss function would be
# high". It would be D σ², the noise itself, and with little noise that is low: at σ = 0.1 the best answer to
# independent features, D σ² / (1 + σ²), is 1 % better than handing the noisy x back.
#
# ## All variants, trained
#
# From here on we need all the variants, so we train them now, all of one size: D-64-D, tied weights, logistic
# units and a linear output, the same number of steps (with `--full` 256 units). What differs is one argument
# ([003] equation 3: L = D(x, g(f(x))) plus a term). The weights of the penalties are in units of the data's
# variance v: what is given up for them is then the same share on any data. The k-sparse one has linear units
# (Makhzani & Frey 2013).

# %%
H = 256 if FULL else 64
arguments = {
    "plain": {},
    "weight decay": {"penalties": [WeightDecay(3e-4 * v)]},
    "denoising": {"corruption": GaussianNoise(0.3)},
    "masking": {"corruption": MaskingNoise(0.3)},
    "KL over batch": {"penalties": [KLSparsity(0.05, 0.1 * v)]},
    "KL over units": {"penalties": [KLSparsity(0.05, 0.1 * v * H, over="units")]},
    "L1": {"penalties": [L1Sparsity(0.05, 0.1 * v)]},
    "L2": {"penalties": [L2Sparsity(0.05, 0.5 * v)]},
    "top 10": {"code": [Identity(), TopK(10, by="value")]},
    "contractive": {"penalties": [Contraction(0.1 * v, samples=1)]},
}
models = {}
for name, argument in arguments.items():
    models[name] = trained(tied([D, H], Tanh, **{"code": [Sigmoid()]} | argument), x, epochs, alpha=RATE)
codes = {name: model.encode(x_test) for name, model in models.items()}

# %% [markdown]
# The three rows of [002]: clean digits that no network has seen, the same with noise of σ = 0.3, and what the
# denoising autoencoder makes of them. A fourth row shows the plain autoencoder, which has never seen noise
# and keeps more of it. PCA with the best number of components stands beside them.

# %%
rng = np.random.default_rng(7)
noisy = x_test[:400] + 0.3 * rng.standard_normal((400, D), dtype=np.float32)
errors = {"noisy": float(np.mean(np.sum((noisy - x_test[:400])**2, axis=1))),
          "cleaned": error(models["denoising"], noisy, x_test[:400]), "plain": error(models["plain"], noisy, x_test[:400])}
errors["PCA, best size"] = min(error(PCA(K).fit(x[:5000]), noisy, x_test[:400]) for K in (10, 20, 30, 50, 70))
print("squared error against the clean digit:", ", ".join(f"{name} {value:.2f}" for name, value in errors.items()))
assert errors["cleaned"] < min(0.3 * errors["noisy"], 0.85 * errors["plain"], errors["PCA, best size"])

figure = plots.new_figure(
    "The third row is much closer to the first than the second; the plain autoencoder leaves more noise in.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Clean, noisy (σ = 0.3), cleaned")
cleaned, kept = models["denoising"].reconstruct(noisy[:8]), models["plain"].reconstruct(noisy[:8])
rows_of_pictures(axes, [x_test[:8], noisy[:8], cleaned, kept], ["clean", "noisy", "cleaned", "plain AE"], side)
course.show(figure, "08_three_rows")

# %% [markdown]
# ## Sparse codes
#
# A sparse code has few active units for each x, and different ones for different x. [002] gives two ways. The
# *k-sparse* function keeps the k strongest units and sets the others to 0 (`TopK`). The other way is a
# penalty on the mean activation m, by KL(ρ ‖ m), |m - ρ| or (m - ρ)² with a small target ρ; here ρ = 0.05.
# The documents do not agree on which mean: of *one unit over the samples* ([003]; "over batch") or of *one
# sample over the units* ([002]; "over units"). Below, for each variant: the mean activation; how far the
# means of units and those of samples are spread around it (standard deviations); the mean of the busiest
# unit; how many units are above 0.1 for a picture, and how many hardly differ between any two pictures.

# %%
print("                 mean   spread over units   spread over samples   busiest   above 0.1   dead")
spreads, busiest = {}, {}
for name in ("plain", "KL over batch", "KL over units", "L1", "L2", "top 10"):
    h = codes[name]
    dead = int(np.sum(h.std(axis=0) < 0.01))
    spreads[name] = h.mean(axis=0).std(), h.mean(axis=1).std(), np.mean(np.sum(np.abs(h) > 0.1, axis=1)), dead
    busiest[name] = h.mean(axis=0).max()
    print(f"{name:15} {h.mean():6.3f} {spreads[name][0]:15.3f} {spreads[name][1]:20.3f} {busiest[name]:13.2f} "
          f"{spreads[name][2]:11.1f} {dead:6}")
assert all(spreads[name][2] < 0.4 * spreads["plain"][2] for name in ("KL over batch", "L1", "L2", "top 10"))
assert spreads["KL over batch"][0] < 0.5 * spreads["KL over units"][0]
assert spreads["KL over batch"][1] > spreads["KL over units"][1]
assert FULL or min(spreads["L1"][0], spreads["L2"][0]) > 4 * spreads["KL over batch"][0]
assert FULL or min(busiest["L1"], busiest["L2"]) > 0.95 and busiest["KL over batch"] < 0.3
assert spreads["KL over batch"][3] == 0 < spreads["KL over units"][3] and spreads["top 10"][2] <= 10

# %% [markdown]
# The two means are two penalties. With KL, "over batch" makes the units alike, and a sample may use many or
# few. "Over units" makes the samples alike, and is content when the same few units are busy for every picture
# and a large part of the others is *dead*, the same for all pictures. KL over the batch can have neither: a
# unit with m = 0 or m = 1 would cost without bound. L1 and L2 over the batch can, and do not make the units
# alike: the slope of L1 is the same however far a unit is from ρ, that of L2 is small near ρ, and both leave
# a unit or two that is on for every picture. Top-k, too, has dead units: one that does not win does not
# learn. When features are wanted, the first of the two means is meant.
#
# What do the units look for? The weights into a unit, as a picture, are what it responds to most. Those of
# the k-sparse autoencoder are strokes, bits of digits and, in a few units, a whole digit; a picture is put
# together from ten of them. The dead units, which stopped winning during training, are left out: they have
# moved far from their first weights, so they learnt, and then died. As a number: the correlation between
# neighbouring weights, over the living units. White noise has 0, and the filters of the plain autoencoder are
# nearest to it. But the number is not about sparsity: contractive filters are smoother than those of top 10.

# %%
def living(name):
    """A Dense of only those units of a variant that are not dead."""
    alive = np.flatnonzero(codes[name].std(axis=0) > 0.01)
    dense = Dense(D, len(alive))
    dense.W = models[name].encoder.layers[0].W[:, alive]
    return dense


def smoothness(dense):
    """The correlation between a weight and its right-hand neighbour, mean over the units."""
    W = dense.W.T.reshape(-1, side, side)
    W = W - W.mean(axis=(1, 2), keepdims=True)
    left, right = W[:, :, :-1], W[:, :, 1:]
    lengths = np.sqrt(np.sum(left**2, axis=(1, 2)) * np.sum(right**2, axis=(1, 2)))
    return float(np.mean(np.sum(left * right, axis=(1, 2)) / lengths))


smooth = {name: smoothness(living(name)) for name in models}
print("correlation of neighbouring weights:", ", ".join(f"{name} {value:.2f}" for name, value in smooth.items()))
assert min(smooth["top 10"], smooth["KL over batch"]) > 1.25 * smooth["plain"]
assert FULL or min(smooth, key=smooth.get) == "plain" and smooth["contractive"] > 1.15 * smooth["top 10"]

W, first = models["top 10"].encoder.layers[0].W, tied([D, H], Tanh).encoder.layers[0].W
dead = codes["top 10"].std(axis=0) < 0.01
change = (np.linalg.norm(W - first, axis=0) / np.linalg.norm(first, axis=0))[dead]
print(f"change of the {len(change)} dead units of top 10: {change.min():.0%} to {change.max():.0%} of their first length")
assert FULL or change.min() > 0.5

# %%
figure = plots.new_figure("Plain filters are grainy; those of the k-sparse code are strokes and parts of digits. "
                          "Grey: a weight of 0.", 16, 9)
for place, name in zip(figure.add_gridspec(1, 2), ("plain", "top 10")):
    W = living(name).W.T
    W = W[np.argsort(-np.linalg.norm(W, axis=1))[:36]]
    axes = plots.new_axes(figure, place, f"{name}: the 36 longest filters")
    rows_of_pictures(axes, (0.5 + 0.5 * W / np.abs(W).max(axis=1, keepdims=True)).reshape(6, 6, D), 6 * [""], side)
course.show(figure, "08_digit_filters")

# %% [markdown]
# **Who is active for which digit?** For every unit, its mean activation over the test pictures of each digit,
# divided by the unit's largest; units ordered by their favourite digit. As a number: the share of a unit's
# activity that falls on its favourite digit, 10 % for a unit that does not care.

# %%
figure = plots.new_figure(
    "In the sparse code most units are busy for a few digits; in the plain one most units are busy for most.", 16, 9)
grid, favourite = figure.add_gridspec(1, 2), {}
for place, name in zip(grid, ("plain", "KL over batch")):
    by_digit = np.stack([codes[name][y_test == digit].mean(axis=0) for digit in range(10)], axis=1)        # (H, 10)
    favourite[name] = float(np.mean(by_digit.max(axis=1) / by_digit.sum(axis=1)))
    order = np.lexsort((-by_digit.max(axis=1), by_digit.argmax(axis=1)))
    title = f"{name}: {100 * favourite[name]:.0f} % on the favourite digit"
    axes = plots.new_axes(figure, place, title, "digit", "unit, by favourite digit")
    shown = (by_digit / by_digit.max(axis=1, keepdims=True))[order]
    image = axes.imshow(shown, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks(range(10))
bar = figure.colorbar(image, ax=axes)
bar.set_label("mean activation, in units of the unit's largest", fontsize=plots.TEXT)
course.show(figure, "08_who_is_active")
print("activity on a unit's favourite digit:", ", ".join(f"{name} {share:.0%}" for name, share in favourite.items()))
assert favourite["KL over batch"] > 1.7 * favourite["plain"]

# %% [markdown]
# **More orthogonal?** [003] says that with fewer active neurons "the new features of the encoded sample will
# be more 'orthogonal'". This can be read in three ways, all measured as the mean of a |cosine|, 0 for
# orthogonal: between the codes of two pictures, as they are and with the mean code taken off; between two
# units' activities over the pictures (a correlation); between the weights of two units.

# %%
def mean_cosine(rows):
    """The mean |cosine| between two different rows; rows of zeros are left out."""
    rows = rows[np.linalg.norm(rows, axis=1) > 1e-6]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return float(np.abs((rows @ rows.T)[np.triu_indices(len(rows), 1)]).mean())


print("mean |cosine| between   codes   codes - mean   activities of units   weights of units")
cosines = {}
for name in ("plain", "KL over batch", "L1", "top 10"):
    h = codes[name][:400]
    centred = h - h.mean(axis=0)
    W = models[name].encoder.layers[0].W
    cosines[name] = mean_cosine(h), mean_cosine(centred), mean_cosine(centred.T), mean_cosine(W.T)
    print("{:22} {:6.2f} {:14.2f} {:21.2f} {:18.2f}".format(name, *cosines[name]))
assert cosines["KL over batch"][0] < 0.6 * cosines["plain"][0]
assert all(cosines[name][k] < cosines["plain"][k] for k in (0, 1) for name in ("KL over batch", "L1", "top 10"))
assert cosines["KL over batch"][3] > 1.2 * cosines["plain"][3]
assert FULL or all(cosines[name][1] > 0.8 * cosines["plain"][1] for name in ("KL over batch", "L1", "top 10"))
assert FULL or cosines["top 10"][2] < 0.7 * min(cosines[name][2] for name in ("plain", "KL over batch", "L1"))
random_filters = np.sqrt(2 / (np.pi * D))           # the mean |cosine| of two random directions
assert FULL or abs(cosines["plain"][3] / random_filters - 1) < 0.25

# %% [markdown]
# So the *codes* of different pictures are nearer to orthogonal, mostly because the units of the plain code
# all hover around ½, a common part that makes any two codes alike; hardly any of it remains when the mean
# code is taken off. The *activities* of the units are more orthogonal clearly only with top-k (0.12 against
# 0.21). The *features*, that is the weights, are not: the filters of the plain autoencoder are as orthogonal
# as random ones (√(2/πD), 0.06 for D = 196), those with the KL penalty less. The sentence of [003] holds for
# codes, and not for features.
#
# ## Keeping k units alive
#
# Top-k has a disease: a unit that does not win does not learn, and so hardly wins again. Makhzani & Frey
# (2013) begin with a large k and lower it during the first half of the training, when every unit still finds
# something to do. Then, when the code is used and no longer trained, they keep 2k or 3k units instead of k:
# features that were nearly chosen tell something, too. Both are one line, since k is an attribute of the
# layer. We count the units that never win on the training data, with and without the descent of k, and probe
# the codes: the error of softmax regression from code to class. The quick form has 200 units and k = 10; with
# `--full` they are 1000 and k = 25 on all 60 000 digits, the paper's numbers, with each digit moved by up to
# a pixel in every epoch. The probe stops after 20 iterations of L-BFGS, its only regulariser: with 10 000 of
# the training digits held out, 10, 20 and 60 iterations err on 2.9, 2.2 and 2.6 % of those.

# %%
K, k, rounds = (1000, 25, 60) if FULL else (200, 10, 30)
everything, classes = (data.x, data.y) if FULL else (x, y)


def k_sparse(start):
    """D-K-D, tied and linear but for top-k; k falls from `start` during the first half."""
    dense = Dense(D, K, rng=np.random.default_rng(0))
    model = Autoencoder(Sequential(dense, TopK(start, by="value")), TiedDense(dense), SquaredError()).astype(np.float32)

    def fewer(model, history, optimizer):
        progress = history.epochs / rounds
        model.encoder.layers[1].k = max(k, round(start + (k - start) * 2 * progress))
        optimizer.alpha = (0.5 + 0.5 * np.cos(np.pi * progress)) * 1e-3 + 1e-6

    fit(model, everything, optimizer=Adam(1e-3), epochs=rounds, batch_size=128 if FULL else 50, rng=np.random.default_rng(1),
        each_epoch=shifted if FULL else None, callbacks=[fewer])
    return model


# %%
starts = {}
print("k at the start   error   dead   probe error with k, 2k, 3k units kept")
for start in (4 * k,) if FULL else (k, 10 * k):
    sparse = k_sparse(start)
    top, probes = sparse.encoder.layers[1], []
    dead, reached = int(np.sum(np.max(sparse.encode(everything) != 0, axis=0) == 0)), error(sparse, x_test)
    for kept in (k, 2 * k, 3 * k):
        top.k = kept
        z, z_test = sparse.encode(everything), sparse.encode(x_test)
        part = [slice(None)] if FULL else [slice(i, i + 300) for i in range(0, 1500, 300)]
        probes.append(np.mean([probe(z[p], classes[p], z_test, y_test, iterations=20) for p in part]))
    starts[start] = dead, *probes, reached
    print(f"{start:14} {reached:7.2f} {dead:6}  ", *(f"{value:7.2%}" for value in probes))
assert FULL or starts[10 * k][0] < 0.6 * starts[k][0] and starts[k][4] < starts[10 * k][4] < 1.3 * starts[k][4]
assert FULL or starts[10 * k][1] > starts[k][1] and all(row[3] < 0.5 * row[1] for row in starts.values())
assert not FULL or starts[4 * k][3] <= 0.025 and starts[4 * k][3] < starts[4 * k][1]

# %% [markdown]
# The descent halves the number of dead units. The probe makes far fewer errors with 3k units kept than with
# k, descent or not. The price: on these digits the reconstruction error is a little higher after the descent
# (2.62 against 2.22), and the probe on only k units is worse (3.6 against 2.3 %). With `--full` the probe errs
# on 2.7 % of the test digits with k units kept and on 2.1 % with 3k; the paper reports 1.35 %.
#
# ## Edges
#
# The best-known result of sparse coding needs other pictures. We follow the lecture notes CS294A (A. Ng):
# pieces of 8 x 8 pixels of natural photographs that were whitened (all spatial frequencies about equally
# strong), mean of each removed, squashed to [0.1, 0.9]; a 64-25-64 network of logistic units; loss
#
#     1/m Σ ½ ‖o - x‖² + λ/2 Σ W² + β Σ_j KL(ρ ‖ m_j),   λ = 10⁻⁴, ρ = 0.01, β = 3
#
# minimised by L-BFGS on all patches at once, so that m_j is the mean over the whole training set. Our loss
# has no ½, so it is twice theirs: λ Σ W² and 2β. Offline we take the one photograph that comes with
# Matplotlib, 2000 patches and 100 iterations; `--full` has the notes' 10 000 and 400, on the 24 photographs
# of Kodak.

# %%
def squashed(x):
    """Patches without their means, cut at 3 standard deviations, in [0.1, 0.9] (CS294A)."""
    x = x - x.mean(axis=1, keepdims=True)
    limit = 3 * x.std()
    return 0.5 + 0.4 * np.clip(x, -limit, limit) / limit


photos = datasets.load("kodak").x.reshape(-1, 512, 512) if FULL else photograph()[None]
pieces = squashed(patches(whiten(photos), 10000 if FULL else 2000, 8, np.random.default_rng(8)))
edge = {}
for name, penalties in (("sparse", [WeightDecay(1e-4), KLSparsity(0.01, 6.0)]), ("not sparse", [WeightDecay(1e-4)])):
    rng = np.random.default_rng(9)
    encoder, decoder = mlp([64, 25], output=Sigmoid, rng=rng), mlp([25, 64], output=Sigmoid, rng=rng)
    edge[name] = Autoencoder(encoder, decoder, SquaredError(), penalties=penalties)
    result = lbfgs(edge[name], pieces, iterations=400 if FULL else 100, tolerance=0)
    activation = edge[name].encode(pieces).mean()
    print(f"{name:11} loss {result.fun:.4f} after {result.nit} iterations, mean activation {activation:.3f}")
course.show(plots.filters(edge["sparse"].encoder.layers[0], (8, 8)), "08_edges")

# %% [markdown]
# They look like edges and bars, with one photograph mostly upright or level. To have a number we ask how well
# a *Gabor function* fits each, a wave under a Gaussian window, which is how the simple cells of the visual
# cortex are described:
#
#     e^(-u²/2s² - v²/2t²) (A cos 2πfu + B sin 2πfu) + C,    u, v: coordinates turned by θ around (x₀, y₀)
#
# A, B, C come from linear least squares; x₀, y₀, θ, f, s, t from the best of 2000 starts, improved
# by nonlinear least squares. A filter passes when at least 70 % of its variance is explained. The same test
# is put to three controls: white noise, the filters of the same network without the sparsity penalty, and the
# 25 first principal components.

# %%
row, column = np.indices((8, 8)) - 3.5


def waves(q):
    """Cosine and sine under the window of q = (x₀, y₀, θ, f, s, t), and a constant: (64, 3)."""
    x0, y0, theta, f, s, t = q
    u = (column - x0) * np.cos(theta) + (row - y0) * np.sin(theta)
    v = (row - y0) * np.cos(theta) - (column - x0) * np.sin(theta)
    window = np.exp(-u**2 / (2 * s**2) - v**2 / (2 * t**2))
    wave = 2 * np.pi * f * u
    return np.stack([window * np.cos(wave), window * np.sin(wave), np.ones((8, 8))], axis=-1).reshape(64, 3)


candidates = [(x0, y0, theta, f, s, 1.5 * s) for x0 in np.arange(-3, 4, 1.5) for y0 in np.arange(-3, 4, 1.5)
              for theta in np.arange(8) * np.pi / 8 for f in (0.06, 0.12, 0.2, 0.3, 0.4) for s in (1.0, 2.0)]
bases = np.linalg.qr(np.stack([waves(q) for q in candidates]))[0]


def explained(w):
    """The share of the variance of a filter w (64,) that the best Gabor function explains, and the angle of its wave."""
    from scipy.optimize import least_squares

    def rest(q):
        basis = waves(q)
        return basis @ np.linalg.lstsq(basis, w, rcond=None)[0] - w

    start = candidates[np.argmax(np.sum((np.swapaxes(bases, 1, 2) @ w)**2, axis=1))]
    found = least_squares(rest, start, bounds=([-6, -6, -9, 0, 0.5, 0.5], [6, 6, 9, 0.5, 6, 6]), max_nfev=12)
    return 1 - 2 * found.cost / np.sum((w - w.mean())**2), np.degrees(found.x[2])


# %%
controls = {"sparse": edge["sparse"].encoder.layers[0].W.T, "not sparse": edge["not sparse"].encoder.layers[0].W.T,
            "principal components": PCA(25).fit(pieces).components.T,
            "white noise": np.random.default_rng(10).normal(size=(100 if FULL else 25, 64))}
passing, upright = {}, {}
for name, filters in controls.items():
    shares_explained, angles = np.array([explained(w) for w in filters]).T
    upright[name] = np.mean(np.abs((angles + 45) % 90 - 45) < 15)
    passing[name] = float(np.mean(shares_explained >= 0.7))
    print(f"{name:21} median {np.median(shares_explained):5.2f} of the variance, {passing[name]:4.0%} of the filters pass")
assert passing["sparse"] >= 0.8 and passing["white noise"] < 0.1
print(f"of the sparse filters, {upright['sparse']:.0%} are within 15° of upright or level (of random angles 33 %)")
assert FULL or upright["sparse"] > 0.6 and 0.28 <= passing["principal components"] <= 0.44
assert passing["not sparse"] < 0.2 and passing["principal components"] < passing["sparse"] - 0.25

# %% [markdown]
# The sparse network finds edges without ever being told of them; the network without sparsity does not, and
# neither does PCA, whose components are waves over the whole patch. (Nine of the 25 pass, since a wide window
# is allowed.) White noise does not pass, so the test can fail.
#
# ## Contraction
#
# A contractive autoencoder adds λ ‖J(x)‖²_F, J = ∂f/∂x, the mean over the samples of the sum of all squared
# slopes of the code ([002]; [003] equation 7; Rifai 2011). [002] motivates it by
#
#     ‖f(x + δ) - f(x)‖ ≤ ‖J(x)‖_F ‖δ‖        "for any input x and small variation δ"
#
# That is the first term of a Taylor series and no inequality: with f(x) = x², x = 0, δ = 1 it says 1 ≤ 0, and
# it fails there for every δ ≠ 0, however small. A network could exploit this: be flat where the data are, and
# steep between them. We come back to that.

# %%
def jacobian(network, x):
    """∂f/∂x for every row of x, (N, K, D): pulled back from the code, one layer at a time."""
    P = np.broadcast_to(np.eye(network.forward(x).shape[1], dtype=x.dtype), (len(x),) + 2 * (network.n_out,))
    for layer in reversed(network.layers):
        if isinstance(layer, Dense):
            P = P @ layer.W.T
        else:
            P = P * (layer.mask if isinstance(layer, TopK) else layer.derivative())[:, None, :]
    return P


def mean_slope(model, x):
    """The mean ‖J‖_F over x."""
    return float(np.sqrt(np.sum(jacobian(model.encoder, x)**2, axis=(1, 2))).mean())


f, slope = (lambda x: x**2), (lambda x: 2 * x)
for delta in (1.0, 0.1, 0.001):
    assert abs(f(0 + delta) - f(0)) > abs(slope(0)) * delta == 0

# %% [markdown]
# **Along and across.** What should happen is that f stays sensitive along the surface on which the data lie
# and forgets the direction across it. On the swiss roll (a sheet rolled up in three dimensions) the true
# directions are known: along the spiral, along the axis of the roll, and across the sheet. We compare the
# gains ‖J d‖ for these three directions d of length 1, in four networks:
#
# - *wide*: 3-64-30, tied, no penalty; *wide, contractive*: the same with λ = 0.1;
# - *contracted r*: a network 3-64-64-3 whose whole reconstruction r = g(f(x)) is penalised, λ = 0.04; then no
#   decoder comes after the penalty;
# - *denoising*: the same network and no penalty, but noise of σ² = 0.04. Theory says that the last two are
#   the same for small noise (Alain & Bengio 2014).
#
# The singular values of J are its gains along three directions of its own. The last of them, along which f
# changes least, should be the normal of the sheet; we print the median angle between the two.

# %%
roll, coordinates = swiss_roll(1300, rng=np.random.default_rng(11))
roll, turn = (roll - roll.mean(axis=0)).astype(np.float32), coordinates[1000:, 0]
along = np.stack([np.cos(turn) - turn * np.sin(turn), 0 * turn, np.sin(turn) + turn * np.cos(turn)], axis=1)
along /= np.linalg.norm(along, axis=1, keepdims=True)
axis = np.tile([0.0, 1.0, 0.0], (300, 1))
directions = {"along the spiral": along, "along the axis": axis, "across the sheet": np.cross(along, axis)}


def whole(**settings):
    """A network 3-64-64-3 that is all encoder: its code is the reconstruction."""
    network = mlp([3, 64, 64, 3], rng=np.random.default_rng(0))
    return Autoencoder(network, Identity(), SquaredError(), **settings).astype(np.float32)


rolled = {"wide": tied([3, 64, 30], Tanh),
          "wide, contractive": tied([3, 64, 30], Tanh, penalties=[Contraction(0.1, samples=2)]),
          "contracted r": whole(penalties=[Contraction(0.04)]),
          "denoising": whole(corruption=GaussianNoise(0.2))}
gains, singular, angle = {}, {}, {}
print("                    gains: spiral    axis  across   singular values       least to normal    error")
for name, model in rolled.items():
    J = jacobian(trained(model, roll[:1000], 60, alpha=1e-2).encoder, roll[1000:])
    gains[name] = [float(np.linalg.norm(np.einsum("nkd,nd->nk", J, d), axis=1).mean()) for d in directions.values()]
    S, V = np.linalg.svd(J.astype(float), full_matrices=False)[1:]
    cosine = np.abs(np.sum(V[:, -1] * directions["across the sheet"], axis=1))
    singular[name], angle[name] = S.mean(axis=0), np.median(np.degrees(np.arccos(np.minimum(1, cosine))))
    print("{:19} {:14.3f} {:7.3f} {:7.3f}   {:5.2f} {:5.2f} {:5.2f} {:15.0f}° {:12.4f}".format(
        name, *gains[name], *singular[name], angle[name], error(model, roll[1000:])))
ratio = {name: gain[2] / gain[0] for name, gain in gains.items()}
assert 0.9 < ratio["wide"] < 1.1 and ratio["wide, contractive"] < 0.75 and ratio["contracted r"] < 0.85
assert singular["wide"][2] > 0.9 * singular["wide"][0] and angle["wide"] > 25
assert all(singular[name][2] < 0.75 * singular[name][0] and angle[name] < 20 for name in rolled if name != "wide")
assert np.abs(np.subtract(gains["contracted r"], gains["denoising"])).max() < 0.1
assert error(rolled["wide, contractive"], roll[1000:]) > 10 * error(rolled["wide"], roll[1000:])

# %%
figure = plots.new_figure("The wide code feels all directions alike. Contraction and noise take most from the direction "
                          "across, but also from the others.", 16, 9)
place = figure.add_gridspec()[0]
axes = plots.new_axes(figure, place, "Gain of the encoder on the swiss roll", "", "‖J d‖, code units per unit of x")
for k, (name, hatch) in enumerate(zip(directions, ("", "//", "xx"))):
    axes.bar(np.arange(4) + 0.27 * (k - 1), [gain[k] for gain in gains.values()], 0.25, color=plots.COLOURS[k], hatch=hatch,
             edgecolor="black", label=name)
axes.set_xticks(range(4), gains, fontsize=plots.TEXT)
plots.legend_above(axes)
course.show(figure, "08_along_and_across")

# %% [markdown]
# The direction across loses most, as promised, but only by a factor, and both directions along lose too;
# nothing here is "sensitive only to the most important features". The error pays for it, tens of times in the
# wide net. The singular values show it best: in the wide net they are nearly equal; in the others the last is
# at most three quarters of the first, and its direction is, in the median, within 15 degrees of the normal.
# And the contracted r and the denoiser have nearly the same gains: noise of variance σ² is a contraction of r
# with λ = σ², and noise is far cheaper.
#
# **How to cheat.** [003]: with contraction "learning the copy function is not possible". It is, if the
# decoder can undo what the encoder scales down. Multiply the last layer of the encoder by c and divide the
# first of the decoder by c: the same reconstruction, and J is c times as large. No training is needed.

# %%
def mirror(sizes, **settings):
    """sizes[0]-…-K-…-sizes[0] of tanh units with a linear code, untied."""
    rng = np.random.default_rng(0)
    return Autoencoder(mlp(sizes, rng=rng), mlp(sizes[::-1], rng=rng), SquaredError(), **settings).astype(np.float32)


untied = trained(mirror(sizes), x, epochs, alpha=RATE)
cheat = copy.deepcopy(untied)
cheat.encoder.layers[-1].W *= 1e-3
cheat.encoder.layers[-1].b *= 1e-3
cheat.decoder.layers[0].W /= 1e-3
some = x_test[:200]
print(f"untied: mean ‖J‖ {mean_slope(untied, some):.4f}, error {error(untied, x_test):.4f}; "
      f"rescaled: ‖J‖ {mean_slope(cheat, some):.4f}, error {error(cheat, x_test):.4f}")
assert mean_slope(cheat, some) < 1.01e-3 * mean_slope(untied, some)
assert abs(error(cheat, x_test) / error(untied, x_test) - 1) < 1e-3

halfway = copy.deepcopy(plain)                   # the tied one of above: W leads to the code, Wᵀ away from it
halfway.encoder.layers[-1].W *= 0.5
halfway.encoder.layers[-1].b *= 0.5
print(f"tied:   mean ‖J‖ {mean_slope(plain, some):.4f}, error {error(plain, x_test):.4f}; "
      f"halved:   ‖J‖ {mean_slope(halfway, some):.4f}, error {error(halfway, x_test):.4f}")
assert error(halfway, x_test) > 1.5 * error(plain, x_test)

# %% [markdown]
# Training finds the cheat by itself. Below, both nets with the same penalty. To see whether anything but the
# scale has changed we also give ‖J‖ divided by the spread of the codes (the root of their summed variances):
# a code that is merely written smaller has the same.

# %%
weight = (0.03 if FULL else 0.15) * v
small_code = {"untied": untied, "untied, contractive": mirror(sizes, penalties=[Contraction(weight, samples=1)]),
              "tied": plain, "tied, contractive": tied(sizes, Tanh, penalties=[Contraction(weight, samples=1)])}
for name in ("untied, contractive", "tied, contractive"):
    trained(small_code[name], x, epochs, alpha=RATE)
measured = {}
print("                       error   mean ‖J‖   ‖J‖ / spread of codes")
for name, model in small_code.items():
    J, width = mean_slope(model, some), float(np.sqrt(model.encode(x_test).var(axis=0).sum()))
    measured[name] = np.array([error(model, x_test), J, J / width])
    print("{:20} {:7.2f} {:10.3f} {:13.3f}".format(name, *measured[name]))
untied_ratio, tied_ratio = (measured[f"{name}, contractive"] / measured[name] for name in ("untied", "tied"))
for name, ratio in (("untied", untied_ratio), ("tied", tied_ratio)):
    print(f"{name:7} ‖J‖ {1 / ratio[1]:.1f} times smaller at {ratio[0]:.2f} times the error")
assert untied_ratio[1] < 0.6 * tied_ratio[1] and untied_ratio[0] < (1.5 if FULL else 1.2)
assert tied_ratio[1] < 0.2 and tied_ratio[0] < 1.5 and tied_ratio[0] > untied_ratio[0]
assert tied_ratio[2] > 2 * tied_ratio[1] and untied_ratio[2] > 2 * untied_ratio[1]
assert FULL or untied_ratio[2] < 0.75 * tied_ratio[2]

# %% [markdown]
# Untied, ‖J‖ falls 16 times at nearly the same error: a factor of 6.7 is a code written smaller, 2.5 is left
# relative to its spread. (On handwriting, with the ten epochs of `--full`, the error does rise, but ‖J‖ falls
# twenty-five times.) Tied weights forbid the plain rescaling, and now contraction has its price, a visible
# share of the error: ‖J‖ falls 5.5 times, of which 1.4 is left. With a hidden layer of tanh units between
# them, tied weights, too, find ways to write smaller (the encoder may work where its units are saturated, the
# decoder where they are not). A number like ‖J‖_F says little until one knows in which units the code is
# measured.
#
# Now the inequality once more, on trained nets: how far does the code move, in units of ‖J(x)‖_F ‖δ‖, when x
# goes a part of the way to another digit? "At most 1" says the slide.

# %%
def moved(model, part):
    """‖f(x + δ) - f(x)‖ / (‖J(x)‖_F ‖δ‖) for every x, δ so large a part of the way to another test digit."""
    delta = part * (np.roll(some, 1, axis=0) - some)
    J = np.sqrt(np.sum(jacobian(model.encoder, some)**2, axis=(1, 2)))
    change = np.linalg.norm(model.encode(some + delta) - model.encode(some), axis=1)
    return change / (J * np.linalg.norm(delta, axis=1))


parts = (0.01, 0.1, 0.3, 1.0)
growth = {}
for name in ("tied", "tied, contractive"):
    ratios = np.array([moved(small_code[name], part) for part in parts])            # (4, N)
    steepness = ratios.mean(axis=1)
    print(f"{name:18} for 1, 10, 30, 100 % of the way:", *steepness.round(2), f"  largest {ratios.max():.2f}")
    growth[name] = steepness[-1] / steepness[0]
    assert ratios.max() < 1
assert FULL or growth["tied, contractive"] > 1.15 * growth["tied"]

# %% [markdown]
# The slide's bound is not broken here, because the Frobenius norm sums over all directions and the way to
# another digit is only one of them. But there is a tendency: for the plain code a long step moves about as
# much per unit as a short one; for the contractive code it moves more, since the code is flattest exactly at
# the data, where the penalty looks. It is no law: on handwritten digits (`--full`) the two nets hardly differ
# in this.
#
# ## All variants in one table
#
# Equal size, equal steps, all with tied weights: the squared error on test pictures, the mean ‖J‖_F and the
# same relative to the spread of the codes, the units above 0.1 for a picture, the dead ones, and the error of
# a *probe*: softmax regression on the codes of few labelled pictures (100 of them, five times over; 5 000
# with `--full`), which shows whether the code makes the classes easy to tell apart. Below them the probe on
# the raw pixels and on PCA with as many numbers.

# %%
labelled = 5000 if FULL else 100


def probed(encode):
    """Mean and standard deviation of the errors of five probes, each on codes of other labelled pictures."""
    z, z_test = encode(x[:5 * labelled]), encode(x_test)
    parts = [slice(i, i + labelled) for i in range(0, 5 * labelled, labelled)]
    errors = [probe(z[part], y[part], z_test, y_test, iterations=100) for part in parts]
    return np.mean(errors), np.std(errors)


table = {}
print("                 error   ‖J‖_F   ‖J‖/spread   active   dead   probe error    ±")
for name, model in models.items():
    h, J = codes[name], mean_slope(model, some)
    mean, deviation = probed(model.encode)
    table[name] = {"error": error(model, x_test), "J": J, "relative": J / np.sqrt(h.var(axis=0).sum()),
                   "active": np.mean(np.sum(np.abs(h) > 0.1, axis=1)), "dead": int(np.sum(h.std(axis=0) < 0.01)),
                   "probe": mean, "±": deviation}
    print("{:15} {error:6.2f} {J:7.3f} {relative:12.3f} {active:8.1f} {dead:6} {probe:13.1%} {±:6.1%}".format(
        name, **table[name]))
pca = PCA(H).fit(x)
raw = {}
for name, encode, lost in (("pixels", lambda x: x, 0), ("PCA", pca.encode, error(pca, x_test))):
    raw[name], deviation = probed(encode)
    print(f"{name:15} {lost:6.2f} {raw[name]:50.1%} {deviation:6.1%}")
autoencoders = {name: row["error"] for name, row in table.items()}
assert min(autoencoders, key=autoencoders.get) == "plain" and error(pca, x_test) < autoencoders["plain"]
flat = ("KL over batch", "KL over units", "L1", "L2", "contractive")
assert all(table[name]["J"] < 0.5 * table["plain"]["J"] for name in flat)
assert table["top 10"]["active"] <= 10 and table["KL over batch"]["dead"] == 0 < table["KL over units"]["dead"]
if FULL:
    assert table["KL over batch"]["probe"] < 0.75 * min(raw["pixels"], raw["PCA"], table["plain"]["probe"])
else:
    assert table["top 10"]["J"] > table["plain"]["J"]
    alike = [table[name]["probe"] for name in ("plain", "weight decay", "denoising", "masking")] + [raw["PCA"]]
    assert all(abs(value - raw["pixels"]) < 0.015 for value in alike)
    assert all(table[name]["probe"] > raw["pixels"] + 0.015 for name in ("KL over batch", "KL over units", "L1", "L2"))

# %% [markdown]
# How to read it:
#
# - **Reconstruction.** Every remedy costs. The plain autoencoder has the least error of all autoencoders, and
#   PCA with as many numbers, on these many units, less still. Who wants small errors only needs no penalty.
# - **Slopes.** The codes with a sparsity penalty are contractive, too, though nobody asked: a logistic unit
#   near 0 is flat. Top-k, with linear units, is not.
# - **Probe.** On typeset digits, which are easy, the plain, decayed, denoising and masking codes, PCA and raw
#   pixels cannot be told apart (about 3.5 to 4.5 %, and a single probe varies by 1 to 2), and the codes with
#   a sparsity penalty are worse (6 to 9 %): a negative result. With `--full`, on handwriting, the order is
#   another: the KL-sparse code makes clearly fewer errors than raw pixels, PCA or the plain code. A remedy is
#   good for something, not good as such, and what it is good for has to be measured.
#
# ## What to remember
#
# - A code that is wide enough copies; encoder and decoder that are strong enough memorise, even through one
#   number. Neither shows in the training error. Test on new data, and on data that should fail.
# - A plain autoencoder does not say which codes mean something.
# - A denoiser's step (r(x) - x) / σ² is the score of the blurred data. What it learns are dependencies;
#   without them there is nothing to learn.
# - "Sparse" has two meanings, per unit over the samples and per sample over the units, and they are different
#   penalties. Sparse codes find edges in natural pictures, and PCA does not.
# - ‖J‖_F depends on the units in which the code is written. Untied weights get most of it by writing smaller;
#   tied weights pay more, and still shrink the code. Sparse codes are more orthogonal, their filters are not.
#
# ## Try it
#
# - Train the wide contractive net on the swiss roll for 300 epochs instead of 60. The error falls far below
#   0.0223; what happens to the three gains, and to their ratio, and by which way has the net escaped?
# - Raise `gamma` of the index trick, or lower it to 5. What lies between two codes now, and what is the price
#   on the N digits?
# - Replace `by="value"` by `by="magnitude"` in the k-sparse net. Count the dead units before and after, and
#   explain the difference.
# - Set λ of CS294A's weight decay to 10⁻³ and look at the filters. Then set β = 0.3. Which of the two loses
#   the edges?
# - `python -m numpyae exercise 8` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
