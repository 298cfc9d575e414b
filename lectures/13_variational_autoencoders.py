# %% [markdown]
# # 13. Variational autoencoders: an autoencoder whose codes have a distribution
#
# An autoencoder maps x to a code z and z back to x. A variational autoencoder (VAE) maps x to a *distribution*
# of codes, q(z|x) = N(μ(x), diag σ(x)²), draws z from it, and pays for how far q(z|x) is from the prior p(z) =
# N(0, I), in nats: KL(q ‖ p). This lecture trains both on pictures of digits and measures the difference. Then
# it takes the objective apart: what each term does, what the size of the code, the number of draws and the
# units of the pixels do, what the code knows about the pictures, and why units of it die. The bound behind it,
# log p(x) ≥ ELBO = E_q[log p(x|z)] - KL(q ‖ p), is the subject of lecture 12.
#
# Takes about 10 s; with `--full` about 10 minutes: handwritten digits (MNIST) with larger networks in the
# sections on the listing, the main example, the terms, the size of the code, the draws and the tasks.

# %%
import copy

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from numpyae import (ELU, PCA, VAE, Adam, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, GaussianNLL,
                     Sequential, SquaredError, Tanh, course, datasets, fit, mlp, plots, tasks)
from numpyae.datasets import typeset
from numpyae.evaluation import ACTIVE, active_units, evaluate, kl_of_units

FULL = course.full()
BLUE, ORANGE, RED, GREY, PURPLE = plots.COLOURS[:5]

# %% [markdown]
# ## Deterministic vs. variational autoencoder: Gaussian case
#
# [000] puts the two side by side. With the encoder f, the decoder g, and p(x|z) = N(g(z), I),
#
#     L_AE  = ‖x - g(f(x))‖²
#     L_VAE = E_q[½ ‖x - g(z)‖²] + KL(q(z|x) ‖ p(z)) + constant,   z = μ + σ ε,   ε ~ N(0, I)
#
# and says that the KL "prevents collapsing to the deterministic autoencoder". So without it the VAE should
# collapse to that: if σ → 0, then z → μ, and ∇L_VAE → ½ ∇L_AE. First the numbers. The same network,
# D-100-2-100-D with ELU units: the VAE has the autoencoder's weights, two more outputs for logvar = log σ²,
# which are set by hand, and its KL is multiplied by β = 0.
#
# The data are typeset digits of 14 x 14 pixels. Unit variance fixes a unit of brightness: ours is a quarter of
# the way from black to white, so x goes from 0 to 4.


# %%
def halved(pictures):
    """Pictures (N, 784) as means of 2 x 2 pixels, (N, 196)."""
    return pictures.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


pictures, labels = datasets.digits(2000, np.random.default_rng(0), np.float32)
digits = halved(pictures)
x, x_test, y, y_test = 4 * digits[:1600], 4 * digits[1600:], labels[:1600], labels[1600:]
D, H = 196, 100


def deterministic():
    rng = np.random.default_rng(1)
    return Autoencoder(mlp([D, H, 2], hidden=ELU, rng=rng), mlp([2, H, D], hidden=ELU, rng=rng), SquaredError())


def variational(beta, likelihood=None, d=2):
    rng = np.random.default_rng(1)
    encoder, decoder = mlp([D, H, 2 * d], hidden=ELU, rng=rng), mlp([d, H, D], hidden=ELU, rng=rng)
    return VAE(encoder, decoder, likelihood or GaussianNLL(1.0), DiagonalGaussian(d), beta=beta)


# %%
plain, model = deterministic(), variational(beta=0)
for layer, other in zip(model.encoder.layers[:1] + model.decoder.layers[::2],
                        plain.encoder.layers[:1] + plain.decoder.layers[::2]):
    layer.W, layer.b = other.W, other.b
code, plain_code = model.encoder.layers[-1], plain.encoder.layers[-1]
code.W = np.hstack([plain_code.W, np.zeros((H, 2))])
batch = x[:200].astype(float)
plain.loss(batch)
plain.backward()
print("     σ   ‖∇L_VAE - ½ ∇L_AE‖ / ‖½ ∇L_AE‖")
apart = []
for sigma in (1.0, 0.1, 0.01, 0.001):
    code.b = np.concatenate([plain_code.b, 2 * np.log([sigma, sigma])])
    model.loss(batch, rng=2)
    model.backward()
    mine = [code.dW[:, :2] if layer is code else layer.dW for layer in model.encoder.layers[::2] + model.decoder.layers[::2]]
    theirs = [0.5 * layer.dW for layer in plain.encoder.layers[::2] + plain.decoder.layers[::2]]
    gap = sum(np.sum((a - b)**2) for a, b in zip(mine, theirs)) / sum(np.sum(b**2) for b in theirs)
    apart.append(np.sqrt(gap))
    print(f"{sigma:6.3f} {apart[-1]:20.5f}")
assert np.allclose(np.divide(apart[1:-1], apart[2:]), 10, rtol=0.15) and apart[-1] < 2e-3

# %% [markdown]
# The difference falls in proportion to σ: at the end one half of the autoencoder's gradient is left, and the ½
# comes from the ½ in the Gaussian log-density, nothing else. Now the same by training: σ is learnt, and β = 0
# leaves nothing to keep it up. What counts is σ in units of the distance between codes, so the table shows it
# beside the spread of the μ(x) over the data.


# %%
def train(model, x, epochs=20, alpha=1e-2, batch_size=50, callbacks=(), each_epoch=None):
    """Adam in float32, its rate falling on a straight line to almost 0. Returns the trained model."""
    def cool(model, history, optimizer):
        optimizer.alpha = alpha * (1 - history.epochs / epochs) + 1e-5

    model = model.astype(np.float32)
    fit(model, x, optimizer=Adam(alpha), epochs=epochs, batch_size=batch_size, rng=np.random.default_rng(3),
        callbacks=[cool, *callbacks], each_epoch=each_epoch)
    return model


def spread_and_sigma(model, x):
    """Standard deviation of the μ(x) over x, mean σ(x): both as means over the code numbers."""
    spread = model.encode(x).std(axis=0).mean()
    return float(spread), float(model.posterior.sigma.mean())


def error(model, x):
    """Squared error of the reconstructions, summed over pixels, mean over pictures."""
    return float(np.mean(np.sum((model.reconstruct(x) - x)**2, axis=1)))


# %%
def watch_sigma(model, history, optimizer):
    rows[model.beta].append(spread_and_sigma(model, x_test))


rows = {0.0: [], 1.0: []}
trained = {beta: train(variational(beta), x, callbacks=[watch_sigma]) for beta in rows}
plain = train(deterministic(), x)
print("epoch     β = 0: spread of μ, σ, ratio          β = 1: spread of μ, σ, ratio")
for epoch in (1, 2, 5, 10, 20):
    two = rows[0.0][epoch - 1], rows[1.0][epoch - 1]
    cells = [f"{spread:12.3f} {sigma:9.5f} {sigma / spread:9.5f}" for spread, sigma in two]
    print(f"{epoch:5}" + "         ".join(cells))
errors = {"deterministic": error(plain, x_test)}
errors |= {f"VAE, β = {beta:g}": error(one, x_test) for beta, one in trained.items()}
for name, value in errors.items():
    print(f"{name:14} squared error on new pictures {value:7.2f}")
assert rows[0.0][-1][1] / rows[0.0][-1][0] < 1e-3 and rows[1.0][-1][1] / rows[1.0][-1][0] > 0.1
ratios = [sigma / spread for spread, sigma in rows[0.0]]
assert all(later < before for before, later in zip(ratios[0::5], ratios[4::5]))
assert abs(errors["VAE, β = 0"] / errors["deterministic"] - 1) < 0.15
assert 1 < errors["VAE, β = 1"] / errors["deterministic"] < 1.1 and errors["VAE, β = 1"] > 1.05 * errors["VAE, β = 0"]
variational_one = trained[1.0]

# %% [markdown]
# Without the KL the noise withers to less than a thousandth of the spread, and the network rebuilds about as
# well as the deterministic one. With the KL σ stays at a fifth of the spread, and the price for this is some
# reconstruction error. What it buys is that neighbouring codes overlap: we count, for each of 400 training
# pictures, how many of the other 1599 have their μ within one σ of its own.

