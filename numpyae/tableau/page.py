"""The backprop stepper: a tableau as a page for the browser, in which every click goes on by one step.

`tableau.to_html()` is the whole page: the network as a drawing, next and previous (buttons, arrow keys, a slider), the
formula of the step and the same formula with its numbers,

    a1 = x W1 + b1
    a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775

and the tableau, in which a click goes to that step. Of too many numbers the norm and the range are given. Forward is
blue and points right; backward is orange, dashed, and points left. The style is page.css, the script page.js.

The drawing shows the arrays of the way forward from left to right, with edges to what is made of them. A network of one
sample, one draw and at most 4 units a layer is drawn unit by unit; the arrays of a larger one are boxes. Every node and
edge is a part with a number, by which a step says what it lights.
"""

import contextlib
import html
import itertools
from importlib import resources

import numpy as np

from numpyae.tableau.rows import elementwise, in_numbers, shown

NOTHING_FROM_OUTSIDE = ('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
                        'style-src \'unsafe-inline\'; script-src \'unsafe-inline\'">')
STYLE, SCRIPT = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{policy}
<title>Backprop, step by step</title>
<style>
body {{ margin: 0 auto; padding: 0.5rem 1rem 2rem; max-width: 90rem; font: 16px/1.45 system-ui, sans-serif; \
color: #1a1a1a; background: #fff; }}
h1 {{ font-size: 1.4rem; margin: 0.4rem 0; }}
.of {{ color: #555; font-size: 0.85rem; margin: 0 0 0.8rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>Backprop, step by step</h1>
<p class="of">{title}</p>
{stepper}</body>
</html>
"""
STEPPER = """<style>
{style}</style>
<div class="stepper {everywhere}" tabindex="-1">
<div class="drawing">{svg}</div>
<div class="side">
<div class="panel">
<div class="controls"><button type="button" class="previous">◀ previous</button>\
<button type="button" class="next">next ▶</button>
<input type="range" min="0" max="{last}" value="0" aria-label="step"><span class="count">{steps} steps</span></div>
<div class="now" aria-live="polite"><div class="way"></div><div class="big"></div><div class="numbers"></div></div>
<p class="help">Arrow keys go on and back, Home and End to the ends; a click on a line of the table goes to that step. \
In the
drawing, → blue is forward: values. ← orange and dashed is backward: each gradient below what it belongs to.</p>
</div>
<div class="table"><table>
<thead><tr><th>step</th><th>formula</th><th>shape</th><th>value</th><th>gradient</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</div>
</div>
<script>
{script}</script>
"""
ROW = """<tr class="{way}" data-lit="{lit}"><td><button type="button">{step}</button></td>\
<td><span class="{kind}">{formula}</span><div class="filled">{numbers}</div></td>\
<td>{shape}</td><td>{value}</td><td>{gradient}</td></tr>
"""                                   # paper, and a screen without scripts, show the formula in numbers as well
MOST_UNITS = 4                        # of an array that is drawn unit by unit
OUTSIDE = ("given", "draw", "made")   # the kinds of rows that come from outside the network
SVG = """<svg viewBox="0 0 {width:g} {height:g}" style="--width: {width:g}px" role="img" \
aria-label="The network, from its input on the left to its loss on the right">\
<defs><marker id="stepper-forward" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" \
orient="auto"><path d="M0 0L8 4L0 8z" fill="#0b5cad"/></marker><marker id="stepper-backward" \
viewBox="0 0 8 8" refX="1" refY="4" markerWidth="5" markerHeight="5" orient="auto"><path d="M8 0L0 4L8 8z" \
fill="#b04a00"/></marker></defs>{parts}</svg>"""


def fragment(tableau, everywhere=False):
    """Return the stepper as a piece of a page: style, drawing, table and script.

    everywhere: its keys work wherever the focus is.
    """
    drawing, rows = Drawing(tableau), []
    for row, lines in in_numbers(tableau):
        value, gradient = ("<br>".join(map(html.escape, shown(array))) for array in (row.value, row.gradient))
        rows.append(ROW.format(
            way="backward" if row.backward else "forward", lit=" ".join(map(str, drawing.lit(row))),
            step=html.escape(row.step), kind="formula words" if row.kind in ("given", "draw") else "formula",
            formula=html.escape(row.formula), numbers="".join(f"<div>{html.escape(line)}</div>" for line in lines),
            shape=row.shape, value=value, gradient=gradient))
    return STEPPER.format(style=STYLE, script=SCRIPT, svg=drawing.svg(), rows="".join(rows), last=len(tableau) - 1,
                          steps=len(tableau), everywhere="everywhere" if everywhere else "")


class Drawing:
    """Nodes are the rows of the way forward, by name; edges lead to each from its sources."""

    def __init__(self, tableau):
        self.rows, self.nodes = tableau.rows, {}
        for row in self.rows:
            if not row.backward:
                self.nodes[row.step + "'" * (row.step in self.nodes)] = row        # L may be a covariance, and the loss
        self.names = {row: name for name, row in self.nodes.items()}
        self.sources = {name: [self.names[source] for source in row.sources if source in self.names]
                        for name, row in self.nodes.items()}
        self.edges = [(source, target) for target, sources in self.sources.items() for source in sources]
        self.parts = {what: k for k, what in enumerate([*self.nodes, *self.edges])}
        self.by_unit = all(row.shape[:1] in ((), (1,)) and row.value.size <= MOST_UNITS for row in self.nodes.values())
        self.units = {name: row.value.size if self.by_unit else 1 for name, row in self.nodes.items()}
        self.wide, self.high = (54, 78) if self.by_unit else (168, 92)
        self.column = self.columns()
        self.lane = self.lanes()
        self.place()

    def columns(self):
        """Return the column of every node: behind its sources; what comes from outside stands just before its use."""
        column, outside, first = {}, [], next(iter(self.nodes))
        for name, sources in self.sources.items():
            column[name] = max((column[source] + 1 for source in sources), default=0)
            around = all(source in outside and self.nodes[source].kind in OUTSIDE for source in sources)
            if around and name != first or self.nodes[name].kind == "made" and sources == [first]:
                outside.append(name)
        for name in reversed(outside):
            before = min((column[target] for source, target in self.edges if source == name), default=1) - 1
            column[name] = max(column[name], before)
        return column

    def lanes(self):
        """Return the lane of every node: that of its first source, if that is free."""
        lane, first = {}, next(iter(self.nodes))
        for name in sorted(self.nodes, key=lambda name: name != first and not self.sources[name]):
            taken = {lane[other] for other in lane if self.column[other] == self.column[name]}
            k = next((lane[source] for source in self.sources[name] if source in lane), int(name != first))
            lane[name] = next(free for free in itertools.count(k) if free not in taken)
        return lane

    def place(self):
        """Find x and y of every node."""
        heights = [max((self.units[name] for name in self.nodes if self.lane[name] == k), default=1) * self.high + 56
                   for k in range(max(self.lane.values()) + 1)]
        tops = np.cumsum([10, *heights])
        gaps = np.full(max(self.column.values()) + 1, 50 if self.by_unit else 60)
        for source, target in self.edges:
            if self.by_unit and self.matrix_of(source, target):             # room for the weights on its lines
                gaps[self.column[target]] = max(gaps[self.column[target]], 40 + 30 * self.units[target])
        self.at = 20 + self.wide / 2 + np.cumsum([0, *(gaps[1:] + self.wide)])
        self.x = {name: self.at[self.column[name]] for name in self.nodes}
        self.y = {name: (tops[self.lane[name]] + tops[self.lane[name] + 1]) / 2 for name in self.nodes}
        self.centres = {name: [np.array([self.x[name], self.y[name] + (unit - (units - 1) / 2) * self.high])
                               for unit in range(units)] for name, units in self.units.items()}
        self.bottom = float(tops[-1])

    def lit(self, row):
        """Return the parts that a step lights: forward its node and what leads there, backward the same from behind."""
        found = [self.names[near] for near in (row.through if row.backward else [row]) if near in self.names]
        edges = [edge for edge in self.edges if edge[1] in found]
        if row.of in self.names:
            ahead = [edge for edge in self.edges if edge[0] == self.names[row.of]]
            edges = [edge for edge in ahead if edge in edges] or found or ahead
            found = [self.names[row.of]]
        return [self.parts[part] for part in found + edges]

    def svg(self):
        """Return the drawing; everything that a step has brought carries the number of this step."""
        parts = [*map(self.draw_frame, self.nodes), *itertools.starmap(self.draw_edge, self.edges),
                 *map(self.draw_node, self.nodes)]
        return SVG.format(width=max(self.x.values()) + self.wide / 2 + 20, height=self.bottom + 14,
                          parts="".join(parts))

    def draw_edge(self, source, target):
        """Return lines from units to units, or around what is between; weights stand on the lines of a dense layer."""
        matrix, lines, texts = self.matrix_of(source, target), [], []
        between = range(self.column[source] + 1, self.column[target])
        if any(self.column[name] in between and self.lane[name] == self.lane[source] for name in self.nodes):
            self.bottom += 14
            below = [self.y[name] + self.units[name] * self.high / 2 + 5 for name in (source, target)]
            lines = [f'<path d="M{self.x[source] + 8:g} {below[0]:g}V{self.bottom:g}'
                     f'H{self.x[target] - 8:g}V{below[1]:g}"/>']
        else:
            for i, j in self.pairs(source, target, matrix):
                line, (x, y) = self.line(source, i, target, j)
                lines.append(line)
                if matrix:
                    place = (j, i) if matrix[1] else (i, j)
                    label, above = (f"{matrix[0].value[place]:.3g}", 2) if self.by_unit else (matrix[0].step, 6)
                    texts.append(f'<text class="weight" x="{x:g}" y="{y - above:g}">{html.escape(label)}</text>')
                    texts += self.gradients(matrix[0], place, x, y + 9, "weight") if self.by_unit else []
        return f'<g class="edge" data-part="{self.parts[source, target]}">{"".join(lines + texts)}</g>'

    def line(self, source, i, target, j):
        """Return the path from unit to unit, and where on it a weight stands."""
        start, end = self.centres[source][i], self.centres[target][j]
        far = self.column[target] - self.column[source] > 1
        turn = np.array([self.at[self.column[target] - 1], start[1]])       # until there it is level
        along = end - turn
        at = turn + 1 / (self.units[target] + 1) * along                    # there the weights are evenly spaced
        level = np.array([self.wide / 2 + (0 if self.by_unit else 7), 0])
        rim = level[0] / np.hypot(*along) * along if self.by_unit else level
        x0, y0 = start + (level if far else rim)
        x1, y1 = end - rim - (0 if self.by_unit else [3, 0])                # room for the arrow
        bend = f"L{turn[0]:g} {turn[1]:g}" if far else ""
        return f'<path d="M{x0:g} {y0:g}{bend}L{x1:g} {y1:g}"/>', at

    def matrix_of(self, source, target):
        """Return (weights, are they transposed) between two nodes, or None."""
        A, _, B, transposed, _ = self.nodes[target].product() or [None] * 5
        return (B, transposed) if A is self.nodes[source] and B.kind == "parameter" else None

    def pairs(self, source, target, matrix):
        """Return the pairs of units to join: as the target picks them, else each with its own, else all with all."""
        n, m, row = self.units[source], self.units[target], self.nodes[target]
        index = row.picked.get(self.nodes[source])
        if self.by_unit and index is not None:
            return [(int(i), j) for j, i in enumerate(index.ravel())]
        if matrix is None and n == m:
            with contextlib.suppress(LookupError):                          # an element depends on others as well
                elementwise(row.spelled, row.named, (0,) * row.value.ndim, row.shape)
                return [(i, i) for i in range(n)]
        pairs, values = list(np.ndindex(n, m)), self.nodes[source].value.ravel()
        return [(i, j) for i, j in pairs if row.kind == "made" and values[i] == row.value.flat[j]] or pairs

    def draw_frame(self, name):
        """Return the frame behind all lines, with the name."""
        x, height = self.x[name], self.units[name] * self.high
        top = self.y[name] - height / 2
        return (f'<g data-part="{self.parts[name]}"><rect x="{x - self.wide / 2 - 7:g}" y="{top - 18:g}" '
                f'width="{self.wide + 14:g}" height="{height + 22:g}" rx="9"/>'
                f'<text class="name" x="{x:g}" y="{top - 4:g}">{html.escape(self.nodes[name].step)}</text></g>')

    def draw_node(self, name):
        """Return circles with their values, or shape, norm and range; gradients stand below what they belong to."""
        row, x, y = self.nodes[name], self.x[name], self.y[name] - self.high / 2
        value = f'<text class="value" data-at="{self.rows.index(row)}" x="{x:g}"'
        if self.by_unit:
            out = [self.draw_unit(row, unit, place, value, *self.centres[name][unit])
                   for unit, place in enumerate(np.ndindex(row.shape))]
        else:
            out = [f'<text x="{x:g}" y="{y + 13:g}">{row.shape}</text>',
                   *(f'{value} y="{y + 31 + 14 * i:g}">{html.escape(line)}</text>'
                     for i, line in enumerate(shown(row.value, 2))), *self.gradients(row, None, x, y + 63)]
        return f'<g class="node" data-part="{self.parts[name]}">{"".join(out)}</g>'

    def draw_unit(self, row, unit, place, value, x, y):
        """Return one circle: its value, its gradient, and the bias that was added in it."""
        out = [f'<circle cx="{x:g}" cy="{y:g}" r="25"/>', f'{value} y="{y + 4:g}">{row.value[place] + 0:.4g}</text>',
               *self.gradients(row, place, x, y + 36)]
        for bias in (row.product() or [()])[-1]:
            if bias.kind == "parameter":
                out.append(f'<text class="bias" x="{x:g}" y="{y - 13:g}">{bias.value[unit]:+.3g}</text>')
                out += self.gradients(bias, (unit,), x, y + 15, "bias")
        return "".join(out)

    def gradients(self, row, place, x, y, kind=""):
        """Return a gradient step by step: a way back adds to it, the row of its own name is all of it."""
        out, total = [], 0
        known = [(k, way) for k, way in enumerate(self.rows) if way.of is row]
        for (k, way), until in itertools.zip_longest(known, [k for k, _ in known[1:]]):
            total = way.gradient.reshape(row.shape) + (total if way.way else 0)
            lines = shown(total, 2) if place is None else [f"{total[place] + 0:.3g}"]
            ends = f' data-until="{until}"' if until else ""
            out += [f'<text class="gradient {kind}" data-at="{k}"{ends} x="{x:g}" y="{y + 14 * i:g}">'
                    f'{html.escape(line)}</text>' for i, line in enumerate(lines)]
        return out
