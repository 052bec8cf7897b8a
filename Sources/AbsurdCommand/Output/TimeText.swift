import Absurd
import Foundation

extension Date {
    /// For programs: ISO 8601 with microseconds.
    var machineText: String { ISO8601.format(self) }

    /// For people: in UTC, to the millisecond.
    var text: String {
        let parts = ISO8601.format(self).split(separator: "T")
        return "\(parts[0]) \(parts[1].prefix("00:00:00.000".count))Z"
    }

    /// For tables: in UTC, to the second.
    var shortText: String { String(text.prefix("2000-01-01 00:00:00".count)) + "Z" }
}

extension JSONOutput {
    static func optional(_ date: Date?) -> JSONOutput { date.map { .string($0.machineText) } ?? .null }
}
