"""The exercises: functions of this library with their bodies cut out.

There is one source. TABLE says which function an exercise is, and what to do; the rest is cut out of the library's file, so
an exercise cannot drift from its solution, and no marker litters the code. The first statements of a body may be *given*,
such as checks of arguments, and the last ones too, such as bookkeeping; between them the student finds, already unpacked,
the attributes that the solution reads, and `raise NotImplementedError`. Everything else is the library's own: to backward
belongs its forward, so one can step into it. No exercise needs the solution of another.
"""

import ast
import importlib
import inspect
import pathlib
import re
import types
from typing import NamedTuple


class Exercise(NamedTuple):
    """number "4b": lecture 4, second exercise; the path of the function below numpyae; the documents; the task.

    `given` and `closing`: so many of its first and last statements the student gets; `unused`: attributes that only the
    library needs.
    """

    number: str
    path: str
    title: str
    source: str
    task: str
    given: int = 0
    closing: int = 0
    unused: tuple = ()

    @property
    def lecture(self):
        """Number of the lecture."""
        return int(self.number[:-1])

    @property
    def file(self):
        """Name of its file, such as 04b_dense_backward.py."""
        return f"{self.lecture:02}{self.number[-1]}_{'_'.join(re.findall('[a-z0-9]+', self.title.lower()))}.py"

    @property
    def names(self):
        """(module, class or None, function)."""
        *module, last = f"numpyae.{self.path}".split(".")
        return (".".join(module[:-1]), module[-1], last) if module[-1][0].isupper() else (".".join(module), None, last)

    @property
    def owner(self):
        """The class or module that the function belongs to."""
        module, kind, _ = self.names
        found = importlib.import_module(module)
        return found if kind is None else getattr(found, kind)


