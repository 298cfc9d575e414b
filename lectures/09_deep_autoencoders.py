# %% [markdown]
# # 9. Deep autoencoders: codes that no straight line can give
#
# An autoencoder is an encoder z = f(x) that turns a sample x into a few code numbers z, and a decoder g that
# makes x again of them. With one linear layer each it can only do what PCA does, the best linear code
# (lecture 7). This lecture stacks eight to twelve layers of weights and asks what that buys, with the two
# examples of [000]: pictures, and texts. Then it asks why such nets were thought impossible to train until
# 2006, what "layer by layer" pre-training did about it, and whether it is needed. Every number stands beside
# that of a linear method with as many code numbers.
#
# Takes about 11 s; with `--full` about an hour on one core: curves of 28 x 28 pixels, real faces
# (Olivetti), 18 000 messages (20 newsgroups), and the handwritten digits (MNIST), the last in the network of
# the paper.

# %%
import math

import numpy as np

from numpyae import (ELU, PCA, Adam, Autoencoder, BernoulliNLL, Dense, Dropout, GradientDescent, MaskingNoise, Nesterov,
                     Regression, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, SquaredError, course, datasets, fit, mlp,
                     plots)
from numpyae.datasets.generated import curves, mirrored, shifted
from numpyae.pretraining import classifier, stack_denoisers, stack_rbms, unroll

FULL = course.full()


def train(model, *data, alpha, epochs, batch_size, rng, each_epoch=None):
    """Adam, its rate falling from alpha to almost 0 along half a cosine."""
    def cool(model, history, optimizer):
        optimizer.alpha = alpha * (0.5 + 0.5 * math.cos(math.pi * history.epochs / epochs)) + 1e-6

    fit(model, *data, optimizer=Adam(alpha), epochs=epochs, batch_size=batch_size, rng=rng, each_epoch=each_epoch,
        callbacks=[cool])


