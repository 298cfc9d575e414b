"""The gradient check as a picture: every element, numerical against yours, and the Taylor test."""

import math

import numpy as np
from matplotlib.scale import SymmetricalLogScale

from numpyae.plots.style import COLOURS, TEXT, TICKS, legend_below_title, light_grid, new_axes, new_figure, signed

# The verdicts of a gradient check, in the order of their numbers: name, marker, its size in points, colour.
VERDICTS = (("agree", "o", 5, COLOURS[0]), ("disagree", "X", 13, COLOURS[2]), ("cannot tell", "s", 9, COLOURS[3]),
            ("on a kink", "^", 12, COLOURS[4]))


def gradient_check(report):
    """Each checked element's numerical gradient against yours, and the Taylor test beside it where the report has one.

    report: of a gradient check; its rows of single terms of the loss are left out. The axes are logarithmic on both
    sides of zero, so that a wrong factor is the same distance from the line everywhere, and linear close to it. Of the
    elements that disagree, the one is named that is the most error bars off. ValueError for a report without a checked
    element.
    """
    rows = [row for row in report.rows if row["term"] is None and len(row["values"]["index"]) > 0]
    if not rows:
        raise ValueError("gradient_check: the report must have at least one checked element, got none")
    every = {key: np.concatenate([row["values"][key] for row in rows])
             for key in ("index", "yours", "numerical", "error", "verdict")}
    every["row"] = np.repeat(np.arange(len(rows)), [len(row["values"]["index"]) for row in rows])
    finite = np.isfinite(every["yours"]) & np.isfinite(every["numerical"])
    elements = {key: values[finite] for key, values in every.items()}
    wrong = np.flatnonzero(elements["verdict"] == 1)
    see = ("Backward is right: all points that can be judged lie on the line." if report.ok else
           "Backward is wrong at the crosses: what it gives there is not the slope of the loss." if len(wrong) else
           "Nothing here disagrees, yet the check has not passed: print the report to see why.")
    figure = new_figure(see, 16 if report.taylor else 10, 9)
    grid = figure.add_gridspec(1, 2 if report.taylor else 1)
    axes = new_axes(figure, grid[0], f"{report.name}: gradient of {len(finite)} element{'s' * (len(finite) > 1)}")
    show_gradients(axes, elements, np.sum(~finite))
    if len(wrong):
        gap = np.abs(elements["yours"] - elements["numerical"]) / (np.nan_to_num(elements["error"]) + 1e-300)
        name_worst(axes, elements, wrong[np.argmax(gap[wrong])], rows)
    if report.taylor:
        axes = new_axes(figure, grid[1], "Taylor test along a direction v", "step h", "change of the loss")
        show_taylor(axes, report.taylor, report.ok, np.any(every["verdict"] == 3))
    return figure


def show_gradients(axes, elements, lost):
    """Draw numerical against yours; colour and marker are the verdict. lost: how many are not finite.

    The few come on top of the many.
    """
    low, high = signed_log(axes, elements)
    axes.plot([low, high], [low, high], "-", color="0.3", linewidth=1.5, label="yours = numerical")
    for verdict in (0, 2, 3, 1):
        name, marker, size, colour = VERDICTS[verdict]
        members = elements["verdict"] == verdict
        if members.any():
            axes.plot(elements["numerical"][members], elements["yours"][members], marker, markersize=size, color=colour,
                      markeredgecolor="white" if verdict else colour, label=f"{members.sum()} {name}")
    if lost:
        axes.plot([], [], " ", label=f"{lost} not finite")
    legend_below_title(axes)


