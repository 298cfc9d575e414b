# %% [markdown]
# # 5. Checking gradients: a wrong gradient is found by a second opinion
#
# A gradient written by hand can be wrong and still train. So it is compared with a second one that needs no
# derivation: change a weight a little, see how much the loss changes, divide. This lecture shows how exact such a
# numerical gradient is and why, how to judge the difference of the two without a tolerance picked by hand, and at
# which points a check sees nothing. Then we break backward on purpose and let `gradcheck.check` say what is wrong. The
# last two sections hold mistakes that no gradient check can see, and mistakes of well-known libraries, written anew.
#
# w are the parameters, f(w) or L(w) is the loss, h is a small step. `delta` is ∂L/∂(output of a layer), which backward
# receives. N is the number of samples, one in each row of x.
#
# Takes about 4 s; with `--full` about 20 s: it then checks every layer, loss and model of the library at ten random
# points, and goes through the 38 mistakes of the library's collection.

# %%
import numpy as np

from numpyae import (Autoencoder, Dense, Dropout, Regression, ReLU, Sequential, SquaredError, Tanh, TiedDense, course,
                     datasets, gradcheck, mlp, plots)
from numpyae.gradcheck import cases, common_bugs

FULL = course.full()

# %% [markdown]
# ## Why a gradient is checked at all
#
# Most mistakes do not crash. Here is a network whose Tanh has forgotten its derivative on the way back. It learns all
# the same, and only beside the right one do we see what the mistake costs.


# %%
class ForgottenDerivative(Tanh):
    def backward(self, delta):
        return delta                                     # wrong: times 1 - h²


x, t = datasets.noisy_sine(50, rng=np.random.default_rng(0))
end = {}
for phi in (Tanh, ForgottenDerivative):
    model = Regression(mlp([1, 8, 1], hidden=phi, rng=np.random.default_rng(1)), SquaredError())
    start = model.loss(x, t)
    for step in range(2000):
        model.loss(x, t)
        model.w -= 0.1 * model.backward()
    end[phi] = model.loss(x, t)
    print(f"{phi.__name__:20} loss at the start {start:.3f}, after 2000 steps {end[phi]:.3f}")
assert end[ForgottenDerivative] < 0.6 * start            # it learns,
assert end[ForgottenDerivative] > 3 * end[Tanh]          # and badly

# %% [markdown]
# A check compares backward with forward, and nothing else. "It's easy to correctly compute the gradient of the wrong
# function", T. Vieira warns (How to test gradient implementations, 2017). We shall come back to that.
#
# ## Finite differences
#
# The derivative is defined as a limit, and a computer can stop a little before it:
#
#     forward    (f(w + h) - f(w)) / h          central    (f(w + h) - f(w - h)) / 2h
#
# Taylor's series tells what is left. With f(w ± h) = f ± h f' + ½ h² f'' ± ⅙ h³ f''' + …
#
#     forward    f' + ½ h f'' + …               central    f' + ⅙ h² f''' + …
#
# In the central difference the terms with f'' cancel, so for one more evaluation of f its error falls as h², not as h.
# For a vector w each element i gets its own pair of steps.


# %%
def forward(f, w, i, h):
    e = h * (np.arange(w.size) == i).astype(w.dtype)     # h in place i, else 0
    return (f(w + e) - f(w)) / h


def central(f, w, i, h):
    e = h * (np.arange(w.size) == i).astype(w.dtype)
    return (f(w + e) - f(w - e)) / ((w + e)[i] - (w - e)[i])       # 2h, as it came out of rounding


# %% [markdown]
# The checker is code too, so it is tested first, on a function whose gradient is known from paper. Stanford's CS294A
# takes f = x₁² + 3 x₁x₂ at (4, 10), with the gradient (2x₁ + 3x₂, 3x₁) = (38, 12).


# %%
def quadratic(w):
    return w[0]**2 + 3 * w[0] * w[1]


point = np.array([4.0, 10.0])
for difference in (forward, central):
    found = np.array([difference(quadratic, point, i, 1e-4) for i in range(2)])
    print(f"{difference.__name__:8} {found[0]:.9f} {found[1]:.9f}, error {np.abs(found - [38, 12]).max():.1e}")
assert np.allclose(found, [38, 12], rtol=1e-9, atol=0)
assert np.allclose(gradcheck.numerical_gradient(quadratic, point), [38, 12], rtol=1e-9, atol=0)

# %% [markdown]
# ## The error against the step: a U
#
# So take h as small as possible? No. f(w + h) and f(w - h) are two nearly equal numbers with 16 digits each, and their
# difference has lost most of them. What is left of rounding is about eps |f| / h, with eps = 2e-16 in float64 and 1e-7
# in float32. Together
#
#     error ≈ ⅙ h² |f'''| + eps |f| / h        smallest near h = eps^(1/3): 6e-6 in float64, 5e-3 in float32
#
# Two more ways are drawn beside these. **Richardson** takes A with the step h and B with h/2. The error of B is a
# quarter of that of A, so R = (4B - A) / 3 cancels the term h², and the next one is h⁴. The **complex step** goes
# sideways: f(w + ih) = f + ih f' - ½ h² f'' - …, so Im f(w + ih) / h is f' up to h². Nothing is subtracted, so nothing
# is lost to rounding, and h can be 1e-30.
#
# We measure all that on a network, 5-7-3 with tanh and squared error, written so that it takes float32 and complex
# weights. The truth is what backward says, and the complex step must confirm it first.