# %%
within = {}
for beta, one in trained.items():
    mu = one.encode(x)
    steps = (mu[:400, None] - mu) / one.posterior.sigma[:400, None]
    within[beta] = np.mean(np.sum(np.sum(steps**2, axis=2) < 1, axis=1) - 1)
    print(f"β = {beta:g}: {within[beta]:5.2f} other codes within one σ")
assert within[0.0] < 0.1 and within[1.0] > 8

# %% [markdown]
# [002] says it in words: a VAE is trained to learn "the probability distribution that models the input-data and
# not the function that maps the input and the output". The second objective contains p(z): it knows where codes
# of new pictures should be. The first does not, as the next section shows.
#
# ## Purpose of VAEs: new samples, and the holes in a code
#
# "Model the underlying distribution of the data and sample new data from the distribution" ([001]). To generate
# a new sample ([002], [003] §6, [004]) draw z ~ N(0, I) and decode it. For the deterministic autoencoder N(0,
# I) means nothing, so we give it a better chance: a Gaussian with the mean and the covariance of its own codes.
# How good is a sample? We take the squared distance to the nearest training picture. To know what to expect,
# the same for pictures that were held out, and for the reconstructions of these. A *hole* is a place with none
# of the 1600 codes within 0.15 standard deviations. The distance favours pictures with little contrast, so for
# the holes we also take 1 - cosine, from which the contrast is divided out.


# %%
def nearest(pictures, x):
    """Squared distance of each picture to the nearest row of x, (N,)."""
    squares = np.sum(pictures**2, axis=1)[:, None] + np.sum(x**2, axis=1) - 2 * pictures @ x.T
    return squares.min(axis=1)


def in_hole(z, name):
    """True where none of the model's codes of x is near, (n,)."""
    scale = codes[name].std(axis=0)
    return nearest(z / scale, codes[name] / scale) > 0.15**2


def in_holes_and_elsewhere(made, hole, x):
    """The nearest picture of x is how much farther from pictures made in holes than from others? As a factor."""
    distances = nearest(made, x)
    return distances[hole].mean() / distances[~hole].mean()


def unit(pictures):
    """Pictures of length 1: half their squared distance is 1 - cosine."""
    return pictures / np.linalg.norm(pictures, axis=1, keepdims=True)


# %%
rng = np.random.default_rng(4)
codes = {"deterministic": plain.encode(x), "variational": variational_one.encode(x)}
z = codes["deterministic"]
drawn = {"deterministic": rng.multivariate_normal(z.mean(axis=0), np.cov(z.T), 1000),
         "variational": rng.standard_normal((1000, 2))}
both = {"deterministic": plain, "variational": variational_one}
far, share, hollow, longer = {}, {}, {}, {}
print("to the nearest training picture: reconstructions   samples   in holes   there farther by   by cosine   brighter by")
for name, one in both.items():
    made, seen = one.decode(drawn[name].astype(np.float32)), one.reconstruct(x_test)
    hole, lengths = in_hole(drawn[name], name), np.linalg.norm(made, axis=1)
    far[name], share[name] = nearest(made, x).mean() / nearest(seen, x).mean(), hole.mean()
    hollow[name] = in_holes_and_elsewhere(made, hole, x), in_holes_and_elsewhere(unit(made), hole, unit(x))
    longer[name] = lengths[hole].mean() / lengths[~hole].mean()
    print(f"{name:32} {nearest(seen, x).mean():14.1f} {nearest(made, x).mean():10.1f} {share[name]:9.0%} "
          f"{hollow[name][0]:14.2f} {hollow[name][1]:15.2f} {longer[name]:13.2f}")
assert far["deterministic"] > 1.05 * far["variational"]
assert 1 / 8 < share["deterministic"] < 1 / 6 and 1 / 20 < share["variational"] < 1 / 14
assert 1.4 < hollow["deterministic"][0] < 1.7 and hollow["variational"][0] < 1.1
assert longer["deterministic"] > 1.15 and longer["variational"] < 1.1
assert 1.25 < hollow["variational"][1] < hollow["deterministic"][1] < 1.55

# %% [markdown]
# Both codes have holes, but one draw in 7 falls into those of the deterministic code and one in 17 into the
# VAE's. Its decoder was trained on draws from N(μ, σ²), which fill the room between the codes, and the KL
# keeps all of them where N(0, I) is. What do the decoders make of a hole? There the deterministic one's
# pictures have half as much again of squared distance from any digit, the VAE's no more than elsewhere. Part
# of this is contrast: in holes the deterministic decoder paints pictures that are brighter by a quarter, in
# length, the VAE by next to nothing, and a grey picture is near everything. With the contrast divided out the
# factors are 1.4 and 1.3: in a hole the VAE too paints no digit, but a mixture. So [000]'s sentence that an
# autoencoder is not capable of generating new data needs care: it can, as [004] says, if one gives its codes
# a distribution; but it was trained for none.
#
# *Interpolation* goes from the code of one picture to that of another. There are two ways
# (`tasks.interpolate`):
#
#     straight     z(s) = (1 - s) z₀ + s z₁
#     spherical    z(s) = [sin((1 - s) Ω) z₀ + sin(s Ω) z₁] / sin Ω,   Ω the angle between z₀ and z₁
#
# With two code numbers this makes little difference. In d dimensions N(0, I) is a shell of radius √d, and the
# middle of a straight way between two independent draws has the length √(d/2): it leaves the shell. We count
# how many draws of N(0, I) are as short as that.

# %%
print("  d     √d   length of draws   of straight middles   of spherical (median)   share of draws shorter than that")
for d in (2, 10, 50):
    z0, z1 = rng.standard_normal((2, 5000, d))
    lengths = np.linalg.norm(z0, axis=1), np.linalg.norm(z1, axis=1)
    omega = np.arccos(np.sum(z0 * z1, axis=1) / lengths[0] / lengths[1])
    middle = np.linalg.norm(0.5 * (z0 + z1), axis=1)
    sphere = np.linalg.norm(z0 + z1, axis=1) * np.sin(omega / 2) / np.sin(omega)
    shorter = np.mean(lengths[0] < middle.mean())
    print(f"{d:3} {np.sqrt(d):6.2f} {lengths[0].mean():11.2f} {middle.mean():18.2f} {np.median(sphere):20.2f} "
          f"{shorter:25.4f}")
assert abs(middle.mean() - 5) < 0.05 and abs(np.median(sphere) - np.sqrt(50)) < 0.15 and shorter < 0.005
pairs, middles = rng.integers(len(x_test), size=(300, 2)), {}
for name, one in both.items():
    z = one.encode(x_test)[pairs].mean(axis=1)
    middles[name] = nearest(one.decode(z), x).mean()
    print(f"{name:14} half-way between two test pictures: {middles[name]:6.1f} from the nearest training picture, "
          f"{in_hole(z, name).mean():.0%} in holes")
    assert in_hole(z, name).mean() < 0.07
assert 0.9 < middles["deterministic"] / middles["variational"] < 1.1


