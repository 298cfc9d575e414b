"""The ledger: rows, and what is known while they are written: names, arrays, parameters and their gradients so far.

A formula counts for the class in whose body it stands, and where the method is that class's own: a subclass with a forward
of its own does not inherit the formula of another one.
"""

import collections
import itertools
import string

import numpy as np

from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.tableau.origin import columns_in_words, origin, view_of
from numpyae.tableau.rows import Row

Seen = collections.namedtuple("Seen", "row known inputs")            # of a part: its output, what its formulas may name, …
SYMBOLS = {"sigma": "σ"}              # constants that are not called as their attribute


class Ledger:
    """The rows of one pass through a model, and all that the next row may name."""

    def __init__(self, model, batch):
        self.model, self.N = model, len(batch[0])
        self.rows, self.constants = [], {}
        self.known = []               # (array, row) of everything computed so far
        self.gradients = {}           # {row: the row of its gradient}
        self.seen = {}                # {id(part): its output, the names it knows, its inputs}
        self.fields = {}              # {id(part): {"W": row of W1, …}}
        self.numbers = {}             # {id(layer): 1, …}, in the order of use; and how many there are
        self.owners = {}              # {row of W1: (the part that it belongs to, "W")}
        self.waiting = collections.defaultdict(set)                  # {row of W1: the parts that will still add to dW1}
        self.consumers = collections.Counter()                       # {row: how many layers take it}
        leaves = [id(leaf.first or leaf) for leaf in model.leaves().values()]
        self.uses = {leaf: itertools.count(1) for leaf in leaves if leaves.count(leaf) > 1}
        self.n = self.constant("N", self.N)
        self.given = [(array, self.forward(name, "given", array, "given")) for name, array in zip(model.batch_names, batch)]
        self.known = self.given[::-1]                                # where x is t as well, it is x

    # Rows

    def forward(self, step, text, value, kind, known=None, part=None, sources=(), picked=None):
        """Write a row of the way forward; its value is known by its name from now on."""
        row = Row(self.unique(step), text, value, kind=kind, operands=self.operands(text, known or {}, part),
                  sources=sources, picked=picked)
        self.rows.append(row)
        self.known.append((np.asarray(value), row))
        return row

    def backward(self, of, text, gradient, known=None, part=None, *, value=None, way="", through=(), kind="gradient",
                 sources=(), picked=None):
        """Write a row of the way back: the gradient beside what it belongs to. Without a way it is all of the gradient."""
        row = Row(f"d{of}|{way}" if way else f"d{of}", text, of.value if value is None else value, gradient, of=of, way=way,
                  operands=self.operands(text, known or {}, part), through=through, kind=kind, sources=sources, picked=picked)
        self.rows.append(row)
        if not way:
            self.gradients[of] = row
        return row

    def summed(self, of, ways, gradient, **options):
        """Write a row for a gradient that has come by several ways."""
        known = {f"w{k}": way for k, way in enumerate(ways)}
        return self.backward(of, " + ".join(f"{{{name}}}" for name in known), gradient, known, **options)

    def ways(self, of):
        """Return the rows so far that hold a part of the gradient of this one: dW1|tied, dh1|sparsity."""
        return [row for row in self.rows if row.of is of and row.way]

    def operands(self, text, known, part):
        """Return {field: row, number or text} of a formula. ValueError, one sentence, for a field that nobody knows."""
        found = dict(known)
        for _, field, spec, _ in string.Formatter().parse(text):
            if field is None or field in known:
                continue
            value = getattr(part, field, None)
            if isinstance(value, (int, float, np.number)):
                found[field] = value if spec else self.constant(field, value, part)
            elif isinstance(value, np.ndarray):
                found[field] = Row(field, "", value, kind="constant")
            else:
                raise ValueError(f"{type(part).__name__}.formula: {text!r} names {{{field}}}, which is no attribute that is a "
                                 f"number or an array, and not one of {', '.join(known)}")
        return found

    # Names

    def unique(self, name):
        """Return the name, with a dash for every one that is taken."""
        taken = {row.step for row in self.rows} | {row.step for row in self.owners} | self.constants.keys()
        while name in taken:
            name += "'"
        return name

    def constant(self, field, value, part=None):
        """Return the row, which has no line, of a number that formulas name."""
        key = (id(part), field)
        if key not in self.fields:
            row = self.fields[key] = Row(self.unique(SYMBOLS.get(field, field)), "", value, kind="constant")
            self.constants[row.step] = value
        return self.fields[key]

    def number(self, layer):
        """Return the number of a layer: those with parameters are counted in the order of use; a second use has the first's."""
        owner = layer.first or layer
        if id(owner) not in self.numbers:
            self.numbers[id(owner)] = max(self.numbers.values(), default=0) + bool(owner.named_parameters() and not owner._parts)
        return self.numbers[id(owner)]

    def label(self, layer):
        """Return the number of a layer and, where it is used several times, that of this use: 1_2."""
        uses = self.uses.get(id(layer.first or layer))
        return f"{self.number(layer)}_{next(uses)}" if uses else f"{self.number(layer)}"

    def row_of(self, array, name="u"):
        """Return the row of an array that was computed before, perhaps in another shape; else write one of this name."""
        for known, row in reversed(self.known):
            if known is array or known.size == array.size and np.shares_memory(known, array):
                return row
        text, known, picked = origin(array, self.known[::-1]) or (f"made by {type(self.model).__name__}", {}, {})
        row = self.forward(name, text, array, "made", known, picked=picked)
        self.consumers.update(row.sources)
        return row

    def attributes(self, part, formula, last, known, kind, taken=None, noise=None):
        """Return {name: row} of the attributes that a class's formulas list before its output, each with a row of its own.

        taken: (array, row) of the input; a slice of it may be shown as "{h}[{columns}]". noise: the name of what is drawn.
        """
        found = {}
        for name in itertools.takewhile(lambda name: name != last, formula if last in formula else ()):
            value, array, source = getattr(part, name), *(taken or (None, None))
            columns, index = taken and view_of(value, array) or (None, None)
            drawn = name == noise
            found[name] = self.forward(name, formula[name], value, "draw" if drawn else kind,
                                       known | found | ({"columns": columns} if columns else {}), part,
                                       sources=[source] if taken and not drawn else [], picked={source: index} if columns else {})
        return found

    # Parameters, and gradients that come by several ways

    def parameters(self, part):
        """Return {"W": row of W1, …} of the parameters that a part computes with: its own, and those of its partners."""
        if id(part) not in self.fields:
            rows = {}
            for partner in part.partners().values():
                rows |= self.parameters(partner)
            for name, value in part.named_parameters().items() if not part._parts else ():
                called = f"{name}{self.number(part)}" if isinstance(part, Layer) else f"{name} of the {role(part)}"
                rows[name] = Row(self.unique(called), "", value, kind="parameter")
                self.owners[rows[name]] = part, name
            self.fields[id(part)] = rows
        return self.fields[id(part)]

    def gradient_arrays(self):
        """Return {row of W1: dW1 as it is now} of all parameters."""
        return {row: getattr(part, f"d{name}").copy() for row, (part, name) in self.owners.items()}

    def begin(self, part, row, known, inputs):
        """Keep what the way back of a part will need; it may add to the gradients of its parameters."""
        self.seen[id(part)] = Seen(row, known, inputs)
        for parameter in self.parameters(part).values():
            self.waiting[parameter].add(id(part))

    def parameter_rows(self, part, before, known, through, default):
        """Write a row for the gradient of each parameter of a part. Where others use it too: its share, and at last the whole.

        before: the gradients before this part has added its own. default: the text where the class has no formula.
        """
        formula = formula_of(part, "backward")
        for name, row in self.parameters(part).items():
            key = next((key for key in formula if key.partition("|")[0] == f"d{name}"), f"d{name}")
            text, way = formula.get(key, default.format(name)), key.partition("|")[2] or through.step
            gradient, waiting = self.gradient_arrays()[row], self.waiting[row]
            waiting.discard(id(part))
            if self.owners[row][0] is part and not waiting:
                ways = {f"way{k}": way for k, way in enumerate(self.ways(row))}
                text = " + ".join([text, *(f"{{{way}}}" for way in ways)])
                self.backward(row, text, gradient, known | ways, part, through=[through])
                continue
            self.backward(row, text, gradient - before[row], known, part, way=way, through=[through])
            if not waiting:
                self.summed(row, self.ways(row), gradient)

    def arrive(self, of, delta):
        """Write a row for the gradient that a layer gets where no row before is all of it: what has come by several ways."""
        known = self.gradients.get(of)
        if known is not None and np.array_equal(known.gradient.ravel(), delta.ravel()):
            return
        ways = [*([known] if known else []), *self.ways(of)]
        if ways and agree(sum(way.gradient.reshape(delta.shape) for way in ways), delta):
            self.summed(of, ways, delta)
            return
        gradients = [(row.gradient, row) for row in reversed(self.rows) if row.backward]
        text, known, picked = origin(delta, gradients) or (f"made by {type(self.model).__name__}", {}, {})
        self.backward(of, text, delta, known, picked=picked)

    def hand_back(self, of, text, gradient, known, part, value, through):
        """Write a row for the gradient of what a part took: all of it, or what comes by this way where others took it too."""
        several = self.consumers[of] > 1
        self.backward(of, text, gradient, known, part, value=value, way=through.step if several else "", through=[through])
        ways = self.ways(of)
        if of.kind != "made" or several and len(ways) < self.consumers[of]:
            return
        if several:
            self.summed(of, ways, sum(way.gradient for way in ways))
        for source in of.sources:
            self.hand_on(of, source)

    def hand_on(self, made, source):
        """Write a row for the gradient of one of the arrays that the model has made another of."""
        if source.kind == "given":
            return
        gradient, index = self.gradients[made], made.picked.get(source)
        text, value, picked = "{g}", gradient.gradient, {}
        if index is not None:
            there, columns = np.full(source.shape, -1), np.flatnonzero((index >= 0).any(axis=0))
            there.flat[index[index >= 0]] = np.flatnonzero(index >= 0)
            value, picked = np.where(there >= 0, gradient.gradient.ravel()[there], 0), {gradient: there}
            text += f"[{columns_in_words(columns[0], columns[-1] + 1, index.shape[1])}]"
        self.hand_back(source, text, value, {"g": gradient}, None, source.value, made)


def formula_of(part, method):
    """Return {name: formula} of what a method computes, from the classes whose method it is."""
    found = {}
    for kind in reversed(type(part).__mro__):
        if getattr(kind, method, None) is getattr(type(part), method):
            found |= vars(kind).get("formula", {})
    return found


def role(part):
    """Return what a part with parameters is to its model."""
    return "likelihood" if isinstance(part, Loss) else "posterior" if hasattr(part, "kl") else "prior"


def agree(a, b):
    """Return whether two arrays are equal up to rounding."""
    return np.abs(a - b).max() <= 1e3 * np.finfo(b.dtype).eps * max(np.abs(a).max(), np.abs(b).max())
