"""Layers: what they compute, and every gradient against finite differences with a random delta from above."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from numpyae import (ELU, Autoencoder, Dense, Dropout, Identity, Layer, ReLU, Regression, Sequential, Sigmoid, Softmax, Softplus,
                     SquaredError, Tanh, TiedDense, TopK, mlp)
from tests.numerical import assert_gradients, assert_model_gradient, numerical_gradient

some = settings(deadline=None, max_examples=30, derandomize=True)
sizes = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])


# ------------------------------------------------------------------------------------------------------------- Dense

@some
@given(sizes, sizes, sizes, seeds, dtypes)
def test_dense_reads_like_the_slide(N, n_in, n_out, seed, dtype):
    rng = np.random.default_rng(seed)
    dense = Dense(n_in, n_out, rng=rng).astype(dtype)
    dense.b = rng.standard_normal(n_out)
    x, delta = rng.standard_normal((N, n_in)).astype(dtype), rng.standard_normal((N, n_out)).astype(dtype)
    kept = x.copy(), delta.copy()
    a = dense.forward(x)
    dx = dense.backward(delta)
    assert a.dtype == dx.dtype == dense.dW.dtype == dtype and dx.shape == x.shape
    expected = [[sum(x[n, i] * dense.W[i, j] for i in range(n_in)) + dense.b[j] for j in range(n_out)] for n in range(N)]
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype is np.float32 else {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(a, expected, **tolerance)
    np.testing.assert_allclose(dense.dW, np.einsum("ni,nj->ij", x, delta), **tolerance)
    np.testing.assert_allclose(dense.db, np.einsum("nj->j", delta), **tolerance)
    np.testing.assert_allclose(dx, np.einsum("nj,ij->ni", delta, dense.W), **tolerance)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(delta, kept[1])


@some
@given(sizes, sizes, sizes, seeds)
def test_dense_gradients(N, n_in, n_out, seed):
    rng = np.random.default_rng(seed)
    assert_gradients(Dense(n_in, n_out, rng=rng), rng.standard_normal((N, n_in)), rng)


def test_dense_without_the_input_gradient():
    rng = np.random.default_rng(0)
    dense, x, delta = Dense(4, 3, rng=rng), rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    dense.forward(x)
    dense.backward(delta)
    full = dense.grad.copy()
    dense.zero_grad()
    assert dense.backward(delta, input_gradient=False) is None
    np.testing.assert_array_equal(dense.grad, full)


@pytest.mark.parametrize("first", [True, False])
def test_a_delta_of_another_shape_is_not_broadcast(first):
    """Once a bug in the second case (catalogue 6 and 7): once a gradient was added, delta (N, 1) is broadcast over all outputs."""
    dense = Dense(3, 4, rng=np.random.default_rng(0))
    dense.forward(np.ones((2, 3)))
    dense.zero_grad()
    if not first:
        dense.backward(np.ones((2, 4)))
    with pytest.raises(ValueError):
        dense.backward(np.ones((2, 1)), input_gradient=False)


@pytest.mark.parametrize("x, error, sentence", [
    (np.zeros((5, 2)), ValueError, "Dense(3 -> 4): x must have shape (N, 3), got (5, 2)"),
    (np.zeros(3), ValueError, "Dense(3 -> 4): x must have shape (N, 3), got (3,)"),
    (np.zeros((1, 5, 3)), ValueError, "Dense(3 -> 4): x must have shape (N, 3), got (1, 5, 3)"),
    ([[1.0, 2.0, 3.0]], TypeError, "Dense(3 -> 4): x must be an array of shape (N, 3), got list"),
    (np.zeros((5, 3), np.float32), TypeError, "Dense(3 -> 4): x must be float64, as the parameters are, got float32: "
                                              "write x.astype(np.float64), or model.astype(np.float32) for another model"),
    (np.zeros((5, 3), int), TypeError, "Dense(3 -> 4): x must be float64, as the parameters are, got int64: write x.astype(np.float64)"),
    (np.zeros((5, 3), bool), TypeError, "Dense(3 -> 4): x must be float64, as the parameters are, got bool: write x.astype(np.float64)")])
def test_a_wrong_input_is_named(x, error, sentence):
    dense = Dense(3, 4, rng=0)
    with pytest.raises(error) as caught:
        dense.forward(x)
    assert str(caught.value) == sentence
    with pytest.raises(error) as caught:
        TiedDense(Dense(4, 3, rng=0)).forward(x)
    assert str(caught.value) == "Tied" + sentence


@pytest.mark.parametrize("n_in, n_out", [(0, 3), (3, -1), (2.0, 3), (True, 3), ("3", 3), (None, 3)])
def test_sizes_must_be_whole_and_positive(n_in, n_out):
    with pytest.raises(ValueError, match="Dense: n_(in|out) must be a whole number of at least 1, got"):
        Dense(n_in, n_out)


def test_unknown_start():
    with pytest.raises(ValueError, match='Dense: init must be "glorot", "he", "sparse" or "zeros", got \'xavier\''):
        Dense(2, 3, init="xavier")


def test_weights_at_the_start():
    rng = np.random.default_rng(0)
    glorot = Dense(200, 300, rng=rng)
    limit = np.sqrt(6 / 500)
    assert stats.kstest(glorot.W.ravel(), stats.uniform(-limit, 2 * limit).cdf).pvalue > 1e-3
    assert Dense(200, 300, rng=rng).W.var() == pytest.approx(2 / 500, rel=0.02)
    he = Dense(300, 200, rng=rng, init="he")
    assert stats.kstest(he.W.ravel(), stats.norm(0, np.sqrt(2 / 300)).cdf).pvalue > 1e-3
    sparse = Dense(100, 400, rng=rng, init="sparse")
    assert (np.count_nonzero(sparse.W, axis=0) == 15).all()
    assert np.count_nonzero(sparse.W, axis=1).std() == pytest.approx(np.sqrt(400 * 0.15 * 0.85), rel=0.25)
    assert stats.kstest(sparse.W[sparse.W != 0], "norm").pvalue > 1e-3
    assert (np.count_nonzero(Dense(9, 4, rng=rng, init="sparse").W, axis=0) == 9).all()
    assert not Dense(4, 5, init="zeros").W.any()
    assert not any(layer.b.any() for layer in (glorot, he, sparse))


def test_the_same_generator_gives_the_same_weights_and_none_gives_fresh_ones():
    one, two = (Dense(4, 5, rng=np.random.default_rng(3)).w for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (Dense(4, 5).W != Dense(4, 5).W).all()
    state = np.random.get_state()[1].copy()
    mlp([3, 4, 5])
    np.testing.assert_array_equal(np.random.get_state()[1], state)


# --------------------------------------------------------------------------------------------------------- TiedDense

def test_tied_forward_is_the_transpose_with_its_own_bias():
    rng = np.random.default_rng(0)
    dense = Dense(5, 3, rng=rng)
    tied = TiedDense(dense)
    tied.b = rng.standard_normal(5)
    z = rng.standard_normal((4, 3))
    np.testing.assert_allclose(tied.forward(z), z @ dense.W.T + tied.b)
    assert tied.w.size == 5 and (tied.n_in, tied.n_out) == (3, 5)
    assert_gradients(tied, z, rng)
    with pytest.raises(TypeError, match="TiedDense: dense must be a Dense layer, got Tanh"):
        TiedDense(Tanh())


@pytest.mark.parametrize("nested", [False, True])
def test_both_paths_of_the_tied_weights_add_up(nested):
    rng = np.random.default_rng(0)
    dense = Dense(5, 3, rng=rng)
    tied = TiedDense(dense)
    decoder = Sequential(Identity(), Sequential(tied)) if nested else Sequential(tied)
    model = Autoencoder(Sequential(dense, Tanh()), decoder, SquaredError())
    model.w += 0.1 * rng.standard_normal(model.w.size)
    x = rng.standard_normal((6, 5))
    assert model.w.size == 15 + 3 + 5
    for _ in range(2):                                   # again: from zero
        assert_model_gradient(model, x, rng=rng)

    def untied(V):                                       # the same network with a decoder matrix V of its own
        o = np.tanh(x @ dense.W + dense.b) @ V.T + tied.b
        return np.sum((o - x)**2) / 6

    V = dense.W.copy()
    second = numerical_gradient(lambda: untied(V), V)
    V = dense.W.copy()
    first = numerical_gradient(lambda: untied(V), dense.W)
    model.loss(x)
    model.backward()
    assert np.abs(first).max() > 0.01 and np.abs(second).max() > 0.01
    np.testing.assert_allclose(dense.dW, first + second, rtol=1e-7)


def test_a_tied_layer_first_gives_no_lost_gradient():
    """The tied layer's Dense comes later in the network: then the Dense is the first to go backward."""
    rng = np.random.default_rng(0)
    dense = Dense(3, 4, rng=rng)
    model = Regression(Sequential(TiedDense(dense), Tanh(), Dense(3, 3, rng=rng), dense), SquaredError())
    assert_model_gradient(model, rng.standard_normal((5, 4)), rng.standard_normal((5, 4)), rng=rng)