# %%
def show_row(figure, place, title, images, side=14):
    """Images (n, side²) side by side."""
    axes = plots.new_axes(figure, place, title)
    page = np.concatenate([np.pad(image.reshape(side, side), 1, constant_values=np.nan) for image in images], axis=1)
    axes.imshow(page, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()


ends = x_test[np.flatnonzero(y_test == 2)[1]], x_test[np.flatnonzero(y_test == 1)[2]]
z0, z1 = plain.encode(np.stack(ends))
strip = {"deterministic, straight": plain.decode(z0 + np.linspace(0, 1, 15, dtype=np.float32)[:, None] * (z1 - z0)),
         "variational, straight": tasks.interpolate(variational_one, *ends, 15, spherical=False),
         "variational, spherical": tasks.interpolate(variational_one, *ends, 15)}
figure = plots.new_figure("Above: the codes of the training pictures (dots), draws that fall into holes (crosses), and what "
                          "is made of the first 49 crosses. Below: three ways from a 2 to a 1.", 16, 9)
outer = figure.add_gridspec(2, 1, height_ratios=[1.15, 1])
grid, strips = outer[0].subgridspec(1, 4, width_ratios=[1.2, 1, 1.2, 1]), outer[1].subgridspec(3, 1)
for column, (name, one) in enumerate(both.items()):
    axes = plots.new_axes(figure, grid[2 * column], f"{name}: codes", "z₁", "z₂")
    axes.scatter(*codes[name].T, s=5, color=BLUE)
    crosses = drawn[name][in_hole(drawn[name], name)]
    axes.plot(*crosses.T, "x", markersize=7, color=RED)
    axes = plots.new_axes(figure, grid[2 * column + 1], "decoded crosses")
    plots.show_images(axes, one.decode(crosses[:49].astype(np.float32)) / 4, (14, 14), 49)
for place, (name, images) in zip(strips, strip.items()):
    show_row(figure, place, name, images / 4)
course.show(figure, "13_holes")

# %% [markdown]
# In 50 dimensions the middle of a straight way is a place that one draw in 600 reaches, so the decoder has
# rarely been there, and the spherical way is the natural one. For two numbers it does not matter. Nor is there
# a difference here between the two autoencoders half-way between two pictures: that is seldom a hole, in 3 or 4
# cases of 100.
#
# ## Pseudo-code
#
# [001] prints a VAE in twenty lines. Here it is in NumPy, with its names, on 0/1 pixels (a pixel is 1 if it is
# brighter than ½). Five things had to be settled (see the errata): `z_variance` is a log-variance; the hidden
# layers need an activation (tanh here) and the output a sigmoid; ε must be drawn for each picture; `sum` is
# over the code numbers, not over the batch; and `input_size * crossentropy` is right if `crossentropy` is a
# *mean* over pixels.

# %%
black_white = (digits > 0.5).astype(float)


def pseudo_code_cost(data, encoder, decoder, epsilon):
    """[001]'s `cost_total`, mean over the batch; encoder and decoder: our networks, of which it takes the weights."""
    dense_h, _, dense_code = encoder.layers
    dense_decoder, _, dense_output = decoder.layers
    number_of_distributions = dense_code.n_out // 2
    encoder_h = np.tanh(data @ dense_h.W + dense_h.b)
    z_mean = encoder_h @ dense_code.W[:, :number_of_distributions] + dense_code.b[:number_of_distributions]
    z_variance = encoder_h @ dense_code.W[:, number_of_distributions:] + dense_code.b[number_of_distributions:]
    z_sample = z_mean + np.exp(z_variance / 2) * epsilon
    decoder_h = np.tanh(z_sample @ dense_decoder.W + dense_decoder.b)
    decoder_output = 1 / (1 + np.exp(-(decoder_h @ dense_output.W + dense_output.b)))
    crossentropy = -np.mean(data * np.log(decoder_output) + (1 - data) * np.log(1 - decoder_output), axis=1)
    input_size = data.shape[1]
    reconstruction_loss = input_size * crossentropy
    kl_loss = -0.5 * np.sum(1 + z_variance - np.square(z_mean) - np.exp(z_variance), axis=1)
    return np.mean(reconstruction_loss + kl_loss)


rng = np.random.default_rng(5)
model = VAE(mlp([D, 60, 8], rng=rng), mlp([4, 60, D], rng=rng), BernoulliNLL(), DiagonalGaussian(4))
batch = black_white[:100]
ours = model.loss(batch, rng=rng)
theirs = pseudo_code_cost(batch, model.encoder, model.decoder, model.noise["epsilon"])
print(f"ours {ours:.15g}, the pseudo-code {theirs:.15g}")
assert abs(ours / theirs - 1) < 1e-12

# %% [markdown]
# ## Example 5.4.1: the listing, beside ours
#
# [004] has the same model in PyTorch, written as a probability model: a generator with a `loglik`, and an
# encoder with `loglik_lb`, the bound on the log-likelihood. Its τ is our logvar, log σ², and its F or ε our ε.
# (Its ρ, the standard deviation of Gaussian noise around f(z), is `GaussianNLL.sigma`; this example has none.)
# f ends in a sigmoid and gives p ∈ [0, 1]^e. In NumPy, almost line for line:


# %%
class BernoulliImageGenerator:
    def __init__(self, f, d=4):
        self.d = d
        self.f = f                                       # R^{B x d} → [0, 1]^{B x e}

    def loglik(self, x, z):
        xr = self.f(z)
        return (x * np.log(xr) + (1 - x) * np.log(1 - xr)).sum(1)


class GaussianEncoder:
    def __init__(self, g, decoder):
        self.d = decoder.d
        self.f = decoder
        self.g = g                                       # {0, 1}^{B x e} → R^{B x 2d}

    def forward(self, x):
        μτ = self.g(x)
        μ, τ = μτ[:, :self.d], μτ[:, self.d:]
        return μ, np.exp(τ / 2)

    def loglik_lb(self, x, ε):                           # ε = torch.randn_like(σ) in the listing: here it is handed in
        μ, σ = self.forward(x)
        ll = self.f.loglik(x, z=μ + σ * ε)
        kl = 0.5 * (μ**2 + σ**2 - np.log(σ**2) - 1).sum(1)
        return ll - kl


# %%
generator = BernoulliImageGenerator(lambda z: 1 / (1 + np.exp(-model.decoder.forward(z))))
listing = GaussianEncoder(model.encoder.forward, generator)
noise = model.noise
theirs = -np.mean(listing.loglik_lb(batch, noise["epsilon"]))
print(f"ours {ours:.15g}, the listing     {theirs:.15g}")
assert abs(ours / theirs - 1) < 1e-12

# %% [markdown]
# The loss agrees to 12 digits. In the listing the gradient is the library's business:
# `(-loglik_lb).backward()`. Ours was written by hand, so we compare it with what the listing's numbers do along
# a random direction v.

# %%
model.loss(batch, noise=noise)
v, w, h = rng.standard_normal(model.w.size), model.w.copy(), 1e-5
slope = model.backward() @ v
values = []
for sign in (1, -1):
    model.w = w + sign * h * v
    values.append(-np.mean(listing.loglik_lb(batch, noise["epsilon"])))
model.w = w
print(f"slope along v: ours {slope:.8f}, of the listing {(values[0] - values[1]) / (2 * h):.8f}")
assert abs((values[0] - values[1]) / (2 * h) - slope) < 1e-6

# %% [markdown]
# Now [004]'s own setting: d = 4, Adam with its default rate 0.001, 5 epochs. On the 60 000 digits of MNIST in
# batches of 100 (the size is not printed) these are 3000 steps. On our 1600 digits we take batches of 4,
# which gives 2000. `model.elbo`, the listing's `loglik_lb` as just shown, watches, and the loop is the
# listing's, lines 34 to 39.

# %%
if FULL:
    mnist, side = datasets.load("mnist", dtype=np.float32), 28
    grey, y, y_test = mnist.x, mnist.y, mnist.y_test
    x, x_test = (datasets.binarize(np.random.default_rng(k), pixels) for k, pixels in enumerate((mnist.x, mnist.x_test)))
    convention, hidden, epochs, alpha, size = "MNIST, pixels drawn once as 0 or 1", [200], 20, 1e-3, 100
else:
    side, grey = 14, digits[:1600]
    x, x_test = np.split(black_white.astype(np.float32), [1600])
    convention, hidden, epochs, alpha, size = "typeset digits, 14 x 14 pixels, 1 if brighter than ½", [100], 16, 1e-2, 50
D = side**2
rng = np.random.default_rng(6)
model = VAE(mlp([D, 100, 8], rng=rng), mlp([4, 100, D], rng=rng), BernoulliNLL(), DiagonalGaussian(4)).astype(np.float32)
optimizer, B = Adam(), 100 if FULL else 4
before = model.elbo(x_test, rng=7).mean()
for epoch in range(5):
    order = rng.permutation(len(x))
    for start in range(0, len(x), B):
        model.loss(x[order[start:start + B]], rng=rng)
        optimizer.step(model.w, model.backward())
    print(f"epoch {epoch + 1}: loglik_lb on new pictures {model.elbo(x_test, rng=7).mean():8.2f} nats")
after = model.elbo(x_test, rng=7).mean()
assert after > before + 60 and after > (-150 if FULL else -42)

# %% [markdown]
# ## Basic VAE setup: the main example
#
# "A VAE consists of an encoder, a decoder, a latent variable, and a loss function" ([001]). Its example on
# github, for MNIST, has two hidden layers in both networks, dropout, and a code of two numbers, so that it can
# be drawn. (That they have 500 units, ELU and tanh, is from the program behind the slide,
# hwalsuklee/tensorflow-mnist-VAE.) From the command line it is `python -m numpyae train vae`. Here it is as a
# program, with 100 units in the quick form. The encoder's four outputs are μ and logvar: where [002] says that
# the "final encoder dimension has dimension 2", two *vectors* are meant, 2 d numbers. The decoder gives the
# logits of p(x|z). Both learn at once, from one loss, by stochastic gradient descent:
#
#     φ_new = φ_old - ρ ∂L/∂φ,   θ_new = θ_old - ρ ∂L/∂θ
#
# where ρ is [001]'s step size. In our library φ and θ are one vector `model.w`. A `Recorder` looks on after
# every epoch and afterwards the learning is shown as a film.


# %%
def main_example(width):
    rng = np.random.default_rng(8)
    encoder = Sequential(Dense(D, width, rng=rng), ELU(), Dropout(0.1), Dense(width, width, rng=rng), Tanh(), Dropout(0.1),
                         Dense(width, 4, rng=rng))
    decoder = Sequential(Dense(2, width, rng=rng), Tanh(), Dropout(0.1), Dense(width, width, rng=rng), ELU(), Dropout(0.1),
                         Dense(width, D, rng=rng))
    return VAE(encoder, decoder, BernoulliNLL(), DiagonalGaussian(2))


def anew(rng, x):
    """MNIST's pixels drawn again for each epoch, so that the noise of the pixels is not learnt by heart."""
    return datasets.binarize(rng, grey)


each_epoch = anew if FULL else None
recorder = plots.Recorder(x_test, (side, side), y_test, n=8, most=40 if FULL else 5, limit=300)
model = main_example(500 if FULL else 100)
recorder.add(model.astype(np.float32), 0)
model = train(model, x, epochs, alpha / 2 if not FULL else alpha, size, [recorder], each_epoch)
test = x_test[:1000 if FULL else 200]
found = evaluate(model, test, convention, samples=1000 if FULL else 200, rng=9)
print(found)
course.show(plots.learning_animation(recorder), "13_learning")
assert found.log_p.mean() > found.elbo.mean() and found.elbo.mean() > (-170 if FULL else -41)
assert np.sum(found.variance_of_unit > ACTIVE) == 2

# %% [markdown]
# A table like this belongs to every trained VAE. It says what the data are, because nats of 0/1 pixels and nats
# of a density of grey ones cannot be compared; it has standard errors; and -log p(x), by importance sampling
# with draws from q(z|x), is below -ELBO, as it must be.
#
# In the film the codes start as one heap, in which the classes lie upon each other. The reconstruction term
# drives the classes apart: we divide the spread of their mean codes by the spread within a class. And the KL
# holds all of them together: their spread ends near 1, that of the prior. (Without it, see the next section.)


# %%
def parted(codes, labels):
    """Spread of the class means over the spread within the classes: root mean squares over both code numbers."""
    means = np.array([codes[labels == digit].mean(axis=0) for digit in range(10)])
    return np.sqrt(np.mean((means - means.mean(axis=0))**2) / np.mean((codes - means[labels])**2))


frames = recorder.kept | recorder.last
start, end = frames[0][0], frames[epochs][0]
for epoch, z in ((0, start), (epochs, end)):
    print(f"epoch {epoch:2}: spread of all codes {z.std(axis=0).mean():.2f}, of class means in units of that within a class "
          f"{parted(z, recorder.labels):.2f}")
assert parted(start, recorder.labels) < (1.2 if FULL else 0.9)
assert parted(end, recorder.labels) > 1.3 * parted(start, recorder.labels)
assert 0.7 < end.std(axis=0).mean() < (1.6 if FULL else 1.3)

# %%
figure = plots.new_figure("Left: new pictures and their reconstructions. Middle: the decoder over the plane, a cell for "
                          "each equal share of N(0, I). Right: the mean codes of new pictures.", 16, 9)
grid = figure.add_gridspec(2, 3, width_ratios=[1, 1.6, 1.75])
plots.show_images(plots.new_axes(figure, grid[0, 0], "Pictures"), test[:36], (side, side), 36)
plots.show_images(plots.new_axes(figure, grid[1, 0], "Reconstructions"), model.reconstruct(test[:36]), (side, side), 36)
axes = plots.new_axes(figure, grid[:, 1], "Manifold", "z₁", "z₂")
plane = plots.plane(plots.quantiles(12), plots.quantiles(12)).astype(np.float32)
plots.show_images(axes, model.decode(plane), (side, side), 144)
axes = plots.new_axes(figure, grid[:, 2], "Map", "z₁", "z₂")
plots.show_classes(axes, model.encode(x_test[:400]), y_test[:400])
axes.set_aspect("equal")
course.show(figure, "13_main_example")

# %% [markdown]
# ## Why does it even work? Each term removed or over-weighted
#
# [004] explains each term: the likelihood is high when "encoder and decoder are matched", the KL is "a penalty
# for badly-distributed" codes, and the randomness asks for a continuous decoder. [000] draws the KL as a
# regulariser. So let us take the terms away, one at a time. The loss is reconstruction + β KL. With β = 0 there
# is no KL; with β = 10 it counts tenfold; without the reconstruction only the KL is left, and the decoder
# learns nothing.


# %%
def bernoulli_vae(d, beta=1.0):
    rng = np.random.default_rng(10)
    return VAE(mlp([D, *hidden, 2 * d], hidden=ELU, rng=rng), mlp([d, *hidden, D], hidden=ELU, rng=rng), BernoulliNLL(),
               DiagonalGaussian(d), beta=beta)


def kl_only(model, x, steps):
    """Adam on the KL alone: back from the KL to h, from h to the encoder."""
    model, optimizer, rng = model.astype(np.float32), Adam(alpha), np.random.default_rng(3)
    for _ in range(steps):
        h = model.encoder.forward(x[rng.integers(len(x), size=size)])
        z = model.posterior.sample(h, np.zeros((size, model.posterior.d), np.float32))
        model.posterior.kl()
        dh = model.posterior.backward(np.zeros_like(z), np.full(size, 1 / size, np.float32))
        model.grad[:] = 0
        model.encoder.backward(dh, input_gradient=False)
        optimizer.step(model.w, model.grad)
    return model


# %%
terms = {f"β = {beta}": train(bernoulli_vae(2, beta), x, epochs, alpha, size, each_epoch=each_epoch)
         for beta in (0, 1, 10)}
terms["KL alone"] = kl_only(bernoulli_vae(2), x, 2000 if FULL else 300)
row = {}
print("            reconstruction       KL     ELBO   spread of μ   mean σ   samples: distance to a training picture")
for name, one in terms.items():
    reconstruction, kl = (part.mean() for part in one.bound_terms(test, 20, rng=11))
    spread, sigma = spread_and_sigma(one, test)
    away = nearest(one.sample(300, 12), x[:2000]).mean()
    row[name] = reconstruction, kl, spread, sigma, away
    print(f"{name:10} {reconstruction:15.2f} {kl:8.2f} {-reconstruction - kl:8.2f} {spread:13.3f} {sigma:8.4f} {away:18.2f}")
elbo = {name: -values[0] - values[1] for name, values in row.items()}
assert row["β = 0"][1] > 3 * row["β = 1"][1] and row["β = 0"][3] < 0.3 * row["β = 1"][3]
assert row["β = 0"][0] < row["β = 1"][0] and row["β = 0"][2] > 2 * row["β = 1"][2]
assert row["β = 10"][1] < 0.7 * row["β = 1"][1] and row["β = 10"][0] > row["β = 1"][0] + 1
assert elbo["β = 1"] == max(elbo.values()) and elbo["β = 0"] < min(elbo["β = 1"], elbo["β = 10"]) - 20
assert FULL or row["β = 10"][1] < 0.1 and row["β = 0"][4] > 2 * row["β = 1"][4]
assert row["KL alone"][1] < 0.05 and abs(row["KL alone"][3] - 1) < 0.05 and row["KL alone"][2] < 0.1
assert row["KL alone"][4] > 2 * row["β = 1"][4]

# %% [markdown]
# - **β = 0**: σ shrinks and the μ(x) run away, from each other and from N(0, I). The reconstructions are the
#   best of all, and the ELBO, which charges the KL in full, is far below those of β = 1 and β = 10. A draw from
#   N(0, I) falls where few codes or none are, and what comes of it is far from any digit.
# - **β = 1** is the ELBO itself, and here the ELBO is best, as one expects.
# - **β = 10**: for two numbers that explain ten nats or so, the price is too high. On typeset digits the model
#   gives up the code: KL = 0, and each sample is the mean picture. (It is near training pictures in distance,
#   as an average is: no measure of samples is good enough alone. On MNIST it keeps a little.)
# - **The KL alone** reaches 0, with q = N(0, I) for every x, and the decoder is as it was at the start: the KL
#   knows nothing of pictures.
#
# Only at β = 1 is -(reconstruction + β KL) the ELBO. For β < 1 it bounds nothing, for β > 1 it is a looser
# bound of log p(x) than the ELBO, since KL ≥ 0. With two code numbers log p(x) can be had for each model
# without its encoder, as the mean of p(x|z) over a grid of z with equal shares of N(0, I): so the
# reconstruction at β = 0 promises some 20 nats too much. (For β = 0, where codes are narrow, the grid is
# rough.)

# %%
grid_of_z = plots.plane(plots.quantiles(70), plots.quantiles(70)).astype(np.float32)
print("        -(reconstruction + β KL)      ELBO   log p(x) by the grid")
for beta in (0, 1, 10):
    name = f"β = {beta}"
    logits = terms[name].evaluate(terms[name].decoder, grid_of_z)
    log_p_x_given_z = test @ logits.T - np.logaddexp(0, logits).sum(axis=1)
    log_p = np.mean(logsumexp(log_p_x_given_z, axis=1)) - np.log(len(grid_of_z))
    objective = -row[name][0] - beta * row[name][1]
    print(f"{name:8} {objective:23.2f} {elbo[name]:9.2f} {log_p:14.2f}")
    assert elbo[name] < log_p + (3 if FULL else 0) and (objective > log_p + 15 if beta == 0 else objective <= elbo[name])

# %%
figure = plots.new_figure("Above: a draw z from q(z|x) for each of 400 pictures; the dashed circles are σ and 2σ of the "
                          "prior. Below: samples, E[x|z] for z from N(0, I).", 16, 9)
angle = np.linspace(0, 2 * np.pi, 200)
grid = figure.add_gridspec(2, 4)
for column, (name, one) in enumerate(terms.items()):
    axes = plots.new_axes(figure, grid[0, column], name, "z₁", "z₂")
    one.encode(x_test[:400])
    z = one.posterior.mu + one.posterior.sigma * np.random.default_rng(13).standard_normal((400, 2))
    axes.scatter(*z.T, s=9, color=BLUE)
    for radius in (1, 2):
        axes.plot(radius * np.cos(angle), radius * np.sin(angle), "--", color=RED, linewidth=2)
    axes.set_aspect("equal", adjustable="datalim")
    plots.show_images(plots.new_axes(figure, grid[1, column], "samples"), one.sample(36, 14), (side, side), 36)
course.show(figure, "13_terms")

# %% [markdown]
# ## The latent variables: how many?
#
# "Dimension is a user input" ([001]); "a higher dimension would allow the model to achieve better results"
# ([000]); "let d be as small or as large as we like" ([004]). We train the same network with d = 1 … 50 code
# numbers. -log p(x) on new pictures is by importance sampling. A unit is *active* if its mean code μ_j(x)
# varies over the data, with a variance above 0.01 (Burda 2016); its KL says how many nats it carries. For
# later, the KL of each unit of the model with 50 is written down after every epoch.

# %%
sizes = (1, 2, 5, 10, 20, 50) if FULL else (1, 2, 5, 20, 50)
by_size, numbers, dashboard = {2: terms["β = 1"]}, {}, []
for d in sizes:
    watch = [lambda model, *_: dashboard.append(kl_of_units(model, x_test[:400]))] if d == 50 else []
    if d != 2:
        by_size[d] = train(bernoulli_vae(d), x, epochs, alpha, size, watch, each_epoch)
print("  d      -ELBO   reconstruction      KL   -log p(x)   active   with KL > 0.1 nat")
for d in sizes:
    found = evaluate(by_size[d], test, convention, samples=1000 if FULL else 100, rng=15)
    active, busy = np.sum(found.variance_of_unit > ACTIVE), np.sum(found.kl_of_unit > 0.1)
    idle = found.kl_of_unit[found.kl_of_unit <= 0.1].sum()
    numbers[d] = -found.log_p.mean(), -found.elbo.mean(), active, busy
    print(f"{d:3} {-found.elbo.mean():10.2f} {found.reconstruction.mean():16.2f} {found.kl.mean():7.2f} "
          f"{-found.log_p.mean():11.2f} {active:8} {busy:14}")
print(f"the units below 0.1 of the model with 50 have {idle:.2f} nats together")
assert numbers[1][0] - numbers[2][0] > 1.7 and numbers[2][0] - numbers[5][0] > 3 * 1.7 and numbers[5][0] > numbers[20][0] + 1
assert abs(numbers[50][0] - numbers[20][0]) < (3 if FULL else 1.5) and numbers[50][3] < (45 if FULL else 25)
assert FULL or 1.2 < idle < 2

# %%
figure = plots.new_figure("More code numbers lower -log p(x) until there are enough; beyond that the model leaves units "
                          "unused.", 16, 9)
grid = figure.add_gridspec(1, 2)
left = plots.new_axes(figure, grid[0], "New pictures", "d, code numbers", "nats per picture")
right = plots.new_axes(figure, grid[1], "Units", "d, code numbers", "number of units")
columns = np.array([numbers[d] for d in sizes]).T
for axes, k, style, label in ((left, 0, "o-", "-log p(x)"), (left, 1, "s--", "-ELBO"), (right, 2, "o-", "active"),
                              (right, 3, "s--", "KL > 0.1 nat")):
    axes.plot(sizes, columns[k], style, linewidth=3, markersize=11, color=(BLUE, RED)[k % 2], label=label)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(d) for d in sizes])
    axes.minorticks_off()
