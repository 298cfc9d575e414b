"""The ledger: the rows of one pass, and what the next of them may name: arrays, parameters, gradients so far."""

import collections
import itertools
import string

import numpy as np

from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.parameters import Parametric
from numpyae.tableau.rows import Row

SYMBOLS = {"sigma": "σ"}              # constants that are not called as their attribute
Seen = collections.namedtuple("Seen", "row known field")             # a part's output, what its formulas may name, and
                                                                     # the name of its first input there


class Ledger:
    """The rows of one pass through a model."""

    def __init__(self, model, batch):
        self.N, self.rows, self.by_model = len(batch[0]), [], f"made by {type(model).__name__}"
        self.known = []               # the rows of the way forward, the latest first
        self.gradients = {}           # {row: the row of all of its gradient}
        self.seen = {}                # {id(part): Seen}
        self.constants = {}           # {name: number}
        self.named = {}               # {id(part): {"W": row of W1, …}}, and the rows of constants
        self.owners = {}              # {row of W1: (the part that it belongs to, "W", dW: a window into grad)}
        self.waiting = collections.defaultdict(set)                  # {row of W1: parts that will still add to dW1}
        self.numbers = {}             # {id(layer): 1, …}, in the order of use
        owners = [id(leaf.owner) for leaf in model.leaves().values()]
        self.uses = collections.defaultdict(lambda: itertools.repeat(""))           # {id(part): _1, _2, … for its uses}
        self.uses |= {owner: map("_{}".format, itertools.count(1)) for owner in owners if owners.count(owner) > 1}
        self.n = self.constant("N", self.N)
        self.given = [self.forward(name, "given", array, "given") for name, array in zip(model.batch_names, batch)]
        self.known.reverse()                                         # where x is t as well, it is x

    def forward(self, step, text, value, kind, known=None, part=None, **options):
        """Write a row of the way forward; its value is known by its name from now on."""
        row = Row(self.unique(step), text, value, kind=kind, operands=self.operands(text, known or {}, part), **options)
        self.rows.append(row)
        self.known.insert(0, row)
        return row

    def backward(self, of, text, gradient, known=None, part=None, way="", kind="gradient", **options):
        """Write a row of the way back: a gradient beside its quantity. Without a way it is all of the gradient."""
        row = Row(f"d{of}|{way}" if way else f"d{of}", text, of.value.reshape(np.shape(gradient)), gradient, of=of,
                  way=way, kind=kind, operands=self.operands(text, known or {}, part), **options)
        self.rows.append(row)
        if not way:
            self.gradients[of] = row

    def computed(self, part, method, key, step, kind, value, inputs, default=""):
        """Write a row for a value that a method of a part has computed, and return the value. Attributes come before.

        key: the output's name in the formulas; inputs: {field: row}; default: the text of a class without.
        """
        formula, parameters = formula_of(part, method), self.parameters(part)
        known = (self.seen[id(part)].known if id(part) in self.seen else {}) | parameters | inputs
        self.attributes(part, formula, key, known)
        text = default or f"{type(part).__name__}({', '.join(f'{{{field}}}' for field in inputs)})"
        known[key] = self.forward(step, formula.get(key, text), value, kind, known, part, sources=inputs.values())
        self.seen[id(part)] = Seen(known[key], known, next(iter(inputs), ""))
        for parameter in parameters.values():
            self.waiting[parameter].add(id(part))
        return value

    def attributes(self, part, formula, key, known):
        """Write a row for each attribute that a class's formulas list before its output, and add it to what is known.

        A view of the columns of the first input may be shown as "{h}[{columns}]".
        """
        first = next((row for row in known.values() if row.kind != "parameter"), self.given[0])
        for name in itertools.takewhile(lambda name: name != key, formula if key in formula else ()):
            if name not in known and hasattr(part, name):
                array, drawn = np.asarray(getattr(part, name)), name == getattr(part, "noise_name", "epsilon")
                columns, index = view_of(array, first.array)
                known[name] = self.forward(name, formula[name], array, "draw" if drawn else "attribute",
                                           known | {"columns": columns}, part, sources=[] if drawn else [first],
                                           picked={first: index} if columns else {})

    def operands(self, text, known, part):
        """Return {field: row, number or text} of a formula. Raise ValueError for a field that nobody knows."""
        found = dict(known)
        fields = {field: spec for _, field, spec, _ in string.Formatter().parse(text) if field is not None}
        for field in [field for field in fields if field not in known]:
            value = getattr(part, field, None)
            if not isinstance(value, (int, float, np.number, np.ndarray)):
                raise ValueError(f"{type(part).__name__}.formula: {text!r} names {{{field}}}: expected an attribute "
                                 f"that is a number or an array, or one of {', '.join(known)}")
            found[field] = value if fields[field] else self.constant(field, value, part)
        return found

    def output(self, part):
        """Return the row of what a part has computed last; of a network, its last layer."""
        return self.seen[id(list(part.leaves().values())[-1] if isinstance(part, Layer) else part)].row

    # Names

    def unique(self, name):
        """Return the name, with a dash for every one that is taken."""
        taken = {row.step for row in [*self.rows, *self.owners]} | self.constants.keys()
        return next(free for dashes in itertools.count() if (free := name + "'" * dashes) not in taken)

    def constant(self, field, value, part=None):
        """Return the row, which has no line, of a number that formulas name."""
        key = id(part), field
        if key not in self.named:
            self.named[key] = Row(self.unique(SYMBOLS.get(field, field)), "", value, kind="constant")
            self.constants[self.named[key].step] = value
        return self.named[key]

    def number(self, layer):
        """Return the number of a layer: those with parameters are counted; a second use has the number of the first."""
        highest, counted = max(self.numbers.values(), default=0), layer.owner.named_parameters() and not layer._parts
        return self.numbers.setdefault(id(layer.owner), highest + bool(counted))

    def row_of(self, array, name="u"):
        """Return the row of an array that was computed before, perhaps in another shape, or write one of this name."""
        rows = [row for row in self.known if row.array.size == array.size and np.shares_memory(row.array, array)]
        return rows[0] if rows else (self.made(array, name, self.known) or
                                     self.forward(name, self.by_model, array, "made"))

    def made(self, array, name, rows):
        """Write a row for an array that the model has made of those of these rows, or return None."""
        text, known = origin(array, rows)
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
                self.owners[rows[name]] = part, name, part.named_gradients()[name]
        return self.named[id(part)]

    def back(self, part, call, *arrays, way="", **options):
        """Call a part's backward and return what it returns, with a row for each parameter to whose gradient it adds.

        Where others use it too, the row is for this part's share, and behind the last share stands one for the whole.
        way: the name of a penalty, whatever parameters it is about.
        """
        before = {row: gradient.copy() for row, (_, _, gradient) in self.owners.items()}
        got = call(*arrays, **options)
        formula, (y, known, _) = formula_of(part, "backward"), self.seen[id(part)]
        changed = [row for row in before if not np.array_equal(before[row], self.owners[row][-1])]
        for row in changed if way else self.parameters(part).values():
            owner, name, gradient = self.owners[row]
            self.waiting[row].discard(id(part))
            key = next((key for key in formula if key.partition("|")[0] == f"d{name}"), f"d{name}")
            default = f"{type(part).__name__}.backward" if way or isinstance(part, Layer) else f"∂L/∂{name}"
            text, last = formula.get(key, default), not self.waiting[row]
            by = "" if last and owner is part else way or key.partition("|")[2] or y.step
            if by:
                self.backward(row, text, gradient - before[row], known | {name: row}, part, by, through=[y])
            if last:
                self.summed(row, gradient, "" if by else text, known, part, [] if by else [y])
        return got

    def finish(self):
        """Write the gradients of parameters to which one of their users has never added its share."""
        for row, (_, _, gradient) in self.owners.items():
            if row not in self.gradients and self.ways(row):
                self.summed(row, gradient)

    def ways(self, of):
        """Return the rows so far that hold the gradient of this one, or a part of it: dh1, dW1|tied, dh1|sparsity."""
        return sorted((row for row in self.rows if row.of is of and (row.way or row is self.gradients.get(of))),
                      key=lambda row: row.way != "")

    def summed(self, of, gradient, text="", known=None, part=None, through=()):
        """Write a row for a gradient that has come by several ways: this formula, and the rows so far."""
        ways = {f"way{k}": way for k, way in enumerate(self.ways(of))}
        through = through or [row for way in ways.values() for row in way.through]
        text = " + ".join(filter(None, [text, *(f"{{{way}}}" for way in ways)]))
        self.backward(of, text, gradient, (known or {}) | ways, part, through=through)

    def arrive(self, of, delta):
        """Write a row for the gradient that a layer gets, where no row before is all of it."""
        if of in self.gradients and agree(self.gradients[of].gradient.reshape(delta.shape), delta):
            return
        ways = self.ways(of)
        if ways and agree(sum(way.gradient.reshape(delta.shape) for way in ways), delta):
            self.summed(of, delta)
        else:
            text, known = origin(delta, [row for row in reversed(self.rows) if row.backward])
            self.backward(of, text or self.by_model, delta, known)