TABLE = [
    Exercise("1a", "basis.PolynomialBasis.forward", "basis matrix of a polynomial",
     '[000] "Model: 0th, 1st, and 3rd order polynomial"', """
     The model y(x, w) = Σ_j w_j φ_j(x) is linear in w. Turn x (N, D) into the design matrix Φ (N, M), one column for each
     monomial φ_j(x) = Π_d x_d^p_jd: row j of `powers` (M, D) has the exponents p_jd. The constant φ₀ ≡ 1 is not among
     them: `return self.with_bias(phi)` puts it in front of your columns where there is one.""", 1),
    Exercise("1b", "linear.least_squares", "least squares", '[000] "How do we find w?"', """
     "Usually we minimise the mean squared error": L(w) = Σ_n (t_n - y(x_n, w))². For y = Φ w this has a closed form: set
     the gradient 2 Φᵀ(Φ w - t) to zero and solve. phi is (N, M), t is (N, K), and the result w is (M, K), one column for
     each target."""),
    Exercise("2a", "basis.GaussianBasis.forward", "basis matrix of Gaussians", '[000] "What about the following model?"', """
     Bumps instead of powers: x (N, D) -> Φ (N, M), φ_j(x) = exp(-‖x - c_j‖² / (2 width²)), with `centres` (M, D) and one
     width for all. `return self.with_bias(phi)` puts the column φ₀ ≡ 1 in front where there is one.""", 1),
    Exercise("2b", "basis.FourierBasis.forward", "basis matrix of waves",
     '[000] "Problem definition" (Taylor expansion, Fourier transform)', """
     x (N, D) -> Φ: first all cosines cos(2π kᵀx / period), then all sines of the same, where the columns of `k` (D, K)
     are the wave numbers. `return self.with_bias(phi)` puts the column φ₀ ≡ 1 in front where there is one.""", 1),
    Exercise("3a", "layers.Dense.forward", "dense layer, forward",
     '[000] "The multi-layered perceptron = neural network"', """
     Every output is a weighted sum of all inputs and a bias: a = x W + b. Rows are samples: x is (N, n_in), W is (n_in,
     n_out), b is (n_out,), and a is (N, n_out). The activation is a layer of its own, behind this one.""", 2),
    Exercise("3b", "activations.Softmax.forward", "softmax, forward",
     '[000] "Towards nonlinear systems"; lecture 3, "How do we find w?"', """
     From K numbers for each sample to K probabilities: p_k = e^(a_k) / Σ_j e^(a_j), row by row, a and p (N, K). It must
     hold for any finite a: e^1000 is infinite for a computer, but p does not change when a number is subtracted from a
     whole row."""),
    Exercise("3c", "losses.SquaredError.forward", "squared error, forward", '[000] "How do we find w?"', """
     L(w) = Σ_n (t_n - y(x_n, w))². A loss here gives one value for each sample, summed over the features: values (N,)
     from the output o and the target t, both (N, D), without ½. The mean over the samples is taken later, by the model.""",
     1),
    Exercise("3d", "losses.BernoulliNLL.forward", "sigmoid with cross-entropy, forward",
     '[004] example 5.4.1, Bernoulli outputs', """
     t is 0 or 1, and the output o is a logit: p = σ(o) = 1 / (1 + e^-o) is the probability of a 1. The value of a sample
     is -log p(t | o), in nats, summed over the features: values_n = -Σ_d [t log p + (1 - t) log(1 - p)], (N,) from o and
     t (N, D). It must hold for any finite o: for o = 1000 both e^o and log(1 - p) are infinite. Write it in o: Σ_d log(1
     + e^o) - t o.""", 1),
    Exercise("3e", "losses.SoftmaxCrossEntropy.forward", "softmax with cross-entropy, forward",
     '[004] "Neural networks are just probability models"', """
     t says which of K classes it is, one row (N, K) of zeros with a single 1, and the output o (N, K) are logits: p =
     softmax(o). The value of a sample is -log p(t | o) in nats, values_n = -Σ_k t_nk log p_nk, (N,). It must hold for any
     finite o, also 1000 and -1000.""", 3),
    Exercise("4a", "losses.SquaredError.backward", "squared error, backward", '[000] "How do we find w?"', """
     The way back begins at the loss. For L = Σ_n weight_n value_n with value_n = Σ_d (o_nd - t_nd)² return delta = ∂L/∂o,
     (N, D). Forward has kept the residual r = o - t, (N, D); weight is (N,), 1/N for each sample when the model takes the
     mean. (The slides' δ = z - o is -½ of this.)"""),
    Exercise("4b", "layers.Dense.backward", "dense layer, backward",
     '[000] "Algorithm for backprop" ("propagate δ back one layer")', """
     delta is ∂L/∂a, (N, n_out), of a = x W + b. "Propagate δ back one layer": return dx = ∂L/∂x, (N, n_in), and add ∂L/∂W
     to dW (n_in, n_out) and ∂L/∂b to db (n_out,). Add, since W may be used twice. Every sample uses the same W and b:
     their gradients are sums over the samples. `input_gradient=False` says that nobody needs dx; you may ignore it.""", 1),
    Exercise("4c", "activations.Sigmoid.backward", "sigmoid, backward", '[000] "Algorithm for backprop" (φ\'(·))', """
     delta is ∂L/∂h of h = σ(a). Return da = ∂L/∂a = delta φ'(a), (N, H). Forward has kept h, and σ' can be
     written in it."""),
    Exercise("4d", "activations.Tanh.backward", "tanh, backward", '[000] "Algorithm for backprop" (φ\'(·))', """
     delta is ∂L/∂h of h = tanh(a). Return da = ∂L/∂a = delta φ'(a), (N, H). Forward has kept h."""),
    Exercise("4e", "activations.ReLU.backward", "relu, backward",
     '[000] "Towards nonlinear systems" (ReLU, sigmoid, tanh)', """
     delta is ∂L/∂h of h = max(a, 0). Return da = ∂L/∂a, (N, H). Forward has kept h. At a = 0, where there is no
     derivative, take 0."""),
    Exercise("4f", "activations.Softplus.backward", "softplus, backward",
     '[000] "Towards nonlinear systems" (nonlinear activation functions)', """
     delta is ∂L/∂h of h = log(1 + e^a). Return da = ∂L/∂a, (N, H). Forward has kept a, and e = e^-|a|, which never
     overflows."""),
    Exercise("4g", "activations.ELU.backward", "elu, backward",
     '[000] "Towards nonlinear systems" (nonlinear activation functions)', """
     delta is ∂L/∂h of h = a where a > 0, else e^a - 1. Return da = ∂L/∂a, (N, H). Forward has kept a."""),
    Exercise("4h", "activations.Softmax.backward", "softmax, backward", '[000] "How do we find w?" (the chain rule)', """
     delta is ∂L/∂p of p = softmax(a), row by row. Every p_k depends on every a_j: return da = ∂L/∂a, (N, K), by the whole
     Jacobian diag(p) - p pᵀ of each row, not by its diagonal alone. Forward has kept p (N, K)."""),
    Exercise("4i", "losses.BernoulliNLL.backward", "sigmoid with cross-entropy, backward",
     '[004] example 5.4.1, Bernoulli outputs', """
     The sigmoid and the logarithm are one function of the logit o, and what is left of both derivatives is short. For L =
     Σ_n weight_n value_n with value_n = Σ_d log(1 + e^(o_nd)) - t_nd o_nd return delta = ∂L/∂o, (N, D); weight is (N,).
     Forward has kept o, t, and e = e^-|o|."""),
    Exercise("4j", "losses.SoftmaxCrossEntropy.backward", "softmax with cross-entropy, backward",
     '[004] "Neural networks are just probability models"', """
     For L = Σ_n weight_n value_n with value_n = -Σ_k t_nk log p_nk, p = softmax(o), return delta = ∂L/∂o, (N, K); weight
     is (N,). Forward has kept p and t, both (N, K). The rows of t sum to 1 in training; the general formula needs their
     sum."""),
    Exercise("4k", "training.online_backprop", "online backprop",
     '[000] "Algorithm for backprop (on-line aka stochastic learning)"', """
     The slides' algorithm for a network with any number of layers. For each epoch and each sample n, in order:

         forward     compute o, keep the input of each layer: for (W, b, phi) in layers: o = phi.forward(o @ W + b)
         residual    delta = t[n] - o at the output units (not o - t)
         for all k, from the last layer: step = delta φ'(·), by phi.derivative()
                     propagate back by W as it was, delta_i = Σ_j w_ij step_j, and only then
                     update the weights in place, W += alpha x_i step_j and b += alpha step_j

     Work on one sample x[n], (D,), at a time. After an epoch call history.add({"error": mean of Σ(t - o)² over the
     samples}, None, seconds). You may leave out the tolerance and what is to be done when the error is no longer a
     number.""", 3, 2),
    Exercise("5a", "gradcheck.numerical.central", "central difference", 'lecture 5, "Finite differences"', """
     The second opinion on every gradient: move one element w[index] by h up and down and see what f does. Return the
     slope (f(w + h e_i) - f(w - h e_i)) / step and the rounding error to expect of it, (|f(w + h e_i)| + |f(w - h e_i)|)
     EPS / step, where step is the distance between the two numbers w[index] really had (rounding makes it not quite 2h).
     w must be afterwards what it was, also when f raises an exception."""),
    Exercise("5b", "gradcheck.numerical.complex_step", "complex step", 'lecture 5, "Finite differences"', """
     A derivative without a difference: for an f that accepts complex numbers ∂f/∂w_i = Im f(w + i h e_i) / h with h =
     1e-30. Nothing is subtracted, so nothing cancels. w is a float array of any shape and stays as it is; the gradient
     has its shape. ValueError when f gives no complex number."""),
    Exercise("6a", "optimizers.Momentum.step", "momentum", 'lecture 6, "Why it is slow, and what momentum buys"', """
     Give w a velocity, with a friction that keeps the part mu of it: v <- mu v - alpha grad, then w <- w + v. w (P,)
     changes in place, grad (P,) is only read; `velocity` is v.""", 2),
    Exercise("6b", "optimizers.Nesterov.step", "nesterov", 'lecture 6, "Why it is slow, and what momentum buys"', """
     Momentum with the gradient taken where the velocity is about to lead. w holds the look-ahead point itself: the
     velocity becomes mu v - alpha grad as before, and w moves by mu times the new velocity, minus alpha grad. w (P,)
     changes in place; `velocity` is v.""", 2),
    Exercise("6c", "optimizers.RMSProp.step", "rmsprop", 'lecture 6, "Seven ways down"', """
     Divide by how large the gradients lately were, element by element: s <- rho s + (1 - rho) g², w <- w - alpha g / (√s
     + epsilon). w (P,) changes in place; `squares` is s.""", 2),
    Exercise("6d", "optimizers.Adam.step", "adam", 'lecture 6, "Seven ways down"', """
     Decaying averages of g and of g², both corrected for their start at 0 in step t = 1, 2, ...:

         m <- beta1 m + (1 - beta1) g      v <- beta2 v + (1 - beta2) g²
         w <- w - alpha m̂ / (√v̂ + epsilon),   m̂ = m / (1 - beta1^t),   v̂ = v / (1 - beta2^t)

     w (P,) changes in place. self.t is t, already counted up for this step. m and v begin as zeros and are yours: keep in
     them what you like (the library leaves the factors 1 - beta out of them, for speed).""",
     2, unused=("piece", "scratch")),
    Exercise("7a", "linear.PCA.fit", "principal component analysis",
     '[002] "the same subspace as Principal Component Analysis (PCA)"', """
     The best linear autoencoder. For x (N, D) find and keep self.mean μ (D,); self.components V (D, K), orthonormal
     columns, the K directions of largest variance; and self.eigenvalues (D,) of the covariance 1/N (X - μ)ᵀ(X - μ),
     falling. The code is then (x - μ) V and its reconstruction μ + z Vᵀ. End with `return self`.""", 2),
    Exercise("7b", "layers.TiedDense.backward", "tied weights, backward",
     '[003] 2 "Autoencoders"; lecture 7, "Autoencoder networks"', """
     A decoder with the weights of the encoder, transposed: a = x Wᵀ + b, W (n_out, n_in) that of `dense`, x (N, n_in).
     delta is ∂L/∂a. Return dx (N, n_in), add ∂L/∂b to db, and add this layer's share of ∂L/∂W to dW, which is the
     gradient of the other layer's W: W is used twice, so its gradient has two summands; the other layer adds its own.""",
     1),
    Exercise("8a", "corruption.MaskingNoise.draw", "masking noise", '[002] "The corruption process"', """
     "A fraction of the input set to zeros or ones": draw for each element of x (N, D), independently, 1 with probability
     p, when it will be masked, else 0. An array of the shape and dtype of x, drawn with rng.random, not with np.random."""),
    Exercise("8b", "penalties.KLSparsity.distance", "kl sparsity",
     '[003] 3.1 "Sparse Autoencoders"; [002] "sparsity regularization loss"', """
     What it costs, in nats, that a unit is active with probability m where rho was wanted: the divergence between two
     coins, KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m), element by element, for m (H,) in (0, 1). The target ρ
     comes first.""", 1),
    Exercise("8c", "penalties.KLSparsity.slope", "kl sparsity, slope", '[003] 3.1 "Sparse Autoencoders"', """
     The derivative of KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m) with respect to m (H,), element by element.""",
     1),
    Exercise("8d", "penalties.Sparsity.backward", "sparsity penalty, backward",
     '[003] 3.1 "Sparse Autoencoders"; [002] "Sparse autoencoders"', """
     The penalty is own_weight Σ_j s(m_j) with the mean activation m_j = 1/N Σ_n h_nj of unit j (over="batch"), or
     own_weight 1/N Σ_n s(m_n) with m_n = 1/H Σ_j h_nj of sample n (over="units"). h is (N, H), m and its slope s'(m) =
     self.slope(m) are (H,) or (N,). Return {index: ∂L/∂h}, (N, H), where weight is ∂L/∂penalty. A mean has 1/N (or 1/H)
     in its derivative, and every h in it the same share. `axis` is that of the mean: 0 for the batch, else 1."""),
    Exercise("8e", "layers.TopK.forward", "k sparse, forward", '[002] "k-sparse autoencoder"', """
     Keep the k strongest units of each sample, set the others to 0: y = x mask, x (N, H), mask (N, H) with k ones in
     every row. `self.strength(x)` says how strong each unit is: |x| in [002]'s formula. Keep the mask as self.mask, an
     array of 0 and 1 like x, for the way back.""", 2),
    Exercise("8f", "layers.TopK.backward", "k sparse, backward", '[002] "k-sparse autoencoder"', """
     "Keep the gradient of the winners": delta is ∂L/∂y of y = x mask, return dx = ∂L/∂x, (N, H). Forward has kept mask."""),
    Exercise("8g", "penalties.Contraction.backward", "contraction, one layer, backward",
     '[002] "Contractive Autoencoders"; [003] 3.3', """
     For a code of one layer, h = φ(a), a = x W + b, the Jacobian is J_nij = W_ij φ'(a_nj), and the penalty own_weight 1/N
     Σ_n ‖J_n‖²_F = own_weight 1/N Σ_n Σ_j φ'(a_nj)² ‖w_j‖², w_j a column of W. It depends on W in two ways: directly, and
     through a in φ'(a). weight is ∂L/∂penalty. Add the first to dense.dW, and return the second as {index: ∂L/∂a}: its
     own way back goes through the layer.

         index, dense, phi = chain[0]
         dense.x (N, D),   dense.W (D, K),   phi.derivative() and phi.second_derivative() (N, K)""",
     unused=("E", "EG", "P", "G")),
    Exercise("8h", "penalties.WeightDecay.backward", "weight decay, backward", '[002] "Regularized autoencoders"', """
     The penalty is own_weight Σ W² over the weight matrices of all `denses`, without ½; biases are left alone. weight is
     ∂L/∂penalty. Add ∂L/∂W to the dW of each, and return {}, since no activation is involved."""),
    Exercise("8i", "layers.Dropout.backward", "dropout, backward",
     'lecture 8, "All variants, trained" (noise inside the network)', """
     Forward computes y = x mask / keep while training, mask 0 or 1, and y = x otherwise: then mask is None. delta is
     ∂L/∂y, return dx = ∂L/∂x."""),
    Exercise("11a", "priors.GaussianPrior.log_density", "log density of the prior",
     '[004] "Autoencoders as probabilistic generative models"', """
     log p(z) for p(z) = N(μ, diag σ²), in nats, summed over the d numbers of a code: (N,) for z (N, d), (K, N) for z (K,
     N, d). mu and sigma are arrays: (d,), or one number for all of them. A density, so the constants count. Keep
     self.slope = ∂log p/∂z, of the shape of z: the way back needs it.""", 1),
    Exercise("12a", "latent.DiagonalGaussian.sample", "reparameterisation, forward",
     '[000] "One important detail: backpropagation through random sampling?"', """
     Draw first, from a distribution without parameters, and compute z from that: z = μ + σ ε, ε ~ N(0, I). h (N, 2d)
     holds μ, then logvar = log σ²; epsilon is (N, d), or (K, N, d) for K draws, and z is like it. Keep self.mu,
     self.logvar, self.sigma, self.epsilon and self.z for the way back.""", 1),
    Exercise("12b", "latent.DiagonalGaussian.sample_backward", "reparameterisation, backward",
     '[001] "The Reparameterization Trick"; [000] "One important detail"', """
     dz is ∂L/∂z of z = μ + σ ε, where σ = e^(½ logvar). Return (dmu, dlogvar), both (N, d). ∂z/∂μ = 1 and ∂z/∂σ = ε; from
     σ to logvar is one more step of the chain rule. With dz (K, N, d), K draws for each sample, they share one μ and one
     σ: their gradients add up."""),
    Exercise("12c", "latent.DiagonalGaussian.kl", "KL divergence, forward",
     '[000] "KL divergence as regulariser"; [003] 7; [004] "Training"', """
     KL(q ‖ p) in nats, (N,), of q = N(μ, diag σ²), μ and logvar = log σ² (N, d), from p = N(μ₀, diag σ₀²). For N(0, I) it
     is ½ Σ_j (μ² + σ² - log σ² - 1). In general it is the same after μ - μ₀ and σ are measured in units of σ₀: m = (μ -
     μ₀) / σ₀ and v = logvar - log σ₀² in the place of μ and logvar. Keep self.m and self.v (N, d) for the way back;
     self.sigma0 (d,) is kept already, and `own_sigma0` is it.""", 2),
    Exercise("12d", "latent.DiagonalGaussian.kl_backward", "KL divergence, backward",
     '[000] "KL divergence as regulariser"; [003] 7; [004] "Training"', """
     dkl is ∂L/∂KL, (N,), of KL = ½ Σ_j (m² + e^v - v - 1) with m = (μ - μ₀) / σ₀ and v = logvar - log σ₀². Return (dmu,
     dlogvar), both (N, d). Forward has kept m, v (N, d) and sigma0 (d,)."""),
    Exercise("12e", "latent.DiagonalGaussian.log_density", "log density of the draw",
     '[004] "Training"; [003] 4 "Latent variables models"', """
     log q(z|x) of the z = μ + σ ε that was drawn, in nats, summed over the d numbers of a code: (N,), or (K, N) for
     epsilon (K, N, d). Forward has kept mu, logvar = log σ², (N, d), and epsilon: (z - μ) / σ is ε. A density, so the
     constants count."""),
    Exercise("13a", "vae.VAE.backward", "ELBO, backward",
     '[000] "Deriving the evidence lower bound"; [001] "Training the Model"', """
     The loss is -ELBO = reconstruction + KL, and loss() has run forward: encoder, h = (μ, logvar), z = μ + σ ε, decoder,
     likelihood. Go back:

         do      likelihood.backward(weights["reconstruction"])
         dz      decoder.backward(...), of the shape of posterior.z
         dh      posterior.backward(dz, dkl), both ways into h: through the draw, and through the KL; dkl is weights["kl"]
         encoder.backward(dh, input_gradient=False)

     weights are ∂L/∂(value of each sample): 1/N, with beta in that of the KL. Where `sampled` is true, the KL was
     estimated from the z drawn, log q(z|x) - log p(z): then prior.backward(-dkl) is one more summand of dz, and dh is
     posterior.backward(dz, dlog_q=dkl). End with `return grad`.""", 1),
    Exercise("14a", "latent.FullGaussian.sample_backward", "full covariance, backward",
     '[000] "One important detail" (z = μ + L ε)', """
     dz is ∂L/∂z of z = μ + L ε, L (N, d, d) lower triangular: on its diagonal σ_j = e^(½ logvar_j), below it the numbers
     `below`, of which number i stands in row rows[i], column columns[i]. Return (dmu, dlogvar, dbelow), (N, d), (N, d)
     and (N, d (d - 1) / 2). With dz (K, N, d) the K draws add up."""),
    Exercise("14b", "latent.FullGaussian.kl_backward", "KL of a full covariance, backward",
     '[000] "One important detail" (z = μ + L ε)', """
     dkl is ∂L/∂KL, (N,), of KL = ½ Σ_j (m_j² + e^v_j - v_j - 1) + ½ Σ_i l_i², with m = (μ - μ₀) / σ₀, v = logvar - log
     σ₀², and l_i = below_i / σ₀ of row rows[i]. Return (dmu, dlogvar, dbelow). Forward has kept m, v (N, d), l (N, d (d -
     1) / 2) and sigma0 (d,)."""),
    Exercise("14c", "losses.GaussianNLL.backward", "learnt noise, backward",
     '[004] "the noise parameter ρ might be another parameter to be trained"', """
     For L = Σ_n weight_n value_n, value_n = ½ Σ_d (o - t)² / σ² + ½ D log(2π σ²), return delta = ∂L/∂o, (N, D), and, if
     `learn`, add ∂L/∂logvar, logvar = log σ², one number, to dlogvar in place. Forward has kept r = o - t (N, D), squares
     = Σ_d r² / σ² (N,) and precision = 1/σ²."""),
    Exercise("14d", "losses.HeteroscedasticGaussianNLL.backward", "mean and noise, backward",
     '[000] "Deterministic vs. variational autoencoder, Gaussian case"', """
     The network says how sure it is: its output (N, 2D) holds μ, then logvar = log σ². For L = Σ_n weight_n value_n,
     value_n = ½ Σ_d [(μ - t)² / σ² + logvar + log 2π], return ∂L/∂output, (N, 2D), both halves side by side. Forward has
     kept r = μ - t and precision = 1/σ², both (N, D)."""),
    Exercise("14e", "vae.IWAE.loss", "importance weights", 'lecture 14, "The importance-weighted bound"', """
     K draws z_k for each sample have the weights w_k = p(x|z_k) p(z_k) / q(z_k|x), and the bound is log 1/K Σ_k w_k. Here
     z is (K, N, d), nll = -log p(x|z) is (K N,), K rows of N one after the other. prior.log_density(z) is log p(z),
     posterior.log_density() is log q(z|x), both (K, N), or (N,) for K = 1. Compute

         bound         log 1/K Σ_k w_k of every sample, (N,)
         self.share    w_k / Σ_k w_k, (K, N): the gradient of log Σ_k w_k, which the way back needs

     log w is around -100 or -1000: take the largest of each column out before you exponentiate. Here the model's
     `posterior` and `prior` are given.""", 7, 2),
]

