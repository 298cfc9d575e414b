"""Worked examples with published numbers: ours to 1e-12 where float64 values are known, theirs to every digit they print."""

import numpy as np
import pytest

from numpyae import Dense, Sequential, Sigmoid, Tanh, gradcheck, trace
from numpyae.course.examples import two_two_two

# name: (tableau step, element, float64, as published)
PUBLISHED = {
    "net_h1": ("a1", (0, 0), 0.3775, "0.3775"),
    "out_h1": ("h1", (0, 0), 0.5932699921071872, "0.593269992"),
    "out_h2": ("h1", (0, 1), 0.596884378259767, "0.596884378"),
    "net_o1": ("a2", (0, 0), 1.10590596705977, "1.105905967"),
    "out_o1": ("o", (0, 0), 0.7513650695523157, "0.75136507"),
    "out_o2": ("o", (0, 1), 0.7729284653214625, "0.772928465"),
    "E": ("L", (), 0.2983711087600027, "0.298371109"),
    "dE/dout_o1": ("do", (0, 0), 0.7413650695523157, "0.74136507"),
    "delta_o1": ("da2", (0, 0), 0.13849856162855695, "0.138498562"),
    "delta_o2": ("da2", (0, 1), -0.03809823651655624, None),
    "w5": ("dW2", (0, 0), 0.08216704056423077, "0.082167041"),
    "w6": ("dW2", (1, 0), 0.08266762784753325, None),
    "w7": ("dW2", (0, 1), -0.02260254047747507, None),
    "w8": ("dW2", (1, 1), -0.02274024221597822, None),
    "dE/dout_h1": ("dh1", (0, 0), 0.03635030639314466, "0.036350306"),
    "w1": ("dW1", (0, 0), 0.00043856773447435, "0.000438568"),
    "w2": ("dW1", (1, 0), 0.00087713546894869, None),
    "w3": ("dW1", (0, 1), 0.00049771273526086, None),
    "w4": ("dW1", (1, 1), 0.00099542547052172, None),
}


def as_printed(value, digits):
    """Rounded to as many decimals as were published."""
    return f"{value:.{len(digits.split('.')[1])}f}"


def step(model, x, t, alpha=0.5):
    """One step of gradient descent, after which the biases are put back: the example does not update them."""
    biases = [layer.b.copy() for layer in model.network.layers[::2]]
    loss = model.loss(x, t)
    model.w -= alpha * model.backward()
    for layer, b in zip(model.network.layers[::2], biases):
        layer.b = b
    return loss


@pytest.mark.parametrize("name", PUBLISHED)
def test_two_two_two(name):
    place, element, exact, published = PUBLISHED[name]
    model, x, t = two_two_two()
    row = trace(model, x, t)[place]
    value = (row.value if row.gradient is None else row.gradient)[element]
    assert abs(value - exact) <= 1e-12
    assert published is None or as_printed(value, published) == published


def test_two_two_two_its_errors_and_slopes_in_detail():
    model, x, t = two_two_two()
    tableau = trace(model, x, t)
    o, h, delta, W2 = (tableau[name].value[0] for name in ("o", "h1", "da2", "dW2"))
    E = 0.5 * (t[0] - o)**2
    slope, slope_h = o * (1 - o), h * (1 - h)
    through = tableau["da2"].gradient[0] * model.network.layers[2].W[0]            # of E_o1 and of E_o2 on out_h1
    for value, exact, published in ((E[0], 0.274811083176155, "0.274811083"), (E[1], 0.02356002558384775, "0.023560026"),
                                    (slope[0], 0.18681560180895948, "0.186815602"), (slope_h[0], 0.24130070857232525, "0.241300709"),
                                    (through[0], 0.05539942465142278, "0.055399425"), (through[1], -0.01904911825827812, "-0.019049118")):
        assert abs(value - exact) <= 1e-12
        assert abs(value - float(published)) <= 1.001e-9
    assert as_printed(through[1], "-0.019049119") == "-0.019049118"          # the page prints ...119: its factors were rounded before


def test_two_two_two_after_one_step():
    model, x, t = two_two_two()
    step(model, x, t)
    first, _, second, _ = model.network.layers
    for W, exact in ((first.W, [[0.1497807161327628, 0.24975114363236958], [0.19956143226552567, 0.29950228726473915]]),
                     (second.W, [[0.35891647971788465, 0.5113012702387375], [0.4086661860762334, 0.5613701211079891]])):
        assert np.abs(W - exact).max() <= 1e-12
    for value, published in zip(first.W.T.ravel(), ("0.149780716", "0.19956143", "0.24975114", "0.29950229")):
        assert as_printed(value, published) == published
    for value, published in zip(second.W.T.ravel(), ("0.35891648", "0.408666186", "0.511301270", "0.561370121")):
        assert as_printed(value, published) == published
    assert abs(model.loss(x, t) - 0.2910277736935993) <= 1e-12
    assert as_printed(model.loss(x, t), "0.291027924") != "0.291027924"      # the first published number that is wrong


