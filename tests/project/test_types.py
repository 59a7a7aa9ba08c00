"""The README's examples are those that the type checker reads, and take public names only."""

import ast
import re

import pytest
from support.folders import ROOT

import analysis

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
STATEMENTS = [statement for block in BLOCKS for statement in ast.parse(block).body]
TYPED = ast.unparse(ast.parse((ROOT / "tests/project/readme_examples.py").read_text("utf-8")))


CALLS = [  # in the README's sentences, such as `find_breaks(y, X)`
    ast.unparse(ast.parse(f"{name}({arguments})"))
    for name, arguments in re.findall(r"`(\w+)\(([^`…]*)\)`", README)
    if name in analysis.__all__
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=ast.unparse)
def test_statement_of_the_readme_is_type_checked(statement):
    if isinstance(statement, ast.ImportFrom):
        assert statement.module == "analysis"
        assert {alias.name for alias in statement.names} <= set(analysis.__all__)
    elif not isinstance(statement, ast.Import):
        assert ast.unparse(statement.value) in TYPED


@pytest.mark.parametrize("call", CALLS)
def test_call_in_a_sentence_of_the_readme_is_type_checked(call):
    assert call in TYPED
