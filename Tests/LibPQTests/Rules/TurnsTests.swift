import Testing

@testable import LibPQ

struct TurnsTests {
    @Test func `the first comer has the turn at once, the others in their order`() {
        var turns = Turns<Int>()
        #expect(turns.take() == true)
        #expect(turns.take() == false)
        #expect(turns.enqueue(1) == nil)
        #expect(turns.enqueue(2) == nil)
        #expect(turns.leave() == 1)
        #expect(turns.settle(1) == true)
        #expect(turns.leave() == 2)
        #expect(turns.settle(2) == true)
        #expect(turns.leave() == nil)
        #expect(turns.take() == true)
    }

    @Test func `nobody overtakes between being chosen and running on`() {
        var turns = Turns<Int>()
        #expect(turns.take() == true)
        #expect(turns.enqueue(1) == nil)
        #expect(turns.leave() == 1)
        #expect(turns.take() == false)
    }

    @Test func `who queues for a turn that became free has it`() {
        var turns = Turns<Int>()
        #expect(turns.enqueue(1) == 1)
        #expect(turns.settle(1) == true)
        #expect(turns.take() == false)
    }

    @Test func `a cancelled ticket leaves the queue`() {
        var turns = Turns<Int>()
        #expect(turns.take() == true)
        #expect(turns.enqueue(1) == nil)
        #expect(turns.enqueue(2) == nil)
        #expect(turns.settle(1) == false)
        #expect(turns.leave() == 2)
    }

    @Test func `a ticket that was chosen while it was cancelled has to give the turn back`() {
        var turns = Turns<Int>()
        #expect(turns.take() == true)
        #expect(turns.enqueue(1) == nil)
        #expect(turns.enqueue(2) == nil)
        #expect(turns.leave() == 1)
        #expect(turns.settle(1) == true)
        #expect(turns.leave() == 2)
    }

    @Test func `a listener is woken by the first who wants the turn`() {
        var turns = Turns<Int>()
        #expect(turns.take() == true)
        #expect(turns.giveWay(9) == true)
        #expect(turns.enqueue(1) == 9)
        #expect(turns.enqueue(2) == nil)
        #expect(turns.leave() == 1)
    }

    @Test func `a listener does not start to wait while somebody waits for it`() {
        var turns = Turns<Int>()
        #expect(turns.take() == true)
        #expect(turns.enqueue(1) == nil)
        #expect(turns.giveWay(9) == false)
    }
}
