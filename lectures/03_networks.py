# %% [markdown]
# # 3. The network finds its own basis
#
# A curve can be written as a weighted sum of basis functions, y(x, w) = w₀ + Σ_j w_j φ_j(x), where somebody
# has chosen the φ_j and least squares finds the w_j. Here the φ_j are learnt as well: each becomes a small
# function with weights of its own, and the whole is a *neural network*. We look at what is gained (few units
# do the work of many fixed functions), what deeper networks buy, which probability model stands behind each
# loss, and what it costs: the loss is no longer convex, so that the way down may end in the wrong place.
#
# Takes about 9 s; with `--full` about half a minute: 50 starts of networks of five widths, and a classifier
# of the handwritten digits of MNIST.

# %%
import math

import numpy as np

from numpyae import (Adam, BernoulliNLL, Dense, GaussianBasis, GaussianNLL, GradientDescent, Regression, ReLU, Sequential,
                     Sigmoid, SigmoidBasis, SoftmaxCrossEntropy, SquaredError, Tanh, course, datasets, fit, lbfgs, mlp, plots)

FULL = course.full()


def rms(error):
    """The root of the mean square."""
    return np.sqrt(np.mean(error**2))


# %% [markdown]
# ## Towards nonlinear systems
#
# Drawn as a graph, y = wᵀφ(x) has a circle for each basis function φ_j and an arrow for each weight w_j. The
# arrows on the left carry no weight: the φ_j are fixed, here four Gaussian bumps of width s around centres c_j,
#
#     φ_j(x) = exp(-(x - c_j)² / 2s²),   and   φ₀(x) = 1   for the bias w₀
#
# Why don't we let the system find the φ_j?

# %%
fixed = GaussianBasis(np.linspace(0, 1, 4), 1 / 3, bias=False)
linear = Sequential(fixed, Dense(4, 1, rng=np.random.default_rng(0)))
assert linear.w.size == 5                                    # four weights and a bias: nothing in φ is learnt
course.show(plots.network(linear), "03_fixed_basis")

# %% [markdown]
# ## The multi-layered perceptron = neural network
#
# The idea: extend the system by one layer, so that each basis function is itself a nonlinear function h of a
# *linear combination of the inputs*,
#
#     φ_j(x) = h(w₀ⱼᵀ x),   hence   y(x, w₀, w₁) = w₁ᵀ h(w₀ᵀ x)
#
# All φ_j have the same shape h, such as tanh, but each has a weight that makes it steep or flat and a bias
# that moves it to its place. Both biases hide in the formula: x and h have one more component, the
# constant 1. The slides do not draw it from here on, "but you always need it".
#
# `mlp([1, 4, 1])` is this network with four hidden units. First we check that it computes the formula, with
# the 1 written out.

# %%
network = mlp([1, 4, 1], hidden=Tanh, rng=np.random.default_rng(1))
network.w = np.random.default_rng(2).normal(size=network.w.size)
first, _, second = network.layers
w0 = np.vstack([first.W, first.b])                           # the weights of the 1 below the others
w1 = np.vstack([second.W, second.b])

x = np.linspace(0, 1, 7)[:, None]
one = np.ones_like(x)
h = np.tanh(np.hstack([x, one]) @ w0)
y = np.hstack([h, one]) @ w1
assert np.allclose(network.forward(x), y, rtol=0, atol=1e-14)          # sums of five numbers of order 1
course.show(plots.network(network), "03_network")

# %% [markdown]
# ## The basis moves
#
# Now we train such a network on noisy measurements of a sine, by gradient steps on all its weights, and write
# down w on the way. The film `03_moving_basis.gif` shows the fit and its hidden units h_j(x). At the start
# the units are nearly straight lines, and so is the fit. Then some of them grow steep.

# %%
def sine(x):
    return np.sin(2 * np.pi * x)


x, t = datasets.noisy_sine(50, sigma=0.2, rng=np.random.default_rng(0))
model = Regression(mlp([1, 6, 1], rng=np.random.default_rng(1)), SquaredError())
frames = set((np.linspace(1, 1200**0.5, 29)**2).round().astype(int))     # more of the beginning
snapshots = {0: model.w.copy()}


def record(model, history, optimizer):
    if history.epochs in frames:
        snapshots[history.epochs] = model.w.copy()


history = fit(model, x, t, optimizer=Adam(0.03), epochs=1200, batch_size=50, rng=np.random.default_rng(3), callbacks=[record])
film = plots.moving_basis(model, snapshots, x, t, sine)
course.show(film, "03_moving_basis")

# %% [markdown]
# How far have the units moved? The steepness of unit j is its weight w₀ⱼ. Its place, where h = 0, is -b_j / w₀ⱼ.

# %%
slopes, centres = [], []
for w in (snapshots[0], snapshots[1200]):
    model.w = w
    dense = model.network.layers[0]
    slopes.append(dense.W[0].copy())
    centres.append(-dense.b / dense.W[0])
print("unit    slope: start      end    place: start      end")
for j in range(6):
    print(f"{j + 1:4d} {slopes[0][j]:15.2f} {slopes[1][j]:8.2f} {centres[0][j]:15.2f} {centres[1][j]:8.2f}")
steepest = np.abs(slopes[0]).max(), np.abs(slopes[1]).max()
print(f"mean loss {history.loss[0]:.3f} -> {history.loss[-1]:.4f}, steepest unit {steepest[0]:.2f} -> {steepest[1]:.2f}")
assert history.loss[-1] < 0.05 < 0.4 < history.loss[0]
assert steepest[1] > 4 * steepest[0]

# %% [markdown]
# The last layer alone is the linear model of before: we can ask least squares for its weights, on the basis
# φ(x) that is there. On the basis of the end it finds hardly anything better than what was learnt: a network
# is a linear regression that has chosen its own φ. On the basis of the start, six lines that are almost
# straight, it needs weights a million times larger, which cancel each other almost completely.

