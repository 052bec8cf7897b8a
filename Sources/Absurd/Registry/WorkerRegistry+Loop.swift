import LibPQ
import Logging
import Synchronization

extension WorkerRegistry {
    /// Beats and watches until cancelled.
    package func run() async {
        await withTaskExecutorPreference(thread) { await beatUntilCancelled() }
    }

    private func beatUntilCancelled() async {
        // Whoever takes this loop over has not seen how regular the beats were.
        var isSteady = false
        var retries = Backoff(base: BeatTiming.retry, cap: BeatTiming.longestRetry)
        var hasFailed = false
        while !Task.isCancelled {
            guard await isTimeToBeat() else { break }
            let start = ContinuousClock.now
            do {
                let interval = try await beat(
                    isSteady: isSteady,
                    patience: hasFailed ? BeatTiming.longerPatience : BeatTiming.patience)
                isSteady = true
                hasFailed = false
                retries.reset()
                setNextBeat(start + interval)
                let end = state.withLock { $0.silence.answered(beatAt: start) }
                if let end { await pool.abandon(sentBefore: end) }
            } catch {
                let wasAnswered = (error as? PostgresError)?.sqlState != nil
                state.withLock { $0.silence.failed(beatAt: start, wasAnswered: wasAnswered) }
                let isConflict = (error as? PostgresError)?.isLockConflict == true
                // Others must not be judged by what this process has missed.
                if !isConflict {
                    isSteady = false
                    await close()
                }
                logger.debug("a beat failed", metadata: ["error": "\(error)"])
                // A connection that is dead for itself costs no more than the wait for its answer.
                setNextBeat(.now + (hasFailed || isConflict ? retries.next() : .zero))
                hasFailed = true
            }
        }
    }

    private func setNextBeat(_ time: ContinuousClock.Instant) {
        state.withLock { state in
            state.nextBeat = state.hasClaimed ? min(time, .now + BeatTiming.working) : time
        }
    }

    /// Waits until somebody is registered and the next beat is due; false when cancelled.
    private func isTimeToBeat() async -> Bool {
        while !Task.isCancelled {
            let ticket = changes.ticket()
            let (hasMembers, time) = state.withLock { (!$0.members.isEmpty, $0.nextBeat) }
            let rest = time - .now
            if hasMembers {
                if rest <= .zero { return true }
                thread.signal(changes, after: rest)
            }
            await changes.waitUnlessCancelled(after: ticket)
        }
        return false
    }

    /// Beats once, acts on the answer, and says how long to wait until the next.
    private func beat(isSteady: Bool, patience: Duration) async throws -> Duration {
        let members = state.withLock { state in
            state.hasClaimed = false
            return Array(state.members.values)
        }
        let loads = members.map { $0.load() }
        let start = ContinuousClock.now
        let answer = try await send(
            members.map(\.id), running: loads.map(\.running), restarts: loads.map(\.restarts), isSteady,
            patience)
        for member in members where answer.gone.contains(member.id) {
            // One that has left since the beat was sent is lost to nobody.
            if leave(member.id) { member.lost() }
        }
        let interval = BeatTiming.next(
            hasRuns: loads.contains { $0.running > 0 }, suspects: answer.suspects,
            othersRun: answer.othersRun)
        if let observer = answer.observer {
            try await reap(as: observer, until: start + interval)
        }
        return interval
    }

    /// Gives up runs of silent workers until none is found, or the next beat is due.
    ///
    /// A verdict takes no longer than a beat may, so that waiting for its commit makes nobody silent who judges others.
    private func reap(as observer: String, until end: ContinuousClock.Instant) async throws {
        while !Task.isCancelled, .now < end, let verdict = try await sendReap(as: observer) {
            guard verdict.runs > 0 || verdict.isOut else {
                // Final attempts wait a little longer, and so does what somebody holds locked.
                return
            }
            logger.info(
                "a worker fell silent; its runs are attempted again",
                metadata: [
                    "absurd.lost_worker": .string(verdict.worker), "absurd.queue": .string(verdict.queue),
                    "absurd.runs": "\(verdict.runs)",
                ])
        }
    }
}
