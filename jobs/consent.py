"""What a caller affirms before a face may be animated."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

STATEMENTS = {
    "1": "I have the right to animate this face and this voice.",
}
"""Each wording that callers were ever asked to affirm, by its version; none is ever changed."""

VERSION = "1"
"""Of the wording that is asked for now."""

STATEMENT = STATEMENTS[VERSION]


class Consent(BaseModel):
    """That a caller has affirmed a statement; whose key it was, the job tells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    affirmed_at: datetime
    version: str = Field(VERSION, description="Of the statement.")

    @property
    def statement(self) -> str:
        """What was affirmed, word for word."""
        return STATEMENTS[self.version]
