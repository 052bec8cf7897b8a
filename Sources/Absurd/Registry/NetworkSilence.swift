import LibPQ

/// What beats tell about the network: that it swallowed everything for a while, and when that was over.
///
/// A beat that gets no answer, not even to the request to cancel it, has met no slow statement but a silent network.
/// When it is back, connections from before may be dead without a sign. The first beat that is answered only sets the
/// time; the next one, about a second later, ends the benefit of the doubt.
package struct NetworkSilence {
    private var isSilent = false
    private var end: ContinuousClock.Instant?

    package init() {}

    package mutating func began() {
        isSilent = true
        end = nil
    }

    /// Statements that were sent before the time returned, and have no answer yet, will get none.
    package mutating func answered(beatAt start: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        if isSilent {
            isSilent = false
            end = start
            return nil
        }
        return end.take()
    }
}

extension PostgresError {
    /// Whether neither the statement nor the request to cancel it was answered.
    var isSilence: Bool { code == .timedOut && sqlState == nil }
}
