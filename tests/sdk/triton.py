"""Triton's own client, unmodified, against models of a tenant's own. tests/sdk/main.rs starts the server and runs this."""

import os

import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ADDRESS = os.environ["INSULA_BASE_URL"].removesuffix("/v1").removeprefix("http://")


def bearing(name):
    """Headers with a key, new ones for each call: the client writes its own into what it is given."""
    return {"Authorization": "Bearer " + os.environ[name]}


def refused(call, said):
    try:
        call()
    except InferenceServerException as error:
        assert said in error.message(), error
    else:
        raise AssertionError("it was not refused")


client = triton.InferenceServerClient(ADDRESS)
assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("m", headers=bearing("INSULA_API_KEY")) and client.is_model_ready("m", "2", headers=bearing("INSULA_API_KEY"))
assert not client.is_model_ready("m", headers=bearing("INSULA_OTHER_API_KEY"))
assert "binary_tensor_data" in client.get_server_metadata(headers=bearing("INSULA_API_KEY"))["extensions"]
described = client.get_model_metadata("m", headers=bearing("INSULA_API_KEY"))
assert described["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], described
print("metadata: ok")

array = numpy.arange(8, dtype=numpy.float32).reshape(4, 2)
for binary in (True, False):
    given = triton.InferInput("x", array.shape, "FP32")
    given.set_data_from_numpy(array, binary_data=binary)
    for version, step in (("", 1), ("2", 2)):
        for wanted in (None, [triton.InferRequestedOutput("y", binary_data=not binary)]):
            result = client.infer("m", [given], outputs=wanted, model_version=version, headers=bearing("INSULA_API_KEY"), request_id="r")
            assert numpy.array_equal(result.as_numpy("y"), array + step), result.get_response()
            assert result.get_response()["model_version"] == str(step)
            assert result.get_response()["id"] == "r"
print("numbers: ok")

texts = numpy.array([["one"], ["ثلاثة"], [""]], dtype=object)
for binary in (True, False):
    given = triton.InferInput("t", texts.shape, "BYTES")
    given.set_data_from_numpy(texts, binary_data=binary)
    told = client.infer("echo", [given], headers=bearing("INSULA_API_KEY")).as_numpy("u")
    assert [text.decode() if isinstance(text, bytes) else text for text in told.ravel()] == list(texts.ravel()), told
print("texts: ok")

requests = []
for n in range(16):
    given = triton.InferInput("x", [1, 2], "FP32")
    given.set_data_from_numpy(numpy.full((1, 2), n, numpy.float32))
    requests.append(triton.InferenceServerClient(ADDRESS, concurrency=4).async_infer("m", [given], headers=bearing("INSULA_API_KEY")))
for n, request in enumerate(requests):
    assert request.get_result().as_numpy("y")[0, 0] == n + 1
print("at once: ok")

wrong = triton.InferInput("x", [1, 3], "FP32")
wrong.set_data_from_numpy(numpy.zeros((1, 3), numpy.float32))
refused(lambda: client.infer("m", [wrong], headers=bearing("INSULA_API_KEY")), "[-1, 2]")
refused(lambda: client.infer("m", [given], headers=bearing("INSULA_OTHER_API_KEY")), "No model found")
refused(lambda: client.infer("m", [given]), "API key")
refused(lambda: client.get_model_metadata("m", headers=bearing("INSULA_OTHER_API_KEY")), "No model found")
print("refusals: ok")
