import Absurd
import Foundation

/// The workflows of the tests, in Swift; `Python/workflows.py` has the same ones in Python.
enum Workflows {
    /// A value of every kind that JSON has, as both languages write it down in their steps.
    static let sample: JSONValue = [
        "text": "Käse 🧀 \\ \" / \u{1}",
        "whole": 9_007_199_254_740_993,
        "real": 0.1,
        "truth": true,
        "nothing": nil,
        "list": [1, "two", [], .object([:])],
    ]

    static func handlers(_ executions: Executions) -> [Handler] {
        let steps = Steps(executions: executions)
        return [
            steps.sleeping, steps.waiting, steps.repeating, parent, steps.failing, patient, emitting, nothing,
            echo,
            steps.stepping,
        ]
    }

    static var parent: Handler {
        Handler("parent") { context in
            let params = try context.params(as: JSONValue.self)
            let handle = TaskHandle<JSONValue>(
                client: context.client, queue: try text(params, "queue"),
                taskID: try TaskID(text(params, "child")) ?? context.taskID, runID: context.runID, attempt: 1,
                wasCreated: false, output: .codable)
            let child = try await context.snapshot(of: handle)
            try await context.awaitEvent(text(params, "event"))
            let again = try await context.snapshot(of: handle)
            return .complete(.array([snapshot(child), snapshot(again)]))
        }
    }

    static var patient: Handler {
        Handler("patient") { context in
            let params = try context.params(as: JSONValue.self)
            let timeout = Duration.seconds(params["timeout"]?.doubleValue ?? 0)
            switch try await context.receiveEvent(text(params, "event"), timeout: timeout) {
            case .received(let payload): return .complete(["payload": payload])
            case .timedOut: return .complete(["timed_out": true])
            case .suspended: return .suspend
            }
        }
    }

    static var emitting: Handler {
        Handler("emitting") { context in
            let params = try context.params(as: JSONValue.self)
            try await context.emitEvent(text(params, "event"), params["payload"] ?? .null)
            return .complete
        }
    }

    static var nothing: Handler {
        Handler("nothing") { _ in .complete }
    }

    static var echo: Handler {
        Handler("echo") { context in
            .complete(["params": try context.params(), "headers": .object(context.headers)])
        }
    }

    static func text(_ params: JSONValue, _ key: String) throws -> String {
        guard let text = params[key]?.stringValue else {
            throw TaskFailure("the parameter \(key) is missing")
        }
        return text
    }

    private static func snapshot(_ snapshot: TaskSnapshot) -> JSONValue {
        [
            "state": .string(snapshot.state.rawValue), "result": snapshot.result ?? .null,
            "failure": snapshot.failure?.reason ?? .null,
        ]
    }
}

/// The workflows with steps that say when their bodies run.
struct Steps: Sendable {
    let executions: Executions

    func step(_ context: TaskContext, _ name: String, _ value: JSONValue) async throws -> JSONValue {
        try await context.step(name) {
            executions.note(name)
            return value
        }
    }

    var sleeping: Handler {
        Handler("sleeping") { context in
            let params = try context.params(as: JSONValue.self)
            let first = try await step(context, "first", ["by": "swift", "sample": Workflows.sample])
            try await context.sleep("nap", for: .seconds(params["seconds"]?.doubleValue ?? 0))
            let second = try await step(context, "second", ["by": "swift"])
            return .complete(["first": first, "second": second])
        }
    }

    var waiting: Handler {
        Handler("waiting") { context in
            let params = try context.params(as: JSONValue.self)
            let first = try await step(context, "first", ["by": "swift", "sample": Workflows.sample])
            let payload = try await context.awaitEvent(Workflows.text(params, "event"), as: JSONValue.self)
            let second = try await step(context, "second", ["by": "swift"])
            return .complete(["first": first, "payload": payload, "second": second])
        }
    }

    var repeating: Handler {
        Handler("repeating") { context in
            let params = try context.params(as: JSONValue.self)
            let pause = Duration.seconds(params["seconds"]?.doubleValue ?? 0)
            var ticks: [JSONValue] = []
            for number in 1...2 { ticks.append(try await step(context, "tick", "swift \(number)")) }
            try await context.sleep("nap", for: pause)
            try await context.sleep("nap", for: pause)
            ticks.append(try await step(context, "tick", "swift 3"))
            var payloads: [JSONValue] = []
            for _ in 1...2 {
                payloads.append(
                    try await context.awaitEvent(Workflows.text(params, "event"), as: JSONValue.self))
            }
            ticks.append(try await step(context, "tick", "swift 4"))
            return .complete(["ticks": .array(ticks), "payloads": .array(payloads)])
        }
    }

    var failing: Handler {
        Handler("failing") { context in
            let params = try context.params(as: JSONValue.self)
            let first = try await step(context, "first", "swift")
            if params["fails_in"] == "swift" {
                throw TaskFailure(try Workflows.text(params, "message"), name: "Mishap")
            }
            return .complete(["first": first, "second": try await step(context, "second", "swift")])
        }
    }

    var stepping: Handler {
        Handler("stepping") { context in
            var number = 0
            while true {
                number += 1
                _ = try await step(context, "step \(number)", .integer(Int64(number)))
            }
        }
    }
}