def formula_of(part, method):
    """Return {name: formula} of what a method computes, from the classes whose own method it is.

    A subclass with a forward of its own does not inherit the formula of another one.
    """
    return {name: text for kind in reversed(type(part).__mro__)
            if getattr(kind, method, None) is getattr(type(part), method)
            for name, text in vars(kind).get("formula", {}).items()}


def agree(a, b):
    """Return whether two arrays are equal up to rounding."""
    return np.abs(a - b).max() <= 1e3 * np.finfo(b.dtype).eps * max(np.abs(a).max(), np.abs(b).max())


# The origin of an array that a model makes between its parts: a slice of a known one, a sum, or several side by side.
# A recurrent network puts the input of a step beside what the step before has left, [x[:, 1], h1_1], and hands a slice
# of the gradient back. No part of it tells the recorder, so it looks.

def origin(array, rows):
    """Return (text, {field: row}) of an array that is made of known rows, the latest first, else ("", {}).

    Columns are cut only from gradients of such arrays.
    """
    for row in rows:
        width = array.shape[-1] if row.backward and row.of.kind == "made" else None
        rows = rows + [Row(f"{row}[{words}]", "", row.result[cut], kind="slice", sources=[row])
                       for words, cut in cuts(row.shape, width).items()]
    alike = [row for row in rows if row.shape == array.shape]
    for row in alike:
        if np.array_equal(row.result, array):
            return "{a}", {"a": row}
    for a, b in itertools.combinations(alike[::-1], 2):
        if np.array_equal(a.result + b.result, array):
            return "{a} + {b}", {"a": a, "b": b}
    return side_by_side(array, [row for row in rows if row.result.ndim == 2 and row.result.any()])


