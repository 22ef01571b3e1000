"""Models and threads for the methods' tests."""

import logging

import pytest
import torch

logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # a line for every layer and pass


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder in which tiny models are made once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def one_thread():
    """The tiny models are too small for two threads to help, and one is exact."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
