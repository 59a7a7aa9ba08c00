"""The first eight rooms without the last three, on a made-up country, as the guide shows it."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from support.folders import ROOT

GUIDE = (ROOT / "docs/another-country.md").read_text("utf-8")
REPLACED = re.findall(r"(?m)^\| `(\w+)` .*\| (.*) \|$", GUIDE)
RATE = 120  # deaths per million and year, before the reform


def write_deaths(folder):
    draws, months = np.random.default_rng(1), pd.period_range("2005-01", "2014-12", freq="M")
    person_years = pd.Series({f"Place {n}": 1e6 * n / 12 for n in range(1, 7)})
    index = pd.MultiIndex.from_product([person_years.index, months], names=["place", "month"])
    panel = pd.DataFrame({"person_years": person_years.reindex(index, level="place")})
    since = np.maximum(np.tile(np.arange(len(months)), 6) - 60, 0)
    panel["deaths"] = draws.poisson(panel["person_years"] * RATE / 1e6 * np.exp(0.02 * since))
    panel.to_csv(folder / "deaths.csv")


@pytest.mark.slow
def test_eight_rooms_run_a_country_without_the_three_that_hold_mexico(tmp_path):
    shutil.copytree(ROOT / "analysis", tmp_path / "analysis")
    for room, files in REPLACED:
        shutil.rmtree(tmp_path / "analysis" / room)
        for pattern in re.findall(r"`([\w*-]+\.\w+)`", files):
            for path in list((tmp_path / "analysis/data").glob(pattern)):
                path.unlink()
    for path in list((tmp_path / "analysis/data").iterdir()):
        if path.suffix != ".toml":
            path.unlink()
    write_deaths(tmp_path)
    code = "\n".join(re.findall(r"(?s)```python\n(.*?)```", GUIDE))
    command = [sys.executable, "-W", "error", "-c", code]
    alone = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    slope = re.search(r"(?m)^slope +(\S+) +(\S+) +(\S+)", run.stdout)
    assert float(slope[2]) < 100 * np.expm1(12 * 0.02) < float(slope[3])
    assert "Place 6" in run.stdout


def test_guide_names_every_room_that_knows_the_country():
    assert [room for room, _ in REPLACED] == ["mexico", "claims", "report"]
    named = {name for _, files in REPLACED for name in re.findall(r"`([\w*-]+\.toml)`", files)}
    there = sorted((ROOT / "analysis/data").glob("*.toml"))
    assert [name for name in named if not list((ROOT / "analysis/data").glob(name))] == []
    kept = {path.name for path in there if not any(path.match(name) for name in named)}
    assert all(name.endswith(("-words.toml", "-words.es.toml", "its-input.toml")) for name in kept)
