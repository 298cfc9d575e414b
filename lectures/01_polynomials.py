# %% [markdown]
# # 1. Polynomials: to fit is to solve for w, and a fit can be too good
#
# Ten noisy measurements of a curve are given, and we want the curve. We describe it by a polynomial, w₀ + w₁
# x + w₂ x² + ..., and look for the weights w with which it comes close to the measurements. There are two
# ways to find them: solve a system of linear equations, or walk downhill in small steps. Both give the same
# w, but the walk can take 80 years, and we shall see why. Then we ask how many weights to take. With too few
# the polynomial cannot bend, with too many it learns the noise: it goes through every point and is wrong
# between them. More data, or a price on large weights, is a cure.
#
# Takes about 3 s; with `--full` about 8 s (averages over 100 000 noisy data sets in place of 1000).

# %%
import numpy as np

from numpyae import Dense, GradientDescent, PolynomialBasis, Regression, Sequential, SquaredError, course, datasets, plots

FULL = course.full()
REPEATS = 100_000 if FULL else 1000


def sine(x):
    return np.sin(2 * np.pi * x)


def rms(error):
    """The root of the mean square: a typical error, in the unit of t."""
    return np.sqrt(np.mean(error**2))


# %% [markdown]
# ## Can we learn an arbitrary complex mapping f(x)?
#
# Later lectures learn maps from a picture to two numbers and back. The question is the same for one number in
# and one number out: nobody tells us f, we only see examples (x, f(x)), and f may be as complicated as it
# likes. In one dimension everything can be drawn, and most of what will go wrong later already goes wrong
# here.
#
# ## A noisy real-valued function
#
# Somebody has measured one period of a sine wave at ten places, with errors:
#
#     t_n = sin(2π x_n) + ε_n,   x_n = 0, 1/9, 2/9, ..., 1,   ε_n ~ N(0, 0.3²)
#
# (The slides call the targets z. We call them t, since z will be something else from the autoencoder on.)
# These are the ten points of C. M. Bishop's book *Pattern Recognition and Machine Learning* (2006, "PRML"),
# so that we can compare our numbers with printed ones. Arrays have one row for each sample: x and t have ten
# rows and one column.

# %%
x = np.linspace(0, 1, 10)[:, None]
t = np.array([[.349486, .830839, 1.007332, .971507, .133066, .166823, -.848307, -.445686, -.563567, .261502]]).T
N = len(x)

noise = t - sine(x)
print(f"typical error of a measurement: {rms(noise):.2f}")
assert 0.2 < rms(noise) < 0.4

# %% [markdown]
# ## Model: 0th, 1st, and 3rd order polynomial
#
# The three models of the slide are
#
# - 0th order: y(x, w) = w₀
# - 1st order: y(x, w) = w₀ + w₁ x
# - 3rd order: y(x, w) = w₀ + w₁ x + w₂ x² + w₃ x³
#
# As functions of x they are more and more curved. As functions of *w* they are all the same: a weighted sum.
# For all samples at once it is a matrix product, y = Φ w, where row n of the *design matrix* Φ holds the
# powers 1, x_n, x_n², x_n³ of sample n.

# %%
phi = PolynomialBasis(3).forward(x)
print(phi[:4].round(3))
assert phi.shape == (10, 4) and np.allclose(phi, np.hstack([x**0, x, x**2, x**3]), rtol=1e-14)

# %% [markdown]
# Which w is best? The usual measure is the sum of the squared errors,
#
#     L(w) = Σ_n (t_n - y(x_n, w))² = ‖t - Φ w‖²
#
# As a function of w it is a parabola, open upwards, and has its minimum where the gradient is 0:
#
#     ∇L(w) = 2 Φᵀ(Φ w - t) = 0   →   ΦᵀΦ w = Φᵀt
#
# These are as many linear equations as there are weights. `np.linalg.lstsq` solves them. (It does not form
# the matrix ΦᵀΦ, for a reason that we meet below.)


