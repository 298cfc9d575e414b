"""The backprop stepper: a tableau as a page for the browser, in which every click goes on by one step.

`tableau.to_html()` is the whole page: the network as a drawing, next and previous (buttons, arrow keys, a slider), the formula of
the step and the same formula with its numbers,

    a1 = x W1 + b1
    a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775

and the tableau, in which a click goes to that step. A network of one sample, one draw and at most 4 units a layer is drawn unit
by unit; of a larger one the arrays are boxes, and numbers that are too many are given as the tableau gives them, by norm and range.

Everything is read from the rows: an array is a node, and there is an edge to it from every array that its formula names.
"""

import html
import re

import numpy as np

from numpyae.tableau import shown

NOTHING_FROM_OUTSIDE = ('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
                        'style-src \'unsafe-inline\'; script-src \'unsafe-inline\'">')
MOST_UNITS = 4                        # of an array that is drawn unit by unit
MOST_LINES, MOST_TERMS = 8, 6         # of a formula that is written out in numbers
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
WORDS = ("tanh", "log", "max", "min", "σ", "e^", "where", "else")    # of formulas, beside names and numbers
SUMMED = r"\((\w+(?:, \w+)*)\), summed"
SHORT_NAMES = {"p(z)": "log p(z)", "q": "log q"}                      # in the importance weights


def page(tableau):
    """The stepper as a page of its own."""
    title = html.escape(tableau.title)
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{NOTHING_FROM_OUTSIDE}\n'
            "<title>Backprop, step by step</title>\n"
            "<style>\nbody { margin: 0 auto; padding: 0.5rem 1rem 2rem; max-width: 90rem; font: 16px/1.45 system-ui, sans-serif; "
            "color: #1a1a1a; background: #fff; }\nh1 { font-size: 1.4rem; margin: 0.4rem 0; }\n"
            ".of { color: #555; font-size: 0.85rem; margin: 0 0 0.8rem; overflow-wrap: anywhere; }\n</style>\n</head>\n<body>\n"
            f'<h1>Backprop, step by step</h1>\n<p class="of">{title}</p>\n{fragment(tableau, everywhere=True)}</body>\n</html>\n')


def fragment(tableau, everywhere=False):
    """The stepper as a piece of a page: style, drawing, table and script. everywhere: its keys work wherever the focus is."""
    drawing = Drawing(tableau)
    rows = "".join(table_row(row, lines, drawing.lit(row)) for row, lines in in_numbers(tableau))
    body = SKELETON.format(svg=drawing.svg(), rows=rows, last=len(tableau) - 1, steps=len(tableau),
                           everywhere="everywhere" if everywhere else "")
    return (f"<style>\n{STYLE}</style>\n{body}<script>\n{SCRIPT}</script>\n")


def table_row(row, lines, lit):
    """One line of the tableau, with its formula in numbers, which paper, and a screen without scripts, shows in every line."""
    numbers = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    cells = ["<br>".join(map(html.escape, shown(array))) for array in (row.value, row.gradient)]
    return (f'<tr class="{"backward" if row.backward else "forward"}" data-lit="{" ".join(map(str, lit))}">'
            f'<td><button type="button">{html.escape(row.step)}</button></td>'
            f'<td><span class="formula">{html.escape(row.formula)}</span><div class="filled">{numbers}</div></td>'
            f'<td>{row.shape}</td><td>{cells[0]}</td><td>{cells[1]}</td></tr>\n')


# The formula of a row, with its numbers

def in_numbers(tableau):
    """(row, its formula in numbers as lines) for every row; a name means what was last called so, before this row."""
    numbers = dict(tableau.constants) | parameters(tableau)
    for row in tableau.rows:
        yield row, filled(row, numbers)
        numbers[row.step] = row.gradient if row.backward else row.value
        total = f"d{base(row.step)}"
        if row.backward and "|" in row.step and total in numbers:
            numbers[total] = numbers[total] + row.gradient.reshape(numbers[total].shape)           # dz, and what the prior adds


def parameters(tableau):
    """{name: array} of what stands beside a gradient and was not computed on the way forward."""
    computed = {row.step for row in tableau.rows if not row.backward}
    return {base(row.step): row.value for row in tableau.rows if row.backward and base(row.step) not in computed}


