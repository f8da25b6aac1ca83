"""The same over HTTP: chains against the server that `udamlf ui` starts, and its pages in a browser."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.conftest import UDAMLF, Place, answers, free_port, wait_for
from udamlf.config.labels import CITYSCAPES_16

BROWSER = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with chromedriver on this machine")


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[str]:
    """Address of a server started by `udamlf ui`, or of the place's own."""
    if place.uri.startswith("http"):
        yield place.uri
        return
    port = free_port()
    with (place.folder / "server.log").open("w") as log:  # a line a request: browsers fill a pipe
        command = (UDAMLF, "ui", "--port", str(port), "--scenario", "syn2city")
        process = place.start(*command, output=log)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), 120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def chain(remote: Place, method: str, *options: str) -> tuple[str, list[str]]:
    """Run a chain of one tiny round; what it prints, and what it says it did, step by step."""
    done = remote.call(*remote.chain(method, "--no-references", *options))
    assert done.returncode == 0, done.stderr
    return done.stdout, re.findall(r"(\w+)$", done.stderr, re.MULTILINE)


@pytest.fixture(scope="module")
def remote(place: Place, server: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose store is the server, with a chain of ST; source_only and the matched control came after it."""
    remote = Place(tmp_path_factory.mktemp("remote"), place.world, server)
    for method, *options in (("st", "--rounds", "1"), ("source_only",), ("control", "--of", "st", "--rounds", "1")):
        chain(remote, method, *options)
    return remote


@pytest.fixture(scope="module")
def page(remote: Place) -> str:
    """The address that a chain prints."""
    return chain(remote, "source_only")[0].split("compare in MLflow: ")[1].strip()


def parents(remote: Place) -> dict[str, Any]:
    """Method -> the only run of a chain of it."""
    runs = remote.runs(stage="chain")
    assert len({run.data.tags["method"] for run in runs}) == len(runs), "one run of each"
    return {run.data.tags["method"]: run for run in runs}


def test_a_whole_chain_is_recorded_once(remote: Place) -> None:
    """Nor again with an override that it has no use for: a round of source_only has no steps."""
    for options in ([], ["--set", "profile.round.steps=9"]):
        _, said = chain(remote, "source_only", *options)
        assert said.count("reused") == 2 and "done" not in said
    assert set(parents(remote)) == {"st", "source_only", "control"}
    assert {run.info.status for run in remote.runs()} == {"FINISHED"}


def test_a_chain_learns_of_references_that_end_after_it(remote: Place) -> None:
    metrics = {name: run.data.metrics for name, run in parents(remote).items()}
    for method, other in (("st", "source_only"), ("st", "control"), ("control", "source_only")):
        expected = metrics[method]["miou/16"] - metrics[other]["miou/16"]
        assert metrics[method][f"gain/{other}"] == pytest.approx(expected, abs=0.006)
    assert not [name for name in metrics["source_only"] if name.startswith("gain/")]


def test_a_parent_has_the_headline_alone_and_its_data(remote: Place) -> None:
    st = parents(remote)["st"]
    (labels,) = remote.runs(stage="pseudo_label")
    headlines = {name for name in st.data.metrics if name.startswith("pl/")}
    assert {"pl/coverage", "pl/precision"} <= headlines and all(name.count("/") == 1 for name in headlines)
    assert any(name.startswith("pl/coverage/") for name in labels.data.metrics)
    assert not {"", "None", "[]", "{}", "()"} & set(st.data.params.values())
    used = {entry.dataset.name: entry.dataset.source for entry in st.inputs.dataset_inputs}
    assert used.keys() == {"source_train", "source_val", "target_train", "target_test"}
    assert used["target_test"] == f'{{"uri": "{remote.world.as_uri()}#cityscapes/test"}}'


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = selenium.ChromeOptions()
    options.binary_location = BROWSER
    quiet = ("background-networking", "component-update", "gpu", "dev-shm-usage")
    for option in ("headless=new", "no-sandbox", "window-size=2600,1600", *(f"disable-{each}" for each in quiet)):
        options.add_argument(f"--{option}")
    driver = selenium.Chrome(options, selenium.ChromeService(DRIVER))
    yield driver
    driver.quit()


def text_of(browser: Any, address: str, *expected: str) -> str:
    """What a page says, as soon as it says all that is expected."""
    browser.get("about:blank")  # an address that differs behind its # is no other page
    browser.get(address)

    def shown() -> str:
        return str(browser.execute_script("return document.body.innerText"))

    def whole() -> str:
        text = shown()
        return text if all(word in text for word in expected) else ""

    return str(wait_for(whole, 90, shown))


def cells(browser: Any, selector: str, axis: str) -> list[tuple[str, str]]:
    """(column, text) of the cells of a table that match, as they stand on the page."""
    script = """const place = each => each.getBoundingClientRect()[arguments[1]];
        return [...document.querySelectorAll(arguments[0])].sort((a, b) => place(a) - place(b))
            .map(each => [each.getAttribute("col-id"), each.innerText.trim()])"""
    return [(str(column), str(text)) for column, text in browser.execute_script(script, selector, axis)]


@needs_browser
def test_the_page_is_a_table_of_gains_and_classes_the_best_first(remote: Place, page: str, browser: Any) -> None:
    runs = parents(remote)
    gains = ["gain/source_only", "gain/control", "source/miou/16", "pl/coverage", "pl/precision"]
    names = ["miou", *gains, *(f"iou/{name}" for name in CITYSCAPES_16.classes)]
    wanted = [f"tags.`{name}`" for name in ("method", "recipe", "seed")] + [f"metrics.`{name}`" for name in names]
    metrics = {name: run.data.metrics for name, run in runs.items()}
    numbers = [f"{values[name]:g}" for values in metrics.values() for name in names[:3] if name in values]
    text_of(browser, page, "3 matching runs", *numbers)
    heads = [column for column, _ in cells(browser, "[role=columnheader][col-id*='`']", "x")]
    assert heads[0] == "attributes.`Run Name`"
    assert heads[1:] == wanted[: len(heads) - 1], "those to the right of the window are not drawn"
    assert len(heads) > 9
    best_first = sorted(runs, key=lambda name: -metrics[name]["miou"])
    assert [text for _, text in cells(browser, "[role=gridcell][col-id='tags.`method`']", "y")] == best_first


@needs_browser
def test_the_first_chart_is_miou_over_rounds(remote: Place, page: str, browser: Any) -> None:
    text = text_of(browser, f"{page}&compareRunsMode=CHART", "mIoU over rounds", "iou/bicycle")
    assert text.index("mIoU over rounds") < text.index("\nmiou\n") < text.index("iou/bicycle")


@needs_browser
def test_two_runs_can_be_compared(remote: Place, server: str, browser: Any) -> None:
    runs = [parents(remote)[name] for name in ("st", "control")]
    ids = ",".join(f'"{run.info.run_id}"' for run in runs)
    gains = "\n".join(f"{run.data.metrics['gain/source_only']:g}" for run in runs)  # below them are the classes
    expected = [*(run.info.run_name for run in runs), "gain/source_only", gains]
    text_of(browser, f'{server}/#/compare-runs?runs=[{ids}]&experiments=["0"]', *expected)


@needs_browser
def test_a_run_has_its_numbers_and_its_picture(remote: Place, server: str, browser: Any) -> None:
    st = parents(remote)["st"]
    values = st.data.metrics
    gains = [f"{values[f'gain/{name}']:+.1f} over {text}" for name, text in
             (("source_only", "source_only"), ("control", "its control"))]  # fmt: skip
    expected = (f"{values['miou']:.1f} mIoU-16", *gains, f"road\t{values['iou/road']:.1f}", "train\tnot in source")
    text_of(browser, f"{server}/#/experiments/0/runs/{st.info.run_id}?workflowType=machine_learning", *expected)
    picture = browser.find_element("css selector", "img[src*='rounds.png']")
    assert wait_for(lambda: browser.execute_script("return arguments[0].naturalWidth", picture)) == 600
