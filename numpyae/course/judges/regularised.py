"""Exercises of lecture 8: corruption, sparsity, contraction, dropout."""

import math
from functools import partial

import numpy as np

from numpyae.activations import Sigmoid, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.corruption import MaskingNoise
from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import gradients, hold, keeps, must, near, primes, returned, table
from numpyae.layers import Dropout, TopK
from numpyae.losses import SquaredError
from numpyae.penalties import Contraction, KLSparsity, L2Sparsity, WeightDecay


def an_autoencoder(penalty, rng, activation=Sigmoid):
    """Return (autoencoder, x): one layer, with this penalty on its code."""
    N, D, H = primes(rng, 3)
    model = Autoencoder(mlp([D, H], output=activation, rng=rng), mlp([H, D], rng=rng), SquaredError(),
                        penalties=[penalty])
    model.w += 0.1 * rng.standard_normal(model.w.size)
    return model, rng.standard_normal((N, D))


def a_penalty(make, rng):
    """Judge a backward: its result, whether `weight`, 1 in an autoencoder, is used; then gradients."""
    for model, x in make(rng):
        model.loss(x)
        once, thrice = penalty_gradient(model, 1.0), penalty_gradient(model, 3.0)
        must(not np.any(once) or near(thrice, 3 * once, 1e-9),
             "three times the weight does not give three times the gradients: ∂L/∂penalty, the argument weight, is "
             "a factor of all of them")
    gradients(make)(rng)


def penalty_gradient(model, weight):
    """Return in one vector all that the backward of the model's penalty gives. Raise Wrong where a shape is wrong."""
    model.zero_grad()
    shape = model.encoder.layers[-1].h.shape
    added = returned("backward", model.penalties[0].backward, weight)
    must(isinstance(added, dict), f"backward must return a dict, {{index: array}} or {{}}, got {type(added).__name__}")
    for delta in added.values():
        must(np.shape(delta) == shape,
             f"the array of {{index: array}} must have shape {shape}, like h, got {np.shape(delta)}")
    return np.concatenate([model.grad, *map(np.ravel, added.values())])


@exercise("8a", "corruption.MaskingNoise.draw", "masking noise", '[002] "The corruption process"', """
  "A fraction of the input set to zeros or ones": draw for each element of x (N, D), independently, 1 with probability
  p, when it will be masked, else 0. An array of the shape and dtype of x, drawn with rng.random, not with np.random.
  """)
def masking_noise(rng):
    p = float(rng.uniform(0.2, 0.4))
    noise, seed, shape = MaskingNoise(p), int(rng.integers(2**32)), (311, 97)
    x = rng.standard_normal(shape)
    found = returned("draw", lambda x: noise.draw(x, np.random.default_rng(seed)), x)
    again, *others = (noise.draw(x, np.random.default_rng(seed + k)) for k in range(4))
    must(isinstance(found, np.ndarray) and found.shape == shape,
         f"draw must return an array of the shape of x, {shape}, got {getattr(found, 'shape', type(found).__name__)}")
    must(np.array_equal(found, again),
         "the same rng gives two different masks: draw with rng.random, not with np.random")
    must(not np.array_equal(found, others[0]), "two different rng give the same mask: draw with rng.random")
    must(np.all((found == 0) | (found == 1)), "the mask must have nothing but 0 and 1" + (
        ": this is x with its mask, which `apply` makes" if np.isin(found, x).mean() > 0.5 else ""))
    must(found.dtype == x.dtype, f"the mask must be {x.dtype}, as x is, got {found.dtype}")
    share, off = found.mean(), 6 * math.sqrt(p * (1 - p) / found.size)
    asked = f"a share of {share:.3f} is 1, and p = {p:.3f} was asked for"
    must(abs(share - p) <= off or abs(share - (1 - p)) > off,
         f"{asked}: 1 where it is masked, so the comparison is the wrong way round")
    means = found.mean(axis=1), found.mean(axis=0)
    must(not any(np.ptp(mean) == 1 and set(mean) <= {0, 1} for mean in means),
         "whole rows or columns are masked together: each element is masked on its own")
    must(all(np.ptp(mean) for mean in means),
         "all rows, or all columns, have equally many masked elements: each element is masked on its own")
    must(abs(share - p) <= off, asked)
    must(any(other.sum() != found.sum() for other in others),
         "every mask has equally many ones: each element is masked on its own, so their number is left to chance")