def base(step):
    """Whose gradient it is: dW1, dW1|tied -> W1."""
    return step[1:].split("|")[0]


def filled(row, numbers):
    """The formula of a row in numbers, a line for each element; where that cannot be, what goes in and what comes out."""
    result = row.gradient if row.backward else row.value
    if row.formula == "given" or row.formula.startswith(("drawn", "∂L/∂")):
        return whole(row.step, row.formula, result, {})
    try:
        if result.size > MOST_LINES:
            raise ValueError("too many lines")
        lines = []
        for place in np.ndindex(result.shape):
            right = dict.fromkeys([written_out(row.formula, place, result, numbers), number(result[place])])
            lines.append(" = ".join([element(row.step, result, place), *right]))
    except (ValueError, LookupError):
        return whole(row.step, row.formula, result, numbers)
    return lines


def whole(step, formula, result, numbers):
    """Every array of a formula, and then its result: all numbers, or norm and range."""
    arrays = {name: numbers[name] for name in named(formula, numbers)} | {step: result}
    return [f"{name} = {', '.join(shown(array)) if np.ndim(array) else number(array)}" for name, array in arrays.items()]


def element(name, array, place):
    """The name of one element, counted from 1, such as dW1₂₁; without the index of the only sample, or of the only element."""
    first = int(array.ndim > 1 and len(array) == 1 and "W" not in name)
    indices = [str(k + 1) for k in place[first:]] if array.size > 1 else []
    return name + "".join(indices).translate(SUBSCRIPTS)


def number(value):
    """As the tableau writes it, but 0 for -0."""
    return f"{value + 0:.6g}"


def named(formula, known):
    """Which of the known names a formula has, in its order."""
    if match := re.fullmatch(SUMMED, formula):
        return [way for name in match[1].split(", ") for way in known if way.startswith(f"{name}|")]
    short = {name: long for name, long in SHORT_NAMES.items() if long in known and "e^NLL" in formula}
    found = re.findall(names_in([*known, *short]), formula.removesuffix(", log σ²")) if known else []
    return list(dict.fromkeys(short.get(name, name) for name in found))


def names_in(numbers):
    """A regular expression for the names, the longest first; h1 is not found in dh1, in h11 or in h1'."""
    names = "|".join(re.escape(name) for name in sorted(numbers, key=len, reverse=True))
    return rf"(?<![A-Za-z0-9|])(?:{names})(?![A-Za-z0-9'|(])"


def written_out(formula, place, result, numbers):
    """The right-hand side of one element of the result. ValueError for a formula that has no such form, or too many terms."""
    if match := re.fullmatch(r"(\S+?)(ᵀ?) (\S+?)(ᵀ?)((?: \+ .+)?)", formula):
        left, t_left, right, t_right, rest = match.groups()
        added = rest.split(" + ")[1:]
        if {left, right, *added} <= numbers.keys() and (t_left or right.startswith("W")):
            A, B = (numbers[name].reshape(-1, numbers[name].shape[-1]) for name in (left, right))      # z is (K, N, d)
            A, B = A.T if t_left else A, B.T if t_right else B
            return product(A, B, [np.broadcast_to(numbers[name], result.shape)[place] for name in added], place)
    if match := re.fullmatch(r"(\S+)\[:, (\d*):\d*\](?:, log σ²)?", formula):                   # a slice: mu of h
        place = (*place[:-1], place[-1] + int(match[2] or 0))
        return element(match[1], numbers[match[1]], place)
    if match := re.fullmatch(SUMMED, formula):                                                 # the ways back into q(z|x)
        n, column = place
        for name in match[1].split(", "):
            ways = [numbers[way] for way in numbers if way.startswith(f"{name}|")]
            if column < ways[0].shape[1]:
                return joined([number(way[n, column]) for way in ways])
            column -= ways[0].shape[1]
    if match := re.fullmatch(r"(-?½ |1/N |)Σ_([ndj]) ([(\[].*[)\]]²?|\S+)( \+ [^Σ]*)?", formula):
        return total(*match.groups(), place, numbers)
    return elementwise(formula, place, result.shape, numbers)


