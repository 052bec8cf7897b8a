import Absurd
import Foundation
import LibPQ
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct TaskDetailTests {
    @Test(arguments: Layout.allCases)
    func `a task is read with its attempts, steps and waits`(layout: Layout) async throws {
        try await layout.withClient { client in
            let queue = Layout.queue
            let options = SpawnOptions(
                retry: .immediate, cancellation: CancellationPolicy(endWithin: .hours(1)), headers: ["h": 1],
                idempotencyKey: "k")
            let task = try await client.spawn("t", params: ["p": [1, nil]], on: queue, options: options)
            let first = try await client.claimRuns(on: queue, workerID: "w1")[0]
            try await client.setCheckpoint("one", of: first, to: nil)
            try await client.fail(first, TaskFailure("no", name: "Refusal"))
            let second = try await client.claimRuns(on: queue, workerID: "w2")[0]
            try await client.setCheckpoint("two", of: second, to: ["n": 2])
            _ = try await client.awaitEvent("e", for: second, timeout: .hours(2))

            let detail = try #require(try await client.taskDetail(task.taskID))
            #expect(try detail.params.value() == ["p": [1, nil]])
            #expect(try detail.headers?.value() == ["h": 1])
            #expect(try detail.cancellation?.value() == ["max_duration": 3600])
            #expect(detail.idempotencyKey == "k" && detail.result == nil)
            #expect(detail.runs.map(\.attempt) == [1, 2])
            #expect(detail.runs.map(\.state) == [.failed, .sleeping])
            #expect(detail.runs.map(\.runID) == [first.info.runID, second.info.runID])
            #expect(try detail.runs[0].failure?.value()["message"] == "no")
            #expect(detail.runs[1].failure == nil && detail.runs[1].awaitedEvent == "e")
            #expect(detail.steps.map(\.name) == ["one", "two"])
            #expect(detail.steps.map(\.runID) == detail.runs.map(\.runID))
            #expect(detail.steps.map(\.value?.text) == ["null", #"{"n": 2}"#])
            let wait = try #require(detail.waits.first)
            #expect(wait.subject == .event("e") && wait.step == "$awaitEvent:e" && wait.deadline != nil)
            #expect(!detail.hasMoreRuns && !detail.hasMoreSteps)
        }
    }

    @Test func `a wait for another task is shown with that task`() async throws {
        try await TestDatabase.with(.migrated) {
            let child = TaskKind<Void, Int>("child", queue: "elsewhere")
            let parent = Handler("parent") { context in
                let handle = try await context.spawn(child)
                return .complete(.integer(Int64(try await context.result(of: handle))))
            }
            try await withEngine([parent]) { engine in
                try await engine.client.createQueue("elsewhere")
                let task = try await engine.client.spawn("parent", params: nil)
                try await engine.waitUntil(task.taskID, is: .sleeping)
                let detail = try #require(try await engine.client.taskDetail(task.taskID))
                guard case .task(let id, queue: "elsewhere")? = detail.waits.first?.subject else {
                    Issue.record("\(detail.waits)")
                    return
                }
                #expect(try await engine.client.locateTask(id.uuid)?.queue == "elsewhere")
            }
        }
    }

    @Test func `long documents come shortened and many steps in part, if limits say so`() async throws {
        try await Layout.ours.withClient { client in
            let task = try await client.spawn(
                "t", params: .string(String(repeating: "é", count: 1000)), on: Layout.queue)
            let run = try await client.claimRuns(on: Layout.queue, workerID: "w")[0]
            for number in 0..<5 {
                try await client.setCheckpoint("s\(number)", of: run, to: .integer(Int64(number)))
            }
            var limits = TaskDetailLimits()
            limits.documentLength = 10
            limits.steps = 3
            let short = try #require(
                try await client.taskDetail(task.taskID, on: Layout.queue, limits: limits))
            #expect(
                short.params.text == "\"ééééééééé" && short.params.byteCount == 2002 && !short.params.isWhole)
            #expect(short.steps.map(\.name) == ["s2", "s3", "s4"] && short.hasMoreSteps)
            limits.documentLength = nil
            let whole = try #require(try await client.taskDetail(task.taskID, limits: limits))
            #expect(whole.params.isWhole && whole.params.text.utf8.count == 2002)
            limits.steps = 0
            await #expect(throws: AbsurdError.self) {
                try await client.taskDetail(task.taskID, limits: limits)
            }
            #expect(try await client.taskDetail(TaskID(UUID())) == nil)
            let missing = await #expect(throws: AbsurdError.self) {
                try await client.taskDetail(task.taskID, on: "nobody")
            }
            #expect(missing?.code == .queueMissing)
        }
    }

    @Test(
        arguments: [
            ("orders", "orders"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#), ("-x", "-- -x"),
            ("- x", "-- '- x'"), ("$HOME", "'$HOME'"), ("é🎉", "é🎉"), ("*", "'*'"), ("a\"b", "'a\"b'"),
        ])
    func `a command that is shown can be typed`(text: String, word: String) {
        #expect(shellWord(text) == word)
    }
}