def signed_log(axes, elements):
    """Make both axes equal, logarithmic on both sides of zero, and linear where rounding rules. Return the limits."""
    size = np.maximum(np.abs(elements["yours"]), np.abs(elements["numerical"]))
    largest = size.max(initial=0) or 1.0
    clear = (size > np.nan_to_num(elements["error"])) & (size > 1e-18 * largest)
    wrong = elements["verdict"] == 1
    others = np.sort(size[clear & ~wrong])
    smallest = min([largest, *size[clear & wrong], *others[len(others) // 100:]])      # one in 100 may be smaller
    bottom, top = math.floor(math.log10(smallest)), math.floor(math.log10(largest))    # powers of 10 on the axes
    linear = min(1, (math.log10(largest) - bottom) / 5) or 1                           # width of the linear part
    both = np.concatenate([elements["yours"], elements["numerical"], [0.0]])
    scale = SymmetricalLogScale(None, linthresh=10.0**bottom, linscale=linear)
    transform = scale.get_transform()
    ends = transform.transform([both.min(), both.max()] if np.any(both) else [-1, 1])
    low, high = transform.inverted().transform(ends + np.ptp(ends) * np.array([-0.05, 0.05]))
    step = math.ceil((top - bottom + 1) / 4)
    far = 0.1 * (top + 1 - bottom + linear)                                  # from the label of zero
    powers = [power for power in range(top, bottom - 1, -step) if power - bottom + linear >= far]
    ticks = {sign * 10.0**k: f"${'-' * (sign < 0)}10^{{{k}}}$" for sign in (-1, 1) for k in powers} | {0.0: "0"}
    for axis, name in (("x", "numerical"), ("y", "yours")):
        axes.set(**{f"{axis}scale": scale, f"{axis}ticks": list(ticks), f"{axis}ticklabels": list(ticks.values()),
                    f"{axis}label": f"{name}: change of the loss per change of the element", f"{axis}lim": (low, high)})
    axes.minorticks_off()
    light_grid(axes)
    return low, high


def name_worst(axes, elements, worst, rows):
    """Write the name of an element and its two gradients where they cover the fewest points, with a line to its own."""
    row, x, y = rows[elements["row"][worst]], elements["numerical"], elements["yours"]
    place = ", ".join(str(i) for i in np.unravel_index(elements["index"][worst], row["shape"]))
    name = f"worst: {row['array']}[{place}]" if place else f"worst: {row['array']}"
    width = 0.04 + 0.017 * max(len(name), 23)                                # of the text, about, in widths of the axes
    points = (axes.transData + axes.transAxes.inverted()).transform(np.stack([x, y], axis=1))
    spots = np.array([[0.02 + width / 2, 0.89], [0.5, 0.89], [0.5, 0.11], [0.98 - width / 2, 0.11]])
    best = min(spots, key=lambda spot: (np.sum(np.all(np.abs(points - spot) < [width / 2, 0.11], axis=1)),
                                        np.hypot(*(points[worst] - spot))))
    axes.annotate(f"{name}\nyours {signed(y[worst], '.7g')}\nnumerical {signed(x[worst], '.7g')}",
                  (x[worst], y[worst]), best, textcoords="axes fraction", fontsize=TEXT, ha="center",
                  va="center", bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "0.6"},
                  arrowprops={"arrowstyle": "-", "color": "0.2", "linewidth": 1.5, "shrinkB": 8})


def show_taylor(axes, taylor, ok, kinks):
    """Draw the change of the loss over a step h, and the rest that the gradient does not explain.

    Slopes 1 and 2 and rounding are there to compare with.
    """
    order = np.argsort(taylor["h"])
    h, first, second = (np.asarray(taylor[key], dtype=float)[order] for key in ("h", "first", "second"))
    noise, values = taylor["noise"], np.concatenate([first, second])
    values = values[np.isfinite(values)]
    rounding = noise > 0 and values.min(initial=np.inf) < 3 * noise
    low = noise / 3000 if rounding else min(values[values > 0], default=1.0) / 3
    axes.set(xscale="log", yscale="log", ylim=(low, 30 * values.max(initial=low)))
    n, falls = falls_as(h, second, noise)
    wrong = ": a kink, or a wrong gradient" if kinks else ": the gradient is wrong"
    verdict = wrong if n == 1 else ": the gradient is right" if ok else ": right along this v" if n > 1 else ""
    axes.plot(h, first, "o-", color=COLOURS[8], linewidth=2.5, markersize=8,
              label=f"$|f(w + hv) - f(w)|$  {falls_as(h, first, noise)[1]}")
    axes.plot(h, second, "D-", color=COLOURS[6], linewidth=2.5, markersize=8,
              label=rf"$|f(w + hv) - f(w) - h\,g\cdot v|$  {falls}{verdict}")
    legend_below_title(axes)
    show_slope(axes, h, 1, 5 * max(first[-1], second[-1]), max(noise, low), -1)
    show_slope(axes, h, 2, second[-1] / 5, max(noise, low), 1)
    if rounding:
        axes.axhspan(low, noise, color="0.88", zorder=0)
        axes.text(0.98, 0.02, "rounding", transform=axes.transAxes, fontsize=TEXT, ha="right", va="bottom")
    light_grid(axes)


def show_slope(axes, h, slope, end, low, side):
    """Draw the line that falls as h^slope from `end` at the largest h to `low`, its name above (side -1) or below."""
    if not end > low:
        return
    left = max(h[0], h[-1] * (low / end)**(1 / slope))
    middle = math.sqrt(left * h[-1])
    axes.plot([left, h[-1]], [end * (left / h[-1])**slope, end], "--", color="0.3", linewidth=1)
    axes.annotate(f"slope {slope}", (middle, end * (middle / h[-1])**slope), (6 * side, -4 * side), fontsize=TICKS,
                  textcoords="offset points", ha="left" if side > 0 else "right", va="top" if side > 0 else "bottom")


def falls_as(h, values, noise):
    """Return n when the values fall as h^n, from the four smallest steps above rounding, and this in words.

    n = 0 where there are no such steps.
    """
    clear = np.flatnonzero(np.isfinite(values) & (values > 10 * max(noise, 0)))[:4]
    n = max(round(np.polyfit(np.log(h[clear]), np.log(values[clear]), 1)[0]), 0) if len(clear) >= 2 else 0
    return n, ("is rounding alone", "falls as h", "falls as h²")[n] if n < 3 else f"falls as $h^{n}$"
