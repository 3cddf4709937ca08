#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A flame graph of what `perf script -F comm,ip,sym` prints. Usage: perf script ... | flame.py >flame.svg

A box is a function, as wide as its share of the samples; below it is who called it. Hovering names it."""
import html, re, sys, zlib

WIDTH, ROW, NARROWEST, CHARACTER = 1200, 17, 0.4, 6.6


class Frame:
    def __init__(self):
        self.samples, self.children = 0, {}


def stacks(lines):
    """Each sample, outermost function first: a line that names the thread, then a line for each function."""
    stack = []
    for line in lines:
        frame = re.match(r"\s+[0-9a-f]+ (\S.*)", line)
        if frame:
            stack.append(re.sub(r"\+0x[0-9a-f]+$", "", frame[1].strip()))
        elif stack:
            yield stack[::-1]
            stack = []
    if stack:
        yield stack[::-1]


def tree(samples):
    root = Frame()
    for stack in samples:
        root.samples += 1
        at = root
        for name in stack:
            at = at.children.setdefault(name, Frame())
            at.samples += 1
    return root


def depth(frame, total):
    deep = [depth(c, total) for c in frame.children.values() if c.samples / total * WIDTH >= NARROWEST]
    return 1 + max(deep, default=0)


def boxes(name, frame, x, level, total, height, out):
    width = frame.samples / total * WIDTH
    if width < NARROWEST:
        return
    share = 100.0 * frame.samples / total
    y = height - (level + 1) * ROW
    text = html.escape(name)
    shade = zlib.crc32(name.encode()) % 30 # the same function, the same colour
    out.append('<g><title>%s: %.2f%%, %d samples</title><rect x="%.1f" y="%d" width="%.1f" height="%d" '
               'fill="hsl(%d,62%%,%d%%)"/>' % (text, share, frame.samples, x, y, max(width - 0.4, 0.2), ROW - 1,
                                               18 + shade, 62 + shade % 9))
    room = int((width - 6) / CHARACTER)
    if room >= 3:
        shown = name if len(name) <= room else name[:room - 1] + "…"
        out.append('<text x="%.1f" y="%d">%s</text>' % (x + 3, y + ROW - 5, html.escape(shown)))
    out.append("</g>")
    for child_name, child in sorted(frame.children.items()):
        boxes(child_name, child, x, level + 1, total, height, out)
        x += child.samples / total * WIDTH


def draw(lines, title="perf"):
    root = tree(stacks(lines))
    total = max(root.samples, 1)
    height = (depth(root, total) + 1) * ROW + 26
    out = ['<?xml version="1.0" encoding="utf-8"?>',
           '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="monospace" font-size="11">' %
           (WIDTH, height),
           '<rect width="100%%" height="100%%" fill="#fff"/><text x="6" y="16" font-size="13">%s: %d samples</text>' %
           (html.escape(title), root.samples)]
    boxes("all", root, 0, 0, total, height - 4, out)
    return "\n".join(out) + "\n</svg>\n"


if __name__ == "__main__":
    print(draw(sys.stdin), end="")
