"""Recording of a service's SQL statements, and the keys by which they access each table."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from sqlalchemy import (
    BinaryExpression,
    ColumnClause,
    Engine,
    Insert,
    Table,
    TextClause,
    Tuple,
    UniqueConstraint,
    event,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import ClauseElement, Grouping
from sqlmodel import SQLModel

from shared.database.compiled import CompiledStatement
from shared.database.engine import Db

Function: TypeAlias = Callable[..., Awaitable[Any]]
Column: TypeAlias = tuple[str, str]
"""The name of a table, or of its alias, and of its column."""


@dataclass
class Asked:
    """A statement as the storage built it, and as the driver received it."""

    function: str
    statement: Any
    parameters: Any
    text: str = ""
    values: Any = None


@dataclass
class Recorder:
    """Records the statements of sequential work, in order."""

    asked: list[Asked] = field(default_factory=list)

    def functions(self) -> set[str]:
        return {one.function for one in self.asked}

    def note(self, _: Any, __: Any, text: str, values: Any, *___: Any) -> None:
        if self.asked and not self.asked[-1].text:
            self.asked[-1].text, self.asked[-1].values = text, values


class _Noting:
    """A transaction whose statements are recorded under the name of a function."""

    def __init__(self, db: Db, name: str, recorder: Recorder) -> None:
        self.db: Db = db.db if isinstance(db, _Noting) else db  # functions of the storage call each other
        self._name, self._recorder = name, recorder

    @property
    def dialect(self) -> Dialect:
        return self.db.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        self._recorder.asked.append(Asked(self._name, statement, parameters))
        return await self.db.execute(statement, parameters)

    async def fetch(self, statement: CompiledStatement, parameters: Any) -> Any:
        self._recorder.asked.append(Asked(self._name, statement.statement, parameters))
        return await self.db.fetch(statement, parameters)

    async def run(self, statement: CompiledStatement, rows: Any) -> None:
        self._recorder.asked.append(Asked(self._name, statement.statement, rows))
        await self.db.run(statement, rows)


def storage_functions(package: ModuleType) -> dict[str, Function]:
    """Return the functions of a service's storage that take a transaction, by `module.name`."""
    found: dict[str, Function] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction):
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and "db" in inspect.signature(function).parameters:
                found[f"{info.name}.{name}"] = function
    return found


def record(package: ModuleType, engine: Engine, patch: pytest.MonkeyPatch) -> Recorder:
    """Record all statements until the patch ends."""
    recorder, service = Recorder(), package.__name__.partition(".")[0]
    event.listen(engine, "before_cursor_execute", recorder.note)
    for name, function in storage_functions(package).items():
        noting = _noting(name, function, recorder)
        for module in [one for key, one in sys.modules.items() if key.partition(".")[0] == service]:
            for attribute in [key for key, value in vars(module).items() if value is function]:
                patch.setattr(module, attribute, noting)
    return recorder


@contextmanager
def led_by_keys(package: ModuleType, engine: Engine, *, but: Collection[str] = ()) -> Iterator[None]:
    """Check that every statement in the block accesses each table by a key, except in the functions `but`."""
    with pytest.MonkeyPatch.context() as patch:
        recorder = record(package, engine, patch)
        yield
    event.remove(engine, "before_cursor_execute", recorder.note)
    for asked in recorder.asked:
        entered = entered_by(asked)
        assert (entered and all(entered.values())) or asked.function in but, (asked.function, entered)


def _noting(name: str, function: Function, recorder: Recorder) -> Function:
    @wraps(function)
    async def noting(db: Db, *arguments: Any, **options: Any) -> Any:
        return await function(_Noting(db, name, recorder), *arguments, **options)

    return noting


def entered_by(asked: Asked) -> dict[str, set[str]]:
    """Return, by table, the leading columns of keys and indexes that are bound: to a value, or to a row found so."""
    if isinstance(asked.statement, Insert | TextClause):
        table, columns = _written(asked)
        return {table.name: columns & _leading(table)}
    tables: dict[str, Any] = {_name(one): getattr(one.table, "element", one.table) for one in _columns(asked.statement)}
    leading = {name: _leading(table) for name, table in tables.items() if isinstance(table, Table)}
    given = _given(asked.statement, leading)
    return {name: {column for of, column in given if of == name} & columns for name, columns in leading.items()}


def _written(asked: Asked) -> tuple[Table, set[str]]:
    if isinstance(asked.statement, Insert):
        table = asked.statement.table
        assert isinstance(table, Table)
        return table, set(asked.statement.compile().params)
    match = re.match(r"INSERT INTO (\w+) \(([^)]*)\)", asked.statement.text)
    assert match, asked.statement.text
    return SQLModel.metadata.tables[match[1]], set(match[2].split(", "))


def _leading(table: Table) -> set[str]:
    uniques = [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
    keys = [table.primary_key.columns, *uniques, *(one.columns for one in table.indexes)]
    return {next(iter(columns)).name for columns in keys}


def _columns(statement: ClauseElement) -> Iterator[ColumnClause[Any]]:
    for element in visitors.iterate(statement):
        if isinstance(element, ColumnClause) and element.table is not None:
            yield element


def _given(statement: ClauseElement, leading: Mapping[str, set[str]]) -> set[Column]:
    """Return the bound columns: equal to a value, to a bound column, or in a table accessed by a bound column."""
    equal, given = _equalities(statement)
    reached: set[Column] = set()
    while given:
        column = given.pop()
        reached.add(column)
        given |= equal[column]
        if column[1] in leading.get(column[0], ()):
            given.update(one for one in list(equal) if one[0] == column[0])
        given -= reached
    return reached


def _equalities(statement: ClauseElement) -> tuple[dict[Column, set[Column]], set[Column]]:
    """Return the columns that equal each column, and the columns that equal a value."""
    equal: dict[Column, set[Column]] = defaultdict(set)
    given: set[Column] = set()
    for column in _columns(statement):
        for base in column.base_columns:
            if isinstance(base, ColumnClause) and base.table is not None:
                equal[_key(base)].add(_key(column))
    for one in visitors.iterate(statement):
        if isinstance(one, BinaryExpression) and one.operator in {operators.eq, operators.in_op}:
            left, right = _operands(one.left), _operands(one.right)
            given.update(() if right else left)
            for mine, theirs in zip(left, right, strict=False):
                equal[mine].add(theirs)
                equal[theirs].add(mine)
    return equal, given


def _operands(side: Any) -> list[Column]:
    """Return the columns of one side of a comparison, none if it is a value."""
    while isinstance(side, Grouping):
        side = side.element
    parts = side.clauses if isinstance(side, Tuple) else [side]
    return [_key(part) for part in parts if isinstance(part, ColumnClause) and part.table is not None]


def _key(column: ColumnClause[Any]) -> Column:
    return _name(column), column.name


def _name(column: ColumnClause[Any]) -> str:
    return str(column.table.name)  # type: ignore[union-attr]
