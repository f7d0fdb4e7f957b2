import pytest


@pytest.fixture(autouse=True, scope="session")
def programs(tmp_path_factory):
    """Compiled programs are kept here and not in the user's cache."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("DL_JAX_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