def test_three_published_numbers_come_from_propagating_through_updated_weights():
    """Bug 20: W2 is updated first, then dh1 = da2 W2ᵀ is taken with the new W2. That reproduces all three."""
    model, x, t = two_two_two()
    first, _, second, _ = model.network.layers
    for n in range(1, 10001):
        model.loss(x, t)
        da2 = (model.o - t) * model.o * (1 - model.o)
        h1 = second.x
        second.W -= 0.5 * h1.T @ da2
        dh1 = da2 @ second.W.T                           # of the new W2, where the old one belongs
        first.W -= 0.5 * x.T @ (dh1 * h1 * (1 - h1))
        if n == 1:
            assert abs(model.loss(x, t) - 0.29102792390544197) <= 1e-12
            assert as_printed(model.loss(x, t), "0.291027924") == "0.291027924"
    E = model.loss(x, t)
    assert as_printed(E, "0.000035085") == "0.000035085" and abs(E - 3.5084786e-05) <= 5e-13
    assert [as_printed(value, "0.015912196") for value in model.o[0]] == ["0.015912196", "0.984065734"]


def test_right_after_ten_thousand_steps():
    model, x, t = two_two_two()
    for _ in range(10000):
        step(model, x, t)
    assert abs(model.loss(x, t) - 0.00003510187782978859) <= 1e-12
    assert np.abs(model.o - [0.01591362044355068, 0.9840642735146238]).max() <= 1e-12
    assert as_printed(model.loss(x, t), "0.000035085") != "0.000035085"


def test_product_of_a_sum():
    """CS231n: f = (x + y) z at (-2, 5, -4)."""
    x, y, z = -2.0, 5.0, -4.0
    q = x + y
    f = q * z
    dz = q
    dq = z
    dx, dy = dq, dq
    assert (q, f, dx, dy, dz) == (3, -12, -4, -4, 3)
    w = np.array([x, y, z])
    assert np.abs(gradcheck.numerical_gradient(lambda w: (w[0] + w[1]) * w[2], w) - [dx, dy, dz]).max() <= 1e-9


def test_sigmoid_neuron():
    """CS231n: w = (2, -3), b = -3, x = (-1, -2)."""
    neuron = Sequential(Dense(2, 1), Sigmoid())
    neuron.layers[0].W, neuron.layers[0].b = [[2.0], [-3.0]], [-3.0]
    f = neuron.forward(np.array([[-1.0, -2.0]]))
    dx = neuron.backward(np.ones((1, 1)))
    assert abs(f[0, 0] - 0.7310585786300049) <= 1e-15
    assert abs(neuron.layers[1].derivative()[0, 0] - 0.19661193324148185) <= 1e-15
    assert np.round([*neuron.layers[0].dW[:, 0], neuron.layers[0].db[0]], 2).tolist() == [-0.20, -0.39, 0.20]
    assert np.round(dx, 2).tolist() == [[0.39, -0.59]]


def test_tanh_neuron():
    """A. Karpathy's lecture: x = (2, 0), w = (-3, 1), b = 6.8813735870195432."""
    neuron = Sequential(Dense(2, 1), Tanh())
    neuron.layers[0].W, neuron.layers[0].b = [[-3.0], [1.0]], [6.8813735870195432]
    o = neuron.forward(np.array([[2.0, 0.0]]))
    dx = neuron.backward(np.ones((1, 1)))
    assert as_printed(o[0, 0], "0.7071") == "0.7071"
    assert np.abs(dx - [[-1.5, 0.5]]).max() <= 1e-12                  # b is printed to 16 digits: 1 - o² is ½ to rounding
    assert np.abs(neuron.layers[0].dW[:, 0] - [1.0, 0.0]).max() <= 1e-12


def test_of_the_checker_itself():
    """CS294A: h(x) = x1² + 3 x1 x2 has the gradient (2 x1 + 3 x2, 3 x1); at (4, 10) that is (38, 12)."""
    gradient = gradcheck.numerical_gradient(lambda w: w[0]**2 + 3 * w[0] * w[1], np.array([4.0, 10.0]))
    assert np.abs(gradient - [38, 12]).max() <= 1e-8


def test_polynomials_of_prml():
    """PRML, table 1.1 and figure 1.5: least squares of order M on ten noisy points of a sine, and the RMSE to the sine itself."""
    t = np.array([.349486, .830839, 1.007332, .971507, .133066, .166823, -.848307, -.445686, -.563567, .261502])
    x, new = np.linspace(0, 1, 10), np.arange(100) / 100
    golden = {0: (["0.19"], "0.73"), 1: (["0.82", "-1.27"], "0.52"), 3: (["0.31", "7.99", "-25.43", "17.37"], "0.22"),
              9: (["0.35", "232.37", "-5321.83", "48568.31"], "1.27")}
    for M, (coefficients, error) in golden.items():
        w = np.linalg.lstsq(np.vander(x, M + 1, increasing=True), t, rcond=None)[0]
        assert [as_printed(value, digits) for value, digits in zip(w, coefficients)] == coefficients
        rmse = np.sqrt(np.mean((np.vander(new, M + 1, increasing=True) @ w - np.sin(2 * np.pi * new))**2))
        assert as_printed(rmse, error) == error
    inverse = np.linalg.inv(np.vander(x, 10, increasing=True))
    rounding = 5e-7 * np.abs(inverse).sum(axis=1)        # what six decimals of t leave open: 0.27 in the last coefficient
    assert abs(w[9] - 125201.43) <= rounding[9] < 0.3
