"""Compares a service with its OpenAPI document: requests made from the document, and requests that it forbids.

Schemathesis makes the requests and judges the answers. The number of requests is fixed, and they are the same in every
run. Only rules that a schema cannot state are exempt, each by the field that the error names.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from shared.testing.http import serving

EXAMPLES = 8
"""Valid requests to each operation, and as many invalid ones."""
_CHECKED = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "positive_data_acceptance", "unsupported_method",
    "allow_header_conformance",
)  # fmt: skip
ONE_LINE = st.text(st.sampled_from("abcXYZ 0189-.,!?가나다éß国あ"), min_size=2, max_size=60)
FORMATS = {
    "line": ONE_LINE.filter(lambda text: len(text.strip()) > 1),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    "password": st.from_regex("[a-z]{4}[0-9]{4}-[A-Z가-힣]{2,8}", fullmatch=True),
    "cursor": st.just("opaque"),
}
"""Texts in the formats of `shared.web.schemas`. Nobody can make a valid cursor from a document."""


async def find_differences(
    app: FastAPI, headers: Mapping[str, str], *, exempt: Mapping[str, Collection[str]], last: str = ""
) -> list[str]:
    """Call every operation of a running application, `last` at the end, and return what differs from the document.

    `exempt` names, for an operation, the fields whose rules a schema cannot state; "" is an error without a field.
    """
    async with serving(app, lifespan="off") as url:
        return await asyncio.to_thread(_Comparison(app.openapi(), url, headers, exempt).run, last)


class _Comparison:
    def __init__(
        self, document: Mapping[str, Any], url: str, headers: Mapping[str, str], exempt: Mapping[str, Collection[str]]
    ) -> None:
        load_all_checks()
        for name, strategy in FORMATS.items():
            schemathesis.openapi.format(name, strategy)
        self._checks = {name: CHECKS.get_one(name) for name in _CHECKED}
        self._document, self._url, self._headers, self._exempt = dict(document), url, dict(headers), exempt
        self._found: dict[str, str] = {}

    def run(self, last: str) -> list[str]:
        schema: Any = schemathesis.openapi.from_dict(self._document)
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation in sorted(operations, key=lambda one: one.label == last):
            self._call(operation, GenerationMode.POSITIVE)
            try:
                self._call(operation, GenerationMode.NEGATIVE)
            except Unsatisfiable:  # it has no parameters and no body, so no request is invalid
                continue
        return list(self._found.values())

    def _call(self, operation: Any, mode: GenerationMode) -> None:
        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def compare(case: Any) -> None:
            self._compare(operation.label, case)

        compare()

    def _compare(self, label: str, case: Any) -> None:
        response = case.call(base_url=self._url, headers=self._headers)
        for name, check in self._checks.items():
            if name == "positive_data_acceptance" and self._is_exempt(label, response):
                continue
            if name == "negative_data_rejection" and response.status_code == 413:
                continue  # a rejection that schemathesis does not expect
            try:
                case.validate_response(response, checks=[check])
            except FailureGroup as error:
                reasons = "; ".join(str(one) for one in error.exceptions)
                answer = f"{response.status_code} {response.text[:300]}"
                self._found.setdefault(f"{label} {name}", f"{label}: {reasons}\n{case.as_curl_command()}\n{answer}")

    def _is_exempt(self, label: str, response: Any) -> bool:
        if response.status_code != 422:
            return False
        fields = {one["field"] for one in response.json().get("errors", [])} or {""}
        return fields <= {"cursor", *self._exempt.get(label, ())}
