# %% [markdown]
# # 7. Autoencoders: a network that says its input again, through a narrow place
#
# An autoencoder is two networks in a row. The encoder f turns a sample x into a few numbers, the code z =
# f(x); the decoder g turns the code into a reconstruction g(z). Both are trained together to make g(f(x))
# close to x. Nobody tells them what the code should be, so no labels are needed. This lecture builds
# autoencoders, turns the four knobs that [002] names, watches a linear one become principal component
# analysis (PCA), and ends with two data sets where a bent code sees what a straight one cannot.
#
# Takes about 9 s; with `--full` about 5 minutes: handwritten digits (MNIST, 28 x 28) instead of typeset ones
# (14 x 14).

# %%
import copy

import numpy as np
from scipy.linalg import subspace_angles

from numpyae import (PCA, Adam, Autoencoder, BernoulliNLL, Dense, GradientDescent, ReLU, Regression, Sequential, Sigmoid,
                     SquaredError, TiedDense, course, datasets, fit, lbfgs, mlp, plots)

FULL = course.full()

# %% [markdown]
# ## Can we learn a latent representation of our data?
#
# A picture of a digit is a row of D pixels, but it did not need D decisions to make it. Our typeset digits
# were made from a digit, a typeface and seven numbers (slant, rotation, size, …), plus a slight random
# distortion. *Latent* means: these causes are not in the data, only their effect is. A code of a few numbers
# should do, if only we knew the mapping.
#
# The classical answer is linear. PCA writes x ≈ μ + z Vᵀ, with the mean μ and K fixed directions, the columns
# of V (D, K); no choice of directions has a smaller squared error. The data below have a total variance of
# Σ_d var(x_d), and we ask how many directions it takes to keep 90 % of it. All errors in this lecture are
# squared errors *summed over the features* of a sample and averaged over the samples.

# %%
if FULL:
    mnist = datasets.load("mnist", dtype=np.float32)
    side, H, alpha = 28, 128, 2e-3                                 # H: units of a hidden layer; alpha: the learning rate
    x, y, x_test, y_test = mnist.x[:10000], mnist.y[:10000], mnist.x_test, mnist.y_test
else:
    side, H, alpha = 14, 64, 5e-3
    pictures, labels = datasets.digits(4000, rng=np.random.default_rng(0), dtype=np.float32)
    pictures = pictures.reshape(-1, side, 2, side, 2).mean(axis=(2, 4)).reshape(-1, side * side)      # means of 2 x 2 pixels
    x, y, x_test, y_test = pictures[:3000], labels[:3000], pictures[3000:], labels[3000:]
D = side * side


def error(model, x):
    """Squared error of the reconstructions, summed over features, mean over samples."""
    return float(np.mean(np.sum((model.reconstruct(x) - x)**2, axis=1)))


eigenvalues = PCA(1).fit(x).eigenvalues
needed = 1 + np.argmax(np.cumsum(eigenvalues) >= 0.9 * eigenvalues.sum())
print(f"{D} pixels, total variance {eigenvalues.sum():.2f}; PCA needs {needed} directions for 90 % of it")
assert 15 < needed < D / 4

# %% [markdown]
# Far fewer than D, but many more than the causes. The plane of PCA is flat, and shifting or rotating a digit
# moves the picture along a *curve* in the space of pixels. So the slides ask: can we learn an arbitrary
# complex mapping f(x)? We know how to fit a function when targets are given.
#
# ## Autoencoder networks
#
# That is the problem of *unsupervised learning*: we have many data x but no related output. The idea of [000]
# is to use a second network as a decoder, and to take the input itself as the target:
#
#     z = f(x)      o = g(z)      L = 1/N Σ_n ‖x_n - g(f(x_n))‖²
#
# ([000] and [003] write y(x) = x, [002] X' = g(f(X)).) The middle layer, the *bottleneck* or *code*, has
# fewer units than the input, so the network cannot just pass x on. An early example has eight inputs and a
# code of three units (Rumelhart, Hinton & Williams 1986): the samples are the eight rows of the identity
# matrix. There is nothing linear to gain: eight corners at equal distances fill seven dimensions evenly.
# PCA's three of them keep 3/7 of the variance of 7/8, and leave an error of 1/2.

# %%
corners = np.eye(8)
rng = np.random.default_rng(2)
small = Autoencoder(mlp([8, 3], output=Sigmoid, rng=rng), Dense(3, 8, rng=rng), BernoulliNLL())
before = error(small, corners)
lbfgs(small, corners, iterations=200, tolerance=0)

z = small.encoder.forward(corners)                                 # the two halves, one after the other
o = small.decoder.forward(z)
print("code of each sample:", *("".join(f"{value:.0f}" for value in code) for code in z))
by_pca = error(PCA(3).fit(corners), corners)
print(f"squared error: before {before:.3f}, after {error(small, corners):.1e}; PCA with 3 numbers {by_pca:.3f}")
assert np.array_equal(small.decode(z), small.reconstruct(corners)) and np.allclose(1 / (1 + np.exp(-o)), corners, atol=1e-3)
assert abs(by_pca - 0.5) < 1e-12 and error(small, corners) < 1e-6
assert len(np.unique(z.round(), axis=0)) == 8 and np.abs(z - z.round()).max() < 0.01

# %% [markdown]
# Nobody told the network about binary numbers. They are one way for three units to name eight things, and
# here each sample got a corner of a cube. It need not: other starts use middle values, or leave samples with
# one code.