def product(A, B, added, place):
    """Σ_k A_ik B_kj, and what is added."""
    if A.shape[1] > MOST_TERMS:
        raise ValueError("too many terms")
    pairs = [(number(a), number(b)) for a, b in zip(A[place[0]], B[:, place[1]])]
    terms = [f"{inside(a) if k else a} · {inside(b)}" for k, (a, b) in enumerate(pairs)]
    return joined(terms + list(map(number, added)))


def total(prefix, index, term, rest, place, numbers):
    """A sum over samples (index n) or over features, each term in numbers."""
    names = named(term, numbers)
    shape = max((np.shape(numbers[name]) for name in names), key=len)
    terms = shape[0] if index == "n" else shape[-1]
    if terms > MOST_TERMS:
        raise ValueError("too many terms")
    places = [(k, *place) if index == "n" else (*place, k) for k in range(terms)]
    inner = term[1:-1] if term[-1] in ")]" else term
    text = joined([elementwise(inner, at, shape, numbers) for at in places])
    if prefix and " " in text:
        text = f"[{text}]"
    if prefix:
        text = f"{prefix.strip().replace('N', number(numbers['N']))} · {text}"
    return text + (" + " + elementwise(rest[3:], (), (), numbers) if rest else "")


def joined(terms):
    """A sum in which negative terms stand in parentheses."""
    return " + ".join(inside(term) if k and " " not in term else term for k, term in enumerate(terms))


def inside(text):
    """A negative number within an expression."""
    return f"({text})" if text.startswith("-") else text


def elementwise(formula, place, shape, numbers):
    """A formula with a number for each name, and a · between factors. ValueError where it has other words."""
    formula = formula.replace("log 2πσ²", "log(2π σ²)").replace("log 2π", "log(2π)")
    names, words = names_in(numbers), "|".join(map(re.escape, WORDS))
    text, before = "", "start"
    for token in re.findall(rf"{names}|{words}|\d+(?:\.\d+)?|\S", formula):
        if token in numbers:
            array = np.asarray(numbers[token])
            if array.size != 1 and array.shape != shape:
                raise ValueError(f"{token} has another shape")
            value = number(array.item() if array.size == 1 else array[place])
            text += times(before) + (value if before in ("start", "open") else inside(value))
            before = "operand"
        elif token in WORDS:
            text += {"where": " where ", "else": "else "}.get(token) or times(before) + token
            before = "start" if token in ("where", "else") else "function"
        elif token[0] in "0123456789½π":
            text += ("" if token == "π" else times(before)) + token
            before = "operand"
        elif token in "([":
            text += times(before) + token
            before = "open"
        elif token in ")]²":
            negative = token == "²" and (match := re.search(r"(?<![\d.e(])-[\d.e-]+$", text))
            text = text[:match.start()] + f"({match[0]})" if negative else text
            text += token
            before = "operand"
        elif token in "+-/,<>":
            sign = token == "-" and before in ("start", "open")
            text += token if sign else ", " if token == "," else f"{' ' * (before != 'start')}{token} "
            before = "start" if token == "," else "sign" if sign else "operator"
        else:
            raise ValueError(f"{token} is no number")
    return text


def times(before):
    """What stands between two factors."""
    return " · " if before == "operand" else ""


# The drawing

