# %% [markdown]
# # 6. Descending: what to do with the gradient
#
# A network has a loss L(w), and we can compute its gradient ∇L(w) for any weights w. The simplest way down is
# w_new = w_old - α ∇L(w_old), step after step. This lecture is about what is wrong with it and what helps: a
# loss that is steep in one direction and flat in another, rates α that are too small or too large, gradients of
# a few samples only, knowing when to stop, and where to start. Seven methods go down the same hills: gradient
# descent, momentum, Nesterov, AdaGrad, RMSProp, Adam and L-BFGS.
#
# Takes about 5 s; with `--full` about 20 s: six of the methods on the handwritten digits of MNIST.

# %%
import copy

import numpy as np

from numpyae import (AdaGrad, Adam, Dense, GradientDescent, Momentum, Nesterov, Regression, ReLU, RMSProp, Sequential,
                     SoftmaxCrossEntropy, SquaredError, Tanh, course, datasets, fit, lbfgs, mlp, plots)

FULL = course.full()
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))

# %% [markdown]
# ## How do we find w?
#
# Near a minimum every smooth loss is a bowl. In the right coordinates it is L(w) = ½ (λ₁ w₁² + λ₂ w₂²), with
# slopes λ₁ w₁ and λ₂ w₂, so that one step of gradient descent multiplies each coordinate by its own factor:
#
#     w_i ← (1 - α λ_i) w_i
#
# It shrinks as long as abs(1 - α λ_i) < 1, that is α < 2/λ_i for **every** i. The steepest direction therefore
# limits the rate, and the flattest one has to live with it. Here λ = (1, 20), twice with rates close to the
# limit 2/20 = 0.1.


# %%
eigenvalues = np.array([1.0, 20.0])
start = np.array([-2.0, 0.6])


def bowl(w):
    return 0.5 * np.sum(eigenvalues * w**2)


def bowl_gradient(w):
    return eigenvalues * w


def descend(optimizer, gradient, w, steps):
    """The path (steps + 1, 2) of an optimizer: all it ever sees is w and a gradient."""
    w, path = w.copy(), [w.copy()]
    for _ in range(steps):
        optimizer.step(w, gradient(w))
        path.append(w.copy())
    return np.array(path)


for alpha in (0.099, 0.101):
    end = descend(GradientDescent(alpha), bowl_gradient, start, 200)[-1]
    print(f"alpha {alpha}: after 200 steps |w| = {np.linalg.norm(end):.3g}")
assert np.linalg.norm(descend(GradientDescent(0.099), bowl_gradient, start, 200)[-1]) < 0.1
assert np.linalg.norm(descend(GradientDescent(0.101), bowl_gradient, start, 200)[-1]) > 1

# %% [markdown]
# The best rate makes both factors equally large, 1 - α λ₁ = -(1 - α λ₂), so α = 2 / (λ₁ + λ₂). Both are then (κ
# - 1) / (κ + 1) with the *condition number* κ = λ₂ / λ₁, here 19/21: the error falls by a tenth per step, and
#   for κ = 1000 by a five-hundredth.
#
# **Momentum** gives w a velocity: it averages the steps, so that those across the valley cancel and those along
# it add up. With the best rate and friction (Polyak 1964) the factor becomes (√κ - 1) / (√κ + 1): the *root* of
# the condition number counts.


# %%
def factor(path):
    """By how much |w| shrinks per step, over the second half of a path."""
    lengths, half = np.linalg.norm(path, axis=1), len(path) // 2
    return (lengths[-1] / lengths[-1 - half])**(1 / half)


print("  kappa   descent: measured  foretold   momentum: measured  foretold")
for kappa in (20.0, 1000.0):
    eigenvalues = np.array([1.0, kappa])
    root = np.sqrt(kappa)
    plain = factor(descend(GradientDescent(2 / (1 + kappa)), bowl_gradient, np.ones(2), 300))
    heavy = factor(descend(Momentum(4 / (1 + root)**2, ((root - 1) / (root + 1))**2), bowl_gradient, np.ones(2), int(60 * root)))
    print(f"{kappa:7.0f} {plain:19.4f} {(kappa - 1) / (kappa + 1):9.4f} {heavy:20.4f} {(root - 1) / (root + 1):9.4f}")
    assert abs(plain - (kappa - 1) / (kappa + 1)) < 1e-6
    assert abs(heavy - (root - 1) / (root + 1)) < 0.01 and heavy < plain
