"""Plots: the pixels are the model's, the texts can be read, the colours keep apart, bad input is one sentence."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from scipy.stats import norm

from PIL import Image

from numpyae import (VAE, Adam, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, Layer, Model, Regression, ReLU, Sequential,
                     SaltAndPepper, Sigmoid, Softmax, SquaredError, Tanh, TiedDense, fit, mlp, parameter, plots)
from numpyae.training import History

SHAPE = (5, 4)
D = 20


def vae(d=2):
    rng = np.random.default_rng(0)
    return VAE(mlp([D, 8, 2 * d], rng=rng), mlp([d, 8, D], rng=rng), BernoulliNLL(), DiagonalGaussian(d))


def autoencoder(d=2):
    rng = np.random.default_rng(0)
    return Autoencoder(mlp([D, 8, d], rng=rng), mlp([d, 8, D], rng=rng), BernoulliNLL())


def denoising():
    rng = np.random.default_rng(0)
    return Autoencoder(mlp([D, 8, 3], rng=rng), mlp([3, 8, D], rng=rng), BernoulliNLL(), SaltAndPepper(0.3))


def fitted():
    return Regression(mlp([1, 5, 1], rng=np.random.default_rng(0)), SquaredError())


def data(n=120):
    return np.random.default_rng(1).random((n, D))


def sine():
    x = np.linspace(0, 6, 15)[:, None]
    return x, np.sin(x)


def history():
    return History(loss=[5.0, 4.0, 3.0, 2.5], terms={"reconstruction": [4.0, 3.5, 2.5, 2.0], "kl": [1.0, 0.5, 0.5, 0.5]},
                   validation=[5.5, 4.2, 3.6, 3.9], seconds=[1.0] * 4)


def plain_history():
    return History(loss=[5.0, 4.0, 3.0], terms={"error": [5.0, 4.0, 3.0]}, seconds=[1.0] * 3)


def row(name, yours, numerical, verdict, shape=None, term=None, error=1e-12):
    """A row of a report whose elements are all of the array's."""
    yours, numerical, verdict = (np.atleast_1d(values) for values in (yours, numerical, verdict))
    values = {"index": np.arange(len(yours)), "yours": yours, "numerical": numerical, "error": np.full(len(yours), error),
              "verdict": np.broadcast_to(verdict, yours.shape)}
    return {"array": name, "term": term, "shape": (len(yours),) if shape is None else shape, "values": values}


def taylor(wrong=0.0, noise=3e-15):
    """Of f with slope 2 and curvature 1 along v, where the gradient is off by `wrong`."""
    h = 10.0**np.arange(-9, 0.1, 0.5)
    rounding = noise * np.abs(np.random.default_rng(0).normal(size=len(h))) / 3
    return {"h": list(h), "first": list(2 * h + h**2 + rounding), "second": list(wrong * h + h**2 + rounding), "noise": noise}


def report(*rows, ok=True, **of_taylor):
    return SimpleNamespace(name="VAE", ok=ok, rows=list(rows), taylor=taylor(**of_taylor) if of_taylor else None)


def decades(n=300, low=-6, high=0):
    rng = np.random.default_rng(0)
    return 10.0**rng.uniform(low, high, n) * rng.choice([-1, 1], n)


def right():
    return report(row("encoder.layers[0].W", decades(), decades(), 0, (20, 15)), row("b", np.zeros(3), np.zeros(3), 0), wrong=0.0)


def wrong_factor():
    g = decades(60, -3)
    return report(*right().rows, row("encoder.layers[10].W", 7 * g, g, 1, (10, 6)), ok=False, wrong=1.4)


def wrong_sign():
    g = decades(80, -12, 6)
    return report(row("x", -g, g, 1, (8, 10)), ok=False)


def every_verdict():
    yours = [1.0, 2.0, 0.3, 0.0, np.nan, 1.0, -4.0]
    return report(row("W", yours, [1.0, 1.0, 0.3, 0.5, 1.0, np.inf, -4.0], [0, 1, 2, 3, 1, 2, 0]), ok=False, wrong=1.0)


def wide_vae():
    return VAE(mlp([784, 500, 40], rng=0), mlp([20, 500, 784], rng=1), BernoulliNLL(), DiagonalGaussian(20))


FIGURES = {
    "learning_curve": lambda: plots.learning_curve(history(), unit="nats per sample"),
    "learning_curve, many epochs": lambda: plots.learning_curve(History(range(30000), {"a": range(30000), "b": range(30000)})),
    "learning_curve, one epoch": lambda: plots.learning_curve(History([1e6], {"a": [5e5], "b": [5e5]}, [1e-6], [1.0])),
    "reconstructions": lambda: plots.reconstructions(vae(), data(), SHAPE),
    "denoised": lambda: plots.denoised(denoising(), data(), SHAPE, rng=0),
    "activity": lambda: plots.activity(autoencoder(12), data(), np.arange(120) % 10),
    "code_map, 25 classes": lambda: plots.code_map(vae(), data(), np.arange(120) % 25 + 1000),
    "unit_kl": lambda: plots.unit_kl(np.abs(np.sin(np.arange(120.0))).reshape(12, 10)),
    "manifold": lambda: plots.manifold(vae(), SHAPE),
    "filters": lambda: plots.filters(Dense(D, 150, rng=0), SHAPE),
    "regression": lambda: plots.regression(fitted(), *sine()),
    "gradient_check, wrong factor": lambda: plots.gradient_check(wrong_factor()),
    "gradient_check, every verdict": lambda: plots.gradient_check(every_verdict()),
    "gradient_check, 18 decades": lambda: plots.gradient_check(report(row("W", *[decades(99, -12, 6)] * 2, 0), wrong=0.0)),
    "network, 1-8-1": lambda: plots.network(Regression(mlp([1, 8, 1], rng=0), SquaredError())),
    "network, 1-2-...-2-1": lambda: plots.network(mlp([1] + [2] * 14 + [1], ReLU, rng=0)),
    "network, a wide vae": lambda: plots.network(wide_vae()),
}


