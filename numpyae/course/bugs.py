"""The bugs that are hidden: KINDS says what they are, BUGS in which line of which program each stands.

The numbers are those of `gradcheck.catalogue`, None for a kind that is not in it. The levels: 1 loud (sign, shape, a factor
everywhere), 2 scale and bias, 3 something forgotten or in the wrong place, 4 shared paths and state, 5 what no gradient check sees.
A third hint, the function and the name that the line gives, is made from the program.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    """`causes`: what the gradient check may call it; empty where it cannot see it. Two hints, and what is said in the end."""

    number: int | None
    level: int
    causes: str
    hint: str
    closer: str
    why: str


class Bug(NamedTuple):
    """The line `right` of a program, replaced by `wrong`; both without the indentation."""

    program: str
    kind: str
    right: str
    wrong: str
    level: int


KINDS = {
    # 1: loud
    "sign": Kind(1, 1, "sign", "Train it for a few steps. Does the loss fall?", "In which order does a difference stand, and what is its slope?",
                 "The sign was wrong, so every step went uphill. Of (o - t)² the slope is 2 (o - t), not 2 (t - o)."),
    "factor": Kind(2, 1, "factor", "Divide the numerical gradient by this one, element by element.", "The same number everywhere. "
                   "Where does a square, or a ½, leave such a number?", "A constant factor: of r² the slope is 2 r. It hides in the learning "
                   "rate, until two losses are added."),
    "order": Kind(11, 1, "raises shape", "Run it, and read the shapes.", "A gradient has the shape of what it belongs to. Which product gives that "
                  "shape?", "With rows as samples, behind a = x W there are dW = xᵀ da and dx = da Wᵀ: the shapes alone nearly force it."),
    "unsummed": Kind(6, 1, "shape", "Compare the shape of every gradient with that of its parameter.", "A bias is used once for every sample.",
                     "All samples use the same b, so their gradients add up. With one row for each sample the update is broadcast, "
                     "and b silently becomes a matrix."),
    # 2: scale and bias
    "batch": Kind(3, 2, "factor term", "Try it with batches of 5 and of 10 samples.", "A mean over the samples has a 1/N. Is it there on the way forward "
                  "and on the way back?", "One pass took the mean over the batch, the other the sum. It acts as a learning rate that grows "
                  "with the batch size."),
    "batch_twice": Kind(4, 2, "factor", "Try it with batches of 5 and of 10 samples, and look at every array by itself.", "How often is divided by N "
                        "on the way to this array?", "The 1/N of the mean is in the first gradient of the way back already, and was divided by "
                        "once more."),
    "elements": Kind(5, 2, "factor", "Try it with one output, and with three.", "Mean over what: over the samples, or over all the numbers?",
                     "A mean over all elements is smaller than a mean over the samples by the number of features. Loss and gradient must "
                     "mean the same mean."),
    "bias_axes": Kind(7, 2, "axes", "Print the gradient of every bias.", "One number for each unit, or one for all?", "The bias gradient was summed over "
                      "all axes, and one number went to every unit. It belongs summed over the samples only."),
    "bias_mean": Kind(8, 2, "factor", "Divide the numerical gradient by this one, for every array.", "The weights and the biases of a layer see the "
                      "same samples. Are they treated alike?", "The bias gradient was a mean, that of the weights a sum. The mean over the samples "
                      "is in the loss, once."),
    "bias_operand": Kind(10, 2, "operand term axes elementwise", "Only one array is wrong. Which?", "A bias is added to the pre-activation. What is the gradient of "
                         "that?", "The bias gradient was taken from the wrong array. db is the sum of the gradient of the very a in which b "
                         "is a summand."),
    "wrong_input": Kind(10, 2, "operand term", "Only one array is wrong. Which, and what did it multiply on the way forward?", "dW = inputᵀ da. Which input "
                        "did this W see?", "The wrong input stood in dW: W multiplies what came in, which is not what lies about with the same "
                        "shape."),
    "decay": Kind(36, 2, "term factor", "Set λ to 0. What remains?", "Of λ W² the slope is 2 λ W, for the weights, and for nothing else.",
                  "The gradient of the weight decay was wrong in factor or sign, or decayed what is not in the loss. With all biases at 0 "
                  "a decayed bias passes every check."),
    "kl_batch": Kind(30, 2, "factor term operand elementwise", "Try it with batches of 5 and of 10 samples.", "The loss has several parts. Is each the mean over the "
                     "samples of a sum?", "One part was averaged where another is summed, so that they were weighed against each other with a "
                     "factor that depends on a size."),
    "half": Kind(27, 2, "factor term operand elementwise", "Only one of the two ways into the code is wrong.", "σ = e^(½ logvar). What is its slope?",
                 "A ½ was lost: of σ = e^(½ logvar) the slope is ½ σ."),
    "penalty_scale": Kind(32, 2, "term factor operand elementwise", "Switch the penalty off. What remains?", "Count the factors: the weight of the penalty, the 2 of a square, "
                          "the 1/N of a mean.", "The gradient of the penalty had a factor too many or too few, so that another penalty was "
                          "trained than the one in the loss."),
    "penalty_sign": Kind(29, 2, "term sign operand elementwise", "Take each term of the loss alone.", "Does each term pull where it should: down?",
                         "One term had the wrong sign: it was maximised while the other was minimised."),
    "one_of_many": Kind(8, 2, "factor term operand elementwise", "Only some arrays are wrong. What do they have in common?", "Several draws, or features, share one "
                        "number. What does the chain rule do with what comes back from each?", "What is shared gets the sum over all that use it, "
                        "no mean, and the count has to be the right one."),
    # 3: forgotten, or in the wrong place
    "derivative_output": Kind(12, 3, "elementwise operand term", "The arrays above are right, those below are not.", "At which point is the slope of the activation "
                              "taken?", "The derivative was taken at the output of the activation, not at its input: φ'(φ(a)) for φ'(a). tanh' is "
                              "1 - h², with the h that is there."),
    "derivative_lost": Kind(13, 3, "elementwise operand term", "The arrays above are right, those below are not.", "What does an activation do to the gradient that "
                            "passes it?", "The derivative of the activation was forgotten. On its way down the gradient is multiplied by φ'(a)."),
    "derivative_formula": Kind(14, 3, "elementwise operand term", "The arrays above are right, those below are not.", "Differentiate the activation by hand, and compare.",
                               "A wrong formula for a derivative. σ' = σ (1 - σ), tanh' = 1 - tanh², and so on: each function has its own."),
    "derivative_place": Kind(12, 3, "elementwise operand term", "The arrays above are right, those below are not.", "Whose derivative is it? Two arrays have the same "
                             "shape.", "The derivative of another layer's activation: the shapes fit, so nothing complained."),
    "fused_again": Kind(15, 3, "elementwise operand term", "Check it with a very sure, very wrong output: how large is the gradient?", "Behind this loss something has "
                        "cancelled already.", "Cross-entropy behind σ or softmax has the gradient p - t: the derivative has cancelled, and was "
                        "applied again. Sure and wrong outputs then learn nothing."),
    "softmax": Kind(16, 3, "diagonal elementwise operand axes term", "Change one pre-activation of the last layer. Which outputs move?", "A softmax couples the "
                    "outputs of a sample.", "The Jacobian of the softmax is not diagonal: da = o (do - Σ_k do_k o_k), summed over the features of a "
                    "sample. It cancels to p - t only behind a cross-entropy."),
    "transposed": Kind(11, 3, "transposed operand term elementwise", "All shapes fit. That proves little where a matrix is square.", "Write the product with indices: "
                       "which one is summed over?", "A transpose too many or too few. In a square matrix the shapes cannot tell."),
    "mask_lost": Kind(23, 3, "elementwise operand term", "Only what passes the noise, or the choice of units, is wrong.", "A unit that was off on the way forward: what "
                      "does it pass back?", "The mask was forgotten on one of the two ways. What is set to 0 passes nothing back, and learns nothing."),
    "other_mask": Kind(22, 3, "elementwise operand term", "Compare which elements of the gradient are 0 with which units were off.", "Which array decided on the way "
                       "forward who is off?", "The mask was made from another array than the one forward has used."),
    "scale_lost": Kind(24, 3, "factor elementwise operand term", "Divide the numerical gradient by this one. Do you know the number?", "Whatever is multiplied on "
                       "the way forward is multiplied on the way back.", "The factor of the forward pass was missing in the backward pass, or "
                       "inverted. y = c h has dh = c dy."),
    "term_lost": Kind(31, 3, "term elementwise operand zero axes diagonal", "Take each term of the loss alone, and check it.", "Which terms of the loss does this "
                      "gradient come from? Are they all there?", "A term of the loss had no way back, so that its number was printed and its gradient never "
                      "used."),
    "another_loss": Kind(28, 3, "term elementwise operand factor axes diagonal", "The way back is the derivative of what the text says. Is the way forward?", "Compare every line of "
                         "forward with its equation.", "The loss that was computed was another one than the text says, and than the one that is "
                         "differentiated."),
    "wrong_axis": Kind(16, 3, "axes elementwise operand term factor diagonal", "Move a row to another batch. Does its result change?", "Which axis is the samples, which the "
                       "features?", "Summed over the wrong axis: the samples of a batch must not know of each other here."),
    # 4: shared paths and state
    "overwrite": Kind(18, 4, "term elementwise operand zero", "Something is used in two places.", "Two gradients come back to it. What happens to the first?",
                      "`=` where `+=` belongs: the second path wiped out the first. What is used twice gets the sum of both gradients."),
    "one_path": Kind(33, 4, "term elementwise operand zero", "Something is used in two places.", "Cover one of the two uses, check, then the other.",
                     "Only one of two paths came back. What is used twice gets the sum of both gradients."),
    "second_path": Kind(34, 4, "term elementwise operand zero", "Check the second term of the loss alone.", "In how many ways does this term depend on the weights? "
                        "Nothing in it is constant.", "A quantity was held constant that depends on the weights too, and its path was "
                        "missing."),
    "not_zeroed": Kind(19, 4, "not_zeroed", "Call backward twice.", "What do the gradients start from?", "The gradients were not set to 0, so that each pass "
                       "added to those of all passes before. Without its parentheses a method is only named, not called."),
    "updated": Kind(20, 4, "updates operand elementwise term factor", "Try it with a smaller learning rate: the error shrinks with it.", "Which weights did the "
                    "output come from?", "A weight was updated before the gradient below had been computed from it. All gradients belong to "
                    "the weights of the forward pass."),
    "in_place": Kind(21, 4, "in_place redrawn updates elementwise operand", "Call it twice with the same arguments, and look at the arrays before and after.",
                     "Where does a result go? Does somebody else still need what was there?", "A result was written into an array that others still "
                     "needed. It saves memory, and makes the second look at it wrong."),
    "redrawn": Kind(25, 4, "redrawn", "Call backward twice with the same cache.", "How often may the noise of one pass be drawn?", "The noise was drawn anew on "
                    "the way back. The gradient belongs to the noise of the forward pass, which has to be kept."),
    "batch_one": Kind(9, 4, "operand axes elementwise term", "Check it with one sample, then with two.", "A sum of products, or a product of sums?", "A product of "
                      "sums over the samples, where the sum of the products belongs: equal for one sample, and only there."),
    "clipped": Kind(38, 4, "elementwise operand axes term", "Which samples are wrong? Look at their probabilities.", "Something is flat, and its gradient "
                    "does not know.", "A logarithm was clipped on the way forward only: where it is flat, the true gradient is 0."),
    "equal_weights": Kind(None, 4, "operand elementwise axes term factor", "Check it with one draw, then with two.", "Which draw should learn most?", "Every draw got another "
                          "weight than its share w_k / Σ w, which is what the logarithm of a sum passes back."),
    # 5: what no gradient check sees
    "twice": Kind(17, 5, "", "The gradient is right. Do the outputs look like probabilities that somebody learnt, or rather tame?", "How often is the "
                  "squashing function applied?", "A softmax or sigmoid was applied twice. It stays between 0 and 1 and is never sure, and every gradient "
                  "check agrees."),
    "logits": Kind(None, 5, "", "The gradient is right. Print what the model gives to its user.", "Are these numbers in the units of the data?", "Logits were given "
                   "out where a probability belongs: something is missing behind the last layer."),
    "linear": Kind(None, 5, "", "The gradient is right. Can this network separate what no line can?", "Two linear layers in a row are one.", "The activation was "
                   "missing between the layers: the gradient check agrees, since it is the right gradient of a linear model."),
    "sigma": Kind(26, 5, "", "The gradient is right. Draw a thousand samples and measure them.", "logvar is log σ². Is what multiplies the noise a σ?", "e^logvar "
                  "is σ², not σ: the draws had the wrong spread. σ = e^(½ logvar)."),
    "logvar": Kind(28, 5, "", "The gradient is right. Take a Gaussian whose KL you know.", "Is it read as log σ², or as log σ?", "logvar was read as log σ: the KL "
                   "that is reported was that of another distribution."),
    "broadcast": Kind(37, 5, "", "The gradient is right. Print shapes, in all that is computed for the user.", "(N, 1) beside (N,) makes (N, N).", "An array (N, 1) met one "
                      "(N,), and NumPy made (N, N) of them: every answer was compared with every target."),
    "target": Kind(None, 5, "", "The gradient is right. What would a network that copies its input get for a loss?", "What is the network asked for, and what does "
                   "it see?", "The target was damaged together with the input, so that copying was rewarded and nothing was learnt about "
                   "the noise."),
    "range": Kind(None, 5, "", "The gradient is right. Look at the data that go in: their smallest and largest values.", "Which values may the damaged data have?",
                  "The noise left the range of the data, or lost one of its two kinds."),
    "sampler": Kind(None, 5, "", "The gradient is right. Draw ten thousand, and take mean, variance, shares.", "Is this the distribution that the text says?",
                    "The noise was drawn from another distribution than the model assumes. A gradient check takes the noise as it is."),
    "scale": Kind(24, 5, "", "The gradient is right. Compare the mean of what the network gives in training with what it predicts.", "Which factor keeps the "
                  "mean of a unit the same, with and without noise? How often is it applied?", "The scale of dropout was not 1 / keep, or was applied "
                  "twice, so that training and prediction were about different networks."),
    "symmetry": Kind(None, 5, "", "The gradient is right. Train, and print the hidden units.", "Two units that start alike: when do they begin to differ?",
                     "With equal weights all hidden units stay alike for ever: the gradient is right, and the same for each of them."),
    "init": Kind(None, 5, "", "The gradient is right. Measure the weights at the start.", "A variance or a standard deviation?", "The initial weights had the wrong size. "
                 "N(0, 1/n_in) means a standard deviation of 1/√n_in, and for a ReLU √(2/n_in)."),
    "mean_axis": Kind(None, 5, "", "The gradient is right. Check what is reported, with numbers that you can do in your head.", "Mean over what?",
                      "What is reported was averaged over the wrong axis."),
    "report": Kind(None, 5, "", "The gradient is right. Check what is reported, with numbers that you can do in your head.", "Compare the formula in the "
                   "text with the line.", "The number that is reported was another one than its description says."),
    "prediction": Kind(None, 5, "", "The gradient is right. Does the user get what was trained?", "Compare the network of forward with the one that "
                       "predicts.", "Prediction and training used different networks."),
    "constant": Kind(None, 5, "", "The gradient is right. For which w do you know the loss itself?", "What has no gradient, and is still part of a logarithm "
                     "of a probability?", "A constant was missing. Its gradient is 0, so no gradient check can tell, but the loss is no longer "
                     "what it is said to be, and cannot be compared with others."),
    "labels": Kind(None, 5, "", "The gradient is right. Look at the targets.", "Which class does each row stand for?", "The targets did not belong to the "
                   "labels. The network would have learnt what it was told."),
    "pairs": Kind(None, 5, "", "The gradient is right. Does the network learn anything about t from x?", "Does every row of x keep its t?", "The rows of x and t "
                  "were mixed up, so that there was nothing left to learn."),
    "all_once": Kind(None, 5, "", "The gradient is right. Count how often each sample is used in an epoch.", "Exactly once?", "Not every sample was used exactly "
                     "once in an epoch."),
    "leak": Kind(None, 5, "", "The gradient is right. What would the program do if the test data came a year later?", "What is measured on which data?", "The "
                 "test data were used, or treated by other numbers than the training data. Mean and deviation come from the training data, for both."),
    "standard": Kind(None, 5, "", "The gradient is right. Measure the data behind the preparation.", "Mean 0 and deviation 1: for every feature?", "The data "
                     "were divided by something else than the deviation of each feature."),
    "ascent": Kind(None, 5, "", "The gradient is right. Does the loss fall?", "The gradient points uphill.", "The step went with the gradient, not against it."),
    "optimizer": Kind(None, 5, "", "The gradient is right. Do the first two steps by hand, for one weight.", "Compare every factor of the step with the "
                      "formula.", "The step was another one than the formula says. It may still descend, which is why nobody notices."),
    "winners": Kind(None, 5, "", "The gradient is right. Print the activations of one sample, before and after.", "Who stays?", "The wrong units were kept. The "
                    "choice has no gradient, so no gradient check sees it."),
    "jacobian": Kind(None, 5, "", "The gradient is right. Hold what is reported against finite differences.", "Differentiate the code by x, or read its "
                     "formula.", "What is reported as a derivative was none. What is shown to the user deserves a gradient check too."),
    "bound": Kind(None, 5, "", "The gradient is right. What should happen to the estimate as K grows?", "The logarithm of a mean, or a mean of logarithms?", "The "
                  "estimate was not the logarithm of the mean weight: with K draws it must not be below the mean of the logarithms, and not above the "
                  "largest."),
    "covariance": Kind(None, 5, "", "The gradient is right. Draw many z = μ + S ε and measure their covariance.", "Write the product with indices.", "The covariance was "
                       "not S Sᵀ, or was scaled wrongly."),
    "difference": Kind(None, 5, "", "Try the check on a function whose gradient you know, such as Σ w³.", "Write down the formula of the central difference, and "
                       "what w is while f is called.", "The check itself was wrong, and a wrong check accuses right code, or acquits wrong code."),
}


def rows(program, *bugs):
    """Bugs of one program: (kind, right, wrong), or with a level of its own."""
    return [Bug(program, kind, right, wrong, *(level or (KINDS[kind].level,))) for kind, right, wrong, *level in bugs]


BUGS = rows(
    "regression",
    ("sign", "do = 2 * r / len(x)", "do = -2 * r / len(x)"),
    ("factor", "do = 2 * r / len(x)", "do = r / len(x)"),
    ("order", "dh1 = do @ W2.T", "dh1 = do @ W2"),
    ("batch", "do = 2 * r / len(x)", "do = 2 * r"),
    ("elements", "L = np.sum(r**2) / len(x)", "L = np.mean(r**2)"),
    ("bias_mean", "db1 = np.sum(da1, axis=0)", "db1 = np.mean(da1, axis=0)"),
    ("bias_axes", "db2 = np.sum(do, axis=0)", "db2 = np.full_like(b2, np.sum(do))"),
    ("derivative_lost", "da1 = dh1 * (1 - h1**2)", "da1 = dh1"),
    ("derivative_output", "da1 = dh1 * (1 - h1**2)", "da1 = dh1 * (1 - np.tanh(h1)**2)"),
    ("in_place", "dh1 = do @ W2.T", "dh1 = np.matmul(do, W2.T, out=h1)"),
    ("batch_one", "dW1 = x.T @ da1", "dW1 = np.outer(np.sum(x, axis=0), np.sum(da1, axis=0))"),
    ("symmetry", 'return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),',
     'return {"W1": np.full((D, H), 1 / np.sqrt(D)), "b1": np.zeros(H),'),
    ("mean_axis", "spread = np.sum((t - np.mean(t, axis=0))**2)", "spread = np.sum((t - np.mean(t))**2)"),
    ("ascent", "return {name: w[name] - alpha * grads[name] for name in w}", "return {name: w[name] + alpha * grads[name] for name in w}"),
    ("prediction", 'return np.tanh(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]', 'return (x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]'),
) + rows(
    "binary",
    ("sign", "do = (sigmoid(o) - t) / len(x)", "do = (t - sigmoid(o)) / len(x)"),
    ("unsummed", "db2 = np.sum(da2, axis=0)", "db2 = da2"),
    ("factor", "do = (sigmoid(o) - t) / len(x)", "do = 2 * (sigmoid(o) - t) / len(x)"),
    ("batch", "L = np.mean(np.logaddexp(0, o) - t * o)", "L = np.sum(np.logaddexp(0, o) - t * o)"),
    ("batch_twice", "dW1 = x.T @ da1", "dW1 = x.T @ da1 / len(x)"),
    ("bias_operand", "db1 = np.sum(da1, axis=0)", "db1 = np.sum(dh1, axis=0)"),
    ("wrong_input", "dW2 = h1.T @ da2", "dW2 = a1.T @ da2"),
    ("fused_again", "do = (sigmoid(o) - t) / len(x)", "do = (sigmoid(o) - t) * sigmoid(o) * (1 - sigmoid(o)) / len(x)"),
    ("derivative_output", "da1 = dh1 * h1 * (1 - h1)", "da1 = dh1 * sigmoid(h1) * (1 - sigmoid(h1))"),
    ("derivative_formula", "da1 = dh1 * h1 * (1 - h1)", "da1 = dh1 * (1 - h1**2)"),
    ("in_place", "da1 = dh1 * h1 * (1 - h1)", "da1 = np.multiply(dh1 * h1, 1 - h1, out=h1)"),
    ("batch_one", "dW2 = h1.T @ da2", "dW2 = np.sum(h1, axis=0)[:, None] * np.sum(da2)"),
    ("broadcast", "return sigmoid(o[:, 0])", "return sigmoid(o)"),
    ("twice", "return sigmoid(o[:, 0])", "return sigmoid(sigmoid(o[:, 0]))"),
    ("report", "return forward(w, x, t)[0] / np.log(2)", "return forward(w, x, t)[0] * np.log(2)"),
    ("report", "yes = probability(w, x) > 0.5", "yes = probability(w, x) > 0"),
) + rows(
    "classifier",
    ("sign", "do = (p - t) / len(x)", "do = (t - p) / len(x)"),
    ("order", "da1 = dh1 * (1 - h1**2)", "da1 = dh1 @ (1 - h1**2)"),
    ("batch", "do = (p - t) / len(x)", "do = p - t"),
    ("decay", "dW2 = h1.T @ do + 2 * LAMBDA * W2", "dW2 = h1.T @ do + LAMBDA * W2"),
    ("decay", "dW1 = x.T @ da1 + 2 * LAMBDA * W1", "dW1 = x.T @ da1 - 2 * LAMBDA * W1"),
    ("decay", "db1 = np.sum(da1, axis=0)", "db1 = np.sum(da1, axis=0) + 2 * LAMBDA * b1"),
    ("term_lost", "dW1 = x.T @ da1 + 2 * LAMBDA * W1", "dW1 = x.T @ da1"),
    ("fused_again", "do = (p - t) / len(x)", "do = (p - t) * p * (1 - p) / len(x)"),
    ("derivative_formula", "da1 = dh1 * (1 - h1**2)", "da1 = dh1 * h1 * (1 - h1)"),
    ("wrong_axis", "return e / np.sum(e, axis=1, keepdims=True)", "return e / np.sum(e, axis=0, keepdims=True)"),
    ("clipped", "error = -np.sum(t * np.log(p)) / len(x)", "error = -np.sum(t * np.log(np.maximum(p, 0.2))) / len(x)"),
    ("in_place", "do = (p - t) / len(x)", "do = np.subtract(p, t, out=p) / len(x)"),
    ("in_place", "dW1 = x.T @ da1 + 2 * LAMBDA * W1", "dW1 = x.T @ da1 + np.multiply(W1, 2 * LAMBDA, out=W1)"),
    ("twice", "return softmax(o)", "return softmax(softmax(o))"),
    ("logits", "return softmax(o)", "return o"),
    ("labels", "return np.eye(C)[labels]", "return np.eye(C)[labels - 1]"),
    ("report", "return np.mean(np.argmax(probabilities(w, x), axis=1) == labels)",
     "return np.mean(np.argmin(probabilities(w, x), axis=1) == labels)"),
) + rows(
    "activations",
    ("factor", "do = 2 * (o - t) / len(x)", "do = (o - t) / len(x)"),
    ("order", "dh1 = da2 @ W2.T", "dh1 = W2 @ da2"),
    ("elements", "L = np.sum((o - t)**2) / len(x)", "L = np.mean((o - t)**2)"),
    ("wrong_input", "dW3 = h2.T @ da3", "dW3 = a2.T @ da3"),
    ("bias_operand", "db3 = np.sum(da3, axis=0)", "db3 = np.sum(dh3, axis=0)"),
    ("softmax", "da4 = o * (do - np.sum(do * o, axis=1, keepdims=True))", "da4 = do * o * (1 - o)"),
    ("softmax", "da4 = o * (do - np.sum(do * o, axis=1, keepdims=True))", "da4 = do"),
    ("softmax", "da4 = o * (do - np.sum(do * o, axis=1, keepdims=True))", "da4 = o * (do - np.sum(do * o, axis=0, keepdims=True))"),
    ("derivative_output", "da2 = dh2 / (1 + np.exp(-a2))", "da2 = dh2 / (1 + np.exp(-h2))"),
    ("derivative_formula", "da3 = dh3 * np.where(a3 > 0, 1, h3 + 1)", "da3 = dh3 * np.where(a3 > 0, 1, h3)"),
    ("other_mask", "da3 = dh3 * np.where(a3 > 0, 1, h3 + 1)", "da3 = dh3 * np.where(dh3 > 0, 1, h3 + 1)"),
    ("in_place", "dh2 = da3 @ W3.T", "dh2 = np.matmul(da3, W3.T, out=h2)"),
    ("batch_one", "dW2 = h1.T @ da2", "dW2 = np.outer(np.sum(h1, axis=0), np.sum(da2, axis=0))"),
    ("init", 'w[f"W{k}"] = rng.normal(0, 1 / np.sqrt(sizes[k - 1]), (sizes[k - 1], sizes[k]))',
     'w[f"W{k}"] = rng.normal(0, 1 / sizes[k - 1], (sizes[k - 1], sizes[k]))'),
) + rows(
    "layers",
    ("sign", "delta = (p - t) / len(t)", "delta = (t - p) / len(t)"),
    ("unsummed", "self.db += np.sum(delta, axis=0)", "self.db = delta"),
    ("order", "return delta @ self.W.T", "return delta @ self.W"),
    ("batch", "delta = (p - t) / len(t)", "delta = p - t"),
    ("bias_mean", "self.db += np.sum(delta, axis=0)", "self.db += np.mean(delta, axis=0)"),
    ("bias_axes", "self.db += np.sum(delta, axis=0)", "self.db += np.sum(delta)"),
    ("derivative_lost", "return delta * (1 - self.h**2)", "return delta"),
    ("derivative_formula", "return delta * (1 - self.h**2)", "return delta * (1 - self.h)**2"),
    ("not_zeroed", "layer.zero()", "layer.zero"),
    ("not_zeroed", "self.db[...] = 0", "self.db[...] += 0"),
    ("not_zeroed", "self.db[...] = 0", "self.b[...] = 0"),
    ("in_place", "delta = (p - t) / len(t)", "delta = np.subtract(p, t, out=p) / len(t)"),
    ("twice", 'return [Dense(w["W1"], w["b1"]), Tanh(), Dense(w["W2"], w["b2"])]',
     'return [Dense(w["W1"], w["b1"]), Tanh(), Dense(w["W2"], w["b2"]), Softmax()]'),
    ("linear", 'return [Dense(w["W1"], w["b1"]), Tanh(), Dense(w["W2"], w["b2"])]', 'return [Dense(w["W1"], w["b1"]), Dense(w["W2"], w["b2"])]'),
    ("logits", "for layer in network(w) + [Softmax()]:", "for layer in network(w):"),
) + rows(
    "dropout",
    ("factor", "do = 2 * r / len(x)", "do = r / len(x)"),
    ("batch", "do = 2 * r / len(x)", "do = 2 * r"),
    ("bias_mean", "db2 = np.sum(do, axis=0)", "db2 = np.mean(do, axis=0)"),
    ("mask_lost", "dh1 = dy1 * mask * SCALE", "dh1 = dy1 * SCALE"),
    ("mask_lost", "dW2 = y1.T @ do", "dW2 = h1.T @ do * SCALE"),
    ("scale_lost", "dh1 = dy1 * mask * SCALE", "dh1 = dy1 * mask"),
    ("scale_lost", "dh1 = dy1 * mask * SCALE", "dh1 = dy1 * mask / SCALE"),
    ("derivative_lost", "da1 = dh1 * (a1 > 0)", "da1 = dh1"),
    ("other_mask", "da1 = dh1 * (a1 > 0)", "da1 = dh1 * (dh1 > 0)"),
    ("redrawn", "dh1 = dy1 * mask * SCALE", "dh1 = dy1 * draw_mask(np.random.default_rng(), mask.shape) * SCALE"),
    ("in_place", "y1 = h1 * mask * SCALE", "y1 = np.multiply(h1, mask, out=mask) * SCALE"),
    ("scale", "SCALE = 1 / KEEP", "SCALE = 1.0"),
    ("scale", "SCALE = 1 / KEEP", "SCALE = KEEP"),
    ("scale", 'return hidden @ w["W2"] + w["b2"]', 'return KEEP * hidden @ w["W2"] + w["b2"]'),
    ("sampler", "return (rng.random(shape) < KEEP).astype(float)", "return (rng.random(shape) > KEEP).astype(float)"),
    ("sampler", "return (rng.random(shape) < KEEP).astype(float)", "return (rng.random(shape[-1]) < KEEP) * np.ones(shape)"),
    ("init", '"W2": rng.normal(0, np.sqrt(2 / H), (H, M)), "b2": np.zeros(M)}', '"W2": rng.normal(0, 2 / H, (H, M)), "b2": np.zeros(M)}'),
) + rows(
    "training",
    ("sign", "do = 2 * r / len(x)", "do = -2 * r / len(x)"),
    ("order", "dW = x.T @ do", "dW = do.T @ x"),
    ("elements", "do = 2 * r / len(x)", "do = 2 * r / r.size"),
    ("in_place", "do = 2 * r / len(x)", "do = np.multiply(r, 2 / len(x), out=r)"),
    ("leak", "mean = np.mean(x, axis=0)", "mean = np.mean(np.vstack([x, x_test]), axis=0)"),
    ("leak", "return (x - mean) / std, (x_test - mean) / std", "return (x - mean) / std, (x_test - np.mean(x_test, axis=0)) / std"),
    ("standard", "std = np.std(x, axis=0)", "std = np.std(x)"),
    ("standard", "std = np.std(x, axis=0)", "std = np.var(x, axis=0)"),
    ("pairs", "found.append((x[rows], t[rows]))", "found.append((x[rows], t[start:start + size]))"),
    ("all_once", "order = rng.permutation(len(x))", "order = rng.integers(len(x), size=len(x))"),
    ("all_once", "for start in range(0, len(x), size):", "for start in range(0, len(x) - size, size):"),
    ("ascent", "v_new = {name: MU * v[name] - alpha * grads[name] for name in w}", "v_new = {name: MU * v[name] + alpha * grads[name] for name in w}"),
    ("optimizer", "v_new = {name: MU * v[name] - alpha * grads[name] for name in w}", "v_new = {name: v[name] - alpha * grads[name] for name in w}"),
    ("optimizer", "w_new = {name: w[name] + v_new[name] for name in w}", "w_new = {name: w[name] + v[name] for name in w}"),
    ("optimizer", "m_hat = m_new[name] / (1 - BETA1**k)", "m_hat = m_new[name] / (1 - BETA1)"),
    ("optimizer", "v_hat = v_new[name] / (1 - BETA2**k)", "v_hat = v_new[name]"),
    ("optimizer", "w_new[name] = w[name] - alpha * m_hat / (np.sqrt(v_hat) + EPSILON)", "w_new[name] = w[name] - alpha * m_hat / (v_hat + EPSILON)"),
    ("optimizer", "v_new = {name: BETA2 * v[name] + (1 - BETA2) * grads[name]**2 for name in w}",
     "v_new = {name: BETA2 * v[name] + (1 - BETA2) * np.mean(grads[name]**2) for name in w}"),
) + rows(
    "online",
    ("sign", "d3 = 2 * (o - t)", "d3 = 2 * (t - o)"),
    ("factor", "d3 = 2 * (o - t)", "d3 = o - t"),
    ("sign", "b2_new = b2 - alpha * d2", "b2_new = b2 + alpha * d2"),
    ("bias_operand", "b1_new = b1 - alpha * d1", "b1_new = b1 - alpha * d2"),
    ("derivative_lost", "d2 = (W3 @ d3) * (1 - h2**2)", "d2 = W3 @ d3"),
    ("derivative_lost", "d1 = (W2 @ d2) * (1 - h1**2)", "d1 = W2 @ d2"),
    ("derivative_place", "d1 = (W2 @ d2) * (1 - h1**2)", "d1 = (W2 @ d2) * (1 - h2**2)"),
    ("transposed", "W2_new = W2 - alpha * np.outer(h1, d2)", "W2_new = W2 - alpha * np.outer(d2, h1)"),
    ("transposed", "d1 = (W2 @ d2) * (1 - h1**2)", "d1 = (d2 @ W2) * (1 - h1**2)"),
    ("updated", "d2 = (W3 @ d3) * (1 - h2**2)", "d2 = (W3_new @ d3) * (1 - h2**2)"),
    ("updated", "d1 = (W2 @ d2) * (1 - h1**2)", "d1 = (W2_new @ d2) * (1 - h1**2)"),
    ("updated", "W3_new = W3 - alpha * np.outer(h2, d3)", "W3_new = np.subtract(W3, alpha * np.outer(h2, d3), out=W3)"),
    ("all_once", "for n in range(len(x)):", "for n in range(1, len(x)):"),
    ("pairs", "w = step(w, x[n], t[n], alpha)", "w = step(w, x[n], t[n - 1], alpha)"),
    ("report", "return np.mean([forward(w, x[n], t[n])[0] for n in range(len(x))])", "return forward(w, x[-1], t[-1])[0]"),
) + rows(
    "shared",
    ("factor", "do = 2 * r / len(x)", "do = r / len(x)"),
    ("order", "dU = h2.T @ do", "dU = do.T @ h2"),
    ("unsummed", "dc = np.sum(do, axis=0)", "dc = do"),
    ("bias_mean", "dc = np.sum(do, axis=0)", "dc = np.mean(do, axis=0)"),
    ("transposed", "dh1 = da2 @ W.T", "dh1 = da2 @ W"),
    ("derivative_place", "da2 = dh2 * (1 - u2**2)", "da2 = dh2 * (1 - h2**2)"),
    ("derivative_place", "da1 = dh1 * (1 - h1**2)", "da1 = dh1 * (1 - u2**2)"),
    ("overwrite", "dW += x.T @ da1", "dW = x.T @ da1"),
    ("overwrite", "db += np.sum(da1, axis=0)", "db = np.sum(da1, axis=0)"),
    ("overwrite", "dh1 += dh2", "dh1 = dh2"),
    ("in_place", "h2 = h1 + u2", "h2 = np.add(h1, u2, out=h1)"),
    ("batch_one", "dW = h1.T @ da2", "dW = np.outer(np.sum(h1, axis=0), np.sum(da2, axis=0))"),
    ("prediction", 'twice = once + np.tanh(once @ w["W"] + w["b"])', 'twice = np.tanh(once @ w["W"] + w["b"])'),
) + rows(
    "tied",
    ("sign", "r = o - x", "r = x - o"),
    ("order", "dW = do.T @ h", "dW = h.T @ do"),
    ("factor", "do = 2 * r / len(x)", "do = r / len(x)"),
    ("bias_axes", "dc = np.sum(do, axis=0)", "dc = np.full_like(c, np.sum(do))"),
    ("bias_operand", "db = np.sum(da, axis=0)", "db = np.sum(dh, axis=0)"),
    ("batch_twice", "dW += x.T @ da", "dW += x.T @ da / len(x)"),
    ("derivative_output", "da = dh * (1 - h**2)", "da = dh * (1 - np.tanh(h)**2)"),
    ("overwrite", "dW += x.T @ da", "dW = x.T @ da"),
    ("one_path", "dW = do.T @ h", "dW = np.zeros_like(W)"),
    ("one_path", "dW += x.T @ da", "dW += 0"),
    ("in_place", "do = 2 * r / len(x)", "do = np.multiply(r, 2 / len(x), out=r)"),
    ("prediction", 'return encode(w, x) @ w["W"].T + w["c"]', 'return np.tanh(encode(w, x) @ w["W"].T + w["c"])'),
    ("mean_axis", "return np.mean((reconstruct(w, x) - x)**2, axis=0)", "return np.mean((reconstruct(w, x) - x)**2, axis=1)"),
    ("report", "return np.mean((reconstruct(w, x) - x)**2, axis=0)", "return np.mean(reconstruct(w, x) - x, axis=0)**2"),
) + rows(
    "denoising",
    ("sign", "do = (sigmoid(o) - target) / len(seen)", "do = (target - sigmoid(o)) / len(seen)"),
    ("batch", "do = (sigmoid(o) - target) / len(seen)", "do = sigmoid(o) - target"),
    ("bias_mean", "db2 = np.sum(do, axis=0)", "db2 = np.mean(do, axis=0)"),
    ("wrong_input", "dW1 = seen.T @ da", "dW1 = target.T @ da"),
    ("fused_again", "do = (sigmoid(o) - target) / len(seen)", "do = (sigmoid(o) - target) * sigmoid(o) * (1 - sigmoid(o)) / len(seen)"),
    ("derivative_formula", "da = dh * h * (1 - h)", "da = dh * (1 - h)"),
    ("derivative_output", "da = dh * h * (1 - h)", "da = dh * sigmoid(h) * (1 - sigmoid(h))"),
    ("in_place", "seen = corrupt(x, noise)", "seen = np.add(x, noise, out=x)"),
    ("target", "target = x", "target = seen"),
    ("range", "return np.where(noise < 0, 0.0, np.where(noise > 0, 1.0, x))", "return x + noise"),
    ("range", "return np.where(noise < 0, 0.0, np.where(noise > 0, 1.0, x))", "return np.where(noise < 0, 0.0, np.where(noise > 0, 2.0, x))"),
    ("range", "return np.where(noise < 0, 0.0, np.where(noise > 0, 1.0, x))", "return np.where(noise != 0, 0.0, x)"),
    ("sampler", "return np.where(u < P / 2, -1.0, np.where(u > 1 - P / 2, 1.0, 0.0))",
     "return np.where(u < P, -1.0, np.where(u > 1 - P, 1.0, 0.0))"),
    ("sampler", "u = rng.random(shape)", "u = rng.standard_normal(shape)"),
    ("logits", 'return sigmoid(sigmoid(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"])', 'return sigmoid(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]'),
) + rows(
    "sparse",
    ("order", "dh = do @ W2.T + dm / len(x)", "dh = W2.T @ do + dm / len(x)"),
    ("kl_batch", "L = np.sum(r**2) / len(x) + BETA * np.sum(kl)", "L = np.sum(r**2) / len(x) + BETA * np.mean(kl)"),
    ("penalty_scale", "dh = do @ W2.T + dm / len(x)", "dh = do @ W2.T + dm"),
    ("penalty_scale", "dm = BETA * ((1 - RHO) / (1 - m) - RHO / m)", "dm = (1 - RHO) / (1 - m) - RHO / m"),
    ("penalty_sign", "dm = BETA * ((1 - RHO) / (1 - m) - RHO / m)", "dm = BETA * (RHO / m - (1 - RHO) / (1 - m))"),
    ("term_lost", "dh = do @ W2.T + dm / len(x)", "dh = do @ W2.T"),
    ("derivative_formula", "dm = BETA * ((1 - RHO) / (1 - m) - RHO / m)", "dm = BETA * (np.log(m / RHO) - np.log((1 - m) / (1 - RHO)))"),
    ("derivative_lost", "da = dh * h * (1 - h)", "da = dh"),
    ("in_place", "da = dh * h * (1 - h)", "da = np.multiply(dh * h, 1 - h, out=h)"),
    ("constant", "kl = RHO * np.log(RHO / m) + (1 - RHO) * np.log((1 - RHO) / (1 - m))", "kl = -RHO * np.log(m) - (1 - RHO) * np.log(1 - m)"),
    ("mean_axis", 'return np.mean(sigmoid(x @ w["W1"] + w["b1"]), axis=0)', 'return np.mean(sigmoid(x @ w["W1"] + w["b1"]), axis=1)'),
    ("mean_axis", 'return np.argmax(sigmoid(x @ w["W1"] + w["b1"]), axis=1)', 'return np.argmax(sigmoid(x @ w["W1"] + w["b1"]), axis=0)'),
) + rows(
    "ksparse",
    ("sign", "do = 2 * r / len(x)", "do = -2 * r / len(x)"),
    ("batch", "do = 2 * r / len(x)", "do = 2 * r"),
    ("unsummed", "db1 = np.sum(da, axis=0)", "db1 = da"),
    ("bias_operand", "db1 = np.sum(da, axis=0)", "db1 = np.sum(dh, axis=0)"),
    ("mask_lost", "da = dh * mask", "da = dh"),
    ("mask_lost", "dW2 = h.T @ do", "dW2 = a.T @ do"),
    ("other_mask", "da = dh * mask", "da = dh * (a > 0)"),
    ("other_mask", "da = dh * mask", "da = dh * top_k(dh)"),
    ("in_place", "h = a * mask", "h = np.multiply(a, mask, out=mask)"),
    ("winners", "order = np.argsort(-np.abs(a), axis=1)", "order = np.argsort(np.abs(a), axis=1)"),
    ("winners", "order = np.argsort(-np.abs(a), axis=1)", "order = np.argsort(-a, axis=1)"),
    ("winners", "np.put_along_axis(mask, order[:, :K], 1, axis=1)", "np.put_along_axis(mask, order[:, :K + 1], 1, axis=1)"),
    ("winners", "np.put_along_axis(mask, order[:, :K], 1, axis=1)", "np.put_along_axis(mask, order[:, K:], 1, axis=1)"),
    ("mean_axis", "return np.mean(encode(w, x) != 0, axis=0)", "return np.mean(encode(w, x) != 0, axis=1)"),
) + rows(
    "contractive",
    ("penalty_sign", "L = np.sum(r**2) / len(x) + LAMBDA * penalty", "L = np.sum(r**2) / len(x) - LAMBDA * penalty", 1),
    ("penalty_scale", "ds = LAMBDA * 2 * s * n / len(x)", "ds = LAMBDA * s * n / len(x)"),
    ("penalty_scale", "dn = LAMBDA * np.sum(s**2, axis=0) / len(x)", "dn = LAMBDA * np.sum(s**2, axis=0)"),
    ("penalty_scale", "ds = LAMBDA * 2 * s * n / len(x)", "ds = 2 * s * n / len(x)"),
    ("kl_batch", "penalty = np.sum(s**2 * n) / len(x)", "penalty = np.sum(s**2 * n)"),
    ("derivative_formula", "dh = do @ W2.T + ds * (1 - 2 * h)", "dh = do @ W2.T + ds * (1 - h)"),
    ("derivative_formula", "da = dh * s", "da = dh * h"),
    ("another_loss", "n = np.sum(W1**2, axis=0)", "n = np.sum(W1, axis=0)**2"),
    ("second_path", "dW1 = x.T @ da + dn * 2 * W1", "dW1 = x.T @ da"),
    ("second_path", "dh = do @ W2.T + ds * (1 - 2 * h)", "dh = do @ W2.T"),
    ("in_place", "da = dh * s", "da = np.multiply(dh, s, out=s)"),
    ("jacobian", 'return (code * (1 - code))[:, None, :] * w["W1"]', 'return code[:, None, :] * w["W1"]'),
    ("report", "return np.mean(np.sum(jacobian(w, x)**2, axis=(1, 2)))", "return np.mean(np.sum(jacobian(w, x), axis=(1, 2))**2)"),
    ("mean_axis", "return np.mean(np.sum(jacobian(w, x)**2, axis=(1, 2)))", "return np.mean(jacobian(w, x)**2)"),
) + rows(
    "vae",
    ("sign", "do = (sigmoid(o) - x) / len(x)", "do = (x - sigmoid(o)) / len(x)"),
    ("order", "dz = da2 @ W2.T", "dz = da2 @ W2"),
    ("kl_batch", "dmu = dz + mu / len(x)", "dmu = dz + mu"),
    ("kl_batch", "kl = 0.5 * np.sum(mu**2 + sigma**2 - logvar - 1, axis=1)", "kl = 0.5 * np.mean(mu**2 + sigma**2 - logvar - 1, axis=1)"),
    ("penalty_sign", "dmu = dz + mu / len(x)", "dmu = dz - mu / len(x)"),
    ("half", "dlogvar = dsigma * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)", "dlogvar = dsigma * sigma + 0.5 * (sigma**2 - 1) / len(x)"),
    ("half", "dlogvar = dsigma * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)", "dlogvar = dsigma * 0.5 * sigma + (sigma**2 - 1) / len(x)"),
    ("another_loss", "kl = 0.5 * np.sum(mu**2 + sigma**2 - logvar - 1, axis=1)",
     "kl = 0.5 * np.sum(mu**2 + np.exp(2 * logvar) - 2 * logvar - 1, axis=1)"),
    ("another_loss", "sigma = np.exp(0.5 * logvar)", "sigma = np.exp(logvar)"),
    ("term_lost", "dmu = dz + mu / len(x)", "dmu = dz"),
    ("term_lost", "dlogvar = dsigma * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)", "dlogvar = dsigma * 0.5 * sigma"),
    ("derivative_output", "da2 = dh2 * (1 - h2**2)", "da2 = dh2 * (1 - np.tanh(h2)**2)"),
    ("one_path", "dh1 = dmu @ Wm.T + dlogvar @ Wv.T", "dh1 = dmu @ Wm.T"),
    ("one_path", "dh1 = dmu @ Wm.T + dlogvar @ Wv.T", "dh1 = dlogvar @ Wv.T"),
    ("redrawn", "dsigma = dz * epsilon", "dsigma = dz * draw_epsilon(np.random.default_rng(), dz.shape)"),
    ("in_place", "dsigma = dz * epsilon", "dsigma = np.multiply(dz, epsilon, out=epsilon)"),
    ("sigma", 'center, spread = hidden @ w["Wm"] + w["bm"], np.exp(0.5 * (hidden @ w["Wv"] + w["bv"]))',
     'center, spread = hidden @ w["Wm"] + w["bm"], np.exp(hidden @ w["Wv"] + w["bv"])'),
    ("logvar", "return 0.5 * np.sum(center**2 + np.exp(log_variance) - log_variance - 1, axis=1)",
     "return 0.5 * np.sum(center**2 + np.exp(2 * log_variance) - 2 * log_variance - 1, axis=1)"),
    ("constant", "kl = 0.5 * np.sum(mu**2 + sigma**2 - logvar - 1, axis=1)", "kl = 0.5 * np.sum(mu**2 + sigma**2 - logvar, axis=1)"),
    ("sampler", "return rng.standard_normal(shape)", "return rng.random(shape)"),
    ("sampler", 'code = rng.standard_normal((n, len(w["W2"])))', 'code = rng.random((n, len(w["W2"])))'),
    ("sampler", "return center + spread * rng.standard_normal(center.shape)", "return center + spread * rng.standard_normal(center.shape[1])"),
) + rows(
    "gaussian_vae",
    ("factor", "do = r * np.exp(-rho) / len(x)", "do = 2 * r * np.exp(-rho) / len(x)"),
    ("sign", "r = o - x", "r = x - o"),
    ("unsummed", "drho = np.mean(0.5 * x.shape[1] - 0.5 * squares, keepdims=True)", "drho = (0.5 * x.shape[1] - 0.5 * squares) / len(x)"),
    ("batch", "drho = np.mean(0.5 * x.shape[1] - 0.5 * squares, keepdims=True)", "drho = np.sum(0.5 * x.shape[1] - 0.5 * squares, keepdims=True)"),
    ("one_of_many", "drho = np.mean(0.5 * x.shape[1] - 0.5 * squares, keepdims=True)", "drho = np.mean(0.5 - 0.5 * squares, keepdims=True)"),
    ("half", "dlogvar = dz * epsilon * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)",
     "dlogvar = dz * epsilon * sigma + 0.5 * (sigma**2 - 1) / len(x)"),
    ("kl_batch", "dlogvar = dz * epsilon * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)",
     "dlogvar = dz * epsilon * 0.5 * sigma + 0.5 * (sigma**2 - 1)"),
    ("scale_lost", "do = r * np.exp(-rho) / len(x)", "do = r / len(x)"),
    ("term_lost", "dmu = dz + mu / len(x)", "dmu = dz"),
    ("another_loss", "squares = np.sum(r**2, axis=1) * np.exp(-rho)", "squares = np.sum(r**2, axis=1) * np.exp(-2 * rho)"),
    ("scale_lost", "dlogvar = dz * epsilon * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)",
     "dlogvar = dz * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)"),
    ("one_path", "dlogvar = dz * epsilon * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)", "dlogvar = 0.5 * (sigma**2 - 1) / len(x)"),
    ("one_path", "dmu = dz + mu / len(x)", "dmu = mu / len(x)"),
    ("in_place", "do = r * np.exp(-rho) / len(x)", "do = np.multiply(r, np.exp(-rho), out=r) / len(x)"),
    ("constant", "nll = 0.5 * squares + 0.5 * x.shape[1] * (rho + np.log(2 * np.pi))", "nll = 0.5 * squares + 0.5 * x.shape[1] * rho"),
    ("constant", "nll = 0.5 * squares + 0.5 * x.shape[1] * (rho + np.log(2 * np.pi))",
     "nll = 0.5 * squares + 0.5 * (x.shape[1] * rho + np.log(2 * np.pi))"),
    ("sigma", "return o + np.exp(0.5 * rho) * rng.standard_normal(o.shape)", "return o + np.exp(rho) * rng.standard_normal(o.shape)"),
    ("sampler", "return o + np.exp(0.5 * rho) * rng.standard_normal(o.shape)", "return o + np.exp(0.5 * rho) * rng.random(o.shape)"),
    ("mean_axis", 'return np.var(x @ w["Wm"] + w["bm"], axis=0)', 'return np.var(x @ w["Wm"] + w["bm"], axis=1)'),
) + rows(
    "iwae",
    ("sign", "dlog_w = -share / len(x)", "dlog_w = share / len(x)"),
    ("order", "dz = do @ W.T - dlog_w[:, :, None] * z", "dz = do @ W - dlog_w[:, :, None] * z"),
    ("batch", "dlog_w = -share / len(x)", "dlog_w = -share"),
    ("one_of_many", "dmu = np.sum(dz, axis=0)", "dmu = np.mean(dz, axis=0)"),
    ("one_of_many", "db = np.sum(do, axis=(0, 1))", "db = np.sum(np.mean(do, axis=0), axis=0)"),
    ("half", "dlogvar = np.sum(dz * epsilon, axis=0) * 0.5 * sigma + 0.5 * np.sum(dlog_w, axis=0)[:, None]",
     "dlogvar = np.sum(dz * epsilon, axis=0) * sigma + 0.5 * np.sum(dlog_w, axis=0)[:, None]"),
    ("another_loss", "log_w = log_like + log_p - log_q", "log_w = log_like + log_p + log_q"),
    ("term_lost", "dlogvar = np.sum(dz * epsilon, axis=0) * 0.5 * sigma + 0.5 * np.sum(dlog_w, axis=0)[:, None]",
     "dlogvar = np.sum(dz * epsilon, axis=0) * 0.5 * sigma"),
    ("wrong_axis", "share = np.exp(log_w - most) / total", "share = np.exp(log_w - most) / np.sum(total)"),
    ("one_path", "dz = do @ W.T - dlog_w[:, :, None] * z", "dz = do @ W.T"),
    ("equal_weights", "dlog_w = -share / len(x)", "dlog_w = np.full_like(share, -1 / share.size)"),
    ("equal_weights", "share = np.exp(log_w - most) / total", "share = np.exp(most - log_w) / np.sum(np.exp(most - log_w), axis=0)"),
    ("in_place", "share = np.exp(log_w - most) / total", "share = np.exp(log_w - most, out=log_w) / total"),
    ("constant", "bound = most + np.log(total) - np.log(len(epsilon))", "bound = most + np.log(total)"),
    ("constant", "log_p = -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=2)", "log_p = -0.5 * np.sum(z**2, axis=2)"),
    ("bound", "return highest + np.log(np.mean(np.exp(log_w - highest), axis=0))", "return highest + np.mean(log_w - highest, axis=0)"),
    ("bound", "return highest + np.log(np.mean(np.exp(log_w - highest), axis=0))", "return highest + np.log(np.mean(np.exp(highest - log_w), axis=0))"),
    ("bound", "return highest + np.log(np.mean(np.exp(log_w - highest), axis=0))", "return highest + np.log(np.sum(np.exp(log_w - highest), axis=0))"),
    ("report", "return np.sum(weight, axis=0)**2 / np.sum(weight**2, axis=0)", "return np.sum(weight**2, axis=0) / np.sum(weight, axis=0)**2"),
) + rows(
    "full_vae",
    ("factor", "do = r / len(x)", "do = 2 * r / len(x)"),
    ("sign", "r = o - x", "r = x - o"),
    ("kl_batch", "dS = dz[:, :, None] * epsilon[:, None, :] + S / len(x)", "dS = dz[:, :, None] * epsilon[:, None, :] + S"),
    ("half", "dlogvar = dsigma * 0.5 * sigma - 0.5 / len(x)", "dlogvar = dsigma * sigma - 0.5 / len(x)"),
    ("transposed", "dS = dz[:, :, None] * epsilon[:, None, :] + S / len(x)", "dS = epsilon[:, :, None] * dz[:, None, :] + S / len(x)"),
    ("transposed", "dc = dS[:, 1, 0][:, None]", "dc = dS[:, 0, 1][:, None]"),
    ("another_loss", "S[:, 1, 1] = np.exp(0.5 * logvar[:, 1])", "S[:, 1, 1] = np.exp(logvar[:, 1])"),
    ("term_lost", "dlogvar = dsigma * 0.5 * sigma - 0.5 / len(x)", "dlogvar = dsigma * 0.5 * sigma"),
    ("one_path", "dS = dz[:, :, None] * epsilon[:, None, :] + S / len(x)", "dS = dz[:, :, None] * epsilon[:, None, :]"),
    ("one_path", "dmu = dz + mu / len(x)", "dmu = dz"),
    ("in_place", "do = r / len(x)", "do = np.divide(r, len(x), out=r)"),
    ("constant", "kl = 0.5 * (np.sum(mu**2, axis=1) + np.sum(S**2, axis=(1, 2)) - 2) - 0.5 * np.sum(logvar, axis=1)",
     "kl = 0.5 * (np.sum(mu**2, axis=1) + np.sum(S**2, axis=(1, 2))) - 0.5 * np.sum(logvar, axis=1)"),
    ("constant", "nll = 0.5 * np.sum(r**2, axis=1) + 0.5 * x.shape[1] * np.log(2 * np.pi)", "nll = 0.5 * np.sum(r**2, axis=1)"),
    ("covariance", "return factor @ np.swapaxes(factor, 1, 2)", "return np.swapaxes(factor, 1, 2) @ factor"),
    ("covariance", "return factor @ np.swapaxes(factor, 1, 2)", "return factor**2"),
    ("covariance", "return cov[:, 0, 1] / np.sqrt(cov[:, 0, 0] * cov[:, 1, 1])", "return cov[:, 0, 1] / (cov[:, 0, 0] * cov[:, 1, 1])"),
) + rows(
    "numerical",
    ("derivative_lost", "da1 = do @ W2.T * (1 - h1**2)", "da1 = do @ W2.T"),
    ("factor", "do = 2 * r / len(x)", "do = r / len(x)"),
    ("difference", "g[i] = (above - below) / (2 * h)", "g[i] = (above - below) / h"),
    ("difference", "w[i] = old - h", "w[i] = old"),
    ("difference", "w[i] = old", "w[i] = old + h"),
    ("difference", "def numerical_gradient(f, w, h=1e-5):", "def numerical_gradient(f, w, h=1e-14):"),
    ("difference", "return np.linalg.norm(a - g) / size if size > 0 else 0.0",
     "return np.abs(np.linalg.norm(a) - np.linalg.norm(g)) / size if size > 0 else 0.0"),
    ("difference", "size = np.linalg.norm(a) + np.linalg.norm(g)", "size = np.linalg.norm(a + g)"),
)