def side_by_side(array, rows):
    """Return the origin of arrays beside each other, columns of zeros among them, else ("", {})."""
    texts, fields, column = [], {}, 0
    while array.ndim == 2 and column < array.shape[1]:
        row = next((row for row in rows if np.array_equal(row.result, array[:, column:column + row.shape[1]])), None)
        if row is None and array[:, column].any():
            return "", {}
        fields |= {f"p{column}": row} if row else {}
        texts.append(f"{{p{column}}}" if row else "0")
        column += row.shape[1] if row else 1
    texts = [text for text, _ in itertools.groupby(texts)]
    return (f"[{', '.join(texts)}]", fields) if fields else ("", {})


def cuts(shape, width):
    """Return {words: slice} of the steps x[:, t] of an array (N, T, D), or of the columns of this width of (N, D)."""
    if len(shape) == 3:
        return {f":, {t}": np.s_[:, t] for t in range(shape[1])}
    starts = range(shape[1] - width + 1) if len(shape) == 2 and width is not None else ()
    return {f":, {start or ''}:{'' if start + width == shape[1] else start + width}": np.s_[:, start:start + width]
            for start in starts}


def view_of(array, other):
    """Return (slice in words, flat index) where an array looks into some columns of another, else ("", None)."""
    index = np.arange(other.size).reshape(other.shape)
    return next(((words, index[cut])
                 for words, cut in cuts(other.shape, array.shape[1] if array.ndim == 2 else None).items()
                 if other[cut].__array_interface__ == array.__array_interface__), ("", None))
