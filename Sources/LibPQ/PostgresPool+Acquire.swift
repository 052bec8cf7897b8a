import Logging
import Synchronization

/// How a caller waits for a connection.
struct AcquireManner: Sendable {
    let timeout: Duration
    var term = PostgresPool.State.Term.short
    let start = ContinuousClock.now
    /// Whether a cancelled task waits no longer.
    var isCancellable = true
    /// Whether the caller repeats the call, and so is told of a failed attempt at once.
    var isRepeated = false

    var deadline: ContinuousClock.Instant { start + timeout }
}

/// How a caller gets a connection and how it comes back.
extension PostgresPool {
    func acquire(_ manner: AcquireManner) async throws -> PostgresConnection {
        let arrival = state.withLock { $0.arrive() }
        while true {
            switch try await nextGrant(arrival, manner) {
            case .closed: throw PostgresError(.poolClosed, "the pool is closed")
            case .askAgain: continue
            case .lend(let connection):
                if await isAlive(connection) { return noted(connection) }
                await giveBack(connection, manner.term)
            case .connect:
                if let connection = try await connect(manner) {
                    return noted(connection)
                }
            }
        }
    }

    private func noted(_ connection: PostgresConnection) -> PostgresConnection {
        lent.withLock { $0[ObjectIdentifier(connection)] = connection }
        return connection
    }

    /// For whoever knows that the network has been silent and is not any more: breaks off the connections that still
    /// wait for the answer to an earlier statement, and closes the unused ones of that time.
    ///
    /// After a silence a connection can be dead without a sign, when a firewall on the way has forgotten it; only
    /// timeouts would tell. Other statements than those that are marked as repeatable are left alone.
    package func abandon(sentBefore instant: ContinuousClock.Instant) async {
        for connection in lent.withLock({ Array($0.values) }) {
            connection.abandonStatement(sentBefore: instant)
        }
        for connection in state.withLock({ $0.removeIdle { $0.since < instant } }) {
            await connection.close()
        }
    }

    func giveBack(_ connection: PostgresConnection, _ term: State.Term) async {
        lent.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(connection)) }
        let isReusable = connection.condition.isClean
        // Closed before its place is given to somebody else, so that the bound holds on the server too.
        if !isReusable { await connection.close() }
        let (wake, close) = state.withLock {
            $0.giveBack(isReusable ? connection : nil, term: term, now: .now)
        }
        self.wake(wake)
        await close?.close()
    }

    /// Waits for the caller's turn, unless it is there.
    private func nextGrant(_ arrival: UInt64, _ manner: AcquireManner) async throws -> State.Grant {
        let (grant, retryAt) = state.withLock {
            ($0.ask(arrival: arrival, term: manner.term, now: .now), $0.retryAt)
        }
        if let grant { return grant }

        let readiness = try Readiness.shared()
        let dueRetry = retryAt.flatMap { $0 > .now ? $0 : nil }
        var ticket: Readiness.Token?
        let wakeup = await readiness.wait(
            until: dueRetry.map { min($0, manner.deadline) } ?? manner.deadline,
            isCancellable: manner.isCancellable
        ) { token in
            ticket = token
            wake(
                state.withLock {
                    $0.enqueue(
                        token, arrival: arrival, term: manner.term, knownRetry: retryAt, since: manner.start,
                        now: .now)
                })
        }
        let settled = ticket.flatMap { ticket in state.withLock { $0.settle(ticket) } }
        if wakeup == .cancelled {
            await decline(settled, manner.term)
            throw PostgresError.cancelledBeforeSending("cancelled while waiting for a connection")
        }
        if let settled { return settled }
        if ContinuousClock.now < manner.deadline { return .askAgain }
        await decline(nil, manner.term)
        throw timedOut(manner)
    }

    /// Leaves for good, and gives back what was granted meanwhile.
    private func decline(_ grant: State.Grant?, _ term: State.Term) async {
        switch grant {
        case .lend(let connection): await giveBack(connection, term)
        case .connect: wake(state.withLock { $0.connectAbandoned(term: term, now: .now) })
        case .closed, .askAgain, nil: wake(state.withLock { $0.left(now: .now) })
        }
    }

    /// Makes a connection; nil when that failed and is worth another attempt.
    private func connect(_ manner: AcquireManner) async throws -> PostgresConnection? {
        do {
            let connection = try await PostgresConnection.connect(
                configuration, logger: logger, until: manner.deadline, isCancellable: manner.isCancellable)
            wake(state.withLock { $0.connected(now: .now) })
            return connection
        } catch let error as PostgresError where error.code != .cancelled {
            let failures = state.withLock { $0.failures } + 1
            let retryAt = ContinuousClock.now + Self.pause(afterFailures: failures)
            wake(
                state.withLock {
                    $0.connectFailed(error, term: manner.term, retryAt: retryAt, now: .now)
                })
            logger.debug("no connection", metadata: ["error": "\(error)", "failures": "\(failures)"])
            guard error.isTransientConnectionFailure else { throw error }
            let isUnknownServer = error.sqlState == nil && !state.withLock { $0.hasConnected }
            guard !isUnknownServer || configuration.waitsForFirstConnection else { throw error }
            guard ContinuousClock.now < manner.deadline else { throw timedOut(manner) }
            // Who repeats the call anyway is told, so that an absence is known at once.
            guard !manner.isRepeated else { throw error }
            return nil
        } catch {
            wake(state.withLock { $0.connectAbandoned(term: manner.term, now: .now) })
            throw error
        }
    }

    /// 50 ms, doubling up to 1.5 s, of which half is random so that clients do not return in step.
    ///
    /// One attempt at a time for a whole client, so longer pauses would spare the server nothing worth the wait.
    static func pause(afterFailures failures: Int) -> Duration {
        let longest = Duration.milliseconds(50) * (1 << min(failures - 1, 7))
        return min(longest, .milliseconds(1500)) * Double.random(in: 0.5...1)
    }

    private func timedOut(_ manner: AcquireManner) -> PostgresError {
        let (inUse, failure) = state.withLock { ($0.inUse, $0.lastFailure) }
        let kept =
            manner.term == .long && configuration.maxConnections > 1
            ? ", and one is kept for other calls" : ""
        let reason =
            failure == nil ? "\(inUse) connections are in use\(kept)" : "the last attempt to connect failed"
        return PostgresError(
            .poolTimedOut, "no connection within \(manner.timeout): \(reason)",
            underlying: failure)
    }

    private func isAlive(_ connection: PostgresConnection) async -> Bool {
        guard connection.isUsable else { return false }
        guard connection.hasUnexpectedInput else { return true }
        return await connection.checkUnexpectedInput()
    }

    func wake(_ tickets: [Readiness.Token]) {
        guard !tickets.isEmpty, let readiness = try? Readiness.shared() else { return }
        for ticket in tickets { readiness.wake(ticket) }
    }
}
