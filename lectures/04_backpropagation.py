# %% [markdown]
# # 4. Backpropagation: the chain rule, read from its end
#
# A network is a chain of simple functions, and its loss L says how far the output o is from the target t. To
# train it we need ∂L/∂w for every weight w. Backpropagation gets all of them in one pass from the loss back to
# the input, for at most twice the work of computing the loss itself. This lecture starts with two functions in
# a row, goes on to a network in matrices, then to the slides' algorithm line for line ([000]), and ends with a
# worked example that many have followed by hand and in which four printed numbers are wrong.
#
# Takes about 3 s; with `--full` about 15 s: the slides' algorithm on the handwritten digits of MNIST.

# %%
import copy

import numpy as np

from numpyae import (Identity, Regression, Sequential, Sigmoid, SquaredError, Tanh, course, datasets, gradcheck, mlp,
                     online_backprop, plots, trace)
from numpyae.course.examples import two_two_two

FULL = course.full()

# %% [markdown]
# ## The chain rule in two rows
#
# The slides write
#
#     f(x) = u(v(x))   →   f'(x) = u'(v(x)) · v'(x)
#
# On paper one needs two rows. The upper row is filled from left to right with *values*: x, then v, then u. The
# lower row is filled from right to left with *slopes of the end result*: it begins with ∂f/∂u = 1, and each
# step to the left multiplies by one derivative.
#
#     values   x  →  v = x²  →  u = sin v
#     slopes   dx ←  dv      ←  du = 1
#
# From here on, the slope of the end result with respect to a quantity has the name of that quantity with a `d`
# in front.

# %%
x = 1.3
v = x**2
u = np.sin(v)

du = 1.0
dv = du * np.cos(v)
dx = dv * 2 * x

print(f"values  x  {x:8.5f}   v  {v:8.5f}   u  {u:8.5f}")
print(f"slopes  dx {dx:8.5f}   dv {dv:8.5f}   du {du:8.5f}")
h = 1e-5
assert abs(dx - (np.sin((x + h)**2) - np.sin((x - h)**2)) / (2 * h)) < 1e-8

# %% [markdown]
# Note what each step back needs: one number from the right (dv) and one local slope (2x), and the local slope
# needs a *value* of the way forward. This is why `forward` of every layer keeps something for `backward`.
#
# ## A tiny expression
#
# Now with branches: f = (x + y) z at x = -2, y = 5, z = -4, the example of the course CS231n. Three rules are
# all there is:
#
# - a sum hands its slope to both sides unchanged;
# - a product hands each factor the slope times the *other* factor;
# - a value that is used twice gets the *sum* of the slopes that come back.

# %%
x, y, z = -2.0, 5.0, -4.0
q = x + y
f = q * z

df = 1.0
dq = df * z                              # the other factor
dz = df * q
dx = dq                                  # a sum passes it on
dy = dq
print(f"q = {q:g}, f = {f:g}; dx = {dx:g}, dy = {dy:g}, dz = {dz:g}")
assert (q, f, dx, dy, dz) == (3, -12, -4, -4, 3)

# %% [markdown]
# The third rule is the one that is forgotten most often. In g = x · x + x the value x is used three times, and
# its slope is the sum of three contributions. Writing `=` where `+=` belongs keeps only the last one.

# %%
x = 1.5
dx = 0.0
dx += x                                  # the first factor of x · x: times the other factor
dx += x                                  # the second
dx += 1                                  # the sum
assert dx == 2 * x + 1 == 4.0

# %% [markdown]
# A single neuron is such an expression: o = σ(x₁w₁ + x₂w₂ + b) with the logistic function σ(a) = 1 / (1 +
# e^-a), whose derivative is σ(a) (1 - σ(a)). Here with w = (2, -3), b = -3 and x = (-1, -2).

# %%
x, w, b = np.array([-1.0, -2.0]), np.array([2.0, -3.0]), -3.0
a = x @ w + b
o = 1 / (1 + np.exp(-a))

do = 1.0
da = do * o * (1 - o)
dw = da * x
dx = da * w
db = da
print(f"a = {a:g}, o = {o:.4f}; da = {da:.4f}, dw = {dw.round(2)}, db = {db:.2f}, dx = {dx.round(2)}")
assert abs(o - 0.7310585786300049) < 1e-15 and abs(da - 0.19661193324148185) < 1e-15
assert dw.round(2).tolist() == [-0.20, -0.39] and dx.round(2).tolist() == [0.39, -0.59] and round(db, 2) == 0.20

