import Testing

@testable import LibPQ

/// The pool's rules with numbers for connections and tickets.
struct PoolStateTests {
    typealias State = PoolState<Int, Int>

    let start = ContinuousClock.now
    let failure = PostgresError(.connectionFailed, "refused")

    /// A pool whose connections 1…count are all lent.
    private func exhausted(_ count: Int) -> State {
        var state = State(maxConnections: count)
        for _ in 0..<count {
            #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
            #expect(state.connected(now: start) == [])
        }
        return state
    }

    @Test func `callers connect themselves up to the bound and wait beyond it`() {
        var state = exhausted(2)
        #expect(state.ask(arrival: state.arrive(), now: start) == nil)
        #expect(state.open == 2)
        #expect(state.inUse == 2)
    }

    @Test func `connections that are being made count towards the bound`() {
        var state = State(maxConnections: 1)
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        #expect(state.ask(arrival: state.arrive(), now: start) == nil)
    }

    @Test func `the connection used last is lent first`() {
        var state = exhausted(2)
        _ = state.giveBack(1, now: start)
        _ = state.giveBack(2, now: start)
        #expect(state.ask(arrival: state.arrive(), now: start).lent == 2)
        #expect(state.ask(arrival: state.arrive(), now: start).lent == 1)
    }

    @Test func `a connection that comes back goes to the first in the queue`() {
        var state = exhausted(1)
        let (first, second) = (state.arrive(), state.arrive())
        #expect(state.enqueue(20, arrival: second, knownRetry: nil, now: start) == [])
        #expect(state.enqueue(10, arrival: first, knownRetry: nil, now: start) == [])
        #expect(state.giveBack(7, now: start).wake == [10])
        #expect(state.settle(10).lent == 7)
        #expect(state.settle(20) == nil)
    }

    @Test func `since when the first caller waits is known, however often it had to ask again`() {
        var state = exhausted(1)
        #expect(state.waitingSince == nil)
        let arrival = state.arrive()
        _ = state.enqueue(10, arrival: arrival, knownRetry: nil, now: start + .seconds(1))
        _ = state.enqueue(11, arrival: state.arrive(), knownRetry: nil, now: start + .seconds(2))
        #expect(state.waitingSince == start + .seconds(1))
        _ = state.settle(10)
        #expect(state.waitingSince == start + .seconds(2))
        _ = state.enqueue(
            12, arrival: arrival, knownRetry: nil, since: start + .seconds(1), now: start + .seconds(3))
        #expect(state.waitingSince == start + .seconds(1))
    }

    @Test func `nobody who comes later overtakes the queue`() {
        var state = exhausted(1)
        #expect(state.enqueue(10, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.giveBack(7, now: start).wake == [10])
        #expect(state.ask(arrival: state.arrive(), now: start) == nil)
    }

    @Test func `who queues although something became free meanwhile is woken at once`() {
        var state = exhausted(1)
        let arrival = state.arrive()
        #expect(state.ask(arrival: arrival, now: start) == nil)
        _ = state.giveBack(7, now: start)
        #expect(state.enqueue(10, arrival: arrival, knownRetry: nil, now: start) == [10])
        #expect(state.settle(10).lent == 7)
    }

    @Test func `a waiter that is gone is passed over, and its grant goes on to the next`() {
        var state = exhausted(1)
        #expect(state.enqueue(10, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.enqueue(20, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.enqueue(30, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.settle(10) == nil)
        #expect(state.left(now: start) == [])
        #expect(state.giveBack(7, now: start).wake == [20])
        // Cancelled in the same moment: it has to give back what it was granted.
        #expect(state.settle(20).lent == 7)
        #expect(state.giveBack(7, now: start).wake == [30])
        #expect(state.settle(30).lent == 7)
        #expect(state.waiting == 0)
    }

    @Test func `a closed connection makes room for the first waiter to connect`() {
        var state = exhausted(1)
        #expect(state.enqueue(10, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.giveBack(nil, now: start).wake == [10])
        #expect(state.settle(10).isConnect)
        #expect(state.inUse == 0)
        #expect(state.connecting == 1)
    }

    @Test func `an attempt that was given up makes room`() {
        var state = State(maxConnections: 1)
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        #expect(state.enqueue(10, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.connectAbandoned(now: start) == [10])
        #expect(state.settle(10).isConnect)
    }

    @Test func `after a failure nobody connects before its time, then one at a time`() {
        var state = State(maxConnections: 3)
        let arrival = state.arrive()
        #expect(state.ask(arrival: arrival, now: start).isConnect)
        let retryAt = start + .seconds(1)
        #expect(state.connectFailed(failure, retryAt: retryAt, now: start) == [])
        #expect(state.ask(arrival: arrival, now: start) == nil)
        #expect(state.ask(arrival: arrival, now: retryAt).isConnect)
        #expect(state.ask(arrival: state.arrive(), now: retryAt) == nil)
        #expect(state.lastFailure?.message == "refused")
    }

