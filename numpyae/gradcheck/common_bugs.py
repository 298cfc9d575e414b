"""Common bugs of hand-written backprop, each written out once: 38 that people have met and reported.

Every class below is right but for one line, marked `# wrong:`, and is named after what it should be and its number.
Cover the comments, run the check, and find the line:

    from numpyae import gradcheck
    from numpyae.gradcheck.common_bugs import BUGS
    target, batch = BUGS[0].make(np.random.default_rng(0))
    print(gradcheck.check(target, *batch))

Sizes are different primes and biases are not zero, so that no bug hides: with a batch of one row five of these pass,
with b = 0 another, and number 22 shows only where a unit is exactly 0. Four are invisible to every gradient check,
because their backward is the exact gradient of a wrong forward. Those need a test of the function itself: a golden
value, the moments of a sampler, a closed form. `invisible` says which.
"""

from collections import namedtuple

import numpy as np

from numpyae import (VAE, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, GaussianNLL, Regression, ReLU,
                     Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, SquaredError, Tanh, TiedDense, TopK, mlp)

N, D, H, K, C = 7, 5, 11, 3, 2        # batch, data, hidden, code, classes


class SquaredError1(SquaredError):
    def backward(self, weight):
        return -2 * self.r * weight[:, None]             # wrong: t - o, where the derivative has o - t


class SquaredError2(SquaredError):
    def backward(self, weight):
        return self.r * weight[:, None]                  # wrong: the 2 of the square is missing, forward has no ½


class Regression3(Regression):
    def backward(self):
        self.from_zero()
        delta = self.criterion.backward(np.ones(len(self.o)))               # wrong: the loss is a mean, this a sum
        self.network.backward(delta)
        return self.grad


class SquaredError4(SquaredError):
    def backward(self, weight):
        return 2 * self.r * weight[:, None] / len(weight)                   # wrong: weight holds the 1/N already


class SquaredError5(SquaredError):
    def forward(self, o, t):
        return super().forward(o, t) / o.shape[1]        # wrong: a mean over the outputs, which backward does not have


class BernoulliNLL15(BernoulliNLL):
    def backward(self, weight):
        p = self.mean(self.o)
        return (p - self.t) * p * (1 - p) * weight[:, None]                 # wrong: p (1 - p) has cancelled


class CrossEntropy17(SoftmaxCrossEntropy):
    def __init__(self):
        self.softmax = Softmax()

    def forward(self, o, t):
        p = self.softmax.forward(o)
        return super().forward(p, t)                     # wrong: super() applies a softmax of its own

    def backward(self, weight):
        return self.softmax.backward(super().backward(weight))


class SquaredError37(SquaredError):
    def forward(self, o, t):
        self.r = o - t                                   # wrong: o (N, 1) - t (N,) is (N, N)
        return np.mean(self.r**2, axis=1)

    def backward(self, weight):
        return 2 * np.mean(self.r, axis=1, keepdims=True) * weight[:, None]


class BernoulliNLL38(BernoulliNLL):
    def forward(self, o, t):
        self.p, self.t = self.mean(o), t
        p = np.clip(self.p, 1e-7, 1 - 1e-7)              # wrong: flat where it clips, and backward knows nothing of it
        return -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p), axis=1)

    def backward(self, weight):
        return (self.p - self.t) * weight[:, None]


