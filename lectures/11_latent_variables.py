# %% [markdown]
# # 11. Latent variables: a rich p(x) out of simple parts, and an integral that plain sampling cannot do
#
# An autoencoder learns to copy. It does not learn which pictures are likely, and so it cannot make new ones.
# For that one needs the distribution p(x) of the data. This lecture shows that the distributions one knows by
# name are too poor for pictures, and that one more, unobserved variable z makes them rich: p(x) becomes the
# average of simple distributions p(x|z) over all z. The average is an integral. We train a model by drawing z
# at random, see why that works for one z and fails for ten, and repair it by drawing z where it matters. The
# repair leads to a bound on log p(x), on which the rest of the course is built.
#
# Takes about 8 s; with `--full` about 2 minutes (handwritten digits from MNIST in place of typeset ones, larger
# mixtures and a larger variational autoencoder, more draws).

# %%
import math

import numpy as np
from scipy.special import expit, logsumexp, softmax

from numpyae import VAE, Adam, BernoulliNLL, DiagonalGaussian, GaussianNLL, course, datasets, fit, gradcheck, mlp, plots
from numpyae.models import Model

FULL = course.full()

# %% [markdown]
# ## The probabilistic perspective is crucial
#
# What would we do with p(x), if we had it? [000] names three things: generate realistic objects, make
# meaningful text, predict the future. All three can be seen on pictures of two pixels, black (0) or white
# (1), in which neighbours are mostly alike:
#
#     p(0, 0) = p(1, 1) = 0.45,    p(0, 1) = p(1, 0) = 0.05
#
# To *generate* is to draw one of the four. To *predict* is to divide: p(x₂|x₁) = p(x₁, x₂) / p(x₁), where
# p(x₁) = Σ_x₂ p(x₁, x₂). And p(x) itself says which picture is *unusual*. A model that treats the pixels as
# independent has the right p(x₁) and p(x₂), both ½, and can do none of this. What it loses is measured in
# *nats*: the mean of log p(x) under the true p, minus the mean of log of the model's p.

# %%
p = np.array([[0.45, 0.05],
              [0.05, 0.45]])                                     # rows x₁, columns x₂
independent = np.outer(p.sum(axis=1), p.sum(axis=0))
predicted = p[1, 1] / p[1].sum()
lost = np.sum(p * np.log(p)) - np.sum(p * np.log(independent))
print(f"p(x₂ = 1 | x₁ = 1): {predicted:.2f}; with independent pixels {independent[1, 1] / independent[1].sum():.2f}, "
      f"which loses {lost:.3f} nats per picture")
assert np.allclose(independent, 0.25) and predicted > 0.89 and lost > 0.36

# %% [markdown]
# Now the idea of the lecture, in its smallest form. Toss a coin z that nobody will see. If it falls on one side
# both pixels tend to be white, on the other side black; *given z* they are independent. With
# p(x_d = 1|z) = ½ ± √0.2 the sum over the two sides of the coin,
#
#     p(x) = Σ_z p(x₁|z) p(x₂|z) p(z),
#
# is exactly the table above. So a hidden common cause turns independent parts into dependent pixels. z is
# called a *latent variable*. [002] says of such variables that they "are not directly observable but they
# fundamentally inform the way data is distributed".

# %%
white = np.array([0.5 - math.sqrt(0.2), 0.5 + math.sqrt(0.2)])               # p(x_d = 1|z) for z = 0, 1
pixel = np.stack([1 - white, white])                                         # p(x_d|z): rows x_d, columns z
with_coin = sum(0.5 * np.outer(pixel[:, z], pixel[:, z]) for z in (0, 1))
print("the table from the coin:", *with_coin.round(6).ravel())
assert np.allclose(with_coin, p, atol=1e-15)

# %% [markdown]
# ## Beyond visualisation: taking advantage of the latent representation
#
# A coin has two sides; let z be a real number, drawn from N(0, 1). A function f turns it into the mean of x,
# and a little noise is added:
#
#     z ~ N(0, 1),    x = f(z) + ρ ε,  ε ~ N(0, 1)        so  p(x|z) = N(x; f(z), ρ²)
#
# That is a recipe for drawing x, in two lines of code. Its density is the integral of [000],
#
#     p(x) = ∫ p(x, z) dz = ∫ p(x|z) p(z) dz = E_p(z)[p(x|z)]
#
# Read from the right: for every z ask how well it explains x, p(x|z), and take the mean over all z as often
# as they come, p(z). Both parts are Gaussians; their mean need not be one. With a single z the integral is a
# sum over a fine grid. Here f(z) = z + ½ sin 5z, which rises, falls back a little and rises again, and ρ =
# 0.15.

# %%
rho = 0.15
dz = dx = 0.01
z_grid, x_grid = np.arange(-6, 6, dz), np.arange(-5, 5, dx)


def normal(x, mean, sigma):
    """The density of N(mean, σ²) at x."""
    return np.exp(-0.5 * ((x - mean) / sigma)**2) / (math.sqrt(2 * math.pi) * sigma)


def bend(z):
    """f(z) = z + ½ sin 5z."""
    return z + 0.5 * np.sin(5 * z)


prior = normal(z_grid, 0, 1)
joint = normal(x_grid[:, None], bend(z_grid), rho) * prior                   # p(x, z) = p(x|z) p(z), rows x, columns z
marginal = joint.sum(axis=1) * dz                                            # p(x)

rng = np.random.default_rng(0)
z = rng.normal(size=20000)                                                   # the recipe: first z,
x = bend(z) + rho * rng.normal(size=20000)                                   # then x
below = np.searchsorted(np.sort(x), x_grid) / len(x)                         # share of draws below each point of the grid
apart = np.abs(below - np.cumsum(marginal) * dx).max()
given_z = normal(1.0, bend(z), rho)                                          # p(x = 1|z) for the z drawn
standard_error = given_z.std() / math.sqrt(len(z))
print(f"∫ p(x) dx = {marginal.sum() * dx:.6f}; share of draws below x against the integral: at most {apart:.4f} apart")
print(f"p(x = 1): {marginal[600]:.4f} by the grid, {given_z.mean():.4f} ± {standard_error:.4f} as the mean of p(x|z) over "
      "draws of z")
assert abs(marginal.sum() * dx - 1) < 1e-6 and apart < 1.63 / math.sqrt(len(x))          # Kolmogorov: 1 in 100
assert abs(given_z.mean() - marginal[600]) < 4 * standard_error

# %% [markdown]
# How far is it from a Gaussian? The best one, with the highest mean of log p, has p(x)'s mean and variance. It
# has one hump where p(x) has many, one around each place where f turns back, and it loses a sixth of a nat for
# each x.

