import Foundation

/// One line of a benchmark's output.
struct BenchResult: Decodable {
    var system: String
    var version: String
    var scenario: String
    var count: Int
    var rate: Double
    var unit: String
    var percentilesMs: [String: Double]?
    var measured: [String: Double]?
    var cpuSeconds: Double?
    var residentMb: Double?
    /// How many times it was measured, when that was more than once.
    var repetitions: Int?

    init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(BenchResult.self, from: Data(json.utf8))
    }

    private static let latencies = [
        "pickup", "resume", "pickup-elsewhere", "resume-elsewhere", "pickup-cut", "sleepers", "backlog",
    ]

    /// What the scenario is about: a time where there are percentiles and no throughput worth a word.
    var figure: String {
        guard let percentilesMs, Self.latencies.contains(scenario) else {
            return "\(Self.text(rate)) \(unit)"
        }
        return percentiles(percentilesMs, "")
    }

    private func percentiles(_ values: [String: Double], _ suffix: String) -> String {
        let order = ["p50", "p95", "p99"].compactMap { name in values[name + suffix].map { (name, $0) } }
        return order.map { "\($0) \(Self.text($1)) ms" }.joined(separator: ", ")
    }

    /// The latency that counts from the call, the commit included.
    var figureFromCall: String? {
        percentilesMs.map { percentiles($0, "_from_call") }.flatMap {
            $0.isEmpty ? nil : "from the call: \($0)"
        }
    }

    static func text(_ value: Double) -> String {
        switch abs(value) {
        case 1000...:
            value.formatted(.number.precision(.fractionLength(0)).locale(Locale(identifier: "en_US")))
        case 10..<1000: String(format: "%.0f", value)
        default: String(format: "%.2f", value)
        }
    }
}

extension [BenchResult] {
    /// Of what was measured several times the one with the median rate, the lower one of two, in order of the first ones.
    var medians: [BenchResult] {
        var places: [String: Int] = [:]
        var groups: [[BenchResult]] = []
        for result in self {
            let key = "\(result.system) \(result.scenario)"
            let place = places[key, default: groups.count]
            places[key] = place
            if place == groups.count { groups.append([]) }
            groups[place].append(result)
        }
        return groups.map { group in
            var median = group.sorted { $0.rate < $1.rate }[(group.count - 1) / 2]
            if group.count > 1 { median.repetitions = group.count }
            return median
        }
    }
}

/// All figures of a run as a Markdown table.
struct BenchTable {
    let results: [BenchResult]

    var text: String {
        var lines = ["| scenario | system | figure | more |", "|---|---|---|---|"]
        for result in results {
            lines.append(
                "| \(result.scenario) | \(result.system) \(result.version) | \(result.figure) | \(more(result)) |"
            )
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func more(_ result: BenchResult) -> String {
        var parts = (result.measured ?? [:]).sorted { $0.key < $1.key }.map {
            "\($0): \(BenchResult.text($1))"
        }
        if let own = results.first(where: { $0.system == BenchJob.ours && $0.scenario == result.scenario }),
            own.system != result.system, result.rate > 0, result.percentilesMs == nil
        {
            parts.append("swift-absurd does \(BenchResult.text(own.rate / result.rate)) times as much")
        }
        if let cpu = result.cpuSeconds, result.count >= 1000 {
            parts.append("\(BenchResult.text(cpu / Double(result.count) * 1e6)) µs of client CPU each")
        }
        // How many were due within the same ten seconds.
        if result.scenario == "sleepers" {
            parts.append("late, of \(BenchResult.text(Double(result.count)))")
        }
        if let fromCall = result.figureFromCall { parts.append(fromCall) }
        if let repetitions = result.repetitions { parts.append("median of \(repetitions)") }
        if let memory = result.residentMb { parts.append("\(BenchResult.text(memory)) MB") }
        return parts.joined(separator: "; ")
    }
}
