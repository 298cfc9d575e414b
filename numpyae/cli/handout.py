"""Write a lecture as a page for the browser.

Run a lecture and write it as one HTML page: prose, code, what the code prints, figures. It opens without a network,
on a phone too, and prints. With `all`: every lecture, and index.html, which leads to them. That takes some minutes.
A page that this command has made is replaced; any other file stays, with an error.
"""

from numpyae.cli.lecture import FULL


OPTIONS = {
    "number": dict(help="of the lecture, or: all"),
    "--to": dict(metavar="FOLDER", default="handouts", help="where pages go (handouts)"),
    "--full": FULL}


def run(arguments):
    """Write one page, or all and an index."""
    from numpyae.course import handout

    return handout.write(arguments.number, arguments.to, arguments.full)