# %%
mean = np.sum(x_grid * marginal) * dx
sigma = math.sqrt(np.sum((x_grid - mean)**2 * marginal) * dx)
lost = np.sum(marginal * (np.log(marginal) - np.log(normal(x_grid, mean, sigma)))) * dx
humps = np.sum((marginal[1:-1] > marginal[:-2]) & (marginal[1:-1] > marginal[2:]) & (marginal[1:-1] > 1e-4))
print(f"the best Gaussian, N({mean:.2f}, {sigma:.2f}²), loses {lost:.3f} nats; p(x) has {humps} humps")
assert humps == 6 and abs(lost - 1 / 6) < 0.01

# %% [markdown]
# ## Setting
#
# The four parts have names, which [001] and [002] (*Mathematical formulation*) introduce together:
#
# - p(z), the **prior**: what is known about z before x is seen. It is chosen, and mostly N(0, I).
# - p(x|z), the **likelihood**, [002]'s "probabilistic decoder": what x is like, given z.
# - p(x) = ∫ p(x|z) p(z) dz, the **marginal** likelihood, or evidence. It is what we want to raise on data.
# - p(z|x) = p(x|z) p(z) / p(x), the **posterior**, the "probabilistic encoder": which z may have made this x.
#
# [002] says that p(x) "is usually chosen to be a Gaussian". It is p(x|z) that is chosen so; p(x) is then a
# mixture of infinitely many Gaussians, and the humps above are the point of it. The posterior need not be a
# Gaussian either. In a picture z might be the orientation of the subject or the colour of the landscape
# ([003]); here x = 1.3 comes nearly always from one place on the curve, but x = 0.65 from three.

# %%
posterior = {value: joint[round((value + 5) / dx)] / marginal[round((value + 5) / dx)] for value in (0.65, 1.3)}
modes = {}
for value, q in posterior.items():
    modes[value] = int(np.sum((q[1:-1] > q[:-2]) & (q[1:-1] > q[2:]) & (q[1:-1] > 0.1 * q.max())))
print("humps of p(z|x), a tenth of the highest at least:", *(f"{count} for x = {value}" for value, count in modes.items()))
one_place = posterior[1.3][np.abs(z_grid - 1.25) < 0.3].sum() * dz
assert modes == {0.65: 3, 1.3: 1} and one_place > 0.93

# %%
figure = plots.new_figure("A Gaussian z, bent by f and blurred by ρ, gives a p(x) that no named distribution has. x = 0.65 "
                          "(full line) may come from three places, x = 1.3 (dotted) nearly always from one.", 16, 9)
left, middle, right = figure.add_gridspec(1, 3, width_ratios=[1.25, 0.8, 1])
axes = plots.new_axes(figure, left, "p(x, z) = p(x|z) p(z)", "z", "x")
axes.imshow(np.sqrt(joint[::4, ::4]), origin="lower", extent=(-6, 6, -5, 5), aspect="auto", cmap="Blues")
axes.plot(z_grid, bend(z_grid), "--", linewidth=2, color=plots.COLOURS[2], label="f(z)")
axes.set(xlim=(-3.2, 3.2), ylim=(-3.6, 3.6))
for value, style in zip(posterior, ("-", ":")):
    axes.axhline(value, color="0.2", linewidth=2, linestyle=style)
plots.legend_above(axes)
axes = plots.new_axes(figure, middle, "p(x)", "density (1 / unit of x)", "x")
axes.hist(x, bins=120, density=True, orientation="horizontal", color=plots.COLOURS[9], label="20 000 draws")
axes.plot(marginal, x_grid, "-", linewidth=3, color=plots.COLOURS[0], label="the integral")
axes.plot(normal(x_grid, mean, sigma), x_grid, "--", linewidth=2.5, color=plots.COLOURS[2], label="best Gaussian")
axes.set_ylim(-3.6, 3.6)
plots.legend_below_title(axes)
axes = plots.new_axes(figure, right, "p(z|x)", "z", "density (1 / unit of z)")
axes.plot(z_grid, prior, "--", linewidth=2.5, color="0.5", label="prior p(z)")
for (value, q), style, k in zip(posterior.items(), ("-", ":"), (0, 4)):
    axes.plot(z_grid, q, style, linewidth=3, color=plots.COLOURS[k], label=f"p(z|x = {value})")
axes.set_xlim(-3.2, 3.2)
plots.legend_below_title(axes)
course.show(figure, "11_integral")

# %% [markdown]
# ## The popular MNIST dataset
#
# [000] shows a page of digits and asks: what might be the underlying distribution p(x)? We take digits set in
# different typefaces, bent and slanted (`--full`: MNIST). A grey level between 0 and 1 is read as the
# probability of white, and each pixel is drawn once, black (0) or white (1). There are 2⁷⁸⁴ such pictures.
# p(x) is then a probability, and log p(x) of different models can be compared: in nats per picture, on
# pictures that no model was fitted to (*held out*).

# %%
if FULL:
    data = datasets.load("mnist", dtype=np.float32)
    grey, N_train = np.concatenate([data.x, data.x_test]), len(data.x)
    components, rounds, hidden, d, epochs, batch_size, alpha = (10, 200), 25, [200], 20, 15, 100, 2e-3
else:
    grey, N_train = datasets.digits(3000, np.random.default_rng(0), np.float32)[0], 2500
    components, rounds, hidden, d, epochs, batch_size, alpha = (10, 100), 25, [100], 10, 20, 50, 4e-3
binary = datasets.binarize(np.random.default_rng(1), grey)
x, x_test = binary[:N_train], binary[N_train:]
N, D = x.shape
print(f"{N} pictures of {D} pixels to fit, {len(x_test)} held out; {x.mean():.0%} of the pixels are white")
assert D == 784 and np.all((binary == 0) | (binary == 1)) and abs(binary.mean() - grey.mean()) < 0.001

# %% [markdown]
# ## Our standard set of distributions is not expressive enough
#
# **Independent Bernoulli.** Each pixel is white with its own probability p_d:
# log p(x) = Σ_d [x_d log p_d + (1 - x_d) log(1 - p_d)]. The best p_d is the share of white ones. (We count one
# black and one white picture in addition, half each, so that no probability is 0.)
#
# **One Gaussian** N(μ, Σ) with the mean and all 784 · 785 / 2 covariances of the grey pictures. It is a
# density over real numbers; the density at a picture is not the probability of a picture, so its logarithm
# cannot stand beside the others. (The probability of a cube around the picture could: an integral over 784
# numbers.) But we can draw from it. For weights ε_n ~ N(0, 1), one for each training picture, the mean plus
# 1/√N Σ_n ε_n (x_n - μ) has just this covariance. Two things are wrong with it before we look. It puts values
# anywhere, below black and above white. And it is symmetric: with every digit x the picture 2μ - x is exactly
# as likely, in which the strokes are darker than black.

