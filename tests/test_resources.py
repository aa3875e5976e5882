"""However the package came here, its folders are found, and never by the working directory."""

import subprocess
import sys
import zipfile
from pathlib import Path
from venv import EnvBuilder

import pytest

from monitor.errors import ConfigError
from monitor.resources import resource_dir

ROOT = Path(__file__).resolve().parents[1]
ASK = "from monitor.resources import resource_dir; print(resource_dir('abis'), resource_dir('grafana'), sep='\\n')"
BUILD = "import sys, hatchling.build as backend; getattr(backend, sys.argv[1])(sys.argv[2])"


def run(*command: str | Path, folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip alone."""
    folder = tmp_path_factory.mktemp("venv")
    EnvBuilder(with_pip=True).create(folder)
    return folder


def install(environment: Path, hook: str, folder: Path) -> Path:
    run(sys.executable, "-c", BUILD, hook, folder, folder=ROOT)
    (wheel,) = folder.glob("*.whl")
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--force-reinstall", wheel, folder=folder)
    return wheel


def test_a_checkout_finds_its_folders_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    assert resource_dir("abis") == ROOT / "abis"
    assert resource_dir("grafana") == ROOT / "grafana"


def test_a_folder_of_that_name_in_the_working_directory_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "abis").mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)

    assert resource_dir("abis") == ROOT / "abis"


def test_a_folder_inside_the_package_comes_before_one_beside_it(tmp_path: Path):
    package = tmp_path / "monitor"
    (package / "abis").mkdir(parents=True)
    (tmp_path / "abis").mkdir()
    (tmp_path / "pyproject.toml").touch()

    assert resource_dir("abis", package) == package / "abis"


def test_a_folder_beside_an_installed_package_belongs_to_someone_else(tmp_path: Path):
    (tmp_path / "abis").mkdir()

    with pytest.raises(ConfigError, match="the folder 'abis' is missing"):
        resource_dir("abis", tmp_path / "monitor")


@pytest.mark.slow
def test_an_installed_wheel_finds_its_folders_inside_the_package(environment: Path, tmp_path: Path):
    wheel = install(environment, "build_wheel", tmp_path)

    abis, grafana = map(Path, run(environment / "bin" / "python", "-I", "-c", ASK, folder=tmp_path).splitlines())

    assert environment in abis.parents
    assert (abis.parent.name, abis.name, grafana.name) == ("monitor", "abis", "grafana")
    shipped = {path.name for path in (ROOT / "abis").iterdir()}
    assert {path.name for path in abis.iterdir()} == shipped
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("tests")]
    assert (environment / "bin" / "hedge-monitor").is_file()


@pytest.mark.slow
def test_an_editable_install_finds_the_folders_of_the_checkout(environment: Path, tmp_path: Path):
    install(environment, "build_editable", tmp_path)

    found = run(environment / "bin" / "python", "-I", "-c", ASK, folder=tmp_path).splitlines()

    assert found == [str(ROOT / "abis"), str(ROOT / "grafana")]
