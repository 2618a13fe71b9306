# Turns a subunit v2 stream into one JSON line a test, as each ends: subunit's own tools print times or lose skip reasons.
import json
import sys

import subunit
import testtools

ENDED = {'success': 'passed', 'fail': 'failed', 'uxsuccess': 'failed', 'xfail': 'passed', 'skip': 'skipped'}


def message(details):
    """The last line of a traceback or the reason of a skip, and the request that was answered so."""
    for name in ('reason', 'traceback'):
        for key, content in details.items():
            if key.startswith(name):
                return content.as_text().strip()
    return ''


def report(test):
    status = ENDED.get(test['status'])
    if status is None:
        return
    began, ended = test['timestamps']
    seconds = (ended - began).total_seconds() if began and ended else 0
    line = {'name': test['id'], 'status': status, 'seconds': round(seconds, 1), 'message': message(test['details'])}
    print(json.dumps(line), flush=True)


result = testtools.StreamToDict(report)
result.startTestRun()
subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name='output').run(result)
result.stopTestRun()
