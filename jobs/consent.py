"""The statement that callers affirm before a face is animated."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

STATEMENTS = {
    "1": "I have the right to animate this face and this voice.",
}
"""All statements ever shown to callers, by version. Never change an existing one."""

VERSION = "1"
"""Version of the current statement."""

STATEMENT = STATEMENTS[VERSION]


class Consent(BaseModel):
    """The affirmation of a statement by a caller. The job records the API key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    affirmed_at: datetime
    version: str = Field(VERSION, description="Version of the statement.")

    @property
    def statement(self) -> str:
        """The affirmed statement, word for word."""
        return STATEMENTS[self.version]
