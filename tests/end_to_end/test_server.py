"""The same over HTTP: chains against the server that `udamlf ui` starts, and its pages in a browser."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.conftest import BIN, Place, wait_for
from tests.in_process import BUDGET
from udamlf.config.labels import CITYSCAPES_16

BROWSER = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (BROWSER and DRIVER), reason="no chromium with chromedriver on this machine")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[str]:
    """Address of a server started by `udamlf ui`."""
    port = free_port()
    process = place.start(str(BIN / "udamlf"), "ui", "--port", str(port), "--scenario", "syn2city")
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), 120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def chain(remote: Place, method: str, *options: str) -> tuple[str, list[str]]:
    """Run a chain of one tiny round; what it prints, and what it says it did, step by step."""
    small = [text for override in BUDGET for text in ("--set", override)]
    done = remote.call(*remote.chain(method, "--no-references", *small, *options))
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
    assert {name for name in st.data.metrics if name.startswith("pl/")} == {"pl/coverage", "pl/precision"}
    assert any(name.startswith("pl/coverage/") for name in labels.data.metrics)
    assert not {"", "None", "[]", "{}", "()"} & set(st.data.params.values())
    used = {entry.dataset.name: entry.dataset.source for entry in st.inputs.dataset_inputs}
    assert used.keys() == {"source_train", "target_train", "target_test"}
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
        text = str(browser.find_element("tag name", "body").text)
        return text if all(word in text for word in expected) else ""

    return wait_for(shown, 90)


@needs_browser
def test_the_page_is_a_table_of_gains_and_classes_the_best_first(remote: Place, page: str, browser: Any) -> None:
    runs = parents(remote)
    names = ["miou", "gain/source_only", "gain/control", "iou/road", "iou/bicycle"]
    numbers = [f"{run.data.metrics[name]:g}" for run in runs.values() for name in names if name in run.data.metrics]
    text = text_of(browser, page, *numbers)
    columns = ["Run Name", "method", "recipe", "seed", *names[:3], *(f"iou/{name}" for name in CITYSCAPES_16.classes)]
    heads = [each.text for each in browser.find_elements("css selector", "[role=columnheader]")]
    assert [head for head in heads if head][: len(columns)] == columns
    rows = [each.text for each in browser.find_elements("css selector", "[col-id='tags.`method`'][role=gridcell]")]
    assert rows == sorted(runs, key=lambda name: -runs[name].data.metrics["miou"])
    assert "3 matching runs" in text


@needs_browser
def test_the_first_chart_is_miou_over_rounds(remote: Place, page: str, browser: Any) -> None:
    text = text_of(browser, f"{page}&compareRunsMode=CHART", "mIoU over rounds", "iou/road")
    section, chart = text.index("mIoU over rounds"), text.index("iou/road")
    assert section < text.index("\nmiou\n") < chart


@needs_browser
def test_two_runs_can_be_compared(remote: Place, server: str, browser: Any) -> None:
    runs = parents(remote)
    ids = ",".join(f'"{runs[name].info.run_id}"' for name in ("st", "control"))
    numbers = [f"{runs[name].data.metrics['miou']:g}" for name in ("st", "control")]
    text_of(
        browser, f'{server}/#/compare-runs?runs=[{ids}]&experiments=["0"]', "st-adapted-s0", "control-st-s0", *numbers
    )


@needs_browser
def test_a_run_has_its_numbers_and_its_picture(remote: Place, server: str, browser: Any) -> None:
    st = parents(remote)["st"]
    road, gain = st.data.metrics["iou/road"], st.data.metrics["gain/control"]
    expected = (
        f"{st.data.metrics['miou']:.1f} mIoU-16",
        f"{gain:+.1f} over its control",
        f"road {road:.1f}",
        "not in source",
    )
    text_of(browser, f"{server}/#/experiments/0/runs/{st.info.run_id}?workflowType=machine_learning", *expected)
    picture = browser.find_element("css selector", "img[src*='rounds.png']")
    assert wait_for(lambda: browser.execute_script("return arguments[0].naturalWidth", picture)) > 1000
