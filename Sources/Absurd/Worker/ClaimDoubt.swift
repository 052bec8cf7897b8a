/// Whether claims whose answers never came may have left runs under the worker's id, and when to look for them: the
/// rules, without a clock of their own.
///
/// The lost statement may be executed after the first look, so the looks are repeated, with growing pauses, until the
/// server can no longer be at it.
package struct ClaimDoubt: Sendable {
    private var end: ContinuousClock.Instant?
    private var pause = Duration.seconds(1)
    /// When to look; nil while nothing is in doubt.
    package private(set) var nextLook: ContinuousClock.Instant?
    /// Statements under way that claim beside the claim loop, so that a look would take their runs for strays.
    private var beside = 0

    package init() {}

    package var isOpen: Bool { nextLook != nil }

    package func isDue(at now: ContinuousClock.Instant) -> Bool {
        beside == 0 && nextLook.map { $0 <= now } ?? false
    }

    /// False when no statement may claim beside the claim loop, since there may be a look meanwhile.
    ///
    /// When true, ``claimedBeside()`` is owed.
    package mutating func startClaimingBeside() -> Bool {
        guard !isOpen else { return false }
        beside += 1
        return true
    }

    package mutating func claimedBeside() { beside -= 1 }

    /// The answer of a claim was lost.
    ///
    /// - Parameter limit: How long the server executes a statement at most.
    package mutating func answerLost(at now: ContinuousClock.Instant, limit: Duration) {
        // A second for what the time limit does not count: the way there, and the commit.
        end = max(end ?? now, now + limit + .seconds(1))
        nextLook = now
        pause = .seconds(1)
    }

    /// The look was not answered: it comes again.
    package mutating func lookFailed(at now: ContinuousClock.Instant) {
        if isOpen { nextLook = now + .seconds(1) }
    }

    /// Nothing is in doubt any more, or nothing can be done about it.
    package mutating func close() {
        end = nil
        nextLook = nil
        pause = .seconds(1)
    }

    /// A look, which began at that time, has been answered.
    package mutating func looked(at now: ContinuousClock.Instant) {
        guard let end else { return }
        guard now < end else {
            close()
            return
        }
        nextLook = min(now + pause, end)
        pause *= 2
    }
}
