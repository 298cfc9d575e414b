"""The drawing of the stepper: the arrays of the way forward from left to right, with edges to what is made of them.

A network of one sample, one draw and at most 4 units a layer is drawn unit by unit; the arrays of a larger one are
boxes. Every node and edge is a part with a number, by which a step says what it lights.
"""

import html

import numpy as np

from numpyae.tableau.numbers import elementwise
from numpyae.tableau.rows import shown

MOST_UNITS = 4                        # of an array that is drawn unit by unit
ARROWS = ('<defs><marker id="stepper-forward" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" '
          'orient="auto"><path d="M0 0L8 4L0 8z" fill="#0b5cad"/></marker><marker id="stepper-backward" '
          'viewBox="0 0 8 8" refX="1" refY="4" markerWidth="5" markerHeight="5" orient="auto"><path d="M8 0L0 4L8 8z" '
          'fill="#b04a00"/></marker></defs>')


class Drawing:
    """Nodes are the rows of the way forward, by name; edges lead to each from its sources."""

    def __init__(self, tableau):
        self.rows, self.nodes = tableau.rows, {}
        for row in self.rows:
            if not row.backward:
                self.nodes[row.step + "'" * (row.step in self.nodes)] = row        # L may be a covariance, and the loss
        self.names = {row: name for name, row in self.nodes.items()}
        self.sources = {name: self.among_nodes(row.sources) for name, row in self.nodes.items()}
        self.edges = [(source, target) for target, sources in self.sources.items() for source in sources]
        self.parts = {what: k for k, what in enumerate([*self.nodes, *self.edges])}
        self.by_unit = all(row.shape[:1] in ((), (1,)) and row.value.size <= MOST_UNITS for row in self.nodes.values())
        self.wide, self.high = (54, 78) if self.by_unit else (168, 92)
        self.column = self.columns()
        self.lane = self.lanes()
        self.taken = {(self.column[name], self.lane[name]) for name in self.nodes}
        self.place()

    def among_nodes(self, rows):
        """Return the names of these rows, without those that are no nodes."""
        return [self.names[row] for row in rows if row in self.names]

    def columns(self):
        """Return the column of every node: behind its sources; what comes from outside stands just before its use."""
        column, made, outside, first = {}, set(), [], next(iter(self.nodes))
        for name, sources in self.sources.items():
            column[name] = max((column[source] + 1 for source in sources), default=0)
            if name != first and made.issuperset(sources) or self.nodes[name].kind == "made" and sources == [first]:
                outside.append(name)
                made |= {name} if self.nodes[name].kind in ("given", "draw", "made") else set()
        for name in reversed(outside):
            uses = [column[target] for source, target in self.edges if source == name]
            column[name] = max(column[name], min(uses, default=1) - 1)
        return column

    def lanes(self):
        """Return the lane of every node: that of its first source, if that is free."""
        lane, taken, first = {}, set(), next(iter(self.nodes))
        for name in sorted(self.nodes, key=lambda name: name != first and not self.sources[name]):
            k = next((lane[source] for source in self.sources[name] if source in lane), int(name != first))
            while (self.column[name], k) in taken:
                k += 1
            lane[name] = k
            taken.add((self.column[name], k))
        return lane

    def place(self):
        """Find x and y of every node."""
        heights = [max((self.units(name) for name in self.nodes if self.lane[name] == k), default=1) * self.high + 56
                   for k in range(max(self.lane.values()) + 1)]
        tops = np.cumsum([10, *heights])
        gaps = np.full(max(self.column.values()) + 1, 50 if self.by_unit else 60)
        gaps[0] = 0
        for source, target in self.edges:
            if self.by_unit and self.matrix_of(source, target):             # room for the weights on its lines
                column = self.column[target]
                gaps[column] = max(gaps[column], 40 + 30 * self.units(target))
        self.at = 20 + self.wide / 2 + np.cumsum([gap + self.wide * (k > 0) for k, gap in enumerate(gaps)])
        self.x = {name: self.at[self.column[name]] for name in self.nodes}
        self.y = {name: (tops[self.lane[name]] + tops[self.lane[name] + 1]) / 2 for name in self.nodes}
        self.bottom = float(tops[-1])

    def units(self, name):
        """Return how many circles a node has, or one box."""
        return self.nodes[name].value.size if self.by_unit else 1

    def centre(self, name, unit):
        """Return x and y of a circle."""
        return self.x[name], self.y[name] + (unit - (self.units(name) - 1) / 2) * self.high

    def lit(self, row):
        """Return the parts that a step lights: forward its node and what leads there, backward the same from behind."""
        found = self.among_nodes(row.through) if row.backward else [self.names[row]]
        if row.of in self.names:
            ahead = [edge for edge in self.edges if edge[0] == self.names[row.of]]
            found = [self.names[row.of], *([edge for edge in ahead if edge[1] in found] or found or ahead)]
        else:
            found += [edge for edge in self.edges if edge[1] in found]
        return [self.parts[part] for part in found]

    def svg(self):
        """Return the drawing; everything that a step has brought carries the number of this step."""
        frames = "".join(self.draw_frame(name) for name in self.nodes)
        edges = "".join(self.draw_edge(*edge) for edge in self.edges)
        nodes = "".join(self.draw_node(name) for name in self.nodes)
        width = max(self.x.values()) + self.wide / 2 + 20
        return (f'<svg viewBox="0 0 {width:g} {self.bottom + 14:g}" style="--width: {width:g}px" role="img" '
                f'aria-label="The network, from its input on the left to its loss on the right">'
                f"{ARROWS}{frames}{edges}{nodes}</svg>")

    def draw_edge(self, source, target):
        """Return lines from units to units, or around what is between; weights stand on the lines of a dense layer."""
        part = f'<g class="edge" data-part="{self.parts[source, target]}">'
        if any((k, self.lane[source]) in self.taken for k in range(self.column[source] + 1, self.column[target])):
            self.bottom += 14
            below = [self.y[name] + self.units(name) * self.high / 2 + 5 for name in (source, target)]
            left, right = self.x[source] + 8, self.x[target] - 8
            return f'{part}<path d="M{left:g} {below[0]:g}V{self.bottom:g}H{right:g}V{below[1]:g}"/></g>'
        matrix, lines, texts = self.matrix_of(source, target), [], []
        for i, j in self.pairs(source, target, matrix):
            line, at = self.line(source, i, target, j)
            lines.append(line)
            if matrix and self.by_unit:
                weights, transposed = matrix
                place = (j, i) if transposed else (i, j)
                texts.append(f'<text class="weight" x="{at[0]:g}" y="{at[1] - 2:g}">{weights.value[place]:.3g}</text>')
                texts += self.gradients(weights.step, weights.value, place, at[0], at[1] + 9, "weight")
        if matrix and not self.by_unit:
            x, y = (self.x[source] + self.x[target]) / 2, (self.y[source] + self.y[target]) / 2
            texts.append(f'<text class="weight" x="{x:g}" y="{y - 6:g}">{html.escape(matrix[0].step)}</text>')
        return part + "".join(lines + texts) + "</g>"

    def line(self, source, i, target, j):
        """Return the path from unit to unit, and where on it a weight stands."""
        (x0, y0), (x1, y1) = self.centre(source, i), self.centre(target, j)
        near, half = self.column[target] - self.column[source] > 1, self.wide / 2 + (0 if self.by_unit else 7)
        turn = self.at[self.column[target] - 1] if near else x0             # from there on it is no longer level
        bend = f"L{turn:g} {y0:g}" if near else ""
        share = 1 / (self.units(target) + 1)                                # there the weights are evenly spaced
        at = (turn + share * (x1 - turn), y0 + share * (y1 - y0))
        if self.by_unit:
            step = half / np.hypot(x1 - turn, y1 - y0) * np.array([x1 - turn, y1 - y0])
            x1, y1 = x1 - step[0], y1 - step[1]
            x0, y0 = (x0 + half, y0) if near else (x0 + step[0], y0 + step[1])
        else:
            x0, x1 = x0 + half, x1 - half - 3
        return f'<path d="M{x0:g} {y0:g}{bend}L{x1:g} {y1:g}"/>', at

    def matrix_of(self, source, target):
        """Return (weights, are they transposed) between two nodes, or None."""
        A, _, B, transposed, _ = self.nodes[target].product() or [None] * 5
        return (B, transposed) if A is self.nodes[source] and B.kind == "parameter" else None

    def pairs(self, source, target, matrix):
        """Return which unit leads to which: those that are picked, elementwise each to its own, else all to all."""
        n, m, row = self.units(source), self.units(target), self.nodes[target]
        index = row.picked.get(self.nodes[source])
        if self.by_unit and index is not None:
            return [(int(i), j) for j, i in enumerate(index.ravel())]
        if matrix is None and n == m and is_elementwise(row):
            return [(i, i) for i in range(n)]
        pairs, values = [(i, j) for i in range(n) for j in range(m)], self.nodes[source].value.ravel()
        return [(i, j) for i, j in pairs if row.kind == "made" and values[i] == row.value.flat[j]] or pairs

    def draw_frame(self, name):
        """Return the frame behind all lines, with the name."""
        x, height = self.x[name], self.units(name) * self.high
        top = self.y[name] - height / 2
        return (f'<g data-part="{self.parts[name]}"><rect x="{x - self.wide / 2 - 7:g}" y="{top - 18:g}" '
                f'width="{self.wide + 14:g}" height="{height + 22:g}" rx="9"/>'
                f'<text class="name" x="{x:g}" y="{top - 4:g}">{html.escape(self.nodes[name].step)}</text></g>')

    def draw_node(self, name):
        """Return circles with their values, or shape, norm and range; gradients stand below what they belong to."""
        row, k = self.nodes[name], self.rows.index(self.nodes[name])
        x, top = self.x[name], self.y[name] - self.units(name) * self.high / 2
        out = [f'<g class="node" data-part="{self.parts[name]}">']
        if self.by_unit:
            for unit, place in enumerate(np.ndindex(row.shape)):
                out += self.draw_unit(name, unit, place, k)
        else:
            out.append(f'<text x="{x:g}" y="{top + 13:g}">{row.shape}</text>')
            out += [f'<text class="value" data-at="{k}" x="{x:g}" y="{top + 31 + 14 * i:g}">{html.escape(line)}</text>'
                    for i, line in enumerate(short(row.value))]
            out += self.gradients(name, row.value, None, x, top + 63, "")
        return "".join(out) + "</g>"

    def draw_unit(self, name, unit, place, k):
        """Return one circle: its value, its gradient, and the bias that was added in it."""
        row, (x, y) = self.nodes[name], self.centre(name, unit)
        product = row.product()
        out = [f'<circle cx="{x:g}" cy="{y:g}" r="25"/>'
               f'<text class="value" data-at="{k}" x="{x:g}" y="{y + 4:g}">{row.value[place] + 0:.4g}</text>',
               *self.gradients(name, row.value, place, x, y + 36, "")]
        for bias in product[4] if product else ():
            if bias.kind == "parameter":
                out.append(f'<text class="bias" x="{x:g}" y="{y - 13:g}">{bias.value[unit]:+.3g}</text>')
                out += self.gradients(bias.step, bias.value, (unit,), x, y + 15, "bias")
        return out

    def gradients(self, name, value, place, x, y, kind):
        """Return a gradient step by step: a way back adds to it, the row of its own name is all of it."""
        known = []
        for k, row in enumerate(self.rows):
            if row.backward and row.of.step == name:
                gradient = row.gradient.reshape(value.shape)
                known.append((k, known[-1][1] + gradient if row.way and known else gradient))
        out = []
        for (k, array), (until, _) in zip(known, [*known[1:], (None, None)]):
            ends = "" if until is None else f' data-until="{until}"'
            lines = short(array) if place is None else [f"{array[place] + 0:.3g}"]
            out += [f'<text class="gradient {kind}" data-at="{k}"{ends} x="{x:g}" y="{y + 14 * i:g}">'
                    f'{html.escape(line)}</text>' for i, line in enumerate(lines)]
        return out


def is_elementwise(row):
    """Return whether an element of the value is a formula of elements at its own place."""
    try:
        elementwise(*row.spelled(), (0,) * row.value.ndim, row.shape)
    except LookupError:
        return False
    return True


def short(array):
    """Return at most two lines for a box."""
    lines = shown(array)
    return lines if len(lines) <= 2 else [f"‖{np.linalg.norm(array):.3g}‖ {np.min(array):.3g} … {np.max(array):.3g}"]
