"""The tableau: every step of one forward and one backward pass, as rows, as a table, and as a page to step through.

    recorder.py   listens to the parts of a model, and writes a row for each thing that one of them computes
    ledger.py     what is known while rows are written: names, arrays, parameters, gradients so far
    origin.py     where an array comes from that no part has computed
    rows.py       a row: its formula, value, gradient, and the rows that it was computed from
    table.py      the rows as a table, printed and compared
    numbers.py    a formula with its numbers
    drawing.py    the network drawn
    page.py       all of it as a page for the browser, with page.css and page.js
"""

from numpyae.tableau.page import NOTHING_FROM_OUTSIDE, fragment
from numpyae.tableau.recorder import trace
from numpyae.tableau.rows import Row
from numpyae.tableau.table import Tableau

__all__ = ["NOTHING_FROM_OUTSIDE", "Row", "Tableau", "fragment", "trace"]