# %%
largest = []
for name, w in (("start", snapshots[0]), ("end", snapshots[1200])):
    model.w = w
    model.predict(x)
    phi = np.hstack([model.network.layers[2].x, np.ones_like(x)])      # what the last layer got: φ(x), and the 1
    best = np.linalg.lstsq(phi, t, rcond=None)[0]
    ours, least = model.loss(x, t), np.mean((phi @ best - t)**2)
    largest.append(np.abs(best).max())
    print(f"{name:5s}  loss of the network {ours:.4f}, of least squares {least:.4f} with |w| up to {largest[-1]:.3g}")
assert ours < 1.1 * least
assert largest[0] > 1e5 * largest[1]

# %% [markdown]
# ## What is gained: few units instead of many fixed functions
#
# Two targets, each measured at 100 points with noise of σ = 0.05. The first is the sine. The second is a
# slope with a narrow bump at x = 0.3: all that happens, happens in a tenth of the interval. We compare M
# fixed functions (Gaussian bumps or sigmoid steps, spread evenly) with M learnt ones (tanh), by the root mean
# square distance to the target without its noise. Of eight starts of the network we keep the one with the
# lowest training loss, and we begin with units that are steps of moderate slope at random places.

# %%
def bump(x):
    return 0.5 * x + np.exp(-((x - 0.3) / 0.03)**2)


def of_fixed(basis, x, t, target):
    """The rms error of the least-squares fit on a fixed basis."""
    best = np.linalg.lstsq(basis.forward(x), t, rcond=None)[0]
    return rms(basis.forward(line) @ best - target(line))


def trained(M, x, t, seed, hidden=Tanh):
    rng = np.random.default_rng(seed)
    network = mlp([1, M, 1], hidden=hidden, rng=rng)
    W = rng.uniform(-8, 8, (1, M))
    network.layers[0].W = W
    network.layers[0].b = -W[0] * rng.random(M)                        # h = 0 at a random place in [0, 1]
    model = Regression(network, SquaredError())
    lbfgs(model, x, t, iterations=500)
    return model


# %%
x = np.linspace(0, 1, 100)[:, None]
line = np.linspace(0, 1, 400)[:, None]
noise = 0.05 * np.random.default_rng(0).standard_normal(x.shape)
errors, networks, stuck = {}, {}, {}
for target in (sine, bump):
    t = target(x) + noise
    for M in (2, 3, 4, 8, 16, 24):
        centres, width = np.linspace(0, 1, M), 1 / (M - 1)
        errors[target, "Gaussian", M] = of_fixed(GaussianBasis(centres, width), x, t, target)
        errors[target, "sigmoid", M] = of_fixed(SigmoidBasis(centres, width / 2), x, t, target)
        if M <= 8:
            tried = [trained(M, x, t, seed) for seed in range(8)]
            networks[target, M] = min(tried, key=lambda model: model.loss(x, t))
            stuck[target, M] = np.mean([model.loss(x, t) > 0.004 for model in tried])
            errors[target, "learnt", M] = rms(networks[target, M].predict(line) - target(line))
    print(f"{target.__name__:4s}        M   Gaussian    sigmoid     learnt   stuck")
    for M in (2, 3, 4, 8, 16, 24):
        row = [errors.get((target, kind, M), np.nan) for kind in ("Gaussian", "sigmoid", "learnt")]
        row = "".join(f" {error:10.3f}" for error in row) + f" {stuck.get((target, M), np.nan):7.0%}"
        print(f"{M:13d}" + row.replace("nan%", "   -").replace("nan", "  -"))

# %% [markdown]
# For the sine, on which something happens everywhere, four fixed Gaussians do as well as four learnt units:
# little is gained. For the bump, four learnt units are better than 24 fixed ones of either kind, because
# they move to where they are needed. This is fair in parameters too: a learnt unit has three numbers (weight,
# bias, output weight), a fixed one has one, and 3 · 4 + 1 = 13 is less than 25.
#
# But it takes luck. "Stuck" are the starts whose training loss stays above 0.004, where the noise alone has
# 0.0025: a good part of those with four units, most of those with three. More on this below.

# %%
assert errors[sine, "Gaussian", 4] < 1.5 * errors[sine, "learnt", 4]
assert errors[bump, "learnt", 4] < 0.7 * min(errors[bump, "Gaussian", 24], errors[bump, "sigmoid", 24])
assert min(errors[bump, "Gaussian", 8], errors[bump, "sigmoid", 8]) > 4 * errors[bump, "learnt", 8]
assert 0.2 < stuck[bump, 4] < 0.8 and stuck[bump, 3] > 0.5

t = bump(x) + noise
model = networks[bump, 4]
few = GaussianBasis(np.linspace(0, 1, 8), 1 / 7)
best = np.linalg.lstsq(few.forward(x), t, rcond=None)[0]
fits = few.forward(line) @ best, model.predict(line)
bases = few.forward(line)[:, 1:], model.network.layers[2].x
figure = plots.new_figure("Fixed functions lie where they were put, learnt ones where the target needs them.", 16, 9)
grid = figure.add_gridspec(2, 2)
for column, name in enumerate(("8 fixed Gaussians", "4 learnt tanh units")):
    axes = plots.new_axes(figure, grid[0, column], f"{name}: $\\phi_j(x)$", "input x")
    for j, phi in enumerate(bases[column].T):
        axes.plot(line, phi, ("-", "--", "-.")[j % 3], color=plots.COLOURS[j], linewidth=2.5)
    error = rms(fits[column] - bump(line))
    axes = plots.new_axes(figure, grid[1, column], f"Fit, rms error {error:.3f}", "input x", "target t")
    axes.plot(x, t, "o", color=plots.COLOURS[0], alpha=0.6, label="data")
    axes.plot(line, bump(line), "--", color="0.4", linewidth=2, label="truth")
    axes.plot(line, fits[column], color=plots.COLOURS[2], linewidth=3, label="fit")
    plots.legend_above(axes)
