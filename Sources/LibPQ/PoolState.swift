/// The rules of ``PostgresPool``, without connections and without waiting.
///
/// Events go in; what comes out says who is to be woken. Callers make connections themselves when they are
/// told to: the state only counts them.
struct PoolState<Connection: Sendable, Ticket: Hashable & Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    private let maxConnections: Int
    private(set) var idle: [Idle] = []
    private(set) var inUse = 0
    private(set) var connecting = 0
    /// How many connections are lent, or being made, for long.
    private var longTerm = 0
    private(set) var isClosed = false
    /// Failed attempts to connect since the last one that succeeded.
    private(set) var failures = 0
    private(set) var lastFailure: PostgresError?
    /// Whether the server has ever answered this pool.
    private(set) var hasConnected = false
    /// Before this nobody connects.
    private(set) var retryAt: Instant?
    private var queue: [Waiter] = []
    private var grants: [Ticket: Grant] = [:]
    private var lastArrival: UInt64 = 0

    init(maxConnections: Int) {
        self.maxConnections = maxConnections
    }

    var waiting: Int { queue.count }
    /// Since when the first of the waiting callers waits.
    var waitingSince: Instant? { queue.map(\.since).min() }
    var open: Int { idle.count + inUse }

    mutating func arrive() -> UInt64 {
        lastArrival += 1
        return lastArrival
    }

    /// What the caller may do at once; nil when it has to wait.
    mutating func ask(arrival: UInt64, term: Term = .short, now: Instant) -> Grant? {
        if isClosed { return .closed }
        if let first = firstInTurn, queue[first].arrival < arrival { return nil }
        return next(term, now: now)
    }

    /// Queues a caller that has to wait; returns whom to wake.
    ///
    /// - Parameter since: When it first asked, if that was before now.
    mutating func enqueue(
        _ ticket: Ticket, arrival: UInt64, term: Term = .short, knownRetry: Instant?, since: Instant? = nil,
        now: Instant
    ) -> [Ticket] {
        let waiter = Waiter(
            ticket: ticket, term: term, arrival: arrival, since: since ?? now, knownRetry: knownRetry)
        let position = queue.firstIndex { $0.arrival > arrival } ?? queue.endIndex
        queue.insert(waiter, at: position)
        return serve(now: now)
    }

    /// Ends a wait, whatever ended it; returns what was granted meanwhile.
    ///
    /// The caller then uses the grant, gives it back, asks again, or has ``left(now:)``.
    mutating func settle(_ ticket: Ticket) -> Grant? {
        queue.removeAll { $0.ticket == ticket }
        return grants.removeValue(forKey: ticket)
    }

    /// A caller has gone without a grant: the next one may be the first now.
    mutating func left(now: Instant) -> [Ticket] {
        serve(now: now)
    }

    /// A connection works: whoever was held back by earlier failures may connect now.
    mutating func connected(now: Instant) -> [Ticket] {
        connecting -= 1
        inUse += 1
        hasConnected = true
        failures = 0
        lastFailure = nil
        retryAt = nil
        return serve(now: now)
    }

    mutating func connectFailed(
        _ error: PostgresError, term: Term = .short, retryAt: Instant, now: Instant
    ) -> [Ticket] {
        connecting -= 1
        ended(term)
        failures += 1
        lastFailure = error
        self.retryAt = retryAt
        return serve(now: now)
    }

    mutating func connectAbandoned(term: Term = .short, now: Instant) -> [Ticket] {
        connecting -= 1
        ended(term)
        return serve(now: now)
    }

    /// Takes a connection back; nil is one that has been closed.
    mutating func giveBack(
        _ connection: Connection?, term: Term = .short, now: Instant
    ) -> (wake: [Ticket], close: Connection?) {
        inUse -= 1
        ended(term)
        guard let connection else { return (serve(now: now), nil) }
        if isClosed { return ([], connection) }
        idle.append(Idle(connection: connection, since: now))
        return (serve(now: now), nil)
    }

    /// Takes out idle connections; those used last stay at the end.
    mutating func removeIdle(where isUnwanted: (Idle) -> Bool) -> [Connection] {
        let removed = idle.filter(isUnwanted)
        if !removed.isEmpty { idle.removeAll(where: isUnwanted) }
        return removed.map(\.connection)
    }

    mutating func close() -> (wake: [Ticket], close: [Connection]) {
        isClosed = true
        let tickets = queue.map(\.ticket)
        for ticket in tickets { grants[ticket] = .closed }
        queue = []
        defer { idle = [] }
        return (tickets, idle.map(\.connection))
    }

    /// Hands out what is there, in order of arrival; who wants one for long is passed over while that may not be.
    private mutating func serve(now: Instant) -> [Ticket] {
        var woken: [Ticket] = []
        while let place = firstInTurn, let grant = next(queue[place].term, now: now) {
            let first = queue.remove(at: place)
            grants[first.ticket] = grant
            woken.append(first.ticket)
        }
        // The first waiter makes the next attempt, so it must know when that is due.
        if let first = firstInTurn.map({ queue[$0] }), let retryAt, hasRoom, first.knownRetry != retryAt,
            grants[first.ticket] == nil
        {
            grants[first.ticket] = .askAgain
            woken.append(first.ticket)
        }
        return woken
    }

    private var hasRoom: Bool { open + connecting < maxConnections }

    private var firstInTurn: Int? { queue.firstIndex { mayTake($0.term) } }

    private func mayTake(_ term: Term) -> Bool {
        term == .short || longTerm < max(1, maxConnections - 1)
    }

    private mutating func began(_ term: Term) { if term == .long { longTerm += 1 } }
    private mutating func ended(_ term: Term) { if term == .long { longTerm -= 1 } }

    private mutating func next(_ term: Term, now: Instant) -> Grant? {
        guard mayTake(term) else { return nil }
        // The connection used last is the one most surely alive; the others may become superfluous.
        if let last = idle.popLast() {
            inUse += 1
            began(term)
            return .lend(last.connection)
        }
        guard hasRoom else { return nil }
        // After a failure one attempt at a time, and not before its time.
        if failures > 0, connecting > 0 || retryAt.map({ now < $0 }) ?? false { return nil }
        connecting += 1
        began(term)
        return .connect
    }
}
