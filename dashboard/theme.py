"""How the dashboard looks: Streamlit's theme as command-line flags, and the style sheet of our own markup.

System fonts only, nothing fetched. Light and dark follow the viewer's system; `light-dark()` reads the
`color-scheme` that Streamlit sets.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw

SYSTEM_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', 'DejaVu Sans', sans-serif"

THEME = {
    "font": SYSTEM_FONTS,
    "headingFont": SYSTEM_FONTS,
    "baseFontSize": 15,
    "baseRadius": "6px",
    "showWidgetBorder": True,
    "light.primaryColor": "#0b6780",
    "light.backgroundColor": "#ffffff",
    "light.secondaryBackgroundColor": "#f2f5f7",
    "light.textColor": "#17222b",
    "light.borderColor": "#d4dce1",
    "light.sidebar.backgroundColor": "#f2f5f7",
    "light.sidebar.secondaryBackgroundColor": "#ffffff",
    "dark.primaryColor": "#4fb3cf",
    "dark.backgroundColor": "#10161b",
    "dark.secondaryBackgroundColor": "#19222a",
    "dark.textColor": "#e4ebef",
    "dark.borderColor": "#313d47",
    "dark.sidebar.backgroundColor": "#151d23",
    "dark.sidebar.secondaryBackgroundColor": "#1f2a32",
}


def flags() -> list[str]:
    """The theme as flags of `streamlit run`."""
    return [f"--theme.{name}={str(value).lower() if value is True else value}" for name, value in THEME.items()]


@cache
def icon() -> Pillow.Image:
    """The browser tab's icon, 64 x 64 RGBA: drawn here, as Streamlit fetches its own icons from the network."""
    picture = Pillow.new("RGBA", (64, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((2, 2, 61, 61), radius=14, fill="#0b6780")
    draw.ellipse((15, 15, 48, 48), outline="#ffffff", width=5)
    draw.ellipse((30, 22, 42, 34), fill="#f9c932")
    return picture


STYLE = f"<style>{Path(__file__).with_name('style.css').read_text('utf-8')}</style>"
