import ArgumentParser
import BenchmarkSupport
import Foundation

/// The figures of one measurement: a table for people, JSON for programs, and a verdict.
struct Report: Encodable {
    struct Figure: Encodable {
        var name: String
        var value: Double
        var unit: String
    }

    /// A promise that the figures keep or break.
    struct Promise: Encodable {
        var text: String
        var isKept: Bool
    }

    var measurement: String
    var figures: [Figure] = []
    var promises: [Promise] = []

    mutating func add(_ name: String, _ value: Double, _ unit: String = "") {
        figures.append(Figure(name: name, value: value, unit: unit))
    }

    mutating func add(_ name: String, _ value: Int, _ unit: String = "") {
        add(name, Double(value), unit)
    }

    mutating func promise(_ text: String, _ isKept: Bool) {
        promises.append(Promise(text: text, isKept: isKept))
    }

    /// Prints, writes the file, and throws the exit code of a broken promise.
    func publish(_ options: ReportOptions) throws {
        print("\n\(measurement)")
        let width = figures.map(\.name.count).max() ?? 0
        for figure in figures {
            let name = figure.name.padding(toLength: width, withPad: " ", startingAt: 0)
            print("  \(name)  \(text(figure.value)) \(figure.unit)")
        }
        for promise in promises {
            print("  \(promise.isKept ? "kept  " : "BROKEN")  \(promise.text)")
        }
        if let path = options.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            encoder.nonConformingFloatEncodingStrategy = .convertToString(
                positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "none")
            try encoder.encode(self).write(to: URL(filePath: path))
        }
        guard promises.allSatisfy(\.isKept) else { throw ExitCode(1) }
    }

    private func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15
            ? String(Int(value)) : String(format: abs(value) < 10 ? "%.3f" : "%.1f", value)
    }
}

extension [Double] {
    /// The value below which that share of the values lies, by the nearest rank.
    func percentile(_ share: Double) -> Double {
        guard !isEmpty else { return .nan }
        let rank = Int((share * Double(count)).rounded(.up))
        return sorted()[Swift.max(0, Swift.min(count, rank) - 1)]
    }
}
