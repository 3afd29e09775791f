"""Checks a report in a real Chromium: what it asks of hosts, says under the pointer, tells screen readers,
and looks like in the dark, on a phone and on paper.

    python3 tests/browser/check_report.py CHROMIUM REPORT.html

Needs nothing but Python: Chromium is spoken to over a pipe, in its DevTools protocol.
"""

import base64
import functools
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

MM = 96 / 25.4


class Browser:
    """Chromium without a window, and one page of it."""

    def __init__(self, chromium, home):
        theirs_in, self.to = os.pipe()
        self.answers, theirs_out = os.pipe()

        def pipes():
            # Chromium reads from 3 and writes to 4. Copies above them are not overwritten.
            ends = [os.dup2(theirs_in, 103), os.dup2(theirs_out, 104)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        flags = ["--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run"]
        flags += ["--disable-background-networking", f"--user-data-dir={home}", "about:blank"]
        if os.getuid() == 0:
            flags.append("--no-sandbox")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([chromium, *flags], preexec_fn=pipes, close_fds=False, **quiet)
        os.close(theirs_in)
        os.close(theirs_out)
        self.read, self.events, self.n_asked = b"", [], 0
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Network", "Runtime", "Log", "DOM", "Accessibility"]:
            self.ask(f"{domain}.enable")

    def message(self):
        while b"\0" not in self.read:
            more = os.read(self.answers, 1 << 20)
            if not more:
                raise EOFError("Chromium has ended")
            self.read += more
        message, self.read = self.read.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **params):
        self.n_asked += 1
        asked = {"id": self.n_asked, "method": method, "params": params}
        if self.session:
            asked["sessionId"] = self.session
        os.write(self.to, json.dumps(asked).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") != self.n_asked:
                self.events.append(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']}")
            else:
                return message["result"]

    def open(self, url):
        """Opens a page, and gives what was asked of which host meanwhile."""
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while not any(it.get("method") == "Page.loadEventFired" for it in self.events):
            self.events.append(self.message())
        return self.requests()

    def requests(self):
        sent = [it for it in self.events if it.get("method") == "Network.requestWillBeSent"]
        return [it["params"]["request"]["url"] for it in sent]

    def complaints(self):
        kinds = ["Runtime.exceptionThrown", "Log.entryAdded"]
        return [it["params"] for it in self.events if it.get("method") in kinds]

    def value(self, expression):
        found = self.ask(
            "Runtime.evaluate", expression=f"(() => {{ {expression} }})()", returnByValue=True,
            awaitPromise=True,
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def look(self, width, height=900, media="screen", scheme="light"):
        mobile = width < 500
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=mobile,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[feature])

    def close(self):
        self.session = None
        self.ask("Browser.close")
        self.process.wait()


def expect(holds, says):
    if not holds:
        raise AssertionError(says)


def serve(folder):
    """A host on loopback, and the paths that it is asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", asked


def check_hosts(browser, page):
    url = page.as_uri()
    expect(browser.open(url) == [url], "the file alone is read")
    expect(browser.complaints() == [], browser.complaints())
    host, asked = serve(str(page.parent))
    browser.open(f"{host}/{page.name}")
    # What would load something is refused, however it came there.
    browser.value(
        f"""const add = (name, more) => document.body.append(
            Object.assign(document.createElement(name), more));
        add('img', {{ src: '{host}/image' }});
        add('script', {{ src: '{host}/script' }});
        add('script', {{ textContent: 'window.hasRun = true' }});
        add('iframe', {{ src: '{host}/frame' }});
        return fetch('{host}/fetched').then(() => 'fetched', () => 'refused');"""
    )
    expect(browser.value("return window.hasRun === true") is False, "another script has run")
    expect(asked == [f"/{page.name}"], f"the host was asked for {asked}")


# Flags that stand on two lines: what a browser breaks after a hyphen.
BROKEN_FLAGS = """
    const broken = [];
    for (const code of document.querySelectorAll('.command code')) {
        const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
        for (let text; (text = walker.nextNode());) {
            for (const flag of text.data.matchAll(/--[a-z-]+/g)) {
                const range = document.createRange();
                range.setStart(text, flag.index);
                range.setEnd(text, flag.index + flag[0].length);
                const lines = new Set([...range.getClientRects()].map(it => it.top));
                if (lines.size > 1) broken.push(`${flag[0]} of ${code.textContent}`);
            }
        }
    }
    return broken;
"""


def check_flags(browser, where):
    broken = browser.value(BROKEN_FLAGS)
    expect(broken == [], f"flags on two lines, {where}: {broken}")


# A cell in the middle of the first map that has its numbers as a table, and what the table says.
CELL = """
    const figures = [...document.querySelectorAll('figure')];
    const figure = figures.find(it => it.querySelector('.told') && it.querySelector('.numbers'));
    const paper = figure.querySelector('.paper'), table = paper.nextElementSibling;
    const rows = [...table.querySelectorAll('tbody tr')];
    const numbers = rows.map(row => [...row.querySelectorAll('td')].map(it => it.textContent));
    const n = numbers[0].length, nth = (rows.length - 1) * n + n - 1;
    const cell = paper.querySelectorAll('.told path')[nth];
    cell.scrollIntoView({ block: 'center' });
    const measured = () => {
        const { x, y, width, height } = cell.getBoundingClientRect();
        const title = cell.querySelector('title');
        return { x: x + width / 2, y: y + height / 2, scrolled: window.scrollY, said: title ? title.textContent : null,
                 row: rows.at(-1).querySelector('th').textContent, number: numbers.flat()[nth] };
    };
    // A page is told of a scroll with its next picture, and hides its tooltip then.
    const frame = () => new Promise(requestAnimationFrame);
    return frame().then(frame).then(measured);
"""


def check_pointer(browser, page):
    browser.look(1280)
    browser.open(page.as_uri())
    cell = browser.value(CELL)
    lines = cell["said"].split("\n")
    number = float(lines[1].split()[-1].replace("−", "-"))
    in_table = float(cell["number"].replace("−", "-"))
    expect(abs(number - in_table) <= 1e-3 * abs(number), f"{cell}")
    expect(cell["row"].strip("· ") in lines[0], f"{cell}")
    # Without scripts Chromium itself shows the title of what is under the pointer.
    there = browser.ask("DOM.getNodeForLocation", x=int(cell["x"]), y=int(cell["y"] + cell["scrolled"]))
    node = browser.ask("DOM.describeNode", backendNodeId=there["backendNodeId"], depth=2)["node"]
    titles = [it["children"][0]["nodeValue"] for it in node["children"] if it["nodeName"] == "title"]
    expect(titles == [cell["said"]], f"{titles}")
    tip = "const it = document.querySelector('.tip'); return it.hidden ? null : it.textContent"
    expect(browser.value(tip) is None, "a tooltip without a pointer")
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=cell["x"], y=cell["y"])
    expect(browser.value(tip) == cell["said"], browser.value(tip))
    expect(browser.value(CELL)["said"] is None, "two tooltips are shown")
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    expect(browser.value(tip) is None, "the tooltip stays")


def check_accessible(browser, page):
    browser.open(page.as_uri())
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]

    def of(role):
        found = [it for it in nodes if it.get("role", {}).get("value") == role]
        return [it.get("name", {}).get("value", "") for it in found if not it.get("ignored")]

    n_pictures = browser.value("return document.querySelectorAll('svg').length")
    n_figures = browser.value("return document.querySelectorAll('figure').length")
    images, figures, headings = of("image"), of("figure"), of("heading")
    expect(len(images) == n_pictures > 0, f"{len(images)} of {n_pictures} pictures are told")
    expect(all(len(it) > 20 for it in images), f"{images}")
    expect(len(figures) == n_figures and all(figures), f"{figures}")
    expect(len(headings) > len(of("article")) > 0 and all(headings), f"{headings}")
    expect(len(of("columnheader")) > 0 and len(of("rowheader")) > 0, "tables have no heads")
    expect(of("navigation") == ["Contents"] and len(of("main")) == 1, "parts have no names")


CONTRASTS = """
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgb = color => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map(it => it / 255)
        .map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
        .reduce((sum, it, nth) => sum + it * [0.2126, 0.7152, 0.0722][nth], 0);
    const behind = it => {
        for (; it; it = it.parentElement) {
            const color = rgb(getComputedStyle(it).backgroundColor);
            if (color[3] === 255) return color;
        }
    };
    const kinds = ['h1', 'h2', 'h3', '.about', '.about a', '.lead', '.notes li', '.note', 'nav a', 'pre', 'summary',
                   'td', 'thead th', '.warning', '.chart'];
    const contrast = it => {
        const both = [light(rgb(getComputedStyle(it).color)), light(behind(it))];
        return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    };
    const low = kinds.map(kind => [kind, document.querySelector(kind)])
        .map(([kind, it]) => [kind, it && contrast(it)]).filter(it => it[1] && it[1] < 4.5);
    const paper = document.querySelector('.paper');
    return { low, page: light(rgb(getComputedStyle(document.documentElement).backgroundColor)),
             paper: light(rgb(getComputedStyle(paper).backgroundColor)) };
"""


def check_colours(browser, page):
    for scheme in ["light", "dark"]:
        browser.look(1280, scheme=scheme)
        browser.open(page.as_uri())
        found = browser.value(CONTRASTS)
        expect(found["low"] == [], f"hard to read, {scheme}: {found}")
        expect(found["page"] > 0.8 if scheme == "light" else found["page"] < 0.05, f"{found}")
        # Figures are drawn for paper.
        expect(found["paper"] == 1, f"{found}")


def check_widths(browser, page):
    for width in [1280, 390]:
        browser.look(width)
        browser.open(page.as_uri())
        found = browser.value(
            "return [document.documentElement.scrollWidth, document.querySelector('svg').clientWidth]"
        )
        expect(found[0] <= width, f"the page is {found[0]} wide on {width}")
        check_flags(browser, f"{width} wide")


def check_print(browser, page):
    width, height = 210 - 2 * 16, 297 - 2 * 16
    browser.look(int(width * MM), int(height * MM), media="print", scheme="dark")
    browser.open(page.as_uri())
    found = browser.value(
        """const all = kind => [...document.querySelectorAll(kind)];
        const wide = all('.paper, .wide, pre').filter(it => it.offsetParent !== null)
            .filter(it => it.scrollWidth > document.documentElement.clientWidth + 1);
        const heights = all('.paper').map(it => it.getBoundingClientRect().height);
        const color = getComputedStyle(document.documentElement).backgroundColor;
        const source = document.querySelector('.sources a');
        const folded = all('details:not([open])').filter(it => it.offsetParent !== null).length;
        return { folded, wide: wide.map(it => it.textContent.slice(0, 80)), highest: Math.max(...heights), color,
                 link: source && getComputedStyle(source, '::after').content };"""
    )
    expect(found["wide"] == [], f"cut at the right: {found['wide']}")
    expect(found["highest"] <= height * MM, f"a figure is {found['highest'] / MM} mm high")
    expect(found["color"] == "rgb(255, 255, 255)", f"{found}")
    expect("http" in found["link"], f"{found}")
    expect(found["folded"] == 0, "what is folded away on the screen cannot be opened on paper")
    check_flags(browser, "on paper")
    pdf = browser.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)
    pdf = base64.b64decode(pdf["data"])
    n_pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
    expect(n_pages > 5, f"{n_pages} pages")
    print(f"{n_pages} pages of A4")


def main(chromium, page):
    page = pathlib.Path(page).resolve()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        browser = Browser(chromium, home)
        try:
            checks = [check_hosts, check_pointer, check_accessible, check_colours, check_widths]
            for check in [*checks, check_print]:
                check(browser, page)
                print(f"{check.__name__}: ok")
        finally:
            browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
