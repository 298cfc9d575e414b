"""Plots: every figure, one function each. Look at a model before you believe its loss.

    learning_curve     does it learn, and when does it begin to learn by heart?
    reconstructions    what survives the way through the code?
    denoised           what does a denoising autoencoder make of noise?
    activity           which units answer to which class?
    samples            does the decoder make sense of codes that the encoder never gave it?
    code_map           which inputs are neighbours in the code?
    manifold           what lies between them?
    filters            which pixels does the first layer listen to?
    regression         the curve that was fitted, and the points it was fitted to
    gradient_check     is the backward pass the derivative of the forward pass?
    network            which units are there, and which weights lead to them?
    moving_basis       how do the hidden units move while a network is trained? (an animation)
    learning_animation how does a code take shape while a VAE is trained? (an animation, from a Recorder)

Each returns a matplotlib Figure and shows nothing: `figure.savefig("curve.png")` saves it, `plt.show()` shows all that
were made, `plt.close(figure)` frees it. Each says in one sentence below what there is to see. A file of this folder has
one kind of picture; `style` has what all share, for figures of your own.

Images are rows of x, (N, rows * columns) pixels in [0, 1]: 0 is black, 1 is white, what lies outside is cut off. Two
rules for colour: it is never the only channel (classes carry their names, curves their line styles), and about one man
in twelve does not see red and green as others do, so all colours here keep apart for him too.
"""

from numpyae.plots.codes import activity, code_map, densest_point, keep_apart, show_classes, unit_kl
from numpyae.plots.curves import learning_curve, regression
from numpyae.plots.films import Recorder, learning_animation, moving_basis
from numpyae.plots.gradients import VERDICTS, gradient_check
from numpyae.plots.images import (denoised, extent, filters, manifold, plane, quantiles, reconstructions, samples,
                                  show_images, show_page, tile)
from numpyae.plots.networks import network
from numpyae.plots.style import (COLOURS, DOTS, TEXT, TICKS, TITLE, check_image, choose_rows, legend_above,
                                 legend_below_title, light_grid, new_axes, new_figure, new_panel, plt, require,
                                 signed, whole_epochs)
