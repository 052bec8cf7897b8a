import LibPQ
import Logging
import Synchronization

/// What a look at a queue found.
struct QueueLook: Sendable {
    enum Outcome: String, Sendable { case armed, standby, open, untriggered }
    var outcome: Outcome
    /// Seconds; nil when nothing is planned.
    var dueIn: Double?

    var isDue: Bool { dueIn.map { $0 <= 0 } ?? false }
}

/// The statements of a watch, on the connection that listens.
extension QueueWatch {
    /// The session, listening to this queue; nil when notifications are not to be had now.
    func usableSession() async -> Listener.Session? {
        guard let session = usableSessionNow() else { return nil }
        do {
            try await listener.listen(to: channel, in: session)
            return session
        } catch {
            await listener.abandon(session)
            return nil
        }
    }

    func usableSessionNow() -> Listener.Session? {
        guard let session = listener.session else { return nil }
        return usefulAgain.map { .now < $0 } == true ? nil : session
    }

    func arm(in session: Listener.Session) async throws -> QueueLook {
        let isArmed = state.withLock { $0.armedSession == session.number }
        let rows = try await session.connection.query(
            "select outcome, due_in from absurd_swift.arm($1, $2)", [.text(queue), .bool(isArmed)],
            // A look at an index; who waits longer waits on a dead connection, and keeps a worker from ending.
            timeout: .seconds(5), isCancellable: false)
        guard let row = rows.first, let outcome = QueueLook.Outcome(rawValue: try row.decode("outcome"))
        else {
            throw SpawnStatement.wrongAnswer
        }
        state.withLock { state in
            // Without a trigger the lock, if held, is as useless as it is harmless.
            if outcome != .untriggered { state.armedSession = outcome == .armed ? session.number : nil }
            state.isOnDuty = outcome != .standby
        }
        return QueueLook(outcome: outcome, dueIn: try row.decode("due_in", as: Double?.self))
    }

    func disarm(in session: Listener.Session, handsOver: Bool) async throws {
        let isArmed = state.withLock { state in
            defer { state.armedSession = nil }
            return state.armedSession == session.number
        }
        _ = try await session.connection.query(
            "select absurd_swift.disarm($1, $2, $3)", [.text(queue), .bool(isArmed), .bool(handsOver)],
            timeout: .seconds(1), isCancellable: false)
    }

    /// The lock goes with its connection.
    func disarmed(_ session: Listener.Session) {
        state.withLock { state in
            if state.armedSession == session.number { state.armedSession = nil }
        }
    }

    /// No worker has room, or none is left: those of other processes are to look instead.
    func goOffDuty() async {
        let wasOnDuty = state.withLock { state in
            defer { state.isOnDuty = false }
            return state.isOnDuty
        }
        guard wasOnDuty, let session = listener.session else { return }
        do {
            try await disarm(in: session, handsOver: true)
        } catch {
            // The lock goes with its connection, and the others find out by their fallback.
            await listener.abandon(session)
        }
    }

    /// Gives the queue the trigger that notifies; without it this queue is polled for a while.
    func makeTrigger(in session: Listener.Session) async {
        do {
            // Behind writers it waits only a moment, since all later ones wait behind it.
            _ = try await session.connection.query(
                "select absurd_swift.make_triggers($1)", [.text(queue)], isCancellable: false)
        } catch let error as PostgresError where error.isLockConflict || error.sqlState == "XX000" {
            // The latter when another process makes it at the same moment.
            useless(session, for: .seconds(1))
        } catch {
            useless(session, for: .minutes(1))
            logger.info(
                "queue '\(queue)' has no trigger that wakes idle workers, so they poll; run 'absurd migrate' as its owner",
                metadata: ["error": "\(error)"])
        }
    }

    /// When the session that listens now may be of use again; nil when there is none, or it is.
    var usefulAgain: ContinuousClock.Instant? {
        guard let session = listener.session else { return nil }
        return unusable.withLock { unusable in
            unusable.flatMap { $0.session == session.number ? $0.until : nil }
        }
    }

    private func useless(_ session: Listener.Session, for duration: Duration) {
        unusable.withLock { $0 = (session.number, .now + duration) }
    }
}
