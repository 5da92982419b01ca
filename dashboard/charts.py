"""Charts as Vega-Lite specifications, which Streamlit's own Vega draws in the browser. Pure: values in, a dict out.

Colours: Okabe and Ito's for the colour-blind (https://jfly.uni-koeln.de/color), darkened where they would not stand out
from both a white and a black page by 3 to 1 (WCAG 1.4.11).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboard.cases import Curve

Spec = dict[str, Any]
Row = dict[str, Any]

BLUE, RED, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#b57d00"
COLOURS = [BLUE, RED, GREEN, "#b0559a", ORANGE, "#56808f", "#7a68c8", "#b34a4a"]
GREY = "#7b8994"
SELECTED = "chosen"
LEGEND_COLUMNS = 2


def _spec(title: str, rows: Sequence[Row], height: int) -> Spec:
    return {
        "description": title,
        "data": {"values": list(rows)},
        "height": height,
        "config": {"axis": {"gridOpacity": 0.35}, "legend": {"orient": "bottom", "labelLimit": 260}},
    }


def inked(spec: Spec, *, dark: bool) -> Spec:
    """A chart with its words in the page's soft ink, which Streamlit's own does not reach in contrast (WCAG 1.4.3)."""
    ink = {"labelColor": "#a3b1bb" if dark else "#53636f", "titleColor": "#a3b1bb" if dark else "#53636f"}
    config = spec["config"]
    return spec | {"config": config | {part: config[part] | ink for part in ("axis", "legend")}}


def plane(title: str, rows: Sequence[Row], groups: Sequence[str], here: str, axes: tuple[str, str]) -> Spec:
    """Pictures on a plane, to be chosen by a click.

    Args:
        rows: each with x, y, `number`, `group`, `answer` and, for the tip, `truth`.
        groups: in the legend's order.
        here: the group of the current picture, drawn large and on top; empty for none.
        axes: their titles; empty for axes without meaning.
    """
    names = [*groups, *([here] if here else [])]
    blank = {"axis": {"title": None, "labels": False, "ticks": False, "domain": False}}
    x, y = ({"axis": {"title": name}} if name else blank for name in axes)
    condition = {"test": f"datum.group === {here!r}", "value": 420}
    return _spec(title, sorted(rows, key=lambda row: row["group"] == here), 460) | {
        "params": [{"name": SELECTED, "select": {"type": "point", "fields": ["number"]}}],
        "mark": {"type": "point", "filled": True, "strokeWidth": 1.2},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "scale": {"zero": False}, **x},
            "y": {"field": "y", "type": "quantitative", "scale": {"zero": False}, **y},
            "color": _colour("group", names, _of_groups(len(groups), bool(here))),
            "shape": {
                "field": "group",
                "type": "nominal",
                "title": None,
                "scale": {"domain": names, "range": [*_shapes(len(groups)), *(["diamond"] if here else [])]},
            },
            "size": {"condition": condition, "value": 60},
            "opacity": {"condition": {"param": SELECTED, "value": 0.95}, "value": 0.3},
            "tooltip": [{"field": name, "type": "nominal", "title": name} for name in rows[0] if name not in "xy"],
        },
    }


def _of_groups(count: int, here: bool) -> list[str]:
    """Two or three groups are there, not there and unknown; more are labels."""
    own = [RED, BLUE, GREY][:count] if count <= 3 else [COLOURS[at % len(COLOURS)] for at in range(count)]
    return [*own, *(["#e0007a"] if here else [])]


def _shapes(count: int) -> list[str]:
    every = ["circle", "square", "triangle-up", "cross", "triangle-down", "triangle-right", "triangle-left", "stroke"]
    return [every[at % len(every)] for at in range(count)]


def _colour(field: str, names: Sequence[str], colours: Sequence[str] = ()) -> Spec:
    chosen = [*colours] or [COLOURS[at % len(COLOURS)] for at in range(len(names))]
    said: Spec = {"field": field, "type": "nominal", "title": None, "scale": {"domain": list(names), "range": chosen}}
    return said | ({"legend": None} if len(names) == 1 else {})


def curves(title: str, named: dict[str, Curve], axes: tuple[str, str], *, diagonal: bool, dots: bool) -> Spec:
    """A curve for each name over the unit square.

    Args:
        axes: titles.
        diagonal: draws the line that chance, or perfect calibration, would follow.
        dots: marks each point.
    """
    rows = [
        {"name": name, "x": float(x), "y": float(y), "order": at}
        for name, curve in named.items()
        for at, (x, y) in enumerate(zip(curve.x, curve.y, strict=True))
    ]
    unit = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    legend = {"legend": {"columns": LEGEND_COLUMNS} if len(named) > 1 else None}
    dash = {"field": "name", "type": "nominal", "title": None, "scale": {"domain": list(named)}}
    line: Spec = {
        "mark": {"type": "line", "point": dots, "strokeWidth": 2, "interpolate": "linear"},
        "encoding": {
            "x": {"field": "x", **unit, "title": axes[0]},
            "y": {"field": "y", **unit, "title": axes[1]},
            "order": {"field": "order"},
            "color": _colour("name", list(named)) | legend,
            "strokeDash": dash | legend,
        },
    }
    chance: Spec = {
        "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
        "mark": {"type": "line", "color": GREY, "strokeDash": [4, 4], "strokeWidth": 1},
        "encoding": {"x": {"field": "x", **unit}, "y": {"field": "y", **unit}},
    }
    lines = -(-len(named) // LEGEND_COLUMNS)  # of the legend, which takes its place from the curves
    return _spec(title, rows, 282 + 18 * lines) | {"layer": [chance, line] if diagonal else [line]}


def over_time(title: str, rows: Sequence[Row], names: Sequence[str], axis: str, limit: str = "") -> Spec:
    """A line for each name over time.

    Args:
        rows: each with `when` (ISO 8601), `name`, `value`, `pictures` and, where there is a limit, `limit`.
        limit: what the dashed line is; empty for none.
    """
    told = sorted({row["when"] for row in rows})
    days = all("T00:00" in when for when in told)
    axis_ = {"labelOverlap": True, "values": told, "format": "%m-%d" if days else "%m-%d %H:%M"}
    when = {"field": "when", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": axis_}
    tips = [{"field": name, "type": "nominal"} for name in ("when", "name", "value", "pictures")]
    line: Spec = {
        "mark": {"type": "line", "point": {"size": 45}, "strokeWidth": 2},
        "encoding": {
            "x": when,
            "y": {"field": "value", "type": "quantitative", "title": axis, "scale": {"domain": [0, 1]}},
            "color": _colour("name", names),
            "tooltip": tips,
        },
    }
    dashed: Spec = {
        "mark": {"type": "line" if len(told) > 1 else "rule", "color": GREY, "strokeDash": [5, 4], "strokeWidth": 1.5},
        "encoding": ({"x": when} if len(told) > 1 else {})
        | {"y": {"field": "limit", "aggregate": "max", "type": "quantitative", "title": axis}},
    }
    return _spec(f"{title}. {limit}", rows, 220) | {"layer": [line, dashed] if limit else [line]}


def stacked(title: str, rows: Sequence[Row], colours: dict[str, str], axis: str) -> Spec:
    """Counts as bars, one above the other, over time; rows as for `over_time`, and a colour for each name."""
    return _spec(title, rows, 220) | {
        "mark": {"type": "bar", "width": {"band": 0.7}},
        "encoding": {
            "x": {"field": "when", "type": "ordinal", "title": None, "axis": {"labelAngle": 0, "labelOverlap": True}},
            "y": {"field": "value", "type": "quantitative", "title": axis, "axis": {"tickMinStep": 1}},
            "color": _colour("name", list(colours), list(colours.values())),
            "order": {"field": "order"},
            "tooltip": [{"field": "when"}, {"field": "name"}, {"field": "value"}],
        },
    }


def trend(title: str, rows: Sequence[Row], low: float, high: float, threshold: float, axis: str) -> Spec:
    """One finding's probability from study to study, over its "not sure" zone and operating point.

    Args:
        rows: each with `study` and `value`, the oldest first.
    """
    y = {"field": "value", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": axis}
    x = {
        "field": "study",
        "type": "ordinal",
        "sort": None,
        "title": None,
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }
    zone: Spec = {
        "data": {"values": [{"low": low, "high": high}]},
        "mark": {"type": "rect", "color": "#7a68c8", "opacity": 0.28},
        "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
    }
    point: Spec = {
        "data": {"values": [{"value": threshold}]},
        "mark": {"type": "rule", "color": GREY, "strokeWidth": 2},
        "encoding": {"y": y},
    }
    line: Spec = {
        "mark": {"type": "line", "color": COLOURS[1], "point": {"size": 70, "color": COLOURS[1]}, "strokeWidth": 2},
        "encoding": {"x": x, "y": y, "tooltip": [{"field": "study"}, {"field": "value", "format": ".2f"}]},
    }
    return _spec(title, rows, 170) | {"layer": [zone, point, line]}


def stamp(when: datetime) -> str:
    """A time for a chart's axis."""
    return when.isoformat(timespec="minutes")
