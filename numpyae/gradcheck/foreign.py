"""The check of code that is not ours: one line for a function, a pair of functions, or an object.

    assert_function(f, grad, w)                          f(w) -> number, grad(w) -> array
    assert_function(f, True, w)                          f(w) -> (number, gradient), as scipy's jac=True
    assert_layer(forward, backward, x, params)           out, cache = forward(x, **params)
                                                         dx, *grads = backward(dout, cache)
    assert_object(layer, x)                              layer.forward(x), layer.backward(dout), which keeps
                                                         layer.params and layer.grads

Each has a twin that returns the Report: check_function, check_layer, check_object. All take these keywords:

    args, kwargs   further arguments, which have no gradient
    fixed          names of arrays without a gradient; arrays of whole numbers have none anyway
    in_place       True: backward may change dout and what forward kept
    name           the title of the report
    rng            a generator or a seed; None means default_rng(0), so that a check is repeatable
    dtype          np.float32: the code computes in float32, and is judged to its digits
    accuracy       the relative error up to which the code is right by construction, such as 1e-6 of an inner solver
    seconds        the time that the check may take; the report says what was left out
"""

from numpyae.gradcheck.check import approve, examine, fresh
from numpyae.gradcheck.nests import Nest
from numpyae.gradcheck.pairs import FunctionSubject, ObjectSubject, PairSubject, Settings


def check_function(f, grad, w, *, args=(), kwargs=None, fixed=(), name=None, rng=None, dtype=None, accuracy=None,
                   seconds=None):
    """Check f(w) -> number and grad(w) -> gradient in the form of w; grad=True: f returns both. Return a Report.

    w is an array, or a dict, list or dataclass of arrays, nested or not. A gradient of None means that this array is
    frozen. The gradient for a complex w is ∂f/∂Re w + i ∂f/∂Im w. w is not changed: f and grad get copies. Raise
    TypeError or ValueError, one sentence, for whole numbers, NaN, an f that gives no single number, gives two values at
    one point, or changes w.
    """
    settings = Settings("check_function", args, kwargs, fixed, False, dtype, accuracy, seconds)
    subject = FunctionSubject(f, grad, Nest(settings.call, "w", w, settings.fixed), settings)
    return examine(name or title(f, "function"), subject, fresh(rng))


def check_layer(forward, backward, x, params=None, *, args=(), kwargs=None, fixed=(), in_place=False, name=None,
                rng=None, dtype=None, accuracy=None, seconds=None):
    """Check a pair of functions `out, cache = forward(x, **params)`; `dx, *grads = backward(dout, cache)`.

    Return a Report. x may be a tuple of inputs and out a tuple of outputs or a float; dx and dout are alike. params
    that are a list follow x in their order, a dataclass is one argument. grads come in the order of params, or in their
    form. Neither x nor params is changed.
    """
    settings, rng = Settings("check_layer", args, kwargs, fixed, in_place, dtype, accuracy, seconds), fresh(rng)
    entered = Nest(settings.call, "x", x, settings.fixed)
    given = Nest(settings.call, "params", {} if params is None else params, settings.fixed)
    subject = PairSubject(forward, backward, entered, given, settings, rng)
    return examine(name or title(forward, "layer"), subject, rng)


def check_object(layer, x, params="params", grads="grads", *, args=(), kwargs=None, fixed=(), in_place=False, name=None,
                 rng=None, dtype=None, accuracy=None, seconds=None):
    """Check an object: out = layer.forward(x), dx = layer.backward(dout), which leaves gradients in the object.

    Return a Report. params and grads: the name of an attribute or method with a dict or list of arrays; the names of
    several attributes, as in params=("W", "b"), grads=("dW", "db"); or a function of the object. The check works on a
    deep copy of the object.
    """
    settings, rng = Settings("check_object", args, kwargs, fixed, in_place, dtype, accuracy, seconds), fresh(rng)
    subject = ObjectSubject(layer, x, params, grads, settings, rng)
    return examine(name or type(layer).__name__, subject, rng)


def assert_function(*args, **kwargs):
    """Raise AssertionError with the report of `check_function` unless all gradients agree: one line in a test."""
    __tracebackhide__ = True
    approve(check_function(*args, **kwargs))


def assert_layer(*args, **kwargs):
    """Raise AssertionError with the report of `check_layer` unless all gradients agree: one line in a test."""
    __tracebackhide__ = True
    approve(check_layer(*args, **kwargs))


def assert_object(*args, **kwargs):
    """Raise AssertionError with the report of `check_object` unless all gradients agree: one line in a test."""
    __tracebackhide__ = True
    approve(check_object(*args, **kwargs))


def title(function, otherwise):
    """Return the name of a function, or another word for one without."""
    name = getattr(function, "__name__", otherwise)
    return otherwise if name == "<lambda>" else name
