"""Penalties: further terms of the loss that keep an autoencoder from merely copying ([002], [003] §3-4).

    L = reconstruction + Σ_k w_k penalty_k

A code that is wide enough can pass everything on and learns nothing. A penalty makes it say something about the data:
few active units (sparsity), a code that hardly changes when x does (contraction), small weights (weight decay). Each
is a named term of the loss. `forward` returns its value, weight included. `backward` adds the gradients of weights to
their dW. It returns those of activations, {index of the layer: ∂L/∂(its output)}, which join the backward pass through
the network at that layer.

Sparsity compares a *mean* activation with a target. The documents disagree on which mean, and both are here:

    over="batch"    m_j = 1/N Σ_n h_nj   of a unit over the samples: every unit is rarely active ([003]; CS294A)
    over="units"    m_n = 1/H Σ_j h_nj   of a sample over the units: every sample has few active units ([002])

The mean of a mini-batch is not the mean of all data. KL is convex, so a batch's value is too high on average. Full
batches (`lbfgs`) have no such bias.
"""

import numpy as np

from numpyae.activations import ELU, Sigmoid, Tanh, mlp
from numpyae.checks import check_choice, check_number, check_positive, check_size, must
from numpyae.described import Described
from numpyae.layers import Dense, Sequential
from numpyae.scaling import Standardise
from numpyae.windows import Windows


class Penalty(Described):
    """The contract: forward(layers, noise) -> value; backward(weight) -> {index: ∂L/∂(output of that layer)}.

    `weight` is its factor in the loss. `at` names the penalised layer, such as "encoder.1"; None means the code, the
    last layer of the encoder. `layers` are those of the network up to the penalised one, or all layers of the model
    where `on_weights` is True. Raise ValueError unless the weight is a positive number, TypeError for an `at` that is
    no name.
    """

    term = "penalty"                  # its name among the terms of the loss
    on_weights = False
    at = None

    def __init__(self, weight, at=None):
        self.weight = check_positive(f"{type(self).__name__}: weight", weight)
        must(at is None or isinstance(at, str),
             f"{type(self).__name__}: at must be the name of a layer, such as 'encoder.1', got {at!r}", TypeError)
        self.at = at

    def check(self, layers):
        """Raise ValueError unless the penalty is defined for these layers."""

    def draw(self, layers, rng):
        """Return the random numbers that `forward` needs, or None; the layers have run forward before."""
        return None

    def forward(self, layers, noise=None):
        """Return the penalty of the last forward pass through these layers, weight included."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, weight):
        """Add the gradients of weights to dW; return {index of a layer: ∂L/∂(its output)}. weight = ∂L/∂value."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    @classmethod
    def examples(cls, rng):
        """Yield (penalty, network, x), at which the class is checked, after network.forward(x)."""
        yield cls(0.3), mlp([5, 3, 2], output=Tanh, rng=rng), rng.standard_normal((7, 5))


class Sparsity(Penalty):
    """weight Σ_j s(m_j) over the units, or, with over="units", weight 1/N Σ_n s(m_n) over the samples.

    A subclass defines s, `distance`, and its derivative, `slope`. Raise ValueError for another `over`, or a layer that
    does not keep its output h.
    """

    abstract = True
    term = "sparsity"

    def __init__(self, rho, weight, at=None, over="batch"):
        super().__init__(weight, at)
        check_choice(f"{type(self).__name__}: over", over, ("batch", "units"))
        self.rho = check_number(f"{type(self).__name__}: rho", rho, -np.inf, np.inf, "a number")
        self.over, self.axis = over, 0 if over == "batch" else 1

    def check(self, layers):
        """Raise ValueError unless the layer is an elementwise activation, whose output h can be active."""
        must(hasattr(layers[-1], "derivative"),
             f"{self!r}: it needs the output of an elementwise activation, got {layers[-1]!r}: "
             "put Identity() behind it, or name another layer by at=")

    def forward(self, layers, noise=None):
        """Return weight Σ_j s(m_j), or weight 1/N Σ_n s(m_n); m is the mean of h over samples, or over units."""
        self.h, self.index = layers[-1].h, len(layers) - 1
        self.m = np.add.reduce(self.h, axis=self.axis) / self.h.shape[self.axis]
        samples = 1 if self.over == "batch" else len(self.h)
        return self.weight * float(np.add.reduce(self.distance(self.m))) / samples

    def backward(self, weight):
        """Return {index: dh}: dm = weight s'(m), dh = dm / N (or / H): every h has the same share of the mean."""
        samples = 1 if self.over == "batch" else len(self.h)
        dm = weight * self.weight / samples * self.slope(self.m)
        dh = dm / self.h.shape[self.axis] if self.over == "batch" else dm[:, None] / self.h.shape[self.axis]
        return {self.index: dh + np.zeros_like(self.h)}

    @classmethod
    def examples(cls, rng):
        for over in ("batch", "units"):
            yield cls(0.4, 0.7, over=over), mlp([5, 3, 2], output=Sigmoid, rng=rng), rng.standard_normal((7, 5))