plots.legend_above(left)
plots.legend_above(right)
course.show(figure, "13_code_size")

# %% [markdown]
# A higher dimension does achieve better results, up to a point: from 1 to 5 numbers each is worth about two
# nats or more, from 20 to 50 nothing is gained. Nor does it hurt much, unlike in most models. The KL charges
# for every number used, so the model uses what it needs, and of 50 not all carry something (here less than
# half). The rest have q(z_j|x) ≈ N(0, 1), whatever x is. (In the quick form training is so short that the
# mean codes of the unused units still flutter, with a variance above 0.01. Their KL, together 1.6 nats, says
# that little is in them.)

# %% [markdown]
# ## "Just a single sample (!)"
#
# [004] marvels that the expectation over z is "computed … using Monte Carlo with just a single sample (!)". Why
# not K? Because a batch already is an average. A gradient from B pictures with K draws each has the variance
#
#     V(B, K) = (V_x + V_ε / K) / B
#
# where V_x is the variance between pictures (of the gradient averaged over ε) and V_ε that of the draws for
# one picture. (All are sums over the components of the gradient.) For B K = 100 passes through the decoder,
# this is (K V_x + V_ε)/100: smallest for K = 1, whatever the two are. (Each picture also needs one pass
# through the encoder. Counting that, as many passes buy a variance ∝ (1 + K)(V_x + V_ε/K), with the minimum
# at K = √(V_ε/V_x), here 2, and little to gain: K = 2 against K = 1 never saves more than a quarter.) We
# measure it on the model with 20 code numbers, by 60 gradients for each K. K = 1 and K = 100 give V_x and
# V_ε, and these predict the variance for the other K.