# %%
print("start   loss in nats   different codes   farthest from 0 and 1")
starts = []
for seed in range(5):
    rng = np.random.default_rng(seed)
    attempt = Autoencoder(mlp([8, 3], output=Sigmoid, rng=rng), Dense(3, 8, rng=rng), BernoulliNLL())
    loss = lbfgs(attempt, corners, iterations=2000, tolerance=0).fun
    z = attempt.encode(corners)
    starts.append((loss, len(np.unique(z.round(2), axis=0)), np.abs(z - z.round()).max()))
    print(f"{seed:5} {loss:14.3f} {starts[-1][1]:17} {starts[-1][2]:23.2f}")
assert any(loss < 1e-6 and middle > 0.3 for loss, _, middle in starts)
assert any(loss > 0.1 and names < 8 for loss, names, _ in starts)

figure = plots.network(small)
course.show(figure, "07_encoder_decoder")

# %% [markdown]
# Now digits. `autoencoder` makes a mirrored pair of networks: [D, H, K] is an encoder with H hidden units and
# a code of K, and a decoder back through H. `train` is `fit` with Adam and a falling rate. Training needs x
# and nothing else; the labels y are not used before the last section.


# %%
def autoencoder(sizes, criterion=SquaredError, output=None, seed=0):
    """Encoder and decoder with ReLU units, mirrored: sizes from the input to the code, [D, H, K] say."""
    rng = np.random.default_rng(seed)
    encoder = mlp(sizes, hidden=ReLU, rng=rng)
    decoder = mlp(sizes[::-1], hidden=ReLU, output=output, rng=rng)
    return Autoencoder(encoder, decoder, criterion()).astype(np.float32)


def train(model, *data, epochs=10, alpha=alpha, watch=None):
    """Adam in batches of 50, its rate falling linearly towards 0; watch(model) after every epoch. Returns the History."""
    def each_epoch(model, history, optimizer):
        optimizer.alpha = alpha * (1 - history.epochs / (epochs + 1))
        if watch:
            watch(model)
    return fit(model, *data, optimizer=Adam(alpha), epochs=epochs, batch_size=50, rng=np.random.default_rng(1),
               callbacks=[each_epoch])


eight = autoencoder([D, H, 8])
train(eight, x)
error_8, pca_8 = error(eight, x_test), error(PCA(8).fit(x), x_test)
print(f"{D} pixels through 8 numbers, error on new digits: autoencoder {error_8:.2f}, PCA {pca_8:.2f}")
assert error_8 < 0.8 * pca_8

figure = plots.reconstructions(eight, x_test, (side, side), n=49)
course.show(figure, "07_reconstructions")

# %% [markdown]
# ## Autoencoders and encoder-decoders
#
# [002] warns: *not all encoder-decoder models are autoencoders*. The shape of the network does not decide,
# the target does. To see it we put each digit into a scene: a grey ground of random level, the digit a little
# brighter than the ground, noise over both. One pair of networks, built twice from the same random numbers,
# gets the same scenes, the same loss (cross-entropy, see below), the same optimizer. The only difference is
# what stands at `target`:
#
# - the scene itself: an autoencoder, unsupervised;
# - the *mask*, for each pixel whether it belongs to the digit: segmentation, as in a U-Net, supervised, since
#   somebody had to draw the masks.
#
# `Regression(network, criterion)` can do both. With the input as target it is an `Autoencoder`: the two
# losses are equal to the last digit.


# %%
def scenes(x, rng):
    """Ground 0 … 0.6, the digit 0.4 brighter, noise of 0.1. Returns the scenes (N, D) and their ground levels (N,)."""
    ground = rng.uniform(0, 0.6, (len(x), 1)).astype(np.float32)
    noise = 0.1 * rng.standard_normal(x.shape, dtype=np.float32)
    return np.clip(ground + np.float32(0.4) * x + noise, 0, 1), ground[:, 0]


rng = np.random.default_rng(0)
seen, _ = scenes(x, rng)
seen_test, ground = scenes(x_test, rng)
masks, masks_test = ((part > 0.5).astype(np.float32) for part in (x, x_test))

outputs = {}
for name, target in (("scene", seen), ("mask", masks)):
    parts = autoencoder([D, H, 16], BernoulliNLL)
    network = Sequential(*copy.deepcopy(parts.encoder.layers), *copy.deepcopy(parts.decoder.layers))
    model = Regression(network, BernoulliNLL())
    if name == "scene":
        assert model.loss(seen[:50], seen[:50]) == parts.loss(seen[:50])
    train(model, seen, target)
    outputs[name] = model.predict(seen_test)

# %% [markdown]
# Three numbers for each: how far the output is from the scene, how far it follows the ground (the slope of
# its median pixel against the ground's level: 1 is a copy, 0 ignores it), and the share of pixels where
# "output > ½" is the mask. Most pixels are not in the mask, so an all-black output already has most of them
# right; only the mask network has more.

# %%
print("target   squared error to the scene   follows the ground   pixels of the mask right")
measured = {}
for name, output in {**outputs, "(input)": seen_test, "(black)": np.zeros_like(seen_test)}.items():
    off = np.mean(np.sum((output - seen_test)**2, axis=1))
    follows = np.polyfit(ground, np.median(output, axis=1), 1)[0]
    right = np.mean((output > 0.5) == (masks_test > 0.5))
    measured[name] = off, follows, right
    print(f"{name:8} {off:18.2f} {follows:26.2f} {100 * right:22.1f} %")
