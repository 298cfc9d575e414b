"""A network as the slides draw it: units and weights ([000]). A layer that is nothing of the kind is a plain box."""

import numpy as np
from matplotlib import patches

from numpyae import Layer, Model, Sequential
from numpyae.checks import must
from numpyae.plots.style import COLOURS, TEXT, TICKS, legend_above, new_panel, signed

# For each kind of arrow its line style and colour.
ARROWS = {"w ≥ 0": ("-", COLOURS[0]), "w < 0": ("--", COLOURS[2]), "fixed": (":", "0.3"), "through a box": ("-", "0.5")}
NO_NAMES = {-1: "1", None: "\N{VERTICAL ELLIPSIS}"}                           # the constant, and units left out
BOX = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.2", "linewidth": 1.5}


def network(network):
    """A network as the slides draw it ([000]): circles for units, arrows for weights, the inputs on the left.

    network: a layer, a Sequential, or a model with networks in it. Of more than 8 units in a layer the first and last
    three are drawn. Where all are drawn, so are the constants 1, whose arrows are the biases; where they are few, the
    weights are written on the arrows. A layer with parameters that are no matrix of weights is a box. TypeError for
    what has no network, ValueError when no layer has a fixed width, or the order of a model's networks is not known.
    """
    columns = columns_of(network)
    widest, last = max(column["n"] for column in columns), len(columns) - 1
    for k, column in enumerate(columns):
        biased = widest <= 8 and k < last and columns[k + 1]["biased"]
        rows = [-1] * biased + column["rows"]            # W[-1] holds the biases
        column["units"] = [(row, np.array([k, (len(rows) - 1) / 2 - i])) for i, row in enumerate(rows)]   # one apart
    of_ones = ("Those that come from a 1 are the biases." if widest <= 8 else
               "The constant 1 is not depicted, but you always need it.")
    figure, axes = new_panel(f"Circles are units, arrows are weights, as wide as |w|. {of_ones}", 16,
                             f"{type(network).__name__}: {network.w.size} parameters")
    height = max(len(column["units"]) for column in columns)
    radius = min(26, 180 / height, 430 / len(columns))                       # of a circle, in points
    show_weights(axes, columns, radius, numbers=widest <= 3 and last <= 5)
    show_units(axes, columns, radius)
    labels = [f"{', '.join(column['letters'])}{column['formula']}\n{column['n']} "
              + ("unit" if k else "input") + "s" * (column["n"] > 1) for k, column in enumerate(columns)]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    axes.set(xticks=range(last + 1), xticklabels=labels, xlim=(-0.4, last + 0.4), ylim=(-height / 2, height / 2),
             yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=TEXT, labelrotation=90 if len(columns) * longest > 125 else 0)
    legend_above(axes)
    return figure


def weights_of(layer):
    """Return the matrix (n_in, n_out) of a layer, its own or its partner's transposed; None without one."""
    if not isinstance(layer, Layer):
        return None
    own_and_partners = [getattr(layer, "W", None),
                        *(np.transpose(getattr(partner, "W", None)) for partner in layer.partners().values())]
    return next((W for W in own_and_partners if np.shape(W) == (layer.n_in, layer.n_out)), None)


def columns_of(network):
    """Return the columns of units that `network` draws, from left to right, each as `new_column` makes it."""
    must(isinstance(network, (Layer, Model)),
         f"network: expected a layer, a network or a model, got {type(network).__name__}", TypeError)
    leaves = in_order(network, "")
    widths = [leaf.n_in for leaf in leaves.values() if leaf.n_in is not None]
    must(widths, f"network: at least one layer must have a fixed width, got {network!r}")
    columns, coded = [new_column("x", "", np.zeros((1, widths[0])))], False
    for name, leaf in leaves.items():
        if name.startswith(".decoder") and not coded:
            coded = True
            columns += end_of_encoder(columns.pop(), getattr(network, "posterior", None))
        W, before, kind = weights_of(leaf), columns[-1], type(leaf).__name__
        if W is not None:                                # weighted sums
            biased = np.shape(getattr(leaf, "b", None)) == (leaf.n_out,)
            columns.append(new_column("h", " = a", np.vstack([W, leaf.b if biased else 0 * W[0]]), biased=biased))
        elif leaf.n_out is not None:                     # functions without parameters, or the outputs of a box
            every = np.vstack([np.ones((before["n"], leaf.n_out)), np.zeros(leaf.n_out)])
            columns.append(new_column("φ", f" = {kind}({before['letters'][0]})", every, learnt=False,
                                      box=kind if leaf.owner.w.size else None))
        else:                                            # a function of each unit, named as in tanh({x}), or its class
            before["letters"] = ["h"] if len(columns) == 1 else before["letters"]
            name = vars(type(leaf)).get("formula", {}).get("y", "").removesuffix("({x})")
            before["formula"] = f" = {name if name.isalpha() else kind}({before['formula'][3:] or 'x'})"
    columns[-1]["letters"] = ["o"]
    return columns


