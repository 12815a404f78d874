"""In the image: what PyTorch computes is followed step by step, and stays what it is.

Each test trains in several fresh processes. Where a fault is found is tested from outside, too, on
each push (`test_verify.py`); with every kind of fault it takes minutes, so it is nightly here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from repro_env import knobs
from tests.conftest import SEEDED, Run
from tests.steps_cases import Traced

BEGIN = """
import hashlib, os, random
import torch
from torch import nn
from torch.nn.functional import cross_entropy, relu

class Noise(nn.Module):
    def __init__(self, seed, first):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)
        self.calls, self.first = 0, first
    def forward(self, x):
        self.calls += 1
        if self.calls < self.first:
            return x
        return x * (torch.rand(x.shape, generator=self.generator) < 0.5)

class Net(nn.Module):
    def __init__(self, noise=None):
        super().__init__()
        self.fc1 = nn.Linear(20, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = noise or nn.Dropout(0.3)
        self.fc2 = nn.Linear(16, 4)
    def forward(self, x):
        return self.fc2(self.drop(relu(self.norm(self.fc1(x)))))

def bits(*modules):
    states = [tensor for one in modules for tensor in one.state_dict().values()]
    return hashlib.sha256(b"".join(one.numpy().tobytes() for one in states)).hexdigest()

x, y = torch.randn(64, 20), torch.randint(0, 4, (64,))
"""
TRAIN = (
    BEGIN
    + """
net = Net({noise})
optimizer = torch.optim.{optimizer}(net.parameters(), lr=0.01)
step = 0
for epoch in (1, 2, 3):
    order = torch.randperm(64)
    {order}
    for batch in order.split(8):
        step += 1
        {before}
        optimizer.zero_grad()
        loss = cross_entropy(net(x[batch]), y[batch])
        loss.backward()
        {between}
        optimizer.step()
print(bits(net), torch.rand(1).item(), random.random())
"""
)
NUDGE = (
    "if step == 17: values = net.{of}.weight.data.view(-1); "
    "values[3] = torch.nextafter(values[3], torch.tensor(9.0))"
)


def train(
    noise: str = "None",
    optimizer: str = "Adam",
    order: str = "pass",
    before: str = "pass",
    between: str = "pass",
) -> str:
    return TRAIN.format(
        noise=noise, optimizer=optimizer, order=order, before=before, between=between
    )


PLAIN = train()


@pytest.fixture
def traced(run_file: Run, tmp_path: Path) -> Traced:
    return Traced(run_file, tmp_path, {**SEEDED, **knobs.image_variables()})


@pytest.mark.parametrize(
    "optimizer",
    ["Adam", *(pytest.param(one, marks=pytest.mark.nightly) for one in ("SGD", "RMSprop"))],
)
def test_being_followed_changes_no_bit(traced: Traced, optimizer: str) -> None:
    code = train(optimizer=optimizer)
    close = {"place": "", "source": optimizer, "step": 5, "number": 0}

    plain = traced.plain(code)

    assert traced.printed(code, "steps") == plain
    assert traced.printed(code, "close", deep=close) == plain


def test_the_stream_holds_each_step_in_causal_order(traced: Traced) -> None:
    found = traced.main(PLAIN)

    assert [(one.source, one.step) for one in found.entries] == [("Adam", k + 1) for k in range(24)]
    assert [name for name, _ in found.entries[0].columns if "generator" not in name] == [
        *(f"buffer norm.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")),
        "loss",
        *(
            f"{part} {layer}.{name}"
            for part in ("gradient", "parameter")
            for layer in ("fc1", "norm", "fc2")
            for name in ("weight", "bias")
        ),
    ]
    assert ("parameter fc1.weight", "float32 [16, 20]") in found.entries[0].columns
    assert found.entries[0].loss != found.entries[1].loss


def test_two_equal_programs_leave_equal_streams(traced: Traced) -> None:
    assert traced.first(PLAIN, PLAIN) is None


@pytest.mark.nightly
def test_one_ulp_in_one_parameter_is_found_at_its_step_and_tensor(traced: Traced) -> None:
    other = train(before=NUDGE.format(of="fc1"))

    where = traced.first(PLAIN, other)

    assert where is not None
    assert where.step == 17
    found = traced.cause(PLAIN, other, where)
    assert found.text == (
        "parameter fc1.weight changed outside of the optimizer, between step 16 and step 17"
    )
    assert "1 of 320 elements differ, by up to 1 ulp" in found.details[0]


@pytest.mark.nightly
def test_one_ulp_between_gradients_and_step_is_found_without_a_closer_look(traced: Traced) -> None:
    where = traced.first(PLAIN, train(between=NUDGE.format(of="fc2")))

    assert where is not None
    assert (where.step, where.columns) == (17, ("parameter fc2.weight",))


@pytest.mark.nightly
def test_a_swapped_pair_of_samples_in_epoch_2_is_found_at_its_step(traced: Traced) -> None:
    other = train(order="if epoch == 2: order[[3, 4]] = order[[4, 3]]")

    where = traced.first(PLAIN, other)

    assert where is not None
    assert where.step == 9
    found = traced.cause(PLAIN, other, where)
    assert found.text == "the batch of step 9 differs: input 0 of the whole Net"


@pytest.mark.nightly
def test_a_swapped_pair_of_labels_is_found_in_the_loss(traced: Traced) -> None:
    other = train(before="if step == 9: y[batch[0]] = (y[batch[0]] + 1) % 4")

    where = traced.first(PLAIN, other)

    assert where is not None
    assert (where.step, where.columns[0]) == (9, "loss")
    assert "though the outputs of all modules agree" in traced.cause(PLAIN, other, where).text


@pytest.mark.nightly
@pytest.mark.parametrize(
    "seed", ["int.from_bytes(os.urandom(4), 'big')", "random.SystemRandom().getrandbits(32)"]
)
def test_an_unseeded_dropout_is_found_at_its_step_and_module(traced: Traced, seed: str) -> None:
    code = train(noise=f"Noise({seed}, 6)")

    where = traced.first(code, code)

    assert where is not None
    assert (where.step, where.columns[0]) == (6, "loss")
    found = traced.cause(code, code, where)
    assert found.module == "drop"
    assert found.text == "drop (Noise) gave other outputs for the same inputs in step 6"
    assert "elements differ" in found.details[0]


@pytest.mark.nightly
def test_a_draw_more_is_found_in_the_generator_before_the_step(traced: Traced) -> None:
    other = train(before="step == 7 and torch.rand(1)")

    where = traced.first(PLAIN, other)

    assert where is not None
    assert (where.step, where.columns[0]) == (7, "generator torch cpu")
    assert traced.cause(PLAIN, other, where).text.startswith("generator torch cpu had drawn")


@pytest.mark.nightly
def test_another_gradient_is_found_though_the_loss_agrees(traced: Traced) -> None:
    other = train(between="if step == 4: net.fc1.bias.grad[0] += 1e-6")

    where = traced.first(PLAIN, other)

    assert where is not None
    assert (where.step, where.columns[0]) == (4, "gradient fc1.bias")
    assert traced.cause(PLAIN, other, where).text.startswith("gradient fc1.bias of step 4")


@pytest.mark.nightly
def test_a_program_that_ends_earlier_is_aligned(traced: Traced) -> None:
    where = traced.first(PLAIN, train(before="if step == 20: break"))

    assert where is not None
    assert (where.step, where.missing) == (24, "B") or where.step == 20


@pytest.mark.parametrize(
    ("code", "sources"),
    [
        pytest.param(
            """
net = Net()
optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)
def closure():
    optimizer.zero_grad()
    loss = cross_entropy(net(x), y)
    loss.backward()
    return loss