# %%
rng = np.random.default_rng(2)
share = (x.sum(axis=0) + 0.5) / (N + 1)
scores, draws, means = {}, {}, {}                                            # per model: log p of held-out pictures; images
scores["independent"] = x_test @ np.log(share) + (1 - x_test) @ np.log1p(-share)
draws["independent"] = rng.random((25, D)) < share
means["independent"] = np.tile(share, (25, 1))

mu = grey[:N_train].mean(axis=0)
cloud = mu + rng.standard_normal((100, N), dtype=np.float32) @ (grey[:N_train] - mu) / math.sqrt(N)
draws["one Gaussian"], means["one Gaussian"] = cloud[:25], np.tile(mu, (25, 1))
outside = np.mean(((cloud < 0) | (cloud > 1))[:, mu > 0.1])
bright, dark = np.mean(cloud - mu > 0.5), np.mean(cloud - mu < -0.5)
print(f"where the mean is at least 0.1, {outside:.0%} of the Gaussian's pixels are darker than black or brighter than white")
assert outside > 0.2 and abs(bright / dark - 1) < 0.1 and cloud.min() < -0.8

# %% [markdown]
# **A mixture of Bernoullis.** The first model with a latent variable: z is the number of a component, 1 … C,
# and each component has its own p_zd. The integral is a sum,
#
#     p(x) = Σ_z π_z Π_d p_zd^x_d (1 - p_zd)^(1 - x_d)
#
# It is fitted by *expectation maximisation* (EM). The E step computes the posterior r_nz = p(z|x_n), which
# for a sum is easy. The M step averages the pictures with these weights: p_zd = Σ_n r_nz x_nd / Σ_n r_nz.
# Each round raises the likelihood of the training data, or leaves it (here up to the pseudo-counts that keep
# p_zd off 0).

# %%
def log_joint(x, pi, P):
    """log p(x, z), (N, C), of a mixture: log π_z + Σ_d [x_d log p_zd + (1 - x_d) log(1 - p_zd)]."""
    return x @ np.log(P / (1 - P)).T + np.log1p(-P).sum(axis=1) + np.log(pi)


def mixture(x, C, rounds, rng):
    """EM from C pictures drawn at random and made grey. Returns π (C,), P (C, D), and mean log p(x) of every round."""
    P, pi = 0.25 + 0.5 * x[rng.choice(len(x), C, replace=False)], np.full(C, 1 / C, x.dtype)
    rising = []
    for _ in range(rounds):
        log_pxz = log_joint(x, pi, P)
        log_px = logsumexp(log_pxz, axis=1, keepdims=True)
        r = np.exp(log_pxz - log_px)                                         # E: the posterior p(z|x_n)
        counts = r.sum(axis=0)
        P = (r.T @ x + 0.1) / (counts[:, None] + 0.2)                        # M: weighted means
        pi = (counts + 1) / (len(x) + C)
        rising.append(float(log_px.mean()))
    return pi, P, rising


# %%
fitted, numbers = {}, {"independent": D}
for C in components:
    pi, P, rising = mixture(x, C, rounds, np.random.default_rng(3))
    name = f"mixture of {C}"
    fitted[name], scores[name] = rising[-1], logsumexp(log_joint(x_test, pi, P), axis=1)
    numbers[name] = C * D + C - 1
    chosen = rng.choice(C, size=25, p=pi / pi.sum())                         # first z,
    draws[name], means[name] = rng.random((25, D)) < P[chosen], P[chosen]    # then x
    assert np.diff(rising).min() > -0.01 and rising[-1] > rising[0] + 30
small, large = (f"mixture of {C}" for C in components)

# %% [markdown]
# **What follows.** A variational autoencoder: z ~ N(0, I) has d numbers, and a network, the *decoder*, turns
# it into the 784 probabilities. How it is trained is the subject of the next two lectures. Its log p(x) is
# estimated by importance sampling, which is explained below; the estimate is too low on average, so the VAE
# is not favoured.

# %%
rng_vae = np.random.default_rng(4)
encoder, decoder = mlp([D, *hidden, 2 * d], rng=rng_vae), mlp([d, *hidden[::-1], D], rng=rng_vae)
vae = VAE(encoder, decoder, BernoulliNLL(), DiagonalGaussian(d)).astype(np.float32)
vae.start_at(x)                                                              # begin as the independent model


def cool(model, history, optimizer):
    """Let the rate fall to nearly 0 along half a cosine."""
    optimizer.alpha = alpha * (0.5 + 0.5 * math.cos(math.pi * history.epochs / epochs)) + 1e-6


fit(vae, x, optimizer=Adam(alpha), epochs=epochs, batch_size=batch_size, rng=np.random.default_rng(5), callbacks=[cool])
some = 500 if FULL else 150                                                  # held-out pictures for the VAE's estimate
scores["VAE"] = vae.log_likelihood(x_test[:some], samples=1000 if FULL else 200, rng=0)
o = vae.decoder.forward(rng.standard_normal((25, d)).astype(np.float32))     # first z,
draws["VAE"], means["VAE"] = vae.likelihood.sample(o, rng), expit(o)         # then x
numbers["VAE"] = vae.decoder.w.size

# %% [markdown]
# The table has the numbers to be learnt (for the VAE those of the decoder, which is the model), and the mean of
# log p(x) over held-out pictures, with its standard error.

# %%
print("model              numbers   log p(x), nats per held-out picture")
for name, values in scores.items():
    least = "at least" if name == "VAE" else ""
    print(f"{name:15} {numbers[name]:10,} {least:>9} {values.mean():8.1f} ± {values.std() / math.sqrt(len(values)):.1f}")
print(f"{large}: {fitted[large]:.1f} on the pictures it was fitted to")

gain = scores["VAE"] - scores[large][:some]
assert gain.mean() > 4 * gain.std() / math.sqrt(some) and gain.mean() > 15
assert scores[large].mean() > scores[small].mean() + 15 > scores["independent"].mean() + 30
assert fitted[large] > scores[large].mean() + 1
assert abs(numbers["VAE"] / numbers[large] - 1) < 0.05

