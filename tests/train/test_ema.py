from tiny_training import tiny_detector
import torch

from pocketdet.train.ema import WeightAverage


def test_parameters_and_statistics_follow_the_formula_and_counters_are_copied():
    detector = tiny_detector()
    average = WeightAverage(detector, decay=0.9)
    expected = {name: value.clone() for name, value in detector.state_dict().items()}
    for update in range(12):
        with torch.no_grad():
            for value in detector.state_dict().values():
                value.add_(1)
        average.update(detector, num_updates=update)
        decay = min(0.9, (1 + update) / (10 + update))
        for name, value in detector.state_dict().items():
            if value.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * value
            else:
                expected[name] = value.clone()
    for name, value in average.detector.state_dict().items():
        assert torch.allclose(value, expected[name], rtol=1e-5), name


def test_the_average_is_a_detector_of_its_own_in_eval_mode():
    detector = tiny_detector()
    average = WeightAverage(detector, decay=0.99)
    before = next(average.detector.parameters()).clone()
    with torch.no_grad():
        next(detector.parameters()).add_(1)
    assert torch.equal(next(average.detector.parameters()), before)
    assert not average.detector.training
    assert detector.training
    assert not any(p.requires_grad for p in average.detector.parameters())


def test_a_buffer_that_a_module_puts_in_the_place_of_another_is_followed():
    detector = tiny_detector()
    average = WeightAverage(detector, decay=0.5)
    average.update(detector, num_updates=100)
    norm = next(m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d))
    own = next(m for m in average.detector.modules() if isinstance(m, torch.nn.BatchNorm2d))
    norm.running_mean = torch.full_like(norm.running_mean, 4.0)
    before = own.running_mean.clone()
    average.update(detector, num_updates=101)
    assert torch.allclose(own.running_mean, (before + 4.0) / 2)
