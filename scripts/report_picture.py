"""The README's picture of a report: ``python scripts/report_picture.py RUN/report.html docs/images/report.png 3``.

Needs Chromium and a report with films; the last argument says whose films are shown (number of the row, from 1). Some
parts of the page are left out and the others stand side by side.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

_WIDTH, _HEIGHT = 1240, 1250
_STYLE = """<style>
header { padding-top: 22px; } nav, footer, .notes, #result, #survival, #outcomes, #splits, #episodes, #cards,
#configuration, #repeat, #chosen, .skip, #distances p, #map p, #films p { display: none; } .lead { max-width: none; }
main { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 7fr); gap: 16px; } section { margin: 0; }
#films { grid-column: 1 / span 2; } #films > h3, #films > .films { display: none; }
#films > h3:nth-of-type(PICK), #films > .films:nth-of-type(PICK) { display: grid; }
#films > h3:nth-of-type(PICK) { display: block; margin-top: 0; } .scores { margin: 12px 0; }
#distances .for-wide { display: none; } #distances .for-narrow { display: block; } #distances svg { width: 100%; }
</style></head>"""


def main() -> None:
    """Write the picture."""
    report, out, row = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    browser = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("needs chromium")
    with tempfile.TemporaryDirectory() as name:
        page, picture = Path(name) / "page.html", Path(name) / "page.png"
        style = _STYLE.replace("PICK", str(row))
        html = report.read_text(encoding="utf-8").replace("</head>", style, 1).replace("<video controls", "<video")
        page.write_text(html, encoding="utf-8")
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={_WIDTH},{_HEIGHT}",
            f"--user-data-dir={name}/profile", "--virtual-time-budget=20000", f"--screenshot={picture}",
        ]  # fmt: skip
        subprocess.run([browser, *options, page.as_uri()], check=True, capture_output=True, timeout=180)
        small = cv2.resize(cv2.imread(str(picture)), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out), small, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
