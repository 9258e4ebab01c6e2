from inline_snapshot import snapshot
import torch
from torch import Tensor, nn
from torch.optim import SGD
from training_nets import Block, examined, line_of, serious

CHECK = "unoptimized-parameter"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.neck = nn.Sequential(Block(), Block())  # neck
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.neck(self.stem(images)))


def test_a_neck_in_no_group_is_named_whole() -> None:
    net = Net()
    optimizer = SGD([*net.stem.parameters(), *net.head.parameters()], lr=0.1)
    (finding,) = examined(CHECK, net, optimizer=optimizer)
    assert (finding.severity, finding.where) == ("error", "neck")
    assert finding.source == line_of(__file__, "neck")


def test_all_parameters_of_one_name_are_one_finding_of_the_whole() -> None:
    net = Net()
    kept = [p for name, p in net.named_parameters() if not name.endswith("bias")]
    (finding,) = examined(CHECK, net, optimizer=SGD(kept, lr=0.1))
    assert (finding.severity, finding.where) == ("error", "")
    assert finding.evidence.startswith("All 6 parameters named `bias` are in no group")


def test_a_head_replaced_after_the_optimizer_was_made_is_told() -> None:
    net = Net()
    optimizer = SGD(net.parameters(), lr=0.1)
    net.head = nn.Conv2d(8, 6, 1)
    (finding,) = examined(CHECK, net, optimizer=optimizer)
    assert (finding.where, finding.measured["foreign"]) == ("head", 2)
    assert "before a part of this one was replaced" in finding.evidence


def test_an_optimizer_of_another_copy_is_an_error_of_the_whole() -> None:
    optimizer = SGD(Net().parameters(), lr=0.1)
    assert serious(examined(CHECK, Net(), optimizer=optimizer)) == [("", "error")]


def test_groups_frozen_parts_and_parameters_of_the_loss_are_no_fault() -> None:
    net = Net()
    groups = [{"params": [p]} for p in net.parameters()]
    assert examined(CHECK, net, optimizer=SGD(groups, lr=0.1)) == []
    weight = nn.Parameter(torch.zeros(2))
    both = SGD([*net.parameters(), weight], lr=0.1)
    assert serious(examined(CHECK, net, optimizer=both)) == []
    net.stem.requires_grad_(False)
    rest = SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    assert examined(CHECK, net, optimizer=rest) == []


def test_reads_well() -> None:
    net = Net()
    (finding,) = examined(CHECK, net, optimizer=SGD(net.neck.parameters(), lr=0.1))[:1]
    assert finding.evidence == snapshot(
        "`stem` is in no group of the optimizer (2 parameters, 224 values, 15.3% of what is to be trained)."
    )
