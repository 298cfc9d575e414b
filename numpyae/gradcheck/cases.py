"""Every layer, loss, posterior and model of the library at a random point, to be checked: `python -m numpyae gradcheck`.

Sizes are different primes, so that a transposed matrix or a wrong divisor cannot fit by chance; biases are not zero.
"""

import copy

from numpyae.activations import ELU, Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.basis import FourierBasis, GaussianBasis, PolynomialBasis, SigmoidBasis
from numpyae.corruption import GaussianNoise, MaskingNoise, SaltAndPepper
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.layers import Dense, Dropout, Sequential, TiedDense, TopK
from numpyae.losses import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, SoftmaxCrossEntropy,
                            SquaredError)
from numpyae.models import Regression
from numpyae.penalties import Contraction, KLSparsity, L1Sparsity, L2Sparsity, WeightDecay
from numpyae.rbm import RBM
from numpyae.priors import GaussianPrior, MixturePrior
from numpyae.vae import IWAE, VAE

N, D, H, K, C = 7, 5, 11, 2, 3        # batch, data, hidden, code, classes


def cases(rng):
    """[(name, target, batch), ...]"""
    x = rng.standard_normal((N, D))
    unit = rng.random((N, D))
    found = [(repr(layer), layer, (x,)) for layer in layers(rng)]
    found += [(repr(loss), loss, batch) for loss, batch in losses(rng, x, unit)]
    found += [("DiagonalGaussian(d=2)", DiagonalGaussian(K), (rng.standard_normal((N, 2 * K)),)),
              ("FullGaussian(d=3)", FullGaussian(C), (rng.standard_normal((N, 9)),))]
    found += models(rng, x, unit)
    for _, target, _ in found:
        target.w += 0.1 * rng.standard_normal(target.w.size)      # no bias at 0
    return found


def layers(rng):
    """One of each layer for data of D features."""
    return [Dense(D, H, rng=rng), TiedDense(Dense(H, D, rng=rng)), Dropout(0.3), TopK(2), TopK(2, by="value"), Identity(), Sigmoid(),
            Tanh(), ReLU(), Softplus(), ELU(), Softmax(), mlp([D, H, K], rng=rng), PolynomialBasis(3, D), FourierBasis(1, D, period=7.0),
            GaussianBasis(rng.standard_normal((H, D)), 1.5),
            SigmoidBasis(rng.standard_normal((H, D)), 1.5, rng.standard_normal((H, D)), bias=False)]


def losses(rng, x, unit):
    """One of each loss, with outputs and targets."""
    o = rng.standard_normal((N, D))
    return [(SquaredError(), (o, x)), (SoftmaxCrossEntropy(), (o, rng.integers(0, D, N))),
            (SoftmaxCrossEntropy(), (o, unit / unit.sum(axis=1, keepdims=True))), (BernoulliNLL(), (o, unit)),
            (ContinuousBernoulliNLL(), (o, unit)), (GaussianNLL(0.7), (o, x)), (GaussianNLL(0.7, learn=True), (o, x)),
            (HeteroscedasticGaussianNLL(), (rng.standard_normal((N, 2 * D)), x))]


def models(rng, x, unit):
    """Every model, VAEs under every likelihood, and the combinations that share or drop something."""
    found = [("Regression, squared error", Regression(mlp([D, H, C], rng=rng), SquaredError()), (x, rng.standard_normal((N, C)))),
             ("Regression, classes", Regression(mlp([D, H, C], rng=rng), SoftmaxCrossEntropy()), (x, rng.integers(0, C, N))),
             ("Autoencoder", Autoencoder(mlp([D, H, K], rng=rng), mlp([K, H, D], rng=rng), SquaredError()), (x,)),
             ("Autoencoder, tied, dropout, top-k", tied(rng), (unit,))]
    found += autoencoders(rng, unit)
    encoder, decoder = mlp([D, H, 9], rng=rng), mlp([C, H, D], rng=rng)
    found.append(("IWAE, full covariance", IWAE(encoder, decoder, BernoulliNLL(), FullGaussian(C), samples=2), (unit,)))
    found += [(f"RBM, {visible} - {hidden}", RBM(D, H, visible, hidden, rng=rng), (unit,)) for visible, hidden in
              (("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("bernoulli", "gaussian"))]
    for likelihood in (BernoulliNLL(), ContinuousBernoulliNLL(), GaussianNLL(0.7), GaussianNLL(0.7, learn=True),
                       HeteroscedasticGaussianNLL()):
        found.append((f"VAE, {likelihood!r}", vae(rng, likelihood), (unit,)))
    found.append(("VAE, beta=0.5, samples=3", vae(rng, BernoulliNLL(), samples=3, beta=0.5), (unit,)))
    found.append(("VAE, Gaussian prior", vae(rng, GaussianNLL(), prior=GaussianPrior(K, 0.5, 1.7)), (unit,)))
    found.append(("VAE, mixture prior, KL sampled, corruption", vae(rng, GaussianNLL(), prior=MixturePrior(K, C, rng), kl="sampled",
                                                                    corruption=MaskingNoise(0.3)), (unit,)))
    return found


def autoencoders(rng, unit):
    """Every penalty and corruption, on one to three layers, tied and untied; more combinations are in the tests."""
    found, sizes = [], ([D, K], [D, H, K], [D, H, C, K])
    variants = [(KLSparsity(0.1, 0.7), Sigmoid), (KLSparsity(0.1, 0.7, over="units"), Sigmoid), (L1Sparsity(0.1, 0.7), Tanh),
                (L2Sparsity(0.1, 0.7), Softplus), (Contraction(0.3), Tanh), (Contraction(0.3, samples=2), ELU), (WeightDecay(0.1), Tanh)]
    corruptions = [None, GaussianNoise(0.3), MaskingNoise(0.3), SaltAndPepper(0.3)]
    for k, (penalty, activation) in enumerate(variants):
        for shared in (False, True):
            encoder = mlp(sizes[k % 3], hidden=activation, output=activation, rng=rng)
            back = [layer for dense in encoder.layers[-2::-2] for layer in (TiedDense(dense), activation())]
            decoder = Sequential(*back[:-1]) if shared else mlp(sizes[k % 3][::-1], hidden=activation, rng=rng)
            corruption = corruptions[(k + shared) % 4]
            name = ", ".join(["Autoencoder", *["tied"] * shared, repr(penalty), *[repr(corruption)] * (corruption is not None)])
            found.append((name, Autoencoder(encoder, decoder, SquaredError(), corruption, [copy.copy(penalty)]), (unit,)))
    return found


def tied(rng):
    """An autoencoder with one shared weight matrix, dropout and a k-sparse code."""
    dense = Dense(D, H, rng=rng)
    return Autoencoder(Sequential(dense, Softplus(), Dropout(0.3), TopK(4)), Sequential(TiedDense(dense)), BernoulliNLL())


def vae(rng, likelihood, **options):
    """A small VAE for this likelihood."""
    decoder = mlp([K, H, D * likelihood.outputs_per_feature], rng=rng)
    return VAE(mlp([D, H, 2 * K], rng=rng), decoder, likelihood, DiagonalGaussian(K), **options)