# %%
def variance_of_gradient(model, x, B, K, rng, repeats=60):
    """Sum over all components of the variance of the gradient, between batches of B pictures with K draws each."""
    model.samples = K
    gradients = []
    for _ in range(repeats):
        model.loss(x[rng.integers(len(x), size=B)], rng=rng)
        gradients.append(model.backward().copy())
    return float(np.var(gradients, axis=0, ddof=1).sum())


probe_model, rng = copy.deepcopy(by_size[20]), np.random.default_rng(16)
variance = {K: variance_of_gradient(probe_model, x, 100 // K, K, rng) for K in (1, 5, 20, 100)}
V_x = (variance[100] - variance[1]) * 100 / 99
V_epsilon = 100 * variance[1] - V_x
print(f"V_x = {V_x:.0f}, V_ε = {V_epsilon:.0f}")
print("pictures B   draws K   variance of the gradient   from V_x and V_ε")
for K, value in variance.items():
    print(f"{100 // K:10} {K:9} {value:26.1f} {(K * V_x + V_epsilon) / 100:18.1f}")
many = variance_of_gradient(probe_model, x, 100, 5, rng)
print(f"{100:10} {5:9} {many:26.1f} {(V_x + V_epsilon / 5) / 100:18.1f}   (three times the passes, 600 for 200)")
two_for_one = 3 * (V_x + V_epsilon / 2) / (2 * (V_x + V_epsilon))
print(f"counting the encoder: best K {np.sqrt(V_epsilon / V_x):.1f}; variance of K = 2 over that of K = 1 {two_for_one:.2f}")
assert variance[1] < variance[5] < variance[20] < variance[100] and min(V_x, V_epsilon) > 0
assert all(abs(variance[K] / ((K * V_x + V_epsilon) / 100) - 1) < 0.25 for K in (5, 20))
assert variance[1] / 5 < many < variance[1] and 0.75 < two_for_one < (1.5 if FULL else 0.95)
assert FULL or V_epsilon > V_x and 1.5 < np.sqrt(V_epsilon / V_x) < 3 and abs(3 * many / variance[1] - 1) < 0.25

# %% [markdown]
# The forecast holds, and one draw for each of 100 pictures is the best use of 100 passes through the decoder,
# although here the draws make more noise than the choice of pictures (V_ε > V_x). Two draws would be a little
# better by the number of all passes, by one eighth. Five draws for each of 100 pictures lower the variance to
# a third, for three times the passes, encoder included (600 for 200); as many buy 300 pictures with one draw
# each, and a third as well. A single sample is enough *for the gradient*. For a tighter bound many draws are
# worth it, but used in another way (lecture 14).
#
# ## Sum or mean over pixels: a hidden β
#
# Losses of libraries often average over the elements, as the mean cross-entropy of [001] does, which is why
# it multiplies by `input_size`. ("MSE" in [003], which prints the sum.) Put a mean squared error over D
# pixels beside a KL summed over the code. Then
#
#     (1/D) ‖x - o‖² + KL = (2/D) [½ ‖x - o‖² + (D/2) KL]
#
# which is, up to a constant factor, the Gaussian VAE with σ = 1 and β = D/2: 98 for our 14 x 14 pixels, **392
# for MNIST**. Dividing by β instead, it is the bound (β = 1) of a model whose pixels have the variance D/2, a
# noise of √392 = 20 times the way from black to white. First that the gradients are equal.


# %%
class MeanOverPixels(SquaredError):
    """(1/D) Σ_d (o_d - t_d)²: passes itself off as a likelihood."""

    is_likelihood = True

    def forward(self, o, t):
        return super().forward(o, t) / t.shape[1]

    def backward(self, weight):
        return super().backward(weight) / self.r.shape[1]


# the digits of the first sections, here from 0 to 1
D, light, light_test = 196, digits[:1600], digits[1600:]
pair = {"mean": variational(1.0, MeanOverPixels()), "β": variational(D / 2, GaussianNLL(1.0))}
for one in pair.values():
    one.loss(light[:50].astype(float), rng=17)
    one.backward()
ratio = np.linalg.norm(pair["β"].grad) / np.linalg.norm(pair["mean"].grad)
difference = np.abs(pair["β"].grad - D / 2 * pair["mean"].grad).max() / np.abs(pair["β"].grad).max()
print(f"gradient with β = {D / 2:g} over gradient with the mean: {ratio:.12f}; largest relative difference {difference:.1e}")
assert abs(ratio - D / 2) < 1e-9 and difference < 1e-12

# %% [markdown]
# What does such a model look like? Four usual losses, the same network, 10 code numbers. A forecast is
# possible: in a *linear* VAE with noise of variance σ² a unit of the code has KL_j = ½ log(λ_j/σ²), λ_j an
# eigenvalue of the covariance of the data, or 0 if λ_j < σ² (shown below). We count the units with a KL above
# 0.1 nat, so those with λ_j > σ² exp(0.2). The largest λ of our digits is 2.0. (The third is trained longer:
# its weak units need it.)

# %%
losses = {"mean over pixels": (MeanOverPixels(), D / 2, 12), "½ sum": (GaussianNLL(1.0), 1.0, 12),
          "sum": (GaussianNLL(np.sqrt(0.5)), 0.5, 25), "σ learnt": (GaussianNLL(0.3, learn=True), None, 12)}
eigenvalues = PCA(10).fit(light).eigenvalues
total = eigenvalues.sum()
print("eigenvalues:", *(f"{value:.2f}" for value in eigenvalues[:6]), f"… of {D}, all together {total:.2f}")
usual, foretold = {}, {}
print("loss                     σ²   units foretold   units with KL > 0.1      KL   squared error   a pixel, drawn")
for name, (likelihood, variance_of_pixel, its_epochs) in losses.items():
    one = train(variational(1.0, likelihood, d=10), light, its_epochs)
    noise = one.likelihood.sigma**2 if variance_of_pixel is None else variance_of_pixel
    foretold[name] = min(10, np.sum(eigenvalues > noise * np.exp(0.2)))
    kl = kl_of_units(one, light_test)
    z = one.posterior.mu + one.posterior.sigma * np.random.default_rng(24).standard_normal((len(light_test), 10))
    error_per_pixel = np.mean((one.decode(z.astype(np.float32)) - light_test)**2)
    usual[name] = error(one, light_test), np.sum(kl > 0.1), noise, error_per_pixel
    print(f"{name:18} {noise:9.3f} {foretold[name]:12} {usual[name][1]:19} {kl.sum():13.2f} {usual[name][0]:12.2f} "
          f"{error_per_pixel:18.4f}")
    assert usual[name][1] == foretold[name]
assert abs(eigenvalues[0] - 2) < 0.05 and [usual[name][1] for name in losses] == [0, 1, 4, 10]
assert abs(usual["mean over pixels"][0] / total - 1) < 0.1 and abs(usual["σ learnt"][2] / usual["σ learnt"][3] - 1) < 0.3
assert usual["½ sum"][0] > usual["sum"][0] > 1.3 * usual["σ learnt"][0]

# %% [markdown]
# With the mean over pixels the model has collapsed completely: no unit carries anything, KL = 0, and every
# picture is "rebuilt" as the mean picture, with the total variance as its error. No bug in any gradient is
# involved. With the sum the loss still has a hidden β, since it fixes the noise at 0.7 or 1 of the way from
# black to white, and 4 units or 1 are left. The forecast is for linear networks; here the number of units is
# right in each row (in the last it is the 10 that there are). A learnt σ ends near the error that is really
# made, σ² = 0.02 for a squared error of 0.017 per pixel, and then β = 1 means what it says.
#
# ## Meaningful axes
#
# "If we're lucky, the latent representation learns to pick up 'meaningful axes'" ([004]). Our digits are made
# by known factors: slant, rotation, thickness of the pen, scale, width, shifts. So one can look. We draw a
# single digit, a 4 in one typeface, with larger variations of three factors, and train a VAE with 5 code
# numbers. Then each factor is predicted from the mean codes by linear regression, on pictures not trained on:
# R² = 1 - (squared error)/(variance), 1 if the factor can be read off.


# %%
def r_squared(z, factor, z_test, factor_test):
    """R² on new pictures of the linear regression of a factor (N,) on codes (N, d)."""
    A, A_test = (np.column_stack([codes, np.ones(len(codes))]) for codes in (z, z_test))
    guess = A_test @ np.linalg.lstsq(A, factor, rcond=None)[0]
    return 1 - np.mean((guess - factor_test)**2) / factor_test.var()


rng, n = np.random.default_rng(18), 1200
ranges = typeset.RANGES | {"slant": (-0.5, 0.5), "rotation": (-0.5, 0.5), "thickness": (-0.2, 2.5)}
made_by = {name: rng.uniform(*ends, n) for name, ends in ranges.items()} | {"typeface": np.zeros(n, int)}
fours = halved(typeset.draw(np.full(n, 4), made_by, rng)).astype(np.float32)
axes_model = train(variational(1.0, GaussianNLL(1.0, learn=True), d=5), fours[:1000], 25, 1e-2, 25)
z_vae, pca = axes_model.encode(fours), PCA(5).fit(fours[:1000])
z_pca = pca.encode(fours)
r2 = {}
print("factor          VAE, 5 numbers   PCA, 5 numbers   best single z_j of the VAE")
for name in ("slant", "rotation", "thickness", "scale", "width", "shift_right", "shift_down"):
    factor = made_by[name]
    r2[name] = [r_squared(z[:1000], factor[:1000], z[1000:], factor[1000:]) for z in (z_vae, z_pca)]
    single = [r_squared(z_vae[:1000, [j]], factor[:1000], z_vae[1000:, [j]], factor[1000:]) for j in range(5)]
    r2[name].append(max(single))
    print(f"{name:15} {r2[name][0]:14.2f} {r2[name][1]:16.2f} {max(single):14.2f} (z{np.argmax(single) + 1})")
assert min(r2["slant"][0], r2["rotation"][0], r2["thickness"][0]) > 0.7
assert max(r2["slant"][2], r2["rotation"][2]) < 0.6
assert all(r2[name][1] > r2[name][0] - 0.02 for name in ("slant", "rotation", "thickness"))
assert max(max(r2[name]) for name in ("scale", "width", "shift_right", "shift_down")) < 0.15

# %% [markdown]
# We are lucky, in part: slant, rotation and thickness can be read off the code. But 5 numbers of PCA know as
# much and a little more, and slant and rotation are spread over several z_j. Scale, width and shifts vary too
# little here and are not in the code at all. Nothing in the objective asks for more. N(0, I)
# looks the same after any rotation of the code, so the axes have no meaning of their own; that q is diagonal
# prefers some of them, but not those of the pen.

# %%
order = np.argsort(-kl_of_units(axes_model, fours[1000:]))
figure = plots.new_figure("In each row one code number moves from -2 to 2 and the others are 0, in the order of their KL. "
                          "Beside its name: the factors it is correlated with most.", 16, 9)
grid = figure.add_gridspec(5, 1)
for place, j in zip(grid, order):
    z = np.zeros((13, 5), np.float32)
    z[:, j] = np.linspace(-2, 2, 13)
    correlation = {name: np.corrcoef(z_vae[:, j], made_by[name])[0, 1] for name in r2}
    largest = sorted(correlation, key=lambda name: -abs(correlation[name]))[:2]
    title = f"z{j + 1}: " + ", ".join(f"{name} {correlation[name]:+.2f}" for name in largest)
    show_row(figure, place, title, axes_model.decode(z))
course.show(figure, "13_axes")

# %% [markdown]
# ## Collapse on a dashboard
#
# A unit of the code has *collapsed* when q(z_j|x) = N(0, 1) for every x. Neither the loss nor a sample shows
# it. The KL of each unit does, drawn against the epochs: here that of the model with 50 numbers.

# %%
history = np.array(dashboard)                                        # (epochs, 50)
busy = np.sum(history > 0.1, axis=1)
order = np.argsort(-history[-1])
print("epoch    KL in all   units with KL > 0.1   the KL of the first five units, the last five")
for epoch in (1, 2, 4, 8, len(history)):
    kl = history[epoch - 1][order]
    ends = " ".join(f"{value:5.2f}" for value in (*kl[:5], *kl[-5:]))
    print(f"{epoch:5} {kl.sum():12.2f} {busy[epoch - 1]:15}        {ends}")
collapsed = order[history[-1][order] < 0.1]
assert history[-1].sum() > history[0].sum() and 8 <= busy[-1] < (45 if FULL else 25) and (FULL or busy[-1] < 0.7 * busy[0])

# %% [markdown]
# At first every unit says a little. Then some grow, and most are given up: what they say is cheaper to say
# elsewhere. With β = 1 that is no failure, but the answer of the model to "how many?". It becomes a failure
# when a unit dies that would have been worth its price. The usual suspects: a β (or a hidden one) that is too
# large, and a decoder that has found out how to do without z before the encoder has learnt to say anything in
# it (He et al. 2019, "Lagging inference networks").
#
# ## Collapse foretold: the linear VAE
#
# For one model everything is known. Let both networks be one Dense layer, x ~ N(b + z W, σ² I), z a row. Then
# p(x) = N(b, Wᵀ W + σ² I), which is probabilistic PCA (Tipping & Bishop 1999). With the eigenvalues λ_1 ≥ λ_2
# ≥ … of the covariance of the data, the best W and σ² are known:
#
#     row j of W: √(λ_j - σ²) times eigenvector j if λ_j > σ², else 0
#     σ² learnt: the mean of the D - d eigenvalues that are dropped
#
# The true posterior is Gaussian, so a q exists that closes the gap between ELBO and log p(x). It is diagonal if
# the rows of W are orthogonal, and training turns them so. The forecast for unit j is
#
#     var μ_j(x) = 1 - σ²/λ_j,   σ_j² = σ²/λ_j,   KL_j = ½ log(λ_j/σ²)   if λ_j > σ²,   else 0, 1 and 0
#
# (Lucas et al. 2019). So the number of active units is the number of eigenvalues above σ². To train without
# noise we use that o is linear in ε: the loss is quadratic in ε, and the mean over the 2d points ε = ±√d e_j
# (e_j a unit vector) equals the mean over N(0, I), exactly. They are handed to the model as its K = 2d draws,
# and L-BFGS does the rest.

# %%
rng = np.random.default_rng(19)
D, N, true = 12, 200, np.array([8.0, 4.0, 2.5, 1.2, 0.8])
directions = np.linalg.qr(rng.standard_normal((D, D)))[0]
points = rng.standard_normal((N, 5)) * np.sqrt(true) @ directions[:5] + np.sqrt(0.4) * rng.standard_normal((N, D)) + 1
pca = PCA(D).fit(points)
eigenvalues = pca.eigenvalues


def linear_vae(d, sigma, learn):
    """Trained by L-BFGS on the exact loss. Returns the model and the points ε, (2d, N, d)."""
    rng = np.random.default_rng(20)
    model = VAE(Dense(D, 2 * d, rng=rng), Dense(d, D, rng=rng), GaussianNLL(sigma, learn=learn), DiagonalGaussian(d),
                samples=2 * d)
    corners = np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])
    epsilon = np.repeat(corners[:, None, :], N, axis=1)

    def loss_and_gradient(w):
        model.w = w
        loss = model.loss(points, noise={"epsilon": epsilon})
        return loss, model.backward().copy()

    model.w = minimize(loss_and_gradient, model.w.copy(), jac=True, method="L-BFGS-B",
                       options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-10, "gtol": 1e-6}).x
    return model, loss_and_gradient(model.w.copy())[0]