# %%
def least_squares(phi, t):
    """The w (M, 1) with the smallest ‖t - Φ w‖²."""
    return np.linalg.lstsq(phi, t, rcond=None)[0]


w = least_squares(phi, t)
gradient = 2 * phi.T @ (phi @ w - t)
print("w of order 3:", w[:, 0].round(2), "  largest element of the gradient there:", f"{np.abs(gradient).max():.0e}")
assert np.abs(gradient).max() < 1e-12
for j in range(4):
    step = 0.01 * np.eye(4)[:, [j]]
    assert min(rms(phi @ (w + step) - t), rms(phi @ (w - step) - t)) > rms(phi @ w - t)       # uphill both ways

# %% [markdown]
# Now orders 0, 1, 3 and also 9, which has ten weights for ten points. The last column is the error to the
# sine itself, which only the maker of the data can know: the root mean square at x = 0, 0.01, ..., 0.99. PRML
# prints the weights in its table 1.1; we find them to the last digit, at order 9 as far as t is known: its six
# decimals leave w₉ open by 0.3.

# %%
new = np.arange(100)[:, None] / 100
weights, known = {}, {}
print("order   error on the data   error to the sine   w₀, w₁, ...")
for order in (0, 1, 3, 9):
    basis = PolynomialBasis(order)
    w = weights[order] = least_squares(basis.forward(x), t)
    known[order] = rms(basis.forward(new) @ w - sine(new))
    first = "".join(f"{value:12.2f}" for value in w[:4, 0])
    print(f"{order:5d} {rms(basis.forward(x) @ w - t):16.2f} {known[order]:19.2f}   {first}{'  ...' if order > 3 else ''}")

printed = {0: [0.19], 1: [0.82, -1.27], 3: [0.31, 7.99, -25.43, 17.37], 9: [0.35, 232.37, -5321.83, 48568.31]}
for order, values in printed.items():
    assert weights[order][:4, 0].round(2).tolist() == values
assert [round(error, 2) for error in known.values()] == [0.73, 0.52, 0.22, 1.27]
assert abs(weights[9][9, 0] - 125201.43) < 0.3               # t has six digits, which leave this much of w₉ open

# %% [markdown]
# Orders 0 and 1 cannot follow the wave. Order 3 does, roughly. Order 9 makes no error at all on the data, and
# between them it is the worst of the four. Look at its weights: tens of thousands and more, with alternating
# signs, so that they nearly cancel.

# %%
line = np.linspace(0, 1, 500)[:, None]
figure = plots.new_figure("Orders 0 and 1 are too stiff. Order 3 follows the trend. Order 9 goes through every "
                          "point, and between them leaves the panel.", 16, 9)
grid = figure.add_gridspec(2, 2)
for place, order in zip(grid, weights):
    axes = plots.new_axes(figure, place, f"Order {order}", "input x", "target t")
    axes.plot(line, sine(line), "--", linewidth=2, color="0.5", label="sine")
    curve = PolynomialBasis(order).forward(line) @ weights[order]
    axes.plot(line, curve, "-", linewidth=3, color=plots.COLOURS[2], label="fit")
    axes.plot(x, t, "o", markersize=9, color=plots.COLOURS[0], label="data")
    axes.set_ylim(-1.6, 1.6)
    plots.legend_above(axes)
course.show(figure, "01_orders")

# %% [markdown]
# ## The "mean" squared error is a sum
#
# The slides call L(w) the mean squared error, and print a sum. PRML takes half of the sum. Our `Regression`
# divides by N. The factor does not move the minimum, so the w above is the same for all. It does change three
# things:
#
# - *Comparisons*: a sum grows with the number of samples. The errors in our tables are roots of means, in the
#   unit of t.
# - *Steps*: the gradient of the sum is N times larger. A step size that suits the mean throws the sum out of
#   the valley.
# - *Prices*: whoever adds a penalty on w (below) has to say to which of them.