@pytest.fixture(autouse=True)
def free_figures():
    yield
    plt.close("all")


def cell(axes, row, column):
    """The image at (row, column) of a page of images, from the array that Matplotlib shows."""
    rows, columns = SHAPE
    top, left = row * (rows + 1) + 1, column * (columns + 1) + 1
    return axes.images[0].get_array()[top:top + rows, left:left + columns]


def visible_texts(figure):
    """The texts that are drawn: not the labels of ticks that Matplotlib keeps ready beyond the limits of an axis."""
    figure.draw_without_rendering()
    beyond = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        beyond |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in beyond]


@pytest.mark.parametrize("name", FIGURES)
def test_every_text_is_whole_large_enough_and_uncovered(name):
    figure = FIGURES[name]()
    width, height = figure.canvas.get_width_height()
    assert height == 900 and 1000 <= width <= 1600
    assert_texts_can_be_read(figure)
    assert figure.get_supxlabel().endswith(".")
    assert all(axes.get_title() or axes.get_title("left") for axes in figure.axes if axes.get_label() != "<colorbar>")


def assert_texts_can_be_read(figure):
    width, height = figure.canvas.get_width_height()
    boxes = [(text, text.get_window_extent()) for text in visible_texts(figure)]
    for k, (text, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
        assert text.get_fontsize() >= 12, text
        for other, other_box in boxes[:k]:
            assert not box.padded(-1).overlaps(other_box.padded(-1)), (text, other)


def test_figures_do_not_depend_on_the_users_style(tmp_path):
    with plt.rc_context({"font.size": 3, "image.cmap": "jet", "image.interpolation": "bicubic", "figure.facecolor": "black"}):
        figure = plots.manifold(vae(), SHAPE)
        assert min(text.get_fontsize() for text in visible_texts(figure)) >= 12
        assert figure.get_facecolor() == (1, 1, 1, 1)
        image = figure.axes[0].images[0]
        assert image.get_cmap().name == "gray" and image.get_interpolation() == "nearest"
    figure.savefig(tmp_path / "manifold.png")
    assert plt.imread(tmp_path / "manifold.png").shape[:2] == (900, 1000)


def test_learning_curve_shows_the_history():
    figure = plots.learning_curve(history(), unit="nats per sample")
    loss, *terms = figure.axes
    training, validation, best = loss.lines
    np.testing.assert_array_equal(training.get_xydata(), [[1, 5], [2, 4], [3, 3], [4, 2.5]])
    np.testing.assert_array_equal(validation.get_ydata(), [5.5, 4.2, 3.6, 3.9])
    np.testing.assert_array_equal(best.get_xydata(), [[3, 3.6]])
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "training, mean over the epoch", "validation", "best: 3.6, epoch 3"]
    assert loss.get_ylabel() == "loss (nats per sample)" and loss.get_xlabel() == "epoch"
    assert [axes.get_title() for axes in terms] == ["Term: reconstruction", "Term: kl"]
    np.testing.assert_array_equal([axes.lines[0].get_ydata() for axes in terms], [[4, 3.5, 2.5, 2], [1, 0.5, 0.5, 0.5]])
    figure.canvas.draw()
    assert loss.get_legend().get_window_extent().y0 >= loss.get_window_extent().y1         # above the curves
    assert all(float(tick).is_integer() for tick in loss.get_xticks())


def test_learning_curve_of_one_term_without_validation_is_one_panel():
    figure = plots.learning_curve(plain_history())
    assert len(figure.axes) == 1 and len(figure.axes[0].lines) == 1
    assert "validation" not in figure.get_supxlabel()