assert measured["scene"][0] < measured["mask"][0] / 4
assert measured["scene"][1] > 0.9 and abs(measured["mask"][1]) < 0.02
assert measured["mask"][2] > measured["(black)"][2] + 0.05 and measured["(black)"][2] > measured["scene"][2]


def page(*rows):
    """Rows of pictures, each (n, D), as one picture."""
    return np.vstack([np.hstack([np.pad(image.reshape(side, side), 1, constant_values=1) for image in row]) for row in rows])


figure = plots.new_figure("Same layers, same input, same loss. Only the target differs: what went in (second row), "
                          "or what belongs to the digit (third).", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "What is not an autoencoder")
rows = {"input": seen_test, "target: the input\n(autoencoder)": outputs["scene"],
        "target: the mask": outputs["mask"], "true mask": masks_test}
axes.imshow(page(*(images[:7] for images in rows.values())), cmap="gray", vmin=0, vmax=1)
axes.set_yticks((np.arange(4) + 0.5) * (side + 2), rows.keys(), fontsize=plots.TEXT)
axes.set_xticks([])
course.show(figure, "07_not_an_autoencoder")

# %% [markdown]
# The mask network has thrown the ground away because its target does not need it; the autoencoder kept it
# because its target is everything. The features in a code depend on what the code is for.
#
# ## First hyperparameter: code size
#
# [002] names four things to choose before training. The first is the number K of units in the bottleneck:
# *smaller code size, higher compression*. Here [D, H, K] for growing K, trained for 10 epochs each, with PCA
# of the same K beside it. The error is on new digits, as in all these figures.

# %%
code_sizes = [1, 2, 4, 8, 16, 32, 64]
by_code = []
for K in code_sizes:
    model = eight if K == 8 else autoencoder([D, H, K])
    if K != 8:
        train(model, x)
    by_code.append((error(model, x_test), error(PCA(K).fit(x), x_test)))
by_code = np.array(by_code)
print("code size  ", *(f"{K:6}" for K in code_sizes))
print("autoencoder", *(f"{value:6.2f}" for value in by_code[:, 0]))
print("PCA        ", *(f"{value:6.2f}" for value in by_code[:, 1]))
assert np.all(np.diff(by_code[:6, 0]) < 0)
assert np.all(by_code[1:4, 0] < 0.9 * by_code[1:4, 1]) and by_code[-1, 1] < by_code[-1, 0]
best = set(np.argsort(by_code[:, 0] / by_code[:, 1])[:2])
assert best == ({3, 4} if FULL else {2, 3})

figure = plots.new_figure("A narrow code gains by bending. With a wide code a short training does not even reach "
                          "PCA.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Code size", "numbers in the code, K", "squared error on new digits")
axes.loglog(code_sizes, by_code[:, 0], "o-", linewidth=3, markersize=10, color=plots.COLOURS[0],
            label=f"autoencoder {D}-{H}-K-{H}-{D}")
axes.loglog(code_sizes, by_code[:, 1], "s--", linewidth=3, markersize=10, color=plots.COLOURS[2], label="PCA")
axes.set_xticks(code_sizes, code_sizes)
axes.minorticks_off()
ticks = [value for value in (0.2, 0.5, 1, 2, 5, 10, 20, 40) if by_code.min() < value < by_code.max()]
axes.set_yticks(ticks, ticks)
axes.grid(color="0.9")
plots.legend_above(axes)
course.show(figure, "07_code_size")

# %% [markdown]
# Two lessons. With few numbers the autoencoder is ahead, most of all with 4 and 8 of them (MNIST: 8 and 16):
# one number is too few for both. With many it is behind: PCA finds the best plane exactly, and a network with
# H hidden units, trained briefly, has to approximate it by bending and unbending. A baseline that costs
# nothing belongs beside every autoencoder.
#
# ## Second hyperparameter: number of layers
#
# *The autoencoder can be as deep as we like.* The code stays at 8; the encoder gets 0, 1, 2, 3 or 5 hidden
# layers of H units, the decoder as many. None is the linear autoencoder.

# %%
depths = [0, 1, 2, 3, 5]
by_depth = []
for depth in depths:
    model = eight if depth == 1 else autoencoder([D] + [H] * depth + [8])
    if depth != 1:
        train(model, x)
    by_depth.append(error(model, x_test))
    print(f"{depth} hidden layers each way, {model.w.size:7} weights: {by_depth[-1]:5.2f}, training {error(model, x):5.2f}")
assert by_depth[0] > pca_8 * 0.999                                 # no bends, no gain
assert by_depth[0] - by_depth[1] > 0.75 * (by_depth[0] - min(by_depth))
assert max(by_depth[1:4]) < 0.8 * by_depth[0] and by_depth[4] > 1.1 * min(by_depth)
assert error(model, x) > 1.05 * error(eight, x)

figure = plots.new_figure("One hidden layer makes the difference. More of them help little in 10 epochs, and five "
                          "are harder to train.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Number of layers",
                      "hidden layers in the encoder, and in the decoder", "squared error on new digits")
axes.plot(depths, by_depth, "o-", linewidth=3, markersize=12, color=plots.COLOURS[0],
          label=f"autoencoder, {H} units per layer, code of 8")
axes.axhline(pca_8, linestyle="--", linewidth=3, color=plots.COLOURS[2], label="PCA with 8 numbers")
axes.set_xticks(depths)
axes.set_ylim(0, 1.1 * max(pca_8, *by_depth))
axes.grid(color="0.9")
plots.legend_above(axes)
course.show(figure, "07_layers")