# %%
phi = PolynomialBasis(1).forward(x)
w_mean, w_sum = np.zeros((2, 1)), np.zeros((2, 1))
for step in range(20):
    w_mean = w_mean - 0.5 * 2 / N * phi.T @ (phi @ w_mean - t)
    w_sum = w_sum - 0.5 * 2 * phi.T @ (phi @ w_sum - t)
print(f"error after 20 steps of 0.5: {rms(phi @ w_mean - t):.2f} with the mean, {rms(phi @ w_sum - t):.0e} with the sum")
assert rms(phi @ w_mean - t) < 0.5 and rms(phi @ w_sum - t) > 1e10
mean = least_squares(phi / np.sqrt(N), t / np.sqrt(N))      # whose sum of squares is the mean of ours
assert np.allclose(mean, least_squares(phi, t), rtol=1e-12)

# %% [markdown]
# ## Closed form against gradient descent
#
# Neural networks have no closed form. They are trained by *gradient descent*: begin somewhere, here at w = 0,
# and go on in small steps against the gradient,
#
#     w_new = w_old - α ∇L(w)
#
# with a step size α, the *learning rate*. Here is the loop, for the mean. On our straight line and with a
# good α it arrives where the equations lead.


# %%
def descend(phi, t, alpha, steps):
    """Gradient descent on 1/N ‖t - Φ w‖² from w = 0: the w after each step, (steps, M)."""
    w = np.zeros((phi.shape[1], 1))
    path = np.empty((steps, len(w)))
    for step in range(steps):
        gradient = 2 / len(phi) * (phi.T @ (phi @ w - t))
        w = w - alpha * gradient
        path[step] = w[:, 0]
    return path


path = descend(phi, t, 0.5, 400)
print("order 1:  descent", path[-1].round(6), "  closed form", least_squares(phi, t)[:, 0].round(6))
assert np.abs(path[-1] - least_squares(phi, t)[:, 0]).max() < 1e-8

# %% [markdown]
# The library's version of the loop is a network of two layers, the basis and a `Dense` that holds w, and an
# optimizer. It takes the same steps.

# %%
model = Regression(Sequential(PolynomialBasis(1, bias=False), Dense(1, 1, init="zeros")), SquaredError())
optimizer = GradientDescent(0.5)
for step in range(20):
    model.loss(x, t)
    optimizer.step(model.w, model.backward())
assert np.abs(model.w - path[19, ::-1]).max() < 1e-14        # model.w holds w₁, then b, which is our w₀

# %% [markdown]
# How long does it take? Let w* be the minimum. The gradient is H (w - w*) with the matrix of second
# derivatives H = 2/N ΦᵀΦ, the *Hessian*, so that each step multiplies the distance to w* by a matrix:
#
#     w_new - w* = (I - α H)(w_old - w*)
#
# Along an eigenvector of H with eigenvalue λ the distance shrinks by the factor |1 - α λ|. Where the valley
# is steep (λ large), α must stay below 2/λ, or the step jumps out of it; where it is flat (λ small), the same
# α is hardly a step. The best compromise makes the two ends equally slow:
#
#     α = 2 / (λ_min + λ_max),   factor per step (κ - 1) / (κ + 1),   κ = λ_max / λ_min
#
# The number κ, the *condition number* of the Hessian, is all that matters. It does not depend on t at all,
# but on how alike the columns of Φ are, and how equally long. On [0, 1] the powers 1, x, x², x³ look much alike. Three other ways
# to write the *same* third-order polynomials:
#
# - powers of u = 2x - 1, which runs from -1 to 1: odd and even powers no longer look alike;
# - Legendre polynomials of u: 1, u, (3u² - 1)/2, ..., made to be orthogonal on [-1, 1];
# - columns that are made orthogonal on the ten points, and of length 1 (`np.linalg.qr`). Then κ = 1, and one step is
#   enough.
#
# We predict from κ how many steps bring the distance down by a factor 10¹⁰, take them, and measure the factor
# per step.

