import Absurd
import TestSupport
import Testing

/// Each scenario of `absurd bench`, with as little as it takes: what is printed, and that nothing is left behind.
@Suite(.timeLimit(.minutes(10)))
struct BenchTests {
    struct Scenario: Sendable, CustomTestStringConvertible {
        var name: String
        var count: Int
        var arguments: [String]
        var hasPercentiles = false
        var testDescription: String { name }

        var settings: Set<String> {
            name == "ceiling" ? ["batch", "connections"] : ["concurrency", "workers", "connections"]
        }

        /// - Parameter count: What is asked for, which nearly all scenarios do exactly.
        init(_ name: String, _ count: Int, hasPercentiles: Bool = false) {
            (self.name, self.count, self.hasPercentiles) = (name, count, hasPercentiles)
            arguments = ["--count", "\(count)"]
        }
    }

    static let scenarios: [Scenario] = {
        var backlog = Scenario("backlog", 1000, hasPercentiles: true)
        // Measures 1,000 claims, whatever they have before them.
        backlog.arguments = ["--count", "100"]
        var idle = Scenario("idle", 1)
        idle.arguments = ["--duration", "1s"]
        return [
            Scenario("spawn-one", 32), Scenario("spawn-batch", 1000), Scenario("drain", 50),
            Scenario("steps", 10), Scenario("sleepers", 10, hasPercentiles: true), Scenario("fan-out", 10),
            Scenario("events", 70), Scenario("held", 10), Scenario("ceiling", 20), backlog, idle,
        ]
            + ["pickup", "resume", "pickup-elsewhere", "resume-elsewhere", "pickup-cut"].map {
                Scenario($0, 3, hasPercentiles: true)
            }
    }()

    private static let keys: Set<String> = [
        "system", "version", "scenario", "count", "seconds", "rate", "unit", "settings", "cpu_seconds",
        "resident_mb",
    ]

    @Test(.database(.migrated), arguments: scenarios)
    func `a scenario prints one line of JSON, and its queue is gone afterwards`(_ scenario: Scenario)
        async throws
    {
        let run = try await Command.run(
            ["bench", scenario.name, "--json"] + scenario.arguments,
            environment: ["ABSURD_DATABASE_URL": TestDatabase.current.connectionString])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.lines.count == 1)
        let figure = try run.json
        #expect(figure.keys.isSuperset(of: Self.keys))
        #expect(figure.keys.isSubset(of: Self.keys.union(["percentiles_ms", "measured"])))
        #expect(figure["system"] == "swift-absurd")
        #expect(figure["scenario"]?.stringValue == scenario.name)
        #expect(figure["count"] == .integer(Int64(scenario.count)))
        #expect(try #require(figure["rate"]?.doubleValue) > 0)
        #expect(figure["settings"]?.keys == scenario.settings)
        #expect(figure["unit"]?.stringValue?.isEmpty == false)
        #expect((figure["percentiles_ms"] != nil) == scenario.hasPercentiles)
        if let percentiles = figure["percentiles_ms"] {
            #expect(percentiles.keys.isSuperset(of: ["p50", "p95", "p99"]))
        }
        #expect(try await succeeding("queue", "list", "--json").json == ["queues": []])
    }

    @Test func `no scenario is left out here`() async throws {
        // The refusal of one that does not exist lists all there are.
        let refusal = try await Command.run(["bench", "nope"]).errors
        let listed = refusal.matches(of: /^ *- (\S+)$/.anchorsMatchLineEndings()).map { String($0.output.1) }
        #expect(Set(listed) == Set(Self.scenarios.map(\.name)))
    }
}