# %%
def log_normal(x, mean, covariance):
    """log N(x; mean, covariance), (N,)."""
    solved = np.linalg.solve(covariance, (x - mean).T).T
    return -0.5 * (np.sum((x - mean) * solved, axis=1) + np.linalg.slogdet(2 * np.pi * covariance)[1])


model, loss = linear_vae(4, 1.0, True)
decoder, sigma2 = model.decoder.layers[0], model.likelihood.sigma**2
exact = log_normal(points, decoder.b, decoder.W.T @ decoder.W + sigma2 * np.eye(D)).mean()
mean_dropped = eigenvalues[4:].mean()
best = -0.5 * (D * np.log(2 * np.pi) + np.log(eigenvalues[:4]).sum() + (D - 4) * np.log(mean_dropped) + D)
print(f"d = 4, σ² learnt: {sigma2:.6f}; mean of the dropped eigenvalues {mean_dropped:.6f}")
print(f"ELBO {-loss:.6f}, exact log p(x) of this model {exact:.6f}, of probabilistic PCA {best:.6f} nats; "
      f"gap {exact + loss:.1e}")
assert -1e-9 < exact + loss < 1e-3 and abs(exact - best) < 1e-3 and abs(sigma2 / mean_dropped - 1) < 0.01

# %% [markdown]
# The gap is gone, log p(x) is that of probabilistic PCA, and the learnt σ² is the mean of the dropped
# eigenvalues. Now σ² fixed at several values, with 6 units, and the forecast beside what training finds.