class Dense6(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += delta                                 # wrong: not summed over the batch
        return delta @ self.W.T


class Dense7(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.sum(delta)                         # wrong: axis=0 forgotten, one number for all
        return delta @ self.W.T


class Dense8(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.mean(delta, axis=0)                # wrong: a mean, where dW is a sum
        return delta @ self.W.T


class Dense9(Dense):
    def backward(self, delta):
        self.dW += np.outer(self.x[0], delta[0])         # wrong: the formula of one sample, right for a batch of one
        self.db += delta[0]
        return delta @ self.W.T


class DenseTanh10(Dense):
    def forward(self, x):
        self.h = np.tanh(super().forward(x))
        return self.h

    def backward(self, delta):
        da = delta * (1 - self.h**2)
        self.dW += self.x.T @ da
        self.db += np.sum(delta, axis=0)                 # wrong: da
        return da @ self.W.T


class Dense11(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.sum(delta, axis=0)
        return delta @ self.W                            # wrong: Wᵀ; a square W fits both ways


class Tanh12(Tanh):
    def backward(self, delta):
        return delta * (1 - np.tanh(self.h) ** 2)        # wrong: tanh' at h; it belongs at a, where tanh(a) = h


class Tanh13(Tanh):
    def backward(self, delta):
        return delta                                     # wrong: times φ'(a)


class Tanh14(Tanh):
    def backward(self, delta):
        return delta * self.h * (1 - self.h)             # wrong: this is the derivative of a sigmoid


class Softmax16(Softmax):
    def backward(self, delta):
        return delta * self.p * (1 - self.p)             # wrong: the diagonal only; every output depends on every input


class Dense18(Dense):
    def backward(self, delta):
        self.dW = self.x.T @ delta                       # wrong: =, which throws away the summand of the tied decoder
        self.db += np.sum(delta, axis=0)
        return delta @ self.W.T


class Dense20(Dense):
    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.sum(delta, axis=0)
        self.W -= 0.1 * self.dW                          # wrong: the layer before gets its delta through the new W
        return delta @ self.W.T


class Dropout21(Dropout):
    def forward(self, x):
        super().forward(x)
        if self.mask is not None:
            x *= self.mask / self.keep                   # wrong: this x is the h that the Tanh before has kept
        return x


class LeakyReLU22(ReLU):
    def forward(self, a):
        self.h = np.maximum(a, 0.1 * a)
        return self.h

    def backward(self, delta):
        return delta * (1.0 * (self.h >= 0) + 0.1 * (self.h <= 0))          # wrong: both at 0, a slope of 1.1


class Dropout23(Dropout):
    def backward(self, delta):
        return delta / self.keep                         # wrong: a dropped unit passes nothing back


class Dropout24(Dropout):
    def backward(self, delta):
        return delta * self.mask                         # wrong: forward divides by keep


class TiedDense33(TiedDense):
    def backward(self, delta):
        self.db += np.sum(delta, axis=0)                 # wrong: W is used here too, dense.dW += deltaᵀ x
        return delta @ self.dense.W


class TopK35(TopK):
    def backward(self, delta):
        return delta                                     # wrong: only the winners pass it back


class Gaussian25(DiagonalGaussian):
    def sample_backward(self, dz):
        epsilon = np.random.standard_normal(dz.shape)    # wrong: another ε than the one z was drawn with
        return dz, 0.5 * dz * epsilon * self.sigma


class Gaussian26(DiagonalGaussian):
    def sample(self, h, epsilon):
        super().sample(h, epsilon)
        self.sigma = np.exp(self.logvar)                 # wrong: this is σ²
        self.z = self.mu + self.sigma * epsilon
        return self.z

    def sample_backward(self, dz):
        return dz, dz * self.epsilon * self.sigma


class Gaussian27(DiagonalGaussian):
    def sample_backward(self, dz):
        return dz, dz * self.epsilon * self.sigma        # wrong: σ = e^(½ logvar), its derivative has a ½


class Gaussian28(DiagonalGaussian):
    def kl(self, mu0=0.0, sigma0=1.0):
        log_sigma = self.logvar                          # wrong: ½ logvar
        return 0.5 * np.sum(self.mu**2 + np.exp(2 * log_sigma) - 2 * log_sigma - 1, axis=1)

    def kl_backward(self, dkl):
        return dkl[:, None] * self.mu, dkl[:, None] * (np.exp(2 * self.logvar) - 1)


class Gaussian29(DiagonalGaussian):
    def kl_backward(self, dkl):
        dmu, dlogvar = -self.mu, 0.5 * (1 - self.sigma**2)                  # wrong: of -KL, as the paper writes it
        return dkl[:, None] * dmu, dkl[:, None] * dlogvar


class Regression19(Regression):
    def backward(self):
        delta = self.criterion.backward(np.full(len(self.o), 1 / len(self.o)))
        self.network.backward(delta)                     # wrong: no from_zero(), the gradient of the last step is there
        return self.grad


class VAE30(VAE):
    def loss(self, x, rng=None, noise=None, training=True):
        super().loss(x, rng, noise, training)
        self.terms["kl"] /= self.posterior.d             # wrong: a mean over the code, backward has the sum
        return self.terms["reconstruction"] + self.terms["kl"]


class SparseAutoencoder31(Autoencoder):                  # wrong: backward is the one without the sparsity term
    beta, rho = 0.5, 0.1

    def loss(self, x, rng=None, noise=None, training=True):
        reconstruction = super().loss(x, rng, noise, training)
        rho, self.h = self.rho, self.encoder.layers[-1].h
        self.rho_hat = np.mean(self.h, axis=0)
        kl = rho * np.log(rho / self.rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - self.rho_hat))
        self.terms["sparsity"] = self.beta * float(np.sum(kl))
        return reconstruction + self.terms["sparsity"]


class SparseAutoencoder32(SparseAutoencoder31):
    def backward(self):
        self.from_zero()
        dz = self.decoder.backward(self.criterion.backward(np.full(len(self.h), 1 / len(self.h))))
        dh = self.beta * ((1 - self.rho) / (1 - self.rho_hat) - self.rho / self.rho_hat)    # wrong: / N, ρ̂ is a mean
        self.encoder.backward(dz + dh)
        return self.grad


class ContractiveAutoencoder34(Autoencoder):
    strength = 0.5

    def loss(self, x, rng=None, noise=None, training=True):
        reconstruction = super().loss(x, rng, noise, training)
        dense, phi = self.encoder.layers
        self.norms = np.sum(dense.W**2, axis=0)          # ‖J‖² = Σ_k φ'(a_k)² Σ_d W_dk²
        self.terms["contraction"] = self.strength * float(np.sum(phi.derivative() ** 2 @ self.norms)) / len(x)
        return reconstruction + self.terms["contraction"]

    def backward(self):
        self.from_zero()
        dense, phi = self.encoder.layers
        n = len(dense.x)
        dz = self.decoder.backward(self.criterion.backward(np.full(n, 1 / n)))
        da = self.strength / n * 2 * phi.derivative() * phi.second_derivative() * self.norms
        self.encoder.backward(dz, added={0: da})         # wrong: the norms depend on W too
        return self.grad


class Regression36(Regression):
    decay = 0.1

    def loss(self, x, t, rng=None, noise=None, training=True):
        error = super().loss(x, t, rng, noise, training)
        squares = sum(np.sum(W**2) for name, W in self.named_parameters().items() if name.endswith(".W"))
        self.terms["decay"] = 0.5 * self.decay * float(squares)
        return error + self.terms["decay"]

    def backward(self):
        super().backward()
        self.grad += self.decay * self.w                 # wrong: w holds biases too; nobody notices while they are 0
        return self.grad


# The points at which they are checked: make(rng) -> (target, batch)

def somewhere(rng, target, *batch):
    """Return (target, batch), the parameters a little off where they begin: no bias is 0."""
    target.w += 0.3 * rng.standard_normal(target.w.size)
    return target, batch


def alone(build, width=D):
    """Return the point of a layer or a posterior on its own: build(rng)."""
    return lambda rng: somewhere(rng, build(rng), rng.standard_normal((N, width)))


def loss(build):
    """Return the point of a loss of real targets, or of targets in [0, 1]."""
    return lambda rng: (build(), (rng.standard_normal((N, D)), rng.random((N, D))))


def regression(model=Regression, dense=Dense, hidden=Tanh):
    """Return the point of a network with one hidden layer."""
    return lambda rng: somewhere(
        rng, model(Sequential(dense(D, H, rng=rng), hidden(), dense(H, C, rng=rng)), SquaredError()),
        rng.standard_normal((N, D)), rng.standard_normal((N, C)))


def autoencoder(model=Autoencoder, top=Sigmoid, dense=Dense, tied=None):
    """Return the point of an autoencoder of one hidden layer; `tied`: the class of a decoder that shares weights."""
    def make(rng):
        first = dense(D, H, rng=rng)
        decoder = tied(first) if tied else Dense(H, D, rng=rng)
        return somewhere(rng, model(Sequential(first, top()), decoder, SquaredError()), rng.standard_normal((N, D)))
    return make


def vae(model=VAE, posterior=DiagonalGaussian):
    """Return the point of a VAE of Gaussian likelihood."""
    return lambda rng: somewhere(
        rng, model(mlp([D, 2 * K], rng=rng), mlp([K, 2, D], rng=rng), GaussianNLL(0.7), posterior(K)),
        rng.standard_normal((N, D)))


def at_zero(rng):
    """Return a batch with units that are exactly 0."""
    x = rng.standard_normal((N, D))
    x[2, 1] = x[4, 3] = 0
    return LeakyReLU22(), (x,)


def sure(rng):
    """Return logits so large that some probabilities are clipped, one of them on the wrong side."""
    o, t = 12 * rng.standard_normal((N, D)), rng.integers(0, 2, (N, D)).astype(float)
    o[3, 2], t[3, 2] = -20, 1
    return BernoulliNLL38(), (o, t)


class Bug(namedtuple("Bug", "number name make cause place invisible", defaults=(None,))):
    """A common bug, and make(rng) -> (target, batch), where it shows.

    `cause`: what the check calls it; `place`: the class's name; `invisible`: the test that sees it where no check does.
    """


BUGS = [
    Bug(1, "target - output", loss(SquaredError1), "sign", "SquaredError1"),
    Bug(2, "the 2 of the square is missing", loss(SquaredError2), "factor", "SquaredError2"),
    Bug(3, "sum instead of mean over the batch", regression(Regression3), "factor", "Regression3"),
    Bug(4, "divided by the batch twice", loss(SquaredError4), "factor", "SquaredError4"),
    Bug(5, "mean over the outputs in the loss only", loss(SquaredError5), "factor", "SquaredError5"),
    Bug(6, "db not summed over the batch", alone(lambda rng: Dense6(D, H, rng=rng)), "raises", "Dense6"),
    Bug(7, "db summed over all axes", alone(lambda rng: Dense7(D, H, rng=rng)), "axes", "Dense7"),
    Bug(8, "db a mean, dW a sum", alone(lambda rng: Dense8(D, H, rng=rng)), "factor", "Dense8"),
    Bug(9, "right only for one sample", alone(lambda rng: Dense9(D, H, rng=rng)), "axes", "Dense9"),
    Bug(10, "db from the wrong operand", alone(lambda rng: DenseTanh10(D, H, rng=rng)), "operand", "DenseTanh10"),
    Bug(11, "W where its transpose belongs", alone(lambda rng: Dense11(D, D, rng=rng)), "operand", "Dense11"),
    Bug(12, "derivative taken at the output", regression(hidden=Tanh12), "elementwise", "Tanh12"),
    Bug(13, "derivative forgotten", regression(hidden=Tanh13), "elementwise", "Tanh13"),
    Bug(14, "derivative of another function", regression(hidden=Tanh14), "elementwise", "Tanh14"),
    Bug(15, "sigmoid derivative behind cross-entropy", loss(BernoulliNLL15), "elementwise", "BernoulliNLL15"),
    Bug(16, "softmax, diagonal only", alone(lambda rng: Softmax16()), "diagonal", "Softmax16"),
    Bug(17, "softmax applied twice",
        lambda rng: (CrossEntropy17(), (rng.standard_normal((N, C)), rng.integers(0, C, N))), None, "CrossEntropy17",
        "A golden value: the loss is -log of the probability that `mean` gives. A model refuses a Softmax before such "
        "a loss."),
    Bug(18, "= for += where W is used twice", autoencoder(dense=Dense18, tied=TiedDense), "overwrites", "Dense18"),
    Bug(19, "gradient not zeroed", regression(Regression19), "not zeroed", "Regression19"),
    Bug(20, "weights updated in backward", regression(dense=Dense20), "updates", "Dense20"),
    Bug(21, "kept array overwritten", regression(hidden=lambda: Sequential(Tanh(), Dropout21(0.3))), "in place",
        "Dropout21"),
    Bug(22, "wrong slope at exactly 0", at_zero, "kink", "LeakyReLU22"),
    Bug(23, "dropout without its mask", alone(lambda rng: Dropout23(0.3)), "elementwise", "Dropout23"),
    Bug(24, "dropout without its scale", alone(lambda rng: Dropout24(0.3)), "factor", "Dropout24"),
    Bug(25, "noise drawn anew", alone(lambda rng: Gaussian25(K), 2 * K), "redrawn", "Gaussian25"),
    Bug(26, "σ = exp(logvar)", alone(lambda rng: Gaussian26(K), 2 * K), None, "Gaussian26",
        "The moments of the sampler: the standard deviation of many draws must be exp(logvar / 2)."),
    Bug(27, "½ missing in dlogvar of the draw", alone(lambda rng: Gaussian27(K), 2 * K), "factor", "Gaussian27"),
    Bug(28, "logvar read as log σ in the KL", alone(lambda rng: Gaussian28(K), 2 * K), None, "Gaussian28",
        "Monte Carlo: the mean of log q(z) - log p(z) over many draws of z must be the closed form."),
    Bug(29, "KL with the wrong sign", vae(posterior=Gaussian29), "sign", "Gaussian29"),
    Bug(30, "KL averaged, reconstruction summed", vae(VAE30), "factor", "VAE30"),
    Bug(31, "sparsity left out of backward", autoencoder(SparseAutoencoder31), "term", "SparseAutoencoder31"),
    Bug(32, "sparsity without 1/N", autoencoder(SparseAutoencoder32), "term", "SparseAutoencoder32"),
    Bug(33, "tied weights, one path only", autoencoder(tied=TiedDense33), "zero", "TiedDense33"),
    Bug(34, "contraction with W held constant", autoencoder(ContractiveAutoencoder34), "term",
        "ContractiveAutoencoder34"),
    Bug(35, "k-sparse without its mask", autoencoder(top=lambda: TopK35(4)), "elementwise", "TopK35"),
    Bug(36, "biases decayed too", regression(Regression36), "term", "Regression36"),
    Bug(37, "(N,) against (N, 1)",
        lambda rng: (SquaredError37(), (rng.standard_normal((N, 1)), rng.standard_normal(N))), None, "SquaredError37",
        "A golden value of three samples; the losses of the library refuse the shape."),
    Bug(38, "clipped in forward only", sure, "elementwise", "BernoulliNLL38"),
]
