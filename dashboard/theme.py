"""How the dashboard looks: Streamlit's theme as command-line flags, and the style sheet of our own markup.

System fonts only, nothing fetched. Light and dark follow the viewer's system; `light-dark()` reads the
`color-scheme` that Streamlit sets.
"""

from __future__ import annotations

from functools import cache

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
    "dark.primaryColor": "#3a9db8",
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


STYLE = """<style>
:root {
  --ks-page: light-dark(#ffffff, #10161b);
  --ks-line: light-dark(#d4dce1, #313d47);
  --ks-soft: light-dark(#53636f, #a3b1bb);
  --ks-panel: light-dark(#f7f9fa, #161e25);
  --ks-track: light-dark(#e6ebee, #26313a);
  --ks-zone: light-dark(#b9a9dd, #6d5aa3);
  --ks-tick: light-dark(#17222b, #ffffff);
  --ks-present: light-dark(#a63d0b, #f08b4f);
  --ks-present-bg: light-dark(#fbe9df, #3d2415);
  --ks-not-sure: light-dark(#5b3fa0, #b9a4f0);
  --ks-not-sure-bg: light-dark(#eee9f9, #2c2447);
  --ks-absent: light-dark(#4b5b67, #a9b7c0);
  --ks-absent-bg: light-dark(#e8edf0, #232e36);
  --ks-accent: light-dark(#0b6780, #5cbcd6);
}
.stAppHeader { height: 2.2rem; min-height: 0; }
.stMainBlockContainer { padding: 2.2rem 1.8rem 2rem; max-width: 1760px; }
.stMainBlockContainer .stElementContainer:has(> .stHtml > .ks-notice) { position: sticky; top: 2.2rem; z-index: 90;
  background: var(--ks-page); }
.stSidebar [data-testid="stSidebarHeader"] { height: 2.6rem; min-height: 0; padding-block: .4rem; margin: 0; }
.stSidebar [data-testid="stSidebarUserContent"] { padding-top: 0; }
.stHtml p { margin: 0; }
.st-key-controls { min-height: 64px; }
.st-key-controls .stSlider { margin-bottom: -.7rem; }
.ks-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem .9rem; }
.ks-head h1 { font-size: 1.55rem; font-weight: 650; letter-spacing: -.01em; padding: 0; margin: 0; }
.ks-head p { color: var(--ks-soft); }
.ks-notice { border: 1px solid var(--ks-line); border-left: 4px solid var(--ks-present); border-radius: 6px;
  background: var(--ks-panel); padding: .35rem .8rem; font-size: .9rem; font-weight: 550; }
.ks-question { font-size: 1.08rem; font-weight: 600; line-height: 1.35; }
.ks-soft, .ks-facts { color: var(--ks-soft); font-size: .87rem; }
.ks-headline { border: 1px solid var(--ks-line); border-radius: 6px; background: var(--ks-panel);
  padding: .6rem .85rem; font-size: 1.05rem; line-height: 1.4; font-weight: 550; }
.ks-viewer { margin: 0; }
.ks-viewer .ks-screen { background: #000; border-radius: 6px; width: 100%; aspect-ratio: 1; max-height: 64vh;
  display: flex; position: relative; overflow: hidden; border: 1px solid var(--ks-line); }
.ks-viewer img { width: 100%; height: 100%; object-fit: contain; }
.ks-viewer .ks-empty { margin: auto; padding: 1.5rem; color: #b9c4cc; text-align: center; }
.ks-viewer figcaption { color: var(--ks-soft); font-size: .87rem; line-height: 1.4; padding-top: .4rem; }
.ks-viewer figcaption b { color: light-dark(#17222b, #e4ebef); }
.ks-finding { padding-bottom: .55rem; }
.ks-finding .ks-line { display: flex; align-items: center; gap: .6rem; }
.ks-finding .ks-value { margin-left: auto; font-variant-numeric: tabular-nums; font-weight: 600; }
.ks-chip { border-radius: 4px; padding: .05rem .5rem; font-size: .87rem; font-weight: 650; white-space: nowrap;
  border: 1px solid transparent; }
.ks-present { color: var(--ks-present); background: var(--ks-present-bg); }
.ks-not-sure { color: var(--ks-not-sure); background: var(--ks-not-sure-bg); }
.ks-absent { color: var(--ks-absent); background: var(--ks-absent-bg); }
.ks-unrated { color: var(--ks-soft); border-color: var(--ks-line); }
.ks-bar { position: relative; height: 12px; border-radius: 3px; background: var(--ks-track); margin: .35rem 0 .3rem; }
.ks-bar .ks-zone { position: absolute; inset: 0 auto; background: var(--ks-zone); opacity: .85; }
.ks-bar .ks-fill { position: absolute; left: 0; top: 3px; bottom: 3px; border-radius: 0 2px 2px 0;
  background: var(--ks-absent);
  min-width: 2px; }
.ks-bar .ks-fill.ks-present { background: var(--ks-present); }
.ks-bar .ks-fill.ks-not-sure { background: var(--ks-not-sure); }
.ks-bar .ks-tick { position: absolute; top: -3px; bottom: -3px; width: 2px; margin-left: -1px;
  background: var(--ks-tick); }
.ks-worth { color: var(--ks-soft); font-size: .82rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
.ks-legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; color: var(--ks-soft); font-size: .82rem;
  padding-top: .2rem; }
.ks-legend i { display: inline-block; vertical-align: -1px; margin-right: .4rem; height: 11px; }
.ks-legend .ks-l-fill { width: 20px; height: 6px; vertical-align: 1px; background: var(--ks-absent);
  border-radius: 2px; }
.ks-legend .ks-l-tick { width: 2px; background: var(--ks-tick); height: 13px; vertical-align: -2px; }
.ks-legend .ks-l-zone { width: 20px; background: var(--ks-zone); opacity: .85; border-radius: 2px; }
.ks-trouble { border: 1px solid var(--ks-line); border-left: 4px solid var(--ks-not-sure); border-radius: 6px;
  background: var(--ks-panel); padding: .8rem 1rem; }
.ks-trouble h3, .ks-welcome h3 { font-size: 1.08rem; font-weight: 650; padding: 0 0 .45rem; margin: 0; }
.stHtml p.ks-code { font-family: ui-monospace, 'Liberation Mono', 'DejaVu Sans Mono', monospace; font-size: .8rem;
  color: var(--ks-soft); margin-top: .6rem; }
.ks-welcome { border: 1px solid var(--ks-line); border-radius: 6px; background: var(--ks-panel);
  padding: .9rem 1.1rem; }
.ks-welcome ol { margin: 0; padding-left: 1.3rem; line-height: 1.6; }
.stHtml dl.ks-list { display: grid; grid-template-columns: minmax(7.5rem, max-content) 1fr; gap: .3rem 1rem;
  margin: 0;
  padding: 0; font-size: .93rem; }
.ks-list dt { color: var(--ks-soft); font-weight: 500; }
.ks-list dd { margin: 0; overflow-wrap: anywhere; }
.ks-card h3 { font-size: 1rem; font-weight: 650; padding: 0; margin: 1.1rem 0 .45rem; }
.ks-card h3:first-child { margin-top: .2rem; }
.ks-card p { line-height: 1.5; font-size: .93rem; }
.ks-scroll { overflow-x: auto; }
.ks-card table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums;
  margin: 0; }
.ks-card th, .ks-card td { text-align: left; padding: .3rem .7rem .3rem 0; border: 0;
  border-bottom: 1px solid var(--ks-line);
  white-space: nowrap; }
.ks-card thead th { color: var(--ks-soft); font-weight: 500; }
.ks-state { display: flex; gap: .55rem; align-items: baseline; font-size: .9rem; line-height: 1.35; }
.ks-dot { flex: none; width: .6rem; height: .6rem; border-radius: 50%; background: light-dark(#1a7f4b, #4cc38a); }
.ks-dot.ks-away { background: transparent; border: 2px solid var(--ks-present); }
</style>"""
