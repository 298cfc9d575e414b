# %% [markdown]
# # 10. Seven uses of an autoencoder, each with a number and with PCA's beside it
#
# An autoencoder is an encoder z = f(x), which turns a sample x into a code of a few numbers, and a decoder
# g(z), which makes x again of them; both are trained together to make g(f(x)) close to x. What is that good
# for? [002] lists seven applications. This lecture does all of them, measures each with the number that is
# usual for it, and puts next to it the number of PCA, the best linear code, which costs no training. The
# autoencoder wins most of the comparisons, but not all, and it is not always needed.
#
# Takes about 9 s; with `--full` about 10 minutes: handwritten digits (MNIST, 28 x 28) instead of typeset ones
# (14 x 14), real heartbeats, heart records and a hospital's table instead of generated ones, larger networks.

# %%
import io
import math
import time

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter
from scipy.stats import rankdata

from numpyae import (ELU, PCA, Adam, Autoencoder, GaussianNoise, Identity, MaskingNoise, ReLU, Sigmoid, SquaredError, Tanh,
                     course, datasets, fit, mlp, plots)
from numpyae.corruption import Corruption
from numpyae.datasets.generated import moved
from numpyae.evaluation import probe

FULL = course.full()

# %% [markdown]
# ## One autoencoder for most of them
#
# The data are pictures of digits with D pixels between 0 and 1: a part to train on, a part for choices
# (validation), and a part that is only used for the numbers reported here (test). The labels y serve as a
# measure; no autoencoder sees them. One network is trained once, with ReLU units, K = 30 code numbers and
# logistic units at the output, so that every reconstruction is a picture. It minimises the squared error
#
#     L = 1/N Σ_n ‖x_n - g(f(x_n))‖²
#
# with Adam, whose rate falls to almost 0 along half a cosine. PCA with 30 numbers stands beside it.

# %%
if FULL:
    mnist = datasets.load("mnist", dtype=np.float32)
    side, hidden, epochs, alpha, batch_size = 28, [512, 256], 15, 1e-3, 100
    x, y, x_valid = mnist.x[:55000], mnist.y[:55000], mnist.x[55000:]
    x_test, y_test = mnist.x_test, mnist.y_test
else:
    side, hidden, epochs, alpha, batch_size = 14, [128], 16, 5e-3, 50
    pictures, labels = datasets.digits(4500, np.random.default_rng(0), np.float32)
    pictures = pictures.reshape(-1, side, 2, side, 2).mean(axis=(2, 4)).reshape(-1, side * side)      # means of 2 x 2 pixels
    x, y, x_valid = pictures[:3200], labels[:3200], pictures[3200:3500]
    x_test, y_test = pictures[3500:], labels[3500:]
D, K = side * side, 30


def autoencoder(sizes, unit=ReLU, corruption=None):
    """Encoder and decoder, mirrored, with logistic output units: sizes from the input to the code."""
    rng = np.random.default_rng(0)
    encoder, decoder = mlp(sizes, hidden=unit, rng=rng), mlp(sizes[::-1], hidden=unit, output=Sigmoid, rng=rng)
    return Autoencoder(encoder, decoder, SquaredError(), corruption=corruption).astype(np.float32)


def train(model, x, epochs=epochs, alpha=alpha):
    """Adam, its rate falling from alpha to almost 0 along half a cosine. Returns the model."""
    def cool(model, history, optimizer):
        optimizer.alpha = alpha * (0.5 + 0.5 * math.cos(math.pi * history.epochs / epochs)) + 1e-6

    fit(model, x, optimizer=Adam(alpha), epochs=epochs, batch_size=batch_size, rng=np.random.default_rng(1),
        callbacks=[cool])
    return model


def error(model, x):
    """Squared error of the reconstructions, summed over pixels, mean over pictures."""
    return float(np.mean(np.sum((model.reconstruct(x) - x)**2, axis=1)))


curved, flat = train(autoencoder([D, *hidden, K]), x), PCA(K).fit(x)
print(f"{D} pixels, {K} numbers, error on test pictures: "
      f"autoencoder {error(curved, x_test):.2f}, PCA {error(flat, x_test):.2f}")
assert error(curved, x_test) < 0.75 * error(flat, x_test)

# %% [markdown]
# ## Dimensionality reduction
#
# A map of the data: few numbers, in which neighbours are still neighbours. *Trustworthiness* (Venna & Kaski
# 2001) says how far that holds. Take the k nearest neighbours of sample i in the code. Each of them that is
# not among the k nearest in the pixels is an intruder j. It counts by how far away it really is, its rank
# r(i, j) among the pixel neighbours of i (1 is the nearest):
#
#     T = 1 - 2 / (N k (2 N - 3 k - 1)) Σ_i Σ_{intruders j of i} (r(i, j) - k)
#
# T is 1 when nobody intrudes, and about 0.5 for a code drawn at random. A second number looks at the classes:
# the share of the k nearest neighbours in the code that show the same digit. Besides the code of 30 we train
# one of 2 numbers, with ELU units and one layer more.

# %%
def by_distance(z):
    """For each row of z the indices of all others, nearest first, (N, N - 1)."""
    squares = np.sum(z**2, axis=1)
    distances = squares[:, None] + squares - 2 * z @ z.T             # ‖a - b‖² = ‖a‖² + ‖b‖² - 2 aᵀb
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :-1]


def trustworthiness(order_x, order_z, k):
    """T of a code, from the neighbours in the data and in the code as `by_distance` gives them."""
    N = len(order_x)
    rank = np.zeros((N, N))
    np.put_along_axis(rank, order_x, np.arange(1.0, N), axis=1)
    intrusion = np.maximum(np.take_along_axis(rank, order_z[:, :k], axis=1) - k, 0)
    return 1 - 2 / (N * k * (2 * N - 3 * k - 1)) * intrusion.sum()


N, k = (3000 if FULL else 700), 10
some, digit = x_test[:N], y_test[:N]
bent = train(autoencoder([D, *hidden, 64, 2], ELU), x)
codes = {"autoencoder, 2": bent.encode(some), "PCA, 2": PCA(2).fit(x).encode(some),
         "random, 2": np.random.default_rng(2).normal(size=(N, 2)),
         "autoencoder, 30": curved.encode(some), "PCA, 30": flat.encode(some), "all pixels": some}
order_x, trust, same = by_distance(some), {}, {}
print("numbers           trustworthiness   same digit")
for name, z in codes.items():
    order_z = by_distance(z)
    trust[name] = trustworthiness(order_x, order_z, k)
    same[name] = np.mean(digit[order_z[:, :k]] == digit[:, None])
    print(f"{name:17} {trust[name]:15.4f} {same[name]:12.1%}")
