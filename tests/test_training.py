"""fit: the loop, its bookkeeping, and how it ends."""

import copy
import io

import numpy as np
import pytest

from numpyae import (VAE, Adam, Autoencoder, BernoulliNLL, DiagonalGaussian, Dropout, GaussianNLL, GradientDescent, Layer, Momentum,
                     Regression, Sequential, SoftmaxCrossEntropy, SquaredError, fit, mlp)
from numpyae.checkpoints import load_model
from numpyae.training import Diverged, History, validation_loss


def regression(seed=0, dtype=np.float64):
    return Regression(mlp([3, 6, 2], rng=np.random.default_rng(seed)), SquaredError()).astype(dtype)


def small_vae(seed=0):
    rng = np.random.default_rng(seed)
    return VAE(Sequential(Dropout(0.1), mlp([6, 5, 4], rng=rng)), mlp([2, 5, 6], rng=rng), BernoulliNLL(), DiagonalGaussian(2))


def sines(N=50, seed=1):
    x = np.random.default_rng(seed).uniform(-1, 1, (N, 3))
    return x, np.c_[np.sin(3 * x[:, 0]), x[:, 1] * x[:, 2]]


def binary(N=40, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.random((N, 6)) < np.where(rng.random((N, 1)) < 0.5, 0.9, 0.1)).astype(float)


# ------------------------------------------------------------------------------------------------------ the loop

def test_the_loss_falls():
    x, t = sines(200)
    model = regression()
    history = fit(model, x, t, optimizer=Adam(0.01), epochs=40, batch_size=20, rng=0)
    assert history.loss[-1] < 0.3 * history.loss[0] and history.epochs == 40 and history.stopped == "epochs"
    assert model.loss(x, t) < 0.3 * regression().loss(x, t)
    vae = small_vae()
    history = fit(vae, binary(200), optimizer=Adam(0.02), epochs=30, batch_size=20, rng=0)
    assert history.loss[-1] < history.loss[0] - 0.3 and history.best is None and history.validation == []


def test_fit_is_the_loop_written_out():
    """Shuffle, cut, loss, backward, step; the last batch is what is left; means are weighted by rows."""
    x, t = sines(50)
    by_fit, by_hand = regression(), regression()
    history = fit(by_fit, x, t, optimizer=Momentum(0.05), epochs=3, batch_size=15, rng=np.random.default_rng(7))
    rng, optimizer, expected = np.random.default_rng(7), Momentum(0.05), []
    for _ in range(3):
        order, total, rows = rng.permutation(50), 0.0, []
        for start in (0, 15, 30, 45):
            chosen = order[start:start + 15]
            rows.append(len(chosen))
            total += by_hand.loss(x[chosen], t[chosen], rng=rng) * len(chosen)
            optimizer.step(by_hand.w, by_hand.backward())
        assert rows == [15, 15, 15, 5]
        expected.append(total / 50)
    np.testing.assert_array_equal(by_fit.w, by_hand.w)
    np.testing.assert_allclose(history.loss, expected, rtol=1e-13)


def test_every_row_is_seen_once_per_epoch_with_its_own_target():
    seen = []

    class Watched(Regression):
        def loss(self, x, t, **options):
            seen.append((x.copy(), t.copy()))
            return super().loss(x, t, **options)

    x = np.arange(23.0)[:, None]
    fit(Watched(mlp([1, 1], rng=0), SquaredError()), x, 10 * x, optimizer=GradientDescent(1e-9), epochs=2, batch_size=5, rng=3)
    assert [len(part) for part, _ in seen] == [5, 5, 5, 5, 3] * 2
    orders = []
    for epoch in (seen[:5], seen[5:]):
        rows, targets = (np.concatenate(parts) for parts in zip(*epoch))
        np.testing.assert_array_equal(np.sort(rows, axis=0), x)
        np.testing.assert_array_equal(targets, 10 * rows)
        orders.append(rows[:, 0])
    assert (orders[0] != orders[1]).any() and (orders[0] != x[:, 0]).any()


def test_the_data_are_not_modified():
    x, t = sines()
    kept = x.copy(), t.copy()
    fit(regression(), x, t, optimizer=Adam(), epochs=2, batch_size=7, rng=0, validation=(x, t))
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(t, kept[1])