# ----------------------------------------------------------------------------------------------------------- Dropout

@some
@given(st.floats(0, 0.95), seeds, dtypes)
def test_dropout_scales_what_it_keeps(p, seed, dtype):
    x = np.random.default_rng(seed).standard_normal((5, 7)).astype(dtype)
    dropout = Dropout(p)
    dropout.rng = np.random.default_rng(seed)
    y = dropout.forward(x)
    mask = dropout.mask
    assert y.dtype == mask.dtype == dtype and set(np.unique(mask)) <= {0, 1}
    np.testing.assert_allclose(y, np.where(mask == 1, x / (1 - p), 0), rtol=1e-5)
    delta = x[::-1].copy()
    np.testing.assert_allclose(dropout.backward(delta), np.where(mask == 1, delta / (1 - p), 0), rtol=1e-5)
    dropout.training = False
    np.testing.assert_array_equal(dropout.forward(x), x)
    np.testing.assert_array_equal(dropout.backward(delta), delta)


def test_dropout_moments():
    p, n = 0.3, 200_000
    dropout = Dropout(p)
    dropout.rng = np.random.default_rng(0)
    y = dropout.forward(np.full((n // 100, 100), 2.0))
    assert y.mean() == pytest.approx(2.0, abs=4 * 2 * np.sqrt(p / (1 - p) / n))
    assert (y == 0).mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / n))
    assert y.var() == pytest.approx(4 * p / (1 - p), rel=0.02)
    assert (Dropout(0.0).forward(np.ones((9, 9))) == 1).all()


def test_dropout_draws_anew_each_time_and_replays_what_it_is_given():
    dropout, x = Dropout(0.5), np.ones((10, 10))
    dropout.rng = np.random.default_rng(0)
    first = dropout.forward(x)
    mask = dropout.mask
    assert (dropout.forward(x) != first).any()
    dropout.replay = mask
    np.testing.assert_array_equal(dropout.forward(x), first)


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, np.nan])
def test_dropout_refuses_other_probabilities(p):
    with pytest.raises(ValueError, match=r"Dropout: p must be in \[0, 1\), got"):
        Dropout(p)