for _ in range(2): optimizer.step(closure)
print(bits(net))
""",
            ["LBFGS", "LBFGS"],
            id="a closure",
        ),
        pytest.param(
            """
a, b = Net(), Net()
one, two = torch.optim.Adam(a.parameters()), torch.optim.Adam(b.parameters())
for _ in range(2):
    (cross_entropy(a(x), y) + cross_entropy(b(x), y)).backward()
    one.step(), two.step()
print(bits(a, b))
""",
            ["Adam", "Adam 2", "Adam", "Adam 2"],
            id="two optimizers",
        ),
        pytest.param(
            """
net = Net()
class Mine(torch.optim.SGD):
    def step(self, closure=None):
        return super().step(closure)
torch.optim.SGD(net.parameters(), lr=0.1)  # whose class has hooks from now on
optimizer = Mine(net.parameters(), lr=0.1)
for _ in range(3):
    cross_entropy(net(x), y).backward()
    optimizer.step()
print(bits(net))
""",
            ["Mine"] * 3,
            id="a step that calls its parent's",
        ),
        pytest.param(
            """
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
with torch.autocast("cpu", torch.bfloat16):
    loss = cross_entropy(net(x), y)
loss.backward()
optimizer.step(), schedule.step()
print(bits(net))
""",
            ["SGD"],
            id="mixed precision",
        ),
        pytest.param(
            """
import threading
nets = [Net().double(), Net().double()]
kinds = [torch.optim.SGD, torch.optim.Adam]
def work(net, kind):
    optimizer = kind(net.parameters(), lr=0.1)
    for _ in range(3):
        net.eval()(x.double()).pow(2).sum(1).backward(torch.ones(64).double())
        optimizer.step()
