"""Judges of lecture 8: corruption, sparsity, contraction, dropout."""

import math

import numpy as np

from numpyae.activations import Sigmoid, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.corruption import MaskingNoise
from numpyae.course.judges import tools
from numpyae.course.judges.tools import Wrong, gradients, hold, near, primes, returned, table
from numpyae.layers import Dropout, TopK
from numpyae.losses import SquaredError
from numpyae.penalties import Contraction, KLSparsity, L2Sparsity, WeightDecay


def masking_noise(rng):
    p = float(rng.uniform(0.2, 0.4))
    noise, seed, shape = MaskingNoise(p), int(rng.integers(2**32)), (311, 97)
    x = rng.standard_normal(shape)
    found = returned("draw", lambda x: noise.draw(x, np.random.default_rng(seed)), x)
    again = noise.draw(x, np.random.default_rng(seed))
    others = [noise.draw(x, np.random.default_rng(seed + k)) for k in (1, 2, 3)]
    if not isinstance(found, np.ndarray) or found.shape != shape:
        raise Wrong(f"draw must return an array of the shape of x, {shape}, got "
                    f"{getattr(found, 'shape', type(found).__name__)}")
    if not np.array_equal(found, again):
        raise Wrong("the same rng gives two different masks: draw with rng.random, not with np.random")
    if np.array_equal(found, others[0]):
        raise Wrong("two different rng give the same mask: draw with rng.random")
    if not np.all((found == 0) | (found == 1)):
        raise Wrong("the mask must have nothing but 0 and 1" + (": this is x with its mask, which `apply` makes"
                                                                if np.isin(found, x).mean() > 0.5 else ""))
    if found.dtype != x.dtype:
        raise Wrong(f"the mask must be {x.dtype}, as x is, got {found.dtype}")
    share, off = found.mean(), 6 * math.sqrt(p * (1 - p) / found.size)
    if abs(share - p) > off and abs(share - (1 - p)) <= off:
        raise Wrong(f"a share of {share:.3f} is 1, and p = {p:.3f} was asked for: 1 where it is masked, so the comparison "
                    f"is the wrong way round")
    rows, columns = found.mean(axis=1), found.mean(axis=0)
    if np.ptp(rows) == 1 and set(rows) <= {0, 1} or np.ptp(columns) == 1 and set(columns) <= {0, 1}:
        raise Wrong("whole rows or columns are masked together: each element is masked on its own")
    if np.ptp(rows) == 0 or np.ptp(columns) == 0:
        raise Wrong("all rows, or all columns, have equally many masked elements: each element is masked on its own")
    if abs(share - p) > off:
        raise Wrong(f"a share of {share:.3f} is 1, and p = {p:.3f} was asked for")
    if all(other.sum() == found.sum() for other in others):
        raise Wrong("every mask has equally many ones: each element is masked on its own, so their number is left to chance")


def kl_sparsity(rng):
    for _ in range(tools.DRAWS):
        H, = primes(rng, 1)
        rho, m = float(rng.uniform(0.05, 0.3)), rng.uniform(0.1, 0.9, H)
        one, other = rho * np.log(rho / m), (1 - rho) * np.log((1 - rho) / (1 - m))
        truth = table((H,), lambda j: rho * math.log(rho / m[j]) + (1 - rho) * math.log((1 - rho) / (1 - m[j])))
        hold("KL(ρ ‖ m)", returned("distance", KLSparsity(rho, 0.7).distance, m), truth, {
            "this is KL(m ‖ ρ): the target ρ comes first": m * np.log(m / rho) + (1 - m) * np.log((1 - m) / (1 - rho)),
            "only the term ρ log ρ/m is there: being off counts too": one,
            "only the term (1 - ρ) log (1 - ρ)/(1 - m) is there": other,
            "the two terms are subtracted from each other, and must be added": one - other,
            "the fractions are upside down": -one - other,
            "this is the cross-entropy: ρ log ρ + (1 - ρ) log(1 - ρ) is missing":
                -rho * np.log(m) - (1 - rho) * np.log(1 - m),
            "the weight is in it, which is put in elsewhere": 0.7 * truth,
            "it is summed over the units, which is done elsewhere": truth.sum()})


def an_autoencoder(penalty, activation=Sigmoid):
    """One layer, with this penalty on its code."""
    def make(rng):
        N, D, H = primes(rng, 3)
        model = Autoencoder(mlp([D, H], output=activation, rng=rng), mlp([H, D], rng=rng), SquaredError(),
                            penalties=[penalty(rng)])
        model.w += 0.1 * rng.standard_normal(model.w.size)
        return [(model, rng.standard_normal((N, D)))]
    return make


def a_penalty(make):
    """A judge: first what backward returns, and that weight is used, which is 1 in an autoencoder; then gradients."""
    def run(rng):
        for model, x in make(rng):
            model.loss(x)
            penalty, shape, found = model.penalties[0], model.encoder.layers[-1].h.shape, []
            for weight in (1.0, 3.0):
                model.zero_grad()
                added = returned("backward", penalty.backward, weight)
                if not isinstance(added, dict):
                    raise Wrong(f"backward must return a dict, {{index: array}} or {{}}, got {type(added).__name__}")
                for delta in added.values():
                    if np.shape(delta) != shape:
                        raise Wrong(f"the array of {{index: array}} must have shape {shape}, like h, got {np.shape(delta)}")
                found.append(np.concatenate([model.grad, *map(np.ravel, added.values())]))
            if np.any(found[0]) and not near(found[1], 3 * found[0], 1e-9):
                raise Wrong("three times the weight does not give three times the gradients: ∂L/∂penalty, the argument "
                            "weight, is a factor of all of them")
        gradients(make)(rng)
    return run


