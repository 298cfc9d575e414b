# %% [markdown]
# # 2. Basis functions: every curve is a weighted sum, if you may take enough of them
#
# A model y(x, w) = w₀ + Σ_j w_j φ_j(x) is a weighted sum of fixed functions φ_j, the *basis functions*. It
# may be as curved as they are, and the best weights w are still found by solving linear equations. Powers of
# x, waves, bumps and smooth steps are the usual choices. We put the four side by side, for one input and for
# several, see what the bias w₀ is for, which choices can be computed with, and how the error falls with the
# number M of functions: at a rate that depends on the smoothness of the curve more than on the basis. Then we
# ask what a Taylor series has to do with it (less than one thinks), and why there are never enough fixed
# functions when x has many components. That is why networks learn them.
#
# Takes about 6 s; with `--full` about 10 s (the rates up to twice as many functions, on a grid four times as
# fine).

# %%
import math

import numpy as np

from numpyae import (Dense, FourierBasis, GaussianBasis, PolynomialBasis, Regression, Sequential, SigmoidBasis, SquaredError,
                     course, datasets, lbfgs, plots)
from numpyae.linear import least_squares

FULL = course.full()


def sine(x):
    return np.sin(2 * np.pi * x)


def rms(error):
    """The root of the mean square, for each column."""
    return np.sqrt(np.mean(error**2, axis=0))


# %% [markdown]
# ## Problem definition
#
# We have input vectors **x** and associated output vectors **t** (z on the slides), and want to describe how
# the outputs depend on the inputs. Rows are samples: x is (N, D) for N samples with D inputs, t is (N, K) for
# K outputs. We begin with D = K = 1, a noisy sine.

# %%
x, t = datasets.noisy_sine(30, sigma=0.2, rng=np.random.default_rng(0))
print("x", x.shape, "  t", t.shape)
assert x.shape == t.shape == (30, 1)

# %% [markdown]
# ## What about the following model?
#
#     y(x, w) = w₀ + Σ_j w_j φ_j(x) = wᵀφ(x),   j = 1 ... M - 1,   φ₀ ≡ 1
#
# M counts the bias w₀ as well: a polynomial of order 6 has M = 7. (In Bishop's chapter 1 M is the order.)
# Four choices of φ_j, each with M = 7:
#
# - polynomial: x, x², ..., x⁶
# - Fourier: cos 2πkx and sin 2πkx for k = 1, 2, 3
# - Gaussian: exp(-(x - c_j)² / 2s²), bumps of width s around six centres c_j
# - sigmoid: σ((x - c_j) / s) with σ(a) = 1 / (1 + e^-a), steps of width s at the same places
#
# All samples at once make the design matrix Φ (N, M), one column for each function, and y = Φ w. The model is
# linear in w: mixing two weight vectors mixes the curves. It is not linear in x.

# %%
centres = np.linspace(0, 1, 6)
bases = {"polynomial": PolynomialBasis(6), "Fourier": FourierBasis(3), "Gaussian": GaussianBasis(centres, 0.2),
         "sigmoid": SigmoidBasis(centres, 0.1)}
rng = np.random.default_rng(1)
for basis in bases.values():
    phi, v, w = basis.forward(x), rng.normal(size=(7, 1)), rng.normal(size=(7, 1))
    assert phi.shape == (30, 7) and np.all(phi[:, 0] == 1)
    assert np.allclose(phi @ (2 * v + 3 * w), 2 * (phi @ v) + 3 * (phi @ w))
    assert not np.allclose(basis.forward(2 * x) @ w, 2 * (phi @ w), rtol=0.1)

# %% [markdown]
# Inside the data the four fits are nearly the same. Outside they are not: there each basis says what it says
# when nobody asks. A polynomial runs away, waves repeat, Gaussians are silent (only the bias is left), and
# sigmoids stay at their last level.

# %%
weights = {name: least_squares(basis.forward(x), t) for name, basis in bases.items()}
inside, far = np.linspace(0, 1, 200)[:, None], np.array([[0.3], [1.3], [5.3], [9.3]])
print("basis        error to the sine in [0, 1]     y(0.3)     y(1.3)     y(5.3)     y(9.3)         w₀")
beyond = {}
for name, basis in bases.items():
    error = rms(basis.forward(inside) @ weights[name] - sine(inside))[0]
    y = beyond[name] = (basis.forward(far) @ weights[name])[:, 0]
    print(f"{name:12s} {error:27.3f} " + "".join(f"{value:11.4g}" for value in y) + f"{weights[name][0, 0]:11.4g}")
    assert error < 0.12
fits = np.hstack([basis.forward(inside) @ weights[name] for name, basis in bases.items()])
assert rms(np.ptp(fits, axis=1)) < 0.06                  # between the highest and the lowest of the four curves
assert abs(beyond["polynomial"][2]) > 1e4
assert np.ptp(beyond["Fourier"]) < 1e-12
assert abs(beyond["Gaussian"][2] - weights["Gaussian"][0, 0]) < 1e-12
assert abs(beyond["sigmoid"][2] - beyond["sigmoid"][3]) < 1e-12

# %% [markdown]
# So the choice of φ is knowledge about the curve that does not come from the data. Who knows that the process
# repeats takes waves, and is rewarded: without noise the Fourier fit of a sine is the sine, one weight 1 and
# all others 0.

