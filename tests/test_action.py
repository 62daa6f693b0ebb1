"""The GitHub Action: its shell steps run as they are, on a sample repository; what needs GitHub is a stand-in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import fxsummary

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, {width}), nn.ReLU(), nn.ReLU(), nn.Linear({width}, 4))
"""
GH = """#!/bin/sh
echo "$*" >> "$LOG"
for last; do :; done
case "$*" in
  *--jq*) cat "$LOG.id" 2>/dev/null || true ;;
  *) cat "${last#body=@}" >> "$LOG.body" ;;
esac
"""
"""Writes down how gh is called, and answers with the number of an earlier comment, if there is one."""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the steps are for bash")


class Runner:
    """Runs steps of the action as GitHub does: expressions in ``env`` are filled in, outputs are read from a file."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.repository, self.temporary = folder / "repository", folder / "temporary"
        self.outputs: dict[str, str] = {}
        self.values = {f"inputs.{name}": str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
        self.values |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        for path in (self.repository, self.temporary, folder / "bin"):
            path.mkdir()
        (folder / "bin" / "gh").write_text(GH)
        (folder / "bin" / "gh").chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_OUTPUT": str(self.temporary / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary"),
            "GITHUB_WORKSPACE": str(self.repository),
            "GITHUB_REPOSITORY": "me/nets",
            "LOG": str(self.temporary / "log"),
        }

    def git(self, *arguments: str) -> None:
        own = ("-c", "user.name=n", "-c", "user.email=n@h", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *own, *arguments], cwd=self.repository, env=self.environment, check=True)

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            (self.repository / name.replace("_", ".")).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "change")

    def value(self, expression: str) -> str:
        found = (each.strip("'") if each[0] == "'" else self.values.get(each, "") for each in expression.split(" || "))
        return next(filter(None, found), "")

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        step: dict[str, Any] = STEPS[name]
        assert step["shell"] == "bash" and "${{" not in step["run"]
        filled = {key: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self.value(found[1]), text)
                  for key, text in step["env"].items()}  # fmt: skip
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        result = subprocess.run(command, cwd=self.repository, env={**self.environment, **filled},
                                capture_output=True, text=True, check=False)  # fmt: skip
        output = self.temporary / "output"
        for line in output.read_text().splitlines() if output.exists() else ():
            key, _, value = line.partition("=")
            self.values[f"steps.{step.get('id')}.outputs.{key}"] = value
        output.unlink(missing_ok=True)
        return result


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    runner = Runner(tmp_path, model="net.py:Net", options="--input\n1x8")
    runner.git("init", "--quiet")
    runner.commit(net_py=NET.format(width=16))
    return runner


def test_every_input_is_used_and_described() -> None:
    text = (ROOT / "action.yml").read_text("utf-8")
    for name, each in ACTION["inputs"].items():
        assert f"inputs.{name}" in text.partition("\nruns:")[2], name
        assert each["description"].endswith("."), name
    reviews = (ROOT / "docs" / "reviews.md").read_text("utf-8")
    assert all(f"| `{name}` |" in reviews for name in ACTION["inputs"])


@pytest.mark.slow
def test_a_pull_request_that_changes_the_model(runner: Runner) -> None:
    runner.commit(net_py=NET.format(width=32))
    result = runner.run("Compare")
    assert result.returncode == 0, result.stderr
    assert runner.values["steps.diff.outputs.changed"] == "true"
    told = Path(runner.values["steps.diff.outputs.markdown"]).read_text("utf-8")
    assert told.startswith("### HEAD\\~1:net.py:Net → net.py:Net") and "Linear 8→16 ⇒ 8→32" in told
    assert (runner.temporary / "summary").read_text("utf-8") == told
    assert Path(runner.values["steps.diff.outputs.picture"]).read_text("utf-8").startswith("<svg")


def test_the_comment_is_posted_once_and_then_updated(runner: Runner) -> None:
    markdown, log = runner.temporary / "diff.md", runner.temporary / "log"
    markdown.write_text("### changed\n")
    runner.values |= {
        "steps.diff.outputs.markdown": str(markdown), "steps.diff.outputs.changed": "true",
        "steps.upload.outputs.artifact-url": "https://host/1", "github.event.pull_request.number": "7",
    }  # fmt: skip
    assert runner.run("Comment").returncode == 0
    assert "--method POST repos/me/nets/issues/7/comments" in log.read_text()
    body = "<!-- fxsummary net.py:Net -->\n### changed\n\n[Picture](https://host/1)\n"
    assert (runner.temporary / "log.body").read_text() == body
    (runner.temporary / "log.id").write_text("42\n43\n")
    assert runner.run("Comment").returncode == 0
    assert "--method PATCH repos/me/nets/issues/comments/42 " in log.read_text()
    (runner.temporary / "log.id").unlink()
    runner.values["steps.diff.outputs.changed"] = "false"
    log.unlink()
    assert runner.run("Comment").returncode == 0
    assert "--method" not in log.read_text()


@pytest.mark.slow
def test_a_new_model_is_shown(runner: Runner) -> None:
    runner.values["inputs.model"] = "new.py:Net"
    runner.commit(new_py=NET.format(width=32))
    assert runner.run("Compare").returncode == 0
    told = Path(runner.values["steps.diff.outputs.markdown"]).read_text("utf-8")
    assert "There is no comparison with the base" in told and "it has no file new.py" in told
    assert "| `0` Linear 8→32 |" in told and runner.values["steps.diff.outputs.changed"] == "true"


@pytest.mark.slow
def test_budgets_and_lint_fail_the_job_and_write_sarif(runner: Runner) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.ReLU(), nn.Linear(16, 4)).eval()
    fxsummary.graph(model, torch.empty(1, 8)).render(runner.repository / "net.json")  # starts faster than a model
    runner.values |= {"inputs.model": "net.json", "inputs.options": ""}
    runner.values |= {"steps.diff.outputs.folder": str(runner.temporary), "inputs.sarif": "true"}
    result = runner.run("Check budgets")
    assert result.returncode == 0 and "No budgets: set [tool.fxsummary.check]" in result.stdout
    runner.commit(pyproject_toml='[tool.fxsummary.check]\nmax-parameters = "100"\n')
    result = runner.run("Check budgets")
    assert result.returncode == 1 and "::error title=fxsummary max_parameters::212 parameters" in result.stdout
    assert '"ruleId": "max_parameters"' in Path(runner.values["steps.check.outputs.sarif"]).read_text()
    runner.values |= {"inputs.budgets": "--max-parameters 1k", "inputs.sarif": "false"}
    assert runner.run("Check budgets").returncode == 0
    runner.values["inputs.sarif"] = "true"
    result = runner.run("Lint")
    assert result.returncode == 1 and "::warning" in result.stdout
    assert '"ruleId": "double-activation"' in Path(runner.values["steps.lint.outputs.sarif"]).read_text()
