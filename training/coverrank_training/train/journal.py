"""A run's diary: a line on the terminal, a line of JSON, and curves as a picture that any browser shows."""

import json
import time
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 900, 420, 46
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22")


class Journal:
    def __init__(self, folder: Path, quiet: bool = False):
        self.file = folder / "journal.jsonl"
        self.picture = folder / "curves.svg"
        self.quiet = quiet
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, kind: str, step: int, values: dict[str, float]) -> None:
        if self.quiet:
            return
        entry = {"kind": kind, "step": step, **{name: round(value, 5) for name, value in values.items()}}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(f"{time.strftime('%H:%M:%S')} {kind} {step}  {shown}", flush=True)
        self.picture.write_text(curves(self.entries()), encoding="utf-8")

    def entries(self) -> list[dict]:
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]


def curves(entries: list[dict]) -> str:
    """Losses (left) and evaluation (right) over steps, each line scaled to its own largest value."""
    series: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for entry in entries:
        for name, value in entry.items():
            if name not in ("kind", "step", "per_second", "rate"):
                series.setdefault((entry["kind"], name), []).append((entry["step"], value))
    last = max((entry["step"] for entry in entries), default=1) or 1
    shapes = []
    for side, kind in enumerate(("train", "evaluation")):
        left, width = MARGIN + side * WIDTH / 2, WIDTH / 2 - 1.6 * MARGIN
        shapes.append(f'<text x="{left}" y="24" font-weight="bold">{kind}</text>')
        shapes.append(f'<path d="M{left},{MARGIN}V{HEIGHT - MARGIN}H{left + width}" stroke="#999" fill="none"/>')
        for number, ((_, name), points) in enumerate((key, p) for key, p in series.items() if key[0] == kind):
            top = max(max(value for _, value in points), 1e-9)
            line = " ".join(
                f"{left + width * step / last:.1f},{HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * max(0.0, value) / top:.1f}"
                for step, value in points
            )
            colour = COLOURS[number % len(COLOURS)]
            shapes.append(f'<polyline points="{line}" stroke="{colour}" fill="none" stroke-width="1.5"/>')
            label = f"{name} {points[-1][1]:.4g} (top {top:.3g})"
            shapes.append(f'<text x="{left + width - 130}" y="{MARGIN + 14 * number}" fill="{colour}">{label}</text>')
    style = 'font-family="sans-serif" font-size="11"'
    frame = '<rect width="100%" height="100%" fill="#fff"/>'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>'
    return "".join([opening, frame, *shapes, "</svg>\n"])