# %%
def richardson(f, w, i, h):
    A, B = central(f, w, i, h), central(f, w, i, h / 2)
    return (4 * B - A) / 3


def complex_step(f, w, i, h):
    return np.imag(f(w + 1j * h * (np.arange(w.size) == i))) / h


def loss_at(w):
    kind = w.real.dtype
    W1, b1, W2, b2 = np.split(w, np.cumsum([D * H, H, H * M]))
    h1 = np.tanh(x.astype(kind) @ W1.reshape(D, H) + b1)
    o = h1 @ W2.reshape(H, M) + b2
    return np.sum((o - t.astype(kind))**2) / N


# %%
N, D, H, M = 11, 5, 7, 3                                 # rows, inputs, hidden units, outputs
rng = np.random.default_rng(0)
x, t = rng.normal(size=(N, D)), rng.normal(size=(N, M))
model = Regression(mlp([D, H, M], rng=rng), SquaredError())
model.w += 0.3 * rng.normal(size=model.w.size)           # no bias is 0
w = model.w.copy()
assert abs(model.loss(x, t) - loss_at(w)) < 1e-14
g = model.backward().copy()
worst = max(abs(complex_step(loss_at, w, i, 1e-30) - g[i]) for i in range(w.size))
print(f"backward and the complex step with h = 1e-30 differ by {worst:.1e}, for gradients up to {np.abs(g).max():.2f}")
assert worst < 1e-14

# %% [markdown]
# Now the median of the relative error over all 66 weights and biases, for steps from 1e-13 to 1.

# %%
steps = 10.0 ** np.arange(-13, 0.01, 0.25)


def curve(difference, steps, dtype=np.float64):
    found = [[difference(loss_at, w.astype(dtype), i, dtype(h)) for i in range(w.size)] for h in steps]
    return np.median(np.abs(found / g - 1), axis=1)


def slope(errors, low, high, steps=steps):
    part = (steps > 0.99 * low) & (steps < 1.01 * high)
    return np.polyfit(np.log(steps[part]), np.log(errors[part]), 1)[0]


curves = {difference: curve(difference, steps) for difference in (forward, central, richardson, complex_step)}
coarse = steps[steps > 1e-6]
single = curve(central, coarse, np.float32)
for difference, errors in curves.items():
    print(f"{difference.__name__:16} best {errors.min():.1e} at h = {steps[errors.argmin()]:.1e}")
print(f"central, float32 best {single.min():.1e} at h = {coarse[single.argmin()]:.1e}")
branches = {"forward": slope(curves[forward], 1e-6, 1e-2), "central": slope(curves[central], 1e-3, 1e-1),
            "richardson": slope(curves[richardson], 1e-2, 0.2), "rounding": slope(curves[central], 1e-12, 1e-7)}
print("error ~ h to the power", {name: round(float(power), 2) for name, power in branches.items()})
assert np.allclose(list(branches.values()), [1, 2, 4, -1], rtol=0, atol=0.1)
assert 0.1 < steps[curves[central].argmin()] / np.finfo(np.float64).eps**(1 / 3) < 10
assert 0.1 < coarse[single.argmin()] / np.finfo(np.float32).eps**(1 / 3) < 10
assert curves[forward].min() > 1e-9 > curves[central].min() > 1e-11 > curves[richardson].min()
assert 1e-6 < single.min() < 1e-3 and curves[complex_step][steps < 1e-9].max() < 1e-14

# %%
figure = plots.new_figure("Left of the best step: rounding. Right of it: a series cut short. Only the complex step has no "
                          "left branch.", 16, 9)
grid = figure.add_gridspec(1, 2)
for place, title in zip(grid, ("float64", "central differences")):
    axes = plots.new_axes(figure, place, title, "step h", f"relative error, median of {w.size} parameters")
    axes.set(xscale="log", yscale="log", ylim=(3e-17, 3))
    axes.grid(color="0.9")
for (difference, errors), style, colour in zip(curves.items(), ("s-", "o-", "^-", "x-"), (8, 0, 1, 4)):
    name = difference.__name__.replace("_", " ")
    figure.axes[0].plot(steps, errors, style, markersize=8, color=plots.COLOURS[colour], label=name)
axes.plot(steps, curves[central], "o-", color=plots.COLOURS[0], label="float64")
axes.plot(coarse, single, "v-", color=plots.COLOURS[2], label="float32")
axes.plot(steps[30:], curves[central][44] * (steps[30:] / steps[44])**2, "--", linewidth=2, color="0.3", label="~ h²")
axes.plot(steps[:34], np.finfo(float).eps / steps[:34], ":", linewidth=3, color="0.3", label="eps / h")
for axes in figure.axes:
    plots.legend_below_title(axes)
course.show(figure, "05_u_curve")

