"""The pipe to the worker and the worker's life, with a fake worker: runs where Redner does not."""

import os
import sys
import time
from pathlib import Path

import hypothesis.extra.numpy as arrays_of
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrefine.errors import InputError
from handrefine.render.redner import protocol
from handrefine.render.redner.client import WorkerClient

FAKE = Path(__file__).with_name("fake_redner_worker.py")
COMMAND = [sys.executable, FAKE, protocol.__file__]


@pytest.fixture
def client():
    client = WorkerClient(COMMAND, timeout_s=20.0)
    yield client
    client.close()


def _reader(data: bytes):
    position = 0

    def read(count: int) -> bytes:
        nonlocal position
        part = data[position : position + count]
        if len(part) < count:
            raise EOFError
        position += count
        return part

    return read


def _gone(pid: int) -> bool:
    """No process of that number, not even a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


anything = st.sampled_from(["float32", "int32", "int64"]).flatmap(
    lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


@given(st.dictionaries(st.text(max_size=8), anything, max_size=3))
def test_a_message_survives_the_frame(given_arrays):
    data = b"".join(protocol.encode("render", {"seed": 3, "names": ["a"]}, given_arrays))
    kind, fields, found = protocol.decode(_reader(data))
    assert (kind, fields, list(found)) == ("render", {"seed": 3, "names": ["a"]}, list(given_arrays))
    for name, array in given_arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@given(st.binary(min_size=16, max_size=200))
def test_noise_is_no_message(noise):
    with pytest.raises((protocol.ProtocolError, EOFError)):
        protocol.decode(_reader(noise))


def test_a_message_cut_or_altered_is_refused():
    whole = b"".join(protocol.encode("done", {}, {"x": np.arange(6, dtype=np.int32)}))
    with pytest.raises(EOFError):
        protocol.decode(_reader(whole[:-1]))
    for old, new in ((b"[6]", b"[7]"), (b"[6]", b"[5]"), (b"int32", b"int99"), (b'"kind"', b'"kinx"')):
        with pytest.raises(protocol.ProtocolError):
            protocol.decode(_reader(whole.replace(old, new)))


def test_objects_are_never_sent():
    with pytest.raises(protocol.ProtocolError, match="object"):
        protocol.encode("render", {}, {"x": np.array([object()])})


def test_large_arrays_go_both_ways(client):
    """More than a pipe holds."""
    sent = {
        "image": np.random.default_rng(0).random((300, 400, 3), dtype=np.float32),
        "seeds": np.arange(4).reshape(2, 2),
        "column": np.arange(6, dtype=np.float32).reshape(2, 3)[:, 1],
    }
    for k in range(3):
        answer = client.ask("echo", {"k": k}, sent)
        assert answer.fields == {"k": k}
        for name, array in sent.items():
            np.testing.assert_array_equal(answer.arrays[name], array)


def test_the_worker_sees_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "elsewhere")
    client = WorkerClient(COMMAND, timeout_s=20.0)
    assert client.ready["foreign"] == []
    client.close()


def test_a_failed_request_leaves_the_worker_alive(client):
    with pytest.raises(RuntimeError, match="no such scene"):
        client.ask("fail")
    assert client.ask("echo", {"still": "here"}).fields == {"still": "here"}


def test_a_crash_is_told_with_the_last_lines(client):
    with pytest.raises(InputError) as error:
        client.ask("crash")
    assert error.value.what == "the Redner worker stopped"
    assert "exit status -6 (SIGABRT)" in error.value.found
    assert error.value.found.endswith("cannot allocate")
    assert "line 39" in error.value.found
    assert "line 3\n" not in error.value.found
    assert _gone(client.pid)
    with pytest.raises(InputError, match="has ended"):
        client.ask("echo")


@pytest.mark.parametrize("request_kind", ["sleep", "deaf"])
def test_silence_ends_the_worker(client, request_kind):
    client.timeout_s = 0.3
    started = time.monotonic()
    with pytest.raises(InputError, match=r"no answer within 0\.3 s"):
        client.ask(request_kind)
    assert time.monotonic() - started < 10
    assert _gone(client.pid)


def test_signs_of_life_are_waited_for(client):
    """A long job is not silence: four pauses, together longer than the time-out."""
    client.timeout_s = 2.0
    assert client.ask("slow", {"signs": 4, "pause_s": 0.7}).fields == {"slow": True}


def test_a_worker_that_stops_reading_does_not_block_us(client):
    client.timeout_s = 0.5
    for block in protocol.encode("deaf"):
        client._write(block, time.monotonic() + 5)
    with pytest.raises(InputError, match="no answer within"):
        client.ask("echo", {}, {"x": np.zeros(1_000_000, np.float32)})
    assert _gone(client.pid)


def test_words_on_the_data_pipe_are_told_from_a_message(client):
    with pytest.raises(InputError, match=r"no message.*Forw"):
        client.ask("babble")
    assert _gone(client.pid)


def test_closing_or_forgetting_a_client_leaves_no_process():
    closed, forgotten = WorkerClient(COMMAND), WorkerClient(COMMAND)
    pids = closed.pid, forgotten.pid
    closed.close()
    closed.close()
    del forgotten
    assert all(_gone(pid) for pid in pids)


def test_a_program_that_is_missing_or_dies_at_once_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be started"):
        WorkerClient([tmp_path / "nothing"])
    with pytest.raises(InputError, match="No module named 'pyredner'"):
        WorkerClient([sys.executable, "-c", "import pyredner"])
