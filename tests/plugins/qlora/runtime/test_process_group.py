from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from tunegate_qlora.model import weights
from tunegate_qlora.runtime import process_group


def test_alone_a_process_is_the_first_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")  # whoever set that, it was not for us
    assert (
        process_group.rank(),
        process_group.world_size(),
        process_group.local_rank(),
        process_group.is_main(),
    ) == (
        0,
        1,
        0,
        True,
    )
    assert process_group.all_reduce_sum(1.5, 2) == [1.5, 2]
    assert process_group.broadcast("x") == "x"
    weight = torch.ones(2, requires_grad=True)
    assert not process_group.full_tensor(weight).requires_grad
    assert process_group.shard_like(weight, weight) is weight
    process_group.barrier()


def test_each_of_several_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert weights.local_device() == "cuda:0"
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 8)
    monkeypatch.setattr(dist, "get_rank", lambda: 7)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert weights.local_device() == "cuda:3"
    assert not process_group.is_main()
