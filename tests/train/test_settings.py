from dataclasses import fields, replace

import pytest
import yaml

from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_from_data, settings_to_data


def test_settings_survive_plain_data_and_yaml():
    settings = TrainSettings(
        epochs=7,
        max_minutes=3.5,
        schedule="multistep",
        milestones=(0.3, 0.6),
        ema_decay=None,
        augmentation=AugmentSettings(crop_min_ious=(None, 0.5), hue=3.0, interpolations=()),
    )
    data = yaml.safe_load(yaml.safe_dump(settings_to_data(settings)))
    assert settings_from_data(data) == settings
    assert set(data) == {field.name for field in fields(TrainSettings)}


def test_an_unknown_setting_names_the_nearest():
    data = settings_to_data(TrainSettings())
    with pytest.raises(ValueError, match=r"`learning_rat` is no .*Did you mean `learning_rate`"):
        settings_from_data(data | {"learning_rat": 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "`epochs` must be a whole number at least 1; got 0"),
        ({"batch_size": None}, "`batch_size` must be a whole number at least 1; got None"),
        ({"learning_rate": 0.0}, "`learning_rate` must be a number above 0"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a number above 0; got nan"),
        ({"ema_decay": 1.0}, r"`ema_decay` must be a number in \(0, 1\)"),
        ({"max_minutes": 0}, "`max_minutes` must be a number above 0"),
        ({"milestones": (0.5, 1.5)}, "`milestones` must be fractions"),
        ({"learning_rate": "1e-3"}, "`learning_rate` must be a number above 0; got '1e-3'"),
        ({"accumulate": 1.5}, "`accumulate` must be a whole number"),
        ({"cache": "yes"}, "`cache` must be true or false; got 'yes'"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"precision": "bf16"}, "`precision` must be one of auto, float32"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TrainSettings(), **change)
