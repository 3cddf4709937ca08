# SPDX-License-Identifier: BSD-3-Clause
"""Plots: gnuplot draws them, twice, wide and for a phone; colours are the page's, light or dark."""
import html, math, re, subprocess

# What gnuplot is told to draw in, and the custom property of the page that it becomes.
COLOURS = {"ink": "#010203", "faint": "#020304", "a": "#030405", "b": "#040506", "c": "#050607",
           "d": "#060708"}
SIZES = {"wide": (760, 330, 13), "narrow": (370, 290, 12)}


class Series:
    """One curve: style is line, points, steps, area or dashes."""

    def __init__(self, title, xs, ys, colour="a", style="line"):
        self.title, self.xs, self.ys, self.colour, self.style = title, xs, ys, colour, style

    def draw(self):
        colour = 'lc rgb "%s"' % COLOURS[self.colour]
        how = {"line": "lines lw 2 " + colour,
               "points": "linespoints lw 2 pt 7 ps 0.5 " + colour,
               "steps": "fillsteps fs solid 0.3 noborder " + colour,
               "area": "filledcurves y1=0 fs solid 0.3 border lw 2 " + colour,
               "dashes": "lines lw 1.5 dt (5,4) " + colour}[self.style]
        return "'-' using 1:2 with " + how

    def data(self, positive):
        rows = []
        for x, y in zip(self.xs, self.ys):
            usable = y is not None and not (positive and y <= 0)
            rows.append("%.9g %.9g" % (x, y) if usable else "") # an empty line breaks the curve
        return "\n".join(rows) + "\ne\n"


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def setup(size, height=None):
    width, standard, font = SIZES[size]
    ink, faint = COLOURS["ink"], COLOURS["faint"]
    lines = ['set terminal svg size %d,%d font "sans-serif,%d"' % (width, height or standard, font),
             "set encoding utf8",
             'set border 3 lc rgb "%s" lw 0.75' % faint,
             'set tics nomirror out scale 0.5 textcolor rgb "%s"' % ink,
             'set grid ytics lt 1 lc rgb "%s" lw 0.4' % faint,
             "unset key", "set lmargin 8", "set rmargin 2", "set tmargin 0.6", "set bmargin 3.4"]
    return lines


def legend(series, ylabel):
    """Above the plot, in the page's own type: what the ordinate is, and each curve's name."""
    keys = "".join('<span class="key %s" style="--key:var(--%s)">%s</span>' % (s.style, s.colour, html.escape(s.title))
                   for s in series)
    return '<div class="legend"><span>%s</span><span>%s</span></div>' % (html.escape(ylabel), keys)


def round_marks(most):
    """From 0 on, three to six of them."""
    step = 10 ** math.floor(math.log10(most)) if most > 0 else 1
    while most / step < 3:
        step /= 2.5 if round(step / 10 ** math.floor(math.log10(step))) == 5 else 2
    while most / step > 6:
        step *= 2
    return [step * i for i in range(int(most / step * 1.0001) + 1)]


def ticks(axis, most):
    """Thousands with a comma (gnuplot would write 1e+06)."""
    return "set %stics (%s)" % (axis, ", ".join('"%s" %.9g' % (number(at), at) for at in round_marks(most)))


def log_ticks(axis, values, marks=None):
    """At the powers of ten around values, or at these marks."""
    if marks is None:
        low = math.floor(math.log10(min(values)))
        high = max(math.ceil(math.log10(max(values))), low + 1)
        marks = [10.0 ** e for e in range(low, high + 1)]
    return "set %stics (%s)" % (axis, ", ".join('"%s" %.9g' % (number(v), v) for v in marks))


def number(value):
    return format(int(round(value)), ",") if value >= 100 or value == int(value) else "%.3g" % value


def run_gnuplot(script):
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True)
    if done.returncode != 0 or "<svg" not in done.stdout:
        raise RuntimeError("gnuplot: " + done.stderr.strip())
    return done.stdout


def themed(svg, size, title, height=None):
    """What is drawn, with the page's colours, and nothing that the page has already."""
    body = svg[svg.index("</defs>") + len("</defs>"):svg.rindex("</svg>")].rsplit("</g>", 1)[0]
    for name, colour in COLOURS.items():
        r, g, b = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
        body = re.sub(r"(stroke|fill|color)\s*=\s*(['\"])rgb\(\s*%d,\s*%d,\s*%d\)\2" % (r, g, b),
                      r'style="\1:var(--%s)"' % name, body)
    body = re.sub(r'<g fill="none"[^>]*>\s*</g>', "", body)
    body = re.sub(r'<title>gnuplot_plot_\d+</title>', "", body)
    body = re.sub(r' id="gnuplot_plot_\d+"', "", body)
    body = re.sub(r' font-family="[^"]*"', "", body)
    body = re.sub(r"<use xlink:href='#gpPt6' transform='translate\(([\d.]+),([\d.]+)\) scale\(([\d.]+)\)' ?"
                  r"(style=\"color:[^\"]*\"|color='[^']*')?/>",
                  lambda m: '<circle cx="%s" cy="%s" r="%s" stroke="none" %s/>' %
                  (m[1], m[2], m[3], (m[4] or "").replace("color", "fill", 1)), body)
    body = re.sub(r"\n\s*\n+", "\n", body)
    width, standard, _ = SIZES[size]
    return ('<svg class="%s" viewBox="0 0 %d %d" role="img" xmlns="http://www.w3.org/2000/svg">'
            '<title>%s</title>%s</svg>' % (size, width, height or standard, html.escape(title), body))


def both(title, script_of, height=None):
    return "".join(themed(run_gnuplot(script_of(size)), size, title, height) for size in SIZES)


