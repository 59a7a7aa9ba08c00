"""Put this package beside its peers on one series and on series without any effect.

    python benchmarks/peers/run.py [--only ours gls causalimpact causalpy] [--folder FOLDER]

Each Python peer gets an environment of its own in FOLDER, never in the project; R must be there
with nlme (Debian: r-base-core r-cran-nlme). Prints a table; with all tools, writes results.csv.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from analysis import load_policy_shifts, load_series
from analysis.engine.draws import simulate_errors
from analysis.its.design import build_design
from benchmarks.recording import write_record

HERE = Path(__file__).parent
SHIFTS = ["calderon-2006-12", "merida-2008-07", "pena-nieto-2012-12", "lopez-obrador-2018-12"]
SERIES, LENGTH, SEED = 10_000, 100, 20061211
KINDS = ("level", "slope")
TREND, SD = 0.05, 0.2  # of the simulated log rates: per year, and of their errors
WORLDS = {  # the process of the errors and its parameter (analysis.engine.draws)
    "AR(1) 0.8": ("ar1", 0.8),
    "AR(1) 0.4": ("ar1", 0.4),
    "AR(1) 0.95 + noise": ("ar1_noise", 0.95),
    "local level 0.2": ("local_level", 0.2),
}
COLUMNS = ["tool", "version", "setting", "quantity", "case", "value", "low", "high", "n", "se"]
COLUMNS += ["width", "note"]  # width: median of the intervals, log points


@dataclass(frozen=True)
class Peer:
    """One tool, the script that runs it and the distributions whose versions matter."""

    script: str
    requirement: str = ""  # what pip installs; empty: no environment of its own
    versions: tuple[str, ...] = ()


PEERS = {
    "ours": Peer("ours.py", "", ("mexico-homicide-its", "numpy", "pandas", "scipy")),
    "gls": Peer("gls_peer.R"),
    "causalimpact": Peer(
        "causalimpact_peer.py",
        "bsts-causalimpact==1.7.0",
        ("bsts-causalimpact", "numpy", "pandas"),
    ),
    "causalpy": Peer(
        "causalpy_peer.py",
        "causalpy==0.9.0",
        ("CausalPy", "pymc", "pytensor", "numpy", "pandas"),
    ),
}


def write_national(path: Path) -> None:
    """Write the monthly log rate beside the design: four shifts, two pairs of harmonics."""
    series = load_series("inegi", end="2022-06")
    *others, last = (load_policy_shifts()[slug] for slug in SHIFTS)
    design = build_design(series.index, last, beside=others)
    names = {f"{kind}:{slug}": f"{kind}{i}" for i, slug in enumerate(SHIFTS, 1) for kind in KINDS}
    design = design.rename(columns={"level": "level4", "slope": "slope4"} | names)
    order = ["const", "trend", *(f"{kind}{i}" for i in range(1, 5) for kind in KINDS)]
    design = design[order + [name for name in design if name not in order]]
    design.insert(0, "position", range(len(design)))
    design.insert(0, "log_rate", np.log(series["deaths"] / series["person_years"] * 100_000))
    design.to_csv(path, index=False)


def write_simulated(path: Path) -> None:
    """Write series without any effect: a straight line and errors, one series a row."""
    line = 2.5 + TREND * np.arange(LENGTH) / 12
    frames = []
    for number, (world, (process, rho)) in enumerate(WORLDS.items()):
        rng = np.random.default_rng([SEED, number])
        errors = simulate_errors(process, LENGTH, SERIES, rng, rho=rho).T
        errors *= SD / errors.std()
        frame = pd.DataFrame(line + errors, columns=[f"y{month}" for month in range(LENGTH)])
        frame.insert(0, "world", world)
        frames.append(frame)
    pd.concat(frames).to_csv(path, index=False, float_format="%.6f")


def make_environment(name: str, peer: Peer, folder: Path) -> str:
    """Return the interpreter of `peer`, after making its environment."""
    if peer.script.endswith(".R"):
        interpreter = shutil.which("Rscript")
        if interpreter is None:
            raise FileNotFoundError("Rscript not found: install R with nlme")
        return interpreter
    if not peer.requirement:
        return sys.executable
    home = folder / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        run([sys.executable, "-m", "venv", home])
    run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
            peer.requirement,
        ]
    )
    return str(python)


def find_versions(peer: Peer, interpreter: str) -> list[str]:
    """Return name and version of what `peer` runs on, the tool itself first."""
    if peer.script.endswith(".R"):
        code = "cat(paste('nlme', packageVersion('nlme')), paste('R', getRversion()), sep = '\\n')"
        return run([interpreter, "-e", code]).splitlines()
    code = "import importlib.metadata as m, sys; [print(n, m.version(n)) for n in sys.argv[1:]]"
    return [
        *run([interpreter, "-c", code, *peer.versions]).splitlines(),
        f"Python {platform.python_version()}",
    ]


def run(command: list, **variables: str) -> str:
    """Run `command` and return what it printed; a failure carries the last line of its error."""
    text = [str(part) for part in command]
    done = subprocess.run(text, capture_output=True, text=True, env=os.environ | variables)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout


def measure(name: str, folder: Path) -> pd.DataFrame:
    """Run one peer and return its rows; one that fails has a single row with the error's words."""
    peer, out, start = PEERS[name], folder / f"{name}.csv", perf_counter()
    versions = [f"{name} unknown"]
    try:
        interpreter = make_environment(name, peer, folder)
        made = {"quantity": "environment_seconds", "value": perf_counter() - start}
        versions = find_versions(peer, interpreter)
        command = [interpreter] if peer.script.endswith(".R") else [interpreter, "-W", "ignore"]
        command += [HERE / peer.script, folder / "national.csv", folder / "simulated.csv", out]
        start = perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as fresh:  # nothing compiled by a run before
            run(command, PYTENSOR_FLAGS=f"base_compiledir={fresh}")
        ran = {"quantity": "script_seconds", "value": perf_counter() - start}
        rows = [*pd.read_csv(out, dtype={"case": str}).to_dict("records"), made, ran]
    except (RuntimeError, OSError) as error:
        rows = [{"quantity": "error", "note": str(error)}]
    rows.append({"quantity": "versions", "note": ", ".join(versions)})
    tool, version = versions[0].rsplit(" ", 1)
    return pd.DataFrame(rows).assign(tool=tool, version=version).reindex(columns=COLUMNS)


