"""Draw the icon of the plugin, a cell blurred on one side and sharp on the other: ``python packaging/make_icon.py``."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIDE_PX = 256
FINE = 4
GROUND, CELL, NUCLEUS, MARK = (28, 34, 46, 255), (243, 190, 205, 255), (122, 52, 128, 255), (86, 180, 233, 255)
TARGET = Path(__file__).parents[1] / "src" / "napari_autofocus" / "resources" / "icon.png"


def ellipse(draw: ImageDraw.ImageDraw, centre: tuple[float, float], radii: tuple[float, float], fill: object) -> None:
    """An ellipse in shares of the side."""
    side = SIDE_PX * FINE
    (x, y), (a, b) = centre, radii
    draw.ellipse(((x - a) * side, (y - b) * side, (x + a) * side, (y + b) * side), fill=fill)


def draw_icon() -> Image.Image:
    """The icon, RGBA."""
    side = SIDE_PX * FINE
    plate = Image.new("L", (side, side), 0)
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, side - 1, side - 1), radius=side // 6, fill=255)
    sharp = Image.new("RGBA", (side, side), GROUND)
    draw = ImageDraw.Draw(sharp)
    ellipse(draw, (0.5, 0.5), (0.31, 0.29), CELL)
    ellipse(draw, (0.5, 0.5), (0.145, 0.135), NUCLEUS)
    blurred = sharp.filter(ImageFilter.GaussianBlur(side * 0.045))
    left = Image.new("L", (side, side), 0)
    ImageDraw.Draw(left).rectangle((0, 0, side // 2, side), fill=255)
    image = Image.composite(blurred, sharp, left)
    corners(ImageDraw.Draw(image))
    image.putalpha(ImageChops.multiply(image.getchannel("A"), plate))
    return image.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def corners(draw: ImageDraw.ImageDraw) -> None:
    """The marks of a viewfinder."""
    side, width = SIDE_PX * FINE, SIDE_PX * FINE // 28
    near, far, long = 0.12 * side, 0.88 * side, 0.15 * side
    for x, y, right, down in ((near, near, 1, 1), (far, near, -1, 1), (near, far, 1, -1), (far, far, -1, -1)):
        points = [(x + right * long, y), (x, y), (x, y + down * long)]
        draw.line(points, fill=MARK, width=width, joint="curve")
        for end in points:
            ellipse(draw, (end[0] / side, end[1] / side), (width / side / 2, width / side / 2), MARK)


if __name__ == "__main__":
    draw_icon().save(TARGET, optimize=True)
