"""Orders of a command to the sidecar that runs."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from proxy import orders
from proxy.orders import NotTaken, Order, Orders, give


class House:
    """Somebody who takes orders."""

    def __init__(self, state: Path) -> None:
        self.did: list[Order] = []
        self.told: list[tuple[str, str]] = []
        self.orders = Orders(state, {"knock": self._knock}, lambda what, said: self.told.append((what, said)))

    def _knock(self, order: Order) -> str:
        self.did.append(order)
        return f"knocked {int(order['times'])} times"


async def watched(house: House, state: Path, *given: dict[str, Any]) -> None:
    task = asyncio.create_task(house.orders.watch())
    await asyncio.sleep(0)
    for order in given:
        await asyncio.to_thread(give, state, order)
    task.cancel()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_S", 0.02)


def test_an_order_is_done_and_recorded_and_its_giver_knows(tmp_path: Path) -> None:
    house = House(tmp_path)
    asyncio.run(watched(house, tmp_path, {"do": "knock", "times": 3}))
    assert house.did == [{"do": "knock", "times": 3}]
    assert house.told == [("knock", "knocked 3 times")]
    assert os.listdir(tmp_path / "orders") == []


@pytest.mark.parametrize("order", [{"do": "jump"}, {"do": ["knock"]}, {"do": "knock"}, {"do": "knock", "times": "x"}])
def test_what_is_no_order_is_taken_away_and_nothing_else(tmp_path: Path, order: dict[str, Any]) -> None:
    house = House(tmp_path)
    asyncio.run(watched(house, tmp_path, order, {"do": "knock", "times": 1}))
    assert house.told == [("knock", "knocked 1 times")]


@pytest.mark.parametrize("text", ["", "[1]", "{", "x" * 100_000])
def test_a_file_that_is_no_order_hurts_nobody(tmp_path: Path, text: str) -> None:
    house = House(tmp_path)

    async def play() -> None:
        task = asyncio.create_task(house.orders.watch())
        await asyncio.sleep(0)
        (tmp_path / "orders").mkdir()
        (tmp_path / "orders" / "1.json").write_text(text)
        (tmp_path / "orders" / "2.json").symlink_to("/dev/zero")
        async with asyncio.timeout(5):
            while os.listdir(tmp_path / "orders"):
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(play())
    assert house.told == []


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(NotTaken):
        give(tmp_path, {"do": "knock"}, patience_s=0.05)
    assert os.listdir(tmp_path / "orders") == []


def test_what_was_ordered_before_the_start_is_not_done(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir(mode=0o700)
    (tmp_path / "orders" / "1.json").write_text(json.dumps({"do": "knock", "times": 1}))
    house = House(tmp_path)
    asyncio.run(watched(house, tmp_path, {"do": "knock", "times": 2}))
    assert house.did == [{"do": "knock", "times": 2}]


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    with pytest.raises(NotTaken):
        give(tmp_path, {"do": "knock"}, patience_s=0.01)
    assert (tmp_path / "orders").stat().st_mode & 0o777 == 0o700
