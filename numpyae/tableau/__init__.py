"""The tableau: every step of one forward and one backward pass, as rows, as a table, and as a page to step through.

    recorder.py   listens to the parts of a model, and writes a row for each thing that one of them computes
    ledger.py     what is known while rows are written: names, arrays, parameters, gradients so far
    rows.py       a row: its formula, value, gradient, the rows that it was computed from; its formula with numbers
    table.py      the rows as a table, printed and compared
    page.py       all of it as a page for the browser, with the network drawn; page.css and page.js
"""

from numpyae.tableau.page import NOTHING_FROM_OUTSIDE, fragment
from numpyae.tableau.recorder import trace
from numpyae.tableau.rows import Row
from numpyae.tableau.table import Tableau

__all__ = ["NOTHING_FROM_OUTSIDE", "Row", "Tableau", "fragment", "trace"]