course.show(figure, "03_learnt_basis")

# %% [markdown]
# In many dimensions the difference decides. Below, x has 10 components, and the target depends on one
# direction u only, t = sin(2 uᵀx) + noise. A fixed basis does not know u. It has to cover all of the space,
# in which 1000 points are far from each other. A learnt unit h(w₀ᵀx) looks along one direction anyway, and
# has only to find it.

# %%
rng = np.random.default_rng(0)
u = rng.standard_normal((10, 1))
u /= np.linalg.norm(u)
x10, x10_new = rng.standard_normal((1000, 10)), rng.standard_normal((1000, 10))
t10 = np.sin(2 * x10 @ u) + 0.1 * rng.standard_normal((1000, 1))
t10_new = np.sin(2 * x10_new @ u)                                      # without noise
errors10 = []
for width in (1.0, 2.0, 4.0):
    wide = GaussianBasis(x10[:300], width)                             # a bump on each of 300 data points
    best = np.linalg.lstsq(wide.forward(x10), t10, rcond=None)[0]
    errors10.append(rms(wide.forward(x10_new) @ best - t10_new))
apart = np.median(np.linalg.norm(x10[:500] - x10[500:], axis=1))
model = Regression(mlp([10, 4, 1], rng=0), SquaredError())
lbfgs(model, x10, t10, iterations=300)
of_learnt = rms(model.predict(x10_new) - t10_new)
print(f"half of all pairs of points are more than {apart:.1f} apart; so far from its centre a bump of width 1 is "
      f"{np.exp(-apart**2 / 2):.0e}")
print(f"rms of the target {rms(t10_new):.3f}; error of 300 fixed Gaussians of width 1, 2, 4 {np.round(errors10, 3)}, "
      f"of 4 learnt units {of_learnt:.3f}")
assert apart > 4 and min(errors10) > 0.6 * rms(t10_new) and of_learnt < 0.25 * rms(t10_new)

first, _, second = model.network.layers
cosines = np.abs(u.T @ first.W)[0] / np.linalg.norm(first.W, axis=0)
angles, weights = np.degrees(np.arccos(cosines)), np.abs(second.W[:, 0])
print("angle between u and each unit's direction, in degrees:", np.round(angles, 1))
print("weight of each unit in the output, without its sign:     ", np.round(weights, 2))
used = weights > 1
assert np.sum(used) == 2 and angles[used].max() < 3 and weights[~used].max() < 0.3

# %% [markdown]
# Two of the four units look along u, to about one degree. The others look elsewhere, and their output weights are
# nearly 0: they are not used.
#
# ## ReLU, sigmoid, tanh
#
# "Circles represent differentiable, nonlinear activation functions h (*ReLU, sigmoid, tanh, ...*)", say the
# slides. Three networks with six units, each the best of the same five starts, on the noisy sine:

# %%
x, t = datasets.noisy_sine(50, sigma=0.2, rng=np.random.default_rng(0))
see = "Ramps (ReLU) add up to straight pieces, soft steps (sigmoid, tanh) to a smooth curve. Dashed: the truth."
figure = plots.new_figure(see, 16, 9)
grid = figure.add_gridspec(2, 3)
by_kind = {}
for column, hidden in enumerate((ReLU, Sigmoid, Tanh)):
    model = min([trained(6, x, t, seed, hidden) for seed in range(5)], key=lambda model: model.loss(x, t))
    by_kind[hidden] = model
    loss, y = model.loss(x, t), model.predict(line)
    axes = plots.new_axes(figure, grid[0, column], f"{hidden.__name__}: $h_j(x)$", "input x")
    for j, h in enumerate(model.network.layers[2].x.T):
        axes.plot(line, h, ("-", "--", "-.")[j % 3], color=plots.COLOURS[j], linewidth=2.5)
    axes = plots.new_axes(figure, grid[1, column], f"Fit, loss {loss:.4f}", "input x", "target t")
    axes.plot(x, t, "o", color=plots.COLOURS[0], alpha=0.6)
    axes.plot(line, sine(line), "--", color="0.4", linewidth=2)
    axes.plot(line, y, color=plots.COLOURS[2], linewidth=3)
    print(f"{hidden.__name__:8s} training loss {loss:.4f}, rms distance to the sine {rms(y - sine(line)):.3f}")
    assert loss < 0.05 and rms(y - sine(line)) < 0.15
course.show(figure, "03_activations")

# %% [markdown]
# All three can do it. The differences:
#
# - A ReLU network is a chain of straight pieces, with a kink where a unit begins, at x = -b_j / w₀ⱼ. At its
#   kink max(a, 0) has two slopes, 0 from the left and 1 from the right, and *no derivative*: the word
#   "differentiable" on the slide is not quite right for it. One takes 0 (or 1) there, and it does no harm,
#   since hardly any data point ever lies exactly on a kink.
# - Sigmoid and tanh make the *same* functions, because tanh(a) = 2 σ(2a) - 1. A tanh network turns into a
#   sigmoid network by doubling all that enters the units and all that leaves them, and moving the last bias
#   by -Σ_j w₁ⱼ. Only their training differs: they start, and they step, differently.

# %%
relu, step = ReLU(), 1e-3
from_left = (relu.forward(0.0) - relu.forward(-step)) / step
from_right = (relu.forward(step) - relu.forward(0.0)) / step
print(f"slope of ReLU at 0: {from_left:g} from the left, {from_right:g} from the right")
assert (from_left, from_right) == (0, 1)

first, _, second = by_kind[ReLU].network.layers
kinks = -first.b / first.W[0]
print("kinks of the ReLU network at x =", np.round(np.sort(kinks), 2))
fine = np.linspace(0, 1, 2001)[:, None]                                # points 1/2000 apart
y = by_kind[ReLU].predict(fine)[:, 0]
bend = np.abs(y[2:] - 2 * y[1:-1] + y[:-2])                            # 0 where three points lie on a line
far = np.min(np.abs(fine[1:-1] - kinks), axis=1) > 1 / 2000            # no kink between them
assert bend[far].max() < 1e-13 and bend[~far].max() > 1e-4             # rounding of numbers of order 10; a bend

