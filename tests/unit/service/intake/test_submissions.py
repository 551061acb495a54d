from io import BytesIO
from typing import BinaryIO

import anyio
import pytest
from starlette.requests import ClientDisconnect

from service.caller import ANYONE
from service.intake.requests import InputName, JobRequest
from service.intake.submissions import Submissions
from service.intake.uploads import Upload
from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage
from tests.fakes.decoder import DirectDecoder
from tests.service_examples import portrait, speech


def an_upload() -> Upload:
    files: dict[InputName, BinaryIO] = {"portrait": BytesIO(portrait()), "audio": BytesIO(speech())}
    return Upload(JobRequest(consent=True), files)


def test_a_disconnected_caller_leaves_nothing_behind(backstage: Backstage) -> None:
    submissions = Submissions(
        backstage.store, backstage.storage, backstage.queue, DirectDecoder(), ServiceSettings()
    )

    async def is_disconnected() -> bool:
        return True

    with pytest.raises(ClientDisconnect):
        anyio.run(submissions.submit, an_upload(), ANYONE, None, is_disconnected)
    assert not backstage.storage.contents
    assert not backstage.store.jobs
    assert not backstage.queue.messages
