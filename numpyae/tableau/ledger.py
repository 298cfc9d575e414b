"""The ledger: the rows of one pass, and what the next of them may name: arrays, parameters, gradients so far."""

import collections
import itertools
import string

import numpy as np

from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.parameters import Parametric
from numpyae.tableau.origin import origin, slices_of, view_of
from numpyae.tableau.rows import Row

SYMBOLS = {"sigma": "σ"}              # constants that are not called as their attribute
Seen = collections.namedtuple("Seen", "row known")                   # a part's output, and what its formulas may name


class Ledger:
    """The rows of one pass through a model."""

    def __init__(self, model, batch):
        self.N, self.rows, self.by_model = len(batch[0]), [], f"made by {type(model).__name__}"
        self.known = []               # (array, row) of everything computed so far
        self.gradients = {}           # {row: the row of all of its gradient}
        self.seen = {}                # {id(part): Seen}
        self.constants = {}           # {name: number}
        self.named = {}               # {id(part): {"W": row of W1, …}}, and the rows of constants
        self.owners = {}              # {row of W1: (the part that it belongs to, "W")}
        self.waiting = collections.defaultdict(set)                  # {row of W1: the parts that will still add to dW1}
        self.numbers = {}             # {id(layer): 1, …}, in the order of use
        owners = [id(leaf.owner) for leaf in model.leaves().values()]
        self.uses = {owner: itertools.count(1) for owner in owners if owners.count(owner) > 1}
        self.n = self.constant("N", self.N)
        self.given = [(array, self.forward(name, "given", array, "given"))
                      for name, array in zip(model.batch_names, batch)]
        self.known.reverse()                                         # where x is t as well, it is x

    def forward(self, step, text, value, kind, known=None, part=None, **options):
        """Write a row of the way forward; its value is known by its name from now on."""
        row = Row(self.unique(step), text, value, kind=kind, operands=self.operands(text, known or {}, part), **options)
        self.rows.append(row)
        self.known.append((np.asarray(value), row))
        return row

    def backward(self, of, text, gradient, known=None, part=None, way="", kind="gradient", **options):
        """Write a row of the way back: a gradient beside its quantity. Without a way it is all of the gradient."""
        row = Row(f"d{of}|{way}" if way else f"d{of}", text, of.value.reshape(np.shape(gradient)), gradient, of=of,
                  way=way, kind=kind, operands=self.operands(text, known or {}, part), **options)
        self.rows.append(row)
        if not way:
            self.gradients[of] = row

    def computed(self, part, method, key, step, kind, value, inputs, default="{name}({inputs})", known=None, taken=None,
                 noise=""):
        """Write a row for a value that a method of a part has computed, and return the value. Attributes come before.

        key: the output's name in the formulas; default: the text of a class without; inputs: {field: row}; taken: the
        array of the first; known: what formulas may name besides; noise: the attribute that was drawn.
        """
        formula, known = formula_of(part, method), (known or {}) | self.parameters(part) | inputs
        self.attributes(part, formula, key, known, taken, noise)
        fields = ", ".join(f"{{{field}}}" for field in inputs)
        text = formula.get(key) or default.format(name=type(part).__name__, inputs=fields)
        known[key] = self.forward(step, text, value, kind, known, part, sources=inputs.values())
        self.seen[id(part)] = Seen(known[key], known)
        for parameter in self.parameters(part).values():
            self.waiting[parameter].add(id(part))
        return value

    def attributes(self, part, formula, key, known, taken=None, noise=""):
        """Write a row for each attribute that a class's formulas list before its output, and add it to what is known.

        A view of the columns of the first input may be shown as "{h}[{columns}]".
        """
        first = [row for row in known.values() if isinstance(row, Row) and row.kind != "parameter"][:1]
        for name in itertools.takewhile(lambda name: name != key, formula if key in formula else ()):
            if name in known or not hasattr(part, name):
                continue
            array, drawn = getattr(part, name), name == noise
            columns, index = ("", None) if taken is None else view_of(array, taken)
            known[name] = self.forward(name, formula[name], array, "draw" if drawn else "attribute",
                                       known | {"columns": columns}, part, sources=[] if drawn else first,
                                       picked={first[0]: index} if columns else {})

    def operands(self, text, known, part):
        """Return {field: row, number or text} of a formula. ValueError, one sentence, for a field that nobody knows."""
        found = dict(known)
        for _, field, spec, _ in string.Formatter().parse(text):
            if field is None or found.get(field) is not None:
                continue
            value = getattr(part, field, None)
            if isinstance(value, (int, float, np.number)):
                found[field] = value if spec else self.constant(field, value, part)
            elif isinstance(value, np.ndarray):
                found[field] = Row(field, "", value, kind="constant")
            else:
                kind = type(part).__name__
                raise ValueError(f"{kind}.formula: {text!r} names {{{field}}}: expected an attribute that is a number "
                                 f"or an array, or one of {', '.join(known)}")
        return found

    def output(self, part):
        """Return the row of what a part has computed last; of a network, its last layer."""
        return self.seen[id(list(part.leaves().values())[-1] if isinstance(part, Layer) else part)].row

    # Names

    def unique(self, name):
        """Return the name, with a dash for every one that is taken."""
        taken = {row.step for row in [*self.rows, *self.owners]} | self.constants.keys()
        while name in taken:
            name += "'"
        return name

    def constant(self, field, value, part=None):
        """Return the row, which has no line, of a number that formulas name."""
        key = id(part), field
        if key not in self.named:
            self.named[key] = Row(self.unique(SYMBOLS.get(field, field)), "", value, kind="constant")
            self.constants[self.named[key].step] = value
        return self.named[key]

    def number(self, layer):
        """Return the number of a layer: those with parameters are counted; a second use has the number of the first."""
        counts = layer.owner.named_parameters() and not layer._parts
        return self.numbers.setdefault(id(layer.owner), max(self.numbers.values(), default=0) + bool(counts))

    def use(self, part):
        """Return _2 for the second use of a part that is used several times, else ""."""
        uses = self.uses.get(id(part.owner))
        return f"_{next(uses)}" if uses else ""

    def row_of(self, array, name="u"):
        """Return the row of an array that was computed before, perhaps in another shape, or write one of this name."""
        for known, row in reversed(self.known):
            if known is array or known.size == array.size and np.shares_memory(known, array):
                return row
        rows = [row for _, row in reversed(self.known)]
        return self.made(array, name, rows) or self.forward(name, self.by_model, array, "made")

    def made(self, array, name, rows):
        """Write a row for an array that the model has made of those of these rows, or return None."""
        text, known = origin(array, [*rows, *(piece for row in rows for piece in slices_of(row))]) or ("", {})
        return self.forward(name, text, array, "made", known) if text else None

    # Parameters, and gradients that come by several ways

    def parameters(self, part):
        """Return {"W": row of W1, …} of the parameters that a part computes with, its own and those of its partners."""
        if not isinstance(part, Parametric) or part._parts:
            return {}
        if id(part) not in self.named:
            rows = self.named[id(part)] = {}
            for partner in part.partners().values():
                rows |= self.parameters(partner)
            role = "likelihood" if isinstance(part, Loss) else "posterior" if hasattr(part, "kl") else "prior"
            for name, value in part.named_parameters().items():
                step = f"{name}{self.number(part)}" if isinstance(part, Layer) else f"{name} of the {role}"
                rows[name] = Row(self.unique(step), "", value, kind="parameter")
                self.owners[rows[name]] = part, name
        return self.named[id(part)]

    def back(self, part, call, *arrays, default, way="", **options):
        """Call a part's backward and return what it returns, with a row for each parameter to whose gradient it adds.

        Where others use it too, the row is for this part's share, and behind the last share stands one for the whole.
        default: the text of a class without a formula; way: the name of a penalty, whatever parameters it is about.
        """
        before = {row: self.gradient(row).copy() for row in self.owners}
        got = call(*arrays, **options)
        formula, (y, known) = formula_of(part, "backward"), self.seen[id(part)]
        changed = [row for row in before if not np.array_equal(before[row], self.gradient(row))]
        for row in changed if way else self.parameters(part).values():
            (owner, name), gradient = self.owners[row], self.gradient(row)
            self.waiting[row].discard(id(part))
            key = next((key for key in formula if key.partition("|")[0] == f"d{name}"), f"d{name}")
            text, last = formula.get(key, default.format(name)), not self.waiting[row]
            if owner is part and last:
                self.summed(row, gradient, [text], known, part, [y])
                continue
            by = way or key.partition("|")[2] or y.step
            self.backward(row, text, gradient - before[row], known | {name: row}, part, by, through=[y])
            if last:
                self.summed(row, gradient)
        return got

    def finish(self):
        """Write the gradients of parameters to which one of their users has never added its share."""
        for row in self.owners:
            if row not in self.gradients and self.ways(row):
                self.summed(row, self.gradient(row))

    def gradient(self, row):
        """Return the gradient of a parameter as it is now: a window into grad."""
        owner, name = self.owners[row]
        return getattr(owner, f"d{name}")

    def ways(self, of):
        """Return the rows so far that hold the gradient of this one, or a part of it: dh1, dW1|tied, dh1|sparsity."""
        found = [row for row in self.rows if row.of is of and (row.way or row is self.gradients.get(of))]
        return sorted(found, key=lambda row: row.way != "")

    def summed(self, of, gradient, texts=(), known=None, part=None, through=()):
        """Write a row for a gradient that has come by several ways: these formulas, and the rows so far."""
        ways = {f"way{k}": way for k, way in enumerate(self.ways(of))}
        through = through or [row for way in ways.values() for row in way.through]
        text = " + ".join([*texts, *(f"{{{way}}}" for way in ways)])
        self.backward(of, text, gradient, (known or {}) | ways, part, through=through)

    def arrive(self, of, delta):
        """Write a row for the gradient that a layer gets, where no row before is all of it."""
        ways = self.ways(of)
        if len(ways) == 1 and not ways[0].way and np.array_equal(ways[0].gradient.ravel(), delta.ravel()):
            return
        if ways and agree(sum(way.gradient.reshape(delta.shape) for way in ways), delta):
            self.summed(of, delta)
            return
        rows = [row for row in reversed(self.rows) if row.backward]
        columns = [slices_of(row, delta.shape[-1] if row.of.kind == "made" else None) for row in rows]
        text, known = origin(delta, sum(columns, rows)) or (self.by_model, {})
        self.backward(of, text, delta, known)

    def hand_back(self, of, text, gradient, known, part, through, **options):
        """Write a row for the gradient of an input: all of it, or what comes by this way where others took it too."""
        kinds = ("layer", "activation", "made", "loss")
        takers = [row for row in self.rows if row.kind in kinds and of in row.sources]
        way = through.step if len(takers) > 1 else ""
        self.backward(of, text, gradient, known, part, way, through=[through], **options)


def formula_of(part, method):
    """Return {name: formula} of what a method computes, from the classes whose own method it is.

    A subclass with a forward of its own does not inherit the formula of another one.
    """
    found = {}
    for kind in reversed(type(part).__mro__):
        if getattr(kind, method, None) is getattr(type(part), method):
            found |= vars(kind).get("formula", {})
    return found


def agree(a, b):
    """Return whether two arrays are equal up to rounding."""
    return np.abs(a - b).max() <= 1e3 * np.finfo(b.dtype).eps * max(np.abs(a).max(), np.abs(b).max())
