import LibPQ
import Logging
import Synchronization

extension QueueWatch {
    /// Watches the queue until cancelled; then gives up being armed.
    package func run() async {
        var pauses = Backoff(base: .milliseconds(5), cap: .milliseconds(250))
        var lastWake: ContinuousClock.Instant?
        while !Task.isCancelled {
            guard await someWorkerIsIdle() else { break }
            noteTurn()
            guard let session = await usableSession() else {
                await poll()
                continue
            }
            do {
                switch try await step(in: session, &lastWake) {
                case .quiet: pauses.reset()
                case .fruitless: await pause(pauses.next())
                }
            } catch {
                disarmed(session)
                await listener.abandon(session)
                logger.debug("the look for work failed", metadata: ["error": "\(error)"])
            }
        }
        await goOffDuty()
    }

    private enum StepResult {
        case quiet
        /// Work seems to be there, and nobody could claim it: look again, a little later.
        case fruitless
    }

    /// One look and what follows from it.
    private func step(
        in session: Listener.Session, _ lastWake: inout ContinuousClock.Instant?
    ) async throws -> StepResult {
        // What is committed before the look is seen by it, what comes after it notifies.
        state.withLock {
            $0.isNotified = false; $0.isHandedOver = false
        }
        let look = try await arm(in: session)
        switch look.outcome {
        case .untriggered:
            await makeTrigger(in: session)
            return .quiet
        case .open:
            if look.isDue { _ = await wakeWorkers(sweeps: true) }
            return .fruitless
        case .armed, .standby:
            if look.isDue { return await wakeWorkers(sweeps: true) > 0 ? .quiet : .fruitless }
            guard await isWoken(by: look, in: session) else { return .quiet }
            let isBurst = lastWake.map { .now - $0 < .milliseconds(20) } ?? false
            lastWake = .now
            if isBurst, look.outcome == .armed { return try await rideBurst(in: session) }
            _ = await wakeWorkers(sweeps: false)
            return .quiet
        }
    }

    /// Waits for a notification or the next due time; false when it was for nothing but another look.
    private func isWoken(by look: QueueLook, in session: Listener.Session) async -> Bool {
        let rest = min(look.dueIn.map { .seconds($0) } ?? fallbackInterval, fallbackInterval)
        let end = ContinuousClock.now + rest
        while !Task.isCancelled, listener.session?.number == session.number {
            let ticket = changes.ticket()
            let (isWoken, hasIdle) = state.withLock { state in
                (state.isHandedOver || state.isNotified && look.outcome == .armed, !state.idle.isEmpty)
            }
            if isWoken { return true }
            guard hasIdle, .now < end else { break }
            await changes.wait(after: ticket, within: end - .now)
        }
        return false
    }

    /// While work keeps coming: asks every few milliseconds, so that those who bring it need not tell.
    private func rideBurst(in session: Listener.Session) async throws -> StepResult {
        try await disarm(in: session, handsOver: false)
        while await wakeWorkers(sweeps: false) > 0 {
            await pause(Self.burstInterval)
            guard !Task.isCancelled, !state.withLock(\.idle.isEmpty) else { break }
        }
        return .quiet
    }

    /// Waits for an idle worker; false when cancelled.
    ///
    /// When all are busy, somebody else has to look for work.
    private func someWorkerIsIdle() async -> Bool {
        while !Task.isCancelled {
            let ticket = changes.ticket()
            if !state.withLock(\.idle.isEmpty) { return true }
            // A worker that has just claimed is back in a moment, unless it has no room left.
            await changes.wait(after: ticket, within: .milliseconds(20))
            if !state.withLock(\.idle.isEmpty) { return true }
            await goOffDuty()
            while !Task.isCancelled {
                let ticket = changes.ticket()
                if !state.withLock(\.idle.isEmpty) { return true }
                await changes.waitUnlessCancelled(after: ticket)
            }
        }
        return false
    }

    /// Has a worker claim each poll interval while there are no notifications.
    private func poll() async {
        if await wakeWorkers(sweeps: true) > 0 { return }
        let interval = state.withLock(\.idle.pollInterval)
        noteTurn(lookingAgainAfter: interval)
        // A session that is of no use for a while is tried again then, however seldom its workers poll.
        let end = min(.now + interval, usefulAgain ?? .now + interval)
        while !Task.isCancelled, .now < end, usableSessionNow() == nil {
            // A listener that connects cuts the waiting short.
            let ticket = changes.ticket()
            guard usableSessionNow() == nil else { break }
            await changes.wait(after: ticket, within: end - .now)
        }
    }

    private func pause(_ duration: Duration) async {
        // Cancelled when the last who needs the loop has gone.
        try? await Task.sleep(for: duration)
    }
}