# %% [markdown]
# ## A network, in matrices
#
# Now many samples and many neurons at once. Rows are samples: x is (N, D), the weights W1 are (D, H), so x W1
# is (N, H). A network with one hidden layer and a linear output is four lines forward. Backward is the same
# four lines in reverse order, each with a `d` in front.
#
#     a1 = x W1 + b1      h1 = tanh(a1)      o = h1 W2 + b2      L = 1/N Σ_n Σ_d (o - t)²
#
# Two facts do all the work. Behind a1 = x W1 + b1 the slopes are
#
#     dW1 = xᵀ da1      db1 = Σ_n da1      dx = da1 W1ᵀ
#
# and behind an elementwise function h1 = φ(a1) they are da1 = dh1 φ'(a1). The shapes alone nearly force the
# first line: dW1 must be (D, H) like W1, and xᵀ da1 is the only product of (N, D) and (N, H) with that shape.
# The sum over n in it is the third rule: every sample uses the same W1.

# %%
rng = np.random.default_rng(0)
N, D, H, M = 7, 2, 5, 3
x, t = rng.normal(size=(N, D)), rng.normal(size=(N, M))
W1, b1 = rng.normal(size=(D, H)), rng.normal(size=H)
W2, b2 = rng.normal(size=(H, M)), rng.normal(size=M)

a1 = x @ W1 + b1
h1 = np.tanh(a1)
o = h1 @ W2 + b2
L = np.sum((o - t)**2) / N

do = 2 * (o - t) / N
db2 = do.sum(axis=0)
dW2 = h1.T @ do
dh1 = do @ W2.T
da1 = dh1 * (1 - h1**2)                  # tanh' = 1 - tanh²
db1 = da1.sum(axis=0)
dW1 = x.T @ da1

# %% [markdown]
# The library does the same, one layer at a time: `forward(x)` keeps what `backward(delta)` needs, and `delta`
# is ∂L/∂(output of the layer). Nothing else is hidden in it: the gradients agree to the last digits. Finite
# differences agree as well, and they know nothing of the chain rule (lecture 5 makes a science of them).

# %%
network = mlp([D, H, M], hidden=Tanh)
first, _, last = network.layers
first.W, first.b, last.W, last.b = W1, b1, W2, b2
model = Regression(network, SquaredError())
assert abs(model.loss(x, t) - L) < 1e-14
model.backward()
for ours, theirs in ((dW1, first.dW), (db1, first.db), (dW2, last.dW), (db2, last.db)):
    assert np.abs(ours - theirs).max() < 1e-14


def loss_at(w):
    model.w = w
    return model.loss(x, t)


flat = np.concatenate([dW1.ravel(), db1, dW2.ravel(), db2])         # the order of model.w
assert np.abs(flat - gradcheck.numerical_gradient(loss_at, model.w.copy())).max() < 1e-9

# %% [markdown]
# ## The tableau
#
# `trace` writes down every step of such a pass: forward the values, backward each gradient beside the quantity
# that it belongs to. Here for a network that is small enough to be followed with a pencil: one input, two
# hidden units, one output.

# %%
small = mlp([1, 2, 1], rng=np.random.default_rng(1))
tableau = trace(small, np.array([[0.5]]), np.array([[1.0]]))
print(tableau)
assert abs(tableau["do"].gradient[0, 0] - 2 * (tableau["o"].value[0, 0] - 1.0)) < 1e-15

# %% [markdown]
# It also finds the first line that goes wrong. Below, somebody has written a Tanh whose backward uses h where
# 1 - h² belongs. The forward lines agree, so do all gradients above the mistake, and the comparison names the
# line in which it sits.


# %%
class WrongTanh(Tanh):
    def backward(self, delta):
        return delta * self.h


wrong = Sequential(copy.deepcopy(small.layers[0]), WrongTanh(), copy.deepcopy(small.layers[2]))
sentence = trace(small, np.array([[0.5]]), np.array([[1.0]])).compare(trace(wrong, np.array([[0.5]]), np.array([[1.0]])))
print(sentence)
assert ", da1 = " in sentence

