from io import BytesIO
from typing import BinaryIO

import pytest
from starlette.requests import ClientDisconnect

from service.caller import ANYONE
from service.intake.requests import InputName, JobRequest
from service.intake.submissions import Submissions
from service.intake.uploads import Upload
from tests.decoders import DirectDecoder
from tests.service_examples import portrait, speech
from tests.unit.service.fakes import Backstage


def an_upload() -> Upload:
    files: dict[InputName, BinaryIO] = {"portrait": BytesIO(portrait()), "audio": BytesIO(speech())}
    return Upload(JobRequest(consent=True), files)


def submissions(backstage: Backstage) -> Submissions:
    return Submissions(backstage.store, backstage.storage, backstage.queue, DirectDecoder(), 5.0)


def test_of_a_caller_who_went_away_nothing_stays(backstage: Backstage) -> None:
    upload = an_upload()
    job = submissions(backstage).prepare(upload, ANYONE, None)
    with pytest.raises(ClientDisconnect):
        submissions(backstage).submit(job, upload, ANYONE, lambda: True)
    assert not backstage.storage.contents
    assert not backstage.store.jobs
    assert not backstage.queue.messages
