"""All classes and functions that `numpyae` offers by name: `from numpyae import Dense` looks here.

`import numpyae` alone loads none of them. So `numpyae.gradcheck`, which checks code of other people too, comes without
models, losses and data sets.
"""

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
