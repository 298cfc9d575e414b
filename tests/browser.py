"""A page in a real browser: headless Chromium, where there is one: what it says, what it loads, and what a script finds."""

import html
import json
import re
import shutil
import subprocess

PROGRAM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
WITHOUT = "there is no Chromium here (chromium or google-chrome): pages are not looked at in a browser"


def visit(path, folder, script="return null", size=(1280, 900)):
    """Open a page that has one script more, and run this after loading. {"result", "console", "loaded", "width", "scrolls"}.

    console: the lines that the page wrote there, errors among them; loaded: addresses that it asked for; scrolls: by how many
    pixels the page is wider than its window. The page stands in a frame, since no window of Chromium is as narrow as a phone.
    """
    report = ("addEventListener('load', () => { const result = (() => {" + script + "})(); "
              "const page = document.documentElement, out = parent.document.createElement('pre'); out.id = 'report'; "
              "out.textContent = JSON.stringify({result, "
              "loaded: performance.getEntriesByType('resource').map(e => e.name).filter(name => !name.startsWith('data:')), "
              "width: innerWidth, scrolls: page.scrollWidth - innerWidth}); parent.document.body.replaceChildren(out); });")
    text = path.read_text(encoding="utf-8")
    assert text.count("</body>") == 1
    text = html.escape(text.replace("</body>", f"<script>{report}</script></body>"))
    frame = folder / "frame.html"
    frame.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body><iframe style="border: 0; width: {size[0]}px; height: {size[1]}px" '
                     f'srcdoc="{text}"></iframe></body>', encoding="utf-8")
    done = subprocess.run([PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
                           "--v=0", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", frame.as_uri()],
                          capture_output=True, text=True, encoding="utf-8", timeout=120)
    found = json.loads(html.unescape(re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.S)[1]))
    assert found["width"] == size[0]
    return found | {"console": [line for line in done.stderr.splitlines() if "CONSOLE" in line]}


def from_outside(text):
    """Addresses in the source of a page that a browser would fetch: none is wanted but data, and places in the page itself."""
    code_free = re.sub(r"<pre.*?</pre>|<p>.*?</p>|<li>.*?</li>", "", text, flags=re.S)
    fetched = re.findall(r"""(?:src|srcset|data|poster)=["']([^"']*)|url\(([^)]*)\)|(@import[^;]*)|<link[^>]*href="([^"]*)""",
                         code_free)
    return [address for found in fetched for address in found if address and not address.startswith(("data:image/", "#"))]