eigenvalues = np.array([1.0, 20.0])

# %% [markdown]
# ## Seven ways down
#
# Six of the methods are functions of two vectors, `step(w, grad)`, and remember something of earlier gradients:
#
# - *gradient descent*: nothing;
# - *momentum*: their decaying sum, the velocity; *Nesterov* takes the gradient where the velocity is about to
#   lead;
# - *AdaGrad*: the sum of their squares, for each weight; it divides by its root, so steep directions get small
#   steps and flat ones large steps;
# - *RMSProp*: the same with a decaying average, so that the rate does not die;
# - *Adam*: momentum and RMSProp together, both corrected for having started at 0.
#
# *L-BFGS* is of another kind: it builds an approximation of the curvature from the last gradients and searches
# along its direction. It needs the exact loss of all data. Here are the paths in a valley that is curved as
# well, Rosenbrock's function L = (1 - w₁)² + 5 (w₂ - w₁²)².


# %%
def valley(w):
    return (1 - w[0])**2 + 5 * (w[1] - w[0]**2)**2


def valley_gradient(w):
    bend = w[1] - w[0]**2
    return np.array([-2 * (1 - w[0]) - 20 * bend * w[0], 10 * bend])


methods = {"gradient descent": GradientDescent(0.02), "momentum": Momentum(0.005), "Nesterov": Nesterov(0.005),
           "AdaGrad": AdaGrad(0.4), "RMSProp": RMSProp(0.02), "Adam": Adam(0.1)}
begin = np.array([-1.2, 1.5])
paths = {name: descend(optimizer, valley_gradient, begin, 150) for name, optimizer in methods.items()}

# %% [markdown]
# scipy's L-BFGS is called for a model by `lbfgs(model, x, t)`; for a function of two numbers we call scipy
# itself.

# %%
from scipy.optimize import minimize

visited = [begin]
result = minimize(valley, begin, jac=valley_gradient, method="L-BFGS-B", callback=lambda w: visited.append(w.copy()))
paths["L-BFGS"] = np.array(visited)
for name, path in paths.items():
    print(f"{name:17} {len(path) - 1:4d} steps, L = {valley(path[-1]):.1e}")
assert result.nfev < 40 and valley(result.x) < 1e-8
assert valley(paths["momentum"][-1]) < valley(paths["gradient descent"][-1])

figure = plots.new_figure("Seven ways through a curved valley, 150 steps each: descent creeps along its floor, momentum "
                          "swings, L-BFGS knows the curvature and needs a few steps.", 16, 9)