def dropout_regression():
    rng = np.random.default_rng(0)
    return Regression(Sequential(Dropout(0.2), Dense(5, 8, rng=rng), Tanh(), Sequential(Dropout(0.5)), Dense(8, 3, rng=rng)),
                      SquaredError())


def test_dropout_in_a_model():
    model, rng = dropout_regression(), np.random.default_rng(1)
    x, t = rng.standard_normal((6, 5)), rng.standard_normal((6, 3))
    loss = model.loss(x, t, rng=rng)
    noise = model.noise
    assert set(noise) == {"network.0.mask", "network.3.0.mask"}
    gradient = model.backward().copy()
    assert model.loss(x, t, rng=rng) != loss
    assert model.loss(x, t, noise=noise) == loss
    np.testing.assert_array_equal(model.backward(), gradient)
    assert_model_gradient(model, x, t, rng=rng)
    quiet = model.loss(x, t, training=False)
    assert quiet == model.loss(x, t, training=False) and model.noise == {}
    plain = np.tanh(x @ model.network.layers[1].W) @ model.network.layers[4].W
    np.testing.assert_allclose(model.predict(x), plain)
    assert quiet == pytest.approx(np.sum((plain - t)**2) / 6)
    assert model.loss(x, t, noise=noise) == loss         # training again
    with pytest.raises(ValueError, match="noise must hold 'network.0.mask', got nothing"):
        model.loss(x, t, noise={})


def test_two_dropouts_under_one_seed_draw_different_masks():
    """Once a bug: with rng=3 in place of a Generator every layer starts the same stream, so equal shapes get equal masks."""
    rng = np.random.default_rng(0)
    model = Regression(Sequential(Dropout(0.5), Dense(8, 8, rng=rng), Dropout(0.5)), SquaredError())
    try:
        model.loss(np.ones((20, 8)), np.ones((20, 8)), rng=3)
    except (TypeError, ValueError):                      # to ask for a Generator is as good
        return
    assert (model.noise["network.0.mask"] != model.noise["network.2.mask"]).any()