    @Test func `the first waiter learns when the next attempt is due`() {
        var state = State(maxConnections: 1)
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        let waiting = state.arrive()
        #expect(state.enqueue(10, arrival: waiting, knownRetry: nil, now: start) == [])
        let retryAt = start + .seconds(1)
        #expect(state.connectFailed(failure, retryAt: retryAt, now: start) == [10])
        #expect(state.settle(10).isAskAgain)
        #expect(state.enqueue(11, arrival: waiting, knownRetry: retryAt, now: start) == [])
    }

    @Test func `when the first waiter leaves, the next one learns about the attempt`() {
        var state = State(maxConnections: 1)
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        let (first, second) = (state.arrive(), state.arrive())
        #expect(state.enqueue(20, arrival: second, knownRetry: nil, now: start) == [])
        let retryAt = start + .seconds(1)
        _ = state.enqueue(10, arrival: first, knownRetry: retryAt, now: start)
        #expect(state.connectFailed(failure, retryAt: retryAt, now: start) == [])
        #expect(state.settle(10) == nil)
        #expect(state.left(now: start) == [20])
        #expect(state.settle(20).isAskAgain)
    }

    @Test func `a success lets all waiters connect that the bound allows`() {
        var state = State(maxConnections: 3)
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        _ = state.connectFailed(failure, retryAt: start, now: start)
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        for ticket in [10, 20, 30] {
            #expect(state.enqueue(ticket, arrival: state.arrive(), knownRetry: start, now: start) == [])
        }
        #expect(state.connected(now: start) == [10, 20])
        #expect(state.failures == 0)
        #expect(state.lastFailure == nil)
    }

    @Test func `closing wakes everybody and takes connections back to close them`() {
        var state = exhausted(2)
        _ = state.giveBack(1, now: start)
        #expect(state.ask(arrival: state.arrive(), now: start).lent == 1)
        #expect(state.enqueue(10, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.close().wake == [10])
        #expect(state.settle(10).isClosed)
        #expect(state.ask(arrival: state.arrive(), now: start).isClosed)
        #expect(state.giveBack(1, now: start).close == 1)
        #expect(state.idle.isEmpty)
    }

    @Test func `what is lent for long leaves one connection to the others`() {
        var state = State(maxConnections: 3)
        for _ in 1...2 {
            #expect(state.ask(arrival: state.arrive(), term: .long, now: start).isConnect)
            #expect(state.connected(now: start) == [])
        }
        let long = state.arrive()
        #expect(state.ask(arrival: long, term: .long, now: start) == nil)
        #expect(state.enqueue(10, arrival: long, term: .long, knownRetry: nil, now: start) == [])
        // Who came later does not wait for it.
        #expect(state.ask(arrival: state.arrive(), now: start).isConnect)
        #expect(state.connected(now: start) == [])
        #expect(state.enqueue(20, arrival: state.arrive(), knownRetry: nil, now: start) == [])
        #expect(state.giveBack(3, now: start).wake == [20])
        #expect(state.settle(20).lent == 3)
        #expect(state.giveBack(3, now: start).wake == [])
        #expect(state.giveBack(1, term: .long, now: start).wake == [10])
        #expect(state.settle(10).lent == 1)
        #expect(state.ask(arrival: state.arrive(), term: .long, now: start) == nil)
    }

    @Test func `an attempt for long that fails or is given up lets another one be made`() {
        var state = State(maxConnections: 2)
        let arrival = state.arrive()
        #expect(state.ask(arrival: arrival, term: .long, now: start).isConnect)
        #expect(state.connectFailed(failure, term: .long, retryAt: start, now: start) == [])
        #expect(state.ask(arrival: arrival, term: .long, now: start).isConnect)
        #expect(state.connectAbandoned(term: .long, now: start) == [])
        #expect(state.ask(arrival: arrival, term: .long, now: start).isConnect)
    }

    @Test func `the only connection is lent for long too`() {
        var state = State(maxConnections: 1)
        #expect(state.ask(arrival: state.arrive(), term: .long, now: start).isConnect)
    }

    @Test func `idle connections are taken out by age`() {
        var state = exhausted(2)
        _ = state.giveBack(1, now: start)
        _ = state.giveBack(2, now: start + .seconds(5))
        #expect(state.removeIdle { $0.since < start + .seconds(1) } == [1])
        #expect(state.open == 1)
    }
}

extension PoolState<Int, Int>.Grant? {
    fileprivate var lent: Int? {
        if case .lend(let connection) = self { connection } else { nil }
    }
    fileprivate var isConnect: Bool { if case .connect = self { true } else { false } }
    fileprivate var isClosed: Bool { if case .closed = self { true } else { false } }
    fileprivate var isAskAgain: Bool { if case .askAgain = self { true } else { false } }

    fileprivate static func == (left: Self, right: _OptionalNilComparisonType) -> Bool {
        if case .none = left { true } else { false }
    }
}
