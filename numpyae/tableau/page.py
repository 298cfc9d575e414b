"""The backprop stepper: a tableau as a page for the browser, in which every click goes on by one step.

`tableau.to_html()` is the whole page: the network as a drawing, next and previous (buttons, arrow keys, a slider), the
formula of the step and the same formula with its numbers,

    a1 = x W1 + b1
    a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775

and the tableau, in which a click goes to that step. Of too many numbers the norm and the range are given. Forward is
blue and points right; backward is orange, dashed, and points left. The style is page.css, the script page.js.
"""

import html
from importlib import resources

from numpyae.tableau.drawing import Drawing
from numpyae.tableau.numbers import in_numbers
from numpyae.tableau.rows import shown

NOTHING_FROM_OUTSIDE = ('<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
                        'style-src \'unsafe-inline\'; script-src \'unsafe-inline\'">')
STYLE, SCRIPT = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{policy}
<title>Backprop, step by step</title>
<style>
body {{ margin: 0 auto; padding: 0.5rem 1rem 2rem; max-width: 90rem; font: 16px/1.45 system-ui, sans-serif; \
color: #1a1a1a; background: #fff; }}
h1 {{ font-size: 1.4rem; margin: 0.4rem 0; }}
.of {{ color: #555; font-size: 0.85rem; margin: 0 0 0.8rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>Backprop, step by step</h1>
<p class="of">{title}</p>
{stepper}</body>
</html>
"""
STEPPER = """<style>
{style}</style>
<div class="stepper {everywhere}" tabindex="-1">
<div class="drawing">{svg}</div>
<div class="side">
<div class="panel">
<div class="controls"><button type="button" class="previous">◀ previous</button>\
<button type="button" class="next">next ▶</button>
<input type="range" min="0" max="{last}" value="0" aria-label="step"><span class="count">{steps} steps</span></div>
<div class="now" aria-live="polite"><div class="way"></div><div class="big"></div><div class="numbers"></div></div>
<p class="help">Arrow keys go on and back, Home and End to the ends; a click on a line of the table goes to that step. \
In the
drawing, → blue is forward: values. ← orange and dashed is backward: each gradient below what it belongs to.</p>
</div>
<div class="table"><table>
<thead><tr><th>step</th><th>formula</th><th>shape</th><th>value</th><th>gradient</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</div>
</div>
<script>
{script}</script>
"""
ROW = """<tr class="{way}" data-lit="{lit}"><td><button type="button">{step}</button></td>\
<td><span class="{kind}">{formula}</span><div class="filled">{numbers}</div></td>\
<td>{shape}</td><td>{value}</td><td>{gradient}</td></tr>
"""                                   # paper, and a screen without scripts, show the formula in numbers as well


def page(tableau):
    """Return the stepper as a page of its own."""
    return PAGE.format(policy=NOTHING_FROM_OUTSIDE, title=html.escape(tableau.title),
                       stepper=fragment(tableau, everywhere=True))


def fragment(tableau, everywhere=False):
    """Return the stepper as a piece of a page: style, drawing, table and script.

    everywhere: its keys work wherever the focus is.
    """
    drawing, rows = Drawing(tableau), []
    for row, lines in in_numbers(tableau):
        value, gradient = ("<br>".join(map(html.escape, shown(array))) for array in (row.value, row.gradient))
        rows.append(ROW.format(
            way="backward" if row.backward else "forward", lit=" ".join(map(str, drawing.lit(row))),
            step=html.escape(row.step), kind="formula words" if row.kind in ("given", "draw") else "formula",
            formula=html.escape(row.formula), numbers="".join(f"<div>{html.escape(line)}</div>" for line in lines),
            shape=row.shape, value=value, gradient=gradient))
    return STEPPER.format(style=STYLE, script=SCRIPT, svg=drawing.svg(), rows="".join(rows), last=len(tableau) - 1,
                          steps=len(tableau), everywhere="everywhere" if everywhere else "")
