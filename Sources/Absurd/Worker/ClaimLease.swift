/// How long the claim of one execution lasts as far as this process can tell: the rules, without a clock of its own.
///
/// Counted from before a renewal was sent, so that the database's end is never earlier than this one, but for the
/// time that the answer to the claim took to arrive.
package struct ClaimLease: Sendable {
    /// Nil for a claim without end.
    package private(set) var end: ContinuousClock.Instant?
    private var isTold = false

    /// - Parameter seconds: The claim timeout; 0 is a claim without end.
    package init(seconds: Int, from start: ContinuousClock.Instant) {
        end = seconds > 0 ? start + .seconds(seconds) : nil
    }

    /// Takes in that the database accepted a write that renews, by the rule that it applies to the stored claim: only
    /// when less than two thirds of the time are left, and never to an earlier end.
    package mutating func renewed(by seconds: Int, sentAt: ContinuousClock.Instant) {
        guard let end, seconds > 0, end < sentAt + .seconds(seconds) * 2 / 3 else { return }
        self.end = sentAt + .seconds(seconds)
        isTold = false
    }

    /// When there will be something to tell; nil once that has been told.
    package var nextLapse: ContinuousClock.Instant? { isTold ? nil : end }

    /// True once for each time that the claim runs out without having been renewed.
    package mutating func hasLapsed(at now: ContinuousClock.Instant) -> Bool {
        guard let nextLapse, nextLapse <= now else { return false }
        isTold = true
        return true
    }
}
