"""The queue of an advisory lock against a model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dmemfs._files.locks import LockGrant, LockTable, _new_lock
from tests.support.contenders import Node, busy, place_of, try_lock


def index_into(grants: list[LockGrant]) -> st.SearchStrategy[int]:
    """Choose one by number: what Hypothesis draws itself it keeps, so that it is never dropped."""
    return st.integers(0, len(grants) - 1)


class QueueModel(RuleBasedStateMachine):
    """Compare the table with a list in order of arrival, read from its front.

    No thread waits here: a grant that is not admitted at once just stands in the queue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = LockTable()
        self.keys = [Node(), Node()]
        self.inside: list[list[LockGrant]] = [[], []]
        self.queues: list[list[LockGrant]] = [[], []]

    def admit(self, which: int) -> None:
        queue, inside = self.queues[which], self.inside[which]
        while queue and (not inside or (queue[0].shared and all(grant.shared for grant in inside))):
            inside.append(queue.pop(0))

    @rule(which=st.integers(0, 1), shared=st.booleans())
    def ask(self, which: int, shared: bool) -> None:
        key = self.keys[which]
        grant = LockGrant(self.table, key, shared)
        place = place_of(grant)
        self.table._change(key, lambda queue: queue.enter(place, make_bell=_new_lock))
        self.queues[which].append(grant)
        self.admit(which)

    @rule(which=st.integers(0, 1), shared=st.booleans())
    def ask_without_waiting(self, which: int, shared: bool) -> None:
        inside = self.inside[which]
        free = not self.queues[which] and (
            not inside or (shared and all(grant.shared for grant in inside))
        )
        grant = try_lock(self.table, self.keys[which], shared=shared)
        assert (grant is not None) == free
        if grant is not None:
            inside.append(grant)

    @rule(which=st.integers(0, 1), data=st.data())
    def release(self, which: int, data: st.DataObject) -> None:
        if self.inside[which]:
            grant = self.inside[which][data.draw(index_into(self.inside[which]))]
            grant.release()
            self.inside[which].remove(grant)
            self.admit(which)

    @rule(which=st.integers(0, 1), data=st.data())
    def drop(self, which: int, data: st.DataObject) -> None:
        inside, queue = self.inside[which], self.queues[which]
        if inside or queue:
            number = data.draw(index_into(inside + queue))
            if number < len(inside):
                del inside[number]
            else:
                del queue[number - len(inside)]
            self.admit(which)

    @rule(which=st.integers(0, 1), data=st.data())
    def give_up(self, which: int, data: st.DataObject) -> None:
        if self.queues[which]:
            grant = self.queues[which][data.draw(index_into(self.queues[which]))]
            place = place_of(grant)
            assert self.table._change(self.keys[which], lambda queue: queue.give_up(place))
            self.queues[which].remove(grant)
            self.admit(which)

    @rule(which=st.integers(0, 1), data=st.data())
    def release_while_the_table_is_busy(self, which: int, data: st.DataObject) -> None:
        if self.inside[which]:
            grant = self.inside[which][data.draw(index_into(self.inside[which]))]
            with busy(self.table):
                grant.release()
                assert grant.held
            self.inside[which].remove(grant)
            self.admit(which)

    @invariant()
    def holders_and_order_agree(self) -> None:
        self.table._check()
        in_use = 0
        for key, inside, queue in zip(self.keys, self.inside, self.queues, strict=True):
            assert all(grant.held for grant in inside)
            assert not any(grant.held for grant in queue)
            in_table = self.table._queues.get(key)
            assert (in_table is not None) == bool(inside or queue)
            if in_table is not None:
                in_use += 1
                assert [place() for place in in_table.waiting] == queue
                assert len(in_table.holders) == len(inside)
        assert self.table.nodes_in_use == in_use


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