class KLSparsity(Sparsity):
    """s(m) = KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m), in nats ([003] §4; CS294A, eq. 5).

    It is the divergence between two Bernoulli distributions, 0 at m = ρ. The target is its first argument, so it grows
    without bound for a unit that is never active, m → 0. Activations must lie in (0, 1): Sigmoid. A mean that is
    rounded to 0 or 1 is replaced by the nearest number inside, so that value and slope stay finite. Raise ValueError
    unless 0 < rho < 1, or for another activation.
    """

    option = "kl"

    def __init__(self, rho, weight, at=None, over="batch"):
        super().__init__(rho, weight, at, over)
        must(0 < self.rho < 1, f"KLSparsity: rho must be between 0 and 1, got {rho}")

    def check(self, layers):
        """Raise ValueError unless the activations lie in (0, 1)."""
        must(isinstance(layers[-1], Sigmoid),
             f"{self!r}: activations must lie in (0, 1), got {layers[-1]!r}: use Sigmoid(), or "
             "L1Sparsity or L2Sparsity")

    def distance(self, m):
        """Return KL(ρ ‖ m)."""
        m = inside(m)
        return self.rho * np.log(self.rho / m) + (1 - self.rho) * np.log((1 - self.rho) / (1 - m))

    def slope(self, m):
        """Return s'(m) = (1 - ρ)/(1 - m) - ρ/m."""
        m = inside(m)
        return (1 - self.rho) / (1 - m) - self.rho / m

    @classmethod
    def examples(cls, rng):
        """Yield both means, and units whose means are rounded to 0 and to 1."""
        yield from super().examples(rng)
        network = mlp([5, 2], output=Sigmoid, rng=rng)
        network.layers[0].b = [-800, 800]
        yield cls(0.1, 0.7), network, rng.standard_normal((7, 5))


class L1Sparsity(Sparsity):
    """s(m) = |m - ρ|, for any activation ([002] "L1"). At m = ρ, where no slope exists, we take 0."""

    option = "l1"

    def distance(self, m):
        """Return |m - ρ|."""
        return np.abs(m - self.rho)

    def slope(self, m):
        """Return s'(m), the sign of m - ρ."""
        return np.sign(m - self.rho)


class L2Sparsity(Sparsity):
    """s(m) = (m - ρ)², for any activation ([002] "squared L2")."""

    option = "l2"

    def distance(self, m):
        """Return (m - ρ)²."""
        return (m - self.rho)**2

    def slope(self, m):
        """Return s'(m) = 2 (m - ρ)."""
        return 2 * (m - self.rho)


