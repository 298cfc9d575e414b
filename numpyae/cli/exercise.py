"""Write exercises out, or list them.

Without a number: list the exercises. With one: write files to work on, one for each exercise. In each a function of
the library is missing, and its docstring says what to do. Files that are there already stay as they are.

  python -m numpyae exercise 4                all of lecture 4, into the folder exercises/
  python -m numpyae exercise 4b --to mine     one of them
  python -m numpyae grade exercises           what is right, and what is wrong with the rest
"""


OPTIONS = {
    "number": dict(nargs="?", help="4b, or 4 for all of lecture 4, or: all"),
    "--to": dict(metavar="FOLDER", default="exercises", help="where the files go (exercises)"),
    "--solution": dict(action="store_true", help="print the files with the library's own code in them, and write none")}


def run(arguments):
    """List the exercises, write some out, or print their solutions."""
    from numpyae.course import exercises

    if arguments.number is None:
        print(exercises.listing())
        return 0
    if arguments.solution:
        print("\n\n".join(exercises.solution(exercise.number) for exercise in exercises.find(arguments.number)), end="")
        return 0
    written, kept = exercises.write(arguments.number, arguments.to)
    print(*(f"{path} is there already, and stays as it is" for path in kept), *(f"wrote {path}" for path in written),
          sep="\n")
    return 0 if written else 1
