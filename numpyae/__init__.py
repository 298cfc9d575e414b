"""numpyae: how networks learn, from a polynomial fit to a variational autoencoder, with every gradient written by hand.

    model = VAE(encoder, decoder, likelihood=BernoulliNLL(), posterior=DiagonalGaussian(2))
    gradcheck.assert_gradients(model, x[:3])
    history = fit(model, x, optimizer=Adam(1e-3), epochs=20, batch_size=100)
    plots.learning_curve(history)

Read the files in this order: layers, activations, basis, losses, models, autoencoder, latent, vae, optimizers,
training, parameters.

`import numpyae` imports only NumPy. `gradcheck`, `datasets`, `plots` and `trace` are loaded at their first use.
"""

import importlib

from numpyae.activations import ELU, Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.basis import FourierBasis, GaussianBasis, PolynomialBasis, SigmoidBasis
from numpyae.corruption import GaussianNoise, MaskingNoise, SaltAndPepper
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.layers import Dense, Dropout, Layer, Sequential, TiedDense, TopK
from numpyae.linear import PCA
from numpyae.losses import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL,
                            SoftmaxCrossEntropy, SquaredError)
from numpyae.models import Model, Regression
from numpyae.optimizers import AdaGrad, Adam, GradientDescent, Momentum, Nesterov, RMSProp, lbfgs
from numpyae.parameters import parameter
from numpyae.penalties import Contraction, KLSparsity, L1Sparsity, L2Sparsity, WeightDecay
from numpyae.priors import GaussianPrior, MixturePrior
from numpyae.rbm import RBM
from numpyae.scaling import Standardise, Standardised
from numpyae.training import fit, online_backprop
from numpyae.vae import IWAE, VAE, ScoreFunctionVAE

__version__ = "0.1.0"
__all__ = ["Layer", "parameter", "Dense", "TiedDense", "Dropout", "TopK", "Sequential", "mlp",
           "Identity", "Sigmoid", "Tanh", "ReLU", "Softplus", "ELU", "Softmax",
           "PolynomialBasis", "FourierBasis", "GaussianBasis", "SigmoidBasis",
           "SquaredError", "SoftmaxCrossEntropy", "BernoulliNLL", "ContinuousBernoulliNLL", "GaussianNLL",
           "HeteroscedasticGaussianNLL", "Model", "Regression", "PCA", "Autoencoder", "RBM",
           "GaussianNoise", "MaskingNoise", "SaltAndPepper",
           "KLSparsity", "L1Sparsity", "L2Sparsity", "Contraction", "WeightDecay",
           "Standardise", "Standardised",
           "VAE", "IWAE", "ScoreFunctionVAE", "DiagonalGaussian", "FullGaussian", "GaussianPrior", "MixturePrior",
           "GradientDescent", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "Adam", "lbfgs",
           "fit", "online_backprop", "gradcheck", "trace", "datasets", "plots"]


def __getattr__(name):
    if name in ("gradcheck", "datasets", "plots"):
        return importlib.import_module(f"numpyae.{name}")
    if name == "trace":
        return importlib.import_module("numpyae.tableau").trace
    raise AttributeError(f"module 'numpyae' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
