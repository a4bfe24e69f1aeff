"""Id tokens as CSV (RFC 4180): read whole, or refused with the line of everything that is wrong.

The first line names the columns, as the fields of a token's JSON are named: `idToken`, and any of
`status`, `expiresAt`, `parentIdToken`, `concurrency`. An empty cell stands for the default. Columns
are parted by commas, or by semicolons as some spreadsheets do.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from pydantic import ValidationError

from csms.api.access_schemas import TokenRequest
from csms.api.problems import BadFieldsError, problem_of
from csms.api.render import clean
from csms.api.schemas import FieldProblem
from csms.ports import IdToken

COLUMNS = tuple(str(field.alias) for field in TokenRequest.model_fields.values())
NAME = "idToken"


def read_tokens(text: str) -> list[IdToken]:
    """The tokens of a CSV text, at least one. Raises BadFieldsError that names lines and columns.

    Lines are counted from 1, the one with the names of the columns.
    """
    lines = text.splitlines(keepends=True)
    problems: list[FieldProblem] = []
    delimiter = ";" if lines and ";" in lines[0] else ","
    rows = _rows(lines, delimiter, problems)
    _, header = next(rows, (1, []))
    columns = [cell.strip() for cell in header]
    problems += _header_problems(columns)
    tokens = [] if problems else _tokens(rows, columns, problems)
    if not tokens and not problems:
        problems.append(FieldProblem(field="(body)", detail="has no tokens"))
    if problems:
        raise BadFieldsError(problems)
    return tokens


def _rows(
    lines: list[str], delimiter: str, problems: list[FieldProblem]
) -> Iterator[tuple[int, list[str]]]:
    """Each row that has anything in it, with the number of its last line."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        problems.append(
            FieldProblem(field=f"line {reader.line_num}", detail=f"is not CSV: {error}")
        )


def _header_problems(columns: list[str]) -> list[FieldProblem]:
    known = ", ".join(COLUMNS)
    problems = []
    if NAME not in columns:
        detail = f"must name the columns, {NAME} among them; there is {known}"
        problems.append(FieldProblem(field="line 1", detail=detail))
    for column in columns:
        if column not in COLUMNS:
            detail = f"is not a known column; there is {known}"
            problems.append(FieldProblem(field=f"line 1, {clean(column)}", detail=detail))
        elif columns.count(column) > 1:
            problems.append(FieldProblem(field=f"line 1, {column}", detail="is there twice"))
    return problems


def _tokens(
    rows: Iterator[tuple[int, list[str]]], columns: list[str], problems: list[FieldProblem]
) -> list[IdToken]:
    tokens: dict[str, IdToken] = {}
    seen: dict[str, int] = {}
    for number, row in rows:
        if len(row) > len(columns):
            detail = f"has {len(row)} cells, but there are {len(columns)} columns"
            problems.append(FieldProblem(field=f"line {number}", detail=detail))
            continue
        cells = zip(columns, row, strict=False)
        given = {column: cell.strip() for column, cell in cells if cell.strip()}
        try:
            token = TokenRequest.model_validate(given).token()
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
            problems += [problem_of(e, e["loc"], before=f"line {number}, ") for e in found]
            continue
        name = token.id_token.casefold()
        if name in tokens:
            detail = f"is in line {seen[name]} already"
            problems.append(
                FieldProblem(field=f"line {number}, {NAME}", detail=detail, value=token.id_token)
            )
        tokens[name], seen[name] = token, number
    return list(tokens.values())
