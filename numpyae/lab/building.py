"""The model of a training run, built from its settings."""

import numpy as np

from numpyae import (IWAE, VAE, Autoencoder, Dense, DiagonalGaussian, Dropout, FullGaussian, MixturePrior, Regression,
                     Sequential, Standardise, Standardised, TiedDense, TopK, WeightDecay, mlp)
from numpyae.checks import must
from numpyae.corruption import Corruption
from numpyae.described import arguments_of
from numpyae.lab.settings import codes, known, make
from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.penalties import Penalty


def build_model(settings, scalings, D, y, y_test):
    """Return the model of the settings for data of D features; y and y_test matter for regression only.

    scalings: (centre, spread), or None, of the data and of the targets.
    """
    rng = np.random.default_rng(settings["seed"])
    hidden, latent, phi = settings["hidden"], settings["latent"], known(Layer)[settings["activation"]]
    loss = known(Loss)[settings["likelihood"]]
    criterion = loss(learn=True) if "learn" in arguments_of(loss) else loss()                    # learn: its σ
    outputs = D * criterion.outputs_per_feature
    decay = [WeightDecay(settings["decay"])] if settings["decay"] else []
    if settings["task"] == "regression":
        outputs = int(max(y.max(), y_test.max())) + 1 if y.ndim == 1 else y.shape[1] * criterion.outputs_per_feature
        return Regression(*scaled(mlp([D, *hidden, outputs], hidden=phi, rng=rng), criterion, scalings), decay)
    corruption = settings["corruption"] and make("--corruption", Corruption, settings["corruption"], "gaussian:0.3")
    if settings["task"] == "ae":
        encoder = encoder_of(settings["code"], [D, *hidden, latent], phi, rng)
        decoder = (mirror(encoder, phi) if settings["tied"] else
                   mlp([latent, *hidden[::-1], outputs], hidden=phi, rng=rng))
        penalties = [make("--penalty", Penalty, text, "kl:0.05:3") for text in settings["penalty"]]
        encoder, criterion = scaled(encoder, criterion, scalings)
        return Autoencoder(encoder, decoder, criterion, corruption, penalties + decay)
    posterior = FullGaussian(latent) if settings["covariance"] == "full" else DiagonalGaussian(latent)
    encoder = with_dropout(mlp([D, *hidden, posterior.size], hidden=phi, rng=rng), settings["dropout"])
    decoder = with_dropout(mlp([latent, *hidden[::-1], outputs], hidden=phi, rng=rng), settings["dropout"])
    encoder, criterion = scaled(encoder, criterion, scalings)
    prior = prior_of(settings["prior"], latent, rng)
    if settings["iwae"]:
        return IWAE(encoder, decoder, criterion, posterior, prior, samples=settings["iwae"], penalties=decay)
    return VAE(encoder, decoder, criterion, posterior, prior, beta=first_beta(settings), corruption=corruption,
               kl="analytic" if prior is None else "sampled", penalties=decay)


def check_vae(settings):
    """Raise ValueError for settings of a VAE that exclude each other."""
    for holds, sentence in (
            (settings["iwae"] and (settings["beta"] != 1 or settings["warm_up"]),
             "--iwae has no KL to weigh: leave out --beta and --warm-up"),
            (settings["iwae"] and settings["corruption"],
             "--iwae is a bound on p(x) of the clean x: leave out --corruption"),
            (settings["warm_up"] and settings["patience"],
             "--patience compares losses of one beta, which --warm-up changes: leave out one of them")):
        must(not holds, sentence)


def prior_of(word, latent, rng):
    """Return the prior for a word such as mixture:10, None for the usual N(0, I)."""
    kind, _, number = word.partition(":")
    if word == "gaussian":
        return None
    must(kind == "mixture" and number.isdecimal() and int(number) > 0,
         f"--prior must be gaussian, or mixture:C with C Gaussians such as mixture:10, got {word!r}")
    return MixturePrior(latent, int(number), rng)


def first_beta(settings):
    """Return beta in the first epoch: a part of it while it warms up."""
    return settings["beta"] / max(1, settings["warm_up"])


def scaled(network, criterion, scalings):
    """Return the network behind a scaling of its input, and the criterion of the scaled target."""
    entered, targets = scalings
    return (Sequential(Standardise(*entered), *network.layers) if entered else network,
            Standardised(criterion, *targets) if targets else criterion)


def encoder_of(code, sizes, phi, rng):
    """Return hidden layers and a code: linear, bounded, rectified, or the K strongest units only ("top-25")."""
    if code in codes():
        return mlp(sizes, hidden=phi, output=codes()[code], rng=rng)
    k = code.removeprefix("top-")
    must(code.startswith("top-") and k.isdecimal() and 1 <= int(k) <= sizes[-1],
         f"--code must be {', '.join(codes())}, or top-K with K from 1 to {sizes[-1]}, got {code!r}")
    return Sequential(*mlp(sizes, hidden=phi, rng=rng).layers, TopK(int(k)))


def mirror(encoder, phi):
    """Return the decoder that shares the encoder's weights: its Dense layers backwards, transposed, φ between."""
    return Sequential(*[part for layer in encoder.layers[::-1] if isinstance(layer, Dense)
                        for part in (TiedDense(layer), phi())][:-1])


def with_dropout(network, p):
    """Return the network with a Dropout after each hidden activation; p = 0: without."""
    return Sequential(*[part for layer in network.layers
                        for part in [layer] + [Dropout(p)] * (p > 0 and not isinstance(layer, Dense))])


def architecture(settings, D, model):
    """Return a line such as: VAE 784-256-256-[2]-256-256-784, tanh, bernoulli."""
    hidden, code, dropout = settings["hidden"], settings["code"], settings["dropout"]
    sizes = ([D, *hidden, model.network.n_out] if settings["task"] == "regression" else
             [D, *hidden, f"[{settings['latent']}]", *hidden[::-1], model.decoder.n_out])
    variants = [f"{code} code"] * (code != "linear") + ["tied"] * settings["tied"] + settings["penalty"]
    variants += [f"{name} {settings[name]:g}" for name, usual in (("decay", 0), ("beta", 1), ("clip", 0))
                 if settings[name] != usual and name in settings]
    variants += [f"warm-up {settings['warm_up']} epochs"] * bool(settings["warm_up"])
    variants += [f"importance-weighted, {settings['iwae']} draws"] * bool(settings["iwae"])
    variants += ["full covariance"] * (settings["covariance"] == "full")
    variants += [f"prior {settings['prior']}"] * (settings["prior"] != "gaussian")
    variants += [f"dropout {dropout:g}"] * bool(dropout) + [settings["corruption"]] * bool(settings["corruption"])
    return ", ".join([f"{type(model).__name__} {'-'.join(map(str, sizes))}", settings["activation"],
                      settings["likelihood"], *variants])
