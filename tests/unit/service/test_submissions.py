from io import BytesIO

import pytest
from starlette.requests import ClientDisconnect

from jobs.job import Options
from service.caller import ANYONE
from service.submissions import Submissions
from service.uploads import Upload
from tests.service_examples import portrait, speech
from tests.unit.service.conftest import Backstage


def an_upload() -> Upload:
    return Upload(BytesIO(portrait()), BytesIO(speech()), Options(consent=True))


def submissions(backstage: Backstage) -> Submissions:
    return Submissions(backstage.store, backstage.storage, backstage.queue, 5.0)


def test_of_a_caller_who_went_away_nothing_stays(backstage: Backstage) -> None:
    with pytest.raises(ClientDisconnect):
        submissions(backstage).submit(an_upload(), ANYONE, lambda: True)
    assert not backstage.storage.contents
    assert not backstage.store.jobs
    assert not backstage.queue.messages
