"""Files of others in the tree are those that were fetched, with their licences beside them."""

import json

import pytest

from config import vendor

FOLDERS = pytest.mark.parametrize("folder", vendor.SETS, ids=lambda folder: folder.parent.name)
REFRESH = "run: python config/vendor.py"


def entries(folder):
    return json.loads((folder / vendor.LIST).read_text())


def sums(folder):
    return {name: total for entry in entries(folder) for name, total in entry["sha256"].items()}


@FOLDERS
def test_file_when_it_is_vendored_then_its_sum_is_the_listed_one(folder):
    assert {name: vendor.sha256(folder / name) for name in sums(folder)} == sums(folder), REFRESH


@FOLDERS
def test_folder_when_it_is_of_vendored_files_then_all_of_them_are_listed(folder):
    there = [path for path in folder.rglob("*") if path.is_file() and path.name != vendor.LIST]
    assert {path.relative_to(folder).as_posix() for path in there} == sums(folder).keys()


@FOLDERS
def test_list_when_the_script_names_packages_then_it_has_these_versions(folder):
    named = {(package.name, package.version) for package in vendor.SETS[folder]}
    assert {(entry["name"], entry["version"]) for entry in entries(folder)} == named, REFRESH


@FOLDERS
def test_package_when_it_is_vendored_then_licence_and_source_are_told(folder):
    for entry in entries(folder):
        assert entry["licence"]
        assert entry["source"].endswith(f"{entry['name']}/v/{entry['version']}")
        assert any("LICENSE" in name for name in entry["sha256"])


def test_wasm_when_the_library_says_which_it_was_built_with_then_it_is_that():
    folder = vendor.STATIC / "vendor"
    library = (folder / "barcode-detector/ponyfill.js").read_text()
    assert f"`{sums(folder)['zxing-wasm/zxing_reader.wasm']}`" in library