# %% [markdown]
# Depth 0 cannot be better than PCA, and is not. The first hidden layer brings most of the gain. Five layers
# each way contain the function that one layer computes, and still end higher, on the training data too: what a
# network *can* represent and what training *finds* are two questions. Lecture 9 trains deep ones, with care.
#
# ## Third hyperparameter: number of nodes per layer
#
# How wide should the layers be? The usual shape is a "sandwich": narrower towards the code, wider again
# behind it. [002] adds that this is not necessary, *we have total control*. We try one hidden layer of
# growing width, then two layers both ways round: the wide one outside, and the wide one inside.

# %%
shapes = [[H // 4], [H // 2], [H], [2 * H], [H, H // 2], [H // 2, H]]
by_shape = []
for hidden in shapes:
    model = eight if hidden == [H] else autoencoder([D, *hidden, 8])
    if hidden != [H]:
        train(model, x)
    by_shape.append((model.w.size, error(model, x_test)))
    print(f"{'-'.join(map(str, [D, *hidden, 8])):14} {by_shape[-1][0]:7} weights: {by_shape[-1][1]:5.2f}")
weights, errors = np.array(by_shape).T
weights /= 1000
one_layer = np.interp(weights[4:], weights[:4], errors[:4])          # with as many weights
print("two layers against one with as many weights:", *(f"{100 * ratio:+.0f} %" for ratio in errors[4:] / one_layer - 1))
assert np.all(np.diff(errors[:4]) < 0) and errors[4] < errors[5] and np.abs(errors[4:] / one_layer - 1).max() < 0.18
assert np.all((errors[4:] < one_layer) == FULL)

figure = plots.new_figure("Wider is better, at the price of more weights. Two layers, either way round, lie near "
                          "the curve of one.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Number of nodes per layer",
                      "weights in encoder and decoder (thousands)", "squared error on new digits")
axes.plot(weights[:4], errors[:4], "o-", linewidth=3, markersize=12, color=plots.COLOURS[0], label="one hidden layer")
axes.plot(weights[4:5], errors[4:5], "v", markersize=16, color=plots.COLOURS[2], label="two, narrower towards the code")
axes.plot(weights[5:], errors[5:], "^", markersize=16, color=plots.COLOURS[4], label="two, wider towards the code")
for size, value, hidden in zip(weights, errors, shapes):
    axes.annotate("-".join(map(str, hidden)), (size, value), xytext=(10, 10), textcoords="offset points",
                  fontsize=plots.TEXT)
axes.set_ylim(0, 1.15 * errors.max())
axes.set_xlim(0, 1.15 * weights.max())
axes.grid(color="0.9")
plots.legend_above(axes)
course.show(figure, "07_nodes")

# %% [markdown]
# Width pays, with less and less return. The sandwich wins over its reverse, but it also has more weights: the
# layer next to the D pixels is the expensive one. Beside a single hidden layer with as many weights, two
# layers lose 9 and 4 % on the typeset digits and gain 2 and 5 % on MNIST.
#
# ## Fourth hyperparameter: loss function
#
# [002]'s rule: *if the input values are in the range [0, 1] then we typically use crossentropy, otherwise we
# use the mean squared error*. With o = σ(a), where a is the last pre-activation of a pixel and σ the logistic
# function,
#
#     squared error   (o - t)²                            ∂/∂a = 2 (o - t) o (1 - o)
#     cross-entropy   -t log o - (1 - t) log(1 - o)       ∂/∂a = o - t
#
# The factor o (1 - o) of the first line is the reason for the rule. A pixel that should be 1 and is surely 0
# has the largest possible error and hardly any gradient.

# %%
a = np.linspace(-8, 8, 161)[:, None]
white = np.ones_like(a)
sigmoid, squared, entropy = Sigmoid(), SquaredError(), BernoulliNLL()
squared.forward(sigmoid.forward(a), white)
slope_squared = sigmoid.backward(squared.backward(np.ones(len(a))))
entropy.forward(a, white)                                          # takes logits: the sigmoid is inside
slope_entropy = entropy.backward(np.ones(len(a)))
where = np.argmin(np.abs(a + 6))
print(f"white pixel, a = -6: slope of the squared error {slope_squared[where, 0]:.4f}, "
      f"of the cross-entropy {slope_entropy[where, 0]:.4f}")
assert abs(slope_squared[where, 0]) < 0.01 < 0.99 < abs(slope_entropy[where, 0])

# %% [markdown]
# Now three autoencoders of the same size: a linear output with the squared error (as above), a logistic
# output with the squared error, a logistic output with cross-entropy. Losses of different kinds cannot be
# compared, so we compare the squared error of all three on new digits, also of the one that was not trained
# for it.

# %%
variants = {"linear output, squared error": (SquaredError, None), "logistic output, squared error": (SquaredError, Sigmoid),
            "logistic output, cross-entropy": (BernoulliNLL, None)}
paths, outside = {}, {}
for name, (criterion, output) in variants.items():
    paths[name] = []
    model = autoencoder([D, H, 8], criterion, output)
    train(model, x, watch=lambda model: paths[name].append(error(model, x_test)))
    made = model.reconstruct(x_test)
    outside[name] = np.mean((made < 0) | (made > 1))
    print(f"{name:31} squared error {paths[name][-1]:5.2f}, pixels outside [0, 1]: {100 * outside[name]:4.1f} %")
ends = [path[-1] for path in paths.values()]
assert max(ends) < 1.2 * min(ends) and ends[2] < 0.97 * ends[0]
assert list(outside.values())[0] > 0.3 and list(outside.values())[1:] == [0, 0]

# %% [markdown]
# On digits the choice matters less than the rule suggests. Cross-entropy is a little better even in the
# *other's* measure (2.41 against 2.60), and its outputs are always possible grey levels, while a linear
# output leaves the range in a third of the pixels. Two warnings. Cross-entropy makes no sense for data
# outside [0, 1], and says so. And with grey pixels it does not fall to 0: its minimum, at o = t, is the
# entropy of the pixels.

# %%
moons, _ = datasets.two_moons(100, rng=np.random.default_rng(0))     # from about -1 to 2
try:
    fit(Autoencoder(Dense(2, 1), Dense(1, 2), BernoulliNLL()), moons, optimizer=Adam(), epochs=1, batch_size=50)
    refused = ""
except ValueError as problem:
    refused = str(problem)
print(refused)
assert "targets must lie in [0, 1]" in refused

t = np.clip(x_test.astype(np.float64), 1e-12, 1 - 1e-12)
floor = np.mean(np.sum(-t * np.log(t) - (1 - t) * np.log(1 - t), axis=1))
reached = model.loss(x_test)
print(f"cross-entropy on new digits: {reached:.1f} nats, of which {floor:.1f} cannot be avoided")
assert 5 < floor < reached

figure = plots.new_figure("Left: where a logistic unit is surely wrong (a ≪ 0) the squared error does not push. "
                          "Right: all three learn the digits.", 16, 9)
grid = figure.add_gridspec(1, 2)
axes = plots.new_axes(figure, grid[0], "Slope for a pixel that should be 1", "pre-activation a of the output", "-∂loss/∂a")
axes.plot(a, -slope_squared, "--", linewidth=3, color=plots.COLOURS[2], label="squared error of σ(a)")
axes.plot(a, -slope_entropy, "-", linewidth=3, color=plots.COLOURS[0], label="cross-entropy")
axes.grid(color="0.9")
axes.legend(fontsize=plots.TICKS)
axes = plots.new_axes(figure, grid[1], "Three autoencoders, one measure", "epoch", "squared error on new digits")
for k, (name, path) in enumerate(paths.items()):
    axes.plot(np.arange(1, len(path) + 1), path, ("s--", "^:", "o-")[k], linewidth=3, markersize=8,
              color=plots.COLOURS[(2, 4, 0)[k]], label=name)
axes.grid(color="0.9")
axes.set_ylim(0)
axes.legend(fontsize=plots.TICKS)
course.show(figure, "07_loss_function")

# %% [markdown]
# ## A linear autoencoder is PCA
#
# [002] remarks that with linear units and the squared error *the autoencoder learns to span the same subspace
# as PCA*. This is a theorem (Baldi & Hornik 1989): let λ_1 ≥ λ_2 ≥ … be the eigenvalues of the covariance of
# the data. Then the smallest loss that a linear encoder and decoder with K code units can have is
#
#     L_min = λ_K+1 + λ_K+2 + … + λ_D        (the dropped eigenvalues)
#
# the decoder then spans the plane of PCA, and there is no other local minimum, only saddle points. So
# gradient descent gets there, from almost any start. How far apart two planes are is said by their *principal
# angles*; we watch the largest one, in radians, during training. Both planes have 3 dimensions in a space of
# 8, and the data are Gaussian.

# %%
rng = np.random.default_rng(0)
turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))                    # a random rotation
cloud = rng.normal(size=(500, 8)) * np.sqrt([4, 3, 2, 1, 0.7, 0.5, 0.4, 0.3]) @ turn.T
cloud -= cloud.mean(axis=0)
pca = PCA(3).fit(cloud)
dropped = pca.eigenvalues[3:].sum()
print("eigenvalues:", pca.eigenvalues.round(3), f" dropped: {dropped:.6f}")