class Drawing:
    """Nodes are the arrays of the way forward, from the left to the right; edges lead to each from those that its formula names.

    Every node and edge is a part with a number, by which a step says what it lights.
    """

    def __init__(self, tableau):
        self.rows, self.parameters, self.constants = tableau.rows, parameters(tableau), tableau.constants
        self.nodes = {}
        for row in self.rows:
            if not row.backward:
                self.nodes[row.step + "'" * (row.step in self.nodes)] = row            # the loss L, where a covariance has an L
        self.sources = self.find_sources()
        self.edges = [(source, target) for target, sources in self.sources.items() for source in sources]
        self.parts = {what: k for k, what in enumerate([*self.nodes, *self.edges])}
        self.by_unit = all(row.shape[:1] in ((), (1,)) and row.value.size <= MOST_UNITS for row in self.nodes.values())
        self.place()

    def find_sources(self):
        """{node: those that its formula names}; none for what is given, drawn or of weights; else the one before."""
        sources, before = {}, None
        for name, row in self.nodes.items():
            outside = row.formula == "given" or row.formula.startswith("drawn")
            found = ["z"] if name == "log p(z)" else named(row.formula, sources)
            sources[name] = [] if outside else found or [before] * (not named(row.formula, self.parameters))
            before = name if before is None or not outside else before
        return sources

    def place(self):
        """Column and lane of every node: a column behind its sources, in the lane of the first of them if that is free."""
        column, first = {}, next(iter(self.nodes))
        for name, sources in self.sources.items():
            column[name] = max((column[source] + 1 for source in sources), default=0)
        for name, sources in self.sources.items():
            if not sources and name != first:                           # what comes from outside stands just before its use
                uses = [column[target] for source, target in self.edges if source == name]
                column[name] = max(0, min(uses, default=1) - 1)
        lane, taken = {}, set()
        for name in sorted(self.nodes, key=lambda name: name != first and not self.sources[name]):
            k = next((lane[source] for source in self.sources[name] if source in lane), int(name != first))
            while (column[name], k) in taken:
                k += 1
            lane[name] = k
            taken.add((column[name], k))
        self.column, self.lane, self.taken = column, lane, taken
        self.wide, self.high = (54, 78) if self.by_unit else (168, 92)
        heights = [max((self.units(name) for name in self.nodes if lane[name] == k), default=1) * self.high + 56
                   for k in range(max(lane.values()) + 1)]
        self.tops = np.cumsum([10, *heights])
        gaps = np.full(max(column.values()) + 1, 50 if self.by_unit else 60)
        gaps[0] = 0
        for source, target in self.edges:
            if self.by_unit and self.matrix_of(source, target):             # room for the weights on its lines
                gaps[column[target]] = max(gaps[column[target]], 40 + 30 * self.units(target))
        self.at = 20 + self.wide / 2 + np.cumsum([gap + self.wide * (k > 0) for k, gap in enumerate(gaps)])
        self.x = {name: self.at[column[name]] for name in self.nodes}
        self.y = {name: (self.tops[lane[name]] + self.tops[lane[name] + 1]) / 2 for name in self.nodes}
        self.bottom = float(self.tops[-1])

    def units(self, name):
        """How many circles, or one box."""
        return self.nodes[name].value.size if self.by_unit else 1

    def centre(self, name, unit):
        """Of a circle."""
        return self.x[name], self.y[name] + (unit - (self.units(name) - 1) / 2) * self.high

    def lit(self, row):
        """The numbers of the parts that a step lights: forward its node and what leads there, backward the same from behind."""
        if not row.backward:
            name = next(name for name, node in self.nodes.items() if node is row)
            return [self.parts[name]] + [self.parts[edge] for edge in self.edges if edge[1] == name]
        of, _, way = row.step[1:].partition("|")
        if row.formula.startswith("∂L/∂"):                              # of the loss itself, or of the prior
            own = [name for name in self.nodes if name == ("log p(z)" if of.endswith(" of the prior") else "NLL")]
            return [self.parts[name] for name in own]
        passed = [gradient[1:] for gradient in named(row.formula, [f"d{name}" for name in self.nodes])]
        if of in self.nodes:
            ahead = [edge for edge in self.edges if edge[0] == of]
            meant = [edge for edge in ahead if edge[1] in (*passed, {"prior": "log p(z)"}.get(way, way))]
            if way == "draw" and not meant:                              # of logvar: by way of sigma
                meant = [edge for edge in ahead if edge[1] not in ("KL", "log q")]
            return [self.parts[part] for part in (of, *(meant or [way] * (way in self.nodes) or ahead))]
        users = passed or [way] * (way in self.nodes)
        users = users or [name for name, node in self.nodes.items() if of in named(node.formula, [of])]
        users = users or [name for name in self.nodes if re.search(r"\d*$", name)[0] == re.search(r"\d*$", of)[0] != ""][:1]
        return [self.parts[name] for name in users] + [self.parts[edge] for edge in self.edges if edge[1] in users]

    def svg(self):
        """The drawing; everything that a step has brought carries the number of this step."""
        frames = "".join(self.draw_frame(name) for name in self.nodes)
        edges = "".join(self.draw_edge(*edge) for edge in self.edges)
        nodes = "".join(self.draw_node(name) for name in self.nodes)
        width = max(self.x.values()) + self.wide / 2 + 20
        return (f'<svg viewBox="0 0 {width:g} {self.bottom + 14:g}" style="--width: {width:g}px" role="img" '
                f'aria-label="The network, from its input on the left to its loss on the right">'
                f"{ARROWS}{frames}{edges}{nodes}</svg>")

    def draw_edge(self, source, target):
        """Lines from units to units, or around what is between; the weights of a dense layer stand on their lines."""
        part = f'<g class="edge" data-part="{self.parts[source, target]}">'
        near = range(self.column[source] + 1, self.column[target])
        if any((k, self.lane[source]) in self.taken for k in near):
            self.bottom += 14
            below = [self.y[name] + self.units(name) * self.high / 2 + 5 for name in (source, target)]
            left, right = self.x[source] + 8, self.x[target] - 8
            return f'{part}<path d="M{left:g} {below[0]:g}V{self.bottom:g}H{right:g}V{below[1]:g}"/></g>'
        lines, texts, half = [], [], self.wide / 2 + (0 if self.by_unit else 7)
        matrix = self.matrix_of(source, target)
        for i, j in self.pairs(source, target, matrix):
            (x0, y0), (x1, y1) = self.centre(source, i), self.centre(target, j)
            turn = self.at[self.column[target] - 1] if near else x0         # from there on it is no longer level
            bend = f"L{turn:g} {y0:g}" if near else ""
            share = 1 / (self.units(target) + 1)                            # there the weights are evenly spaced
            at = (turn + share * (x1 - turn), y0 + share * (y1 - y0))
            if self.by_unit:
                step = half / np.hypot(x1 - turn, y1 - y0) * np.array([x1 - turn, y1 - y0])
                x1, y1 = x1 - step[0], y1 - step[1]
                x0, y0 = (x0 + half, y0) if near else (x0 + step[0], y0 + step[1])
            else:
                x0, x1 = x0 + half, x1 - half - 3
            lines.append(f'<path d="M{x0:g} {y0:g}{bend}L{x1:g} {y1:g}"/>')
            if matrix is not None and self.by_unit:
                name, transposed = matrix
                place = (j, i) if transposed else (i, j)
                texts.append(f'<text class="weight" x="{at[0]:g}" y="{at[1] - 2:g}">{self.parameters[name][place]:.3g}</text>')
                texts += self.gradients(name, self.parameters[name], place, at[0], at[1] + 9, "weight")
        if matrix is not None and not self.by_unit:
            x, y = (self.x[source] + self.x[target]) / 2, (self.y[source] + self.y[target]) / 2
            texts.append(f'<text class="weight" x="{x:g}" y="{y - 6:g}">{html.escape(matrix[0])}</text>')
        return part + "".join(lines + texts) + "</g>"

    def matrix_of(self, source, target):
        """(name, is it transposed?) of the weights between two nodes, or None."""
        match = re.fullmatch(r"(\S+) (W[^ᵀ ]*)(ᵀ?) \+ \S+", self.nodes[target].formula)
        return (match[2], bool(match[3])) if match and match[1] == source and match[2] in self.parameters else None

    def pairs(self, source, target, matrix):
        """Which unit leads to which: in a slice those that are meant, elementwise each to its own, else all to all."""
        n, m = self.units(source), self.units(target)
        if match := re.fullmatch(r"\S+\[:, (\d*):\d*\].*", self.nodes[target].formula):
            return [(i + int(match[1] or 0), i) for i in range(m)] if self.by_unit else [(0, 0)]
        if matrix is None and n == m and self.is_elementwise(self.nodes[target]):
            return [(i, i) for i in range(n)]
        return [(i, j) for i in range(n) for j in range(m)]

    def is_elementwise(self, row):
        """Is an element of the value a formula of elements at the same place?"""
        numbers = self.constants | {name: node.value for name, node in self.nodes.items()}
        try:
            elementwise(row.formula, (0,) * row.value.ndim, row.shape, numbers)
        except (ValueError, LookupError):
            return False
        return True

    def draw_frame(self, name):
        """Behind all lines, with the name."""
        x, height = self.x[name], self.units(name) * self.high
        top = self.y[name] - height / 2
        return (f'<g data-part="{self.parts[name]}"><rect x="{x - self.wide / 2 - 7:g}" y="{top - 18:g}" '
                f'width="{self.wide + 14:g}" height="{height + 22:g}" rx="9"/>'
                f'<text class="name" x="{x:g}" y="{top - 4:g}">{html.escape(self.nodes[name].step)}</text></g>')

    def draw_node(self, name):
        """Circles with their values, or shape, norm and range; gradients below what they belong to."""
        row, k = self.nodes[name], next(k for k, row in enumerate(self.rows) if row is self.nodes[name])
        x, top = self.x[name], self.y[name] - self.units(name) * self.high / 2
        out = [f'<g class="node" data-part="{self.parts[name]}">']
        if self.by_unit:
            bias = re.fullmatch(r"\S+ \S+ \+ (b\S*)", row.formula)
            for unit, place in enumerate(np.ndindex(row.shape)):
                cx, cy = self.centre(name, unit)
                out.append(f'<circle cx="{cx:g}" cy="{cy:g}" r="25"/>'
                           f'<text class="value" data-at="{k}" x="{cx:g}" y="{cy + 4:g}">{row.value[place] + 0:.4g}</text>')
                out += self.gradients(name, row.value, place, cx, cy + 36, "")
                if bias and bias[1] in self.parameters:
                    out.append(f'<text class="bias" x="{cx:g}" y="{cy - 13:g}">{self.parameters[bias[1]][unit]:+.3g}</text>')
                    out += self.gradients(bias[1], self.parameters[bias[1]], (unit,), cx, cy + 15, "bias")
        else:
            out.append(f'<text x="{x:g}" y="{top + 13:g}">{row.shape}</text>')
            out += [f'<text class="value" data-at="{k}" x="{x:g}" y="{top + 31 + 14 * i:g}">{html.escape(line)}</text>'
                    for i, line in enumerate(short(row.value))]
            out += self.gradients(name, row.value, None, x, top + 63, "")
        return "".join(out) + "</g>"

    def gradients(self, name, value, place, x, y, kind):
        """What is known of a gradient, step by step: a way back adds to it, the row of its own name is all of it."""
        known = []
        for k, row in enumerate(self.rows):
            if row.backward and base(row.step) == name:
                gradient = row.gradient.reshape(value.shape)
                known.append((k, known[-1][1] + gradient if "|" in row.step and known else gradient))
        out = []
        for (k, array), (until, _) in zip(known, [*known[1:], (None, None)]):
            ends = "" if until is None else f' data-until="{until}"'
            lines = short(array) if place is None else [f"{array[place] + 0:.3g}"]
            out += [f'<text class="gradient {kind}" data-at="{k}"{ends} x="{x:g}" y="{y + 14 * i:g}">{html.escape(line)}</text>'
                    for i, line in enumerate(lines)]
        return out