# %% [markdown]
# ## Algorithm for backprop ("on-line" aka "stochastic" learning)
#
# The slides update the weights after every single sample. Their pseudo-code, with the letters of the slides (z
# is the target, which we call t):
#
#     initialise the weights
#     repeat
#       for each training sample (x, z) do
#         compute o = y(w, x)                                   (forward pass)
#         calculate residual  δ_kj = z - o                      at the output units
#         for all k:
#           propagate δ back one layer by  δ_k-1,i = Σ_j δ_kj w_ij
#           update the weights using  ∂L/∂w_kij = δ_kj φ'(·) x_i
#       (this is called one epoch)
#     until stopping criterion satisfied
#
# `online_backprop` is this loop; open it in `numpyae/training.py` beside this page. Before we trust it, two
# remarks on sign and factor. With the slides' loss L = Σ (z - o)² of one sample, ∂L/∂o = -2 (z - o), so **the
# residual δ = z - o is -½ ∂L/∂o**, and what the last line calls ∂L/∂w is -½ of it. Hence the step must be
# *added*, w ← w + α_slides · (printed), and it descends like w ← w - α ∇L(w) with
#
#     α_slides = 2 α
#
# To see it, here are the two lines as printed, for one sample, with nothing repaired.


# %%
def printed_gradients(network, x, z):
    """The slides' δ and "∂L/∂w" as they stand, one (n_in, n_out) array for each Dense, from the first to the last."""
    denses, phis = network.layers[0::2], network.layers[1::2] + [Identity()]
    inputs, o = [], x
    for dense, phi in zip(denses, phis):
        inputs.append(o)
        o = phi.forward(o @ dense.W + dense.b)
    delta = z - o
    printed = []
    for dense, phi, x_i in reversed(list(zip(denses, phis, inputs))):
        printed.append(np.outer(x_i, delta * phi.derivative()))    # "∂L/∂w_kij" = δ_kj φ'(·) x_i
        delta = dense.W @ delta                                    # δ_k-1,i = Σ_j δ_kj w_ij
    return printed[::-1]


def true_gradients(network, x, z):
    """∂L/∂W of L = Σ (z - o)² by finite differences: they know nothing of backpropagation."""
    def loss(w):
        network.w = w
        return np.sum((z - network.forward(x[None])[0])**2)

    where = copy.deepcopy(network)
    where.grad = gradcheck.numerical_gradient(loss, network.w.copy())
    return [gradient.copy() for name, gradient in where.named_gradients().items() if name.endswith("W")]


x, z = np.array([0.3, -0.7]), np.array([0.4])
one_hidden = mlp([2, 4, 1], rng=np.random.default_rng(2))
pairs = zip(printed_gradients(one_hidden, x, z), true_gradients(one_hidden, x, z))
ratios = [np.unique((printed / true).round(6)) for printed, true in pairs]
print("printed / true, one hidden layer, linear output:", *ratios)
assert all(ratio.tolist() == [-0.5] for ratio in ratios)

# %% [markdown]
# Exactly -½ for every weight. So with one hidden layer and a linear output the pseudo-code is right, with `+`
# and α_slides = 2α. The same as training: fifty epochs of `online_backprop` with the rate 2α, and fifty epochs
# of the layered form (loss, backward, step) with the rate α on one row at a time, give the same weights up to
# rounding.

# %%
x, t = datasets.noisy_sine(10, rng=np.random.default_rng(0))
slides = mlp([1, 8, 1], rng=np.random.default_rng(1))
layered = Regression(copy.deepcopy(slides), SquaredError())
alpha = 0.05
history = online_backprop(slides, x, t, 2 * alpha, epochs=50)
for epoch in range(50):
    for n in range(len(x)):
        layered.loss(x[n:n + 1], t[n:n + 1])
        layered.w -= alpha * layered.backward()
apart = np.abs(slides.w - layered.w).max()
print(f"weights apart by {apart:.1e} after 500 steps of size {np.abs(layered.grad).max():.2f}")
assert apart < 1e-12

# %% [markdown]
# ## What has to be repaired for deeper networks
#
# With two hidden layers the same comparison fails. The propagation line says δ_k-1,i = Σ_j δ_kj w_ij, but the
# chain rule passes through the activation φ_k on its way down, so a factor φ'_k belongs into that sum:
#
#     δ_k-1,i = Σ_j δ_kj φ'(a_kj) w_ij
#
# With one hidden layer nobody notices: the only propagation starts at a linear output, where φ' = 1. In a
# deeper network the top two weight matrices are right and every one below is wrong, element by element by
# another factor. A network whose *output* is not linear is wrong already with one hidden layer. Could φ' be put
# into δ once and for all? Then the update line, which multiplies by φ' itself, would count it twice. No reading
# makes both lines right. `online_backprop` has the factor in the propagation line, and only there differs from
# the slides.