def linear(tied, dense=Dense, tied_dense=TiedDense, D=8, K=3):
    """A linear autoencoder, with one matrix for both ways or with two."""
    rng = np.random.default_rng(1)
    encoder = dense(D, K, rng=rng)
    return Autoencoder(encoder, tied_dense(encoder) if tied else dense(K, D, rng=rng), SquaredError())


def directions(model):
    """What the decoder can reach: the K directions of its matrix, as columns (D, K)."""
    layer = model.decoder.layers[0]
    return layer.dense.W if isinstance(layer, TiedDense) else layer.W.T


def angle_to(plane, model):
    """The largest principal angle between a plane, (D, K), and the decoder's, in radians."""
    return subspace_angles(directions(model), plane).max()


def watch(model, history, optimizer):
    path.append(angle_to(pca.components, model))


angles, excess = {}, {}
for tied in (False, True):
    model = linear(tied)
    path = [angle_to(pca.components, model)]
    history = fit(model, cloud, optimizer=GradientDescent(0.02), epochs=1000, batch_size=500, rng=0, callbacks=[watch])
    name = "tied" if tied else "untied"
    angles[name], excess[name] = np.array(path), np.append(history.loss, model.loss(cloud)) / dropped - 1
    print(f"{name:6}: angle {path[0]:.2f} rad at the start, {path[-1]:.1e} after 1000 steps (below 1e-3 after "
          f"{np.argmax(angles[name] < 1e-3)}); loss / dropped eigenvalues = {1 + excess[name][-1]:.9f}")
    assert path[0] > 1 and path[-1] < 1e-3 and abs(excess[name][-1]) < 1e-6