class Contraction(Penalty):
    """weight 1/N Σ_n ‖∂f(x_n)/∂x‖²_F, f the network up to `at` ([002], [003] §3.3 eq. 7; Rifai 2011, eq. 2).

    With a corruption the Jacobian is taken at the corrupted x̃_n. With at="decoder.1" it is that of the decoder, at the
    code.

    With a_1 = x W_1 + b_1, h_1 = φ(a_1), … the Jacobian is computed backwards from the code, with one row for each of
    its K numbers:

        P = I;   for k = L … 1:   E_k = P φ'(a_k),   P = E_k W_kᵀ

        ‖J‖² = ‖E_1 W_1ᵀ‖² = Σ E_1 G ∘ E_1,   G = W_1ᵀ W_1

    The last product would have as many columns as x. G, of the size of the first hidden layer, makes it unnecessary.
    For one layer this is Σ_j φ'(a_j)² ‖w_j‖² (Rifai 2011, §3.2). With `samples` = S the K rows are replaced by S
    random combinations v ~ N(0, I/S) of the same mean square: for wide codes.

    Behind a Standardise, J is the Jacobian with respect to the standardised x. Raise ValueError for layers other than
    Dense and elementwise activations with a second derivative.
    """

    option = "contraction"
    term = "contraction"

    def __init__(self, weight, at=None, samples=None):
        super().__init__(weight, at)
        if samples is not None:
            check_size("Contraction: samples", samples)
        self.samples = samples

    def check(self, layers):
        """Return [(index of the Dense, Dense, its activation or None), …]; raise ValueError for other layers."""
        found = []
        for index, layer in enumerate(layers):
            if isinstance(layer, Dense):
                found.append((index, layer, None))
            elif found and found[-1][2] is None and hasattr(layer, "second_derivative"):
                found[-1] = (*found[-1][:2], layer)
            elif found or not isinstance(layer, Standardise):
                raise ValueError(f"{self!r}: it goes through Dense layers, each with at most one activation that has a "
                                 f"second derivative (Sigmoid, Tanh, Softplus, ELU, Identity), got {layer!r}")
        return found

    def draw(self, layers, rng):
        """Draw v (N, S, K); return None where the sum is exact."""
        if self.samples is None:
            return None
        found = self.check(layers)
        n, W = len(found[0][1].x), found[-1][1].W
        v = np.random.default_rng(rng).standard_normal((n, self.samples, W.shape[1]), dtype=W.dtype)
        return v / W.dtype.type(self.samples**0.5)

    def forward(self, layers, noise=None):
        """Return weight 1/N Σ_n Σ E_1 G ∘ E_1."""
        self.chain = self.check(layers)
        W1, K = self.chain[0][1].W, self.chain[-1][1].n_out
        P = np.eye(K, dtype=W1.dtype)[None] if noise is None else noise
        self.P, self.E = [], []
        for index, dense, phi in reversed(self.chain):
            E = P if phi is None else P * phi.derivative()[:, None, :]
            self.P.insert(0, P)
            self.E.insert(0, E)
            if dense is not self.chain[0][1]:
                P = E @ dense.W.T
        self.G = W1.T @ W1
        self.EG = E @ self.G
        return self.weight * float(np.vdot(E, self.EG)) / len(E)         # N, or 1 where all samples share one Jacobian

    def backward(self, weight):
        """Add the gradients through G and the W_k to dW; return those through φ'(a_k), whose derivative is φ''(a_k)."""
        scale = weight * self.weight / len(self.E[0])
        added = {}
        (_, first, _), E = self.chain[0], self.E[0].reshape(-1, self.G.shape[0])
        dG = scale * (E.T @ E)
        dW = first.dW
        dW += 2 * first.W @ dG
        dE = 2 * scale * self.EG
        for k, (index, dense, phi) in enumerate(self.chain):
            dP = dE
            if phi is not None:
                dslope = np.add.reduce(dE * self.P[k], axis=1)
                added[index] = dslope * phi.second_derivative()
                dP = dE * phi.derivative()[:, None, :]
            if k + 1 < len(self.chain):
                above, E = self.chain[k + 1][1], self.E[k + 1]                  # P = E Wᵀ
                dW = above.dW
                dW += dP.reshape(-1, above.n_in).T @ np.broadcast_to(
                    E, (len(dP), *E.shape[1:])).reshape(-1, above.n_out)
                dE = dP @ above.W
        return added

    @classmethod
    def examples(cls, rng):
        """Yield a network with a linear code, one with a linear layer below, and three layers with a sampled sum."""
        yield from super().examples(rng)
        below = Sequential(Standardise([0.5] * 5, [2.0] * 5), Dense(5, 3, rng=rng), Dense(3, 2, rng=rng), Sigmoid())
        sampled = mlp([5, 11, 3, 2], output=ELU, rng=rng)
        for samples, network in ((None, mlp([5, 3, 2], rng=rng)), (None, below), (2, sampled)):
            yield cls(0.3, samples=samples), network, rng.standard_normal((7, 5))


class WeightDecay(Penalty):
    """weight Σ W² over the weights of the whole model, without ½ (CS294A has λ/2) and without the biases.

    A layer's `decays` names its parameters that decay. Those that a TiedDense or a second use shares count once.
    """

    formula = {"dW": "2 · {weight:g} {W}"}
    option = "decay"
    term = "weight decay"
    on_weights = True

    def __init__(self, weight):
        super().__init__(weight)

    def forward(self, layers, noise=None):
        """Return weight Σ W²."""
        self.denses = [Windows(W=getattr(layer, name), dW=getattr(layer, "d" + name))
                       for layer in layers if layer.owner is layer for name in layer.decays]
        return self.weight * sum(float(np.vdot(dense.W, dense.W)) for dense in self.denses)

    def backward(self, weight):
        """Add dW += 2 weight W; return {}."""
        for dense in self.denses:
            dW = dense.dW
            dW += 2 * weight * self.weight * dense.W
        return {}


def inside(m):
    """Return m, with 0 and 1 replaced by the nearest numbers of its dtype inside (0, 1)."""
    return np.clip(m, np.finfo(m.dtype).tiny, 1 - np.finfo(m.dtype).epsneg)
