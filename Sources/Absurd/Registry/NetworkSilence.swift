/// What beats tell about the network: that it swallowed everything for a while, and when that was over.
///
/// A beat without an answer may have met a slow statement, or the death of its connection alone. When no new connection can
/// be made either, or only after a while, the network was silent. When it is back, connections from before may be dead
/// without a sign. The first beat that is answered only sets the time; the next one that is answered quickly, about a
/// second later, ends the benefit of the doubt.
package struct NetworkSilence {
    package typealias Instant = ContinuousClock.Instant

    /// From the first beat without an answer to the next sign of the server.
    private static let long = Duration.milliseconds(1500)
    private static let quick = Duration.milliseconds(500)

    /// When the first of the beats was sent to which nothing has come back, nor since.
    private var doubt: Instant?
    private var isSilent = false
    private var end: Instant?

    package init() {}

    /// - Parameter wasAnswered: whether the server refused the beat, rather than nobody answering it.
    package mutating func failed(beatAt start: Instant, wasAnswered: Bool, now: Instant = .now) {
        // Who fails quickly was told by somebody.
        guard !wasAnswered, now - start >= Self.quick else {
            doubt = nil
            return
        }
        heard(since: start, now)
        doubt = doubt ?? start
    }

    /// - Parameter start: when connecting began.
    package mutating func connected(from start: Instant, now: Instant = .now) {
        heard(since: start, now)
        doubt = nil
    }

    private mutating func heard(since start: Instant, _ now: Instant) {
        guard now - (doubt ?? start) >= Self.long else { return }
        isSilent = true
        end = nil
    }

    /// Statements that were sent before the time returned, and have no answer yet, will get none.
    package mutating func answered(beatAt start: Instant, now: Instant = .now) -> Instant? {
        doubt = nil
        if isSilent {
            isSilent = false
            end = now
            return nil
        }
        return now - start < Self.quick ? end.take() : nil
    }
}