assert np.argmax(angles["tied"] < 1e-3) < np.argmax(angles["untied"] < 1e-3)
for name, start, end in (("untied", 600, 900), ("tied", 200, 300)):
    decades = [np.log10(curve[start] / curve[end]) for curve in (angles[name], excess[name])]
    print(f"{name:6}: steps {start} to {end}, angle down by {decades[0]:.2f} powers of ten, loss by {decades[1]:.2f}")
    assert 1.8 < decades[1] / decades[0] < 2.2

# %% [markdown]
# In the end the curves below are straight lines on a logarithmic axis: the angle shrinks by the same factor
# in every step. The loss comes down twice as fast, since near a minimum it grows with the square of the
# distance. Tied or not, the end is the same. Only the *plane* is PCA's. Within it an untied decoder may use
# any three directions, neither orthogonal nor of length 1; with tied weights W encodes and Wᵀ decodes, their
# product must be the projection on the plane, and then W has orthonormal columns, but not PCA's. L-BFGS, which
# uses curvature, needs a few dozen iterations for the same.

# %%
for tied in (False, True):
    model = linear(tied)
    result = lbfgs(model, cloud, tolerance=0)
    angle = angle_to(pca.components, model)
    W = directions(model)
    skew = np.abs(W.T @ W - np.eye(3)).max()
    off = abs(result.fun / dropped - 1)
    print(f"L-BFGS, {'tied' if tied else 'untied':6}: {result.nit} iterations, angle {angle:.1e} rad, loss off by "
          f"{off:.1e}, columns from orthonormal {skew:.1e}")
    assert angle < 1e-6 and off < 1e-12
    assert skew < 1e-6 if tied else skew > 0.01
print("tied: |cosine| of each column with the nearest axis of PCA:", np.abs(W.T @ pca.components).max(axis=1).round(2))
assert np.abs(W.T @ pca.components).max(axis=1).min() < 0.95

figure = plots.new_figure("Gradient descent finds the plane of PCA, and the loss lands on the sum of the dropped "
                          "eigenvalues, until rounding (the ragged end).", 16, 9)
grid = figure.add_gridspec(1, 2)
panels = (("Decoder against PCA", "largest principal angle (rad)", angles),
          ("Loss above its minimum", "loss / dropped eigenvalues - 1", excess))
for place, (title, label, curves) in zip(grid, panels):
    axes = plots.new_axes(figure, place, title, "step", label)
    for name, style, colour in (("untied", "-", plots.COLOURS[0]), ("tied", "--", plots.COLOURS[2])):
        axes.semilogy(np.maximum(curves[name], 1e-16), style, linewidth=3, color=colour, label=name)
    axes.grid(color="0.9")
    plots.legend_above(axes)
course.show(figure, "07_linear_is_pca")

# %% [markdown]
# PCA subtracts the mean. An autoencoder does it with its biases, and that is why they cannot be left out. We
# move the cloud away from the origin. With biases nothing changes. Without, the plane must contain the
# origin: the network finds the best plane *through the origin*, that of the uncentred moments 1/N XᵀX, whose
# first direction points nearly at the mean. A layer without biases is one whose biases, at 0 in the
# beginning, never get a gradient.


# %%
class WithoutBiases(Dense):
    def backward(self, delta, input_gradient=True):
        dx = super().backward(delta, input_gradient)
        self.db[:] = 0
        return dx


class TiedWithoutBiases(TiedDense):
    def backward(self, delta):
        dx = super().backward(delta)
        self.db[:] = 0
        return dx


moved = cloud + 1.0
_, S, V = np.linalg.svd(moved, full_matrices=False)
through_origin = np.sum(S[3:]**2) / len(moved)
print("away from the origin            loss   angle to PCA   angle to the plane through the origin")
for tied in (False, True):
    for biases, kinds in ((True, (Dense, TiedDense)), (False, (WithoutBiases, TiedWithoutBiases))):
        model = linear(tied, *kinds)
        loss = lbfgs(model, moved, iterations=1000, tolerance=0).fun
        to_pca, to_origin = angle_to(pca.components, model), angle_to(V[:3].T, model)
        name = f"{'tied' if tied else 'untied'}, {'with' if biases else 'without'} biases"
        print(f"{name:24} {loss:11.6f} {to_pca:14.1e} {to_origin:18.1e}")
        assert abs(loss / (dropped if biases else through_origin) - 1) < 1e-9
        assert (to_pca < 1e-5 and to_origin > 0.1) if biases else (to_pca > 0.1 and to_origin < 1e-5)
assert through_origin > 1.3 * dropped

# %% [markdown]
# The picture of it, in two dimensions with a code of one number.

# %%
ellipse = np.random.default_rng(3).normal(size=(300, 2)) * [1.5, 0.3] @ np.array([[0.6, -0.8], [0.8, 0.6]]) + [4, 2.5]
figure = plots.new_figure("With biases the line of the autoencoder is that of PCA. Without them it has to go "
                          "through the origin, and points nearly at the mean.", 10.5, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "What missing biases do", "first feature x₁", "second feature x₂")
axes.plot(*ellipse.T, "o", markersize=6, alpha=0.5, color=plots.COLOURS[3], label="data")
lines = {}
for name, kind, style, colour in (("with biases", Dense, "-", plots.COLOURS[0]),
                                  ("without biases", WithoutBiases, "--", plots.COLOURS[2])):
    model = linear(False, kind, D=2, K=1)
    lbfgs(model, ellipse, tolerance=0)
    lines[name] = directions(model)
    z = model.encode(ellipse)
    if kind is WithoutBiases:
        z = np.append(z, [[0.0]], axis=0)                          # draw the line from the origin
    ends = model.decode(z[[z.argmin(), z.argmax()]])
    axes.plot(*ends.T, style, linewidth=4, color=colour, label=f"{name}: error {error(model, ellipse):.2f}")
