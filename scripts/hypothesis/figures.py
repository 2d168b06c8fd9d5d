"""The page's figures as SVG text: accuracies of forms by tasks, and least widths against nodes."""
import math
from xml.sax.saxutils import escape

# rows of runs.txt, what the figure and the table call them, colour
WIDTH_SERIES = [
    ("width.rows", "quadratic (none + rows), foaf", "#c0392b"),
    ("width.triangle", "triangle, one layer, foaf", "#1f77b4"),
    ("width.labelrows", "quadratic (none + rows), analogy", "#e08e2b"),
    ("width.full", "full, one layer, analogy", "#2ca02c"),
]
CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 96, 30, 190, 96


def text(x, y, words, anchor="middle", size=13, colour="#222", more=""):
    return (f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" {more}>'
            f'{escape(words)}</text>')


def document(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def save(path, svg):
    path.write_text(svg)


def shade(accuracy):
    """From white at chance to blue at 100 %."""
    share = min(1, max(0, 2 * accuracy - 1))
    return "#{:02x}{:02x}{:02x}".format(*(round(255 + share * (full - 255)) for full in (31, 119, 180)))


def cell(x, y, result):
    value = None if result is None else result.mean()
    colour = "#eeeeee" if value is None else shade(value)
    words = "" if value is None else f"{100 * value:.1f}" + ("" if result.seeds() >= 5 else "*")
    dark = value is not None and value > 0.8
    return [f'<rect x="{x}" y="{y}" width="{CELL_WIDTH - 2}" height="{CELL_HEIGHT - 2}" fill="{colour}"/>',
            text(x + CELL_WIDTH / 2 - 1, y + 19, words, colour="white" if dark else "#222")]


def matrix(tasks, forms, results, quadratic):
    """results[task, form] and quadratic[task] = (equal nodes, told more): results or None."""
    width, height = LEFT + CELL_WIDTH * len(tasks) + 20, TOP + CELL_HEIGHT * (len(forms) + 2) + 50
    parts = [text(LEFT, 24, "Accuracy on the test in % (chance is 50), mean over seeds", "start", 15)]
    for column, (task, _, _) in enumerate(tasks):
        x = LEFT + CELL_WIDTH * column
        for line, words in enumerate(task.split("-")):
            parts.append(text(x + CELL_WIDTH / 2, TOP - 28 + 15 * line, words))
        for row, form in enumerate(forms):
            parts += cell(x, TOP + CELL_HEIGHT * row, results[task, form])
        for place in range(2):
            parts += cell(x, TOP + CELL_HEIGHT * (len(forms) + place) + 8, quadratic[task][place])
    for row, words in enumerate(forms + ["quadratic, equal nodes", "quadratic, told more"]):
        y = TOP + CELL_HEIGHT * row + 19 + (8 if row >= len(forms) else 0)
        parts.append(text(LEFT - 10, y, words, "end"))
    parts.append(text(LEFT, height - 14, "quadratic: the best of its kind. Grey: not run. *: fewer than five seeds.",
                      "start", 12, "#666"))
    return document(width, height, parts)


def width_law(series):
    """series[name] = {n: (widest tried, least width that reaches 99 % or None)}."""
    left, top, plot_width, plot_height = 70, 50, 430, 330
    known = [n for points in series.values() for n in points]
    low, high = (min(known), max(known)) if known else (8, 32)
    tallest = max([most for points in series.values() for most, _ in points.values()] + [64])

    def at(n, width):
        across = (math.log2(n) - math.log2(low)) / max(1e-9, math.log2(high) - math.log2(low))
        return (left + 20 + across * (plot_width - 40),
                top + plot_height - math.log2(width) / math.log2(2 * tallest) * plot_height)

    parts = [text(left, 24, "Least width that reaches 99 % against the number of nodes", "start", 15)]
    width = 1
    while width <= 2 * tallest:
        y = at(low, width)[1]
        parts.append(f'<line x1="{left}" x2="{left + plot_width}" y1="{y:g}" y2="{y:g}" stroke="#ddd"/>')
        parts.append(text(left - 8, y + 4, str(width), "end", 12))
        width *= 2
    for n in sorted(set(known)):
        parts.append(text(at(n, 1)[0], top + plot_height + 18, str(n), size=12))
    parts.append(text(left + plot_width / 2, top + plot_height + 38, "nodes"))
    parts.append(text(20, top + plot_height / 2, "width", more=f'transform="rotate(-90 20 {top + plot_height / 2})"'))
    for place, (name, title, colour) in enumerate(WIDTH_SERIES):
        points = sorted(series.get(name, {}).items())
        solved = [at(n, least) for n, (_, least) in points if least]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:g},{y:g}" for x, y in solved) + '"/>')
        parts += [f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{colour}"/>' for x, y in solved]
        for n, (most, least) in points:
            if least is None:  # an arrow: more than the widest that was tried
                x, y = at(n, most)
                parts.append(f'<path d="M {x:g} {y:g} v -22 m -5 8 l 5 -8 l 5 8" fill="none" stroke="{colour}" '
                             f'stroke-width="2"/>')
        y = top + 12 + 22 * place
        parts.append(f'<rect x="{left + plot_width + 20}" y="{y - 9}" width="14" height="10" fill="{colour}"/>')
        parts.append(text(left + plot_width + 40, y, title, "start", 12))
    parts.append(text(left + plot_width + 20, top + 12 + 22 * len(WIDTH_SERIES), "arrow: more than the widest tried",
                      "start", 12, "#666"))
    return document(left + plot_width + 290, top + plot_height + 60, parts)