assert trust["all pixels"] == 1 and abs(trust["random, 2"] - 0.5) < 0.02
assert trust["autoencoder, 2"] > trust["PCA, 2"] + 0.05 and same["autoencoder, 2"] > same["PCA, 2"] + 0.1
assert 0.995 < trust["autoencoder, 30"] < trust["PCA, 30"]
assert same["autoencoder, 30"] > same["all pixels"] - 0.01
assert not FULL or same["autoencoder, 30"] > same["PCA, 30"] > same["all pixels"]

figure = plots.new_figure("The same test pictures as two numbers each. The surface of the autoencoder bends with the data; "
                          "PCA looks at them from their widest side.", 16, 9)
for place, name in zip(figure.add_gridspec(1, 2), ("autoencoder, 2", "PCA, 2")):
    title = f"{name} numbers: trustworthiness {trust[name]:.2f},\n{same[name]:.0%} of neighbours show the same digit"
    plots.show_classes(plots.new_axes(figure, place, title, "z₁", "z₂"), codes[name], digit)
course.show(figure, "10_reduction")

# %% [markdown]
# For a map to look at, the autoencoder is clearly better, in both numbers. With 30 numbers the picture is
# another. Both keep nearly all neighbours, and in trustworthiness PCA is a hair ahead: it is made to keep
# distances, while the autoencoder may stretch and bend as it likes. In the share of the same digit there is
# little between them (on handwriting, with `--full`, both are better than the pixels, the autoencoder more).
#
# ## Feature extraction
#
# [004]: with a huge amount of unlabelled data and only a little labelled data, train the autoencoder on
# everything and then a classifier on the codes of the labelled part. The encoder "has already done the hard
# work", so this is easier. We measure it with a *probe*: softmax regression, fitted by L-BFGS, which can only
# cut straight. It gets n labelled pictures, as many of each class, as 30 code numbers, as PCA's 30 numbers,
# or as raw pixels. Autoencoder and PCA have seen all training pictures, without labels. The result is the
# mean over several draws of the n pictures, the same draws for all three.

