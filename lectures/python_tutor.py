"""The 2-2-2 network once more in pure Python, one assignment per line: paste it into pythontutor.com and step through it.

Nothing is imported. Names are those of lecture 04: a is a pre-activation, h a hidden output, o an output, t a target; the
gradient of E with respect to a quantity has its name with a d in front.
"""

e = 2.718281828459045                    # so that sigmoid(a) = 1 / (1 + e^-a)
x = [0.05, 0.10]
t = [0.01, 0.99]
W1 = [[0.15, 0.25], [0.20, 0.30]]        # W1[i][j] leads from input i to hidden unit j
b1 = [0.35, 0.35]
W2 = [[0.40, 0.50], [0.45, 0.55]]
b2 = [0.60, 0.60]
alpha = 0.5

a1, h1, a2, o = [0, 0], [0, 0], [0, 0], [0, 0]
do, da2, dh1, da1 = [0, 0], [0, 0], [0, 0], [0, 0]
dW1 = [[0, 0], [0, 0]]
dW2 = [[0, 0], [0, 0]]

# Forward: the values, from the input to the error.
for j in range(2):
    a1[j] = x[0] * W1[0][j] + x[1] * W1[1][j] + b1[j]
    h1[j] = 1 / (1 + e ** -a1[j])
for j in range(2):
    a2[j] = h1[0] * W2[0][j] + h1[1] * W2[1][j] + b2[j]
    o[j] = 1 / (1 + e ** -a2[j])
E = (t[0] - o[0]) ** 2 / 2 + (t[1] - o[1]) ** 2 / 2

# Backward: the same lines from the last to the first, each with a d in front.
for j in range(2):
    do[j] = o[j] - t[j]
    da2[j] = do[j] * o[j] * (1 - o[j])
for i in range(2):
    dW2[i][0] = h1[i] * da2[0]
    dW2[i][1] = h1[i] * da2[1]
    dh1[i] = W2[i][0] * da2[0] + W2[i][1] * da2[1]
for j in range(2):
    da1[j] = dh1[j] * h1[j] * (1 - h1[j])
    dW1[0][j] = x[0] * da1[j]
    dW1[1][j] = x[1] * da1[j]

# Only now the step: all gradients belong to the old weights. The example leaves the biases as they are.
for i in range(2):
    for j in range(2):
        W1[i][j] = W1[i][j] - alpha * dW1[i][j]
        W2[i][j] = W2[i][j] - alpha * dW2[i][j]

print("E =", E)
print("W1 =", W1)
print("W2 =", W2)