of_tanh, of_sigmoid = by_kind[Tanh].network, mlp([1, 6, 1], hidden=Sigmoid)
of_sigmoid.layers[0].W = 2 * of_tanh.layers[0].W
of_sigmoid.layers[0].b = 2 * of_tanh.layers[0].b
of_sigmoid.layers[2].W = 2 * of_tanh.layers[2].W
of_sigmoid.layers[2].b = of_tanh.layers[2].b - of_tanh.layers[2].W.sum(axis=0)
difference = np.abs(of_sigmoid.forward(line) - of_tanh.forward(line)).max()
print(f"a tanh network written with sigmoids differs by at most {difference:.1e}")
assert difference < 1e-14 * (1 + np.abs(of_tanh.layers[2].W).sum())    # rounding of a sum of these weights

# %% [markdown]
# ## The deep neural network
#
# We can continue adding hidden layers: y(x, w) = w₂ᵀ h(w₁ᵀ h(w₀ᵀ x)). The basis functions of the second layer
# are built from those of the first.

# %%
deep = mlp([1, 4, 4, 1], hidden=Tanh, rng=np.random.default_rng(0))
course.show(plots.network(deep), "03_deep_network")

# %% [markdown]
# The nonlinearity h is what makes it deep. Without it, all layers together are one matrix and one bias:
#
#     y = ((x W₀ + b₀) W₁ + b₁) W₂ + b₂ = x (W₀ W₁ W₂) + ((b₀ W₁ + b₁) W₂ + b₂)

# %%
rng = np.random.default_rng(0)
linear = Sequential(Dense(5, 20, rng=rng), Dense(20, 30, rng=rng), Dense(30, 3, rng=rng))
for layer in linear.layers:
    layer.b = rng.standard_normal(layer.n_out)
a, b, c = linear.layers
W = a.W @ b.W @ c.W
bias = (a.b @ b.W + b.b) @ c.W + c.b
x5 = rng.standard_normal((100, 5))
difference = np.abs(linear.forward(x5) - (x5 @ W + bias)).max()
print(f"three linear layers, {linear.w.size} parameters; one matrix, {W.size + bias.size}: they differ by {difference:.1e}")
assert difference < 1e-13                                              # rounding of sums of 50 numbers of order 1

# %% [markdown]
# What do deeper layers buy? With ReLU we can count. Two units make a fold: 2 max(x, 0) - 4 max(x - ½, 0) goes
# up from 0 to 1 on the first half of [0, 1], and down to 0 again on the second. A fold of a fold folds each
# half, and so on: k layers of two units make a sawtooth of 2^k straight pieces. One hidden layer of H units
# has one kink for each unit, so at most H + 1 pieces, and needs 2^k - 1 units for the same curve. We set the
# weights by hand:

# %%
def sawtooth(k):
    """The network of k folds."""
    layers = [Dense(1, 2), ReLU()]
    layers[0].W, layers[0].b = [[1, 1]], [0, -0.5]
    for _ in range(k - 1):
        layers += [Dense(2, 2), ReLU()]
        layers[-2].W, layers[-2].b = [[2, 2], [-4, -4]], [0, -0.5]
    layers += [Dense(2, 1)]
    layers[-1].W = [[2], [-4]]
    return Sequential(*layers)


fine = np.linspace(0, 1, 1025)[:, None]
figure = plots.new_figure("Each layer of two ReLU units folds the interval once more: twice as many pieces.", 16, 9)
grid = figure.add_gridspec(4, 1)
print("layers  units  parameters  pieces   units in one hidden layer for as many")
for k in range(1, 8):
    network = sawtooth(k)
    y = network.forward(fine)[:, 0]
    pieces = 1 + np.sum(np.abs(np.diff(y, 2)) > 1e-9)
    print(f"{k:6d} {2 * k:6d} {network.w.size:11d} {pieces:7d} {2**k - 1:20d}")
    assert pieces == 2**k
    if k in (1, 2, 3, 5):
        axes = plots.new_axes(figure, grid[(1, 2, 3, 5).index(k)], "", "input x" if k == 5 else "", "output o")
        axes.plot(fine, y, color=plots.COLOURS[0], linewidth=2.5)
        axes.set_title(f"{k} layer{'s' * (k > 1)} of 2 units: {pieces} pieces", fontsize=plots.TITLE, loc="left")
course.show(figure, "03_sawtooth")

# %% [markdown]
# That a network *can* do something does not mean that training finds it. We start the network with four layers of
# two units (which can do it exactly, as we saw) from random weights. The networks of one layer get kinks that are
# spread evenly, which helps them, and random output weights. Neither the deep one nor eight units in one layer
# (which cannot do it) learn the sawtooth of 16 pieces. Many more units in one layer than needed get nearer to it.

# %%
t = sawtooth(4).forward(fine)
results = {}
for sizes in ([1, 2, 2, 2, 2, 1], [1, 8, 1], [1, 64, 1]):
    losses = []
    for seed in range(4):
        model = Regression(mlp(sizes, hidden=ReLU, rng=np.random.default_rng(seed)), SquaredError())
        if len(sizes) == 3:
            model.network.layers[0].W = np.ones((1, sizes[1]))
            model.network.layers[0].b = -np.arange(sizes[1]) / sizes[1]            # kinks spread evenly
        lbfgs(model, fine, t, iterations=100)
        losses.append(model.loss(fine, t))
    results[len(sizes), sizes[1]] = min(losses) / t.var()
    print(f"{str(sizes):20s} {model.w.size:4d} parameters: best of 4 starts leaves {min(losses) / t.var():.0%} of var t")
