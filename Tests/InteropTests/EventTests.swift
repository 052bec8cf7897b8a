import Absurd
import TestSupport
import Testing

/// Events of one implementation that the other waits for.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct EventTests {
    @Test(arguments: Side.allCases)
    func `an event of one side wakes a task of the other with its payload`(emitter: Side) async throws {
        try await Both.with { both in
            for payload in [Workflows.sample, "text", 0, false, [], nil] as [JSONValue] {
                let event = "event \(payload)"
                let task = try await both.spawn("waiting", ["event": .string(event)])
                try await both.execute(task, by: emitter.other, until: "r.state = 'sleeping'")
                try await both.emit(event, payload, by: emitter)
                try await both.execute(task, by: emitter.other, until: "r.state = 'completed'")
                #expect(try await both.result(of: task)?["payload"] == payload)
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `an event without payload is an event and no timeout`(emitter: Side) async throws {
        try await Both.with { both in
            let task = try await both.spawn("patient", ["event": "go", "timeout": 600])
            try await both.execute(task, by: emitter.other, until: "r.state = 'sleeping'")
            switch emitter {
            case .swift: try await both.client.emitEvent("go", on: both.queue)
            case .python: try await both.peer.call("emit_event", ["go"])
            }
            #expect(try await both.value("r.event_payload", of: task, as: String?.self) == "null")
            try await both.execute(task, by: emitter.other, until: "r.state = 'completed'")
            #expect(try await both.result(of: task) == ["payload": nil])
        }
    }

    @Test(arguments: Side.allCases)
    func `an event that was emitted before is found`(emitter: Side) async throws {
        try await Both.with { both in
            try await both.emit("go", ["n": 1], by: emitter)
            let task = try await both.spawn("waiting", ["event": "go"])
            try await both.execute(task, by: emitter.other, until: "r.state = 'completed'")
            #expect(try await both.result(of: task)?["payload"] == ["n": 1])
        }
    }

    @Test(arguments: Side.allCases)
    func `the first emission counts whoever repeats it`(first: Side) async throws {
        try await Both.with { both in
            try await both.emit("go", ["by": .string(first.rawValue)], by: first)
            try await both.emit("go", ["by": .string(first.other.rawValue)], by: first.other)
            for side in Side.allCases {
                let task = try await both.spawn("waiting", ["event": "go"])
                try await both.execute(task, by: side, until: "r.state = 'completed'")
                #expect(try await both.result(of: task)?["payload"] == ["by": .string(first.rawValue)])
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `a handler's event wakes a task of the other side`(emitter: Side) async throws {
        try await Both.with { both in
            let waiting = try await both.spawn("waiting", ["event": "go"])
            try await both.execute(waiting, by: emitter.other, until: "r.state = 'sleeping'")
            let emitting = try await both.spawn("emitting", ["event": "go", "payload": ["n": 1]])
            try await both.execute(emitting, by: emitter, until: "r.state = 'completed'")
            try await both.execute(waiting, by: emitter.other, until: "r.state = 'completed'")
            #expect(try await both.result(of: waiting)?["payload"] == ["n": 1])
        }
    }

    @Test(arguments: Side.allCases)
    func `a wait that one side began times out on the other`(beginner: Side) async throws {
        try await Both.with { both in
            let task = try await both.spawn("patient", ["event": "go", "timeout": 1])
            try await both.execute(task, by: beginner, until: "r.wake_event = 'go'")
            try await both.waitUntilDue(task)
            try await both.execute(task, by: beginner.other, until: "r.state = 'completed'")
            #expect(try await both.result(of: task) == ["timed_out": true])
        }
    }

    @Test func `a late event of Python is delivered to a Swift worker`() async throws {
        try await Both.with { both in
            let task = try await both.spawn("patient", ["event": "go", "timeout": 1])
            try await both.execute(task, by: .python, until: "r.wake_event = 'go'")
            try await both.waitUntilDue(task)
            try await both.emit("go", ["late": true], by: .python)
            try await both.execute(task, by: .swift, until: "r.state = 'completed'")
            #expect(try await both.result(of: task) == ["payload": ["late": true]])
        }
    }
}
