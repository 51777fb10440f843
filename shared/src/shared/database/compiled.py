"""Statements that are compiled once and run on the driver's cursor, for the paths that every message takes.

SQLAlchemy takes 130 µs to execute a statement that SQLite answers in 4 µs. Compilation, types and errors are still
SQLAlchemy's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Row: TypeAlias = Sequence[Any]
Parameters: TypeAlias = Mapping[str, Any]
Converter: TypeAlias = Callable[[Any], Any]


class CompiledStatement:
    """A statement of SQLAlchemy Core. Create it once, because it keeps its texts.

    `columns` are those of an INSERT. The list of an `expanding` parameter is extended to a power of two by repeating
    its last value, so that a statement has few texts.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self.statement, self._columns = statement, columns
        self._compiled: dict[str, SQLCompiler] = {}
        self._texts: dict[tuple[str, tuple[int, ...]], _Text] = {}

    def text_for(self, dialect: Dialect, parameters: Parameters) -> "_Text":
        """Return the text of the statement for lists of these lengths."""
        lengths = tuple(_padded(len(value)) for value in parameters.values() if isinstance(value, list))
        text = self._texts.get((dialect.name, lengths))
        if text is None:
            padded = {name: _pad(value) if isinstance(value, list) else value for name, value in parameters.items()}
            text = self._texts[dialect.name, lengths] = _Text(self._compile(dialect), dialect, padded)
        return text

    def _compile(self, dialect: Dialect) -> SQLCompiler:
        if dialect.name not in self._compiled:
            compiled = self.statement.compile(dialect=dialect, column_keys=self._columns)
            assert isinstance(compiled, SQLCompiler)
            self._compiled[dialect.name] = compiled
        return self._compiled[dialect.name]


class _Text:
    """The text of a statement for one dialect and for lists of certain lengths.

    `_sources` are the sources of the arguments, in order: a constant, or a parameter with the converters of its value,
    or of each value in the tuples of its list.
    """

    def __init__(self, compiled: SQLCompiler, dialect: Dialect, parameters: Parameters) -> None:
        expanded = compiled.construct_expanded_state(parameters)
        self.sql = expanded.statement
        self._sources: list[tuple[str | None, list[Converter | None], Any]] = []
        lists = {ones[0]: name for name, ones in expanded.parameter_expansion.items() if ones and name in parameters}
        others = {one for name in lists.values() for one in expanded.parameter_expansion[name][1:]}
        for one in expanded.positiontup or ():
            if one in parameters:
                self._sources.append((one, [_binding(compiled.binds[one].type, dialect)], None))
            elif one in lists:
                width = len(first) if isinstance(first := parameters[lists[one]][0], tuple) else 1
                elements = expanded.parameter_expansion[lists[one]][:width]
                self._sources.append((lists[one], [expanded.processors.get(element) for element in elements], None))
            elif one not in others:
                self._sources.append((None, [], expanded.parameters[one]))
        self._get = self._getter() if not lists else None
        self._converted = [(i, one[0]) for i, (_, one, _) in enumerate(self._sources) if one and one[0] is not None]
        self._results = [
            (index, convert)
            for index, column in enumerate(compiled._result_columns)  # noqa: SLF001 - it has no public name
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]

    def _getter(self) -> Callable[[Parameters], tuple[Any, ...]] | None:
        """Return the quicker way for statements without lists and constants, because an INSERT may have many rows."""
        names = [name for name, _, _ in self._sources if name is not None]
        return itemgetter(*names) if len(names) == len(self._sources) > 1 else None

    def arguments(self, parameters: Parameters) -> tuple[Any, ...]:
        if self._get is not None:
            values = list(self._get(parameters))
            for index, convert in self._converted:
                values[index] = convert(values[index])
            return tuple(values)
        values = []
        for name, converters, constant in self._sources:
            if name is None:
                values.append(constant)
            elif isinstance(value := parameters[name], list):
                for element in _pad(value):
                    parts = element if isinstance(element, tuple) else (element,)
                    values += map(_convert, converters, parts)
            else:
                values.append(_convert(converters[0], value))
        return tuple(values)

    def rows(self, fetched: Iterable[Row]) -> list[Row]:
        """Convert the values of the columns whose types need it."""
        if not self._results:
            return list(fetched)
        rows: list[Row] = []
        for row in map(list, fetched):
            for index, convert in self._results:
                row[index] = convert(row[index])
            rows.append(row)
        return rows


def fetch(connection: Connection, statement: CompiledStatement, parameters: Parameters) -> list[Row]:
    """Return all rows. Raises SQLAlchemy's errors."""
    text = statement.text_for(connection.dialect, parameters)
    return text.rows(_run(connection, text.sql, text.arguments(parameters)))


def run(connection: Connection, statement: CompiledStatement, rows: Sequence[Parameters]) -> None:
    """Run a statement for each of these parameters, which have the same names. Raises SQLAlchemy's errors.

    Lists are for a statement that runs once.
    """
    text = statement.text_for(connection.dialect, rows[0])
    arguments = list(map(text.arguments, rows))
    _run(connection, text.sql, arguments[0] if len(rows) == 1 else arguments, is_many=len(rows) > 1)


def _run(connection: Connection, sql: str, arguments: Any, *, is_many: bool = False) -> Iterable[Row]:
    if not connection.in_transaction():
        connection.begin()
    driver = connection.connection
    cursor = driver.cursor()
    try:
        for listener in connection.dispatch.before_cursor_execute:
            listener(connection, cursor, sql, arguments, None, is_many)
        (cursor.executemany if is_many else cursor.execute)(sql, arguments)
        return cursor.fetchall() if cursor.description else ()
    except Exception as error:
        raise _translated(error, connection, sql) from error
    except BaseException:  # cancelled: the connection may be in the middle of an answer
        connection.invalidate()
        raise
    finally:
        if not connection.invalidated:
            cursor.close()


def _translated(error: Exception, connection: Connection, sql: str) -> BaseException:
    """Return SQLAlchemy's error, without values, for one of the driver. A lost connection leaves the pool."""
    dialect = connection.dialect
    base: type[Exception] = dialect.loaded_dbapi.Error
    is_lost = isinstance(error, base) and dialect.is_disconnect(error, connection.connection, None)  # type: ignore[arg-type]
    if is_lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        sql, None, error, base, hide_parameters=True, connection_invalidated=is_lost, dialect=dialect
    )


def _binding(type_: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _convert(convert: Converter | None, value: Any) -> Any:
    return value if convert is None else convert(value)


def _padded(length: int) -> int:
    return 1 << (length - 1).bit_length() if length else 0


def _pad(values: list[Any]) -> list[Any]:
    return values + values[-1:] * (_padded(len(values)) - len(values))
