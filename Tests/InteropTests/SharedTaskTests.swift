import Absurd
import TestSupport
import Testing

/// One task, begun by one implementation and resumed by the other.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct SharedTaskTests {
    @Test(arguments: Side.allCases)
    func `a task that one side put to sleep is resumed by the other`(beginner: Side) async throws {
        try await Both.with { both in try await shareASleepingTask(both, beginner: beginner) }
    }

    @Test(arguments: Side.allCases)
    func `a task that waits for an event on one side is resumed by the other`(beginner: Side) async throws {
        try await Both.with { both in try await shareAWaitingTask(both, beginner: beginner) }
    }

    @Test(arguments: Side.allCases)
    func `repeated names are numbered alike when two sides take turns`(beginner: Side) async throws {
        try await Both.with { both in try await shareARepeatingTask(both, beginner: beginner) }
    }

    @Test(arguments: Side.allCases)
    func `an attempt that failed on one side is followed by one on the other`(beginner: Side) async throws {
        try await Both.with { both in
            let params: JSONValue = ["fails_in": .string(beginner.rawValue), "message": "no luck"]
            let task = try await both.spawn(
                "failing", params, options: SpawnOptions(retry: .fixed(.hours(1))))
            try await both.execute(task, by: beginner, until: "r.attempt = 2 and r.state = 'sleeping'")
            #expect(both.takeExecuted(by: beginner) == ["first"])

            try await both.makeDue(task)
            try await both.execute(task, by: beginner.other, until: "r.state = 'completed'")
            #expect(both.takeExecuted(by: beginner.other) == ["second"])
            let result = try await both.result(of: task)
            #expect(
                result == ["first": .string(beginner.rawValue), "second": .string(beginner.other.rawValue)])
        }
    }

    @Test(arguments: Side.allCases)
    func `the result of a child that one side recorded is read by the other`(reader: Side) async throws {
        try await Both.with { both in
            let child = try await endedChild(both) { run in
                try await both.client.complete(run, result: ["answer": 42] as JSONValue)
            }
            let (first, again) = try await snapshots(of: child, both, beginner: reader.other)
            #expect(first == ["state": "completed", "result": ["answer": 42], "failure": nil])
            #expect(again == first)
        }
    }

    @Test(arguments: Side.allCases)
    func `the failure of a child that one side recorded is read by the other`(reader: Side) async throws {
        try await Both.with { both in
            let child = try await endedChild(both) { run in
                try await both.client.fail(run, TaskFailure("no luck", name: "Mishap", retry: .never))
            }
            let (first, again) = try await snapshots(of: child, both, beginner: reader.other)
            #expect(first["state"] == "failed")
            #expect(first["failure"]?["name"] == "Mishap")
            #expect(first["failure"]?["message"] == "no luck")
            #expect(again == first)
        }
    }
}

/// A task of the queue `children` that has ended as `end` wants.
private func endedChild(_ both: Both, _ end: (ClaimedRun) async throws -> Void) async throws -> TaskID {
    try await both.client.createQueue("children")
    let child = try await both.client.spawn("child", params: nil, on: "children")
    let run = try #require(try await both.client.claimRuns(on: "children", workerID: "test").first)
    try await end(run)
    return child.taskID
}

/// What a parent gets that asks for its child on one side and, after a wait, again on the other: the record that the
/// first side made and one of the second side's own.
private func snapshots(
    of child: TaskID, _ both: Both, beginner: Side
) async throws -> (first: JSONValue, again: JSONValue) {
    let params: JSONValue = ["child": .string(child.description), "queue": "children", "event": "go on"]
    let parent = try await both.spawn("parent", params)
    try await both.execute(parent, by: beginner, until: "r.wake_event = 'go on'")
    let recorded = try await both.checkpoints(of: parent)
    try await both.emit("go on", nil, by: beginner)
    try await both.execute(parent, by: beginner.other, until: "r.state = 'completed'")

    let names = try await both.checkpoints(of: parent).keys.sorted()
    #expect(
        names == [
            "$awaitEvent:go on", "$awaitTaskResult:\(child)", "$awaitTaskResult:\(child)#2",
        ])
    #expect(
        try await both.checkpoints(of: parent)["$awaitTaskResult:\(child)"]
            == recorded["$awaitTaskResult:\(child)"])
    guard case .array(let snapshots)? = try await both.result(of: parent), snapshots.count == 2 else {
        Issue.record("the parent's result is not a pair of snapshots")
        return (.null, .null)
    }
    return (snapshots[0], snapshots[1])
}
