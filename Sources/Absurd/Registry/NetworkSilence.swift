/// What beats tell about the network: that it swallowed everything for a while, and when that was over.
///
/// A beat that takes long to connect, or gets no answer, not even to the request to cancel it, has met no slow statement
/// but a silent network. When it is back, connections from before may be dead without a sign. The first beat that is
/// answered only sets the time; the next one that is answered quickly, about a second later, ends the benefit of the
/// doubt.
package struct NetworkSilence {
    package typealias Instant = ContinuousClock.Instant

    private static let long = Duration.seconds(2)
    private static let quick = Duration.milliseconds(500)

    private var isSilent = false
    private var end: Instant?

    package init() {}

    /// - Parameter wasAnswered: whether the server refused the beat, rather than nobody answering it.
    package mutating func failed(beatAt start: Instant, wasAnswered: Bool, now: Instant = .now) {
        guard !wasAnswered, now - start >= Self.long else { return }
        isSilent = true
        end = nil
    }

    /// Statements that were sent before the time returned, and have no answer yet, will get none.
    package mutating func answered(beatAt start: Instant, now: Instant = .now) -> Instant? {
        if isSilent || now - start >= Self.long {
            isSilent = false
            end = now
            return nil
        }
        return now - start < Self.quick ? end.take() : nil
    }
}