# %% [markdown]
# What the figure shows, from left to right. Independent pixels know where white is frequent and nothing else.
# The Gaussian knows which pixels go together in pairs, and draws clouds with strokes in them, bright and dark
# ones alike (its draws are shown from -1, black, to 2, white; grey levels from 0 to 1 would hide the dark
# strokes). The mixture draws digits, but only the C that it has: the mean of each draw is one of C fixed
# stencils. It also does better on its own pictures than on others. The VAE, with as many numbers in its
# decoder, makes a new stencil for every z.
#
# Its stencils look worse: some lie between two digits. Yet it finds a held-out picture more than e¹⁵ times as
# probable (in the geometric mean). log p punishes a model that has no place for a picture, such as a
# mixture for a slant that is none of its C; a look at draws does not notice what is never drawn. Looks and
# likelihood are two measures, and one can be good without the other (Theis et al. 2016).
#
# A draw from p(x) is speckled in the models of black and white, since given z the pixels are independent. The
# lower row shows the means E[x|z] instead.

# %%
draws = {"data": x_test[:25], **draws}
means = {"data": grey[N_train:N_train + 25], **means}
titles = {"data": "held-out data"}
for name in ("independent", "one Gaussian", large, "VAE"):
    titles[name] = f"{name}\n{scores[name].mean():.0f} nats" if name in scores else f"{name}: a density\nshown from -1 to 2"
figure = plots.new_figure("Upper row: draws from p(x); nats: mean log p(x) of held-out pictures. Lower row: the mean of "
                          "each draw, given its z (data: the grey picture behind it).", 16, 9)
grid = figure.add_gridspec(2, 5)
for column, (name, title) in enumerate(titles.items()):
    low, high = (-1, 2) if name == "one Gaussian" else (0, 1)
    plots.show_images(plots.new_axes(figure, grid[0, column], title), draws[name], (28, 28), 25, low=low, high=high)
    below = "grey levels" if name == "data" else "E[x]" if name in ("independent", "one Gaussian") else "E[x|z]"
    plots.show_images(plots.new_axes(figure, grid[1, column], below), means[name], (28, 28), 25)
course.show(figure, "11_expressive")

# %% [markdown]
# ## Autoencoders as probabilistic generative models
#
# [004] writes the model in one line, for x with e numbers and z with d,
#
#     Z ~ N(0, I_d)  →  f_θ  →  X ~ f_θ(Z) + N(0, ρ² I_e)
#
# and says that it was used before, with d = 1 and e = 2, "for generating points scattered around a path". The
# points themselves are not in the document; our path is (sin 4t, 1.5 t) with t = tanh z, bent twice, with ρ =
# 0.1. The model does not get to know the path. Its f is a network with one hidden layer of tanh units, and
# ρ "might be another parameter to be trained"; we train it, as logvar = log ρ².

# %%
def path(z):
    """The path around which the points lie, (N, 2)."""
    t = np.tanh(z)
    return np.column_stack([np.sin(4 * t), 1.5 * t])


def log_density(x, o, rho):
    """log N(x_n; o_s, ρ² I) for every x_n (N, e) and every o_s (S, e), (N, S), and the squared distances."""
    squares = np.sum(x**2, axis=1)[:, None] + np.sum(o**2, axis=1) - 2 * x @ o.T
    return -0.5 * squares / rho**2 - 0.5 * x.shape[1] * math.log(2 * math.pi * rho**2), squares


rng = np.random.default_rng(6)
points, points_test = (path(rng.normal(size=n)) + 0.1 * rng.normal(size=(n, 2)) for n in (300, 1000))
far = np.sqrt(np.maximum(log_density(points, path(z_grid), 0.1)[1].min(axis=1), 0))      # to the nearest point of the path
print(f"{len(points)} points, {np.sqrt(np.mean(far**2)):.3f} from the path (root mean square), {far.max():.3f} at most")
assert 0.08 < np.sqrt(np.mean(far**2)) < 0.11 and far.max() < 0.4

# %% [markdown]
# ## Training: the integral by plain Monte Carlo
#
# For one x, draw z_1 … z_S from the prior and replace the mean over all z by the mean over these:
#
#     log p(x) ≈ log 1/S Σ_s p(x|z_s) = log Σ_s e^(ℓ_s) - log S,     ℓ_s = log p(x|z_s)
#
# The sum is computed with its largest term taken out (log-sum-exp), since e^(ℓ_s) itself would underflow. Its
# gradient is short: ∂/∂ℓ_s log Σ_s e^(ℓ_s) = e^(ℓ_s) / Σ_s' e^(ℓ_s') = r_s, a softmax. So every draw takes a
# share r_s of the responsibility for x, as in the E step of the mixture, and the rest is the chain rule. With
# ℓ_ns = -½ ‖x_n - o_s‖² / ρ² - ½ e log 2πρ² and the loss L = -1/N Σ_n log p(x_n):
#
#     do_s = ∂L/∂o_s = 1/N Σ_n r_ns (o_s - x_n) / ρ²
#     dlogvar = 1/N Σ_ns r_ns (½ e - ½ ‖x_n - o_s‖² / ρ²)
#
# All x_n share the same S draws, so the decoder runs S times and not N S times.

# %%
class PlainMonteCarlo(Model):
    """x = f(z) + ρ ε, z ~ N(0, I): loss = -1/N Σ_n log 1/S Σ_s p(x_n|z_s), z_s ~ p(z), new in every call."""

    def __init__(self, decoder, likelihood, S):
        self.decoder, self.likelihood, self.S = decoder, likelihood, S
        self.add_parts(decoder=decoder, likelihood=likelihood)

    def loss(self, x, rng=None, noise=None, training=True):
        rng = self.begin(rng, noise, training)
        z = np.random.default_rng(rng).normal(size=(self.S, self.decoder.n_in)) if noise is None else noise["z"]
        self.x, self.o = x, self.decoder.forward(z)
        self.l, self.squares = log_density(x, self.o, self.likelihood.sigma)
        self.noise["z"] = z
        self.term("nll", math.log(self.S) - logsumexp(self.l, axis=1), over=len(x))
        return self.total()

    def backward(self):
        self.from_zero()
        (N, e), rho = self.x.shape, self.likelihood.sigma
        r = softmax(self.l, axis=1)
        do = (r.sum(axis=0)[:, None] * self.o - r.T @ self.x) / rho**2 / N
        dlogvar = self.likelihood.dlogvar
        dlogvar += e / 2 - 0.5 * np.sum(r * self.squares) / rho**2 / N       # Σ_s r_ns = 1
        self.decoder.backward(do, input_gradient=False)
        return self.grad

    def check(self, x):
        """Nothing to refuse here."""


