"""Results: how good a trained model is on data it has not seen, in a sentence, above baselines by the same measure."""

import numpy as np

from numpyae import Standardised
from numpyae.evaluation import ACTIVE, evaluate
from numpyae.lab import baselines

RISEN = 0.02                          # a held-out loss that ends so much above its best is worth a line
SOME, DRAWS = 200, 100                # held-out samples, and codes for each, that estimate log p(x)


def of_run(run, history):
    """Return the lines about a run: one sentence, then the baselines, each with its number in front.

    A line tells of a better epoch where the held-out loss has risen since.
    """
    measure = {"vae": bound, "ae": error}.get(run.settings["task"], prediction)
    sentence, beside = measure(run, "image" if run.dataset.image_shape else "sample")
    lines = [sentence, *(f"  {value:>14.6g}  {name}" for name, value in beside.items() if value is not None)]
    if history.validation and history.stopped != "early" and not run.settings["warm_up"]:
        best, last = min(history.validation), history.validation[-1]
        if last - best > RISEN * abs(best):
            lines.append(f"the held-out loss was lowest in epoch {history.best + 1}, {best:.5g}, and ended at "
                         f"{last:.5g}: --patience keeps the best epoch")
    return "\n".join(lines)


def bound(run, unit):
    """Return the held-out ELBO in a sentence, and {name: nats} of the baselines."""
    (x,), (x_test,), model, latent = run.data, run.held_out, run.model, run.settings["latent"]
    bounds, likelihood = model.elbo(x_test, rng=np.random.default_rng(run.settings["seed"])), run.settings["likelihood"]
    sentence = (f"held-out ELBO {bounds.mean():.2f} ± {bounds.std() / np.sqrt(len(x_test)):.2f} nats per {unit} "
                f"(mean and standard error over {len(x_test)}; {run.judged})")
    density = not model.likelihood.takes_logits
    if density and bounds.mean() > 0:
        sentence += "; a density may exceed 1, so its logarithm may be positive"
    mean = "the mean and one σ" if likelihood == "gaussian" else f"the mean {unit} alone"
    alone = -baselines.constant(plain(model.likelihood), x, x_test, model.decoder.n_out)
    linear = baselines.probabilistic_pca(latent, x, x_test) if density else None
    return "\n".join([sentence, *of_known_classes(run, bounds), *code_in_words(run)]), {
        mean: alone, f"a linear Gaussian code of {latent} (probabilistic PCA)": linear}


def of_known_classes(run, bounds):
    """Return a line about the held-out samples of the classes that training has seen, where there are others too."""
    y, y_test = run.dataset.y, run.labels
    if y is None or y_test is None or y.ndim != 1:
        return []
    known = np.isin(y_test, y)
    if known.all() or not known.any():
        return []
    mine, n = bounds[known], known.sum()
    return [f"{mine.mean():.2f} ± {mine.std() / np.sqrt(n):.2f} over the {n} of them whose class is among those to "
            "train on; the others are of classes that it has never seen"]


def code_in_words(run):
    """Return lines about log p(x), which the ELBO is below, and about the units of the code."""
    x, seed = run.held_out[0][:SOME], run.settings["seed"]
    found = evaluate(run.model, x, run.judged, DRAWS, np.random.default_rng(seed))
    active = np.count_nonzero(found.variance_of_unit > ACTIVE)
    kl = np.sort(found.kl_of_unit)[::-1]
    shown = " ".join(f"{value:.2f}" for value in kl[:12]) + " …" * (len(kl) > 12)
    return [f"log p(x) {found.log_p.mean():.2f} nats (importance sampling, {DRAWS} draws, the first {len(x)}; their "
            f"ELBO {found.elbo.mean():.2f})",
            f"{active} of {len(kl)} units of the code are active; KL of each, in nats: {shown}"]


def error(run, unit):
    """Return the held-out loss of an autoencoder in a sentence, and {name: loss} of the baselines.

    A squared error of standardised columns is said twice: in the units of the data, which one column may rule, and in
    units of each column's spread, which is what was trained.
    """
    (x,), (x_test,), model, latent = run.data, run.held_out, run.model, run.settings["latent"]
    mean, code = f"the mean {unit} alone", f"PCA with a code of {latent}"
    if run.settings["likelihood"] != "squared-error":
        model.loss(x_test, training=False)
        loss = model.terms["reconstruction"]             # without penalties, to compare variants by
        beside = {mean: baselines.constant(plain(model.criterion), x, x_test, model.decoder.n_out)}
        return said(run, loss, unit), beside
    predicted = model.reconstruct(x_test)
    beside = {mean: baselines.squared_error(x.mean(axis=0), x_test), code: baselines.pca(latent, x, x_test)}
    if run.settings["scaling"] == "standardised":
        s = model.criterion.spread.astype(x.dtype)
        beside |= {"in units of the spread of each feature": baselines.squared_error(predicted / s, x_test / s),
                   f"the same, {mean}": baselines.squared_error(x.mean(axis=0) / s, x_test / s),
                   f"the same, {code}": baselines.pca(latent, x / s, x_test / s)}
    return said(run, baselines.squared_error(predicted, x_test), unit), beside


def prediction(run, unit):
    """Return the held-out loss of a regression in a sentence, and {name: loss} of the baselines."""
    (x, t), (x_test, t_test), model = run.data, run.held_out, run.model
    predicted = model.predict(x_test)
    if run.settings["likelihood"] == "classes":
        wrong, loss = np.mean(predicted.argmax(axis=1) != t_test), model.loss(x_test, t_test, training=False)
        commonest, shares = np.bincount(t).argmax(), baselines.constant(model.criterion, t, t_test, model.network.n_out)
        return (f"held-out cross-entropy {loss:.4f} nats per {unit}, {100 * wrong:.2f} % of {len(t_test)} wrong",
                {"nats, the shares of the classes alone": shares,
                 f"% wrong, always the commonest class, {commonest}": 100 * np.mean(t_test != commonest)})
    if run.settings["likelihood"] == "squared-error":
        return said(run, baselines.squared_error(predicted, t_test), unit), {
            "the mean alone": baselines.squared_error(t.mean(axis=0), t_test),
            "least squares": baselines.squared_error(baselines.linear(x, t, x_test), t_test)}
    loss = model.loss(x_test, t_test, training=False)
    alone = baselines.constant(plain(model.criterion), t, t_test, model.network.n_out)
    return said(run, loss, unit), {"the mean alone": alone}


def said(run, loss, unit):
    """Return a held-out loss in a sentence."""
    return (f"held-out {run.settings['likelihood']} loss {loss:.5g} per {unit} (sum over features, mean over "
            f"{len(run.held_out[0])}; {run.judged})")


def plain(loss):
    """Return a loss without its scaling."""
    return loss.loss if isinstance(loss, Standardised) else loss
