import Absurd
import Testing

/// The rules by which beats tell a silent network, with a clock to move.
@Suite struct NetworkSilenceTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `after beats without an answer the second one that is answered ends the silence`() {
        var silence = NetworkSilence()
        silence.failed(beatAt: at(0), wasAnswered: false, now: at(4))
        #expect(silence.answered(beatAt: at(5), now: at(5.1)) == nil)
        #expect(silence.answered(beatAt: at(6), now: at(6.1)) == at(5.1))
        #expect(silence.answered(beatAt: at(7), now: at(7.1)) == nil)
    }

    @Test func `a beat that took long to connect met a silence too, and a slow one prolongs the doubt`() {
        var silence = NetworkSilence()
        #expect(silence.answered(beatAt: at(0), now: at(3)) == nil)
        #expect(silence.answered(beatAt: at(4), now: at(4.9)) == nil)
        #expect(silence.answered(beatAt: at(5), now: at(5.1)) == at(3))
    }

    @Test func `a refusal, a refused connection and a quick answer are no silence`() {
        var silence = NetworkSilence()
        silence.failed(beatAt: at(0), wasAnswered: true, now: at(4))
        silence.failed(beatAt: at(5), wasAnswered: false, now: at(5.1))
        #expect(silence.answered(beatAt: at(6), now: at(6.1)) == nil)
        #expect(silence.answered(beatAt: at(7), now: at(7.1)) == nil)
    }
}
