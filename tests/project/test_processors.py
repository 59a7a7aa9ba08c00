"""Tables and figures are the same bytes whichever kernels of linear algebra a processor gets."""

import os
import subprocess
import sys

import pytest
from support.folders import ROOT

from analysis.files import sha256

WRITE = """
import sys
from pathlib import Path
import matplotlib.pyplot as plt
from analysis import fit_its, load_policy_shifts, load_series
from analysis.files import write_table
from analysis.its.plots import plot_fit, plot_gap
from analysis.style import save_figure
shifts, folder = load_policy_shifts(), Path(sys.argv[1])
for slug, source in (("calderon-2006-12", "inegi"), ("sheinbaum-2024-10", "sesnsp")):
    result = fit_its(load_series(source), shifts[slug])
    path = result.counterfactual().reset_index(names="month").astype({"month": str})
    write_table(path, folder / f"{slug}--path.csv")
    write_table(result.effects.reset_index(), folder / f"{slug}.csv")
    figure, axes = plt.subplots(2, figsize=(4.5, 5), layout="constrained")
    plot_fit(result, ax=axes[0])
    plot_gap(result, ax=axes[1])
    save_figure(figure, folder / slug, "Drawn.")
"""


@pytest.mark.slow
def test_published_files_do_not_hang_on_the_processor(tmp_path):
    made = {}
    for kernels in ("", "Sandybridge", "Nehalem", "Prescott"):  # of OpenBLAS; others ignore it
        folder = tmp_path / (kernels or "own")
        folder.mkdir()
        chosen = {"PYTHONPATH": str(ROOT)} | ({"OPENBLAS_CORETYPE": kernels} if kernels else {})
        command = [sys.executable, "-c", WRITE, str(folder)]
        subprocess.run(command, cwd=ROOT, env=os.environ | chosen, check=True)
        made[kernels] = {path.name: sha256(path.read_bytes()) for path in folder.iterdir()}
    assert len(made[""]) == 10
    for kernels, files in made.items():
        assert files == made[""], kernels
