import Foundation

/// What the project demands of itself, judged by the figures of one run.
struct BenchBars {
    struct Bar {
        var text: String
        var demanded: Double
        var measured: Double
        /// Whether less is better.
        var isLimit = false

        var isMet: Bool { isLimit ? measured <= demanded : measured >= demanded }
    }

    private let results: [BenchResult]

    init(_ results: [BenchResult]) { self.results = results }

    var bars: [Bar] {
        let drain = rate("drain")
        let bars =
            [
                Bar(
                    text: "drain against the SQL ceiling", demanded: 0.55,
                    measured: drain / max(rate("ceiling"), 20_000)),
                Bar(
                    text: "drain against the measured ceiling", demanded: 0.55,
                    measured: drain / rate("ceiling")),
                Bar(
                    text: "drain against pgqueuer", demanded: 1.5,
                    measured: drain / rate("drain", of: "pgqueuer")
                ),
                Bar(
                    text: "drain against absurd-sdk", demanded: 35,
                    measured: drain / rate("drain", of: "absurd-sdk")),
                Bar(
                    text: "workflows against absurd-sdk", demanded: 25,
                    measured: rate("steps") / rate("steps", of: "absurd-sdk")),
                Bar(
                    text: "workflows against DBOS", demanded: 50,
                    measured: rate("steps") / rate("steps", of: "dbos")),
                Bar(text: "recorded steps a second", demanded: 12_000, measured: rate("steps") * 5),
                Bar(text: "spawned in batches a second", demanded: 30_000, measured: rate("spawn-batch")),
                Bar(
                    text: "spawned in batches against pgqueuer", demanded: 1,
                    measured: rate("spawn-batch") / rate("spawn-batch", of: "pgqueuer")),
                Bar(text: "spawned one by one a second", demanded: 6000, measured: rate("spawn-one")),
                Bar(
                    text: "claim behind the backlog, p50", demanded: 1.2,
                    measured: measured("backlog", "ratio p50"), isLimit: true),
            ] + latencies + [
                Bar(
                    text: "statements of an idle process a minute", demanded: 30,
                    measured: measured("idle", "statements/minute"), isLimit: true),
                Bar(
                    text: "CPU of an idle process in percent", demanded: 0.5,
                    measured: measured("idle", "CPU percent"), isLimit: true),
                // Until it listens again, idle workers ask each poll interval, which is 250 ms; and one asks takes time.
                Bar(
                    text: "pickup with the listening connection cut, from the call, p99 in ms", demanded: 300,
                    measured: percentile("pickup-cut", "p99_from_call"), isLimit: true),
                Bar(
                    text: "memory with 1,000 handlers in MB", demanded: 80, measured: memory("held"),
                    isLimit: true),
            ]
        return bars
    }

    /// Whether all that was measured is as demanded.
    var areMet: Bool { bars.allSatisfy { $0.isMet || !$0.measured.isFinite } }
    /// Whether some figure is missing.
    var areComplete: Bool { bars.allSatisfy(\.measured.isFinite) }

    /// - Parameter isWhole: Whether to list also what was not measured.
    func text(isWhole: Bool) -> String {
        var lines = ["| bar | demanded | measured | |", "|---|---|---|---|"]
        for bar in bars where isWhole || bar.measured.isFinite {
            let sign = bar.isLimit ? "at most" : "at least"
            lines.append(
                "| \(bar.text) | \(sign) \(BenchResult.text(bar.demanded)) | \(BenchResult.text(bar.measured)) | "
                    + "\(!bar.measured.isFinite ? "not measured" : bar.isMet ? "met" : "MISSED") |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// From the return of the call, when there is something to pick up; and from the call, the commit included, where the
    /// program that makes it has the idle worker.
    private var latencies: [Bar] {
        func bars(_ scenario: String, from start: String, _ suffix: String) -> [Bar] {
            [("p50", 3.0), ("p99", 15.0)].map { name, demanded in
                Bar(
                    text: "\(scenario) from the \(start), \(name) in ms", demanded: demanded,
                    measured: percentile(scenario, name + suffix), isLimit: true)
            }
        }
        return ["pickup", "resume"].flatMap {
            bars($0, from: "return", "") + bars($0, from: "call", "_from_call")
        }
            + ["pickup-elsewhere", "resume-elsewhere"].flatMap { bars($0, from: "return", "") }
    }

    private func result(_ scenario: String, of system: String = BenchJob.ours) -> BenchResult? {
        results.first { $0.scenario == scenario && $0.system == system }
    }
    private func rate(_ scenario: String, of system: String = BenchJob.ours) -> Double {
        result(scenario, of: system)?.rate ?? .nan
    }
    private func percentile(_ scenario: String, _ name: String) -> Double {
        result(scenario)?.percentilesMs?[name] ?? .nan
    }
    private func measured(_ scenario: String, _ name: String) -> Double {
        result(scenario)?.measured?[name] ?? .nan
    }
    private func memory(_ scenario: String) -> Double { result(scenario)?.residentMb ?? .nan }
}
