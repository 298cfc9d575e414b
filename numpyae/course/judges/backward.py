"""Exercises of lecture 4: layers and losses, backward; the slides' algorithm."""

import numpy as np

from numpyae.activations import ELU, ReLU, Sigmoid, Softmax, Softplus, Tanh, mlp
from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import gradients, hold, must, of_activation, of_loss, primes, returned
from numpyae.layers import Dense
from numpyae.losses import BernoulliNLL, SoftmaxCrossEntropy, SquaredError


exercise("4a", "losses.SquaredError.backward", "squared error, backward", '[000] "How do we find w?"', """
  The way back begins at the loss. For L = Σ_n weight_n value_n with value_n = Σ_d (o_nd - t_nd)² return delta = ∂L/∂o,
  (N, D). Forward has kept the residual r = o - t, (N, D); weight is (N,), 1/N for each sample when the model takes the
  mean. (The slides' δ = z - o is -½ of this.)""", judge=of_loss(SquaredError))

exercise("4b", "layers.Dense.backward", "dense layer, backward",
          '[000] "Algorithm for backprop" ("propagate δ back one layer")', """
  delta is ∂L/∂a, (N, n_out), of a = x W + b. "Propagate δ back one layer": return dx = ∂L/∂x, (N, n_in), and add ∂L/∂W
  to dW (n_in, n_out) and ∂L/∂b to db (n_out,). Add, since W may be used twice. Every sample uses the same W and b:
  their gradients are sums over the samples. `input_gradient=False` says that nobody needs dx; you may ignore it.""",
          given=1, judge=gradients(Dense.examples))

exercise("4c", "activations.Sigmoid.backward", "sigmoid, backward", '[000] "Algorithm for backprop" (φ\'(·))', """
  delta is ∂L/∂h of h = σ(a). Return da = ∂L/∂a = delta φ'(a), (N, H). Forward has kept h, and σ' can be
  written in it.""", judge=of_activation(Sigmoid))

exercise("4d", "activations.Tanh.backward", "tanh, backward", '[000] "Algorithm for backprop" (φ\'(·))', """
  delta is ∂L/∂h of h = tanh(a). Return da = ∂L/∂a = delta φ'(a), (N, H). Forward has kept h.""",
          judge=of_activation(Tanh))

exercise("4e", "activations.ReLU.backward", "relu, backward",
          '[000] "Towards nonlinear systems" (ReLU, sigmoid, tanh)', """
  delta is ∂L/∂h of h = max(a, 0). Return da = ∂L/∂a, (N, H). Forward has kept h. At a = 0, where there is no
  derivative, take 0.""", judge=of_activation(ReLU))

exercise("4f", "activations.Softplus.backward", "softplus, backward",
          '[000] "Towards nonlinear systems" (nonlinear activation functions)', """
  delta is ∂L/∂h of h = log(1 + e^a). Return da = ∂L/∂a, (N, H). Forward has kept a, and e = e^-|a|, which never
  overflows.""", judge=of_activation(Softplus))

exercise("4g", "activations.ELU.backward", "elu, backward",
          '[000] "Towards nonlinear systems" (nonlinear activation functions)', """
  delta is ∂L/∂h of h = a where a > 0, else e^a - 1. Return da = ∂L/∂a, (N, H). Forward has kept a.""",
          judge=of_activation(ELU))

exercise("4h", "activations.Softmax.backward", "softmax, backward", '[000] "How do we find w?" (the chain rule)', """
  delta is ∂L/∂p of p = softmax(a), row by row. Every p_k depends on every a_j: return da = ∂L/∂a, (N, K), by the whole
  Jacobian diag(p) - p pᵀ of each row, not by its diagonal alone. Forward has kept p (N, K).""",
          judge=of_activation(Softmax))

exercise("4i", "losses.BernoulliNLL.backward", "sigmoid with cross-entropy, backward",
          "[004] example 5.4.1, Bernoulli outputs", """
  The sigmoid and the logarithm are one function of the logit o, and what is left of both derivatives is short. For L =
  Σ_n weight_n value_n with value_n = Σ_d log(1 + e^(o_nd)) - t_nd o_nd return delta = ∂L/∂o, (N, D); weight is (N,).
  Forward has kept o, t, and e = e^-|o|.""", judge=of_loss(BernoulliNLL))