# %%
exact = least_squares(bases["Fourier"].forward(x), sine(x))[:, 0]
print("Fourier weights of the sine without noise:", exact.round(12) + 0.0)
assert np.allclose(exact, [0, 0, 0, 0, 1, 0, 0], atol=1e-12)             # 1, three cosines, three sines

# %%
line = np.linspace(-0.4, 1.4, 600)[:, None]
figure = plots.new_figure("Above: the seven functions of each basis. Below: their weighted sum, fitted to the same "
                          "points. The grey bands hold no data.", 16, 9)
grid = figure.add_gridspec(2, 4)
for k, (name, basis) in enumerate(bases.items()):
    upper = plots.new_axes(figure, grid[0, k], name.capitalize(), "", "φ(x)" if k == 0 else "")
    for j, column in enumerate(basis.forward(line).T):
        upper.plot(line, column, ("-", "--", "-.")[j % 3], linewidth=2.5, color=plots.COLOURS[j])
    upper.set_ylim(-1.4, 1.4)
    lower = plots.new_axes(figure, grid[1, k], "", "input x", "target t" if k == 0 else "")
    lower.plot(line, sine(line), "--", linewidth=2, color="0.5")
    lower.plot(x, t, "o", markersize=7, color=plots.COLOURS[0], alpha=0.8)
    lower.plot(line, basis.forward(line) @ weights[name], "-", linewidth=3, color=plots.COLOURS[2])
    lower.set_ylim(-2.2, 2.2)
    for axes in (upper, lower):
        axes.axvspan(-0.4, 0, color="0.93")
        axes.axvspan(1, 1.4, color="0.93")
        axes.set_xlim(-0.4, 1.4)
course.show(figure, "02_four_bases")

# %% [markdown]
# ## Vectors in, vectors out
#
# Nothing changes when x is a vector: φ_j takes a vector and gives a number. The natural extensions are
#
# - monomials such as x₁²x₂, up to a total degree;
# - waves cos 2πkᵀx with a vector k of whole numbers;
# - bumps around centres in space, exp(-‖x - c_j‖² / 2s²);
# - steps along a direction v_j, σ(v_jᵀ(x - c_j) / s), which are level across it.
#
# Nor when t is a vector: W is then (M, K) with one column of weights for each output. All outputs share Φ,
# and each is fitted as if it were alone.
#
# Our example is a robot's arm with two links of length 1. Two angles go in, the position of the hand comes
# out:
#
#     t₁ = cos θ₁ + cos(θ₁ + θ₂),   t₂ = sin θ₁ + sin(θ₁ + θ₂)


# %%
def hand(angles):
    first, both = angles[:, 0], angles[:, 0] + angles[:, 1]
    return np.stack([np.cos(first) + np.cos(both), np.sin(first) + np.sin(both)], axis=1)


rng = np.random.default_rng(2)
angles, others = rng.uniform(-np.pi, np.pi, (400, 2)), rng.uniform(-np.pi, np.pi, (1000, 2))
axis = np.linspace(-np.pi, np.pi, 6)
places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)                  # a grid of 36 centres
turns = rng.uniform(0, 2 * np.pi, 36)
directions = np.stack([np.cos(turns), np.sin(turns)], axis=1)
arms = {"polynomial": PolynomialBasis(7, n_in=2), "Fourier": FourierBasis(1, n_in=2, period=2 * np.pi),
        "Gaussian": GaussianBasis(places, axis[1] - axis[0]), "sigmoid": SigmoidBasis(places, 1.0, directions)}
print("basis         M   error of t₁, t₂ at new angles")
for name, basis in arms.items():
    W = least_squares(basis.forward(angles), hand(angles))
    error = rms(basis.forward(others) @ W - hand(others))
    print(f"{name:12s} {basis.n_out:2d} {error[0]:14.1e} {error[1]:9.1e}")
    assert W.shape == (basis.n_out, 2) and error.max() < (1e-13 if name == "Fourier" else 0.2)
    alone = [least_squares(basis.forward(angles), hand(angles)[:, [k]]) for k in (0, 1)]
    assert np.allclose(W, np.hstack(alone), atol=1e-9)

# %% [markdown]
# With nine waves the arm is described exactly, since its formula is a sum of four of them. Their weights are
# the lengths of the links.

# %%
basis = arms["Fourier"]
W = least_squares(basis.forward(angles), hand(angles))
names = ["1"] + [f"{wave}({k1:+d}θ₁{k2:+d}θ₂)" for wave in ("cos", "sin") for k1, k2 in basis.k.T]
for output in (0, 1):
    print(f"t{'₁₂'[output]} =", " + ".join(f"{w:.6f} {name}" for w, name in zip(W[:, output], names) if abs(w) > 1e-9))
assert np.sum(np.abs(W) > 1e-9) == 4 and np.allclose(W[np.abs(W) > 1e-9], 1)

# %% [markdown]
# In the library a basis is a layer without parameters, and W is the `Dense` behind it. So y = wᵀφ(x) is a
# network like any other, to be trained by any optimizer, here by L-BFGS (lecture 6). It ends where the
# equations end.

# %%
waves = FourierBasis(1, n_in=2, period=2 * np.pi, bias=False)
model = Regression(Sequential(waves, Dense(8, 2, rng=np.random.default_rng(3))), SquaredError())
lbfgs(model, angles, hand(angles))
print(model.network, " error at new angles", f"{rms(model.predict(others) - hand(others)).max():.0e}")
assert rms(model.predict(others) - hand(others)).max() < 1e-4