exact = Regression(sawtooth(4), SquaredError()).loss(fine, t)
print(f"set by hand           25 parameters: leaves {exact:.0%}")
assert results[6, 2] > 0.8 and 0.5 < results[3, 8] < 1 and results[3, 64] < 0.2 and exact == 0

# %% [markdown]
# ## How do we find w?
#
# "Usually we minimise the mean squared error" (the slides write z for our t):
#
#     L(w) = Σ_n (t_n - y(x_n, w))²
#
# This is a sum and no mean. Our models divide by N; the minimum is the same, only the learning rate has to be
# N times larger. But why squares? And what for targets that are classes? Neural networks are "just
# probability models that are trained using maximum likelihood estimation" ([004]): choose a distribution
# p(t|x) whose parameters the network computes, and minimise -log p(t|x), in nats. The squared error and the
# cross-entropies are what comes out.
#
# **Gaussian.** If t = y(x, w) + noise with standard deviation σ, then per sample
#
#     -log p(t|x) = (t - y)² / 2σ² + ½ log 2πσ²
#
# For a fixed σ this is the squared error, up to a factor and a constant: the same minimum. If σ is learnt
# too, setting the derivative with respect to σ² to 0 gives σ² = mean of (t - y)²: the model says how noisy
# its data are.

# %%
x, t = datasets.noisy_sine(200, sigma=0.3, rng=np.random.default_rng(0))
network = mlp([1, 4, 1], rng=np.random.default_rng(0))
y = network.forward(x)
nll, squares = GaussianNLL(0.3).forward(y, t), SquaredError().forward(y, t)
assert np.isclose(squares.sum(), len(x) * Regression(network, SquaredError()).loss(x, t), rtol=1e-13)
assert np.allclose(nll, squares / (2 * 0.3**2) + 0.5 * np.log(2 * np.pi * 0.3**2), rtol=1e-13)

probable = Regression(network, GaussianNLL(1.0, learn=True))           # starts at σ = 1
lbfgs(probable, x, t, iterations=500)
residual = np.mean((t - probable.predict(x))**2)
sigma = probable.criterion.sigma
print(f"Gaussian: σ² learnt {sigma**2:.6f}, mean squared residual {residual:.6f}; σ = {sigma:.3f}, and 0.3 made the data")
print(f"          {probable.loss(x, t):.4f} nats; ½ log 2πeσ² = {0.5 * np.log(2 * np.pi * np.e * sigma**2):.4f}")
assert abs(sigma**2 / residual - 1) < 1e-3                             # as near as L-BFGS goes
assert abs(sigma - 0.3) < 0.03

# %% [markdown]
# **Bernoulli.** For t = 0 or 1 the network's output o is a *logit*:
#
#     p = σ(o) = 1 / (1 + e^-o),   -log p(t|x) = -t log p - (1 - t) log(1 - p)
#
# p is the probability of 1, and the loss is called cross-entropy. Not to look at x at all costs log 2 = 0.693
# nats per sample, if both are equally frequent.
#
# **Categorical.** For K classes there are K logits, p = softmax(o), and the loss is -log p_t; not looking costs
# log K. With two classes it is the Bernoulli again, of the logit o₁ - o₀.
#
# Two moons and three arms of a spiral, each first with a linear model (no hidden layer), then with a network:

# %%
def spiral(n, rng):
    k = np.arange(n) % 3
    r = rng.uniform(0.2, 1, n)
    angle = 2 * np.pi * k / 3 + 4 * r + 0.4 * rng.standard_normal(n)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle)]), k


rng = np.random.default_rng(0)
moons, moon = datasets.two_moons(400, sigma=0.2, rng=rng)
moon = moon[:, None].astype(float)
arms, arm = spiral(400, rng)

# %%
classifiers = [("moons, linear", Regression(mlp([2, 1], rng=0), BernoulliNLL()), moons, moon),
               ("moons, network", Regression(mlp([2, 4, 1], rng=1), BernoulliNLL()), moons, moon),
               ("spiral, linear", Regression(mlp([2, 3], rng=0), SoftmaxCrossEntropy()), arms, arm),
               ("spiral, network", Regression(mlp([2, 8, 3], rng=1), SoftmaxCrossEntropy()), arms, arm)]
nats = {}
for name, model, x, t in classifiers:
    lbfgs(model, x, t, iterations=60)
    nats[name] = model.loss(x, t)
    print(f"{name:16s} {nats[name]:.3f} nats per sample   (not looking: {np.log(2 if t is moon else 3):.3f})")
assert nats["moons, network"] < 0.5 * nats["moons, linear"] < 0.5 * np.log(2)
assert nats["spiral, network"] < 0.3 * nats["spiral, linear"] < 0.3 * np.log(3)

p = classifiers[1][1].predict(moons)                                   # σ(o)
by_hand = np.mean(-moon * np.log(p) - (1 - moon) * np.log(1 - p))
o = classifiers[1][1].o
two = SoftmaxCrossEntropy().forward(np.hstack([0 * o, o]), moon[:, 0].astype(int)).mean()
print(f"Bernoulli by hand {by_hand:.12f}, as a softmax of the logits (0, o) {two:.12f}")
assert abs(by_hand - nats["moons, network"]) < 1e-9 and abs(two - nats["moons, network"]) < 1e-12

# %% [markdown]
# The figure shows what the networks say between the data: the probability of class 1, and the most probable
# of the three arms. A hidden unit is a soft step across a straight line, so a boundary is bent from a few
# such lines.