@pytest.mark.parametrize("model", [vae(), autoencoder(), vae().astype(np.float32)], ids=["vae", "ae", "float32"])
def test_reconstructions_are_the_models_pixel_by_pixel(model):
    x = data().astype(model.dtype)
    figure = plots.reconstructions(model, x, SHAPE)
    left, right = figure.axes
    expected = model.reconstruct(x[:100])
    for k in range(100):
        np.testing.assert_array_equal(cell(left, k // 10, k % 10), x[k].reshape(SHAPE))
        np.testing.assert_array_equal(cell(right, k // 10, k % 10), expected[k].reshape(SHAPE))
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0, 1)
    assert left.images[0].get_cmap()(0.0)[:3] == (0, 0, 0) and left.images[0].get_cmap()(1.0)[:3] == (1, 1, 1)


def test_a_page_that_is_not_full_has_white_cells():
    figure = plots.reconstructions(vae(), data(37), SHAPE)
    page = figure.axes[0].images[0].get_array()
    assert page.shape == (10 * 6 + 1, 10 * 5 + 1)
    assert (~page.mask).sum() == 37 * D and cell(figure.axes[0], 3, 7).mask.all()
    assert page.mask[::6].all() and page.mask[:, ::5].all()                                # the gaps
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    box = figure.axes[0].get_window_extent()
    x, y = int(box.x0 + 0.75 * box.width), int(box.y0 + 0.15 * box.height)                 # row 8, from the top, is empty
    assert (pixels[len(pixels) - y, x] == 255).all()


def test_denoised_shows_the_clean_the_damaged_and_the_models_answer():
    model, x = denoising(), data()
    pages = [axes.images[0].get_array() for axes in plots.denoised(model, x, SHAPE, n=6, rng=0).axes]
    clean, seen, answer = ([page[:, k * 5:k * 5 + 4].reshape(D) for k in range(6)] for page in pages)
    np.testing.assert_array_equal(clean, x[:6])
    changed = np.asarray(seen) != x[:6]
    assert 0.2 < changed.mean() < 0.4 and set(np.asarray(seen)[changed]) == {0.0, 1.0}
    np.testing.assert_array_equal(answer, model.reconstruct(np.ascontiguousarray(seen)))


def test_activity_is_the_mean_of_each_unit_for_each_class_in_units_of_its_largest():
    model, x, labels = autoencoder(12), data(), np.arange(120) % 3
    z = np.abs(model.encode(x))
    shown = np.asarray(plots.activity(model, x, labels, n=5).axes[0].images[0].get_array())
    means = np.stack([z[labels == k].mean(axis=0) for k in range(3)])
    strongest = np.argsort(-means.max(axis=0))[:5]
    expected = means[:, strongest] / means[:, strongest].max(axis=0)
    assert sorted(map(tuple, shown.T)) == sorted(map(tuple, expected.T))
    assert list(shown.argmax(axis=0)) == sorted(shown.argmax(axis=0))                # units of a class stand side by side


def test_samples_are_those_of_the_same_seed():
    figure = plots.samples(vae(), SHAPE, rng=3)
    expected = vae().sample(100, 3)
    for k in range(100):
        np.testing.assert_array_equal(cell(figure.axes[0], k // 10, k % 10), expected[k].reshape(SHAPE))


def test_code_map_draws_every_code_in_the_colour_of_its_class():
    model, x, labels = vae(), data(), np.arange(120) % 10
    axes = plots.code_map(model, x, labels).axes[0]
    points = axes.collections[0]
    np.testing.assert_allclose(points.get_offsets(), model.encode(x))
    np.testing.assert_allclose(points.get_facecolors()[:, :3], [to_rgb(plots.COLOURS[label]) for label in labels])
    assert axes.get_aspect() == 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [str(k) for k in range(10)]
    assert sorted(text.get_text() for text in axes.texts) == [str(k) for k in range(10)]


class Encoder:
    """A model whose code is its input."""

    dtype = np.dtype(np.float64)

    def __init__(self):
        self.encoder = Dense(1, 1)
        self.encoder.n_in = None

    def encode(self, x):
        return x


def test_names_stand_where_their_class_is_densest_with_a_white_outline():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    labels = np.repeat([2, 5, 7], 41)
    code = rng.normal(size=(123, 2)) + np.repeat(centres, 41, axis=0)
    axes = plots.code_map(Encoder(), code, labels).axes[0]
    for text, label in zip(axes.texts, (2, 5, 7), strict=True):
        assert text.get_text() == str(label)
        own = code[labels == label]
        assert np.linalg.norm(text.get_position() - np.median(own, axis=0)) < 1.5 and any(np.array_equal(text.get_position(), z) for z in own)
        assert text.get_path_effects()[0]._gc["foreground"] == "white"


def test_names_at_one_place_are_moved_apart():
    moved = plots.keep_apart(np.array([[0.0, 0.0], [0.0, 0.0], [0.1, 0.0], [9.0, 9.0]]), 1.0)
    assert (np.linalg.norm(moved[:, None] - moved, axis=2) + 10 * np.eye(4)).min() >= 1
    np.testing.assert_array_equal(moved[3], [9, 9])


def test_code_map_of_many_dimensions_shows_the_two_that_vary_most_and_says_so():
    x = np.random.default_rng(0).normal(size=(50, 5)) * [1, 9, 0.1, 2, 7]
    figure = plots.code_map(Encoder(), x)
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), x[:, [1, 4]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$z_{2}$", "$z_{5}$")
    assert "two of 5 dimensions that vary most" in figure.get_supxlabel()


def test_code_map_limits_the_points_to_rows_spread_over_the_data():
    x = np.stack([np.arange(1000.0), np.arange(1000.0) % 7], axis=1)
    axes = plots.code_map(Encoder(), x, labels=np.arange(1000) // 100, limit=10).axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets()[:, 0], np.arange(10) * 111)
    assert len(axes.texts) == 10 and axes.get_title() == "The code of 10 inputs"


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_manifold_decodes_the_normal_quantiles(n):
    model = vae()
    axes = plots.manifold(model, SHAPE, n).axes[0]
    quantiles = norm.ppf((np.arange(n) + 0.5) / n)
    for row in range(n):
        for column in range(n):
            z = np.array([[quantiles[column], quantiles[n - 1 - row]]])                    # z_2 grows upwards
            np.testing.assert_allclose(cell(axes, row, column), model.decode(z).reshape(SHAPE), rtol=1e-12)
    labels = [float(label.get_text().replace("\N{MINUS SIGN}", "-")) for label in axes.get_yticklabels()]
    for place, label in zip(axes.get_yticks(), labels, strict=True):
        row = (place - 3) / 6                                                              # the middle of an image of 5 rows
        assert label == pytest.approx(quantiles[n - 1 - int(row)], abs=0.005) and row == int(row)
    for place, label in zip(axes.get_xticks(), labels, strict=True):                       # the same values as upwards
        column = (place - 2.5) / 5
        assert label == pytest.approx(quantiles[int(column)], abs=0.005) and column == int(column)


def test_manifold_of_an_autoencoder_lies_where_its_codes_are():
    model, x = autoencoder(), data()
    axes = plots.manifold(model, SHAPE, 3, x=x).axes[0]
    code = model.encode(x)
    corner = code.mean(axis=0) + code.std(axis=0) * norm.ppf([0.5 / 3, 2.5 / 3])           # left, top
    np.testing.assert_allclose(cell(axes, 0, 0), model.decode(corner[None]).reshape(SHAPE), rtol=1e-12)


def test_filters_are_scaled_by_their_own_maximum_and_sorted_by_norm():
    dense = Dense(D, 7, rng=0)
    dense.W = dense.W * np.array([3, 1, 0, 20, 5, 0.1, 2])
    axes = plots.filters(dense, SHAPE).axes[0]
    order = np.argsort(-np.linalg.norm(dense.W, axis=0))
    for k, unit in enumerate(order[:-1]):
        w = dense.W[:, unit]
        np.testing.assert_allclose(cell(axes, k // 3, k % 3), (w / np.abs(w).max()).reshape(SHAPE), rtol=1e-12)
    np.testing.assert_array_equal(cell(axes, 2, 0), np.zeros(SHAPE))                       # the dead unit comes last
    image = axes.images[0]
    assert image.get_clim() == (-1, 1) and min(image.cmap(0.5)[:3]) > 0.95


def test_regression_draws_the_data_and_the_models_curve():
    model, (x, t) = fitted(), sine()
    axes = plots.regression(model, x, t).axes[0]
    points, curve = axes.lines
    np.testing.assert_array_equal(points.get_xydata(), np.hstack([x, t]))
    np.testing.assert_allclose(curve.get_ydata(), model.predict(curve.get_xdata()[:, None])[:, 0])
    assert (curve.get_xdata()[0], curve.get_xdata()[-1]) == (0, 6)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["data, 15 points", "model"]


def arrows(axes):
    """{(start, end): patch} of the arrows of `network`, the ends as places (column, height)."""
    return {tuple(map(tuple, np.asarray(patch._posA_posB, float))): patch for patch in axes.patches}


def test_network_draws_every_weight_and_bias_by_its_sign_and_size():
    network = mlp([2, 3, 1], rng=0)
    network.w = np.arange(-6, 7) / 4
    network.layers[0].b[1] = 9.0
    figure = plots.network(network)
    axes, before = figure.axes[0], network.w.copy()
    drawn = arrows(axes)
    first, _, second = network.layers
    expected = {((0.0, 1.0 - i), (1.0, 0.5 - j)): w                     # the 1 on top: three places here, four in the next
                for i, row in enumerate([first.b, *first.W]) for j, w in enumerate(row)}
    expected |= {((1.0, 1.5 - i), (2.0, 0.0)): w for i, w in enumerate([second.b[0], *second.W[:, 0]])}
    assert drawn.keys() == expected.keys()
    for place, w in expected.items():
        assert drawn[place].get_linestyle() == ("--" if w < 0 else "-")
        assert to_rgb(drawn[place].get_edgecolor()) == to_rgb(plots.COLOURS[2 if w < 0 else 0])
        assert drawn[place].get_linewidth() == pytest.approx(0.6 + 4.4 * abs(w) / 9)
    assert entries(axes) == ["w ≥ 0, widest 9", "w < 0, widest \N{MINUS SIGN}1.5"]
    written = [text.get_text() for text in axes.texts]
    assert sorted(written[:13]) == sorted(plots.signed(w) for w in expected.values())
    assert written[13:] == ["1", "x$_{1}$", "x$_{2}$", "1", "h$_{1}$", "h$_{2}$", "h$_{3}$", "o$_{1}$"]
    assert "from a 1 are the biases" in figure.get_supxlabel()
    np.testing.assert_array_equal(network.w, before)


def labels(axes):
    return [label.get_text().split("\n") for label in axes.get_xticklabels()]


def test_network_draws_the_first_and_last_units_of_a_wide_layer_and_writes_their_number():
    network = mlp([784, 500, 2], rng=0)
    figure = plots.network(network)
    axes = figure.axes[0]
    names = [text.get_text() for text in axes.texts]
    assert names == [*(f"x$_{{{k}}}$" if k else "⋮" for k in (1, 2, 3, 0, 782, 783, 784)),
                     *(f"h$_{{{k}}}$" if k else "⋮" for k in (1, 2, 3, 0, 498, 499, 500)), "o$_{1}$", "o$_{2}$"]
    assert labels(axes) == [["x", "784 inputs"], ["h = tanh(a)", "500 units"], ["o = a", "2 units"]]
    assert len(axes.patches) == 6 * 6 + 6 * 2
    last = arrows(axes)[(0.0, -3.0), (1.0, -3.0)]                              # from x_784 to h_500
    assert last.get_linestyle() == ("--" if network.layers[0].W[783, 499] < 0 else "-")
    assert "1 is not depicted, but you always need it" in figure.get_supxlabel()


@pytest.mark.parametrize("model, d, shown", [(vae(3), 3, 3), (wide_vae(), 20, 2)], ids=["small", "wide"])
def test_network_draws_the_draw_of_a_vae_between_encoder_and_decoder(model, d, shown):
    axes = plots.network(model).axes[0]
    assert labels(axes)[2:4] == [["μ, log σ²", f"{2 * d} units"], ["z = μ + σ ε", f"{d} unit{'s' * (d > 1)}"]]
    fixed = [place for place, patch in arrows(axes).items() if patch.get_linestyle() == ":"]
    names = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    pairs = {(names[start], names[end]) for start, end in fixed}
    each = (1, 2, 3) if shown == d else (1, d)
    assert pairs == {(f"{letter}_{{{k}}}$", f"z$_{{{k}}}$") for letter in ("μ$", "log σ$^2") for k in each}
    assert entries(axes)[-1] == "fixed"


class Doubled(Layer):
    """A fixed layer: x and -x."""
    n_in, n_out = 2, 4

    def forward(self, x):
        return np.hstack([x, -x])


def test_network_draws_nested_networks_fixed_layers_and_tied_weights():
    dense = Dense(4, 3, rng=0)
    back = Sequential(Sequential(TiedDense(dense)), Softmax())
    network = Sequential(Doubled(), Sequential(dense, Tanh(), Dropout(0.1)), back)
    axes = plots.network(network).axes[0]
    assert [label for label, _ in labels(axes)] == ["x", "φ = Doubled(x)", "h = Dropout(tanh(a))", "o = softmax(a)"]
    drawn = arrows(axes)
    assert {patch.get_linestyle() for (start, _), patch in drawn.items() if start[0] == 0} == {":"}
    negative = [[drawn[(2.0, 0.5 - i), (3.0, 1.5 - j)].get_linestyle() == "--" for j in range(4)] for i in range(3)]
    np.testing.assert_array_equal(negative, dense.W.T < 0)
    axes = plots.network(Sequential(Tanh(), Dense(2, 2, init="zeros"), Sigmoid())).axes[0]
    assert [label for label, _ in labels(axes)] == ["h = tanh(x)", "o = σ(a)"]
    assert {patch.get_linewidth() for patch in axes.patches} == {0.6} and len(axes.patches) == 6
    autoencoding = plots.network(autoencoder()).axes[0]
    assert [label for label, _ in labels(autoencoding)] == ["x", "h = tanh(a)", "z = a", "h = tanh(a)", "o = a"]


class Scaled(Layer):
    """A layer that the plot knows nothing about: a gain and a bias for each unit, and no W."""

    g, dg = parameter("g")
    b, db = parameter("b")

    def __init__(self, n):
        self.n_in = self.n_out = n
        self.add_parameters(g=np.ones(n), b=np.zeros(n))


class Unbiased(Layer):
    """A matrix and no bias."""

    W, dW = parameter("W")
    n_in, n_out = 3, 2

    def __init__(self):
        self.add_parameters(W=np.array([[1.0, -1.0], [2.0, -2.0], [0.0, 3.0]]))


def test_network_draws_an_unknown_layer_as_a_box_and_a_matrix_without_a_bias_as_weights():
    figure = plots.network(Sequential(Scaled(3), Tanh(), Unbiased()))
    axes = figure.axes[0]
    assert [label for label, _ in labels(axes)] == ["x", "φ = tanh(Scaled(x))", "o = a"]
    box, = (text for text in axes.texts if text.get_text() == "Scaled")
    assert tuple(box.get_position()) == (0.5, 0) and box.get_bbox_patch() is not None
    into = [arrow for arrow in arrows(axes) if arrow[1] == (0.5, 0)]
    out = [arrow for arrow in arrows(axes) if arrow[0] == (0.5, 0)]
    assert len(into) == len(out) == 3 and len(axes.patches) == 3 + 3 + 6 and "1" not in [text.get_text() for text in axes.texts]
    assert entries(axes) == ["w ≥ 0, widest 3", "w < 0, widest \N{MINUS SIGN}2", "through a box"]
    assert_texts_can_be_read(figure)


class Residual(Layer):
    """A container that is no chain: y = x + tanh(x W + b)."""
    n_in = n_out = 3

    def __init__(self):
        self.add_parts(inner=Sequential(Dense(3, 3, rng=0), Tanh()))


class TwoHeads(Model):
    def __init__(self):
        self.add_parts(trunk=mlp([3, 3], rng=0), left=mlp([3, 1], rng=0), right=mlp([3, 1], rng=0))


def test_network_draws_a_container_as_a_box_and_does_not_guess_the_order_of_networks():
    axes = plots.network(Sequential(Dense(2, 3, rng=0), Residual(), Dense(3, 1, rng=0))).axes[0]
    assert [label for label, _ in labels(axes)] == ["x", "h = a", "φ = Residual(h)", "o = a"]
    assert "Residual" in [text.get_text() for text in axes.texts]
    with pytest.raises(ValueError, match="order of trunk, left, right in a TwoHeads is not known: draw one of them, such as model.trunk"):
        plots.network(TwoHeads())


def test_network_draws_a_second_use_with_the_weights_of_the_first():
    dense = Dense(3, 3, rng=0)
    network = Sequential(dense, Tanh(), dense.again())
    drawn = arrows(plots.network(network).axes[0])
    for start, end in [key for key in drawn if key[0][0] == 0]:
        assert drawn[start, end].get_linewidth() == drawn[(start[0] + 1, start[1]), (end[0] + 1, end[1] + 0.5)].get_linewidth()


def film(snapshots, model=None):
    x, t = sine()
    return plots.moving_basis(model or fitted(), snapshots, x, t, np.sin)


def test_moving_basis_shows_the_fit_and_the_hidden_units_of_every_snapshot(tmp_path):
    model, rng = fitted(), np.random.default_rng(0)
    x, t = sine()
    before = model.w.copy()
    snapshots = {epoch: rng.normal(size=model.w.size) for epoch in (0, 5)}
    film(snapshots, model).save(tmp_path / "film.gif", writer="pillow")
    np.testing.assert_array_equal(model.w, before)
    left, right = plt.gcf().axes                                               # it stands at the last frame
    model.w = snapshots[5]
    line = left.lines[2].get_xdata()[:, None]
    np.testing.assert_allclose(left.lines[2].get_ydata(), model.predict(line)[:, 0], rtol=1e-12)
    np.testing.assert_allclose([curve.get_ydata() for curve in right.lines], model.network.layers[2].x.T, rtol=1e-12)
    np.testing.assert_allclose(left.lines[1].get_ydata(), np.sin(line[:, 0]), rtol=1e-12)
    assert plt.gcf().get_suptitle() == f"epoch 5: loss {model.loss(x, t):.4f}"
    for axes in (left, right):
        low, high = axes.get_ylim()
        assert all(low <= line.get_ydata().min() and line.get_ydata().max() <= high for line in axes.lines)
    assert_texts_can_be_read(plt.gcf())
    gif = Image.open(tmp_path / "film.gif")
    assert (gif.n_frames, gif.size) == (2, (800, 450)) and (tmp_path / "film.gif").stat().st_size < 200_000
    frames = []
    for k in range(2):
        gif.seek(k)
        frames.append(np.asarray(gif.convert("L"), float))
    assert np.mean(np.abs(frames[0] - frames[1]) > 50) > 0.01


def recorded(epochs, **options):
    """A Recorder, and the models it has seen: {epoch: w}."""
    model, seen = vae(), {}
    recorder = plots.Recorder(data().round(), SHAPE, np.arange(120) % 3, **options)

    def keep(model, history, optimizer):
        seen[history.epochs] = model.w.copy()

    fit(model, data().round(), optimizer=Adam(0.03), epochs=epochs, batch_size=40, rng=0, callbacks=[recorder, keep])
    return recorder, model, seen


def test_a_recorder_keeps_what_the_model_was_at_the_end_of_each_epoch():
    recorder, model, seen = recorded(3, n=4)
    assert list(recorder.kept) == [1, 2, 3] and list(recorder.last) == [3]
    for epoch, (codes, bound, page) in recorder.kept.items():
        model.w = seen[epoch]
        np.testing.assert_allclose(codes, model.encode(data().round()), rtol=1e-12)
        assert bound == pytest.approx(model.elbo(data().round(), rng=0).mean(), rel=1e-12)
        images = plots.manifold(model, SHAPE, 4).axes[0].images[0].get_array()
        assert page.dtype == np.uint8 and page.max() <= 15
        np.testing.assert_array_equal(page, np.where(images.mask, 15, np.round(15 * images.data.clip(0, 1))))


def test_a_recorder_of_many_epochs_keeps_few_evenly_spread_and_the_last():
    recorder, model, seen = recorded(13, n=2, most=5, limit=10)
    recorder.add(model, 14)
    assert list(recorder.kept) == [4, 8, 12] and list(recorder.last) == [14]
    assert all(len(codes) == 10 for codes, *_ in recorder.kept.values())


def test_the_film_of_a_training_shows_codes_manifold_and_elbo_of_every_epoch(tmp_path):
    recorder, model, seen = recorded(1, n=3)
    model.w = np.random.default_rng(0).normal(size=model.w.size)
    recorder.add(model, 4)
    plots.learning_animation(recorder).save(tmp_path / "film.gif", writer="pillow")
    left, right, below = plt.gcf().axes                                        # it stands at the last frame
    codes, bound, page = recorder.last[4]
    for k, line in enumerate(left.lines):
        np.testing.assert_allclose(line.get_xydata(), codes[k::3], rtol=1e-12)
    assert len({line.get_marker() for line in left.lines}) == 3 and {text.get_text() for text in left.texts} == {"0", "1", "2"}
    np.testing.assert_array_equal(right.images[0].get_array(), page)
    bounds = [recorder.kept[epoch][1] for epoch in (1, 4)]
    np.testing.assert_allclose(below.lines[0].get_xydata(), np.stack([[1, 4], bounds], axis=1), rtol=1e-12)
    assert left.get_title() == "Epoch 4: codes of 120 inputs"
    assert_texts_can_be_read(plt.gcf())
    gif = Image.open(tmp_path / "film.gif")
    assert (gif.n_frames, gif.size) == (2, (960, 540))                         # the repeated last one is one that lasts
    durations = []
    for k in range(2):
        gif.seek(k)
        durations.append(gif.info["duration"])
    assert durations == [200, 1000]                                       # milliseconds


def entries(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_gradient_check_draws_every_verdict_with_a_marker_of_its_own_and_the_wrong_ones_on_top():
    axes = plots.gradient_check(every_verdict()).axes[0]
    line, agree, unclear, kink, wrong, lost = axes.lines
    assert entries(axes) == ["yours = numerical", "2 agree", "1 cannot tell", "1 on a kink", "1 disagree", "2 not finite"]
    for points, expected in ((agree, [[1, 1], [-4, -4]]), (unclear, [[0.3, 0.3]]), (kink, [[0.5, 0]]), (wrong, [[1, 2]])):
        np.testing.assert_array_equal(points.get_xydata(), expected)
        assert points.get_zorder() <= wrong.get_zorder() and points.get_markersize() <= wrong.get_markersize()
    assert len({points.get_marker() for points in (agree, unclear, kink, wrong)}) == 4
    assert len({points.get_color() for points in (agree, unclear, kink, wrong)}) == 4
    assert axes.get_xlim() == axes.get_ylim() and (line.get_xdata() == line.get_ydata()).all() and len(lost.get_xdata()) == 0
    assert entries(plots.gradient_check(right()).axes[0]) == ["yours = numerical", "303 agree"]


def test_gradient_check_shows_a_wrong_factor_as_the_same_distance_at_every_size():
    numerical = np.array([1e-5, 1e-1, 1e3, 1e-7])
    axes = plots.gradient_check(report(row("W", numerical * [7, 7, 7, 1], numerical, [1, 1, 1, 0]), ok=False)).axes[0]
    x, y = axes.transAxes.inverted().transform(axes.transData.transform(axes.lines[-1].get_xydata())).T
    np.testing.assert_allclose(y - x, np.full(3, (y - x)[0]), rtol=1e-9)
    assert (y - x)[0] > 0.05


def test_gradient_check_is_linear_only_where_gradients_are_rounding_or_one_in_a_hundred_is_smaller():
    g = np.append(decades(1000), np.full(30, 1e-15))
    axes = plots.gradient_check(report(row("W", g, g, 0, error=1e-12))).axes[0]
    assert axes.xaxis.get_transform().linthresh == axes.yaxis.get_transform().linthresh == 1e-6
    axes = plots.gradient_check(report(row("W", [1.0, 2e-9], [1.0, 1e-9], [0, 1]), ok=False)).axes[0]
    assert axes.xaxis.get_transform().linthresh == 1e-9


@pytest.mark.parametrize("make", [wrong_sign, right, every_verdict])
def test_gradient_check_has_zero_both_signs_and_every_point_on_its_axes(make):
    axes = plots.gradient_check(make()).axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert {label.split("10")[0] for label in labels} == {"$-", "0", "$"}
    low, high = axes.get_xlim()
    assert all(((low < points.get_xydata()) & (points.get_xydata() < high)).all() for points in axes.lines[1:])


def test_gradient_check_names_the_element_that_is_the_most_error_bars_off():
    rows = [row("b", [1.0, 1.1], [1.0, 1.0], [0, 1], error=1e-3),
            row("encoder.W", [0, 1, 2, 3.01, 4, 5], np.arange(6.0), [0, 0, 0, 1, 0, 0], (2, 3), error=1e-6)]
    text, = plots.gradient_check(report(*rows, ok=False)).axes[0].texts
    assert text.get_text() == "worst: encoder.W[1, 0]\nyours 3.01\nnumerical 3" and text.xy == (3, 3.01)
    text, = plots.gradient_check(report(row("gain", -2.0, 2.0, 1, ()), ok=False)).axes[0].texts
    assert text.get_text() == "worst: gain\nyours \N{MINUS SIGN}2\nnumerical 2"
    assert not plots.gradient_check(report(*right().rows)).axes[0].texts


@pytest.mark.parametrize("make", [wrong_factor, wrong_sign])
def test_the_name_of_the_worst_element_covers_no_point(make):
    figure = plots.gradient_check(make())
    figure.canvas.draw()
    axes = figure.axes[0]
    box = axes.texts[0].get_bbox_patch().get_window_extent()
    assert not any(box.contains(*point) for line in axes.lines[1:] for point in axes.transData.transform(line.get_xydata()))


@pytest.mark.parametrize("of_taylor, ok, verdict, words", [
    ({"wrong": 0.0}, True, 0, "falls as h²: the gradient is right"),
    ({"wrong": 0.0}, False, 1, "falls as h²: right along this v"),
    ({"wrong": 1e-4}, False, 1, "falls as h: the gradient is wrong"),
    ({"wrong": 12.0}, False, 1, "falls as h: the gradient is wrong"),
    ({"wrong": 1.0}, True, 3, "falls as h: a kink, or a wrong gradient"),
    ({"noise": 1.0}, True, 0, "is rounding alone: the gradient is right"),
    ({"wrong": 1.0, "noise": 0.0}, False, 1, "falls as h: the gradient is wrong"),
])
def test_the_taylor_test_says_how_the_rest_falls(of_taylor, ok, verdict, words):
    checked = report(row("W", 1.0, 1.0, verdict), ok=ok, **of_taylor)
    axes = plots.gradient_check(checked).axes[1]
    first, second = axes.lines[:2]
    np.testing.assert_array_equal(first.get_xydata(), np.transpose([checked.taylor["h"], checked.taylor["first"]]))
    np.testing.assert_array_equal(second.get_xydata(), np.transpose([checked.taylor["h"], checked.taylor["second"]]))
    assert entries(axes)[1].endswith("$  " + words)
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_the_taylor_test_shades_rounding_and_draws_slopes_1_and_2():
    axes = plots.gradient_check(right()).axes[1]
    assert [text.get_text() for text in axes.texts] == ["slope 1", "slope 2", "rounding"]
    low, high = axes.patches[0].get_y(), axes.patches[0].get_y() + axes.patches[0].get_height()
    assert low == axes.get_ylim()[0] and high == pytest.approx(3e-15)
    for slope, line in zip((1, 2), axes.lines[2:], strict=True):
        (x0, y0), (x1, y1) = line.get_xydata()
        assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(slope) and line.get_linestyle() == "--"
        assert y0 > 0.999 * high                                                           # down to rounding, not into it
    axes = plots.gradient_check(report(row("W", 1.0, 1.0, 1), ok=False, wrong=1.0)).axes[1]      # all lies far above rounding
    assert [text.get_text() for text in axes.texts] == ["slope 1", "slope 2"] and not axes.patches
    assert axes.get_ylim()[0] == pytest.approx(1e-9 / 3)


def test_a_taylor_test_of_a_constant_is_drawn():
    checked = report(row("W", 0.0, 0.0, 0))
    checked.taylor = {"h": [0.1, 0.01], "first": [0.0, 0.0], "second": [0.0, 0.0], "noise": 0.0}
    figure = plots.gradient_check(checked)
    figure.canvas.draw()
    assert entries(figure.axes[1])[0].endswith("is rounding alone")


def test_gradient_check_says_what_there_is_to_see_and_leaves_the_terms_out():
    assert "right" in plots.gradient_check(right()).get_supxlabel()
    assert "wrong at the crosses" in plots.gradient_check(wrong_factor()).get_supxlabel()
    lost = plots.gradient_check(report(row("W", [np.nan], [1.0], 1), ok=False))
    assert "print the report" in lost.get_supxlabel() and len(lost.axes) == 1
    figure = plots.gradient_check(report(row("W", 1.0, 1.0, 0), row("W", 1.0, 9.0, 1, term="kl")))
    assert entries(figure.axes[0]) == ["yours = numerical", "1 agree"]
    assert figure.axes[0].get_title("left") == "VAE: gradient of 1 element"


# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
TRITANOPIA = [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]


def cielab(linear):
    """CIE L*a*b* (D65) of linear sRGB, (N, 3)."""
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.transpose(to_xyz) / [0.95047, 1, 1.08883]
    f = np.where(xyz > (6 / 29)**3, np.cbrt(xyz), xyz / (3 * (6 / 29)**2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def closest(colours, deficiency):
    """The smallest CIE 1976 colour difference of any two, as somebody with the deficiency sees them."""
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055)**2.4)
    lab = cielab(np.clip(linear @ np.transpose(deficiency), 0, 1))
    return (np.linalg.norm(lab[:, None] - lab, axis=2) + 1000 * np.eye(len(lab))).min()


@pytest.mark.parametrize("deficiency", [np.eye(3), PROTANOPIA, DEUTERANOPIA, TRITANOPIA], ids=["none", "prot", "deut", "trit"])
def test_ten_colours_keep_apart_for_everybody(deficiency):
    assert len(set(plots.COLOURS)) == 10
    assert closest(plots.COLOURS, deficiency) > 15            # 2.3 is just noticeable side by side


def test_the_colour_check_can_fail():
    assert closest(plt.get_cmap("tab10").colors, DEUTERANOPIA) < 15


@pytest.mark.parametrize("error, message, call", [
    (ValueError, "manifold: the code must have 2 dimensions, got 20", lambda: plots.manifold(vae(20), SHAPE)),
    (ValueError, "manifold: image_shape (4, 4) has 16 pixels, but the model gives 20 features",
     lambda: plots.manifold(vae(), (4, 4))),
    (ValueError, "manifold: n must be a whole number of at least 1, got 0", lambda: plots.manifold(vae(), SHAPE, 0)),
    (TypeError, "manifold: the model must be an Autoencoder or a VAE, got Regression", lambda: plots.manifold(fitted(), SHAPE)),
    (ValueError, "reconstructions: image_shape (28, 28) has 784 pixels, but x has 20 features",
     lambda: plots.reconstructions(vae(), data(), (28, 28))),
    (ValueError, "reconstructions: image_shape must be (rows, columns), got 20",
     lambda: plots.reconstructions(vae(), data(), 20)),
    (ValueError, "reconstructions: image_shape must be a whole number of at least 1, got -5",
     lambda: plots.reconstructions(vae(), data(), (-5, -4))),
    (TypeError, "reconstructions: x must be a NumPy array, got list", lambda: plots.reconstructions(vae(), [[1.0] * D], SHAPE)),
    (ValueError, "denoised: the model must have a corruption, such as MaskingNoise(0.3), got none",
     lambda: plots.denoised(autoencoder(), data(), SHAPE)),
    (ValueError, "activity: labels must have shape (120,), one for each row of x, got (3,)",
     lambda: plots.activity(autoencoder(), data(), [1, 2, 3])),
    (TypeError, "samples: the model must be a VAE, got Autoencoder", lambda: plots.samples(autoencoder(), SHAPE)),
    (ValueError, "code_map: the code must have at least 2 dimensions, got 1", lambda: plots.code_map(vae(1), data())),
    (ValueError, "code_map: labels must have shape (120,), one for each row of x, got (3,)",
     lambda: plots.code_map(vae(), data(), [1, 2, 3])),
    (ValueError, "code_map: labels must be whole numbers, got dtype float64",
     lambda: plots.code_map(vae(), data(), np.zeros(120))),
    (TypeError, "code_map: x must be a NumPy array, got list", lambda: plots.code_map(vae(), [[1.0] * D])),
    (ValueError, "code_map: x must be finite, got nan in row 7, column 2",
     lambda: plots.code_map(vae(), np.where(np.arange(160).reshape(8, D) == 142, np.nan, 0.0), limit=2)),
    (TypeError, "filters: expected a Dense layer, got Tanh", lambda: plots.filters(Tanh(), SHAPE)),
    (ValueError, "filters: image_shape (3, 3) has 9 pixels, but the layer takes 20 features",
     lambda: plots.filters(Dense(D, 4), (3, 3))),
    (ValueError, "learning_curve: the history must have at least one whole epoch, got none",
     lambda: plots.learning_curve(History())),
    (ValueError, "gradient_check: the report must have at least one checked element, got none",
     lambda: plots.gradient_check(report(row("W", [], [], 0), row("b", 1.0, 1.0, 0, term="kl")))),
    (TypeError, "network: expected a layer, a network or a model, got int", lambda: plots.network(3)),
    (TypeError, "network: expected a layer, a network or a model, got SquaredError", lambda: plots.network(SquaredError())),
    (TypeError, "network: expected a layer, a network or a model, got type", lambda: plots.network(Dense)),
    (ValueError, "network: at least one layer must have a fixed width, got Tanh()", lambda: plots.network(Tanh())),
    (TypeError, "moving_basis: the model must be a Regression, got Autoencoder",
     lambda: film({0: np.zeros(3)}, autoencoder())),
    (ValueError, "moving_basis: snapshots must be a dict of at least one {epoch: w} with finite w, got {}", lambda: film({})),
    (ValueError, "moving_basis: snapshots must be a dict of at least one {epoch: w} with finite w, got [1]", lambda: film([1])),
    (ValueError, "moving_basis: snapshots must be a dict of at least one {epoch: w} with finite w, got {0: nan}",
     lambda: film({0: np.nan})),
    (ValueError, "moving_basis: the network must be hidden layers and a Dense, got Sequential(Dense(1 -> 1); 2 parameters)",
     lambda: film({0: np.zeros(2)}, Regression(Dense(1, 1), SquaredError()))),
    (ValueError, "moving_basis: t must have shape (N, 1), got (4, 2)",
     lambda: plots.moving_basis(fitted(), {0: np.zeros(16)}, np.zeros((4, 1)), np.zeros((4, 2)), np.sin)),
    (ValueError, "Recorder: image_shape (2, 2) has 4 pixels, but x has 20 features", lambda: plots.Recorder(data(), (2, 2))),
    (ValueError, "Recorder: most must be a whole number of at least 1, got 0", lambda: plots.Recorder(data(), SHAPE, most=0)),
    (ValueError, "Recorder: labels must have shape (120,), one for each row of x, got (3,)",
     lambda: plots.Recorder(data(), SHAPE, [1, 2, 3])),
    (TypeError, "Recorder: the model must be a VAE, got Autoencoder", lambda: plots.Recorder(data(), SHAPE).add(autoencoder(), 0)),
    (ValueError, "Recorder: the code must have 2 dimensions, got 3", lambda: plots.Recorder(data(), SHAPE).add(vae(3), 0)),
    (TypeError, "learning_animation: expected a Recorder, got list", lambda: plots.learning_animation([])),
    (ValueError, "learning_animation: the recorder must have seen at least one epoch, got none",
     lambda: plots.learning_animation(plots.Recorder(data(), SHAPE))),
    (ValueError, "regression: x must have shape (N, 1), got (4, 2)",
     lambda: plots.regression(fitted(), np.zeros((4, 2)), np.zeros((4, 1)))),
    (ValueError, "regression: t must have as many rows as x, 4, got 3",
     lambda: plots.regression(fitted(), np.zeros((4, 1)), np.zeros((3, 1)))),
])
def test_bad_input_is_one_clear_sentence_and_leaves_no_figure(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
    assert not plt.get_fignums()