line, mean = PCA(1).fit(ellipse).components, ellipse.mean(axis=0)[:, None]
axes.plot(*(mean + line * [-4.6, 4.6]), "k:", linewidth=1.5, label="PCA")
axes.plot(0, 0, "k+", markersize=18, markeredgewidth=3, label="origin")
axes.set_aspect("equal")
axes.set(xlim=(-1, 7.5), ylim=(-1.5, 7))
axes.legend(fontsize=plots.TICKS, loc="upper right")
course.show(figure, "07_biases")
assert subspace_angles(lines["without biases"], mean).max() < 0.05
assert subspace_angles(lines["with biases"], line).max() < 1e-5 < 0.5 < subspace_angles(lines["without biases"], line).max()

# %% [markdown]
# ## Two moons through one number
#
# Where must a linear code fail? [003]'s example is the two-moon data set: points on two half circles in the
# plane, described by one number each (where on which moon), but on no line. Both features are divided by
# their standard deviation first. The encoder maps the plane to one number; the decoder maps that number back
# into the plane, so everything it can produce is *one curve*.

# %%
x_moons, moon = datasets.two_moons(1000, rng=np.random.default_rng(0))
moons_test, moon_test = datasets.two_moons(1000, rng=np.random.default_rng(1))
mean, deviation = x_moons.mean(axis=0), x_moons.std(axis=0)
x_moons, moons_test = (x_moons - mean) / deviation, (moons_test - mean) / deviation

straight = PCA(1).fit(x_moons)
rng = np.random.default_rng(0)
bent = Autoencoder(mlp([2, 32, 32, 1], hidden=ReLU, rng=rng), mlp([1, 32, 32, 2], hidden=ReLU, rng=rng), SquaredError())
train(bent, x_moons, epochs=150, alpha=1e-2)


def vote(z, y, z_test, k=5):
    """For each test code the class that most of its k nearest training codes have."""
    classes = []
    for start in range(0, len(z_test), 500):
        part = slice(start, start + 500)
        distance = sum((z_test[part, d, None] - z[:, d])**2 for d in range(z.shape[1]))           # (500, N)
        nearest = np.argpartition(distance, k, axis=1)[:, :k]
        votes = (y[nearest][:, :, None] == np.arange(10)).sum(axis=1)                             # (500, 10)
        classes.append(votes.argmax(axis=1))
    return np.concatenate(classes)


moon_errors = {}
for name, model in (("PCA", straight), ("autoencoder", bent)):
    confused = np.mean(vote(model.encode(x_moons), moon, model.encode(moons_test)) != moon_test)
    moon_errors[name] = error(model, moons_test)
    print(f"{name:12} squared error on new points {moon_errors[name]:.4f}, {100 * confused:4.1f} % taken for the other moon")
    assert confused < 0.01 if name == "autoencoder" else confused > 0.05
noise = np.mean((0.05 / deviation)**2)                             # variance in one direction, mean over both axes
print(f"variance of the noise in one direction: {noise:.4f}")
assert moon_errors["autoencoder"] < 3 * noise
assert 0.5 < moon_errors["PCA"] < 0.65 and moon_errors["autoencoder"] < 0.1 * moon_errors["PCA"]

# %% [markdown]
# The error is far below a tenth of PCA's, and not much is left to gain: noise across the moons cannot go into
# a code that says where *along* them a point is. In the figure the curve is what the decoder makes of all
# codes between the smallest and the largest, coloured by the code. It runs along one moon, crosses over, and
# runs along the other. The crossing is the price of one connected curve for two separate moons: no data lie
# there.

# %%
z = bent.encode(x_moons)
line = np.linspace(z.min(), z.max(), 2000)[:, None]
curve = bent.decode(line)
gap = np.sqrt(((curve[:, None] - x_moons[None])**2).sum(axis=2).min(axis=1))
print(f"the farthest point of the curve from any data: {gap.max():.2f} standard deviations")
assert gap.max() > 0.25

figure = plots.new_figure("PCA has only a line, on which the moons overlap. The autoencoder bends its line through "
                          "both, and the code tells them apart.", 16, 9)
grid = figure.add_gridspec(2, 2, height_ratios=[2.4, 1])
for column, (name, model) in enumerate((("PCA", straight), ("Autoencoder 2-32-32-1-32-32-2", bent))):
    axes = plots.new_axes(figure, grid[0, column], f"{name}: squared error {error(model, moons_test):.3f}",
                          "x₁ (standard deviations)", "x₂ (standard deviations)")
    for label, marker in ((0, "o"), (1, "^")):
        axes.plot(*x_moons[moon == label].T, marker, markersize=5, color=plots.COLOURS[(8, 5)[label]], alpha=0.35)
    codes = model.encode(x_moons)
    line = np.linspace(codes.min(), codes.max(), 2000)[:, None]
    axes.scatter(*model.decode(line).T, c=line, s=30, cmap="viridis")
    for value in np.linspace(codes.min(), codes.max(), 9):
        at = model.decode(np.array([[value]]))[0]
        axes.text(*at, f"{value:.1f}", fontsize=plots.TICKS, ha="center", va="center",
                  bbox={"facecolor": "white", "edgecolor": "0.5", "pad": 1.5})
    axes = plots.new_axes(figure, grid[1, column], "", "code z", "points")
    bins = np.linspace(codes.min(), codes.max(), 61)
    for label, style in ((0, "-"), (1, "--")):
        axes.hist(codes[moon == label, 0], bins, histtype="step", linewidth=2.5, linestyle=style,
                  color=plots.COLOURS[(8, 5)[label]], label=f"{('upper', 'lower')[label]} moon")
    axes.legend(fontsize=plots.TICKS, loc="upper left", bbox_to_anchor=(0, 1.25), ncols=2, frameon=False)