EXERCISES = {exercise.number: exercise for exercise in TABLE}


def find(number):
    """The exercises of "4b", of all of lecture "4", or "all". ValueError for another number."""
    wanted = number.lstrip("0")
    found = [exercise for exercise in TABLE if wanted in ("all", exercise.number, str(exercise.lecture))]
    if not found:
        lectures = sorted({exercise.lecture for exercise in EXERCISES.values()})
        raise ValueError(f"number must be that of an exercise, such as 4b, of a lecture "
                         f"({', '.join(map(str, lectures))}), or all, got {number!r}")
    return found


def listing():
    """All exercises by lecture, as text."""
    lines, last = [], None
    for exercise in EXERCISES.values():
        if exercise.lecture != last:
            lines.append(f"lecture {exercise.lecture}")
            last = exercise.lecture
        lines.append(f"  {exercise.number:4} {exercise.title:38} {exercise.path}")
    return "\n".join(lines)


def write(number, folder):
    """(written, kept): the paths of the stubs that are new, and of those that were there and are left as they are."""
    folder = pathlib.Path(folder)
    exercises = find(number)
    folder.mkdir(parents=True, exist_ok=True)
    written, kept = [], []
    for exercise in exercises:
        path = folder / exercise.file
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(stub(exercise.number))
            written.append(path)
        except FileExistsError:
            kept.append(path)
    return written, kept