# %%
side = np.linspace(-1, 1, 120)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
four = {"Polynomial: $x_1 x_2^2$": PolynomialBasis(3, 2).forward(plane)[:, 8],
        "Fourier: $\\cos 2\\pi(x_1 + x_2)$": FourierBasis(1, 2).forward(plane)[:, 4],
        "Gaussian": GaussianBasis([[0.2, -0.3]], 0.35).forward(plane)[:, 1],
        "Sigmoid along (0.8, 0.6)": SigmoidBasis([[0.2, -0.3]], 0.12, [[0.8, 0.6]]).forward(plane)[:, 1]}
assert np.allclose(four["Polynomial: $x_1 x_2^2$"], plane[:, 0] * plane[:, 1]**2)
assert np.allclose(four["Fourier: $\\cos 2\\pi(x_1 + x_2)$"], np.cos(2 * np.pi * (plane[:, 0] + plane[:, 1])))
figure = plots.new_figure("One function of each basis for two inputs. Monomials and waves reach over the whole "
                          "plane, a Gaussian has a place, a sigmoid a place along one direction.", 10.5, 9)
grid = figure.add_gridspec(2, 2)
for place, (title, values) in zip(grid, four.items()):
    axes = plots.new_axes(figure, place, title, "$x_1$", "$x_2$")
    image = axes.contourf(side, side, values.reshape(120, 120), levels=np.linspace(-1, 1, 21), cmap="PuOr_r")
    axes.contour(side, side, values.reshape(120, 120), levels=np.linspace(-0.8, 0.8, 9), colors="0.3", linewidths=0.8)
    axes.set_aspect("equal")
figure.colorbar(image, ax=figure.axes, ticks=[-1, 0, 1], shrink=0.6).ax.tick_params(labelsize=plots.TICKS)
course.show(figure, "02_two_inputs")

# %% [markdown]
# ## The bias: φ₀ ≡ 1
#
# The bias can be written in two ways: as the weight of a function that is always 1, so that everything is
# wᵀφ(x); or as a number b that is added at the end, as `Dense` does. Both are the same model. Here they are
# with the same numbers: the same outputs, and the same gradient, element by element.

# %%
with_one, without = GaussianBasis(centres, 0.2), GaussianBasis(centres, 0.2, bias=False)
w = rng.normal(size=(7, 1))
first, second = Dense(7, 1, init="zeros"), Dense(6, 1, init="zeros")
first.W = w                                              # its own b stays 0, for φ₀ is there
second.W, second.b = w[1:], w[0]
one = Regression(Sequential(with_one, first), SquaredError())
other = Regression(Sequential(without, second), SquaredError())
assert abs(one.loss(x, t) - other.loss(x, t)) < 1e-14
one.backward()
other.backward()
assert np.allclose(one.predict(x), other.predict(x), atol=1e-14)
assert np.allclose(first.dW, np.vstack([[second.db], second.dW]), atol=1e-14)
print("gradient with φ₀:", first.dW[:3, 0].round(4), "...")
print("gradient with b: ", second.db.round(4), second.dW[:2, 0].round(4), "...")

# %% [markdown]
# Only one of the two, please: φ₀ *and* b are two weights for one function. The curve is the same, but the
# weights are no longer determined, only their sum. Seven functions and a second constant make a matrix of
# rank 7, not 8.

# %%
doubled = np.hstack([with_one.forward(x), np.ones_like(x)])
print("columns", doubled.shape[1], "  rank", np.linalg.matrix_rank(doubled))
assert np.linalg.matrix_rank(doubled) == 7

# %% [markdown]
# What happens *without* any bias? Then something about y is decided before the data speak: a polynomial
# passes through the origin, waves have the mean 0, and Gaussians fall to 0 where there is no centre. We
# measure the same sine on a pedestal of height 5.

# %%
high = t + 5
print("basis         error with a bias   without")
fits = {}
for name, pair in (("polynomial", (PolynomialBasis(5), PolynomialBasis(5, bias=False))),
                   ("Fourier", (FourierBasis(3), FourierBasis(3, bias=False))),
                   ("Gaussian", (GaussianBasis(centres, 0.07), GaussianBasis(centres, 0.07, bias=False)))):
    fits[name] = [(basis, least_squares(basis.forward(x), high)) for basis in pair]
    errors = [rms(basis.forward(inside) @ w - sine(inside) - 5)[0] for basis, w in fits[name]]
    print(f"{name:12s} {errors[0]:18.3f} {errors[1]:9.3f}")
    assert errors[0] < 0.2 and errors[1] > 3 * errors[0]
basis, w = fits["polynomial"][1]
assert basis.forward(np.zeros((1, 1))) @ w == 0
basis, w = fits["Fourier"][1]
whole = np.arange(100)[:, None] / 100
assert abs(np.mean(basis.forward(whole) @ w)) < 1e-12

# %%
figure = plots.new_figure("Without a bias a polynomial must start at 0, waves must have the mean 0, and narrow "
                          "Gaussians fall back towards 0 between their centres. With it there is no such rule.", 16, 9)
