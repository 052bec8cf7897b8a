import Absurd
import Foundation
import LibPQ
import Testing

/// What the next claim asks for, without I/O.
struct ClaimTimerTests {
    private let holder = ClaimHolder(queue: "q", worker: "w")
    private let start = ContinuousClock.now

    private func runs(_ dues: Int64...) -> [ClaimedRun] {
        dues.map { due in
            ClaimedRun(
                info: RunInfo(
                    taskID: TaskID(UUID()), runID: RunID(UUID()), taskName: "t", queue: "q", attempt: 1,
                    maxAttempts: nil, workerID: "w", headers: [:]), params: .null,
                token: .init(microseconds: 0),
                due: .init(microseconds: due), isResumed: false)
        }
    }

    @Test func `a busy worker sweeps once a second, and when it is told to`() {
        var timer = ClaimTimer()
        func sweeps(after offset: Duration, told: Bool = false) -> Bool {
            timer.request(holder: holder, timeout: 30, limit: 2, sweeps: told, now: start + offset).sweeps
        }
        let swept = [
            sweeps(after: .zero), sweeps(after: .milliseconds(500)),
            sweeps(after: .milliseconds(600), told: true),
            sweeps(after: .milliseconds(1500)), sweeps(after: .milliseconds(1600)),
        ]
        #expect(swept == [true, false, true, false, true])
    }

    @Test func `behind a backlog claims start where the last one began, and once a second from the start`() {
        var timer = ClaimTimer()
        func from(_ offset: Duration, _ claimed: [ClaimedRun]) -> (from: Int64?, isDrained: Bool) {
            let request = timer.request(
                holder: holder, timeout: 30, limit: 2, sweeps: false, now: start + offset)
            return (request.dueFrom?.microseconds, timer.isDrained(after: request, claimed))
        }
        let first = from(.zero, runs(7, 5))
        #expect(first == (nil, false))
        let second = from(.milliseconds(10), runs(8, 9))
        #expect(second == (5, false))
        let third = from(.milliseconds(1100), runs(6, 7))
        #expect(third == (nil, false))
    }

    @Test func `a queue counts as drained only after a look from the start`() {
        var timer = ClaimTimer()
        func isDrained(_ claimed: [ClaimedRun]) -> Bool {
            let request = timer.request(holder: holder, timeout: 30, limit: 2, sweeps: false, now: start)
            return timer.isDrained(after: request, claimed)
        }
        let drained = [isDrained(runs(1, 2)), isDrained(runs(3)), isDrained([])]
        #expect(drained == [false, false, true])
    }
}
