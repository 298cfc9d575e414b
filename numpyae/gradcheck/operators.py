"""The slips of backprop that mutants have: a sign, a factor, a forgotten `.T`, the wrong axis, `=` instead of `+=`.

Each operator is a function of a Site, a node of a method's source, and returns [(name, new text of the node, labels),
...]. The labels are the causes that describe the mistake, where it is not exactly a factor: score.py measures that.
"""

import ast
import re
from collections import namedtuple

import numpy as np


class Site(namedtuple("Site", "node text around arrays windows upstream sums in_loop")):
    """A node of a method's source, with what is known about the place.

    `around`: the nodes around it, from its statement down; `arrays`: {name: array} in scope, as when the method first
    ran; `windows`: the names among them whose array is part of grad; `upstream`: the method's argument, delta, weight,
    dz …; `sums`: whether the method's gradient is a sum of terms that have a name; `in_loop`: whether it stands in one.
    """


def scaled(site):
    """Negate; multiply or divide by 2, N, D; cast to float32."""
    if is_zeros(site.node) or not (is_whole(site) or is_summand(site)):
        return []
    labels = scale_labels(site)
    found = [("negate", f"(-({site.text}))", labels)]
    if is_whole(site):
        found += [(f"{word} {name}", f"(({site.text}) {sign} {c})", labels)
                  for name, c in numbers(site) for word, sign in (("times", "*"), ("divided by", "/"))]
        found.append(("cast to float32", f"({site.text}).astype(np.float32)", {"precision", "dtype"}))
    return found


def numbers(site):
    """Return [(name, text), ...] of the numbers 2, N and D; no D in a loop, where every turn has another."""
    if isinstance(site.around[-1], ast.Assign):
        return []
    rows = [("N", f"len({name})") for name, array in site.arrays.items() if array.ndim]
    columns = [("D", f"{name}.shape[1]") for name, array in site.arrays.items()
               if array.ndim == 2 and array.shape[1] > 1 and not site.in_loop]
    return [("2", "2"), *rows[:1], *columns[:1]]


def dropped(site):
    """Drop a summand or a factor."""
    if not isinstance(site.node, ast.BinOp) or isinstance(site.node.op, (ast.MatMult, ast.Pow)):
        return []
    left, right, op = site.node.left, site.node.right, type(site.node.op)
    a, b = ast.unparse(left), ast.unparse(right)
    if op in (ast.Add, ast.Sub):
        labels = {"term"} if site.sums else {"term", "elementwise"}
        return [("drop a summand", f"({a})", labels | ({"diagonal"} if "axis=1" in b else set())),
                ("drop a summand", f"({b})" if op is ast.Add else f"(-({b}))", labels)]
    found = [("drop the scale" if b == "self.keep" else "drop a factor", f"({a})", factor_labels(site, right))]
    if not (isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Mult, ast.Div))):
        found.append(("drop a factor", f"({b})" if op is ast.Mult else f"(1 / ({b}))", factor_labels(site, left)))
    return found


def transposed(site):
    """Drop .T; swap the operands of @."""
    labels = {"transposed", "operand", "raises", "shape"}
    if isinstance(site.node, ast.Attribute) and site.node.attr == "T":
        return [("drop .T", ast.unparse(site.node.value), labels)]
    if isinstance(site.node, ast.BinOp) and isinstance(site.node.op, ast.MatMult):
        return [("swap the operands of @", f"(({ast.unparse(site.node.right)}) @ ({ast.unparse(site.node.left)}))",
                 labels)]
    return []


def summed(site):
    """Sum over another axis, over all, or take a mean."""
    if not (isinstance(site.node, ast.Call) and ast.unparse(site.node.func) == "np.add.reduce"):
        return []
    axis = next(ast.unparse(keyword.value) for keyword in site.node.keywords if keyword.arg == "axis")
    found = [("sum over all axes" if other is None else "sum over another axis",
              site.text.replace(f"axis={axis}", f"axis={other}"),
              {"axes", "shape", "raises"} | (scale_labels(site) - {"factor"}))
             for other in (0, 1, None) if str(other) != axis]
    return found + [("sum to mean", site.text.replace("np.add.reduce", "np.mean"), scale_labels(site))]


def renamed(site):
    """Put another cached array, or local name, of the same shape here: two of them are enough."""
    labels = {"elementwise", "operand", "nonlinear"} | scale_labels(site)    # nonlinear: delta is there twice, or not
    labels |= {"updates", "zero", "in place"} if site.text in site.windows else set()
    return [("another cached value", other, labels | ({"redrawn", "overwrites"} if other in site.windows else set()))
            for other in others(site)[:2]]               # what is in grad grows from call to call


def others(site):
    """Return the names of other arrays of the same shape, where the site is the name of one."""
    here = site.arrays.get(site.text, np.zeros(()))
    return [name for name, array in site.arrays.items()
            if here.ndim and array.shape == here.shape and not np.shares_memory(array, here)]