def error(model, x):
    """Squared error, summed over features, mean over samples; in blocks, since a deep network keeps all its layers."""
    blocks = np.array_split(x, max(1, len(x) // 1000))
    return float(sum(np.sum((model.reconstruct(block) - block)**2) for block in blocks) / len(x))


def halved(x, side):
    """Pictures (N, side²) with half the pixels in each direction: means of 2 x 2."""
    half = side // 2
    return np.ascontiguousarray(x.reshape(-1, half, 2, half, 2).mean(axis=(2, 4)).reshape(-1, half * half))


# %% [markdown]
# ## Autoencoder example: face compression
#
# The slide shows a row of faces, the same faces after a deep autoencoder, and after PCA (Hinton &
# Salakhutdinov 2006). We begin with pictures of which we know what a perfect code is: smooth curves through
# three random points of the plane. Six coordinates say everything about such a picture, so six code numbers
# could suffice. But a pixel is black or white depending on *where* the curve passes, and nothing about that
# is linear in the coordinates: the mean of two curves is not a curve but two pale ones.
#
# The encoder halves its layers step by step down to 6 numbers, the decoder is its mirror image. Hidden units
# are ELU, the code is linear. The loss is the cross-entropy of grey levels (`BernoulliNLL`), as in the paper;
# what we report is the squared error.

# %%
side = 28 if FULL else 14
sizes = [784, 400, 200, 100, 50, 25, 6] if FULL else [196, 200, 100, 50, 6]
rng = np.random.default_rng(0)
x, _ = curves(30000 if FULL else 4500, rng, np.float32)
x = x if FULL else halved(x, 28)
x, x_test = (x[:20000], x[20000:]) if FULL else (x[:4000], x[4000:])

deep = Autoencoder(mlp(sizes, hidden=ELU, rng=rng), mlp(sizes[::-1], hidden=ELU, rng=rng), BernoulliNLL())
deep = deep.astype(np.float32)
train(deep, x, alpha=2e-3 if FULL else 3e-3, epochs=700 if FULL else 20, batch_size=50, rng=rng,
      each_epoch=mirrored if FULL else None)
flat, flat_18 = PCA(6).fit(x), PCA(18).fit(x)
errors = {"mean picture": float(x_test.var(axis=0).sum()), "PCA, 6 numbers": error(flat, x_test),
          "PCA, 18 numbers": error(flat_18, x_test), "deep autoencoder, 6 numbers": error(deep, x_test)}
for name, value in errors.items():
    print(f"{name:28} squared error on new curves {value:6.2f}")
print(f"on its own training curves the autoencoder has {error(deep, x[:5000]):.2f}")

# %% [markdown]
# Six linear numbers leave more than half of the variance. Six numbers of the deep network leave less than
# eighteen linear ones. (In the paper: 1.44, a quarter of the 5.90 of PCA with 18 numbers, on curves of its own.
# Ours are harder for PCA; with `--full` the network has less than a fifth of its error.) The rows show what kind
# of error is left: PCA answers with grey clouds, in which many curves are mixed; the autoencoder usually with one
# stroke, blurred or a little beside the true one, and with a ring or a blot for some of the sharp hooks.

# %%
assert errors["deep autoencoder, 6 numbers"] < min(0.6 * errors["PCA, 6 numbers"], errors["PCA, 18 numbers"])
assert errors["PCA, 6 numbers"] > 0.5 * errors["mean picture"]
assert not FULL or 5 * errors["deep autoencoder, 6 numbers"] < errors["PCA, 18 numbers"] > 5.90


# %%
def three_rows(caption, x, side, models, name, low=0.0, high=1.0):
    """Twenty pictures in two bands of ten; rows: original, then what each of the models {title: model} makes of it."""
    figure = plots.new_figure(caption, 16, 9)
    rows = [x] + [model.reconstruct(x) for model in models.values()]
    for place, first in zip(figure.add_gridspec(2, 1), (0, 10)):
        axes = plots.new_axes(figure, place, "")
        page = np.ma.masked_all((len(rows) * (side + 1), 10 * (side + 1)))
        for i, row in enumerate(rows):
            for j, picture in enumerate(row[first:first + 10]):
                top, left = i * (side + 1), j * (side + 1)
                page[top:top + side, left:left + side] = picture.reshape(side, side)
        axes.imshow(page, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axes.set_yticks((side + 1) * np.arange(len(rows)) + side / 2, ["original", *models], fontsize=plots.TEXT)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    course.show(figure, name)


named = {f"autoencoder, 6\nerror {error(deep, x_test):.2f}": deep, f"PCA, 6\nerror {error(flat, x_test):.2f}": flat}
three_rows("The deep code usually answers with a stroke, PCA with a cloud of many. Both have six numbers.", x_test[:20],
           side, named, "09_curves")

# %% [markdown]
# Now the faces, with `--full`. Patches of 25 x 25 pixels are cut out at random places of 300 photographs of
# 30 people, each patch shifted to mean 0 and scaled to variance 1. The network is the paper's,
# 625-2000-1000-500-30. What counts is the error on the faces of ten *other* people. Not shown in the
# quick form, since there are no faces without data. (In the paper: 126 against 135 for PCA, on differently
# cut patches.)


# %%
def cut(n, faces, rng):
    """n patches (n, 625) of photographs (M, 4096): 50 x 50 pixels at a random place, halved, mirrored or not, scaled."""
    which, top, left = rng.integers(len(faces), size=n), rng.integers(15, size=n), rng.integers(15, size=n)
    rows, columns = (top[:, None] + np.arange(50))[:, :, None], (left[:, None] + np.arange(50))[:, None, :]
    patches = halved(faces.reshape(-1, 64, 64)[which[:, None, None], rows, columns], 50).reshape(n, 25, 25)
    mirror = rng.random(n) < 0.5
    patches[mirror] = patches[mirror][:, :, ::-1]
    patches = patches.reshape(n, 625)
    return (patches - patches.mean(axis=1, keepdims=True)) / patches.std(axis=1, keepdims=True)


if FULL:
    faces = datasets.load("olivetti", dtype=np.float32)
    rng = np.random.default_rng(0)
    x, x_test = cut(5000, faces.x, rng), cut(2000, faces.x_test, rng)
    flat = PCA(30).fit(cut(20000, faces.x, rng))
    sizes = [625, 2000, 1000, 500, 30]
    deep = Autoencoder(mlp(sizes, hidden=ReLU, rng=rng), mlp(sizes[::-1], hidden=ReLU, rng=rng), SquaredError())
    deep = deep.astype(np.float32)
    train(deep, x, alpha=3e-4, epochs=25, batch_size=100, rng=rng, each_epoch=lambda rng, x: cut(len(x), faces.x, rng))
    print(f"faces of other people, 30 numbers: autoencoder {error(deep, x_test):.1f}, PCA {error(flat, x_test):.1f}")
    assert error(deep, x_test) < error(flat, x_test)
    named = {f"autoencoder, 30\nerror {error(deep, x_test):.0f}": deep, f"PCA, 30\nerror {error(flat, x_test):.0f}": flat}
    three_rows("Faces of people whom neither has seen, through 30 numbers.", x_test[:20], 25, named, "09_faces", -2, 2)

# %% [markdown]
# ## Autoencoder example: text categorisation
#
# A text is described by how often each of D words occurs in it, n_d; the order is forgotten. The slide's
# figure compares two codes for such counts. One is *latent semantic analysis* (LSA): the counts, weighted,
# projected on the directions of largest variation, so PCA without centring. The other is a deep autoencoder
# whose output is a probability for each word, o_d > 0 with Σ_d o_d = 1, and whose loss is the cross-entropy
# with the word frequencies t_d = n_d / Σ n of the text:
#
#     L = -Σ_d t_d log o_d
#
# This is `SoftmaxCrossEntropy` with rows of probabilities as target. Input and target are two views of one
# text, so the model is written as `Regression`. For the input we take the usual weights of a word, "tf-idf":
# log(1 + n_d) times log(N / number of texts that have the word), each text scaled to the same length. Half of
# the input is dropped in training (a fifth for the small set): the code should not hang on single words.
#
# Offline the texts are generated: 30 kinds of text in 6 groups and 400 words. On average 60 % of the words of
# a text come from the common language, 10 % from the vocabulary of its group, 30 % from that of its kind.


# %%
def generated_texts(n, rng, words=400, groups=6, kinds=5):
    """Word counts (n, words) and the kind of each text: a multinomial with a mixture of three sets of word probabilities."""
    common = rng.dirichlet(np.full(words, 0.3))
    group, own = rng.dirichlet(np.full(words, 0.05), groups), rng.dirichlet(np.full(words, 0.05), groups * kinds)
    y = rng.integers(groups * kinds, size=n)
    share = rng.dirichlet([6, 1, 3], n)
    p = share[:, :1] * common + share[:, 1:2] * group[y // kinds] + share[:, 2:] * own[y]
    return rng.multinomial(rng.integers(20, 81, n), p).astype(np.float32), y


if FULL:
    news = datasets.load("20news", dtype=np.float32)
    kept, kept_test = news.x.sum(axis=1) > 0, news.x_test.sum(axis=1) > 0          # some have none of the 2000 words
    n, y, n_test, y_test = news.x[kept], news.y[kept], news.x_test[kept_test], news.y_test[kept_test]
else:
    n, y = generated_texts(3000, np.random.default_rng(0))
    n, y, n_test, y_test = n[:2000], y[:2000], n[2000:], y[2000:]

idf = np.log(len(n) / (1 + np.count_nonzero(n, axis=0))).astype(np.float32)


def weighted(n):
    """tf-idf (N, D), every row of length 1."""
    x = np.log1p(n) * idf
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)


def lsa(x, K):
    """The K directions (D, K) of largest variation, without centring: eigenvectors of xᵀx."""
    return np.linalg.eigh(x.T @ x)[1][:, :-K - 1:-1]


# %%
def text_autoencoder(K, epochs):
    """The codes (N, K) of the test texts. The input is 8 times the weighted counts, so that it is of the order of 1."""
    rng = np.random.default_rng(0)
    sizes = [2000, 500, 250, 125, K] if FULL else [400, 100, 50, 25, K]
    encoder = Sequential(Dropout(0.5 if FULL else 0.2), *mlp(sizes, hidden=ReLU, rng=rng).layers)
    decoder = mlp(sizes[::-1], hidden=ReLU, rng=rng)
    model = Regression(Sequential(encoder, decoder), SoftmaxCrossEntropy()).astype(np.float32)
    train(model, 8 * weighted(n), n / n.sum(axis=1, keepdims=True), alpha=1e-3 if FULL else 3e-3, epochs=epochs,
          batch_size=128 if FULL else 50, rng=rng)
    return model.evaluate(model.network.layers[0], 8 * weighted(n_test))


def retrieved(z, y, numbers):
    """Of the texts nearest to a query by the cosine of their codes, the share of its own class; mean over all queries."""
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    shares = np.zeros(len(numbers))
    for start in range(0, len(z), 500):
        cosine = z[start:start + 500] @ z.T
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -2       # not the query itself
        same = y[np.argsort(-cosine, axis=1)] == y[start:start + 500, None]
        shares += (np.cumsum(same, axis=1)[:, numbers - 1] / numbers).sum(axis=0)
    return shares / len(z)


numbers = np.array([1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095] if FULL else [1, 3, 7, 15, 31, 63, 127, 255, 511])
codes = {"autoencoder, 10": text_autoencoder(10, 15 if FULL else 20),
         "autoencoder, 2": text_autoencoder(2, 15 if FULL else 20),
         "LSA on tf-idf, 10": weighted(n_test) @ lsa(weighted(n), 10),
         "LSA on tf-idf, 2": weighted(n_test) @ lsa(weighted(n), 2),
         "LSA on tf-idf, 50": weighted(n_test) @ lsa(weighted(n), 50),
         "LSA on log counts, 50": np.log1p(n_test) @ lsa(np.log1p(n), 50)}
found = {name: retrieved(z, y_test, numbers) for name, z in codes.items()}
print("retrieved              ", *(f"{number:5}" for number in numbers))
for name, shares in found.items():
    print(f"{name:23}", *(f"{share:5.2f}" for share in shares))

# %% [markdown]
# The slide's figure has the autoencoder with 10 numbers above LSA with 50. So it is here when LSA gets the log
# counts (with `--full` from three texts on). But look at LSA on tf-idf: with 50 numbers it is ahead of 10 deep
# ones, and the slide's figure is turned round; only where hundreds are asked for do the two meet, since then
# both have run out of texts that are alike. The weights of the words are as good for LSA as for the network.
# With 10 numbers each, the autoencoder is ahead by a little. With 2 numbers depth is worth most: a plane through
# 20 or 30 kinds of text separates hardly any, a bent surface many.

# %%
ten, two, ten_lsa, two_lsa, fifty_lsa, fifty_log = found.values()
assert np.all((ten > fifty_log)[numbers > 1])
assert np.all((fifty_lsa > ten)[numbers < 200]) and fifty_lsa[0] > 1.1 * ten[0]
assert np.all((ten > ten_lsa)[numbers < 200]) and ten[0] < 1.15 * ten_lsa[0]
assert np.all((two > 1.5 * two_lsa)[numbers < 200])

figure = plots.new_figure("Left: how many of the texts found are of the query's kind. Right: eight kinds on maps of two "
                          "numbers.", 16, 9)
grid = figure.add_gridspec(2, 2, width_ratios=[1.25, 1])
axes = plots.new_axes(figure, grid[:, 0], "Retrieval by cosine of codes", "number of texts retrieved",
                      "share of the query's own class")
for k, (name, shares) in enumerate(found.items()):
    axes.plot(numbers, shares, ("o-", "o--", "s-", "s--", "D-.", "^:")[k], markersize=9, linewidth=2,
              color=plots.COLOURS[(0, 0, 2, 2, 2, 8)[k]], label=name)
axes.set_xscale("log", base=2)
axes.set_xticks(numbers[::2], [str(number) for number in numbers[::2]])
axes.set_ylim(0, None)
axes.legend(fontsize=plots.TICKS)
if FULL:
    shown = {0: "atheism", 1: "graphics", 7: "autos", 10: "hockey", 11: "cryptography", 13: "medicine", 15: "Christian",
             17: "mideast"}
else:
    shown = {kind: f"kind {kind}" for kind in (0, 1, 5, 6, 10, 15, 20, 25)}
for place, name in ((grid[0, 1], "LSA on tf-idf, 2"), (grid[1, 1], "autoencoder, 2")):
    axes = plots.new_axes(figure, place, name, "$z_1$", "$z_2$")
    for k, (kind, title) in enumerate(shown.items()):
        axes.plot(*codes[name][y_test == kind].T, "os^DvP<>"[k], markersize=4, color=plots.COLOURS[k], alpha=0.6,
                  label=title)
    axes.legend(fontsize=plots.TICKS, loc="upper left", bbox_to_anchor=(1, 1), markerscale=2)
course.show(figure, "09_texts")

# %% [markdown]
# ## Why it did not work: plain descent from a plain start
#
# Until 2006 such nets were not trained, because they did not learn. We reproduce that with the units of the
# time, logistic ones, on small curves: 196-100-50-25-6 and back, eight layers of weights. The slope of σ is
# at most ¼. Going back through the layers, δ is multiplied by it six times (the code and the output are
# linear), and with small random weights next to nothing of it arrives at the bottom.
#
# Four ways to start are compared: Glorot's weights; the *sparse* start of Martens (2010), 15 incoming weights
# N(0, 1) for each unit; and the two kinds of pre-training below. And three ways to descend: plain, with
# Nesterov's momentum 0.9 (Sutskever 2013), with Adam. First the two that need no pre-training.

# %%
x, _ = curves(2300, np.random.default_rng(0), np.float32)
x = halved(x, 28)
x, x_test = x[:2000], x[2000:]
sizes = [196, 100, 50, 25, 6]
mean_picture, linear = float(x_test.var(axis=0).sum()), error(PCA(6).fit(x), x_test)


def logistic(sizes, init, rng):
    """Dense layers of these sizes with this init, a logistic unit after each but the last."""
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [Dense(n_in, n_out, rng=rng, init=init), Sigmoid()]
    return Sequential(*layers[:-1])


def fresh(init):
    """The deep network without pre-training."""
    rng = np.random.default_rng(0)
    return Autoencoder(logistic(sizes, init, rng), logistic(sizes[::-1], init, rng), BernoulliNLL()).astype(np.float32)


network = fresh("glorot")
network.loss(x[:500])
network.backward()
size = {name: np.sqrt(np.mean(dW**2)) for name, dW in network.named_gradients().items() if name.endswith("W")}
print("root mean square of dW, from the output down to the input:", *(f"{value:.0e}" for value in reversed(size.values())))
assert size["encoder.0.W"] < 1e-3 * size["decoder.6.W"]

# %% [markdown]
# The gradient of the lowest layer is thousands of times smaller than that of the highest. The first layer
# does not learn, and the others have nothing to learn from. Now the training: 24 epochs each, batches of 50,
# and for each pair of start and descent the rate that was best of four (the quick form knows it; `--full` tries
# all four).

# %%
DESCENTS = {"descent": GradientDescent, "Nesterov": lambda alpha: Nesterov(alpha, 0.9), "Adam": Adam}
RATES = {"descent": (1.0, 0.3, 0.1, 0.03), "Nesterov": (0.3, 0.1, 0.03, 0.01), "Adam": (0.1, 0.03, 0.01, 0.003)}
BEST = {"glorot": (0.03, 0.1, 0.03), "sparse": (0.1, 0.03, 0.01), "RBMs": (0.3, 0.1, 0.01), "denoisers": (0.1, 0.1, 0.03)}
paths = {}


def descend(start, make, epochs):
    """Train copies of a start in all three ways; keeps the held-out error after each epoch in paths[start, descent]."""
    for (name, optimizer), best in zip(DESCENTS.items(), BEST[start]):
        for alpha in RATES[name] if FULL else [best]:
            model, path = make(), []
            fit(model, x, optimizer=optimizer(alpha), epochs=epochs, batch_size=50, rng=1,
                callbacks=[lambda model, history, optimizer: path.append(error(model, x_test))])
            if (start, name) not in paths or path[-1] < paths[start, name][-1]:
                paths[start, name] = path
    print(f"{start:10}", *(f"{paths[start, name][-1]:9.2f}" for name in DESCENTS))


print(f"squared error on new curves (mean picture {mean_picture:.2f}, PCA {linear:.2f})")
print("start     ", *(f"{name:>9}" for name in DESCENTS))
for init in ("glorot", "sparse"):
    descend(init, lambda: fresh(init), 24)

# %% [markdown]
# Plain descent from Glorot's start ends where it begins: the network answers every input with the mean
# picture. Momentum leaves that plateau late. The sparse start is enough for plain descent to leave it soon;
# momentum brings it further, and Adam below PCA. Sutskever et al. say just this of the three networks of
# 2006: with a well-chosen start and momentum nobody needs pre-training. (Their squared errors on training
# data, descent against Nesterov: curves 0.48 and 0.096, MNIST 2.1 and 0.73, faces 36.4 and 8.5. Their momentum
# rises to 0.99, ours is 0.9.)

# %%
assert paths["glorot", "descent"][-1] > 0.97 * mean_picture
assert paths["glorot", "Nesterov"][9] > 0.97 * mean_picture > 1.05 * paths["glorot", "Nesterov"][-1]
assert paths["sparse", "descent"][-1] < 0.8 * mean_picture
assert paths["sparse", "Nesterov"][-1] < paths["sparse", "descent"][-1]
assert paths["sparse", "Adam"][-1] < linear < paths["glorot", "Adam"][-1]

# %% [markdown]
# ## The history: one layer at a time
#
# In 2006 the way out was another: "stacked and trained bottom up in unsupervised fashion" ([002]). A
# *restricted Boltzmann machine* (RBM) is a layer of visible units v and a layer of hidden units h, both 0 or
# 1, with one matrix between them and a probability
#
#     p(v, h) = e^-E(v, h) / Z      E(v, h) = -vᵀW h - bᵀv - cᵀh
#
# It is trained to give the data a high probability (by contrastive divergence, `numpyae.rbm`). Then p(h_j = 1
# | v) = σ(c_j + (v W)_j): just a layer of an encoder; and the way back with Wᵀ is one of a decoder. The next
# RBM takes h for its data, and so on. No gradient has to pass more than one layer. At the end the stack is
# unrolled into encoder and decoder and trained as a whole ("fine-tuning"). The same works with one-layer
# denoising autoencoders (Vincent 2008). To be fair we count the epochs: 8 of pre-training for each layer,
# which for all layers together cost no more than 8 of the whole network, and 16 of fine-tuning, against 24
# without.

# %%
rbms = stack_rbms(x, sizes, epochs=8, batch_size=50, rng=0)
denoisers = stack_denoisers(x, sizes, MaskingNoise(0.2), epochs=8, batch_size=50, alpha=3e-3, rng=0)
for name, stack in (("RBMs", rbms), ("denoisers", denoisers)):
    before = error(unroll(stack, BernoulliNLL()), x_test)
    print(f"{name}, unrolled and not yet fine-tuned: {before:.2f}")
    assert before > linear
    descend(name, lambda: unroll(stack, BernoulliNLL()), 16)

# %% [markdown]
# With either start even plain descent learns, where it could not before: that was the discovery of 2006. What
# is learnt before fine-tuning is poor; it is a *start*. With plain descent and with momentum the denoisers are a
# better one than the sparse start, which costs nothing; with Adam the sparse one ends below both stacks. The
# RBMs are behind it everywhere.

# %%
for name in ("RBMs", "denoisers"):
    assert paths[name, "descent"][-1] < 0.75 * paths["glorot", "descent"][-1]
assert all(paths["denoisers", d][-1] < paths["sparse", d][-1] for d in ("descent", "Nesterov"))
assert all(paths["sparse", d][-1] < paths["RBMs", d][-1] for d in DESCENTS)
assert paths["sparse", "Adam"][-1] < min(paths[name, descent][-1] for name in ("RBMs", "denoisers") for descent in DESCENTS)

figure = plots.new_figure("From Glorot's start plain descent stays at the mean picture. A sparse start or pre-training "
                          "leaves it soon, with any descent.", 16, 9)
for place, descent in zip(figure.add_gridspec(1, 3), DESCENTS):
    axes = plots.new_axes(figure, place, descent.capitalize(), "epoch, pre-training counted", "squared error on new curves")
    for k, start in enumerate(("glorot", "sparse", "RBMs", "denoisers")):
        path = paths[start, descent]
        axes.plot(np.arange(25 - len(path), 25), path, ("-", "--", "-.", ":")[k], linewidth=3,
                  color=plots.COLOURS[(0, 2, 1, 4)[k]], label=start)
    axes.axhline(mean_picture, color="0.6", linewidth=1)
    axes.axhline(linear, color="0.6", linewidth=1)
    axes.text(24.5, mean_picture - 0.03, "mean picture", fontsize=plots.TICKS, ha="right", va="top", color="0.35")
    axes.text(0.5, linear - 0.03, "PCA, 6", fontsize=plots.TICKS, va="top", color="0.35")
    axes.set_ylim(2, 7.2)
    axes.set_xlim(0, 25)
    if descent == "descent":
        axes.legend(title="start", title_fontsize=plots.TEXT, fontsize=plots.TEXT, loc="lower left")
course.show(figure, "09_starts")

# %% [markdown]
# ## "Followed by a supervised learning phase"
#
# [002] goes on: "... followed by a supervised learning phase to train the top layer and fine-tune the entire
# architecture". The stack's encoder carries a layer of class probabilities instead of a decoder. The point is
# in the labels: pre-training needs none. So let there be many pictures and few labels, and train the same
# network of logistic units, with the same number of steps, from the stack of RBMs and from the two starts
# that have seen no picture.

# %%
if FULL:
    digits = datasets.load("mnist", dtype=np.float32)
    x, y, x_test, y_test = digits.x, digits.y, digits.x_test, digits.y_test
    sizes, counts, draws, steps = [784, 500, 500, 250], (100, 1000, 10000), (4, 2, 2), 1000
    stack = stack_rbms(x[:20000], sizes, epochs=10, linear_code=False, rng=0)
else:
    x, y = datasets.digits(2700, np.random.default_rng(0), np.float32)
    x, y, x_test, y_test = halved(x[:2000], 28), y[:2000], halved(x[2000:], 28), y[2000:]
    sizes, counts, draws, steps = [196, 100, 100, 50], (50, 100, 500), (4, 2, 2), 150
    stack = stack_rbms(x, sizes, epochs=20, batch_size=50, linear_code=False, rng=0)


def start_of_classifier(name, seed):
    """A classifier on ten classes, from the stack or from an init."""
    rng = np.random.default_rng(seed)
    if name == "RBMs":
        return classifier(stack, 10, rng=rng)
    layers = logistic(sizes, name, rng).layers
    top = [Sigmoid(), Dense(sizes[-1], 10, rng=rng)]
    return Regression(Sequential(*layers, *top), SoftmaxCrossEntropy()).astype(np.float32)


wrong = {}
for name in ("glorot", "sparse", "RBMs"):
    for count, repeats in zip(counts, draws):
        shares = []
        for draw in range(repeats):
            labelled = np.random.default_rng(draw).permutation(len(x))[:count]
            model = start_of_classifier(name, draw)
            fit(model, x[labelled], y[labelled], optimizer=Adam(1e-3 if FULL else 5e-3), epochs=steps * 50 // count,
                batch_size=50, rng=draw)
            shares.append(np.mean(model.predict(x_test).argmax(axis=1) != y_test))
        wrong[name, count] = np.mean(shares)
print("wrong on new digits, % ", *(f"{count:6} labels" for count in counts))
for name in ("glorot", "sparse", "RBMs"):
    print(f"{name:23}", *(f"{100 * wrong[name, count]:13.1f}" for count in counts))

# %% [markdown]
# With the fewest labels the pre-trained network makes the fewest mistakes: what it knows of digits it has
# from pictures without labels. With 500 labels of typeset digits nothing is left to gain. Handwritten ones
# are harder: with `--full` the pre-trained network is ahead even with 10 000 labels, 3.8 % wrong against 6.2
# and 6.9 %. (Each was given 1000 steps, with 10 000 labels no more than five epochs.)

# %%
few, many = counts[0], counts[-1]
assert wrong["RBMs", few] < 0.9 * wrong["glorot", few]
assert wrong["RBMs", few] < (1 if FULL else 0.85) * wrong["sparse", few]
assert wrong["RBMs", many] < (0.8 * wrong["sparse", many] if FULL else 0.02)

figure = plots.new_figure("Pre-training without labels helps where labels are few.", 10.5, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "The same network from three starts", "number of labels",
                      "wrong on new digits, %")
for k, name in enumerate(("glorot", "sparse", "RBMs")):
    axes.plot(counts, [100 * wrong[name, count] for count in counts], ("o-", "s--", "^-.")[k], linewidth=3, markersize=12,
              color=plots.COLOURS[(0, 2, 1)[k]], label=name, clip_on=False)
axes.set_xscale("log")
axes.set_xticks(counts, [str(count) for count in counts])
axes.minorticks_off()
axes.set_ylim(0, None)
axes.legend(fontsize=plots.TEXT, title="start", title_fontsize=plots.TEXT)
course.show(figure, "09_few_labels")

# %% [markdown]
# ## The digits of the paper
#
# With `--full`: 784-1000-500-250-30 and back on MNIST. The paper reports a squared error of 3.00 on the test
# digits, against 13.87 for PCA with 30 numbers. Without pre-training, with ELU, Adam, and each training digit
# moved by up to one pixel in each epoch, the same network reaches 2.45. Since each digit comes in nine
# positions, it does not learn the 60 000 by heart: its error on them is nearly that on new ones.

# %%
if FULL:
    rng, sizes = np.random.default_rng(0), [784, 1000, 500, 250, 30]
    decoder = mlp(sizes[::-1], hidden=ELU, output=Sigmoid, rng=rng)
    deep = Autoencoder(mlp(sizes, hidden=ELU, rng=rng), decoder, SquaredError()).astype(np.float32)
    train(deep, digits.x, alpha=1e-3, epochs=40, batch_size=128, rng=rng, each_epoch=shifted)
    flat = PCA(30).fit(digits.x)
    reached, linear = error(deep, digits.x_test), error(flat, digits.x_test)
    known = error(deep, digits.x[:10000])
    print(f"MNIST, 30 numbers: autoencoder {reached:.2f} (training {known:.2f}), PCA {linear:.2f}")
    assert reached < 3.0 and reached < 1.1 * known and abs(linear - 13.9) < 0.1
    named = {f"autoencoder, 30\nerror {reached:.2f}": deep, f"PCA, 30\nerror {linear:.2f}": flat}
    three_rows("Test digits through 30 numbers.", digits.x_test[:20], 28, named, "09_mnist")

# %% [markdown]
# ## What to remember
#
# - A deep code can follow what no plane can: with as many numbers it has about half of PCA's error on curves,
#   and keeps classes of text apart in two numbers.
# - Compare with the best linear method, not with a weak one: on well-weighted words LSA with 50 numbers is ahead
#   of 10 deep ones.
# - Deep nets of logistic units did not learn because no gradient reached the lower layers from a small random
#   start.
# - Pre-training is a start. A sparse start with Adam, or rectifiers with He's start, does without.
# - What pre-training keeps over any start is that it can use data without labels. It shows where labels are
#   few.
#
# ## Try it
#
# - Give the curves 3, 6 and 12 code numbers. Where does the error of the autoencoder stop falling, and where
#   that of PCA? Why there?
# - Replace tf-idf by log(1 + n_d) in the autoencoder's input as well. Which of the two codes loses more, and
#   why?
# - Set Nesterov's momentum to 0.99 and look for a rate. What has to happen to the rate, and why?
# - Pass `linear_code=False` to `stack_rbms`, so that the code is logistic. What becomes of the reconstruction,
#   and of retrieval by cosine?