def short(array):
    """At most two lines for a box."""
    lines = shown(array)
    return lines if len(lines) <= 2 else [f"‖{np.linalg.norm(array):.3g}‖ {np.min(array):.3g} … {np.max(array):.3g}"]


# The page: forward is blue and points right, backward is orange, dashed and points left

ARROWS = ('<defs><marker id="stepper-forward" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
          '<path d="M0 0L8 4L0 8z" fill="#0b5cad"/></marker><marker id="stepper-backward" viewBox="0 0 8 8" refX="1" refY="4" '
          'markerWidth="5" markerHeight="5" orient="auto"><path d="M8 0L0 4L8 8z" fill="#b04a00"/></marker></defs>')

SKELETON = """<div class="stepper {everywhere}" tabindex="-1">
<div class="drawing">{svg}</div>
<div class="side">
<div class="panel">
<div class="controls"><button type="button" class="previous">◀ previous</button><button type="button" class="next">next ▶</button>
<input type="range" min="0" max="{last}" value="0" aria-label="step"><span class="count">{steps} steps</span></div>
<div class="now" aria-live="polite"><div class="way"></div><div class="big"></div><div class="numbers"></div></div>
<p class="help">Arrow keys go on and back, Home and End to the ends; a click on a line of the table goes to that step. In the
drawing, → blue is forward: values. ← orange and dashed is backward: each gradient below what it belongs to.</p>
</div>
<div class="table"><table>
<thead><tr><th>step</th><th>formula</th><th>shape</th><th>value</th><th>gradient</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</div>
</div>
"""