def kl_slope(rng):
    """First the slope alone, against the distance, which is the library's; then in an autoencoder."""
    for _ in range(tools.DRAWS):
        penalty, m = KLSparsity(float(rng.uniform(0.05, 0.3)), 0.7), rng.uniform(0.1, 0.9, primes(rng, 1)[0])
        found = returned("slope", penalty.slope, m)
        h, rho = 1e-30, penalty.rho
        truth = np.imag(rho * np.log(rho / (m + 1j * h)) + (1 - rho) * np.log((1 - rho) / (1 - m - 1j * h))) / h
        hold("the slope", found, truth, {
            "the term of m = 1, (1 - ρ)/(1 - m), is missing": -rho / m,
            "the term of m = 0, -ρ/m, is missing": (1 - rho) / (1 - m),
            "the derivative of log(1 - m) has a minus of its own": -rho / m - (1 - rho) / (1 - m),
            "this is the distance itself, and its derivative is asked for":
                rho * np.log(rho / m) + (1 - rho) * np.log((1 - rho) / (1 - m)),
            "the logarithms are still there: d/dm log m is 1/m": np.log((1 - rho) / (1 - m)) - np.log(rho / m),
            "the weight is in it, which is put in elsewhere": 0.7 * truth})
    gradients(an_autoencoder(lambda rng: KLSparsity(0.2, 0.7)))(rng)


def a_sparsity(rng):
    return [case for over in ("batch", "units") for penalty in (KLSparsity, L2Sparsity)
            for case in an_autoencoder(lambda rng: penalty(0.2, 0.7, over=over))(rng)]


def topk_forward(rng):
    for by, strength in (("magnitude", abs), ("value", float)):
        N, H = primes(rng, 2)
        k = int(rng.integers(1, H))
        layer, x = TopK(k, by=by), rng.standard_normal((N, H)) - 0.3

        def kept(k, strength=strength, sign=-1):
            ranks = [sorted(range(H), key=lambda j: sign * strength(row[j])) for row in x]
            return table((N, H), lambda n, j: j in ranks[n][:k])

        mask = kept(k)
        found = returned("forward", layer.forward, x)
        over = np.argsort(-np.abs(x) if by == "magnitude" else -x, axis=0)
        columns = np.zeros_like(x)
        np.put_along_axis(columns, over[:min(k, N)], 1, axis=0)
        hold("y", found, x * mask, {
            "this is the mask: return x mask": mask,
            "the k weakest units are kept": x * kept(k, sign=1),
            f"{k + 1} units are kept where k is {k}": x * kept(k + 1),
            f"{k - 1} units are kept where k is {k}": x * kept(k - 1),
            "the strongest are sought among the samples; it must be among the units of each row": x * columns,
            "the winners are set to 0, and the others kept": x * (1 - mask),
            "the sign of the winners is lost": np.abs(x) * mask,
            **({"the largest x are kept where the largest |x| are meant: ask self.strength": x * kept(k, float)}
               if by == "magnitude" else
               {"the largest |x| are kept where the largest x are meant: ask self.strength": x * kept(k, abs)})})
        if not hasattr(layer, "mask"):
            raise Wrong("forward must keep self.mask, which backward reads")
        hold("self.mask", layer.mask.astype(float) if isinstance(layer.mask, np.ndarray) else layer.mask, mask)
        layer.forward(np.ones((N, H)))
        ones = int(np.sum(np.asarray(layer.mask)[0] != 0))
        if ones != k:
            raise Wrong(f"where all units are equally strong {ones} are kept, and k is {k}: of equal ones any may win, but "
                        f"exactly k do")


def a_topk(rng):
    N, H = primes(rng, 2)
    return [(TopK(2), rng.standard_normal((N, H)))]


def a_contraction(rng):
    return [an_autoencoder(lambda rng: Contraction(0.3), activation)(rng)[0] for activation in (Tanh, Sigmoid)]


def a_dropout(rng):
    N, H = primes(rng, 2)
    x = rng.standard_normal((N, H))
    return [(Dropout(0.4), x)]


def dropout_backward(rng):
    gradients(a_dropout)(rng)
    layer, x, delta = Dropout(0.4), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    layer.training = False
    layer.forward(x)
    hold("dx without training", returned("backward", layer.backward, delta), delta)


JUDGES = {
    "8a": masking_noise, "8b": kl_sparsity, "8c": kl_slope,
    "8d": a_penalty(a_sparsity), "8e": topk_forward, "8f": gradients(a_topk), "8g": a_penalty(a_contraction),
    "8h": a_penalty(an_autoencoder(lambda rng: WeightDecay(0.3), Tanh)), "8i": dropout_backward,
}