# %%
found_kl = []
print("eigenvalues of the data:", *(f"{value:.2f}" for value in eigenvalues))
print("   σ²   eigenvalues above   active units       KL   forecast   gap in nats")
for sigma2 in (0.5, 1.5, 6.0, 10.0):
    model, loss = linear_vae(6, np.sqrt(sigma2), False)
    decoder = model.decoder.layers[0]
    exact = log_normal(points, decoder.b, decoder.W.T @ decoder.W + sigma2 * np.eye(D)).mean()
    variances, kl = active_units(model, points), np.sort(kl_of_units(model, points))[::-1]
    above, used = np.sum(eigenvalues[:6] > sigma2), np.sum(variances > ACTIVE)
    foretold = 0.5 * np.log(np.maximum(eigenvalues[:6] / sigma2, 1))
    found_kl.append((sigma2, kl))
    print(f"{sigma2:5.1f} {above:12} {used:17} {kl.sum():13.4f} {foretold.sum():10.4f} {exact + loss:10.1e}")
    assert np.allclose(np.sort(variances)[::-1], np.maximum(1 - sigma2 / eigenvalues[:6], 0), atol=0.01)
    assert above == used and np.abs(kl - foretold).max() < 0.01 and abs(exact + loss) < 1e-3

# %% [markdown]
# Collapse, foretold to the unit and to the hundredth of a nat, and no fault of the ELBO: log p(x) itself, in
# the model with this σ², is highest when these units are off.