# %% [markdown]
# Forward differences reach seven digits, central ones ten, Richardson twelve, and central ones in float32 four. This
# is why gradients are checked in float64 even when a model trains in float32.
#
# If the complex step is so much better, why not use it for everything? Because f must be analytic, in every line. abs,
# max, comparisons and casts to float are not, and some fail silently. In f(w) = Σ w² + Σ |w| the modulus |w + ih| is a
# real number: the slope of Σ |w| is lost without a word.


# %%
def with_abs(w):
    return np.sum(w**2) + np.sum(np.abs(w))


v = np.array([0.5, -2.0, 1.5])
sideways = gradcheck.numerical_gradient(with_abs, v, method="complex")
along = gradcheck.numerical_gradient(with_abs, v)
print("complex step", sideways, "central", along.round(6))
assert np.allclose(sideways, 2 * v) and np.allclose(along, 2 * v + np.sign(v))             # the second is right

# %% [markdown]
# ## Error bars instead of tolerances
#
# How much may yours and numerical differ? The notes of Stanford's CS231n take |yours - numerical| divided by the
# larger of |yours| and |numerical|: above 1e-2 something is probably wrong, and 1e-7 is good. CS294A's exercise takes
# ‖yours - numerical‖ / ‖yours + numerical‖ with h = 1e-4, and expects less than 1e-9. `np.allclose` with rtol = 1e-3
# and atol = 1e-5 is common in tests. Such numbers mislead both ways.
#
# We take the same network on data whose columns have unlike units, so that some gradients are tiny. Its backward is
# right.

# %%
x = x * [1, 0.001, 100, 10, 0.1]
model.w = w
model.loss(x, t)
g = model.backward().copy()
numerical = np.array([central(loss_at, w, i, 6e-6) for i in range(w.size)])
relative = np.abs(g - numerical) / np.maximum(np.abs(g), np.abs(numerical))
flipped = np.where(np.abs(g) < 1e-6, -g, g)
coarser = np.array([central(loss_at, w, i, 1e-4) for i in range(w.size)])
norms = np.linalg.norm(g - coarser) / np.linalg.norm(g + coarser)
close = np.allclose(flipped, numerical, rtol=1e-3, atol=1e-5)
print(f"right: {np.sum(relative > 1e-7)} of {w.size} relative errors are above 1e-7, CS294A's ratio is {norms:.0e}")
print(f"with the sign flipped of {np.sum(flipped != g)} elements below 1e-6: allclose says {close}")
assert np.sum(relative > 1e-7) >= 3 and norms > 1e-9 and gradcheck.check(model, x, t).ok
assert np.any(flipped != g) and close

# %% [markdown]
# A right gradient is not "good" by the first rule and fails the second, and one with wrong signs passes the test with
# atol. The way out: let each
# numerical gradient come with an estimate of *its own* error. Halve the step and see how much changes, |R - B|.
# Measure how rough f is, at steps so small that it must be a straight line. Add the two. `gradcheck` says *disagree*
# only where the difference exceeds eight such bars, and *cannot tell* where the bar itself is a tenth of the gradient.

# %%
report = gradcheck.check_function(loss_at, lambda w: flipped, w)
values = report.rows[0]["values"]
print("element          yours      numerical    ± error    difference in bars")
for i in np.argsort(np.abs(g))[[0, 1, 2, 33, 65]]:
    bars = abs(values["yours"][i] - values["numerical"][i]) / values["error"][i]
    print(f"{i:7} {values['yours'][i]:14.6e} {values['numerical'][i]:14.6e} {values['error'][i]:10.1e} {bars:21.2g}")
print(report.sentence())
assert np.array_equal(values["verdict"] == 1, flipped != g)                    # 1 is disagree
assert np.all(np.abs(g - values["numerical"]) <= 8 * values["error"])          # the right gradient: all within the bars

# %% [markdown]
# ## The Taylor test: a slope instead of a number
#
# Another test without any tolerance. Walk from w in a random direction v, and take away what the gradient promises:
#
#     |f(w + hv) - f(w)|             falls as h
#     |f(w + hv) - f(w) - h g·v|     falls as h² when g is the gradient, as h when it is not
#
# One direction tests all elements at once. In large networks one needs several, since a single wrong element among a
# million hardly changes g·v.

# %%
x, t = rng.normal(size=(N, D)), rng.normal(size=(N, M))
model.loss(x, t)
g = model.backward().copy()
wrong = g.copy()
wrong[np.abs(g).argmax()] *= 1.1                         # one element of 66, ten per cent too large
v = rng.normal(size=w.size)
taylor_steps = 10.0 ** np.arange(-6, -0.9, 0.25)
changes = np.array([loss_at(w + h * v) - loss_at(w) for h in taylor_steps])
rests = {"g = 0": np.abs(changes), "right gradient": np.abs(changes - taylor_steps * (g @ v)),
         "wrong gradient": np.abs(changes - taylor_steps * (wrong @ v))}
slopes = {name: slope(rest, 1e-5, 1e-3, taylor_steps) for name, rest in rests.items()}
print({name: round(float(value), 3) for name, value in slopes.items()})
assert np.allclose(list(slopes.values()), [1, 2, 1], rtol=0, atol=0.1)

