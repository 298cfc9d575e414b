"""A layer belongs to one model: the last one built from it. An earlier one says so, whatever is asked of it."""

import functools


class Taken:
    """A container whose part now belongs to another: reading it or calling its methods raises a ValueError that says so."""

    def __getattribute__(self, name):
        state = object.__getattribute__(self, "__dict__")
        if not name.startswith("__") and callable(getattr(state["was"], name, None)):
            return functools.partial(refuse, state["why"])
        return refuse(state["why"])

    def __setattr__(self, name, value):
        refuse(object.__getattribute__(self, "__dict__")["why"])

    def __repr__(self):
        return f"Taken({object.__getattribute__(self, '__dict__')['why']})"


def refuse(why, *values, **named):
    """Raise the ValueError that says who has taken the part."""
    raise ValueError(why)


def give_up(container, part, taker):
    """Turn a container, and those it is in, into Taken: `part` of it now belongs to `taker`."""
    if container._container is not None:
        give_up(container._container, part, taker)
    why = (f"{type(container).__name__}: its part {part!r} now belongs to another {type(taker).__name__}; "
           "build that one from copy.deepcopy of the part to use both")
    for other in container._parts.values():
        other._container = None
    container.__dict__ = {"why": why, "was": type(container)}
    container.__class__ = Taken