# %%
figure = plots.new_figure("Every point of the plane has its probabilities; on the lines the network is undecided.", 16, 9)
grid = figure.add_gridspec(1, 2)
for place, (name, model, x, t) in zip(grid, classifiers[1::2]):
    axes = plots.new_axes(figure, place, f"{name.split(',')[0]}, {nats[name]:.3f} nats", "x₁", "x₂")
    (left, bottom), (right, top) = x.min(axis=0) - 0.2, x.max(axis=0) + 0.2
    x1, x2 = np.meshgrid(np.linspace(left, right, 120), np.linspace(bottom, top, 120))
    p = model.predict(np.column_stack([x1.ravel(), x2.ravel()])).reshape(120, 120, -1)
    if t is moon:
        axes.contourf(x1, x2, p[:, :, 0], np.linspace(0, 1, 11), cmap="PuOr_r", alpha=0.6)
        axes.contour(x1, x2, p[:, :, 0], [0.5], colors="black", linewidths=2)
    for k, colour in enumerate((0, 1, 4) if t is arm else ()):
        ahead = p[:, :, k] - np.delete(p, k, axis=2).max(axis=2)       # by how much is class k the most probable?
        axes.contourf(x1, x2, ahead, [0, 1], colors=[plots.COLOURS[colour]], alpha=0.35)
        axes.contour(x1, x2, ahead, [0], colors="black", linewidths=2)
    for k, (marker, colour) in enumerate((("o", 0), ("^", 1), ("s", 4)) if t is arm else (("o", 4), ("^", 6))):
        axes.plot(*x[t.ravel() == k].T, marker, color=plots.COLOURS[colour], markeredgecolor="black", label=f"class {k}")
    plots.legend_above(axes)
course.show(figure, "03_likelihoods")

# %% [markdown]
# ## L(w) is no longer convex
#
# "There is one difference with respect to linear regression." A convex loss lies below each of its chords, half-way
#
#     L(½ w_a + ½ w_b) ≤ ½ L(w_a) + ½ L(w_b)
#
# and so it has one bottom. For a linear model this holds, as we try with 100 random pairs. For a network it
# cannot hold, because its hidden units have no order:
#
# - swap two units, with all their weights, and the network computes the same function: the same loss at
#   another w;
# - flip the sign of all weights of a tanh unit, in and out, and it computes the same function, since
#   tanh(-a) = -tanh(a).
#
# With M units every minimum has M! · 2^M copies, 8! · 2^8 = 10 321 920 for eight. Half-way between two copies
# lies another network, a worse one. We take two tanh units and the sine with x measured in radians, so that
# weights of order 1 fit.

# %%
x = np.linspace(-np.pi, np.pi, 50)[:, None]
t = np.sin(x) + 0.1 * np.random.default_rng(0).standard_normal(x.shape)
model = Regression(mlp([1, 2, 1]), SquaredError())                     # w = [w₀₁ w₀₂ | b₁ b₂ | w₁₁ w₁₂ | b]


def loss(w):
    model.w = w
    return model.loss(x, t)


def gradient(w):
    loss(w)
    return model.backward().copy()


def hessian(w, step=1e-5):
    """All second derivatives, (7, 7): each row is a central difference of the gradient."""
    H = np.array([(gradient(w + step * e) - gradient(w - step * e)) / (2 * step) for e in np.eye(7)])
    return (H + H.T) / 2


def descend(w):
    """As far down as L-BFGS goes, started anew four times."""
    model.w = w
    for _ in range(5):
        lbfgs(model, x, t, iterations=1000)
    return model.w.copy()


# %%
assert math.factorial(8) * 2**8 == 10_321_920
w_a = descend(np.random.default_rng(2).normal(size=7))
w_swapped = w_a[[1, 0, 3, 2, 5, 4, 6]]
w_flipped = w_a * [-1, 1, -1, 1, -1, 1, 1]
print(f"loss at w {loss(w_a):.6f}, units swapped {loss(w_swapped):.6f}, unit 1 flipped {loss(w_flipped):.6f}")
print(f"half-way to the swapped {loss((w_a + w_swapped) / 2):.4f}, to the flipped {loss((w_a + w_flipped) / 2):.4f}")
assert abs(loss(w_swapped) - loss(w_a)) < 1e-15 and loss(w_flipped) == loss(w_a)       # the swap changes the order of a sum
assert loss((w_a + w_swapped) / 2) > 2 * loss(w_a) and loss((w_a + w_flipped) / 2) > 2 * loss(w_a)

phi = np.hstack([x**k for k in range(4)])                              # and a linear model, of order 3, for comparison
for v_a, v_b in np.random.default_rng(0).normal(size=(100, 2, 4, 1)):
    ends = np.mean((phi @ v_a - t)**2), np.mean((phi @ v_b - t)**2)
    assert np.mean((phi @ (v_a + v_b) / 2 - t)**2) < np.mean(ends)

# %% [markdown]
# The plane through these three points w, on which the loss is a landscape with several valleys; and the
# straight way from w to its swapped copy:

# %%
along, across = np.linspace(-0.4, 1.4, 61), np.linspace(-0.4, 1.4, 61)
surface = [[loss(w_a + i * (w_swapped - w_a) + j * (w_flipped - w_a)) for i in along] for j in across]
figure = plots.new_figure("Three minima of equal loss on one plane, and hills between them: it is not convex.", 16, 9)
grid = figure.add_gridspec(1, 2, width_ratios=[3, 2])
axes = plots.new_axes(figure, grid[0], "log₁₀ of the loss on a plane", "towards the swapped copy", "towards the flipped copy")
levels = axes.contourf(along, across, np.log10(surface), 24, cmap="cividis")
bar = figure.colorbar(levels, ax=axes, ticks=[-1.5, -1, -0.5, 0, 0.5, 1])
bar.ax.tick_params(labelsize=plots.TICKS)
for name, i, j in (("w", 0, 0), ("swapped", 1, 0), ("flipped", 0, 1)):
    axes.plot(i, j, "*", markersize=20, color="white", markeredgecolor="black")
    axes.text(i, j - 0.06, name, color="white", fontsize=plots.TEXT, ha="center", va="top")
