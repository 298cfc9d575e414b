"""Objects that the arguments of their constructor describe: layers, losses, penalties, corruptions, optimizers.

Their classes are found by a walk over subclasses, so that no list of classes is kept by hand.
"""

import importlib


def arguments_of(cls):
    """Return the names of a constructor's arguments, as a tuple, without `rng` and `init`."""
    code = getattr(cls.__init__, "__code__", None)
    names = code.co_varnames[1:code.co_argcount + code.co_kwonlyargcount] if code else ()
    return tuple(name for name in names if name not in ("rng", "init"))


def with_subclasses(cls):
    """Return the class and all classes below it, each once, a class before those that are derived from it."""
    importlib.import_module("numpyae.library")           # a class that was never loaded is no subclass yet
    below = [found for child in cls.__subclasses__() for found in with_subclasses(child)]
    return list(dict.fromkeys([cls, *below]))


class Described:
    """An object that can be rebuilt from its constructor's arguments: each is kept in an attribute of the same name."""

    shares = ()                       # names of the attributes that hold parts whose parameters this object uses too
    example_arguments = ((),)         # constructor arguments of the instances that `examples` yields

    @property
    def arguments(self):
        """The names of the constructor's arguments, without `rng` and `init`."""
        return arguments_of(type(self))

    @property
    def owner(self):
        """The part that owns the parameters: for a second use (`again`) the first one, else this part itself."""
        return self.first if "first" in self.shares else self

    def in_words(self, *settings):
        """Return "Class(settings)"; a second use has "again" as its last setting."""
        return f"{type(self).__name__}({', '.join([*settings, *['again'] * (self.owner is not self)])})"

    def __repr__(self):
        values = {name: getattr(self, name, None) for name in self.arguments}
        return self.in_words(*(f"{name}={value!r}" for name, value in values.items() if value is not None))
