import Absurd
import ArgumentParser

extension Duration {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000),
    ]

    /// Reads a length of time such as `30s` or `1h30m`.
    ///
    /// - Throws: `ValidationError`, which the argument parser shows with the name of the option.
    init(argument text: String) throws {
        guard let milliseconds = Self.milliseconds(text) else {
            throw ValidationError(
                "a length of time is a whole number with a unit, such as 30s, 5m, 2h, 7d or 1h30m, and not '\(text)'"
            )
        }
        guard milliseconds <= Duration.days(3_650_000).milliseconds else {
            throw ValidationError("a length of time must be at most 3650000d, and not '\(text)'")
        }
        self = .milliseconds(milliseconds)
    }

    private var milliseconds: Int64 { components.seconds * 1000 }

    /// Nil when the text is no length of time; the largest number for one that is too long to count.
    private static func milliseconds(_ text: String) -> Int64? {
        var rest = text[...]
        var sum: Int64 = 0
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let suffix = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(suffix.count)
            guard !digits.isEmpty, let unit = units.first(where: { $0.suffix == suffix }) else { return nil }
            let (product, isTooLong) = (Int64(digits) ?? .max).multipliedReportingOverflow(
                by: unit.milliseconds)
            let (total, isTooLongInAll) = sum.addingReportingOverflow(product)
            sum = isTooLong || isTooLongInAll ? .max / 2 : total
        } while !rest.isEmpty
        return sum
    }
}