def stub(number):
    """The file that a student gets, as text."""
    exercise = EXERCISES[number]
    body = Body(exercise)
    hole = [*body.unpacking(), f'raise NotImplementedError("Exercise {number}: {exercise.title}")']
    lines = [*body.text(body.given), *(body.indent + line for line in hole), *body.text(body.closing)]
    return body.file(lines)


def solution(number):
    """The same file with the library's body in it, as text."""
    body = Body(EXERCISES[number])
    return body.file(body.text(body.statements))


class Body:
    """The source of a function, taken apart: `given`, `hole` and `closing` are its statements behind the docstring."""

    def __init__(self, exercise):
        self.exercise = exercise
        module, kind, name = exercise.names
        self.module = importlib.import_module(module)
        source = inspect.getsource(self.module)
        self.lines = source.splitlines()
        scope = ast.parse(source)
        if kind is not None:
            scope = next(node for node in scope.body if isinstance(node, ast.ClassDef) and node.name == kind)
        self.scope = scope
        self.function = next(node for node in scope.body if isinstance(node, ast.FunctionDef) and node.name == name)
        self.docstring, *self.statements = self.function.body
        end = len(self.statements) - exercise.closing
        self.given, self.closing = self.statements[:exercise.given], self.statements[end:]
        self.hole = self.statements[exercise.given:end]
        self.indent = " " * self.docstring.col_offset

    def text(self, statements):
        """The lines of these statements, as they stand in the library."""
        return self.lines[statements[0].lineno - 1:statements[-1].end_lineno] if statements else []

    def file(self, lines):
        """The whole file, with these lines in the place of the body."""
        exercise = self.exercise
        module, kind, _ = exercise.names
        where = exercise.source if exercise.source.startswith("lecture") else f"lecture {exercise.lecture}; {exercise.source}"
        parts = [f'"""Exercise {exercise.number}: {exercise.title}.', "", inspect.cleandoc(exercise.task), "",
                 f"See {where}.", "",
                 f'Write your code in the place of `raise`, then see:    python -m numpyae grade {exercise.file}', '"""', ""]
        parts += [*self.imports(), "", ""]
        if kind is not None:
            parts += [f"class {kind}({module.rpartition('.')[2]}.{kind}):", *self.text([self.scope.body[0]]), ""]
        parts += [*self.lines[self.function.lineno - 1:self.docstring.end_lineno], *lines]
        return "\n".join(parts) + "\n"

    def imports(self):
        """What the function needs, and the module of the class that is completed."""
        used = {node.id: None for node in ast.walk(self.function) if isinstance(node, ast.Name)}
        known = {name: vars(self.module)[name] for name in used if name in vars(self.module)}
        plain = sorted(f"import {value.__name__}" for value in known.values() if isinstance(value, types.ModuleType)
                       and value.__name__ != "numpy")
        plain += ["", "import numpy as np"] if plain else ["import numpy as np"]
        package, _, name = self.exercise.names[0].rpartition(".")
        ours = {}
        if self.exercise.names[1] is not None:
            ours[package] = [name]
        for name, value in known.items():
            if not isinstance(value, types.ModuleType):
                ours.setdefault(getattr(value, "__module__", self.module.__name__), []).append(name)
        ours = [f"from {package} import {', '.join(sorted(names))}" for package, names in sorted(ours.items())]
        return plain + [""] * bool(ours) + ours

    def unpacking(self):
        """Lines that give the attributes which the hole reads short names, and comments about what changes in place."""
        reads, grows = self.attributes()
        taken = {argument.arg for argument in self.function.args.args}
        names = {place: ("own_" if place.rpartition(".")[2] in taken else "") + place.rpartition(".")[2].lstrip("_")
                 for place in reads}
        lines = []
        for start in range(0, len(reads), 5):
            part = reads[start:start + 5]
            lines.append(f"{', '.join(names[place] for place in part)} = {', '.join('self.' + place for place in part)}")
        for place in grows:
            if place in names and place not in getattr(self.exercise.owner, "memory", ()):
                lines.append(f"# {names[place]}: add in place, {names[place]} += ..., for it is a view; = would lose it")
            elif place in names:
                lines.append(f"# {names[place]}: change it in place, {names[place]} *= ... or {names[place]}[...] = ...; "
                             f"= would lose it")
        return lines

    def attributes(self):
        """(read, changed in place): attributes of self in the order in which the hole meets them, such as "dense.W"."""
        reads, grows, stored = [], [], set()
        parents = {child: node for statement in self.hole for node in ast.walk(statement)
                   for child in ast.iter_child_nodes(node)}
        nodes = [node for node in parents if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "self"]
        memory = getattr(self.exercise.owner, "memory", ())
        for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
            parent, place = parents[node], node.attr
            if place in self.exercise.unused or isinstance(parent, ast.Call) and parent.func is node:
                continue
            if isinstance(parent, ast.Attribute) and parent.attr in ("W", "b", "dW", "db"):
                place += "." + parent.attr
            adds = isinstance(parent, ast.AugAssign) and parent.target is node
            if isinstance(node.ctx, ast.Store) and not adds:
                stored.add(place)
            elif place not in stored and place not in reads:
                reads.append(place)
                name = place.rpartition(".")[2]
                gradient = name == "dW" or name[0] == "d" and isinstance(getattr(self.exercise.owner, name, None), property)
                if adds or gradient or place in memory:
                    grows.append(place)
        return reads, grows