# %%
def new_model(S):
    """A 1-24-2 network and ρ = 1, to begin with."""
    return PlainMonteCarlo(mlp([1, 24, 2], rng=np.random.default_rng(7)), GaussianNLL(sigma=1.0, learn=True), S)


model = new_model(S=8)
model.w += 0.1 * np.random.default_rng(8).normal(size=model.w.size)
report = gradcheck.check(model, points[:5])
print(str(report).splitlines()[0])
assert report.ok

# %% [markdown]
# With one z, p(x) can also be computed exactly, up to rounding, by summing over a grid. So we can see both how
# well the model has learnt, against the path that made the points, and how good the estimate is.
#
# How large must S be? We train the same network with S = 1, 10 and 100 draws per step. With S = 1 there is no
# sum inside the logarithm: every z must explain every x, and the best that f can do is to ignore z. What is
# left is one Gaussian around the mean.

# %%
def exact(f, rho, x):
    """log p(x_n), (N,), by summing p(x|z) p(z) over a fine grid of z."""
    return logsumexp(log_density(x, f(z_grid[:, None]), rho)[0] + np.log(prior * dz), axis=1)


def train(model, steps=700):
    """Adam, all points in every step, its rate falling along half a cosine."""
    optimizer, rng = Adam(0.03), np.random.default_rng(9)
    for step in range(steps):
        optimizer.alpha = 0.03 * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-4
        model.loss(points, rng=rng)
        optimizer.step(model.w, model.backward())
    return model


truth = exact(lambda z: path(z[:, 0]), 0.1, points_test).mean()
untrained = new_model(S=100)
trained = {S: train(new_model(S)) for S in ((1, 10, 100, 1000) if FULL else (1, 10, 100))}
held_out = {S: exact(model.decoder.forward, model.likelihood.sigma, points_test).mean() for S, model in trained.items()}
flat = -0.5 * (points.shape[1] * (1 + math.log(2 * math.pi * np.mean(points.var(axis=0)))))          # a round Gaussian's
print("   S       ρ   exact mean log p(x), held out (nats)")
for S, model in trained.items():
    print(f"{S:4} {model.likelihood.sigma:7.3f} {held_out[S]:10.3f}")
print(f"true   0.100 {truth:10.3f};  one round Gaussian {flat:.3f}")
assert trained[10].likelihood.sigma > 2 * trained[100].likelihood.sigma
assert held_out[100] > truth - 0.05 and abs(trained[100].likelihood.sigma - 0.1) < 0.02
assert abs(held_out[1] - flat) < 0.1 and held_out[1] < held_out[10] < held_out[100] <= truth + 0.02

# %% [markdown]
# With 100 draws the model is as good as the truth within a few hundredths of a nat. Now the estimate itself.
# For the trained model the figure compares log 1/S Σ_s p(x|z_s) with the exact value. On average it is too
# low, at every S. That is Jensen's inequality: the mean of a logarithm is below the logarithm of the mean,
#
#     E[log 1/S Σ_s p(x|z_s)] <= log E[1/S Σ_s p(x|z_s)] = log p(x)
#
# The proof is one line. Let m = 1/S Σ_s p(x|z_s) / p(x). Then E[m] = 1, and log m <= m - 1 for every m, so
# that E[log m] <= 0. (The code subtracts m - 1, whose mean is 0, from log m: the average is the same, and
# less noisy.) For large S, log m ≈ m - 1 - ½ (m - 1)², so that the error is half of m's variance,
#
#     ½ Var[m] = ½ (E[p(x|z)²] / p(x)² - 1) / S,
#
# in which the expectation can be had from the grid too.

# %%
model, few, total = trained[100], points_test[:50], 400_000 if FULL else 20_000
f, rho = model.decoder.forward, model.likelihood.sigma
l = log_density(few, f(np.random.default_rng(10).normal(size=(total, 1))), rho)[0]       # (N, total), cut into groups of S
log_p = exact(f, rho, few)
square = logsumexp(2 * log_density(few, f(z_grid[:, None]), rho)[0] + np.log(prior * dz), axis=1)        # log E[p(x|z)²]
variance = np.mean(np.exp(square - 2 * log_p) - 1)
sizes, bias, spread = np.array([1, 10, 100, 1000, 10_000]), [], []
print("    S    mean error   spread   expected error, nats")
for S in sizes:
    error = logsumexp(l.reshape(len(few), -1, S), axis=2) - math.log(S) - log_p[:, None]          # log m
    bias.append(np.mean(error - (np.exp(error) - 1)))
    spread.append(error.std(axis=1).mean())
    print(f"{S:5} {bias[-1]:13.4f} {spread[-1]:8.4f} {-0.5 * variance / S:13.4f}")
assert np.all(np.array(bias) < 0) and np.all(np.diff(bias) > 0)
assert np.allclose(bias[3:], -0.5 * variance / sizes[3:], rtol=0.25)

# %%
figure = plots.new_figure("One z is drawn a hundred times per step, and the path is found (line: f(z) for |z| < 3). The "
                          "estimate of log p(x) is too low on average, by less and less.", 16, 9)
grid = figure.add_gridspec(1, 3, width_ratios=[1, 1, 1.1])
for place, (title, model) in zip(grid, {"before": untrained, "after 700 steps, S = 100": trained[100]}.items()):
    axes = plots.new_axes(figure, place, title, "x₁", "x₂")
    fresh = model.decoder.forward(np.random.default_rng(11).normal(size=(300, 1)))
    fresh = fresh + model.likelihood.sigma * np.random.default_rng(12).normal(size=fresh.shape)
    axes.plot(*points.T, "o", markersize=5, color=plots.COLOURS[0], label="data")
    axes.plot(*fresh.T, "^", markersize=5, color=plots.COLOURS[1], alpha=0.8, label="model")
    line = model.decoder.forward(z_grid[300:901, None])
    axes.plot(*line.T, "-", linewidth=3, color=plots.COLOURS[2], label="f(z)")
    axes.set(xlim=(-1.7, 1.7), ylim=(-2.4, 2.4), aspect="equal")
    plots.legend_below_title(axes)
axes = plots.new_axes(figure, grid[2], "Error of log 1/S Σ p(x|z_s)", "draws S", "nats")
axes.loglog(sizes, spread, "s--", linewidth=2.5, markersize=9, color=plots.COLOURS[4], label="spread")
axes.loglog(sizes, -np.array(bias), "o-", linewidth=2.5, markersize=9, color=plots.COLOURS[0], label="too low by")
axes.loglog(sizes, 0.5 * variance / sizes, ":", linewidth=2.5, color="0.3", label="½ variance")
axes.grid(color="0.9")
plots.legend_below_title(axes)
course.show(figure, "11_path")