# %%
figure = plots.new_figure("What a right gradient leaves over falls with slope 2. One element of 66 that is ten per cent "
                          "off makes it 1.", 10.5, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Taylor test", "step h along v", "|f(w + hv) - f(w) - h g·v|")
for (name, rest), style, colour in zip(rests.items(), ("o:", "D-", "X--"), (8, 0, 2)):
    axes.loglog(taylor_steps, rest, style, markersize=9, linewidth=2, color=plots.COLOURS[colour],
                label=f"{name}: slope {slopes[name]:.1f}")
axes.grid(color="0.9")
axes.legend(fontsize=plots.TEXT, loc="upper left")
course.show(figure, "05_taylor")

# %% [markdown]
# ## Kinks
#
# ReLU, max(a, 0), has a kink at 0. A step across it returns a mixture of both slopes, which is the derivative nowhere.
# And *at* 0 there is no derivative at all: every slope between 0 and 1 is as good as another.


# %%
def relu(w):
    return np.sum(np.maximum(w, 0))


beside = [central(relu, np.array([1e-6]), 0, h) for h in (1e-4, 1e-5, 1e-7)]
print("slope of max(w, 0) at w = 1e-6, with h = 1e-4, 1e-5, 1e-7:", np.round(beside, 3))
assert np.allclose(beside, [0.505, 0.55, 1])

# %% [markdown]
# A smaller step helps, unless the point sits on the kink itself. The library's layers know on which side each unit
# was, so where there is a doubt `check` takes only steps in which none changes its side. On a kink it accepts any
# slope between the one to the left and the one to the right, and says so. For foreign code it compares the slopes to
# both sides.

# %%
a = np.array([[-1.3, 0.4, 0.0], [2.0, 1e-6, 0.3], [-0.2, 1.1, -0.7], [0.9, -1.0, 2.0], [0.5, 0.6, -2.0]])
report = gradcheck.check(ReLU(), a)
print(report.sentence())
assert report.ok and report.rows[0]["kinks"] == 1        # a[0, 2] is on it, a[1, 1] is only near
report = gradcheck.check_function(relu, lambda w: np.where(w == 0, 1.1, w > 0), np.array([-1.0, 0.0, 2.0]))
print(report.sentence())
assert "the slopes to the left and to the right are 0 and 1" in report.sentence()

# %% [markdown]
# ## Where and how to check
#
# **A random delta.** A layer has many outputs, and f must be one number. Many checkers add the outputs up, so that
# delta is all ones; those of DeZero and minitorch do. But the outputs of a softmax add up to 1 whatever comes in, so
# the gradient of their sum is 0, and a softmax with `return 0` passes. With f = Σ u p and a random u it does not.


# %%
def softmax_forward(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def softmax_nothing(dout, p):
    return 0 * dout                                      # wrong: p (dout - Σ p dout)


numerical = gradcheck.numerical_gradient(lambda x: np.sum(softmax_forward(x)[0]), x)
assert np.abs(numerical - softmax_nothing(np.ones((N, D)), softmax_forward(x)[1])).max() < 1e-9      # it passes
report = gradcheck.check_layer(softmax_forward, softmax_nothing, x)
print(report.sentence())
assert report.findings[0]["cause"] == "zero"

# %% [markdown]
# **Frozen noise.** Dropout draws a mask in each forward pass. f(w + h) and f(w - h) with two masks have little to do
# with each other, and dividing by 2h makes the difference huge. So noise is drawn once and replayed. `check` does that
# for the library's models; of foreign code it can only say that f gives two values at one point.

# %%
noisy = Regression(Sequential(Dense(D, H, rng=rng), Tanh(), Dropout(0.4), Dense(H, M, rng=rng)), SquaredError())


def noisy_loss(w, noise=None):
    noisy.w = w
    return noisy.loss(x, t, rng=rng, noise=noise)


start = noisy.w.copy()
fresh = central(noisy_loss, start, 0, 1e-5)
mask = noisy.noise
frozen = central(lambda w: noisy_loss(w, mask), start, 0, 1e-5)
noisy_loss(start, mask)
yours = noisy.backward()[0]
print(f"first weight: backward {yours:.4f}, numerical with the mask frozen {frozen:.4f}, drawn anew {fresh:.0f}")
assert abs(frozen - yours) < 1e-7 and abs(fresh) > 1000 and gradcheck.check(noisy, x, t).ok
try:
    gradcheck.check_function(noisy_loss, lambda w: w, start)
    raise AssertionError("it should have refused")
except ValueError as error:
    print(error)

# %% [markdown]
# **A point that hides nothing.** Biases start at 0, and there one does not see that they are decayed although only
# weights should be. With one sample a mean is a sum. And where 7 is both the batch size and a width, a factor 7 has
# two names. So take biases that are not 0, and small sizes that are different primes. The report warns of such points.

# %%
decayed = common_bugs.Regression36(mlp([D, H, M], rng=np.random.default_rng(1)), SquaredError())      # its biases too
mean_bias = common_bugs.Dense8(D, H, rng=rng)                                    # db is a mean, dW a sum
mean_bias.b = rng.normal(size=H)
reports = {"decayed biases, b = 0": gradcheck.check(decayed, x, t)}
decayed.w += 0.3 * rng.normal(size=decayed.w.size)
reports["decayed biases, b not 0"] = gradcheck.check(decayed, x, t)
for rows in (1, H, N):
    reports[f"a mean for a sum, {rows} rows"] = gradcheck.check(mean_bias, x[:rows])
for name, report in reports.items():
    print(f"{name:26} {report.verdict:9} {report.warnings[0] if report.warnings else ''}")
assert [report.ok for report in reports.values()] == [True, False, True, False, False]
assert [len(report.warnings) for report in reports.values()] == [1, 0, 1, 1, 0]

# %% [markdown]
# ## Break it on purpose
#
# The best way to trust a check is to watch it fail. Below are seven of the mistakes that people make most often, one
# wrong line each. Cover the comments and find them.


# %%
class WrongSign(SquaredError):
    def backward(self, weight):
        return -2 * self.r * weight[:, None]             # wrong: t - o


class DerivativeAtOutput(Tanh):
    def backward(self, delta):
        return delta * (1 - np.tanh(self.h)**2)          # wrong: self.h is tanh(a) already


class MeanForSum(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.mean(delta, axis=0)                # wrong: the sum
        return delta @ self.W.T


# %%
class NotTransposed(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.sum(delta, axis=0)
        return delta @ self.W                            # wrong: Wᵀ; a square W fits both ways


class Assigns(Dense):
    def backward(self, delta):
        self.dW = self.x.T @ delta                       # wrong: +=, a tied decoder has added its part already
        self.db += np.sum(delta, axis=0)
        return delta @ self.W.T


class Updates(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.W -= 0.1 * self.dW                          # wrong: delta must go back through the old W
        self.db += np.sum(delta, axis=0)
        return delta @ self.W.T


# %% [markdown]
# Each goes into a network that is otherwise right, and `check` gets the whole network. It must name the layer
# (`network.2` is the third), the cause, and say it in a sentence.


# %%
def network(*layers, criterion=SquaredError):
    model = Regression(Sequential(*layers), criterion())
    model.w = 0.6 * np.random.default_rng(3).normal(size=model.w.size)
    return model, x, t


tied = Assigns(D, H, rng=rng)
autoencoder = Autoencoder(Sequential(tied, Tanh()), TiedDense(tied), SquaredError())
broken = [(network(Dense(D, H), Tanh(), Dense(H, M), criterion=WrongSign), "sign", "criterion", "has the wrong sign"),
          (network(Dense(D, H), Tanh(), MeanForSum(H, M)), "factor", "network.2", "11 is the batch size"),
          (network(Dense(D, H), ForgottenDerivative(), Dense(H, M)), "elementwise", "network.1", "lacks the factor φ'(a)"),
          (network(Dense(D, H), DerivativeAtOutput(), Dense(H, M)), "elementwise", "network.1", "is delta φ'(φ(a))"),
          (network(Dense(D, H), Tanh(), NotTransposed(H, H), Tanh(), Dense(H, M)), "operand", "network.2", "Wᵀ belongs"),
          (network(Dense(D, H), Tanh(), Updates(H, M)), "updates", "network.2", "changed the parameter W"),
          ((autoencoder, x), "overwrites", "encoder.0", "must add to dW")]
for target, cause, place, words in broken:
    report = gradcheck.check(*target)
    found = report.findings[0]
    print(report.sentence())
    assert (found["cause"], found["place"]) == (cause, place) and words in report.sentence()

# %% [markdown]
# How can it know? A wrong gradient is rarely a random one: it is the right one times something that lies about, or
# with something left out. The check has the right one from the finite differences, and all arrays that the layers have
# kept. It tries what would explain the difference to within the error bars, and where nothing does it says
# *unexplained*.
#
# A layer in front of a broken one receives a wrong delta, so it looks wrong too: below, W and b of the first layer.
# That is why the place is sought before the cause.

# %%
report = gradcheck.check(*broken[2][0])
print(report)
assert [row["verdict"] for row in report.rows] == ["disagree", "disagree", "agree", "agree"]
course.show(plots.gradient_check(report), "05_gradient_check")

# %% [markdown]
# ## What no gradient check can see
#
# When forward itself is wrong, and backward its derivative, a check is content: the gradient of the wrong function is
# right. Here are four mistakes of that kind, each with the test that does see it.
#
# **Softmax twice**, once in the network and once in the loss. A golden number sees it: where the logits of three
# classes are sure and right, the loss must be almost 0. But the inner softmax hands on numbers between 0 and 1, so the
# outer one is never surer than e / (e + 2).


# %%
def cross_entropy_twice(o):
    q = softmax_forward(softmax_forward(o)[0])[0]        # wrong: one of them
    return -np.sum(T * np.log(q)) / len(o)


def cross_entropy_twice_gradient(o):
    p = softmax_forward(o)[0]
    dp = (softmax_forward(p)[0] - T) / len(o)
    return p * (dp - np.sum(p * dp, axis=1, keepdims=True))


T = np.eye(M)[np.arange(N) % M]                          # classes, one-hot
assert gradcheck.check_function(cross_entropy_twice, cross_entropy_twice_gradient, t).ok
print(f"sure and right: loss {cross_entropy_twice(30 * T):.3f}, which is log(1 + 2/e), where 0 is right")
assert abs(cross_entropy_twice(30 * T) - np.log(1 + 2 / np.e)) < 1e-6

# %% [markdown]
# **σ = exp(logvar)** in the sampler z = μ + σ ε of a variational autoencoder, where logvar = log σ², so σ =
# exp(½ logvar) is meant. The VAEs of numpy-ml and DeZero draw in this way, while their KL reads exp(logvar) as σ². The
# moments of many draws see it: variance 0.06 where 0.25 was meant.


# %%
def draw_forward(x, epsilon=rng.normal(size=(N, 2))):
    mu, logvar = x[:, :2], x[:, 2:]
    return mu + np.exp(logvar) * epsilon, (logvar, epsilon)               # wrong: ½ logvar


def draw_backward(dz, cache):
    logvar, epsilon = cache
    return np.concatenate([dz, dz * np.exp(logvar) * epsilon], axis=1)


assert gradcheck.check_layer(draw_forward, draw_backward, rng.normal(size=(N, 4))).ok
z, _ = draw_forward(np.tile([0, 0, np.log(0.25), np.log(0.25)], (100000, 1)), rng.normal(size=(100000, 2)))
print(f"variance of 200 000 draws: {z.var():.4f}, meant was 0.25")
assert abs(z.var() - 0.0625) < 0.002

# %% [markdown]
# **logvar read as log σ** in the KL of q = N(μ, σ²) from p = N(0, 1). The closed form must agree with the definition,
# the mean of log q(z) - log p(z) over many z drawn from q. (FluxML/model-zoo mended its KL twice, pull requests 76 and
# 147: (log σ)² stood for 2 log σ, then the sign was wrong.)


# %%
def kl(w):
    mu, log_sigma = w                                    # wrong: the second is logvar, 2 log σ
    return 0.5 * (mu**2 + np.exp(2 * log_sigma) - 2 * log_sigma - 1)


assert gradcheck.check_function(kl, lambda w: np.array([w[0], np.exp(2 * w[1]) - 1]), np.array([0.7, -1.2])).ok
mu, logvar, epsilon = 0.7, -1.2, rng.normal(size=100000)
z = mu + np.exp(0.5 * logvar) * epsilon
ratio = (-0.5 * epsilon**2 - 0.5 * logvar) - (-0.5 * z**2)                   # log q - log p; log 2π cancels
error = ratio.std() / np.sqrt(ratio.size)
right = 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)
print(f"KL by Monte Carlo {ratio.mean():.3f} ± {error:.3f}, closed form {right:.3f}, wrong {kl((mu, logvar)):.3f}")
assert abs(ratio.mean() - right) < 4 * error and abs(ratio.mean() - kl((mu, logvar))) > 50 * error

# %% [markdown]
# **(N,) against (N, 1).** Outputs (N, 1) minus targets (N,) broadcast to (N, N): each output is compared with every
# target, and the best it can learn is their mean. A golden number: outputs that equal their targets have loss 0. (Met
# in FluxML/MLJFlux, issue 152.)


# %%
def broadcast_loss(o):
    return np.mean((o - targets)**2)                     # wrong: (N, 1) - (N,) is (N, N)


def broadcast_gradient(o):
    return 2 * np.mean(o - targets, axis=1, keepdims=True) / N


targets = rng.normal(size=N)
assert gradcheck.check_function(broadcast_loss, broadcast_gradient, rng.normal(size=(N, 1))).ok
print(f"perfect outputs: loss {broadcast_loss(targets[:, None]):.3f}")
assert abs(broadcast_loss(targets[:, None]) - 2 * targets.var()) < 1e-12

# %% [markdown]
# So test the function too: a golden number, moments, a closed form, a Monte Carlo mean. And refuse what can be
# refused: in this library a Softmax before a loss on logits and targets of another shape than the outputs are errors.
#
# ## The wall
#
# Mistakes found in libraries that many people learn from. Nothing is copied: each cell re-creates one of them in a few
# lines of our own, in the version that was read, and asserts what would have caught it. All were written and read by
# people who know the mathematics. What was missing was a test. Two hang above already: the checkers with a delta of
# ones (DeZero, minitorch) and the sampler (numpy-ml, DeZero).
#
# **scikit-learn, MLPRegressor** (issue 8349, from 2017). The loss is a mean over the outputs, the gradient is that of
# a sum. With one output nobody sees it. *Caught by a check with several outputs.*


# %%
def mean_over_outputs(w):
    return 0.5 * np.mean((x @ w - t)**2)


def gradient_of_sum(w):
    return x.T @ (x @ w - t) / N                         # wrong: / M


w = rng.normal(size=(D, M))
report = gradcheck.check_function(mean_over_outputs, gradient_of_sum, w)
print(report.sentence())
assert "dw is 3 times too large, and 3 is w.shape[1]" in report.sentence()

# %% [markdown]
# **trekhleb/homemade-machine-learning, multilayer perceptron.** The loss has the weight decay λ/2N Σ w², with the
# gradient λ/N w. What is added instead is λ/N times the gradient of the *error*: the step gets a little longer, and no
# weight decays. *Caught by checking each term alone*, which also says in which of them it sits.


# %%
def decay_loss(w, error=1.0, lam=0.3):
    return error * 0.5 * np.sum((x @ w - t)**2) / N + 0.5 * lam / N * np.sum(w**2)


def decay_gradient(w, error=1.0, lam=0.3):
    gradient = x.T @ (x @ w - t) / N
    return error * gradient + lam / N * gradient         # wrong: λ/N w


verdicts = [gradcheck.check_function(lambda w: decay_loss(w, error, lam), lambda w: decay_gradient(w, error, lam), w).verdict
            for error, lam in ((1, 0.3), (1, 0), (0, 0.3))]
print("the whole, the error alone, the decay alone:", *verdicts)
assert verdicts == ["disagree", "agree", "disagree"]

# %% [markdown]
# **eriklindernoren/ML-From-Scratch, softmax** (issue 71). Only the diagonal of the Jacobian, p (1 - p). Behind the
# derivative of the binary cross-entropy, -t/p + (1 - t)/(1 - p), it gives p - t, the right gradient of another loss,
# the categorical one: right by luck behind this one loss. *Caught by checking each layer alone.*


# %%
def softmax_diagonal(dout, p):
    return dout * p * (1 - p)                            # wrong: p (dout - Σ p dout)


report = gradcheck.check_layer(softmax_forward, softmax_diagonal, x)
print(report.sentence())
p = softmax_forward(t)[0]
assert not report.ok and np.allclose(softmax_diagonal(-T / p + (1 - T) / (1 - p), p), p - T)

# %% [markdown]
# **facundoq/edunn, the checker itself.** From w + h it means to go back by 2h, but starts at w: it ends at w - 2h, 3h
# away, and divides by 2h. The numerical gradient is 1.5 times too large and right code is called wrong; since that is
# only printed, no test fails. *Caught by testing the checker on a known gradient.*


# %%
def three_steps(f, w, i, h):
    e = h * (np.arange(w.size) == i)
    return (f(w + e) - f(w - 2 * e)) / (2 * h)           # wrong: 3h apart


found = [three_steps(quadratic, point, i, 1e-5) for i in range(2)]
print(f"at (4, 10): {found[0]:.3f}, {found[1]:.3f} for 38, 12")
assert np.allclose(found, [1.5 * 38, 1.5 * 12], rtol=1e-4)

# %% [markdown]
# **A NumPy book's ReLU.** backward writes zeros into the array that it was given. What it returns is right, but where
# the same delta also goes down a second branch it is another one by then. *Caught by comparing delta before and
# after.*


# %%
class GreedyReLU(ReLU):
    def backward(self, delta):
        delta[self.h <= 0] = 0                           # wrong: this array belongs to the caller
        return delta


report = gradcheck.check(*network(Dense(D, H), GreedyReLU(), Dense(H, M)))
print(report.sentence())
assert "GreedyReLU 1 of the network: backward changed its delta in place" in report.sentence()
assert all(row["verdict"] == "agree" for row in report.rows)                   # no number is wrong, yet

# %% [markdown]
# **y0ast/Variational-Autoencoder, Gaussian decoder in NumPy** (2014). The hidden units feed the mean and log σ², and
# on the way back only the mean's path arrives at them. *Caught by any check at all.*


# %%
def decoder_forward(x, V, U):
    return np.concatenate([x @ V, x @ U], axis=1), (x, V, U)                   # μ and log σ²


def decoder_backward(dout, cache):
    x, V, U = cache
    dmu, dlogvar = np.split(dout, 2, axis=1)
    return dmu @ V.T, x.T @ dmu, x.T @ dlogvar           # wrong: dx = dmu Vᵀ + dlogvar Uᵀ


V, U = rng.normal(size=(2, D, M))
report = gradcheck.check_layer(decoder_forward, decoder_backward, x, {"V": V, "U": U})
print({row["array"]: row["verdict"] for row in report.rows})
assert [row["verdict"] for row in report.rows] == ["disagree", "agree", "agree"]

# %% [markdown]
# **lisa-lab/DeepLearningTutorials, contractive autoencoder** (issue 164, 2016). The penalty Σ_n ‖J_n‖² / N, with the
# Jacobian J of the code, was divided with `//`. A floor is flat, so automatic differentiation makes its gradient 0: a
# plain autoencoder is trained. Finite differences are 0 as well, so the check *agrees*, and warns. *Caught by checking
# the penalty alone and heeding the warning*, or by training twice: with a larger penalty the Jacobian must get
# smaller.


# %%
def contraction(w, divide=np.floor_divide):              # wrong: np.divide
    h = 1 / (1 + np.exp(-x @ w))
    J = (h * (1 - h))[:, None, :] * w                    # (N, D, H): ∂h_k / ∂x_d
    return divide(np.sum(J**2), N)


w = rng.normal(size=(D, H))
report = gradcheck.check_function(contraction, lambda w: 0 * w, w)
meant = gradcheck.check_function(lambda w: contraction(w, np.divide), lambda w: 0 * w, w)
print(f"penalty {contraction(w):.0f}, which was {contraction(w, np.divide):.3f}; {report.verdict}, {report.warnings[0]}")
assert report.ok and "is 0 everywhere" in report.warnings[0] and meant.findings[0]["cause"] == "zero"

# %% [markdown]
# **AntixK/PyTorch-VAE, importance weighted autoencoder** (by reading; in another version of the file it is right).
# log p(x) is bounded by log 1/K Σ_k w_k with w_k = p(x, z_k) / q(z_k), and in the gradient of that, draw k has the
# weight w_k / Σ w. There the *losses*, -log w_k, went into the softmax that makes these weights, so the worst draw
# counts most. *Caught by what is known of the bound: it is the ELBO for K = 1, rises with K, and stays below
# log p(x).* For z ~ N(0, 1) and x given z ~ N(z, 1), p(x) = N(0, 2) is known.

# %%
code = 0.8 + 0.9 * rng.normal(size=(4000, 50))           # q = N(0.8, 0.9²) for the observation x = 1
log_joint = -0.5 * (code**2 + (1 - code)**2) - np.log(2 * np.pi)
log_w = log_joint + 0.5 * ((code - 0.8) / 0.9)**2 + np.log(0.9) + 0.5 * np.log(2 * np.pi)
bounds, others = [], []
for K in (1, 5, 50):
    bounds.append(np.mean(np.log(np.mean(np.exp(log_w[:, :K]), axis=1))))
    weight = np.exp(-log_w[:, :K])                       # wrong: no minus
    others.append(np.mean(np.sum(weight * log_w[:, :K], axis=1) / np.sum(weight, axis=1)))
log_p = -0.25 - 0.5 * np.log(4 * np.pi)
print(f"K = 1, 5, 50: bound {np.round(bounds, 3)}, wrong weights {np.round(others, 3)}, log p(x) {log_p:.3f}")
assert bounds[0] < bounds[1] < bounds[2] < log_p < bounds[2] + 0.02
assert others[0] > others[1] > others[2]                 # below the ELBO, and falling

# %% [markdown]
# **hwalsuklee/tensorflow-mnist-VAE, salt and pepper.** The pixels are multiplied by 0 or 1, then 0 or 1 is added:
# white can become 2. No gradient is involved. *Caught by a property: noise that makes pixels black or white leaves
# them in [0, 1].* And its option `--PRR False` is true, since `type=bool` means `bool("False")`. *Caught by calling
# it.*

# %%
pixels = rng.random((100, 50)).round()                   # black and white
salted = pixels * rng.integers(0, 2, pixels.shape) + rng.integers(0, 2, pixels.shape)         # wrong
u = rng.random(pixels.shape)
right = np.where(u < 0.1, 0, np.where(u < 0.2, 1, pixels))                     # a tenth black, a tenth white
print("values of wrong noise", np.unique(salted), "of right noise", np.unique(right))
assert salted.max() == 2 and set(np.unique(right)) == {0, 1} and bool("False")

# %% [markdown]
# ## The whole library
#
# With `--full` the check works through all layers, losses and models of this library at ten random points, as
# `python -m numpyae gradcheck` does at one, and through the 38 mistakes of `numpyae/gradcheck/common_bugs.py`: it must
# find the 34 that can be found, name the cause, and pass the four that no check can see.

# %%
if FULL:
    elements = 0
    for seed in range(10):
        for name, target, batch in cases.cases(np.random.default_rng(seed)):
            report = gradcheck.check(target, *batch)
            elements += sum(row["elements"] for row in report.rows if row["term"] is None)
            assert report.ok, report
    print(f"{elements} gradients of the library agree")
    for bug in common_bugs.BUGS:
        target, batch = bug.make(np.random.default_rng(0))
        report = gradcheck.check(target, *batch)
        print(f"{bug.number:2} {bug.name:38} {report.sentence()}")
        assert report.ok if bug.invisible else bug.cause in [found["cause"] for found in report.findings]

# %% [markdown]
# ## What to remember
#
# - A central difference has an error of h² on one side and eps / h on the other. Take h near eps^(1/3), and float64.
# - A difference of two gradients means nothing without an error bar. Halving the step gives one. The Taylor test needs
#   none.
# - Check with a random delta, frozen noise, biases that are not 0, several samples, and sizes that are different
#   primes.
# - Check each layer alone, each term of the loss alone, and the checker itself on a gradient known from paper.
# - A gradient check compares backward with forward. Whether forward is the function you meant needs a test of its own.
#
# ## Try it
#
# - Give the network of the U-curve targets that are 1000 times larger. Where do both branches go, and the best step?
# - Put ReLU in place of Tanh in the network of the Taylor test. For which h does the slope of the right gradient
#   change, why?
# - Write a wrong backward of your own, a Sigmoid say, that `check` calls *unexplained*. What would it have to know?
# - Take a loss of your own code, wrap it for `check_function`, and add the test of the function that belongs to it.
# - `python -m numpyae exercise 5` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
