"""Finite differences for the tests: plain, slow and independent of the library's own gradcheck."""

import numpy as np


def numerical_gradient(f, w, h=1e-4):
    """∂f/∂w for f() -> float that reads the array w, by Richardson's extrapolation of central differences: error O(h⁴)."""
    gradient = np.zeros(w.shape)
    for index in np.ndindex(w.shape):
        kept = w[index]
        difference = []
        for step in (h, h / 2):
            w[index] = kept + step
            above = f()
            w[index] = kept - step
            below = f()
            difference.append((above - below) / (2 * step))
        w[index] = kept
        gradient[index] = (4 * difference[1] - difference[0]) / 3
    return gradient


def numerical_derivative(f, a, h=1e-3):
    """f'(a) for f that works element by element on float64 arrays: central differences, extrapolated twice, error O(h⁶)."""
    d = [(f(a + step) - f(a - step)) / (2 * step) for step in (h, h / 2, h / 4)]
    first, second = (4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3
    return (16 * second - first) / 15


def layer_gradients(layer, x, rng):
    """{name: (analytic, numerical)} for the input "x" and every parameter of a float64 layer, with a random upstream delta."""
    y = layer.forward(x)
    delta = rng.standard_normal(y.shape)
    layer.zero_grad()
    dx = layer.backward(delta)
    result = {"x": (dx, None)}
    result |= {name: (gradient.copy(), None) for name, gradient in layer.named_gradients().items()}
    arrays = {"x": x} | layer.named_parameters()
    for name, array in arrays.items():
        result[name] = result[name][0], numerical_gradient(lambda: float(np.sum(delta * layer.forward(x))), array)
    return result


def assert_gradients(layer, x, rng, rtol=1e-7, atol=1e-8):
    """All gradients of a layer against finite differences."""
    for name, (analytic, numerical) in layer_gradients(layer, x, rng).items():
        np.testing.assert_allclose(analytic, numerical, rtol=rtol, atol=atol, err_msg=f"{layer!r}: {name}")


def assert_model_gradient(model, *batch, rng, rtol=1e-6, atol=1e-8):
    """The gradient of a model's loss with respect to the whole of w against finite differences, its noise held."""
    model.loss(*batch, rng=rng)
    noise = model.noise
    analytic = model.backward().copy()
    numerical = numerical_gradient(lambda: model.loss(*batch, noise=noise), model.w)
    np.testing.assert_allclose(analytic, numerical, rtol=rtol, atol=atol, err_msg=repr(model))