exercise("4j", "losses.SoftmaxCrossEntropy.backward", "softmax with cross-entropy, backward",
          '[004] "Neural networks are just probability models"', """
  For L = Σ_n weight_n value_n with value_n = -Σ_k t_nk log p_nk, p = softmax(o), return delta = ∂L/∂o, (N, K); weight
  is (N,). Forward has kept p and t, both (N, K). The rows of t sum to 1 in training; the general formula needs their
  sum.""", judge=of_loss(SoftmaxCrossEntropy))


@exercise("4k", "training.online_backprop", "online backprop",
          '[000] "Algorithm for backprop (on-line aka stochastic learning)"', """
  The slides' algorithm for a network with any number of layers. For each epoch and each sample n, in order:

      forward     compute o, keep the input of each layer: for (W, b, phi) in layers: o = phi.forward(o @ W + b)
      residual    delta = t[n] - o at the output units (not o - t)
      for all k, from the last layer: step = delta φ'(·), by phi.derivative()
                  propagate back by W as it was, delta_i = Σ_j w_ij step_j, and only then
                  update the weights in place, W += alpha x_i step_j and b += alpha step_j

  Work on one sample x[n], (D,), at a time. After an epoch call history.add({"error": mean of Σ(t - o)² over the
  samples}, None, seconds). You may leave out the tolerance and what is to be done when the error is no longer a
  number.""", given=3, closing=2)
def online(rng):
    from numpyae import training

    N, D, H, M = primes(rng, 4)
    epochs, alpha = 3, float(rng.uniform(0.02, 0.05))
    x, t = rng.standard_normal((N, D)), rng.standard_normal((N, M))
    network = mlp([D, H, M], hidden=Tanh, output=Sigmoid, rng=rng)
    network.w += 0.1 * rng.standard_normal(network.w.size)
    start = network.w.copy()

    def path(**variant):
        return online_by_sample(network, start, x, t, alpha, epochs, **variant)

    truth, errors = path()
    network.w = start
    history = returned("online_backprop", lambda x, t: training.online_backprop(network, x, t, alpha, epochs), x, t)
    must(not np.array_equal(network.w, start),
         "the weights have not changed: W and b must be updated in place, W += ..., not W = W + ...")
    hold("w after 3 epochs", network.w.copy(), truth, {
        "it goes up: the residual is t - o and the update +=, or both the other way round": path(factor=-1)[0],
        "δ is propagated back by the weights after their update; use them as they were": path(early=True)[0],
        "δ is propagated back without φ': the repair that deeper networks need": path(repair=False)[0],
        "φ' is missing in the update": path(slope=False)[0],
        "the biases are not updated": path(biases=False)[0],
        "only one epoch is done, and epochs were asked for": online_by_sample(network, start, x, t, alpha, 1)[0],
        "the step is twice as large: alpha times δ, without the 2 of the derivative": path(factor=2)[0]})
    counted = getattr(history, "epochs", None)
    must(counted == epochs, f"history has {counted} epochs where {epochs} were done: call history.add once in each")
    hold("the errors in history", np.array(history.loss), errors, {
        "the mean over the samples is missing": N * errors}, {"the number of samples": N})


def online_by_sample(network, start, x, t, alpha, epochs, factor=1, early=False, repair=True, slope=True, biases=True):
    """Return (w, mean error of each epoch) of the slides' algorithm; the options are mistakes."""
    network.w = start
    layers = [(layer.W.copy(), layer.b.copy()) for layer in network.layers[::2]]
    phis = [(np.tanh, lambda h: 1 - h * h), (lambda a: 1 / (1 + np.exp(-a)), lambda h: h * (1 - h))]
    errors = np.zeros(epochs)
    for epoch in range(epochs):
        for x_n, t_n in zip(x, t):
            h = [x_n]
            for (W, b), (phi, _) in zip(layers, phis):
                h.append(phi(h[-1] @ W + b))
            delta = t_n - h[-1]
            errors[epoch] += delta @ delta / len(x)
            for (W, b), (_, dphi), below, above in reversed(list(zip(layers, phis, h, h[1:]))):
                step = delta * dphi(above) if slope else delta
                before = W.copy()
                W += factor * alpha * np.outer(below, step)
                b += factor * alpha * step * biases
                delta = (W if early else before) @ (step if repair else delta)
    return np.concatenate([array.ravel() for layer in layers for array in layer]), errors
