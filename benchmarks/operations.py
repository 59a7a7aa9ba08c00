"""Record how often inference on the joint operations rejects the truth: writes operations.csv.

    python benchmarks/operations.py

About ten minutes. Simulated panels of 32 states with the real person-years of 2004-12..2009-12,
mean rates of 2000-2006 and the real dates; then the real months before December 2006 with the
operations dealt out at random.
"""

import time
from pathlib import Path

import pandas as pd

from analysis import load_policy_shifts, load_states
from analysis.operation_calibration import lead_test_table, placebo_law_table, rejection_table
from analysis.operation_worlds import World
from analysis.stacks import first_operations

RECORD = Path(__file__).with_suffix(".csv")
SIMULATIONS, DEALS = 400, 999
WORLDS = (
    World("no effect"),
    World("+50%", ratio=1.5),
    World("+50%, different in every state", ratio=1.5, spread=0.3),
    World("no effect, longer memory", rho=0.9),
)
BACK = range(-59, -36, 6)  # months: every window ends before December 2006


def record() -> pd.DataFrame:
    operations = first_operations(
        [shift for shift in load_policy_shifts().values() if shift.places != ("MX00",)]
    )
    states = load_states("inegi")
    months = states.index.get_level_values("month")
    before = states[months < pd.Period("2006-12", "M")]
    window = states[(months >= pd.Period("2004-12", "M")) & (months <= pd.Period("2009-12", "M"))]
    mean = before.groupby("state").sum().eval("deaths / person_years")
    expected = window["person_years"] * mean.reindex(window.index, level="state")
    simulated = rejection_table(
        window.assign(deaths=expected), operations, WORLDS, simulations=SIMULATIONS
    )
    real = placebo_law_table(before, operations, BACK, draws=DEALS)
    leads = lead_test_table(before, operations, BACK)
    table = pd.concat([simulated, real, leads], ignore_index=True)[simulated.columns]
    rounded = {"truth_rejected": 1, "mc_error": 1, "zero_rejected": 1}
    table = table.round(rounded | dict.fromkeys(["bias", "sd", "mean_se"], 3))
    table.to_csv(RECORD, index=False, lineterminator="\n")
    return table


if __name__ == "__main__":
    start = time.perf_counter()
    print(record().to_string())
    print(f"{time.perf_counter() - start:.0f} s; written to {RECORD}")