STYLE = """.stepper { --forward: #0b5cad; --backward: #b04a00; --way: var(--forward); --pale: #e4effa;
  font-family: system-ui, sans-serif; font-size: 16px; line-height: 1.4; outline: none; }
.stepper.backward { --way: var(--backward); --pale: #fdeadc; }
.stepper .drawing { overflow-x: auto; border: 1px solid #ddd; border-radius: 8px; }
.stepper svg { display: block; margin: 0 auto; height: auto; }
.stepper svg text { font: 11.5px system-ui, sans-serif; text-anchor: middle; fill: #333; }
.stepper svg .name { font-weight: 700; font-size: 13px; }
.stepper svg rect { fill: #fafafa; stroke: #d5d5d5; }
.stepper svg circle { fill: #fff; stroke: #777; }
.stepper svg .edge path { fill: none; stroke: #b5b5b5; stroke-width: 1.2; }
.stepper svg .weight, .stepper svg .gradient { paint-order: stroke; stroke: #fff; stroke-width: 3px; }
.stepper svg .weight, .stepper svg .bias { font-size: 10px; fill: #555; }
.stepper svg .gradient { fill: var(--backward); font-size: 10.5px; }
.stepper svg .gradient.weight, .stepper svg .gradient.bias { font-size: 9.5px; fill: var(--backward); }
.stepper svg .later { visibility: hidden; }
@media screen {
  .stepper svg .lit rect { fill: var(--pale); stroke: var(--way); stroke-width: 2.5; }
  .stepper svg .lit circle { stroke: var(--way); stroke-width: 2; }
  .stepper svg .edge.lit path { stroke: var(--way); stroke-width: 2.4; marker-end: url(#stepper-forward); }
  .stepper.backward svg .edge.lit path { stroke-dasharray: 6 4; marker-end: none; marker-start: url(#stepper-backward); }
  .stepper svg .edge.lit text:not(.gradient) { fill: #000; font-weight: 700; }
}
.stepper svg { width: var(--width); }
.stepper .side { display: flex; flex-wrap: wrap; gap: 1rem; margin-top: 0.8rem; align-items: flex-start; }
.stepper .panel { flex: 1 1 24rem; min-width: 0; }
.stepper .table { flex: 1 1 34rem; min-width: 0; max-height: 24rem; overflow: auto; position: relative; border: 1px solid #ddd;
  border-radius: 8px; }
.stepper .controls { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
.stepper .controls button { font: inherit; padding: 0.45rem 0.8rem; border: 1px solid #777; border-radius: 6px;
  background: #f3f3f3; cursor: pointer; }
.stepper .controls input { flex: 1 1 7rem; min-width: 5rem; accent-color: var(--way); }
.stepper .now { margin-top: 0.8rem; padding: 0.7rem 0.9rem; border-left: 6px solid var(--way); background: var(--pale);
  min-height: 9rem; }
.stepper .way { color: var(--way); font-weight: 700; }
.stepper .big { font-size: 1.35rem; font-weight: 600; overflow-wrap: anywhere; }
.stepper .numbers, .stepper .filled { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: 0.86rem; overflow-wrap: anywhere; }
.stepper .numbers div { margin-top: 0.3rem; padding-left: 1.2em; text-indent: -1.2em; }
.stepper .help { color: #555; font-size: 0.85rem; }
.stepper table { border-collapse: collapse; width: 100%; font-size: 0.84rem; }
.stepper th { position: sticky; top: 0; background: #fff; text-align: left; }
.stepper th, .stepper td { padding: 0.15rem 0.45rem; border-bottom: 1px solid #e5e5e5; vertical-align: top; }
.stepper td:nth-child(n + 3) { white-space: nowrap; font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: 0.92em; }
.stepper td button { font: inherit; font-weight: 700; border: 0; background: none; padding: 0.1rem 0; cursor: pointer;
  text-align: left; color: var(--forward); white-space: nowrap; }
.stepper tr.backward td button { color: var(--backward); }
.stepper tr.backward td button::before { content: "← "; }
.stepper tr.forward td button::before { content: "→ "; }
.stepper tbody tr { cursor: pointer; }
.stepper tbody tr.here { background: var(--pale); box-shadow: inset 4px 0 var(--way); }
.stepper.ready .filled { display: none; }
.stepper:not(.ready) .panel { display: none; }
.stepper:not(.ready) .table { max-height: none; }
.stepper:not(.ready) svg [data-until] { visibility: hidden; }
@media screen and (max-width: 44rem) {
  .stepper, .stepper .panel { display: flex; flex-direction: column; gap: 0.7rem; }
  .stepper .side { display: contents; }
  .stepper .panel { order: -1; flex: none; }
  .stepper .table { flex: none; max-height: 60vh; }
  .stepper .now { min-height: 10.5rem; margin: 0; }
  .stepper .help { display: none; }
  .stepper svg { width: calc(0.82 * var(--width)); }
}
@media print {
  .stepper .panel { display: none; }
  .stepper .table, .stepper .drawing { max-height: none; overflow: visible; border: 0; }
  .stepper .table { flex-basis: 100%; }
  .stepper svg { max-width: 100%; }
  .stepper svg .later { visibility: visible; }
  .stepper svg [data-until] { visibility: hidden; }
  .stepper.ready .filled { display: block; font-size: 0.78rem; }
  .stepper tr { break-inside: avoid; }
  .stepper tbody tr.here { background: none; box-shadow: none; }
  .stepper th { position: static; }
  .stepper td button { white-space: normal; }
}
"""