@exercise("8b", "penalties.KLSparsity.distance", "kl sparsity",
          '[003] 3.1 "Sparse Autoencoders"; [002] "sparsity regularization loss"', """
  What it costs, in nats, that a unit is active with probability m where rho was wanted: the divergence between two
  coins, KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m), element by element, for m (H,) in (0, 1). The target ρ
  comes first.""", given=1)
def kl_sparsity(rng):
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


@exercise("8c", "penalties.KLSparsity.slope", "kl sparsity, slope", '[003] 3.1 "Sparse Autoencoders"', """
  The derivative of KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m) with respect to m (H,), element by element.""",
          given=1)
def kl_slope(rng):
    penalty, m = KLSparsity(float(rng.uniform(0.05, 0.3)), 0.7), rng.uniform(0.1, 0.9, primes(rng, 1)[0])
    h, rho = 1e-30, penalty.rho
    truth = np.imag(rho * np.log(rho / (m + 1j * h)) + (1 - rho) * np.log((1 - rho) / (1 - m - 1j * h))) / h
    hold("the slope", returned("slope", penalty.slope, m), truth, {
        "the term of m = 1, (1 - ρ)/(1 - m), is missing": -rho / m,
        "the term of m = 0, -ρ/m, is missing": (1 - rho) / (1 - m),
        "the derivative of log(1 - m) has a minus of its own": -rho / m - (1 - rho) / (1 - m),
        "this is the distance itself, and its derivative is asked for":
            rho * np.log(rho / m) + (1 - rho) * np.log((1 - rho) / (1 - m)),
        "the logarithms are still there: d/dm log m is 1/m": np.log((1 - rho) / (1 - m)) - np.log(rho / m),
        "the weight is in it, which is put in elsewhere": 0.7 * truth})
    gradients(lambda rng: [an_autoencoder(KLSparsity(0.2, 0.7), rng)])(rng)


exercise("8d", "penalties.Sparsity.backward", "sparsity penalty, backward",
          '[003] 3.1 "Sparse Autoencoders"; [002] "Sparse autoencoders"', """
  The penalty is own_weight Σ_j s(m_j) with the mean activation m_j = 1/N Σ_n h_nj of unit j (over="batch"), or
  own_weight 1/N Σ_n s(m_n) with m_n = 1/H Σ_j h_nj of sample n (over="units"). h is (N, H), m and its slope s'(m) =
  self.slope(m) are (H,) or (N,). Return {index: ∂L/∂h}, (N, H), where weight is ∂L/∂penalty. A mean has 1/N (or 1/H)
  in its derivative, and every h in it the same share. `axis` is that of the mean: 0 for the batch, else 1.""",
          judge=partial(a_penalty, lambda rng: [an_autoencoder(penalty(0.2, 0.7, over=over), rng) for over in
                                                ("batch", "units") for penalty in (KLSparsity, L2Sparsity)]))


@exercise("8e", "layers.TopK.forward", "k sparse, forward", '[002] "k-sparse autoencoder"', """
  Keep the k strongest units of each sample, set the others to 0: y = x mask, x (N, H), mask (N, H) with k ones in
  every row. `self.strength(x)` says how strong each unit is: |x| in [002]'s formula. Keep the mask as self.mask, an
  array of 0 and 1 like x, for the way back.""", given=2)
