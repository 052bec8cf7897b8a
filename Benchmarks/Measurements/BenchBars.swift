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
                    text: "memory with 1,000 handlers in MB", demanded: 80, measured: memory("held"),
                    isLimit: true),
            ]
        return bars.filter { $0.measured.isFinite }
    }

    var text: String {
        var lines = ["| bar | demanded | measured | |", "|---|---|---|---|"]
        for bar in bars {
            let sign = bar.isLimit ? "at most" : "at least"
            lines.append(
                "| \(bar.text) | \(sign) \(BenchResult.text(bar.demanded)) | \(BenchResult.text(bar.measured)) | "
                    + "\(bar.isMet ? "met" : "MISSED") |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// From the return of the call, when there is something to pick up; and from the call, the commit included.
    private var latencies: [Bar] {
        ["pickup", "resume"].flatMap { scenario in
            [("p50", 3.0), ("p99", 15.0)].flatMap { name, demanded in
                [("return", ""), ("call", "_from_call")].map { start, suffix in
                    Bar(
                        text: "\(scenario) from the \(start), \(name) in ms", demanded: demanded,
                        measured: percentile(scenario, name + suffix), isLimit: true)
                }
            }
        }
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