# %% [markdown]
# ## Latent variables models: why "computing that integral is too hard"
#
# [004]: "it can take lots of samples for the Monte Carlo approximation to be any good, especially when the
# latent variable Z has more than one dimension". [003] says why: p(x|z) is as good as zero for most z. Let us
# count. In the *linear Gaussian* model
#
#     z ~ N(0, I_d),    x = W z + ρ ε        p(x) = N(0, W Wᵀ + ρ² I)
#
# log p(x) is known exactly for any d. We take W (2d, d) with orthonormal columns and ρ = ½. The weights of the
# draws are w_s = p(x|z_s), and their **effective sample size**
#
#     ESS = (Σ_s w_s)² / Σ_s w_s²
#
# is S when all are equal, and 1 when a single one is the whole sum. For this model everything is a product of d
# equal factors, so that ESS ≈ S aᵈ, where a = E_x[p(x)² / E[w²]] for d = 1 is an integral over one number.

# %%
def linear_model(d, rho, M, rng):
    """W (2d, d), M draws of x from the model, and their exact log p(x)."""
    W = np.linalg.qr(rng.normal(size=(2 * d, d)))[0]
    x = rng.normal(size=(M, d)) @ W.T + rho * rng.normal(size=(M, 2 * d))
    C = W @ W.T + rho**2 * np.eye(2 * d)
    log_p = -0.5 * (np.sum(x * np.linalg.solve(C, x.T).T, axis=1) + np.linalg.slogdet(2 * math.pi * C)[1])
    return W, x, log_p


def effective(log_w):
    """ESS (N,) of weights given by their logarithms (N, S)."""
    return np.exp(2 * logsumexp(log_w, axis=1) - logsumexp(2 * log_w, axis=1))


# %%
rho, M = 0.5, (100 if FULL else 50)
dims, sizes = (1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 30, 50), (100, 1000, 100_000 if FULL else 10_000)
p1 = normal(x_grid, 0, math.sqrt(1 + rho**2))                                # p(x) for d = 1, along W
square1 = normal(x_grid, 0, math.sqrt(1 + rho**2 / 2)) / (2 * rho * math.sqrt(math.pi))              # E[w²]
a = np.sum(p1**2 / square1 * p1) * dx
ess, bias = {S: [] for S in sizes}, {S: [] for S in sizes}
for d_z in dims:
    rng = np.random.default_rng(d_z)
    W, few, log_p = linear_model(d_z, rho, M, rng)
    log_w = log_density(few, rng.normal(size=(max(sizes), d_z)) @ W.T, rho)[0]
    for S in sizes:
        ess[S].append(effective(log_w[:, :S]).mean())
        bias[S].append(np.mean(logsumexp(log_w[:, :S], axis=1) - math.log(S) - log_p))
print(f"a = {a:.3f}.  d: effective draws, and error of log p in nats, of S =", *sizes)
for k, d_z in enumerate(dims):
    print(f"{d_z:4}", *(f"{ess[S][k]:10.1f} {bias[S][k]:8.2f}" for S in sizes))

# %% [markdown]
# Each dimension leaves less than half of the draws. At d = 50 ten thousand of them are as good as one, and
# log p is wrong by tens of nats. Two warnings. The ESS cannot fall below 1, so a value of 1.3 does not say
# how bad things are; the error in nats does. And training raises the estimate, not log p(x): with too few
# draws the model prefers a large ρ, under which every z explains every x a little, as the model of the path
# did when trained with S = 10. Such a model is blurred because it is trained badly, not because it has to be.
#
# How many draws would be enough? Chatterjee & Diaconis (2018) show that about e^KL are needed and suffice, when
# log w varies little around its mean (for z from the posterior). KL = KL(p(z|x) ‖ p(z)) is what x says about z,
# in nats. Here it is ½ log(1 + 1/ρ²) = 0.80 for each dimension, on average over x. So S draws last up to d =
# log S / 0.80. There the error is about one nat.

# %%
assert a < 0.5                                                               # what each dimension leaves of the draws
kl = 0.5 * math.log(1 + 1 / rho**2)
for S in sizes:
    last = math.log(S) / kl
    error = np.interp(last, dims, bias[S])
    print(f"S = {S:6}: lasts up to d = {last:4.1f}, where the error is {error:.2f} nats")
    assert -2 < error < -0.7
    enough = [k for k, d_z in enumerate(dims) if S * a**d_z > 30]
    assert np.allclose(np.array(ess[S])[enough], S * a**np.array(dims)[enough], rtol=0.35)
print(f"d = 50 would need e^{50 * kl:.0f} draws")
assert bias[max(sizes)][-1] < -30 and ess[max(sizes)][-1] < 2 and 50 * kl > 40

# %% [markdown]
# So it is not the dimension as such, but the information. One dimension suffices to kill the method if x is
# precise enough: with ρ = 0.0002 it says 8.5 nats about z, more than ten dimensions with ρ = ½. Then a draw
# close enough to the right z is rare, and all others count for nothing.

# %%
rng = np.random.default_rng(13)
W, few, log_p = linear_model(1, 0.0002, 200, rng)
log_w = log_density(few, rng.normal(size=(1000, 1)) @ W.T, 0.0002)[0]
precise = 0.5 * math.log(1 + 1 / 0.0002**2)
sharp = np.median(logsumexp(log_w, axis=1) - math.log(1000) - log_p)
print(f"d = 1, ρ = 0.0002, S = 1000: {precise:.1f} nats about z, median ESS "
      f"{np.median(effective(log_w)):.2f}, median error {sharp:.1f} nats")
assert np.median(effective(log_w)) < 2 and sharp < -1 and precise > 10 * kl

# %%
figure = plots.new_figure("Every dimension costs more than half of the draws that count (left; thin: S aᵈ). Where e^KL "
                          "exceeds S (vertical lines) log p leaves its true value (right).", 16, 9)
left, right = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, left, "Effective draws", "latent dimensions d", "(Σw)² / Σw²")
for S, style, k in zip(sizes, ("o-", "s--", "^:"), (0, 4, 2)):
    axes.plot(dims, ess[S], style, linewidth=2.5, markersize=9, color=plots.COLOURS[k], label=f"S = {S}")
    axes.plot(range(1, 51), S * a**np.arange(1, 51), "-", linewidth=1, color=plots.COLOURS[k])