grid = figure.add_gridspec(1, 3)
for k, (place, (name, pair)) in enumerate(zip(grid, fits.items())):
    axes = plots.new_axes(figure, place, name.capitalize(), "input x", "target t" if k == 0 else "")
    axes.plot(x, high, "o", markersize=7, color=plots.COLOURS[0], alpha=0.8, label="data")
    for (basis, w), style, colour, label in zip(pair, ("-", "--"), (2, 4), ("with bias", "without")):
        axes.plot(inside, basis.forward(inside) @ w, style, linewidth=3, color=plots.COLOURS[colour], label=label)
    axes.set_ylim(-2, 8)
    plots.legend_below_title(axes)
course.show(figure, "02_bias")

# %% [markdown]
# ## Condition numbers: how alike are the columns?
#
# Equations can be solved, and gradient descent gets anywhere, only if the columns of Φ are different enough.
# The measure is the condition number of Φ, its largest over its smallest singular value. (Its square is the κ
# of lecture 1: gradient descent needs a number of steps proportional to it. Near 10¹⁶ the columns are
# dependent for all that a computer can tell.) As M grows:
#
# - powers: exponentially, on [-1, 1] by a factor 1 + √2 for each new one, on [0, 1] by its square;
# - waves on a whole period: never. They are orthogonal, and √2 is only the size of φ₀ beside the others;
# - Gaussians and sigmoids: it depends on the width. If it shrinks with the distance between the centres,
#   slowly, in proportion to M. If it stays, exponentially.

