import LibPQ
import Synchronization

extension ResultWatch {
    /// Looks after the open tasks until cancelled.
    package func run() async {
        var pauses = Backoff(base: .milliseconds(50), cap: .seconds(1))
        while !Task.isCancelled {
            let ticket = changes.ticket()
            let session = await listeningSession()
            let due = takeDue(session)
            guard !due.isEmpty else {
                await rest(after: ticket)
                continue
            }
            var hasFailed = false
            for (queue, keys) in Dictionary(grouping: due, by: \.queue) {
                for chunk in keys.batches(of: 1000).map(Array.init) {
                    if await !look(queue, chunk, session) { hasFailed = true }
                }
            }
            if hasFailed {
                // Cancelled when the last who waits has gone.
                try? await Task.sleep(for: pauses.next())
            } else {
                pauses.reset()
            }
        }
    }

    private func listeningSession() async -> Listener.Session? {
        guard mayRegister.load(ordering: .relaxed), let session = listener.session else { return nil }
        do {
            try await listener.listen(to: channel, in: session)
            return session
        } catch {
            await listener.abandon(session)
            return nil
        }
    }

    /// The tasks to look at now: new ones, notified ones, and from time to time all.
    private func takeDue(_ session: Listener.Session?) -> [Key] {
        state.withLock { state in
            // In a new session nothing is registered, and notifications of the old one may have been lost.
            let isNewSession = session != nil && state.session != session?.number
            state.session = session?.number
            if let until = state.lockedUntil, until <= .now {
                state.due.formUnion(state.locked)
                (state.locked, state.lockedUntil) = ([], nil)
            }
            if isNewSession || state.nextRound <= .now {
                state.due = []
                state.nextRound = .now + interval(state, isListening: session != nil)
                return Array(state.entries.keys)
            }
            defer { state.due = [] }
            return Array(state.due)
        }
    }

    /// Without notifications tasks that are waited for only just now are asked about often.
    private func interval(_ state: State, isListening: Bool) -> Duration {
        if isListening { return fallbackInterval }
        let youngest = state.entries.values.map { ContinuousClock.now - $0.since }.min() ?? .zero
        return max(.milliseconds(50), min(youngest / 2, .seconds(1)))
    }

    private func rest(after ticket: Int) async {
        let (hasEntries, nextRound) = state.withLock { state in
            (!state.entries.isEmpty, min(state.nextRound, state.lockedUntil ?? state.nextRound))
        }
        guard hasEntries else { return await changes.waitUnlessCancelled(after: ticket) }
        await changes.wait(after: ticket, within: nextRound - .now)
    }

    /// Asks about tasks of one queue and registers for those that are open.
    ///
    /// False when the database did not answer.
    private func look(_ queue: String, _ keys: [Key], _ session: Listener.Session?) async -> Bool {
        do {
            let rows = try await pool.query(
                """
                select position, state, result, failure, registered from absurd_swift.task_results($1, $2, $3)
                """,
                [
                    .text(queue), .uuidArray(keys.map(\.task.uuid)),
                    session == nil ? .null : .text(channel),
                ], isCancellable: false, isRepeatable: true)
            for row in rows { try take(row, keys, isListening: session != nil) }
            return true
        } catch let error as PostgresError where error.sqlState == "42501" && session != nil {
            mayRegister.store(false, ordering: .relaxed)
            return await look(queue, keys, nil)
        } catch let error as PostgresError where error.isTransient {
            retryLater(keys, error)
            return false
        } catch {
            let failure = (error as? PostgresError).map { AbsurdError($0, queue: queue) } ?? error
            for key in keys { finish(key, .failed(failure)) }
            return true
        }
    }

    private func take(_ row: SQLRow, _ keys: [Key], isListening: Bool) throws {
        let key = keys[Int(try row.decode("position", as: Int32.self)) - 1]
        guard let taskState = try TaskState(row, "state") else {
            return finish(key, .failed(AbsurdError.taskMissing(key.task, key.queue)))
        }
        if taskState.isTerminal {
            let result = try row.decode("result", as: String?.self).map(JSONText.init)
            let failure = try row.decode("failure", as: String?.self).map(JSONText.init)
            return finish(
                key, .ended(try TaskSnapshot(state: taskState, resultText: result, failureText: failure)))
        }
        let isRegistered = try row.decode("registered", as: Bool.self)
        state.withLock { state in
            state.found(key, in: taskState)
            // Somebody was just changing the task: it may have ended by now, without a notification.
            guard isListening, !isRegistered, state.entries[key] != nil else { return }
            state.locked.insert(key)
            state.lockedUntil = state.lockedUntil ?? .now + .milliseconds(20)
        }
    }

    /// A caller that has never had an answer is told; the others go on waiting.
    private func retryLater(_ keys: [Key], _ error: PostgresError) {
        for key in keys where state.withLock({ $0.entries[key]?.state == nil }) {
            finish(key, .failed(AbsurdError(error)))
        }
        state.withLock { state in state.due.formUnion(keys.filter { state.entries[$0] != nil }) }
    }

    private func finish(_ key: Key, _ turn: Turn) {
        let seats = state.withLock { $0.removeEntry(key) }
        for seat in seats { seat.give(turn) }
    }
}

extension Array {
    fileprivate func batches(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}