course.show(figure, "07_two_moons")

# %% [markdown]
# ## Digits as two numbers
#
# The same with digits, as in [002], which reduces 784 pixels to two codings: not very realistic, but one can
# look at them. Deep encoder, two numbers, and now for the first time the labels, to colour the points and to
# ask how well two numbers tell the classes apart: each new digit is given the class that most of its 5
# nearest training codes have (k nearest neighbours). Neither PCA nor the autoencoder has seen a label.

# %%
if FULL:
    x, y = mnist.x, mnist.y                                        # all 60 000
    scale = error(PCA(30).fit(x), x_test)
    print(f"PCA with 30 numbers on MNIST, squared error on the test set: {scale:.2f} (published: 13.87)")
    assert abs(scale - 13.9) < 0.1                                 # the scale on which the literature counts

flat = PCA(2).fit(x)
deep = autoencoder([D, 500, 250, 60, 2] if FULL else [D, 128, 64, 32, 2])
train(deep, x, epochs=20 if FULL else 30)
codes, two = {}, {}
for name, model in (("PCA", flat), ("Autoencoder", deep)):
    codes[name] = model.encode(x_test)
    said = vote(model.encode(x), y, codes[name])
    two[name] = error(model, x_test), np.mean(said != y_test)
    print(f"{name:12} squared error {two[name][0]:6.2f}, class wrong by 5 nearest neighbours {100 * two[name][1]:4.1f} %")
wrong = said[np.isin(y_test, [3, 5, 8]) & (said != y_test)]
confused = np.isin(wrong, [3, 5, 8]).sum()
print(f"of {len(wrong)} digits 3, 5 and 8 that the autoencoder's codes get wrong, {confused} are taken for 3, 5 or 8")
assert FULL or confused > 0.7 * len(wrong)
assert two["Autoencoder"][0] < 0.8 * two["PCA"][0] and two["Autoencoder"][1] < 0.6 * two["PCA"][1]

figure = plots.new_figure("Each point is a new digit, coloured by its class, which neither method was told (the "
                          "outermost 12 % are left out). Two bent numbers keep the classes apart better than "
                          "two straight ones.", 16, 9)
grid = figure.add_gridspec(1, 2)
for place, (name, code) in zip(grid, codes.items()):
    axes = plots.new_axes(figure, place, f"{name}: {100 * two[name][1]:.0f} % wrong", "z₁", "z₂")
    low, high = np.percentile(code, [3, 97], axis=0)
    inner = np.all((code > low) & (code < high), axis=1)           # a few codes far out would shrink the others to a dot
    assert FULL or abs(1 - inner.mean() - 0.12) < 0.01
    plots.show_classes(axes, code[inner][:3000], y_test[inner][:3000])
    if name == "PCA":
        axes.get_legend().remove()
course.show(figure, "07_two_numbers")

# %% [markdown]
# The autoencoder's classes lie in arms and patches, PCA's in one cloud that overlaps in its middle. This is
# what [002] means by *autoencoders provide nonlinear generalizations of PCA*. But a code is not made for
# classes: 3, 5 and 8 look alike, so they lie together, and nothing in the loss pulls them apart. And nothing
# in the loss fills the empty places between the arms. What the decoder makes of codes from there is the
# subject of lecture 8, and the reason for variational autoencoders.
#
# ## What to remember
#
# - An autoencoder is an encoder and a decoder trained to give the input back. The target decides: the same
#   layers with another target are not an autoencoder.
# - The code is narrow so that copying is impossible. With few numbers a bent code is ahead of PCA; with many
#   PCA may win.
# - Code size, number of layers, nodes per layer, loss function are chosen by looking at an error on new data,
#   not by a rule.
# - Cross-entropy for data in [0, 1], because its slope does not vanish where a logistic output is surely
#   wrong; squared error for everything else.
# - A linear autoencoder is PCA: same plane, loss equal to the dropped eigenvalues. Not the same axes. And
#   only with biases, or with centred data.
# - The decoder of a K-number code draws a K-dimensional sheet through the data. Two moons need a curve, and a
#   line will not do.
#
# ## Try it
#
# - In "A linear autoencoder is PCA" set the eigenvalues 2 and 1 to 1.5 and 1.4. What happens to the number of
#   steps, and why does the gap between λ_K and λ_K+1 decide it?
# - Give the two moons a code of two numbers. What is the error now, and what has the network learnt? (Lecture
#   8 begins there.)
# - Train the two-moon autoencoder with Tanh instead of ReLU and with other seeds. Draw the curves of those
#   that end high: where do they cross?
# - Leave the activations out of `autoencoder`. Which of the four figures of hyperparameters become flat
#   lines, and where?
# - `python -m numpyae exercise 7` writes the exercises of this lecture, functions without a body: fill them in, then
#   `python -m numpyae grade exercises` says what is right.
