"""The text of `pocketdet predict`, for people."""

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pocketdet.predict.prediction import PredictionReport

MOST_NAMED = 20


def show_predictions(report: PredictionReport, folder: Path) -> None:
    """Print how many of each class were found, which files were damaged, and where results are."""
    console = Console(highlight=False)
    frames = [frame for video in report.videos for frame in video.frames]
    entries = [*(picture.detections for picture in report.pictures), *frames]
    counts = Counter(int(label) for entry in entries for label in entry.labels)
    looked_at = [f"{len(report.pictures):,} pictures"]
    if report.videos:
        looked_at.append(f"{len(report.videos):,} videos ({len(frames):,} frames)")
    console.print(
        f"{report.num_detections:,} detections of score {report.score:g} or more in "
        f"{' and '.join(looked_at)}"
    )
    for label, count in counts.most_common(MOST_NAMED):
        console.print(f"  {count:>6,} {escape(report.classes[label])}")
    for entry in report.damaged:
        console.print(f"[red]not read:[/] {escape(entry.problem)}", soft_wrap=True)
    console.print(
        f"Drawn pictures and predictions.json are in {escape(str(folder))}", soft_wrap=True
    )