axes = plots.new_axes(figure, grid[1], "On the way", "from w (0) to its swapped copy (1)", "loss")
way = np.linspace(0, 1, 101)
axes.plot(way, [loss(w_a + i * (w_swapped - w_a)) for i in way], color=plots.COLOURS[2], linewidth=3, label="loss")
axes.plot([0, 1], [loss(w_a), loss(w_swapped)], "--", color="0.3", linewidth=2, label="chord")
plots.legend_above(axes)
course.show(figure, "03_surface")

# %% [markdown]
# ## Different starts, different minima
#
# Copies would do no harm: one minimum is as good as its copy. But there are minima that are *worse*. Ten
# starts, w ~ N(0, I), each run to its end. What kind of end it is, the gradient and the Hessian tell: at a
# minimum the gradient is 0 and the smallest eigenvalue of the Hessian, the curvature in the flattest
# direction, is positive.

# %%
starts = [np.random.default_rng(seed).normal(size=7) for seed in range(10)]
ends = [descend(w) for w in starts]
kinds = []
print("start  loss: first     last   |gradient|  least curvature  largest |w|")
for seed, (w, end) in enumerate(zip(starts, ends)):
    slope, least = np.abs(gradient(end)).max(), np.linalg.eigvalsh(hessian(end))[0]
    kind = "minimum" if least > 5e-5 else "saddle" if least < -5e-5 else "flat"
    kinds.append(kind if slope < 2e-5 else "still descending")
    print(f"{seed:5d} {loss(w):12.4f} {loss(end):8.4f} {slope:12.0e} {least:16.0e} {np.abs(end).max():12.1f}  {kinds[-1]}")
minima = sorted({round(loss(end), 4) for end, kind in zip(ends, kinds) if kind == "minimum"})
print("losses of the minima found:", minima)
assert len(minima) == 2 and minima[1] > 2 * minima[0] and kinds.count("minimum") == 6
valleys = [end for end, kind in zip(ends, kinds) if kind == "still descending"]
assert max(loss(end) for end in valleys) < minima[0] and min(np.abs(end).max() for end in valleys) > 15

# %% [markdown]
# Two different minima, one with twice the loss of the other, and three kinds of ends in all:
#
# - *Minima*. Six starts end in two of them. What looks like three different weights each time are copies:
#   bring the units into one order (by |w₀ⱼ|) and to one sign (w₁ⱼ > 0), and the weights agree.
# - *Long flat valleys*, here with the lowest losses: weights from 20 to 1000, whose effects cancel almost
#   completely, a gradient that is not 0, and a method that gives up because its steps no longer change the
#   loss.
# - *A saddle*: the gradient is 0, as far as L-BFGS can tell, and yet in one direction the loss curves down. A
#   small step in that direction, either way, leads on.

# %%
def in_order(w):
    sign = np.sign(w[4:6])
    order = np.argsort(np.abs(w[:2]))
    return np.concatenate([(w[:2] * sign)[order], (w[2:4] * sign)[order], (w[4:6] * sign)[order], w[6:]])


for lowest in minima:
    copies = np.array([in_order(end) for end in ends if abs(loss(end) - lowest) < 1e-4])
    spread = np.ptp(copies, axis=0).max()
    print(f"loss {lowest}: {len(copies)} ends, in order and sign {np.round(copies[0], 2)}, they differ by {spread:.0e}")
    assert len(copies) > 1 and spread < 0.05

end = ends[kinds.index("saddle")]
down = np.linalg.eigh(hessian(end))[1][:, 0]                           # the direction of the least curvature
onwards = [loss(descend(end + step * down)) for step in (0.1, -0.1)]
print(f"saddle, loss {loss(end):.4f}; after a step of 0.1 along the least curvature {onwards[0]:.4f}, -0.1 {onwards[1]:.4f}")
assert max(onwards) < loss(end) - 1e-4

# %% [markdown]
# ## The minimum is where the gradient is 0, but not the other way round
#
# "The minimum is located where its gradient is 0", say the slides. That is necessary, not sufficient. The
# simplest example is the start that everybody would try first: all weights 0. Since w₁ is 0, nothing comes back
# to w₀; since h = tanh(0) is 0, nothing comes to w₁: every derivative is 0 but that of the output
# bias. Set this bias to the mean of t, and the gradient is 0 altogether. The network gives the mean for every
# x, and its loss is the variance of t.

# %%
at_zero = np.zeros(7)
print("gradient at w = 0:              ", np.round(gradient(at_zero), 4))
assert np.all(gradient(at_zero)[:6] == 0) and abs(gradient(at_zero)[6] + 2 * t.mean()) < 1e-15
at_zero[6] = t.mean()
print("gradient with the bias at mean t:", np.round(gradient(at_zero), 4))
print(f"loss {loss(at_zero):.4f}, variance of t {t.var():.4f}")
assert np.abs(gradient(at_zero)).max() < 1e-15 and abs(loss(at_zero) - t.var()) < 1e-15

model.w = np.zeros(7)
history = fit(model, x, t, optimizer=GradientDescent(0.05), epochs=1000, batch_size=50)
print(f"after 1000 steps of gradient descent from w = 0: loss {history.loss[-1]:.4f}, w = {np.round(model.w, 4)}")
assert np.all(model.w[:6] == 0) and abs(history.loss[-1] - t.var()) < 1e-12

# %% [markdown]
# Is it a minimum? Make one unit's weights w₀ and w₁ a little different from 0. The output becomes
#
#     y = mean + w₁ tanh(w₀ x) ≈ mean + w₀w₁ x
#
# so that the loss changes by -2 w₀w₁ · mean of (x t), to second order. With equal signs of w₀ and w₁ it falls,
# with opposite signs it rises: a *saddle*. The eigenvalues of the Hessian have both signs, once for each unit.

# %%
def way(direction, s):
    """w at a distance s from the stationary point, in the plane of (w₀₁, w₁₁)."""
    w = at_zero.copy()
    w[[0, 4]] += s * np.array(direction) / np.sqrt(2)
    return w


