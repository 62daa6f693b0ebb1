"""Every test and doctest runs beside the tree, not in it: what an example writes lands in a temporary folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of several test processes would wait for each other
import zoo.ready  # noqa: F401  # README.md imports transformers, which imports torchvision

ROOT = Path(__file__).parent
collect_ignore_glob = ["fxsummary/integrations/*"]
"""They import packages that may not be installed, and have no doctests."""
IGNORED = {
    ".git",
    ".venv",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    "__pycache__",
    "_build",
    "results",
}


QUICK = frozenset({"CNN", "nested_repeats", "transformer_encoder", "torchvision.resnet18"})
"""Models of the zoo that a quick run looks at."""
SLOW = frozenset(
    {"test_zoo.py", "test_html_browser.py", "test_png_pdf.py", "test_documents.py", "test_growth.py",
     "test_exported.py", "exported.md", "test_kernels.py", "test_table.py", "tables.md", "test_receptive.py",
     "test_quantized.py", "test_growth_formulas.py", "formulas.md", "test_language_model.py", "time.md",
     "test_training.py", "test_commands.py", "test_attributes.py", "test_integrations.py", "README.md"}
)  # fmt: skip
"""Files that a quick run leaves out."""
BROWSER = "test_html_browser.py"
"""The file whose tests share one browser."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="four models of the zoo, and no slow tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("quick"):
        chosen = [item for item in items if _is_quick(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = chosen


def _is_quick(item: pytest.Item) -> bool:
    from zoo import ZOO

    parameters = getattr(getattr(item, "callspec", None), "params", {})
    models = [value for value in parameters.values() if isinstance(value, str) and value in ZOO]
    return item.path.name not in SLOW and item.get_closest_marker("slow") is None and QUICK.issuperset(models)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Distribute groups of tests, so that each graph, page and fixture is made in one process only."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModel(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByModel(config, log)


def _group(nodeid: str) -> str:
    """A model, because tests share what they make of it, or a file, because tests share its fixtures."""
    from zoo import ZOO

    file, _, rest = nodeid.partition("::")
    parameters = rest.partition("[")[2].rstrip("]").split("-")
    models = [] if file.endswith(BROWSER) else [each for each in parameters if each in ZOO]
    return models[0] if models else file


@pytest.fixture(autouse=True)
def _examples_write_elsewhere(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        folder = tmp_path_factory.mktemp("doctest")
        request.getfixturevalue("monkeypatch").chdir(folder)


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_BEFORE] = _files()


def pytest_sessionfinish(session: pytest.Session) -> None:
    written = _files() - session.config.stash[_BEFORE]
    if written and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        raise pytest.UsageError(f"tests wrote into the tree: {', '.join(sorted(map(str, written)))}")


def _files() -> frozenset[Path]:
    found: set[Path] = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in IGNORED]
        found.update(Path(folder, name).relative_to(ROOT) for name in files)
    return frozenset(found)


_BEFORE: pytest.StashKey[frozenset[Path]] = pytest.StashKey()