threads = [threading.Thread(target=work, args=pair) for pair in zip(nets, kinds)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(bits(*nets))
""",
            ["Adam"] * 3 + ["SGD"] * 3,
            id="threads, and a loss that is no number",
        ),
        pytest.param(
            """
net = nn.Embedding(64, 4, sparse=True)
optimizer = torch.optim.SparseAdam(list(net.parameters()))
net(torch.tensor([3, 5, 3])).sum().backward()
optimizer.step()
print(bits(net))
""",
            ["SparseAdam"],
            id="sparse gradients",
        ),
        pytest.param(
            """
net = Net()
fast = torch.compile(net, backend="eager")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    cross_entropy(fast(x), y).backward()
    optimizer.step()
print(bits(net))
""",
            ["SGD"] * 3,
            id="a compiled model",
        ),
        pytest.param(
            """
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
@torch.compile(backend="eager")
def train(x, y):
    loss = cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
for _ in range(3): train(x, y)
print(bits(net))
""",
            ["SGD"] * 3,
            id="a compiled step",
        ),
    ],
)
def test_each_way_to_train_is_followed_and_stays_as_it_is(
    traced: Traced, code: str, sources: list[str]
) -> None:
    plain = traced.plain(BEGIN + code)

    found = traced.main(BEGIN + code)

    assert sorted(one.source for one in found.entries) == sorted(sources)
    closely = {"place": "", "source": sources[0], "step": 1, "number": 0}
    assert traced.printed(BEGIN + code, "close", deep=closely) == plain
    assert traced.printed(BEGIN + code, "again") == plain


def test_no_tensor_is_kept_alive(traced: Traced) -> None:
    code = """
import gc, weakref
gc.disable()
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
out = net(x)
loss = cross_entropy(out, y)
loss.backward()
optimizer.step()
seen = [weakref.ref(one) for one in (out, loss, net.fc1.weight, net.norm.running_mean)]
optimizer.zero_grad()
del out, loss, net, optimizer
gc.collect()
print([one() for one in seen])
"""
    assert traced.printed(BEGIN + code) == "[None, None, None, None]\n"


def test_parameters_without_a_module_go_by_group_and_number(traced: Traced) -> None:
    code = """
import torch
loose = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([loose], lr=0.1)
loose.sum().backward()
optimizer.step()
"""
    (entry,) = traced.main(code).entries

    assert entry.columns[-1] == ("parameter group 0 parameter 0", "float32 [3]")


def test_several_modules_go_by_their_classes(traced: Traced) -> None:
    code = """
nets = Net(), Net(), nn.Linear(4, 4)
optimizer = torch.optim.SGD([one for net in nets for one in net.parameters()], lr=0.1)
nets[2](nets[0](x) + nets[1](x)).sum().backward()
optimizer.step()
"""
    (entry,) = traced.main(BEGIN + code).entries

    names = {name for name, _ in entry.columns}
    assert {
        "parameter Net.fc1.weight",
        "parameter Net 2.fc1.weight",
        "parameter Linear.weight",
    } <= (names)


def test_parameters_that_are_added_later_get_their_names(traced: Traced) -> None:
    code = """
net = Net()
optimizer = torch.optim.SGD(net.fc1.parameters(), lr=0.1)
for _ in range(2):
    net(x).sum().backward()
    optimizer.step()
    if len(optimizer.param_groups) == 1:
        optimizer.add_param_group({"params": net.fc2.parameters()})
"""
    one, two = traced.main(BEGIN + code).entries

    assert len(one.columns) + 4 == len(two.columns)
    assert two.columns[-1] == ("parameter fc2.bias", "float32 [4]")


def test_workers_of_a_loader_dont_write_into_their_parents_stream(traced: Traced) -> None:
    code = """
import repro_env
class Data(torch.utils.data.Dataset):
    def __len__(self): return 16
    def __getitem__(self, index):
        repro_env.step(index, x=x[index])
        return x[index], y[index]
if __name__ == "__main__":
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    repro_env.step(99, x=0)  # the parent's stream has begun when the workers do
    for inputs, targets in torch.utils.data.DataLoader(Data(), 4, num_workers=2):
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()
"""
    found = traced.streams(BEGIN + code)

    assert [(one.source, one.step) for one in found[""].entries] == [
        ("step", 99),
        *(("SGD", step) for step in (1, 2, 3, 4)),
    ]
    workers = [one for place, one in found.items() if place]
    assert sorted(entry.step for one in workers for entry in one.entries) == [*range(16)]
    assert len(workers) == 2
    assert all(place.startswith("loader ") for place in found if place)