# %%
x, z = np.array([0.3, -0.7]), np.array([0.4])
two_hidden = mlp([2, 4, 3, 1], rng=np.random.default_rng(2))
cases = {"1 hidden, linear": (one_hidden, x, z), "2 hidden, linear": (two_hidden, x, z),
         "1 hidden, sigmoid": (mlp([2, 4, 1], output=Sigmoid, rng=np.random.default_rng(2)), x, z)}
clouds, rng = {}, np.random.default_rng(4)
for name, (network, *sample) in cases.items():
    network.w = rng.normal(size=network.w.size)                    # large enough to bend the activations
    printed, true = printed_gradients(network, *sample), true_gradients(network, *sample)
    clouds[name] = [(true_W.ravel(), -2 * printed_W.ravel()) for printed_W, true_W in zip(printed, true)]
    off = [np.abs(-2 * printed_W / true_W - 1).max() for printed_W, true_W in zip(printed, true)]
    print(f"{name:18} largest relative error of -2 · printed, first to last matrix:", *(f"{value:9.1e}" for value in off))
    wrong = [value > 0.01 for value in off]
    assert wrong == {"1 hidden, linear": [False, False], "2 hidden, linear": [True, False, False],
                     "1 hidden, sigmoid": [True, False]}[name]

# %% [markdown]
# The figure puts -2 · (printed) against the true gradient, one point for each weight. On the diagonal is right.

# %%
figure = plots.new_figure("On the line the printed gradient is right, up to the factor -½. W1 leaves it as soon as δ has "
                          "to pass an activation on its way down.", 16, 9)
grid = figure.add_gridspec(1, 3)
for place, (name, matrices) in zip(grid, clouds.items()):
    axes = plots.new_axes(figure, place, f"{name} output", "true ∂L/∂w", "-2 · printed ∂L/∂w")
    ends = np.array([min(np.min(pair) for pair in matrices), max(np.max(pair) for pair in matrices)])
    axes.plot(ends, ends, "-", color="0.5", linewidth=1.5)
    for k, (true, printed) in enumerate(matrices):
        axes.plot(true, printed, "os^"[k], markersize=9, color=plots.COLOURS[(0, 2, 4)[k]], label=f"W{k + 1}")
    axes.legend(fontsize=plots.TICKS, loc="upper left")
course.show(figure, "04_printed_gradient")

# %% [markdown]
# With the repair `online_backprop` takes the same steps as the layered form at any depth, and with any
# activation at the output.

# %%
x, t = datasets.noisy_sine(10, rng=np.random.default_rng(0))
for sizes, output in (([1, 5, 4, 1], None), ([1, 4, 4, 4, 1], Tanh), ([1, 6, 1], Sigmoid)):
    slides = mlp(sizes, output=output, rng=np.random.default_rng(1))
    layered = Regression(copy.deepcopy(slides), SquaredError())
    online_backprop(slides, x, t, 2 * alpha, epochs=20)
    for n in np.tile(np.arange(len(x)), 20):
        layered.loss(x[n:n + 1], t[n:n + 1])
        layered.w -= alpha * layered.backward()
    assert np.abs(slides.w - layered.w).max() < 1e-12

# %% [markdown]
# It learns: here the ten points of a noisy sine, one point at a time. It stops after its epochs, or when the
# mean squared error of an epoch falls to `tolerance`. A rate that is too large ends with a sentence and the
# weights of the last whole epoch.

# %%
x, t = datasets.noisy_sine(10, sigma=0.1, rng=np.random.default_rng(3))
learner = mlp([1, 8, 1], rng=np.random.default_rng(1))
history = online_backprop(learner, x, t, 0.2, epochs=10000, tolerance=0.01)
print(history)
assert history.stopped == "tolerance" and history.loss[-1] <= 0.01 < history.loss[0]
try:
    online_backprop(mlp([1, 8, 1], rng=np.random.default_rng(1)), 100 * x, 100 * t, 5.0, epochs=50)
    raise AssertionError("it should have diverged")
except ArithmeticError as error:
    print(error)
    assert "smaller rate" in str(error)