def in_order(part, name):
    """Return {dotted name: layer} in the order in which x passes; a container other than a Sequential is one layer."""
    if not isinstance(part, (Sequential, Model)):
        return {name: part} if isinstance(part, Layer) else {}
    networks = [key for key, inner in part._parts.items() if isinstance(inner, Layer)]
    must(isinstance(part, Sequential) or len(networks) < 2 or networks == ["encoder", "decoder"],
         f"network: the order of {', '.join(networks)} in a {type(part).__name__} is not known: draw one of them, such "
         f"as model.{networks[0] if networks else 'network'}")
    return {place: layer for key in networks for place, layer in in_order(part._parts[key], f"{name}.{key}").items()}


def end_of_encoder(column, posterior):
    """Return the column or columns of the code: z, or the parameters of q(z|x) and the z drawn from it."""
    if posterior is None:
        return [column | {"letters": ["z"]}]
    if column["n"] < 2 * posterior.d:                    # a posterior of another shape: a box
        W = np.vstack([np.ones((column["n"], posterior.d)), np.zeros(posterior.d)])
        return [column, new_column("z", "", W, learnt=False, box=type(posterior).__name__, most=4)]
    one = np.eye(posterior.d)
    z = new_column("z", " = μ + σ ε", np.vstack([one, one, 0 * one[:1]]), learnt=False, most=4)
    halves = z["rows"] + [row if row is None else row + posterior.d for row in z["rows"]]
    return [column | {"letters": ["μ", "log σ²"], "formula": "", "rows": halves}, z]


def new_column(letter, formula, W, learnt=True, biased=False, box=None, most=8):
    """Return n units that the weights W (n_in + 1, n), biases last, lead to, as a dict.

    rows: those to be drawn, at most `most`; None for dots. box: the name on the box in front of them, if there is one.
    """
    n, ends = W.shape[1], most // 2 - 1
    return {"n": n, "letters": [letter], "formula": formula, "W": W, "learnt": learnt, "biased": biased, "box": box,
            "rows": list(range(n)) if n <= most else [*range(ends), None, *range(n - ends, n)]}


def show_units(axes, columns, radius):
    """Draw the circles of all columns, with letter and number of each unit, and the boxes in front of columns."""
    for k, column in enumerate(columns):
        each = column["n"] // len(column["letters"])
        for unit, (x, y) in column["units"]:
            name = "" if unit is None else f"{column['letters'][unit // each]}$_{{{unit % each + 1}}}$"
            face = "white" if unit == -1 else "0.9" if k == 0 else "#fff1d6"
            if unit is not None:
                axes.plot(x, y, "o", markersize=2 * radius, color=face, markeredgecolor="0.2", markeredgewidth=1.5)
            axes.text(x, y, NO_NAMES.get(unit, name.replace("²$", "$^2")),   # one above the other
                      fontsize=TICKS, ha="center", va="center")
        if column["box"]:
            axes.text(k - 0.5, 0, column["box"], fontsize=TEXT, ha="center", va="center", rotation=90, bbox=BOX)


def show_weights(axes, columns, radius, numbers):
    """Draw the arrows from column to column, small weights first; numbers: write the weights on them."""
    arrows = [arrow for before, column in zip(columns, columns[1:]) for arrow in arrows_to(before, column)]
    largest = max([abs(w) for w, kind, *_ in arrows if kind[0] == "w"], default=0) or 1.0
    legend = {}
    for w, kind, start, end, place in sorted(arrows, key=lambda arrow: abs(arrow[0])):
        style, colour = ARROWS[kind]
        width, label = 1.5, kind
        if kind[0] == "w":
            width, label = 0.6 + 4.4 * abs(w) / largest, f"{kind}, widest {signed(w, '.3g')}"
            if numbers:
                axes.text(*place, signed(w), fontsize=TICKS, ha="center", va="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        axes.add_patch(patches.FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=8 + 2 * width, color=colour, linewidth=width, linestyle=style,
            shrinkA=radius, shrinkB=radius))
        legend[kind] = {"linestyle": style, "color": colour, "linewidth": width, "label": label}   # of the widest
    for kind in filter(legend.get, ARROWS):
        axes.plot([], [], **legend[kind])


def arrows_to(before, column):
    """Return the arrows that end at a column, each as (w, kind, start, end, place of its number); kind: see ARROWS."""
    starts = [(i, start) for i, start in before["units"] if i is not None]
    ends = [(j, end) for j, end in column["units"] if j not in (None, -1)]
    if column["box"]:
        box = np.array([ends[0][1][0] - 0.5, 0.0])
        return [(1.0, "through a box", *way, box)
                for way in [(start, box) for _, start in starts] + [(box, end) for _, end in ends]]
    along = 1 / (1 + len(column["rows"]))                                    # so far along, no number meets another
    W, learnt = column["W"], column["learnt"]
    return [(W[i, j], ("w < 0" if W[i, j] < 0 else "w ≥ 0") if learnt else "fixed", start, end,
             start + along * (end - start)) for i, start in starts for j, end in ends if learnt or W[i, j]]
