"""Draw the sign convention, ``images/sign.svg``: ``python docs/figure_sign.py``. Its numbers are the program's own."""

from __future__ import annotations

from pathlib import Path

from evidence_figures import COLOURS, GRID, INK, MUTED

from napari_autofocus.focus.estimate import refocus_z_um

IMAGE = Path(__file__).parent / "images" / "sign.svg"
BEST_UM, OFF_UM = 100.0, 4.0
CASES = (("too far apart", -OFF_UM), ("in focus", 0.0), ("too close", OFF_UM))
DRIVES = ((1, "a growing z brings them together"), (-1, "a growing z moves them apart"))
WIDTH, HEIGHT = 960, 600
LEFT, COLUMN = 210, 250
"""Where the first column begins, and how wide each is."""
LENS_Y, FOCUS_Y, ROWS_Y = 92, 262, 396
PX_PER_UM = 9.0
COLD, SHARP, WARM = COLOURS[0], COLOURS[2], COLOURS[1]
TINTS = {"too far apart": COLD, "in focus": SHARP, "too close": WARM}


def text(x: float, y: float, words: str, *, size: int = 15, colour: str = INK, look: str = "") -> str:
    """A line of words, its middle at x unless ``look`` says otherwise."""
    anchor = "" if "text-anchor" in look else 'text-anchor="middle" '
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" {anchor}{look}>{words}</text>'


def signed(value: float) -> str:
    """A number with its sign, and a true minus."""
    return f"{value:+g}".replace("-", "−") if value else "0"


def z_um(defocus_um: float, direction: int) -> float:
    """Where a drive stands that is so far out of focus: defocus = direction × (z − best z)."""
    return BEST_UM + direction * defocus_um


def move_um(defocus_um: float, direction: int) -> float:
    """How the drive moves to refocus."""
    stands = z_um(defocus_um, direction)
    return refocus_z_um(stands, defocus_um, direction) - stands


def column(number: int, name: str, defocus_um: float) -> list[str]:
    """Objective, light and slide of one case, with its defocus."""
    x, tint = LEFT + COLUMN * (number + 0.5), TINTS[name]
    slide_y = FOCUS_Y - defocus_um * PX_PER_UM
    lens = f"M{x - 46} {LENS_Y - 40}h92v34l-22 26h-48l-22 -26z"
    light = f"M{x - 24} {LENS_Y + 20}h48L{x} {FOCUS_Y}z"
    parts = [
        text(x, 34, name, size=18, colour=tint, look='font-weight="bold"'),
        f'<path d="{light}" fill="{COLOURS[4]}" opacity="0.22"/>',
        f'<path d="{lens}" fill="#ccd5de" stroke="{INK}" stroke-width="1.5"/>',
        f'<rect x="{x - 84}" y="{slide_y - 4:g}" width="168" height="9" rx="2" fill="{tint}"/>',
        text(x, 340, f"defocus {signed(defocus_um)} µm", size=19, look='font-weight="bold"'),
    ]
    if defocus_um:
        parts.append(arrow(x + 98, slide_y, FOCUS_Y, tint))
    return parts


def arrow(x: float, begin_y: float, end_y: float, colour: str) -> str:
    """From the slide to where it is in focus."""
    tip = 8 if end_y > begin_y else -8
    head = f"M{x} {end_y:g}l-6 {-tip}h12z"
    return (
        f'<path d="M{x} {begin_y:g}V{end_y - tip:g}" stroke="{colour}" stroke-width="3"/>'
        f'<path d="{head}" fill="{colour}"/>'
    )


def drive_row(number: int, direction: int, words: str) -> list[str]:
    """What a drive of this direction reads in each case, and how it moves to refocus."""
    y = ROWS_Y + number * 88
    start = 'text-anchor="start"'
    parts = [
        f'<path d="M24 {y - 26}H{WIDTH - 24}" stroke="{GRID}" stroke-width="1.5"/>',
        text(24, y, f"focus direction {signed(direction)}", look=f'{start} font-weight="bold"'),
        text(24, y + 21, words.partition(" brings ")[0].partition(" moves ")[0], size=13, colour=MUTED, look=start),
        text(24, y + 38, words.removeprefix("a growing z "), size=13, colour=MUTED, look=start),
    ]
    for place, (_, defocus_um) in enumerate(CASES):
        x = LEFT + COLUMN * (place + 0.5)
        move = move_um(defocus_um, direction)
        parts.append(text(x, y + 4, f"z = {z_um(defocus_um, direction):g} µm", size=16))
        said = f"to refocus: move by {signed(move)} µm" if move else "no move"
        parts.append(text(x, y + 28, said, size=14, colour=MUTED))
    return parts


def drawing() -> str:
    """The whole drawing, on a light ground of its own so that it reads on dark pages too."""
    formula = "defocus = focus direction × (z − best z)      move = −defocus × focus direction"
    start = 'text-anchor="start"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif" role="img">',
        "<title>Defocus is positive where sample and objective are too close, on every stand</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff"/>',
        f'<path d="M{LEFT} {FOCUS_Y}H{WIDTH - 24}" stroke="{MUTED}" stroke-width="1.5" stroke-dasharray="6 5"/>',
        text(24, LENS_Y, "objective", colour=MUTED, look=start),
        text(24, FOCUS_Y - 6, "best focus", colour=MUTED, look=start),
        text(24, FOCUS_Y + 13, f"(z = {BEST_UM:g} µm)", size=13, colour=MUTED, look=start),
    ]
    for number, (name, defocus_um) in enumerate(CASES):
        parts += column(number, name, defocus_um)
    for number, (direction, words) in enumerate(DRIVES):
        parts += drive_row(number, direction, words)
    parts.append(text(WIDTH / 2, HEIGHT - 24, formula, size=16, look='xml:space="preserve"'))
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Write the drawing."""
    IMAGE.write_text(drawing(), encoding="utf-8")


if __name__ == "__main__":
    main()