# %%
fine = (np.arange(400)[:, None] + 0.5) / 400             # one whole period of the waves
counts = np.array([5, 9, 13, 17, 33, 65])
conditions = {}
for M in counts:
    c = np.linspace(0, 1, M - 1)
    made = {"powers on [0, 1]": PolynomialBasis(M - 1).forward(fine),
            "powers on [-1, 1]": PolynomialBasis(M - 1).forward(2 * fine - 1),
            "waves": FourierBasis((M - 1) // 2).forward(fine),
            "Gaussians, width = spacing": GaussianBasis(c, c[1]).forward(fine),
            "Gaussians, width 0.15": GaussianBasis(c, 0.15).forward(fine),
            "sigmoids, width = spacing": SigmoidBasis(c, c[1]).forward(fine)}
    for name, phi in made.items():
        conditions.setdefault(name, []).append(np.linalg.cond(phi))
print("M" + " " * 27 + "".join(f"{M:9d}" for M in counts))
for name, found in conditions.items():
    print(f"{name:28s}" + "".join(f"{value:9.1e}" for value in found))
for name, expected in (("powers on [0, 1]", (1 + math.sqrt(2))**2), ("powers on [-1, 1]", 1 + math.sqrt(2))):
    factor = (conditions[name][3] / conditions[name][1])**(1 / 8)                      # from M = 9 to M = 17
    print(f"{name}: factor {factor:.2f} for each new one, expected {expected:.2f}")
    assert abs(factor / expected - 1) < 0.05
for name in ("Gaussians, width = spacing", "sigmoids, width = spacing"):
    assert conditions[name][5] / conditions[name][4] < 2.5                             # for twice as many functions
assert np.allclose(conditions["waves"], math.sqrt(2)) and conditions["Gaussians, width 0.15"][4] > 1e15

# %%
figure = plots.new_figure("Waves are orthogonal, and local functions stay apart when they shrink with their "
                          "distance. Powers and wide Gaussians become alike, until the computer cannot tell them "
                          "apart (grey line).", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Condition number of Φ", "number of functions M",
                      "largest / smallest singular value")
for k, (name, found) in enumerate(conditions.items()):
    axes.loglog(counts, found, "os^Dvp"[k] + ("-", "--", "-.")[k % 3], markersize=10, linewidth=3,
                color=plots.COLOURS[(2, 6, 0, 4, 1, 5)[k]], label=name)
axes.axhline(1 / np.finfo(float).eps, color="0.6", linewidth=6, alpha=0.5)
axes.set_xticks(counts, counts, fontsize=plots.TICKS)
axes.minorticks_off()
axes.legend(fontsize=plots.TICKS, loc="lower right", bbox_to_anchor=(1, 0.34))
course.show(figure, "02_condition")

# %% [markdown]
# ## How many functions does a curve need?
#
# The slide says: "Every continuous function in the function space can be represented as a linear combination
# of basis functions!" With finitely many functions it can only be *approximated*, and the question is how
# fast the error falls with M. It depends on how smooth the curve is. Three targets on [-1, 1]:
#
# - smooth: e^(cos πx)
# - a kink: |x|, continuous, but its slope jumps
# - a jump: sign(x), -1 on the left, +1 on the right
#
# Theory says for a jump in the k-th derivative, k = 0 for the jump, 1 for the kink:
#
#     root mean square error ~ M^-(k + ½),   largest error ~ M^-k
#
# For local functions this is easily seen. Only the few bumps at the bad place fail, in a region whose width
# is the spacing, ~ 1/M. At a jump the error there is of the size of the jump whatever M, so that its mean
# square is ~ 1/M; at a kink it is itself ~ 1/M. For waves it follows from the weights, which fall as 1/k at a
# jump and as 1/k² at a kink. A smooth target is approximated by powers and waves faster than by any power of
# 1/M. There is no noise here, and we use thousands of points, so the error is what M functions cannot
# express. For the polynomials we take the columns from the Legendre polynomials: they have the same sums as
# the powers, and can be computed with.

# %%
n = 32768 if FULL else 8192
points = -1 + 2 * (np.arange(n)[:, None] + 0.5) / n
targets = np.hstack([np.exp(np.cos(np.pi * points)), np.abs(points), np.sign(points)])
counts = [5, 9, 17, 33, 65, 129] + [257] * FULL


def designs(M):
    """Φ (n, M) of the four bases on [-1, 1]."""
    c = np.linspace(-1, 1, M - 1)
    spacing = c[1] - c[0]
    return {"polynomial": np.polynomial.legendre.legvander(points[:, 0], M - 1),
            "Fourier": FourierBasis((M - 1) // 2, period=2.0).forward(points),
            "Gaussian": GaussianBasis(c, spacing).forward(points), "sigmoid": SigmoidBasis(c, spacing).forward(points)}


mean, largest, curves = {}, {}, {}
for M in counts:
    for name, phi in designs(M).items():
        y = curves[name, M] = phi @ least_squares(phi, targets)
        mean[name, M], largest[name, M] = rms(y - targets), np.abs(y - targets).max(axis=0)

# %% [markdown]
# The slopes in a log-log plot are the exponents. We measure them between M = 17 and the largest M.

# %%
last = counts[-1]
print("                  root mean square: kink    jump      largest: kink    jump")
print("theory                             -1.50   -0.50              -1.00    0.00")
for name in bases:
    shrunk = np.stack([mean[name, last] / mean[name, 17], largest[name, last] / largest[name, 17]])
    slopes = np.log(shrunk) / np.log(last / 17)
    print(f"{name:12s} {slopes[0, 1]:27.2f} {slopes[0, 2]:7.2f} {slopes[1, 1]:18.2f} {slopes[1, 2]:7.2f}")
    assert np.allclose(slopes[:, 1:], [[-1.5, -0.5], [-1, 0]], atol=0.12)

# %% [markdown]
# And the smooth target:

# %%
print("root mean square                  " + "".join(f"{f'M = {M}':>11s}" for M in counts))
for name in bases:
    print(f"{name:34s}" + "".join(f"{mean[name, M][0]:11.1e}" for M in counts))
for name in ("polynomial", "Fourier"):
    assert mean[name, 65][0] < 1e-13 and mean[name, 33][0] < mean[name, 17][0] / 1e5
for name in ("Gaussian", "sigmoid"):
    assert 1e-9 < mean[name, 129][0] < mean[name, 17][0] / 10
    error = curves[name, 65][:, 0] - targets[:, 0]
    middle = np.abs(points[:, 0]) < 0.5
    print(f"{name}, M = 65: error in the middle half {rms(error[middle]):.0e}, outside it {rms(error[~middle]):.0e}")
    assert rms(error[~middle]) > 10 * rms(error[middle])

# %% [markdown]
# About kink and jump the four bases agree within a tenth: one bad place costs them all the same. They differ
# on the smooth target. Polynomials and waves reach the rounding error with a few dozen functions. Our
# Gaussians and sigmoids lose at the two ends of the interval, where they have neighbours on one side only. So
# for curves with kinks the choice of the basis hardly matters, for smooth ones it matters a lot.

# %%
figure = plots.new_figure("The rougher the target, the slower the error falls. At a kink or a jump all four bases "
                          "have the slope that theory predicts (grey).", 16, 9)
grid = figure.add_gridspec(1, 3)
for k, title in enumerate(("Smooth: $e^{\\cos \\pi x}$", "Kink: $|x|$", "Jump: sign $x$")):
    axes = plots.new_axes(figure, grid[k], title, "number of functions M", "root mean square error" if k == 0 else "")
    for j, name in enumerate(bases):
        axes.loglog(counts, [mean[name, M][k] for M in counts], "os^D"[j] + ("-", "--", "-.", ":")[j], markersize=9,
                    linewidth=3, color=plots.COLOURS[(2, 0, 4, 1)[j]], label=name)
    if k:
        start = 1.6 * max(mean[name, 5][k] for name in bases)
        slope = -1.5 if k == 1 else -0.5
        axes.loglog(counts, start * (np.array(counts) / 5)**slope, "-", linewidth=5, color="0.8", label=f"$M^{{{slope}}}$")
    axes.set_xticks(counts, counts, fontsize=plots.TICKS)
    axes.minorticks_off()
    if k == 2:
        axes.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    axes.legend(fontsize=plots.TICKS, loc="lower left")
course.show(figure, "02_rates")

# %% [markdown]
# ## Gibbs: the largest error does not fall
#
# Look at the last column of the table: the largest error at the jump has the slope 0. Right at the jump it
# must be about half of the jump, since a continuous curve has to come through. But even *beside* it the fit
# swings over the target, by the same height for every M; the swing only moves closer. For waves the height is
# known, 8.95 % of the jump (Wilbraham 1848, Gibbs 1899): 1/π ∫₀^π sin(s)/s ds - ½. Our jump is 2. Polynomials
# swing by exactly as much, the other two by slightly more.

# %%
s = (np.arange(10_000) + 0.5) * np.pi / 10_000
gibbs = 2 * (np.mean(np.sin(s) / s) - 0.5)               # the mean over (0, π) is the integral over π
print(f"predicted overshoot of the waves {gibbs:.4f}")
for name in bases:
    beside = (points[:, 0] > 0) & (points[:, 0] < 0.5)   # waves have a second jump at ±1
    overshoot = [curves[name, M][beside, 2].max() - 1 for M in counts[2:]]
    place = [points[beside][np.argmax(curves[name, M][beside, 2]), 0] for M in counts[2:]]
    print(f"{name:12s} overshoot" + "".join(f"{value:8.4f}" for value in overshoot)
          + "   at distance" + "".join(f"{d:8.4f}" for d in place))
    assert min(overshoot) > 0.17 and np.ptp(overshoot) < 0.01 and place[-1] < 0.15 * place[0]
    assert largest[name, 129][2] > 0.95
    assert abs(overshoot[-1] - gibbs) < 1e-3 or name in ("Gaussian", "sigmoid")

# %%
figure = plots.new_figure("More waves move the swing closer to the jump and do not make it lower. Its area shrinks: "
                          "the mean error falls, the largest does not.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Waves at a jump", "x", "y")
axes.plot(points, targets[:, 2], "-", linewidth=2, color="0.4", label="sign x")
for k, M in enumerate((9, 33, 129)):
    axes.plot(points, curves["Fourier", M][:, 2], (":", "--", "-")[k], linewidth=3, color=plots.COLOURS[(0, 4, 2)[k]],
              label=f"M = {M}")
axes.axhline(1 + gibbs, color="0.7", linewidth=1.5)
axes.set(xlim=(-0.6, 0.6), ylim=(-1.35, 1.35))
axes.text(-0.58, 1 + gibbs + 0.02, "1 + 0.179", fontsize=plots.TICKS, color="0.4")
axes.legend(fontsize=plots.TICKS, loc="lower right", bbox_to_anchor=(0.97, 0.1))
course.show(figure, "02_gibbs")

# %% [markdown]
# ## "Every continuous function can be represented": in the limit
#
# For every fixed basis there are functions on which it is useless. To M = 129 waves, the next one is
# orthogonal: the best fit to cos(65 πx) is 0, and all of the function is error.

# %%
next_wave = np.cos(65 * np.pi * points)
phi = designs(129)["Fourier"]
error = rms(phi @ least_squares(phi, next_wave) - next_wave)[0] / rms(next_wave)[0]
print(f"error of 129 waves on the 65th cosine: {100 * error:.1f} % of it")
assert error > 0.999

# %% [markdown]
# What is true is Weierstrass's theorem (1885): for every continuous function on a closed interval and every ε
# there is a polynomial that is nowhere further away than ε. How many powers it takes depends on the function.
# Bernstein's proof (1912) even writes the weights down, without any fit: they are the values of f itself,
#
#     B_n(x) = Σ_k f(k/n) φ_k(x),   φ_k(x) = n! / (k! (n - k)!) x^k (1 - x)^(n - k),   k = 0 ... n
#
# φ_k(x) is the probability of k heads in n throws of a coin that shows heads with probability x. For large n
# nearly all throws give k/n near x. For f = |2x - 1| the error is largest at the kink, √(2/πn): sure, and
# slow. To halve it takes four times as many functions, where the fit above takes twice as many.

# %%
unit = np.linspace(0, 1, 201)
print("    n   largest error   √(2/πn)")
for n_bernstein in (10, 40, 160):
    k = np.arange(n_bernstein + 1)
    choose = np.array([math.comb(n_bernstein, i) for i in k], dtype=float)
    phi = choose * unit[:, None]**k * (1 - unit[:, None])**(n_bernstein - k)
    error = np.abs(phi @ np.abs(2 * k / n_bernstein - 1) - np.abs(2 * unit - 1)).max()
    print(f"{n_bernstein:5d} {error:15.4f} {math.sqrt(2 / math.pi / n_bernstein):9.4f}")
    assert abs(error / math.sqrt(2 / math.pi / n_bernstein) - 1) < 0.03

# %% [markdown]
# ## "Nothing new if you know Taylor expansion, Fourier transform, ..."
#
# A Taylor series is a linear combination of powers, too, but with other weights: w_j = f⁽ʲ⁾(0) / j!, all from
# the derivatives *at one point*. It knows f near that point and nowhere else. Three functions for which this
# fails, while a least-squares polynomial, which looks at the whole interval, works:
#
# - |x| has no derivative at 0. The slope is -1 from the left, +1 from the right, and there is no series at
#   all.
# - 1/(1 + 25x²) is smooth everywhere. Its series is 1 - 25x² + 625x⁴ - ..., and diverges for |x| > 1/5: in
#   the complex plane the function has poles at ±i/5, and the series does not get past them.
# - e^(-1/x²), with the value 0 at 0, is smooth as well, and *all* its derivatives at 0 are 0. The Taylor
#   series converges everywhere, to 0.

# %%
flat = np.exp(-1 / points**2)                            # no point is exactly 0
bell = 1 / (1 + 25 * points**2)
h = 1e-6
print(f"|x|: slope at 0 from the right {abs(h) / h:+.0f}, from the left {abs(-h) / -h:+.0f}")
assert abs(h) / h == 1 and abs(-h) / -h == -1
print("largest error   1/(1 + 25x²): Taylor       fit   e^(-1/x²): Taylor       fit   |x|: fit")
taylor, fitted = [], []
for order in (4, 8, 16, 32, 64):
    phi = np.polynomial.legendre.legvander(points[:, 0], order)
    three = np.hstack([bell, flat, np.abs(points)])
    fitted.append(np.abs(phi @ least_squares(phi, three) - three).max(axis=0))
    series = sum((-25 * points**2)**k for k in range(order // 2 + 1))
    taylor.append(np.abs(series - bell).max())
    errors = fitted[-1]
    print(f"order {order:2d} {taylor[-1]:28.0e} {errors[0]:9.0e} {flat.max():19.2f} {errors[1]:9.0e} {errors[2]:10.0e}")
fitted = np.array(fitted)
assert all(later > 100 * earlier for earlier, later in zip(taylor, taylor[1:]))
assert np.all(np.diff(fitted, axis=0) < 0) and np.all(fitted[-1] < [1e-5, 1e-6, 0.02])
near = np.abs(points) < 0.1
assert np.abs(sum((-25 * points**2)**k for k in range(33)) - bell)[near].max() < 1e-12         # inside 1/5 it converges

# %% [markdown]
# Derivatives at 0 are a limit, but one can see them vanish: e^(-1/x²) divided by x^20 still goes to 0.
#
# For 1/(1 + 25x²) the same poles that stop the Taylor series set the rate of the fit, and only its rate: the
# error falls by the factor 1/ρ for each order, ρ = 1/5 + √(1 + 1/25), the sum of the half axes of the ellipse
# with the foci ±1 that goes through the poles (Bernstein 1912).

# %%
assert math.exp(-1 / 0.05**2) / 0.05**20 < 1e-100
rate = (fitted[4, 0] / fitted[3, 0])**(1 / 32)
rho = 1 / 5 + math.sqrt(1 + 1 / 25)
print(f"fit of 1/(1 + 25x²): factor for each order {rate:.4f}, predicted {1 / rho:.4f}")
assert abs(rate * rho - 1) < 0.01

# %% [markdown]
# A warning: "least squares" needs many more points than weights. With as many points as weights, evenly
# spread, the polynomial goes through all of them and, for this function, diverges in between, even without any
# noise (Runge 1901). Evenly spread points magnify what a polynomial cannot follow. For the sine of lecture 1 they
# magnify the noise alone: it is smooth enough.

# %%
runge = []
for order in (5, 10, 20):
    knots = np.linspace(-1, 1, order + 1)
    w = np.linalg.solve(np.polynomial.legendre.legvander(knots, order), 1 / (1 + 25 * knots**2))
    runge.append(np.abs(np.polynomial.legendre.legvander(points[:, 0], order) @ w - bell[:, 0]).max())
print("largest error of the polynomial through 6, 11, 21 points of 1/(1 + 25x²):", *(f"{error:.2g}" for error in runge))
assert runge[1] > 3 * runge[0] and runge[2] > 20 * runge[1]

# %%
figure = plots.new_figure("Taylor sums (dashed) are right near 0 and only there: they explode, or never leave 0. "
                          "Least squares with the same powers (solid) looks at the whole interval.", 16, 9)
grid = figure.add_gridspec(1, 3)
shown = np.linspace(-1, 1, 500)[:, None]
sums = {"$|x|$: no Taylor series": None, "$1/(1+25x^2)$: diverges": sum((-25 * shown**2)**k for k in range(9)),
        "$e^{-1/x^2}$: is 0": 0 * shown}
phi, see = (np.polynomial.legendre.legvander(values[:, 0], 16) for values in (points, shown))
for k, (title, series) in enumerate(sums.items()):
    target = (np.abs(points), bell, flat)[k]
    axes = plots.new_axes(figure, grid[k], title, "x", "y" if k == 0 else "")
    axes.plot(points, target, "-", linewidth=7, color="0.8", label="f")
    if series is not None:
        axes.plot(shown, series, "--", linewidth=3, color=plots.COLOURS[0], label="Taylor, order 16")
    axes.plot(shown, see @ least_squares(phi, target), "-", linewidth=2.5, color=plots.COLOURS[2], label="fit, order 16")
    axes.set_ylim(*((-0.1, 1.35) if k < 2 else (-0.03, 0.48)))
    plots.legend_below_title(axes)
course.show(figure, "02_taylor")

# %% [markdown]
# And Fourier? What the slide needs is the *series*. It repeats with its period. If the two ends of the
# interval have different values, the repetition has a jump there, and the Gibbs swing comes with it: for f(x)
# = x on [0, 1] the largest error stays at ½. Take waves with a longer period than the interval, and there is
# no jump. Now the columns are nearly dependent, but the fit is excellent.

# %%
print("order   period 1: error  condition     period 2: error  condition")
for order in (4, 8, 16):
    row = []
    for period in (1.0, 2.0):
        phi = FourierBasis(order, period=period).forward(fine)
        row += [np.abs(phi @ least_squares(phi, fine) - fine).max(), np.linalg.cond(phi)]
    print(f"{order:5d} {row[0]:16.3f} {row[1]:10.1f} {row[2]:19.0e} {row[3]:10.0e}")
    assert row[0] > 0.45 and row[1] < 1.5 and row[2] < 1e-3
assert row[2] < 1e-10 and row[3] > 1e10

# %% [markdown]
# ## Towards nonlinear systems
#
# "How do we find the optimal basis function φ?" In one dimension we hardly need to: take many. In D
# dimensions "many" is too many. If every direction is to have its share, one needs
#
# - monomials up to degree 3: (D + 3)! / (D! 3!)
# - waves up to order 1: 3^D
# - Gaussians on a grid of 10 in each direction: 10^D
#
# This is the *curse of dimensionality* (Bellman 1961). A picture of 28 x 28 pixels has D = 784.

# %%
print("  D   monomials to degree 3       waves to order 1       grid of 10 Gaussians")
for D in (1, 2, 3, 10, 784):
    counted = math.comb(D + 3, 3), 3**D, 10**D
    print(f"{D:3d} " + "".join(f"{f'{c:,}' if c < 1e10 else f'10^{len(str(c)) - 1}':>24s}" for c in counted))
    if D <= 3:
        assert PolynomialBasis(3, n_in=D).n_out == counted[0] and FourierBasis(1, n_in=D).n_out == counted[1]
assert math.comb(787, 3) == 80_931_145 and len(str(3**784)) == 375

# %% [markdown]
# Or turn it round: what do about 250 functions achieve? The target is a smooth step along one direction,
# tanh(3 vᵀx) with v = (1, ..., 1)/√D, which is as simple in ten dimensions as in one. The errors are relative
# to the size of t, at points that were not in the fit.

# %%
rng = np.random.default_rng(5)
relative = {"Gaussian": [], "polynomial": []}
dimensions = (1, 2, 3, 4, 5)
print("  D   Gaussians  error    monomials  error")
for D in dimensions:
    v = np.ones((D, 1)) / math.sqrt(D)
    seen, new = rng.uniform(-1, 1, (3000, D)), rng.uniform(-1, 1, (2000, D))
    axis = np.linspace(-1, 1, round(250**(1 / D)))
    grid_centres = np.stack(np.meshgrid(*[axis] * D), axis=-1).reshape(-1, D)
    order = max(p for p in range(20) if math.comb(D + p, p) <= 260)
    made = {"Gaussian": GaussianBasis(grid_centres, axis[1] - axis[0]), "polynomial": PolynomialBasis(order, n_in=D)}
    for name, basis in made.items():
        w = least_squares(basis.forward(seen), np.tanh(3 * seen @ v))
        relative[name].append((rms(basis.forward(new) @ w - np.tanh(3 * new @ v)) / rms(np.tanh(3 * new @ v)))[0])
    print(f"{D:3d} {made['Gaussian'].n_out:10d} {relative['Gaussian'][-1]:8.0e} {made['polynomial'].n_out:10d} "
          f"{relative['polynomial'][-1]:8.0e}")
assert all(found[-1] > 0.05 and found[-1] > 10 * found[0] for found in relative.values())

# %% [markdown]
# In five dimensions two hundred and fifty functions miss about a tenth of a simple step. *One* function with
# the right direction and the right width does it exactly, in any number of dimensions, for 2σ(6a) - 1 is
# tanh(3a).

# %%
D = 784
v = rng.normal(size=(1, D))
v = v / np.linalg.norm(v)
seen, new = rng.uniform(-1, 1, (50, D)), rng.uniform(-1, 1, (50, D))
basis = SigmoidBasis(np.zeros((1, D)), 1 / 6, v)
w = least_squares(basis.forward(seen), np.tanh(3 * seen @ v.T))
error = np.abs(basis.forward(new) @ w - np.tanh(3 * new @ v.T)).max()
print(f"D = 784, M = {basis.n_out}: w = {w[:, 0].round(6)}, largest error at new points {error:.0e}")
assert np.allclose(w[:, 0], [-1, 2]) and error < 1e-12

# %%
figure = plots.new_figure("About 250 fixed functions, spread over D dimensions, become worse and worse at a step "
                          "that is equally simple in all of them. One function with the right direction is exact.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Fixed functions", "number of inputs D",
                      "relative error at new points")
for (name, found), style, colour in zip(relative.items(), ("o-", "s--"), (4, 2)):
    axes.semilogy(dimensions, found, style, markersize=11, linewidth=3, color=plots.COLOURS[colour], label=name)
axes.set_xticks(dimensions)
plots.legend_above(axes)
course.show(figure, "02_curse")

# %% [markdown]
# Nobody tells us v. So why don't we let the system find the optimal φ? Give each φ_j a direction, a place and
# a width of its own, and learn them together with w by gradient descent. That is a neural network, and the
# next lecture.
#
# ## What to remember
#
# - y = wᵀφ(x) is curved in x and linear in w, for vectors in and out. Φ (N, M) is all there is to compute.
# - The basis is knowledge: what the curve does between and beyond the data comes from it.
# - The bias is the weight of φ₀ ≡ 1: a column or b, not both. Without it something about y is decided before
#   the data speak.
# - Powers become alike exponentially fast; waves never; local functions stay apart if their width shrinks
#   with their distance.
# - A kink or a jump costs each of these four bases the same: error ~ M^-(k + ½). At a jump the largest error does not fall
#   at all. Smooth curves are cheap for powers and waves.
# - "Can be represented" holds in the limit (Weierstrass), not for finitely many functions, and not by
#   Taylor's series, which knows one point.
# - In D dimensions fixed functions need a number that grows like a power of D at best, exponentially at
#   worst. One learnt function can do the work of all.
#
# ## Try it
#
# - Give the Gaussians on [-1, 1] two more centres beyond each end. What happens to the error on the smooth
#   target, and where does it stop falling?
# - Halve the width of the Gaussians (`spacing / 2`). The condition number improves; what does the error say?
# - Move the jump from 0 to 0.3. Do the slopes change? Does the overshoot?
# - Take the robot's arm with three links and three angles. How many waves of order 1 are there, and how many
#   have a weight that is not 0?
# - `python -m numpyae exercise 2` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
