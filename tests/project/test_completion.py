"""What editors and JupyterLab show of the public names: parameters, attributes, docstrings."""

import ast
import inspect
import typing

import jedi
import pytest
from support.folders import ROOT

import analysis

PUBLIC = {name: getattr(analysis, name) for name in analysis.__all__}
PROJECT = jedi.Project(ROOT)


def named(signature):
    return [parameter.name for parameter in signature.parameters.values()]


def given_by(function):
    """Return the package's classes among what a function says that it returns."""
    said = typing.get_type_hints(function).get("return")
    kinds = [said, *typing.get_args(said)]
    ours = [kind for kind in kinds if getattr(kind, "__module__", "").startswith("analysis.")]
    return [kind for kind in ours if isinstance(kind, type)]


def test_a_live_name_shows_the_parameters_that_are_written():
    for name, said in PUBLIC.items():
        plain = inspect.unwrap(said) if inspect.isfunction(said) else said
        assert named(inspect.signature(said)) == named(inspect.signature(plain)), name
        assert not {"args", "kwargs"} & set(named(inspect.signature(said))), name


@pytest.mark.slow
def test_attributes_of_every_result_complete_in_a_notebook():
    functions = [said for said in PUBLIC.values() if inspect.isfunction(said)]
    results = {each for function in functions for each in given_by(function)}
    results |= {said for said in PUBLIC.values() if isinstance(said, type)}
    assert len(results) > 15
    for kind in results:
        made = [{"made": kind.__new__(kind)}]
        shown = {each.name for each in jedi.Interpreter("made.", made).complete()}
        assert {each for each in dir(kind) if not each.startswith("_")} <= shown, kind


@pytest.mark.slow
def test_an_import_completes_and_the_fit_shows_its_parameters_before_anything_runs():
    found = jedi.Script("from analysis import fit_", project=PROJECT).complete()
    assert {each.name for each in found} == {name for name in PUBLIC if name.startswith("fit_")}
    check_static("fit_its")
    code = "from analysis import fit_its\nfit_its(series, shift)."
    shown = {each.name for each in jedi.Script(code, project=PROJECT).complete()}
    assert {"effects", "memory", "flags", "comparison", "counterfactual", "excess"} <= shown


def test_what_a_type_checker_reads_of_a_shift_has_its_fields_and_their_defaults():
    (written,) = [
        each
        for each in ast.walk(ast.parse(inspect.getsource(analysis.PolicyShift)))
        if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    ]
    fields = inspect.signature(analysis.PolicyShift).parameters.values()
    assert [each.arg for each in written.args.args] == ["self", *(each.name for each in fields)]
    given = [each.default for each in fields if each.default is not each.empty]
    assert [ast.literal_eval(each) for each in written.args.defaults] == given


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_shows_its_parameters_and_docstring_before_anything_runs(name):
    check_static(name)


def check_static(name):
    script = jedi.Script(f"from analysis import {name}\n{name}(", project=PROJECT)
    (shown,) = script.get_signatures(2, len(name) + 1)
    parameters = named(inspect.signature(PUBLIC[name]))
    static = [each.name for each in shown.params if each.name != "_drawn"]  # not for callers
    assert static == parameters
    assert inspect.getdoc(PUBLIC[name]) in shown.docstring()
