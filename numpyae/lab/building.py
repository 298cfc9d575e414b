"""The model of a run's settings, and the line that describes it."""

import numpy as np

from numpyae import (VAE, Autoencoder, Dense, DiagonalGaussian, Dropout, Regression, Sequential, Tanh, TiedDense, TopK,
                     mlp)
from numpyae.corruption import Corruption
from numpyae.described import arguments_of
from numpyae.lab.settings import codes, known, make
from numpyae.losses import Loss
from numpyae.penalties import Penalty


def build_model(settings, D, y, y_test):
    """Return the model of the settings for data of D features; y and y_test matter for regression only."""
    rng = np.random.default_rng(settings["seed"])
    hidden, latent = settings["hidden"], settings["latent"]
    loss = known(Loss)[settings["likelihood"]]
    criterion = loss(learn=True) if "learn" in arguments_of(loss) else loss()                    # learn: its σ
    outputs = D * criterion.outputs_per_feature
    if settings["task"] == "regression":
        outputs = int(max(y.max(), y_test.max())) + 1 if y.ndim == 1 else y.shape[1] * criterion.outputs_per_feature
        return Regression(mlp([D, *hidden, outputs], rng=rng), criterion)
    corruption = settings["corruption"] and make("--corruption", Corruption, settings["corruption"], "gaussian:0.3")
    if settings["task"] == "ae":
        encoder = encoder_of(settings["code"], [D, *hidden, latent], rng)
        decoder = mirror(encoder) if settings["tied"] else mlp([latent, *hidden[::-1], outputs], rng=rng)
        penalties = [make("--penalty", Penalty, text, "kl:0.05:3") for text in settings["penalty"]]
        return Autoencoder(encoder, decoder, criterion, corruption, penalties)
    encoder = with_dropout(mlp([D, *hidden, 2 * latent], rng=rng), settings["dropout"])
    decoder = with_dropout(mlp([latent, *hidden[::-1], outputs], rng=rng), settings["dropout"])
    return VAE(encoder, decoder, criterion, DiagonalGaussian(latent), corruption=corruption)


def encoder_of(code, sizes, rng):
    """Return tanh layers and a code: linear, bounded, rectified, or the K strongest units only ("top-25")."""
    if code in codes():
        return mlp(sizes, output=codes()[code], rng=rng)
    k = code.removeprefix("top-")
    if not (code.startswith("top-") and k.isdecimal() and 1 <= int(k) <= sizes[-1]):
        raise ValueError(f"--code must be {', '.join(codes())}, or top-K with K from 1 to {sizes[-1]}, got {code!r}")
    return Sequential(*mlp(sizes, rng=rng).layers, TopK(int(k)))


def mirror(encoder):
    """Return the decoder that shares the encoder's weights: its Dense layers backwards, transposed, tanh between."""
    return Sequential(*[part for layer in encoder.layers[::-1] if isinstance(layer, Dense)
                        for part in (TiedDense(layer), Tanh())][:-1])


def with_dropout(network, p):
    """Return the network with a Dropout after each hidden activation; p = 0: without."""
    return Sequential(*[part for layer in network.layers
                        for part in [layer] + [Dropout(p)] * (p > 0 and not isinstance(layer, Dense))])


def architecture(settings, D, model):
    """Return a line such as: VAE 784-256-256-[2]-256-256-784, tanh, bernoulli."""
    hidden, code, dropout = settings["hidden"], settings["code"], settings["dropout"]
    if settings["task"] == "regression":
        sizes = [D, *hidden, model.network.n_out]
    else:
        sizes = [D, *hidden, f"[{settings['latent']}]", *hidden[::-1], model.decoder.n_out]
    variants = [f"{code} code"] * (code != "linear") + ["tied"] * settings["tied"] + settings["penalty"]
    variants += [f"dropout {dropout:g}"] * bool(dropout) + [settings["corruption"]] * bool(settings["corruption"])
    return ", ".join([f"{type(model).__name__} {'-'.join(map(str, sizes))}", "tanh", settings["likelihood"], *variants])