curvatures = np.linalg.eigvalsh(hessian(at_zero))
print("curvatures", np.round(curvatures, 3), f"  foretold: ∓2 · mean of (x t) = ∓{2 * np.mean(x * t):.3f}")
assert np.allclose(curvatures[[0, 1]], -2 * np.mean(x * t), atol=1e-6) and curvatures[0] < -1        # accuracy of differences
assert np.allclose(curvatures[[-2, -1]], 2 * np.mean(x * t), atol=1e-6)
better = loss(way((1, 1), 0.3)), loss(way((1, -1), 0.3))
print(f"a step of 0.3: loss {better[0]:.4f} with equal signs, {better[1]:.4f} with opposite signs")
assert better[0] < t.var() - 0.05 and better[1] > t.var() + 0.05

# %% [markdown]
# Gradient descent leaves a saddle by itself, if it does not start exactly there. But it takes its time: near
# the saddle the gradient is as small as the distance, and each step multiplies the distance by the same
# factor. A start a thousand times nearer costs the same number of steps again, and again.

# %%
figure = plots.new_figure("One point, the lowest one way and the highest another; and the long way out of it.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "At w = 0", "distance s from the saddle", "loss")
s = np.linspace(-1, 1, 81)
axes.plot(s, [loss(way((1, 1), d)) for d in s], color=plots.COLOURS[0], linewidth=3, label="w₀, w₁ equal")
axes.plot(s, [loss(way((1, -1), d)) for d in s], "--", color=plots.COLOURS[2], linewidth=3, label="opposite")
plots.legend_above(axes)
axes = plots.new_axes(figure, grid[1], "Leaving it", "steps of gradient descent", "loss")
left = []
for size, style, colour in ((1e-2, "-", 0), (1e-5, "--", 6), (1e-8, "-.", 4)):
    model.w = at_zero + size * np.random.default_rng(1).standard_normal(7)
    history = fit(model, x, t, optimizer=GradientDescent(0.05), epochs=400, batch_size=50)
    left.append(int(np.argmax(np.array(history.loss) < 0.5 * t.var())))
    axes.plot(history.loss, style, color=plots.COLOURS[colour], linewidth=3, label=f"from {size:g}")
axes.axhline(t.var(), color="0.4", linewidth=1.5)
plots.legend_above(axes)
course.show(figure, "03_saddle")
print("steps until half of the variance is explained, from a distance of 1e-2, 1e-5, 1e-8:", left)
assert left[0] < left[1] < left[2] and abs((left[2] - left[1]) / (left[1] - left[0]) - 1) < 0.1

# %% [markdown]
# ## With `--full`: more starts, more units, and real digits
#
# Do bad ends become rarer when there are more units than needed? 50 starts for each number of units, on the
# same data, whose noise has a variance of 0.01. They do: of the starts with two units 44 % end far above, with
# three 2 %, with four or more none.
#
# And the network as a classifier of handwritten digits: its 100 basis functions are functions of 784 pixels. It
# is wrong for 2.4 % of 10 000 digits that it has not been trained on. The figure shows the weights of its units.

# %%
if FULL:
    bad = []
    for M in (2, 3, 4, 6, 10):
        last = []
        for seed in range(50):
            model = Regression(mlp([1, M, 1]), SquaredError())
            model.w = np.random.default_rng(seed).normal(size=model.w.size)
            descend(model.w)
            last.append(model.loss(x, t))
        bad.append(np.mean(np.array(last) > 0.02))
        print(f"{M:3d} units: {bad[-1]:4.0%} of 50 starts end above 0.02; best {min(last):.5f}, median {np.median(last):.5f}")
    assert bad[0] > 0.3 and bad[-1] < 0.05

if FULL:
    digits = datasets.load("mnist", dtype=np.float32)
    rng = np.random.default_rng(0)
    model = Regression(mlp([784, 100, 10], rng=rng), SoftmaxCrossEntropy()).astype(np.float32)
    start = model.loss(digits.x_test, digits.y_test)
    history = fit(model, digits.x, digits.y, optimizer=Adam(1e-3), epochs=15, batch_size=100, rng=rng,
                  validation=(digits.x_test, digits.y_test))
    wrong = np.mean(model.predict(digits.x_test).argmax(axis=1) != digits.y_test)
    print(f"MNIST: {start:.3f} nats (not looking {np.log(10):.3f}), trained {history.validation[-1]:.4f}, {wrong:.2%} errors")
    assert history.validation[-1] < 0.1 and wrong < 0.03
    course.show(plots.filters(model.network.layers[0], (28, 28)), "03_digit_filters")

# %% [markdown]
# ## What to remember
#
# - A network with one hidden layer, y = w₁ᵀ h(w₀ᵀ x), is a linear regression whose basis functions φ_j(x) =
#   h(w₀ⱼᵀ x) are learnt too.
# - Learnt units go to where the target needs them. That saves many units when the target is uneven, and all
#   the more when x has many components.
# - Without a nonlinearity all layers are one matrix. With it, depth multiplies: k folds give 2^k pieces. What
#   can be represented need not be found.
# - The loss comes from a probability model: Gaussian → squared error, Bernoulli and categorical →
#   cross-entropy, all of them -log p in nats.
# - The price is convexity: copies of every minimum, worse minima, valleys, saddles. A gradient of 0 is
#   necessary for a minimum, and no more.
#
# ## Try it
#
# - Repeat the film with `Sigmoid` for `Tanh`, then with `ReLU`. Which units never move, and why?
# - Make the bump ten times wider. From how many functions on do the fixed Gaussians catch up with the learnt
#   units?
# - Let the start for the digits or moons be w = 0, but with the first layer's weights random. Is the network
#   still stuck? Which weights have a gradient in the first step, and which from the second step on?
# - In the fold, change the slope 2 to 1.9 in all layers. What becomes of the sawtooth of seven folds?
# - `python -m numpyae exercise 3` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
