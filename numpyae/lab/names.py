"""Words of the command line for classes: kl:0.05:3 is KLSparsity(0.05, 3).

A penalty, a corruption, a loss or an activation says its word itself, `option = "kl"` in its own body, and is
available from then on. The numbers behind the word are the arguments of its constructor, as far as they are numbers.
"""

import inspect
import itertools

from numpyae.described import with_subclasses


def known(kind):
    """Return {word: class} of the subclasses of `kind` that have a word."""
    return {cls.option: cls for cls in with_subclasses(kind) if "option" in vars(cls)}


def numbers(cls):
    """Return (the names of the numbers that the constructor takes first, how many of them it needs)."""
    parameters = inspect.signature(cls).parameters.values()
    taken = list(itertools.takewhile(lambda p: p.default is p.empty or type(p.default) in (int, float), parameters))
    return [p.name for p in taken], sum(p.default is p.empty for p in taken)


def forms(kind):
    """Return what can be written for the subclasses of `kind`: kl:RHO:WEIGHT, masking:P[:VALUE], …"""
    written = []
    for word, cls in known(kind).items():
        names, needed = numbers(cls)
        optional = "".join(f"[:{name.upper()}" for name in names[needed:]) + "]" * len(names[needed:])
        written.append(":".join([word, *(name.upper() for name in names[:needed])]) + optional)
    return ", ".join(written)


def make(option, kind, text, example):
    """Return the object that a text such as kl:0.05:3 stands for. ValueError, with the option's name, for others."""
    word, *given = text.split(":")
    classes = known(kind)
    if word not in classes:
        raise ValueError(f"{option} must be one of {', '.join(classes)}, with its numbers, such as {example}, "
                         f"got {text!r}")
    names, needed = numbers(classes[word])
    try:
        values = [float(number) for number in given]
    except ValueError:
        values = []
    if not needed <= len(values) <= len(names):
        raise ValueError(f"{option} {word} takes numbers for {' and '.join(names)}, "
                         f"written {':'.join([word, *names])}, got {text!r}")
    return classes[word](*values)