# -------------------------------------------------------------------------------------------------------------- TopK

@some
@given(st.integers(1, 6), st.integers(0, 5), st.sampled_from(["magnitude", "value"]), seeds, dtypes, st.booleans())
def test_topk_keeps_exactly_k(k, more, by, seed, dtype, ties):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, k + more)).astype(dtype)
    x = np.round(x) if ties else x
    topk = TopK(k, by=by)
    y = topk.forward(x)
    assert y.dtype == topk.mask.dtype == dtype
    strength = np.abs(x) if by == "magnitude" else x
    for row in range(4):
        kept = topk.mask[row] == 1
        assert kept.sum() == k and (topk.mask[row] == 0).sum() == more
        np.testing.assert_array_equal(y[row], np.where(kept, x[row], 0))
        assert more == 0 or strength[row][kept].min() >= strength[row][~kept].max()
    delta = rng.standard_normal(x.shape).astype(dtype)
    np.testing.assert_array_equal(topk.backward(delta), np.where(topk.mask == 1, delta, 0))


def test_topk_gradient_and_the_difference_between_the_two():
    rng = np.random.default_rng(0)
    for by in ("magnitude", "value"):
        assert_gradients(TopK(2, by=by), rng.permutation(15).reshape(3, 5) - 7.0, rng)
    x = np.array([[-5.0, 1.0, 3.0, -2.0]])
    np.testing.assert_array_equal(TopK(2).forward(x), [[-5, 0, 3, 0]])
    np.testing.assert_array_equal(TopK(2, by="value").forward(x), [[0, 1, 3, 0]])


@pytest.mark.parametrize("make, words", [
    (lambda: TopK(0), "TopK: k must be a whole number of at least 1, got 0"), (lambda: TopK(2.0), "TopK: k must be a whole number"),
    (lambda: TopK(2, by="abs"), 'by must be "magnitude" or "value", got \'abs\''),
    (lambda: TopK(4).forward(np.ones((2, 3))), "TopK: k must be a whole number from 1 to the width 3, got 4")])
def test_topk_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# -------------------------------------------------------------------------------------------------------- Sequential

@some
@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(1, 4), seeds,
       st.sampled_from([Tanh, Sigmoid, Softplus, ELU, Softmax, Identity]))
def test_network_gradients(widths, N, seed, activation):
    rng = np.random.default_rng(seed)
    network = mlp(widths, hidden=activation, output=activation, rng=rng)
    network.w += 0.3 * rng.standard_normal(network.w.size)
    assert_gradients(network, rng.standard_normal((N, widths[0])), rng, rtol=1e-6)


def test_sequential_is_its_layers_one_after_the_other():
    rng = np.random.default_rng(0)
    first, second = Dense(3, 4, rng=rng), Dense(4, 2, rng=rng)
    network, x = Sequential(first, Tanh(), second), rng.standard_normal((5, 3))
    assert (network.n_in, network.n_out) == (3, 2)
    np.testing.assert_allclose(network.forward(x), np.tanh(x @ first.W) @ second.W)
    outer = Sequential(Tanh(), network, Sigmoid())
    assert (outer.n_in, outer.n_out) == (3, 2)


