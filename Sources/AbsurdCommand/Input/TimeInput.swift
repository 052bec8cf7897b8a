import Absurd
import ArgumentParser
import Foundation

/// A time in the past: how long ago, or the time itself.
enum TimeInput: Equatable {
    case ago(Duration)
    case at(Date)

    init(argument text: String) throws {
        if let date = ISO8601.date(text) ?? ISO8601.date(text + "T00:00:00Z") {
            self = .at(date)
        } else if let duration = try? Duration(argument: text) {
            // What it is not, the error below says better.
            self = .ago(duration)
        } else {
            throw ValidationError(
                "a time is how long ago, such as 30s, 5m, 2h or 7d, or a date, such as 2026-01-31 or "
                    + "2026-01-31T08:00:00Z, and not '\(text)'")
        }
    }
}