def topk_forward(rng):
    for by, strength, wrong, meant, other in (("magnitude", abs, float, "|x|", "x"), ("value", float, abs, "x", "|x|")):
        N, H = primes(rng, 2)
        k = int(rng.integers(1, H))
        layer, x = TopK(k, by=by), rng.standard_normal((N, H)) - 0.3

        def kept(k, strength=strength, sign=-1):
            ranks = [sorted(range(H), key=lambda j: sign * strength(row[j])) for row in x]
            return table((N, H), lambda n, j: j in ranks[n][:k])

        mask = kept(k)
        over = np.argsort(-np.abs(x) if by == "magnitude" else -x, axis=0)
        columns = np.zeros_like(x)
        np.put_along_axis(columns, over[:min(k, N)], 1, axis=0)
        hold("y", returned("forward", layer.forward, x), x * mask, {
            "this is the mask: return x mask": mask,
            "the k weakest units are kept": x * kept(k, sign=1),
            f"{k + 1} units are kept where k is {k}": x * kept(k + 1),
            f"{k - 1} units are kept where k is {k}": x * kept(k - 1),
            "the strongest are sought among the samples; it must be among the units of each row": x * columns,
            "the winners are set to 0, and the others kept": x * (1 - mask),
            "the sign of the winners is lost": np.abs(x) * mask,
            f"the largest {other} are kept where the largest {meant} are meant: ask self.strength": x * kept(k, wrong)})
        if isinstance(getattr(layer, "mask", None), np.ndarray):
            layer.mask = layer.mask.astype(float)
        keeps("forward", layer, {"mask": mask})
        layer.forward(np.ones((N, H)))
        ones = int(np.sum(np.asarray(layer.mask)[0] != 0))
        must(ones == k, f"where all units are equally strong {ones} are kept, and k is {k}: of equal ones any may win, "
                        f"but exactly k do")


exercise("8f", "layers.TopK.backward", "k sparse, backward", '[002] "k-sparse autoencoder"', """
  "Keep the gradient of the winners": delta is ∂L/∂y of y = x mask, return dx = ∂L/∂x, (N, H). Forward has kept mask.
  """, judge=gradients(TopK.examples))

exercise("8g", "penalties.Contraction.backward", "contraction, one layer, backward",
          '[002] "Contractive Autoencoders"; [003] 3.3', """
  For a code of one layer, h = φ(a), a = x W + b, the Jacobian is J_nij = W_ij φ'(a_nj), and the penalty own_weight 1/N
  Σ_n ‖J_n‖²_F = own_weight 1/N Σ_n Σ_j φ'(a_nj)² ‖w_j‖², w_j a column of W. It depends on W in two ways: directly, and
  through a in φ'(a). weight is ∂L/∂penalty. Add the first to dense.dW, and return the second as {index: ∂L/∂a}: its
  own way back goes through the layer.

      index, dense, phi = chain[0]
      dense.x (N, D),   dense.W (D, K),   phi.derivative() and phi.second_derivative() (N, K)""",
          unused=("E", "EG", "P", "G"),
          judge=partial(a_penalty, lambda rng: [an_autoencoder(Contraction(0.3), rng, activation)
                                                for activation in (Tanh, Sigmoid)]))

exercise("8h", "penalties.WeightDecay.backward", "weight decay, backward", '[002] "Regularized autoencoders"', """
  The penalty is own_weight Σ W² over the weight matrices of all `denses`, without ½; biases are left alone. weight is
  ∂L/∂penalty. Add ∂L/∂W to the dW of each, and return {}, since no activation is involved.""",
          judge=partial(a_penalty, lambda rng: [an_autoencoder(WeightDecay(0.3), rng, Tanh)]))


@exercise("8i", "layers.Dropout.backward", "dropout, backward",
          'lecture 8, "All variants, trained" (noise inside the network)', """
  Forward computes y = x mask / keep while training, mask 0 or 1, and y = x otherwise: then mask is None. delta is
  ∂L/∂y, return dx = ∂L/∂x.""")
def dropout_backward(rng):
    gradients(Dropout.examples)(rng)
    layer, x, delta = Dropout(0.4), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    layer.training = False
    layer.forward(x)
    hold("dx without training", returned("backward", layer.backward, delta), delta)