axes.set_yscale("log")
axes.set_ylim(0.7, 1.2 * max(sizes))
axes.grid(color="0.9")
plots.legend_below_title(axes)
axes = plots.new_axes(figure, right, "Mean error of log p(x)", "latent dimensions d", "nats")
for S, style, k in zip(sizes, ("o-", "s--", "^:"), (0, 4, 2)):
    axes.plot(dims, bias[S], style, linewidth=2.5, markersize=9, color=plots.COLOURS[k], label=f"S = {S}")
    axes.axvline(math.log(S) / kl, linestyle=style[1:], linewidth=1.5, color=plots.COLOURS[k])
axes.set_yscale("symlog", linthresh=1)
axes.set_ylim(top=0.3)
axes.grid(color="0.9")
plots.legend_below_title(axes)
course.show(figure, "11_dimensions")

# %% [markdown]
# ## Draw z where it matters: importance sampling
#
# [003]: "understand how the latent variables are distributed in our dataset, so that we can sample the z from
# that distribution instead". Draw z from some q(z|x), the *proposal*. To keep the mean right, each draw is
# weighted by how much rarer it is under q than under the prior:
#
#     p(x) = ∫ [p(x|z) p(z) / q(z|x)] q(z|x) dz = E_q[w],     w = p(x|z) p(z) / q(z|x)
#
# [003] does not mention the weights, and they matter: the plain mean of p(x|z) over likely z is far too
# large. With *the* posterior, q(z|x) = p(z|x) = p(x|z) p(z) / p(x), every weight is p(x): one draw is enough,
# and the variance is 0. For the linear Gaussian model the posterior is known,
#
#     p(z|x) = N(Wᵀx / (1 + ρ²), v I),  v = ρ² / (1 + ρ²),
#
# so we can try, with d = 10.

# %%
d_z, total = 10, 1_000_000 if FULL else 100_000
rng = np.random.default_rng(14)
W, one, log_p = linear_model(d_z, rho, 1, rng)
m, v = one @ W / (1 + rho**2), rho**2 / (1 + rho**2)                         # the posterior's mean (1, d) and variance


def log_normal(z, mean, sigma):
    """log N(z; mean, σ² I), (S,)."""
    return -0.5 * np.sum((z - mean)**2, axis=1) / sigma**2 - z.shape[1] * math.log(math.sqrt(2 * math.pi) * sigma)


def log_weights(mean, sigma, S, rng):
    """log w of S draws from q = N(mean, σ² I), and log p(x|z) of the same draws."""
    z = mean + sigma * rng.normal(size=(S, d_z))
    l = log_density(one, z @ W.T, rho)[0][0]
    return l + log_normal(z, 0, 1) - log_normal(z, mean, sigma), l


log_w, l = log_weights(m, math.sqrt(v), 1000, rng)
unweighted = logsumexp(l) - math.log(len(l))
print(f"log p(x) = {log_p[0]:.6f}; from single draws of the posterior {log_w.min():.6f} to {log_w.max():.6f}; "
      f"without weights {unweighted:.2f}")
assert np.abs(log_w - log_p).max() < 1e-9 and unweighted > log_p[0] + 5

# %% [markdown]
# Nobody has the posterior: its formula has p(x) in it, which is what we look for. So how good must q be? Let
# q have the right mean and a standard deviation that is wrong by a factor s. The relative variance of one
# weight is then
#
#     Var[w] / p(x)² = (s² / √(2s² - 1))ᵈ - 1     for s² > ½,  and infinite below
#
# A q that is too wide wastes draws. A q that is too narrow is dangerous: it hardly ever visits places where
# the weight is enormous, looks steady, and is wrong. When in doubt, take q wider. We measure the variance, and
# then what somebody gets who has 1000 draws: p̂ = 1/1000 Σ_s w_s and its standard error, in the median over
# many such groups. (For s² <= ¾ the *fourth* moment of w is infinite. Then the measured variance is itself too
# unsteady to be held to the formula, as for s = 0.85.)

# %%
def relative_variance(s):
    """Var[w] / p(x)² for a proposal s times as wide as the posterior; infinite for s² <= ½."""
    return (s**2 / np.sqrt(2 * s**2 - 1))**d_z - 1 if 2 * s**2 > 1 else math.inf


widths, measured, typical, error_bar = (0.6, 0.85, 0.9, 1.0, 1.2, 1.5, 2.0), {}, {}, {}
print("    s   Var[w] / p²: measured, formula   1000 draws: median of p̂ / p, of its standard error / p")
for s in widths:
    w = np.exp(log_weights(m, s * math.sqrt(v), total, rng)[0] - log_p)
    thousands = w.reshape(-1, 1000)
    measured[s], typical[s] = w.var(), np.median(thousands.mean(axis=1))
    error_bar[s] = np.median(thousands.std(axis=1)) / math.sqrt(1000)
    print(f"{s:5} {measured[s]:14.3f} {relative_variance(s):14.3f} {typical[s]:25.3f} {error_bar[s]:19.3f}")
    assert s**2 <= 0.75 or abs(measured[s] - relative_variance(s)) < 0.15 * relative_variance(s) + 1e-9
assert math.isinf(relative_variance(0.6)) and 0.65 < typical[0.6] < 0.85 and abs(typical[1.5] - 1) < 0.06
assert error_bar[0.6] < error_bar[2.0] and abs(typical[2.0] - 1) < 0.1

# %% [markdown]
# The first line is the warning in numbers: the sample gives a finite variance where the truth is infinite. A
# typical group of 1000 draws finds three quarters of p(x), with a standard error that looks better than that
# of s = 2, which finds nearly all of it.

# %% [markdown]
# ## From there to the bound
#
# Take the logarithm, and Jensen's inequality once more:
#
#     log p(x) = log E_q[w] >= E_q[log w] = E_q[log p(x|z) + log p(z) - log q(z|x)]
#
# The right side is the *evidence lower bound*, the ELBO. It needs no large S: a single draw of z gives an
# unbiased estimate of it, because the logarithm is inside. And it is clear what it misses. log w - log p(x) =
# log p(z|x) - log q(z|x), so that
#
#     log p(x) - E_q[log w] = KL(q(z|x) ‖ p(z|x)),
#
# nothing for the posterior, more for a poorer q. Between the two lie the bounds with S draws,
#
#     E_q[log w] <= E_q[log 1/S Σ_s w_s] <= log p(x),
#
# which rise with S. For a q with the posterior's mean m the gap at S = 1 is ½ d (s² - 1 - log s²). For q =
# p(z), the plain Monte Carlo of before, it is ½ Σ_j (1/v + m_j²/v - 1 + log v).

