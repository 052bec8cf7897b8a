import Logging
import Synchronization

extension Execution {
    /// Runs a handler that has a time limit.
    ///
    /// The handler stays in the execution's own task; the child is the clock.
    func execute(_ handler: Handler, for limit: Duration, since start: ContinuousClock.Instant) async {
        let verdict = Verdict()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await end(handler, after: limit, since: start, verdict) }
            let returned = await context.runningHandler { await invoke(handler) }
            group.cancelAll()
            guard verdict.handlerReturned() else { return }
            await conclude(await outcome(of: returned, handler), handler, ContinuousClock.now - start)
        }
    }

    /// Ends the execution when its time is over; fails the attempt itself when the handler does not return then.
    ///
    /// Ending the execution cancels the handler's task and with it this child, so nothing here heeds cancellation once
    /// the time is over.
    private func end(
        _ handler: Handler, after limit: Duration, since start: ContinuousClock.Instant, _ verdict: Verdict
    ) async {
        // Cancelled when the execution ends before.
        guard (try? await Task.sleep(for: limit)) != nil, await context.timeOut() else { return }
        await verdict.wait(for: .seconds(1))
        guard verdict.isTakenOverByClock() else { return }
        context.logger.info(
            "the handler ignores that its attempt timeout is over; the attempt fails, and the slot stays taken until the handler returns",
            metadata: ["absurd.attempt-timeout": "\(limit)"])
        // The end of a run follows all of its writes.
        await context.writesAnsweredDespiteCancellation()
        await conclude(.fail(.attemptTimeout(limit)), handler, ContinuousClock.now - start)
    }
}

/// Who says how an execution with a time limit ended: the handler that returns, or the clock that gave it up.
private final class Verdict: Sendable {
    private enum Speaker { case handler, clock }
    private let speaker = Mutex<Speaker?>(nil)
    private let changes = ChangeSignal()

    /// False when the clock has spoken.
    func handlerReturned() -> Bool {
        defer { changes.signal() }
        return speaks(.handler)
    }

    /// False when the handler has returned.
    func isTakenOverByClock() -> Bool { speaks(.clock) }

    private func speaks(_ who: Speaker) -> Bool {
        speaker.withLock { speaker in
            if speaker == nil { speaker = who }
            return speaker == who
        }
    }

    /// Returns when the handler has, at the latest after `limit`.
    func wait(for limit: Duration) async {
        let ticket = changes.ticket()
        guard speaker.withLock({ $0 == nil }) else { return }
        // Nothing in it throws.
        try? await finishingDespiteCancellation { [changes] in
            await changes.wait(after: ticket, within: limit)
        }
    }
}