def describe_machine() -> pd.DataFrame:
    """Return the row that says where the seconds were measured."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    note = f"{(named or [platform.processor()])[0]}, {os.cpu_count()} cores, {platform.system()}"
    return pd.DataFrame([{"tool": "machine", "quantity": "machine", "note": note}])


def finish(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn log points into percent, name the shifts, add Monte Carlo standard errors."""
    frame = frame.reset_index(drop=True)
    level = frame["quantity"] == "level"
    ends = ["value", "low", "high"]
    frame.loc[level, ends] = 100 * np.expm1(frame.loc[level, ends])
    frame["case"] = frame["case"].replace({f"level{i}": s for i, s in enumerate(SHIFTS, 1)})
    share = frame["quantity"].str.startswith("false_positives")
    wrong = frame.loc[share, "value"]
    frame.loc[share, "se"] = np.sqrt(wrong * (1 - wrong) / frame.loc[share, "n"])
    return frame


def to_markdown(frame: pd.DataFrame) -> str:
    """Lay the results out: one row a tool and setting."""
    head = ["tool", "setting", "import s", "first fit s", "fit s"]
    head += [*(f"false alarms, {world}" for world in WORLDS)]
    head += [slug.rsplit("-", 2)[0] for slug in SHIFTS]
    lines = [head, ["---"] * len(head)]
    for (tool, version, setting), rows in frame.groupby(
        ["tool", "version", "setting"], sort=False, dropna=True
    ):
        rows = rows.assign(case=rows["case"].astype(str)).set_index(["quantity", "case"])
        seconds = [
            f"{rows.loc[name, 'value'].iloc[0]:.3g}"
            for name in ("import_seconds", "first_fit_seconds", "fit_seconds")
        ]
        shares = [rows.loc[("false_positives", world)] for world in WORLDS]
        cells = [
            f"{100 * s['value']:.1f}% ± {100 * s['se']:.1f} (n {int(s['n']):,})" for s in shares
        ]
        levels = [rows.loc[("level", slug)] for slug in SHIFTS]
        cells += [f"{s['value']:+.0f}% ({s['low']:+.0f} to {s['high']:+.0f})" for s in levels]
        lines.append([f"{tool} {version}", setting, *seconds, *cells])
    failed = frame.loc[frame["quantity"] == "error", ["tool", "note"]]
    lines += failed.to_numpy().tolist()
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "its-peers")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    write_national(chosen.folder / "national.csv")
    write_simulated(chosen.folder / "simulated.csv")
    parts = [measure(name, chosen.folder) for name in chosen.only]
    results = finish(pd.concat([*parts, describe_machine()]))
    if chosen.only == list(PEERS):
        write_record(results, HERE / "results.csv", float_format="%.6g")
    print(to_markdown(results))