def constants(site):
    """Change 1/2 to 1, 0 to 1, the mask to ones, > to >=; double other constants."""
    node = site.node
    if is_zeros(node) and isinstance(node, ast.Call):
        return [("another constant", site.text.replace("np.zeros", "np.ones"),
                 scale_labels(site) | {"elementwise", "term", "nonlinear"})]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        filled = site.around and ast.unparse(site.around[-1]).startswith("self._grad.fill")
        return [("1/2 to 1" if node.value == 0.5 else "another constant",
                 "1" if node.value in (0, 0.5) else str(2 * node.value),
                 {"not zeroed", "term"} if filled else scale_labels(site) | {"elementwise"})]
    if site.text == "self.mask":
        return [("mask to ones", "1", {"elementwise"})]
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Gt, ast.GtE, ast.Lt)):
        sign = {ast.Gt: ">=", ast.GtE: ">", ast.Lt: "<="}[type(node.ops[0])]
        return [("mask to ones", "1", {"elementwise"}),
                ("> to >=", f"({ast.unparse(node.left)} {sign} {ast.unparse(node.comparators[0])})",
                 {"kink", "elementwise"})]
    return []


def statements(site):
    """Change `+=` to `=`; compute in place; leave a call out."""
    node = site.node
    if isinstance(node, ast.AugAssign):
        return [("+= to =", f"{ast.unparse(node.target)}[...] = {'-' * isinstance(node.op, ast.Sub)}"
                 f"({ast.unparse(node.value)})", {"overwrites", "term", "zero"})]
    if isinstance(node, ast.Expr) and not re.match(r"(self\.)?_?(check|require)", site.text):
        return [("drop a call", "pass", {"not zeroed"} if "zero" in site.text or "fill" in site.text else {"zero"})]
    if isinstance(node, (ast.Return, ast.Assign)) and isinstance(node.value, ast.BinOp):
        name, *steps = in_place(node.value)
        owners = [array for other, array in site.arrays.items() if other in site.upstream or other.startswith("self.")]
        if any(site.arrays.get(name) is array for array in owners):          # others hold it too
            end = f"return {name}" if isinstance(node, ast.Return) else f"{ast.unparse(node.targets[0])} = {name}"
            return [("in place", "; ".join([*steps, end]),               # elsewhere that delta has a term too many
                     {"in place", "term"} if site.sums else {"in place"})]
    return []


def sigma(site):
    """Change exp(logvar / 2), which is σ, to exp(logvar)."""
    is_sigma = isinstance(site.node, ast.Call) and site.text.startswith("np.exp(0.5 * ")
    return [("exp(logvar / 2) to exp(logvar)", site.text.replace("0.5 * ", ""), {"factor", "term"})] * is_sigma


VALUES = (ast.BinOp, ast.Call, ast.Name, ast.Attribute, ast.Subscript, ast.UnaryOp)
BACKWARD = (scaled, dropped, transposed, summed, renamed, constants, statements)
FORWARD = (sigma,)                    # the one mistake of a forward that its own backward shows


def is_whole(site):
    """Return whether it is a value that is returned, added or kept, or an argument of another backward."""
    if not site.around or not isinstance(site.node, VALUES) or "np.empty" in site.text:
        return False
    parent, statement = site.around[-1], site.around[0]
    kept = isinstance(parent, ast.Assign) and not isinstance(parent.targets[0], ast.Tuple)
    return (kept and isinstance(site.node, (ast.BinOp, ast.Call))
            or isinstance(parent, ast.Call) and ast.unparse(parent.func).endswith("backward")
            or isinstance(parent, (ast.Tuple, ast.Dict)) and isinstance(statement, ast.Return)
            or isinstance(parent, (ast.Return, ast.AugAssign)))


def is_summand(site):
    """Return whether it is an operand of + or -."""
    parent = site.around[-1] if site.around else None
    return isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Add, ast.Sub))


def is_zeros(node):
    """Return whether it is an array of zeros, which no factor changes."""
    text = ast.unparse(node)
    return text.startswith("0 * ") or isinstance(node, ast.Call) and text.startswith("np.zeros")


def scale_labels(site):
    """Return the causes that name a part of a gradient that is c times too large.

    Where all of it is c times too large, `exact_causes` knows.
    """
    if site.sums:
        return {"term"}
    inside = any(isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) for node in site.around)
    inside = inside or site.upstream == ("o",)           # the mean, of which a loss subtracts its target
    return {"term", "elementwise"} if inside or site.around and isinstance(site.around[0], ast.Assign) else set()


def factor_labels(site, lost):
    """Return the causes that name a product without this factor; without delta it does not depend on what comes in."""
    labels = {"elementwise"} | scale_labels(site)
    names = {node.id for node in ast.walk(lost) if isinstance(node, ast.Name)}
    local = {name for name in site.arrays if not name.startswith("self.")}               # made of what comes in, mostly
    return labels | {"nonlinear", "operand", "dtype"} if names & {*site.upstream, *local} else labels


def in_place(node):
    """Return `a * b / c` as ["a", "a *= b", "a /= c"]."""
    if not isinstance(node, ast.BinOp):
        return [ast.unparse(node)]
    name, *steps = in_place(node.left)
    sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**"}[type(node.op)]
    return [name, *steps, f"{name} {sign}= {ast.unparse(node.right)}"]
