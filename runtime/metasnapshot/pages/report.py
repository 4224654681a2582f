"""The page of a report."""

from __future__ import annotations

from metasnapshot.operations.report.model import Report
from metasnapshot.pages.charts import bars_of, cost_chart, strip_of
from metasnapshot.pages.environment import rendered
from metasnapshot.pages.layering import BOX_HEIGHT, BOX_WIDTH, picture_of

WORDS = {"good": "Sound", "doubtful": "Sound, with doubts", "bad": "Not sound"}
TEMPLATE = "report.html.j2"


def render_report(report: Report) -> str:
    """The page, as one file."""
    inside, directory = report.inside, report.directory
    times = [point.taken for point in directory.points if point.taken is not None]
    lineage = inside.lineage if inside else None
    return rendered(
        TEMPLATE,
        {
            "report": report,
            "word": WORDS[report.level],
            "inside": inside,
            "directory": directory,
            "picture": picture_of(lineage.nodes, lineage.edges) if lineage else None,
            "box": (BOX_WIDTH, BOX_HEIGHT),
            "chart": cost_chart(directory.points),
            "strip": strip_of(times, directory.gaps, report.made_at),
            "bars": bars_of(inside.hummock.levels) if inside else [],
        },
    )
