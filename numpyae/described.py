"""Things that are rebuilt from the arguments of their constructor: layers, losses, penalties, corruptions, optimizers."""


def arguments_of(cls):
    """Return the names of the arguments of a class's constructor, without `rng` and `init`: they rebuild an instance."""
    code = getattr(cls.__init__, "__code__", None)
    names = code.co_varnames[1:code.co_argcount + code.co_kwonlyargcount] if code else ()
    return tuple(name for name in names if name not in ("rng", "init"))


class Described:
    """A thing that the arguments of its constructor describe: each is an attribute of the same name."""

    shares = ()                       # names of the attributes that hold parts whose parameters this one uses

    @property
    def arguments(self):
        """The names of the constructor's arguments, without `rng` and `init`."""
        return arguments_of(type(self))

    @property
    def owner(self):
        """The part that has the parameters: this one, or, for a second use (`again`), the first."""
        return self.first if "first" in self.shares else self

    def in_words(self, *settings):
        """Return Class(settings), with "again" behind them for a second use."""
        return f"{type(self).__name__}({', '.join([*settings, *['again'] * (self.owner is not self)])})"

    def __repr__(self):
        values = {name: getattr(self, name, None) for name in self.arguments}
        return self.in_words(*(f"{name}={value!r}" for name, value in values.items() if value is not None))