def test_added_joins_at_the_outputs_of_the_layers():
    rng = np.random.default_rng(0)
    network, x = mlp([3, 4, 4, 2], output=Sigmoid, rng=rng), rng.standard_normal((5, 3))
    delta = rng.standard_normal((5, 2))
    added = {0: rng.standard_normal((5, 4)), 1: rng.standard_normal((5, 4)), 3: rng.standard_normal((5, 4)),
             5: rng.standard_normal((5, 2))}
    kept = {index: array.copy() for index, array in added.items()}

    def penalised():
        total, y = 0.0, x
        for index, layer in enumerate(network.layers):
            y = layer.forward(y)
            total += np.sum(added[index] * y) if index in added else 0.0
        return float(total + np.sum(delta * y))

    network.forward(x)
    network.zero_grad()
    dx = network.backward(delta, added=added)
    np.testing.assert_allclose(dx, numerical_gradient(penalised, x), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(network.grad, numerical_gradient(penalised, network.w), rtol=1e-7, atol=1e-9)
    gradient = network.grad.copy()
    network.forward(x)
    network.zero_grad()
    network.backward(delta, added=added, input_gradient=False)
    np.testing.assert_array_equal(network.grad, gradient)
    for index, array in kept.items():
        np.testing.assert_array_equal(added[index], array)


def test_without_the_input_gradient_of_nested_networks():
    rng = np.random.default_rng(0)
    network, x = Sequential(Sequential(Dense(3, 4, rng=rng), ReLU()), Dense(4, 2, rng=rng)), rng.standard_normal((5, 3))
    delta = rng.standard_normal((5, 2))
    network.forward(x)
    network.zero_grad()
    network.backward(delta)
    gradient = network.grad.copy()
    network.zero_grad()
    assert network.backward(delta, input_gradient=False) is None
    np.testing.assert_array_equal(network.grad, gradient)


@pytest.mark.parametrize("make, error, words", [
    (lambda: Sequential(), ValueError, "at least one layer, got none"),
    (lambda: Sequential(Dense(3, 4, rng=0), Tanh(), Dense(5, 2, rng=0)), ValueError,
     r"layer 2, Dense\(5 -> 2\), takes 5 values, but the layers before give 4"),
    (lambda: Sequential(Tanh(), Dense(3, 4, rng=0), mlp([3, 2], rng=0)), ValueError, "layer 2, .* takes 3 values, .* give 4"),
    (lambda: Sequential(Dense(3, 4, rng=0), Tanh), TypeError, r"layer 1 must be a Layer, got type: write Tanh\(\), not Tanh"),
    (lambda: Sequential(Dense(3, 4, rng=0), np.tanh), TypeError, "layer 1 must be a Layer, got ufunc"),
    (lambda: Sequential([Dense(3, 4, rng=0)]), TypeError, "layer 0 must be a Layer, got list"),
    (lambda: mlp([3]), ValueError, "at least an input and an output"), (lambda: mlp([3, 0, 2]), ValueError, "at least 1, got 0")])
def test_networks_that_cannot_be_built(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_mlp():
    def kinds(network):
        return [type(layer).__name__ for layer in network.layers]

    assert kinds(mlp([4, 3, 2])) == ["Dense", "Tanh", "Dense"]
    assert kinds(mlp([4, 2], hidden=ReLU)) == ["Dense"]
    assert kinds(mlp((4, 3, 3, 2), hidden=ReLU, output=Softmax)) == ["Dense", "ReLU", "Dense", "ReLU", "Dense", "Softmax"]
    network = mlp([4, 3, 2], rng=5)
    assert [repr(layer) for layer in network.layers][::2] == ["Dense(4 -> 3)", "Dense(3 -> 2)"]
    np.testing.assert_array_equal(network.w, mlp([4, 3, 2], rng=5).w)
    assert (network.layers[0].W[:3, :2] != network.layers[2].W).all()


def test_an_abstract_layer_says_what_to_write():
    for call in (Layer().forward, Layer().backward):
        with pytest.raises(NotImplementedError, match="Layer.(forward|backward)"):
            call(np.ones((2, 2)))


def test_nothing_that_a_reader_may_look_at_is_modified():
    rng = np.random.default_rng(0)
    network = Sequential(Dense(4, 6, rng=rng), Dropout(0.3), ReLU(), TopK(3), Dense(6, 5, rng=rng), ELU(), Softmax())
    x, delta = rng.standard_normal((3, 4)), rng.standard_normal((3, 5))
    outputs, y = [], x
    for layer in network.layers:
        y = layer.forward(y)
        outputs.append((y, y.copy()))
    copies = x.copy(), delta.copy()
    network.backward(delta)
    network.backward(copy.deepcopy(delta))
    for now, then in [*outputs, (x, copies[0]), (delta, copies[1])]:
        np.testing.assert_array_equal(now, then)


def test_the_p_of_a_dropout_may_be_changed_and_its_uses_follow():
    layer = Dropout(0.5)
    use, x = layer.again(), np.ones((1, 20_000))
    layer.p = 0.1
    for dropout in (layer, use):
        y = dropout.forward(x)
        assert set(np.unique(y)) == {0, 1 / 0.9} and abs((y == 0).mean() - 0.1) < 0.011          # five standard deviations
    layer.p = 1.0
    with pytest.raises(ValueError, match=r"Dropout: p must be in \[0, 1\), got 1.0"):
        use.forward(x)