# %%
def labelled(n, rng):
    """Indices of n training pictures, n/10 of each digit."""
    return np.concatenate([rng.choice(np.flatnonzero(y == digit), n // 10, replace=False) for digit in range(10)])


numbers = [10, 30, 100, 300, 1000] + FULL * [3000, 10000]
features = {"autoencoder": (curved.encode(x), curved.encode(x_test)), "PCA": (flat.encode(x), flat.encode(x_test)),
            "raw pixels": (x, x_test)}
wrong = {name: [] for name in features}
rng = np.random.default_rng(3)
for n in numbers:
    draws = [labelled(n, rng) for _ in range(10 if n <= 100 else 3)]
    for name, (z, z_test) in features.items():
        wrong[name].append(np.mean([probe(z[chosen], y[chosen], z_test, y_test, iterations=50) for chosen in draws]))
print("labels         ", *(f"{n:7}" for n in numbers))
for name, values in wrong.items():
    print(f"{name:15}", *(f"{value:7.1%}" for value in values))
coded, linear, raw = (np.array(wrong[name]) for name in ("autoencoder", "PCA", "raw pixels"))
assert coded[0] > 0.3 and coded[0] > 4 * coded[-1]
if FULL:
    assert np.all(coded[:3] < np.minimum(linear, raw)[:3] - 0.005) and np.all(raw[3:5] < coded[3:5])
    assert np.all(coded[-2:] < linear[-2:]) and np.all(linear[-2:] < raw[-2:])
else:
    assert np.all(coded > np.minimum(linear, raw) - 0.01) and np.all(coded < np.minimum(linear, raw) + 0.03)

# %%
caption = ("Codes learnt without labels gain a little where labels are few; more labels gain far more." if FULL else
           "On typeset digits a straight cut through raw pixels is as good as one through codes, at any number of labels. "
           "With --full (handwriting) there is a small gain.")
figure = plots.new_figure(caption, 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Features for few labels", "labelled pictures",
                      "error of the probe on test pictures")
for place, (name, style) in enumerate(zip(wrong, ("o-", "s--", "^:"))):
    axes.loglog(numbers, wrong[name], style, linewidth=3, markersize=11, color=plots.COLOURS[place], label=name)
ticks = [tick for tick in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if coded.min() / 2 < tick < 2 * coded.max()]
axes.set_xticks(numbers, numbers)
axes.set_yticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
axes.minorticks_off()
axes.grid(color="0.9")
plots.legend_above(axes)
course.show(figure, "10_features")

# %% [markdown]
# A negative result on typeset digits: at no number of labels is the code clearly better than PCA's numbers or
# the pixels. The classes are easy to cut apart in any of the three. On handwriting (`--full`) the claim of
# [004] is true, but small. Up to 100 labels the code makes 1 to 3 errors fewer in a hundred than PCA or
# pixels; with 300 and 1000 labels the pixels are ahead; with more, the code again, since 30 numbers cannot
# over-fit as 784 can. More labels are worth far more than the code. A code that is made for small
# reconstruction errors has no reason to put classes on two sides of a plane. Codes that are made for more,
# the sparse ones of lecture 8 with `--full`, do better.
#
# ## Image denoising
#
# A denoising autoencoder sees x̃ = x + σ ε with normal noise ε, anew in every step, and has to give back the
# clean x (lecture 8). Its code need not be narrow: noise forbids copying. We take one that is wider than
# before and σ = 0.4, which is much. The number is the *peak signal-to-noise ratio* of a result o,
#
#     PSNR = -10 log₁₀(mean of (o - x)²)   in dB, for grey levels in [0, 1]
#
# and 3 dB more mean half the squared error. All results are clipped to [0, 1] first. The competitors may
# choose their one parameter on the validation pictures:
#
# - the median, and the Gaussian filter, which know nothing about digits (scipy);
# - PCA: the noisy picture is projected onto the K directions of largest variance;
# - PCA, shrunk: each coordinate is multiplied by λ / (λ + σ²), λ its variance. That is the best *linear* map
#   from x̃ to x (Wiener's filter);
# - the shared autoencoder, which never saw noise.

# %%
def psnr(output, x):
    """Peak signal-to-noise ratio in dB, for grey levels in [0, 1]."""
    return float(-10 * np.log10(np.mean((np.clip(output, 0, 1) - x)**2)))


def median(x, size):
    return median_filter(x.reshape(-1, side, side), (1, size, size)).reshape(x.shape)


def gauss(x, width):
    return gaussian_filter(x.reshape(-1, side, side), (0, width, width)).reshape(x.shape)


everything, sigma = PCA(D).fit(x), 0.4                               # all directions


def projected(x, K):
    V = everything.components[:, :K]
    return everything.mean + (x - everything.mean) @ V @ V.T


def shrunk(x):
    variances = everything.eigenvalues
    return everything.decode(everything.encode(x) * variances / (variances + sigma**2))


# %%
rng = np.random.default_rng(4)
noisy_valid, noisy = (part + sigma * rng.standard_normal(part.shape, dtype=np.float32) for part in (x_valid, x_test))


def best(function, choices):
    """The choice with the highest PSNR on the validation pictures."""
    return max(choices, key=lambda choice: psnr(function(noisy_valid, choice), x_valid))


size, width = best(median, (2, 3, 4, 5)), best(gauss, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1))
K_best = best(projected, range(5, 121, 5))
denoiser = train(autoencoder([D, 512, 256] if FULL else [D, 256, 128], corruption=GaussianNoise(sigma)), x,
                 epochs if FULL else 12)
cleaned = {"noisy": noisy, f"median, {size} x {size}": median(noisy, size), f"Gaussian, {width} pixels": gauss(noisy, width),
           f"PCA, best K = {K_best}": projected(noisy, K_best), "PCA, shrunk": shrunk(noisy),
           "shared autoencoder": curved.reconstruct(noisy), "denoising autoencoder": denoiser.reconstruct(noisy)}
reached = {name: psnr(o, x_test) for name, o in cleaned.items()}
for name, value in reached.items():
    print(f"{name:22} {value:6.2f} dB")
start, by_median, by_gauss, by_pca, by_wiener, by_shared, by_denoiser = reached.values()
assert start < by_median < by_gauss < by_pca < by_wiener < by_denoiser - (2 if FULL else 0.8)
assert by_shared < by_pca - 1.5

# %%
def rows_of_pictures(axes, rows, names):
    """Rows of as many pictures each, (n, side²), with a name at the left of each row."""
    page = np.full((len(rows) * (side + 1), len(rows[0]) * (side + 1)), np.nan)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * (side + 1), j * (side + 1)
            page[top:top + side, left:left + side] = picture.reshape(side, side)
    axes.imshow(page, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks((side + 1) * np.arange(len(rows)) + side / 2, names, fontsize=plots.TEXT)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


figure = plots.new_figure("Filters blur noise and digit alike, PCA leaves ghosts of other digits, the denoising autoencoder "
                          "decides for strokes.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Image denoising")
names = [f"{name}\n{value:.1f} dB" for name, value in reached.items()]
rows_of_pictures(axes, [x_test[:14], *(o[:14] for o in cleaned.values())], ["clean", *names])
course.show(figure, "10_denoising")

# %% [markdown]
# Here the bent code earns its training. The best linear map is already better than any filter, because it
# knows which pixels go together in digits; the denoising autoencoder is better still, by about 1 dB (on
# handwriting more than 2). The shared one shows that this is not the architecture's doing: to pictures with
# noise, which it has never seen, it answers worse than PCA. What an autoencoder does off its data has to be
# trained.
#
# ## Image compression
#
# To send a code it has to be written in bits. We round each code number to a multiple of a step Δ,
#
#     q_k = round(z_k / Δ)
#
# and count the bits of an ideal entropy coder: a value that was seen with frequency p in the training codes
# costs -log₂ p bits, each code number for itself. The receiver decodes q_k Δ. A large Δ costs few bits and
# gives a poor picture, so each method has a curve: PSNR on test pictures against bits per picture.
#
# A trap comes first. A unit of PCA's numbers is a unit of picture: a change of 1 in any of them moves
# the picture by 1 (root of the summed squares), so one Δ for all is right. The numbers of a trained code have
# no such unit. Some matter to the picture more than others, and they repeat each other. So we also write
# the code in fair units, without any training: with J the Jacobian of the decoder, by central differences, the
# mean of J Jᵀ says how much each direction of the code moves the picture. We rescale the code so
# that it becomes the identity, and then turn it to PCA's axes. For PCA's own code this changes nothing.

# %%
def fair_units(model):
    """Matrix A (K, K): one unit of z A, in any direction, moves the picture by 1 on average; the axes uncorrelated."""
    z = model.encode(x[:300])
    small = 0.01 * z.std()
    J = np.stack([(model.decode(z + small * unit) - model.decode(z - small * unit)).ravel() / (2 * small)
                  for unit in np.eye(z.shape[1], dtype=z.dtype)])    # (K, N D)
    values, U = np.linalg.eigh(J @ J.T / len(z))
    scaled = U * np.sqrt(values)
    return scaled @ PCA(len(values)).fit(model.encode(x) @ scaled).components


def bits(q, q_test):
    """Mean bits per row of whole numbers q_test (M, K), coded column by column with the frequencies of q (N, K)."""
    total = 0.0
    for column, sent in zip(q.T, q_test.T):
        low = min(column.min(), sent.min())
        counts = 0.1 + np.bincount(column - low, minlength=sent.max() - low + 1)     # nothing is impossible
        total -= np.mean(np.log2(counts[sent - low] / counts.sum()))
    return float(total)


def compressed(model, step, A):
    """(bits per test picture, the test pictures decoded) with the code z A in multiples of `step`."""
    z, z_test = model.encode(x[:20000]) @ A, model.encode(x_test) @ A
    mean = z.mean(axis=0)
    q, q_test = (np.rint((numbers - mean) / step).astype(int) for numbers in (z, z_test))
    return bits(q, q_test), model.decode(((q_test * step + mean) @ np.linalg.inv(A)).astype(np.float32))


# %% [markdown]
# JPEG stands beside them where Pillow is installed, which matplotlib brings along. A file for each picture
# would be mostly headers, so all test pictures go into one large picture, each in a field of whole 8 x 8
# blocks.

# %%
def jpeg(x, quality, across=40):
    """(bits per picture, the pictures decoded) of one JPEG file for all, `across` in a row."""
    field = -(-side // 8) * 8
    page = np.zeros((len(x) // across, field, across, field), np.uint8)
    page[:, :side, :, :side] = np.rint(255 * x).reshape(-1, across, side, side).transpose(0, 2, 1, 3)
    file = io.BytesIO()
    Image.fromarray(page.reshape(-1, across * field)).save(file, "JPEG", quality=quality, optimize=True)
    decoded = np.asarray(Image.open(file), np.float32).reshape(page.shape) / 255
    return 8 * len(file.getvalue()) / len(x), decoded[:, :side, :, :side].transpose(0, 2, 1, 3).reshape(x.shape)


steps = (4, 3, 2, 1.5, 1, 0.7, 0.5, 0.35, 0.25)
unit = curved.encode(x).std(axis=0).mean()
results = {"autoencoder, 30, as trained": [compressed(curved, step * unit, np.eye(K, dtype=np.float32)) for step in steps],
           "autoencoder, 30, fair units": [compressed(curved, step, fair_units(curved)) for step in steps],
           "PCA, 30": [compressed(flat, step, np.eye(K, dtype=np.float32)) for step in steps],
           f"PCA, {D}": [compressed(everything, step, np.eye(D, dtype=np.float32)) for step in steps]}
try:
    from PIL import Image
    results["JPEG"] = [jpeg(x_test, quality) for quality in (1, 5, 10, 20, 40, 60, 80)]
except ImportError:
    print("Pillow is not installed: no JPEG")
curves = {name: np.array([(rate, psnr(o, x_test)) for rate, o in result]) for name, result in results.items()}
for name, curve in curves.items():
    print(f"{name:28}", *(f"{rate:6.1f} → {quality:4.1f}" for rate, quality in curve))


def at(name, rate):
    """PSNR at so many bits per picture, between the points of the curve."""
    return float(np.interp(rate, *curves[name].T))


trained, fair, narrow, wide = list(curves)[:4]
print("PSNR in dB at bits per picture", *(f"{rate:5}" for rate in (30, 45, 60)))
for name in (trained, fair, narrow, wide):
    print(f"{name:30}", *(f"{at(name, rate):5.1f}" for rate in (30, 45, 60)))
assert all(at(fair, rate) > max(at(narrow, rate), at(wide, rate)) + 0.8 for rate in (45, 60))
assert at(trained, 30) < at(narrow, 30) - 1 and at(trained, 45) < at(fair, 45) - 1
assert curves[wide][-1, 1] > curves[fair][-1, 1] + 3 and np.ptp(curves[fair][-2:, 1]) < 1
if "JPEG" in curves:
    same_quality = [(rate, np.interp(quality, *curves[fair].T[::-1])) for rate, quality in curves["JPEG"] if quality < 21.5]
    print("bits of JPEG and of the autoencoder, same PSNR:", *(f"{rate:.0f} / {own:.0f}" for rate, own in same_quality))
    assert all(rate > 4 * own for rate, own in same_quality)

# %%
figure = plots.new_figure("In the middle of the range the autoencoder's code needs a third fewer bits than PCA, once it is "
                          "written in fair units. Its curve flattens where more bits no longer help; PCA with all numbers "
                          "goes on.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Image compression", "bits per picture", "PSNR on test pictures, dB")
for place, ((name, curve), style) in enumerate(zip(curves.items(), ("o--", "o-", "s-", "s:", "^-."))):
    axes.semilogx(*curve.T, style, linewidth=3, markersize=10, color=plots.COLOURS[place], label=name)
most = max(curve[-1, 0] for curve in curves.values())
ticks = [tick for tick in (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if tick < 1.1 * most]
axes.set_xticks(ticks, ticks)
axes.minorticks_off()
axes.grid(color="0.9")
axes.legend(fontsize=plots.TICKS, loc="upper left")
course.show(figure, "10_compression")

# %% [markdown]
# In the units that training happened to leave, the autoencoder's code loses against PCA at 30 bits. The reason
# is not the code but how it is written: in fair units the same network needs about a third fewer bits than
# PCA in the middle of the range. With very few bits there is nothing in it. With many it is stuck at its own
# error, and PCA with all D numbers goes on to any quality. JPEG needs more than four times as many bits for
# the same PSNR.
#
# Two things are left out of the bill. The receiver needs the decoder, whose weights are more bits than the
# codes of a thousand pictures. And JPEG takes any picture, while the autoencoder and PCA know digits only.
# Exchange rows and columns of the test pictures, and both lose, the autoencoder more; JPEG does not care:

# %%
turned = x_test.reshape(-1, side, side).transpose(0, 2, 1).reshape(len(x_test), D)
for name, model in (("autoencoder", curved), ("PCA", flat)):
    print(f"{name:12} digits {psnr(model.reconstruct(x_test), x_test):5.2f} dB, "
          f"rows and columns exchanged {psnr(model.reconstruct(turned), turned):5.2f} dB")
loss_curved, loss_flat = (psnr(model.reconstruct(x_test), x_test) - psnr(model.reconstruct(turned), turned)
                          for model in (curved, flat))
assert loss_curved > loss_flat + 1 > 2
assert 32 * curved.decoder.w.size > 1000 * curves[fair][-1, 0]
if "JPEG" in results:
    _, o = jpeg(turned, 40)
    print(f"JPEG         digits {curves['JPEG'][4, 1]:5.2f} dB, rows and columns exchanged {psnr(o, turned):5.2f} dB")
    assert abs(psnr(o, turned) - curves["JPEG"][4, 1]) < 0.5

# %% [markdown]
# ## Image search
#
# Given a picture, find the ones like it in a large collection. The collection is the training part, a query
# is a test picture, and its answers are the ten pictures whose codes are nearest to its own, by ‖z - z'‖. The
# number is the *precision at 10*: the share of the ten that show the same digit as the query. Nobody has told
# the codes about digits.
#
# A plain autoencoder is asked to rebuild its input, not to put like beside like: nothing forbids it to give
# two versions of one digit codes that are far apart. So there is a second one that has a reason not to. It
# sees each picture moved by up to one pixel and with noise on it, and must give back the picture *in its
# place and clean*. Of where exactly a digit stood the code then need not speak. That is a denoising
# autoencoder with another corruption: a class with the same two methods as `GaussianNoise`. Its units are
# ELU; their codes, smoother functions of the pixels, help a little, too.


# %%
class Moved(Corruption):
    """Corruption: pictures moved by -1, 0 or 1 pixels in both directions, then Gaussian noise sigma."""

    def __init__(self, sigma):
        self.sigma = np.float32(sigma)

    def draw(self, x, rng):
        """The shifts, (N, 2), beside the noise of every pixel, in one array."""
        shifts = rng.integers(-1, 2, (len(x), 2))
        return np.hstack([shifts, rng.standard_normal(x.shape)]).astype(x.dtype)

    def apply(self, x, noise):
        """x rolled by its shifts, plus sigma times the noise."""
        return moved(x, noise[:, :2]) + self.sigma * noise[:, 2:]


steady = train(autoencoder([D, *hidden, K], ELU, corruption=Moved(0.3 if FULL else 0.1)), x)


def nearest(z, z_query, k=10):
    """For each query the indices of its k nearest rows of z, nearest first."""
    found = []
    for block in np.array_split(z_query, max(1, len(z_query) // 100)):
        far = np.sum(z**2, axis=1) - 2 * block @ z.T                 # ‖z - q‖², but for the query's own square
        some = np.argpartition(far, k, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(far, some, axis=1), axis=1)
        found.append(np.take_along_axis(some, order, axis=1))
    return np.concatenate(found)


# %% [markdown]
# Each code is also made *binary*: a bit says whether a number is above its median over the collection. Then a
# picture is 30 bits, and the distance of two is the number of bits that differ (Salakhutdinov & Hinton 2007
# call it semantic hashing). The time of a query depends on the machine; it is printed for the 30 numbers and
# for the pixels.

# %%
query, digit = x_test[:2000], y_test[:2000]
codes = {"autoencoder": curved.encode, "moved, denoised": steady.encode, "PCA": flat.encode, "raw pixels": lambda x: x}
found, right, seconds = {}, {}, {}
print(f"{len(x)} pictures   precision at 10   the same by bits   time of a query")
for name, encode in codes.items():
    z, z_query = encode(x), encode(query)
    start = time.perf_counter()
    found[name] = nearest(z, z_query)
    seconds[name] = (time.perf_counter() - start) / len(query)
    middle = np.median(z, axis=0)
    by_bits = nearest((z > middle).astype(np.float32), (z_query > middle).astype(np.float32))
    right[name] = np.mean(y[found[name]] == digit[:, None]), np.mean(y[by_bits] == digit[:, None])
    print(f"{name:16} {right[name][0]:16.1%} {right[name][1]:18.1%} {1000 * seconds[name]:14.2f} ms")
assert right["moved, denoised"][0] > right["PCA"][0] + 0.002 and right["moved, denoised"][1] > right["PCA"][1] + 0.03
assert all(right[name][1] < right[name][0] - 0.05 for name in codes if name != "raw pixels")
assert abs(right["autoencoder"][0] - right["PCA"][0]) < 0.01
if FULL:
    assert right["moved, denoised"][0] > right["PCA"][0] + 0.01 and right["PCA"][0] > right["raw pixels"][0] + 0.005

# %% [markdown]
# The plain autoencoder rebuilds pictures far better than PCA, but is hardly a better index. On handwriting
# (`--full`) it is ahead by half a point. PCA in turn is better than all pixels there: its small components,
# which it drops, say little about the digit. The moved and denoised autoencoder is ahead of both, because it
# has been told which differences do not matter. And a bit per number is a rough code: 30 bits take 1/32 of
# the memory of 30 numbers of four bytes, and cost 7 to 15 points. (Raw pixels with a bit each are 196 bits,
# or 784 with `--full`.)
#
# By digit: the two digits that are hardest for PCA gain more than a point each.

# %%
by_digit = {}
print("by digit        ", *(f"{k:5}" for k in range(10)))
for name in ("moved, denoised", "PCA"):
    by_digit[name] = np.array([np.mean(y[found[name][digit == k]] == k) for k in range(10)])
    print(f"{name:16}", *(f"{100 * value:5.1f}" for value in by_digit[name]))
weak = np.argsort(by_digit["PCA"])[:2]
assert np.all(by_digit["moved, denoised"][weak] > by_digit["PCA"][weak] + 0.01)

# %%
hardest = np.argsort(np.mean(y[found["PCA"]] == digit[:, None], axis=1), kind="stable")
shown = [hardest[digit[hardest] == k][len(query) // 100] for k in range(10)]        # a hard one of each
figure = plots.new_figure("In each row: a query that is not easy for PCA, then the ten nearest pictures by 30 "
                          "numbers. Crossed out: another digit.", 16, 9)
for place, name in zip(figure.add_gridspec(1, 2), ("moved, denoised", "PCA")):
    axes = plots.new_axes(figure, place, f"{name}: {right[name][0]:.1%} right over all queries")
    page = np.full((len(shown) * (side + 2), 11 * (side + 2) + side // 2), 1.0)
    for i, q in enumerate(shown):
        for j, picture in enumerate([query[q], *x[found[name][q]]]):
            top, left = i * (side + 2), j * (side + 2) + (side // 2 if j else 0)
            page[top:top + side, left:left + side] = picture.reshape(side, side)
            if j and y[found[name][q, j - 1]] != digit[q]:
                axes.plot([left, left + side - 1], [top, top + side - 1], color=plots.COLOURS[1], linewidth=3)
                axes.plot([left, left + side - 1], [top + side - 1, top], color=plots.COLOURS[1], linewidth=3)
    axes.imshow(page, cmap="gray", vmin=0, vmax=1)
    axes.set_xticks([side / 2, 6.5 * (side + 2)], ["query", "the ten nearest"], fontsize=plots.TEXT)
    axes.set_yticks([])
course.show(figure, "10_search")

# %% [markdown]
# ## Anomaly detection
#
# Train on normal samples only. What is rebuilt badly was not like them. So the reconstruction error s(x) =
# ‖x - g(f(x))‖² is a score, and no anomaly is needed to learn it. The number is the area under the ROC curve,
# AUC: the probability that an anomalous sample has a higher score than a normal one. It is ½ for guessing and
# 1 when a threshold exists that separates them. By ranks r_n among all scores (Mann & Whitney 1947), with P
# anomalous samples and Q normal ones:
#
#     AUC = (Σ_{n anomalous} r_n - P (P + 1) / 2) / (P Q)
#
# **Heartbeats.** With `--full` ECG5000: 140 values per beat, 2500 normal beats to train on. The stand-in has
# beats that are sums of five Gaussians (the waves P, Q, R, S, T), with random heights, widths, rate and a
# random moment of onset. In anomalous ones the wave P is missing, or T is upside down, or QRS is broad. As
# in ECG5000 each beat has mean 0 and standard deviation 1.


# %%
def auc(score, anomalous):
    """The probability that an anomalous sample has the higher score; anomalous (N,) 0 or 1."""
    P = np.sum(anomalous)
    return (rankdata(score)[anomalous == 1].sum() - P * (P + 1) / 2) / (P * (len(score) - P))


def generated_beats(n, rng):
    """n beats (n, 140); kind 0 normal, 1 without P, 2 with T upside down, 3 with a broad QRS."""
    kind = rng.integers(1, 4, n) * (rng.random(n) < 0.4)
    height = np.array([0.15, -0.15, 1, -0.25, 0.35]) * np.exp(0.15 * rng.standard_normal((n, 5)))
    width = np.array([0.025, 0.01, 0.012, 0.012, 0.045]) * np.exp(0.1 * rng.standard_normal((n, 5)))
    height[kind == 1, 0] = 0
    height[kind == 2, 4] *= -1
    width[kind == 3, 1:4] *= 2.2
    onset, rate = rng.uniform(-0.05, 0.05, (n, 1)), rng.uniform(0.8, 1.2, (n, 1))
    place = 0.4 + onset + rate * np.array([-0.15, -0.04, 0, 0.04, 0.28])
    t = np.linspace(0, 1, 140)
    beat = np.sum(height[:, :, None] * np.exp(-0.5 * ((t - place[:, :, None]) / width[:, :, None])**2), axis=1)
    beat += 0.02 * rng.standard_normal(beat.shape)
    beat -= beat.mean(axis=1, keepdims=True)
    return (beat / beat.std(axis=1, keepdims=True)).astype(np.float32), kind


if FULL:
    ecg = datasets.load("ecg5000", dtype=np.float32)
    beats, beats_test, kind = ecg.x, ecg.x_test, ecg.y_test
else:
    beats, kind = generated_beats(5500, np.random.default_rng(0))
    beats, beats_test, kind = beats[:3500][kind[:3500] == 0], beats[3500:], kind[3500:]
anomalous = (kind > 0).astype(int)


def score(model, x):
    """The squared error of each reconstruction, (N,)."""
    return np.sum((model.reconstruct(x) - x)**2, axis=1)


def mirror(sizes, unit, seed=0, corruption=None):
    """An autoencoder for data of any range: linear at the code and at the output."""
    rng = np.random.default_rng(seed)
    encoder, decoder = mlp(sizes, hidden=unit, rng=rng), mlp(sizes[::-1], hidden=unit, rng=rng)
    return Autoencoder(encoder, decoder, SquaredError(), corruption=corruption)


code_sizes, heart = [1, 2, 4, 8, 16, 32], {}
by_size = {"autoencoder": [], "PCA": []}
for size in code_sizes:
    heart[size] = train(mirror([140, 64, size], ReLU).astype(np.float32), beats, epochs=40 if FULL else 12, alpha=3e-3)
    by_size["autoencoder"].append(auc(score(heart[size], beats_test), anomalous))
    by_size["PCA"].append(auc(score(PCA(size).fit(beats), beats_test), anomalous))
from_mean = auc(np.sum((beats_test - beats.mean(axis=0))**2, axis=1), anomalous)
print(f"{len(beats)} normal beats to learn from; AUC of the distance to their mean {from_mean:.3f}")
print("code size  ", *(f"{size:6}" for size in code_sizes))
for name, values in by_size.items():
    print(f"{name:11}", *(f"{value:6.3f}" for value in values))
assert by_size["autoencoder"][3] > (0.99 if FULL else 0.98) and by_size["autoencoder"][3] > max(by_size["PCA"])
assert np.all(np.array(by_size["autoencoder"]) > by_size["PCA"])
assert by_size["PCA"][5] < max(by_size["PCA"]) - 0.02
assert max(by_size["PCA"]) > (0.98 if FULL else 0.9)

# %% [markdown]
# The autoencoder is ahead at every size of the code. A wave that comes earlier or later moves on a bent line
# in the space of 140 values. PCA needs many directions to follow it, and with these it follows an anomaly,
# too; so a wide code hurts it most. On the real beats PCA is not far behind (0.989 with two numbers). They
# have been cut out and aligned, and already the distance to their mean has an AUC of 0.97.
#
# **Heart records.** With `--full` 1831 records of 21 measurements each (ODDS, cardio), 176 of them outliers.
# The stand-in is the case in which a curved model has nothing to find: normal records are linear in three
# causes, plus noise; an outlier has one and a half times the noise. Half of the normal ones are for training.
# The result is the mean over five such halves.


# %%
def generated_records(n, rng):
    """n records (n, 21), linear in three causes, and 1 for outliers."""
    outlier = (rng.random(n) < 0.1).astype(int)
    noise = 0.6 * rng.standard_normal((n, 21)) * (1 + 0.5 * outlier[:, None])
    return rng.standard_normal((n, 3)) @ rng.standard_normal((3, 21)) + noise, outlier


records, outlier = generated_records(800, np.random.default_rng(0))
if FULL:
    odds = datasets.load("odds")
    records, outlier = odds.x, odds.y
record_sizes, splits = [1, 2, 3, 4, 6, 8], 5 if FULL else 2
areas = {"autoencoder": np.zeros((splits, 6)), "PCA": np.zeros((splits, 6))}
for split in range(splits):
    normal = np.random.default_rng(split).permutation(np.flatnonzero(outlier == 0))
    known, new = normal[:len(normal) // 2], np.append(normal[len(normal) // 2:], np.flatnonzero(outlier))
    for k, size in enumerate(record_sizes):
        model = train(mirror([21, 16, size], Tanh, split), records[known], epochs=40, alpha=1e-2)
        areas["autoencoder"][split, k] = auc(score(model, records[new]), outlier[new])
        areas["PCA"][split, k] = auc(score(PCA(size).fit(records[known]), records[new]), outlier[new])
print("code size  ", *(f"{size:6}" for size in record_sizes))
for name, values in areas.items():
    print(f"{name:11}", *(f"{value:6.3f}" for value in values.mean(axis=0)))
best = {name: values.mean(axis=0).max() for name, values in areas.items()}
assert best["PCA"] > best["autoencoder"] and np.all(areas["PCA"].mean(axis=0)[2:4] > areas["autoencoder"].mean(axis=0)[2:4])

# %% [markdown]
# Here PCA wins, and this is not a matter of the size: the best of PCA's codes is ahead of the best of the
# autoencoder's. A few hundred records of nearly linear data are a poor place for a curved model.

# %%
def roc(score, anomalous):
    """False and true alarms, as shares of the normal and of the anomalous, for every threshold from high to low."""
    order = np.argsort(-score)
    return np.cumsum(anomalous[order] == 0) / np.sum(anomalous == 0), np.cumsum(anomalous[order]) / np.sum(anomalous)


scores = {f"autoencoder, 8: AUC {by_size['autoencoder'][3]:.3f}": score(heart[8], beats_test),
          f"PCA, 8: AUC {by_size['PCA'][3]:.3f}": score(PCA(8).fit(beats), beats_test)}
figure = plots.new_figure("What the autoencoder has not seen it rebuilds badly: the error gives the anomalous beat "
                          "away.", 16, 9)
grid = figure.add_gridspec(2, 2)
for row, (title, label) in enumerate((("normal beat", 0), ("anomalous beat", 1))):
    which = np.flatnonzero(anomalous == label)
    which = which[np.argsort(score(heart[8], beats_test[which]))[len(which) // 2]]         # the one with the median score
    axes = plots.new_axes(figure, grid[row, 0], title, "sample" if row else "", "standard deviations")
    axes.plot(beats_test[which], linewidth=3, color=plots.COLOURS[0], label="beat")
    axes.plot(heart[8].reconstruct(beats_test[[which]])[0], "--", linewidth=3, color=plots.COLOURS[2],
              label="autoencoder, 8")
    axes.legend(fontsize=plots.TICKS)
axes = plots.new_axes(figure, grid[:, 1], "ROC curves of the heartbeats", "false alarms, share of the normal",
                      "found, share of the anomalous")
for k, (name, values) in enumerate(scores.items()):
    axes.plot(*roc(values, anomalous), ("-", "--")[k], linewidth=3, color=plots.COLOURS[(0, 2)[k]], label=name)
axes.set_xlim(0, 0.3)
axes.set_ylim(0.5, 1.005)
axes.grid(color="0.9")
axes.legend(fontsize=plots.TEXT, loc="lower right")
course.show(figure, "10_anomalies")

# %% [markdown]
# ## Missing value imputation
#
# **A torn picture.** A piece of each test picture is torn off along a random line; the edge is known, what
# was beyond it is not. Put the mean picture there, rebuild the whole, copy the rebuilt pixels into the hole
# and only there, and repeat: *iterated projection*. `PCA.fill` does that with a PCA fitted to the damaged data
# themselves; below it is written for any model that can `reconstruct`, fitted to whole pictures. Five rounds.
# The errors count missing pixels only: their squared error, summed over the hole, and the PSNR, -10 log₁₀ of
# the mean squared error of a missing pixel, in dB.
#
# Which model? These are tried, beside the mean picture:
#
# - PCA with 10 and with 30 numbers, and the plain autoencoder of above;
# - *noise*: an autoencoder trained with Gaussian noise. Lecture 8 has shown that it points back to where data
#   are, which should be what is needed here, since a picture with a hole is not where data are;
# - *tears*: an autoencoder trained on torn pictures, with the whole ones as targets. It needs one round only;
# - the best *linear* guess given the known pixels: μ_h + S_hk (S_kk + ε I)⁻¹ (x_k - μ_k), where h are the
#   hidden and k the known pixels and S is the covariance of the training pictures. That is PCA with all its
#   components, weighted by what each of them is worth.


# %%
class Torn(Corruption):
    """Corruption: beyond a line at a random angle, up to a tenth of the side from the middle, the mean picture."""

    def __init__(self, mean):
        self.mean = mean

    def draw(self, x, rng):
        """1 where a pixel is missing, (N, D)."""
        row, column = np.mgrid[:side, :side].reshape(2, -1) - (side - 1) / 2
        angle, offset = rng.uniform(0, 2 * np.pi, (len(x), 1)), rng.uniform(0, 0.14 * side, (len(x), 1))
        return (np.cos(angle) * row + np.sin(angle) * column > offset).astype(x.dtype)

    def apply(self, x, noise):
        """The mean picture where noise is 1."""
        return np.where(noise == 1, self.mean, x)


def fill(model, x, missing, rounds):
    """x with its missing part replaced by its reconstruction, over and over; at first by the mean picture."""
    filled = np.where(missing, mean_picture, x)
    for _ in range(rounds):
        filled = np.where(missing, model.reconstruct(filled), x)
    return filled


mean_picture = x.mean(axis=0)
whole = x_test[:1000 if FULL else 300]
tear = Torn(mean_picture)
missing = tear.draw(whole, np.random.default_rng(4)) == 1
noisy = train(autoencoder([D, *hidden, K], corruption=GaussianNoise(0.4 if FULL else 0.2)), x, epochs // 2)
mender = train(autoencoder([D, *hidden, K], corruption=tear), x)
S = np.cov(x.T) + 0.01 * np.eye(D)
linear = whole.copy()
for n, h in enumerate(missing):
    k = ~h
    weights = np.linalg.solve(S[np.ix_(k, k)], whole[n, k] - mean_picture[k])
    linear[n, h] = mean_picture[h] + S[np.ix_(h, k)] @ weights

# %%
filled = {"mean picture": np.where(missing, mean_picture, whole), "PCA, 10": fill(PCA(10).fit(x), whole, missing, 5),
          "PCA, 30": fill(flat, whole, missing, 5), "plain autoencoder": fill(curved, whole, missing, 5),
          "trained with noise": fill(noisy, whole, missing, 5), "best linear guess": linear,
          "trained with tears": fill(mender, whole, missing, 1)}
hole = {}
print(f"{missing.mean():.0%} of the pixels are missing   squared error      PSNR")
for name, guess in filled.items():
    hole[name] = np.mean(np.sum((guess - whole)**2, axis=1))
    print(f"{name:31} {hole[name]:13.2f} {-10 * np.log10(hole[name] / missing.sum() * len(whole)):9.1f} dB")
print("rounds                 1        2        5       20")
for name, model in {"PCA, 10": PCA(10).fit(x), "plain": curved, "noise": noisy, "tears": mender}.items():
    errors = [np.mean(np.sum((fill(model, whole, missing, rounds) - whole)**2, axis=1)) for rounds in (1, 2, 5, 20)]
    print(f"{name:14}", *(f"{error:8.2f}" for error in errors))
    assert errors[-1] > min(errors)
assert hole["trained with tears"] < hole["best linear guess"] < 0.8 * min(hole["PCA, 10"], hole["PCA, 30"])
assert hole["trained with noise"] < 0.9 * hole["plain autoencoder"] and hole["plain autoencoder"] > 1.1 * hole["PCA, 30"]
assert not FULL or hole["plain autoencoder"] > hole["mean picture"]
assert (hole["trained with noise"] > hole["PCA, 10"]) if FULL else (hole["trained with noise"] < 0.95 * hole["PCA, 10"])

# %% [markdown]
# The plain autoencoder is worse than PCA (on handwriting even worse than the mean picture). It has learnt to
# rebuild digits, not what to do with something that is none. Noise in training helps: on typeset digits it
# makes iterated projection better than with PCA. On handwriting (`--full`) it does not get so far: half a
# digit lost is not a small noise. The best linear guess, with all components of PCA, is far better than
# projection with some of them, and only the network that was trained for tears beats it. And more rounds are
# not always better: every model has its least error after a few, the mender after one, for it was trained to
# be asked once. Look at the pictures, too. The best linear guess hedges, with grey where a stroke may be.

# %%
shown = [int(np.flatnonzero(y_test[:len(whole)] == k % 10)[1 + k // 10]) for k in range(14)]
rows = {"torn": np.where(missing, 0.4, whole), **{name: filled[name] for name in list(filled)[1:]}, "whole": whole}
rows.pop("PCA, 30")
page = np.ones((len(rows) * (side + 1), len(shown) * (side + 1)))
for i, row in enumerate(rows.values()):
    for j, n in enumerate(shown):
        page[i * (side + 1):i * (side + 1) + side, j * (side + 1):j * (side + 1) + side] = row[n].reshape(side, side)
figure = plots.new_figure("Where the piece is missing (grey), each model puts its guess.", 16, 9)
axes = plots.new_axes(figure, figure.add_gridspec()[0], "Torn pictures")
axes.imshow(page, cmap="gray", vmin=0, vmax=1)
axes.set_yticks((side + 1) * np.arange(len(rows)) + side / 2, rows, fontsize=plots.TEXT)
axes.set_xticks([])
course.show(figure, "10_torn")

# %% [markdown]
# **A table.** With `--full` the horse-colic table: 300 horses, 22 columns (without the hospital's number, the
# codes of the lesion, and one column with 82 % of its cells empty), a fifth of the cells empty. The stand-in
# has 14 columns that are bent functions of two causes, with noise, and as many empty cells. We hide a tenth
# of the known cells, standardise the columns by what is left, fill in, and compare with what we hid: the root
# of the mean squared error, in standard deviations of the column. To put in the mean of the column has an
# error of about 1.
#
# The denoising autoencoder sees each row with 50 % of the cells masked, so that it learns to say every cell
# from the others. Masked is 0, the mean, and that is also what a missing cell is: it is missing from the
# start. A missing cell has no target, so it is given the network's own answer, which costs nothing
# (`each_epoch`).

# %%
def generated_table(n, rng):
    """n rows of 14 columns, bent functions of two causes, with noise; a fifth of the cells is missing (NaN)."""
    causes = rng.standard_normal((n, 2))
    table = np.tanh(causes @ rng.standard_normal((2, 14)) + 0.5 * rng.standard_normal(14))
    table += 0.4 * rng.standard_normal((n, 14))
    table[rng.random(table.shape) < 0.2] = np.nan
    return table


def mended(z, unit, seed):
    """The table z with its NaN filled in by a denoising autoencoder with 64 hidden units."""
    missing, rng = np.isnan(z), np.random.default_rng(seed)
    seen, D = np.nan_to_num(z), z.shape[1]
    decoder, encoder = mlp([64, D], rng=rng), mlp([D, 64], output=unit, rng=rng)
    model = Autoencoder(encoder, decoder, SquaredError(), corruption=MaskingNoise(0.5))
    fit(model, seen, optimizer=Adam(3e-3), epochs=60, batch_size=50, rng=rng,
        each_epoch=lambda rng, seen: np.where(missing, model.reconstruct(seen), seen))
    return np.where(missing, model.reconstruct(seen), z)


table = generated_table(300, np.random.default_rng(0))
if FULL:
    columns = [0, 1, *range(3, 24)]
    columns.remove(15)
    table = datasets.load("horse-colic").x[:, columns]
methods = {"mean": lambda z, seed: np.nan_to_num(z), "PCA.fill, 1": lambda z, seed: PCA(1).fill(z),
           "PCA.fill, 2": lambda z, seed: PCA(2).fill(z), "PCA.fill, 3": lambda z, seed: PCA(3).fill(z),
           "PCA.fill, 2, 5 rounds": lambda z, seed: PCA(2).fill(z, rounds=5),
           "linear denoiser": lambda z, seed: mended(z, Identity, seed),
           "tanh denoiser": lambda z, seed: mended(z, Tanh, seed)}
repetitions = 10 if FULL else 2
cells = {name: np.zeros(repetitions) for name in methods}
for seed in range(repetitions):
    hidden_cells = ~np.isnan(table) & (np.random.default_rng(seed).random(table.shape) < 0.1)
    left = np.where(hidden_cells, np.nan, table)
    mean, spread = np.nanmean(left, axis=0), np.nanstd(left, axis=0)
    for name, method in methods.items():
        difference = method((left - mean) / spread, seed) - (table - mean) / spread
        cells[name][seed] = np.sqrt(np.mean(difference[hidden_cells]**2))
print(f"{len(table)} rows, {table.shape[1]} columns, {np.isnan(table).mean():.0%} missing; error of hidden cells:")
for name, values in cells.items():
    print(f"{name:24} {values.mean():.3f}")
error_of = {name: values.mean() for name, values in cells.items()}
by_pca = min(value for name, value in error_of.items() if name.startswith("PCA"))
assert by_pca < 0.95 * error_of["mean"] and error_of["PCA.fill, 3"] > by_pca
assert abs(error_of["tanh denoiser"] / error_of["linear denoiser"] - 1) < 0.03
if FULL:
    assert error_of["tanh denoiser"] < 0.98 * by_pca
else:
    assert error_of["tanh denoiser"] > by_pca

# %% [markdown]
# On the generated table, which two causes explain, two components of PCA are best. But PCA has to be told that
# number: with three it fits the noise. On the horses (`--full`: 0.91 for PCA with one component, 0.87 for the
# denoisers) there is no such number; the denoisers are ahead, if by little, and need not be told. And the
# *linear* denoiser, a network without a bend, is as good as the one with tanh units. What helps here is not
# the curve but the training for the task.
#
# ## What to remember
#
# - Measure each use with its own number, and put PCA's beside it. A small reconstruction error promises none
#   of the others: not better features, not a better index, not a better guess of what is missing.
# - Bending pays for maps of two numbers, for denoising, at few bits and where a wave may come earlier or
#   later. With 30 numbers in front of a linear classifier there is little between the two, and on data that
#   are nearly linear PCA is ahead.
# - What an autoencoder shall do has to be trained: noise for denoising, shifts for search, tears for torn
#   pictures. To noise and to holes a plain one answers worse than PCA.
# - What was never seen cannot be rebuilt: the error of a reconstruction is a score for anomalies, and no
#   anomaly is needed to learn it.
# - A code has no units. Whoever rounds it, or measures distances in it, has to say how its axes are scaled.
# - The best *linear* map for a task (Wiener's filter, the best linear guess) is better than PCA's projection
#   and costs as little. It is the baseline to beat.
#
# ## Try it
#
# - Train the shared autoencoder with 8 numbers instead of 30. Which of the numbers of this lecture become
#   better, which worse, and why?
# - Test the denoiser at σ = 0.2 and σ = 0.8. Where does the best linear map, told the right σ, overtake it?
#   What should the noise in training be if σ is not known?
# - Put ten anomalous beats among the normal ones of the training part, then two hundred. What happens to the
#   AUC, and to that of which model first?
# - Iterate the denoisers of the table as the torn pictures were iterated, 30 rounds. The linear one explodes.
#   Why does PCA not? (Compare ‖r(z)‖ with ‖z‖, and think of what masking half of the cells does to weights.)