def test_terms_add_up_in_the_history():
    history = fit(small_vae(), binary(), optimizer=Adam(), epochs=4, batch_size=9, rng=0, validation=binary(10))
    assert list(history.terms) == ["reconstruction", "kl"]
    np.testing.assert_allclose(np.sum(list(history.terms.values()), axis=0), history.loss, rtol=1e-13)
    assert len(history.validation) == len(history.seconds) == history.epochs == 4 and min(history.seconds) > 0
    again = History(**history.as_dict())
    assert again.as_dict() == history.as_dict() and "4 epochs" in repr(history)


def test_the_same_seed_gives_the_same_training():
    results = [fit_vae(seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


def fit_vae(seed, **options):
    vae = small_vae()
    fit(vae, binary(), optimizer=Adam(), epochs=2, batch_size=16, rng=seed, **options)
    return vae.w.copy()


def test_integer_classes_and_float32():
    x, t = sines(60)
    model = Regression(mlp([3, 5, 2], rng=np.random.default_rng(0)), SoftmaxCrossEntropy()).astype(np.float32)
    history = fit(model, x.astype(np.float32), (t[:, 0] > 0).astype(int), optimizer=Adam(0.01), epochs=20, batch_size=10, rng=0)
    assert history.loss[-1] < history.loss[0] and model.w.dtype == np.float32


# ---------------------------------------------------------------------------------------------------- validation

def test_validation_leaves_the_training_alone_and_its_noise_is_the_same_each_epoch():
    np.testing.assert_array_equal(fit_vae(0), fit_vae(0, validation=binary(13)))
    x = binary(20)
    vae = small_vae()
    history = fit(vae, x, optimizer=GradientDescent(1e-300), epochs=3, batch_size=10, rng=0, validation=x)
    assert history.validation[0] == history.validation[1] == history.validation[2]
    assert history.loss[0] != history.loss[1]            # training noise is drawn anew
    assert history.validation[0] == vae.loss(x, rng=np.random.default_rng(0), training=False)


def test_validation_in_parts_is_the_mean_over_rows(monkeypatch):
    monkeypatch.setattr("numpyae.training.VALIDATION_ROWS", 7)
    x, t = sines(50)
    model = regression()
    assert validation_loss(model, (x, t)) == pytest.approx(model.loss(x, t), rel=1e-12)


def test_early_stopping_restores_the_best():
    x, t = sines(20)
    held_out = sines(100, seed=5)
    model, kept = regression(), []
    history = fit(model, x, t, optimizer=Adam(0.05), epochs=500, batch_size=5, rng=0, validation=held_out, patience=6,
                  callbacks=[lambda model, history, optimizer: kept.append(model.w.copy())])
    assert history.stopped == "early" and history.epochs == history.best + 1 + 6 < 500
    assert history.validation[history.best] == min(history.validation)
    np.testing.assert_array_equal(model.w, kept[history.best])
    assert validation_loss(model, held_out) == min(history.validation)


def test_without_patience_nothing_is_restored():
    x, t = sines(20)
    model, kept = regression(), []
    fit(model, x, t, optimizer=Adam(0.1), epochs=15, batch_size=5, rng=0, validation=sines(50, seed=5),
        callbacks=[lambda model, history, optimizer: kept.append(model.w.copy())])
    np.testing.assert_array_equal(model.w, kept[-1])


# ------------------------------------------------------------------------------------------ each_epoch, callbacks

def test_each_epoch_makes_the_data():
    calls, x = [], np.full((30, 6), 0.5)

    def binarised(rng, x):
        calls.append(x.shape)
        return (rng.random(x.shape) < x).astype(float)

    seen = []

    class Watched(VAE):
        def loss(self, x, **options):
            seen.append(x.copy())
            return super().loss(x, **options)

    rng = np.random.default_rng(0)
    vae = Watched(mlp([6, 4], rng=rng), mlp([2, 6], rng=rng), BernoulliNLL(), DiagonalGaussian(2))
    fit(vae, x, optimizer=Adam(), epochs=3, batch_size=30, rng=0, each_epoch=binarised)
    assert calls[-3:] == [(30, 6)] * 3 and len(seen) == 3
    assert all(set(np.unique(part)) == {0, 1} for part in seen) and (seen[0].sum(axis=0) != seen[1].sum(axis=0)).any()
    x, t = sines(30)
    model = regression()
    fit(model, x, t, optimizer=Adam(), epochs=1, batch_size=30, rng=0, each_epoch=lambda rng, x, t: (x + 0.01, t))
    with pytest.raises(ValueError, match=r"x must have shape \(N, 3\), got \(30, 2\)"):
        fit(model, x, t, optimizer=Adam(), epochs=1, batch_size=30, each_epoch=lambda rng, x, t: (x[:, :2], t))


def test_callbacks_set_rate_and_beta_as_functions_of_the_epoch():
    vae, optimizer, seen = small_vae(), Adam(0.01), []

    def warm_up(model, history, optimizer):
        model.beta = min(1.0, 0.25 * history.epochs)
        optimizer.alpha = 0.01 / (1 + history.epochs)
        seen.append((history.epochs, model.beta, optimizer.alpha))

    vae.beta = 0.0
    history = fit(vae, binary(), optimizer=optimizer, epochs=5, batch_size=10, rng=0, callbacks=[warm_up])
    assert [beta for _, beta, _ in seen] == [0.25, 0.5, 0.75, 1.0, 1.0] and optimizer.alpha == 0.01 / 6
    assert history.terms["kl"][0] == 0 and min(history.terms["kl"][1:]) > 0


# ------------------------------------------------------------------------------------------------ Ctrl-C, divergence

def test_ctrl_c_after_an_epoch_ends_cleanly():
    x, t = sines()

    def stop(model, history, optimizer):
        if history.epochs == 3:
            raise KeyboardInterrupt

    model, other = regression(), regression()
    history = fit(model, x, t, optimizer=Adam(), epochs=100, batch_size=10, rng=0, callbacks=[stop])
    assert history.stopped == "interrupted" and history.epochs == 3
    fit(other, x, t, optimizer=Adam(), epochs=3, batch_size=10, rng=0)
    np.testing.assert_array_equal(model.w, other.w)


def test_ctrl_c_inside_an_epoch_keeps_what_was_learnt():
    class Interrupted(Regression):
        calls = 0

        def loss(self, *batch, **options):
            self.calls += 1
            if self.calls == 8:
                raise KeyboardInterrupt
            return super().loss(*batch, **options)

    x, t = sines()
    model = Interrupted(mlp([3, 6, 2], rng=np.random.default_rng(0)), SquaredError())
    before = model.w.copy()
    history = fit(model, x, t, optimizer=Adam(), epochs=100, batch_size=10, rng=0)
    assert history.stopped == "interrupted" and history.epochs == 1 and (model.w != before).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_is_named_and_undone(dtype, tmp_path):
    x, t = (array.astype(dtype) for array in sines())
    model = Regression(mlp([3, 6, 2], hidden=Softish, rng=np.random.default_rng(0)), SquaredError()).astype(dtype)
    path, kept = tmp_path / "run.npz", []

    def explode(model, history, optimizer):
        kept.append(model.w.copy())
        if history.epochs == 2:
            optimizer.alpha = 1e30

    with pytest.raises(Diverged) as caught:
        fit(model, x, t, optimizer=GradientDescent(1e-3), epochs=50, batch_size=10, rng=0, callbacks=[explode], checkpoint=path)
    sentence = str(caught.value)
    assert "epoch 3, step " in sentence and "the term error is " in sentence and "largest |gradient|" in sentence
    assert "Hint: a smaller rate, alpha = 1e+29 instead of 1e+30" in sentence and "back at the end of epoch 2" in sentence
    assert np.isfinite(model.w).all() and isinstance(caught.value, ArithmeticError)
    np.testing.assert_array_equal(model.w, kept[-1])
    from numpyae.checkpoints import load_model           # the last whole epoch is on disk
    with np.load(path) as file:
        assert np.array_equal(np.concatenate([file[f"model/{name}"].ravel() for name in model.named_parameters()]), kept[-1])
    with pytest.raises(ValueError, match="build the model yourself"):
        load_model(path)                                 # Softish is not numpyae's


class Softish(Layer):
    """h = a: a layer of one's own (so that nothing saturates and the loss does explode)."""

    def forward(self, a):
        return a * 1

    def backward(self, delta):
        return delta * 1


def test_divergence_of_one_term_and_in_the_first_step():
    rng = np.random.default_rng(0)
    vae = VAE(mlp([3, 4], rng=rng), mlp([2, 3], rng=rng), GaussianNLL(), DiagonalGaussian(2))
    vae.encoder.layers[0].W = np.array([[1e200, 1e200, 0.0, 0.0]] * 3)
    vae.decoder.layers[0].W = np.zeros((2, 3))
    before, x = vae.w.copy(), np.ones((4, 3))
    with pytest.raises(Diverged, match=r"epoch 1, step 1: .*the term kl is inf"):
        fit(vae, x, optimizer=Adam(), epochs=1, batch_size=2, rng=0)
    np.testing.assert_array_equal(vae.w, before)


def test_parameters_that_explode_in_the_last_step():
    x, t = sines(20)
    model = regression()
    with pytest.raises(Diverged, match="a parameter is no longer finite"):
        fit(model, x, t, optimizer=Exploding(), epochs=1, batch_size=20, rng=0)
    np.testing.assert_array_equal(model.w, regression().w)


class Exploding(GradientDescent):
    def __init__(self):
        super().__init__(0.1)

    def step(self, w, grad):
        w[3] = np.inf


def test_a_validation_loss_that_is_not_a_number_is_not_the_best():
    """Once a bug: np.argmin takes NaN for the least, so early stopping restores the parameters of the epoch that broke."""
    history = History(loss=[3.0, 2.0, 1.0], validation=[1.0, 0.5, np.nan])
    assert history.best == 1


# -------------------------------------------------------------------------------------------------- bad arguments

X, T = sines(10)


@pytest.mark.parametrize("data, options, error, words", [
    ((), {}, ValueError, r"a Regression is trained on \(x, t\), got 0 arrays"),
    ((X, T), {"epochs": -1}, ValueError, "epochs must be a whole number of at least 0, got -1"),
    ((X, T), {"epochs": 2.0}, ValueError, "epochs must be a whole number"), ((X, T), {"epochs": True}, ValueError, "epochs must"),
    ((X, T), {"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1, got 0"),
    ((X, T), {"batch_size": 11}, ValueError, "batch_size must be at most the number of samples, 10, got 11"),
    ((X, T), {"patience": 0, "validation": (X, T)}, ValueError, "patience must be a whole number of at least 1"),
    ((X, T), {"patience": 3}, ValueError, "patience needs validation data, got none"),
    ((X, T[:5]), {}, ValueError, "t must have as many rows as x, 10, got 5"),
    ((X[:0], T[:0]), {}, ValueError, "at least one row"), ((X * np.nan, T), {}, ValueError, "x must be finite"),
    ((X.astype(np.float32), T), {}, TypeError, "x must be float64"),
    ((X, T), {"validation": (X, T[:, :1])}, ValueError, r"t must have shape \(N, 2\), got \(10, 1\)"),
    ((X, T), {"validation": (X[:0], T[:0])}, ValueError, "at least one row")])
def test_bad_arguments_before_the_first_step(data, options, error, words):
    model = regression()
    before = model.w.copy()
    with pytest.raises(error, match=words):
        fit(model, *data, **({"optimizer": Adam(), "epochs": 1, "batch_size": 5} | options))
    np.testing.assert_array_equal(model.w, before)


def test_one_array_too_many_or_too_few_is_explained():
    """Once a bug: the sentence is Python's own, "check() takes 2 positional arguments but 3 were given"."""
    for model, data in ((small_vae(), (binary(), binary())), (regression(), (X,))):
        with pytest.raises((TypeError, ValueError)) as caught:
            fit(model, *data, optimizer=Adam(), epochs=1, batch_size=5)
        assert "positional argument" not in str(caught.value)


def test_no_epochs_change_nothing():
    model = regression()
    history = fit(model, X, T, optimizer=Adam(), epochs=0, batch_size=5, validation=(X, T), patience=2)
    np.testing.assert_array_equal(model.w, regression().w)
    assert history.epochs == 0 and history.stopped == "epochs" and history.best is None


# ------------------------------------------------------------------------------------------------------- progress

def test_plain_lines(capsys):
    fit(small_vae(), binary(), optimizer=Adam(), epochs=2, batch_size=10, rng=0, validation=binary(5), progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("epoch 2/2  loss ") and "\r" not in "".join(lines)
    assert all(word in lines[0] for word in ("reconstruction", "kl", "validation", " s"))
    for quiet in (None, False):
        fit(small_vae(), binary(), optimizer=Adam(), epochs=1, batch_size=10, rng=0, progress=quiet)
        assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_live_line(monkeypatch):
    for wanted, shown in ((None, True), (True, True), (False, False)):
        terminal = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", terminal)
            fit(regression(), X, T, optimizer=Adam(), epochs=2, batch_size=5, rng=0, progress=wanted)
        assert bool(terminal.getvalue()) is shown
        if shown:
            assert terminal.getvalue().count("\n") == 2 and "samples/s" in terminal.getvalue() and "s left" in terminal.getvalue()


def test_progress_does_not_change_the_training(capsys):
    one, two = regression(), regression()
    fit(one, X, T, optimizer=Adam(), epochs=2, batch_size=3, rng=0, progress=True)
    fit(two, X, T, optimizer=Adam(), epochs=2, batch_size=3, rng=0)
    np.testing.assert_array_equal(one.w, two.w)
    assert copy.deepcopy(one).loss(X, T) == one.loss(X, T)


def test_an_autoencoder_is_trained_by_the_same_fit():
    rng = np.random.default_rng(0)
    ae = Autoencoder(mlp([6, 2], rng=rng), mlp([2, 6], rng=rng), BernoulliNLL())
    history = fit(ae, binary(), optimizer=Adam(0.05), epochs=20, batch_size=10, rng=0, validation=(binary(10, seed=2),))
    assert history.loss[-1] < 0.8 * history.loss[0]


def test_a_finished_epoch_is_kept_when_its_line_cannot_be_printed(tmp_path, monkeypatch):
    def broken(self, history):
        raise BrokenPipeError("nobody reads")

    monkeypatch.setattr("numpyae.training.Progress.epoch", broken)
    x, t = sines(30)
    with pytest.raises(BrokenPipeError):
        fit(regression(), x, t, optimizer=Adam(), epochs=3, batch_size=30, checkpoint=tmp_path / "run.npz")
    assert load_model(tmp_path / "run.npz").predict(x).shape == t.shape


@pytest.mark.parametrize("alpha", [-1.0, 0.0, float("nan")])
def test_a_callback_that_sets_a_rate_that_cannot_be(alpha):
    def callback(model, history, optimizer):
        optimizer.alpha = alpha

    x, t = sines(30)
    with pytest.raises(ValueError, match="Adam: alpha must be a positive number"):
        fit(regression(), x, t, optimizer=Adam(), epochs=3, batch_size=30, callbacks=[callback])


def test_what_a_callback_set_is_not_set_twice_on_resume(tmp_path):
    def halve(model, history, optimizer):
        optimizer.alpha *= 0.5

    x, t = sines(30)
    whole, parts, optimizer = regression(), regression(), Adam()
    options = dict(batch_size=10, callbacks=[halve])
    fit(whole, x, t, optimizer=Adam(), epochs=4, rng=0, **options)
    fit(parts, x, t, optimizer=Adam(), epochs=2, rng=0, checkpoint=tmp_path / "run.npz", **options)
    fit(parts, x, t, optimizer=optimizer, epochs=4, rng=5, resume=tmp_path / "run.npz", **options)
    assert optimizer.alpha == 1e-3 / 2**4
    np.testing.assert_array_equal(parts.w, whole.w)


@pytest.mark.parametrize("first, then", [(None, "validation"), ("validation", None)])
def test_resume_with_and_without_validation_do_not_mix(tmp_path, first, then):
    x, t = sines(30)
    options = {"validation": dict(validation=(x, t)), None: {}}
    fit(regression(), x, t, optimizer=Adam(), epochs=1, batch_size=30, checkpoint=tmp_path / "run.npz", **options[first])
    with pytest.raises(ValueError, match="with(out)? validation data and must go on in the same way"):
        fit(regression(), x, t, optimizer=Adam(), epochs=2, batch_size=30, resume=tmp_path / "run.npz", **options[then])


def test_every_epoch_of_each_epoch_is_checked():
    calls = []

    def shrinking(rng, x, t):
        calls.append(1)
        return (x, t) if len(calls) < 2 else (x[:0], t[:0])

    x, t = sines(30)
    with pytest.raises(ValueError, match="at least one row"):
        fit(regression(), x, t, optimizer=Adam(), epochs=3, batch_size=30, each_epoch=shrinking)

