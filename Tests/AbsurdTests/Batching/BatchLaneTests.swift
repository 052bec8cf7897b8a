import Absurd
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct BatchLaneTests {
    private struct Refused: Error, Equatable {}

    /// Answers each row with itself; the first statement is held until the test opens it.
    private final class Recorder: Sendable {
        let hold = HoldPoint()
        private let batches = Mutex<[[Int]]>([])

        var sent: [[Int]] { batches.withLock(\.self) }

        func send(_ rows: [Int]) async -> [Result<Int, any Error>] {
            let isFirst = batches.withLock { batches in
                batches.append(rows)
                return batches.count == 1
            }
            if isFirst { await hold.arriveAndWait() }
            return rows.map { $0 < 0 ? .failure(Refused()) : .success($0) }
        }
    }

    /// Submits rows one after the other behind a first one whose statement is under way.
    private func submit(
        _ rows: [Int], to lane: BatchLane<Int, Int>, behind recorder: Recorder,
        _ whileHeld: () async throws -> Void = {}
    ) async throws -> [Int?] {
        try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
            group.addTask { (-1, try await lane.submit(0, bytes: 1)) }
            await recorder.hold.untilArrived()
            for (index, row) in rows.enumerated() {
                group.addTask { (index, try? await lane.submit(row, bytes: 1)) }
                try await eventually("row \(row) waits") { lane.pendingCount == index + 1 }
            }
            try await whileHeld()
            recorder.hold.open()
            var answers = [Int?](repeating: nil, count: rows.count)
            for try await (index, answer) in group where index >= 0 { answers[index] = answer }
            return answers
        }
    }

    @Test func `each caller gets the answer to its own row, and a refusal is nobody else's`() async throws {
        let recorder = Recorder()
        let lane = BatchLane<Int, Int> { rows, _ in await recorder.send(rows) }
        let answers = try await submit([1, -2, 3], to: lane, behind: recorder)
        #expect(answers == [1, nil, 3])
        #expect(recorder.sent == [[0], [1, -2, 3]])
    }

    @Test func `who does not wait is told as well, and when all of a statement have been told`() async throws
    {
        let recorder = Recorder()
        let told = Mutex<[String]>([])
        let lane = BatchLane<Int, Int>(afterAnswers: { told.withLock { $0.append("all") } }) { rows, _ in
            await recorder.send(rows)
        }
        let waiting = try await submit([1, 2], to: lane, behind: recorder) {
            for row in [3, -4, 5] {
                lane.post(row, bytes: 1) { answer in
                    told.withLock { $0.append((try? answer.get()).map { "\($0)" } ?? "refused") }
                }
            }
        }
        await lane.settled()
        #expect(waiting == [1, 2])
        #expect(recorder.sent == [[0], [1, 2, 3, -4, 5]])
        #expect(told.withLock(\.self) == ["all", "3", "refused", "5", "all"])
        // Nothing is under way: it leaves at once.
        lane.post(6, bytes: 1) { _ in told.withLock { $0.append("6") } }
        await lane.settled()
        #expect(told.withLock(\.self).suffix(2) == ["6", "all"])
    }

    @Test(arguments: [false, true])
    func `callers that come again and again get each answer once, in their order`(
        _ regathers: Bool
    ) async throws {
        let sent = Mutex<[Int]>([])
        let lane = BatchLane<Int, Int>(limits: BatchLimits(rows: 5), regathers: regathers) { rows, _ in
            sent.withLock { $0 += rows }
            await Task.yield()
            return rows.map { .success($0) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<8 {
                group.addTask {
                    for row in (caller * 100)..<(caller * 100 + 100) {
                        let isPatient = row.isMultiple(of: 2)
                        let answer =
                            isPatient
                            ? try await lane.submit(row, bytes: 1)
                            : try await lane.submitUnlessCancelled(row, bytes: 1)
                        #expect(answer == row)
                    }
                }
            }
            try await group.waitForAll()
        }
        await lane.settled()
        #expect(lane.pendingCount == 0 && lane.busySince == nil)
        let rows = sent.withLock(\.self)
        #expect(rows.sorted() == Array(0..<800))
        for caller in 0..<8 {
            #expect(rows.filter { $0 / 100 == caller } == rows.filter { $0 / 100 == caller }.sorted())
        }
    }

    @Test func `callers that were answered come along again when they are more than those that wait`()
        async throws
    {
        let statements = Mutex(0)
        let lane = BatchLane<Int, Int>(regathers: true) { rows, _ in
            statements.withLock { $0 += 1 }
            await Task.yield()
            return rows.map { .success($0) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 {
                group.addTask { for row in 0..<50 { _ = try await lane.submit(row, bytes: 1) } }
            }
            try await group.waitForAll()
        }
        // 50 were all to come each time; two groups that take turns need 100.
        #expect(statements.withLock(\.self) <= 75)
    }

    @Test func `a caller that is cancelled while it waits is answered at once and its row is not sent`()
        async throws
    {
        let recorder = Recorder()
        let lane = BatchLane<Int, Int> { rows, _ in await recorder.send(rows) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await lane.submit(0, bytes: 1) }
            await recorder.hold.untilArrived()
            await withTaskGroup(of: (any Error)?.self) { callers in
                callers.addTask {
                    do {
                        _ = try await lane.submitUnlessCancelled(1, bytes: 1)
                        return nil
                    } catch {
                        return error
                    }
                }
                try? await eventually("the row waits") { lane.pendingCount == 1 }
                callers.cancelAll()
                for await error in callers { #expect(error is CancellationError) }
            }
            group.addTask { _ = try await lane.submit(2, bytes: 1) }
            try await eventually("the next row waits") { lane.pendingCount == 1 }
            recorder.hold.open()
            try await group.waitForAll()
        }
        #expect(recorder.sent == [[0], [2]])
    }

    @Test func `a lane goes on when the caller that was to send next is cancelled`() async throws {
        let lane = BatchLane<Int, Int> { rows, _ in rows.map { .success($0) } }
        await withTaskGroup(of: Void.self) { group in
            for round in 0..<500 {
                group.addTask {
                    await withTaskGroup(of: Void.self) { callers in
                        callers.addTask { _ = try? await lane.submitUnlessCancelled(round, bytes: 1) }
                        if round.isMultiple(of: 3) { callers.cancelAll() }
                    }
                }
                group.addTask { _ = try? await lane.submit(round, bytes: 1) }
            }
        }
        #expect(try await lane.submit(7, bytes: 1) == 7)
        #expect(lane.pendingCount == 0)
    }

    @Test func `callers that give up behind a statement that hangs leave nothing there`() async throws {
        let recorder = Recorder()
        let lane = BatchLane<Int, Int> { rows, _ in await recorder.send(rows) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { recorder.hold.open() }
            group.addTask { _ = try await lane.submit(0, bytes: 1) }
            await recorder.hold.untilArrived()
            group.addTask { _ = try await lane.submit(1, bytes: 1) }
            try await eventually("one waits to the end") { lane.pendingCount == 1 }
            for round in 1...5 {
                await withTaskGroup(of: Void.self) { callers in
                    for row in 2..<102 {
                        callers.addTask { _ = try? await lane.submitUnlessCancelled(row, bytes: 1) }
                    }
                    try? await eventually("all wait, round \(round)") { lane.pendingCount == 101 }
                    callers.cancelAll()
                }
                #expect(lane.pendingCount == 1)
            }
        }
        #expect(recorder.sent == [[0], [1]])
    }

    @Test func `what waits is bounded by the callers, since each goes on with its answer only`() async throws
    {
        let recorder = Recorder()
        let lane = BatchLane<Int, Int> { rows, _ in await recorder.send(rows) }
        let (callers, rounds) = (50, 20)
        let most = Mutex(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<callers {
                group.addTask { @Sendable in
                    for round in 0..<rounds {
                        _ = try await lane.submit(caller * rounds + round, bytes: 1)
                        most.withLock { $0 = max($0, lane.pendingCount) }
                    }
                }
            }
            // The first statement takes whoever is there when it leaves.
            try await eventually("all others wait for the first") {
                lane.pendingCount + (recorder.sent.first?.count ?? 0) == callers
            }
            recorder.hold.open()
            try await group.waitForAll()
        }
        #expect(most.withLock(\.self) < callers)
        #expect(recorder.sent.joined().sorted() == Array(0..<callers * rounds))
    }

    @Test func `a statement is its caller's to cancel only where it carries the caller's row alone`()
        async throws
    {
        let alone = Mutex<[Bool]>([])
        let recorder = Recorder()
        let lane = BatchLane<Int, Int> { rows, isAlone in
            alone.withLock { $0.append(isAlone) }
            return await recorder.send(rows)
        }
        _ = try await submit([1, 2], to: lane, behind: recorder)
        // A caller that cannot be cancelled has nothing to cancel either.
        #expect(alone.withLock(\.self) == [false, false])
        #expect(try await lane.submitUnlessCancelled(3, bytes: 1) == 3)
        #expect(alone.withLock(\.self) == [false, false, true])
    }
}