# %%
u = 2 * x - 1
orthogonal = np.linalg.qr(PolynomialBasis(3).forward(x))[0]
columns = {"powers of x": PolynomialBasis(3).forward(x), "powers of u": PolynomialBasis(3).forward(u),
           "Legendre": np.polynomial.legendre.legvander(u[:, 0], 3), "orthogonal": orthogonal}
curve = PolynomialBasis(3).forward(x) @ weights[3]
distances = {}
print("columns of Φ          κ   steps   factor predicted   measured   fits apart by")
for name, phi in columns.items():
    low, *_, high = np.linalg.eigvalsh(2 / N * phi.T @ phi)
    kappa = high / low
    factor = (kappa - 1) / (kappa + 1)
    steps = int(np.ceil(np.log(1e-10) / np.log(max(factor, 1e-12))))
    path = descend(phi, t, 2 / (low + high), steps)
    distance = distances[name] = np.linalg.norm(path - least_squares(phi, t)[:, 0], axis=1)
    measured = (distance[-1] / distance[steps // 2])**(1 / max(steps - 1 - steps // 2, 1))
    apart = np.abs(phi @ path[-1][:, None] - curve).max()
    print(f"{name:12s} {kappa:10.2f} {steps:7d} {factor:18.6f} {measured if steps > 1 else 0:10.6f} {apart:15.0e}")
    assert apart < 1e-8
    assert abs(measured - factor) < 0.01 * (1 - factor) or steps == 1
assert [len(distance) for distance in distances.values()] == sorted(map(len, distances.values()), reverse=True)
assert len(distances["powers of x"]) > 100_000 and len(distances["Legendre"]) < 100 and len(distances["orthogonal"]) == 1

# %% [markdown]
# All four arrive at the fit of the closed form, to better than 10⁻⁸, after a hundred thousand steps or after
# one. What differs is the basis, not the model. The figure shows the same for the straight line, where w has
# two components and can be drawn: with x from 0 to 1 the loss is a long narrow valley, and the path zigzags
# down to its end; with u the valley is nearly round.

# %%
figure = plots.new_figure("Left and middle: contours of the loss, and the path of descent. Right: the thin black "
                          "lines are the factor (κ - 1)/(κ + 1) per step, predicted from the columns alone.", 16, 9)
grid = figure.add_gridspec(1, 3, width_ratios=[1, 1, 1.4])
for place, name, values in ((grid[0], "x", x), (grid[1], "u", u)):
    phi = PolynomialBasis(1).forward(values)
    low, high = np.linalg.eigvalsh(2 / N * phi.T @ phi)
    path = np.vstack([np.zeros(2), descend(phi, t, 2 / (low + high), 40)])
    best = least_squares(phi, t)[:, 0]
    w0, w1 = np.meshgrid(best[0] + np.linspace(-1.1, 1.1, 80), best[1] + np.linspace(-2, 2, 80))
    loss = np.mean((phi @ np.stack([w0.ravel(), w1.ravel()]) - t)**2, axis=0).reshape(w0.shape)
    axes = plots.new_axes(figure, place, f"Order 1 in {name}: κ = {high / low:.1f}", "$w_0$", "$w_1$")
    axes.contour(w0, w1, loss, levels=loss.min() + 0.02 * 2.0**np.arange(9), colors="0.6", linewidths=1.2)
    axes.plot(*path.T, "o-", markersize=6, linewidth=2, color=plots.COLOURS[2])
    axes.plot(*best, "*", markersize=22, color=plots.COLOURS[1], markeredgecolor="black")
    axes.set_aspect("equal")

# %%
axes = plots.new_axes(figure, grid[2], "Order 3", "step", "distance to w*, relative to the first")
for k, name in enumerate(("powers of x", "powers of u", "Legendre")):
    distance = distances[name][:600]
    low, *_, high = np.linalg.eigvalsh(columns[name].T @ columns[name])
    steps = np.arange(len(distance))
    axes.semilogy(steps, distance / distance[0], ("-", "--", "-.")[k], linewidth=6, color=plots.COLOURS[(2, 0, 4)[k]],
                  label=name)
    axes.semilogy(steps, ((high - low) / (high + low))**steps, color="black", linewidth=1.5)
axes.set_ylim(1e-10, 10)
axes.legend(fontsize=plots.TICKS, loc="center right")
course.show(figure, "01_descent")

# %% [markdown]
# And order 9? With powers of x on [0, 1] its κ is 2 · 10¹⁴. At a million steps a second the descent would
# take more than 80 years. In the Legendre basis it is a matter of a few thousand steps, and ends at the same
# curve.

# %%
phi = PolynomialBasis(9).forward(x)
kappa = np.linalg.cond(phi)**2                               # κ of ΦᵀΦ is the square of that of Φ
years = np.log(1e10) * kappa / 2 / 1e6 / (365 * 24 * 3600)  # log(1/factor) is 2/κ
legendre = np.polynomial.legendre.legvander(u[:, 0], 9)
low, *_, high = np.linalg.eigvalsh(2 / N * legendre.T @ legendre)
path = descend(legendre, t, 2 / (low + high), 10_000)
apart = np.abs(legendre @ path[-1][:, None] - phi @ weights[9]).max()
print(f"order 9, powers of x: κ = {kappa:.0e}, {years:.0f} years")
print(f"order 9, Legendre:    κ = {high / low:.0f}, after 10 000 steps {apart:.0e} apart from the closed form")
assert years > 80 and high / low < 700 and apart < 1e-8

# %% [markdown]
# The closed form suffers, too, if it is written carelessly. A condition number of 10^k costs up to k of the
# 16 digits of a float. That of Φ is 2 · 10⁷; ΦᵀΦ squares it. `lstsq` works with Φ itself.

# %%
careless = np.linalg.solve(phi.T @ phi, phi.T @ t)
lost = np.abs(careless / weights[9] - 1).max()
print(f"w₁ by lstsq {weights[9][1, 0]:.2f}, through ΦᵀΦ {careless[1, 0]:.2f}; largest relative difference {lost:.0e}")
assert lost > 1e-7

# %% [markdown]
# ## Over-fitting
#
# Which order is right, if nobody knows the sine? Not the one with the smallest error on the data: that error
# can only fall when a weight is added, since the smaller model is the larger one with w = 0. What we want is
# a small error on points that the fit has *not seen*. They are called *held-out* or test data. (Below we use
# the sine itself. On held-out measurements with their own noise e becomes √(e² + 0.3²), and the ranking is
# the same.)

# %%
orders = np.arange(10)
train, held_out, size = np.empty(10), np.empty(10), np.empty(10)
for order in orders:
    basis = PolynomialBasis(int(order))
    w = least_squares(basis.forward(x), t)
    train[order] = rms(basis.forward(x) @ w - t)
    held_out[order] = rms(basis.forward(new) @ w - sine(new))
    size[order] = np.abs(w).max()
    print(f"order {order}   on the data {train[order]:.3f}   held out {held_out[order]:.3f}   largest |w| {size[order]:10.2f}")
assert np.all(np.diff(train) < 1e-9) and train[9] < 1e-6
assert held_out[9] > 5 * held_out[3] and size[9] > 10_000 * size[3]

# %% [markdown]
# One data set proves nothing. So we draw a thousand sets of ten points, each with its own noise, and fit
# order 3 and order 9 to each. With x fixed, the fit at the new points is a matrix times t, Φ_new Φ⁺ t, where
# Φ⁺ is the pseudo-inverse (the matrix that `lstsq` applies): this makes it quick.
#
# The same matrix explains what happens. Write t = sine + noise. The fit of the sine without noise is off by
# the *bias*: what the model cannot express. The fit of the noise alone is the *variance*: noise of size 0.3
# comes out with the mean square 0.3² · mean_n Σ_m (Φ_new Φ⁺)²_nm. Expected squared error is bias² + variance.

# %%
noise = 0.3 * np.random.default_rng(0).standard_normal((N, REPEATS))
many = sine(x) + noise
error = np.empty((10, REPEATS))
print("order    bias   √variance   expected   measured")
for order in orders:
    basis = PolynomialBasis(int(order))
    fit = basis.forward(new) @ np.linalg.pinv(basis.forward(x))
    bias, variance = rms(fit @ sine(x) - sine(new)), 0.3**2 * np.mean(np.sum(fit**2, axis=1))
    error[order] = np.sqrt(np.mean((fit @ many - sine(new))**2, axis=0))
    print(f"{order:5d} {bias:7.3f} {np.sqrt(variance):11.3f} {np.sqrt(bias**2 + variance):10.3f} {rms(error[order]):10.3f}")
    assert abs(rms(error[order]) / np.sqrt(bias**2 + variance) - 1) < 0.1
wins = np.mean(error[3] < error[9])
best = int(np.argmin(np.mean(error**2, axis=1)))
print(f"order 3 is better than order 9 in {100 * wins:.1f} % of {REPEATS} data sets; order {best} is the best on average")
assert wins > 0.98 and best == 3
worse = np.mean(error[9] < known[9])
print(f"order 9 on Bishop's points is worse than on {100 * worse:.0f} % of them")
assert 0.85 < worse < 0.97

# %% [markdown]
# The bias falls with the order, the variance rises, and order 3 is the best compromise *for ten points*.
# (Order 4 adds nothing to order 3, nor 2 to 1: the sine is odd about x = ½, and even powers of u cannot help
# it. They cost variance all the same.) Bishop's ten points turn out to be an unlucky draw.
#
# In practice the held-out data are measurements, too, with noise of their own. The verdict is the same:

# %%
fresh = sine(new) + 0.3 * np.random.default_rng(1).standard_normal((len(new), REPEATS))
noisy = {}
for order in (3, 9):
    fit = PolynomialBasis(order).forward(new) @ np.linalg.pinv(PolynomialBasis(order).forward(x))
    noisy[order] = np.sqrt(np.mean((fit @ many - fresh)**2, axis=0))
print(f"on 100 fresh measurements order 3 is better in {100 * np.mean(noisy[3] < noisy[9]):.1f} % of {REPEATS} data sets")
assert np.mean(noisy[3] < noisy[9]) > 0.98

# %%
figure = plots.new_figure("The error on the data falls to 0. The error to the sine falls steeply until order 3; in the end "
                          "it shoots up, and with it the weights. The band holds 80 % of the errors to the sine of "
                          f"{REPEATS} data sets.", 16, 9)
grid = figure.add_gridspec(1, 2, width_ratios=[1.4, 1])
axes = plots.new_axes(figure, grid[0], "Error", "order of the polynomial", "root mean square error")
axes.fill_between(orders, *np.quantile(error, [0.1, 0.9], axis=1), color=plots.COLOURS[1], alpha=0.3, linewidth=0)
axes.plot(orders, train, "o-", markersize=9, linewidth=3, color=plots.COLOURS[0], label="on the ten points")
axes.plot(orders, held_out, "s--", markersize=9, linewidth=3, color=plots.COLOURS[2], label="to the sine")
axes.set(ylim=(-0.03, 1.35), xticks=orders)
plots.legend_above(axes)
axes = plots.new_axes(figure, grid[1], "Largest weight", "order of the polynomial", "largest |w|")
axes.semilogy(orders, size, "D-", markersize=9, linewidth=3, color=plots.COLOURS[4])
axes.set_xticks(orders)
course.show(figure, "01_overfitting")

# %% [markdown]
# ## More data cures it
#
# Order 9 is not too complex in itself. It is too complex for ten points. With more of them the noise averages
# out: the variance falls about as
#
#     √variance ≈ 0.3 √(M / N),   M = 10 weights
#
# while the bias of order 3 stays, so that in the end the larger model wins.

# %%
counts, medians = (10, 15, 30, 100, 1000), {3: [], 9: []}
print(f"    N   order 3   order 9   0.3 √(10/N)      (median held-out error of {REPEATS // 10} data sets)")
for n in counts:
    sets = [datasets.noisy_sine(n, rng=np.random.default_rng(seed)) for seed in range(REPEATS // 10)]
    for order, found in medians.items():
        fit = PolynomialBasis(order).forward(new) @ np.linalg.pinv(PolynomialBasis(order).forward(sets[0][0]))
        found.append(np.median([rms(fit @ targets - sine(new)) for _, targets in sets]))
    print(f"{n:5d} {medians[3][-1]:9.3f} {medians[9][-1]:9.3f} {0.3 * np.sqrt(10 / n):10.3f}")
assert medians[9][0] > 2 * medians[3][0] and medians[9][-1] < 0.6 * medians[3][-1]
assert abs(medians[9][-1] / (0.3 * np.sqrt(10 / 1000)) - 1) < 0.15

# %%
figure = plots.new_figure("Order 9, fitted to 10, 15 and 100 measurements: the more there are, the less of their "
                          "noise gets into the curve.", 16, 9)
grid = figure.add_gridspec(1, 3)
for place, n in zip(grid, (10, 15, 100)):
    some, targets = datasets.noisy_sine(n, rng=np.random.default_rng(3))
    axes = plots.new_axes(figure, place, f"{n} points", "input x", "target t" if n == 10 else "")
    axes.plot(line, sine(line), "--", linewidth=2, color="0.5", label="sine")
    curve = PolynomialBasis(9).forward(line) @ least_squares(PolynomialBasis(9).forward(some), targets)
    axes.plot(line, curve, "-", linewidth=3, color=plots.COLOURS[2], label="order 9")
    axes.plot(some, targets, "o", markersize=7, color=plots.COLOURS[0], alpha=0.8, label="data")
    axes.set_ylim(-2.3, 2.3)
    axes.legend(fontsize=plots.TICKS, loc="upper right")
course.show(figure, "01_more_data")

# %% [markdown]
# ## A price on large weights: ridge
#
# If ten points are all there is, one can still keep ten weights and make large ones expensive (PRML, equation
# 1.4; both sums there have a factor ½):
#
#     L(w) = ‖t - Φ w‖² + λ ‖w‖²
#
# The gradient is 2 Φᵀ(Φ w - t) + 2 λ w, and setting it to 0 gives a closed form again:
#
#     (ΦᵀΦ + λI) w = Φᵀt
#
# To keep our digits we write it as plain least squares with M more rows: Φ with √λ I below it, t with zeros
# below it.


# %%
def ridge(phi, t, lam):
    """The w (M, 1) with the smallest ‖t - Φ w‖² + λ ‖w‖²."""
    M = phi.shape[1]
    return least_squares(np.vstack([phi, np.sqrt(lam) * np.eye(M)]), np.vstack([t, np.zeros((M, 1))]))


w = ridge(phi, t, np.exp(-18))
gradient = 2 * phi.T @ (phi @ w - t) + 2 * np.exp(-18) * w
assert np.abs(gradient).max() < 1e-10
assert np.allclose(w, np.linalg.solve(phi.T @ phi + np.exp(-18) * np.eye(10), phi.T @ t), rtol=1e-5)

logs = np.arange(-38, 3)
fits = [ridge(phi, t, np.exp(log)) for log in logs]
train = [rms(phi @ w - t) for w in fits]
held_out = [rms(PolynomialBasis(9).forward(new) @ w - sine(new)) for w in fits]
best = int(np.argmin(held_out))
print("   ln λ   on the data   held out   largest weight")
for log, w in [(-np.inf, weights[9]), (-18, fits[20]), (0, fits[38])]:
    error = rms(PolynomialBasis(9).forward(new) @ w - sine(new))
    print(f"{log:7.0f} {rms(phi @ w - t):13.3f} {error:10.3f} {np.abs(w).max():16.2f}")
assert held_out[20] < held_out[0] / 5 and held_out[20] < known[3] and held_out[38] > 2 * held_out[20]
assert np.abs(fits[20]).max() < 1000 and -25 < logs[best] < -5

# %% [markdown]
# A tiny price, λ = e^-18, takes the largest weight from a million to below three hundred, and order 9 becomes
# as good as order 3. A large one, λ = 1, presses the curve flat: the model is too stiff again. So λ does what
# the order did, continuously, and like the order it is chosen by the held-out error. It also mends the
# valley: κ becomes (λ_max + λ)/(λ_min + λ), where λ_min and λ_max are the ends of the eigenvalues of ΦᵀΦ.

# %%
low, *_, high = np.linalg.eigvalsh(phi.T @ phi)
with_price = (high + np.exp(-18)) / (low + np.exp(-18))
print(f"κ {kappa:.0e} without a price, {with_price:.0e} with λ = e^-18")
assert with_price < 1e-4 * kappa

# %%
figure = plots.new_figure("From left to right the price on large weights rises. Too cheap, and order 9 learns the "
                          "noise; too dear, and it cannot bend.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "Order 9", "ln λ", "root mean square error")
axes.plot(logs, train, "-", linewidth=3, color=plots.COLOURS[0], label="on the data")
axes.plot(logs, held_out, "--", linewidth=3, color=plots.COLOURS[2], label="to the sine")
axes.plot(logs[best], held_out[best], "*", markersize=20, color=plots.COLOURS[1], markeredgecolor="black",
          label=f"best: ln λ = {logs[best]}")
plots.legend_above(axes)
axes = plots.new_axes(figure, grid[1], "Fits", "input x", "target t")
axes.plot(line, sine(line), "--", linewidth=2, color="0.5", label="sine")
for k, (log, w) in enumerate([("-∞", weights[9]), ("-18", fits[20]), ("0", fits[38])]):
    axes.plot(line, PolynomialBasis(9).forward(line) @ w, ("-.", "-", ":")[k], linewidth=3,
              color=plots.COLOURS[(3, 2, 4)[k]], label=f"ln λ = {log}")
axes.plot(x, t, "o", markersize=9, color=plots.COLOURS[0])
axes.set_ylim(-1.6, 1.6)
axes.legend(fontsize=plots.TICKS, loc="upper right")
course.show(figure, "01_ridge")

# %% [markdown]
# ## What to remember
#
# - A polynomial is curved in x and linear in w. So the best w is the solution of linear equations.
# - Gradient descent ends at the same w. Each step shrinks the distance by (κ - 1)/(κ + 1), where κ is the
#   condition number of the Hessian: a matter of the columns of Φ, not of the data's targets. Scale the
#   inputs.
# - The slides' "mean squared error" is a sum. The minimum is the same, the right learning rate is N times
#   smaller.
# - A small error on the data says nothing about new points. With ten weights for ten points it is 0, and in
#   99 of 100 data sets order 3 is nearer to the truth.
# - Expected error is bias² plus variance. More data lowers the variance, a price on large weights trades one
#   for the other.
#
# ## Try it
#
# - Set the learning rate in `descend` a little above 2 / λ_max. What happens, along which direction, and why
#   does it alternate?
# - Take σ = 0 in the data (no noise) and compare orders 3 and 9 again. Which of bias and variance is left?
# - Measure at ten *random* places in [0, 1] instead of ten even ones. What does that do to order 9, and to κ?
# - Use powers of u instead of x in the ridge fit. The polynomials are the same; is the fit? Why did scaling
#   not matter without the price?
# - `python -m numpyae exercise 1` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
