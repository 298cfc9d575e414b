"""The gradient check: compare a hand-written gradient with one that needs no derivation, finite differences.

    (f(w + h e_i) - f(w - h e_i)) / 2h   →   ∂f/∂w_i

    from numpyae import gradcheck
    print(gradcheck.check(Dense(3, 4), x))               every element of dx, dW and db
    gradcheck.assert_gradients(model, x, t)              one line in a test
    gradcheck.assert_layer(forward, backward, x, params) code that is not ours: see `foreign.py`

The numerical gradient comes with its own error estimate, and the verdict follows from that, not from a tolerance picked
by hand: *agree*, *disagree*, or *cannot tell*, where the error is more than a tenth of the gradient. At a kink every
slope between the one to the left and the one to the right agrees.

A check proves that backward belongs to forward. It cannot know whether forward is the function you meant.
"""

from numpyae.gradcheck.check import assert_gradients, check
from numpyae.gradcheck.foreign import (assert_function, assert_layer, assert_object, check_function, check_layer,
                                       check_object)
from numpyae.gradcheck.numerical import numerical_gradient
from numpyae.gradcheck.report import Report

__all__ = ["check", "check_function", "check_layer", "check_object", "assert_gradients", "assert_function",
           "assert_layer", "assert_object", "numerical_gradient", "Report"]
