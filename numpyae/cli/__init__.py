"""The command line: `python -m numpyae COMMAND`, a file of this folder for each command.

A command is a file. Its name is the command. The first line of its docstring is the help in the list of all commands,
the rest is the description that `COMMAND --help` shows. OPTIONS has its options, {name: keywords of argparse's
add_argument}; a function `add_options(parser)` adds those that no table can hold. `run(arguments)` does it and returns
the exit status, None for 0. Nothing else has to be told of a command.

The exit status is 0 only on success. An error is one line on standard error: what was expected, what came.
"""

import argparse
import functools
import importlib
import pkgutil
import sys

# A formatter that keeps the lines of help texts.
layout = functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=26, width=110)


def main(argv=None):
    """Run one command; return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    arguments = make_parser(words).parse_args(words)
    if arguments.command is None:
        arguments.print_help()
        return 2
    try:
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except (ValueError, TypeError, OSError, ArithmeticError, MemoryError) as error:
        print(f"numpyae {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


def make_parser(words):
    """Return the parser of all commands, with the options of the one that the words of a command line name."""
    parser = argparse.ArgumentParser(prog="python -m numpyae", formatter_class=layout,
                                     description="Networks with every gradient written by hand, in NumPy.",
                                     epilog="Begin with: python -m numpyae train vae")
    parser.set_defaults(print_help=parser.print_help)
    found = parser.add_subparsers(dest="command", metavar="COMMAND")
    for module in pkgutil.iter_modules(__path__):
        command = importlib.import_module(f"{__name__}.{module.name}")
        title, _, text = (command.__doc__ or module.name).partition("\n\n")
        part = found.add_parser(module.name, help=title[0].lower() + title[1:].rstrip("."), description=text,
                                formatter_class=layout)
        part.set_defaults(run=command.run, print_help=part.print_help)
        for name, keywords in getattr(command, "OPTIONS", {}).items():
            part.add_argument(name, **keywords)
        if module.name in words and hasattr(command, "add_options"):
            command.add_options(part)
    return parser


def count_aloud(unit):
    """Return progress(done, of), a live line such as 3 of 800 mutants on a terminal; None where there is none."""
    def progress(done, of):
        print(f"\r{done} of {of} {unit}", end="\n" if done == of else "", file=sys.stderr, flush=True)
    return progress if sys.stderr.isatty() else None