# %%
proposals = {"prior": (0 * m, 1.0, 0.5 * np.sum(1 / v + m**2 / v - 1 + math.log(v)))}
for name, s in (("too wide, s = 1.5", 1.5), ("too narrow, s = 0.6", 0.6), ("posterior", 1.0)):
    proposals[name] = (m, s * math.sqrt(v), 0.5 * d_z * (s**2 - 1 - math.log(s**2)))
groups, curves = (1, 10, 100, 1000, 10_000), {}
print("q                      KL(q‖p(z|x))  log p - bound with S =", *groups)
for name, (mean, sigma, gap) in proposals.items():
    log_w = log_weights(mean, sigma, total, rng)[0]
    curves[name] = [np.mean(logsumexp(log_w.reshape(-1, S), axis=1)) - math.log(S) - log_p[0] for S in groups]
    print(f"{name:22} {gap:12.3f} {'':9}", *(f"{-value:8.3f}" for value in curves[name]))
    assert abs(-curves[name][0] - gap) <= 4 * log_w.std() / math.sqrt(total) + 1e-9
    assert np.all(np.diff(curves[name]) > -0.02) and max(curves[name]) < 0.02                # up to noise

# %% [markdown]
# Too wide and too narrow begin with nearly the same gap, the narrow one with the smaller. With more draws the
# wide one closes it (values just above log p are noise: 100 000 draws are ten groups of ten thousand); the
# narrow one is not there after ten thousand.

# %%
wide, narrow = curves["too wide, s = 1.5"], curves["too narrow, s = 0.6"]
assert 0 < narrow[0] - wide[0] < 0.5 and abs(wide[-1]) < 0.03 and narrow[-1] < -0.05

figure = plots.new_figure("The closer q is to the posterior, the fewer draws are needed; with S = 1 the gap is KL(q ‖ "
                          "p(z|x)), and the bound is the ELBO. In the grey part the error bars are infinite.", 16, 9)
left, right = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, left, "Bound - log p(x)", "draws S", "nats")
for (name, values), style, k in zip(curves.items(), ("o-", "s--", "^:", "D-."), (2, 4, 6, 0)):
    axes.plot(groups, values, style, linewidth=2.5, markersize=9, color=plots.COLOURS[k], label=f"q: {name}")
axes.set_xscale("log")
axes.set_yscale("symlog", linthresh=0.5)
axes.set_ylim(top=0.15)
axes.grid(color="0.9")
plots.legend_below_title(axes)
axes = plots.new_axes(figure, right, "Variance of one weight", "s: width of q / width of the posterior", "Var[w] / p(x)²")
fine = np.concatenate([np.linspace(0.7072, 0.999, 300), np.linspace(1.001, 2.05, 200)])
axes.plot(fine, [relative_variance(s) for s in fine], "-", linewidth=2.5, color=plots.COLOURS[0], label="formula")
shown = [s for s in widths if s != 1]                                        # 0 has no place on this axis
axes.plot(shown, [measured[s] for s in shown], "o", markersize=11, color=plots.COLOURS[1], markeredgecolor="black",
          label=f"{total:,} draws".replace(",", " "))
axes.axvspan(0.5, math.sqrt(0.5), color="0.85", label="infinite")
axes.set(xlim=(0.5, 2.05), ylim=(1e-3, 1e4))
axes.set_yscale("log")
axes.grid(color="0.9")
plots.legend_below_title(axes)
course.show(figure, "11_proposals")

# %% [markdown]
# Last, the digits. For the VAE from above we have a q(z|x): its encoder. Here are both estimates of log p(x),
# with z from the prior and with z from the encoder, on held-out pictures. The encoder's KL from the prior
# says how hopeless the prior is: about e^KL draws.

# %%
few, sizes = x_test[:100 if FULL else 50], (1, 10, 100, 1000) if FULL else (1, 10, 100)
o = vae.decoder.forward(np.random.default_rng(15).standard_normal((50_000 if FULL else 4000, d)).astype(np.float32))
l = few @ o.T - np.logaddexp(0, o).sum(axis=1)                               # log p(x|z) = Σ_d x_d o_d - log(1 + e^o_d)
vae.elbo(few, rng=0)
information = vae.posterior.kl().mean()
from_encoder = [vae.log_likelihood(few, samples=S, rng=0).mean() for S in sizes]
from_prior = [(logsumexp(l[:, :S], axis=1) - math.log(S)).mean() for S in (*sizes, l.shape[1])]
print("mean log p(x), nats      S =", *(f"{S:8}" for S in (*sizes, l.shape[1])))
print("z from the prior            ", *(f"{value:8.1f}" for value in from_prior))
print("z from the encoder          ", *(f"{value:8.1f}" for value in from_encoder))
print(f"the encoder's KL from the prior: {information:.1f} nats")
assert from_encoder[0] > from_prior[-1] + 5 and np.all(np.diff(from_encoder) > 0) and information > math.log(l.shape[1])

# %% [markdown]
# One draw from the encoder is better than thousands from the prior. So train it together with the decoder, on
# the bound: that is the variational autoencoder. The next lecture takes the bound apart.
#
# ## What to remember
#
# - p(x) = ∫ p(x|z) p(z) dz: a latent z makes dependent pixels of independent ones, and many humps of one.
# - Independent pixels and one Gaussian have no z, a mixture has a z of C values. On held-out digits a z of C
#   values was worth tens of nats, and a z of real numbers 15 more, with as many numbers in the decoder as in
#   the mixture (the encoder, which log p(x) does not need, has its own).
# - log 1/S Σ_s p(x|z_s) has a gradient by hand: each draw gets the share that a softmax gives it. On average
#   it is too low.
# - Plain Monte Carlo needs about e^KL draws, where KL is what x says about z. It works for one z, and dies
#   with ten.
# - Importance sampling draws from q(z|x) and weights by p(z)/q(z|x). The posterior would need one draw; at
#   the same KL a q that is too narrow is worse than one that is too wide.
# - E_q[log w] <= log p(x), and the gap is KL(q(z|x) ‖ p(z|x)).
#
# ## Try it
#
# - Give the path a network with two z's instead of one, [2, 24, 2], and train it with S = 100. Does the
#   held-out log p become better? (The grid has to be two-dimensional then.) What does the second z do?
# - Let the true ρ of the path be 0.02 instead of 0.1. How large must S be now, and why?
# - Fit the mixture with C = 1000 components to the digits. What happens to log p on the training pictures,
#   what on the held-out ones? Which of the two would a student report?
# - Shift the proposal's mean by one posterior standard deviation in each dimension instead of scaling it.
#   Compute the gap in nats first, then measure it.
# - `python -m numpyae exercise 11` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
