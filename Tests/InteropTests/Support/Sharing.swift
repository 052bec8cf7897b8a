import Absurd
import TestSupport
import Testing

// What a shared task goes through, on our schema and on the official one alike.

func shareASleepingTask(_ both: Both, beginner: Side) async throws {
    let task = try await both.spawn("sleeping", ["seconds": 3600], by: beginner)
    try await both.execute(task, by: beginner, until: "r.state = 'sleeping'")
    #expect(both.takeExecuted(by: beginner) == ["first"])
    try await both.endNap("nap", of: task)
    let before = try await both.checkpoints(of: task)
    #expect(before["first"] == ["by": .string(beginner.rawValue), "sample": Workflows.sample])
    #expect(before["nap"]?.stringValue?.contains("T") == true)

    try await both.execute(task, by: beginner.other, until: "r.state = 'completed'")
    #expect(both.takeExecuted(by: beginner.other) == ["second"])
    let after = try await both.checkpoints(of: task)
    #expect(after["first"] == before["first"])
    #expect(after["nap"] == before["nap"])
    #expect(after.keys.sorted() == ["first", "nap", "second"])
    #expect(
        try await both.result(of: task) == [
            "first": ["by": .string(beginner.rawValue), "sample": Workflows.sample],
            "second": ["by": .string(beginner.other.rawValue)],
        ])
    #expect(try await both.value("r.attempt", of: task, as: Int32.self) == 1)
}

func shareAWaitingTask(_ both: Both, beginner: Side) async throws {
    let task = try await both.spawn("waiting", ["event": "go"], by: beginner)
    try await both.execute(task, by: beginner, until: "r.state = 'sleeping' and r.wake_event = 'go'")
    #expect(try await both.value("r.available_at = 'infinity'", of: task, as: Bool.self))
    #expect(both.takeExecuted(by: beginner) == ["first"])

    try await both.emit("go", Workflows.sample, by: beginner)
    #expect(try await both.value("r.state", of: task, as: String.self) == "pending")
    #expect(try await both.checkpoints(of: task)["$awaitEvent:go"] == Workflows.sample)
    try await both.execute(task, by: beginner.other, until: "r.state = 'completed'")
    #expect(both.takeExecuted(by: beginner.other) == ["second"])
    #expect(
        try await both.result(of: task) == [
            "first": ["by": .string(beginner.rawValue), "sample": Workflows.sample],
            "payload": Workflows.sample,
            "second": ["by": .string(beginner.other.rawValue)],
        ])
    #expect(try await both.value("r.attempt", of: task, as: Int32.self) == 1)
}

func shareARepeatingTask(_ both: Both, beginner: Side) async throws {
    let other = beginner.other
    let task = try await both.spawn("repeating", ["seconds": 3600, "event": "go"], by: beginner)
    try await both.execute(task, by: beginner, until: "r.state = 'sleeping'")
    try await both.endNap("nap", of: task)
    // Replays two steps of one name and one sleep, and begins the second sleep of that name.
    try await both.execute(
        task, by: other,
        until: """
            r.state = 'sleeping' and exists (
              select from absurd."c_\(both.queue)" as c where c.task_id = t.task_id and c.checkpoint_name = 'nap#2')
            """)
    try await both.endNap("nap#2", of: task)
    try await both.execute(task, by: beginner, until: "r.wake_event = 'go'")
    try await both.emit("go", ["n": 1], by: other)
    try await both.execute(task, by: other, until: "r.state = 'completed'")

    #expect(both.takeExecuted(by: beginner) == ["tick", "tick", "tick"])
    #expect(both.takeExecuted(by: other) == ["tick"])
    let checkpoints = try await both.checkpoints(of: task)
    #expect(
        checkpoints.keys.sorted() == [
            "$awaitEvent:go", "$awaitEvent:go#2", "nap", "nap#2", "tick", "tick#2", "tick#3", "tick#4",
        ])
    let ticks: [JSONValue] = [
        "\(beginner) 1", "\(beginner) 2", "\(beginner) 3", "\(other) 4",
    ]
    #expect(
        [checkpoints["tick"], checkpoints["tick#2"], checkpoints["tick#3"], checkpoints["tick#4"]] == ticks)
    #expect(
        try await both.result(of: task) == ["ticks": .array(ticks), "payloads": [["n": 1], ["n": 1]]])
}
