"""How a caller's texts must be spelled: as a pattern for programs, in words for people."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Spelling:
    """Annotates a text that must match a pattern.

    Attributes:
        pattern: a regular expression, which the JSON schema contains.
        words: what error messages say instead of the pattern, after "Input should be".
    """

    pattern: str
    words: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.custom_error_schema(
            {**handler(source), "pattern": self.pattern},
            custom_error_type="spelling",
            custom_error_message=f"Input should be {self.words}",
        )
