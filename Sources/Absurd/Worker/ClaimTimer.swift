import LibPQ

/// What the next claim of a worker asks for: the rules, without waiting.
///
/// Sweeping (expired claims, cancellation policies) costs as much as a claim, so a worker does it once a second and
/// when it is woken for that. While the queue has a backlog, claims start at the due time where the last one began: an
/// open transaction anywhere keeps the index entries of finished runs before that, and each claim would read all of
/// them. Once a second, and before a worker goes idle, a claim looks from the start, for runs that were passed over.
package struct ClaimTimer {
    private static let interval = Duration.seconds(1)

    private var lastSweep: ContinuousClock.Instant?
    private var lastFullLook: ContinuousClock.Instant?
    private var dueFrom: PostgresTimestamp?

    package init() {}

    package mutating func request(
        holder: ClaimHolder, timeout: Int, limit: Int, sweeps: Bool, now: ContinuousClock.Instant = .now
    ) -> ClaimRequest {
        if sweeps { lastSweep = nil }
        let sweeps = isOver(&lastSweep, now)
        if dueFrom == nil || isOver(&lastFullLook, now) {
            dueFrom = nil
            lastFullLook = now
        }
        return ClaimRequest(holder: holder, timeout: timeout, limit: limit, sweeps: sweeps, dueFrom: dueFrom)
    }

    /// Takes in what a claim brought; true when the queue has no more, so that the worker may go idle.
    package mutating func isDrained(after request: ClaimRequest, _ runs: [ClaimedRun]) -> Bool {
        guard runs.count < request.limit else {
            dueFrom = runs.compactMap(\.due).min()
            return false
        }
        let wasFullLook = dueFrom == nil
        dueFrom = nil
        return wasFullLook
    }

    private func isOver(_ last: inout ContinuousClock.Instant?, _ now: ContinuousClock.Instant) -> Bool {
        if let last, now - last < Self.interval { return false }
        last = now
        return true
    }
}
