"""numpyae: how networks learn, from a polynomial fit to a variational autoencoder, with every gradient written by hand.

    model = VAE(encoder, decoder, likelihood=BernoulliNLL(), posterior=DiagonalGaussian(2))
    gradcheck.assert_gradients(model, x[:3])
    history = fit(model, x, optimizer=Adam(1e-3), epochs=20, batch_size=100)
    plots.learning_curve(history)

Read the files in this order: layers, activations, basis, losses, models, autoencoder, latent, vae, optimizers,
training, parameters.

`import numpyae` imports only NumPy. What stands in `library.py` is loaded at the first use of any of its names,
`gradcheck`, `datasets`, `plots` and `trace` at their own.
"""

import importlib

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
    if not name.startswith("__"):
        library = importlib.import_module("numpyae.library")                 # it brings the flat files, too
        if name in __all__:
            globals()[name] = getattr(library, name)
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module 'numpyae' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
