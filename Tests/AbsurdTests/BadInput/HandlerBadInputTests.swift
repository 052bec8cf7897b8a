import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

/// Every durable call of a handler with names, times and ids that nobody should pass, each in a task of its own.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct HandlerBadInputTests {
    private struct Row: Sendable {
        var label: String
        var answer: BadInput.Answer?
        /// Whether the run sleeps for long afterwards, instead of ending.
        var parks = false
        var call: @Sendable (TaskContext) async throws -> Void
    }

    private static let longest = Duration.days(3_652_500)

    private static let names: [Row] = BadInput.names.flatMap { name -> [Row] in
        let label = name.prefix(20).debugDescription
        return [
            Row(label: "step \(label)") { context in
                let value = try await context.step(name) { name }
                #expect(value == name)
            },
            Row(label: "beginStep \(label)") { context in
                let step = try await context.beginStep(name, as: Int.self)
                #expect(try await context.completeStep(step, 1) == 1)
            },
            Row(label: "sleep \(label)") { try await $0.sleep(name, for: .zero) },
            Row(label: "receiveEvent \(label)") { context in
                let received = try await context.receiveEvent(name + "?", timeout: .zero)
                #expect(received == .timedOut)
            },
            Row(label: "awaitEvent as \(label)") { context in
                let received = try await context.receiveEvent("never", name: name, timeout: .zero)
                #expect(received == .timedOut)
            },
            Row(label: "emit \(label)") { try await $0.emitEvent(name, name) },
            Row(label: "emit on \(label)", answer: BadInput.queueName(name, missing: true)) {
                try await $0.emitEvent("e", 1, on: name)
            },
            Row(label: "spawn \(label)") { try await $0.spawn(name + "?", params: .string(name)) },
            Row(label: "spawn as \(label)") { try await $0.spawn("other", params: nil, name: name) },
            Row(label: "spawn on \(label)", answer: BadInput.queueName(name, missing: true)) {
                try await $0.spawn("other", params: nil, on: name)
            },
        ]
    }

    private static let times: [Row] = BadInput.durations.flatMap { duration -> [Row] in
        let answer = BadInput.answer(duration, longest: longest)
        let isLong = duration >= .seconds(Int64(Int32.max)) && duration <= longest
        return [
            // What has passed is no sleep.
            Row(
                label: "sleep for \(duration)", answer: duration < .zero ? .works : answer, parks: isLong
            ) { try await $0.sleep(for: duration) },
            Row(label: "receiveEvent for \(duration)", answer: answer, parks: isLong) { context in
                let received = try await context.receiveEvent("never", timeout: duration)
                // A suspended run throws from here on.
                if received == .suspended { try await context.sleep(for: .zero) }
                #expect(received == .timedOut)
            },
            Row(label: "heartbeat for \(duration)", answer: BadInput.answer(duration)) {
                try await $0.heartbeat(for: duration)
            },
        ]
    }

    private static let dates: [Row] =
        ([
            (Date.distantPast, BadInput.Answer.works, false),
            (Date(timeIntervalSince1970: -1), .works, false),
            (Date(timeIntervalSince1970: 0), .works, false), (.distantFuture, .works, true),
            (Date(timeIntervalSince1970: .nan), .invalid, false),
            (Date(timeIntervalSince1970: .infinity), .invalid, false),
            (Date(timeIntervalSince1970: 1e300), .invalid, false),
            (Date(timeIntervalSince1970: -1e300), .invalid, false),
        ] as [(Date, BadInput.Answer, Bool)]).map { date, answer, parks in
            Row(label: "sleep until \(date.timeIntervalSince1970)", answer: answer, parks: parks) {
                try await $0.sleep(until: date)
            }
        }

    private static let others: [Row] =
        BadInput.documents.enumerated().map { number, document in
            Row(label: "step with document \(number)", answer: BadInput.answer(document)) { context in
                let kept = try await context.step("s") { document }
                #expect(kept == document)
            }
        } + [
            Row(label: "result of nobody", answer: .refused(.taskMissing)) { context in
                let handle = TaskHandle(
                    client: context.client, queue: "default", taskID: BadInputTests.unknown,
                    runID: RunID(BadInputTests.unknown.uuid), attempt: 1, wasCreated: false,
                    output: OutputCodec<JSONValue>.codable)
                _ = try await context.result(of: handle)
            },
            Row(label: "result in no queue", answer: .refused(.taskMissing)) { context in
                let handle = TaskHandle(
                    client: context.client, queue: "none", taskID: BadInputTests.unknown,
                    runID: RunID(BadInputTests.unknown.uuid), attempt: 1, wasCreated: false,
                    output: OutputCodec<JSONValue>.codable)
                _ = try await context.result(of: handle)
            },
            Row(label: "a step in a step", answer: .invalid) { context in
                try await context.step("outer") { () async throws -> Int in
                    try await context.step("inner") { 1 }
                }
            },
        ]

    @Test func `any durable call works or is refused with one clear error, and its task goes on`()
        async throws
    {
        let rows = Self.names + Self.times + Self.dates + Self.others
        try await BadInputScene.with { scene async throws in
            let handler = Handler("row") { context in
                let row = rows[try context.params(as: Int.self)]
                try await scene.attempt(inHandler: row.label, is: row.answer) { try await row.call(context) }
                return .complete("well")
            }
            let pool = try WorkerPool(
                scene.client, handlers: [handler], options: testOptions { $0.concurrency = 50 })
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                let tasks = try await scene.client.spawnMany(
                    try rows.indices.map { try SpawnRequest("row", params: .integer(Int64($0))) })
                for (row, task) in zip(rows, tasks) {
                    if row.parks {
                        try await eventually("\(row.label) parks") {
                            try await task.snapshot()?.state == .sleeping
                        }
                        #expect(try await task.cancel() == .cancelled, "\(row.label)")
                    } else {
                        let snapshot = try await scene.client.awaitTask(task.taskID, timeout: .seconds(120))
                        #expect(snapshot.state == .completed, "\(row.label): \(snapshot)")
                    }
                }
                group.cancelAll()
            }
        }
    }
}

extension BadInputScene {
    /// As ``attempt(_:is:sourceLocation:_:)``; lets the end of the execution through.
    fileprivate func attempt(
        inHandler what: String, is answer: BadInput.Answer?, _ call: () async throws -> Void
    ) async throws {
        var ended: ExecutionEnded?
        await attempt(what, is: answer) {
            do { try await call() } catch let error as ExecutionEnded { ended = error }
        }
        if let ended { throw ended }
    }
}