SCRIPT = """document.querySelectorAll(".stepper:not(.ready)").forEach(root => {
  const find = selector => root.querySelector(selector), all = selector => [...root.querySelectorAll(selector)];
  const rows = all("tbody tr"), slider = find("input"), drawing = find(".drawing"), table = find(".table");
  let at = 0;

  function go(k) {
    at = Math.max(0, Math.min(rows.length - 1, k));
    const row = rows[at], backward = row.classList.contains("backward"), name = row.querySelector("button").textContent;
    root.classList.toggle("backward", backward);
    rows.forEach((other, i) => other.classList.toggle("here", i === at));
    all("[data-at]").forEach(text =>
      text.classList.toggle("later", at < text.dataset.at || at >= (text.dataset.until ?? Infinity)));
    const lit = row.dataset.lit.split(" ");
    all("[data-part]").forEach(part => part.classList.toggle("lit", lit.includes(part.dataset.part)));
    slider.value = at;
    find(".count").textContent = `step ${at + 1} of ${rows.length}`;
    const of = name.slice(1).replace("|", ", by way of ");
    find(".way").textContent = backward ? `← backward: the gradient of ${of}` : `→ forward: the value of ${name}`;
    const formula = row.querySelector(".formula").textContent;
    find(".big").textContent = name + (/^(given|drawn)/.test(formula) ? ": " : " = ") + formula;
    find(".numbers").innerHTML = row.querySelector(".filled").innerHTML;
    const part = find(".lit"), inside = drawing.getBoundingClientRect();
    if (part) {
      const box = part.getBoundingClientRect();
      drawing.scrollLeft += (box.left + box.right - inside.left - inside.right) / 2;
    }
    table.scrollTop = row.offsetTop - table.clientHeight / 2;
  }

  find(".previous").onclick = () => go(at - 1);
  find(".next").onclick = () => go(at + 1);
  slider.oninput = () => go(+slider.value);
  rows.forEach((row, k) => row.onclick = () => go(k));
  (root.classList.contains("everywhere") ? document : root).addEventListener("keydown", event => {
    const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1}[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(to);
  });
  root.classList.add("ready");
  go(0);
});
"""
