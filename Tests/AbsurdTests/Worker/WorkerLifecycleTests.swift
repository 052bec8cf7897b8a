import Absurd
import Testing

@Suite struct WorkerLifecycleTests {
    @Test func `a verdict on an earlier life does not touch the present one`() {
        let lifecycle = WorkerLifecycle()
        let first = lifecycle.life
        #expect(lifecycle.lose(first))
        #expect(lifecycle.stage == .stopping)
        #expect(!lifecycle.lose(first))
        #expect(lifecycle.startOver())
        #expect(!lifecycle.lose(first))
        #expect(lifecycle.stage == .running)
        #expect(lifecycle.lose(lifecycle.life))
        #expect(lifecycle.stage == .stopping)
    }

    @Test func `a worker that was asked to end does not start over`() {
        let lifecycle = WorkerLifecycle()
        lifecycle.lose(lifecycle.life)
        lifecycle.advance(to: .draining)
        #expect(!lifecycle.startOver())
        #expect(lifecycle.stage == .draining)
    }
}