grid, levels = figure.add_gridspec(2, 4), np.geomspace(0.05, 60, 12)
u, v = np.meshgrid(np.linspace(-1.6, 1.6, 120), np.linspace(-0.6, 2.2, 120))
for k, (name, path) in enumerate(paths.items()):
    axes = plots.new_axes(figure, grid[k // 4, k % 4], name, "w₁", "w₂" if k % 4 == 0 else "")
    axes.contour(u, v, valley(np.stack([u, v])), levels, colors="0.75", linewidths=1)
    axes.plot(*path.T, "o-", markersize=3, linewidth=1.5, color=plots.COLOURS[2])
    axes.plot(1, 1, "*", markersize=18, color=plots.COLOURS[1], markeredgecolor="black")
    axes.set(xlim=(-1.6, 1.6), ylim=(-0.6, 2.2))
course.show(figure, "06_paths")

# %% [markdown]
# One detail of Adam can be checked by hand. In its first step m and v are the gradient and its square, both
# corrected exactly for their start at 0, so the step is α g / √g² = α in every coordinate, whatever the size of
# the gradient. Without the correction it would be α (1 - β₁) / √(1 - β₂), three times as much.

# %%
w = np.zeros(3)
Adam(0.1).step(w, np.array([1e-3, -5.0, 2e4]))
assert np.allclose(w, [-0.1, 0.1, -0.1], rtol=1e-4)
assert abs((1 - 0.9) / np.sqrt(1 - 0.999) - 3.16) < 0.01

# %% [markdown]
# ## Loss against work
#
# The same seven on a network: 1-10-10-1, tanh, 50 points of a noisy sine, all of them in every step. The fair
# unit is one gradient of all data, since everything else costs little. Each method gets the best of six rates,
# each a third of the one before, by its loss at the end.

# %%
x, t = datasets.noisy_sine(50, sigma=0.1, rng=np.random.default_rng(0))
STEPS = 600
makers = {"gradient descent": (GradientDescent, 0.9), "momentum": (Momentum, 0.3), "Nesterov": (Nesterov, 0.3),
          "AdaGrad": (AdaGrad, 0.9), "RMSProp": (RMSProp, 0.03), "Adam": (Adam, 0.1)}


def losses_of(optimizer):
    """The loss before each of STEPS steps."""
    model, found = Regression(mlp([1, 10, 10, 1], rng=np.random.default_rng(1)), SquaredError()), []
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(STEPS):
            found.append(model.loss(x, t))
            optimizer.step(model.w, model.backward())
    return np.nan_to_num(found, nan=np.inf)


curves = {}
for name, (maker, largest) in makers.items():
    rates = [largest / 3**k for k in range(6)]
    tried = [losses_of(maker(rate)) for rate in rates]
    best = int(np.argmin([found[-1] for found in tried]))
    curves[name] = tried[best]
    print(f"{name:17} best rate {rates[best]:7.4f}   loss after 50 gradients {curves[name][50]:.4f}, "
          f"after {STEPS} {curves[name][-1]:.5f}")


# %% [markdown]
# L-BFGS has no rate. We note the loss at each of its gradients, which include those of the searches along a
# direction.

# %%
class Counting(Regression):
    """A Regression that notes its losses."""

    seen = ()

    def loss(self, *batch, **options):
        self.seen += (super().loss(*batch, **options),)
        return self.seen[-1]


model = Counting(mlp([1, 10, 10, 1], rng=np.random.default_rng(1)), SquaredError())
lbfgs(model, x, t, iterations=STEPS)
curves["L-BFGS"] = np.minimum.accumulate(model.seen[:STEPS])
print(f"{'L-BFGS':17} {'no rate':>17}   loss after 50 gradients {curves['L-BFGS'][50]:.4f}, after {len(curves['L-BFGS'])} "
      f"{curves['L-BFGS'][-1]:.5f}")
assert curves["L-BFGS"][200] < min(found[200] for name, found in curves.items() if name != "L-BFGS")
assert max(curves["Adam"][-1], curves["momentum"][-1]) < 0.5 * curves["gradient descent"][-1]

figure = plots.new_figure("The same network, start and data, each with its best rate: methods that use more than the last "
                          "gradient are far ahead.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "", "gradients of all data", "loss, mean squared error")
for k, (name, found) in enumerate(curves.items()):
    colour = plots.COLOURS[(0, 1, 2, 4, 6, 8, 5)[k]]
    axes.loglog(np.arange(1, len(found) + 1), found, linestyle=STYLES[k], linewidth=2.5, color=colour, label=name)
axes.legend(fontsize=plots.TICKS)
axes.grid(color="0.9")
course.show(figure, "06_work")

# %% [markdown]
# ## Learning rates
#
# Gradient descent with four rates. Too small, it has hardly moved after 600 steps. Small, it is on its way.
# Right, it is there, though close to the limit: twice the valley throws it out for some steps. Too large, it
# jumps to and fro, further every time, until the loss is no number any more. `fit` stops then, says so, and
# puts the weights of the last whole epoch back.

# %%
figure = plots.new_figure("A factor of a thousand in the rate is the difference between standing still and blowing up.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Gradient descent", "step", "loss, mean squared error")
ends = {}
for k, rate in enumerate((0.001, 0.03, 0.3, 1.0)):
    found = losses_of(GradientDescent(rate))
    ends[rate] = found[-1]
    colour = plots.COLOURS[(0, 4, 6, 2)[k]]
    axes.semilogy(np.minimum(found, 1e4), linestyle=STYLES[k], linewidth=2.5, color=colour, label=f"α = {rate:g}")
axes.set_ylim(0.01, 1e2)
axes.grid(color="0.9")
plots.legend_above(axes)
course.show(figure, "06_rates")
print({rate: f"{end:.4g}" for rate, end in ends.items()})
assert ends[0.3] < 0.2 * ends[0.03] < 0.2 * ends[0.001] and ends[1.0] > 1

model = Regression(mlp([1, 10, 10, 1], rng=np.random.default_rng(1)), SquaredError())
try:
    fit(model, x, t, optimizer=GradientDescent(1.0), epochs=STEPS, batch_size=50, rng=0)
    raise AssertionError("it should have diverged")
except ArithmeticError as error:
    print(error)
    assert "diverged" in str(error) and np.isfinite(model.w).all()

# %% [markdown]
# ## Mini-batches: a gradient with noise
#
# A batch of B samples gives a gradient that is right on average: it is *unbiased*. Its variance is that of a
# single sample's gradient, divided by B. (Exactly so when the samples are drawn with replacement.) We measure
# both on 1000 points.

# %%
x, t = datasets.noisy_sine(1000, sigma=0.3, rng=np.random.default_rng(0))
model = Regression(mlp([1, 8, 1], rng=np.random.default_rng(1)), SquaredError())
model.loss(x, t)
whole, rng = model.backward().copy(), np.random.default_rng(2)
print("  B   variance · B   distance of the mean from the whole gradient, in standard errors")
products = []
for B in (1, 4, 16, 64):
    gradients = []
    for _ in range(1000):
        rows = rng.integers(len(x), size=B)
        model.loss(x[rows], t[rows])
        gradients.append(model.backward().copy())
    variance = np.var(gradients, axis=0).sum()
    off = np.linalg.norm(np.mean(gradients, axis=0) - whole) / np.sqrt(variance / 1000)
    products.append(variance * B)
    print(f"{B:3d} {variance * B:14.3f} {off:12.2f}")
    assert off < 3
assert max(products) < 1.2 * min(products)

# %% [markdown]
# Small batches make many cheap steps, and end in a noise of their own: near the minimum the gradient of all
# data is 0, that of a batch is not, and w keeps jumping about. On a bowl this can be computed: the mean loss
# above the minimum is proportional to α (for small α) and to 1/B. So one begins with a large rate and lowers
# it. `fit` lets a callback do that after every epoch: `optimizer.alpha = ...`.

# %%
def floor(alpha, B, falling=False):
    """The mean loss above the minimum, of a line through noisy points, once it has stopped falling; and with a falling rate."""
    line = Regression(Dense(1, 1, rng=np.random.default_rng(0)), SquaredError())
    lowest = copy.deepcopy(line)
    lbfgs(lowest, x, t)
    least, heights = lowest.loss(x, t), []

    def watch(model, history, optimizer):
        heights.append(model.loss(x, t) - least)
        if falling:
            optimizer.alpha = alpha / (1 + history.epochs)

    fit(line, x, t, optimizer=GradientDescent(alpha), epochs=40, batch_size=B, rng=np.random.default_rng(3), callbacks=[watch])
    return np.mean(heights[-20:])


table = {(alpha, B): floor(alpha, B) for alpha, B in ((0.1, 10), (0.05, 10), (0.1, 40))}
for (alpha, B), height in table.items():
    print(f"alpha {alpha}, batches of {B}: stays {height:.5f} above the minimum")
falling = floor(0.1, 10, falling=True)
print(f"alpha 0.1 / (1 + epoch), batches of 10: {falling:.5f}")
assert 1.3 < table[0.1, 10] / table[0.05, 10] < 4 and 2 < table[0.1, 10] / table[0.1, 40] < 10
assert falling < 0.3 * table[0.1, 10]

# %% [markdown]
# ## Early stopping
#
# A network with many weights and ten points first learns the curve, then the noise. The loss on *held-out*
# points, which no step has seen, tells when to stop: `fit` keeps the weights of its best epoch and gives up
# when it has not improved for `patience` epochs.

# %%
x, t = datasets.noisy_sine(10, sigma=0.3, rng=np.random.default_rng(3))
held_out = datasets.noisy_sine(100, sigma=0.3, rng=np.random.default_rng(6))
options = dict(optimizer=Adam(0.02), epochs=3000, batch_size=10, validation=held_out)
longest = fit(Regression(mlp([1, 30, 30, 1], rng=np.random.default_rng(1)), SquaredError()), x, t, rng=0, **options)
model = Regression(mlp([1, 30, 30, 1], rng=np.random.default_rng(1)), SquaredError())
options["optimizer"] = Adam(0.02)
stopped = fit(model, x, t, patience=300, rng=0, **options)
print(f"stopped after {stopped.epochs} epochs, best {stopped.best + 1}: held-out loss {model.loss(*held_out):.3f}; "
      f"after 3000 epochs {longest.validation[-1]:.3f}, training loss {longest.loss[-1]:.5f}")
assert stopped.stopped == "early" and model.loss(*held_out) < 0.7 * longest.validation[-1] and longest.loss[-1] < 0.01
course.show(plots.learning_curve(longest, "mean squared error"), "06_early_stopping")

# %% [markdown]
# ## Where to start
#
# The weights must begin somewhere. If all units of a layer begin with the same weights, all get the same
# gradient, and stay the same for ever: a layer of ten is then a layer of one. With zeros it is worse: h = 0 and
# W = 0, so that no gradient but that of the output's bias is there at all.

# %%
x, t = datasets.noisy_sine(50, sigma=0.1, rng=np.random.default_rng(0))
same = Regression(mlp([1, 10, 1]), SquaredError())
first, _, second = same.network.layers
first.W, second.W = np.full((1, 10), 0.5), np.full((10, 1), 0.5)
zeros = Regression(Sequential(Dense(1, 10, init="zeros"), Tanh(), Dense(10, 1, init="zeros")), SquaredError())
for model in (same, zeros):
    fit(model, x, t, optimizer=GradientDescent(0.05), epochs=500, batch_size=50, rng=0)
assert np.ptp(first.W) < 1e-12 and np.ptp(first.b) < 1e-12         # equal but for rounding
assert not zeros.network.layers[0].w.any() and not zeros.network.layers[2].W.any()

# %% [markdown]
# So they begin at random, but how large? In a deep network it matters: every layer multiplies. For a = x W with
# independent weights of mean 0,
#
#     var(a) = n_in var(W) · mean(x²)        forward
#     var(dx) = n_out var(W) · var(da)       backward
#
# With n var(W) = 1 both keep their size (Glorot 2010 takes the mean of n_in and n_out). tanh shrinks a little.
# ReLU throws half of the squares away, so it needs var(W) = 2/n_in (He 2015). Ten layers of 100 units: the
# standard deviation of h, layer by layer, and of ∂L/∂h on the way back.

# %%
DEPTH, WIDTH = 10, 100
rng = np.random.default_rng(0)
x = rng.normal(size=(200, WIDTH))


def deep(hidden, std):
    """A deep network whose weights have this standard deviation, and std of h and of ∂L/∂h in every layer for random ∂L/∂o."""
    layers = []
    for _ in range(DEPTH):
        layers += [Dense(WIDTH, WIDTH), hidden()]
        layers[-2].W = std * rng.normal(size=(WIDTH, WIDTH))
    h, forward, backward = x, [], []
    for layer in layers:
        h = layer.forward(h)
        forward += [h.std()] if isinstance(layer, hidden) else []
    delta = rng.normal(size=h.shape)
    for layer in reversed(layers):
        backward += [delta.std()] if isinstance(layer, hidden) else []
        delta = layer.backward(delta)
    return np.array(forward), np.array(backward[::-1])


starts = {"tanh, Glorot": (Tanh, np.sqrt(1 / WIDTH)), "tanh, 3 times too large": (Tanh, 3 * np.sqrt(1 / WIDTH)),
          "tanh, 3 times too small": (Tanh, np.sqrt(1 / WIDTH) / 3), "ReLU, Glorot": (ReLU, np.sqrt(1 / WIDTH)),
          "ReLU, He": (ReLU, np.sqrt(2 / WIDTH))}
sizes = {name: deep(*start) for name, start in starts.items()}
print(f"{'':24}  std of h: layer 1    5       10     std of dL/dh: layer 10   5       1")
for name, (h, delta) in sizes.items():
    print(f"{name:24} {h[0]:15.3f} {h[4]:8.2g} {h[9]:8.2g} {delta[9]:20.2f} {delta[4]:8.2g} {delta[0]:8.2g}")

# %% [markdown]
# Too small, and both die exponentially: a factor 3 per layer. Too large, and tanh saturates: h is nearly ±1
# everywhere, while the gradients grow on their way down. ReLU with Glorot loses half of the variance in every
# layer, as foretold; with He it keeps it.

# %%
shrink = (sizes["ReLU, Glorot"][0][9] / sizes["ReLU, Glorot"][0][0])**(2 / 9)       # of the variance, per layer
print(f"ReLU with Glorot: the variance falls by the factor {shrink:.2f} per layer, foretold 0.50")
assert abs(shrink - 0.5) < 0.1
h, delta = sizes["ReLU, He"]
assert 0.5 < h[9] / h[0] < 2 and 0.4 < delta[0] / delta[9] < 2.5
assert sizes["tanh, 3 times too small"][0][9] < 1e-3 and sizes["tanh, 3 times too small"][1][0] < 1e-3
assert sizes["tanh, 3 times too large"][0][9] > 0.8 and sizes["tanh, 3 times too large"][1][0] > 3
assert 0.1 < sizes["tanh, Glorot"][0][9] and 0.1 < sizes["tanh, Glorot"][1][0] < 1

figure = plots.new_figure("A good start keeps the size of signals through all layers, forward (left) and backward "
                          "(right).", 16, 9)
grid = figure.add_gridspec(1, 2)
for k, (title, label) in enumerate((("Forward", "standard deviation of h"), ("Backward", "standard deviation of ∂L/∂h"))):
    axes = plots.new_axes(figure, grid[k], title, "layer", label)
    for j, (name, values) in enumerate(sizes.items()):
        axes.semilogy(np.arange(1, DEPTH + 1), values[k], marker="osD^v"[j], markersize=8, linestyle=STYLES[j], linewidth=2,
                      color=plots.COLOURS[(0, 2, 6, 4, 8)[j]], label=name)
    axes.grid(color="0.9")
    axes.set_xticks(np.arange(1, DEPTH + 1))
axes.legend(fontsize=plots.TICKS)
course.show(figure, "06_initialisation")

# %% [markdown]
# With `--full`: the digits of MNIST, a 784-200-10 network of ReLU units, three epochs of each method in
# mini-batches of 100. The rates are usual ones, not tuned.

# %%
if FULL:
    data = datasets.load("mnist", dtype=np.float32)
    for name, optimizer in {"gradient descent": GradientDescent(0.1), "momentum": Momentum(0.05), "Nesterov": Nesterov(0.05),
                            "AdaGrad": AdaGrad(0.02), "RMSProp": RMSProp(1e-3), "Adam": Adam(1e-3)}.items():
        network = mlp([784, 200, 10], hidden=ReLU, rng=np.random.default_rng(0))
        model = Regression(network, SoftmaxCrossEntropy()).astype(np.float32)
        history = fit(model, data.x, data.y, optimizer=optimizer, epochs=3, batch_size=100, rng=0)
        wrong = np.mean(model.predict(data.x_test).argmax(axis=1) != data.y_test)
        print(f"{name:17} training loss {history.loss[-1]:.4f} nats, test digits wrong {100 * wrong:.2f} %, "
              f"{sum(history.seconds):.0f} s")
        assert wrong < 0.08

# %% [markdown]
# ## What to remember
#
# - The steepest direction limits the rate, 2/λ_max; the flattest one decides how long it takes. Their quotient
#   κ is what makes descent slow.
# - Momentum takes the root of κ; AdaGrad, RMSProp and Adam give every weight a rate of its own; L-BFGS learns
#   the curvature, and wants exact gradients.
# - A batch's gradient is right on average, and its variance falls as 1/B. The noise it leaves behind is
#   proportional to α: lower the rate towards the end.
# - Stop by held-out data. The training loss never tells.
# - Start at random, with var(W) about 1/n for tanh and 2/n for ReLU, so that neither h nor ∂L/∂h dies or
#   explodes on its way.
# - Every step here comes after a whole backward pass. A program that updates while it still propagates descends
#   on no function at all.
#
# ## Try it
#
# - In the bowl, set κ = 100 and find the best α and μ of momentum by trying. How close do you come to Polyak's
#   formulas?
# - Repeat "Loss against work" with batches of 5 samples. Which methods lose their lead, and why does L-BFGS
#   fail?
# - Give the deep tanh network sigmoid units. What standard deviation keeps the gradients alive?
