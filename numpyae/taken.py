"""Ownership: a layer belongs to the last model built from it; an earlier model cannot be used any more."""

import functools


class Taken:
    """A container that has lost a part to another: its parameters and methods raise a ValueError that says so."""

    def __getattribute__(self, name):
        state = object.__getattribute__(self, "__dict__")
        if name in state and not name.startswith("_"):   # its layers may be taken one by one
            return state[name]
        if not name.startswith("__") and callable(getattr(state["_was"], name, None)):
            return functools.partial(refuse, state["_why"])
        return refuse(state["_why"])

    def __setattr__(self, name, value):
        refuse(object.__getattribute__(self, "__dict__")["_why"])

    def __repr__(self):
        return f"Taken({object.__getattribute__(self, '__dict__')['_why']})"


def refuse(why, *values, **named):
    """Raise a ValueError that says which container has taken the part."""
    raise ValueError(why)


def give_up(container, part, taker):
    """Turn a container, and every container around it, into Taken: its `part` now belongs to `taker`."""
    if container._container is not None:
        give_up(container._container, part, taker)
    why = (f"{type(container).__name__}: its part {part!r} now belongs to another {type(taker).__name__}; "
           "to use both, build that one from copy.deepcopy of the part")
    for other in container._parts.values():
        other._container = None
    vars(container).update(_why=why, _was=type(container))
    container.__class__ = Taken