# %%
figure = plots.new_figure("One sample at a time: the error falls unevenly, since every step pleases one point and "
                          "disturbs the others.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "On-line backpropagation", "epoch", "mean squared error of the epoch")
axes.loglog(np.arange(1, history.epochs + 1), history.loss, linewidth=2.5, color=plots.COLOURS[0])
axes.grid(color="0.9")
axes = plots.new_axes(figure, grid[1], "Ten points and the fit", "input x", "target t")
line = np.linspace(0, 1, 200)[:, None]
axes.plot(line, np.sin(2 * np.pi * line), "--", linewidth=2, color="0.5", label="sin 2πx")
axes.plot(line, learner.forward(line), "-", linewidth=3, color=plots.COLOURS[2], label="1-8-1 network")
axes.plot(x, t, "o", markersize=10, color=plots.COLOURS[0], label="data")
axes.legend(fontsize=plots.TICKS)
course.show(figure, "04_online")

# %% [markdown]
# ## A worked example, number by number
#
# M. Mazur's "A Step by Step Backpropagation Example" (2015) is followed by thousands of students with a
# calculator: two inputs, two hidden and two output units, all logistic, and E = Σ ½ (t - o)². The ½ makes ∂E/∂o
# = o - t without a 2. The weights are w1 … w8 and two biases that are not updated; the rate is ½. Here is the
# whole pass.

# %%
model, x, t = two_two_two()
course.show(plots.network(model), "04_network")
tableau = trace(model, x, t)
print(tableau)
assert f"{tableau['L'].value:.9f}" == "0.298371109"
assert f"{tableau['da2'].gradient[0, 0]:.9f}" == "0.138498562"             # δ_o1
assert f"{tableau['dW2'].gradient[0, 0]:.9f}" == "0.082167041"             # ∂E/∂w5
assert f"{tableau['dh1'].gradient[0, 0]:.9f}" == "0.036350306"             # ∂E/∂out_h1
assert f"{tableau['dW1'].gradient[0, 0]:.9f}" == "0.000438568"             # ∂E/∂w1

# %% [markdown]
# All of these are the published digits, and so are the eight weights after the step, as the next cell asserts.
# But the published error *after* the step is 0.291027924, and ours is not. The page goes on to 10 000 steps and
# prints an error of 0.000035085 and outputs 0.015912196 and 0.984065734; ours are close to them and not equal.
# Either our gradient or their program is wrong, and we have a way to tell: finite differences side with us.


# %%
def step(model, x, t, early_update):
    """One step of rate ½ that leaves the biases alone. early_update: propagate through W2 after it was changed."""
    first, _, second, _ = model.network.layers
    E = model.loss(x, t)
    h1, o = second.x, model.o
    da2 = (o - t) * o * (1 - o)
    W2 = second.W.copy()
    second.W -= 0.5 * h1.T @ da2
    dh1 = da2 @ (second.W if early_update else W2).T
    da1 = dh1 * h1 * (1 - h1)
    first.W -= 0.5 * x.T @ da1
    return E


assert gradcheck.check(model, x, t).ok
step(model, x, t, early_update=False)
first, _, second, _ = model.network.layers
assert [f"{w:.8f}" for w in first.W.T.ravel()] == ["0.14978072", "0.19956143", "0.24975114", "0.29950229"]
assert [f"{w:.9f}" for w in second.W.T.ravel()] == ["0.358916480", "0.408666186", "0.511301270", "0.561370121"]

runs = {}
for early_update in (False, True):
    model, x, t = two_two_two()
    runs[early_update] = [step(model, x, t, early_update) for _ in range(10000)] + [model.loss(x, t)]
    way = "through updated weights" if early_update else "through the old weights"
    print(f"{way:24} E after 1 step {runs[early_update][1]:.9f}, after 10 000 {runs[early_update][-1]:.9f}, "
          f"outputs {model.o[0, 0]:.9f} {model.o[0, 1]:.9f}")
    if not early_update:
        assert abs(runs[False][1] - 0.2910277736935993) < 1e-12 and abs(runs[False][-1] - 0.00003510187782978859) < 1e-12

# %% [markdown]
# The second line reproduces the four published numbers to every digit. The program behind the page updated the
# output weights first and then sent the error back through the *updated* weights: a gradient of no function at
# all. The hand calculation on the same page uses the old weights, as it should. So no single correct program
# matches all of its numbers.
#
# The difference is in the seventh digit after one step and never as much as a thousandth: the network learns
# all the same. That is why such mistakes live for years. It is also why backward, in this library, only adds
# gradients, and the step is a line of its own after it.

# %%
assert f"{runs[True][1]:.9f}" == "0.291027924" and f"{runs[True][-1]:.9f}" == "0.000035085"
assert [f"{value:.9f}" for value in model.o[0]] == ["0.015912196", "0.984065734"]
assert abs(runs[True][1] / runs[False][1] - 1) < 1e-6 and np.abs(np.divide(runs[True], runs[False]) - 1).max() < 1e-3

figure = plots.new_figure("Both programs learn, and on this scale nobody sees which one is wrong; the dotted line shows how "
                          "far they are apart.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "The 2-2-2 network", "step", "error E")
steps = np.arange(1, 10001)
axes.loglog(steps, runs[False][1:], "-", linewidth=5, color=plots.COLOURS[0], alpha=0.6, label="through the old weights (right)")
axes.loglog(steps, runs[True][1:], "--", linewidth=2, color=plots.COLOURS[2], label="through the updated weights (as published)")
difference = np.abs(np.subtract(runs[False], runs[True]))
axes.loglog(steps, difference[1:], ":", linewidth=2.5, color="0.3", label="difference of the two")
axes.grid(color="0.9")
plots.legend_above(axes)
course.show(figure, "04_two_two_two")

# %% [markdown]
# ## What it costs
#
# Counting multiplications: forward, every weight is used once per sample, N P of them for P weights. Backward,
# every weight is used once to send δ down, and once for its own gradient, so 2 N P at most. The first layer
# need not send anything further down, and where it holds nearly all weights, as here, backward costs as much as
# forward. A finite difference in contrast needs two whole forward passes *per weight*: 2 N P². For the
# 784-500-10 network of a digit classifier that is the difference between two passes and eight hundred thousand.

# %%
sizes = [784, 500, 10]
weights = [n_in * n_out for n_in, n_out in zip(sizes[:-1], sizes[1:])]
forward = sum(weights)
backward = 2 * sum(weights) - weights[0]
differences = 2 * sum(weights) * forward
print(f"multiplications per sample: forward {forward:,}, backward {backward:,}, central differences {differences:,}")
assert backward / forward < 2 and differences / backward > 700_000

# %% [markdown]
# With `--full` the slides' algorithm learns to read: on-line backprop on MNIST with a 784-30-10 network of
# logistic units and the squared error to one-hot targets, sample by sample.

# %%
if FULL:
    data = datasets.load("mnist")
    targets = np.eye(10)[data.y]
    reader = mlp([784, 30, 10], hidden=Sigmoid, output=Sigmoid, rng=np.random.default_rng(0))
    right = []
    for epoch in range(3):
        order = np.random.default_rng(epoch).permutation(len(data.x))
        history = online_backprop(reader, data.x[order], targets[order], 0.5, epochs=1)
        right.append(np.mean(reader.forward(data.x_test).argmax(axis=1) == data.y_test))
        print(f"epoch {epoch + 1}: mean squared error {history.loss[-1]:.4f}, {100 * right[-1]:.2f} % of the test digits right, "
              f"{history.seconds[-1]:.0f} s")
    assert right[-1] > 0.93

# %% [markdown]
# ## What to remember
#
# - Backpropagation is the chain rule read from its end. Every step back is one multiplication by a local slope,
#   and the slope needs a value of the way forward.
# - A value that is used more than once collects the *sum* of its slopes: over samples for a shared W, over
#   paths for a branch.
# - dW has the shape of W, and that nearly tells its formula: dW = xᵀ da, db = Σ_n da, dx = da Wᵀ.
# - The slides' δ = z - o is -½ ∂L/∂o, so their step is added and their rate is twice ours. Their propagation
#   line needs φ' as soon as there are two hidden layers.
# - Propagate first, update afterwards. And do not believe a number because it is printed, not even here: check
#   it by finite differences.
#
# ## Try it
#
# - Open `lectures/step_through.py` in a debugger, stop in `Dense.backward`, and compare `dW` with the tableau
#   above, line by line.
# - In `printed_gradients` put φ' into the propagation line. Which of the three cases become right? Then put it
#   into δ instead, and explain what happens to the update line.
# - In the 2-2-2 example let the biases learn as well. How much faster does E fall in 10 000 steps, and why does
#   the page leave them out?
# - Write the network in matrices with two hidden layers, forward and backward, and compare with `trace`.
# - `python -m numpyae exercise 4` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
