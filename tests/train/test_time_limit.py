from pocketdet.train.time_limit import TimeLimit


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def epochs_begun(*, minutes, training, evaluation):
    clock = Clock()
    limit = TimeLimit(minutes, clock=clock)
    for epoch in range(1, 100):
        limit.epoch_begins()
        clock.now += training
        assert limit.training_ends() == training
        is_last = limit.forbids_another_epoch()
        clock.now += evaluation
        limit.epoch_ends()
        if is_last:
            return epoch, clock.now - 100
    return None


def test_no_epoch_begins_that_would_end_too_late():
    assert epochs_begun(minutes=10, training=50, evaluation=10) == (10, 600)
    assert epochs_begun(minutes=9.9, training=50, evaluation=10) == (9, 540)


def test_the_first_epoch_is_always_trained():
    assert epochs_begun(minutes=0.1, training=50, evaluation=10) == (1, 60)


def test_without_a_limit_nothing_is_forbidden():
    assert epochs_begun(minutes=None, training=1e9, evaluation=0) is None
