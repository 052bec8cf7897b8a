import Foundation

/// What one scenario came to.
struct BenchFigure: Encodable {
    var system = "swift-absurd"
    var version = AbsurdTool.version
    var scenario: String
    var count: Int
    var seconds: Double
    var rate: Double
    var unit: String
    var settings: [String: Int] = [:]
    var percentilesMs: [String: Double]?
    /// What else was measured, by name.
    var measured: [String: Double]?
    /// User and system time of this process during the measurement.
    var cpuSeconds: Double
    /// The most that this process had in memory.
    var residentMb: Double

    /// One line, as the benchmark collects them.
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    var text: String {
        var lines = ["\(scenario): \(Self.text(rate)) \(unit)  (\(count) in \(Self.text(seconds)) s)"]
        if let percentilesMs {
            for suffix in ["", "_from_call"] {
                let parts = ["p50", "p95", "p99"].compactMap { name in
                    percentilesMs[name + suffix].map { "\(name) \(Self.text($0)) ms" }
                }
                guard !parts.isEmpty else { continue }
                lines.append("  \(suffix.isEmpty ? "" : "from the call: ")" + parts.joined(separator: ", "))
            }
        }
        for (name, value) in (measured ?? [:]).sorted(by: { $0.key < $1.key }) {
            lines.append("  \(name): \(Self.text(value))")
        }
        lines.append(
            "  this process: \(Self.text(cpuSeconds)) s of CPU, \(Self.text(residentMb)) MB at most; "
                + settings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        return lines.joined(separator: "\n")
    }

    private static func text(_ value: Double) -> String {
        String(format: abs(value) < 100 ? "%.2f" : "%.0f", value)
    }
}

extension [Duration] {
    /// p50, p95, p99 by the nearest rank, in milliseconds.
    var percentilesMs: [String: Double] {
        let sorted = sorted()
        return Dictionary(
            uniqueKeysWithValues: [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)].map { name, share in
                let rank = Int((share * Double(sorted.count)).rounded(.up))
                return (name, sorted.isEmpty ? .nan : sorted[Swift.max(rank - 1, 0)] / .milliseconds(1))
            })
    }
}