def values_of(series):
    return [y for s in series for y in s.ys if y is not None and y > 0]


def curves(title, series, xlabel, ylabel, log_y=False, log_x=None, lines=(), bands=()):
    """lines: (y, text) across the plot. bands: (x0, x1, text), shaded. log_x: the marks of a logarithmic x."""
    series = [s for s in series if values_of([s])]
    if not series:
        return "<p>There is nothing to draw.</p>"
    highest = max(values_of(series) + [y for y, _ in lines] + [1e-9])

    def script(size):
        out = setup(size)
        out.append('set xlabel %s textcolor rgb "%s" offset 0,0.3' % (quoted(xlabel), COLOURS["ink"]))
        if log_x:
            out += ["set logscale x", log_ticks("x", log_x, log_x),
                    "set xrange [%.9g:%.9g]" % (min(log_x) * 0.85, max(log_x) * 1.12)]
        else:
            xs = [x for s in series for x in s.xs]
            out += [ticks("x", max(xs + [1e-9])), "set xrange [0:%.9g]" % (max(xs + [1e-9]) * 1.005)]
        if log_y:
            out += ["set logscale y", log_ticks("y", values_of(series))]
        else:
            out += [ticks("y", highest), "set yrange [0:%.9g]" % (highest * 1.12)]
        for i, (x0, x1, text) in enumerate(bands):
            out.append('set object %d rectangle from %.9g, graph 0 to %.9g, graph 1 fc rgb "%s" '
                       "fs transparent solid 0.12 noborder behind" % (i + 1, x0, x1, COLOURS["faint"]))
            if text:
                out.append('set label %s at %.9g, graph 0.95 center textcolor rgb "%s" font ",%d"' %
                           (quoted(text), (x0 + x1) / 2, COLOURS["ink"], 11 if size == "wide" else 9))
        for y, text in lines:
            out.append('set arrow from graph 0, first %.9g to graph 1, first %.9g nohead dt (5,4) lw 1 '
                       'lc rgb "%s"' % (y, y, COLOURS["ink"]))
            out.append('set label %s at graph 0.99, first %.9g right offset 0,0.6 textcolor rgb "%s"' %
                       (quoted(text), y, COLOURS["ink"]))
        return "\n".join(out) + "\nplot " + ", ".join(s.draw() for s in series) + "\n" + \
            "".join(s.data(log_y) for s in series)

    return legend(series, ylabel) + both(title, script)


def bars(title, rows, unit):
    """Horizontal bars: (name, value, text, colour)."""
    rows = rows or [("none", 0, "0", "a")]
    most = max(v for _, v, _, _ in rows) or 1

    def script(size):
        width, _, font = SIZES[size]
        longest = max(len(n) for n, _, _, _ in rows)
        out = setup(size, "")
        out[0] = 'set terminal svg size %d,%d font "sans-serif,%d"' % (width, bar_height(rows), font)
        out += ["set border 2", "unset xtics", "unset key", "unset grid", "set bmargin 0.6", "set tmargin 0.4",
                "set lmargin %d" % (longest * (1.0 if size == "wide" else 1.05) + 1),
                "set yrange [%g:-0.6]" % (len(rows) - 0.4), "set xrange [0:%.9g]" %
                (most * (1.30 if size == "wide" else 1.9)),
                "set style fill solid 0.85 noborder",
                "set ytics scale 0 (%s)" % ", ".join('%s %d' % (quoted(n), i) for i, (n, *_) in enumerate(rows))]
        draw = []
        data = []
        for i, (_, value, text, colour) in enumerate(rows):
            draw.append("'-' using 1:2:(0):1:3:4 with boxxyerror lc rgb \"%s\"" % COLOURS[colour])
            data.append("%.9g %d %g %g\ne\n" % (value, i, i - 0.32, i + 0.32))
            out.append('set label %s at %.9g, %d left offset 0.7,0 textcolor rgb "%s"' %
                       (quoted(text + (" " + unit if unit else "")), value, i, COLOURS["ink"]))
        return "\n".join(out) + "\nplot " + ", ".join(draw) + "\n" + "".join(data)

    def sized(size):
        svg = themed(run_gnuplot(script(size)), size, title)
        width, height, _ = SIZES[size]
        return svg.replace('viewBox="0 0 %d %d"' % (width, height),
                           'viewBox="0 0 %d %d"' % (width, bar_height(rows)), 1)

    return "".join(sized(size) for size in SIZES)


def bar_height(rows):
    return 26 * len(rows) + 16


def text_plot(xs, curves_, xlabel, ylabel, width=66, height=12):
    """The same in characters, for a terminal or a README. curves_: (character, ys), the last on top; # is filled."""
    most = max(max(ys) for _, ys in curves_) or 1
    end = max(xs) or 1
    canvas = [[" "] * width for _ in range(height)]
    for mark, ys in curves_:
        for column in range(width):
            x = end * (column + 1) / width
            rows = round(height * max([y for at, y in zip(xs, ys) if at <= x * 1.0001], default=0) / most)
            for row in range(0 if mark == "#" else rows - 1, rows):
                if row >= 0:
                    canvas[height - 1 - row][column] = mark
    lines = ["%10s" % ylabel]
    for row, cells in enumerate(canvas):
        name = format(int(round(most * (height - row) / height)), ",") if row % (height // 4) == 0 else ""
        lines.append(("%10s |%s" % (name, "".join(cells))).rstrip())
    lines.append("%10s +%s" % ("0", "-" * width))
    marks = [" "] * (width + 8)
    for at in round_marks(end):
        place, text = round(width * at / end), number(at)
        marks[place:place + len(text)] = text
    lines.append(" " * 12 + "".join(marks).rstrip() + " " + xlabel)
    return "\n".join(lines)
