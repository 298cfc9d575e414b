"""Every step of forward and backward, in numbers.

Print the tableau of a network small enough to be followed by hand: every step of one forward and one backward
pass, its formula, its value and its gradient.

  2-2-2   two inputs, two logistic hidden units, two outputs: the worked example of M. Mazur (2015)
  vae     a variational autoencoder with one code number for two pixels, with ε, σ and KL
"""

import pathlib

from numpyae.lab.settings import at_least


OPTIONS = {
    "--model": dict(choices=["2-2-2", "vae"], default="2-2-2", help="whose steps (2-2-2)"),
    "--seed": dict(type=at_least(0), default=0, help="of the ε that the vae draws (0)"),
    "--html": dict(metavar="PAGE", help="write it as a page for the browser, into a new file: the network drawn, a "
                                        "click goes on by a step, and every formula also with its numbers")}


def run(arguments):
    """Print the tableau of one of the two small examples, or write its page."""
    from numpyae.course import examples
    from numpyae.tableau import trace

    model, *batch = examples.tiny_vae() if arguments.model == "vae" else examples.two_two_two()
    tableau = trace(model, *batch, rng=arguments.seed)
    if arguments.html is None:
        print(tableau)
    elif pathlib.Path(arguments.html).exists():
        raise ValueError(f"--html {arguments.html}: expected the name of a new file, got one that is there")
    else:
        pathlib.Path(arguments.html).write_text(tableau.to_html(), encoding="utf-8")
        print(f"wrote {arguments.html}")
