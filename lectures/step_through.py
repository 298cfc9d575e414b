"""The file to open in a debugger: one training step of the 2-2-2 network, forward, backward, update.

The network and its numbers are those of M. Mazur, "A Step by Step Backpropagation Example" (2015); lecture 04 compares them.
With pdb:

    python -m pdb lectures/step_through.py
    (Pdb) from numpyae import Dense
    (Pdb) break Dense.backward
    (Pdb) continue
"""

import numpy as np

from numpyae import Sigmoid, mlp

network = mlp([2, 2, 2], hidden=Sigmoid, output=Sigmoid)
first, _, second, _ = network.layers
first.W = [[0.15, 0.25], [0.20, 0.30]]
first.b = [0.35, 0.35]
second.W = [[0.40, 0.50], [0.45, 0.55]]
second.b = [0.60, 0.60]

x = np.array([[0.05, 0.10]])
t = np.array([[0.01, 0.99]])

o = network.forward(x)
E = 0.5 * np.sum((t - o)**2)
delta = o - t
network.backward(delta)
first.W -= 0.5 * first.dW                # the example leaves the biases as they are; else: network.w -= 0.5 * network.grad
second.W -= 0.5 * second.dW

print(f"E = {E:.9f} before the step, {0.5 * np.sum((t - network.forward(x))**2):.9f} after it")