# %%
figure = plots.new_figure("Left: of the 50 units of a VAE on digits some grow and most are given up. Right: a linear VAE "
                          "uses just the directions of the data whose variance λ is above σ² (lines: forecast; marks: "
                          "found).", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "50 code numbers, digits", "epoch", "KL of a unit, nats")
shown = np.arange(1, len(history) + 1)
alive = np.setdiff1d(order, collapsed)
axes.plot(shown, history[:, alive], "-", linewidth=2.5, color=BLUE)
axes.plot(shown, history[:, collapsed], ":", linewidth=2.5, color=RED)
axes.plot([], [], "-", linewidth=2.5, color=BLUE, label="above 0.1 at the end")
axes.plot([], [], ":", linewidth=2.5, color=RED, label="below")
plots.whole_epochs(axes, len(history))
plots.legend_below_title(axes)
axes = plots.new_axes(figure, grid[1], "Linear VAE, 6 code numbers", "σ² of the pixels, fixed", "KL of a unit, nats")
line = np.geomspace(0.4, 12, 200)
for j in range(6):
    axes.plot(line, 0.5 * np.log(np.maximum(eigenvalues[j] / line, 1)), "-", linewidth=2, color=plots.COLOURS[j])
    axes.plot([sigma2 for sigma2, _ in found_kl], [kl[j] for _, kl in found_kl], "os^dvP"[j], markersize=10,
              color=plots.COLOURS[j], label=f"λ = {eigenvalues[j]:.2f}")
axes.set_xscale("log")
axes.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
axes.legend(fontsize=plots.TICKS)
course.show(figure, "13_collapse")

# %% [markdown]
# ## Tasks we can accomplish after training
#
# [001]'s list: draw samples, reconstruct, "generate new data sets that are like one we have already seen",
# de-noise. [004] adds gaps: if of something known "part of it is missing, you can generally fill in the
# rest". The model with 20 numbers does three of them here, on new pictures: `tasks.neighbours` draws from
# q(z|x) and decodes; `tasks.fill_in` replaces what is torn off, by drawing z ~ q(z|x) and the missing pixels
# from p(x|z) in turn; and -ELBO, the stand-in for -log p(x) ([003] §6), says which pictures are strange.
# Denoising and the use of codes with few labels are in lecture 10, for a deterministic autoencoder.

# %%
model, x_few = by_size[20], x_test[:200]
D = side**2
row_of, column_of = np.mgrid[:side, :side].reshape(2, -1)
missing = np.tile(row_of + column_of > 1.1 * side, (len(x_few), 1))        # the lower right corner, along a diagonal
torn = np.where(missing, np.nan, x_few)
chains = [tasks.fill_in(model, torn, missing, rounds=10, rng=seed) for seed in range(10)]
like = tasks.neighbours(model, x_few[:12], 2, rng=22)
guesses = {"mean picture": np.where(missing, x[:1600].mean(axis=0), x_few), "one chain": chains[0],
           "mean of ten": np.mean(chains, axis=0)}
hole = {name: np.sum(((guess - x_few)**2)[missing]) / len(x_few) for name, guess in guesses.items()}
strange = x_few.reshape(-1, side, side)[:, :, ::-1].reshape(-1, D).copy()              # as in a mirror
usual_bound, strange_bound = model.elbo(x_few, 5, 23), model.elbo(strange, 5, 23)
print(f"torn corner, squared error of its {missing[0].sum()} pixels:",
      ", ".join(f"{name} {value:.2f}" for name, value in hole.items()))
lower = np.mean(strange_bound[:, None] < usual_bound, axis=1)
symmetric = np.isin(y_test[:200], (0, 1, 8))
caught = {"all": lower.mean(), "0, 1, 8": lower[symmetric].mean(), "others": lower[~symmetric].mean()}
print(f"ELBO {usual_bound.mean():.1f} nats, of the same pictures in a mirror {strange_bound.mean():.1f}; "
      "a mirrored one has the lower of two:", ", ".join(f"{name} {value:.0%}" for name, value in caught.items()))
assert FULL or hole["one chain"] < hole["mean picture"]
assert hole["mean of ten"] < min(hole["one chain"], (0.9 if FULL else 0.8) * hole["mean picture"])
assert caught["all"] > 0.65 and caught["others"] > caught["0, 1, 8"] + (0.05 if FULL else 0.25)

# %% [markdown]
# One chain guesses better than the mean picture. That the mean of ten is better still is no merit of the
# model: the squared error of an average is never above the average of the squared errors. Of two pictures,
# one of them in a mirror, -ELBO finds the mirrored one in three cases of four. The reason for the rest is in
# the pictures: 0, 1 and 8 are nearly their own mirror images, and with these it is one in two, with the
# others nine in ten.

# %%
figure = plots.new_figure("What is grey in the second row was not known to the model. The two lowest rows are drawn from "
                          "q(z|x) of the first.", 16, 9)
rows_shown = {"pictures the model has not seen": x_few[:12], "torn": np.where(missing, 0.5, x_few)[:12],
              "filled in, mean of ten chains": guesses["mean of ten"][:12], "neighbours of the first row": like[:, 0],
              "and others": like[:, 1]}
for place, (title, images) in zip(figure.add_gridspec(len(rows_shown), 1), rows_shown.items()):
    show_row(figure, place, title, images, side)
course.show(figure, "13_tasks")

# %% [markdown]
# ## What to remember
#
# - Without the KL a VAE becomes the deterministic autoencoder: σ → 0 and the gradient is ½ ∇L_AE, the ½ from
#   the Gaussian. The KL keeps the codes where N(0, I) is, so that a draw of it decodes to something like the
#   data.
# - [001]'s pseudo-code, [004]'s listing and ours are the same function, to 12 digits, once ε is frozen.
# - For β < 1 the loss is no bound of log p(x), for β > 1 a looser one than the ELBO. Averages over pixels are a
#   hidden β of D/2: 392 for MNIST, and the 98 of our small pictures were enough to switch every unit off.
# - More code numbers help until the model has what it needs; it leaves the rest at the prior. Look at the KL of
#   each unit.
# - One draw of ε per picture is close to the best use of the work; V = (V_x + V_ε/K)/B says how close.
# - In the linear VAE collapse can be foretold: a unit for each eigenvalue above σ², and no other.
#
# ## Try it
#
# - Train with β = 0.1 and 3 in "each term". At which β does the second unit die, and at which the first?
# - Train the main example with a rate of 1e-3: how many epochs does the film need until the classes part, and
#   why do they part in this order?
# - Give the linear VAE a `FullGaussian`: the gap was 0 already, so what changes about W? (Nothing asks for
#   orthogonal rows any more.)
# - Let the slant of the fours have the range ±0.1 only. What happens to its R², and why? (Compare the variance
#   it causes with σ².)
# - `python -m numpyae exercise 13` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
