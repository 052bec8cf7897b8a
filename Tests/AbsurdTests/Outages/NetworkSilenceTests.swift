import Absurd
import Testing

/// The rules by which beats tell a silent network, with a clock to move.
@Suite struct NetworkSilenceTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `after attempts without an answer the second beat that is answered ends the silence`() {
        var silence = NetworkSilence()
        silence.failed(beatAt: at(0), wasAnswered: false, now: at(0.8))
        silence.failed(beatAt: at(0.8), wasAnswered: false, now: at(5.8))
        silence.connected(from: at(6), now: at(6.1))
        #expect(silence.answered(beatAt: at(6), now: at(6.2)) == nil)
        #expect(silence.answered(beatAt: at(7), now: at(7.1)) == at(6.2))
        #expect(silence.answered(beatAt: at(8), now: at(8.1)) == nil)
    }

    @Test func `a connection that took long met a silence too, and a slow beat prolongs the doubt`() {
        var silence = NetworkSilence()
        silence.failed(beatAt: at(0), wasAnswered: false, now: at(0.8))
        silence.connected(from: at(0.8), now: at(1.9))
        #expect(silence.answered(beatAt: at(0.8), now: at(2)) == nil)
        #expect(silence.answered(beatAt: at(3), now: at(3.7)) == nil)
        #expect(silence.answered(beatAt: at(4), now: at(4.1)) == at(2))
    }

    @Test func `a server that connects quickly and answers slowly is not silent`() {
        var silence = NetworkSilence()
        for second in 0..<5 {
            let second = Double(second)
            silence.connected(from: at(second), now: at(second + 0.1))
            silence.failed(beatAt: at(second), wasAnswered: false, now: at(second + 0.9))
        }
        silence.connected(from: at(5), now: at(5.1))
        #expect(silence.answered(beatAt: at(5), now: at(5.2)) == nil)
        #expect(silence.answered(beatAt: at(6), now: at(6.1)) == nil)
    }

    @Test func `a refusal, a refused connection and a quick answer are no silence`() {
        var silence = NetworkSilence()
        silence.failed(beatAt: at(0), wasAnswered: true, now: at(4))
        silence.failed(beatAt: at(5), wasAnswered: false, now: at(5.1))
        silence.connected(from: at(6), now: at(6.05))
        #expect(silence.answered(beatAt: at(6), now: at(6.1)) == nil)
        #expect(silence.answered(beatAt: at(7), now: at(7.1)) == nil)
    }
}
