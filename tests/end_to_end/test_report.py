"""Two methods of two seeds, from Python as docs/library.md shows it; then compared on a picture and on one page."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.end_to_end.conftest import Place
from udamlf.common.errors import UserError
from udamlf.runs.results import report

DOCS = Path(__file__).parents[2] / "docs"


SHOWN = """
import json
print(json.dumps({"st": st, "result": result, "headline": headline.reset_index().to_dict("records")}))
"""


@pytest.fixture(scope="module")
def example(place: Place) -> dict[str, Any]:
    """What the examples of docs/library.md, one after the other as one script without a guard, leave behind."""
    shutil.copytree(place.world, place.folder / "world")
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "library.md").read_text(encoding="utf-8"), re.S)
    (place.folder / "library.py").write_text("\n".join([*blocks, SHOWN]))
    done = place.call(sys.executable, "library.py")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    return {**shown, "headline": {line["method"]: line for line in shown["headline"]}}


def test_the_library_gives_plain_values(place: Place, example: dict[str, Any]) -> None:
    newest = place.runs(stage="chain", method="st")[0]
    st, headline = example["st"], example["headline"]
    assert st["run_id"] == newest.info.run_id and st["seed"] == 1
    assert st["miou"]["16"] == newest.data.metrics["miou/16"] and st["iou"]["train"] is None
    assert headline["st"]["n"] == 2 and headline["st"]["low"] <= headline["st"]["mean"]
    assert example["result"]["split"] == "target_dev" and example["result"]["images"] == 4


def test_compare_draws_a_picture(place: Place, example: dict[str, Any]) -> None:
    text = place.udamlf("compare", "--scenario", "syn2city", "--plot", "compared.png")
    assert re.search(r"^st \(adapted\).* 2 +\d+\.\d \[", text, re.M)
    picture = cv2.imread(str(place.folder / "compared.png"))
    assert picture is not None and picture.shape[1] == 2200 and picture.std() > 20


@pytest.fixture(scope="module")
def page(place: Place, example: dict[str, Any]) -> Path:
    """What `udamlf report` writes."""
    pytest.importorskip("plotly", reason="the extra `report` is not installed")
    place.udamlf("report", "--scenario", "syn2city", "--out", "report.html")
    return place.folder / "report.html"


def test_the_page_is_an_artifact_and_needs_no_network(place: Place, page: Path) -> None:
    (run,) = place.runs(stage="report")
    assert (place.artifacts(run.info.artifact_uri) / "report.html").read_bytes() == page.read_bytes()
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""<(script|link|img)[^>]*(src|href)=["']?(https?:)?//""", html)
    assert "udamlf run --scenario syn2city --method st --seed 1" in html


@pytest.fixture(scope="module")
def browser(page: Path) -> Iterator[Any]:
    """The page in headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no chromium and chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--window-size=1300,1000",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    opened.get(page.as_uri())
    yield opened
    opened.quit()


def test_the_page_shows_numbers_plots_and_every_methods_picture(browser: Any, example: dict[str, Any]) -> None:
    """Without a network: the numbers of the table, drawn plots, a slider that uncovers, no error."""
    body = browser.find_element("tag name", "body").text
    assert f"{example['headline']['st']['mean']:.1f} [" in body and "miniature: procedural scenes" in body
    assert len(browser.find_elements("css selector", ".js-plotly-plot svg.main-svg")) >= 3
    predictions, labels = browser.find_elements("css selector", ".viewer")
    assert predictions.text.count("source_only") == 3, "left, right, and among all"
    captions = [caption.text for caption in predictions.find_elements("css selector", "figcaption")]
    assert captions == ["image", "truth", "source_only", "st (adapted) (rounds=1)"]
    assert "st (adapted) (rounds=1), round 1" in labels.text
    under, over = predictions.find_elements("css selector", ".stack img")
    assert under.get_property("naturalWidth") == 256 and over.get_property("src") != under.get_property("src")
    browser.execute_script(
        "const i = arguments[0].querySelector('input'); i.value = 25; i.dispatchEvent(new Event('input'))", predictions
    )
    assert "75%" in over.value_of_css_property("clip-path")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_what_is_missing_is_said_and_nothing_is_written(store: Path) -> None:
    with pytest.raises(UserError, match="no finished chain of gta2city"):
        report("gta2city", store / "none.html")
    with pytest.raises(UserError, match="no finished chain abc of syn2city"):
        report("syn2city", store / "none.html", ["abc"])
    assert not (store / "none.html").exists()


def test_cost_is_recorded_by_real_chains(place: Place, example: dict[str, Any]) -> None:
    """Hours are those of the trainings and labellings, the shared warm-up with them; the page has the same table."""
    lines = {line["method"]: line for line in json.loads(place.udamlf("compare", "--cost", "--format", "json"))}
    st, source_only = lines["st"], lines["source_only"]
    assert st["parameters"] == source_only["parameters"] > 1e5 and st["gflops"] == source_only["gflops"] > 0
    (run, *_) = place.runs(stage="chain", method="st")
    stages = [r for name in ("warmup", "pseudo_label", "self_train") for r in place.runs(stage=name)]
    used = {value for name, value in run.data.tags.items() if name.startswith("udamlf.run.")}
    hours = sum(float(stage.data.tags["udamlf.hours"]) for stage in stages if stage.info.run_id in used)
    assert run.data.metrics["cost/hours"] == pytest.approx(hours) and st["hours"] > source_only["hours"] > 0
    assert st["device"] and "GFLOPs" in place.udamlf("compare", "--cost")
