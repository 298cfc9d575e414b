# %% [markdown]
# # 5. Checking gradients: a wrong gradient is found by a second opinion
#
# A gradient written by hand can be wrong and still train. So it is compared with a second one that needs no derivation: change a
# weight a little, see how much the loss changes, divide. This lecture shows how exact such a numerical gradient is and why, how to
# judge the difference of the two without a tolerance picked by hand, and at which points a check sees nothing. Then we break the backward
# pass on purpose and let `gradcheck.check` say what is wrong. The last two sections hold what no gradient check can see, and wrong code
# from well-known libraries, written anew, with the test that catches each.
#
# w are the parameters, L(w) or f(w) is the loss, h is a step (and, in a network, the output of a hidden layer), δ or `delta` is ∂L/∂(output of
# a layer). N is the number of samples.
#
# Takes about 5 s; with `--full` about 1 minute: it then checks every layer, loss and model of the library at ten random points, and lets the
# check find all the mistakes of its own catalogue.

# %%
import copy

import numpy as np

from numpyae import (BernoulliNLL, Dense, Dropout, Regression, ReLU, Sequential, SquaredError, Tanh, TiedDense, Autoencoder, course, datasets,
                     gradcheck, mlp, plots)
from numpyae.gradcheck import cases, catalogue

FULL = course.full()

# %% [markdown]
# ## Why a gradient is checked at all
#
# Most mistakes do not crash. Here is a network whose Tanh has forgotten its derivative on the way back. It learns: half of the loss is gone.
# Only beside the right one can we see what the mistake costs, and in practice nobody has the right one.


# %%
class ForgottenDerivative(Tanh):
    def backward(self, delta):
        return delta                                     # wrong: times 1 - h²


x, t = datasets.noisy_sine(50, rng=np.random.default_rng(0))
losses = {}
for phi in (Tanh, ForgottenDerivative):
    model = Regression(mlp([1, 8, 1], hidden=phi, rng=np.random.default_rng(1)), SquaredError())
    losses[phi.__name__] = [model.loss(x, t)]
    for step in range(2000):
        model.w -= 0.1 * model.backward()
        losses[phi.__name__].append(model.loss(x, t))
    print(f"{phi.__name__:20} loss at the start {losses[phi.__name__][0]:.3f}, after 2000 steps {losses[phi.__name__][-1]:.3f}")
